/*
 * key_file: opens the file of a private key, if nobody but its owner can read it.
 */
#ifndef EXPORT_KEY_FILE_H
#define EXPORT_KEY_FILE_H

#include "common/attr.h"

struct error;

/* The descriptor, for reading; the caller closes it. A file that others than its owner may read or
 * write is ERROR_SECURITY; one that is missing or no regular file ERROR_CONFIG. */
int key_file_open(const char *path, int *out, struct error *err) MUST_CHECK;

#endif

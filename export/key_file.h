/*
 * key_file: opens the file of a private key or its pass phrase, if it is ours and nobody else can
 * read it.
 */
#ifndef EXPORT_KEY_FILE_H
#define EXPORT_KEY_FILE_H

#include "common/attr.h"

struct error;

/* The descriptor, for reading; the caller closes it. what names the contents in errors: "private
 * key". A file of another user, or that others than its owner may read or write, is ERROR_SECURITY;
 * one that is missing or no regular file ERROR_CONFIG. */
int key_file_open(const char *path, const char *what, int *out, struct error *err) MUST_CHECK;

#endif

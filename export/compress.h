/*
 * compress: a file in Zstandard form, made in constant memory.
 */
#ifndef EXPORT_COMPRESS_H
#define EXPORT_COMPRESS_H

#include "common/attr.h"

struct error;

/* Writes the compressed contents of path to out (mode 0644, replaced whole or not at all), with a
 * checksum and the contents' length in the frame. The same bytes for the same contents and library.
 */
int compress_file(const char *path, const char *out, struct error *err) MUST_CHECK;

#endif

/*
 * compress: files in Zstandard form, made in constant memory.
 *
 *	if (compress_open(path, length, COMPRESS_PLAIN, &c, err) < 0) ...
 *	compress_add(c, data, len);             sticky: the first error is remembered
 *	rc = compress_commit(c, err);
 *	compress_free(c);
 *
 * The same pieces give the same bytes, with the same library.
 */
#ifndef EXPORT_COMPRESS_H
#define EXPORT_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct compress;
struct error;

enum compress_effort {
	COMPRESS_PLAIN,    /* above it a list shrinks by a few per cent only, and takes several
			    * times as long and as much memory */
	COMPRESS_THOROUGH, /* ten times as long, for the few megabytes that everybody fetches */
};

/* Starts a file beside path (mode 0644, replaced whole or not at all), with a checksum in the
 * frame, and the contents' length if it is known; else it is -1. */
int compress_open(const char *path, int64_t length, enum compress_effort effort,
	struct compress **out, struct error *err) MUST_CHECK;
void compress_add(struct compress *c, const void *data, size_t len);
/* Sync, rename, sync the directory. c must still be freed. */
int compress_commit(struct compress *c, struct error *err) MUST_CHECK;
/* Removes the temporary file unless committed. NULL is allowed. */
void compress_free(struct compress *c);

/* The contents of path to out. */
int compress_file(const char *path, const char *out, struct error *err) MUST_CHECK;

#endif

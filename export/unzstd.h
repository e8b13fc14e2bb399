/*
 * unzstd: a zstd file unpacked within bounds, pushed in pieces or asked for in pieces.
 *
 *	u = unzstd_new(max, sink, arg);
 *	rc = unzstd_add(u, data, len, err) ...;         as it arrives
 *	rc = unzstd_end(u, err);
 *	unzstd_free(u);
 *
 * Whatever it is given, it unpacks no more than was announced and holds no more than the window.
 */
#ifndef EXPORT_UNZSTD_H
#define EXPORT_UNZSTD_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct unzstd;

/* Memory of the decoder: files made with a larger window (log2 of octets) are refused. zstd's own
 * levels up to 19 need no more. */
#define UNZSTD_WINDOW_LOG 23

/* Takes what was unpacked. -1 with err set ends it. */
typedef int unzstd_sink(void *arg, const void *data, size_t len, struct error *err);

/* Never unpacks more than max octets in all. The sink is for unzstd_add(); NULL without it. */
struct unzstd *unzstd_new(int64_t max, unzstd_sink *sink, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void unzstd_free(struct unzstd *u);

/* Gives what it unpacks to the sink; arg is the struct unzstd, so that this is a sink itself. What
 * is no zstd, or unpacks to too much, is ERROR_SECURITY. */
int unzstd_add(void *arg, const void *data, size_t len, struct error *err) MUST_CHECK;
/* Unpacks from *in, which moves on with what was taken, into out, at most size octets; *got says
 * how many. Less than size: all of *in was taken, and no more comes of it. Errors as above. */
int unzstd_step(struct unzstd *u, const char **in, size_t *in_len, void *out, size_t size,
	size_t *got, struct error *err) MUST_CHECK;
/* Whether the input has ended where a frame ends. */
int unzstd_end(struct unzstd *u, struct error *err) MUST_CHECK;

#endif

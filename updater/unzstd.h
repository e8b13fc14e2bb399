/*
 * unzstd: a zstd file unpacked within bounds.
 */
#ifndef UPDATER_UNZSTD_H
#define UPDATER_UNZSTD_H

#include <stdint.h>

#include "common/attr.h"
#include "updater/fetch.h"

struct error;
struct unzstd;

/* Memory of the decoder: files made with a larger window (log2 of octets) are refused. zstd's own
 * levels up to 19 need no more. */
#define UNZSTD_WINDOW_LOG 23

/* Gives what it unpacks to the sink, and never more than max octets in all. */
struct unzstd *unzstd_new(int64_t max, fetch_sink *sink, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void unzstd_free(struct unzstd *u);

/* A fetch_sink; arg is the struct unzstd. What is no zstd, or unpacks to too much, is
 * ERROR_SECURITY. */
int unzstd_add(void *arg, const void *data, size_t len, struct error *err) MUST_CHECK;
/* Whether the input has ended where a frame ends. */
int unzstd_end(struct unzstd *u, struct error *err) MUST_CHECK;

#endif

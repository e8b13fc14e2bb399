/*
 * fetch: gets one file from a mirror, within limits.
 *
 * http:, https: and file: (a local folder) and nothing else; no redirects, no compression, one
 * attempt, and a proxy only if it was configured. Nothing that comes back is trusted, but https: is
 * verified all the same. One thread.
 */
#ifndef UPDATER_FETCH_H
#define UPDATER_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct fetch;

/* A folder that file: sources lie in, opened. */
struct fetch_tree {
	const char *path;
	int fd;
	bool foreign; /* somebody else may change it at any time: no link in it is followed */
};

struct fetch_options {
	long connect_timeout_s;
	long timeout_s;         /* of one file */
	long low_speed_bytes_s; /* slower than this ... */
	long low_speed_time_s;  /* ... for so long: given up */
	const char *ca_file;    /* NULL: the system's */
	const char *proxy;      /* NULL: none, whatever the environment says */
	/* Read and opened before, for a process that cannot: */
	const struct buf *ca; /* what is in ca_file; NULL: it is read when needed */
	const struct fetch_tree *trees;
	size_t tree_count;
};

/* Takes what came, in pieces. -1 with err set ends the transfer. */
typedef int fetch_sink(void *arg, const void *data, size_t len, struct error *err);

/* Whether a mirror's URL is one that can be asked. */
bool fetch_url_valid(const char *url);

/* The options' strings are copied; what was read and opened before is lent. */
int fetch_new(
	const struct fetch_options *options, struct fetch **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void fetch_free(struct fetch *f);

/* 1 got it all; 0 the mirror does not have it (404, 403, no such file), the sink was not called; -1
 * error: ERROR_TEMP, ERROR_CONFIG for a URL or CA file that is none, ERROR_SECURITY when there are
 * more than max octets, or the sink's. */
int fetch_get(struct fetch *f, const char *url, int64_t max, fetch_sink *sink, void *arg,
	struct error *err) MUST_CHECK;
/* The same into out, whose maximum is the limit. */
int fetch_get_buf(struct fetch *f, const char *url, struct buf *out, struct error *err) MUST_CHECK;

#endif

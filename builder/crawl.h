/*
 * crawl: verifies every domain that is due for one vantage point.
 *
 * Due domains stream from the store into the engine, as many at once as it has room for; reports
 * stream back in transactions of some hundred looks or a fifth of a second. Whatever kills the
 * process loses at most the open transaction: those domains are still due.
 */
#ifndef BUILDER_CRAWL_H
#define BUILDER_CRAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct engine_options;
struct error;
struct settings;
struct store;

struct crawl_progress {
	int64_t total; /* due at the start, or done so far if that is more */
	int64_t done;
	int64_t pass, fail, unknown;
	int64_t transitions;
	size_t in_flight;
	double elapsed_s; /* by the monotonic clock */
};

enum crawl_end { CRAWL_DONE, CRAWL_INTERRUPTED };

struct crawl_options {
	const char *vantage;                 /* NULL: the first configured */
	bool once;                           /* end when nothing is due any more */
	const struct engine_options *engine; /* NULL: the settings' */
	/* Called several times a second while the crawl runs. May be NULL. */
	void (*progress)(const struct crawl_progress *progress, void *arg);
	void *progress_arg;
};

/* SIGINT and SIGTERM end it cleanly: what was verified is kept. A vantage point that is not to be
 * believed (vantage_watch.h) abstains: ERROR_TEMP, and nothing is kept but what was committed while
 * it was. Another crawl of the same vantage point under way is ERROR_TEMP. */
int crawl_run(struct store *store, const struct settings *settings,
	const struct crawl_options *options, struct crawl_progress *out, enum crawl_end *end,
	struct error *err) MUST_CHECK;

/* The configured vantage point of that name (NULL: the first); else ERROR_CONFIG. */
int crawl_vantage(const struct settings *settings, const char *name, const char **out,
	struct error *err) MUST_CHECK;

#endif

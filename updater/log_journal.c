#include "updater/log_journal.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "updater/log_source.h"

/* A journal of many days on a slow disk. */
#define TIMEOUT_MS (15 * 60 * 1000)
/* What may lie between a line that tells of a connection and one that rests on it. */
#define AGAIN_S INT64_C(600)

/* --- asking -------------------------------------------------------------------------------------
 */

/* from: "--since=..." or "--after-cursor=..."; until: "--until=...", or NULL: to the end. */
static int
ask(const char *program, const char *from, const char *until, int64_t deadline_ms, tool_sink *sink, void *arg,
	struct error *err)
{
	const char *const argv[] = {program, "--quiet", "--no-pager", "--utc", "--output=short-iso",
		"--show-cursor", from, "SYSLOG_FACILITY=2", until, NULL};
	int left_ms = clock_left_ms(deadline_ms);
	struct tool_result result;
	char *why;
	int rc = tool_stream(argv, left_ms < TIMEOUT_MS ? left_ms : TIMEOUT_MS, sink, arg, &result, err);

	if (rc == 0 && result.status != 0) {
		why = tool_complaint(&result);
		rc = error_set(err, ERROR_CONFIG, "%s: %s (no journal that you may read? name a log)", program, why);
		free(why);
	}
	tool_result_clear(&result);
	return rc;
}

int
log_journal_feed(const char *program, const struct log_span *span, enum log_feed what, int64_t deadline_ms,
	tool_sink *sink, void *arg, struct error *err)
{
	const struct log_place *place = span->place;
	char *from, *until = NULL;
	int rc;

	if (what == LOG_FEED_BEHIND) {
		from = xasprintf("--after-cursor=%s", place->cursor);
	} else if (what == LOG_FEED_AGAIN) {
		from = xasprintf("--since=@%" PRId64, place->last_s - AGAIN_S);
		until = xasprintf("--until=@%" PRId64, place->last_s);
	} else {
		/* Lines of the very second of the place were counted by then, as far as one can tell. */
		from = xasprintf("--since=@%" PRId64, place != NULL ? place->last_s + 1 : span->since_s);
	}
	rc = ask(program, from, until, deadline_ms, sink, arg, err);
	free(until);
	free(from);
	return rc;
}

/* --- reading ------------------------------------------------------------------------------------
 */

struct journal {
	const struct log_span *span;
	log_feeder *feed;
	void *feed_arg;
	struct log_lines *lines;
	log_line_sink *sink;
	void *arg;
};

static int
on_data(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	log_lines_feed(arg, data, len);
	return 0;
}

/* With --show-cursor, the last line is no line of the log. */
static void
take_line(void *arg, struct log_time *when, const char *line, size_t len)
{
	static const char mark[] = "-- cursor: ";
	struct journal *j = arg;
	struct log_place *place = j->span->place;
	size_t skip = sizeof(mark) - 1;

	if (len < skip || memcmp(line, mark, skip) != 0) {
		j->sink(j->arg, when, line, len);
	} else if (place != NULL && len - skip < LOG_CURSOR_MAX) {
		memcpy(place->cursor, line + skip, len - skip);
		place->cursor[len - skip] = '\0';
	}
}

static int
read_part(struct journal *j, enum log_feed what, log_line_sink *sink, void *arg, struct error *err)
{
	int rc;

	log_lines_begin(j->lines, sink, arg, j->span->now_s);
	rc = j->feed(j->feed_arg, what, on_data, j->lines, err);
	log_lines_end(j->lines);
	return rc;
}

/* Goes on behind the cursor. 0; 1 it is not known any more; -1: it is, and yet not all could be read, which must
 * not be asked for in another way now, or lines that were handed out would be so twice. */
static int
read_behind(struct journal *j, struct error *err)
{
	int rc = read_part(j, LOG_FEED_AGAIN, j->span->again, j->arg, err);

	if (rc == 0)
		rc = read_part(j, LOG_FEED_BEHIND, take_line, j, err);
	else
		j->lines->count = 0; /* those were for looking at only */
	return rc < 0 && j->lines->count == 0 ? 1 : rc;
}

int
log_journal_read(const struct log_span *span, log_feeder *feed, void *feed_arg, struct log_lines *lines,
	log_line_sink *sink, void *arg, struct error *err)
{
	struct log_place *place = span->place;
	struct journal j = {.span = span,
		.feed = feed,
		.feed_arg = feed_arg,
		.lines = lines,
		.sink = sink,
		.arg = arg};
	struct error unknown = {0};
	int rc = 1;

	if (place != NULL && place->cursor[0] != '\0')
		rc = read_behind(&j, &unknown);
	if (rc < 0)
		*err = unknown;
	else if (rc > 0)
		rc = read_part(&j, LOG_FEED_SINCE, take_line, &j, err);
	if (rc == 0 && place != NULL)
		place->digest[0] = '\0';
	return rc;
}

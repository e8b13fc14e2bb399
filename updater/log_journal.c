#include "updater/log_journal.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "updater/log_source.h"
#include "updater/settings.h"
#include "updater/tool.h"

/* A journal of many days on a slow disk. */
#define TIMEOUT_MS (15 * 60 * 1000)
/* What may lie between a line that tells of a connection and one that rests on it. */
#define AGAIN_S INT64_C(600)

struct journal {
	const char *program;
	const struct log_span *span;
	struct log_lines *lines;
	log_line_sink *sink;
	void *arg;
};

static int
feed(void *arg, const void *data, size_t len, struct error *err UNUSED)
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

/* from: "--since=..." or "--after-cursor=..."; until: "--until=...", or NULL: to the end. */
static int
ask(struct journal *j, const char *from, const char *until, log_line_sink *sink, void *arg, struct error *err)
{
	const char *const argv[] = {j->program, "--quiet", "--no-pager", "--utc", "--output=short-iso",
		"--show-cursor", from, "SYSLOG_FACILITY=2", until, NULL};
	struct tool_result result;
	char *why;
	int rc;

	log_lines_begin(j->lines, sink, arg, j->span->now_s);
	rc = tool_stream(argv, TIMEOUT_MS, feed, j->lines, &result, err);
	log_lines_end(j->lines);
	if (rc == 0 && result.status != 0) {
		why = tool_complaint(&result);
		rc = error_set(err, ERROR_CONFIG, "%s: %s", j->program, why);
		free(why);
	}
	tool_result_clear(&result);
	return rc;
}

/* What is newer than that time. */
static int
ask_since(struct journal *j, int64_t since_s, struct error *err)
{
	char *since = xasprintf("--since=@%" PRId64, since_s);
	int rc = ask(j, since, NULL, take_line, j, err);

	free(since);
	return rc;
}

/* What lies closely before the place, once more. */
static int
ask_again(struct journal *j, int64_t last_s, struct error *err)
{
	char *since = xasprintf("--since=@%" PRId64, last_s - AGAIN_S);
	char *until = xasprintf("--until=@%" PRId64, last_s);
	int rc = ask(j, since, until, j->span->again, j->arg, err);

	free(until);
	free(since);
	return rc;
}

/* Goes on behind the cursor. 0; 1 it is not known any more; -1: it is, and yet not all could be read, which must
 * not be asked for in another way now, or lines that were handed out would be so twice. */
static int
ask_behind(struct journal *j, const struct log_place *place, struct error *err)
{
	char *after = xasprintf("--after-cursor=%s", place->cursor);
	int rc = ask_again(j, place->last_s, err);

	if (rc == 0)
		rc = ask(j, after, NULL, take_line, j, err);
	else
		j->lines->count = 0; /* those were for looking at only */
	free(after);
	return rc < 0 && j->lines->count == 0 ? 1 : rc;
}

int
log_journal_read(const struct update_settings *s, const struct log_span *span, struct log_lines *lines,
	log_line_sink *sink, void *arg, struct error *err)
{
	struct log_place *place = span->place;
	char *program = tool_find(s->journalctl, "journalctl");
	struct journal j = {.program = program, .span = span, .lines = lines, .sink = sink, .arg = arg};
	struct error unknown = {0};
	int rc = 1;

	if (program == NULL)
		return 1;
	if (place != NULL && place->cursor[0] != '\0')
		rc = ask_behind(&j, place, &unknown);
	if (rc < 0)
		*err = unknown;
	/* Lines of the very second of the place were counted by then, as far as one can tell. */
	else if (rc > 0)
		rc = ask_since(&j, place != NULL ? place->last_s + 1 : span->since_s, err);
	if (rc == 0 && place != NULL)
		place->digest[0] = '\0';
	free(program);
	return rc;
}

/*
 * log_source: the mail log of this machine: files, what was rotated away and compressed, or the journal.
 *
 *	struct log_said said = {0};
 *	rc = log_source_open(s, &span, &said, &source, err);
 *	rc = log_source_read(source, log_source_feed, source, sink, arg, &said, err);
 *	log_source_close(source);
 *	log_said_clear(&said);
 *
 * Without a name the log is where the mail server's usually is: [log] path, else what Postfix is
 * configured for, else the places that systems have for it; a file that has not been written for as long as
 * one asks about is none. Then the journal, by journalctl.
 *
 * Opening is for whoever may, reading for a process that nobody trusts (survey_worker.h): files are opened before it
 * is started, and what is no file it is fed by its parent.
 */
#ifndef UPDATER_LOG_SOURCE_H
#define UPDATER_LOG_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/log_feed.h"
#include "updater/log_files.h"
#include "updater/log_lines.h"

struct error;
struct update_settings;

/* Octets of journalctl's name for a place in the journal. */
#define LOG_CURSOR_MAX 400
/* Octets that a file is known again by. */
#define LOG_PLACE_DIGEST_MAX 4096

/* Where a reading ended, so that the next one goes on there. A file is known again by its beginning, whatever
 * its name is by then: renamed, copied and truncated, or compressed. */
struct log_place {
	char digest[65]; /* SHA-256 of the first digest_len octets of the file; "": none was read */
	int64_t digest_len;
	int64_t offset; /* behind the last whole line */
	char cursor[LOG_CURSOR_MAX]; /* in the journal; "": it was not read */
	/* Kept by the caller: where the place is not found again, or there is none yet, only lines of behind
	 * that time are handed out. */
	int64_t last_s;
};

struct log_span {
	const char *path; /* a file, "-" for standard input, or NULL: find it, with what was rotated away */
	int64_t since_s;  /* files that were written last before it are not opened; 0: all */
	int64_t now_s;
	struct log_place *place; /* where to begin, and then where it ended; NULL: from the beginning */
	/* With a place: takes lines that were handed out before, since those behind them may rest on them. */
	log_line_sink *again;
};

struct log_source;

/* Finds the log and opens what is to be read of it; nothing of it is read here. A log that is named, or the only one
 * that could be, and cannot be opened is an error (ERROR_CONFIG). The span is copied; what it points to is lent. */
int log_source_open(const struct update_settings *s, const struct log_span *span, struct log_said *said,
	struct log_source **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void log_source_close(struct log_source *source);
/* Its files, lent: what a process needs that is to read it, but for what it is fed. */
const int *log_source_fds(const struct log_source *source, size_t *count);
/* Until when, by clock_monotonic_ms(), what is fed has to be there; without it there is no limit. */
void log_source_limit(struct log_source *source, int64_t deadline_ms);
/* What is no file; a log_feeder, whose arg is the source. Behind the limit it is ERROR_TEMP. */
int log_source_feed(
	void *source, enum log_feed what, tool_sink *sink, void *sink_arg, struct error *err) MUST_CHECK;

/* Hands out every line, oldest first; what is no file comes from the feeder. A log that is the only one and cannot be
 * read is an error; of several files, one that is damaged is said to be skipped. */
int log_source_read(struct log_source *source, log_feeder *feed, void *feed_arg, log_line_sink *sink, void *arg,
	struct log_said *said, struct error *err) MUST_CHECK;

#endif

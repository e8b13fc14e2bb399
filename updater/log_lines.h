/*
 * log_lines: cuts the bytes of a log into lines, wherever they come from.
 *
 *	log_lines_begin(&l, sink, arg, latest_s);
 *	log_lines_feed(&l, data, len);      as often as need be; or log_lines_read()
 *	log_lines_end(&l);                  the last line may lack its newline
 */
#ifndef UPDATER_LOG_LINES_H
#define UPDATER_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/log_time.h"
#include "updater/mail_log.h"

struct error;

/* Takes one line, without its newline, lent; when is for the time that it begins with. */
typedef void log_line_sink(void *arg, struct log_time *when, const char *line, size_t len);

struct log_lines {
	log_line_sink *sink;
	void *arg;
	struct log_time when;
	int64_t taken; /* octets of whole lines, newlines included: where the next one begins */
	int64_t count; /* lines handed out */
	bool skipping; /* in a line that is too long, which is passed over */
	size_t have;
	char part[MAIL_LOG_LINE_MAX]; /* the beginning of a line whose end is not there yet */
};

/* latest_s: see log_time_begin(). */
void log_lines_begin(struct log_lines *l, log_line_sink *sink, void *arg, int64_t latest_s);
void log_lines_feed(struct log_lines *l, const char *data, size_t len);
/* Hands out what stands behind the last newline. */
void log_lines_end(struct log_lines *l);

/* Feeds a file from offset from up to offset to or its end (of what it holds, if it is compressed by gzip). fd
 * stays the caller's; its offset moves. name is for messages. */
int log_lines_read(struct log_lines *l, int fd, int64_t from, int64_t to, const char *name,
	struct error *err) MUST_CHECK;
/* Up to size octets from the beginning of what the file holds: how many; -1 it cannot be read. */
int64_t log_lines_head(int fd, char *out, size_t size, const char *name, struct error *err) MUST_CHECK;

#endif

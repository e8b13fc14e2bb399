/*
 * log_source: the mail log of this machine: files, what was rotated away and compressed, or the journal.
 *
 *	struct log_said said = {0};
 *	rc = log_source_read(s, &span, sink, arg, &said, err);
 *	log_said_clear(&said);
 *
 * Without a name the log is where the mail server's usually is: [log] path, else what Postfix is
 * configured for, else the places that systems have for it; a file that has not been written for as long as
 * one asks about is none. Then the journal, by journalctl.
 */
#ifndef UPDATER_LOG_SOURCE_H
#define UPDATER_LOG_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/log_lines.h"

struct error;
struct update_settings;

/* Octets of journalctl's name for a place in the journal. */
#define LOG_CURSOR_MAX 400

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

/* What was read, and what was not and why: nothing is passed over in silence. */
struct log_said {
	char **read; /* owned, as are the strings: "/var/log/mail.log.1", "the journal" */
	size_t read_count;
	char **skipped; /* "/var/log/mail.log.3.xz: compressed by another program than gzip" */
	size_t skipped_count;
};

/* Hands out every line, oldest first. A log that is named, or the only one that could be, and cannot be read
 * is an error (ERROR_CONFIG); of several, one that is damaged is said to be skipped. */
int log_source_read(const struct update_settings *s, const struct log_span *span, log_line_sink *sink,
	void *arg, struct log_said *said, struct error *err) MUST_CHECK;
void log_said_clear(struct log_said *said);

#endif

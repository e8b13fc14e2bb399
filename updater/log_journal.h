/*
 * log_journal: what the journal has of mail, asked for by journalctl.
 *
 * Whatever was logged with the facility mail (RFC 5424, 2), by whichever service. Where a reading ended is kept as
 * journalctl's cursor. Running journalctl and reading what it says are apart (log_feed.h).
 */
#ifndef UPDATER_LOG_JOURNAL_H
#define UPDATER_LOG_JOURNAL_H

#include <stdint.h>

#include "common/attr.h"
#include "updater/log_feed.h"
#include "updater/log_lines.h"

struct error;
struct log_span;

/* Runs the program for a part of the span, and hands what it writes to sink. That it fails is ERROR_CONFIG; that it is
 * not done by deadline_ms, of clock_monotonic_ms(), ERROR_TEMP. */
int log_journal_feed(const char *program, const struct log_span *span, enum log_feed what, int64_t deadline_ms,
	tool_sink *sink, void *arg, struct error *err) MUST_CHECK;

/* Hands out the lines of the span, oldest first, cut by lines (no state of it is kept). With a place it goes on
 * behind the cursor, or where that is unknown to the journal, behind the place's time, and notes where it ended.
 * -1: what was handed out is void. */
int log_journal_read(const struct log_span *span, log_feeder *feed, void *feed_arg, struct log_lines *lines,
	log_line_sink *sink, void *arg, struct error *err) MUST_CHECK;

#endif

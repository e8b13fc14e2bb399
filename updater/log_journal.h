/*
 * log_journal: what the journal has of mail, asked for by journalctl.
 *
 * Whatever was logged with the facility mail (RFC 5424, 2), by whichever service. Where a reading ended is kept as
 * journalctl's cursor.
 */
#ifndef UPDATER_LOG_JOURNAL_H
#define UPDATER_LOG_JOURNAL_H

#include "common/attr.h"
#include "updater/log_lines.h"

struct error;
struct log_span;
struct update_settings;

/* Hands out the lines of the span, oldest first, cut by lines (no state of it is kept). With a place it goes on
 * behind the cursor, or where that is unknown to the journal, behind the place's time, and notes where it ended.
 * 0; 1 there is no journalctl; -1: what was handed out is void. */
int log_journal_read(const struct update_settings *s, const struct log_span *span, struct log_lines *lines,
	log_line_sink *sink, void *arg, struct error *err) MUST_CHECK;

#endif

/*
 * log_time: when a line of a log was written.
 *
 *	log_time_begin(&t, mtime_of_the_file);
 *	for each line: if (log_time_parse(&t, line, len, &when_s) > 0) ...
 *
 * Three forms stand at the beginning of lines: "2026-11-26T12:00:00.5+01:00" (RFC 3339: rsyslog, the
 * journal), "2026-11-26 12:00:00" (Exim, perhaps with a zone behind it) and "Nov 26 12:00:00" (RFC 3164,
 * which has no year). What names no zone is this machine's time; where clocks were put back it may be
 * an hour off.
 */
#ifndef UPDATER_LOG_TIME_H
#define UPDATER_LOG_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct log_time {
	/* The latest time that a line may have, in this machine's zone: what a missing year is found by. */
	int latest_year;
	int64_t latest_in_year;
	/* The hour that the C library was asked about last: it looks at the zone's file each time. */
	int64_t hour; /* YYYYMMDDHH */
	int64_t hour_s;
};

/* latest_s: when the file was written last, or now. */
void log_time_begin(struct log_time *t, int64_t latest_s);
/* 1 and seconds since the epoch (0 to CLOCK_MAX_S), 0 the line begins with no such time. */
int log_time_parse(struct log_time *t, const char *line, size_t len, int64_t *out_s);

/* The C library looks for the zone's file each time, and finds none where it may open no files: a process that is
 * to be such calls the first before, and the second, with what that returned (the caller's), from then on. */
char *log_time_load_zone(void) RETURNS_NONNULL;
void log_time_keep_zone(const char *zone);

#endif

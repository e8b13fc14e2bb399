/*
 * when: a time as people read it, beside how far off it is.
 */
#ifndef UPDATER_WHEN_H
#define UPDATER_WHEN_H

#include <stdint.h>

#include "common/attr.h"

/* "2026-11-23T12:00:00Z (3 hours ago)", "(in 6 days)", "(now)"; "never" for 0. */
#define WHEN_SIZE 72

/* "3 days", "1 hour": the largest unit that fits, rounded down. */
#define WHEN_SPAN_SIZE 40

const char *when(int64_t time_s, int64_t now_s, char out[static WHEN_SIZE]) RETURNS_NONNULL;
const char *when_span(int64_t seconds, char out[static WHEN_SPAN_SIZE]) RETURNS_NONNULL;

#endif

/*
 * clock: the time of day as an input.
 *
 * main() makes the clock once (PRELOAD25_NOW may set it) and hands it down; nothing below asks the
 * system. A clock that was set stands still: the same input gives the same bytes.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;

/* "2026-11-23T12:00:00Z" and the NUL. */
#define CLOCK_TEXT_SIZE 21
/* 9999-12-31T23:59:59Z, the last time that has a text. */
#define CLOCK_MAX_S INT64_C(253402300799)
#define CLOCK_DAY_S INT64_C(86400)

struct clock {
	bool fixed;
	int64_t fixed_s; /* seconds since 1970-01-01T00:00:00Z, when fixed */
};

/* The system's clock, or the fixed one when the environment has PRELOAD25_NOW. A malformed
 * PRELOAD25_NOW is ERROR_CONFIG. */
int clock_from_env(struct clock *clock, struct error *err) MUST_CHECK;
/* A clock that stands at now_s. */
struct clock clock_fixed(int64_t now_s);
/* Seconds since the epoch. */
int64_t clock_now(const struct clock *clock);

/* Milliseconds since some moment, for measuring how long things take: no change of the machine's time
 * and no PRELOAD25_NOW moves it. */
int64_t clock_monotonic_ms(void);
/* What is left until a moment of clock_monotonic_ms(), as poll() takes it; 0 when it is past. */
int clock_left_ms(int64_t deadline_ms);

/* Exactly YYYY-MM-DDTHH:MM:SSZ, a real date of the years 1970 to 9999; -1 for anything else. */
int clock_parse(const char *text, size_t len, int64_t *out_s) MUST_CHECK;
/* Whether it lies in 0 to CLOCK_MAX_S. */
bool clock_has_text(int64_t time_s);
/* The same form from seconds; a time that has one. */
void clock_format(int64_t time_s, char out[static CLOCK_TEXT_SIZE]);

#endif

/* The times that lines of logs begin with: zones, the turn of the year, clocks put back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/attr.h"
#include "common/clock.h"
#include "updater/log_time.h"

struct row {
	const char *line;
	const char *latest; /* when the file was written last */
	const char *want;   /* NULL: no time */
};

static int64_t
seconds(const char *text)
{
	int64_t s;

	assert_int_equal(clock_parse(text, strlen(text), &s), 0);
	return s;
}

static void
check(const char *zone, const struct row *rows, size_t count)
{
	(void)setenv("TZ", zone, 1);
	tzset();
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(rows[i].line);
		char *line = malloc(len > 0 ? len : 1), got[CLOCK_TEXT_SIZE];
		struct log_time t;
		int64_t s = 0;
		int rc;

		print_message("# %s: %s\n", zone, rows[i].line);
		/* Exactly so long, so that a sanitizer sees a step too far. */
		assert_non_null(line);
		memcpy(line, rows[i].line, len);
		log_time_begin(&t, seconds(rows[i].latest));
		rc = log_time_parse(&t, line, len, &s);
		free(line);
		assert_int_equal(rc, rows[i].want != NULL);
		if (rc == 0)
			continue;
		clock_format(s, got);
		assert_string_equal(got, rows[i].want);
	}
}

#define NOW "2026-11-26T12:00:00Z"

static void
test_forms(void **state UNUSED)
{
	static const struct row rows[] = {
		{"2026-11-26T12:00:00Z host", NOW, "2026-11-26T12:00:00Z"},
		{"2026-11-26T12:00:00.123456+01:00 host", NOW, "2026-11-26T11:00:00Z"},
		{"2026-11-26T12:00:00-0530 host", NOW, "2026-11-26T17:30:00Z"},
		/* Exim: this machine's zone, or one that is told, perhaps with fractions. */
		{"2026-11-26 12:00:00 1vOabc-00000001abc-0001 =>", NOW, "2026-11-26T11:00:00Z"},
		{"2026-07-26 12:00:00.250 1vOabc-00000001abc-0001 =>", NOW, "2026-07-26T10:00:00Z"},
		{"2026-11-26 12:00:00 +0300 1vOabc-00000001abc-0001 =>", NOW, "2026-11-26T09:00:00Z"},
		{"Nov 26 12:00:00 host", NOW, "2026-11-26T11:00:00Z"},
		{"Nov  6 12:00:00 host", NOW, "2026-11-06T11:00:00Z"},
		{"Jul  6 12:00:00 host", NOW, "2026-07-06T10:00:00Z"},
		/* Not a time. */
		{"", NOW, NULL},
		{"2026", NOW, NULL},
		{"2026-02-29T12:00:00Z", NOW, NULL},
		{"2026-11-26T24:00:00Z", NOW, NULL},
		{"2026-11-26_12:00:00", NOW, NULL},
		{"Nov 31 12:00:00", NOW, NULL},
		{"Nov  0 12:00:00", NOW, NULL},
		{"Nov 26 12:00:0", NOW, NULL},
		{"Nox 26 12:00:00", NOW, NULL},
		{"ovD 26 12:00:00", NOW, NULL},
		/* The first and the last time that has a text, and those beyond. */
		{"1970-01-01T00:00:00Z", NOW, "1970-01-01T00:00:00Z"},
		{"1970-01-01T00:00:00+01:00", NOW, NULL},
		{"1970-01-01 00:59:59", NOW, NULL},
		{"9999-12-31T23:59:59Z", NOW, "9999-12-31T23:59:59Z"},
		{"9999-12-31T23:59:60Z", NOW, NULL},
		{"9999-12-31T23:59:59-00:01", NOW, NULL},
	};

	check("CET-1CEST,M3.5.0,M10.5.0/3", rows, ARRAY_LEN(rows));
}

/* A line without a year is of the last one in which it is not in the future. */
static void
test_turn_of_the_year(void **state UNUSED)
{
	static const struct row rows[] = {
		{"Dec 31 23:59:59 host", "2027-01-01T00:10:00Z", "2026-12-31T23:59:59Z"},
		{"Jan  1 00:00:01 host", "2027-01-01T00:10:00Z", "2027-01-01T00:00:01Z"},
		/* The file's time is a little behind the line's. */
		{"Jan  1 00:00:01 host", "2026-12-31T23:59:00Z", "2027-01-01T00:00:01Z"},
		{"Nov 27 12:00:01 host", NOW, "2025-11-27T12:00:01Z"},
		{"Feb 29 12:00:00 host", "2027-03-01T00:00:00Z", "2024-02-29T12:00:00Z"},
		{"Feb 29 12:00:00 host", "2028-03-01T00:00:00Z", "2028-02-29T12:00:00Z"},
		{"Feb 29 12:00:00 host", "2028-02-28T11:00:00Z", "2024-02-29T12:00:00Z"},
		/* 1900 was none, and is too long ago. */
		{"Feb 29 12:00:00 host", "1971-01-01T00:00:00Z", NULL},
	};

	check("UTC0", rows, ARRAY_LEN(rows));
}

/* Where clocks are put forward an hour is missing; where they are put back one comes twice: a time is found
 * all the same, an hour off at most. */
static void
test_clocks_put_back(void **state UNUSED)
{
	static const char *const lines[] = {"2026-10-25 02:30:00 ", "2026-03-29 02:30:00 "};
	static const char *const near[] = {"2026-10-25T01:00:00Z", "2026-03-29T01:00:00Z"};

	(void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct log_time t;
		int64_t s;

		log_time_begin(&t, seconds(NOW));
		assert_int_equal(log_time_parse(&t, lines[i], strlen(lines[i]), &s), 1);
		assert_in_range(s, seconds(near[i]) - 3600, seconds(near[i]) + 3600);
	}
}

/* The answer for an hour is kept, not for longer. */
static void
test_hours(void **state UNUSED)
{
	struct log_time t;
	int64_t a, b, c;

	(void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	log_time_begin(&t, seconds(NOW));
	assert_int_equal(log_time_parse(&t, "Oct 25 00:59:59 ", 16, &a), 1);
	assert_int_equal(log_time_parse(&t, "Oct 25 00:00:01 ", 16, &b), 1);
	assert_int_equal(log_time_parse(&t, "Oct 26 00:59:59 ", 16, &c), 1);
	assert_int_equal(a - b, 3598);
	assert_int_equal(c - a, 25 * 3600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_turn_of_the_year),
		cmocka_unit_test(test_clocks_put_back),
		cmocka_unit_test(test_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

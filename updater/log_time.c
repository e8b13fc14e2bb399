#include "updater/log_time.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/str.h"
#include "common/xalloc.h"

/* A line without a year may be of 29 February, which is as far back at most. */
#define YEARS_BACK 8

/* A date and time as written. */
struct fields {
	int year, month, day, hour, minute, second;
};

/* Where in its year it lies: the larger, the later. */
static int64_t
in_year(const struct fields *f)
{
	return ((f->month * INT64_C(32) + f->day) * 24 + f->hour) * 3600 + f->minute * 60 + f->second;
}

/* No line is of a later time than that of the file, but for a day: the first of January may have begun where the
 * log comes from. */
void
log_time_begin(struct log_time *t, int64_t latest_s)
{
	time_t latest = (time_t)(latest_s + CLOCK_DAY_S);
	struct tm tm;

	*t = (struct log_time){.hour = -1};
	if (localtime_r(&latest, &tm) == NULL)
		return;
	t->latest_year = tm.tm_year + 1900;
	t->latest_in_year = in_year(&(const struct fields){.month = tm.tm_mon + 1,
		.day = tm.tm_mday,
		.hour = tm.tm_hour,
		.minute = tm.tm_min,
		.second = tm.tm_sec});
}

/* Exactly count digits. */
static bool
digits(const char *p, int count, int *out)
{
	*out = 0;
	for (int i = 0; i < count; i++) {
		if (!str_is_digit(p[i]))
			return false;
		*out = *out * 10 + (p[i] - '0');
	}
	return true;
}

/* "12:00:00", 8 octets. */
static bool
clock_time(const char *p, struct fields *f)
{
	return digits(p, 2, &f->hour) && p[2] == ':' && digits(p + 3, 2, &f->minute) && p[5] == ':' &&
		digits(p + 6, 2, &f->second) && f->hour < 24 && f->minute < 60 && f->second <= 60;
}

static bool
is_date(const struct fields *f)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (f->year % 4 == 0 && f->year % 100 != 0) || f->year % 400 == 0;

	return f->year >= 1970 && f->month >= 1 && f->month <= 12 && f->day >= 1 &&
		f->day <= days[f->month - 1] + (leap && f->month == 2);
}

static struct tm
tm_of(const struct fields *f)
{
	return (struct tm){.tm_year = f->year - 1900,
		.tm_mon = f->month - 1,
		.tm_mday = f->day,
		.tm_hour = f->hour,
		.tm_min = f->minute,
		.tm_sec = f->second,
		.tm_isdst = -1};
}

static int64_t
local_of(struct log_time *t, const struct fields *f)
{
	int64_t hour = ((f->year * INT64_C(100) + f->month) * 100 + f->day) * 100 + f->hour;

	if (hour != t->hour) {
		struct tm tm = tm_of(f);

		tm.tm_min = tm.tm_sec = 0;
		t->hour_s = (int64_t)mktime(&tm);
		t->hour = hour;
	}
	return t->hour_s + f->minute * 60 + f->second;
}

/* "Z", "+0100" or "+01:00": how many seconds are to be taken away. */
static bool
zone(const char *p, size_t len, int64_t *out_s)
{
	int hours, minutes = 0;

	if (len >= 1 && p[0] == 'Z') {
		*out_s = 0;
		return true;
	}
	if (len < 5 || (p[0] != '+' && p[0] != '-') || !digits(p + 1, 2, &hours))
		return false;
	if (p[3] == ':' ? len < 6 || !digits(p + 4, 2, &minutes) : !digits(p + 3, 2, &minutes))
		return false;
	*out_s = (hours * 3600 + minutes * 60) * (p[0] == '+' ? 1 : -1);
	return true;
}

/* "2026-11-26T12:00:00...": 1, or 0. */
static int
with_year(struct log_time *t, const char *line, size_t len, int64_t *out_s)
{
	struct fields f;
	size_t at = 19;
	int64_t offset_s;
	struct tm tm;
	bool exim;

	if (len < at || !digits(line, 4, &f.year) || line[4] != '-' || !digits(line + 5, 2, &f.month) ||
		line[7] != '-' || !digits(line + 8, 2, &f.day) || !is_date(&f) ||
		(line[10] != 'T' && line[10] != ' ') || !clock_time(line + 11, &f))
		return 0;
	exim = line[10] == ' ';
	if (at < len && (line[at] == '.' || line[at] == ','))
		for (at++; at < len && str_is_digit(line[at]);)
			at++;
	if (exim && at < len && line[at] == ' ')
		at++;
	if (!zone(line + at, len - at, &offset_s)) {
		*out_s = local_of(t, &f);
		return 1;
	}
	tm = tm_of(&f);
	*out_s = (int64_t)timegm(&tm) - offset_s;
	return 1;
}

/* "Nov  6 12:00:00": of the last year in which it is not in the future. */
static int
without_year(struct log_time *t, const char *line, size_t len, int64_t *out_s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct fields f;

	if (len < 15 || line[3] != ' ' || line[6] != ' ' || !clock_time(line + 7, &f))
		return 0;
	for (f.month = 1; f.month <= 12; f.month++)
		if (memcmp(months + 3 * (f.month - 1), line, 3) == 0)
			break;
	if (f.month > 12 || (line[4] == ' ' ? !digits(line + 5, 1, &f.day) : !digits(line + 4, 2, &f.day)))
		return 0;
	f.year = t->latest_year - (in_year(&f) > t->latest_in_year);
	for (int back = 0; !is_date(&f); back++, f.year--)
		if (back == YEARS_BACK)
			return 0;
	*out_s = local_of(t, &f);
	return 1;
}

int
log_time_parse(struct log_time *t, const char *line, size_t len, int64_t *out_s)
{
	int rc = len > 0 && str_is_digit(line[0]) ? with_year(t, line, len, out_s)
						  : without_year(t, line, len, out_s);

	return rc > 0 && clock_has_text(*out_s);
}

char *
log_time_load_zone(void)
{
	const char *tz = getenv("TZ");

	tzset();
	return xstrdup(tz != NULL ? tz : "/etc/localtime");
}

void
log_time_keep_zone(const char *zone)
{
	/* A name that is the one before is not looked for again, in glibc and in musl. */
	(void)setenv("TZ", zone, 1);
}

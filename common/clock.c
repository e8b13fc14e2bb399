#include "common/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/error.h"
#include "common/str.h"

int
clock_from_env(struct clock *clock, struct error *err)
{
	const char *text = getenv("PRELOAD25_NOW");

	*clock = (struct clock){0};
	if (text == NULL || text[0] == '\0')
		return 0;
	if (clock_parse(text, strlen(text), &clock->fixed_s) < 0)
		return error_set(err, ERROR_CONFIG,
			"PRELOAD25_NOW: \"%s\" is not a time like 2026-11-23T12:00:00Z", text);
	clock->fixed = true;
	return 0;
}

struct clock
clock_fixed(int64_t now_s)
{
	return (struct clock){.fixed = true, .fixed_s = now_s};
}

int64_t
clock_now(const struct clock *clock)
{
	return clock->fixed ? clock->fixed_s : (int64_t)time(NULL);
}

int
clock_parse(const char *text, size_t len, int64_t *out_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm tm = {0};
	struct tm check;
	int field[6] = {0};
	int f = 0;
	time_t t;

	if (len != sizeof(form) - 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (form[i] == 'd') {
			if (!str_is_digit((unsigned char)text[i]))
				return -1;
			field[f] = field[f] * 10 + (text[i] - '0');
		} else {
			if (text[i] != form[i])
				return -1;
			f++;
		}
	}
	if (field[0] < 1970)
		return -1;
	tm.tm_year = field[0] - 1900;
	tm.tm_mon = field[1] - 1;
	tm.tm_mday = field[2];
	tm.tm_hour = field[3];
	tm.tm_min = field[4];
	tm.tm_sec = field[5];
	check = tm;
	t = timegm(&tm);
	/* timegm() normalises 31 February and 24:60:60; a changed field means there is no such
	 * time. */
	if (tm.tm_mon != check.tm_mon || tm.tm_mday != check.tm_mday ||
		tm.tm_hour != check.tm_hour || tm.tm_min != check.tm_min ||
		tm.tm_sec != check.tm_sec)
		return -1;
	*out_s = (int64_t)t;
	return 0;
}

bool
clock_has_text(int64_t time_s)
{
	return time_s >= 0 && time_s <= CLOCK_MAX_S;
}

void
clock_format(int64_t time_s, char out[static CLOCK_TEXT_SIZE])
{
	time_t t = (time_t)time_s;
	struct tm tm;
	size_t n;

	assert(clock_has_text(time_s));
	if (gmtime_r(&t, &tm) == NULL)
		abort();
	n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	assert(n == CLOCK_TEXT_SIZE - 1);
}

int64_t
clock_monotonic_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		abort();
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	if (left_ms <= 0)
		return 0;
	return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

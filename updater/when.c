#include "updater/when.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

const char *
when_span(int64_t seconds, char out[static WHEN_SPAN_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{CLOCK_DAY_S, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	size_t i = 0;
	int64_t n;

	while (i + 1 < ARRAY_LEN(units) && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	(void)snprintf(
		out, WHEN_SPAN_SIZE, "%" PRId64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
	return out;
}

const char *
when(int64_t time_s, int64_t now_s, char out[static WHEN_SIZE])
{
	char text[CLOCK_TEXT_SIZE], span[WHEN_SPAN_SIZE];

	if (time_s <= 0) {
		(void)snprintf(out, WHEN_SIZE, "never");
		return out;
	}
	clock_format(time_s, text);
	if (time_s > now_s)
		(void)snprintf(out, WHEN_SIZE, "%s (in %s)", text, when_span(time_s - now_s, span));
	else if (time_s < now_s)
		(void)snprintf(
			out, WHEN_SIZE, "%s (%s ago)", text, when_span(now_s - time_s, span));
	else
		(void)snprintf(out, WHEN_SIZE, "%s (now)", text);
	return out;
}

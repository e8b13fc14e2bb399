#include "updater/when.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

const char *
when(int64_t time_s, int64_t now_s, char out[static WHEN_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int64_t distance = time_s > now_s ? time_s - now_s : now_s - time_s;
	char text[CLOCK_TEXT_SIZE];

	if (time_s <= 0) {
		(void)snprintf(out, WHEN_SIZE, "never");
		return out;
	}
	clock_format(time_s, text);
	(void)snprintf(out, WHEN_SIZE, "%s (now)", text);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = distance / units[i].seconds;

		if (n > 0) {
			(void)snprintf(out, WHEN_SIZE, "%s (%s%" PRId64 " %s%s%s)", text,
				time_s > now_s ? "in " : "", n, units[i].name, n > 1 ? "s" : "",
				time_s > now_s ? "" : " ago");
			break;
		}
	}
	return out;
}

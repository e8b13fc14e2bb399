#include "builder/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

bool
terminal_colour(FILE *f)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fileno(f)) && (no_color == NULL || no_color[0] == '\0');
}

int
terminal_width(FILE *f)
{
	struct winsize size;

	if (ioctl(fileno(f), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

void
terminal_time(int64_t time_s, char out[static TERMINAL_TIME_SIZE])
{
	char text[CLOCK_TEXT_SIZE];

	if (time_s == 0) {
		(void)snprintf(out, TERMINAL_TIME_SIZE, "never");
		return;
	}
	clock_format(time_s, text);
	(void)snprintf(out, TERMINAL_TIME_SIZE, "%.10s %.8s UTC", text, text + 11);
}

void
terminal_span(int64_t span_s, char out[static TERMINAL_SPAN_SIZE])
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"d", CLOCK_DAY_S}, {"h", 3600}, {"min", 60}, {"s", 1}};
	size_t i = 0;
	int64_t rest;

	if (span_s < 0)
		span_s = 0;
	while (i < ARRAY_LEN(units) - 1 && span_s < units[i].seconds)
		i++;
	rest = i + 1 < ARRAY_LEN(units) ? span_s % units[i].seconds / units[i + 1].seconds : 0;
	if (rest > 0)
		(void)snprintf(out, TERMINAL_SPAN_SIZE, "%" PRId64 " %s %" PRId64 " %s",
			span_s / units[i].seconds, units[i].unit, rest, units[i + 1].unit);
	else
		(void)snprintf(out, TERMINAL_SPAN_SIZE, "%" PRId64 " %s", span_s / units[i].seconds,
			units[i].unit);
}

const char *
terminal_noun(int64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

int
terminal_domain(const char *typed, bool allow_special_use, char **out, struct error *err)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	char ascii[DOMAIN_NAME_SIZE];
	int rc = 0;

	*out = NULL;
	finding_list_init(&findings, arena);
	if (domain_name_parse(typed, strlen(typed), allow_special_use, &findings, ascii) == 0) {
		*out = xstrdup(ascii);
	} else {
		const struct finding *f = finding_list_first_fail(&findings);

		rc = error_set(err, ERROR_INPUT, "%.100s: %s", typed[0] != '\0' ? typed : "DOMAIN",
			f != NULL ? f->message : "is no domain");
	}
	arena_free(arena);
	return rc;
}

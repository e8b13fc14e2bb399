#include "updater/health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "updater/job.h"
#include "updater/map.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/when.h"

/* Exit codes of the job, as state.json keeps them. */
#define CODE_NO       1
#define CODE_CONFIG   2
#define CODE_SECURITY 4
/* The sentinel's value is a number. */
#define VERSION_TEXT_MAX 20

const char *
health_name(enum health_level level)
{
	switch (level) {
	case HEALTH_OK:
		return "OK";
	case HEALTH_WARNING:
		return "WARNING";
	case HEALTH_CRITICAL:
		return "CRITICAL";
	case HEALTH_UNKNOWN:
		break;
	}
	return "UNKNOWN";
}

static void settle(struct health *h, enum health_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void
settle(struct health *h, enum health_level level, const char *fmt, ...)
{
	char raw[sizeof(h->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	/* What the last run said was read from a file. */
	str_escape_controls(raw, strlen(raw), h->text, sizeof(h->text));
	h->level = level;
}

/* The map on the disk, which may be another one than the job has left there. Whether it is sound.
 */
static bool
judge_map(const struct update_settings *s, const struct state *state, struct health *h)
{
	const char *path = state->map.path;
	struct error why = {0};
	char want[VERSION_TEXT_MAX + 1];
	struct buf value;
	int rc;

	if (access(path, R_OK) < 0) {
		if (errno == ENOENT)
			settle(h, HEALTH_CRITICAL, "%s is missing: all mail waits", path);
		else
			settle(h, HEALTH_UNKNOWN, "%s: %s", path, strerror(errno));
		return false;
	}
	(void)snprintf(want, sizeof(want), "%" PRId64, state->map.version);
	buf_init(&value, VERSION_TEXT_MAX);
	rc = map_find(s->kind, path, MAP_SENTINEL, &value, &why);
	if (rc <= 0 || strcmp(buf_str(&value), want) != 0)
		settle(h, HEALTH_CRITICAL,
			"%s does not answer for list %s: it is damaged, or not ours", path, want);
	buf_clear(&value);
	return h->level == HEALTH_OK;
}

/* What the last run has left behind. */
static bool
judge_last_run(const struct state *state, struct health *h)
{
	const char *said = state->last_error != NULL ? state->last_error : "it says nothing";

	if (state->last_code == CODE_SECURITY)
		settle(h, HEALTH_CRITICAL, "the last run: %s", said);
	else if (state->last_code == CODE_NO || state->last_code == CODE_CONFIG)
		settle(h, HEALTH_WARNING, "the last run: %s", said);
	return h->level == HEALTH_OK;
}

void
health_judge(
	const struct update_settings *s, const struct state *state, int64_t now_s, struct health *h)
{
	const struct state_list *l = &state->sources[0].list;
	char text[CLOCK_TEXT_SIZE], left[WHEN_SPAN_SIZE], age[WHEN_SPAN_SIZE];
	int64_t since_s = now_s - state->last_success_s;
	bool reports = s->report_only && l->version > 0 && state->map.path == NULL;

	h->level = HEALTH_OK;
	if (state->map.path == NULL && !reports) {
		settle(h, HEALTH_CRITICAL, "no list is installed%s%s",
			state->last_error != NULL ? "; the last run: " : "",
			state->last_error != NULL ? state->last_error : "");
		return;
	}
	if (!reports && !judge_map(s, state, h))
		return;
	if (l->expires_s <= now_s) {
		clock_format(l->expires_s, text);
		settle(h, HEALTH_CRITICAL, "list %" PRId64 " has expired (%s)", l->version, text);
		return;
	}
	if (!judge_last_run(state, h))
		return;
	if (l->expires_s - now_s < s->monitor_expires_s)
		settle(h, HEALTH_WARNING,
			"list %" PRId64 " expires in %s, and there is no newer one", l->version,
			when_span(l->expires_s - now_s, left));
	else if (since_s > s->monitor_success_s)
		settle(h, HEALTH_WARNING, "no run has succeeded for %s%s%s", when_span(since_s, age),
			state->last_code != 0 ? "; the last one: " : "",
			state->last_code != 0 && state->last_error != NULL ? state->last_error
									   : "");
	else if (reports)
		settle(h, HEALTH_OK,
			"report-only: nothing is enforced; list %" PRId64 ", %s old, expires in %s",
			l->version, when_span(now_s > l->timestamp_s ? now_s - l->timestamp_s : 0, age),
			when_span(l->expires_s - now_s, left));
	else if (state->map.version != l->version)
		settle(h, HEALTH_WARNING, "list %" PRId64 " was accepted, but is not installed yet",
			l->version);
	else
		settle(h, HEALTH_OK, "list %" PRId64 ", %s old, expires in %s, %" PRId64 " entries",
			l->version, when_span(now_s > l->timestamp_s ? now_s - l->timestamp_s : 0, age),
			when_span(l->expires_s - now_s, left), state->map.lines);
}

/* 'label'=value[unit];[warning];[critical];[minimum]. "N:" is alert below N. */
static void
tell_figures(const struct update_settings *s, const struct state *state, int64_t now_s, FILE *out)
{
	const struct state_map *m = &state->map;
	int64_t left_out = 0;

	for (size_t i = 0; i < STATE_LEFT_COUNT; i++)
		left_out += state_left_count(m, &state_left[i]);
	fprintf(out, " | age=%" PRId64 "s entries=%" PRId64 ";;;0 left_out=%" PRId64 ";;;0",
		now_s - state->sources[0].list.timestamp_s, m->lines, left_out);
	fprintf(out, " expires=%" PRId64 "s;%" PRId64 ":;0:", state->sources[0].list.expires_s - now_s,
		s->monitor_expires_s);
	if (m->next_end_s != 0)
		fprintf(out, " next_end=%" PRId64 "s", m->next_end_s - now_s);
	if (state->last_success_s != 0)
		fprintf(out, " success=%" PRId64 "s;%" PRId64, now_s - state->last_success_s,
			s->monitor_success_s);
}

enum health_level
health_nagios(const struct update_settings *s, const struct error *config, int64_t now_s, FILE *out)
{
	struct health h = {.level = HEALTH_UNKNOWN};
	struct error why = {0};
	struct state state;

	state_init(&state);
	if (config != NULL) {
		settle(&h, HEALTH_UNKNOWN, "%s", config->text);
	} else {
		if (job_load_state(s, &state, &why) < 0)
			settle(&h, HEALTH_UNKNOWN, "%s", why.text);
		else
			health_judge(s, &state, now_s, &h);
	}
	/* What stands behind the first bar is read as figures. */
	for (char *bar = h.text; (bar = strchr(bar, '|')) != NULL;)
		*bar = '/';
	fprintf(out, "PRELOAD25 %s - %s", health_name(h.level), h.text);
	if (state.map.path != NULL)
		tell_figures(s, &state, now_s, out);
	fputc('\n', out);
	state_clear(&state);
	return h.level;
}

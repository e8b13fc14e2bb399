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
#include "updater/list_set.h"
#include "updater/map.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/when.h"

/* Exit codes of the job, as state.json keeps them. */
#define CODE_NO       1
#define CODE_CONFIG   2
#define CODE_SECURITY 4

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
	char want[STATE_SERIAL_SIZE];
	struct buf value;
	int rc;

	if (access(path, R_OK) < 0) {
		if (errno == ENOENT)
			settle(h, HEALTH_CRITICAL, "%s is missing: all mail waits", path);
		else
			settle(h, HEALTH_UNKNOWN, "%s: %s", path, strerror(errno));
		return false;
	}
	state_serial(&state->map, want);
	buf_init(&value, STATE_SERIAL_SIZE);
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

/* "extra: ": which source, where there are several. */
static const char *
prefix_of(const struct update_settings *s, size_t i, char text[static SOURCE_NAME_SIZE + 2])
{
	text[0] = '\0';
	if (s->source_count > 1)
		(void)snprintf(text, SOURCE_NAME_SIZE + 2, "%s: ", s->sources[i].name);
	return text;
}

/* Those that have expired, or soon do: of several the one that does first. */
static bool
judge_expiry(const struct update_settings *s, const struct state *state, int64_t now_s, bool soon,
	struct health *h)
{
	char text[CLOCK_TEXT_SIZE], left[WHEN_SPAN_SIZE], name[SOURCE_NAME_SIZE + 2];
	const struct state_list *first = NULL;
	size_t from = 0;

	for (size_t i = 0; i < state->source_count; i++) {
		const struct state_list *l = &state->sources[i].list;

		/* One of several may have none yet. */
		if (l->version == 0 && s->source_count > 1)
			continue;
		if (first == NULL || l->expires_s < first->expires_s) {
			first = l;
			from = i;
		}
	}
	if (first == NULL)
		return true;
	if (first->expires_s <= now_s) {
		clock_format(first->expires_s, text);
		settle(h, HEALTH_CRITICAL, "%slist %" PRId64 " has expired (%s)",
			prefix_of(s, from, name), first->version, text);
	} else if (soon && first->expires_s - now_s < s->monitor_expires_s) {
		settle(h, HEALTH_WARNING,
			"%slist %" PRId64 " expires in %s, and there is no newer one",
			prefix_of(s, from, name), first->version,
			when_span(first->expires_s - now_s, left));
	}
	return h->level == HEALTH_OK;
}

/* A source that does not answer, while others do: the run as a whole may have failed for another one. */
static bool
judge_sources(const struct update_settings *s, const struct state *state, int64_t now_s, struct health *h)
{
	char age[WHEN_SPAN_SIZE];

	for (size_t i = 0; s->source_count > 1 && i < state->source_count; i++) {
		const struct state_source *source = &state->sources[i];
		int64_t since_s = now_s - source->trouble_s;

		if (source->trouble == NULL || since_s <= s->monitor_success_s)
			continue;
		settle(h, HEALTH_WARNING, "%s: no run has succeeded for %s: %s", source->name,
			when_span(since_s, age), source->trouble);
		break;
	}
	return h->level == HEALTH_OK;
}

/* Whether the map is of the lists that count. */
static bool
is_current(const struct update_settings *s, const struct state *state)
{
	struct list_set present;
	char digest[65];

	if (s->source_count == 1)
		return state->map.version == state->sources[0].list.version;
	list_set_present(s, state, &present);
	list_set_digest(&present, digest);
	return strcmp(digest, state->map.sha256) == 0;
}

/* Of several lists it is not known which are in the map. */
static void
tell_not_current(const struct update_settings *s, const struct state *state, struct health *h)
{
	struct list_set present;
	struct buf text;

	if (s->source_count == 1) {
		settle(h, HEALTH_WARNING, "list %" PRId64 " was accepted, but is not installed yet",
			state->sources[0].list.version);
		return;
	}
	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_present(s, state, &present);
	list_set_format(&present, &text);
	settle(h, HEALTH_WARNING, "the map is not yet of what counts now: %s", buf_str(&text));
	buf_clear(&text);
}

/* All is well: the list, or the lists, how old the oldest is, and when the first expires. */
static void
tell_well(const struct update_settings *s, const struct state *state, bool reports, int64_t now_s,
	struct health *h)
{
	char left[WHEN_SPAN_SIZE], age[WHEN_SPAN_SIZE], lines[40] = "";
	int64_t timestamp_s = INT64_MAX, expires_s = INT64_MAX;
	struct list_set present;
	struct buf text;

	for (size_t i = 0; i < state->source_count; i++) {
		const struct state_list *l = &state->sources[i].list;

		if (l->version == 0)
			continue;
		if (l->timestamp_s < timestamp_s)
			timestamp_s = l->timestamp_s;
		if (l->expires_s < expires_s)
			expires_s = l->expires_s;
	}
	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_present(s, state, &present);
	/* One whose file is damaged has its version still. */
	if (s->source_count == 1)
		buf_addf(&text, "list %" PRId64, state->sources[0].list.version);
	else
		list_set_format(&present, &text);
	if (!reports)
		(void)snprintf(lines, sizeof(lines), ", %" PRId64 " entries", state->map.lines);
	settle(h, HEALTH_OK, "%s%s, %s old, expires in %s%s",
		reports ? "report-only: nothing is enforced; " : "", buf_str(&text),
		when_span(now_s > timestamp_s ? now_s - timestamp_s : 0, age),
		when_span(expires_s - now_s, left), lines);
	buf_clear(&text);
}

void
health_judge(
	const struct update_settings *s, const struct state *state, int64_t now_s, struct health *h)
{
	char age[WHEN_SPAN_SIZE];
	int64_t since_s = now_s - state->last_success_s;
	bool reports = report_is_all(s, state);

	h->level = HEALTH_OK;
	if (state->map.path == NULL && !reports) {
		settle(h, HEALTH_CRITICAL, "no list is installed%s%s",
			state->last_error != NULL ? "; the last run: " : "",
			state->last_error != NULL ? state->last_error : "");
		return;
	}
	if ((!reports && !judge_map(s, state, h)) || !judge_expiry(s, state, now_s, false, h) ||
		!judge_last_run(state, h) || !judge_expiry(s, state, now_s, true, h))
		return;
	if (since_s > s->monitor_success_s && judge_sources(s, state, now_s, h))
		settle(h, HEALTH_WARNING, "no run has succeeded for %s%s%s", when_span(since_s, age),
			state->last_code != 0 ? "; the last one: " : "",
			state->last_code != 0 && state->last_error != NULL ? state->last_error
									   : "");
	else if (h->level == HEALTH_OK && !reports && !is_current(s, state))
		tell_not_current(s, state, h);
	else if (h->level == HEALTH_OK)
		tell_well(s, state, reports, now_s, h);
}

/* 'label'=value[unit];[warning];[critical];[minimum]. "N:" is alert below N. */
static void
tell_figures(const struct update_settings *s, const struct state *state, int64_t now_s, FILE *out)
{
	const struct state_list *first = &state->sources[0].list;
	const struct state_map *m = &state->map;
	int64_t left_out = 0;

	for (size_t i = 0; i < STATE_LEFT_COUNT; i++)
		left_out += state_left_count(m, &state_left[i]);
	fprintf(out, " |");
	if (first->version > 0)
		fprintf(out, " age=%" PRId64 "s", now_s - first->timestamp_s);
	fprintf(out, " entries=%" PRId64 ";;;0 left_out=%" PRId64 ";;;0", m->lines, left_out);
	if (first->version > 0)
		fprintf(out, " expires=%" PRId64 "s;%" PRId64 ":;0:", first->expires_s - now_s,
			s->monitor_expires_s);
	for (size_t i = 1; i < state->source_count; i++) {
		const struct state_source *source = &state->sources[i];

		if (source->list.version > 0)
			fprintf(out, " age_%s=%" PRId64 "s expires_%s=%" PRId64 "s;%" PRId64 ":;0:",
				source->name, now_s - source->list.timestamp_s, source->name,
				source->list.expires_s - now_s, s->monitor_expires_s);
	}
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

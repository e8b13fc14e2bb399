#include "updater/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "updater/health.h"
#include "updater/job.h"
#include "updater/list_set.h"
#include "updater/mta.h"
#include "updater/report_fetch.h"
#include "updater/report_rules.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/tally.h"
#include "updater/undo.h"
#include "updater/when.h"

#define INDENT "             "
/* Octets of "status --json". */
#define STATUS_MAX ((size_t)64 * 1024)

int
report_nothing_installed(const struct state *state, struct error *err)
{
	if (state->last_error != NULL)
		error_set(err, ERROR_CONFIG, "no list is installed; the last run said: %s",
			state->last_error);
	else
		error_set(err, ERROR_CONFIG, "no list is installed: run preload25-update");
	return 1;
}

bool
report_is_all(const struct update_settings *s, const struct state *state)
{
	bool some = false;

	for (size_t i = 0; i < state->source_count; i++)
		some = some || state->sources[i].list.version > 0;
	return s->report_only && state->map.path == NULL && some;
}

/* --- status -------------------------------------------------------------------------------------
 */

static void
tell_map(const struct update_settings *s, const struct state_map *m, int64_t now_s, FILE *out)
{
	char text[WHEN_SIZE];

	fprintf(out, "map          %s, since %s\n", m->path, when(m->since_s, now_s, text));
	fprintf(out, "entries      %" PRId64 " enforced", m->lines);
	if (m->lines_dane > 0)
		fprintf(out, ", %" PRId64 " of them by DANE", m->lines_dane);
	if (m->lines_pinned > 0)
		fprintf(out, ",\n             %" PRId64
			" of them pinned to the one server that they name", m->lines_pinned);
	if (m->lines_wider > 0 && s->mta->wider != NULL)
		fprintf(out, ",\n             %" PRId64 " of them %s", m->lines_wider,
			s->mta->wider);
	fputc('\n', out);
	for (size_t i = 0; i < STATE_LEFT_COUNT; i++)
		if (state_left_count(m, &state_left[i]) > 0)
			fprintf(out, "left out     %" PRId64 " %s\n",
				state_left_count(m, &state_left[i]), state_left[i].why);
	if (m->next_end_s != 0)
		fprintf(out, "next end     %s\n", when(m->next_end_s, now_s, text));
}

static void
tell_mail(const struct update_settings *s, FILE *out)
{
	struct tally tally;

	if (tally_look(s, &tally) > 0)
		tally_tell(&tally, out);
	tally_clear(&tally);
}

/* How the list of one of several sources has fared. */
static void
tell_source(const struct update_settings *s, const struct state *state, size_t i, int64_t now_s, FILE *out)
{
	const struct source_settings *settings = &s->sources[i];
	const struct state_source *source = &state->sources[i];
	char text[WHEN_SIZE];

	if (source->list.version > 0)
		fprintf(out, "list         %" PRId64 " of %s (%s", source->list.version,
			when(source->list.timestamp_s, now_s, text), settings->name);
	else
		fprintf(out, "list         none (%s", settings->name);
	if (settings->trust != TRUST_ENFORCE)
		fprintf(out, ", trust = %s", trust_name(settings->trust));
	fprintf(out, ")\n");
	if (source->list.version > 0)
		fprintf(out, "expires      %s\n", when(source->list.expires_s, now_s, text));
	if (state->map.path != NULL && source->list.version > 0) {
		fprintf(out, INDENT "%" PRId64 " entries, %" PRId64 " enforced", source->entries,
			source->lines);
		if (source->behind > 0)
			fprintf(out, ", %" PRId64 " behind other lists", source->behind);
		if (source->untrusted > 0)
			fprintf(out, ", %" PRId64 " for domains that it is not trusted for",
				source->untrusted);
		fputc('\n', out);
	}
	report_fetch(s, i, now_s, out);
	if (source->undone[0] != '\0')
		fprintf(out, INDENT "a list was undone by hand: a newer one than that is waited for\n");
	if (source->trouble != NULL)
		fprintf(out, INDENT "trouble since %s: %s\n", when(source->trouble_s, now_s, text),
			source->trouble);
}

static void
tell_lists(const struct update_settings *s, const struct state *state, int64_t now_s, FILE *out)
{
	const struct state_list *l = &state->sources[0].list;
	char text[WHEN_SIZE];

	for (size_t i = 0; s->source_count > 1 && i < state->source_count; i++)
		tell_source(s, state, i, now_s, out);
	if (s->source_count > 1)
		return;
	fprintf(out, "list         %" PRId64 " of %s\n",
		report_is_all(s, state) ? l->version : state->map.version,
		when(l->timestamp_s, now_s, text));
	fprintf(out, "expires      %s\n", when(l->expires_s, now_s, text));
	if (s->sources[0].trust != TRUST_ENFORCE)
		fprintf(out, INDENT "trust = %s\n", trust_name(s->sources[0].trust));
}

/* What undo would do. */
static void
tell_undo(const struct update_settings *s, const struct state *state, FILE *out)
{
	const size_t steps = undo_steps(s, state);
	struct error ignored = {0};
	struct list_set back;
	struct buf text;
	size_t index;

	if (undo_find(s, state, 0, false, &index, &ignored) != 0)
		return;
	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_of_generation(s, &state->generations[index], &back);
	list_set_format(&back, &text);
	fprintf(out, "undo         goes back to %s", buf_str(&text));
	if (steps > 1)
		fprintf(out, ", and can do so %zu times", steps);
	fputc('\n', out);
	buf_clear(&text);
}

/* Lists that count, and that the map is not made of. */
static void
tell_missing(const struct update_settings *s, const struct state *state, FILE *out)
{
	const struct state_list *l = &state->sources[0].list;
	struct list_set present;
	char digest[65];

	list_set_present(s, state, &present);
	list_set_digest(&present, digest);
	if (report_is_all(s, state) || strcmp(digest, state->map.sha256) == 0)
		return;
	if (s->source_count > 1)
		fprintf(out, "warning      the map is of other lists than these: the next run of "
			     "preload25-update makes it anew\n");
	else if (state->map.version != l->version)
		fprintf(out,
			"warning      list %" PRId64 " was accepted, but is not installed yet\n",
			l->version);
}

/* -1: the administrator's rules cannot be read; the rest was told. */
static int
tell_status(const struct update_settings *s, const struct state *state, int64_t now_s, FILE *out,
	struct error *err)
{
	bool reports = report_is_all(s, state);
	char text[WHEN_SIZE];
	int rc = 0;

	tell_lists(s, state, now_s, out);
	if (reports) {
		fprintf(out, "mode         report-only: nothing is installed, and nothing enforced\n");
	} else {
		tell_map(s, &state->map, now_s, out);
		rc = report_rules_status(s, &state->map, now_s, out, err);
	}
	tell_mail(s, out);
	fprintf(out, "last success %s\n", when(state->last_success_s, now_s, text));
	if (s->source_count == 1)
		report_fetch(s, 0, now_s, out);
	if (state->last_error != NULL)
		fprintf(out, "last error   %s: exit code %d: %s\n",
			when(state->last_error_s, now_s, text), state->last_error_code,
			state->last_error);
	tell_undo(s, state, out);
	if (s->source_count == 1 && state->sources[0].undone[0] != '\0')
		fprintf(out,
			"undone       by hand: a newer list than that one is waited for\n");
	tell_missing(s, state, out);
	return rc;
}

/* What status exits with, told in whatever form. */
static int
status_answer(const struct update_settings *s, const struct state *state, int64_t now_s,
	struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (!report_is_all(s, state) && (state->map.path == NULL || !file_exists(state->map.path)))
		return report_nothing_installed(state, err);
	for (size_t i = 0; i < state->source_count; i++) {
		const struct state_list *l = &state->sources[i].list;

		/* One of several may have none yet. */
		if (l->expires_s > now_s || (l->version == 0 && s->source_count > 1))
			continue;
		clock_format(l->expires_s, text);
		error_set(err, ERROR_EXPIRED, "%s list %" PRId64 " has expired (%s)",
			report_is_all(s, state) ? "the" : "the installed", l->version, text);
		return s->source_count > 1 ? error_prefix(err, "%s", s->sources[i].name) : -1;
	}
	return 0;
}

int
report_status(const struct update_settings *s, int64_t now_s, FILE *out, struct error *err)
{
	struct error why = {0};
	struct state state;
	int rc;

	if (job_load_state(s, &state, err) < 0)
		return -1;
	rc = status_answer(s, &state, now_s, err);
	if (rc <= 0 && tell_status(s, &state, now_s, out, &why) < 0 && rc == 0) {
		*err = why;
		rc = -1;
	}
	state_clear(&state);
	return rc;
}

static json_t *
json_map(const struct state_map *m)
{
	json_t *map, *left;

	if (m->path == NULL)
		return json_null();
	map = json_object();
	left = json_object();
	json_object_set_new(map, "path", json_text(m->path, NULL));
	json_object_set_new(map, "version", json_integer(m->version));
	json_object_set_new(map, "since", json_time(m->since_s));
	json_object_set_new(map, "entries", json_integer(m->lines));
	json_object_set_new(map, "entries_dane", json_integer(m->lines_dane));
	json_object_set_new(map, "entries_wider", json_integer(m->lines_wider));
	json_object_set_new(map, "entries_pinned", json_integer(m->lines_pinned));
	json_object_set_new(map, "entries_added", json_integer(m->lines_added));
	json_object_set_new(map, "entries_early", json_integer(m->lines_early));
	for (size_t i = 0; i < STATE_LEFT_COUNT; i++)
		json_object_set_new(left, state_left[i].name,
			json_integer(state_left_count(m, &state_left[i])));
	json_object_set_new(map, "left_out", left);
	json_object_set_new(map, "next_end", json_time(m->next_end_s));
	return map;
}

static json_t *
json_list(const struct state_list *l)
{
	json_t *list;

	if (l->version <= 0)
		return json_null();
	list = json_object();
	json_object_set_new(list, "version", json_integer(l->version));
	json_object_set_new(list, "timestamp", json_time(l->timestamp_s));
	json_object_set_new(list, "expires", json_time(l->expires_s));
	return list;
}

static json_t *
json_sources(const struct update_settings *s, const struct state *state)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->source_count; i++) {
		const struct state_source *source = &state->sources[i];
		json_t *one = json_object();

		json_object_set_new(one, "name", json_string(s->sources[i].name));
		json_object_set_new(one, "trust", json_string(trust_name(s->sources[i].trust)));
		json_object_set_new(one, "list", json_list(&source->list));
		json_object_set_new(one, "entries", json_integer(source->entries));
		json_object_set_new(one, "enforced", json_integer(source->lines));
		json_object_set_new(one, "behind", json_integer(source->behind));
		json_object_set_new(one, "untrusted", json_integer(source->untrusted));
		json_object_set_new(one, "undone", json_boolean(source->undone[0] != '\0'));
		json_object_set_new(one, "last_success", json_time(source->success_s));
		json_object_set_new(one, "last_fetch", report_fetch_json(s, i));
		json_object_set_new(one, "trouble",
			source->trouble != NULL ? json_text(source->trouble, NULL) : json_null());
		json_array_append_new(all, one);
	}
	return all;
}

static json_t *
json_last_error(const struct state *state)
{
	json_t *last;

	if (state->last_error == NULL)
		return json_null();
	last = json_object();
	json_object_set_new(last, "time", json_time(state->last_error_s));
	json_object_set_new(last, "exit_code", json_integer(state->last_error_code));
	json_object_set_new(last, "text", json_text(state->last_error, NULL));
	return last;
}

/* The sums only; domains are for stats. */
static json_t *
json_mail(const struct update_settings *s)
{
	struct tally tally;
	json_t *mail = NULL;

	if (tally_look(s, &tally) > 0) {
		mail = tally_json(&tally);
		(void)json_object_del(mail, "by_domain");
	}
	tally_clear(&tally);
	return mail != NULL ? mail : json_null();
}

int
report_status_json(const struct update_settings *s, int64_t now_s, FILE *out, struct error *err)
{
	struct state state;
	struct health health;
	struct buf text;
	json_t *doc;
	int rc;

	if (job_load_state(s, &state, err) < 0)
		return -1;
	health_judge(s, &state, now_s, &health);
	doc = json_object();
	json_object_set_new(doc, "mail", json_mail(s));
	json_object_set_new(doc, "report_only", json_boolean(s->report_only));
	json_object_set_new(doc, "health", json_string(health_name(health.level)));
	json_object_set_new(doc, "message", json_text(health.text, NULL));
	json_object_set_new(doc, "mta", json_string(s->mta->name));
	json_object_set_new(doc, "list", json_list(&state.sources[0].list));
	json_object_set_new(doc, "sources", json_sources(s, &state));
	json_object_set_new(doc, "undo_steps", json_integer((json_int_t)undo_steps(s, &state)));
	json_object_set_new(doc, "map", json_map(&state.map));
	json_object_set_new(doc, "last_run", json_time(state.last_run_s));
	json_object_set_new(doc, "last_success", json_time(state.last_success_s));
	json_object_set_new(doc, "last_fetch", report_fetch_json(s, 0));
	json_object_set_new(doc, "last_exit_code", json_integer(state.last_code));
	json_object_set_new(doc, "last_error", json_last_error(&state));
	buf_init(&text, STATUS_MAX);
	rc = json_compact(doc, &text, err);
	if (rc == 0) {
		fprintf(out, "%s\n", buf_str(&text));
		rc = status_answer(s, &state, now_s, err);
	}
	buf_clear(&text);
	json_decref(doc);
	state_clear(&state);
	return rc;
}

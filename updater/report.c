#include "updater/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/health.h"
#include "updater/job.h"
#include "updater/list_fetch.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/pins.h"
#include "updater/render.h"
#include "updater/report_fetch.h"
#include "updater/report_rules.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/tally.h"
#include "updater/tuf_client.h"
#include "updater/typed_domain.h"
#include "updater/when.h"

/* Octets of "status --json". */
#define STATUS_MAX ((size_t)64 * 1024)

static int
nothing_installed(const struct state *state, struct error *err)
{
	if (state->last_error != NULL)
		error_set(err, ERROR_CONFIG, "no list is installed; the last run said: %s",
			state->last_error);
	else
		error_set(err, ERROR_CONFIG, "no list is installed: run preload25-update");
	return 1;
}

/* A list is here, and no map is to be made of it. */
static bool
only_reports(const struct update_settings *s, const struct state *state)
{
	return s->report_only && state->map.path == NULL && state->sources[0].list.version > 0;
}

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

/* -1: the administrator's rules cannot be read; the rest was told. */
static int
tell_status(const struct update_settings *s, const struct state *state, int64_t now_s, FILE *out,
	struct error *err)
{
	const struct state_list *l = &state->sources[0].list;
	const struct state_map *m = &state->map;
	bool reports = only_reports(s, state);
	char text[WHEN_SIZE];
	int rc = 0;

	fprintf(out, "list         %" PRId64 " of %s\n", reports ? l->version : m->version,
		when(l->timestamp_s, now_s, text));
	fprintf(out, "expires      %s\n", when(l->expires_s, now_s, text));
	if (reports) {
		fprintf(out, "mode         report-only: nothing is installed, and nothing enforced\n");
	} else {
		tell_map(s, m, now_s, out);
		rc = report_rules_status(s, m, now_s, out, err);
	}
	tell_mail(s, out);
	fprintf(out, "last success %s\n", when(state->last_success_s, now_s, text));
	report_fetch(s, 0, now_s, out);
	if (state->last_error != NULL)
		fprintf(out, "last error   %s: exit code %d: %s\n",
			when(state->last_error_s, now_s, text), state->last_error_code,
			state->last_error);
	if (state->sources[0].undone[0] != '\0')
		fprintf(out,
			"undone       by hand: a newer list than that one is waited for\n");
	if (!reports && m->version != l->version)
		fprintf(out,
			"warning      list %" PRId64 " was accepted, but is not installed yet\n",
			l->version);
	return rc;
}

/* What status exits with, told in whatever form. */
static int
status_answer(const struct update_settings *s, const struct state *state, int64_t now_s,
	struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (!only_reports(s, state) && (state->map.path == NULL || !file_exists(state->map.path)))
		return nothing_installed(state, err);
	if (state->sources[0].list.expires_s > now_s)
		return 0;
	clock_format(state->sources[0].list.expires_s, text);
	return error_set(err, ERROR_EXPIRED, "%s list %" PRId64 " has expired (%s)",
		only_reports(s, state) ? "the" : "the installed", state->sources[0].list.version, text);
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

/* --- explain ------------------------------------------------------------------------------------
 */

static void
tell_servers(const struct list_policy *p, FILE *out)
{
	fprintf(out, "servers      ");
	for (size_t i = 0; i < p->mxs_count; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", p->mxs[i]);
	fputc('\n', out);
}

static void
tell_entry(const struct list_header *header, const struct list_entry *e, int64_t now_s, FILE *out)
{
	const struct list_policy *p = &e->policy;
	char text[WHEN_SIZE];

	tell_servers(p, out);
	fprintf(out, "verified     %s%s%s, TLS %s or later\n", p->auth_dane ? "DANE" : "",
		p->auth_dane && p->auth_pkix ? " and " : "",
		p->auth_pkix ? "public certificate" : "", p->tls);
	fprintf(out, "asked for by %s\n",
		p->source == LIST_SOURCE_MTA_STS ? "its MTA-STS policy" : "its _preload25 record");
	fprintf(out, "list         %" PRId64 " of %s, by %s\n", header->version,
		when(header->timestamp_s, now_s, text), header->author);
	fprintf(out, "confirmed    %s, from %" PRId64 " place%s\n",
		when(e->confirmed_s != 0 ? e->confirmed_s : header->confirmed_since_s, now_s, text),
		header->vantages, header->vantages > 1 ? "s" : "");
	fprintf(out, "in force     until %s, unless confirmed again\n",
		when(list_entry_end(header, e), now_s, text));
}

/* What the installed map answers; list and rules only say what it should. */
static int
tell_rule(const struct update_settings *s, const struct state *state,
	const struct list_header *header, const struct overlay_entry *e, int64_t now_s, FILE *out,
	struct error *err)
{
	struct recipe recipe = {.dane = state->dane, .pin = s->pin};
	const struct render_options options = {.mta = s->mta, .recipe = &recipe, .now_s = now_s};
	const char *left = choice_why_left(render_choose(&options, header, e));
	const char *domain = e->entry.domain;
	char text[WHEN_SIZE];
	struct buf line, pin;
	int rc;

	if (only_reports(s, state)) {
		fprintf(out, "%s: listed, but nothing is enforced here (report-only)\n", domain);
		if (left != NULL)
			fprintf(out, "line         %s\n", left);
		return 0;
	}
	buf_init(&line, MTA_VALUE_MAX);
	buf_init(&pin, MTA_VALUE_MAX);
	rc = map_find(s->kind, s->map_file, domain, &line, err);
	if (rc > 0 && pins_find(s, domain, &pin, err) < 0)
		rc = -1;
	if (rc > 0) {
		fprintf(out, "%s: mail only over verified TLS\n", domain);
		fprintf(out, "line         %s %s\n", domain, buf_str(&line));
		if (left != NULL)
			fprintf(out, "             to go with the next run of preload25-update\n");
		if (pin.len > 0)
			fprintf(out, "pinned to    %s, whatever its MX records say\n", buf_str(&pin));
		fprintf(out, "map          %s, since %s\n", s->map_file,
			when(state->map.since_s, now_s, text));
	} else if (rc == 0) {
		fprintf(out, "%s: %s, but not enforced here\n", domain,
			e->listed ? "listed" : "added by you");
		fprintf(out, "line         %s\n",
			left != NULL ? left : "missing: the next run of preload25-update adds it");
	}
	buf_clear(&pin);
	buf_clear(&line);
	return rc < 0 ? -1 : 0;
}

static void
tell_added(const struct list_policy *p, FILE *out)
{
	tell_servers(p, out);
	fprintf(out, "verified     by %s\n",
		p->auth_dane && p->auth_pkix ? "DANE, or a public certificate"
			: p->auth_dane       ? "DANE"
					     : "a public certificate");
}

/* listed: the list's entry; NULL: it has none. */
static int
explain(const struct update_settings *s, const struct state *state, const struct rules *rules,
	const struct list_header *header, const struct list_entry *listed, const char *domain,
	int64_t now_s, FILE *out, struct error *err)
{
	const struct rule *idle;
	struct overlay_entry e;

	if (!overlay_decide(domain, listed, rules, now_s, &e)) {
		idle = report_rules_idle(rules, domain, now_s);
		if (idle != NULL)
			error_set(err, ERROR_CONFIG,
				"%s: not listed (list %" PRId64 "); %s:%" PRId64 " has no effect",
				domain, header->version, idle->file, idle->line);
		else
			error_set(err, ERROR_CONFIG, "%s: not listed (list %" PRId64 ")", domain,
				header->version);
		return 1;
	}
	if (tell_rule(s, state, header, &e, now_s, out, err) < 0)
		return -1;
	report_rules_winner(&e, listed, header, rules, now_s, out);
	if (e.kind == OVERLAY_ADDED)
		tell_added(&e.entry.policy, out);
	else if (listed != NULL)
		tell_entry(header, listed, now_s, out);
	return 0;
}

int
report_explain(const struct update_settings *s, const char *typed, int64_t now_s, FILE *out,
	struct error *err)
{
	struct list_reader *list = NULL;
	struct rules *rules = NULL;
	const struct list_entry *e;
	struct state state;
	char domain[TYPED_DOMAIN_SIZE];
	char *path = NULL;
	int rc = -1;

	if (typed_domain(typed, strlen(typed), domain, err) < 0 || job_load_state(s, &state, err) < 0)
		return -1;
	if ((state.map.path == NULL && !only_reports(s, &state)) || state.sources[0].list.sha256[0] == '\0') {
		rc = nothing_installed(&state, err);
		goto out;
	}
	path = source_list_path(s->state_dir, state.sources[0].list.sha256);
	if (rules_load(&s->rules, &rules, err) < 0 || list_reader_open(path, &list, err) < 0)
		goto out;
	rc = list_reader_find(list, domain, &e, err);
	if (rc >= 0)
		rc = explain(s, &state, rules, list_reader_header(list), rc > 0 ? e : NULL, domain,
			now_s, out, err);
out:
	list_reader_close(list);
	rules_free(rules);
	free(path);
	state_clear(&state);
	return rc;
}

/* --- verify -------------------------------------------------------------------------------------
 */

/* The layout, read to the end: what may follow from the hash, but is worth saying. */
static int
check_layout(const char *path, struct list_header *header, int64_t *entries, struct error *err)
{
	struct list_reader *list = NULL;
	const struct list_entry *e;
	int rc;

	if (list_reader_open(path, &list, err) < 0)
		return -1;
	while ((rc = list_reader_next(list, &e, err)) > 0)
		continue;
	*header = *list_reader_header(list);
	header->author = NULL; /* the reader's */
	*entries = list_reader_count(list);
	list_reader_close(list);
	return rc;
}

int
report_verify(const struct update_settings *s, const char *path, int64_t now_s, FILE *out,
	struct error *err)
{
	char *dir = job_metadata_dir(s, 0);
	struct tuf_client *c = NULL;
	struct list_header header;
	struct error layout = {0};
	struct tuf_file said;
	char text[WHEN_SIZE];
	int64_t entries;
	int rc = -1;

	if (!file_exists(path)) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	if (tuf_client_open(dir, NULL, now_s, &c, err) < 0)
		goto out;
	if (tuf_client_target(c, LIST_TARGET, &said) == 0) {
		error_set(err, ERROR_CONFIG, "no list is known yet: run preload25-update");
		goto out;
	}
	if (tuf_check_path(&said, path, err) < 0) {
		if (err->kind == ERROR_SECURITY &&
			check_layout(path, &header, &entries, &layout) < 0)
			error_set(err, ERROR_SECURITY, "%s", layout.text);
		if (err->kind == ERROR_SECURITY)
			error_prefix(err, "not the list that the authority has signed");
		goto out;
	}
	if (check_layout(path, &header, &entries, err) < 0) {
		err->kind = ERROR_SECURITY;
		goto out;
	}
	fprintf(out,
		"%s: list %" PRId64 " of %s, %" PRId64 " entries, as signed by the authority\n",
		path, header.version, when(header.timestamp_s, now_s, text), entries);
	rc = 0;
out:
	tuf_client_free(c);
	free(dir);
	return rc;
}

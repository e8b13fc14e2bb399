#include "builder/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "builder/authority_init.h"
#include "builder/compare.h"
#include "builder/look.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "builder/terminal.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"
#include "export/repository.h"
#include "export/signing.h"

/* publish draws up a new root 60 days before its end; signatures from afar take a while. */
#define ROOT_LATE_S (30 * CLOCK_DAY_S)

static void
print_list(const struct store_list *list, const char *what)
{
	char text[TERMINAL_TIME_SIZE];

	terminal_time(list->built_s, text);
	printf("%s: version %" PRId64 ", %" PRId64 " %s (+%" PRId64 " -%" PRId64 " ~%" PRId64
	       "), built %s\n",
		what, list->version, list->entries,
		terminal_noun(list->entries, "entry", "entries"), list->added, list->removed,
		list->changed, text);
	if (list->published_s != 0) {
		terminal_time(list->published_s, text);
		printf("  published %s, commit %.12s\n", text, list->commit);
	} else {
		printf("  not published yet\n");
	}
}

static int
print_states(struct store *store, struct error *err)
{
	struct store_counts counts;

	if (store_counts(store, &counts, err) < 0)
		return -1;
	printf("%" PRId64 " %s\n", counts.domains,
		terminal_noun(counts.domains, "domain", "domains"));
	for (enum life_state state = LIFE_CANDIDATE; state <= LIFE_STATE_MAX; state++) {
		if (counts.states[state] > 0)
			printf("  %-10s %8" PRId64 "\n", life_state_name(state),
				counts.states[state]);
	}
	if (counts.held > 0)
		printf("  %-10s %8" PRId64 "\n", "(held)", counts.held);
	return 0;
}

static void
print_waiting(const char *path, struct signing *s, void *arg UNUSED)
{
	struct buf state;

	buf_init(&state, 200);
	signing_state(s, &state);
	printf("  waits for signatures, %s: %s\n", buf_str(&state), path);
	buf_clear(&state);
}

/* How long each signature is good for; what has run out, or was not renewed in time, is said. */
static void
print_roles(const struct settings *settings, int64_t now_s)
{
	struct repository_options options;
	struct repository *r;
	struct error why;

	authority_repository_options(settings, AUTHORITY_NO_KEYS, &options);
	if (repository_look(&options, &r, &why) < 0) {
		printf("repository: %s\n", why.text);
		return;
	}
	printf("repository:\n");
	for (int i = 0; i < TUF_ROLE_COUNT; i++) {
		const struct tuf_meta *meta = repository_meta(r, (enum tuf_role)i);
		char text[TERMINAL_TIME_SIZE];
		int64_t left_s;

		if (meta == NULL)
			continue;
		left_s = tuf_meta_expires(meta) - now_s;
		terminal_time(tuf_meta_expires(meta), text);
		printf("  %-9s version %" PRId64 ", good until %s%s\n",
			tuf_role_name((enum tuf_role)i), tuf_meta_version(meta), text,
			left_s <= 0 ? ": EXPIRED, clients refuse it"
				: left_s < options.expires_s[i] / 4 &&
					(i != TUF_ROLE_ROOT || left_s < ROOT_LATE_S)
				? ": RENEW IT, three quarters of its life are over"
				: "");
	}
	repository_each_request(r, print_waiting, NULL);
	repository_close(r);
}

static int
status_all(struct app *app, struct store *store, const struct settings *settings, struct error *err)
{
	int64_t now_s = clock_now(&app->clock);
	struct store_entry_totals totals;
	struct store_list list;
	char text[TERMINAL_TIME_SIZE];
	int found;

	if (print_states(store, err) < 0)
		return -1;
	for (size_t i = 0; i < settings->vantage_count; i++) {
		int64_t id, due, next;

		found = store_find_vantage(store, settings->vantages[i], &id, err);
		if (found == 0) {
			printf("vantage point %s: has not looked yet\n", settings->vantages[i]);
			continue;
		}
		if (found < 0 || store_count_due(store, id, now_s, &due, err) < 0)
			return -1;
		found = store_next_due(store, id, &next, err);
		if (found < 0)
			return -1;
		printf("vantage point %s: %" PRId64 " due now", settings->vantages[i], due);
		if (found == 1 && due == 0) {
			terminal_time(next, text);
			printf(", the next %s", text);
		}
		printf("\n");
	}
	if (store_entry_totals(store, now_s, now_s - settings->list.fresh_s, &totals, err) < 0)
		return -1;
	terminal_time(totals.confirmed_since_s, text);
	printf("next list: %" PRId64 " %s, %" PRId64
	       " of them in trouble; the others confirmed since %s\n",
		totals.entries, terminal_noun(totals.entries, "entry", "entries"), totals.troubled,
		text);
	found = store_last_list(store, &list, err);
	if (found < 0)
		return -1;
	if (found == 1)
		print_list(&list, "last list");
	else
		printf("last list: none was built yet\n");
	print_roles(settings, now_s);
	return 0;
}

static void
print_life(const struct settings *settings, const struct store_domain *d)
{
	const struct life *l = &d->life;
	char text[TERMINAL_TIME_SIZE];
	char span[TERMINAL_SPAN_SIZE];

	terminal_time(l->since_s, text);
	printf("%s: %s%s%s since %s\n", d->name, life_state_name(l->state),
		l->by_operator ? ", by the operator," : "",
		l->held ? ", held by the operator," : "", text);
	terminal_time(d->added_s, text);
	printf("  came in      %s by %s\n", text, d->origin);
	if (l->state == LIFE_PENDING) {
		terminal_time(life_join_due(&settings->life, l), text);
		terminal_span(l->pass_credit_s, span);
		printf("  observed     %s of passes; listed from %s if it goes on passing\n", span,
			text);
	}
	if (life_is_on_list(l->state)) {
		terminal_time(l->confirmed_s, text);
		printf("  confirmed    %s\n", text);
	}
	if (l->state == LIFE_FAILING) {
		terminal_span(l->fail_credit_s, span);
		printf("  broken for   %s as seen by every vantage point%s\n", span,
			l->demoted ? "; listed as testing" : "");
	}
	if (l->policy != NULL)
		printf("  entry        %s\n", l->policy);
}

/* What a look showed only beside earlier ones and those of other vantage points. */
static int
print_compared(struct store *store, int64_t evidence, struct error *err)
{
	json_t *json = NULL;
	const json_t *findings;
	struct buf text;
	int rc;

	buf_init(&text, LOOK_EVIDENCE_MAX);
	rc = store_get_evidence(store, evidence, &text, err);
	if (rc == 1)
		rc = json_parse(buf_str(&text), text.len, &json, err);
	findings = json_object_get(json, "findings");
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const char *code = json_string_value(json_object_get(f, "code"));
		const char *subject = json_string_value(json_object_get(f, "subject"));
		const char *message = json_string_value(json_object_get(f, "message"));

		if (code != NULL && subject != NULL && message != NULL && compare_is_own_code(code))
			printf("    %s: %s: %s\n", code, subject, message);
	}
	json_decref(json);
	buf_clear(&text);
	return rc < 0 ? -1 : 0;
}

/* R17.3, R17.4: as the next look would find the round. */
static void
print_round(const struct settings *settings, const struct store_domain *d,
	const struct store_view *stored, size_t count, int64_t now_s, struct arena *arena)
{
	struct life_view views[STORE_VANTAGES_MAX];
	struct life_result result;
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (settings_has_vantage(settings, stored[i].view.vantage))
			views[used++] = stored[i].view;
	}
	life_step(&settings->life, &d->life, views, used, now_s, arena, &result);
	if (result.round_code != NULL)
		printf("  together     %s\n", result.round_code);
}

static int
status_domain(struct app *app, struct store *store, const struct settings *settings,
	const char *typed, struct error *err)
{
	struct arena *arena = arena_new();
	struct store_view views[STORE_VANTAGES_MAX];
	struct store_domain d = {0};
	char *ascii = NULL;
	char text[TERMINAL_TIME_SIZE];
	const int64_t now_s = clock_now(&app->clock);
	size_t count;
	int rc = -1;

	if (terminal_domain(typed, settings->engine.special_use_names, &ascii, err) < 0)
		goto out;
	rc = store_find(store, ascii, &d, err);
	if (rc == 0) {
		printf("%s: not known here\n", ascii);
		rc = 1;
		goto out;
	}
	if (rc < 0 || store_views(store, d.id, arena, views, STORE_VANTAGES_MAX, &count, err) < 0) {
		rc = -1;
		goto out;
	}
	print_life(settings, &d);
	for (size_t i = 0; i < count; i++) {
		const struct life_view *v = &views[i].view;

		terminal_time(v->time_s, text);
		printf("  seen by      %s %s: %s", v->vantage, text,
			v->policy != NULL                       ? "fit"
				: v->verdict == VERDICT_UNKNOWN ? "could not be told: "
								: "not fit: ");
		printf("%s", v->fail_code != NULL ? v->fail_code : "");
		terminal_time(views[i].due_s, text);
		printf("; next look %s\n", text);
		if (views[i].evidence != 0 && print_compared(store, views[i].evidence, err) < 0) {
			rc = -1;
			goto out;
		}
	}
	print_round(settings, &d, views, count, now_s, arena);
	rc = 0;
out:
	store_domain_clear(&d);
	free(ascii);
	arena_free(arena);
	return rc;
}

int
cmd_status(struct app *app, const struct cli_call *call, struct error *err)
{
	const struct settings *settings;
	struct store *store;

	if (app_settings(app, false, &settings, err) < 0 || app_store_to_read(app, &store, err) < 0)
		return -1;
	return call->arg_count == 0 ? status_all(app, store, settings, err)
				    : status_domain(app, store, settings, call->args[0], err);
}

static int
print_transition(const struct store_transition *t, void *arg UNUSED, struct error *err UNUSED)
{
	char text[TERMINAL_TIME_SIZE];

	terminal_time(t->time_s, text);
	printf("%s  %-9s -> %-9s  %s%s%s", text, life_state_name(t->from), life_state_name(t->to),
		t->reason, t->detail != NULL ? ": " : "", t->detail != NULL ? t->detail : "");
	if (t->agreed != NULL)
		printf("  (seen by %s)", t->agreed);
	else
		printf("  (by the %s)", t->actor);
	if (t->evidence != 0)
		printf("  evidence %" PRId64, t->evidence);
	printf("\n");
	return 0;
}

int
cmd_history(struct app *app, const struct cli_call *call, struct error *err)
{
	struct store_domain d = {0};
	const struct settings *settings;
	struct store *store;
	char *ascii = NULL;
	char text[TERMINAL_TIME_SIZE];
	int rc = -1;

	if (app_settings(app, false, &settings, err) < 0 ||
		app_store_to_read(app, &store, err) < 0 ||
		terminal_domain(call->args[0], settings->engine.special_use_names, &ascii, err) < 0)
		goto out;
	rc = store_find(store, ascii, &d, err);
	if (rc == 0) {
		printf("%s: not known here\n", ascii);
		rc = 1;
	} else if (rc == 1) {
		terminal_time(d.added_s, text);
		printf("%s  came in as candidate, by %s\n", text, d.origin);
		rc = store_history(store, ascii, print_transition, NULL, err);
	}
out:
	store_domain_clear(&d);
	free(ascii);
	return rc;
}

#include "updater/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/confine.h"
#include "updater/generations.h"
#include "updater/incoming.h"
#include "updater/install.h"
#include "updater/map.h"
#include "updater/metrics.h"
#include "updater/mta.h"
#include "updater/offline.h"
#include "updater/pins.h"
#include "updater/refresh.h"
#include "updater/rules.h"
#include "updater/rules_kept.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/tally.h"
#include "updater/undo.h"

#define DIR_MODE 0755

struct job {
	const struct update_settings *s;
	struct install install; /* owns the state */
	struct refresh refresh;
	struct rules *rules; /* owned */
	char *state_path, *lock_path;
	struct file_lock *lock;
	bool offline;
};

/* --- paths --------------------------------------------------------------------------------------
 */

char *
job_state_path(const struct update_settings *s)
{
	return xasprintf("%s/state.json", s->state_dir);
}

/* As the sources are configured now. */
static void
arrange(const struct update_settings *s, struct state *state)
{
	const char *names[SOURCES_MAX];

	for (size_t i = 0; i < s->source_count; i++)
		names[i] = s->sources[i].name;
	state_arrange(state, names, s->source_count);
	generations_prune(state);
}

int
job_load_state(const struct update_settings *s, struct state *state, struct error *err)
{
	char *path = job_state_path(s);
	int rc = state_load(path, state, err);

	if (rc >= 0)
		arrange(s, state);
	free(path);
	return rc;
}

char *
job_metadata_dir(const struct update_settings *s, size_t i)
{
	if (i == 0)
		return xasprintf("%s/metadata", s->state_dir);
	return xasprintf("%s/sources/%s", s->state_dir, s->sources[i].name);
}

/* Step 1: what is here already, before any network. */
static int
refresh_local(struct job *j, struct error *err)
{
	struct state *state = &j->install.state;
	const char *why;
	bool some = false, missing = false;

	if (j->s->report_only)
		return install_withdraw(&j->install, err);
	for (size_t i = 0; i < state->source_count; i++) {
		some = some || state->sources[i].list.sha256[0] != '\0';
		missing = missing || refresh_is_missing(&state->sources[i].list, j->install.now_s);
	}
	why = some ? install_stale(&j->install) : NULL;
	if (why == NULL)
		return 0;
	log_info("%s: %s", j->s->map_file, why);
	for (size_t i = 0; i < state->source_count; i++) {
		struct state_list *list = &state->sources[i].list;
		struct error damage = {0};
		char *path;

		if (list->sha256[0] == '\0')
			continue;
		path = source_list_path(j->s->state_dir, list->sha256);
		if (source_list_intact(path, list->sha256, &damage) < 0) {
			/* Fetched again below; its version still forbids going back. */
			log_warning("%s", damage.text);
			list->sha256[0] = '\0';
			missing = missing || refresh_is_missing(list, j->install.now_s);
		}
		free(path);
	}
	/* Without one of them the map would lose its lines. */
	return missing ? 0 : install_again(&j->install, err);
}

/* --- the lists ----------------------------------------------------------------------------------
 */

/* Removes all that nothing needs: not the lists that count, nor those to go back to, nor those that were
 * announced. */
static void
remove_lists(const struct job *j)
{
	const struct state *state = &j->install.state;
	const char *keep[SOURCES_MAX * (STATE_GENERATIONS_MAX + 2)];
	size_t count = 0;
	bool known = false;

	for (size_t i = 0; i < state->source_count; i++) {
		known = known || j->refresh.sources[i].found.list.sha256[0] != '\0';
		keep[count++] = state->sources[i].list.sha256;
		keep[count++] = j->refresh.sources[i].found.list.sha256;
	}
	if (!known)
		return;
	for (size_t i = 0; i < state->generation_count; i++)
		for (size_t k = 0; k < state->generations[i].count; k++)
			keep[count++] = state->generations[i].members[k].list.sha256;
	source_remove_lists(j->s->state_dir, keep, count);
}

/* Whoever asks aloud (--verbose) hears that all is as it was. */
static void
tell_no_news(const struct job *j)
{
	const struct state *state = &j->install.state;

	for (size_t i = 0; i < state->source_count; i++)
		if (j->refresh.sources[i].outcome.rc == 0 && state->sources[i].list.version > 0)
			log_info("%s%sno news: list %" PRId64 " stays",
				state->source_count > 1 ? j->s->sources[i].name : "",
				state->source_count > 1 ? ": " : "", state->sources[i].list.version);
}

/* What is not of one source: 0, or -1. */
static int
update(struct job *j, struct error *err)
{
	struct refresh *r = &j->refresh;
	const char *missing;
	int rc = 0;

	r->user = &j->install.user;
	r->allow_churn = j->install.allow_churn;
	missing = refresh_all(r);
	if (missing != NULL && r->next_count > 0)
		rc = error_set(err, ERROR_TEMP,
			"the list of %s is damaged here and cannot be had again yet: the old map stands",
			missing);
	else if (r->next_count > 0)
		rc = (j->s->report_only ? install_accept : install_next)(&j->install, r->next, err);
	/* The only list there is. */
	if (rc < 0)
		rc = source_say_unsound(err);
	refresh_note_next(r);
	if (missing == NULL && r->next_count == 0)
		tell_no_news(j);
	if (!j->install.dry_run)
		remove_lists(j);
	return rc;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* What fails here must not keep newer lists away, which may be what mends it: a Postfix that is
 * stopped cannot reload, and yet the list goes on. */
static struct outcome
work(struct job *j)
{
	struct outcome local = {0}, made = {0}, sources;

	if (install_reload(&j->install, &local.err) < 0)
		local.rc = -1;
	if (refresh_local(j, &local.err) < 0)
		local.rc = -1;
	made.rc = update(j, &made.err);
	if (local.rc < 0 && made.rc == 0 && !j->install.state.reload_due &&
		install_stale(&j->install) == NULL)
		local = (struct outcome){0};
	if (made.rc < 0) {
		if (local.rc < 0 && strcmp(local.err.text, made.err.text) != 0)
			log_warning("%s", local.err.text);
		local = made;
	}
	sources = refresh_judge(&j->refresh, local.rc < 0);
	if (local.rc == 0)
		return sources;
	refresh_judge_local(&j->refresh, &local);
	if (outcome_compare(&sources, &local) > 0) {
		log_warning("%s", local.err.text);
		return sources;
	}
	if (sources.rc != 0 && strcmp(sources.err.text, local.err.text) != 0)
		log_warning("%s", sources.err.text);
	return local;
}

/* A run that only installs succeeds as of what was fetched: without any more of that, no run does. */
static int64_t
success_time(const struct job *j)
{
	const struct state *state = &j->install.state;
	int64_t time_s = j->install.now_s;

	for (size_t i = 0; i < state->source_count; i++)
		if (j->offline && state->sources[i].asked_s < time_s)
			time_s = state->sources[i].asked_s;
	return time_s;
}

/* known: the state was read, and may be replaced. */
static void
record(struct job *j, bool known, int rc, const struct error *err)
{
	struct state *s = &j->install.state;
	struct error why = {0};

	if (j->install.dry_run)
		return;
	s->last_run_s = j->install.now_s;
	s->last_code = rc < 0 ? error_exit_code(err) : rc;
	if (rc == 0) {
		s->last_success_s = success_time(j);
	} else {
		s->last_error_s = j->install.now_s;
		s->last_error_code = s->last_code;
		state_set(&s->last_error, err->text);
	}
	if (known && install_remember(&j->install, &why) < 0)
		log_info("%s", why.text);
	if (metrics_write(j->s, s, &why) < 0)
		log_warning("%s", why.text);
}

/* Takes the lock and reads what is known. To be ended by end(), whatever it returns. */
static int
begin(struct job *j, const struct update_settings *s, const struct job_options *options,
	struct error *err)
{
	struct install *in = &j->install;

	memset(j, 0, sizeof(*j));
	j->s = s;
	j->state_path = job_state_path(s);
	j->lock_path = xasprintf("%s/lock", s->state_dir);
	in->s = s;
	in->state_path = j->state_path;
	in->now_s = options->now_s;
	in->dry_run = options->dry_run;
	in->allow_churn = options->allow_churn;
	j->offline = options->offline;
	refresh_begin(&j->refresh, s, &in->state, options->now_s, options->offline);
	if (file_mkdirs(s->state_dir, DIR_MODE, err) < 0 ||
		file_lock_take(j->lock_path, &j->lock, err) < 0 ||
		state_load(j->state_path, &in->state, err) < 0)
		return -1;
	arrange(s, &in->state);
	return 0;
}

static int
read_rules(struct job *j, struct error *err)
{
	struct error why = {0};

	if (rules_load(&j->s->rules, &j->rules, err) < 0)
		return -1;
	j->install.rules = j->rules;
	if (!j->install.dry_run && rules_kept_put(j->s->state_dir, j->rules, &why) < 0)
		log_warning("%s", why.text);
	return 0;
}

/* With rules that cannot be read no list is taken. The map that is there has the last good ones, and stays; but what has
 * run out goes from it. */
static void
do_without_rules(struct job *j)
{
	struct error why = {0};
	int rc = rules_kept_load(j->s->state_dir, &j->rules, &why);

	/* It is not known what they were. */
	if (rc == 0 && j->install.state.map.rules[0] != '\0')
		rc = error_set(&why, ERROR_CONFIG, "%s: the rules that it was made with are not kept", j->s->map_file);
	j->install.rules = j->rules;
	if (rc >= 0)
		rc = refresh_local(j, &why);
	if (rc < 0)
		log_warning("%s", why.text);
}

static int
find_sandbox(struct job *j, struct error *err)
{
	const char *lacks = confine_lacks();

	if (lacks != NULL)
		log_info("sandbox: this kernel has %s: the rest of it must do", lacks);
	return confine_find_user(j->s->sandbox_user, &j->install.user, err);
}

static void
end(struct job *j)
{
	rules_free(j->rules);
	state_clear(&j->install.state);
	file_lock_free(j->lock);
	refresh_end(&j->refresh);
	free(j->lock_path);
	free(j->state_path);
}

/* What is counted is for people to look at: failing does not make the list any worse. */
static void
count_mail(const struct job *j)
{
	struct error why = {0};

	if (tally_update(j->s, j->install.now_s, &why) < 0)
		log_warning("%s", why.text);
}

/* Who has no network goes by the latest answer that whoever has one was given. */
static void
decide(struct job *j)
{
	const struct update_settings *s = j->s;
	struct resolver_said latest = {RESOLVER_UNKNOWN, 0};

	for (size_t i = 0; j->offline && i < s->source_count; i++) {
		struct resolver_said said = fetch_record_resolver(
			&j->refresh.sources[i].offline.record, j->install.now_s, s->monitor_success_s);

		if (said.answer != RESOLVER_UNKNOWN && said.time_s > latest.time_s)
			latest = said;
	}
	s->mta->decide(s, j->install.state.map.recipe, j->offline ? &latest : NULL, &j->install.recipe);
}

/* For whoever fetches, who could not. */
static void
make_incoming(const struct job *j)
{
	struct error why = {0};

	if (incoming_make(j->s->state_dir, &j->install.user, &why) < 0)
		log_warning("%s", why.text);
}

int
job_run(const struct update_settings *s, const struct job_options *options, struct error *err)
{
	struct job j;
	int rc = begin(&j, s, options, err);
	bool known = rc == 0;

	if (known) {
		file_remove_stale_in(s->state_dir);
		refresh_forget(s, options->dry_run);
		decide(&j);
		rc = find_sandbox(&j, err);
		if (rc == 0 && options->offline && !options->dry_run)
			make_incoming(&j);
		if (rc == 0 && read_rules(&j, err) < 0) {
			do_without_rules(&j);
			rc = -1;
		} else if (rc == 0) {
			const struct outcome o = work(&j);

			rc = o.rc;
			*err = o.err;
		}
	}
	if (known && !j.install.dry_run && tally_wanted(s))
		count_mail(&j);
	/* Without the lock another run is under way, and tells of itself. */
	if (j.lock != NULL)
		record(&j, known, rc, err);
	end(&j);
	return rc;
}

static int
undo(struct job *j, struct buf *said, struct error *err)
{
	struct state *state = &j->install.state;
	struct state_generation back;
	struct error why = {0};
	size_t index;
	int rc = undo_find(j->s, state, 0, true, &index, err);

	if (rc != 0)
		return rc;
	back = state->generations[index];
	if (find_sandbox(j, err) < 0 || read_rules(j, err) < 0)
		return -1;
	undo_put_away(j->s, state, &back, said);
	j->s->mta->decide(j->s, state->map.recipe, NULL, &j->install.recipe);
	if (install_generation(&j->install, &back, err) < 0)
		return -1;
	if (metrics_write(j->s, state, &why) < 0)
		log_warning("%s", why.text);
	return 0;
}

int
job_undo(const struct update_settings *s, int64_t now_s, struct buf *said, struct error *err)
{
	const struct job_options options = {.now_s = now_s};
	struct job j;
	int rc = begin(&j, s, &options, err);

	if (rc == 0)
		rc = undo(&j, said, err);
	end(&j);
	return rc;
}

int
job_make_empty_map(const struct update_settings *s, struct error *err)
{
	struct file_lock *lock = NULL;
	char *lock_path = xasprintf("%s/lock", s->state_dir);
	int rc = -1, more = 0;

	if (file_mkdirs(s->state_dir, DIR_MODE, err) == 0 &&
		file_lock_take(lock_path, &lock, err) == 0)
		rc = map_make_empty(s->kind, s->map_file, err);
	if (rc >= 0 && pins_wanted(s))
		more = pins_make_empty(s, err);
	file_lock_free(lock);
	free(lock_path);
	return more < 0 ? -1 : rc | more;
}

#include "updater/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/confine.h"
#include "updater/generations.h"
#include "updater/install.h"
#include "updater/map.h"
#include "updater/metrics.h"
#include "updater/mta.h"
#include "updater/offline.h"
#include "updater/pins.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/source_worker.h"
#include "updater/state.h"
#include "updater/tally.h"

#define DIR_MODE 0755

/* One source in this run. */
struct job_source {
	struct state_source *state; /* the job's */
	struct source source;
	char *metadata_dir; /* owned */
	int64_t floor;      /* no list of a lower version is taken */
	bool frozen;        /* every mirror's metadata has expired, or worse */
	struct offline offline; /* zeros, unless the job is */
};

struct job {
	const struct update_settings *s;
	struct install install; /* owns the state */
	struct job_source sources[SOURCES_MAX];
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

int
job_load_state(const struct update_settings *s, struct state *state, struct error *err)
{
	char *path = job_state_path(s);
	int rc = state_load(path, state, err);

	free(path);
	return rc;
}

char *
job_metadata_dir(const struct update_settings *s, size_t i)
{
	if (i == 0)
		return xasprintf("%s/metadata", s->state_dir);
	return xasprintf("%s/sources/%s/metadata", s->state_dir, s->sources[i].name);
}

/* Step 1: what is here already, before any network. */
static int
refresh_local(struct job *j, struct error *err)
{
	struct state_list *list = &j->install.state.sources[0].list;
	const char *why;
	char *path, sha256[sizeof(list->sha256)];
	struct error damage = {0};
	int rc = 0;

	if (j->s->report_only)
		return install_withdraw(&j->install, err);
	if (list->version == 0 || list->sha256[0] == '\0')
		return 0;
	why = install_stale(&j->install);
	if (why == NULL)
		return 0;
	log_info("%s: %s", j->s->map_file, why);
	path = source_list_path(j->s->state_dir, list->sha256);
	if (source_list_intact(path, list->sha256, &damage) < 0) {
		/* Fetched again below; its version still forbids going back. */
		log_warning("%s", damage.text);
		list->sha256[0] = '\0';
	} else {
		/* A copy: installing writes the state anew. */
		(void)snprintf(sha256, sizeof(sha256), "%s", list->sha256);
		rc = install_list(&j->install, NULL, sha256, err);
	}
	free(path);
	return rc;
}

/* --- the list -----------------------------------------------------------------------------------
 */

static struct source_here
what_is_here(const struct job *j, const struct job_source *of)
{
	return (struct source_here){.list = &of->state->list,
		.dir = j->s->state_dir,
		.floor = of->floor,
		.undone = j->install.allow_churn ? "" : of->state->undone};
}

/* A list that was fetched and is what the repository announces. 0, 1 the brake, -1. */
static int
take_list(struct job *j, const struct job_source *of, const struct tuf_file *said, struct error *err)
{
	struct source_here here = what_is_here(j, of);
	int rc = (j->s->report_only ? install_accept : install_list)(
		&j->install, &here, said->sha256, err);

	return rc < 0 ? source_say_unsound(err) : rc;
}

/* Which anchor the list that counts was taken under is kept with it: under another one its version
 * forbids nothing. */
static int
read_anchor(struct job *j, struct job_source *of, struct error *err)
{
	if (source_anchor(&of->source, j->install.anchor, err) < 0)
		return -1;
	of->floor = of->state->list.version;
	if (of->state->anchor[0] != '\0' && strcmp(of->state->anchor, j->install.anchor) != 0) {
		log_warning("%s is another root than before: what was trusted under the old one is "
			    "forgotten",
			of->source.root);
		of->floor = 0;
	}
	return 0;
}

static int
ask(struct job *j, struct job_source *of, struct error *err)
{
	const struct state *state = &j->install.state;
	struct source_here here;
	struct source_found found;
	int rc;

	if (read_anchor(j, of, err) < 0)
		return -1;
	here = what_is_here(j, of);
	rc = source_worker_refresh(&of->source, &here, &j->install.user,
		j->s->sandbox_time_s * INT64_C(1000), j->install.now_s, &found, err);
	if (rc < 0) {
		of->frozen = err->kind == ERROR_EXPIRED;
		return -1;
	}
	of->state->asked_s = j->offline ? of->offline.record.mirror_s : j->install.now_s;
	if (rc > 0)
		rc = take_list(j, of, &found.list, err);
	if (!j->install.dry_run) {
		const char *const keep[] = {of->state->list.sha256,
			state->generation_count > 0 ? state->generations[0].members[0].list.sha256 : "",
			found.list.sha256};

		source_remove_lists(j->s->state_dir, keep, ARRAY_LEN(keep));
	}
	return rc;
}

static int
update(struct job *j, struct job_source *of, struct error *err)
{
	bool told;
	int rc = 0;

	if (!j->offline)
		return ask(j, of, err);
	if (offline_has_news(&of->offline, of->state->asked_s, j->install.now_s))
		rc = ask(j, of, err);
	rc = offline_judge(&of->offline, rc, &told, err);
	if (told)
		of->frozen = err->kind == ERROR_EXPIRED;
	return rc;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* What fails here must not keep a newer list away, which may be what mends it: a Postfix that is
 * stopped cannot reload, and yet the list goes on. */
static int
work(struct job *j, struct error *err)
{
	struct error local = {0};
	bool failed = install_reload(&j->install, &local) < 0;
	int rc;

	if (refresh_local(j, &local) < 0)
		failed = true;
	rc = update(j, &j->sources[0], err);
	if (!failed || (rc == 0 && !j->install.state.reload_due && install_stale(&j->install) == NULL))
		return rc;
	if (rc < 0 && source_gravity(err->kind) > source_gravity(local.kind)) {
		log_warning("%s", local.text);
		return rc;
	}
	if (rc != 0 && strcmp(err->text, local.text) != 0)
		log_warning("%s", err->text);
	j->sources[0].frozen = false;
	*err = local;
	return -1;
}

/* Sees the failure, or the lack of news, in the light of the installed list's age. */
static int
judge(const struct job *j, int rc, struct error *err)
{
	const struct state_list *l = &j->install.state.sources[0].list;
	char text[CLOCK_TEXT_SIZE];

	if (l->version > 0 && l->expires_s <= j->install.now_s) {
		clock_format(l->expires_s, text);
		if (rc == 0)
			return error_set(err, ERROR_EXPIRED,
				"the installed list %" PRId64
				" has expired (%s), and there is no newer one",
				l->version, text);
		if (rc < 0 && (err->kind == ERROR_TEMP || err->kind == ERROR_EXPIRED)) {
			err->kind = ERROR_EXPIRED;
			return error_prefix(err, "the installed list %" PRId64 " has expired (%s)",
				l->version, text);
		}
	} else if (rc < 0 && j->sources[0].frozen) {
		return source_say_freeze(err);
	}
	return rc;
}

/* A run that only installs succeeds as of what was fetched: without any more of that, no run does. */
static int64_t
success_time(const struct job *j)
{
	int64_t time_s = j->install.now_s;

	for (size_t i = 0; i < j->s->source_count; i++)
		if (j->offline && j->sources[i].state->asked_s < time_s)
			time_s = j->sources[i].state->asked_s;
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

static void
begin_source(struct job *j, size_t i)
{
	const struct source_settings *s = &j->s->sources[i];
	struct job_source *of = &j->sources[i];

	of->metadata_dir = job_metadata_dir(j->s, i);
	of->state = &j->install.state.sources[i];
	of->source = (struct source){.urls = s->urls,
		.url_count = s->url_count,
		.root = s->root,
		.fetch = &s->fetch,
		.list_max = s->list_max,
		.list_dir = j->s->state_dir,
		.metadata_dir = of->metadata_dir};
	if (j->offline) {
		offline_open(&of->offline, j->s, s->name, j->install.now_s);
		offline_source(&of->offline, &of->source);
	}
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
	j->offline = options->offline;
	in->s = s;
	in->state_path = j->state_path;
	in->now_s = options->now_s;
	in->dry_run = options->dry_run;
	in->allow_churn = options->allow_churn;
	for (size_t i = 0; i < s->source_count; i++)
		begin_source(j, i);
	if (file_mkdirs(s->state_dir, DIR_MODE, err) < 0 ||
		file_lock_take(j->lock_path, &j->lock, err) < 0 ||
		state_load(j->state_path, &in->state, err) < 0)
		return -1;
	return 0;
}

/* With rules that cannot be read nothing is made: the map that is there has the last good ones. */
static int
read_rules(struct job *j, struct error *err)
{
	if (rules_load(&j->s->rules, &j->rules, err) < 0)
		return -1;
	j->install.rules = j->rules;
	return 0;
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
	for (size_t i = 0; i < j->s->source_count; i++) {
		offline_close(&j->sources[i].offline);
		free(j->sources[i].metadata_dir);
	}
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
			&j->sources[i].offline.record, j->install.now_s, s->monitor_success_s);

		if (said.answer != RESOLVER_UNKNOWN && said.time_s > latest.time_s)
			latest = said;
	}
	s->mta->decide(s, j->install.state.map.recipe, j->offline ? &latest : NULL, &j->install.recipe);
}

int
job_run(const struct update_settings *s, const struct job_options *options, struct error *err)
{
	struct job j;
	int rc = begin(&j, s, options, err);
	bool known = rc == 0;

	if (known) {
		file_remove_stale_in(s->state_dir);
		decide(&j);
		rc = find_sandbox(&j, err);
		if (rc == 0)
			rc = read_rules(&j, err);
		if (rc == 0)
			rc = judge(&j, work(&j, err), err);
	}
	if (known && !j.install.dry_run && tally_wanted(s))
		count_mail(&j);
	/* Without the lock another run is under way, and tells of itself. */
	if (j.lock != NULL)
		record(&j, known, rc, err);
	end(&j);
	return rc;
}

int
job_undo(const struct update_settings *s, int64_t now_s, int64_t *version, struct error *err)
{
	const struct job_options options = {.now_s = now_s};
	struct job j;
	struct state *state = &j.install.state;
	struct state_list back;
	struct error why = {0};
	char *path = NULL;
	int rc = begin(&j, s, &options, err);

	if (rc < 0)
		goto out;
	if (s->report_only) {
		error_set(err, ERROR_CONFIG, "report-only: nothing is installed that could be undone");
		rc = 1;
		goto out;
	}
	if (state->generation_count == 0) {
		error_set(err, ERROR_CONFIG, "there is no earlier list to go back to");
		rc = 1;
		goto out;
	}
	back = state->generations[0].members[0].list;
	path = source_list_path(s->state_dir, back.sha256);
	rc = find_sandbox(&j, err);
	if (rc == 0)
		rc = read_rules(&j, err);
	if (rc == 0)
		rc = source_list_intact(path, back.sha256, err);
	if (rc < 0)
		goto out;
	(void)snprintf(state->sources[0].undone, sizeof(state->sources[0].undone), "%s", state->sources[0].list.sha256);
	s->mta->decide(s, state->map.recipe, NULL, &j.install.recipe);
	rc = install_list(&j.install, NULL, back.sha256, err);
	if (rc == 0) {
		generations_pop(state);
		*version = back.version;
		rc = install_remember(&j.install, err);
	}
	if (rc == 0 && metrics_write(s, state, &why) < 0)
		log_warning("%s", why.text);
out:
	free(path);
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

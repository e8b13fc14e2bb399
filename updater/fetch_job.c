#include "updater/fetch_job.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/confine.h"
#include "updater/fetch_record.h"
#include "updater/incoming.h"
#include "updater/job.h"
#include "updater/mirror.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/resolver.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/source_worker.h"
#include "updater/state.h"

#define DIR_MODE    0755
#define RECORD_MODE 0644
/* Descriptors for removing a folder. */
#define REMOVE_DESCRIPTORS 8
/* What several sources have together, within the TimeoutStartSec of preload25-fetch.service: one that stalls
 * must not leave nothing to those behind it. */
#define RUN_MS   INT64_C(9000000)
#define TURN_MIN INT64_C(1000)
/* Fetching, verifying, looking at the list. */
#define PIECES 3

/* One source's share of a run. */
struct errand {
	const struct update_settings *s;
	int64_t now_s;
	struct confine_user user;
	const char *name;
	char anchor[65];
	int64_t time_ms; /* for each piece of work */
	char *dir, *metadata_dir, *record_path;
	struct source source;
	struct fetch_record record;
};

/* --- the record ---------------------------------------------------------------------------------
 */

static int
write_record(const struct errand *e, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, FETCH_RECORD_MAX);
	rc = fetch_record_format(&e->record, &text, err);
	if (rc == 0)
		rc = file_replace(e->record_path, text.data, text.len, RECORD_MODE, err);
	buf_clear(&text);
	return rc;
}

/* Ours: what is wrong with it is begun anew. */
static void
read_record(struct errand *e)
{
	struct incoming in;
	struct error why = {0};

	if (incoming_open(e->s->state_dir, e->name, &in, &why) < 0 ||
		incoming_record(&in, &e->record, &why) < 0)
		log_warning("begun anew: %s", why.text);
	incoming_close(&in);
}

/* --- the list -----------------------------------------------------------------------------------
 */

static bool
is_installed(struct state *state, const char *name, const char *sha256)
{
	const struct state_source *source = state_find(state, name);

	return source != NULL && strcmp(source->list.sha256, sha256) == 0;
}

/* A list that was damaged here would be refused by whoever reads the mirror, until there is a newer one.
 * Once it is installed nobody reads it there. */
static void
drop_if_damaged(struct errand *e)
{
	struct fetch_record *r = &e->record;
	char *path = source_list_path(e->dir, r->list_sha256);
	struct error why = {0};
	struct state state;

	state_init(&state);
	if (r->list_sha256[0] == '\0' || !file_exists(path) ||
		(job_load_state(e->s, &state, &why) >= 0 &&
			is_installed(&state, e->name, r->list_sha256)))
		goto out;
	if (source_list_intact(path, r->list_sha256, &why) < 0) {
		log_warning("%s", why.text);
		(void)unlink(path);
	}
out:
	state_clear(&state);
	free(path);
}

/* Whether it may follow is for the installing run to say. */
static int
take_any(void *arg UNUSED, size_t i UNUSED, struct list_reader *list UNUSED, struct error *err UNUSED)
{
	return 0;
}

/* Which version a list has that is new here. */
static int
look_at_list(struct errand *e, const char *sha256, struct error *err)
{
	const struct render_options options = {.now_s = e->now_s};
	const struct render_list list = {.sha256 = "", .next = sha256};
	const struct render_work work = {.list_dir = e->dir,
		.lists = &list,
		.list_count = 1,
		.user = &e->user,
		.time_ms = e->time_ms,
		.options = &options,
		.check = take_any};
	struct render_counts nothing;
	struct render_said said;

	if (strcmp(sha256, e->record.list_sha256) == 0)
		return 0;
	if (render_worker(&work, NULL, &said, &nothing, err) < 0)
		return -1;
	if (said.rc < 0) {
		*err = said.err;
		return source_say_unsound(err);
	}
	e->record.list_version = said.header.version;
	return 0;
}

static int
publish(struct errand *e, const struct source_found *found, struct error *err)
{
	struct fetch_record *r = &e->record;
	char *dir = xasprintf("%s/" INCOMING_REPOSITORY, e->dir);
	char *list = source_list_path(e->dir, found->list.sha256);
	const struct mirror mirror = {
		.dir = dir, .metadata_dir = e->metadata_dir, .list_path = list, .found = found};
	const char *const lists[] = {found->list.sha256};
	int rc = mirror_publish(&mirror, err);

	if (rc == 0) {
		/* Who is just reading the one before has it by another name. */
		source_remove_lists(e->dir, lists, ARRAY_LEN(lists));
		memcpy(r->list_sha256, found->list.sha256, sizeof(r->list_sha256));
		memcpy(r->anchor, e->anchor, sizeof(r->anchor));
		r->mirror_s = e->now_s;
	}
	free(list);
	free(dir);
	return rc;
}

static int
fetch(struct errand *e, struct error *err)
{
	struct state_list list = {.version = e->record.list_version};
	const struct source_here here = {.list = &list, .dir = e->dir, .undone = ""};
	struct source_found found;

	drop_if_damaged(e);
	memcpy(list.sha256, e->record.list_sha256, sizeof(list.sha256));
	if (source_worker_refresh(&e->source, &here, &e->user, e->time_ms, e->now_s, &found, err) < 0 ||
		look_at_list(e, found.list.sha256, err) < 0)
		return -1;
	return publish(e, &found, err);
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static void
errand_init(struct errand *e, const struct update_settings *s, size_t i,
	const struct confine_user *user, int64_t time_ms, int64_t now_s)
{
	const struct source_settings *source = &s->sources[i];

	*e = (struct errand){
		.s = s, .now_s = now_s, .time_ms = time_ms, .name = source->name, .user = *user};
	e->dir = incoming_path(s->state_dir, source->name);
	e->metadata_dir = xasprintf("%s/metadata", e->dir);
	e->record_path = xasprintf("%s/" INCOMING_RECORD, e->dir);
	e->source = (struct source){.urls = source->urls,
		.url_count = source->url_count,
		.root = source->root,
		.fetch = &source->fetch,
		.list_max = source->list_max,
		.list_dir = e->dir,
		.metadata_dir = e->metadata_dir,
		.keep_roots = true};
}

static void
errand_clear(struct errand *e)
{
	free(e->record_path);
	free(e->metadata_dir);
	free(e->dir);
}

/* A record that says that this run goes on is what a killed one leaves. */
static int
run(struct errand *e, const struct resolver_said *said, struct error *err)
{
	struct fetch_record *r = &e->record;
	struct error why = {0};
	int rc;

	if (file_mkdirs(e->metadata_dir, DIR_MODE, err) < 0)
		return -1;
	file_remove_stale_in(e->dir);
	read_record(e);
	r->began_s = e->now_s;
	r->ended_s = 0;
	error_clear(&r->outcome);
	r->resolver = *said;
	if (write_record(e, err) < 0)
		return -1;
	rc = source_anchor(&e->source, e->anchor, err);
	if (rc == 0)
		rc = fetch(e, err);
	r->ended_s = e->now_s;
	if (rc < 0)
		r->outcome = *err;
	if (write_record(e, &why) < 0) {
		if (rc == 0)
			*err = why;
		else
			log_warning("%s", why.text);
		rc = -1;
	}
	return rc;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *at UNUSED)
{
	if (remove(path) < 0)
		log_info("%s: cannot remove: %s", path, strerror(errno));
	return 0;
}

/* Ours alone: what was fetched of sources that are no longer configured. */
static void
forget(const struct update_settings *s, const char *dir_path)
{
	DIR *dir = opendir(dir_path);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char *path = xasprintf("%s/%s/" INCOMING_RECORD, dir_path, e->d_name);
		bool known = e->d_name[0] == '.' || !file_exists(path);

		for (size_t i = 0; i < s->source_count; i++)
			known = known || strcmp(s->sources[i].name, e->d_name) == 0;
		free(path);
		if (known)
			continue;
		path = xasprintf("%s/%s", dir_path, e->d_name);
		log_info("%s: not configured any more", path);
		(void)nftw(path, remove_one, REMOVE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
		free(path);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* Asked here, since who installs has no network to ask by. */
static struct resolver_said
ask_resolver(const struct update_settings *s, int64_t now_s)
{
	struct resolver_said said = {RESOLVER_UNKNOWN, 0};
	char why[200];

	if (s->dane == DANE_AUTO) {
		said.answer = resolver_check(NULL, why, sizeof(why));
		said.time_s = now_s;
		log_info("%s", why);
	}
	return said;
}

/* What each piece of a source's work may take, of so many sources that are left. */
static int64_t
turn_ms(const struct update_settings *s, size_t left, int64_t deadline_ms)
{
	const int64_t most_ms = s->sandbox_time_s * INT64_C(1000);
	int64_t turn;

	if (s->source_count == 1)
		return most_ms;
	turn = (deadline_ms - clock_monotonic_ms()) / (int64_t)(left * PIECES);
	if (turn < TURN_MIN)
		turn = TURN_MIN;
	return turn < most_ms ? turn : most_ms;
}

/* Each source, whatever has come of others: of their failures the gravest is answered. */
static int
run_all(const struct update_settings *s, const struct confine_user *user,
	const struct resolver_said *said, int64_t now_s, struct error *err)
{
	const int64_t deadline_ms = clock_monotonic_ms() + RUN_MS;
	struct error worst = {0};

	for (size_t i = 0; i < s->source_count; i++) {
		struct error why = {0};
		struct errand e;

		errand_init(&e, s, i, user, turn_ms(s, s->source_count - i, deadline_ms), now_s);
		if (run(&e, said, &why) < 0) {
			if (s->source_count > 1)
				error_prefix(&why, "%s", e.name);
			if (worst.kind != ERROR_NONE)
				log_warning("%s", source_gravity(why.kind) > source_gravity(worst.kind)
						? worst.text
						: why.text);
			if (source_gravity(why.kind) > source_gravity(worst.kind))
				worst = why;
		}
		errand_clear(&e);
	}
	if (worst.kind == ERROR_NONE)
		return 0;
	*err = worst;
	return -1;
}

int
fetch_job_run(const struct update_settings *s, int64_t now_s, struct error *err)
{
	char *path = incoming_path(s->state_dir, NULL), *lock_path = xasprintf("%s/.lock", path);
	struct file_lock *lock = NULL;
	struct confine_user user;
	struct resolver_said said;
	int rc = -1;

	if (confine_find_user(s->sandbox_user, &user, err) < 0 ||
		incoming_enter(s->state_dir, &user, err) < 0 ||
		file_lock_take(lock_path, &lock, err) < 0)
		goto out;
	/* Whom the sandboxed process becomes: nobody else, any more, unless this is root's own folder. */
	if (geteuid() != 0)
		user.change = false;
	forget(s, path);
	said = ask_resolver(s, now_s);
	rc = run_all(s, &user, &said, now_s, err);
	if (rc < 0 && err->kind == ERROR_EXPIRED)
		rc = source_say_freeze(err);
out:
	file_lock_free(lock);
	free(lock_path);
	free(path);
	return rc;
}

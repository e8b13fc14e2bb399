#include "updater/refresh.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "updater/freshness.h"
#include "updater/job.h"
#include "updater/settings.h"
#include "updater/source_worker.h"
#include "updater/state.h"

void
refresh_begin(struct refresh *r, const struct update_settings *s, struct state *state, int64_t now_s,
	bool offline)
{
	memset(r, 0, sizeof(*r));
	r->s = s;
	r->state = state;
	r->now_s = now_s;
	r->offline = offline;
	for (size_t i = 0; i < s->source_count; i++) {
		r->sources[i].metadata_dir = job_metadata_dir(s, i);
		if (offline)
			offline_open(&r->sources[i].offline, s, s->sources[i].name, now_s);
		r->next[i].sha256 = "";
	}
}

void
refresh_end(struct refresh *r)
{
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		offline_close(&r->sources[i].offline);
		free(r->sources[i].metadata_dir);
	}
}

static bool
is_configured(const struct update_settings *s, const char *name)
{
	for (size_t i = 1; i < s->source_count; i++)
		if (strcmp(s->sources[i].name, name) == 0)
			return true;
	return false;
}

void
refresh_forget(const struct update_settings *s, bool dry)
{
	char *path = xasprintf("%s/sources", s->state_dir);
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || is_configured(s, e->d_name))
			continue;
		log_warning("source %s is not configured any more: its list and what was trusted of it %s",
			e->d_name, dry ? "would be forgotten" : "are forgotten");
		if (!dry && file_remove_dir(dirfd(dir), e->d_name) < 0)
			log_info("sources/%s: cannot remove: %s", e->d_name, strerror(errno));
	}
	if (dir != NULL)
		(void)closedir(dir);
	free(path);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static struct source
source_of(const struct refresh *r, size_t i)
{
	const struct source_settings *s = &r->s->sources[i];

	struct source source = {.urls = s->urls,
		.url_count = s->url_count,
		.root = s->root,
		.fetch = &s->fetch,
		.list_max = s->list_max,
		.list_dir = r->s->state_dir,
		.metadata_dir = r->sources[i].metadata_dir};

	if (r->offline)
		offline_source(&r->sources[i].offline, &source);
	return source;
}

/* Which anchor the list that counts was taken under is kept with it: under another one its version
 * forbids nothing. */
static int
read_anchor(struct refresh *r, size_t i, const struct source *source, int64_t *floor, struct error *err)
{
	const struct state_source *state = &r->state->sources[i];
	struct refresh_source *of = &r->sources[i];

	if (source_anchor(source, of->anchor, err) < 0)
		return -1;
	*floor = state->list.version;
	if (state->anchor[0] != '\0' && strcmp(state->anchor, of->anchor) != 0) {
		log_warning("%s is another root than before: what was trusted under the old one is "
			    "forgotten",
			source->root);
		*floor = 0;
	}
	return 0;
}

/* 1 there is a list to take, 0 nothing new, -1. */
static int
ask(struct refresh *r, size_t i, struct error *err)
{
	struct state_source *state = &r->state->sources[i];
	const struct source source = source_of(r, i);
	struct refresh_source *of = &r->sources[i];
	struct install_next *next = &r->next[i];
	int64_t time_ms = r->s->sandbox_time_s * INT64_C(1000);
	int rc;

	memset(next, 0, sizeof(*next));
	next->sha256 = "";
	next->anchor = of->anchor;
	next->here = (struct source_here){.list = &state->list,
		.dir = r->s->state_dir,
		.undone = r->allow_churn ? "" : state->undone};
	if (read_anchor(r, i, &source, &next->here.floor, err) < 0)
		return -1;
	/* That there is nothing is the fetching user's word: not for longer than what is trusted lasts. */
	if (r->offline && !offline_has_news(&of->offline, of->anchor, state->asked_s, r->now_s))
		return freshness_check(source.metadata_dir, r->user, time_ms, r->now_s, err) < 0 ? -1 : 0;
	rc = source_worker_refresh(&source, &next->here, r->user, time_ms, r->now_s, &of->found, err);
	if (rc >= 0)
		state->asked_s = r->offline ? of->offline.record.mirror_s : r->now_s;
	return rc;
}

static void
ask_source(struct refresh *r, size_t i)
{
	struct refresh_source *of = &r->sources[i];
	struct outcome *o = &of->outcome;
	int rc;

	error_clear(&o->err);
	rc = ask(r, i, &o->err);
	o->rc = rc < 0 ? -1 : 0;
	of->frozen = rc < 0 && o->err.kind == ERROR_EXPIRED;
	if (rc > 0) {
		/* Whoever means one list should know of the others. */
		if (strcmp(r->state->sources[i].undone, of->found.list.sha256) == 0)
			log_warning("%s: the list that was undone by hand is taken again: --allow-churn is for "
				    "all lists",
				r->s->sources[i].name);
		r->next[i].sha256 = of->found.list.sha256;
		r->next_count++;
	}
}

bool
refresh_is_missing(const struct state_list *l, int64_t now_s)
{
	return l->version > 0 && l->sha256[0] == '\0' && l->expires_s > now_s;
}

/* Lists that no newer one is there for are read again when the map is made. */
static void
check_list(struct refresh *r, size_t i)
{
	struct state_list *l = &r->state->sources[i].list;
	struct error damage = {0};
	char *path;

	if (l->sha256[0] == '\0' || r->next[i].sha256[0] != '\0')
		return;
	path = source_list_path(r->s->state_dir, l->sha256);
	if (source_list_intact(path, l->sha256, &damage) < 0) {
		log_warning("%s", damage.text);
		l->sha256[0] = '\0';
		ask_source(r, i);
	}
	free(path);
}

const char *
refresh_all(struct refresh *r)
{
	for (size_t i = 0; r->offline && i < r->s->source_count; i++) {
		struct state_source *state = &r->state->sources[i];

		offline_note_run(&r->sources[i].offline, r->now_s, &state->fetch_began_s,
			&state->fetch_seen_s);
	}
	for (size_t i = 0; i < r->s->source_count; i++)
		ask_source(r, i);
	if (r->next_count > 0 && !r->s->report_only)
		for (size_t i = 0; i < r->s->source_count; i++)
			check_list(r, i);
	for (size_t i = 0; i < r->s->source_count; i++)
		if (r->next[i].sha256[0] == '\0' &&
			refresh_is_missing(&r->state->sources[i].list, r->now_s))
			return r->s->sources[i].name;
	return NULL;
}

/* --- judging ------------------------------------------------------------------------------------
 */

/* The brake wants somebody to look, other than what passes by itself. */
static int
weight(const struct outcome *o)
{
	if (o->rc == 1)
		return 2 * source_gravity(ERROR_TEMP) + 1;
	return o->rc < 0 ? 2 * source_gravity(o->err.kind) : 0;
}

int
outcome_compare(const struct outcome *a, const struct outcome *b)
{
	return weight(a) - weight(b);
}

/* The fetching run's word, which may be that of somebody who has taken it over. */
static void
hear_fetcher(struct refresh_source *of)
{
	const struct outcome word = {-1, of->offline.not_fetched};
	struct outcome *o = &of->outcome;

	if (word.err.kind == ERROR_NONE)
		return;
	if (o->rc < 0 ? offline_prevails(&of->offline, &o->err) : outcome_compare(&word, o) > 0) {
		if (o->rc != 0)
			log_info("%s", o->err.text);
		*o = word;
		of->frozen = word.err.kind == ERROR_EXPIRED;
	} else {
		log_warning("%s", word.err.text);
	}
}

void
refresh_note_next(struct refresh *r)
{
	for (size_t i = 0; i < r->s->source_count; i++) {
		const struct install_next *next = &r->next[i];
		struct outcome *o = &r->sources[i].outcome;

		if (next->rc != 0)
			*o = (struct outcome){next->rc, next->err};
		if (next->rc < 0)
			o->rc = source_say_unsound(&o->err);
		if (r->offline)
			hear_fetcher(&r->sources[i]);
	}
}

/* Sees a failure, or the lack of news, in the light of the list's age. */
static void
judge(const struct state_list *l, bool frozen, int64_t now_s, struct outcome *o)
{
	char text[CLOCK_TEXT_SIZE];

	if (l->version > 0 && l->expires_s <= now_s) {
		clock_format(l->expires_s, text);
		if (o->rc == 0) {
			o->rc = error_set(&o->err, ERROR_EXPIRED,
				"the installed list %" PRId64
				" has expired (%s), and there is no newer one",
				l->version, text);
		} else {
			/* What is graver stays what it is. */
			if (o->rc < 0 && o->err.kind == ERROR_TEMP)
				o->err.kind = ERROR_EXPIRED;
			(void)error_prefix(&o->err, "the installed list %" PRId64 " has expired (%s)",
				l->version, text);
		}
	} else if (o->rc < 0 && frozen) {
		o->rc = source_say_freeze(&o->err);
	}
}

static void
note(const struct refresh *r, size_t i)
{
	const struct outcome *o = &r->sources[i].outcome;
	struct state_source *state = &r->state->sources[i];

	if (o->rc == 0)
		state->success_s = r->offline ? state->asked_s : r->now_s;
	if (o->rc == 0 || state->trouble == NULL)
		state->trouble_s = o->rc == 0 ? 0 : r->now_s;
	state_set(&state->trouble, o->rc == 0 ? NULL : o->err.text);
}

struct outcome
refresh_judge(struct refresh *r, bool failed)
{
	struct outcome worst = {0};
	size_t from = 0;

	for (size_t i = 0; i < r->s->source_count; i++) {
		struct outcome *o = &r->sources[i].outcome;

		if (o->rc != 0 || !failed)
			judge(&r->state->sources[i].list, r->sources[i].frozen, r->now_s, o);
		note(r, i);
		if (o->rc != 0 && r->s->source_count > 1)
			error_prefix(&o->err, "%s", r->s->sources[i].name);
		if (outcome_compare(o, &worst) > 0) {
			worst = *o;
			from = i;
		}
	}
	for (size_t i = 0; i < r->s->source_count; i++)
		if (i != from && r->sources[i].outcome.rc != 0)
			log_warning("%s", r->sources[i].outcome.err.text);
	return worst;
}

void
refresh_judge_local(const struct refresh *r, struct outcome *o)
{
	const struct state_list *first = &r->state->sources[0].list;

	for (size_t i = 1; i < r->s->source_count; i++) {
		const struct state_list *l = &r->state->sources[i].list;

		if (l->version > 0 && (first->version == 0 || l->expires_s < first->expires_s))
			first = l;
	}
	judge(first, false, r->now_s, o);
}

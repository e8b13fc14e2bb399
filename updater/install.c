#include "updater/install.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/brake.h"
#include "updater/generations.h"
#include "updater/install_tell.h"
#include "updater/list_set.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/pins.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/source.h"

/* Values of sample look-ups; as long as any line. */
#define VALUE_MAX (MTA_VALUE_MAX + 2)

int
install_remember(const struct install *in, struct error *err)
{
	return in->dry_run ? 0 : state_store(in->state_path, &in->state, err);
}

static struct render_options
render_options(const struct install *in)
{
	return (struct render_options){
		.mta = in->s->mta, .recipe = &in->recipe, .rules = in->rules, .now_s = in->now_s};
}

static void
remember_file(struct state_map *m, const char *path)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	(void)stat(path, &st);
	m->inode = (int64_t)st.st_ino;
	m->size = st.st_size;
	m->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Whether the sentinel answers so. */
static bool
sentinel_is(const struct install *in, const char *file, const char *serial)
{
	struct error ignored = {0};
	struct buf value;
	bool ok;

	buf_init(&value, VALUE_MAX);
	ok = map_find(in->s->kind, file, MAP_SENTINEL, &value, &ignored) > 0 &&
		strcmp(buf_str(&value), serial) == 0;
	buf_clear(&value);
	return ok;
}

const char *
install_stale(const struct install *in)
{
	const struct state_map *m = &in->state.map;
	struct state_map now;
	int64_t now_s = in->now_s;
	char rules[sizeof(m->rules)], digest[65], serial[STATE_SERIAL_SIZE];
	struct list_set present;

	if (in->s->report_only)
		return m->path == NULL ? NULL : "in force, and the mode is report-only";
	if (m->path == NULL || strcmp(m->path, in->s->map_file) != 0)
		return "not installed yet";
	list_set_present(in->s, &in->state, &present);
	list_set_digest(&present, digest);
	if (strcmp(m->sha256, digest) != 0)
		return in->s->source_count > 1 ? "made of other lists" : "made of another list";
	if (m->recipe == NULL || strcmp(m->recipe, in->recipe.text) != 0)
		return "made for another configuration";
	rules_digest(in->rules, now_s, rules);
	if (strcmp(m->rules, rules) != 0)
		return "made by other rules";
	if (m->next_end_s != 0 && m->next_end_s <= now_s)
		return "entries have run out";
	/* What had run out then is in force now, and may go before what stood in for it. */
	if ((m->left_run_out > 0 || in->s->source_count > 1) && m->rendered_s > now_s)
		return "made in the future";
	remember_file(&now, m->path);
	if (now.inode != m->inode || now.size != m->size || now.mtime_ns != m->mtime_ns)
		return "changed by somebody else";
	state_serial(m, serial);
	if (!sentinel_is(in, m->path, serial))
		return "damaged";
	if (!pins_are(in->s, serial))
		return "the maps of pinned domains are not those of its list";
	return NULL;
}

/* The new map must answer before it may stand in for the old one: to this program, and to the mail
 * server's own tool. */
static int
check_map(const struct install *in, const struct render_target *t, const char *serial, struct error *err)
{
	const struct mta *mta = in->s->mta;
	const char *file = map_writer_path(t->map);
	bool have_tool = mta->ask != NULL;
	struct buf value;
	int rc = 0;

	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; rc >= 0 && i <= t->sample_count; i++) {
		const char *key = i == 0 ? MAP_SENTINEL : t->samples[i - 1].key;
		const char *want = i == 0 ? serial : t->samples[i - 1].value;

		buf_reset(&value);
		rc = map_find(in->s->kind, file, key, &value, err);
		if (rc >= 0 && (rc == 0 || strcmp(buf_str(&value), want) != 0))
			rc = error_set(err, ERROR_TEMP, "%s: the new map does not answer for %s",
				in->s->map_file, key);
		if (rc > 0 && have_tool) {
			rc = mta->ask(in->s, file, key, want, err);
			have_tool = rc <= 0;
		}
	}
	buf_clear(&value);
	return rc < 0 ? error_prefix(err, "not installed") : 0;
}

int
install_reload(struct install *in, struct error *err)
{
	if (!in->state.reload_due || in->dry_run || in->s->mta->reload == NULL)
		return 0;
	if (in->s->mta->reload(in->s, err) < 0)
		return error_prefix(err, "the map is installed, but");
	in->state.reload_due = false;
	return install_remember(in, err);
}

/* --- lists and map ------------------------------------------------------------------------------
 */

/* What a map is to be made of, and what came of it. */
struct making {
	struct install *in;
	struct render_list lists[SOURCES_MAX];
	char before[SOURCES_MAX][65]; /* lists[].sha256 */
	struct install_next *next;    /* NULL: none is to follow */
	bool back;                    /* to an earlier set, which counts only once its map is in place */
	struct render_options options;
	struct render_said said[SOURCES_MAX];
	struct render_counts counts;
	struct list_set set; /* of those that were taken */
	char serial[LIST_SET_SERIAL_SIZE];
};

/* The list of a source that counts from now on; "": none. */
static const char *
taken(const struct making *m, size_t i)
{
	return m->lists[i].next[0] != '\0' && m->said[i].rc == 0 ? m->lists[i].next : m->lists[i].sha256;
}

static int
take_list(const struct making *m, size_t i, struct error *err)
{
	struct state_source *source = &m->in->state.sources[i];
	const struct list_header *header = &m->said[i].header;
	const char *sha256 = taken(m, i);
	char *path = source_list_path(m->in->s->state_dir, sha256);
	struct stat st;
	int rc = stat(path, &st) < 0 ? error_set_errno(err, ERROR_TEMP, "%s", path) : 0;

	free(path);
	if (rc < 0)
		return -1;
	source->list = (struct state_list){.version = header->version,
		.length = st.st_size,
		.timestamp_s = header->timestamp_s,
		.expires_s = header->expires_s,
		.confirmed_since_s = header->confirmed_since_s};
	(void)snprintf(source->list.sha256, sizeof(source->list.sha256), "%s", sha256);
	if (sha256 != m->lists[i].next)
		return 0;
	source->undone[0] = '\0';
	(void)snprintf(source->anchor, sizeof(source->anchor), "%s", m->next[i].anchor);
	return 0;
}

/* The lists count from here on. The set that counted before is one to go back to, unless a list of it was
 * damaged. */
static int
take_lists(const struct making *m, struct error *err)
{
	struct state *state = &m->in->state;
	struct state_generation before, after;
	bool whole = true;

	generations_present(state, &before);
	for (size_t i = 0; i < state->source_count; i++) {
		const struct state_list *l = &state->sources[i].list;

		whole = whole && (l->version == 0 || l->sha256[0] != '\0');
		if (taken(m, i)[0] == '\0' && state->sources[i].list.sha256[0] != '\0')
			memset(&state->sources[i].list, 0, sizeof(state->sources[i].list));
		else if (m->said[i].header.version > 0 && take_list(m, i, err) < 0)
			return -1;
	}
	generations_present(state, &after);
	if (whole && !generations_equal(&before, &after))
		generations_step(state, &before, &after, (size_t)m->in->s->keep);
	return 0;
}

/* Puts a finished and checked map in place. The lists it was made of count from here on. */
static int
install_map(const struct making *making, struct map_writer *w, struct error *err)
{
	struct install *in = making->in;
	struct state_map *m = &in->state.map;
	char serial[STATE_SERIAL_SIZE];
	bool other;

	state_serial(m, serial);
	other = strcmp(serial, making->serial) != 0;
	if (take_lists(making, err) < 0)
		return -1;
	if (in->s->kind->needs_reload && in->s->reload)
		in->state.reload_due = true;
	/* Killed behind this, the next run makes the map again from these lists; or, where nobody was told that
	 * undo has gone back, from those of before. */
	if (!making->back && state_store(in->state_path, &in->state, err) < 0)
		return -1;
	if (map_writer_install(w, other && m->path != NULL, err) < 0)
		return -1;
	state_set(&m->path, in->s->map_file);
	state_set(&m->recipe, in->recipe.text);
	state_set(&m->serial, making->set.alone ? NULL : making->serial);
	list_set_digest(&making->set, m->sha256);
	m->version = in->state.sources[0].list.version;
	m->rendered_s = in->now_s;
	if (other)
		m->since_s = in->now_s;
	install_note_counts(&in->state, &making->counts);
	rules_digest(in->rules, in->now_s, m->rules);
	remember_file(m, m->path);
	in->state.dane = in->recipe.dane;
	return state_store(in->state_path, &in->state, err);
}

/* Maps without entries in the place of those that are in force; what was there is kept beside them. */
static int
empty_maps(const struct install *in, struct error *err)
{
	struct pins *pins = NULL;
	int rc;

	if (map_empty(in->s->kind, in->s->map_file, err) < 0)
		return -1;
	rc = pins_wanted(in->s) ? pins_open(in->s, in->now_s, &pins, err) : 0;
	if (rc == 0 && pins != NULL)
		rc = pins_finish(pins, "0", err);
	if (rc == 0 && pins != NULL)
		rc = pins_install(pins, err);
	pins_free(pins);
	return rc;
}

int
install_withdraw(struct install *in, struct error *err)
{
	struct state_map *m = &in->state.map;

	if (m->path == NULL)
		return 0;
	if (strcmp(m->path, in->s->map_file) != 0)
		return error_set(err, ERROR_CONFIG,
			"report-only: %s was installed here and is still in force, while [install] path "
			"says %s: name that one until it is taken out of force",
			m->path, in->s->map_file);
	log_warning("report-only: %s %s: %" PRId64 " domains that were enforced no longer are (mode = "
		    "enforce brings them back)",
		m->path, in->dry_run ? "would be emptied" : "is emptied", m->lines);
	if (in->dry_run)
		return 0;
	if (empty_maps(in, err) < 0)
		return error_prefix(err, "report-only");
	state_set(&m->path, NULL);
	state_set(&m->recipe, NULL);
	state_set(&m->serial, NULL);
	memset(m, 0, sizeof(*m));
	if (in->s->kind->needs_reload && in->s->reload)
		in->state.reload_due = true;
	return install_remember(in, err);
}

static int
may_follow(void *arg, size_t i, struct list_reader *list, struct error *err)
{
	const struct making *m = arg;
	const struct install *in = m->in;
	const struct brake brake = {.s = in->s,
		.source = &in->s->sources[i],
		.here = &m->next[i].here,
		.options = &m->options,
		.dir = ".",
		.sha256 = m->next[i].sha256,
		.installed = in->state.map.path != NULL,
		.allow_churn = in->allow_churn,
		.now_s = in->now_s};

	return brake_ask(&brake, list, err);
}

static int
may_follow_all(void *arg, struct render_said *said, struct error *err)
{
	const struct making *m = arg;
	const struct brake_all brake = {
		.s = m->in->s, .options = &m->options, .dir = ".", .lists = m->lists};

	return brake_ask_all(&brake, said, err);
}

static int
open_maps(void *arg, struct render_target *target, struct error *err)
{
	const struct install *in = arg;

	if (map_writer_open(in->s->kind, in->s->map_file, &target->map, err) < 0)
		return -1;
	return pins_wanted(in->s) ? pins_open(in->s, in->now_s, &target->pins, err) : 0;
}

/* now: of each source the list that is to count, "" of none, where next has no other. */
static void
begin_making(struct install *in, const struct state_generation *now, struct install_next *next,
	struct making *out)
{
	memset(out, 0, sizeof(*out));
	out->in = in;
	out->next = next;
	out->options = render_options(in);
	for (size_t i = 0; i < in->s->source_count; i++) {
		const struct state_member *m = generations_member(now, in->s->sources[i].name);

		if (m != NULL)
			(void)snprintf(out->before[i], sizeof(out->before[i]), "%s", m->list.sha256);
		out->lists[i] = (struct render_list){.source = &in->s->sources[i],
			.sha256 = out->before[i],
			.next = next != NULL ? next[i].sha256 : ""};
	}
}

/* Has the lists read: their lines go to the target, unless that is NULL. As render_worker(). */
static int
read_lists(struct making *m, struct render_target *target, struct error *err)
{
	struct install *in = m->in;
	struct install_left left = {0};
	/* One list alone has no others. */
	const bool together = in->s->source_count > 1 && in->state.map.path != NULL && !in->allow_churn;
	const struct render_work work = {.list_dir = in->s->state_dir,
		.lists = m->lists,
		.list_count = in->s->source_count,
		.user = &in->user,
		.time_ms = in->s->sandbox_time_s * INT64_C(1000),
		.options = &m->options,
		.check = may_follow,
		.check_all = together ? may_follow_all : NULL,
		.check_arg = m,
		.begin = target != NULL ? open_maps : NULL,
		.begin_arg = in};
	char rules[sizeof(in->state.map.rules)];
	int rc;

	rules_digest(in->rules, in->now_s, rules);
	left.loud = strcmp(rules, in->state.map.rules) != 0;
	m->options.on_left = install_tell_left;
	m->options.on_left_arg = &left;
	rc = render_worker(&work, target, m->said, &m->counts, err);
	m->options.on_left_arg = NULL;
	if (rc < 0)
		return -1;
	list_set_begin(in->s, &m->set);
	for (size_t i = 0; i < in->s->source_count; i++) {
		const int64_t version = m->said[i].header.version;

		list_set_add(&m->set, &in->s->sources[i],
			version > 0 ? version : in->state.sources[i].list.version, taken(m, i));
		if (m->next != NULL) {
			m->next[i].rc = m->said[i].rc;
			m->next[i].err = m->said[i].err;
		}
	}
	list_set_serial(&m->set, m->serial);
	return rc;
}

/* Makes the map, and puts it in place. */
static int
make(struct making *m, struct error *err)
{
	struct install *in = m->in;
	struct render_target target = {.map = NULL};
	int rc = read_lists(m, &target, err);

	if (rc <= 0)
		goto out;
	rc = -1;
	render_end(&target, m->serial);
	if (map_writer_finish(target.map, err) < 0 || check_map(in, &target, m->serial, err) < 0 ||
		(target.pins != NULL && pins_finish(target.pins, m->serial, err) < 0))
		goto out;
	install_tell(in, &m->set, &m->counts);
	install_tell_lost(in, &m->counts);
	install_tell_moved(in);
	if (in->dry_run) {
		rc = 0;
		goto out;
	}
	if (install_map(m, target.map, err) < 0)
		goto out;
	/* A domain that is no longer pinned is in the new map already. */
	rc = target.pins != NULL ? pins_install(target.pins, err) : 0;
	if (rc < 0)
		error_prefix(err, "the map is installed, but");
	else
		rc = install_reload(in, err);
out:
	render_target_clear(&target);
	pins_free(target.pins);
	map_writer_free(target.map);
	return rc;
}

int
install_generation(struct install *in, const struct state_generation *g, struct error *err)
{
	struct making m;

	begin_making(in, g, NULL, &m);
	m.back = true;
	return make(&m, err);
}

int
install_next(struct install *in, struct install_next *next, struct error *err)
{
	struct state_generation present;
	struct making m;

	generations_present(&in->state, &present);
	begin_making(in, &present, next, &m);
	return make(&m, err);
}

int
install_again(struct install *in, struct error *err)
{
	return install_next(in, NULL, err);
}

int
install_accept(struct install *in, struct install_next *next, struct error *err)
{
	struct state_generation present;
	struct making m;
	struct buf text;

	generations_present(&in->state, &present);
	begin_making(in, &present, next, &m);
	if (read_lists(&m, NULL, err) < 0)
		return -1;
	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_format(&m.set, &text);
	log_info("report-only: %s; nothing is installed", buf_str(&text));
	buf_clear(&text);
	if (in->dry_run)
		return 0;
	return take_lists(&m, err) < 0 ? -1 : install_remember(in, err);
}

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
#include "updater/generations.h"
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
/* Additions without a line that are named one by one. */
#define NAMED_MAX 10

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

/* Whether the sentinel answers, with this version. */
static bool
sentinel_is(const struct install *in, const char *file, int64_t version)
{
	struct error ignored = {0};
	struct buf value;
	char want[24];
	bool ok;

	(void)snprintf(want, sizeof(want), "%" PRId64, version);
	buf_init(&value, VALUE_MAX);
	ok = map_find(in->s->kind, file, MAP_SENTINEL, &value, &ignored) > 0 &&
		strcmp(buf_str(&value), want) == 0;
	buf_clear(&value);
	return ok;
}

const char *
install_stale(const struct install *in)
{
	const struct state_map *m = &in->state.map;
	struct state_map now;
	int64_t now_s = in->now_s;
	char rules[sizeof(m->rules)];

	if (in->s->report_only)
		return m->path == NULL ? NULL : "in force, and the mode is report-only";
	if (m->path == NULL || strcmp(m->path, in->s->map_file) != 0)
		return "not installed yet";
	if (strcmp(m->sha256, in->state.sources[0].list.sha256) != 0)
		return "made of another list";
	if (m->recipe == NULL || strcmp(m->recipe, in->recipe.text) != 0)
		return "made for another configuration";
	rules_digest(in->rules, now_s, rules);
	if (strcmp(m->rules, rules) != 0)
		return "made by other rules";
	if (m->next_end_s != 0 && m->next_end_s <= now_s)
		return "entries have run out";
	if (m->left_run_out > 0 && m->rendered_s > now_s)
		return "made in the future";
	remember_file(&now, m->path);
	if (now.inode != m->inode || now.size != m->size || now.mtime_ns != m->mtime_ns)
		return "changed by somebody else";
	if (!sentinel_is(in, m->path, m->version))
		return "damaged";
	if (!pins_are(in->s, m->version))
		return "the maps of pinned domains are not those of its list";
	return NULL;
}

/* The new map must answer before it may stand in for the old one: to this program, and to the mail
 * server's own tool. */
static int
check_map(const struct install *in, const struct render_target *t, const struct list_header *header,
	struct error *err)
{
	const struct mta *mta = in->s->mta;
	const char *file = map_writer_path(t->map);
	bool have_tool = mta->ask != NULL;
	char version[24];
	struct buf value;
	int rc = 0;

	(void)snprintf(version, sizeof(version), "%" PRId64, header->version);
	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; rc >= 0 && i <= t->sample_count; i++) {
		const char *key = i == 0 ? MAP_SENTINEL : t->samples[i - 1].key;
		const char *want = i == 0 ? version : t->samples[i - 1].value;

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

/* Rules that are new are spoken of once, where cron hears it. */
struct left_additions {
	bool loud;
	int64_t count;
};

static void
name_addition(void *arg, const struct overlay_entry *e, enum choice choice)
{
	struct left_additions *left = arg;
	char text[400];

	if (left->count++ >= NAMED_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%.100s:%" PRId64 ": add %s: line: %s", e->rule->file,
		e->rule->line, e->rule->domain, choice_why_left(choice));
	if (left->loud)
		log_warning("%s", text);
	else
		log_info("%s", text);
}

static void
say_what_changed(
	const struct install *in, const struct list_header *header, const struct render_counts *c)
{
	const struct state_map *m = &in->state.map;

	log_info("%s %s: list %" PRId64 ", %" PRId64 " lines; left out: %" PRId64
		 " testing, %" PRId64 " run out, %" PRId64 " DANE only (%s), %" PRId64
		 " with too many names",
		in->s->map_file, in->dry_run ? "would be installed" : "to be installed",
		header->version, render_lines(c), c->choices[CHOICE_LEFT_TESTING],
		c->choices[CHOICE_LEFT_RUN_OUT], c->choices[CHOICE_LEFT_DANE], in->recipe.why_dane,
		c->choices[CHOICE_LEFT_LONG]);
	if (c->choices[CHOICE_PINNED] > 0)
		log_info("%" PRId64 " of them are pinned to the one server that they name",
			c->choices[CHOICE_PINNED]);
	if (c->choices[CHOICE_WIDER] > 0)
		log_info("%" PRId64 " of them may be reached %s", c->choices[CHOICE_WIDER],
			in->s->mta->wider);
	if (c->choices[CHOICE_LEFT_EXCEPTED] + c->added + c->early > 0)
		log_info("by your rules: %" PRId64 " excepted, %" PRId64 " added (%" PRId64
			 " in place of an entry), %" PRId64 " enforced though in testing mode",
			c->choices[CHOICE_LEFT_EXCEPTED], c->added, c->added_listed, c->early);
	/* What was protected and no longer is must not go unsaid. */
	if (m->lines_dane > 0 && !in->recipe.dane && c->choices[CHOICE_LEFT_DANE] > 0)
		log_warning("%" PRId64
			    " domains lose their protection: they have DANE only, and %s",
			c->choices[CHOICE_LEFT_DANE], in->recipe.why_dane);
}

/* The list counts from here on. */
static int
take_list(struct install *in, const struct list_header *header, const char *sha256,
	struct error *err)
{
	struct state_list *l = &in->state.sources[0].list;
	char *path = source_list_path(in->s->state_dir, sha256);
	struct state_generation before;
	struct stat st;
	int rc = stat(path, &st) < 0 ? error_set_errno(err, ERROR_TEMP, "%s", path) : 0;

	free(path);
	if (rc < 0)
		return -1;
	if (strcmp(l->sha256, sha256) != 0) {
		generations_present(&in->state, &before);
		generations_push(&in->state, &before, 1);
	}
	*l = (struct state_list){.version = header->version,
		.length = st.st_size,
		.timestamp_s = header->timestamp_s,
		.expires_s = header->expires_s,
		.confirmed_since_s = header->confirmed_since_s};
	(void)snprintf(l->sha256, sizeof(l->sha256), "%s", sha256);
	if (in->anchor[0] != '\0')
		(void)snprintf(in->state.sources[0].anchor, sizeof(in->state.sources[0].anchor), "%s", in->anchor);
	return 0;
}

/* Puts a finished and checked map in place. The list it was made of counts from here on. */
static int
install_map(struct install *in, struct map_writer *w, const struct list_header *header,
	const char *sha256, const struct render_counts *c, struct error *err)
{
	struct state_map *m = &in->state.map;
	bool other = m->version != header->version;

	if (take_list(in, header, sha256, err) < 0)
		return -1;
	if (in->s->kind->needs_reload && in->s->reload)
		in->state.reload_due = true;
	/* Killed behind this, the next run makes the map again from this list. */
	if (state_store(in->state_path, &in->state, err) < 0)
		return -1;
	if (map_writer_install(w, other && m->path != NULL, err) < 0)
		return -1;
	state_set(&m->path, in->s->map_file);
	state_set(&m->recipe, in->recipe.text);
	(void)snprintf(m->sha256, sizeof(m->sha256), "%s", sha256);
	m->version = header->version;
	m->rendered_s = in->now_s;
	if (other)
		m->since_s = in->now_s;
	m->lines = render_lines(c);
	m->lines_dane = c->choices[CHOICE_DANE] + c->choices[CHOICE_ANY];
	m->lines_wider = c->choices[CHOICE_WIDER];
	m->lines_pinned = c->choices[CHOICE_PINNED];
	m->left_testing = c->choices[CHOICE_LEFT_TESTING];
	m->left_run_out = c->choices[CHOICE_LEFT_RUN_OUT];
	m->left_dane = c->choices[CHOICE_LEFT_DANE];
	m->left_long = c->choices[CHOICE_LEFT_LONG];
	m->left_excepted = c->choices[CHOICE_LEFT_EXCEPTED];
	m->lines_added = c->added;
	m->lines_added_listed = c->added_listed;
	m->lines_early = c->early;
	m->left_added = c->left_added;
	rules_digest(in->rules, in->now_s, m->rules);
	m->next_end_s = c->next_end_s;
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
		rc = pins_finish(pins, 0, err);
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
	memset(m, 0, sizeof(*m));
	if (in->s->kind->needs_reload && in->s->reload)
		in->state.reload_due = true;
	return install_remember(in, err);
}

/* Whether to go on with a list in place of the one that counts, by how many lines would go or come:
 * 0 go on; 1 the brake holds (err says why); -1. after is read to its end. */
static int
brake(const struct install *in, const char *before_path, struct list_reader *after,
	struct error *err)
{
	struct render_options options = render_options(in);
	struct render_change c;
	struct list_reader *before = NULL;
	struct error why = {0};
	int rc = 0;

	if (in->state.map.path == NULL || in->state.sources[0].list.sha256[0] == '\0')
		return 0;
	if (source_list_intact(before_path, in->state.sources[0].list.sha256, &why) < 0 ||
		list_reader_open(before_path, &before, &why) < 0) {
		log_warning("cannot compare with the installed list: %s", why.text);
		goto out;
	}
	rc = render_compare(before, after, &options, &c, err);
	if (rc < 0)
		goto out;
	log_info("of %" PRId64 " domains %" PRId64 " would go, %" PRId64 " would be new", c.before,
		c.gone, c.fresh);
	if (in->allow_churn || c.before == 0)
		goto out;
	if (c.gone > in->s->gone_min && c.gone * 100 > c.before * in->s->gone_percent) {
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would drop %" PRId64 " of %" PRId64
			" domains; the old map stands (--allow-churn installs it)",
			list_reader_header(after)->version, c.gone, c.before);
		rc = 1;
	} else if (c.fresh > in->s->new_min && c.fresh * 100 > c.before * in->s->new_percent) {
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would add %" PRId64 " domains to %" PRId64
			"; the old map stands (--allow-churn installs it)",
			list_reader_header(after)->version, c.fresh, c.before);
		rc = 1;
	}
out:
	list_reader_close(before);
	return rc;
}

/* What is asked of a list that is to follow another one. */
struct question {
	const struct install *in;
	const struct source_here *here;
	const char *sha256;
};

static int
may_follow(void *arg, struct list_reader *list, struct error *err)
{
	const struct question *q = arg;
	char *before = source_list_path(".", q->in->state.sources[0].list.sha256);
	int rc = source_check_list(
		q->here, list_reader_header(list), q->sha256, q->in->now_s, err);

	if (rc == 0)
		rc = brake(q->in, before, list, err);
	free(before);
	return rc;
}

static int
open_maps(void *arg, struct render_target *target, struct error *err)
{
	const struct install *in = arg;

	if (map_writer_open(in->s->kind, in->s->map_file, &target->map, err) < 0)
		return -1;
	return pins_wanted(in->s) ? pins_open(in->s, in->now_s, &target->pins, err) : 0;
}

/* Has the list read: its lines go to the target, unless that is NULL. See install_list() for here. */
static int
read_list(struct install *in, const struct source_here *here, const char *sha256,
	struct render_target *target, struct list_header *header, struct render_counts *counts,
	struct error *err)
{
	struct question question = {in, here, sha256};
	struct left_additions left = {0};
	struct render_options options = render_options(in);
	const struct render_work work = {.list_dir = in->s->state_dir,
		.sha256 = sha256,
		.other = here != NULL ? in->state.sources[0].list.sha256 : "",
		.user = &in->user,
		.time_ms = in->s->sandbox_time_s * INT64_C(1000),
		.options = &options,
		.check = here != NULL ? may_follow : NULL,
		.check_arg = &question,
		.begin = target != NULL ? open_maps : NULL,
		.begin_arg = in};
	char rules[sizeof(in->state.map.rules)];

	rules_digest(in->rules, in->now_s, rules);
	left.loud = strcmp(rules, in->state.map.rules) != 0;
	options.on_left = name_addition;
	options.on_left_arg = &left;
	return render_worker(&work, target, header, counts, err);
}

int
install_list(struct install *in, const struct source_here *here, const char *sha256,
	struct error *err)
{
	struct render_target target = {.map = NULL};
	struct render_counts counts;
	struct list_header header;
	int rc = read_list(in, here, sha256, &target, &header, &counts, err);

	if (rc != 0)
		goto out;
	rc = -1;
	render_end(&target, header.version);
	if (map_writer_finish(target.map, err) < 0 || check_map(in, &target, &header, err) < 0 ||
		(target.pins != NULL && pins_finish(target.pins, header.version, err) < 0))
		goto out;
	if (here != NULL)
		in->state.sources[0].undone[0] = '\0';
	say_what_changed(in, &header, &counts);
	if (in->dry_run) {
		rc = 0;
		goto out;
	}
	if (install_map(in, target.map, &header, sha256, &counts, err) < 0)
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
install_accept(struct install *in, const struct source_here *here, const char *sha256,
	struct error *err)
{
	struct render_counts nothing;
	struct list_header header;
	int rc = read_list(in, here, sha256, NULL, &header, &nothing, err);

	if (rc != 0)
		return rc;
	in->state.sources[0].undone[0] = '\0';
	log_info("report-only: list %" PRId64 " is here; nothing is installed", header.version);
	if (in->dry_run)
		return 0;
	if (take_list(in, &header, sha256, err) < 0)
		return -1;
	return install_remember(in, err);
}

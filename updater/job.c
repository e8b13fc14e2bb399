#include "updater/job.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/list_fetch.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/render.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/tuf_client.h"

/* A list from so far in the future is told: clocks differ by seconds. */
#define CLOCK_BEHIND_S INT64_C(3600)
#define DIR_MODE       0755
/* Values of sample look-ups; as long as any line. */
#define VALUE_MAX (MTA_VALUE_MAX + 2)

struct job {
	const struct update_settings *s;
	const struct job_options *options;
	struct recipe recipe;
	struct state state;
	char *state_path;
	char anchor[65]; /* SHA-256 of the configured root file */
	int64_t floor;   /* no list of a lower version is taken */
	bool frozen;     /* every mirror's metadata has expired, or worse */
};

/* --- paths --------------------------------------------------------------------------------------
 */

char *
job_state_path(const struct update_settings *s)
{
	return xasprintf("%s/state.json", s->state_dir);
}

char *
job_list_path(const struct update_settings *s, const char *sha256)
{
	return xasprintf("%s/list-%s.json", s->state_dir, sha256);
}

char *
job_metadata_dir(const struct update_settings *s)
{
	return xasprintf("%s/metadata", s->state_dir);
}

static int
save(struct job *j, struct error *err)
{
	return j->options->dry_run ? 0 : state_store(j->state_path, &j->state, err);
}

/* --- the map ------------------------------------------------------------------------------------
 */

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
sentinel_is(const struct job *j, const char *file, int64_t version)
{
	struct error ignored = {0};
	struct buf value;
	char want[24];
	bool ok;

	(void)snprintf(want, sizeof(want), "%" PRId64, version);
	buf_init(&value, VALUE_MAX);
	ok = map_find(j->s->kind, file, MAP_SENTINEL, &value, &ignored) > 0 &&
		strcmp(buf_str(&value), want) == 0;
	buf_clear(&value);
	return ok;
}

/* Whether the installed map is what the list that counts and the recipe make of it now. NULL: it
 * is; else why not. */
static const char *
map_is_stale(const struct job *j)
{
	const struct state_map *m = &j->state.map;
	struct state_map now;
	int64_t now_s = j->options->now_s;

	if (m->path == NULL || strcmp(m->path, j->s->map_file) != 0)
		return "not installed yet";
	if (strcmp(m->sha256, j->state.list.sha256) != 0)
		return "made of another list";
	if (m->recipe == NULL || strcmp(m->recipe, j->recipe.text) != 0)
		return "made for another configuration";
	if (m->next_end_s != 0 && m->next_end_s <= now_s)
		return "entries have run out";
	if (m->left_run_out > 0 && m->rendered_s > now_s)
		return "made in the future";
	remember_file(&now, m->path);
	if (now.inode != m->inode || now.size != m->size || now.mtime_ns != m->mtime_ns)
		return "changed by somebody else";
	if (!sentinel_is(j, m->path, m->version))
		return "damaged";
	return NULL;
}

/* The new map must answer before it may stand in for the old one: to this program, and to the mail
 * server's own tool. */
static int
check_map(const struct job *j, const char *file, const struct list_header *header,
	const struct render_result *r, struct error *err)
{
	const struct mta *mta = j->s->mta;
	bool have_tool = mta->ask != NULL;
	char version[24];
	struct buf value;
	int rc = 0;

	(void)snprintf(version, sizeof(version), "%" PRId64, header->version);
	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; rc >= 0 && i <= r->sample_count; i++) {
		const char *key = i == 0 ? MAP_SENTINEL : r->samples[i - 1].key;
		const char *want = i == 0 ? version : r->samples[i - 1].value;

		buf_reset(&value);
		rc = map_find(j->s->kind, file, key, &value, err);
		if (rc >= 0 && (rc == 0 || strcmp(buf_str(&value), want) != 0))
			rc = error_set(err, ERROR_TEMP, "%s: the new map does not answer for %s",
				j->s->map_file, key);
		if (rc > 0 && have_tool) {
			rc = mta->ask(j->s, file, key, want, err);
			have_tool = rc <= 0;
		}
	}
	buf_clear(&value);
	return rc < 0 ? error_prefix(err, "not installed") : 0;
}

static int
reload(struct job *j, struct error *err)
{
	if (!j->state.reload_due || j->options->dry_run || j->s->mta->reload == NULL)
		return 0;
	if (j->s->mta->reload(j->s, err) < 0)
		return error_prefix(err, "the map is installed, but");
	j->state.reload_due = false;
	return save(j, err);
}

static void
say_what_changed(
	const struct job *j, const struct list_header *header, const struct render_result *r)
{
	const struct state_map *m = &j->state.map;

	log_info("%s %s: list %" PRId64 ", %" PRId64 " lines; left out: %" PRId64
		 " testing, %" PRId64 " run out, %" PRId64 " DANE only (%s), %" PRId64
		 " with too many names",
		j->s->map_file, j->options->dry_run ? "would be installed" : "to be installed",
		header->version, render_lines(r), r->choices[CHOICE_LEFT_TESTING],
		r->choices[CHOICE_LEFT_RUN_OUT], r->choices[CHOICE_LEFT_DANE], j->recipe.why_dane,
		r->choices[CHOICE_LEFT_LONG]);
	if (r->choices[CHOICE_WIDER] > 0)
		log_info("%" PRId64 " of them may be reached %s", r->choices[CHOICE_WIDER],
			j->s->mta->wider);
	/* What was protected and no longer is must not go unsaid. */
	if (m->lines_dane > 0 && !j->recipe.dane && r->choices[CHOICE_LEFT_DANE] > 0)
		log_warning("%" PRId64
			    " domains lose their protection: they have DANE only, and %s",
			r->choices[CHOICE_LEFT_DANE], j->recipe.why_dane);
}

/* Puts a finished and checked map in place. The list it was made of counts from here on. */
static int
install_map(struct job *j, struct map_writer *w, const struct list_header *header,
	const char *sha256, int64_t length, const struct render_result *r, struct error *err)
{
	struct state_list *l = &j->state.list;
	struct state_map *m = &j->state.map;
	bool other = m->version != header->version;

	if (l->sha256[0] != '\0' && strcmp(l->sha256, sha256) != 0)
		j->state.previous = *l;
	*l = (struct state_list){.version = header->version,
		.length = length,
		.timestamp_s = header->timestamp_s,
		.expires_s = header->expires_s,
		.confirmed_since_s = header->confirmed_since_s};
	(void)snprintf(l->sha256, sizeof(l->sha256), "%s", sha256);
	if (j->anchor[0] != '\0')
		(void)snprintf(j->state.anchor, sizeof(j->state.anchor), "%s", j->anchor);
	if (j->s->kind->needs_reload && j->s->reload)
		j->state.reload_due = true;
	/* Killed behind this, the next run makes the map again from this list. */
	if (state_store(j->state_path, &j->state, err) < 0)
		return -1;
	if (map_writer_install(w, other && m->path != NULL, err) < 0)
		return -1;
	state_set(&m->path, j->s->map_file);
	state_set(&m->recipe, j->recipe.text);
	(void)snprintf(m->sha256, sizeof(m->sha256), "%s", sha256);
	m->version = header->version;
	m->rendered_s = j->options->now_s;
	if (other)
		m->since_s = j->options->now_s;
	m->lines = render_lines(r);
	m->lines_dane = r->choices[CHOICE_DANE] + r->choices[CHOICE_ANY];
	m->lines_wider = r->choices[CHOICE_WIDER];
	m->left_testing = r->choices[CHOICE_LEFT_TESTING];
	m->left_run_out = r->choices[CHOICE_LEFT_RUN_OUT];
	m->left_dane = r->choices[CHOICE_LEFT_DANE];
	m->left_long = r->choices[CHOICE_LEFT_LONG];
	m->next_end_s = r->next_end_s;
	remember_file(m, m->path);
	j->state.dane = j->recipe.dane;
	return state_store(j->state_path, &j->state, err);
}

static struct render_options
render_options(const struct job *j)
{
	return (struct render_options){
		.mta = j->s->mta, .recipe = &j->recipe, .now_s = j->options->now_s};
}

/* Makes a map of a list file that was verified, and installs it. */
static int
make_map(struct job *j, const char *list_path, const char *sha256, struct error *err)
{
	struct render_options options = render_options(j);
	struct render_result result;
	struct list_reader *list = NULL;
	struct map_writer *w = NULL;
	struct stat st;
	int rc = -1;

	memset(&result, 0, sizeof(result));
	if (list_reader_open(list_path, &list, err) < 0 ||
		map_writer_open(j->s->kind, j->s->map_file, &w, err) < 0 ||
		render(list, &options, w, &result, err) < 0 || map_writer_finish(w, err) < 0 ||
		check_map(j, map_writer_path(w), list_reader_header(list), &result, err) < 0)
		goto out;
	say_what_changed(j, list_reader_header(list), &result);
	if (j->options->dry_run) {
		rc = 0;
		goto out;
	}
	if (stat(list_path, &st) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s", list_path);
		goto out;
	}
	if (install_map(j, w, list_reader_header(list), sha256, st.st_size, &result, err) < 0)
		goto out;
	rc = reload(j, err);
out:
	render_result_clear(&result);
	map_writer_free(w);
	list_reader_close(list);
	return rc;
}

/* Whether the file holds the bytes it is named after. */
static bool
list_is_intact(const char *path, const char *sha256, struct error *why)
{
	struct tuf_file seen;

	if (tuf_file_of_path(path, &seen, why) < 0)
		return false;
	if (strcmp(seen.sha256, sha256) == 0)
		return true;
	error_set(why, ERROR_SECURITY, "%s: altered since it was verified", path);
	return false;
}

/* Step 1: what is here already, before any network. */
static int
refresh_local(struct job *j, struct error *err)
{
	const char *why;
	char *path, sha256[sizeof(j->state.list.sha256)];
	struct error damage = {0};
	int rc = 0;

	if (j->state.list.version == 0 || j->state.list.sha256[0] == '\0')
		return 0;
	why = map_is_stale(j);
	if (why == NULL)
		return 0;
	log_info("%s: %s", j->s->map_file, why);
	path = job_list_path(j->s, j->state.list.sha256);
	if (!list_is_intact(path, j->state.list.sha256, &damage)) {
		/* Fetched again below; its version still forbids going back. */
		log_warning("%s", damage.text);
		j->state.list.sha256[0] = '\0';
	} else {
		/* A copy: installing writes the state anew. */
		(void)snprintf(sha256, sizeof(sha256), "%s", j->state.list.sha256);
		rc = make_map(j, path, sha256, err);
	}
	free(path);
	return rc;
}

/* --- the list -----------------------------------------------------------------------------------
 */

/* Makes sure that the list that the repository announces is here. 1: it is another one than the one
 * that counts; 0: the same. */
static int
obtain(struct job *j, struct tuf_client *c, struct fetch *fetch, const char *base,
	struct tuf_file *said, struct error *err)
{
	struct error ignored = {0};
	struct list_here here;
	char *path, *here_path;
	int rc = 1;

	if (tuf_client_target(c, LIST_TARGET, said) == 0)
		return error_set(err, ERROR_SECURITY, "the repository has no " LIST_TARGET);
	if (said->sha256[0] == '\0')
		return error_set(err, ERROR_SECURITY, LIST_TARGET ": announced without SHA-256");
	if (said->length > j->s->list_max)
		return error_set(err, ERROR_SECURITY,
			LIST_TARGET ": announced with %" PRId64 " bytes, more than list_max allows",
			said->length);
	if (strcmp(said->sha256, j->state.undone) == 0 && !j->options->allow_churn) {
		log_info("the newest list was undone here: waiting for another one (--allow-churn "
			 "takes it nevertheless)");
		return 0;
	}
	path = job_list_path(j->s, said->sha256);
	here_path = job_list_path(j->s, j->state.list.sha256);
	here = (struct list_here){j->state.list.version, here_path, j->state.list.sha256};
	if (strcmp(said->sha256, j->state.list.sha256) == 0 && file_exists(path))
		rc = 0;
	else if (tuf_check_path(said, path, &ignored) < 0 &&
		list_fetch(c, fetch, base, said,
			here.sha256[0] != '\0' && file_exists(here_path) ? &here : NULL, path,
			err) < 0)
		rc = -1;
	free(here_path);
	free(path);
	return rc;
}

/* A list that is signed must still not be older than the one we have, nor expired. */
static int
check_header(
	const struct job *j, const struct list_header *h, const char *sha256, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (h->version < j->floor)
		return error_set(err, ERROR_SECURITY,
			"rollback: list %" PRId64 " is older than list %" PRId64, h->version,
			j->floor);
	if (h->version == j->floor && j->state.list.sha256[0] != '\0' &&
		strcmp(sha256, j->state.list.sha256) != 0)
		return error_set(err, ERROR_SECURITY,
			"another list than before has the version %" PRId64, h->version);
	if (h->expires_s <= j->options->now_s) {
		clock_format(h->expires_s, text);
		return error_set(
			err, ERROR_EXPIRED, "list %" PRId64 " has expired (%s)", h->version, text);
	}
	/* The list is signed: it is our clock that is wrong, and then entries seem to last longer
	 * than they do. The newest list is still the best there is. */
	if (h->timestamp_s - j->options->now_s > CLOCK_BEHIND_S) {
		clock_format(h->timestamp_s, text);
		log_warning("the clock of this machine is behind list %" PRId64 " (%s): set it, or "
			    "entries stay in force for too long",
			h->version, text);
	}
	return 0;
}

/* 0 go on, 1 the brake holds (err says why), -1. */
static int
brake(struct job *j, struct list_reader *after, struct error *err)
{
	struct render_options options = render_options(j);
	struct render_change c;
	struct list_reader *before = NULL;
	struct error why = {0};
	char *path;
	int rc = 0;

	if (j->state.map.path == NULL || j->state.list.sha256[0] == '\0')
		return 0;
	path = job_list_path(j->s, j->state.list.sha256);
	if (!list_is_intact(path, j->state.list.sha256, &why) ||
		list_reader_open(path, &before, &why) < 0) {
		log_warning("cannot compare with the installed list: %s", why.text);
		goto out;
	}
	rc = render_compare(before, after, &options, &c, err);
	if (rc < 0)
		goto out;
	log_info("of %" PRId64 " domains %" PRId64 " would go, %" PRId64 " would be new", c.before,
		c.gone, c.fresh);
	if (j->options->allow_churn || c.before == 0)
		goto out;
	if (c.gone > j->s->gone_min && c.gone * 100 > c.before * j->s->gone_percent) {
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would drop %" PRId64 " of %" PRId64
			" domains; the old map stands (--allow-churn installs it)",
			list_reader_header(after)->version, c.gone, c.before);
		rc = 1;
	} else if (c.fresh > j->s->new_min && c.fresh * 100 > c.before * j->s->new_percent) {
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would add %" PRId64 " domains to %" PRId64
			"; the old map stands (--allow-churn installs it)",
			list_reader_header(after)->version, c.fresh, c.before);
		rc = 1;
	}
out:
	list_reader_close(before);
	free(path);
	return rc;
}

/* Removes the lists that neither count, nor did before, nor are announced, and what killed downloads have left. */
static void
remove_lists(const struct job *j, const char *announced)
{
	DIR *dir = opendir(j->s->state_dir);
	const struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		bool list = str_starts(e->d_name, "list-") && strlen(e->d_name) == 5 + 64 + 5 &&
			strncmp(e->d_name + 5, j->state.list.sha256, 64) != 0 &&
			strncmp(e->d_name + 5, j->state.previous.sha256, 64) != 0 &&
			strncmp(e->d_name + 5, announced, 64) != 0;

		if (list || str_starts(e->d_name, ".list-"))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	(void)closedir(dir);
}

/* A list that was fetched and is what the repository announces. 0, 1 the brake, -1. */
static int
take_list(struct job *j, const struct tuf_file *said, struct error *err)
{
	char *path = job_list_path(j->s, said->sha256);
	struct list_reader *list = NULL;
	int rc;

	rc = list_reader_open(path, &list, err);
	if (rc == 0)
		rc = check_header(j, list_reader_header(list), said->sha256, err);
	if (rc == 0)
		rc = brake(j, list, err);
	if (rc == 0) {
		j->state.undone[0] = '\0';
		rc = make_map(j, path, said->sha256, err);
	}
	/* Signed, and yet no list: nothing the administrator could mend. */
	if (rc < 0 && err->kind == ERROR_INPUT) {
		err->kind = ERROR_SECURITY;
		error_prefix(err, LIST_TARGET " is signed, but not sound");
	}
	list_reader_close(list);
	free(path);
	return rc;
}

/* --- mirrors ------------------------------------------------------------------------------------
 */

/* Fisher-Yates. Chance decides which mirror is asked first, no more: a weak one would do. */
static void
shuffle(size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		uint32_t r = 0;
		size_t k, swap;

		(void)!getrandom(&r, sizeof(r), 0);
		k = r % i;
		swap = order[i - 1];
		order[i - 1] = order[k];
		order[k] = swap;
	}
}

static int
ask_mirror(struct job *j, struct tuf_client *c, struct fetch *fetch, const char *url,
	struct tuf_file *said, struct error *err)
{
	size_t len = strlen(url);
	char *meta, *targets;
	int rc;

	while (len > 0 && url[len - 1] == '/')
		len--;
	meta = xasprintf("%.*s/metadata/", (int)len, url);
	targets = xasprintf("%.*s/targets/", (int)len, url);
	rc = tuf_client_refresh(c, fetch, meta, err);
	if (rc == 0)
		rc = obtain(j, c, fetch, targets, said, err);
	free(meta);
	free(targets);
	return rc;
}

/* How much a failure says: the worst of all mirrors is the one that is told. */
static int
gravity(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CONFIG:
	case ERROR_INPUT:
		return 4;
	case ERROR_SECURITY:
		return 3;
	case ERROR_EXPIRED:
		return 2;
	case ERROR_TEMP:
		return 1;
	case ERROR_NONE:
		break;
	}
	return 0;
}

/* Each mirror until one has it all. 1 a list to take, 0 nothing new, -1. */
static int
ask_mirrors(struct job *j, struct tuf_client *c, struct fetch *fetch, struct tuf_file *said,
	struct error *err)
{
	size_t *order = xcalloc(j->s->url_count, sizeof(*order));
	struct error worst = {0};
	int rc = -1;

	shuffle(order, j->s->url_count);
	for (size_t i = 0; rc < 0 && i < j->s->url_count; i++) {
		struct error why = {0};
		const char *url = update_settings_url(j->s, order[i]);

		rc = ask_mirror(j, c, fetch, url, said, &why);
		if (rc >= 0)
			break;
		log_info("%s: %s", url, why.text);
		if (gravity(why.kind) > gravity(worst.kind))
			worst = why;
	}
	free(order);
	if (rc < 0)
		*err = worst;
	else if (worst.kind == ERROR_SECURITY)
		log_warning("another mirror had to be asked: %s", worst.text);
	return rc;
}

/* Which anchor the list that counts was taken under is kept with it: under another one its version
 * forbids nothing. */
static int
read_anchor(struct job *j, struct error *err)
{
	struct tuf_file anchor;

	if (j->s->url_count == 0)
		return error_set(err, ERROR_CONFIG, "no [source] url is configured");
	if (j->s->root == NULL)
		return error_set(err, ERROR_CONFIG, "no [source] root is configured");
	if (tuf_file_of_path(j->s->root, &anchor, err) < 0)
		return error_prefix(err, "root");
	(void)snprintf(j->anchor, sizeof(j->anchor), "%s", anchor.sha256);
	j->floor = j->state.list.version;
	if (j->state.anchor[0] != '\0' && strcmp(j->state.anchor, j->anchor) != 0) {
		log_warning("%s is another root than before: what was trusted under the old one is "
			    "forgotten",
			j->s->root);
		j->floor = 0;
	}
	return 0;
}

static int
update(struct job *j, struct error *err)
{
	char *dir = job_metadata_dir(j->s);
	struct tuf_client *c = NULL;
	struct fetch *fetch = NULL;
	struct tuf_file said;
	int rc = -1;

	if (read_anchor(j, err) < 0 || file_mkdirs(dir, DIR_MODE, err) < 0)
		goto out;
	file_remove_stale_in(dir);
	if (tuf_client_open(dir, j->s->root, j->options->now_s, &c, err) < 0 ||
		fetch_new(&j->s->fetch, &fetch, err) < 0)
		goto out;
	rc = ask_mirrors(j, c, fetch, &said, err);
	if (rc < 0) {
		j->frozen = err->kind == ERROR_EXPIRED;
		goto out;
	}
	if (rc > 0)
		rc = take_list(j, &said, err);
	if (!j->options->dry_run)
		remove_lists(j, said.sha256);
out:
	fetch_free(fetch);
	tuf_client_free(c);
	free(dir);
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
	bool failed = reload(j, &local) < 0;
	int rc;

	if (refresh_local(j, &local) < 0)
		failed = true;
	rc = update(j, err);
	if (!failed || (rc == 0 && !j->state.reload_due && map_is_stale(j) == NULL))
		return rc;
	if (rc < 0 && gravity(err->kind) > gravity(local.kind)) {
		log_warning("%s", local.text);
		return rc;
	}
	if (rc != 0 && strcmp(err->text, local.text) != 0)
		log_warning("%s", err->text);
	j->frozen = false;
	*err = local;
	return -1;
}

/* Sees the failure, or the lack of news, in the light of the installed list's age. */
static int
judge(const struct job *j, int rc, struct error *err)
{
	const struct state_list *l = &j->state.list;
	char text[CLOCK_TEXT_SIZE];

	if (l->version > 0 && l->expires_s <= j->options->now_s) {
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
	} else if (rc < 0 && j->frozen) {
		/* Ours, if any, is good: somebody holds newer metadata back, or the clock is wrong.
		 */
		err->kind = ERROR_SECURITY;
		return error_prefix(err, "freeze, or this clock is wrong");
	}
	return rc;
}

static void
record(struct job *j, int rc, const struct error *err)
{
	struct state *s = &j->state;
	struct error why = {0};

	s->last_run_s = j->options->now_s;
	if (rc == 0) {
		s->last_success_s = j->options->now_s;
	} else {
		s->last_error_s = j->options->now_s;
		s->last_error_code = rc > 0 ? rc : error_exit_code(err);
		state_set(&s->last_error, err->text);
	}
	if (save(j, &why) < 0)
		log_info("%s", why.text);
}

int
job_run(const struct update_settings *s, const struct job_options *options, struct error *err)
{
	struct job j = {.s = s, .options = options};
	struct file_lock *lock = NULL;
	char *lock_path = xasprintf("%s/lock", s->state_dir);
	int rc = -1;

	j.state_path = job_state_path(s);
	if (file_mkdirs(s->state_dir, DIR_MODE, err) < 0 ||
		file_lock_take(lock_path, &lock, err) < 0 ||
		state_load(j.state_path, &j.state, err) < 0)
		goto out;
	file_remove_stale_in(s->state_dir);
	s->mta->decide(s, j.state.map.recipe, &j.recipe);
	rc = judge(&j, work(&j, err), err);
	record(&j, rc, err);
out:
	state_clear(&j.state);
	file_lock_free(lock);
	free(lock_path);
	free(j.state_path);
	return rc;
}

int
job_undo(const struct update_settings *s, int64_t now_s, int64_t *version, struct error *err)
{
	const struct job_options options = {.now_s = now_s};
	struct job j = {.s = s, .options = &options};
	struct file_lock *lock = NULL;
	char *lock_path = xasprintf("%s/lock", s->state_dir), *path = NULL;
	struct state_list back;
	int rc = -1;

	j.state_path = job_state_path(s);
	if (file_mkdirs(s->state_dir, DIR_MODE, err) < 0 ||
		file_lock_take(lock_path, &lock, err) < 0 ||
		state_load(j.state_path, &j.state, err) < 0)
		goto out;
	back = j.state.previous;
	if (back.sha256[0] == '\0') {
		error_set(err, ERROR_CONFIG, "there is no earlier list to go back to");
		rc = 1;
		goto out;
	}
	path = job_list_path(s, back.sha256);
	if (!list_is_intact(path, back.sha256, err))
		goto out;
	(void)snprintf(j.state.undone, sizeof(j.state.undone), "%s", j.state.list.sha256);
	s->mta->decide(s, j.state.map.recipe, &j.recipe);
	rc = make_map(&j, path, back.sha256, err);
	if (rc == 0) {
		memset(&j.state.previous, 0, sizeof(j.state.previous));
		*version = back.version;
		rc = save(&j, err);
	}
out:
	state_clear(&j.state);
	file_lock_free(lock);
	free(path);
	free(lock_path);
	free(j.state_path);
	return rc;
}

int
job_make_empty_map(const struct update_settings *s, struct error *err)
{
	struct map_writer *w = NULL;
	struct file_lock *lock = NULL;
	char *lock_path = xasprintf("%s/lock", s->state_dir);
	int rc = -1;

	if (file_mkdirs(s->state_dir, DIR_MODE, err) < 0 ||
		file_lock_take(lock_path, &lock, err) < 0)
		goto out;
	if (file_exists(s->map_file)) {
		rc = 0;
		goto out;
	}
	if (map_writer_open(s->kind, s->map_file, &w, err) < 0)
		goto out;
	map_writer_add(w, MAP_SENTINEL, "0", 1);
	if (map_writer_finish(w, err) == 0 && map_writer_install(w, false, err) == 0)
		rc = 1;
out:
	map_writer_free(w);
	file_lock_free(lock);
	free(lock_path);
	return rc;
}

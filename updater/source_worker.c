#include "updater/source_worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/fetch_file.h"
#include "updater/freshness.h"
#include "updater/list_fetch.h"
#include "updater/replay.h"
#include "updater/source.h"
#include "updater/worker.h"
#include "updater/workdir.h"

#define DIR_MODE  0755
#define FILE_MODE 0644
/* The name of the trust anchor inside. */
#define ANCHOR "trust-anchor"
/* Octets of a file of CA certificates. */
#define CA_MAX ((size_t)16 * 1024 * 1024)

/* The files of trusted metadata, in the order in which they may be replaced: at no time does an old
 * one stand beside a root that did not see it. */
enum { META_ROOT, META_ANCHOR, META_TIMESTAMP, META_SNAPSHOT, META_TARGETS, META_COUNT };
static const struct {
	const char *name;
	size_t max;
	enum tuf_role role; /* the anchor is a root, too */
} metadata[META_COUNT] = {
	[META_ROOT] = {"root.json", TUF_ROOT_MAX, TUF_ROLE_ROOT},
	[META_ANCHOR] = {"anchor", TUF_ROOT_MAX, TUF_ROLE_ROOT},
	[META_TIMESTAMP] = {"timestamp.json", TUF_TIMESTAMP_MAX, TUF_ROLE_TIMESTAMP},
	[META_SNAPSHOT] = {"snapshot.json", TUF_SNAPSHOT_MAX, TUF_ROLE_SNAPSHOT},
	[META_TARGETS] = {"targets.json", TUF_TARGETS_MAX, TUF_ROLE_TARGETS},
};

/* What the process reports: a length below 0 is of a file that is not there. */
struct report {
	struct reported {
		int64_t length;
		char sha256[65];
	} metadata[META_COUNT], list;
	int64_t root, snapshot, targets, first_root; /* as in struct source_found */
	struct reported roots[TUF_ROOTS_MAX];        /* that were kept, from first_root on */
};

#define ROOT_NAME ".root.json"

struct errand {
	const struct source *outside;
	struct source inside;
	struct source_here here; /* inside */
	int64_t now_s;
	/* Opened and read before. */
	struct fetch_options fetch;
	struct fetch_tree *trees;
	int *tree_fds;
	size_t tree_count;
	struct buf ca;
	struct workdir *dir;
	char *dir_path;         /* owned */
	struct tuf_file anchor; /* as it lies there */
	struct replay *replay; /* what is new goes there; NULL: it is taken over */
};

/* --- inside -------------------------------------------------------------------------------------
 */

static void
report_file(const struct tuf_file *file, struct reported *out)
{
	out->length = file->length;
	memcpy(out->sha256, file->sha256, sizeof(out->sha256));
}

/* A root that was kept; frees its path. */
static void
report_path(char *path, struct reported *out)
{
	struct tuf_file file;
	struct error why = {0};

	out->length = -1;
	if (file_exists(path) && tuf_file_of_path(path, &file, &why) == 0)
		report_file(&file, out);
	else if (why.kind != ERROR_NONE)
		log_warning("%s", why.text);
	free(path);
}

/* How many roots were kept. */
static size_t
root_count(int64_t first, int64_t last)
{
	return first > 0 && last >= first && last - first < TUF_ROOTS_MAX
		? (size_t)(last - first) + 1
		: 0;
}

static int
refresh(void *arg, struct buf *out, struct error *err)
{
	const struct errand *e = arg;
	const char *dir = e->inside.metadata_dir;
	struct report *report = xcalloc(1, sizeof(*report));
	struct source_found found;
	int rc = source_refresh(&e->inside, &e->here, e->now_s, &found, err);

	/* Nothing is trusted, so nothing has changed. */
	if (!found.opened) {
		free(report);
		return rc;
	}
	report_file(&found.list, &report->list);
	/* As it was verified, not as the files are now: others of this user could have changed them. */
	for (size_t i = 0; i < META_COUNT; i++)
		report_file(i == META_ANCHOR ? &found.anchor : &found.metadata[metadata[i].role],
			&report->metadata[i]);
	report->root = found.root;
	report->snapshot = found.snapshot;
	report->targets = found.targets;
	report->first_root = found.first_root;
	for (size_t i = 0; i < root_count(found.first_root, found.root); i++)
		report_path(xasprintf("%s/%" PRId64 ROOT_NAME, dir, found.first_root + (int64_t)i),
			&report->roots[i]);
	(void)buf_add(out, report, sizeof(*report));
	free(report);
	return rc;
}

/* --- before -------------------------------------------------------------------------------------
 */

/* Folders on this machine that are mirrors. They may lie below others that are closed to whom the
 * process becomes. One that is missing stands as closed in the list. */
static void
open_trees(struct errand *e)
{
	const struct source *s = e->outside;

	e->trees = xcalloc(s->url_count + 1, sizeof(*e->trees));
	e->tree_fds = xcalloc(s->url_count + 1, sizeof(*e->tree_fds));
	if (s->mirror != NULL) {
		e->trees[0] = *s->mirror;
		e->trees[0].path = xstrdup(s->mirror->path);
		e->trees[0].fd = s->mirror->fd < 0 ? -1 : fcntl(s->mirror->fd, F_DUPFD_CLOEXEC, 0);
		e->tree_fds[e->tree_count++] = e->trees[0].fd;
		return;
	}
	for (size_t i = 0; i < s->url_count; i++) {
		char *path = fetch_file_is_url(s->urls[i]) ? fetch_file_path(s->urls[i]) : NULL;
		int fd;

		if (path == NULL)
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		e->trees[e->tree_count] = (struct fetch_tree){.path = path, .fd = fd};
		e->tree_fds[e->tree_count++] = fd;
	}
}

/* What cannot be read here is asked for, and complained of, inside. */
static void
read_ca(struct errand *e)
{
	struct error ignored = {0};
	const char *path = e->fetch.ca_file;

	buf_init(&e->ca, CA_MAX);
	if (path != NULL && file_read_if_exists(path, &e->ca, &ignored) > 0)
		e->fetch.ca = &e->ca;
}

static int
link_lists(const struct errand *e, struct error *err)
{
	DIR *dir = opendir(e->outside->list_dir);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", e->outside->list_dir);
	while (rc >= 0 && (entry = readdir(dir)) != NULL) {
		char *path;

		if (!source_is_list_name(entry->d_name))
			continue;
		path = xasprintf("%s/%s", e->outside->list_dir, entry->d_name);
		rc = workdir_link(e->dir, path, entry->d_name, err);
		free(path);
	}
	(void)closedir(dir);
	return rc < 0 ? -1 : 0;
}

static char *
metadata_path(const struct errand *e, size_t i)
{
	return xasprintf("%s/%s", e->outside->metadata_dir, metadata[i].name);
}

static int
copy_metadata(const struct errand *e, size_t i, struct error *err)
{
	char *path = metadata_path(e, i);
	struct error why = {0};
	int rc = workdir_put(e->dir, path, WORKDIR_KNOWN, metadata[i].name, metadata[i].max, &why);

	free(path);
	if (rc >= 0)
		return 0;
	/* Too large to be one of ours: as none. */
	if (i >= META_TIMESTAMP && why.kind == ERROR_INPUT) {
		log_info("%s: not used", why.text);
		return 0;
	}
	*err = why;
	return -1;
}

static int
fill(struct errand *e, const struct confine_user *user, struct error *err)
{
	const char *root = e->outside->root;
	char *path;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < META_COUNT; i++)
		rc = copy_metadata(e, i, err);
	if (rc < 0 || link_lists(e, err) < 0)
		return -1;
	rc = workdir_put(e->dir, root, WORKDIR_TOP, ANCHOR, TUF_ROOT_MAX, err);
	if (rc == 0) {
		errno = ENOENT;
		rc = error_set_errno(err, ERROR_CONFIG, "%s", root);
	}
	if (rc < 0)
		return -1;
	path = xasprintf("%s/" ANCHOR, e->dir_path);
	rc = tuf_file_of_path(path, &e->anchor, err);
	free(path);
	return rc < 0 ? -1 : workdir_give(e->dir, user, err);
}

/* --- behind -------------------------------------------------------------------------------------
 */

/* What was reported, looked at: a length below 0 is of a file that is not there. */
struct taken {
	struct tuf_file metadata[META_COUNT];
	struct tuf_file roots[TUF_ROOTS_MAX];
	size_t root_count;
	struct source_found found;
};

static int
check_reported(const struct reported *r, int64_t max, struct tuf_file *out, struct error *err)
{
	uint8_t digest[32];

	memset(out, 0, sizeof(*out));
	if (memchr(r->sha256, '\0', sizeof(r->sha256)) == NULL || strlen(r->sha256) != 64 ||
		str_unhex(r->sha256, 64, digest, sizeof(digest)) < 0 || r->length < 0 ||
		r->length > max)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported a file that cannot be");
	out->hashes = true;
	out->length = r->length;
	/* Anew, in lower case. */
	str_hex(digest, sizeof(digest), out->sha256);
	return 0;
}

/* All of it, before any file is taken. rc: what the process has answered; of a list it speaks only
 * when it has not failed. */
static int
check_report(const struct errand *e, const struct buf *text, int rc, struct taken *out,
	struct error *err)
{
	struct report report;

	memset(out, 0, sizeof(*out));
	if (text->len != sizeof(report))
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported what is no report");
	memcpy(&report, text->data, sizeof(report));
	for (size_t i = 0; i < META_COUNT; i++) {
		const struct reported *r = &report.metadata[i];

		out->metadata[i].length = -1;
		if (r->length >= 0 && check_reported(r, (int64_t)metadata[i].max,
					      &out->metadata[i], err) < 0)
			return -1;
	}
	if (out->metadata[META_ANCHOR].length != e->anchor.length ||
		strcmp(out->metadata[META_ANCHOR].sha256, e->anchor.sha256) != 0)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported another trust anchor than it was given");
	if (report.root < 0 || report.snapshot < 0 || report.targets < 0 || report.first_root < 0 ||
		report.root > TUF_INT_MAX || report.snapshot > TUF_INT_MAX ||
		report.targets > TUF_INT_MAX || report.first_root > report.root)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported a version that cannot be");
	out->found.root = report.root;
	out->found.snapshot = report.snapshot;
	out->found.targets = report.targets;
	out->found.first_root = report.first_root;
	out->root_count = e->inside.keep_roots ? root_count(report.first_root, report.root) : 0;
	for (size_t i = 0; i < out->root_count; i++)
		if (check_reported(&report.roots[i], (int64_t)TUF_ROOT_MAX, &out->roots[i], err) < 0)
			return -1;
	return rc < 0 ? 0
		      : check_reported(&report.list, e->outside->list_max, &out->found.list, err);
}

static int
remove_metadata(const struct errand *e, size_t i, struct error *err)
{
	char *path = metadata_path(e, i);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot remove", path);
	free(path);
	return rc;
}

/* Whether it is there, and is another one than outside. */
static bool
is_new(const struct errand *e, size_t i, const struct tuf_file *said)
{
	char *path = metadata_path(e, i);
	struct error ignored = {0};
	bool new = said->length >= 0 && tuf_check_path(said, path, &ignored) < 0;

	free(path);
	return new;
}

/* Where one of the metadata lies inside; *name: as what. What was trusted before was not written anew. */
static enum workdir_part
part_of(const struct errand *e, size_t i, const struct tuf_file *said, const char **name)
{
	char *path = xasprintf("%s/" WORKDIR_KNOWN_NAME "/%s", e->dir_path, metadata[i].name);
	struct error ignored = {0};
	bool known = tuf_check_path(said, path, &ignored) == 0;

	free(path);
	*name = i == META_ANCHOR ? ANCHOR : metadata[i].name;
	return i == META_ANCHOR ? WORKDIR_TOP : known ? WORKDIR_KNOWN : WORKDIR_METADATA;
}

/* Those that lead from another trust anchor lead nowhere. */
static int
remove_roots(const char *metadata_dir, struct error *err)
{
	DIR *dir = opendir(metadata_dir);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", metadata_dir);
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (str_ends(entry->d_name, ROOT_NAME) && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			rc = error_set_errno(err, ERROR_TEMP, "%s/%s: cannot remove", metadata_dir,
				entry->d_name);
	(void)closedir(dir);
	return rc;
}

/* Before the root that they lead to. */
static int
take_roots(const struct errand *e, const struct taken *t, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->root_count; i++) {
		char *name = xasprintf("%" PRId64 ROOT_NAME, t->found.first_root + (int64_t)i);
		char *path = xasprintf("%s/%s", e->outside->metadata_dir, name);

		rc = workdir_take(
			e->dir, WORKDIR_METADATA, name, &t->roots[i], path, FILE_MODE, err);
		free(path);
		free(name);
	}
	return rc;
}

static int
take_metadata(const struct errand *e, const struct taken *t, struct error *err)
{
	/* Under another root all begins anew, here too: it may have taken new keys to get rid of what
	 * the old ones had signed. */
	bool other_anchor = is_new(e, META_ANCHOR, &t->metadata[META_ANCHOR]);
	bool start_over = other_anchor || is_new(e, META_ROOT, &t->metadata[META_ROOT]);
	int rc = 0;

	if (other_anchor && e->outside->keep_roots)
		rc = remove_roots(e->outside->metadata_dir, err);
	if (rc == 0)
		rc = take_roots(e, t, err);
	for (size_t i = META_TIMESTAMP; rc == 0 && i < META_COUNT; i++)
		if (start_over || t->metadata[i].length < 0)
			rc = remove_metadata(e, i, err);
	for (size_t i = 0; rc == 0 && i < META_COUNT; i++) {
		enum workdir_part part;
		const char *name;
		char *path;

		if (!is_new(e, i, &t->metadata[i]))
			continue;
		part = part_of(e, i, &t->metadata[i], &name);
		path = metadata_path(e, i);
		rc = workdir_take(e->dir, part, name, &t->metadata[i], path, FILE_MODE, err);
		free(path);
	}
	return rc;
}

static int
take_list(const struct errand *e, const struct tuf_file *said, struct error *err)
{
	char *path = source_list_path(e->outside->list_dir, said->sha256);
	char *name = source_list_name(said->sha256);
	struct error ignored = {0};
	int rc = 0;

	/* It may have been here: fetched once, and not installed. */
	if (tuf_check_path(said, path, &ignored) < 0)
		rc = workdir_take(e->dir, WORKDIR_FETCHED, name, said, path, FILE_MODE, err);
	free(name);
	free(path);
	return rc;
}

/* --- handing it on ------------------------------------------------------------------------------
 */

/* A file of the metadata, by its version too, as it is asked for where snapshots are consistent. */
static int
hand_on_role(const struct errand *e, const struct taken *t, size_t i, int64_t version, struct error *err)
{
	char *to = xasprintf("metadata/%s", metadata[i].name);
	char *other = xasprintf("metadata/%" PRId64 ".%s", version, metadata[i].name);
	const char *name;
	enum workdir_part part = part_of(e, i, &t->metadata[i], &name);
	int rc = replay_add(e->replay, e->dir, part, name, &t->metadata[i], to, err);

	if (rc == 0 && version > 0)
		rc = replay_also(e->replay, to, other, err);
	free(other);
	free(to);
	return rc;
}

static int
hand_on_roots(const struct errand *e, const struct taken *t, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->root_count; i++) {
		char *name = xasprintf("%" PRId64 ROOT_NAME, t->found.first_root + (int64_t)i);
		char *to = xasprintf("metadata/%s", name);

		rc = replay_add(e->replay, e->dir, WORKDIR_METADATA, name, &t->roots[i], to, err);
		free(to);
		free(name);
	}
	return rc;
}

/* The list, unless it was here. */
static int
hand_on_list(const struct errand *e, const struct tuf_file *said, struct error *err)
{
	char *here = source_list_path(e->outside->list_dir, said->sha256);
	char *name = source_list_name(said->sha256);
	char *other = xasprintf("targets/%s." LIST_TARGET, said->sha256);
	struct error ignored = {0};
	int rc = 0;

	if (tuf_check_path(said, here, &ignored) < 0) {
		rc = replay_add(e->replay, e->dir, WORKDIR_FETCHED, name, said, "targets/" LIST_TARGET, err);
		if (rc == 0)
			rc = replay_also(e->replay, "targets/" LIST_TARGET, other, err);
	}
	free(other);
	free(name);
	free(here);
	return rc;
}

/* What is new, and what leads to it. Nothing is: the folder is not made. Whatever is not there was not new, or not
 * fetched. */
static int
hand_on(const struct errand *e, const struct taken *t, int rc, struct error *err)
{
	const int64_t versions[META_COUNT] = {
		[META_SNAPSHOT] = t->found.snapshot, [META_TARGETS] = t->found.targets};
	bool start_over = is_new(e, META_ANCHOR, &t->metadata[META_ANCHOR]) ||
		is_new(e, META_ROOT, &t->metadata[META_ROOT]);
	bool news = start_over || rc > 0;
	char *path;

	for (size_t i = META_TIMESTAMP; i < META_COUNT; i++)
		news = news || is_new(e, i, &t->metadata[i]);
	if (!news)
		return 0;
	path = xasprintf("%s/replay", e->outside->list_dir);
	if (replay_open(path, e->replay, err) < 0 || hand_on_roots(e, t, err) < 0) {
		free(path);
		return -1;
	}
	free(path);
	for (size_t i = META_TIMESTAMP; i < META_COUNT; i++) {
		/* Where it has failed, an old one may be there that another is announced for. */
		bool wanted = i == META_TIMESTAMP || is_new(e, i, &t->metadata[i]) ||
			(start_over && rc >= 0);

		if (wanted && t->metadata[i].length >= 0 && hand_on_role(e, t, i, versions[i], err) < 0)
			return -1;
	}
	return rc > 0 ? hand_on_list(e, &t->found.list, err) : 0;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static int
take_over(const struct errand *e, const struct taken *t, int rc, struct error *err)
{
	if (e->replay != NULL)
		return hand_on(e, t, rc, err);
	if (take_metadata(e, t, err) < 0)
		return -1;
	return rc > 0 ? take_list(e, &t->found.list, err) : 0;
}

/* What a process has found is not taken, and why; it has failed itself (rc, err) or not. One that lies has no say in
 * what the matter is. -1. */
static int
not_taken(int rc, const struct error *why, struct error *err)
{
	if (rc < 0 && why->kind != ERROR_SECURITY) {
		log_info("%s", why->text);
		return -1;
	}
	if (rc < 0)
		log_info("%s", err->text);
	*err = *why;
	return -1;
}

/* What was proved is kept whatever came of the rest: rc, with err. */
static int
take(const struct errand *e, const struct buf *text, int rc, struct source_found *found,
	struct error *err)
{
	struct error why = {0};
	struct taken taken;

	/* It has not come so far, or it is gone and so is what it has said. */
	if (rc < 0 && text->len == 0)
		return rc;
	if (check_report(e, text, rc, &taken, &why) == 0 && take_over(e, &taken, rc, &why) == 0) {
		if (rc >= 0)
			*found = taken.found;
		return rc;
	}
	return not_taken(rc, &why, err);
}

static int
run(struct errand *e, const struct confine_user *user, int64_t time_ms, struct source_found *found,
	struct error *err)
{
	const struct source *s = e->outside;
	char *meta = xasprintf("%s/", s->metadata_dir), *lists = xasprintf("%s/", s->list_dir);
	const struct worker_name names[] = {{WORKDIR_METADATA_NAME "/", meta},
		{WORKDIR_KNOWN_NAME "/", meta},
		{WORKDIR_FETCHED_NAME "/", lists}, {"./", lists}, {ANCHOR, s->root}};
	struct worker w = {.what = s->mirror == NULL ? "fetching" : "verifying",
		.confine = {.user = *user,
			.dir = workdir_fd(e->dir),
			.network = s->mirror == NULL,
			.trees = e->tree_fds,
			.tree_count = e->tree_count},
		.time_ms = time_ms,
		.names = names,
		.name_count = ARRAY_LEN(names),
		.work = refresh,
		.arg = e};
	struct buf text;
	int rc;

	w.confine.writable = workdir_writable(e->dir, &w.confine.writable_count);
	buf_init(&text, sizeof(struct report));
	rc = worker_run(&w, &text, err);
	rc = take(e, &text, rc, found, err);
	buf_clear(&text);
	free(lists);
	free(meta);
	return rc;
}

/* One process. replay: where it leaves what it has found for another one; NULL: it is taken over. */
static int
send_out(const struct source *s, const struct source_here *here, const struct confine_user *user,
	int64_t time_ms, int64_t now_s, struct replay *replay, struct source_found *found, struct error *err)
{
	struct errand e = {.outside = s, .inside = *s, .here = *here, .now_s = now_s, .replay = replay};
	int rc = -1;

	memset(found, 0, sizeof(*found));
	e.dir_path = xasprintf("%s/work", s->list_dir);
	e.fetch = *s->fetch;
	open_trees(&e);
	read_ca(&e);
	e.fetch.trees = e.trees;
	e.fetch.tree_count = e.tree_count;
	e.inside.fetch = &e.fetch;
	e.inside.root = ANCHOR;
	e.inside.list_dir = WORKDIR_FETCHED_NAME;
	e.inside.metadata_dir = WORKDIR_METADATA_NAME;
	e.inside.known_dir = WORKDIR_KNOWN_NAME;
	e.inside.keep_roots = s->keep_roots || replay != NULL;
	e.here.dir = ".";
	if (file_mkdirs(s->metadata_dir, DIR_MODE, err) < 0)
		goto out;
	file_remove_stale_in(s->metadata_dir);
	if (workdir_open(e.dir_path, &e.dir, err) == 0 && fill(&e, user, err) == 0)
		rc = run(&e, user, time_ms, found, err);
out:
	workdir_close(e.dir);
	for (size_t i = 0; i < e.tree_count; i++) {
		if (e.trees[i].fd >= 0)
			(void)close(e.trees[i].fd);
		free((char *)(uintptr_t)e.trees[i].path);
	}
	free(e.trees);
	free(e.tree_fds);
	buf_clear(&e.ca);
	free(e.dir_path);
	return rc;
}

/* What the first one says counts where it has failed, as long as it has not lied; where not, what the second one
 * does. */
static int
verify(const struct source *s, const struct source_here *here, const struct confine_user *user,
	int64_t time_ms, int64_t now_s, const struct replay *replay, int rc, struct source_found *found,
	struct error *err)
{
	const char *const urls[] = {replay->url};
	struct source again = *s;
	struct error why = {0};
	int verified;

	again.urls = urls;
	again.url_count = ARRAY_LEN(urls);
	again.mirror = &replay->tree;
	verified = send_out(&again, here, user, time_ms, now_s, NULL, found, &why);
	if (verified >= 0)
		return rc < 0 ? -1 : verified;
	error_prefix(&why, "what was fetched, verified anew");
	return not_taken(rc, &why, err);
}

/* Nothing new: which is what one would say, too, who holds it back. */
static int
check_fresh(const struct source *s, const struct confine_user *user, int64_t time_ms, int64_t now_s,
	struct error *err)
{
	int rc = freshness_check(s->metadata_dir, user, time_ms, now_s, err);

	if (rc == 0)
		rc = error_set(err, ERROR_SECURITY,
			"the sandboxed process has found nothing new where nothing is known");
	return rc < 0 ? -1 : 0;
}

int
source_worker_refresh(const struct source *s, const struct source_here *here,
	const struct confine_user *user, int64_t time_ms, int64_t now_s, struct source_found *found,
	struct error *err)
{
	struct replay replay = {.tree = {.fd = -1}};
	int rc;

	/* What comes from no network is verified once. */
	if (s->mirror != NULL)
		return send_out(s, here, user, time_ms, now_s, NULL, found, err);
	rc = send_out(s, here, user, time_ms, now_s, &replay, found, err);
	if (replay.tree.fd >= 0)
		rc = verify(s, here, user, time_ms, now_s, &replay, rc, found, err);
	else if (rc >= 0)
		rc = check_fresh(s, user, time_ms, now_s, err);
	replay_close(&replay);
	return rc;
}

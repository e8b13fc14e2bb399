#include "export/repository_verify.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/gitlog.h"
#include "export/key_scan.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/repository_private.h"
#include "export/tuf_metadata.h"
#include "export/unzstd.h"

#define LIST "list.json"
#define ZSTD "list.json.zst"
/* Files below targets/ that are looked at; publish leaves far fewer. */
#define FILES_MAX 100000

/* A file of one commit. */
struct file {
	char *path; /* owned */
	char id[GIT_COMMIT_SIZE];
	bool signed_for; /* targets.json names it */
};

struct files {
	struct file *list; /* sorted by path */
	size_t count;
};

struct verify {
	struct gitlog *log;
	const char *where; /* the commit, or what else the problems belong to */
	repository_problem *say;
	void *arg;
	struct repository_verdict *verdict;
	int64_t now_s;

	/* As of the commit before, as far as it was good. */
	struct tuf_meta *meta[TUF_ROLE_COUNT];
	char ids[TUF_ROLE_COUNT][GIT_COMMIT_SIZE]; /* of their files; the root's is the newest */
	char (*roots)[GIT_COMMIT_SIZE];            /* of each root from version 1 */
	int64_t root_count;
	int64_t list_version;
	char list_id[GIT_COMMIT_SIZE];
	struct files before, now;

	char (*commits)[GIT_COMMIT_SIZE]; /* whose targets were read; sorted when all were */
	size_t commit_count;
	FILE *list; /* a temporary file for the list that is looked at */
};

/* --- telling ------------------------------------------------------------------------------------
 */

/* A problem of the repository is said (0), one of this run ends it (-1). */
static int
problem(struct verify *v, struct error *err)
{
	char *line;

	if (err->kind == ERROR_TEMP || err->kind == ERROR_CONFIG)
		return -1;
	v->verdict->problems++;
	if (err->kind == ERROR_SECURITY)
		v->verdict->security = true;
	line = xasprintf("%.10s: %s", v->where, err->text);
	v->say(v->arg, line);
	free(line);
	error_clear(err);
	return 0;
}

/* --- contents -----------------------------------------------------------------------------------
 */

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	struct buf *b = arg;

	if (buf_add(b, data, len) < 0)
		return error_set(err, ERROR_SECURITY, "larger than %zu bytes", b->max);
	return 0;
}

/* Where the contents of a target go at once. */
struct reading {
	struct key_scan scan;
	struct tuf_check *check; /* NULL: nothing is said of it */
	struct unzstd *unzstd;   /* NULL: not packed */
	struct tuf_check *plain; /* of what it unpacks to */
	FILE *copy;              /* NULL: none */
};

static int
on_plain(void *arg, const void *data, size_t len, struct error *err)
{
	return tuf_check_add(((struct reading *)arg)->plain, data, len, err);
}

static int
on_read(void *arg, const void *data, size_t len, struct error *err)
{
	struct reading *r = arg;

	key_scan_add(&r->scan, data, len);
	if ((r->check != NULL && tuf_check_add(r->check, data, len, err) < 0) ||
		(r->unzstd != NULL && unzstd_add(r->unzstd, data, len, err) < 0))
		return -1;
	if (r->copy != NULL && fwrite(data, 1, len, r->copy) != len)
		return error_set_errno(err, ERROR_TEMP, "temporary file");
	return 0;
}

/* Reads a file and says what is wrong with it; path is for that. */
static int
read_file(struct verify *v, const char *path, const char *id, struct reading *r, struct error *err)
{
	int rc = gitlog_read(v->log, id, on_read, r, err);

	if (rc == 0 && r->check != NULL)
		rc = tuf_check_end(r->check, err);
	if (rc == 0 && r->unzstd != NULL)
		rc = unzstd_end(r->unzstd, err);
	if (rc == 0 && r->plain != NULL)
		rc = tuf_check_end(r->plain, err);
	if (rc == 0 && r->scan.found)
		rc = error_set(
			err, ERROR_SECURITY, "holds a private key: it is no secret any more");
	return rc < 0 ? error_prefix(err, "%s", path) : 0;
}

/* --- metadata -----------------------------------------------------------------------------------
 */

static char *
meta_path(enum tuf_role role, int64_t version)
{
	if (role == TUF_ROLE_TIMESTAMP)
		return xstrdup(REPOSITORY_METADATA "/timestamp.json");
	return xasprintf(REPOSITORY_METADATA "/%" PRId64 ".%s.json", version, tuf_role_name(role));
}

/* Reads and parses one file that must be there, be what is said of it (NULL: nothing), and be
 * signed by root's keys (NULL: its own). */
static int
read_meta(struct verify *v, enum tuf_role role, int64_t version, const struct tuf_file *said,
	const struct tuf_meta *root, struct tuf_meta **out, char id[static GIT_COMMIT_SIZE],
	struct error *err)
{
	char *path = meta_path(role, version);
	struct tuf_file plain;
	struct tuf_meta *m = NULL;
	struct buf text;
	int rc = -1;

	*out = NULL;
	buf_init(&text, tuf_role_max(role));
	if (gitlog_find(v->log, path, id) == 0) {
		error_set(err, ERROR_INPUT, "not there");
		goto out;
	}
	if (gitlog_read(v->log, id, into_buf, &text, err) < 0)
		goto out;
	if (said != NULL) {
		plain = *said;
		if (plain.length < 0)
			plain.length = (int64_t)text.len;
		if (tuf_check_data(&plain, text.data, text.len, err) < 0)
			goto out;
	}
	if (tuf_meta_parse(buf_str(&text), text.len, role, &m, err) < 0) {
		err->kind = ERROR_SECURITY;
		goto out;
	}
	if (tuf_meta_verify(m, root != NULL ? root : m, err) < 0)
		goto out;
	if (version > 0 && tuf_meta_version(m) != version) {
		error_set(err, ERROR_SECURITY, "it says version %" PRId64, tuf_meta_version(m));
		goto out;
	}
	*out = m;
	m = NULL;
	rc = 0;
out:
	if (rc < 0)
		error_prefix(err, "%s", path);
	tuf_meta_free(m);
	buf_clear(&text);
	free(path);
	return rc;
}

static void
take_meta(struct verify *v, struct tuf_meta *m, const char *id)
{
	enum tuf_role role = tuf_meta_role(m);

	tuf_meta_free(v->meta[role]);
	v->meta[role] = m;
	memcpy(v->ids[role], id, GIT_COMMIT_SIZE);
}

/* The roots: those known are there and unchanged, and each new one continues the chain. */
static int
check_roots(struct verify *v, struct error *err)
{
	char id[GIT_COMMIT_SIZE];
	struct tuf_meta *m = NULL;

	for (int64_t n = 1; n <= v->root_count; n++) {
		char *path = meta_path(TUF_ROLE_ROOT, n);
		int rc = 0;

		if (gitlog_find(v->log, path, id) == 0)
			rc = error_set(err, ERROR_INPUT, "%s: not there any more", path);
		else if (strcmp(id, v->roots[n - 1]) != 0)
			rc = error_set(
				err, ERROR_SECURITY, "%s: changed after it was published", path);
		free(path);
		if (rc < 0 && problem(v, err) < 0)
			return -1;
	}
	for (;;) {
		int64_t next = v->root_count + 1;
		char *path = meta_path(TUF_ROLE_ROOT, next);
		int there = gitlog_find(v->log, path, id);
		int rc = 0;

		if (there &&
			read_meta(v, TUF_ROLE_ROOT, next, NULL, v->meta[TUF_ROLE_ROOT], &m, id,
				err) < 0)
			rc = -1;
		else if (there && tuf_meta_verify(m, m, err) < 0) {
			tuf_meta_free(m);
			rc = error_prefix(err, "%s", path);
		}
		free(path);
		if (!there)
			return 0;
		if (rc < 0)
			return problem(v, err);
		take_meta(v, m, id);
		v->roots = xreallocarray(v->roots, (size_t)next, sizeof(*v->roots));
		memcpy(v->roots[next - 1], id, sizeof(id));
		v->root_count = next;
	}
}

/* That a file is not older than the last of its role, nor another one of the same version. */
static int
check_progress(const struct verify *v, const struct tuf_meta *m, const char *id, struct error *err)
{
	enum tuf_role role = tuf_meta_role(m);
	const struct tuf_meta *last = v->meta[role];

	if (last == NULL)
		return 0;
	if (tuf_meta_version(m) < tuf_meta_version(last))
		return error_set(err, ERROR_SECURITY,
			"%s: rollback: version %" PRId64 " after %" PRId64, tuf_role_name(role),
			tuf_meta_version(m), tuf_meta_version(last));
	if (tuf_meta_version(m) == tuf_meta_version(last) && strcmp(id, v->ids[role]) != 0)
		return error_set(err, ERROR_SECURITY, "%s: another version %" PRId64 " than before",
			tuf_role_name(role), tuf_meta_version(m));
	return 0;
}

/* timestamp, snapshot, targets. 1 all good, or nothing is published yet; 0 not, and said; -1. */
static int
check_chain(struct verify *v, struct error *err)
{
	static const struct {
		enum tuf_role role;
		const char *name; /* by which the role above names it */
	} steps[] = {{TUF_ROLE_TIMESTAMP, NULL}, {TUF_ROLE_SNAPSHOT, "snapshot.json"},
		{TUF_ROLE_TARGETS, "targets.json"}};
	const struct tuf_meta *above = NULL;
	char id[GIT_COMMIT_SIZE];

	if (v->meta[TUF_ROLE_TIMESTAMP] == NULL &&
		gitlog_find(v->log, REPOSITORY_METADATA "/timestamp.json", id) == 0)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct tuf_file said = {0};
		struct tuf_meta *m;

		if (above != NULL && tuf_meta_find(above, steps[i].name, &said) == 0) {
			error_set(err, ERROR_SECURITY, "%s: says nothing of %s",
				tuf_role_name(tuf_meta_role(above)), steps[i].name);
			return problem(v, err);
		}
		if (read_meta(v, steps[i].role, said.version, above != NULL ? &said : NULL,
			    v->meta[TUF_ROLE_ROOT], &m, id, err) < 0)
			return problem(v, err);
		if (check_progress(v, m, id, err) < 0) {
			tuf_meta_free(m);
			return problem(v, err);
		}
		take_meta(v, m, id);
		above = m;
	}
	return 1;
}

/* --- targets ------------------------------------------------------------------------------------
 */

static void
clear_files(struct files *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->list[i].path);
	free(f->list);
	*f = (struct files){0};
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *
find_file(const struct files *f, const char *path)
{
	struct file key = {.path = (char *)(uintptr_t)path};

	return f->count == 0 ? NULL : bsearch(&key, f->list, f->count, sizeof(key), by_path);
}

static int
add_file(void *arg, const char *path, const char *id, struct error *err)
{
	struct files *f = arg;
	struct file *file;

	if (f->count == FILES_MAX)
		return error_set(
			err, ERROR_INPUT, REPOSITORY_TARGETS ": more than %d files", FILES_MAX);
	f->list = xreallocarray(f->list, f->count + 1, sizeof(*f->list));
	file = &f->list[f->count++];
	*file = (struct file){.path = xstrdup(path)};
	memcpy(file->id, id, sizeof(file->id));
	return 0;
}

static bool
was_there(const struct verify *v, const struct file *file)
{
	const struct file *old = find_file(&v->before, file->path);

	return old != NULL && strcmp(old->id, file->id) == 0;
}

/* The list that was copied: sound, and newer than the one before. */
static int
check_list(struct verify *v, const struct file *file, struct error *err)
{
	struct list_reader *list = NULL;
	const struct list_entry *entry;
	int64_t version = 0;
	int rc = -1;

	if (fflush(v->list) != 0) {
		error_set_errno(err, ERROR_TEMP, "temporary file");
		goto out;
	}
	if (list_reader_open_fd(fileno(v->list), file->path, &list, err) < 0)
		goto out;
	version = list_reader_header(list)->version;
	do
		rc = list_reader_next(list, &entry, err);
	while (rc > 0);
	/* One that was altered and put right again is the same. */
	if (rc == 0 && version <= v->list_version && strcmp(file->id, v->list_id) != 0)
		rc = error_set(err, ERROR_SECURITY,
			"%s: rollback: list %" PRId64 " after list %" PRId64, file->path, version,
			v->list_version);
	if (rc == 0) {
		v->list_version = version;
		memcpy(v->list_id, file->id, sizeof(v->list_id));
	}
out:
	list_reader_close(list);
	return rc;
}

/* A target that the commit before did not have. */
static int
read_target(struct verify *v, const char *name, const struct file *file,
	const struct tuf_file *said, struct error *err)
{
	struct reading r = {.check = tuf_check_new(said)};
	struct tuf_file plain;
	int rc;

	if (strcmp(name, LIST) == 0) {
		rewind(v->list);
		if (ftruncate(fileno(v->list), 0) < 0) {
			rc = error_set_errno(err, ERROR_TEMP, "temporary file");
			goto out;
		}
		r.copy = v->list;
	} else if (strcmp(name, ZSTD) == 0 &&
		tuf_targets_find(v->meta[TUF_ROLE_TARGETS], LIST, &plain) > 0) {
		r.plain = tuf_check_new(&plain);
		r.unzstd = unzstd_new(plain.length, on_plain, &r);
	}
	rc = read_file(v, file->path, file->id, &r, err);
	if (rc == 0 && r.copy != NULL)
		rc = check_list(v, file, err);
out:
	unzstd_free(r.unzstd);
	tuf_check_free(r.plain);
	tuf_check_free(r.check);
	return rc;
}

static int
check_target(struct verify *v, const char *name, const struct tuf_file *said, struct error *err)
{
	const char *slash = strrchr(name, '/');
	int dir = slash != NULL ? (int)(slash + 1 - name) : 0;
	char *hashed =
		xasprintf(REPOSITORY_TARGETS "/%.*s%s.%s", dir, name, said->sha256, name + dir);
	char *plain = xasprintf(REPOSITORY_TARGETS "/%s", name);
	struct file *file = find_file(&v->now, hashed), *people = find_file(&v->now, plain);
	int rc = 0;

	if (file == NULL) {
		rc = error_set(err, ERROR_INPUT, "%s: not there", hashed);
	} else {
		file->signed_for = true;
		if (!was_there(v, file))
			rc = read_target(v, name, file, said, err);
	}
	if (rc < 0)
		rc = problem(v, err);
	if (people != NULL)
		people->signed_for = true;
	if (rc == 0 && file != NULL && (people == NULL || strcmp(people->id, file->id) != 0)) {
		error_set(err, people != NULL ? ERROR_SECURITY : ERROR_INPUT, "%s: %s", plain,
			people != NULL ? "not what its signed copy is" : "not there");
		rc = problem(v, err);
	}
	free(plain);
	free(hashed);
	return rc;
}

/* What lies beside the signed files and was not left by the publication before. */
static int
check_stray(struct verify *v, const struct file *file, struct error *err)
{
	struct reading r = {0};

	if (file->signed_for || was_there(v, file))
		return 0;
	if (read_file(v, file->path, file->id, &r, err) < 0 && problem(v, err) < 0)
		return -1;
	error_set(err, ERROR_SECURITY, "%s: signed by nobody", file->path);
	return problem(v, err);
}

static int
check_targets(struct verify *v, struct error *err)
{
	const char *name;
	struct tuf_file said;
	int rc = 0;

	clear_files(&v->before);
	v->before = v->now;
	v->now = (struct files){0};
	if (gitlog_files(v->log, REPOSITORY_TARGETS, add_file, &v->now, err) < 0 &&
		problem(v, err) < 0)
		return -1;
	if (v->now.count > 0)
		qsort(v->now.list, v->now.count, sizeof(*v->now.list), by_path);
	for (size_t i = 0; rc == 0 && v->meta[TUF_ROLE_TARGETS] != NULL &&
		tuf_targets_nth(v->meta[TUF_ROLE_TARGETS], i, &name, &said);
		i++)
		rc = check_target(v, name, &said, err);
	for (size_t i = 0; rc == 0 && i < v->now.count; i++)
		rc = check_stray(v, &v->now.list[i], err);
	return rc;
}

/* --- the history --------------------------------------------------------------------------------
 */

static int
check_commit(struct verify *v, struct error *err)
{
	int rc;

	v->where = gitlog_commit(v->log);
	v->verdict->commits++;
	if (check_roots(v, err) < 0)
		return -1;
	if (v->meta[TUF_ROLE_ROOT] == NULL) {
		error_set(err, ERROR_INPUT, "no root in " REPOSITORY_METADATA);
		return problem(v, err);
	}
	/* Without good metadata nothing is known of the targets. */
	rc = check_chain(v, err);
	if (rc <= 0)
		return rc;
	v->commits = xreallocarray(v->commits, v->commit_count + 1, sizeof(*v->commits));
	memcpy(v->commits[v->commit_count++], v->where, sizeof(*v->commits));
	return check_targets(v, err);
}

static int
check_history(struct verify *v, const char *path, struct error *err)
{
	int rc;

	if (gitlog_open(path, GITLOG_PUBLISHED, &v->log, err) < 0)
		return -1;
	while ((rc = gitlog_next(v->log, err)) > 0)
		if (check_commit(v, err) < 0)
			return -1;
	/* A commit that cannot be read: nothing behind it can. */
	return rc < 0 ? problem(v, err) : 0;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int
scan_change(void *arg, const char *path, const char *id, struct error *err)
{
	struct verify *v = arg;
	struct reading r = {0};
	bool seen = str_starts(path, REPOSITORY_TARGETS "/") && v->commit_count > 0 &&
		bsearch(v->where, v->commits, v->commit_count, sizeof(*v->commits), by_id) != NULL;

	/* What was published was read once already. */
	if (seen || read_file(v, path, id, &r, err) == 0)
		return 0;
	return problem(v, err);
}

/* Everything that a branch or tag leads to may be fetched by anybody. */
static int
check_secrets(struct verify *v, const char *path, struct error *err)
{
	int rc;

	qsort(v->commits, v->commit_count, sizeof(*v->commits), by_id);
	gitlog_close(v->log);
	if (gitlog_open(path, GITLOG_ALL, &v->log, err) < 0)
		return -1;
	while ((rc = gitlog_next(v->log, err)) > 0) {
		v->where = gitlog_commit(v->log);
		if (gitlog_changes(v->log, scan_change, v, err) < 0 && problem(v, err) < 0)
			return -1;
	}
	return rc < 0 ? problem(v, err) : 0;
}

/* --- the present --------------------------------------------------------------------------------
 */

static int
check_expiry(struct verify *v, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		const struct tuf_meta *m = v->meta[role];

		if (m == NULL || tuf_meta_expires(m) > v->now_s)
			continue;
		clock_format(tuf_meta_expires(m), text);
		error_set(err, ERROR_EXPIRED, "%s: version %" PRId64 " has expired (%s)",
			tuf_role_name((enum tuf_role)role), tuf_meta_version(m), text);
		if (problem(v, err) < 0)
			return -1;
	}
	return 0;
}

/* Publish would not go on from what is wrong here; so it is a problem, whatever its kind. */
static int
check_work_tree(struct verify *v, struct gitrepo *git, struct error *err)
{
	if (gitrepo_check_clean(git, repository_dirs, REPOSITORY_DIRS, err) == 0)
		return 0;
	if (err->kind == ERROR_CONFIG)
		err->kind = ERROR_INPUT;
	return problem(v, err);
}

/* 1 the lock is taken, 0 nobody can be publishing here, -1. */
static int
take_lock(const struct gitrepo *git, struct file_lock **out, struct error *err)
{
	char *path = xasprintf("%s/lock", gitrepo_state_dir(git));
	int rc = 0;

	/* Somebody else's, which is only read. */
	if (access(path, W_OK) == 0)
		rc = file_lock_take(path, out, err) < 0 ? -1 : 1;
	free(path);
	return rc;
}

int
repository_verify(const char *path, int64_t now_s, repository_problem *say, void *arg,
	struct repository_verdict *out, struct error *err)
{
	struct verify v = {.say = say, .arg = arg, .verdict = out, .now_s = now_s};
	struct gitrepo *git = NULL;
	struct file_lock *lock = NULL;
	struct error no_work_tree = {0};
	int rc = -1;

	memset(out, 0, sizeof(*out));
	/* A bare one is looked through as well. */
	if (gitrepo_open(path, &git, &no_work_tree) == 0 && take_lock(git, &lock, err) < 0)
		goto out;
	v.list = tmpfile();
	if (v.list == NULL) {
		error_set_errno(err, ERROR_TEMP, "temporary file");
		goto out;
	}
	if (check_history(&v, path, err) < 0 || check_secrets(&v, path, err) < 0)
		goto out;
	v.where = "HEAD";
	if (check_expiry(&v, err) < 0 || (git != NULL && check_work_tree(&v, git, err) < 0))
		goto out;
	rc = 0;
out:
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		tuf_meta_free(v.meta[role]);
	clear_files(&v.before);
	clear_files(&v.now);
	free(v.roots);
	free(v.commits);
	if (v.list != NULL)
		(void)fclose(v.list);
	gitlog_close(v.log);
	file_lock_free(lock);
	gitrepo_close(git);
	return rc;
}

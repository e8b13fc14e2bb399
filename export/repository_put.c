#include "export/repository_private.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

#define JOURNAL        "journal"
#define JOURNAL_MAX    ((size_t)64 * 1024)
#define DIRECTORY_MODE 0755

const char *const repository_dirs[REPOSITORY_DIRS] = {REPOSITORY_METADATA, REPOSITORY_TARGETS};
/* The same, and those in them. */
static const char *const all_dirs[] = {
	REPOSITORY_METADATA, REPOSITORY_TARGETS, REPOSITORY_TARGETS "/" REPOSITORY_DELTAS};

/* --- clearing up --------------------------------------------------------------------------------
 */

/* What may stay: the published state, and the one before it as far as it is there. */
struct kept {
	int64_t snapshot[2], targets[2]; /* versions; 0: none */
	struct tuf_meta *before;         /* targets of the state before; owned */
};

/* Whoever has signed it: keys may have changed since, and it only says what may stay. */
static bool
read_version(const struct repository *r, enum tuf_role role, int64_t version, struct tuf_meta **out)
{
	char *path = repository_metadata_path(r, version, role);
	struct error ignored;
	int rc = repository_read_meta(path, role, out, &ignored);

	free(path);
	return rc > 0;
}

static void
find_kept(const struct repository *r, struct kept *k)
{
	struct tuf_meta *snapshot = NULL;
	struct tuf_file file;

	memset(k, 0, sizeof(*k));
	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return;
	k->snapshot[0] = tuf_meta_version(r->meta[TUF_ROLE_SNAPSHOT]);
	k->targets[0] = tuf_meta_version(r->meta[TUF_ROLE_TARGETS]);
	k->snapshot[1] = k->snapshot[0] - 1;
	if (k->snapshot[1] > 0 && read_version(r, TUF_ROLE_SNAPSHOT, k->snapshot[1], &snapshot)) {
		(void)tuf_meta_find(snapshot, "targets.json", &file);
		k->targets[1] = file.version;
		(void)read_version(r, TUF_ROLE_TARGETS, k->targets[1], &k->before);
	}
	tuf_meta_free(snapshot);
}

/* Whether they have a target in this directory ("" or "NAME/") whose file, by name or by hashed
 * name, this is. */
static bool
names_target(const struct tuf_meta *targets, const char *dir, const char *file)
{
	const char *name;
	struct tuf_file f;

	for (size_t i = 0; targets != NULL && tuf_targets_nth(targets, i, &name, &f); i++) {
		if (!str_starts(name, dir))
			continue;
		name += strlen(dir);
		if (strcmp(file, name) == 0)
			return true;
		if (strncmp(file, f.sha256, 64) == 0 && file[64] == '.' &&
			strcmp(file + 65, name) == 0)
			return true;
	}
	return false;
}

/* "SHA256.NAME" of whatever name. */
static bool
is_hashed_name(const char *file)
{
	uint8_t sha256[32];

	return strlen(file) > 65 && file[64] == '.' && str_unhex(file, 64, sha256, 32) == 0;
}

static bool
is_kept_target(const struct repository *r, const struct kept *k, const char *dir, const char *file)
{
	bool before = names_target(k->before, dir, file);

	if (names_target(r->meta[TUF_ROLE_TARGETS], dir, file))
		return true;
	return is_hashed_name(file) ? before : !before;
}

static bool
is_kept(const struct repository *r, const struct kept *k, const char *dir, const char *file)
{
	int64_t version;

	if (strcmp(dir, REPOSITORY_TARGETS) == 0)
		/* What deltas are in is no target, and stays. */
		return is_kept_target(r, k, "", file);
	if (str_starts(dir, REPOSITORY_TARGETS "/"))
		return is_kept_target(r, k, REPOSITORY_DELTAS "/", file);
	version = repository_version_of(file, TUF_ROLE_SNAPSHOT);
	if (version > 0)
		return version == k->snapshot[0] || version == k->snapshot[1];
	version = repository_version_of(file, TUF_ROLE_TARGETS);
	if (version > 0)
		return version == k->targets[0] || version == k->targets[1];
	/* Roots, the timestamp, and what is not ours to remove. */
	return true;
}

/* Removes what neither the published state nor the one before it names: old publications, and what
 * a killed run had put there. */
static int
tidy(struct repository *r, struct error *err)
{
	struct kept k;
	int rc = 0;

	find_kept(r, &k);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(all_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, all_dirs[i]);
		struct dirent *entry;
		DIR *d = opendir(dir);

		/* A repository of an earlier version has no deltas. */
		if (d == NULL && errno != ENOENT)
			rc = error_set_errno(err, ERROR_TEMP, "%s", dir);
		while (d != NULL && rc == 0 && (entry = readdir(d)) != NULL) {
			const char *name = entry->d_name;
			char *path;

			/* Temporary files of file_writer and of give_name() are always leftovers:
			 * only this process writes here. */
			if (name[0] == '.' ? strstr(name, ".tmp-") == NULL
					   : is_kept(r, &k, all_dirs[i], name))
				continue;
			path = xasprintf("%s/%s", dir, name);
			if (unlink(path) < 0 && errno != ENOENT)
				rc = error_set_errno(err, ERROR_TEMP, "%s", path);
			free(path);
		}
		if (d != NULL)
			(void)closedir(d);
		free(dir);
	}
	tuf_meta_free(k.before);
	return rc;
}

int
repository_drop_state(const struct repository *r, const char *prefix, struct error *err)
{
	DIR *dir = opendir(gitrepo_state_dir(r->git));
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", gitrepo_state_dir(r->git));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (!str_starts(name, prefix))
			continue;
		if (unlinkat(dirfd(dir), name, 0) < 0 && errno != ENOENT)
			rc = error_set_errno(
				err, ERROR_TEMP, "%s/%s", gitrepo_state_dir(r->git), name);
	}
	(void)closedir(dir);
	return rc;
}

/* --- one publication ----------------------------------------------------------------------------
 */

int
repository_write_journal(const struct repository *r, const struct journal *j, struct error *err)
{
	json_t *object = json_pack("{s:I, s:I, s:s}", "timestamp", (json_int_t)j->timestamp, "time",
		(json_int_t)j->time_s, "message", j->message);
	char *path = repository_state_path(r, JOURNAL);
	struct buf text;
	int rc;

	if (object == NULL ||
		(j->root > 0 && json_object_set_new(object, "root", json_integer(j->root)) < 0))
		abort(); /* the message was checked to be UTF-8 */
	buf_init(&text, JOURNAL_MAX);
	rc = json_compact(object, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, 0600, err);
	buf_clear(&text);
	json_decref(object);
	free(path);
	return rc;
}

int
repository_read_journal(const struct repository *r, struct journal *j, struct error *err)
{
	char *path = repository_state_path(r, JOURNAL);
	const char *message;
	json_t *object = NULL;
	struct buf text;
	int rc;

	buf_init(&text, JOURNAL_MAX);
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0) {
		if (json_parse(buf_str(&text), text.len, &object, err) < 0 ||
			json_get_int(object, "timestamp", 0, TUF_INT_MAX, &j->timestamp, err) < 0 ||
			json_get_int(object, "time", 0, INT64_MAX, &j->time_s, err) < 0 ||
			(json_object_get(object, "root") != NULL &&
				json_get_int(object, "root", 1, TUF_INT_MAX, &j->root, err) < 0) ||
			json_get_string(object, "message", &message, err) < 0)
			rc = error_prefix(err, "%s", path);
		else
			j->message = xstrdup(message);
	}
	json_decref(object);
	buf_clear(&text);
	free(path);
	return rc;
}

static int
remove_journal(const struct repository *r, struct error *err)
{
	char *path = repository_state_path(r, JOURNAL);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s", path);
	free(path);
	return rc;
}

/* Gives the file a further name, replacing what has that name. */
static int
give_name(const char *path, const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');
	char *temporary = xasprintf("%.*s/.%s.tmp-linked", (int)(slash - name), name, slash + 1);
	int rc = 0;

	(void)unlink(temporary);
	if (link(path, temporary) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot link to %s", path, temporary);
	else if (rename(temporary, name) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot rename into place", name);
	/* rename() of two names of one file does nothing and leaves both. */
	(void)unlink(temporary);
	free(temporary);
	return rc;
}

static int
sync_dirs(const struct repository *r, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(all_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, all_dirs[i]);

		rc = file_sync_dir(dir, err);
		free(dir);
	}
	return rc;
}

/* The names for people: NAME beside SHA256.NAME. */
static int
name_targets(struct repository *r, struct error *err)
{
	const char *name;
	struct tuf_file file;
	int rc = 0;

	if (r->meta[TUF_ROLE_TARGETS] == NULL)
		return 0;
	for (size_t i = 0; rc == 0 && tuf_targets_nth(r->meta[TUF_ROLE_TARGETS], i, &name, &file);
		i++) {
		char *hashed = repository_hashed_path(r, file.sha256, name);
		char *plain = xasprintf("%s/" REPOSITORY_TARGETS "/%s", r->path, name);

		rc = give_name(hashed, plain, err);
		free(hashed);
		free(plain);
	}
	return rc;
}

int
repository_make_dirs(const struct repository *r, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(all_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, all_dirs[i]);

		rc = file_mkdirs(dir, DIRECTORY_MODE, err);
		free(dir);
	}
	return rc;
}

int
repository_finish(struct repository *r, const struct journal *j,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	struct git_author author = {
		.name = r->options.author_name,
		.mail = r->options.author_mail,
		.time_s = j->time_s,
		.signer = r->commit_signer,
	};

	if (repository_make_dirs(r, err) < 0 || name_targets(r, err) < 0 || tidy(r, err) < 0 ||
		sync_dirs(r, err) < 0 ||
		gitrepo_commit(r->git, &repository_paths, j->message, &author, commit, err) < 0 ||
		repository_remember_commit(r, commit, err) < 0)
		return -1;
	return remove_journal(r, err);
}

int
repository_recover(struct repository *r, struct error *err)
{
	char commit[GIT_COMMIT_SIZE];
	struct journal j = {0};
	int rc;

	file_remove_stale_in(gitrepo_state_dir(r->git));
	rc = repository_read_journal(r, &j, err);
	if (rc <= 0)
		return rc;
	gitrepo_unlock(r->git);
	if ((r->meta[TUF_ROLE_TIMESTAMP] != NULL ? tuf_meta_version(r->meta[TUF_ROLE_TIMESTAMP])
						 : 0) == j.timestamp) {
		/* The timestamp is good without the root that was to come behind it. */
		if (j.root > tuf_meta_version(r->meta[TUF_ROLE_ROOT])) {
			free(j.message);
			j.message =
				xasprintf("timestamp %" PRId64 ": the same list\n", j.timestamp);
		}
		rc = repository_finish(r, &j, commit, err);
		if (rc == 0)
			log_info("%s: completed the publication that was interrupted, commit %.10s",
				r->path, commit);
	} else {
		rc = tidy(r, err);
		if (rc == 0)
			rc = remove_journal(r, err);
		if (rc == 0)
			log_info("%s: cleared up behind a publication that was interrupted before "
				 "it became valid",
				r->path);
	}
	free(j.message);
	return rc;
}

static int
put_file(const struct repository *r, const struct draft *d, enum tuf_role role, struct error *err)
{
	char *path = repository_metadata_path(r, d->version[role], role);
	int rc = file_replace(
		path, d->text[role].data, d->text[role].len, REPOSITORY_FILE_MODE, err);

	free(path);
	return rc;
}

int
repository_put(struct repository *r, const struct draft *d, const struct repository_file *files,
	const struct tuf_target *targets, size_t count, const char *message, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	static const enum tuf_role order[] = {
		TUF_ROLE_TARGETS, TUF_ROLE_SNAPSHOT, TUF_ROLE_TIMESTAMP};
	struct journal j = {.timestamp = d->version[TUF_ROLE_TIMESTAMP], .time_s = now_s};
	const bool root = d->text[TUF_ROLE_ROOT].len > 0;
	int rc;

	j.root = root ? d->version[TUF_ROLE_ROOT] : 0;
	j.message = xstrdup(message);
	rc = repository_make_dirs(r, err);
	if (rc == 0)
		rc = repository_write_journal(r, &j, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		char *path = repository_hashed_path(r, targets[i].file.sha256, targets[i].name);

		rc = give_name(files[i].path, path, err);
		free(path);
	}
	if (rc == 0 && root && d->root_first)
		rc = put_file(r, d, TUF_ROLE_ROOT, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(order); i++) {
		/* What the timestamp leads to must be on disk before it is. */
		if (order[i] == TUF_ROLE_TIMESTAMP)
			rc = sync_dirs(r, err);
		if (rc == 0 && d->text[order[i]].len > 0)
			rc = put_file(r, d, order[i], err);
	}
	if (rc == 0 && root && !d->root_first)
		rc = put_file(r, d, TUF_ROLE_ROOT, err);
	/* Before the commit: a name less later on would change the files' ctime, and git would have
	 * to read them again to see that they are the same. */
	for (size_t i = 0; rc == 0 && i < count; i++)
		(void)unlink(files[i].path);
	if (rc == 0 &&
		((root && repository_load_root(r, err) < 0) ||
			repository_load_published(r, err) < 0))
		rc = -1;
	if (rc == 0)
		rc = repository_finish(r, &j, commit, err);
	free(j.message);
	return rc;
}

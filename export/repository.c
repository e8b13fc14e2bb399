#include "export/repository.h"

#include <assert.h>
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
#include "export/tuf_key.h"

#define METADATA       "metadata"
#define TARGETS        "targets"
#define ATTRIBUTES     ".gitattributes"
#define JOURNAL        "journal"
#define JOURNAL_MAX    ((size_t)64 * 1024)
#define TARGETS_MAX    64
#define ROOT_WARN_S    ((int64_t)60 * 86400)
#define FILE_MODE      0644
#define DIRECTORY_MODE 0755

/* Every byte counts: no clone may turn line ends around. */
static const char attributes[] = "* -text\n";

static const char *const our_dirs[] = {METADATA, TARGETS};
static const char *const our_files[] = {ATTRIBUTES};
static const struct git_paths our_paths = {
	.dirs = our_dirs,
	.dir_count = ARRAY_LEN(our_dirs),
	.files = our_files,
	.file_count = ARRAY_LEN(our_files),
};

struct repository {
	struct repository_options options;
	char *path;
	struct gitrepo *git;
	struct file_lock *lock;
	struct tuf_signer *signers[TUF_ROLE_COUNT];
	struct tuf_meta *meta[TUF_ROLE_COUNT]; /* as published; only the root is always there */
};

/* --- names --------------------------------------------------------------------------------------
 */

static char *
metadata_path(const struct repository *r, int64_t version, enum tuf_role role)
{
	if (role == TUF_ROLE_TIMESTAMP)
		return xasprintf("%s/" METADATA "/timestamp.json", r->path);
	return xasprintf(
		"%s/" METADATA "/%" PRId64 ".%s.json", r->path, version, tuf_role_name(role));
}

static char *
target_path(const struct repository *r, const char *sha256, const char *name)
{
	return xasprintf("%s/" TARGETS "/%s.%s", r->path, sha256, name);
}

char *
repository_state_path(const struct repository *r, const char *name)
{
	return xasprintf("%s/%s", gitrepo_state_dir(r->git), name);
}

/* "12.ROLE.json": 12; 0 for anything else. */
static int64_t
version_of(const char *file, enum tuf_role role)
{
	const char *dot = strchr(file, '.');
	uint64_t version;

	if (dot == NULL || file[0] == '0' || !str_starts(dot + 1, tuf_role_name(role)) ||
		strcmp(dot + 1 + strlen(tuf_role_name(role)), ".json") != 0 ||
		str_parse_u64(file, (size_t)(dot - file), TUF_INT_MAX, &version) < 0)
		return 0;
	return (int64_t)version;
}

/* --- reading what is there ----------------------------------------------------------------------
 */

/* Reads and parses one file: 1, 0 it is not there, -1. Verifies nothing. */
static int
read_meta(const char *path, enum tuf_role role, struct tuf_meta **out, struct error *err)
{
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, tuf_role_max(role));
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0 && tuf_meta_parse(buf_str(&text), text.len, role, out, err) < 0)
		rc = error_prefix(err, "%s", path);
	buf_clear(&text);
	return rc;
}

/* The same, and it must be signed as the root asks, and of that version unless 0. */
static int
load_meta(const struct repository *r, enum tuf_role role, int64_t version, struct tuf_meta **out,
	struct error *err)
{
	char *path = metadata_path(r, version, role);
	int rc = read_meta(path, role, out, err);

	if (rc <= 0)
		goto out;
	if (tuf_meta_verify(*out, r->meta[TUF_ROLE_ROOT], err) < 0)
		rc = error_prefix(err, "%s", path);
	else if (version > 0 && tuf_meta_version(*out) != version)
		rc = error_set(err, ERROR_SECURITY, "%s: it says version %" PRId64, path,
			tuf_meta_version(*out));
	if (rc < 0) {
		tuf_meta_free(*out);
		*out = NULL;
	}
out:
	free(path);
	return rc;
}

/* The newest root, which says whose repository this is. */
static int
load_root(struct repository *r, struct error *err)
{
	char *dir = xasprintf("%s/" METADATA, r->path), *path = NULL;
	struct tuf_meta **root = &r->meta[TUF_ROLE_ROOT];
	struct dirent *entry;
	int64_t newest = 0;
	DIR *d = opendir(dir);
	int rc = -1;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		int64_t version = version_of(entry->d_name, TUF_ROLE_ROOT);

		if (version > newest)
			newest = version;
	}
	if (newest == 0) {
		error_set(err, ERROR_CONFIG,
			"%s: not a repository made by preload25 init: no "
			"root in " METADATA,
			r->path);
		goto out;
	}
	path = metadata_path(r, newest, TUF_ROLE_ROOT);
	if (read_meta(path, TUF_ROLE_ROOT, root, err) <= 0)
		goto out;
	if (tuf_meta_version(*root) != newest) {
		error_set(err, ERROR_SECURITY, "%s: it says version %" PRId64, path,
			tuf_meta_version(*root));
		goto out;
	}
	if (tuf_meta_verify(*root, *root, err) < 0) {
		error_prefix(err, "%s", path);
		goto out;
	}
	rc = 0;
out:
	if (d != NULL)
		(void)closedir(d);
	free(dir);
	free(path);
	return rc;
}

/* A wrong key would sign what no client takes. */
static int
check_keys(const struct repository *r, struct error *err)
{
	const struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (i == TUF_ROLE_ROOT)
			continue;
		if (!tuf_root_has_key(
			    root, (enum tuf_role)i, tuf_key_id(tuf_signer_key(r->signers[i]))))
			return error_set(err, ERROR_CONFIG,
				"%s: not a repository of ours: its root names another key for %s "
				"than %s",
				r->path, tuf_role_name((enum tuf_role)i), r->options.keys[i]);
		if (tuf_root_threshold(root, (enum tuf_role)i) != 1)
			return error_set(err, ERROR_CONFIG,
				"%s: its root asks for %" PRId64
				" signatures for %s, and one key is configured",
				r->path, tuf_root_threshold(root, (enum tuf_role)i),
				tuf_role_name((enum tuf_role)i));
	}
	return 0;
}

static void
forget_published(struct repository *r)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (i == TUF_ROLE_ROOT)
			continue;
		tuf_meta_free(r->meta[i]);
		r->meta[i] = NULL;
	}
}

/* Follows timestamp.json to what is published: 1, 0 nothing is, -1. */
static int
load_published(struct repository *r, struct error *err)
{
	struct tuf_file file;
	int rc;

	forget_published(r);
	rc = load_meta(r, TUF_ROLE_TIMESTAMP, 0, &r->meta[TUF_ROLE_TIMESTAMP], err);
	if (rc <= 0)
		return rc;
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &file);
	rc = load_meta(r, TUF_ROLE_SNAPSHOT, file.version, &r->meta[TUF_ROLE_SNAPSHOT], err);
	if (rc > 0) {
		(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &file);
		rc = load_meta(r, TUF_ROLE_TARGETS, file.version, &r->meta[TUF_ROLE_TARGETS], err);
	}
	if (rc == 0)
		return error_set(err, ERROR_SECURITY,
			"%s: timestamp.json leads to metadata that is missing", r->path);
	return rc;
}

int
repository_target_path(const struct repository *r, const char *name, char **path)
{
	struct tuf_file file;

	*path = NULL;
	if (r->meta[TUF_ROLE_TARGETS] == NULL ||
		!tuf_targets_find(r->meta[TUF_ROLE_TARGETS], name, &file))
		return 0;
	*path = target_path(r, file.sha256, name);
	return 1;
}

int64_t
repository_expires(const struct repository *r)
{
	int64_t first = 0;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (r->meta[i] == NULL)
			return 0;
		if (first == 0 || tuf_meta_expires(r->meta[i]) < first)
			first = tuf_meta_expires(r->meta[i]);
	}
	return first;
}

int
repository_head(struct repository *r, char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	return gitrepo_head(r->git, commit, err);
}

/* --- clearing up --------------------------------------------------------------------------------
 */

/* What may stay: the published state, and the one before it as far as it is there. */
struct kept {
	int64_t snapshot[2], targets[2]; /* versions; 0: none */
	struct tuf_meta *before;         /* targets of the state before; owned */
};

static void
find_kept(const struct repository *r, struct kept *k)
{
	struct tuf_meta *snapshot = NULL;
	struct tuf_file file;
	struct error ignored;

	memset(k, 0, sizeof(*k));
	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return;
	k->snapshot[0] = tuf_meta_version(r->meta[TUF_ROLE_SNAPSHOT]);
	k->targets[0] = tuf_meta_version(r->meta[TUF_ROLE_TARGETS]);
	k->snapshot[1] = k->snapshot[0] - 1;
	if (k->snapshot[1] > 0 &&
		load_meta(r, TUF_ROLE_SNAPSHOT, k->snapshot[1], &snapshot, &ignored) > 0) {
		(void)tuf_meta_find(snapshot, "targets.json", &file);
		k->targets[1] = file.version;
		(void)load_meta(r, TUF_ROLE_TARGETS, k->targets[1], &k->before, &ignored);
	}
	tuf_meta_free(snapshot);
}

static bool
names_target(const struct tuf_meta *targets, const char *file)
{
	const char *name;
	struct tuf_file f;

	for (size_t i = 0; targets != NULL && tuf_targets_nth(targets, i, &name, &f); i++) {
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
is_kept(const struct repository *r, const struct kept *k, const char *dir, const char *file)
{
	int64_t version;

	if (strcmp(dir, TARGETS) == 0) {
		bool before = names_target(k->before, file);

		if (names_target(r->meta[TUF_ROLE_TARGETS], file))
			return true;
		return is_hashed_name(file) ? before : !before;
	}
	version = version_of(file, TUF_ROLE_SNAPSHOT);
	if (version > 0)
		return version == k->snapshot[0] || version == k->snapshot[1];
	version = version_of(file, TUF_ROLE_TARGETS);
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
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(our_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, our_dirs[i]);
		struct dirent *entry;
		DIR *d = opendir(dir);

		if (d == NULL)
			rc = error_set_errno(err, ERROR_TEMP, "%s", dir);
		while (d != NULL && rc == 0 && (entry = readdir(d)) != NULL) {
			const char *name = entry->d_name;
			char *path;

			/* Temporary files of file_writer and of give_name() are always leftovers:
			 * only this process writes here. */
			if (name[0] == '.' ? strstr(name, ".tmp-") == NULL
					   : is_kept(r, &k, our_dirs[i], name))
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

/* --- one publication ----------------------------------------------------------------------------
 */

/* Written before the first change, removed after the last: what a killed run was about to do. */
struct journal {
	int64_t timestamp; /* version of the timestamp that makes it valid; 0: the first root */
	int64_t time_s;
	char *message;
};

static int
write_journal(const struct repository *r, const struct journal *j, struct error *err)
{
	json_t *object = json_pack("{s:I, s:I, s:s}", "timestamp", (json_int_t)j->timestamp, "time",
		(json_int_t)j->time_s, "message", j->message);
	char *path = repository_state_path(r, JOURNAL);
	struct buf text;
	int rc;

	if (object == NULL)
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

/* 1, 0 there is none, -1. */
static int
read_journal(const struct repository *r, struct journal *j, struct error *err)
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

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(our_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, our_dirs[i]);

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
		char *hashed = target_path(r, file.sha256, name);
		char *plain = xasprintf("%s/" TARGETS "/%s", r->path, name);

		rc = give_name(hashed, plain, err);
		free(hashed);
		free(plain);
	}
	return rc;
}

/* A clone of a repository without targets has no directory for them. */
static int
make_dirs(const struct repository *r, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(our_dirs); i++) {
		char *dir = xasprintf("%s/%s", r->path, our_dirs[i]);

		rc = file_mkdirs(dir, DIRECTORY_MODE, err);
		free(dir);
	}
	return rc;
}

/* Everything behind the rename of timestamp.json; each step may be done again. */
static int
finish(struct repository *r, const struct journal *j, char commit[static GIT_COMMIT_SIZE],
	struct error *err)
{
	struct git_author author = {
		.name = r->options.author_name,
		.mail = r->options.author_mail,
		.time_s = j->time_s,
	};

	if (name_targets(r, err) < 0 || tidy(r, err) < 0 || sync_dirs(r, err) < 0 ||
		gitrepo_commit(r->git, &our_paths, j->message, &author, commit, err) < 0)
		return -1;
	return remove_journal(r, err);
}

/* A run was killed: end what it did, or undo what it had begun. */
static int
recover(struct repository *r, struct error *err)
{
	char commit[GIT_COMMIT_SIZE];
	struct journal j = {0};
	int rc = read_journal(r, &j, err);

	if (rc <= 0)
		return rc;
	gitrepo_unlock(r->git);
	if ((r->meta[TUF_ROLE_TIMESTAMP] != NULL ? tuf_meta_version(r->meta[TUF_ROLE_TIMESTAMP])
						 : 0) == j.timestamp) {
		rc = finish(r, &j, commit, err);
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

/* --- making one ---------------------------------------------------------------------------------
 */

/* Signed files of one publication, complete in memory before anything is written. */
struct draft {
	int64_t version[TUF_ROLE_COUNT];
	struct buf text[TUF_ROLE_COUNT]; /* empty: that role stays as it is */
};

static void
draft_init(struct draft *d, const struct repository *r)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		buf_init(&d->text[i], tuf_role_max((enum tuf_role)i));
		d->version[i] = r->meta[i] != NULL ? tuf_meta_version(r->meta[i]) : 0;
	}
}

static void
draft_clear(struct draft *d)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		buf_clear(&d->text[i]);
}

/* Signs one role's new version; *out says what is said of it by the role above. */
static int
draft_sign(struct draft *d, const struct repository *r, enum tuf_role role, json_t *signed_part,
	struct tuf_file *out, struct error *err)
{
	const struct tuf_signer *signer = r->signers[role];
	int rc = tuf_sign(signed_part, &signer, 1, &d->text[role], err);

	json_decref(signed_part);
	if (rc < 0)
		return error_prefix(err, "%s", tuf_role_name(role));
	tuf_file_of(d->text[role].data, d->text[role].len, out);
	out->version = d->version[role];
	return 0;
}

/* Signs snapshot and timestamp above the given targets. */
static int
draft_upwards(struct draft *d, const struct repository *r, const struct tuf_file *targets,
	int64_t now_s, struct error *err)
{
	const int64_t *expires_s = r->options.expires_s;
	struct tuf_file snapshot, ignored;

	d->version[TUF_ROLE_SNAPSHOT]++;
	if (draft_sign(d, r, TUF_ROLE_SNAPSHOT,
		    tuf_build_snapshot(d->version[TUF_ROLE_SNAPSHOT],
			    now_s + expires_s[TUF_ROLE_SNAPSHOT], targets),
		    &snapshot, err) < 0)
		return -1;
	d->version[TUF_ROLE_TIMESTAMP]++;
	return draft_sign(d, r, TUF_ROLE_TIMESTAMP,
		tuf_build_timestamp(d->version[TUF_ROLE_TIMESTAMP],
			now_s + expires_s[TUF_ROLE_TIMESTAMP], &snapshot),
		&ignored, err);
}

/* Writes the draft, the timestamp last, and ends the publication. */
static int
put_draft(struct repository *r, const struct draft *d, const struct repository_file *files,
	const struct tuf_target *targets, size_t count, const char *message, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	static const enum tuf_role order[] = {
		TUF_ROLE_TARGETS, TUF_ROLE_SNAPSHOT, TUF_ROLE_TIMESTAMP};
	struct journal j = {.timestamp = d->version[TUF_ROLE_TIMESTAMP], .time_s = now_s};
	int rc;

	j.message = xstrdup(message);
	rc = make_dirs(r, err);
	if (rc == 0)
		rc = write_journal(r, &j, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		char *path = target_path(r, targets[i].file.sha256, targets[i].name);

		rc = give_name(files[i].path, path, err);
		free(path);
	}
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(order); i++) {
		char *path = metadata_path(r, d->version[order[i]], order[i]);

		/* What the timestamp leads to must be on disk before it is. */
		if (order[i] == TUF_ROLE_TIMESTAMP)
			rc = sync_dirs(r, err);
		if (rc == 0 && d->text[order[i]].len > 0)
			rc = file_replace(path, d->text[order[i]].data, d->text[order[i]].len,
				FILE_MODE, err);
		free(path);
	}
	/* Before the commit: a name less later on would change the files' ctime, and git would have to
	 * read them again to see that they are the same. */
	for (size_t i = 0; rc == 0 && i < count; i++)
		(void)unlink(files[i].path);
	if (rc == 0 && load_published(r, err) < 0)
		rc = -1;
	if (rc == 0)
		rc = finish(r, &j, commit, err);
	free(j.message);
	return rc;
}

/* Not refused: what is published may still be wanted, and the new root can follow. */
static void
warn_of_root(const struct repository *r, int64_t now_s)
{
	int64_t left_s = tuf_meta_expires(r->meta[TUF_ROLE_ROOT]) - now_s;

	if (left_s <= 0)
		log_warning("%s: the root has expired: clients refuse everything until there is a "
			    "new one",
			r->path);
	else if (left_s < ROOT_WARN_S)
		log_warning("%s: the root expires in %" PRId64 " days", r->path, left_s / 86400);
}

static bool
target_name_valid(const char *name)
{
	if (name[0] == '\0' || name[0] == '.')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!str_is_alnum(*p) && *p != '.' && *p != '-')
			return false;
	return true;
}

int
repository_publish(struct repository *r, const struct repository_publication *p, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	struct tuf_target targets[TARGETS_MAX];
	struct tuf_file said;
	struct draft d;
	int rc = -1;

	assert(p->file_count <= TARGETS_MAX);
	assert(str_is_utf8(p->message, strlen(p->message)));
	warn_of_root(r, now_s);
	draft_init(&d, r);
	for (size_t i = 0; i < p->file_count; i++) {
		assert(target_name_valid(p->files[i].name));
		targets[i].name = p->files[i].name;
		if (tuf_file_of_path(p->files[i].path, &targets[i].file, err) < 0)
			goto out;
	}
	d.version[TUF_ROLE_TARGETS]++;
	if (draft_sign(&d, r, TUF_ROLE_TARGETS,
		    tuf_build_targets(d.version[TUF_ROLE_TARGETS],
			    now_s + r->options.expires_s[TUF_ROLE_TARGETS], targets, p->file_count),
		    &said, err) < 0 ||
		draft_upwards(&d, r, &said, now_s, err) < 0)
		goto out;
	rc = put_draft(r, &d, p->files, targets, p->file_count, p->message, now_s, commit, err);
out:
	draft_clear(&d);
	return rc;
}

/* Whether the role's file has used up half of its life. */
static bool
is_old(const struct repository *r, enum tuf_role role, int64_t now_s)
{
	return tuf_meta_expires(r->meta[role]) - now_s < r->options.expires_s[role] / 2;
}

/* The published targets once more, as they were, with a new version and expiry. */
static json_t *
same_targets(const struct repository *r, int64_t version, int64_t expires_s)
{
	struct tuf_target targets[TARGETS_MAX];
	size_t n = 0;

	while (n < TARGETS_MAX &&
		tuf_targets_nth(r->meta[TUF_ROLE_TARGETS], n, &targets[n].name, &targets[n].file))
		n++;
	return tuf_build_targets(version, expires_s, targets, n);
}

int
repository_renew(
	struct repository *r, int64_t now_s, char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	const int64_t *expires_s = r->options.expires_s;
	struct tuf_file targets, snapshot, ignored;
	struct draft d;
	char message[100];
	int rc = -1;

	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: nothing is published yet: build a list", r->path);
	warn_of_root(r, now_s);
	draft_init(&d, r);
	(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &targets);
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &snapshot);
	if (is_old(r, TUF_ROLE_TARGETS, now_s)) {
		d.version[TUF_ROLE_TARGETS]++;
		if (draft_sign(&d, r, TUF_ROLE_TARGETS,
			    same_targets(r, d.version[TUF_ROLE_TARGETS],
				    now_s + expires_s[TUF_ROLE_TARGETS]),
			    &targets, err) < 0 ||
			draft_upwards(&d, r, &targets, now_s, err) < 0)
			goto out;
	} else if (is_old(r, TUF_ROLE_SNAPSHOT, now_s)) {
		if (draft_upwards(&d, r, &targets, now_s, err) < 0)
			goto out;
	} else {
		d.version[TUF_ROLE_TIMESTAMP]++;
		if (draft_sign(&d, r, TUF_ROLE_TIMESTAMP,
			    tuf_build_timestamp(d.version[TUF_ROLE_TIMESTAMP],
				    now_s + expires_s[TUF_ROLE_TIMESTAMP], &snapshot),
			    &ignored, err) < 0)
			goto out;
	}
	snprintf(message, sizeof(message), "timestamp %" PRId64 ": the same list\n",
		d.version[TUF_ROLE_TIMESTAMP]);
	rc = put_draft(r, &d, NULL, NULL, 0, message, now_s, commit, err);
out:
	draft_clear(&d);
	return rc;
}

int
repository_push(struct repository *r, struct error *err)
{
	struct error why;
	size_t failed = 0;

	for (size_t i = 0; i < r->options.remote_count; i++) {
		if (gitrepo_push(r->git, r->options.remotes[i], &why) == 0)
			continue;
		if (failed++ == 0)
			*err = why;
		else
			log_error("push: %s", why.text);
	}
	if (failed > 0)
		return error_prefix(err, "push");
	return 0;
}

/* --- opening and making -------------------------------------------------------------------------
 */

static struct repository *
new_repository(const struct repository_options *options)
{
	struct repository *r = xcalloc(1, sizeof(*r));

	r->options = *options;
	r->path = xstrdup(options->path);
	return r;
}

void
repository_close(struct repository *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		tuf_meta_free(r->meta[i]);
		tuf_signer_free(r->signers[i]);
	}
	file_lock_free(r->lock);
	gitrepo_close(r->git);
	free(r->path);
	free(r);
}

static int
take_lock(struct repository *r, struct error *err)
{
	char *path;
	int rc;

	if (file_mkdirs(gitrepo_state_dir(r->git), 0700, err) < 0)
		return -1;
	path = repository_state_path(r, "lock");
	rc = file_lock_take(path, &r->lock, err);
	free(path);
	return rc;
}

int
repository_open(
	const struct repository_options *options, struct repository **out, struct error *err)
{
	struct repository *r = new_repository(options);

	*out = NULL;
	if (gitrepo_open(options->path, &r->git, err) < 0)
		goto fail;
	/* First whether it is ours at all: the lock is the first thing that is written. */
	if (load_root(r, err) < 0)
		goto fail;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		if (i != TUF_ROLE_ROOT &&
			tuf_signer_load(options->keys[i], &r->signers[i], err) < 0)
			goto fail;
	if (check_keys(r, err) < 0 || take_lock(r, err) < 0 || load_published(r, err) < 0 ||
		recover(r, err) < 0 ||
		gitrepo_check_clean(r->git, our_dirs, ARRAY_LEN(our_dirs), err) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	repository_close(r);
	return -1;
}

/* Version 1 of the root: each role has its one key. */
static int
write_root(struct repository *r, int64_t now_s, struct error *err)
{
	const struct tuf_key *keys[TUF_ROLE_COUNT];
	struct tuf_role_keys roles[TUF_ROLE_COUNT];
	const struct tuf_signer *signer = r->signers[TUF_ROLE_ROOT];
	char *path = metadata_path(r, 1, TUF_ROLE_ROOT);
	struct buf text;
	json_t *root;
	int rc;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		keys[i] = tuf_signer_key(r->signers[i]);
		roles[i] = (struct tuf_role_keys){&keys[i], 1, 1};
	}
	root = tuf_build_root(1, now_s + r->options.expires_s[TUF_ROLE_ROOT], roles);
	buf_init(&text, TUF_ROOT_MAX);
	file_remove_stale(path);
	rc = tuf_sign(root, &signer, 1, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, FILE_MODE, err);
	buf_clear(&text);
	json_decref(root);
	free(path);
	return rc;
}

static int
write_attributes(struct repository *r, struct error *err)
{
	char *path = xasprintf("%s/" ATTRIBUTES, r->path);
	int rc;

	file_remove_stale(path);
	rc = file_replace(path, attributes, sizeof(attributes) - 1, FILE_MODE, err);
	free(path);
	return rc;
}

int
repository_create(const struct repository_options *options, int64_t now_s, struct error *err)
{
	struct repository *r = new_repository(options);
	struct journal j = {.time_s = now_s};
	struct journal begun = {0};
	char commit[GIT_COMMIT_SIZE];
	int rc = -1;

	j.message = xstrdup("root 1: a new authority\n");
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		if (tuf_signer_load(options->keys[i], &r->signers[i], err) < 0)
			goto out;
	if (gitrepo_create(options->path, &r->git, err) < 0)
		goto out;
	if (gitrepo_has_commit(r->git)) {
		/* Complete, unless a run was killed right behind the commit. */
		rc = read_journal(r, &begun, err);
		if (rc == 0)
			rc = error_set(err, ERROR_CONFIG, "%s: there is a repository already",
				options->path);
		if (rc < 0)
			goto out;
		rc = -1;
	}
	if (take_lock(r, err) < 0)
		goto out;
	gitrepo_unlock(r->git);
	if (!gitrepo_has_commit(r->git) &&
		(write_journal(r, &j, err) < 0 || write_attributes(r, err) < 0 ||
			make_dirs(r, err) < 0 || write_root(r, now_s, err) < 0))
		goto out;
	rc = finish(r, &j, commit, err);
out:
	free(j.message);
	free(begun.message);
	repository_close(r);
	return rc;
}

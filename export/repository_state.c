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
#include "common/str.h"
#include "common/xalloc.h"

/* --- names --------------------------------------------------------------------------------------
 */

char *
repository_metadata_path(const struct repository *r, int64_t version, enum tuf_role role)
{
	if (role == TUF_ROLE_TIMESTAMP)
		return xasprintf("%s/" REPOSITORY_METADATA "/timestamp.json", r->path);
	return xasprintf("%s/" REPOSITORY_METADATA "/%" PRId64 ".%s.json", r->path, version,
		tuf_role_name(role));
}

char *
repository_hashed_path(const struct repository *r, const char *sha256, const char *name)
{
	const char *slash = strrchr(name, '/');
	int dir = slash != NULL ? (int)(slash - name) + 1 : 0;

	return xasprintf(
		"%s/" REPOSITORY_TARGETS "/%.*s%s.%s", r->path, dir, name, sha256, name + dir);
}

char *
repository_state_path(const struct repository *r, const char *name)
{
	return xasprintf("%s/%s", gitrepo_state_dir(r->git), name);
}

int64_t
repository_version_of(const char *file, enum tuf_role role)
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
int
repository_read_meta(const char *path, enum tuf_role role, struct tuf_meta **out, struct error *err)
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
int
repository_load_meta(const struct repository *r, enum tuf_role role, int64_t version,
	struct tuf_meta **out, struct error *err)
{
	char *path = repository_metadata_path(r, version, role);
	int rc = repository_read_meta(path, role, out, err);

	if (rc <= 0)
		goto out;
	if (tuf_meta_verify(*out, r->meta[TUF_ROLE_ROOT], err) < 0 &&
		(r->root_before == NULL || tuf_meta_verify(*out, r->root_before, err) < 0))
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
int
repository_load_root(struct repository *r, struct error *err)
{
	char *dir = xasprintf("%s/" REPOSITORY_METADATA, r->path), *path = NULL;
	struct tuf_meta **root = &r->meta[TUF_ROLE_ROOT];
	struct dirent *entry;
	int64_t newest = 0;
	DIR *d = opendir(dir);
	int rc = -1;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		int64_t version = repository_version_of(entry->d_name, TUF_ROLE_ROOT);

		if (version > newest)
			newest = version;
	}
	if (newest == 0) {
		error_set(err, ERROR_CONFIG,
			"%s: not a repository made by preload25 init: no "
			"root in " REPOSITORY_METADATA,
			r->path);
		goto out;
	}
	path = repository_metadata_path(r, newest, TUF_ROLE_ROOT);
	tuf_meta_free(*root);
	*root = NULL;
	if (repository_read_meta(path, TUF_ROLE_ROOT, root, err) <= 0)
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

int
repository_load_root_version(
	const struct repository *r, int64_t version, struct tuf_meta **out, struct error *err)
{
	char *path = repository_metadata_path(r, version, TUF_ROLE_ROOT);
	int rc = repository_read_meta(path, TUF_ROLE_ROOT, out, err);

	if (rc > 0 && tuf_meta_verify(*out, *out, err) < 0) {
		rc = error_prefix(err, "%s", path);
		tuf_meta_free(*out);
		*out = NULL;
	}
	free(path);
	return rc;
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
int
repository_load_published(struct repository *r, struct error *err)
{
	struct tuf_file file;
	int rc;

	forget_published(r);
	rc = repository_load_meta(r, TUF_ROLE_TIMESTAMP, 0, &r->meta[TUF_ROLE_TIMESTAMP], err);
	if (rc <= 0)
		return rc;
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &file);
	rc = repository_load_meta(
		r, TUF_ROLE_SNAPSHOT, file.version, &r->meta[TUF_ROLE_SNAPSHOT], err);
	if (rc > 0) {
		(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &file);
		rc = repository_load_meta(
			r, TUF_ROLE_TARGETS, file.version, &r->meta[TUF_ROLE_TARGETS], err);
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
	*path = repository_hashed_path(r, file.sha256, name);
	return 1;
}

int
repository_nth_target(const struct repository *r, size_t i, const char **name)
{
	struct tuf_file file;

	if (r->meta[TUF_ROLE_TARGETS] == NULL)
		return 0;
	return tuf_targets_nth(r->meta[TUF_ROLE_TARGETS], i, name, &file);
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

const struct tuf_meta *
repository_meta(const struct repository *r, enum tuf_role role)
{
	return r->meta[role];
}

#include "export/gitlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>
#include <openssl/evp.h>

#include "common/error.h"
#include "common/xalloc.h"

#define PIECE ((size_t)64 * 1024)

struct gitlog {
	char *path;
	git_repository *repo;
	git_odb *odb;
	git_revwalk *walk;
	git_commit *commit; /* NULL: before the first */
	git_tree *tree;     /* its */
	char id[GIT_COMMIT_SIZE];
};

static int
failed(const struct gitlog *l, struct error *err)
{
	const git_error *e = git_error_last();

	return error_set(
		err, ERROR_SECURITY, "%s: %s", l->path, e != NULL ? e->message : "git failed");
}

int
gitlog_open(const char *path, enum gitlog_range range, struct gitlog **out, struct error *err)
{
	struct gitlog *l = xcalloc(1, sizeof(*l));
	int rc;

	*out = NULL;
	l->path = xstrdup(path);
	(void)git_libgit2_init();
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	if (git_repository_open_ext(&l->repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0 ||
		git_repository_odb(&l->odb, l->repo) < 0 || git_revwalk_new(&l->walk, l->repo) < 0)
		goto fail;
	(void)git_revwalk_sorting(l->walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
	if (range == GITLOG_PUBLISHED)
		rc = git_revwalk_simplify_first_parent(l->walk);
	else
		rc = git_revwalk_push_glob(l->walk, "*");
	if (rc < 0 || git_revwalk_push_head(l->walk) < 0)
		goto fail;
	*out = l;
	return 0;
fail:
	failed(l, err);
	err->kind = ERROR_CONFIG;
	gitlog_close(l);
	return -1;
}

static void
leave(struct gitlog *l)
{
	git_tree_free(l->tree);
	git_commit_free(l->commit);
	l->tree = NULL;
	l->commit = NULL;
}

void
gitlog_close(struct gitlog *l)
{
	if (l == NULL)
		return;
	leave(l);
	git_revwalk_free(l->walk);
	git_odb_free(l->odb);
	git_repository_free(l->repo);
	free(l->path);
	free(l);
	(void)git_libgit2_shutdown();
}

int
gitlog_next(struct gitlog *l, struct error *err)
{
	git_oid oid;
	int rc;

	leave(l);
	rc = git_revwalk_next(&oid, l->walk);
	if (rc == GIT_ITEROVER)
		return 0;
	if (rc < 0 || git_commit_lookup(&l->commit, l->repo, &oid) < 0 ||
		git_commit_tree(&l->tree, l->commit) < 0)
		return failed(l, err);
	(void)git_oid_tostr(l->id, sizeof(l->id), &oid);
	return 1;
}

const char *
gitlog_commit(const struct gitlog *l)
{
	return l->id;
}

int64_t
gitlog_time(const struct gitlog *l)
{
	return git_commit_time(l->commit);
}

/* --- files --------------------------------------------------------------------------------------
 */

static int
walk_tree(struct gitlog *l, const git_tree *tree, const char *path, gitlog_file *each, void *arg,
	struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *e = git_tree_entry_byindex(tree, i);
		char *name = xasprintf("%s/%s", path, git_tree_entry_name(e));
		char id[GIT_COMMIT_SIZE];
		git_tree *below = NULL;

		switch (git_tree_entry_filemode(e)) {
		case GIT_FILEMODE_BLOB:
		case GIT_FILEMODE_BLOB_EXECUTABLE:
			(void)git_oid_tostr(id, sizeof(id), git_tree_entry_id(e));
			rc = each(arg, name, id, err);
			break;
		case GIT_FILEMODE_TREE:
			if (git_tree_lookup(&below, l->repo, git_tree_entry_id(e)) < 0)
				rc = failed(l, err);
			else
				rc = walk_tree(l, below, name, each, arg, err);
			git_tree_free(below);
			break;
		case GIT_FILEMODE_LINK:
		case GIT_FILEMODE_COMMIT:
		case GIT_FILEMODE_UNREADABLE:
			rc = error_set(err, ERROR_INPUT, "%s: not a file", name);
			break;
		}
		free(name);
	}
	return rc;
}

int
gitlog_files(struct gitlog *l, const char *dir, gitlog_file *each, void *arg, struct error *err)
{
	const git_tree_entry *e = git_tree_entry_byname(l->tree, dir);
	git_tree *tree;
	int rc;

	if (e == NULL)
		return 0;
	if (git_tree_entry_type(e) != GIT_OBJECT_TREE)
		return error_set(err, ERROR_INPUT, "%s: not a directory", dir);
	if (git_tree_lookup(&tree, l->repo, git_tree_entry_id(e)) < 0)
		return failed(l, err);
	rc = walk_tree(l, tree, dir, each, arg, err);
	git_tree_free(tree);
	return rc;
}

int
gitlog_find(const struct gitlog *l, const char *path, char id[static GIT_COMMIT_SIZE])
{
	git_tree_entry *e;
	bool file;

	if (git_tree_entry_bypath(&e, l->tree, path) < 0)
		return 0;
	file = git_tree_entry_type(e) == GIT_OBJECT_BLOB;
	(void)git_oid_tostr(id, GIT_COMMIT_SIZE, git_tree_entry_id(e));
	git_tree_entry_free(e);
	return file;
}

int
gitlog_changes(struct gitlog *l, gitlog_file *each, void *arg, struct error *err)
{
	git_diff_options options;
	git_commit *parent = NULL;
	git_tree *before = NULL;
	git_diff *diff = NULL;
	int rc = 0;

	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	if ((git_commit_parentcount(l->commit) > 0 &&
		    (git_commit_parent(&parent, l->commit, 0) < 0 ||
			    git_commit_tree(&before, parent) < 0)) ||
		git_diff_tree_to_tree(&diff, l->repo, before, l->tree, &options) < 0)
		rc = failed(l, err);
	for (size_t i = 0; rc == 0 && i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *d = git_diff_get_delta(diff, i);
		char id[GIT_COMMIT_SIZE];

		if (d->status == GIT_DELTA_DELETED || d->new_file.mode == GIT_FILEMODE_COMMIT)
			continue;
		(void)git_oid_tostr(id, sizeof(id), &d->new_file.id);
		rc = each(arg, d->new_file.path, id, err);
	}
	git_diff_free(diff);
	git_tree_free(before);
	git_commit_free(parent);
	return rc;
}

/* --- contents -----------------------------------------------------------------------------------
 */

/* A loose object is unpacked as it is read, and nobody but us looks whether it is what its id says:
 * the SHA-1 of "blob LENGTH", a NUL, and the contents. */
static int
read_stream(struct gitlog *l, git_odb_stream *stream, const git_oid *id, git_object_size_t left,
	gitlog_sink *sink, void *arg, struct error *err)
{
	EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
	char *piece = xcalloc(1, PIECE), head[40];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	int rc = 0, len = snprintf(head, sizeof(head), "blob %llu", (unsigned long long)left);

	if (sha1 == NULL || EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) != 1 ||
		EVP_DigestUpdate(sha1, head, (size_t)len + 1) != 1)
		abort();
	while (rc == 0 && left > 0) {
		int n = git_odb_stream_read(stream, piece, left < PIECE ? (size_t)left : PIECE);

		if (n <= 0) {
			rc = n < 0 ? failed(l, err)
				   : error_set(err, ERROR_SECURITY, "%s: an object is cut short",
					     l->path);
			break;
		}
		if (EVP_DigestUpdate(sha1, piece, (size_t)n) != 1)
			abort();
		rc = sink(arg, piece, (size_t)n, err);
		left -= (git_object_size_t)n;
	}
	if (rc == 0 &&
		(EVP_DigestFinal_ex(sha1, digest, &digest_len) != 1 ||
			memcmp(digest, id->id, sizeof(id->id)) != 0))
		rc = error_set(
			err, ERROR_SECURITY, "%s: an object is not what its id says", l->path);
	EVP_MD_CTX_free(sha1);
	free(piece);
	return rc;
}

int
gitlog_read(struct gitlog *l, const char *id, gitlog_sink *sink, void *arg, struct error *err)
{
	git_odb_stream *stream = NULL;
	git_odb_object *object = NULL;
	git_object_t type;
	git_oid oid;
	size_t len;
	int rc;

	if (git_oid_fromstr(&oid, id) < 0)
		return failed(l, err);
	if (git_odb_open_rstream(&stream, &len, &type, l->odb, &oid) == 0) {
		rc = read_stream(l, stream, &oid, len, sink, arg, err);
		git_odb_stream_free(stream);
		return rc;
	}
	if (git_odb_read(&object, l->odb, &oid) < 0)
		return failed(l, err);
	rc = sink(arg, git_odb_object_data(object), git_odb_object_size(object), err);
	git_odb_object_free(object);
	return rc;
}

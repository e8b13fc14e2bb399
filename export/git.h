/*
 * git: the repository's history, one commit per publication.
 *
 * A thin layer over libgit2 that knows directories of ours inside a work tree and nothing of what
 * the files mean. Files of others, staged or not, are left alone.
 */
#ifndef EXPORT_GIT_H
#define EXPORT_GIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct gitrepo;
struct ssh_signer;

/* Hex digits of a commit id and the NUL. */
#define GIT_COMMIT_SIZE 41
#define GIT_BRANCH      "main"

/* What is ours in a work tree. */
struct git_paths {
	const char *const *dirs; /* top-level */
	size_t dir_count;
	const char *const *files; /* top-level */
	size_t file_count;
};

struct git_author {
	const char *name, *mail;
	int64_t time_s;
	const struct ssh_signer *signer; /* NULL: the commit is not signed */
};

/* Makes an empty repository with a work tree at path (which may exist), or opens the one there. */
int gitrepo_create(const char *path, struct gitrepo **out, struct error *err) MUST_CHECK;
/* What is no repository, has no work tree or a detached HEAD is ERROR_CONFIG. Nothing is written.
 */
int gitrepo_open(const char *path, struct gitrepo **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void gitrepo_close(struct gitrepo *g);

/* Whether HEAD names a commit. */
bool gitrepo_has_commit(struct gitrepo *g);

/* Its id. */
int gitrepo_head(struct gitrepo *g, char id[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

/* The directory .git/preload25 for our own state, outside of the work tree but on its file system.
 * It may not exist yet. Lent. */
const char *gitrepo_state_dir(const struct gitrepo *g);

/* ERROR_CONFIG names the first file in these top-level directories that differs from the last
 * commit, or is not in it. */
int gitrepo_check_clean(
	struct gitrepo *g, const char *const *dirs, size_t count, struct error *err) MUST_CHECK;

/* Whether HEAD holds what that commit did under these paths: 1, 0 it does not or there is no such
 * commit, -1. */
int gitrepo_same_paths(struct gitrepo *g, const char *commit, const struct git_paths *paths,
	struct error *err) MUST_CHECK;

/* Waits a moment for the lock files of another git process to go; one that stays is ERROR_CONFIG.
 */
int gitrepo_check_unlocked(struct gitrepo *g, struct error *err) MUST_CHECK;
/* Removes lock files that a killed run of ours has left: only for who knows that there was one. */
void gitrepo_unlock(struct gitrepo *g);

/* Commits these top-level directories as they stand in the work tree (regular files, and
 * directories of such, and nothing else) and these top-level files. Contents go in as they are,
 * whatever filters the configuration names, in constant memory. Same files as in HEAD: no new
 * commit. The id of HEAD comes out either way; then the index agrees with the commit. */
int gitrepo_commit(struct gitrepo *g, const struct git_paths *paths, const char *message,
	const struct git_author *author, char id[static GIT_COMMIT_SIZE],
	struct error *err) MUST_CHECK;

#endif

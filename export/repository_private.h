/*
 * repository_private: what the files behind export/repository.h share; nobody else includes it.
 *
 *	repository_state	names, and what is there
 *	repository_git		whose commit is the last one, and who else has it
 *	repository_put		one publication onto the disk, and what a killed one has left
 *	repository		what is published and when
 */
#ifndef EXPORT_REPOSITORY_PRIVATE_H
#define EXPORT_REPOSITORY_PRIVATE_H

#include "common/buf.h"
#include "export/repository.h"

#define REPOSITORY_METADATA   "metadata"
#define REPOSITORY_TARGETS    "targets"
#define REPOSITORY_ATTRIBUTES ".gitattributes"
#define REPOSITORY_FILES_MAX  64
#define REPOSITORY_FILE_MODE  0644

struct file_lock;
struct gitrepo;
struct ssh_signer;
struct tuf_signer;

struct repository {
	struct repository_options options;
	char *path;
	struct gitrepo *git;
	struct file_lock *lock;
	struct tuf_signer *signers[TUF_ROLE_COUNT];
	struct ssh_signer *commit_signer;      /* NULL: commits are not signed */
	struct tuf_meta *meta[TUF_ROLE_COUNT]; /* as published; only the root is always there */
};

/* The directories of the work tree that are ours. */
#define REPOSITORY_DIRS 2
extern const char *const repository_dirs[REPOSITORY_DIRS];

/* --- repository_state ---------------------------------------------------------------------------
 */

/* The caller frees it; the version of a timestamp is not looked at. */
char *repository_metadata_path(
	const struct repository *r, int64_t version, enum tuf_role role) RETURNS_NONNULL;
/* The same: targets/SHA256.NAME. */
char *repository_hashed_path(
	const struct repository *r, const char *sha256, const char *name) RETURNS_NONNULL;
/* "12.ROLE.json": 12; 0 for anything else. */
int64_t repository_version_of(const char *file, enum tuf_role role);

/* Reads a file that must be signed as the root asks, and of that version unless 0: 1, 0 it is not
 * there, -1. */
int repository_load_meta(const struct repository *r, enum tuf_role role, int64_t version,
	struct tuf_meta **out, struct error *err);
/* The newest root, which says whose repository this is. */
int repository_load_root(struct repository *r, struct error *err) MUST_CHECK;
/* Follows timestamp.json to what is published: 1, 0 nothing is, -1. */
int repository_load_published(struct repository *r, struct error *err) MUST_CHECK;

/* --- repository_git -----------------------------------------------------------------------------
 */

/* All that is ours in the work tree. */
extern const struct git_paths repository_paths;

/* Notes the commit as the last publication, for the next run to see whether HEAD is still ours. */
int repository_remember_commit(
	const struct repository *r, const char *commit, struct error *err) MUST_CHECK;
/* ERROR_CONFIG when another hand has committed since then, unless options.adopt lets it pass. A
 * clone has no note: what it holds is taken. */
int repository_check_head(const struct repository *r, struct error *err) MUST_CHECK;

/* --- repository_put -----------------------------------------------------------------------------
 */

/* Written before the first change, removed after the last: what a killed run was about to do. */
struct journal {
	int64_t timestamp; /* version of the timestamp that makes it valid; 0: the first root */
	int64_t time_s;
	char *message;
};

int repository_write_journal(
	const struct repository *r, const struct journal *j, struct error *err) MUST_CHECK;
/* 1, 0 there is none, -1. The caller frees j->message. */
int repository_read_journal(
	const struct repository *r, struct journal *j, struct error *err) MUST_CHECK;

/* A clone of a repository without targets has no directory for them. */
int repository_make_dirs(const struct repository *r, struct error *err) MUST_CHECK;
/* Everything behind the rename of timestamp.json; each step may be done again. */
int repository_finish(struct repository *r, const struct journal *j,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;
/* If a run was killed: ends what it did, or undoes what it had begun. */
int repository_recover(struct repository *r, struct error *err) MUST_CHECK;

/* Signed files of one publication, complete in memory before anything is written. */
struct draft {
	int64_t version[TUF_ROLE_COUNT];
	struct buf text[TUF_ROLE_COUNT]; /* empty: that role stays as it is */
};

/* Writes the draft, the timestamp last, and ends the publication. */
int repository_put(struct repository *r, const struct draft *d, const struct repository_file *files,
	const struct tuf_target *targets, size_t count, const char *message, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

#endif

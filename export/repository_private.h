/*
 * repository_private: what the files behind export/repository.h share; nobody else includes it.
 *
 *	repository_state	names, and what is there
 *	repository_git		whose commit is the last one, and who else has it
 *	repository_keys		the private keys that are held here
 *	repository_requests	files that wait for signatures by keys that are not
 *	repository_draft	the signed files of one publication
 *	repository_put		one publication onto the disk, and what a killed one has left
 *	repository_root		who may sign, and how that changes
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
struct signing;
struct tuf_signer;

struct repository {
	struct repository_options options;
	char *path;
	struct gitrepo *git;
	struct file_lock *lock;
	struct {
		struct held *list;
		size_t count;
	} held[TUF_ROLE_COUNT];
	struct ssh_signer *commit_signer;      /* NULL: commits are not signed */
	struct tuf_meta *meta[TUF_ROLE_COUNT]; /* as published; only the root is always there */
	/* While a killed change of keys is brought to its end: the root whose keys have signed what
	 * is published. Else NULL. */
	struct tuf_meta *root_before;
};

/* A private key that is here. */
struct held {
	struct tuf_signer *signer;
	const char *uri; /* lent by the options */
	const char
		*path; /* the file that it names, NULL: none; that of the coming key is beside it */
	bool next;     /* takes the place of the file when the root names it */
	bool encrypted;
};
#define REPOSITORY_HELD_MAX 32

/* The top-level directories of the work tree that are ours. */
#define REPOSITORY_DIRS 2
extern const char *const repository_dirs[REPOSITORY_DIRS];

/* --- repository_state ---------------------------------------------------------------------------
 */

/* The caller frees it; the version of a timestamp is not looked at. */
char *repository_metadata_path(
	const struct repository *r, int64_t version, enum tuf_role role) RETURNS_NONNULL;
/* The same: targets/SHA256.NAME; the digest stands before the last part of the name
 * (specification, section 6.2). */
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

/* The same, whoever has signed it. */
int repository_read_meta(
	const char *path, enum tuf_role role, struct tuf_meta **out, struct error *err) MUST_CHECK;
/* That version of the root, signed by its own keys: 1, 0 it is not there, -1. */
int repository_load_root_version(const struct repository *r, int64_t version, struct tuf_meta **out,
	struct error *err) MUST_CHECK;

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

/* --- repository_keys ----------------------------------------------------------------------------
 */

/* Loads what the options name. */
int repository_load_keys(struct repository *r, struct error *err) MUST_CHECK;
/* Whether they are keys of this repository and, for the online roles, enough of them. */
int repository_check_keys(const struct repository *r, struct error *err) MUST_CHECK;
/* Makes, for each file that holds a key of the role, the key that is to follow it. */
int repository_make_next(struct repository *r, enum tuf_role role, struct error *err) MUST_CHECK;
/* Where the root names the following key, its file takes the place of the old one. */
int repository_swap_keys(struct repository *r, struct error *err) MUST_CHECK;
void repository_free_keys(struct repository *r);

/* --- repository_requests ------------------------------------------------------------------------
 */

/* DIR-signing/VERSION.ROLE.json, beside the repository; the caller frees it. */
char *repository_request_path(
	const struct repository *r, enum tuf_role role, int64_t version) RETURNS_NONNULL;
/* The request for that version with all signatures that copies of it beside it bring: 1, 0, -1. */
int repository_find_request(const struct repository *r, enum tuf_role role, int64_t version,
	struct signing **out, struct error *err) MUST_CHECK;
/* Signs with the keys that are here. */
int repository_sign_request(
	const struct repository *r, struct signing *s, struct error *err) MUST_CHECK;
/* Writes it and says in the log where it is and what it waits for. */
int repository_put_request(
	const struct repository *r, const struct signing *s, struct error *err) MUST_CHECK;
/* Removes requests for versions that are published. */
void repository_tidy_requests(struct repository *r);

/* --- repository_draft ---------------------------------------------------------------------------
 */

/* Signed files of one publication, complete in memory before anything is written. */
struct draft {
	const struct tuf_meta *root; /* whose keys sign it; lent */
	int64_t version[TUF_ROLE_COUNT];
	struct buf text[TUF_ROLE_COUNT]; /* empty: that role stays as it is */
	bool root_first; /* with a new root: the rest is not good under the present one */
};

void repository_draft_init(struct draft *d, const struct repository *r);
void repository_draft_clear(struct draft *d);
/* Signs the next targets; *out says what the snapshot will say of it. 0, 1: it waits for
 * signatures, and the request says so; -1. Takes signed_part over. */
int repository_draft_targets(struct draft *d, const struct repository *r, json_t *signed_part,
	int64_t now_s, struct tuf_file *out, struct error *err) MUST_CHECK;
/* Signs snapshot and timestamp above the given targets. */
int repository_draft_upwards(struct draft *d, const struct repository *r,
	const struct tuf_file *targets, int64_t now_s, struct error *err) MUST_CHECK;
int repository_draft_timestamp(struct draft *d, const struct repository *r,
	const struct tuf_file *snapshot, int64_t now_s, struct error *err) MUST_CHECK;
/* Signs anew whatever is published and not good under d->root. 0, 1 the targets wait, -1. */
int repository_draft_rest(
	struct draft *d, const struct repository *r, int64_t now_s, struct error *err) MUST_CHECK;
/* The published targets once more, as they were, with that version and expiry. */
json_t *repository_same_targets(const struct repository *r, int64_t version, int64_t expires_s);

/* --- repository_put -----------------------------------------------------------------------------
 */

/* Written before the first change, removed after the last: what a killed run was about to do. */
struct journal {
	int64_t timestamp; /* version of the timestamp that makes it valid; 0: the first root */
	int64_t root;      /* version of the root that comes with it; 0: none does */
	int64_t time_s;
	char *message;
};

int repository_write_journal(
	const struct repository *r, const struct journal *j, struct error *err) MUST_CHECK;
/* 1, 0 there is none, -1. The caller frees j->message. */
int repository_read_journal(
	const struct repository *r, struct journal *j, struct error *err) MUST_CHECK;

/* Git knows no empty directories, so a clone may lack some. */
int repository_make_dirs(const struct repository *r, struct error *err) MUST_CHECK;
/* Everything behind the rename of timestamp.json; each step may be done again. */
int repository_finish(struct repository *r, const struct journal *j,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;
/* If a run was killed: ends what it did, or undoes what it had begun. */
int repository_recover(struct repository *r, struct error *err) MUST_CHECK;

/* Writes the draft and ends the publication. The timestamp comes last but for a new root, which
 * comes behind it if everything is good under both roots, else before everything. */
int repository_put(struct repository *r, const struct draft *d, const struct repository_file *files,
	const struct tuf_target *targets, size_t count, const char *message, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

#endif

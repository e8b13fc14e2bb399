/*
 * repository: the TUF repository that an authority publishes, a directory under git.
 *
 *	metadata/N.root.json, N.targets.json, N.snapshot.json, timestamp.json
 *	targets/SHA256.NAME, and NAME beside it for people
 *	targets/delta/SHA256.NAME, the same for targets named delta/NAME
 *
 *	if (repository_open(&options, &r, err) < 0) ...
 *	rc = repository_publish(r, &publication, now_s, commit, err);
 *	if (repository_push(r, err) < 0) ...
 *	repository_close(r);
 *
 * A publication becomes valid at one moment, the rename of timestamp.json. Whatever kills a run, a
 * client sees the last state or the next one, and the next open completes the run or clears what it
 * left. The metadata and targets of the publication before stay served, for clients on their way.
 */
#ifndef EXPORT_REPOSITORY_H
#define EXPORT_REPOSITORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/git.h"
#include "export/push.h"
#include "export/tuf_metadata.h"

struct error;
struct repository;
struct tuf_key;

/* The private keys of one role that are here; lent for the life of the repository. */
struct repository_keys {
	const char *const *uris; /* see tuf_signer.h */
	size_t count;            /* 0: none are needed for what is to be done, or none are here */
	const char *passphrase_from; /* see passphrase.h; NULL: the terminal is asked */
	bool optional;               /* a key file that is not there is elsewhere */
	bool quiet; /* nobody is asked: what cannot be had without is elsewhere, too */
};

/* The one directory that targets may be in: "delta/NAME". */
#define REPOSITORY_DELTAS "delta"

struct repository_options {
	const char *path;
	const char *author_name, *author_mail;       /* of the commits */
	struct repository_keys keys[TUF_ROLE_COUNT]; /* by enum tuf_role */
	bool new_keys; /* they need not be those of the root, which is to be changed */
	int64_t expires_s[TUF_ROLE_COUNT]; /* how long each file is good for */
	const char *sign_key;              /* file of the commits' key; NULL: they are not signed */
	const char *const *remotes;        /* lent for the life of the repository */
	size_t remote_count;
	struct push_options push;
	bool adopt; /* take HEAD as another hand has left it, if our files are as we left them */
};

/* Makes the directory, the first root (the keys given, one of which is enough for its role) and the
 * first commit. The key files must be there. One that was begun and not finished is finished. 1: it
 * is complete already, err says so. */
int repository_create(
	const struct repository_options *options, int64_t now_s, struct error *err) MUST_CHECK;

/* Takes the repository for this process (ERROR_TEMP: another one has it) and brings an interrupted
 * publication to its end. Not a repository, not one that our keys sign for, changed by another
 * hand (files, commits, a lock file left over): ERROR_CONFIG and nothing is touched. Metadata that
 * does not verify: ERROR_SECURITY. */
int repository_open(const struct repository_options *options, struct repository **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void repository_close(struct repository *r);

/* Only to look at: nothing is locked, completed or written, nobody is asked for a pass phrase. */
int repository_look(const struct repository_options *options, struct repository **out,
	struct error *err) MUST_CHECK;
/* As published, lent; NULL: not yet, never for the root. */
const struct tuf_meta *repository_meta(const struct repository *r, enum tuf_role role);
/* The URI of the private key if it is here, else NULL. */
const char *repository_key_uri(const struct repository *r, enum tuf_role role, const char *keyid);
/* What waits for signatures: calls f for each. */
struct signing;
void repository_each_request(const struct repository *r,
	void (*f)(const char *path, struct signing *s, void *arg), void *arg);

/* A file of this name for the builder's own use between runs: on the repository's file system,
 * outside of the work tree, never published. The caller frees it. */
char *repository_state_path(const struct repository *r, const char *name) RETURNS_NONNULL;
/* Removes all of these whose names begin so. */
int repository_drop_state(
	const struct repository *r, const char *prefix, struct error *err) MUST_CHECK;
/* The published file of a target: 1 (the caller frees *path), 0 there is none. */
int repository_target_path(const struct repository *r, const char *name, char **path);
/* The name of the i-th published target, lent: 1, or 0 behind the last. */
int repository_nth_target(const struct repository *r, size_t i, const char **name);
/* When the first of the published files expires; 0: nothing is published. */
int64_t repository_expires(const struct repository *r);

/* The id of the last commit. */
int repository_head(
	struct repository *r, char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

struct repository_file {
	const char *name; /* of the target: letters, digits, "." and "-"; perhaps below "delta/" */
	const char *path; /* on the repository's file system; once published this name is gone */
};

struct repository_publication {
	const struct repository_file *files; /* all targets: those not named are no longer */
	size_t file_count;
	const char *message; /* of the commit */
};

/* Signs and publishes, one commit. 0, 1: the keys that are here are not enough; the log says where
 * the file is that waits for signatures, and nothing is changed; -1. */
int repository_publish(struct repository *r, const struct repository_publication *p, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;
/* A new timestamp for the same targets and, as far as it goes, whatever else is past half its life.
 * Nothing published yet: ERROR_CONFIG. Targets that wait for signatures of others stay as they are.
 */
enum repository_renewal {
	REPOSITORY_TIMESTAMP, /* nothing else: no other key is needed */
	REPOSITORY_ONLINE,    /* the snapshot, too */
	REPOSITORY_ALL,       /* the targets, too */
};
int repository_renew(struct repository *r, enum repository_renewal what, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

/* What is to change about the keys of one role; all zero but the role: only the root is renewed. */
struct repository_change {
	enum tuf_role role;
	const struct tuf_key *const *add;
	size_t add_count;
	const char *const *remove; /* key ids, or their first 8 digits or more */
	size_t remove_count;
	bool rotate;            /* each of the role's keys that is a file here gets a follower */
	int64_t threshold;      /* 0: as it is */
	int64_t root_expires_s; /* how long the new root is good for; 0: as the options say */
};

enum repository_root {
	REPOSITORY_ROOT_SAME,    /* nothing to do, or the new root waits for signatures */
	REPOSITORY_ROOT_NEW,     /* published, and everything is signed as it asks */
	REPOSITORY_ROOT_BLOCKED, /* it is complete, but the targets wait for its keys' signatures */
};

/* Draws up the next root, on top of one that waits already. With enough keys here it is published
 * in one commit with all that must be signed anew, else the log says where it waits. */
int repository_change_keys(struct repository *r, const struct repository_change *change,
	int64_t now_s, enum repository_root *out, char commit[static GIT_COMMIT_SIZE],
	struct error *err) MUST_CHECK;
/* Publishes a new root that has got its signatures; draws one up when the present one nears its
 * end. */
int repository_tend_root(struct repository *r, int64_t now_s, enum repository_root *out,
	char commit[static GIT_COMMIT_SIZE], struct error *err) MUST_CHECK;

/* Brings every remote up to date, each on its own: a failing one does not stop the others. The
 * worst failure comes out in err (ERROR_TEMP, or ERROR_CONFIG when trying again will not help), the
 * others are logged. */
int repository_push(struct repository *r, struct error *err) MUST_CHECK;

#endif

/*
 * tuf_metadata: the signed files of a TUF repository (specification 1.0), read and written.
 *
 * A struct tuf_meta is one file whose form was checked by tuf_meta_parse(); nobody has vouched for
 * it until tuf_meta_verify() returned 0. The order of steps, what is fetched, and the rollback and
 * expiry checks between files belong to the client.
 */
#ifndef EXPORT_TUF_METADATA_H
#define EXPORT_TUF_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/attr.h"
#include "export/tuf_trust.h" /* TUF_INT_MAX */

struct buf;
struct error;
struct tuf_delegation;
struct tuf_delegations;
struct tuf_key;
struct tuf_meta;
struct tuf_signer;

#define TUF_SPEC_VERSION "1.0.34"
/* Octets per file: what the reference client allows. */
#define TUF_ROOT_MAX      ((size_t)512000)
#define TUF_TIMESTAMP_MAX ((size_t)16384)
#define TUF_SNAPSHOT_MAX  ((size_t)2000000)
#define TUF_TARGETS_MAX   ((size_t)5000000)
/* Roots a client steps through in one refresh. */
#define TUF_ROOTS_MAX 256

enum tuf_role { TUF_ROLE_ROOT, TUF_ROLE_TIMESTAMP, TUF_ROLE_SNAPSHOT, TUF_ROLE_TARGETS };
#define TUF_ROLE_COUNT 4

const char *tuf_role_name(enum tuf_role role); /* "root", ... */
/* The role of that name: 0, or -1. */
int tuf_role_parse(const char *name, enum tuf_role *out) MUST_CHECK;
size_t tuf_role_max(enum tuf_role role); /* TUF_ROOT_MAX, ... */

/* What one file says of another. */
struct tuf_file {
	int64_t version;  /* of metadata; 0 for a target */
	int64_t length;   /* -1: not said, metadata only */
	bool hashes;      /* any are given, metadata only: a target always has some */
	char sha256[65];  /* lower-case hex, or "": not given */
	char sha512[129]; /* the same */
};

/* Checks form and meaning of one file: strict JSON, _type, spec_version, version, expires, keys and
 * their ids, roles, thresholds, hashes, no key id twice among the signatures. ERROR_INPUT. */
int tuf_meta_parse(const char *text, size_t len, enum tuf_role role, struct tuf_meta **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void tuf_meta_free(struct tuf_meta *m);

/* Whether the root's keys for m's role have signed it, as many distinct ones as their threshold
 * asks: 0 yes, -1 ERROR_SECURITY. A new root is verified twice, by the one before it and by itself.
 */
int tuf_meta_verify(
	const struct tuf_meta *m, const struct tuf_meta *root, struct error *err) MUST_CHECK;

/* The same for a file that another targets role has delegated to. */
int tuf_meta_verify_delegated(const struct tuf_meta *m, const struct tuf_delegation *delegation,
	struct error *err) MUST_CHECK;

enum tuf_role tuf_meta_role(const struct tuf_meta *m);
int64_t tuf_meta_version(const struct tuf_meta *m);
int64_t tuf_meta_expires(const struct tuf_meta *m); /* seconds; expired when <= the time */

/* The whole file and the octets that are signed, lent; whether k has signed them. */
const json_t *tuf_meta_document(const struct tuf_meta *m);
const struct buf *tuf_meta_octets(const struct tuf_meta *m);
bool tuf_meta_signed_by(const struct tuf_meta *m, const struct tuf_key *k);

/* Root only. */
bool tuf_root_consistent_snapshot(const struct tuf_meta *root);
int64_t tuf_root_threshold(const struct tuf_meta *root, enum tuf_role role);
bool tuf_root_has_key(const struct tuf_meta *root, enum tuf_role role, const char *keyid);
/* The keys of a role, for i from 0, lent; NULL behind the last. */
const struct tuf_key *tuf_root_key(const struct tuf_meta *root, enum tuf_role role, size_t i);
/* How many of them have signed m, whatever their threshold. */
size_t tuf_root_signed(const struct tuf_meta *root, const struct tuf_meta *m);
/* Whether both give the role the same keys and threshold (recovery from fast-forward attacks). */
bool tuf_root_same_role(const struct tuf_meta *a, const struct tuf_meta *b, enum tuf_role role);

/* Timestamp and snapshot: what is said of the metadata file ("snapshot.json"). 1 found, 0 not. */
int tuf_meta_find(const struct tuf_meta *m, const char *name, struct tuf_file *out);
/* All of them, for i from 0: 1, or 0 behind the last. *name is lent. */
int tuf_meta_nth(const struct tuf_meta *m, size_t i, const char **name, struct tuf_file *out);
/* Targets: a target by its name ("list.json"). 1 found, 0 not. One that gives no hash that we know
 * is found, but nothing is ever taken for it. */
int tuf_targets_find(const struct tuf_meta *targets, const char *name, struct tuf_file *out);
int tuf_targets_nth(
	const struct tuf_meta *targets, size_t i, const char **name, struct tuf_file *out);

/* What they leave to other roles, for tuf_delegations_next(); lent. NULL: nothing. */
struct tuf_delegations *tuf_targets_delegations(const struct tuf_meta *targets);

/* Whether bytes are what a file says of them: length, and every hash that it gives and we know.
 * What differs is ERROR_SECURITY. In pieces as they arrive: */
struct tuf_check;
struct tuf_check *tuf_check_new(const struct tuf_file *said) RETURNS_NONNULL;
/* -1 (ERROR_SECURITY) as soon as they are more than said->length. */
int tuf_check_add(struct tuf_check *c, const void *data, size_t len, struct error *err) MUST_CHECK;
/* All have been added: 0 they are it. Once. */
int tuf_check_end(struct tuf_check *c, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void tuf_check_free(struct tuf_check *c);
/* The same for bytes in memory, and for a file, in constant memory. What is not there, not a file,
 * or not to be read is ERROR_CONFIG. */
int tuf_check_data(
	const struct tuf_file *said, const void *data, size_t len, struct error *err) MUST_CHECK;
int tuf_check_path(const struct tuf_file *said, const char *path, struct error *err) MUST_CHECK;
/* Of a file that is open, whose offset is neither used nor moved; name is for messages. */
int tuf_check_fd(
	const struct tuf_file *said, int fd, const char *name, struct error *err) MUST_CHECK;

/* --- writing ------------------------------------------------------------------------------------
 */

struct tuf_role_keys {
	const struct tuf_key *const *keys;
	size_t count;
	int64_t threshold;
};

struct tuf_target {
	const char *name;
	struct tuf_file file;
};

/* Length and SHA-256 of bytes in memory; of a file, in constant memory. version stays 0. */
void tuf_file_of(const void *data, size_t len, struct tuf_file *out);
int tuf_file_of_path(const char *path, struct tuf_file *out, struct error *err) MUST_CHECK;

/* The "signed" part of a file; the caller owns it. */
json_t *tuf_build_root(int64_t version, int64_t expires_s,
	const struct tuf_role_keys roles[static TUF_ROLE_COUNT]);
json_t *tuf_build_timestamp(int64_t version, int64_t expires_s, const struct tuf_file *snapshot);
json_t *tuf_build_snapshot(int64_t version, int64_t expires_s, const struct tuf_file *targets);
json_t *tuf_build_targets(
	int64_t version, int64_t expires_s, const struct tuf_target *targets, size_t count);

/* Signs with each of the signers and appends the whole file to out. The same input gives the same
 * bytes. */
int tuf_sign(const json_t *signed_part, const struct tuf_signer *const *signers, size_t count,
	struct buf *out, struct error *err) MUST_CHECK;
/* Appends a whole file ("signatures", "signed") as tuf_sign() lays it out. */
int tuf_format(const json_t *document, struct buf *out, struct error *err) MUST_CHECK;

#endif

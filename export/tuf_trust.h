/*
 * tuf_trust: who may sign for a role: keys, the ids that a role names, and the threshold (TUF
 * specification 1.0, sections 4.3 and 5.2), for the roles of a root as well as for delegated ones.
 *
 * Strings are lent by the JSON document that was parsed, which must outlive what was made from it.
 */
#ifndef EXPORT_TUF_TRUST_H
#define EXPORT_TUF_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/attr.h"

struct error;
struct tuf_key;

/* No number above 2^53 - 1: JavaScript clients would round it. */
#define TUF_INT_MAX INT64_C(9007199254740991)
/* Keys of a root or of a delegation, and signatures of any file: more are refused. */
#define TUF_KEYS_MAX       256
#define TUF_SIGNATURES_MAX 256

/* "keys": all that roles may name. Zeroed memory is empty. */
struct tuf_keys {
	struct tuf_key **list; /* owned */
	size_t count;
};

/* The member "keys" of object. Each key is named by its content (section 4.3), else ERROR_INPUT. */
int tuf_keys_parse(struct tuf_keys *keys, const json_t *object, struct error *err) MUST_CHECK;
void tuf_keys_clear(struct tuf_keys *keys);

/* "keyids" and "threshold" of one role. Zeroed memory is nobody. */
struct tuf_signatories {
	const char **ids; /* array owned, strings lent */
	size_t count;
	int64_t threshold; /* at least 1 */
};

int tuf_signatories_parse(
	struct tuf_signatories *s, const json_t *object, struct error *err) MUST_CHECK;
void tuf_signatories_clear(struct tuf_signatories *s);
bool tuf_signatories_have(const struct tuf_signatories *s, const char *id);
/* Whether both name the same ids with the same threshold. */
bool tuf_signatories_same(const struct tuf_signatories *a, const struct tuf_signatories *b);

/* The member "signatures" of a whole file: form, number, no key id twice. ERROR_INPUT. */
int tuf_signatures_check(const json_t *document, struct error *err) MUST_CHECK;

/* The key of that id, or NULL; the signature by it in a whole file, or NULL. Lent. */
const struct tuf_key *tuf_trust_key(const struct tuf_keys *keys, const char *id);
const char *tuf_trust_signature(const json_t *document, const char *id);

/* How many distinct keys of the signatories have signed the octets; stops at the threshold. The
 * signatures have been checked. Unknown signers and wrong signatures count nothing and harm
 * nothing. */
size_t tuf_trust_count(const struct tuf_keys *keys, const struct tuf_signatories *s,
	const json_t *document, const char *octets, size_t len);

#endif

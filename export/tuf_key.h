/*
 * tuf_key: public keys as TUF metadata names them: ed25519, ecdsa-sha2-nistp256, rsassa-pss-sha256.
 */
#ifndef EXPORT_TUF_KEY_H
#define EXPORT_TUF_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <openssl/types.h>

#include "common/attr.h"

struct error;
struct tuf_key;

/* Hex digits of a key id and the NUL. */
#define TUF_KEYID_SIZE 65
/* Octets of the text of one key, and of one signature in hex, that are looked at. */
#define TUF_KEYVAL_MAX  8192
#define TUF_SIG_HEX_MAX 2048

/* From a key object of a root file; its id is the SHA-256 of the canonical whole object, members we
 * do not know included. What is no key object is ERROR_INPUT; a key of a type or scheme we do not
 * know, or whose value is unusable, is a key that verifies nothing (tuf_key_usable()). */
int tuf_key_from_json(const json_t *object, struct tuf_key **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void tuf_key_free(struct tuf_key *k);

const char *tuf_key_id(const struct tuf_key *k);
/* The key object, lent. */
const json_t *tuf_key_json(const struct tuf_key *k);
bool tuf_key_usable(const struct tuf_key *k);
/* Whether both are the same public key, whatever their ids and objects say. */
bool tuf_key_same(const struct tuf_key *a, const struct tuf_key *b);

/* Whether sig_hex is a signature of the data by this key. */
bool tuf_key_verify(const struct tuf_key *k, const void *data, size_t len, const char *sig_hex);

/* Its keytype, lent; its public key as PEM, which the caller frees, NULL if it is not usable. */
const char *tuf_key_type(const struct tuf_key *k);
char *tuf_key_pem(const struct tuf_key *k);

/* From a public key in PEM, which name stands for in errors (ERROR_CONFIG). */
int tuf_key_from_pem(
	const char *pem, const char *name, struct tuf_key **out, struct error *err) MUST_CHECK;

/* For tuf_signer: the public half of a key, which name stands for (ERROR_CONFIG: of no kind that
 * signs here); a signature by the private half of k in hex, verified, which the caller frees. */
int tuf_key_of_pkey(
	EVP_PKEY *pkey, const char *name, struct tuf_key **out, struct error *err) MUST_CHECK;
int tuf_key_sign(const struct tuf_key *k, EVP_PKEY *pkey, const void *data, size_t len,
	char **sig_hex, struct error *err) MUST_CHECK;

#endif

/*
 * tuf_key: public keys as TUF metadata names them, and the private keys that sign.
 *
 * Verifies ed25519, ecdsa-sha2-nistp256 and rsassa-pss-sha256; makes and signs with ed25519 only.
 */
#ifndef EXPORT_TUF_KEY_H
#define EXPORT_TUF_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/attr.h"

struct error;
struct tuf_key;
struct tuf_signer;

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

/* A private key by its URI: "file:PATH", a bare PATH, or whatever OpenSSL's stores know. A key file
 * that others than its owner may read is ERROR_SECURITY; what is missing or no Ed25519 key is
 * ERROR_CONFIG. A pass phrase is not asked for. */
int tuf_signer_load(const char *uri, struct tuf_signer **out, struct error *err) MUST_CHECK;
/* Makes a key and writes it to a new file of mode 0600; an existing file is ERROR_CONFIG. */
int tuf_signer_generate(const char *path, struct tuf_signer **out, struct error *err) MUST_CHECK;
/* Wipes the private part. NULL is allowed. */
void tuf_signer_free(struct tuf_signer *s);
/* Its public key, lent. */
const struct tuf_key *tuf_signer_key(const struct tuf_signer *s);
/* The signature in hex; the caller frees it. */
int tuf_signer_sign(const struct tuf_signer *s, const void *data, size_t len, char **sig_hex,
	struct error *err) MUST_CHECK;

#endif

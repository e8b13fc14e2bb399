/*
 * tuf_signer: the private keys that sign TUF metadata: in files, in PKCS #11 tokens, or wherever
 * OpenSSL's stores find them.
 */
#ifndef EXPORT_TUF_SIGNER_H
#define EXPORT_TUF_SIGNER_H

#include <stddef.h>

#include "common/attr.h"

struct error;
struct passphrase;
struct tuf_key;
struct tuf_signer;

/* A private key by its URI: "file:PATH", a bare PATH, "pkcs11:...", or whatever OpenSSL's stores
 * know. A key file that is not ours or that others may read is ERROR_SECURITY; what is missing or
 * no key that signs is ERROR_CONFIG. pass answers when the key asks for a pass phrase or PIN; NULL:
 * such a key is refused. */
int tuf_signer_load(const char *uri, struct passphrase *pass, struct tuf_signer **out,
	struct error *err) MUST_CHECK;
/* The path if the URI names a file, else NULL; lent. */
const char *tuf_signer_path(const char *uri);

/* Makes a key of this type ("ed25519", "ecdsa", "rsa", else ERROR_CONFIG) and writes it to a new
 * file of mode 0600, encrypted unless pass is NULL; an existing file is ERROR_CONFIG. */
int tuf_signer_generate(const char *path, const char *type, struct passphrase *pass,
	struct tuf_signer **out, struct error *err) MUST_CHECK;
/* Wipes the private part. NULL is allowed. */
void tuf_signer_free(struct tuf_signer *s);
/* Its public key, lent. */
const struct tuf_key *tuf_signer_key(const struct tuf_signer *s);
/* The signature in hex; the caller frees it. */
int tuf_signer_sign(const struct tuf_signer *s, const void *data, size_t len, char **sig_hex,
	struct error *err) MUST_CHECK;

#endif

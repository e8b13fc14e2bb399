/*
 * minisign: a detached signature that `minisign -V` accepts, for people without a TUF client.
 *
 * The form in which the file is hashed first ("ED": Ed25519 over BLAKE2b-512), with a trusted
 * comment under the global signature. The key is an Ed25519 key like those of the roles; minisign's
 * number of it is the beginning of the SHA-256 of the public key, so that the same key has the same
 * number wherever it is written down. The same input gives the same bytes.
 */
#ifndef EXPORT_MINISIGN_H
#define EXPORT_MINISIGN_H

#include <stddef.h>

#include "common/attr.h"

struct buf;
struct error;
struct tuf_signer;

/* Octets of either file, generously. */
#define MINISIGN_MAX ((size_t)4096)

/* Appends a public key file: a comment line, and the key in base64, which `minisign -P` takes. A
 * key of another type than Ed25519 is ERROR_CONFIG, here and below. */
int minisign_public_key(
	const struct tuf_signer *signer, struct buf *out, struct error *err) MUST_CHECK;

/* Appends the signature file of the contents of path, which are read in constant memory. comment is
 * the trusted comment: one line that is signed with it. */
int minisign_sign(const struct tuf_signer *signer, const char *path, const char *comment,
	struct buf *out, struct error *err) MUST_CHECK;

#endif

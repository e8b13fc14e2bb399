/*
 * ssh_sign: signatures in the SSH format (OpenSSH's PROTOCOL.sshsig), as git verifies them.
 *
 * In this process and not by ssh-keygen: the private key stays where the others are handled, and an
 * authority needs no further program. Ed25519 only.
 */
#ifndef EXPORT_SSH_SIGN_H
#define EXPORT_SSH_SIGN_H

#include <stddef.h>

#include "common/attr.h"

struct buf;
struct error;
struct ssh_signer;

/* A private key without a pass phrase, as ssh-keygen or openssl write it. A file that others than
 * its owner may read is ERROR_SECURITY; what is missing, encrypted or no Ed25519 key ERROR_CONFIG.
 */
int ssh_signer_load(const char *path, struct ssh_signer **out, struct error *err) MUST_CHECK;
/* Wipes the private part. NULL is allowed. */
void ssh_signer_free(struct ssh_signer *s);

/* The public half as a line of authorized_keys, without a comment; the caller frees it. */
char *ssh_signer_public(const struct ssh_signer *s) RETURNS_NONNULL;

/* Appends the armoured signature of the data for that namespace ("git"). */
int ssh_sign(const struct ssh_signer *s, const char *name_space, const void *data, size_t len,
	struct buf *out, struct error *err) MUST_CHECK;

#endif

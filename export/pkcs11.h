/*
 * pkcs11: private keys that stay in a token, by their URI (RFC 7512).
 *
 * OpenSSL 3's stores know this scheme only with a provider that the system may have; Debian 12 has
 * none, but an engine (libengine-pkcs11-openssl), which is OpenSSL's older way. This is the only
 * place that knows engines.
 */
#ifndef EXPORT_PKCS11_H
#define EXPORT_PKCS11_H

#include <stdbool.h>

#include <openssl/types.h>

#include "common/attr.h"

struct error;
struct passphrase;

/* Whether it is one of these URIs. */
bool pkcs11_is_uri(const char *uri);
/* ERROR_CONFIG if the URI itself holds the PIN: it would stand in process lists and logs. */
int pkcs11_check_uri(const char *uri, struct error *err) MUST_CHECK;

/* Of the query part, module-path (a PKCS #11 module instead of p11-kit's) and pin-source (a file
 * with the PIN) are obeyed; pin may be NULL: then there must be a pin-source. The key is the
 * caller's; what cannot be had is ERROR_CONFIG. */
int pkcs11_load(
	const char *uri, struct passphrase *pin, EVP_PKEY **out, struct error *err) MUST_CHECK;

#endif

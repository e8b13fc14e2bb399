/*
 * dns_id: the names in a certificate held against a reference name (RFC 9525 section 6.3; rules
 * R7.5 to R7.9).
 *
 * X509_check_host() is not used: it refuses wildcards with fewer than two labels behind them, which
 * the RFC does not, and it cannot be asked about one pair of names.
 */
#ifndef VERIFIER_DNS_ID_H
#define VERIFIER_DNS_ID_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

struct arena;

/* R7.7, R7.8. id: octets of one dNSName, NUL an ordinary octet. host: A-labels; one root dot is
 * ignored. A host that reads as an address matches nothing. */
bool dns_id_matches(const char *id, size_t id_len, const char *host);
/* Whether a dNSName of the certificate matches. The common name is never looked at (R7.6). */
bool dns_id_certificate_matches(const X509 *certificate, const char *host);
/* All dNSNames for people: escaped, divided by ", ", cut when long; "no DNS name" without any. */
const char *dns_id_certificate_names(const X509 *certificate, struct arena *arena);

#endif

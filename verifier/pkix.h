/*
 * pkix: a certificate chain, as a server sent it, held against the public store and a host name
 * (rule book section 7, and R6.8 and R6.9).
 *
 * Missing issuers are not fetched and nothing is taken from other hosts (R7.1). No network.
 */
#ifndef VERIFIER_PKIX_H
#define VERIFIER_PKIX_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/attr.h"
#include "common/clock.h"
#include "verifier/finding.h"

struct arena;
struct error;

/* R7.4 */
#define PKIX_EXPIRES_SOON_S (7 * CLOCK_DAY_S)

/* The roots of ca_file, or of the system when NULL. Loading takes tens of milliseconds: once per
 * program. The caller frees it with X509_STORE_free(). */
int pkix_store_load(const char *ca_file, X509_STORE **out, struct error *err) MUST_CHECK;

/* What is wrong with a chain, the worst first; at most one of each sort. */
struct pkix_problem {
	const char *code;
	const char *message; /* in the arena */
};
#define PKIX_PROBLEMS_MAX 8

struct pkix_result {
	enum verdict verdict;                            /* pass or fail */
	struct pkix_problem problems[PKIX_PROBLEMS_MAX]; /* those that fail */
	size_t count;
	int64_t not_after_s; /* of the leaf */
	bool expires_soon;
	bool key_weak, signature_weak; /* among the problems, or would be without R14.10 */
	bool trusted;                  /* leads to a public root, whatever else is wrong */
	bool staple_missing;           /* R6.12: the certificate demands one */
};

/* chain: leaf first; NULL or empty is a failure. host: lower-case A-labels without root dot. */
void pkix_judge(X509_STORE *store, STACK_OF(X509) * chain, const char *host, int64_t now_s,
	struct arena *arena, struct pkix_result *out);

/* R6.12: the OCSP response that came along; staple may be NULL. Call it after pkix_judge(), with
 * the same chain. One that is not the issuer's or has run out counts as none; the issuer must be in
 * the chain. No responder is ever asked. */
void pkix_judge_staple(STACK_OF(X509) * chain, const unsigned char *staple, size_t staple_len,
	int64_t now_s, struct arena *arena, struct pkix_result *result);

/* Adds the problems under the subject; those that fail with the given severity (R7.3, R14.1), the
 * weak key and signature as warnings when that is less than fail. */
void pkix_report(const struct pkix_result *result, enum severity severity, const char *subject,
	struct finding_list *findings);

/* SHA-256 of the certificate and of its SubjectPublicKeyInfo in hex (R7.12). */
const char *pkix_certificate_sha256(const X509 *certificate, struct arena *arena);
const char *pkix_spki_sha256(const X509 *certificate, struct arena *arena);

#endif

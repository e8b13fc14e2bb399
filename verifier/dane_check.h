/*
 * dane_check: TLSA records held against a chain (rule book section 14), and what the look-ups and
 * the match add up to for one MX host (sections 12 and 15).
 *
 * Matching is OpenSSL's own DANE code, run over the chain after the handshake, so that one session
 * can be judged for several domains. No network.
 */
#ifndef VERIFIER_DANE_CHECK_H
#define VERIFIER_DANE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/attr.h"
#include "verifier/finding.h"
#include "verifier/tlsa.h"

struct arena;
struct dane_checker;
struct error;

/* Shared by all checks of a thread. */
int dane_checker_new(struct dane_checker **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void dane_checker_free(struct dane_checker *c);

enum dane_result {
	DANE_NOT_CHECKED,
	DANE_MATCH,
	DANE_NO_MATCH,
	DANE_AGILITY_MISMATCH, /* R13.8: only a record that digest agility passes over matches */
	DANE_NAME_MISMATCH,
	DANE_EXPIRED,
	DANE_NOT_YET_VALID,
	DANE_CHAIN_INVALID,
	DANE_ALL_UNUSABLE,
};

struct dane_match {
	enum dane_result result;
	size_t record; /* index of the matching record, with DANE_MATCH */
	int depth;     /* of the certificate it matches; for a bare issuer key, of that it signed */
	bool bare_key; /* R14.4: matched through 2 1 0 */
	const char *code;    /* of the finding; NULL with DANE_MATCH */
	const char *message; /* in the arena; NULL with DANE_MATCH */
};

/* set must have been judged (tlsa_set_judge()). names: base domain first, then the other acceptable
 * reference names (R14.6), A-labels. chain: leaf first; NULL or empty never matches. */
void dane_match(struct dane_checker *c, const struct tlsa_set *set, STACK_OF(X509) * chain,
	const char *const *names, size_t name_count, int64_t now_s, struct arena *arena,
	struct dane_match *out);

/* R13.11: adds tlsa-combination-stale for each usage/selector/matching combination of which no
 * record matches, while `match` is a DANE_MATCH by another. */
void dane_report_stale(struct dane_checker *c, const struct tlsa_set *set, STACK_OF(X509) * chain,
	const char *const *names, size_t name_count, int64_t now_s, const struct dane_match *match,
	const char *owner, struct finding_list *findings);

/* R13.9, R14.4: warns about records that name an intermediate of a public authority with no 3 x x
 * beside them (trusted: the chain leads to a public root), and about a match through a bare
 * issuer's key that the server does not send. chain may be NULL. */
void dane_report_anchor(const struct tlsa_set *set, STACK_OF(X509) * chain, bool trusted,
	const struct dane_match *match, const char *owner, struct finding_list *findings);

/* --- what it adds up to -------------------------------------------------------------- */

enum dane_lookup {
	DANE_LOOKUP_NOT_ASKED,
	DANE_LOOKUP_SECURE,
	DANE_LOOKUP_INSECURE, /* found, unsigned */
	DANE_LOOKUP_ABSENT,   /* proven */
	DANE_LOOKUP_BOGUS,
	DANE_LOOKUP_FAILED,
};

enum dane_session {
	DANE_SESSION_NONE,        /* no address answered */
	DANE_SESSION_NO_STARTTLS, /* R12.11 */
	DANE_SESSION_MATCH,
	DANE_SESSION_MISMATCH, /* whatever of R14 */
};

enum dane_state {
	DANE_STATE_UNREACHABLE, /* could not tell: nobody answered */
	DANE_STATE_NONE,        /* DANE does not apply */
	DANE_STATE_AUTHENTICATED,
	DANE_STATE_HOST_ONLY, /* R12.2: the host is authenticated, the way to it is not */
	DANE_STATE_ENCRYPT_ONLY,
	DANE_STATE_FAIL,
	DANE_STATE_DEFER,
};

struct dane_inputs {
	enum dane_lookup mx;
	enum dane_lookup address;
	enum dane_lookup tlsa;
	bool usable; /* at least one usable record */
	enum dane_session session;
};

/* *code: of the finding that explains it; NULL with AUTHENTICATED and UNREACHABLE. For a mismatch
 * it is tlsa-mismatch: struct dane_match knows better. */
enum dane_state dane_combine(const struct dane_inputs *in, const char **code);

const char *dane_result_name(enum dane_result result); /* as in the vectors: "match", "no-match" */
const char *dane_state_name(enum dane_state state);    /* "authenticated", "encrypt-only" */

#endif

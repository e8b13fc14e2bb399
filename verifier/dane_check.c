#include "verifier/dane_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/xalloc.h"

struct dane_checker {
	SSL_CTX *tls;
	X509_STORE *store; /* empty: DANE-TA trusts what the records name, nothing else */
};

static const struct {
	const char *name;
	const char *code;
} results[] = {
	[DANE_NOT_CHECKED] = {"not-checked", NULL},
	[DANE_MATCH] = {"match", NULL},
	[DANE_NO_MATCH] = {"no-match", "tlsa-mismatch"},
	[DANE_AGILITY_MISMATCH] = {"no-match", "tlsa-agility-mismatch"},
	[DANE_NAME_MISMATCH] = {"name-mismatch", "tlsa-name-mismatch"},
	[DANE_EXPIRED] = {"expired", "tlsa-chain-expired"},
	[DANE_NOT_YET_VALID] = {"not-yet-valid", "tlsa-chain-expired"},
	[DANE_CHAIN_INVALID] = {"chain-invalid", "tlsa-chain-invalid"},
	[DANE_ALL_UNUSABLE] = {"all-unusable", "tlsa-all-unusable"},
};

static const char *const state_names[] = {
	[DANE_STATE_UNREACHABLE] = "unreachable",
	[DANE_STATE_NONE] = "none",
	[DANE_STATE_AUTHENTICATED] = "authenticated",
	[DANE_STATE_HOST_ONLY] = "host-only",
	[DANE_STATE_ENCRYPT_ONLY] = "encrypt-only",
	[DANE_STATE_FAIL] = "fail",
	[DANE_STATE_DEFER] = "defer",
};

const char *
dane_result_name(enum dane_result result)
{
	return results[result].name;
}

const char *
dane_state_name(enum dane_state state)
{
	return state_names[state];
}

int
dane_checker_new(struct dane_checker **out, struct error *err)
{
	struct dane_checker *c = xcalloc(1, sizeof(*c));

	*out = NULL;
	c->tls = SSL_CTX_new(TLS_client_method());
	c->store = X509_STORE_new();
	if (c->tls == NULL || c->store == NULL || SSL_CTX_dane_enable(c->tls) != 1) {
		dane_checker_free(c);
		ERR_clear_error();
		return error_set(err, ERROR_TEMP, "cannot set up DANE");
	}
	*out = c;
	return 0;
}

void
dane_checker_free(struct dane_checker *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->tls);
	X509_STORE_free(c->store);
	free(c);
}

/* --- matching ------------------------------------------------------------------------ */

static enum dane_result
result_of(int error)
{
	switch (error) {
	case X509_V_OK:
		return DANE_MATCH;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return DANE_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return DANE_NOT_YET_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return DANE_NAME_MISMATCH;
	case X509_V_ERR_DANE_NO_MATCH:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return DANE_NO_MATCH;
	default:
		return DANE_CHAIN_INVALID;
	}
}

static bool
is_match(const struct tlsa_record *r, uint8_t usage, uint8_t selector, uint8_t matching,
	const unsigned char *data, size_t len)
{
	return r->parsed && r->usage == usage && r->selector == selector &&
		r->matching == matching && r->data_len == len && memcmp(r->data, data, len) == 0;
}

typedef bool record_filter(const struct tlsa_record *record, const struct tlsa_record *like);

static bool
is_considered(const struct tlsa_record *record, const struct tlsa_record *like UNUSED)
{
	return record->considered;
}

static bool
is_passed_over(const struct tlsa_record *record, const struct tlsa_record *like UNUSED)
{
	return record->code == NULL && !record->considered;
}

static bool
is_like(const struct tlsa_record *record, const struct tlsa_record *like)
{
	return record->considered && record->usage == like->usage &&
		record->selector == like->selector && record->matching == like->matching;
}

/* Which record and certificate OpenSSL settled on. */
static void
take_match(SSL *ssl, const struct tlsa_set *set, struct dane_match *out)
{
	const unsigned char *data = NULL;
	uint8_t usage = 0, selector = 0, matching = 0;
	size_t len = 0;
	EVP_PKEY *key = NULL;

	SSL_set_verify_result(ssl, X509_V_OK);
	out->depth = SSL_get0_dane_authority(ssl, NULL, &key);
	out->bare_key = key != NULL;
	if (SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, &data, &len) < 0)
		return;
	for (size_t i = 0; i < set->count; i++) {
		if (is_match(&set->records[i], usage, selector, matching, data, len)) {
			out->record = i;
			return;
		}
	}
}

/* Runs OpenSSL's verification over the records that pass the filter. *error: the X509_V code. */
static enum dane_result
verify(struct dane_checker *c, const struct tlsa_set *set, record_filter *filter,
	const struct tlsa_record *like, STACK_OF(X509) * chain, const char *const *names,
	size_t name_count, int64_t now_s, struct dane_match *out, int *error)
{
	SSL *ssl = SSL_new(c->tls);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	enum dane_result result = DANE_CHAIN_INVALID;
	size_t added = 0;

	*error = X509_V_ERR_UNSPECIFIED;
	if (ssl == NULL || ctx == NULL || name_count == 0 || SSL_dane_enable(ssl, names[0]) != 1)
		goto out;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* R14.1: with DANE-EE names do not count. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 1; i < name_count; i++) {
		if (SSL_add1_host(ssl, names[i]) != 1)
			goto out;
	}
	for (size_t i = 0; i < set->count; i++) {
		const struct tlsa_record *r = &set->records[i];

		if (!filter(r, like))
			continue;
		/* 0: OpenSSL finds it unusable although tlsa did not; the rest of the set stands.
		 */
		if (SSL_dane_tlsa_add(
			    ssl, r->usage, r->selector, r->matching, r->data, r->data_len) > 0)
			added++;
	}
	if (added == 0) {
		result = DANE_NO_MATCH;
		goto out;
	}
	if (X509_STORE_CTX_init(ctx, c->store, sk_X509_value(chain, 0), chain) != 1 ||
		X509_STORE_CTX_set_default(ctx, "ssl_server") != 1)
		goto out;
	X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(ssl));
	param = X509_STORE_CTX_get0_param(ctx);
	if (X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl)) != 1)
		goto out;
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_auth_level(param, 0); /* weak keys: R14.10 */
	if (X509_verify_cert(ctx) == 1) {
		*error = X509_V_OK;
		result = DANE_MATCH;
		take_match(ssl, set, out);
	} else {
		*error = X509_STORE_CTX_get_error(ctx);
		result = *error == X509_V_OK ? DANE_CHAIN_INVALID : result_of(*error);
	}
out:
	X509_STORE_CTX_free(ctx);
	SSL_free(ssl);
	ERR_clear_error();
	return result;
}

static const char *
message_of(enum dane_result result, int error, const char *const *names, size_t name_count,
	struct arena *arena)
{
	switch (result) {
	case DANE_NO_MATCH:
		return "no TLSA record matches the certificates that the server sends";
	case DANE_AGILITY_MISMATCH:
		return "the record with the strongest digest matches nothing, a weaker one does";
	case DANE_NAME_MISMATCH:
		return arena_printf(arena,
			"an issuer record matches, but the certificate is not for %s%s%s", names[0],
			name_count > 1 ? " or " : "", name_count > 1 ? names[1] : "");
	case DANE_EXPIRED:
		return "an issuer record matches, but the chain has expired";
	case DANE_NOT_YET_VALID:
		return "an issuer record matches, but the chain is not valid yet";
	case DANE_CHAIN_INVALID:
		return arena_printf(arena, "the chain does not verify: %s",
			X509_verify_cert_error_string(error));
	case DANE_ALL_UNUSABLE:
		return "none of the TLSA records can be used";
	case DANE_NOT_CHECKED:
	case DANE_MATCH:
		break;
	}
	return NULL;
}

void
dane_match(struct dane_checker *c, const struct tlsa_set *set, STACK_OF(X509) * chain,
	const char *const *names, size_t name_count, int64_t now_s, struct arena *arena,
	struct dane_match *out)
{
	struct dane_match weaker;
	int error = X509_V_OK, ignored;

	memset(out, 0, sizeof(*out));
	if (set->usable_count == 0) {
		out->result = DANE_ALL_UNUSABLE;
	} else if (chain == NULL || sk_X509_num(chain) == 0) {
		out->result = DANE_NO_MATCH;
	} else {
		out->result = verify(
			c, set, is_considered, NULL, chain, names, name_count, now_s, out, &error);
		if (out->result == DANE_NO_MATCH && set->considered_count < set->usable_count &&
			verify(c, set, is_passed_over, NULL, chain, names, name_count, now_s,
				&weaker, &ignored) == DANE_MATCH)
			out->result = DANE_AGILITY_MISMATCH;
	}
	out->code = results[out->result].code;
	out->message = message_of(out->result, error, names, name_count, arena);
}

void
dane_report_stale(struct dane_checker *c, const struct tlsa_set *set, STACK_OF(X509) * chain,
	const char *const *names, size_t name_count, int64_t now_s, const struct dane_match *match,
	const char *owner, struct finding_list *findings)
{
	struct dane_match ignored;
	int error;

	if (match->result != DANE_MATCH)
		return;
	for (size_t i = 0; i < set->count; i++) {
		const struct tlsa_record *r = &set->records[i];
		bool seen = !r->considered || is_like(r, &set->records[match->record]);

		for (size_t k = 0; k < i && !seen; k++)
			seen = is_like(&set->records[k], r);
		if (seen)
			continue;
		if (verify(c, set, is_like, r, chain, names, name_count, now_s, &ignored, &error) ==
			DANE_NO_MATCH) {
			finding_add(findings, "tlsa-combination-stale", SEVERITY_WARN, owner, NULL,
				"no \"%u %u %u\" record matches, while another combination does",
				r->usage, r->selector, r->matching);
		}
	}
}

static bool
has_usage(const struct tlsa_set *set, uint8_t usage)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->records[i].considered && set->records[i].usage == usage)
			return true;
	}
	return false;
}

void
dane_report_anchor(const struct tlsa_set *set, STACK_OF(X509) * chain, bool trusted,
	const struct dane_match *match, const char *owner, struct finding_list *findings)
{
	const struct tlsa_record *r;

	if (match->result != DANE_MATCH)
		return;
	r = &set->records[match->record];
	if (r->usage != TLSA_USAGE_DANE_TA)
		return;
	if (match->bare_key) {
		finding_add(findings, "tlsa-ta-not-in-chain", SEVERITY_WARN, owner, NULL,
			"the key of record %u %u %u is matched, but the server does not send the "
			"issuer's certificate: few senders manage that",
			r->usage, r->selector, r->matching);
	} else if (trusted && match->depth > 0 && match->depth < sk_X509_num(chain) &&
		X509_self_signed(sk_X509_value(chain, match->depth), 0) != 1 &&
		!has_usage(set, TLSA_USAGE_DANE_EE)) {
		finding_add_usual(findings, "tlsa-public-intermediate", owner, NULL,
			"record %u %u %u names an intermediate of a public authority", r->usage,
			r->selector, r->matching);
	}
}

/* --- what it adds up to -------------------------------------------------------------- */

enum dane_state
dane_combine(const struct dane_inputs *in, const char **code)
{
	*code = NULL;
	/* R12.1, R12.3 */
	if (in->mx == DANE_LOOKUP_BOGUS || in->address == DANE_LOOKUP_BOGUS) {
		*code = "dnssec-bogus";
		return DANE_STATE_DEFER;
	}
	if (in->mx == DANE_LOOKUP_FAILED || in->address == DANE_LOOKUP_FAILED) {
		*code = "dns-temporary";
		return DANE_STATE_DEFER;
	}
	/* R12.4 */
	if (in->address != DANE_LOOKUP_SECURE) {
		*code = in->mx == DANE_LOOKUP_INSECURE ? "dane-mx-insecure"
						       : "dane-address-insecure";
		return DANE_STATE_NONE;
	}
	switch (in->tlsa) {
	case DANE_LOOKUP_BOGUS:
	case DANE_LOOKUP_FAILED:
		*code = "dane-tlsa-lookup-failed";
		return DANE_STATE_DEFER;
	case DANE_LOOKUP_ABSENT:
	case DANE_LOOKUP_NOT_ASKED:
		*code = "dane-no-tlsa";
		return DANE_STATE_NONE;
	case DANE_LOOKUP_INSECURE:
		*code = "dane-tlsa-insecure";
		return DANE_STATE_NONE;
	case DANE_LOOKUP_SECURE:
		break;
	}
	/* R12.11 before R13.6: usable or not, a record demands TLS. */
	if (in->session == DANE_SESSION_NO_STARTTLS) {
		*code = "dane-starttls-missing";
		return DANE_STATE_FAIL;
	}
	if (!in->usable) {
		*code = "tlsa-all-unusable";
		return DANE_STATE_ENCRYPT_ONLY;
	}
	if (in->session == DANE_SESSION_NONE)
		return DANE_STATE_UNREACHABLE;
	if (in->session == DANE_SESSION_MISMATCH) {
		*code = "tlsa-mismatch";
		return DANE_STATE_FAIL;
	}
	if (in->mx == DANE_LOOKUP_INSECURE) {
		*code = "dane-mx-insecure";
		return DANE_STATE_HOST_ONLY;
	}
	return DANE_STATE_AUTHENTICATED;
}

#include "verifier/pkix.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/tls1.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "verifier/dns_id.h"

/* Not X509_STORE_set_default_paths(): that lets SSL_CERT_FILE and SSL_CERT_DIR in the environment
 * say whom to trust. Either place may be missing; a store without roots trusts nobody. */
static bool
load_system(X509_STORE *store)
{
	const char *file = X509_get_default_cert_file();

	return (access(file, R_OK) < 0 || X509_STORE_load_file(store, file) == 1) &&
		X509_STORE_load_path(store, X509_get_default_cert_dir()) == 1;
}

int
pkix_store_load(const char *ca_file, X509_STORE **out, struct error *err)
{
	X509_STORE *store = X509_STORE_new();
	int rc = -1;

	*out = NULL;
	if (store == NULL) {
		(void)error_set(err, ERROR_TEMP, "cannot make a certificate store");
		goto out;
	}
	if (ca_file == NULL) {
		if (!load_system(store)) {
			(void)error_set(
				err, ERROR_CONFIG, "cannot load the system's certificate store");
			goto out;
		}
	} else if (access(ca_file, R_OK) < 0) {
		(void)error_set_errno(err, ERROR_CONFIG, "ca_file %s", ca_file);
		goto out;
	} else if (X509_STORE_load_file(store, ca_file) != 1) {
		(void)error_set(
			err, ERROR_CONFIG, "ca_file %s: no certificates in PEM form", ca_file);
		goto out;
	}
	*out = store;
	store = NULL;
	rc = 0;
out:
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}

/* --- the chain ----------------------------------------------------------------------- */

/* What the callback of one verification collects: all errors, so that the owner sees them at once.
 */
struct collected {
	bool expired, not_yet, purpose, untrusted, self_signed, issuer_missing, invalid;
	int untrusted_error, invalid_error;
	int built; /* certificates in the chain as far as it could be built */
};

static int
collect(int ok, X509_STORE_CTX *ctx)
{
	struct collected *c = X509_STORE_CTX_get_app_data(ctx);
	int error = X509_STORE_CTX_get_error(ctx);

	if (ok)
		return 1;
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		c->expired = true;
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		c->not_yet = true;
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		if (X509_STORE_CTX_get_error_depth(ctx) == 0) {
			c->purpose = true;
		} else {
			c->invalid = true;
			c->invalid_error = error;
		}
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		c->self_signed = true;
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		c->untrusted = true;
		c->untrusted_error = error;
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		c->issuer_missing = true;
		break;
	default:
		c->invalid = true;
		c->invalid_error = error;
		break;
	}
	return 1;
}

static bool
is_issuer_url_known(const X509 *certificate)
{
	AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
	bool known = false;

	for (int i = 0; info != NULL && i < sk_ACCESS_DESCRIPTION_num(info); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(info, i);

		known |= OBJ_obj2nid(d->method) == NID_ad_ca_issuers;
	}
	AUTHORITY_INFO_ACCESS_free(info);
	return known;
}

static void problem(struct pkix_result *r, struct arena *arena, const char *code, const char *fmt,
	...) PRINTF_LIKE(4, 5);

static void
problem(struct pkix_result *r, struct arena *arena, const char *code, const char *fmt, ...)
{
	char text[400];
	va_list args;

	if (r->count == PKIX_PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->problems[r->count].code = code;
	r->problems[r->count].message = arena_strdup(arena, text);
	r->count++;
	r->verdict = VERDICT_FAIL;
}

static int64_t
time_of(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

static const char *
date_of(const ASN1_TIME *t, char out[static CLOCK_TEXT_SIZE])
{
	int64_t s = time_of(t);

	if (s < 0 || s > INT64_C(253402300799))
		return "an odd date";
	clock_format(s, out);
	return out;
}

static const char *
issuer_of(const X509 *certificate, struct arena *arena)
{
	char raw[256], text[200];

	if (X509_NAME_oneline(X509_get_issuer_name(certificate), raw, sizeof(raw)) == NULL)
		return "an unnamed issuer";
	str_escape_controls(raw, strlen(raw), text, sizeof(text));
	return arena_strdup(arena, text);
}

/* The certificate whose dates are at fault, for the message. */
static const X509 *
outside_its_dates(STACK_OF(X509) * chain, int64_t now_s, bool expired, int *depth)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *c = sk_X509_value(chain, i);

		*depth = i;
		if (expired ? time_of(X509_get0_notAfter(c)) < now_s
			    : time_of(X509_get0_notBefore(c)) > now_s)
			return c;
	}
	*depth = 0;
	return sk_X509_value(chain, 0);
}

static void
judge_path(X509_STORE *store, STACK_OF(X509) * chain, int64_t now_s, struct collected *c)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	memset(c, 0, sizeof(*c));
	if (ctx == NULL || X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain) != 1 ||
		X509_STORE_CTX_set_default(ctx, "ssl_server") != 1) {
		c->invalid = true;
		c->invalid_error = X509_V_ERR_UNSPECIFIED;
		goto out;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	/* Weak keys and signatures are named by R6.8 and R6.9, not by OpenSSL's levels. */
	X509_VERIFY_PARAM_set_auth_level(param, 0);
	X509_STORE_CTX_set_app_data(ctx, c);
	X509_STORE_CTX_set_verify_cb(ctx, collect);
	if (X509_verify_cert(ctx) != 1) {
		c->invalid = true;
		c->invalid_error = X509_STORE_CTX_get_error(ctx);
	}
	c->built = sk_X509_num(X509_STORE_CTX_get0_chain(ctx));
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

/* Whether something sent above the gap leads to a public root: then only the part between is
 * missing. An issuer's URL does not tell: that of the last intermediate names the root, of a
 * private authority as well. */
static bool
is_gap(X509_STORE *store, STACK_OF(X509) * chain, int built)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool gap = false;

	for (int i = built < 1 ? 1 : built; ctx != NULL && i < sk_X509_num(chain) && !gap; i++) {
		X509 *issuer = NULL, *c = sk_X509_value(chain, i);

		if (X509_STORE_CTX_init(ctx, store, c, NULL) == 1)
			gap = X509_STORE_CTX_get1_issuer(&issuer, ctx, c) == 1;
		X509_free(issuer);
		X509_STORE_CTX_cleanup(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return gap;
}

static void
judge_trust(struct pkix_result *out, const struct collected *c, X509_STORE *store,
	STACK_OF(X509) * chain, struct arena *arena)
{
	const X509 *leaf = sk_X509_value(chain, 0), *top;
	int sent = sk_X509_num(chain);

	if (c->self_signed) {
		problem(out, arena, "pkix-self-signed",
			"the certificate is signed by itself, not by a public authority");
	} else if (c->untrusted) {
		problem(out, arena, "pkix-untrusted",
			"the chain ends at an authority that is not in "
			"the public store (%s)",
			issuer_of(sk_X509_value(chain, sent - 1), arena));
	} else if (c->issuer_missing) {
		int depth = c->built < 1 ? 0 : c->built > sent ? sent - 1 : c->built - 1;

		top = sk_X509_value(chain, depth);
		/* R7.2: the issuer's URL would have filled the gap. Above an intermediate it more
		 * often names the root of an authority that is not in the store. */
		if ((c->built <= 1 && is_issuer_url_known(leaf)) ||
			is_gap(store, chain, c->built)) {
			problem(out, arena, "pkix-incomplete-chain",
				"the server sends %d certificate%s, and the issuer is missing (%s)",
				sent, sent == 1 ? "" : "s", issuer_of(top, arena));
		} else {
			problem(out, arena, "pkix-untrusted",
				"the chain ends at an authority that is not in the public store "
				"(%s)",
				issuer_of(top, arena));
		}
	}
}

/* --- keys and signatures (R6.8, R6.9) ------------------------------------------------ */

/* How people count, from the server's own on. */
static const char *
place_of(STACK_OF(X509) * chain, int depth, struct arena *arena)
{
	if (depth == 0)
		return "the server's certificate";
	return arena_printf(arena, "certificate %d of the %d sent", depth + 1, sk_X509_num(chain));
}

static void
judge_strength(struct pkix_result *out, STACK_OF(X509) * chain, struct arena *arena)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *c = sk_X509_value(chain, i);
		EVP_PKEY *key = X509_get0_pubkey(c);
		int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);
		int type = key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
		int least = type == EVP_PKEY_EC ? 256
			: type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS || type == EVP_PKEY_DSA
			? 2048
			: 0;
		int digest = NID_undef;

		if (bits < least && !out->key_weak) {
			out->key_weak = true;
			problem(out, arena, "tls-key-weak",
				"the key of %s has %d bits, at least %d are needed",
				place_of(chain, i, arena), bits, least);
		}
		/* The signature on a self-signed certificate proves nothing anyway. */
		if (X509_self_signed(c, 0) == 1)
			continue;
		if (X509_get_signature_info(c, &digest, NULL, NULL, NULL) == 1 &&
			(digest == NID_sha1 || digest == NID_md5 || digest == NID_md5_sha1) &&
			!out->signature_weak) {
			out->signature_weak = true;
			problem(out, arena, "tls-signature-weak",
				"%s is signed with %s, at least SHA256 is needed",
				place_of(chain, i, arena), OBJ_nid2sn(digest));
		}
	}
}

void
pkix_judge(X509_STORE *store, STACK_OF(X509) * chain, const char *host, int64_t now_s,
	struct arena *arena, struct pkix_result *out)
{
	struct collected c;
	char date[CLOCK_TEXT_SIZE];
	X509 *leaf;
	int depth;

	memset(out, 0, sizeof(*out));
	if (chain == NULL || sk_X509_num(chain) == 0) {
		problem(out, arena, "pkix-chain-invalid",
			"the server sends no certificate, and must show one for %s", host);
		return;
	}
	leaf = sk_X509_value(chain, 0);
	out->verdict = VERDICT_PASS;
	out->not_after_s = time_of(X509_get0_notAfter(leaf));
	judge_path(store, chain, now_s, &c);
	judge_trust(out, &c, store, chain, arena);
	out->trusted = !c.self_signed && !c.untrusted && !c.issuer_missing && !c.invalid;
	if (c.expired) {
		const X509 *old = outside_its_dates(chain, now_s, true, &depth);

		problem(out, arena, "pkix-expired", "%s expired on %s",
			place_of(chain, depth, arena), date_of(X509_get0_notAfter(old), date));
	}
	if (c.not_yet) {
		const X509 *young = outside_its_dates(chain, now_s, false, &depth);

		problem(out, arena, "pkix-not-yet-valid", "%s is valid from %s only",
			place_of(chain, depth, arena), date_of(X509_get0_notBefore(young), date));
	}
	if (!dns_id_certificate_matches(leaf, host)) {
		problem(out, arena, "pkix-name-mismatch", "the certificate names %s, not %s",
			dns_id_certificate_names(leaf, arena), host);
	}
	if (c.purpose) {
		problem(out, arena, "pkix-purpose",
			"the certificate's extended key usage lacks serverAuth, which a server "
			"needs");
	}
	if (c.invalid) {
		problem(out, arena, "pkix-chain-invalid", "the chain does not verify: %s",
			X509_verify_cert_error_string(c.invalid_error));
	} else if (!c.self_signed && (X509_get_extension_flags(leaf) & EXFLAG_CA) != 0) {
		problem(out, arena, "pkix-chain-invalid",
			"the certificate is one for an authority, and one for a server is needed");
	}
	judge_strength(out, chain, arena);
	out->expires_soon = !c.expired && out->not_after_s - now_s < PKIX_EXPIRES_SOON_S;
}

/* --- staples (R6.12) ----------------------------------------------------------------- */

static bool
demands_staple(const X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool found = false;

	for (int i = 0; features != NULL && i < sk_ASN1_INTEGER_num(features); i++) {
		found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
			TLSEXT_TYPE_status_request;
	}
	TLS_FEATURE_free(features);
	return found;
}

static bool
is_in_time(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *until, int64_t now_s)
{
	return time_of(from) <= now_s && (until == NULL || time_of(until) >= now_s);
}

/* The response is signed by the issuer, or by a certificate the issuer made for this purpose. */
static bool
is_signed_by_issuer(OCSP_BASICRESP *basic, STACK_OF(X509) * chain, X509 *issuer, int64_t now_s)
{
	X509 *signer = NULL;

	/* The signature alone: whose it is and when it holds is judged here, by our clock. */
	if (OCSP_basic_verify(basic, chain, NULL, OCSP_NOVERIFY) != 1 ||
		OCSP_resp_get0_signer(basic, &signer, chain) != 1)
		return false;
	if (X509_cmp(signer, issuer) == 0)
		return true;
	return X509_check_issued(issuer, signer) == X509_V_OK &&
		X509_verify(signer, X509_get0_pubkey(issuer)) == 1 &&
		(X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) != 0 &&
		(X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) != 0 &&
		is_in_time(X509_get0_notBefore(signer), X509_get0_notAfter(signer), now_s);
}

static bool
is_about(const OCSP_CERTID *id, const X509 *leaf, const X509 *issuer)
{
	OCSP_CERTID *copy = OCSP_CERTID_dup(id), *own = NULL;
	ASN1_OBJECT *digest = NULL;
	const EVP_MD *md = NULL;
	bool same = false;

	if (copy != NULL && OCSP_id_get0_info(NULL, &digest, NULL, NULL, copy) == 1)
		md = EVP_get_digestbyobj(digest);
	if (md != NULL)
		own = OCSP_cert_to_id(md, leaf, issuer);
	if (own != NULL)
		same = OCSP_id_cmp(own, copy) == 0;
	OCSP_CERTID_free(own);
	OCSP_CERTID_free(copy);
	return same;
}

/* V_OCSP_CERTSTATUS_GOOD, _REVOKED, or _UNKNOWN when nothing can be made of it. */
static int
staple_status(OCSP_BASICRESP *basic, const X509 *leaf, const X509 *issuer, int64_t now_s,
	ASN1_GENERALIZEDTIME **revoked_at)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
		int status;

		if (!is_about(OCSP_SINGLERESP_get0_id(one), leaf, issuer))
			continue;
		status = OCSP_single_get0_status(one, NULL, revoked_at, &from, &until);
		if (is_in_time(from, until, now_s))
			return status;
	}
	return V_OCSP_CERTSTATUS_UNKNOWN;
}

void
pkix_judge_staple(STACK_OF(X509) * chain, const unsigned char *staple, size_t staple_len,
	int64_t now_s, struct arena *arena, struct pkix_result *result)
{
	const unsigned char *at = staple;
	X509 *leaf = sk_X509_value(chain, 0), *issuer = NULL;
	OCSP_RESPONSE *response = NULL;
	OCSP_BASICRESP *basic = NULL;
	ASN1_GENERALIZEDTIME *when = NULL;
	int status = V_OCSP_CERTSTATUS_UNKNOWN;
	char date[CLOCK_TEXT_SIZE];

	for (int i = 1; i < sk_X509_num(chain) && issuer == NULL; i++) {
		if (X509_check_issued(sk_X509_value(chain, i), leaf) == X509_V_OK)
			issuer = sk_X509_value(chain, i);
	}
	if (staple != NULL && issuer != NULL)
		response = d2i_OCSP_RESPONSE(NULL, &at, (long)staple_len);
	if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	if (basic != NULL && is_signed_by_issuer(basic, chain, issuer, now_s))
		status = staple_status(basic, leaf, issuer, now_s, &when);
	if (status == V_OCSP_CERTSTATUS_REVOKED) {
		problem(result, arena, "pkix-revoked",
			"the OCSP response that the server sends says: revoked on %s",
			date_of(when, date));
	}
	result->staple_missing = status == V_OCSP_CERTSTATUS_UNKNOWN && demands_staple(leaf);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
}

void
pkix_report(const struct pkix_result *result, enum severity severity, const char *subject,
	struct finding_list *findings)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct pkix_problem *p = &result->problems[i];
		bool weak = strcmp(p->code, "tls-key-weak") == 0 ||
			strcmp(p->code, "tls-signature-weak") == 0;

		finding_add(findings, p->code,
			weak && severity != SEVERITY_FAIL ? SEVERITY_WARN : severity, subject, NULL,
			"%s", p->message);
	}
	if (result->staple_missing) {
		finding_add(findings, "tls-staple-missing",
			severity == SEVERITY_FAIL ? SEVERITY_WARN : SEVERITY_INFO, subject, NULL,
			"the certificate demands an OCSP response, and the server sends none that "
			"counts");
	}
	if (result->expires_soon) {
		char date[CLOCK_TEXT_SIZE];

		if (result->not_after_s < 0 || result->not_after_s > INT64_C(253402300799))
			return;
		clock_format(result->not_after_s, date);
		finding_add(findings, "pkix-expires-soon",
			severity == SEVERITY_FAIL ? SEVERITY_WARN : SEVERITY_INFO, subject, NULL,
			"the certificate ends on %s", date);
	}
}

/* --- evidence ------------------------------------------------------------------------ */

static const char *
hex_of(const uint8_t *digest, size_t len, struct arena *arena)
{
	char *text = arena_calloc(arena, 2 * len + 1, 1);

	str_hex(digest, len, text);
	return text;
}

const char *
pkix_certificate_sha256(const X509 *certificate, struct arena *arena)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
		return NULL;
	return hex_of(digest, len, arena);
}

const char *
pkix_spki_sha256(const X509 *certificate, struct arena *arena)
{
	uint8_t digest[EVP_MAX_MD_SIZE], *der = NULL;
	unsigned int len = 0;
	int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	const char *text = NULL;

	if (der_len > 0 && EVP_Digest(der, (size_t)der_len, digest, &len, EVP_sha256(), NULL) == 1)
		text = hex_of(digest, len, arena);
	OPENSSL_free(der);
	return text;
}

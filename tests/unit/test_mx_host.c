/* What is known of a mail host and serves many domains: what is judged for each of them, and for
 * how long it is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/error.h"
#include "verifier/mx_host.h"
#include "verifier/share.h"

#define NOW INT64_C(1800000000)
#define DAY 86400

static void
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* issuer NULL: an authority that signs itself; else a leaf for the domain. */
static X509 *
issue(X509 *issuer, EVP_PKEY *key, EVP_PKEY *issuer_key, const EVP_MD *digest)
{
	X509 *x = X509_new();
	const char *name = issuer == NULL ? "authority" : "leaf";

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), name[0]);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(NOW - DAY));
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(NOW + 90 * DAY));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x : issuer));
	X509_set_pubkey(x, key);
	extend(x, issuer == NULL ? x : issuer, NID_basic_constraints,
		issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (issuer != NULL)
		extend(x, issuer, NID_subject_alt_name, "DNS:d.test");
	assert_true(X509_sign(x, issuer_key, digest) > 0);
	return x;
}

/* 2 0 0 */
static void
publish(struct mx_host *h, const X509 *x, struct arena *arena)
{
	unsigned char *der = NULL, *rdata;
	int len = i2d_X509(x, &der);

	assert_true(len > 0);
	rdata = arena_calloc(arena, (size_t)len + 3, 1);
	rdata[0] = TLSA_USAGE_DANE_TA;
	memcpy(rdata + 3, der, (size_t)len);
	h->tlsa.records = arena_calloc(arena, 1, sizeof(struct tlsa_record));
	h->tlsa.count = 1;
	tlsa_record_from_wire(rdata, (size_t)len + 3, arena, &h->tlsa.records[0]);
	tlsa_set_judge(&h->tlsa);
	assert_int_equal(h->tlsa.usable_count, 1);
	OPENSSL_free(der);
}

/* R14.10: the host serves d.test under another name, so that its chain matches for that domain
 * only; what is weak in it is no better for that. */
static void
test_weak_below_an_issuer(void **state UNUSED)
{
	static const struct {
		const char *weak; /* as the session found */
		enum dane_result result;
		const char *code;
	} cases[] = {
		{NULL, DANE_MATCH, NULL},
		{"tls-signature-weak", DANE_CHAIN_INVALID, "tls-signature-weak"},
		{"tls-key-weak", DANE_CHAIN_INVALID, "tls-key-weak"},
	};
	static const char *const domains[] = {"d.test"};
	struct mx_host_options options = {.clock = clock_fixed(NOW)};
	struct mx_host_desk desk = {0};
	EVP_PKEY *keys[2] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256")};
	X509 *authority = issue(NULL, keys[0], keys[0], EVP_sha256());
	X509 *leaf = issue(authority, keys[1], keys[0], EVP_sha1());
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct error err;

	assert_true(sk_X509_push(chain, leaf) > 0 && sk_X509_push(chain, authority) > 0);
	mx_host_table_new(&options, &desk.table);
	assert_int_equal(dane_checker_new(&desk.dane, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *arena = arena_new();
		struct mx_host host = {.name = "mx.e.test", .tlsa_base = "mx.e.test"};
		struct mx_address a = {.chain = chain,
			.weak = cases[i].weak,
			.dane = {.result = DANE_NAME_MISMATCH, .code = "tlsa-name-mismatch"}};
		struct dane_match match;

		publish(&host, authority, arena);
		mx_host_match_domain(&desk, &host, &a, domains, 1, arena, &match);
		if (match.result != cases[i].result)
			fail_msg("%s: %s (%s)", cases[i].weak == NULL ? "sound" : cases[i].weak,
				dane_result_name(match.result),
				match.message == NULL ? "" : match.message);
		if (cases[i].code != NULL)
			assert_string_equal(match.code, cases[i].code);
		/* Another domain is not named by it, weak or not. */
		mx_host_match_domain(
			&desk, &host, &a, &(const char *const){"f.test"}, 1, arena, &match);
		assert_int_equal(match.result, DANE_NAME_MISMATCH);
		arena_free(arena);
	}
	dane_checker_free(desk.dane);
	mx_host_table_free(desk.table);
	sk_X509_pop_free(chain, X509_free);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		EVP_PKEY_free(keys[i]);
}

/* R2.10, R4.16, R9.14: what nobody could tell is found out anew by those who look again. */
static void
test_kept(void **state UNUSED)
{
	static const struct dns_answer failed = {.status = DNS_FAILED};
	/* By address: "+" answers, "?" answers and does not tell, "-" is silent, "s" is special. */
	static const struct {
		const char *addresses;
		bool too_many;
		int64_t want_s;
	} cases[] = {
		{"", false, SHARE_AS_USUAL},
		{"+", false, SHARE_AS_USUAL},
		{"?", false, SHARE_UNKNOWN_S},
		{"-", false, SHARE_UNKNOWN_S},
		{"--", false, SHARE_UNKNOWN_S},
		{"s", false, SHARE_AS_USUAL},
		{"s-", false, SHARE_UNKNOWN_S},
		{"+-", false, SHARE_AS_USUAL},
		{"-+", false, SHARE_AS_USUAL},
		{"+?", false, SHARE_UNKNOWN_S},
		{"--", true, SHARE_AS_USUAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mx_address addresses[4] = {{.text = NULL}};
		struct mx_host host = {.addresses = addresses,
			.too_many = cases[i].too_many,
			.address_count = strlen(cases[i].addresses)};

		for (size_t k = 0; k < host.address_count; k++) {
			char what = cases[i].addresses[k];

			addresses[k].answered = what == '+' || what == '?';
			addresses[k].starttls = what == '+' ? VERDICT_PASS : VERDICT_UNKNOWN;
			addresses[k].special = what == 's' ? "10.0.0.0/8" : NULL;
		}
		if (mx_host_keep_s(&host) != cases[i].want_s)
			fail_msg(
				"%s: %lld s", cases[i].addresses, (long long)mx_host_keep_s(&host));
		host.failed = &failed;
		assert_in_range(mx_host_keep_s(&host), 1, 60);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weak_below_an_issuer),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Chains made on the spot, each with one thing wrong, and what pkix says of them (sections 6 and
 * 7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "verifier/dane_check.h"
#include "verifier/pkix.h"
#include "verifier/tlsa.h"

#define HOST "mx.example.org"
#define NOW  INT64_C(1800000000)
#define DAY  86400

enum who { ROOT, INTERMEDIATE, LEAF, PRIVATE_ROOT, WHO };

/* What is not usual about a certificate; several may be set. */
struct change {
	const char *san; /* "DNS:..."; "-": none */
	const char *eku; /* "-": none */
	const char *basic;
	const char *constraints;
	int64_t from_s, until_s; /* from NOW; 0: the usual */
	const char *cn;
	bool aia, must_staple;
	bool sha1;
	enum who by; /* ROOT stands for the usual */
};

static EVP_PKEY *keys[WHO], *weak;
static X509 *root, *private_root;

static void
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (value == NULL || strcmp(value, "-") == 0)
		return;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer == NULL ? x : issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static X509 *
issue(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, bool ca,
	const struct change *c)
{
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), name[0]);
	ASN1_TIME_set(
		X509_getm_notBefore(x), (time_t)(NOW + (c->from_s != 0 ? c->from_s : -30 * DAY)));
	ASN1_TIME_set(
		X509_getm_notAfter(x), (time_t)(NOW + (c->until_s != 0 ? c->until_s : 90 * DAY)));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)(c->cn != NULL ? c->cn : name), -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x : issuer));
	X509_set_pubkey(x, key);
	extend(x, issuer, NID_basic_constraints,
		c->basic != NULL ? c->basic
			: ca     ? "critical,CA:TRUE"
				 : "critical,CA:FALSE");
	if (ca) {
		extend(x, issuer, NID_name_constraints, c->constraints);
	} else {
		extend(x, issuer, NID_subject_alt_name, c->san != NULL ? c->san : "DNS:" HOST);
		extend(x, issuer, NID_ext_key_usage, c->eku != NULL ? c->eku : "serverAuth");
	}
	if (c->aia)
		extend(x, issuer, NID_info_access, "caIssuers;URI:http://ca.example/issuer.der");
	if (c->must_staple)
		extend(x, issuer, NID_tlsfeature, "status_request");
	assert_true(X509_sign(x, issuer_key, c->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
	return x;
}

static int
setup(void **state UNUSED)
{
	static const struct change usual;

	for (int i = 0; i < WHO; i++)
		keys[i] = EVP_EC_gen("P-256");
	weak = EVP_RSA_gen(1024);
	root = issue("root", keys[ROOT], NULL, keys[ROOT], true, &usual);
	private_root = issue("private", keys[PRIVATE_ROOT], NULL, keys[PRIVATE_ROOT], true, &usual);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	for (int i = 0; i < WHO; i++)
		EVP_PKEY_free(keys[i]);
	EVP_PKEY_free(weak);
	X509_free(root);
	X509_free(private_root);
	return 0;
}

static X509_STORE *
store_new(void)
{
	X509_STORE *store = X509_STORE_new();

	assert_int_equal(X509_STORE_add_cert(store, root), 1);
	return store;
}

/* What of the chain is sent: leaf, intermediate, root. */
enum { SEND_LEAF = 1, SEND_INTERMEDIATE = 2, SEND_ROOT = 4 };

static STACK_OF(X509) *
	chain_new(const struct change *leaf, const struct change *intermediate, int sent,
		bool weak_leaf)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *above = intermediate->by == PRIVATE_ROOT ? private_root : root;
	X509 *i = issue("intermediate", keys[INTERMEDIATE], above,
		keys[intermediate->by == PRIVATE_ROOT ? PRIVATE_ROOT : ROOT], true, intermediate);
	EVP_PKEY *key = weak_leaf ? weak : keys[LEAF];
	X509 *l = leaf->by == LEAF ? issue("leaf", key, NULL, key, false, leaf)
				   : issue("leaf", key, i, keys[INTERMEDIATE], false, leaf);

	if (sent & SEND_LEAF)
		sk_X509_push(chain, X509_dup(l));
	if (sent & SEND_INTERMEDIATE)
		sk_X509_push(chain, X509_dup(i));
	if (sent & SEND_ROOT)
		sk_X509_push(chain, X509_dup(above));
	X509_free(l);
	X509_free(i);
	return chain;
}

static bool
has_problem(const struct pkix_result *r, const char *code)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->problems[i].code, code) == 0)
			return true;
	}
	return false;
}

static void
chains(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct change leaf, intermediate;
		int sent; /* 0: leaf and intermediate */
		bool weak;
		const char *code; /* NULL: passes */
	} rows[] = {
		{.name = "sound"},
		{.name = "root sent too", .sent = 7},
		{.name = "R7.2 leaf only",
			.leaf = {.aia = true},
			.sent = SEND_LEAF,
			.code = "pkix-incomplete-chain"},
		{.name = "R7.2 gap below the root that is sent",
			.sent = SEND_LEAF | SEND_ROOT,
			.code = "pkix-incomplete-chain"},
		{.name = "R7.2 an intermediate of a private authority is no gap",
			.intermediate = {.by = PRIVATE_ROOT, .aia = true},
			.code = "pkix-untrusted"},
		{.name = "R7.2 private root in place of the intermediate",
			.intermediate = {.by = PRIVATE_ROOT},
			.sent = SEND_LEAF | SEND_ROOT,
			.code = "pkix-untrusted"},
		{.name = "R7.3 private root sent",
			.intermediate = {.by = PRIVATE_ROOT},
			.sent = 7,
			.code = "pkix-untrusted"},
		{.name = "R7.3 self-signed",
			.leaf = {.by = LEAF},
			.sent = SEND_LEAF,
			.code = "pkix-self-signed"},
		{.name = "R7.4 expired", .leaf = {.until_s = -1}, .code = "pkix-expired"},
		{.name = "R7.4 not yet", .leaf = {.from_s = 60}, .code = "pkix-not-yet-valid"},
		{.name = "R7.4 intermediate expired",
			.intermediate = {.until_s = -DAY},
			.code = "pkix-expired"},
		{.name = "R7.5 other name",
			.leaf = {.san = "DNS:other.example.org"},
			.code = "pkix-name-mismatch"},
		{.name = "R7.5 second name counts",
			.leaf = {.san = "DNS:a.example,DNS:MX.Example.org"}},
		{.name = "R7.6 common name only",
			.leaf = {.san = "-", .cn = HOST},
			.code = "pkix-name-mismatch"},
		{.name = "R7.6 common name beside others",
			.leaf = {.san = "DNS:a.example", .cn = HOST},
			.code = "pkix-name-mismatch"},
		{.name = "R7.7 wildcard", .leaf = {.san = "DNS:*.example.org"}},
		{.name = "R7.7 wildcard two labels up",
			.leaf = {.san = "DNS:*.org"},
			.code = "pkix-name-mismatch"},
		{.name = "R7.7 partial wildcard",
			.leaf = {.san = "DNS:m*.example.org"},
			.code = "pkix-name-mismatch"},
		{.name = "R7.8 address",
			.leaf = {.san = "IP:192.0.2.1"},
			.code = "pkix-name-mismatch"},
		{.name = "R7.9 the mail domain",
			.leaf = {.san = "DNS:example.org"},
			.code = "pkix-name-mismatch"},
		{.name = "R7.11 clients only",
			.leaf = {.eku = "clientAuth"},
			.code = "pkix-purpose"},
		{.name = "R7.11 no usage said", .leaf = {.eku = "-"}},
		{.name = "R7.11 usage of the intermediate is not the leaf's matter",
			.leaf = {.eku = "clientAuth,serverAuth"}},
		{.name = "R7.11 CA as leaf",
			.leaf = {.basic = "critical,CA:TRUE"},
			.code = "pkix-chain-invalid"},
		{.name = "R7.11 intermediate is no CA",
			.intermediate = {.basic = "critical,CA:FALSE"},
			.code = "pkix-chain-invalid"},
		{.name = "R7.11 name constraints",
			.intermediate = {.constraints = "critical,permitted;DNS:example.net"},
			.code = "pkix-chain-invalid"},
		{.name = "R7.11 name constraints kept",
			.intermediate = {.constraints = "critical,permitted;DNS:example.org"}},
		{.name = "R6.8 weak key", .weak = true, .code = "tls-key-weak"},
		{.name = "R6.9 SHA-1", .leaf = {.sha1 = true}, .code = "tls-signature-weak"},
	};
	X509_STORE *store = store_new();
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		STACK_OF(X509) *chain = chain_new(&rows[i].leaf, &rows[i].intermediate,
			rows[i].sent == 0 ? SEND_LEAF | SEND_INTERMEDIATE : rows[i].sent,
			rows[i].weak);
		struct pkix_result r;

		pkix_judge(store, chain, HOST, NOW, arena, &r);
		if (rows[i].code == NULL ? r.verdict != VERDICT_PASS
					 : r.verdict != VERDICT_FAIL ||
					!has_problem(&r, rows[i].code) || r.count != 1) {
			print_error("%s: %s with %zu problems (%s: %s)\n", rows[i].name,
				verdict_name(r.verdict), r.count,
				r.count > 0 ? r.problems[0].code : "none",
				r.count > 0 ? r.problems[0].message : "");
			bad++;
		}
		sk_X509_pop_free(chain, X509_free);
		arena_free(arena);
	}
	X509_STORE_free(store);
	assert_int_equal(bad, 0);
}

/* R7.11: an intermediate below one that allows none. */
static void
path_length(void **state UNUSED)
{
	static const struct change none = {.basic = "critical,CA:TRUE,pathlen:0"}, usual;
	X509_STORE *store = store_new();
	struct arena *arena = arena_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *upper = issue("upper", keys[PRIVATE_ROOT], root, keys[ROOT], true, &none);
	X509 *lower = issue("lower", keys[INTERMEDIATE], upper, keys[PRIVATE_ROOT], true, &usual);
	struct pkix_result r;

	sk_X509_push(chain, issue("leaf", keys[LEAF], lower, keys[INTERMEDIATE], false, &usual));
	sk_X509_push(chain, lower);
	sk_X509_push(chain, upper);
	pkix_judge(store, chain, HOST, NOW, arena, &r);
	assert_true(has_problem(&r, "pkix-chain-invalid"));
	assert_false(r.trusted);
	sk_X509_pop_free(chain, X509_free);
	arena_free(arena);
	X509_STORE_free(store);
}

/* --- staples (R6.12) ----------------------------------------------------------------- */

struct staple {
	unsigned char *der;
	size_t len;
};

static struct staple
staple_new(STACK_OF(X509) * chain, int status, int64_t until_s, X509 *signer, EVP_PKEY *key)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	ASN1_GENERALIZEDTIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW - 3600));
	ASN1_GENERALIZEDTIME *until = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW + until_s));
	OCSP_CERTID *id =
		OCSP_cert_to_id(EVP_sha1(), sk_X509_value(chain, 0), sk_X509_value(chain, 1));
	OCSP_RESPONSE *response;
	struct staple s = {0};
	int len;

	assert_non_null(OCSP_basic_add1_status(
		basic, id, status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, from, from, until));
	assert_int_equal(OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL, 0), 1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &s.der);
	assert_true(len > 0);
	s.len = (size_t)len;
	OCSP_RESPONSE_free(response);
	OCSP_CERTID_free(id);
	ASN1_GENERALIZEDTIME_free(from);
	ASN1_GENERALIZEDTIME_free(until);
	OCSP_BASICRESP_free(basic);
	return s;
}

static void
staples(void **state UNUSED)
{
	enum signer { NOBODY, ISSUER, DELEGATE, NO_DELEGATE, STRANGER };
	static const struct {
		const char *name;
		bool must_staple;
		enum signer by;
		int status;
		int64_t until_s;
		bool revoked, missing;
	} rows[] = {
		{"none", false, NOBODY, 0, 0, false, false},
		{"demanded, none", true, NOBODY, 0, 0, false, true},
		{"demanded, good", true, ISSUER, V_OCSP_CERTSTATUS_GOOD, DAY, false, false},
		{"demanded, good, by a delegate", true, DELEGATE, V_OCSP_CERTSTATUS_GOOD, DAY,
			false, false},
		{"demanded, run out", true, ISSUER, V_OCSP_CERTSTATUS_GOOD, -60, false, true},
		{"demanded, of a stranger", true, STRANGER, V_OCSP_CERTSTATUS_GOOD, DAY, false,
			true},
		{"demanded, by one without the purpose", true, NO_DELEGATE, V_OCSP_CERTSTATUS_GOOD,
			DAY, false, true},
		{"revoked", false, ISSUER, V_OCSP_CERTSTATUS_REVOKED, DAY, true, false},
		{"demanded, revoked", true, DELEGATE, V_OCSP_CERTSTATUS_REVOKED, DAY, true, false},
		{"revoked by a stranger", false, STRANGER, V_OCSP_CERTSTATUS_REVOKED, DAY, false,
			false},
	};
	static const struct change usual, delegate = {.eku = "OCSPSigning", .san = "-"},
					  other = {.eku = "clientAuth", .san = "-"};
	X509_STORE *store = store_new();
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		const struct change leaf = {.must_staple = rows[i].must_staple};
		STACK_OF(X509) *chain =
			chain_new(&leaf, &usual, SEND_LEAF | SEND_INTERMEDIATE, false);
		X509 *issuer = sk_X509_value(chain, 1);
		X509 *signer = rows[i].by == DELEGATE || rows[i].by == NO_DELEGATE
			? issue("responder", keys[PRIVATE_ROOT], issuer, keys[INTERMEDIATE], false,
				  rows[i].by == DELEGATE ? &delegate : &other)
			: NULL;
		struct staple s = {0};
		struct pkix_result r;

		if (rows[i].by != NOBODY) {
			s = staple_new(chain, rows[i].status, rows[i].until_s,
				rows[i].by == ISSUER             ? issuer
					: rows[i].by == STRANGER ? private_root
								 : signer,
				keys[rows[i].by == ISSUER ? INTERMEDIATE : PRIVATE_ROOT]);
		}
		pkix_judge(store, chain, HOST, NOW, arena, &r);
		pkix_judge_staple(chain, s.der, s.len, NOW, arena, &r);
		if (has_problem(&r, "pkix-revoked") != rows[i].revoked ||
			r.staple_missing != rows[i].missing ||
			(r.verdict == VERDICT_FAIL) != rows[i].revoked) {
			print_error("%s: %s, %s\n", rows[i].name, verdict_name(r.verdict),
				r.staple_missing ? "staple missing" : "nothing missing");
			bad++;
		}
		/* Cut anywhere it counts as none, and nothing is read behind its end. */
		for (size_t len = 0; len < s.len; len += 7) {
			unsigned char *cut = OPENSSL_memdup(s.der, len > 0 ? len : 1);

			pkix_judge(store, chain, HOST, NOW, arena, &r);
			pkix_judge_staple(chain, cut, len, NOW, arena, &r);
			assert_int_equal(r.verdict, VERDICT_PASS);
			OPENSSL_free(cut);
		}
		OPENSSL_free(s.der);
		X509_free(signer);
		sk_X509_pop_free(chain, X509_free);
		arena_free(arena);
	}
	X509_STORE_free(store);
	assert_int_equal(bad, 0);
}

/* R13.9, R14.4 */
static void
anchors(void **state UNUSED)
{
	static const struct change usual;
	static const struct {
		const char *name;
		int depth;
		bool bare, trusted, with_ee;
		const char *code;
	} rows[] = {
		{"intermediate of a public authority", 1, false, true, false,
			"tlsa-public-intermediate"},
		{"with 3 1 1 beside it", 1, false, true, true, NULL},
		{"public root", 2, false, true, false, NULL},
		{"private authority", 1, false, false, false, NULL},
		{"bare key that is not sent", 1, true, false, false, "tlsa-ta-not-in-chain"},
	};
	STACK_OF(X509) *chain = chain_new(&usual, &usual, 7, false);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		struct finding_list findings;
		struct tlsa_record records[2] = {
			{.parsed = true, .usage = 2, .considered = true},
			{.parsed = true, .usage = 3, .considered = rows[i].with_ee},
		};
		struct tlsa_set set = {.records = records, .count = 2};
		struct dane_match match = {
			.result = DANE_MATCH, .depth = rows[i].depth, .bare_key = rows[i].bare};

		finding_list_init(&findings, arena);
		dane_report_anchor(
			&set, chain, rows[i].trusted, &match, "_25._tcp." HOST, &findings);
		if (rows[i].code == NULL ? findings.count > 0
					 : !finding_list_has(&findings, rows[i].code))
			fail_msg("%s: %zu findings", rows[i].name, findings.count);
		arena_free(arena);
	}
	sk_X509_pop_free(chain, X509_free);
}

/* A usable record; matching type 1 over what is given, or over nothing of the chain. */
static struct tlsa_record
record(struct arena *arena, unsigned int usage, unsigned int selector, const char *sha256)
{
	const char *text = arena_printf(arena, "%u %u 1 %s", usage, selector, sha256);
	struct tlsa_record r;

	tlsa_record_from_text(text, strlen(text), arena, &r);
	return r;
}

/* R13.11, R14.8, R14.9: which of several records decides, and which are told to be stale. */
static void
several_records(void **state UNUSED)
{
	static const char other[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const struct change usual;
	static const char *const names[1] = {HOST};
	STACK_OF(X509) *chain = chain_new(&usual, &usual, SEND_LEAF | SEND_INTERMEDIATE, false);
	struct arena *arena = arena_new();
	const char *spki = pkix_spki_sha256(sk_X509_value(chain, 0), arena);
	const char *issuer = pkix_spki_sha256(sk_X509_value(chain, 1), arena);
	struct dane_checker *checker;
	struct error err;
	const struct {
		const char *name;
		struct tlsa_record records[2];
		enum dane_result result;
		bool stale;
	} rows[] = {
		{"3 1 1 and a former 3 1 1",
			{record(arena, 3, 1, other), record(arena, 3, 1, spki)}, DANE_MATCH, false},
		{"3 1 1 and a stale 3 0 1", {record(arena, 3, 1, spki), record(arena, 3, 0, other)},
			DANE_MATCH, true},
		{"2 1 1 and a stale 3 1 1",
			{record(arena, 3, 1, other), record(arena, 2, 1, issuer)}, DANE_MATCH,
			true},
		{"neither", {record(arena, 3, 1, other), record(arena, 2, 1, other)}, DANE_NO_MATCH,
			false},
	};

	assert_int_equal(dane_checker_new(&checker, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tlsa_record records[2] = {rows[i].records[0], rows[i].records[1]};
		struct tlsa_set set = {.records = records, .count = 2};
		struct finding_list findings;
		struct dane_match match;

		finding_list_init(&findings, arena);
		tlsa_set_judge(&set);
		dane_match(checker, &set, chain, names, 1, NOW, arena, &match);
		dane_report_stale(
			checker, &set, chain, names, 1, NOW, &match, "_25._tcp." HOST, &findings);
		if (match.result != rows[i].result ||
			finding_list_has(&findings, "tlsa-combination-stale") != rows[i].stale)
			fail_msg("%s: %s, %zu findings", rows[i].name,
				dane_result_name(match.result), findings.count);
	}
	dane_checker_free(checker);
	sk_X509_pop_free(chain, X509_free);
	arena_free(arena);
}

/* R14.5: an issuer record names the root, which is sent; what lies below it must be in order. */
static void
issuer_chains(void **state UNUSED)
{
	static const struct change usual, expired = {.until_s = -DAY}, not_yet = {.from_s = DAY},
					  no_ca = {.basic = "critical,CA:FALSE"};
	static const struct {
		const char *name;
		const struct change *leaf, *intermediate;
		bool forged; /* the leaf is signed by another key than the intermediate's */
		enum dane_result result;
		const char *code;
	} rows[] = {
		{"in order", &usual, &usual, false, DANE_MATCH, NULL},
		{"leaf expired", &expired, &usual, false, DANE_EXPIRED, "tlsa-chain-expired"},
		{"intermediate expired", &usual, &expired, false, DANE_EXPIRED,
			"tlsa-chain-expired"},
		{"leaf not yet valid", &not_yet, &usual, false, DANE_NOT_YET_VALID,
			"tlsa-chain-expired"},
		{"no authority between", &usual, &no_ca, false, DANE_CHAIN_INVALID,
			"tlsa-chain-invalid"},
		{"a broken signature", &usual, &usual, true, DANE_CHAIN_INVALID,
			"tlsa-chain-invalid"},
	};
	static const char *const names[1] = {HOST};
	struct arena *arena = arena_new();
	struct dane_checker *checker;
	struct error err;

	assert_int_equal(dane_checker_new(&checker, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		STACK_OF(X509) *chain = chain_new(rows[i].leaf, rows[i].intermediate,
			SEND_LEAF | SEND_INTERMEDIATE | SEND_ROOT, false);
		struct tlsa_record anchor = record(arena, 2, 1, pkix_spki_sha256(root, arena));
		struct tlsa_set set = {.records = &anchor, .count = 1};
		struct dane_match match;

		if (rows[i].forged) {
			X509 *leaf = issue("leaf", keys[LEAF], sk_X509_value(chain, 1),
				keys[PRIVATE_ROOT], false, rows[i].leaf);

			X509_free(sk_X509_shift(chain));
			assert_true(sk_X509_unshift(chain, leaf) > 0);
		}
		tlsa_set_judge(&set);
		dane_match(checker, &set, chain, names, 1, NOW, arena, &match);
		if (match.result != rows[i].result ||
			strcmp(match.code == NULL ? "" : match.code,
				rows[i].code == NULL ? "" : rows[i].code) != 0)
			fail_msg("%s: %s, code %s", rows[i].name, dane_result_name(match.result),
				match.code);
		sk_X509_pop_free(chain, X509_free);
	}
	dane_checker_free(checker);
	arena_free(arena);
}

/* R13.10: at the limit, and above it. */
static void
large_sets(void **state UNUSED)
{
	static const char digest[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	for (size_t count = TLSA_RECORDS_LARGE; count <= TLSA_RECORDS_LARGE + 1; count++) {
		struct arena *arena = arena_new();
		struct tlsa_record records[TLSA_RECORDS_LARGE + 1];
		struct tlsa_set set = {.records = records, .count = count};
		struct finding_list findings;

		for (size_t i = 0; i < count; i++)
			records[i] = record(arena, 3, 1, digest);
		finding_list_init(&findings, arena);
		tlsa_set_judge(&set);
		tlsa_set_findings(&set, "_25._tcp." HOST, SEVERITY_WARN, &findings);
		assert_int_equal(
			finding_list_has(&findings, "tlsa-set-large"), count > TLSA_RECORDS_LARGE);
		arena_free(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains),
		cmocka_unit_test(path_length),
		cmocka_unit_test(staples),
		cmocka_unit_test(anchors),
		cmocka_unit_test(several_records),
		cmocka_unit_test(issuer_chains),
		cmocka_unit_test(large_sets),
	};

	return cmocka_run_group_tests_name("pkix", tests, setup, teardown);
}

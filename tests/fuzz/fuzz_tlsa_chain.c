/*
 * Certificates and TLSA records: items of one octet (its lowest bit 0: a TLSA record's RDATA, 1: a
 * certificate in DER), two octets of length, contents. What OpenSSL says of usage 3 is worked out
 * here a second time, and a store without roots never passes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "tests/fuzz/helper.h"
#include "verifier/dane_check.h"
#include "verifier/dns_id.h"
#include "verifier/pkix.h"
#include "verifier/tlsa.h"

#define RECORDS_MAX 16
#define CHAIN_MAX   8
#define NOW_S       1764000000

static const char *const names[] = {"mx.example.org", "example.org"};

static void
take_items(const uint8_t *data, size_t size, struct arena *arena, struct tlsa_set *set,
	STACK_OF(X509) * chain)
{
	while (size >= 3) {
		bool is_certificate = (data[0] & 1) != 0;
		size_t len = (size_t)data[1] << 8 | data[2];
		const unsigned char *at = data + 3;
		X509 *cert;

		if (len > size - 3)
			len = size - 3;
		if (!is_certificate && set->count < RECORDS_MAX) {
			tlsa_record_from_wire(at, len, arena, &set->records[set->count++]);
		} else if (is_certificate && sk_X509_num(chain) < CHAIN_MAX) {
			cert = d2i_X509(NULL, &at, (long)len);
			ERR_clear_error();
			if (cert != NULL)
				assert(sk_X509_push(chain, cert) > 0);
		}
		data += 3 + len;
		size -= 3 + len;
	}
}

/* R14.1: whether the record is of usage 3 and matches the first certificate. */
static bool
matches_leaf(const struct tlsa_record *r, X509 *leaf)
{
	unsigned char *der = NULL, digest[SHA512_DIGEST_LENGTH];
	const unsigned char *bytes;
	int len = r->selector == TLSA_SELECTOR_CERT
		? i2d_X509(leaf, &der)
		: i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	size_t n = len > 0 ? (size_t)len : 0;
	bool same;

	if (len < 0)
		return false;
	bytes = der;
	if (r->matching == TLSA_MATCHING_SHA256) {
		bytes = SHA256(der, n, digest);
		n = SHA256_DIGEST_LENGTH;
	} else if (r->matching == TLSA_MATCHING_SHA512) {
		bytes = SHA512(der, n, digest);
		n = SHA512_DIGEST_LENGTH;
	}
	same = r->usage == TLSA_USAGE_DANE_EE && r->data_len == n && memcmp(r->data, bytes, n) == 0;
	OPENSSL_free(der);
	return same;
}

static void
check_match(const struct tlsa_set *set, STACK_OF(X509) * chain, const struct dane_match *m)
{
	X509 *leaf = sk_X509_value(chain, 0);
	bool expected = false;

	assert((m->result == DANE_MATCH) == (m->code == NULL));
	assert((m->result == DANE_MATCH) == (m->message == NULL));
	assert(m->message == NULL || helper_is_shown(m->message));
	assert(m->code == NULL || finding_find(m->code) != NULL);
	assert((m->result == DANE_ALL_UNUSABLE) == (set->usable_count == 0));
	if (m->result == DANE_MATCH) {
		assert(leaf != NULL && m->record < set->count);
		assert(set->records[m->record].considered);
		if (set->records[m->record].usage == TLSA_USAGE_DANE_EE)
			assert(m->depth == 0 && matches_leaf(&set->records[m->record], leaf));
	}
	/* Names, dates and signatures do not count with usage 3; a key that nobody can read, and so
	 * nobody can have used in a handshake, does. */
	for (size_t i = 0; i < set->count && leaf != NULL; i++)
		expected = expected ||
			(set->records[i].considered && matches_leaf(&set->records[i], leaf));
	assert(!expected || m->result == DANE_MATCH || X509_get0_pubkey(leaf) == NULL);
	ERR_clear_error();
}

static void
check_pkix(X509_STORE *store, STACK_OF(X509) * chain, struct arena *arena,
	struct finding_list *findings)
{
	struct pkix_result result;

	pkix_judge(store, chain, names[0], NOW_S, arena, &result);
	assert(result.verdict == VERDICT_FAIL);
	assert(result.count >= 1 && result.count <= PKIX_PROBLEMS_MAX);
	pkix_report(&result, SEVERITY_FAIL, names[0], findings);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *cert = sk_X509_value(chain, i);

		assert(strlen(pkix_certificate_sha256(cert, arena)) == 64);
		(void)pkix_spki_sha256(cert, arena);
		(void)dns_id_certificate_matches(cert, names[0]);
		assert(helper_is_shown(dns_id_certificate_names(cert, arena)));
		ERR_clear_error();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dane_checker *checker;
	static X509_STORE *store;
	struct arena *arena = arena_new();
	struct tlsa_record records[RECORDS_MAX];
	struct tlsa_set set = {.records = records};
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct finding_list findings;
	struct dane_match match;
	struct error err;

	if (checker == NULL) {
		assert(dane_checker_new(&checker, &err) == 0);
		store = X509_STORE_new();
	}
	assert(chain != NULL && store != NULL);
	finding_list_init(&findings, arena);
	take_items(data, size, arena, &set, chain);
	tlsa_set_judge(&set);
	dane_match(checker, &set, chain, names, ARRAY_LEN(names), NOW_S, arena, &match);
	check_match(&set, chain, &match);
	dane_report_stale(
		checker, &set, chain, names, ARRAY_LEN(names), NOW_S, &match, "owner", &findings);
	check_pkix(store, chain, arena, &findings);
	helper_check_findings(&findings);
	sk_X509_pop_free(chain, X509_free);
	arena_free(arena);
	return 0;
}

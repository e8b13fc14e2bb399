#include "verifier/tlsa.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/arena.h"
#include "common/str.h"

/* RDATA cannot be longer, so no hex text longer than twice this is looked at. */
#define RDATA_MAX 65535

#define SHA256_LEN 32
#define SHA512_LEN 64

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* R13.4 for selector 0: one DER certificate whose key OpenSSL can read, nothing behind it. */
static bool
is_certificate(const uint8_t *data, size_t len)
{
	const unsigned char *at = data;
	X509 *cert = d2i_X509(NULL, &at, (long)len);
	bool ok = cert != NULL && at == data + len && X509_get0_pubkey(cert) != NULL;

	X509_free(cert);
	ERR_clear_error();
	return ok;
}

/* R13.4 for selector 1. */
static bool
is_public_key(const uint8_t *data, size_t len)
{
	const unsigned char *at = data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)len);
	bool ok = key != NULL && at == data + len;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

/* R13.1 to R13.4: the code of the first reason why the record is unusable, or NULL. */
static const char *
judge(const struct tlsa_record *r)
{
	if (r->usage != TLSA_USAGE_DANE_TA && r->usage != TLSA_USAGE_DANE_EE)
		return "tlsa-usage-unusable";
	if (r->selector != TLSA_SELECTOR_CERT && r->selector != TLSA_SELECTOR_SPKI)
		return "tlsa-selector-unknown";
	switch (r->matching) {
	case TLSA_MATCHING_FULL:
		if (r->selector == TLSA_SELECTOR_CERT ? is_certificate(r->data, r->data_len)
						      : is_public_key(r->data, r->data_len))
			return NULL;
		return "tlsa-full-data-invalid";
	case TLSA_MATCHING_SHA256:
		return r->data_len == SHA256_LEN ? NULL : "tlsa-digest-length";
	case TLSA_MATCHING_SHA512:
		return r->data_len == SHA512_LEN ? NULL : "tlsa-digest-length";
	default:
		return "tlsa-matching-unknown";
	}
}

static void
finish(struct tlsa_record *r, struct arena *arena)
{
	char *text = arena_calloc(arena, sizeof("255 255 255 ") + 2 * r->data_len, 1);
	const char *head = arena_printf(arena, "%u %u %u ", r->usage, r->selector, r->matching);

	memcpy(text, head, strlen(head));
	str_hex(r->data, r->data_len, text + strlen(head));
	r->text = text;
	r->parsed = true;
	r->code = judge(r);
}

void
tlsa_record_from_wire(
	const uint8_t *rdata, size_t len, struct arena *arena, struct tlsa_record *out)
{
	*out = (struct tlsa_record){.code = "tlsa-malformed"};
	if (len < 4) {
		char *hex = arena_calloc(arena, 2 * len + 1, 1);

		str_hex(rdata, len, hex);
		out->text = arena_printf(arena, "\\# %zu %s", len, hex); /* RFC 3597 */
		return;
	}
	out->usage = rdata[0];
	out->selector = rdata[1];
	out->matching = rdata[2];
	out->data = arena_memdup(arena, rdata + 3, len - 3);
	out->data_len = len - 3;
	finish(out, arena);
}

/* One of the three numbers; moves *at behind it and the blanks that must follow. */
static int
take_number(const char **at, const char *end, uint8_t *out)
{
	const char *s = *at;
	uint64_t value;
	size_t n = 0;

	while (s + n < end && str_is_digit((unsigned char)s[n]))
		n++;
	if (n > 3 || str_parse_u64(s, n, UINT8_MAX, &value) < 0)
		return -1;
	s += n;
	if (s == end || !is_blank(*s))
		return -1;
	while (s < end && is_blank(*s))
		s++;
	*at = s;
	*out = (uint8_t)value;
	return 0;
}

void
tlsa_record_from_text(const char *text, size_t len, struct arena *arena, struct tlsa_record *out)
{
	const char *at = text;
	const char *end = text + len;
	uint8_t *data;
	char *hex;
	size_t digits = 0;

	*out = (struct tlsa_record){.code = "tlsa-malformed"};
	out->text = finding_quote(arena, text, len);
	while (at < end && is_blank(*at))
		at++;
	if (len > 4 * RDATA_MAX || take_number(&at, end, &out->usage) < 0 ||
		take_number(&at, end, &out->selector) < 0 ||
		take_number(&at, end, &out->matching) < 0)
		return;
	hex = arena_calloc(arena, (size_t)(end - at) + 1, 1);
	for (; at < end; at++) {
		if (!is_blank(*at))
			hex[digits++] = *at;
	}
	if (digits < 2 || digits > 2 * (RDATA_MAX - 3))
		return;
	data = arena_calloc(arena, digits / 2, 1);
	if (str_unhex(hex, digits, data, digits / 2) < 0)
		return;
	out->data = data;
	out->data_len = digits / 2;
	finish(out, arena);
}

void
tlsa_set_judge(struct tlsa_set *set)
{
	set->usable_count = 0;
	set->considered_count = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct tlsa_record *r = &set->records[i];

		r->considered = r->code == NULL;
		if (r->code != NULL)
			continue;
		set->usable_count++;
		/* R13.7: full data always; a digest unless a stronger one is published. */
		for (size_t k = 0; k < set->count && r->matching == TLSA_MATCHING_SHA256; k++) {
			const struct tlsa_record *other = &set->records[k];

			if (other->code == NULL && other->matching == TLSA_MATCHING_SHA512 &&
				other->usage == r->usage && other->selector == r->selector)
				r->considered = false;
		}
		if (r->considered)
			set->considered_count++;
	}
}

bool
tlsa_record_equal(const struct tlsa_record *a, const struct tlsa_record *b)
{
	return a->parsed && b->parsed && a->usage == b->usage && a->selector == b->selector &&
		a->matching == b->matching && a->data_len == b->data_len &&
		memcmp(a->data, b->data, a->data_len) == 0;
}

/* R13.1: usage 1 is 3 in SMTP and 0 is 2, if the rest of the record is in order. */
static const char *
usage_fix(const struct tlsa_record *r, const char *owner, struct arena *arena)
{
	struct tlsa_record as = *r;

	as.usage = r->usage == 1 ? TLSA_USAGE_DANE_EE : TLSA_USAGE_DANE_TA;
	if (r->usage > 1 || r->matching == TLSA_MATCHING_FULL || judge(&as) != NULL)
		return NULL;
	return arena_printf(arena, "Publish the same data with usage %u:\n%s. IN TLSA %u%s",
		as.usage, owner, as.usage, r->text + 1);
}

void
tlsa_set_findings(const struct tlsa_set *set, const char *owner, enum severity all_unusable,
	struct finding_list *findings)
{
	struct arena *arena = findings->arena;
	size_t octets = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct tlsa_record *r = &set->records[i];
		const char *fix = NULL;

		octets += r->data_len + 3;
		if (r->code == NULL) {
			if (r->usage == TLSA_USAGE_DANE_EE && r->selector == TLSA_SELECTOR_CERT)
				finding_add_usual(findings, "tlsa-certificate-pinned", owner, NULL,
					"the record %s names the whole certificate",
					finding_quote(arena, r->text, strlen(r->text)));
			continue;
		}
		if (strcmp(r->code, "tlsa-usage-unusable") == 0)
			fix = usage_fix(r, owner, arena);
		finding_add_usual(findings, r->code, owner, fix, "senders cannot use the record %s",
			finding_quote(arena, r->text, strlen(r->text)));
	}
	if (set->count > 0 && set->usable_count == 0)
		finding_add(findings, "tlsa-all-unusable", all_unusable, owner, NULL,
			"of %zu TLSA records none is usable", set->count);
	if (set->count > TLSA_RECORDS_LARGE || octets > TLSA_RDATA_LARGE)
		finding_add_usual(findings, "tlsa-set-large", owner, NULL,
			"the set has %zu records and %zu octets", set->count, octets);
}

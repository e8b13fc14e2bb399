/* Answer packets of a resolver: the first octet says what was asked, the rest is the packet. */
#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"
#include "verifier/address.h"
#include "verifier/dns_answer.h"
#include "verifier/finding.h"
#include "verifier/tlsa.h"
#include "verifier/txt_record.h"

#define TYPES (DNS_CNAME + 1)
/* 255 octets on the wire, each of them at worst \DDD. */
#define NAME_MAX_TEXT 1020

static void
check_name(const char *name)
{
	assert(name != NULL && strlen(name) <= NAME_MAX_TEXT && helper_is_shown(name));
	for (; *name != '\0'; name++)
		assert(!str_is_upper((unsigned char)*name));
}

static void
check_record(const struct dns_answer *a, const struct dns_record *r, struct arena *arena)
{
	struct tlsa_record tlsa;
	struct txt_text text;
	struct address address;

	switch (a->type) {
	case DNS_MX:
		assert(r->preference <= UINT16_MAX);
		check_name(r->host);
		break;
	case DNS_CNAME:
		check_name(r->host);
		break;
	case DNS_A:
	case DNS_AAAA:
		assert(r->len == (a->type == DNS_A ? 4 : 16));
		assert(address_from_bytes(r->data, r->len, 25, &address) == 0);
		assert(address_is_ipv6(&address) == (a->type == DNS_AAAA));
		break;
	case DNS_TXT:
		if (txt_from_wire(r->data, r->len, arena, &text) == 0)
			assert(text.len < r->len || r->len == 0);
		break;
	case DNS_TLSA:
		tlsa_record_from_wire(r->data, r->len, arena, &tlsa);
		assert(!tlsa.parsed || tlsa.data_len < r->len);
		break;
	case DNS_SOA:
		assert(r->data != NULL && r->len <= UINT16_MAX);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena;
	struct dns_answer a = {.name = "example.org"};

	if (size < 1)
		return 0;
	arena = arena_new();
	a.type = (enum dns_type)(data[0] % TYPES);
	dns_answer_parse(data + 1, size - 1, arena, &a);
	assert(a.status <= DNS_NXDOMAIN);
	assert(a.aliases <= DNS_ALIASES_MAX || a.status == DNS_FAILED);
	assert(a.aliases == 0 || a.type != DNS_CNAME);
	assert(a.count <= DNS_RECORDS_MAX && (!a.excess || a.count == DNS_RECORDS_MAX));
	assert((a.status == DNS_FOUND) == (a.count > 0));
	if (a.status == DNS_FAILED) {
		assert(a.why != NULL && helper_is_shown(a.why));
		assert(finding_find(dns_failure_code(&a)) != NULL);
	} else {
		assert(!a.alias_loop);
		check_name(a.canonical);
	}
	for (size_t i = 0; i < a.count; i++)
		check_record(&a, &a.records[i], arena);
	arena_free(arena);
	return 0;
}

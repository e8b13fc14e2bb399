#include "verifier/dns_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/str.h"
#include "verifier/txt_record.h"

#define DNS_WHY_MAX 300

static const struct {
	const char *name;
	ldns_rr_type type;
} types[] = {
	[DNS_A] = {"A", LDNS_RR_TYPE_A},
	[DNS_AAAA] = {"AAAA", LDNS_RR_TYPE_AAAA},
	[DNS_MX] = {"MX", LDNS_RR_TYPE_MX},
	[DNS_TXT] = {"TXT", LDNS_RR_TYPE_TXT},
	[DNS_TLSA] = {"TLSA", LDNS_RR_TYPE_TLSA},
	[DNS_SOA] = {"SOA", LDNS_RR_TYPE_SOA},
	[DNS_CNAME] = {"CNAME", LDNS_RR_TYPE_CNAME},
};

const char *
dns_type_name(enum dns_type type)
{
	return types[type].name;
}

int
dns_type_number(enum dns_type type)
{
	return (int)types[type].type;
}

void
dns_answer_fail(struct dns_answer *a, struct arena *arena, const char *why)
{
	char text[DNS_WHY_MAX];

	str_escape_controls(why, strlen(why), text, sizeof(text));
	a->status = DNS_FAILED;
	a->why = arena_strdup(arena, text);
	a->count = 0;
}

struct txt_text *
dns_answer_texts(const struct dns_answer *a, struct arena *arena, size_t *count)
{
	struct txt_text *texts = arena_calloc(arena, a->count + 1, sizeof(*texts));

	*count = 0;
	for (size_t i = 0; i < a->count; i++) {
		if (txt_from_wire(a->records[i].data, a->records[i].len, arena, &texts[*count]) ==
			0)
			++*count;
	}
	return texts;
}

const char *
dns_failure_code(const struct dns_answer *a)
{
	return a->secure == DNS_BOGUS ? "dnssec-bogus"
		: a->alias_loop       ? "dns-alias-loop"
				      : "dns-temporary";
}

/* Presentation form in lower case without root dot; "" for the root. */
static const char *
name_text(struct arena *arena, const ldns_rdf *dname)
{
	char *text = ldns_rdf2str(dname);
	char *out;
	size_t len;

	if (text == NULL)
		return NULL;
	len = strlen(text);
	if (len > 0 && text[len - 1] == '.')
		len--;
	out = arena_strndup(arena, text, len);
	free(text);
	str_lower_all(out);
	return out;
}

/* The RDATA as it stands on the wire, names uncompressed. */
static void
rdata_take(struct arena *arena, const ldns_rr *rr, struct dns_record *out)
{
	size_t len = 0, at = 0;
	uint8_t *data;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
		len += ldns_rdf_size(ldns_rr_rdf(rr, i));
	data = arena_calloc(arena, len + 1, 1);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		memcpy(data + at, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
		at += ldns_rdf_size(rdf);
	}
	out->data = data;
	out->len = len;
}

static int
record_take(struct arena *arena, enum dns_type type, const ldns_rr *rr, struct dns_record *out)
{
	size_t names = type == DNS_MX ? 2 : 1;

	if (type != DNS_MX && type != DNS_CNAME) {
		rdata_take(arena, rr, out);
		/* ldns takes any record without RDATA (RFC 2136 has such). */
		return (type == DNS_A && out->len != 4) || (type == DNS_AAAA && out->len != 16) ? -1
												: 0;
	}
	if (ldns_rr_rd_count(rr) != names)
		return -1;
	if (type == DNS_MX)
		out->preference = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
	out->host = name_text(arena, ldns_rr_rdf(rr, names - 1));
	return out->host == NULL ? -1 : 0;
}

static const ldns_rr *
find_alias(const ldns_rr_list *section, const ldns_rdf *owner)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME &&
			ldns_dname_compare(ldns_rr_owner(rr), owner) == 0)
			return rr;
	}
	return NULL;
}

/* Walks the aliases in the answer section and takes the records at their end. */
static void
section_take(struct dns_answer *a, struct arena *arena, const ldns_rr_list *section,
	const ldns_rdf *qname)
{
	const ldns_rdf *owner = qname;
	const ldns_rr *alias;
	const char *canonical;
	size_t most = 0;

	while (a->type != DNS_CNAME && (alias = find_alias(section, owner)) != NULL &&
		ldns_rr_rd_count(alias) == 1) {
		if (++a->aliases > DNS_ALIASES_MAX) {
			a->alias_loop = true;
			dns_answer_fail(a, arena, DNS_ALIAS_LOOP_TEXT);
			return;
		}
		owner = ldns_rr_rdf(alias, 0);
	}
	canonical = name_text(arena, owner);
	if (canonical == NULL) {
		dns_answer_fail(a, arena, "malformed name in the answer");
		return;
	}
	a->canonical = canonical;
	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		most += ldns_rr_get_type(rr) == types[a->type].type;
	}
	a->records = arena_calloc(arena, most + 1, sizeof(*a->records));
	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) != types[a->type].type ||
			ldns_dname_compare(ldns_rr_owner(rr), owner) != 0)
			continue;
		if (a->count == DNS_RECORDS_MAX) {
			a->excess = true;
			break;
		}
		if (record_take(arena, a->type, rr, &a->records[a->count]) < 0) {
			dns_answer_fail(a, arena, "malformed record in the answer");
			return;
		}
		a->count++;
	}
	if (a->count > 0)
		a->status = DNS_FOUND;
}

/* RFC 2308, 2.2: NS without SOA is a referral. A server that is lame for a zone whose parent it
 * serves refers to itself, which resolvers take for a denial (R2.4). */
static bool
is_referral(const ldns_rr_list *authority)
{
	bool referral = false;

	for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
		ldns_rr_type type = ldns_rr_get_type(ldns_rr_list_rr(authority, i));

		if (type == LDNS_RR_TYPE_SOA)
			return false;
		referral |= type == LDNS_RR_TYPE_NS;
	}
	return referral;
}

void
dns_answer_parse(const uint8_t *packet, size_t len, struct arena *arena, struct dns_answer *a)
{
	ldns_pkt *pkt = NULL;
	ldns_rr_list *question;
	ldns_pkt_rcode rcode;
	char why[64];

	if (ldns_wire2pkt(&pkt, packet, len) != LDNS_STATUS_OK) {
		dns_answer_fail(a, arena, "malformed answer");
		return;
	}
	question = ldns_pkt_question(pkt);
	rcode = ldns_pkt_get_rcode(pkt);
	if (ldns_rr_list_rr_count(question) != 1) {
		dns_answer_fail(a, arena, "answer without the question");
		goto out;
	}
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
		(void)snprintf(
			why, sizeof(why), "the name servers answer with error code %d", (int)rcode);
		dns_answer_fail(a, arena, why);
		goto out;
	}
	a->status = rcode == LDNS_RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	section_take(a, arena, ldns_pkt_answer(pkt), ldns_rr_owner(ldns_rr_list_rr(question, 0)));
	if (a->status == DNS_NODATA && is_referral(ldns_pkt_authority(pkt)))
		dns_answer_fail(a, arena, "a lame name server: it refers to others");
out:
	ldns_pkt_free(pkt);
}

/*
 * dns_answer: what a resolver's answer packet says about one question.
 *
 * Pure: octets in, struct dns_answer out. The packet is validated or not before it comes here; what
 * it says is believed only as far as `secure` goes, which the caller sets.
 */
#ifndef VERIFIER_DNS_ANSWER_H
#define VERIFIER_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "verifier/report.h" /* enum dns_secure */

struct arena;
struct txt_text;

enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_TLSA, DNS_SOA, DNS_CNAME };

enum dns_status {
	DNS_FAILED,   /* could not tell; secure is DNS_BOGUS when validation failed */
	DNS_FOUND,    /* count >= 1 */
	DNS_NODATA,   /* the name is there, the type is not */
	DNS_NXDOMAIN, /* the name (behind aliases: the last one) is not there */
};

/* Records of one answer that are kept; the rest of a larger set makes the answer `excess`. */
#define DNS_RECORDS_MAX 512

struct dns_record {
	unsigned int preference; /* MX */
	const char *host;        /* MX, CNAME: lower case, no root dot; "" is the root */
	const uint8_t *data;     /* A, AAAA: 4 or 16 octets; TXT, TLSA: RDATA */
	size_t len;
};

/* In the arena of the query. */
struct dns_answer {
	const char *name; /* as asked */
	enum dns_type type;
	enum dns_status status;
	enum dns_secure secure; /* of the whole answer, aliases included */
	bool alias_loop;        /* R2.7 */
	const char *why;        /* for people, when DNS_FAILED: escaped, one line */
	const char *canonical;  /* name at the end of the aliases, lower case, no root dot */
	unsigned int aliases;   /* CNAME steps; asking for DNS_CNAME itself follows none */
	struct dns_record *records;
	size_t count;
	bool excess; /* more than DNS_RECORDS_MAX */
};

/* R2.7 */
#define DNS_ALIASES_MAX     10
#define DNS_ALIAS_LOOP_TEXT "more than 10 aliases, or a loop of aliases"

/* a->type says what was asked; sets status, and what belongs to it, canonical and aliases. Every
 * string is in the arena. A packet that cannot be read is DNS_FAILED. */
void dns_answer_parse(const uint8_t *packet, size_t len, struct arena *arena, struct dns_answer *a);

/* Makes it DNS_FAILED; why: anything, is escaped and cut. */
void dns_answer_fail(struct dns_answer *a, struct arena *arena, const char *why);

/* The texts of the TXT records; malformed RDATA is left out. */
struct txt_text *dns_answer_texts(
	const struct dns_answer *a, struct arena *arena, size_t *count) RETURNS_NONNULL;

/* The code of the finding for a DNS_FAILED answer: R2.4, R2.5 or R2.7. */
const char *dns_failure_code(const struct dns_answer *a) RETURNS_NONNULL;
const char *dns_type_name(enum dns_type type) RETURNS_NONNULL;
/* The number on the wire. */
int dns_type_number(enum dns_type type);

#endif

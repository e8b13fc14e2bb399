/*
 * tlsa: TLSA records one by one and as a set: which are usable, which are considered (rule book
 * section 13). Matching them with a chain is dane_check's.
 *
 * Pure. A record that cannot be parsed is a record too: unusable, with the code that says why.
 */
#ifndef VERIFIER_TLSA_H
#define VERIFIER_TLSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/finding.h"

struct arena;

enum { TLSA_USAGE_DANE_TA = 2, TLSA_USAGE_DANE_EE = 3 };
enum { TLSA_SELECTOR_CERT = 0, TLSA_SELECTOR_SPKI = 1 };
enum { TLSA_MATCHING_FULL = 0, TLSA_MATCHING_SHA256 = 1, TLSA_MATCHING_SHA512 = 2 };

/* R13.10 */
#define TLSA_RECORDS_LARGE 32
#define TLSA_RDATA_LARGE   4096

struct tlsa_record {
	bool parsed; /* the four fields below are there */
	uint8_t usage;
	uint8_t selector;
	uint8_t matching;
	const uint8_t *data; /* in the arena */
	size_t data_len;
	const char *code; /* NULL: usable; else why not ("tlsa-digest-length") */
	bool considered;  /* usable and left after digest agility; set by tlsa_set_judge() */
	const char *text; /* presentation form; what was given, escaped, when it cannot be parsed */
};

struct tlsa_set {
	struct tlsa_record *records;
	size_t count;
	size_t usable_count;     /* set by tlsa_set_judge() */
	size_t considered_count; /* likewise */
};

/* Presentation form "3 1 1 HEX"; blanks inside the hex digits are allowed (RFC 6698 section 2.2).
 */
void tlsa_record_from_text(
	const char *text, size_t len, struct arena *arena, struct tlsa_record *out);
void tlsa_record_from_wire(
	const uint8_t *rdata, size_t len, struct arena *arena, struct tlsa_record *out);

/* R13.6, R13.7: counts the usable records and marks those left after digest agility. */
void tlsa_set_judge(struct tlsa_set *set);

/* Whether two records have the same usage, selector, matching type and data. */
bool tlsa_record_equal(const struct tlsa_record *a, const struct tlsa_record *b);

/* What section 13 says about the set by itself: each unusable record, all unusable (as severity
 * all_unusable: fail or warn, R13.6), certificate pinned, set too large. owner is the name the set
 * was found at ("_25._tcp.mx.example.org"). The set must have been judged. */
void tlsa_set_findings(const struct tlsa_set *set, const char *owner, enum severity all_unusable,
	struct finding_list *findings);

#endif

/*
 * domain_name: what a person typed -> the A-label form to look up (rule book section 1), and the
 * questions about host names that other rules ask.
 *
 * Pure; any thread. Names that go into the questions are A-labels without root dot, as
 * domain_name_parse() or a DNS answer (lower-cased) gives them.
 */
#ifndef VERIFIER_DOMAIN_NAME_H
#define VERIFIER_DOMAIN_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct finding_list;

#define DOMAIN_NAME_MAX  253 /* octets without root dot (RFC 1035 section 2.3.4) */
#define DOMAIN_NAME_SIZE (DOMAIN_NAME_MAX + 1)
#define DOMAIN_LABEL_MAX 63

/* Longer names leave no room for "_mta-sts." in front (R1.12). */
#define DOMAIN_NAME_MTA_STS_MAX 244

/* Octets of input that are looked at; more is refused as too long. */
#define DOMAIN_NAME_INPUT_MAX 2048

/* Judges len octets as typed. Returns 0 and fills out with the lower-case A-label form, or -1 when
 * a finding of severity fail was added. Warnings and notes are added in both cases. With
 * allow_special_use names under test, example, ... (R1.15) are judged like others (the lab). */
int domain_name_parse(const char *typed, size_t len, bool allow_special_use,
	struct finding_list *findings, char out[static DOMAIN_NAME_SIZE]) MUST_CHECK;

/* Labels of letters, digits and inner hyphens, 1 to 63 octets each, 253 in all; one label will do.
 * Upper case is allowed. This is the Domain of RFC 5321 section 4.1.2. */
bool domain_name_is_ldh(const char *name, size_t len);
/* R3.9: as above with at least two labels, the last not numeric: what a public CA can certify. */
bool domain_name_is_host(const char *name);
/* R3.8, R1.6, R1.14: an IPv4 or IPv6 address, bare or bracketed, or a name that address parsers
 * read as one (last label all digits, or 0x and hex digits). */
bool domain_name_reads_as_ip(const char *name, size_t len);
/* R1.15, R3.10: the name or one of its parents is a special-use name. */
bool domain_name_is_special_use(const char *name);
/* R1.16: a public suffix of the ICANN section, known by a rule of its own (not by the default "*").
 */
bool domain_name_is_icann_suffix(const char *name);
/* R10.10: a public suffix of either section; a single label always is one. */
bool domain_name_is_public_suffix(const char *name);
/* The registrable domain of a host: the operator by whom connections are counted. Points into host;
 * host itself when it is a public suffix or an address. Never NULL. */
const char *domain_name_registrable(const char *host) RETURNS_NONNULL;
/* R1.18: below a registrable domain. */
bool domain_name_is_subdomain(const char *name);

#endif

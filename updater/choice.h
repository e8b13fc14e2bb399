/*
 * choice: what becomes of one entry of the list in the map of one mail server.
 *
 * Anything weaker than what the entry asks for is left out rather than written, since a line
 * overrides what the administrator has as a default; where a mail server can express a part only
 * (CHOICE_WIDER), that is counted and said.
 */
#ifndef UPDATER_CHOICE_H
#define UPDATER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

struct list_entry;
struct list_header;

enum choice {
	CHOICE_PKIX,         /* a public certificate for a host of the entry */
	CHOICE_WIDER,        /* the same, but more hosts are accepted than the entry names */
	CHOICE_PINNED,       /* the same, for the one host that it names; MX records are not asked */
	CHOICE_DANE,         /* TLSA records only */
	CHOICE_ANY,          /* TLSA records where there are secure ones, else as CHOICE_PKIX */
	CHOICE_LEFT_TESTING, /* testing mode */
	CHOICE_LEFT_RUN_OUT, /* no longer in force at that time */
	CHOICE_LEFT_DANE,    /* only DANE would do, and there is none here */
	CHOICE_LEFT_LONG,    /* more names than this mail server takes for one domain */
	CHOICE_LEFT_EXCEPTED, /* by a rule of the administrator */
	CHOICE_LEFT_TRIAL,    /* only of a list that is itself being tested here */
	CHOICE_LEFT_UNTRUSTED, /* only of lists that are not trusted for the domain */
};
#define CHOICES 12

/* Whether it is a line of the map. */
bool choice_is_line(enum choice choice);
/* "none: the domain asks for testing only": why there is no line; NULL for those that are. */
const char *choice_why_left(enum choice choice);

/* What all mail servers have in common. dane: whether DANE lines may be written; any: whether there
 * are lines for "DANE or a certificate". Never CHOICE_WIDER, CHOICE_PINNED, CHOICE_LEFT_LONG or
 * what the configuration and the rules leave out. */
enum choice choice_of(const struct list_header *header, const struct list_entry *entry, bool dane,
	bool any, int64_t now_s);

#endif

/*
 * resolver: the resolver that mail programs on this machine use: what it says, and whether it validates DNSSEC.
 */
#ifndef UPDATER_RESOLVER_H
#define UPDATER_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Asks for the records of a type (ns_t_mx) of a name, in the class of the internet: octets of the answer as it came
 * from the wire, without its error codes looked at, with the AD bit that the resolver has set; -1 there is none. Takes
 * some seconds at most. */
int resolver_query(const char *name, int type, unsigned char *answer, size_t size);

enum resolver_answer {
	RESOLVER_UNKNOWN, /* it did not answer */
	RESOLVER_VALIDATES,
	RESOLVER_DOES_NOT,
};

/* What another process was answered, for one that has no network. */
struct resolver_said {
	enum resolver_answer answer;
	int64_t time_s; /* when */
};

/* Asks each of the servers of resolv.conf for the root zone's SOA, which is signed wherever there
 * is DNSSEC, and looks at the AD bit. A server that is not on this machine counts as one that does
 * not validate: on the way to it anybody can set that bit. said: what stands in the place of asking;
 * NULL: ask. why: one line for people. Takes some seconds at most. */
enum resolver_answer resolver_check(const struct resolver_said *said, char *why, size_t size);

/* Whether glibc hands the AD bit on to programs: "options trust-ad" in resolv.conf. */
bool resolver_trust_ad(void);

/* For setup: tells out what keeps entries with DANE alone from being enforced, if anything does.
 * by_glibc: the mail server asks by it. */
void resolver_tell(bool by_glibc, FILE *out);

#endif

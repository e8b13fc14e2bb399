/*
 * resolver: whether the resolver that mail programs on this machine use validates DNSSEC.
 */
#ifndef UPDATER_RESOLVER_H
#define UPDATER_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

enum resolver_answer {
	RESOLVER_UNKNOWN, /* it did not answer */
	RESOLVER_VALIDATES,
	RESOLVER_DOES_NOT,
};

/* Asks each of the servers of resolv.conf for the root zone's SOA, which is signed wherever there
 * is DNSSEC, and looks at the AD bit. A server that is not on this machine counts as one that does
 * not validate: on the way to it anybody can set that bit. why: one line for people. Takes some
 * seconds at most. */
enum resolver_answer resolver_check(char *why, size_t size);

/* Whether glibc hands the AD bit on to programs: "options trust-ad" in resolv.conf. */
bool resolver_trust_ad(void);

#endif

/*
 * trust: how far one list is trusted.
 */
#ifndef UPDATER_TRUST_H
#define UPDATER_TRUST_H

#include <stdbool.h>
#include <stddef.h>

enum trust {
	TRUST_ENFORCE, /* as the list says */
	TRUST_EARLY,   /* its entries in testing mode count as enforced */
	TRUST_TESTING, /* none of its entries gets a line */
};

/* "enforce", "early-adopter", "testing". */
const char *trust_name(enum trust trust);
/* false: it is none of these. */
bool trust_from_name(const char *name, enum trust *out);

/* What may be such: a domain in lower case, by A-labels, of one label too. */
bool trust_domain_valid(const char *domain);
/* Whether the domain is one of these or below one; without any: yes. */
bool trust_covers(const char *const *domains, size_t count, const char *domain);

#endif

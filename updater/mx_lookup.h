/*
 * mx_lookup: the mail servers of a domain, by the system's resolver.
 */
#ifndef UPDATER_MX_LOOKUP_H
#define UPDATER_MX_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

/* Servers of one domain that count; a mail server does not try more either. */
#define MX_LOOKUP_MAX 16

struct mx_list {
	char hosts[MX_LOOKUP_MAX][254]; /* most preferred first; lower case, valid names */
	size_t count;
	bool secure; /* the resolver says that it has validated the answer */
};

/* Asks for the MX records; a domain without any is its own server (RFC 5321 section 5.1). Takes some seconds at
 * most. 0; -1 no answer, no such domain, or it takes no mail (RFC 7505). */
int mx_lookup(const char *domain, struct mx_list *out);
/* The servers of an answer as it came from the wire; for mx_lookup() and tests. */
int mx_lookup_parse(
	const unsigned char *answer, size_t len, const char *domain, struct mx_list *out);

#endif

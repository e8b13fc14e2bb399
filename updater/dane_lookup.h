/*
 * dane_lookup: the TLSA records of a mail server, by the system's resolver.
 */
#ifndef UPDATER_DANE_LOOKUP_H
#define UPDATER_DANE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Records of one server that count, and octets of what one has to match (a whole certificate may be
 * longer: such a record does not count). */
#define DANE_RECORDS_MAX 16
#define DANE_DATA_MAX    2048

struct dane_record {
	uint8_t usage, selector, matching;
	uint8_t data[DANE_DATA_MAX];
	size_t len;
};

struct dane_list {
	struct dane_record records[DANE_RECORDS_MAX];
	size_t count;
	bool secure; /* the resolver says that it has validated the answer, also one without records
		      */
};

/* Asks for the TLSA records of SMTP at that host (RFC 7672), as it is called in MX records. Takes
 * some seconds at most. 0, also where there are none; -1 no answer, or one that the resolver holds
 * back since it is bogus. */
int dane_lookup(const char *host, struct dane_list *out);
/* The records of an answer as it came from the wire; for dane_lookup() and tests. */
int dane_lookup_parse(const unsigned char *answer, size_t len, struct dane_list *out);

#endif

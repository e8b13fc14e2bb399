/*
 * notice: what the owner of a domain is told about its entry, as a mail (R20.4, R20.8).
 *
 * Before each step: what is wrong, what will become of the entry and when, what mends it, and how
 * long senders may keep what they have. Pure; whoever calls sends it.
 */
#ifndef BUILDER_NOTICE_H
#define BUILDER_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/life.h"
#include "common/attr.h"

struct buf;
struct error;

/* All borrowed. */
struct notice {
	const char *domain;
	const char *author; /* whose list it is */
	const char *from, *to; /* mail addresses: notice_address() */
	const struct life *life;
	const struct life_rules *rules;
	int64_t max_age_s;  /* of the entry; 0: there is none any more */
	const char *reason; /* code of the last transition; NULL: none yet */
	bool was_listed;    /* before it */
	/* The finding that stands in the way; NULL: none. */
	const char *code, *subject, *message, *fix;
};

/* The address of a URI "mailto:joe@example.org", ready to stand in a header; the caller frees *out.
 * Anything that is not exactly one plain address is ERROR_INPUT. */
int notice_address(const char *uri, char **out, struct error *err) MUST_CHECK;

/* Appends a message of RFC 5322, with LF line ends, as sendmail takes it. Returns 1, or 0 when the
 * owner of a domain in that state has nothing to be told. */
int notice_format(const struct notice *n, struct buf *out) MUST_CHECK;

#endif

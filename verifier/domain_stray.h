/*
 * domain_stray: where a domain has no MTA-STS record, the places where owners put it by mistake, a
 * policy without a record, and whether a wildcard answers instead (rule book R8.12, R8.13, R8.15).
 *
 *	s = domain_stray_start(&options, report, on_stray, arg);
 *	    on_stray(misplaced, arg): exactly once, from the loop
 *	domain_stray_cancel(s);     instead, before the callback has come
 *
 * All of it side by side: four look-ups and a fetch. None of it makes a domain eligible, and a
 * look-up that fails says nothing about the domain.
 */
#ifndef VERIFIER_DOMAIN_STRAY_H
#define VERIFIER_DOMAIN_STRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct dns_resolver;
struct domain_stray;
struct policy_fetcher;
struct report;
struct txt_text;

/* Borrowed until the callback. */
struct domain_stray_options {
	struct dns_resolver *resolver;
	struct policy_fetcher *fetcher;
	const char *domain; /* A-labels */
	const char *owner;  /* of the record that is missing */
	/* What stands there instead; count is 0 when an alias leads there. */
	const struct txt_text *texts;
	size_t text_count;
};

/* misplaced: a valid record stands where no sender looks. */
typedef void domain_stray_cb(bool misplaced, void *arg);

/* Findings go to the report, whose arena holds what is needed. */
struct domain_stray *domain_stray_start(const struct domain_stray_options *options,
	struct report *report, domain_stray_cb *cb, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void domain_stray_cancel(struct domain_stray *s);

#endif

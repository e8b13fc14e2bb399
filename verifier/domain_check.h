/*
 * domain_check: one look at one mail domain, from the name as typed to the report.
 *
 *	c = domain_check_start(&context, "example.org", delay, on_report, arg);
 *	    on_report(report, arg): exactly once, from the loop; the report is lent until
 *	domain_check_free(c);      behind the callback from any thread, or on its own loop instead
 *
 * Look-ups run side by side; MX hosts and policy hosts come from the tables shared by all domains.
 * At the deadline what is known is judged, and the rest is "could not tell". Time spent in line at
 * limits of ours is no fault of the domain's: then it gets further deadlines, up to
 * DOMAIN_EXTENSIONS_MAX.
 */
#ifndef VERIFIER_DOMAIN_CHECK_H
#define VERIFIER_DOMAIN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/clock.h"

#define DOMAIN_EXTENSIONS_MAX 20

struct dns_resolver;
struct domain_check;
struct event_base;
struct mx_host_desk;
struct policy_fetcher;
struct report;

/* Of one thread; borrowed by every check for its life. */
struct domain_context {
	struct clock clock;
	struct event_base *base;
	struct dns_resolver *resolver;
	struct mx_host_desk *hosts;
	struct policy_fetcher *fetcher;
	bool special_use_names;
	int64_t deadline_s;
	int64_t max_age_min_s;
	bool thorough; /* R8.12, R8.13, R8.15; see engine.h */
};

typedef void domain_report_cb(const struct report *report, void *arg);

/* Begins after delay_us microseconds. domain: as typed by a person; copied. */
struct domain_check *domain_check_start(const struct domain_context *context, const char *domain,
	int64_t delay_us, domain_report_cb *cb, void *arg) RETURNS_NONNULL;
/* Whether all that is still missing stands in line at a limit of ours (per_operator and so on). */
bool domain_check_is_parked(const struct domain_check *c);
/* Before the callback has come it does not come any more. NULL is allowed. */
void domain_check_free(struct domain_check *c);

#endif

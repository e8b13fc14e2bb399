/*
 * domain_judge: the facts about one mail domain -> verdict, findings and entry (rule book sections
 * 3, 11, 12, 15, 18 and 19).
 *
 * Pure but for the DANE match under the domain's own name, which the host table makes. Whoever
 * gathers the facts has already added the findings of parsing and fetching to the report.
 */
#ifndef VERIFIER_DOMAIN_JUDGE_H
#define VERIFIER_DOMAIN_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/dns.h"
#include "verifier/finding.h"
#include "verifier/finding_cause.h"
#include "verifier/mta_sts.h"
#include "verifier/mx_host.h"
#include "verifier/preload_record.h"
#include "verifier/report.h"

/* R3.17 */
#define MX_HOSTS_MAX         32
#define MX_ADDRESSES_ALL_MAX 128
/* The records of MTA-STS, opt-in and TLSRPT, and the policy. */
#define DOMAIN_PLACES_MAX 4

struct domain_mx {
	const char *host;
	unsigned int preference;
	bool refused;               /* not looked at: a finding says why */
	const struct mx_host *info; /* NULL: refused, or not known in time */
};

/* How a source of facts came out. */
enum source_state {
	SOURCE_STATE_TEMP, /* could not tell; a finding says why */
	SOURCE_STATE_ABSENT,
	SOURCE_STATE_BROKEN, /* certainly no good; a finding says why */
	SOURCE_STATE_VALID,
};

struct domain_facts {
	const char *domain; /* A-labels */
	int64_t now_s;
	int64_t max_age_min_s; /* R18.4 */
	int64_t deadline_s;    /* for messages */

	enum verdict
		mail; /* of the MX look-up by itself: fail when no mail can arrive, R3.3 to R3.10 */
	bool implicit; /* R3.2 */
	enum dane_lookup mx_lookup;
	const char *expanded; /* R14.6: the domain behind its aliases */
	struct domain_mx *mx;
	size_t mx_count;

	enum source_state sts_record;
	enum source_state sts_policy; /* counts when the record is valid */
	struct mta_sts_policy policy; /* when the policy is valid */

	enum source_state preload;
	struct preload_record preload_record; /* mode none whenever a record says so */

	/* Records and a policy that are aliases, and where they lead (R21.6). */
	struct finding_place places[DOMAIN_PLACES_MAX];
	size_t place_count;

	struct mx_host_desk *hosts;
};

/* Completes r: its findings grow, the rest of its members up to `dane` and the entry are set. */
void domain_judge(const struct domain_facts *f, struct report *r);

#endif

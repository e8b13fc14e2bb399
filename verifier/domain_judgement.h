/*
 * domain_judgement: what judging a domain knows on the way. Included by domain_judge.c, which comes
 * to the verdict, and domain_judge_hosts.c, which judges the MX hosts, alone.
 */
#ifndef VERIFIER_DOMAIN_JUDGEMENT_H
#define VERIFIER_DOMAIN_JUDGEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "verifier/domain_judge.h"

/* What one MX host comes to for this domain. */
struct host_state {
	bool skipped;     /* no address: no sender can use it (R3.11) */
	bool reached;     /* at least one address answered */
	bool ignored;     /* silent, and judged without the silent ones */
	enum verdict dns; /* fail: R3.12, R3.14, R3.17; unknown: look-up failed */
	enum verdict starttls, pkix;
	enum dane_state dane;
	const char *dane_code;
	struct dane_match *matches; /* by address */
};

struct judgement {
	const struct domain_facts *f;
	struct report *r;
	struct host_state *hosts;
	enum verdict gate; /* sections 2 and 3 */
	enum verdict starttls, pkix, dane;
	bool dane_broken, dane_temp, dane_some;
	bool pkix_needed;
	bool without_silent; /* R3.18: judge as if the hosts that do not answer were not there */
	bool any_silent;
	bool unasked; /* no policy and no opt-in, or the policy says none */
};

enum verdict verdict_worse(enum verdict a, enum verdict b); /* fail > unknown > pass */

/* Sections 3 to 7 and 12 to 14: each host, then all of them together. Findings go to the report. */
void judgement_of_hosts(struct judgement *j);
/* R7.3, R14.1: what is wrong with certificates, once it is known whether the domain needs them. */
void judgement_report_pkix(struct judgement *j);
/* The report's table of hosts. */
void judgement_fill_report(struct judgement *j);

#endif

/*
 * life: the life of a domain as a pure function (design.md section 6, rule book sections 17 to 20).
 *
 * In: the rules (configuration), the domain as it stands, the latest view of each vantage point,
 * the time. Out: the domain as it stands now, and what happened, for the table of transitions. No
 * store, no clock, no network: any moment of history can be computed again.
 */
#ifndef BUILDER_LIFE_H
#define BUILDER_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "verifier/finding.h"

struct arena;

/* Numbers are stored in the database: they never change their meaning. */
enum life_state {
	LIFE_CANDIDATE = 1,
	LIFE_PENDING = 2,
	LIFE_LISTED = 3,
	LIFE_FAILING = 4, /* listed, and a certain break is under observation */
	LIFE_REMOVED = 5,
	LIFE_REFUSED = 6,
};
#define LIFE_STATE_MAX LIFE_REFUSED

/* All from the section [life] of the configuration; seconds. */
struct life_rules {
	unsigned vantages;   /* vantage points configured, at least 1 */
	int64_t join_s;      /* passes of this length before the first listing */
	int64_t gap_s;       /* the longest time between two looks that counts as observed */
	int64_t round_s;     /* views not older than this belong to one round (R17.6) */
	int64_t demote_s;    /* a certain break of this length: testing */
	int64_t remove_s;    /* of this length: out */
	int64_t leave_gap_s; /* between the two sightings of an unsigned mode=none (R20.2) */
	int64_t gone_s;      /* signed NXDOMAIN (R20.5) and null MX (R20.6) of this length: out */
	int64_t recheck_s;   /* next look at what is pending, listed or failing */
	int64_t candidate_s; /* at what is not */
	int64_t refused_s;   /* at what does not want to be looked at */
	/* Of the above but for refused domains, the first wait after "could not tell"; each is as
	 * long as all before it together, so it doubles, until the usual one is reached. */
	int64_t retry_s;
};

/* A domain as the store keeps it. Times are seconds since the epoch; 0: never. */
struct life {
	enum life_state state;
	int64_t since_s;     /* in this state */
	bool held;           /* by the operator: keeps its state */
	bool by_operator;    /* removed or refused by the operator */
	bool demoted;        /* the entry is testing because of a break */
	const char *policy;  /* the entry's canonical text (list_policy_format()); NULL unless
			      * pending,  listed or failing; borrowed from whoever filled it in */
	int64_t confirmed_s; /* the entry's last confirmation by the quorum */
	int64_t pass_last_s, pass_credit_s; /* observed passing: last time, length */
	int64_t fail_last_s, fail_credit_s; /* observed broken */
	int64_t leave_s;                    /* first sighting of an unsigned mode=none by all */
	int64_t gone_last_s, gone_credit_s; /* observed gone, or with a null MX */
};

/* What one vantage point saw at its last look. */
struct life_view {
	const char *vantage;
	int64_t time_s;
	enum verdict verdict;
	int64_t unknown_since_s; /* with VERDICT_UNKNOWN: since when all looks of this point, one
				  * after the other, have come to it. Of the newest look alone. */
	const char *policy;      /* canonical text of the entry it would list; NULL: not eligible */
	const char *fail_code;   /* what blocks (or what could not be told); NULL when eligible */
	bool sts_none;           /* MTA-STS policy of mode none over verified HTTPS */
	bool preload_none;       /* opt-in record with mode=none ... */
	bool preload_secure;     /* ... or its absence below, DNSSEC-secure */
	bool preload_absent;     /* proven or answered to be absent */
	bool gone, gone_secure;  /* NXDOMAIN */
	bool null_mx, null_secure;
	bool unsettled; /* the points contradict each other (compare.h): no admission until they
			 * agree. Of the newest look alone. */
};

/* One row of the table of transitions. */
struct life_event {
	enum life_state from, to;
	const char *reason; /* code of the rule book, or of this module's own (see life.c) */
	const char *detail; /* what made it so, a finding's code say; may be NULL; lent by a view */
	const char *
		agreed; /* the vantage points that said so, divided by commas; NULL: the operator */
};
#define LIFE_EVENTS_MAX 4

struct life_result {
	struct life life; /* its policy lives in the arena, or is the one that was given */
	struct life_event events[LIFE_EVENTS_MAX];
	size_t event_count;
	enum verdict consensus;
	/* Why the vantage points together came to nothing: vantage-too-few (R17.3) or
	 * vantage-disagree (R17.4); NULL with a consensus, and with one point. */
	const char *round_code;
	int64_t next_look_s; /* when to look again */
};

/* A domain that has just come in. */
struct life life_new(int64_t now_s);

/* views: the latest of each vantage point, in any order; count may be less than rules->vantages. */
void life_step(const struct life_rules *rules, const struct life *life,
	const struct life_view *views, size_t count, int64_t now_s, struct arena *arena,
	struct life_result *out);

/* What an operator may do. */
enum life_act { LIFE_ACT_REMOVE, LIFE_ACT_REFUSE, LIFE_ACT_HOLD };
/* detail (the operator's reason) is borrowed. Any act but hold ends a hold. */
void life_apply_act(const struct life *life, enum life_act act, const char *detail, int64_t now_s,
	struct life_result *out);

/* Vantage points of n that must agree (R17.4). */
unsigned life_quorum(unsigned n);
bool life_is_on_list(enum life_state state);        /* listed or failing */
const char *life_state_name(enum life_state state); /* "candidate", ... */
/* When a pending domain will be listed if it goes on passing. */
int64_t life_join_due(const struct life_rules *rules, const struct life *life);

#endif

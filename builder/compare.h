/*
 * compare: what a look shows only beside earlier looks and those of the other vantage points (rule
 * book R2.9, R3.18, R3.21, R4.4, R4.18, R5.3 to R5.5, R8.14, R9.13, R17.8).
 *
 * Pure: the facts come from reports and kept evidence, the memory is a few marks for each domain
 * and vantage point: a condition that this point has seen at all its looks since a moment. A domain
 * in order has no marks, so that looking at it again writes nothing here. Messages say no times:
 * the same seen again is the same evidence.
 */
#ifndef BUILDER_COMPARE_H
#define BUILDER_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/attr.h"
#include "verifier/finding.h"

struct arena;
struct report;

/* Numbers are stored in the database: they never change their meaning. */
enum compare_kind {
	COMPARE_SILENT = 1,      /* subject: MX host without an answer */
	COMPARE_TEMPORARY = 2,   /* host and address that answers STARTTLS with 4yz */
	COMPARE_STARTTLS = 3,    /* MX host that offers STARTTLS to some points only */
	COMPARE_DNS = 4,         /* name whose records differ between points */
	COMPARE_POLICY = 5,      /* domain whose policy differs between points */
	COMPARE_KEYS = 6,        /* MX host that shows each point other keys */
	COMPARE_STALE_ID = 7,    /* id that did not change with the text; value: max_age before */
	COMPARE_LAST_POLICY = 8, /* id not to be seen now; value: max_age and digest */
	COMPARE_UNKNOWN = 9,     /* domain of which nothing certain could be told */
};

/* Of one domain and vantage point: 32 hosts, 128 addresses and what there is once. */
#define COMPARE_MARKS_MAX 256

struct compare_mark {
	const char *vantage; /* lent */
	enum compare_kind kind;
	const char *subject;
	int64_t since_s;
	const char *value; /* "" without one */
};

/* What of a look is compared; strings live in the arena or are the report's. */
struct compare_host {
	const char *name;
	enum verdict starttls, pkix;
	bool not_offered; /* STARTTLS */
	bool stripped;
	const char **keys; /* SPKI digests of its addresses */
	size_t key_count;
};
struct compare_facts {
	const char *sts_record, *sts_id; /* NULL: not seen */
	const char *policy_digest;       /* NULL: no text seen */
	int64_t policy_max_age_s;
	const char *preload_record;
	struct compare_host *hosts;
	size_t host_count;
};
void compare_facts_of_report(
	const struct report *report, struct arena *arena, struct compare_facts *out);
/* Evidence: the object of report_to_json(). What is not there or of another type was not seen. */
void compare_facts_of_evidence(
	const json_t *evidence, struct arena *arena, struct compare_facts *out);

/* One vantage point's latest look. */
struct compare_look {
	const char *vantage;
	int64_t time_s;
	struct compare_facts facts;
};

struct compare_input {
	const char *vantage;
	unsigned vantages; /* configured */
	int64_t now_s;
	int64_t round_s;                   /* looks not older than this are of one round */
	const struct compare_look *before; /* this point's last look; NULL: never */
	const struct compare_look *peers;  /* the other points' latest */
	size_t peer_count;
	const struct compare_mark *marks; /* of all points */
	size_t mark_count;
};

struct compare_result {
	struct compare_mark *marks; /* what this point's marks are from now on, sorted */
	size_t mark_count;
	bool marks_changed;
	int64_t unknown_since_s; /* COMPARE_UNKNOWN; 0 when something was told */
	/* The points contradict each other in what must agree before anything new is believed
	 * (R3.21, R9.13). */
	bool unsettled;
};

/* The report gains findings; severities, verdict and (R3.18) eligibility are set right. Results
 * live in the report's arena. */
void compare_looks(
	const struct compare_input *in, struct report *report, struct compare_result *out);

/* Whether a finding of this code comes from comparing alone. */
bool compare_is_own_code(const char *code);

#endif

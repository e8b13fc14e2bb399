/*
 * mta_sts: the MTA-STS record, the policy text, and a policy held against host names (RFC 8461;
 * rule book sections 8 to 11).
 *
 * Pure: no network, no clock. Results live in the arena of the finding list. Findings carry the
 * subject given (owner name, or URL of the policy) and the rule book's usual severity.
 */
#ifndef VERIFIER_MTA_STS_H
#define VERIFIER_MTA_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/finding.h"
#include "verifier/report.h" /* enum policy_mode */
#include "verifier/txt_record.h"

#define MTA_STS_POLICY_MAX  65536 /* octets (R9.9) */
#define MTA_STS_MAX_AGE_MAX 31557600
#define MTA_STS_ID_MAX      32
/* Lines of a policy that are looked at; more is a syntax error. */
#define MTA_STS_LINES_MAX 4096

struct mta_sts_record {
	enum txt_outcome outcome;
	const char *code; /* why it is not TXT_VALID; NULL when it is */
	const char *id;   /* NULL unless valid */
	struct txt_extension *extensions;
	size_t extension_count;
};

/* One TXT record of the name owner ("_mta-sts.example.org"). */
void mta_sts_record_parse(const char *text, size_t len, const char *owner,
	struct finding_list *findings, struct mta_sts_record *out);
/* The line that publishes a record with the date and time as its id, which senders have not seen.
 */
const char *mta_sts_sample_record(const char *owner, int64_t time_s, struct arena *arena);
/* All TXT records of the name; count may be 0. */
void mta_sts_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct mta_sts_record *out);

struct mta_sts_policy {
	bool valid;
	const char *code; /* why not; NULL when valid */
	enum policy_mode mode;
	int64_t max_age_s;
	const char **mx; /* lower case, in the order of the text */
	size_t mx_count;
	struct txt_extension *extensions;
	size_t extension_count;
	bool blocks_listing; /* R10.9, R10.10 or R10.12: valid, warned of, not fit for the list */
};

/* The policy text (R10). len over MTA_STS_POLICY_MAX is R9.9. */
void mta_sts_policy_parse(const char *text, size_t len, const char *subject,
	struct finding_list *findings, struct mta_sts_policy *out);

/* What came with the policy. Each adds a finding unless it is fine; VERDICT_UNKNOWN is a temp. */
enum verdict mta_sts_check_status(long status, const char *subject, struct finding_list *findings);
/* value is the header's, NULL or empty when there is none. */
enum verdict mta_sts_check_content_type(
	const char *value, const char *subject, struct finding_list *findings);
enum verdict mta_sts_check_size(
	uint64_t octets, const char *subject, struct finding_list *findings);

/* R10.8: a host name in A-labels, or "*." and one. */
bool mta_sts_pattern_is_valid(const char *pattern, size_t len);
/* R10.10: the wildcard stands directly under one label or a public suffix. Valid patterns only. */
bool mta_sts_pattern_is_too_wide(const char *pattern);
/* R11.1. An invalid pattern matches nothing. One root dot of host is ignored. */
bool mta_sts_pattern_matches(const char *pattern, const char *host);
/* Whether any of the patterns matches. */
bool mta_sts_host_is_covered(const char *const *patterns, size_t count, const char *host);

#endif

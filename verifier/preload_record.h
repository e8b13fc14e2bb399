/*
 * preload_record: the opt-in record at _preload25.DOMAIN (design.md section 6; rule book section
 * 19).
 *
 * Pure: whether `until` has passed is a question with the time as an input. Results live in the
 * arena of the finding list.
 */
#ifndef VERIFIER_PRELOAD_RECORD_H
#define VERIFIER_PRELOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/finding.h"
#include "verifier/report.h" /* enum policy_mode */
#include "verifier/txt_record.h"

#define PRELOAD_MAX_AGE_DEFAULT 2592000
#define PRELOAD_MAX_AGE_MIN     86400
#define PRELOAD_MAX_AGE_MAX     31557600

struct preload_record {
	enum txt_outcome outcome;
	const char *code; /* why it is not TXT_VALID; NULL when it is */
	/* POLICY_MODE_NONE whenever any record with the right version says mode=none, be it one of
	 * several or wrong otherwise: the wish to stay out always counts. Else ABSENT unless valid.
	 */
	enum policy_mode mode;
	int64_t max_age_s; /* the default when the record has none */
	const char **mx;   /* patterns, lower case, in order; none: the MX hosts seen */
	size_t mx_count;
	const char *contact; /* mailto: URI, or NULL */
	int64_t until_s;     /* the first second after the day given; 0: no end */
	struct txt_extension *extensions;
	size_t extension_count;
};

/* One TXT record of the name owner ("_preload25.example.org"). */
void preload_record_parse(const char *text, size_t len, const char *owner,
	struct finding_list *findings, struct preload_record *out);
/* All TXT records of the name; count may be 0. */
void preload_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct preload_record *out);

/* R19.6: the day named by until is over. */
bool preload_record_has_expired(const struct preload_record *record, int64_t now_s);

#endif

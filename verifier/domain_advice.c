#include "verifier/domain_advice.h"

#include <string.h>

#include "common/arena.h"
#include "verifier/domain_judge.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"
#include "verifier/mta_sts.h"
#include "verifier/policy_fetch.h"
#include "verifier/preload_record.h"
#include "verifier/report.h"
#include "verifier/txt_record.h"

/* 30 days: what the opt-in record defaults to, and well above what senders call short. */
#define SAMPLE_MAX_AGE_S 2592000

/* What is shown behind the sentence. */
enum sample {
	SAMPLE_POLICY,        /* the policy, and a record with a new id */
	SAMPLE_FIRST_POLICY,  /* the same for somebody who has neither */
	SAMPLE_PRELOAD,       /* the opt-in record */
	SAMPLE_FIRST_PRELOAD, /* the same for somebody who has none */
};

static const struct advice {
	const char *code;
	enum sample sample;
} advices[] = {
	{"mta-sts-record-missing", SAMPLE_FIRST_POLICY},
	{"mta-sts-policy-host-missing", SAMPLE_POLICY},
	{"mta-sts-policy-redirect", SAMPLE_POLICY},
	{"mta-sts-policy-http-status", SAMPLE_POLICY},
	{"mta-sts-policy-too-large", SAMPLE_POLICY},
	{"mta-sts-policy-empty", SAMPLE_POLICY},
	{"mta-sts-policy-bom", SAMPLE_POLICY},
	{"mta-sts-policy-blank-line", SAMPLE_POLICY},
	{"mta-sts-policy-syntax", SAMPLE_POLICY},
	{"mta-sts-policy-version-missing", SAMPLE_POLICY},
	{"mta-sts-policy-version", SAMPLE_POLICY},
	{"mta-sts-policy-mode-missing", SAMPLE_POLICY},
	{"mta-sts-policy-mode", SAMPLE_POLICY},
	{"mta-sts-policy-max-age-missing", SAMPLE_POLICY},
	{"mta-sts-policy-max-age", SAMPLE_POLICY},
	{"mta-sts-policy-max-age-range", SAMPLE_POLICY},
	{"mta-sts-policy-mx-syntax", SAMPLE_POLICY},
	{"mta-sts-policy-mx-ip", SAMPLE_POLICY},
	{"mta-sts-policy-mx-too-wide", SAMPLE_POLICY},
	{"mta-sts-policy-mx-missing", SAMPLE_POLICY},
	{"mta-sts-policy-duplicate-key", SAMPLE_POLICY},
	{"mta-sts-mx-mismatch", SAMPLE_POLICY},
	{"mta-sts-max-age-short", SAMPLE_POLICY},
	{"preload-record-missing", SAMPLE_FIRST_PRELOAD},
	{"preload-record-version", SAMPLE_PRELOAD},
	{"preload-record-multiple", SAMPLE_PRELOAD},
	{"preload-record-syntax", SAMPLE_PRELOAD},
	{"preload-record-duplicate-field", SAMPLE_PRELOAD},
	{"preload-mode-missing", SAMPLE_PRELOAD},
	{"preload-mode", SAMPLE_PRELOAD},
	{"preload-max-age", SAMPLE_PRELOAD},
	{"preload-mx-syntax", SAMPLE_PRELOAD},
	{"preload-mx-mismatch", SAMPLE_PRELOAD},
	{"preload-until", SAMPLE_PRELOAD},
	{"preload-expired", SAMPLE_PRELOAD},
};

/* An MX host whose name can stand in a policy. */
static bool
can_be_named(const struct domain_mx *mx)
{
	return !mx->refused && domain_name_is_ldh(mx->host, strlen(mx->host));
}

/* Whether the pattern is worth keeping: it is sound, and a present host needs it. */
static bool
is_used(const struct domain_facts *f, const char *pattern)
{
	if (mta_sts_pattern_is_too_wide(pattern) ||
		domain_name_reads_as_ip(pattern, strlen(pattern)))
		return false;
	for (size_t i = 0; i < f->mx_count; i++) {
		if (mta_sts_pattern_matches(pattern, f->mx[i].host))
			return true;
	}
	return false;
}

/* The owner's patterns that are in use, then the hosts that they do not cover; each between before
 * and after. Behind an unusable policy or record the hosts alone. */
static const char *
mx_lines(const struct domain_facts *f, const char *const *patterns, size_t count,
	struct arena *arena, const char *before, const char *after)
{
	const char *kept[MX_HOSTS_MAX];
	const char *text = "";
	size_t kept_count = 0;

	for (size_t i = 0; i < count && kept_count < MX_HOSTS_MAX; i++) {
		if (is_used(f, patterns[i]) &&
			!(kept_count > 0 && strcmp(kept[kept_count - 1], patterns[i]) == 0))
			kept[kept_count++] = patterns[i];
	}
	for (size_t i = 0; i < kept_count; i++)
		text = arena_printf(arena, "%s%s%s%s", text, before, kept[i], after);
	for (size_t i = 0; i < f->mx_count; i++) {
		if (can_be_named(&f->mx[i]) &&
			!mta_sts_host_is_covered(kept, kept_count, f->mx[i].host))
			text = arena_printf(arena, "%s%s%s%s", text, before, f->mx[i].host, after);
	}
	return text;
}

/* Mode and max_age as the owner has them, where they will do; else testing, which is how RFC 8461
 * section 8 begins, and a month. NULL when no MX host can be named. */
static const char *
sample_policy(const struct domain_facts *f, struct arena *arena)
{
	const struct mta_sts_policy *p = &f->policy;
	enum policy_mode mode =
		p->mode == POLICY_MODE_ENFORCE ? POLICY_MODE_ENFORCE : POLICY_MODE_TESTING;
	int64_t max_age_s = p->max_age_s >= SAMPLE_MAX_AGE_S ? p->max_age_s : SAMPLE_MAX_AGE_S;
	const char *mx = mx_lines(f, p->mx, p->mx_count, arena, "mx: ", "\n");

	if (mx[0] == '\0')
		return NULL;
	return arena_printf(arena, "version: STSv1\nmode: %s\n%smax_age: %lld",
		policy_mode_name(mode), mx, (long long)max_age_s);
}

/* Names mx only where the owner had done so: without it the list takes the hosts it sees. */
static const char *
sample_preload(const struct domain_facts *f, struct arena *arena)
{
	const struct preload_record *p = &f->preload_record;
	enum policy_mode mode =
		p->mode == POLICY_MODE_TESTING ? POLICY_MODE_TESTING : POLICY_MODE_ENFORCE;
	const char *text = arena_printf(arena, "v=PRELOAD25v1; mode=%s", policy_mode_name(mode));

	if (p->mx_count > 0)
		text = arena_printf(
			arena, "%s%s", text, mx_lines(f, p->mx, p->mx_count, arena, "; mx=", ""));
	if (p->outcome == TXT_VALID && p->max_age_s != PRELOAD_MAX_AGE_DEFAULT &&
		p->max_age_s >= f->max_age_min_s)
		text = arena_printf(arena, "%s; max_age=%lld", text, (long long)p->max_age_s);
	if (p->contact != NULL)
		text = arena_printf(arena, "%s; contact=%s", text, p->contact);
	return txt_publish_line(arena, arena_printf(arena, "_preload25.%s", f->domain), text);
}

static const char *
advise(const struct domain_facts *f, enum sample sample, const char *sentence, struct arena *arena)
{
	const char *policy;

	switch (sample) {
	case SAMPLE_POLICY:
	case SAMPLE_FIRST_POLICY:
		policy = sample_policy(f, arena);
		if (policy == NULL)
			return NULL;
		if (sample == SAMPLE_FIRST_POLICY)
			sentence = arena_printf(arena,
				"To be listed by MTA-STS serve a policy at " POLICY_URL_FORMAT
				", then publish the record.",
				f->domain);
		return arena_printf(arena, "%s Policy and record that would do:\n%s\n%s", sentence,
			policy,
			mta_sts_sample_record(
				arena_printf(arena, "_mta-sts.%s", f->domain), f->now_s, arena));
	case SAMPLE_PRELOAD:
	case SAMPLE_FIRST_PRELOAD:
		if (sample == SAMPLE_FIRST_PRELOAD)
			sentence =
				"To be listed without an MTA-STS policy publish the opt-in record.";
		return arena_printf(arena, "%s A record that would do:\n%s", sentence,
			sample_preload(f, arena));
	}
	return NULL;
}

void
domain_advise(const struct domain_facts *f, struct report *r)
{
	for (size_t i = 0; i < r->findings.count; i++) {
		struct finding *x = &r->findings.items[i];
		const char *fix = NULL, *sentence = finding_find(x->code)->fix;

		/* A wildcard that answers in place of the record wants no advice of its own. */
		if (x->subject[0] == '*')
			continue;
		for (size_t k = 0; k < ARRAY_LEN(advices); k++) {
			if (strcmp(x->code, advices[k].code) == 0)
				fix = advise(f, advices[k].sample, sentence == NULL ? "" : sentence,
					r->arena);
		}
		if (fix != NULL)
			x->fix = fix;
	}
}

#include "verifier/domain_judge.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/domain_advice.h"
#include "verifier/domain_judgement.h"
#include "verifier/finding_cause.h"

/* R11.7 */
#define MAX_AGE_SHORT_S 604800

/* --- the three ways (R18.1) ---------------------------------------------------------- */

enum way { WAY_ABSENT, WAY_FAIL, WAY_TEMP, WAY_PASS };

static enum way
way_of(enum verdict v)
{
	return v == VERDICT_PASS ? WAY_PASS : v == VERDICT_FAIL ? WAY_FAIL : WAY_TEMP;
}

static bool
is_covered(struct judgement *j, const char *const *patterns, size_t count, const char *code,
	const char *what)
{
	struct arena *arena = j->r->arena;
	const char *named = "";
	bool covered = true;

	for (size_t i = 0; i < j->f->mx_count; i++)
		covered = covered && mta_sts_host_is_covered(patterns, count, j->f->mx[i].host);
	if (covered)
		return true;
	for (size_t i = 0; i < count; i++)
		named = arena_printf(arena, "%s%s%s", named, i > 0 ? ", " : "", patterns[i]);
	for (size_t i = 0; i < j->f->mx_count; i++) {
		const char *host = j->f->mx[i].host;

		if (!mta_sts_host_is_covered(patterns, count, host))
			finding_add(&j->r->findings, code, SEVERITY_FAIL, host, NULL,
				"%s does not name this MX host, only %s", what,
				finding_quote(arena, named, strlen(named)));
	}
	return false;
}

static void
report_policy(struct judgement *j)
{
	const struct mta_sts_policy *p = &j->f->policy;
	struct finding_list *findings = &j->r->findings;

	if (p->mode == POLICY_MODE_TESTING) {
		finding_add(findings, "mta-sts-mode-testing", SEVERITY_INFO, j->f->domain, NULL,
			"the policy's mode is testing");
	} else if (p->mode == POLICY_MODE_NONE) {
		finding_add(findings, "mta-sts-mode-none", SEVERITY_INFO, j->f->domain, NULL,
			"the policy's mode is none: the owner says no");
		return;
	}
	if (p->max_age_s < MAX_AGE_SHORT_S) {
		finding_add(findings, "mta-sts-max-age-short", SEVERITY_WARN, j->f->domain, NULL,
			"max_age is %lld s", (long long)p->max_age_s);
	}
	for (size_t i = 0; i < p->mx_count; i++) {
		bool used = false;

		for (size_t k = 0; k < j->f->mx_count; k++)
			used |= mta_sts_pattern_matches(p->mx[i], j->f->mx[k].host);
		if (!used) {
			finding_add(findings, "mta-sts-mx-unused", SEVERITY_INFO, p->mx[i], NULL,
				"no MX host matches this line of the policy");
		}
	}
}

/* R18.4 */
static void
report_max_age(struct judgement *j, int64_t max_age_s)
{
	finding_add(&j->r->findings, "eligibility-max-age", SEVERITY_FAIL, j->f->domain,
		arena_printf(j->r->arena, "Set max_age to at least %lld, better 2592000.",
			(long long)j->f->max_age_min_s),
		"max_age is %lld s, the list takes %lld s and more", (long long)max_age_s,
		(long long)j->f->max_age_min_s);
}

static enum way
judge_sts(struct judgement *j)
{
	const struct domain_facts *f = j->f;
	enum verdict v = VERDICT_PASS;

	if (f->sts_record == SOURCE_STATE_ABSENT)
		return WAY_ABSENT;
	if (f->sts_record != SOURCE_STATE_VALID)
		return f->sts_record == SOURCE_STATE_BROKEN
			? WAY_FAIL
			: way_of(verdict_worse(VERDICT_UNKNOWN, j->pkix));
	if (f->sts_policy != SOURCE_STATE_VALID) {
		return f->sts_policy == SOURCE_STATE_BROKEN
			? WAY_FAIL
			: way_of(verdict_worse(VERDICT_UNKNOWN, j->pkix));
	}
	report_policy(j);
	if (f->policy.mode == POLICY_MODE_NONE)
		return WAY_FAIL;
	if (f->mx_count > 0 &&
		!is_covered(
			j, f->policy.mx, f->policy.mx_count, "mta-sts-mx-mismatch", "the policy"))
		v = VERDICT_FAIL;
	j->r->mta_sts = v = verdict_worse(v, verdict_worse(j->gate, j->pkix));
	if (f->policy.blocks_listing)
		v = VERDICT_FAIL;
	if (f->policy.max_age_s < f->max_age_min_s) {
		report_max_age(j, f->policy.max_age_s);
		v = VERDICT_FAIL;
	}
	if (j->dane_broken) {
		finding_add(&j->r->findings, "eligibility-dane-broken", SEVERITY_FAIL, f->domain,
			NULL,
			"DANE fails, so senders with DANE cannot deliver whatever MTA-STS says");
		v = VERDICT_FAIL;
	} else if (j->dane_temp) {
		v = verdict_worse(v, VERDICT_UNKNOWN);
	}
	return way_of(v);
}

/* DANE or STARTTLS with the opt-in record. */
static enum way
judge_optin(struct judgement *j, enum admission_source *source)
{
	const struct domain_facts *f = j->f;
	enum verdict starttls = j->pkix;

	if (f->preload == SOURCE_STATE_ABSENT)
		return WAY_ABSENT;
	if (f->preload == SOURCE_STATE_BROKEN)
		return WAY_FAIL;
	if (f->preload == SOURCE_STATE_VALID && f->preload_record.mx_count > 0 && f->mx_count > 0 &&
		!is_covered(j, f->preload_record.mx, f->preload_record.mx_count,
			"preload-mx-mismatch", "the opt-in record"))
		return WAY_FAIL;
	if (f->preload == SOURCE_STATE_VALID && f->preload_record.max_age_s < f->max_age_min_s) {
		report_max_age(j, f->preload_record.max_age_s);
		return WAY_FAIL;
	}
	if (j->dane_broken)
		starttls = VERDICT_FAIL;
	else if (j->dane_temp)
		starttls = verdict_worse(starttls, VERDICT_UNKNOWN);
	*source = j->dane == VERDICT_PASS ? SOURCE_DANE : SOURCE_STARTTLS;
	if (f->preload == SOURCE_STATE_TEMP) {
		return j->dane == VERDICT_FAIL && starttls == VERDICT_FAIL ? WAY_FAIL : WAY_TEMP;
	}
	if (j->dane == VERDICT_PASS || starttls == VERDICT_PASS)
		return way_of(verdict_worse(VERDICT_PASS, j->gate));
	if (j->dane == VERDICT_UNKNOWN || starttls == VERDICT_UNKNOWN)
		return way_of(verdict_worse(VERDICT_UNKNOWN, j->gate));
	return WAY_FAIL;
}

/* --- the entry ----------------------------------------------------------------------- */

static void
entry_patterns(struct report *r, const char *const *names, size_t count)
{
	size_t n = 0;

	r->mxs = arena_calloc(r->arena, count + 1, sizeof(*r->mxs));
	for (size_t i = 0; i < count; i++)
		r->mxs[i] = arena_strdup(r->arena, names[i]);
	qsort(r->mxs, count, sizeof(*r->mxs), str_cmp_ptr);
	for (size_t i = 0; i < count; i++) {
		if (n == 0 || strcmp(r->mxs[n - 1], r->mxs[i]) != 0)
			r->mxs[n++] = r->mxs[i];
	}
	r->mxs_count = n;
}

/* Whether both sets name the same hosts that are there. */
static bool
cover_alike(struct judgement *j)
{
	const struct mta_sts_policy *p = &j->f->policy;
	const struct preload_record *o = &j->f->preload_record;

	for (size_t i = 0; i < j->f->mx_count && o->mx_count > 0; i++) {
		const char *host = j->f->mx[i].host;

		if (mta_sts_host_is_covered(p->mx, p->mx_count, host) !=
			mta_sts_host_is_covered(o->mx, o->mx_count, host))
			return false;
	}
	return true;
}

/* R19.7: decide() lets none win over all, and the policy otherwise. */
static void
compare_wishes(struct judgement *j)
{
	const struct domain_facts *f = j->f;
	enum policy_mode policy = f->policy.mode, optin = f->preload_record.mode;

	if (f->sts_record != SOURCE_STATE_VALID || f->sts_policy != SOURCE_STATE_VALID ||
		optin == POLICY_MODE_ABSENT)
		return;
	if (policy != optin) {
		finding_add(&j->r->findings, "preload-policy-differs", SEVERITY_INFO, f->domain,
			NULL, "the opt-in record says mode %s, the MTA-STS policy %s; %s counts",
			policy_mode_name(optin), policy_mode_name(policy),
			optin == POLICY_MODE_NONE ? "the record" : "the policy");
	} else if (policy != POLICY_MODE_NONE && !cover_alike(j)) {
		finding_add(&j->r->findings, "preload-policy-differs", SEVERITY_INFO, f->domain,
			NULL,
			"opt-in record and MTA-STS policy name different hosts; the policy counts");
	}
}

static void
entry_from_policy(struct judgement *j)
{
	const struct mta_sts_policy *p = &j->f->policy;

	j->r->source = SOURCE_MTA_STS;
	j->r->mode = p->mode;
	j->r->max_age_s = p->max_age_s;
	entry_patterns(j->r, p->mx, p->mx_count);
}

static void
entry_from_optin(struct judgement *j, enum admission_source source)
{
	const struct preload_record *o = &j->f->preload_record;

	j->r->source = source;
	j->r->mode = o->mode;
	j->r->max_age_s = o->max_age_s;
	if (o->mx_count > 0) {
		entry_patterns(j->r, o->mx, o->mx_count);
	} else {
		const char **names = arena_calloc(j->r->arena, j->f->mx_count + 1, sizeof(*names));

		for (size_t i = 0; i < j->f->mx_count; i++)
			names[i] = j->f->mx[i].host;
		entry_patterns(j->r, names, j->f->mx_count);
	}
}

/* --- severities that hang on the outcome --------------------------------------------- */

static bool
is_one_of(const char *code, const char *const *codes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

/* What would fail, were it not for something that could not be tested, fails nothing yet: by
 * another way the domain may qualify all the same. Certificates hang on DANE, wherever the base
 * domain of the TLSA records lies. */
static void
settle_undecided(struct finding_list *findings)
{
	const struct finding *dane = NULL;

	for (size_t i = 0; i < findings->count && dane == NULL; i++) {
		if (strcmp(findings->items[i].code, "dane-tlsa-lookup-failed") == 0)
			dane = &findings->items[i];
	}
	for (size_t i = 0; i < findings->count; i++) {
		struct finding *x = &findings->items[i];

		if (x->severity == SEVERITY_FAIL)
			finding_make_temporary(
				findings, x, str_starts(x->code, "pkix-") ? dane : NULL);
	}
}

static void
settle_severities(struct judgement *j)
{
	static const char *const invitations[] = {
		"mta-sts-record-missing", "preload-record-missing"};
	struct finding_list *findings = &j->r->findings;
	size_t n = 0;

	for (size_t i = 0; i < findings->count; i++) {
		struct finding *x = &findings->items[i];

		if (j->r->eligible) {
			/* How to become eligible otherwise is no news then. */
			if (is_one_of(x->code, invitations, ARRAY_LEN(invitations)))
				continue;
			/* It does not concern the way by which the domain qualifies (R18.2). */
			if (x->severity == SEVERITY_FAIL)
				x->severity = SEVERITY_WARN;
		} else if (strcmp(x->code, "tlsa-all-unusable") == 0) {
			x->severity = SEVERITY_FAIL;
		}
		findings->items[n++] = *x;
	}
	findings->count = n;
	finding_list_sort(findings);
	finding_cause_settle(findings, j->f->domain, j->f->places, j->f->place_count);
	if (j->r->verdict == VERDICT_UNKNOWN && !j->unasked)
		settle_undecided(findings);
	finding_list_sort(findings);
}

/* --- all of it ----------------------------------------------------------------------- */

static void
decide(struct judgement *j, enum way sts, enum way optin, enum admission_source source)
{
	const struct domain_facts *f = j->f;
	struct report *r = j->r;
	bool sts_says_no = f->sts_record == SOURCE_STATE_VALID &&
		f->sts_policy == SOURCE_STATE_VALID && f->policy.mode == POLICY_MODE_NONE;

	/* R19.7: the wish to stay out wins over everything. */
	if (f->preload_record.mode == POLICY_MODE_NONE) {
		finding_add(&r->findings, "eligibility-refused", SEVERITY_FAIL, f->domain, NULL,
			"the opt-in record says mode=none");
		r->mode = POLICY_MODE_NONE;
		r->verdict = VERDICT_FAIL;
	} else if (sts_says_no) {
		r->mode = POLICY_MODE_NONE;
		j->unasked = true;
	} else if (j->gate == VERDICT_FAIL) {
		r->verdict = VERDICT_FAIL;
	} else if (f->sts_record == SOURCE_STATE_VALID && f->sts_policy == SOURCE_STATE_VALID &&
		f->policy.blocks_listing) {
		/* R10.9, R10.10, R10.12: senders read different things in the same policy. What the
		 * opt-in record says besides it does not help those. */
		r->verdict = VERDICT_FAIL;
	} else if (sts == WAY_PASS && f->preload != SOURCE_STATE_TEMP) {
		entry_from_policy(j);
		r->eligible = true;
		r->verdict = VERDICT_PASS;
	} else if (sts == WAY_PASS || sts == WAY_TEMP || optin == WAY_TEMP) {
		/* A policy that could not be read, or a record that may say none, decides. */
		r->verdict = VERDICT_UNKNOWN;
	} else if (optin == WAY_PASS) {
		entry_from_optin(j, source);
		r->eligible = true;
		r->verdict = VERDICT_PASS;
	} else if (j->gate == VERDICT_UNKNOWN && sts == WAY_ABSENT && optin == WAY_ABSENT) {
		/* Neither policy nor opt-in, and DNS itself could not tell. */
		r->verdict = f->mail == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_FAIL;
	} else if (sts == WAY_ABSENT && optin == WAY_ABSENT) {
		j->unasked = true;
	} else {
		r->verdict = VERDICT_FAIL;
	}
}

/* Returns whether a host was silent. */
static bool
judge(const struct domain_facts *f, bool without_silent, struct report *r)
{
	struct judgement j = {.f = f, .r = r, .gate = f->mail, .without_silent = without_silent};
	enum admission_source source = SOURCE_NONE;
	enum way sts, optin;

	j.hosts = arena_calloc(r->arena, f->mx_count + 1, sizeof(*j.hosts));
	judgement_of_hosts(&j);
	sts = judge_sts(&j);
	optin = judge_optin(&j, &source);
	j.pkix_needed = j.dane != VERDICT_PASS || sts != WAY_ABSENT;
	judgement_report_pkix(&j);
	compare_wishes(&j);
	decide(&j, sts, optin, source);
	judgement_fill_report(&j);
	domain_advise(f, r);
	settle_severities(&j);
	/* Nobody asks for the listing: not eligible, yet what there is may be sound. */
	if (j.unasked)
		r->verdict = finding_list_verdict(&r->findings);
	return j.any_silent;
}

/* What is known before the judgement, as another report in the same arena. */
static struct report *
unjudged(const struct report *r)
{
	struct report *copy = arena_memdup(r->arena, r, sizeof(*r));

	copy->findings.size = r->findings.count;
	if (r->findings.count > 0)
		copy->findings.items = arena_memdup(r->arena, r->findings.items,
			r->findings.count * sizeof(*r->findings.items));
	return copy;
}

void
domain_judge(const struct domain_facts *f, struct report *r)
{
	struct report *apart = f->mx_count > 1 ? unjudged(r) : NULL;

	if (!judge(f, false, r) || apart == NULL || r->verdict != VERDICT_UNKNOWN)
		return;
	(void)judge(f, true, apart);
	if (apart->eligible)
		r->without_silent = apart;
}

/*
 *             pass                    join_s of passes
 *  CANDIDATE ------> PENDING -------------------------> LISTED <------------.
 *    ^  ^  ^           | fail                           |    | every point  | pass
 *    |  |  `-----------'                                |    v sees a break |
 *    |  |                                               |  FAILING ---------'
 *    |  `---------- pass ------ REMOVED <---------------'    | demote_s: testing (stays FAILING)
 *    |              (PENDING)      ^   ^ leave-proven, gone, | remove_s: out
 *    |  withdrawn                  |   ` null MX, aged out   |
 *  REFUSED <--- mode=none ---------+-------------------------'
 *
 * PENDING      policy set; pass_last_s, pass_credit_s count the week
 * LISTED       policy and confirmed_s set, in force until confirmed_s + max_age
 * FAILING      as LISTED; fail_last_s set; demoted once fail_credit_s reached demote_s
 * others       policy is NULL
 * REFUSED      by_operator: only an operator's act ends it; else the domain's own mode=none
 *
 * "Could not tell" moves nothing: it neither adds to a credit nor takes from it. Only the time
 * between two looks that saw the same, and were not further apart than gap_s, counts as observed.
 *
 * Reasons of its own, besides the rule book's: entry-listed, entry-changed, entry-recovered,
 * entry-aged-out, refusal-withdrawn, operator-removed, operator-refused, operator-held.
 */
#include "builder/life.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "builder/entry.h"
#include "common/arena.h"

/* What the round of views says together. */
struct round {
	unsigned n, quorum;
	unsigned fresh;        /* views of this round */
	unsigned passed;       /* of these: eligible */
	unsigned failed;       /* certainly not */
	unsigned agreed;       /* eligible with the policy that most saw */
	unsigned consent_gone; /* of the failed: nothing is broken, the domain no longer asks */
	enum verdict consensus;
	const char *policy;      /* merged, when consensus is PASS */
	int64_t confirmed_s;     /* when the quorum had seen it */
	const char *fail_code;   /* of the latest failed view */
	enum verdict latest;     /* the verdict of the latest view ... */
	int64_t unknown_since_s; /* ... and its */
	unsigned leave_proven;   /* authenticated wishes to leave */
	bool unsettled;          /* nothing new is believed (R3.21, R9.13) */
	unsigned preload_none;   /* opt-in mode=none, secure or not */
	unsigned gone_secure, null_mx, null_secure;
	/* Who said so, divided by commas; empty when nobody did. */
	const char *fresh_names, *passed_names, *failed_names;
};

unsigned
life_quorum(unsigned n)
{
	if (n <= 1)
		return 1;
	return n <= 5 ? n - 1 : n - 2;
}

bool
life_is_on_list(enum life_state state)
{
	return state == LIFE_LISTED || state == LIFE_FAILING;
}

const char *
life_state_name(enum life_state state)
{
	static const char *const names[] = {
		[LIFE_CANDIDATE] = "candidate",
		[LIFE_PENDING] = "pending",
		[LIFE_LISTED] = "listed",
		[LIFE_FAILING] = "failing",
		[LIFE_REMOVED] = "removed",
		[LIFE_REFUSED] = "refused",
	};

	return names[state];
}

struct life
life_new(int64_t now_s)
{
	return (struct life){.state = LIFE_CANDIDATE, .since_s = now_s};
}

int64_t
life_join_due(const struct life_rules *rules, const struct life *life)
{
	return life->pass_last_s + rules->join_s - life->pass_credit_s;
}

static bool
is_fresh(const struct life_rules *rules, const struct life_view *v, int64_t now_s)
{
	return v->time_s <= now_s && now_s - v->time_s <= rules->round_s;
}

/* Adds a vantage point's name to a list of them. */
static const char *
with_name(const char *names, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%s%s%s", names, names[0] != '\0' ? "," : "", name);
}

static int
later_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return x > y ? -1 : x < y;
}

/* The policy that most views show, what they measured merged, and when the quorum had seen it. */
static void
find_agreement(const struct life_view *const *fresh, struct round *r, struct arena *arena)
{
	const char **texts = arena_calloc(arena, r->fresh + 1, sizeof(*texts));
	int64_t *times = arena_calloc(arena, r->fresh + 1, sizeof(*times));
	const char *best = NULL;

	for (unsigned i = 0; i < r->fresh; i++) {
		unsigned same = 0;

		if (fresh[i]->policy == NULL)
			continue;
		for (unsigned k = 0; k < r->fresh; k++)
			same += fresh[k]->policy != NULL &&
				entry_same_core(fresh[i]->policy, fresh[k]->policy);
		if (same > r->agreed) {
			r->agreed = same;
			best = fresh[i]->policy;
		}
	}
	if (best == NULL || r->agreed < r->quorum || r->agreed < r->passed || r->failed > 0)
		return;
	for (unsigned i = 0, k = 0; i < r->fresh; i++) {
		if (fresh[i]->policy != NULL) {
			texts[k] = fresh[i]->policy;
			times[k++] = fresh[i]->time_s;
		}
	}
	/* No kind of authentication in common: they contradict each other after all. */
	r->policy = entry_merge(texts, r->agreed, arena);
	if (r->policy == NULL)
		return;
	qsort(times, r->agreed, sizeof(*times), later_first);
	r->confirmed_s = times[r->quorum - 1];
	r->consensus = VERDICT_PASS;
}

static struct round
take_round(const struct life_rules *rules, const struct life *life, const struct life_view *views,
	size_t count, int64_t now_s, struct arena *arena)
{
	const struct life_view **fresh = arena_calloc(arena, count + 1, sizeof(*fresh));
	struct round r = {.n = rules->vantages > 0 ? rules->vantages : 1,
		.fresh_names = "",
		.passed_names = "",
		.failed_names = ""};
	int64_t latest_s = INT64_MIN;
	int64_t fail_s = INT64_MIN;

	r.quorum = life_quorum(r.n);
	for (size_t i = 0; i < count; i++) {
		const struct life_view *v = &views[i];

		if (!is_fresh(rules, v, now_s))
			continue;
		fresh[r.fresh++] = v;
		r.fresh_names = with_name(r.fresh_names, v->vantage, arena);
		if (v->time_s > latest_s) {
			latest_s = v->time_s;
			r.latest = v->verdict;
			r.unknown_since_s = v->unknown_since_s;
		}
		if (v->policy != NULL) {
			r.passed++;
			r.passed_names = with_name(r.passed_names, v->vantage, arena);
		} else if (v->verdict != VERDICT_UNKNOWN) {
			r.failed++;
			r.failed_names = with_name(r.failed_names, v->vantage, arena);
			r.consent_gone += v->verdict == VERDICT_PASS;
			if (v->time_s > fail_s) {
				fail_s = v->time_s;
				r.fail_code = v->fail_code;
			}
		}
		r.unsettled |= v->unsettled;
		r.preload_none += v->preload_none;
		/* R20.1. An entry without MTA-STS rests on the opt-in record alone. */
		r.leave_proven += v->sts_none || (v->preload_none && v->preload_secure) ||
			(life->policy != NULL && !entry_is_mta_sts(life->policy) &&
				v->preload_absent && v->preload_secure);
		r.gone_secure += v->gone && v->gone_secure;
		r.null_mx += v->null_mx;
		r.null_secure += v->null_mx && v->null_secure;
	}
	find_agreement(fresh, &r, arena);
	if (r.consensus == VERDICT_UNKNOWN && r.failed >= r.n)
		r.consensus = VERDICT_FAIL;
	return r;
}

static const char *
round_code(const struct round *r)
{
	if (r->n == 1 || r->consensus == VERDICT_FAIL)
		return NULL;
	if (r->consensus == VERDICT_PASS)
		return r->unsettled ? "vantage-disagree" : NULL;
	/* Too few have answered for a yes; or not all, which a no would need. */
	if (r->passed + r->failed < r->quorum || r->passed == 0)
		return "vantage-too-few";
	return "vantage-disagree";
}

/* One more sighting of something that was last seen at *last. */
static void
observe(int64_t *last_s, int64_t *credit_s, int64_t now_s, int64_t gap_s, int64_t forget_s)
{
	if (*last_s == 0 || now_s < *last_s)
		*credit_s = *last_s == 0 ? 0 : *credit_s;
	else if (now_s - *last_s <= gap_s)
		*credit_s += now_s - *last_s;
	else if (now_s - *last_s > forget_s)
		*credit_s = 0;
	if (now_s > *last_s)
		*last_s = now_s;
}

static void
add_event(struct life_result *out, enum life_state from, enum life_state to, const char *reason,
	const char *detail, const char *agreed)
{
	assert(out->event_count < LIFE_EVENTS_MAX);
	out->events[out->event_count++] = (struct life_event){
		.from = from, .to = to, .reason = reason, .detail = detail, .agreed = agreed};
}

static void
enter(struct life_result *out, enum life_state to, int64_t now_s, const char *reason,
	const char *detail, const char *agreed)
{
	struct life *l = &out->life;

	add_event(out, l->state, to, reason, detail, agreed);
	if (l->state != to)
		l->since_s = now_s;
	l->state = to;
	switch (to) {
	case LIFE_CANDIDATE:
	case LIFE_REMOVED:
	case LIFE_REFUSED:
		l->policy = NULL;
		l->confirmed_s = 0;
		l->pass_last_s = l->pass_credit_s = 0;
		l->fail_last_s = l->fail_credit_s = 0;
		l->leave_s = 0;
		l->gone_last_s = l->gone_credit_s = 0;
		l->demoted = false;
		break;
	case LIFE_PENDING:
		l->by_operator = false;
		break;
	case LIFE_LISTED:
		l->fail_last_s = l->fail_credit_s = 0;
		l->demoted = false;
		break;
	case LIFE_FAILING:
		break;
	}
}

/* Candidates and removed domains: a pass begins the week. Returns whether something happened. */
static bool
step_outside(const struct round *r, int64_t now_s, struct life_result *out)
{
	struct life *l = &out->life;

	if (r->preload_none >= r->quorum && r->passed == 0) {
		l->by_operator = false;
		enter(out, LIFE_REFUSED, now_s, "eligibility-refused", NULL, r->failed_names);
		return true;
	}
	if (r->consensus != VERDICT_PASS || r->unsettled)
		return false;
	l->policy = r->policy;
	enter(out, LIFE_PENDING, now_s, "eligibility-observing", NULL, r->passed_names);
	return true;
}

static bool
step_refused(const struct round *r, int64_t now_s, struct life_result *out)
{
	if (out->life.by_operator || r->preload_none > 0 || r->consensus == VERDICT_UNKNOWN)
		return false;
	enter(out, LIFE_CANDIDATE, now_s, "refusal-withdrawn", NULL, r->fresh_names);
	return true;
}

static bool
step_pending(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out)
{
	struct life *l = &out->life;

	if (r->preload_none >= r->quorum && r->passed == 0) {
		enter(out, LIFE_REFUSED, now_s, "eligibility-refused", NULL, r->failed_names);
		return true;
	}
	if (r->consensus == VERDICT_FAIL) {
		enter(out, LIFE_CANDIDATE, now_s, r->fail_code, NULL, r->failed_names);
		return true;
	}
	if (r->consensus != VERDICT_PASS || r->unsettled)
		return false;
	observe(&l->pass_last_s, &l->pass_credit_s, now_s, rules->gap_s, rules->join_s);
	l->policy = r->policy;
	if (l->pass_credit_s < rules->join_s)
		return false;
	l->confirmed_s = r->confirmed_s;
	enter(out, LIFE_LISTED, now_s, "entry-listed", NULL, r->passed_names);
	return false;
}

/* R20.1, R20.2: the owner's own, authenticated word, which nobody holds up. */
static bool
owner_leaves(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out)
{
	struct life *l = &out->life;

	if (r->passed > 0) {
		l->leave_s = 0;
		return false;
	}
	if (r->leave_proven >= r->quorum) {
		enter(out, LIFE_REMOVED, now_s, "leave-proven", r->fail_code, r->failed_names);
		return true;
	}
	if (r->preload_none >= r->n) {
		if (l->leave_s == 0)
			l->leave_s = now_s;
		if (now_s - l->leave_s >= rules->leave_gap_s && now_s > l->leave_s) {
			enter(out, LIFE_REMOVED, now_s, "leave-proven", r->fail_code,
				r->failed_names);
			return true;
		}
	} else if (r->failed > r->preload_none) {
		l->leave_s = 0;
	}
	return false;
}

/* R20.5, R20.6 */
static bool
domain_ended(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out)
{
	struct life *l = &out->life;
	bool gone = r->gone_secure >= r->quorum;
	bool null_mx = r->null_secure >= r->quorum || r->null_mx >= r->n;

	if (r->passed > 0) {
		l->gone_last_s = l->gone_credit_s = 0;
		return false;
	}
	if (!gone && !null_mx)
		return false;
	observe(&l->gone_last_s, &l->gone_credit_s, now_s, rules->gap_s, rules->gone_s);
	if (l->gone_credit_s < rules->gone_s)
		return false;
	enter(out, LIFE_REMOVED, now_s, gone ? "entry-domain-gone" : "mx-null", NULL,
		r->failed_names);
	return true;
}

static void
confirm(const struct round *r, int64_t now_s, struct life_result *out, struct arena *arena)
{
	struct life *l = &out->life;
	const char *policy = r->policy;

	/* tls is the lowest seen while listed, so that it does not flap. */
	if (entry_same_core(policy, l->policy))
		policy = entry_lower_tls(policy, l->policy, arena);
	if (r->confirmed_s > l->confirmed_s)
		l->confirmed_s = r->confirmed_s;
	l->pass_last_s = now_s;
	if (l->state == LIFE_FAILING) {
		l->policy = policy;
		enter(out, LIFE_LISTED, now_s, "entry-recovered", NULL, r->passed_names);
	} else if (strcmp(policy, l->policy) != 0) {
		l->policy = policy;
		enter(out, LIFE_LISTED, now_s, "entry-changed", NULL, r->passed_names);
	}
}

static bool
step_listed(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out, struct arena *arena)
{
	struct life *l = &out->life;

	if (owner_leaves(rules, r, now_s, out) || domain_ended(rules, r, now_s, out))
		return true;
	if (r->consensus == VERDICT_PASS) {
		confirm(r, now_s, out, arena);
		return false;
	}
	/* R18.9: as an MTA-STS cache would. */
	if (now_s - l->confirmed_s >= entry_max_age(l->policy)) {
		enter(out, LIFE_REMOVED, now_s, "entry-aged-out", r->fail_code, r->failed_names);
		return true;
	}
	if (r->consensus != VERDICT_FAIL)
		return false;
	observe(&l->fail_last_s, &l->fail_credit_s, now_s, rules->gap_s, rules->demote_s);
	if (l->state == LIFE_LISTED)
		enter(out, LIFE_FAILING, now_s,
			r->consent_gone == r->failed ? "leave-not-proven" : "entry-failing",
			r->fail_code, r->failed_names);
	if (l->fail_credit_s >= rules->remove_s) {
		enter(out, LIFE_REMOVED, now_s, "entry-removed", r->fail_code, r->failed_names);
		return true;
	}
	if (l->fail_credit_s >= rules->demote_s && !l->demoted) {
		l->demoted = true;
		l->policy = entry_demote(l->policy, arena);
		enter(out, LIFE_FAILING, now_s, "entry-demoted", r->fail_code, r->failed_names);
	}
	return false;
}

/* Held by the operator: the state stays, but an entry is confirmed as long as it is true, and the
 * owner may still leave. */
static bool
step_held(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out)
{
	struct life *l = &out->life;

	if (!life_is_on_list(l->state))
		return false;
	if (owner_leaves(rules, r, now_s, out)) {
		l->held = false;
		return true;
	}
	if (r->consensus == VERDICT_PASS && entry_same_core(r->policy, l->policy) &&
		r->confirmed_s > l->confirmed_s)
		l->confirmed_s = r->confirmed_s;
	return false;
}

/* R9.14: what could not be told is looked at again soon, and less and less soon. */
static int64_t
wait_s(const struct life_rules *rules, const struct round *r, int64_t usual_s, int64_t now_s)
{
	int64_t wait;

	if (r->latest != VERDICT_UNKNOWN)
		return usual_s;
	wait = now_s - r->unknown_since_s;
	if (wait < rules->retry_s)
		wait = rules->retry_s;
	return wait < usual_s ? wait : usual_s;
}

static int64_t
next_look(
	const struct life_rules *rules, const struct life *l, const struct round *r, int64_t now_s)
{
	switch (l->state) {
	case LIFE_CANDIDATE:
	case LIFE_REMOVED:
		return now_s + wait_s(rules, r, rules->candidate_s, now_s);
	case LIFE_REFUSED:
		return now_s + rules->refused_s;
	case LIFE_PENDING:
	case LIFE_LISTED:
	case LIFE_FAILING:
		return now_s + wait_s(rules, r, rules->recheck_s, now_s);
	}
	abort();
}

/* One state's turn. Returns whether the new state should have its turn, too. */
static bool
step_once(const struct life_rules *rules, const struct round *r, int64_t now_s,
	struct life_result *out, struct arena *arena)
{
	if (out->life.held)
		return step_held(rules, r, now_s, out);
	switch (out->life.state) {
	case LIFE_CANDIDATE:
	case LIFE_REMOVED:
		return step_outside(r, now_s, out);
	case LIFE_PENDING:
		return step_pending(rules, r, now_s, out);
	case LIFE_LISTED:
	case LIFE_FAILING:
		return step_listed(rules, r, now_s, out, arena);
	case LIFE_REFUSED:
		return step_refused(r, now_s, out);
	}
	abort();
}

void
life_step(const struct life_rules *rules, const struct life *life, const struct life_view *views,
	size_t count, int64_t now_s, struct arena *arena, struct life_result *out)
{
	struct round r = take_round(rules, life, views, count, now_s, arena);

	assert(!life_is_on_list(life->state) || life->policy != NULL);
	*out = (struct life_result){
		.life = *life, .consensus = r.consensus, .round_code = round_code(&r)};
	/* The longest chains: refused, candidate, pending, listed; listed, failing, removed,
	 * refused. */
	while (out->event_count < LIFE_EVENTS_MAX - 1 && step_once(rules, &r, now_s, out, arena))
		;
	out->next_look_s = next_look(rules, &out->life, &r, now_s);
}

void
life_apply_act(const struct life *life, enum life_act act, const char *detail, int64_t now_s,
	struct life_result *out)
{
	*out = (struct life_result){.life = *life, .next_look_s = now_s};
	switch (act) {
	case LIFE_ACT_REMOVE:
		out->life.held = false;
		enter(out, LIFE_REMOVED, now_s, "operator-removed", detail, NULL);
		out->life.by_operator = true;
		return;
	case LIFE_ACT_REFUSE:
		out->life.held = false;
		enter(out, LIFE_REFUSED, now_s, "operator-refused", detail, NULL);
		out->life.by_operator = true;
		return;
	case LIFE_ACT_HOLD:
		out->life.held = true;
		add_event(out, life->state, life->state, "operator-held", detail, NULL);
		return;
	}
	abort();
}

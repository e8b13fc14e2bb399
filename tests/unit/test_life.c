/*
 * The life of a domain in simulated time. A scenario is a line of looks: each letter is what every
 * vantage point sees, and what stands before it is the time that passes first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/entry.h"
#include "builder/life.h"
#include "common/arena.h"
#include "common/buf.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    (24 * HOUR)
#define T0     INT64_C(1764000000)

#define ENTRY(auth, max_age, mode, mx, source, tls) \
	"{\"auth\":[" auth "],\"max_age\":" max_age ",\"mode\":\"" mode "\",\"mxs\":[\"" mx \
	"\"],\"source\":\"" source "\",\"tls\":\"" tls "\"}"

#define MONTH_S "31536000"
static const char sts[] = ENTRY("\"pkix\"", MONTH_S, "enforce", "mx.a.test", "mta-sts", "1.3");
static const char sts_12[] = ENTRY("\"pkix\"", MONTH_S, "enforce", "mx.a.test", "mta-sts", "1.2");
static const char sts_both[] =
	ENTRY("\"dane\",\"pkix\"", MONTH_S, "enforce", "mx.a.test", "mta-sts", "1.3");
static const char sts_dane[] = ENTRY("\"dane\"", MONTH_S, "enforce", "mx.a.test", "mta-sts", "1.3");
static const char sts_demoted[] =
	ENTRY("\"pkix\"", MONTH_S, "testing", "mx.a.test", "mta-sts", "1.3");
static const char sts_moved[] =
	ENTRY("\"pkix\"", MONTH_S, "enforce", "mx.b.test", "mta-sts", "1.3");
static const char sts_day[] = ENTRY("\"pkix\"", "86400", "enforce", "mx.a.test", "mta-sts", "1.3");
static const char dane[] = ENTRY("\"dane\"", MONTH_S, "enforce", "mx.a.test", "dane", "1.3");

static const struct life_rules rules_1 = {.vantages = 1,
	.join_s = 7 * DAY,
	.gap_s = 30 * HOUR,
	.round_s = 8 * HOUR,
	.demote_s = 14 * DAY,
	.remove_s = 28 * DAY,
	.leave_gap_s = DAY,
	.gone_s = 7 * DAY,
	.recheck_s = 6 * HOUR,
	.candidate_s = DAY,
	.refused_s = 7 * DAY,
	.retry_s = 5 * MINUTE};

/* What one vantage point may see, by letter. */
static struct life_view
sight(char letter)
{
	struct life_view v = {.verdict = VERDICT_FAIL};

	switch (letter) {
	case 'P': /* passes */
	case '2': /* with TLS 1.2 */
	case 'B': /* with DANE besides */
	case 'E': /* with DANE alone */
	case 'M': /* with another mx */
	case 'D': /* by DANE and opt-in */
	case 'S': /* with a short max_age */
		v.verdict = VERDICT_PASS;
		v.policy = letter == 'P' ? sts
			: letter == '2'  ? sts_12
			: letter == 'B'  ? sts_both
			: letter == 'E'  ? sts_dane
			: letter == 'M'  ? sts_moved
			: letter == 'D'  ? dane
					 : sts_day;
		break;
	case 'U': /* passes, and the points contradict each other in what they compare */
		v.verdict = VERDICT_PASS;
		v.policy = sts;
		v.unsettled = true;
		break;
	case 'F': /* broken */
		v.fail_code = "pkix-expired";
		break;
	case '?': /* could not tell */
		v.verdict = VERDICT_UNKNOWN;
		v.fail_code = "mx-all-unreachable";
		break;
	case 'Q': /* sound, but asks for nothing; unsigned */
		v.verdict = VERDICT_PASS;
		v.preload_absent = true;
		v.fail_code = "preload-record-missing";
		break;
	case 'A': /* the opt-in record is proven absent */
		v.verdict = VERDICT_PASS;
		v.preload_absent = v.preload_secure = true;
		v.fail_code = "preload-record-missing";
		break;
	case 'n': /* opt-in mode=none, unsigned */
		v.preload_none = true;
		v.fail_code = "eligibility-refused";
		break;
	case 'N': /* the same, signed */
		v.preload_none = v.preload_secure = true;
		v.fail_code = "eligibility-refused";
		break;
	case 'T': /* MTA-STS mode none over verified HTTPS */
		v.sts_none = true;
		v.verdict = VERDICT_PASS;
		v.fail_code = "preload-record-missing";
		break;
	case 'X': /* NXDOMAIN, signed */
		v.gone = v.gone_secure = true;
		v.fail_code = "domain-nxdomain";
		break;
	case 'x': /* NXDOMAIN, unsigned */
		v.gone = true;
		v.fail_code = "domain-nxdomain";
		break;
	case '0': /* null MX, unsigned */
		v.null_mx = true;
		v.fail_code = "mx-null";
		break;
	default:
		fail_msg("no sight is called %c", letter);
	}
	return v;
}

struct scenario {
	const char *name;
	unsigned vantages;
	/* Words: "1d", "6h" or "5m" pass; "x9(1d P)" repeats; a word of letters is a look of all
	 * vantage points, one letter each ("-": that one does not look), or one letter for all;
	 * "=STATE" checks; "!hold" "!remove" "!refuse" are the operator's; "@REASON" checks the
	 * last transition. */
	const char *script;
};

#define LIST "P x7(1d P) =listed @entry-listed "

static const struct scenario scenarios[] = {
	/* Joining */
	{"a week of daily passes", 1,
		"=candidate P =pending @eligibility-observing x6(1d P) =pending 1d P "
		"=listed @entry-listed"},
	{"every six hours", 1, "P x27(6h P) =pending 6h P =listed"},
	{"a fail restarts the week", 1,
		"P x6(1d P) 1d F =candidate @pkix-expired 1d P =pending x6(1d P) "
		"=pending 1d P =listed"},
	{"a temp only adds to it", 1,
		"P x3(1d P) 1d ? =pending 1d P =pending x3(1d P) =pending 1d P =listed"},
	{"a temp within the day costs nothing", 1,
		"P x6(12h ? 12h P) =pending 12h ? 12h P =listed"},
	{"eight passes in one hour are no week", 1, "P x8(1h P) =pending"},
	{"looks a week apart are no week", 1, "P x5(7d P) =pending"},
	{"a long silence starts again", 1,
		"P x6(1d P) 30d P =pending 1d P =pending x6(1d P) =listed"},
	{"never passes", 1, "x20(1d F) =candidate"},
	{"could not tell is nothing", 1, "x20(1d ?) =candidate"},
	{"sound but not asking", 1, "x20(1d Q) =candidate"},
	{"the policy may change during the week", 1, "P x3(1d P) x3(1d M) =pending 1d M =listed"},
	{"mode=none refuses a candidate", 1, "n =refused @eligibility-refused 7d n =refused"},
	{"mode=none refuses a pending one", 1, "P 1d n =refused"},
	{"the refusal is withdrawn", 1, "n =refused 7d P =pending"},
	{"withdrawn and broken", 1, "n =refused 7d F =candidate @refusal-withdrawn"},
	{"could not tell withdraws nothing", 1, "n 7d ? =refused"},

	/* Staying and ageing */
	{"stays", 1, LIST "x100(6h P) =listed @entry-listed"},
	{"silence is not consent to leave", 1, LIST "x60(1d ?) =listed"},
	{"ages out at confirmed + max_age", 1,
		"S x7(1d S) =listed x3(6h ?) =listed 6h ? =removed "
		"@entry-aged-out"},
	{"confirmed again does not age out", 1, "S x7(1d S) x3(6h ?) 5h S x3(6h ?) =listed"},
	{"changed policy follows at once", 1, LIST "6h M =listed @entry-changed"},
	{"auth follows", 1, LIST "6h B =listed @entry-changed"},
	{"tls falls and does not flap", 1, LIST "6h 2 @entry-changed"},

	/* A certain break */
	{"a break is failing, not removed", 1,
		LIST "1d F =failing @entry-failing x13(1d F) =failing "
		     "@entry-failing"},
	{"14 days: testing", 1, LIST "1d F x13(1d F) @entry-failing 1d F =failing @entry-demoted"},
	{"28 days: out", 1, LIST "1d F x27(1d F) =failing 1d F =removed @entry-removed"},
	{"recovers", 1, LIST "1d F x20(1d F) =failing 1d P =listed @entry-recovered"},
	{"could not tell between does not count", 1,
		LIST "1d F x5(1d F) x20(2d ?) =failing @entry-failing"},
	{"a single fail a month apart never demotes", 1, LIST "x10(20d F) =failing @entry-failing"},
	{"after recovery the count is new", 1,
		LIST "1d F x13(1d F) 1d P =listed x10(1d F) =failing "
		     "@entry-failing"},
	{"no longer asking is a break without proof", 1,
		LIST "1d Q =failing @leave-not-proven x27(1d Q) "
		     "=failing 1d Q =removed"},
	{"a removed domain may come back", 1,
		LIST "1d F x28(1d F) =removed 1d P =pending x7(1d P) "
		     "=listed"},

	/* Leaving */
	{"MTA-STS none over HTTPS", 1, LIST "6h T =removed @leave-proven"},
	{"signed mode=none", 1, LIST "6h N =refused"},
	{"unsigned mode=none twice, a day apart", 1,
		LIST "6h n =failing 23h n =failing 1h n =refused"},
	{"unsigned mode=none once proves nothing", 1,
		LIST "6h n 6h P =listed 23h n =failing 6h n =failing"},
	{"unsigned mode=none, then silence, then again", 1, LIST "6h n 12h ? 12h n =refused"},
	{"opt-in proven absent: DANE", 1, "D x7(1d D) =listed 6h A =removed @leave-proven"},
	{"opt-in absent without proof: DANE", 1,
		"D x7(1d D) =listed 6h Q =failing @leave-not-proven"},
	{"opt-in proven absent says nothing of MTA-STS", 1, LIST "6h A =failing"},
	{"signed NXDOMAIN for a week", 1,
		LIST "6h X =failing x6(1d X) =failing 1d X =removed "
		     "@entry-domain-gone"},
	{"unsigned NXDOMAIN is a break", 1,
		LIST "6h x x27(1d x) =failing 1d x =removed @entry-removed"},
	{"null MX for a week", 1, LIST "6h 0 =failing x6(1d 0) =failing 1d 0 =removed @mx-null"},
	{"null MX for a day", 1, LIST "6h 0 1d 0 6h P =listed x6(1d 0) =failing"},

	/* The operator */
	{"remove", 1, LIST "!remove =removed @operator-removed 1d P =pending"},
	{"refuse", 1, LIST "!refuse =refused x20(7d P) =refused"},
	{"refused, then removed: may come back", 1, "!refuse 1d P =refused !remove 1d P =pending"},
	{"hold keeps a broken entry", 1, LIST "!hold x40(1d F) =listed @operator-held"},
	{"the owner may leave a held entry", 1, LIST "!hold 1d T =removed @leave-proven"},
	{"hold keeps a candidate out", 1, "!hold x20(1d P) =candidate"},
	{"remove ends a hold", 1, LIST "!hold 1d F !remove =removed 1d P =pending"},

	/* Several vantage points */
	{"three: two of them are enough", 3, "PP- =pending x7(1d PP-) =listed"},
	{"three: one is not", 3, "P-- =candidate 1d P-- =candidate"},
	{"three: a contradiction stops admission", 3, "FPP =candidate 1d ?PP =pending"},
	{"three: another policy contradicts", 3, "MPP =candidate"},
	{"three: one that fails restarts nothing", 3,
		"P x3(1d PPP) 1d FPP =pending x4(1d P) =pending 1d P =listed"},
	{"three: measurements are merged", 3, "PB2 x7(1d PB2) =listed"},
	{"three: no authentication in common", 3, "PE? =candidate"},
	{"three: a break seen by two is none", 3, LIST "x60(1d FF?) =listed"},
	{"three: a break seen by two, one passes", 3, LIST "x60(1d FFP) =listed"},
	{"three: a break seen by all", 3, LIST "1d F =failing"},
	{"three: leaving needs the quorum", 3, LIST "6h T-- =listed 6h TT- =removed"},
	{"three: leaving is not contradicted", 3, LIST "6h TTP =listed"},
	{"three: unsigned none needs all", 3, LIST "6h nn? 1d nn? =listed 6h n 1d n =refused"},
	{"three: an old view does not count", 3, "P-- 9h -P- =candidate 1h --P =pending"},
	{"two: one of them is enough", 2, "P- =pending"},
	{"two: no admission before they agree", 2, "U =candidate 1d U =candidate 1d P =pending"},
	{"two: nor a listing", 2, "P x10(1d U) =pending x8(1d P) =listed"},
	{"two: an entry stays and is confirmed", 2, LIST "x400(1d U) =listed"},
	{"six: four are enough", 6, "PPPP-- =pending"},
	{"six: three are not", 6, "PPP--- =candidate"},
};

struct world {
	const struct scenario *scenario;
	struct life_rules rules;
	struct life life;
	char *policy; /* owned copy of life.policy */
	struct life_view views[8];
	size_t view_count;
	int64_t unknown_since_s[8]; /* as compare.h remembers it */
	int64_t now_s, next_look_s;
	const char *last_reason;
	char reason[64];
};

static void
keep(struct world *w, const struct life_result *r)
{
	char *policy = r->life.policy != NULL ? strdup(r->life.policy) : NULL;

	for (size_t i = 0; i < r->event_count; i++) {
		enum life_state before = i == 0 ? w->life.state : r->events[i - 1].to;

		/* A chain without gaps. */
		assert_int_equal(r->events[i].from, before);
		(void)snprintf(w->reason, sizeof(w->reason), "%s", r->events[i].reason);
	}
	if (r->event_count > 0)
		assert_int_equal(r->events[r->event_count - 1].to, r->life.state);
	else
		assert_int_equal(r->life.state, w->life.state);
	free(w->policy);
	w->policy = policy;
	w->life = r->life;
	w->life.policy = policy;
	if (life_is_on_list(w->life.state))
		assert_non_null(policy);
	assert_true(w->life.confirmed_s <= w->now_s);
}

static void
look(struct world *w, const char *letters, size_t len)
{
	for (size_t i = 0; i < w->rules.vantages; i++) {
		char letter = len == 1 ? letters[0] : letters[i];
		struct arena *arena = arena_new();
		struct life_result r;

		if (letter == '-') {
			arena_free(arena);
			continue;
		}
		/* Only the newest look has compared. */
		for (size_t k = 0; k < w->rules.vantages; k++) {
			w->views[k].unsettled = false;
			w->views[k].unknown_since_s = 0;
		}
		w->views[i] = sight(letter);
		if (w->views[i].verdict != VERDICT_UNKNOWN)
			w->unknown_since_s[i] = 0;
		else if (w->unknown_since_s[i] == 0)
			w->unknown_since_s[i] = w->now_s;
		w->views[i].unknown_since_s = w->unknown_since_s[i];
		w->views[i].vantage = "v";
		w->views[i].time_s = w->now_s;
		life_step(&w->rules, &w->life, w->views, w->rules.vantages, w->now_s, arena, &r);
		assert_true(r.next_look_s > w->now_s);
		w->next_look_s = r.next_look_s;
		keep(w, &r);
		arena_free(arena);
	}
}

static void
wrong(const struct world *w, const char *word, const char *got)
{
	fail_msg("%s: at \"%.20s\": got %s", w->scenario->name, word, got);
}

static void
act(struct world *w, const char *word)
{
	struct life_result r;
	enum life_act what = strncmp(word, "!hold", 5) == 0 ? LIFE_ACT_HOLD
		: strncmp(word, "!remove", 7) == 0          ? LIFE_ACT_REMOVE
							    : LIFE_ACT_REFUSE;

	life_apply_act(&w->life, what, "because", w->now_s, &r);
	keep(w, &r);
}

/* Runs the script up to its end or the closing bracket; returns what follows. */
static const char *
run(struct world *w, const char *s)
{
	while (*s != '\0' && *s != ')') {
		size_t len = strcspn(s, " )");

		if (*s == ' ') {
			s++;
			continue;
		}
		if (*s == '=') {
			const char *state = life_state_name(w->life.state);

			if (strlen(state) != len - 1 || strncmp(state, s + 1, len - 1) != 0)
				wrong(w, s, state);
		} else if (*s == '@') {
			if (strlen(w->reason) != len - 1 || strncmp(w->reason, s + 1, len - 1) != 0)
				wrong(w, s, w->reason);
		} else if (*s == '!') {
			act(w, s);
		} else if (*s == 'x' && s[1] >= '0' && s[1] <= '9') {
			char *body;
			long n = strtol(s + 1, &body, 10);
			const char *after = NULL;

			assert_int_equal(*body, '(');
			while (n-- > 0)
				after = run(w, body + 1);
			s = after + 1;
			continue;
		} else if (*s >= '1' && *s <= '9' && len > 1) {
			char *unit;
			long n = strtol(s, &unit, 10);

			w->now_s += n * (*unit == 'd' ? DAY : *unit == 'h' ? HOUR : MINUTE);
		} else {
			assert_true(len == 1 || len == w->rules.vantages);
			look(w, s, len);
		}
		s += len;
	}
	return s;
}

static void
start(struct world *w, const struct scenario *s)
{
	*w = (struct world){
		.scenario = s, .rules = rules_1, .life = life_new(T0), .now_s = T0, .reason = ""};
	w->rules.vantages = s->vantages;
	for (size_t i = 0; i < ARRAY_LEN(w->views); i++)
		w->views[i].vantage = "v";
}

static void
test_scenarios(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		struct world w;

		start(&w, &scenarios[i]);
		(void)run(&w, scenarios[i].script);
		free(w.policy);
	}
}

static void
test_entry_of_a_life(void **state UNUSED)
{
	static const struct {
		const char *script;
		unsigned vantages;
		const char *policy;
	} cases[] = {
		{LIST, 1, sts}, {LIST "6h 2", 1, sts_12},
		{LIST "6h 2 6h P", 1, sts_12},    /* the lowest while listed */
		{LIST "6h 2 6h M", 1, sts_moved}, /* other hosts, counted anew */
		{LIST "1d F x14(1d F)", 1, sts_demoted}, {LIST "1d F x14(1d F) 1d P", 1, sts},
		{"PB2 x7(1d PB2)", 3, sts_12}, /* auth in common, lowest tls */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scenario s = {cases[i].script, cases[i].vantages, cases[i].script};
		struct world w;

		start(&w, &s);
		(void)run(&w, s.script);
		if (w.policy == NULL || strcmp(w.policy, cases[i].policy) != 0)
			wrong(&w, "the end", w.policy != NULL ? w.policy : "no policy");
		free(w.policy);
	}
}

/* The time of an entry is when the quorum had confirmed it, not when the last one looked. */
static void
test_confirmed_by_the_quorum(void **state UNUSED)
{
	const struct scenario s = {"quorum", 3, "P x7(1d P) 6h P-- 1h -P- 1h --P =listed"};
	struct world w;

	start(&w, &s);
	(void)run(&w, s.script);
	/* Two of three: the second latest. */
	assert_int_equal(w.now_s - w.life.confirmed_s, HOUR);
	free(w.policy);
}

static void
test_next_look(void **state UNUSED)
{
	static const struct {
		const char *script;
		int64_t after_s;
	} cases[] = {
		{"F", DAY},
		{"?", 5 * MINUTE},
		{"P", 6 * HOUR},
		{"P 6h ?", 5 * MINUTE},
		{"n", 7 * DAY},
		{LIST, 6 * HOUR},
		{"n 7d ?", 7 * DAY},
		{LIST "6h ?", 5 * MINUTE},
		{LIST "6h ? 1h ?", HOUR},
		{LIST "6h ? 1d ?", 6 * HOUR},
		{LIST "6h ? 1h P", 6 * HOUR},
		{LIST "6h ? 1h P 1h ?", 5 * MINUTE},
		{LIST "6h F", 6 * HOUR},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scenario s = {cases[i].script, 1, cases[i].script};
		struct arena *arena = arena_new();
		struct life_result r;
		struct world w;

		start(&w, &s);
		(void)run(&w, s.script);
		life_step(&w.rules, &w.life, w.views, 1, w.now_s, arena, &r);
		if (r.next_look_s - w.now_s != cases[i].after_s)
			fail_msg("%s: next look after %lld s, want %lld", cases[i].script,
				(long long)(r.next_look_s - w.now_s), (long long)cases[i].after_s);
		arena_free(arena);
		free(w.policy);
	}
}

/* R9.14: from five minutes to the usual time, doubled at each look, whatever the domain is. */
static void
test_back_off(void **state UNUSED)
{
	static const struct {
		const char *script;
		int64_t usual_s;
	} cases[] = {{"", DAY}, {"P 6h -", 6 * HOUR}, {LIST "6h -", 6 * HOUR}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scenario s = {cases[i].script, 1, cases[i].script};
		int64_t want_s = 5 * MINUTE, since_s;
		struct world w;
		int looks = 0;

		start(&w, &s);
		(void)run(&w, s.script);
		since_s = w.now_s;
		for (; looks < 20; looks++) {
			look(&w, "?", 1);
			if (w.next_look_s - w.now_s != want_s)
				fail_msg("%s: look %d: the next after %lld s, want %lld", s.name,
					looks, (long long)(w.next_look_s - w.now_s),
					(long long)want_s);
			w.now_s = w.next_look_s;
			want_s = w.now_s - since_s;
			if (want_s > cases[i].usual_s)
				want_s = cases[i].usual_s;
		}
		/* One that tells something: from the start. */
		look(&w, "P", 1);
		assert_int_equal(w.next_look_s - w.now_s, 6 * HOUR);
		w.now_s = w.next_look_s;
		look(&w, "?", 1);
		assert_int_equal(w.next_look_s - w.now_s, 5 * MINUTE);
		free(w.policy);
	}
}

static bool
same_clocks(const struct life *a, const struct life *b)
{
	return a->state == b->state && a->since_s == b->since_s &&
		a->confirmed_s == b->confirmed_s && a->pass_last_s == b->pass_last_s &&
		a->pass_credit_s == b->pass_credit_s && a->fail_last_s == b->fail_last_s &&
		a->fail_credit_s == b->fail_credit_s && a->leave_s == b->leave_s &&
		a->gone_last_s == b->gone_last_s && a->gone_credit_s == b->gone_credit_s;
}

/* Looks that tell nothing, however many, change no clock of the life. */
static void
test_back_off_moves_no_clock(void **state UNUSED)
{
	static const struct {
		const char *without, *with;
	} cases[] = {
		{"P 6h P", "P 1h ? 5m ? 5m ? 10m ? 40m ? 4h P"},
		{LIST "1d F 1d F", LIST "1d F 5m ? 5m ? 10m ? 20m ? 23h ? 20m F"},
		{LIST "6h n 23h n", LIST "6h n 5m ? 5m ? 10m ? 22h ? 40m n"},
		{LIST "6h X 1d X", LIST "6h X 5m ? 5m ? 10m ? 23h ? 40m X"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scenario a = {cases[i].without, 1, cases[i].without};
		const struct scenario b = {cases[i].with, 1, cases[i].with};
		struct world v, w;

		start(&v, &a);
		(void)run(&v, a.script);
		start(&w, &b);
		(void)run(&w, b.script);
		assert_int_equal(v.now_s, w.now_s);
		assert_string_equal(v.policy, w.policy);
		if (!same_clocks(&v.life, &w.life))
			fail_msg("%s: not as %s", b.script, a.script);
		free(v.policy);
		free(w.policy);
	}
}

static void
test_quorum(void **state UNUSED)
{
	static const unsigned want[] = {1, 1, 1, 2, 3, 4, 4, 5, 6};

	for (unsigned n = 0; n < ARRAY_LEN(want); n++)
		assert_int_equal(life_quorum(n), want[n]);
}

/* A clock that was set back neither adds nor takes. */
/* R17.3, R17.4: what the round came to, when it came to nothing. */
static void
test_round_code(void **state UNUSED)
{
	static const struct {
		const char *sights; /* a letter for each vantage point; '-' has not looked */
		const char *want;
	} cases[] = {
		{"P", NULL},
		{"?", NULL},
		{"PPP", NULL},
		{"PP-", NULL},
		{"FFF", NULL},
		{"P--", "vantage-too-few"},
		{"P??", "vantage-too-few"},
		{"F??", "vantage-too-few"},
		{"FF?", "vantage-too-few"}, /* a certain break needs all */
		{"FPP", "vantage-disagree"},
		{"MPP", "vantage-disagree"},
		{"PE?", "vantage-disagree"},
		{"FFP", "vantage-disagree"},
		{"UPP", "vantage-disagree"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct life_view views[8];
		struct life_rules rules = rules_1;
		struct life life = life_new(T0);
		struct arena *arena = arena_new();
		struct life_result r;
		size_t count = 0;

		rules.vantages = (unsigned)strlen(cases[i].sights);
		for (const char *s = cases[i].sights; *s != '\0'; s++) {
			if (*s == '-')
				continue;
			views[count] = sight(*s);
			views[count].vantage = "v";
			views[count++].time_s = T0;
		}
		life_step(&rules, &life, views, count, T0, arena, &r);
		if ((r.round_code == NULL) != (cases[i].want == NULL) ||
			(r.round_code != NULL && strcmp(r.round_code, cases[i].want) != 0))
			fail_msg("%s: got %s", cases[i].sights,
				r.round_code != NULL ? r.round_code : "nothing");
		arena_free(arena);
	}
}

static void
test_clock_goes_back(void **state UNUSED)
{
	const struct scenario s = {"back", 1, "P x3(1d P) =pending"};
	struct world w;
	int64_t credit;

	start(&w, &s);
	(void)run(&w, s.script);
	credit = w.life.pass_credit_s;
	w.now_s -= 2 * DAY;
	(void)run(&w, "P =pending");
	assert_int_equal(w.life.pass_credit_s, credit);
	free(w.policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_entry_of_a_life),
		cmocka_unit_test(test_confirmed_by_the_quorum),
		cmocka_unit_test(test_next_look),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_back_off_moves_no_clock),
		cmocka_unit_test(test_quorum),
		cmocka_unit_test(test_round_code),
		cmocka_unit_test(test_clock_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

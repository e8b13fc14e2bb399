/*
 * Looks beside each other, in simulated time. A story is a list of looks: which vantage point, how
 * many hours after the start, what it sees in words (see see()), and what comes of it: the verdict,
 * "unsettled", and every finding with its severity.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/compare.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/str.h"
#include "verifier/report.h"

#define HOUR       3600
#define T0         INT64_C(1764000000)
#define ROUND_S    (8 * HOUR)
#define POINTS_MAX 3
#define STEPS_MAX  12
#define MX_MAX     4

struct step {
	char point; /* 'A' ... */
	int hours;
	const char *sees;
	const char *want; /* NULL ends the story */
};

struct story {
	const char *name;
	unsigned points;
	struct step steps[STEPS_MAX];
};

/* --- a report in words ---------------------------------------------------------------------- */

static struct report_mx *
add_host(struct report *r, const char *name, const char *key)
{
	struct report_mx *mx = &r->mx[r->mx_count++];

	assert_true(r->mx_count <= MX_MAX);
	*mx = (struct report_mx){.host = name,
		.addresses = arena_calloc(r->arena, 1, sizeof(*mx->addresses)),
		.address_count = 1,
		.starttls = VERDICT_PASS,
		.pkix = VERDICT_PASS};
	mx->addresses[0] = (struct report_address){
		.address = "192.0.2.1", .spki_sha256 = key, .tls_version = 13};
	return mx;
}

static void
trouble(struct report *r, const char *code, enum severity severity, enum verdict starttls)
{
	struct report_mx *mx = &r->mx[0];

	finding_add(&r->findings, code, severity, arena_printf(r->arena, "%s[192.0.2.1]", mx->host),
		NULL, "as told");
	mx->starttls = mx->pkix = starttls;
	mx->addresses[0].spki_sha256 = NULL;
	r->eligible = false;
	r->verdict = severity == SEVERITY_FAIL ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

/* mx2 does not answer; without it everything is fine. */
static void
silent(struct report *r)
{
	struct report_mx *mx = add_host(r, "mx2.d.test", NULL);
	struct report *apart;

	mx->silent = true;
	mx->starttls = mx->pkix = VERDICT_UNKNOWN;
	apart = arena_memdup(r->arena, r, sizeof(*r));
	finding_list_init(&apart->findings, r->arena);
	finding_add(&apart->findings, "mx-unreachable", SEVERITY_WARN, mx->host, NULL, "silent");
	finding_add(&r->findings, "mx-unreachable", SEVERITY_TEMP, mx->host, NULL, "silent");
	r->without_silent = apart;
	r->eligible = false;
	r->verdict = VERDICT_UNKNOWN;
}

static void
see_word(struct report *r, char *word)
{
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(word, "ok") == 0)
		return;
	else if (strcmp(word, "mx") == 0)
		(void)add_host(r, value, "other");
	else if (strcmp(word, "key") == 0)
		r->mx[0].addresses[0].spki_sha256 = value;
	else if (strcmp(word, "id") == 0)
		r->mta_sts_id = value;
	else if (strcmp(word, "text") == 0)
		r->mta_sts_policy = value;
	else if (strcmp(word, "record") == 0)
		r->mta_sts_record = value;
	else if (strcmp(word, "optin") == 0)
		r->preload_record = value;
	else if (strcmp(word, "silent") == 0)
		silent(r);
	else if (strcmp(word, "off") == 0)
		trouble(r, "starttls-not-offered", SEVERITY_FAIL, VERDICT_FAIL);
	else if (strcmp(word, "strip") == 0)
		trouble(r, "starttls-stripped", SEVERITY_FAIL, VERDICT_FAIL);
	else if (strcmp(word, "454") == 0)
		trouble(r, "starttls-temporary", SEVERITY_TEMP, VERDICT_UNKNOWN);
	else if (strcmp(word, "rejected") == 0)
		trouble(r, "smtp-greeting-rejected", SEVERITY_FAIL, VERDICT_FAIL);
	else if (strcmp(word, "lost") == 0)
		trouble(r, "smtp-connection-lost", SEVERITY_TEMP, VERDICT_UNKNOWN);
	else if (strcmp(word, "unread") == 0) {
		r->mta_sts_policy = NULL;
		r->mta_sts_mode = POLICY_MODE_ABSENT;
		finding_add(&r->findings, "mta-sts-policy-timeout", SEVERITY_TEMP, "d.test", NULL,
			"no answer");
		r->eligible = false;
		r->verdict = VERDICT_UNKNOWN;
	} else if (strcmp(word, "unasked") == 0) {
		r->mta_sts_record = r->mta_sts_id = r->mta_sts_policy = NULL;
		r->mta_sts_mode = POLICY_MODE_ABSENT;
		r->without_silent = NULL;
		r->eligible = false;
	} else
		fail_msg("no word is %s", word);
}

static struct report *
see(const char *words)
{
	struct report *r = report_new("d.test");
	char *copy = arena_strdup(r->arena, words);
	char *rest = NULL;

	r->ascii = "d.test";
	r->verdict = VERDICT_PASS;
	r->eligible = true;
	r->mx = arena_calloc(r->arena, MX_MAX, sizeof(*r->mx));
	(void)add_host(r, "mx1.d.test", "key");
	r->mta_sts_record = "v=STSv1; id=1;";
	r->mta_sts_id = "1";
	r->mta_sts_policy = "text";
	r->mta_sts_mode = POLICY_MODE_ENFORCE;
	r->mta_sts_max_age_s = 100 * HOUR;
	for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
		see_word(r, w);
	return r;
}

/* --- a world that remembers as the store does ------------------------------------------------- */

struct world {
	unsigned points;
	struct arena *arena;
	bool looked[POINTS_MAX];
	struct compare_look looks[POINTS_MAX];
	struct compare_mark marks[POINTS_MAX][COMPARE_MARKS_MAX];
	size_t mark_count[POINTS_MAX];
	unsigned writes;
};

static const char *const names[POINTS_MAX] = {"A", "B", "C"};

static void
remember(struct world *w, size_t me, const struct report *r, const struct compare_result *result,
	int64_t now_s)
{
	json_t *evidence = report_to_json(r);

	w->looked[me] = true;
	w->looks[me] = (struct compare_look){.vantage = names[me], .time_s = now_s};
	compare_facts_of_evidence(evidence, w->arena, &w->looks[me].facts);
	json_decref(evidence);
	if (!result->marks_changed)
		return;
	w->writes++;
	w->mark_count[me] = result->mark_count;
	for (size_t i = 0; i < result->mark_count; i++) {
		w->marks[me][i] = result->marks[i];
		w->marks[me][i].subject = arena_strdup(w->arena, result->marks[i].subject);
		w->marks[me][i].value = arena_strdup(w->arena, result->marks[i].value);
	}
}

/* One look; what came of it as text, in the world's arena. */
static const char *
look(struct world *w, const struct step *s)
{
	struct report *r = see(s->sees);
	size_t me = (size_t)(s->point - 'A');
	struct compare_mark marks[POINTS_MAX * COMPARE_MARKS_MAX];
	struct compare_look peers[POINTS_MAX];
	struct compare_input in = {.vantage = names[me],
		.vantages = w->points,
		.now_s = T0 + (int64_t)s->hours * HOUR,
		.round_s = ROUND_S,
		.before = w->looked[me] ? &w->looks[me] : NULL,
		.peers = peers,
		.marks = marks};
	struct compare_result result;
	const char *got;

	for (size_t i = 0; i < w->points; i++) {
		if (i != me && w->looked[i])
			peers[in.peer_count++] = w->looks[i];
		for (size_t k = 0; k < w->mark_count[i]; k++)
			marks[in.mark_count++] = w->marks[i][k];
	}
	compare_looks(&in, r, &result);
	remember(w, me, r, &result, in.now_s);
	got = arena_printf(w->arena, "%s%s%s", verdict_name(r->verdict), r->eligible ? " fit" : "",
		result.unsettled ? " unsettled" : "");
	for (size_t i = 0; i < r->findings.count; i++)
		got = arena_printf(w->arena, "%s %s:%s", got, r->findings.items[i].code,
			severity_name(r->findings.items[i].severity));
	report_free(r);
	return got;
}

static void
tell(const struct story *stories, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct world *w = calloc(1, sizeof(*w));

		assert_non_null(w);
		w->points = stories[i].points;
		w->arena = arena_new();
		for (const struct step *s = stories[i].steps; s->want != NULL; s++) {
			const char *got = look(w, s);

			if (strcmp(got, s->want) != 0)
				fail_msg("%s: %c after %d h sees %s: got \"%s\", want \"%s\"",
					stories[i].name, s->point, s->hours, s->sees, got, s->want);
		}
		arena_free(w->arena);
		free(w);
	}
}

#define FIT    "pass fit"
#define SILENT "unknown mx-unreachable:temp"
#define DEAD   "pass fit mx-unreachable:warn"

/* --- the stories ------------------------------------------------------------------------------ */

static void
test_silent_hosts(void **state UNUSED) /* R3.18 */
{
	static const struct story stories[] = {
		{"one point", 1,
			{{'A', 0, "silent", SILENT}, {'A', 24, "silent", SILENT},
				{'A', 167, "silent", SILENT}, {'A', 168, "silent", DEAD}}},
		{"an answer begins the week anew", 1,
			{{'A', 0, "silent", SILENT}, {'A', 160, "ok", FIT},
				{'A', 168, "silent", SILENT}, {'A', 335, "silent", SILENT},
				{'A', 336, "silent", DEAD}}},
		{"nobody looked in between", 1,
			{{'A', 0, "silent", SILENT}, {'A', 14 * 24 + 1, "silent", SILENT},
				{'A', 21 * 24 + 1, "silent", DEAD}}},
		{"silent to one point only", 2,
			{{'A', 0, "silent", SILENT}, {'B', 1, "mx=mx2.d.test", FIT},
				{'A', 168, "silent", SILENT}, {'B', 169, "mx=mx2.d.test", FIT},
				{'A', 240, "silent", SILENT}}},
		{"to every point, the other for less than a week", 2,
			{{'A', 0, "silent", SILENT}, {'B', 1, "silent", SILENT},
				{'A', 168, "silent", SILENT}, {'B', 169, "silent", DEAD},
				{'A', 174, "silent", DEAD}}},
		{"a configured point has never looked", 2,
			{{'A', 0, "silent", SILENT}, {'A', 200, "silent", SILENT}}},
		{"nobody asks for a listing", 1,
			{{'A', 0, "silent unasked", SILENT},
				{'A', 168, "silent unasked", "pass mx-unreachable:warn"}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

#define BLOCKED "unknown smtp-greeting-rejected:temp smtp-blocked-here:temp"

static void
test_blocked_here(void **state UNUSED) /* R4.4, R4.18 */
{
	static const struct story stories[] = {
		{"another point is welcomed", 2,
			{{'B', 0, "ok", FIT}, {'A', 1, "rejected", BLOCKED}}},
		{"another point is let in, without STARTTLS", 2,
			{{'B', 0, "off", "fail starttls-not-offered:fail"},
				{'A', 1, "rejected", BLOCKED}}},
		{"a reset", 2,
			{{'B', 0, "ok", FIT},
				{'A', 1, "lost",
					"unknown smtp-connection-lost:temp "
					"smtp-blocked-here:temp"}}},
		{"all are refused", 2,
			{{'B', 0, "rejected", "fail smtp-greeting-rejected:fail"},
				{'A', 1, "rejected", "fail smtp-greeting-rejected:fail"}}},
		{"the welcome is of another round", 2,
			{{'B', 0, "ok", FIT},
				{'A', 9, "rejected", "fail smtp-greeting-rejected:fail"}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_starttls_here_and_there(void **state UNUSED) /* R5.3, R5.4 */
{
	static const struct story stories[] = {
		{"stripped, one point in all", 1,
			{{'A', 0, "strip", "fail starttls-stripped:fail"}}},
		{"stripped for one of two", 2,
			{{'B', 0, "ok", FIT}, {'A', 1, "strip", "unknown starttls-stripped:temp"}}},
		{"stripped, and nobody else has looked", 2,
			{{'A', 1, "strip", "unknown starttls-stripped:temp"}}},
		{"stripped for both", 2,
			{{'A', 0, "strip", "unknown starttls-stripped:temp"},
				{'B', 1, "strip", "fail starttls-stripped:fail"},
				{'A', 6, "strip", "fail starttls-stripped:fail"}}},
		{"offered to one only, seen twice", 2,
			{{'A', 0, "ok", FIT}, {'B', 1, "off", "fail starttls-not-offered:fail"},
				{'A', 6, "ok", FIT},
				{'B', 7, "off",
					"fail starttls-not-offered:fail "
					"starttls-inconsistent:fail"},
				{'A', 12, "ok", FIT " starttls-inconsistent:warn"},
				{'B', 13, "ok", FIT}, {'A', 18, "ok", FIT}}},
		{"mended in between", 2,
			{{'A', 0, "ok", FIT}, {'B', 1, "off", "fail starttls-not-offered:fail"},
				{'B', 6, "ok", FIT}, {'A', 7, "ok", FIT},
				{'B', 12, "off", "fail starttls-not-offered:fail"}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_lasting_454(void **state UNUSED) /* R5.5 */
{
	static const struct story stories[] = {
		{"a day", 1,
			{{'A', 0, "454", "unknown starttls-temporary:temp"},
				{'A', 23, "454", "unknown starttls-temporary:temp"},
				{'A', 24, "454", "fail starttls-temporary:fail"},
				{'A', 30, "454", "fail starttls-temporary:fail"},
				{'A', 36, "ok", FIT},
				{'A', 42, "454", "unknown starttls-temporary:temp"}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_records_differ(void **state UNUSED) /* R2.9, R3.21 */
{
#define UNSETTLED "pass fit unsettled"
	static const struct story stories[] = {
		{"another MX", 2,
			{{'A', 0, "ok", FIT},
				{'B', 1, "mx=mx9.d.test", UNSETTLED " mx-inconsistent:warn"},
				{'A', 6, "ok", UNSETTLED " mx-inconsistent:warn"},
				{'B', 7, "ok", FIT}, {'A', 12, "ok", FIT}}},
		{"for longer than a day", 2,
			{{'A', 0, "ok", FIT},
				{'B', 7, "mx=mx9.d.test", UNSETTLED " mx-inconsistent:warn"},
				{'A', 12, "ok", UNSETTLED " mx-inconsistent:warn"},
				{'A', 30, "ok", FIT}, /* of another round than B's */
				{'B', 31, "mx=mx9.d.test",
					UNSETTLED " dns-inconsistent:warn mx-inconsistent:warn"}}},
		{"the record", 2,
			{{'A', 0, "record=x", FIT}, {'B', 1, "record=y", FIT},
				{'A', 8, "record=x", FIT}, {'B', 9, "record=y", FIT},
				{'A', 24, "record=x", FIT},
				{'B', 26, "record=y", FIT " dns-inconsistent:warn"}}},
		{"the opt-in record", 2,
			{{'A', 0, "optin=x", FIT}, {'B', 1, "optin=y", FIT},
				{'A', 24, "optin=x", FIT},
				{'B', 26, "optin=y", FIT " dns-inconsistent:warn"},
				{'A', 30, "optin=y", FIT}, {'B', 31, "optin=y", FIT}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_policy_differs(void **state UNUSED) /* R9.13 */
{
#define POLICY UNSETTLED " mta-sts-policy-inconsistent:warn"
	static const struct story stories[] = {
		{"another id", 2,
			{{'A', 0, "ok", FIT}, {'B', 1, "id=2", UNSETTLED},
				{'A', 2, "ok", UNSETTLED}, {'B', 2, "id=2", POLICY},
				{'A', 3, "id=2", FIT}, {'B', 4, "id=2", FIT}}},
		{"another text", 2,
			{{'A', 0, "ok", FIT}, {'B', 1, "text=other", UNSETTLED},
				{'B', 3, "text=other", POLICY}}},
		{"one could not read it", 2,
			{{'A', 0, "ok", FIT},
				{'B', 1, "unread", "unknown mta-sts-policy-timeout:temp"}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_id_unchanged(void **state UNUSED) /* R8.14 */
{
#define STALE FIT " mta-sts-id-unchanged:warn"
	static const struct story stories[] = {
		{"the text alone", 1,
			{{'A', 0, "ok", FIT}, {'A', 6, "text=new", STALE},
				{'A', 12, "text=new", STALE}, {'A', 105, "text=new", STALE},
				{'A', 106, "text=new", FIT}}}, /* the max_age before has run out */
		{"text and id", 1, {{'A', 0, "ok", FIT}, {'A', 6, "text=new id=2", FIT}}},
		{"the id follows", 1,
			{{'A', 0, "ok", FIT}, {'A', 6, "text=new", STALE},
				{'A', 12, "text=new id=2", FIT}, {'A', 18, "text=new id=2", FIT}}},
		{"it could not be read in between", 1,
			{{'A', 0, "ok", FIT},
				{'A', 6, "unread", "unknown mta-sts-policy-timeout:temp"},
				{'A', 12, "unread", "unknown mta-sts-policy-timeout:temp"},
				{'A', 18, "text=new", STALE},
				{'A', 24, "unread", "unknown mta-sts-policy-timeout:temp"},
				{'A', 30, "text=new", STALE}}},
		{"the same text as before", 1,
			{{'A', 0, "ok", FIT},
				{'A', 6, "unread", "unknown mta-sts-policy-timeout:temp"},
				{'A', 12, "ok", FIT}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

static void
test_keys_differ(void **state UNUSED) /* R17.8 */
{
	static const struct story stories[] = {
		{"a renewal", 2,
			{{'A', 0, "key=old", FIT}, {'B', 1, "key=new", FIT},
				{'A', 6, "key=new", FIT}, {'B', 30, "key=new", FIT}}},
		{"over a day", 2,
			{{'A', 0, "key=a", FIT}, {'B', 1, "key=b", FIT}, {'A', 24, "key=a", FIT},
				{'B', 25, "key=b", FIT " vantage-keys-differ:info"}}},
		{"they meet within the day", 2,
			{{'A', 0, "key=a", FIT}, {'B', 1, "key=b", FIT}, {'A', 6, "key=b", FIT},
				{'B', 7, "key=b", FIT}, {'A', 12, "key=a", FIT},
				{'B', 19, "key=b", FIT}, {'B', 26, "key=b", FIT}}},
	};

	tell(stories, ARRAY_LEN(stories));
}

/* Seeing the same again changes no mark: nothing is written. */
static void
test_nothing_new_nothing_written(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->points = 2;
	w->arena = arena_new();
	for (int i = 0; i < 4; i++) {
		(void)look(w, &(struct step){'A', 6 * i, "mx=mx2.d.test", NULL});
		(void)look(w, &(struct step){'B', 6 * i + 1, "mx=mx2.d.test", NULL});
	}
	assert_int_equal(w->writes, 0);
	for (int i = 4; i < 8; i++)
		(void)look(w, &(struct step){'A', 6 * i, "silent", NULL});
	assert_int_equal(w->writes, 1);
	arena_free(w->arena);
	free(w);
}

/* Evidence of another program, or damaged: nothing was seen, nothing happens. */
static void
test_strange_evidence(void **state UNUSED)
{
	static const char *const texts[] = {"{}", "[]",
		"{\"mx\":{},\"mta_sts\":7,\"findings\":[7,{}]}",
		"{\"mx\":[7,{\"host\":7},{\"host\":\"a\",\"starttls\":1,\"sessions\":[7,{}]}],"
		"\"mta_sts\":{\"id\":7,\"policy\":[],\"max_age\":\"x\"}}"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena *arena = arena_new();
		json_t *json = json_loads(texts[i], 0, NULL);
		struct compare_facts f;

		assert_non_null(json);
		compare_facts_of_evidence(json, arena, &f);
		assert_null(f.sts_id);
		assert_null(f.policy_digest);
		assert_true(f.host_count <= 1);
		json_decref(json);
		arena_free(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_hosts),
		cmocka_unit_test(test_blocked_here),
		cmocka_unit_test(test_starttls_here_and_there),
		cmocka_unit_test(test_lasting_454),
		cmocka_unit_test(test_records_differ),
		cmocka_unit_test(test_policy_differs),
		cmocka_unit_test(test_id_unchanged),
		cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_nothing_new_nothing_written),
		cmocka_unit_test(test_strange_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

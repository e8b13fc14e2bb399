/*
 * Whether a vantage point goes on being believed: the self-test in the beginning, every hour, and
 * when the reports are odd. Its resolver is tested with a name that must be bogus; while the name
 * server fails, it is not. The lab tests what the self-test says of what (self-test.sh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>

#include "builder/vantage_watch.h"
#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "common/str.h"
#include "tests/unit/helper_name_server.h"
#include "tests/unit/skewed_clock.h"
#include "verifier/engine.h"
#include "verifier/report.h"

static const char *const records[] = {"www.signed.example. 60 IN A 192.0.2.1", NULL};

static struct event_base *base;
static struct name_server *server;
static struct engine_options options;
static struct vantage_watch *watch;

/* What on_tested was told last. */
static unsigned int tests;
static bool believed;
static struct error why;

static void
on_tested(const struct error *problem, void *arg UNUSED)
{
	tests++;
	believed = problem == NULL;
	if (!believed)
		why = *problem;
	(void)event_base_loopbreak(base);
}

static int
set_up(void **state UNUSED)
{
	base = event_base_new();
	server = name_server_new(base, records);
	engine_options_default(&options);
	options.dns_forward = &server->forward;
	options.dns_forward_count = 1;
	options.trust_anchor = server->anchor;
	options.deadline_s = 120; /* for machines that are busy: the name server always answers */
	options.self_test.bogus = "www.signed.example";
	tests = 0;
	believed = false;
	watch = NULL;
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	vantage_watch_free(watch);
	name_server_free(server);
	event_base_free(base);
	return 0;
}

static void
start(void)
{
	struct error err;

	if (vantage_watch_start(&options, "here", base, on_tested, NULL, &watch, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(vantage_watch_is_testing(watch));
	assert_false(vantage_watch_may_keep(watch));
	assert_int_equal(tests, 0);
}

/* Runs the loop until a self-test has ended. */
static void
await_test(void)
{
	unsigned int before = tests;

	while (tests == before)
		assert_int_equal(event_base_loop(base, 0), 0);
	assert_int_equal(tests, before + 1);
}

/* Whether a self-test has begun, in the turns of the loop that there are to be had. */
static bool
has_begun(void)
{
	for (int i = 0; i < 10; i++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	return vantage_watch_is_testing(watch);
}

/* count reports with a finding (NULL: none), without any answer from DNS or with. */
static int
take(int count, const char *code, bool answered, struct error *err)
{
	int rc = 0;

	for (int i = 0; i < count && rc == 0; i++) {
		struct report *r = report_new("example.org");

		r->verdict = VERDICT_PASS;
		if (code != NULL) {
			finding_add_usual(&r->findings, code, "example.org", NULL, "seen");
			r->verdict = finding_list_verdict(&r->findings);
		}
		r->mx_count = answered;
		rc = vantage_watch_take(watch, r, err);
		report_free(r);
	}
	return rc;
}

static void
take_all(int count, const char *code)
{
	struct error err;

	if (take(count, code, true, &err) < 0)
		fail_msg("%s", err.text);
}

static void
at_first(void **state UNUSED)
{
	server->servfail = true;
	start();
	await_test();
	assert_false(believed);
	assert_int_equal(why.kind, ERROR_TEMP);
	if (!str_starts(why.text,
		    "vantage point here abstains: verifier-resolver-broken: www.signed.example: "))
		fail_msg("%s", why.text);
	assert_false(vantage_watch_may_keep(watch));
}

static void
every_hour(void **state UNUSED)
{
	start();
	await_test();
	assert_true(believed);
	assert_false(vantage_watch_is_testing(watch));
	assert_false(vantage_watch_may_keep(watch)); /* a bogus answer proves nothing yet */
	take_all(1, NULL);
	assert_true(vantage_watch_may_keep(watch));
	pass_time(3000);
	assert_false(has_begun());
	pass_time(601);
	await_test();
	assert_true(believed);
	assert_true(vantage_watch_may_keep(watch));
	server->servfail = true;
	pass_time(3601);
	await_test();
	assert_false(believed);
	assert_false(vantage_watch_may_keep(watch));
}

static void
odd_reports(void **state UNUSED)
{
	static const char *const codes[] = {"dns-temporary", "smtp-connect-timeout",
		"starttls-stripped", "tls-handshake-failed", "pkix-name-mismatch"};

	start();
	await_test();
	/* Not within a minute of the last one. */
	take_all(100, "starttls-not-offered");
	assert_false(has_begun());
	pass_time(61);
	(void)has_begun();
	/* Not because of faults that only the domain itself can have, nor of half a hundred. */
	take_all(100, "mta-sts-policy-syntax");
	take_all(100, "tlsrpt-record-missing");
	take_all(49, "starttls-not-offered");
	take_all(51, NULL);
	assert_false(has_begun());
	take_all(50, NULL);
	take_all(50, "starttls-not-offered");
	await_test();
	assert_true(believed);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		pass_time(61);
		(void)has_begun();
		take_all(100, codes[i]);
		await_test();
		assert_true(believed);
	}
	server->servfail = true;
	pass_time(61);
	(void)has_begun();
	take_all(100, "starttls-not-offered");
	await_test();
	assert_false(believed);
}

/* Without a self-test: the first one ends at once, and there is no other. */
static void
nothing_named(void **state UNUSED)
{
	options.self_test.bogus = NULL;
	server->servfail = true;
	start();
	await_test();
	assert_true(believed);
	pass_time(4000);
	take_all(100, "starttls-not-offered");
	assert_false(has_begun());
	assert_true(vantage_watch_may_keep(watch));
}

static void
silence(void **state UNUSED)
{
	struct error err;

	options.self_test.bogus = NULL;
	start();
	await_test();
	assert_int_equal(take(9, "dns-temporary", false, &err), 0);
	assert_int_equal(vantage_watch_end_round(watch, &err), 0);
	assert_int_equal(take(1, "dns-temporary", false, &err), 0);
	assert_int_equal(vantage_watch_end_round(watch, &err), -1);
	assert_string_equal(err.text,
		"vantage point here abstains: verifier-resolver-broken: no answer from DNS for any "
		"of 10 domains");
	assert_false(vantage_watch_may_keep(watch));
	assert_int_equal(take(39, "dns-temporary", false, &err), 0);
	assert_int_equal(take(1, "dns-temporary", false, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup_teardown(at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_hour, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_reports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("vantage_watch", cases, NULL, NULL);
}

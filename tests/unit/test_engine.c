/*
 * The engine's contract with its callers, before a name server that never answers; what domains
 * come to is tested in the lab.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/attr.h"
#include "common/error.h"
#include "verifier/engine.h"
#include "verifier/report.h"

#define ANCHOR \
	"signed.example. IN DS 12345 13 2 " \
	"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"

static struct event_base *base;
static unsigned workers; /* of the engines of this run */
static int silent = -1;
static char forward[64], anchor_path[] = "/tmp/preload25-test-anchor-XXXXXX";
static const char *const forwards[] = {forward};

static int
set_up(void **state UNUSED)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = mkstemp(anchor_path);

	if (fd < 0 || write(fd, ANCHOR, strlen(ANCHOR)) != (ssize_t)strlen(ANCHOR) ||
		close(fd) != 0)
		return -1;
	silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(silent, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		getsockname(silent, (struct sockaddr *)&sin, &len) < 0)
		return -1;
	(void)snprintf(forward, sizeof(forward), "127.0.0.1@%u", ntohs(sin.sin_port));
	base = event_base_new();
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	event_base_free(base);
	(void)close(silent);
	return unlink(anchor_path);
}

static struct engine_options
options(void)
{
	struct engine_options o;

	engine_options_default(&o);
	o.clock = clock_fixed(INT64_C(1795478400));
	o.dns_forward = forwards;
	o.dns_forward_count = 1;
	o.trust_anchor = anchor_path;
	o.deadline_s = 1;
	o.concurrency = 4;
	o.workers = workers;
	return o;
}

struct seen {
	int reports;
	int wanted;
	bool in_submit;
	enum verdict verdict;
	const char *code; /* must be among the findings */
	bool has_name;
};

static void
on_report(const struct report *report, void *arg)
{
	struct seen *s = arg;

	assert_false(s->in_submit);
	assert_int_equal(report->verdict, s->verdict);
	assert_false(report->eligible);
	assert_int_equal(report->source, SOURCE_NONE);
	if (!finding_list_has(&report->findings, s->code))
		fail_msg("%s: no finding %s", report->domain, s->code);
	assert_int_equal(report->ascii != NULL, s->has_name);
	assert_int_equal(report->time_s, INT64_C(1795478400));
	if (++s->reports == s->wanted)
		event_base_loopbreak(base);
}

static struct engine *
engine_for_test(const struct engine_options *o)
{
	struct engine *e = NULL;
	struct error err;

	if (engine_new(o, base, &e, &err) < 0)
		fail_msg("%s", err.text);
	return e;
}

static void
one_report_each(void **state UNUSED)
{
	struct engine_options o = options();
	struct engine *e = engine_for_test(&o);
	struct seen empty = {.wanted = 1, .verdict = VERDICT_FAIL, .code = "domain-empty"};
	struct seen late = {
		.wanted = 3, .verdict = VERDICT_UNKNOWN, .code = "dns-temporary", .has_name = true};
	struct engine_stats stats;

	assert_true(engine_has_room(e));
	empty.in_submit = late.in_submit = true;
	engine_submit(e, " ", on_report, &empty);
	engine_submit(e, "a.example.org", on_report, &late);
	engine_submit(e, "b.example.org", on_report, &late);
	assert_true(engine_has_room(e));
	engine_submit(e, "a.example.org", on_report, &late);
	assert_false(engine_has_room(e));
	empty.in_submit = late.in_submit = false;
	assert_int_equal(engine_in_flight(e), 4);
	while (empty.reports + late.reports < 4)
		assert_int_equal(event_base_dispatch(base), 0);
	assert_int_equal(empty.reports, 1);
	assert_int_equal(late.reports, 3);
	assert_int_equal(engine_in_flight(e), 0);
	assert_true(engine_has_room(e));
	engine_get_stats(e, &stats);
	assert_int_equal(stats.domains, 4);
	assert_int_equal(stats.dns_queries, 3);
	assert_int_equal(stats.smtp_sessions, 0);
	engine_free(e);
}

static void
not_to_be_called(const struct report *report, void *arg UNUSED)
{
	fail_msg("report of %s after engine_free()", report->domain);
}

static void
freed_in_flight(void **state UNUSED)
{
	for (int turns = 0; turns < 4; turns++) {
		struct engine_options o = options();
		struct engine *e = engine_for_test(&o);

		engine_submit(e, "a.example.org", not_to_be_called, NULL);
		engine_submit(e, "b.example.org", not_to_be_called, NULL);
		for (int i = 0; i < turns; i++)
			(void)event_base_loop(base, EVLOOP_NONBLOCK);
		engine_free(e);
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	}
	engine_free(NULL);
}

/* The second and third of three domains wait their turn. */
static void
rate(void **state UNUSED)
{
	struct engine_options o = options();
	struct engine *e;
	struct seen s = {.wanted = 3, .verdict = VERDICT_FAIL, .code = "domain-empty"};
	struct timeval begin, end;

	o.rate = 10;
	e = engine_for_test(&o);
	(void)evutil_gettimeofday(&begin, NULL);
	for (int i = 0; i < 3; i++)
		engine_submit(e, "", on_report, &s);
	assert_int_equal(event_base_dispatch(base), 0);
	(void)evutil_gettimeofday(&end, NULL);
	assert_int_equal(s.reports, 3);
	/* Two waits of 0.1 s, less what the timers' grain takes away. */
	assert_true((end.tv_sec - begin.tv_sec) * 1000000 + end.tv_usec - begin.tv_usec >= 180000);
	engine_free(e);
}

static void
bad_options(void **state UNUSED)
{
	static const char *const bad_allow[] = {"10.0.0.0/33"};
	struct engine_options rows[3];
	static const char *const parts[] = {"10.0.0.0/33", "/nonexistent/ca.pem", "/etc/passwd"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = options();
	rows[0].allow = bad_allow;
	rows[0].allow_count = 1;
	rows[1].ca_file = "/nonexistent/ca.pem";
	rows[2].ca_file = "/etc/passwd";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = NULL;
		struct error err;

		if (engine_new(&rows[i], base, &e, &err) == 0)
			fail_msg("row %zu was accepted", i);
		assert_null(e);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (strstr(err.text, parts[i]) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

static void
default_workers(void **state UNUSED)
{
	struct engine_options o = options();
	struct engine *e;

	o.workers = 0;
	e = engine_for_test(&o);
	assert_true(engine_has_room(e));
	engine_free(e);
	assert_in_range(engine_default_workers(), 1, 8);
}

/* Fewer file descriptors than `concurrency` asks for: not so many at once, but some. */
static void
few_descriptors(void **state UNUSED)
{
	struct engine_options o = options();
	struct rlimit before, few;
	unsigned submitted = 0;
	struct engine *e;

	o.concurrency = 5000;
	o.deadline_s = 60;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 300 + 300 * workers;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	e = engine_for_test(&o);
	for (; submitted < o.concurrency && engine_has_room(e); submitted++)
		engine_submit(e, "a.example.org", not_to_be_called, NULL);
	engine_free(e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(submitted, 10, few.rlim_cur / 2);
}

static int
one_worker(void **state UNUSED)
{
	workers = 1;
	return 0;
}

static int
four_workers(void **state UNUSED)
{
	workers = 4;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_report_each, one_worker),
		cmocka_unit_test_setup(one_report_each, four_workers),
		cmocka_unit_test_setup(freed_in_flight, one_worker),
		cmocka_unit_test_setup(freed_in_flight, four_workers),
		cmocka_unit_test_setup(rate, one_worker),
		cmocka_unit_test_setup(rate, four_workers),
		cmocka_unit_test_setup(bad_options, four_workers),
		cmocka_unit_test_setup(default_workers, one_worker),
		cmocka_unit_test_setup(few_descriptors, one_worker),
		cmocka_unit_test_setup(few_descriptors, four_workers),
	};

	return cmocka_run_group_tests_name("engine", tests, set_up, tear_down);
}

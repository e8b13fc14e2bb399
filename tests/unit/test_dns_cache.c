/*
 * What a resolver remembers, and for how long (R2.10): failures for a minute at most, and nothing of
 * what another resolver has learnt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <event2/event.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "tests/unit/helper_name_server.h"
#include "tests/unit/skewed_clock.h"
#include "verifier/dns.h"

static const char *const records[] = {
	"good.example. 600 IN A 192.0.2.1",
	"www.signed.example. 600 IN A 192.0.2.2",
	NULL,
};

static struct event_base *base;
static struct name_server *server;
static struct arena *arena;

static int
set_up(void **state UNUSED)
{
	base = event_base_new();
	server = name_server_new(base, records);
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	arena_free(arena);
	name_server_free(server);
	event_base_free(base);
	return 0;
}

static struct dns_resolver *
resolver_new(void)
{
	struct dns_options o = {.forward = &server->forward,
		.forward_count = 1,
		.trust_anchor = server->anchor,
		.concurrency = 10};
	struct dns_resolver *r = NULL;
	struct error err;

	if (dns_resolver_new(&o, base, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static void
on_answer(const struct dns_answer *answer, void *arg)
{
	*(const struct dns_answer **)arg = answer;
	(void)event_base_loopbreak(base);
}

/* Asks for an address; *asked: how often the name server was asked for that name meanwhile. */
static const struct dns_answer *
ask(struct dns_resolver *r, const char *name, unsigned int *asked)
{
	const struct dns_answer *answer = NULL;

	server->questions = 0;
	(void)dns_query_start(r, name, DNS_A, arena, on_answer, &answer);
	while (answer == NULL)
		assert_int_equal(event_base_loop(base, 0), 0);
	*asked = server->questions;
	return answer;
}

/* A server that fails and is mended. */
static void
failure(void **state UNUSED)
{
	struct dns_resolver *r = resolver_new();
	unsigned int asked;

	server->watched = "good.example.";
	server->servfail = true;
	assert_int_equal(ask(r, "good.example", &asked)->status, DNS_FAILED);
	assert_true(asked > 0);
	server->servfail = false;
	pass_time(61);
	assert_int_equal(ask(r, "good.example", &asked)->status, DNS_FOUND);
	assert_true(asked > 0);
	/* What was found is remembered for its time to live. */
	pass_time(61);
	assert_int_equal(ask(r, "good.example", &asked)->status, DNS_FOUND);
	assert_int_equal(asked, 0);
	dns_resolver_free(r);
}

/* A zone that is bogus: remembered, so that a crawl does not ask again for each of its names; but
 * its owner need not wait for more than a minute once he has mended it. */
static void
bogus(void **state UNUSED)
{
	struct dns_resolver *r = resolver_new();
	const struct dns_answer *a;
	unsigned int asked;

	server->watched = "www.signed.example.";
	a = ask(r, "www.signed.example", &asked);
	assert_int_equal(a->status, DNS_FAILED);
	assert_int_equal(a->secure, DNS_BOGUS);
	assert_true(asked > 0);
	a = ask(r, "www.signed.example", &asked);
	assert_int_equal(a->secure, DNS_BOGUS);
	assert_int_equal(asked, 0);
	server->watched = "signed.example."; /* the keys, too, are looked for again */
	pass_time(61);
	a = ask(r, "www.signed.example", &asked);
	assert_int_equal(a->secure, DNS_BOGUS);
	assert_true(asked > 0);
	server->watched = "www.signed.example.";
	pass_time(61);
	(void)ask(r, "www.signed.example", &asked);
	assert_true(asked > 0);
	dns_resolver_free(r);
}

/* Two vantage points are two resolvers. */
static void
nothing_shared(void **state UNUSED)
{
	struct dns_resolver *here = resolver_new(), *there = resolver_new();
	unsigned int asked;

	server->watched = "good.example.";
	assert_int_equal(ask(here, "good.example", &asked)->status, DNS_FOUND);
	assert_true(asked > 0);
	assert_int_equal(ask(here, "good.example", &asked)->status, DNS_FOUND);
	assert_int_equal(asked, 0);
	assert_int_equal(ask(there, "good.example", &asked)->status, DNS_FOUND);
	assert_true(asked > 0);
	dns_resolver_free(here);
	dns_resolver_free(there);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bogus, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_shared, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("dns_cache", tests, NULL, NULL);
}

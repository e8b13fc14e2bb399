/*
 * Looks at whole domains through the engine, with a name server of our own: what the lab cannot show,
 * since it lives under a special-use name itself and permits them all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <event2/event.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "tests/unit/helper_name_server.h"
#include "verifier/engine.h"
#include "verifier/report.h"

static const char *const records[] = {
	"inside.org. 60 IN MX 10 mx.inside.internal.",
	"home.org. 60 IN MX 10 mail.home.arpa.",
	"local.org. 60 IN MX 10 localhost.",
	"both.org. 60 IN MX 10 mx.both.internal.",
	"both.org. 60 IN MX 20 mx.gone.org.",
	"gone.org. 60 IN SOA ns.gone.org. root.gone.org. 1 60 60 60 60",
	"mx.inside.internal. 60 IN A 127.0.0.1",
	"mail.home.arpa. 60 IN A 127.0.0.1",
	NULL,
};

static struct event_base *base;
static struct name_server *server;

static int
set_up(void **state UNUSED)
{
	base = event_base_new();
	server = name_server_new(base, records);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	name_server_free(server);
	event_base_free(base);
	return 0;
}

struct want {
	const char *host; /* the MX under a special-use name */
	enum verdict verdict;
	bool found; /* mx-special-use */
};

static void
on_report(const struct report *r, void *arg)
{
	const struct want *want = arg;
	bool found = false;

	for (size_t i = 0; i < r->findings.count; i++) {
		const struct finding *f = &r->findings.items[i];

		if (strcmp(f->code, "mx-special-use") != 0)
			continue;
		found = true;
		assert_string_equal(f->subject, want->host);
		assert_int_equal(f->severity, SEVERITY_FAIL);
		assert_non_null(f->fix);
	}
	assert_int_equal(found, want->found);
	assert_int_equal(r->verdict, want->verdict);
	assert_false(r->eligible);
	(void)event_base_loopbreak(base);
}

static void
look(const char *domain, bool special_use_names, const struct want *want)
{
	struct engine_options o;
	struct engine *e;
	struct error err;
	union {
		const struct want *in;
		void *out;
	} cast = {want};

	engine_options_default(&o);
	o.dns_forward = &server->forward;
	o.dns_forward_count = 1;
	o.trust_anchor = server->anchor;
	o.deadline_s = 5;
	o.special_use_names = special_use_names;
	if (engine_new(&o, base, &e, &err) < 0)
		fail_msg("%s", err.text);
	engine_submit(e, domain, on_report, cast.out);
	assert_int_equal(event_base_dispatch(base), 0);
	assert_int_equal(engine_in_flight(e), 0);
	engine_free(e);
}

/* R3.10: such a name is nobody's; it is not even asked for. */
static void
special_use(void **state UNUSED)
{
	static const struct {
		const char *domain, *host, *watched;
	} rows[] = {
		{"inside.org", "mx.inside.internal", "mx.inside.internal."},
		{"home.org", "mail.home.arpa", "mail.home.arpa."},
		{"local.org", "localhost", "localhost."},
		{"both.org", "mx.both.internal", "mx.both.internal."},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct want want = {.host = rows[i].host, .verdict = VERDICT_FAIL, .found = true};

		server->watched = rows[i].watched;
		server->questions = 0;
		look(rows[i].domain, false, &want);
		assert_int_equal(server->questions, 0);
	}
}

/* Where they are permitted (the lab), the host is one like others: here it has a special address,
 * to which nobody connects (R3.14). */
static void
special_use_permitted(void **state UNUSED)
{
	struct want want = {.verdict = VERDICT_FAIL};

	server->watched = "mx.inside.internal.";
	server->questions = 0;
	look("inside.org", true, &want);
	assert_true(server->questions > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(special_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(special_use_permitted, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("domain_check", tests, NULL, NULL);
}

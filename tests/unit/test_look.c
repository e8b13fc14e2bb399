/* Looks in the store: what one leaves there decides when the next is due, restarts between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/look.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "common/arena.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/report.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    (24 * HOUR)
#define T0     INT64_C(1764000000)
#define DOMAIN "d.test"

struct fixture {
	char dir[64];
	char *path, *url;
	struct settings *settings;
	struct store *store;
	struct look_point point;
	int64_t domain;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static const struct clock clock = {0};

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/preload25-look-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	f->path = xasprintf("%s/db", f->dir);
	f->url = xasprintf("sqlite:%s", f->path);
	if (settings_load(NULL, &clock, &f->settings, &f->err) < 0 ||
		store_open(f->url, STORE_CREATE, &f->store, &f->err) < 0) {
		print_error("%s\n", f->err.text);
		return -1;
	}
	f->point = (struct look_point){.settings = f->settings, .vantage = "local"};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	settings_free(f->settings);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	free(f->path);
	free(f->url);
	free(f);
	return 0;
}

/* As another process finds it. */
static void
restart(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(f->url, STORE_MUST_EXIST, &f->store, &f->err), 0);
	f->point.store = f->store;
}

static void
add(struct fixture *f)
{
	struct store_domain d = {0};

	f->point.store = f->store;
	assert_int_equal(
		store_vantage(f->store, f->point.vantage, T0, &f->point.vantage_id, &f->err), 0);
	assert_int_equal(store_add(f->store, DOMAIN, "import", T0, &f->err), 1);
	assert_int_equal(store_find(f->store, DOMAIN, &d, &f->err), 1);
	f->domain = d.id;
	store_domain_clear(&d);
}

/* A report of that verdict; passing, one that qualifies by MTA-STS. */
static struct report *
see(enum verdict verdict, int64_t now_s)
{
	struct report *r = report_new(DOMAIN);
	const char **mxs = arena_calloc(r->arena, 1, sizeof(*mxs));

	mxs[0] = "mx.d.test";
	r->ascii = DOMAIN;
	r->time_s = now_s;
	r->verdict = verdict;
	if (verdict == VERDICT_PASS) {
		r->eligible = true;
		r->source = SOURCE_MTA_STS;
		r->auth_pkix = true;
		r->mode = POLICY_MODE_ENFORCE;
		r->max_age_s = 30 * DAY;
		r->mxs = mxs;
		r->mxs_count = 1;
		r->tls_version = 13;
	} else if (verdict == VERDICT_UNKNOWN) {
		finding_add(&r->findings, "mx-all-unreachable", SEVERITY_TEMP, DOMAIN, NULL,
			"no MX host answers");
	} else {
		finding_add(
			&r->findings, "pkix-expired", SEVERITY_FAIL, "mx.d.test", NULL, "expired");
	}
	return r;
}

/* Looks at that time; the time until the store has the domain due again. */
static int64_t
look(struct fixture *f, enum verdict verdict, int64_t now_s)
{
	struct report *r = see(verdict, now_s);
	int64_t due_s = 0;

	if (look_store(&f->point, f->domain, r, now_s, NULL, &f->err) < 0)
		fail_msg("%s", f->err.text);
	report_free(r);
	assert_int_equal(store_next_due(f->store, f->point.vantage_id, &due_s, &f->err), 1);
	return due_s - now_s;
}

/* R9.14 */
static void
test_back_off_over_restarts(void **state)
{
	static const int64_t minutes[] = {5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440};
	struct fixture *f = *state;
	int64_t now_s = T0;

	add(f);
	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		int64_t wait_s = look(f, VERDICT_UNKNOWN, now_s);

		if (wait_s != minutes[i] * MINUTE)
			fail_msg("look %zu: due again in %lld s", i, (long long)wait_s);
		now_s += wait_s;
		restart(f);
	}
	/* Something was told: forgotten, also by the store. */
	assert_int_equal(look(f, VERDICT_FAIL, now_s), DAY);
	restart(f);
	assert_int_equal(look(f, VERDICT_UNKNOWN, now_s + DAY), 5 * MINUTE);
}

/* What could not be told meanwhile neither hastens nor delays the week. */
static void
test_joining_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct store_domain d = {0};
	int64_t now_s = T0;

	add(f);
	for (int day = 0; day <= 7; day++) {
		assert_int_equal(store_find(f->store, DOMAIN, &d, &f->err), 1);
		assert_int_equal(d.life.state, day == 0 ? LIFE_CANDIDATE : LIFE_PENDING);
		assert_int_equal(look(f, VERDICT_PASS, now_s), 6 * HOUR);
		for (int64_t at_s = now_s + 6 * HOUR; at_s < now_s + DAY;) {
			at_s += look(f, VERDICT_UNKNOWN, at_s);
			restart(f);
		}
		now_s += DAY;
	}
	assert_int_equal(store_find(f->store, DOMAIN, &d, &f->err), 1);
	assert_int_equal(d.life.state, LIFE_LISTED);
	assert_int_equal(d.life.since_s, T0 + 7 * DAY);
	assert_int_equal(d.life.confirmed_s, T0 + 7 * DAY);
	store_domain_clear(&d);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_back_off_over_restarts),
		CASE(test_joining_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The configuration of preload25: defaults, paths, and what does not go together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/settings.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

#define SPKI "3C8672db31101da9c010d54b761a0061ff05c6525dd42a7f8f21d704a60ff560"

static char dir[] = "/tmp/preload25-settings-XXXXXX";
static char *path;

static int
load(const char *text, struct settings **out, struct error *err)
{
	const struct clock clock = clock_fixed(1764000000);

	error_clear(err);
	assert_int_equal(file_replace(path, text, strlen(text), 0600, err), 0);
	return settings_load(path, &clock, out, err);
}

static void
test_defaults(void **state UNUSED)
{
	const struct clock clock = clock_fixed(1764000000);
	struct settings *s;
	struct error err;

	assert_int_equal(settings_load(NULL, &clock, &s, &err), 0);
	assert_int_equal(clock_now(&s->engine.clock), 1764000000);
	assert_int_equal(s->vantage_count, 1);
	assert_string_equal(s->vantages[0], "local");
	assert_int_equal(s->life.vantages, 1);
	/* The numbers of the design. */
	assert_int_equal(s->life.join_s, 7 * 86400);
	assert_int_equal(s->life.recheck_s, 6 * 3600);
	assert_int_equal(s->life.demote_s, 14 * 86400);
	assert_int_equal(s->life.remove_s, 28 * 86400);
	assert_int_equal(s->life.leave_gap_s, 86400);
	assert_int_equal(s->life.gone_s, 7 * 86400);
	assert_int_equal(s->engine.max_age_min_s, 86400);
	assert_int_equal(s->list.churn_percent, 2);
	assert_int_equal(s->engine.smtp_port, 25);
	assert_int_equal(s->engine.https_port, 443);
	assert_false(s->engine.special_use_names);
	settings_free(s);
	settings_free(NULL);
}

static void
test_paths(void **state UNUSED)
{
	struct settings *s;
	struct error err;
	char *want;

	assert_int_equal(load("[store]\nurl = sqlite:p.db\n[dns]\ntrust_anchor = /abs/anchor\n"
			      "[network]\nca_file = ca/root.pem\n[repository]\npath = repo\n"
			      "remote = ../mirror.git\nremote = git@host:x\nremote = https://h/x\n"
			      "root_key = pkcs11:object=root\ntargets_key = keys/t.pem\n"
			      "snapshot_key = file:keys/s.pem\ntimestamp_key = file:/abs/t.pem\n",
				 &s, &err),
		0);
#define AT_DIR(prefix, name) (free(want), want = xasprintf("%s%s/%s", prefix, dir, name))
	want = NULL;
	assert_string_equal(s->store_url, AT_DIR("sqlite:", "p.db"));
	assert_string_equal(s->engine.trust_anchor, "/abs/anchor");
	assert_string_equal(s->engine.ca_file, AT_DIR("", "ca/root.pem"));
	assert_string_equal(s->repository.path, AT_DIR("", "repo"));
	assert_int_equal(s->repository.remote_count, 3);
	assert_string_equal(s->repository.remotes[0], AT_DIR("", "../mirror.git"));
	assert_string_equal(s->repository.remotes[1], "git@host:x");
	assert_string_equal(s->repository.remotes[2], "https://h/x");
	assert_string_equal(s->repository.keys[TUF_ROLE_ROOT].uris[0], "pkcs11:object=root");
	assert_string_equal(s->repository.keys[TUF_ROLE_TARGETS].uris[0], AT_DIR("", "keys/t.pem"));
	assert_string_equal(
		s->repository.keys[TUF_ROLE_SNAPSHOT].uris[0], AT_DIR("file:", "keys/s.pem"));
	assert_string_equal(s->repository.keys[TUF_ROLE_TIMESTAMP].uris[0], "file:/abs/t.pem");
	free(want);
	settings_free(s);
}

static void
test_special_use_names(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{"", false},
		{"[network]\nallow = 127.0.0.0/8\n", true},
		{"[network]\nallow = 127.0.0.0/8\nspecial_use_names = no\n", false},
		{"[network]\nspecial_use_names = yes\n", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings *s;
		struct error err;

		assert_int_equal(load(cases[i].text, &s, &err), 0);
		assert_int_equal(s->engine.special_use_names, cases[i].want);
		settings_free(s);
	}
}

static void
test_self_test(void **state UNUSED)
{
	struct settings *s;
	struct error err;

	assert_int_equal(load("", &s, &err), 0);
	assert_false(self_test_is_on(&s->engine.self_test));
	settings_free(s);
	assert_int_equal(load("[dns]\nself_test_secure = example.org\nself_test_bogus = "
			      "broken.example.org\n[network]\nreference_host = mx.example.org\n"
			      "reference_host = mx.example.net\nreference_spki = " SPKI "\n",
				 &s, &err),
		0);
	assert_true(self_test_is_on(&s->engine.self_test));
	assert_string_equal(s->engine.self_test.secure, "example.org");
	assert_string_equal(s->engine.self_test.bogus, "broken.example.org");
	assert_int_equal(s->engine.self_test.host_count, 2);
	assert_string_equal(s->engine.self_test.hosts[1], "mx.example.net");
	assert_int_equal(s->engine.self_test.key_count, 1);
	assert_string_equal(s->engine.self_test.keys[0], SPKI);
	settings_free(s);
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"[store]\nurl = postgresql://h/d\n",
			":2: url = postgresql://h/d: only sqlite:FILE"},
		{"[store]\nurl = sqlite:\n", ":2: url = sqlite:"},
		{"[vantage]\nname = a\nname = a\n", ":3: name = a is given twice"},
		{"[vantage]\nname = a b\n", ":2: name = a b: a vantage point is named"},
		{"[vantage]\nname = operator\n", ":2: name = operator"},
		{"[life]\ndemote = 100\nremove = 99\n", ":3: remove comes before demote"},
		{"[life]\nrecheck = 7200\ngap = 3600\n", ":3: gap is shorter than recheck"},
		{"[life]\njoin = 7d\n", ":2: join = 7d: not a whole number"},
		{"[life]\nretry = 299\n", ":2: retry"}, /* R9.14 */
		{"[list]\nchurn_percent = 101\n", ":2: churn_percent"},
		{"[crawl]\nconcurrency = 0\n", ":2: concurrency"},
		{"[dns]\nself_test_secure = one-label\n",
			":2: self_test_secure = one-label: not a host name"},
		{"[dns]\nself_test_bogus = Example.org\n",
			":2: self_test_bogus = Example.org: not a host name in lower case"},
		{"[network]\nreference_host = mx.example.org\n",
			":2: reference_host without reference_spki"},
		{"[network]\nreference_spki = " SPKI "\n", ":2: reference_spki without"},
		{"[network]\nreference_host = mx.example.org\nreference_spki = " SPKI "0\n",
			":3: reference_spki = " SPKI "0: not the 64 hex digits"},
		{"[network]\nreference_host = 192.0.2.1\nreference_spki = " SPKI "\n",
			":2: reference_host = 192.0.2.1: not a host name"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings *s;
		struct error err;

		if (load(cases[i].text, &s, &err) == 0)
			fail_msg("case %zu was accepted", i);
		assert_null(s);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (strncmp(err.text, path, strlen(path)) != 0 ||
			strncmp(err.text + strlen(path), cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("case %zu: got \"%s\"", i, err.text);
	}
}

/* data/preload25.conf.example is what the table of keys says. */
static void
test_sample(void **state UNUSED)
{
	const char *tests = getenv("TESTDIR");
	char *name =
		xasprintf("%s/../data/preload25.conf.example", tests != NULL ? tests : "tests");
	struct buf want, got;
	struct error err = {0};

	buf_init(&want, 1 << 20);
	buf_init(&got, 1 << 20);
	assert_int_equal(config_sample(settings_keys, settings_key_count, &want), 0);
	if (file_read(name, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_str(&got), buf_str(&want));
	buf_clear(&want);
	buf_clear(&got);
	free(name);
}

static int
make_dir(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	path = xasprintf("%s/preload25.conf", dir);
	return 0;
}

static int
remove_dir(void **state UNUSED)
{
	(void)unlink(path);
	free(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_special_use_names),
		cmocka_unit_test(test_self_test),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

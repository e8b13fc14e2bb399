/* The INI reader: every refusal names file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

static const struct config_key keys[] = {
	{.section = "dns", .name = "forward", .type = CONFIG_STRING, .repeat = true, .help = "resolver"},
	{.section = "dns", .name = "anchor", .type = CONFIG_STRING, .help = "file"},
	{.section = "crawl", .name = "rate", .type = CONFIG_INT, .fallback = "7", .min = 1, .max = 100,
		.help = "rate"},
	{.section = "list", .name = "url", .type = CONFIG_STRING, .repeat = true, .named = true, .help = "where"},
	{.section = "list", .name = "max", .type = CONFIG_INT, .named = true, .fallback = "3", .min = 1,
		.max = 9, .help = "how many"},
	{.section = "crawl", .name = "verbose", .type = CONFIG_BOOL, .fallback = "no", .help = "talk"},
};

static char path[] = "/tmp/preload25-config-XXXXXX";

static int
load(const char *text, size_t len, struct config **out, struct error *err)
{
	error_clear(err);
	if (file_replace(path, text, len, 0600, err) < 0)
		fail_msg("%s", err->text);
	return config_load(path, keys, ARRAY_LEN(keys), out, err);
}

/* Blanks in front of a key mean nothing; in particular they make no value of the key before. */
static void
test_indented(void **state UNUSED)
{
	static const char text[] = "  [dns]\n  forward = ::1@54\n\tanchor = /a\n  # c\n";
	static const char wrong[] = "[dns]\nforward = ::1@54\n  127.0.0.1@53\n";
	struct config *c;
	struct error err;

	assert_int_equal(load(text, strlen(text), &c, &err), 0);
	assert_int_equal(config_count(c, "dns", "forward"), 1);
	assert_string_equal(config_string(c, "dns", "anchor"), "/a");
	config_free(c);
	assert_int_equal(load(wrong, strlen(wrong), &c, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, ":3: "));
}

static void
test_values(void **state UNUSED)
{
	static const char text[] = "# comment\n[dns]\nforward = 127.0.0.1@53\nforward=::1@54\n\n"
				   "[crawl]\nverbose = yes ; note\n";
	struct config *c;
	struct error err;
	char *where;

	assert_int_equal(load(text, strlen(text), &c, &err), 0);
	assert_int_equal(config_count(c, "dns", "forward"), 2);
	assert_string_equal(config_nth(c, "dns", "forward", 0), "127.0.0.1@53");
	assert_string_equal(config_nth(c, "dns", "forward", 1), "::1@54");
	assert_null(config_string(c, "dns", "anchor"));
	assert_int_equal(config_int(c, "crawl", "rate"), 7);
	assert_true(config_bool(c, "crawl", "verbose"));
	assert_false(config_is_set(c, "crawl", "rate"));
	where = xasprintf("%s:7", path);
	assert_string_equal(config_where(c, "crawl", "verbose"), where);
	free(where);
	config_free(c);
	assert_int_equal(config_load(NULL, keys, ARRAY_LEN(keys), &c, &err), 0);
	assert_int_equal(config_int(c, "crawl", "rate"), 7);
	config_free(c);
	config_free(NULL);
}

/* Sections with a name have values of their own, and come in the order of the file. */
static void
test_named(void **state UNUSED)
{
	static const char text[] = "[list z-1]\nurl = z\nurl = zz\n[list]\nurl = first\n[list a]\nmax = 5\n"
				   "[dns]\nanchor = x\n[list]\nmax = 4\n[list z-2]\n";
	struct config *c;
	struct error err;
	char *where;

	assert_int_equal(load(text, strlen(text), &c, &err), 0);
	assert_int_equal(config_named_count(c, "list"), 2);
	assert_int_equal(config_named_count(c, "dns"), 0);
	assert_string_equal(config_named_nth(c, "list", 0), "list z-1");
	assert_string_equal(config_named_nth(c, "list", 1), "list a");
	assert_int_equal(config_count(c, "list", "url"), 1);
	assert_int_equal(config_count(c, "list z-1", "url"), 2);
	assert_string_equal(config_nth(c, "list z-1", "url", 1), "zz");
	assert_int_equal(config_count(c, "list a", "url"), 0);
	assert_int_equal(config_int(c, "list", "max"), 4);
	assert_int_equal(config_int(c, "list a", "max"), 5);
	assert_int_equal(config_int(c, "list z-1", "max"), 3);
	assert_true(config_is_set(c, "list a", "max"));
	assert_false(config_is_set(c, "list z-1", "max"));
	where = xasprintf("%s:3", path);
	assert_string_equal(config_where(c, "list z-1", "url"), where);
	free(where);
	config_free(c);
}

/* There may be so many. */
static void
test_many_named(void **state UNUSED)
{
	struct config *c;
	struct error err;
	struct buf text;

	buf_init(&text, 10000);
	for (int i = 0; i < CONFIG_NAMED_MAX; i++)
		buf_addf(&text, "[list %032d]\nmax = 1\n", i);
	assert_int_equal(load(text.data, text.len, &c, &err), 0);
	assert_int_equal(config_named_count(c, "list"), CONFIG_NAMED_MAX);
	config_free(c);
	buf_addf(&text, "[list more]\nmax = 1\n");
	assert_int_equal(load(text.data, text.len, &c, &err), -1);
	assert_non_null(strstr(err.text, "more than 64 sections with names"));
	buf_clear(&text);
}

static void
test_refusals(void **state UNUSED)
{
	char long_line[400];
	const struct {
		const char *text;
		size_t len;
		const char *want; /* behind "PATH:" */
	} cases[] = {
		{"[dns]\nfoward = x\n", 0, "2: unknown key foward in section [dns]"},
		{"[dnss]\nforward = x\n", 0, "2: unknown section [dnss]"},
		{"forward = x\n", 0, "1: forward stands before any [section]"},
		{"[crawl]\nrate = 0\n", 0, "2: rate = 0: not a whole number from 1 to 100"},
		{"[crawl]\nrate = 101\n", 0, "2: rate = 101: not a whole number from 1 to 100"},
		{"[crawl]\nrate = fast\n", 0, "2: rate = fast: not a whole number from 1 to 100"},
		{"[crawl]\nrate =\n", 0, "2: rate = : not a whole number from 1 to 100"},
		{"[crawl]\nverbose = maybe\n", 0, "2: verbose = maybe: not yes or no"},
		{"[crawl]\n\nrate = 5\nrate = 6\n", 0, "4: rate is given twice"},
		{"[dns x]\nforward = x\n", 0, "2: unknown section [dns x]"},
		{"[list x]\nfoo = x\n", 0, "2: unknown key foo in section [list x]"},
		{"[list x]\nmax = 1\nmax = 2\n", 0, "3: max is given twice"},
		{"[list x]\nurl = a\n[dns]\n  [list x]\nurl = b\n", 0, "5: section [list x] is given twice (first at "},
		{"[list ]\nmax = 1\n", 0, "2: section [list ]: the name is not of 1 to 32"},
		{"[list  x]\nmax = 1\n", 0, "2: section [list  x]: the name is not"},
		{"[list X]\nmax = 1\n", 0, "2: section [list X]: the name is not"},
		{"[list a/b]\nmax = 1\n", 0, "2: section [list a/b]: the name is not"},
		{"[list 123456789012345678901234567890123]\nmax = 1\n", 0, "2: section [list 1234567890123"},
		{"[lis t]\nmax = 1\n", 0, "2: unknown section [lis t]"},
		{"[dns]\nanchor =\n", 0, "2: anchor has no value"},
		{"[dns\nanchor = x\n", 0, "1: neither [section] nor key = value"},
		{"[dns]\nanchor\n", 0, "2: neither [section] nor key = value"},
		{"[dns]\nanchor = a\0b\n", 19, "2: NUL byte"},
		{long_line, 0, "2: line longer than"},
	};

	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, "[dns]\nanchor = ", 15);
	long_line[sizeof(long_line) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = NULL;
		struct error err;
		char *want = xasprintf("%s:%s", path, cases[i].want);

		print_message("# %s\n", cases[i].want);
		assert_int_equal(load(cases[i].text,
					 cases[i].len > 0 ? cases[i].len : strlen(cases[i].text), &c,
					 &err),
			-1);
		assert_null(c);
		assert_int_equal(error_exit_code(&err), 2);
		if (strncmp(err.text, want, strlen(want)) != 0)
			fail_msg("got \"%s\", want \"%s\"", err.text, want);
		free(want);
	}
}

static void
test_missing(void **state UNUSED)
{
	struct config *c = NULL;
	struct error err;

	assert_int_equal(config_load("/nonexistent/x.conf", keys, ARRAY_LEN(keys), &c, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	assert_string_equal(err.text, "/nonexistent/x.conf: No such file or directory");
}

static void
test_sample(void **state UNUSED)
{
	struct buf out;
	struct config *c;
	struct error err;

	buf_init(&out, 10000);
	assert_int_equal(config_sample(keys, ARRAY_LEN(keys), &out), 0);
	assert_non_null(strstr(buf_str(&out), "[dns]\n# resolver (may repeat)\n#forward = \n"));
	assert_non_null(strstr(buf_str(&out), "[list]\n# further ones are [list NAME], with keys of their own\n"
					      "# where (may repeat)\n"));
	/* The sample as it stands is a valid file: everything is commented out. */
	assert_int_equal(load(buf_str(&out), out.len, &c, &err), 0);
	config_free(c);
	buf_clear(&out);
}

static int
make_path(void **state UNUSED)
{
	int fd = mkstemp(path);

	return fd < 0 || close(fd) < 0;
}

static int
remove_path(void **state UNUSED)
{
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_many_named),
		cmocka_unit_test(test_indented),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}

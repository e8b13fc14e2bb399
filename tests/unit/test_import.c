/* What domains come out of which file, and what is said about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/import.h"
#include "common/error.h"
#include "common/xalloc.h"

struct seen {
	char domains[4000]; /* joined by blanks */
	char refused[4000]; /* "WHERE TYPED;" */
	int count, refused_count;
	int fail_after; /* 0: never */
};

static int
on_domain(const char *ascii, void *arg, struct error *err)
{
	struct seen *s = arg;
	size_t len = strlen(s->domains);

	if (s->fail_after > 0 && s->count + 1 == s->fail_after)
		return error_set(err, ERROR_TEMP, "disk full");
	s->count++;
	if (len + strlen(ascii) + 2 < sizeof(s->domains))
		(void)snprintf(s->domains + len, sizeof(s->domains) - len, "%s%s",
			len > 0 ? " " : "", ascii);
	return 0;
}

static void
on_refused(const char *where, const char *typed, const char *why, void *arg)
{
	struct seen *s = arg;
	size_t len = strlen(s->refused);

	assert_true(why[0] != '\0');
	s->refused_count++;
	if (len + strlen(where) + strlen(typed) + 3 < sizeof(s->refused))
		(void)snprintf(s->refused + len, sizeof(s->refused) - len, "%s %s;", where, typed);
}

static int
import(const char *text, size_t len, struct seen *s, struct error *err)
{
	const struct import_sink sink = {.domain = on_domain, .refused = on_refused, .arg = s};
	FILE *in = len > 0 ? fmemopen((void *)(uintptr_t)text, len, "r") : fopen("/dev/null", "r");
	int rc;

	assert_non_null(in);
	error_clear(err);
	rc = import_read(in, "f", false, &sink, err);
	(void)fclose(in);
	return rc;
}

static void
test_files(void **state UNUSED)
{
	static const struct {
		const char *name, *text, *domains, *refused;
	} cases[] = {
		{"empty", "", "", ""},
		{"blank", " \n\t\n\n", "", ""},
		{"text", "a.example.org\nb.example.org\n", "a.example.org b.example.org", ""},
		{"no newline at the end", "a.example.org", "a.example.org", ""},
		{"comments",
			"# one, two; three\na.example.org # note, and more\n#\nb.example.org\n",
			"a.example.org b.example.org", ""},
		{"CR LF", "a.example.org\r\nb.example.org\r\n", "a.example.org b.example.org", ""},
		{"byte order mark",
			"\xef\xbb\xbf"
			"a.example.org\n",
			"a.example.org", ""},
		{"forms", "A.EXAMPLE.ORG\n trailing.example.org. \nm\xc3\xbcnchen.de\n",
			"a.example.org trailing.example.org xn--mnchen-3ya.de", ""},
		{"bad lines",
			"ok.example.org\nwith "
			"space.example.org\nhttp://u.example.org/\n-x.example.org\n"
			"me@example.org\nok2.example.org\n",
			"ok.example.org ok2.example.org",
			"f:2 with space.example.org;f:3 http://u.example.org/;f:4 -x.example.org;"
			"f:5 me@example.org;"},
		{"control bytes are shown escaped",
			"a\x01"
			"b.example.org\n",
			"", "f:1 a\\x01b.example.org;"},
		{"CSV without headings", "a.example.org,1,x\nb.example.org,2,y\n",
			"a.example.org b.example.org", ""},
		{"CSV with a heading", "rank,domain\n1,a.example.org\n2,b.example.org\n",
			"a.example.org b.example.org", ""},
		{"CSV, domain before address", "address,Domain Name\nx.example.com,a.example.org\n",
			"a.example.org", ""},
		{"CSV, address suffix",
			"Address Suffix,Hostname Suffix\na.example.org,b.example.org\n",
			"a.example.org", ""},
		{"CSV of mail addresses", "name;E-Mail\nX;me@a.example.org\n", "a.example.org", ""},
		{"CSV with unknown headings", "site,rank\na.example.org,1\n", "a.example.org", ""},
		{"CSV with quotes",
			"name,domain\n\"Smith, J.\",\"a.example.org\"\n"
			"\"say \"\"hi\"\"\",b.example.org\n\"two\nlines\",c.example.org\n",
			"a.example.org b.example.org c.example.org", ""},
		{"CSV line numbers count lines",
			"name,domain\n\"two\nlines\",a.example.org\nx,bad domain\n",
			"a.example.org", "f:4 bad domain;"},
		{"CSV with a short record", "rank,domain\n1\n2,a.example.org\n", "a.example.org",
			"f:2 ;"},
		{"tabs", "rank\tdomain\n1\ta.example.org\n", "a.example.org", ""},
		{"JSON",
			"{\"version\":\"0.1\",\"policies\":{\"a.example.org\":{\"policy-alias\":"
			"\"p\"},"
			"\"b.example.org\":{}},\"policy-aliases\":{\"p\":{}}}",
			"a.example.org b.example.org", ""},
		{"JSON with a bad key", "{\"policies\":{\"a b\":{},\"b.example.org\":{}}}",
			"b.example.org", "f: policies a b;"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen s = {0};
		struct error err;

		if (import(cases[i].text, strlen(cases[i].text), &s, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (strcmp(s.domains, cases[i].domains) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name, s.domains);
		if (strcmp(s.refused, cases[i].refused) != 0)
			fail_msg("%s: refused \"%s\"", cases[i].name, s.refused);
	}
}

static void
test_refused_files(void **state UNUSED)
{
	static const struct {
		const char *name, *text;
		size_t len; /* 0: strlen */
		const char *want;
	} cases[] = {
		{"NUL", "a.example.org\nb\0.example.org\n", 27, "f:2: NUL byte"},
		{"NULs only", "\0\0\0\0", 4, "f:1: NUL byte"},
		{"open quote", "a,b\n\"unclosed,x\n", 0, "f:2: a quotation mark is never closed"},
		{"JSON cut off", "{\"policies\": {", 0, "f: "},
		{"JSON of another kind", "{\"domains\": []}", 0, "f: has no \"policies\""},
		{"JSON array", "[]", 0, "f: has no \"policies\""},
		{"half a byte order mark",
			"\xef\xbb"
			"a.example.org\n",
			0, "f:1: is not UTF-8"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen s = {0};
		struct error err;
		size_t len = cases[i].len > 0 ? cases[i].len : strlen(cases[i].text);

		if (import(cases[i].text, len, &s, &err) == 0)
			fail_msg("%s: accepted", cases[i].name);
		assert_int_equal(err.kind, ERROR_INPUT);
		if (strncmp(err.text, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name, err.text);
	}
}

/* At the limits of a record: up to it, and one octet more. */
static void
test_limits(void **state UNUSED)
{
	struct seen s = {0};
	struct error err;
	char *text = xcalloc(IMPORT_RECORD_MAX + 100, 1);
	size_t len;

	memset(text, 'a', IMPORT_RECORD_MAX - 1);
	text[IMPORT_RECORD_MAX - 1] = '\n';
	assert_int_equal(import(text, IMPORT_RECORD_MAX, &s, &err), 0);
	assert_int_equal(s.refused_count, 1);
	memset(text, 'a', IMPORT_RECORD_MAX + 1);
	text[IMPORT_RECORD_MAX + 1] = '\n';
	assert_int_equal(import(text, IMPORT_RECORD_MAX + 2, &s, &err), -1);
	assert_non_null(strstr(err.text, "f:1: line longer than"));

	/* Fields: IMPORT_FIELDS_MAX of them, and one more. */
	for (size_t extra = 0; extra < 2; extra++) {
		memset(text, ',', IMPORT_FIELDS_MAX + 2);
		len = IMPORT_FIELDS_MAX - 1 + extra;
		text[len] = '\n';
		assert_int_equal(import(text, len + 1, &s, &err), extra == 0 ? 0 : -1);
	}
	assert_non_null(strstr(err.text, "more than 256 fields"));
	free(text);
}

static void
test_sink_may_fail(void **state UNUSED)
{
	struct seen s = {.fail_after = 2};
	struct error err;
	const char *text = "a.example.org\nb.example.org\nc.example.org\n";

	assert_int_equal(import(text, strlen(text), &s, &err), -1);
	assert_string_equal(err.text, "disk full");
	assert_int_equal(s.count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sink_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

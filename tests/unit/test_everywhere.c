/* policy.json: what goes in, what cannot be said in that format, and its exact form. Its own tools
 * read it in tests/integration/delta.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/everywhere.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/list_writer.h"

static char dir[] = "/tmp/preload25-test-XXXXXX";
static char list_path[64], policy_path[64];

static int
setup(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(list_path, sizeof(list_path), "%s/list.json", dir);
	(void)snprintf(policy_path, sizeof(policy_path), "%s/policy.json", dir);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	(void)unlink(list_path);
	(void)unlink(policy_path);
	return rmdir(dir);
}

/* The policy.json of a list of these domains and patterns; the caller frees it. */
static char *
convert(const char *const (*entries)[3], size_t count)
{
	struct list_header header = {"Say \"hi\"", 1795435200, 1796644800, 1795435200, 1, 1};
	struct list_reader *r;
	struct list_writer *w;
	struct error err;
	struct buf text;

	assert_int_equal(list_writer_open(list_path, &header, &w, &err), 0);
	for (size_t i = 0; i < count; i++) {
		const char *mxs[] = {entries[i][2]};
		struct list_entry e = {.domain = entries[i][0],
			.policy = {.auth_pkix = strcmp(entries[i][1], "dane") != 0,
				.auth_dane = strcmp(entries[i][1], "dane") == 0,
				.max_age_s = 86400,
				.mode = strcmp(entries[i][1], "testing") == 0 ? LIST_MODE_TESTING
									      : LIST_MODE_ENFORCE,
				.mxs = mxs,
				.mxs_count = 1,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.3"}};

		list_writer_add_entry(w, &e);
	}
	assert_int_equal(list_writer_commit(w, NULL, &err), 0);
	list_writer_free(w);
	assert_int_equal(list_reader_open(list_path, &r, &err), 0);
	assert_int_equal(everywhere_write(r, policy_path, &err), 0);
	list_reader_close(r);
	buf_init(&text, 100000);
	assert_int_equal(file_read(policy_path, &text, &err), 0);
	return buf_take(&text);
}

#define OPENING \
	"{\"version\":\"0.1\",\"author\":\"Say \\\"hi\\\"\"," \
	"\"timestamp\":\"2026-11-23T12:00:00Z\",\"expires\":\"2026-12-07T12:00:00Z\"," \
	"\"policy-aliases\":{},\"policies\":{\n"

static void
test_entries(void **state UNUSED)
{
	static const char *const entries[][3] = {
		{"a.example", "enforce", "*.mail.example"},
		{"b.example", "dane", "mx.b.example"},
		{"c.example", "testing", "mx.c.example"},
		/* Last labels that its schema does not take: a hyphen, a single octet. */
		{"d.xn--p1ai", "enforce", "mx.d.example"},
		{"e.example", "enforce", "mx.e.xn--p1ai"},
		{"f.x", "enforce", "mx.f.example"},
		{"g.example", "enforce", "mx.g.x"},
		{"xn--h-0ga.example", "enforce", "*.xn--h-0ga.example"},
	};
	char *text = convert(entries, ARRAY_LEN(entries));

	assert_string_equal(text,
		OPENING "\"a.example\":{\"mode\":\"enforce\",\"mxs\":[\".mail.example\"]},\n"
			"\"c.example\":{\"mode\":\"testing\",\"mxs\":[\"mx.c.example\"]},\n"
			"\"xn--h-0ga.example\":{\"mode\":\"enforce\",\"mxs\":[\".xn--h-0ga."
			"example\"]}\n}}\n");
	free(text);
}

static void
test_none(void **state UNUSED)
{
	static const char *const entries[][3] = {{"b.example", "dane", "mx.b.example"}};
	char *text = convert(entries, ARRAY_LEN(entries));

	assert_string_equal(text, OPENING "}}\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("everywhere", tests, setup, teardown);
}

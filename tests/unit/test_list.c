/* List documents: what the writer makes, the reader reads; what is not exactly that is refused. */
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
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_diff.h"
#include "export/list_reader.h"
#include "export/list_schema.h"
#include "export/list_writer.h"

static char dir[] = "/tmp/preload25-test-XXXXXX";
static char path[sizeof(dir) + 16];

static int
setup(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/list.json", dir);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	(void)unlink(path);
	return rmdir(dir);
}

static int64_t
at(const char *text)
{
	int64_t time_s = 0;

	assert_int_equal(clock_parse(text, strlen(text), &time_s), 0);
	return time_s;
}

static struct list_header
header(void)
{
	return (struct list_header){
		.author = "Example \"Preload\" \\ \xc3\xa9",
		.confirmed_since_s = at("2026-11-23T06:00:00Z"),
		.expires_s = at("2026-12-07T12:00:00Z"),
		.timestamp_s = at("2026-11-23T12:00:00Z"),
		.vantages = 3,
		.version = 42,
	};
}

static char *
contents(void)
{
	struct error err = {0};
	struct buf b;

	buf_init(&b, 100 * 1024 * 1024);
	assert_int_equal(file_read(path, &b, &err), 0);
	return buf_take(&b);
}

/* Reads the whole file; returns the number of entries, or -1 with err. */
static int64_t
read_all(struct error *err)
{
	const struct list_entry *e;
	struct list_reader *r = NULL;
	int64_t n = -1;
	int rc;

	error_clear(err);
	if (list_reader_open(path, &r, err) < 0) {
		assert_null(r);
		return -1;
	}
	while ((rc = list_reader_next(r, &e, err)) > 0)
		assert_null(list_policy_fault(&e->policy));
	if (rc == 0)
		n = list_reader_count(r);
	list_reader_close(r);
	return n;
}

/* An independent SHA-256 of SHARED begins with these digits. */
#define SHARED_ID "p-0d3e5802"
#define SHARED \
	"{\"auth\":[\"pkix\"],\"max_age\":86400,\"mode\":\"testing\"," \
	"\"mxs\":[\"mx.provider.example\"],\"source\":\"mta-sts\",\"tls\":\"1.2\"}"
#define OWN \
	"{\"auth\":[\"dane\",\"pkix\"],\"max_age\":31557600,\"mode\":\"enforce\"," \
	"\"mxs\":[\"*.mail.example.net\",\"mx1.example.com\"],\"source\":\"mta-sts\",\"tls\":\"1." \
	"3\"}"
#define TROUBLED \
	"{\"auth\":[\"pkix\"],\"confirmed\":\"2026-11-20T00:00:00Z\",\"max_age\":86400," \
	"\"mode\":\"testing\",\"mxs\":[\"mx.provider.example\"],\"source\":\"mta-sts\"," \
	"\"tls\":\"1.2\"}"
#define OPENING \
	"{\"author\":\"Example \\\"Preload\\\" \\\\ \xc3\xa9\"," \
	"\"confirmed_since\":\"2026-11-23T06:00:00Z\",\"expires\":\"2026-12-07T12:00:00Z\"," \
	"\"format\":\"preload25-list-1\",\"policies\":{\n"
#define CLOSING "},\"timestamp\":\"2026-11-23T12:00:00Z\",\"vantages\":3,\"version\":42}\n"

static const char whole[] = OPENING "\"a.example\":{\"policy-alias\":\"" SHARED_ID "\"},\n"
				    "\"b.example\":" OWN ",\n"
				    "\"c.example\":" TROUBLED ",\n"
				    "\"d.example\":{\"policy-alias\":\"" SHARED_ID "\"}\n"
				    "},\"policy-aliases\":{\n"
				    "\"" SHARED_ID "\":" SHARED "\n" CLOSING;
static const char empty[] = OPENING "},\"policy-aliases\":{\n" CLOSING;

static void
write_bytes(const char *data, size_t len)
{
	struct error err = {0};

	if (file_replace(path, data, len, 0600, &err) < 0)
		fail_msg("%s", err.text);
}

static void
test_layout(void **state UNUSED)
{
	struct list_header h = header();
	struct list_writer *w;
	struct list_made made;
	struct error err = {0};
	char *text;

	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	assert_true(list_writer_share(w, SHARED, strlen(SHARED)));
	list_writer_add(w, "a.example", 0, SHARED, strlen(SHARED));
	list_writer_add(w, "b.example", 0, OWN, strlen(OWN));
	list_writer_add(w, "c.example", at("2026-11-20T00:00:00Z"), SHARED, strlen(SHARED));
	list_writer_add(w, "d.example", 0, SHARED, strlen(SHARED));
	assert_int_equal(list_writer_commit(w, &made, &err), 0);
	list_writer_free(w);
	text = contents();
	assert_string_equal(text, whole);
	free(text);
	assert_int_equal(made.entries, 4);
	assert_int_equal(made.aliases, 1);
	assert_int_equal(made.troubled, 1);
	assert_int_equal(made.length, strlen(whole));
	assert_string_equal(
		made.sha256, "83b40ccb139f77f042f0da775510a97fd7c7b21c65409782f50ac4e560325598");

	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	assert_int_equal(list_writer_commit(w, NULL, &err), 0);
	list_writer_free(w);
	text = contents();
	assert_string_equal(text, empty);
	free(text);
	assert_int_equal(read_all(&err), 0);
}

static void
test_values(void **state UNUSED)
{
	const struct list_header want = header();
	const struct list_header *h;
	const struct list_entry *e;
	struct list_reader *r;
	struct error err = {0};

	write_bytes(whole, strlen(whole));
	assert_int_equal(list_reader_open(path, &r, &err), 0);
	h = list_reader_header(r);
	assert_string_equal(h->author, want.author);
	assert_int_equal(h->confirmed_since_s, want.confirmed_since_s);
	assert_int_equal(h->expires_s, want.expires_s);
	assert_int_equal(h->timestamp_s, want.timestamp_s);
	assert_int_equal(h->vantages, 3);
	assert_int_equal(h->version, 42);

	assert_int_equal(list_reader_next(r, &e, &err), 1);
	assert_string_equal(e->domain, "a.example");
	assert_true(e->policy.auth_pkix);
	assert_false(e->policy.auth_dane);
	assert_int_equal(e->policy.mode, LIST_MODE_TESTING);
	assert_int_equal(e->policy.mxs_count, 1);
	assert_string_equal(e->policy.mxs[0], "mx.provider.example");
	assert_int_equal(list_entry_end(h, e), want.confirmed_since_s + 86400);

	assert_int_equal(list_reader_next(r, &e, &err), 1);
	assert_string_equal(e->domain, "b.example");
	assert_true(e->policy.auth_dane);
	assert_int_equal(e->policy.max_age_s, 31557600);
	assert_int_equal(e->policy.mode, LIST_MODE_ENFORCE);
	assert_int_equal(e->policy.source, LIST_SOURCE_MTA_STS);
	assert_string_equal(e->policy.tls, "1.3");
	assert_int_equal(e->policy.mxs_count, 2);
	assert_string_equal(e->policy.mxs[1], "mx1.example.com");

	assert_int_equal(list_reader_next(r, &e, &err), 1);
	assert_int_equal(e->confirmed_s, at("2026-11-20T00:00:00Z"));
	assert_int_equal(list_entry_end(h, e), at("2026-11-21T00:00:00Z"));
	assert_int_equal(list_reader_next(r, &e, &err), 1);
	assert_int_equal(list_reader_next(r, &e, &err), 0);
	assert_int_equal(list_reader_count(r), 4);
	list_reader_close(r);

	assert_int_equal(list_reader_open(path, &r, &err), 0);
	assert_int_equal(list_reader_find(r, "c.example", &e, &err), 1);
	assert_string_equal(e->domain, "c.example");
	assert_int_equal(list_reader_find(r, "a.example", &e, &err), 0);
	list_reader_close(r);
	list_reader_close(NULL);
}

/* One change to the document each: the first occurrence of old becomes new. */
static const struct {
	const char *old, *new, *want;
} refused[] = {
	/* first line */
	{"{\"author\"", " {\"author\"", "line 1: not the first line of a list"},
	{"{\"author\"", "\xef\xbb\xbf{\"author\"", "line 1: not the first line of a list"},
	{"Example ", "", NULL},
	{"Example ", "\\u0045xample ", "line 1: a needless escape in \"author\""},
	{"Example ", "E\\/xample ", "line 1: a needless escape in \"author\""},
	{"Example ", "Exa\tmple ", "line 1: author holds a control character"},
	{"\xc3\xa9", "\xc3", "line 1: author is not UTF-8"},
	{"Example \\\"Preload\\\" \\\\ \xc3\xa9", "", "line 1: no author"},
	{"06:00:00Z", "06:00:00+00:00", "line 1: not the layout of a list's first line"},
	{"11-23T06:00:00Z", "11-31T06:00:00Z", "line 1: not the layout of a list's first line"},
	{"T06:00:00Z", "T12:00:01Z", "line 1: confirmed_since after timestamp"},
	{"2026-12-07T12:00:00Z", "2026-11-23T12:00:00Z", "line 1: expires not after timestamp"},
	{"list-1", "list-2", "line 1: the format is not preload25-list-1"},
	{"\"policies\"", "\"extra\":1,\"policies\"", "line 1: the format is not"},
	{"policies\":{\n", "policies\":{", "line 1: the format is not"},
	/* entries */
	{"\"a.example\":", "\"a.example\": ", "line 2: not the layout of a policy"},
	{"\"a.example\"", " \"a.example\"", "line 2: not the layout of an entry"},
	{"\"a.example\"", "\"A.example\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"a.example.\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"a_b.example\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"aexample\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"192.0.2.1\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"a\\u002eexample\"", "line 2: not a domain name for the list"},
	{"\"a.example\"", "\"c.example\"", "line 3: domains are not sorted and unique"},
	{"\"c.example\"", "\"b.example\"", "line 4: domains are not sorted and unique"},
	{"\"},\n\"b", "\"}\n\"b", "line 3: no comma at the end of the line before"},
	{"\"},\n\"b", "\"},\r\n\"b", "line 2: not the layout of an entry with an alias"},
	{"\"},\n\"b", "\"},\n\n\"b", "line 3: not the layout of an entry"},
	{"\"}\n},\"policy", "\"},\n},\"policy", "line 6: a comma behind the last entry"},
	{"[\"dane\",\"pkix\"]", "[\"pkix\",\"dane\"]", "line 3: \"auth\" is not"},
	{"[\"dane\",\"pkix\"]", "[]", "line 3: \"auth\" is not"},
	{"[\"dane\",\"pkix\"]", "[\"dane\",\"dane\"]", "line 3: \"auth\" is not"},
	{"[\"dane\",\"pkix\"]", "[\"dane\", \"pkix\"]", "line 3: \"auth\" is not"},
	{"31557600", "31557601", "line 3: \"max_age\" is missing or out of range"},
	{"31557600", "0", "line 3: \"max_age\" is missing or out of range"},
	{"31557600", "-1", "line 3: \"max_age\" is missing or out of range"},
	{"31557600", "031557600", "line 3: \"max_age\" is missing or out of range"},
	{"31557600", "99999999999999999999999", "line 3: \"max_age\" is missing or out of range"},
	{"31557600", "31557600.0", "line 3: \"mode\" is neither"},
	{"31557600", "3e7", "line 3: \"mode\" is neither"},
	{"\"enforce\"", "\"none\"", "line 3: \"mode\" is neither enforce nor testing"},
	{"\"enforce\",", "\"enforce\",\"more\":1,", "line 3: \"mxs\" is missing"},
	{"[\"*.mail.example.net\",\"mx1.example.com\"]", "[]", "line 3: \"mxs\" is not a list"},
	{"\"*.mail.example.net\"", "1", "line 3: \"mxs\" is not a list of strings"},
	{"\"*.mail.example.net\",", "\"*.mail.example.net\" ,", "line 3: \"mxs\" is not a list"},
	{"*.mail", ".mail", "line 3: an mx pattern is not valid"},
	{"*.mail", "*mail", "line 3: an mx pattern is not valid"},
	{"*.mail", "*.*.mail", "line 3: an mx pattern is not valid"},
	{"*.mail", "*.MAIL", "line 3: an mx pattern is not valid"},
	{"*.mail.example.net", "*.net", "line 3: an mx pattern is not valid"},
	{"*.mail.example.net", "z.example", "line 3: mx patterns are not sorted and unique"},
	{"*.mail.example.net", "mx1.example.com", "line 3: mx patterns are not sorted and unique"},
	{"\"mx1.example.com\"]", "\"mx1.example.com\",]", "line 3: \"mxs\" is not a list"},
	{"],\"source\":\"mta-sts\",\"tls\":\"1.3\"", "],\"source\":\"dnssec\",\"tls\":\"1.3\"",
		"line 3: \"source\" is none that is known"},
	{"\"1.3\"", "\"1.1\"", "line 3: \"tls\" is neither"},
	{"\"1.3\"}", "\"1.3\",\"x\":1}", "line 3: \"tls\" is neither"},
	{"\"1.3\"}", "\"1.3\"}}", "line 3: something follows the policy"},
	{"\"1.3\"}", "\"1.3\"} ", "line 3: something follows the policy"},
	{"2026-11-20T00:00:00Z", "2026-11-20T00:00:00", "line 4: \"confirmed\" is not a time"},
	{"2026-11-20T00:00:00Z", "1970-01-01T00:00:00Z", "line 4: \"confirmed\" is not a time"},
	{"2026-11-20T00:00:00Z", "2026-11-23T06:00:00Z", "line 4: \"confirmed\" is not before"},
	{"\"confirmed\":\"2026-11-20T00:00:00Z\",", "", "line 4: a policy in full for which"},
	{"\"b.example\":" OWN, "\"b.example\":{\"policy-alias\":\"p-0d3e5803\"}",
		"line 3: the alias is not defined"},
	{"{\"policy-alias\":\"" SHARED_ID "\"}", "{\"policy-alias\":\"" SHARED_ID "0\"}",
		"line 2: the alias is not defined"},
	{"{\"policy-alias\":\"" SHARED_ID "\"}", "{\"policy-alias\":\"p-0d3e580\"}",
		"line 2: the alias is not defined"},
	{"{\"policy-alias\":\"" SHARED_ID "\"}", "{\"policy-alias\":\"" SHARED_ID "\",\"tls\":1}",
		"line 2: not the layout of an entry with an alias"},
	{"\"a.example\":{\"policy-alias\":\"" SHARED_ID "\"},\n", "",
		"line 6: alias \"p-0d3e5802\" "
		"is used by fewer than two"},
	{"},\"policy-aliases\":{\n", "},\"policy-aliases\":{\n},\"policy-aliases\":{\n",
		"line 6: a second aliases section"},
	/* aliases */
	{"\n},\"policy-aliases\":{\n", "\n", "not a list: it has no aliases section"},
	{"{\n\"p-0d3e5802\"", "{\n\"p-0d3e5803\"",
		"alias \"p-0d3e5803\" is not named by its content"},
	{"{\n\"p-0d3e5802\"", "{\n\"p-0d3e58029\"", "alias \"p-0d3e58029\" is not named"},
	{"{\n\"p-0d3e5802\"", "{\n \"p-0d3e5802\"", "line 7: not the layout of an alias"},
	{"{\n\"p-0d3e5802\":" SHARED, "{\n\"p-0d3e5802\":" SHARED ",\n\"p-0d3e5802\":" SHARED,
		"line 8: aliases are not sorted and unique"},
	{"{\n\"p-0d3e5802\":" SHARED, "{\n\"p-0d3e5802\":" SHARED "\n\"p-1d3e5802\":" SHARED,
		"line 8: no comma at the end of the line before"},
	{"{\n\"p-0d3e5802\":" SHARED, "{\n\"p-0d3e5802\":" SHARED ",\n\"p-1d3e5802\":" SHARED,
		"a policy has two aliases"},
	{"{\n\"p-0d3e5802\":" SHARED, "{\n\"p-0d3e5802\":" TROUBLED,
		"line 7: \"max_age\" is missing"},
	{"\n" CLOSING, ",\n" CLOSING, "line 8: a comma behind the last alias"},
	/* last line */
	{"T12:00:00Z\",\"vantages", "T12:00:60Z\",\"vantages",
		"line 8: not the layout of a list's"},
	{"\"vantages\":3", "\"vantages\":0", "line 8: not the layout of a list's last line"},
	{"\"vantages\":3", "\"vantages\":1001", "line 8: not the layout of a list's last line"},
	{"\"version\":42", "\"version\":042", "line 8: not the layout of a list's last line"},
	{"\"version\":42", "\"version\":0", "line 8: not the layout of a list's last line"},
	{"\"version\":42", "\"version\":9007199254740992", "line 8: not the layout of a list's"},
	{"\"version\":42", "\"version\":9007199254740991", NULL},
	{"\"version\":42}\n", "\"version\":42}", "line 8: no newline at its end"},
	{"\"version\":42}\n", "\"version\":42}\r\n",
		"line 8: not the layout of a list's last line"},
	{"\"version\":42}\n", "\"version\":42}\n\n", "line 8: something follows the list"},
	{"\"version\":42}\n", "\"version\":42}\n{}\n", "line 8: something follows the list"},
	{"\"version\":42}\n", "", "line 8: no newline at its end"},
	{CLOSING, "", "line 8: the document ends early"},
};

static void
test_refused(void **state UNUSED)
{
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const char *spot = strstr(whole, refused[i].old);
		struct buf b;
		int64_t n;

		if (spot == NULL)
			fail_msg("case %zu: nothing to replace: %s", i, refused[i].old);
		buf_init(&b, 100000);
		buf_add(&b, whole, (size_t)(spot - whole));
		buf_add_str(&b, refused[i].new);
		buf_add_str(&b, spot + strlen(refused[i].old));
		write_bytes(b.data, b.len);
		buf_clear(&b);
		n = read_all(&err);
		if (refused[i].want == NULL) {
			if (n != 4)
				fail_msg("case %zu: refused: %s", i, err.text);
		} else if (n >= 0) {
			fail_msg("case %zu: taken: %s -> %s", i, refused[i].old, refused[i].new);
		} else if (err.kind != ERROR_INPUT || strstr(err.text, refused[i].want) == NULL ||
			strncmp(err.text, path, strlen(path)) != 0) {
			fail_msg("case %zu: got %s; want %s", i, err.text, refused[i].want);
		}
	}
}

/* A document cut short anywhere, or with any one octet changed to a NUL or a blank, is refused. */
static void
test_every_octet(void **state UNUSED)
{
	char changed[sizeof(whole)];
	struct error err;

	for (size_t i = 0; i < strlen(whole); i++) {
		write_bytes(whole, i);
		if (read_all(&err) >= 0)
			fail_msg("taken although cut at octet %zu", i);
		memcpy(changed, whole, sizeof(whole));
		changed[i] = '\0';
		write_bytes(changed, strlen(whole));
		if (read_all(&err) >= 0)
			fail_msg("taken with a NUL at octet %zu", i);
		changed[i] = '{' == whole[i] ? '[' : '{';
		write_bytes(changed, strlen(whole));
		/* The author may be anything. */
		if (read_all(&err) >= 0 && (i < 11 || i > 34))
			fail_msg("taken with a brace at octet %zu", i);
	}
}

static void
test_no_file(void **state UNUSED)
{
	struct list_reader *r;
	struct error err = {0};

	assert_int_equal(list_reader_open("/nonexistent/list.json", &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(list_reader_open("/dev/null", &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "not a regular file"));
}

static void
test_long_lines(void **state UNUSED)
{
	const char *mxs[LIST_MXS_MAX + 1];
	struct list_entry e = {.domain = "long.example",
		.policy = {.auth_pkix = true,
			.max_age_s = 86400,
			.mode = LIST_MODE_ENFORCE,
			.mxs = mxs,
			.mxs_count = LIST_MXS_MAX,
			.source = LIST_SOURCE_STARTTLS,
			.tls = "1.2"}};
	struct list_header h = header();
	struct list_writer *w;
	struct error err = {0};
	struct buf b;

	for (size_t i = 0; i <= LIST_MXS_MAX; i++)
		mxs[i] = xasprintf("%03zu.%0*d.%0*d.%0*d.example", i, 63, 1, 63, 1, 50, 1);
	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	list_writer_add_entry(w, &e);
	assert_int_equal(list_writer_commit(w, NULL, &err), 0);
	list_writer_free(w);
	assert_int_equal(read_all(&err), 1);

	e.policy.mxs_count++;
	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	list_writer_add_entry(w, &e);
	assert_int_equal(list_writer_commit(w, NULL, &err), -1);
	assert_string_equal(err.text, "long.example: too many mx patterns");
	list_writer_free(w);
	/* The failed one has left the one before. */
	assert_int_equal(read_all(&err), 1);

	/* A line of LIST_LINE_MAX octets and one of one more: the fault is another one. */
	for (size_t more = 0; more <= 1; more++) {
		buf_init(&b, 1000000);
		buf_add_str(&b, OPENING);
		for (size_t i = 0; i < LIST_LINE_MAX - 1 + more; i++)
			buf_add_char(&b, 'x');
		buf_add_str(&b, "\n},\"policy-aliases\":{\n" CLOSING);
		write_bytes(b.data, b.len);
		buf_clear(&b);
		assert_int_equal(read_all(&err), -1);
		assert_non_null(strstr(err.text,
			more ? "line 2: longer than 65536 octets"
			     : "line 2: not the layout of an entry"));
	}
	for (size_t i = 0; i <= LIST_MXS_MAX; i++)
		free((char *)(uintptr_t)mxs[i]);
}

static void
test_writer_refuses(void **state UNUSED)
{
	static const struct {
		const char *first, *second;
		int64_t confirmed_s;
		const char *text, *want;
	} cases[] = {
		{"b.example", "a.example", 0, OWN, "a.example: entries are not in order"},
		{"b.example", "b.example", 0, OWN, "b.example: entries are not in order"},
		{"b.example", "c", 0, OWN, "c: not a domain name for the list"},
		{"b.example", "C.example", 0, OWN, "C.example: not a domain name for the list"},
		{"b.example", "c.example", 0, "{}", "c.example: not a policy, or one too long"},
		{"b.example", "c.example", 1795413600, OWN, "c.example: its own confirmation"},
	};
	struct list_header h = header();
	struct list_writer *w;
	struct error err;

	write_bytes(empty, strlen(empty));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		error_clear(&err);
		assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
		assert_true(list_writer_share(w, SHARED, strlen(SHARED)));
		list_writer_add(w, cases[i].first, 0, SHARED, strlen(SHARED));
		list_writer_add(w, cases[i].second, cases[i].confirmed_s, cases[i].text,
			strlen(cases[i].text));
		/* The first error counts. */
		list_writer_add(w, "0.example", 0, OWN, strlen(OWN));
		assert_int_equal(list_writer_commit(w, NULL, &err), -1);
		list_writer_free(w);
		if (strstr(err.text, cases[i].want) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(read_all(&err), 0);
	}
	error_clear(&err);
	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	assert_true(list_writer_share(w, SHARED, strlen(SHARED)));
	list_writer_add(w, "b.example", 0, SHARED, strlen(SHARED));
	assert_int_equal(list_writer_commit(w, NULL, &err), -1);
	assert_string_equal(err.text, "p-0d3e5802: an alias that fewer than two entries use");
	list_writer_free(w);

	h.vantages = 0;
	assert_int_equal(list_writer_open(path, &h, &w, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_null(w);
}

/* Aliases whose digests begin alike get longer names; many of them make the tail longer than one
 * window of the reader. */
static void
test_many_aliases(void **state UNUSED)
{
	enum { ALIASES = 20000 };
	struct list_header h = header();
	struct list_writer *w;
	struct list_made made;
	struct error err = {0};
	char text[300], domain[64], *first = NULL, *second;

	for (int round = 0; round < 2; round++) {
		assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
		/* The order in which they are shared does not matter. */
		for (int i = 0; i < ALIASES; i++) {
			int len = snprintf(text, sizeof(text),
				"{\"auth\":[\"pkix\"],\"max_age\":%d,\"mode\":\"testing\","
				"\"mxs\":[\"mx.provider.example\"],\"source\":\"mta-sts\",\"tls\":"
				"\"1.2\"}",
				(round ? ALIASES - 1 - i : i) + 1);
			assert_true(list_writer_share(w, text, (size_t)len));
		}
		for (int i = 0; i < 2 * ALIASES; i++) {
			int len = snprintf(text, sizeof(text),
				"{\"auth\":[\"pkix\"],\"max_age\":%d,\"mode\":\"testing\","
				"\"mxs\":[\"mx.provider.example\"],\"source\":\"mta-sts\",\"tls\":"
				"\"1.2\"}",
				i / 2 + 1);
			snprintf(domain, sizeof(domain), "d%06d.example", i);
			list_writer_add(w, domain, 0, text, (size_t)len);
		}
		assert_int_equal(list_writer_commit(w, &made, &err), 0);
		assert_int_equal(made.aliases, ALIASES);
		list_writer_free(w);
		if (round == 0)
			first = contents();
	}
	second = contents();
	assert_string_equal(first, second);
	free(first);
	free(second);
	if (read_all(&err) != 2 * ALIASES)
		fail_msg("%s", err.text);
}

/* Two policies whose SHA-256 begin with the same eight digits get a ninth. */
static void
test_alias_collision(void **state UNUSED)
{
	static const int max_age[] = {30441, 38846};
	struct list_header h = header();
	struct list_writer *w;
	struct error err = {0};
	char policy[2][200], *text;

	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(policy[i], sizeof(policy[i]),
			"{\"auth\":[\"pkix\"],\"max_age\":%d,\"mode\":\"testing\","
			"\"mxs\":[\"mx.provider.example\"],\"source\":\"mta-sts\",\"tls\":\"1.2\"}",
			max_age[i]);
		assert_true(list_writer_share(w, policy[i], strlen(policy[i])));
	}
	list_writer_add(w, "a.example", 0, policy[0], strlen(policy[0]));
	list_writer_add(w, "b.example", 0, policy[0], strlen(policy[0]));
	list_writer_add(w, "c.example", 0, policy[1], strlen(policy[1]));
	list_writer_add(w, "d.example", 0, policy[1], strlen(policy[1]));
	assert_int_equal(list_writer_commit(w, NULL, &err), 0);
	list_writer_free(w);
	text = contents();
	assert_non_null(strstr(text, "\"b.example\":{\"policy-alias\":\"p-5914b7f92\"}"));
	assert_non_null(strstr(text, "\"d.example\":{\"policy-alias\":\"p-5914b7f9e\"}"));
	free(text);
	assert_int_equal(read_all(&err), 4);
}

static void
test_alias_limit(void **state UNUSED)
{
	struct list_header h = header();
	struct list_writer *w;
	struct error err = {0};
	char text[64];

	assert_int_equal(list_writer_open(path, &h, &w, &err), 0);
	for (int i = 0; i < LIST_ALIASES_MAX; i++) {
		int len = snprintf(text, sizeof(text), "%d", i);

		assert_true(list_writer_share(w, text, (size_t)len));
	}
	assert_false(list_writer_share(w, "more", 4));
	list_writer_free(w);
}

static void
test_names(void **state UNUSED)
{
	static const struct {
		const char *name;
		bool domain, pattern;
	} cases[] = {
		{"example.com", true, true},
		{"xn--bcher-kva.example", true, true},
		{"a.b", true, true},
		{"1.example", true, true},
		{"*.example.com", false, true},
		{"*.com", false, false},
		{"*example.com", false, false},
		{"a.*.example.com", false, false},
		{"*.*.example.com", false, false},
		{"*", false, false},
		{"*.", false, false},
		{"", false, false},
		{".", false, false},
		{"com", false, false},
		{"example.com.", false, false},
		{".example.com", false, false},
		{"a..b", false, false},
		{"-a.example", false, false},
		{"a-.example", false, false},
		{"a.example-", false, false},
		{"A.example", false, false},
		{"a b.example", false, false},
		{"a_b.example", false, false},
		{"192.0.2.1", false, false},
		{"a.0x1f", false, false},
		{"a.0xg", true, true},
	};
	char name[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *s = cases[i].name;

		if (list_domain_valid(s, strlen(s)) != cases[i].domain ||
			list_pattern_valid(s, strlen(s)) != cases[i].pattern)
			fail_msg("%s", s);
	}
	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	assert_true(list_domain_valid(name, 253));
	assert_false(list_domain_valid(name, 254));
	name[63] = 'a';
	assert_false(list_domain_valid(name, 100));
}

/* What is published is the file that is in the tree. */
static void
test_schema(void **state UNUSED)
{
	const char *tests = getenv("TESTDIR");
	char *file =
		xasprintf("%s/../data/schema/list.schema.json", tests != NULL ? tests : "tests");
	struct error err = {0};
	struct buf want, got;

	buf_init(&want, 100000);
	buf_init(&got, 100000);
	if (file_read(file, &want, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < list_schema_lines; i++)
		buf_addf(&got, "%s\n", list_schema[i]);
	assert_string_equal(buf_str(&got), buf_str(&want));
	buf_clear(&want);
	buf_clear(&got);
	free(file);
}

/* --- differences --------------------------------------------------------------------------------
 */

struct simple {
	const char *domain;
	bool dane, pkix;
	int64_t max_age_s;
	enum list_mode mode;
	const char *mxs[3];
	const char *tls;
	int64_t confirmed_s;
};

static void
write_simple(const char *to, const struct simple *entries, size_t count)
{
	struct list_header h = header();
	struct list_writer *w;
	struct error err = {0};

	assert_int_equal(list_writer_open(to, &h, &w, &err), 0);
	for (size_t i = 0; i < count && entries[i].domain != NULL; i++) {
		struct list_entry e = {.domain = entries[i].domain,
			.confirmed_s = entries[i].confirmed_s,
			.policy = {.auth_dane = entries[i].dane,
				.auth_pkix = entries[i].pkix,
				.max_age_s = entries[i].max_age_s,
				.mode = entries[i].mode,
				.mxs = entries[i].mxs,
				.source = LIST_SOURCE_MTA_STS,
				.tls = entries[i].tls}};

		while (e.policy.mxs_count < 3 && entries[i].mxs[e.policy.mxs_count] != NULL)
			e.policy.mxs_count++;
		list_writer_add_entry(w, &e);
	}
	if (list_writer_commit(w, NULL, &err) < 0)
		fail_msg("%s", err.text);
	list_writer_free(w);
}

#define E LIST_MODE_ENFORCE
#define T LIST_MODE_TESTING

static void
test_diff(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct simple before[3], after[3];
		struct list_diff want;
	} cases[] = {
		{"both empty", {{0}}, {{0}}, {0}},
		{"all new", {{0}}, {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.after = 1, .added = 1}},
		{"all gone", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}}, {{0}},
			{.before = 1, .removed = 1}},
		{"one gone at each side, one new between",
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0},
				{"c.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"b.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 2, .after = 1, .added = 1, .removed = 2}},
		{"confirmation is no policy", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 1000}},
			{.before = 1, .after = 1}},
		{"demoted, and relaxed with it",
			{{"a.example", 1, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, T, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .demoted = 1}},
		{"promoted", {{"a.example", 0, 1, 9, T, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1}},
		{"lost DANE", {{"a.example", 1, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"lost PKIX for DANE", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 1, 0, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"shorter life", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 8, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"longer life", {{"a.example", 0, 1, 8, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1}},
		{"older TLS", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.3", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"one host less", {{"a.example", 0, 1, 9, E, {"m.example", "n.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1}},
		{"one host more", {{"a.example", 0, 1, 9, E, {"m.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.example", "n.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"host under a wildcard that was there",
			{{"a.example", 0, 1, 9, E, {"*.p.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.p.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1}},
		{"host two labels under a wildcard",
			{{"a.example", 0, 1, 9, E, {"*.p.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"m.q.p.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
		{"wildcard for a host", {{"a.example", 0, 1, 9, E, {"m.p.example"}, "1.2", 0}},
			{{"a.example", 0, 1, 9, E, {"*.p.example"}, "1.2", 0}},
			{.before = 1, .after = 1, .changed = 1, .relaxed = 1}},
	};
	char *old_path = xasprintf("%s/old.json", dir);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct list_reader *before, *after;
		struct list_diff got;
		struct error err = {0};

		write_simple(old_path, cases[i].before, 3);
		write_simple(path, cases[i].after, 3);
		assert_int_equal(list_reader_open(old_path, &before, &err), 0);
		assert_int_equal(list_reader_open(path, &after, &err), 0);
		if (list_diff(before, after, &got, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (memcmp(&got, &cases[i].want, sizeof(got)) != 0)
			fail_msg("%s: before %d after %d +%d -%d ~%d demoted %d relaxed %d",
				cases[i].name, (int)got.before, (int)got.after, (int)got.added,
				(int)got.removed, (int)got.changed, (int)got.demoted,
				(int)got.relaxed);
		list_reader_close(before);
		list_reader_close(after);
		assert_int_equal(list_reader_open(path, &after, &err), 0);
		assert_int_equal(list_diff(NULL, after, &got, &err), 0);
		assert_int_equal(got.added, cases[i].want.after);
		list_reader_close(after);
	}
	(void)unlink(old_path);
	free(old_path);
}

/* An entry's end can always be written as a time. */
static void
test_end(void **state UNUSED)
{
	static const struct {
		int64_t confirmed_s, max_age_s, want_s;
	} cases[] = {
		{1000, 86400, 87400},
		{CLOCK_MAX_S - 86400, 86399, CLOCK_MAX_S - 1},
		{CLOCK_MAX_S - 86400, 86400, CLOCK_MAX_S},
		{CLOCK_MAX_S - 86400, 86401, CLOCK_MAX_S},
		{CLOCK_MAX_S, LIST_MAX_AGE_MAX, CLOCK_MAX_S},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct list_header h = {.confirmed_since_s = cases[i].confirmed_s};
		struct list_entry e = {.policy = {.max_age_s = cases[i].max_age_s}};

		assert_int_equal(list_entry_end(&h, &e), cases[i].want_s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_many_aliases),
		cmocka_unit_test(test_alias_collision),
		cmocka_unit_test(test_alias_limit),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

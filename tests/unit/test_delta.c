/* Deltas: what they make of list N is list M, octet for octet; what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/list.h"
#include "export/list_writer.h"

#define DOMAINS  40
#define POLICIES 6
#define LISTS    8
#define NOW      INT64_C(1795435200)

#define OK(call) \
	do { \
		struct error ok_err = {0}; \
		if ((call) < 0) \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, #call, ok_err.text); \
	} while (0)

static char dir[] = "/tmp/preload25-test-XXXXXX";

static int
setup(void **state UNUSED)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state UNUSED)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* Lent until the fourth call from now. */
static const char *
in_dir(const char *name)
{
	static char paths[4][128];
	static size_t next;
	char *out = paths[next++ % 4];

	(void)snprintf(out, sizeof(paths[0]), "%s/%s", dir, name);
	return out;
}

static char *
contents(const char *path, size_t *len)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 20);
	OK(file_read(path, &b, &ok_err));
	*len = b.len;
	return buf_take(&b);
}

/* --- lists --------------------------------------------------------------------------------------
 */

/* Which policy each domain has: 0 not listed, else one more than its number. */
struct model {
	int64_t version;
	unsigned policy[DOMAINS];
	bool troubled[DOMAINS];
};

static size_t
policy_text(unsigned policy, char *out, size_t size)
{
	return (size_t)snprintf(out, size,
		"{\"auth\":[\"pkix\"],\"max_age\":%u,\"mode\":\"enforce\",\"mxs\":[\"mx%u.example."
		"net\"],"
		"\"source\":\"mta-sts\",\"tls\":\"1.3\"}",
		86400 + policy, policy);
}

static void
write_model(const char *path, const struct model *m)
{
	struct list_header header = {.author = "Delta \"Test\" \\ \xc3\xa9",
		.confirmed_since_s = NOW + m->version,
		.expires_s = NOW + m->version + 1000,
		.timestamp_s = NOW + m->version * 3,
		.vantages = m->version % 5 + 1,
		.version = m->version};
	struct list_writer *w;
	char text[300], domain[64];

	OK(list_writer_open(path, &header, &w, &ok_err));
	for (unsigned p = 1; p <= POLICIES; p++) {
		size_t uses = 0;

		for (size_t i = 0; i < DOMAINS; i++)
			uses += m->policy[i] == p && !m->troubled[i];
		if (uses >= 2)
			assert_true(list_writer_share(w, text, policy_text(p, text, sizeof(text))));
	}
	for (size_t i = 0; i < DOMAINS; i++) {
		if (m->policy[i] == 0)
			continue;
		/* Names of different lengths, so that one is the beginning of another. */
		(void)snprintf(domain, sizeof(domain), "a%02zu%s.example", i / 2, i % 2 ? "x" : "");
		list_writer_add(w, domain, m->troubled[i] ? NOW - 5 : 0, text,
			policy_text(m->policy[i], text, sizeof(text)));
	}
	OK(list_writer_commit(w, NULL, &ok_err));
	list_writer_free(w);
}

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	return buf_add(arg, data, len) < 0 ? error_set(err, ERROR_TEMP, "full") : 0;
}

/* What the delta makes of `from` is `to`. */
static void
assert_leads(const char *from, const char *delta, const char *to)
{
	struct buf made;
	size_t len;
	char *want = contents(to, &len);

	buf_init(&made, (size_t)64 << 20);
	OK(delta_apply(from, delta, "delta", (int64_t)len, into_buf, &made, &ok_err));
	assert_int_equal(made.len, len);
	assert_memory_equal(made.data, want, len);
	buf_clear(&made);
	free(want);
}

static size_t
unpacked(const char *path, char **out)
{
	size_t len, size = (size_t)1 << 20;
	char *packed = contents(path, &len);

	*out = xcalloc(1, size);
	size = ZSTD_decompress(*out, size - 1, packed, len);
	assert_false(ZSTD_isError(size));
	free(packed);
	return size;
}

static void
change_at_random(struct model *m, unsigned changes)
{
	for (unsigned i = 0; i < changes; i++) {
		size_t k = (size_t)random() % DOMAINS;

		m->policy[k] = (unsigned)random() % (POLICIES + 1);
		m->troubled[k] = random() % 4 == 0;
	}
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_random(void **state UNUSED)
{
	unsigned seed = (unsigned)getpid();

	print_message("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 40; round++) {
		char lists[LISTS][200];
		struct model m = {.version = round + 1};

		for (int i = 0; i < LISTS; i++) {
			(void)snprintf(lists[i], sizeof(lists[i]), "%s/list-%d", dir, i);
			write_model(lists[i], &m);
			/* Sometimes nothing, sometimes all of it. */
			change_at_random(&m, (unsigned)random() % 7 * (unsigned)random() % 30);
			if (random() % 12 == 0)
				memset(m.policy, 0, sizeof(m.policy));
			m.version += 1 + random() % 3;
		}
		for (int from = 0; from < LISTS; from++) {
			for (int to = from + 1; to < LISTS; to++) {
				OK(delta_make(lists[from], lists[to], in_dir("direct"), &ok_err));
				assert_leads(lists[from], in_dir("direct"), lists[to]);
			}
		}
		/* Joined step by step, as publications do. */
		for (int from = 0; from + 1 < LISTS; from++) {
			OK(delta_make(lists[from], lists[from + 1], in_dir("joined"), &ok_err));
			for (int to = from + 2; to < LISTS; to++) {
				OK(delta_make(lists[to - 1], lists[to], in_dir("step"), &ok_err));
				OK(delta_join(in_dir("joined"), in_dir("step"), in_dir("joined"),
					&ok_err));
				assert_leads(lists[from], in_dir("joined"), lists[to]);
			}
		}
	}
}

static void
test_layout(void **state UNUSED)
{
	/* 1: two domains share a policy. 2: one of them goes, so the alias goes with it. */
	struct model one = {.version = 1}, two, three;
	char *text, *first, *again;
	size_t len, again_len;

	one.policy[0] = one.policy[2] = 1;
	one.policy[4] = 2;
	two = one;
	two.version = 2;
	two.policy[2] = 0;
	two.policy[7] = 3;
	write_model(in_dir("one"), &one);
	write_model(in_dir("two"), &two);
	OK(delta_make(in_dir("one"), in_dir("two"), in_dir("delta"), &ok_err));
	len = unpacked(in_dir("delta"), &text);
	assert_string_equal(text,
		"{\"author\":\"Delta \\\"Test\\\" \\\\ \xc3\xa9\","
		"\"confirmed_since\":\"2026-11-23T12:00:02Z\",\"expires\":\"2026-11-23T12:16:42Z\","
		"\"format\":\"preload25-delta-1\",\"from\":1,\"policies\":{\n"
		"\"a00.example\":{\"changed\":{\"auth\":[\"pkix\"],\"max_age\":86401,"
		"\"mode\":\"enforce\",\"mxs\":[\"mx1.example.net\"],\"source\":\"mta-sts\","
		"\"tls\":\"1.3\"}},\n"
		"\"a01.example\":\"removed\",\n"
		"\"a03x.example\":{\"added\":{\"auth\":[\"pkix\"],\"max_age\":86403,"
		"\"mode\":\"enforce\",\"mxs\":[\"mx3.example.net\"],\"source\":\"mta-sts\","
		"\"tls\":\"1.3\"}}\n"
		"},\"policy-aliases\":{\n"
		"\"p-6fb492c6\":\"removed\"\n"
		"},\"timestamp\":\"2026-11-23T12:00:06Z\",\"vantages\":3,\"version\":2}\n");
	assert_int_equal(strlen(text), len);
	first = contents(in_dir("delta"), &len);
	OK(delta_make(in_dir("one"), in_dir("two"), in_dir("delta"), &ok_err));
	again = contents(in_dir("delta"), &again_len);
	assert_int_equal(len, again_len);
	assert_memory_equal(first, again, len);
	free(text);
	free(first);
	free(again);

	/* Added and removed again leaves nothing behind. */
	three = two;
	three.version = 3;
	three.policy[7] = 0;
	write_model(in_dir("three"), &three);
	OK(delta_make(in_dir("two"), in_dir("three"), in_dir("step"), &ok_err));
	OK(delta_join(in_dir("delta"), in_dir("step"), in_dir("joined"), &ok_err));
	(void)unpacked(in_dir("joined"), &text);
	assert_null(strstr(text, "a03x.example"));
	assert_non_null(strstr(text, "\"from\":1,"));
	free(text);
}

static void
write_packed(const char *path, const char *text, size_t len)
{
	size_t bound = ZSTD_compressBound(len);
	char *packed = xcalloc(1, bound);
	size_t packed_len = ZSTD_compress(packed, bound, text, len, 3);

	assert_false(ZSTD_isError(packed_len));
	OK(file_replace(path, packed, packed_len, 0644, &ok_err));
	free(packed);
}

/* Applies the text as a delta to the list "one". */
static int
apply_text(const char *text, size_t len, struct error *err)
{
	struct buf made;
	struct stat st;
	int rc;

	write_packed(in_dir("bad"), text, len);
	assert_int_equal(stat(in_dir("two"), &st), 0);
	buf_init(&made, (size_t)64 << 20);
	error_clear(err);
	rc = delta_apply(in_dir("one"), in_dir("bad"), "bad", st.st_size, into_buf, &made, err);
	buf_clear(&made);
	return rc;
}

static void
test_refused(void **state UNUSED)
{
	/* In the delta of test_layout: this, replaced by that. */
	static const struct {
		const char *name, *this, *that, *error;
	} cases[] = {
		{"not a delta", "{\"author\"", "{\"Author\"", NULL},
		{"a list", "\"preload25-delta-1\",\"from\":1", "\"preload25-list-1\"",
			"line 1: not the first line of a delta"},
		{"another list", "\"from\":1", "\"from\":2",
			"line 1: it is for list 2, and this is list 1"},
		{"from text", "\"from\":1", "\"from\":x", "line 1: \"from\" is not a version"},
		{"from 01", "\"from\":1", "\"from\":01", "line 1: \"from\" is not a version"},
		{"from empty", "\"from\":1", "\"from\":", "line 1: \"from\" is not a version"},
		{"no from", "\"from\":1,", "", "line 1: not the first line of a delta"},
		{"unsorted", "\"a03x.example\"", "\"a00x.example\"",
			"line 4: names are not sorted and unique"},
		{"repeated", "\"a01.example\"", "\"a00.example\"",
			"line 3: names are not sorted and unique"},
		{"no domain", "\"a01.example\"", "\"a01\"", "line 3: not a name for the list"},
		{"no alias", "\"p-6fb492c6\"", "\"q-6fb492c6\"", "line 6: not a name for the list"},
		{"removes nothing", "\"a01.example\"", "\"a01-y.example\"",
			"line 3: removes what is not there"},
		{"changes nothing", "\"a00.example\"", "\"a00-y.example\"",
			"line 2: changes what is not there"},
		{"adds again", "{\"changed\"", "{\"added\"", "line 2: adds what is there"},
		{"alias removed twice", "\"p-6fb492c6\"", "\"p-6fb492c7\"",
			"line 6: removes what is not there"},
		{"unknown change", "{\"changed\"", "{\"moved\"",
			"line 2: neither added, changed nor removed"},
		{"null", "\"removed\"", "null", "line 3: neither added, changed nor removed"},
		{"no value", "\"a01.example\":\"removed\"",
			"\"a01.example\":", "line 3: neither added, changed nor removed"},
		{"no colon", "\"a01.example\":\"removed\"", "\"a01.example\"",
			"line 3: not the layout of an entry"},
		{"brace missing", "\"1.3\"}},\n\"a01", "\"1.3\"},\n\"a01",
			"line 2: neither added, changed nor removed"},
		{"comma missing", "\"removed\",", "\"removed\"",
			"line 4: no comma at the end of the line before"},
		{"comma behind", "\"removed\"\n", "\"removed\",\n",
			"line 7: a comma behind the last line"},
		{"empty line", "\"a01.example\":\"removed\",", "",
			"line 3: not the layout of an entry"},
		{"blank", "\"a01.example\"", " \"a01.example\"",
			"line 3: not the layout of an entry"},
		{"no aliases", "},\"policy-aliases\":{\n", "",
			"line 5: no comma at the end of the line before"},
		{"another section", "\"policy-aliases\"", "\"policies\"",
			"line 5: not the line before the aliases"},
		{"last line", "},\"timestamp\"", "},\"time\"",
			"line 7: not the layout of the last line"},
		{"no version", "\"version\":2", "\"version\":x",
			"line 7: not the layout of the last line"},
		{"more behind", "\"version\":2}\n", "\"version\":2}\n\n",
			"line 7: something follows the last line"},
		{"no newline", "\"version\":2}\n", "\"version\":2}",
			"line 7: no newline at its end"},
		{"cut short",
			"},\"timestamp\":\"2026-11-23T12:00:06Z\",\"vantages\":3,\"version\":2}\n",
			"", "line 7: the document ends early"},
	};
	struct model one = {.version = 1}, two;
	struct error err;
	char *text;
	size_t len;

	one.policy[0] = one.policy[2] = 1;
	one.policy[4] = 2;
	two = one;
	two.version = 2;
	two.policy[2] = 0;
	two.policy[7] = 3;
	write_model(in_dir("one"), &one);
	write_model(in_dir("two"), &two);
	OK(delta_make(in_dir("one"), in_dir("two"), in_dir("delta"), &ok_err));
	len = unpacked(in_dir("delta"), &text);
	assert_int_equal(apply_text(text, len, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(text, cases[i].this);
		char *bad;
		int rc;

		if (at == NULL)
			fail_msg("%s: not in the delta", cases[i].name);
		bad = xasprintf("%.*s%s%s", (int)(at - text), text, cases[i].that,
			at + strlen(cases[i].this));
		rc = apply_text(bad, strlen(bad), &err);
		/* What the header says is for the hash of the result to judge. */
		if (cases[i].error == NULL ? rc != 0
					   : rc != -1 || err.kind != ERROR_INPUT ||
					strstr(err.text, cases[i].error) == NULL)
			fail_msg("%s: %d, \"%s\", want \"%s\"", cases[i].name, rc,
				rc < 0 ? err.text : "",
				cases[i].error != NULL ? cases[i].error : "");
		free(bad);
	}
	/* Any octet changed: refused, or another list; never a crash. */
	for (size_t i = 0; i < len; i++) {
		char before = text[i];

		text[i] = i % 3 == 0 ? '"' : i % 3 == 1 ? '\n' : '\0';
		(void)apply_text(text, len, &err);
		text[i] = before;
	}
	free(text);
}

static void
test_too_much(void **state UNUSED)
{
	struct error err;
	char *big, *packed;
	size_t len, size = (size_t)40 << 20;
	struct buf made;

	/* A bomb: 40 MiB of nothing in a few octets. */
	big = xcalloc(1, size);
	memset(big, 'a', size);
	assert_int_equal(apply_text(big, size, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "unpacks to more than was announced"));
	/* Behind a good beginning; lines of a sound length. */
	len = (size_t)snprintf(big, size,
		"{\"author\":\"x\",\"confirmed_since\":\"2026-11-23T12:00:02Z\","
		"\"expires\":\"2026-11-23T12:16:42Z\",\"format\":\"preload25-delta-1\",\"from\":1,"
		"\"policies\":{\n");
	for (unsigned i = 0; len < size - 200; i++)
		len += (size_t)snprintf(big + len, 200, "\"a%08u.example\":{\"added\":{}},\n", i);
	assert_int_equal(apply_text(big, len, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "unpacks to more than was announced"));
	free(big);

	packed = contents(in_dir("delta"), &len);
	OK(file_replace(in_dir("bad"), packed, len - 1, 0644, &ok_err));
	buf_init(&made, 100000);
	assert_int_equal(
		delta_apply(in_dir("one"), in_dir("bad"), "bad", 1000, into_buf, &made, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "zstd: cut short"));
	buf_clear(&made);
	/* The sink's own failure comes out. */
	buf_init(&made, 100);
	assert_int_equal(
		delta_apply(in_dir("one"), in_dir("delta"), "delta", 1000, into_buf, &made, &err),
		-1);
	assert_string_equal(err.text, "full");
	buf_clear(&made);
	assert_int_equal(
		delta_apply(in_dir("none"), in_dir("delta"), "delta", 1000, into_buf, &made, &err),
		-1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	free(packed);
}

static void
test_join_refused(void **state UNUSED)
{
	struct model m = {.version = 1};
	struct error err;
	char name[32];

	for (int i = 1; i <= 4; i++) {
		(void)snprintf(name, sizeof(name), "v%d", i);
		m.version = i;
		m.policy[1] = (unsigned)i;
		m.policy[3] = i == 2;
		write_model(in_dir(name), &m);
	}
	OK(delta_make(in_dir("v1"), in_dir("v2"), in_dir("d12"), &ok_err));
	OK(delta_make(in_dir("v2"), in_dir("v3"), in_dir("d23"), &ok_err));
	OK(delta_make(in_dir("v3"), in_dir("v4"), in_dir("d34"), &ok_err));
	assert_int_equal(delta_join(in_dir("d12"), in_dir("d34"), in_dir("j"), &err), -1);
	assert_non_null(strstr(err.text, "does not follow"));
	assert_false(file_exists(in_dir("j")));
	assert_int_equal(delta_join(in_dir("d12"), in_dir("d12"), in_dir("j"), &err), -1);
	assert_non_null(strstr(err.text, "does not follow from the delta before"));
	assert_int_equal(err.kind, ERROR_INPUT);
	OK(delta_join(in_dir("d12"), in_dir("d23"), in_dir("j"), &ok_err));
	assert_leads(in_dir("v1"), in_dir("j"), in_dir("v3"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_join_refused),
	};

	return cmocka_run_group_tests_name("delta", tests, setup, teardown);
}

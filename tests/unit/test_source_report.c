/* What a confined process may say of what it has found: all that is true, and nothing that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "updater/source_report.h"

#include "updater_repo.h"

/* As it is sent: a record each of the metadata and the list; behind them versions, and a record of each root that
 * was kept. */
struct record {
	int64_t length;
	char sha256[65];
};
struct whole {
	struct record metadata[SOURCE_METAS], list;
	int64_t root, snapshot, targets, first_root;
	struct record roots[TUF_ROOTS_MAX];
};

#define LIST_MAX 1000

/* Of bytes that nobody else has. */
static struct tuf_file
file_of(const char *bytes)
{
	struct tuf_file file;

	tuf_file_of(bytes, strlen(bytes), &file);
	return file;
}

static struct source_found
all_found(void)
{
	return (struct source_found){.list = file_of("list"),
		.root = 3,
		.snapshot = 5,
		.targets = 4,
		.first_root = 2,
		.opened = true,
		.anchor = file_of("anchor"),
		.metadata = {[TUF_ROLE_ROOT] = file_of("root"),
			[TUF_ROLE_TIMESTAMP] = file_of("timestamp"),
			[TUF_ROLE_SNAPSHOT] = file_of("snapshot"),
			[TUF_ROLE_TARGETS] = {.length = -1}}};
}

static void
keep_root(int64_t version, const char *bytes)
{
	char *name = source_root_name(version), *path = in_temp(name);

	write_text(path, bytes, strlen(bytes));
	free(path);
	free(name);
}

static void
assert_file(const struct tuf_file *got, const char *bytes)
{
	struct tuf_file want = file_of(bytes);

	assert_true(got->hashes);
	assert_int_equal(got->length, want.length);
	assert_string_equal(got->sha256, want.sha256);
}

static void
write_report(struct buf *text)
{
	const struct source_found found = all_found();

	source_report_init(text);
	source_report_write(&found, temp_dir, text);
}

static int
read_report(const struct buf *text, bool keep_roots, int64_t list_max, struct source_report *out, struct error *err)
{
	struct tuf_file anchor = file_of("anchor");

	error_clear(err);
	return source_report_read(text, &anchor, keep_roots, list_max, out, err);
}

static void
test_all(void **state UNUSED)
{
	struct source_report r;
	struct error err;
	struct buf text;

	keep_root(2, "second");
	keep_root(3, "third");
	write_report(&text);
	assert_int_equal(text.len, sizeof(struct whole));
	assert_int_equal(read_report(&text, true, LIST_MAX, &r, &err), 0);
	assert_file(&r.metadata[SOURCE_META_ROOT], "root");
	assert_file(&r.metadata[SOURCE_META_ANCHOR], "anchor");
	assert_file(&r.metadata[SOURCE_META_TIMESTAMP], "timestamp");
	assert_file(&r.metadata[SOURCE_META_SNAPSHOT], "snapshot");
	assert_true(r.metadata[SOURCE_META_TARGETS].length < 0);
	assert_int_equal(r.root_count, 2);
	assert_file(&r.roots[0], "second");
	assert_file(&r.roots[1], "third");
	assert_file(&r.found.list, "list");
	assert_int_equal(r.found.root, 3);
	assert_int_equal(r.found.snapshot, 5);
	assert_int_equal(r.found.targets, 4);
	assert_int_equal(r.found.first_root, 2);
	/* None were to be kept. */
	assert_int_equal(read_report(&text, false, LIST_MAX, &r, &err), 0);
	assert_int_equal(r.root_count, 0);
	/* It has failed, and speaks of no list. */
	assert_int_equal(read_report(&text, true, -1, &r, &err), 0);
	assert_string_equal(r.found.list.sha256, "");
	buf_clear(&text);
}

/* A root that was to be kept is not there. */
static void
test_root_missing(void **state UNUSED)
{
	char *path = in_temp("3.root.json");
	struct source_report r;
	struct error err;
	struct buf text;

	keep_root(2, "second");
	(void)unlink(path);
	write_report(&text);
	assert_int_equal(read_report(&text, true, LIST_MAX, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_int_equal(read_report(&text, false, LIST_MAX, &r, &err), 0);
	buf_clear(&text);
	free(path);
}

/* --- lies ---------------------------------------------------------------------------------------
 */

#define ALTER(name, statement) \
	static void name(struct whole *w) \
	{ \
		statement; \
	}

ALTER(nothing, (void)w)
ALTER(upper_case, memset(w->list.sha256, 'A', 64))
ALTER(no_hex, memcpy(w->metadata[SOURCE_META_ROOT].sha256, "../../", 6))
ALTER(short_digest, w->metadata[SOURCE_META_ROOT].sha256[63] = '\0')
ALTER(endless_digest, memset(w->metadata[SOURCE_META_SNAPSHOT].sha256, 'a', 65))
ALTER(longest_timestamp, w->metadata[SOURCE_META_TIMESTAMP].length = (int64_t)TUF_TIMESTAMP_MAX)
ALTER(longer_timestamp, w->metadata[SOURCE_META_TIMESTAMP].length = (int64_t)TUF_TIMESTAMP_MAX + 1)
ALTER(longest_list, w->list.length = LIST_MAX)
ALTER(longer_list, w->list.length = LIST_MAX + 1)
ALTER(empty_list, w->list.length = 0)
ALTER(no_list, w->list.length = -1)
ALTER(longer_root, w->roots[1].length = (int64_t)TUF_ROOT_MAX + 1)
ALTER(other_anchor, w->metadata[SOURCE_META_ANCHOR] = w->metadata[SOURCE_META_ROOT])
ALTER(longer_anchor, w->metadata[SOURCE_META_ANCHOR].length++)
ALTER(no_anchor, w->metadata[SOURCE_META_ANCHOR].length = -1)
ALTER(no_versions, w->root = w->snapshot = w->targets = w->first_root = 0)
ALTER(below_zero, w->targets = -1)
ALTER(largest, w->snapshot = TUF_INT_MAX)
ALTER(larger, w->snapshot = TUF_INT_MAX + 1)
ALTER(larger_root, w->root = TUF_INT_MAX + 1)
ALTER(beyond, w->first_root = w->root + 1)

static void
test_lies(void **state UNUSED)
{
	static const char file[] = "the sandboxed process has reported a file that cannot be";
	static const char version[] = "the sandboxed process has reported a version that cannot be";
	static const char anchor[] =
		"the sandboxed process has reported another trust anchor than it was given";
	static const struct {
		const char *name;
		void (*alter)(struct whole *w);
		const char *want; /* NULL: it can be */
	} cases[] = {
		{"nothing", nothing, NULL},
		{"upper case", upper_case, NULL},
		{"no hex", no_hex, file},
		{"short digest", short_digest, file},
		{"endless digest", endless_digest, file},
		{"longest timestamp", longest_timestamp, NULL},
		{"longer timestamp", longer_timestamp, file},
		{"longest list", longest_list, NULL},
		{"longer list", longer_list, file},
		{"empty list", empty_list, NULL},
		{"no list", no_list, file},
		{"longer root", longer_root, file},
		{"other anchor", other_anchor, anchor},
		{"longer anchor", longer_anchor, anchor},
		{"no anchor", no_anchor, anchor},
		{"no versions", no_versions, NULL},
		{"below zero", below_zero, version},
		{"largest", largest, NULL},
		{"larger", larger, version},
		{"larger root", larger_root, version},
		{"beyond", beyond, version},
	};

	keep_root(2, "second");
	keep_root(3, "third");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct whole *w = xcalloc(1, sizeof(*w));
		struct source_report r;
		struct error err;
		struct buf text;
		int rc;

		write_report(&text);
		memcpy(w, text.data, sizeof(*w));
		cases[i].alter(w);
		buf_reset(&text);
		(void)buf_add(&text, w, sizeof(*w));
		rc = read_report(&text, true, LIST_MAX, &r, &err);
		if (rc != (cases[i].want != NULL ? -1 : 0) ||
			(rc < 0 && (err.kind != ERROR_SECURITY || strcmp(err.text, cases[i].want) != 0)))
			fail_msg("%s: %d: %s", cases[i].name, rc, err.text);
		/* Digests stand as they do everywhere else. */
		if (cases[i].alter == upper_case)
			assert_int_equal(r.found.list.sha256[0], 'a');
		buf_clear(&text);
		free(w);
	}
}

static void
test_no_report(void **state UNUSED)
{
	struct source_report r;
	struct error err;
	struct buf text;

	write_report(&text);
	text.len--;
	assert_int_equal(read_report(&text, true, LIST_MAX, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_string_equal(err.text, "the sandboxed process has reported what is no report");
	text.len = 0;
	assert_int_equal(read_report(&text, true, LIST_MAX, &r, &err), -1);
	assert_string_equal(err.text, "the sandboxed process has reported what is no report");
	buf_clear(&text);
}

/* So many as a refresh steps through, and no more. */
static void
test_roots_max(void **state UNUSED)
{
	static const struct {
		int64_t last;
		size_t count;
	} cases[] = {{1, 1}, {TUF_ROOTS_MAX, TUF_ROOTS_MAX}, {TUF_ROOTS_MAX + 1, 0}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct whole *w = xcalloc(1, sizeof(*w));
		struct source_report r;
		struct error err = {0};
		struct buf text;

		write_report(&text);
		memcpy(w, text.data, sizeof(*w));
		w->first_root = 1;
		w->root = cases[i].last;
		for (size_t k = 0; k < TUF_ROOTS_MAX; k++)
			w->roots[k] = w->metadata[SOURCE_META_ROOT];
		buf_reset(&text);
		(void)buf_add(&text, w, sizeof(*w));
		assert_int_equal(read_report(&text, true, LIST_MAX, &r, &err), 0);
		assert_int_equal(r.root_count, cases[i].count);
		buf_clear(&text);
		free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_root_missing),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_no_report),
		cmocka_unit_test(test_roots_max),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

/* A list read in the sandbox gives the map that it gives outside; lines that cannot be are refused,
 * which a mail server's row of this test's own makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "export/list_reader.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/mta.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/source.h"

#include "updater_repo.h"

#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct recipe recipe;
static struct confine_user user;
static const char *bad_value;
static size_t bad_len;

static void
format_badly(const struct recipe *r, const struct list_entry *entry, enum choice choice,
	struct buf *out)
{
	if (strcmp(entry->domain, "example-00000003.test") == 0)
		(void)buf_add(out, bad_value, bad_len);
	else
		mta_texthash.format(r, entry, choice, out);
}

static int
refuse(void *arg, struct list_reader *list, struct error *err)
{
	const int64_t *version = arg;

	assert_int_equal(list_reader_header(list)->version, *version);
	error_set(err, ERROR_TEMP, "not now");
	return 1;
}

/* The map of the list, by the sandbox; its text goes into out. */
static int
make_map(const struct mta *mta, struct render_work *work, struct buf *out,
	struct render_result *result, struct error *err)
{
	const struct render_options options = {.mta = mta, .recipe = &recipe, .now_s = NOW};
	char *path = in_temp("map");
	struct render_target target = {.map = NULL};
	struct list_header header;
	int rc;

	error_clear(err);
	memset(result, 0, sizeof(*result));
	OK(map_writer_open(&map_texthash, path, &target.map, &ok_err));
	work->list_dir = temp_dir;
	work->sha256 = SHA256;
	work->other = "";
	work->user = &user;
	work->time_ms = 20000;
	work->options = &options;
	rc = render_worker(work, &target, &header, result, err);
	render_end(&target, rc == 0 ? header.version : 0, result);
	if (rc == 0) {
		OK(map_writer_finish(target.map, &ok_err));
		OK(map_writer_install(target.map, false, &ok_err));
		read_bytes(path, out);
	}
	map_writer_free(target.map);
	free(path);
	return rc;
}

static void
test_same_map(void **state UNUSED)
{
	const struct render_options options = {.mta = &mta_texthash, .recipe = &recipe, .now_s = NOW};
	char *list_path = source_list_path(temp_dir, SHA256), *path = in_temp("map-outside");
	struct render_result inside, outside;
	struct render_work work = {.check = NULL};
	struct list_reader *list;
	struct map_writer *w;
	struct buf a, b;
	struct error err = {0};

	OK(list_reader_open(list_path, &list, &ok_err));
	OK(map_writer_open(&map_texthash, path, &w, &ok_err));
	OK(render(list, &options, w, &outside, &ok_err));
	OK(map_writer_finish(w, &ok_err));
	OK(map_writer_install(w, false, &ok_err));
	read_bytes(path, &a);
	if (make_map(&mta_texthash, &work, &b, &inside, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(a.len > 1000 && a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	assert_int_equal(inside.sample_count, outside.sample_count);
	for (size_t i = 0; i < inside.sample_count; i++)
		assert_string_equal(inside.samples[i].value, outside.samples[i].value);
	assert_int_equal(inside.entries, outside.entries);
	assert_int_equal(inside.next_end_s, outside.next_end_s);
	assert_memory_equal(inside.choices, outside.choices, sizeof(inside.choices));
	buf_clear(&a);
	buf_clear(&b);
	render_result_clear(&inside);
	render_result_clear(&outside);
	map_writer_free(w);
	list_reader_close(list);
	free(path);
	free(list_path);
}

static void
test_lines_that_cannot_be(void **state UNUSED)
{
	static const struct {
		const char *value;
		size_t len;
	} cases[] = {
		{"secure\nbank.test none", 21},
		{"secure\0more", 11},
		{"secure \x1b[2J", 11},
		{"secure \x7f", 8},
		{"secure \xff", 8},
		{"secure \xc0\xaf", 9},
	};
	struct mta mta = mta_texthash;
	struct render_work work = {.check = NULL};
	struct render_result result;
	struct error err;
	struct buf out;

	mta.format = format_badly;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bad_value = cases[i].value;
		bad_len = cases[i].len;
		if (make_map(&mta, &work, &out, &result, &err) != -1 ||
			err.kind != ERROR_SECURITY || strstr(err.text, "a line that cannot be") == NULL)
			fail_msg("case %zu: %s", i, err.text);
		render_result_clear(&result);
	}
	bad_value = "secure match=\xc3\xa9.test";
	bad_len = strlen(bad_value);
	assert_int_equal(make_map(&mta, &work, &out, &result, &err), 0);
	buf_clear(&out);
	render_result_clear(&result);
}

static void
test_check(void **state UNUSED)
{
	int64_t version = 7;
	struct render_work work = {.check = refuse, .check_arg = &version};
	struct render_result result;
	struct error err;
	struct buf out;

	assert_int_equal(make_map(&mta_texthash, &work, &out, &result, &err), 1);
	assert_string_equal(err.text, "not now");
	render_result_clear(&result);
}

static void
test_no_list(void **state UNUSED)
{
	char *path = source_list_path(temp_dir, SHA256), *text;
	struct render_work work = {.check = NULL};
	struct render_result result;
	struct error err;
	struct buf out;

	write_text(path, "{}", 2);
	assert_int_equal(make_map(&mta_texthash, &work, &out, &result, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	render_result_clear(&result);
	/* Told by the name that people know. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(make_map(&mta_texthash, &work, &out, &result, &err), -1);
	text = xasprintf("%s: No such file or directory", path);
	assert_string_equal(err.text, text);
	render_result_clear(&result);
	free(text);
	free(path);
}

static int
begin(void **state)
{
	struct error err = {0};
	char *path;

	recipe.format = POSTFIX_FORMAT_PLAIN;
	if (make_temp_dir(state) < 0)
		return -1;
	path = source_list_path(temp_dir, SHA256);
	write_list(path, &(struct list_spec){.version = 7, .first = 1, .last = 40});
	free(path);
	return confine_find_user(NULL, &user, &err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_map),
		cmocka_unit_test(test_lines_that_cannot_be),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, begin, remove_temp_dir);
}

/* A list read in the sandbox gives the map that it gives outside; lines that cannot be are refused,
 * which a mail server's row of this test's own makes; the map is nothing that the process could reach. */
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
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/source.h"
#include "updater/worker.h"

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
refuse(void *arg, size_t i UNUSED, struct list_reader *list, struct error *err)
{
	const int64_t *version = arg;

	assert_int_equal(list_reader_header(list)->version, *version);
	error_set(err, ERROR_TEMP, "not now");
	return 1;
}

/* A map that was made; to be cleared whatever came of it. */
struct made {
	struct render_target target;
	struct render_counts counts;
	struct buf text;
};

static void
made_clear(struct made *m)
{
	map_writer_free(m->target.map);
	render_target_clear(&m->target);
	buf_clear(&m->text);
}

/* How often the map was opened; a process has it as it was when it was forked. */
static int opened;

static int
open_map(void *arg, struct render_target *target, struct error *err)
{
	const struct map_kind *kind = arg;
	char *path = in_temp("map"), *file = map_file(kind, path);
	int rc = map_writer_open(kind, file, &target->map, err);

	opened++;
	free(file);
	free(path);
	return rc;
}

static int
open_nothing(void *arg UNUSED, struct render_target *target UNUSED, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "no map here");
}

/* The map of the list, by the sandbox; made.text is its text, if the kind is one. Where there is a check the
 * list follows none, and 1 is what the check has said. */
static int
make_map(const struct mta *mta, struct render_work *work, struct made *made, struct error *err)
{
	const struct render_options options = {.mta = mta, .recipe = &recipe, .now_s = NOW};
	const struct render_list list = {.sha256 = work->check != NULL ? "" : SHA256,
		.next = work->check != NULL ? SHA256 : ""};
	struct render_said said;
	int rc;

	error_clear(err);
	memset(made, 0, sizeof(*made));
	opened = 0;
	work->list_dir = temp_dir;
	work->lists = &list;
	work->list_count = 1;
	work->user = &user;
	work->time_ms = 20000;
	work->options = &options;
	if (work->begin == NULL)
		work->begin = open_map;
	if (work->begin_arg == NULL)
		work->begin_arg = (void *)(uintptr_t)&map_texthash;
	rc = render_worker(work, &made->target, &said, &made->counts, err);
	if (rc == 0) {
		*err = said.err;
		return said.rc;
	}
	if (rc > 0) {
		char *path = in_temp("map"), *file = map_file(work->begin_arg, path);

		assert_int_equal(said.rc, 0);
		assert_int_equal(said.header.version, 7);
		render_end(&made->target, "7");
		OK(map_writer_finish(made->target.map, &ok_err));
		OK(map_writer_install(made->target.map, false, &ok_err));
		read_bytes(file, &made->text);
		free(file);
		free(path);
	}
	return rc < 0 ? -1 : 0;
}

static void
test_same_map(void **state UNUSED)
{
	const struct render_options options = {.mta = &mta_texthash, .recipe = &recipe, .now_s = NOW};
	char *list_path = source_list_path(temp_dir, SHA256), *path = in_temp("map-outside");
	struct made inside, outside = {.counts = {0}};
	const struct render_sink sink = {render_put_line, render_put_pin, &outside.target};
	struct render_work work = {.check = NULL};
	struct overlay_list list = {.trust = TRUST_ENFORCE};
	struct error err = {0};

	OK(list_reader_open(list_path, &list.list, &ok_err));
	OK(map_writer_open(&map_texthash, path, &outside.target.map, &ok_err));
	OK(render_to(&list, 1, &options, &sink, &outside.counts, &ok_err));
	render_end(&outside.target, "7");
	OK(map_writer_finish(outside.target.map, &ok_err));
	OK(map_writer_install(outside.target.map, false, &ok_err));
	read_bytes(path, &outside.text);
	if (make_map(&mta_texthash, &work, &inside, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(inside.text.len > 1000 && inside.text.len == outside.text.len);
	assert_memory_equal(inside.text.data, outside.text.data, inside.text.len);
	assert_int_equal(inside.target.sample_count, outside.target.sample_count);
	assert_true(inside.target.sample_count > 1);
	for (size_t i = 0; i < inside.target.sample_count; i++)
		assert_string_equal(
			inside.target.samples[i].value, outside.target.samples[i].value);
	assert_int_equal(inside.counts.entries, 40);
	assert_memory_equal(&inside.counts, &outside.counts, sizeof(inside.counts));
	made_clear(&inside);
	made_clear(&outside);
	list_reader_close(list.list);
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
	struct made made;
	struct error err;

	mta.format = format_badly;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bad_value = cases[i].value;
		bad_len = cases[i].len;
		if (make_map(&mta, &work, &made, &err) != -1 || err.kind != ERROR_SECURITY ||
			strstr(err.text, "a line that cannot be") == NULL)
			fail_msg("case %zu: %s", i, err.text);
		made_clear(&made);
	}
	bad_value = "secure match=\xc3\xa9.test";
	bad_len = strlen(bad_value);
	assert_int_equal(make_map(&mta, &work, &made, &err), 0);
	made_clear(&made);
}

/* Records that this program does not make, as its own process would send them. */
#define LINE 1
#define PIN  2
struct sent {
	uint32_t type;
	const char *key, *value;
};
static const struct sent *sent;

static void
format_sending(const struct recipe *r, const struct list_entry *entry, enum choice choice,
	struct buf *out)
{
	/* Ahead of all lines, which are still being collected. */
	if (strcmp(entry->domain, "example-00000001.test") == 0)
		for (const struct sent *s = sent; s->type != 0; s++) {
			const uint32_t head[3] = {
				s->type, (uint32_t)strlen(s->key), (uint32_t)strlen(s->value)};
			struct buf piece;

			buf_init(&piece, WORKER_PIECE_MAX);
			(void)buf_add(&piece, head, sizeof(head));
			(void)buf_add_str(&piece, s->key);
			(void)buf_add_str(&piece, s->value);
			worker_send(piece.data, piece.len);
			buf_clear(&piece);
		}
	mta_texthash.format(r, entry, choice, out);
}

static void
test_keys_that_cannot_be(void **state UNUSED)
{
	static const char label[] = "a2345678901234567890123456789012345678901234567890123456789012";
	char *endless = xasprintf("%s.%s.%s.%s.%s.test", label, label, label, label, label);
	const struct {
		const char *text;
		struct sent sent[4];
	} cases[] = {
		/* These can be, but are more lines than the report has counted. */
		{"has reported what cannot be", {{LINE, "a.test", "x"}, {LINE, "b.test", "x"}}},
		{"has reported what cannot be",
			{{LINE, "a.test", "x"}, {PIN, "a.test", "mx.a.test"}, {LINE, "b.test", "x"}}},
		{"a line that cannot be", {{LINE, "*", "x"}}},
		{"a line that cannot be", {{LINE, ".", "x"}}},
		{"a line that cannot be", {{LINE, "", "x"}}},
		{"a line that cannot be", {{LINE, "*.a.test", "x"}}},
		{"a line that cannot be", {{LINE, ".a.test", "x"}}},
		{"a line that cannot be", {{LINE, "test", "x"}}},
		{"a line that cannot be", {{LINE, "A.test", "x"}}},
		{"a line that cannot be", {{LINE, "a.test x", "x"}}},
		{"a line that cannot be", {{LINE, "\xc3\xa9.test", "x"}}},
		{"a line that cannot be", {{LINE, endless, "x"}}},
		{"a line that cannot be", {{3, "a.test", "x"}}},
		{"a line that cannot be", {{LINE, "a.test", "x"}, {LINE, "a.test", "x"}}},
		{"a line that cannot be", {{LINE, "b.test", "x"}, {LINE, "a.test", "x"}}},
		/* Behind it come those of the list. */
		{"a line that cannot be", {{LINE, "z.test", "x"}}},
		{"a line that cannot be", {{PIN, "a.test", "mx.a.test"}}},
		{"a line that cannot be", {{LINE, "a.test", "x"}, {PIN, "b.test", "mx.b.test"}}},
		{"a line that cannot be", {{LINE, "a.test", "x"}, {PIN, "a.test", "*.a.test"}}},
		{"a line that cannot be", {{LINE, "a.test", "x"}, {PIN, "a.test", "mx.a.test"},
						  {PIN, "a.test", "mx.a.test"}}},
		{"a line that cannot be", {{LINE, "a.test", "x"}, {LINE, "b.test", "x"},
						  {PIN, "a.test", "mx.a.test"}}},
	};
	struct mta mta = mta_texthash;
	struct render_work work = {.check = NULL};
	struct made made;
	struct error err;

	mta.format = format_sending;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sent = cases[i].sent;
		if (make_map(&mta, &work, &made, &err) != -1 || err.kind != ERROR_SECURITY ||
			strstr(err.text, cases[i].text) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		made_clear(&made);
	}
	free(endless);
}

static void
format_telling(const struct recipe *r UNUSED, const struct list_entry *entry UNUSED,
	enum choice choice UNUSED, struct buf *out)
{
	(void)buf_add_str(out, opened > 0 ? "opened before" : "not opened before");
}

/* What the process is forked with has no map in it: one of LMDB's would be mapped, shared. */
static void
test_map_is_opened_behind(void **state UNUSED)
{
	struct mta mta = mta_texthash;
	struct render_work work = {.begin_arg = (void *)(uintptr_t)&map_lmdb};
	char *path = in_temp("map.lmdb"), *list = source_list_path(temp_dir, SHA256);
	struct made made;
	struct error err;
	struct buf value;

	mta.format = format_telling;
	assert_int_equal(make_map(&mta, &work, &made, &err), 0);
	assert_int_equal(opened, 1);
	made_clear(&made);
	buf_init(&value, 100);
	assert_int_equal(map_find(&map_lmdb, path, "example-00000040.test", &value, &err), 1);
	assert_string_equal(buf_str(&value), "not opened before");
	buf_clear(&value);
	/* The process ends when it cannot be opened. */
	work.begin = open_nothing;
	assert_int_equal(make_map(&mta, &work, &made, &err), -1);
	assert_string_equal(err.text, "no map here");
	made_clear(&made);
	/* Without lines there is a map, too. */
	work.begin = NULL;
	write_list(list, &(struct list_spec){.version = 7, .first = 1, .last = 0});
	assert_int_equal(make_map(&mta, &work, &made, &err), 0);
	assert_int_equal(opened, 1);
	assert_int_equal(made.counts.entries, 0);
	made_clear(&made);
	write_list(list, &(struct list_spec){.version = 7, .first = 1, .last = 40});
	free(list);
	free(path);
}

/* A list that may not follow makes no map, not even beside the one that is there. */
static int
let(void *arg UNUSED, size_t i UNUSED, struct list_reader *list UNUSED, struct error *err UNUSED)
{
	return 0;
}

static int
refuse_all(void *arg UNUSED, struct render_said *said, struct error *err UNUSED)
{
	assert_int_equal(said[0].rc, 0);
	assert_int_equal(said[0].header.version, 7);
	error_set(&said[0].err, ERROR_TEMP, "too much");
	said[0].rc = 1;
	return 0;
}

static int
let_all(void *arg UNUSED, struct render_said *said UNUSED, struct error *err UNUSED)
{
	return 0;
}

static int
fail_all(void *arg UNUSED, struct render_said *said UNUSED, struct error *err)
{
	return error_set(err, ERROR_INPUT, "cannot read");
}

/* What is asked of all lists together. */
static void
test_check_all(void **state UNUSED)
{
	static const struct {
		int (*check)(void *arg, size_t i, struct list_reader *list, struct error *err);
		int (*check_all)(void *arg, struct render_said *said, struct error *err);
		int want;
		const char *why;
	} cases[] = {{let, let_all, 0, ""}, {let, refuse_all, 1, "too much"}, {let, fail_all, -1, "cannot read"},
		/* Nothing is left to ask of. */
		{refuse, fail_all, 1, "not now"}};
	int64_t version = 7;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct render_work work = {
			.check = cases[i].check, .check_all = cases[i].check_all, .check_arg = &version};
		struct made made;
		struct error err;

		assert_int_equal(make_map(&mta_texthash, &work, &made, &err), cases[i].want);
		assert_string_equal(err.text, cases[i].why);
		assert_int_equal(opened, cases[i].want == 0);
		made_clear(&made);
	}
}

static void
test_check(void **state UNUSED)
{
	int64_t version = 7;
	struct render_work work = {.check = refuse, .check_arg = &version};
	struct made made;
	struct error err;

	assert_int_equal(make_map(&mta_texthash, &work, &made, &err), 1);
	assert_string_equal(err.text, "not now");
	assert_int_equal(opened, 0);
	made_clear(&made);
}

static void
test_no_list(void **state UNUSED)
{
	char *path = source_list_path(temp_dir, SHA256), *text;
	struct render_work work = {.check = NULL};
	struct made made;
	struct error err;

	write_text(path, "{}", 2);
	assert_int_equal(make_map(&mta_texthash, &work, &made, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	made_clear(&made);
	/* Told by the name that people know. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(make_map(&mta_texthash, &work, &made, &err), -1);
	text = xasprintf("%s: No such file or directory", path);
	assert_string_equal(err.text, text);
	made_clear(&made);
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
		cmocka_unit_test(test_keys_that_cannot_be),
		cmocka_unit_test(test_map_is_opened_behind),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_all),
		cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, begin, remove_temp_dir);
}

/* The maps: written whole or not at all, found by our reader and by Postfix's own postmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/str.h"
#include "export/tuf_metadata.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/tool.h"

#include "updater_repo.h"

static const struct map_kind *const kinds[] = {
	&map_cdb, &map_lmdb, &map_texthash, &map_db_hash, &map_db_set};

static char *
map_path(const struct map_kind *kind, const char *name)
{
	/* Two kinds have the same suffix. */
	char *unique = xasprintf("%s-%s", name, kind->name);
	char *path = in_temp(unique);
	char *file = map_file(kind, path);

	free(unique);
	free(path);
	return file;
}

static struct map_writer *
write_some(const struct map_kind *kind, const char *file, int count, const char *serial)
{
	struct map_writer *w;

	OK(map_writer_open(kind, file, &w, &ok_err));
	map_writer_add(w, MAP_SENTINEL, serial, strlen(serial));
	for (int i = 0; i < count; i++) {
		char key[64], value[64];

		(void)snprintf(key, sizeof(key), "d%05d.example", i);
		(void)snprintf(value, sizeof(value), "secure match=mx%d.example", i);
		map_writer_add(w, key, value, strlen(value));
	}
	OK(map_writer_finish(w, &ok_err));
	return w;
}

static int
find(const struct map_kind *kind, const char *file, const char *key, const char *want)
{
	struct error err = {0};
	struct buf value;
	int rc;

	buf_init(&value, 1 << 20);
	rc = map_find(kind, file, key, &value, &err);
	if (rc > 0 && want != NULL)
		assert_string_equal(buf_str(&value), want);
	buf_clear(&value);
	return rc;
}

static void
test_round_trip(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct map_kind *kind = kinds[i];
		char *file = map_path(kind, "round");
		struct map_writer *w = write_some(kind, file, 1000, "5");
		struct stat st;

		assert_false(file_exists(file));
		assert_int_equal(find(kind, map_writer_path(w), MAP_SENTINEL, "5"), 1);
		OK(map_writer_install(w, false, &ok_err));
		map_writer_free(w);
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0644);
		assert_int_equal(find(kind, file, MAP_SENTINEL, "5"), 1);
		assert_int_equal(find(kind, file, "d00000.example", "secure match=mx0.example"), 1);
		assert_int_equal(
			find(kind, file, "d00999.example", "secure match=mx999.example"), 1);
		assert_int_equal(find(kind, file, "d01000.example", NULL), 0);
		assert_int_equal(find(kind, file, "d00999.exampl", NULL), 0);
		assert_int_equal(find(kind, file, "00999.example", NULL), 0);
		assert_int_equal(find(kind, file, "", NULL), 0);
		free(file);
	}
}

static void
test_not_installed(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct map_kind *kind = kinds[i];
		char *file = map_path(kind, "abandoned");
		struct map_writer *w = write_some(kind, file, 10, "1");
		char *temporary = xstrdup(map_writer_path(w));

		assert_true(file_exists(temporary));
		map_writer_free(w);
		assert_false(file_exists(temporary));
		assert_false(file_exists(file));
		/* What a killed run has left is no obstacle, were it a link to elsewhere. */
		assert_int_equal(symlink("/nonexistent/elsewhere", temporary), 0);
		w = write_some(kind, file, 10, "1");
		OK(map_writer_install(w, false, &ok_err));
		map_writer_free(w);
		assert_int_equal(find(kind, file, MAP_SENTINEL, "1"), 1);
		free(temporary);
		free(file);
	}
}

static void
test_previous(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct map_kind *kind = kinds[i];
		char *file = map_path(kind, "previous");
		char *previous = xasprintf("%s.1", file);
		time_t seen_s = 0;
		struct stat st, open_st;
		int fd;

		for (int n = 0; n < 4; n++) {
			char serial[8];
			struct map_writer *w;

			(void)snprintf(serial, sizeof(serial), "%d", n);
			w = write_some(kind, file, 3, serial);
			fd = open(file, O_RDONLY | O_CLOEXEC);
			OK(map_writer_install(w, true, &ok_err));
			map_writer_free(w);
			/* Who has the previous one open can tell that it is no longer the map, as
			 * Postfix looks: no name, or another second of change. */
			if (n > 0) {
				assert_int_equal(fstat(fd, &open_st), 0);
				assert_true(
					open_st.st_nlink == 0 || open_st.st_mtim.tv_sec != seen_s);
				assert_int_equal(close(fd), 0);
			}
			assert_int_equal(find(kind, file, MAP_SENTINEL, serial), 1);
			(void)snprintf(serial, sizeof(serial), "%d", n - 1);
			if (n > 0)
				assert_int_equal(find(kind, previous, MAP_SENTINEL, serial), 1);
			else
				assert_false(file_exists(previous));
			/* Who looks at whole seconds sees each of them. */
			assert_int_equal(stat(file, &st), 0);
			assert_true(st.st_mtim.tv_sec != seen_s);
			seen_s = st.st_mtim.tv_sec;
		}
		/* A folder has that name. */
		{
			char *folder = map_path(kind, "folder");
			struct map_writer *w = write_some(kind, folder, 3, "9");
			struct error err = {0};

			assert_int_equal(mkdir(folder, 0755), 0);
			assert_int_equal(map_writer_install(w, false, &err), -1);
			assert_int_equal(err.kind, ERROR_CONFIG);
			map_writer_free(w);
			free(folder);
		}
		/* What cannot be kept does not keep the new one away. */
		assert_int_equal(unlink(previous), 0);
		assert_int_equal(mkdir(previous, 0755), 0);
		{
			struct map_writer *w = write_some(kind, file, 3, "9");

			OK(map_writer_install(w, true, &ok_err));
			map_writer_free(w);
		}
		assert_int_equal(find(kind, file, MAP_SENTINEL, "9"), 1);
		free(previous);
		free(file);
	}
}

/* A file that is no map is an error or answers nothing; it never crashes the reader. */
static void
test_broken(void **state UNUSED)
{
	const struct map_kind *kind = &map_cdb;
	char *file = map_path(kind, "broken");
	struct map_writer *w = write_some(kind, file, 100, "5");
	struct error err = {0};
	struct buf whole, value;

	OK(map_writer_install(w, false, &ok_err));
	map_writer_free(w);
	read_bytes(file, &whole);
	for (size_t len = 0; len < whole.len; len += 37) {
		write_text(file, whole.data, len);
		for (int i = 0; i < 100; i += 9) {
			char key[64], want[64];

			(void)snprintf(key, sizeof(key), "d%05d.example", i);
			(void)snprintf(want, sizeof(want), "secure match=mx%d.example", i);
			(void)find(kind, file, key, want);
		}
	}
	write_text(file, "", 0);
	assert_int_equal(find(kind, file, MAP_SENTINEL, NULL), -1);
	memset(whole.data, 0, whole.len);
	write_text(file, whole.data, whole.len);
	assert_int_equal(find(kind, file, MAP_SENTINEL, NULL), 0);
	assert_int_equal(find(kind, "/nonexistent/map.cdb", MAP_SENTINEL, NULL), -1);
	buf_init(&value, 10);
	assert_int_equal(map_find(kind, temp_dir, MAP_SENTINEL, &value, &err), -1);
	buf_clear(&value);
	buf_clear(&whole);
	free(file);
}

static void
test_names(void **state UNUSED)
{
	static const struct {
		const struct map_kind *kind;
		const char *path, *file, *table;
	} cases[] = {
		{&map_cdb, "/etc/postfix/preload", "/etc/postfix/preload.cdb",
			"cdb:/etc/postfix/preload"},
		{&map_cdb, "/etc/postfix/preload.cdb", "/etc/postfix/preload.cdb",
			"cdb:/etc/postfix/preload"},
		{&map_lmdb, "/etc/postfix/preload", "/etc/postfix/preload.lmdb",
			"lmdb:/etc/postfix/preload"},
		{&map_texthash, "/etc/postfix/preload", "/etc/postfix/preload",
			"texthash:/etc/postfix/preload"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct map_kind *kind = cases[i].kind;
		char *file = map_file(kind, cases[i].path), *table = map_table(kind, file);

		assert_string_equal(file, cases[i].file);
		assert_string_equal(table, cases[i].table);
		free(file);
		free(table);
	}
}

/* --- real postmap -------------------------------------------------------------------------------
 */

/* A postmap that runs: the machine's, or the lab's unpacked one behind a wrapper with a
 * configuration of its own. NULL: there is none. */
static char *
find_postmap(void)
{
	const char *tests = getenv("TESTDIR");
	char *root = xasprintf("%s/../build/lab-root", tests != NULL ? tests : "tests");
	char *binary = xasprintf("%s/usr/sbin/postmap", root), *real = realpath(root, NULL);
	char *path, *text;

	if (real == NULL || access(binary, X_OK) != 0) {
		free(root);
		free(binary);
		free(real);
		return tool_find(NULL, "postmap");
	}
	text = xasprintf("compatibility_level = 3.6\nmail_owner = mail\nsetgid_group = games\n"
			 "default_privs = nobody\nqueue_directory = %s\ndata_directory = %s\n"
			 "shlib_directory = %s/usr/lib/postfix\nmeta_directory = %s\n"
			 "import_environment = LD_LIBRARY_PATH\n",
		temp_dir, temp_dir, real, temp_dir);
	path = in_temp("main.cf");
	write_text(path, text, strlen(text));
	free(path);
	free(text);
	text = xasprintf("cdb %s/usr/lib/postfix/postfix-cdb.so dict_cdb_open mkmap_cdb_open\n"
			 "lmdb %s/usr/lib/postfix/postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open\n",
		real, real);
	path = in_temp("dynamicmaps.cf");
	write_text(path, text, strlen(text));
	free(path);
	free(text);
	text = xasprintf(
		"#!/bin/sh\nexport LD_LIBRARY_PATH=$(echo %s/usr/lib/postfix "
		"%s/usr/lib/*-linux-gnu | tr ' ' :)\nexec %s/usr/sbin/postmap -c %s \"$@\"\n",
		real, real, real, temp_dir);
	path = in_temp("postmap");
	write_script(path, text);
	free(text);
	free(root);
	free(binary);
	free(real);
	return path;
}

static void
test_postmap(void **state UNUSED)
{
	char *postmap = find_postmap();

	if (postmap == NULL) {
		print_message(
			"# SKIPPED: no postmap here (neither installed nor in build/lab-root)\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct map_kind *kind = kinds[i];

		/* OpenSMTPD's sets are no type of Postfix's; Sendmail's hash is. */
		if (kind == &map_db_set)
			continue;
		char *file = map_path(kind, "asked"), *table = map_table(kind, file);
		struct map_writer *w = write_some(kind, file, 100, "42");
		static const struct {
			const char *key, *want;
		} cases[] = {{MAP_SENTINEL, "42\n"},
			{"d00000.example", "secure match=mx0.example\n"},
			{"d00099.example", "secure match=mx99.example\n"}, {"d00100.example", NULL},
			{"example", NULL}};

		OK(map_writer_install(w, false, &ok_err));
		map_writer_free(w);
		for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
			const char *argv[] = {postmap, "-q", cases[k].key, table, NULL};
			struct tool_result result;

			OK(tool_run(argv, TOOL_TIMEOUT_MS, &result, &ok_err));
			if (strcmp(buf_str(&result.err), "") != 0)
				fail_msg("%s", buf_str(&result.err));
			assert_int_equal(result.status, cases[k].want == NULL);
			assert_string_equal(
				buf_str(&result.out), cases[k].want != NULL ? cases[k].want : "");
			tool_result_clear(&result);
		}
		free(file);
		free(table);
	}
	free(postmap);
}

/* --- tools --------------------------------------------------------------------------------------
 */

static void
test_tools(void **state UNUSED)
{
	struct tool_result result;
	struct error err = {0};
	char *complaint, *file;

	OK(tool_run((const char *[]){"/bin/sh", "-c",
			    "echo out; echo first >&2; echo last >&2; exit 3", NULL},
		TOOL_TIMEOUT_MS, &result, &ok_err));
	assert_int_equal(result.status, 3);
	assert_string_equal(buf_str(&result.out), "out\n");
	complaint = tool_complaint(&result);
	assert_string_equal(complaint, "last");
	free(complaint);
	tool_result_clear(&result);
	assert_int_equal(tool_run((const char *[]){"/nonexistent/tool", NULL}, TOOL_TIMEOUT_MS,
				 &result, &err),
		-1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	tool_result_clear(&result);
	/* Too slow: killed. */
	assert_int_equal(tool_run((const char *[]){"/bin/sh", "-c", "exec sleep 600", NULL}, 50,
				 &result, &err),
		-1);
	assert_int_equal(err.kind, ERROR_TEMP);
	tool_result_clear(&result);
	/* Too talkative. */
	assert_int_equal(tool_run((const char *[]){"/bin/sh", "-c", "exec yes", NULL},
				 TOOL_TIMEOUT_MS, &result, &err),
		-1);
	assert_int_equal(err.kind, ERROR_TEMP);
	tool_result_clear(&result);
	file = tool_find(NULL, "sh");
	assert_non_null(file);
	free(file);
	assert_null(tool_find(NULL, "no-such-tool-anywhere"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_not_installed),
		cmocka_unit_test(test_previous),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_postmap),
		cmocka_unit_test(test_tools),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

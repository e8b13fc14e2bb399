/* The base that everything leans on: text, time, buffers, files, errors, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/descriptors.h"
#include "common/error.h"
#include "common/file.h"
#include "common/idna.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

static void
test_escape(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *want;
	} cases[] = {
		{"plain", 5, "plain"},
		{"a\0b", 3, "a\\x00b"},
		{"tab\there", 8, "tab\\x09here"},
		{"back\\slash", 10, "back\\\\slash"},
		{"\x1b[31m", 5, "\\x1b[31m"},
		{"\xc3\xa4", 2, "\xc3\xa4"},
		{"\xc3", 1, "\\xc3"},
		{"\xc0\x80", 2, "\\xc0\\x80"},
		{"\xc2\x9b", 2, "\\xc2\\x9b"},
		{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},
		{"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"},
		{"", 0, ""},
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		str_escape(cases[i].bytes, cases[i].len, out, sizeof(out));
		assert_string_equal(out, cases[i].want);
	}
}

static void
test_escape_cuts(void **state UNUSED)
{
	char out[8];

	str_escape("1234567", 7, out, sizeof(out));
	assert_string_equal(out, "1234567");
	str_escape("12345678", 8, out, sizeof(out));
	assert_string_equal(out, "1234...");
	/* A multi-byte character is never cut in half. */
	str_escape("123\xe2\x82\xac\xe2\x82\xac", 9, out, sizeof(out));
	assert_string_equal(out, "123...");
	for (size_t len = 0; len < 40; len++) {
		char in[40];

		memset(in, '\1', sizeof(in));
		str_escape(in, len, out, sizeof(out));
		assert_true(strlen(out) < sizeof(out));
	}
}

static void
test_parse_u64(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t max;
		int rc;
		uint64_t want;
	} cases[] = {
		{"0", 10, 0, 0},
		{"10", 10, 0, 10},
		{"11", 10, -1, 0},
		{"007", 10, 0, 7},
		{"", 10, -1, 0},
		{"-1", 10, -1, 0},
		{"+1", 10, -1, 0},
		{" 1", 10, -1, 0},
		{"1 ", 10, -1, 0},
		{"1_0", 100, -1, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -1, 0},
		{"99999999999999999999999", UINT64_MAX, -1, 0},
		{"9", 8, -1, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t got = 0;

		print_message("# %s up to %llu\n", cases[i].text, (unsigned long long)cases[i].max);
		assert_int_equal(str_parse_u64(cases[i].text, strlen(cases[i].text), cases[i].max, &got),
			cases[i].rc);
		assert_true(got == cases[i].want);
	}
}

static void
test_hex(void **state UNUSED)
{
	uint8_t bytes[3] = {0x00, 0xab, 0xff};
	uint8_t back[3];
	char text[7];

	str_hex(bytes, 3, text);
	assert_string_equal(text, "00abff");
	assert_int_equal(str_unhex("00ABff", 6, back, 3), 0);
	assert_memory_equal(bytes, back, 3);
	assert_int_equal(str_unhex("00abf", 5, back, 3), -1);
	assert_int_equal(str_unhex("00abfg", 6, back, 3), -1);
	assert_int_equal(str_unhex("00abff00", 8, back, 3), -1);
}

static void
test_percent_encode(void **state UNUSED)
{
	static const struct {
		const char *text, *keep, *want;
	} cases[] = {
		{"", "", ""},
		{"aZ09-._~", "", "aZ09-._~"},
		{"a/b c?#%", "", "a%2Fb%20c%3F%23%25"},
		{"a/b c", "/", "a/b%20c"},
		{"\xc3\xa9\x01", "", "%C3%A9%01"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = str_percent_encode(cases[i].text, cases[i].keep);

		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void
test_percent_decode(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"a%2Fb%20c%3f%25", "a/b c?%"},
		{"%C3%a9%01", "\xc3\xa9\x01"},
		{"%", "%"},
		{"%4", "%4"},
		{"%4g%%41", "%4g%A"},
		{"%00%2500", "%00%00"},
	};
	char *part = str_percent_decode("%41%41", 5);

	assert_string_equal(part, "A%4");
	free(part);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = str_percent_decode(cases[i].text, strlen(cases[i].text));

		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void
test_clock(void **state UNUSED)
{
	static const struct {
		const char *text;
		int rc;
		int64_t want;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2026-11-23T12:00:00Z", 0, 1795435200},
		{"2044-01-01T00:00:00Z", 0, 2335219200},
		{"2028-02-29T23:59:59Z", 0, 1835481599},
		{"9999-12-31T23:59:59Z", 0, INT64_C(253402300799)},
		{"2026-02-29T00:00:00Z", -1, 0},
		{"2026-13-01T00:00:00Z", -1, 0},
		{"2026-00-10T00:00:00Z", -1, 0},
		{"2026-11-23T24:00:00Z", -1, 0},
		{"2026-11-23T12:60:00Z", -1, 0},
		{"2026-11-23 12:00:00Z", -1, 0},
		{"2026-11-23T12:00:00", -1, 0},
		{"2026-11-23T12:00:00z", -1, 0},
		{"2026-11-23T12:00:00+00:00", -1, 0},
		{"1969-12-31T23:59:59Z", -1, 0},
		{"+026-11-23T12:00:00Z", -1, 0},
		{"", -1, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = 0;
		char text[CLOCK_TEXT_SIZE];

		print_message("# %s\n", cases[i].text);
		assert_int_equal(clock_parse(cases[i].text, strlen(cases[i].text), &got), cases[i].rc);
		assert_true(got == cases[i].want);
		if (cases[i].rc == 0) {
			assert_true(clock_has_text(got));
			clock_format(got, text);
			assert_string_equal(text, cases[i].text);
		}
	}
	assert_false(clock_has_text(-1));
	assert_false(clock_has_text(CLOCK_MAX_S + 1));
}

static void
test_clock_env(void **state UNUSED)
{
	struct clock clock;
	struct error err = {0};

	setenv("PRELOAD25_NOW", "2026-11-23T12:00:00Z", 1);
	assert_int_equal(clock_from_env(&clock, &err), 0);
	assert_true(clock_now(&clock) == 1795435200);
	setenv("PRELOAD25_NOW", "tomorrow", 1);
	assert_int_equal(clock_from_env(&clock, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	assert_non_null(strstr(err.text, "tomorrow"));
	unsetenv("PRELOAD25_NOW");
	assert_int_equal(clock_from_env(&clock, &err), 0);
	assert_false(clock.fixed);
}

static void
test_buf(void **state UNUSED)
{
	struct buf b;
	char *taken;

	buf_init(&b, 10);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_add_str(&b, "12345"), 0);
	assert_int_equal(buf_addf(&b, "%05d", 67), 0);
	assert_string_equal(buf_str(&b), "1234500067");
	assert_false(buf_failed(&b));
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_true(buf_failed(&b));
	assert_string_equal(buf_str(&b), "1234500067");
	/* The failure is sticky: a hole in the middle must not go unnoticed. */
	buf_consume(&b, 5);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_string_equal(buf_str(&b), "00067");
	buf_reset(&b);
	assert_int_equal(buf_add(&b, "a\0b", 3), 0);
	assert_int_equal(b.len, 3);
	taken = buf_take(&b);
	assert_memory_equal(taken, "a\0b", 4);
	free(taken);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	buf_init(&b, 0);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	buf_clear(&b);
}

static void
test_arena(void **state UNUSED)
{
	struct arena *a = arena_new();
	char *big = arena_calloc(a, 100000, 1);
	char *text = arena_printf(a, "%s-%d", "x", 7);

	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(big[i], 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal((uintptr_t)arena_calloc(a, 1, (size_t)i % 40) % sizeof(void *), 0);
	assert_string_equal(text, "x-7");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	arena_free(a);
	arena_free(NULL);
}

static void
test_error(void **state UNUSED)
{
	struct error err = {0};

	assert_int_equal(error_set(&err, ERROR_INPUT, "bad byte %s", "\x1b[2J"), -1);
	assert_string_equal(err.text, "bad byte \\x1b[2J");
	assert_int_equal(error_prefix(&err, "%s: line %d", "file\n", 3), -1);
	assert_string_equal(err.text, "file\\x0a: line 3: bad byte \\x1b[2J");
	assert_int_equal(error_exit_code(&err), 2);
	errno = ENOSPC;
	error_set_errno(&err, ERROR_CONFIG, "x");
	assert_int_equal(error_exit_code(&err), 3);
	errno = EACCES;
	error_set_errno(&err, ERROR_CONFIG, "x");
	assert_int_equal(error_exit_code(&err), 2);
	assert_string_equal(err.text, "x: Permission denied");
	for (int i = 0; i < 100; i++)
		error_prefix(&err, "a prefix that makes the text longer and longer");
	assert_true(strlen(err.text) < sizeof(err.text));
	error_clear(&err);
	assert_int_equal(error_exit_code(&err), 0);
}

/* A directory of its own for each test that needs files. */
static int
make_dir(void **state)
{
	char *dir = xstrdup("/tmp/preload25-test-XXXXXX");

	*state = mkdtemp(dir);
	return *state == NULL;
}

static int
remove_dir(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("rm", "rm", "-rf", (char *)*state, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	free(*state);
	return status;
}

static char *
read_text(const char *path)
{
	struct buf b;
	struct error err;

	buf_init(&b, 100000);
	if (file_read(path, &b, &err) < 0)
		fail_msg("%s", err.text);
	return buf_take(&b);
}

static size_t
count_files(const char *dir)
{
	DIR *d = opendir(dir);
	size_t count = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return count;
}

/* A link in its place leads nowhere; a folder in it stays, and so does it. */
static void
test_file_remove_dir(void **state)
{
	char *dir = xasprintf("%s/full", (char *)*state), *file = xasprintf("%s/f", dir);
	char *link = xasprintf("%s/link", (char *)*state), *below = xasprintf("%s/below", dir);
	struct error err = {0};

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(file_replace(file, "one", 3, 0600, &err), 0);
	assert_int_equal(symlink(dir, link), 0);
	assert_int_equal(file_remove_dir(AT_FDCWD, link), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_true(file_exists(file));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(file_remove_dir(AT_FDCWD, dir), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_false(file_exists(file));
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(file_replace(file, "one", 3, 0600, &err), 0);
	assert_int_equal(file_remove_dir(AT_FDCWD, dir), 0);
	assert_false(file_exists(dir));
	assert_int_equal(file_remove_dir(AT_FDCWD, dir), -1);
	assert_int_equal(errno, ENOENT);
	free(below);
	free(link);
	free(file);
	free(dir);
}

static void
test_file_replace(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state);
	struct file_writer *w;
	struct error err = {0};
	struct stat st;
	char *text;

	assert_int_equal(file_replace(path, "one", 3, 0600, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* Given up: the old file stands and nothing is left beside it. */
	assert_int_equal(file_writer_open(path, 0644, &w, &err), 0);
	file_writer_add(w, "two", 3);
	file_writer_free(w);
	text = read_text(path);
	assert_string_equal(text, "one");
	free(text);
	assert_int_equal(count_files(*state), 1);

	/* Larger than the buffer, in pieces. */
	assert_int_equal(file_writer_open(path, 0644, &w, &err), 0);
	for (int i = 0; i < 50000; i++)
		file_writer_add(w, "x", 1);
	assert_int_equal(file_writer_commit(w, &err), 0);
	file_writer_free(w);
	text = read_text(path);
	assert_int_equal(strlen(text), 50000);
	free(text);
	assert_int_equal(count_files(*state), 1);
	free(path);
}

static void
test_file_create(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state), *link_path = xasprintf("%s/l", (char *)*state);
	struct error err = {0};
	struct stat st;
	mode_t before = umask(077);
	char *text;

	assert_int_equal(file_create(path, "one", 3, 0644, &err), 0);
	(void)umask(before);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	/* Nothing that is there is written to, nor where a link leads. */
	assert_int_equal(file_create(path, "two", 3, 0644, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	text = read_text(path);
	assert_string_equal(text, "one");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, link_path), 0);
	assert_int_equal(file_create(link_path, "two", 3, 0644, &err), -1);
	assert_false(file_exists(path));
	free(text);
	free(link_path);
	free(path);
}

static void
test_file_full_disk(void **state UNUSED)
{
	struct file_writer *w;
	struct error err = {0};
	char *chunk = xcalloc(300000, 1);

	/* /dev/full cannot be renamed over; a descriptor limit gives the same error on a real file. */
	assert_int_equal(file_writer_open("/dev/shm/preload25-full", 0644, &w, &err), 0);
	assert_true(dup2(open("/dev/full", O_WRONLY), file_writer_fd(w)) >= 0);
	file_writer_add(w, chunk, 300000);
	file_writer_add(w, chunk, 10);
	assert_int_equal(file_writer_commit(w, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_non_null(strstr(err.text, "No space left"));
	file_writer_free(w);
	assert_int_equal(access("/dev/shm/preload25-full", F_OK), -1);
	free(chunk);
}

static void
test_file_read(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state);
	struct error err = {0};
	struct buf b;

	buf_init(&b, 5);
	assert_int_equal(file_read_if_exists(path, &b, &err), 0);
	assert_int_equal(file_read(path, &b, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(file_replace(path, "12345", 5, 0644, &err), 0);
	assert_int_equal(file_read(path, &b, &err), 0);
	assert_string_equal(buf_str(&b), "12345");
	buf_reset(&b);
	assert_int_equal(file_replace(path, "123456", 6, 0644, &err), 0);
	assert_int_equal(file_read(path, &b, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	buf_reset(&b);
	assert_int_equal(file_read(*state, &b, &err), -1);
	assert_non_null(strstr(err.text, "not a regular file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, &b, &err), -1);
	buf_clear(&b);
	free(path);
}

static void
test_file_lock(void **state)
{
	char *path = xasprintf("%s/lock", (char *)*state);
	struct file_lock *one = NULL;
	struct file_lock *two = NULL;
	struct error err = {0};

	assert_int_equal(file_lock_take(path, &one, &err), 0);
	assert_int_equal(file_lock_take(path, &two, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	file_lock_free(one);
	assert_int_equal(file_lock_take(path, &two, &err), 0);
	file_lock_free(two);
	free(path);
}

static void
test_file_mkdirs(void **state)
{
	char *path = xasprintf("%s/a/b/c", (char *)*state);
	char *file = xasprintf("%s/a/f", (char *)*state);
	char *below = xasprintf("%s/a/f/d", (char *)*state);
	struct error err = {0};

	assert_int_equal(file_mkdirs(path, 0755, &err), 0);
	assert_int_equal(file_mkdirs(path, 0755, &err), 0);
	assert_int_equal(file_replace(file, "", 0, 0644, &err), 0);
	assert_int_equal(file_mkdirs(file, 0755, &err), -1);
	assert_int_equal(file_mkdirs(below, 0755, &err), -1);
	free(path);
	free(file);
	free(below);
}

static void
test_file_names(void **state UNUSED)
{
	static const struct {
		const char *path, *dir, *name;
	} cases[] = {{"/a/b/c.d", "/a/b", "c.d"}, {"/a", "/", "a"}, {"a", ".", "a"}, {"a/b", "a", "b"},
		{"a/", "a", ""}, {"", ".", ""}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *dir = file_dir_of(cases[i].path);

		assert_string_equal(dir, cases[i].dir);
		assert_string_equal(file_name_of(cases[i].path), cases[i].name);
		free(dir);
	}
}

static void
test_idna(void **state UNUSED)
{
	static const struct {
		const char *name;
		int rc;
		const char *ascii;
	} cases[] = {{"b\u00fccher.example", 0, "xn--bcher-kva.example"},
		{"fa\u00df.example", 0, "xn--fa-hia.example"}, {"example.org", 0, "example.org"},
		/* U+2100 maps to "a/c", U+FF3F to an underscore. */
		{"\u2100.example", 1, NULL}, {"a\uff3fb.example", 1, NULL}, {"\u0378.example", -1, NULL},
		{"-\u00fc.example", -1, NULL}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *ascii = NULL;
		int code = 0;

		assert_int_equal(idna_to_ascii(cases[i].name, &ascii, &code), cases[i].rc);
		if (cases[i].rc == 0)
			assert_string_equal(ascii, cases[i].ascii);
		else
			assert_null(ascii);
		assert_true((code != 0) == (cases[i].rc < 0));
		free(ascii);
	}
}

static void
test_descriptors(void **state UNUSED)
{
	struct rlimit before, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 50;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(descriptors_limit(), 50);
	descriptors_raise();
	assert_true(before.rlim_max == RLIM_INFINITY || descriptors_limit() == before.rlim_max);
	assert_true(descriptors_limit() > 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
test_json(void **state UNUSED)
{
	static const struct {
		const char *text;
		const char *canonical; /* NULL: refused */
	} cases[] = {
		{"{\"b\": 1, \"a\": [true, null, \"x\"]}", "{\"a\":[true,null,\"x\"],\"b\":1}"},
		{"{\"k\": \"line\\nquote\\\" back\\\\ \\u00e4\"}",
			"{\"k\":\"line\nquote\\\" back\\\\ \xc3\xa4\"}"},
		/* Members are sorted by octets, not by letters. */
		{"{\"a\": 1, \"B\": 2, \"_\": 3}", "{\"B\":2,\"_\":3,\"a\":1}"},
		{"{}", "{}"},
		{"[-5, 9007199254740993]", "[-5,9007199254740993]"},
		{"{\"a\": 1.0}", NULL},
		{"{\"a\": 1, \"a\": 2}", NULL},
		{"{\"a\": \"\\u0000\"}", NULL},
		{"{\"a\": 1} x", NULL},
		{"{\"a\": \"\xff\"}", NULL},
		{"", NULL},
		{"[99999999999999999999]", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *value = NULL;
		struct error err = {0};
		struct buf out;
		int rc;

		print_message("# %s\n", cases[i].text);
		buf_init(&out, 1000);
		rc = json_parse(cases[i].text, strlen(cases[i].text), &value, &err);
		if (rc == 0)
			rc = json_canonical(value, &out, &err);
		if (cases[i].canonical == NULL) {
			assert_int_equal(rc, -1);
			assert_int_equal(err.kind, ERROR_INPUT);
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(buf_str(&out), cases[i].canonical);
		}
		json_decref(value);
		buf_clear(&out);
	}
}

/* Where standard error is the journal, it is told each line's priority; where JOURNAL_STREAM was only
 * inherited, nothing changes. */
static void
test_log_journal(void **state UNUSED)
{
	static const char want[] = "program: one\nprogram: warning: two\n"
				   "<6>three\n<4>warning: four\\x0afive\n<3>six\n"
				   "program: seven\nprogram: warning: eight\n";
	char name[48], text[sizeof(want) + 100];
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	struct stat st;
	size_t len;

	assert_non_null(file);
	assert_true(before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_to_stderr("program", LOG_LEVEL_INFO);
	log_info("one");
	log_warning("two");
	log_debug("below the minimum");
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", name, 1), 0);
	log_to_stderr("program", LOG_LEVEL_INFO);
	log_info("three");
	log_warning("four\nfive");
	log_error("six");
	(void)snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev,
		(uintmax_t)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", name, 1), 0);
	log_to_stderr("program", LOG_LEVEL_INFO);
	log_error("seven");
	log_at(LOG_LEVEL_DEBUG, "below the minimum");
	log_at(LOG_LEVEL_WARNING, "%s", "eight");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	(void)close(before);
	rewind(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	(void)fclose(file);
	assert_string_equal(text, want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cuts),
		cmocka_unit_test(test_parse_u64),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_percent_encode),
		cmocka_unit_test(test_percent_decode),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_env),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_error),
		cmocka_unit_test_setup_teardown(test_file_replace, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_file_create, make_dir, remove_dir),
		cmocka_unit_test(test_file_full_disk),
		cmocka_unit_test_setup_teardown(test_file_remove_dir, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_file_read, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_file_lock, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_file_mkdirs, make_dir, remove_dir),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_idna),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_log_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

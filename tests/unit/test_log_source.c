/* Where the mail log is: lines cut anywhere, rotated and compressed files, damage, the journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "common/buf.h"
#include "common/str.h"
#include "updater/log_source.h"
#include "updater/mta.h"
#include "updater/settings.h"

#include "updater_repo.h"

/* Collects lines, with a bar between them. */
static void
collect(void *arg, struct log_time *when UNUSED, const char *line, size_t len)
{
	struct buf *out = arg;

	assert_int_equal(buf_add(out, line, len), 0);
	assert_int_equal(buf_add_char(out, '|'), 0);
}

static void
test_lines(void **state UNUSED)
{
	struct log_lines *l = xcalloc(1, sizeof(*l));
	char *noise = xcalloc(1, MAIL_LOG_LINE_MAX + 100);
	struct buf out;

	buf_init(&out, (size_t)1 << 20);
	/* The same whatever pieces it comes in. */
	for (size_t piece = 1; piece < 12; piece++) {
		static const char text[] = "one\n\ntwo\nthree is long\nrest";
		size_t len = sizeof(text) - 1;

		buf_reset(&out);
		log_lines_begin(l, collect, &out, 0);
		for (size_t at = 0; at < len; at += piece)
			log_lines_feed(l, text + at, at + piece < len ? piece : len - at);
		assert_int_equal(l->taken, len - 4);
		log_lines_end(l);
		assert_string_equal(buf_str(&out), "one||two|three is long|rest|");
	}
	/* A line that is too long is passed over, one that is just not is there. */
	memset(noise, 'x', MAIL_LOG_LINE_MAX + 100);
	buf_reset(&out);
	log_lines_begin(l, collect, &out, 0);
	log_lines_feed(l, "a\n", 2);
	log_lines_feed(l, noise, MAIL_LOG_LINE_MAX);
	log_lines_feed(l, "x", 1);
	log_lines_feed(l, noise, MAIL_LOG_LINE_MAX);
	log_lines_feed(l, "\nb\n", 3);
	assert_string_equal(buf_str(&out), "a|b|");
	assert_int_equal(l->taken, 2 + 2 * MAIL_LOG_LINE_MAX + 2 + 2);
	log_lines_feed(l, noise, MAIL_LOG_LINE_MAX);
	log_lines_feed(l, "\n", 1);
	assert_int_equal(out.len, 4 + MAIL_LOG_LINE_MAX + 1);
	buf_clear(&out);
	free(noise);
	free(l);
}

/* --- files -------------------------------------------------------------------------------------- */

static void
age(const char *path, int64_t days)
{
	const struct timespec t[2] = {{.tv_sec = NOW - days * DAY}, {.tv_sec = NOW - days * DAY}};

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static char *
log_path(const char *ending)
{
	char *name = xasprintf("mail.log%s", ending), *path = in_temp(name);

	free(name);
	return path;
}

static void
write_log(const char *ending, const char *text, int64_t days)
{
	char *path = log_path(ending);

	write_text(path, text, strlen(text));
	age(path, days);
	free(path);
}

/* The first size octets of the compressed text; 0: all. */
static void
write_gz(const char *ending, const char *text, size_t size, int64_t days)
{
	char *path = log_path(ending);
	gzFile f = gzopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), strlen(text));
	assert_int_equal(gzclose(f), Z_OK);
	if (size > 0)
		assert_int_equal(truncate(path, (off_t)size), 0);
	age(path, days);
	free(path);
}

static int
read_span(const struct update_settings *s, const struct log_span *span, struct buf *out,
	struct log_said *said, struct error *err)
{
	struct log_source *source = NULL;
	int rc = log_source_open(s, span, said, &source, err);

	if (rc == 0)
		rc = log_source_read(source, log_source_feed, source, collect, out, said, err);
	log_source_close(source);
	return rc;
}

static int
read_source(const struct update_settings *s, const char *path, int64_t days, struct buf *out,
	struct log_said *said, struct error *err)
{
	struct log_span span = {
		.path = path, .since_s = days > 0 ? NOW - days * DAY : 0, .now_s = NOW};

	memset(said, 0, sizeof(*said));
	buf_reset(out);
	error_clear(err);
	return read_span(s, &span, out, said, err);
}

static void
test_files(void **state UNUSED)
{
	char *path = log_path(""), *gz = log_path(".2.gz"), *folder = in_temp("");
	struct update_settings s = {.mta = &mta_postfix, .log_path = path, .postconf = "/nonexistent"};
	struct log_said said;
	struct error err;
	struct buf out;

	buf_init(&out, 4096);
	write_log("", "new\n", 0);
	write_log(".1", "yesterday\n", 1);
	write_gz(".2.gz", "before\nthat\n", 0, 2);
	write_log(".3.xz", "?", 3);
	write_gz(".4.gz", "old\n", 0, 9);
	write_log(".offset", "no log", 0);
	write_log("2", "another log", 0);
	assert_int_equal(read_source(&s, NULL, 7, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "before|that|yesterday|new|");
	assert_int_equal(said.read_count, 3);
	assert_string_equal(said.read[0], gz);
	assert_string_equal(said.read[2], path);
	assert_int_equal(said.skipped_count, 1);
	assert_non_null(strstr(said.skipped[0], "mail.log.3.xz: compressed by another program"));
	log_said_clear(&said);
	/* Of the same second: the larger number is the older one. */
	write_log(".1", "yesterday\n", 0);
	assert_int_equal(read_source(&s, NULL, 1, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "yesterday|new|");
	log_said_clear(&said);
	/* Dates for numbers, as logrotate has them with dateext. */
	write_gz("-20261120.gz", "dated\n", 0, 5);
	assert_int_equal(read_source(&s, NULL, 7, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "dated|before|that|yesterday|new|");
	log_said_clear(&said);
	/* What is damaged is read as far as it goes, and said. */
	write_gz(".2.gz", "before\nthat\n", 24, 2);
	assert_int_equal(read_source(&s, NULL, 3, &out, &said, &err), 0);
	assert_non_null(strstr(buf_str(&out), "yesterday|new|"));
	assert_int_equal(said.skipped_count, 2);
	assert_non_null(strstr(said.skipped[1], "mail.log.2.gz: its compression is damaged"));
	log_said_clear(&said);
	/* One that is named is read alone, however it is packed; nothing else stands in for it. */
	write_gz(".2.gz", "before\nthat\n", 0, 2);
	assert_int_equal(read_source(&s, gz, 0, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "before|that|");
	log_said_clear(&said);
	assert_int_equal(read_source(&s, "/nonexistent/log", 0, &out, &said, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(read_source(&s, folder, 0, &out, &said, &err), -1);
	assert_non_null(strstr(err.text, "a folder, not a log"));
	log_said_clear(&said);
	/* Configured, and not written for long: read all the same, since it was named. */
	age(path, 30);
	s.log_path = path;
	(void)unlink(gz);
	assert_int_equal(read_source(&s, path, 7, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "new|");
	log_said_clear(&said);
	(void)remove_temp_dir(NULL);
	(void)make_temp_dir(NULL);
	buf_clear(&out);
	free(folder);
	free(gz);
	free(path);
}

/* What cannot be read is said; the log itself must be. A link that leads to itself nobody can read. */
static void
test_unreadable(void **state UNUSED)
{
	char *path = log_path(""), *rotated = log_path(".5");
	struct update_settings s = {.mta = &mta_postfix, .log_path = path, .postconf = "/nonexistent"};
	struct log_said said;
	struct error err;
	struct buf out;

	buf_init(&out, 4096);
	write_log("", "new\n", 0);
	write_log(".1", "yesterday\n", 0);
	assert_int_equal(symlink("mail.log.5", rotated), 0);
	assert_int_equal(read_source(&s, NULL, 1, &out, &said, &err), 0);
	assert_string_equal(buf_str(&out), "yesterday|new|");
	assert_int_equal(said.skipped_count, 1);
	assert_non_null(strstr(said.skipped[0], "/mail.log.5: "));
	assert_non_null(strstr(said.skipped[0], strerror(ELOOP)));
	log_said_clear(&said);
	(void)unlink(rotated);
	(void)unlink(path);
	assert_int_equal(symlink("mail.log", path), 0);
	assert_int_equal(read_source(&s, NULL, 1, &out, &said, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, strerror(ELOOP)));
	log_said_clear(&said);
	(void)unlink(path);
	buf_clear(&out);
	free(rotated);
	free(path);
}

/* Too many: the oldest are left out, and that is said; the log itself never is. */
static void
test_many(void **state UNUSED)
{
	char *path = log_path("");
	struct update_settings s = {.mta = &mta_postfix, .log_path = path, .postconf = "/nonexistent"};
	struct log_said said;
	struct error err;
	struct buf out;
	char ending[16];

	buf_init(&out, 65536);
	for (int i = 1; i <= 403; i++) {
		(void)snprintf(ending, sizeof(ending), ".%d", i);
		write_log(ending, i == 403 ? "oldest\n" : i == 400 ? "too old\n" : i == 399 ? "old\n" : "x\n", i);
	}
	/* Nothing was written into it for longer than into any other. */
	write_log("", "live\n", 500);
	assert_int_equal(read_source(&s, NULL, 501, &out, &said, &err), 0);
	assert_int_equal(said.read_count, 400);
	assert_true(str_starts(buf_str(&out), "live|old|x|"));
	assert_int_equal(said.skipped_count, 1);
	assert_non_null(strstr(said.skipped[0], "more than 400 files: not the 4 oldest"));
	log_said_clear(&said);
	for (int i = 1; i <= 403; i++) {
		char *old;

		(void)snprintf(ending, sizeof(ending), ".%d", i);
		old = log_path(ending);
		(void)unlink(old);
		free(old);
	}
	(void)unlink(path);
	buf_clear(&out);
	free(path);
}

/* journalctl is asked for mail of the days in question; its complaint is ours. */
static void
test_journal(void **state UNUSED)
{
	static const char tells[] = "#!/bin/sh\nfor a; do printf '%s ' \"$a\"; done; echo; echo line\n";
	static const char fails[] = "#!/bin/sh\necho no journal here >&2; exit 1\n";
	char *program = in_temp("journalctl");
	struct update_settings s = {.mta = &mta_postfix, .log_path = "journal", .journalctl = program};
	struct log_said said;
	struct error err;
	struct buf out;

	buf_init(&out, 4096);
	write_script(program, tells);
	assert_int_equal(read_source(&s, NULL, 2, &out, &said, &err), 0);
	assert_non_null(strstr(buf_str(&out), "--output=short-iso"));
	assert_non_null(strstr(buf_str(&out), "SYSLOG_FACILITY=2"));
	assert_non_null(strstr(buf_str(&out), "|line|"));
	assert_string_equal(said.read[0], "the journal");
	log_said_clear(&said);
	write_script(program, fails);
	assert_int_equal(read_source(&s, NULL, 2, &out, &said, &err), -1);
	assert_non_null(strstr(err.text, "no journal here"));
	log_said_clear(&said);
	buf_clear(&out);
	free(program);
}

static void
ignore(void *arg UNUSED, struct log_time *when UNUSED, const char *line UNUSED, size_t len UNUSED)
{
}

/* Goes on behind the cursor; behind the time where that is unknown; and when it ends early, the lines that were
 * handed out are not asked for in another way. */
static void
test_journal_goes_on(void **state UNUSED)
{
#define SCRIPT(after) "#!/bin/sh\nfor a; do case $a in --until=*) echo again; exit ;; esac; done\n" \
		      "for a; do case $a in --since=*) echo \"$a\"; echo '-- cursor: new'; exit ;; " \
		      "--after-cursor=*) echo \"$a\"; " after " ;; esac; done\n"
	static const struct {
		const char *script;
		int rc;
		const char *lines, *cursor;
	} rows[] = {{SCRIPT("echo '-- cursor: x'"), 0, "--after-cursor=old|", "x"},
		{"#!/bin/sh\nfor a; do case $a in --until=*) exit ;; --after-cursor=*) echo gone >&2; exit 1 ;; esac; "
		 "done\nfor a; do case $a in --since=*) echo \"$a\"; echo '-- cursor: new' ;; esac; done\n",
			0, "--since=@1001|", "new"},
		{SCRIPT("echo broken >&2; exit 1"), -1, "--after-cursor=old|", "old"}};
	char *program = in_temp("journalctl");
	struct update_settings s = {.mta = &mta_postfix, .log_path = "journal", .journalctl = program};
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_place place = {.cursor = "old", .last_s = 1000};
		const struct log_span span = {.now_s = NOW, .place = &place, .again = ignore};
		struct log_said said = {0};
		struct error err = {0};

		write_script(program, rows[i].script);
		buf_reset(&out);
		assert_int_equal(read_span(&s, &span, &out, &said, &err), rows[i].rc);
		assert_string_equal(buf_str(&out), rows[i].lines);
		assert_string_equal(place.cursor, rows[i].cursor);
		assert_int_equal(said.read_count, rows[i].rc == 0);
		if (rows[i].rc < 0)
			assert_non_null(strstr(err.text, "broken"));
		log_said_clear(&said);
	}
	buf_clear(&out);
	free(program);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_journal_goes_on),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

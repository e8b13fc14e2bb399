/* Log and list are read in the sandbox: what a process in it has, that what it tells is looked at, and that what is
 * told is what the log says. A mail server's row of this test's own runs inside, in the place of foreign code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/sanitized.h"
#include "updater/job.h"
#include "updater/log_feed.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/survey.h"
#include "updater/worker.h"

#include "updater_repo.h"

/* Whoever waits for longer waits for ever. */
#define PATIENCE_S 30

#define LINE(time, domain) \
	time " mail postfix/smtp[7]: A1: to=<u@" domain ">, relay=mx." domain \
	     "[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
#define LOG_TEXT \
	LINE("2026-11-23T11:00:00+00:00", "example-00000001.test") \
	LINE("2026-11-23T11:30:00+00:00", "example-00000002.test") LINE("2026-11-23T11:31:00+00:00", "other.test")

/* --- a scene ------------------------------------------------------------------------------------
 */

struct scene {
	struct update_settings s;
	struct survey survey;
	struct error err;
	char *log;
};

/* A list was fetched, and a mail log is there. */
static void
scene_init(struct scene *scene)
{
	struct job_options job = {.now_s = NOW, .dry_run = true};
	struct error err = {0};
	struct repo repo;
	char *list = in_temp("list.json"), *conf = in_temp("conf"), *anchor = in_temp("root"), *text;

	memset(scene, 0, sizeof(*scene));
	scene->log = in_temp("log");
	write_text(scene->log, LOG_TEXT, strlen(LOG_TEXT));
	repo_init(&repo, "repo");
	write_list(list, &(const struct list_spec){.version = 7, .first = 1, .last = 3});
	repo_publish(&repo, list);
	repo_copy_root(&repo, anchor);
	text = xasprintf("[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s/state\n[install]\nmta = texthash\n"
			 "path = %s/map\ndane = no\n[postfix]\nformat = plain\npostmap = /nonexistent\n",
		repo.dir, anchor, temp_dir, temp_dir);
	write_text(conf, text, strlen(text));
	free(text);
	if (update_settings_load(conf, &scene->s, &err) < 0)
		fail_msg("%s", err.text);
	scene->s.postmap = NULL;
	if (job_run(&scene->s, &job, &err) != 0)
		fail_msg("%s", err.text);
	repo_clear(&repo);
	free(anchor);
	free(conf);
	free(list);
}

static void
scene_clear(struct scene *scene)
{
	survey_clear(&scene->survey);
	update_settings_clear(&scene->s);
	free(scene->log);
	(void)remove_temp_dir(NULL);
	(void)make_temp_dir(NULL);
}

static int
look_at(struct scene *scene, const struct survey_options *options)
{
	survey_clear(&scene->survey);
	error_clear(&scene->err);
	return survey_make(&scene->s, options, &scene->survey, &scene->err);
}

static int
look(struct scene *scene)
{
	const struct survey_options options = {.path = scene->log, .now_s = NOW};

	return look_at(scene, &options);
}

/* --- what is run inside -------------------------------------------------------------------------
 */

static void (*inside)(void);

/* A row's choose(): once for each entry that the log speaks of. */
static enum choice
choose(const struct recipe *r, const struct list_header *header, const struct list_entry *entry, int64_t now_s)
{
	if (inside != NULL)
		inside();
	return mta_texthash.choose(r, header, entry, now_s);
}

static struct mta
hooked(void (*hook)(void))
{
	struct mta row = mta_texthash;

	row.choose = choose;
	inside = hook;
	return row;
}

/* Said once inside, by the log: what is open and what is allowed. */
static void
look_around(void)
{
	int readable = 0, writable = 0, sockets = 0;
	struct stat st;

	inside = NULL;
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fstat(fd, &st) < 0)
			continue;
		sockets += S_ISSOCK(st.st_mode);
		readable += S_ISREG(st.st_mode) && (flags & O_ACCMODE) == O_RDONLY;
		writable += S_ISREG(st.st_mode) && (flags & O_ACCMODE) != O_RDONLY;
	}
	log_warning("%d readable, %d writable, %d sockets", readable, writable, sockets);
	if (geteuid() == 0 || getuid() == 0 || setuid(0) == 0)
		log_warning("root");
	if (open("/etc/shadow", O_RDONLY) >= 0 || open("/etc/passwd", O_RDONLY) >= 0 ||
		open(".", O_RDONLY | O_DIRECTORY) >= 0 || open("/tmp/x", O_WRONLY | O_CREAT, 0600) >= 0)
		log_warning("opened");
	if (!SANITIZED && socket(AF_INET, SOCK_STREAM, 0) >= 0)
		log_warning("network");
}

static char said[400];

static void
on_line(void *arg UNUSED, enum log_level level, const char *text)
{
	if (level >= LOG_LEVEL_WARNING)
		(void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s;", text);
}

static void
test_has_nothing(void **state UNUSED)
{
	struct mta row = hooked(look_around);
	struct scene scene;

	if (confine_lacks() != NULL) {
		print_message("SKIPPED: this kernel has %s\n", confine_lacks());
		skip();
	}
	scene_init(&scene);
	scene.s.mta = &row;
	said[0] = '\0';
	log_to_function(on_line, NULL, LOG_LEVEL_WARNING);
	if (look(&scene) != 0)
		fail_msg("%s", scene.err.text);
	log_to_stderr("test", LOG_LEVEL_WARNING);
	/* The list and the log; what it is fed by. */
	assert_string_equal(said, "2 readable, 0 writable, 1 sockets;");
	assert_int_equal(scene.survey.listed_count, 2);
	assert_int_equal(scene.survey.read.attempts, 3);
	scene_clear(&scene);
}

/* --- what it may not tell -----------------------------------------------------------------------
 */

/* As in survey_worker.c. */
struct record {
	uint32_t type, text_len;
	uint64_t message;
	int64_t n[TRAFFIC_COUNTS];
};

static const struct forged {
	const char *name;
	struct record record;
	const char *text;
	size_t cut; /* octets that are missing */
} forgeries[] = {{"a type that there is not", {.type = 9, .text_len = 6}, "a.test", 0},
	{"no domain", {.type = 4, .text_len = 6}, "a\ntest", 0},
	{"a domain behind its like", {.type = 4, .text_len = 6}, "a.test", 0},
	{"less than nothing", {.type = 4, .text_len = 6, .n = {-1}}, "b.test", 0},
	{"more than there can be", {.type = 4, .text_len = 6, .n = {[TRAFFIC_COUNTS - 1] = INT64_MAX}}, "b.test", 0},
	{"a domain more than it says", {.type = 4, .text_len = 6}, "b.test", 0},
	{"a message that nobody follows", {.type = 5, .text_len = 6}, "b.test", 0},
	{"a part that there is not", {.type = 1, .message = 77}, "", 0},
	{"a path without end", {.type = 2, .text_len = 100000}, NULL, 0},
	{"half a record", {.type = 2}, "", 8},
	{"half a text", {.type = 2, .text_len = 6}, "a.test", 1}};
static const struct forged *forged;

static void
send_forged(void)
{
	struct buf piece;

	inside = NULL;
	buf_init(&piece, WORKER_PIECE_MAX);
	if (forged->record.type == 4 && strcmp(forged->text, "a.test") == 0) {
		struct record before = {.type = 4, .text_len = 6};

		(void)buf_add(&piece, &before, sizeof(before));
		(void)buf_add_str(&piece, "b.test");
	}
	(void)buf_add(&piece, &forged->record, sizeof(forged->record));
	for (size_t i = 0; i < forged->record.text_len; i++)
		(void)buf_add_char(&piece, forged->text != NULL ? forged->text[i] : 'x');
	worker_send(piece.data, piece.len - forged->cut);
	buf_clear(&piece);
}

static void
test_what_cannot_be(void **state UNUSED)
{
	struct mta row = hooked(NULL);
	struct scene scene;

	scene_init(&scene);
	scene.s.mta = &row;
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		print_message("# %s\n", forgeries[i].name);
		forged = &forgeries[i];
		inside = send_forged;
		assert_int_equal(look(&scene), -1);
		if (scene.err.kind != ERROR_SECURITY || strstr(scene.err.text, "what cannot be") == NULL)
			fail_msg("kind %d: %s", (int)scene.err.kind, scene.err.text);
	}
	scene_clear(&scene);
}

/* What is shown to people is fit for a terminal. */
static void
send_escapes(void)
{
	static const struct record record = {.type = 3, .text_len = 8};
	struct buf piece;

	inside = NULL;
	buf_init(&piece, WORKER_PIECE_MAX);
	(void)buf_add(&piece, &record, sizeof(record));
	(void)buf_add(&piece, "a\x1b[2J\nb\xff", 8);
	worker_send(piece.data, piece.len);
	buf_clear(&piece);
}

static void
test_nothing_reaches_a_terminal(void **state UNUSED)
{
	struct mta row = hooked(send_escapes);
	struct scene scene;

	scene_init(&scene);
	scene.s.mta = &row;
	if (look(&scene) != 0)
		fail_msg("%s", scene.err.text);
	assert_int_equal(scene.survey.said.skipped_count, 1);
	assert_string_equal(scene.survey.said.skipped[0], "a\\x1b[2J\\x0ab\\xff");
	scene_clear(&scene);
}

/* --- what it is fed -----------------------------------------------------------------------------
 */

/* A pipe is read out here, and looked at inside. */
static void
test_stream(void **state UNUSED)
{
	const struct survey_options options = {.path = "-", .now_s = NOW};
	int fds[2], before = dup(STDIN_FILENO);
	struct scene scene;

	scene_init(&scene);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], LOG_TEXT, strlen(LOG_TEXT)), strlen(LOG_TEXT));
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	if (look_at(&scene, &options) != 0)
		fail_msg("%s", scene.err.text);
	assert_int_equal(scene.survey.listed_count, 2);
	assert_string_equal(scene.survey.said.read[0], "standard input");
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	(void)close(before);
	(void)close(fds[0]);
	scene_clear(&scene);
}

/* Nobody writes there, and nobody ends it: that has its time, too. */
static void
test_quiet_stream(void **state UNUSED)
{
	const struct survey_options options = {.path = "-", .now_s = NOW, .time_max_s = 1};
	int fds[2], before = dup(STDIN_FILENO);
	struct scene scene;

	scene_init(&scene);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	(void)alarm(PATIENCE_S);
	assert_int_equal(look_at(&scene, &options), -1);
	(void)alarm(0);
	assert_int_equal(scene.err.kind, ERROR_TEMP);
	assert_non_null(strstr(scene.err.text, "time_limit"));
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	(void)close(before);
	(void)close(fds[0]);
	(void)close(fds[1]);
	scene_clear(&scene);
}

/* --- who takes it in other hands ----------------------------------------------------------------
 */

/* Asks for one part more, which has no end, and returns where it comes from. */
static int
ask_for_more(void)
{
	static const struct record record = {.type = 1, .message = LOG_FEED_BEHIND};
	struct stat st;

	inside = NULL;
	worker_send(&record, sizeof(record));
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
			return fd;
	return -1;
}

static void
drip(void)
{
	int fd = ask_for_more();
	char octet;

	while (read(fd, &octet, 1) == 1)
		continue;
}

static void
stall(void)
{
	(void)ask_for_more();
	while (select(0, NULL, NULL, NULL, NULL) < 0 && errno == EINTR)
		continue;
}

static void
leave(void)
{
	char *argv[] = {(char[]){"true"}, NULL};

	(void)ask_for_more();
	if (!SANITIZED)
		(void)execv("/bin/true", argv);
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

/* Says that it is done, which is believed as far as its numbers go. */
static void
want_no_more(void)
{
	(void)close(ask_for_more());
}

/* It can hold nobody up for longer than [sandbox] time_limit; and when it dies while it is fed, that is seen at once,
 * and told by what it died of. */
static void
test_taken_over(void **state UNUSED)
{
	static const char program[] = "#!/bin/sh\ncase \"$*\" in *--since=*) printf '%s' '" LOG_TEXT "' ;;\n"
				      "*) exec yes 'Nov 23 11:00:00 mail postfix/smtp[7]: nothing' ;; esac\n";
	static const struct {
		const char *name;
		void (*hook)(void);
		int64_t time_s;
		int rc;
		enum error_kind kind;
		const char *text;
	} rows[] = {{"drips", drip, 1, -1, ERROR_TEMP, "took longer than [sandbox] time_limit allows"},
		{"stalls", stall, 1, -1, ERROR_TEMP, "took longer than [sandbox] time_limit allows"},
		{"dies", leave, 7200, -1, SANITIZED ? ERROR_TEMP : ERROR_SECURITY,
			SANITIZED ? "crashed" : "asked for a system call"},
		{"wants no more", want_no_more, 7200, 0, ERROR_NONE, ""}};
	char *journalctl = in_temp("journalctl");
	struct scene scene;

	if (confine_lacks() != NULL) {
		print_message("SKIPPED: this kernel has %s\n", confine_lacks());
		skip();
	}
	scene_init(&scene);
	write_script(journalctl, program);
	scene.s.log_path = "journal";
	scene.s.journalctl = journalctl;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mta row = hooked(rows[i].hook);
		struct log_place place = {.last_s = 1};
		const struct survey_options options = {.now_s = NOW, .place = &place};

		print_message("# %s\n", rows[i].name);
		scene.s.mta = &row;
		scene.s.sandbox_time_s = rows[i].time_s;
		(void)alarm(PATIENCE_S);
		if (look_at(&scene, &options) != rows[i].rc || scene.err.kind != rows[i].kind ||
			strstr(scene.err.text, rows[i].text) == NULL)
			fail_msg("kind %d: %s", (int)scene.err.kind, scene.err.text);
		(void)alarm(0);
	}
	scene_clear(&scene);
	free(journalctl);
}

/* --- times --------------------------------------------------------------------------------------
 */

/* Lines that name no zone are of this machine's, which the process could not look up. */
static void
test_zone(void **state UNUSED)
{
	static const char local[] = LINE("Nov 23 20:30:00", "example-00000001.test");
	struct scene scene;

	scene_init(&scene);
	write_text(scene.log, local, strlen(local));
	assert_int_equal(setenv("TZ", file_exists("/usr/share/zoneinfo/Asia/Tokyo") ? "Asia/Tokyo" : "JST-9", 1), 0);
	if (look(&scene) != 0)
		fail_msg("%s", scene.err.text);
	assert_int_equal(scene.survey.read.first_s, NOW - 1800);
	/* Another one, in the same process. */
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	if (look(&scene) != 0)
		fail_msg("%s", scene.err.text);
	assert_int_equal(scene.survey.read.first_s, NOW - 1800 + 9 * 3600);
	assert_int_equal(unsetenv("TZ"), 0);
	scene_clear(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has_nothing),
		cmocka_unit_test(test_what_cannot_be),
		cmocka_unit_test(test_nothing_reaches_a_terminal),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_quiet_stream),
		cmocka_unit_test(test_taken_over),
		cmocka_unit_test(test_zone),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

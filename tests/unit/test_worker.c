/* The sandbox: what a process in it can no longer do, and what its parent believes of it. Each probe
 * runs in the set-up that the updater uses; as root also as an ordinary user who starts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/sanitized.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/confine.h"
#include "updater/worker.h"
#include "updater/workdir.h"

#include "updater_repo.h"

#define NOBODY 65534

static char *outside; /* a file that everybody may write, and read, but for the sandbox */

extern char **environ;

/* --- probes -------------------------------------------------------------------------------------
 */

typedef int probe(void *arg, struct buf *report, struct error *err);

/* Opening must fail, and because it is not allowed. */
static int
must_not_open(const char *path, int flags, struct error *err)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		return error_set(err, ERROR_INPUT, "%s was opened", path);
	if (errno != EACCES && errno != EPERM)
		return error_set_errno(err, ERROR_INPUT, "%s", path);
	return 0;
}

static int
probe_files(void *arg, struct buf *report, struct error *err)
{
	const char *file = arg;
	char *beside = xasprintf("%s.new", file);
	int fd;

	(void)buf_add_str(report, "files");
	if (must_not_open("/etc/shadow", O_RDONLY, err) < 0 ||
		must_not_open("/etc/passwd", O_RDONLY, err) < 0 ||
		must_not_open("/proc/self/environ", O_RDONLY, err) < 0 ||
		must_not_open(file, O_RDONLY, err) < 0 || must_not_open(file, O_WRONLY, err) < 0 ||
		must_not_open(file, O_WRONLY | O_TRUNC, err) < 0 ||
		must_not_open(beside, O_WRONLY | O_CREAT | O_EXCL, err) < 0 ||
		must_not_open("a", O_WRONLY | O_CREAT | O_EXCL, err) < 0 ||
		must_not_open("..", O_RDONLY | O_DIRECTORY, err) < 0 ||
		must_not_open("/", O_RDONLY | O_DIRECTORY, err) < 0)
		return -1;
	if (unlink(file) == 0 || rename(file, "mine") == 0 || link(file, "mine") == 0 ||
		symlink("/etc/shadow", "mine") == 0 || chmod(file, 0777) == 0 ||
		mkdir("mine", 0700) == 0 || mkfifo("mine", 0600) == 0 ||
		(!SANITIZED && chdir("/") == 0))
		return error_set(err, ERROR_INPUT, "a name was changed");
	/* Its own folders are there to work in. */
	fd = open("fetched/a", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0 || ftruncate(fd, 0) < 0 ||
		close(fd) < 0 || rename("fetched/a", "fetched/b") < 0 || unlink("fetched/b") < 0)
		return error_set_errno(err, ERROR_INPUT, "its own folder");
	free(beside);
	return 0;
}

/* Files of its own user's, which everybody may write: a link to one at the top, a copy below. arg: whether
 * it has that user still. */
static int
probe_through(void *arg, struct buf *report UNUSED, struct error *err)
{
	const bool *same = arg;
	char text[8] = "";
	int fd;

	if (must_not_open("linked", O_WRONLY, err) < 0 || must_not_open("linked", O_RDWR, err) < 0 ||
		must_not_open("linked", O_WRONLY | O_TRUNC, err) < 0)
		return -1;
	if (unlink("linked") == 0 || rename("linked", "metadata/mine") == 0 ||
		link("linked", "metadata/mine") == 0 || rename("metadata/copied", "linked") == 0)
		return error_set(err, ERROR_INPUT, "a name was changed");
	fd = open("linked", O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text)) != 7 || memcmp(text, "trusted", 7) != 0)
		return error_set_errno(err, ERROR_INPUT, "linked");
	(void)close(fd);
	fd = open("metadata/copied", O_WRONLY | O_TRUNC);
	if ((fd >= 0) != *same || (fd >= 0 && write(fd, "altered", 7) != 7))
		return error_set(err, ERROR_INPUT, "its copy");
	return 0;
}

static int
probe_itself(void *arg, struct buf *report UNUSED, struct error *err)
{
	const bool *was_root = arg;
	struct rlimit core;

	if (*was_root && (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getgroups(0, NULL) > 0))
		return error_set(err, ERROR_INPUT, "still root");
	if (setuid(0) == 0 || (*was_root && seteuid(0) == 0))
		return error_set(err, ERROR_INPUT, "root again");
	if (environ != NULL && *environ != NULL)
		return error_set(err, ERROR_INPUT, "there is an environment: %s", *environ);
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return error_set(err, ERROR_INPUT, "core dumps");
	for (int fd = STDERR_FILENO + 1, open_count = 0; fd < 1024; fd++) {
		open_count += fcntl(fd, F_GETFD) >= 0;
		if (open_count > 1)
			return error_set(err, ERROR_INPUT, "descriptor %d is open", fd);
	}
	return 0;
}

static int
probe_run(void *arg UNUSED, struct buf *report UNUSED, struct error *err)
{
	char *argv[] = {(char[]){"true"}, NULL};

	(void)execv("/bin/true", argv);
	return error_set_errno(err, ERROR_INPUT, "not killed");
}

static int
probe_fork(void *arg UNUSED, struct buf *report UNUSED, struct error *err)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? 0 : error_set(err, ERROR_INPUT, "there are two");
}

/* arg: what must be refused, and whether the internet must be. */
static int
probe_sockets(void *arg, struct buf *report UNUSED, struct error *err)
{
	const bool *network = arg;

	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_NETLINK, SOCK_RAW, 0) >= 0)
		return error_set(err, ERROR_INPUT, "a socket of this machine");
	if ((socket(AF_INET, SOCK_STREAM, 0) >= 0) != *network)
		return error_set(err, ERROR_INPUT, "a socket of the internet");
	return 0;
}

static int
probe_crash(void *arg UNUSED, struct buf *report, struct error *err UNUSED)
{
	(void)buf_add_str(report, "never sent");
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

static int
probe_hang(void *arg UNUSED, struct buf *report UNUSED, struct error *err UNUSED)
{
	while (select(0, NULL, NULL, NULL, NULL) < 0 && errno == EINTR)
		continue;
	return 0;
}

static int
probe_speak(void *arg UNUSED, struct buf *report, struct error *err)
{
	log_warning("inside/a: told, and inside/a again: inside/b");
	(void)buf_add_str(report, "all is well");
	return error_set(err, ERROR_EXPIRED, "inside/c: b\ad");
}

static int
probe_brake(void *arg UNUSED, struct buf *report UNUSED, struct error *err)
{
	error_set(err, ERROR_TEMP, "brake");
	return 1;
}

/* --- the machinery ------------------------------------------------------------------------------
 */

struct scene {
	struct worker w;
	struct workdir *dir;
	struct buf report;
	struct error err;
};

static void
scene_init(struct scene *s, probe *work, void *arg)
{
	struct error err = {0};
	char *path = xasprintf("%s/work-%d", temp_dir, (int)geteuid());

	memset(s, 0, sizeof(*s));
	if (workdir_open(path, &s->dir, &err) < 0)
		fail_msg("%s", err.text);
	free(path);
	buf_init(&s->report, 64);
	s->w = (struct worker){.what = "probing", .time_ms = 20000, .work = work, .arg = arg};
	s->w.confine.dir = workdir_fd(s->dir);
	s->w.confine.writable = workdir_writable(s->dir, &s->w.confine.writable_count);
	if (confine_find_user(NULL, &s->w.confine.user, &err) < 0 ||
		workdir_give(s->dir, &s->w.confine.user, &err) < 0)
		fail_msg("%s", err.text);
}

static void
scene_clear(struct scene *s)
{
	workdir_close(s->dir);
	buf_clear(&s->report);
}

static int
run(struct scene *s)
{
	error_clear(&s->err);
	return worker_run(&s->w, &s->report, &s->err);
}

/* What the probe says must be that all was refused. */
static void
expect_refused(probe *work, void *arg, bool network)
{
	struct scene s;

	scene_init(&s, work, arg);
	s.w.confine.network = network;
	if (run(&s) != 0)
		fail_msg("%s", s.err.text);
	scene_clear(&s);
}

static void
expect_no_way_through(void)
{
	struct buf text;
	struct scene s;
	bool same;

	scene_init(&s, probe_through, &same);
	same = !s.w.confine.user.change;
	assert_int_equal(workdir_link(s.dir, outside, "linked", &s.err), 1);
	assert_int_equal(workdir_put(s.dir, outside, WORKDIR_METADATA, "copied", 7, &s.err), 1);
	if (run(&s) != 0)
		fail_msg("%s", s.err.text);
	read_bytes(outside, &text);
	assert_string_equal(buf_str(&text), "trusted");
	buf_clear(&text);
	scene_clear(&s);
}

static void
expect_error(probe *work, int64_t time_ms, enum error_kind kind, const char *text)
{
	struct scene s;

	scene_init(&s, work, NULL);
	s.w.time_ms = time_ms;
	assert_int_equal(run(&s), -1);
	if (s.err.kind != kind || strstr(s.err.text, text) == NULL)
		fail_msg("kind %d: %s", (int)s.err.kind, s.err.text);
	assert_int_equal(s.report.len, 0);
	scene_clear(&s);
}

static bool
can_confine(void)
{
	const char *lacks = confine_lacks();

	if (lacks == NULL)
		return true;
	print_message("SKIPPED: this kernel has %s\n", lacks);
	return false;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
probe_all(void)
{
	bool was_root = geteuid() == 0, yes = true, no = false;

	expect_refused(probe_files, outside, false);
	expect_refused(probe_itself, &was_root, false);
	expect_no_way_through();
	/* The sanitizers' builds have another filter: see confine.c. */
	if (!SANITIZED) {
		expect_refused(probe_fork, NULL, false);
		expect_refused(probe_sockets, &no, false);
		expect_refused(probe_sockets, &yes, true);
		expect_error(probe_run, 20000, ERROR_SECURITY, "system call");
	} else {
		expect_error(probe_run, 20000, ERROR_INPUT, "not permitted");
	}
}

static void
test_as_is(void **state UNUSED)
{
	if (!can_confine())
		skip();
	probe_all();
}

static void
test_as_user(void **state UNUSED)
{
	int status;
	pid_t pid;

	if (!can_confine())
		skip();
	if (geteuid() != 0) {
		print_message("the test before was this one: not root\n");
		return;
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(99);
		probe_all();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A parent with more of them open than the process may have. */
static void
test_many_descriptors(void **state UNUSED)
{
	bool was_root = geteuid() == 0;
	int fds[100];

	if (!can_confine())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dup(STDERR_FILENO);
		assert_true(fds[i] >= 0);
	}
	expect_refused(probe_itself, &was_root, false);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		assert_int_equal(close(fds[i]), 0);
}

static void
test_ends(void **state UNUSED)
{
	expect_error(probe_hang, 200, ERROR_TEMP, "probing took longer than");
	expect_error(probe_crash, 20000, ERROR_TEMP, "crashed (Aborted)");
}

/* What it says comes out, by the names that people know. */
static char line[200];
static void
on_line(void *arg UNUSED, enum log_level level, const char *text)
{
	(void)snprintf(line, sizeof(line), "%d %s", (int)level, text);
}

static void
test_speaks(void **state UNUSED)
{
	const struct worker_name names[] = {{"inside/", "/var/outside/"}};
	struct scene s;

	scene_init(&s, probe_speak, NULL);
	s.w.names = names;
	s.w.name_count = 1;
	log_to_function(on_line, NULL, LOG_LEVEL_INFO);
	assert_int_equal(run(&s), -1);
	log_to_stderr("test", LOG_LEVEL_INFO);
	assert_string_equal(line, "2 /var/outside/a: told, and inside/a again: /var/outside/b");
	assert_int_equal(s.err.kind, ERROR_EXPIRED);
	assert_string_equal(s.err.text, "/var/outside/c: b\\x07d");
	assert_string_equal(buf_str(&s.report), "all is well");
	s.w.work = probe_brake;
	assert_int_equal(run(&s), 1);
	assert_string_equal(s.err.text, "brake");
	scene_clear(&s);
}

/* Messages that none of ours sends. */
struct raw {
	const char *name;
	size_t len;
	const char *bytes;
};

static int
probe_raw(void *arg, struct buf *report UNUSED, struct error *err UNUSED)
{
	const struct raw *raw = arg;

	/* The only one that is open is the report. */
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		(void)!write(fd, raw->bytes, raw->len);
	_exit(0);
}

#define RAW(name, bytes) \
	{ \
		name, sizeof(bytes) - 1, bytes \
	}
#define ZEROS_8 "\0\0\0\0\0\0\0\0"
#define ZEROS_64 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8
#define ZEROS_408 ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_8 ZEROS_8 ZEROS_8
#define TEXT_8 "aaaaaaaa"
#define TEXT_80 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8 TEXT_8

static void
test_hostile(void **state UNUSED)
{
	static const struct raw cases[] = {
		RAW("half a head", "\1\0\0"),
		RAW("no such message", "\x63\0\0\0\1\0\0\0x"),
		RAW("an empty line", "\1\0\0\0\0\0\0\0"),
		RAW("half a line", "\1\0\0\0\5\0\0\0\1"),
		RAW("a line of 4 GiB", "\1\0\0\0\xff\xff\xff\xff\1"),
		RAW("no such level", "\1\0\0\0\2\0\0\0\x7fx"),
		RAW("a report of 4 GiB", "\2\0\0\0\xff\xff\xff\xffx"),
		RAW("an empty report", "\2\0\0\0\0\0\0\0"),
		RAW("two reports", "\2\0\0\0\1\0\0\0x\2\0\0\0\1\0\0\0x"),
		RAW("a short answer", "\3\0\0\0\4\0\0\0\0\0\0\0"),
		RAW("an answer of 2", "\3\0\0\0\x98\1\0\0\2\0\0\0\0\0\0\0" ZEROS_408),
		RAW("a failure of no kind", "\3\0\0\0\x98\1\0\0\xff\xff\xff\xff\0\0\0\0" ZEROS_408),
		RAW("no such kind", "\3\0\0\0\x98\1\0\0\xff\xff\xff\xff\x63\0\0\0" ZEROS_408),
		RAW("success with a failure", "\3\0\0\0\x98\1\0\0\0\0\0\0\1\0\0\0" ZEROS_408),
		RAW("a text without end", "\3\0\0\0\x98\1\0\0\xff\xff\xff\xff\1\0\0\0" TEXT_80 TEXT_80
						 TEXT_80 TEXT_80 TEXT_80),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct raw raw = cases[i];
		struct scene s;

		scene_init(&s, probe_raw, &raw);
		if (run(&s) != -1 || s.err.kind != ERROR_SECURITY ||
			strstr(s.err.text, "answered what nothing here answers") == NULL)
			fail_msg("%s: %d %s", raw.name, (int)s.err.kind, s.err.text);
		assert_int_equal(s.report.len, 0);
		scene_clear(&s);
	}
}

/* The folder's border. */
static void
test_take(void **state UNUSED)
{
	struct error err = {0};
	struct tuf_file said, other;
	struct workdir *wd;
	struct stat st;
	char *path = in_temp("taken"), *dir = in_temp("work"), *none = in_temp("none");
	char *to = in_temp("to"), *in = in_temp("work/fetched/in");

	write_text(path, "abc", 3);
	tuf_file_of("abc", 3, &said);
	tuf_file_of("abd", 3, &other);
	OK(workdir_open(dir, &wd, &ok_err));
	assert_int_equal(workdir_link(wd, none, "none", &err), 0);
	assert_int_equal(workdir_put(wd, none, WORKDIR_FETCHED, "none", 3, &err), 0);
	assert_int_equal(workdir_put(wd, path, WORKDIR_FETCHED, "large", 2, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	/* A copy, not a link. */
	assert_int_equal(workdir_put(wd, path, WORKDIR_FETCHED, "in", 3, &err), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	OK(workdir_take(wd, WORKDIR_FETCHED, "in", &said, to, 0644, &ok_err));
	assert_int_equal(unlink(to), 0);
	/* Another digest; longer than said; a link; a pipe; nothing. */
	assert_int_equal(workdir_take(wd, WORKDIR_FETCHED, "in", &other, to, 0644, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	said.length = 2;
	assert_int_equal(workdir_take(wd, WORKDIR_FETCHED, "in", &said, to, 0644, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	said.length = 3;
	assert_int_equal(unlink(in), 0);
	assert_int_equal(workdir_take(wd, WORKDIR_FETCHED, "in", &said, to, 0644, &err), -1);
	assert_int_equal(symlink(path, in), 0);
	assert_int_equal(workdir_take(wd, WORKDIR_FETCHED, "in", &said, to, 0644, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_int_equal(unlink(in), 0);
	assert_int_equal(mkfifo(in, 0600), 0);
	assert_int_equal(workdir_take(wd, WORKDIR_FETCHED, "in", &said, to, 0644, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_false(file_exists(to));
	/* A killed run leaves all that, and other processes of the user folders: the next one begins with nothing. */
	{
		struct workdir *next;
		char *fetched = in_temp("work/fetched");
		int at = open(fetched, O_RDONLY | O_DIRECTORY | O_CLOEXEC), deeper;

		assert_true(at >= 0);
		free(fetched);
		for (int depth = 0; depth < 300; depth++) {
			assert_int_equal(mkdirat(at, "0", 0755), 0);
			assert_int_equal(mkdirat(at, "1", 0755), 0);
			assert_int_equal(symlinkat(temp_dir, at, "2"), 0);
			deeper = openat(at, "0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			assert_true(deeper >= 0);
			(void)close(at);
			at = deeper;
		}
		(void)close(at);
		OK(workdir_open(dir, &next, &ok_err));
		assert_false(file_exists(in));
		workdir_close(next);
		assert_false(file_exists(dir));
		assert_true(file_exists(path));
	}
	workdir_close(wd);
	assert_false(file_exists(dir));
	/* A link in its place is not followed. */
	assert_int_equal(symlink(temp_dir, dir), 0);
	assert_int_equal(workdir_open(dir, &wd, &err), -1);
	assert_true(file_exists(path));
	assert_int_equal(unlink(dir), 0);
	free(in);
	free(to);
	free(none);
	free(dir);
	free(path);
}

static int
begin(void **state)
{
	if (make_temp_dir(state) < 0 || chmod(temp_dir, 0777) < 0)
		return -1;
	outside = in_temp("outside");
	write_text(outside, "trusted", 7);
	return chmod(outside, 0666);
}

static int
end(void **state)
{
	free(outside);
	return remove_temp_dir(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_is),
		cmocka_unit_test(test_as_user),
		cmocka_unit_test(test_many_descriptors),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_speaks),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

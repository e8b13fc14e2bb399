/* What goes over between who gets a log and who looks at it: all of it, or why not; and however it is taken, no longer
 * than it may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "updater/log_feed.h"

#include "updater_repo.h"

/* Whoever waits for longer waits for ever. */
#define PATIENCE_S 30

static int64_t
later(int ms)
{
	return clock_monotonic_ms() + ms;
}

/* More than a socket holds; and where it fails it says why. */
static int
feed_much(void *arg, enum log_feed what, tool_sink *sink, void *sink_arg, struct error *err)
{
	const int *times = arg;
	static char block[100000];

	assert_int_equal(what, LOG_FEED_SINCE);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < *times; i++)
		if (sink(sink_arg, block, sizeof(block), err) < 0)
			return -1;
	return *times > 10 ? error_set(err, ERROR_CONFIG, "too many") : 0;
}

static int
count_octets(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	size_t *sum = arg;

	assert_int_equal(((const char *)data)[len - 1], 'x');
	*sum += len;
	return 0;
}

static void
test_feed(void **state UNUSED)
{
	static const int rows[] = {0, 10, 11};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = {0};
		size_t sum = 0;
		int fds[2], times = rows[i], status;
		pid_t pid;

		OK(log_feed_pair(fds, &ok_err));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(log_feed_serve(fds[0], feed_much, &times, LOG_FEED_SINCE, later(60000), &err) != 0);
		(void)close(fds[0]);
		assert_int_equal(log_feed_take(fds[1], count_octets, &sum, &err), times > 10 ? -1 : 0);
		assert_int_equal(sum, (size_t)times * 100000);
		assert_string_equal(err.text, times > 10 ? "too many" : "");
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		(void)close(fds[1]);
	}
}

/* Who is gone wants nothing: no error, and no signal. */
static void
test_nobody_takes(void **state UNUSED)
{
	struct error err = {0};
	int fds[2], times = 10;

	OK(log_feed_pair(fds, &ok_err));
	(void)close(fds[1]);
	assert_int_equal(log_feed_serve(fds[0], feed_much, &times, LOG_FEED_SINCE, later(60000), &err), 1);
	assert_int_equal(err.kind, ERROR_NONE);
	(void)close(fds[0]);
}

/* Without end. */
static int
feed_ever(void *arg UNUSED, enum log_feed what UNUSED, tool_sink *sink, void *sink_arg, struct error *err)
{
	static char block[100000];

	while (sink(sink_arg, block, sizeof(block), err) == 0)
		continue;
	return -1;
}

static void
expect_in_time(int fd, log_feeder *feed)
{
	struct error err = {0};
	int64_t deadline_ms = later(200);

	(void)alarm(PATIENCE_S);
	assert_int_equal(log_feed_serve(fd, feed, &deadline_ms, LOG_FEED_SINCE, deadline_ms, &err), -1);
	(void)alarm(0);
	assert_int_equal(clock_left_ms(deadline_ms), 0);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_string_equal(err.text, "took longer than [sandbox] time_limit allows");
}

/* Nothing is taken. */
static void
test_stalls(void **state UNUSED)
{
	int fds[2];

	OK(log_feed_pair(fds, &ok_err));
	expect_in_time(fds[0], feed_ever);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Something is taken again and again: octets of it, or as much as there is. */
static void
test_drips(void **state UNUSED)
{
	static const size_t rows[] = {1, 65536};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static char some[65536];
		int fds[2], status;
		pid_t pid;

		OK(log_feed_pair(fds, &ok_err));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)close(fds[0]);
			while (read(fds[1], some, rows[i]) > 0)
				continue;
			_exit(0);
		}
		(void)close(fds[1]);
		expect_in_time(fds[0], feed_ever);
		/* Its end. */
		(void)close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* What has failed since it took too long is not told in time any more. */
static int
feed_late(void *arg, enum log_feed what UNUSED, tool_sink *sink UNUSED, void *sink_arg UNUSED, struct error *err)
{
	const int64_t *deadline_ms = arg;

	while (clock_left_ms(*deadline_ms) > 0)
		continue;
	return error_set(err, ERROR_TEMP, "took too long");
}

static void
test_late(void **state UNUSED)
{
	int fds[2];

	OK(log_feed_pair(fds, &ok_err));
	expect_in_time(fds[0], feed_late);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_nobody_takes),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_drips),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

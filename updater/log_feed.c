#include "updater/log_feed.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"

/* Octets that go over at once. */
#define PIECE_MAX ((size_t)64 * 1024)

/* Before what goes over: len octets of the part, or behind them, once, its end. */
struct head {
	uint32_t len;
	int32_t end;
};

struct end {
	int32_t rc;
	struct error err;
};

int
log_feed_pair(int fds[static 2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_set_errno(err, ERROR_TEMP, "cannot hand over the log");
	return 0;
}

/* --- outside ------------------------------------------------------------------------------------
 */

struct taker {
	int fd;
	int64_t deadline_ms;
	int rc; /* as of log_feed_serve(): not 0 when no more can be handed over */
};

/* Time is looked at before each octet: whoever takes them singly does not get more of it. */
static int
send_all(struct taker *t, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len > 0) {
		struct pollfd ready = {.fd = t->fd, .events = POLLOUT};
		int left_ms = clock_left_ms(t->deadline_ms);
		ssize_t n;

		if (left_ms == 0) {
			t->rc = -1;
			return error_set(err, ERROR_TEMP, "took longer than [sandbox] time_limit allows");
		}
		n = send(t->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			(void)poll(&ready, 1, left_ms);
		} else if (errno != EINTR) {
			t->rc = 1;
			return error_set_errno(err, ERROR_TEMP, "the log is not taken");
		}
	}
	return 0;
}

static int
hand_over(void *arg, const void *data, size_t len, struct error *err)
{
	struct taker *t = arg;
	const char *p = data;

	while (len > 0) {
		const struct head head = {.len = (uint32_t)(len < PIECE_MAX ? len : PIECE_MAX)};

		if (send_all(t, &head, sizeof(head), err) < 0 || send_all(t, p, head.len, err) < 0)
			return -1;
		p += head.len;
		len -= head.len;
	}
	return 0;
}

int
log_feed_serve(int fd, log_feeder *feed, void *arg, enum log_feed what, int64_t deadline_ms, struct error *err)
{
	const struct head head = {.len = sizeof(struct end), .end = 1};
	struct taker taker = {.fd = fd, .deadline_ms = deadline_ms};
	struct error why = {0};
	struct end end;

	memset(&end, 0, sizeof(end));
	end.rc = feed(arg, what, hand_over, &taker, &end.err);
	if (taker.rc != 0)
		why = end.err;
	else if (send_all(&taker, &head, sizeof(head), &why) == 0)
		(void)send_all(&taker, &end, sizeof(end), &why);
	if (taker.rc < 0)
		*err = why;
	return taker.rc;
}

/* --- inside -------------------------------------------------------------------------------------
 */

static int
read_exactly(int fd, void *data, size_t len, struct error *err)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, ERROR_TEMP, "the log is not handed over any more");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
log_feed_take(int fd, tool_sink *sink, void *sink_arg, struct error *err)
{
	char piece[PIECE_MAX];
	struct head head;
	struct end end;

	for (;;) {
		if (read_exactly(fd, &head, sizeof(head), err) < 0)
			return -1;
		if (head.end != 0)
			break;
		if (read_exactly(fd, piece, head.len, err) < 0 || sink(sink_arg, piece, head.len, err) < 0)
			return -1;
	}
	if (read_exactly(fd, &end, sizeof(end), err) < 0)
		return -1;
	if (end.rc < 0)
		*err = end.err;
	return end.rc;
}

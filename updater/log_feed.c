#include "updater/log_feed.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

/* Octets that go over at once. */
#define PIECE_MAX ((size_t)64 * 1024)
/* Who takes nothing for so long looks at nothing. */
#define STALL_MS 60000

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
	bool gone;
};

static int
send_all(int fd, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (poll(&ready, 1, STALL_MS) == 0)
				return error_set(err, ERROR_TEMP, "the log is not taken");
		} else if (errno != EINTR) {
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

		if (send_all(t->fd, &head, sizeof(head), err) < 0 || send_all(t->fd, p, head.len, err) < 0) {
			t->gone = true;
			return -1;
		}
		p += head.len;
		len -= head.len;
	}
	return 0;
}

int
log_feed_serve(int fd, log_feeder *feed, void *arg, enum log_feed what, struct error *err)
{
	const struct head head = {.len = sizeof(struct end), .end = 1};
	struct taker taker = {.fd = fd};
	struct end end = {.rc = 0};

	end.rc = feed(arg, what, hand_over, &taker, &end.err);
	if (taker.gone) {
		*err = end.err;
		return -1;
	}
	if (send_all(fd, &head, sizeof(head), err) < 0)
		return -1;
	return send_all(fd, &end, sizeof(end), err);
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

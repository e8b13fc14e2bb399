#include "updater/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

/* A run that says more than this is none of ours. */
#define LINES_MAX 10000
/* Octets of a line, as log_to_function() gives it. */
#define LINE_LEN_MAX (LOG_LINE_MAX - 1)
/* Records go over in pieces of about so many octets. */
#define PIECE ((size_t)64 * 1024)
/* How long a process may take to end that has closed its report. */
#define ENDING_MS 2000

/* Messages from the process: a head, and length octets. LOG: the level, and the line; REPORT: the
 * caller's; PIECE: the same; END, once and last: the answer. */
enum message { MESSAGE_LOG = 1, MESSAGE_REPORT, MESSAGE_END, MESSAGE_PIECE };

struct head {
	uint32_t type, length;
};

struct answer {
	int32_t rc;
	uint32_t kind;
	char text[sizeof(((struct error *)NULL)->text)];
};

/* --- inside -------------------------------------------------------------------------------------
 */

/* Where this process reports to; it has no other use for descriptors. */
static int report_fd = -1;

static void
send_all(const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(report_fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nobody listens any more. */
		if (n <= 0)
			_exit(EXIT_FAILURE);
		p += n;
		len -= (size_t)n;
	}
}

static void
send_message(enum message type, const void *data, size_t len)
{
	const struct head head = {type, (uint32_t)len};

	send_all(&head, sizeof(head));
	send_all(data, len);
}

void
worker_send(const void *data, size_t len)
{
	send_message(MESSAGE_PIECE, data, len);
}

void
worker_flush(struct buf *piece)
{
	if (piece->len > 0)
		worker_send(piece->data, piece->len);
	buf_reset(piece);
}

void
worker_begin_record(struct buf *piece)
{
	if (piece->len > PIECE)
		worker_flush(piece);
}

static void
on_log(void *arg UNUSED, enum log_level level, const char *line)
{
	char text[1 + LINE_LEN_MAX];
	size_t len = strnlen(line, LINE_LEN_MAX);

	text[0] = (char)level;
	memcpy(text + 1, line, len);
	send_message(MESSAGE_LOG, text, 1 + len);
}

NORETURN static void
be_the_process(const struct worker *w, int out, pid_t parent, size_t report_max)
{
	struct confine confine = w->confine;
	struct error err = {0};
	struct answer answer;
	struct buf report;

	confine.report = out;
	confine.parent = parent;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	buf_init(&report, report_max);
	report_fd = out;
	log_to_function(on_log, NULL, log_minimum());
	memset(&answer, 0, sizeof(answer));
	answer.rc = confine_enter(&confine, &err);
	if (answer.rc == 0)
		answer.rc = w->work(w->arg, &report, &err);
	if (answer.rc == 0)
		error_clear(&err);
	if (report.len > 0)
		send_message(MESSAGE_REPORT, report.data, report.len);
	answer.kind = err.kind;
	memcpy(answer.text, err.text, sizeof(answer.text));
	send_message(MESSAGE_END, &answer, sizeof(answer));
	/* Not exit(): what is buffered is the parent's to write, and its handlers are no business of
	 * ours. */
	_exit(EXIT_SUCCESS);
}

/* --- outside ------------------------------------------------------------------------------------
 */

/* Names stand at the beginning, or behind a prefix. */
char *
worker_named(const struct worker *w, const char *text)
{
	struct buf out;
	char *said;

	buf_init(&out, SIZE_MAX);
	for (const char *p = text; *p != '\0';) {
		const struct worker_name *found = NULL;

		for (size_t i = 0; found == NULL && i < w->name_count; i++)
			if (str_starts(p, w->names[i].inside) &&
				(p == text || (p - text >= 2 && p[-1] == ' ' && p[-2] == ':')))
				found = &w->names[i];
		if (found != NULL) {
			(void)buf_add_str(&out, found->outside);
			p += strlen(found->inside);
		} else {
			(void)buf_add_char(&out, *p++);
		}
	}
	said = xstrdup(buf_str(&out));
	buf_clear(&out);
	return said;
}

static int
is_none(const struct worker *w, struct error *err)
{
	return error_set(err, ERROR_SECURITY,
		"%s: the sandboxed process has answered what nothing here answers: taken over by "
		"what it has read?",
		w->what);
}

/* 1 all len octets; 0 the stream has ended before the first; -1. */
static int
receive(const struct worker *w, int fd, void *data, size_t len, int64_t deadline_ms,
	struct error *err)
{
	size_t got = 0;

	while (got < len) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int left_ms = clock_left_ms(deadline_ms);
		ssize_t n;

		if (left_ms == 0)
			return error_set(err, ERROR_TEMP,
				"%s took longer than [sandbox] time_limit allows", w->what);
		if (poll(&p, 1, left_ms) <= 0)
			continue;
		n = read(fd, (char *)data + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_TEMP, "%s", w->what);
		if (n == 0)
			return got == 0 ? 0 : is_none(w, err);
		got += (size_t)n;
	}
	return 1;
}

static int
on_line(const struct worker *w, int fd, size_t len, int64_t deadline_ms, struct error *err)
{
	char text[1 + LINE_LEN_MAX + 1], *said;
	int rc;

	if (len < 1 || len > 1 + LINE_LEN_MAX)
		return is_none(w, err);
	rc = receive(w, fd, text, len, deadline_ms, err);
	if (rc <= 0)
		return rc;
	if (text[0] < LOG_LEVEL_DEBUG || text[0] > LOG_LEVEL_ERROR)
		return is_none(w, err);
	text[len] = '\0';
	said = worker_named(w, text + 1);
	log_at((enum log_level)text[0], "%s", said);
	free(said);
	return rc;
}

static int
receive_into(const struct worker *w, int fd, size_t len, struct buf *out, int64_t deadline_ms,
	struct error *err)
{
	char chunk[16384];

	while (len > 0) {
		size_t n = len < sizeof(chunk) ? len : sizeof(chunk);
		int rc = receive(w, fd, chunk, n, deadline_ms, err);

		if (rc <= 0)
			return rc;
		if (buf_add(out, chunk, n) < 0)
			return is_none(w, err);
		len -= n;
	}
	return 1;
}

static int
on_report(const struct worker *w, int fd, size_t len, struct buf *report, int64_t deadline_ms,
	struct error *err)
{
	if (report->len > 0 || len == 0 || len > report->max)
		return is_none(w, err);
	return receive_into(w, fd, len, report, deadline_ms, err);
}

static int
on_piece(const struct worker *w, int fd, size_t len, struct buf *piece, int64_t deadline_ms,
	struct error *err)
{
	int rc;

	if (w->on_piece == NULL || len == 0 || len > WORKER_PIECE_MAX)
		return is_none(w, err);
	buf_reset(piece);
	rc = receive_into(w, fd, len, piece, deadline_ms, err);
	return rc > 0 && w->on_piece(w->on_piece_arg, piece->data, piece->len, err) < 0 ? -1 : rc;
}

static int
on_end(const struct worker *w, int fd, size_t len, struct answer *answer, int64_t deadline_ms,
	struct error *err)
{
	int rc;

	if (len != sizeof(*answer))
		return is_none(w, err);
	rc = receive(w, fd, answer, len, deadline_ms, err);
	if (rc <= 0)
		return rc;
	if (answer->rc < -1 || answer->rc > 1 || answer->kind > ERROR_EXPIRED ||
		(answer->rc < 0) != (answer->kind != ERROR_NONE && answer->rc != 1) ||
		memchr(answer->text, '\0', sizeof(answer->text)) == NULL)
		return is_none(w, err);
	return 1;
}

/* Reads to the answer: 1; 0 the stream has ended without one; -1. */
static int
listen_to(const struct worker *w, int fd, struct buf *report, struct answer *answer,
	struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + w->time_ms;
	size_t lines = 0;
	struct buf piece;
	int rc = 1;

	buf_init(&piece, WORKER_PIECE_MAX);
	while (rc > 0) {
		struct head head;

		rc = receive(w, fd, &head, sizeof(head), deadline_ms, err);
		if (rc <= 0)
			break;
		if (head.type == MESSAGE_END) {
			rc = on_end(w, fd, head.length, answer, deadline_ms, err);
			break;
		}
		if (head.type == MESSAGE_PIECE)
			rc = on_piece(w, fd, head.length, &piece, deadline_ms, err);
		else if (head.type == MESSAGE_REPORT)
			rc = on_report(w, fd, head.length, report, deadline_ms, err);
		else if (head.type == MESSAGE_LOG && ++lines <= LINES_MAX)
			rc = on_line(w, fd, head.length, deadline_ms, err);
		else
			rc = is_none(w, err);
	}
	buf_clear(&piece);
	return rc;
}

/* It has stopped talking without an answer: why did it end? */
static int
say_how_it_ended(const struct worker *w, int status, struct error *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return error_set(err, ERROR_SECURITY,
			"%s: the sandboxed process asked for a system call that nothing here asks "
			"for: taken over by what it has read?",
			w->what);
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_TEMP, "%s: the sandboxed process crashed (%s)",
			w->what, strsignal(WTERMSIG(status)));
	return error_set(err, ERROR_TEMP, "%s: the sandboxed process ended without an answer",
		w->what);
}

/* Makes sure that it is gone; its files and descriptors are nobody's from here on. */
static int
bury(pid_t pid, bool at_once)
{
	int status = 0, fd = at_once ? -1 : pidfd_open(pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	/* A crash takes its time, and its status is worth waiting for. */
	if (!at_once)
		(void)poll(&p, 1, ENDING_MS);
	if (fd >= 0)
		(void)close(fd);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

int
worker_run(const struct worker *w, struct buf *report, struct error *err)
{
	pid_t parent = getpid(), pid;
	struct answer answer;
	char *said;
	int fds[2], rc, status;

	buf_reset(report);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s", w->what);
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return error_set_errno(err, ERROR_TEMP, "%s", w->what);
	}
	if (pid == 0)
		be_the_process(w, fds[1], parent, report->max);
	(void)close(fds[1]);
	if (w->handed != NULL) {
		(void)close(*w->handed);
		*w->handed = -1;
	}
	rc = listen_to(w, fds[0], report, &answer, err);
	(void)close(fds[0]);
	status = bury(pid, rc != 0);
	if (rc <= 0) {
		buf_reset(report);
		return rc < 0 ? -1 : say_how_it_ended(w, status, err);
	}
	said = worker_named(w, answer.text);
	if (answer.kind != ERROR_NONE) {
		/* It was made by error_set(), or is hostile: nothing of it may reach a terminal,
		 * and nothing be escaped twice. */
		err->kind = (enum error_kind)answer.kind;
		str_escape_controls(said, strlen(said), err->text, sizeof(err->text));
	}
	free(said);
	return answer.rc;
}

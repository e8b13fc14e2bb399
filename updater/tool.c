#include "updater/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/xalloc.h"

extern char **environ;

static const char admin_path[] = "/usr/local/sbin:/usr/sbin:/sbin";

static char *
find_in(const char *path, const char *name)
{
	while (*path != '\0') {
		size_t len = strcspn(path, ":");
		char *file = xasprintf("%.*s/%s", (int)len, path, name);

		if (len > 0 && access(file, X_OK) == 0)
			return file;
		free(file);
		path += len;
		path += *path == ':';
	}
	return NULL;
}

char *
tool_find(const char *configured, const char *name)
{
	const char *path = getenv("PATH");
	char *file = NULL;

	if (configured != NULL)
		return xstrdup(configured);
	if (path != NULL)
		file = find_in(path, name);
	return file != NULL ? file : find_in(admin_path, name);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Where standard output and standard error go to. */
struct streams {
	tool_sink *sinks[2];
	void *args[2];
};

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	return buf_add(arg, data, len) < 0 ? error_set(err, ERROR_TEMP, "says too much") : 0;
}

/* 0 when both streams have ended. */
static int
read_all(const char *name, int fds[static 2], const struct streams *to, int64_t deadline_ms,
	struct error *err)
{
	char chunk[8192];

	while (fds[0] >= 0 || fds[1] >= 0) {
		struct pollfd p[2] = {
			{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
		int left_ms = clock_left_ms(deadline_ms);

		if (left_ms == 0)
			return error_set(err, ERROR_TEMP, "%s: took too long", name);
		if (poll(p, 2, left_ms) < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_TEMP, "%s", name);
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (fds[i] < 0 || p[i].revents == 0)
				continue;
			n = read(fds[i], chunk, sizeof(chunk));
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return error_set_errno(err, ERROR_TEMP, "%s", name);
			if (n == 0)
				close_fd(&fds[i]);
			else if (to->sinks[i](to->args[i], chunk, (size_t)n, err) < 0)
				return error_prefix(err, "%s", name);
		}
	}
	return 0;
}

static int
spawn(const char *const *argv, int out, int errors, pid_t *pid, struct error *err)
{
	posix_spawn_file_actions_t actions;
	int code;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return error_set(err, ERROR_TEMP, "%s: cannot run it", argv[0]);
	code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	if (code == 0)
		code = posix_spawn(
			pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (code == 0)
		return 0;
	errno = code;
	return error_set_errno(err, ERROR_CONFIG, "%s: cannot run it", argv[0]);
}

int
tool_stream(const char *const *argv, int timeout_ms, tool_sink *sink, void *arg,
	struct tool_result *result, struct error *err)
{
	const struct streams to = {{sink, into_buf}, {arg, &result->err}};
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	int out[2] = {-1, -1}, errors[2] = {-1, -1}, readers[2];
	int status, rc = -1;
	pid_t pid = -1;

	result->status = -1;
	buf_init(&result->out, TOOL_OUTPUT_MAX);
	buf_init(&result->err, TOOL_OUTPUT_MAX);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s: cannot run it", argv[0]);
		goto out;
	}
	if (spawn(argv, out[1], errors[1], &pid, err) < 0)
		goto out;
	close_fd(&out[1]);
	close_fd(&errors[1]);
	readers[0] = out[0];
	readers[1] = errors[0];
	rc = read_all(argv[0], readers, &to, deadline_ms, err);
	out[0] = readers[0];
	errors[0] = readers[1];
	if (rc < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			rc = error_set_errno(err, ERROR_TEMP, "%s", argv[0]);
			goto out;
		}
	}
	result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
out:
	close_fd(&out[0]);
	close_fd(&out[1]);
	close_fd(&errors[0]);
	close_fd(&errors[1]);
	return rc;
}

int
tool_run(const char *const *argv, int timeout_ms, struct tool_result *result, struct error *err)
{
	return tool_stream(argv, timeout_ms, into_buf, &result->out, result, err);
}

int
tool_run_well(const char *const *argv, struct tool_result *result, struct error *err)
{
	char *complaint;

	if (tool_run(argv, TOOL_TIMEOUT_MS, result, err) < 0)
		return -1;
	if (result->status == 0)
		return 0;
	complaint = tool_complaint(result);
	error_set(err, ERROR_CONFIG, "%s: %s", argv[0], complaint);
	free(complaint);
	return -1;
}

void
tool_result_clear(struct tool_result *result)
{
	buf_clear(&result->out);
	buf_clear(&result->err);
}

char *
tool_complaint(const struct tool_result *result)
{
	const char *text = buf_str(&result->err);
	size_t len = strlen(text), start;

	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (len == 0)
		return xasprintf("exit code %d", result->status);
	for (start = len; start > 0 && text[start - 1] != '\n'; start--)
		continue;
	return xstrndup(text + start, len - start);
}

/*
 * confined: runs a program, and writes down of each process that it has forked, and that has run no other program, what
 * it was when it ended.
 *
 *     confined FILE PROGRAM [ARGUMENT]...
 *
 * Writes lines to FILE: "uid=65534 gid=65534 groups=0 nonewprivs=1 seccomp=2". Exit: as the program; 99 where nothing
 * can be traced.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"

#define CANNOT 99
#define OPTIONS \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | \
		PTRACE_O_EXITKILL)

/* Processes that have run another program, the first one among them. */
static pid_t *strangers;
static size_t stranger_count;

static bool
is_stranger(pid_t pid)
{
	for (size_t i = 0; i < stranger_count; i++)
		if (strangers[i] == pid)
			return true;
	return false;
}

static void
note_stranger(pid_t pid)
{
	strangers = xreallocarray(strangers, stranger_count + 1, sizeof(*strangers));
	strangers[stranger_count++] = pid;
}

/* The first number behind a name in /proc/PID/status, or how many there are. */
static long
status_of(pid_t pid, const char *name, bool how_many)
{
	char *path = xasprintf("/proc/%d/status", (int)pid), line[1024];
	FILE *f = fopen(path, "re");
	long value = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *p = line + strlen(name), *end;

		if (!str_starts(line, name))
			continue;
		if (!how_many) {
			value = strtol(p, NULL, 10);
			break;
		}
		for (value = 0;; value++) {
			(void)strtol(p, &end, 10);
			if (end == p)
				break;
			p = end;
		}
	}
	if (f != NULL)
		(void)fclose(f);
	free(path);
	return value;
}

static void
write_down(pid_t pid, FILE *out)
{
	/* Threads end, too. */
	if (is_stranger(pid) || status_of(pid, "Tgid:", false) != pid)
		return;
	fprintf(out, "uid=%ld gid=%ld groups=%ld nonewprivs=%ld seccomp=%ld\n", status_of(pid, "Uid:", false),
		status_of(pid, "Gid:", false), status_of(pid, "Groups:", true),
		status_of(pid, "NoNewPrivs:", false), status_of(pid, "Seccomp:", false));
}

/* Follows all of them to the end of the first one. */
static int
follow(pid_t first, FILE *out)
{
	for (;;) {
		int status, signal = 0;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			return CANNOT;
		if (!WIFSTOPPED(status)) {
			if (pid == first)
				return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		switch (status >> 16) {
		case PTRACE_EVENT_EXEC:
			note_stranger(pid);
			break;
		case PTRACE_EVENT_EXIT:
			write_down(pid, out);
			break;
		case 0:
			signal = WSTOPSIG(status);
			break;
		default:
			break;
		}
		/* A new process stops once by itself. */
		if (signal == SIGSTOP || signal == SIGTRAP)
			signal = 0;
		(void)ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
	}
}

int
main(int argc, char **argv)
{
	int status, rc;
	pid_t first;
	FILE *out;

	if (argc < 3 || (out = fopen(argv[1], "we")) == NULL) {
		fprintf(stderr, "usage: confined FILE PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	first = fork();
	if (first == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			_exit(CANNOT);
		(void)execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (first < 0 || waitpid(first, &status, 0) != first || !WIFSTOPPED(status) ||
		ptrace(PTRACE_SETOPTIONS, first, NULL, (void *)(intptr_t)OPTIONS) < 0 ||
		ptrace(PTRACE_CONT, first, NULL, NULL) < 0) {
		fprintf(stderr, "confined: cannot trace: %s\n", strerror(errno));
		return CANNOT;
	}
	rc = follow(first, out);
	free(strangers);
	return fclose(out) == 0 ? rc : CANNOT;
}

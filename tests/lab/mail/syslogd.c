/*
 * syslogd: what the programs of a test's world say by syslog(3), in one file, as a Debian machine
 * keeps it: "Nov 26 12:00:00 HOST postfix/smtp[42]: ...".
 *
 *     syslogd FILE SOCKET...     sockets are made, with all folders above them; runs until it is
 *                                ended, and ends with its parent
 *
 * A line is in the file before the next one is read.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

enum { SOCKETS_MAX = 8, LINE_SIZE = 16384, STAMP_LEN = 15 };

static int
open_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char *folder = xstrdup(path), *slash = strrchr(folder, '/');
	struct error err = {0};
	mode_t before;
	bool bound;
	int fd = -1;

	if (slash == NULL || strlen(path) >= sizeof(at.sun_path)) {
		fprintf(stderr, "syslogd: %s: no path for a socket\n", path);
		goto out;
	}
	*slash = '\0';
	if (*folder != '\0' && file_mkdirs(folder, 0755, &err) < 0) {
		fprintf(stderr, "syslogd: %s\n", err.text);
		goto out;
	}
	(void)unlink(path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Everybody may log, from the moment in which it is there. */
	before = umask(0111);
	bound = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	(void)umask(before);
	if (!bound) {
		fprintf(stderr, "syslogd: %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
out:
	free(folder);
	return fd;
}

/* "<22>Nov 26 12:00:00 tag: text" as syslog(3) sends it. */
static void
write_line(FILE *out, const char *host, char *line)
{
	char *text = line[0] == '<' ? strchr(line, '>') : NULL;

	text = text == NULL ? line : text + 1;
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) > STAMP_LEN && text[STAMP_LEN] == ' ')
		fprintf(out, "%.*s %s %s\n", STAMP_LEN, text, host, text + STAMP_LEN + 1);
	else
		fprintf(out, "%s\n", text);
	fflush(out);
}

int
main(int argc, char **argv)
{
	struct pollfd fds[SOCKETS_MAX];
	static char line[LINE_SIZE];
	char host[256] = "";
	int count = argc - 2;
	FILE *out;

	if (count < 1 || count > SOCKETS_MAX) {
		fputs("usage: syslogd FILE SOCKET...\n", stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (gethostname(host, sizeof(host) - 1) < 0 || (out = fopen(argv[1], "ae")) == NULL) {
		perror(argv[1]);
		return 1;
	}
	host[strcspn(host, ".")] = '\0';
	for (int i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = open_socket(argv[2 + i]), .events = POLLIN};
		if (fds[i].fd < 0)
			return 1;
	}
	for (;;) {
		if (poll(fds, (nfds_t)count, -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < count; i++) {
			ssize_t n;

			if (!(fds[i].revents & POLLIN) ||
				(n = recv(fds[i].fd, line, sizeof(line) - 1, 0)) < 0)
				continue;
			line[n] = '\0';
			write_line(out, host, line);
		}
	}
}

/*
 * mirror: a web server of one folder that does as its script says: for tests of what a client makes
 * of a hostile or broken mirror.
 *
 * The script is read anew for each request. A line is a pattern (fnmatch, of the path without its
 * first slash) and what to do with the files that it matches; the first match counts, none means to
 * serve the file:
 *
 *     endless          octets without end, as fast as they are taken
 *     drip             the file, one octet every tenth of a second
 *     stall            the header, then nothing more
 *     cut N            says how long the file is, and closes behind N octets
 *     short N          sends N octets of the file and says that they are all
 *     flip N           the N-th octet (from 0) has one bit changed
 *     html             200 and a page for people
 *     redirect URL     302
 *     status N         that status, and the file
 *     file PATH        another file below the root
 *
 * One line of log per request, before the reply: METHOD <tab> PATH. A process for each connection,
 * one request on each; all end with the parent. `mirror --root DIR --port-file FILE --script FILE
 * --log FILE`
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/attr.h"

/* Octets of a request that are read, and of a line of the script. */
#define REQUEST_MAX     4096
#define SCRIPT_LINE_MAX 1024
/* Larger files are no mirror's. */
#define FILE_MAX ((size_t)256 * 1024 * 1024)
/* What ends an endless reply after all: a client that takes so much is lost. */
#define ENDLESS_MAX INT64_C(8589934592)

static const char *root, *script;
static FILE *requests;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("mirror: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* The client may go at any time; then the connection is done. */
static void
put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		p += n;
		len -= (size_t)n;
	}
}

static void
put_header(int fd, const char *status, const char *more, int64_t length)
{
	char head[REQUEST_MAX];
	int n = snprintf(
		head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\n%s", status, more);

	if (length >= 0)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %lld\r\n",
			(long long)length);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	put(fd, head, (size_t)n);
}

static char *
read_all(const char *path, size_t *len)
{
	char name[PATH_MAX], *data;
	struct stat st;
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s/%s", root, path);
	f = fopen(name, "re");
	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX) {
		(void)fclose(f);
		return NULL;
	}
	*len = (size_t)st.st_size;
	data = malloc(*len + 1);
	if (data == NULL || fread(data, 1, *len, f) != *len)
		die("%s: cannot read", name);
	(void)fclose(f);
	return data;
}

/* What the script says of the path: the word, and what stands behind it. */
static void
look_up(const char *path, char word[static SCRIPT_LINE_MAX], char argument[static SCRIPT_LINE_MAX])
{
	char line[SCRIPT_LINE_MAX], pattern[SCRIPT_LINE_MAX];
	FILE *f = fopen(script, "re");

	word[0] = argument[0] = '\0';
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		argument[0] = '\0';
		if (sscanf(line, "%1023s %1023s %1023s", pattern, word, argument) >= 2 &&
			fnmatch(pattern, path, 0) == 0) {
			(void)fclose(f);
			return;
		}
		word[0] = argument[0] = '\0';
	}
	if (f != NULL)
		(void)fclose(f);
}

static void
wait_tenth(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static void
reply_endlessly(int fd)
{
	static char piece[65536];

	memset(piece, ' ', sizeof(piece));
	put_header(fd, "200 OK", "", -1);
	for (int64_t sent = 0; sent < ENDLESS_MAX; sent += (int64_t)sizeof(piece))
		put(fd, piece, sizeof(piece));
}

static void
reply(int fd, const char *path)
{
	static const char page[] = "<!doctype html><title>Welcome</title><p>Please log in.\n";
	char word[SCRIPT_LINE_MAX], argument[SCRIPT_LINE_MAX], more[SCRIPT_LINE_MAX + 32];
	size_t len = 0, n;
	char *data;

	look_up(path, word, argument);
	if (strcmp(word, "file") == 0)
		path = argument;
	n = strtoul(argument, NULL, 10);
	data = read_all(path, &len);
	if (strcmp(word, "endless") == 0) {
		reply_endlessly(fd);
	} else if (strcmp(word, "html") == 0) {
		put_header(fd, "200 OK", "Content-Type: text/html\r\n", (int64_t)strlen(page));
		put(fd, page, strlen(page));
	} else if (strcmp(word, "redirect") == 0) {
		(void)snprintf(more, sizeof(more), "Location: %s\r\n", argument);
		put_header(fd, "302 Found", more, 0);
	} else if (strcmp(word, "stall") == 0) {
		put_header(fd, "200 OK", "", (int64_t)len);
		for (;;)
			(void)pause();
	} else if (data == NULL) {
		put_header(fd, "404 Not Found", "", 0);
	} else if (strcmp(word, "drip") == 0) {
		put_header(fd, "200 OK", "", (int64_t)len);
		for (size_t i = 0; i < len; i++) {
			put(fd, data + i, 1);
			wait_tenth();
		}
	} else if (strcmp(word, "cut") == 0 || strcmp(word, "short") == 0) {
		if (n > len)
			n = len;
		put_header(fd, "200 OK", "", word[0] == 's' ? (int64_t)n : (int64_t)len);
		put(fd, data, n);
	} else if (strcmp(word, "status") == 0) {
		(void)snprintf(more, sizeof(more), "%.3s Status", argument);
		put_header(fd, more, "", (int64_t)len);
		put(fd, data, len);
	} else {
		if (strcmp(word, "flip") == 0 && n < len)
			data[n] ^= 1;
		put_header(fd, "200 OK", "", (int64_t)len);
		put(fd, data, len);
	}
	free(data);
}

static void serve(int fd) __attribute__((noreturn));

static void
serve(int fd)
{
	char request[REQUEST_MAX], method[16], path[1024];
	size_t len = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (len < sizeof(request) - 1) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			_exit(0);
		len += (size_t)n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") != NULL)
			break;
	}
	if (sscanf(request, "%15s /%1023s", method, path) != 2 || strstr(path, "..") != NULL)
		_exit(0);
	/* One write: processes share the file. */
	fprintf(requests, "%s\t%s\n", method, path);
	fflush(requests);
	reply(fd, path);
	/* All of it must arrive before the connection ends. */
	(void)shutdown(fd, SHUT_WR);
	_exit(0);
}

static void
write_port(const char *path, int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	char name[PATH_MAX];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s.tmp", path);
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
		(f = fopen(name, "we")) == NULL ||
		fprintf(f, "%d\n", ntohs(address.sin_port)) < 0 || fclose(f) != 0 ||
		rename(name, path) < 0)
		die("%s: %s", path, strerror(errno));
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"port-file", required_argument, NULL, 'f'},
		{"script", required_argument, NULL, 's'},
		{"log", required_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	struct sockaddr_in address = {.sin_family = AF_INET};
	const char *port_file = NULL, *log_path = NULL;
	int c, listener;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			root = optarg;
			break;
		case 'f':
			port_file = optarg;
			break;
		case 's':
			script = optarg;
			break;
		case 'l':
			log_path = optarg;
			break;
		default:
			return 2;
		}
	}
	if (root == NULL || port_file == NULL || script == NULL || log_path == NULL ||
		optind != argc)
		die("usage: mirror --root DIR --port-file FILE --script FILE --log FILE");
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGCHLD, SIG_IGN); /* no zombies */
	requests = fopen(log_path, "ae");
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (requests == NULL || listener < 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 64) < 0)
		die("%s", strerror(errno));
	write_port(port_file, listener);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (fork() == 0)
			serve(fd);
		(void)close(fd);
	}
}

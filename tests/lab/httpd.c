/*
 * httpd: a small static file server for tests: GET and HEAD below one folder, with entity tags.
 *
 * It stands in for "any static web server" that may serve a repository, so it does what those do
 * and no more: regular files only, no listing of folders, no way out of the root (the kernel
 * refuses it: openat2 RESOLVE_BENEATH), If-None-Match answered with 304. One line of log per
 * request, written before the reply is sent, so that a client that has its reply also finds the
 * line:
 *
 *     TIME_MS <tab> METHOD <tab> PATH <tab> STATUS <tab> BODY_BYTES
 *
 * Runs in the foreground until SIGTERM or SIGINT; `httpd --help` lists the options.
 */
#include <sys/types.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	REQUEST_HEADERS_MAX = 16 * 1024, /* generous for any client; a test may try to flood us */
	REQUEST_BODY_MAX = 4 * 1024,     /* GET and HEAD carry none */
	REQUEST_TIMEOUT_S = 60,          /* an idle connection does not live longer */
	ETAG_MAX = 80,
	URI_MAX = 2048, /* longer ones are cut in the log */
};

struct server {
	int root_fd;
	FILE *log;
};

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("httpd: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* Foreign bytes go into the log escaped, so that one request is always one line of five fields. */
static void
log_request(struct server *s, struct evhttp_request *req, int status, int64_t body_bytes)
{
	const char *method = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD ? "HEAD"
		: evhttp_request_get_command(req) == EVHTTP_REQ_GET             ? "GET"
										: "OTHER";
	const char *uri = evhttp_request_get_uri(req);
	struct timespec ts;

	if (s->log == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	fprintf(s->log, "%" PRId64 "\t%s\t", (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000,
		method);
	for (int i = 0; uri != NULL && uri[i] != '\0' && i < URI_MAX; i++) {
		if (uri[i] > ' ' && uri[i] < 0x7f)
			fputc(uri[i], s->log);
		else
			fprintf(s->log, "%%%02X", (unsigned char)uri[i]);
	}
	fprintf(s->log, "\t%d\t%" PRId64 "\n", status, body_bytes);
	fflush(s->log);
}

static void
reply_error(struct server *s, struct evhttp_request *req, int status, const char *reason)
{
	struct evbuffer *body = evbuffer_new();
	int64_t len;

	if (body == NULL)
		die("out of memory");
	evbuffer_add_printf(body, "%d %s\n", status, reason);
	len = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD
		? 0
		: (int64_t)evbuffer_get_length(body);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain");
	log_request(s, req, status, len);
	evhttp_send_reply(req, status, reason, body);
	evbuffer_free(body);
}

/* Opens the file a request path names, or returns -1. Neither ".." nor a symbolic link leads out of
 * the root. */
static int
open_beneath(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	while (*path == '/')
		path++;
	if (*path == '\0')
		return -1;
	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

static bool
path_has_dots(const char *path)
{
	for (const char *p = path; p != NULL; p = strchr(p, '/')) {
		while (*p == '/')
			p++;
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

static const char *
content_type(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{".json", "application/json"},
		{".html", "text/html; charset=utf-8"},
		{".txt", "text/plain; charset=utf-8"},
		{".zst", "application/zstd"},
	};
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].suffix);

		if (len >= n && strcmp(path + len - n, types[i].suffix) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

/* If-None-Match is "*" or a list of tags (RFC 9110, 13.1.2); weak ones compare equal for GET. */
static bool
etag_matches(const char *header, const char *etag)
{
	if (header == NULL)
		return false;
	return strcmp(header, "*") == 0 || strstr(header, etag) != NULL;
}

static void
serve_file(struct server *s, struct evhttp_request *req, const char *path, int fd,
	const struct stat *st)
{
	struct evkeyvalq *in = evhttp_request_get_input_headers(req),
			 *out = evhttp_request_get_output_headers(req);
	char etag[ETAG_MAX], length[32];
	struct evbuffer *body = NULL;

	snprintf(etag, sizeof(etag), "\"%jx-%jx-%jx.%lx\"", (uintmax_t)st->st_ino,
		(uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
		(unsigned long)st->st_mtim.tv_nsec);
	evhttp_add_header(out, "ETag", etag);
	evhttp_add_header(out, "Cache-Control", "no-cache");
	if (etag_matches(evhttp_find_header(in, "If-None-Match"), etag)) {
		close(fd);
		log_request(s, req, 304, 0);
		evhttp_send_reply(req, 304, "Not Modified", NULL);
		return;
	}
	evhttp_add_header(out, "Content-Type", content_type(path));
	snprintf(length, sizeof(length), "%jd", (intmax_t)st->st_size);
	evhttp_add_header(out, "Content-Length", length);
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		close(fd);
		log_request(s, req, 200, 0);
		evhttp_send_reply(req, 200, "OK", NULL);
		return;
	}
	if ((body = evbuffer_new()) == NULL)
		die("out of memory");
	/* the evbuffer owns fd from here on; a file of no bytes cannot be mapped */
	if (st->st_size == 0)
		close(fd);
	else if (evbuffer_add_file(body, fd, 0, st->st_size) < 0)
		die("%s: cannot map", path);
	log_request(s, req, 200, st->st_size);
	evhttp_send_reply(req, 200, "OK", body);
	evbuffer_free(body);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *raw = uri == NULL ? NULL : evhttp_uri_get_path(uri);
	char *path = NULL;
	size_t len = 0;
	struct stat st;
	int fd = -1;

	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		reply_error(s, req, 405, "Method Not Allowed");
		return;
	}
	if (raw == NULL || (path = evhttp_uridecode(raw, 0, &len)) == NULL || strlen(path) != len) {
		reply_error(s, req, 400, "Bad Request");
	} else if (path_has_dots(path)) {
		reply_error(s, req, 403, "Forbidden");
	} else if ((fd = open_beneath(s->root_fd, path)) < 0) {
		if (errno == ENOSYS)
			die("this kernel has no openat2");
		if (errno == EXDEV || errno == EACCES)
			reply_error(s, req, 403, "Forbidden");
		else
			reply_error(s, req, 404, "Not Found");
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		reply_error(s, req, 404, "Not Found");
	} else {
		serve_file(s, req, path, fd, &st);
	}
	free(path);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopexit(arg, NULL);
}

/* The file appears whole: whoever sees it may connect. */
static void
write_port_file(const char *path, int port)
{
	char tmp[PATH_MAX];
	FILE *f;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		die("%s: name too long", path);
	if ((f = fopen(tmp, "we")) == NULL || fprintf(f, "%d\n", port) < 0 || fclose(f) != 0 ||
		rename(tmp, path) < 0)
		die("%s: %s", path, strerror(errno));
}

static int
bound_port(struct evhttp_bound_socket *sock)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(evhttp_bound_socket_get_fd(sock), (struct sockaddr *)&ss, &len) < 0)
		die("getsockname: %s", strerror(errno));
	return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
					      : ((struct sockaddr_in *)&ss)->sin_port);
}

static const char usage[] = "usage: httpd --root DIR [--bind ADDR] [--port N] [--port-file FILE] "
			    "[--log FILE] [--with-parent]\n"
			    "  --root DIR        serve the regular files below DIR\n"
			    "  --bind ADDR       listen there (default 127.0.0.1)\n"
			    "  --port N          and at that port (default 0: any free one)\n"
			    "  --port-file FILE  write the port there once it accepts connections\n"
			    "  --log FILE        append a line per request: time, method, path, "
			    "status, body bytes (default: stderr)\n"
			    "  --with-parent     end when the process that started it ends\n";

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"bind", required_argument, NULL, 'b'},
		{"port", required_argument, NULL, 'p'},
		{"port-file", required_argument, NULL, 'f'},
		{"log", required_argument, NULL, 'l'},
		{"with-parent", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *root = NULL, *bind_addr = "127.0.0.1", *port_file = NULL, *log_path = NULL;
	struct server s = {.root_fd = -1};
	struct event *sigterm = NULL, *sigint = NULL;
	struct evhttp_bound_socket *sock;
	struct event_base *base;
	struct evhttp *http;
	unsigned long port = 0;
	char *end = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			root = optarg;
			break;
		case 'b':
			bind_addr = optarg;
			break;
		case 'p':
			errno = 0;
			port = strtoul(optarg, &end, 10);
			if (errno != 0 || *optarg == '\0' || *end != '\0' || port > 65535)
				die("--port %s: not a port", optarg);
			break;
		case 'f':
			port_file = optarg;
			break;
		case 'l':
			log_path = optarg;
			break;
		case 'w':
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (root == NULL || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if ((s.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		die("%s: %s", root, strerror(errno));
	s.log = log_path == NULL ? stderr : fopen(log_path, "ae");
	if (s.log == NULL)
		die("%s: %s", log_path, strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	if ((base = event_base_new()) == NULL || (http = evhttp_new(base)) == NULL)
		die("out of memory");
	evhttp_set_max_headers_size(http, REQUEST_HEADERS_MAX);
	evhttp_set_max_body_size(http, REQUEST_BODY_MAX);
	evhttp_set_timeout(http, REQUEST_TIMEOUT_S);
	evhttp_set_gencb(http, on_request, &s);
	if ((sock = evhttp_bind_socket_with_handle(http, bind_addr, (uint16_t)port)) == NULL)
		die("%s port %lu: %s", bind_addr, port, strerror(errno));
	sigterm = evsignal_new(base, SIGTERM, on_signal, base);
	sigint = evsignal_new(base, SIGINT, on_signal, base);
	if (sigterm == NULL || sigint == NULL || event_add(sigterm, NULL) < 0 ||
		event_add(sigint, NULL) < 0)
		die("cannot watch for signals");
	if (port_file != NULL)
		write_port_file(port_file, bound_port(sock));
	event_base_dispatch(base);
	event_free(sigterm);
	event_free(sigint);
	evhttp_free(http);
	event_base_free(base);
	if (s.log != stderr)
		fclose(s.log);
	close(s.root_fd);
	return 0;
}

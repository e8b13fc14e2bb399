/* Mirrors that answer, and mirrors that sin: each reply is scripted, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/unzstd.h"
#include "updater/fetch.h"

#define REQUEST_MAX 4096
#define SERVE_S     120

static const struct fetch_options options = {
	.connect_timeout_s = 60, .timeout_s = 60, .low_speed_bytes_s = 1, .low_speed_time_s = 60};

/* A server for one connection: reads the request's head, writes the reply, closes. Returns its
 * port; the head comes back through the pipe. */
static pid_t
serve(const char *reply, size_t len, unsigned *port, int *head)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), pipes[2];
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(pipe(pipes), 0);
	*port = ntohs(address.sin_port);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char text[REQUEST_MAX];
		size_t used = 0;
		int c;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)alarm(SERVE_S); /* nobody may ask */
		c = accept(fd, NULL, NULL);
		while (used < sizeof(text) - 1) {
			ssize_t n = read(c, text + used, sizeof(text) - 1 - used);

			if (n <= 0)
				break;
			used += (size_t)n;
			text[used] = '\0';
			if (strstr(text, "\r\n\r\n") != NULL)
				break;
		}
		(void)!write(pipes[1], text, used);
		while (len > 0) {
			ssize_t n = write(c, reply, len);

			if (n <= 0)
				break;
			reply += n;
			len -= (size_t)n;
		}
		_exit(0);
	}
	(void)close(fd);
	(void)close(pipes[1]);
	*head = pipes[0];
	return pid;
}

/* One GET, from the server itself or through it as a proxy; the request's head goes to
 * head[REQUEST_MAX]. */
static int
get_by(bool proxy, const char *reply, size_t len, struct buf *out, char *head, struct error *err)
{
	struct fetch_options o = options;
	struct fetch *f;
	unsigned port;
	int pipe_fd, rc, status;
	pid_t pid = serve(reply, len, &port, &pipe_fd);
	char *at = xasprintf("http://127.0.0.1:%u", port);
	char *url = xasprintf("%s/a%%2Fb/../1.root.json", proxy ? "http://mirror.test" : at);
	ssize_t n;

	error_clear(err);
	o.proxy = proxy ? at : NULL;
	assert_int_equal(fetch_new(&o, &f, err), 0);
	rc = fetch_get_buf(f, url, out, err);
	fetch_free(f);
	free(at);
	n = read(pipe_fd, head, REQUEST_MAX - 1);
	head[n > 0 ? n : 0] = '\0';
	(void)close(pipe_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(url);
	return rc;
}

static int
get(const char *reply, size_t len, struct buf *out, char *head, struct error *err)
{
	return get_by(false, reply, len, out, head, err);
}

static void
test_replies(void **state UNUSED)
{
	static const struct {
		const char *name, *reply;
		int rc;
		enum error_kind kind;
		const char *body;
	} cases[] = {
		{"plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, ERROR_NONE,
			"hello"},
		{"HTTP/1.0, to the end", "HTTP/1.0 200 OK\r\n\r\nhello", 1, ERROR_NONE, "hello"},
		{"chunked",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			"chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0"
			"\r\n\r\n",
			1, ERROR_NONE, "hello"},
		{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, ERROR_NONE, ""},
		{"not there", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", 0,
			ERROR_NONE, ""},
		{"forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", 0,
			ERROR_NONE, ""},
		{"server error", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nnope", -1,
			ERROR_TEMP, ""},
		{"busy", "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", -1,
			ERROR_TEMP, ""},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n", -1,
			ERROR_TEMP, ""},
		{"redirect to a file", "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\n\r\n",
			-1, ERROR_TEMP, ""},
		{"part", "HTTP/1.1 206 Part\r\nContent-Length: 2\r\n\r\nhe", -1, ERROR_TEMP, ""},
		{"nothing", "", -1, ERROR_TEMP, ""},
		{"not HTTP", "220 mail.example ESMTP\r\n", -1, ERROR_TEMP, ""},
		{"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", -1, ERROR_TEMP,
			NULL},
		{"eleven bytes", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", -1,
			ERROR_SECURITY, ""},
		{"ten bytes", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhelloworld", 1,
			ERROR_NONE, "helloworld"},
		{"endless", "HTTP/1.1 200 OK\r\n\r\nhello hello hello hello", -1, ERROR_SECURITY,
			""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err;
		struct buf out;
		char head[REQUEST_MAX];
		int rc;

		print_message("# %s\n", cases[i].name);
		buf_init(&out, 10);
		rc = get(cases[i].reply, strlen(cases[i].reply), &out, head, &err);
		if (rc != cases[i].rc || (rc < 0 && err.kind != cases[i].kind))
			fail_msg("%d, kind %d (%s)", rc, (int)err.kind, err.text);
		if (cases[i].body != NULL)
			assert_string_equal(buf_str(&out), cases[i].body);
		buf_clear(&out);
	}
}

/* However long a page says that something is not there: the first octets do. */
static void
test_endless_error_page(void **state UNUSED)
{
	static const char head[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 99999999999\r\n\r\n";
	size_t len = (size_t)1 << 20;
	char *reply = xcalloc(1, len), request[REQUEST_MAX];
	struct error err;
	struct buf out;

	memset(reply, 'x', len);
	memcpy(reply, head, sizeof(head) - 1);
	buf_init(&out, 10);
	if (get(reply, len, &out, request, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
	free(reply);
}

/* What is asked for goes out as it was written, with no offer of compression. */
static void
test_request(void **state UNUSED)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct error err;
	struct buf out;
	char head[REQUEST_MAX];

	/* An environment that would send us elsewhere. */
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9/", 1), 0);
	assert_int_equal(setenv("all_proxy", "http://127.0.0.1:9/", 1), 0);
	buf_init(&out, 10);
	if (get(reply, strlen(reply), &out, head, &err) != 1)
		fail_msg("%s", err.text);
	assert_true(str_starts(head, "GET /a%2Fb/../1.root.json HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "User-Agent: preload25-update/"));
	assert_null(strstr(head, "Accept-Encoding"));
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("all_proxy"), 0);
	buf_clear(&out);
}

/* A proxy that is configured is used, whatever the environment would rather not. */
static void
test_proxy(void **state UNUSED)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static const char *const variables[] = {"no_proxy", "NO_PROXY"};
	struct error err;
	struct buf out;
	char head[REQUEST_MAX];

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		assert_int_equal(setenv(variables[i], "mirror.test", 1), 0);
		buf_init(&out, 10);
		if (get_by(true, reply, strlen(reply), &out, head, &err) != 1)
			fail_msg("%s: %s", variables[i], err.text);
		assert_true(str_starts(head, "GET http://mirror.test/a%2Fb/"));
		assert_int_equal(unsetenv(variables[i]), 0);
		buf_clear(&out);
	}
}

static void
test_not_answering(void **state UNUSED)
{
	struct fetch *f;
	struct error err = {0};
	struct buf out;

	buf_init(&out, 10);
	assert_int_equal(fetch_new(&options, &f, &err), 0);
	assert_int_equal(fetch_get_buf(f, "http://127.0.0.1:9/x", &out, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_int_equal(fetch_get_buf(f, "ftp://127.0.0.1/x", &out, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(fetch_get_buf(f, "http://127.0.0.1:9/a b", &out, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(fetch_get_buf(f, "http://[::1/x", &out, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(fetch_get_buf(f, "file:/nonexistent/x", &out, &err), 0);
	fetch_free(f);
	buf_clear(&out);
}

/* --- zstd ---------------------------------------------------------------------------------------
 */

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	return buf_add(arg, data, len) < 0 ? error_set(err, ERROR_TEMP, "full") : 0;
}

static int
unpack(const void *data, size_t len, size_t step, int64_t max, struct buf *out, struct error *err)
{
	struct unzstd *u = unzstd_new(max, into_buf, out);
	int rc = 0;

	error_clear(err);
	for (size_t at = 0; rc == 0 && at < len; at += step)
		rc = unzstd_add(u, (const char *)data + at, len - at < step ? len - at : step, err);
	if (rc == 0)
		rc = unzstd_end(u, err);
	unzstd_free(u);
	return rc;
}

static size_t
pack(const void *data, size_t len, void *out, size_t size, int window_log)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n;

	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log)));
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0)));
	n = ZSTD_compress2(c, out, size, data, len);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(c);
	return n;
}

static void
test_zstd(void **state UNUSED)
{
	static const size_t steps[] = {1, 7, 1 << 20};
	const size_t len = 300000;
	char *text = xcalloc(1, len), *packed = xcalloc(1, 2 * len);
	struct error err;
	struct buf out;
	size_t n;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i * i % 19);
	n = pack(text, len, packed, 2 * len, 20);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		buf_init(&out, 1 << 20);
		assert_int_equal(unpack(packed, n, steps[i], (int64_t)len, &out, &err), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, text, len);
		buf_clear(&out);
	}
	buf_init(&out, 1 << 20);
	/* Nothing at all: asked for in pieces, without even a pointer. */
	{
		struct unzstd *u = unzstd_new(1, NULL, NULL);
		const char *none = NULL;
		size_t none_len = 0, got = 1;
		char space[16];

		error_clear(&err);
		assert_int_equal(
			unzstd_step(u, &none, &none_len, space, sizeof(space), &got, &err), 0);
		assert_int_equal(got, 0);
		assert_int_equal(unzstd_end(u, &err), -1);
		assert_int_equal(err.kind, ERROR_SECURITY);
		unzstd_free(u);
	}
	/* One byte more than announced; cut anywhere; no zstd. */
	assert_int_equal(unpack(packed, n, 1 << 20, (int64_t)len - 1, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	for (size_t cut = 0; cut < n; cut += n / 50 + 1) {
		buf_reset(&out);
		assert_int_equal(unpack(packed, cut, 1 << 20, (int64_t)len, &out, &err), -1);
		assert_int_equal(err.kind, ERROR_SECURITY);
	}
	assert_int_equal(unpack(text, len, 1 << 20, (int64_t)len, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	buf_clear(&out);
	/* A window that would take more memory than we give. */
	free(text);
	free(packed);
	text = xcalloc(1, (size_t)17 << 20);
	packed = xcalloc(1, 1 << 20);
	buf_init(&out, (size_t)32 << 20);
	n = pack(text, (size_t)17 << 20, packed, 1 << 20, UNZSTD_WINDOW_LOG);
	assert_int_equal(unpack(packed, n, 1 << 20, (int64_t)17 << 20, &out, &err), 0);
	buf_reset(&out);
	n = pack(text, (size_t)17 << 20, packed, 1 << 20, UNZSTD_WINDOW_LOG + 1);
	assert_int_equal(unpack(packed, n, 1 << 20, (int64_t)17 << 20, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	buf_clear(&out);
	free(text);
	free(packed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_endless_error_page),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_not_answering),
		cmocka_unit_test(test_zstd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The HTTPS side of labd: policy hosts. One small HTTP/1.1 server over bufferevents; what it serves
 * is policies/DOMAIN for the host mta-sts.DOMAIN, read anew for each request.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>

#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_server.h"

enum {
	HEADERS_MAX = 16 << 10,
	POLICY_FILE_MAX = 1 << 20,
	HUGE_BODY = 1 << 20,
	BODY_LIMIT = 65536, /* what a client has to take (RFC 8461 section 3.3) */
	TRUNCATED_BY = 100,
	SHORT_BY = 8,
	FLOOD_BLOCK = 16 << 10,
	FLOOD_MAX = 64 << 20, /* to a client that never has enough */
	IDLE_S = 60,
};

#define POLICY_PATH "/.well-known/mta-sts.txt"

struct request {
	struct lab_endpoint *endpoint;
	struct lab_served *host;
	struct bufferevent *bev;
	evutil_socket_t fd;
	bool raw;        /* no TLS yet or never: the bufferevent does not own fd */
	bool closing;    /* once the output is out */
	char *slow_body; /* owned; what is left of it at slow_at */
	size_t slow_at;
	struct event *slow; /* sends one octet a second */
	const char *flood;  /* sent again and again; NULL: no flood */
	size_t flooded;
	bool dirty; /* closes without close_notify */
};

static void
request_free(struct request *r)
{
	if (r->slow != NULL)
		event_free(r->slow);
	bufferevent_free(r->bev);
	if (r->raw)
		close(r->fd);
	lab_session_ended(r->endpoint);
	free(r->slow_body);
	free(r);
}

static const char *
reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {{200, "OK"}, {204, "No Content"}, {206, "Partial Content"},
		{301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
		{307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {401, "Unauthorized"},
		{403, "Forbidden"}, {404, "Not Found"}, {408, "Request Timeout"},
		{429, "Too Many Requests"}, {503, "Service Unavailable"}};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Status";
}

/* 0, or -1 when there is no policy of that name. Names come from hosts.tsv, not from the client. */
static int
read_policy(const struct lab_served *h, struct evbuffer *out)
{
	const char *domain =
		str_starts(h->name, "mta-sts.") ? h->name + strlen("mta-sts.") : h->name;
	char *path = xasprintf("%s/policies/%s", h->endpoint->server->dir, domain);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int n = 0;

	free(path);
	if (fd < 0)
		return -1;
	while ((n = evbuffer_read(out, fd, POLICY_FILE_MAX)) > 0)
		;
	close(fd);
	return n;
}

static void
on_slow(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	if (r->slow_body[r->slow_at] == '\0') {
		event_del(r->slow);
		r->closing = true;
		return;
	}
	bufferevent_write(r->bev, &r->slow_body[r->slow_at++], 1);
}

static void
send_slowly(struct request *r, struct evbuffer *body)
{
	size_t len = evbuffer_get_length(body);

	free(r->slow_body);
	r->slow_at = 0;
	r->slow_body = xcalloc(len + 1, 1);
	evbuffer_remove(body, r->slow_body, len);
	r->slow = event_new(r->endpoint->server->base, -1, EV_PERSIST, on_slow, r);
	if (r->slow == NULL || event_add(r->slow, &(struct timeval){.tv_sec = 1}) < 0)
		abort();
}

/* Lines of well-formed text up to exactly len octets. */
static void
pad(struct evbuffer *body, size_t len)
{
	while (evbuffer_get_length(body) < len) {
		size_t left = len - evbuffer_get_length(body);
		char line[64];

		/* No line shorter than "x: y" and its LF can be the last. */
		if (left > sizeof(line))
			left = left < 2 * sizeof(line) ? left / 2 : sizeof(line);
		memset(line, 'y', sizeof(line));
		memcpy(line, "x: ", 3);
		line[left - 1] = '\n';
		evbuffer_add(body, line, left);
	}
}

static void
flood_more(struct request *r)
{
	struct evbuffer *out = bufferevent_get_output(r->bev);

	if (r->flooded > FLOOD_MAX) {
		r->flood = NULL;
		r->closing = true;
		return;
	}
	while (evbuffer_get_length(out) < FLOOD_BLOCK) {
		evbuffer_add(out, r->flood, strlen(r->flood));
		r->flooded += strlen(r->flood);
	}
}

/* Answers that are none, or have no end. */
static bool
answer_badly(struct request *r, struct evbuffer *body)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
	struct evbuffer *out = bufferevent_get_output(r->bev);

	switch (r->host->behaviour.body) {
	case LAB_BODY_POLICY:
	case LAB_BODY_HUGE:
	case LAB_BODY_TRUNCATED:
	case LAB_BODY_SLOW:
	case LAB_BODY_LIMIT:
	case LAB_BODY_OVER:
	case LAB_BODY_SHORT:
		return false;
	case LAB_BODY_CUT:
		evbuffer_add_printf(out, "%s\r\n", head);
		evbuffer_add_buffer(out, body);
		r->dirty = r->closing = true;
		break;
	case LAB_BODY_NONE:
		r->closing = true;
		break;
	case LAB_BODY_BARE:
		evbuffer_add_buffer(out, body);
		r->closing = true;
		break;
	case LAB_BODY_GARBAGE:
		evbuffer_add_printf(out, "HTTP/1.1 yes of course\r\n\r\n");
		evbuffer_add_buffer(out, body);
		r->closing = true;
		break;
	case LAB_BODY_CHUNKED:
		evbuffer_add_printf(out, "%sTransfer-Encoding: chunked\r\n\r\n%zx\r\n", head,
			evbuffer_get_length(body));
		evbuffer_add_buffer(out, body);
		evbuffer_add_printf(out, "\r\n0\r\n\r\n");
		break;
	case LAB_BODY_CHUNKS:
		evbuffer_add_printf(out, "%sTransfer-Encoding: chunked\r\n\r\n", head);
		r->flood = "9\r\nx-a: b\r\n\r\n";
		break;
	case LAB_BODY_GZIP:
		evbuffer_add_printf(out, "%sContent-Encoding: gzip\r\n\r\n", head);
		r->flood = "\x1f\x8b\x08\x01\x01\x01\x01\x01\x01\x01";
		break;
	case LAB_BODY_HEADERS:
		evbuffer_add_printf(out, "%s", head);
		r->flood = "X-Lab: more and more of it\r\n";
		break;
	case LAB_BODY_HEADER_LINE:
		evbuffer_add_printf(out, "%sX-Lab: ", head);
		r->flood = "more and more of it ";
		break;
	case LAB_BODY_INTERIM:
		r->flood = "HTTP/1.1 100 Continue\r\n\r\n";
		break;
	case LAB_BODY_SLOW_HEADERS:
		evbuffer_drain(body, evbuffer_get_length(body));
		evbuffer_add_printf(body, "%s", head);
		for (int i = 0; i < 100; i++)
			evbuffer_add_printf(body, "X-Lab-%d: slowly\r\n", i);
		send_slowly(r, body);
		break;
	}
	if (r->flood != NULL)
		flood_more(r);
	else if (r->closing && evbuffer_get_length(out) == 0)
		bufferevent_trigger(r->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
	return true;
}

static void
answer(struct request *r, bool is_policy_path, bool keep_alive)
{
	const struct lab_behaviour *b = &r->host->behaviour;
	struct evbuffer *body = evbuffer_new(), *out = bufferevent_get_output(r->bev);
	int status = is_policy_path ? b->status : 404;
	const char *headers = b->headers;
	size_t announced;

	if (body == NULL)
		abort();
	r->host->requests++;
	if (status == 200 && read_policy(r->host, body) < 0)
		status = 404;
	if (status != 200) {
		evbuffer_drain(body, evbuffer_get_length(body));
		if (status != 204)
			evbuffer_add_printf(body, "%d %s\n", status, reason_of(status));
	}
	if (status == 404)
		headers = "Content-Type: text/plain\r\n";
	if (status == 200 && b->body == LAB_BODY_HUGE) {
		for (int i = 0; evbuffer_get_length(body) < HUGE_BODY; i++)
			evbuffer_add_printf(body, "x-filler-%d: %060d\r\n", i, i);
	} else if (status == 200 && b->body == LAB_BODY_LIMIT) {
		pad(body, BODY_LIMIT);
	} else if (status == 200 && b->body == LAB_BODY_OVER) {
		pad(body, BODY_LIMIT + 1);
	}
	if (status == 200 && answer_badly(r, body)) {
		evbuffer_free(body);
		return;
	}
	announced = evbuffer_get_length(body);
	if (b->body == LAB_BODY_TRUNCATED) {
		announced += TRUNCATED_BY;
		keep_alive = false;
	} else if (b->body == LAB_BODY_SHORT && announced > SHORT_BY) {
		announced -= SHORT_BY;
		keep_alive = false;
	}
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n%s", status, reason_of(status), headers);
	if (status != 204)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", announced);
	evbuffer_add_printf(out, "Connection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
	if (status == 200 && b->body == LAB_BODY_SLOW)
		send_slowly(r, body);
	else
		evbuffer_add_buffer(out, body);
	r->closing = !keep_alive && r->slow == NULL;
	evbuffer_free(body);
}

/* Whether the request line and headers in head ask for the policy, and to keep the connection. */
static void
parse(const char *head, bool *is_policy, bool *keep_alive)
{
	const char *path = strchr(head, ' '),
		   *end = path == NULL ? NULL : strpbrk(path + 1, " ?\r\n");

	*is_policy = str_starts(head, "GET ") && end != NULL &&
		(size_t)(end - path - 1) == strlen(POLICY_PATH) &&
		memcmp(path + 1, POLICY_PATH, strlen(POLICY_PATH)) == 0;
	*keep_alive = strcasestr(head, "\r\nConnection: close") == NULL &&
		strstr(head, "HTTP/1.1\r\n") != NULL;
}

static void
log_request(const struct request *r, const char *head, size_t len)
{
	char *path = xasprintf("%s/run/requests", r->endpoint->server->dir);
	FILE *f = fopen(path, "a");

	free(path);
	if (f == NULL || fwrite(head, 1, len, f) != len || fclose(f) != 0)
		abort(); /* a test that looks into the file would see too little */
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct request *r = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_ptr end;

	if (r->raw) { /* tls-close or tls-silent */
		evbuffer_drain(in, evbuffer_get_length(in));
		if (r->host->behaviour.tls == LAB_TLS_CLOSE)
			request_free(r);
		return;
	}
	while (!r->closing && r->slow == NULL && r->flood == NULL) {
		bool is_policy, keep_alive;
		size_t len;
		char *head;

		end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
		if (end.pos < 0)
			break;
		len = (size_t)end.pos + 4;
		head = xcalloc(len + 1, 1);
		evbuffer_remove(in, head, len);
		parse(head, &is_policy, &keep_alive);
		if (r->host->behaviour.log_request)
			log_request(r, head, len);
		free(head);
		answer(r, is_policy, keep_alive);
	}
	if (evbuffer_get_length(in) > HEADERS_MAX)
		request_free(r);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct request *r = arg;

	if (r->flood != NULL)
		flood_more(r);
	if (r->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
		/* close_notify: without it a body without end would look cut */
		if (!r->raw && !r->dirty)
			SSL_shutdown(bufferevent_openssl_get_ssl(bev));
		request_free(r);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (!(what & BEV_EVENT_CONNECTED))
		request_free(arg);
}

void
lab_httpsd_start(struct lab_endpoint *e, evutil_socket_t fd)
{
	struct request *r = xcalloc(1, sizeof(*r));
	enum lab_tls tls = e->first->behaviour.tls;

	r->endpoint = e;
	r->host = e->first;
	r->fd = fd;
	r->raw = tls == LAB_TLS_SILENT || tls == LAB_TLS_CLOSE;
	if (r->raw)
		r->bev = bufferevent_socket_new(e->server->base, fd, 0);
	else
		r->bev = bufferevent_openssl_socket_new(e->server->base, fd,
			lab_server_tls(e, fd, &r->host), BUFFEREVENT_SSL_ACCEPTING,
			BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (r->bev == NULL)
		abort();
	if (!r->raw)
		bufferevent_openssl_set_allow_dirty_shutdown(r->bev, 1);
	bufferevent_setcb(r->bev, on_read, on_write, on_event, r);
	bufferevent_set_timeouts(r->bev, &(struct timeval){.tv_sec = IDLE_S}, NULL);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
}

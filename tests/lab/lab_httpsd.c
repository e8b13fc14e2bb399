/*
 * The HTTPS side of labd: policy hosts. One small HTTP/1.1 server over bufferevents; what it serves
 * is policies/DOMAIN for the host mta-sts.DOMAIN, read anew for each request.
 */
#include <fcntl.h>
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
	TRUNCATED_BY = 100,
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
	} reasons[] = {{200, "OK"}, {204, "No Content"}, {301, "Moved Permanently"}, {302, "Found"},
		{403, "Forbidden"}, {404, "Not Found"}, {429, "Too Many Requests"},
		{503, "Service Unavailable"}};

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

	r->slow_body = xcalloc(len + 1, 1);
	evbuffer_remove(body, r->slow_body, len);
	r->slow = event_new(r->endpoint->server->base, -1, EV_PERSIST, on_slow, r);
	if (r->slow == NULL || event_add(r->slow, &(struct timeval){.tv_sec = 1}) < 0)
		abort();
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
	}
	announced = evbuffer_get_length(body);
	if (b->body == LAB_BODY_TRUNCATED) {
		announced += TRUNCATED_BY;
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
	while (!r->closing && r->slow == NULL) {
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

	if (r->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
		/* close_notify: without it a body without end would look cut */
		if (!r->raw)
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
			lab_server_tls(e, &r->host), BUFFEREVENT_SSL_ACCEPTING,
			BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (r->bev == NULL)
		abort();
	if (!r->raw)
		bufferevent_openssl_set_allow_dirty_shutdown(r->bev, 1);
	bufferevent_setcb(r->bev, on_read, on_write, on_event, r);
	bufferevent_set_timeouts(r->bev, &(struct timeval){.tv_sec = IDLE_S}, NULL);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
}

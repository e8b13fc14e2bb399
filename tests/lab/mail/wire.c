/*
 * wire: the network path to mail servers, which a test can turn hostile while it runs.
 *
 * Each route listens at the address the world knows as the mail server's (or as the attacker's) and
 * relays to the real server behind it. What happens on the way is the route's mode:
 *
 *     honest     bytes pass unchanged
 *     strip      no STARTTLS in EHLO replies, 502 to who asks anyway; the rest passes in clear
 *     cert:NAME  TLS ends here, with the certificate NAME; what was inside passes in clear
 *     dead       every connection is reset
 *
 * In every mode what the wire can read is written to RECORD/ID-ROUTE.txt ("C: " and "S: " lines),
 * mail included, and each connection ends as one line of JSON in RECORD/connections.jsonl. The mail
 * still reaches the real server: an attacker who wants to stay unnoticed passes it on.
 *
 * Control: one command per connection on a Unix socket, answered when it has taken effect:
 *
 *     mode ROUTES MODE    for connections from now on; ROUTES is a pattern    ok
 *     idle                waits until no connection is open                   ok
 *     stats               since the last "mode"       {"ROUTE":{"connections":N,...},...}
 *     quit                                                                    ok
 *
 * `wire ctl SOCKET COMMAND...` sends one, prints the answer and exits 0 unless it is an error.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"

enum {
	LINE_SIZE_MAX = 64 * 1024,      /* far beyond any SMTP line; more is no mail server */
	PENDING_BYTES_MAX = 256 * 1024, /* unread by one side: stop reading the other */
	IDLE_TIMEOUT_S = 60,            /* a silent connection does not outlive a test */
	CONTROL_LINE_MAX = 512,
	CONTROL_TIMEOUT_S = 120, /* how long `wire ctl` waits for "idle" */
	ROUTES_MAX = 32,
	CERTS_MAX = 16,
};

enum mode_kind { MODE_HONEST, MODE_STRIP, MODE_CERT, MODE_DEAD };

static const char *const mode_names[] = {
	[MODE_HONEST] = "honest",
	[MODE_STRIP] = "strip",
	[MODE_CERT] = "cert",
	[MODE_DEAD] = "dead",
};

struct cert {
	char *name;
	SSL_CTX *ctx;
};

/* What a route saw since its mode was set last. */
struct counts {
	int connections;
	int mails_read; /* whole messages that passed in a form the wire could read */
	int tls_ended;  /* handshakes completed with the wire */
	int tls_failed;
};

struct route {
	struct wire *wire;
	char *name;
	struct sockaddr_storage backend;
	int backend_len;
	struct evconnlistener *listener;
	enum mode_kind mode;
	const struct cert *cert; /* MODE_CERT: borrowed from the wire */
	struct counts counts;
};

struct waiter; /* a control connection that said "idle" */

struct wire {
	struct event_base *base;
	const char *record_dir;
	struct route *routes[ROUTES_MAX];
	size_t route_count;
	struct cert certs[CERTS_MAX];
	size_t cert_count;
	FILE *connections;
	int open_count;
	int next_id;
	struct waiter *waiters;
};

/*
 * A connection: COMMAND <-> MESSAGE (between 354 and the lone dot), COMMAND -> TLS_ASKED (STARTTLS
 * was passed on) -> OPAQUE (both sides speak TLS over our head) or back to COMMAND; COMMAND ->
 * ACCEPTING (our 220 is being written, then the handshake with us) -> COMMAND, with inside set.
 */
enum phase { PHASE_COMMAND, PHASE_MESSAGE, PHASE_TLS_ASKED, PHASE_OPAQUE, PHASE_ACCEPTING };

struct conn {
	struct route *route;
	enum mode_kind mode; /* as it was when the connection came */
	const struct cert *cert;
	struct bufferevent *client, *server;
	enum phase phase;
	bool inside;  /* the handshake with us is complete */
	bool closing; /* one side is gone; what is pending for the other is still written */
	struct evbuffer *reply; /* lines of a reply that is not complete */
	FILE *record;
	int id;
	json_t *rcpts;
	int mails_read;
	bool offered, asked;
	char tls[16]; /* none, relayed, ended, failed */
	char tls_error[200];
};

struct waiter {
	struct bufferevent *bev;
	struct waiter *next;
};

static void die(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

static void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("wire: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* --- the record -------------------------------------------------------------------------------*/

static void
record_line(struct conn *c, char side, const char *line)
{
	fprintf(c->record, "%c: %s\n", side, line);
	fflush(c->record);
}

static void
record_open(struct conn *c)
{
	char *path = xasprintf("%s/%04d-%s.txt", c->route->wire->record_dir, c->id, c->route->name);

	if ((c->record = fopen(path, "we")) == NULL)
		die("%s: %s", path, strerror(errno));
	free(path);
}

static void
record_end(struct conn *c)
{
	struct wire *w = c->route->wire;
	json_t *o = json_pack("{s:i,s:s,s:s,s:b,s:b,s:s,s:s,s:i,s:O}", "id", c->id, "route",
		c->route->name, "mode", mode_names[c->mode], "starttls_offered", c->offered,
		"starttls_asked", c->asked, "tls", c->tls, "tls_error", c->tls_error, "mails_read",
		c->mails_read, "rcpts", c->rcpts);

	if (o == NULL || json_dumpf(o, w->connections, JSON_COMPACT) < 0)
		die("connections.jsonl: cannot write");
	fputc('\n', w->connections);
	fflush(w->connections);
	json_decref(o);
}

/* --- the end of a connection ------------------------------------------------------------------*/

static void
waiters_wake(struct wire *w)
{
	while (w->waiters != NULL) {
		struct waiter *first = w->waiters;

		w->waiters = first->next;
		bufferevent_write(first->bev, "ok\n", 3);
		free(first);
	}
}

static void
conn_free(struct conn *c)
{
	struct wire *w = c->route->wire;

	record_end(c);
	if (c->client != NULL)
		bufferevent_free(c->client);
	if (c->server != NULL)
		bufferevent_free(c->server);
	evbuffer_free(c->reply);
	fclose(c->record);
	json_decref(c->rcpts);
	free(c);
	if (--w->open_count == 0)
		waiters_wake(w);
}

static size_t
pending(struct bufferevent *bev)
{
	return bev == NULL ? 0 : evbuffer_get_length(bufferevent_get_output(bev));
}

/* Called last in every callback: the one place that ends a connection. */
static void
conn_settle(struct conn *c)
{
	if (c->closing && pending(c->client) == 0 && pending(c->server) == 0) {
		conn_free(c);
		return;
	}
	if (c->closing)
		return;
	/* Neither side is read faster than the other takes it. */
	if (pending(c->client) > PENDING_BYTES_MAX)
		bufferevent_disable(c->server, EV_READ);
	else
		bufferevent_enable(c->server, EV_READ);
	if (pending(c->server) > PENDING_BYTES_MAX || c->phase == PHASE_ACCEPTING)
		bufferevent_disable(c->client, EV_READ);
	else
		bufferevent_enable(c->client, EV_READ);
}

static void
conn_close(struct conn *c, struct bufferevent *gone)
{
	struct bufferevent *other = gone == c->client ? c->server : c->client;

	c->closing = true;
	/* What was meant for the side that left cannot be written any more. */
	if (gone == c->client)
		c->client = NULL;
	else
		c->server = NULL;
	if (gone != NULL)
		bufferevent_free(gone);
	if (other != NULL)
		bufferevent_disable(other, EV_READ);
}

/* --- what passes ------------------------------------------------------------------------------*/

static bool
keyword_is(const char *line, const char *keyword)
{
	size_t n = strlen(keyword);

	return str_ieq(line, strnlen(line, n), keyword, n) && (line[n] == '\0' || line[n] == ' ');
}

static void
send_line(struct bufferevent *to, const char *line)
{
	evbuffer_add_printf(bufferevent_get_output(to), "%s\r\n", line);
}

static bool
hostile(const struct conn *c)
{
	return c->mode != MODE_HONEST;
}

/* Whether a line of a 250 reply may reach the client. CHUNKING goes with STARTTLS: BDAT would carry
 * the message as a byte count, which this program does not follow. */
static bool
offer_passes(struct conn *c, const char *line)
{
	const char *word = line + 4;

	if (strncmp(line, "250", 3) != 0)
		return true;
	if (keyword_is(word, "STARTTLS")) {
		c->offered = true;
		return c->mode == MODE_HONEST || (c->mode == MODE_CERT && !c->inside);
	}
	return !(hostile(c) && keyword_is(word, "CHUNKING"));
}

/* Passes a complete reply on, without the lines that do not pass. */
static void
pass_reply(struct conn *c)
{
	char *lines[128] = {NULL}; /* no EHLO reply is longer; the rest of one passes unfiltered */
	size_t count = 0;
	char *line;

	while (count < ARRAY_LEN(lines) &&
		(line = evbuffer_readln(c->reply, NULL, EVBUFFER_EOL_LF)) != NULL) {
		if (offer_passes(c, line))
			lines[count++] = line;
		else
			free(line);
	}
	for (size_t i = 0; i < count; i++) {
		if (strlen(lines[i]) >= 4 && evbuffer_get_length(c->reply) == 0)
			lines[i][3] = i + 1 < count ? '-' : ' ';
		send_line(c->client, lines[i]);
		free(lines[i]);
	}
	evbuffer_add_buffer(bufferevent_get_output(c->client), c->reply);
}

static void
on_server_line(struct conn *c, const char *line)
{
	bool last = strlen(line) < 4 || line[3] != '-';

	record_line(c, 'S', line);
	evbuffer_add_printf(c->reply, "%s\n", line);
	if (!last)
		return;
	if (c->phase == PHASE_TLS_ASKED) {
		bool accepted = line[0] == '2';

		snprintf(c->tls, sizeof(c->tls), "%s", accepted ? "relayed" : "failed");
		c->phase = accepted ? PHASE_OPAQUE : PHASE_COMMAND;
	} else if (strncmp(line, "354", 3) == 0) {
		c->phase = PHASE_MESSAGE;
	}
	pass_reply(c);
}

static void
on_command(struct conn *c, const char *line)
{
	if (keyword_is(line, "STARTTLS")) {
		c->asked = true;
		if (c->mode == MODE_CERT && !c->inside) {
			record_line(c, 'S', "220 2.0.0 Ready to start TLS");
			send_line(c->client, "220 2.0.0 Ready to start TLS");
			c->phase = PHASE_ACCEPTING;
			return;
		}
		if (hostile(c)) {
			record_line(c, 'S', "502 5.5.1 Error: command not implemented");
			send_line(c->client, "502 5.5.1 Error: command not implemented");
			return;
		}
		c->phase = PHASE_TLS_ASKED;
	}
	if (str_ieq(line, strnlen(line, 8), "RCPT TO:", 8))
		json_array_append_new(c->rcpts, json_string(line + 8));
	send_line(c->server, line);
}

static void
on_client_line(struct conn *c, const char *line)
{
	record_line(c, 'C', line);
	if (c->phase == PHASE_MESSAGE) {
		if (strcmp(line, ".") == 0) {
			c->phase = PHASE_COMMAND;
			c->mails_read++;
			c->route->counts.mails_read++;
		}
		send_line(c->server, line);
		return;
	}
	on_command(c, line);
}

/* Reads lines while the phase is one in which lines are spoken; returns -1 on a line too long. */
static int
pump(struct conn *c, struct bufferevent *from)
{
	struct evbuffer *in = bufferevent_get_input(from);
	struct bufferevent *to = from == c->client ? c->server : c->client;
	char *line;
	size_t len;

	/* After STARTTLS was passed on, the client's next bytes are either TLS or, after a refusal,
	 * commands: they wait for the answer. */
	while (c->phase != PHASE_OPAQUE && c->phase != PHASE_ACCEPTING &&
		!(c->phase == PHASE_TLS_ASKED && from == c->client)) {
		if ((line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF)) == NULL)
			return evbuffer_get_length(in) > LINE_SIZE_MAX ? -1 : 0;
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (from == c->client)
			on_client_line(c, line);
		else
			on_server_line(c, line);
		free(line);
	}
	if (c->phase == PHASE_OPAQUE && to != NULL)
		evbuffer_add_buffer(bufferevent_get_output(to), in);
	return 0;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (!c->closing && pump(c, bev) < 0)
		conn_close(c, bev);
	/* The reply to STARTTLS may have freed what the client had sent meanwhile. */
	if (!c->closing && bev == c->server && pump(c, c->client) < 0)
		conn_close(c, c->client);
	conn_settle(c);
}

/* --- TLS that ends here -----------------------------------------------------------------------*/

static void on_event(struct bufferevent *bev, short what, void *arg);
static void on_write(struct bufferevent *bev, void *arg);

static void
set_callbacks(struct conn *c, struct bufferevent *bev)
{
	const struct timeval idle = {.tv_sec = IDLE_TIMEOUT_S};

	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_set_timeouts(bev, &idle, &idle);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void
begin_handshake(struct conn *c)
{
	evutil_socket_t fd = bufferevent_getfd(c->client);
	SSL *ssl = SSL_new(c->cert->ctx);

	/* The old bufferevent gives the socket up; bytes it read too early (there must be none)
	 * go with it, as RFC 3207 section 4.2 wants. */
	bufferevent_setfd(c->client, -1);
	bufferevent_free(c->client);
	c->client = ssl == NULL ? NULL
				: bufferevent_openssl_socket_new(c->route->wire->base, fd, ssl,
					  BUFFEREVENT_SSL_ACCEPTING,
					  BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (c->client == NULL)
		die("out of memory");
	bufferevent_openssl_set_allow_dirty_shutdown(c->client, 1);
	set_callbacks(c, c->client);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (!c->closing && bev == c->client && c->phase == PHASE_ACCEPTING && !c->inside &&
		bufferevent_openssl_get_ssl(bev) == NULL)
		begin_handshake(c);
	else
		conn_settle(c);
}

static void
handshake_done(struct conn *c)
{
	c->inside = true;
	c->phase = PHASE_COMMAND;
	c->route->counts.tls_ended++;
	snprintf(c->tls, sizeof(c->tls), "ended");
	fprintf(c->record, "-- TLS with %s ends here\n", c->cert->name);
}

static void
note_tls_error(struct conn *c, struct bufferevent *bev)
{
	unsigned long e = bufferevent_get_openssl_error(bev);

	if (e != 0)
		ERR_error_string_n(e, c->tls_error, sizeof(c->tls_error));
	if (c->phase == PHASE_ACCEPTING) {
		c->route->counts.tls_failed++;
		snprintf(c->tls, sizeof(c->tls), "failed");
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	if (what & BEV_EVENT_CONNECTED) {
		if (bev == c->client)
			handshake_done(c);
	} else {
		/* the last bytes may have come together with the end */
		if (!c->closing && pump(c, bev) < 0)
			what |= BEV_EVENT_ERROR;
		if (bev == c->client)
			note_tls_error(c, bev);
		conn_close(c, bev);
	}
	conn_settle(c);
}

/* --- routes -----------------------------------------------------------------------------------*/

static void
on_accept(struct evconnlistener *listener UNUSED, evutil_socket_t fd, struct sockaddr *peer UNUSED,
	int peer_len UNUSED, void *arg)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct route *r = arg;
	struct wire *w = r->wire;
	struct conn *c;

	r->counts.connections++;
	if (r->mode == MODE_DEAD) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->route = r;
	c->mode = r->mode;
	c->cert = r->cert;
	c->id = ++w->next_id;
	c->rcpts = json_array();
	c->reply = evbuffer_new();
	snprintf(c->tls, sizeof(c->tls), "none");
	c->client = bufferevent_socket_new(
		w->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	c->server = bufferevent_socket_new(
		w->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (c->rcpts == NULL || c->reply == NULL || c->client == NULL || c->server == NULL)
		die("out of memory");
	w->open_count++;
	record_open(c);
	set_callbacks(c, c->client);
	set_callbacks(c, c->server);
	/* A failure is reported by on_event() as well, so it ends there. */
	if (bufferevent_socket_connect(c->server, (struct sockaddr *)&r->backend, r->backend_len) <
		0)
		fprintf(c->record, "-- cannot connect: %s\n", strerror(errno));
}

/* NAME,FRONT,BACKEND with addresses as evutil_parse_sockaddr_port() reads them. */
static void
add_route(struct wire *w, const char *spec)
{
	struct route *r = xcalloc(1, sizeof(*r));
	char *copy = xstrdup(spec), *rest = copy;
	const char *name = strsep(&rest, ","), *front = strsep(&rest, ",");
	const char *backend = strsep(&rest, ",");
	struct sockaddr_storage ss = {0};
	int len = (int)sizeof(ss);

	if (name == NULL || front == NULL || backend == NULL || rest != NULL ||
		w->route_count == ROUTES_MAX)
		die("--route %s: want NAME,ADDR:PORT,ADDR:PORT (at most %d)", spec, ROUTES_MAX);
	r->wire = w;
	r->name = xstrdup(name);
	r->backend_len = (int)sizeof(r->backend);
	if (evutil_parse_sockaddr_port(front, (struct sockaddr *)&ss, &len) < 0)
		die("--route %s: %s is no address", spec, front);
	if (evutil_parse_sockaddr_port(backend, (struct sockaddr *)&r->backend, &r->backend_len) <
		0)
		die("--route %s: %s is no address", spec, backend);
	r->listener = evconnlistener_new_bind(w->base, on_accept, r,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, SOMAXCONN,
		(struct sockaddr *)&ss, len);
	if (r->listener == NULL)
		die("%s: %s", front, strerror(errno));
	w->routes[w->route_count++] = r;
	free(copy);
}

/* NAME,FILE.pem with the key and the chain */
static void
add_cert(struct wire *w, const char *spec)
{
	char *copy = xstrdup(spec), *rest = copy;
	const char *name = strsep(&rest, ","), *file = strsep(&rest, ",");
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (name == NULL || file == NULL || rest != NULL || w->cert_count == CERTS_MAX)
		die("--cert %s: want NAME,FILE.pem (at most %d)", spec, CERTS_MAX);
	if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, file) != 1 ||
		SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		die("--cert %s: %s", spec, ERR_reason_error_string(ERR_get_error()));
	w->certs[w->cert_count++] = (struct cert){.name = xstrdup(name), .ctx = ctx};
	free(copy);
}

/* Returns NULL when there is no such mode, certificate or route, with the reason in *why. */
static const char *
set_mode(struct wire *w, const char *route, const char *mode)
{
	const struct cert *cert = NULL;
	enum mode_kind kind = MODE_HONEST;
	bool found = false;

	if (str_starts(mode, "cert:")) {
		kind = MODE_CERT;
		for (size_t i = 0; i < w->cert_count; i++) {
			if (strcmp(w->certs[i].name, mode + 5) == 0)
				cert = &w->certs[i];
		}
		if (cert == NULL)
			return "no such certificate";
	} else if (strcmp(mode, mode_names[MODE_STRIP]) == 0) {
		kind = MODE_STRIP;
	} else if (strcmp(mode, mode_names[MODE_DEAD]) == 0) {
		kind = MODE_DEAD;
	} else if (strcmp(mode, mode_names[MODE_HONEST]) != 0) {
		return "no such mode";
	}
	for (size_t i = 0; i < w->route_count; i++) {
		struct route *r = w->routes[i];

		if (fnmatch(route, r->name, 0) != 0)
			continue;
		r->mode = kind;
		r->cert = cert;
		r->counts = (struct counts){0};
		found = true;
	}
	return found ? NULL : "no such route";
}

/* --- control ----------------------------------------------------------------------------------*/

static void
answer_stats(struct wire *w, struct evbuffer *out)
{
	json_t *all = json_object();
	char *text;

	for (size_t i = 0; i < w->route_count; i++) {
		const struct route *r = w->routes[i];

		json_object_set_new(all, r->name,
			json_pack("{s:s,s:i,s:i,s:i,s:i}", "mode", mode_names[r->mode],
				"connections", r->counts.connections, "mails_read",
				r->counts.mails_read, "tls_ended", r->counts.tls_ended,
				"tls_failed", r->counts.tls_failed));
	}
	if ((text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
		die("out of memory");
	evbuffer_add_printf(out, "%s\n", text);
	free(text);
	json_decref(all);
}

static void
on_control_event(struct bufferevent *bev, short what UNUSED, void *arg)
{
	struct wire *w = arg;

	for (struct waiter **p = &w->waiters; *p != NULL;) {
		struct waiter *waiter = *p;

		if (waiter->bev != bev) {
			p = &waiter->next;
			continue;
		}
		*p = waiter->next;
		free(waiter);
	}
	bufferevent_free(bev);
}

static void
on_control_read(struct bufferevent *bev, void *arg)
{
	struct wire *w = arg;
	struct evbuffer *in = bufferevent_get_input(bev), *out = bufferevent_get_output(bev);
	char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
	char *rest = line, *verb, *route, *mode;
	const char *why;

	if (line == NULL) {
		if (evbuffer_get_length(in) > CONTROL_LINE_MAX)
			on_control_event(bev, BEV_EVENT_ERROR, w);
		return;
	}
	verb = strsep(&rest, " ");
	if (strcmp(verb, "mode") == 0) {
		route = strsep(&rest, " ");
		mode = strsep(&rest, " ");
		why = route == NULL || mode == NULL ? "want ROUTE MODE" : set_mode(w, route, mode);
		evbuffer_add_printf(
			out, "%s%s\n", why == NULL ? "ok" : "error: ", why == NULL ? "" : why);
	} else if (strcmp(verb, "stats") == 0) {
		answer_stats(w, out);
	} else if (strcmp(verb, "idle") == 0) {
		struct waiter *waiter = xcalloc(1, sizeof(*waiter));

		*waiter = (struct waiter){.bev = bev, .next = w->waiters};
		w->waiters = waiter;
		if (w->open_count == 0)
			waiters_wake(w);
	} else if (strcmp(verb, "quit") == 0) {
		evbuffer_add(out, "ok\n", 3);
		event_base_loopexit(w->base, NULL);
	} else {
		evbuffer_add_printf(out, "error: no such command\n");
	}
	free(line);
}

static void
on_control_accept(struct evconnlistener *listener UNUSED, evutil_socket_t fd,
	struct sockaddr *peer UNUSED, int peer_len UNUSED, void *arg)
{
	struct wire *w = arg;
	struct bufferevent *bev = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL)
		die("out of memory");
	bufferevent_setcb(bev, on_control_read, NULL, on_control_event, w);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static struct sockaddr_un
control_address(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sun.sun_path))
		die("%s: too long for a socket", path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	return sun;
}

static int
control_client(int argc, char **argv)
{
	const struct timeval patience = {.tv_sec = CONTROL_TIMEOUT_S};
	struct sockaddr_un sun;
	char answer[8192];
	size_t len = 0;
	ssize_t n = 0;
	int fd;

	if (argc < 2)
		die("usage: wire ctl SOCKET COMMAND...");
	sun = control_address(argv[0]);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		die("%s: %s", argv[0], strerror(errno));
	for (int i = 1; i < argc; i++)
		dprintf(fd, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
	while (len < sizeof(answer) - 1 && memchr(answer, '\n', len) == NULL &&
		(n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)n;
	if (memchr(answer, '\n', len) == NULL)
		die("%s: no answer%s%s", argv[0], n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
	answer[len] = '\0';
	fputs(answer, stdout);
	close(fd);
	return str_starts(answer, "error") ? 1 : 0;
}

static void
on_signal(evutil_socket_t sig UNUSED, short what UNUSED, void *arg)
{
	event_base_loopexit(arg, NULL);
}

static const char usage[] =
	"usage: wire --record DIR --control SOCKET [--cert NAME,FILE]... [--with-parent]\n"
	"            --route NAME,ADDR:PORT,ADDR:PORT...\n"
	"       wire ctl SOCKET mode 'ROUTES' honest|strip|cert:NAME|dead\n"
	"       wire ctl SOCKET idle|stats|quit\n"
	"  --record DIR          conversations and connections.jsonl go there\n"
	"  --control SOCKET      appears once all routes accept connections\n"
	"  --cert NAME,FILE      key and certificate chain for the mode cert:NAME\n"
	"  --route NAME,FRONT,BACKEND  listen at FRONT, relay to BACKEND; begins honest\n"
	"  --with-parent         end when the process that started it ends\n";

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"record", required_argument, NULL, 'r'},
		{"control", required_argument, NULL, 'c'},
		{"cert", required_argument, NULL, 'e'},
		{"route", required_argument, NULL, 'o'},
		{"with-parent", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct wire w; /* static: what it holds is in use until the end */
	const char *control = NULL;
	struct evconnlistener *listener;
	struct event *sigterm, *sigint;
	struct sockaddr_un sun;
	char *path;
	int opt;

	signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && strcmp(argv[1], "ctl") == 0)
		return control_client(argc - 2, argv + 2);
	if ((w.base = event_base_new()) == NULL)
		die("out of memory");
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			w.record_dir = optarg;
			break;
		case 'c':
			control = optarg;
			break;
		case 'e':
			add_cert(&w, optarg);
			break;
		case 'o':
			add_route(&w, optarg);
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
	if (w.record_dir == NULL || control == NULL || w.route_count == 0 || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	path = xasprintf("%s/connections.jsonl", w.record_dir);
	if ((w.connections = fopen(path, "ae")) == NULL)
		die("%s: %s", path, strerror(errno));
	free(path);
	sigterm = evsignal_new(w.base, SIGTERM, on_signal, w.base);
	sigint = evsignal_new(w.base, SIGINT, on_signal, w.base);
	if (sigterm == NULL || sigint == NULL || event_add(sigterm, NULL) < 0 ||
		event_add(sigint, NULL) < 0)
		die("cannot watch for signals");
	sun = control_address(control);
	unlink(control);
	listener = evconnlistener_new_bind(w.base, on_control_accept, &w,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, SOMAXCONN, (struct sockaddr *)&sun,
		(int)sizeof(sun));
	if (listener == NULL)
		die("%s: %s", control, strerror(errno));
	event_base_dispatch(w.base);
	unlink(control);
	fclose(w.connections);
	return 0;
}

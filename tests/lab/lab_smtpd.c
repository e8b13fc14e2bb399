/*
 * The SMTP side of labd: one session as a machine over lines.
 *
 * PLAIN -> (STARTTLS) FLUSH -> HANDSHAKE -> PLAIN (inside TLS) ; DATA between DATA and the dot ;
 * CLOSING once a reply that ends the session is being sent.
 */
#include <errno.h>
#include <inttypes.h>
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
	LINE_MAX_LEN = 4096, /* RFC 5321 asks for 1,000; more than that is no client of ours */
	MESSAGE_MAX = 16 << 20,
	SESSION_IDLE_S = 300,
	FLOOD_LINES = 500,
};

enum session_state {
	SESSION_COMMANDS,
	SESSION_DATA,
	SESSION_FLUSH,
	SESSION_HANDSHAKE,
	SESSION_CLOSING
};

struct session {
	enum session_state state;
	struct lab_endpoint *endpoint;
	struct lab_served *host;
	struct bufferevent *bev;
	evutil_socket_t fd;
	struct event *delay; /* of the greeting; else NULL */
	char *drip; /* owned; what of the greeting is to go out octet by octet from drip_at */
	size_t drip_at;
	const char *flood; /* a line to be said for ever; NULL: none */
	bool tls, greeted; /* greeted: EHLO since the connection or the handshake */
	char *from, *to;   /* to: all recipients, divided by blanks */
	FILE *message;
	uint64_t message_number;
	size_t message_len;
};

static void on_read(struct bufferevent *bev, void *arg);
static void on_write(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);

static void
session_free(struct session *s)
{
	if (s->message != NULL)
		fclose(s->message);
	if (s->delay != NULL)
		event_free(s->delay);
	if (s->tls && s->state == SESSION_HANDSHAKE) {
		lab_session_linger(s->endpoint, s->bev);
	} else {
		bufferevent_free(s->bev);
		if (!s->tls)
			close(s->fd); /* inside TLS the bufferevent owns it */
		lab_session_ended(s->endpoint);
	}
	free(s->from);
	free(s->to);
	free(s->drip);
	free(s);
}

/* Once more, as often as the client has read it. */
static void
flood(struct session *s)
{
	for (int i = 0; i < FLOOD_LINES; i++)
		evbuffer_add(bufferevent_get_output(s->bev), s->flood, strlen(s->flood));
}

/* text may hold %s for the host's name. */
static void
reply(struct session *s, const char *text)
{
	struct evbuffer *out = bufferevent_get_output(s->bev);
	const char *mark;

	if (*text == '!') {
		text++;
		s->state = SESSION_CLOSING;
		if (*text == '\0') /* nothing goes out that on_write() would be told of */
			bufferevent_trigger(s->bev, EV_WRITE,
				BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	}
	mark = strstr(text, "%s");
	if (mark == NULL) {
		evbuffer_add(out, text, strlen(text));
		return;
	}
	evbuffer_add(out, text, (size_t)(mark - text));
	evbuffer_add(out, s->host->name, strlen(s->host->name));
	evbuffer_add(out, mark + 2, strlen(mark + 2));
}

/* The session ends once the reply has gone out. */
static void
reply_and_close(struct session *s, const char *text)
{
	s->state = SESSION_CLOSING;
	reply(s, text);
}

static void
on_drip(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	if (s->drip[s->drip_at] == '\0')
		event_del(s->delay);
	else
		evbuffer_add(bufferevent_get_output(s->bev), s->drip + s->drip_at++, 1);
}

static void
greet(struct session *s)
{
	const struct lab_behaviour *b = &s->host->behaviour;
	struct evbuffer *out = bufferevent_get_output(s->bev);

	if (b->drip_ms > 0) {
		s->drip = xasprintf("%.*s%s%s", (int)strcspn(b->greeting, "%"), b->greeting,
			s->host->name, strchr(b->greeting, '%') + 2);
		s->delay = event_new(s->endpoint->server->base, -1, EV_PERSIST, on_drip, s);
		if (s->delay == NULL ||
			event_add(s->delay,
				&(struct timeval){.tv_sec = b->drip_ms / 1000,
					.tv_usec = b->drip_ms % 1000 * 1000}) < 0)
			abort();
	} else if (b->greeting_octets > 0) {
		evbuffer_add(out, "220 ", 4);
		for (size_t i = 0; i < b->greeting_octets; i++)
			evbuffer_add(out, "x", 1);
		evbuffer_add(out, "\r\n", 2);
	} else if (b->greeting_nul) {
		evbuffer_add(out, "220 \0\a\x1b[2J mx\r\n", 13);
	} else if (b->endless == LAB_ENDLESS_GREETING) {
		s->flood = "220-and one thing more\r\n";
		flood(s);
	} else if (!b->bare_lf) {
		reply(s, s->host->behaviour.greeting);
	} else {
		evbuffer_add_printf(out, "220 %s ESMTP\n", s->host->name);
	}
	/* 421 and 554 end the session (RFC 5321, 3.1 lets the client say QUIT after 554; many hang
	 * up) */
	if (s->host->behaviour.greeting[0] == '4')
		s->state = SESSION_CLOSING;
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	greet(arg);
}

/* --- mail ------------------------------------------------------------------------------------- */

static void
transaction_clear(struct session *s)
{
	free(s->from);
	free(s->to);
	s->from = s->to = NULL;
}

static void
open_message(struct session *s)
{
	struct lab_server *server = s->endpoint->server;
	char *dir = xasprintf("%s/mail/%s", server->dir, s->host->name);
	char *path = xasprintf("%s/%06" PRIu64 ".part", dir, ++server->mail_number);
	SSL *ssl = s->tls ? bufferevent_openssl_get_ssl(s->bev) : NULL;
	const char *sni = s->tls ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		perror(dir);
	} else if ((s->message = fopen(path, "w+e")) == NULL) {
		perror(path);
	} else {
		fprintf(s->message, "X-Lab-Tls: %s\nX-Lab-Sni: %s\nX-Lab-From: %s\nX-Lab-To: %s\n",
			s->tls ? SSL_get_version(ssl) : "no", sni == NULL ? "-" : sni, s->from,
			s->to);
		s->message_number = server->mail_number;
		s->message_len = 0;
		s->state = SESSION_DATA;
	}
	free(path);
	free(dir);
	if (s->message == NULL)
		reply(s, "451 4.3.0 Cannot store it\r\n");
	else
		reply(s, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

/* The file appears under its final name whole: NNNNNN.eml. */
static void
finish_message(struct session *s)
{
	struct lab_server *server = s->endpoint->server;
	char *base = xasprintf(
		"%s/mail/%s/%06" PRIu64, server->dir, s->host->name, s->message_number);
	char *part = xasprintf("%s.part", base), *eml = xasprintf("%s.eml", base);
	bool stored = !ferror(s->message) && fflush(s->message) == 0 &&
		s->message_len <= MESSAGE_MAX && rename(part, eml) == 0;

	fclose(s->message);
	s->message = NULL;
	s->state = SESSION_COMMANDS;
	transaction_clear(s);
	if (stored)
		s->host->mails++;
	reply(s, stored ? "250 2.0.0 Ok: stored\r\n" : "552 5.3.4 Not stored\r\n");
	free(eml);
	free(part);
	free(base);
}

static void
data_line(struct session *s, const char *line, size_t len)
{
	if (len == 1 && line[0] == '.') {
		finish_message(s);
		return;
	}
	if (len > 0 && line[0] == '.') {
		line++;
		len--;
	}
	s->message_len += len + 1;
	if (s->message_len > MESSAGE_MAX)
		return;
	fwrite(line, 1, len, s->message);
	fputc('\n', s->message);
}

/* --- commands --------------------------------------------------------------------------------- */

/* The reply with one keyword more, behind the line of the host's name. */
static void
reply_with(struct session *s, const char *text, const char *keyword)
{
	size_t first = strcspn(text, "\n") + 1;
	char *all = xasprintf("%.*s250-%s\r\n%s", (int)first, text, keyword, text + first);

	reply(s, all);
	free(all);
}

static void
on_ehlo(struct session *s, const char *arg)
{
	const char *text = s->tls ? s->host->behaviour.ehlo_tls : s->host->behaviour.ehlo;

	(void)arg;
	transaction_clear(s);
	s->greeted = true;
	if (s->host->behaviour.endless == LAB_ENDLESS_EHLO) {
		s->flood = "250-AND-ONE-THING-MORE\r\n";
		flood(s);
		return;
	}
	if (text[0] == '4')
		reply_and_close(s, text);
	else if (s->host->behaviour.smtputf8 && str_starts(text, "250-"))
		reply_with(s, text, "SMTPUTF8");
	else
		reply(s, text);
}

static void
on_helo(struct session *s, const char *arg)
{
	(void)arg;
	transaction_clear(s);
	s->greeted = true;
	reply(s, "250 %s\r\n");
}

static void
on_starttls(struct session *s, const char *arg)
{
	const char *text = s->host->behaviour.starttls;

	(void)arg;
	if (s->tls) {
		reply(s, "503 5.5.1 TLS already active\r\n");
		return;
	}
	reply(s, text);
	if (str_starts(text, "220"))
		s->state = SESSION_FLUSH;
}

static void
on_mail(struct session *s, const char *arg)
{
	if (!s->greeted || s->from != NULL) {
		reply(s, "503 5.5.1 Bad sequence of commands\r\n");
		return;
	}
	s->from = xstrdup(arg);
	reply(s, s->host->behaviour.noop_reply);
}

static void
on_rcpt(struct session *s, const char *arg)
{
	char *all;

	if (s->from == NULL) {
		reply(s, "503 5.5.1 Bad sequence of commands\r\n");
		return;
	}
	all = xasprintf("%s%s%s", s->to == NULL ? "" : s->to, s->to == NULL ? "" : " ", arg);
	free(s->to);
	s->to = all;
	reply(s, s->host->behaviour.noop_reply);
}

static void
on_data(struct session *s, const char *arg)
{
	(void)arg;
	if (s->to == NULL)
		reply(s, "503 5.5.1 Bad sequence of commands\r\n");
	else
		open_message(s);
}

static void
on_noop(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, s->host->behaviour.noop_reply);
}

static void
on_rset(struct session *s, const char *arg)
{
	(void)arg;
	transaction_clear(s);
	reply(s, s->host->behaviour.noop_reply);
}

static void
on_quit(struct session *s, const char *arg)
{
	(void)arg;
	reply_and_close(s, "221 2.0.0 Bye\r\n");
}

static const struct {
	const char *word; /* the argument begins behind it */
	void (*run)(struct session *s, const char *arg);
} commands[] = {
	{"EHLO", on_ehlo},
	{"HELO", on_helo},
	{"STARTTLS", on_starttls},
	{"MAIL FROM:", on_mail},
	{"RCPT TO:", on_rcpt},
	{"DATA", on_data},
	{"NOOP", on_noop},
	{"RSET", on_rset},
	{"QUIT", on_quit},
};

static void
command_line(struct session *s, const char *line, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		size_t n = strlen(commands[i].word);

		if (len >= n && str_ieq(line, n, commands[i].word, n) &&
			(len == n || line[n] == ' ' || commands[i].word[n - 1] == ':')) {
			commands[i].run(s, line[n] == ' ' ? line + n + 1 : line + n);
			return;
		}
	}
	reply(s, "500 5.5.2 Command unrecognized\r\n");
}

/* --- events ----------------------------------------------------------------------------------- */

/* The 220 has gone out: the connection belongs to TLS from here. What the client has sent early is
 * thrown away, as RFC 3207 asks. */
static void
start_tls(struct session *s)
{
	enum lab_tls tls = s->host->behaviour.tls;
	SSL *ssl;

	s->state = SESSION_HANDSHAKE;
	if (tls == LAB_TLS_SILENT || tls == LAB_TLS_CLOSE)
		return; /* on_read() swallows the ClientHello, or hangs up */
	bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	bufferevent_free(s->bev);
	ssl = lab_server_tls(s->endpoint, s->fd, &s->host);
	s->tls = true;
	s->greeted = false;
	s->bev = bufferevent_openssl_socket_new(s->endpoint->server->base, s->fd, ssl,
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (s->bev == NULL)
		abort();
	bufferevent_openssl_set_allow_dirty_shutdown(s->bev, 1);
	bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
	bufferevent_set_timeouts(s->bev, &(struct timeval){.tv_sec = SESSION_IDLE_S}, NULL);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = 0;
	char *line;

	while (s->state == SESSION_COMMANDS || s->state == SESSION_DATA) {
		line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF);
		if (line == NULL)
			break;
		if (s->state == SESSION_DATA)
			data_line(s, line, len);
		else
			command_line(s, line, len);
		free(line);
	}
	if (s->state == SESSION_HANDSHAKE || s->state == SESSION_FLUSH ||
		s->state == SESSION_CLOSING)
		evbuffer_drain(in, evbuffer_get_length(in));
	if ((s->state == SESSION_HANDSHAKE && s->host->behaviour.tls == LAB_TLS_CLOSE) ||
		evbuffer_get_length(in) > LINE_MAX_LEN)
		session_free(s);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	if (evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	if (s->flood != NULL)
		flood(s);
	else if (s->state == SESSION_FLUSH)
		start_tls(s);
	else if (s->state == SESSION_CLOSING)
		session_free(s);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		s->state = SESSION_COMMANDS;
		return;
	}
	session_free(s);
}

void
lab_smtpd_start(struct lab_endpoint *e, evutil_socket_t fd)
{
	struct session *s = xcalloc(1, sizeof(*s));
	unsigned int delay_ms = e->first->behaviour.greeting_delay_ms;
	struct timeval wait;

	s->endpoint = e;
	s->host = e->first;
	s->fd = fd;
	s->bev = bufferevent_socket_new(e->server->base, fd, 0);
	if (s->bev == NULL)
		abort();
	bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
	bufferevent_set_timeouts(s->bev, &(struct timeval){.tv_sec = SESSION_IDLE_S}, NULL);
	if (delay_ms == 0) {
		greet(s);
		return;
	}
	wait.tv_sec = delay_ms / 1000;
	wait.tv_usec = delay_ms % 1000 * 1000;
	s->delay = evtimer_new(e->server->base, on_delay, s);
	if (s->delay == NULL || event_add(s->delay, &wait) < 0)
		abort();
}

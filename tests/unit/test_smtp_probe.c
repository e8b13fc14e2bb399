/*
 * The probe against servers that sin. Each case has a server thread of its own that follows a
 * script; all probes run side by side on one event loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/smtp_probe.h"

#define STEPS_MAX 16
#define GREETING  "220 mx.example.org ESMTP\r\n"
#define EHLO_OK   "250-mx.example.org\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
#define UP_TO_TLS \
	{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK}, {EXPECT, "STARTTLS"}, \
	{ \
		SEND, "220 go ahead\r\n" \
	}
#define GOODBYE \
	{EXPECT, "QUIT"}, {SEND, "221 bye\r\n"}, \
	{ \
		WAIT_EOF, NULL \
	}

enum op {
	END,
	SEND,
	EXPECT,   /* a line that is exactly this */
	TLS,      /* handshake; any failure ends the script */
	TLS_OLD,  /* offers TLS 1.1 at most */
	TLS_CERT, /* demands a client certificate, TLS 1.2 */
	TLS_ASK,  /* asks for one */
	CLOSE,
	RESET,
	WAIT_EOF, /* until the client is gone */
	FLOOD,    /* 1 MiB of one reply's lines */
};

struct step {
	enum op op;
	const char *text;
};

struct probe_case {
	const char *name;
	bool refuse; /* nothing listens */
	struct step steps[STEPS_MAX];
	enum verdict starttls;
	enum smtp_reach reach;
	const char *code;    /* that ended it; NULL: none */
	const char *warning; /* a further finding, or NULL */
	bool repeat;
};

static const struct probe_case cases[] = {
	{.name = "all well",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx.example.org\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING},
	{.name = "refused", .refuse = true, .code = "smtp-connect-refused"},
	{.name = "closed at once",
		.steps = {{CLOSE, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-connection-lost"},
	{.name = "reset at once",
		.steps = {{RESET, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-connection-lost"},
	{.name = "silent",
		.steps = {{WAIT_EOF, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-greeting-timeout"},
	{.name = "half a greeting",
		.steps = {{SEND, "220-mx\r\n220"}, {WAIT_EOF, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-greeting-timeout"},
	{.name = "greeting 554",
		.steps = {{SEND, "554 no\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-greeting-rejected"},
	{.name = "greeting 421",
		.steps = {{SEND, "421 later\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-greeting-temporary"},
	{.name = "greeting is HTTP",
		.steps = {{SEND, "HTTP/1.1 400 Bad Request\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-reply-code"},
	{.name = "greeting with bare LF",
		.steps = {{SEND, "220 mx\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-bare-lf"},
	{.name = "greeting and more",
		.steps = {{SEND, GREETING "250 STARTTLS\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-data-before-command"},
	{.name = "endless reply",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {FLOOD, NULL},
			{WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-reply-too-many-lines"},
	{.name = "EHLO 502",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, "502 what\r\n"},
			GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-rejected"},
	{.name = "EHLO 421",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, "421 later\r\n"},
			GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-temporary"},
	{.name = "EHLO unanswered",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {WAIT_EOF, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-timeout"},
	{.name = "lost after EHLO",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {CLOSE, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-connection-lost"},
	{.name = "no STARTTLS",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, "250-mx\r\n250 SIZE\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-not-offered"},
	{.name = "masked STARTTLS",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, "250-mx\r\n250 XXXXXXXA\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-stripped"},
	{.name = "STARTTLS 454",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "454 no key\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-temporary"},
	{.name = "STARTTLS 250",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "250 fine\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-unexpected-code"},
	{.name = "octets before the handshake",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "220 go ahead\r\n250 injected\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-plaintext-after-reply"},
	{.name = "no TLS behind 220",
		.steps = {UP_TO_TLS, {WAIT_EOF, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "tls-handshake-timeout"},
	{.name = "closed in the handshake",
		.steps = {UP_TO_TLS, {CLOSE, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "tls-handshake-timeout"},
	{.name = "text instead of the handshake",
		.steps = {UP_TO_TLS, {EXPECT, NULL}, {SEND, "500 what is this\r\n"},
			{WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-handshake-failed",
		.repeat = true},
	{.name = "TLS too old",
		.steps = {UP_TO_TLS, {TLS_OLD, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-version-too-old"},
	{.name = "client certificate asked for",
		.steps = {UP_TO_TLS, {TLS_ASK, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.warning = "tls-client-certificate-requested"},
	{.name = "client certificate demanded",
		.steps = {UP_TO_TLS, {TLS_CERT, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-client-certificate-required"},
	{.name = "STARTTLS inside TLS",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.warning = "starttls-offered-after-tls"},
	{.name = "EHLO fails inside TLS",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "503 again?\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-after-tls-failed"},
	{.name = "EHLO 421 inside TLS",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "421 later\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-temporary"},
	{.name = "lost inside TLS",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"}, {CLOSE, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-connection-lost"},
	{.name = "QUIT unanswered",
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, {EXPECT, "QUIT"}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING},
};

/* --- the server ---------------------------------------------------------------------- */

struct server {
	const struct probe_case *c;
	int listener;
	int fd;
	SSL_CTX *tls;
	SSL *ssl;
	pthread_t thread;
	char problem[200]; /* a line that was not expected */
};

static ssize_t
server_read(struct server *s, char *data, size_t len)
{
	return s->ssl != NULL ? SSL_read(s->ssl, data, (int)len) : recv(s->fd, data, len, 0);
}

static bool
server_send(struct server *s, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = s->ssl != NULL ? SSL_write(s->ssl, data, (int)len)
					   : send(s->fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
server_expect(struct server *s, const char *want)
{
	char line[600];
	size_t n = 0;

	if (want == NULL) /* whatever comes */
		return server_read(s, line, sizeof(line)) > 0;
	while (n < sizeof(line) - 1 && server_read(s, line + n, 1) == 1 && line[n++] != '\n')
		;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, want) == 0)
		return true;
	(void)snprintf(s->problem, sizeof(s->problem), "got \"%.80s\", want \"%s\"", line, want);
	return false;
}

static bool
server_tls(struct server *s, enum op op)
{
	s->ssl = SSL_new(s->tls);
	if (op == TLS_OLD) {
		SSL_set_security_level(s->ssl, 0);
		(void)SSL_set_min_proto_version(s->ssl, TLS1_VERSION);
		(void)SSL_set_max_proto_version(s->ssl, TLS1_1_VERSION);
	} else if (op == TLS_CERT) {
		(void)SSL_set_max_proto_version(s->ssl, TLS1_2_VERSION);
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	} else if (op == TLS_ASK) {
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
	}
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_accept(s->ssl) == 1)
		return true;
	ERR_clear_error();
	SSL_free(s->ssl);
	s->ssl = NULL;
	return false;
}

static bool
server_step(struct server *s, const struct step *step)
{
	struct linger reset = {1, 0};
	char drain[4096];

	switch (step->op) {
	case SEND:
		return server_send(s, step->text, strlen(step->text));
	case EXPECT:
		return server_expect(s, step->text);
	case TLS:
	case TLS_OLD:
	case TLS_CERT:
	case TLS_ASK:
		(void)server_tls(s, step->op);
		return true;
	case RESET:
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case WAIT_EOF:
		while (server_read(s, drain, sizeof(drain)) > 0)
			;
		return false;
	case FLOOD:
		for (int i = 0; i < 40000 && server_send(s, "250-more and more of it\r\n", 25); i++)
			;
		return true;
	case CLOSE:
	case END:
		break;
	}
	return false;
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	const struct step *step = s->c->steps;
	sigset_t pipe;

	/* Here only: the probe must do without. */
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	s->fd = accept(s->listener, NULL, NULL);
	while (s->fd >= 0 && server_step(s, step))
		step++;
	SSL_free(s->ssl);
	if (s->fd >= 0)
		(void)close(s->fd);
	return NULL;
}

static SSL_CTX *
server_tls_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(key);
	assert_true(X509_set_version(x, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"mx.example.org", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

/* --- the client side ----------------------------------------------------------------- */

struct run {
	const struct probe_case *c;
	struct server server;
	struct arena *arena;
	bool called, in_start;
	int bad;
};

static size_t left;
static struct event_base *loop;

static void
on_probe(const struct smtp_probe_result *result, void *arg)
{
	struct run *r = arg;
	const struct probe_case *c = r->c;
	const char *code = result->code == NULL ? "none" : result->code;

	assert_false(r->called);
	assert_false(r->in_start);
	r->called = true;
	if (result->starttls != c->starttls || result->reach != c->reach ||
		strcmp(code, c->code == NULL ? "none" : c->code) != 0 ||
		result->repeat != c->repeat) {
		print_error("%s: got %s, reach %u, %s%s; want %s, reach %u, %s\n", c->name,
			verdict_name(result->starttls), result->reach, code,
			result->repeat ? ", to be repeated" : "", verdict_name(c->starttls),
			c->reach, c->code == NULL ? "none" : c->code);
		for (size_t i = 0; i < result->findings.count; i++)
			print_error("    %s: %s\n", result->findings.items[i].code,
				result->findings.items[i].message);
		r->bad = 1;
	}
	if (c->code != NULL && !finding_list_has(&result->findings, c->code)) {
		print_error("%s: no finding %s\n", c->name, c->code);
		r->bad = 1;
	}
	if (c->warning != NULL && !finding_list_has(&result->findings, c->warning)) {
		print_error("%s: no finding %s\n", c->name, c->warning);
		r->bad = 1;
	}
	if (c->starttls == VERDICT_PASS &&
		(result->chain == NULL || result->tls_version == 0 || result->cipher == NULL)) {
		print_error("%s: no chain, version or cipher\n", c->name);
		r->bad = 1;
	}
	if (--left == 0)
		event_base_loopbreak(loop);
}

static uint16_t
listen_somewhere(struct server *s, bool refuse)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&sin, &len), 0);
	if (!refuse)
		assert_int_equal(listen(s->listener, 5), 0);
	return ntohs(sin.sin_port);
}

static struct smtp_prober *
prober_new(int64_t step_s)
{
	struct smtp_prober_options o = {
		.ehlo_name = "probe.example",
		.connect_s = step_s,
		.greeting_s = step_s,
		.reply_s = step_s,
		.session_s = 10 * step_s,
	};
	struct smtp_prober *prober = NULL;
	struct error err;

	assert_int_equal(smtp_prober_new(&o, loop, &prober, &err), 0);
	return prober;
}

static void
sinning_servers(void **state UNUSED)
{
	struct run *runs = xcalloc(ARRAY_LEN(cases), sizeof(*runs));
	SSL_CTX *tls = server_tls_new();
	struct smtp_prober *prober;
	int bad = 0;

	loop = event_base_new();
	prober = prober_new(1);
	left = ARRAY_LEN(cases);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run *r = &runs[i];
		struct address a;
		uint16_t port;

		r->c = r->server.c = &cases[i];
		r->server.tls = tls;
		r->arena = arena_new();
		port = listen_somewhere(&r->server, cases[i].refuse);
		if (!cases[i].refuse) {
			assert_int_equal(
				pthread_create(&r->server.thread, NULL, server_main, &r->server),
				0);
		}
		assert_int_equal(address_from_text("127.0.0.1", port, &a), 0);
		r->in_start = true;
		(void)smtp_probe_start(
			prober, &a, "mx.example.org", r->arena, cases[i].name, on_probe, r);
		r->in_start = false;
	}
	assert_int_equal(event_base_dispatch(loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run *r = &runs[i];

		assert_true(r->called);
		if (!cases[i].refuse)
			assert_int_equal(pthread_join(r->server.thread, NULL), 0);
		(void)close(r->server.listener);
		if (r->server.problem[0] != '\0') {
			print_error("%s: server %s\n", cases[i].name, r->server.problem);
			r->bad = 1;
		}
		bad += r->bad;
		arena_free(r->arena);
	}
	assert_int_equal(bad, 0);
	smtp_prober_free(prober);
	event_base_free(loop);
	SSL_CTX_free(tls);
	free(runs);
}

static void
on_finished(const struct smtp_probe_result *result UNUSED, void *arg)
{
	*(bool *)arg = true;
}

/* Cancelled after 0, 1, 2, ... turns of the loop until it ends by itself: no callback, nothing
 * leaks (the sanitizer build sees to that). */
static void
cancelled(void **state UNUSED)
{
	SSL_CTX *tls = server_tls_new();
	bool finished = false;
	int turns;

	for (turns = 0; turns < 100 && !finished; turns++) {
		struct server server = {.c = &cases[0], .tls = tls};
		struct arena *arena = arena_new();
		struct smtp_prober *prober;
		struct smtp_probe *p;
		struct address a;
		uint16_t port;

		loop = event_base_new();
		prober = prober_new(5);
		port = listen_somewhere(&server, false);
		assert_int_equal(pthread_create(&server.thread, NULL, server_main, &server), 0);
		assert_int_equal(address_from_text("127.0.0.1", port, &a), 0);
		p = smtp_probe_start(
			prober, &a, "mx.example.org", arena, "cancelled", on_finished, &finished);
		for (int i = 0; i < turns && !finished; i++)
			(void)event_base_loop(loop, EVLOOP_ONCE);
		if (!finished) {
			smtp_probe_cancel(p);
			(void)event_base_loop(loop, EVLOOP_NONBLOCK);
			assert_false(finished);
		}
		if (turns == 0) {
			/* It had not even connected: somebody else lets the server go on. */
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

			assert_int_equal(connect(fd, &a.u.sa, address_len(&a)), 0);
			(void)close(fd);
		}
		assert_int_equal(pthread_join(server.thread, NULL), 0);
		(void)close(server.listener);
		smtp_prober_free(prober);
		event_base_free(loop);
		arena_free(arena);
	}
	assert_true(finished);
	assert_in_range(turns, 6, 99);
	SSL_CTX_free(tls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sinning_servers),
		cmocka_unit_test(cancelled),
	};

	return cmocka_run_group_tests_name("smtp_probe", tests, NULL, NULL);
}

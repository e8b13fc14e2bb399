/*
 * The policy fetch against web servers that sin. Each case has an address and a server thread of
 * its own that follows a script; all fetches run side by side on one event loop. Look-ups are
 * answered by the test, so that an answer can change between one look-up and the next.
 *
 * The environment is full of what must have no influence: proxies, netrc, curlrc, a certificate
 * file, a key log. Every request is compared octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/unit/helper_server.h"
#include "verifier/address.h"
#include "verifier/dns.h"
#include "verifier/mta_sts.h"
#include "verifier/pkix.h"
#include "verifier/mailbox.h"
#include "verifier/policy_fetch.h"

#define STEPS_MAX     8
#define ADDRESSES_MAX 3
/* How long is waited for what never comes, and for what comes sooner or later. */
#define WAIT_S     6
#define PATIENCE_S 120
/* The other server of a case has an address so much higher. */
#define OTHERS 127
/* What a server gets rid of before the client has hung up: limits of ours, and what lies in the
 * socket buffers of both sides meanwhile. */
#define FLOOD_SEEN_MAX (4 << 20)
#define FLOOD_MAX      (64 << 20)

#define POLICY "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n"
#define TYPE   "Content-Type: text/plain\r\n"
#define OK     "HTTP/1.1 200 OK\r\n" TYPE
#define GET \
	{TLS, NULL}, \
	{ \
		REQUEST, NULL \
	}
/* An answer in full, then the end of the connection as it should be. */
#define ANSWER(text) \
	GET, {SEND, text}, \
	{ \
		NOTIFY, NULL \
	}

enum op {
	END = HELPER_SERVER_END,
	SEND = HELPER_SERVER_SEND,
	RESET = HELPER_SERVER_RESET,
	WAIT_EOF = HELPER_SERVER_WAIT_EOF,
	REQUEST = HELPER_SERVER_OWN, /* read it and compare it octet by octet */
	TLS,                         /* handshake; a failure ends the script */
	TLS_OLD,                     /* TLS 1.1 at most */
	TLS_NO_SNI,                  /* unrecognized_name for the name asked for */
	NOTIFY,                      /* close_notify, then close */
	CLOSE,                       /* without close_notify */
	FILL,  /* as many octets as text says: 64 KiB of policy and the like */
	FLOOD, /* text again and again, until the client is gone */
	DRIP,  /* text octet by octet, again and again, until the client is gone */
};

/* The certificate shown. */
enum cert { CERT_OK, CERT_NAME, CERT_EXPIRED, CERT_SELF, CERT_UNKNOWN, CERT_CN_ONLY, CERT_PARENT };

struct fetch_case {
	const char *name;
	enum cert cert;
	bool waits;     /* a server keeps silent, or drips, until the time is up */
	bool refuse;    /* nothing listens */
	bool untouched; /* nobody may connect */
	/* What the name resolves to; "$" is the server's address, "%" that of another one, which
	 * follows its own script. NULL: the server's alone. */
	const char *addresses[ADDRESSES_MAX];
	bool rebinds; /* a second look-up would say 10.0.0.1 */
	bool bogus;
	struct helper_server_step steps[STEPS_MAX], other[STEPS_MAX];
	enum verdict fetched;
	const char *code; /* that must be among the findings; NULL: no finding at all */
	const char *text; /* of the policy; NULL: not compared */
	size_t len;       /* 0: of text */
	const char *fix;  /* that the first finding's must hold */
};

static const struct fetch_case cases[] = {
	{.name = "all well",
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "all well, kept alive for ever",
		.steps = {GET,
			{SEND, OK "Connection: keep-alive\r\nContent-Length: 64\r\n\r\n" POLICY},
			{WAIT_EOF, NULL}},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "all well, cookies set",
		.steps = {ANSWER(OK "Set-Cookie: a=b; Domain=example.org\r\nContent-Length: "
				    "64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "chunked",
		.steps = {ANSWER(
			OK "Transfer-Encoding: chunked\r\n\r\n40\r\n" POLICY "\r\n0\r\n\r\n")},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "body up to close_notify",
		.steps = {ANSWER(OK "\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "HTTP/1.0",
		.steps = {ANSWER("HTTP/1.0 200 OK\r\n" TYPE "\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "one interim answer",
		.steps = {ANSWER("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK
				 "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "identity",
		.steps = {ANSWER(
			OK "Content-Encoding: identity\r\nContent-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},

	/* R9.2 */
	{.name = "no address",
		.addresses = {"-"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-host-missing"},
	{.name = "private address",
		.addresses = {"10.0.0.1"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-special-address"},
	{.name = "one address of two is private",
		.addresses = {"$", "10.0.0.1"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-special-address"},
	{.name = "loopback outside of what is allowed",
		.addresses = {"127.0.0.1"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-special-address"},
	{.name = "private address, mapped",
		.addresses = {"$", "::ffff:10.0.0.1"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-special-address"},
	{.name = "private address behind 6to4",
		.addresses = {"2002:a00:1::1"},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-special-address"},
	{.name = "look-up bogus",
		.addresses = {"$"},
		.bogus = true,
		.untouched = true,
		.code = "dnssec-bogus"},
	{.name = "name that changes its address behind the look-up",
		.addresses = {"$"},
		.rebinds = true,
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},

	/* R9.3 */
	{.name = "refused", .refuse = true, .code = "mta-sts-policy-connect"},
	{.name = "first address refuses, second answers",
		.addresses = {"127.77.250.250", "$"},
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "first address resets at once, second answers",
		.addresses = {"%", "$"},
		.other = {{RESET, NULL}},
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "first address fails the handshake, second answers",
		.addresses = {"%", "$"},
		.other = {{TLS_OLD, NULL}},
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "first address speaks no TLS, second says no",
		.addresses = {"%", "$"},
		.other = {{SEND, "HTTP/1.1 400 Bad Request\r\n\r\n"}, {WAIT_EOF, NULL}},
		.steps = {ANSWER("HTTP/1.1 404 N\r\n" TYPE "Content-Length: 2\r\n\r\nno")},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "first address is silent, second answers",
		.waits = true,
		.addresses = {"%", "$"},
		.other = {{WAIT_EOF, NULL}},
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "first address is silent behind the request, second answers",
		.waits = true,
		.addresses = {"%", "$"},
		.other = {GET, {WAIT_EOF, NULL}},
		.steps = {ANSWER(OK "Content-Length: 64\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = POLICY},
	{.name = "first address fails the handshake, second is silent, third refuses",
		.waits = true,
		.addresses = {"%", "$", "127.77.250.250"},
		.other = {{TLS_OLD, NULL}},
		.steps = {{WAIT_EOF, NULL}},
		.code = "mta-sts-policy-timeout"},
	{.name = "both fail the handshake",
		.addresses = {"%", "$"},
		.other = {{TLS_OLD, NULL}},
		.steps = {{TLS_OLD, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-tls"},
	{.name = "first address has another name's certificate: the second is not asked",
		.addresses = {"%", "$"},
		.cert = CERT_NAME,
		.other = {{TLS, NULL}},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate"},
	{.name = "first address says no: the second is not asked",
		.addresses = {"%", "$"},
		.other = {ANSWER("HTTP/1.1 404 N\r\n" TYPE "Content-Length: 2\r\n\r\nno")},
		.untouched = true,
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "reset at once", .steps = {{RESET, NULL}}, .code = "mta-sts-policy-connect"},
	{.name = "closed at once", .steps = {{CLOSE, NULL}}, .code = "mta-sts-policy-connect"},
	{.name = "closed behind the handshake",
		.steps = {{TLS, NULL}, {CLOSE, NULL}},
		.code = "mta-sts-policy-connect"},
	{.name = "closed behind the request",
		.steps = {GET, {CLOSE, NULL}},
		.code = "mta-sts-policy-connect"},
	{.name = "reset behind the request",
		.steps = {GET, {RESET, NULL}},
		.code = "mta-sts-policy-connect"},
	{.name = "closed in the headers",
		.steps = {GET, {SEND, "HTTP/1.1 200 OK\r\nContent-"}, {CLOSE, NULL}},
		.code = "mta-sts-policy-truncated"},
	{.name = "silent", .waits = true, .steps = {{WAIT_EOF, NULL}}, .code = "mta-sts-policy-timeout"},
	{.name = "silent behind the handshake",
		.waits = true,
		.steps = {{TLS, NULL}, {WAIT_EOF, NULL}},
		.code = "mta-sts-policy-timeout"},
	{.name = "headers drip",
		.waits = true,
		.steps = {GET, {SEND, "HTTP/1.1 200 OK\r\n"}, {DRIP, "X-Slow: 1\r\n"}},
		.code = "mta-sts-policy-timeout"},
	{.name = "body drips",
		.waits = true,
		.steps = {GET, {SEND, OK "Content-Length: 60000\r\n\r\n"},
			{DRIP, "mx: a.example\n"}},
		.code = "mta-sts-policy-timeout"},

	/* R9.4 */
	{.name = "certificate of another name",
		.cert = CERT_NAME,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate",
		.fix = "Add this name to the web server's certificate: mta-sts."},
	{.name = "certificate of the mail domain alone",
		.cert = CERT_PARENT,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate"},
	{.name = "name in the common name only",
		.cert = CERT_CN_ONLY,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate"},
	{.name = "certificate expired",
		.cert = CERT_EXPIRED,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate",
		.fix = "Renew the certificate"},
	{.name = "self-signed",
		.cert = CERT_SELF,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate",
		.fix = "public authority"},
	{.name = "authority that only SSL_CERT_FILE names",
		.cert = CERT_UNKNOWN,
		.steps = {{TLS, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate",
		.fix = "public authority"},

	/* R9.5 */
	{.name = "TLS 1.1",
		.steps = {{TLS_OLD, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-tls"},
	{.name = "name not served",
		.steps = {{TLS_NO_SNI, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-certificate"},
	{.name = "no TLS on the port",
		.steps = {{SEND, "HTTP/1.1 400 Bad Request\r\n\r\n"}, {WAIT_EOF, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-tls"},

/* R9.6 */
#define STATUS(text) .steps = {ANSWER("HTTP/1.1 " text "\r\n" TYPE "Content-Length: 2\r\n\r\nno")}
#define MOVED(text) \
	.steps = {ANSWER("HTTP/1.1 " text "\r\nLocation: https://127.0.0.1/\r\n" TYPE \
			 "Content-Length: 2\r\n\r\nno")}
	{.name = "301", MOVED("301 M"), .fetched = VERDICT_FAIL, .code = "mta-sts-policy-redirect"},
	{.name = "302", MOVED("302 M"), .fetched = VERDICT_FAIL, .code = "mta-sts-policy-redirect"},
	{.name = "303", MOVED("303 M"), .fetched = VERDICT_FAIL, .code = "mta-sts-policy-redirect"},
	{.name = "307", MOVED("307 M"), .fetched = VERDICT_FAIL, .code = "mta-sts-policy-redirect"},
	{.name = "308", MOVED("308 M"), .fetched = VERDICT_FAIL, .code = "mta-sts-policy-redirect"},
	{.name = "300",
		MOVED("300 M"),
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "204",
		.steps = {ANSWER("HTTP/1.1 204 No Content\r\n" TYPE "\r\n")},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "206",
		STATUS("206 P"),
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "304",
		.steps = {ANSWER("HTTP/1.1 304 Not Modified\r\n\r\n")},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "401",
		.steps = {ANSWER("HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
				 "Content-Length: 0\r\n\r\n")},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "403",
		STATUS("403 F"),
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "404",
		STATUS("404 N"),
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "408", STATUS("408 T"), .code = "mta-sts-policy-http-temporary"},
	{.name = "417",
		STATUS("417 E"),
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "429", STATUS("429 T"), .code = "mta-sts-policy-http-temporary"},
	{.name = "500", STATUS("500 I"), .code = "mta-sts-policy-http-temporary"},
	{.name = "503", STATUS("503 S"), .code = "mta-sts-policy-http-temporary"},
	{.name = "599", STATUS("599 X"), .code = "mta-sts-policy-http-temporary"},
	{.name = "HTTP/0.9",
		.steps = {ANSWER(POLICY)},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "status line of nonsense",
		.steps = {ANSWER("HTTP/1.1 abc what\r\n" TYPE "\r\n" POLICY)},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},
	{.name = "answer of SMTP",
		.steps = {ANSWER("220 mx.example.org ESMTP\r\n")},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},

	/* R9.7, R9.8 */
	{.name = "text/html",
		.steps = {ANSWER("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" POLICY)},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-content-type"},
	{.name = "no type",
		.steps = {ANSWER("HTTP/1.1 200 OK\r\n\r\n" POLICY)},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-content-type"},
	{.name = "charset latin-1",
		.steps = {ANSWER("HTTP/1.1 200 OK\r\nContent-Type: text/plain; "
				 "charset=iso-8859-1\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.code = "mta-sts-policy-charset",
		.text = POLICY},

	/* R9.9: the limit, one above it, and what has no end */
	{.name = "65,536 octets",
		.steps = {GET, {SEND, OK "\r\n"}, {FILL, "65536"}, {NOTIFY, NULL}},
		.fetched = VERDICT_PASS,
		.len = MTA_STS_POLICY_MAX},
	{.name = "65,537 octets",
		.steps = {GET, {SEND, OK "\r\n"}, {FILL, "65537"}, {NOTIFY, NULL}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "body without end",
		.steps = {GET, {SEND, OK "\r\n"}, {FLOOD, "mx: a.example.org\n"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "chunks without end",
		.steps = {GET, {SEND, OK "Transfer-Encoding: chunked\r\n\r\n"},
			{FLOOD, "12\r\nmx: a.example.org\n\r\n"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "headers without end",
		.steps = {GET, {SEND, OK}, {FLOOD, "X-More: and more of it\r\n"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "one header without end",
		.steps = {GET, {SEND, OK "X-More: "}, {FLOOD, "and more of it "}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "status line without end",
		.steps = {GET, {SEND, "HTTP/1.1 200 "}, {FLOOD, "and more of it "}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "interim answers without end",
		.steps = {GET, {FLOOD, "HTTP/1.1 100 Continue\r\n\r\n"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "trailers without end",
		.steps = {GET, {SEND, OK "Transfer-Encoding: chunked\r\n\r\n0\r\n"},
			{FLOOD, "X-More: and more of it\r\n"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-too-large"},
	{.name = "error page without end",
		.steps = {GET, {SEND, "HTTP/1.1 404 N\r\n" TYPE "\r\n"}, {FLOOD, "<p>no</p>"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-http-status"},

	/* R9.10 */
	{.name = "shorter than announced",
		.steps = {ANSWER(OK "Content-Length: 99\r\n\r\n" POLICY)},
		.code = "mta-sts-policy-truncated"},
	{.name = "longer than announced: the rest is no part of it",
		.steps = {ANSWER(OK "Content-Length: 14\r\n\r\n" POLICY)},
		.fetched = VERDICT_PASS,
		.text = "version: STSv1"},
	{.name = "cut without close_notify",
		.steps = {GET, {SEND, OK "\r\n" POLICY}, {CLOSE, NULL}},
		.code = "mta-sts-policy-truncated"},
	{.name = "cut in an announced body",
		.steps = {GET, {SEND, OK "Content-Length: 99\r\n\r\n" POLICY}, {CLOSE, NULL}},
		.code = "mta-sts-policy-truncated"},
	{.name = "cut between chunks",
		.steps = {ANSWER(OK "Transfer-Encoding: chunked\r\n\r\n40\r\n" POLICY "\r\n")},
		.code = "mta-sts-policy-truncated"},
	{.name = "chunk size of nonsense",
		.steps = {ANSWER(OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" POLICY)},
		.code = "mta-sts-policy-truncated"},
	{.name = "gzip",
		.steps = {GET, {SEND, OK "Content-Encoding: gzip\r\n\r\n"},
			{FLOOD, "\x1f\x8b\x08\x01\x01\x01\x01\x01"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-encoding"},
	{.name = "gzip as transfer coding",
		.steps = {GET, {SEND, OK "Transfer-Encoding: gzip\r\n\r\n"},
			{FLOOD, "\x1f\x8b\x08\x01\x01\x01\x01\x01"}},
		.fetched = VERDICT_FAIL,
		.code = "mta-sts-policy-encoding"},
};

_Static_assert(ARRAY_LEN(cases) <= OTHERS, "two addresses for each");

/* --- certificates -------------------------------------------------------------------- */

static struct {
	EVP_PKEY *key; /* of everything: who owns a key is not what is tested here */
	X509 *ca, *unknown_ca;
} pki;

static X509 *
certificate(const char *cn, const char *san, X509 *issuer, bool expired)
{
	return helper_certificate(cn, san, pki.key, issuer, pki.key, expired);
}

static X509 *
certificate_for(const struct fetch_case *c, const char *host)
{
	char *san = xasprintf("DNS:%s",
		c->cert == CERT_NAME             ? "www.example.org"
			: c->cert == CERT_PARENT ? host + strlen("mta-sts.")
						 : host);
	X509 *x = certificate(host, c->cert == CERT_CN_ONLY ? "email:a@example.org" : san,
		c->cert == CERT_SELF              ? NULL
			: c->cert == CERT_UNKNOWN ? pki.unknown_ca
						  : pki.ca,
		c->cert == CERT_EXPIRED);

	free(san);
	return x;
}

/* --- the server ---------------------------------------------------------------------- */

struct server {
	struct helper_server script; /* first */
	const struct fetch_case *c;
	bool untouched;
	const char *host;
	char *request; /* owned: what must come */
};

static bool
server_request(struct helper_server *s)
{
	const char *want = ((struct server *)s)->request;
	char text[4096];
	size_t n = 0;
	int got;

	text[0] = '\0';
	while (n < sizeof(text) - 1 && strstr(text, "\r\n\r\n") == NULL &&
		(got = SSL_read(s->ssl, text + n, (int)(sizeof(text) - 1 - n))) > 0) {
		n += (size_t)got;
		text[n] = '\0';
	}
	if (strcmp(text, want) != 0)
		helper_server_problem(s, "got the request \"%.250s\"", text);
	return true;
}

static int
refuse_name(SSL *ssl UNUSED, int *alert, void *arg UNUSED)
{
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_alpn(SSL *ssl UNUSED, const unsigned char **out UNUSED, unsigned char *out_len UNUSED,
	const unsigned char *in UNUSED, unsigned int in_len UNUSED, void *arg)
{
	helper_server_problem(arg, "ALPN was offered");
	return SSL_TLSEXT_ERR_NOACK;
}

static bool
server_tls(struct helper_server *s, int op)
{
	const char *host = ((struct server *)s)->host, *sni;

	s->ssl = SSL_new(s->tls);
	if (op == TLS_OLD) {
		SSL_set_security_level(s->ssl, 0);
		(void)SSL_set_min_proto_version(s->ssl, TLS1_VERSION);
		(void)SSL_set_max_proto_version(s->ssl, TLS1_1_VERSION);
	} else if (op == TLS_NO_SNI) {
		SSL_CTX_set_tlsext_servername_callback(s->tls, refuse_name);
	}
	if (!helper_server_accept_tls(s))
		return false;
	sni = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	if (sni == NULL || strcmp(sni, host) != 0)
		helper_server_problem(s, "SNI is %s", sni == NULL ? "-" : sni);
	return true;
}

static bool
server_fill(struct helper_server *s, size_t len)
{
	char *text = xcalloc(len, 1);
	bool ok;

	memset(text, 'x', len);
	ok = helper_server_send(s, text, len);
	free(text);
	return ok;
}

/* Many repetitions at a time: a flood of small records would be mostly TLS. */
static void
server_flood(struct helper_server *s, const char *text)
{
	size_t len = strlen(text), times = 8192 / len;
	char *block = xcalloc(times * len + 1, 1);

	for (size_t i = 0; i < times; i++)
		memcpy(block + i * len, text, len);
	while (s->sent < FLOOD_MAX && helper_server_send(s, block, times * len))
		;
	if (s->sent > FLOOD_SEEN_MAX)
		helper_server_problem(s, "%zu octets were taken", s->sent);
	free(block);
}

static void
server_drip(struct helper_server *s, const char *text)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	/* The client sends nothing more: readable means gone. */
	for (size_t i = 0; i < 1000 && poll(&p, 1, 20) == 0; i++) {
		if (!helper_server_send(s, &text[i % strlen(text)], 1))
			return;
	}
}

static bool
server_step(struct helper_server *s, const struct helper_server_step *step)
{
	char drain[4096];

	switch (step->op) {
	case REQUEST:
		return server_request(s);
	case NOTIFY:
		(void)SSL_shutdown(s->ssl);
		break;
	case CLOSE:
		break;
	case FILL:
		return server_fill(s, (size_t)strtoul(step->text, NULL, 10));
	case FLOOD:
		server_flood(s, step->text);
		return false;
	case DRIP:
		server_drip(s, step->text);
		return false;
	default:
		return server_tls(s, step->op);
	}
	/* A close with unread data would be a reset. */
	(void)shutdown(s->fd, SHUT_WR);
	while (recv(s->fd, drain, sizeof(drain), 0) > 0)
		;
	return false;
}

static void
server_open(struct server *s, const struct fetch_case *c, const struct helper_server_step *steps,
	const char *host, const char *address, uint16_t *port)
{
	X509 *x = certificate_for(c, host);
	bool refuse = steps == c->steps && c->refuse;

	s->c = c;
	s->untouched = steps == c->steps && c->untouched;
	s->host = host;
	s->script = (struct helper_server){
		.steps = steps, .own = server_step, .tls = SSL_CTX_new(TLS_server_method())};
	assert_int_equal(SSL_CTX_use_certificate(s->script.tls, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->script.tls, pki.key), 1);
	SSL_CTX_set_cipher_list(s->script.tls, "DEFAULT:@SECLEVEL=0");
	SSL_CTX_set_alpn_select_cb(s->script.tls, on_alpn, &s->script);
	X509_free(x);
	*port = helper_server_listen(&s->script, address, *port, refuse);
	s->request = xasprintf("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s:%u\r\n"
			       "User-Agent: preload25/" PRELOAD25_VERSION " (probe.example)\r\n"
			       "Accept: */*\r\n\r\n",
		host, *port);
	if (s->untouched)
		(void)fcntl(s->script.listener, F_SETFL, O_NONBLOCK);
	else if (!refuse)
		helper_server_start(&s->script);
}

/* Whether all was as the server wants it. */
static bool
server_close(struct server *s)
{
	const char *problem = s->script.problem;

	if (s->untouched && (accept(s->script.listener, NULL, NULL) >= 0 || errno != EAGAIN))
		helper_server_problem(&s->script, "somebody connected");
	helper_server_stop(&s->script);
	SSL_CTX_free(s->script.tls);
	free(s->request);
	if (problem[0] != '\0')
		print_error("%s: server: %s\n", s->c->name, problem);
	return problem[0] == '\0';
}

/* --- look-ups ------------------------------------------------------------------------ */

struct run {
	const struct fetch_case *c;
	struct server server, other;
	char host[80], domain[64], address[24], other_address[24];
	int look_ups;
	bool called, in_start, bad;
};

static struct event_base *loop;
static struct run *runs;
static size_t left;

struct dns_query {
	struct dns_answer answer;
	struct event *ev;
	dns_answer_cb *cb;
	void *cb_arg;
};

static void
on_look_up(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct dns_query *q = arg;

	q->cb(&q->answer, q->cb_arg);
	event_free(q->ev);
}

static void
answer_with(struct dns_answer *a, const char *text, struct arena *arena)
{
	struct address address;
	const void *octets;
	size_t len;

	assert_int_equal(address_from_text(text, 0, &address), 0);
	len = address_is_ipv6(&address) ? 16 : 4;
	if (address_is_ipv6(&address) != (a->type == DNS_AAAA))
		return;
	octets = len == 16 ? (const void *)&address.u.in6.sin6_addr
			   : (const void *)&address.u.in.sin_addr;
	a->records[a->count].data = arena_memdup(arena, octets, len);
	a->records[a->count++].len = len;
	a->status = DNS_FOUND;
}

/* In place of verifier/dns.c, which the linker leaves out then. */
struct dns_query *
dns_query_start(struct dns_resolver *r UNUSED, const char *name, enum dns_type type,
	struct arena *arena, dns_answer_cb *cb, void *arg)
{
	struct dns_query *q = arena_calloc(arena, 1, sizeof(*q));
	struct run *run = NULL;

	for (size_t i = 0; run == NULL; i++) {
		if (strcmp(runs[i].host, name) == 0)
			run = &runs[i];
	}
	q->answer = (struct dns_answer){.name = name,
		.type = type,
		.status = DNS_NODATA,
		.secure = run->c->bogus ? DNS_BOGUS : DNS_INSECURE,
		.why = "no good",
		.canonical = name,
		.records = arena_calloc(arena, ADDRESSES_MAX, sizeof(struct dns_record))};
	run->look_ups++;
	if (run->c->rebinds && run->look_ups > 2)
		answer_with(&q->answer, "10.0.0.1", arena);
	else if (run->c->addresses[0] == NULL)
		answer_with(&q->answer, run->address, arena);
	else
		for (size_t i = 0; i < ADDRESSES_MAX && run->c->addresses[i] != NULL; i++) {
			const char *text = run->c->addresses[i];

			if (strcmp(text, "-") != 0)
				answer_with(&q->answer,
					strcmp(text, "$") == 0           ? run->address
						: strcmp(text, "%") == 0 ? run->other_address
									 : text,
					arena);
		}
	if (run->c->bogus)
		q->answer.status = DNS_FAILED;
	q->cb = cb;
	q->cb_arg = arg;
	q->ev = event_new(loop, -1, 0, on_look_up, q);
	event_active(q->ev, EV_TIMEOUT, 0);
	return q;
}

void
dns_query_cancel(struct dns_query *q)
{
	if (q != NULL)
		event_free(q->ev);
}

/* --- the client side ----------------------------------------------------------------- */

static struct address_filter *filter;
static X509_STORE *store;

static void
on_policy(const struct policy_fetch_result *result, void *arg)
{
	struct run *r = arg;
	const struct fetch_case *c = r->c;
	size_t len = c->len > 0 ? c->len : c->text != NULL ? strlen(c->text) : 0;
	bool fine = result->fetched == c->fetched &&
		(c->code == NULL ? result->findings.count == 0
				 : finding_list_has(&result->findings, c->code));

	assert_false(r->called);
	assert_false(r->in_start);
	r->called = true;
	if (result->fetched == VERDICT_PASS) {
		fine &= result->len == len &&
			(c->text == NULL || memcmp(result->text, c->text, len) == 0);
	} else {
		fine &= result->text == NULL;
	}
	if (fine && c->fix != NULL)
		fine = strstr(result->findings.items[0].fix, c->fix) != NULL;
	if (!fine) {
		r->bad = true;
		print_error("%s: got %s, %zu octets; want %s, %s, %zu octets\n", c->name,
			verdict_name(result->fetched), result->len, verdict_name(c->fetched),
			c->code == NULL ? "no finding" : c->code, len);
		for (size_t i = 0; i < result->findings.count; i++)
			print_error("    %s: %s: %s\n", result->findings.items[i].code,
				result->findings.items[i].message, result->findings.items[i].fix);
	}
	if (--left == 0)
		event_base_loopbreak(loop);
}

static struct policy_table *table;
static struct mailbox *box;

static struct policy_fetcher *
fetcher_new(uint16_t port, int64_t fetch_s)
{
	struct policy_fetcher_options o = {
		.clock = {.fixed = false},

		.filter = filter,
		.store = store,
		.port = port,
		.client_name = "probe.example",
		.fetch_s = fetch_s,
	};
	struct policy_fetcher *f = NULL;
	struct error err;

	if (policy_table_new(60, &table, &err) < 0 || mailbox_new(loop, &box, &err) < 0)
		fail_msg("%s", err.text);
	o.table = table;
	o.box = box;
	if (policy_fetcher_new(&o, loop, &f, &err) < 0)
		fail_msg("%s", err.text);
	return f;
}

static void
fetcher_free(struct policy_fetcher *f)
{
	policy_table_free(table);
	policy_fetcher_free(f);
	mailbox_free(box);
}

static void
run_prepare(struct run *r, size_t i, const struct fetch_case *c, uint16_t *port)
{
	r->c = c;
	(void)snprintf(r->domain, sizeof(r->domain), "case%zu.example.org", i);
	(void)snprintf(r->host, sizeof(r->host), "mta-sts.%s", r->domain);
	(void)snprintf(r->address, sizeof(r->address), "127.77.%d.%zu", getpid() % 250, i + 1);
	server_open(&r->server, c, c->steps, r->host, r->address, port);
	if (c->other[0].op == END)
		return;
	(void)snprintf(r->other_address, sizeof(r->other_address), "127.77.%d.%zu", getpid() % 250,
		i + 1 + OTHERS);
	server_open(&r->other, c, c->other, r->host, r->other_address, port);
}

static bool
run_close(struct run *r)
{
	bool fine = server_close(&r->server);

	if (r->c->other[0].op != END)
		fine &= server_close(&r->other);
	return fine && !r->bad;
}

/* The cases that come to their end by a time limit, or all others. The limit is for the silent servers
 * alone: the others must have their say in time on a busy machine, too; with few beside them. */
static void
fetch_all(bool by_time)
{
	struct policy_fetcher *f;
	uint16_t port = 0;
	int bad = 0;

	loop = event_base_new();
	runs = xcalloc(ARRAY_LEN(cases), sizeof(*runs));
	left = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].waits != by_time)
			continue;
		left++;
		run_prepare(&runs[i], i, &cases[i], &port);
	}
	assert_true(left > 0);
	f = fetcher_new(port, by_time ? WAIT_S : PATIENCE_S);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (runs[i].c == NULL)
			continue;
		runs[i].in_start = true;
		(void)policy_fetch_start(f, runs[i].domain, on_policy, &runs[i]);
		runs[i].in_start = false;
	}
	assert_int_equal(event_base_dispatch(loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run *r = &runs[i];

		if (r->c == NULL)
			continue;
		assert_true(r->called);
		if (r->look_ups != 2) { /* A and AAAA: libcurl asks nobody */
			print_error("%s: %d look-ups\n", r->c->name, r->look_ups);
			r->bad = true;
		}
	}
	fetcher_free(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		bad += runs[i].c != NULL && !run_close(&runs[i]);
	event_base_free(loop);
	free(runs);
	assert_int_equal(bad, 0);
}

static void
sinning_servers(void **state UNUSED)
{
	fetch_all(false);
}

static void
silent_servers(void **state UNUSED)
{
	fetch_all(true);
}

/* Freed after 0, 1, 2, ... turns of the loop until it ends by itself: no callback, nothing leaks
 * (the sanitizer build sees to that). */
static void
freed_in_flight(void **state UNUSED)
{
	int turns;
	bool finished = false;

	for (turns = 0; turns < 200 && !finished; turns++) {
		struct policy_fetcher *f;
		struct policy_waiter *w;
		uint16_t port = 0;

		loop = event_base_new();
		runs = xcalloc(1, sizeof(*runs));
		left = 1;
		run_prepare(&runs[0], 0, &cases[0], &port);
		f = fetcher_new(port, PATIENCE_S);
		w = policy_fetch_start(f, runs[0].domain, on_policy, &runs[0]);
		for (int i = 0; i < turns && !runs[0].called; i++)
			(void)event_base_loop(loop, EVLOOP_ONCE);
		finished = runs[0].called;
		if (!finished)
			policy_fetch_cancel(w);
		fetcher_free(f);
		(void)event_base_loop(loop, EVLOOP_NONBLOCK);
		assert_int_equal(finished, runs[0].called);
		assert_false(runs[0].bad);
		/* It may not even have connected: somebody else lets the server go on then. */
		if (!finished) {
			struct address a;
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

			assert_int_equal(address_from_text(runs[0].address, port, &a), 0);
			assert_int_equal(connect(fd, &a.u.sa, address_len(&a)), 0);
			(void)close(fd);
		}
		(void)server_close(&runs[0].server);
		event_base_free(loop);
		free(runs);
	}
	assert_true(finished);
	assert_true(turns > 2);
}

/* Two domains with one answer each; the second asker of a domain shares the first one's fetch. */
static void
shared(void **state UNUSED)
{
	struct policy_fetcher *f;
	struct run second;
	uint16_t port = 0;

	loop = event_base_new();
	runs = xcalloc(1, sizeof(*runs));
	left = 2;
	run_prepare(&runs[0], 0, &cases[0], &port);
	f = fetcher_new(port, PATIENCE_S);
	second = (struct run){.c = &cases[0]};
	(void)policy_fetch_start(f, runs[0].domain, on_policy, &runs[0]);
	(void)policy_fetch_start(f, runs[0].domain, on_policy, &second);
	assert_int_equal(event_base_dispatch(loop), 0);
	assert_true(runs[0].called && second.called);
	assert_false(runs[0].bad || second.bad);
	assert_int_equal(policy_fetch_count(table), 1);
	assert_int_equal(runs[0].look_ups, 2);
	fetcher_free(f);
	assert_true(server_close(&runs[0].server));
	event_base_free(loop);
	free(runs);
}

/* The system's store is that of the system, whatever SSL_CERT_FILE says. */
static void
system_store(void **state UNUSED)
{
	struct arena *arena = arena_new();
	X509 *x = certificate(
		"mta-sts.example.org", "DNS:mta-sts.example.org", pki.unknown_ca, false);
	X509_STORE *system = NULL;
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct pkix_result result;
	struct error err;
	struct clock now = {.fixed = false};

	if (pkix_store_load(NULL, &system, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(sk_X509_push(chain, x) > 0);
	pkix_judge(system, chain, "mta-sts.example.org", clock_now(&now), arena, &result);
	assert_int_equal(result.verdict, VERDICT_FAIL);
	sk_X509_pop_free(chain, X509_free);
	X509_STORE_free(system);
	arena_free(arena);
}

/* --- the environment ----------------------------------------------------------------- */

static char home[] = "/tmp/preload25-test-home-XXXXXX";

static void
home_file(const char *name, const char *variable, const char *text)
{
	char *path = xasprintf("%s/%s", home, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	if (variable != NULL)
		assert_int_equal(setenv(variable, path, 1), 0);
	free(path);
}

static int
set_up(void **state UNUSED)
{
	static const char *const proxies[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	static const char *const allow[] = {"127.77.0.0/16"};
	struct error err;
	BIO *pem;
	char *text;

	if (mkdtemp(home) == NULL)
		return -1;
	pki.key = EVP_EC_gen("P-256");
	pki.ca = certificate("Test CA", NULL, NULL, false);
	pki.unknown_ca = certificate("Unknown CA", NULL, NULL, false);
	pem = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(pem, pki.unknown_ca), 1);
	assert_int_equal(BIO_write(pem, "", 1), 1);
	(void)BIO_get_mem_data(pem, &text);
	home_file("unknown.pem", "SSL_CERT_FILE", text);
	BIO_free(pem);
	for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
		assert_int_equal(setenv(proxies[i], "http://127.0.0.1:1", 1), 0);
	assert_int_equal(unsetenv("no_proxy"), 0);
	assert_int_equal(setenv("HOME", home, 1), 0);
	assert_int_equal(setenv("CURL_HOME", home, 1), 0);
	home_file(".netrc", "NETRC", "default login alice password secret\n");
	home_file(".curlrc", NULL, "header = \"X-Curlrc: 1\"\nproxy = 127.0.0.1:1\n");
	home_file("keys.log", "SSLKEYLOGFILE", "");
	store = X509_STORE_new();
	assert_int_equal(X509_STORE_add_cert(store, pki.ca), 1);
	if (address_filter_new(allow, 1, &filter, &err) < 0)
		return -1;
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	static const char *const files[] = {"unknown.pem", ".netrc", ".curlrc", "keys.log"};
	struct stat st;
	int rc = stat(getenv("SSLKEYLOGFILE"), &st);

	if (rc == 0 && st.st_size > 0) {
		print_error("session keys were written to SSLKEYLOGFILE\n");
		rc = -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = xasprintf("%s/%s", home, files[i]);

		(void)unlink(path);
		free(path);
	}
	(void)rmdir(home);
	address_filter_free(filter);
	X509_STORE_free(store);
	X509_free(pki.ca);
	X509_free(pki.unknown_ca);
	EVP_PKEY_free(pki.key);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sinning_servers),
		cmocka_unit_test(silent_servers),
		cmocka_unit_test(freed_in_flight),
		cmocka_unit_test(shared),
		cmocka_unit_test(system_store),
	};

	return cmocka_run_group_tests_name("policy_fetch", tests, set_up, tear_down);
}

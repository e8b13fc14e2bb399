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

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "tests/unit/helper_server.h"
#include "verifier/address.h"
#include "verifier/smtp_further.h"
#include "verifier/smtp_probe.h"

#define STEPS_MAX 16
#define GREETING  "220 mx.example.org ESMTP\r\n"
#define EHLO_OK   "250-mx.example.org\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
/* How long is waited for what never comes, and for what comes sooner or later. */
#define WAIT_S     3
#define PATIENCE_S 120
#define UP_TO_TLS \
	{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK}, {EXPECT, "STARTTLS"}, \
	{ \
		SEND, "220 go ahead\r\n" \
	}
#define X16  "xxxxxxxxxxxxxxxx"
#define X64  X16 X16 X16 X16
#define X256 X64 X64 X64 X64
#define GOODBYE \
	{EXPECT, "QUIT"}, {SEND, "221 bye\r\n"}, \
	{ \
		WAIT_EOF, NULL \
	}

enum op {
	SEND = HELPER_SERVER_SEND,
	RESET = HELPER_SERVER_RESET,
	WAIT_EOF = HELPER_SERVER_WAIT_EOF,
	EXPECT = HELPER_SERVER_OWN, /* a line that is exactly this */
	TLS,                        /* handshake; any failure ends the script */
	TLS_OLD,                    /* offers TLS 1.1 at most */
	TLS_CERT,                   /* demands a client certificate, TLS 1.2 */
	TLS_ASK,                    /* asks for one */
	TLS_CERT13,                 /* demands one, TLS 1.3 */
	TLS_ANY,                    /* TLS 1.0 and newer */
	TLS_NAMED,                  /* unrecognized_name without a server name */
	TLS_NULL,                   /* ciphers without encryption only */
	TLS_DH,                     /* Diffie-Hellman with 1,024 bits */
	TLS_CBC,                    /* forward secrecy, no authenticated encryption */
	TLS_CHAIN,                  /* eleven certificates */
	TLS_HUGE,                   /* certificates of more than 128 KiB */
	CLOSE,
	FLOOD, /* 1 MiB of one reply's lines */
	LONG,  /* 100 lines of 2,000 octets: the longest reply that is one */
	DRIP,  /* an octet every 50 ms, for ever */
};

struct probe_case {
	const char *name;
	bool refuse;  /* nothing listens */
	bool waits;   /* the server keeps silent until a step's time is up */
	bool patient; /* steps have time, the session has not */
	enum smtp_ask ask;
	int tls_version, alert; /* compared where the ask is not the usual one */
	bool injected;
	struct helper_server_step steps[STEPS_MAX];
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
		.reach = SMTP_REACH_GREETING,
		.warning = "tls13"},
	{.name = "a line of more than 512 octets",
		.steps = {{SEND, "220-" X256 X256 "\r\n"}, UP_TO_TLS, {TLS, NULL},
			{EXPECT, "EHLO probe.example"}, {SEND, "250 mx.example.org\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.warning = "smtp-reply-line-long"},
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
		.waits = true,
		.steps = {{WAIT_EOF, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-greeting-timeout"},
	{.name = "half a greeting",
		.waits = true,
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
	{.name = "greeting and 421", /* R4.13 */
		.steps = {{SEND, GREETING "421 too busy\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-greeting-temporary"},
	{.name = "greeting and 421 and more",
		.steps = {{SEND, GREETING "421 too busy\r\n250 STARTTLS\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-data-before-command"},
	{.name = "greeting and 421 cut short",
		.steps = {{SEND, GREETING "421 too"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-data-before-command"},
	{.name = "EHLO reply and 421",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, EHLO_OK "421-bye\r\n421 bye\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-temporary"},
	{.name = "EHLO reply without STARTTLS, and 421",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx.example.org\r\n421 bye\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "ehlo-temporary"},
	{.name = "STARTTLS reply and 421: it could be anybody's",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "220 go\r\n421 bye\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-plaintext-after-reply"},
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
		.waits = true,
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
		.waits = true,
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
	{.name = "greeting of several lines, in pieces",
		.steps = {{SEND, "220-mx.example.org\r\n22"}, {SEND, "0-no bulk\r\n220"},
			{SEND, " please\r"}, {SEND, "\n"}, {EXPECT, "EHLO probe.example"},
			{SEND, EHLO_OK}, {EXPECT, "STARTTLS"}, {SEND, "220 go ahead\r\n"},
			{TLS, NULL}, {EXPECT, "EHLO probe.example"}, {SEND, "250 mx\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.warning = "tls13"},
	{.name = "tarpit in the greeting",
		.patient = true,
		.steps = {{SEND, "220-"}, {DRIP, NULL}},
		.reach = SMTP_REACH_TCP,
		.code = "smtp-timeout"},
	{.name = "tarpit in the reply to EHLO",
		.patient = true,
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, "250-"},
			{DRIP, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-timeout"},
	{.name = "more than the session may have",
		.steps = {{LONG, "220"}, {EXPECT, "EHLO probe.example"}, {LONG, "250"},
			{WAIT_EOF, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-timeout"},
	{.name = "NUL in a reply",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, "250-mx\x01\r\n250 STARTTLS\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-reply-control-char"},
	{.name = "EHLO reply and more",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"},
			{SEND, EHLO_OK "220 already\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-data-before-command"},
	{.name = "STARTTLS 421",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "421 shutting down\r\n"}, GOODBYE},
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-temporary"},
	{.name = "STARTTLS 554",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {SEND, "554 no\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "starttls-rejected"},
	{.name = "lost after STARTTLS",
		.steps = {{SEND, GREETING}, {EXPECT, "EHLO probe.example"}, {SEND, EHLO_OK},
			{EXPECT, "STARTTLS"}, {CLOSE, NULL}},
		.reach = SMTP_REACH_GREETING,
		.code = "smtp-connection-lost"},
	{.name = "client certificate demanded, TLS 1.3",
		.steps = {UP_TO_TLS, {TLS_CERT13, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-client-certificate-required"},
	{.name = "Diffie-Hellman too small",
		.steps = {UP_TO_TLS, {TLS_DH, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-key-weak",
		.warning = "tls13-missing"},
	{.name = "cipher without authenticated encryption",
		.steps = {UP_TO_TLS, {TLS_CBC, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.warning = "tls-cipher-weak"},
	{.name = "too many certificates",
		.steps = {UP_TO_TLS, {TLS_CHAIN, NULL}, GOODBYE},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-chain-too-large"},
	{.name = "too large certificates",
		.steps = {UP_TO_TLS, {TLS_HUGE, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-chain-too-large"},
	{.name = "no cipher in common",
		.steps = {UP_TO_TLS, {TLS_NULL, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-handshake-failed",
		.repeat = true},
	{.name = "asked for broken ciphers",
		.ask = SMTP_ASK_BROKEN_CIPHERS,
		.steps = {UP_TO_TLS, {TLS_NULL, NULL}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.tls_version = 12,
		.alert = -1},
	{.name = "asked for old versions",
		.ask = SMTP_ASK_OLD_VERSIONS,
		.steps = {UP_TO_TLS, {TLS_ANY, NULL}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.tls_version = 11,
		.alert = -1},
	{.name = "asked for old versions, which it refuses",
		.ask = SMTP_ASK_OLD_VERSIONS,
		.steps = {UP_TO_TLS, {TLS_CERT13, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-version-too-old",
		.alert = SSL_AD_PROTOCOL_VERSION},
	{.name = "asked without a name, which it refuses",
		.ask = SMTP_ASK_NO_NAME,
		.steps = {UP_TO_TLS, {TLS_NAMED, NULL}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_FAIL,
		.reach = SMTP_REACH_GREETING,
		.code = "tls-sni-rejected",
		.alert = SSL_AD_UNRECOGNIZED_NAME},
	{.name = "asked with its name",
		.steps = {UP_TO_TLS, {TLS_NAMED, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING},
	{.name = "command injected",
		.ask = SMTP_ASK_INJECTION,
		.steps = {UP_TO_TLS, {EXPECT, "NOOP"}, {TLS, NULL}, {SEND, "250 ok\r\n"}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.tls_version = 13,
		.alert = -1,
		.injected = true},
	{.name = "command thrown away",
		.ask = SMTP_ASK_INJECTION,
		.steps = {UP_TO_TLS, {EXPECT, "NOOP"}, {TLS, NULL}, GOODBYE},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING,
		.tls_version = 13,
		.alert = -1},
	{.name = "QUIT unanswered",
		.waits = true,
		.steps = {UP_TO_TLS, {TLS, NULL}, {EXPECT, "EHLO probe.example"},
			{SEND, "250 mx\r\n"}, {EXPECT, "QUIT"}, {WAIT_EOF, NULL}},
		.starttls = VERDICT_PASS,
		.reach = SMTP_REACH_GREETING},
};

/* --- the server ---------------------------------------------------------------------- */

static bool
server_expect(struct helper_server *s, const char *want)
{
	char line[600];
	size_t n = 0;

	if (want == NULL) /* whatever comes */
		return helper_server_read(s, line, sizeof(line)) > 0;
	while (n < sizeof(line) - 1 && helper_server_read(s, line + n, 1) == 1 && line[n++] != '\n')
		;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, want) == 0)
		return true;
	helper_server_problem(s, "got \"%.80s\", want \"%s\"", line, want);
	return false;
}

/* A second certificate behind the leaf, n times; with_text makes it large. */
static void
lengthen_chain(struct helper_server *s, int n, bool with_text)
{
	X509 *x = X509_dup(SSL_get_certificate(s->ssl));
	EVP_PKEY *key = SSL_get_privatekey(s->ssl);
	struct buf san;

	buf_init(&san, 40000);
	if (with_text) {
		X509_EXTENSION *ext;

		for (int i = 0; i < 800; i++)
			assert_int_equal(
				buf_addf(&san, "%sDNS:host-%d.example.org", i > 0 ? "," : "", i),
				0);
		ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, buf_str(&san));
		(void)X509_add_ext(x, ext, -1);
		X509_EXTENSION_free(ext);
		(void)X509_sign(x, key, EVP_sha256());
	}
	for (int i = 0; i < n; i++)
		(void)SSL_add1_chain_cert(s->ssl, x);
	buf_clear(&san);
	X509_free(x);
}

static int
needs_name(SSL *ssl, int *alert, void *arg UNUSED)
{
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ||
		SSL_get_app_data(ssl) == NULL)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void
server_tls12(struct helper_server *s, const char *ciphers)
{
	SSL_set_security_level(s->ssl, 0);
	(void)SSL_set_max_proto_version(s->ssl, TLS1_2_VERSION);
	(void)SSL_set_cipher_list(s->ssl, ciphers);
}

static bool
server_tls(struct helper_server *s, int op)
{
	s->ssl = SSL_new(s->tls);
	if (op == TLS_ANY) {
		SSL_set_security_level(s->ssl, 0);
		(void)SSL_set_min_proto_version(s->ssl, TLS1_VERSION);
	} else if (op == TLS_NULL) {
		server_tls12(s, "eNULL:@SECLEVEL=0");
	} else if (op == TLS_DH) {
		server_tls12(s, "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0");
		SSL_set_dh_auto(s->ssl, 2); /* 1,024 bits whatever the certificate */
	} else if (op == TLS_CBC) {
		server_tls12(s, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0");
	} else if (op == TLS_NAMED) {
		SSL_set_app_data(s->ssl, s);
	} else if (op == TLS_CHAIN) {
		lengthen_chain(s, 10, false);
	} else if (op == TLS_HUGE) {
		lengthen_chain(s, 9, true);
	} else if (op == TLS_CERT13) {
		(void)SSL_set_min_proto_version(s->ssl, TLS1_3_VERSION);
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	} else if (op == TLS_OLD) {
		SSL_set_security_level(s->ssl, 0);
		(void)SSL_set_min_proto_version(s->ssl, TLS1_VERSION);
		(void)SSL_set_max_proto_version(s->ssl, TLS1_1_VERSION);
	} else if (op == TLS_CERT) {
		(void)SSL_set_max_proto_version(s->ssl, TLS1_2_VERSION);
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	} else if (op == TLS_ASK) {
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
	}
	return helper_server_accept_tls(s);
}

static bool
server_step(struct helper_server *s, const struct helper_server_step *step)
{
	char line[2001];

	switch (step->op) {
	case EXPECT:
		return server_expect(s, step->text);
	case FLOOD:
		for (int i = 0;
			i < 40000 && helper_server_send(s, "250-more and more of it\r\n", 25); i++)
			;
		return true;
	case LONG:
		for (int i = 0; i < 100; i++) {
			memset(line, 'x', sizeof(line));
			memcpy(line, step->text, 3);
			line[3] = i == 99 ? ' ' : '-';
			memcpy(line + 1998, "\r\n", 3);
			if (!helper_server_send(s, line, 2000))
				break;
		}
		return true;
	case DRIP:
		while (helper_server_send(s, "x", 1))
			(void)poll(NULL, 0, 50);
		return false;
	case CLOSE:
		return false;
	default:
		(void)server_tls(s, step->op);
		return true;
	}
}

static void
server_identity(SSL_CTX *ctx, EVP_PKEY *key)
{
	X509 *x = helper_certificate("mx.example.org", NULL, key, NULL, key, false);

	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

static SSL_CTX *
server_tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	server_identity(ctx, EVP_RSA_gen(2048));
	server_identity(ctx, EVP_EC_gen("P-256"));
	SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	SSL_CTX_set_tlsext_servername_callback(ctx, needs_name);
	return ctx;
}

/* --- the client side ----------------------------------------------------------------- */

struct run {
	const struct probe_case *c;
	struct helper_server server;
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
	if (c->ask != SMTP_ASK_USUAL &&
		(result->tls_version != c->tls_version || result->alert != c->alert ||
			result->injected != c->injected)) {
		print_error("%s: got version %d, alert %d, injected %d\n", c->name,
			result->tls_version, result->alert, result->injected);
		r->bad = 1;
	}
	if (c->ask == SMTP_ASK_USUAL && c->starttls == VERDICT_PASS &&
		(result->chain == NULL || result->tls_version == 0 || result->cipher == NULL)) {
		print_error("%s: no chain, version or cipher\n", c->name);
		r->bad = 1;
	}
	if (--left == 0)
		event_base_loopbreak(loop);
}

static struct address_filter *
loopback_filter(void)
{
	static const char *const allow[] = {"127.0.0.0/8"};
	static struct address_filter *filter; /* one for all tests */
	struct error err;

	if (filter == NULL)
		assert_int_equal(address_filter_new(allow, ARRAY_LEN(allow), &filter, &err), 0);
	return filter;
}

static struct smtp_prober *
prober_filtered(int64_t step_s, int64_t session_s, const struct address_filter *filter)
{
	struct smtp_prober_options o = {
		.filter = filter,
		.ehlo_name = "probe.example",
		.connect_s = step_s,
		.greeting_s = step_s,
		.reply_s = step_s,
		.session_s = session_s,
	};
	struct smtp_prober *prober = NULL;
	struct error err;

	assert_int_equal(smtp_prober_new(&o, loop, &prober, &err), 0);
	return prober;
}

static struct smtp_prober *
prober_new(int64_t step_s, int64_t session_s)
{
	return prober_filtered(step_s, session_s, loopback_filter());
}

/* The cases that come to their end by a time limit, or all others. The limit is for the silent servers
 * alone: before it come their words, which must arrive in time on a busy machine, too; with few beside them. */
static void
probe_all(bool by_time)
{
	struct run *runs = xcalloc(ARRAY_LEN(cases), sizeof(*runs));
	SSL_CTX *tls = server_tls_new();
	struct smtp_prober *prober, *patient;
	int bad = 0;

	loop = event_base_new();
	prober = by_time ? prober_new(WAIT_S, PATIENCE_S) : prober_new(PATIENCE_S, PATIENCE_S);
	patient = prober_new(PATIENCE_S, WAIT_S);
	left = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run *r = &runs[i];
		struct address a;
		uint16_t port;

		if ((cases[i].waits || cases[i].patient) != by_time)
			continue;
		left++;
		r->c = &cases[i];
		r->server = (struct helper_server){
			.steps = cases[i].steps, .own = server_step, .tls = tls};
		r->arena = arena_new();
		port = helper_server_listen(&r->server, "127.0.0.1", 0, cases[i].refuse);
		if (!cases[i].refuse)
			helper_server_start(&r->server);
		assert_int_equal(address_from_text("127.0.0.1", port, &a), 0);
		r->in_start = true;
		(void)smtp_probe_start(cases[i].patient ? patient : prober, &a, "mx.example.org",
			cases[i].ask, r->arena, cases[i].name, on_probe, r);
		r->in_start = false;
	}
	assert_true(left > 0);
	assert_int_equal(event_base_dispatch(loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run *r = &runs[i];

		if (r->c == NULL)
			continue;
		assert_true(r->called);
		helper_server_stop(&r->server);
		if (r->server.problem[0] != '\0') {
			print_error("%s: server %s\n", cases[i].name, r->server.problem);
			r->bad = 1;
		}
		bad += r->bad;
		arena_free(r->arena);
	}
	assert_int_equal(bad, 0);
	smtp_prober_free(prober);
	smtp_prober_free(patient);
	event_base_free(loop);
	SSL_CTX_free(tls);
	free(runs);
}

static void
sinning_servers(void **state UNUSED)
{
	probe_all(false);
}

static void
silent_servers(void **state UNUSED)
{
	probe_all(true);
}

static void
on_finished(const struct smtp_probe_result *result UNUSED, void *arg)
{
	*(bool *)arg = true;
}

static void
on_forbidden(const struct smtp_probe_result *result, void *arg)
{
	assert_int_equal(result->reach, SMTP_REACH_NONE);
	assert_int_equal(result->starttls, VERDICT_FAIL);
	assert_string_equal(result->code, "mx-special-address");
	*(bool *)arg = true;
}

/* R3.14: whoever asks for it, and although somebody listens, nothing is ever sent there. */
static void
forbidden(void **state UNUSED)
{
	struct address_filter *nothing_allowed = NULL;
	struct arena *arena = arena_new();
	struct smtp_prober *prober;
	struct helper_server server = {0};
	struct pollfd pfd = {.events = POLLIN};
	struct error err;
	struct address a;
	bool called = false;

	loop = event_base_new();
	assert_int_equal(address_filter_new(NULL, 0, &nothing_allowed, &err), 0);
	prober = prober_filtered(5, 50, nothing_allowed);
	assert_int_equal(address_from_text("127.0.0.1",
				 helper_server_listen(&server, "127.0.0.1", 0, false), &a),
		0);
	(void)smtp_probe_start(prober, &a, "mx.example.org", SMTP_ASK_USUAL, arena,
		"mx.example.org[127.0.0.1]", on_forbidden, &called);
	assert_true(event_base_dispatch(loop) >= 0);
	assert_true(called);
	pfd.fd = server.listener;
	assert_int_equal(poll(&pfd, 1, 0), 0);
	helper_server_stop(&server);
	smtp_prober_free(prober);
	address_filter_free(nothing_allowed);
	event_base_free(loop);
	arena_free(arena);
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
		struct helper_server server = {
			.steps = cases[0].steps, .own = server_step, .tls = tls};
		struct arena *arena = arena_new();
		struct smtp_prober *prober;
		struct smtp_probe *p;
		struct address a;
		uint16_t port;

		loop = event_base_new();
		prober = prober_new(PATIENCE_S, PATIENCE_S);
		port = helper_server_listen(&server, "127.0.0.1", 0, false);
		helper_server_start(&server);
		assert_int_equal(address_from_text("127.0.0.1", port, &a), 0);
		p = smtp_probe_start(prober, &a, "mx.example.org", SMTP_ASK_USUAL, arena,
			"cancelled", on_finished, &finished);
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
		helper_server_stop(&server);
		smtp_prober_free(prober);
		event_base_free(loop);
		arena_free(arena);
	}
	assert_true(finished);
	assert_in_range(turns, 6, 99);
	SSL_CTX_free(tls);
}

/* --- further sessions ---------------------------------------------------------------- */

/* What is asked after which usual session, and what the answer makes of it. */
static void
further(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct smtp_further options;
		enum verdict starttls;
		const char *code;
		int alert;
		enum smtp_ask ask; /* the first to be asked */
		struct smtp_probe_result got;
		const char *want; /* a finding afterwards, NULL: none but the first */
		const char *want_code;
	} rows[] = {
		{"a crawl asks a good host nothing more", {false, false}, VERDICT_PASS, NULL, -1,
			SMTP_ASK_USUAL, {0}, NULL, NULL},
		{"old versions", {true, false}, VERDICT_PASS, NULL, -1, SMTP_ASK_OLD_VERSIONS,
			{.tls_version = 11, .alert = -1}, "tls-version-old-enabled", NULL},
		{"old versions refused", {true, false}, VERDICT_PASS, NULL, -1,
			SMTP_ASK_OLD_VERSIONS, {.alert = 70}, NULL, NULL},
		{"too old is named in a crawl too", {false, false}, VERDICT_FAIL,
			"tls-version-too-old", 70, SMTP_ASK_OLD_VERSIONS,
			{.tls_version = 10, .alert = -1}, "tls-version-too-old",
			"tls-version-too-old"},
		{"broken ciphers", {false, false}, VERDICT_FAIL, "tls-handshake-failed",
			SSL_AD_HANDSHAKE_FAILURE, SMTP_ASK_BROKEN_CIPHERS,
			{.tls_version = 12, .alert = -1, .cipher = "NULL-SHA"}, "tls-cipher-broken",
			"tls-cipher-broken"},
		{"no cipher at all", {false, false}, VERDICT_FAIL, "tls-handshake-failed",
			SSL_AD_HANDSHAKE_FAILURE, SMTP_ASK_BROKEN_CIPHERS, {.alert = 40},
			"tls-handshake-failed", "tls-handshake-failed"},
		{"another alert", {false, false}, VERDICT_FAIL, "tls-handshake-failed",
			SSL_AD_INTERNAL_ERROR, SMTP_ASK_USUAL, {0}, NULL, "tls-handshake-failed"},
		{"injection on request only", {false, true}, VERDICT_PASS, NULL, -1,
			SMTP_ASK_INJECTION, {.tls_version = 13, .alert = -1, .injected = true},
			"starttls-command-injection", NULL},
		{"nothing more of a host without STARTTLS", {true, true}, VERDICT_FAIL,
			"starttls-not-offered", -1, SMTP_ASK_USUAL, {0}, NULL,
			"starttls-not-offered"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		struct finding_list findings;
		struct smtp_usual usual = {.starttls = rows[i].starttls,
			.code = rows[i].code,
			.alert = rows[i].alert,
			.subject = "mx.example.org[192.0.2.1]",
			.findings = &findings};
		size_t before;

		finding_list_init(&findings, arena);
		if (rows[i].code != NULL)
			finding_add_usual(&findings, rows[i].code, usual.subject, NULL, "seen");
		before = findings.count;
		if (smtp_further_next(&rows[i].options, &usual, 0) != rows[i].ask)
			fail_msg("%s: asks something else", rows[i].name);
		if (smtp_further_next(&rows[i].options, &usual, ~0U) != SMTP_ASK_USUAL)
			fail_msg("%s: asks for ever", rows[i].name);
		smtp_further_take(rows[i].ask, &rows[i].got, &usual);
		if (rows[i].want == NULL ? findings.count != before
					 : !finding_list_has(&findings, rows[i].want))
			fail_msg("%s: finding %s", rows[i].name, rows[i].want);
		if ((usual.code == NULL) != (rows[i].want_code == NULL) ||
			(usual.code != NULL && strcmp(usual.code, rows[i].want_code) != 0))
			fail_msg("%s: code %s", rows[i].name, usual.code);
		if (findings.count > before + 1)
			fail_msg("%s: %zu findings", rows[i].name, findings.count);
		arena_free(arena);
	}
}

/* R6.5: the name is refused, nothing else. */
static void
name_required(void **state UNUSED)
{
	static const struct {
		struct smtp_probe_result got;
		bool found;
	} rows[] = {
		{{.alert = SSL_AD_UNRECOGNIZED_NAME}, true},
		{{.alert = SSL_AD_HANDSHAKE_FAILURE}, true},
		{{.alert = -1}, false}, /* lost on the way: could not tell */
		{{.alert = -1, .tls_version = 13}, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		struct finding_list findings;
		struct smtp_usual usual = {.starttls = VERDICT_PASS,
			.alert = -1,
			.subject = "mx.example.org[192.0.2.1]",
			.findings = &findings};

		finding_list_init(&findings, arena);
		smtp_further_take(SMTP_ASK_NO_NAME, &rows[i].got, &usual);
		assert_int_equal(finding_list_has(&findings, "tls-sni-required"), rows[i].found);
		arena_free(arena);
	}
}

/* --- the client certificate ---------------------------------------------------------- */

static void
write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (certificate != NULL)
		assert_int_equal(PEM_write_X509(f, certificate), 1);
	if (key != NULL)
		assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
}

static void
client_certificate_files(void **state UNUSED)
{
	SSL_CTX *tls = server_tls_new();
	EVP_PKEY *other = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
	char dir[] = "/tmp/test_smtp_probe.XXXXXX";
	const char *problem[] = {NULL, "not the key of the client certificate",
		"not the key of the client certificate", "no private key", "no certificate",
		"No such file"};
	char *path[5];

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 5; i++)
		path[i] = xasprintf("%s/%d.pem", dir, i);
	write_pem(path[0], NULL, SSL_CTX_get0_certificate(tls));
	write_pem(path[1], SSL_CTX_get0_privatekey(tls), NULL);
	write_pem(path[2], other, NULL);
	write_pem(path[3], rsa, NULL);
	write_pem(path[4], NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(problem); i++) {
		struct smtp_prober_options o = {
			.ehlo_name = "probe.example",
			.client_cert = i == 4 ? path[4]
				: i == 5      ? "/nowhere"
					      : path[0],
			.client_key = i == 1 ? path[2]
				: i == 2     ? path[3]
				: i == 3     ? path[4]
					     : path[1],
		};
		struct smtp_prober *prober = NULL;
		struct error err = {0};
		int rc = smtp_prober_new(&o, NULL, &prober, &err);

		if (problem[i] == NULL) {
			assert_int_equal(rc, 0);
		} else if (rc == 0 || err.kind != ERROR_CONFIG ||
			strstr(err.text, problem[i]) == NULL) {
			fail_msg("file %zu: %s", i, err.text);
		}
		smtp_prober_free(prober);
	}
	for (int i = 0; i < 5; i++) {
		(void)unlink(path[i]);
		free(path[i]);
	}
	(void)rmdir(dir);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(other);
	SSL_CTX_free(tls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sinning_servers),
		cmocka_unit_test(silent_servers),
		cmocka_unit_test(forbidden),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(further),
		cmocka_unit_test(name_required),
		cmocka_unit_test(client_certificate_files),
	};

	return cmocka_run_group_tests_name("smtp_probe", tests, NULL, NULL);
}

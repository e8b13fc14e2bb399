/*
 *	CONNECT -> BANNER -> EHLO -> STARTTLS -> HANDSHAKE -> EHLO2 -> QUIT -> DONE
 *
 *	BANNER, EHLO, STARTTLS, EHLO2 -> QUIT   a reply that settles it, good or bad
 *	any state -> DONE                       time-out, disconnect, failed handshake, reply to
 *QUIT
 *
 * In BANNER, EHLO, STARTTLS, EHLO2 and QUIT `in` holds what has been received since the last reply
 * and `out` what is still to be sent. ssl is set from HANDSHAKE on; nothing said before counts
 *then.
 */
#include "verifier/smtp_probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/smtp_reply.h"
#include "verifier/smtp_tls.h"

#define READ_SIZE 16384

enum probe_state {
	PROBE_CONNECT,
	PROBE_BANNER,
	PROBE_EHLO,
	PROBE_STARTTLS,
	PROBE_HANDSHAKE,
	PROBE_EHLO2,
	PROBE_QUIT,
	PROBE_DONE,
};

static const char *const state_names[] = {
	"CONNECT", "BANNER", "EHLO", "STARTTLS", "HANDSHAKE", "EHLO2", "QUIT", "DONE"};

enum want { WANT_NOTHING, WANT_READ, WANT_WRITE };

struct smtp_prober {
	struct smtp_prober_options options;
	struct event_base *base; /* borrowed */
	struct smtp_tls *tls;    /* owned */
};

struct smtp_probe {
	struct smtp_prober *prober; /* borrowed */
	enum probe_state state;     /* assigned by probe_enter() only */
	struct address address;
	enum smtp_ask ask;
	const char *server_name; /* borrowed from the caller */
	const char *subject;     /* borrowed from the caller */
	struct arena *arena;     /* borrowed from the caller */
	smtp_probe_cb *cb;
	void *cb_arg;
	struct smtp_socket socket;
	int socket_errno; /* why its fd is -1 */
	bool connecting;
	struct event *ev;
	struct timeval step_end, session_end;
	SSL *ssl;
	enum want tls_want; /* what OpenSSL waits for */
	struct buf in, out;
	size_t before_tls;
	bool masked_greeting;
	struct smtp_reply reply;
	struct smtp_probe_result result;
};

int
smtp_prober_new(const struct smtp_prober_options *options, struct event_base *base,
	struct smtp_prober **out, struct error *err)
{
	struct smtp_prober *prober = xcalloc(1, sizeof(*prober));

	*out = NULL;
	prober->options = *options;
	prober->base = base;
	if (smtp_tls_new(options->client_cert, options->client_key, &prober->tls, err) < 0) {
		free(prober);
		return -1;
	}
	*out = prober;
	return 0;
}

void
smtp_prober_free(struct smtp_prober *prober)
{
	if (prober == NULL)
		return;
	smtp_tls_free(prober->tls);
	free(prober);
}

/* --- states -------------------------------------------------------------------------- */

static int64_t
step_limit_s(const struct smtp_probe *p, enum probe_state state)
{
	const struct smtp_prober_options *o = &p->prober->options;

	switch (state) {
	case PROBE_CONNECT:
		return o->connect_s;
	case PROBE_BANNER:
		return o->greeting_s;
	case PROBE_EHLO2:
		if (p->ask != SMTP_ASK_INJECTION)
			return o->reply_s;
		return o->reply_s < SMTP_QUIT_S ? o->reply_s : SMTP_QUIT_S;
	case PROBE_EHLO:
	case PROBE_STARTTLS:
	case PROBE_HANDSHAKE:
		return o->reply_s;
	case PROBE_QUIT:
		return o->reply_s < SMTP_QUIT_S ? o->reply_s : SMTP_QUIT_S;
	case PROBE_DONE:
		break;
	}
	return 0;
}

static void
probe_enter(struct smtp_probe *p, enum probe_state state)
{
	log_debug("%s: smtp: %s -> %s", p->subject, state_names[p->state], state_names[state]);
	p->state = state;
	smtp_reply_init(&p->reply);
	event_base_gettimeofday_cached(p->prober->base, &p->step_end);
	p->step_end.tv_sec += step_limit_s(p, state);
}

static void
send_line(struct smtp_probe *p, const char *verb, const char *argument)
{
	int rc = buf_addf(&p->out, "%s%s%s\r\n", verb, argument == NULL ? "" : " ",
		argument == NULL ? "" : argument);

	assert(rc == 0); /* one short line at a time */
	(void)rc;
}

/* The session has shown what it had to show: say good-bye. */
static enum want
settle(struct smtp_probe *p, enum verdict verdict, const char *code)
{
	p->result.starttls = verdict;
	p->result.code = code;
	probe_enter(p, PROBE_QUIT);
	buf_reset(&p->in);
	send_line(p, "QUIT", NULL);
	return WANT_WRITE;
}

/* The connection is of no more use. */
static enum want
end(struct smtp_probe *p)
{
	probe_enter(p, PROBE_DONE);
	return WANT_NOTHING;
}

static void
add(struct smtp_probe *p, const char *code, enum severity severity, const char *message)
{
	finding_add(&p->result.findings, code, severity, p->subject, NULL, "%s", message);
	if (severity == SEVERITY_TEMP || severity == SEVERITY_FAIL) {
		p->result.code = finding_find(code)->code;
		p->result.starttls = severity == SEVERITY_FAIL ? VERDICT_FAIL : VERDICT_UNKNOWN;
	}
}

static const char *
step_text(const struct smtp_probe *p)
{
	switch (p->state) {
	case PROBE_CONNECT:
		return "before the connection was made";
	case PROBE_BANNER:
		return "before the greeting";
	case PROBE_EHLO:
		return "before the reply to EHLO";
	case PROBE_STARTTLS:
		return "before the reply to STARTTLS";
	case PROBE_HANDSHAKE:
		return "during the TLS handshake";
	case PROBE_EHLO2:
		return "before the reply to EHLO inside TLS";
	case PROBE_QUIT:
	case PROBE_DONE:
		break;
	}
	return "at the end";
}

static enum want
on_timeout(struct smtp_probe *p)
{
	char text[160];
	const char *code = "smtp-timeout";

	bool step = evutil_timercmp(&p->step_end, &p->session_end, <);

	if (p->state == PROBE_QUIT)
		return end(p);
	if (p->ask == SMTP_ASK_INJECTION && p->state == PROBE_EHLO2)
		return settle(p, VERDICT_PASS, NULL);
	if (step) {
		if (p->state == PROBE_CONNECT)
			code = "smtp-connect-timeout";
		else if (p->state == PROBE_BANNER)
			code = "smtp-greeting-timeout";
		else if (p->state == PROBE_HANDSHAKE)
			code = "tls-handshake-timeout";
	}
	(void)snprintf(text, sizeof(text), "time ran out %s (%lld s%s)", step_text(p),
		(long long)(step ? step_limit_s(p, p->state) : p->prober->options.session_s),
		step ? "" : " for the whole session");
	add(p, code, SEVERITY_TEMP, text);
	return end(p);
}

static enum want
on_lost(struct smtp_probe *p, int error)
{
	char text[200];

	if (p->state == PROBE_QUIT)
		return end(p);
	if (p->ask == SMTP_ASK_INJECTION && p->state == PROBE_EHLO2)
		return end(p); /* hung up on: then nothing was carried out */
	(void)snprintf(text, sizeof(text), "connection %s %s%s%s", error == 0 ? "closed" : "lost",
		step_text(p), error == 0 ? "" : ": ", error == 0 ? "" : strerror(error));
	/* R6.11: the alert that says so is lost when the server closes with our EHLO unread. */
	if (p->state == PROBE_EHLO2 && p->result.client_cert_requested && p->in.len == 0) {
		add(p, "tls-client-certificate-required", SEVERITY_FAIL, text);
		p->result.repeat = true;
		return end(p);
	}
	add(p, p->state == PROBE_HANDSHAKE ? "tls-handshake-timeout" : "smtp-connection-lost",
		SEVERITY_TEMP, text);
	return end(p);
}

static enum want
on_connect_error(struct smtp_probe *p, int error)
{
	char text[160];
	const char *code = "smtp-connect-timeout";

	p->result.connect_errno = error;
	if (error == ECONNREFUSED)
		code = "smtp-connect-refused";
	else if (error == ECONNRESET)
		code = "smtp-connection-lost";
	if (error == ECONNRESET)
		p->result.reach = SMTP_REACH_TCP; /* accepted and thrown out before we looked */
	(void)snprintf(text, sizeof(text), "cannot connect: %s", strerror(error));
	add(p, code, SEVERITY_TEMP, text);
	return end(p);
}

/* R3.14. Who looks the address up has asked before; this is about what is really connected to,
 * whatever happened in between. */
static enum want
on_forbidden(struct smtp_probe *p)
{
	const char *special = address_special(&p->address);
	char text[160];

	p->result.connect_errno = EACCES;
	(void)snprintf(text, sizeof(text), "the address is not reachable from the internet (%s)",
		special == NULL ? "special use" : special);
	add(p, "mx-special-address", SEVERITY_FAIL, text);
	return end(p);
}

static enum want
on_connect(struct smtp_probe *p)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (p->socket.fd < 0)
		return on_connect_error(p, p->socket_errno);
	if (!p->connecting) {
		if (!address_filter_permits(p->prober->options.filter, &p->address))
			return on_forbidden(p);
		p->connecting = true;
		if (connect(p->socket.fd, &p->address.u.sa, address_len(&p->address)) == 0)
			return WANT_WRITE;
		if (errno != EINPROGRESS)
			return on_connect_error(p, errno);
		return WANT_WRITE;
	}
	if (getsockopt(p->socket.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0)
		return on_connect_error(p, error);
	p->result.reach = SMTP_REACH_TCP;
	probe_enter(p, PROBE_BANNER);
	return WANT_READ;
}

/* --- TLS ----------------------------------------------------------------------------- */

/* R6.11: an alert that a server sends when it misses our certificate. */
static bool
alert_wants_cert(int alert)
{
	return alert == SSL_AD_CERTIFICATE_REQUIRED || alert == SSL_AD_BAD_CERTIFICATE ||
		alert == SSL_AD_CERTIFICATE_UNKNOWN || alert == SSL_AD_HANDSHAKE_FAILURE ||
		alert == SSL_AD_ACCESS_DENIED || alert == SSL_AD_UNKNOWN_CA;
}

static void
tls_failure(struct smtp_probe *p, unsigned long error)
{
	int alert = smtp_tls_alert(error), reason = ERR_GET_REASON(error);
	char text[240];

	p->result.alert = alert;
	if (alert >= 0) {
		(void)snprintf(text, sizeof(text),
			"the server ends the TLS session with the alert "
			"\"%s\" (%d)",
			SSL_alert_desc_string_long(alert), alert);
	} else {
		const char *why = ERR_reason_error_string(error);

		(void)snprintf(text, sizeof(text), "the TLS session fails: %s",
			why == NULL ? "unknown reason" : why);
	}
	if (p->result.client_cert_requested && alert_wants_cert(alert)) {
		add(p, "tls-client-certificate-required", SEVERITY_FAIL, text);
	} else if (p->state != PROBE_HANDSHAKE) {
		add(p, "ehlo-after-tls-failed", SEVERITY_FAIL, text);
		p->result.repeat = true;
	} else if (alert == SSL_AD_UNRECOGNIZED_NAME) {
		add(p, "tls-sni-rejected", SEVERITY_FAIL, text);
	} else if (alert == SSL_AD_PROTOCOL_VERSION ||
		(alert < 0 &&
			(reason == SSL_R_UNSUPPORTED_PROTOCOL ||
				reason == SSL_R_WRONG_SSL_VERSION ||
				reason == SSL_R_VERSION_TOO_LOW))) {
		add(p, "tls-version-too-old", SEVERITY_FAIL, text);
	} else if (alert < 0 &&
		(reason == SSL_R_DH_KEY_TOO_SMALL || reason == SSL_R_EE_KEY_TOO_SMALL)) {
		/* R6.8: so small that no handshake comes about any more. */
		add(p, "tls-key-weak", SEVERITY_FAIL, text);
	} else if (alert < 0 && reason == SSL_R_EXCESSIVE_MESSAGE_SIZE) {
		add(p, "tls-chain-too-large", SEVERITY_FAIL, text);
	} else {
		add(p, "tls-handshake-failed", SEVERITY_FAIL, text);
		p->result.repeat = true;
	}
}

/* What rc < 1 of a call on p->ssl means: what to wait for, or the end. */
static enum want
tls_problem(struct smtp_probe *p, int rc)
{
	int saved = errno;
	unsigned long error;

	switch (SSL_get_error(p->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return on_lost(p, 0);
	case SSL_ERROR_SYSCALL:
		return on_lost(p, saved == EAGAIN ? 0 : saved);
	default:
		error = ERR_peek_error();
		if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
			ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return on_lost(p, 0);
		if (p->state != PROBE_QUIT)
			tls_failure(p, error);
		return end(p);
	}
}

static void
judge_key_exchange(struct smtp_probe *p)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(p->ssl);
	EVP_PKEY *key = NULL;
	char text[160];

	if (cipher == NULL)
		return;
	p->result.cipher = arena_strdup(p->arena, SSL_CIPHER_get_name(cipher));
	/* R6.7 */
	if (SSL_CIPHER_get_kx_nid(cipher) == NID_kx_rsa || !SSL_CIPHER_is_aead(cipher)) {
		(void)snprintf(text, sizeof(text),
			"negotiated %s, which lacks forward secrecy or authenticated encryption",
			p->result.cipher);
		add(p, "tls-cipher-weak", SEVERITY_WARN, text);
	}
	/* R6.8; the certificate's own key is judged with the chain. */
	if (SSL_get_peer_tmp_key(p->ssl, &key) == 1) {
		int bits = EVP_PKEY_get_bits(key), type = EVP_PKEY_get_base_id(key);
		int least = type == EVP_PKEY_DH ? 2048 : 224;

		if (bits < least) {
			(void)snprintf(text, sizeof(text),
				"key exchange with %d bits, at least %d "
				"are needed",
				bits, least);
			add(p, "tls-key-weak", SEVERITY_FAIL, text);
		}
		EVP_PKEY_free(key);
	}
}

static enum want
on_handshake_done(struct smtp_probe *p)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(p->ssl);
	long staple_len;

	p->result.tls_version = smtp_tls_version(p->ssl);
	/* R5.7: what was said in clear is forgotten. */
	buf_reset(&p->in);
	if (p->ask == SMTP_ASK_INJECTION) {
		probe_enter(p, PROBE_EHLO2);
		return WANT_READ; /* nothing is sent: whatever is answered was not asked inside */
	}
	if (p->ask != SMTP_ASK_USUAL) {
		p->result.cipher = arena_strdup(p->arena, SSL_get_cipher_name(p->ssl));
		return settle(p, VERDICT_PASS, NULL);
	}
	staple_len = SSL_get_tlsext_status_ocsp_resp(p->ssl, &p->result.staple);
	p->result.staple_len = staple_len > 0 ? (size_t)staple_len : 0;
	p->result.chain = chain == NULL ? NULL : X509_chain_up_ref(chain);
	judge_key_exchange(p);
	if (p->result.tls_version < 13)
		add(p, "tls13-missing", SEVERITY_INFO, "TLS 1.2 negotiated, TLS 1.3 not offered");
	else
		add(p, "tls13", SEVERITY_INFO, "TLS 1.3 negotiated");
	if (p->result.client_cert_requested) {
		add(p, "tls-client-certificate-requested", SEVERITY_INFO,
			"the server asks the sender for a certificate");
	}
	if (p->result.chain != NULL && sk_X509_num(p->result.chain) > SMTP_CHAIN_MAX) {
		char text[80];

		(void)snprintf(text, sizeof(text), "%d certificates sent, at most %d are accepted",
			sk_X509_num(p->result.chain), SMTP_CHAIN_MAX);
		add(p, "tls-chain-too-large", SEVERITY_FAIL, text);
		return settle(p, VERDICT_FAIL, "tls-chain-too-large");
	}
	probe_enter(p, PROBE_EHLO2);
	send_line(p, "EHLO", p->prober->options.ehlo_name);
	return WANT_WRITE;
}

static enum want
on_handshake(struct smtp_probe *p)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_connect(p->ssl);
	p->result.client_cert_requested = p->socket.client_cert_requested;
	if (p->socket.received - p->before_tls > SMTP_HANDSHAKE_OCTETS_MAX) {
		add(p, "tls-chain-too-large", SEVERITY_FAIL,
			"more than 128 KiB in the TLS handshake");
		return end(p);
	}
	return rc == 1 ? on_handshake_done(p) : tls_problem(p, rc);
}

static enum want
start_tls(struct smtp_probe *p)
{
	p->ssl = smtp_tls_open(p->prober->tls, &p->socket, p->ask,
		p->ask == SMTP_ASK_NO_NAME ? NULL : p->server_name);
	if (p->ssl == NULL)
		return end(p);
	p->before_tls = p->socket.received;
	probe_enter(p, PROBE_HANDSHAKE);
	return on_handshake(p);
}

/* --- replies ------------------------------------------------------------------------- */

static enum verdict
verdict_of(enum smtp_verdict v)
{
	return v == SMTP_OK ? VERDICT_PASS : v == SMTP_FAIL ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

static void
report(struct smtp_probe *p, const struct smtp_judgement *j, const struct smtp_ehlo *ehlo)
{
	smtp_judgement_report(
		j, &p->reply, p->in.data, p->in.len, ehlo, p->subject, &p->result.findings);
}

/* One octet behind a reply that is still in the kernel counts as well (R4.10, R5.6); a line of them
 * may say that the server goes away (R4.13). */
static void
read_behind_reply(struct smtp_probe *p)
{
	char line[SMTP_LINE_WARN];
	ssize_t n = recv(p->socket.fd, line, sizeof(line), 0);

	if (n > 0 && buf_add(&p->in, line, (size_t)n) == 0)
		p->socket.received += (size_t)n;
}

static enum want
on_banner(struct smtp_probe *p)
{
	struct smtp_judgement j;

	read_behind_reply(p);
	j = smtp_judge_greeting(&p->reply, p->in.data, p->in.len);
	p->result.reach = SMTP_REACH_GREETING;
	report(p, &j, NULL);
	if (j.verdict != SMTP_OK)
		return settle(p, verdict_of(j.verdict), j.code);
	p->masked_greeting = smtp_greeting_is_masked(&p->reply, p->in.data);
	buf_consume(&p->in, p->reply.consumed);
	probe_enter(p, PROBE_EHLO);
	send_line(p, "EHLO", p->prober->options.ehlo_name);
	return WANT_WRITE;
}

static enum want
on_ehlo(struct smtp_probe *p)
{
	struct smtp_ehlo ehlo = {0};
	bool accepted = p->reply.state == SMTP_COMPLETE && p->reply.code == 250;
	struct smtp_judgement j;

	read_behind_reply(p);
	if (accepted)
		smtp_ehlo_parse(&p->reply, p->in.data, NULL, &ehlo);
	j = smtp_judge_ehlo(
		&p->reply, p->in.data, p->in.len, accepted ? &ehlo : NULL, p->masked_greeting);
	report(p, &j, accepted ? &ehlo : NULL);
	if (j.verdict != SMTP_OK)
		return settle(p, verdict_of(j.verdict), j.code);
	buf_consume(&p->in, p->reply.consumed);
	probe_enter(p, PROBE_STARTTLS);
	send_line(p, "STARTTLS", NULL);
	if (p->ask == SMTP_ASK_INJECTION)
		send_line(p, "NOOP", NULL);
	return WANT_WRITE;
}

static enum want
on_starttls(struct smtp_probe *p)
{
	struct smtp_judgement j;

	read_behind_reply(p);
	j = smtp_judge_starttls(&p->reply, p->in.len);
	report(p, &j, NULL);
	if (j.verdict != SMTP_OK)
		return settle(p, verdict_of(j.verdict), j.code);
	buf_reset(&p->in);
	return start_tls(p);
}

static enum want
on_ehlo2(struct smtp_probe *p)
{
	struct smtp_ehlo ehlo = {0};
	struct smtp_judgement j = {SMTP_OK, NULL};
	bool accepted = p->reply.state == SMTP_COMPLETE && p->reply.code == 250;

	if (p->ask == SMTP_ASK_INJECTION) {
		/* A 421 of a server that waits no longer is no answer to the NOOP. */
		p->result.injected = p->reply.state == SMTP_COMPLETE && p->reply.code != 421;
		return settle(p, VERDICT_PASS, NULL);
	}
	if (accepted) {
		smtp_ehlo_parse(&p->reply, p->in.data, NULL, &ehlo);
		report(p, &j, NULL);
		if (ehlo.starttls) {
			add(p, "starttls-offered-after-tls", SEVERITY_WARN,
				"STARTTLS is offered again inside TLS");
		}
		/* A key exchange that is too weak has failed it already. */
		return settle(
			p, p->result.code == NULL ? VERDICT_PASS : VERDICT_FAIL, p->result.code);
	}
	if (p->reply.state == SMTP_COMPLETE && p->reply.code >= 400 && p->reply.code <= 499) {
		j.verdict = SMTP_TEMP;
		j.code = "ehlo-temporary";
	} else {
		j.verdict = SMTP_FAIL;
		j.code = "ehlo-after-tls-failed";
	}
	report(p, &j, NULL);
	return settle(p, verdict_of(j.verdict), j.code);
}

/* --- the machine --------------------------------------------------------------------- */

/* WANT_NOTHING when everything has been sent. */
static enum want
flush(struct smtp_probe *p)
{
	while (p->out.len > 0) {
		ssize_t n;

		if (p->ssl != NULL) {
			int rc;

			ERR_clear_error();
			errno = 0;
			rc = SSL_write(p->ssl, p->out.data, (int)p->out.len);
			if (rc < 1)
				return tls_problem(p, rc);
			n = rc;
		} else {
			n = send(p->socket.fd, p->out.data, p->out.len, MSG_NOSIGNAL);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return WANT_WRITE;
			if (n < 0)
				return on_lost(p, errno);
		}
		buf_consume(&p->out, (size_t)n);
	}
	return WANT_NOTHING;
}

/* Receives once. WANT_NOTHING when something came, or the probe has ended. */
static enum want
receive(struct smtp_probe *p)
{
	char data[READ_SIZE];
	ssize_t n;

	if (p->ssl != NULL) {
		int rc;

		ERR_clear_error();
		errno = 0;
		rc = SSL_read(p->ssl, data, sizeof(data));
		if (rc < 1)
			return tls_problem(p, rc);
		n = rc;
	} else {
		n = recv(p->socket.fd, data, sizeof(data), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return WANT_READ;
		if (n <= 0)
			return on_lost(p, n < 0 ? errno : 0);
		p->socket.received += (size_t)n;
	}
	if (p->socket.received > SMTP_SESSION_OCTETS_MAX || buf_add(&p->in, data, (size_t)n) < 0) {
		if (p->state != PROBE_QUIT)
			add(p, "smtp-timeout", SEVERITY_TEMP, "more than 256 KiB in one session");
		return end(p);
	}
	return WANT_NOTHING;
}

static enum want
on_reply(struct smtp_probe *p)
{
	switch (p->state) {
	case PROBE_BANNER:
		return on_banner(p);
	case PROBE_EHLO:
		return on_ehlo(p);
	case PROBE_STARTTLS:
		return on_starttls(p);
	case PROBE_EHLO2:
		return on_ehlo2(p);
	case PROBE_QUIT:
		if (p->ssl != NULL)
			(void)SSL_shutdown(p->ssl); /* the closing alert, if it still goes out */
		return end(p);
	case PROBE_CONNECT:
	case PROBE_HANDSHAKE:
	case PROBE_DONE:
		break;
	}
	abort();
}

/* The dialogue states: send what is to be sent, receive, judge complete replies. */
static enum want
on_dialogue(struct smtp_probe *p)
{
	enum want want = flush(p);

	if (want != WANT_NOTHING || p->state == PROBE_DONE)
		return want;
	want = receive(p);
	if (want != WANT_NOTHING || p->state == PROBE_DONE)
		return want;
	if (smtp_reply_feed(&p->reply, p->in.data, p->in.len) == SMTP_INCOMPLETE)
		return p->ssl != NULL && SSL_pending(p->ssl) > 0 ? WANT_WRITE : WANT_READ;
	return on_reply(p);
}

/* The whole machine: one event in, what to wait for out. */
static enum want
probe_step(struct smtp_probe *p, short what)
{
	if (what & EV_TIMEOUT)
		return on_timeout(p);
	switch (p->state) {
	case PROBE_CONNECT:
		return on_connect(p);
	case PROBE_HANDSHAKE:
		return on_handshake(p);
	case PROBE_BANNER:
	case PROBE_EHLO:
	case PROBE_STARTTLS:
	case PROBE_EHLO2:
	case PROBE_QUIT:
		return on_dialogue(p);
	case PROBE_DONE:
		break;
	}
	abort();
}

static void
probe_hang_up(struct smtp_probe *p)
{
	if (p->ev != NULL)
		event_free(p->ev);
	p->ev = NULL;
	if (p->socket.fd >= 0)
		(void)close(p->socket.fd);
	p->socket.fd = -1;
}

static void
probe_free(struct smtp_probe *p)
{
	probe_hang_up(p);
	SSL_free(p->ssl);
	sk_X509_pop_free(p->result.chain, X509_free);
	buf_clear(&p->in);
	buf_clear(&p->out);
	free(p);
}

static void probe_arm(struct smtp_probe *p, enum want want);

/* The only entry from the loop, hence the only place that ends a probe. */
static void
probe_on_event(evutil_socket_t fd UNUSED, short what, void *arg)
{
	struct smtp_probe *p = arg;
	enum want want = probe_step(p, what);

	if (want != WANT_NOTHING) {
		probe_arm(p, want);
		return;
	}
	/* Whoever is told may let another thread connect at once: R4.16 counts this connection
	 * until it is closed. */
	probe_hang_up(p);
	p->cb(&p->result, p->cb_arg);
	probe_free(p);
}

static void
probe_arm(struct smtp_probe *p, enum want want)
{
	struct timeval now, wait = {0, 0};
	const struct timeval *limit =
		evutil_timercmp(&p->step_end, &p->session_end, <) ? &p->step_end : &p->session_end;
	short what = want == WANT_READ ? EV_READ : EV_WRITE;

	event_base_gettimeofday_cached(p->prober->base, &now);
	if (evutil_timercmp(limit, &now, >))
		evutil_timersub(limit, &now, &wait);
	(void)event_del(p->ev);
	if (event_assign(p->ev, p->prober->base, p->socket.fd, what, probe_on_event, p) != 0 ||
		event_add(p->ev, &wait) != 0)
		abort(); /* libevent refuses only bad arguments */
}

struct smtp_probe *
smtp_probe_start(struct smtp_prober *prober, const struct address *address, const char *server_name,
	enum smtp_ask ask, struct arena *arena, const char *subject, smtp_probe_cb *cb, void *arg)
{
	struct smtp_probe *p = xcalloc(1, sizeof(*p));

	p->prober = prober;
	p->address = *address;
	p->server_name = server_name;
	p->ask = ask;
	p->result.alert = -1;
	p->subject = subject;
	p->arena = arena;
	p->cb = cb;
	p->cb_arg = arg;
	buf_init(&p->in, SMTP_SESSION_OCTETS_MAX);
	buf_init(&p->out, 1024);
	finding_list_init(&p->result.findings, arena);
	probe_enter(p, PROBE_CONNECT);
	event_base_gettimeofday_cached(prober->base, &p->session_end);
	p->session_end.tv_sec += prober->options.session_s;
	p->socket.fd =
		socket(address->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->socket.fd < 0)
		p->socket_errno = errno; /* told from the loop like everything else */
	p->ev = event_new(prober->base, p->socket.fd, EV_WRITE, probe_on_event, p);
	assert(p->ev != NULL);
	event_active(p->ev, EV_WRITE, 0);
	return p;
}

void
smtp_probe_cancel(struct smtp_probe *p)
{
	if (p != NULL)
		probe_free(p);
}

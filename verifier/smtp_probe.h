/*
 * smtp_probe: one SMTP session with one address of an MX host, up to QUIT behind STARTTLS.
 *
 *	smtp_prober_new(&options, base, &prober, err);
 *	p = smtp_probe_start(prober, &address, "mx.example.org", arena, subject, on_probe, arg);
 *	    on_probe(result, arg): exactly once, from the loop; the probe is gone afterwards
 *	smtp_probe_cancel(p);     instead, before the callback has come
 *
 * No mail is ever offered. The handshake does not judge the certificate: the chain is handed over
 * and judged by pkix and dane_check, each for itself, so that one session serves every domain.
 * Findings are those of sections 4 to 6 of the rule book.
 */
#ifndef VERIFIER_SMTP_PROBE_H
#define VERIFIER_SMTP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/attr.h"
#include "verifier/finding.h"

struct address;
struct arena;
struct error;
struct event_base;
struct smtp_probe;
struct smtp_prober;

/* R4.15: octets received in a session, TLS included. */
#define SMTP_SESSION_OCTETS_MAX (256 * 1024)
/* R6.15 */
#define SMTP_HANDSHAKE_OCTETS_MAX (128 * 1024)
#define SMTP_CHAIN_MAX            10
/* How long a reply to QUIT is waited for: it changes nothing. */
#define SMTP_QUIT_S 5

/* ehlo_name is borrowed until smtp_prober_free(). */
struct smtp_prober_options {
	const char *ehlo_name;
	int64_t connect_s;
	int64_t greeting_s;
	int64_t reply_s;   /* for EHLO, STARTTLS and the handshake */
	int64_t session_s; /* for all of it */
	/* Asked about the address once more right before each connection (R3.14); borrowed. */
	const struct address_filter *filter;
	/* PEM files of a certificate to send when a server asks for one; both or none. */
	const char *client_cert, *client_key;
};

/* ERROR_CONFIG when the client certificate cannot be read or is not the key's. */
int smtp_prober_new(const struct smtp_prober_options *options, struct event_base *base,
	struct smtp_prober **out, struct error *err) MUST_CHECK;
/* No probe may be under way. NULL is allowed. */
void smtp_prober_free(struct smtp_prober *prober);

/* What a session is to find out. All but the usual one end with the handshake, and their findings
 * are only about that: what they mean together with the usual one is smtp_further's. */
enum smtp_ask {
	SMTP_ASK_USUAL,
	SMTP_ASK_OLD_VERSIONS,   /* R6.3: offers TLS 1.0 and 1.1 only */
	SMTP_ASK_NO_NAME,        /* R6.5: sends no server name */
	SMTP_ASK_BROKEN_CIPHERS, /* R6.7: offers only what encrypts or authenticates nothing */
	SMTP_ASK_INJECTION,      /* R5.9: a NOOP in the same segment as STARTTLS */
	SMTP_ASKS
};

/* How far the address let us come, for the question whether it answers at all (R3.13). */
enum smtp_reach {
	SMTP_REACH_NONE,     /* no TCP connection */
	SMTP_REACH_TCP,      /* lost before a complete greeting */
	SMTP_REACH_GREETING, /* a greeting, whatever it said */
};

struct smtp_probe_result {
	enum smtp_reach reach;
	int connect_errno;     /* why not SMTP_REACH_TCP; 0 for a time-out */
	enum verdict starttls; /* pass: handshake done and EHLO answered inside */
	bool repeat;           /* R6.6: counts only when a second session shows the same */
	const char *code;      /* of the finding that ended it; NULL with pass */
	int tls_version;       /* 10, 11, 12, 13; 0 without handshake */
	int alert;             /* that ended the handshake; -1: none */
	bool injected;         /* SMTP_ASK_INJECTION: the NOOP was answered inside TLS */
	const char *cipher;
	bool client_cert_requested;
	STACK_OF(X509) *
		chain; /* leaf first, as sent; lent until the callback returns; may be NULL */
	const unsigned char *staple; /* OCSP response as sent, lent likewise; NULL: none */
	size_t staple_len;
	struct finding_list findings; /* in the arena */
};

typedef void smtp_probe_cb(const struct smtp_probe_result *result, void *arg);

/* server_name is sent as SNI unless the ask is for none; it and subject
 * ("mx.example.org[192.0.2.1]") are borrowed until the callback. An address that the filter does not
 * permit is not connected to: mx-special-address. */
struct smtp_probe *smtp_probe_start(struct smtp_prober *prober, const struct address *address,
	const char *server_name, enum smtp_ask ask, struct arena *arena, const char *subject,
	smtp_probe_cb *cb, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void smtp_probe_cancel(struct smtp_probe *p);

#endif

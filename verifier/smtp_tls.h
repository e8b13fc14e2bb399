/*
 * smtp_tls: OpenSSL as a probe needs it: what is offered for each ask, a client certificate when
 * there is one, a socket without SIGPIPE whose octets are counted, and what an end means.
 *
 *	smtp_tls_new(cert, key, &tls, err);                      one for all probes of a thread
 *	ssl = smtp_tls_open(tls, &socket, ask, "mx.example.org");
 *	rc = SSL_connect(ssl); ...
 *	SSL_free(ssl);
 *
 * The handshake accepts any certificate: it is judged afterwards, from what was sent.
 */
#ifndef VERIFIER_SMTP_TLS_H
#define VERIFIER_SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "common/attr.h"
#include "verifier/smtp_probe.h" /* enum smtp_ask */

struct error;
struct smtp_tls;

/* The caller's, for as long as the SSL that was opened with it. */
struct smtp_socket {
	int fd;
	size_t received;            /* octets, TLS included */
	bool client_cert_requested; /* R6.10: the server asked */
};

/* PEM files, both or none. ERROR_CONFIG names the one that cannot be used. */
int smtp_tls_new(const char *client_cert, const char *client_key, struct smtp_tls **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void smtp_tls_free(struct smtp_tls *tls);

/* NULL when the library cannot do what the ask is about at all. server_name: NULL sends none. */
SSL *smtp_tls_open(struct smtp_tls *tls, struct smtp_socket *socket, enum smtp_ask ask,
	const char *server_name);

/* 10, 11, 12, 13 */
int smtp_tls_version(const SSL *ssl);
/* The alert that an error of OpenSSL's queue is, or -1. */
int smtp_tls_alert(unsigned long error);

#endif

/*
 * helper_server: a server in a thread of its own that takes one connection and follows a script.
 *For tests of clients that are to meet servers which sin.
 *
 *	struct helper_server s = {.steps = steps, .own = on_step, .tls = context};
 *	port = helper_server_listen(&s, "127.0.0.1", 0, true);
 *	helper_server_start(&s);
 *	...
 *	helper_server_stop(&s);         waits for the end of the script
 *	if (s.problem[0] != '\0') ...   what the client should not have done
 *
 * A test adds its own steps from HELPER_SERVER_OWN on and handles them in own().
 */
#ifndef TESTS_HELPER_SERVER_H
#define TESTS_HELPER_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/attr.h"

enum {
	HELPER_SERVER_END, /* of the script; the connection is closed */
	HELPER_SERVER_SEND,
	HELPER_SERVER_RESET,
	HELPER_SERVER_WAIT_EOF, /* until the client is gone, then close */
	HELPER_SERVER_OWN
};

struct helper_server_step {
	int op;
	const char *text;
};

struct helper_server;
/* Runs in the server's thread. Whether the script goes on. */
typedef bool helper_server_own(struct helper_server *s, const struct helper_server_step *step);

/* Plain data, zero but for what is set before the start; the strings and tls are borrowed. */
struct helper_server {
	const struct helper_server_step *steps;
	helper_server_own *own;
	SSL_CTX *tls;
	/* The rest is set by the functions below, and by own() while the script runs. */
	int listener, fd;
	SSL *ssl; /* once there was a handshake: sends and reads go through it */
	size_t sent;
	char problem[300];
	pthread_t thread;
	bool started;
};

/* Listens at an IPv4 address, port 0: any; the port. With `refuse` the port is only kept. */
uint16_t helper_server_listen(
	struct helper_server *s, const char *address, uint16_t port, bool refuse);
void helper_server_start(struct helper_server *s);
/* Joins the thread if it was started, and closes the listener. */
void helper_server_stop(struct helper_server *s);

/* For own(). send: whether all of it went out. */
bool helper_server_send(struct helper_server *s, const char *data, size_t len);
ssize_t helper_server_read(struct helper_server *s, char *data, size_t len);
/* With s->ssl made by SSL_new(); gone again when the handshake fails. */
bool helper_server_accept_tls(struct helper_server *s);
void helper_server_problem(struct helper_server *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A certificate for the key: 30 days from now, or ended yesterday. san: "DNS:...", NULL without
 * one. issuer NULL: itself, as an authority when it has no san; its key is issuer_key. */
X509 *helper_certificate(const char *cn, const char *san, EVP_PKEY *key, X509 *issuer,
	EVP_PKEY *issuer_key, bool expired);

#endif

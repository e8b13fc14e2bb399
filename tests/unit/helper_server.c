#include "tests/unit/helper_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* What a test cannot do without. */
static void
must(bool done, const char *what)
{
	if (!done) {
		fprintf(stderr, "helper_server: %s: %s\n", what, strerror(errno));
		abort();
	}
}

bool
helper_server_send(struct helper_server *s, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = s->ssl != NULL ? SSL_write(s->ssl, data, (int)len)
					   : send(s->fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s->sent += (size_t)n;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

ssize_t
helper_server_read(struct helper_server *s, char *data, size_t len)
{
	return s->ssl != NULL ? SSL_read(s->ssl, data, (int)len) : recv(s->fd, data, len, 0);
}

bool
helper_server_accept_tls(struct helper_server *s)
{
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_accept(s->ssl) == 1)
		return true;
	ERR_clear_error();
	SSL_free(s->ssl);
	s->ssl = NULL;
	return false;
}

void
helper_server_problem(struct helper_server *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(s->problem, sizeof(s->problem), fmt, args);
	va_end(args);
}

static bool
follow(struct helper_server *s, const struct helper_server_step *step)
{
	struct linger reset = {1, 0};
	char drain[4096];

	switch (step->op) {
	case HELPER_SERVER_END:
		return false;
	case HELPER_SERVER_SEND:
		return helper_server_send(s, step->text, strlen(step->text));
	case HELPER_SERVER_RESET:
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case HELPER_SERVER_WAIT_EOF:
		while (recv(s->fd, drain, sizeof(drain), 0) > 0)
			;
		return false;
	default:
		return s->own(s, step);
	}
}

static void *
run(void *arg)
{
	struct helper_server *s = arg;
	const struct helper_server_step *step = s->steps;
	sigset_t pipe;

	/* Here only: the client must do without. */
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	s->fd = accept(s->listener, NULL, NULL);
	while (s->fd >= 0 && follow(s, step))
		step++;
	SSL_free(s->ssl);
	if (s->fd >= 0)
		(void)close(s->fd);
	OPENSSL_thread_stop();
	return NULL;
}

uint16_t
helper_server_listen(struct helper_server *s, const char *address, uint16_t port, bool refuse)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(sin);
	int on = 1, small = 65536;

	must(inet_pton(AF_INET, address, &sin.sin_addr) == 1, address);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* So that a flood does not vanish in the kernel. */
	(void)setsockopt(s->listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	must(bind(s->listener, (struct sockaddr *)&sin, len) == 0, "bind");
	must(refuse || listen(s->listener, 5) == 0, "listen");
	must(getsockname(s->listener, (struct sockaddr *)&sin, &len) == 0, "getsockname");
	return ntohs(sin.sin_port);
}

void
helper_server_start(struct helper_server *s)
{
	must(pthread_create(&s->thread, NULL, run, s) == 0, "pthread_create");
	s->started = true;
}

void
helper_server_stop(struct helper_server *s)
{
	if (s->started)
		must(pthread_join(s->thread, NULL) == 0, "pthread_join");
	s->started = false;
	(void)close(s->listener);
}

static void
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(e != NULL && X509_add_ext(x, e, -1) == 1, value);
	X509_EXTENSION_free(e);
}

X509 *
helper_certificate(const char *cn, const char *san, EVP_PKEY *key, X509 *issuer,
	EVP_PKEY *issuer_key, bool expired)
{
	X509 *x = X509_new();

	must(x != NULL && key != NULL && X509_set_version(x, X509_VERSION_3) == 1, "certificate");
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -30 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), expired ? -86400 : 30 * 86400);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x : issuer));
	X509_set_pubkey(x, key);
	if (san != NULL)
		extend(x, NID_subject_alt_name, san);
	else if (issuer == NULL)
		extend(x, NID_basic_constraints, "critical,CA:TRUE");
	must(X509_sign(x, issuer_key, EVP_sha256()) > 0, "signature");
	return x;
}

/*
 * bench_smtp: what a look at a mail host costs at the least: a plain loop, one host after the
 *other, that connects, says EHLO and STARTTLS, shakes hands, verifies the chain and the name, and
 *says QUIT. Nothing else: no look-up, no EHLO inside TLS, no judgement, no report.
 *
 *	bench_smtp PORT CA_FILE <HOSTS        lines "ADDRESS NAME"
 *
 * One line: hosts, CPU seconds, milliseconds of CPU per host, and OpenSSL's version.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/error.h"
#include "common/str.h"
#include "verifier/address.h"

#define REPLY_MAX 4096

static SSL_CTX *
context(const char *ca_file)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL || SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1)
		return NULL;
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return tls;
}

/* Reads up to the last line of a reply, and says whether it begins with this digit. */
static bool
reply(int fd, SSL *ssl, char want)
{
	char text[REPLY_MAX];
	size_t len = 0, line = 0;

	for (;;) {
		ssize_t n = ssl != NULL ? SSL_read(ssl, text + len, (int)(sizeof(text) - len))
					: recv(fd, text + len, sizeof(text) - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		for (size_t i = line; i < len; i++) {
			if (text[i] != '\n')
				continue;
			if (i - line >= 4 && text[line + 3] == ' ')
				return text[line] == want;
			line = i + 1;
		}
		if (len == sizeof(text))
			return false;
	}
}

static bool
say(int fd, const char *text, char want)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text) &&
		reply(fd, NULL, want);
}

static bool
look(SSL_CTX *tls, const struct address *to, const char *name)
{
	int fd = socket(to->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(tls);
	bool ok = fd >= 0 && ssl != NULL && connect(fd, &to->u.sa, address_len(to)) == 0 &&
		reply(fd, NULL, '2') && say(fd, "EHLO probe.test\r\n", '2') &&
		say(fd, "STARTTLS\r\n", '2') && SSL_set_tlsext_host_name(ssl, name) == 1 &&
		SSL_set1_host(ssl, name) == 1 && SSL_set_fd(ssl, fd) == 1 &&
		SSL_connect(ssl) == 1 && SSL_version(ssl) == TLS1_3_VERSION &&
		SSL_write(ssl, "QUIT\r\n", 6) == 6 && reply(fd, ssl, '2');

	SSL_free(ssl);
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static double
cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
	char address[64], name[256];
	unsigned int hosts = 0;
	struct address to;
	SSL_CTX *tls;
	uint64_t port;
	double begin, cpu;

	if (argc != 3 || str_parse_u64(argv[1], strlen(argv[1]), UINT16_MAX, &port) < 0) {
		fputs("usage: bench_smtp PORT CA_FILE <HOSTS\n", stderr);
		return 2;
	}
	if ((tls = context(argv[2])) == NULL) {
		fprintf(stderr, "bench_smtp: %s: no certificates\n", argv[2]);
		return 2;
	}
	begin = cpu_s();
	while (scanf("%63s %255s", address, name) == 2) {
		if (address_from_text(address, (uint16_t)port, &to) < 0 || !look(tls, &to, name)) {
			fprintf(stderr, "bench_smtp: %s[%s]: no verified session with TLS 1.3\n",
				name, address);
			ERR_print_errors_fp(stderr);
			return 1;
		}
		hosts++;
	}
	cpu = cpu_s() - begin;
	if (hosts == 0) {
		fputs("bench_smtp: no hosts\n", stderr);
		return 2;
	}
	printf("%u %.3f %.4f %s\n", hosts, cpu, cpu / hosts * 1e3,
		OpenSSL_version(OPENSSL_VERSION_STRING));
	SSL_CTX_free(tls);
	return 0;
}

/*
 * bench_handshake: what one TLS handshake costs with OpenSSL and nothing around it, chain and name
 * verified: less is not to be had by whoever looks at certificates.
 *
 *	bench_handshake ADDRESS PORT CA_FILE NAME
 *
 * One line: milliseconds of CPU per handshake, and OpenSSL's version.
 */
#include <stdint.h>
#include <stdio.h>
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

#define HANDSHAKES 1000

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

static bool
handshake(SSL_CTX *tls, const struct address *to, const char *name)
{
	int fd = socket(to->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(tls);
	bool ok = fd >= 0 && ssl != NULL && connect(fd, &to->u.sa, address_len(to)) == 0 &&
		SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1 &&
		SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1;

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
	struct address to;
	SSL_CTX *tls;
	uint64_t port;
	double begin;

	if (argc != 5 || str_parse_u64(argv[2], strlen(argv[2]), UINT16_MAX, &port) < 0 ||
		address_from_text(argv[1], (uint16_t)port, &to) < 0) {
		fputs("usage: bench_handshake ADDRESS PORT CA_FILE NAME\n", stderr);
		return 2;
	}
	if ((tls = context(argv[3])) == NULL) {
		fprintf(stderr, "bench_handshake: %s: no certificates\n", argv[3]);
		return 2;
	}
	begin = cpu_s();
	for (int i = 0; i < HANDSHAKES; i++) {
		if (!handshake(tls, &to, argv[4])) {
			fprintf(stderr, "bench_handshake: %s: no verified handshake\n", argv[4]);
			ERR_print_errors_fp(stderr);
			return 1;
		}
	}
	printf("%.3f %s\n", (cpu_s() - begin) / HANDSHAKES * 1e3,
		OpenSSL_version(OPENSSL_VERSION_STRING));
	SSL_CTX_free(tls);
	return 0;
}

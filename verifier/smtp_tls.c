#include "verifier/smtp_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "common/error.h"
#include "common/xalloc.h"

struct smtp_tls {
	SSL_CTX *context;
	BIO_METHOD *bio;
};

/* --- the socket as OpenSSL sees it: no SIGPIPE, octets counted --------------------------- */

static int
sock_write(BIO *bio, const char *data, int len)
{
	struct smtp_socket *s = BIO_get_data(bio);
	ssize_t n = send(s->fd, data, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static int
sock_read(BIO *bio, char *data, int len)
{
	struct smtp_socket *s = BIO_get_data(bio);
	ssize_t n = recv(s->fd, data, (size_t)len, 0);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	if (n > 0)
		s->received += (size_t)n;
	return (int)n;
}

static long
sock_ctrl(BIO *bio, int cmd, long number UNUSED, void *pointer UNUSED)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

/* Only called when the server asks. What is configured is sent, else an empty list (R6.10). */
static int
on_client_cert(SSL *ssl, void *arg UNUSED)
{
	struct smtp_socket *s = SSL_get_app_data(ssl);

	s->client_cert_requested = true;
	return 1;
}

static int
client_cert_load(SSL_CTX *tls, const char *cert, const char *key, struct error *err)
{
	const char *why = NULL, *file = NULL;

	if (cert == NULL)
		return 0;
	if (access(cert, R_OK) < 0)
		return error_set_errno(err, ERROR_CONFIG, "client certificate %s", cert);
	if (access(key, R_OK) < 0)
		return error_set_errno(err, ERROR_CONFIG, "client key %s", key);
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1) {
		file = cert;
		why = "no certificate in PEM form";
	} else if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
		/* With a key that is another one's, too. */
		file = key;
		why = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509
			? "not the key of the client certificate"
			: "no private key in PEM form without passphrase";
	} else if (SSL_CTX_check_private_key(tls) != 1) {
		file = key; /* of another kind than the certificate's */
		why = "not the key of the client certificate";
	}
	ERR_clear_error();
	return why == NULL ? 0 : error_set(err, ERROR_CONFIG, "%s: %s", file, why);
}

/* OpenSSL would ask the terminal. */
static int
no_passphrase(char *out UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

static int
accept_any(X509_STORE_CTX *ctx UNUSED, void *arg UNUSED)
{
	return 1; /* judged afterwards, from what was sent */
}

int
smtp_tls_new(
	const char *client_cert, const char *client_key, struct smtp_tls **out, struct error *err)
{
	struct smtp_tls *tls = xcalloc(1, sizeof(*tls));

	*out = NULL;
	tls->context = SSL_CTX_new(TLS_client_method());
	tls->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "smtp probe");
	if (tls->context == NULL || tls->bio == NULL ||
		BIO_meth_set_write(tls->bio, sock_write) != 1 ||
		BIO_meth_set_read(tls->bio, sock_read) != 1 ||
		BIO_meth_set_ctrl(tls->bio, sock_ctrl) != 1 ||
		SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1 ||
		/* Level 1: weak keys are to be seen and named, not to end in an alert. */
		SSL_CTX_set_cipher_list(tls->context, "DEFAULT:@SECLEVEL=1") != 1) {
		smtp_tls_free(tls);
		ERR_clear_error();
		return error_set(err, ERROR_TEMP, "cannot set up TLS");
	}
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(tls->context, accept_any, NULL);
	SSL_CTX_set_cert_cb(tls->context, on_client_cert, NULL);
	/* R6.12: asked for, as senders that care do; nobody is asked about certificates otherwise.
	 */
	SSL_CTX_set_tlsext_status_type(tls->context, TLSEXT_STATUSTYPE_ocsp);
	SSL_CTX_set_default_passwd_cb(tls->context, no_passphrase);
	if (client_cert_load(tls->context, client_cert, client_key, err) < 0) {
		smtp_tls_free(tls);
		return -1;
	}
	/* R6.13: nothing of one host is carried to another. */
	SSL_CTX_set_options(tls->context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(tls->context, SMTP_HANDSHAKE_OCTETS_MAX);
	/* Thousands of sessions may wait for a server at once: no buffers meanwhile. */
	SSL_CTX_set_mode(tls->context,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	*out = tls;
	return 0;
}

void
smtp_tls_free(struct smtp_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	BIO_meth_free(tls->bio);
	free(tls);
}

/* What the ask is about. Returns whether the library can do it at all. */
static bool
set_ask(SSL *ssl, enum smtp_ask ask)
{
	switch (ask) {
	case SMTP_ASK_OLD_VERSIONS:
		return SSL_set_min_proto_version(ssl, TLS1_VERSION) == 1 &&
			SSL_set_max_proto_version(ssl, TLS1_1_VERSION) == 1 &&
			SSL_set_cipher_list(ssl, "DEFAULT:@SECLEVEL=0") == 1;
	case SMTP_ASK_BROKEN_CIPHERS:
		/* No certificate is judged in this session, so that anonymous ones may be offered;
		 * TLS 1.3 has no such ciphers. */
		return SSL_set_max_proto_version(ssl, TLS1_2_VERSION) == 1 &&
			SSL_set_cipher_list(ssl, "eNULL:aNULL:EXPORT:LOW:RC4:3DES:@SECLEVEL=0") ==
			1;
	case SMTP_ASK_USUAL:
	case SMTP_ASK_NO_NAME:
	case SMTP_ASK_INJECTION:
	case SMTP_ASKS:
		break;
	}
	return true;
}

SSL *
smtp_tls_open(struct smtp_tls *tls, struct smtp_socket *socket, enum smtp_ask ask,
	const char *server_name)
{
	BIO *bio = BIO_new(tls->bio);
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL || bio == NULL)
		abort(); /* out of memory */
	BIO_set_data(bio, socket);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, socket);
	if (!set_ask(ssl, ask)) {
		ERR_clear_error();
		SSL_free(ssl);
		return NULL;
	}
	/* A name that TLS does not take (over 255 octets) is not sent. */
	if (server_name != NULL && SSL_set_tlsext_host_name(ssl, server_name) != 1)
		ERR_clear_error();
	return ssl;
}

int
smtp_tls_version(const SSL *ssl)
{
	switch (SSL_version(ssl)) {
	case TLS1_3_VERSION:
		return 13;
	case TLS1_1_VERSION:
		return 11;
	case TLS1_VERSION:
		return 10;
	default:
		return 12;
	}
}

int
smtp_tls_alert(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET ||
		reason > SSL_AD_REASON_OFFSET + 255)
		return -1;
	return reason - SSL_AD_REASON_OFFSET;
}

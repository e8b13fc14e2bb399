#include "export/tuf_signer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/key_file.h"
#include "export/passphrase.h"
#include "export/pkcs11.h"
#include "export/tuf_key.h"

#define RSA_BITS 3072

struct tuf_signer {
	EVP_PKEY *pkey;
	struct tuf_key *key;
};

/* Sets the error from OpenSSL's queue and empties it. */
static int
openssl_error(struct error *err, enum error_kind kind, const char *subject, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return error_set(err, kind, "%s: %s%s%s", subject, what, reason != NULL ? ": " : "",
		reason != NULL ? reason : "");
}

/* Takes pkey over, in any case. */
static int
signer_new(EVP_PKEY *pkey, const char *name, struct tuf_signer **out, struct error *err)
{
	struct tuf_signer *s = xcalloc(1, sizeof(*s));

	s->pkey = pkey;
	if (tuf_key_of_pkey(pkey, name, &s->key, err) < 0) {
		tuf_signer_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

const char *
tuf_signer_path(const char *uri)
{
	if (str_starts(uri, "file://"))
		return uri + strlen("file://");
	if (str_starts(uri, "file:"))
		return uri + strlen("file:");
	return strchr(uri, ':') == NULL || uri[0] == '/' || uri[0] == '.' ? uri : NULL;
}

/* The private key in a file that fd reads, or at the URI. */
static int
load_from_store(const char *uri, int fd, struct passphrase *pass, EVP_PKEY **out, struct error *err)
{
	struct passphrase_asked asked = {.from = pass, .subject = uri, .what = "a pass phrase"};
	UI_METHOD *method = UI_create_method("pass phrase");
	OSSL_STORE_CTX *store;
	BIO *bio = NULL;
	int rc = -1;

	if (method == NULL || UI_method_set_reader(method, passphrase_on_prompt) != 0)
		abort();
	if (fd >= 0) {
		bio = BIO_new_fd(fd, BIO_NOCLOSE);
		if (bio == NULL)
			abort();
		store = OSSL_STORE_attach(
			bio, "file", NULL, NULL, method, &asked, NULL, NULL, NULL);
	} else {
		store = OSSL_STORE_open(uri, method, &asked, NULL, NULL);
	}
	if (store == NULL) {
		openssl_error(err, ERROR_CONFIG, uri, "cannot open the private key");
		goto out;
	}
	(void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	while (*out == NULL && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL && OSSL_STORE_error(store))
			break;
		if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			*out = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	if (*out != NULL)
		rc = 0;
	else if (asked.err.kind != ERROR_NONE)
		*err = asked.err;
	else
		openssl_error(err, ERROR_CONFIG, uri, "no private key in it");
out:
	(void)OSSL_STORE_close(store);
	BIO_free(bio);
	UI_destroy_method(method);
	ERR_clear_error();
	return rc;
}

int
tuf_signer_load(
	const char *uri, struct passphrase *pass, struct tuf_signer **out, struct error *err)
{
	const char *path = tuf_signer_path(uri);
	EVP_PKEY *pkey = NULL;
	int fd = -1, rc;

	*out = NULL;
	if (pkcs11_is_uri(uri)) {
		rc = pkcs11_load(uri, pass, &pkey, err);
	} else {
		if (path != NULL && key_file_open(path, "private key", &fd, err) < 0)
			return -1;
		rc = load_from_store(uri, fd, pass, &pkey, err);
	}
	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? -1 : signer_new(pkey, uri, out, err);
}

static int
write_all(int fd, const char *pem, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, pem, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		pem += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

/* Not by file_writer: its buffer would keep the private key. The file gets its name once it is whole,
 * and takes it from no other: a run that is killed leaves no half key in the way of the next. */
static int
write_key(const char *path, const char *pem, size_t len, struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	char *temporary = xasprintf("%.*s.%s.tmp-XXXXXX", (int)dir, path, path + dir);
	int fd, rc = -1;

	file_remove_stale(path);
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s: cannot make the private key", path);
		goto out;
	}
	if (write_all(fd, pem, len) < 0)
		error_set_errno(err, ERROR_TEMP, "%s: cannot write", path);
	else if (link(temporary, path) < 0)
		error_set_errno(err, errno == EEXIST ? ERROR_CONFIG : ERROR_TEMP,
			"%s: cannot make the private key", path);
	else
		rc = 0;
	(void)close(fd);
	(void)unlink(temporary);
	if (rc == 0)
		rc = file_sync_parent(path, err);
out:
	free(temporary);
	return rc;
}

static int
make_pkey(const char *type, EVP_PKEY **out, struct error *err)
{
	if (strcmp(type, "ed25519") == 0)
		*out = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (strcmp(type, "ecdsa") == 0)
		*out = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	else if (strcmp(type, "rsa") == 0)
		*out = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
	else
		return error_set(
			err, ERROR_CONFIG, "\"%s\" is no type of key: ed25519, ecdsa or rsa", type);
	if (*out == NULL)
		abort();
	return 0;
}

int
tuf_signer_generate(const char *path, const char *type, struct passphrase *pass,
	struct tuf_signer **out, struct error *err)
{
	const char *secret = NULL;
	EVP_PKEY *pkey = NULL;
	BIO *bio;
	char *pem;
	long len;
	int rc;

	*out = NULL;
	if (pass != NULL && passphrase_get_new(pass, path, &secret, err) < 0)
		return -1;
	if (make_pkey(type, &pkey, err) < 0)
		return -1;
	bio = BIO_new(BIO_s_secmem());
	if (bio == NULL ||
		PEM_write_bio_PKCS8PrivateKey(bio, pkey, secret != NULL ? EVP_aes_256_cbc() : NULL,
			secret, secret != NULL ? (int)strlen(secret) : 0, NULL, NULL) != 1)
		abort();
	len = BIO_get_mem_data(bio, &pem);
	rc = write_key(path, pem, (size_t)len, err);
	BIO_free(bio); /* wipes it */
	if (rc < 0) {
		EVP_PKEY_free(pkey);
		return -1;
	}
	return signer_new(pkey, path, out, err);
}

void
tuf_signer_free(struct tuf_signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->pkey); /* OpenSSL clears private keys before it frees them */
	tuf_key_free(s->key);
	free(s);
}

const struct tuf_key *
tuf_signer_key(const struct tuf_signer *s)
{
	return s->key;
}

int
tuf_signer_sign(
	const struct tuf_signer *s, const void *data, size_t len, char **sig_hex, struct error *err)
{
	return tuf_key_sign(s->key, s->pkey, data, len, sig_hex, err);
}

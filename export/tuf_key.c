#include "export/tuf_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/key_file.h"

#define ED25519_KEY_SIZE 32
#define ED25519_SIG_SIZE 64
#define RSA_BITS_MIN     2048

struct tuf_key {
	json_t *json; /* owned */
	char id[TUF_KEYID_SIZE];
	EVP_PKEY *pkey; /* owned; NULL: verifies nothing */
	const struct scheme *scheme;
};

struct tuf_signer {
	EVP_PKEY *pkey;
	struct tuf_key *key;
};

/* --- public keys --------------------------------------------------------------------------------
 */

static EVP_PKEY *
ed25519_public(const char *value)
{
	uint8_t raw[ED25519_KEY_SIZE];

	if (str_unhex(value, strlen(value), raw, sizeof(raw)) < 0)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
}

/* Without it OpenSSL asks the terminal, or standard input, how to open what a mirror has sent. */
static int
no_pass_phrase(char *out UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

/* A SubjectPublicKeyInfo in PEM and nothing else. */
static EVP_PKEY *
pem_public(const char *value)
{
	BIO *bio = BIO_new_mem_buf(value, -1);
	EVP_PKEY *pkey;

	if (bio == NULL)
		abort();
	pkey = PEM_read_bio_PUBKEY(bio, NULL, no_pass_phrase, NULL);
	BIO_free(bio);
	return pkey;
}

static EVP_PKEY *
p256_public(const char *value)
{
	EVP_PKEY *pkey = pem_public(value);
	char group[32];

	if (pkey != NULL && EVP_PKEY_is_a(pkey, "EC") &&
		EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
		strcmp(group, SN_X9_62_prime256v1) == 0)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static EVP_PKEY *
rsa_public(const char *value)
{
	EVP_PKEY *pkey = pem_public(value);

	if (pkey != NULL && EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

/* One row per pair of keytype and scheme. "ecdsa-sha2-nistp256" as a keytype stands in roots made
 * by older tools. */
static const struct scheme {
	const char *keytype, *name;
	EVP_PKEY *(*parse)(const char *value);
	bool digest_first; /* SHA-256 outside of the signature algorithm proper */
	bool pss;
} schemes[] = {
	{"ed25519", "ed25519", ed25519_public, false, false},
	{"ecdsa", "ecdsa-sha2-nistp256", p256_public, true, false},
	{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", p256_public, true, false},
	{"rsa", "rsassa-pss-sha256", rsa_public, true, true},
};

static int
set_id(struct tuf_key *k, struct error *err)
{
	struct buf text;
	uint8_t sha256[32];
	int rc = -1;

	buf_init(&text, TUF_KEYVAL_MAX * 2);
	if (json_canonical(k->json, &text, err) < 0)
		goto out;
	if (EVP_Digest(text.data, text.len, sha256, NULL, EVP_sha256(), NULL) != 1)
		abort();
	str_hex(sha256, sizeof(sha256), k->id);
	rc = 0;
out:
	buf_clear(&text);
	return rc;
}

int
tuf_key_from_json(const json_t *object, struct tuf_key **out, struct error *err)
{
	const char *keytype, *scheme, *value;
	json_t *keyval;
	struct tuf_key *k;

	*out = NULL;
	if (!json_is_object(object))
		return error_set(err, ERROR_INPUT, "a key is not an object");
	if (json_get_string(object, "keytype", &keytype, err) < 0 ||
		json_get_string(object, "scheme", &scheme, err) < 0 ||
		json_get_object(object, "keyval", &keyval, err) < 0)
		return error_prefix(err, "key");
	/* Kinds of keys that we do not know may have no such member. */
	value = json_string_value(json_object_get(keyval, "public"));
	if (value != NULL && strlen(value) > TUF_KEYVAL_MAX)
		return error_set(err, ERROR_INPUT, "key: longer than %d octets", TUF_KEYVAL_MAX);
	k = xcalloc(1, sizeof(*k));
	k->json = json_deep_copy(object);
	if (k->json == NULL)
		abort();
	if (set_id(k, err) < 0) {
		tuf_key_free(k);
		return error_prefix(err, "key");
	}
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(keytype, schemes[i].keytype) == 0 &&
			strcmp(scheme, schemes[i].name) == 0)
			k->scheme = &schemes[i];
	if (k->scheme != NULL && value != NULL)
		k->pkey = k->scheme->parse(value);
	ERR_clear_error();
	*out = k;
	return 0;
}

void
tuf_key_free(struct tuf_key *k)
{
	if (k == NULL)
		return;
	json_decref(k->json);
	EVP_PKEY_free(k->pkey);
	free(k);
}

const char *
tuf_key_id(const struct tuf_key *k)
{
	return k->id;
}

const json_t *
tuf_key_json(const struct tuf_key *k)
{
	return k->json;
}

bool
tuf_key_usable(const struct tuf_key *k)
{
	return k->pkey != NULL;
}

bool
tuf_key_same(const struct tuf_key *a, const struct tuf_key *b)
{
	bool same = a->pkey != NULL && b->pkey != NULL && EVP_PKEY_eq(a->pkey, b->pkey) == 1;

	ERR_clear_error();
	return same;
}

bool
tuf_key_verify(const struct tuf_key *k, const void *data, size_t len, const char *sig_hex)
{
	uint8_t sig[TUF_SIG_HEX_MAX / 2];
	size_t digits = strlen(sig_hex);
	EVP_PKEY_CTX *pctx; /* belongs to ctx */
	EVP_MD_CTX *ctx;
	bool good = false;

	if (k->pkey == NULL || digits == 0 || digits % 2 != 0 || digits > TUF_SIG_HEX_MAX ||
		str_unhex(sig_hex, digits, sig, digits / 2) < 0)
		return false;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		abort();
	if (EVP_DigestVerifyInit(
		    ctx, &pctx, k->scheme->digest_first ? EVP_sha256() : NULL, NULL, k->pkey) != 1)
		goto out;
	if (k->scheme->pss &&
		(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1 ||
			EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha256()) != 1))
		goto out;
	good = EVP_DigestVerify(ctx, sig, digits / 2, data, len) == 1;
out:
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* --- private keys -------------------------------------------------------------------------------
 */

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

/* The public half as a key object of TUF. Takes pkey over, in any case. */
static int
signer_new(EVP_PKEY *pkey, const char *name, struct tuf_signer **out, struct error *err)
{
	uint8_t raw[ED25519_KEY_SIZE];
	size_t len = sizeof(raw);
	char hex[2 * sizeof(raw) + 1];
	json_t *object = NULL;
	struct tuf_signer *s = xcalloc(1, sizeof(*s));

	s->pkey = pkey;
	if (!EVP_PKEY_is_a(pkey, "ED25519")) {
		error_set(err, ERROR_CONFIG, "%s: not an Ed25519 key", name);
		goto fail;
	}
	if (EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 || len != sizeof(raw)) {
		openssl_error(err, ERROR_CONFIG, name, "no public key");
		goto fail;
	}
	str_hex(raw, len, hex);
	object = json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ed25519", "scheme", "ed25519",
		"keyval", "public", hex);
	if (object == NULL)
		abort();
	if (tuf_key_from_json(object, &s->key, err) < 0)
		goto fail;
	json_decref(object);
	*out = s;
	return 0;
fail:
	json_decref(object);
	tuf_signer_free(s);
	return -1;
}

/* Whether uri is a file, and if so its path. A scheme has two letters or more. */
static const char *
file_of(const char *uri)
{
	if (str_starts(uri, "file://"))
		return uri + strlen("file://");
	if (str_starts(uri, "file:"))
		return uri + strlen("file:");
	return strchr(uri, ':') == NULL || uri[0] == '/' || uri[0] == '.' ? uri : NULL;
}

int
tuf_signer_load(const char *uri, struct tuf_signer **out, struct error *err)
{
	const char *path = file_of(uri);
	OSSL_STORE_CTX *store = NULL;
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;
	int fd = -1, rc = -1;

	*out = NULL;
	/* UI_null: a key that wants a pass phrase fails instead of asking whoever is at the
	 * terminal. */
	if (path != NULL) {
		if (key_file_open(path, &fd, err) < 0)
			return -1;
		bio = BIO_new_fd(fd, BIO_NOCLOSE);
		if (bio == NULL)
			abort();
		store = OSSL_STORE_attach(
			bio, "file", NULL, NULL, UI_null(), NULL, NULL, NULL, NULL);
	} else {
		store = OSSL_STORE_open(uri, UI_null(), NULL, NULL, NULL);
	}
	if (store == NULL) {
		openssl_error(err, ERROR_CONFIG, uri, "cannot open the private key");
		goto out;
	}
	(void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	while (pkey == NULL && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL && OSSL_STORE_error(store))
			break;
		if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			pkey = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	if (pkey == NULL) {
		openssl_error(err, ERROR_CONFIG, uri, "no private key in it");
		goto out;
	}
	rc = signer_new(pkey, uri, out, err);
out:
	(void)OSSL_STORE_close(store);
	BIO_free(bio);
	if (fd >= 0)
		(void)close(fd);
	ERR_clear_error();
	return rc;
}

/* Not by file_writer: its buffer would keep the private key. */
static int
write_key(const char *path, const char *pem, size_t len, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot make the private key", path);
	while (len > 0) {
		ssize_t n = write(fd, pem, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		pem += n;
		len -= (size_t)n;
	}
	if (fsync(fd) < 0)
		goto fail;
	(void)close(fd);
	return 0;
fail:
	error_set_errno(err, ERROR_TEMP, "%s: cannot write", path);
	(void)close(fd);
	(void)unlink(path);
	return -1;
}

int
tuf_signer_generate(const char *path, struct tuf_signer **out, struct error *err)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long len;
	int rc;

	*out = NULL;
	if (pkey == NULL || bio == NULL ||
		PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
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
	uint8_t sig[ED25519_SIG_SIZE];
	size_t sig_len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = -1;

	*sig_hex = NULL;
	if (ctx == NULL)
		abort();
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->pkey) != 1 ||
		EVP_DigestSign(ctx, sig, &sig_len, data, len) != 1) {
		openssl_error(err, ERROR_TEMP, "signing key", "cannot sign");
		goto out;
	}
	*sig_hex = xcalloc(2 * sig_len + 1, 1);
	str_hex(sig, sig_len, *sig_hex);
	rc = 0;
out:
	EVP_MD_CTX_free(ctx);
	return rc;
}

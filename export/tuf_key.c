#include "export/tuf_key.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"

#define ED25519_KEY_SIZE 32
#define RSA_BITS_MIN     2048

struct tuf_key {
	json_t *json; /* owned */
	char id[TUF_KEYID_SIZE];
	EVP_PKEY *pkey; /* owned; NULL: verifies nothing */
	const struct scheme *scheme;
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

/* The caller frees it. */
static char *
pem_of(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text = NULL;
	long len;

	if (bio == NULL)
		abort();
	if (PEM_write_bio_PUBKEY(bio, pkey) == 1) {
		len = BIO_get_mem_data(bio, &data);
		text = xstrndup(data, (size_t)len);
	}
	BIO_free(bio);
	return text;
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

const char *
tuf_key_type(const struct tuf_key *k)
{
	return json_string_value(json_object_get(k->json, "keytype"));
}

char *
tuf_key_pem(const struct tuf_key *k)
{
	return k->pkey != NULL ? pem_of(k->pkey) : NULL;
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

static bool
set_pss(EVP_PKEY_CTX *pctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha256()) == 1;
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
	if (k->scheme->pss && !set_pss(pctx))
		goto out;
	good = EVP_DigestVerify(ctx, sig, digits / 2, data, len) == 1;
out:
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* --- what signers need --------------------------------------------------------------------------
 */

int
tuf_key_of_pkey(EVP_PKEY *pkey, const char *name, struct tuf_key **out, struct error *err)
{
	uint8_t raw[ED25519_KEY_SIZE];
	size_t len = sizeof(raw);
	char hex[2 * sizeof(raw) + 1];
	const char *keytype = NULL, *scheme = NULL;
	char *text = NULL;
	json_t *object;
	int rc = -1;

	*out = NULL;
	if (EVP_PKEY_is_a(pkey, "ED25519") && EVP_PKEY_get_raw_public_key(pkey, raw, &len) == 1 &&
		len == sizeof(raw)) {
		str_hex(raw, len, hex);
		text = xstrdup(hex);
		keytype = scheme = "ed25519";
	} else if (EVP_PKEY_is_a(pkey, "EC")) {
		text = pem_of(pkey);
		keytype = "ecdsa";
		scheme = "ecdsa-sha2-nistp256";
	} else if (EVP_PKEY_is_a(pkey, "RSA")) {
		text = pem_of(pkey);
		keytype = "rsa";
		scheme = "rsassa-pss-sha256";
	}
	if (text != NULL) {
		object = json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme,
			"keyval", "public", text);
		if (object == NULL)
			abort();
		rc = tuf_key_from_json(object, out, err);
		json_decref(object);
		free(text);
		if (rc < 0)
			return error_prefix(err, "%s", name);
	}
	if (*out == NULL || !tuf_key_usable(*out)) {
		tuf_key_free(*out);
		*out = NULL;
		ERR_clear_error();
		return error_set(err, ERROR_CONFIG,
			"%s: not an Ed25519, ECDSA P-256 or RSA key (of %d bits or more)", name,
			RSA_BITS_MIN);
	}
	return 0;
}

int
tuf_key_from_pem(const char *pem, const char *name, struct tuf_key **out, struct error *err)
{
	EVP_PKEY *pkey = pem_public(pem);
	int rc;

	*out = NULL;
	ERR_clear_error();
	if (pkey == NULL)
		return error_set(err, ERROR_CONFIG, "%s: not a public key in PEM", name);
	rc = tuf_key_of_pkey(pkey, name, out, err);
	EVP_PKEY_free(pkey);
	return rc;
}

int
tuf_key_sign(const struct tuf_key *k, EVP_PKEY *pkey, const void *data, size_t len, char **sig_hex,
	struct error *err)
{
	uint8_t sig[TUF_SIG_HEX_MAX / 2];
	size_t sig_len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx; /* belongs to ctx */
	unsigned long code;
	int rc = -1;

	*sig_hex = NULL;
	if (ctx == NULL)
		abort();
	if (EVP_DigestSignInit(
		    ctx, &pctx, k->scheme->digest_first ? EVP_sha256() : NULL, NULL, pkey) != 1 ||
		(k->scheme->pss && !set_pss(pctx)) ||
		EVP_DigestSign(ctx, sig, &sig_len, data, len) != 1) {
		code = ERR_peek_last_error();
		error_set(err, ERROR_TEMP, "key %.12s cannot sign%s%s", k->id,
			code != 0 ? ": " : "", code != 0 ? ERR_reason_error_string(code) : "");
		goto out;
	}
	*sig_hex = xcalloc(2 * sig_len + 1, 1);
	str_hex(sig, sig_len, *sig_hex);
	/* A token may answer anything. */
	if (!tuf_key_verify(k, data, len, *sig_hex)) {
		free(*sig_hex);
		*sig_hex = NULL;
		error_set(err, ERROR_SECURITY, "key %.12s made a signature that does not verify",
			k->id);
		goto out;
	}
	rc = 0;
out:
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

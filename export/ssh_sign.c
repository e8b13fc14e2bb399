#include "export/ssh_sign.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/key_file.h"

#define KEY_TYPE      "ssh-ed25519"
#define KEY_SIZE      32
#define SIGNATURE_LEN 64
#define HASH          "sha512"
#define HASH_SIZE     64
/* Octets of a key file; ssh-keygen's Ed25519 files have about 400, and a comment may be long. */
#define KEY_FILE_MAX 8192
/* Octets of a signature and of what is signed, namespace included. */
#define BLOB_MAX 1024
/* As ssh-keygen breaks lines. */
#define LINE_LEN 70

#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define OPENSSH_END   "-----END OPENSSH PRIVATE KEY-----"
/* With its NUL. */
#define OPENSSH_MAGIC "openssh-key-v1"

struct ssh_signer {
	EVP_PKEY *pkey;
	uint8_t public_key[KEY_SIZE];
};

/* --- octets of the SSH protocol (RFC 4251, section 5) -------------------------------------------
 */

static void
put_string(struct buf *out, const void *data, size_t len)
{
	const uint8_t be[4] = {
		(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	buf_add(out, be, sizeof(be));
	buf_add(out, data, len);
}

/* What is still to be read. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool
get_u32(struct cursor *c, uint32_t *out)
{
	if (c->left < 4)
		return false;
	*out = (uint32_t)c->at[0] << 24 | (uint32_t)c->at[1] << 16 | (uint32_t)c->at[2] << 8 |
		c->at[3];
	c->at += 4;
	c->left -= 4;
	return true;
}

static bool
get_string(struct cursor *c, struct cursor *out)
{
	uint32_t len;

	if (!get_u32(c, &len) || len > c->left)
		return false;
	*out = (struct cursor){c->at, len};
	c->at += len;
	c->left -= len;
	return true;
}

static bool
is_text(const struct cursor *c, const char *text)
{
	return c->left == strlen(text) && memcmp(c->at, text, c->left) == 0;
}

/* --- private keys -------------------------------------------------------------------------------
 */

/* The list of private keys inside the file: two equal numbers, which show a wrong pass phrase, then
 * type, public half, seed with public half, comment. NULL: it is well formed. */
static const char *
parse_private(struct cursor c, uint8_t seed[static KEY_SIZE])
{
	struct cursor type, public_half, private_half;
	uint32_t check, again;

	if (!get_u32(&c, &check) || !get_u32(&c, &again) || check != again ||
		!get_string(&c, &type))
		return "damaged";
	if (!is_text(&type, KEY_TYPE))
		return "not an Ed25519 key";
	if (!get_string(&c, &public_half) || public_half.left != KEY_SIZE ||
		!get_string(&c, &private_half) || private_half.left != 2 * KEY_SIZE)
		return "damaged";
	memcpy(seed, private_half.at, KEY_SIZE);
	return NULL;
}

/* The whole file, decoded (OpenSSH's PROTOCOL.key). */
static const char *
parse_openssh(const uint8_t *data, size_t len, uint8_t seed[static KEY_SIZE])
{
	struct cursor c = {data, len}, cipher, kdf, options, public_part, private_part;
	uint32_t count;

	if (c.left < sizeof(OPENSSH_MAGIC) ||
		memcmp(c.at, OPENSSH_MAGIC, sizeof(OPENSSH_MAGIC)) != 0)
		return "not a private key";
	c.at += sizeof(OPENSSH_MAGIC);
	c.left -= sizeof(OPENSSH_MAGIC);
	if (!get_string(&c, &cipher) || !get_string(&c, &kdf) || !get_string(&c, &options) ||
		!get_u32(&c, &count) || count != 1 || !get_string(&c, &public_part) ||
		!get_string(&c, &private_part))
		return "damaged";
	if (!is_text(&cipher, "none"))
		return "encrypted with a pass phrase; ssh-keygen -p takes it off";
	return parse_private(private_part, seed);
}

/* The base64 between the two lines; returns its octets, or -1. */
static int
decode_armour(const char *text, size_t len, uint8_t out[static KEY_FILE_MAX])
{
	char line[KEY_FILE_MAX];
	size_t n = 0, padding = 0;
	int rc = -1;

	assert(len < sizeof(line));
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '=')
			padding++;
		if (text[i] != '\n' && text[i] != '\r')
			line[n++] = text[i];
	}
	/* Decoded as zeros. */
	if (padding <= 2)
		rc = EVP_DecodeBlock(out, (const unsigned char *)line, (int)n);
	OPENSSL_cleanse(line, sizeof(line));
	return rc < 0 ? -1 : rc - (int)padding;
}

static EVP_PKEY *
read_openssh(const char *text, const char **why)
{
	const char *begin = text + strlen(OPENSSH_BEGIN), *end = strstr(begin, OPENSSH_END);
	uint8_t data[KEY_FILE_MAX], seed[KEY_SIZE];
	EVP_PKEY *pkey = NULL;
	int len = end != NULL ? decode_armour(begin, (size_t)(end - begin), data) : -1;

	*why = len < 0 ? "damaged" : parse_openssh(data, (size_t)len, seed);
	if (*why == NULL) {
		pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
		if (pkey == NULL)
			abort();
	}
	OPENSSL_cleanse(data, sizeof(data));
	OPENSSL_cleanse(seed, sizeof(seed));
	return pkey;
}

/* OpenSSL would ask at the terminal. */
static int
no_pass_phrase(char *out UNUSED, int size UNUSED, int writing UNUSED, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static EVP_PKEY *
read_pem(const char *text, size_t len, const char **why)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	bool encrypted = false;
	EVP_PKEY *pkey;

	if (bio == NULL)
		abort();
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &encrypted);
	*why = encrypted ? "encrypted with a pass phrase" : "not a private key";
	if (pkey != NULL && !EVP_PKEY_is_a(pkey, "ED25519")) {
		*why = "not an Ed25519 key";
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

/* Into memory that the caller wipes; NUL-terminated. */
static int
read_file(const char *path, char text[static KEY_FILE_MAX], size_t *len, struct error *err)
{
	int fd;

	*len = 0;
	if (key_file_open(path, "private key", &fd, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, text + *len, KEY_FILE_MAX - 1 - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_CONFIG, "%s", path);
			(void)close(fd);
			return -1;
		}
		*len += (size_t)n;
		if (n == 0 || *len == KEY_FILE_MAX - 1)
			break;
	}
	text[*len] = '\0';
	(void)close(fd);
	return 0;
}

int
ssh_signer_load(const char *path, struct ssh_signer **out, struct error *err)
{
	char text[KEY_FILE_MAX];
	size_t len, raw_len = KEY_SIZE;
	struct ssh_signer *s = NULL;
	EVP_PKEY *pkey;
	const char *why;
	int rc = -1;

	*out = NULL;
	if (read_file(path, text, &len, err) < 0)
		goto out;
	pkey = str_starts(text, OPENSSH_BEGIN) ? read_openssh(text, &why)
					       : read_pem(text, len, &why);
	if (pkey == NULL) {
		error_set(err, ERROR_CONFIG, "%s: %s", path, why);
		goto out;
	}
	s = xcalloc(1, sizeof(*s));
	s->pkey = pkey;
	if (EVP_PKEY_get_raw_public_key(pkey, s->public_key, &raw_len) != 1)
		abort();
	*out = s;
	rc = 0;
out:
	OPENSSL_cleanse(text, sizeof(text));
	return rc;
}

void
ssh_signer_free(struct ssh_signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->pkey); /* OpenSSL clears private keys before it frees them */
	free(s);
}

/* --- signatures ---------------------------------------------------------------------------------
 */

/* Type and value, the form in which both halves of the format name the key. */
static void
put_public(const struct ssh_signer *s, struct buf *out)
{
	put_string(out, KEY_TYPE, strlen(KEY_TYPE));
	put_string(out, s->public_key, sizeof(s->public_key));
}

/* The caller frees it. */
static char *
base64(const struct buf *blob)
{
	char *text = xcalloc(blob->len / 3 * 4 + 5, 1);

	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)blob->data, (int)blob->len);
	return text;
}

char *
ssh_signer_public(const struct ssh_signer *s)
{
	struct buf blob;
	char *text, *line;

	buf_init(&blob, BLOB_MAX);
	put_public(s, &blob);
	text = base64(&blob);
	line = xasprintf(KEY_TYPE " %s", text);
	free(text);
	buf_clear(&blob);
	return line;
}

/* The octets that the key signs: the data go in by their digest. */
static void
put_signed_part(struct buf *out, const char *name_space, const void *data, size_t len)
{
	uint8_t digest[HASH_SIZE];
	size_t digest_len = sizeof(digest);

	if (EVP_Q_digest(NULL, HASH, NULL, data, len, digest, &digest_len) != 1)
		abort();
	buf_add_str(out, "SSHSIG");
	put_string(out, name_space, strlen(name_space));
	put_string(out, "", 0); /* reserved */
	put_string(out, HASH, strlen(HASH));
	put_string(out, digest, digest_len);
}

static void
put_signature(const struct ssh_signer *s, const char *name_space,
	const uint8_t raw[static SIGNATURE_LEN], struct buf *out)
{
	static const uint8_t version[4] = {0, 0, 0, 1};
	struct buf part;

	buf_init(&part, BLOB_MAX);
	buf_add_str(out, "SSHSIG");
	buf_add(out, version, sizeof(version));
	put_public(s, &part);
	put_string(out, part.data, part.len);
	put_string(out, name_space, strlen(name_space));
	put_string(out, "", 0); /* reserved */
	put_string(out, HASH, strlen(HASH));
	buf_reset(&part);
	put_string(&part, KEY_TYPE, strlen(KEY_TYPE));
	put_string(&part, raw, SIGNATURE_LEN);
	put_string(out, part.data, part.len);
	buf_clear(&part);
}

static void
put_armour(const struct buf *blob, struct buf *out)
{
	char *text = base64(blob);
	size_t len = strlen(text);

	buf_add_str(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < len; at += LINE_LEN) {
		buf_add(out, text + at, len - at < LINE_LEN ? len - at : LINE_LEN);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, "-----END SSH SIGNATURE-----");
	free(text);
}

int
ssh_sign(const struct ssh_signer *s, const char *name_space, const void *data, size_t len,
	struct buf *out, struct error *err)
{
	uint8_t raw[SIGNATURE_LEN];
	size_t raw_len = sizeof(raw);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf blob;
	int rc = -1;

	if (ctx == NULL)
		abort();
	buf_init(&blob, BLOB_MAX);
	put_signed_part(&blob, name_space, data, len);
	if (buf_failed(&blob)) {
		error_set(err, ERROR_INPUT, "namespace of a signature: too long");
		goto out;
	}
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->pkey) != 1 ||
		EVP_DigestSign(ctx, raw, &raw_len, (const unsigned char *)blob.data, blob.len) !=
			1) {
		ERR_clear_error();
		error_set(err, ERROR_TEMP, "commit: cannot sign");
		goto out;
	}
	buf_reset(&blob);
	put_signature(s, name_space, raw, &blob);
	put_armour(&blob, out);
	rc = buf_failed(out) ? error_set(err, ERROR_INPUT, "signature: too long") : 0;
out:
	buf_clear(&blob);
	EVP_MD_CTX_free(ctx);
	return rc;
}

#include "export/minisign.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

#define NUMBER_SIZE  8
#define PUBLIC_SIZE  32
#define DIGEST_SIZE  64
#define SIG_SIZE     64
#define COMMENT_MAX  1024
#define HASHED_MAGIC "ED"
#define KEY_MAGIC    "Ed"

static int
public_of(const struct tuf_signer *signer, uint8_t out[static PUBLIC_SIZE], struct error *err)
{
	const json_t *key = tuf_key_json(tuf_signer_key(signer));
	const char *type = json_string_value(json_object_get(key, "keytype"));
	const char *hex =
		json_string_value(json_object_get(json_object_get(key, "keyval"), "public"));

	if (type == NULL || strcmp(type, "ed25519") != 0 || hex == NULL ||
		str_unhex(hex, strlen(hex), out, PUBLIC_SIZE) < 0)
		return error_set(err, ERROR_CONFIG, "minisign: wants an Ed25519 key");
	return 0;
}

/* minisign reads and shows it with the octets the other way round. */
static void
number_of(const uint8_t public[static PUBLIC_SIZE], uint8_t out[static NUMBER_SIZE])
{
	uint8_t sha256[32];

	if (EVP_Digest(public, PUBLIC_SIZE, sha256, NULL, EVP_sha256(), NULL) != 1)
		abort();
	memcpy(out, sha256, NUMBER_SIZE);
}

static void
add_base64(struct buf *out, const uint8_t *data, size_t len)
{
	char text[4 * (sizeof(HASHED_MAGIC) + NUMBER_SIZE + SIG_SIZE)];

	assert(4 * ((len + 2) / 3) < sizeof(text));
	(void)EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	(void)buf_addf(out, "%s\n", text);
}

int
minisign_public_key(const struct tuf_signer *signer, struct buf *out, struct error *err)
{
	uint8_t key[2 + NUMBER_SIZE + PUBLIC_SIZE], *number = key + 2,
						    *public = number + NUMBER_SIZE;

	if (public_of(signer, public, err) < 0)
		return -1;
	memcpy(key, KEY_MAGIC, 2);
	number_of(public, number);
	(void)buf_add_str(out, "untrusted comment: minisign public key ");
	for (size_t i = NUMBER_SIZE; i > 0; i--)
		(void)buf_addf(out, "%02X", number[i - 1]);
	(void)buf_add_char(out, '\n');
	add_base64(out, key, sizeof(key));
	return 0;
}

static int
blake2b_of_path(const char *path, uint8_t out[static DIGEST_SIZE], struct error *err)
{
	enum { PIECE = 256 * 1024 };
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	char *piece = xcalloc(1, PIECE);
	ssize_t n = 0;
	int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (digest == NULL || EVP_DigestInit_ex(digest, EVP_blake2b512(), NULL) != 1)
		abort();
	if (fd < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	while ((n = read(fd, piece, PIECE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "%s", path);
			goto out;
		}
		if (EVP_DigestUpdate(digest, piece, (size_t)n) != 1)
			abort();
	}
	if (EVP_DigestFinal_ex(digest, out, NULL) != 1)
		abort();
	rc = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	EVP_MD_CTX_free(digest);
	free(piece);
	return rc;
}

static int
sign(const struct tuf_signer *signer, const void *data, size_t len, uint8_t out[static SIG_SIZE],
	struct error *err)
{
	char *hex;
	int rc;

	if (tuf_signer_sign(signer, data, len, &hex, err) < 0)
		return -1;
	rc = str_unhex(hex, strlen(hex), out, SIG_SIZE);
	if (rc < 0)
		error_set(err, ERROR_CONFIG, "not an Ed25519 signature");
	free(hex);
	return rc;
}

int
minisign_sign(const struct tuf_signer *signer, const char *path, const char *comment,
	struct buf *out, struct error *err)
{
	uint8_t digest[DIGEST_SIZE], public[PUBLIC_SIZE], whole[SIG_SIZE + COMMENT_MAX];
	uint8_t first[2 + NUMBER_SIZE + SIG_SIZE], second[SIG_SIZE], *sig = first + 2 + NUMBER_SIZE;
	size_t comment_len = strlen(comment);

	assert(comment_len <= COMMENT_MAX && strchr(comment, '\n') == NULL);
	if (public_of(signer, public, err) < 0)
		return -1;
	memcpy(first, HASHED_MAGIC, 2);
	number_of(public, first + 2);
	if (blake2b_of_path(path, digest, err) < 0 ||
		sign(signer, digest, sizeof(digest), sig, err) < 0)
		return -1;
	/* The global signature is of the first one and the comment. */
	memcpy(whole, sig, SIG_SIZE);
	memcpy(whole + SIG_SIZE, comment, comment_len);
	if (sign(signer, whole, SIG_SIZE + comment_len, second, err) < 0)
		return -1;
	(void)buf_add_str(out, "untrusted comment: signature of a preload25 authority\n");
	add_base64(out, first, sizeof(first));
	(void)buf_addf(out, "trusted comment: %s\n", comment);
	add_base64(out, second, sizeof(second));
	return 0;
}

/* Signatures for minisign: their form, and that OpenSSL alone verifies them. That minisign does is
 * for tests/integration/delta.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/minisign.h"
#include "export/tuf_signer.h"

static char dir[] = "/tmp/preload25-test-XXXXXX";
static char key_path[64], data_path[64];
static struct tuf_signer *signer;

static int
setup(void **state UNUSED)
{
	struct error err;

	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	(void)snprintf(data_path, sizeof(data_path), "%s/data", dir);
	return tuf_signer_generate(key_path, "ed25519", NULL, &signer, &err);
}

static int
teardown(void **state UNUSED)
{
	tuf_signer_free(signer);
	(void)unlink(key_path);
	(void)unlink(data_path);
	return rmdir(dir);
}

/* The n-th line; the caller frees it. */
static char *
line_of(const struct buf *text, int n)
{
	const char *start = buf_str(text), *end;

	while (n-- > 0)
		start = strchr(start, '\n') + 1;
	end = strchr(start, '\n');
	assert_non_null(end);
	return xstrndup(start, (size_t)(end - start));
}

/* Decodes a line that must hold exactly len octets. */
static void
unbase64(const char *line, uint8_t *out, size_t len)
{
	uint8_t all[200];
	size_t padding = (3 - len % 3) % 3;

	assert_int_equal(strlen(line), 4 * ((len + 2) / 3));
	assert_int_equal(EVP_DecodeBlock(all, (const unsigned char *)line, (int)strlen(line)),
		len + padding);
	memcpy(out, all, len);
}

static bool
verifies(
	const uint8_t public[static 32], const void *data, size_t len, const uint8_t sig[static 64])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(context, sig, 64, data, len) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return ok;
}

static void
test_signature(void **state UNUSED)
{
	static const char comment[] = "timestamp:1\tfile:data\thashed\tversion:7";
	/* More than one piece, less than one, and nothing. */
	static const size_t sizes[] = {600000, 3, 0};
	uint8_t key[42], first[74], second[64], digest[64];
	struct buf public, sig, again;
	struct error err;
	char *line, *data = xcalloc(1, sizes[0]);

	memset(data, 'x', sizes[0]);
	buf_init(&public, MINISIGN_MAX);
	assert_int_equal(minisign_public_key(signer, &public, &err), 0);
	line = line_of(&public, 1);
	unbase64(line, key, sizeof(key));
	free(line);
	assert_memory_equal(key, "Ed", 2);
	line = xasprintf("untrusted comment: minisign public key "
			 "%02X%02X%02X%02X%02X%02X%02X%02X\n",
		key[9], key[8], key[7], key[6], key[5], key[4], key[3], key[2]);
	assert_memory_equal(public.data, line, strlen(line));
	free(line);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct {
			uint8_t sig[64];
			char comment[sizeof(comment) - 1];
		} whole;

		assert_int_equal(file_replace(data_path, data, sizes[i], 0600, &err), 0);
		buf_init(&sig, MINISIGN_MAX);
		assert_int_equal(minisign_sign(signer, data_path, comment, &sig, &err), 0);
		line = line_of(&sig, 0);
		assert_memory_equal(line, "untrusted comment: ", 19);
		free(line);
		line = line_of(&sig, 1);
		unbase64(line, first, sizeof(first));
		free(line);
		assert_memory_equal(first, "ED", 2);
		assert_memory_equal(first + 2, key + 2, 8);
		assert_int_equal(
			EVP_Digest(data, sizes[i], digest, NULL, EVP_blake2b512(), NULL), 1);
		assert_true(verifies(key + 10, digest, sizeof(digest), first + 10));
		line = line_of(&sig, 2);
		assert_string_equal(line + strlen("trusted comment: "), comment);
		free(line);
		line = line_of(&sig, 3);
		unbase64(line, second, sizeof(second));
		free(line);
		memcpy(whole.sig, first + 10, 64);
		memcpy(whole.comment, comment, sizeof(whole.comment));
		assert_true(verifies(key + 10, &whole, sizeof(whole), second));
		whole.comment[3] ^= 1;
		assert_false(verifies(key + 10, &whole, sizeof(whole), second));
		/* The same again gives the same. */
		buf_init(&again, MINISIGN_MAX);
		assert_int_equal(minisign_sign(signer, data_path, comment, &again, &err), 0);
		assert_string_equal(buf_str(&sig), buf_str(&again));
		buf_clear(&again);
		buf_clear(&sig);
	}
	buf_clear(&public);
	free(data);
}

static void
test_other_key(void **state UNUSED)
{
	struct tuf_signer *other;
	struct error err;
	struct buf text;

	(void)unlink(data_path);
	assert_int_equal(tuf_signer_generate(data_path, "ecdsa", NULL, &other, &err), 0);
	buf_init(&text, MINISIGN_MAX);
	assert_int_equal(minisign_public_key(other, &text, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(minisign_sign(other, key_path, "x", &text, &err), -1);
	assert_int_equal(text.len, 0);
	buf_clear(&text);
	tuf_signer_free(other);
}

static void
test_no_file(void **state UNUSED)
{
	struct error err;
	struct buf sig;

	buf_init(&sig, MINISIGN_MAX);
	assert_int_equal(minisign_sign(signer, "/nonexistent/file", "x", &sig, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(sig.len, 0);
	buf_clear(&sig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests_name("minisign", tests, setup, teardown);
}

/* Keys of TUF metadata: ids, the three kinds of signatures, and private key files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/passphrase.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

static char dir[] = "/tmp/preload25-key-XXXXXX";
static char path[sizeof(dir) + 16];

static int
setup(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key.pem", dir);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	(void)unlink(path);
	return rmdir(dir);
}

static struct tuf_key *
key_from(const char *keytype, const char *scheme, const char *public)
{
	json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme,
		"keyval", "public", public);
	struct tuf_key *k = NULL;
	struct error err = {0};

	if (tuf_key_from_json(object, &k, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(object);
	return k;
}

/* RFC 8032 section 7.1, TEST 2. */
#define RFC_PUBLIC "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define RFC_SIG \
	"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" \
	"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"

static void
test_ed25519(void **state UNUSED)
{
	struct tuf_key *k = key_from("ed25519", "ed25519", RFC_PUBLIC);
	char sig[] = RFC_SIG;

	assert_true(tuf_key_usable(k));
	assert_true(tuf_key_verify(k, "\x72", 1, sig));
	assert_false(tuf_key_verify(k, "\x73", 1, sig));
	assert_false(tuf_key_verify(k, "\x72", 0, sig));
	sig[0] = '8';
	assert_false(tuf_key_verify(k, "\x72", 1, sig));
	assert_false(tuf_key_verify(k, "\x72", 1, ""));
	assert_false(tuf_key_verify(k, "\x72", 1, "92a"));
	assert_false(tuf_key_verify(k, "\x72", 1, "zz"));
	assert_false(tuf_key_verify(k, "\x72", 1, RFC_SIG "00"));
	tuf_key_free(k);
	tuf_key_free(NULL);
}

/* The SHA-256 of the canonical object, whatever members it has; computed by other means. */
static void
test_ids(void **state UNUSED)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{"{\"keytype\": \"ed25519\", \"scheme\": \"ed25519\", \"keyval\": {\"public\": "
		 "\"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\"}}",
			"eaf1e23f6c823132f437a2eaa299a7950f7386631deff273db195bbd26209e2b"},
		{"{\"scheme\": \"ed25519\", \"x\": {\"b\": [1, true, null], \"a\": "
		 "\"q\\\"\\\\\\n\\u00e9\"}, \"keyval\": {\"public\": "
		 "\"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\", \"n\": 0}, "
		 "\"keytype\": \"ed25519\"}",
			"d55d30381db20a65017cdda751e92d4dce26eb91ea506067e19221103049097b"},
	};
	struct error err = {0};
	struct tuf_key *k;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *object = json_loads(cases[i].text, 0, NULL);

		assert_int_equal(tuf_key_from_json(object, &k, &err), 0);
		assert_string_equal(tuf_key_id(k), cases[i].id);
		json_decref(object);
		tuf_key_free(k);
	}
}

static char *
public_pem(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
	len = BIO_get_mem_data(bio, &data);
	text = xstrndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

/* Signs as another implementation would, with OpenSSL's own defaults spelled out. */
static char *
sign(EVP_PKEY *pkey, int salt_len, const char *data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	uint8_t sig[1024];
	size_t len = sizeof(sig);
	char *hex;

	assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, pkey), 1);
	if (salt_len > 0) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt_len), 1);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)data, strlen(data)), 1);
	EVP_MD_CTX_free(ctx);
	hex = xcalloc(2 * len + 1, 1);
	str_hex(sig, len, hex);
	return hex;
}

static void
test_other_schemes(void **state UNUSED)
{
	EVP_PKEY *p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	EVP_PKEY *rsa_short = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	const struct {
		const char *name, *keytype, *scheme;
		EVP_PKEY *pkey;
		int salt_len;
		bool usable, good;
	} cases[] = {
		{"ecdsa", "ecdsa", "ecdsa-sha2-nistp256", p256, 0, true, true},
		{"old keytype", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", p256, 0, true, true},
		{"rsa", "rsa", "rsassa-pss-sha256", rsa, 32, true, true},
		{"wrong salt", "rsa", "rsassa-pss-sha256", rsa, 20, true, false},
		{"PKCS#1 padding", "rsa", "rsassa-pss-sha256", rsa, 0, true, false},
		{"wrong curve", "ecdsa", "ecdsa-sha2-nistp256", p384, 0, false, false},
		{"RSA named ecdsa", "ecdsa", "ecdsa-sha2-nistp256", rsa, 0, false, false},
		{"ecdsa named RSA", "rsa", "rsassa-pss-sha256", p256, 0, false, false},
		{"short RSA", "rsa", "rsassa-pss-sha256", rsa_short, 32, false, false},
		{"pair that does not fit", "rsa", "ecdsa-sha2-nistp256", p256, 0, false, false},
		{"PEM named ed25519", "ed25519", "ed25519", p256, 0, false, false},
		{"unknown kind", "sphincs", "sphincs-shake-128s", p256, 0, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *pem = public_pem(cases[i].pkey);
		char *sig = sign(cases[i].pkey, cases[i].salt_len, "some text");
		struct tuf_key *k = key_from(cases[i].keytype, cases[i].scheme, pem);

		if (tuf_key_usable(k) != cases[i].usable ||
			tuf_key_verify(k, "some text", 9, sig) != cases[i].good ||
			tuf_key_verify(k, "some tex", 8, sig))
			fail_msg("%s", cases[i].name);
		tuf_key_free(k);
		free(pem);
		free(sig);
	}
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(rsa_short);
}

/* Two key objects, two ids, one key. */
static void
test_same(void **state UNUSED)
{
	struct tuf_key *a = key_from("ed25519", "ed25519", RFC_PUBLIC), *b, *c;
	struct error err = {0};
	json_t *object = json_deep_copy(tuf_key_json(a));

	json_object_set_new(object, "x", json_true());
	assert_int_equal(tuf_key_from_json(object, &b, &err), 0);
	assert_string_not_equal(tuf_key_id(a), tuf_key_id(b));
	assert_true(tuf_key_same(a, b));
	c = key_from("ed25519", "ed25519",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
	assert_false(tuf_key_same(a, c));
	json_decref(object);
	tuf_key_free(a);
	tuf_key_free(b);
	tuf_key_free(c);
}

/* A public key may come encrypted, and from anybody: OpenSSL would ask whoever is at the terminal,
 * or standard input, for the pass phrase. */
static void
test_asks_nobody(void **state UNUSED)
{
	EVP_PKEY *p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *pem;
	int answer[2], status;
	long len;
	pid_t pid;

	assert_int_equal(PEM_ASN1_write_bio((i2d_of_void *)i2d_PUBKEY, PEM_STRING_PUBLIC, bio, p256,
				 EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL),
		1);
	len = BIO_get_mem_data(bio, &text);
	pem = xstrndup(text, (size_t)len);
	assert_int_equal(pipe(answer), 0);
	assert_int_equal(write(answer[1], "secret\n", 7), 7);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct tuf_key *k;

		(void)setsid(); /* no terminal */
		(void)dup2(answer[0], STDIN_FILENO);
		k = key_from("ecdsa", "ecdsa-sha2-nistp256", pem);
		_exit(tuf_key_usable(k) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(read(answer[0], (char[8]){0}, 8), 7);
	(void)close(answer[0]);
	(void)close(answer[1]);
	free(pem);
	BIO_free(bio);
	EVP_PKEY_free(p256);
}

static void
test_no_keys(void **state UNUSED)
{
	static const char *const cases[] = {
		"[]",
		"{\"keytype\":1,\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"\"}}",
		"{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"\"}}",
		"{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":\"\"}",
		("{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"\"},"
		 "\"x\":1.5}"),
	};
	struct error err;
	struct tuf_key *k;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *object = json_loads(cases[i], 0, NULL);

		error_clear(&err);
		if (tuf_key_from_json(object, &k, &err) == 0 || err.kind != ERROR_INPUT)
			fail_msg("case %zu: %s", i, err.text);
		assert_null(k);
		json_decref(object);
	}
}

static void
test_files(void **state UNUSED)
{
	char *uri = xasprintf("file:%s", path), *uri3 = xasprintf("file://%s", path), *sig, *sig2;
	struct tuf_signer *made, *s;
	struct error err = {0};
	struct stat st;

	assert_int_equal(tuf_signer_generate(path, "ed25519", NULL, &made, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(tuf_signer_sign(made, "text", 4, &sig, &err), 0);
	assert_true(tuf_key_verify(tuf_signer_key(made), "text", 4, sig));

	/* Never over one that is there. */
	assert_int_equal(tuf_signer_generate(path, "ed25519", NULL, &s, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(tuf_signer_load(i == 0   ? path
						 : i == 1 ? uri
							  : uri3,
					 NULL, &s, &err),
			0);
		assert_string_equal(
			tuf_key_id(tuf_signer_key(s)), tuf_key_id(tuf_signer_key(made)));
		assert_int_equal(tuf_signer_sign(s, "text", 4, &sig2, &err), 0);
		assert_string_equal(sig, sig2);
		free(sig2);
		tuf_signer_free(s);
	}
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		assert_int_equal(chmod(path, 0600 | bit), 0);
		assert_int_equal(tuf_signer_load(uri, NULL, &s, &err), -1);
		assert_int_equal(err.kind, ERROR_SECURITY);
		assert_non_null(strstr(err.text, "chmod 600"));
		assert_null(s);
	}
	tuf_signer_free(made);
	tuf_signer_free(NULL);
	free(sig);
	free(uri);
	free(uri3);
}

/* The three types, in the clear and with a pass phrase. */
static void
test_types(void **state UNUSED)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};
	char *secret = xasprintf("%s/pass", dir), *source = xasprintf("file:%s", secret);
	struct passphrase *pass;
	struct tuf_signer *s;
	struct error err = {0};
	char *sig;

	assert_int_equal(file_replace(secret, "correct horse\nsecond line\n", 26, 0600, &err), 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(types); i++) {
		(void)unlink(path);
		assert_int_equal(passphrase_new(source, &pass, &err), 0);
		assert_int_equal(
			tuf_signer_generate(path, types[i / 2], i % 2 ? pass : NULL, &s, &err), 0);
		tuf_signer_free(s);
		assert_int_equal(tuf_signer_load(path, NULL, &s, &err), i % 2 ? -1 : 0);
		if (i % 2 == 0)
			tuf_signer_free(s);
		else
			assert_non_null(strstr(err.text, "wants a pass phrase"));
		assert_int_equal(tuf_signer_load(path, pass, &s, &err), 0);
		assert_string_equal(tuf_key_type(tuf_signer_key(s)), types[i / 2]);
		assert_int_equal(tuf_signer_sign(s, "text", 4, &sig, &err), 0);
		assert_true(tuf_key_verify(tuf_signer_key(s), "text", 4, sig));
		assert_false(tuf_key_verify(tuf_signer_key(s), "texT", 4, sig));
		free(sig);
		tuf_signer_free(s);
		passphrase_free(pass);
	}
	assert_int_equal(tuf_signer_generate(path, "dsa", NULL, &s, &err), -1);
	assert_string_equal(err.text, "\"dsa\" is no type of key: ed25519, ecdsa or rsa");
	(void)unlink(secret);
	free(secret);
	free(source);
}

static void
test_pass_phrases(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", "holds no pass phrase"},
		{"\nlater\n", "holds no pass phrase"},
	};
	char *secret = xasprintf("%s/pass", dir), *source = xasprintf("file:%s", secret);
	char text[PASSPHRASE_MAX + 2];
	struct passphrase *pass;
	struct error err = {0};
	const char *got;
	int ends[2];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			file_replace(secret, cases[i].text, strlen(cases[i].text), 0600, &err), 0);
		assert_int_equal(passphrase_new(source, &pass, &err), 0);
		assert_int_equal(passphrase_get(pass, "key", &got, &err), -1);
		assert_non_null(strstr(err.text, cases[i].want));
		passphrase_free(pass);
	}
	/* At the limit and above it. */
	memset(text, 'x', sizeof(text));
	for (size_t len = PASSPHRASE_MAX; len <= PASSPHRASE_MAX + 1; len++) {
		assert_int_equal(file_replace(secret, text, len, 0600, &err), 0);
		assert_int_equal(passphrase_new(source, &pass, &err), 0);
		assert_int_equal(
			passphrase_get(pass, "key", &got, &err), len == PASSPHRASE_MAX ? 0 : -1);
		if (len == PASSPHRASE_MAX)
			assert_int_equal(strlen(got), len);
		passphrase_free(pass);
	}
	/* A descriptor is read once; the answer stays. */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "secret\n", 7), 7);
	assert_int_equal(close(ends[1]), 0);
	free(source);
	source = xasprintf("fd:%d", ends[0]);
	assert_int_equal(passphrase_new(source, &pass, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(passphrase_get(pass, "key", &got, &err), 0);
		assert_string_equal(got, "secret");
	}
	passphrase_free(pass);
	assert_int_equal(close(ends[0]), 0);
	/* What stands there may be the pass phrase itself. */
	assert_int_equal(passphrase_new("correct horse", &pass, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_null(strstr(err.text, "horse"));
	(void)unlink(secret);
	free(secret);
	free(source);
}

/* In a process of its own: the engine, if there is one, never frees its tables. */
static void
no_token(void)
{
	struct tuf_signer *s;
	struct error err = {0};
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(tuf_signer_load("pkcs11:token=none", NULL, &s, &err) == -1 &&
					err.kind == ERROR_CONFIG
				? 0
				: 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_bad_files(void **state UNUSED)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct tuf_signer *s;
	struct error err = {0};
	BIO *bio;

	assert_int_equal(tuf_signer_load("/nonexistent/key.pem", NULL, &s, &err), -1);
	assert_string_equal(err.text,
		"/nonexistent/key.pem: cannot read the private key: No such "
		"file or directory");
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(tuf_signer_load(dir, NULL, &s, &err), -1);
	no_token();

	assert_int_equal(file_replace(path, "no key\n", 7, 0600, &err), 0);
	assert_int_equal(tuf_signer_load(path, NULL, &s, &err), -1);
	assert_non_null(strstr(err.text, "no private key in it"));
	assert_int_equal(file_replace(path, "", 0, 0600, &err), 0);
	assert_int_equal(tuf_signer_load(path, NULL, &s, &err), -1);

	bio = BIO_new_file(path, "w");
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, other, NULL, NULL, 0, NULL, NULL), 1);
	BIO_free(bio);
	assert_int_equal(tuf_signer_load(path, NULL, &s, &err), -1);
	assert_non_null(strstr(err.text, "not an Ed25519, ECDSA P-256 or RSA key"));

	/* With a pass phrase: refused, not asked for. */
	bio = BIO_new_file(path, "w");
	assert_int_equal(
		PEM_write_bio_PKCS8PrivateKey(bio, ed, EVP_aes_256_cbc(), "secret", 6, NULL, NULL),
		1);
	BIO_free(bio);
	assert_int_equal(tuf_signer_load(path, NULL, &s, &err), -1);
	assert_null(s);

	/* Only the public half. */
	bio = BIO_new_file(path, "w");
	assert_int_equal(PEM_write_bio_PUBKEY(bio, ed), 1);
	BIO_free(bio);
	assert_int_equal(tuf_signer_load(path, NULL, &s, &err), -1);
	EVP_PKEY_free(other);
	EVP_PKEY_free(ed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_other_schemes),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_asks_nobody),
		cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_pass_phrases),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

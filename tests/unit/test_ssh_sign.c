/* Keys and signatures in OpenSSH's formats. That git believes them is shown by
 * tests/integration/git.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/ssh_sign.h"

/* Made by ssh-keygen and openssl for this test, and worth nothing. */
#define OPENSSH(lines) \
	"-----BEGIN OPENSSH PRIVATE KEY-----\n" lines "-----END OPENSSH PRIVATE KEY-----\n"
#define PEM(label, lines) "-----BEGIN " label "-----\n" lines "-----END " label "-----\n"

#define ED25519_LINES \
	"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n" \
	"QyNTUxOQAAACAKGbSZUrptWzvKYevltH00JYckt0BwE7PzatEsgHXg6wAAAIjR9Qw00fUM\n" \
	"NAAAAAtzc2gtZWQyNTUxOQAAACAKGbSZUrptWzvKYevltH00JYckt0BwE7PzatEsgHXg6w\n" \
	"AAAEAI55dRHzua/cuNP5ACfxdMQh59CElsKupxOOJp7HV/YwoZtJlSum1bO8ph6+W0fTQl\n" \
	"hyS3QHATs/Nq0SyAdeDrAAAABHRlc3QB\n"

static const char ed25519[] = OPENSSH(ED25519_LINES);
static const char ed25519_public[] =
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAoZtJlSum1bO8ph6+W0fTQlhyS3QHATs/Nq0SyAdeDr";
/* What "ssh-keygen -Y sign -n git" makes of "data\n": Ed25519 has one signature for each text. */
static const char ed25519_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgChm0mVK6bVs7ymHr5bR9NCWHJL\n"
	"dAcBOz82rRLIB14OsAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n"
	"AAAAQFkmO+HkR5961+6QEwiypZCxKWOzkIOLw4pqflApwmJgoH9zF5zSHQ1NWzqivq02wE\n"
	"3+5vA+KvlIqFEhrA3LLww=\n"
	"-----END SSH SIGNATURE-----";
static const char encrypted[] =
	OPENSSH("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBvJX+xbJ\n"
		"M6oUtNtCN8ufx1AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIMWprl83aTCCCLqJ\n"
		"MY8HWsURw/PAHp93hJBvGcfy+sBnAAAAkJrSrrLvZf6WQB182Ar0HQOv5PmsDJ6H2JjC7q\n"
		"nVz/bHBxoPWKKytbBi7/uIp3dcA9EpXYQMXQz2yQBFh4iO7z1HO3kYtMre/GDgshB6vwJG\n"
		"PMbYhNOaYFqzNDSr08dIvSDFkCsjCFyFw3ynv50Lk3kd5tpPpzamzU7dMHXegVP7FzIiff\n"
		"R4Mg5LycTYD7cTVQ==\n");
static const char ecdsa[] =
	OPENSSH("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n"
		"1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQCicLgvVMSPPYWcPegYh15Hc0VxKjp\n"
		"/QlomhLcLXf2TSUtD3MAr8PjJUFQlLZTKPeIA20G4R/RddYmUe7tA7XCAAAAoIuz3WaLs9\n"
		"1mAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAKJwuC9UxI89hZw\n"
		"96BiHXkdzRXEqOn9CWiaEtwtd/ZNJS0PcwCvw+MlQVCUtlMo94gDbQbhH9F11iZR7u0Dtc\n"
		"IAAAAhAMha3K1corRpSQkSlj6ZY5qXw60YF9Kpuhb9lKpDfbpeAAAABHRlc3QBAgM=\n");
static const char pem[] =
	PEM("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIHhu7Sb89ARpfswN2ThpeETSeTpI7LNBGLvU3UMZz2/e\n");
static const char pem_encrypted[] = PEM("ENCRYPTED PRIVATE KEY",
	"MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAixu8tBbtJuTwICCAAw\n"
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEB3j7tN7tw5hAKZUrBEZFDIEQKGJ\n"
	"vv90QpeNmRbyGVhpf18LgmdpYnGemutQqxnrjwQsg4oJ6mCjAWMUrzaXGI5h/bTY\n"
	"dIMzEYtGThq5DYwshpw=\n");
static const char pem_ec[] = PEM("PRIVATE KEY",
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgY/1KKWMFMlV9YGAJ\n"
	"MMLQdKlRyXzhhv8jaTJs6srexL+hRANCAARAV4RURUDkIjywTRT7JGkOjSXHcHR2\n"
	"o+1PU86cTU84gu/3lrfhrBk6kcSypaSWOVgJ5eAJtMSQRBwI8NVzAv6H\n");

static char dir[] = "/tmp/preload25-ssh-sign-XXXXXX";
static char *path;

static int
setup(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	path = xasprintf("%s/key", dir);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	(void)unlink(path);
	free(path);
	return rmdir(dir);
}

static int
load(const char *text, size_t len, mode_t mode, struct ssh_signer **out, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	(void)close(fd);
	return ssh_signer_load(path, out, err);
}

static void
test_signature(void **state UNUSED)
{
	struct ssh_signer *s;
	struct error err = {0};
	struct buf out;
	char *line;

	if (load(ed25519, strlen(ed25519), 0600, &s, &err) < 0)
		fail_msg("%s", err.text);
	line = ssh_signer_public(s);
	assert_string_equal(line, ed25519_public);
	free(line);
	buf_init(&out, 4096);
	assert_int_equal(ssh_sign(s, "git", "data\n", 5, &out, &err), 0);
	assert_string_equal(buf_str(&out), ed25519_signature);

	/* Another text, another namespace, another key: another signature. */
	buf_reset(&out);
	assert_int_equal(ssh_sign(s, "git", "date\n", 5, &out, &err), 0);
	assert_string_not_equal(buf_str(&out), ed25519_signature);
	buf_reset(&out);
	assert_int_equal(ssh_sign(s, "file", "data\n", 5, &out, &err), 0);
	assert_string_not_equal(buf_str(&out), ed25519_signature);
	ssh_signer_free(s);
	if (load(pem, strlen(pem), 0600, &s, &err) < 0)
		fail_msg("%s", err.text);
	line = ssh_signer_public(s);
	assert_true(str_starts(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
	assert_string_not_equal(line, ed25519_public);
	free(line);
	buf_reset(&out);
	assert_int_equal(ssh_sign(s, "git", "data\n", 5, &out, &err), 0);
	assert_string_not_equal(buf_str(&out), ed25519_signature);
	ssh_signer_free(s);
	ssh_signer_free(NULL);

	/* What does not fit is said. */
	buf_clear(&out);
	buf_init(&out, 20);
	assert_int_equal(load(pem, strlen(pem), 0600, &s, &err), 0);
	assert_int_equal(ssh_sign(s, "git", "data\n", 5, &out, &err), -1);
	ssh_signer_free(s);
	buf_clear(&out);
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum error_kind kind;
		const char *want;
	} cases[] = {
		{ed25519, 0640, ERROR_SECURITY, "mode 640"},
		{ed25519, 0604, ERROR_SECURITY, "chmod 600"},
		{encrypted, 0600, ERROR_CONFIG, "ssh-keygen -p takes it off"},
		{ecdsa, 0600, ERROR_CONFIG, "not an Ed25519 key"},
		{pem_encrypted, 0600, ERROR_CONFIG, "encrypted with a pass phrase"},
		{pem_ec, 0600, ERROR_CONFIG, "not an Ed25519 key"},
		{ed25519_public, 0600, ERROR_CONFIG, "not a private key"},
		{"", 0600, ERROR_CONFIG, "not a private key"},
		{OPENSSH(""), 0600, ERROR_CONFIG, "not a private key"},
		{OPENSSH("AAAA\n"), 0600, ERROR_CONFIG, "not a private key"},
		{OPENSSH("!!!!\n"), 0600, ERROR_CONFIG, "damaged"},
		{OPENSSH("======\n"), 0600, ERROR_CONFIG, "damaged"},
		/* The magic and nothing behind it. */
		{OPENSSH("b3BlbnNzaC1rZXktdjEA\n"), 0600, ERROR_CONFIG, "damaged"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----\n" ED25519_LINES, 0600, ERROR_CONFIG,
			"damaged"},
	};
	struct ssh_signer *s;
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (load(cases[i].text, strlen(cases[i].text), cases[i].mode, &s, &err) == 0)
			fail_msg("case %zu was taken", i);
		assert_null(s);
		if (err.kind != cases[i].kind || strstr(err.text, cases[i].want) == NULL ||
			!str_starts(err.text, path))
			fail_msg("case %zu: %s", i, err.text);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ssh_signer_load(path, &s, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(ssh_signer_load(dir, &s, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);

	/* A file that does not end. */
	char *large = xcalloc(1, 100000);
	memset(large, 'A', 99999);
	assert_int_equal(load(large, 99999, 0600, &s, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	free(large);
}

/* Cut short anywhere, and with any octet changed: a key or an error, never more. */
static void
test_damaged(void **state UNUSED)
{
	size_t len = strlen(ed25519);
	char *text = xstrdup(ed25519);
	struct ssh_signer *s;
	struct error err = {0};

	for (size_t i = 0; i < len; i++) {
		s = NULL;
		if (load(ed25519, i, 0600, &s, &err) < 0)
			assert_null(s);
		ssh_signer_free(s);
		text[i] = text[i] == 'A' ? 'z' : 'A';
		if (load(text, len, 0600, &s, &err) < 0)
			assert_null(s);
		ssh_signer_free(s);
		text[i] = ed25519[i];
	}
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

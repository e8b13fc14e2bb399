/* The record of what setup has changed in main.cf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "updater/postfix_record.h"

#define SOMEBODY 65534 /* who is not root */

static char dir[] = "/tmp/preload25-record-XXXXXX";

static char *
record_path(void)
{
	return xasprintf("%s/setup-postfix.json", dir);
}

static struct postfix_record *
load(void)
{
	struct postfix_record *r;
	struct error err = {0};

	if (postfix_record_load(dir, true, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static void
save(const struct postfix_record *r)
{
	struct error err = {0};

	if (postfix_record_save(r, &err) < 0)
		fail_msg("%s", err.text);
}

static void
write_record(const char *text)
{
	char *path = record_path();
	struct error err = {0};

	if (file_replace(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.text);
	free(path);
}

static void
check_next(const struct postfix_record *r, size_t *at, const char *name, const char *before, const char *after)
{
	struct postfix_recorded change;

	assert_int_equal(postfix_record_next(r, at, &change), 1);
	assert_string_equal(change.name, name);
	if (before == NULL)
		assert_null(change.before);
	else
		assert_string_equal(change.before, before);
	assert_string_equal(change.after, after);
}

/* What a parameter was at first stays; what setup wrote is what it wrote last. */
static void
test_changes(void **state UNUSED)
{
	struct postfix_record *r = load();
	struct postfix_recorded change;
	size_t at = 0;

	assert_int_equal(postfix_record_next(r, &at, &change), 0);
	assert_false(postfix_record_has(r, "smtp_tls_security_level"));
	postfix_record_change(r, "smtp_tls_security_level", "may", "dane");
	postfix_record_change(r, "smtp_tls_CAfile", NULL, "/etc/ca.pem");
	save(r);
	postfix_record_free(r);

	r = load();
	assert_true(postfix_record_has(r, "smtp_tls_security_level"));
	postfix_record_change(r, "smtp_tls_security_level", "none", "encrypt");
	check_next(r, &at, "smtp_tls_security_level", "may", "encrypt");
	check_next(r, &at, "smtp_tls_CAfile", NULL, "/etc/ca.pem");
	assert_int_equal(postfix_record_next(r, &at, &change), 0);
	postfix_record_remove(r);
	postfix_record_free(r);
	r = load();
	assert_false(postfix_record_has(r, "smtp_tls_CAfile"));
	postfix_record_free(r);
}

static void
test_tables(void **state UNUSED)
{
	struct postfix_record *r = load();

	assert_false(postfix_record_has_table(r, "cdb:/a"));
	postfix_record_add_table(r, "cdb:/a");
	postfix_record_add_table(r, "cdb:/a");
	postfix_record_add_table(r, "lmdb:/a");
	save(r);
	postfix_record_free(r);
	r = load();
	assert_true(postfix_record_has_table(r, "cdb:/a"));
	assert_true(postfix_record_has_table(r, "lmdb:/a"));
	assert_false(postfix_record_has_table(r, "cdb:/"));
	postfix_record_remove(r);
	postfix_record_free(r);
}

/* Nothing that is no change is taken for one, and a file that is no record is not taken for an empty one. */
static void
test_damaged(void **state UNUSED)
{
	static const char *const bad[] = {"", "{", "[]", "null", "{}", "{\"changes\":{}}",
		"{\"changes\":[],\"changes\":[]}"};
	char *path = record_path();
	struct postfix_recorded change;
	struct postfix_record *r;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = {0};

		write_record(bad[i]);
		assert_int_equal(postfix_record_load(dir, true, &r, &err), -1);
		assert_null(r);
		assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
	}
	write_record("{\"changes\":[1,null,{},{\"name\":2,\"after\":\"x\"},{\"name\":\"a\",\"after\":null},"
		     "{\"name\":\"b\",\"before\":7,\"after\":\"y\"}],\"tables\":[1,\"cdb:/a\"]}");
	r = load();
	check_next(r, &at, "b", NULL, "y");
	assert_int_equal(postfix_record_next(r, &at, &change), 0);
	assert_false(postfix_record_has(r, "c"));
	assert_true(postfix_record_has_table(r, "cdb:/a"));
	postfix_record_remove(r);
	postfix_record_free(r);
	write_record("{\"changes\":[],\"tables\":\"cdb:/a\"}");
	r = load();
	assert_false(postfix_record_has_table(r, "cdb:/a"));
	postfix_record_add_table(r, "cdb:/b");
	assert_true(postfix_record_has_table(r, "cdb:/b"));
	postfix_record_remove(r);
	postfix_record_free(r);
	free(path);
}

/* Whoever only looks may look without it; whoever changes main.cf needs it. */
static int
look_as_somebody(void)
{
	struct postfix_record *r;
	struct error err = {0};
	int good;

	if (geteuid() == 0 && setuid(SOMEBODY) < 0)
		return 2;
	good = postfix_record_load(dir, true, &r, &err) < 0 &&
		postfix_record_load(dir, false, &r, &err) == 0 && !postfix_record_has(r, "a");
	postfix_record_free(r);
	return good ? 0 : 1;
}

static void
test_unreadable(void **state UNUSED)
{
	char *path = record_path();
	int status;
	pid_t pid;

	write_record("{\"changes\":[{\"name\":\"a\",\"before\":null,\"after\":\"b\"}]}");
	assert_int_equal(chmod(path, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(look_as_somebody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(path), 0);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_unreadable),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(dir) < 0 ? 1 : failed;
}

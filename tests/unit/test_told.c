/* What is told by a confined process: as plain text, with its answer; and that it may open nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "updater/confine.h"
#include "updater/settings.h"
#include "updater/told.h"

#include "updater_repo.h"

static char *
told_by(int (*tell)(void *arg, FILE *out, struct error *err), const int *files, size_t count, int want,
	struct error *err)
{
	const struct update_settings s = {.sandbox_time_s = 20};
	const struct told t = {.what = "telling",
		.s = &s,
		.files = files,
		.file_count = count,
		.tell = tell};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	error_clear(err);
	assert_int_equal(told_run(&t, out, err), want);
	(void)fclose(out);
	return text;
}

static int
speak_badly(void *arg UNUSED, FILE *out, struct error *err)
{
	fprintf(out, "one\n\x1b[2Jtwo\xff\r\n\nthree \xc3\xa4");
	error_set(err, ERROR_CONFIG, "no");
	return 1;
}

static void
test_plain(void **state UNUSED)
{
	struct error err;
	char *text = told_by(speak_badly, NULL, 0, 1, &err);

	assert_string_equal(text, "one\n\\x1b[2Jtwo\\xff\\x0d\n\nthree \xc3\xa4\n");
	assert_string_equal(err.text, "no");
	free(text);
}

static int
speak_much(void *arg UNUSED, FILE *out, struct error *err UNUSED)
{
	for (int i = 0; i < 100000; i++)
		fprintf(out, "the same over and over\n");
	return 0;
}

static void
test_much(void **state UNUSED)
{
	struct error err;
	char *text = told_by(speak_much, NULL, 0, -1, &err);

	assert_string_equal(text, "");
	assert_non_null(strstr(err.text, "too much to tell"));
	free(text);
}

static int file;

/* Nothing can be opened; what was given is there, for reading. */
static int
look_around(void *arg UNUSED, FILE *out, struct error *err UNUSED)
{
	char text[8] = "";

	if (open("/etc/passwd", O_RDONLY) < 0 && open("/etc/shadow", O_RDONLY) < 0 &&
		open("/tmp/x", O_WRONLY | O_CREAT, 0600) < 0 && open(".", O_RDONLY | O_DIRECTORY) < 0)
		fprintf(out, "nothing\n");
	if (geteuid() != 0)
		fprintf(out, "not root\n");
	if (pread(file, text, 5, 0) == 5 && write(file, "x", 1) < 0)
		fprintf(out, "%s\n", text);
	return 0;
}

static void
test_has_nothing(void **state UNUSED)
{
	char *path = in_temp("given"), *text;
	struct error err;

	if (confine_lacks() != NULL) {
		print_message("SKIPPED: this kernel has %s\n", confine_lacks());
		skip();
	}
	write_text(path, "given", 5);
	/* Its mode lets nobody else open it. */
	assert_int_equal(chmod(path, 0600), 0);
	file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	text = told_by(look_around, &file, 1, 0, &err);
	assert_string_equal(text, "nothing\nnot root\ngiven\n");
	(void)close(file);
	free(text);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_has_nothing),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

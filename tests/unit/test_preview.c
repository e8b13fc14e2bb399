/* preview: what is told of a mail log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/preview.h"
#include "updater/settings.h"

#include "updater_repo.h"

#define SMTP(pid) "Nov 26 12:00:00 host postfix/smtp[" pid "]: "
#define TAIL      ":25, delay=0.1, delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 ok)"

/* --- the whole ---------------------------------------------------------------------------------- */

static char *
previewed(const struct update_settings *s, const char *log, bool json)
{
	char *path = in_temp("log"), *text = NULL;
	size_t size;
	struct preview_options options = {.survey = {.path = path, .now_s = NOW}, .json = json};
	struct error err = {0};

	write_text(path, log, strlen(log));
	options.out = open_memstream(&text, &size);
	if (preview(s, &options, &err) != 0)
		fail_msg("%s", err.text);
	(void)fclose(options.out);
	free(path);
	return text;
}

static void
must_hold(char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("%s\nlacks: %s", text, part);
	free(text);
}

static void
vary(int i, struct list_entry *e)
{
	static const char *const mxs[] = {"*.wide.test", "mx1.good.test"};

	e->domain = i == 1 ? "good.test" : "trial.test";
	e->policy.mode = i == 1 ? LIST_MODE_ENFORCE : LIST_MODE_TESTING;
	e->policy.mxs = mxs;
	e->policy.mxs_count = ARRAY_LEN(mxs);
}

static void
test_report(void **state UNUSED)
{
	static const char sent[] =
		SMTP("1") "Verified TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.3\n"
		SMTP("1") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "C: to=<u@good.test>, relay=mx9.wide.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "D: to=<u@good.test>, relay=a.mx9.wide.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "E: to=<u@good.test>, relay=none, delay=1, dsn=4.0.0, status=deferred (x)\n"
		SMTP("1") "F: to=<u@trial.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "G: to=<u@other.test>, relay=mx.other.test[192.0.2.1]" TAIL "\n";
	static const char silent[] = SMTP("1") "B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL;
	struct update_settings s;
	struct preview_options options = {.survey = {.path = "/nonexistent/log", .now_s = NOW}};
	struct job_options job = {.now_s = NOW, .dry_run = true};
	struct error err = {0};
	struct repo repo;
	char *list = in_temp("list.json"), *conf = in_temp("conf"), *text, *anchor = in_temp("root");

	repo_init(&repo, "repo");
	write_list(list, &(const struct list_spec){.version = 7, .first = 1, .last = 2, .vary = vary});
	repo_publish(&repo, list);
	repo_copy_root(&repo, anchor);
	text = xasprintf("[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s/state\n"
			 "[install]\nmta = texthash\npath = %s/map\ndane = no\n[postfix]\nformat = plain\n"
			 "postmap = /nonexistent\n",
		repo.dir, anchor, temp_dir, temp_dir);
	write_text(conf, text, strlen(text));
	free(text);
	OK(update_settings_load(conf, &s, &ok_err));
	options.out = stdout;
	assert_int_equal(preview(&s, &options, &err), 1);
	assert_non_null(strstr(err.text, "--dry-run"));
	/* A dry run fetches the list, and installs nothing. */
	s.postmap = NULL;
	OK(job_run(&s, &job, &ok_err));
	assert_int_equal(preview(&s, &options, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	must_hold(previewed(&s, sent, false),
		"the log has 7 deliveries to 3 domains; list 7 has 1 of them, with 5 deliveries:\n"
		"        1 over TLS, with a server that was verified\n"
		"        2 in clear: these would have waited\n"
		"        1 to a server that the entry does not name: these would have waited\n"
		"        1 not sent");
	must_hold(previewed(&s, sent, true),
		"\"by_domain\":{\"good.test\":{\"clear\":2,\"encrypted\":0,\"not_sent\":1,\"other_host\":1,"
		"\"untold\":0,\"verified\":1}},\"cut\":false,\"deliveries\":7,\"domains\":3,");
	must_hold(previewed(&s, silent, false), "! Postfix does not speak of TLS here");
	must_hold(previewed(&s, silent, false), "1 in a way that the log does not tell");
	must_hold(previewed(&s, "", false), "the log has 0 deliveries to 0 domains; list 7 has 0 of them");
	update_settings_clear(&s);
	repo_clear(&repo);
	free(anchor);
	free(conf);
	free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

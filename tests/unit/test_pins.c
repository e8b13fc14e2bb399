/* Domains that OpenSMTPD is told to send to the one server that their entry names: which, by what
 * files, and that no message accepted for one is ever without a place to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "updater/job.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/pins.h"
#include "updater/report.h"
#include "updater/settings.h"

#include "updater_world.h"

/* Stands in for OpenSMTPD's own tool: keeps what it was asked, and answers as the real one did. */
static const char smtpctl_takes[] = "#!/bin/sh\necho \"$*\" >>'%s'\n";
static const char smtpctl_stopped[] =
	"#!/bin/sh\necho \"smtpctl: smtpd doesn't seem to be running\" >&2\nexit 1\n";
static const char smtpctl_refuses[] = "#!/bin/sh\necho 'command failed'\nexit 1\n";
/* It knows the set, and cannot read the other file. */
static const char smtpctl_takes_set[] =
	"#!/bin/sh\n[ \"$3\" != preload25-pinned ] || exit 0\necho 'command failed'\nexit 1\n";
static const char smtpctl_is_not_root[] =
	"#!/bin/sh\necho 'smtpctl: need root privileges' >&2\nexit 1\n";

/* Of the world that is looked at. */
static char *smtpctl, *asked_file, *smtpd_conf;

static void
configure(struct world *w, const char *pin)
{
	char *text = xasprintf("[opensmtpd]\npin = %s\nsmtpctl = %s\nconfig = %s\n", pin, smtpctl,
		smtpd_conf);

	world_configure(w, text);
	free(text);
}

static void
begin(struct world *w, const char *name)
{
	char *takes;

	world_begin(w, name, "opensmtpd");
	w->repo.expires[TUF_ROLE_TIMESTAMP] = NOW + YEAR;
	smtpctl = xasprintf("%s.smtpctl", w->repo.dir);
	asked_file = xasprintf("%s.asked", w->repo.dir);
	smtpd_conf = xasprintf("%s.smtpd.conf", w->repo.dir);
	takes = xasprintf(smtpctl_takes, asked_file);
	write_script(smtpctl, takes);
	free(takes);
	configure(w, "yes");
}

static void
end(struct world *w)
{
	world_clear(w);
	free(smtpctl);
	free(asked_file);
	free(smtpd_conf);
}

static void
publish(struct world *w, int version, int64_t now_s, int last,
	void (*vary)(int i, struct list_entry *e))
{
	world_publish(w, &(struct list_spec){.version = version,
				 .first = 1,
				 .last = last,
				 .timestamp_s = now_s,
				 .expires_s = now_s + 14 * DAY,
				 .vary = vary});
}

static void
expect_job(struct world *w, int64_t now_s, int want, const char *text)
{
	const struct job_options options = {.now_s = now_s, .allow_churn = true};

	expect_exit_code(&w->settings, &options, want, text);
}

/* Files that hold the example: l list, p pinned, h with its own server behind it. */
static const char *
where(const struct world *w, int i)
{
	static char found[4];
	char *files[] = {xstrdup(w->map), pins_set_file(&w->settings), pins_hosts_file(&w->settings)};
	char key[64], want[128];
	size_t n = 0;

	(void)snprintf(key, sizeof(key), "example-%08d.test", i);
	(void)snprintf(want, sizeof(want), "smtp+tls://mx.%s", key);
	for (size_t f = 0; f < ARRAY_LEN(files); f++) {
		struct error err = {0};
		struct buf value;
		int rc;

		buf_init(&value, 1024);
		rc = map_find(f == 2 ? &map_texthash : &map_db_set, files[f], key, &value, &err);
		if (rc < 0)
			fail_msg("%s", err.text);
		if (rc > 0) {
			assert_string_equal(buf_str(&value), f == 2 ? want : "<set>");
			found[n++] = "lph"[f];
		}
		buf_clear(&value);
		free(files[f]);
	}
	found[n] = '\0';
	return found;
}

static void
vary(int i, struct list_entry *e)
{
	static const char *const wild[] = {"*.example.test"};
	static const char *const two[] = {"mx1.example.test", "mx2.example.test"};
	/* 64 octets, and one more. */
	static const char *const long_name[] = {
		"a23456789012345678901234567890.b23456789012345678901234567.ex.test"};

	if (i == 2)
		e->policy.mxs = wild;
	if (i == 3) {
		e->policy.mxs = two;
		e->policy.mxs_count = 2;
	}
	if (i == 4)
		e->policy.mxs = long_name;
	if (i == 5)
		e->policy.mode = LIST_MODE_TESTING;
	if (i == 6) {
		e->policy.auth_pkix = false;
		e->policy.auth_dane = true;
	}
}

static void
test_host(void **state UNUSED)
{
	char name[66];
	const char *const mxs[] = {name, "mx2.example"};
	struct list_policy p = {.mxs = mxs, .mxs_count = 1};

	(void)snprintf(name, sizeof(name), "mx1.example");
	assert_string_equal(pins_host(&p), "mx1.example");
	p.mxs_count = 2;
	assert_null(pins_host(&p));
	p.mxs_count = 1;
	(void)snprintf(name, sizeof(name), "*.example");
	assert_null(pins_host(&p));
	/* smtpd: "Cannot parse smarthost" from 65 octets on. */
	memset(name, 'a', 65);
	name[31] = '.';
	name[64] = '\0';
	assert_non_null(pins_host(&p));
	name[64] = 'a';
	name[65] = '\0';
	assert_null(pins_host(&p));
}

/* Who is pinned, what is said of it, and what becomes of those that are no longer. */
static void
test_life(void **state UNUSED)
{
	struct error err = {0};
	struct world w;
	struct buf asked;
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	begin(&w, "life");
	publish(&w, 1, NOW, 9, vary);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 1), "lph");
	assert_string_equal(where(&w, 2), "l");
	assert_string_equal(where(&w, 3), "l");
	assert_string_equal(where(&w, 4), "l");
	assert_string_equal(where(&w, 5), "");
	assert_string_equal(where(&w, 6), "");
	assert_string_equal(where(&w, 9), "lph");
	assert_true(pins_are(&w.settings, "1"));
	read_bytes(asked_file, &asked);
	assert_string_equal(buf_str(&asked), "update table preload25-hosts\n");
	buf_clear(&asked);

	out = open_memstream(&text, &size);
	OK(report_status(&w.settings, NOW, out, &ok_err));
	OK(report_explain(&w.settings, "example-00000001.test", NOW, out, &ok_err));
	assert_int_equal(fflush(out), 0);
	assert_non_null(strstr(text, "7 enforced,\n             4 of them pinned to the one server"));
	assert_non_null(strstr(text, "3 of them by any server that DNS names"));
	assert_non_null(strstr(text, "pinned to    mx.example-00000001.test,"));
	(void)fclose(out);
	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	OK(report_explain(&w.settings, "example-00000002.test", NOW, out, &ok_err));
	assert_int_equal(fflush(out), 0);
	assert_null(strstr(text, "pinned"));
	(void)fclose(out);
	free(text);

	/* Nothing new: nothing is asked. */
	expect_job(&w, NOW + 60, 0, NULL);
	read_bytes(asked_file, &asked);
	assert_int_equal(asked.len, strlen("update table preload25-hosts\n"));
	buf_clear(&asked);

	/* 7 to 9 leave the list; mail that is queued for them still has a place to go. */
	publish(&w, 2, NOW + DAY, 6, vary);
	expect_job(&w, NOW + DAY, 0, NULL);
	assert_string_equal(where(&w, 1), "lph");
	assert_string_equal(where(&w, 7), "h");
	assert_string_equal(where(&w, 9), "h");
	/* 8 comes back. */
	publish(&w, 3, NOW + 2 * DAY, 8, vary);
	expect_job(&w, NOW + 2 * DAY, 0, NULL);
	assert_string_equal(where(&w, 8), "lph");
	assert_string_equal(where(&w, 9), "h");
	publish(&w, 4, NOW + 29 * DAY, 6, vary);
	expect_job(&w, NOW + 29 * DAY, 0, NULL);
	assert_string_equal(where(&w, 8), "h");
	assert_string_equal(where(&w, 9), "h");
	publish(&w, 5, NOW + 32 * DAY, 6, vary);
	expect_job(&w, NOW + 32 * DAY, 0, NULL);
	assert_string_equal(where(&w, 8), "h");
	assert_string_equal(where(&w, 9), "");

	/* No more pinning: none is pinned, all stay in the list's own set. */
	configure(&w, "no");
	expect_job(&w, NOW + 32 * DAY, 0, NULL);
	assert_string_equal(where(&w, 1), "lh");
	assert_string_equal(where(&w, 2), "l");
	assert_int_equal(job_run(&w.settings,
				 &(struct job_options){.now_s = NOW + 32 * DAY, .dry_run = true},
				 &err),
		0);
	end(&w);
}

/* OpenSMTPD must have the table before a domain may be looked up in it. */
static void
test_table(void **state UNUSED)
{
	struct world w;
	char *set, *hosts, *takes;

	begin(&w, "table");
	takes = xasprintf(smtpctl_takes, asked_file);
	set = pins_set_file(&w.settings);
	hosts = pins_hosts_file(&w.settings);
	publish(&w, 1, NOW, 3, NULL);
	write_script(smtpctl, smtpctl_stopped); /* it reads the file when it starts */
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 3), "lph");
	write_script(smtpctl, smtpctl_refuses);
	publish(&w, 2, NOW, 4, NULL);
	expect_job(&w, NOW, 2, "the map is installed, but: pinned domains: OpenSMTPD does not take");
	assert_string_equal(where(&w, 3), "lph");
	assert_string_equal(where(&w, 4), "lh");
	/* And goes on saying so, until it is mended. */
	expect_job(&w, NOW, 2, "does not take the table preload25-hosts");
	write_script(smtpctl, smtpctl_is_not_root);
	expect_job(&w, NOW, 2, "update table preload25-hosts: smtpctl: need root privileges");
	write_script(smtpctl, takes);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 4), "lph");
	/* Either file damaged, or gone. */
	write_text(set, "", 0);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 4), "lph");
	assert_int_equal(unlink(hosts), 0);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 4), "lph");
	free(takes);
	free(hosts);
	free(set);
	end(&w);
}

/* The first list comes before smtpd.conf names the tables: setup adds them when it is here. */
static void
test_first(void **state UNUSED)
{
	struct world w;

	begin(&w, "first");
	write_script(smtpctl, smtpctl_refuses);
	publish(&w, 1, NOW, 3, NULL);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 3), "lph");
	assert_true(pins_are(&w.settings, "1"));
	/* From now on it may name them. */
	publish(&w, 2, NOW, 4, NULL);
	expect_job(&w, NOW, 2, "does not take the table preload25-hosts (command failed)");
	end(&w);
}

static void
expect_files(const struct world *w, bool there)
{
	char *files[] = {pins_set_file(&w->settings), pins_hosts_file(&w->settings),
		xasprintf("%s/pins", w->settings.state_dir)};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (file_exists(files[i]) != there)
			fail_msg("%s is %sthere", files[i], there ? "not " : "");
		free(files[i]);
	}
}

/* No more pinning: the files go when OpenSMTPD knows nothing of them, now and after its next start, and
 * not before. */
static void
test_end(void **state UNUSED)
{
	struct world w;
	char *hosts, *text;

	begin(&w, "end");
	hosts = pins_hosts_file(&w.settings);
	text = xasprintf("table preload25-hosts file:%s\n", hosts);
	write_text(smtpd_conf, text, strlen(text));
	publish(&w, 1, NOW, 3, NULL);
	expect_job(&w, NOW, 0, NULL);
	configure(&w, "no");
	/* What runs was started before smtpd.conf was changed: without the file the next start fails. */
	write_script(smtpctl, smtpctl_refuses);
	publish(&w, 2, NOW, 3, NULL);
	expect_job(&w, NOW, 2, "does not take the table preload25-hosts");
	expect_files(&w, true);
	/* Reverted, but not restarted. */
	write_text(smtpd_conf, "", 0);
	write_script(smtpctl, smtpctl_takes_set);
	expect_job(&w, NOW, 2, "does not take the table preload25-hosts");
	expect_files(&w, true);
	write_script(smtpctl, smtpctl_is_not_root);
	expect_job(&w, NOW, 2, "need root privileges");
	expect_files(&w, true);
	write_script(smtpctl, smtpctl_refuses);
	expect_job(&w, NOW, 0, NULL);
	expect_files(&w, false);
	/* And that is the end of it. */
	publish(&w, 3, NOW, 4, NULL);
	expect_job(&w, NOW, 0, NULL);
	expect_files(&w, false);
	free(text);
	free(hosts);
	end(&w);
}

/* STATE/pins damaged: what is pinned does not depend on it. */
static void
test_damaged(void **state UNUSED)
{
	static const char *const texts[] = {"", "x", "example-00000001.test\n", "a b c d\n",
		"example-00000002.test mx.example-00000002.test 0\nexample-00000003.test ../x 0\n",
		"example-00000001.test mx.example-00000001.test -1\n",
		"example-00000001.test mx.example-00000001.test 99999999999999999999\n",
		"zzz.test mx.zzz.test 1\naaa.test mx.aaa.test 0\n"};
	struct world w;
	char *kept;

	begin(&w, "damaged");
	kept = xasprintf("%s/pins", w.settings.state_dir);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		publish(&w, (int)i + 1, NOW, 3, NULL);
		OK(file_mkdirs(w.settings.state_dir, 0755, &ok_err));
		write_text(kept, texts[i], strlen(texts[i]));
		expect_job(&w, NOW, 0, NULL);
		for (int k = 1; k <= 3; k++)
			assert_string_equal(where(&w, k), "lph");
	}
	free(kept);
	end(&w);
}

/* What setup needs before the first list: maps to be named in smtpd.conf. */
static void
test_empty(void **state UNUSED)
{
	struct error err = {0};
	struct world w;
	char *set;

	begin(&w, "empty");
	set = pins_set_file(&w.settings);
	assert_int_equal(job_make_empty_map(&w.settings, &err), 1);
	assert_true(pins_are(&w.settings, "0"));
	assert_int_equal(job_make_empty_map(&w.settings, &err), 0);
	assert_int_equal(unlink(set), 0);
	assert_int_equal(job_make_empty_map(&w.settings, &err), 1);
	publish(&w, 1, NOW, 3, NULL);
	expect_job(&w, NOW, 0, NULL);
	assert_string_equal(where(&w, 3), "lph");
	free(set);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

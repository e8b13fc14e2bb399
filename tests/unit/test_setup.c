/* setup postfix: what it proposes for which main.cf, and that --apply does just that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "export/tuf_metadata.h"
#include "updater/map.h"
#include "updater/postfix.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/setup.h"

#include "updater_repo.h"

/* Behaves as postconf does where setup asks it: values of main.cf before defaults, unknown
 * parameters a warning and nothing else, -e replaces or appends lines. */
static const char fake_postconf[] =
	"#!/bin/sh\n"
	"[ \"$1\" = -c ] || { echo 'postconf: fatal: no -c' >&2; exit 1; }\n"
	"dir=$2; shift 2\n"
	"[ ! -e \"$dir/broken\" ] || { echo 'postconf: fatal: something is wrong' >&2; exit 1; }\n"
	"case $1 in\n"
	"-m) cat \"$dir/types\"; exit 0 ;;\n"
	"-P) cat \"$dir/master\"; exit 0 ;;\n"
	"-e) shift\n"
	"	for e in \"$@\"; do\n"
	"		n=${e%% *}\n"
	"		grep -v \"^$n = \" \"$dir/main.cf\" >\"$dir/main.cf.tmp\"\n"
	"		printf '%s\\n' \"$e\" >>\"$dir/main.cf.tmp\"\n"
	"		mv \"$dir/main.cf.tmp\" \"$dir/main.cf\"\n"
	"	done; exit 0 ;;\n"
	"-X) shift\n"
	"	for n in \"$@\"; do\n"
	"		grep -v \"^$n = \" \"$dir/main.cf\" >\"$dir/main.cf.tmp\"\n"
	"		mv \"$dir/main.cf.tmp\" \"$dir/main.cf\"\n"
	"	done; exit 0 ;;\n"
	"-n) shift\n"
	"	for n in \"$@\"; do grep -h -m1 \"^$n =\" \"$dir/main.cf\"; done; exit 0 ;;\n"
	"-x) shift ;;\n"
	"esac\n"
	"for n in \"$@\"; do\n"
	"	grep -h -m1 \"^$n =\" \"$dir/main.cf\" \"$dir/defaults\" | head -n 1 | grep . ||\n"
	"		echo \"postconf: warning: $n: unknown parameter\" >&2\n"
	"done\n";

/* Every map answers what is in the file named after its type, if there is one. */
static const char fake_postmap[] = "#!/bin/sh\n"
				   "[ \"$1 $3\" = '-c -q' ] || exit 1\n"
				   "[ ! -e \"$2/${5%%:*}\" ] || { cat \"$2/${5%%:*}\"; exit 0; }\n"
				   "exit 1\n";

static const char defaults[] = "smtp_tls_policy_maps =\nsmtp_tls_security_level =\n"
			       "smtp_dns_support_level =\nsmtp_tls_CAfile =\nrelayhost =\n"
			       "smtp_fallback_relay =\nsender_dependent_relayhost_maps =\n"
			       "transport_maps =\nsmtp_host_lookup = dns\ndefault_transport = smtp\n"
			       "sender_dependent_default_transport_maps =\n"
			       "smtp_tls_per_site =\nsmtp_enforce_tls = no\n";

#define TABLE  "cdb:@/map"
#define REGEXP "regexp:{{/[^ -~]/ secure match=hostname servername=hostname}}"

struct scene {
	struct update_settings settings;
	char *dir, *out;
	size_t size;
};

static char *
in_scene(const struct scene *s, const char *name)
{
	return xasprintf("%s/%s", s->dir, name);
}

static void
put(const struct scene *s, const char *name, const char *text)
{
	char *path = in_scene(s, name);

	write_text(path, text, strlen(text));
	free(path);
}

/* "@" in a text stands for the scene's folder. */
static char *
with_dir(const struct scene *s, const char *text)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (; *text != '\0'; text++) {
		if (*text == '@')
			buf_add_str(&out, s->dir);
		else
			buf_add_char(&out, *text);
	}
	return buf_take(&out);
}

static void
scene_init(struct scene *s, const char *name, const char *version, const char *main_cf)
{
	char *text, *path;

	memset(s, 0, sizeof(*s));
	s->dir = in_temp(name);
	OK(file_mkdirs(s->dir, 0755, &ok_err));
	path = in_scene(s, "postconf");
	write_script(path, fake_postconf);
	free(path);
	path = in_scene(s, "postmap");
	write_script(path, fake_postmap);
	free(path);
	put(s, "master", "relay/unix/syslog_name = postfix/relay\n");
	put(s, "types", "btree\ncdb\nhash\nregexp\ntexthash\n");
	put(s, "ca.pem", "certificates\n");
	text = xasprintf("mail_version = %s\n%s%s", version, defaults,
		strncmp(version, "3.1", 3) == 0
			? "tls_required_enable = yes\nsmtp_tls_enforce_sts_mx_patterns = yes\n"
			: "");
	put(s, "defaults", text);
	free(text);
	text = with_dir(s, main_cf);
	put(s, "main.cf", text);
	free(text);
	text = xasprintf(
		"[state]\ndir = %s/state\n[install]\npath = %s/map\n"
		"dane = no\n" /* whatever the resolver here is like */
		"[postfix]\nconfig_dir = %s\npostconf = %s/postconf\npostmap = %s/postmap\n"
		"ca_file = %s/ca.pem\n",
		s->dir, s->dir, s->dir, s->dir, s->dir, s->dir);
	put(s, "conf", text);
	free(text);
	path = in_scene(s, "conf");
	OK(update_settings_load(path, &s->settings, &ok_err));
	free(path);
}

static void
scene_clear(struct scene *s)
{
	update_settings_clear(&s->settings);
	free(s->dir);
	free(s->out);
}

static int
run_with(struct scene *s, struct setup_options options, struct error *err)
{
	int rc;

	free(s->out);
	s->out = NULL;
	error_clear(err);
	options.now_s = NOW;
	options.out = open_memstream(&s->out, &s->size);
	rc = setup_postfix(&s->settings, &options, err);
	(void)fclose(options.out);
	return rc;
}

static int
run(struct scene *s, bool apply, struct error *err)
{
	return run_with(s, (struct setup_options){.apply = apply}, err);
}

static char *
main_cf(const struct scene *s)
{
	char *path = in_scene(s, "main.cf"), *text;
	struct buf bytes;

	read_bytes(path, &bytes);
	text = buf_take(&bytes);
	free(path);
	return text;
}

static void
must_say(const struct scene *s, const char *text, bool said)
{
	char *want = with_dir(s, text);

	if ((strstr(s->out, want) != NULL) != said)
		fail_msg("%s\n%s: %s", s->out, said ? "lacks" : "has", want);
	free(want);
}

static void
test_proposals(void **state UNUSED)
{
	static const struct {
		const char *name, *version, *main_cf;
		const char *says[6];
		const char *not_said[4];
	} cases[] = {
		{"fresh", "3.7.11", "",
			{"smtp_tls_policy_maps = " TABLE ", " REGEXP "\n",
				"smtp_tls_CAfile = @/ca.pem\n", "smtp_dns_support_level = dnssec\n",
				"smtp_tls_security_level = dane\n", "is not there yet"},
			{"tls_required_enable"}},
		{"Debian 13", "3.10.13",
			"smtp_tls_security_level = may\nsmtp_tls_CApath = /etc/ssl/certs\n",
			{"smtp_tls_security_level = dane\n", "tls_required_enable = no\n",
				"smtp_tls_CAfile = @/ca.pem\n"},
			{"enforce_sts_mx_patterns"}},
		{"own maps first", "3.7.11",
			"smtp_tls_policy_maps = hash:/etc/postfix/own, inline:{a.test=may, "
			"{b.test = secure}}\n",
			{"smtp_tls_policy_maps = hash:/etc/postfix/own, inline:{a.test=may, "
			 "{b.test = secure}}, " TABLE ", " REGEXP "\n"},
			{NULL}},
		{"without the regexp", "3.7.11", "smtp_tls_policy_maps = " TABLE " hash:/own\n",
			{"smtp_tls_policy_maps = " TABLE ", hash:/own, " REGEXP "\n"}, {NULL}},
		{"stricter already", "3.7.11",
			"smtp_tls_security_level = encrypt\nsmtp_tls_CAfile = /etc/own.pem\n",
			{"/etc/own.pem is not there"},
			{"smtp_tls_security_level = ", "smtp_tls_CAfile ="}},
		{"patterns switched off", "3.11.7", "smtp_tls_enforce_sts_mx_patterns = no\n",
			{"smtp_tls_enforce_sts_mx_patterns = yes\n"}, {NULL}},
		{"fallback", "3.7.11",
			"smtp_fallback_relay = [relay.test]\ntransport_maps = hash:/t\n",
			{"! smtp_fallback_relay = [relay.test]", "! transport_maps"}, {NULL}},
		{"by sender", "3.7.11", "sender_dependent_default_transport_maps = hash:/t\n",
			{"! sender_dependent_default_transport_maps is set"}, {NULL}},
		{"TLS is required the older way", "3.7.11", "smtp_enforce_tls = yes\n",
			{"smtp_tls_policy_maps = " TABLE}, {"smtp_tls_security_level"}},
		{"the older way, which does not count beside a level", "3.7.11",
			"smtp_enforce_tls = yes\nsmtp_tls_security_level = may\n",
			{"smtp_tls_security_level = dane\n"}, {NULL}},
		{"tables of the older form that are not asked already", "3.7.11",
			"smtp_tls_policy_maps = hash:/own\nsmtp_tls_per_site = hash:/older\n",
			{"! smtp_tls_per_site = hash:/older: Postfix does not ask it"}, {NULL}},
		{"certificates of its own", "3.7.11", "smtp_tls_CAfile = @/types\n",
			{"! smtp_tls_CAfile = @/types: mail to listed domains whose certificates are of other CAs "
			 "waits.\n  Put all of @/ca.pem into it"},
			{"without certificates to trust"}},
		{"complete", "3.7.11",
			"smtp_tls_policy_maps = " TABLE ", " REGEXP
			"\nsmtp_tls_CAfile = @/ca.pem\nsmtp_dns_support_level = dnssec\n"
			"smtp_tls_security_level = dane\n",
			{"main.cf has all it needs"},
			{"main.cf needs", "--apply makes these", "! smtp_tls_CAfile"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;
		struct error err;
		char *before, *after, *name = xasprintf("proposal-%zu", i);

		print_message("# %s\n", cases[i].name);
		scene_init(&s, name, cases[i].version, cases[i].main_cf);
		before = main_cf(&s);
		if (run(&s, false, &err) != 0)
			fail_msg("%s", err.text);
		for (size_t k = 0; k < 6 && cases[i].says[k] != NULL; k++)
			must_say(&s, cases[i].says[k], true);
		for (size_t k = 0; k < 4 && cases[i].not_said[k] != NULL; k++)
			must_say(&s, cases[i].not_said[k], false);
		after = main_cf(&s);
		assert_string_equal(before, after);
		free(before);
		free(after);
		scene_clear(&s);
		free(name);
	}
}

static void
test_apply(void **state UNUSED)
{
	static const char text[] = "# mine\nmyhostname = mail.test\nsmtp_tls_security_level = may\n"
				   "smtp_tls_policy_maps = hash:/own\n";
	struct error err = {0};
	struct scene s;
	struct buf kept, value;
	char *after, *pattern, *want;
	glob_t found;

	scene_init(&s, "apply", "3.10.13", text);
	if (run(&s, true, &err) != 0)
		fail_msg("%s", err.text);
	must_say(&s, "now run: postfix reload", true);
	after = main_cf(&s);
	want = with_dir(&s, "smtp_tls_policy_maps = hash:/own, " TABLE ", " REGEXP "\n");
	assert_non_null(strstr(after, want));
	assert_non_null(strstr(after, "# mine\n"));
	assert_non_null(strstr(after, "tls_required_enable = no\n"));
	free(want);
	/* The backup is the old file; there is a map, without entries, for Postfix to open. */
	pattern = in_scene(&s, "main.cf.preload25-*");
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	read_bytes(found.gl_pathv[0], &kept);
	assert_string_equal(buf_str(&kept), text);
	globfree(&found);
	buf_init(&value, 100);
	assert_int_equal(
		map_find(s.settings.kind, s.settings.map_file, MAP_SENTINEL, &value, &err), 1);
	/* Again: nothing to do, and no second backup. */
	assert_int_equal(run(&s, true, &err), 0);
	must_say(&s, "main.cf has all it needs", true);
	want = main_cf(&s);
	assert_string_equal(after, want);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	globfree(&found);
	buf_clear(&kept);
	buf_clear(&value);
	free(want);
	free(pattern);
	free(after);
	scene_clear(&s);
}

/* --check answers by its exit code and changes nothing; --revert gives back what was there before the
 * first --apply, but not over what the administrator has written since. */
static void
test_check_and_revert(void **state UNUSED)
{
	static const char text[] = "myhostname = mail.test\nsmtp_tls_security_level = may\n"
				   "smtp_tls_policy_maps = hash:/own\n";
	const struct setup_options check = {.check = true}, revert = {.revert = true};
	struct error err = {0};
	struct scene s;
	char *before, *after, *changed;

	scene_init(&s, "revert", "3.10.13", text);
	before = main_cf(&s);
	assert_int_equal(run_with(&s, check, &err), 1);
	assert_int_equal(run_with(&s, revert, &err), 0);
	must_say(&s, "nothing to take away", true);
	after = main_cf(&s);
	assert_string_equal(before, after);
	free(after);
	assert_int_equal(run(&s, true, &err), 0);
	assert_int_equal(run_with(&s, check, &err), 0);
	/* One of the changes is made again by hand, and one more map is added. */
	after = main_cf(&s);
	changed = xasprintf("%ssmtp_tls_policy_maps = hash:/own, " TABLE ", " REGEXP ", hash:/more\n",
		after);
	free(after);
	after = strstr(changed, "smtp_tls_policy_maps");
	memmove(after, strchr(after, '\n') + 1, strlen(strchr(after, '\n') + 1) + 1);
	after = with_dir(&s, changed);
	put(&s, "main.cf", after);
	free(after);
	free(changed);
	if (run_with(&s, revert, &err) != 0)
		fail_msg("%s", err.text);
	after = main_cf(&s);
	assert_non_null(strstr(after, "smtp_tls_policy_maps = hash:/own, hash:/more\n"));
	assert_non_null(strstr(after, "smtp_tls_security_level = may\n"));
	assert_null(strstr(after, "smtp_dns_support_level"));
	assert_null(strstr(after, "smtp_tls_CAfile"));
	assert_null(strstr(after, "tls_required_enable"));
	assert_int_equal(run_with(&s, check, &err), 1);
	free(after);
	free(before);
	scene_clear(&s);
}

/* Another path in the configuration: the map that is left alone must not answer in front of the new one. */
static void
test_map_moved(void **state UNUSED)
{
	static const char text[] = "smtp_tls_security_level = may\nsmtp_tls_policy_maps = hash:/own\n";
	const struct setup_options check = {.check = true}, revert = {.revert = true};
	struct error err = {0};
	struct scene s;
	char *after, *path;

	scene_init(&s, "moved", "3.7.11", text);
	assert_int_equal(run(&s, true, &err), 0);
	path = s.settings.map_file;
	s.settings.map_file = in_scene(&s, "elsewhere.cdb");
	assert_int_equal(run_with(&s, check, &err), 1);
	must_say(&s, "smtp_tls_policy_maps = hash:/own, cdb:@/elsewhere, " REGEXP "\n", true);
	must_say(&s, "not the one of before", true);
	assert_int_equal(run(&s, true, &err), 0);
	must_say(&s, "smtp_tls_policy_maps = hash:/own, cdb:@/elsewhere, " REGEXP "\n", true);
	assert_int_equal(run_with(&s, check, &err), 0);
	/* And back; what was ours at any time is taken away. */
	free(s.settings.map_file);
	s.settings.map_file = path;
	assert_int_equal(run_with(&s, revert, &err), 0);
	after = main_cf(&s);
	assert_non_null(strstr(after, "smtp_tls_policy_maps = hash:/own\n"));
	assert_non_null(strstr(after, "smtp_tls_security_level = may\n"));
	assert_null(strstr(after, "smtp_dns_support_level"));
	free(after);
	scene_clear(&s);
}

/* The administrator has taken the list out of main.cf, and --revert takes the rest; as behind one that was
 * killed half-way. */
static void
test_revert_the_rest(void **state UNUSED)
{
	const struct setup_options revert = {.revert = true};
	struct error err = {0};
	struct scene s;
	char *after, *maps;

	scene_init(&s, "rest", "3.7.11", "smtp_tls_security_level = may\n");
	assert_int_equal(run(&s, true, &err), 0);
	after = main_cf(&s);
	maps = strstr(after, "smtp_tls_policy_maps");
	memmove(maps, strchr(maps, '\n') + 1, strlen(strchr(maps, '\n') + 1) + 1);
	put(&s, "main.cf", after);
	free(after);
	assert_int_equal(run_with(&s, revert, &err), 0);
	must_say(&s, "smtp_tls_security_level = may\n", true);
	after = main_cf(&s);
	assert_string_equal(after, "smtp_tls_security_level = may\n");
	free(after);
	assert_int_equal(run_with(&s, revert, &err), 0);
	must_say(&s, "nothing to take away", true);
	scene_clear(&s);
}

/* Where the list would protect nothing, or Postfix could not read it, nothing is changed. */
static void
test_refusals(void **state UNUSED)
{
	static const struct {
		const char *name, *version, *main_cf, *file, *text;
		int rc;
		const char *says;
	} cases[] = {
		{"relayhost", "3.7.11", "relayhost = [smart.test]\n", NULL, NULL, 1,
			"protects nothing"},
		{"default transport", "3.7.11", "default_transport = smtp:[smart.test]\n", NULL, NULL,
			1, "default_transport = smtp:[smart.test]: all mail goes there"},
		{"other maps in master.cf", "3.7.11", "", "master",
			"smtp/unix/smtp_tls_policy_maps = hash:/other\n", 1,
			"master.cf: smtp/unix, by which mail goes, has \"smtp_tls_policy_maps = hash:/other\""},
		{"own map for all", "3.7.11", "smtp_tls_policy_maps = hash:/own, regexp:/all\n",
			"regexp", "may\n", 1, "regexp:/all answers for every domain"},
		{"tables of the older form", "3.7.11", "smtp_tls_per_site = hash:/older\n", NULL, NULL, 1,
			"smtp_tls_per_site = hash:/older: Postfix would not ask it any more"},
		{"no cdb", "3.7.11", "", "types", "btree\nhash\n", -1, "postfix-cdb"},
		{"too old", "3.3.1", "", NULL, NULL, -1, "too old"},
		{"no version", "none", "", NULL, NULL, -1, "version"},
		{"open brace", "3.7.11", "smtp_tls_policy_maps = regexp:{{/x/ y}\n", NULL, NULL, -1,
			"never closed"},
		{"postconf fails", "3.7.11", "", "broken", "", -1, "something is wrong"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;
		struct error err;
		char *after, *name = xasprintf("refusal-%zu", i);

		print_message("# %s\n", cases[i].name);
		scene_init(&s, name, cases[i].version, cases[i].main_cf);
		if (cases[i].file != NULL)
			put(&s, cases[i].file, cases[i].text);
		for (int apply = 0; apply < 2; apply++) {
			assert_int_equal(run(&s, apply, &err), cases[i].rc);
			if (cases[i].rc > 0)
				must_say(&s, cases[i].says, true);
			else if (strstr(err.text, cases[i].says) == NULL)
				fail_msg("%s lacks %s", err.text, cases[i].says);
			if (cases[i].rc < 0)
				assert_int_equal(error_exit_code(&err), 2);
		}
		after = main_cf(&s);
		assert_string_equal(after, cases[i].main_cf);
		assert_false(file_exists(s.settings.map_file));
		free(after);
		scene_clear(&s);
		free(name);
	}
}

/* What master.cf says otherwise than main.cf is told where it takes mail past the list. */
static void
test_overrides(void **state UNUSED)
{
	static const struct {
		const char *line, *says; /* NULL: nothing */
	} cases[] = {
		{"out/unix/smtp_tls_policy_maps = hash:/other",
			"! master.cf: out/unix has \"smtp_tls_policy_maps = hash:/other\" of its own: mail that"},
		{"out/unix/smtp_tls_policy_maps = hash:/other, $smtp_tls_policy_maps", NULL},
		{"out/unix/smtp_tls_policy_maps = hash:/other, " TABLE, NULL},
		{"smtp/unix/smtp_tls_policy_maps = " TABLE, NULL},
		{"smtpfast/unix/smtp_tls_policy_maps =",
			"! master.cf: smtpfast/unix has \"smtp_tls_policy_maps = \" of its own: mail that"},
		{"smtp/unix/smtp_dns_support_level = enabled",
			"! master.cf: smtp/unix has \"smtp_dns_support_level = enabled\" of its own, what"},
		{"smtp/unix/smtp_helo_name = mail.test", NULL},
		{"no such form", NULL},
		{"relay/unix", NULL},
		{"relay/unix/x", NULL},
	};
	struct scene s;
	struct error err;

	scene_init(&s, "overrides", "3.7.11", "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = with_dir(&s, cases[i].line);

		print_message("# %s\n", cases[i].line);
		put(&s, "master", text);
		free(text);
		assert_int_equal(run(&s, false, &err), 0);
		must_say(&s, cases[i].says != NULL ? cases[i].says : "! master.cf",
			cases[i].says != NULL);
	}
	scene_clear(&s);
}

static void
test_split(void **state UNUSED)
{
	static const struct {
		const char *text;
		const char *want[4];
	} cases[] = {
		{"", {NULL}},
		{" , ,", {NULL}},
		{"hash:/a", {"hash:/a"}},
		{"hash:/a,cdb:/b  texthash:/c", {"hash:/a", "cdb:/b", "texthash:/c"}},
		{REGEXP ",hash:/a", {REGEXP, "hash:/a"}},
		{"inline:{a=b, {c = d, e}} x:y", {"inline:{a=b, {c = d, e}}", "x:y"}},
		{"x:{a, b", {"x:{a, b"}},
		{"x} y", {"x}", "y"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t count;
		char **maps = postfix_maps_split(cases[i].text, &count);

		for (size_t k = 0; k < count; k++) {
			assert_true(k < 4 && cases[i].want[k] != NULL);
			assert_string_equal(maps[k], cases[i].want[k]);
			free(maps[k]);
		}
		assert_true(count == 4 || cases[i].want[count] == NULL);
		free(maps);
	}
}

/* None is lost, however many there are. */
static void
test_split_many(void **state UNUSED)
{
	enum { MANY = 1000 };
	char text[2 * MANY];
	char **maps;
	size_t count;

	for (size_t i = 0; i < MANY; i++)
		memcpy(text + 2 * i, "m ", 2);
	text[2 * MANY - 1] = '\0';
	maps = postfix_maps_split(text, &count);
	assert_int_equal(count, MANY);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(maps[i], "m");
		free(maps[i]);
	}
	free(maps);
}

/* Which lines follow from the Postfix that is here. */
static void
test_decide(void **state UNUSED)
{
	static const struct {
		const char *version, *main_cf;
		enum dane_setting dane;
		bool broken;
		const char *before, *want;
	} cases[] = {
		{"3.7.11", "", DANE_NO, false, "postfix cdb plain dane=yes",
			"postfix cdb plain dane=no"},
		{"3.10.4", "", DANE_YES, false, "postfix cdb plain dane=no",
			"postfix cdb plain dane=yes"},
		{"3.10.5", "", DANE_YES, false, NULL, "postfix cdb sts dane=yes"},
		{"nonsense", "", DANE_NO, false, NULL, "postfix cdb plain dane=no"},
		/* The map is in use, and Postfix does not ask for DNSSEC. */
		{"3.7.11", "smtp_tls_policy_maps = " TABLE "\n", DANE_AUTO, false,
			"postfix cdb plain dane=yes", "postfix cdb plain dane=no"},
		/* Postfix cannot be asked: what was decided when it could be stands. */
		{"3.10.5", "", DANE_AUTO, true, "postfix cdb sts dane=yes",
			"postfix cdb sts dane=yes"},
		{"3.10.5", "", DANE_AUTO, true, "postfix cdb sts dane=no",
			"postfix cdb sts dane=no"},
		{"3.10.5", "", DANE_NO, true, "postfix cdb sts dane=yes",
			"postfix cdb sts dane=no"},
		{"3.10.5", "", DANE_AUTO, true, "postfix cdb plain dane=yes",
			"postfix cdb plain dane=yes"},
		{"3.10.5", "", DANE_AUTO, true, NULL, "postfix cdb plain dane=no"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;
		struct recipe recipe;
		char *name = xasprintf("decide-%zu", i);

		scene_init(&s, name, cases[i].version, cases[i].main_cf);
		if (cases[i].broken)
			put(&s, "broken", "");
		s.settings.dane = cases[i].dane;
		mta_postfix.decide(&s.settings, cases[i].before, NULL, &recipe);
		assert_string_equal(recipe.text, cases[i].want);
		scene_clear(&s);
		free(name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proposals),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_check_and_revert),
		cmocka_unit_test(test_map_moved),
		cmocka_unit_test(test_revert_the_rest),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_many),
		cmocka_unit_test(test_decide),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

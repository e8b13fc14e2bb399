/* The administrator's rules: what is read, what is refused and how that is said, which of several
 * counts, and what they make of a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "common/str.h"
#include "export/list_reader.h"
#include "updater/overlay.h"
#include "updater/rules.h"
#include "updater/typed_domain.h"

#include "updater_repo.h"

static struct rules *
rules_of(const char *text)
{
	struct rules *r = rules_new();

	OK(rules_add_text(r, "rules", text, strlen(text), &ok_err));
	rules_settle(r);
	return r;
}

/* All of them, as they are written, "; " between them. */
static void
format_all(const struct rules *r, struct buf *out)
{
	buf_init(out, 1 << 20);
	for (size_t i = 0; i < rules_count(r); i++) {
		buf_add_str(out, i > 0 ? "; " : "");
		rule_format(rules_nth(r, i), out);
	}
}

static void
test_typed(void **state UNUSED)
{
	static const struct {
		const char *typed, *want; /* NULL: refused */
	} cases[] = {
		{"Example.ORG", "example.org"},
		{"example.org.", "example.org"},
		{"b\xc3\xbc"
		 "cher.example",
			"xn--bcher-kva.example"},
		{"B\xc3\x9c"
		 "CHER.example.",
			"xn--bcher-kva.example"},
		/* Decomposed, full width, another full stop. */
		{"bu\xcc\x88"
		 "cher.example",
			"xn--bcher-kva.example"},
		{"\xef\xbd\x85xample.org", "example.org"},
		{"example\xe3\x80\x82org", "example.org"},
		{"stra\xc3\x9f"
		 "e.example",
			"xn--strae-oqa.example"},
		{"", NULL},
		{".", NULL},
		{"org", NULL},
		{"example..org", NULL},
		{"*.example.org", NULL},
		{"-a.example", NULL},
		{"192.0.2.1", NULL},
		{"exa_mple.org", NULL},
		{"b\xc3\xbc"
		 "_cher.example",
			NULL},
		{"\xff\xfe.example", NULL},
		{"a\xe2\x84\x80.example", NULL}, /* maps to "a/c" */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[TYPED_DOMAIN_SIZE];
		struct error err = {0};
		int rc = typed_domain(cases[i].typed, strlen(cases[i].typed), out, &err);

		if (cases[i].want == NULL ? rc == 0 : rc != 0 || strcmp(out, cases[i].want) != 0)
			fail_msg("%s: %d %s", cases[i].typed, rc, rc == 0 ? out : err.text);
		if (rc < 0)
			assert_int_equal(err.kind, ERROR_CONFIG);
	}
}

static void
test_typed_length(void **state UNUSED)
{
	char name[2048], out[TYPED_DOMAIN_SIZE];
	struct error err;

	/* 253 octets, with and without root dot; 254. */
	for (size_t i = 0; i < 254; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	assert_int_equal(typed_domain(name, 253, out, &err), 0);
	name[253] = '.';
	assert_int_equal(typed_domain(name, 254, out, &err), 0);
	assert_int_equal(strlen(out), 253);
	name[253] = 'a';
	assert_int_equal(typed_domain(name, 254, out, &err), -1);
	assert_non_null(strstr(err.text, "longer than 253 octets"));
	memset(name, 'a', sizeof(name));
	assert_int_equal(typed_domain(name, sizeof(name), out, &err), -1);
	/* Too long only once it is mapped. */
	for (size_t i = 0; i + 1 < 400; i += 2)
		memcpy(name + i, i % 20 == 18 ? "a." : "\xc3\xbc", 2);
	assert_int_equal(typed_domain(name, 400, out, &err), -1);
}

static void
test_read(void **state UNUSED)
{
	static const char text[] =
		"# of ours\n"
		"\n"
		"   \t\n"
		"except Example.ORG. until 2026-12-24   # no certificate yet\n"
		"\texcept\texample.net\r\n"
		"add partner.example mx mx2.partner.example *.in.partner.example mx2.partner.example\n"
		"add bank.example auth dane mx MX.bank.example.\n"
		"add both.example auth any mx mx.both.example\n"
		"early-adopter early.example\n"
		"except b\xc3\xbc"
		"cher.example\n"
		"early-adopter all";
	struct rules *r = rules_of(text);
	const struct rule *rule;
	struct buf all;

	format_all(r, &all);
	assert_string_equal(buf_str(&all),
		"add bank.example auth dane mx mx.bank.example; "
		"add both.example auth any mx mx.both.example; "
		"early-adopter early.example; "
		"except example.net; "
		"except example.org until 2026-12-24; "
		"add partner.example auth pkix mx *.in.partner.example mx2.partner.example; "
		"except xn--bcher-kva.example");
	buf_clear(&all);
	assert_int_equal(rules_void_count(r), 0);
	rule = rules_find(r, RULE_EXCEPT, "example.org");
	assert_non_null(rule);
	assert_string_equal(rule->file, "rules");
	assert_int_equal(rule->line, 4);
	/* Its last day is over with that day. */
	assert_int_equal(rule->until_s, INT64_C(1798156800)); /* 2026-12-25T00:00:00Z */
	assert_true(rule_is_in_force(rule, rule->until_s - 1));
	assert_false(rule_is_in_force(rule, rule->until_s));
	assert_null(rules_find(r, RULE_EXCEPT, "a.example.org"));
	assert_null(rules_find(r, RULE_ADD, "example.org"));
	assert_int_equal(rules_early_all(r)->line, 11);
	assert_int_equal(rules_find(r, RULE_EARLY, "early.example")->line, 9);
	assert_int_equal(rules_find(r, RULE_EARLY, "other.example")->line, 11);
	rules_free(r);
	rules_free(NULL);
	assert_int_equal(rules_count(NULL), 0);
	assert_null(rules_find(NULL, RULE_EARLY, "example.org"));
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"excpet example.org", "\"excpet\": no rule: except, add or early-adopter"},
		{"Except example.org", "no rule"},
		{"\x1b[31m", "\"\\x1b[31m\": no rule"},
		{"except", "except: no domain"},
		{"except   # example.org", "except: no domain"},
		{"except org", "org: not a domain"},
		{"except *.example.org", "*.example.org: not a domain"},
		{"except .example.org", ".example.org: not a domain"},
		{"except user@example.org", "not a domain"},
		{"except example.org example.net", "\"example.net\": only until may follow here"},
		{"except example.org until", "until \"\": not a day like 2026-12-31"},
		{"except example.org until 2026-02-30", "not a day"},
		{"except example.org until 20261231", "not a day"},
		{"except example.org until 2026-12-31T00:00:00Z", "not a day"},
		{"except example.org until tomorrow", "not a day"},
		{"except example.org until 2026-12-31 or so", "\"or\": nothing may follow here"},
		{"except serial.preload25.invalid", "the updater's own"},
		{"add serial.preload25.invalid mx a.example", "the updater's own"},
		{"add example.org", "\"\": mx and the names"},
		{"add example.org mx", "no mx pattern"},
		{"add example.org mx .example.org", "mx: .example.org: not a domain"},
		{"add example.org mx *.*.example.org", "mx: *.example.org: not a domain"},
		{"add example.org mx *", "mx: *: not a domain"},
		{"add example.org mx localhost", "mx: localhost: not a domain"},
		{"add example.org mx 192.0.2.1", "not a domain"},
		{"add example.org auth none mx a.example", "auth \"none\": not pkix, dane or any"},
		{"add example.org auth", "auth \"\": not pkix"},
		{"add example.org auth mx a.example", "auth \"mx\": not pkix"},
		{"add example.org auth pkix a.example", "\"a.example\": mx and the names"},
		{"add example.org mx a.example until 2026-12-31", "mx: until: not a domain"},
		{"early-adopter", "early-adopter: no domain"},
		{"early-adopter all domains", "\"domains\": nothing may follow here"},
		{"early-adopter example.org now", "nothing may follow here"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = xasprintf("# first\n%s\nexcept example.net\n", cases[i].line);
		struct rules *r = rules_new();
		struct error err = {0};

		if (rules_add_text(r, "/etc/rules", text, strlen(text), &err) == 0)
			fail_msg("%s: taken", cases[i].line);
		if (err.kind != ERROR_CONFIG || !str_starts(err.text, "/etc/rules:2: ") ||
			strstr(err.text, cases[i].why) == NULL)
			fail_msg("%s: %s, want %s", cases[i].line, err.text, cases[i].why);
		rules_free(r);
		free(text);
	}
}

static int
add_line(const char *text, size_t len, struct error *err)
{
	struct rules *r = rules_new();
	int rc = rules_add_text(r, "rules", text, len, err);

	rules_free(r);
	return rc;
}

static void
test_limits(void **state UNUSED)
{
	struct error err = {0};
	struct buf text;
	struct rules *r;
	size_t at;

	/* Octets of a line. */
	buf_init(&text, 1 << 27);
	buf_add_str(&text, "except example.org # ");
	while (text.len < RULES_LINE_MAX)
		buf_add_char(&text, 'x');
	assert_int_equal(add_line(text.data, text.len, &err), 0);
	buf_add_char(&text, 'x');
	assert_int_equal(add_line(text.data, text.len, &err), -1);
	assert_string_equal(err.text, "rules:1: longer than 65536 octets");
	assert_int_equal(add_line("except example.org # \0", 22, &err), -1);
	assert_string_equal(err.text, "rules:1: NUL byte");
	assert_int_equal(add_line("", 0, &err), 0);
	/* Patterns: as many as an entry of the list may have. */
	buf_reset(&text);
	buf_add_str(&text, "add example.org mx");
	for (int i = 0; i < LIST_MXS_MAX; i++)
		buf_addf(&text, " mx%d.example.org", i);
	assert_int_equal(add_line(text.data, text.len, &err), 0);
	buf_add_str(&text, " one.more.example");
	assert_int_equal(add_line(text.data, text.len, &err), -1);
	assert_string_equal(err.text, "rules:1: more than 256 mx patterns");
	/* Rules. */
	buf_reset(&text);
	for (size_t i = 0; i < RULES_MAX; i++)
		buf_addf(&text, "except d%zu.example\n", (i * 7919) % RULES_MAX);
	r = rules_new();
	OK(rules_add_text(r, "rules", text.data, text.len, &ok_err));
	assert_int_equal(rules_add_text(r, "more", "\nearly-adopter all\n", 20, &err), -1);
	assert_string_equal(err.text, "more:2: more than 1000000 rules");
	rules_settle(r);
	assert_int_equal(rules_count(r), RULES_MAX);
	at = 0;
	for (size_t i = 1; i < rules_count(r); i++)
		at += strcmp(rules_nth(r, i - 1)->domain, rules_nth(r, i)->domain) >= 0;
	assert_int_equal(at, 0);
	assert_non_null(rules_find(r, RULE_EXCEPT, "d999999.example"));
	assert_null(rules_find(r, RULE_EXCEPT, "d1000000.example"));
	rules_free(r);
	buf_clear(&text);
}

static void
test_later_counts(void **state UNUSED)
{
	struct rules *r = rules_of("except a.example\n"
				   "add a.example mx one.example\n"
				   "early-adopter all\n"
				   "except a.example until 2026-12-31\n"
				   "add a.example mx two.example\n"
				   "add a.example mx three.example\n"
				   "early-adopter all\n");
	struct buf all;

	format_all(r, &all);
	assert_string_equal(buf_str(&all),
		"except a.example until 2026-12-31; add a.example auth pkix mx three.example");
	assert_int_equal(rules_void_count(r), 4);
	assert_int_equal(rules_early_all(r)->line, 7);
	buf_clear(&all);
	rules_free(r);
}

/* The digest is of what is in force: not of comments, places and what is void. */
static void
test_digest(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t now_s;
		bool same;
	} cases[] = {
		{"except a.example until 2026-11-23\nadd b.example mx mx.b.example\n", NOW, true},
		{"# more\nadd B.example auth pkix mx mx.b.example\n"
		 "except a.example\nexcept a.example until 2026-11-23\n",
			NOW, true},
		{"except a.example until 2026-11-23\nadd b.example mx mx.b.example\n", NOW + DAY,
			false},
		{"except a.example until 2026-11-24\nadd b.example mx mx.b.example\n", NOW, false},
		{"except a.example until 2026-11-23\nadd b.example auth any mx mx.b.example\n", NOW,
			false},
		{"except a.example until 2026-11-23\n", NOW, false},
		{"except a.example until 2026-11-23\nadd b.example mx mx.b.example\n"
		 "early-adopter all\n",
			NOW, false},
	};
	char first[65], digest[65];
	struct rules *r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		r = rules_of(cases[i].text);
		rules_digest(r, cases[i].now_s, i == 0 ? first : digest);
		if (i > 0 && (strcmp(first, digest) == 0) != cases[i].same)
			fail_msg("case %zu: %s and %s", i, first, digest);
		rules_free(r);
	}
	/* None are like none in force. */
	rules_digest(NULL, NOW, digest);
	assert_string_equal(digest, "");
	r = rules_of("except a.example until 2026-11-22\n");
	rules_digest(r, NOW, digest);
	assert_string_equal(digest, "");
	rules_free(r);
}

static void
test_files(void **state UNUSED)
{
	char *file = in_temp("rules"), *dir = in_temp("rules.d"), *path;
	struct rules_from from = {.file = file, .dir = dir};
	struct error err = {0};
	struct rules *r;
	struct buf all;

	/* Missing ones are no rules, unless they were asked for. */
	OK(rules_load(&from, &r, &ok_err));
	assert_int_equal(rules_count(r), 0);
	rules_free(r);
	from.file_must_exist = true;
	assert_int_equal(rules_load(&from, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, file));
	assert_null(r);
	write_text(file, "except a.example\nexcept b.example\n", 34);
	from.dir_must_exist = true;
	assert_int_equal(rules_load(&from, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, dir));
	/* In the order of their names, behind the file; others are not looked at. */
	OK(file_mkdirs(dir, 0755, &ok_err));
	path = in_temp("rules.d/20-more.rules");
	write_text(path, "except a.example until 2030-02-01", 33);
	free(path);
	path = in_temp("rules.d/10-first.rules");
	write_text(path, "except a.example until 2030-01-01\nexcept c.example\n", 51);
	free(path);
	path = in_temp("rules.d/20-more.rules~");
	write_text(path, "nonsense\n", 9);
	free(path);
	path = in_temp("rules.d/.hidden.rules");
	write_text(path, "nonsense\n", 9);
	free(path);
	OK(rules_load(&from, &r, &ok_err));
	format_all(r, &all);
	assert_string_equal(buf_str(&all),
		"except a.example until 2030-02-01; except b.example; except c.example");
	assert_true(str_ends(rules_nth(r, 0)->file, "/rules.d/20-more.rules"));
	buf_clear(&all);
	rules_free(r);
	/* One that is wrong, or no file at all. */
	path = in_temp("rules.d/30-wrong.rules");
	write_text(path, "\n\nexcept\n", 9);
	assert_int_equal(rules_load(&from, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "/rules.d/30-wrong.rules:3: except: no domain"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(rules_load(&from, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "/rules.d/30-wrong.rules"));
	free(path);
	free(file);
	free(dir);
}

/* --- on top of a list ---------------------------------------------------------------------------
 */

static void
vary(int i, struct list_entry *e)
{
	if (i == 2 || i == 4)
		e->policy.mode = LIST_MODE_TESTING;
}

/* "listed 1, early 2, ..." of a list with the entries first to last under rules. */
static void
overlay_text(const char *rules, int first, int last, struct buf *out)
{
	static const char *const kinds[] = {[OVERLAY_LISTED] = "listed",
		[OVERLAY_EARLY] = "early",
		[OVERLAY_ADDED] = "added",
		[OVERLAY_EXCEPTED] = "excepted"};
	struct list_spec spec = {.version = 1, .first = first, .last = last, .vary = vary};
	char *path = in_temp("overlay.list");
	struct rules *r = rules != NULL ? rules_of(rules) : NULL;
	const struct overlay_entry *e;
	struct overlay_list list = {.trust = TRUST_ENFORCE};
	struct overlay *o;
	struct error err = {0};
	int rc;

	write_list(path, &spec);
	OK(list_reader_open(path, &list.list, &ok_err));
	o = overlay_new(&list, 1, r, NOW);
	buf_init(out, 1 << 20);
	while ((rc = overlay_next(o, &e, &err)) > 0) {
		struct overlay_entry alone;

		buf_addf(out, "%s%s %s%s%s %s", out->len > 0 ? ", " : "", kinds[e->kind],
			e->entry.domain, e->listed ? "" : " (not listed)",
			e->entry.policy.mode == LIST_MODE_TESTING ? " testing" : "",
			e->entry.policy.mxs[0]);
		/* One alone is decided as in the stream. */
		assert_int_equal(e->rule != NULL, e->kind != OVERLAY_LISTED);
		if (!e->listed) {
			assert_true(overlay_decide(e->entry.domain, NULL, NULL, 0, r, NOW, &alone));
			assert_int_equal(alone.kind, e->kind);
			assert_ptr_equal(alone.rule, e->rule);
		}
	}
	assert_int_equal(rc, 0);
	overlay_free(o);
	list_reader_close(list.list);
	rules_free(r);
	free(path);
}

#define DOMAIN(n) "example-0000000" #n ".test"
#define LISTED(n) "listed " DOMAIN(n) " mx." DOMAIN(n)

static void
test_overlay(void **state UNUSED)
{
	static const struct {
		const char *name, *rules;
		int first, last;
		const char *want;
	} cases[] = {
		{"no rules", NULL, 1, 3,
			LISTED(1) ", listed " DOMAIN(2) " testing mx." DOMAIN(2) ", " LISTED(3)},
		{"an exception", "except " DOMAIN(1), 1, 1, "excepted " DOMAIN(1) " mx." DOMAIN(1)},
		{"its last day", "except " DOMAIN(1) " until 2026-11-23", 1, 1,
			"excepted " DOMAIN(1) " mx." DOMAIN(1)},
		{"the day after it", "except " DOMAIN(1) " until 2026-11-22", 1, 1, LISTED(1)},
		{"of what is not listed", "except a.test\nexcept " DOMAIN(0) "\nexcept z.test", 1, 1,
			LISTED(1)},
		{"not of a parent or a child", "except test.test\nexcept a." DOMAIN(1), 1, 1, LISTED(1)},
		{"an addition before", "add a.test mx mx.a.test", 1, 1,
			"added a.test (not listed) mx.a.test, " LISTED(1)},
		{"an addition behind", "add z.test mx mx.z.test", 1, 1,
			LISTED(1) ", added z.test (not listed) mx.z.test"},
		{"an addition to nothing", "add a.test mx mx.a.test\nadd z.test mx mx.z.test", 1, 0,
			"added a.test (not listed) mx.a.test, added z.test (not listed) mx.z.test"},
		{"an addition in place of an entry", "add " DOMAIN(1) " mx mine.test", 1, 1,
			"added " DOMAIN(1) " mine.test"},
		{"in place of one in testing mode", "add " DOMAIN(2) " mx mine.test", 2, 2,
			"added " DOMAIN(2) " mine.test"},
		{"an exception goes before it", "except " DOMAIN(1) "\nadd " DOMAIN(1) " mx mine.test",
			1, 1, "excepted " DOMAIN(1) " mine.test"},
		{"also where nothing is listed", "add a.test mx mine.test\nexcept a.test", 1, 0,
			"excepted a.test (not listed) mine.test"},
		{"while it lasts",
			"except " DOMAIN(1) " until 2026-11-22\nadd " DOMAIN(1) " mx mine.test", 1, 1,
			"added " DOMAIN(1) " mine.test"},
		{"an early adopter", "early-adopter " DOMAIN(2), 1, 2,
			LISTED(1) ", early " DOMAIN(2) " mx." DOMAIN(2)},
		{"of what is enforced", "early-adopter " DOMAIN(1), 1, 1, LISTED(1)},
		{"of what is not listed", "early-adopter a.test", 1, 1, LISTED(1)},
		{"of all", "early-adopter all", 1, 4,
			LISTED(1) ", early " DOMAIN(2) " mx." DOMAIN(2) ", " LISTED(
				3) ", early " DOMAIN(4) " mx." DOMAIN(4)},
		{"of all but one", "early-adopter all\nexcept " DOMAIN(2), 2, 4,
			"excepted " DOMAIN(2) " testing mx." DOMAIN(2) ", " LISTED(
				3) ", early " DOMAIN(4) " mx." DOMAIN(4)},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf seen;

		overlay_text(cases[i].rules, cases[i].first, cases[i].last, &seen);
		if (strcmp(buf_str(&seen), cases[i].want) != 0)
			fail_msg("%s: %s, want %s", cases[i].name, buf_str(&seen), cases[i].want);
		buf_clear(&seen);
	}
}

/* A list that is not sound stays so under rules. */
static void
test_overlay_unsound(void **state UNUSED)
{
	char *path = in_temp("unsound.list");
	const struct overlay_entry *e;
	struct overlay_list list = {.trust = TRUST_ENFORCE};
	struct rules *r = rules_of("add zz.test mx mx.zz.test");
	struct error err = {0};
	struct overlay *o;
	struct buf text;
	char *at;
	int rc;

	write_list(path, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	read_bytes(path, &text);
	at = strstr(text.data, "\"example-00000003");
	assert_non_null(at);
	at[1] = 'E';
	write_text(path, text.data, text.len);
	OK(list_reader_open(path, &list.list, &ok_err));
	o = overlay_new(&list, 1, r, NOW);
	while ((rc = overlay_next(o, &e, &err)) > 0)
		assert_string_not_equal(e->entry.domain, "zz.test");
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	overlay_free(o);
	list_reader_close(list.list);
	rules_free(r);
	buf_clear(&text);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_typed_length),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_later_counts),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_overlay_unsound),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

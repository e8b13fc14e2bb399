/* Several lists, one over the other: which entry counts, how far each list is trusted, what tells one set of them
 * from another, and which sets can be gone back to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/brake.h"
#include "updater/generations.h"
#include "updater/list_set.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/rules.h"
#include "updater/state.h"
#include "updater/trust.h"

#include "updater_repo.h"

#define LISTS 3

/* --- which entry counts -------------------------------------------------------------------------
 */

/* The first list only. */
static void
vary(int i, struct list_entry *e)
{
	if (i % 4 == 0)
		e->policy.mode = LIST_MODE_TESTING;
	/* Run out, as lists go. */
	if (i % 5 == 0)
		e->confirmed_s = NOW - 60 * DAY;
}

struct scene {
	char *paths[LISTS];
	struct overlay_list lists[LISTS];
	struct rules *rules;
};

static void
scene_open(struct scene *s)
{
	for (int i = 0; i < LISTS; i++)
		OK(list_reader_open(s->paths[i], &s->lists[i].list, &ok_err));
}

static void
scene_close(struct scene *s)
{
	for (int i = 0; i < LISTS; i++)
		list_reader_close(s->lists[i].list);
}

/* Lists with the entries 1 to 12, 3 to 14 and 5 to 20. */
static void
scene_init(struct scene *s, const char *rules)
{
	struct error err = {0};

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < LISTS; i++) {
		char *name = xasprintf("list-%d", i);

		s->paths[i] = in_temp(name);
		write_list(s->paths[i], &(const struct list_spec){.version = 10 + i,
						.first = 1 + 2 * i,
						.last = i == 2 ? 20 : 12 + 2 * i,
						.vary = i == 0 ? vary : NULL});
		free(name);
	}
	s->rules = rules_new();
	if (rules_add_text(s->rules, "rules", rules, strlen(rules), &err) < 0)
		fail_msg("%s", err.text);
	rules_settle(s->rules);
}

static void
scene_clear(struct scene *s)
{
	for (int i = 0; i < LISTS; i++)
		free(s->paths[i]);
	rules_free(s->rules);
}

/* What one domain comes to, asked alone. */
static void
check_alone(struct scene *s, const struct overlay_entry *e)
{
	const struct list_entry *entries[LISTS];
	struct overlay_list lists[LISTS];
	struct overlay_entry alone;
	struct error err = {0};

	memcpy(lists, s->lists, sizeof(lists));
	for (int i = 0; i < LISTS; i++) {
		OK(list_reader_open(s->paths[i], &lists[i].list, &ok_err));
		if (list_reader_find(lists[i].list, e->entry.domain, &entries[i], &err) != 1)
			entries[i] = NULL;
	}
	assert_true(overlay_decide(e->entry.domain, lists, entries, LISTS, s->rules, NOW, &alone));
	assert_int_equal(alone.kind, e->kind);
	assert_int_equal(alone.listed, e->listed);
	if (e->listed)
		assert_int_equal(alone.from, e->from);
	assert_ptr_equal(alone.rule, e->rule);
	assert_int_equal(alone.header->version, e->header->version);
	assert_int_equal(alone.entry.policy.mode, e->entry.policy.mode);
	for (int i = 0; i < LISTS; i++)
		list_reader_close(lists[i].list);
}

/* "1:listed/0 2:early/1 ...": domain, kind, list; "?": a kind that the list has not. */
static char *
outcome(struct scene *s, struct overlay_share shares[static LISTS])
{
	static const char *const kinds[] = {[OVERLAY_LISTED] = "listed",
		[OVERLAY_EARLY] = "early",
		[OVERLAY_ADDED] = "added",
		[OVERLAY_EXCEPTED] = "excepted",
		[OVERLAY_TRIAL] = "trial",
		[OVERLAY_UNTRUSTED] = "untrusted"};
	const struct overlay_entry *e;
	struct error err = {0};
	struct overlay *o;
	struct buf out;
	char *text;
	int rc;

	scene_open(s);
	buf_init(&out, 1 << 16);
	o = overlay_new(s->lists, LISTS, s->rules, NOW);
	while ((rc = overlay_next(o, &e, &err)) > 0) {
		buf_addf(&out, "%s%ld:%s", out.len > 0 ? " " : "",
			strtol(e->entry.domain + strlen("example-"), NULL, 10),
			kinds[e->kind]);
		if (e->listed)
			buf_addf(&out, "/%zu%s", e->from,
				e->entry.policy.mode == LIST_MODE_TESTING ? "t" : "");
		check_alone(s, e);
	}
	if (rc < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < LISTS; i++)
		shares[i] = overlay_share(o, i);
	overlay_free(o);
	scene_close(s);
	text = xstrdup(buf_str(&out));
	buf_clear(&out);
	return text;
}

static void
test_precedence(void **state UNUSED)
{
	static const char *const some[] = {"example-00000007.test", "nobody.test"};
	static const struct {
		const char *name, *rules;
		enum trust trust[LISTS];
		const char *const *domains; /* of the first list */
		size_t domain_count;
		const char *want;
	} cases[] = {
		/* 4 and 8 are in testing mode in the first, 5 and 10 have run out. */
		{"order", "", {TRUST_ENFORCE, TRUST_ENFORCE, TRUST_ENFORCE}, NULL, 0,
			"1:listed/0 2:listed/0 3:listed/0 4:listed/0t 5:listed/1 6:listed/0 7:listed/0 "
			"8:listed/0t 9:listed/0 10:listed/1 11:listed/0 12:listed/0t 13:listed/1 14:listed/1 "
			"15:listed/2 16:listed/2 17:listed/2 18:listed/2 19:listed/2 20:listed/2"},
		{"early adopter of the first", "", {TRUST_EARLY, TRUST_ENFORCE, TRUST_ENFORCE}, NULL, 0,
			"1:listed/0 2:listed/0 3:listed/0 4:early/0 5:listed/1 6:listed/0 7:listed/0 "
			"8:early/0 9:listed/0 10:listed/1 11:listed/0 12:early/0 13:listed/1 14:listed/1 "
			"15:listed/2 16:listed/2 17:listed/2 18:listed/2 19:listed/2 20:listed/2"},
		{"the first is being tested", "early-adopter all\nearly-adopter example-00000001.test",
			{TRUST_TESTING, TRUST_ENFORCE, TRUST_TESTING}, NULL, 0,
			"1:early/0 2:trial/0 3:listed/1 4:listed/1 5:listed/1 6:listed/1 7:listed/1 "
			"8:listed/1 9:listed/1 10:listed/1 11:listed/1 12:listed/1 13:listed/1 14:listed/1 "
			"15:trial/2 16:trial/2 17:trial/2 18:trial/2 19:trial/2 20:trial/2"},
		/* 5 and 10, run out in the first, are only tested elsewhere: nothing of these without a rule. */
		{"run out, and tested elsewhere", "early-adopter example-00000005.test",
			{TRUST_ENFORCE, TRUST_TESTING, TRUST_TESTING}, NULL, 0,
			"1:listed/0 2:listed/0 3:listed/0 4:listed/0t 5:early/1 6:listed/0 7:listed/0 "
			"8:listed/0t 9:listed/0 10:trial/1 11:listed/0 12:listed/0t 13:trial/1 14:trial/1 "
			"15:trial/2 16:trial/2 17:trial/2 18:trial/2 19:trial/2 20:trial/2"},
		/* Of tested lists the first that has not run out, or the one that has and is not tested. */
		{"run out where it is tested", "early-adopter example-00000005.test",
			{TRUST_TESTING, TRUST_TESTING, TRUST_TESTING}, NULL, 0,
			"1:trial/0 2:trial/0 3:trial/0 4:trial/0t 5:early/1 6:trial/0 7:trial/0 "
			"8:trial/0t 9:trial/0 10:trial/1 11:trial/0 12:trial/0t 13:trial/1 14:trial/1 "
			"15:trial/2 16:trial/2 17:trial/2 18:trial/2 19:trial/2 20:trial/2"},
		{"the first is trusted for one", "", {TRUST_ENFORCE, TRUST_ENFORCE, TRUST_ENFORCE}, some, 2,
			"1:untrusted/0 2:untrusted/0 3:listed/1 4:listed/1 5:listed/1 6:listed/1 7:listed/0 "
			"8:listed/1 9:listed/1 10:listed/1 11:listed/1 12:listed/1 13:listed/1 14:listed/1 "
			"15:listed/2 16:listed/2 17:listed/2 18:listed/2 19:listed/2 20:listed/2"},
		{"rules go first",
			"except example-00000006.test\nadd example-00000007.test mx mx.test\n"
			"except example-00000099.test\nadd example-00000030.test mx mx.test\n"
			"early-adopter example-00000008.test",
			{TRUST_ENFORCE, TRUST_ENFORCE, TRUST_ENFORCE}, NULL, 0,
			"1:listed/0 2:listed/0 3:listed/0 4:listed/0t 5:listed/1 6:excepted/0 7:added/0 "
			"8:early/0 9:listed/0 10:listed/1 11:listed/0 12:listed/0t 13:listed/1 14:listed/1 "
			"15:listed/2 16:listed/2 17:listed/2 18:listed/2 19:listed/2 20:listed/2 30:added"},
	};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct overlay_share shares[LISTS];
		struct scene s;
		char *got;

		print_message("# %s\n", cases[c].name);
		scene_init(&s, cases[c].rules);
		for (int i = 0; i < LISTS; i++)
			s.lists[i].trust = cases[c].trust[i];
		s.lists[0].domains = cases[c].domains;
		s.lists[0].domain_count = cases[c].domain_count;
		got = outcome(&s, shares);
		assert_string_equal(got, cases[c].want);
		assert_int_equal(shares[0].entries, 12);
		assert_int_equal(shares[1].entries, 12);
		assert_int_equal(shares[2].entries, 16);
		if (c == 0) {
			assert_int_equal(shares[0].behind, 2);
			assert_int_equal(shares[1].behind, 8);
			assert_int_equal(shares[2].behind, 10);
		}
		assert_int_equal(shares[0].untrusted, cases[c].domain_count > 0 ? 11 : 0);
		assert_int_equal(shares[1].untrusted, 0);
		free(got);
		scene_clear(&s);
	}
}

#define E LIST_MODE_ENFORCE
#define T LIST_MODE_TESTING

/* One domain, in each list in a mode and for so many days; below zero: it has run out. */
static int64_t lasts_days[LISTS];
static enum list_mode mode[LISTS];
static int varied;

static void
vary_end(int i UNUSED, struct list_entry *e)
{
	e->policy.mode = mode[varied];
	e->confirmed_s = NOW - DAY;
	e->policy.max_age_s = (lasts_days[varied] + 1) * DAY;
}

static void
vary_over(int i, struct list_entry *e)
{
	vary_end(i, e);
	e->confirmed_s = NOW - 9 * DAY;
}

static void
drop_line(void *arg UNUSED, const char *key UNUSED, const char *value UNUSED, size_t len UNUSED)
{
}

/* When the map is to be made again: an entry that has no line may keep another list's from having one. */
static void
test_next_end(void **state UNUSED)
{
	static const struct {
		enum list_mode mode[LISTS];
		int64_t days[LISTS];
		enum trust trust[LISTS];
		const char *rules;
		int64_t want_days; /* 0: never */
	} cases[] = {
		{{E, E, E}, {5, 2, 3}, {0}, "", 5},
		{{T, E, E}, {2, 5, 9}, {0}, "", 2},
		{{T, E, E}, {7, 5, 7}, {0}, "", 0},  /* all of the others end before it, or as it does */
		{{T, T, E}, {2, 5, 9}, {0}, "", 2},  /* then 5 */
		{{T, T, E}, {-1, 5, 9}, {0}, "", 5}, /* then */
		{{T, E, E}, {-1, 5, 9}, {0}, "", 5},
		{{T, E, E}, {2, 9, 9}, {TRUST_ENFORCE, TRUST_TESTING, TRUST_TESTING}, "early-adopter all", 2},
		{{T, E, E}, {2, 9, 1}, {TRUST_ENFORCE, TRUST_TESTING, TRUST_ENFORCE}, "", 2},
		{{E, E, E}, {2, 9, 9}, {TRUST_TESTING, TRUST_TESTING, TRUST_TESTING}, "", 0},
		{{T, E, E}, {2, 5, 9}, {0}, "except example-00000001.test", 0},
		{{T, E, E}, {2, 5, 9}, {0}, "add example-00000001.test mx mx.test", 0},
	};
	const struct recipe recipe = {.format = POSTFIX_FORMAT_PLAIN};
	const struct render_sink sink = {.line = drop_line};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct render_options options = {.mta = &mta_texthash, .recipe = &recipe, .now_s = NOW};
		struct render_counts counts;
		struct error err = {0};
		struct scene s;

		scene_init(&s, cases[c].rules);
		memcpy(lasts_days, cases[c].days, sizeof(lasts_days));
		memcpy(mode, cases[c].mode, sizeof(mode));
		for (varied = 0; varied < LISTS; varied++) {
			const bool over = lasts_days[varied] < 0;

			if (over)
				lasts_days[varied] = 1;
			write_list(s.paths[varied], &(const struct list_spec){.version = 1,
							    .first = 1,
							    .last = 1,
							    .vary = over ? vary_over : vary_end});
			s.lists[varied].trust = cases[c].trust[varied];
		}
		options.rules = s.rules;
		scene_open(&s);
		if (render_to(s.lists, LISTS, &options, &sink, &counts, &err) != 0)
			fail_msg("%s", err.text);
		if (counts.next_end_s != (cases[c].want_days == 0 ? 0 : NOW + cases[c].want_days * DAY))
			fail_msg("case %zu: %" PRId64, c, (counts.next_end_s - NOW) / DAY);
		scene_close(&s);
		scene_clear(&s);
	}
}

/* One that is not sound ends it, wherever it stands. */
static void
test_unsound(void **state UNUSED)
{
	for (int bad = 0; bad < LISTS; bad++) {
		const struct overlay_entry *e;
		struct error err = {0};
		struct overlay *o;
		struct buf text;
		struct scene s;
		char *at;
		int rc;

		scene_init(&s, "");
		read_bytes(s.paths[bad], &text);
		at = strstr(text.data, "\"example-00000009");
		assert_non_null(at);
		at[1] = 'E';
		write_text(s.paths[bad], text.data, text.len);
		scene_open(&s);
		o = overlay_new(s.lists, LISTS, s.rules, NOW);
		while ((rc = overlay_next(o, &e, &err)) > 0)
			assert_true(strcmp(e->entry.domain, "example-00000010.test") < 0);
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERROR_INPUT);
		overlay_free(o);
		scene_close(&s);
		buf_clear(&text);
		scene_clear(&s);
	}
}

static void
test_trust(void **state UNUSED)
{
	static const char *const domains[] = {"org", "example.com"};
	static const struct {
		const char *domain;
		bool want;
	} covered[] = {{"org", true}, {"a.org", true}, {"a.b.org", true}, {"aorg", false}, {"org.net", false},
		{"example.com", true}, {"x.example.com", true}, {"xexample.com", false}, {"com", false},
		{"other.com", false}};
	static const struct {
		const char *domain;
		bool want;
	} valid[] = {{"org", true}, {"example.com", true}, {"xn--p1ai", true}, {"", false}, {".", false},
		{".org", false}, {"org.", false}, {"Org", false}, {"*.org", false}, {"a..b", false},
		{"a b", false}, {"127", false}, {"-a", false}};
	enum trust trust;
	char *label = xasprintf("%0300d", 0);

	for (size_t i = 0; i < ARRAY_LEN(covered); i++)
		if (trust_covers(domains, ARRAY_LEN(domains), covered[i].domain) != covered[i].want)
			fail_msg("%s", covered[i].domain);
	assert_true(trust_covers(NULL, 0, "any.test"));
	for (size_t i = 0; i < ARRAY_LEN(valid); i++)
		if (trust_domain_valid(valid[i].domain) != valid[i].want)
			fail_msg("%s", valid[i].domain);
	assert_false(trust_domain_valid(label));
	assert_true(trust_from_name("early-adopter", &trust) && trust == TRUST_EARLY);
	assert_string_equal(trust_name(TRUST_TESTING), "testing");
	assert_false(trust_from_name("Enforce", &trust) || trust_from_name("", &trust));
	free(label);
}

/* --- sets of lists ------------------------------------------------------------------------------
 */

static void
load(const char *text, struct update_settings *s)
{
	char *path = in_temp("conf");

	write_text(path, text, strlen(text));
	OK(update_settings_load(path, s, &ok_err));
	free(path);
}

#define TWO \
	"[source]\nurl=file:/a\nroot=/r\nproxy=http://p/\ntimeout=7\n[source b]\nurl=file:/b\nurl=file:/c\nroot=/q\n"
#define SHA "000000000000000000000000000000000000000000000000000000000000000"

static void
test_settings(void **state UNUSED)
{
	struct update_settings s;

	load(TWO "timeout = 9\ntrust = testing\ndomains = org\ndomains = example.com\n[source c]\nroot = /x\n"
		 "url = file:/d\n",
		&s);
	assert_int_equal(s.source_count, 3);
	assert_string_equal(s.sources[0].name, "main");
	assert_string_equal(s.sources[1].name, "b");
	assert_int_equal(s.sources[1].url_count, 2);
	assert_string_equal(s.sources[1].urls[1], "file:/c");
	/* What is not given is as in [source], but for trust. */
	assert_string_equal(s.sources[1].fetch.proxy, "http://p/");
	assert_int_equal(s.sources[1].fetch.timeout_s, 9);
	assert_int_equal(s.sources[2].fetch.timeout_s, 7);
	assert_int_equal(s.sources[2].fetch.low_speed_time_s, 30);
	assert_int_equal(s.sources[1].trust, TRUST_TESTING);
	assert_int_equal(s.sources[1].domain_count, 2);
	assert_int_equal(s.sources[2].trust, TRUST_ENFORCE);
	assert_int_equal(s.sources[2].domain_count, 0);
	assert_int_equal(s.keep, 3);
	update_settings_clear(&s);
}

static void
test_too_many_sources(void **state UNUSED)
{
	char *path = in_temp("conf");
	struct update_settings s;
	struct error err = {0};
	struct buf text;

	buf_init(&text, 1 << 16);
	buf_add_str(&text, "[source]\nurl=file:/a\nroot=/r\n");
	for (int i = 1; i < SOURCES_MAX; i++)
		buf_addf(&text, "[source s%d]\nurl=file:/a\nroot=/r\n", i);
	write_text(path, text.data, text.len);
	OK(update_settings_load(path, &s, &ok_err));
	assert_int_equal(s.source_count, SOURCES_MAX);
	update_settings_clear(&s);
	buf_add_str(&text, "[source more]\nurl=file:/a\nroot=/r\n");
	write_text(path, text.data, text.len);
	assert_int_equal(update_settings_load(path, &s, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "more than 15 sections [source NAME]"));
	buf_clear(&text);
	free(path);
}

/* The serial of a set, made of the lists given, "" of none. */
static void
serial_of(const char *conf, const char *first, const char *second, char out[static LIST_SET_SERIAL_SIZE])
{
	struct update_settings s;
	struct list_set set;

	load(conf, &s);
	list_set_begin(&s, &set);
	list_set_add(&set, &s.sources[0], 42, first);
	if (s.source_count > 1)
		list_set_add(&set, &s.sources[1], 7, second);
	list_set_serial(&set, out);
	update_settings_clear(&s);
}

/* Whatever changes the map that a set makes changes what the sentinel answers. */
static void
test_serial(void **state UNUSED)
{
	static const struct {
		const char *conf, *first, *second;
	} sets[] = {{TWO, SHA "1", SHA "2"}, {TWO, SHA "1", SHA "3"}, {TWO, SHA "2", SHA "1"}, {TWO, SHA "1", ""},
		{TWO, "", SHA "1"}, {TWO "trust = testing\n", SHA "1", SHA "2"},
		{TWO "domains = org\n", SHA "1", SHA "2"}, {TWO "domains = net\n", SHA "1", SHA "2"},
		{TWO "domains = net\ndomains = org\n", SHA "1", SHA "2"},
		{"[source]\nurl=file:/a\nroot=/r\n", SHA "1", ""},
		{"[source]\nurl=file:/a\nroot=/r\ntrust = testing\n", SHA "1", ""}};
	char serials[ARRAY_LEN(sets)][LIST_SET_SERIAL_SIZE];
	struct update_settings s;
	struct list_set set;
	struct buf text;
	char digest[65];

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		serial_of(sets[i].conf, sets[i].first, sets[i].second, serials[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(serials[k], serials[i]);
	}
	/* One alone is named as it ever was. */
	assert_string_equal(serials[9], "42");
	load("[source]\nurl=file:/a\nroot=/r\n", &s);
	list_set_begin(&s, &set);
	list_set_digest(&set, digest);
	assert_string_equal(digest, "");
	list_set_add(&set, &s.sources[0], 42, SHA "1");
	list_set_digest(&set, digest);
	assert_string_equal(digest, SHA "1");
	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_format(&set, &text);
	assert_string_equal(buf_str(&text), "list 42");
	buf_clear(&text);
	update_settings_clear(&s);
}

/* --- the brake, by all lists together -----------------------------------------------------------
 */

static enum list_mode all_mode;

static void
vary_mode(int i UNUSED, struct list_entry *e)
{
	e->policy.mode = all_mode;
}

/* A list of entries in a mode, by its name, and that name. */
static void
named_list(int64_t version, int first, int last, enum list_mode of, char sha256[static 65])
{
	char *path = in_temp("one"), *to;
	struct tuf_file file;
	struct buf text;

	all_mode = of;
	write_list(path,
		&(const struct list_spec){.version = version, .first = first, .last = last, .vary = vary_mode});
	read_bytes(path, &text);
	tuf_file_of(text.data, text.len, &file);
	(void)snprintf(sha256, 65, "%s", file.sha256);
	to = source_list_path(temp_dir, sha256);
	assert_int_equal(rename(path, to), 0);
	buf_clear(&text);
	free(to);
	free(path);
}

struct list_range {
	int first, last; /* 0, 0: there is none */
	enum list_mode mode;
};

static void
test_brake_together(void **state UNUSED)
{
	/* Each list without a line stands for one whose entries hide those of the second. */
	static const struct {
		const char *name;
		struct list_range before[2], after[2];
		int said[2]; /* what was said of each by itself */
		bool damaged; /* the second's old list */
		int want[2];
		const char *why;
	} cases[] = {
		{"no news", {{1, 10, E}, {11, 30, E}}, {{0}, {0}}, {0}, false, {0, 0}, NULL},
		{"the first hides the second", {{1, 10, E}, {11, 30, E}}, {{11, 30, T}, {0}}, {0}, false, {1, 0},
			"brake: list 3 would drop 30 of 30 domains of all lists together; "},
		{"and the second has news", {{1, 10, E}, {11, 30, E}}, {{11, 30, T}, {11, 31, E}}, {0}, false, {1, 0},
			"brake: list 3 would drop 30 of 30 domains of all lists together; "},
		{"the second hides nothing", {{11, 30, E}, {1, 10, E}}, {{0}, {11, 30, T}}, {0}, false, {0, 1},
			"brake: list 4 would drop 10 of 30 domains of all lists together; "},
		{"from one to the other", {{1, 10, E}, {11, 30, E}}, {{1, 30, E}, {31, 31, E}}, {0}, false, {0, 0}, NULL},
		{"too many are new", {{1, 10, E}, {11, 30, E}}, {{1, 10, E}, {11, 90, E}}, {0}, false, {0, 1},
			"brake: list 4 would add 60 domains to 30 of all lists together; "},
		{"a first list", {{1, 10, E}, {0}}, {{0}, {11, 90, E}}, {0}, false, {0, 0}, NULL},
		{"a first list that hides", {{0}, {1, 10, E}}, {{1, 10, T}, {1, 11, E}}, {0}, false, {0, 0}, NULL},
		{"one that may not follow", {{1, 10, E}, {11, 30, E}}, {{11, 30, T}, {0}}, {-1, 0}, false, {-1, 0},
			NULL},
		{"a damaged one", {{1, 10, E}, {11, 30, E}}, {{0}, {31, 32, E}}, {0}, true, {0, 0}, NULL},
	};
	const struct recipe recipe = {.format = POSTFIX_FORMAT_PLAIN};
	const struct render_options options = {.mta = &mta_texthash, .recipe = &recipe, .now_s = NOW};
	struct update_settings s;

	load(TWO "[brake]\ngone_min = 5\nnew_min = 5\n", &s);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		char before[2][65] = {"", ""}, after[2][65] = {"", ""};
		struct render_said said[2] = {{0}};
		struct render_list lists[2];
		struct error err = {0};

		print_message("# %s\n", cases[c].name);
		for (int i = 0; i < 2; i++) {
			const struct list_range *b = &cases[c].before[i], *a = &cases[c].after[i];

			if (b->last > 0)
				named_list(1 + i, b->first, b->last, b->mode, before[i]);
			if (a->last > 0)
				named_list(3 + i, a->first, a->last, a->mode, after[i]);
			lists[i] = (struct render_list){
				.source = &s.sources[i], .sha256 = before[i], .next = after[i]};
			said[i].rc = cases[c].said[i];
			said[i].header.version = 3 + i;
		}
		if (cases[c].damaged) {
			char *path = source_list_path(temp_dir, before[1]);

			write_text(path, "{}", 2);
			free(path);
		}
		if (brake_ask_all(&(const struct brake_all){.s = &s,
					  .options = &options,
					  .dir = temp_dir,
					  .lists = lists},
			    said, &err) != 0)
			fail_msg("%s", err.text);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(said[i].rc, cases[c].want[i]);
			if (said[i].rc > 0 && strstr(said[i].err.text, cases[c].why) != said[i].err.text)
				fail_msg("%s", said[i].err.text);
		}
	}
	update_settings_clear(&s);
}

/* --- what is remembered -------------------------------------------------------------------------
 */

static void
set_list(struct state *s, const char *name, int64_t version)
{
	struct state_source *source = state_find(s, name);

	assert_non_null(source);
	source->list.version = version;
	(void)snprintf(source->list.sha256, sizeof(source->list.sha256), "%064x", (unsigned)version);
	if (version == 0)
		source->list.sha256[0] = '\0';
}

/* As the job does it. */
static void
step(struct state *s, const char *name, int64_t version, size_t keep)
{
	struct state_generation before, after;

	generations_present(s, &before);
	set_list(s, name, version);
	generations_present(s, &after);
	if (!generations_equal(&before, &after))
		generations_step(s, &before, &after, keep);
}

static void
test_generations(void **state UNUSED)
{
	static const char *const both[] = {"main", "b"}, *const one[] = {"main"};
	struct state s;

	state_init(&s);
	state_arrange(&s, both, 2);
	step(&s, "main", 1, 3);
	assert_int_equal(s.generation_count, 0); /* nothing was before it */
	step(&s, "b", 11, 3);
	step(&s, "main", 1, 3);
	assert_int_equal(s.generation_count, 1);
	step(&s, "main", 2, 3);
	step(&s, "b", 12, 3);
	step(&s, "main", 3, 3);
	assert_int_equal(s.generation_count, 3); /* and no more */
	assert_int_equal(generations_member(&s.generations[0], "main")->list.version, 2);
	assert_int_equal(generations_member(&s.generations[0], "b")->list.version, 12);
	assert_int_equal(generations_member(&s.generations[2], "b")->list.version, 11);
	/* Back: the same sets are not kept behind. */
	step(&s, "main", 2, 3);
	assert_int_equal(s.generation_count, 2);
	step(&s, "b", 11, 3);
	assert_int_equal(s.generation_count, 1);
	/* Fewer are to be kept. */
	step(&s, "main", 4, 3);
	step(&s, "main", 5, 1);
	assert_int_equal(s.generation_count, 1);
	/* Without one source, what differs by that one only is no step. */
	step(&s, "main", 6, 9);
	step(&s, "b", 13, 9);
	step(&s, "b", 14, 9);
	assert_int_equal(s.generation_count, 4);
	state_arrange(&s, one, 1);
	generations_prune(&s);
	assert_int_equal(s.generation_count, 2);
	assert_null(generations_member(&s.generations[0], "b"));
	assert_int_equal(generations_member(&s.generations[0], "main")->list.version, 5);
	state_clear(&s);
}

/* All of it is written and read the same; the order of sources is that of the configuration. */
static void
test_state(void **state UNUSED)
{
	static const char *const names[] = {"main", "b", "c"}, *const later[] = {"main", "c", "d"};
	struct error err = {0};
	struct state s, again;
	struct buf text;

	state_init(&s);
	state_arrange(&s, names, 3);
	for (size_t i = 0; i < 3; i++)
		step(&s, names[i], (int64_t)i + 1, 20);
	step(&s, "c", 9, 20);
	(void)snprintf(s.sources[1].undone, sizeof(s.sources[1].undone), SHA "5");
	(void)snprintf(s.generations[0].members[0].anchor, sizeof(s.generations[0].members[0].anchor), SHA "6");
	state_set(&s.sources[2].trouble, "it is dead");
	s.sources[2].trouble_s = NOW;
	state_set(&s.map.serial, "1-abc");
	buf_init(&text, 1 << 20);
	OK(state_format(&s, &text, &ok_err));
	state_clear(&s);
	OK(state_parse(text.data, text.len, &again, &ok_err));
	assert_int_equal(again.source_count, 3);
	assert_int_equal(again.sources[2].list.version, 9);
	assert_string_equal(again.sources[1].undone, SHA "5");
	assert_int_equal(again.generation_count, 3);
	assert_string_equal(again.generations[0].members[0].anchor, SHA "6");
	state_arrange(&again, later, 3);
	assert_string_equal(again.sources[1].name, "c");
	assert_string_equal(again.sources[1].trouble, "it is dead");
	assert_int_equal(again.sources[2].list.version, 0);
	assert_null(state_find(&again, "b"));
	state_clear(&again);
	/* One name twice. */
	{
		char *at = strstr(buf_str(&text), "\"name\":\"c\"");

		assert_non_null(at);
		for (; at != NULL; at = strstr(at, "\"name\":\"c\""))
			at[8] = 'b';
		assert_int_equal(state_parse(text.data, text.len, &again, &err), -1);
		assert_int_equal(err.kind, ERROR_INPUT);
	}
	buf_clear(&text);
}

/* state.json as the version before wrote it, when there was one list and one before it. */
static void
test_state_of_before(void **state UNUSED)
{
	static const char text[] =
		"{\"anchor_sha256\":\"" SHA "9\",\"dane\":false,\"last_code\":0,\"last_error\":null,"
		"\"last_error_code\":0,\"last_error_time\":0,\"last_run\":1795435200,"
		"\"last_success\":1795435200,\"left_dane\":0,\"left_run_out\":0,\"left_testing\":1,"
		"\"list_confirmed_since\":1795431600,\"list_expires\":1796644800,\"list_length\":577,"
		"\"list_sha256\":\"" SHA "2\",\"list_timestamp\":1795435200,\"list_version\":2,"
		"\"map_inode\":5,\"map_lines\":3,\"map_lines_dane\":0,\"map_list_sha256\":\"" SHA "2\","
		"\"map_mtime_ns\":6,\"map_next_end\":1798023600,\"map_path\":\"/m\",\"map_recipe\":\"r\","
		"\"map_rendered\":1795435200,\"map_since\":1795435200,\"map_size\":7,\"map_version\":2,"
		"\"previous_confirmed_since\":1795431600,\"previous_expires\":1796644800,"
		"\"previous_length\":500,\"previous_sha256\":\"" SHA "1\","
		"\"previous_timestamp\":1795435200,\"previous_version\":1,\"reload_due\":false,"
		"\"state_version\":1,\"undone_sha256\":\"" SHA "3\"}\n";
	char serial[STATE_SERIAL_SIZE];
	struct state s;

	OK(state_parse(text, sizeof(text) - 1, &s, &ok_err));
	assert_int_equal(s.source_count, 1);
	assert_string_equal(s.sources[0].name, "main");
	assert_int_equal(s.sources[0].list.version, 2);
	assert_string_equal(s.sources[0].undone, SHA "3");
	assert_string_equal(s.sources[0].anchor, SHA "9");
	assert_int_equal(s.generation_count, 1);
	assert_int_equal(generations_member(&s.generations[0], "main")->list.version, 1);
	assert_string_equal(generations_member(&s.generations[0], "main")->list.sha256, SHA "1");
	state_serial(&s.map, serial);
	assert_string_equal(serial, "2");
	state_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_next_end),
		cmocka_unit_test(test_unsound),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_too_many_sources),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_brake_together),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_state_of_before),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

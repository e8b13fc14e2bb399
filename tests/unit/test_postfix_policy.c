/* The lines for Postfix: those that were seen to work, to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "export/list.h"
#include "updater/postfix_policy.h"

#define NOW INT64_C(1795435200)
#define DAY INT64_C(86400)

static const struct list_header header = {.author = "test",
	.confirmed_since_s = NOW - DAY,
	.expires_s = NOW + DAY,
	.timestamp_s = NOW,
	.vantages = 1,
	.version = 1};

static void
test_lines(void **state UNUSED)
{
	static const struct {
		const char *name, *domain, *mxs[3];
		bool dane, pkix;
		bool resolver;
		const char *plain, *sts;
	} cases[] = {
		{"one host", "good.example", {"mx1.good.example"}, false, true, true,
			"secure match=mx1.good.example servername=hostname",
			"secure match=mx1.good.example servername=hostname policy_type=sts "
			"policy_domain=good.example mx_host_pattern=mx1.good.example "
			"{ policy_string = version: STSv1 } { policy_string = mode: enforce }"},
		{"two hosts", "multi.example", {"mx1.multi.example", "mx2.provider.example"}, false,
			true, true,
			"secure match=mx1.multi.example:mx2.provider.example servername=hostname",
			"secure match=mx1.multi.example:mx2.provider.example servername=hostname "
			"policy_type=sts policy_domain=multi.example "
			"mx_host_pattern=mx1.multi.example mx_host_pattern=mx2.provider.example "
			"{ policy_string = version: STSv1 } { policy_string = mode: enforce }"},
		{"wildcard", "wild.example", {"*.mail.wild.example"}, false, true, true,
			"secure match=.mail.wild.example servername=hostname",
			"secure match=.mail.wild.example servername=hostname policy_type=sts "
			"policy_domain=wild.example mx_host_pattern=*.mail.wild.example "
			"{ policy_string = version: STSv1 } { policy_string = mode: enforce }"},
		{"DANE", "dane.example", {"mx1.dane.example"}, true, false, true, "dane-only",
			"dane-only policy_type=sts policy_domain=dane.example "
			"mx_host_pattern=mx1.dane.example"},
		{"DANE, no resolver", "dane.example", {"mx1.dane.example"}, true, false, false,
			NULL, NULL},
		{"both", "both.example", {"mx1.both.example"}, true, true, true, "dane-only",
			"dane-only policy_type=sts policy_domain=both.example "
			"mx_host_pattern=mx1.both.example"},
		{"both, no resolver", "both.example", {"mx1.both.example"}, true, true, false,
			"secure match=mx1.both.example servername=hostname",
			"secure match=mx1.both.example servername=hostname policy_type=sts "
			"policy_domain=both.example mx_host_pattern=mx1.both.example "
			"{ policy_string = version: STSv1 } { policy_string = mode: enforce }"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct list_entry e = {.domain = cases[i].domain,
			.policy = {.auth_dane = cases[i].dane,
				.auth_pkix = cases[i].pkix,
				.max_age_s = 30 * DAY,
				.mode = LIST_MODE_ENFORCE,
				.mxs = cases[i].mxs,
				.mxs_count = cases[i].mxs[1] != NULL ? 2 : 1,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.3"}};
		enum choice choice = choice_of(&header, &e, cases[i].resolver, false, NOW);
		struct buf out;

		print_message("# %s\n", cases[i].name);
		assert_int_equal(choice_is_line(choice), cases[i].plain != NULL);
		if (cases[i].plain == NULL) {
			assert_int_equal(choice, CHOICE_LEFT_DANE);
			continue;
		}
		buf_init(&out, POSTFIX_VALUE_MAX);
		postfix_policy_format(&e, choice, POSTFIX_FORMAT_PLAIN, &out);
		assert_string_equal(buf_str(&out), cases[i].plain);
		buf_reset(&out);
		postfix_policy_format(&e, choice, POSTFIX_FORMAT_STS, &out);
		assert_string_equal(buf_str(&out), cases[i].sts);
		buf_clear(&out);
	}
}

/* Testing mode gets no line at all, and an entry ends exactly at confirmed + max_age. */
static void
test_left_out(void **state UNUSED)
{
	static const struct {
		enum list_mode mode;
		int64_t confirmed_s, max_age_s;
		enum choice want;
	} cases[] = {
		{LIST_MODE_ENFORCE, 0, 30 * DAY, CHOICE_PKIX},
		{LIST_MODE_TESTING, 0, 30 * DAY, CHOICE_LEFT_TESTING},
		{LIST_MODE_ENFORCE, 0, DAY + 1, CHOICE_PKIX},
		{LIST_MODE_ENFORCE, 0, DAY, CHOICE_LEFT_RUN_OUT},
		{LIST_MODE_ENFORCE, NOW - 2 * DAY, 2 * DAY + 1, CHOICE_PKIX},
		{LIST_MODE_ENFORCE, NOW - 2 * DAY, 2 * DAY, CHOICE_LEFT_RUN_OUT},
		{LIST_MODE_TESTING, NOW - 2 * DAY, 2 * DAY, CHOICE_LEFT_RUN_OUT},
	};
	static const char *const mxs[] = {"mx.example.net"};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct list_entry e = {.domain = "example.net",
			.confirmed_s = cases[i].confirmed_s,
			.policy = {.auth_pkix = true,
				.max_age_s = cases[i].max_age_s,
				.mode = cases[i].mode,
				.mxs = mxs,
				.mxs_count = 1,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.2"}};

		print_message("# case %zu\n", i);
		assert_int_equal(choice_of(&header, &e, true, false, NOW), cases[i].want);
	}
}

/* The longest entry that a list may hold fits. */
static void
test_longest(void **state UNUSED)
{
	static char names[LIST_MXS_MAX][254];
	const char *mxs[LIST_MXS_MAX];
	struct list_entry e = {.domain = "example.net",
		.policy = {
			.auth_pkix = true, .mode = LIST_MODE_ENFORCE, .mxs_count = LIST_MXS_MAX}};
	struct buf out;

	for (size_t i = 0; i < LIST_MXS_MAX; i++) {
		memset(names[i], 'a', 253);
		mxs[i] = names[i];
	}
	e.policy.mxs = mxs;
	buf_init(&out, POSTFIX_VALUE_MAX);
	postfix_policy_format(&e, CHOICE_PKIX, POSTFIX_FORMAT_STS, &out);
	assert_false(buf_failed(&out));
	assert_true(out.len > (size_t)LIST_MXS_MAX * 2 * 253);
	buf_clear(&out);
}

static void
test_versions(void **state UNUSED)
{
	static const struct {
		const char *text;
		int rc;
		enum postfix_format format;
	} cases[] = {
		{"3.7.11", 0, POSTFIX_FORMAT_PLAIN},
		{"3.9.0", 0, POSTFIX_FORMAT_PLAIN},
		{"3.10.3", 0, POSTFIX_FORMAT_PLAIN},
		{"3.10.4", 0, POSTFIX_FORMAT_PLAIN},
		{"3.10.5", 0, POSTFIX_FORMAT_STS},
		{"3.10.13", 0, POSTFIX_FORMAT_STS},
		{"3.11", 0, POSTFIX_FORMAT_STS},
		{"3.11.7", 0, POSTFIX_FORMAT_STS},
		{"3.12-20260821", 0, POSTFIX_FORMAT_STS},
		{"3.10-RC1", 0, POSTFIX_FORMAT_PLAIN},
		{"4.0.0", 0, POSTFIX_FORMAT_STS},
		{"", -1, POSTFIX_FORMAT_AUTO},
		{"3", -1, POSTFIX_FORMAT_AUTO},
		{"3.", -1, POSTFIX_FORMAT_AUTO},
		{"3.x", -1, POSTFIX_FORMAT_AUTO},
		{"3.10.", -1, POSTFIX_FORMAT_AUTO},
		{"3.10.5 ", -1, POSTFIX_FORMAT_AUTO},
		{"-3.10.5", -1, POSTFIX_FORMAT_AUTO},
		{"3.99999999999999999999", -1, POSTFIX_FORMAT_AUTO},
	};
	struct postfix_version v;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("# %s\n", cases[i].text);
		assert_int_equal(postfix_version_parse(cases[i].text, &v), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(postfix_format_for(&v), cases[i].format);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

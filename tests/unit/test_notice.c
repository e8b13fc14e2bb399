/* What owners are told: to whom, when, and with which dates (R20.4, R20.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/notice.h"
#include "common/buf.h"
#include "common/error.h"

#define DAY INT64_C(86400)
#define T0  INT64_C(1800000000) /* 2027-01-15T08:00:00Z */

static void
addresses(void **state UNUSED)
{
	static const struct {
		const char *uri, *want; /* NULL: refused */
	} rows[] = {
		{"mailto:postmaster@example.org", "postmaster@example.org"},
		{"mailto:a.b+tls@mx.example.org", "a.b+tls@mx.example.org"},
		{"mailto:@example.org", NULL},
		{"mailto:joe", NULL},
		{"mailto:joe@", NULL},
		{"mailto:joe@localhost", NULL},
		{"mailto:joe@[192.0.2.1]", NULL},
		{"mailto:joe@example.org?cc=ann@example.org", NULL},
		{"mailto:joe@example.org,ann@example.org", NULL},
		{"mailto:joe%0Abcc:ann@example.org", NULL},
		{"mailto:joe\nBcc: ann@example.org", NULL},
		{"mailto:joe@example.org\nBcc: ann@example.org", NULL},
		{"mailto:joe ann@example.org", NULL},
		{"mailto:\"joe\"@example.org", NULL},
		{"mailto:joe>@example.org", NULL},
		{"https://example.org/contact@example.org", NULL},
		{"joe@example.org", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = {0};
		char *got = NULL;
		int rc = notice_address(rows[i].uri, &got, &err);

		if (rows[i].want == NULL) {
			if (rc == 0)
				fail_msg("%s was accepted", rows[i].uri);
			assert_null(got);
			assert_int_equal(err.kind, ERROR_INPUT);
		} else {
			if (rc < 0)
				fail_msg("%s", err.text);
			assert_string_equal(got, rows[i].want);
		}
		free(got);
	}
}

/* Whether the text, its line ends and blanks taken for one blank, holds the part. */
static bool
says(const struct buf *text, const char *part)
{
	char *flat = malloc(text->len + 1);
	size_t n = 0;
	bool found;

	assert_non_null(flat);
	for (size_t i = 0; i < text->len; i++) {
		char c = text->data[i] == '\n' ? ' ' : text->data[i];

		if (c != ' ' || n == 0 || flat[n - 1] != ' ')
			flat[n++] = c;
	}
	flat[n] = '\0';
	found = strstr(flat, part) != NULL;
	free(flat);
	return found;
}

static void
messages(void **state UNUSED)
{
	static const struct life_rules rules = {.demote_s = 14 * DAY, .remove_s = 28 * DAY};
	static const struct {
		const char *name;
		struct life life;
		int64_t max_age_s;
		bool was_listed;
		int rc;
		const char *parts[4]; /* up to NULL */
		const char *without;
	} rows[] = {
		{"candidate", {.state = LIFE_CANDIDATE}, 0, false, 0, {NULL}, NULL},
		{"pending", {.state = LIFE_PENDING}, 0, false, 0, {NULL}, NULL},
		{"refused", {.state = LIFE_REFUSED}, 0, true, 0, {NULL}, NULL},
		{"never listed", {.state = LIFE_REMOVED, .since_s = T0}, 0, false, 0, {NULL}, NULL},
		{"listed", {.state = LIFE_LISTED, .since_s = T0, .confirmed_s = T0 + DAY}, 7 * DAY,
			false, 1,
			{"Subject: example.org is on the preload list",
				"since 2027-01-15T08:00:00Z",
				" _preload25.example.org. IN TXT \"v=PRELOAD25v1; mode=none\" ",
				"until 2027-01-23T08:00:00Z at the latest"},
			"taken off"},
		{"broken",
			{.state = LIFE_FAILING,
				.since_s = T0,
				.confirmed_s = T0 - DAY,
				.fail_last_s = T0 + DAY,
				.fail_credit_s = DAY},
			30 * DAY, true, 1,
			{"first at 2027-01-15T08:00:00Z",
				"mx.example.org: no STARTTLS (starttls-not-offered) Load it: LINE 1 "
				"LINE 2 ",
				"one for testing at 2027-01-29T08:00:00Z",
				"off the list at 2027-02-12T08:00:00Z"},
			"runs out"},
		{"runs out between the two",
			{.state = LIFE_FAILING, .confirmed_s = T0, .fail_last_s = T0}, 20 * DAY,
			true, 1,
			{"one for testing at 2027-01-29T08:00:00Z",
				"off the list at 2027-02-04T08:00:00Z", "It runs out then", NULL},
			"2027-02-12"},
		{"runs out before it is demoted",
			{.state = LIFE_FAILING, .confirmed_s = T0, .fail_last_s = T0}, 7 * DAY,
			true, 1,
			{"the entry is taken off the list at 2027-01-22T08:00:00Z",
				"It runs out then", NULL},
			"testing"},
		{"demoted",
			{.state = LIFE_FAILING,
				.demoted = true,
				.confirmed_s = T0,
				.fail_last_s = T0 + 15 * DAY,
				.fail_credit_s = 15 * DAY},
			30 * DAY, true, 1,
			{"has become one for testing", "off the list at 2027-02-12T08:00:00Z",
				NULL},
			"becomes one"},
		{"removed", {.state = LIFE_REMOVED, .since_s = T0}, 0, true, 1,
			{"Subject: example.org is off the preload list",
				"since 2027-01-15T08:00:00Z (entry-removed)",
				"until its max_age has passed", NULL},
			"act of"},
		{"removed by the operator",
			{.state = LIFE_REMOVED, .since_s = T0, .by_operator = true}, 0, true, 1,
			{"by an act of the operator", NULL}, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct notice n = {.domain = "example.org",
			.author = "An authority",
			.from = "operator@lists.example",
			.to = "postmaster@example.org",
			.life = &rows[i].life,
			.rules = &rules,
			.max_age_s = rows[i].max_age_s,
			.reason = "entry-removed",
			.was_listed = rows[i].was_listed,
			.code = "starttls-not-offered",
			.subject = "mx.example.org",
			.message = "no STARTTLS",
			.fix = "Load it:\nLINE 1\nLINE 2"};
		struct buf text;

		buf_init(&text, 1 << 16);
		if (notice_format(&n, &text) != rows[i].rc)
			fail_msg("%s: not %d", rows[i].name, rows[i].rc);
		assert_int_equal(text.len > 0, rows[i].rc);
		for (size_t k = 0; k < ARRAY_LEN(rows[i].parts) && rows[i].parts[k] != NULL; k++) {
			if (!says(&text, rows[i].parts[k]))
				fail_msg("%s: lacks \"%s\":\n%s", rows[i].name, rows[i].parts[k],
					buf_str(&text));
		}
		if (rows[i].without != NULL && says(&text, rows[i].without))
			fail_msg("%s: has \"%s\":\n%s", rows[i].name, rows[i].without,
				buf_str(&text));
		if (rows[i].rc == 1)
			assert_true(says(&text,
				"From: operator@lists.example To: postmaster@example.org Subject: "
				"example.org "));
		buf_clear(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}

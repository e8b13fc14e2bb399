/* What each mail server is told about an entry: the lines that were seen to work, to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "export/list.h"
#include "updater/mta.h"
#include "updater/sendmail_policy.h"
#include "updater/settings.h"

#define NOW INT64_C(1795435200)
#define DAY INT64_C(86400)

static const struct list_header header = {.author = "test",
	.confirmed_since_s = NOW - DAY,
	.expires_s = NOW + DAY,
	.timestamp_s = NOW,
	.vantages = 1,
	.version = 1};

struct sample {
	const char *name;
	const char *mxs[3];
	bool dane, pkix;
	bool resolver; /* the recipe has DANE */
	enum choice choice;
	const char *line; /* NULL: left out */
};

static void
check_samples(const struct mta *mta, bool pin, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sample *s = &samples[i];
		struct recipe recipe = {.dane = s->resolver, .pin = pin};
		struct list_entry e = {.domain = "good.example",
			.policy = {.auth_dane = s->dane,
				.auth_pkix = s->pkix,
				.max_age_s = 30 * DAY,
				.mode = LIST_MODE_ENFORCE,
				.mxs = s->mxs,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.3"}};
		enum choice choice;
		struct buf out;

		print_message("# %s: %s\n", mta->name, s->name);
		while (e.policy.mxs_count < ARRAY_LEN(s->mxs) && s->mxs[e.policy.mxs_count] != NULL)
			e.policy.mxs_count++;
		choice = mta->choose(&recipe, &header, &e, NOW);
		assert_int_equal(choice, s->choice);
		assert_int_equal(choice_is_line(choice), s->line != NULL);
		assert_int_equal(choice_why_left(choice) == NULL, s->line != NULL);
		if (s->line != NULL) {
			buf_init(&out, MTA_VALUE_MAX);
			mta->format(&recipe, &e, choice, &out);
			assert_string_equal(buf_str(&out), s->line);
			buf_clear(&out);
		}
		/* Whatever it may be, a line is never written for testing mode or behind its end.
		 */
		e.policy.mode = LIST_MODE_TESTING;
		assert_int_equal(mta->choose(&recipe, &header, &e, NOW), CHOICE_LEFT_TESTING);
		assert_int_equal(
			mta->choose(&recipe, &header, &e, NOW + 29 * DAY), CHOICE_LEFT_RUN_OUT);
	}
}

static void
test_exim(void **state UNUSED)
{
	static const struct sample samples[] = {
		{"one host", {"mx1.good.example"}, false, true, true, CHOICE_PKIX,
			"auth=pkix mx=^(mx1\\.good\\.example)$"},
		{"two hosts", {"mx1.good.example", "mx2.provider.example"}, false, true, false,
			CHOICE_PKIX,
			"auth=pkix mx=^(mx1\\.good\\.example|mx2\\.provider\\.example)$"},
		{"wildcard", {"*.mail.good.example"}, false, true, false, CHOICE_PKIX,
			"auth=pkix mx=^([^.]+\\.mail\\.good\\.example)$"},
		{"DANE", {"mx1.good.example"}, true, false, true, CHOICE_DANE,
			"auth=dane mx=^(mx1\\.good\\.example)$"},
		{"DANE, no resolver", {"mx1.good.example"}, true, false, false, CHOICE_LEFT_DANE,
			NULL},
		{"both", {"mx1.good.example"}, true, true, true, CHOICE_ANY,
			"auth=any mx=^(mx1\\.good\\.example)$"},
		{"both, no resolver", {"mx1.good.example"}, true, true, false, CHOICE_PKIX,
			"auth=pkix mx=^(mx1\\.good\\.example)$"},
	};

	check_samples(&mta_exim, false, samples, ARRAY_LEN(samples));
}

static void
test_opensmtpd(void **state UNUSED)
{
	static const struct sample samples[] = {
		{"one host", {"mx1.good.example"}, false, true, false, CHOICE_WIDER, "<set>"},
		{"wildcard", {"*.good.example"}, false, true, false, CHOICE_WIDER, "<set>"},
		{"both", {"mx1.good.example"}, true, true, false, CHOICE_WIDER, "<set>"},
		{"DANE", {"mx1.good.example"}, true, false, false, CHOICE_LEFT_DANE, NULL},
	};
	static const struct sample pinned[] = {
		{"one host, pin", {"mx1.good.example"}, false, true, false, CHOICE_PINNED, "<set>"},
		{"two hosts, pin", {"mx1.good.example", "mx2.good.example"}, false, true, false,
			CHOICE_WIDER, "<set>"},
		{"wildcard, pin", {"*.good.example"}, false, true, false, CHOICE_WIDER, "<set>"},
		{"DANE, pin", {"mx1.good.example"}, true, false, false, CHOICE_LEFT_DANE, NULL},
	};
	const struct update_settings settings = {.pin = true};
	struct recipe recipe;

	check_samples(&mta_opensmtpd, false, samples, ARRAY_LEN(samples));
	check_samples(&mta_opensmtpd, true, pinned, ARRAY_LEN(pinned));
	mta_opensmtpd.decide(&settings, NULL, NULL, &recipe);
	assert_false(recipe.dane);
	assert_true(recipe.pin);
}

static void
test_sendmail(void **state UNUSED)
{
	static const struct sample samples[] = {
		{"one host", {"mx1.good.example"}, false, true, true, CHOICE_PKIX,
			"secure match=mx1.good.example servername=hostname"},
		{"two hosts", {"mx1.good.example", "mx2.provider.example"}, false, true, false,
			CHOICE_PKIX,
			"secure match=mx1.good.example:mx2.provider.example servername=hostname"},
		{"wildcard", {"*.mail.good.example"}, false, true, false, CHOICE_PKIX,
			"secure match=.mail.good.example servername=hostname"},
		{"DANE", {"mx1.good.example"}, true, false, true, CHOICE_DANE, "dane-only"},
		{"DANE, 8.17", {"mx1.good.example"}, true, false, false, CHOICE_LEFT_DANE, NULL},
		{"both", {"mx1.good.example"}, true, true, true, CHOICE_DANE, "dane-only"},
	};

	check_samples(&mta_sendmail, false, samples, ARRAY_LEN(samples));
}

/* n hosts "mxI.PARENT"; PARENT may hold one %d, for parents of their own. */
static enum choice
fit_many(int n, const char *format_text, struct buf *out)
{
	char names[LIST_MXS_MAX][128];
	const char *mxs[LIST_MXS_MAX];
	struct list_policy p = {.mxs = mxs, .mxs_count = (size_t)n};
	enum choice choice;

	for (int i = 0; i < n; i++) {
		char *at = names[i];
		const char *mark = strchr(format_text, '#');

		(void)snprintf(at, sizeof(names[i]), "mx%d.%.*s%d%s", i,
			mark != NULL ? (int)(mark - format_text) : 0, format_text, i,
			mark != NULL ? mark + 1 : format_text);
		if (mark == NULL)
			(void)snprintf(at, sizeof(names[i]), "mx%d.%s", i, format_text);
		mxs[i] = at;
	}
	choice = sendmail_fit(&p);
	if (choice_is_line(choice))
		sendmail_add_secure(&p, choice, out);
	return choice;
}

/* More names than Sendmail compares: a wildcard of their parent, if that is nobody's public suffix;
 * else the entry is left out rather than written so that all its mail would wait. */
static void
test_sendmail_long(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, MTA_VALUE_MAX);
	assert_int_equal(fit_many(10, "provider.example", &out), CHOICE_PKIX);
	buf_reset(&out);
	assert_int_equal(fit_many(20, "mail.provider.example", &out), CHOICE_WIDER);
	assert_string_equal(
		buf_str(&out), "secure match=.mail.provider.example servername=hostname");
	buf_reset(&out);
	/* Hosts directly below a public suffix, and hosts of many operators. */
	assert_int_equal(fit_many(40, "co.uk", &out), CHOICE_LEFT_LONG);
	assert_int_equal(fit_many(40, "com", &out), CHOICE_LEFT_LONG);
	assert_int_equal(fit_many(20, "provider#.example", &out), CHOICE_LEFT_LONG);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

static void
test_rows(void **state UNUSED)
{
	static const char *const names[] = {"postfix", "exim", "opensmtpd", "sendmail", "texthash"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct mta *mta = mta_find(names[i]);

		assert_non_null(mta);
		assert_string_equal(mta->name, names[i]);
		assert_true(mta->kind_count > 0 && mta->path[0] == '/');
		assert_non_null(strstr(mta_names(), names[i]));
	}
	assert_null(mta_find("qmail"));
	assert_null(mta_find(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exim),
		cmocka_unit_test(test_opensmtpd),
		cmocka_unit_test(test_sendmail),
		cmocka_unit_test(test_sendmail_long),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

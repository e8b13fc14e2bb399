/* The text to paste that comes with findings about policy and opt-in: it must itself be what it
 * asks for, so it is read back with the parsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/str.h"
#include "verifier/domain_advice.h"
#include "verifier/domain_judge.h"
#include "verifier/finding.h"
#include "verifier/mta_sts.h"
#include "verifier/preload_record.h"
#include "verifier/report.h"

static struct domain_mx hosts[] = {{.host = "mx1.example.org"}, {.host = "mx.provider.example"},
	{.host = "bad_name.example.org"}, {.host = "192.0.2.1", .refused = true}};

static struct domain_facts
facts(void)
{
	return (struct domain_facts){.domain = "example.org",
		.now_s = INT64_C(1795478400),
		.max_age_min_s = 86400,
		.mx = hosts,
		.mx_count = ARRAY_LEN(hosts)};
}

/* The fix of one finding of the code; lines behind the first in *paste. */
static const char *
fix_for(const struct domain_facts *f, const char *code, struct report *r, const char **paste)
{
	const char *fix;

	finding_add_usual(&r->findings, code, f->domain, NULL, "seen");
	domain_advise(f, r);
	fix = r->findings.items[r->findings.count - 1].fix;
	assert_non_null(fix);
	*paste = strchr(fix, '\n');
	assert_non_null(*paste);
	++*paste;
	return fix;
}

/* The policy is all lines but the last, which is the record. */
static void
a_policy_that_passes(void **state UNUSED)
{
	static const char *const codes[] = {"mta-sts-record-missing", "mta-sts-policy-syntax",
		"mta-sts-mx-mismatch", "mta-sts-policy-host-missing", "mta-sts-policy-mx-too-wide"};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct report *r = report_new("example.org");
		struct domain_facts f = facts();
		struct mta_sts_policy policy;
		struct finding_list findings;
		const char *paste, *record;

		(void)fix_for(&f, codes[i], r, &paste);
		record = strrchr(paste, '\n') + 1;
		assert_string_equal(
			record, "_mta-sts.example.org. IN TXT \"v=STSv1; id=20261124000000;\"");
		finding_list_init(&findings, r->arena);
		mta_sts_policy_parse(paste, (size_t)(record - paste), "", &findings, &policy);
		assert_true(policy.valid);
		assert_int_equal(findings.count, 0);
		assert_int_equal(policy.mode, POLICY_MODE_TESTING);
		assert_int_equal(policy.max_age_s, 2592000);
		assert_int_equal(policy.mx_count, 2);
		assert_string_equal(policy.mx[0], "mx1.example.org");
		assert_string_equal(policy.mx[1], "mx.provider.example");
		report_free(r);
	}
}

/* Mode, max_age and the patterns in use stay, what nobody needs or may be goes. */
static void
the_owners_own_values(void **state UNUSED)
{
	static const char *mx[] = {"*.example.org", "mx.former.example", "*.org"};
	struct report *r = report_new("example.org");
	struct domain_facts f = facts();
	const char *paste;

	f.policy = (struct mta_sts_policy){.valid = true,
		.mode = POLICY_MODE_ENFORCE,
		.max_age_s = 31557600,
		.mx = mx,
		.mx_count = ARRAY_LEN(mx)};
	(void)fix_for(&f, "mta-sts-mx-mismatch", r, &paste);
	assert_true(str_starts(paste,
		"version: STSv1\nmode: enforce\nmx: *.example.org\nmx: mx.provider.example\n"
		"max_age: 31557600\n"));
	report_free(r);
}

static void
an_opt_in_that_passes(void **state UNUSED)
{
	static const char *mx[] = {"mx1.example.org"};
	struct report *r = report_new("example.org");
	struct domain_facts f = facts();
	const char *paste;

	assert_non_null(strstr(fix_for(&f, "preload-record-missing", r, &paste), "To be listed"));
	assert_string_equal(
		paste, "_preload25.example.org. IN TXT \"v=PRELOAD25v1; mode=enforce\"");
	report_free(r);
	r = report_new("example.org");
	f.preload_record = (struct preload_record){.outcome = TXT_VALID,
		.mode = POLICY_MODE_TESTING,
		.max_age_s = 604800,
		.mx = mx,
		.mx_count = 1,
		.contact = "mailto:a@example.org"};
	(void)fix_for(&f, "preload-mx-mismatch", r, &paste);
	assert_string_equal(paste,
		"_preload25.example.org. IN TXT \"v=PRELOAD25v1; mode=testing; mx=mx1.example.org; "
		"mx=mx.provider.example; max_age=604800; contact=mailto:a@example.org\"");
	report_free(r);
}

/* Without a host that a policy can name there is no sample; the table's advice stays. */
static void
no_hosts(void **state UNUSED)
{
	struct report *r = report_new("example.org");
	struct domain_facts f = facts();

	f.mx_count = 0;
	finding_add_usual(&r->findings, "mta-sts-policy-empty", "example.org", NULL, "seen");
	finding_add_usual(&r->findings, "mx-null", "example.org", NULL, "seen");
	domain_advise(&f, r);
	assert_string_equal(r->findings.items[0].fix, finding_find("mta-sts-policy-empty")->fix);
	assert_null(r->findings.items[1].fix);
	report_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_passes),
		cmocka_unit_test(the_owners_own_values),
		cmocka_unit_test(an_opt_in_that_passes),
		cmocka_unit_test(no_hosts),
	};

	return cmocka_run_group_tests_name("domain_advice", tests, NULL, NULL);
}

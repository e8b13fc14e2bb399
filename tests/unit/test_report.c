/* The table of findings, lists of them, and the report in its two forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/finding.h"
#include "verifier/finding_cause.h"
#include "verifier/finding_manual.h"
#include "verifier/report.h"

#define POLICY "https://mta-sts.mail.example.org/.well-known/mta-sts.txt"

static void
test_table(void **state UNUSED)
{
	for (size_t i = 0; i < finding_table_count; i++) {
		const struct finding_info *info = &finding_table[i];

		if (finding_find(info->code) != info)
			fail_msg("%s stands twice", info->code);
		for (const char *c = info->code; *c != '\0'; c++) {
			if (!str_is_alnum((unsigned char)*c) && *c != '-')
				fail_msg("%s: odd character", info->code);
		}
		if (!str_ends(info->meaning, ".") && !str_ends(info->meaning, ";"))
			fail_msg("%s: the meaning is no sentence", info->code);
		assert_int_equal(info->rule[0], 'R');
		/* What is wrong can be mended, or is the verifier's own affair. */
		if ((info->severity == SEVERITY_FAIL || info->severity == SEVERITY_WARN) &&
			info->fix == NULL && strcmp(info->code, "mx-null") != 0 &&
			strcmp(info->code, "build-churn") != 0)
			fail_msg("%s: no fix", info->code);
	}
	assert_null(finding_find("no-such-code"));
	assert_null(finding_find(""));
}

/* The committed page is what `make man` makes. */
static void
test_manual(void **state UNUSED)
{
	const char *dir = getenv("TESTDIR");
	char *path = xasprintf("%s/../data/man/preload25-findings.7", dir != NULL ? dir : "tests");
	char *made = NULL;
	size_t len;
	FILE *out = open_memstream(&made, &len);
	struct buf text;
	struct error err;

	assert_non_null(out);
	finding_manual_print(out);
	assert_int_equal(fclose(out), 0);
	buf_init(&text, 1 << 20);
	if (file_read(path, &text, &err) < 0)
		fail_msg("%s", err.text);
	if (strcmp(buf_str(&text), made) != 0)
		fail_msg("%s is not of this table: run make man", path);
	for (size_t i = 0; i < finding_table_count; i++) {
		char *item = xasprintf(".It Cm %s Pq ", finding_table[i].code);

		assert_non_null(strstr(made, item));
		free(item);
	}
	buf_clear(&text);
	free(made);
	free(path);
}

static void
test_list(void **state UNUSED)
{
	struct arena *arena = arena_new();
	struct finding_list list;

	finding_list_init(&list, arena);
	assert_int_equal(finding_list_verdict(&list), VERDICT_PASS);
	assert_null(finding_list_first_fail(&list));
	finding_add_usual(&list, "tls13", "b", NULL, "one");
	finding_add_usual(&list, "tls13", "b", NULL, "the same code and subject again");
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].message, "one");
	assert_null(list.items[0].fix);
	finding_add_usual(&list, "mx-cname", "b", NULL, "two");
	assert_int_equal(finding_list_verdict(&list), VERDICT_PASS);
	finding_add_usual(&list, "dns-temporary", "b", NULL, "three");
	assert_int_equal(finding_list_verdict(&list), VERDICT_UNKNOWN);
	finding_add_usual(&list, "pkix-expired", "z", "Renew.", "four");
	finding_add_usual(&list, "mx-missing", "z", NULL, "five");
	finding_add_usual(&list, "pkix-expired", "a", NULL, "six");
	assert_int_equal(finding_list_verdict(&list), VERDICT_FAIL);
	assert_string_equal(finding_list_first_fail(&list)->message, "four");
	finding_list_sort(&list);
	/* MX blocks before the certificate; equal codes stay as they were added. */
	assert_string_equal(list.items[0].message, "five");
	assert_string_equal(list.items[1].message, "four");
	assert_string_equal(list.items[1].fix, "Renew.");
	assert_string_equal(list.items[2].message, "six");
	assert_string_equal(list.items[2].fix, finding_find("pkix-expired")->fix);
	assert_string_equal(list.items[3].message, "three");
	assert_string_equal(list.items[4].message, "two");
	assert_string_equal(list.items[5].message, "one");
	assert_true(finding_list_has(&list, "mx-missing"));
	assert_false(finding_list_has(&list, "mx-null"));
	arena_free(arena);
}

static void
test_foreign_octets(void **state UNUSED)
{
	struct arena *arena = arena_new();
	struct finding_list list;
	char longer[1000];

	finding_list_init(&list, arena);
	finding_add_usual(&list, "mx-cname", "a\x1b[2Jb", NULL, "saw %s", "c\r\nd\x9b");
	assert_string_equal(list.items[0].subject, "a\\x1b[2Jb");
	assert_string_equal(list.items[0].message, "saw c\\x0d\\x0ad\\x9b");
	assert_string_equal(finding_quote(arena, "x\0y\\", 4), "x\\x00y\\\\");
	memset(longer, 'a', sizeof(longer));
	assert_int_equal(strlen(finding_quote(arena, longer, 200)), 200);
	assert_int_equal(strlen(finding_quote(arena, longer, 201)), 200);
	assert_true(str_ends(finding_quote(arena, longer, 201), "..."));
	longer[sizeof(longer) - 1] = '\0';
	finding_add_usual(&list, "mx-null", longer, NULL, "%s", longer);
	assert_true(strlen(list.items[1].message) < 700);
	assert_true(str_ends(list.items[1].message, "..."));
	arena_free(arena);
}

/* --- causes (R21.2), temporary ones (R21.3), operators (R21.6) ----------------------------------
 */

struct said {
	const char *code;
	enum severity severity;
	const char *subject;
	const char *cause; /* wanted */
};

static void
check_causes(const char *name, const struct said *said, size_t count)
{
	struct arena *arena = arena_new();
	struct finding_list list;

	finding_list_init(&list, arena);
	for (size_t i = 0; i < count; i++)
		finding_add(&list, said[i].code, said[i].severity, said[i].subject, NULL, "seen");
	finding_list_sort(&list);
	finding_cause_settle(&list, "example.org", NULL, 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < list.count; k++) {
			const struct finding *f = &list.items[k];
			const struct finding *cause = finding_cause_of(&list, f);

			if (strcmp(f->code, said[i].code) != 0 ||
				strcmp(f->subject, said[i].subject) != 0)
				continue;
			if ((cause == NULL) != (said[i].cause == NULL) ||
				(cause != NULL && strcmp(cause->code, said[i].cause) != 0))
				fail_msg("%s: %s: cause %s", name, f->code,
					cause == NULL ? "none" : cause->code);
		}
	}
	arena_free(arena);
}

static void
test_causes(void **state UNUSED)
{
	static const struct said unreachable[] = {
		{"mx-all-unreachable", SEVERITY_TEMP, "example.org", NULL},
		{"smtp-connect-refused", SEVERITY_TEMP, "mx.example.org[192.0.2.1]",
			"mx-all-unreachable"},
		{"smtp-connect-timeout", SEVERITY_TEMP, "mx2.example.org[192.0.2.2]",
			"mx-all-unreachable"},
	};
	static const struct said one_host[] = {
		{"mx-unreachable", SEVERITY_TEMP, "mx.example.org", NULL},
		{"smtp-connect-refused", SEVERITY_TEMP, "mx.example.org[192.0.2.1]",
			"mx-unreachable"},
		{"smtp-timeout", SEVERITY_TEMP, "mx2.example.org[192.0.2.2]", NULL},
	};
	static const struct said no_tls[] = {
		{"starttls-not-offered", SEVERITY_FAIL, "mx.example.org[192.0.2.1]", NULL},
		{"pkix-name-mismatch", SEVERITY_FAIL, "mx.example.org[192.0.2.1]",
			"starttls-not-offered"},
		{"pkix-name-mismatch", SEVERITY_FAIL, "mx2.example.org[192.0.2.2]", NULL},
		{"dane-starttls-missing", SEVERITY_FAIL, "mx.example.org", "starttls-not-offered"},
	};
	static const struct said dane[] = {
		{"tlsa-mismatch", SEVERITY_FAIL, "mx.example.org[192.0.2.1]", NULL},
		{"eligibility-dane-broken", SEVERITY_FAIL, "example.org", "tlsa-mismatch"},
		{"pkix-self-signed", SEVERITY_FAIL, "mx.example.org[192.0.2.1]", NULL},
	};
	static const struct said dane_alone[] = {
		{"mta-sts-record-missing", SEVERITY_INFO, "_mta-sts.example.org", NULL},
		{"tlsa-mismatch", SEVERITY_FAIL, "mx.example.org[192.0.2.1]", NULL},
		{"pkix-self-signed", SEVERITY_FAIL, "mx.example.org[192.0.2.1]", "tlsa-mismatch"},
	};
	static const struct said policy[] = {
		{"mta-sts-mx-mismatch", SEVERITY_FAIL, "mx.example.net", NULL},
		{"mta-sts-mx-unused", SEVERITY_INFO, "mx.old.example.net", "mta-sts-mx-mismatch"},
		{"mta-sts-record-syntax", SEVERITY_FAIL, "_mta-sts.example.org", NULL},
		{"mta-sts-id-missing", SEVERITY_FAIL, "_mta-sts.example.org",
			"mta-sts-record-syntax"},
	};
	/* A warning hides no fail; a bogus zone explains the names below it and no others. */
	static const struct said weights[] = {
		{"mta-sts-policy-mx-too-wide", SEVERITY_WARN, "https://x/", NULL},
		{"mta-sts-mx-unused", SEVERITY_FAIL, "*.org", NULL},
		{"dnssec-bogus", SEVERITY_TEMP, "example.org", NULL},
		{"dnssec-bogus", SEVERITY_TEMP, "_mta-sts.example.org", "dnssec-bogus"},
		{"dnssec-bogus", SEVERITY_TEMP, "notexample.org", NULL},
	};

	check_causes("unreachable", unreachable, ARRAY_LEN(unreachable));
	check_causes("one host", one_host, ARRAY_LEN(one_host));
	check_causes("no TLS", no_tls, ARRAY_LEN(no_tls));
	check_causes("DANE", dane, ARRAY_LEN(dane));
	check_causes("DANE alone", dane_alone, ARRAY_LEN(dane_alone));
	check_causes("policy", policy, ARRAY_LEN(policy));
	check_causes("weights", weights, ARRAY_LEN(weights));
}

/* A fail that rests only on what could not be tested is none. */
static void
test_temporary(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct said said[5]; /* cause: in the end */
		enum severity in_the_end[5];
	} rows[] = {
		{"the certificate of a host whose TLSA records are not known",
			{{"mta-sts-record-missing", SEVERITY_INFO, "_mta-sts.example.org", NULL},
				{"dane-tlsa-lookup-failed", SEVERITY_TEMP,
					"_25._tcp.mx.example.org", NULL},
				{"pkix-self-signed", SEVERITY_FAIL, "mx.example.org[192.0.2.1]",
					"dane-tlsa-lookup-failed"},
				{"pkix-self-signed", SEVERITY_FAIL, "mx2.example.org[192.0.2.2]",
					NULL}},
			{SEVERITY_INFO, SEVERITY_TEMP, SEVERITY_TEMP, SEVERITY_FAIL}},
		{"step by step",
			{{"starttls-stripped", SEVERITY_TEMP, "mx.example.org[192.0.2.1]", NULL},
				{"dane-starttls-missing", SEVERITY_FAIL, "mx.example.org",
					"starttls-stripped"},
				{"eligibility-dane-broken", SEVERITY_FAIL, "example.org",
					"dane-starttls-missing"}},
			{SEVERITY_TEMP, SEVERITY_TEMP, SEVERITY_TEMP}},
		{"but one cause that is certain is enough",
			{{"starttls-stripped", SEVERITY_TEMP, "mx.example.org[192.0.2.1]", NULL},
				{"dane-starttls-missing", SEVERITY_FAIL, "mx.example.org",
					"starttls-stripped"},
				{"tlsa-mismatch", SEVERITY_FAIL, "mx2.example.org[192.0.2.2]",
					NULL},
				{"eligibility-dane-broken", SEVERITY_FAIL, "example.org",
					"tlsa-mismatch"}},
			{SEVERITY_TEMP, SEVERITY_TEMP, SEVERITY_FAIL, SEVERITY_FAIL}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		struct finding_list list;
		size_t count = 0;

		finding_list_init(&list, arena);
		for (; count < ARRAY_LEN(rows[i].said) && rows[i].said[count].code != NULL; count++)
			finding_add(&list, rows[i].said[count].code, rows[i].said[count].severity,
				rows[i].said[count].subject, NULL, "seen");
		for (int again = 0; again < 2; again++)
			finding_cause_settle(&list, "example.org", NULL, 0);
		for (size_t k = 0; k < count; k++) {
			const struct finding *f = &list.items[k];
			const char *want = rows[i].said[k].cause;

			if (f->severity != rows[i].in_the_end[k] ||
				(f->cause == NULL) != (want == NULL) ||
				(want != NULL && strcmp(f->cause, want) != 0))
				fail_msg("%s: %s is %s, cause %s", rows[i].name, f->code,
					severity_name(f->severity), f->cause);
			if (rows[i].said[k].severity == SEVERITY_FAIL &&
				f->severity == SEVERITY_TEMP)
				assert_string_equal(f->message,
					"seen; whether that counts could not be tested");
		}
		finding_list_sort(&list);
		assert_int_equal(
			finding_list_verdict(&list), i == 1 ? VERDICT_UNKNOWN : VERDICT_FAIL);
		arena_free(arena);
	}
}

static void
test_operator(void **state UNUSED)
{
	static const struct finding_place places[] = {
		{POLICY, "mta-sts.customers.provider.net"},
		{"_mta-sts.mail.example.org", "_mta-sts.example.org"},
	};
	struct arena *arena = arena_new();
	struct finding_list list;

	finding_list_init(&list, arena);
	finding_add_usual(&list, "pkix-expired", "mx1.provider.net[192.0.2.1]", NULL, "seen");
	finding_add_usual(&list, "tlsa-mismatch", "_25._tcp.mx.example.org", NULL, "seen");
	finding_add_usual(&list, "mta-sts-mx-mismatch", "mx1.provider.net", NULL, "seen");
	finding_add_usual(&list, "smtp-timeout", "mx1.provider.net[192.0.2.1]", NULL, "slow");
	finding_add_usual(&list, "dns-temporary", "mx2.provider.net", NULL,
		"could not be tested within 60 s");
	finding_add_usual(&list, "mta-sts-policy-tls", POLICY, NULL, "seen");
	finding_add_usual(&list, "mta-sts-record-syntax", "_mta-sts.mail.example.org", NULL, "seen");
	finding_cause_settle(&list, "mail.example.org", places, ARRAY_LEN(places));
	assert_string_equal(list.items[0].run_by, "provider.net");
	assert_null(list.items[1].run_by); /* the owner's own host */
	assert_null(list.items[2].run_by); /* the owner's own policy */
	assert_string_equal(list.items[3].run_by, "provider.net");
	assert_string_equal(list.items[0].message, "seen");
	assert_string_equal(list.items[3].message, "could not be tested: slow");
	assert_string_equal(list.items[4].message, "could not be tested within 60 s");
	assert_string_equal(list.items[5].run_by, "provider.net");
	assert_null(list.items[6].run_by); /* an alias within the domain */
	arena_free(arena);
}

/* --- reports -------------------------------------------------------------------------------------
 */

static struct report *
healthy(void)
{
	static const char *const hosts[] = {"mx1.example.org", "backup.mail.example.net"};
	struct report *r = report_new("Example.ORG");
	const char **mxs = arena_calloc(r->arena, 2, sizeof(*mxs));

	r->ascii = "example.org";
	r->time_s = 1795492800;
	r->verdict = VERDICT_PASS;
	r->eligible = true;
	r->source = SOURCE_MTA_STS;
	r->auth_pkix = true;
	r->mode = POLICY_MODE_ENFORCE;
	r->max_age_s = 2592000;
	r->tls_version = 12;
	r->mx_secure = DNS_SECURE;
	r->mx_count = 2;
	r->mx = arena_calloc(r->arena, r->mx_count, sizeof(*r->mx));
	for (size_t i = 0; i < r->mx_count; i++) {
		struct report_mx *mx = &r->mx[i];

		mx->host = hosts[i];
		mx->preference = 10 * (unsigned)(i + 1);
		mx->secure = DNS_SECURE;
		mx->starttls = mx->pkix = VERDICT_PASS;
		mx->tls_version = i == 0 ? 13 : 12;
		mx->address_count = 1;
		mx->addresses = arena_calloc(r->arena, 1, sizeof(*mx->addresses));
		mx->addresses[0] = (struct report_address){
			.address = "192.0.2.1",
			.starttls = VERDICT_PASS,
			.pkix = VERDICT_PASS,
			.tls_version = mx->tls_version,
			.cipher = "TLS_AES_256_GCM_SHA384",
			.spki_sha256 =
				"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
			.not_after_s = 1800000000,
		};
		mxs[i] = hosts[1 - i];
	}
	r->mxs = mxs;
	r->mxs_count = 2;
	r->mta_sts = VERDICT_PASS;
	r->mta_sts_record = "v=STSv1; id=20261101;";
	r->mta_sts_id = "20261101";
	r->mta_sts_mode = POLICY_MODE_ENFORCE;
	r->mta_sts_max_age_s = 2592000;
	r->tlsrpt_record = "v=TLSRPTv1; rua=mailto:reports@example.org";
	r->contact = "mailto:reports@example.org";
	finding_add_usual(&r->findings, "tls13-missing", hosts[1], NULL, "no TLS 1.3");
	return r;
}

static struct report *
broken(void)
{
	struct report *r = healthy();

	r->verdict = VERDICT_FAIL;
	r->eligible = false;
	r->source = SOURCE_NONE;
	r->mta_sts = VERDICT_FAIL;
	r->dane = VERDICT_FAIL;
	r->mx[0].dane = VERDICT_FAIL;
	r->mx[0].tlsa = arena_calloc(r->arena, 1, sizeof(*r->mx[0].tlsa));
	r->mx[0].tlsa[0] = "3 1 1 abcd";
	r->mx[0].tlsa_count = 1;
	finding_add_usual(&r->findings, "mta-sts-mx-mismatch", "backup.mail.example.net",
		"Add this line to the policy:\nmx: backup.mail.example.net",
		"the MX host matches none of the mx lines of the policy, so that senders which "
		"enforce "
		"it do not deliver there");
	finding_add_usual(&r->findings, "mx-unreachable", "mx9.example.org", NULL, "no answer");
	finding_add_usual(&r->findings, "tlsrpt-rua-syntax", "_smtp._tls.example.org", NULL,
		"\"reports@example.org\" is no URI");
	finding_list_sort(&r->findings);
	return r;
}

static char *
print(const struct report *r, bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	report_print(r, out, colour);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static size_t
lines_of(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* Members that the object of a schema requires are there, and no others. */
static void
check_members(const json_t *schema, const json_t *object, const char *where)
{
	const json_t *required = json_object_get(schema, "required");
	size_t i;
	json_t *name;

	assert_true(json_is_object(object));
	json_array_foreach(required, i, name)
	{
		if (json_object_get(object, json_string_value(name)) == NULL)
			fail_msg("%s: no member %s", where, json_string_value(name));
	}
	if (json_object_size(object) != json_array_size(required))
		fail_msg("%s: members that the schema does not know", where);
}

static void
test_json(void **state UNUSED)
{
	const char *dir = getenv("TESTDIR");
	char *path = xasprintf("%s/../data/schema/check.schema.json", dir != NULL ? dir : "tests");
	struct report *reports[] = {healthy(), broken(), report_new("a b")};
	json_t *schema = NULL;
	json_t *defs;
	struct buf text;
	struct error err;

	buf_init(&text, 1 << 20);
	if (file_read(path, &text, &err) < 0 || json_parse(text.data, text.len, &schema, &err) < 0)
		fail_msg("%s", err.text);
	defs = json_object_get(schema, "$defs");
	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		json_t *got = report_to_json(reports[i]);
		json_t *mx = json_array_get(json_object_get(got, "mx"), 0);
		json_t *finding = json_array_get(json_object_get(got, "findings"), 0);
		static const char *const parts[] = {"mta_sts", "dane", "tlsrpt", "preload"};

		check_members(schema, got, "report");
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			check_members(
				json_object_get(json_object_get(schema, "properties"), parts[k]),
				json_object_get(got, parts[k]), parts[k]);
		if (mx != NULL) {
			check_members(json_object_get(defs, "mx"), mx, "mx");
			check_members(json_object_get(defs, "session"),
				json_array_get(json_object_get(mx, "sessions"), 0), "session");
		}
		if (finding != NULL)
			check_members(json_object_get(defs, "finding"), finding, "finding");
		json_decref(got);
		report_free(reports[i]);
	}
	json_decref(schema);
	buf_clear(&text);
	free(path);
}

static void
test_json_values(void **state UNUSED)
{
	struct report *r = healthy();
	json_t *got = report_to_json(r);
	json_t *mx = json_array_get(json_object_get(got, "mx"), 0);
	struct buf text;
	struct error err;
	json_t *auth = json_object_get(got, "auth");

	assert_string_equal(json_string_value(json_object_get(got, "domain")), "Example.ORG");
	assert_string_equal(json_string_value(json_object_get(got, "ascii")), "example.org");
	assert_string_equal(
		json_string_value(json_object_get(got, "time")), "2026-11-24T04:00:00Z");
	assert_string_equal(json_string_value(json_object_get(got, "verdict")), "pass");
	assert_true(json_is_true(json_object_get(got, "eligible")));
	assert_int_equal(json_array_size(auth), 1);
	assert_string_equal(json_string_value(json_array_get(auth, 0)), "pkix");
	assert_string_equal(json_string_value(json_object_get(got, "mode")), "enforce");
	assert_int_equal(json_integer_value(json_object_get(got, "max_age")), 2592000);
	assert_string_equal(json_string_value(json_object_get(mx, "starttls")), "pass");
	assert_string_equal(json_string_value(json_object_get(mx, "dane")), "unknown");
	assert_string_equal(json_string_value(json_object_get(mx, "tls")), "1.3");
	assert_true(json_is_true(json_object_get(mx, "secure")));
	buf_init(&text, 1 << 20);
	assert_int_equal(json_compact(got, &text, &err), 0);
	assert_null(memchr(text.data, '\n', text.len));
	buf_clear(&text);
	json_decref(got);
	report_free(r);
}

static void
test_print_healthy(void **state UNUSED)
{
	struct report *r = healthy();
	char *text = print(r, false);

	assert_non_null(strstr(text, "example.org is fit for the list"));
	assert_non_null(strstr(text, "30 days"));
	assert_null(strstr(text, "FAIL"));
	assert_null(strstr(text, "_preload25."));
	assert_true(lines_of(text) <= 24);
	for (const char *c = text; *c != '\0'; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	free(text);
	text = print(r, true);
	assert_non_null(strstr(text, "\x1b[32m\xe2\x9c\x93\x1b[0m"));
	free(text);
	report_free(r);
}

static void
test_print_broken(void **state UNUSED)
{
	struct report *r = broken();
	char *text = print(r, false);
	const char *fail = strstr(text, "What stands in the way");
	const char *temp = strstr(text, "What could not be tested");
	const char *warn = strstr(text, "What to mend as well");
	const char *sample = strstr(text, "A record and a policy that would do");
	const char *fine = strstr(text, "All that was looked at");
	const char *line = text;

	assert_non_null(strstr(text, "example.org is not fit for the list:\n  1 problem stands"));
	assert_true(fail != NULL && temp > fail && sample > temp && warn > sample && fine > warn);
	assert_non_null(strstr(fail,
		"       Fix: Add this line to the policy:\n"
		"           mx: backup.mail.example.net\n"));
	/* What would pass, with the owner's own values. */
	assert_non_null(
		strstr(sample, "_mta-sts.example.org. IN TXT \"v=STSv1; id=20261124040000;\""));
	assert_non_null(strstr(sample, "        mx: mx1.example.org\n"));
	assert_non_null(strstr(sample, "_25._tcp.mx1.example.org. IN TLSA 3 1 1 0011"));
	/* Text is wrapped; only what is to be pasted may be longer. */
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");

		if (len > 80 && strncmp(line, "    _", 5) != 0)
			fail_msg("too long: %.*s", (int)len, line);
		line += len + 1;
	}
	free(text);
	report_free(r);
}

/* What a server said in one breath is cut where the line ends; nothing of it gets lost. */
static void
test_print_long_word(void **state UNUSED)
{
	struct report *r = healthy();
	char word[191], *text;
	const char *line;
	size_t shown = 0;

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	r->verdict = VERDICT_FAIL;
	r->eligible = false;
	finding_add_usual(&r->findings, "ehlo-rejected", "mx1.example.org[192.0.2.1]", NULL,
		"it said \"%s\"", word);
	text = print(r, false);
	for (line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (strcspn(line, "\n") > 80)
			fail_msg("too long: %.*s", (int)strcspn(line, "\n"), line);
	}
	for (line = text; (line = strstr(line, "xx")) != NULL; line += strspn(line, "x"))
		shown += strspn(line, "x");
	assert_int_equal(shown, strlen(word));
	free(text);
	report_free(r);
}

/* A consequence stands under its cause, once; the same of several hosts is one block; the operator
 * is named. */
static void
test_print_consequences(void **state UNUSED)
{
	struct report *r = healthy();
	const char *host;
	char *text;

	r->verdict = VERDICT_FAIL;
	r->eligible = false;
	finding_add_usual(&r->findings, "tlsa-mismatch", "mx1.example.org[192.0.2.1]", "Publish.",
		"no match");
	finding_add_usual(
		&r->findings, "eligibility-dane-broken", "example.org", NULL, "DANE fails");
	finding_add_usual(
		&r->findings, "pkix-expired", "mx1.provider.net[192.0.2.3]", NULL, "too old");
	finding_add_usual(
		&r->findings, "pkix-expired", "mx2.provider.net[192.0.2.4]", NULL, "too old");
	finding_list_sort(&r->findings);
	finding_cause_settle(&r->findings, "example.org", NULL, 0);
	text = print(r, false);
	assert_non_null(strstr(text, "2 problems stand in the way"));
	assert_non_null(
		strstr(text, "       -> example.org: DANE fails (eligibility-dane-broken)\n"));
	assert_null(strstr(text, "FAIL example.org"));
	host = strstr(text, "  FAIL mx1.provider.net[192.0.2.3]  pkix-expired\n");
	assert_non_null(host);
	assert_non_null(strstr(host, "       mx2.provider.net[192.0.2.4]  pkix-expired\n"));
	assert_non_null(strstr(host, "run by provider.net, not by you: forward it"));
	assert_null(strstr(strstr(host, "too old") + 1, "too old"));
	free(text);
	report_free(r);
}

static void
test_print_foreign(void **state UNUSED)
{
	struct report *r = report_new("ex\x1b]0;\x07le\n");
	char *text;

	r->verdict = VERDICT_FAIL;
	finding_add_usual(&r->findings, "domain-bad-character", r->domain, NULL, "odd \x1b[2J");
	text = print(r, false);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\x07'));
	assert_non_null(strstr(text, "ex\\x1b]0;\\x07le\\x0a"));
	assert_non_null(strstr(text, "is not a mail domain"));
	free(text);
	report_free(r);

	/* Records as seen and host names out of DNS. */
	r = healthy();
	r->tlsrpt_record = "v=TLSRPTv1; rua=\x1b[2J";
	r->mx[0].host = "mx\x1b[31m.example.org";
	text = print(r, false);
	assert_null(strchr(text, '\x1b'));
	free(text);
	report_free(r);
	report_free(NULL);
}

static void
test_print_undecided(void **state UNUSED)
{
	struct report *r = healthy();
	char *text;

	r->eligible = false;
	r->source = SOURCE_NONE;
	r->mta_sts = VERDICT_UNKNOWN;
	r->mta_sts_record = NULL;
	r->mta_sts_mode = POLICY_MODE_ABSENT;
	text = print(r, false);
	assert_non_null(strstr(text, "has not asked to be listed"));
	assert_non_null(
		strstr(text, "_preload25.example.org. IN TXT \"v=PRELOAD25v1; mode=enforce\""));
	free(text);
	/* The owner who said no is not asked again. */
	r->preload_mode = POLICY_MODE_NONE;
	text = print(r, false);
	assert_null(strstr(text, "PRELOAD25v1"));
	free(text);
	r->verdict = VERDICT_UNKNOWN;
	text = print(r, false);
	assert_non_null(strstr(text, "could not be judged"));
	free(text);
	report_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_foreign_octets),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_temporary),
		cmocka_unit_test(test_operator),
		cmocka_unit_test(test_print_consequences),
		cmocka_unit_test(test_print_long_word),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_values),
		cmocka_unit_test(test_print_healthy),
		cmocka_unit_test(test_print_broken),
		cmocka_unit_test(test_print_foreign),
		cmocka_unit_test(test_print_undecided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

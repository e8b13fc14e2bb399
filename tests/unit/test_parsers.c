/* The verifier's parsers where the vectors do not reach: limits, NULs, the empty input, and what a
 * hostile name server or mail server sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/str.h"
#include "verifier/dns_id.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"
#include "verifier/lint.h"
#include "verifier/mta_sts.h"
#include "verifier/preload_record.h"
#include "verifier/smtp_reply.h"
#include "verifier/tlsa.h"
#include "verifier/tlsrpt.h"
#include "verifier/txt_record.h"

/* One arena and list for each test. */
struct fixture {
	struct arena *arena;
	struct finding_list findings;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->arena = arena_new();
	finding_list_init(&f->findings, f->arena);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	arena_free(f->arena);
	free(f);
	return 0;
}

/* --- domain names --------------------------------------------------------------------------------
 */

static void
test_domain_rejects(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *input;
		size_t len;
		const char *code;
	} cases[] = {
		{"exam\0ple.com", 12, "domain-bad-character"},
		{"\0", 1, "domain-bad-character"},
		{"m\xfcnchen.de", 10, "domain-bad-encoding"},
		{"\xc2\xa0\xe3\x80\x80", 5, "domain-empty"},
		{"..", 2, "domain-empty-label"},
		{"mailto:joe@example.com", 22, "domain-is-address"},
		{"mailto:example.com", 18, "domain-is-address"},
		{"//example.com", 13, "domain-is-url"},
		{"example.com/path", 16, "domain-is-url"},
		{"https:example.com", 17, "domain-is-url"},
		{"127.0.0.1.", 10, "domain-ip-literal"},
		{"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", 15, "domain-ip-literal"},
		{"fe80::1%eth0", 12, "domain-ip-literal"},
		{"0x7f.1", 6, "domain-numeric-tld"},
		{"example.0x1F", 12, "domain-numeric-tld"},
		{"192.168.1.256", 13, "domain-numeric-tld"},
		{"_mta-sts.example.com", 20, "domain-bad-character"},
		{"a,b.com", 7, "domain-bad-character"},
		{"a\\b.com", 7, "domain-bad-character"},
		{"a\tb.com", 7, "domain-bad-character"},
		{"ab--cd.com", 10, "domain-bad-hyphen"},
		/* Full-width low line and commercial at, which libidn2 drops under STD3 rules; dots
		 * of other scripts than UTS #46 knows. */
		{"ex\xef\xbc\xbf"
		 "ample.com",
			14, "domain-bad-character"},
		{"ex\xe2\x80\xa4"
		 "ample.com",
			14, "domain-idna-invalid"},
		{"ex\xe2\x92\x88"
		 "ample.com",
			14, "domain-idna-invalid"},
		{"\xef\xbd\x81\xef\xbc\xa0"
		 "b.com",
			11, "domain-bad-character"},
		{"\xc2\xad.com", 6, "domain-empty-label"},
		{"\xe2\x98\x83.net", 7, "domain-idna-invalid"},
		{"xn--n3h.net", 11, "domain-idna-invalid"},
		{"xn--.com", 8, "domain-bad-hyphen"},
		{"xn--0.com", 9, "domain-idna-invalid"},
		{"xn--a.com", 9, "domain-idna-invalid"},
		{"xn--abc.de", 10, "domain-idna-invalid"},
		{"a\xd7\x90.com", 7, "domain-idna-invalid"},
		{"\xcc\x80"
		 "a.com",
			7, "domain-idna-invalid"},
		{"a.in-addr.arpa", 14, "domain-special-use"},
		{"printer.internal", 16, "domain-special-use"},
		{"foo.ck", 6, "domain-public-suffix"},
		{"xn--55qx5d.cn", 13, "domain-public-suffix"},
	};
	char out[DOMAIN_NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct finding *why;
		int rc;

		finding_list_init(&f->findings, f->arena);
		rc = domain_name_parse(cases[i].input, cases[i].len, false, &f->findings, out);
		why = finding_list_first_fail(&f->findings);
		if (rc == 0 || why == NULL || strcmp(why->code, cases[i].code) != 0)
			fail_msg("%s: want %s, got %s", cases[i].input, cases[i].code,
				why != NULL ? why->code : "nothing");
	}
	/* The fix names the domain that was meant. */
	finding_list_init(&f->findings, f->arena);
	assert_int_equal(
		domain_name_parse("_25._tcp.mx.example.com", 23, false, &f->findings, out), -1);
	assert_non_null(strstr(f->findings.items[0].fix, "mx.example.com"));
}

static void
test_domain_accepts(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *input;
		const char *ascii;
		const char *note; /* a finding expected, or NULL */
	} cases[] = {
		{"\xc2\xa0"
		 "Example.COM\xe3\x80\x82\n",
			"example.com", NULL},
		{"stra\xc3\x9f"
		 "e.de",
			"xn--strae-oqa.de", NULL},
		{"www.ck", "www.ck", NULL},
		{"github.io", "github.io", "domain-private-suffix"},
		{"mail.example.com", "mail.example.com", "domain-is-subdomain"},
		{"example.co.uk", "example.co.uk", NULL},
		{"0xample.com", "0xample.com", NULL},
		{"1.com", "1.com", NULL},
	};
	char out[DOMAIN_NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		finding_list_init(&f->findings, f->arena);
		if (domain_name_parse(
			    cases[i].input, strlen(cases[i].input), false, &f->findings, out) < 0)
			fail_msg("%s: %s", cases[i].input, f->findings.items[0].code);
		assert_string_equal(out, cases[i].ascii);
		assert_int_equal(f->findings.count, cases[i].note != NULL);
		if (cases[i].note != NULL)
			assert_string_equal(f->findings.items[0].code, cases[i].note);
	}
	/* The lab's names. */
	assert_int_equal(domain_name_parse("d1.test", 7, true, &f->findings, out), 0);
	assert_int_equal(domain_name_parse("test", 4, true, &f->findings, out), -1);
}

static void
test_domain_limits(void **state)
{
	struct fixture *f = *state;
	char name[DOMAIN_NAME_INPUT_MAX + 2];
	char out[DOMAIN_NAME_SIZE];

	/* Labels of 49 octets; cut from the left to the length wanted. */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	memcpy(name + 296, ".com", 5);
	for (size_t len = 240; len <= 256; len++) {
		const char *typed = name + 300 - len;
		int rc;

		finding_list_init(&f->findings, f->arena);
		rc = domain_name_parse(typed, len, false, &f->findings, out);
		assert_int_equal(rc, len <= DOMAIN_NAME_MAX && typed[0] != '.' ? 0 : -1);
		if (typed[0] != '.' && len > DOMAIN_NAME_MAX)
			assert_string_equal(f->findings.items[0].code, "domain-too-long");
		if (rc == 0)
			assert_int_equal(
				finding_list_has(&f->findings, "domain-too-long-for-mta-sts"),
				len > DOMAIN_NAME_MTA_STS_MAX);
	}
	memset(name, 'a', sizeof(name));
	assert_int_equal(
		domain_name_parse(name, DOMAIN_NAME_INPUT_MAX, false, &f->findings, out), -1);
	assert_int_equal(domain_name_parse(name, sizeof(name), false, &f->findings, out), -1);
}

static void
test_host_names(void **state UNUSED)
{
	assert_true(domain_name_is_host("mx.example.com"));
	assert_true(domain_name_is_host("MX-1.example.com"));
	assert_false(domain_name_is_host("mx_1.example.com"));
	assert_false(domain_name_is_host("localhost"));
	assert_false(domain_name_is_host("mx.example.com."));
	assert_false(domain_name_is_host("1.2.3.4"));
	assert_false(domain_name_is_host(""));
	assert_true(domain_name_reads_as_ip("192.0.2.1", 9));
	assert_true(domain_name_reads_as_ip("192.0.2.1.", 10));
	assert_true(domain_name_reads_as_ip("[192.0.2.1]", 11));
	assert_true(domain_name_reads_as_ip("2001:db8::1", 11));
	assert_true(domain_name_reads_as_ip("mx.0x1f", 7));
	assert_false(domain_name_reads_as_ip("mx.0xyz", 7));
	assert_false(domain_name_reads_as_ip("", 0));
	assert_false(domain_name_reads_as_ip(".", 1));
	assert_string_equal(domain_name_registrable("a.mx.example.co.uk"), "example.co.uk");
	assert_string_equal(domain_name_registrable("co.uk"), "co.uk");
	assert_string_equal(domain_name_registrable("192.0.2.1"), "192.0.2.1");
	assert_string_equal(domain_name_registrable("mx1.provider.test"), "provider.test");
	assert_true(domain_name_is_special_use("LOCALHOST"));
	assert_true(domain_name_is_special_use("a.home.arpa"));
	assert_false(domain_name_is_special_use("mytest"));
	assert_false(domain_name_is_special_use("test.com"));
}

/* --- records -------------------------------------------------------------------------------------
 */

static void
test_txt_from_wire(void **state)
{
	struct fixture *f = *state;
	struct txt_text text;

	assert_int_equal(txt_from_wire((const uint8_t *)"\3abc\0\2de", 8, f->arena, &text), 0);
	assert_int_equal(text.len, 5);
	assert_string_equal(text.text, "abcde");
	assert_int_equal(txt_from_wire((const uint8_t *)"", 0, f->arena, &text), 0);
	assert_int_equal(text.len, 0);
	assert_int_equal(txt_from_wire((const uint8_t *)"\4abc", 4, f->arena, &text), -1);
	assert_int_equal(txt_from_wire((const uint8_t *)"\1a\1", 3, f->arena, &text), -1);
	assert_int_equal(txt_from_wire((const uint8_t *)"\3a\0b", 4, f->arena, &text), 0);
	assert_int_equal(text.len, 3);
}

static void
parse_sts(struct fixture *f, const char *text, size_t len, struct mta_sts_record *out)
{
	finding_list_init(&f->findings, f->arena);
	mta_sts_record_parse(text, len, "_mta-sts.example.org", &f->findings, out);
}

static void
test_record_limits(void **state)
{
	struct fixture *f = *state;
	struct mta_sts_record record;
	struct buf text;

	/* NUL is not the end. */
	parse_sts(f, "v=STSv1; id=1\0;", 15, &record);
	assert_int_equal(record.outcome, TXT_INVALID);
	parse_sts(f, "v=STSv1\0; id=1;", 15, &record);
	assert_string_equal(record.code, "mta-sts-record-version");
	parse_sts(f, "v=STSv1; id=1; a=b\0c", 20, &record);
	assert_string_equal(record.code, "mta-sts-record-syntax");
	/* Blanks and the end (R8.3). */
	parse_sts(f, "v=STSv1 ", 8, &record);
	assert_string_equal(record.code, "mta-sts-id-missing");
	parse_sts(f, "v=STSv1; id=1; ", 15, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	assert_int_equal(f->findings.count, 0);
	parse_sts(f, "v=STSv1; id =1;", 15, &record);
	assert_true(finding_list_has(&f->findings, "mta-sts-record-syntax"));
	parse_sts(f, "v=STSv1; id= 1;", 15, &record);
	assert_true(finding_list_has(&f->findings, "mta-sts-record-syntax"));
	/* The fix is a record made of the owner's own id. */
	parse_sts(f, "v=STSv1; id=2026-11-24;", 23, &record);
	assert_non_null(strstr(f->findings.items[0].fix,
		"\n_mta-sts.example.org. IN TXT \"v=STSv1; id=20261124;\""));

	buf_init(&text, 1 << 20);
	buf_add_str(&text, "v=STSv1; id=1");
	for (size_t i = 1; i < TXT_FIELDS_MAX; i++)
		buf_addf(&text, "; f%zu=x", i);
	parse_sts(f, text.data, text.len, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	assert_int_equal(record.extension_count, TXT_FIELDS_MAX - 1);
	assert_string_equal(record.extensions[TXT_FIELDS_MAX - 2].name, "f127");
	buf_add_str(&text, "; last=x");
	parse_sts(f, text.data, text.len, &record);
	assert_string_equal(record.code, "mta-sts-record-syntax");
	buf_clear(&text);
}

#define TEXT(s) \
	{ \
		.text = (s), .len = sizeof(s) - 1 \
	}

static void
test_record_selection(void **state)
{
	struct fixture *f = *state;
	struct mta_sts_record record;
	static const struct txt_text ambiguous[] = {
		TEXT("v=STSv1; id=1;"), TEXT("v=STSv1 ; id=2;"), TEXT("v=spf1 -all")};
	static const struct txt_text only_ambiguous[] = {
		TEXT("v=spf1 -all"), TEXT("v=STSv1 ; id=2;")};
	static const struct txt_text near[] = {TEXT("v=spf1 -all"), TEXT("\"v=STSv1; id=2;\"")};

	mta_sts_rrset_parse(NULL, 0, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_NONE);
	assert_string_equal(record.code, "mta-sts-record-missing");
	assert_int_equal(f->findings.items[0].severity, SEVERITY_INFO);

	finding_list_init(&f->findings, f->arena);
	mta_sts_rrset_parse(ambiguous, 3, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	assert_string_equal(record.id, "1");
	assert_true(finding_list_has(&f->findings, "mta-sts-record-ambiguous"));

	finding_list_init(&f->findings, f->arena);
	mta_sts_rrset_parse(only_ambiguous, 2, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_NONE);
	assert_true(finding_list_has(&f->findings, "mta-sts-record-ambiguous"));

	finding_list_init(&f->findings, f->arena);
	mta_sts_rrset_parse(near, 2, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_NONE);
	assert_string_equal(record.code, "mta-sts-record-version");
}

static void
test_tlsrpt_uris(void **state UNUSED)
{
	static const struct {
		const char *uri;
		bool valid;
		bool mailto;
	} cases[] = {
		{"mailto:a@example.com", true, true},
		{"MAILTO:a%2Bb@example.com", true, true},
		{"mailto:a@example.com?subject=x", true, false},
		{"mailto:a@b@example.com", true, false},
		{"mailto:a%0d%0aRCPT@example.com", true, false},
		{"mailto:a%40b@example.com", true, false},
		{"mailto:@example.com", true, false},
		{"mailto:a@", true, false},
		{"mailto:a@exa_mple.com", true, false},
		{"mailto:a,b@example.com", false, false},
		{"mailto:", false, false},
		{"https://[2001:db8::1]/r", true, false},
		{"https://example.com/[x]", false, false},
		{"https://example.com/%4", false, false},
		{"https://example.com/%zz", false, false},
		{"https://example.com/a#b#c", false, false},
		{"https://example.com/\"", false, false},
		{"1https://example.com", false, false},
		{":x", false, false},
		{"", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].uri);

		if (tlsrpt_uri_is_valid(cases[i].uri, len) != cases[i].valid ||
			(cases[i].valid &&
				tlsrpt_uri_is_mailto(cases[i].uri, len) != cases[i].mailto))
			fail_msg("%s", cases[i].uri);
	}
	assert_false(tlsrpt_uri_is_valid("mailto:a\0@example.com", 21));
}

static void
test_tlsrpt_usable(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_record record;
	static const char text[] = "v=TLSRPTv1; rua=https://r.example/v1,mailto:a@example.com";

	tlsrpt_record_parse(text, strlen(text), "_smtp._tls.example.org", &f->findings, &record);
	assert_int_equal(record.usable_count, 2);
	assert_string_equal(record.mailto, "mailto:a@example.com");
	tlsrpt_rrset_parse(NULL, 0, "_smtp._tls.example.org", &f->findings, &record);
	assert_string_equal(f->findings.items[0].code, "tlsrpt-record-missing");
	assert_int_equal(f->findings.items[0].severity, SEVERITY_WARN);
	assert_non_null(strstr(f->findings.items[0].fix, "rua=mailto:postmaster@example.org\""));
}

/* R16.2 to R16.7: the code, and a record that would do, read back. */
static void
test_tlsrpt_advice(void **state)
{
	static const char owner[] = "_smtp._tls.example.org";
	static const char head[] = "_smtp._tls.example.org. IN TXT \"";
	static const struct {
		const char *text;
		const char *code;
		const char *rua; /* in the record shown */
	} cases[] = {
		{"v=spf1 -all", "tlsrpt-record-missing", "mailto:postmaster@example.org"},
		{"v=TLSRPTv2; rua=mailto:a@example.org", "tlsrpt-record-version",
			"mailto:postmaster@example.org"},
		{"v=TLSRPTv1 ; rua=mailto:a@example.org", "tlsrpt-record-space-before-semicolon",
			NULL},
		{"v=TLSRPTv1; x=1", "tlsrpt-rua-missing", "mailto:postmaster@example.org"},
		{"v=TLSRPTv1; rua=mailto:a@example.org; rua=mailto:b@example.org",
			"tlsrpt-rua-repeated", "mailto:a@example.org"},
		{"v=TLSRPTv1; rua=a@example.org", "tlsrpt-rua-syntax", "mailto:a@example.org"},
		{"v=TLSRPTv1; rua=http://example.org/", "tlsrpt-no-usable-uri",
			"mailto:postmaster@example.org"},
		{"v=TLSRPTv1; rua=mailto:a@example.org; x", "tlsrpt-record-syntax",
			"mailto:a@example.org"},
		/* R16.8: no record of the other domain is asked for. */
		{"v=TLSRPTv1; rua=mailto:a@elsewhere.example", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct txt_text text = {cases[i].text, strlen(cases[i].text)};
		struct fixture *f = *state;
		struct tlsrpt_record record;
		const char *line;

		finding_list_init(&f->findings, f->arena);
		tlsrpt_rrset_parse(&text, 1, owner, &f->findings, &record);
		if (f->findings.count != (cases[i].code != NULL) ||
			(cases[i].code != NULL &&
				strcmp(f->findings.items[0].code, cases[i].code) != 0))
			fail_msg("%s: %zu findings, %s", cases[i].text, f->findings.count,
				f->findings.count > 0 ? f->findings.items[0].code : "none");
		if (cases[i].code == NULL)
			continue;
		assert_int_equal(f->findings.items[0].severity, SEVERITY_WARN);
		line = strchr(f->findings.items[0].fix, '\n');
		assert_non_null(line);
		assert_true(str_starts(++line, head));
		line += strlen(head);
		finding_list_init(&f->findings, f->arena);
		tlsrpt_record_parse(line, strlen(line) - 1, owner, &f->findings, &record);
		assert_int_equal(record.outcome, TXT_VALID);
		assert_int_equal(f->findings.count, 0);
		if (cases[i].rua != NULL)
			assert_string_equal(record.mailto, cases[i].rua);
	}
}

/* --- opt-in record -------------------------------------------------------------------------------
 */

static void
test_preload(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		enum txt_outcome outcome;
		const char *code; /* why not valid, or NULL */
		enum policy_mode mode;
	} cases[] = {
		{"v=PRELOAD25v1; mode=enforce", TXT_VALID, NULL, POLICY_MODE_ENFORCE},
		{"v=PRELOAD25v1;mode=testing;", TXT_VALID, NULL, POLICY_MODE_TESTING},
		{"v=PRELOAD25v1; mode=none", TXT_VALID, NULL, POLICY_MODE_NONE},
		{"v=PRELOAD25v1; max_age=86400; mode=enforce", TXT_VALID, NULL,
			POLICY_MODE_ENFORCE},
		{"v=PRELOAD25v1; mode=enforce; future=1", TXT_VALID, NULL, POLICY_MODE_ENFORCE},
		{"v=PRELOAD25v1; mode=enforce; max_age=31557600", TXT_VALID, NULL,
			POLICY_MODE_ENFORCE},
		{"v=PRELOAD25v1; mode=enforce; max_age=86399", TXT_INVALID, "preload-max-age",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; max_age=31557601", TXT_INVALID, "preload-max-age",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; max_age=00000086400", TXT_INVALID, "preload-max-age",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; max_age=-1", TXT_INVALID, "preload-max-age",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1", TXT_INVALID, "preload-mode-missing", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; Mode=enforce", TXT_INVALID, "preload-mode-missing",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=Enforce", TXT_INVALID, "preload-mode", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=", TXT_INVALID, "preload-record-syntax", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce;;", TXT_INVALID, "preload-record-syntax",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; mode=testing", TXT_INVALID,
			"preload-record-duplicate-field", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; x=1; x=2", TXT_INVALID,
			"preload-record-duplicate-field", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; v=PRELOAD25v1", TXT_INVALID,
			"preload-record-duplicate-field", POLICY_MODE_ABSENT},
		/* The wish to stay out counts in whatever company. */
		{"v=PRELOAD25v1; mode=enforce; mode=none", TXT_INVALID,
			"preload-record-duplicate-field", POLICY_MODE_NONE},
		{"v=PRELOAD25v1; mode=none; rubbish", TXT_INVALID, "preload-record-syntax",
			POLICY_MODE_NONE},
		{"v=PRELOAD25v1; mode=enforce; mx=*.com", TXT_INVALID, "preload-mx-syntax",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; mx=192.0.2.1", TXT_INVALID, "preload-mx-syntax",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; mx=mx.example.com.", TXT_INVALID,
			"preload-mx-syntax", POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; until=20261301", TXT_INVALID, "preload-until",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v1; mode=enforce; until=2026-1-1", TXT_INVALID, "preload-until",
			POLICY_MODE_ABSENT},
		{"v=preload25v1; mode=none", TXT_OTHER, "preload-record-version",
			POLICY_MODE_ABSENT},
		{"v=PRELOAD25v2; mode=none", TXT_OTHER, "preload-record-version",
			POLICY_MODE_ABSENT},
		{"v=spf1 -all", TXT_OTHER, "preload-record-missing", POLICY_MODE_ABSENT},
		{"", TXT_OTHER, "preload-record-missing", POLICY_MODE_ABSENT},
	};
	struct preload_record record;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		finding_list_init(&f->findings, f->arena);
		preload_record_parse(cases[i].text, strlen(cases[i].text), "_preload25.example.org",
			&f->findings, &record);
		if (record.outcome != cases[i].outcome || record.mode != cases[i].mode ||
			(record.code == NULL) != (cases[i].code == NULL) ||
			(record.code != NULL && strcmp(record.code, cases[i].code) != 0))
			fail_msg("%s: outcome %d mode %d code %s", cases[i].text, record.outcome,
				record.mode, record.code != NULL ? record.code : "none");
	}
}

static void
test_preload_fields(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"v=PRELOAD25v1; mode=enforce; mx=MX1.example.org; mx=*.example.net; "
		"contact=mailto:joe@example.org; until=20261231";
	static const char bad_contact[] = "v=PRELOAD25v1; mode=enforce; contact=joe@example.org";
	struct preload_record record;

	preload_record_parse(text, strlen(text), "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	assert_int_equal(record.mx_count, 2);
	assert_string_equal(record.mx[0], "mx1.example.org");
	assert_string_equal(record.mx[1], "*.example.net");
	assert_string_equal(record.contact, "mailto:joe@example.org");
	assert_int_equal(record.max_age_s, PRELOAD_MAX_AGE_DEFAULT);
	assert_int_equal(record.until_s, 1798761600); /* 2027-01-01T00:00:00Z */
	assert_false(preload_record_has_expired(&record, 1798761599));
	assert_true(preload_record_has_expired(&record, 1798761600));
	assert_int_equal(f->findings.count, 0);

	preload_record_parse(bad_contact, strlen(bad_contact), "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	assert_null(record.contact);
	assert_false(preload_record_has_expired(&record, INT64_MAX));
	assert_string_equal(f->findings.items[0].code, "preload-contact");
}

static void
test_preload_rrset(void **state)
{
	struct fixture *f = *state;
	static const struct txt_text two[] = {
		TEXT("v=PRELOAD25v1; mode=enforce"), TEXT("v=PRELOAD25v1; mode=testing")};
	static const struct txt_text with_none[] = {
		TEXT("v=PRELOAD25v1; mode=enforce"), TEXT("v=PRELOAD25v1; mode=none")};
	static const struct txt_text wildcard[] = {
		TEXT("v=spf1 -all"), TEXT("v=PRELOAD25v1; mode=enforce")};
	struct preload_record record;

	preload_rrset_parse(two, 2, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_MULTIPLE);
	assert_int_equal(record.mode, POLICY_MODE_ABSENT);
	preload_rrset_parse(with_none, 2, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_MULTIPLE);
	assert_int_equal(record.mode, POLICY_MODE_NONE);
	preload_rrset_parse(wildcard, 2, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_VALID);
	preload_rrset_parse(NULL, 0, "x", &f->findings, &record);
	assert_int_equal(record.outcome, TXT_NONE);
	assert_string_equal(record.code, "preload-record-missing");
}

/* --- policy --------------------------------------------------------------------------------------
 */

static void
parse_policy(struct fixture *f, const char *text, size_t len, struct mta_sts_policy *out)
{
	finding_list_init(&f->findings, f->arena);
	mta_sts_policy_parse(text, len, "policy", &f->findings, out);
}

static void
test_policy_limits(void **state)
{
	struct fixture *f = *state;
	static const char head[] =
		"version: STSv1\nmode: enforce\nmax_age: 86400\nmx: a.example.com\n";
	struct mta_sts_policy policy;
	struct buf text;

	buf_init(&text, 2 * MTA_STS_POLICY_MAX);
	buf_add_str(&text, head);
	buf_add_str(&text, "pad: ");
	while (text.len < MTA_STS_POLICY_MAX)
		buf_add_char(&text, 'x');
	parse_policy(f, text.data, text.len, &policy);
	assert_true(policy.valid);
	buf_add_char(&text, 'x');
	parse_policy(f, text.data, text.len, &policy);
	assert_false(policy.valid);
	assert_string_equal(policy.code, "mta-sts-policy-too-large");

	buf_reset(&text);
	buf_add_str(&text, head);
	for (size_t i = 4; i < MTA_STS_LINES_MAX; i++)
		buf_add_str(&text, "mx: b.c\n");
	parse_policy(f, text.data, text.len, &policy);
	assert_true(policy.valid);
	assert_int_equal(policy.mx_count, MTA_STS_LINES_MAX - 3);
	buf_add_str(&text, "mx: b.c\n");
	parse_policy(f, text.data, text.len, &policy);
	assert_string_equal(policy.code, "mta-sts-policy-syntax");
	buf_clear(&text);
}

static void
test_policy_text(void **state)
{
	struct fixture *f = *state;
	struct mta_sts_policy policy;
	static const char cr_at_end[] = "version: STSv1\nmode: none\nmax_age: 1\r";
	static const char vertical[] =
		"version: STSv1\nmode: none\nmax_age: 1\nx: a\vmode: enforce\n";
	static const char nel[] = "version: STSv1\nmode: none\nmax_age: 1\nx: a\xc2\x85"
				  "b\n";
	static const char utf8[] = "version: STSv1\nmode: none\nmax_age: 1\nx: \xff\n";
	static const char warned[] = "version: STSv1\nmode: enforce\nmax_age: 86400\nmx: *.co.uk\n";
	static const char several[] =
		"version: STSv2\nmode: on\nmx: a_b.example.com\nmax_age: 1 day\n";

	parse_policy(f, cr_at_end, strlen(cr_at_end), &policy);
	assert_string_equal(policy.code, "mta-sts-policy-syntax");
	parse_policy(f, vertical, strlen(vertical), &policy);
	assert_string_equal(policy.code, "mta-sts-policy-syntax");
	/* U+0085 ends no line, and the grammar lets it stand in a value. */
	parse_policy(f, nel, strlen(nel), &policy);
	assert_true(policy.valid);
	assert_int_equal(policy.extension_count, 1);
	parse_policy(f, utf8, strlen(utf8), &policy);
	assert_string_equal(policy.code, "mta-sts-policy-syntax");
	parse_policy(f, "\n", 1, &policy);
	assert_string_equal(policy.code, "mta-sts-policy-blank-line");
	parse_policy(f, "\xef\xbb\xbf", 3, &policy);
	assert_string_equal(policy.code, "mta-sts-policy-bom");
	parse_policy(f, "\0", 1, &policy);
	assert_string_equal(policy.code, "mta-sts-policy-syntax");
	parse_policy(f, warned, strlen(warned), &policy);
	assert_true(policy.valid);
	assert_true(policy.blocks_listing);
	assert_string_equal(f->findings.items[0].code, "mta-sts-policy-mx-too-wide");
	/* All that is wrong is said, the first one is the code. */
	parse_policy(f, several, strlen(several), &policy);
	assert_int_equal(f->findings.count, 4);
	assert_string_equal(policy.code, "mta-sts-policy-version");
}

static void
test_policy_transport(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mta_sts_check_content_type(NULL, "p", &f->findings), VERDICT_FAIL);
	assert_int_equal(mta_sts_check_content_type("text/plain, text/html", "p", &f->findings),
		VERDICT_FAIL);
	assert_int_equal(
		mta_sts_check_content_type("text/plain text", "p", &f->findings), VERDICT_FAIL);
	assert_int_equal(
		mta_sts_check_content_type(" text/plain ;x=1;Charset=\"UTF-8\"", "q", &f->findings),
		VERDICT_PASS);
	assert_false(finding_list_has(&f->findings, "mta-sts-policy-charset"));
	assert_int_equal(mta_sts_check_content_type("text/plain;charset=latin1", "q", &f->findings),
		VERDICT_PASS);
	assert_true(finding_list_has(&f->findings, "mta-sts-policy-charset"));
	assert_int_equal(mta_sts_check_status(308, "p", &f->findings), VERDICT_FAIL);
	assert_int_equal(mta_sts_check_status(206, "p", &f->findings), VERDICT_FAIL);
	assert_int_equal(mta_sts_check_status(0, "p", &f->findings), VERDICT_FAIL);
	assert_int_equal(mta_sts_check_status(429, "p", &f->findings), VERDICT_UNKNOWN);
	assert_int_equal(mta_sts_check_status(408, "p", &f->findings), VERDICT_UNKNOWN);
	assert_int_equal(mta_sts_check_status(599, "p", &f->findings), VERDICT_UNKNOWN);
	assert_int_equal(mta_sts_check_status(600, "p", &f->findings), VERDICT_FAIL);
}

static void
test_patterns(void **state UNUSED)
{
	static const char *const patterns[] = {"mx.example.com", "*.mail.example.net"};

	assert_false(mta_sts_pattern_matches("*.example.com", ".example.com"));
	assert_false(mta_sts_pattern_matches("*.example.com", "example.com"));
	assert_false(mta_sts_pattern_matches("example.com", ""));
	assert_false(mta_sts_pattern_matches("", ""));
	assert_false(mta_sts_pattern_matches("example.com", "example.com.."));
	assert_true(mta_sts_host_is_covered(patterns, 2, "A.mail.example.net."));
	assert_false(mta_sts_host_is_covered(patterns, 2, "mail.example.net"));
	assert_false(mta_sts_host_is_covered(patterns, 0, "mx.example.com"));
	assert_true(mta_sts_pattern_is_too_wide("*.com"));
	assert_true(mta_sts_pattern_is_too_wide("*.CO.UK"));
	assert_true(mta_sts_pattern_is_too_wide("*.github.io"));
	assert_false(mta_sts_pattern_is_too_wide("*.example.com"));
	assert_false(mta_sts_pattern_is_too_wide("com"));
}

/* --- TLSA ----------------------------------------------------------------------------------------
 */

static void
test_tlsa_text(void **state)
{
	struct fixture *f = *state;
	static const char *const malformed[] = {"", "3", "3 1 1", "3 1 1 ", "3 1 1 a", "3 1 1 abc",
		"256 1 1 ab", "3 1 1 xy", "-1 1 1 ab", "3,1,1 ab", "3 1 0001 ab", "3 1 1ab"};
	struct tlsa_record record;
	struct tlsa_record other;
	uint8_t wire[3 + 32] = {3, 1, 1};

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		tlsa_record_from_text(malformed[i], strlen(malformed[i]), f->arena, &record);
		if (record.parsed || strcmp(record.code, "tlsa-malformed") != 0)
			fail_msg("%s", malformed[i]);
	}
	tlsa_record_from_text("3 1 1 ab\0cd", 11, f->arena, &record);
	assert_string_equal(record.code, "tlsa-malformed");
	tlsa_record_from_text("3 1 1 00000000000000000000000000000000 "
			      "00000000000000000000000000000000",
		71, f->arena, &record);
	assert_null(record.code);
	tlsa_record_from_wire(wire, sizeof(wire), f->arena, &other);
	assert_null(other.code);
	assert_string_equal(other.text, record.text);
	assert_true(tlsa_record_equal(&record, &other));
	for (size_t len = 0; len < sizeof(wire); len++) {
		tlsa_record_from_wire(wire, len, f->arena, &other);
		assert_string_equal(other.code, len < 4 ? "tlsa-malformed" : "tlsa-digest-length");
		assert_false(tlsa_record_equal(&record, &other));
	}
}

static void
test_tlsa_set(void **state)
{
	struct fixture *f = *state;
	static const char pkix_ee[] =
		"1 1 1 abababababababababababababababababababababababababababababababab";
	struct tlsa_record records[TLSA_RECORDS_LARGE + 1];
	struct tlsa_set set = {.records = records, .count = 0};

	tlsa_set_judge(&set);
	tlsa_set_findings(&set, "x", SEVERITY_FAIL, &f->findings);
	assert_int_equal(f->findings.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		tlsa_record_from_text(pkix_ee, strlen(pkix_ee), f->arena, &records[i]);
	set.count = TLSA_RECORDS_LARGE;
	tlsa_set_judge(&set);
	assert_int_equal(set.usable_count, 0);
	tlsa_set_findings(&set, "_25._tcp.mx.example.org", SEVERITY_FAIL, &f->findings);
	assert_int_equal(f->findings.count, 2);
	assert_string_equal(f->findings.items[0].fix,
		"Publish the same data with usage 3:\n_25._tcp.mx.example.org. IN TLSA "
		"3 1 1 abababababababababababababababababababababababababababababababab");
	assert_string_equal(f->findings.items[1].code, "tlsa-all-unusable");
	assert_int_equal(f->findings.items[1].severity, SEVERITY_FAIL);
	set.count = ARRAY_LEN(records);
	tlsa_set_judge(&set);
	tlsa_set_findings(&set, "y", SEVERITY_WARN, &f->findings);
	assert_true(finding_list_has(&f->findings, "tlsa-set-large"));
}

/* R13.9: what names the whole certificate breaks when it is renewed; what names the key does not. */
static void
test_tlsa_pinned(void **state)
{
	static const struct {
		const char *record; /* in front of the digest */
		bool pinned;
	} rows[] = {{"3 0 1 ", true}, {"3 1 1 ", false}, {"2 0 1 ", false}, {"2 1 1 ", false}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = arena_printf(f->arena, "%s%064d", rows[i].record, 0);
		struct tlsa_record record;
		struct tlsa_set set = {.records = &record, .count = 1};
		struct finding_list findings;

		finding_list_init(&findings, f->arena);
		tlsa_record_from_text(text, strlen(text), f->arena, &record);
		tlsa_set_judge(&set);
		assert_int_equal(set.usable_count, 1);
		tlsa_set_findings(&set, "_25._tcp.mx.example.org", SEVERITY_FAIL, &findings);
		assert_int_equal(findings.count, rows[i].pinned);
		if (rows[i].pinned) {
			assert_string_equal(findings.items[0].code, "tlsa-certificate-pinned");
			assert_int_equal(findings.items[0].severity, SEVERITY_INFO);
		}
	}
}

/* --- SMTP ----------------------------------------------------------------------------------------
 */

static enum smtp_parse
feed(struct smtp_reply *reply, const char *data, size_t len)
{
	smtp_reply_init(reply);
	return smtp_reply_feed(reply, data, len);
}

/* Whatever way the octets arrive, the answer is the same. */
static void
test_smtp_octet_by_octet(void **state UNUSED)
{
	static const char text[] = "250-mx.example.org\r\n250-SIZE 10\r\n250\r\nrest";
	struct smtp_reply whole;
	struct smtp_reply slow;

	assert_int_equal(feed(&whole, text, strlen(text)), SMTP_COMPLETE);
	smtp_reply_init(&slow);
	for (size_t len = 0; len <= strlen(text); len++) {
		char *copy =
			malloc(len + 1); /* the buffer moves, and nothing behind len is there */

		assert_non_null(copy);
		memcpy(copy, text, len);
		assert_int_equal(smtp_reply_feed(&slow, copy, len),
			len < whole.consumed ? SMTP_INCOMPLETE : SMTP_COMPLETE);
		free(copy);
	}
	assert_int_equal(slow.consumed, whole.consumed);
	assert_int_equal(slow.consumed, strlen(text) - 4);
	assert_int_equal(slow.line_count, 3);
	for (size_t i = 0; i < slow.line_count; i++) {
		assert_int_equal(slow.lines[i].offset, whole.lines[i].offset);
		assert_int_equal(slow.lines[i].len, whole.lines[i].len);
	}
}

static void
test_smtp_limits(void **state UNUSED)
{
	struct smtp_reply reply;
	struct buf text;

	buf_init(&text, 1 << 20);
	for (size_t octets = SMTP_LINE_WARN - 1; octets <= SMTP_LINE_WARN + 1; octets++) {
		buf_reset(&text);
		buf_add_str(&text, "250 ");
		while (text.len < octets - 2)
			buf_add_char(&text, 'x');
		buf_add_str(&text, "\r\n");
		assert_int_equal(feed(&reply, text.data, text.len), SMTP_COMPLETE);
		assert_int_equal(reply.line_long, octets > SMTP_LINE_WARN);
	}
	for (size_t octets = SMTP_LINE_MAX - 1; octets <= SMTP_LINE_MAX + 1; octets++) {
		buf_reset(&text);
		buf_add_str(&text, "250 ");
		while (text.len < octets - 2)
			buf_add_char(&text, 'x');
		buf_add_str(&text, "\r\n");
		assert_int_equal(feed(&reply, text.data, text.len),
			octets > SMTP_LINE_MAX ? SMTP_MALFORMED : SMTP_COMPLETE);
	}
	assert_string_equal(reply.problem, "smtp-reply-line-too-long");
	/* Without a line end too. */
	buf_reset(&text);
	buf_add_str(&text, "250 ");
	while (text.len < SMTP_LINE_MAX)
		buf_add_char(&text, 'x');
	assert_int_equal(feed(&reply, text.data, text.len), SMTP_INCOMPLETE);
	buf_add_char(&text, 'x');
	assert_int_equal(feed(&reply, text.data, text.len), SMTP_MALFORMED);

	buf_reset(&text);
	for (size_t i = 1; i < SMTP_LINES_MAX; i++)
		buf_add_str(&text, "250-x\r\n");
	buf_add_str(&text, "250 x\r\n");
	assert_int_equal(feed(&reply, text.data, text.len), SMTP_COMPLETE);
	assert_int_equal(reply.line_count, SMTP_LINES_MAX);
	buf_reset(&text);
	for (size_t i = 0; i < SMTP_LINES_MAX; i++)
		buf_add_str(&text, "250-x\r\n");
	assert_int_equal(feed(&reply, text.data, text.len), SMTP_INCOMPLETE);
	buf_add_str(&text, "2");
	assert_int_equal(feed(&reply, text.data, text.len), SMTP_MALFORMED);
	assert_string_equal(reply.problem, "smtp-reply-too-many-lines");
	buf_clear(&text);
}

static void
test_smtp_octets(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t len;
		const char *problem; /* NULL: complete */
	} cases[] = {
		{"250 a\rb\r\n", 9, "smtp-reply-control-char"},
		{"250 a\r\r\n", 8, "smtp-reply-control-char"},
		{"250\rx\r\n", 7, "smtp-reply-control-char"},
		{"250\n", 4, "smtp-bare-lf"},
		{"250-a\r\n\r\n", 9, "smtp-reply-code"},
		{"260 x\r\n", 7, "smtp-reply-code"},
		{"25\0 x\r\n", 7, "smtp-reply-code"},
		{"250\0x\r\n", 7, "smtp-reply-separator"},
		{"250 \x7f\r\n", 7, "smtp-reply-control-char"},
		{"250 \x1b[0m\r\n", 10, "smtp-reply-control-char"},
		{"250 \xc3\xa4\r\n", 8, NULL},
		{"259 x\r\n", 7, NULL},
	};
	struct smtp_reply reply;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum smtp_parse got = feed(&reply, cases[i].text, cases[i].len);

		if (cases[i].problem == NULL ? got != SMTP_COMPLETE
					     : got != SMTP_MALFORMED ||
					strcmp(reply.problem, cases[i].problem) != 0)
			fail_msg("case %zu: %s", i, reply.problem != NULL ? reply.problem : "none");
	}
	(void)feed(&reply, "250 \xff\r\n", 7);
	assert_true(reply.non_ascii);
}

static void
test_smtp_judgements(void **state)
{
	struct fixture *f = *state;
	static const char early[] = "220 mx ESMTP\r\n250 too early\r\n";
	static const char masked[] = "220 ****************************0*02*200***\r\n";
	static const char xxxx[] = "250-mx\r\n250-SIZE 1\r\n250 XXXXXXXA\r\n";
	static const char params[] = "250-STARTTLS\r\n250-starttls required\r\n250 HELP\r\n";
	static const char named[] = "250 STARTTLS\r\n";
	static const char blank[] = "250-mx\r\n250  STARTTLS\r\n";
	struct smtp_judgement j;
	struct smtp_reply reply;
	struct smtp_ehlo ehlo;

	(void)feed(&reply, early, strlen(early));
	j = smtp_judge_greeting(&reply, early, strlen(early));
	assert_string_equal(j.code, "smtp-data-before-command");
	(void)feed(&reply, masked, strlen(masked));
	assert_true(smtp_greeting_is_masked(&reply, masked));
	assert_int_equal(smtp_judge_greeting(&reply, masked, strlen(masked)).verdict, SMTP_OK);
	(void)feed(&reply, early, strlen(early));
	assert_false(smtp_greeting_is_masked(&reply, early));
	(void)feed(&reply, "354 go on\r\n", 11);
	assert_string_equal(
		smtp_judge_greeting(&reply, "354 go on\r\n", 11).code, "smtp-greeting-unexpected");

	(void)feed(&reply, xxxx, strlen(xxxx));
	smtp_ehlo_parse(&reply, xxxx, NULL, &ehlo);
	assert_string_equal(smtp_judge_ehlo(&reply, xxxx, strlen(xxxx), &ehlo, false).code,
		"starttls-stripped");
	ehlo.masked_keyword = false;
	assert_string_equal(
		smtp_judge_ehlo(&reply, xxxx, strlen(xxxx), &ehlo, true).code, "starttls-stripped");
	assert_string_equal(smtp_judge_ehlo(&reply, xxxx, strlen(xxxx), &ehlo, false).code,
		"starttls-not-offered");

	(void)feed(&reply, params, strlen(params));
	smtp_ehlo_parse(&reply, params, f->arena, &ehlo);
	assert_true(ehlo.starttls && ehlo.starttls_parameters);
	assert_int_equal(ehlo.keyword_count, 2);
	j = smtp_judge_ehlo(&reply, params, strlen(params), &ehlo, false);
	assert_int_equal(j.verdict, SMTP_OK);
	smtp_judgement_report(&j, &reply, params, strlen(params), &ehlo, "mx", &f->findings);
	assert_int_equal(f->findings.count, 1);
	assert_string_equal(f->findings.items[0].code, "starttls-keyword-parameters");

	/* The first line is a name, and a leading blank makes no keyword. */
	(void)feed(&reply, named, strlen(named));
	smtp_ehlo_parse(&reply, named, NULL, &ehlo);
	assert_false(ehlo.starttls);
	(void)feed(&reply, blank, strlen(blank));
	smtp_ehlo_parse(&reply, blank, NULL, &ehlo);
	assert_false(ehlo.starttls);

	(void)feed(&reply, "250 go\r\n", 8);
	assert_string_equal(smtp_judge_starttls(&reply, 8).code, "starttls-unexpected-code");
	(void)feed(&reply, "554 5.7.0 \xff no\r\n", 16);
	j = smtp_judge_greeting(&reply, "554 5.7.0 \xff no\r\n", 16);
	smtp_judgement_report(&j, &reply, "554 5.7.0 \xff no\r\n", 16, NULL, "mx", &f->findings);
	assert_true(finding_list_has(&f->findings, "smtp-reply-non-ascii"));
	assert_non_null(strstr(f->findings.items[1].message, "554 5.7.0 \\xff no"));
}

/* --- names in certificates -----------------------------------------------------------------------
 */

static X509 *
certificate_for(const char *const *names, const size_t *lens, size_t count)
{
	X509 *cert = X509_new();
	GENERAL_NAMES *sans = GENERAL_NAMES_new();

	assert_non_null(cert);
	assert_non_null(sans);
	for (size_t i = 0; i < count; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		assert_non_null(name);
		assert_non_null(text);
		assert_int_equal(ASN1_STRING_set(text, names[i], (int)lens[i]), 1);
		GENERAL_NAME_set0_value(name, GEN_DNS, text);
		sk_GENERAL_NAME_push(sans, name);
	}
	assert_int_equal(X509_add1_ext_i2d(cert, NID_subject_alt_name, sans, 0, 0), 1);
	GENERAL_NAMES_free(sans);
	return cert;
}

static void
test_dns_ids(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"mx.example.org\0.evil.example", "*.mail.example.org", "192.0.2.1", ""};
	static const size_t lens[] = {28, 18, 9, 0};
	X509 *cert = certificate_for(names, lens, ARRAY_LEN(names));
	X509 *bare = X509_new();

	assert_false(dns_id_certificate_matches(cert, "mx.example.org"));
	assert_true(dns_id_certificate_matches(cert, "a.mail.example.org."));
	assert_false(dns_id_certificate_matches(cert, "192.0.2.1"));
	assert_false(dns_id_certificate_matches(cert, ""));
	assert_string_equal(dns_id_certificate_names(cert, f->arena),
		"mx.example.org\\x00.evil.example, *.mail.example.org, 192.0.2.1, ");
	assert_false(dns_id_certificate_matches(bare, "mx.example.org"));
	assert_string_equal(dns_id_certificate_names(bare, f->arena), "no DNS name");
	X509_free(bare);
	X509_free(cert);
}

/* --- lint ----------------------------------------------------------------------------------------
 */

static void
test_lint_any_input(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		size_t len;
	} inputs[] = {{"", 0}, {"\0", 1}, {"\n", 1}, {"\r\n", 2}, {"\xff\xfe", 2}, {" ", 1},
		{"a b", 3}, {"mx.example.org\0 mx.example.org", 30}};
	const char *name;

	for (size_t k = 0; (name = lint_kind_name(k)) != NULL; k++) {
		const struct lint_kind *kind = lint_kind_find(name);

		assert_true(lint_kind_max(kind) > 0);
		for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
			struct lint_result result;
			json_t *got;

			lint_run(kind, inputs[i].text, inputs[i].len, f->arena, &result);
			assert_false(result.valid);
			got = lint_to_json(&result);
			assert_true(json_is_object(json_object_get(got, "value")));
			json_decref(got);
		}
	}
	assert_null(lint_kind_find("no-such-kind"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_domain_rejects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_domain_accepts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_domain_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_txt_from_wire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_selection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsrpt_uris, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsrpt_usable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsrpt_advice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_preload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_preload_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_preload_rrset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_transport, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsa_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsa_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tlsa_pinned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smtp_octet_by_octet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smtp_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smtp_octets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smtp_judgements, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dns_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lint_any_input, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

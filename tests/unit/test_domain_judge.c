/* The judge with facts made by hand: what the lab cannot show, and the order of its findings'
 * causes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "common/arena.h"
#include "common/attr.h"
#include "verifier/domain_judge.h"

#define HOSTS 3

/* One address of a host: what its session came to. */
struct address_case {
	const char *text; /* NULL: no such address */
	bool answered;
	int connect_errno;
	enum verdict tls; /* STARTTLS and certificate */
	enum dane_session dane;
	const char *dane_code; /* of a mismatch; NULL: tlsa-mismatch */
};

struct host_case {
	const char *name; /* NULL: no such host */
	bool unknown;     /* not known in time */
	bool look_ups_only;
	enum dane_lookup address, tlsa;
	bool secure_alias;
	const char *dangling;
	struct address_case addresses[3];
};

struct judge_case {
	const char *what;
	enum dane_lookup mx;
	struct host_case hosts[HOSTS];
	bool policy; /* MTA-STS in enforce that covers every host; else an opt-in record */
	enum verdict verdict;
	bool eligible, auth_dane;
	const char *codes[3]; /* that must be there */
	const char *never;    /* a code that must not */
};

#define GOOD(text_) \
	{ \
		.text = (text_), .answered = true, .tls = VERDICT_PASS \
	}
#define DANE_GOOD(text_) \
	{ \
		.text = (text_), .answered = true, .tls = VERDICT_PASS, .dane = DANE_SESSION_MATCH \
	}
#define DANE_BAD(text_) \
	{ \
		.text = (text_), .answered = true, .tls = VERDICT_PASS, \
		.dane = DANE_SESSION_MISMATCH \
	}
#define DEAD(text_, errno_) \
	{ \
		.text = (text_), .connect_errno = (errno_) \
	}
#define INSECURE .address = DANE_LOOKUP_INSECURE
#define SECURE   .address = DANE_LOOKUP_SECURE
#define V4       "192.0.2.1"
#define V6       "2001:db8::1"

static const struct judge_case cases[] = {
	{.what = "R3.13: every address that answers passes",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4), GOOD(V6)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true},
	{.what = "R3.15: IPv6 refuses, IPv4 answers",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4), DEAD(V6, ECONNREFUSED)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"mx-ipv6-unreachable"},
		.never = "verifier-no-ipv6"},
	{.what = "R3.15: no IPv6 here",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4), DEAD(V6, ENETUNREACH)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"verifier-no-ipv6"},
		.never = "mx-ipv6-unreachable"},
	{.what = "R3.15: a host with IPv6 only is not blamed for that",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {DEAD(V6, ENETUNREACH)}}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"verifier-no-ipv6", "mx-ipv6-only"},
		.never = "mx-all-unreachable"},
	{.what = "R3.16: IPv4 only",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"mx-ipv4-only"}},
	{.what = "R3.16: nothing is said of hosts nobody knows",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}}, {"mx2", .unknown = true}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"mx-unreachable"},
		.never = "mx-ipv4-only"},
	{.what = "R3.18: one host does not answer",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}},
			{"mx2", INSECURE, .addresses = {DEAD("192.0.2.2", 0)}}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"mx-unreachable"},
		.never = "mx-all-unreachable"},
	{.what = "only look-ups were asked for: nobody is blamed for silence",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE, .look_ups_only = true,
			.addresses = {DEAD(V4, 0)}}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"mx-unreachable"},
		.never = "mx-all-unreachable"},
	{.what = "R3.19: none answers",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {DEAD(V4, 0)}},
			{"mx2", INSECURE, .addresses = {DEAD("192.0.2.2", 0)}}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"mx-all-unreachable"}},
	{.what = "R3.20: the last host counts as much as the first",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}},
			{"mx2", INSECURE,
				.addresses = {{.text = "192.0.2.2",
					.answered = true,
					.tls = VERDICT_FAIL}}}},
		.policy = true,
		.verdict = VERDICT_FAIL},
	{.what = "R3.11: no address, but another host serves",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}}, {"mx2", INSECURE}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"mx-no-address"}},
	{.what = "R3.12: dangling although another host serves",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}},
			{"mx2", INSECURE, .dangling = "gone.example"}},
		.policy = true,
		.verdict = VERDICT_FAIL,
		.codes = {"mx-dangling"}},
	{.what = "DANE for every host",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE,
			.addresses = {DANE_GOOD(V4)}}},
		.verdict = VERDICT_PASS,
		.eligible = true,
		.auth_dane = true},
	{.what = "R12.1: MX bogus",
		.mx = DANE_LOOKUP_BOGUS,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE,
			.addresses = {DANE_GOOD(V4)}}},
		.verdict = VERDICT_UNKNOWN},
	{.what = "R12.2: MX unsigned, host with TLSA",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE,
			.addresses = {DANE_GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"dane-mx-insecure"}},
	{.what = "R12.2: MX unsigned, broken TLSA hurts all the same",
		.mx = DANE_LOOKUP_INSECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE, .addresses = {DANE_BAD(V4)}}},
		.policy = true,
		.verdict = VERDICT_FAIL,
		.codes = {"eligibility-dane-broken", "dane-mx-insecure"}},
	{.what = "R12.4: signed domain at an unsigned host",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", INSECURE, .addresses = {GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"dane-address-insecure"}},
	{.what = "R12.5: signed alias of an unsigned host, TLSA at the original name",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", INSECURE, .tlsa = DANE_LOOKUP_SECURE, .secure_alias = true,
			.addresses = {DANE_GOOD(V4)}}},
		.verdict = VERDICT_PASS,
		.eligible = true,
		.auth_dane = true,
		.never = "dane-address-insecure"},
	{.what = "R12.7: proven absent",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_ABSENT, .addresses = {GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"dane-no-tlsa"}},
	{.what = "R12.7: TLSA unsigned",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_INSECURE, .addresses = {GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"dane-tlsa-insecure"}},
	{.what = "R12.8: TLSA could not be told, MTA-STS is sound",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_FAILED, .addresses = {GOOD(V4)}}},
		.policy = true,
		.verdict = VERDICT_UNKNOWN,
		.codes = {"dane-tlsa-lookup-failed"}},
	{.what = "R12.8: TLSA bogus",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_BOGUS, .addresses = {GOOD(V4)}}},
		.verdict = VERDICT_UNKNOWN,
		.codes = {"dane-tlsa-lookup-failed"}},
	{.what = "R12.10: some hosts without",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE, .addresses = {DANE_GOOD(V4)}},
			{"mx2", SECURE, .tlsa = DANE_LOOKUP_ABSENT,
				.addresses = {GOOD("192.0.2.2")}}},
		.verdict = VERDICT_PASS,
		.eligible = true,
		.codes = {"dane-partial", "dane-no-tlsa"}},
	{.what = "R12.11: TLSA, but no STARTTLS",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE,
			.addresses = {{.text = V4,
				.answered = true,
				.tls = VERDICT_FAIL,
				.dane = DANE_SESSION_NO_STARTTLS}}}},
		.verdict = VERDICT_FAIL,
		.codes = {"dane-starttls-missing"}},
	{.what = "R15.1, R15.2: a failing DANE host is not rescued by MTA-STS",
		.mx = DANE_LOOKUP_SECURE,
		.hosts = {{"mx1", SECURE, .tlsa = DANE_LOOKUP_SECURE, .addresses = {DANE_BAD(V4)}}},
		.policy = true,
		.verdict = VERDICT_FAIL,
		.codes = {"tlsa-mismatch", "eligibility-dane-broken"}},
};

static void
make_address(
	struct arena *arena, const struct address_case *c, const char *host, struct mx_address *a)
{
	uint8_t bytes[16];
	bool v6 = strchr(c->text, ':') != NULL;

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, c->text, bytes), 1);
	assert_int_equal(address_from_bytes(bytes, v6 ? 16 : 4, 25, &a->address), 0);
	a->text = c->text;
	a->subject = arena_printf(arena, "%s[%s]", host, c->text);
	a->answered = c->answered;
	a->connect_errno = c->connect_errno;
	a->starttls = a->pkix = c->answered ? c->tls : VERDICT_UNKNOWN;
	a->dane_session = c->dane;
	if (c->dane == DANE_SESSION_MATCH) {
		a->dane.result = DANE_MATCH;
	} else if (c->dane == DANE_SESSION_MISMATCH) {
		a->dane.result = DANE_NO_MATCH;
		a->dane.code = c->dane_code == NULL ? "tlsa-mismatch" : c->dane_code;
		a->spki_sha256 = "00ff";
	}
	finding_list_init(&a->findings, arena);
}

static struct dns_answer *
make_answer(struct arena *arena, const char *name, enum dns_type type)
{
	struct dns_answer *a = arena_calloc(arena, 1, sizeof(*a));

	a->name = a->canonical = name;
	a->type = type;
	a->status = DNS_NODATA;
	return a;
}

static struct mx_host *
make_host(struct arena *arena, const struct host_case *c)
{
	struct mx_host *h = arena_calloc(arena, 1, sizeof(*h));

	h->name = arena_printf(arena, "%s.example.org", c->name);
	h->a = make_answer(arena, h->name, DNS_A);
	h->aaaa = make_answer(arena, h->name, DNS_AAAA);
	h->address_lookup = c->address;
	h->secure_alias = c->secure_alias;
	h->dangling = c->dangling;
	h->addresses = arena_calloc(arena, ARRAY_LEN(c->addresses), sizeof(*h->addresses));
	for (size_t i = 0; i < ARRAY_LEN(c->addresses) && c->addresses[i].text != NULL; i++)
		make_address(arena, &c->addresses[i], h->name, &h->addresses[h->address_count++]);
	h->tlsa_lookup = c->tlsa;
	finding_list_init(&h->tlsa_findings, arena);
	if (c->tlsa == DANE_LOOKUP_NOT_ASKED)
		return h;
	h->look_ups_only = c->look_ups_only;
	h->tlsa_base = h->name;
	h->tlsa_owner = arena_printf(arena, "_25._tcp.%s", h->name);
	if (c->tlsa == DANE_LOOKUP_SECURE) {
		char text[80] = "3 1 1 ";

		memset(text + 6, 'a', 64);
		h->tlsa.records = arena_calloc(arena, 1, sizeof(*h->tlsa.records));
		h->tlsa.count = 1;
		tlsa_record_from_text(text, strlen(text), arena, &h->tlsa.records[0]);
		tlsa_set_judge(&h->tlsa);
		assert_int_equal(h->tlsa.usable_count, 1);
	}
	return h;
}

static void
judge(const struct judge_case *c, struct report *r)
{
	struct domain_mx mx[HOSTS] = {{0}};
	const char *names[HOSTS];
	struct domain_facts f = {
		.domain = "example.org",
		.expanded = "example.org",
		.now_s = INT64_C(1795478400),
		.max_age_min_s = 86400,
		.deadline_s = 60,
		.mail = VERDICT_PASS,
		.mx_lookup = c->mx,
		.mx = mx,
		.sts_record = c->policy ? SOURCE_STATE_VALID : SOURCE_STATE_ABSENT,
		.sts_policy = c->policy ? SOURCE_STATE_VALID : SOURCE_STATE_ABSENT,
		.preload = c->policy ? SOURCE_STATE_ABSENT : SOURCE_STATE_VALID,
	};

	for (; f.mx_count < HOSTS && c->hosts[f.mx_count].name != NULL; f.mx_count++) {
		const struct host_case *h = &c->hosts[f.mx_count];

		names[f.mx_count] = arena_printf(r->arena, "%s.example.org", h->name);
		mx[f.mx_count].host = names[f.mx_count];
		mx[f.mx_count].info = h->unknown ? NULL : make_host(r->arena, h);
	}
	if (c->policy) {
		f.policy.valid = true;
		f.policy.mode = POLICY_MODE_ENFORCE;
		f.policy.max_age_s = 2592000;
		f.policy.mx = names;
		f.policy.mx_count = f.mx_count;
	} else {
		f.preload_record.mode = POLICY_MODE_ENFORCE;
		f.preload_record.max_age_s = 2592000;
	}
	r->ascii = "example.org";
	domain_judge(&f, r);
}

static void
table(void **state UNUSED)
{
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct judge_case *c = &cases[i];
		struct report *r = report_new("example.org");
		bool good;

		judge(c, r);
		good = r->verdict == c->verdict && r->eligible == c->eligible &&
			r->auth_dane == c->auth_dane;
		for (size_t k = 0; k < ARRAY_LEN(c->codes) && c->codes[k] != NULL; k++)
			good &= finding_list_has(&r->findings, c->codes[k]);
		good &= c->never == NULL || !finding_list_has(&r->findings, c->never);
		if (!good) {
			bad++;
			print_error("%s: %s%s%s\n", c->what, verdict_name(r->verdict),
				r->eligible ? ", eligible" : "", r->auth_dane ? ", dane" : "");
			for (size_t k = 0; k < r->findings.count; k++)
				print_error("  %s %s: %s\n", r->findings.items[k].code,
					r->findings.items[k].subject, r->findings.items[k].message);
		}
		report_free(r);
	}
	assert_int_equal(bad, 0);
}

/* R21.4: whatever does not match about TLSA, the fix names the host and gives the record that would
 * do. */
static void
mismatches_are_mended(void **state UNUSED)
{
	static const struct {
		const char *code;
		const char *first; /* line */
	} fixes[] = {
		{"tlsa-mismatch", "Publish the key now in use, "},
		{"tlsa-agility-mismatch", "Remove the records with matching type 2 "},
		{"tlsa-ta-not-in-chain", "Let mx1.example.org send the issuer too, "},
		{"tlsa-chain-expired", "Renew the certificate of mx1.example.org; "},
		{"tlsa-chain-invalid", "Install the chain of mx1.example.org exactly "},
		{"tlsa-name-mismatch", "Get a certificate that names mx1.example.org; "},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixes); i++) {
		struct judge_case c = {.what = fixes[i].code,
			.policy = true,
			.mx = DANE_LOOKUP_SECURE,
			.hosts = {{.name = "mx1",
				.address = DANE_LOOKUP_SECURE,
				.tlsa = DANE_LOOKUP_SECURE,
				.addresses = {{.text = "192.0.2.1",
					.answered = true,
					.tls = VERDICT_PASS,
					.dane = DANE_SESSION_MISMATCH,
					.dane_code = fixes[i].code}}}}};
		struct report *r = report_new("example.org");
		const char *fix = "";

		judge(&c, r);
		for (size_t k = 0; k < r->findings.count; k++) {
			if (strcmp(r->findings.items[k].code, fixes[i].code) == 0)
				fix = r->findings.items[k].fix;
		}
		if (strncmp(fix, fixes[i].first, strlen(fixes[i].first)) != 0 ||
			strstr(fix, ":\n_25._tcp.mx1.example.org. IN TLSA 3 1 1 00ff") == NULL)
			fail_msg("%s: \"%s\"", fixes[i].code, fix);
		report_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(mismatches_are_mended),
	};

	return cmocka_run_group_tests_name("domain_judge", tests, NULL, NULL);
}

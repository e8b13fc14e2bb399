#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/attr.h"
#include "common/error.h"
#include "verifier/address.h"

static const struct {
	const char *address;
	const char *special; /* NULL: ordinary */
} cases[] = {
	{"8.8.8.8", NULL},
	{"1.1.1.1", NULL},
	{"223.255.255.255", NULL},
	{"0.0.0.0", "this network"},
	{"0.1.2.3", "this network"},
	{"9.255.255.255", NULL},
	{"10.0.0.0", "private use"},
	{"10.255.255.255", "private use"},
	{"11.0.0.0", NULL},
	{"100.63.255.255", NULL},
	{"100.64.0.0", "shared address space"},
	{"100.127.255.255", "shared address space"},
	{"100.128.0.0", NULL},
	{"127.0.0.1", "loopback"},
	{"127.255.255.255", "loopback"},
	{"128.0.0.0", NULL},
	{"169.254.169.254", "link-local"},
	{"172.15.255.255", NULL},
	{"172.16.0.1", "private use"},
	{"172.31.255.255", "private use"},
	{"172.32.0.0", NULL},
	{"192.0.0.8", "IETF protocol assignments"},
	{"192.0.1.1", NULL},
	{"192.0.2.1", "documentation"},
	{"192.88.99.1", "6to4 relay anycast"},
	{"192.168.1.1", "private use"},
	{"198.17.255.255", NULL},
	{"198.18.0.0", "benchmarking"},
	{"198.19.255.255", "benchmarking"},
	{"198.20.0.0", NULL},
	{"198.51.100.7", "documentation"},
	{"203.0.113.7", "documentation"},
	{"224.0.0.1", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.1", "reserved"},
	{"255.255.255.255", "reserved"},
	{"2600::1", NULL},
	{"2a00:1450:4001::1", NULL},
	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::2", "unspecified"},
	{"::10.0.0.1", "outside the global unicast space"},
	{"::ffff:10.0.0.1", "private use"},
	{"::ffff:127.0.0.1", "loopback"},
	{"::ffff:8.8.8.8", "IPv4-mapped"},
	{"64:ff9b::10.0.0.1", "private use"},
	{"64:ff9b::8.8.8.8", NULL},
	{"64:ff9b:1::8.8.8.8", "local-use NAT64"},
	{"2002:0a00:0001::1", "private use"},
	{"2002:7f00:0001::1", "loopback"},
	{"2002:0808:0808::1", NULL},
	{"2001:0:4136:e378::1", "IETF protocol assignments"},
	{"2001:1ff:ffff::1", "IETF protocol assignments"},
	{"2001:200::1", NULL},
	{"2001:db8::1", "documentation"},
	{"2001:db9::1", NULL},
	{"3fff::1", "documentation"},
	{"3fff:1000::1", NULL},
	{"fe80::1", "link-local"},
	{"febf::1", "link-local"},
	{"fec0::1", "outside the global unicast space"},
	{"fc00::1", "unique local"},
	{"fdff::1", "unique local"},
	{"ff02::1", "multicast"},
	{"4000::1", "outside the global unicast space"},
	{"100::1", "outside the global unicast space"},
};

static void
special(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address a;
		const char *got;

		assert_int_equal(address_from_text(cases[i].address, 25, &a), 0);
		got = address_special(&a);
		if ((got == NULL) != (cases[i].special == NULL) ||
			(got != NULL && strcmp(got, cases[i].special) != 0)) {
			fail_msg("%s: got %s, want %s", cases[i].address,
				got == NULL ? "ordinary" : got,
				cases[i].special == NULL ? "ordinary" : cases[i].special);
		}
	}
}

static void
filter(void **state UNUSED)
{
	static const char *const allow[] = {
		"127.0.0.0/8", "10.1.2.3", "fd00::/8", "::ffff:172.16.0.0/112"};
	static const struct {
		const char *address;
		bool permitted;
	} rows[] = {
		{"8.8.8.8", true},
		{"127.5.5.5", true},
		{"128.0.0.1", true},
		{"10.1.2.3", true},
		{"10.1.2.4", false},
		{"192.168.0.1", false},
		{"fd12::1", true},
		{"fc12::1", false},
		{"::1", false},
		{"::ffff:127.0.0.1", false},
		{"::ffff:10.1.2.3", false},
		{"::ffff:172.16.5.5", true},
		{"::ffff:172.17.0.1", false},
		{"172.16.5.5", false},
		{"2002:7f00:0001::1", false},
		{"2a00::1", true},
	};
	struct address_filter *f = NULL;
	struct error err;

	assert_int_equal(address_filter_new(allow, ARRAY_LEN(allow), &f, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a;

		assert_int_equal(address_from_text(rows[i].address, 25, &a), 0);
		if (address_filter_permits(f, &a) != rows[i].permitted)
			fail_msg("%s: want %d", rows[i].address, rows[i].permitted);
	}
	address_filter_free(f);
}

static void
filter_refuses(void **state UNUSED)
{
	static const char *const bad[] = {"", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8",
		"10.0.0.0/-1", "10.0.0.0/8 ", "example.org", "/8",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/12"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct address_filter *f = NULL;
		struct error err;

		if (address_filter_new(&bad[i], 1, &f, &err) == 0)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_null(f);
		assert_int_equal(err.kind, ERROR_CONFIG);
	}
}

static void
forms(void **state UNUSED)
{
	static const uint8_t v4[4] = {192, 0, 2, 1};
	char text[ADDRESS_TEXT_SIZE];
	struct address a, b;

	assert_int_equal(address_from_bytes(v4, 4, 25, &a), 0);
	address_format(&a, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(address_from_bytes(v4, 3, 25, &b), -1);
	assert_int_equal(address_from_text("192.0.2.1", 25, &b), 0);
	assert_int_equal(address_cmp(&a, &b), 0);
	assert_int_equal(address_from_text("192.0.2.1", 26, &b), 0);
	assert_int_not_equal(address_cmp(&a, &b), 0);
	assert_int_equal(address_from_sockaddr(&a.u.sa, &b), 0);
	assert_int_equal(address_cmp(&a, &b), 0);
	assert_int_equal(address_from_text("fe80::1%lo", 25, &b), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special),
		cmocka_unit_test(filter),
		cmocka_unit_test(filter_refuses),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

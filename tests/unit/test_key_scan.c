/* Private keys seen in what passes by, however it is cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "export/key_scan.h"

#define DER "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"

static bool
found(const char *data, size_t len, size_t piece)
{
	struct key_scan s = {0};

	for (size_t at = 0; at < len; at += piece)
		key_scan_add(&s, data + at, len - at < piece ? len - at : piece);
	return s.found;
}

static void
test_scan(void **state UNUSED)
{
	/* In two halves, so that this file is not one that holds a key. */
	static const struct {
		const char *label;
		bool want;
	} cases[] = {
		{"-----BEGIN "
		 "PRIVATE KEY-----",
			true},
		{"-----BEGIN "
		 "ENCRYPTED PRIVATE KEY-----",
			true},
		{"-----BEGIN "
		 "OPENSSH PRIVATE KEY-----",
			true},
		{"-----BEGIN "
		 "RSA PRIVATE KEY-----",
			true},
		{"-----BEGIN "
		 "EC PRIVATE KEY-----",
			true},
		{"-----BEGIN -----BEGIN "
		 "PRIVATE KEY-----",
			true},
		{"-----BEGIN PUBLIC KEY-----", false},
		{"-----BEGIN CERTIFICATE-----", false},
		{"-----END PRIVATE KEY-----", false},
		{"-----BEGIN PRIVATE KEY----", false},
		{"-----BEGIN A PRIVATE\nKEY-----", false},
		{"-----BEGIN OF A VERY LONG TALE ABOUT A PRIVATE KEY-----", false},
		{"a private key", false},
		{"", false},
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t before = 0; before < 200; before += 7) {
			int n = snprintf(text, sizeof(text), "%*s%s\nMC4CAQ", (int)before, "",
				cases[i].label);

			for (size_t piece = 1; piece <= (size_t)n; piece++)
				if (found(text, (size_t)n, piece) != cases[i].want)
					fail_msg("%s behind %zu, in pieces of %zu", cases[i].label,
						before, piece);
		}
	}
}

static void
test_der(void **state UNUSED)
{
	char data[200];

	for (size_t at = 0; at + 16 <= sizeof(data); at++) {
		memset(data, 0x30, sizeof(data));
		memcpy(data + at, DER, 16);
		for (size_t piece = 1; piece <= sizeof(data); piece++)
			assert_true(found(data, sizeof(data), piece));
		data[at + 15] ^= 1;
		assert_false(found(data, sizeof(data), sizeof(data)));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_der),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

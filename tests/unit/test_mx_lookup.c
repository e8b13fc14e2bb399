/* MX answers as they come from the wire: order, what is no host, and octets of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "updater/mx_lookup.h"

/* An answer to "a.test MX" with so many records; each name is written out. */
#define HEAD(rcode, answers) 0, 1, 0x81, 0x80 | (rcode), 0, 1, 0, answers, 0, 0, 0, 0
#define QUESTION             1, 'a', 4, 't', 'e', 's', 't', 0, 0, 15, 0, 1
/* A record of that name: type MX, class IN, a minute, so many octets. */
#define MX(length, preference) 0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, length, 0, preference

static int
parse(const unsigned char *bytes, size_t len, struct mx_list *out)
{
	/* Exactly so long, so that a sanitizer sees a step too far. */
	unsigned char *copy = malloc(len > 0 ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = mx_lookup_parse(copy, len, "a.test", out);
	free(copy);
	return rc;
}

static void
test_order(void **state UNUSED)
{
	static const unsigned char answer[] = {HEAD(0, 3), QUESTION,
		/* 20 mx2.a.test, 10 MX1.a.test, 5 "x y".a.test */
		MX(8, 20), 3, 'm', 'x', '2', 0xc0, 12, MX(8, 10), 3, 'M', 'X', '1', 0xc0, 12, MX(8, 5), 3,
		'x', ' ', 'y', 0xc0, 12};
	struct mx_list list;

	assert_int_equal(parse(answer, sizeof(answer), &list), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.hosts[0], "mx1.a.test");
	assert_string_equal(list.hosts[1], "mx2.a.test");
	for (size_t len = 0; len < sizeof(answer); len++)
		assert_int_equal(parse(answer, len, &list), -1);
}

static void
test_no_mail(void **state UNUSED)
{
	static const unsigned char none[] = {HEAD(0, 0), QUESTION};
	static const unsigned char null_mx[] = {HEAD(0, 1), QUESTION, MX(3, 0), 0};
	static const unsigned char no_such[] = {HEAD(3, 0), QUESTION};
	static const unsigned char failed[] = {HEAD(2, 0), QUESTION};
	struct mx_list list;

	/* Its own server (RFC 5321 section 5.1); none at all (RFC 7505); not there; nobody knows. */
	assert_int_equal(parse(none, sizeof(none), &list), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.hosts[0], "a.test");
	assert_int_equal(parse(null_mx, sizeof(null_mx), &list), -1);
	assert_int_equal(parse(no_such, sizeof(no_such), &list), -1);
	assert_int_equal(parse(failed, sizeof(failed), &list), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* TLSA answers as they come from the wire: what counts, what is secure, and octets of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/xalloc.h"
#include "updater/dane_lookup.h"

/* An answer to "a.test TLSA" with so many records; flags: 0x20 is the AD bit. */
#define HEAD(flags, answers) 0, 1, 0x81, 0x80 | (flags), 0, 1, 0, answers, 0, 0, 0, 0
#define AD                   0x20
#define QUESTION             1, 'a', 4, 't', 'e', 's', 't', 0, 0, 52, 0, 1
/* A record of that name, of a type, class IN, a minute, so many octets. */
#define RECORD(type, high, low) 0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, high, low

static int
parse(const unsigned char *bytes, size_t len, struct dane_list *out)
{
	/* Exactly so long, so that a sanitizer sees a step too far. */
	unsigned char *copy = malloc(len > 0 ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = dane_lookup_parse(copy, len, out);
	free(copy);
	return rc;
}

static void
test_records(void **state UNUSED)
{
	/* An alias on the way, 3 1 1 aabb, one without data, 2 0 1 cc. */
	static const unsigned char answer[] = {HEAD(AD, 4), QUESTION, RECORD(5, 0, 2), 0xc0, 12,
		RECORD(52, 0, 5), 3, 1, 1, 0xaa, 0xbb, RECORD(52, 0, 3), 3, 1, 1, RECORD(52, 0, 4),
		2, 0, 1, 0xcc};
	struct dane_list *list = xcalloc(1, sizeof(*list));

	assert_int_equal(parse(answer, sizeof(answer), list), 0);
	assert_true(list->secure);
	assert_int_equal(list->count, 2);
	assert_int_equal(list->records[0].usage, 3);
	assert_int_equal(list->records[0].selector, 1);
	assert_int_equal(list->records[0].matching, 1);
	assert_int_equal(list->records[0].len, 2);
	assert_memory_equal(list->records[0].data, "\xaa\xbb", 2);
	assert_int_equal(list->records[1].usage, 2);
	assert_int_equal(list->records[1].len, 1);
	for (size_t len = 0; len < sizeof(answer); len++) {
		assert_int_equal(parse(answer, len, list), -1);
		assert_false(list->secure);
	}
	free(list);
}

static void
test_none(void **state UNUSED)
{
	static const unsigned char none[] = {HEAD(AD, 0), QUESTION},
				   no_such[] = {HEAD(AD | 3, 0), QUESTION},
				   unsigned_one[] = {HEAD(0, 1), QUESTION, RECORD(52, 0, 4), 3, 1,
					   1, 1},
				   bogus[] = {HEAD(2, 0), QUESTION};
	struct dane_list *list = xcalloc(1, sizeof(*list));

	assert_int_equal(parse(none, sizeof(none), list), 0);
	assert_int_equal(list->count, 0);
	assert_true(list->secure);
	assert_int_equal(parse(no_such, sizeof(no_such), list), 0);
	assert_int_equal(list->count, 0);
	assert_int_equal(parse(unsigned_one, sizeof(unsigned_one), list), 0);
	assert_int_equal(list->count, 1);
	assert_false(list->secure);
	/* What does not validate is answered so. */
	assert_int_equal(parse(bogus, sizeof(bogus), list), -1);
	free(list);
}

/* At the limits of how long a record may be, and of how many there may be. */
static void
test_limits(void **state UNUSED)
{
	static const unsigned char head[] = {HEAD(AD, 1), QUESTION, RECORD(52, 0, 0), 3, 1, 0};
	static const unsigned char record[] = {RECORD(52, 0, 4), 3, 1, 1, 7};
	size_t at_len = sizeof(head) - 5, size = sizeof(head) + DANE_DATA_MAX + 1;
	unsigned char *answer = xcalloc(1, size);
	struct dane_list *list = xcalloc(1, sizeof(*list));

	memcpy(answer, head, sizeof(head));
	for (size_t more = 0; more < 2; more++) {
		size_t len = 3 + DANE_DATA_MAX + more;

		answer[at_len] = (unsigned char)(len >> 8);
		answer[at_len + 1] = (unsigned char)len;
		assert_int_equal(parse(answer, sizeof(head) + DANE_DATA_MAX + more, list), 0);
		assert_int_equal(list->count, 1 - more);
	}
	memcpy(answer, (const unsigned char[]){HEAD(AD, DANE_RECORDS_MAX + 1), QUESTION}, 12 + 12);
	for (size_t i = 0; i <= DANE_RECORDS_MAX; i++)
		memcpy(answer + 24 + i * sizeof(record), record, sizeof(record));
	assert_int_equal(parse(answer, 24 + (DANE_RECORDS_MAX + 1) * sizeof(record), list), 0);
	assert_int_equal(list->count, DANE_RECORDS_MAX);
	free(list);
	free(answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses as octets and as text, and the blocks of [network] allow: each line one of them. */
#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/error.h"
#include "tests/fuzz/helper.h"
#include "verifier/address.h"

#define LINES_MAX 8

static struct address_filter *nothing_allowed;

static void
check_address(const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *const only[] = {text};
	struct address_filter *filter;
	struct address again;
	struct error err;

	address_format(a, text);
	assert(address_from_text(text, 25, &again) == 0 && address_cmp(a, &again) == 0);
	/* R3.14: special ones are called only when allowed, and an allowed one is; an IPv4 address
	 * mapped into IPv6 is not, whatever is allowed. */
	assert(address_filter_permits(nothing_allowed, a) == (address_special(a) == NULL));
	assert(address_filter_new(only, 1, &filter, &err) == 0);
	assert(address_filter_permits(filter, a) ||
		(address_is_ipv6(a) && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr)));
	address_filter_free(filter);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *lines[LINES_MAX];
	const char *at = (const char *)data, *end = at + size;
	struct address_filter *filter;
	struct address a;
	struct error err = {0};
	size_t count = 0;

	if (nothing_allowed == NULL)
		assert(address_filter_new(NULL, 0, &nothing_allowed, &err) == 0);
	if (address_from_bytes(data, size, 25, &a) == 0) {
		assert(size == (address_is_ipv6(&a) ? 16 : 4));
		check_address(&a);
	}
	while (at < end && count < LINES_MAX) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((lf != NULL ? lf : end) - at);

		lines[count] = arena_strndup(arena, at, len);
		if (address_from_text(lines[count++], 25, &a) == 0)
			check_address(&a);
		at += len + (lf != NULL);
	}
	if (address_filter_new(lines, count, &filter, &err) == 0) {
		assert(address_from_text("192.0.2.1", 25, &a) == 0);
		assert(address_filter_permits(filter, &a) || count == 0 ||
			address_special(&a) != NULL);
		address_filter_free(filter);
	} else {
		helper_check_error(&err, 1U << ERROR_CONFIG);
	}
	arena_free(arena);
	return 0;
}

/* MX patterns and DNS-IDs held against host names: PATTERN, a blank, HOST. */
#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"
#include "verifier/dns_id.h"
#include "verifier/domain_name.h"
#include "verifier/mta_sts.h"

/* What both matchings have in common, written otherwise: the names are the same, or behind "*" and
 * behind the host's first label. */
static bool
may_match(const char *pattern, size_t len, const char *host)
{
	size_t host_len = strlen(host);

	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (len > 2 && pattern[0] == '*' && pattern[1] == '.') {
		size_t label = strcspn(host, ".");

		if (label == 0 || label >= host_len)
			return false;
		pattern++;
		len--;
		host += label;
		host_len -= label;
	}
	return len > 0 && len == host_len && strncasecmp(pattern, host, len) == 0;
}

static void
check_pattern(const char *pattern, size_t len, const char *host)
{
	bool valid = mta_sts_pattern_is_valid(pattern, len);
	bool wildcard = len > 2 && memcmp(pattern, "*.", 2) == 0;
	const char *const many[] = {"mx.invalid", pattern};

	if (valid) {
		assert(strlen(pattern) == len && len <= DOMAIN_NAME_MAX + 2);
		assert(domain_name_is_ldh(
			wildcard ? pattern + 2 : pattern, wildcard ? len - 2 : len));
		(void)mta_sts_pattern_is_too_wide(pattern);
		assert(mta_sts_pattern_matches(pattern, host) == may_match(pattern, len, host));
		assert(wildcard || mta_sts_pattern_matches(pattern, pattern));
	}
	if (strlen(pattern) == len) {
		assert(valid || !mta_sts_pattern_matches(pattern, host));
		assert(mta_sts_host_is_covered(many, 2, host) ==
			(mta_sts_pattern_matches(pattern, host) ||
				mta_sts_pattern_matches(many[0], host)));
	}
}

static void
check_dns_id(const char *id, size_t len, const char *host)
{
	bool wildcard = len > 2 && memcmp(id, "*.", 2) == 0;
	bool form = domain_name_is_ldh(wildcard ? id + 2 : id, wildcard ? len - 2 : len);
	size_t host_len = strlen(host);

	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	assert(dns_id_matches(id, len, host) ==
		(form && may_match(id, len, host) && !domain_name_reads_as_ip(host, host_len)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *text = (const char *)data;
	const char *blank = size > 0 ? memchr(text, ' ', size) : NULL;
	size_t len = blank != NULL ? (size_t)(blank - text) : size;
	char *pattern = arena_calloc(arena, len + 1, 1);
	const char *host = "";

	if (len > 0)
		memcpy(pattern, text, len);
	if (blank != NULL)
		host = arena_strndup(arena, blank + 1, size - len - 1);
	check_pattern(pattern, len, host);
	check_dns_id(pattern, len, host);
	(void)domain_name_registrable(host);
	arena_free(arena);
	return 0;
}

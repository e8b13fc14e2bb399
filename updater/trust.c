#include "updater/trust.h"

#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "export/list.h"

static const char *const names[] = {[TRUST_ENFORCE] = "enforce",
	[TRUST_EARLY] = "early-adopter",
	[TRUST_TESTING] = "testing"};

const char *
trust_name(enum trust trust)
{
	return names[trust];
}

bool
trust_from_name(const char *name, enum trust *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*out = (enum trust)i;
			return true;
		}
	}
	return false;
}

bool
trust_domain_valid(const char *domain)
{
	char below[260];
	int n = snprintf(below, sizeof(below), "x.%s", domain);

	return n > 0 && (size_t)n < sizeof(below) && list_domain_valid(below, (size_t)n);
}

bool
trust_covers(const char *const *domains, size_t count, const char *domain)
{
	size_t len = strlen(domain);

	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(domains[i]);

		if (n == len && memcmp(domain, domains[i], n) == 0)
			return true;
		if (n < len && domain[len - n - 1] == '.' &&
			memcmp(domain + len - n, domains[i], n) == 0)
			return true;
	}
	return count == 0;
}

/*
 * lab_make: writes a little internet into a folder.
 */
#ifndef LAB_MAKE_H
#define LAB_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;

/* What every lab has for the self-test of a verifier: a mail host in a signed zone, and a zone that
 * is bogus. */
#define LAB_REFERENCE         "reference.test"
#define LAB_REFERENCE_ADDRESS "127.0.0.25"
#define LAB_BROKEN            "broken.test"

enum { LAB_DOMAINS_DEFAULT = 1200, LAB_DOMAINS_MAX = 100000 };

struct lab_make_options {
	size_t domains;
	size_t sinners; /* so many more, of the kinds whose servers misbehave, each at its own hosts
			 */
	/* Only these kinds (divided by commas), by their weights, without the story domains; NULL:
	 * the whole world. For measuring. */
	const char *kinds;
	/* So many MX host names in all, more or less, none of them for one domain alone unless
	 * there are enough: no provider gives each domain a name of its own, and domains with
	 * servers of their own share them. 0: as the kinds say. */
	size_t mx_hosts;
	uint64_t seed;
	uint16_t dns_port, smtp_port, https_port; /* 0: a free one at each start */
	int64_t made_s;                           /* signatures and certificates hang on this */
};

struct lab_make_result {
	size_t domains, zones, signed_zones, mx_hosts, policy_hosts;
};

/* dir must not exist or be empty. Everything but keys and signatures follows from the options. */
int lab_make(const char *dir, const struct lab_make_options *options, struct lab_make_result *out,
	struct error *err) MUST_CHECK;

#endif

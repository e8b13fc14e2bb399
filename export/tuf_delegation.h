/*
 * tuf_delegation: what a targets role leaves to other roles (TUF specification 1.0, sections 4.5
 * and 5.6.7; hash bins as TAP 15 writes them).
 *
 * Strings are lent by the JSON document that was parsed.
 */
#ifndef EXPORT_TUF_DELEGATION_H
#define EXPORT_TUF_DELEGATION_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/attr.h"
#include "export/tuf_trust.h"

struct error;
struct tuf_delegations;

/* Roles of one delegation, and its patterns: more are refused. */
#define TUF_DELEGATIONS_MAX 1024
#define TUF_PATTERNS_MAX    4096
/* A role's name becomes a file name, with octets escaped and ".json" behind it. */
#define TUF_ROLE_NAME_MAX 250

struct tuf_delegation {
	const char *name;
	bool terminating;
	const struct tuf_keys *keys;
	const struct tuf_signatories *signatories;
};

/* The member "delegations" of signed_part; *out is NULL without one. ERROR_INPUT. */
int tuf_delegations_parse(
	const json_t *signed_part, struct tuf_delegations **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void tuf_delegations_free(struct tuf_delegations *d);

/* The next role in order that may know the target: 1, or 0 behind the last. *i is 0 at first. d may
 * be NULL. What out holds is lent until the next call. */
int tuf_delegations_next(
	struct tuf_delegations *d, const char *target, size_t *i, struct tuf_delegation *out);

/* No empty segment, "." or "..", no leading slash, no backslash, no control octet: fit to become a
 * part of a URL or path. */
bool tuf_target_name_valid(const char *name);

#endif

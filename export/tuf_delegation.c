#include "export/tuf_delegation.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"

#define SHA256_SIZE 32
/* Hash bins: 2^32 roles at most. */
#define BITS_MAX 32

struct role {
	const char *name;
	struct tuf_signatories signatories;
	bool terminating;
	const json_t *paths; /* lent; one of the two */
	const json_t *prefixes;
};

struct tuf_delegations {
	struct tuf_keys keys;
	struct role *roles;
	size_t count;
	/* Hash bins instead of roles. */
	bool bins;
	struct tuf_signatories bin_signatories;
	const char *bin_prefix;
	int bin_bits;
	char bin_name[TUF_ROLE_NAME_MAX + 1];
};

/* --- reading ------------------------------------------------------------------------------------
 */

static int
check_name(const char *name, struct error *err)
{
	static const char *const taken[] = {"root", "timestamp", "snapshot", "targets"};

	if (name[0] == '\0' || strlen(name) > TUF_ROLE_NAME_MAX)
		return error_set(err, ERROR_INPUT,
			"a delegated role's name has %zu octets instead of 1 to %d", strlen(name),
			TUF_ROLE_NAME_MAX);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		if (strcmp(name, taken[i]) == 0)
			return error_set(
				err, ERROR_INPUT, "a delegated role is called \"%s\"", name);
	}
	return 0;
}

static int
check_strings(const json_t *list, const char *what, struct error *err)
{
	if (!json_is_array(list) || json_array_size(list) > TUF_PATTERNS_MAX)
		return error_set(err, ERROR_INPUT, "\"%s\" is not a list of at most %d strings",
			what, TUF_PATTERNS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!json_is_string(json_array_get(list, i)))
			return error_set(err, ERROR_INPUT, "\"%s\" is not a list of strings", what);
	}
	return 0;
}

static int
parse_role(struct role *role, const json_t *object, struct error *err)
{
	const json_t *terminating;

	if (!json_is_object(object))
		return error_set(err, ERROR_INPUT, "a delegated role is not an object");
	if (json_get_string(object, "name", &role->name, err) < 0 ||
		check_name(role->name, err) < 0)
		return -1;
	if (tuf_signatories_parse(&role->signatories, object, err) < 0)
		return error_prefix(err, "role %.100s", role->name);
	terminating = json_object_get(object, "terminating");
	if (!json_is_boolean(terminating))
		return error_set(err, ERROR_INPUT, "role %.100s: \"terminating\" is not a boolean",
			role->name);
	role->terminating = json_is_true(terminating);
	role->paths = json_object_get(object, "paths");
	role->prefixes = json_object_get(object, "path_hash_prefixes");
	if ((role->paths == NULL) == (role->prefixes == NULL))
		return error_set(err, ERROR_INPUT,
			"role %.100s: want either \"paths\" or \"path_hash_prefixes\"", role->name);
	if (role->paths != NULL ? check_strings(role->paths, "paths", err) < 0
				: check_strings(role->prefixes, "path_hash_prefixes", err) < 0)
		return error_prefix(err, "role %.100s", role->name);
	return 0;
}

static int
parse_roles(struct tuf_delegations *d, const json_t *roles, struct error *err)
{
	if (!json_is_array(roles) || json_array_size(roles) > TUF_DELEGATIONS_MAX)
		return error_set(err, ERROR_INPUT, "\"roles\" is not a list of at most %d",
			TUF_DELEGATIONS_MAX);
	d->roles = xcalloc(json_array_size(roles) + 1, sizeof(*d->roles));
	for (size_t i = 0; i < json_array_size(roles); i++) {
		if (parse_role(&d->roles[d->count++], json_array_get(roles, i), err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(d->roles[k].name, d->roles[i].name) == 0)
				return error_set(err, ERROR_INPUT, "role %.100s stands twice",
					d->roles[i].name);
		}
	}
	return 0;
}

static int
parse_bins(struct tuf_delegations *d, const json_t *bins, struct error *err)
{
	int64_t bits;

	if (!json_is_object(bins))
		return error_set(err, ERROR_INPUT, "\"succinct_roles\" is not an object");
	if (tuf_signatories_parse(&d->bin_signatories, bins, err) < 0 ||
		json_get_int(bins, "bit_length", 1, BITS_MAX, &bits, err) < 0 ||
		json_get_string(bins, "name_prefix", &d->bin_prefix, err) < 0)
		return error_prefix(err, "succinct_roles");
	/* "-" and 8 hex digits follow. */
	if (strlen(d->bin_prefix) + 9 > TUF_ROLE_NAME_MAX)
		return error_set(err, ERROR_INPUT, "\"name_prefix\" is too long");
	d->bins = true;
	d->bin_bits = (int)bits;
	return 0;
}

int
tuf_delegations_parse(const json_t *signed_part, struct tuf_delegations **out, struct error *err)
{
	const json_t *object = json_object_get(signed_part, "delegations"), *roles, *bins;
	struct tuf_delegations *d;

	*out = NULL;
	if (object == NULL)
		return 0;
	if (!json_is_object(object))
		return error_set(err, ERROR_INPUT, "\"delegations\" is not an object");
	roles = json_object_get(object, "roles");
	bins = json_object_get(object, "succinct_roles");
	d = xcalloc(1, sizeof(*d));
	if ((roles == NULL) == (bins == NULL)) {
		(void)error_set(err, ERROR_INPUT, "want either \"roles\" or \"succinct_roles\"");
		goto fail;
	}
	if (tuf_keys_parse(&d->keys, object, err) < 0 ||
		(roles != NULL ? parse_roles(d, roles, err) : parse_bins(d, bins, err)) < 0)
		goto fail;
	*out = d;
	return 0;
fail:
	tuf_delegations_free(d);
	return error_prefix(err, "delegations");
}

void
tuf_delegations_free(struct tuf_delegations *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->count; i++)
		tuf_signatories_clear(&d->roles[i].signatories);
	free(d->roles);
	tuf_signatories_clear(&d->bin_signatories);
	tuf_keys_clear(&d->keys);
	free(d);
}

/* --- which role knows a target ------------------------------------------------------------------
 */

static void
hash_of(const char *target, uint8_t out[static SHA256_SIZE])
{
	if (EVP_Digest(target, strlen(target), out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

static bool
matches(const struct role *role, const char *target)
{
	if (role->prefixes != NULL) {
		uint8_t digest[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];

		hash_of(target, digest);
		str_hex(digest, sizeof(digest), hex);
		for (size_t i = 0; i < json_array_size(role->prefixes); i++) {
			if (str_starts(hex, json_string_value(json_array_get(role->prefixes, i))))
				return true;
		}
		return false;
	}
	for (size_t i = 0; i < json_array_size(role->paths); i++) {
		/* "*" and "?" never stand for a slash. */
		if (fnmatch(json_string_value(json_array_get(role->paths, i)), target,
			    FNM_PATHNAME | FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

/* The bin is the first bits of the hash, in hex digits as many as the last bin needs. */
static void
bin_of(struct tuf_delegations *d, const char *target)
{
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	uint8_t shifted[4];
	uint32_t first = 0;
	int digits = (d->bin_bits + 3) / 4;

	hash_of(target, digest);
	for (int i = 0; i < 4; i++)
		first = first << 8 | digest[i];
	first >>= BITS_MAX - d->bin_bits;
	for (int i = 0; i < 4; i++)
		shifted[i] = (uint8_t)(first >> (24 - 8 * i));
	str_hex(shifted, sizeof(shifted), hex);
	/* 8 digits, of which the last ones count. */
	(void)snprintf(d->bin_name, sizeof(d->bin_name), "%s-%s", d->bin_prefix, hex + 8 - digits);
}

int
tuf_delegations_next(
	struct tuf_delegations *d, const char *target, size_t *i, struct tuf_delegation *out)
{
	if (d == NULL)
		return 0;
	if (d->bins) {
		if ((*i)++ > 0)
			return 0;
		bin_of(d, target);
		*out = (struct tuf_delegation){.name = d->bin_name,
			.terminating = true,
			.keys = &d->keys,
			.signatories = &d->bin_signatories};
		return 1;
	}
	while (*i < d->count) {
		const struct role *role = &d->roles[(*i)++];

		if (!matches(role, target))
			continue;
		*out = (struct tuf_delegation){.name = role->name,
			.terminating = role->terminating,
			.keys = &d->keys,
			.signatories = &role->signatories};
		return 1;
	}
	return 0;
}

bool
tuf_target_name_valid(const char *name)
{
	const char *segment = name;

	for (const char *p = name;; p++) {
		if (*p == '/' || *p == '\0') {
			size_t len = (size_t)(p - segment);

			if (len == 0 || (len == 1 && segment[0] == '.') ||
				(len == 2 && segment[0] == '.' && segment[1] == '.'))
				return false;
			if (*p == '\0')
				return true;
			segment = p + 1;
		} else if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\') {
			return false;
		}
	}
}

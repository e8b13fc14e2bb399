/*
 * authority_init: the keys and the repository of a new authority.
 */
#ifndef BUILDER_AUTHORITY_INIT_H
#define BUILDER_AUTHORITY_INIT_H

#include <stdint.h>

#include "common/attr.h"

struct error;
struct repository_options;
struct settings;

/* What the settings say of the repository, with as many keys as are needed; strings are lent by
 * them. */
enum authority_keys {
	AUTHORITY_NO_KEYS,
	AUTHORITY_TIMESTAMP_KEYS,
	AUTHORITY_PUBLISHING_KEYS, /* the root's only as far as nobody has to be asked */
	AUTHORITY_ALL_KEYS,
};
void authority_repository_options(
	const struct settings *settings, enum authority_keys keys, struct repository_options *out);

/* Makes the keys that are missing (files of mode 0600 in directories of mode 0700) and the
 * repository with its first root. What was begun and not finished is finished. */
int authority_init(const struct settings *settings, int64_t now_s, struct error *err) MUST_CHECK;

#endif

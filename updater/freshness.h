/*
 * freshness: whether what is trusted of a repository may still be the newest there is.
 *
 * Who fetches, and says that there is nothing new, may have been taken over, and hold back what there is: that comes
 * to light when the trusted timestamp expires, if somebody without network looks.
 */
#ifndef UPDATER_FRESHNESS_H
#define UPDATER_FRESHNESS_H

#include <stdint.h>

#include "common/attr.h"

struct confine_user;
struct error;

/* Looks at the trusted root and timestamp in metadata_dir, in a confined process without network: 1 they are in
 * force, 0 there are none; -1: ERROR_EXPIRED, ERROR_SECURITY a root that does not stand up to its own signatures,
 * or the errors of worker_run(). */
int freshness_check(const char *metadata_dir, const struct confine_user *user, int64_t time_ms,
	int64_t now_s, struct error *err) MUST_CHECK;

#endif

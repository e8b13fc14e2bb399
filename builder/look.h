/*
 * look: one look at a domain goes from the verifier's report into the store and through its life.
 */
#ifndef BUILDER_LOOK_H
#define BUILDER_LOOK_H

#include <stdint.h>

#include "builder/life.h"
#include "common/attr.h"

struct arena;
struct error;
struct report;
struct settings;
struct store;

/* Octets of evidence kept for one look: 128 addresses with all their findings are far below. */
#define LOOK_EVIDENCE_MAX ((size_t)1024 * 1024)

/* What of a report the life of a domain depends on. Strings live in the arena or are the report's.
 */
struct life_view look_view(const struct report *report, const char *vantage, struct arena *arena);

/* Who looks. */
struct look_point {
	const struct settings *settings;
	struct store *store;
	const char *vantage;
	int64_t vantage_id; /* store_vantage() */
};

/* Compares the look with earlier ones and with those of other vantage points (compare.h), keeps the
 * evidence and the view, takes the domain a step on, and writes what happened: one
 * transaction, or part of the caller's. A report that abstains is not for the store: the vantage
 * point counts as missing (R17.3). out may be NULL; its strings are not to be used. */
int look_store(const struct look_point *point, int64_t domain, const struct report *report,
	int64_t now_s, struct life_result *out, struct error *err) MUST_CHECK;

#endif

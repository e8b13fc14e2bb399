/*
 * lint: one document judged offline, as `preload25 lint KIND` shows it.
 *
 * No network, no clock. The input forms and the names inside the value are those of tests/vectors/README.md, so
 * that any vector can be run through the program.
 */
#ifndef VERIFIER_LINT_H
#define VERIFIER_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "verifier/finding.h"

struct arena;

struct lint_kind;

/* What became of one document; everything lives in the arena but value. */
struct lint_result {
	bool valid; /* for the two kinds *-match: it matches */
	/* Why not valid. NULL when valid, when two valid names do not match, and for a TLSA set of
	 * which no record is usable: that is a warning. */
	const char *code;
	struct finding_list findings;
	json_t *value; /* the caller's: json_decref() */
};

/* The kind of that name ("mta-sts-record"), or NULL. */
const struct lint_kind *lint_kind_find(const char *name);
/* The i-th kind's name, NULL behind the last. */
const char *lint_kind_name(size_t i);
/* Octets of one document of this kind that are looked at; the caller refuses longer ones. */
size_t lint_kind_max(const struct lint_kind *kind);

void lint_run(const struct lint_kind *kind, const char *text, size_t len, struct arena *arena,
	struct lint_result *out);

/* {"valid","code","warnings","findings","value"}; the caller owns it. Takes over result->value. */
json_t *lint_to_json(struct lint_result *result);

#endif

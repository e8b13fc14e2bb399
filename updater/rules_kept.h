/*
 * rules_kept: the last rules that could be read, in the state folder, for the run that finds rules which cannot: what
 * has run out still has to go from the map, and nothing else may.
 */
#ifndef UPDATER_RULES_KEPT_H
#define UPDATER_RULES_KEPT_H

#include "common/attr.h"

struct error;
struct rules;

/* In place of those that are kept, where they are others. No rules are kept as no file. */
int rules_kept_put(const char *state_dir, const struct rules *r, struct error *err) MUST_CHECK;

/* 1; 0 nothing is kept, *out is NULL. */
int rules_kept_load(const char *state_dir, struct rules **out, struct error *err) MUST_CHECK;

#endif

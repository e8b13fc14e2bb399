/*
 * entry: the canonical text of a list entry's policy, as the builder passes it around.
 *
 * The text is that of list_policy_format(): {"auth":[...],"max_age":N,"mode":"...","mxs":[...],
 * "source":"...","tls":"..."}. Its core (max_age to source) is what the domain publishes and what
 * vantage points must agree on; auth and tls are what each of them measured. Texts given must have
 * been made by these functions or list_policy_format(). Pure; results live in the arena.
 */
#ifndef BUILDER_ENTRY_H
#define BUILDER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct arena;
struct report;

/* The entry that a report speaks for; NULL when it is not eligible (or names what no list can). */
const char *entry_from_report(const struct report *report, struct arena *arena);

bool entry_same_core(const char *a, const char *b);
/* What all of texts[count] (count > 0, one core) agree on: auth in common, the lowest tls. NULL
 * when they have no auth in common. */
const char *entry_merge(const char *const *texts, size_t count, struct arena *arena);
/* With the lower tls of the two, everything else from text. */
const char *entry_lower_tls(const char *text, const char *before, struct arena *arena);
/* The same entry as testing. */
const char *entry_demote(const char *text, struct arena *arena);

int64_t entry_max_age(const char *text);
bool entry_is_enforce(const char *text);
bool entry_is_mta_sts(const char *text);

#endif

/*
 * generations: the sets of lists that counted before the present one, for undo.
 */
#ifndef UPDATER_GENERATIONS_H
#define UPDATER_GENERATIONS_H

#include <stdbool.h>
#include <stddef.h>

struct state;
struct state_generation;
struct state_member;

/* The lists that count now. */
void generations_present(const struct state *s, struct state_generation *out);
/* The lists that count are others than before: one more set to go back to, of which so many are kept in all; or,
 * where they are those of such a set, a step back to it. */
void generations_step(struct state *s, const struct state_generation *before,
	const struct state_generation *after, size_t keep);
/* The list of a source in it; NULL: it has none. */
const struct state_member *generations_member(const struct state_generation *g, const char *name);
/* Whether they are of the same lists. */
bool generations_equal(const struct state_generation *a, const struct state_generation *b);
/* Forgets those without a list, and those that are no step back. */
void generations_prune(struct state *s);

#endif

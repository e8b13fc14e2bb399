/*
 * generations: the sets of lists that counted before the present one, for undo.
 */
#ifndef UPDATER_GENERATIONS_H
#define UPDATER_GENERATIONS_H

#include <stddef.h>

struct state;
struct state_generation;

/* The lists that count now. */
void generations_present(const struct state *s, struct state_generation *out);
/* Puts a set that counted until now before the others, of which so many are kept in all; one without a list
 * is none. */
void generations_push(struct state *s, const struct state_generation *g, size_t keep);
/* Forgets the latest. */
void generations_pop(struct state *s);

#endif

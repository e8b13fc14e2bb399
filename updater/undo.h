/*
 * undo: which earlier set of lists counts again when the administrator takes the present one back.
 */
#ifndef UPDATER_UNDO_H
#define UPDATER_UNDO_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct buf;
struct error;
struct state;
struct state_generation;
struct update_settings;

/* The latest earlier set, from the from-th on, that can be gone back to: all of its lists are there, and were taken
 * under the root files that are trusted now. read: the lists are read, and what is passed over is logged; else they
 * are only looked for. 0 with its index; 1: there is none, or it may not be (err says why); -1: of those that there
 * are the lists are damaged. */
int undo_find(const struct update_settings *s, const struct state *state, size_t from, bool read, size_t *index,
	struct error *err) MUST_CHECK;

/* How often undo can be run. */
size_t undo_steps(const struct update_settings *s, const struct state *state);

/* The lists that are put away for those of the set are not taken again; those are what the repositories announce now,
 * also when this is the second step. Appends which they are, one line for people. */
void undo_put_away(const struct update_settings *s, struct state *state, const struct state_generation *back,
	struct buf *said);

#endif

/*
 * install_tell: what a map has come out with, said in the log and noted in the state.
 */
#ifndef UPDATER_INSTALL_TELL_H
#define UPDATER_INSTALL_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "updater/choice.h"

struct install;
struct list_set;
struct overlay_entry;
struct render_counts;
struct state;

/* Rules that are new are spoken of once, where cron hears it. */
struct install_left {
	bool loud;
	int64_t count; /* so far */
};

/* on_left of struct render_options; its argument is a struct install_left. */
void install_tell_left(void *left, const struct overlay_entry *e, enum choice choice);
void install_tell(
	const struct install *in, const struct list_set *lists, const struct render_counts *c);
/* Says how many lines go with lists that are not configured any more, at the first map without them. */
void install_tell_lost(const struct install *in, const struct render_counts *c);
/* Says that a map of before is left alone, when [install] names another one now. */
void install_tell_moved(const struct install *in);
void install_note_counts(struct state *state, const struct render_counts *c);

#endif

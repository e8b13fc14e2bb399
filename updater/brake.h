/*
 * brake: whether a list that is signed may follow the one of its source that counts: by what it does to the lines
 * of its source, and, since one list can hide what another has, by what it does to those of all lists.
 */
#ifndef UPDATER_BRAKE_H
#define UPDATER_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct list_reader;
struct render_list;
struct render_options;
struct render_said;
struct source_here;
struct source_settings;
struct update_settings;

/* All of it is lent. */
struct brake {
	const struct update_settings *s;
	const struct source_settings *source;
	const struct source_here *here;
	const struct render_options *options;
	const char *dir;    /* of the lists */
	const char *sha256; /* of the list that is to follow */
	bool installed;     /* there is a map that the list that counts has lines in */
	bool allow_churn;   /* any number of lines may go or come */
	int64_t now_s;
};

/* 0 it may; 1 too many lines of this source would go or come, seen without the others (err says how many);
 * -1: as source_check_list(), or ERROR_INPUT: it is no list. after: the list, opened and not yet read from; is
 * read to its end unless it is the only one that the map will be made of and follows none. */
int brake_ask(const struct brake *b, struct list_reader *after, struct error *err) MUST_CHECK;

/* All of it is lent. */
struct brake_all {
	const struct update_settings *s;
	const struct render_options *options;
	const char *dir;                 /* of the lists */
	const struct render_list *lists; /* one for each source */
};

/* The same of the lists that may follow (those with a next one whose said->rc is 0), seen with all the others. Where
 * too many lines would go or come of the whole, as many may follow as can, in their order, and the rc of each other
 * is 1, with its err. A source whose first list it is, or whose old one is damaged, is no change. 0, or -1: a list
 * cannot be read. Several are configured. */
int brake_ask_all(const struct brake_all *b, struct render_said *said, struct error *err) MUST_CHECK;

#endif

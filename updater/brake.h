/*
 * brake: whether a list that is signed may follow the one of its source that counts.
 */
#ifndef UPDATER_BRAKE_H
#define UPDATER_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct list_reader;
struct render_options;
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

#endif

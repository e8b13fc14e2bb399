/*
 * known_list: the list that is here, opened by whoever may and read by a process that nobody trusts.
 *
 * The one that counts, or else the one that was fetched and verified but not installed: which one that is the
 * metadata says, and is found out inside.
 */
#ifndef UPDATER_KNOWN_LIST_H
#define UPDATER_KNOWN_LIST_H

#include <stddef.h>

#include "common/attr.h"

struct error;
struct known_list;
struct list_reader;
struct update_settings;

/* 0; 1 there is none (err says how to get one); -1. */
int known_list_open(
	const struct update_settings *s, struct known_list **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void known_list_close(struct known_list *k);
/* Its files, lent: what a process needs that is to read it. */
const int *known_list_fds(const struct known_list *k, size_t *count);

/* Inside; returns as known_list_open(). The known list must outlive the reader. */
int known_list_reader(
	const struct known_list *k, struct list_reader **out, struct error *err) MUST_CHECK;

#endif

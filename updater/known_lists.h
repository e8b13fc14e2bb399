/*
 * known_lists: the lists that are here, opened by whoever may and read by a process that nobody trusts.
 *
 * Of each source the one that counts, or else the one that was fetched and verified but not installed: which one
 * that is the metadata says, and is found out inside.
 */
#ifndef UPDATER_KNOWN_LISTS_H
#define UPDATER_KNOWN_LISTS_H

#include <stddef.h>

#include "common/attr.h"
#include "updater/overlay.h"
#include "updater/source.h"

struct error;
struct known_lists;
struct update_settings;

/* 0; 1 there is none (err says how to get one); -1. The settings are lent. */
int known_lists_open(
	const struct update_settings *s, struct known_lists **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void known_lists_close(struct known_lists *k);
/* Their files, lent: what a process needs that is to read them. */
const int *known_lists_fds(const struct known_lists *k, size_t *count);

/* Inside: count of them, opened, to be closed by list_set_close() in every case; from: the index of the source of
 * each. Returns as known_lists_open(). The known lists must outlive the readers. */
int known_lists_read(const struct known_lists *k, struct overlay_list lists[static SOURCES_MAX],
	size_t from[static SOURCES_MAX], size_t *count, struct error *err) MUST_CHECK;

#endif

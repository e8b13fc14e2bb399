/*
 * list_set: the lists that a map is made of, in the order of their sources.
 */
#ifndef UPDATER_LIST_SET_H
#define UPDATER_LIST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/overlay.h"
#include "updater/source.h"
#include "updater/state.h"

struct buf;
struct error;
struct source_settings;
struct update_settings;

struct list_set {
	struct list_set_item {
		const struct source_settings *source; /* lent */
		int64_t version;
		char sha256[65];
	} items[SOURCES_MAX];
	size_t count;
	bool alone; /* [source] is all that is configured, and is trusted for everything */
};

/* Empty. */
void list_set_begin(const struct update_settings *s, struct list_set *out);
/* sha256 "" (the source has no list) adds nothing; NULL: it does not matter, of a set that is only told of. */
void list_set_add(struct list_set *set, const struct source_settings *source, int64_t version,
	const char *sha256);
/* The lists that count now. state must be arranged as the settings are. */
void list_set_present(const struct update_settings *s, const struct state *state, struct list_set *out);

/* Those of an earlier set, as far as their sources are still configured. */
void list_set_of_generation(
	const struct update_settings *s, const struct state_generation *g, struct list_set *out);

/* Changes with every list, their order and how they are trusted; of a set that is alone, the SHA-256 of
 * its list; "" of none. */
void list_set_digest(const struct list_set *set, char out[static 65]);
/* What the map's sentinel answers: the list's version; of several, with something behind that changes as
 * the digest does. */
#define LIST_SET_SERIAL_SIZE STATE_SERIAL_SIZE
void list_set_serial(const struct list_set *set, char out[static LIST_SET_SERIAL_SIZE]);
/* For people: "list 42"; of several "lists 42 (main), 7 (extra)". */
#define LIST_SET_TEXT_MAX ((size_t)1024)
void list_set_format(const struct list_set *set, struct buf *out);

/* All of their files, opened: fds[set->count], the caller's behind a success. dir: of the lists. */
int list_set_open(const struct list_set *set, const char *dir, int fds[static SOURCES_MAX],
	struct error *err) MUST_CHECK;
/* Begins to read them: lists[set->count] of overlay.h, to be closed in every case, before the files are. */
int list_set_read(const struct list_set *set, const char *dir, const int fds[static SOURCES_MAX],
	struct overlay_list lists[static SOURCES_MAX], struct error *err) MUST_CHECK;
void list_set_close(struct overlay_list lists[static SOURCES_MAX]);

#endif

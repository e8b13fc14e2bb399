/*
 * map: the table that a mail server looks domains up in, written whole and put in place in one
 *step.
 *
 *	map_writer_open(kind, path, &w, err)
 *	map_writer_add(w, key, value, len)        sticky: the first error is remembered
 *	map_writer_finish(w, err)                 synced, complete, still beside path
 *	... look-ups in map_writer_path(w) ...
 *	map_writer_install(w, keep, err)          rename, sync of the directory
 *	map_writer_free(w)                        removes what was not installed
 *
 * Until install returns 0 the old map answers, crash or not. One writer per path at a time (the job
 * holds its lock). Neither format has a checksum, which is why there is a sentinel key to ask for.
 */
#ifndef UPDATER_MAP_H
#define UPDATER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct map_writer;
struct map_reader;

/* Always in the map; its value is the list's version in decimal. No mail server parses it. */
#define MAP_SENTINEL "serial.preload25.invalid"

/* A row per form of map. The functions are for map.c alone. */
struct map_kind {
	const char *name;   /* the mail server's own name for the type of table */
	const char *suffix; /* what the type's files end in, or "" */
	bool needs_reload;  /* the mail server does not see a new file by itself */
	/* The writer's own state for a new file, open as fd and empty; NULL with errno set on
	 * failure. Libraries that open files themselves take the path. */
	void *(*begin)(int fd, const char *path);
	int (*add)(void *state, const char *key, size_t key_len, const char *value, size_t len);
	int (*end)(void *state);
	/* Frees the state, ended or not. */
	void (*discard)(void *state);
	/* 1 with the value appended, 0 no such key, -1 unreadable (errno may say why). */
	int (*find)(int fd, const char *path, const char *key, size_t key_len, struct buf *out);
};

/* The file for a configured path: with the suffix of its kind. The caller frees it. */
char *map_file(const struct map_kind *kind, const char *path) RETURNS_NONNULL;
/* As main.cf names the table ("cdb:/etc/postfix/preload"), for a file. The caller frees it. */
char *map_table(const struct map_kind *kind, const char *file) RETURNS_NONNULL;

/* file: the map itself; the new one is written beside it. What a killed run left there goes. */
int map_writer_open(const struct map_kind *kind, const char *file, struct map_writer **out,
	struct error *err) MUST_CHECK;
void map_writer_add(struct map_writer *w, const char *key, const char *value, size_t len);
int map_writer_finish(struct map_writer *w, struct error *err) MUST_CHECK;
/* Lent. */
const char *map_writer_path(const struct map_writer *w);
/* keep_previous: the map that stood there becomes FILE.1; a warning in the log where it cannot. */
int map_writer_install(struct map_writer *w, bool keep_previous, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void map_writer_free(struct map_writer *w);

/* Makes a map that holds the sentinel alone, with version 0, where there is none: most mail servers
 * keep all mail back when a map is missing. 1 made, 0 there was one. */
int map_make_empty(const struct map_kind *kind, const char *file, struct error *err) MUST_CHECK;
/* Such a map in the place of the one that is there, which becomes FILE.1. */
int map_empty(const struct map_kind *kind, const char *file, struct error *err) MUST_CHECK;

/* Looks one key up in a map file: 1 found (value appended), 0 not, -1 the file cannot be read as a
 * map (a missing file included, ERROR_CONFIG). */
int map_find(const struct map_kind *kind, const char *file, const char *key, struct buf *out,
	struct error *err) MUST_CHECK;

#endif

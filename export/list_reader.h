/*
 * list_reader: reads a list document, entry by entry, in constant memory.
 *
 *	if (list_reader_open(path, &r, err) < 0) ...
 *	while ((rc = list_reader_next(r, &entry, err)) > 0)
 *		use(entry);
 *	list_reader_close(r);
 *
 * Whatever is not exactly the canonical layout is refused as ERROR_INPUT with "line N: what"; what
 * was read before the fault came from a document that is void, so nothing made from it may be used
 * until next has returned 0. Opening reads the end of the file first: the aliases and the closing
 * line, so that the whole header is there before the first entry.
 */
#ifndef EXPORT_LIST_READER_H
#define EXPORT_LIST_READER_H

#include <stdint.h>

#include "common/attr.h"

struct error;
struct list_entry;
struct list_header;
struct list_reader;

/* A file that is not there or cannot be read is ERROR_CONFIG; errors name the path. */
int list_reader_open(const char *path, struct list_reader **out, struct error *err) MUST_CHECK;
/* The same from a descriptor of a regular file, which stays the caller's and open until the reader
 * is closed; its offset is neither used nor moved. name is for messages (copied). */
int list_reader_open_fd(
	int fd, const char *name, struct list_reader **out, struct error *err) MUST_CHECK;

/* Lent for the life of the reader. */
const struct list_header *list_reader_header(const struct list_reader *r);

/* 1 an entry (aliases resolved, strings NUL-terminated, lent until the next call), 0 the end and
 * the whole document was sound, -1 error. After 0 or -1 it must not be called again. */
int list_reader_next(
	struct list_reader *r, const struct list_entry **out, struct error *err) MUST_CHECK;

/* Entries handed out so far. */
int64_t list_reader_count(const struct list_reader *r);

/* Reads on to the entry of one domain (lower-case A-labels): 1 found, 0 not listed (then the
 * document was read to its end), -1 error. The entry is lent as by next. */
int list_reader_find(struct list_reader *r, const char *domain, const struct list_entry **out,
	struct error *err) MUST_CHECK;

/* NULL is allowed. */
void list_reader_close(struct list_reader *r);

#endif

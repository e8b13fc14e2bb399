/*
 * list_lines: the lines of a list document, or of a delta, in constant memory.
 *
 *	if (list_lines_open(path, &l, err) < 0) ...
 *	rc = list_lines_next(l, &line, &len, err) ...;
 *	rc = list_lines_ended(l, err);
 *	list_lines_close(l);
 *
 * From a regular file, in which one can move about, or from a file in zstd form, which is read once
 * from its beginning. Errors name the file.
 */
#ifndef EXPORT_LIST_LINES_H
#define EXPORT_LIST_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct error;
struct list_lines;

/* What is not there, not a regular file or not to be read is ERROR_CONFIG. */
int list_lines_open(const char *path, struct list_lines **out, struct error *err) MUST_CHECK;
/* The same from a descriptor, which stays the caller's and open until the end; its offset is
 * neither used nor moved. name is for messages (copied). */
int list_lines_open_fd(
	int fd, const char *name, struct list_lines **out, struct error *err) MUST_CHECK;
/* The lines that path unpacks to, at most max octets of them. */
int list_lines_open_zstd(const char *path, const char *name, int64_t max, struct list_lines **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void list_lines_close(struct list_lines *l);

/* The next line without its newline, lent until the next call, and writable. No further line, one
 * of LIST_LINE_MAX octets or more, and a last line without newline are ERROR_INPUT. */
int list_lines_next(struct list_lines *l, char **line, size_t *len, struct error *err) MUST_CHECK;
/* Whether nothing follows the last line: 1, 0, -1 (a zstd file may be broken behind it). */
int list_lines_ended(struct list_lines *l, struct error *err) MUST_CHECK;

/* The number of the line that was handed out last, from 1. */
int64_t list_lines_number(const struct list_lines *l);
/* Sets ERROR_INPUT, "FILE: line N: what", for that line, or for one that is so many lines behind.
 */
int list_lines_refuse(const struct list_lines *l, int64_t behind, struct error *err,
	const char *fmt, ...) PRINTF_LIKE(4, 5);

/* --- regular files only -------------------------------------------------------------------------
 */

const char *list_lines_name(const struct list_lines *l);
off_t list_lines_size(const struct list_lines *l);
/* Where the next line begins. */
off_t list_lines_offset(const struct list_lines *l);
/* The next line is the one that begins at this offset and has this number. */
void list_lines_seek(struct list_lines *l, off_t offset, int64_t number);
/* How many newlines stand before the offset. Loses the place, as the next one does. */
int64_t list_lines_before(struct list_lines *l, off_t offset);
/* The last place of this text among the last `within` octets: 1, 0 none, -1. */
int list_lines_find_last(struct list_lines *l, const char *text, off_t within, off_t *out,
	struct error *err) MUST_CHECK;

#endif

/*
 * buf: bytes that grow up to a maximum.
 *
 *	struct buf body;
 *	buf_init(&body, POLICY_MAX);
 *	if (buf_add(&body, data, len) < 0) ... too large
 *	buf_clear(&body);
 *
 * Growing past the maximum is an error, never a truncation. The failure is sticky: after it every
 * add fails, so that a series of adds needs one check at its end (buf_failed()).
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct buf {
	char *data; /* owned; NUL-terminated behind len as soon as anything was added, else NULL */
	size_t len;
	size_t max; /* len never exceeds it */
	size_t size;
	bool failed;
};

/* Holds at most max bytes. No memory is taken until something is added. */
void buf_init(struct buf *b, size_t max);
/* 0, or -1 when the maximum would be exceeded (the contents stay as they were). */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Whether any add has failed since buf_init() or buf_reset(). */
bool buf_failed(const struct buf *b);
/* Removes the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Empties it, keeps the memory. */
void buf_reset(struct buf *b);
/* The contents as a NUL-terminated string, never NULL; lent until the next change. */
const char *buf_str(const struct buf *b);
/* Hands the memory to the caller (never NULL, NUL-terminated) and empties the buffer. */
char *buf_take(struct buf *b) RETURNS_NONNULL;
/* Frees the memory; the buffer may be used again. */
void buf_clear(struct buf *b);

#endif

/*
 * xalloc: memory that is there or the program ends.
 *
 * Every write of this project is atomic and every size is bounded before it is allocated, so ending
 * the process loses nothing, and a great many untested branches do not exist.
 */
#ifndef COMMON_XALLOC_H
#define COMMON_XALLOC_H

#include <stddef.h>

#include "common/attr.h"

/* Zeroed memory, count * size checked for overflow. */
void *xcalloc(size_t count, size_t size) RETURNS_NONNULL;
/* For arrays that grow; old contents are kept, new ones not zeroed. */
void *xreallocarray(void *old, size_t count, size_t size) RETURNS_NONNULL;
char *xstrdup(const char *s) RETURNS_NONNULL;
char *xstrndup(const char *s, size_t len) RETURNS_NONNULL;
void *xmemdup(const void *data, size_t len) RETURNS_NONNULL;
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) RETURNS_NONNULL;

#endif

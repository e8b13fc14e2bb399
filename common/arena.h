/*
 * arena: memory that dies together.
 *
 * Strings and records of one domain check are taken from one arena and freed in one call.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>

#include "common/attr.h"

struct arena;

struct arena *arena_new(void) RETURNS_NONNULL;
/* Frees everything taken from it. NULL is allowed. */
void arena_free(struct arena *a);

/* Zeroed memory, aligned for any type; lives until arena_free(). */
void *arena_calloc(struct arena *a, size_t count, size_t size) RETURNS_NONNULL;
char *arena_strdup(struct arena *a, const char *s) RETURNS_NONNULL;
char *arena_strndup(struct arena *a, const char *s, size_t len) RETURNS_NONNULL;
void *arena_memdup(struct arena *a, const void *data, size_t len) RETURNS_NONNULL;
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) RETURNS_NONNULL;

#endif

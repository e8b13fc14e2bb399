/*
 * string_list: arrays of strings that grow in an arena.
 */
#ifndef VERIFIER_STRING_LIST_H
#define VERIFIER_STRING_LIST_H

#include <stddef.h>

struct arena;

/* Appends a copy of the len octets. *items (NULL at first) moves. */
void string_list_add(
	struct arena *arena, const char ***items, size_t *count, const char *s, size_t len);

#endif

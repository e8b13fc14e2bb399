/*
 * list_aliases: the policies of one list document that have a name of their own.
 *
 * Used by the list's writer and reader alone. Policies are added, then the table is sealed: sorted,
 * named and made searchable. A name is "p-" and the first hex digits of the SHA-256 of the policy's
 * canonical text: eight, or as many more as tell it from every other alias of the document. So
 * names follow from content alone, and sorting by digest is sorting by name.
 */
#ifndef EXPORT_LIST_ALIASES_H
#define EXPORT_LIST_ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/list.h"

struct error;
struct list_aliases;

/* "p-", 64 hex digits and the NUL. */
#define LIST_ALIAS_ID_SIZE 67

struct list_alias {
	char id[LIST_ALIAS_ID_SIZE]; /* set by sealing */
	uint8_t sha256[32];
	uint64_t hash; /* of the text, for find_hash */
	char *text;    /* owned by the table, NUL-terminated; its user may cut it into pieces */
	size_t len;
	struct list_policy policy; /* for the reader, which fills it */
	uint32_t uses;             /* counted by its user */
};

struct list_aliases *list_aliases_new(void) RETURNS_NONNULL;
/* NULL is allowed. */
void list_aliases_free(struct list_aliases *t);

/* Copies the text. NULL when there is no room (LIST_ALIASES_MAX, LIST_ALIASES_TEXT_MAX). The result
 * is good until the next add or seal. */
struct list_alias *list_aliases_add(struct list_aliases *t, const char *text, size_t len);
/* ERROR_INPUT when a text was added twice. */
int list_aliases_seal(struct list_aliases *t, struct error *err) MUST_CHECK;

size_t list_aliases_count(const struct list_aliases *t);
/* The i-th; in order of name once sealed. */
struct list_alias *list_aliases_nth(struct list_aliases *t, size_t i);
/* Once sealed; NULL when there is none. */
struct list_alias *list_aliases_find_id(struct list_aliases *t, const char *id, size_t len);
/* Of a text, to look it up by: the reader takes it before it cuts the text apart. */
uint64_t list_text_hash(const char *text, size_t len);
/* Once sealed: the one whose text has this hash and length and of which matches() says so. */
typedef bool list_alias_matches(const struct list_alias *alias, const void *arg);
struct list_alias *list_aliases_find_hash(const struct list_aliases *t, uint64_t hash, size_t len,
	list_alias_matches *matches, const void *arg);

#endif

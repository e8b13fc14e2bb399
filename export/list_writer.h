/*
 * list_writer: writes a list document, entry by entry, in constant memory.
 *
 *	if (list_writer_open(path, &header, &w, err) < 0) ...
 *	while (... && list_writer_share(w, text, len)) ;     shared policies, the most shared first
 *	list_writer_add(w, domain, confirmed_s, text, len);  in ascending order of domain
 *	rc = list_writer_commit(w, &made, err);
 *	list_writer_free(w);
 *
 * A policy that was shared is written once, as an alias named by its content; entries that have it
 * name the alias, unless they carry a confirmation time of their own. The same calls give the same
 * bytes. Until commit returns 0 the old file stands, crash or not.
 */
#ifndef EXPORT_LIST_WRITER_H
#define EXPORT_LIST_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct list_entry;
struct list_header;
struct list_writer;

/* What was written. */
struct list_made {
	int64_t entries;
	int64_t aliases;
	int64_t troubled; /* entries with a confirmation time of their own */
	int64_t length;   /* octets */
	char sha256[65];
};

/* Starts a document beside path (mode 0644). The header is copied. A header that no reader would
 * take (see list_header_fault()) is ERROR_CONFIG. */
int list_writer_open(const char *path, const struct list_header *header, struct list_writer **out,
	struct error *err) MUST_CHECK;

/* Before the first add: this policy (canonical text, see list_policy_format()) becomes an alias.
 * Each text once; two or more of the entries to come must use it, or commit fails. False when there
 * is no room for it (LIST_ALIASES_MAX, LIST_ALIASES_TEXT_MAX), which is no failure. */
bool list_writer_share(struct list_writer *w, const char *text, size_t len);

/* One entry. confirmed_s as in struct list_entry. The text must be the policy's canonical text; it
 * is copied as it stands, which is what makes a large list cheap: whoever has texts from elsewhere
 * than list_policy_format() reads the result back. After a failure further adds do nothing and
 * commit reports the first error. */
void list_writer_add(struct list_writer *w, const char *domain, int64_t confirmed_s,
	const char *text, size_t len);
/* The same from a policy in parts, which is checked. */
void list_writer_add_entry(struct list_writer *w, const struct list_entry *entry);

/* Sync, rename, sync the directory. made may be NULL. w must still be freed. */
int list_writer_commit(struct list_writer *w, struct list_made *made, struct error *err) MUST_CHECK;

/* Removes the temporary file unless committed. NULL is allowed. */
void list_writer_free(struct list_writer *w);

#endif

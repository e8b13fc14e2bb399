/*
 * overlay: the entries that count here: the lists, one over the other, with the administrator's rules on top.
 *
 *	o = overlay_new(lists, count, rules, now_s);
 *	while ((rc = overlay_next(o, &e, err)) > 0)
 *		use(e);
 *	overlay_free(o);
 *
 * Sorted streams merged: constant memory apart from the rules. For each domain of any, what goes first
 * counts: the administrator's exception, the administrator's addition, the first of the lists that is
 * trusted for the domain and whose entry has not run out. A list that is only being tested stands behind
 * what is in force in any other, so that it never takes away what another one protects. As with list_reader, nothing made of
 * it may be used until next has returned 0.
 */
#ifndef UPDATER_OVERLAY_H
#define UPDATER_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/list.h"
#include "updater/trust.h"

struct error;
struct list_reader;
struct overlay;
struct rule;
struct rules;

/* One list; all of it is lent. */
struct overlay_list {
	struct list_reader *list; /* opened, and not yet read from */
	enum trust trust;
	const char *const *domains; /* that it is trusted for, with what is below them; none: all */
	size_t domain_count;
};

enum overlay_kind {
	OVERLAY_LISTED,    /* as the list has it */
	OVERLAY_EARLY,     /* in testing mode there, and in enforce here */
	OVERLAY_ADDED,     /* the administrator's own entry, which never runs out */
	OVERLAY_EXCEPTED,  /* there is an entry, and no line is to be made of it */
	OVERLAY_TRIAL,     /* the same, since its list is only being tested */
	OVERLAY_UNTRUSTED, /* the same, since no list that has it is trusted for the domain */
};

struct overlay_entry {
	enum overlay_kind kind;
	const struct rule *rule; /* that made it so; NULL: none did, it is by the list alone */
	bool listed;             /* a list has an entry for the domain */
	size_t from;             /* which one's counts, or would */
	bool heir;               /* when that one has run out another list's counts, which has not */
	const struct list_header *header; /* of that list; without any, one of zeros. Lent by the list */
	struct list_entry entry; /* what is in force; of those that get no line: what would be */
};

/* How a list has fared so far. */
struct overlay_share {
	int64_t entries;
	int64_t behind;    /* another list's counts */
	int64_t untrusted; /* for domains that it is not trusted for */
};

/* lists (SOURCES_MAX at most) and rules (NULL: none) are lent until overlay_free(). */
struct overlay *overlay_new(const struct overlay_list *lists, size_t count, const struct rules *rules,
	int64_t now_s) RETURNS_NONNULL;
/* NULL is allowed. */
void overlay_free(struct overlay *o);

/* 1 the next domain in order, lent until the next call; 0 the end, and the lists were sound; -1. */
int overlay_next(
	struct overlay *o, const struct overlay_entry **out, struct error *err) MUST_CHECK;
struct overlay_share overlay_share(const struct overlay *o, size_t i);

/* What counts for one domain: the lists' entries for it (NULL: the list has none), lists and entries being
 * of that count, and its rules. false: nothing. */
bool overlay_decide(const char *domain, const struct overlay_list *lists,
	const struct list_entry *const *entries, size_t count, const struct rules *rules, int64_t now_s,
	struct overlay_entry *out);

#endif

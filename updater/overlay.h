/*
 * overlay: the entries that count here: a list with the administrator's rules on top.
 *
 *	o = overlay_new(list, rules, now_s);
 *	while ((rc = overlay_next(o, &e, err)) > 0)
 *		use(e);
 *	overlay_free(o);
 *
 * Two sorted streams merged: constant memory apart from the rules. For each domain of either, what
 * goes first counts: the administrator's exception, the administrator's addition, the list. As with
 * list_reader, nothing made of it may be used until next has returned 0.
 */
#ifndef UPDATER_OVERLAY_H
#define UPDATER_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/list.h"

struct error;
struct list_reader;
struct overlay;
struct rule;
struct rules;

enum overlay_kind {
	OVERLAY_LISTED,   /* as the list has it */
	OVERLAY_EARLY,    /* in testing mode there, and in enforce here */
	OVERLAY_ADDED,    /* the administrator's own entry, which never runs out */
	OVERLAY_EXCEPTED, /* there is an entry, and no line is to be made of it */
};

struct overlay_entry {
	enum overlay_kind kind;
	const struct rule *rule; /* that made it so; NULL: OVERLAY_LISTED */
	bool listed;             /* the list has an entry for the domain */
	struct list_entry entry; /* what is in force; of an exception: what would be */
};

/* list (opened, not yet read from) and rules (NULL: none) are lent until overlay_free(). */
struct overlay *overlay_new(
	struct list_reader *list, const struct rules *rules, int64_t now_s) RETURNS_NONNULL;
/* NULL is allowed. */
void overlay_free(struct overlay *o);

/* 1 the next domain in order, lent until the next call; 0 the end, and the list was sound; -1. */
int overlay_next(
	struct overlay *o, const struct overlay_entry **out, struct error *err) MUST_CHECK;

/* What counts for one domain: listed (NULL: the list has no entry) and its rules. false: nothing. */
bool overlay_decide(const char *domain, const struct list_entry *listed, const struct rules *rules,
	int64_t now_s, struct overlay_entry *out);

#endif

/*
 * build: makes the next list from the store.
 *
 * The list is a pure function of the store, the list published before it, the rules and the time:
 * the same input gives the same bytes. It waits in the repository's state directory until publish
 * takes it; building again replaces it. Memory does not grow with the list.
 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/list_diff.h"
#include "export/list_writer.h"

struct buf;
struct error;
struct list_header;
struct repository;
struct store;

/* Names in the repository's state directory; the prefix is that of all that belongs to a list that
 * waits. */
#define BUILD_PREFIX "next-"
#define BUILD_LIST   "next-list.json"
#define BUILD_INFO   "next-list.info"

struct build_rules {
	const char *author;
	int64_t vantages;
	int64_t expires_s;     /* the list's life */
	int64_t fresh_s;       /* entries confirmed longer ago carry their own time */
	int64_t churn_percent; /* the brake */
	bool allow_churn;
};

/* What was built; also what publish needs to know of it. */
struct build {
	int64_t version;
	int64_t built_s;
	struct list_made made;
	struct list_diff diff;
	bool over; /* beyond the brake (and allowed, if it was built) */
};

/* 1 built, 0 stopped by the brake: then everything is as it was and out->diff says why. */
int build_list(struct store *store, struct repository *repository, const struct build_rules *rules,
	int64_t now_s, struct build *out, struct error *err) MUST_CHECK;

/* What waits to be published: 1, 0 nothing does, -1. */
int build_load(struct repository *repository, struct build *out, struct error *err) MUST_CHECK;
/* Forgets it. */
int build_drop(struct repository *repository, struct error *err) MUST_CHECK;

/* That now is not before the list: what is made then would already have run out for its readers. */
int build_check_clock(const struct list_header *list, int64_t now_s, struct error *err) MUST_CHECK;

/* Of what was removed, demoted or relaxed. */
int64_t build_churn(const struct build *b);
/* "1234 entries (+5 -6 ~7)", for people and commit messages. */
void build_summary(const struct build *b, struct buf *out);

#endif

/*
 * deltas: what leads from each of the last published lists to the next one.
 *
 * The delta from the list that is published is made of the two lists. Those from earlier lists are
 * what was published to lead to that one, each joined with it, so that no earlier list is needed.
 */
#ifndef BUILDER_DELTAS_H
#define BUILDER_DELTAS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct repository;

/* Lists that there are deltas from. */
#define DELTAS_MAX 30
/* What is larger than the whole list in zstd form is of no use to anybody; but below this size it
 * is not worth the difference. */
#define DELTAS_SMALL INT64_C(65536)

struct deltas {
	struct {
		char *name; /* of the target, "delta/41-42.json.zst" */
		char *path; /* in the repository's state directory */
	} items[DELTAS_MAX];
	size_t count;
};

/* Makes them in the state directory: from the published list, of version `from`, and those before
 * it, to the list in the file `next`, of version `to`. whole: length of that list in zstd form. One
 * that cannot be made for what was published is left out and logged. Cleared also after an error.
 */
int deltas_make(struct repository *repository, int64_t from, const char *next, int64_t to,
	int64_t whole, struct deltas *out, struct error *err) MUST_CHECK;
/* Removes the files that are still there. */
void deltas_clear(struct deltas *d);

#endif

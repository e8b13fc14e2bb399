/*
 * list_diff: what changed from one list document to the next, in numbers.
 */
#ifndef EXPORT_LIST_DIFF_H
#define EXPORT_LIST_DIFF_H

#include <stdint.h>

#include "common/attr.h"

struct error;
struct list_reader;

struct list_diff {
	int64_t before, after; /* entries of the old and of the new list */
	int64_t added, removed;
	int64_t changed; /* in both, with another policy; the next two are part of it and disjoint
			  */
	int64_t demoted; /* from enforce to testing */
	int64_t relaxed; /* lost an authentication, lives shorter, allows older TLS or further hosts
			  */
};

/* Merges two documents, each opened and not yet read from, to their ends. before NULL: there was
 * none. Confirmation times are not policy and do not count as changes. */
int list_diff(struct list_reader *before, struct list_reader *after, struct list_diff *out,
	struct error *err) MUST_CHECK;

#endif

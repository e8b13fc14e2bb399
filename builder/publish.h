/*
 * publish: signs and commits the list that build has made.
 */
#ifndef BUILDER_PUBLISH_H
#define BUILDER_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/build.h"
#include "common/attr.h"
#include "export/git.h"

struct error;
struct repository;
struct store;

struct published {
	bool renewed; /* no new list was waiting: only the metadata was made new */
	bool waits;   /* the new list waits for signatures of others; the same */
	struct build build;
	char commit[GIT_COMMIT_SIZE];
};

/* Publishes what waits, with what is made from it: list.json, list.json.zst, policy.json,
 * list.schema.json, the deltas from the lists before (see deltas.h), and with a key (its URI, else
 * NULL) list.json.minisig and minisign.pub. Without anything waiting the published metadata is
 * signed anew. The store learns of it last: a run that was killed before that is completed by the
 * next one. Does not push. */
int publish_next(struct store *store, struct repository *repository, const char *minisign_key,
	int64_t now_s, struct published *out, struct error *err) MUST_CHECK;

#endif

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

/* Publishes what waits, with what is made from it: list.json, list.json.zst, policy.json and
 * list.schema.json. Without anything waiting the published metadata is signed anew. The store
 * learns of it last: a run that was killed before that is completed by the next one. Does not push.
 */
int publish_next(struct store *store, struct repository *repository, int64_t now_s,
	struct published *out, struct error *err) MUST_CHECK;

#endif

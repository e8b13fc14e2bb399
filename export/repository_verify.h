/*
 * repository_verify: looks through a published repository, history included.
 *
 * For each commit behind HEAD: the roots form a chain and none was changed later; timestamp,
 * snapshot and targets are signed as the root asks and fit together; no version goes back; every
 * target is there, is what its hash says, and has its name for people; list.json is a sound list
 * and list.json.zst unpacks to it; nothing lies beside what was signed. For everything that any
 * branch or tag leads to: no private key. In the end: nothing has expired, and the work tree is
 * that of HEAD.
 *
 * Needs no key, and writes nothing but a temporary file. Memory does not grow with history or list,
 * but for the ids of the commits, and the largest object once git has packed it.
 */
#ifndef EXPORT_REPOSITORY_VERIFY_H
#define EXPORT_REPOSITORY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct error;

/* One problem, a line without its end: "COMMIT: what: why". Lent for the call. */
typedef void repository_problem(void *arg, const char *problem);

struct repository_verdict {
	int64_t commits;
	int64_t problems;
	bool security; /* one of them is more than a thing missing or expired */
};

/* path: of the repository, bare or not. -1: it could not be looked through; ERROR_TEMP also when a
 * run of publish is under way. */
int repository_verify(const char *path, int64_t now_s, repository_problem *say, void *arg,
	struct repository_verdict *out, struct error *err) MUST_CHECK;

#endif

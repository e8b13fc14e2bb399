/*
 * source_worker: source_refresh() in a confined process.
 *
 * Whatever comes from a mirror is fetched, unpacked and verified there, on a copy of the trusted
 * metadata and on the lists themselves, which it may only read, in "work", a folder in the folder of
 * the lists. What was proved is taken over when the process is gone, by the digests that it reports,
 * also when it failed in the end; nothing is of a process that crashed or whose report cannot be.
 *
 * That what it reports was proved is its word: nothing is verified anew outside. A source that is a folder
 * of this machine made by mirror.h is read without network.
 */
#ifndef UPDATER_SOURCE_WORKER_H
#define UPDATER_SOURCE_WORKER_H

#include <stdint.h>

#include "common/attr.h"

struct confine_user;
struct error;
struct source;
struct source_found;
struct source_here;

/* As source_refresh(), and the errors of worker_run(). */
int source_worker_refresh(const struct source *s, const struct source_here *here,
	const struct confine_user *user, int64_t time_ms, int64_t now_s, struct source_found *found,
	struct error *err) MUST_CHECK;

#endif

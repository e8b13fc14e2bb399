/*
 * source_worker: source_refresh() in confined processes.
 *
 * Whatever comes from a mirror is fetched, unpacked and verified in a first one, on a copy of the trusted
 * metadata and on the lists themselves, which it may only read, in "work", a folder in the folder of
 * the lists. Behind its end what is new is put as a mirror (replay.h) before a second one, which has no
 * network, begins with the same trusted metadata, and verifies it all anew: what was proved to that one is
 * taken over, by the digests that it reports, also when something failed in the end. Nothing is taken of a
 * process that crashed or whose report cannot be. Without news the second one looks whether the trusted timestamp
 * has expired, and no more.
 *
 * So what takes over the process that talks to mirrors can keep news back until that timestamp expires, and no
 * more; unless the same bytes take over the one that verifies, whose word is believed. A source that is a folder of this machine
 * made by mirror.h is read without network, by one process.
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

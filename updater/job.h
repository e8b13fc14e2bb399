/*
 * job: what cron runs: drops what has run out, fetches the lists, installs them.
 *
 * It may be killed at any moment: the map is the old one or the new one, and the next run goes on.
 * Files in the state directory: lock, state.json (says which lists count), list-SHA256.json (those, those
 * to go back to, and perhaps some that were fetched but not installed), metadata/ (see tuf_client.h) of
 * [source] and sources/NAME/ of [source NAME].
 */
#ifndef UPDATER_JOB_H
#define UPDATER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct state;
struct update_settings;

struct job_options {
	int64_t now_s;
	bool dry_run;     /* everything but the installation */
	bool allow_churn; /* without the brake */
	/* What fetch_job_run() has left stands in for the network, and is verified anew. Where that could
	 * not fetch, this fails with its reason, all else done. */
	bool offline;
};

/* 0 done, or nothing to do; 1 the brake stopped an installation (err says why); -1 error: see
 * tuf_client.h, and ERROR_EXPIRED when the list has expired and there is no newer one. In every
 * case the map that answers is whole. */
int job_run(const struct update_settings *s, const struct job_options *options,
	struct error *err) MUST_CHECK;

/* Goes back to the set of lists before the one that counts; the lists that are put away are not taken again unless
 * allow_churn says so, what has run out since is left out all the same. Again it goes one step further; sets that are
 * damaged are passed over. Where it fails, all is as before it, and the next run sees to the map. said: one line for
 * people is appended. 1: there is none to go back to (err says so). */
int job_undo(const struct update_settings *s, int64_t now_s, struct buf *said,
	struct error *err) MUST_CHECK;

/* Paths in the state directory; the caller frees them. */
char *job_state_path(const struct update_settings *s) RETURNS_NONNULL;
/* What is trusted of the i-th source. */
char *job_metadata_dir(const struct update_settings *s, size_t i) RETURNS_NONNULL;

/* What the job has noted; as state_load(). */
int job_load_state(const struct update_settings *s, struct state *state, struct error *err) MUST_CHECK;

/* For setup: makes a map without entries where there is none, so that main.cf may name it (a map
 * that is missing stops all mail). 1 made, 0 there was one. */
int job_make_empty_map(const struct update_settings *s, struct error *err) MUST_CHECK;

#endif

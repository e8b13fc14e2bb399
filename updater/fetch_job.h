/*
 * fetch_job: the half of the job that needs the network and nothing else: fetches the list, verifies it, and
 * leaves both in the folder of incoming.h for job_run() with offline.
 *
 * For a user of its own, without rights. It may be killed at any moment: what it has left before stands,
 * and the next run goes on.
 */
#ifndef UPDATER_FETCH_JOB_H
#define UPDATER_FETCH_JOB_H

#include <stdint.h>

#include "common/attr.h"

struct error;
struct update_settings;

/* 0, or -1: see tuf_client.h. The outcome is recorded in either case, where that can be done. Root is
 * another user behind this: see incoming_enter(). */
int fetch_job_run(const struct update_settings *s, int64_t now_s, struct error *err) MUST_CHECK;

#endif

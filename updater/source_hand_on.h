/*
 * source_hand_on: puts what a confined process says it has found as a mirror before another one (replay.h).
 */
#ifndef UPDATER_SOURCE_HAND_ON_H
#define UPDATER_SOURCE_HAND_ON_H

#include "common/attr.h"

struct error;
struct replay;
struct source_errand;
struct source_report;

/* Behind the end of the process, which has answered rc, as source_refresh() does: what is new, and what leads to it.
 * Where nothing is, replay is not opened; it must be closed in any case. ERROR_SECURITY where a file is not what was
 * reported. */
int source_hand_on(const struct source_errand *e, const struct source_report *r, int rc, struct replay *replay,
	struct error *err) MUST_CHECK;

#endif

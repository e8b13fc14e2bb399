/*
 * source_take: makes what a confined process has verified the trusted metadata, and its list one of the lists.
 *
 * It may be killed at any moment: what is trusted then is the old, the new, or of the old what the new root has seen.
 */
#ifndef UPDATER_SOURCE_TAKE_H
#define UPDATER_SOURCE_TAKE_H

#include <stdbool.h>

#include "common/attr.h"

struct error;
struct source_errand;
struct source_report;

/* Behind the end of the process. list: its list, too. ERROR_SECURITY where a file is not what was reported. */
int source_take(const struct source_errand *e, const struct source_report *r, bool list, struct error *err) MUST_CHECK;

#endif

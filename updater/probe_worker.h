/*
 * probe_worker: asks the mail servers of a survey's domains (probe.h) in a confined process.
 *
 * It speaks DNS, SMTP and TLS with foreign hosts, and of files has what names and certificates are looked up by, and
 * the list, for reading. Of the mail log it knows the domains and the counts that are to be told anyway.
 */
#ifndef UPDATER_PROBE_WORKER_H
#define UPDATER_PROBE_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct probe_result;
struct survey;
struct update_settings;

/* Asks about the first so many of those that are listed: *results, the caller's, in their order; *count, up to
 * PROBE_DOMAINS_MAX. */
int probe_worker(const struct update_settings *s, const struct survey *survey, int64_t now_s,
	struct probe_result **results, size_t *count, struct error *err) MUST_CHECK;

#endif

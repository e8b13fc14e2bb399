/*
 * health: whether the updater does its work, as one word and one line for monitoring.
 *
 * It is judged by what the job has noted and by the installed map itself, without network and
 * without the mail server's tools: any user may ask, as often as wanted.
 */
#ifndef UPDATER_HEALTH_H
#define UPDATER_HEALTH_H

#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct state;
struct update_settings;

/* The numbers are the exit codes of a Nagios plugin. */
enum health_level { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL, HEALTH_UNKNOWN };

struct health {
	enum health_level level;
	char text[512]; /* the gravest reason; one line */
};

/* "OK", "WARNING", "CRITICAL", "UNKNOWN". */
const char *health_name(enum health_level level) RETURNS_NONNULL;

/* CRITICAL: no map, one that does not answer, an expired list, or somebody who tampers. WARNING: a
 * person should look before that. UNKNOWN: it may not be read. */
void health_judge(const struct update_settings *s, const struct state *state, int64_t now_s,
	struct health *out);

/* One line as the Monitoring Plugins' guidelines want it, with performance data: the exit code is
 * the result. config (NULL: it was read): why there are no settings. */
enum health_level health_nagios(
	const struct update_settings *s, const struct error *config, int64_t now_s, FILE *out);

#endif

/*
 * metrics: figures for the textfile collector of Prometheus' node exporter ([metrics] textfile).
 *
 * The file is written anew as a whole: what state.json knows, and behind it what the job has counted
 * (tally.h). The format is the text exposition format 0.0.4: a family is told once, its samples behind it.
 *
 *	metrics_family(&text, "preload25_update_mails", "gauge", "Messages to listed domains.");
 *	metrics_sample(&text, "preload25_update_mails", "fate", "deferred", 3);
 */
#ifndef UPDATER_METRICS_H
#define UPDATER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct state;
struct update_settings;

/* Octets of the file. */
#define METRICS_MAX ((size_t)256 * 1024)

/* The lines HELP and TYPE. type: "gauge" or "counter"; help without a line's end. */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);
/* label NULL: the family's only sample. Else its value may hold any octets. */
void metrics_sample(
	struct buf *out, const char *name, const char *label, const char *value, int64_t number);

/* Writes the file, mode 0644, in one step; nothing where none is configured. state as the job has
 * it in memory, since it may not have got to the disk. */
int metrics_write(
	const struct update_settings *s, const struct state *state, struct error *err) MUST_CHECK;

#endif

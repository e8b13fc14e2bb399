/*
 * stats: what the list did for the mail that this server sends, told from its own log.
 */
#ifndef UPDATER_STATS_H
#define UPDATER_STATS_H

#include <stdbool.h>
#include <stdio.h>

#include "common/attr.h"
#include "updater/survey.h"

struct error;
struct update_settings;

struct stats_options {
	struct survey_options survey;
	bool json;
	FILE *out;
};

/* Counts the messages to domains on the list: protected, held up and why, delivered later, returned; and tells
 * what the job has counted so far (tally.h). Returns as preview() does. */
int stats(const struct update_settings *s, const struct stats_options *options, struct error *err) MUST_CHECK;

#endif

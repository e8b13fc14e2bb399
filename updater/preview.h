/*
 * preview: what the list would mean for the mail that this server sends, told from its own log.
 */
#ifndef UPDATER_PREVIEW_H
#define UPDATER_PREVIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "common/attr.h"
#include "updater/survey.h"

struct error;
struct update_settings;

struct preview_options {
	struct survey_options survey;
	bool json;
	bool probe; /* ask the mail servers now, too; see probe.h */
	FILE *out;
};

/* Counts the messages to domains on the list by how they went out, and says which would have waited
 * had the list been in force. Installs nothing and sends no mail. 0 told; 1 there is no list here yet (err
 * says how to get one); -1 error. */
int preview(const struct update_settings *s, const struct preview_options *options,
	struct error *err) MUST_CHECK;

#endif

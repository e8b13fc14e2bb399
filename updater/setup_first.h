/*
 * setup_first: what an administrator was told, a repository and its root file, becomes the
 * configuration of the job.
 *
 *	setup_first_write(settings, path, url, root, &first, err)
 *	... the job fetches the list, the mail server is set up ...
 *	setup_first_undo(&first)        where that has failed
 *	setup_first_clear(&first)
 */
#ifndef UPDATER_SETUP_FIRST_H
#define UPDATER_SETUP_FIRST_H

#include <stdio.h>

#include "common/attr.h"

struct error;
struct update_settings;

struct setup_first {
	char *config_path, *root_path; /* owned; NULL: that file was not written */
	char *config_before;           /* owned; NULL: there was none */
};

/* Writes [source] url and root, and [install] mta where it is not set there, into the configuration
 * beside what it says already, and a copy of the root file beside it as root.json. Another source
 * there, or another root.json, is ERROR_CONFIG, and nothing is written; the same is none. s: what the
 * configuration says, with the mail server that was chosen. */
int setup_first_write(const struct update_settings *s, const char *config_path, const char *url,
	const char *root, struct setup_first *out, struct error *err) MUST_CHECK;
/* Tells what setup_first_write() would do. */
void setup_first_tell(const char *config_path, const char *url, const char *root, FILE *out);
/* Both files are as they were; where that fails the log says so. */
void setup_first_undo(const struct setup_first *first);
void setup_first_clear(struct setup_first *first);

/* Adds [install] mta alone, for a configuration without it. */
int setup_first_add_mta(const char *config_path, const char *mta, struct error *err) MUST_CHECK;

#endif

/*
 * setup: what a mail server's configuration needs for the list to take effect, told in plain words,
 * and done if asked; and the first set-up, which begins with this program's own configuration. One
 * file per mail server; those that are set up by files share setup_files.h.
 */
#ifndef UPDATER_SETUP_H
#define UPDATER_SETUP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct update_settings;

struct setup_options {
	/* At most one of these; none: only tell. */
	bool apply;
	bool revert; /* take away what apply has brought */
	bool check;  /* tell, and 1 when something is to be done: for monitoring */
	int64_t now_s; /* names the backup */
	const char *more; /* what else was typed, with a blank in front, to be typed again; NULL: nothing */
	FILE *out;
};

/* What was typed, beside the options; all lent. */
struct setup_call {
	const char *mta;
	const char *config_path;           /* of this program */
	const char *config_dir, *postconf; /* in place of the settings'; NULL: those */
	const char *url, *root;            /* for the first set-up; NULL: this is none */
};

/* What the command does; a first set-up loads the settings anew. 0 and -1 as below; 1 also when the
 * brake stopped the first list: then err says why, while it is not set where options->out has told. */
int setup(struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err) MUST_CHECK;

/* 0 told, or done, or nothing to do; 1 the list would protect nothing here (told, nothing was
 * changed), or see check; -1 error, and everything is as it was. Never restarts or reloads
 * anything. */
int setup_postfix(const struct update_settings *s, const struct setup_options *options,
	struct error *err) MUST_CHECK;
int setup_exim(const struct update_settings *s, const struct setup_options *options,
	struct error *err) MUST_CHECK;
int setup_opensmtpd(const struct update_settings *s, const struct setup_options *options,
	struct error *err) MUST_CHECK;
int setup_sendmail(const struct update_settings *s, const struct setup_options *options,
	struct error *err) MUST_CHECK;

#endif

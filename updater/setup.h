/*
 * setup: what main.cf needs for the list to take effect, told in plain words, and done if asked.
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
	bool apply;
	int64_t now_s; /* names the backup */
	FILE *out;
};

/* 0 told, or done, or nothing to do; 1 the list would protect nothing here (told, nothing was
 * changed); -1 error. Never restarts or reloads anything. */
int setup_postfix(const struct update_settings *s, const struct setup_options *options,
	struct error *err) MUST_CHECK;

#endif

/*
 * report: what the updater knows, told to people.
 */
#ifndef UPDATER_REPORT_H
#define UPDATER_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct state;
struct update_settings;

/* The list that is installed, its age, what was left out, what was done last. 0; 1 nothing is
 * installed (err says so); -1, ERROR_EXPIRED when it has expired (told all the same). */
int report_status(
	const struct update_settings *s, int64_t now_s, FILE *out, struct error *err) MUST_CHECK;
/* The same for programs: one JSON object, also when nothing is installed. */
int report_status_json(
	const struct update_settings *s, int64_t now_s, FILE *out, struct error *err) MUST_CHECK;

/* Which rule applies to a domain (as typed), since and until when, from which list. 0; 1 it is not
 * listed, or nothing is installed (err says so); -1. */
int report_explain(const struct update_settings *s, const char *domain, int64_t now_s, FILE *out,
	struct error *err) MUST_CHECK;

/* Whether a file is the list that the trusted metadata of a source announces: 0 it is; -1, ERROR_SECURITY when
 * it is of none. No network. */
int report_verify(const struct update_settings *s, const char *path, int64_t now_s, FILE *out,
	struct error *err) MUST_CHECK;

/* For status and explain. There is a list, and no map is to be made of it. */
bool report_is_all(const struct update_settings *s, const struct state *state);
/* Says so: 1. */
int report_nothing_installed(const struct state *state, struct error *err);

#endif

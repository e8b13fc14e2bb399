/*
 * report_fetch: what "status" says of the last run with --fetch-only for a source, where there are such runs.
 */
#ifndef UPDATER_REPORT_FETCH_H
#define UPDATER_REPORT_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct update_settings;

/* One line; nothing where no run has fetched for another one. */
void report_fetch(const struct update_settings *s, size_t i, int64_t now_s, FILE *out);
/* The same for programs; null. The caller's. */
json_t *report_fetch_json(const struct update_settings *s, size_t i);

#endif

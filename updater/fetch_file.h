/*
 * fetch_file: gets one file of a mirror that is a local folder (file:/, file:///). For fetch.c.
 */
#ifndef UPDATER_FETCH_FILE_H
#define UPDATER_FETCH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/fetch.h"

struct error;

bool fetch_file_is_url(const char *url);
/* The folder or file that a URL names, with %XX undone; the caller frees it. NULL: it names none of
 * this machine. */
char *fetch_file_path(const char *url);

/* As fetch_get(); a file below one of the trees is opened from there. */
int fetch_file_get(const struct fetch_options *options, const char *url, int64_t max,
	fetch_sink *sink, void *arg, struct error *err) MUST_CHECK;

#endif

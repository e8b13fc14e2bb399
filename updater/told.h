/*
 * told: what people are told of foreign bytes, put into words by a confined process.
 *
 * It has no network, nothing to write, and may open nothing: it has the files that were opened before. Its words
 * come out as a text of bounded size, line by line, of which nothing but printable characters reaches the reader.
 */
#ifndef UPDATER_TOLD_H
#define UPDATER_TOLD_H

#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct update_settings;

struct told {
	const char *what; /* for messages: "reading the list" */
	const struct update_settings *s; /* whose [sandbox] counts */
	const int *files; /* that it has, opened for reading */
	size_t file_count;
	/* Runs inside: writes to out, and returns 0, 1 or -1 with err. */
	int (*tell)(void *arg, FILE *out, struct error *err);
	void *arg;
};

/* What tell returned, with its err, and its words written to out; and the errors of worker_run(). */
int told_run(const struct told *t, FILE *out, struct error *err) MUST_CHECK;

#endif

/*
 * import: mail domains out of the files people have.
 *
 * Text: one domain a line, "#" begins a comment. CSV (commas, semicolons or tabs; quotes as in RFC
 * 4180): the column whose heading says domain, mail or address, else the first; of an address what
 * stands behind the @. JSON: policy.json of STARTTLS Everywhere, the keys of "policies". Which it
 * is shows in the first line. Reads in constant memory, JSON excepted.
 */
#ifndef BUILDER_IMPORT_H
#define BUILDER_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;

/* Of a line, or of a record with line breaks within quotes. */
#define IMPORT_RECORD_MAX ((size_t)64 * 1024)
#define IMPORT_FIELDS_MAX 256
#define IMPORT_JSON_MAX   ((size_t)64 * 1024 * 1024)

struct import_sink {
	/* A domain as A-labels; -1 with err set ends the import. */
	int (*domain)(const char *ascii, void *arg, struct error *err);
	/* What is no domain: "FILE:LINE", what stood there, and why not. */
	void (*refused)(const char *where, const char *typed, const char *why, void *arg);
	void *arg;
};

/* name stands for the file in complaints. A file that cannot be read, holds NULs or is not the JSON
 * it begins like is ERROR_INPUT; domains before the fault have been given to the sink by then. */
int import_read(FILE *in, const char *name, bool allow_special_use, const struct import_sink *sink,
	struct error *err) MUST_CHECK;

#endif

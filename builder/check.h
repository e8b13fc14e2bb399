/*
 * check: verifies domains now, from here, and prints in the order of the question.
 */
#ifndef BUILDER_CHECK_H
#define BUILDER_CHECK_H

#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"

struct engine_options;
struct error;
struct report;

/* Called once for each domain, in the order in which reports come. What it writes to text appears
 * in the order of domains. The report is lent until the callback returns. */
typedef void check_cb(const struct report *report, size_t index, FILE *text, void *arg);

/* Looks at domains[count], many at once. Text goes to out as soon as it is its turn. A vantage point
 * that fails its self-test looks at nothing: the reports say so (report->abstained). */
int check_run(const struct engine_options *options, const char *const *domains, size_t count,
	FILE *out, check_cb *cb, void *arg, struct error *err) MUST_CHECK;

#endif

/*
 * report_printer: what the parts of the report for people share. Included by report_print.c, which
 * puts them in order, and by the parts alone.
 */
#ifndef VERIFIER_REPORT_PRINTER_H
#define VERIFIER_REPORT_PRINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "verifier/report.h"

struct arena;

#define PRINTER_COLUMNS 80

enum mark { MARK_GOOD, MARK_BAD, MARK_UNSURE, MARK_WARN, MARK_NONE };

/* What differs between a terminal and a file. */
struct printer_style {
	const char *marks[MARK_NONE + 1];
	const char *colours[MARK_NONE + 1];
	const char *bold;
	const char *dim;
	const char *end;
};
/* By whether there is colour. */
extern const struct printer_style printer_styles[2];

struct printer {
	const struct report *r;
	const struct printer_style *style;
	struct arena *arena; /* for this one printing */
	FILE *out;
};

/* --- the parts ------------------------------------------------------------------------ */

/* What was looked at, at one glance, and the table of hosts; title may be NULL. */
void printer_checks(const struct printer *p, const char *title);
/* What to publish (R21.4). */
void printer_samples(const struct printer *p);

/* --- writing -------------------------------------------------------------------------- */

void printer_mark(const struct printer *p, enum mark mark);
/* Characters, not octets: continuation bytes of UTF-8 take no column. */
int printer_width(const char *s, size_t len);
/* Prints text from column `column` on, further lines indented by `indent`, and a line end. A word
 * that no line can hold (what a hostile server said, say) is cut where a line ends. */
void printer_wrap(const struct printer *p, int column, int indent, const char *text);
/* "30 days", "1 day", "36 hours", "90 seconds" */
const char *printer_duration(struct arena *arena, int64_t seconds);
const char *printer_plural(size_t n); /* "" or "s" */
/* Names and records as they were seen may hold anything. */
const char *printer_shown(const struct printer *p, const char *s);

/* --- facts that several parts ask for ------------------------------------------------- */

enum verdict report_mx_starttls(const struct report_mx *mx);
enum verdict report_mx_pkix(const struct report_mx *mx);
/* The worst of all hosts, and how many pass. */
enum verdict report_over_hosts(
	const struct report *r, enum verdict (*of)(const struct report_mx *), size_t *passing);
/* Whether there is a finding of this severity whose code begins so. */
bool report_has_finding(const struct report *r, enum severity severity, const char *prefix);

#endif

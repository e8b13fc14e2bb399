/*
 * postfix_policy: what Postfix is to be told about one entry of the list.
 *
 * Pure functions. The lines are those of smtp_tls_policy_maps that were seen to work (key = domain,
 * value = level and attributes); anything weaker is left out rather than written, since a line
 * overrides what the administrator has as a default.
 */
#ifndef UPDATER_POSTFIX_POLICY_H
#define UPDATER_POSTFIX_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/choice.h"

struct buf;
struct list_entry;

enum postfix_format {
	POSTFIX_FORMAT_AUTO,  /* by the version that is found; not for writing */
	POSTFIX_FORMAT_PLAIN, /* every Postfix from 3.4 on */
	POSTFIX_FORMAT_STS,   /* 3.10.5 and later: MX host names are checked too */
};

/* Octets of the longest value: every pattern twice, each with its attribute's name. */
#define POSTFIX_VALUE_MAX ((size_t)256 * 1024)

const char *postfix_format_name(enum postfix_format format); /* "plain", "sts" */

/* Appends the value for the entry's key; choice must be a line. out needs room for
 * POSTFIX_VALUE_MAX. */
void postfix_policy_format(const struct list_entry *entry, enum choice choice,
	enum postfix_format format, struct buf *out);

/* Reads "3.10.13" or "3.11-20250101" (patch 0) as numbers; -1 for anything else. */
struct postfix_version {
	unsigned major, minor, patch;
};
int postfix_version_parse(const char *text, struct postfix_version *out) MUST_CHECK;
bool postfix_version_at_least(
	const struct postfix_version *v, unsigned major, unsigned minor, unsigned patch);
/* The format that this version takes. Releases up to 3.9 refuse the attributes of sts and then
 * queue all mail for the domain; 3.10.0 to 3.10.4 take and ignore them. */
enum postfix_format postfix_format_for(const struct postfix_version *v);

#endif

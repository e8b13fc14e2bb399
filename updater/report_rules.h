/*
 * report_rules: what the administrator's rules do here, told to people.
 */
#ifndef UPDATER_REPORT_RULES_H
#define UPDATER_REPORT_RULES_H

#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

struct error;
struct list_entry;
struct overlay_entry;
struct rule;
struct rules;
struct state_map;
struct update_settings;

/* How many there are, which exceptions run out when, and what has come of them in the map. Nothing
 * where there are none. -1: they cannot be read (told all the same). */
int report_rules_status(const struct update_settings *s, const struct state_map *m, int64_t now_s,
	FILE *out, struct error *err) MUST_CHECK;

/* Of one domain: the rule that counts, what it stands in the place of, and why. listed: the entry of the list
 * that e is from; NULL: there is none. tag: which list that is, " (extra)", or "". */
void report_rules_winner(const struct overlay_entry *e, const struct list_entry *listed,
	const char *tag, const struct rules *rules, int64_t now_s, FILE *out);
/* The rule of a domain that nothing is listed for, and which so has no effect; NULL: none. */
const struct rule *report_rules_idle(const struct rules *rules, const char *domain, int64_t now_s);

#endif

/*
 * postfix: what this machine's Postfix says of itself, by its own postconf and postmap.
 */
#ifndef UPDATER_POSTFIX_H
#define UPDATER_POSTFIX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct error;
struct tool_result;
struct update_settings;

/* Asks postconf for parameters. values[i] is the caller's: NULL for one that this version does not
 * know. expand: with $names replaced. -1: there is no postconf, or it fails (ERROR_CONFIG). */
int postfix_ask(const struct update_settings *s, const char *const *names, size_t count,
	bool expand, char **values, struct error *err) MUST_CHECK;
void postfix_values_clear(char **values, size_t count);

/* Runs postconf with an option and the arguments behind it. out: what it wrote, the caller frees it; NULL:
 * it is not wanted. Errors as of postfix_ask(). */
int postfix_conf(const struct update_settings *s, const char *option, const char *const *args,
	size_t count, char **out, struct error *err) MUST_CHECK;

/* Has postmap look a key up in a table ("cdb:/file"). 0 it ran, see result, which is to be cleared in
 * every case; 1 there is no postmap here; -1 as tool_run(). */
int postfix_map_query(const struct update_settings *s, const char *table, const char *key,
	struct tool_result *result, struct error *err) MUST_CHECK;

/* Pieces of a list of maps, separated by commas or blanks outside of braces; the caller frees the
 * strings and the array. */
char **postfix_maps_split(const char *text, size_t *count);

#endif

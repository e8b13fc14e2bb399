/*
 * postfix: what this machine's Postfix says of itself.
 */
#ifndef UPDATER_POSTFIX_H
#define UPDATER_POSTFIX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct error;
struct update_settings;

/* Asks postconf for parameters. values[i] is the caller's: NULL for one that this version does not
 * know. expand: with $names replaced. -1: there is no postconf, or it fails (ERROR_CONFIG). */
int postfix_ask(const struct update_settings *s, const char *const *names, size_t count,
	bool expand, char **values, struct error *err) MUST_CHECK;
void postfix_values_clear(char **values, size_t count);

/* Pieces of a list of maps, separated by commas or blanks outside of braces; the caller frees the
 * strings and the array. */
char **postfix_maps_split(const char *text, size_t *count);

#endif

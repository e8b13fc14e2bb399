/*
 * config: an INI file read against a table of the keys it may hold.
 *
 * The table is the single list of keys: sample file, manual and checks come from it. An unknown
 * section or key, a value of the wrong type or out of range, and a key given twice that may not
 * repeat are errors that name file and line. Nothing below main() and the command functions reads
 * configuration: options structs go down.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct config;

enum config_type { CONFIG_STRING, CONFIG_INT, CONFIG_BOOL };

struct config_key {
	const char *section;
	const char *name;
	enum config_type type;
	bool repeat;          /* may stand several times; only CONFIG_STRING */
	const char *fallback; /* default as text, or NULL: none */
	int64_t min, max;     /* CONFIG_INT */
	const char *help;     /* one line for the sample file and the manual */
};

/* Reads path against keys[count] (borrowed for the life of the result). With path NULL everything
 * has its default. */
int config_load(const char *path, const struct config_key *keys, size_t count,
	struct config **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void config_free(struct config *c);

/* Asking for a key that the table lacks, or by another type, is a bug and aborts. */

/* NULL when there is neither value nor default. Lent. */
const char *config_string(const struct config *c, const char *section, const char *name);
int64_t config_int(const struct config *c, const char *section, const char *name);
bool config_bool(const struct config *c, const char *section, const char *name);
/* Number of values of a repeating key (0 without any), and the i-th of them. Lent. */
size_t config_count(const struct config *c, const char *section, const char *name);
const char *config_nth(const struct config *c, const char *section, const char *name, size_t i);
/* Whether the file itself gives the key. */
bool config_is_set(const struct config *c, const char *section, const char *name);
/* "FILE:LINE" of the key's (last) value, or "FILE" when it has its default: for later complaints. */
const char *config_where(const struct config *c, const char *section, const char *name);

/* Writes a sample file with every key, its help and default, commented out, to out. */
struct buf;
int config_sample(const struct config_key *keys, size_t count, struct buf *out);

#endif

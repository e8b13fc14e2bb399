/*
 * config: an INI file read against a table of the keys it may hold.
 *
 * The table is the single list of keys: sample file, manual and checks come from it. An unknown
 * section or key, a value of the wrong type or out of range, and a key given twice that may not
 * repeat are errors that name file and line. Nothing below main() and the command functions reads
 * configuration: options structs go down.
 *
 * A section whose keys are `named` may stand any number of times more as [section NAME], each with its own
 * values: "section NAME" is what it is asked for by. One that holds no key is none; one name twice is an error.
 * A section without a name may be given in pieces.
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
	bool named;           /* the section may have a name, too; the same for all keys of a section */
	const char *fallback; /* default as text, or NULL: none */
	int64_t min, max;     /* CONFIG_INT */
	const char *help;     /* one line for the sample file and the manual */
};

/* Octets of such a name: lower-case letters, digits and hyphens. */
#define CONFIG_NAME_MAX 32
/* Sections with names, in all. */
#define CONFIG_NAMED_MAX 64

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

/* The sections [section NAME] in the order of the file, and the i-th of them: "section NAME". Lent. */
size_t config_named_count(const struct config *c, const char *section);
const char *config_named_nth(const struct config *c, const char *section, size_t i);

/* Writes a sample file with every key, its help and default, commented out, to out. */
struct buf;
int config_sample(const struct config_key *keys, size_t count, struct buf *out);

#endif

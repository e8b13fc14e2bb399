/*
 * rules: what the administrator has laid down on top of the lists, in files that no update touches.
 *
 * One rule a line; "#" begins a comment:
 *
 *	except DOMAIN [until YYYY-MM-DD]              no line for it; the day is the last one (UTC)
 *	add DOMAIN [auth pkix|dane|any] mx PATTERN... an entry of his own, in place of any list's
 *	early-adopter DOMAIN|all                      testing mode is taken for enforce
 *
 * A rule is for the domain itself, as an entry of the list is, never for what lies below it. Of two
 * rules of one kind for one domain the later one counts; an exception goes before an addition, and an
 * addition before the list (overlay.h), in whatever order they stand.
 */
#ifndef UPDATER_RULES_H
#define UPDATER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct rules;

/* The usual places, which may be empty. */
#define RULES_FILE "/etc/preload25/rules"
#define RULES_DIR  "/etc/preload25/rules.d"

/* Octets of one file and of one line; rules and files in all. */
#define RULES_FILE_MAX ((size_t)64 * 1024 * 1024)
#define RULES_LINE_MAX ((size_t)64 * 1024)
#define RULES_MAX      ((size_t)1000000)
#define RULES_FILES_MAX 1000

enum rule_kind { RULE_EXCEPT, RULE_ADD, RULE_EARLY };
#define RULE_KINDS 3

struct rule {
	enum rule_kind kind;
	const char *domain; /* lower-case A-labels; NULL: all, of RULE_EARLY */
	int64_t until_s;    /* RULE_EXCEPT: the first second after its last day; 0: no end */
	/* RULE_ADD: as in struct list_policy. */
	bool auth_pkix, auth_dane;
	const char *const *mxs;
	size_t mxs_count;
	const char *file; /* where it stands */
	int64_t line;
};

/* Where rules are read from. */
struct rules_from {
	const char *file;     /* NULL: none */
	const char *dir;      /* its files *.rules in the order of their names; NULL: none */
	bool file_must_exist; /* else it may be missing */
	bool dir_must_exist;
};

/* Reads the file, then those of the directory. What is wrong is ERROR_CONFIG, "FILE:LINE: why". */
int rules_load(const struct rules_from *from, struct rules **out, struct error *err) MUST_CHECK;

/* The same in pieces: any number of texts, then rules_settle() once. file is copied. */
struct rules *rules_new(void) RETURNS_NONNULL;
int rules_add_text(struct rules *r, const char *file, const char *text, size_t len,
	struct error *err) MUST_CHECK;
void rules_settle(struct rules *r);
/* NULL is allowed. */
void rules_free(struct rules *r);

/* The rules that count, ascending by domain, then by kind; "all" is not among them. Lent. NULL rules
 * are no rules, here and below. */
size_t rules_count(const struct rules *r);
const struct rule *rules_nth(const struct rules *r, size_t i);
/* The "early-adopter all"; NULL: there is none. */
const struct rule *rules_early_all(const struct rules *r);
/* How many lines a later one of the same kind and domain has made void. */
size_t rules_void_count(const struct rules *r);
/* The rule of a kind for a domain; for RULE_EARLY also that for all. NULL: none. */
const struct rule *rules_find(const struct rules *r, enum rule_kind kind, const char *domain);

/* An exception whose last day is over is not. */
bool rule_is_in_force(const struct rule *rule, int64_t now_s);
/* Appends it as it is written: one line without newline. */
void rule_format(const struct rule *rule, struct buf *out);

/* SHA-256 in hex of the rules in force, "" when there are none: the same text, the same map. */
void rules_digest(const struct rules *r, int64_t now_s, char out[static 65]);

#endif

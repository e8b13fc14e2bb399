/*
 * finding: one thing the verifier has to say about a domain, under a stable code.
 *
 * The codes, their usual severity and meaning are one table (finding_table), from which manual and
 * checks are made. A code once published is never reused for something else.
 */
#ifndef VERIFIER_FINDING_H
#define VERIFIER_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct arena;

/* Three answers; memory that nobody filled neither passes nor fails. */
enum verdict { VERDICT_UNKNOWN, VERDICT_PASS, VERDICT_FAIL };

enum severity {
	SEVERITY_INFO, /* worth knowing, changes nothing */
	SEVERITY_WARN, /* works today, mend it */
	SEVERITY_FAIL, /* disqualifies */
	SEVERITY_TEMP, /* could not tell now: neither pass nor fail */
};

struct finding {
	const char *code; /* from finding_table */
	enum severity severity;
	const char *subject; /* host, address or record owner */
	const char *message; /* what was seen and what was expected; foreign bytes escaped, cut */
	const char *fix;     /* one sentence how to mend it, with the owner's values; may be NULL */
	/* Set by finding_cause_settle(): the finding of which this is a consequence (R21.2), and the
	 * domain of the operator who can mend it when that is not the owner (R21.6); or NULL. */
	const char *cause;
	const char *cause_subject;
	const char *run_by;
};

/* A list in the arena it was made from; strings live as long as the arena. */
struct finding_list {
	struct arena *arena; /* borrowed */
	struct finding *items;
	size_t count;
	size_t size;
};

/* One row of the table of codes. */
struct finding_info {
	const char *code;
	enum severity severity; /* the usual one; a rule may grade it otherwise in its context */
	const char *meaning;    /* one sentence for the manual */
	const char *rule;       /* "R8.4" */
	const char *fix;        /* general advice, used when finding_add() gets none; may be NULL */
};

/* In the order of the rule book, which is the order in which things block. */
extern const struct finding_info finding_table[];
extern const size_t finding_table_count;

/* The row of a code, or NULL. */
const struct finding_info *finding_find(const char *code);

/* The usual severity of a code that must be in the table. */
enum severity finding_severity(const char *code);

/* The section of the rule book that such a code is of. */
int finding_section(const char *code);

void finding_list_init(struct finding_list *list, struct arena *arena);
/* Adds a finding unless one with the same code and subject is there. code must be in the table.
 * subject, fix and the formatted message are copied; message and subject are escaped. fix may be
 * NULL: the table's. Its first line is a sentence; lines behind it are text to paste, so it must be
 * made of names that passed their grammar and finding_quote() only. */
void finding_add(struct finding_list *list, const char *code, enum severity severity,
	const char *subject, const char *fix, const char *message, ...) PRINTF_LIKE(6, 7);
/* With the severity of the table. */
#define finding_add_usual(list, code, subject, fix, ...) \
	finding_add(list, code, finding_severity(code), subject, fix, __VA_ARGS__)
/* Foreign octets for a message: escaped, at most 200 characters (R21.1); in the arena. */
const char *finding_quote(struct arena *arena, const char *bytes, size_t len) RETURNS_NONNULL;
/* R21.2: fail, temp, warn, info; within them in the order of the table, then as added. */
void finding_list_sort(struct finding_list *list);
bool finding_list_has(const struct finding_list *list, const char *code);
/* The first finding of severity fail, or NULL. */
const struct finding *finding_list_first_fail(const struct finding_list *list);
/* The worst of fail > temp > pass. */
enum verdict finding_list_verdict(const struct finding_list *list);

const char *severity_name(enum severity severity); /* "info", "warn", "fail", "temp" */
const char *verdict_name(enum verdict verdict);    /* "unknown", "pass", "fail" */

#endif

/*
 * postfix_record: what setup has changed in main.cf, kept in the state folder until it is taken back.
 *
 *	postfix_record_load(state_dir, true, &record, err)
 *	postfix_record_change(record, "smtp_tls_security_level", "may", "dane")
 *	postfix_record_save(record, err)                before main.cf is changed
 *	postfix_record_remove(record)                   when it is as it was
 *	postfix_record_free(record)
 */
#ifndef UPDATER_POSTFIX_RECORD_H
#define UPDATER_POSTFIX_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct error;
struct postfix_record;

/* Of a parameter; all lent. before: what main.cf had, NULL when it did not set it; after: what setup wrote. */
struct postfix_recorded {
	const char *name, *before, *after;
};

/* Where there is no record, one without anything. must: else one that may not be read is as none. */
int postfix_record_load(
	const char *state_dir, bool must, struct postfix_record **out, struct error *err) MUST_CHECK;

/* Tables ("cdb:/file") that setup has put among the policy maps. What is there is not added twice. */
bool postfix_record_has_table(const struct postfix_record *r, const char *table);
void postfix_record_add_table(struct postfix_record *r, const char *table);

bool postfix_record_has(const struct postfix_record *r, const char *name);
/* Of a parameter that is recorded already, before stays what it was at first. */
void postfix_record_change(
	struct postfix_record *r, const char *name, const char *before, const char *after);
/* 1 the next parameter, 0 there is none; *at is 0 at first. What is no record of a change is stepped over. */
int postfix_record_next(const struct postfix_record *r, size_t *at, struct postfix_recorded *out);

int postfix_record_save(const struct postfix_record *r, struct error *err) MUST_CHECK;
/* Takes the file away, if it can. */
void postfix_record_remove(const struct postfix_record *r);
/* NULL is allowed. */
void postfix_record_free(struct postfix_record *r);

#endif

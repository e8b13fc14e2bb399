/*
 * finding_cause: which finding of a list follows from which other one, and who can mend it (R21.2,
 * R21.3, R21.6).
 *
 * Called once when a list is complete and sorted. Pure.
 */
#ifndef VERIFIER_FINDING_CAUSE_H
#define VERIFIER_FINDING_CAUSE_H

#include <stddef.h>

struct finding;
struct finding_list;

/* A subject that is an alias (the record at "_mta-sts.example.org", a policy's URL), and the host
 * name where it leads. Both are borrowed. */
struct finding_place {
	const char *subject;
	const char *host;
};

/* Sets cause, cause_subject and run_by of every finding. A fail that rests only on what is temporary
 * becomes temporary itself, and the message of each temporary one says that something "could not be
 * tested". domain: whose list it is, as A-labels; NULL: nobody is named as operator. May be called
 * again when severities have changed. */
void finding_cause_settle(struct finding_list *list, const char *domain,
	const struct finding_place *places, size_t place_count);
/* Makes a finding that would fail temporary: what it depends on could not be tested. cause: that, or
 * NULL when it is not one finding alone. */
void finding_make_temporary(
	struct finding_list *list, struct finding *f, const struct finding *cause);
/* The finding under which f is to be shown, or NULL. Following it ends, after a few steps at most.
 */
const struct finding *finding_cause_of(const struct finding_list *list, const struct finding *f);

#endif

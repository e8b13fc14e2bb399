/*
 * finding_cause: which finding of a list follows from which other one, and who can mend it (R21.2,
 * R21.3, R21.6).
 *
 * Called once when a list is complete and sorted. Pure.
 */
#ifndef VERIFIER_FINDING_CAUSE_H
#define VERIFIER_FINDING_CAUSE_H

struct finding;
struct finding_list;

/* Sets cause, cause_subject and run_by of every finding, and begins the message of each temporary
 * one with "could not be tested". domain: whose list it is, as A-labels; NULL: nobody is named as
 * operator. */
void finding_cause_settle(struct finding_list *list, const char *domain);
/* The finding under which f is to be shown, or NULL. Following it ends, after a few steps at most.
 */
const struct finding *finding_cause_of(const struct finding_list *list, const struct finding *f);

#endif

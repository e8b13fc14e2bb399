/*
 * domain_advice: text to paste for what the findings about policy and opt-in ask of the owner: the
 * record, the policy with the MX names seen (R21.4).
 *
 * Pure. Rewrites the fix of the findings it knows; the table's sentence stays the first line.
 */
#ifndef VERIFIER_DOMAIN_ADVICE_H
#define VERIFIER_DOMAIN_ADVICE_H

struct domain_facts;
struct report;

/* After everything has been judged. */
void domain_advise(const struct domain_facts *f, struct report *r);

#endif

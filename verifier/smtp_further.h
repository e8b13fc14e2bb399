/*
 * smtp_further: which further sessions with an address are worth holding after the usual one, and
 * what they mean beside it (R5.9, R6.2, R6.3, R6.5, R6.7).
 *
 * Pure. A session that names a fault is held whenever the usual one has failed in a way that leaves
 * it unnamed. Those that look for more than the list needs cost every good host a connection each:
 * they are held only when somebody asks for one domain (`look`), not in a crawl.
 */
#ifndef VERIFIER_SMTP_FURTHER_H
#define VERIFIER_SMTP_FURTHER_H

#include <stdbool.h>

#include "verifier/finding.h"
#include "verifier/smtp_probe.h"

struct smtp_further {
	bool look;      /* R6.3, R6.5 */
	bool injection; /* R5.9: only on the owner's request */
};

/* What is remembered of the usual session. */
struct smtp_usual {
	enum verdict starttls;
	const char *code; /* of the finding that ended it; NULL with pass */
	int alert;        /* -1: none */
	const char *subject;
	struct finding_list *findings;
};

/* SMTP_ASK_USUAL when nothing is left to ask. asked: bits 1 << ask of those held already. */
enum smtp_ask smtp_further_next(
	const struct smtp_further *options, const struct smtp_usual *usual, unsigned int asked);

/* Adds to the findings of the usual session, or names its fault better; code may change with it. A
 * further session that came to nothing changes nothing. */
void smtp_further_take(
	enum smtp_ask ask, const struct smtp_probe_result *got, struct smtp_usual *usual);

#endif

/*
 * gate: limits on SMTP sessions that share an address, an operator, or the whole engine (R4.16).
 *
 *	if (gate_enter(gates, &pass))
 *		...                      through all of them: begin
 *	else                             in line; pass.mail is posted to pass.box once it is through
 *	gate_leave(gates, &pass);        at the end of the session: others are let go
 *
 * Whoever cannot pass waits in the line of the first gate that is full, in order, and holds no
 *other: so a provider with thousands of hosts stalls nobody else. Any thread may call; the lock is
 *private.
 */
#ifndef VERIFIER_GATE_H
#define VERIFIER_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "verifier/mailbox.h"

struct gate;
struct gates;

enum { GATE_ALL, GATE_OPERATOR, GATE_ADDRESS, GATE_KINDS };

struct gate_limits {
	unsigned int of[GATE_KINDS]; /* 0 is as good as 1 */
};

/* Set mail.deliver, box and key before gate_enter(); they are borrowed until gate_leave(). */
struct gate_pass {
	struct mail mail; /* first */
	struct mailbox *box;
	const char *key[GATE_KINDS]; /* "" for GATE_ALL */
	/* The rest is the gates'. */
	TAILQ_ENTRY(gate_pass) link;
	struct gate *held[GATE_KINDS];
};

void gates_new(const struct gate_limits *limits, struct gates **out);
/* Passes still in line are not looked at. NULL is allowed. */
void gates_free(struct gates *g);

bool gate_enter(struct gates *g, struct gate_pass *pass);
void gate_leave(struct gates *g, struct gate_pass *pass);

/* Passes that went through since gates_new(). */
uint64_t gates_passed(struct gates *g);

#endif

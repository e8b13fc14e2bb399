/*
 * mailbox: hands things over to the thread that runs an event loop.
 *
 *	mailbox_new(base, &box, err);            in the receiver, or before its thread starts
 *	mailbox_post(box, &job->mail);           any thread; job->mail.deliver(&job->mail) is
 *	                                         called once, from the receiver's loop
 *
 * Mail is delivered in the order of posting, a batch in one turn of the loop. What it means that a
 * thing has been posted is up to the poster: the box orders memory, so that whatever was written
 * before the post is seen by the delivery.
 */
#ifndef VERIFIER_MAILBOX_H
#define VERIFIER_MAILBOX_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/attr.h"

struct error;
struct event_base;
struct mailbox;

/* Embedded, as the first member, in what is handed over; all zero before its first post. */
struct mail {
	TAILQ_ENTRY(mail) link;             /* the box's */
	void (*deliver)(struct mail *mail); /* the mail is out of the box and may be posted again */
	bool posted;                        /* the box's */
};

/* base is borrowed. Too few file descriptors is ERROR_TEMP. */
int mailbox_new(struct event_base *base, struct mailbox **out, struct error *err) MUST_CHECK;
/* What is still in the box is not delivered any more, nor looked at: it may be gone already. No
 * other thread may be posting. NULL is allowed. */
void mailbox_free(struct mailbox *m);

/* The mail must not be in a box. */
void mailbox_post(struct mailbox *m, struct mail *mail);
/* Receiver only. Takes the mail out before it is delivered; does nothing when it is not there. */
void mailbox_withdraw(struct mailbox *m, struct mail *mail);

/* Receiver only. Whether an empty box keeps the loop running: yes until told otherwise. A box that
 * rests delivers nothing. */
void mailbox_rest(struct mailbox *m, bool rest);

#endif

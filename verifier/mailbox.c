#include "verifier/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/error.h"
#include "common/xalloc.h"

/* Deliveries in one turn of the loop: other events have a turn in between. Many, because a turn in
 * which a thousand handshakes go on may bring a thousand results. */
#define MAILBOX_BATCH 1024

struct mailbox {
	pthread_mutex_t lock; /* guards `mails` and the mails in it */
	TAILQ_HEAD(, mail) mails;
	int fd; /* eventfd: readable while something may be in the box */
	struct event *event;
};

static void
wake(struct mailbox *m)
{
	static const uint64_t one = 1;
	ssize_t n = write(m->fd, &one, sizeof(one));

	assert(n == sizeof(one)); /* the counter is far from its end */
	(void)n;
}

static struct mail *
take(struct mailbox *m)
{
	struct mail *mail;

	(void)pthread_mutex_lock(&m->lock);
	mail = TAILQ_FIRST(&m->mails);
	if (mail != NULL) {
		TAILQ_REMOVE(&m->mails, mail, link);
		mail->posted = false;
	}
	(void)pthread_mutex_unlock(&m->lock);
	return mail;
}

static void
on_wake(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct mailbox *m = arg;
	struct mail *mail;
	uint64_t count;

	/* Emptied first: who posts from here on wakes us again. */
	(void)!read(fd, &count, sizeof(count));
	for (int i = 0; i < MAILBOX_BATCH; i++) {
		mail = take(m);
		if (mail == NULL)
			return;
		mail->deliver(mail);
	}
	wake(m);
}

int
mailbox_new(struct event_base *base, struct mailbox **out, struct error *err)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));

	*out = NULL;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0) {
		free(m);
		return error_set_errno(err, ERROR_TEMP, "cannot make a mailbox between threads");
	}
	(void)pthread_mutex_init(&m->lock, NULL);
	TAILQ_INIT(&m->mails);
	m->event = event_new(base, m->fd, EV_READ | EV_PERSIST, on_wake, m);
	assert(m->event != NULL);
	(void)event_add(m->event, NULL);
	*out = m;
	return 0;
}

void
mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	event_free(m->event);
	(void)close(m->fd);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

void
mailbox_post(struct mailbox *m, struct mail *mail)
{
	bool was_empty;

	(void)pthread_mutex_lock(&m->lock);
	assert(!mail->posted);
	was_empty = TAILQ_EMPTY(&m->mails);
	mail->posted = true;
	TAILQ_INSERT_TAIL(&m->mails, mail, link);
	(void)pthread_mutex_unlock(&m->lock);
	if (was_empty)
		wake(m);
}

void
mailbox_withdraw(struct mailbox *m, struct mail *mail)
{
	(void)pthread_mutex_lock(&m->lock);
	if (mail->posted) {
		TAILQ_REMOVE(&m->mails, mail, link);
		mail->posted = false;
	}
	(void)pthread_mutex_unlock(&m->lock);
}

void
mailbox_rest(struct mailbox *m, bool rest)
{
	if (rest)
		(void)event_del(m->event);
	else
		(void)event_add(m->event, NULL);
}

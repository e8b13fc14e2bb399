/*
 * An entry:  under way (in the tree) -> done (in the tree, idle list) -> forgotten -> freed when
 * the last reference goes.
 */
#include "verifier/share.h"

#include <assert.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/xalloc.h"
#include "verifier/mailbox.h"

struct share_ref {
	struct mail mail; /* first */
	TAILQ_ENTRY(share_ref) link;
	struct share_entry *entry;
	struct mailbox *box;
	share_cb *cb;
	void *cb_arg;
	bool waiting; /* in entry->waiters; under the lock */
	bool called;  /* or muted; the receiver's */
};

TAILQ_HEAD(entry_list, share_entry);

struct share_table {
	struct share_options options;
	pthread_mutex_t lock; /* guards all of the following, and in entries and references what is
				 not said to be somebody's */
	void *by_name;        /* tsearch() tree of struct share_entry */
	struct entry_list idle; /* done, in the tree, longest not asked for first */
	size_t idle_count;
	uint64_t hits;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct share_entry *)a)->name, ((const struct share_entry *)b)->name);
}

static int64_t
monotonic_s(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) < 0)
		abort();
	return t.tv_sec;
}

/* Out of the tree: whoever asks next looks anew. What is to be freed goes to `dead`, to be freed
 * without the lock. */
static void
forget(struct share_table *t, struct share_entry *e, struct entry_list *dead)
{
	(void)tdelete(e, &t->by_name, compare);
	e->in_tree = false;
	TAILQ_REMOVE(&t->idle, e, idle_link);
	t->idle_count--;
	if (e->refs == 0)
		TAILQ_INSERT_TAIL(dead, e, idle_link);
}

static bool
is_stale(const struct share_entry *e, int64_t now_s)
{
	int64_t age_s = now_s - e->done_s;

	return atomic_load_explicit(&e->done, memory_order_relaxed) &&
		(age_s >= e->keep_s || age_s >= e->table->options.share_s);
}

/* What is stale further back in the list goes when it is asked for, or gets here. */
static void
forget_old(struct share_table *t, int64_t now_s, struct entry_list *dead)
{
	struct share_entry *e;

	while ((e = TAILQ_FIRST(&t->idle)) != NULL &&
		(is_stale(e, now_s) || t->idle_count > t->options.max))
		forget(t, e, dead);
}

static void
free_all(struct share_table *t, struct entry_list *dead)
{
	struct share_entry *e;

	while ((e = TAILQ_FIRST(dead)) != NULL) {
		TAILQ_REMOVE(dead, e, idle_link);
		t->options.free_entry(e);
	}
}

static void
deliver(struct mail *mail)
{
	struct share_ref *ref = (struct share_ref *)mail;

	ref->called = true;
	ref->cb(ref->cb_arg);
}

void
share_table_new(const struct share_options *options, struct share_table **out)
{
	struct share_table *t = xcalloc(1, sizeof(*t));

	t->options = *options;
	(void)pthread_mutex_init(&t->lock, NULL);
	TAILQ_INIT(&t->idle);
	*out = t;
}

static void
keep_node(void *node)
{
	(void)node;
}

static void
collect(const void *node, VISIT which, void *arg)
{
	struct share_entry *e = *(struct share_entry *const *)node;
	struct entry_list *all = arg;

	if (which == postorder || which == leaf)
		TAILQ_INSERT_TAIL(all, e, idle_link);
}

void
share_table_free(struct share_table *t)
{
	struct entry_list all;

	if (t == NULL)
		return;
	TAILQ_INIT(&all);
	twalk_r(t->by_name, collect, &all);
	tdestroy(t->by_name, keep_node);
	free_all(t, &all);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct share_entry *
entry_make(struct share_table *t, const char *name, share_make *make, void *make_arg)
{
	struct share_entry *e = make(name, make_arg);

	e->table = t;
	TAILQ_INIT(&e->waiters);
	if (tsearch(e, &t->by_name, compare) == NULL)
		abort(); /* out of memory */
	e->in_tree = true;
	return e;
}

struct share_ref *
share_get(struct share_table *t, const char *name, struct mailbox *box, share_make *make,
	void *make_arg, share_cb *cb, void *arg, bool *is_new)
{
	struct share_ref *ref = xcalloc(1, sizeof(*ref));
	struct share_entry key = {.name = name}, *e;
	struct entry_list dead = TAILQ_HEAD_INITIALIZER(dead);
	int64_t now_s = monotonic_s();
	void *node;

	ref->mail.deliver = deliver;
	ref->box = box;
	ref->cb = cb;
	ref->cb_arg = arg;
	(void)pthread_mutex_lock(&t->lock);
	forget_old(t, now_s, &dead);
	node = tfind(&key, &t->by_name, compare);
	if (node != NULL && is_stale(*(struct share_entry **)node, now_s)) {
		forget(t, *(struct share_entry **)node, &dead);
		node = NULL;
	}
	*is_new = node == NULL;
	if (node != NULL) {
		t->hits++;
		e = *(struct share_entry **)node;
	} else {
		e = entry_make(t, name, make, make_arg);
	}
	ref->entry = e;
	e->refs++;
	if (atomic_load_explicit(&e->done, memory_order_relaxed)) {
		TAILQ_REMOVE(&t->idle, e, idle_link);
		TAILQ_INSERT_TAIL(&t->idle, e, idle_link);
		mailbox_post(box, &ref->mail);
	} else {
		ref->waiting = true;
		TAILQ_INSERT_TAIL(&e->waiters, ref, link);
	}
	(void)pthread_mutex_unlock(&t->lock);
	free_all(t, &dead);
	return ref;
}

void
share_mute(struct share_ref *ref)
{
	struct share_table *t = ref->entry->table;

	(void)pthread_mutex_lock(&t->lock);
	if (ref->waiting)
		TAILQ_REMOVE(&ref->entry->waiters, ref, link);
	else if (!ref->called)
		mailbox_withdraw(ref->box, &ref->mail);
	ref->waiting = false;
	ref->called = true;
	(void)pthread_mutex_unlock(&t->lock);
}

void
share_release(struct share_ref *ref)
{
	struct share_entry *e;
	struct share_table *t;
	bool last;

	if (ref == NULL)
		return;
	e = ref->entry;
	t = e->table;
	(void)pthread_mutex_lock(&t->lock);
	if (ref->waiting)
		TAILQ_REMOVE(&e->waiters, ref, link);
	else if (!ref->called)
		mailbox_withdraw(ref->box, &ref->mail);
	/* What is under way goes on: its own limits end it, and others may ask for it. */
	e->refs--;
	last = e->refs == 0 && !e->in_tree;
	(void)pthread_mutex_unlock(&t->lock);
	free(ref);
	if (last)
		t->options.free_entry(e);
}

void
share_done(struct share_entry *e, int64_t keep_s)
{
	struct entry_list dead = TAILQ_HEAD_INITIALIZER(dead);
	struct share_table *t = e->table;
	struct share_ref *ref;

	(void)pthread_mutex_lock(&t->lock);
	assert(e->in_tree && !atomic_load_explicit(&e->done, memory_order_relaxed));
	e->done_s = monotonic_s();
	e->keep_s = keep_s;
	atomic_store_explicit(&e->done, true, memory_order_release);
	TAILQ_INSERT_TAIL(&t->idle, e, idle_link);
	t->idle_count++;
	while ((ref = TAILQ_FIRST(&e->waiters)) != NULL) {
		TAILQ_REMOVE(&e->waiters, ref, link);
		ref->waiting = false;
		mailbox_post(ref->box, &ref->mail);
	}
	forget_old(t, e->done_s, &dead);
	(void)pthread_mutex_unlock(&t->lock);
	free_all(t, &dead);
}

struct share_entry *
share_entry_of(const struct share_ref *ref)
{
	return ref->entry;
}

bool
share_is_done(const struct share_ref *ref)
{
	return atomic_load_explicit(&ref->entry->done, memory_order_acquire);
}

uint64_t
share_hits(struct share_table *t)
{
	uint64_t hits;

	(void)pthread_mutex_lock(&t->lock);
	hits = t->hits;
	(void)pthread_mutex_unlock(&t->lock);
	return hits;
}

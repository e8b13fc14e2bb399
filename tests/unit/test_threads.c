/*
 * What the engine's threads share: mailboxes between them, results under a name, gates. Each is
 * used by four threads at once here; run it with SAN=thread, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include <event2/event.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/gate.h"
#include "verifier/mailbox.h"
#include "verifier/share.h"

#define THREADS 4
#define ROUNDS  2000
/* Nothing here takes long; a test that hangs is ended. */
#define LIMIT_S 60

/* A thread with a loop and a box, as the engine's workers are. */
struct party {
	int number;
	pthread_t thread;
	struct event_base *base;
	struct mailbox *box;
	void (*begin)(struct party *p); /* the first thing in the thread */
	void *state;
};

static void *
party_run(void *arg)
{
	static const struct timeval limit = {.tv_sec = LIMIT_S};
	struct party *p = arg;

	(void)event_base_loopexit(p->base, &limit);
	p->begin(p);
	(void)event_base_dispatch(p->base);
	return NULL;
}

static void
parties_open(struct party *p, int count, void (*begin)(struct party *p), void *state)
{
	struct error err;

	for (int i = 0; i < count; i++) {
		p[i] = (struct party){.number = i, .begin = begin, .state = state};
		p[i].base = event_base_new();
		assert_non_null(p[i].base);
		assert_int_equal(mailbox_new(p[i].base, &p[i].box, &err), 0);
	}
}

static void
parties_run(struct party *p, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(pthread_create(&p[i].thread, NULL, party_run, &p[i]), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(pthread_join(p[i].thread, NULL), 0);
}

static void
parties_close(struct party *p, int count)
{
	for (int i = 0; i < count; i++) {
		mailbox_free(p[i].box);
		event_base_free(p[i].base);
	}
}

/* --- mailbox ------------------------------------------------------------------------- */

struct letter {
	struct mail mail; /* first */
	int from, number;
	struct party *to;
};

struct post_office {
	struct party *parties; /* the first receives */
	struct letter letters[THREADS][ROUNDS];
	int next[THREADS]; /* what the receiver waits for from each */
	int seen;
	bool wrong;
};

static void
letter_deliver(struct mail *mail)
{
	struct letter *l = (struct letter *)mail;
	struct post_office *o = l->to->state;

	o->wrong |= l->number != o->next[l->from];
	o->next[l->from]++;
	if (++o->seen == (THREADS - 1) * ROUNDS)
		(void)event_base_loopbreak(l->to->base);
}

static void
post_begin(struct party *p)
{
	struct post_office *o = p->state;

	if (p->number == 0)
		return;
	for (int i = 0; i < ROUNDS; i++) {
		struct letter *l = &o->letters[p->number][i];

		l->mail.deliver = letter_deliver;
		l->from = p->number;
		l->number = i;
		l->to = &o->parties[0];
		mailbox_post(o->parties[0].box, &l->mail);
	}
	(void)event_base_loopexit(p->base, NULL);
}

static void
mail_comes_once_and_in_order(void **state UNUSED)
{
	struct party parties[THREADS];
	struct post_office *o = xcalloc(1, sizeof(*o));

	o->parties = parties;
	parties_open(parties, THREADS, post_begin, o);
	parties_run(parties, THREADS);
	assert_int_equal(o->seen, (THREADS - 1) * ROUNDS);
	assert_false(o->wrong);
	parties_close(parties, THREADS);
	free(o);
}

static void
count_delivery(struct mail *mail)
{
	((struct letter *)mail)->number++;
}

static void
mail_is_withdrawn(void **state UNUSED)
{
	struct event_base *base = event_base_new();
	struct letter a = {.mail.deliver = count_delivery}, b = {.mail.deliver = count_delivery};
	struct mailbox *box;
	struct error err;

	assert_int_equal(mailbox_new(base, &box, &err), 0);
	mailbox_withdraw(box, &a.mail); /* not there: nothing happens */
	mailbox_post(box, &a.mail);
	mailbox_post(box, &b.mail);
	assert_int_equal(a.number + b.number, 0); /* never from within the post */
	mailbox_withdraw(box, &a.mail);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(a.number, 0);
	assert_int_equal(b.number, 1);
	mailbox_post(box, &b.mail); /* again */
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(b.number, 2);
	/* A box that rests does not keep the loop. */
	mailbox_rest(box, true);
	assert_int_equal(event_base_dispatch(base), 1);
	mailbox_post(box, &b.mail);
	mailbox_rest(box, false);
	(void)event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(b.number, 3);
	mailbox_free(box);
	mailbox_free(NULL);
	event_base_free(base);
}

/* --- share --------------------------------------------------------------------------- */

#define NAMES 50

struct thing {
	struct share_entry share; /* first */
	char name[16];
	struct mail work; /* to its owner itself: done in a later turn of the loop */
	size_t value;     /* written by the owner, read by everybody once it is done */
};

struct library {
	struct share_table *table;
	int64_t keep_s;
	atomic_int made, freed, wrong;
	int left[THREADS]; /* answers each thread still waits for */
};

struct question {
	struct party *party;
	struct share_ref *ref;
};

static struct library library; /* free_entry() has no argument */

static void
thing_free(struct share_entry *e)
{
	(void)atomic_fetch_add(&library.freed, 1);
	free(e);
}

static void
thing_work(struct mail *mail)
{
	struct thing *t = (struct thing *)(void *)((char *)mail - offsetof(struct thing, work));

	t->value = strlen(t->name);
	share_done(&t->share, library.keep_s);
}

static struct share_entry *
thing_make(const char *name, void *arg UNUSED)
{
	struct thing *t = xcalloc(1, sizeof(*t));

	(void)atomic_fetch_add(&library.made, 1);
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	t->share.name = t->name;
	t->work.deliver = thing_work;
	return &t->share;
}

static void
on_thing(void *arg)
{
	struct question *q = arg;
	struct thing *t = (struct thing *)share_entry_of(q->ref);

	if (!share_is_done(q->ref) || t->value != strlen(t->name))
		(void)atomic_fetch_add(&library.wrong, 1);
	share_release(q->ref);
	if (--library.left[q->party->number] == 0)
		(void)event_base_loopbreak(q->party->base);
	free(q);
}

static void
not_to_be_called(void *arg UNUSED)
{
	(void)atomic_fetch_add(&library.wrong, 1);
}

static struct share_ref *
ask(struct party *p, const char *name, share_cb *cb, void *arg)
{
	bool is_new;
	struct share_ref *ref =
		share_get(library.table, name, p->box, thing_make, NULL, cb, arg, &is_new);

	if (is_new)
		mailbox_post(p->box, &((struct thing *)share_entry_of(ref))->work);
	return ref;
}

static void
share_begin(struct party *p)
{
	library.left[p->number] = ROUNDS;
	for (int i = 0; i < ROUNDS; i++) {
		struct question *q = xcalloc(1, sizeof(*q));
		char name[16];

		(void)snprintf(name, sizeof(name), "%0*d", i % NAMES % 10 + 2, i % NAMES);
		q->party = p;
		q->ref = ask(p, name, on_thing, q);
		/* Of those who change their mind, nobody is called. */
		if (i % 7 == 0)
			share_release(ask(p, name, not_to_be_called, NULL));
		if (i % 11 == 0) {
			struct share_ref *muted = ask(p, name, not_to_be_called, NULL);

			share_mute(muted);
			share_release(muted);
		}
	}
}

static void
library_open(int64_t share_s, size_t max)
{
	struct share_options o = {.share_s = share_s, .max = max, .free_entry = thing_free};

	memset(&library, 0, sizeof(library));
	library.keep_s = SHARE_AS_USUAL;
	share_table_new(&o, &library.table);
}

static void
things_are_made_once(void **state UNUSED)
{
	struct party parties[THREADS];

	library_open(3600, 1000);
	parties_open(parties, THREADS, share_begin, NULL);
	parties_run(parties, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(library.left[i], 0);
	assert_int_equal(library.wrong, 0);
	assert_int_equal(library.made, NAMES);
	assert_true(share_hits(library.table) >= THREADS * ROUNDS - NAMES);
	assert_int_equal(library.freed, 0);
	share_table_free(library.table);
	assert_int_equal(library.freed, NAMES);
	parties_close(parties, THREADS);
	share_table_free(NULL);
}

static void
things_are_forgotten(void **state UNUSED)
{
	struct party parties[THREADS];

	/* At once, and by number: with so few kept, many are made anew; none is lost. */
	for (size_t max = 0; max <= 5; max += 5) {
		library_open(max == 0 ? 0 : 3600, max);
		parties_open(parties, THREADS, share_begin, NULL);
		parties_run(parties, THREADS);
		assert_int_equal(library.wrong, 0);
		assert_true(library.made >= NAMES);
		assert_true(library.freed >= library.made - NAMES);
		share_table_free(library.table);
		assert_int_equal(library.freed, library.made);
		parties_close(parties, THREADS);
	}
}

static void
on_kept(void *arg)
{
	++*(int *)arg;
}

/* An entry that is to be kept for a shorter time (R2.10). */
static void
thing_is_stale(void **state UNUSED)
{
	struct party p = {.base = event_base_new()};
	struct share_ref *first, *second;
	struct error err;
	int called = 0;

	assert_int_equal(mailbox_new(p.base, &p.box, &err), 0);
	library_open(3600, 10);
	library.keep_s = 0;
	first = ask(&p, "a", on_kept, &called);
	(void)event_base_loop(p.base, EVLOOP_NONBLOCK);
	assert_true(share_is_done(first));
	second = ask(&p, "a", on_kept, &called);
	assert_ptr_not_equal(share_entry_of(first), share_entry_of(second));
	assert_int_equal(library.made, 2);
	share_release(first);
	assert_int_equal(library.freed, 1);
	for (int i = 0; i < 3; i++)
		(void)event_base_loop(p.base, EVLOOP_NONBLOCK);
	assert_int_equal(called, 2);
	share_release(second);
	share_table_free(library.table);
	assert_int_equal(library.freed, 2);
	mailbox_free(p.box);
	event_base_free(p.base);
}

/* Asks, waits for the answer, and lets go. Returns whether it had to be made. */
static bool
has_to_be_made(struct party *p, const char *name)
{
	int before = atomic_load(&library.made), called = 0;
	struct share_ref *ref = ask(p, name, on_kept, &called);

	while (called == 0)
		(void)event_base_loop(p->base, EVLOOP_ONCE);
	share_release(ref);
	return atomic_load(&library.made) > before;
}

/* With more than are remembered, those go that nobody asks for. */
static void
thing_is_forgotten(void **state UNUSED)
{
	struct party p = {.base = event_base_new()};
	struct error err;

	assert_int_equal(mailbox_new(p.base, &p.box, &err), 0);
	library_open(3600, 2);
	assert_true(has_to_be_made(&p, "often"));
	assert_true(has_to_be_made(&p, "once"));
	assert_false(has_to_be_made(&p, "often"));
	assert_true(has_to_be_made(&p, "new"));
	assert_false(has_to_be_made(&p, "often")); /* there were three: "once" went */
	assert_true(has_to_be_made(&p, "once"));
	share_table_free(library.table);
	assert_int_equal(library.freed, library.made);
	mailbox_free(p.box);
	event_base_free(p.base);
}

/* --- gates --------------------------------------------------------------------------- */

#define PASSES 400

struct station {
	struct gates *gates;
	atomic_int inside, most, wrong;
	atomic_int big, big_most; /* the one operator that has most of the hosts */
};

struct traveller {
	struct gate_pass pass; /* first */
	struct mail walk;      /* to itself: leaves in a later turn */
	struct party *party;
	struct station *station;
	bool is_big;
};

static struct traveller travellers[THREADS][PASSES];
static int travelling[THREADS];

static void
note_most(atomic_int *now, atomic_int *most)
{
	int n = atomic_fetch_add(now, 1) + 1, seen = atomic_load(most);

	while (n > seen && !atomic_compare_exchange_weak(most, &seen, n))
		continue;
}

static void
traveller_leave(struct mail *mail)
{
	struct traveller *t =
		(struct traveller *)(void *)((char *)mail - offsetof(struct traveller, walk));
	struct station *s = t->station;

	(void)atomic_fetch_sub(&s->inside, 1);
	if (t->is_big)
		(void)atomic_fetch_sub(&s->big, 1);
	gate_leave(s->gates, &t->pass);
	if (--travelling[t->party->number] == 0)
		(void)event_base_loopbreak(t->party->base);
}

static void
traveller_pass(struct mail *mail)
{
	struct traveller *t = (struct traveller *)mail;
	struct station *s = t->station;

	note_most(&s->inside, &s->most);
	if (t->is_big)
		note_most(&s->big, &s->big_most);
	if (t->pass.box != t->party->box)
		(void)atomic_fetch_add(&s->wrong, 1);
	t->walk.deliver = traveller_leave;
	mailbox_post(t->party->box, &t->walk);
}

static void
gate_begin(struct party *p)
{
	travelling[p->number] = PASSES;
	for (int i = 0; i < PASSES; i++) {
		struct traveller *t = &travellers[p->number][i];

		memset(t, 0, sizeof(*t));
		t->party = p;
		t->station = p->state;
		t->is_big = i % 4 != 0;
		t->pass.mail.deliver = traveller_pass;
		t->pass.box = p->box;
		t->pass.key[GATE_ALL] = "";
		t->pass.key[GATE_OPERATOR] = t->is_big ? "big.example" : "small.example";
		t->pass.key[GATE_ADDRESS] = i % 2 == 0 ? "192.0.2.1" : "192.0.2.2";
		if (gate_enter(t->station->gates, &t->pass))
			traveller_pass(&t->pass.mail);
	}
}

static void
gates_hold(void **state UNUSED)
{
	struct party parties[THREADS];
	struct gate_limits limits = {
		.of = {[GATE_ALL] = 5, [GATE_OPERATOR] = 3, [GATE_ADDRESS] = 4}};
	struct station s = {0};

	gates_new(&limits, &s.gates);
	parties_open(parties, THREADS, gate_begin, &s);
	parties_run(parties, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(travelling[i], 0);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(s.inside, 0);
	assert_true(s.most >= 1 && s.most <= 5);
	assert_true(s.big_most >= 1 && s.big_most <= 3);
	assert_int_equal(gates_passed(s.gates), THREADS * PASSES);
	gates_free(s.gates);
	gates_free(NULL);
	parties_close(parties, THREADS);
}

static void
big_provider_stalls_nobody(void **state UNUSED)
{
	struct event_base *base = event_base_new();
	struct gate_limits limits = {
		.of = {[GATE_ALL] = 10, [GATE_OPERATOR] = 2, [GATE_ADDRESS] = 10}};
	struct traveller *all = travellers[0];
	struct mailbox *box;
	struct gates *gates;
	struct error err;
	int in = 0;

	assert_int_equal(mailbox_new(base, &box, &err), 0);
	gates_new(&limits, &gates);
	memset(all, 0, sizeof(travellers[0]));
	for (int i = 0; i < PASSES; i++) {
		all[i].pass.mail.deliver = count_delivery;
		all[i].pass.box = box;
		all[i].pass.key[GATE_ALL] = "";
		all[i].pass.key[GATE_OPERATOR] = i < PASSES - 8 ? "big.example" : "small.example";
		all[i].pass.key[GATE_ADDRESS] = i < PASSES - 8 ? "192.0.2.1" : "192.0.2.2";
	}
	/* Hundreds of the big one stand in line; the small one's two go through all the same. */
	for (int i = 0; i < PASSES; i++)
		in += gate_enter(gates, &all[i].pass);
	assert_int_equal(in, 4);
	assert_int_equal(gates_passed(gates), 4);
	gate_leave(gates, &all[0].pass); /* the third of the big one is next, nobody else */
	assert_true(all[2].pass.mail.posted);
	assert_int_equal(gates_passed(gates), 5);
	gate_leave(gates, &all[PASSES - 8].pass);
	assert_true(all[PASSES - 6].pass.mail.posted);
	assert_int_equal(gates_passed(gates), 6);
	mailbox_free(box);
	gates_free(gates);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_comes_once_and_in_order),
		cmocka_unit_test(mail_is_withdrawn),
		cmocka_unit_test(things_are_made_once),
		cmocka_unit_test(things_are_forgotten),
		cmocka_unit_test(thing_is_stale),
		cmocka_unit_test(thing_is_forgotten),
		cmocka_unit_test(gates_hold),
		cmocka_unit_test(big_provider_stalls_nobody),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}

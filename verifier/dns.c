#include "verifier/dns.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <ldns/ldns.h>
#include <unbound.h>
/* Behind unbound.h, which it needs. */
#include <unbound-event.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "verifier/dns_context.h"

/* Callbacks in one turn of the loop. */
#define READY_BATCH 64
/* Look-ups that unbound works on at once: each costs it some 20 KiB, and a crawl that begins with
 * ten thousand domains need not send ten thousand packets at once. */
#define UNDER_WAY_MAX 1000

enum { UB_SEC_INSECURE = 0, UB_SEC_BOGUS = 1, UB_SEC_SECURE = 2 };

/*
 * A look-up that fails is made again, over TCP and with whole names (R2.8), and at last its aliases
 * are followed one by one, since unbound does not say that it gave up on a loop of them (R2.7). A
 * step begins when the one before it has failed or used up its share of the time; an answer that
 * comes later still counts.
 *
 *	USUAL -> TCP -> WHOLE -> CHASE -> failed          any step -> answered
 */
enum step { STEP_USUAL, STEP_TCP, STEP_WHOLE, STEP_CHASE, STEPS };

/* Of the time for one look-up, in sixths. */
static const int64_t step_sixths[STEPS] = {3, 1, 1, 1};

struct attempt {
	struct dns_query *query;
	bool in_unbound; /* unbound's callback is still to come */
};

/*
 * A query stands in exactly one list: `waiting` or `waiting_mx` while unbound has enough to do,
 * asked[step] until it is answered, `ready` until its callback is called, `orphans` when its owner
 * is gone but unbound still holds a pointer to it.
 */
struct dns_query {
	TAILQ_ENTRY(dns_query) link;
	struct dns_resolver *resolver; /* borrowed */
	struct arena *arena;           /* borrowed from the caller */
	struct dns_answer *answer;     /* in arena */
	dns_answer_cb *cb;
	void *cb_arg;
	struct timeval deadline; /* of the step, on the event loop's clock */
	enum { WAITING, ASKED, READY, ORPHAN } list;
	enum step step; /* assigned by step_enter() only */
	struct attempt attempts[STEPS];
	const char *why;     /* of the first failure; NULL before it */
	unsigned int chased; /* aliases followed in STEP_CHASE */
};

TAILQ_HEAD(query_list, dns_query);

struct dns_resolver {
	struct event_base *base;           /* borrowed */
	struct dns_options options;        /* strings owned */
	struct ub_ctx *contexts[DNS_WAYS]; /* but for the first NULL until needed */
	/* Domains begin with their MX look-up. Those wait until nothing else does: what has begun
	 * comes to its end, and few domains hold much memory. */
	struct query_list waiting, waiting_mx;
	struct query_list asked[STEPS]; /* each in order of start, so of deadline */
	struct query_list ready;
	struct query_list orphans;
	struct event *ready_event;
	struct event *limit_event;
	int64_t query_s;
	unsigned int under_way; /* attempts in unbound */
	atomic_uint_fast64_t count;
	bool closing;
};

static struct query_list *
list_of(struct dns_query *q)
{
	switch (q->list) {
	case WAITING:
		return q->answer->type == DNS_MX ? &q->resolver->waiting_mx : &q->resolver->waiting;
	case ASKED:
		return &q->resolver->asked[q->step];
	case READY:
		return &q->resolver->ready;
	case ORPHAN:
		return &q->resolver->orphans;
	}
	abort();
}

static void
move_to(struct dns_query *q, int list)
{
	TAILQ_REMOVE(list_of(q), q, link);
	q->list = list;
	TAILQ_INSERT_TAIL(list_of(q), q, link);
}

static struct dns_query *
first_waiting(const struct dns_resolver *r)
{
	struct dns_query *q = TAILQ_FIRST(&r->waiting);

	return q != NULL ? q : TAILQ_FIRST(&r->waiting_mx);
}

/* --- the time limits of the steps ---------------------------------------------------- */

static void
arm_limit(struct dns_resolver *r)
{
	const struct timeval *first = NULL;
	struct timeval now, wait = {0, 0};

	for (int i = 0; i < STEPS; i++) {
		const struct dns_query *q = TAILQ_FIRST(&r->asked[i]);

		if (q != NULL && (first == NULL || evutil_timercmp(&q->deadline, first, <)))
			first = &q->deadline;
	}
	if (first == NULL) {
		event_del(r->limit_event);
		return;
	}
	event_base_gettimeofday_cached(r->base, &now);
	if (evutil_timercmp(first, &now, >))
		evutil_timersub(first, &now, &wait);
	event_add(r->limit_event, &wait);
}

static void
step_enter(struct dns_query *q, enum step step)
{
	struct dns_resolver *r = q->resolver;
	int64_t share_ms = r->query_s * 1000 * step_sixths[step] / 6;
	struct timeval share = {share_ms / 1000, share_ms % 1000 * 1000}, now;

	TAILQ_REMOVE(list_of(q), q, link);
	q->step = step;
	event_base_gettimeofday_cached(r->base, &now);
	evutil_timeradd(&now, &share, &q->deadline);
	TAILQ_INSERT_TAIL(list_of(q), q, link);
	if (TAILQ_FIRST(list_of(q)) == q)
		arm_limit(r);
}

/* --- what unbound says --------------------------------------------------------------- */

static void
query_ready(struct dns_query *q)
{
	move_to(q, READY);
	event_active(q->resolver->ready_event, EV_TIMEOUT, 0);
}

static void
query_failed(struct dns_query *q)
{
	dns_answer_fail(
		q->answer, q->arena, q->why == NULL ? "no answer in time, nor over TCP" : q->why);
	query_ready(q);
}

static bool
is_in_unbound(const struct dns_query *q)
{
	for (int i = 0; i < STEPS; i++) {
		if (q->attempts[i].in_unbound)
			return true;
	}
	return false;
}

/* Fills *a, whose name and type say what was asked. */
static void
answer_take(struct dns_answer *a, struct arena *arena, int rcode, const void *packet, int len,
	int sec, const char *why_bogus, bool was_ratelimited)
{
	a->canonical = a->name;
	a->aliases = 0;
	a->secure = DNS_UNCHECKED;
	if (sec == UB_SEC_BOGUS) {
		a->secure = DNS_BOGUS;
		dns_answer_fail(
			a, arena, why_bogus == NULL ? "DNSSEC validation failed" : why_bogus);
	} else if (rcode != 0 || packet == NULL || len <= 0) {
		dns_answer_fail(a, arena,
			was_ratelimited ? "no usable answer from the name servers (rate limit)"
					: "no usable answer from the name servers");
	} else {
		a->secure = sec == UB_SEC_SECURE ? DNS_SECURE : DNS_INSECURE;
		dns_answer_parse(packet, (size_t)len, arena, a);
	}
}

static void on_unbound(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
	int was_ratelimited);

static int
context_ask(struct dns_query *q, enum step step, const char *name, enum dns_type type)
{
	static const enum dns_way ways[STEPS] = {
		DNS_WAY_USUAL, DNS_WAY_TCP, DNS_WAY_WHOLE_NAMES, DNS_WAY_USUAL};
	struct dns_resolver *r = q->resolver;
	struct ub_ctx **ctx = &r->contexts[ways[step]];
	struct attempt *t = &q->attempts[step];
	struct error err;
	int rc, id;

	if (*ctx == NULL && dns_context_new(&r->options, ways[step], r->base, ctx, &err) < 0) {
		if (q->why == NULL)
			q->why = arena_strdup(q->arena, err.text);
		return -1;
	}
	t->query = q;
	t->in_unbound = true;
	r->under_way++;
	/* The callback may come before this returns. */
	rc = ub_resolve_event(
		*ctx, name, dns_type_number(type), LDNS_RR_CLASS_IN, t, on_unbound, &id);
	if (rc == 0)
		return 0;
	t->in_unbound = false;
	r->under_way--;
	if (q->why == NULL)
		q->why = ub_strerror(rc);
	return -1;
}

/* Each step at most once, so this ends. */
static void
next_step(struct dns_query *q)
{
	while (q->list == ASKED) {
		if (q->step == STEP_CHASE) {
			query_failed(q);
			return;
		}
		step_enter(q, q->step + 1);
		if (context_ask(q, q->step, q->answer->name,
			    q->step == STEP_CHASE ? DNS_CNAME : q->answer->type) == 0)
			return;
	}
}

static void
on_chase(struct dns_query *q, const struct dns_answer *a)
{
	if (a->status != DNS_FOUND) {
		next_step(q);
	} else if (++q->chased > DNS_ALIASES_MAX) {
		q->answer->alias_loop = true;
		q->why = DNS_ALIAS_LOOP_TEXT;
		query_failed(q);
	} else if (context_ask(q, STEP_CHASE, a->records[0].host, DNS_CNAME) < 0) {
		next_step(q);
	}
}

static void
on_unbound(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
	int was_ratelimited)
{
	struct attempt *t = arg;
	struct dns_query *q = t->query;
	struct dns_answer *a = q->answer;
	enum step step = (enum step)(t - q->attempts);

	t->in_unbound = false;
	q->resolver->under_way--;
	if (first_waiting(q->resolver) != NULL)
		event_active(q->resolver->ready_event, EV_TIMEOUT, 0);
	/* Without its owner a query has no arena any more: nothing of its answer may be touched. */
	if (q->resolver->closing)
		return;
	if (q->list == ORPHAN) {
		if (!is_in_unbound(q)) {
			TAILQ_REMOVE(&q->resolver->orphans, q, link);
			free(q);
		}
		return;
	}
	if (q->list == READY)
		return; /* another step was faster, or it ran out of time */
	if (step == STEP_CHASE) {
		struct dns_answer alias = {.name = a->name, .type = DNS_CNAME};

		answer_take(&alias, q->arena, rcode, packet, packet_len, sec, why_bogus,
			was_ratelimited != 0);
		on_chase(q, &alias);
		return;
	}
	answer_take(a, q->arena, rcode, packet, packet_len, sec, why_bogus, was_ratelimited != 0);
	/* What fails validation would fail again. */
	if (a->status != DNS_FAILED || a->secure == DNS_BOGUS || a->alias_loop) {
		query_ready(q);
		return;
	}
	if (q->why == NULL)
		q->why = a->why;
	if (step == q->step)
		next_step(q);
}

static void
query_free(struct dns_query *q)
{
	if (is_in_unbound(q)) {
		move_to(q, ORPHAN);
		return;
	}
	TAILQ_REMOVE(list_of(q), q, link);
	free(q);
}

/* Lets those that wait begin, in order. Not from unbound's callback, which may come before the call
 * that asks has returned. */
static void
admit(struct dns_resolver *r)
{
	struct dns_query *q;

	while (r->under_way < UNDER_WAY_MAX && (q = first_waiting(r)) != NULL) {
		move_to(q, ASKED);
		step_enter(q, STEP_USUAL);
		if (context_ask(q, STEP_USUAL, q->answer->name, q->answer->type) < 0)
			query_failed(q); /* malformed name: no step could ask for it */
	}
}

static void
on_ready(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct dns_resolver *r = arg;
	struct dns_query *q;

	admit(r);
	/* Callbacks may start and cancel look-ups; a bounded batch lets other events have a turn.
	 */
	for (int i = 0; i < READY_BATCH && (q = TAILQ_FIRST(&r->ready)) != NULL; i++) {
		const struct dns_answer *answer = q->answer;
		dns_answer_cb *cb = q->cb;
		void *cb_arg = q->cb_arg;

		query_free(q);
		cb(answer, cb_arg);
	}
	if (!TAILQ_EMPTY(&r->ready))
		event_active(r->ready_event, EV_TIMEOUT, 0);
}

static void
on_limit(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct dns_resolver *r = arg;
	struct dns_query *q;
	struct timeval now;

	event_base_gettimeofday_cached(r->base, &now);
	/* From the last step to the first: a query takes one step in one turn. */
	for (int i = STEPS - 1; i >= 0; i--) {
		while ((q = TAILQ_FIRST(&r->asked[i])) != NULL &&
			!evutil_timercmp(&q->deadline, &now, >))
			next_step(q);
	}
	arm_limit(r);
}

/* --- interface ----------------------------------------------------------------------- */

/* For contexts that are made later. */
static void
options_copy(struct dns_options *to, const struct dns_options *from)
{
	char **forward = xcalloc(from->forward_count + 1, sizeof(*forward));

	for (size_t i = 0; i < from->forward_count; i++)
		forward[i] = xstrdup(from->forward[i]);
	*to = *from;
	to->forward = (const char *const *)forward;
	to->root_hints = from->root_hints == NULL ? NULL : xstrdup(from->root_hints);
	to->trust_anchor = from->trust_anchor == NULL ? NULL : xstrdup(from->trust_anchor);
}

static void
options_clear(struct dns_options *o)
{
	for (size_t i = 0; i < o->forward_count; i++)
		free((char *)(uintptr_t)o->forward[i]);
	free((void *)(uintptr_t)o->forward);
	free((char *)(uintptr_t)o->root_hints);
	free((char *)(uintptr_t)o->trust_anchor);
}

int
dns_resolver_new(const struct dns_options *options, struct event_base *base,
	struct dns_resolver **out, struct error *err)
{
	struct dns_resolver *r = xcalloc(1, sizeof(*r));

	*out = NULL;
	options_copy(&r->options, options);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->waiting_mx);
	for (int i = 0; i < STEPS; i++)
		TAILQ_INIT(&r->asked[i]);
	TAILQ_INIT(&r->ready);
	TAILQ_INIT(&r->orphans);
	r->base = base;
	r->query_s = options->query_s == 0 ? DNS_QUERY_S : options->query_s;
	r->ready_event = event_new(base, -1, 0, on_ready, r);
	r->limit_event = event_new(base, -1, 0, on_limit, r);
	assert(r->ready_event != NULL && r->limit_event != NULL);
	if (dns_context_new(options, DNS_WAY_USUAL, base, &r->contexts[DNS_WAY_USUAL], err) < 0) {
		dns_resolver_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

static void
list_free(struct query_list *list)
{
	struct dns_query *q;

	while ((q = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, q, link);
		free(q);
	}
}

void
dns_resolver_free(struct dns_resolver *r)
{
	if (r == NULL)
		return;
	/* Deleting the context calls what is still to come; on_unbound() then only looks away. */
	r->closing = true;
	for (int i = 0; i < DNS_WAYS; i++) {
		if (r->contexts[i] != NULL)
			ub_ctx_delete(r->contexts[i]);
	}
	list_free(&r->waiting);
	list_free(&r->waiting_mx);
	for (int i = 0; i < STEPS; i++)
		list_free(&r->asked[i]);
	list_free(&r->ready);
	list_free(&r->orphans);
	event_free(r->ready_event);
	event_free(r->limit_event);
	options_clear(&r->options);
	free(r);
}

struct dns_query *
dns_query_start(struct dns_resolver *r, const char *name, enum dns_type type, struct arena *arena,
	dns_answer_cb *cb, void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));

	q->resolver = r;
	q->arena = arena;
	q->cb = cb;
	q->cb_arg = arg;
	q->answer = arena_calloc(arena, 1, sizeof(*q->answer));
	q->answer->name = arena_strdup(arena, name);
	q->answer->type = type;
	q->answer->canonical = q->answer->name;
	q->list = WAITING;
	TAILQ_INSERT_TAIL(list_of(q), q, link);
	(void)atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
	log_debug("dns: %s %s", dns_type_name(type), name);
	admit(r);
	return q;
}

void
dns_query_cancel(struct dns_query *q)
{
	if (q != NULL)
		query_free(q);
}

uint64_t
dns_query_count(const struct dns_resolver *r)
{
	return atomic_load_explicit(&r->count, memory_order_relaxed);
}

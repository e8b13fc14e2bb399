#include "verifier/dns.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>
#include <ldns/ldns.h>
#include <unbound.h>
/* Behind unbound.h, which it needs. */
#include <unbound-event.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"

/* One look-up may need several round trips to several slow servers; the domain has a deadline above
 * this one. */
#define DNS_QUERY_S 30
/* Callbacks in one turn of the loop. */
#define READY_BATCH 64

enum { UB_SEC_INSECURE = 0, UB_SEC_BOGUS = 1, UB_SEC_SECURE = 2 };

/*
 * A query stands in exactly one list: `asked` until unbound or its time limit answers, `ready`
 * until its callback is called, `orphans` when its owner is gone but unbound still holds a pointer
 * to it.
 */
struct dns_query {
	TAILQ_ENTRY(dns_query) link;
	struct dns_resolver *resolver; /* borrowed */
	struct arena *arena;           /* borrowed from the caller */
	struct dns_answer *answer;     /* in arena */
	dns_answer_cb *cb;
	void *cb_arg;
	struct timeval deadline; /* on the event loop's clock */
	enum { ASKED, READY, ORPHAN } list;
	bool in_unbound; /* unbound's callback is still to come */
};

TAILQ_HEAD(query_list, dns_query);

struct dns_resolver {
	struct event_base *base; /* borrowed */
	struct ub_ctx *ctx;
	struct query_list asked; /* in order of start, so of deadline */
	struct query_list ready;
	struct query_list orphans;
	struct event *ready_event;
	struct event *limit_event;
	int64_t query_s;
	uint64_t count;
	bool closing;
};

static const char *const usual_anchors[] = {
	"/usr/share/dns/root.key",
	"/var/lib/unbound/root.key",
	"/etc/unbound/root.key",
	"/usr/local/etc/unbound/root.key",
};

static struct query_list *
list_of(struct dns_query *q)
{
	switch (q->list) {
	case ASKED:
		return &q->resolver->asked;
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

/* --- what unbound says --------------------------------------------------------------- */

static void
query_ready(struct dns_query *q)
{
	move_to(q, READY);
	event_active(q->resolver->ready_event, EV_TIMEOUT, 0);
}

static void
on_unbound(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
	int was_ratelimited)
{
	struct dns_query *q = arg;
	char why[64];

	q->in_unbound = false;
	if (q->resolver->closing)
		return;
	if (q->list == ORPHAN) {
		TAILQ_REMOVE(&q->resolver->orphans, q, link);
		free(q);
		return;
	}
	if (q->list == READY)
		return; /* it ran out of time first */
	if (sec == UB_SEC_BOGUS) {
		q->answer->secure = DNS_BOGUS;
		dns_answer_fail(q->answer, q->arena,
			why_bogus == NULL ? "DNSSEC validation failed" : why_bogus);
	} else if (rcode != 0 || packet == NULL || packet_len <= 0) {
		(void)snprintf(why, sizeof(why), "no usable answer from the name servers%s",
			was_ratelimited ? " (rate limit)" : "");
		dns_answer_fail(q->answer, q->arena, why);
	} else {
		q->answer->secure = sec == UB_SEC_SECURE ? DNS_SECURE : DNS_INSECURE;
		dns_answer_parse(packet, (size_t)packet_len, q->arena, q->answer);
	}
	query_ready(q);
}

static void
query_free(struct dns_query *q)
{
	if (q->in_unbound) {
		move_to(q, ORPHAN);
		return;
	}
	TAILQ_REMOVE(list_of(q), q, link);
	free(q);
}

static void
on_ready(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct dns_resolver *r = arg;
	struct dns_query *q;

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
arm_limit(struct dns_resolver *r)
{
	struct dns_query *first = TAILQ_FIRST(&r->asked);
	struct timeval now, wait = {0, 0};

	if (first == NULL) {
		event_del(r->limit_event);
		return;
	}
	event_base_gettimeofday_cached(r->base, &now);
	if (evutil_timercmp(&first->deadline, &now, >))
		evutil_timersub(&first->deadline, &now, &wait);
	event_add(r->limit_event, &wait);
}

static void
on_limit(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct dns_resolver *r = arg;
	struct dns_query *q;
	struct timeval now;

	event_base_gettimeofday_cached(r->base, &now);
	while ((q = TAILQ_FIRST(&r->asked)) != NULL && !evutil_timercmp(&q->deadline, &now, >)) {
		dns_answer_fail(q->answer, q->arena, "no answer in time");
		query_ready(q);
	}
	arm_limit(r);
}

/* --- interface ----------------------------------------------------------------------- */

static int
set_option(struct ub_ctx *ctx, const char *name, const char *value, struct error *err)
{
	int rc = ub_ctx_set_option(ctx, name, value);

	if (rc != 0)
		return error_set(err, ERROR_CONFIG, "dns: %s %s: %s", name, value, ub_strerror(rc));
	return 0;
}

static int
set_options(struct dns_resolver *r, const struct dns_options *o, struct error *err)
{
	char number[32], date[32];
	unsigned int queries = o->concurrency < 100 ? 1000 : o->concurrency * 10;
	unsigned int sockets = o->concurrency < 100 ? 200 : o->concurrency * 2;
	static const char *const fixed[][2] = {
		{"do-not-query-localhost:", "no"}, /* a forwarder on loopback is the lab's */
		{"val-bogus-ttl:", "60"},          /* R2.10 */
		{"infra-host-ttl:", "60"},         /* likewise: a server that is down */
		{"cache-max-ttl:", "3600"},        /* entries are looked at anew every 6 hours */
		{"cache-max-negative-ttl:", "900"},
		{"msg-cache-size:", "16m"},
		{"rrset-cache-size:", "32m"},
		{"key-cache-size:", "8m"},
		{"neg-cache-size:", "4m"},
		{"outgoing-num-tcp:", "50"},
		{"qname-minimisation:", "yes"},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (set_option(r->ctx, fixed[i][0], fixed[i][1], err) < 0)
			return -1;
	}
	(void)snprintf(number, sizeof(number), "%u", sockets > 4096 ? 4096 : sockets);
	if (set_option(r->ctx, "outgoing-range:", number, err) < 0)
		return -1;
	(void)snprintf(number, sizeof(number), "%u", queries > 20000 ? 20000 : queries);
	if (set_option(r->ctx, "num-queries-per-thread:", number, err) < 0)
		return -1;
	if (o->clock.fixed) {
		char text[CLOCK_TEXT_SIZE];
		size_t n = 0;

		clock_format(clock_now(&o->clock), text);
		for (const char *p = text; *p != '\0'; p++) {
			if (str_is_digit(*p))
				date[n++] = *p;
		}
		date[n] = '\0';
		if (set_option(r->ctx, "val-override-date:", date, err) < 0)
			return -1;
	}
	return 0;
}

static int
set_files(struct dns_resolver *r, const struct dns_options *o, struct error *err)
{
	const char *anchor = o->trust_anchor;
	int rc;

	for (size_t i = 0; anchor == NULL && i < ARRAY_LEN(usual_anchors); i++) {
		if (access(usual_anchors[i], R_OK) == 0)
			anchor = usual_anchors[i];
	}
	if (anchor == NULL) {
		return error_set(err, ERROR_CONFIG,
			"no DNSSEC trust anchor found; install dns-root-data or set trust_anchor");
	}
	if (access(anchor, R_OK) < 0)
		return error_set_errno(err, ERROR_CONFIG, "trust anchor %s", anchor);
	if ((rc = ub_ctx_add_ta_file(r->ctx, anchor)) != 0)
		return error_set(err, ERROR_CONFIG, "trust anchor %s: %s", anchor, ub_strerror(rc));
	if (o->root_hints != NULL) {
		if (access(o->root_hints, R_OK) < 0)
			return error_set_errno(err, ERROR_CONFIG, "root hints %s", o->root_hints);
		if (set_option(r->ctx, "root-hints:", o->root_hints, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->forward_count; i++) {
		if ((rc = ub_ctx_set_fwd(r->ctx, o->forward[i])) != 0) {
			return error_set(err, ERROR_CONFIG, "forward \"%s\": %s; want ADDRESS@PORT",
				o->forward[i], ub_strerror(rc));
		}
	}
	/* The first thing asked of a context reads its files and reports what is wrong in them. By
	 * default unbound answers for test. and invalid. itself; here DNS is asked (the lab lives
	 * under test). */
	if ((rc = ub_ctx_zone_remove(r->ctx, "test.")) != 0 ||
		(rc = ub_ctx_zone_remove(r->ctx, "invalid.")) != 0) {
		return error_set(err, ERROR_CONFIG,
			"cannot start the resolver (trust anchor %s%s%s): %s", anchor,
			o->root_hints == NULL ? "" : ", root hints ",
			o->root_hints == NULL ? "" : o->root_hints, ub_strerror(rc));
	}
	return 0;
}

int
dns_resolver_new(const struct dns_options *options, struct event_base *base,
	struct dns_resolver **out, struct error *err)
{
	struct dns_resolver *r = xcalloc(1, sizeof(*r));

	*out = NULL;
	TAILQ_INIT(&r->asked);
	TAILQ_INIT(&r->ready);
	TAILQ_INIT(&r->orphans);
	r->base = base;
	r->query_s = options->query_s == 0 ? DNS_QUERY_S : options->query_s;
	r->ready_event = event_new(base, -1, 0, on_ready, r);
	r->limit_event = event_new(base, -1, 0, on_limit, r);
	assert(r->ready_event != NULL && r->limit_event != NULL);
	r->ctx = ub_ctx_create_event(base);
	if (r->ctx == NULL) {
		(void)error_set(err, ERROR_TEMP, "cannot make a DNS resolver context");
		goto fail;
	}
	if (set_options(r, options, err) < 0 || set_files(r, options, err) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	dns_resolver_free(r);
	return -1;
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
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	list_free(&r->asked);
	list_free(&r->ready);
	list_free(&r->orphans);
	event_free(r->ready_event);
	event_free(r->limit_event);
	free(r);
}

struct dns_query *
dns_query_start(struct dns_resolver *r, const char *name, enum dns_type type, struct arena *arena,
	dns_answer_cb *cb, void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));
	int rc, id;

	q->resolver = r;
	q->arena = arena;
	q->cb = cb;
	q->cb_arg = arg;
	q->answer = arena_calloc(arena, 1, sizeof(*q->answer));
	q->answer->name = arena_strdup(arena, name);
	q->answer->type = type;
	q->answer->canonical = q->answer->name;
	event_base_gettimeofday_cached(r->base, &q->deadline);
	q->deadline.tv_sec += r->query_s;
	q->list = ASKED;
	TAILQ_INSERT_TAIL(&r->asked, q, link);
	r->count++;
	q->in_unbound = true;
	/* The callback may come before this returns; it only moves the query to `ready`. */
	rc = ub_resolve_event(
		r->ctx, name, dns_type_number(type), LDNS_RR_CLASS_IN, q, on_unbound, &id);
	if (rc != 0) {
		q->in_unbound = false;
		dns_answer_fail(q->answer, q->arena, ub_strerror(rc));
		query_ready(q);
	}
	if (TAILQ_FIRST(&r->asked) == q)
		arm_limit(r);
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
	return r->count;
}

/*
 * A host:     RESOLVE (A, AAAA; then SOA or TLSA) and PROBE side by side -> DONE
 * A session:  waits at a gate -> probe -> perhaps once more -> finished
 */
#include "verifier/mx_host.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "common/arena.h"
#include "common/xalloc.h"
#include "verifier/domain_name.h"

#define READY_BATCH 64
/* R2.10: what rests on a failed look-up is not kept for longer. */
#define FAILURE_SHARED_S 60
/* R6.6: an odd end of the handshake counts when it comes twice. */
#define ATTEMPTS_MAX 2

struct host_entry;
struct session;

TAILQ_HEAD(session_list, session);

/* A limit on sessions that share a key; those over it wait here in order. */
struct gate {
	const char *key; /* owned; first for compare_gates() */
	unsigned int active;
	unsigned int limit;
	unsigned int pins; /* not to be dropped: its line is being walked */
	struct session_list queue;
};

enum { GATE_ALL, GATE_OPERATOR, GATE_ADDRESS, GATES };

/* One SMTP session of a host: an address under a server name. */
struct session {
	TAILQ_ENTRY(session) link; /* in a gate's queue */
	struct host_entry *entry;
	struct mx_address *address; /* in the entry's arena */
	const char *server_name;
	bool for_pkix; /* its result is the address's; else only its chain counts, for DANE */
	unsigned int attempts;
	struct smtp_probe *probe; /* NULL unless running */
	struct gate *waiting;     /* NULL unless queued */
	bool waited;
	struct gate *held[GATES]; /* while running */
	bool finished;
	enum smtp_reach reach;
	enum verdict starttls;
	const char *code;
	STACK_OF(X509) * chain; /* owned until judged */
	struct finding_list findings;
};

struct mx_host_ref {
	TAILQ_ENTRY(mx_host_ref) link; /* in entry->waiters until called */
	struct host_entry *entry;
	mx_host_cb *cb; /* NULL once called */
	void *cb_arg;
};

struct host_entry {
	struct mx_host host; /* first: name is the key */
	struct mx_host_table *table;
	struct arena *arena;
	struct dns_query *query[2];
	struct dns_query *extra; /* SOA of the registrable domain, CNAME, or TLSA */
	unsigned int tlsa_tries;
	struct session *sessions; /* in arena */
	size_t session_count;
	unsigned int pending; /* look-ups and sessions still to end */
	bool done;
	bool in_tree, in_ready, in_idle;
	unsigned int refs;
	int64_t done_s;
	TAILQ_HEAD(, mx_host_ref) waiters;
	TAILQ_ENTRY(host_entry) ready_link;
	TAILQ_ENTRY(host_entry) idle_link;
};

struct mx_host_table {
	struct mx_host_options options;
	struct event_base *base;
	void *by_name;                  /* tsearch() tree of struct host_entry */
	void *gates[GATES];             /* tsearch() trees of struct gate */
	TAILQ_HEAD(, host_entry) ready; /* done, with waiters to be called */
	TAILQ_HEAD(, host_entry) idle;  /* done, in the tree, oldest first */
	size_t idle_count;
	struct event *ready_event;
	struct mx_host_stats stats;
};

static int
compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct host_entry *)a)->host.name,
		((const struct host_entry *)b)->host.name);
}

static int
compare_gates(const void *a, const void *b)
{
	return strcmp(((const struct gate *)a)->key, ((const struct gate *)b)->key);
}

static int64_t
loop_s(const struct mx_host_table *t)
{
	struct timeval now;

	event_base_gettimeofday_cached(t->base, &now);
	return now.tv_sec;
}

/* --- entries ------------------------------------------------------------------------- */

static void
entry_free(struct host_entry *e)
{
	dns_query_cancel(e->query[0]);
	dns_query_cancel(e->query[1]);
	dns_query_cancel(e->extra);
	for (size_t i = 0; i < e->session_count; i++) {
		smtp_probe_cancel(e->sessions[i].probe);
		sk_X509_pop_free(e->sessions[i].chain, X509_free);
	}
	for (size_t i = 0; i < e->host.address_count; i++)
		sk_X509_pop_free(e->host.addresses[i].chain, X509_free);
	arena_free(e->arena);
	free(e);
}

/* Out of the tree: whoever asks next looks anew. */
static void
entry_forget(struct host_entry *e)
{
	struct mx_host_table *t = e->table;

	(void)tdelete(e, &t->by_name, compare_entries);
	e->in_tree = false;
	if (e->in_idle) {
		TAILQ_REMOVE(&t->idle, e, idle_link);
		e->in_idle = false;
		t->idle_count--;
	}
	if (e->refs == 0)
		entry_free(e);
}

static void
forget_old(struct mx_host_table *t)
{
	struct host_entry *e;
	int64_t now = loop_s(t);

	while ((e = TAILQ_FIRST(&t->idle)) != NULL &&
		(now - e->done_s >= t->options.share_s || t->idle_count > MX_HOSTS_SHARED_MAX))
		entry_forget(e);
}

static void
make_ready(struct host_entry *e)
{
	if (!e->in_ready) {
		e->in_ready = true;
		TAILQ_INSERT_TAIL(&e->table->ready, e, ready_link);
	}
	event_active(e->table->ready_event, EV_TIMEOUT, 0);
}

static void
on_ready(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct mx_host_table *t = arg;
	struct host_entry *e;

	for (int i = 0; i < READY_BATCH && (e = TAILQ_FIRST(&t->ready)) != NULL; i++) {
		struct mx_host_ref *ref = TAILQ_FIRST(&e->waiters);
		mx_host_cb *cb;

		if (ref == NULL) {
			TAILQ_REMOVE(&t->ready, e, ready_link);
			e->in_ready = false;
			if (e->refs == 0 && !e->in_tree)
				entry_free(e);
			continue;
		}
		TAILQ_REMOVE(&e->waiters, ref, link);
		cb = ref->cb;
		ref->cb = NULL;
		cb(ref->cb_arg);
	}
	if (!TAILQ_EMPTY(&t->ready))
		event_active(t->ready_event, EV_TIMEOUT, 0);
	else
		forget_old(t);
}

/* --- judgement ----------------------------------------------------------------------- */

static bool
has_issuer_record(const struct tlsa_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->records[i].considered && set->records[i].usage == TLSA_USAGE_DANE_TA)
			return true;
	}
	return false;
}

static void
judge_pkix(struct host_entry *e, const struct session *s)
{
	const struct mx_host_options *o = &e->table->options;
	struct mx_address *a = s->address;
	const X509 *leaf;

	a->starttls = s->starttls;
	a->code = s->code;
	a->findings = s->findings;
	a->pkix = s->starttls == VERDICT_PASS ? VERDICT_FAIL : s->starttls;
	if (s->chain == NULL)
		return;
	leaf = sk_X509_value(s->chain, 0);
	a->spki_sha256 = pkix_spki_sha256(leaf, e->arena);
	a->cert_sha256 = pkix_certificate_sha256(leaf, e->arena);
	pkix_judge(
		o->store, s->chain, e->host.name, clock_now(&o->clock), e->arena, &a->pkix_result);
	if (a->starttls == VERDICT_PASS)
		a->pkix = a->pkix_result.verdict;
}

static void
judge_dane(struct host_entry *e, struct session *s)
{
	const struct mx_host_options *o = &e->table->options;
	struct mx_address *a = s->address;
	/* R14.6: the base domain and, asked for later, the next hop; the MX name before expansion
	 * counts only when it is the base. */
	const char *const names[1] = {e->host.tlsa_base};
	int64_t now = clock_now(&o->clock);

	if (s->starttls == VERDICT_UNKNOWN) {
		a->dane_session = DANE_SESSION_NONE;
		return;
	}
	if (s->starttls == VERDICT_FAIL && s->chain == NULL) {
		a->dane_session = DANE_SESSION_NO_STARTTLS;
		return;
	}
	dane_match(o->dane, &e->host.tlsa, s->chain, names, 1, now, e->arena, &a->dane);
	a->dane_session = a->dane.result == DANE_MATCH ? DANE_SESSION_MATCH : DANE_SESSION_MISMATCH;
	dane_report_stale(o->dane, &e->host.tlsa, s->chain, names, 1, now, &a->dane,
		e->host.tlsa_owner, &e->host.tlsa_findings);
	if (has_issuer_record(&e->host.tlsa) && a->dane.result != DANE_MATCH) {
		a->chain = s->chain;
		s->chain = NULL;
	}
}

static void
entry_done(struct host_entry *e)
{
	bool dane = e->host.tlsa_lookup == DANE_LOOKUP_SECURE && e->host.tlsa.usable_count > 0;
	bool encrypt_only = e->host.tlsa_lookup == DANE_LOOKUP_SECURE && !dane;

	for (size_t i = 0; i < e->session_count; i++) {
		struct session *s = &e->sessions[i];

		s->address->answered |= s->reach == SMTP_REACH_GREETING;
		if (s->for_pkix)
			judge_pkix(e, s);
		if (encrypt_only && s->starttls == VERDICT_FAIL && s->chain == NULL)
			s->address->dane_session = DANE_SESSION_NO_STARTTLS;
		/* The session under the base domain comes behind the one under the MX name. */
		if (dane && strcmp(s->server_name, e->host.tlsa_base) == 0)
			judge_dane(e, s);
		sk_X509_pop_free(s->chain, X509_free);
		s->chain = NULL;
	}
	e->done = true;
	e->done_s = loop_s(e->table);
	if (e->in_tree) {
		TAILQ_INSERT_TAIL(&e->table->idle, e, idle_link);
		e->in_idle = true;
		e->table->idle_count++;
	}
	make_ready(e);
}

static void
one_less(struct host_entry *e)
{
	assert(e->pending > 0);
	if (--e->pending == 0)
		entry_done(e);
}

/* --- gates --------------------------------------------------------------------------- */

static struct gate *
gate_get(struct mx_host_table *t, int kind, const char *key)
{
	struct gate probe = {.key = key}, *g;
	void *node = tfind(&probe, &t->gates[kind], compare_gates);

	if (node != NULL)
		return *(struct gate **)node;
	g = xcalloc(1, sizeof(*g));
	g->key = xstrdup(key);
	g->limit = kind == GATE_ALL     ? t->options.sessions
		: kind == GATE_OPERATOR ? t->options.per_operator
					: t->options.per_address;
	if (g->limit == 0)
		g->limit = 1;
	TAILQ_INIT(&g->queue);
	if (tsearch(g, &t->gates[kind], compare_gates) == NULL)
		abort(); /* out of memory */
	return g;
}

static void
gate_drop(struct mx_host_table *t, int kind, struct gate *g)
{
	union {
		const char *in;
		char *out;
	} key = {g->key};

	if (g->active > 0 || g->pins > 0 || !TAILQ_EMPTY(&g->queue))
		return;
	(void)tdelete(g, &t->gates[kind], compare_gates);
	free(key.out);
	free(g);
}

static void on_probe(const struct smtp_probe_result *result, void *arg);

/* Through all gates, or into the line of the first that is full. */
static void
session_try(struct session *s)
{
	struct mx_host_table *t = s->entry->table;
	struct gate *g[GATES];

	g[GATE_ALL] = gate_get(t, GATE_ALL, "");
	g[GATE_OPERATOR] = gate_get(t, GATE_OPERATOR, domain_name_registrable(s->entry->host.name));
	g[GATE_ADDRESS] = gate_get(t, GATE_ADDRESS, s->address->text);
	for (int i = 0; i < GATES; i++) {
		if (g[i]->active < g[i]->limit)
			continue;
		s->waiting = g[i];
		s->waited = true;
		TAILQ_INSERT_TAIL(&g[i]->queue, s, link);
		for (int k = 0; k < GATES; k++)
			gate_drop(t, k, g[k]);
		return;
	}
	for (int i = 0; i < GATES; i++) {
		g[i]->active++;
		s->held[i] = g[i];
	}
	s->attempts++;
	t->stats.sessions++;
	s->probe = smtp_probe_start(t->options.prober, &s->address->address, s->server_name,
		s->entry->arena, s->address->subject, on_probe, s);
}

static void
session_release(struct session *s)
{
	struct mx_host_table *t = s->entry->table;
	struct gate *held[GATES];

	memcpy(held, s->held, sizeof(held));
	memset(s->held, 0, sizeof(s->held));
	for (int i = 0; i < GATES; i++) {
		held[i]->active--;
		held[i]->pins++;
	}
	for (int i = 0; i < GATES; i++) {
		struct session *next;

		/* Whoever is let go here may have to wait at another gate. */
		while (held[i]->active < held[i]->limit &&
			(next = TAILQ_FIRST(&held[i]->queue)) != NULL) {
			TAILQ_REMOVE(&held[i]->queue, next, link);
			next->waiting = NULL;
			session_try(next);
		}
	}
	for (int i = 0; i < GATES; i++) {
		held[i]->pins--;
		gate_drop(t, i, held[i]);
	}
}

static void
on_probe(const struct smtp_probe_result *result, void *arg)
{
	struct session *s = arg;
	struct mx_address *a = s->address;

	s->probe = NULL;
	session_release(s);
	if (result->repeat && s->attempts < ATTEMPTS_MAX) {
		session_try(s);
		return;
	}
	s->finished = true;
	s->reach = result->reach;
	s->starttls = result->starttls;
	s->code = result->code;
	s->findings = result->findings;
	if (s->for_pkix) {
		a->connect_errno = result->connect_errno;
		a->tls_version = result->tls_version;
		a->cipher = result->cipher;
		a->client_cert_requested = result->client_cert_requested;
	}
	s->chain = result->chain == NULL ? NULL : X509_chain_up_ref(result->chain);
	one_less(s->entry);
}

static void
sessions_start(struct host_entry *e, const char *server_name, bool for_pkix)
{
	size_t first = e->session_count;

	for (size_t i = 0; i < e->host.address_count; i++) {
		struct session *s;

		if (e->host.addresses[i].special != NULL)
			continue;
		s = &e->sessions[e->session_count++];
		s->entry = e;
		s->address = &e->host.addresses[i];
		s->server_name = server_name;
		s->for_pkix = for_pkix;
		e->pending++;
	}
	for (size_t i = first; i < e->session_count; i++)
		session_try(&e->sessions[i]);
}

/* --- look-ups ------------------------------------------------------------------------ */

static enum dane_lookup
lookup_of(const struct dns_answer *a)
{
	if (a->status == DNS_FAILED)
		return a->secure == DNS_BOGUS ? DANE_LOOKUP_BOGUS : DANE_LOOKUP_FAILED;
	return a->secure == DNS_SECURE ? DANE_LOOKUP_SECURE : DANE_LOOKUP_INSECURE;
}

static void on_tlsa(const struct dns_answer *answer, void *arg);

static void
tlsa_start(struct host_entry *e, const char *base)
{
	e->tlsa_tries++;
	e->host.tlsa_base = base;
	e->host.tlsa_owner = arena_printf(e->arena, "_25._tcp.%s", base);
	e->pending++;
	e->extra = dns_query_start(
		e->table->options.resolver, e->host.tlsa_owner, DNS_TLSA, e->arena, on_tlsa, e);
}

static void
tlsa_take(struct host_entry *e, const struct dns_answer *answer)
{
	e->host.tlsa.records = arena_calloc(e->arena, answer->count, sizeof(struct tlsa_record));
	e->host.tlsa.count = answer->count;
	for (size_t i = 0; i < answer->count; i++) {
		tlsa_record_from_wire(answer->records[i].data, answer->records[i].len, e->arena,
			&e->host.tlsa.records[i]);
	}
	tlsa_set_judge(&e->host.tlsa);
	/* R6.1: DANE sends the base domain as server name. */
	if (e->host.tlsa.usable_count > 0 && strcmp(e->host.tlsa_base, e->host.name) != 0)
		sessions_start(e, e->host.tlsa_base, false);
}

static void
on_tlsa(const struct dns_answer *answer, void *arg)
{
	struct host_entry *e = arg;
	struct mx_host *h = &e->host;
	bool last = strcmp(h->tlsa_base, h->name) == 0 || e->tlsa_tries > 1;

	e->extra = NULL;
	if (answer->status == DNS_FAILED) {
		/* R12.8: never on to the next name. */
		h->tlsa_lookup =
			answer->secure == DNS_BOGUS ? DANE_LOOKUP_BOGUS : DANE_LOOKUP_FAILED;
		h->tlsa_why = answer->why;
	} else if (answer->status == DNS_FOUND && answer->secure == DNS_SECURE) {
		h->tlsa_lookup = DANE_LOOKUP_SECURE;
		tlsa_take(e, answer);
	} else if (!last) {
		tlsa_start(e, h->name);
	} else {
		h->tlsa_lookup =
			answer->status == DNS_FOUND ? DANE_LOOKUP_INSECURE : DANE_LOOKUP_ABSENT;
	}
	one_less(e);
}

/* The address look-up counts as failed: it is not known whether the host can have an address. */
static void
lookup_failed(struct mx_host *h, const struct dns_answer *answer)
{
	h->address_lookup = lookup_of(answer);
	h->secure = h->address_lookup == DANE_LOOKUP_BOGUS ? DNS_BOGUS : DNS_UNCHECKED;
	h->failed = answer;
}

static void
on_registrable(const struct dns_answer *answer, void *arg)
{
	struct host_entry *e = arg;

	e->extra = NULL;
	if (answer->status == DNS_NXDOMAIN)
		e->host.dangling = answer->name;
	else if (answer->status == DNS_FAILED)
		lookup_failed(&e->host, answer);
	one_less(e);
}

/* R12.5: whether the first alias is signed, although what it leads to is not. */
static void
on_alias(const struct dns_answer *answer, void *arg)
{
	struct host_entry *e = arg;

	e->extra = NULL;
	if (answer->status == DNS_FAILED) {
		lookup_failed(&e->host, answer);
	} else if (answer->status == DNS_FOUND && answer->secure == DNS_SECURE) {
		e->host.secure_alias = true;
		tlsa_start(e, e->host.name);
	}
	one_less(e);
}

static void
addresses_take(struct host_entry *e, const struct dns_answer *answer)
{
	struct mx_host *h = &e->host;

	for (size_t i = 0; i < answer->count; i++) {
		struct mx_address *a = &h->addresses[h->address_count];
		char text[ADDRESS_TEXT_SIZE];

		if (h->address_count == MX_ADDRESSES_MAX) {
			h->too_many = true;
			return;
		}
		if (address_from_bytes(answer->records[i].data, answer->records[i].len,
			    e->table->options.port, &a->address) < 0)
			continue;
		address_format(&a->address, text);
		a->text = arena_strdup(e->arena, text);
		a->subject = arena_printf(e->arena, "%s[%s]", h->name, text);
		if (!address_filter_permits(e->table->options.filter, &a->address)) {
			a->special = address_special(&a->address);
			assert(a->special != NULL);
		}
		finding_list_init(&a->findings, e->arena);
		h->address_count++;
	}
}

static void
on_addresses(struct host_entry *e)
{
	struct mx_host *h = &e->host;
	const struct dns_answer *found = h->a->count > 0 ? h->a : h->aaaa;
	enum dane_lookup a = lookup_of(h->a), aaaa = lookup_of(h->aaaa);
	const char *registrable = domain_name_registrable(h->a->canonical);

	/* The worse of the two: insecure, failed, bogus in this order. */
	if (a == DANE_LOOKUP_BOGUS || aaaa == DANE_LOOKUP_BOGUS)
		h->address_lookup = DANE_LOOKUP_BOGUS;
	else if (a == DANE_LOOKUP_FAILED || aaaa == DANE_LOOKUP_FAILED)
		h->address_lookup = DANE_LOOKUP_FAILED;
	else if (a == DANE_LOOKUP_INSECURE || aaaa == DANE_LOOKUP_INSECURE)
		h->address_lookup = DANE_LOOKUP_INSECURE;
	else
		h->address_lookup = DANE_LOOKUP_SECURE;
	h->secure = h->address_lookup == DANE_LOOKUP_SECURE ? DNS_SECURE
		: h->address_lookup == DANE_LOOKUP_INSECURE ? DNS_INSECURE
		: h->address_lookup == DANE_LOOKUP_BOGUS    ? DNS_BOGUS
							    : DNS_UNCHECKED;
	h->failed = h->a->status == DNS_FAILED  ? h->a
		: h->aaaa->status == DNS_FAILED ? h->aaaa
						: NULL;
	h->addresses = arena_calloc(e->arena, MX_ADDRESSES_MAX + 1, sizeof(*h->addresses));
	addresses_take(e, h->a);
	addresses_take(e, h->aaaa);
	if (h->address_count == 0) {
		/* R3.12, also for the domain at the end of the host's aliases. */
		if (h->a->status == DNS_NXDOMAIN && strcmp(registrable, h->a->canonical) == 0) {
			h->dangling = registrable;
		} else if (h->a->status == DNS_NXDOMAIN) {
			e->pending++;
			e->extra = dns_query_start(e->table->options.resolver, registrable, DNS_SOA,
				e->arena, on_registrable, e);
		}
		return;
	}
	if (h->too_many)
		return;
	e->sessions = arena_calloc(e->arena, 2 * h->address_count, sizeof(*e->sessions));
	sessions_start(e, h->name, true);
	/* R12.4, R12.5 */
	if (h->address_lookup == DANE_LOOKUP_SECURE) {
		tlsa_start(e, found->aliases > 0 ? found->canonical : h->name);
	} else if (h->address_lookup == DANE_LOOKUP_INSECURE && found->aliases > 0) {
		e->pending++;
		e->extra = dns_query_start(
			e->table->options.resolver, h->name, DNS_CNAME, e->arena, on_alias, e);
	}
}

static void
on_address(const struct dns_answer *answer, void *arg)
{
	struct host_entry *e = arg;

	if (answer->type == DNS_A) {
		e->query[0] = NULL;
		e->host.a = answer;
	} else {
		e->query[1] = NULL;
		e->host.aaaa = answer;
	}
	if (e->host.a != NULL && e->host.aaaa != NULL)
		on_addresses(e);
	one_less(e);
}

/* --- interface ----------------------------------------------------------------------- */

void
mx_host_table_new(
	const struct mx_host_options *options, struct event_base *base, struct mx_host_table **out)
{
	struct mx_host_table *t = xcalloc(1, sizeof(*t));

	t->options = *options;
	t->base = base;
	TAILQ_INIT(&t->ready);
	TAILQ_INIT(&t->idle);
	t->ready_event = event_new(base, -1, 0, on_ready, t);
	assert(t->ready_event != NULL);
	*out = t;
}

static void
free_entry(void *node)
{
	entry_free(node);
}

static void
free_gate(void *node)
{
	struct gate *g = node;
	union {
		const char *in;
		char *out;
	} key = {g->key};

	free(key.out);
	free(g);
}

void
mx_host_table_free(struct mx_host_table *t)
{
	struct host_entry *e, *next;

	if (t == NULL)
		return;
	/* Done and out of the tree, but still in line to find out that nobody waits. */
	for (e = TAILQ_FIRST(&t->ready); e != NULL; e = next) {
		next = TAILQ_NEXT(e, ready_link);
		if (!e->in_tree)
			entry_free(e);
	}
	tdestroy(t->by_name, free_entry);
	for (int i = 0; i < GATES; i++)
		tdestroy(t->gates[i], free_gate);
	event_free(t->ready_event);
	free(t);
}

static struct host_entry *
entry_new(struct mx_host_table *t, const char *name)
{
	struct host_entry *e = xcalloc(1, sizeof(*e));

	e->table = t;
	e->arena = arena_new();
	e->host.name = arena_strdup(e->arena, name);
	finding_list_init(&e->host.tlsa_findings, e->arena);
	TAILQ_INIT(&e->waiters);
	if (tsearch(e, &t->by_name, compare_entries) == NULL)
		abort(); /* out of memory */
	e->in_tree = true;
	e->pending = 2;
	e->query[0] = dns_query_start(t->options.resolver, name, DNS_A, e->arena, on_address, e);
	e->query[1] = dns_query_start(t->options.resolver, name, DNS_AAAA, e->arena, on_address, e);
	return e;
}

static bool
has_failed_lookup(const struct host_entry *e)
{
	return e->done &&
		(e->host.failed != NULL || e->host.tlsa_lookup == DANE_LOOKUP_FAILED ||
			e->host.tlsa_lookup == DANE_LOOKUP_BOGUS);
}

struct mx_host_ref *
mx_host_get(struct mx_host_table *t, const char *name, mx_host_cb *cb, void *arg)
{
	struct mx_host_ref *ref = xcalloc(1, sizeof(*ref));
	struct host_entry key = {.host = {.name = name}}, *e;
	void *node;

	forget_old(t);
	node = tfind(&key, &t->by_name, compare_entries);
	if (node != NULL && has_failed_lookup(*(struct host_entry **)node) &&
		loop_s(t) - (*(struct host_entry **)node)->done_s >= FAILURE_SHARED_S) {
		entry_forget(*(struct host_entry **)node);
		node = NULL;
	}
	if (node != NULL)
		t->stats.shared++;
	e = node != NULL ? *(struct host_entry **)node : entry_new(t, name);
	ref->entry = e;
	ref->cb = cb;
	ref->cb_arg = arg;
	e->refs++;
	TAILQ_INSERT_TAIL(&e->waiters, ref, link);
	if (e->done)
		make_ready(e);
	return ref;
}

void
mx_host_release(struct mx_host_ref *ref)
{
	struct host_entry *e;

	if (ref == NULL)
		return;
	e = ref->entry;
	if (ref->cb != NULL)
		TAILQ_REMOVE(&e->waiters, ref, link);
	free(ref);
	/* What is under way goes on: its own limits end it, and others may ask for it. */
	if (--e->refs == 0 && !e->in_tree && !e->in_ready)
		entry_free(e);
}

const struct mx_host *
mx_host_of(const struct mx_host_ref *ref)
{
	return ref->entry->done ? &ref->entry->host : NULL;
}

bool
mx_host_is_waiting(const struct mx_host_ref *ref)
{
	const struct host_entry *e = ref->entry;
	unsigned int waiting = 0;

	if (ref->cb == NULL || e->done)
		return false;
	for (size_t i = 0; i < e->session_count; i++)
		waiting += e->sessions[i].waiting != NULL;
	return waiting > 0 && waiting == e->pending;
}

bool
mx_host_was_held_up(const struct mx_host_ref *ref)
{
	const struct host_entry *e = ref->entry;

	for (size_t i = 0; i < e->session_count; i++) {
		if (!e->done && e->sessions[i].waited)
			return true;
	}
	return false;
}

void
mx_host_match_domain(struct mx_host_table *t, const struct mx_host *host,
	const struct mx_address *address, const char *const *domains, size_t count,
	struct arena *arena, struct dane_match *out)
{
	const char *names[4] = {host->tlsa_base};
	size_t n = 1;

	*out = address->dane;
	if (address->dane.result != DANE_NAME_MISMATCH || address->chain == NULL)
		return;
	for (size_t i = 0; i < count && n < ARRAY_LEN(names); i++)
		names[n++] = domains[i];
	dane_match(t->options.dane, &host->tlsa, address->chain, names, n,
		clock_now(&t->options.clock), arena, out);
}

struct mx_host_stats
mx_host_get_stats(const struct mx_host_table *t)
{
	return t->stats;
}

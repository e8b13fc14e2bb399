/*
 * dns: look-ups on the event loop, validated here (libunbound), parsed by ldns.
 *
 *	dns_resolver_new(&options, base, &resolver, err);
 *	q = dns_query_start(resolver, "example.org", DNS_MX, arena, on_answer, arg);
 *	    on_answer(const struct dns_answer *answer, void *arg): exactly once, from the loop
 *	dns_query_cancel(q);                        instead, before the callback has come
 *
 * The state is this vantage point's own DNSSEC validation from the trust anchor, never an AD bit
 * (R2.1). "Could not tell" is DNS_FAILED: time-out, SERVFAIL, REFUSED, bogus; it is never "no such
 * record" (R2.4, R2.5). Failures are cached for at most 60 s (R2.10). One resolver belongs to one
 * thread.
 */
#ifndef VERIFIER_DNS_H
#define VERIFIER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/clock.h"
#include "verifier/dns_answer.h"

struct arena;
struct dns_query;
struct dns_resolver;
struct error;
struct event_base;

typedef void dns_answer_cb(const struct dns_answer *answer, void *arg);

/* One look-up may need several round trips to several slow servers; the domain has a deadline above
 * this one. */
#define DNS_QUERY_S 30

struct dns_options {
	struct clock clock;         /* a fixed one is the time signatures are judged at */
	const char *const *forward; /* "ADDR@PORT" or "ADDR" */
	size_t forward_count;
	const char *root_hints;
	const char *trust_anchor; /* NULL: the first of the usual places that is there */
	unsigned int concurrency; /* domains in flight: scales sockets and caches */
	unsigned int resolvers;   /* of this program, which divide the caches' memory; 0: one */
	int64_t query_s;          /* for one look-up, retries included; 0: DNS_QUERY_S */
};

/* base is borrowed. Unreadable files and malformed options are ERROR_CONFIG. */
int dns_resolver_new(const struct dns_options *options, struct event_base *base,
	struct dns_resolver **out, struct error *err) MUST_CHECK;
/* Callbacks of look-ups under way do not come any more. NULL is allowed. Never from a callback. */
void dns_resolver_free(struct dns_resolver *r);

/* name: A-labels, with or without root dot; borrowed until this returns. Never fails: what is wrong
 * comes as DNS_FAILED. The handle is valid until the callback is called or it is cancelled. */
struct dns_query *dns_query_start(struct dns_resolver *r, const char *name, enum dns_type type,
	struct arena *arena, dns_answer_cb *cb, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void dns_query_cancel(struct dns_query *q);

/* Any thread. */
uint64_t dns_query_count(const struct dns_resolver *r);

#endif

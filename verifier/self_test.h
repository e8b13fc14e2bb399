/*
 * self_test: whether a vantage point can be believed, found out before it judges others.
 *
 *	self_test_start(&engine_options, base, on_tested, arg, &t, err);
 *	    on_tested(findings, arg): exactly once, from the loop, never before the start has returned
 *	self_test_free(t);              in the callback, behind it, or instead
 *
 * R2.2: a name that is signed must be secure, and one whose signatures are broken bogus. R4.2: a mail
 * host must show a key that is known. What is not named in the options is not tested; with nothing
 * named the vantage point is believed. The test has a resolver and a host table of its own, so that
 * nothing comes from a cache (R2.10). Every step has its limit in time.
 */
#ifndef VERIFIER_SELF_TEST_H
#define VERIFIER_SELF_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct engine_options;
struct error;
struct event_base;
struct finding_list;
struct report;
struct self_test;

#define SELF_TEST_HOSTS_MAX 8

/* Strings are borrowed. Names are lower-case A-labels without root dot. */
struct self_test_options {
	const char *secure; /* NULL: not tested, as all that follows */
	const char *bogus;
	const char *const *hosts; /* mail hosts; at most SELF_TEST_HOSTS_MAX */
	size_t host_count;
	const char *const *keys; /* SHA-256 of their SubjectPublicKeyInfo, hex; any will do for any */
	size_t key_count;
};

/* Whether anything is named. */
bool self_test_is_on(const struct self_test_options *o);

/* No finding: believe it. Else findings of severity temp: verifier-resolver-broken,
 * verifier-port25-blocked, verifier-port25-intercepted. Lent until self_test_free(). */
typedef void self_test_cb(const struct finding_list *findings, void *arg);

/* The options' self_test says what to test, the rest how the network is reached; both are borrowed.
 * Unreadable files are ERROR_CONFIG that names them. */
int self_test_start(const struct engine_options *options, struct event_base *base, self_test_cb *cb,
	void *arg, struct self_test **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void self_test_free(struct self_test *t);

/* What a vantage point that abstains has to say of a domain, as typed by a person: nothing but the
 * findings, unless the name itself is none. The caller frees it. */
struct report *self_test_abstain(const struct engine_options *options,
	const struct finding_list *findings, const char *domain) RETURNS_NONNULL;

#endif

/*
 * policy_fetch: the policy file of an MTA-STS domain over verified HTTPS (rule book section 9).
 *
 *	policy_table_new(share_s, &table, err);                    one for all threads
 *	policy_fetcher_new(&options, base, &fetcher, err);         one for each
 *	w = policy_fetch_start(fetcher, "example.org", on_policy, arg);
 *	    on_policy(result, arg): exactly once, from the loop; result is lent until it returns
 *	policy_fetch_cancel(w);   instead, before the callback has come
 *
 * One look at https://mta-sts.DOMAIN/.well-known/mta-sts.txt: no redirect, proxy, cookie or netrc;
 * limits on time and size; addresses from our own resolver and through the address filter. Those
 * who ask for the same domain at the time, or within share_s, share one fetch, whatever their
 *thread.
 */
#ifndef VERIFIER_POLICY_FETCH_H
#define VERIFIER_POLICY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/attr.h"
#include "common/clock.h"
#include "verifier/finding.h"

struct address_filter;
struct dns_resolver;
struct error;
struct event_base;
struct mailbox;
struct policy_fetcher;
struct policy_table;
struct policy_waiter;

/* Finished fetches that are remembered at most: a policy host is asked for one domain only, and few
 * domains are looked at twice in a short time. */
#define POLICY_SHARED_MAX 1000

/* All pointers are borrowed until policy_fetcher_free(). */
struct policy_fetcher_options {
	struct policy_table *table;
	struct mailbox *box; /* of this thread */
	struct clock clock;
	const struct address_filter *filter;
	struct dns_resolver *resolver;
	X509_STORE *store;
	uint16_t port;
	const char *client_name; /* who asks, for the User-Agent */
	int64_t fetch_s;
	bool look_ups_only; /* nobody is connected to */
};

struct policy_fetch_result {
	enum verdict fetched; /* pass: there is a text; fail: certainly none that counts */
	const char *text;     /* octets as received; NULL unless pass */
	size_t len;
	const char *alias_of;         /* the policy host is an alias of this name; NULL: of none */
	struct finding_list findings; /* of the fetch, not of the text */
};

typedef void policy_fetch_cb(const struct policy_fetch_result *result, void *arg);

/* Once per program and before there are threads: libcurl is set up. */
int policy_table_new(int64_t share_s, struct policy_table **out, struct error *err) MUST_CHECK;
/* No waiter may be left and the threads of all fetchers must have ended; before the fetchers are
 * freed, since it takes back what they have under way. NULL is allowed. */
void policy_table_free(struct policy_table *t);

int policy_fetcher_new(const struct policy_fetcher_options *options, struct event_base *base,
	struct policy_fetcher **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void policy_fetcher_free(struct policy_fetcher *f);

struct policy_waiter *policy_fetch_start(struct policy_fetcher *f, const char *domain,
	policy_fetch_cb *cb, void *arg) RETURNS_NONNULL;
/* NULL is allowed. */
void policy_fetch_cancel(struct policy_waiter *w);

/* Fetches begun, of all threads; each may be a transfer for every address of its host. */
uint64_t policy_fetch_count(const struct policy_table *t);

/* The URL, for messages. */
#define POLICY_URL_FORMAT "https://mta-sts.%s/.well-known/mta-sts.txt"

#endif

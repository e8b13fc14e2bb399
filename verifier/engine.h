/*
 * engine: verifies many mail domains at once, on threads with an event loop each.
 *
 *	struct engine *e;
 *	engine_new(&options, base, &e, err);
 *	engine_submit(e, "example.org", on_report, arg);     as often as engine_has_room()
 *	event_base_dispatch(base);                           reports come from the caller's loop
 *	engine_free(e);
 *
 * Each submitted domain gets exactly one callback, from the caller's loop, never before
 * engine_submit() has returned. What is learnt about an MX host (one SMTP probe per host name and
 * address) and a policy host is shared by all domains that need it at the time or within share_s
 * seconds, whichever worker looks at them. The workers are hidden: one engine belongs to one
 *thread.
 */
#ifndef VERIFIER_ENGINE_H
#define VERIFIER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/clock.h"
#include "verifier/self_test.h"

struct dns_options;
struct engine;
struct error;
struct event_base;
struct report;
struct smtp_prober_options;

/* Plain data; strings are borrowed until engine_free(). engine_options_default() fills it. */
struct engine_options {
	struct clock clock;

	const char *const *dns_forward; /* "ADDR@PORT"; none: full iteration */
	size_t dns_forward_count;
	const char *root_hints;   /* file, or NULL: built in */
	const char *trust_anchor; /* file, or NULL: the system's root key */

	const char *const *allow; /* "ADDR/BITS": special addresses that may be connected to */
	size_t allow_count;
	bool special_use_names; /* names under test, example, ... are judged like others */
	uint16_t smtp_port;
	uint16_t https_port;
	const char *ca_file; /* NULL: the system's store */
	const char *ehlo_name;

	unsigned workers;      /* threads; 0: engine_default_workers() */
	unsigned concurrency;  /* domains in flight, in all workers together, as the following */
	unsigned per_address;  /* SMTP connections at once to one address */
	unsigned per_operator; /* and to one registrable domain of MX names */
	unsigned rate;         /* domains started per second; 0: no limit */
	int64_t deadline_s;    /* for a whole domain */
	int64_t connect_s;     /* step limits of R4.1, R4.3, R4.15, R9.3 */
	int64_t greeting_s;
	int64_t reply_s;
	int64_t session_s;
	int64_t fetch_s;
	int64_t share_s;       /* how long an MX or policy host result serves other domains */
	int64_t max_age_min_s; /* R18.4 */
	/* Where there is no MTA-STS record, look where owners put it by mistake, for a policy
	 * without record, and for a wildcard (R8.12, R8.13, R8.15): four look-ups and a fetch that
	 * a crawl need not spend on every domain without MTA-STS, since none of it makes a domain
	 * eligible. And ask hosts that pass for what the list does not need (smtp_further.h): a
	 * connection or two each. */
	bool thorough;
	/* DNS alone: no host is connected to, and what it would have shown "could not be told". */
	bool look_ups_only;
	bool test_injection;     /* R5.9: only on the owner's request */
	const char *client_cert; /* PEM files, sent when a server asks; both or none */
	const char *client_key;
	/* What the vantage point proves itself by. The engine does not: who has it run the test
	 * first. */
	struct self_test_options self_test;
};

void engine_options_default(struct engine_options *options);
/* What they say to a resolver and to a prober of one worker; the prober's filter is the caller's to
 * set. */
void engine_dns_options(const struct engine_options *o, struct dns_options *out);
void engine_smtp_options(const struct engine_options *o, struct smtp_prober_options *out);

/* As many as there are processors to run on, within reason. */
unsigned engine_default_workers(void);

/* Where there are too few file descriptors for so many domains (see descriptors.h), fewer are
 * looked at at once, and a warning in the log says so. base is borrowed and must outlive the
 * engine. Unreadable files and malformed options are ERROR_CONFIG that names them. */
int engine_new(const struct engine_options *options, struct event_base *base, struct engine **out,
	struct error *err) MUST_CHECK;
/* Ends the workers and cancels what is in flight: its callbacks do not come any more. Not from a
 * callback. NULL is allowed. */
void engine_free(struct engine *e);

/* The report is lent until the callback returns. */
typedef void engine_report_cb(const struct report *report, void *arg);

/* Whether engine_submit() may be called now: fewer than `concurrency` in flight. Domains that only
 * stand in line at per_address or per_operator do not count, up to ten times as many. Ask again
 * after each report. */
bool engine_has_room(const struct engine *e);
/* Starts one domain, as typed by a person. Never fails: what is wrong comes in the report. */
void engine_submit(struct engine *e, const char *domain, engine_report_cb *cb, void *arg);
size_t engine_in_flight(const struct engine *e);

/* Counters since engine_new(), for status lines and tests. */
struct engine_stats {
	uint64_t domains;
	uint64_t smtp_sessions;
	uint64_t smtp_shared; /* host results served without a session of their own */
	uint64_t policy_fetches;
	uint64_t dns_queries;
};
void engine_get_stats(const struct engine *e, struct engine_stats *out);

#endif

/*
 * A job:  submitted (mail to a worker) -> looked at there -> mail to the caller's loop -> reported
 *
 * What belongs to a worker is made before its thread starts and freed after it has ended; in
 * between only that thread touches it, but for mailboxes and atomics.
 */
#include "verifier/engine.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/x509.h>

#include "common/descriptors.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/dane_check.h"
#include "verifier/dns.h"
#include "verifier/dns_context.h"
#include "verifier/domain_check.h"
#include "verifier/mailbox.h"
#include "verifier/mx_host.h"
#include "verifier/pkix.h"
#include "verifier/policy_fetch.h"
#include "verifier/smtp_probe.h"

#define MICROSECONDS 1000000
/* How often it is counted which domains only stand in line. */
#define PARKED_COUNT_US 50000
/* In flight at most, as a multiple of `concurrency`, however many of them only stand in line. */
#define PARKED_FACTOR 10
/* SMTP sessions at once: each costs a descriptor, and in a TLS handshake 35 KiB. */
#define SESSIONS_MAX 2000
/* File descriptors for all else than connections: the program's own, and a worker's loops, boxes
 * and timers. */
#define DESCRIPTORS_PROGRAM 64
#define DESCRIPTORS_WORKER  16
/* By default; more can be asked for. */
#define WORKERS_DEFAULT_MAX 8

struct job {
	struct mail mail;           /* first */
	TAILQ_ENTRY(job) link;      /* in engine->jobs; the caller's thread */
	TAILQ_ENTRY(job) looked_at; /* in worker->jobs; the worker's thread */
	struct worker *worker;
	char *domain;
	int64_t delay_us;
	struct domain_check *check;  /* the worker's until the job is mailed back */
	const struct report *report; /* then */
	engine_report_cb *cb;
	void *cb_arg;
};

struct worker {
	struct engine *engine;
	pthread_t thread;
	bool started;
	struct event_base *base;
	struct mailbox *box;
	struct mail stop;
	struct dns_resolver *resolver;
	struct dane_checker *dane;
	struct smtp_prober *prober;
	struct policy_fetcher *fetcher;
	struct mx_host_desk desk;
	struct domain_context context;
	TAILQ_HEAD(, job) jobs;
	size_t looked_at; /* of them */
	struct event *count_parked;
	atomic_size_t parked; /* of them, at the last count */
	size_t load;          /* jobs given to it and not reported; the caller's thread */
};

struct engine {
	struct engine_options options;
	struct event_base *base; /* borrowed */
	struct mailbox *box;     /* of the caller's thread */
	struct address_filter *filter;
	X509_STORE *store;
	struct mx_host_table *hosts;
	struct policy_table *policies;
	struct worker *workers; /* options.workers of them */
	TAILQ_HEAD(, job) jobs;
	size_t in_flight;
	uint64_t domains;
	int64_t next_start_us; /* on the event loop's clock, for the rate */
};

unsigned
engine_default_workers(void)
{
	cpu_set_t cpus;
	int count = 1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		count = CPU_COUNT(&cpus);
	return count > WORKERS_DEFAULT_MAX ? WORKERS_DEFAULT_MAX : count < 1 ? 1 : (unsigned)count;
}

void
engine_options_default(struct engine_options *o)
{
	memset(o, 0, sizeof(*o));
	o->smtp_port = 25;
	o->https_port = 443;
	o->ehlo_name = "localhost";
	o->workers = 1;
	o->concurrency = 200;
	o->per_address = 1;
	o->per_operator = 2;
	o->deadline_s = 900;
	/* R4.1, R4.3, R4.15, R9.3 */
	o->connect_s = 30;
	o->greeting_s = 300;
	o->reply_s = 60;
	o->session_s = 300;
	o->fetch_s = 60;
	o->share_s = 900;
	o->max_age_min_s = 86400;
}

void
engine_dns_options(const struct engine_options *o, struct dns_options *out)
{
	unsigned workers = o->workers == 0 ? engine_default_workers() : o->workers;

	*out = (struct dns_options){
		.clock = o->clock,
		.forward = o->dns_forward,
		.forward_count = o->dns_forward_count,
		.root_hints = o->root_hints,
		.trust_anchor = o->trust_anchor,
		.concurrency = o->concurrency / workers + 1,
		.resolvers = workers,
		.query_s = o->deadline_s / 2 < DNS_QUERY_S ? o->deadline_s / 2 : DNS_QUERY_S,
	};
}

void
engine_smtp_options(const struct engine_options *o, struct smtp_prober_options *out)
{
	*out = (struct smtp_prober_options){
		.ehlo_name = o->ehlo_name,
		.connect_s = o->connect_s,
		.greeting_s = o->greeting_s,
		.reply_s = o->reply_s,
		.session_s = o->session_s,
		.client_cert = o->client_cert,
		.client_key = o->client_key,
	};
}

/* --- in the worker's thread ---------------------------------------------------------- */

/* Workers have an equal share of what is in flight, more or less. */
static bool
is_full(const struct worker *w)
{
	const struct engine_options *o = &w->engine->options;

	return w->looked_at >= o->concurrency / o->workers;
}

/* Only while the engine is full: whether there is room hangs on it then. */
static void
on_count_parked(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;
	struct job *job;
	size_t parked = 0;

	TAILQ_FOREACH(job, &w->jobs, looked_at)
	{
		parked += domain_check_is_parked(job->check);
	}
	atomic_store(&w->parked, parked);
	if (is_full(w)) {
		struct timeval wait = {0, PARKED_COUNT_US};

		(void)event_add(w->count_parked, &wait);
	}
}

static void job_report(struct mail *mail);

static void
on_report(const struct report *report, void *arg)
{
	struct job *job = arg;
	struct worker *w = job->worker;

	TAILQ_REMOVE(&w->jobs, job, looked_at);
	w->looked_at--;
	job->report = report;
	job->mail.deliver = job_report;
	mailbox_post(w->engine->box, &job->mail);
}

static void
job_look(struct mail *mail)
{
	struct job *job = (struct job *)mail;
	struct worker *w = job->worker;

	TAILQ_INSERT_TAIL(&w->jobs, job, looked_at);
	w->looked_at++;
	job->check = domain_check_start(&w->context, job->domain, job->delay_us, on_report, job);
	if (is_full(w) && !event_pending(w->count_parked, EV_TIMEOUT, NULL))
		event_active(w->count_parked, EV_TIMEOUT, 0);
}

static void
worker_stop(struct mail *mail)
{
	struct worker *w = (struct worker *)(void *)((char *)mail - offsetof(struct worker, stop));

	(void)event_base_loopbreak(w->base);
}

static void *
worker_run(void *arg)
{
	struct worker *w = arg;

	(void)event_base_dispatch(w->base);
	return NULL;
}

/* --- workers ------------------------------------------------------------------------- */

static unsigned
sessions_of(const struct engine_options *o)
{
	return o->concurrency < SESSIONS_MAX ? o->concurrency : SESSIONS_MAX;
}

static int
worker_open(struct worker *w, struct error *err)
{
	struct engine *e = w->engine;
	const struct engine_options *o = &e->options;
	struct dns_options dns;
	struct smtp_prober_options smtp;

	engine_dns_options(o, &dns);
	engine_smtp_options(o, &smtp);
	smtp.filter = e->filter;
	w->base = event_base_new();
	if (w->base == NULL)
		return error_set(err, ERROR_TEMP, "no event loop");
	w->count_parked = event_new(w->base, -1, 0, on_count_parked, w);
	assert(w->count_parked != NULL);
	if (mailbox_new(w->base, &w->box, err) < 0 ||
		dns_resolver_new(&dns, w->base, &w->resolver, err) < 0 ||
		dane_checker_new(&w->dane, err) < 0 ||
		smtp_prober_new(&smtp, w->base, &w->prober, err) < 0)
		return -1;
	struct policy_fetcher_options fetch = {
		.table = e->policies,
		.box = w->box,
		.clock = o->clock,
		.filter = e->filter,
		.resolver = w->resolver,
		.store = e->store,
		.port = o->https_port,
		.client_name = o->ehlo_name,
		.fetch_s = o->fetch_s,
		.look_ups_only = o->look_ups_only,
	};

	w->desk = (struct mx_host_desk){
		.table = e->hosts,
		.box = w->box,
		.resolver = w->resolver,
		.prober = w->prober,
		.dane = w->dane,
	};
	if (policy_fetcher_new(&fetch, w->base, &w->fetcher, err) < 0)
		return -1;
	w->context = (struct domain_context){
		.clock = o->clock,
		.base = w->base,
		.resolver = w->resolver,
		.hosts = &w->desk,
		.fetcher = w->fetcher,
		.special_use_names = o->special_use_names,
		.deadline_s = o->deadline_s,
		.max_age_min_s = o->max_age_min_s,
		.thorough = o->thorough,
	};
	return 0;
}

static int
worker_start(struct worker *w, struct error *err)
{
	sigset_t all, before;
	int rc;

	/* Signals are the caller's: its loop waits for them. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, worker_run, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return error_set(err, ERROR_TEMP, "cannot start a thread: %s", strerror(rc));
	w->started = true;
	return 0;
}

/* Its thread has ended and nothing refers to it any more. */
static void
worker_close(struct worker *w)
{
	policy_fetcher_free(w->fetcher);
	smtp_prober_free(w->prober);
	dane_checker_free(w->dane);
	dns_resolver_free(w->resolver);
	mailbox_free(w->box);
	if (w->count_parked != NULL)
		event_free(w->count_parked);
	if (w->base != NULL)
		event_base_free(w->base);
}

/* --- the engine ---------------------------------------------------------------------- */

static int
engine_open(struct engine *e, struct error *err)
{
	const struct engine_options *o = &e->options;

	if (address_filter_new(o->allow, o->allow_count, &e->filter, err) < 0)
		return error_prefix(err, "allow");
	if (mailbox_new(e->base, &e->box, err) < 0 ||
		pkix_store_load(o->ca_file, &e->store, err) < 0 ||
		policy_table_new(o->share_s, &e->policies, err) < 0)
		return -1;
	mailbox_rest(e->box, true);
	struct mx_host_options hosts = {
		.clock = o->clock,
		.filter = e->filter,
		.store = e->store,
		.port = o->smtp_port,
		.per_address = o->per_address,
		.per_operator = o->per_operator,
		.sessions = sessions_of(o),
		.share_s = o->share_s,
		.look_ups_only = o->look_ups_only,
		.further = {.look = o->thorough, .injection = o->test_injection},
	};

	mx_host_table_new(&hosts, &e->hosts);
	for (unsigned i = 0; i < o->workers; i++) {
		e->workers[i].engine = e;
		TAILQ_INIT(&e->workers[i].jobs);
		e->workers[i].stop.deliver = worker_stop;
		if (worker_open(&e->workers[i], err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < o->workers; i++) {
		if (worker_start(&e->workers[i], err) < 0)
			return -1;
	}
	return 0;
}

/* At the worst: every domain fetches a policy, and there are as many SMTP sessions as there may be.
 */
static uint64_t
descriptors_needed(const struct engine_options *o)
{
	struct dns_options dns;

	engine_dns_options(o, &dns);
	return DESCRIPTORS_PROGRAM +
		(uint64_t)o->workers * (dns_context_descriptors(&dns) + DESCRIPTORS_WORKER) +
		sessions_of(o) + o->concurrency;
}

/* As many domains at once as there are descriptors for: a host that cannot be connected to for want
 * of one would be blamed for it. */
static void
fit_concurrency(struct engine_options *o)
{
	uint64_t limit = descriptors_limit();
	unsigned wanted = o->concurrency, fits = 1, too_many = wanted;

	if (descriptors_needed(o) <= limit)
		return;
	while (too_many - fits > 1) {
		o->concurrency = fits + (too_many - fits) / 2;
		if (descriptors_needed(o) <= limit)
			fits = o->concurrency;
		else
			too_many = o->concurrency;
	}
	o->concurrency = fits;
	log_warning("engine: concurrency lowered from %u to %u: no more than %llu file descriptors",
		wanted, fits, (unsigned long long)limit);
}

int
engine_new(const struct engine_options *options, struct event_base *base, struct engine **out,
	struct error *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	*out = NULL;
	e->options = *options;
	if (e->options.workers == 0)
		e->options.workers = engine_default_workers();
	fit_concurrency(&e->options);
	e->workers = xcalloc(e->options.workers, sizeof(*e->workers));
	e->base = base;
	TAILQ_INIT(&e->jobs);
	if (engine_open(e, err) < 0) {
		engine_free(e);
		return -1;
	}
	*out = e;
	return 0;
}

static void
job_free(struct job *job)
{
	domain_check_free(job->check);
	free(job->domain);
	free(job);
}

void
engine_free(struct engine *e)
{
	struct job *job;

	if (e == NULL)
		return;
	for (unsigned i = 0; i < e->options.workers; i++) {
		if (e->workers[i].started)
			mailbox_post(e->workers[i].box, &e->workers[i].stop);
	}
	for (unsigned i = 0; i < e->options.workers; i++) {
		if (e->workers[i].started)
			(void)pthread_join(e->workers[i].thread, NULL);
	}
	/* From here on there is one thread. Domains let go of hosts and policies, these of what the
	 * workers did for them. */
	while ((job = TAILQ_FIRST(&e->jobs)) != NULL) {
		TAILQ_REMOVE(&e->jobs, job, link);
		job_free(job);
	}
	policy_table_free(e->policies);
	mx_host_table_free(e->hosts);
	for (unsigned i = 0; i < e->options.workers; i++)
		worker_close(&e->workers[i]);
	free(e->workers);
	mailbox_free(e->box);
	X509_STORE_free(e->store);
	address_filter_free(e->filter);
	free(e);
}

bool
engine_has_room(const struct engine *e)
{
	size_t parked = 0;

	/* Domains of one big provider wait for each other; the others need not wait for them. */
	for (unsigned i = 0; i < e->options.workers; i++)
		parked += atomic_load(&e->workers[i].parked);
	return e->in_flight < e->options.concurrency + parked &&
		e->in_flight < (size_t)e->options.concurrency * PARKED_FACTOR;
}

size_t
engine_in_flight(const struct engine *e)
{
	return e->in_flight;
}

/* In the caller's thread. */
static void
job_report(struct mail *mail)
{
	struct job *job = (struct job *)mail;
	struct engine *e = job->worker->engine;

	TAILQ_REMOVE(&e->jobs, job, link);
	job->worker->load--;
	if (--e->in_flight == 0)
		mailbox_rest(e->box, true);
	job->cb(job->report, job->cb_arg);
	job_free(job);
}

/* When the next domain may start: one each 1/rate s. */
static int64_t
delay_us(struct engine *e)
{
	struct timeval now;
	int64_t now_us, start_us;

	if (e->options.rate == 0)
		return 0;
	event_base_gettimeofday_cached(e->base, &now);
	now_us = (int64_t)now.tv_sec * MICROSECONDS + now.tv_usec;
	start_us = e->next_start_us > now_us ? e->next_start_us : now_us;
	e->next_start_us = start_us + MICROSECONDS / e->options.rate;
	return start_us - now_us;
}

static struct worker *
least_loaded(struct engine *e)
{
	struct worker *least = &e->workers[0];

	for (unsigned i = 1; i < e->options.workers; i++) {
		if (e->workers[i].load < least->load)
			least = &e->workers[i];
	}
	return least;
}

void
engine_submit(struct engine *e, const char *domain, engine_report_cb *cb, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->worker = least_loaded(e);
	job->domain = xstrdup(domain);
	job->delay_us = delay_us(e);
	job->cb = cb;
	job->cb_arg = arg;
	job->mail.deliver = job_look;
	TAILQ_INSERT_TAIL(&e->jobs, job, link);
	job->worker->load++;
	if (e->in_flight++ == 0)
		mailbox_rest(e->box, false);
	e->domains++;
	mailbox_post(job->worker->box, &job->mail);
}

void
engine_get_stats(const struct engine *e, struct engine_stats *out)
{
	struct mx_host_stats hosts = mx_host_get_stats(e->hosts);

	*out = (struct engine_stats){
		.domains = e->domains,
		.smtp_sessions = hosts.sessions,
		.smtp_shared = hosts.shared,
		.policy_fetches = policy_fetch_count(e->policies),
	};
	for (unsigned i = 0; i < e->options.workers; i++)
		out->dns_queries += dns_query_count(e->workers[i].resolver);
}

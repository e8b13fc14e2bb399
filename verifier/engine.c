#include "verifier/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/x509.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/dane_check.h"
#include "verifier/dns.h"
#include "verifier/domain_check.h"
#include "verifier/mx_host.h"
#include "verifier/pkix.h"
#include "verifier/policy_fetch.h"
#include "verifier/smtp_probe.h"

#define MICROSECONDS 1000000
/* How often it is counted which domains only stand in line. */
#define PARKED_COUNT_US 50000
/* In flight at most, as a multiple of `concurrency`, however many of them only stand in line. */
#define PARKED_FACTOR 10

struct job {
	TAILQ_ENTRY(job) link;
	struct engine *engine;
	struct domain_check *check;
	engine_report_cb *cb;
	void *cb_arg;
};

struct engine {
	struct engine_options options;
	struct event_base *base; /* borrowed */
	struct address_filter *filter;
	X509_STORE *store;
	struct dns_resolver *resolver;
	struct dane_checker *dane;
	struct smtp_prober *prober;
	struct mx_host_table *hosts;
	struct policy_fetcher *fetcher;
	struct domain_context context;
	TAILQ_HEAD(, job) jobs;
	size_t in_flight;
	size_t parked; /* of them, at the last count */
	struct event *count_parked;
	uint64_t domains;
	int64_t next_start_us; /* on the event loop's clock, for the rate */
};

void
engine_options_default(struct engine_options *o)
{
	memset(o, 0, sizeof(*o));
	o->smtp_port = 25;
	o->https_port = 443;
	o->ehlo_name = "localhost";
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

static int
engine_open(struct engine *e, struct error *err)
{
	const struct engine_options *o = &e->options;
	struct dns_options dns = {
		.clock = o->clock,
		.forward = o->dns_forward,
		.forward_count = o->dns_forward_count,
		.root_hints = o->root_hints,
		.trust_anchor = o->trust_anchor,
		.concurrency = o->concurrency,
	};
	struct smtp_prober_options smtp = {
		.ehlo_name = o->ehlo_name,
		.connect_s = o->connect_s,
		.greeting_s = o->greeting_s,
		.reply_s = o->reply_s,
		.session_s = o->session_s,
	};

	if (address_filter_new(o->allow, o->allow_count, &e->filter, err) < 0)
		return error_prefix(err, "allow");
	if (pkix_store_load(o->ca_file, &e->store, err) < 0 ||
		dns_resolver_new(&dns, e->base, &e->resolver, err) < 0 ||
		dane_checker_new(&e->dane, err) < 0 ||
		smtp_prober_new(&smtp, e->base, &e->prober, err) < 0)
		return -1;
	struct policy_fetcher_options fetch = {
		.clock = o->clock,
		.filter = e->filter,
		.resolver = e->resolver,
		.store = e->store,
		.port = o->https_port,
		.client_name = o->ehlo_name,
		.fetch_s = o->fetch_s,
		.share_s = o->share_s,
	};
	struct mx_host_options hosts = {
		.clock = o->clock,
		.resolver = e->resolver,
		.filter = e->filter,
		.prober = e->prober,
		.dane = e->dane,
		.store = e->store,
		.port = o->smtp_port,
		.per_address = o->per_address,
		.per_operator = o->per_operator,
		.sessions = o->concurrency,
		.share_s = o->share_s,
	};

	if (policy_fetcher_new(&fetch, e->base, &e->fetcher, err) < 0)
		return -1;
	mx_host_table_new(&hosts, e->base, &e->hosts);
	return 0;
}

/* Only while the engine is full: whether there is room hangs on it then. */
static void
on_count_parked(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct engine *e = arg;
	struct job *job;

	e->parked = 0;
	TAILQ_FOREACH(job, &e->jobs, link)
	{
		e->parked += domain_check_is_parked(job->check);
	}
	if (e->in_flight >= e->options.concurrency) {
		struct timeval wait = {0, PARKED_COUNT_US};

		(void)event_add(e->count_parked, &wait);
	}
}

int
engine_new(const struct engine_options *options, struct event_base *base, struct engine **out,
	struct error *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	*out = NULL;
	e->options = *options;
	e->base = base;
	TAILQ_INIT(&e->jobs);
	if (engine_open(e, err) < 0) {
		engine_free(e);
		return -1;
	}
	e->context = (struct domain_context){
		.clock = options->clock,
		.base = base,
		.resolver = e->resolver,
		.hosts = e->hosts,
		.fetcher = e->fetcher,
		.special_use_names = options->special_use_names,
		.deadline_s = options->deadline_s,
		.max_age_min_s = options->max_age_min_s,
		.thorough = options->thorough,
	};
	e->count_parked = event_new(base, -1, 0, on_count_parked, e);
	assert(e->count_parked != NULL);
	*out = e;
	return 0;
}

void
engine_free(struct engine *e)
{
	struct job *job;

	if (e == NULL)
		return;
	if (e->count_parked != NULL)
		event_free(e->count_parked);
	while ((job = TAILQ_FIRST(&e->jobs)) != NULL) {
		TAILQ_REMOVE(&e->jobs, job, link);
		domain_check_cancel(job->check);
		free(job);
	}
	policy_fetcher_free(e->fetcher);
	mx_host_table_free(e->hosts);
	smtp_prober_free(e->prober);
	dane_checker_free(e->dane);
	dns_resolver_free(e->resolver);
	X509_STORE_free(e->store);
	address_filter_free(e->filter);
	free(e);
}

bool
engine_has_room(const struct engine *e)
{
	/* Domains of one big provider wait for each other; the others need not wait for them. */
	return e->in_flight < e->options.concurrency + e->parked &&
		e->in_flight < (size_t)e->options.concurrency * PARKED_FACTOR;
}

size_t
engine_in_flight(const struct engine *e)
{
	return e->in_flight;
}

static void
on_report(const struct report *report, void *arg)
{
	struct job *job = arg;
	struct engine *e = job->engine;
	engine_report_cb *cb = job->cb;
	void *cb_arg = job->cb_arg;

	TAILQ_REMOVE(&e->jobs, job, link);
	e->in_flight--;
	free(job);
	cb(report, cb_arg);
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

void
engine_submit(struct engine *e, const char *domain, engine_report_cb *cb, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->engine = e;
	job->cb = cb;
	job->cb_arg = arg;
	TAILQ_INSERT_TAIL(&e->jobs, job, link);
	e->in_flight++;
	e->domains++;
	job->check = domain_check_start(&e->context, domain, delay_us(e), on_report, job);
	if (e->in_flight >= e->options.concurrency &&
		!event_pending(e->count_parked, EV_TIMEOUT, NULL))
		event_active(e->count_parked, EV_TIMEOUT, 0);
}

void
engine_get_stats(const struct engine *e, struct engine_stats *out)
{
	struct mx_host_stats hosts = mx_host_get_stats(e->hosts);

	*out = (struct engine_stats){
		.domains = e->domains,
		.smtp_sessions = hosts.sessions,
		.smtp_shared = hosts.shared,
		.policy_fetches = policy_fetch_count(e->fetcher),
		.dns_queries = dns_query_count(e->resolver),
	};
}

/*
 * A test:  two look-ups and the reference hosts side by side -> judged -> told
 *
 * `pending` counts what is still to come; whoever takes it to nothing wakes the timer, whose callback
 * judges and tells: so the one who is told may free everything.
 */
#include "verifier/self_test.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/x509.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/dane_check.h"
#include "verifier/dns.h"
#include "verifier/domain_name.h"
#include "verifier/engine.h"
#include "verifier/finding_cause.h"
#include "verifier/mailbox.h"
#include "verifier/mx_host.h"
#include "verifier/report.h"
#include "verifier/smtp_probe.h"

/* For one SMTP session: a reference host that needs longer is none. */
#define SESSION_S 60

struct self_test {
	const struct self_test_options *options; /* borrowed */
	self_test_cb *cb;
	void *cb_arg;
	struct event *done;
	struct arena *arena;
	struct finding_list findings;
	unsigned int pending;

	struct address_filter *filter;
	X509_STORE *store; /* empty: the key is compared, whoever has certified it */
	struct mailbox *box;
	struct dns_resolver *resolver;
	struct dane_checker *dane;
	struct smtp_prober *prober;
	struct mx_host_table *table;
	struct mx_host_desk desk;

	struct dns_query *query[2]; /* secure, bogus */
	const struct dns_answer *answer[2];
	struct mx_host_ref *hosts[SELF_TEST_HOSTS_MAX];
};

enum { SECURE, BOGUS };

bool
self_test_is_on(const struct self_test_options *o)
{
	return o->secure != NULL || o->bogus != NULL || o->host_count > 0;
}

/* --- judgement ----------------------------------------------------------------------- */

static void
judge_secure(struct self_test *t)
{
	const struct dns_answer *a = t->answer[SECURE];

	if (a == NULL || (a->secure == DNS_SECURE && a->status != DNS_NXDOMAIN))
		return;
	if (a->status == DNS_FAILED)
		finding_add_usual(&t->findings, "verifier-resolver-broken", a->name, NULL,
			"this name is signed, and its look-up fails: %s", a->why);
	else if (a->secure == DNS_SECURE)
		finding_add_usual(&t->findings, "verifier-resolver-broken", a->name, NULL,
			"this name was to be found, and is proven not to be there");
	else
		finding_add_usual(&t->findings, "verifier-resolver-broken", a->name, NULL,
			"this name is signed, and came without signatures");
}

static void
judge_bogus(struct self_test *t)
{
	const struct dns_answer *a = t->answer[BOGUS];

	if (a == NULL || a->secure == DNS_BOGUS)
		return;
	if (a->status == DNS_FAILED)
		finding_add_usual(&t->findings, "verifier-resolver-broken", a->name, NULL,
			"this look-up was to fail for its signatures, and fails otherwise: %s",
			a->why);
	else
		finding_add_usual(&t->findings, "verifier-resolver-broken", a->name, NULL,
			"the signatures of this name are broken, and its answer was believed (%s)",
			dns_secure_name(a->secure));
}

static bool
is_known_key(const struct self_test_options *o, const char *spki_sha256)
{
	for (size_t i = 0; i < o->key_count; i++) {
		if (str_ieq(o->keys[i], strlen(o->keys[i]), spki_sha256, strlen(spki_sha256)))
			return true;
	}
	return false;
}

/* What the session ended with, in words. */
static const char *
end_of_session(const struct mx_address *a)
{
	for (size_t i = 0; i < a->findings.count && a->code != NULL; i++) {
		if (strcmp(a->findings.items[i].code, a->code) == 0)
			return a->findings.items[i].message;
	}
	return "the session came to no end";
}

/* One address of a reference host, which itself never refuses TLS: so whoever does is another. A
 * refusal to talk, which any server may have for any client, proves nothing of the sort. */
static bool
judge_address(struct self_test *t, const struct mx_address *a)
{
	const char *code = a->code == NULL ? "" : a->code;

	if (a->special != NULL) {
		finding_add_usual(&t->findings, "verifier-port25-blocked", a->subject, NULL,
			"the reference host has a special address (%s) that must not be called",
			a->special);
	} else if (a->spki_sha256 != NULL && !is_known_key(t->options, a->spki_sha256)) {
		finding_add_usual(&t->findings, "verifier-port25-intercepted", a->subject, NULL,
			"the reference host shows the key %s, which is none of the known ones",
			a->spki_sha256);
	} else if (a->starttls == VERDICT_PASS) {
		return true;
	} else if (a->starttls == VERDICT_FAIL && strcmp(code, "smtp-greeting-rejected") != 0) {
		finding_add_usual(&t->findings, "verifier-port25-intercepted", a->subject, NULL,
			"the reference host has TLS, and none was seen: %s (%s)", end_of_session(a),
			code);
	} else {
		finding_add_usual(&t->findings, "verifier-port25-blocked", a->subject, NULL,
			"the reference host was not reached: %s (%s)", end_of_session(a), code);
	}
	return false;
}

/* Whether some address shows a known key. */
static bool
judge_host(struct self_test *t, const struct mx_host *h)
{
	bool good = false;

	if (h->address_count == 0 && h->failed != NULL) {
		finding_add_usual(&t->findings, "verifier-resolver-broken", h->name, NULL,
			"the address of the reference host cannot be looked up: %s",
			h->failed->why);
	} else if (h->address_count == 0 || h->too_many) {
		finding_add_usual(&t->findings, "verifier-port25-blocked", h->name, NULL,
			"the reference host has %s", h->too_many ? "too many addresses"
								   : "no address");
	}
	for (size_t i = 0; i < h->address_count && !h->too_many; i++)
		good |= judge_address(t, &h->addresses[i]);
	return good;
}

/* One key that was seen proves that port 25 is open: then what did not answer says nothing. */
static void
forget_silence(struct finding_list *findings)
{
	size_t kept = 0;

	for (size_t i = 0; i < findings->count; i++) {
		if (strcmp(findings->items[i].code, "verifier-port25-blocked") != 0)
			findings->items[kept++] = findings->items[i];
	}
	findings->count = kept;
}

static void
judge(struct self_test *t)
{
	bool open = false;

	judge_secure(t);
	judge_bogus(t);
	for (size_t i = 0; i < t->options->host_count; i++)
		open |= judge_host(t, mx_host_of(t->hosts[i]));
	if (open)
		forget_silence(&t->findings);
	finding_list_sort(&t->findings);
}

/* --- beginning and end --------------------------------------------------------------- */

static void
one_less(struct self_test *t)
{
	assert(t->pending > 0);
	if (--t->pending == 0)
		event_active(t->done, EV_TIMEOUT, 0);
}

static void
on_done(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct self_test *t = arg;

	judge(t);
	t->cb(&t->findings, t->cb_arg);
}

static void
on_secure(const struct dns_answer *answer, void *arg)
{
	struct self_test *t = arg;

	t->query[SECURE] = NULL;
	t->answer[SECURE] = answer;
	one_less(t);
}

static void
on_bogus(const struct dns_answer *answer, void *arg)
{
	struct self_test *t = arg;

	t->query[BOGUS] = NULL;
	t->answer[BOGUS] = answer;
	one_less(t);
}

static void
on_host(void *arg)
{
	one_less(arg);
}

static int64_t
at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
open_tools(struct self_test *t, const struct engine_options *o, struct event_base *base,
	struct error *err)
{
	struct dns_options dns;
	struct smtp_prober_options smtp;

	engine_dns_options(o, &dns);
	dns.concurrency = dns.resolvers = 1;
	engine_smtp_options(o, &smtp);
	smtp.session_s = at_most(smtp.session_s, SESSION_S);
	smtp.client_cert = smtp.client_key = NULL;
	t->store = X509_STORE_new();
	if (t->store == NULL)
		abort();
	if (address_filter_new(o->allow, o->allow_count, &t->filter, err) < 0)
		return error_prefix(err, "allow");
	smtp.filter = t->filter;
	if (mailbox_new(base, &t->box, err) < 0 ||
		dns_resolver_new(&dns, base, &t->resolver, err) < 0 ||
		dane_checker_new(&t->dane, err) < 0 ||
		smtp_prober_new(&smtp, base, &t->prober, err) < 0)
		return -1;
	struct mx_host_options hosts = {
		.clock = o->clock,
		.filter = t->filter,
		.store = t->store,
		.port = o->smtp_port,
		.per_address = 1,
		.per_operator = SELF_TEST_HOSTS_MAX * MX_ADDRESSES_MAX,
		.sessions = SELF_TEST_HOSTS_MAX * MX_ADDRESSES_MAX,
	};

	mx_host_table_new(&hosts, &t->table);
	t->desk = (struct mx_host_desk){.table = t->table,
		.box = t->box,
		.resolver = t->resolver,
		.prober = t->prober,
		.dane = t->dane};
	return 0;
}

static void
begin(struct self_test *t)
{
	const struct self_test_options *o = t->options;

	t->pending = 1 + (o->secure != NULL) + (o->bogus != NULL) + (unsigned int)o->host_count;
	/* A, since the whole zone need not be bogus: there are names that only have a broken one. */
	if (o->secure != NULL)
		t->query[SECURE] = dns_query_start(
			t->resolver, o->secure, DNS_A, t->arena, on_secure, t);
	if (o->bogus != NULL)
		t->query[BOGUS] =
			dns_query_start(t->resolver, o->bogus, DNS_A, t->arena, on_bogus, t);
	for (size_t i = 0; i < o->host_count; i++)
		t->hosts[i] = mx_host_get(&t->desk, o->hosts[i], on_host, t);
	one_less(t); /* with nothing to be tested the callback comes all the same */
}

int
self_test_start(const struct engine_options *options, struct event_base *base, self_test_cb *cb,
	void *arg, struct self_test **out, struct error *err)
{
	struct self_test *t = xcalloc(1, sizeof(*t));

	assert(options->self_test.host_count <= SELF_TEST_HOSTS_MAX);
	*out = NULL;
	t->options = &options->self_test;
	t->cb = cb;
	t->cb_arg = arg;
	t->arena = arena_new();
	finding_list_init(&t->findings, t->arena);
	t->done = event_new(base, -1, 0, on_done, t);
	assert(t->done != NULL);
	if (self_test_is_on(t->options) && open_tools(t, options, base, err) < 0) {
		self_test_free(t);
		return error_prefix(err, "self-test");
	}
	begin(t);
	*out = t;
	return 0;
}

void
self_test_free(struct self_test *t)
{
	if (t == NULL)
		return;
	dns_query_cancel(t->query[SECURE]);
	dns_query_cancel(t->query[BOGUS]);
	for (size_t i = 0; i < SELF_TEST_HOSTS_MAX; i++)
		mx_host_release(t->hosts[i]);
	mx_host_table_free(t->table);
	smtp_prober_free(t->prober);
	dane_checker_free(t->dane);
	dns_resolver_free(t->resolver);
	mailbox_free(t->box);
	X509_STORE_free(t->store);
	address_filter_free(t->filter);
	event_free(t->done);
	arena_free(t->arena);
	free(t);
}

struct report *
self_test_abstain(const struct engine_options *options, const struct finding_list *findings,
	const char *domain)
{
	struct report *r = report_new(domain);
	char ascii[DOMAIN_NAME_SIZE];

	r->time_s = clock_now(&options->clock);
	r->abstained = true;
	if (domain_name_parse(domain, strlen(domain), options->special_use_names, &r->findings,
		    ascii) < 0) {
		r->verdict = VERDICT_FAIL;
		return r;
	}
	r->ascii = arena_strdup(r->arena, ascii);
	r->verdict = VERDICT_UNKNOWN;
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->items[i];

		finding_add(&r->findings, f->code, f->severity, f->subject, f->fix, "%s",
			f->message);
	}
	finding_cause_settle(&r->findings, r->ascii, NULL, 0);
	finding_list_sort(&r->findings);
	return r;
}

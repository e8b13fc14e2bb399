/*
 * A check:  WAIT (its turn) -> LOOK (look-ups, hosts and policy side by side) -> judged
 *
 * `pending` counts what is still to come; whoever takes it to nothing, or the deadline, wakes the
 * timer, and the timer's callback judges, reports and frees: nothing else ends a check.
 */
#include "verifier/domain_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/arena.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/dns.h"
#include "verifier/domain_judge.h"
#include "verifier/domain_name.h"
#include "verifier/domain_stray.h"
#include "verifier/mta_sts.h"
#include "verifier/mx_host.h"
#include "verifier/policy_fetch.h"
#include "verifier/preload_record.h"
#include "verifier/report.h"
#include "verifier/tlsrpt.h"
#include "verifier/txt_record.h"

/* Octets of a TXT record shown in the report. */
#define RECORD_SHOWN_MAX 1000

/* In the order in which they are asked for. */
enum {
	LOOK_MX,
	LOOK_TLSA, /* R12.9 */
	LOOK_STS,
	LOOK_PRELOAD,
	LOOK_TLSRPT,
	LOOKS
};

struct domain_check {
	const struct domain_context *context; /* borrowed */
	struct report *report;                /* owned */
	struct arena *arena;                  /* the report's */
	char *typed;
	domain_report_cb *cb;
	void *cb_arg;
	struct event *timer; /* start, then deadline or end */
	bool started;
	char domain[DOMAIN_NAME_SIZE];
	const char *owner[LOOKS]; /* names asked for */
	struct dns_query *query[LOOKS];
	struct mx_host_ref **hosts; /* by index of facts.mx; NULL: not asked for */
	struct policy_waiter *policy;
	struct domain_stray *stray; /* NULL unless under way */
	struct domain_facts facts;
	const char *tlsrpt_contact;
	unsigned int pending;
	unsigned int extensions; /* deadlines given because hosts were held up */
};

static void
wake(struct domain_check *c)
{
	event_active(c->timer, EV_TIMEOUT, 0);
}

static void
one_less(struct domain_check *c)
{
	assert(c->pending > 0);
	if (--c->pending == 0)
		wake(c);
}

static dns_answer_cb on_mx, on_tlsa, on_sts, on_preload, on_tlsrpt;

/*
 * The TXT records come one after the other behind the MX look-up, side by side with hosts and
 * policy, which take longer: domains that are gone or receive no mail cost one question, and a
 * denial that the resolver has already proven answers the next one as well.
 */
static void
ask(struct domain_check *c, int i)
{
	static const struct {
		const char *prefix;
		enum dns_type type;
		dns_answer_cb *cb;
	} looks[LOOKS] = {
		[LOOK_MX] = {"", DNS_MX, on_mx},
		[LOOK_TLSA] = {"_25._tcp.", DNS_TLSA, on_tlsa},
		[LOOK_STS] = {"_mta-sts.", DNS_TXT, on_sts},
		[LOOK_PRELOAD] = {"_preload25.", DNS_TXT, on_preload},
		[LOOK_TLSRPT] = {"_smtp._tls.", DNS_TXT, on_tlsrpt},
	};

	c->pending++;
	c->owner[i] = arena_printf(c->arena, "%s%s", looks[i].prefix, c->domain);
	if (strlen(c->owner[i]) > DOMAIN_NAME_MAX) {
		/* R1.12: there can be no such name, so nothing to ask for. */
		struct dns_answer none = {
			.name = c->owner[i], .type = looks[i].type, .status = DNS_NXDOMAIN};

		looks[i].cb(&none, c);
		return;
	}
	c->query[i] = dns_query_start(
		c->context->resolver, c->owner[i], looks[i].type, c->arena, looks[i].cb, c);
}

/* --- TXT records --------------------------------------------------------------------- */

static void
report_failure(struct domain_check *c, const struct dns_answer *a, const char *owner)
{
	finding_add(&c->report->findings, dns_failure_code(a), SEVERITY_TEMP, owner, NULL,
		"%s look-up: %s", dns_type_name(a->type), a->why);
}

/* What is found at the subject lies elsewhere. */
static void
add_place(struct domain_check *c, const char *subject, const char *host)
{
	assert(c->facts.place_count < DOMAIN_PLACES_MAX);
	c->facts.places[c->facts.place_count++] =
		(struct finding_place){.subject = subject, .host = arena_strdup(c->arena, host)};
}

static void
note_alias(struct domain_check *c, const struct dns_answer *a, const char *owner)
{
	if (a->aliases > 0 && a->status == DNS_FOUND)
		add_place(c, owner, a->canonical);
}

/* The record meant: the one that counts, or the first near miss; NULL without any. */
static const char *
record_shown(struct domain_check *c, const struct txt_kind *kind, const struct txt_text *texts,
	size_t count)
{
	for (int near = 0; near < 2; near++) {
		for (size_t i = 0; i < count; i++) {
			enum txt_version v = txt_version(kind, texts[i].text, texts[i].len);
			char text[RECORD_SHOWN_MAX];

			if (v != (near ? TXT_VERSION_NEAR : TXT_VERSION_EXACT))
				continue;
			str_escape(texts[i].text, texts[i].len, text, sizeof(text));
			return arena_strdup(c->arena, text);
		}
	}
	return NULL;
}

static enum source_state
source_of(enum txt_outcome outcome, const char *code, const char *missing)
{
	switch (outcome) {
	case TXT_VALID:
		return SOURCE_STATE_VALID;
	case TXT_INVALID:
	case TXT_MULTIPLE:
		return SOURCE_STATE_BROKEN;
	case TXT_NONE:
	case TXT_OTHER:
		break;
	}
	/* A near miss is meant to be a record. */
	return code == NULL || strcmp(code, missing) == 0 ? SOURCE_STATE_ABSENT
							  : SOURCE_STATE_BROKEN;
}

/* Escaped line by line; LF and CR LF both become LF. */
static const char *
policy_shown(struct domain_check *c, const char *text, size_t len)
{
	size_t room = 4 * len + 4, n = 0;
	char *shown = arena_calloc(c->arena, room, 1);
	const char *end = text + len;

	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((lf == NULL ? end : lf) - text);

		if (lf != NULL && line > 0 && text[line - 1] == '\r')
			line--;
		str_escape_controls(text, line, shown + n, room - n);
		n += strlen(shown + n);
		if (lf == NULL)
			break;
		shown[n++] = '\n';
		text = lf + 1;
	}
	return shown;
}

static void
on_policy(const struct policy_fetch_result *result, void *arg)
{
	struct domain_check *c = arg;
	struct report *r = c->report;
	const char *url = arena_printf(c->arena, POLICY_URL_FORMAT, c->domain);

	c->policy = NULL;
	if (result->alias_of != NULL)
		add_place(c, url, result->alias_of);
	for (size_t i = 0; i < result->findings.count; i++) {
		const struct finding *x = &result->findings.items[i];

		finding_add(
			&r->findings, x->code, x->severity, x->subject, x->fix, "%s", x->message);
	}
	if (result->fetched == VERDICT_PASS) {
		struct mta_sts_policy *p = &c->facts.policy;
		char *text = arena_memdup(c->arena, result->text, result->len + 1);

		mta_sts_policy_parse(text, result->len, url, &r->findings, p);
		r->mta_sts_policy = policy_shown(c, text, result->len);
		r->mta_sts_mode = p->valid ? p->mode : POLICY_MODE_ABSENT;
		r->mta_sts_max_age_s = p->valid ? p->max_age_s : 0;
		r->mta_sts_mx = p->valid ? p->mx : NULL;
		r->mta_sts_mx_count = p->valid ? p->mx_count : 0;
		c->facts.sts_policy = p->valid ? SOURCE_STATE_VALID : SOURCE_STATE_BROKEN;
	} else {
		c->facts.sts_policy =
			result->fetched == VERDICT_FAIL ? SOURCE_STATE_BROKEN : SOURCE_STATE_TEMP;
	}
	one_less(c);
}

static void
on_stray(bool misplaced, void *arg)
{
	struct domain_check *c = arg;

	c->stray = NULL;
	if (misplaced)
		c->facts.sts_record = SOURCE_STATE_BROKEN;
	one_less(c);
}

/* The record is not at its place. */
static void
look_elsewhere(struct domain_check *c, const struct txt_text *texts, size_t count)
{
	struct domain_stray_options o = {.resolver = c->context->resolver,
		.fetcher = c->context->fetcher,
		.domain = c->domain,
		.owner = c->owner[LOOK_STS],
		.texts = texts,
		.text_count = count};

	c->pending++;
	c->stray = domain_stray_start(&o, c->report, on_stray, c);
}

static void
on_sts(const struct dns_answer *answer, void *arg)
{
	struct domain_check *c = arg;
	struct report *r = c->report;
	struct mta_sts_record record;
	struct txt_text *texts;
	size_t count;

	c->query[LOOK_STS] = NULL;
	ask(c, LOOK_PRELOAD);
	if (answer->status == DNS_FAILED) {
		report_failure(c, answer, c->owner[LOOK_STS]);
		one_less(c);
		return;
	}
	texts = dns_answer_texts(answer, c->arena, &count);
	mta_sts_rrset_parse(texts, count, c->owner[LOOK_STS], &r->findings, &record);
	r->mta_sts_record = record_shown(c, &txt_kind_mta_sts, texts, count);
	r->mta_sts_id = record.id;
	c->facts.sts_record = source_of(record.outcome, record.code, "mta-sts-record-missing");
	if (c->facts.sts_record == SOURCE_STATE_ABSENT && c->context->thorough) {
		/* R8.15: no wildcard answers at an alias. */
		look_elsewhere(c, texts, answer->aliases == 0 ? count : 0);
	}
	note_alias(c, answer, c->owner[LOOK_STS]);
	if (answer->aliases > 0 && answer->status == DNS_FOUND) {
		finding_add(&r->findings, "mta-sts-record-cname", SEVERITY_INFO, c->owner[LOOK_STS],
			NULL, "the record comes from %s", answer->canonical);
	}
	if (c->facts.sts_record == SOURCE_STATE_VALID) {
		c->pending++;
		c->policy = policy_fetch_start(c->context->fetcher, c->domain, on_policy, c);
	}
	one_less(c);
}

static void
on_tlsrpt(const struct dns_answer *answer, void *arg)
{
	struct domain_check *c = arg;
	struct tlsrpt_record record;
	struct txt_text *texts;
	size_t count;

	c->query[LOOK_TLSRPT] = NULL;
	note_alias(c, answer, c->owner[LOOK_TLSRPT]);
	if (answer->status == DNS_FAILED) {
		report_failure(c, answer, c->owner[LOOK_TLSRPT]);
	} else {
		texts = dns_answer_texts(answer, c->arena, &count);
		tlsrpt_rrset_parse(
			texts, count, c->owner[LOOK_TLSRPT], &c->report->findings, &record);
		c->report->tlsrpt_record = record_shown(c, &txt_kind_tlsrpt, texts, count);
		c->tlsrpt_contact = record.outcome == TXT_VALID ? record.mailto : NULL;
	}
	one_less(c);
}

static void
on_preload(const struct dns_answer *answer, void *arg)
{
	struct domain_check *c = arg;
	struct report *r = c->report;
	struct preload_record *record = &c->facts.preload_record;
	struct txt_text *texts;
	size_t count;

	c->query[LOOK_PRELOAD] = NULL;
	ask(c, LOOK_TLSRPT);
	note_alias(c, answer, c->owner[LOOK_PRELOAD]);
	r->preload_secure = answer->secure;
	if (answer->status == DNS_FAILED) {
		report_failure(c, answer, c->owner[LOOK_PRELOAD]);
		one_less(c);
		return;
	}
	texts = dns_answer_texts(answer, c->arena, &count);
	preload_rrset_parse(texts, count, c->owner[LOOK_PRELOAD], &r->findings, record);
	r->preload_record = record_shown(c, &txt_kind_preload, texts, count);
	c->facts.preload = source_of(record->outcome, record->code, "preload-record-missing");
	r->preload_denied = c->facts.preload == SOURCE_STATE_ABSENT;
	if (c->facts.preload == SOURCE_STATE_VALID &&
		preload_record_has_expired(record, c->facts.now_s)) {
		finding_add(&r->findings, "preload-expired", SEVERITY_INFO, c->owner[LOOK_PRELOAD],
			NULL, "the date in \"until\" has passed");
		c->facts.preload = SOURCE_STATE_ABSENT;
		/* A refusal with a date ends with it as well. */
		record->mode = POLICY_MODE_ABSENT;
	}
	r->preload_mode = record->mode;
	one_less(c);
}

/* --- MX (section 3) ------------------------------------------------------------------ */

static int
compare_mx(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->host, y->host);
}

static void
on_host(void *arg)
{
	one_less(arg);
}

static void
hosts_start(struct domain_check *c)
{
	struct domain_facts *f = &c->facts;

	c->hosts = arena_calloc(c->arena, f->mx_count + 1, sizeof(struct mx_host_ref *));
	for (size_t i = 0; i < f->mx_count; i++) {
		if (f->mx[i].refused)
			continue;
		c->pending++;
		c->hosts[i] = mx_host_get(c->context->hosts, f->mx[i].host, on_host, c);
	}
}

/* Names that are not looked at. */
static bool
is_refused(struct domain_check *c, const char *host)
{
	struct finding_list *findings = &c->report->findings;

	if (domain_name_reads_as_ip(host, strlen(host))) {
		finding_add(findings, "mx-is-address", SEVERITY_FAIL, host, NULL,
			"the MX record holds an address instead of a host name");
		return true;
	}
	if (!c->context->special_use_names && domain_name_is_special_use(host)) {
		finding_add(findings, "mx-special-use", SEVERITY_FAIL, host, NULL,
			"no host with this name can be reached from the internet");
		return true;
	}
	if (!domain_name_is_host(host)) {
		finding_add(findings, "mx-name-invalid", SEVERITY_WARN, host, NULL,
			"this is not a host name that a public authority can certify");
	}
	return false;
}

static void
mx_take(struct domain_check *c, const struct dns_answer *answer)
{
	struct domain_facts *f = &c->facts;
	struct finding_list *findings = &c->report->findings;
	size_t nulls = 0;

	qsort(answer->records, answer->count, sizeof(*answer->records), compare_mx);
	for (size_t i = 0; i < answer->count; i++)
		nulls += answer->records[i].host[0] == '\0';
	if (nulls == answer->count) {
		/* R3.4 */
		finding_add(findings, "mx-null", SEVERITY_FAIL, c->domain, NULL,
			"the null MX says that this domain receives no mail");
		if (answer->records[0].preference != 0) {
			finding_add(findings, "mx-null-preference", SEVERITY_WARN, c->domain, NULL,
				"the null MX has preference %u instead of 0",
				answer->records[0].preference);
		}
		c->report->mx_null = true;
		f->mail = VERDICT_FAIL;
		return;
	}
	f->mail = VERDICT_PASS;
	if (nulls > 0) {
		finding_add(findings, "mx-null-with-others", SEVERITY_FAIL, c->domain, NULL,
			"a null MX stands beside other MX records");
		f->mail = VERDICT_FAIL;
	}
	f->mx = arena_calloc(c->arena, answer->count + 1, sizeof(*f->mx));
	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_record *record = &answer->records[i];
		bool seen = record->host[0] == '\0';

		for (size_t k = 0; k < f->mx_count && !seen; k++)
			seen = strcmp(f->mx[k].host, record->host) == 0;
		if (seen)
			continue;
		if (f->mx_count == MX_HOSTS_MAX || answer->excess) {
			/* R3.17: no sample is called the whole. */
			finding_add(findings, "mx-too-many", SEVERITY_FAIL, c->domain, NULL,
				"more than %d MX hosts", MX_HOSTS_MAX);
			f->mail = VERDICT_FAIL;
			f->mx_count = 0;
			return;
		}
		f->mx[f->mx_count].host = record->host;
		f->mx[f->mx_count].preference = record->preference;
		f->mx_count++;
	}
	for (size_t i = 0; i < f->mx_count; i++)
		f->mx[i].refused = is_refused(c, f->mx[i].host);
	hosts_start(c);
}

static void
mx_implicit(struct domain_check *c)
{
	struct domain_facts *f = &c->facts;

	finding_add(&c->report->findings, "mx-implicit", SEVERITY_INFO, c->domain, NULL,
		"there is no MX record; mail goes to %s itself", c->domain);
	f->mail = VERDICT_PASS;
	f->implicit = true;
	f->mx = arena_calloc(c->arena, 1, sizeof(*f->mx));
	f->mx[0].host = c->domain;
	f->mx_count = 1;
	hosts_start(c);
}

/* R12.9. A failure tells nobody anything: no sender asks there. */
static void
on_tlsa(const struct dns_answer *answer, void *arg)
{
	struct domain_check *c = arg;

	c->query[LOOK_TLSA] = NULL;
	if (answer->status == DNS_FOUND) {
		finding_add(&c->report->findings, "tlsa-at-domain", SEVERITY_WARN,
			c->owner[LOOK_TLSA],
			arena_printf(c->arena, "Publish them at _25._tcp.%s instead.",
				c->facts.mx[0].host),
			"TLSA records stand at the domain, but mail goes to other hosts");
	}
	one_less(c);
}

/* Whether somebody who signs his domain may have mistaken it for the mail host. */
static bool
may_have_tlsa_at_domain(const struct domain_facts *f)
{
	if (f->mx_lookup != DANE_LOOKUP_SECURE || f->implicit || f->mx_count == 0)
		return false;
	for (size_t i = 0; i < f->mx_count; i++) {
		if (strcmp(f->mx[i].host, f->domain) == 0)
			return false;
	}
	return true;
}

/* R2.3: what is not proven may be forged here; only all vantage points together know better. */
static void
report_gone(struct domain_check *c, const struct dns_answer *answer)
{
	struct report *r = c->report;
	bool proven = answer->secure == DNS_SECURE;
	enum severity severity = proven ? SEVERITY_FAIL : SEVERITY_TEMP;

	if (answer->aliases > 0) {
		finding_add(&r->findings, "mx-missing", severity, c->domain, NULL,
			"the domain is an alias of %s, which does not exist", answer->canonical);
	} else {
		finding_add(&r->findings, "domain-nxdomain", severity, c->domain, NULL,
			"there is no such domain, %s",
			proven ? "proven by DNSSEC"
			       : "as far as one place can tell: the answer is not signed");
		r->domain_gone = true;
		r->gone_secure = answer->secure;
	}
	c->facts.mail = proven ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

static void
on_mx(const struct dns_answer *answer, void *arg)
{
	struct domain_check *c = arg;
	struct domain_facts *f = &c->facts;

	c->query[LOOK_MX] = NULL;
	c->report->mx_secure = answer->secure;
	f->expanded = answer->canonical;
	f->mx_lookup = answer->status != DNS_FAILED
		? answer->secure == DNS_SECURE ? DANE_LOOKUP_SECURE : DANE_LOOKUP_INSECURE
		: answer->secure == DNS_BOGUS ? DANE_LOOKUP_BOGUS
					      : DANE_LOOKUP_FAILED;
	if (answer->aliases > 0 && answer->status != DNS_FAILED) {
		finding_add(&c->report->findings, "domain-cname", SEVERITY_INFO, c->domain, NULL,
			"the domain is an alias of %s", answer->canonical);
	}
	if (answer->secure == DNS_INSECURE && answer->status != DNS_NXDOMAIN) {
		finding_add(&c->report->findings, "dnssec-insecure", SEVERITY_INFO, c->domain, NULL,
			"the MX look-up of %s is not protected by DNSSEC", c->domain);
	}
	switch (answer->status) {
	case DNS_FAILED:
		report_failure(c, answer, c->domain);
		break;
	case DNS_NXDOMAIN:
		report_gone(c, answer);
		break;
	case DNS_NODATA:
		mx_implicit(c);
		break;
	case DNS_FOUND:
		mx_take(c, answer);
		break;
	}
	/* Without an answer everything else could only repeat "could not tell"; R3.4. */
	if (answer->status != DNS_FAILED && answer->status != DNS_NXDOMAIN && !c->report->mx_null)
		ask(c, LOOK_STS);
	if (may_have_tlsa_at_domain(f))
		ask(c, LOOK_TLSA);
	one_less(c);
}

/* --- beginning and end --------------------------------------------------------------- */

/* Lets go of everything that belongs to the loop; what is known stays. */
static void
leave_loop(struct domain_check *c)
{
	if (c->timer == NULL)
		return;
	for (int i = 0; i < LOOKS; i++)
		dns_query_cancel(c->query[i]);
	/* Hosts that are known lend strings to the report. */
	for (size_t i = 0; c->hosts != NULL && i < c->facts.mx_count; i++) {
		if (c->hosts[i] != NULL)
			mx_host_mute(c->hosts[i]);
	}
	policy_fetch_cancel(c->policy);
	domain_stray_cancel(c->stray);
	event_free(c->timer);
	c->timer = NULL;
}

static void
overdue(struct domain_check *c, int look)
{
	if (c->query[look] != NULL && look != LOOK_TLSA) {
		finding_add(&c->report->findings, "dns-temporary", SEVERITY_TEMP, c->owner[look],
			NULL, "no answer within %lld s", (long long)c->context->deadline_s);
	}
}

static void
finish(struct domain_check *c)
{
	struct domain_facts *f = &c->facts;
	struct report *r = c->report;

	if (r->ascii != NULL) {
		for (int i = 0; i < LOOKS; i++)
			overdue(c, i);
		if (c->policy != NULL) {
			finding_add(&r->findings, "mta-sts-policy-timeout", SEVERITY_TEMP,
				arena_printf(c->arena, POLICY_URL_FORMAT, c->domain), NULL,
				"no answer within %lld s", (long long)c->context->deadline_s);
		}
		for (size_t i = 0; c->hosts != NULL && i < f->mx_count; i++)
			f->mx[i].info = c->hosts[i] == NULL ? NULL : mx_host_of(c->hosts[i]);
		domain_judge(f, r);
		r->contact = f->preload_record.contact != NULL ? f->preload_record.contact
							       : c->tlsrpt_contact;
	}
	leave_loop(c);
	c->cb(r, c->cb_arg);
}

static void
look(struct domain_check *c)
{
	struct timeval deadline = {c->context->deadline_s, 0};

	c->started = true;
	c->report->time_s = clock_now(&c->context->clock);
	if (domain_name_parse(c->typed, strlen(c->typed), c->context->special_use_names,
		    &c->report->findings, c->domain) < 0) {
		c->report->verdict = VERDICT_FAIL;
		finish(c);
		return;
	}
	c->report->ascii = arena_strdup(c->arena, c->domain);
	c->facts.domain = c->facts.expanded = c->report->ascii;
	c->facts.now_s = c->report->time_s;
	c->facts.max_age_min_s = c->context->max_age_min_s;
	c->facts.deadline_s = c->context->deadline_s;
	c->facts.hosts = c->context->hosts;
	c->facts.mx_lookup = DANE_LOOKUP_FAILED; /* until it has answered */
	(void)event_add(c->timer, &deadline);
	ask(c, LOOK_MX);
}

static bool
was_held_up(const struct domain_check *c)
{
	for (size_t i = 0; c->hosts != NULL && i < c->facts.mx_count; i++) {
		if (c->hosts[i] != NULL && mx_host_was_held_up(c->hosts[i]))
			return true;
	}
	return false;
}

static void
extend(struct domain_check *c)
{
	struct timeval deadline = {c->context->deadline_s, 0};

	c->extensions++;
	(void)event_add(c->timer, &deadline);
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct domain_check *c = arg;

	if (!c->started)
		look(c);
	else if (c->pending > 0 && was_held_up(c) && c->extensions < DOMAIN_EXTENSIONS_MAX)
		extend(c);
	else
		finish(c);
}

struct domain_check *
domain_check_start(const struct domain_context *context, const char *domain, int64_t delay_us,
	domain_report_cb *cb, void *arg)
{
	struct domain_check *c = xcalloc(1, sizeof(*c));
	struct timeval delay = {delay_us / 1000000, delay_us % 1000000};

	c->context = context;
	c->report = report_new(domain);
	c->arena = c->report->arena;
	c->typed = xstrdup(domain);
	c->cb = cb;
	c->cb_arg = arg;
	c->timer = event_new(context->base, -1, 0, on_timer, c);
	assert(c->timer != NULL);
	(void)event_add(c->timer, &delay);
	return c;
}

bool
domain_check_is_parked(const struct domain_check *c)
{
	bool waiting = false;

	if (!c->started || c->pending == 0 || c->policy != NULL || c->stray != NULL)
		return false;
	for (int i = 0; i < LOOKS; i++) {
		if (c->query[i] != NULL)
			return false;
	}
	for (size_t i = 0; c->hosts != NULL && i < c->facts.mx_count; i++) {
		if (c->hosts[i] == NULL || mx_host_of(c->hosts[i]) != NULL)
			continue;
		if (!mx_host_is_waiting(c->hosts[i]))
			return false;
		waiting = true;
	}
	return waiting;
}

void
domain_check_free(struct domain_check *c)
{
	if (c == NULL)
		return;
	leave_loop(c);
	for (size_t i = 0; c->hosts != NULL && i < c->facts.mx_count; i++)
		mx_host_release(c->hosts[i]);
	report_free(c->report);
	free(c->typed);
	free(c);
}

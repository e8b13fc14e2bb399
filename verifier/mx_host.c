/*
 * A host:     RESOLVE (A, AAAA; then SOA or TLSA) and PROBE side by side -> DONE
 * A session:  waits at a gate -> probe -> perhaps once more -> finished
 */
#include "verifier/mx_host.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/xalloc.h"
#include "verifier/domain_name.h"
#include "verifier/gate.h"
#include "verifier/share.h"

/* R2.10: what rests on a failed look-up is not kept for longer. */
#define FAILURE_SHARED_S 60
/* R6.6: an odd end of the handshake counts when it comes twice. */
#define ATTEMPTS_MAX 2

struct host_entry;

/* One SMTP session of a host: an address under a server name. */
struct session {
	struct gate_pass pass; /* first */
	struct host_entry *entry;
	struct mx_address *address; /* in the entry's arena */
	const char *server_name;
	bool for_pkix; /* its result is the address's; else only its chain counts, for DANE */
	unsigned int attempts;
	enum smtp_ask ask;  /* what the session under way is to find out */
	unsigned int asked; /* bits of what further ones have found out */
	int alert;
	const uint8_t *staple; /* in the arena */
	size_t staple_len;
	struct smtp_probe *probe; /* NULL unless running */
	bool finished;
	enum smtp_reach reach;
	enum verdict starttls;
	const char *code;
	STACK_OF(X509) * chain; /* owned until judged */
	struct finding_list findings;
};

/* Until it is done an entry belongs to the thread of its desk, but for the atomics. */
struct host_entry {
	struct share_entry share; /* first */
	struct mx_host host;
	struct mx_host_desk *desk; /* of the thread that does the work */
	struct arena *arena;
	struct dns_query *query[2];
	struct dns_query *extra; /* SOA of the registrable domain, CNAME, or TLSA */
	unsigned int tlsa_tries;
	struct session *sessions; /* in arena */
	size_t session_count;
	atomic_uint pending; /* look-ups and sessions still to end */
	atomic_uint in_line; /* of them, sessions at a gate */
	atomic_bool waited;  /* some session stood in line */
};

struct mx_host_table {
	struct mx_host_options options;
	struct share_table *share;
	struct gates *gates;
};

static const struct mx_host_options *
options_of(const struct host_entry *e)
{
	return &e->desk->table->options;
}

static void
entry_free(struct share_entry *share)
{
	struct host_entry *e = (struct host_entry *)share;

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
	const struct mx_host_options *o = options_of(e);
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
	pkix_judge_staple(s->chain, s->staple, s->staple_len, clock_now(&o->clock), e->arena,
		&a->pkix_result);
	if (a->starttls == VERDICT_PASS)
		a->pkix = a->pkix_result.verdict;
}

/* R6.8, R6.9: the code of what is weak about the session that DANE is judged by; NULL: nothing. */
static const char *
find_weakness(const struct session *s, const struct pkix_result *p)
{
	if (p->key_weak || (s->code != NULL && strcmp(s->code, "tls-key-weak") == 0))
		return "tls-key-weak";
	return p->signature_weak ? "tls-signature-weak" : NULL;
}

/* R14.10: what is weak fails an issuer record, and not one of the server's own key. */
static void
refuse_weak(const struct tlsa_set *set, const char *weak, struct dane_match *match)
{
	if (weak == NULL || match->result != DANE_MATCH ||
		set->records[match->record].usage != TLSA_USAGE_DANE_TA)
		return;
	match->result = DANE_CHAIN_INVALID;
	match->code = weak;
	match->message = "an issuer record matches, but the keys or signatures below are too weak";
}

static void
judge_dane(struct host_entry *e, struct session *s)
{
	const struct mx_host_options *o = options_of(e);
	struct mx_address *a = s->address;
	struct pkix_result pkix = a->pkix_result;
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
	/* Under another server name it may be another chain. */
	if (!s->for_pkix)
		pkix_judge(o->store, s->chain, e->host.tlsa_base, now, e->arena, &pkix);
	a->weak = find_weakness(s, &pkix);
	dane_match(e->desk->dane, &e->host.tlsa, s->chain, names, 1, now, e->arena, &a->dane);
	refuse_weak(&e->host.tlsa, a->weak, &a->dane);
	dane_report_anchor(&e->host.tlsa, s->chain, pkix.trusted, &a->dane, e->host.tlsa_owner,
		&e->host.tlsa_findings);
	a->dane_session = a->dane.result == DANE_MATCH ? DANE_SESSION_MATCH : DANE_SESSION_MISMATCH;
	dane_report_stale(e->desk->dane, &e->host.tlsa, s->chain, names, 1, now, &a->dane,
		e->host.tlsa_owner, &e->host.tlsa_findings);
	if (has_issuer_record(&e->host.tlsa) && a->dane.result != DANE_MATCH) {
		a->chain = s->chain;
		s->chain = NULL;
	}
}

static bool
has_failed_lookup(const struct mx_host *h)
{
	return h->failed != NULL || h->tlsa_lookup == DANE_LOOKUP_FAILED ||
		h->tlsa_lookup == DANE_LOOKUP_BOGUS;
}

static bool
lacks_starttls(const struct mx_address *a)
{
	return a->code != NULL &&
		(strcmp(a->code, "starttls-not-offered") == 0 ||
			strcmp(a->code, "starttls-stripped") == 0);
}

/* R5.4; each address that lacks it has been asked twice. */
static void
judge_consistency(struct host_entry *e)
{
	const struct mx_address *with = NULL;

	for (size_t i = 0; i < e->host.address_count && with == NULL; i++) {
		if (e->host.addresses[i].starttls == VERDICT_PASS)
			with = &e->host.addresses[i];
	}
	for (size_t i = 0; i < e->host.address_count && with != NULL; i++) {
		struct mx_address *a = &e->host.addresses[i];

		if (lacks_starttls(a)) {
			finding_add_usual(&a->findings, "starttls-inconsistent", a->subject, NULL,
				"STARTTLS is not offered here, but at %s it is", with->text);
		}
	}
}

int64_t
mx_host_keep_s(const struct mx_host *h)
{
	size_t answered = 0, silent = 0;

	if (has_failed_lookup(h))
		return FAILURE_SHARED_S;
	for (size_t i = 0; i < h->address_count && !h->too_many; i++) {
		const struct mx_address *a = &h->addresses[i];

		if (a->answered && a->starttls == VERDICT_UNKNOWN)
			return SHARE_UNKNOWN_S;
		answered += a->answered;
		silent += !a->answered && a->special == NULL;
	}
	/* R3.13: one that is silent beside one that answers is nothing to look again for. */
	return answered == 0 && silent > 0 ? SHARE_UNKNOWN_S : SHARE_AS_USUAL;
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
	judge_consistency(e);
	share_done(&e->share, mx_host_keep_s(&e->host));
}

static void
one_less(struct host_entry *e)
{
	unsigned int before = atomic_fetch_sub(&e->pending, 1);

	assert(before > 0);
	if (before == 1)
		entry_done(e);
}

/* --- sessions ------------------------------------------------------------------------ */

static void on_probe(const struct smtp_probe_result *result, void *arg);

static void
session_begin(struct session *s)
{
	s->attempts++;
	s->probe = smtp_probe_start(s->entry->desk->prober, &s->address->address, s->server_name,
		s->ask, s->entry->arena, s->address->subject, on_probe, s);
}

static void
on_let_through(struct mail *mail)
{
	struct session *s = (struct session *)mail;

	(void)atomic_fetch_sub(&s->entry->in_line, 1);
	session_begin(s);
}

static void
session_try(struct session *s)
{
	struct host_entry *e = s->entry;

	s->pass.mail.deliver = on_let_through;
	s->pass.box = e->desk->box;
	s->pass.key[GATE_ALL] = "";
	s->pass.key[GATE_OPERATOR] = domain_name_registrable(e->host.name);
	s->pass.key[GATE_ADDRESS] = s->address->text;
	if (gate_enter(e->desk->table->gates, &s->pass)) {
		session_begin(s);
		return;
	}
	(void)atomic_fetch_add(&e->in_line, 1);
	atomic_store(&e->waited, true);
}

/* What the usual session has shown. */
static void
session_take(struct session *s, const struct smtp_probe_result *result)
{
	struct mx_address *a = s->address;

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
	s->alert = result->alert;
	s->chain = result->chain == NULL ? NULL : X509_chain_up_ref(result->chain);
	if (result->staple_len > 0) {
		s->staple = arena_memdup(s->entry->arena, result->staple, result->staple_len);
		s->staple_len = result->staple_len;
	}
}

/* R6.6; R5.4: where other addresses may offer it, "not offered" counts when it is seen twice. */
static bool
is_to_be_repeated(const struct session *s, const struct smtp_probe_result *result)
{
	const char *code = result->code == NULL ? "" : result->code;

	if (s->ask != SMTP_ASK_USUAL || s->attempts >= ATTEMPTS_MAX)
		return false;
	return result->repeat ||
		(s->entry->host.address_count > 1 &&
			(strcmp(code, "starttls-not-offered") == 0 ||
				strcmp(code, "starttls-stripped") == 0));
}

/* Takes what a session has shown and says whether another is to be held; s->ask is its question. */
static bool
session_goes_on(struct session *s, const struct smtp_probe_result *result)
{
	struct smtp_usual usual;

	if (s->ask == SMTP_ASK_USUAL)
		session_take(s, result);
	if (!s->for_pkix)
		return false;
	usual = (struct smtp_usual){.starttls = s->starttls,
		.code = s->code,
		.alert = s->alert,
		.subject = s->address->subject,
		.findings = &s->findings};
	smtp_further_take(s->ask, result, &usual);
	s->code = usual.code;
	s->ask = smtp_further_next(&options_of(s->entry)->further, &usual, s->asked);
	s->asked |= 1U << s->ask;
	return s->ask != SMTP_ASK_USUAL;
}

static void
on_probe(const struct smtp_probe_result *result, void *arg)
{
	struct session *s = arg;
	bool again;

	s->probe = NULL;
	again = is_to_be_repeated(s, result) || session_goes_on(s, result);
	gate_leave(s->entry->desk->table->gates, &s->pass);
	if (again)
		session_try(s);
	else
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
		(void)atomic_fetch_add(&e->pending, 1);
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
	(void)atomic_fetch_add(&e->pending, 1);
	e->extra = dns_query_start(
		e->desk->resolver, e->host.tlsa_owner, DNS_TLSA, e->arena, on_tlsa, e);
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
	if (e->host.tlsa.usable_count > 0 && !e->host.look_ups_only &&
		strcmp(e->host.tlsa_base, e->host.name) != 0)
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
			    options_of(e)->port, &a->address) < 0)
			continue;
		address_format(&a->address, text);
		a->text = arena_strdup(e->arena, text);
		a->subject = arena_printf(e->arena, "%s[%s]", h->name, text);
		if (!address_filter_permits(options_of(e)->filter, &a->address)) {
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
	size_t records;

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
	records = h->a->count + h->aaaa->count;
	h->addresses = arena_calloc(e->arena,
		(records < MX_ADDRESSES_MAX ? records : MX_ADDRESSES_MAX) + 1,
		sizeof(*h->addresses));
	addresses_take(e, h->a);
	addresses_take(e, h->aaaa);
	if (h->address_count == 0) {
		/* R3.12, also for the domain at the end of the host's aliases. */
		if (h->a->status == DNS_NXDOMAIN && strcmp(registrable, h->a->canonical) == 0) {
			h->dangling = registrable;
		} else if (h->a->status == DNS_NXDOMAIN) {
			(void)atomic_fetch_add(&e->pending, 1);
			e->extra = dns_query_start(e->desk->resolver, registrable, DNS_SOA,
				e->arena, on_registrable, e);
		}
		return;
	}
	if (h->too_many)
		return;
	if (!h->look_ups_only) {
		e->sessions = arena_calloc(e->arena, 2 * h->address_count, sizeof(*e->sessions));
		sessions_start(e, h->name, true);
	}
	/* R12.4, R12.5 */
	if (h->address_lookup == DANE_LOOKUP_SECURE) {
		tlsa_start(e, found->aliases > 0 ? found->canonical : h->name);
	} else if (h->address_lookup == DANE_LOOKUP_INSECURE && found->aliases > 0) {
		e->pending++;
		e->extra = dns_query_start(
			e->desk->resolver, h->name, DNS_CNAME, e->arena, on_alias, e);
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
mx_host_table_new(const struct mx_host_options *options, struct mx_host_table **out)
{
	struct mx_host_table *t = xcalloc(1, sizeof(*t));
	struct share_options share = {
		.share_s = options->share_s,
		.max = MX_HOSTS_SHARED_MAX,
		.free_entry = entry_free,
	};
	struct gate_limits limits = {
		.of = {[GATE_ALL] = options->sessions,
			[GATE_OPERATOR] = options->per_operator,
			[GATE_ADDRESS] = options->per_address},
	};

	t->options = *options;
	share_table_new(&share, &t->share);
	gates_new(&limits, &t->gates);
	*out = t;
}

void
mx_host_table_free(struct mx_host_table *t)
{
	if (t == NULL)
		return;
	share_table_free(t->share);
	gates_free(t->gates);
	free(t);
}

static struct share_entry *
entry_make(const char *name, void *arg)
{
	struct host_entry *e = xcalloc(1, sizeof(*e));

	e->desk = arg;
	e->arena = arena_new();
	e->host.name = arena_strdup(e->arena, name);
	e->host.look_ups_only = e->desk->table->options.look_ups_only;
	e->share.name = e->host.name;
	finding_list_init(&e->host.tlsa_findings, e->arena);
	return &e->share;
}

static void
entry_start(struct host_entry *e)
{
	struct dns_resolver *r = e->desk->resolver;

	atomic_store(&e->pending, 2);
	e->query[0] = dns_query_start(r, e->host.name, DNS_A, e->arena, on_address, e);
	e->query[1] = dns_query_start(r, e->host.name, DNS_AAAA, e->arena, on_address, e);
}

/* What callers hold is the reference to the shared entry. */
static struct share_ref *
share_of(const struct mx_host_ref *ref)
{
	union {
		const struct mx_host_ref *in;
		struct share_ref *out;
	} cast = {ref};

	return cast.out;
}

static struct host_entry *
entry_of(const struct mx_host_ref *ref)
{
	return (struct host_entry *)share_entry_of(share_of(ref));
}

struct mx_host_ref *
mx_host_get(struct mx_host_desk *desk, const char *name, mx_host_cb *cb, void *arg)
{
	bool is_new;
	struct share_ref *ref =
		share_get(desk->table->share, name, desk->box, entry_make, desk, cb, arg, &is_new);

	if (is_new)
		entry_start((struct host_entry *)share_entry_of(ref));
	return (struct mx_host_ref *)ref;
}

void
mx_host_mute(struct mx_host_ref *ref)
{
	share_mute(share_of(ref));
}

void
mx_host_release(struct mx_host_ref *ref)
{
	share_release(share_of(ref));
}

const struct mx_host *
mx_host_of(const struct mx_host_ref *ref)
{
	return share_is_done(share_of(ref)) ? &entry_of(ref)->host : NULL;
}

bool
mx_host_is_waiting(const struct mx_host_ref *ref)
{
	struct host_entry *e = entry_of(ref);
	unsigned int in_line = atomic_load(&e->in_line);

	return in_line > 0 && in_line == atomic_load(&e->pending);
}

bool
mx_host_was_held_up(const struct mx_host_ref *ref)
{
	return !share_is_done(share_of(ref)) && atomic_load(&entry_of(ref)->waited);
}

void
mx_host_match_domain(struct mx_host_desk *desk, const struct mx_host *host,
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
	dane_match(desk->dane, &host->tlsa, address->chain, names, n,
		clock_now(&desk->table->options.clock), arena, out);
	refuse_weak(&host->tlsa, address->weak, out);
}

struct mx_host_stats
mx_host_get_stats(struct mx_host_table *t)
{
	return (struct mx_host_stats){
		.sessions = gates_passed(t->gates),
		.shared = share_hits(t->share),
	};
}

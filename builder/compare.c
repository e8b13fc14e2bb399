#include "builder/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/finding_cause.h"
#include "verifier/report.h"

#define HOUR_S INT64_C(3600)
/* R3.18: a host that has been silent for so long is no obstacle. */
#define SILENT_S (7 * CLOCK_DAY_S)
/* R5.5: the owner's fault, not a moment's. */
#define TEMPORARY_S CLOCK_DAY_S
/* R9.13: a change reaches all servers within it. */
#define POLICY_S HOUR_S
/* R2.9: resolvers keep nothing longer, whatever the TTL. */
#define DNS_S CLOCK_DAY_S
/* R17.8 */
#define KEYS_S CLOCK_DAY_S
/* Two looks further apart than this say nothing about the time between them. */
#define GAP_S (14 * CLOCK_DAY_S)
/* Hosts and addresses taken from evidence: the verifier tests no more (R3.17). */
#define HOSTS_MAX     32
#define ADDRESSES_MAX 16

/* --- facts ---------------------------------------------------------------------------------- */

static const char *
digest_of(const char *text, struct arena *arena)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned len = 0;

	if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
		abort();
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return arena_strdup(arena, hex);
}

/* Whether a subject is the host, or one of its addresses: "host[address]". */
static bool
is_of_host(const char *subject, const char *host)
{
	size_t len = strlen(host);

	return strncmp(subject, host, len) == 0 && (subject[len] == '\0' || subject[len] == '[');
}

static void
note_finding(struct compare_facts *f, const char *code, const char *subject)
{
	bool stripped = strcmp(code, "starttls-stripped") == 0;
	bool missing = strcmp(code, "starttls-not-offered") == 0;

	for (size_t i = 0; (stripped || missing) && i < f->host_count; i++) {
		if (is_of_host(subject, f->hosts[i].name)) {
			f->hosts[i].stripped |= stripped;
			f->hosts[i].not_offered |= missing;
		}
	}
}

void
compare_facts_of_report(const struct report *r, struct arena *arena, struct compare_facts *out)
{
	*out = (struct compare_facts){.sts_record = r->mta_sts_record,
		.sts_id = r->mta_sts_id,
		.policy_max_age_s =
			r->mta_sts_mode != POLICY_MODE_ABSENT ? r->mta_sts_max_age_s : 0,
		.preload_record = r->preload_record};
	if (r->mta_sts_policy != NULL)
		out->policy_digest = digest_of(r->mta_sts_policy, arena);
	out->hosts = arena_calloc(arena, r->mx_count + 1, sizeof(*out->hosts));
	out->host_count = r->mx_count;
	for (size_t i = 0; i < r->mx_count; i++) {
		const struct report_mx *mx = &r->mx[i];
		struct compare_host *h = &out->hosts[i];

		*h = (struct compare_host){
			.name = mx->host, .starttls = mx->starttls, .pkix = mx->pkix};
		h->keys = arena_calloc(arena, mx->address_count + 1, sizeof(*h->keys));
		for (size_t k = 0; k < mx->address_count; k++) {
			if (mx->addresses[k].spki_sha256 != NULL)
				h->keys[h->key_count++] = mx->addresses[k].spki_sha256;
		}
	}
	for (size_t i = 0; i < r->findings.count; i++)
		note_finding(out, r->findings.items[i].code, r->findings.items[i].subject);
}

/* NULL when it is not there or no string. */
static const char *
member(const json_t *object, const char *name, struct arena *arena)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? arena_strdup(arena, text) : NULL;
}

static enum verdict
member_verdict(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text == NULL)
		return VERDICT_UNKNOWN;
	return strcmp(text, "pass") == 0    ? VERDICT_PASS
		: strcmp(text, "fail") == 0 ? VERDICT_FAIL
					    : VERDICT_UNKNOWN;
}

static void
host_of_evidence(const json_t *mx, struct arena *arena, struct compare_host *h)
{
	const json_t *sessions = json_object_get(mx, "sessions");

	h->starttls = member_verdict(mx, "starttls");
	h->pkix = member_verdict(mx, "pkix");
	h->keys = arena_calloc(arena, ADDRESSES_MAX, sizeof(*h->keys));
	for (size_t i = 0; i < json_array_size(sessions) && i < ADDRESSES_MAX; i++) {
		const char *key = member(json_array_get(sessions, i), "spki_sha256", arena);

		if (key != NULL)
			h->keys[h->key_count++] = key;
	}
}

void
compare_facts_of_evidence(const json_t *evidence, struct arena *arena, struct compare_facts *out)
{
	const json_t *sts = json_object_get(evidence, "mta_sts");
	const json_t *mx = json_object_get(evidence, "mx");
	const json_t *findings = json_object_get(evidence, "findings");
	const char *policy = json_string_value(json_object_get(sts, "policy"));

	*out = (struct compare_facts){.sts_record = member(sts, "record", arena),
		.sts_id = member(sts, "id", arena),
		.policy_digest = policy != NULL ? digest_of(policy, arena) : NULL,
		.policy_max_age_s = json_integer_value(json_object_get(sts, "max_age")),
		.preload_record = member(json_object_get(evidence, "preload"), "record", arena)};
	out->hosts = arena_calloc(arena, HOSTS_MAX, sizeof(*out->hosts));
	for (size_t i = 0; i < json_array_size(mx) && out->host_count < HOSTS_MAX; i++) {
		struct compare_host *h = &out->hosts[out->host_count];

		h->name = member(json_array_get(mx, i), "host", arena);
		if (h->name == NULL)
			continue;
		host_of_evidence(json_array_get(mx, i), arena, h);
		out->host_count++;
	}
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const char *code = json_string_value(json_object_get(f, "code"));
		const char *subject = json_string_value(json_object_get(f, "subject"));

		if (code != NULL && subject != NULL)
			note_finding(out, code, subject);
	}
}

static const struct compare_host *
find_host(const struct compare_facts *f, const char *name)
{
	for (size_t i = 0; i < f->host_count; i++) {
		if (strcmp(f->hosts[i].name, name) == 0)
			return &f->hosts[i];
	}
	return NULL;
}

/* It let a client in, whatever came then. */
static bool
was_welcomed(const struct compare_host *h)
{
	return h != NULL && (h->starttls == VERDICT_PASS || h->not_offered || h->stripped);
}

/* --- marks ---------------------------------------------------------------------------------- */

struct comparison {
	const struct compare_input *in;
	struct report *r;
	struct arena *arena;
	struct compare_facts mine;
	struct compare_result *out;
	bool regraded; /* a finding has another severity now */
};

/* Peers of this round only: an older look is no contradiction, things may have changed since. */
static const struct compare_look *
next_peer(const struct comparison *c, size_t *at)
{
	while (*at < c->in->peer_count) {
		const struct compare_look *p = &c->in->peers[(*at)++];

		if (p->time_s <= c->in->now_s && c->in->now_s - p->time_s <= c->in->round_s)
			return p;
	}
	return NULL;
}

static const struct compare_mark *
find_mark(const struct comparison *c, const char *vantage, enum compare_kind kind,
	const char *subject)
{
	for (size_t i = 0; i < c->in->mark_count; i++) {
		const struct compare_mark *m = &c->in->marks[i];

		if (m->kind == kind && strcmp(m->vantage, vantage) == 0 &&
			strcmp(m->subject, subject) == 0)
			return m;
	}
	return NULL;
}

static void
put_mark(struct comparison *c, enum compare_kind kind, const char *subject, int64_t since_s,
	const char *value)
{
	struct compare_result *o = c->out;

	for (size_t i = 0; i < o->mark_count; i++) {
		if (o->marks[i].kind == kind && strcmp(o->marks[i].subject, subject) == 0)
			return;
	}
	if (o->mark_count < COMPARE_MARKS_MAX)
		o->marks[o->mark_count++] = (struct compare_mark){.vantage = c->in->vantage,
			.kind = kind,
			.subject = arena_strdup(c->arena, subject),
			.since_s = since_s,
			.value = value};
}

/* The condition holds at this look. Returns since when it has held at every look of ours. */
static int64_t
mark(struct comparison *c, enum compare_kind kind, const char *subject)
{
	const struct compare_mark *m = find_mark(c, c->in->vantage, kind, subject);
	const struct compare_look *before = c->in->before;
	int64_t since_s = c->in->now_s;

	if (m != NULL && before != NULL && c->in->now_s - before->time_s <= GAP_S &&
		m->since_s < since_s)
		since_s = m->since_s;
	put_mark(c, kind, subject, since_s, "");
	return since_s;
}

static bool
has_lasted(const struct comparison *c, int64_t since_s, int64_t length_s)
{
	return c->in->now_s - since_s >= length_s;
}

static int
compare_marks(const void *a, const void *b)
{
	const struct compare_mark *x = a;
	const struct compare_mark *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->subject, y->subject);
}

/* The marks in order, and whether they differ from those that are remembered. */
static void
settle_marks(struct comparison *c)
{
	struct compare_result *o = c->out;
	size_t before = 0;

	qsort(o->marks, o->mark_count, sizeof(*o->marks), compare_marks);
	for (size_t i = 0; i < c->in->mark_count; i++)
		before += strcmp(c->in->marks[i].vantage, c->in->vantage) == 0;
	o->marks_changed = before != o->mark_count;
	for (size_t i = 0; i < o->mark_count && !o->marks_changed; i++) {
		const struct compare_mark *n = &o->marks[i];
		const struct compare_mark *m = find_mark(c, n->vantage, n->kind, n->subject);

		o->marks_changed =
			m == NULL || m->since_s != n->since_s || strcmp(m->value, n->value) != 0;
	}
}

static void
regrade(struct comparison *c, struct finding *f, enum severity severity)
{
	if (f->severity == severity)
		return;
	f->severity = severity;
	c->regraded = true;
}

/* --- R3.18 ---------------------------------------------------------------------------------- */

/* Whether every vantage point has had no answer from the host for long enough. */
static bool
is_dead(const struct comparison *c, const char *host, int64_t since_s)
{
	unsigned points = 1;

	if (!has_lasted(c, since_s, SILENT_S))
		return false;
	for (size_t i = 0; i < c->in->peer_count; i++) {
		const struct compare_look *p = &c->in->peers[i];
		const struct compare_mark *m = find_mark(c, p->vantage, COMPARE_SILENT, host);

		points += m != NULL && has_lasted(c, m->since_s, SILENT_S) &&
			c->in->now_s - p->time_s <= GAP_S;
	}
	return points >= c->in->vantages;
}

/* What was judged without the dead hosts takes the place of what was judged with them. */
static void
adopt(struct report *r, const struct report *apart)
{
	r->verdict = apart->verdict;
	r->eligible = apart->eligible;
	r->source = apart->source;
	r->auth_pkix = apart->auth_pkix;
	r->auth_dane = apart->auth_dane;
	r->mode = apart->mode;
	r->max_age_s = apart->max_age_s;
	r->mxs = apart->mxs;
	r->mxs_count = apart->mxs_count;
	r->tls_version = apart->tls_version;
	r->mx = apart->mx;
	r->mx_count = apart->mx_count;
	r->mta_sts = apart->mta_sts;
	r->dane = apart->dane;
	finding_list_init(&r->findings, r->arena);
	r->findings.count = r->findings.size = apart->findings.count;
	if (apart->findings.count > 0)
		r->findings.items = arena_memdup(r->arena, apart->findings.items,
			apart->findings.count * sizeof(*apart->findings.items));
}

static void
judge_silence(struct comparison *c)
{
	struct report *r = c->r;
	size_t silent = 0, dead = 0;

	for (size_t i = 0; i < r->mx_count; i++) {
		if (!r->mx[i].silent)
			continue;
		silent++;
		dead += is_dead(c, r->mx[i].host, mark(c, COMPARE_SILENT, r->mx[i].host));
	}
	if (silent == 0 || dead < silent)
		return;
	if (r->without_silent != NULL) {
		adopt(r, r->without_silent);
		return;
	}
	/* Nobody asks for a listing: then there is nothing that the host could be an obstacle to.
	 */
	for (size_t i = 0; i < r->findings.count; i++) {
		if (strcmp(r->findings.items[i].code, "mx-unreachable") == 0 &&
			r->mta_sts_record == NULL && r->preload_record == NULL)
			regrade(c, &r->findings.items[i], SEVERITY_WARN);
	}
}

/* --- sections 4 and 5 ----------------------------------------------------------------------- */

/* The peer that was welcomed where we were not. */
static const struct compare_look *
find_welcomed(const struct comparison *c, const char *subject)
{
	const struct compare_look *p;

	for (size_t at = 0; (p = next_peer(c, &at)) != NULL;) {
		for (size_t i = 0; i < p->facts.host_count; i++) {
			if (is_of_host(subject, p->facts.hosts[i].name) &&
				was_welcomed(&p->facts.hosts[i]))
				return p;
		}
	}
	return NULL;
}

/* R4.4, R4.18 */
static void
judge_block(struct comparison *c, struct finding *f)
{
	const struct compare_look *p = find_welcomed(c, f->subject);
	const char *subject = f->subject;
	const char *message = f->message;

	if (p == NULL)
		return;
	regrade(c, f, SEVERITY_TEMP);
	/* The list may move: f is not to be used any more. */
	finding_add(&c->r->findings, "smtp-blocked-here", SEVERITY_TEMP, subject, NULL,
		"vantage point %s is refused, %s is welcomed: %s", c->in->vantage, p->vantage,
		message);
}

/* R5.3: whether every other point sees STARTTLS masked, too. */
static bool
is_stripped_everywhere(const struct comparison *c, const char *subject)
{
	const struct compare_look *p;
	unsigned points = 1;

	for (size_t at = 0; (p = next_peer(c, &at)) != NULL;) {
		for (size_t i = 0; i < p->facts.host_count; i++)
			points += is_of_host(subject, p->facts.hosts[i].name) &&
				p->facts.hosts[i].stripped;
	}
	return points > 1 || c->in->vantages == 1;
}

static void
judge_sessions(struct comparison *c)
{
	struct finding_list *l = &c->r->findings;
	size_t count = l->count;

	for (size_t i = 0; i < count; i++) {
		struct finding *f = &l->items[i];

		if (strcmp(f->code, "smtp-greeting-rejected") == 0 ||
			strcmp(f->code, "smtp-connection-lost") == 0) {
			if (f->severity == SEVERITY_FAIL || f->severity == SEVERITY_TEMP)
				judge_block(c, f);
		} else if (strcmp(f->code, "starttls-stripped") == 0) {
			if (f->severity == SEVERITY_FAIL && !is_stripped_everywhere(c, f->subject))
				regrade(c, f, SEVERITY_TEMP);
		} else if (strcmp(f->code, "starttls-temporary") == 0 &&
			f->severity == SEVERITY_TEMP) {
			/* R5.5 */
			if (has_lasted(c, mark(c, COMPARE_TEMPORARY, f->subject), TEMPORARY_S))
				regrade(c, f, c->r->eligible ? SEVERITY_WARN : SEVERITY_FAIL);
		}
	}
}

/*
 * R5.4. The fail is that of the point that was offered nothing; to the others it is a warning. Else
 * somebody near one place could make all places fail, and so drive a domain off the list (R17.7).
 */
static void
judge_offers(struct comparison *c)
{
	for (size_t i = 0; i < c->mine.host_count; i++) {
		const struct compare_host *h = &c->mine.hosts[i];
		const struct compare_look *p;

		for (size_t at = 0; (p = next_peer(c, &at)) != NULL;) {
			const struct compare_host *o = find_host(&p->facts, h->name);
			bool less = o != NULL && h->not_offered && o->starttls == VERDICT_PASS;
			bool more = o != NULL && o->not_offered && h->starttls == VERDICT_PASS;

			if ((!less && !more) || mark(c, COMPARE_STARTTLS, h->name) >= c->in->now_s)
				continue;
			finding_add(&c->r->findings, "starttls-inconsistent",
				less ? SEVERITY_FAIL : SEVERITY_WARN, h->name, NULL,
				"STARTTLS is offered to vantage point %s and not to %s",
				less ? p->vantage : c->in->vantage,
				less ? c->in->vantage : p->vantage);
			c->regraded |= less;
		}
	}
}

/* --- DNS and policy ------------------------------------------------------------------------- */

static void
differ_in_dns(struct comparison *c, const char *name, const char *type, const char *peer)
{
	if (has_lasted(c, mark(c, COMPARE_DNS, name), DNS_S))
		finding_add(&c->r->findings, "dns-inconsistent", SEVERITY_WARN, name, NULL,
			"the %s records are others for vantage point %s than for %s", type,
			c->in->vantage, peer);
}

/* Hosts of a that b does not have (R3.21). */
static bool
differ_in_mx(struct comparison *c, const struct compare_facts *a, const struct compare_facts *b,
	const char *who, const char *other)
{
	bool differ = false;

	for (size_t i = 0; i < a->host_count; i++) {
		if (find_host(b, a->hosts[i].name) != NULL)
			continue;
		finding_add(&c->r->findings, "mx-inconsistent", SEVERITY_WARN, a->hosts[i].name,
			NULL, "this MX host is seen by vantage point %s and not by %s", who, other);
		differ = true;
	}
	return differ;
}

static bool
differ(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) != 0;
}

static void
judge_records(struct comparison *c)
{
	const struct compare_facts *m = &c->mine;
	const char *domain = c->r->ascii;
	const struct compare_look *p;

	for (size_t at = 0; (p = next_peer(c, &at)) != NULL;) {
		const struct compare_facts *o = &p->facts;

		if (m->host_count > 0 && o->host_count > 0) {
			bool more = differ_in_mx(c, m, o, c->in->vantage, p->vantage);
			bool less = differ_in_mx(c, o, m, p->vantage, c->in->vantage);

			if (more || less) {
				c->out->unsettled = true;
				differ_in_dns(c, domain, "MX", p->vantage);
			}
		}
		if (differ(m->sts_record, o->sts_record))
			differ_in_dns(c, arena_printf(c->arena, "_mta-sts.%s", domain), "TXT",
				p->vantage);
		if (differ(m->preload_record, o->preload_record))
			differ_in_dns(c, arena_printf(c->arena, "_preload25.%s", domain), "TXT",
				p->vantage);
		/* R9.13 */
		if (!differ(m->sts_id, o->sts_id) && !differ(m->policy_digest, o->policy_digest))
			continue;
		c->out->unsettled = true;
		if (has_lasted(c, mark(c, COMPARE_POLICY, domain), POLICY_S))
			finding_add(&c->r->findings, "mta-sts-policy-inconsistent", SEVERITY_WARN,
				domain, NULL,
				"%s of the policy is another for vantage point %s than for %s",
				differ(m->sts_id, o->sts_id) ? "the id" : "the text",
				c->in->vantage, p->vantage);
	}
}

/* What this point knew of the policy when it last saw it. */
static bool
last_policy(const struct comparison *c, const char **id, const char **digest, int64_t *max_age_s)
{
	const struct compare_look *b = c->in->before;

	if (b != NULL && b->facts.sts_id != NULL && b->facts.policy_digest != NULL) {
		*id = b->facts.sts_id;
		*digest = b->facts.policy_digest;
		*max_age_s = b->facts.policy_max_age_s;
		return true;
	}
	for (size_t i = 0; i < c->in->mark_count; i++) {
		const struct compare_mark *m = &c->in->marks[i];
		char *end;

		if (m->kind != COMPARE_LAST_POLICY || strcmp(m->vantage, c->in->vantage) != 0)
			continue;
		*id = m->subject;
		*max_age_s = strtoll(m->value, &end, 10);
		*digest = *end == ' ' ? end + 1 : end;
		return true;
	}
	return false;
}

/* R8.14. Senders keep the text before for its max_age; so long it is worth a word. */
static void
judge_id(struct comparison *c)
{
	const struct compare_facts *m = &c->mine;
	const struct compare_mark *stale;
	const char *id, *digest, *lasts;
	int64_t max_age_s, since_s;
	bool known = last_policy(c, &id, &digest, &max_age_s);

	if (m->sts_id == NULL || m->policy_digest == NULL) {
		if (known)
			put_mark(c, COMPARE_LAST_POLICY, id, 0,
				arena_printf(c->arena, "%lld %s", (long long)max_age_s, digest));
		/* The id may still be the one that should have changed. */
		for (size_t i = 0; i < c->in->mark_count; i++) {
			const struct compare_mark *k = &c->in->marks[i];

			if (k->kind == COMPARE_STALE_ID &&
				strcmp(k->vantage, c->in->vantage) == 0 &&
				!has_lasted(c, k->since_s, strtoll(k->value, NULL, 10)))
				put_mark(c, k->kind, k->subject, k->since_s, k->value);
		}
		return;
	}
	stale = find_mark(c, c->in->vantage, COMPARE_STALE_ID, m->sts_id);
	if (known && strcmp(id, m->sts_id) == 0 && strcmp(digest, m->policy_digest) != 0 &&
		max_age_s > 0) {
		since_s = c->in->now_s;
		lasts = arena_printf(c->arena, "%lld", (long long)max_age_s);
	} else if (stale != NULL &&
		!has_lasted(c, stale->since_s, strtoll(stale->value, NULL, 10))) {
		since_s = stale->since_s;
		lasts = stale->value;
	} else {
		return;
	}
	put_mark(c, COMPARE_STALE_ID, m->sts_id, since_s, lasts);
	finding_add(&c->r->findings, "mta-sts-id-unchanged", SEVERITY_WARN,
		arena_printf(c->arena, "_mta-sts.%s", c->r->ascii),
		arena_printf(c->arena,
			"Publish another id in the record, for example:\n"
			"_mta-sts.%s. IN TXT \"v=STSv1; id=%lld\"",
			c->r->ascii, (long long)since_s),
		"the policy's text has changed and the id is still %s", m->sts_id);
}

/* --- R17.8 ---------------------------------------------------------------------------------- */

static bool
share_a_key(const struct compare_host *a, const struct compare_host *b)
{
	for (size_t i = 0; i < a->key_count; i++) {
		for (size_t k = 0; k < b->key_count; k++) {
			if (strcmp(a->keys[i], b->keys[k]) == 0)
				return true;
		}
	}
	return false;
}

static void
judge_keys(struct comparison *c)
{
	for (size_t i = 0; i < c->mine.host_count; i++) {
		const struct compare_host *h = &c->mine.hosts[i];
		const struct compare_look *p;

		for (size_t at = 0; h->pkix == VERDICT_PASS && (p = next_peer(c, &at)) != NULL;) {
			const struct compare_host *o = find_host(&p->facts, h->name);

			if (o == NULL || o->pkix != VERDICT_PASS || o->key_count == 0 ||
				share_a_key(h, o))
				continue;
			if (has_lasted(c, mark(c, COMPARE_KEYS, h->name), KEYS_S))
				finding_add(&c->r->findings, "vantage-keys-differ", SEVERITY_INFO,
					h->name, NULL,
					"vantage points %s and %s see no key in common, and all "
					"certificates are publicly valid",
					c->in->vantage, p->vantage);
		}
	}
}

/* --- all of it ------------------------------------------------------------------------------ */

void
compare_looks(const struct compare_input *in, struct report *r, struct compare_result *out)
{
	struct comparison c = {.in = in, .r = r, .arena = r->arena, .out = out};

	*out = (struct compare_result){0};
	out->marks = arena_calloc(c.arena, COMPARE_MARKS_MAX, sizeof(*out->marks));
	if (r->ascii != NULL) {
		judge_silence(&c);
		compare_facts_of_report(r, c.arena, &c.mine);
		judge_sessions(&c);
		judge_offers(&c);
		judge_records(&c);
		judge_id(&c);
		judge_keys(&c);
	}
	finding_cause_settle(&r->findings, r->ascii, NULL, 0);
	if (c.regraded && !r->eligible)
		r->verdict = finding_list_verdict(&r->findings);
	/* R2.3: that a domain is gone is something told. */
	if (r->ascii != NULL && r->verdict == VERDICT_UNKNOWN && !r->domain_gone)
		out->unknown_since_s = mark(&c, COMPARE_UNKNOWN, r->ascii);
	settle_marks(&c);
	finding_list_sort(&r->findings);
}

bool
compare_is_own_code(const char *code)
{
	static const char *const codes[] = {"dns-inconsistent", "mx-inconsistent",
		"smtp-blocked-here", "starttls-inconsistent", "mta-sts-id-unchanged",
		"mta-sts-policy-inconsistent", "vantage-keys-differ"};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

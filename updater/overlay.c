#include "updater/overlay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "export/list_reader.h"
#include "updater/rules.h"
#include "updater/source.h"

struct overlay {
	const struct overlay_list *lists;
	size_t count;
	const struct rules *rules;
	int64_t now_s;
	const struct list_entry *heads[SOURCES_MAX]; /* not yet handed out; NULL: none is left */
	bool due[SOURCES_MAX];                       /* what was handed out is over: read on */
	struct overlay_share shares[SOURCES_MAX];
	size_t next_rule;
	struct overlay_entry out;
};

/* The rules of one domain by their kind. */
struct rules_of_domain {
	const struct rule *by_kind[RULE_KINDS];
};

static const struct list_header no_list;

static void
set_added(const struct rule *rule, struct list_entry *out)
{
	*out = (struct list_entry){.domain = rule->domain,
		/* Whoever asks when it ends is told the end of time. */
		.confirmed_s = CLOCK_MAX_S,
		.policy = {.auth_dane = rule->auth_dane,
			.auth_pkix = rule->auth_pkix,
			.max_age_s = LIST_MAX_AGE_MAX,
			.mode = LIST_MODE_ENFORCE,
			.mxs = rule->mxs,
			.mxs_count = rule->mxs_count,
			.source = LIST_SOURCE_STARTTLS,
			.tls = "1.2"}};
}

/* How much a list's entry is worth; the first of the most worth counts. */
enum worth {
	WORTH_NOTHING,
	WORTH_UNTRUSTED,
	WORTH_TRIAL_RUN_OUT, /* of a list that is only being tested */
	WORTH_RUN_OUT,
	WORTH_TRIAL, /* before what has run out: a rule can make a line of it */
	WORTH_IN_FORCE
};

static enum worth
worth_of(const struct overlay_list *l, const struct list_entry *e, int64_t now_s)
{
	bool in_force;

	if (e == NULL)
		return WORTH_NOTHING;
	if (!trust_covers(l->domains, l->domain_count, e->domain))
		return WORTH_UNTRUSTED;
	in_force = list_entry_end(list_reader_header(l->list), e) > now_s;
	if (l->trust == TRUST_TESTING)
		return in_force ? WORTH_TRIAL : WORTH_TRIAL_RUN_OUT;
	return in_force ? WORTH_IN_FORCE : WORTH_RUN_OUT;
}

/* By the lists alone. */
static void
take_listed(const struct overlay_list *l, const struct list_entry *e, enum worth worth, struct overlay_entry *out)
{
	out->kind = worth == WORTH_UNTRUSTED                             ? OVERLAY_UNTRUSTED
		: worth == WORTH_TRIAL || worth == WORTH_TRIAL_RUN_OUT ? OVERLAY_TRIAL
								       : OVERLAY_LISTED;
	out->listed = true;
	out->header = list_reader_header(l->list);
	out->entry = *e;
	if (out->kind == OVERLAY_LISTED && l->trust == TRUST_EARLY &&
		e->policy.mode == LIST_MODE_TESTING) {
		out->kind = OVERLAY_EARLY;
		out->entry.policy.mode = LIST_MODE_ENFORCE;
	}
}

/* Whether the rule lifts the entry: one for the domain also from a list that is only being tested, one for
 * all only from what lists say of themselves. */
static bool
is_lifted(const struct overlay_entry *e, const struct rule *early)
{
	if (early == NULL)
		return false;
	return e->kind == OVERLAY_TRIAL ? early->domain != NULL
					: e->kind == OVERLAY_LISTED && e->entry.policy.mode == LIST_MODE_TESTING;
}

/* Whether one of the lists is still in force when the entry that counts, which is, has run out. */
static bool
has_heir(const struct overlay_list *lists, const struct list_entry *const *entries, size_t count, size_t from)
{
	const int64_t end_s = list_entry_end(list_reader_header(lists[from].list), entries[from]);

	for (size_t i = 0; i < count; i++)
		if (i != from && worth_of(&lists[i], entries[i], end_s) >= WORTH_TRIAL)
			return true;
	return false;
}

/* The precedence of design.md section 9. */
static bool
decide(const struct overlay_list *lists, const struct list_entry *const *entries, size_t count,
	const struct rules_of_domain *rules, int64_t now_s, struct overlay_entry *out)
{
	const struct rule *except = rules->by_kind[RULE_EXCEPT], *add = rules->by_kind[RULE_ADD],
			  *early = rules->by_kind[RULE_EARLY];
	enum worth best = WORTH_NOTHING;

	*out = (struct overlay_entry){.header = &no_list};
	for (size_t i = 0; i < count; i++) {
		enum worth worth = worth_of(&lists[i], entries[i], now_s);

		if (worth > best) {
			best = worth;
			out->from = i;
		}
	}
	if (best == WORTH_NOTHING && add == NULL)
		return false;
	if (best != WORTH_NOTHING)
		take_listed(&lists[out->from], entries[out->from], best, out);
	out->heir = best >= WORTH_TRIAL && has_heir(lists, entries, count, out->from);
	if (add != NULL) {
		out->kind = OVERLAY_ADDED;
		out->rule = add;
		set_added(add, &out->entry);
	}
	if (except != NULL && rule_is_in_force(except, now_s)) {
		out->kind = OVERLAY_EXCEPTED;
		out->rule = except;
	} else if (is_lifted(out, early)) {
		out->kind = OVERLAY_EARLY;
		out->rule = early;
		out->entry.policy.mode = LIST_MODE_ENFORCE;
	}
	return true;
}

bool
overlay_decide(const char *domain, const struct overlay_list *lists, const struct list_entry *const *entries,
	size_t count, const struct rules *rules, int64_t now_s, struct overlay_entry *out)
{
	struct rules_of_domain of;

	for (int k = 0; k < RULE_KINDS; k++)
		of.by_kind[k] = rules_find(rules, (enum rule_kind)k, domain);
	return decide(lists, entries, count, &of, now_s, out);
}

struct overlay *
overlay_new(const struct overlay_list *lists, size_t count, const struct rules *rules, int64_t now_s)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	assert(count <= SOURCES_MAX);
	o->lists = lists;
	o->count = count;
	o->rules = rules;
	o->now_s = now_s;
	for (size_t i = 0; i < count; i++)
		o->due[i] = true;
	return o;
}

void
overlay_free(struct overlay *o)
{
	free(o);
}

struct overlay_share
overlay_share(const struct overlay *o, size_t i)
{
	return o->shares[i];
}

/* What was handed out is the caller's until now. */
static int
read_lists(struct overlay *o, struct error *err)
{
	for (size_t i = 0; i < o->count; i++) {
		int rc;

		if (!o->due[i])
			continue;
		rc = list_reader_next(o->lists[i].list, &o->heads[i], err);
		if (rc <= 0)
			o->heads[i] = NULL;
		if (rc < 0)
			return -1;
		o->due[i] = false;
	}
	return 0;
}

/* The domain that comes next of all streams; its rules are taken. NULL: all have ended. */
static const char *
take_rules(struct overlay *o, struct rules_of_domain *out)
{
	size_t count = rules_count(o->rules);
	const char *domain = NULL, *first;

	for (size_t i = 0; i < o->count; i++)
		if (o->heads[i] != NULL && (domain == NULL || strcmp(o->heads[i]->domain, domain) < 0))
			domain = o->heads[i]->domain;
	memset(out, 0, sizeof(*out));
	out->by_kind[RULE_EARLY] = rules_early_all(o->rules);
	if (o->next_rule == count)
		return domain;
	first = rules_nth(o->rules, o->next_rule)->domain;
	if (domain == NULL || strcmp(first, domain) < 0)
		domain = first;
	for (; o->next_rule < count; o->next_rule++) {
		const struct rule *rule = rules_nth(o->rules, o->next_rule);

		if (strcmp(rule->domain, domain) != 0)
			break;
		out->by_kind[rule->kind] = rule;
	}
	return domain;
}

/* The lists' entries for the domain; they are handed out with it. */
static void
take_heads(struct overlay *o, const char *domain, const struct list_entry *entries[static SOURCES_MAX])
{
	for (size_t i = 0; i < o->count; i++) {
		const struct list_entry *head = o->heads[i];

		entries[i] = NULL;
		if (head == NULL || (head->domain != domain && strcmp(head->domain, domain) != 0))
			continue;
		entries[i] = head;
		o->due[i] = true;
	}
}

static void
count_shares(struct overlay *o, const struct list_entry *const *entries)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct overlay_list *l = &o->lists[i];

		if (entries[i] == NULL)
			continue;
		o->shares[i].entries++;
		if (!trust_covers(l->domains, l->domain_count, entries[i]->domain))
			o->shares[i].untrusted++;
		else if (o->out.from != i)
			o->shares[i].behind++;
	}
}

int
overlay_next(struct overlay *o, const struct overlay_entry **out, struct error *err)
{
	const struct list_entry *entries[SOURCES_MAX];

	if (read_lists(o, err) < 0)
		return -1;
	for (;;) {
		struct rules_of_domain rules;
		const char *domain = take_rules(o, &rules);

		if (domain == NULL)
			return 0;
		take_heads(o, domain, entries);
		if (decide(o->lists, entries, o->count, &rules, o->now_s, &o->out)) {
			count_shares(o, entries);
			*out = &o->out;
			return 1;
		}
		/* Rules for a domain that nobody lists. */
	}
}

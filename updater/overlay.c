#include "updater/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "export/list_reader.h"
#include "updater/rules.h"

struct overlay {
	struct list_reader *list;
	const struct rules *rules;
	int64_t now_s;
	const struct list_entry *head; /* of the list, not yet handed out; NULL: none is left */
	size_t next_rule;
	bool begun;
	struct overlay_entry out;
};

/* The rules of one domain by their kind. */
struct rules_of_domain {
	const struct rule *by_kind[RULE_KINDS];
};

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

/* The precedence of design.md section 9. */
static bool
decide(const struct list_entry *listed, const struct rules_of_domain *rules, int64_t now_s,
	struct overlay_entry *out)
{
	const struct rule *except = rules->by_kind[RULE_EXCEPT], *add = rules->by_kind[RULE_ADD],
			  *early = rules->by_kind[RULE_EARLY];

	if (listed == NULL && add == NULL)
		return false;
	out->kind = OVERLAY_LISTED;
	out->rule = NULL;
	out->listed = listed != NULL;
	if (add != NULL) {
		out->kind = OVERLAY_ADDED;
		out->rule = add;
		set_added(add, &out->entry);
	} else {
		out->entry = *listed;
	}
	if (except != NULL && rule_is_in_force(except, now_s)) {
		out->kind = OVERLAY_EXCEPTED;
		out->rule = except;
	} else if (early != NULL && out->entry.policy.mode == LIST_MODE_TESTING) {
		out->kind = OVERLAY_EARLY;
		out->rule = early;
		out->entry.policy.mode = LIST_MODE_ENFORCE;
	}
	return true;
}

bool
overlay_decide(const char *domain, const struct list_entry *listed, const struct rules *rules,
	int64_t now_s, struct overlay_entry *out)
{
	struct rules_of_domain of;

	for (int k = 0; k < RULE_KINDS; k++)
		of.by_kind[k] = rules_find(rules, (enum rule_kind)k, domain);
	return decide(listed, &of, now_s, out);
}

struct overlay *
overlay_new(struct list_reader *list, const struct rules *rules, int64_t now_s)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	o->list = list;
	o->rules = rules;
	o->now_s = now_s;
	return o;
}

void
overlay_free(struct overlay *o)
{
	free(o);
}

static int
read_list(struct overlay *o, struct error *err)
{
	int rc = list_reader_next(o->list, &o->head, err);

	if (rc <= 0)
		o->head = NULL;
	return rc < 0 ? -1 : 0;
}

/* The domain that comes next of both streams; its rules are taken. NULL: both have ended. */
static const char *
take_rules(struct overlay *o, struct rules_of_domain *out)
{
	size_t count = rules_count(o->rules);
	const char *domain = o->head != NULL ? o->head->domain : NULL, *first;

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

int
overlay_next(struct overlay *o, const struct overlay_entry **out, struct error *err)
{
	/* What was handed out is the caller's until now. */
	bool taken = o->begun && o->out.listed;

	if ((!o->begun || taken) && read_list(o, err) < 0)
		return -1;
	o->begun = true;
	o->out.listed = false;
	for (;;) {
		struct rules_of_domain rules;
		const char *domain = take_rules(o, &rules);
		bool listed = domain != NULL && o->head != NULL &&
			(domain == o->head->domain || strcmp(domain, o->head->domain) == 0);

		if (domain == NULL)
			return 0;
		if (decide(listed ? o->head : NULL, &rules, o->now_s, &o->out)) {
			*out = &o->out;
			return 1;
		}
		/* Rules for a domain that nobody lists. */
	}
}

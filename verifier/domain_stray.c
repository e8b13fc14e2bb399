#include "verifier/domain_stray.h"

#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "verifier/dns.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"
#include "verifier/mta_sts.h"
#include "verifier/policy_fetch.h"
#include "verifier/report.h"
#include "verifier/txt_record.h"

/* The places of R8.12, and the wildcard of R8.15. */
enum { STRAY_DOMAIN, STRAY_HOST, STRAY_TCP, STRAY_WILDCARD, STRAYS };

/* In the report's arena. */
struct domain_stray {
	struct domain_stray_options options;
	struct report *report; /* borrowed, with its arena */
	struct arena *arena;
	domain_stray_cb *cb;
	void *cb_arg;
	struct stray_look {
		struct domain_stray *stray;
		const char *owner;       /* name asked for */
		struct dns_query *query; /* NULL unless under way */
	} looks[STRAYS];
	struct policy_waiter *policy; /* likewise */
	unsigned int pending;
	bool misplaced;
};

static void
one_less(struct domain_stray *s)
{
	assert(s->pending > 0);
	if (--s->pending == 0)
		s->cb(s->misplaced, s->cb_arg);
}

/* R8.12 */
static void
on_place(const struct dns_answer *answer, void *arg)
{
	struct stray_look *look = arg;
	struct domain_stray *s = look->stray;
	const char *right = s->options.owner;
	struct txt_text *texts;
	size_t count;

	look->query = NULL;
	texts = dns_answer_texts(answer, s->arena, &count);
	for (size_t i = 0; i < count; i++) {
		struct finding_list unheard;
		struct mta_sts_record record;

		finding_list_init(&unheard, s->arena);
		mta_sts_record_parse(texts[i].text, texts[i].len, look->owner, &unheard, &record);
		if (record.outcome != TXT_VALID)
			continue;
		finding_add(&s->report->findings, "mta-sts-record-wrong-location", SEVERITY_FAIL,
			look->owner,
			arena_printf(s->arena, "Move the record to %s:\n%s", right,
				txt_publish_line(s->arena, right,
					finding_quote(s->arena, texts[i].text, texts[i].len))),
			"the MTA-STS record stands here, where no sender looks; %s has none",
			right);
		s->misplaced = true;
		break;
	}
	one_less(s);
}

/* R8.15: the wildcard itself is asked for, so that it is known and not guessed. */
static void
on_wildcard(const struct dns_answer *answer, void *arg)
{
	struct stray_look *look = arg;
	struct domain_stray *s = look->stray;
	const struct txt_text *seen = &s->options.texts[0];
	struct txt_text *texts;
	size_t count;

	look->query = NULL;
	texts = dns_answer_texts(answer, s->arena, &count);
	for (size_t i = 0; i < count; i++) {
		if (texts[i].len != seen->len || memcmp(texts[i].text, seen->text, seen->len) != 0)
			continue;
		finding_add(&s->report->findings, "mta-sts-record-missing", SEVERITY_INFO,
			look->owner, NULL, "the text at %s, \"%s\", comes from the wildcard record",
			s->options.owner, finding_quote(s->arena, texts[i].text, texts[i].len));
		break;
	}
	one_less(s);
}

/* R8.13. Whatever does not serve a valid policy serves none. */
static void
on_policy(const struct policy_fetch_result *result, void *arg)
{
	struct domain_stray *s = arg;
	struct mta_sts_policy policy = {.valid = false};
	const char *url = arena_printf(s->arena, POLICY_URL_FORMAT, s->options.domain);
	struct finding_list unheard;

	s->policy = NULL;
	finding_list_init(&unheard, s->arena);
	if (result->fetched == VERDICT_PASS)
		mta_sts_policy_parse(result->text, result->len, url, &unheard, &policy);
	if (policy.valid) {
		finding_add(&s->report->findings, "mta-sts-policy-without-record", SEVERITY_WARN,
			url,
			arena_printf(s->arena, "Publish the record:\n%s",
				mta_sts_sample_record(
					s->options.owner, s->report->time_s, s->arena)),
			"a policy with mode %s is served, but %s has no record",
			policy_mode_name(policy.mode), s->options.owner);
	}
	one_less(s);
}

static void
ask(struct domain_stray *s, int place, const char *prefix, dns_answer_cb *cb)
{
	struct stray_look *look = &s->looks[place];

	look->stray = s;
	look->owner = arena_printf(s->arena, "%s%s", prefix, s->options.domain);
	/* R1.12: there can be no such name, so nothing to ask for. */
	if (strlen(look->owner) > DOMAIN_NAME_MAX)
		return;
	s->pending++;
	look->query =
		dns_query_start(s->options.resolver, look->owner, DNS_TXT, s->arena, cb, look);
}

struct domain_stray *
domain_stray_start(const struct domain_stray_options *options, struct report *report,
	domain_stray_cb *cb, void *arg)
{
	struct domain_stray *s = arena_calloc(report->arena, 1, sizeof(*s));

	s->options = *options;
	s->report = report;
	s->arena = report->arena;
	s->cb = cb;
	s->cb_arg = arg;
	ask(s, STRAY_DOMAIN, "", on_place);
	ask(s, STRAY_HOST, "mta-sts.", on_place);
	ask(s, STRAY_TCP, "_mta-sts._tcp.", on_place);
	if (options->text_count > 0)
		ask(s, STRAY_WILDCARD, "*.", on_wildcard);
	s->pending++;
	s->policy = policy_fetch_start(options->fetcher, options->domain, on_policy, s);
	return s;
}

void
domain_stray_cancel(struct domain_stray *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < STRAYS; i++)
		dns_query_cancel(s->looks[i].query);
	policy_fetch_cancel(s->policy);
}

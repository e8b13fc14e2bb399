/* report_explain: which rule applies to a domain, and what each list says of it. The lists are foreign bytes: all but
 * the look-up in the map is done inside (told.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/job.h"
#include "updater/list_set.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/pins.h"
#include "updater/render.h"
#include "updater/report.h"
#include "updater/report_rules.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/told.h"
#include "updater/typed_domain.h"
#include "updater/when.h"

/* What is asked, and what is here. */
struct question {
	const struct update_settings *s;
	const char *domain;
	int64_t now_s;
	FILE *out; /* inside */
	struct state state;
	struct rules *rules; /* owned */
	struct list_set set;
	int files[SOURCES_MAX]; /* of the set's lists */
	/* What the installed map answers: as map_find() and pins_find(). */
	int found;
	struct buf line, pin;
	struct error not_asked;
	/* Inside: */
	struct overlay_list lists[SOURCES_MAX];         /* opened */
	const struct list_entry *entries[SOURCES_MAX]; /* of the domain; NULL: the list has none */
};

/* " (extra)": which list, where there are several. The text is lent until the next call with the same buffer. */
static const char *
tag(const struct question *q, size_t i, char text[static SOURCE_NAME_SIZE + 4])
{
	text[0] = '\0';
	if (q->s->source_count > 1)
		(void)snprintf(text, SOURCE_NAME_SIZE + 4, " (%s)", q->set.items[i].source->name);
	return text;
}

static void
tell_servers(const struct list_policy *p, FILE *out)
{
	fprintf(out, "servers      ");
	for (size_t i = 0; i < p->mxs_count; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", p->mxs[i]);
	fputc('\n', out);
}

static void
tell_entry(const struct question *q, size_t i)
{
	const struct list_header *header = list_reader_header(q->lists[i].list);
	const struct list_entry *e = q->entries[i];
	const struct list_policy *p = &e->policy;
	const int64_t now_s = q->now_s;
	FILE *out = q->out;
	char text[WHEN_SIZE], name[SOURCE_NAME_SIZE + 4];

	tell_servers(p, out);
	fprintf(out, "verified     %s%s%s, TLS %s or later\n", p->auth_dane ? "DANE" : "",
		p->auth_dane && p->auth_pkix ? " and " : "",
		p->auth_pkix ? "public certificate" : "", p->tls);
	fprintf(out, "asked for by %s\n",
		p->source == LIST_SOURCE_MTA_STS ? "its MTA-STS policy" : "its _preload25 record");
	fprintf(out, "list         %" PRId64 " of %s, by %s%s\n", header->version,
		when(header->timestamp_s, now_s, text), header->author, tag(q, i, name));
	fprintf(out, "confirmed    %s, from %" PRId64 " place%s\n",
		when(e->confirmed_s != 0 ? e->confirmed_s : header->confirmed_since_s, now_s, text),
		header->vantages, header->vantages > 1 ? "s" : "");
	fprintf(out, "in force     until %s, unless confirmed again\n",
		when(list_entry_end(header, e), now_s, text));
}

/* What the installed map answers; list and rules only say what it should. */
static int
tell_rule(const struct question *q, const struct overlay_entry *e, struct error *err)
{
	const struct update_settings *s = q->s;
	const struct state *state = &q->state;
	const int64_t now_s = q->now_s;
	FILE *out = q->out;
	struct recipe recipe = {.dane = state->dane, .pin = s->pin};
	const struct render_options options = {.mta = s->mta, .recipe = &recipe, .now_s = now_s};
	const char *left = choice_why_left(render_choose(&options, e));
	const char *domain = e->entry.domain;
	char text[WHEN_SIZE];

	if (report_is_all(s, state)) {
		fprintf(out, "%s: listed, but nothing is enforced here (report-only)\n", domain);
		if (left != NULL)
			fprintf(out, "line         %s\n", left);
		return 0;
	}
	if (q->found < 0) {
		*err = q->not_asked;
		return -1;
	}
	if (q->found > 0) {
		fprintf(out, "%s: mail only over verified TLS\n", domain);
		fprintf(out, "line         %s %s\n", domain, buf_str(&q->line));
		if (left != NULL)
			fprintf(out, "             to go with the next run of preload25-update\n");
		if (q->pin.len > 0)
			fprintf(out, "pinned to    %s, whatever its MX records say\n", buf_str(&q->pin));
		fprintf(out, "map          %s, since %s\n", s->map_file,
			when(state->map.since_s, now_s, text));
	} else {
		fprintf(out, "%s: %s, but not enforced here\n", domain,
			e->listed ? "listed" : "added by you");
		fprintf(out, "line         %s\n",
			left != NULL ? left : "missing: the next run of preload25-update adds it");
	}
	return 0;
}

static void
tell_added(const struct list_policy *p, FILE *out)
{
	tell_servers(p, out);
	fprintf(out, "verified     by %s\n",
		p->auth_dane && p->auth_pkix ? "DANE, or a public certificate"
			: p->auth_dane       ? "DANE"
					     : "a public certificate");
}

/* What the lists say whose entry is not the one that counts. */
static void
tell_others(const struct question *q, const struct overlay_entry *e)
{
	char name[SOURCE_NAME_SIZE + 4];

	for (size_t i = 0; i < q->set.count; i++) {
		const struct overlay_list *l = &q->lists[i];
		const struct list_entry *entry = q->entries[i];
		const struct list_header *header = list_reader_header(l->list);

		if (entry == NULL || (e->listed && e->from == i))
			continue;
		fprintf(q->out, "also in      list %" PRId64 "%s, mode %s: %s\n", header->version,
			tag(q, i, name), list_mode_name(entry->policy.mode),
			!trust_covers(l->domains, l->domain_count, q->domain)
				? "not trusted for this domain"
				: list_entry_end(header, entry) <= q->now_s ? "run out"
				: l->trust == TRUST_TESTING		    ? "only tested here"
									    : "goes behind");
	}
}

static int
tell_none(const struct question *q, struct error *err)
{
	const struct rule *idle = report_rules_idle(q->rules, q->domain, q->now_s);
	struct buf text;

	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_format(&q->set, &text);
	if (idle != NULL)
		error_set(err, ERROR_CONFIG, "%s: not listed (%s); %s:%" PRId64 " has no effect", q->domain,
			buf_str(&text), idle->file, idle->line);
	else
		error_set(err, ERROR_CONFIG, "%s: not listed (%s)", q->domain, buf_str(&text));
	buf_clear(&text);
	return 1;
}

static int
explain(const struct question *q, struct error *err)
{
	const struct list_entry *listed;
	struct overlay_entry e;
	char name[SOURCE_NAME_SIZE + 4];

	if (!overlay_decide(q->domain, q->lists, q->entries, q->set.count, q->rules, q->now_s, &e))
		return tell_none(q, err);
	if (tell_rule(q, &e, err) < 0)
		return -1;
	listed = e.listed ? q->entries[e.from] : NULL;
	report_rules_winner(&e, listed, e.listed ? tag(q, e.from, name) : "", q->rules, q->now_s, q->out);
	if (e.kind == OVERLAY_ADDED)
		tell_added(&e.entry.policy, q->out);
	else if (listed != NULL)
		tell_entry(q, e.from);
	tell_others(q, &e);
	return 0;
}

/* Inside. */
static int
tell(void *arg, FILE *out, struct error *err)
{
	struct question *q = arg;
	int rc = list_set_read(&q->set, q->s->state_dir, q->files, q->lists, err);

	q->out = out;
	for (size_t i = 0; rc == 0 && i < q->set.count; i++) {
		int found = list_reader_find(q->lists[i].list, q->domain, &q->entries[i], err);

		if (found < 0)
			rc = -1;
		if (found == 0)
			q->entries[i] = NULL;
	}
	if (rc == 0)
		rc = explain(q, err);
	list_set_close(q->lists);
	return rc;
}

static void
ask_map(struct question *q)
{
	const struct update_settings *s = q->s;

	if (report_is_all(s, &q->state))
		return;
	q->found = map_find(s->kind, s->map_file, q->domain, &q->line, &q->not_asked);
	if (q->found > 0 && pins_find(s, q->domain, &q->pin, &q->not_asked) < 0)
		q->found = -1;
}

static int
answer(struct question *q, FILE *out, struct error *err)
{
	const struct told told = {.what = "reading the list",
		.s = q->s,
		.files = q->files,
		.file_count = q->set.count,
		.tell = tell,
		.arg = q};
	int rc;

	if (rules_load(&q->s->rules, &q->rules, err) < 0 ||
		list_set_open(&q->set, q->s->state_dir, q->files, err) < 0)
		return -1;
	ask_map(q);
	rc = told_run(&told, out, err);
	for (size_t i = 0; i < q->set.count; i++)
		(void)close(q->files[i]);
	return rc;
}

int
report_explain(const struct update_settings *s, const char *typed, int64_t now_s, FILE *out,
	struct error *err)
{
	char domain[TYPED_DOMAIN_SIZE];
	struct question q = {.s = s, .domain = domain, .now_s = now_s};
	int rc;

	if (typed_domain(typed, strlen(typed), domain, err) < 0 || job_load_state(s, &q.state, err) < 0)
		return -1;
	buf_init(&q.line, MTA_VALUE_MAX);
	buf_init(&q.pin, MTA_VALUE_MAX);
	list_set_present(s, &q.state, &q.set);
	if ((q.state.map.path == NULL && !report_is_all(s, &q.state)) || q.set.count == 0)
		rc = report_nothing_installed(&q.state, err);
	else
		rc = answer(&q, out, err);
	buf_clear(&q.pin);
	buf_clear(&q.line);
	rules_free(q.rules);
	state_clear(&q.state);
	return rc;
}

#include "builder/look.h"

#include <assert.h>
#include <string.h>

#include "builder/compare.h"
#include "builder/entry.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "verifier/report.h"

/* The first finding of that severity that is no mere consequence of another; NULL without any. */
static const char *
first_cause(const struct report *r, enum severity severity)
{
	const char *consequence = NULL;

	for (size_t i = 0; i < r->findings.count; i++) {
		const struct finding *f = &r->findings.items[i];

		if (f->severity != severity)
			continue;
		if (f->cause == NULL)
			return f->code;
		if (consequence == NULL)
			consequence = f->code;
	}
	return consequence;
}

/* What stands in the way, by one code. */
static const char *
blocking_code(const struct report *r)
{
	const char *code = first_cause(r, SEVERITY_FAIL);

	if (code == NULL)
		code = first_cause(r, SEVERITY_TEMP);
	if (code != NULL)
		return code;
	/* Nothing is broken; the domain does not ask to be listed. */
	return r->preload_mode == POLICY_MODE_NONE ? "eligibility-refused"
						   : "preload-record-missing";
}

struct life_view
look_view(const struct report *r, const char *vantage, struct arena *arena)
{
	struct life_view v = {
		.vantage = vantage,
		.time_s = r->time_s,
		/* R2.3: what one point cannot prove is certain when all of them see it. */
		.verdict = r->domain_gone ? VERDICT_FAIL : r->verdict,
		.policy = entry_from_report(r, arena),
		.sts_none = r->mta_sts_mode == POLICY_MODE_NONE,
		.preload_none = r->preload_mode == POLICY_MODE_NONE,
		.preload_secure = r->preload_secure == DNS_SECURE,
		.preload_absent = r->preload_denied && r->preload_mode == POLICY_MODE_ABSENT,
		.gone = r->domain_gone,
		.gone_secure = r->gone_secure == DNS_SECURE,
		.null_mx = r->mx_null,
		.null_secure = r->mx_secure == DNS_SECURE,
	};

	if (v.policy == NULL)
		v.fail_code = blocking_code(r);
	return v;
}

/* The report without its time, so that seeing the same again is the same evidence. */
static int
keep_evidence(struct store *store, const struct report *report, int64_t now_s, int64_t *out,
	struct error *err)
{
	json_t *json = report_to_json(report);
	struct buf text;
	int rc = -1;

	buf_init(&text, LOOK_EVIDENCE_MAX);
	(void)json_object_del(json, "time");
	if (json_compact(json, &text, err) < 0)
		goto out;
	rc = store_evidence(store, buf_str(&text), text.len, now_s, out, err);
out:
	buf_clear(&text);
	json_decref(json);
	return rc;
}

/* What earlier looks have left, and what this one comes to beside them. */
struct looking {
	const struct look_point *point;
	int64_t domain;
	int64_t now_s;
	struct arena *arena;
	struct report report; /* a copy: comparing changes it */
	struct store_view stored[STORE_VANTAGES_MAX];
	size_t stored_count;
	struct compare_look before;
	bool has_before;
	struct compare_look peers[STORE_VANTAGES_MAX];
	struct compare_result compared;
	struct life_view views[STORE_VANTAGES_MAX]; /* ours first */
	size_t view_count;
};

static void
copy_report(struct looking *l, const struct report *report)
{
	l->report = *report;
	l->report.arena = l->arena;
	finding_list_init(&l->report.findings, l->arena);
	l->report.findings.count = l->report.findings.size = report->findings.count;
	if (report->findings.count > 0)
		l->report.findings.items = arena_memdup(l->arena, report->findings.items,
			report->findings.count * sizeof(*report->findings.items));
}

/* The facts of a look from its evidence. */
static int
recall(struct looking *l, const struct store_view *v, struct compare_look *out, struct error *err)
{
	json_t *json = NULL;
	struct buf text;
	int rc = -1;

	*out = (struct compare_look){.vantage = v->view.vantage, .time_s = v->view.time_s};
	if (v->evidence == 0)
		return 0;
	buf_init(&text, LOOK_EVIDENCE_MAX);
	rc = store_get_evidence(l->point->store, v->evidence, &text, err);
	if (rc == 1)
		rc = json_parse(buf_str(&text), text.len, &json, err);
	if (rc == 0 && json != NULL)
		compare_facts_of_evidence(json, l->arena, &out->facts);
	json_decref(json);
	buf_clear(&text);
	return rc < 0 ? -1 : 0;
}

/* Our last look and the latest ones of the other vantage points that the configuration names. */
static int
recall_looks(struct looking *l, size_t *peer_count, struct error *err)
{
	const struct look_point *p = l->point;

	if (store_views(p->store, l->domain, l->arena, l->stored, STORE_VANTAGES_MAX,
		    &l->stored_count, err) < 0)
		return -1;
	for (size_t i = 0; i < l->stored_count; i++) {
		const struct store_view *v = &l->stored[i];

		if (strcmp(v->view.vantage, p->vantage) == 0) {
			/* What it saw matters to R8.14 alone. */
			bool reads = l->report.mta_sts_record != NULL ||
				l->report.verdict == VERDICT_UNKNOWN;

			l->has_before = true;
			l->before = (struct compare_look){
				.vantage = p->vantage, .time_s = v->view.time_s};
			if (reads && recall(l, v, &l->before, err) < 0)
				return -1;
		} else if (settings_has_vantage(p->settings, v->view.vantage)) {
			if (recall(l, v, &l->peers[(*peer_count)++], err) < 0)
				return -1;
			l->views[l->view_count++] = v->view;
		}
	}
	return 0;
}

static int
compare(struct looking *l, struct error *err)
{
	const struct settings *settings = l->point->settings;
	struct compare_input in = {.vantage = l->point->vantage,
		.vantages = settings->life.vantages,
		.now_s = l->now_s,
		.round_s = settings->life.round_s,
		.peers = l->peers};
	struct compare_mark *marks;

	l->view_count = 1;
	if (recall_looks(l, &in.peer_count, err) < 0 ||
		store_marks(l->point->store, l->domain, l->arena, &marks, &in.mark_count, err) < 0)
		return -1;
	in.marks = marks;
	in.before = l->has_before ? &l->before : NULL;
	compare_looks(&in, &l->report, &l->compared);
	l->views[0] = look_view(&l->report, l->point->vantage, l->arena);
	l->views[0].unsettled = l->compared.unsettled;
	l->views[0].unknown_since_s = l->compared.unknown_since_s;
	return 0;
}

static int
store_steps(
	struct looking *l, struct store_domain *d, struct life_result *result, struct error *err)
{
	const struct look_point *p = l->point;
	int64_t evidence;
	int found = store_find_id(p->store, l->domain, d, err);

	if (found <= 0)
		return found < 0 ? -1
				 : error_set(err, ERROR_INPUT, "domain %lld is not in the store",
					   (long long)l->domain);
	if (compare(l, err) < 0 ||
		keep_evidence(p->store, &l->report, l->now_s, &evidence, err) < 0)
		return -1;
	if (l->compared.marks_changed &&
		store_put_marks(p->store, l->domain, p->vantage_id, l->compared.marks,
			l->compared.mark_count, err) < 0)
		return -1;
	life_step(
		&p->settings->life, &d->life, l->views, l->view_count, l->now_s, l->arena, result);
	if (store_put_view(p->store, l->domain, p->vantage_id, &l->views[0], evidence,
		    result->next_look_s, err) < 0)
		return -1;
	return store_put_life(p->store, d, result, l->now_s, p->vantage, evidence, err);
}

int
look_store(const struct look_point *point, int64_t domain, const struct report *report,
	int64_t now_s, struct life_result *out, struct error *err)
{
	bool own = !store_in_transaction(point->store);
	struct arena *arena = arena_new();
	struct looking *l = arena_calloc(arena, 1, sizeof(*l));
	struct store_domain d = {0};
	struct life_result result;
	int rc = -1;

	assert(!report->abstained);
	l->point = point;
	l->domain = domain;
	l->now_s = now_s;
	l->arena = arena;
	copy_report(l, report);
	if (own && store_begin(point->store, err) < 0)
		goto out;
	rc = store_steps(l, &d, &result, err);
	if (own && rc == 0)
		rc = store_commit(point->store, err);
	else if (own)
		store_abort(point->store);
	if (rc == 0 && out != NULL)
		*out = result;
out:
	store_domain_clear(&d);
	arena_free(arena);
	return rc;
}

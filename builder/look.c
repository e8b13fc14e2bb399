#include "builder/look.h"

#include <string.h>

#include "builder/entry.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "verifier/report.h"

/* Octets of evidence kept for one look: 128 addresses with all their findings are far below. */
#define EVIDENCE_MAX ((size_t)1024 * 1024)

/* What stands in the way, by one code. */
static const char *
blocking_code(const struct report *r)
{
	const struct finding *first = finding_list_first_fail(&r->findings);

	if (first != NULL)
		return first->code;
	for (size_t i = 0; i < r->findings.count; i++) {
		if (r->findings.items[i].severity == SEVERITY_TEMP)
			return r->findings.items[i].code;
	}
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

	buf_init(&text, EVIDENCE_MAX);
	(void)json_object_del(json, "time");
	if (json_compact(json, &text, err) < 0)
		goto out;
	rc = store_evidence(store, buf_str(&text), text.len, now_s, out, err);
out:
	buf_clear(&text);
	json_decref(json);
	return rc;
}

/* The views of the other vantage points that the configuration names; ours is the new one. */
static int
collect_views(const struct look_point *p, int64_t domain, const struct life_view *mine,
	struct arena *arena, struct life_view *out, size_t *count, struct error *err)
{
	struct store_view stored[STORE_VANTAGES_MAX];
	size_t stored_count = 0;

	out[0] = *mine;
	*count = 1;
	if (p->settings->vantage_count == 1)
		return 0;
	if (store_views(p->store, domain, arena, stored, STORE_VANTAGES_MAX, &stored_count, err) <
		0)
		return -1;
	for (size_t i = 0; i < stored_count; i++) {
		if (strcmp(stored[i].view.vantage, p->vantage) == 0)
			continue;
		for (size_t k = 0; k < p->settings->vantage_count; k++) {
			if (strcmp(stored[i].view.vantage, p->settings->vantages[k]) == 0)
				out[(*count)++] = stored[i].view;
		}
	}
	return 0;
}

static int
store_steps(const struct look_point *p, int64_t id, const struct report *report, int64_t now_s,
	struct store_domain *d, struct life_result *result, struct arena *arena, struct error *err)
{
	struct life_view views[STORE_VANTAGES_MAX];
	struct life_view mine = look_view(report, p->vantage, arena);
	int64_t evidence;
	size_t count;
	int found = store_find_id(p->store, id, d, err);

	if (found <= 0)
		return found < 0 ? -1
				 : error_set(err, ERROR_INPUT, "domain %lld is not in the store",
					   (long long)id);
	if (keep_evidence(p->store, report, now_s, &evidence, err) < 0 ||
		collect_views(p, id, &mine, arena, views, &count, err) < 0)
		return -1;
	life_step(&p->settings->life, &d->life, views, count, now_s, arena, result);
	if (store_put_view(p->store, id, p->vantage_id, &mine, evidence, result->next_look_s, err) <
		0)
		return -1;
	return store_put_life(p->store, d, result, now_s, p->vantage, evidence, err);
}

int
look_store(const struct look_point *point, int64_t domain, const struct report *report,
	int64_t now_s, struct life_result *out, struct error *err)
{
	bool own = !store_in_transaction(point->store);
	struct arena *arena = arena_new();
	struct store_domain d = {0};
	struct life_result result;
	int rc = -1;

	if (own && store_begin(point->store, err) < 0)
		goto out;
	rc = store_steps(point, domain, report, now_s, &d, &result, arena, err);
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

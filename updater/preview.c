#include "updater/preview.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/json.h"
#include "updater/probe.h"
#include "updater/probe_worker.h"

/* Domains that are named on a terminal. */
#define TABLE_MAX 20

/* Those that would have waited first. */
static int
compare_worst(const void *a, const void *b)
{
	const struct traffic_domain *x = *(struct traffic_domain *const *)a;
	const struct traffic_domain *y = *(struct traffic_domain *const *)b;
	int64_t m = traffic_would_wait(x->n), n = traffic_would_wait(y->n);

	if (m != n)
		return m > n ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
tell_row(const struct traffic_domain *d, FILE *out)
{
	fprintf(out, "%9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64, d->n[TRAFFIC_VERIFIED],
		d->n[TRAFFIC_ENCRYPTED], d->n[TRAFFIC_CLEAR] + d->n[TRAFFIC_UNTOLD],
		d->n[TRAFFIC_OTHER_HOST], d->n[TRAFFIC_NOT_SENT]);
}

/* What was asked about the first so many of the survey's domains. */
struct probed {
	struct probe_result *results; /* owned */
	size_t count;
};

/* The verdict on the i-th domain; more domains than are asked have none. */
static enum probe_verdict
verdict_on(const struct probed *p, size_t i, const struct probe_result **result)
{
	*result = i < p->count ? &p->results[i] : NULL;
	return *result != NULL ? (*result)->verdict : PROBE_NOT_ASKED;
}

static void
count_verdicts(const struct survey *v, const struct probed *p, int64_t count[static PROBE_VERDICTS])
{
	const struct probe_result *r;

	for (size_t i = 0; i < v->listed_count; i++)
		count[verdict_on(p, i, &r)]++;
}

static void
tell_probe(const struct survey *v, const struct probed *p, FILE *out)
{
	int64_t count[PROBE_VERDICTS] = {0};
	int lines = 0;

	count_verdicts(v, p, count);
	fprintf(out, "\nasked now, mail to these domains:\n");
	for (int c = 0; c < PROBE_VERDICTS; c++)
		if (count[c] > 0)
			fprintf(out, "%9" PRId64 " %s\n", count[c], probe_words((enum probe_verdict)c));
	for (size_t i = 0; i < v->listed_count && lines < TABLE_MAX; i++) {
		const struct probe_result *r;
		enum probe_verdict verdict = verdict_on(p, i, &r);

		if (r == NULL || verdict == PROBE_GOOD || verdict >= PROBE_DANE)
			continue;
		fprintf(out, "  %s  %s%s%s%s%s%s\n", v->listed[i]->name, probe_words(verdict),
			r->host[0] != '\0' ? " (" : "", r->host, r->detail[0] != '\0' ? ": " : "",
			r->detail, r->host[0] != '\0' ? ")" : "");
		lines++;
	}
	if (lines == TABLE_MAX)
		fprintf(out, "  ... --json has all\n");
}

/* Domains for which nothing is enforced as long as their list is only being tested. */
static void
tell_trial(const struct survey *v, FILE *out)
{
	size_t count = 0;

	for (size_t i = 0; i < v->listed_count; i++)
		count += v->listed[i]->trial;
	if (count > 0)
		fprintf(out, "%zu of these domains %s only on a list that is being tested here: nothing is "
			     "enforced for %s yet\n",
			count, count == 1 ? "is" : "are", count == 1 ? "it" : "them");
}

static void
tell(const struct survey *v, const struct probed *p, FILE *out)
{
	static const struct {
		enum traffic_count count;
		const char *what;
	} lines[] = {{TRAFFIC_VERIFIED, "over TLS, with a server that was verified"},
		{TRAFFIC_ENCRYPTED,
			"over TLS, unverified: whether these would have waited the log cannot say"},
		{TRAFFIC_CLEAR, "in clear: these would have waited"},
		{TRAFFIC_OTHER_HOST,
			"to a server that the entry does not name: these would have waited"},
		{TRAFFIC_UNTOLD, "in a way that the log does not tell"},
		{TRAFFIC_NOT_SENT, "not sent (deferred or bounced), list or no list"}};
	const struct traffic_log read = v->read;
	int64_t all = read.attempts, total = traffic_sent(v->sum) + v->sum[TRAFFIC_NOT_SENT];
	size_t domains = read.domains;

	fprintf(out, "the log has %" PRId64 " deliver%s to %zu domain%s; ", all, all == 1 ? "y" : "ies",
		domains, domains == 1 ? "" : "s");
	survey_tell_lists(v, out);
	fprintf(out, " %s %zu of them, with %" PRId64 " deliver%s:\n",
		v->lists.count == 1 ? "has" : "have", v->listed_count, total, total == 1 ? "y" : "ies");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (v->sum[lines[i].count] > 0)
			fprintf(out, "%9" PRId64 " %s\n", v->sum[lines[i].count], lines[i].what);
	tell_trial(v, out);
	survey_tell_source(v, out);
	survey_tell_table(v, " verified encrypted     clear     other  not sent", tell_row, out);
	if (p != NULL)
		tell_probe(v, p, out);
}

static json_t *
json_probe(const struct survey *v, const struct probed *p)
{
	json_t *doc = json_object(), *sum = json_object(), *domains = json_object();
	int64_t count[PROBE_VERDICTS] = {0};

	count_verdicts(v, p, count);
	for (int c = 0; c < PROBE_VERDICTS; c++)
		json_object_set_new(sum, probe_name((enum probe_verdict)c), json_integer(count[c]));
	for (size_t i = 0; i < v->listed_count; i++) {
		const struct probe_result *r;
		enum probe_verdict verdict = verdict_on(p, i, &r);
		json_t *one = json_object();

		json_object_set_new(one, "verdict", json_string(probe_name(verdict)));
		json_object_set_new(one, "host", json_string(r != NULL ? r->host : ""));
		json_object_set_new(one, "detail", json_text(r != NULL ? r->detail : NULL, ""));
		json_object_set_new(domains, v->listed[i]->name, one);
	}
	json_object_set_new(doc, "sum", sum);
	json_object_set_new(doc, "by_domain", domains);
	return doc;
}

static void
tell_json(const struct survey *v, const struct probed *p, FILE *out)
{
	/* What the list would mean; what it did is for stats. */
	json_t *doc = survey_json(v, TRAFFIC_NOT_SENT + 1);

	json_object_set_new(doc, "probe", p != NULL ? json_probe(v, p) : json_null());
	survey_print_json(doc, out);
}

int
preview(const struct update_settings *s, const struct preview_options *options, struct error *err)
{
	struct probed probed = {0};
	struct survey v;
	int rc = survey_make(s, &options->survey, &v, err);

	if (rc == 0 && v.listed_count > 0)
		qsort(v.listed, v.listed_count, sizeof(*v.listed), compare_worst);
	if (rc == 0 && options->probe)
		rc = probe_worker(
			s, &v, options->survey.now_s, &probed.results, &probed.count, err);
	if (rc == 0)
		(options->json ? tell_json : tell)(&v, options->probe ? &probed : NULL, options->out);
	free(probed.results);
	survey_clear(&v);
	return rc;
}

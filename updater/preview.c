#include "updater/preview.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

/* Lines of the table on a terminal. */
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
tell_table(const struct survey *v, FILE *out)
{
	for (size_t i = 0; i < v->listed_count && i < TABLE_MAX; i++) {
		const struct traffic_domain *d = v->listed[i];

		if (i == 0)
			fprintf(out, "\n%9s %9s %9s %9s %9s  %s\n", "verified", "encrypted", "clear",
				"other", "not sent", "domain");
		fprintf(out,
			"%9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 "  %s\n",
			d->n[TRAFFIC_VERIFIED], d->n[TRAFFIC_ENCRYPTED],
			d->n[TRAFFIC_CLEAR] + d->n[TRAFFIC_UNTOLD], d->n[TRAFFIC_OTHER_HOST],
			d->n[TRAFFIC_NOT_SENT], d->name);
	}
	if (v->listed_count > TABLE_MAX)
		fprintf(out, "... and %zu more; --json has all\n", v->listed_count - TABLE_MAX);
}

static void
tell(const struct survey *v, FILE *out)
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
	int64_t all = traffic_attempts(v->traffic), total = traffic_sent(v->sum);
	size_t domains = traffic_domains(v->traffic);

	total += v->sum[TRAFFIC_NOT_SENT];
	fprintf(out, "the log has %" PRId64 " deliver%s to %zu domain%s; list %" PRId64 " has %zu of them, "
		     "with %" PRId64 " deliver%s:\n",
		all, all == 1 ? "y" : "ies", domains, domains == 1 ? "" : "s", v->list_version,
		v->listed_count, total, total == 1 ? "y" : "ies");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (v->sum[lines[i].count] > 0)
			fprintf(out, "%9" PRId64 " %s\n", v->sum[lines[i].count], lines[i].what);
	survey_tell_source(v, out);
	tell_table(v, out);
}

/* What the list would mean; what it did is for stats. */
static json_t *
counts(const int64_t *n)
{
	return survey_json_counts(n, TRAFFIC_VERIFIED, TRAFFIC_NOT_SENT);
}

static void
tell_json(const struct survey *v, FILE *out)
{
	json_t *doc = json_object(), *domains = json_object();

	for (size_t i = 0; i < v->listed_count; i++)
		json_object_set_new(domains, v->listed[i]->name, counts(v->listed[i]->n));
	survey_json_source(v, doc);
	json_object_set_new(doc, "listed", counts(v->sum));
	json_object_set_new(doc, "by_domain", domains);
	(void)json_dumpf(doc, out, JSON_COMPACT | JSON_SORT_KEYS);
	fputc('\n', out);
	json_decref(doc);
}

int
preview(const struct update_settings *s, const struct preview_options *options, struct error *err)
{
	struct survey v;
	int rc = survey_make(s, &options->survey, &v, err);

	if (rc == 0) {
		if (v.listed_count > 0)
			qsort(v.listed, v.listed_count, sizeof(*v.listed), compare_worst);
		if (options->json)
			tell_json(&v, options->out);
		else
			tell(&v, options->out);
	}
	survey_clear(&v);
	return rc;
}

#include "updater/stats.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "updater/tally.h"
#include "updater/traffic.h"

/* Deliveries that nobody can say were protected. */
static int64_t
unprotected(const int64_t *n)
{
	return traffic_sent(n) - n[TRAFFIC_VERIFIED];
}

/* Those that the list was needed for first, then those that it served most. */
static int
compare_most(const void *a, const void *b)
{
	const struct traffic_domain *x = *(struct traffic_domain *const *)a;
	const struct traffic_domain *y = *(struct traffic_domain *const *)b;

	if (x->n[TRAFFIC_HELD] != y->n[TRAFFIC_HELD])
		return x->n[TRAFFIC_HELD] > y->n[TRAFFIC_HELD] ? -1 : 1;
	if (x->n[TRAFFIC_VERIFIED] != y->n[TRAFFIC_VERIFIED])
		return x->n[TRAFFIC_VERIFIED] > y->n[TRAFFIC_VERIFIED] ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
tell_row(const struct traffic_domain *d, FILE *out)
{
	fprintf(out, "%9" PRId64 " %11" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64, d->n[TRAFFIC_VERIFIED],
		unprotected(d->n), d->n[TRAFFIC_HELD], d->n[TRAFFIC_LATER], traffic_still_waits(d->n));
}

static void
tell_counts(const int64_t *n, FILE *out)
{
	static const struct {
		enum traffic_count count;
		const char *why;
	} reasons[] = {{TRAFFIC_NO_TLS, "STARTTLS was not offered"},
		{TRAFFIC_HANDSHAKE, "TLS began and failed"},
		{TRAFFIC_CERTIFICATE, "the certificate was not trusted, or not for that server"},
		{TRAFFIC_DANE, "no secure TLSA records"},
		{TRAFFIC_NO_LISTED_HOST, "DNS named no server that the entry names"}};
	int64_t held = n[TRAFFIC_HELD];

	fprintf(out, "%9" PRId64 " deliver%s over TLS to a server that was verified: protected\n",
		n[TRAFFIC_VERIFIED], n[TRAFFIC_VERIFIED] == 1 ? "y" : "ies");
	if (unprotected(n) > 0)
		fprintf(out,
			"%9" PRId64 " in another way (%" PRId64 " over unverified TLS, %" PRId64
			" in clear, %" PRId64 " to another server,\n          %" PRId64
			" the log does not tell): before the list was in force, or past it\n",
			unprotected(n), n[TRAFFIC_ENCRYPTED], n[TRAFFIC_CLEAR], n[TRAFFIC_OTHER_HOST],
			n[TRAFFIC_UNTOLD]);
	fprintf(out, "%9" PRId64 " message%s held up rather than sent unprotected\n", held,
		held == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (n[reasons[i].count] > 0)
			fprintf(out, "%18" PRId64 " %s\n", n[reasons[i].count], reasons[i].why);
	if (held > 0)
		fprintf(out,
			"          of them %" PRId64 " delivered later, %" PRId64
			" returned to the sender, %" PRId64 " not yet\n",
			n[TRAFFIC_LATER], n[TRAFFIC_HELD_BOUNCED], traffic_still_waits(n));
}

static void
tell(const struct survey *v, const struct tally *counted, FILE *out)
{
	fprintf(out, "to %zu domain%s of ", v->listed_count, v->listed_count == 1 ? "" : "s");
	survey_tell_lists(v, out);
	fputs(", ", out);
	survey_tell_source(v, out);
	tell_counts(v->sum, out);
	survey_tell_table(v, "protected unprotected   held up     later   waiting", tell_row, out);
	if (counted != NULL) {
		fputc('\n', out);
		tally_tell(counted, out);
	}
}

static void
tell_json(const struct survey *v, const struct tally *counted, FILE *out)
{
	json_t *doc = survey_json(v, TRAFFIC_COUNTS);

	json_object_set_new(doc, "counted", counted != NULL ? tally_json(counted) : json_null());
	survey_print_json(doc, out);
}

int
stats(const struct update_settings *s, const struct stats_options *options, struct error *err)
{
	struct tally counted = {0};
	struct survey v;
	int rc = survey_make(s, &options->survey, &v, err), have;

	if (rc == 0) {
		have = tally_look(s, &counted);
		if (v.listed_count > 0)
			qsort(v.listed, v.listed_count, sizeof(*v.listed), compare_most);
		(options->json ? tell_json : tell)(&v, have > 0 ? &counted : NULL, options->out);
	}
	tally_clear(&counted);
	survey_clear(&v);
	return rc;
}

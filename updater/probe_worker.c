#include "updater/probe_worker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/known_lists.h"
#include "updater/list_set.h"
#include "updater/probe.h"
#include "updater/render.h"
#include "updater/settings.h"
#include "updater/survey.h"
#include "updater/worker.h"

/* Octets of a file of CA certificates. */
#define CA_MAX ((size_t)16 * 1024 * 1024)

struct errand {
	const struct survey *survey;
	struct probe_work work; /* the lists are opened inside */
	size_t count;
};

/* --- inside -------------------------------------------------------------------------------------
 */

static int
ask(void *arg, struct buf *report, struct error *err)
{
	const struct errand *e = arg;
	struct probe_result *results = xcalloc(e->count + 1, sizeof(*results));
	struct probe_work work = e->work;
	struct overlay_list lists[SOURCES_MAX];
	size_t from[SOURCES_MAX];
	int rc = known_lists_read(e->survey->known, lists, from, &work.list_count, err);

	work.lists = lists;
	if (rc == 0)
		rc = probe_domains(&work, e->survey->listed, e->count, results, err);
	if (rc == 0)
		(void)buf_add(report, results, e->count * sizeof(*results));
	list_set_close(lists);
	free(results);
	return rc;
}

/* --- outside ------------------------------------------------------------------------------------
 */

static bool
take_result(struct probe_result *r)
{
	char detail[sizeof(r->detail)];

	if (r->verdict >= PROBE_VERDICTS || memchr(r->host, '\0', sizeof(r->host)) == NULL ||
		memchr(r->detail, '\0', sizeof(r->detail)) == NULL ||
		(r->host[0] != '\0' && !list_domain_valid(r->host, strlen(r->host))))
		return false;
	/* It was made fit to show, or is hostile. */
	str_escape_controls(r->detail, strlen(r->detail), detail, sizeof(detail));
	memcpy(r->detail, detail, sizeof(detail));
	return true;
}

static int
take(const struct errand *e, const struct buf *text, struct probe_result *out, struct error *err)
{
	bool good = text->len == e->count * sizeof(*out);

	if (good && e->count > 0)
		memcpy(out, text->data, text->len);
	for (size_t i = 0; good && i < e->count; i++)
		good = take_result(&out[i]);
	return good ? 0
		    : error_set(err, ERROR_SECURITY,
			      "asking the mail servers: the sandboxed process has told what cannot be");
}

int
probe_worker(const struct update_settings *s, const struct survey *survey, int64_t now_s,
	struct probe_result **results, size_t *count, struct error *err)
{
	const struct render_options options = {
		.mta = s->mta,
		.recipe = &survey->recipe,
		.rules = survey->rules,
		.now_s = now_s,
		.trial = survey->trial};
	struct errand e = {.survey = survey, .work = {.options = &options, .ca_file = s->ca_file}};
	struct worker worker = {.what = "asking the mail servers",
		.confine = {.user = survey->user, .dir = -1, .network = true},
		.time_ms = s->sandbox_time_s * INT64_C(1000),
		.work = ask,
		.arg = &e};
	struct error ignored = {0};
	struct buf text, ca;
	int rc;

	e.count = survey->listed_count < PROBE_DOMAINS_MAX ? survey->listed_count : PROBE_DOMAINS_MAX;
	worker.confine.files = known_lists_fds(survey->known, &worker.confine.file_count);
	/* What cannot be read here is asked for inside. */
	buf_init(&ca, CA_MAX);
	if (s->ca_file != NULL && file_read_if_exists(s->ca_file, &ca, &ignored) > 0)
		e.work.ca = &ca;
	buf_init(&text, PROBE_DOMAINS_MAX * sizeof(**results));
	*results = xcalloc(e.count + 1, sizeof(**results));
	*count = e.count;
	rc = worker_run(&worker, &text, err);
	if (rc == 0)
		rc = take(&e, &text, *results, err);
	buf_clear(&text);
	buf_clear(&ca);
	return rc;
}

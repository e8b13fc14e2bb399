#include "updater/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/list_fetch.h"
#include "updater/mta.h"
#include "updater/render.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/tuf_client.h"

#define DAY_S INT64_C(86400)

int
survey_open_list(const struct update_settings *s, int64_t now_s, struct list_reader **list,
	struct error *err)
{
	char *dir = job_metadata_dir(s), *path = NULL;
	struct tuf_client *c = NULL;
	struct error ignored = {0};
	struct tuf_file said;
	struct state state;
	int rc = -1;

	if (job_load_state(s, &state, err) < 0)
		goto out;
	if (state.list.sha256[0] != '\0')
		path = source_list_path(s->state_dir, state.list.sha256);
	else if (tuf_client_open(dir, NULL, now_s, &c, &ignored) == 0 &&
		tuf_client_target(c, LIST_TARGET, &said) > 0)
		path = source_list_path(s->state_dir, said.sha256);
	state_clear(&state);
	if (path == NULL || !file_exists(path)) {
		error_set(err, ERROR_CONFIG,
			"there is no list here yet: \"preload25-update --dry-run\" fetches it without "
			"installing it");
		rc = 1;
		goto out;
	}
	rc = list_reader_open(path, list, err);
out:
	tuf_client_free(c);
	free(path);
	free(dir);
	return rc;
}

static int
read_and_judge(const struct update_settings *s, const struct survey_options *options,
	const struct rules *rules, struct list_reader *list, struct survey *out, struct error *err)
{
	int64_t days = options->days == 0 && options->path == NULL ? SURVEY_DAYS : options->days;
	struct log_span span = {.path = options->path,
		.since_s = days > 0 ? options->now_s - days * DAY_S : 0,
		.now_s = options->now_s,
		.place = options->place,
		.again = traffic_line_again};
	struct recipe recipe;
	const struct render_options render = {
		.mta = s->mta, .recipe = &recipe, .rules = rules, .now_s = options->now_s};

	s->mta->decide(s, NULL, &recipe);
	out->list_version = list_reader_header(list)->version;
	if (out->traffic == NULL)
		out->traffic = traffic_new(span.since_s);
	if (log_source_read(s, &span, traffic_line, out->traffic, &out->said, err) < 0 ||
		traffic_judge(out->traffic, list, &render, err) < 0)
		return -1;
	out->listed = traffic_listed(out->traffic, &out->listed_count);
	for (size_t i = 0; i < out->listed_count; i++)
		for (int c = 0; c < TRAFFIC_COUNTS; c++)
			out->sum[c] += out->listed[i]->n[c];
	return 0;
}

int
survey_make(const struct update_settings *s, const struct survey_options *options, struct survey *out,
	struct error *err)
{
	struct list_reader *list = NULL;
	struct rules *rules = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	out->traffic = options->traffic;
	rc = survey_open_list(s, options->now_s, &list, err);
	if (rc == 0)
		rc = rules_load(&s->rules, &rules, err);
	if (rc == 0)
		rc = read_and_judge(s, options, rules, list, out, err);
	rules_free(rules);
	list_reader_close(list);
	return rc;
}

void
survey_clear(struct survey *survey)
{
	traffic_free(survey->traffic);
	log_said_clear(&survey->said);
	memset(survey, 0, sizeof(*survey));
}

void
survey_tell_source(const struct survey *survey, FILE *out)
{
	const struct traffic *t = survey->traffic;
	const struct log_said *said = &survey->said;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

	if (traffic_first_s(t) > 0) {
		clock_format(traffic_first_s(t), first);
		clock_format(traffic_last_s(t), last);
		fprintf(out, "%s to %s, ", first, last);
	}
	fprintf(out, "from");
	for (size_t i = 0; i < said->read_count; i++)
		fprintf(out, "%s %s", i > 0 ? "," : "", said->read[i]);
	fputc('\n', out);
	for (size_t i = 0; i < said->skipped_count; i++)
		fprintf(out, "! Not counted: %s\n", said->skipped[i]);
	if (traffic_is_silent(t))
		fprintf(out, "! Postfix does not speak of TLS here: smtp_tls_loglevel = 1 makes it.\n");
	if (traffic_is_cut(t))
		fprintf(out, "! The log has more than %zu domains; the rest was not counted.\n",
			traffic_domains(t));
}

static json_t *
json_names(char *const *names, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_text(names[i], JSON_NOT_UTF8));
	return list;
}

void
survey_json_source(const struct survey *survey, json_t *doc)
{
	const struct traffic *t = survey->traffic;

	json_object_set_new(doc, "first", json_time(traffic_first_s(t)));
	json_object_set_new(doc, "last", json_time(traffic_last_s(t)));
	json_object_set_new(doc, "read", json_names(survey->said.read, survey->said.read_count));
	json_object_set_new(
		doc, "skipped", json_names(survey->said.skipped, survey->said.skipped_count));
	json_object_set_new(doc, "list_version", json_integer(survey->list_version));
	json_object_set_new(doc, "deliveries", json_integer(traffic_attempts(t)));
	json_object_set_new(doc, "domains", json_integer((json_int_t)traffic_domains(t)));
	json_object_set_new(doc, "cut", json_boolean(traffic_is_cut(t)));
	json_object_set_new(doc, "tls_logged", json_boolean(!traffic_is_silent(t)));
}

json_t *
survey_json_counts(const int64_t *n, enum traffic_count first, enum traffic_count last)
{
	json_t *one = json_object();

	for (enum traffic_count c = first; c <= last; c++)
		json_object_set_new(one, traffic_count_name(c), json_integer(n[c]));
	return one;
}

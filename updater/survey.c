#include "updater/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"
#include "updater/known_lists.h"
#include "updater/mta.h"
#include "updater/render.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/survey_worker.h"

/* Lines of a table on a terminal. */
#define TABLE_MAX 20

static int
count(const struct update_settings *s, const struct survey_options *options, const struct log_span *span,
	struct log_source *log, struct survey *out, struct error *err)
{
	struct traffic *own = options->traffic == NULL ? traffic_new(span->since_s) : NULL;
	bool shorter = options->time_max_s > 0 && options->time_max_s < s->sandbox_time_s;
	int64_t time_s = shorter ? options->time_max_s : s->sandbox_time_s;
	const struct render_options render = {
		.mta = s->mta,
		.recipe = &out->recipe,
		.rules = out->rules,
		.now_s = options->now_s,
		.trial = options->trial};
	const struct survey_work work = {.user = &out->user,
		.time_ms = time_s * INT64_C(1000),
		.known = out->known,
		.s = s,
		.log = log,
		.traffic = own != NULL ? own : options->traffic,
		.options = &render,
		.place = options->place};
	int rc;

	if (!s->report_only && s->mta->checks_names != NULL && s->mta->checks_names(s))
		traffic_names_checked(work.traffic);
	rc = survey_worker(&work, out, err);
	traffic_free(own);
	return rc;
}

int
survey_make(const struct update_settings *s, const struct survey_options *options, struct survey *out,
	struct error *err)
{
	int64_t days = options->days == 0 && options->path == NULL ? SURVEY_DAYS : options->days;
	const struct log_span span = {.path = options->path,
		.since_s = days > 0 ? options->now_s - days * CLOCK_DAY_S : 0,
		.now_s = options->now_s,
		.place = options->place,
		.again = traffic_line_again};
	struct log_source *log = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	out->trial = options->trial;
	rc = known_lists_open(s, &out->known, err);
	if (rc == 0)
		rc = rules_load(&s->rules, &out->rules, err);
	if (rc == 0)
		rc = confine_find_user(s->sandbox_user, &out->user, err);
	if (rc == 0)
		rc = log_source_open(s, &span, &out->said, &log, err);
	if (rc == 0) {
		s->mta->decide(s, NULL, NULL, &out->recipe);
		rc = count(s, options, &span, log, out, err);
	}
	log_source_close(log);
	return rc;
}

void
survey_clear(struct survey *survey)
{
	known_lists_close(survey->known);
	rules_free(survey->rules);
	log_said_clear(&survey->said);
	free(survey->domains);
	free(survey->listed);
	free(survey->waiting);
	arena_free(survey->names);
	memset(survey, 0, sizeof(*survey));
}

void
survey_tell_lists(const struct survey *survey, FILE *out)
{
	struct buf text;

	buf_init(&text, LIST_SET_TEXT_MAX);
	list_set_format(&survey->lists, &text);
	fputs(buf_str(&text), out);
	buf_clear(&text);
}

void
survey_tell_source(const struct survey *survey, FILE *out)
{
	const struct traffic_log read = survey->read;
	const struct log_said *said = &survey->said;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

	if (read.first_s > 0) {
		clock_format(read.first_s, first);
		clock_format(read.last_s, last);
		fprintf(out, "%s to %s, ", first, last);
	}
	fprintf(out, said->read_count > 0 ? "from" : "from nothing");
	for (size_t i = 0; i < said->read_count; i++)
		fprintf(out, "%s %s", i > 0 ? "," : "", said->read[i]);
	fputc('\n', out);
	for (size_t i = 0; i < said->skipped_count; i++)
		fprintf(out, "! Not counted: %s\n", said->skipped[i]);
	if (read.silence != NULL)
		fprintf(out, "! %s.\n", read.silence);
	if (read.cut)
		fprintf(out, "! The log has more than %zu domains; the rest was not counted.\n",
			read.domains);
}

void
survey_tell_table(const struct survey *survey, const char *heading, survey_row *row, FILE *out)
{
	if (survey->listed_count > 0)
		fprintf(out, "\n%s  domain\n", heading);
	for (size_t i = 0; i < survey->listed_count && i < TABLE_MAX; i++) {
		row(survey->listed[i], out);
		fprintf(out, "  %s\n", survey->listed[i]->name);
	}
	if (survey->listed_count > TABLE_MAX)
		fprintf(out, "... and %zu more; --json has all\n", survey->listed_count - TABLE_MAX);
}

static json_t *
json_names(char *const *names, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_text(names[i], JSON_NOT_UTF8));
	return list;
}

json_t *
survey_json_counts(const int64_t *n, enum traffic_count count)
{
	json_t *one = json_object();

	for (enum traffic_count c = 0; c < count; c++)
		json_object_set_new(one, traffic_count_name(c), json_integer(n[c]));
	return one;
}

static json_t *
json_lists(const struct list_set *set)
{
	json_t *list = json_object();

	for (size_t i = 0; i < set->count; i++)
		json_object_set_new(
			list, set->items[i].source->name, json_integer(set->items[i].version));
	return list;
}

json_t *
survey_json(const struct survey *survey, enum traffic_count count)
{
	const struct traffic_log read = survey->read;
	const struct log_said *said = &survey->said;
	json_t *doc = json_object(), *domains = json_object();

	for (size_t i = 0; i < survey->listed_count; i++)
		json_object_set_new(domains, survey->listed[i]->name,
			survey_json_counts(survey->listed[i]->n, count));
	json_object_set_new(doc, "first", json_time(read.first_s));
	json_object_set_new(doc, "last", json_time(read.last_s));
	json_object_set_new(doc, "read", json_names(said->read, said->read_count));
	json_object_set_new(doc, "skipped", json_names(said->skipped, said->skipped_count));
	json_object_set_new(doc, "list_version", json_integer(survey->lists.items[0].version));
	json_object_set_new(doc, "lists", json_lists(&survey->lists));
	json_object_set_new(doc, "deliveries", json_integer(read.attempts));
	json_object_set_new(doc, "domains", json_integer((json_int_t)read.domains));
	json_object_set_new(doc, "cut", json_boolean(read.cut));
	json_object_set_new(doc, "tls_logged", json_boolean(read.silence == NULL));
	json_object_set_new(doc, "listed", survey_json_counts(survey->sum, count));
	json_object_set_new(doc, "by_domain", domains);
	return doc;
}

void
survey_print_json(json_t *doc, FILE *out)
{
	(void)json_dumpf(doc, out, JSON_COMPACT | JSON_SORT_KEYS);
	fputc('\n', out);
	json_decref(doc);
}

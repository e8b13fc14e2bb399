#include "updater/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/tally.h"

#define FILE_MODE 0644

#define PREFIX "preload25_update_"

void
metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
	(void)buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_sample(
	struct buf *out, const char *name, const char *label, const char *value, int64_t number)
{
	(void)buf_add_str(out, name);
	if (label != NULL) {
		(void)buf_addf(out, "{%s=\"", label);
		for (const char *c = value; *c != '\0'; c++) {
			if (*c == '\n')
				(void)buf_add_str(out, "\\n");
			else if (*c == '\\' || *c == '"')
				(void)buf_addf(out, "\\%c", *c);
			else
				(void)buf_add_char(out, *c);
		}
		(void)buf_add_str(out, "\"}");
	}
	(void)buf_addf(out, " %" PRId64 "\n", number);
}

static void
add_one(struct buf *out, const char *name, const char *help, int64_t number)
{
	metrics_family(out, name, "gauge", help);
	metrics_sample(out, name, NULL, NULL, number);
}

static void
add_list(struct buf *out, const struct state *state)
{
	const struct state_list *l = &state->sources[0].list;

	add_one(out, PREFIX "list_version", "Version of the list that counts.", l->version);
	add_one(out, PREFIX "list_timestamp_seconds",
		"When that list was made; its age is time() less this.", l->timestamp_s);
	add_one(out, PREFIX "list_expires_timestamp_seconds", "When that list expires.",
		l->expires_s);
}

/* The same of each, where there are several. */
static void
add_sources(struct buf *out, const struct state *state)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} figures[] = {{PREFIX "source_list_version", "Version of the list that counts, of each source.",
			       offsetof(struct state_source, list.version)},
		{PREFIX "source_list_timestamp_seconds", "When that list was made.",
			offsetof(struct state_source, list.timestamp_s)},
		{PREFIX "source_list_expires_timestamp_seconds", "When that list expires.",
			offsetof(struct state_source, list.expires_s)},
		{PREFIX "source_last_success_timestamp_seconds",
			"When there was last nothing to complain of, of each source.",
			offsetof(struct state_source, success_s)},
		{PREFIX "source_entries", "Domains that are enforced, by the source of their entry.",
			offsetof(struct state_source, lines)}};

	for (size_t f = 0; f < ARRAY_LEN(figures); f++) {
		metrics_family(out, figures[f].name, "gauge", figures[f].help);
		for (size_t i = 0; i < state->source_count; i++) {
			int64_t number;

			memcpy(&number, (const char *)&state->sources[i] + figures[f].offset,
				sizeof(number));
			metrics_sample(out, figures[f].name, "source", state->sources[i].name, number);
		}
	}
}

static void
add_map(struct buf *out, const struct state_map *m)
{
	add_one(out, PREFIX "entries", "Domains that are enforced.", m->lines);
	add_one(out, PREFIX "entries_dane", "Those of them that are enforced by DANE.",
		m->lines_dane);
	add_one(out, PREFIX "entries_wider",
		"Those of them for which more servers are accepted than the list names.",
		m->lines_wider);
	add_one(out, PREFIX "entries_pinned",
		"Those of them whose mail goes to the one server that the list names.",
		m->lines_pinned);
	metrics_family(
		out, PREFIX "left_out", "gauge", "Listed domains that are not enforced here.");
	for (size_t i = 0; i < STATE_LEFT_COUNT; i++)
		metrics_sample(out, PREFIX "left_out", "reason", state_left[i].name,
			state_left_count(m, &state_left[i]));
	if (m->next_end_s != 0)
		add_one(out, PREFIX "next_end_timestamp_seconds",
			"When the next entry runs out, unless it is confirmed again.",
			m->next_end_s);
}

static void
add_runs(struct buf *out, const struct state *state)
{
	if (state->last_run_s != 0)
		add_one(out, PREFIX "last_run_timestamp_seconds", "When the job last ran.",
			state->last_run_s);
	if (state->last_success_s != 0)
		add_one(out, PREFIX "last_success_timestamp_seconds",
			"When it last had nothing to complain of.", state->last_success_s);
	add_one(out, PREFIX "last_exit_code", "Exit status of the last run.", state->last_code);
}

int
metrics_write(const struct update_settings *s, const struct state *state, struct error *err)
{
	struct buf text;
	int rc;

	if (s->metrics_textfile == NULL)
		return 0;
	buf_init(&text, METRICS_MAX);
	add_runs(&text, state);
	if (state->sources[0].list.version > 0)
		add_list(&text, state);
	if (state->source_count > 1)
		add_sources(&text, state);
	if (state->map.path != NULL)
		add_map(&text, &state->map);
	tally_metrics(s, &text);
	rc = file_replace(s->metrics_textfile, text.data, text.len, FILE_MODE, err);
	buf_clear(&text);
	return rc < 0 ? error_prefix(err, "metrics") : 0;
}

#include "updater/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/pins.h"

/* Keeps the first line, and then each whose number is a power of two, the latest ones in a ring. */
static void
take_sample(struct render_target *t, const char *key, const char *value, size_t len)
{
	struct render_sample *s;
	const int64_t number = t->lines;
	size_t log = 0;

	if ((number & (number - 1)) != 0)
		return;
	while ((number >> log) > 1)
		log++;
	s = &t->samples[log % RENDER_SAMPLES];
	(void)snprintf(s->key, sizeof(s->key), "%s", key);
	free(s->value);
	s->value = xstrndup(value, len);
	if (t->sample_count < RENDER_SAMPLES && log >= t->sample_count)
		t->sample_count = log + 1;
}

void
render_put_line(void *arg, const char *key, const char *value, size_t len)
{
	struct render_target *t = arg;

	map_writer_add(t->map, key, value, len);
	t->lines++;
	take_sample(t, key, value, len);
}

void
render_put_pin(void *arg, const char *domain, const char *host)
{
	struct render_target *t = arg;

	if (t->pins != NULL)
		pins_add(t->pins, domain, host);
}

void
render_end(struct render_target *t, int64_t version)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, version);

	/* Last: the list is sorted, and some kinds of map are smaller when they are filled in
	 * order. */
	map_writer_add(t->map, MAP_SENTINEL, text, (size_t)n);
}

void
render_target_clear(struct render_target *t)
{
	for (size_t i = 0; i < RENDER_SAMPLES; i++) {
		free(t->samples[i].value);
		t->samples[i].value = NULL;
	}
}

enum choice
render_choose(const struct render_options *options, const struct list_header *header,
	const struct overlay_entry *e)
{
	if (e->kind == OVERLAY_EXCEPTED)
		return CHOICE_LEFT_EXCEPTED;
	return options->mta->choose(options->recipe, header, &e->entry, options->now_s);
}

static void
count_line(struct render_counts *counts, const struct list_header *header,
	const struct overlay_entry *e)
{
	int64_t end_s;

	counts->early += e->kind == OVERLAY_EARLY;
	if (e->kind == OVERLAY_ADDED) {
		counts->added++;
		counts->added_listed += e->listed;
		return;
	}
	end_s = list_entry_end(header, &e->entry);
	if (counts->next_end_s == 0 || end_s < counts->next_end_s)
		counts->next_end_s = end_s;
}

int
render_to(struct list_reader *list, const struct render_options *options,
	const struct render_sink *sink, struct render_counts *counts, struct error *err)
{
	const struct list_header *header = list_reader_header(list);
	struct overlay *overlay = overlay_new(list, options->rules, options->now_s);
	const struct overlay_entry *e;
	struct buf value;
	int rc;

	memset(counts, 0, sizeof(*counts));
	buf_init(&value, MTA_VALUE_MAX);
	while ((rc = overlay_next(overlay, &e, err)) > 0) {
		const struct list_entry *entry = &e->entry;
		enum choice choice = render_choose(options, header, e);

		counts->entries++;
		counts->choices[choice]++;
		if (!choice_is_line(choice)) {
			if (e->kind == OVERLAY_ADDED) {
				counts->left_added++;
				if (options->on_left != NULL)
					options->on_left(options->on_left_arg, e, choice);
			}
			continue;
		}
		count_line(counts, header, e);
		buf_reset(&value);
		options->mta->format(options->recipe, entry, choice, &value);
		sink->line(sink->arg, entry->domain, value.data, value.len);
		if (choice == CHOICE_PINNED)
			sink->pin(sink->arg, entry->domain, pins_host(&entry->policy));
	}
	buf_clear(&value);
	overlay_free(overlay);
	return rc;
}

int64_t
render_lines(const struct render_counts *counts)
{
	int64_t lines = 0;

	for (int c = 0; c < CHOICES; c++)
		if (choice_is_line((enum choice)c))
			lines += counts->choices[c];
	return lines;
}

/* The next entry of the list that gets a line: 1, 0 none is left, -1. */
static int
next_line(struct overlay *overlay, const struct list_header *header,
	const struct render_options *options, const struct overlay_entry **e, struct error *err)
{
	int rc;

	while ((rc = overlay_next(overlay, e, err)) > 0)
		if ((*e)->kind != OVERLAY_ADDED &&
			choice_is_line(render_choose(options, header, *e)))
			return 1;
	return rc;
}

int
render_compare(struct list_reader *before, struct list_reader *after,
	const struct render_options *options, struct render_change *out, struct error *err)
{
	const struct list_header *header_a = list_reader_header(before),
				 *header_b = list_reader_header(after);
	struct overlay *overlay_a = overlay_new(before, options->rules, options->now_s),
		       *overlay_b = overlay_new(after, options->rules, options->now_s);
	const struct overlay_entry *a = NULL, *b = NULL;
	int rc_a = next_line(overlay_a, header_a, options, &a, err);
	int rc_b = rc_a < 0 ? -1 : next_line(overlay_b, header_b, options, &b, err);

	memset(out, 0, sizeof(*out));
	while (rc_a >= 0 && rc_b >= 0 && (rc_a > 0 || rc_b > 0)) {
		int order = rc_a == 0 ? 1
			: rc_b == 0   ? -1
				      : strcmp(a->entry.domain, b->entry.domain);

		out->before += order <= 0;
		out->after += order >= 0;
		out->gone += order < 0;
		out->fresh += order > 0;
		if (order <= 0)
			rc_a = next_line(overlay_a, header_a, options, &a, err);
		if (order >= 0 && rc_a >= 0)
			rc_b = next_line(overlay_b, header_b, options, &b, err);
	}
	overlay_free(overlay_a);
	overlay_free(overlay_b);
	return rc_a < 0 || rc_b < 0 ? -1 : 0;
}

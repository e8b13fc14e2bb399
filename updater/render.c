#include "updater/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "export/list.h"
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
render_end(struct render_target *t, const char *serial)
{
	/* Last: lines are sorted, and some kinds of map are smaller when they are filled in order. */
	map_writer_add(t->map, MAP_SENTINEL, serial, strlen(serial));
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
render_choose(const struct render_options *options, const struct overlay_entry *e)
{
	switch (e->kind) {
	case OVERLAY_EXCEPTED:
		return CHOICE_LEFT_EXCEPTED;
	case OVERLAY_TRIAL:
		if (!options->trial)
			return CHOICE_LEFT_TRIAL;
		break;
	case OVERLAY_UNTRUSTED:
		return CHOICE_LEFT_UNTRUSTED;
	case OVERLAY_LISTED:
	case OVERLAY_EARLY:
	case OVERLAY_ADDED:
		break;
	}
	return options->mta->choose(options->recipe, e->header, &e->entry, options->now_s);
}

static void
note_end(struct render_counts *counts, const struct overlay_entry *e)
{
	const int64_t end_s = list_entry_end(e->header, &e->entry);

	if (counts->next_end_s == 0 || end_s < counts->next_end_s)
		counts->next_end_s = end_s;
}

static void
count_line(struct render_counts *counts, const struct overlay_entry *e)
{
	counts->early += e->kind == OVERLAY_EARLY;
	if (e->kind == OVERLAY_ADDED) {
		counts->added++;
		counts->added_listed += e->listed;
		return;
	}
	counts->shares[e->from].lines++;
	note_end(counts, e);
}

static void
count_left(struct render_counts *counts, const struct render_options *options, const struct overlay_entry *e,
	enum choice choice)
{
	/* Also where the heir gets no line: another one may stand behind it. */
	if (e->heir && (e->kind == OVERLAY_LISTED || e->kind == OVERLAY_EARLY))
		note_end(counts, e);
	if (e->kind != OVERLAY_ADDED)
		return;
	counts->left_added++;
	if (options->on_left != NULL)
		options->on_left(options->on_left_arg, e, choice);
}

int
render_to(const struct overlay_list *lists, size_t count, const struct render_options *options,
	const struct render_sink *sink, struct render_counts *counts, struct error *err)
{
	struct overlay *overlay = overlay_new(lists, count, options->rules, options->now_s);
	const struct overlay_entry *e;
	struct buf value;
	int rc;

	memset(counts, 0, sizeof(*counts));
	buf_init(&value, MTA_VALUE_MAX);
	while ((rc = overlay_next(overlay, &e, err)) > 0) {
		const struct list_entry *entry = &e->entry;
		enum choice choice = render_choose(options, e);

		counts->entries++;
		counts->choices[choice]++;
		if (!choice_is_line(choice)) {
			count_left(counts, options, e, choice);
			continue;
		}
		count_line(counts, e);
		buf_reset(&value);
		options->mta->format(options->recipe, entry, choice, &value);
		sink->line(sink->arg, entry->domain, value.data, value.len);
		if (choice == CHOICE_PINNED)
			sink->pin(sink->arg, entry->domain, pins_host(&entry->policy));
	}
	for (size_t i = 0; i < count; i++) {
		const struct overlay_share share = overlay_share(overlay, i);

		counts->shares[i].entries = share.entries;
		counts->shares[i].behind = share.behind;
		counts->shares[i].untrusted = share.untrusted;
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

/* The next entry of the lists that gets a line: 1, 0 none is left, -1. */
static int
next_line(struct overlay *overlay, const struct render_options *options, const struct overlay_entry **e,
	struct error *err)
{
	int rc;

	while ((rc = overlay_next(overlay, e, err)) > 0)
		if ((*e)->kind != OVERLAY_ADDED && choice_is_line(render_choose(options, *e)))
			return 1;
	return rc;
}

int
render_compare(const struct overlay_list *before, const struct overlay_list *after, size_t count,
	const struct render_options *options, struct render_change *out, struct error *err)
{
	struct overlay *overlay_a = overlay_new(before, count, options->rules, options->now_s),
		       *overlay_b = overlay_new(after, count, options->rules, options->now_s);
	const struct overlay_entry *a = NULL, *b = NULL;
	int rc_a = next_line(overlay_a, options, &a, err);
	int rc_b = rc_a < 0 ? -1 : next_line(overlay_b, options, &b, err);

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
			rc_a = next_line(overlay_a, options, &a, err);
		if (order >= 0 && rc_a >= 0)
			rc_b = next_line(overlay_b, options, &b, err);
	}
	overlay_free(overlay_a);
	overlay_free(overlay_b);
	return rc_a < 0 || rc_b < 0 ? -1 : 0;
}

#include "updater/brake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"

static struct overlay_list
as_overlay(const struct source_settings *source, struct list_reader *list)
{
	return (struct overlay_list){.list = list,
		.trust = source->trust,
		.domains = source->domains,
		.domain_count = source->domain_count};
}

/* whose: of which list it is told, if of one; of: what the domains are of, behind their number. */
static void
tell(const char *whose, const char *of, const struct render_change *c)
{
	log_info("%s%sof %" PRId64 " domains%s %" PRId64 " would go, %" PRId64 " would be new", whose,
		whose[0] != '\0' ? ": " : "", c->before, of, c->gone, c->fresh);
}

static int
judge(const struct update_settings *s, const struct render_change *c, const char *of, int64_t version,
	struct error *err)
{
	if (c->before == 0)
		return 0;
	if (c->gone > s->gone_min && c->gone * 100 > c->before * s->gone_percent)
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would drop %" PRId64 " of %" PRId64
			" domains%s; the old map stands (--allow-churn installs it)",
			version, c->gone, c->before, of);
	else if (c->fresh > s->new_min && c->fresh * 100 > c->before * s->new_percent)
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would add %" PRId64 " domains to %" PRId64
			"%s; the old map stands (--allow-churn installs it)",
			version, c->fresh, c->before, of);
	else
		return 0;
	return 1;
}

/* Beside others an unsound list must be found out before lines are made of all of them. */
static int
read_through(const struct brake *b, struct list_reader *list, struct error *err)
{
	const struct list_entry *e;
	int rc = b->s->source_count > 1 ? 1 : 0;

	while (rc > 0)
		rc = list_reader_next(list, &e, err);
	return rc;
}

int
brake_ask(const struct brake *b, struct list_reader *after, struct error *err)
{
	const struct overlay_list new = as_overlay(b->source, after);
	const char *sha256 = b->here->list->sha256;
	struct overlay_list old = as_overlay(b->source, NULL);
	struct render_change change;
	struct error why = {0};
	char *path = source_list_path(b->dir, sha256);
	int rc = source_check_list(b->here, list_reader_header(after), b->sha256, b->now_s, err);

	if (rc < 0)
		goto out;
	if (!b->installed || sha256[0] == '\0') {
		rc = read_through(b, after, err);
		goto out;
	}
	if (source_list_intact(path, sha256, &why) < 0 || list_reader_open(path, &old.list, &why) < 0) {
		log_warning("cannot compare with the installed list: %s", why.text);
		rc = read_through(b, after, err);
		goto out;
	}
	rc = render_compare(&old, &new, 1, b->options, &change, err);
	if (rc < 0)
		goto out;
	tell(b->s->source_count > 1 ? b->source->name : "", "", &change);
	if (!b->allow_churn)
		rc = judge(b->s, &change, "", list_reader_header(after)->version, err);
out:
	list_reader_close(old.list);
	free(path);
	return rc;
}

/* --- all lists together -------------------------------------------------------------------------
 */

#define ALL " of all lists together"

/* Of each source. */
struct together {
	const char *before[SOURCES_MAX], *after[SOURCES_MAX]; /* SHA-256; "": it has none */
};

/* For each source that has a list by sha256, in their order. */
static int
open_all(const struct brake_all *b, const char *const *sha256, struct overlay_list out[static SOURCES_MAX],
	size_t *count, struct error *err)
{
	int rc = 0;

	*count = 0;
	for (size_t i = 0; rc == 0 && i < b->s->source_count; i++) {
		struct list_reader *list = NULL;
		char *path;

		if (sha256[i][0] == '\0')
			continue;
		path = source_list_path(b->dir, sha256[i]);
		rc = list_reader_open(path, &list, err);
		free(path);
		if (rc == 0)
			out[(*count)++] = as_overlay(&b->s->sources[i], list);
	}
	return rc;
}

static void
close_all(const struct overlay_list *lists, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list_reader_close(lists[i].list);
}

/* As judge(); version: of the list that is asked for. */
static int
compare_all(const struct brake_all *b, const struct together *t, int64_t version, struct error *err)
{
	struct overlay_list before[SOURCES_MAX], after[SOURCES_MAX];
	size_t before_count = 0, after_count = 0;
	struct render_change change;
	int rc = open_all(b, t->before, before, &before_count, err);

	if (rc == 0)
		rc = open_all(b, t->after, after, &after_count, err);
	if (rc == 0)
		rc = render_compare(before, after, after_count, b->options, &change, err);
	close_all(before, before_count);
	close_all(after, after_count);
	if (rc < 0)
		return -1;
	tell("", ALL, &change);
	return judge(b->s, &change, ALL, version, err);
}

/* Whether there is a list to compare the next one with. */
static bool
is_known(const struct brake_all *b, size_t i)
{
	const char *sha256 = b->lists[i].sha256;
	char *path = source_list_path(b->dir, sha256);
	struct error ignored = {0}; /* was said when it was asked by itself */
	bool known = sha256[0] != '\0' && source_list_intact(path, sha256, &ignored) == 0;

	free(path);
	return known;
}

/* Too much together: one after the other. */
static int
ask_each(const struct brake_all *b, struct together *t, struct render_said *said, struct error *err)
{
	const char *next[SOURCES_MAX];

	memcpy(next, t->after, sizeof(next));
	memcpy(t->after, t->before, sizeof(t->after));
	for (size_t i = 0; i < b->s->source_count; i++) {
		int rc;

		if (next[i] == t->before[i])
			continue;
		t->after[i] = next[i];
		rc = compare_all(b, t, said[i].header.version, &said[i].err);
		if (rc < 0) {
			*err = said[i].err;
			return -1;
		}
		said[i].rc = rc;
		if (rc > 0)
			t->after[i] = t->before[i];
	}
	return 0;
}

int
brake_ask_all(const struct brake_all *b, struct render_said *said, struct error *err)
{
	struct together t;
	bool some = false;
	int rc;

	for (size_t i = 0; i < b->s->source_count; i++) {
		const struct render_list *l = &b->lists[i];

		t.before[i] = t.after[i] = l->sha256;
		if (l->next[0] == '\0' || said[i].rc != 0)
			continue;
		t.after[i] = l->next;
		if (is_known(b, i))
			some = true;
		else
			t.before[i] = l->next;
	}
	rc = some ? compare_all(b, &t, 0, err) : 0;
	return rc > 0 ? ask_each(b, &t, said, err) : rc;
}

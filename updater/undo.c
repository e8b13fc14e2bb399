#include "updater/undo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "updater/generations.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"

static int
check_list(const struct update_settings *s, const struct state_list *l, bool read, struct error *err)
{
	char *path = source_list_path(s->state_dir, l->sha256);
	struct stat st;
	int rc = 0;

	if (read)
		rc = source_list_intact(path, l->sha256, err);
	else if (stat(path, &st) < 0)
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	else if (st.st_size != l->length)
		rc = error_set(err, ERROR_SECURITY, "%s: altered since it was verified", path);
	free(path);
	return rc;
}

/* The lists must be as they were. */
static int
check_lists(const struct update_settings *s, const struct state_generation *g, bool read, struct error *err)
{
	for (size_t i = 0; i < g->count; i++)
		if (check_list(s, &g->members[i].list, read, err) < 0)
			return -1;
	return 0;
}

/* Whether a list was taken under the root file that is configured, or, where that cannot be read, under that of the
 * list that counts. States of earlier versions do not say it. */
static bool
is_trusted(const struct source_settings *settings, const struct state_source *source, const struct state_member *m)
{
	const struct source root = {.root = settings->root};
	struct error ignored = {0};
	char anchor[65];

	if (m->anchor[0] == '\0')
		return true;
	if (settings->root == NULL || source_anchor(&root, anchor, &ignored) < 0)
		(void)snprintf(anchor, sizeof(anchor), "%s", source->anchor);
	return strcmp(anchor, m->anchor) == 0;
}

/* What another root has signed, which may have been put away for good reason, does not come back by the way, and its
 * version would forbid the lists of the present one. */
static int
check_anchors(const struct update_settings *s, const struct state *state, const struct state_generation *g,
	struct error *err)
{
	for (size_t i = 0; i < state->source_count && i < s->source_count; i++) {
		const struct state_source *source = &state->sources[i];
		const struct state_member *m = generations_member(g, source->name);

		if (m == NULL || strcmp(m->list.sha256, source->list.sha256) == 0 ||
			is_trusted(&s->sources[i], source, m))
			continue;
		error_set(err, ERROR_CONFIG,
			"list %" PRId64 " (%s) was taken under another root file than the one that is trusted "
			"now: undo does not go back to it",
			m->list.version, source->name);
		return 1;
	}
	return 0;
}

int
undo_find(const struct update_settings *s, const struct state *state, size_t from, bool read, size_t *index,
	struct error *err)
{
	struct error first = {0};

	if (s->report_only) {
		error_set(err, ERROR_CONFIG, "report-only: nothing is installed that could be undone");
		return 1;
	}
	for (*index = from; *index < state->generation_count; ++*index) {
		const struct state_generation *g = &state->generations[*index];
		struct error why = {0};

		if (check_lists(s, g, read, &why) == 0)
			return check_anchors(s, state, g, err);
		if (first.kind == ERROR_NONE)
			first = why;
		if (read && *index + 1 < state->generation_count)
			log_warning("%s: undo passes over the lists that it is of", why.text);
	}
	if (first.kind != ERROR_NONE) {
		*err = first;
		return -1;
	}
	error_set(err, ERROR_CONFIG, "there is no earlier list to go back to");
	return 1;
}

size_t
undo_steps(const struct update_settings *s, const struct state *state)
{
	struct error ignored = {0};
	size_t steps = 0, from = 0, index;

	while (undo_find(s, state, from, false, &index, &ignored) == 0) {
		steps++;
		from = index + 1;
	}
	return steps;
}

void
undo_put_away(const struct update_settings *s, struct state *state, const struct state_generation *back,
	struct buf *said)
{
	for (size_t i = 0; i < state->source_count; i++) {
		struct state_source *source = &state->sources[i];
		const struct state_member *m = generations_member(back, source->name);

		if (strcmp(m != NULL ? m->list.sha256 : "", source->list.sha256) == 0)
			continue;
		if (source->undone[0] == '\0')
			(void)snprintf(source->undone, sizeof(source->undone), "%s", source->list.sha256);
		/* Its version forbids older ones under its own root only. */
		if (m != NULL && m->anchor[0] != '\0')
			(void)snprintf(source->anchor, sizeof(source->anchor), "%s", m->anchor);
		if (said->len > 0)
			buf_add_str(said, "; ");
		if (m != NULL)
			buf_addf(said, "list %" PRId64, m->list.version);
		else
			buf_add_str(said, "no list");
		if (s->source_count > 1)
			buf_addf(said, " (%s)", source->name);
		buf_add_str(said, " is in force again");
		if (s->source_count > 1 && source->list.version > 0)
			buf_addf(said, " in place of %" PRId64, source->list.version);
	}
	buf_add_str(said, s->source_count > 1
			? "; what was is not taken any more, but the next newer lists are"
			: "; the one that was is not taken any more, but the next newer one is");
}

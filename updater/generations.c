#include "updater/generations.h"

#include <stdio.h>
#include <string.h>

#include "common/xalloc.h"
#include "updater/state.h"

void
generations_present(const struct state *s, struct state_generation *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < s->source_count; i++) {
		const struct state_source *source = &s->sources[i];
		struct state_member *m = &out->members[out->count];

		if (source->list.sha256[0] == '\0')
			continue;
		(void)snprintf(m->name, sizeof(m->name), "%s", source->name);
		m->list = source->list;
		(void)snprintf(m->anchor, sizeof(m->anchor), "%s", source->anchor);
		out->count++;
	}
}

const struct state_member *
generations_member(const struct state_generation *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->members[i].name, name) == 0)
			return &g->members[i];
	return NULL;
}

bool
generations_equal(const struct state_generation *a, const struct state_generation *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct state_member *m = generations_member(b, a->members[i].name);

		if (m == NULL || strcmp(m->list.sha256, a->members[i].list.sha256) != 0)
			return false;
	}
	return true;
}

/* Forgets so many of the latest. */
static void
drop(struct state *s, size_t count)
{
	s->generation_count -= count;
	memmove(&s->generations[0], &s->generations[count],
		s->generation_count * sizeof(*s->generations));
}

static void
push(struct state *s, const struct state_generation *g, size_t keep)
{
	if (s->generations == NULL)
		s->generations = xcalloc(STATE_GENERATIONS_MAX, sizeof(*s->generations));
	if (s->generation_count >= keep)
		s->generation_count = keep - 1;
	memmove(&s->generations[1], &s->generations[0],
		s->generation_count * sizeof(*s->generations));
	s->generations[0] = *g;
	s->generation_count++;
}

void
generations_step(struct state *s, const struct state_generation *before,
	const struct state_generation *after, size_t keep)
{
	for (size_t i = 0; i < s->generation_count; i++) {
		if (generations_equal(&s->generations[i], after)) {
			drop(s, i + 1);
			return;
		}
	}
	if (before->count > 0)
		push(s, before, keep < STATE_GENERATIONS_MAX ? keep : STATE_GENERATIONS_MAX);
}

void
generations_prune(struct state *s)
{
	struct state_generation before;
	size_t kept = 0;

	generations_present(s, &before);
	for (size_t i = 0; i < s->generation_count; i++) {
		const struct state_generation *g = &s->generations[i];

		if (g->count == 0 || generations_equal(g, &before))
			continue;
		before = *g;
		s->generations[kept++] = before;
	}
	s->generation_count = kept;
}

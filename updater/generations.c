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
		out->count++;
	}
}

void
generations_push(struct state *s, const struct state_generation *g, size_t keep)
{
	if (g->count == 0)
		return;
	if (s->generations == NULL)
		s->generations = xcalloc(STATE_GENERATIONS_MAX, sizeof(*s->generations));
	if (keep > STATE_GENERATIONS_MAX)
		keep = STATE_GENERATIONS_MAX;
	if (s->generation_count >= keep)
		s->generation_count = keep - 1;
	memmove(&s->generations[1], &s->generations[0],
		s->generation_count * sizeof(*s->generations));
	s->generations[0] = *g;
	s->generation_count++;
}

void
generations_pop(struct state *s)
{
	s->generation_count--;
	memmove(&s->generations[0], &s->generations[1],
		s->generation_count * sizeof(*s->generations));
}

#include "updater/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"

#define STATE_MAX     ((size_t)1024 * 1024)
#define STATE_MODE    0644

const struct state_left state_left[STATE_LEFT_COUNT] = {
	{"testing", "in testing mode", offsetof(struct state_map, left_testing)},
	{"dane", "with DANE only, which cannot be checked here",
		offsetof(struct state_map, left_dane)},
	{"long", "that name more servers than fit", offsetof(struct state_map, left_long)},
	{"run_out", "not confirmed for too long", offsetof(struct state_map, left_run_out)},
	{"excepted", "by your exceptions", offsetof(struct state_map, left_excepted)},
	{"list_testing", "of lists that are only tested here", offsetof(struct state_map, left_trial)},
	{"untrusted", "of lists that are not trusted for them", offsetof(struct state_map, left_untrusted)},
};

int64_t
state_left_count(const struct state_map *m, const struct state_left *left)
{
	int64_t count;

	memcpy(&count, (const char *)m + left->offset, sizeof(count));
	return count;
}

void
state_serial(const struct state_map *m, char out[static STATE_SERIAL_SIZE])
{
	if (m->serial != NULL)
		(void)snprintf(out, STATE_SERIAL_SIZE, "%s", m->serial);
	else
		(void)snprintf(out, STATE_SERIAL_SIZE, "%" PRId64, m->version);
}

static void
set_name(struct state_source *source, const char *name)
{
	(void)snprintf(source->name, sizeof(source->name), "%s", name);
}

void
state_init(struct state *s)
{
	memset(s, 0, sizeof(*s));
	set_name(&s->sources[0], SOURCE_MAIN);
	s->source_count = 1;
}

void
state_set(char **field, const char *value)
{
	char *copy = value != NULL ? xstrdup(value) : NULL;

	free(*field);
	*field = copy;
}

void
state_clear(struct state *s)
{
	state_set(&s->map.path, NULL);
	state_set(&s->map.serial, NULL);
	state_set(&s->map.recipe, NULL);
	state_set(&s->last_error, NULL);
	for (size_t i = 0; i < s->source_count; i++)
		state_set(&s->sources[i].trouble, NULL);
	free(s->generations);
	state_init(s);
}

struct state_source *
state_find(struct state *s, const char *name)
{
	for (size_t i = 0; i < s->source_count; i++)
		if (strcmp(s->sources[i].name, name) == 0)
			return &s->sources[i];
	return NULL;
}

static bool
is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Without the lists of sources that are not among these. */
static void
forget_members(struct state_generation *g, const char *const *names, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++)
		if (is_one_of(g->members[i].name, names, count))
			g->members[kept++] = g->members[i];
	g->count = kept;
}

void
state_arrange(struct state *s, const char *const *names, size_t count)
{
	struct state_source before[SOURCES_MAX];
	const size_t before_count = s->source_count;

	memcpy(before, s->sources, sizeof(before));
	memset(s->sources, 0, sizeof(s->sources));
	s->source_count = count;
	for (size_t i = 0; i < count; i++)
		set_name(&s->sources[i], names[i]);
	for (size_t i = 0; i < before_count; i++) {
		struct state_source *now = state_find(s, before[i].name);

		if (now != NULL)
			*now = before[i];
		else
			free(before[i].trouble);
	}
	for (size_t i = 0; i < s->generation_count; i++)
		forget_members(&s->generations[i], names, count);
}

/* --- the file -----------------------------------------------------------------------------------
 */

int
state_load(const char *path, struct state *s, struct error *err)
{
	struct error why = {0};
	struct buf text;
	int rc;

	state_init(s);
	buf_init(&text, STATE_MAX);
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0 && state_parse(buf_str(&text), text.len, s, &why) < 0) {
		log_warning("%s: damaged, begun anew: %s", path, why.text);
		rc = 0;
	}
	buf_clear(&text);
	return rc;
}

int
state_store(const char *path, const struct state *s, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, STATE_MAX);
	rc = state_format(s, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, STATE_MODE, err);
	buf_clear(&text);
	return rc;
}

/* state_json: the text of state.json. */
#include "updater/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"

#define STATE_VERSION 1
/* Of a SHA-256 in hex, with its end. */
#define HASH_SIZE 65

/* Every field of state.json, so that reading and writing cannot differ. */
enum field_type {
	FIELD_INT,
	FIELD_TIME,
	FIELD_BOOL,
	FIELD_CODE,
	FIELD_TEXT,
	FIELD_HASH,
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	bool later; /* not in the files of earlier versions: then 0 or "" */
};

#define FIELD_OF(name, type, container, member, later) \
	{ \
		name, type, offsetof(struct container, member), later \
	}
#define FIELD(name, type, member) FIELD_OF(name, type, state, member, false)
#define LATER(name, type, member) FIELD_OF(name, type, state, member, true)

/* A list's: of SOURCE_MAIN with "list_" in front of each. */
static const struct field list_fields[] = {
	FIELD_OF("version", FIELD_INT, state_list, version, false),
	FIELD_OF("length", FIELD_INT, state_list, length, false),
	FIELD_OF("sha256", FIELD_HASH, state_list, sha256, false),
	FIELD_OF("timestamp", FIELD_TIME, state_list, timestamp_s, false),
	FIELD_OF("expires", FIELD_TIME, state_list, expires_s, false),
	FIELD_OF("confirmed_since", FIELD_TIME, state_list, confirmed_since_s, false),
};

/* What else is known of a source. */
static const struct field source_fields[] = {
	FIELD_OF("undone_sha256", FIELD_HASH, state_source, undone, true),
	FIELD_OF("anchor_sha256", FIELD_HASH, state_source, anchor, false),
	FIELD_OF("source_asked", FIELD_TIME, state_source, asked_s, true),
	FIELD_OF("source_success", FIELD_TIME, state_source, success_s, true),
	FIELD_OF("source_fetch_began", FIELD_TIME, state_source, fetch_began_s, true),
	FIELD_OF("source_fetch_seen", FIELD_TIME, state_source, fetch_seen_s, true),
	FIELD_OF("source_trouble", FIELD_TEXT, state_source, trouble, true),
	FIELD_OF("source_trouble_time", FIELD_TIME, state_source, trouble_s, true),
	FIELD_OF("source_entries", FIELD_INT, state_source, entries, true),
	FIELD_OF("source_lines", FIELD_INT, state_source, lines, true),
	FIELD_OF("source_behind", FIELD_INT, state_source, behind, true),
	FIELD_OF("source_untrusted", FIELD_INT, state_source, untrusted, true),
};

/* What else is known of a list of an earlier set. */
static const struct field anchor_field = FIELD_OF("anchor_sha256", FIELD_HASH, state_member, anchor, true);

static const struct field fields[] = {
	FIELD("map_path", FIELD_TEXT, map.path),
	LATER("map_serial", FIELD_TEXT, map.serial),
	FIELD("map_recipe", FIELD_TEXT, map.recipe),
	FIELD("map_list_sha256", FIELD_HASH, map.sha256),
	FIELD("map_version", FIELD_INT, map.version),
	FIELD("map_rendered", FIELD_TIME, map.rendered_s),
	FIELD("map_since", FIELD_TIME, map.since_s),
	FIELD("map_lines", FIELD_INT, map.lines),
	FIELD("map_lines_dane", FIELD_INT, map.lines_dane),
	LATER("map_lines_wider", FIELD_INT, map.lines_wider),
	LATER("map_lines_pinned", FIELD_INT, map.lines_pinned),
	FIELD("left_testing", FIELD_INT, map.left_testing),
	FIELD("left_run_out", FIELD_INT, map.left_run_out),
	FIELD("left_dane", FIELD_INT, map.left_dane),
	LATER("left_long", FIELD_INT, map.left_long),
	LATER("left_trial", FIELD_INT, map.left_trial),
	LATER("left_untrusted", FIELD_INT, map.left_untrusted),
	LATER("map_rules_sha256", FIELD_HASH, map.rules),
	LATER("map_lines_added", FIELD_INT, map.lines_added),
	LATER("map_lines_added_listed", FIELD_INT, map.lines_added_listed),
	LATER("map_lines_early", FIELD_INT, map.lines_early),
	LATER("left_excepted", FIELD_INT, map.left_excepted),
	LATER("left_added", FIELD_INT, map.left_added),
	FIELD("map_next_end", FIELD_TIME, map.next_end_s),
	FIELD("map_inode", FIELD_INT, map.inode),
	FIELD("map_size", FIELD_INT, map.size),
	FIELD("map_mtime_ns", FIELD_INT, map.mtime_ns),
	FIELD("reload_due", FIELD_BOOL, reload_due),
	FIELD("dane", FIELD_BOOL, dane),
	FIELD("last_run", FIELD_TIME, last_run_s),
	LATER("last_code", FIELD_CODE, last_code),
	FIELD("last_success", FIELD_TIME, last_success_s),
	FIELD("last_error_time", FIELD_TIME, last_error_s),
	FIELD("last_error_code", FIELD_CODE, last_error_code),
	FIELD("last_error", FIELD_TEXT, last_error),
};

static void *
at(void *base, const struct field *f)
{
	return (char *)base + f->offset;
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* base: of the structure that the field is in; name: the field's, perhaps with something in front. */
static int
read_field(const json_t *doc, const char *name, const struct field *f, void *base, struct error *err)
{
	const json_t *value = json_object_get(doc, name);
	uint8_t digest[32];
	const char *text;
	int64_t number;

	if (value == NULL && f->later)
		return 0;
	switch (f->type) {
	case FIELD_INT:
		return json_get_int(doc, name, INT64_MIN, INT64_MAX, at(base, f), err);
	case FIELD_TIME:
		return json_get_int(doc, name, 0, CLOCK_MAX_S, at(base, f), err);
	case FIELD_CODE:
		if (json_get_int(doc, name, 0, 255, &number, err) < 0)
			return -1;
		*(int *)at(base, f) = (int)number;
		return 0;
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return error_set(err, ERROR_INPUT, "\"%s\" is not a boolean", name);
		*(bool *)at(base, f) = json_is_true(value);
		return 0;
	case FIELD_TEXT:
		if (json_is_null(value))
			return 0;
		if (json_get_string(doc, name, &text, err) < 0)
			return -1;
		state_set(at(base, f), text);
		return 0;
	case FIELD_HASH:
		if (json_get_string(doc, name, &text, err) < 0)
			return -1;
		if (text[0] != '\0' && str_unhex(text, strlen(text), digest, sizeof(digest)) < 0)
			return error_set(err, ERROR_INPUT, "\"%s\" is no SHA-256", name);
		(void)snprintf(at(base, f), HASH_SIZE, "%s", text);
		return 0;
	}
	abort();
}

static int
read_list(const json_t *doc, const char *prefix, struct state_list *out, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(list_fields); i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "%s%s", prefix, list_fields[i].name);
		if (read_field(doc, name, &list_fields[i], out, err) < 0)
			return -1;
	}
	return 0;
}

static int
read_source(const json_t *doc, const char *prefix, struct state_source *out, struct error *err)
{
	if (read_list(doc, prefix, &out->list, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(source_fields); i++)
		if (read_field(doc, source_fields[i].name, &source_fields[i], out, err) < 0)
			return -1;
	return 0;
}

static int
read_name(const json_t *doc, char name[static SOURCE_NAME_SIZE], struct error *err)
{
	const char *text;

	if (json_get_string(doc, "name", &text, err) < 0)
		return -1;
	if (text[0] == '\0' || strlen(text) >= SOURCE_NAME_SIZE)
		return error_set(err, ERROR_INPUT, "\"name\" is not a source's");
	(void)snprintf(name, SOURCE_NAME_SIZE, "%s", text);
	return 0;
}

/* The array, of which there may be none, and which has so many elements at most. */
static int
get_array(const json_t *doc, const char *name, size_t max, json_t **out, struct error *err)
{
	*out = NULL;
	if (json_object_get(doc, name) == NULL)
		return 0;
	if (json_get_array(doc, name, out, err) < 0)
		return -1;
	if (json_array_size(*out) > max)
		return error_set(err, ERROR_INPUT, "\"%s\" has too many elements", name);
	return 0;
}

/* All but the first, which stands at the top as it did when there was no other. */
static int
read_sources(const json_t *doc, struct state *s, struct error *err)
{
	json_t *array;

	if (read_source(doc, "list_", &s->sources[0], err) < 0 ||
		get_array(doc, "sources", SOURCES_MAX - 1, &array, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);
		struct state_source *source = &s->sources[s->source_count];
		char name[SOURCE_NAME_SIZE];

		if (read_name(element, name, err) < 0)
			return -1;
		if (state_find(s, name) != NULL)
			return error_set(err, ERROR_INPUT, "source \"%s\" is there twice", name);
		(void)snprintf(source->name, sizeof(source->name), "%s", name);
		s->source_count++;
		if (read_source(element, "", source, err) < 0)
			return -1;
	}
	return 0;
}

static int
read_generation(const json_t *doc, struct state_generation *out, struct error *err)
{
	json_t *array;

	if (get_array(doc, "lists", SOURCES_MAX, &array, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct state_member *m = &out->members[out->count++];

		if (read_name(json_array_get(array, i), m->name, err) < 0 ||
			read_list(json_array_get(array, i), "", &m->list, err) < 0 ||
			read_field(json_array_get(array, i), anchor_field.name, &anchor_field, m, err) < 0)
			return -1;
	}
	return 0;
}

/* Earlier versions had one source, and one list before the one that counts. */
static int
read_previous(const json_t *doc, struct state *s, struct error *err)
{
	struct state_member *m = &s->generations[0].members[0];

	if (json_object_get(doc, "previous_sha256") == NULL)
		return 0;
	(void)snprintf(m->name, sizeof(m->name), SOURCE_MAIN);
	if (read_list(doc, "previous_", &m->list, err) < 0)
		return -1;
	s->generations[0].count = 1;
	s->generation_count = m->list.sha256[0] != '\0';
	return 0;
}

static int
read_generations(const json_t *doc, struct state *s, struct error *err)
{
	json_t *array;

	if (get_array(doc, "generations", STATE_GENERATIONS_MAX, &array, err) < 0)
		return -1;
	s->generations = xcalloc(STATE_GENERATIONS_MAX, sizeof(*s->generations));
	if (array == NULL)
		return read_previous(doc, s, err);
	for (size_t i = 0; i < json_array_size(array); i++)
		if (read_generation(json_array_get(array, i),
			    &s->generations[s->generation_count++], err) < 0)
			return -1;
	return 0;
}

int
state_parse(const char *text, size_t len, struct state *s, struct error *err)
{
	json_t *doc = NULL;
	int64_t version;
	int rc;

	state_init(s);
	if (json_parse(text, len, &doc, err) < 0)
		return -1;
	rc = json_get_int(doc, "state_version", STATE_VERSION, STATE_VERSION, &version, err);
	if (rc == 0)
		rc = read_sources(doc, s, err);
	if (rc == 0)
		rc = read_generations(doc, s, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
		rc = read_field(doc, fields[i].name, &fields[i], s, err);
	json_decref(doc);
	if (rc < 0)
		state_clear(s);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------
 */

static json_t *
field_value(const void *base, const struct field *f)
{
	const char *p = (const char *)base + f->offset;

	switch (f->type) {
	case FIELD_INT:
	case FIELD_TIME:
		return json_integer(*(const int64_t *)(const void *)p);
	case FIELD_CODE:
		return json_integer(*(const int *)(const void *)p);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)(const void *)p);
	case FIELD_TEXT: {
		const char *text = *(char *const *)(const void *)p;

		return text != NULL ? json_text(text, JSON_NOT_UTF8) : json_null();
	}
	case FIELD_HASH:
		return json_string(p);
	}
	abort();
}

static void
add_list(json_t *doc, const char *prefix, const struct state_list *l)
{
	for (size_t i = 0; i < ARRAY_LEN(list_fields); i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "%s%s", prefix, list_fields[i].name);
		json_object_set_new(doc, name, field_value(l, &list_fields[i]));
	}
}

static void
add_source(json_t *doc, const char *prefix, const struct state_source *source)
{
	add_list(doc, prefix, &source->list);
	for (size_t i = 0; i < ARRAY_LEN(source_fields); i++)
		json_object_set_new(
			doc, source_fields[i].name, field_value(source, &source_fields[i]));
}

static json_t *
other_sources(const struct state *s)
{
	json_t *array = json_array();

	for (size_t i = 1; i < s->source_count; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "name", json_text(s->sources[i].name, JSON_NOT_UTF8));
		add_source(one, "", &s->sources[i]);
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *
generations(const struct state *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->generation_count; i++) {
		const struct state_generation *g = &s->generations[i];
		json_t *one = json_object(), *lists = json_array();

		for (size_t k = 0; k < g->count; k++) {
			json_t *list = json_object();

			json_object_set_new(list, "name", json_text(g->members[k].name, JSON_NOT_UTF8));
			add_list(list, "", &g->members[k].list);
			json_object_set_new(
				list, anchor_field.name, field_value(&g->members[k], &anchor_field));
			json_array_append_new(lists, list);
		}
		json_object_set_new(one, "lists", lists);
		json_array_append_new(array, one);
	}
	return array;
}

int
state_format(const struct state *s, struct buf *out, struct error *err)
{
	json_t *doc = json_object();
	int rc;

	json_object_set_new(doc, "state_version", json_integer(STATE_VERSION));
	add_source(doc, "list_", &s->sources[0]);
	json_object_set_new(doc, "sources", other_sources(s));
	json_object_set_new(doc, "generations", generations(s));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		json_object_set_new(doc, fields[i].name, field_value(s, &fields[i]));
	rc = json_compact(doc, out, err);
	json_decref(doc);
	if (rc == 0 && buf_add_char(out, '\n') < 0)
		rc = error_set(err, ERROR_INPUT, "larger than %zu bytes", out->max);
	return rc;
}

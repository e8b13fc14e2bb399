#include "updater/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

#define STATE_MAX     ((size_t)64 * 1024)
#define STATE_MODE    0644
#define STATE_VERSION 1

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

#define FIELD(name, type, member) \
	{ \
		name, type, offsetof(struct state, member), false \
	}
#define LATER(name, type, member) \
	{ \
		name, type, offsetof(struct state, member), true \
	}

static const struct field fields[] = {
	FIELD("list_version", FIELD_INT, list.version),
	FIELD("list_length", FIELD_INT, list.length),
	FIELD("list_sha256", FIELD_HASH, list.sha256),
	FIELD("list_timestamp", FIELD_TIME, list.timestamp_s),
	FIELD("list_expires", FIELD_TIME, list.expires_s),
	FIELD("list_confirmed_since", FIELD_TIME, list.confirmed_since_s),
	LATER("previous_version", FIELD_INT, previous.version),
	LATER("previous_length", FIELD_INT, previous.length),
	LATER("previous_sha256", FIELD_HASH, previous.sha256),
	LATER("previous_timestamp", FIELD_TIME, previous.timestamp_s),
	LATER("previous_expires", FIELD_TIME, previous.expires_s),
	LATER("previous_confirmed_since", FIELD_TIME, previous.confirmed_since_s),
	LATER("undone_sha256", FIELD_HASH, undone),
	FIELD("anchor_sha256", FIELD_HASH, anchor),
	FIELD("map_path", FIELD_TEXT, map.path),
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

const struct state_left state_left[STATE_LEFT_COUNT] = {
	{"testing", "in testing mode", offsetof(struct state_map, left_testing)},
	{"dane", "with DANE only, which cannot be checked here",
		offsetof(struct state_map, left_dane)},
	{"long", "that name more servers than fit", offsetof(struct state_map, left_long)},
	{"run_out", "not confirmed for too long", offsetof(struct state_map, left_run_out)},
	{"excepted", "by your exceptions", offsetof(struct state_map, left_excepted)},
};

int64_t
state_left_count(const struct state_map *m, const struct state_left *left)
{
	int64_t count;

	memcpy(&count, (const char *)m + left->offset, sizeof(count));
	return count;
}

static void *
at(struct state *s, const struct field *f)
{
	return (char *)s + f->offset;
}

void
state_init(struct state *s)
{
	memset(s, 0, sizeof(*s));
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
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].type == FIELD_TEXT)
			state_set(at(s, &fields[i]), NULL);
	state_init(s);
}

static int
read_field(const json_t *doc, const struct field *f, struct state *s, struct error *err)
{
	const json_t *value = json_object_get(doc, f->name);
	uint8_t digest[32];
	const char *text;
	int64_t number;

	if (value == NULL && f->later)
		return 0;
	switch (f->type) {
	case FIELD_INT:
		return json_get_int(doc, f->name, INT64_MIN, INT64_MAX, at(s, f), err);
	case FIELD_TIME:
		return json_get_int(doc, f->name, 0, CLOCK_MAX_S, at(s, f), err);
	case FIELD_CODE:
		if (json_get_int(doc, f->name, 0, 255, &number, err) < 0)
			return -1;
		*(int *)at(s, f) = (int)number;
		return 0;
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return error_set(err, ERROR_INPUT, "\"%s\" is not a boolean", f->name);
		*(bool *)at(s, f) = json_is_true(value);
		return 0;
	case FIELD_TEXT:
		if (json_is_null(value))
			return 0;
		if (json_get_string(doc, f->name, &text, err) < 0)
			return -1;
		state_set(at(s, f), text);
		return 0;
	case FIELD_HASH:
		if (json_get_string(doc, f->name, &text, err) < 0)
			return -1;
		if (text[0] != '\0' && str_unhex(text, strlen(text), digest, sizeof(digest)) < 0)
			return error_set(err, ERROR_INPUT, "\"%s\" is no SHA-256", f->name);
		(void)snprintf(at(s, f), sizeof(s->list.sha256), "%s", text);
		return 0;
	}
	abort();
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
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
		rc = read_field(doc, &fields[i], s, err);
	json_decref(doc);
	if (rc < 0)
		state_clear(s);
	return rc;
}

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

static json_t *
field_value(const struct state *s, const struct field *f)
{
	const char *p = (const char *)s + f->offset;

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

int
state_format(const struct state *s, struct buf *out, struct error *err)
{
	json_t *doc = json_object();
	int rc;

	json_object_set_new(doc, "state_version", json_integer(STATE_VERSION));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		json_object_set_new(doc, fields[i].name, field_value(s, &fields[i]));
	rc = json_compact(doc, out, err);
	json_decref(doc);
	if (rc == 0 && buf_add_char(out, '\n') < 0)
		rc = error_set(err, ERROR_INPUT, "larger than %zu bytes", out->max);
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

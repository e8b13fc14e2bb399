#include "common/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

int
json_parse(const char *text, size_t len, json_t **out, struct error *err)
{
	json_error_t why;

	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (*out == NULL)
		return error_set(err, ERROR_INPUT, "line %d column %d: %s", why.line, why.column,
			why.text);
	return 0;
}

static void
canonical_string(const char *s, size_t len, struct buf *out)
{
	size_t start = 0;

	buf_add_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\') {
			buf_add(out, s + start, i - start);
			buf_add_char(out, '\\');
			start = i;
		}
	}
	buf_add(out, s + start, len - start);
	buf_add_char(out, '"');
}

static int canonical_value(const json_t *value, struct buf *out, struct error *err);

static int
canonical_object(const json_t *object, struct buf *out, struct error *err)
{
	size_t count = json_object_size(object);
	const char **names = xcalloc(count, sizeof(*names));
	size_t n = 0;
	int rc = 0;

	for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
		it = json_object_iter_next((json_t *)(uintptr_t)object, it))
		names[n++] = json_object_iter_key(it);
	assert(n == count);
	qsort(names, n, sizeof(*names), str_cmp_ptr);
	buf_add_char(out, '{');
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		canonical_string(names[i], strlen(names[i]), out);
		buf_add_char(out, ':');
		rc = canonical_value(json_object_get(object, names[i]), out, err);
	}
	buf_add_char(out, '}');
	free(names);
	return rc;
}

/* Recursion is bounded: jansson refuses to parse deeper than 2,048 levels. */
static int
canonical_value(const json_t *value, struct buf *out, struct error *err)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return canonical_object(value, out, err);
	case JSON_ARRAY:
		buf_add_char(out, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i > 0)
				buf_add_char(out, ',');
			if (canonical_value(json_array_get(value, i), out, err) < 0)
				return -1;
		}
		buf_add_char(out, ']');
		return 0;
	case JSON_STRING:
		canonical_string(json_string_value(value), json_string_length(value), out);
		return 0;
	case JSON_INTEGER:
		buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return 0;
	case JSON_REAL:
		return error_set(err, ERROR_INPUT, "a number with a fraction has no canonical form");
	case JSON_TRUE:
		buf_add_str(out, "true");
		return 0;
	case JSON_FALSE:
		buf_add_str(out, "false");
		return 0;
	case JSON_NULL:
		buf_add_str(out, "null");
		return 0;
	}
	abort();
}

int
json_canonical(const json_t *value, struct buf *out, struct error *err)
{
	if (canonical_value(value, out, err) < 0)
		return -1;
	if (buf_failed(out))
		return error_set(err, ERROR_INPUT, "JSON text larger than %zu bytes", out->max);
	return 0;
}

static int
add_piece(const char *piece, size_t len, void *out)
{
	return buf_add(out, piece, len);
}

int
json_compact(const json_t *value, struct buf *out, struct error *err)
{
	if (json_dump_callback(value, add_piece, out,
		    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) < 0)
		return error_set(err, ERROR_INPUT, "JSON text larger than %zu bytes", out->max);
	return 0;
}

static int
get(const json_t *object, const char *name, json_type type, json_t **out, struct error *err)
{
	static const char *const type_names[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "an integer",
	};

	*out = json_object_get(object, name);
	if (*out == NULL)
		return error_set(err, ERROR_INPUT, "\"%s\" is missing", name);
	if (json_typeof(*out) != type)
		return error_set(err, ERROR_INPUT, "\"%s\" is not %s", name, type_names[type]);
	return 0;
}

json_t *
json_text(const char *text, const char *otherwise)
{
	json_t *value = text != NULL ? json_string(text) : NULL;

	if (value == NULL && otherwise != NULL)
		value = json_string(otherwise);
	return value != NULL ? value : json_null();
}

json_t *
json_time(int64_t time_s)
{
	char text[CLOCK_TEXT_SIZE];

	if (time_s <= 0)
		return json_null();
	clock_format(time_s, text);
	return json_string(text);
}

int
json_get_string(const json_t *object, const char *name, const char **out, struct error *err)
{
	json_t *value;

	if (get(object, name, JSON_STRING, &value, err) < 0)
		return -1;
	*out = json_string_value(value);
	return 0;
}

int
json_get_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
	struct error *err)
{
	json_t *value;

	if (get(object, name, JSON_INTEGER, &value, err) < 0)
		return -1;
	*out = json_integer_value(value);
	if (*out < min || *out > max)
		return error_set(err, ERROR_INPUT,
			"\"%s\" is %" PRId64 ", not in %" PRId64 " to %" PRId64, name, *out, min,
			max);
	return 0;
}

int
json_get_object(const json_t *object, const char *name, json_t **out, struct error *err)
{
	return get(object, name, JSON_OBJECT, out, err);
}

int
json_get_array(const json_t *object, const char *name, json_t **out, struct error *err)
{
	return get(object, name, JSON_ARRAY, out, err);
}

/*
 * json: JSON from outside read strictly, and the canonical form that signatures are made over.
 *
 * Values are jansson's (json_t); json_decref() frees them.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/attr.h"

struct buf;
struct error;

/* Parses one JSON text: duplicate members, NUL characters, invalid UTF-8 and anything behind the
 * value are refused as ERROR_INPUT with line and column. *out is the caller's. */
int json_parse(const char *text, size_t len, json_t **out, struct error *err) MUST_CHECK;

/* Canonical JSON as TUF wants it (specification 1.0, section 4.1): no blanks, members sorted by
 * octets, only " and \ escaped, control characters raw. Reals are refused (ERROR_INPUT). Appends. */
int json_canonical(const json_t *value, struct buf *out, struct error *err) MUST_CHECK;

/* Ordinary compact JSON text with sorted members, as one line without newline. Appends. */
int json_compact(const json_t *value, struct buf *out, struct error *err) MUST_CHECK;

/* For text from outside, which may be no UTF-8 and has then no place in JSON: otherwise stands for it, or null
 * where that is NULL; so for NULL. The caller's. */
json_t *json_text(const char *text, const char *otherwise);
#define JSON_NOT_UTF8 "(not UTF-8)"
/* "2026-11-23T12:00:00Z"; null for 0, which is no time. The caller's. */
json_t *json_time(int64_t time_s);

/* Members of an object. The value is lent. Missing or of another type: ERROR_INPUT that names it. */
int json_get_string(const json_t *object, const char *name, const char **out, struct error *err)
	MUST_CHECK;
int json_get_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
	struct error *err) MUST_CHECK;
int json_get_object(const json_t *object, const char *name, json_t **out, struct error *err)
	MUST_CHECK;
int json_get_array(const json_t *object, const char *name, json_t **out, struct error *err)
	MUST_CHECK;

#endif

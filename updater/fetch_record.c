#include "updater/fetch_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/str.h"
#include "export/tuf_trust.h"
#include "updater/when.h"

#define VERSION 1

static const char *const kinds[] = {
	[ERROR_NONE] = "none",
	[ERROR_TEMP] = "temporary",
	[ERROR_INPUT] = "input",
	[ERROR_CONFIG] = "configuration",
	[ERROR_SECURITY] = "security",
	[ERROR_EXPIRED] = "expired",
};

static const char *const answers[] = {
	[RESOLVER_UNKNOWN] = "unknown",
	[RESOLVER_VALIDATES] = "validates",
	[RESOLVER_DOES_NOT] = "does-not",
};

struct number {
	const char *name;
	size_t offset;
	int64_t max;
};

#define NUMBER(name, member, max) \
	{ \
		name, offsetof(struct fetch_record, member), max \
	}
static const struct number numbers[] = {
	NUMBER("began", began_s, CLOCK_MAX_S),
	NUMBER("ended", ended_s, CLOCK_MAX_S),
	NUMBER("mirror", mirror_s, CLOCK_MAX_S),
	NUMBER("resolver_time", resolver.time_s, CLOCK_MAX_S),
	NUMBER("list_version", list_version, TUF_INT_MAX),
};

/* --- the file -----------------------------------------------------------------------------------
 */

static int
read_word(const json_t *doc, const char *name, const char *const *words, size_t count, size_t *out,
	struct error *err)
{
	const char *text;

	if (json_get_string(doc, name, &text, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
	}
	return error_set(err, ERROR_INPUT, "\"%s\" is none of its words", name);
}

static int
read_sha256(const json_t *doc, const char *name, char out[static 65], struct error *err)
{
	uint8_t digest[32];
	const char *text;

	if (json_get_string(doc, name, &text, err) < 0)
		return -1;
	if (text[0] == '\0')
		return 0;
	if (str_unhex(text, strlen(text), digest, sizeof(digest)) < 0)
		return error_set(err, ERROR_INPUT, "\"%s\" is no SHA-256", name);
	str_hex(digest, sizeof(digest), out);
	return 0;
}

static int
read_texts(const json_t *doc, struct fetch_record *r, struct error *err)
{
	size_t kind, answer;
	const char *text;

	if (read_word(doc, "outcome", kinds, ARRAY_LEN(kinds), &kind, err) < 0 ||
		read_word(doc, "resolver", answers, ARRAY_LEN(answers), &answer, err) < 0 ||
		json_get_string(doc, "why", &text, err) < 0)
		return -1;
	r->outcome.kind = (enum error_kind)kind;
	r->resolver.answer = (enum resolver_answer)answer;
	if ((text[0] == '\0') != (r->outcome.kind == ERROR_NONE))
		return error_set(err, ERROR_INPUT, "\"why\" and \"outcome\" do not agree");
	str_escape_controls(text, strlen(text), r->outcome.text, sizeof(r->outcome.text));
	for (char *mark = r->outcome.text; (mark = strchr(mark, '"')) != NULL;)
		*mark = '\'';
	if (read_sha256(doc, "anchor_sha256", r->anchor, err) < 0)
		return -1;
	return read_sha256(doc, "list_sha256", r->list_sha256, err);
}

int
fetch_record_parse(const char *text, size_t len, struct fetch_record *r, struct error *err)
{
	json_t *doc = NULL;
	int64_t version;
	int rc;

	memset(r, 0, sizeof(*r));
	if (json_parse(text, len, &doc, err) < 0)
		return -1;
	rc = json_get_int(doc, "record_version", VERSION, VERSION, &version, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(numbers); i++)
		rc = json_get_int(doc, numbers[i].name, 0, numbers[i].max,
			(void *)((char *)r + numbers[i].offset), err);
	if (rc == 0)
		rc = read_texts(doc, r, err);
	if (rc == 0 && r->ended_s != 0 && r->ended_s < r->began_s)
		rc = error_set(err, ERROR_INPUT, "it ended before it began");
	json_decref(doc);
	if (rc < 0)
		memset(r, 0, sizeof(*r));
	return rc;
}

int
fetch_record_format(const struct fetch_record *r, struct buf *out, struct error *err)
{
	json_t *doc = json_object();
	int64_t value;
	int rc;

	json_object_set_new(doc, "record_version", json_integer(VERSION));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		memcpy(&value, (const char *)r + numbers[i].offset, sizeof(value));
		json_object_set_new(doc, numbers[i].name, json_integer(value));
	}
	json_object_set_new(doc, "outcome", json_string(kinds[r->outcome.kind]));
	json_object_set_new(doc, "why",
		json_text(r->outcome.kind != ERROR_NONE ? r->outcome.text : "", JSON_NOT_UTF8));
	json_object_set_new(doc, "resolver", json_string(answers[r->resolver.answer]));
	json_object_set_new(doc, "anchor_sha256", json_string(r->anchor));
	json_object_set_new(doc, "list_sha256", json_string(r->list_sha256));
	rc = json_compact(doc, out, err);
	json_decref(doc);
	if (rc == 0 && buf_add_char(out, '\n') < 0)
		rc = error_set(err, ERROR_INPUT, "larger than %zu bytes", out->max);
	return rc;
}

/* --- what it means ------------------------------------------------------------------------------
 */

static int
could_not(struct error *err)
{
	return error_prefix(err, "could not fetch");
}

int
fetch_record_outcome(const struct fetch_record *r, int known, int64_t now_s, int64_t limit_s,
	struct error *err)
{
	char text[WHEN_SIZE];

	if (known < 0)
		return could_not(err);
	if (known == 0)
		error_set(err, ERROR_TEMP,
			"no run with --fetch-only has left anything yet (preload25-fetch.service?)");
	else if (r->ended_s == 0)
		error_set(err, ERROR_TEMP,
			"the fetching run of %s has not ended: killed, or still under way",
			when(r->began_s, now_s, text));
	else if (r->outcome.kind != ERROR_NONE)
		/* Somebody else's words, as those of a mirror would be. */
		error_set(err, r->outcome.kind, "\"%s\"", r->outcome.text);
	else if (now_s - r->ended_s > limit_s)
		error_set(err, ERROR_TEMP, "the last fetching run was %s", when(r->ended_s, now_s, text));
	else
		return 0;
	return could_not(err);
}

struct resolver_said
fetch_record_resolver(const struct fetch_record *r, int64_t now_s, int64_t limit_s)
{
	struct resolver_said said = r->resolver;

	/* Nor one of the future. */
	if (said.time_s == 0 || now_s - said.time_s > limit_s || said.time_s - now_s > limit_s)
		said.answer = RESOLVER_UNKNOWN;
	return said;
}

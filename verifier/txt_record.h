/*
 * txt_record: the framing shared by the MTA-STS, TLSRPT and opt-in records: a version, then fields
 * name=value divided by semicolons (rules R8.3 to R8.11).
 *
 *	struct txt_cursor cursor;
 *	struct txt_field field;
 *
 *	if (txt_version(&kind, text, len) == TXT_VERSION_EXACT) {
 *		txt_begin(&cursor, &kind, text, len);
 *		while ((rc = txt_next(&cursor, &field)) > 0) ...
 *	}
 *
 * Pure; fields point into the text.
 */
#ifndef VERIFIER_TXT_RECORD_H
#define VERIFIER_TXT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct arena;

/* One TXT record, its character-strings joined without a space; NUL is an ordinary octet. */
struct txt_text {
	const char *text;
	size_t len;
};

/* Fields of one record that are looked at; more is a syntax error. No record in use has ten, and
 * the search for repeated names is quadratic. */
#define TXT_FIELDS_MAX 128
#define TXT_NAME_MAX   32

/* What distinguishes the three kinds of record. */
struct txt_kind {
	const char *version; /* "v=STSv1" */
	const char *near;    /* "v=sts": what a near miss begins with, in lower case */
};

extern const struct txt_kind txt_kind_mta_sts, txt_kind_tlsrpt, txt_kind_preload;

enum txt_version {
	TXT_VERSION_OTHER, /* not such a record */
	TXT_VERSION_NEAR,  /* R8.4: meant to be one */
	TXT_VERSION_EXACT, /* R8.3 */
};

enum txt_version txt_version(const struct txt_kind *kind, const char *text, size_t len);

/* How reading a record, or all records of a name, came out. */
enum txt_outcome {
	TXT_NONE,     /* no record of this kind among those of the name */
	TXT_OTHER,    /* the one record given is no such record, or a near miss */
	TXT_MULTIPLE, /* more than one: none counts */
	TXT_INVALID,
	TXT_VALID,
};

struct txt_field {
	const char *name;
	size_t name_len;
	const char *value; /* no blank at its beginning; may be empty; octets otherwise unchecked */
	size_t value_len;
};

/* Read name and text; the rest is private to txt_record.c. */
struct txt_cursor {
	const char *at;
	const char *end;
	size_t count;
	bool space_before_semicolon; /* R8.7, known after txt_begin() */
};

/* text must be TXT_VERSION_EXACT. */
void txt_begin(struct txt_cursor *c, const struct txt_kind *kind, const char *text, size_t len);
/* 1 and the next field, 0 at the end, -1 at a field that is empty, has no "=" or a bad name, or a
 * value that begins with a blank. After -1 the next call goes on behind that field, whose octets
 * are in field->value for the message (name NULL). */
int txt_next(struct txt_cursor *c, struct txt_field *field);

/* A name of 1 to 32 letters, digits, "_", "-" and ".", the first a letter or digit. */
bool txt_name_ok(const char *name, size_t len);
/* Names are case-sensitive. */
bool txt_same_name(const struct txt_field *a, const struct txt_field *b);
bool txt_field_is(const struct txt_field *field, const char *name);
/* R8.9: a value of 1 or more printable ASCII characters except blank, "=" and ";". */
bool txt_value_ok(const char *value, size_t len);

/* R8.5, R8.6. */
struct txt_selection {
	size_t count;   /* records that remain */
	size_t index;   /* of the first of them */
	bool near_miss; /* a record discarded is a near miss: at near_index */
	size_t near_index;
	bool ambiguous; /* a record discarded has the version but no ";" directly behind it */
};

/* Of a single record the version alone decides (TXT_VERSION_EXACT); of several those count that
 * begin with version and ";" directly. */
void txt_select(const struct txt_kind *kind, const struct txt_text *texts, size_t count,
	struct txt_selection *out);

/* A name and value kept for display. */
struct txt_extension {
	const char *name;
	const char *value;
};

/* Appends copies; *items (NULL at first) moves. */
void txt_extension_add(struct arena *arena, struct txt_extension **items, size_t *count,
	const char *name, size_t name_len, const char *value, size_t value_len);

/* The line that the owner publishes, for a fix: OWNER. IN TXT "TEXT"; only the text in quotation
 * marks when owner is no domain name. text has passed its grammar. */
const char *txt_publish_line(struct arena *arena, const char *owner, const char *text);

/* Joins the character-strings of TXT RDATA. -1 when they do not fill the RDATA exactly. */
int txt_from_wire(
	const uint8_t *rdata, size_t len, struct arena *arena, struct txt_text *out) MUST_CHECK;

#endif

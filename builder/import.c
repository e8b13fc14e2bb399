#include "builder/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

struct reader {
	FILE *in;
	const char *name;
	bool allow_special_use;
	const struct import_sink *sink;
	int64_t line; /* of the record that is being read */
	int64_t next_line;
	struct buf record;                /* fields one after another, each with a NUL behind it */
	size_t fields[IMPORT_FIELDS_MAX]; /* where they begin in it */
	size_t field_count;
	char delimiter;   /* NUL: plain text */
	struct buf ahead; /* the first line, read to see what the file is */
	size_t ahead_used;
	int pushed; /* an octet put back; PUSHED_NONE */
};

#define PUSHED_NONE (-2)

static int
get(struct reader *r)
{
	int c = r->pushed;

	if (c != PUSHED_NONE) {
		r->pushed = PUSHED_NONE;
		return c;
	}
	if (r->ahead_used < r->ahead.len)
		return (unsigned char)r->ahead.data[r->ahead_used++];
	return getc_unlocked(r->in);
}

/* --- one domain ------------------------------------------------------------------------------ */

static int
take_domain(struct reader *r, const char *where, const char *typed, struct error *err)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	char ascii[DOMAIN_NAME_SIZE];
	int rc = 0;

	finding_list_init(&findings, arena);
	if (domain_name_parse(typed, strlen(typed), r->allow_special_use, &findings, ascii) == 0) {
		rc = r->sink->domain(ascii, r->sink->arg, err);
	} else {
		const struct finding *f = finding_list_first_fail(&findings);
		char shown[80];

		str_escape(typed, strlen(typed), shown, sizeof(shown));
		r->sink->refused(
			where, shown, f != NULL ? f->message : "is no domain", r->sink->arg);
	}
	arena_free(arena);
	return rc;
}

static int
take_field(struct reader *r, size_t column, struct error *err)
{
	const char *typed = column < r->field_count ? r->record.data + r->fields[column] : "";
	const char *at = strchr(typed, '@');
	char *where;
	int rc;

	/* A column of addresses; in plain text an address is a mistake. */
	if (r->delimiter != '\0' && at != NULL)
		typed = at + 1;
	where = xasprintf("%s:%lld", r->name, (long long)r->line);
	rc = take_domain(r, where, typed, err);
	free(where);
	return rc;
}

/* --- records --------------------------------------------------------------------------------- */

static int
begin_field(struct reader *r, struct error *err)
{
	if (r->field_count == IMPORT_FIELDS_MAX)
		return error_set(err, ERROR_INPUT, "%s:%lld: more than %d fields", r->name,
			(long long)r->line, IMPORT_FIELDS_MAX);
	r->fields[r->field_count++] = r->record.len;
	return 0;
}

/* The next octet; -1 at the end, -2 with err set. Line ends come as \n. */
static int
next_octet(struct reader *r, struct error *err)
{
	int c = get(r);

	if (c == '\r') {
		int behind = get(r);

		if (behind != '\n')
			r->pushed = behind;
		c = '\n';
	}
	if (c == '\0') {
		error_set(err, ERROR_INPUT, "%s:%lld: NUL byte: this is no text", r->name,
			(long long)r->next_line);
		return -2;
	}
	if (c == EOF) {
		if (!ferror(r->in))
			return -1;
		error_set_errno(err, ERROR_INPUT, "%s", r->name);
		return -2;
	}
	if (c == '\n')
		r->next_line++;
	return c;
}

/* 1 a record, 0 the end, -1 error. */
static int
next_record(struct reader *r, struct error *err)
{
	bool quoted = false;
	bool any = false;
	bool at_start = true; /* of a field */
	int c;

	buf_reset(&r->record);
	r->field_count = 0;
	r->line = r->next_line;
	if (begin_field(r, err) < 0)
		return -1;
	while ((c = next_octet(r, err)) >= 0) {
		any = true;
		if (c == '\n' && !quoted)
			break;
		if (r->delimiter != '\0' && c == '"') {
			if (quoted) {
				int behind = get(r);

				if (behind == '"') {
					(void)buf_add_char(&r->record, '"');
				} else {
					quoted = false;
					r->pushed = behind;
				}
				continue;
			}
			if (at_start) {
				quoted = true;
				at_start = false;
				continue;
			}
		}
		if (r->delimiter != '\0' && c == r->delimiter && !quoted) {
			(void)buf_add_char(&r->record, '\0');
			if (begin_field(r, err) < 0)
				return -1;
			at_start = true;
			continue;
		}
		if (c != ' ')
			at_start = false;
		if (buf_add_char(&r->record, (char)c) < 0)
			return error_set(err, ERROR_INPUT, "%s:%lld: line longer than %zu octets",
				r->name, (long long)r->line, IMPORT_RECORD_MAX);
	}
	if (c == -2)
		return -1;
	if (quoted)
		return error_set(err, ERROR_INPUT, "%s:%lld: a quotation mark is never closed",
			r->name, (long long)r->line);
	(void)buf_add_char(&r->record, '\0');
	return any ? 1 : 0;
}

static bool
is_blank(const struct reader *r)
{
	const char *text = r->record.data;

	return r->field_count == 1 && text[strspn(text, " \t")] == '\0';
}

static void
cut_comment(struct reader *r)
{
	char *hash = strchr(r->record.data, '#');

	if (hash != NULL)
		*hash = '\0';
}

/* --- CSV ------------------------------------------------------------------------------------- */

/* The column that the headings say holds the domain, or -1. */
static ptrdiff_t
find_column(const struct reader *r)
{
	/* In order of preference. */
	static const char *const words[] = {"domain", "mail", "address"};

	for (size_t w = 0; w < ARRAY_LEN(words); w++) {
		for (size_t i = 0; i < r->field_count; i++) {
			const char *heading = r->record.data + r->fields[i];

			/* A heading is a word or two; "mail.example" is data. */
			if (strchr(heading, '.') == NULL && strcasestr(heading, words[w]) != NULL)
				return (ptrdiff_t)i;
		}
	}
	return -1;
}

/* The first line decides: which sign divides, or NUL for plain text. */
static char
find_delimiter(const char *line)
{
	static const char signs[] = ",;\t";

	for (size_t i = 0; i < sizeof(signs) - 1; i++) {
		const char *sign = strchr(line, signs[i]);
		const char *hash = strchr(line, '#');

		/* "example.org # this, and that" is plain text. */
		if (sign != NULL && (hash == NULL || sign < hash))
			return signs[i];
	}
	return line[0] == '"' ? ',' : '\0';
}

static int
read_csv(struct reader *r, struct error *err)
{
	ptrdiff_t column;
	int rc = next_record(r, err);

	if (rc <= 0)
		return rc;
	column = find_column(r);
	if (column < 0) {
		const char *first = r->record.data;

		column = 0;
		/* Without headings that we know: data, unless it cannot be a domain. */
		if (strchr(first, '.') != NULL && take_field(r, 0, err) < 0)
			return -1;
	}
	while ((rc = next_record(r, err)) == 1) {
		if (!is_blank(r) && take_field(r, (size_t)column, err) < 0)
			return -1;
	}
	return rc;
}

static int
read_text(struct reader *r, struct error *err)
{
	int rc;

	while ((rc = next_record(r, err)) == 1) {
		cut_comment(r);
		if (!is_blank(r) && take_field(r, 0, err) < 0)
			return -1;
	}
	return rc;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static int
read_all(struct reader *r, struct buf *out, struct error *err)
{
	char chunk[65536];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), r->in)) > 0) {
		if (buf_add(out, chunk, n) < 0)
			return error_set(err, ERROR_INPUT, "%s: larger than %zu MiB", r->name,
				IMPORT_JSON_MAX >> 20);
	}
	return ferror(r->in) ? error_set_errno(err, ERROR_INPUT, "%s", r->name) : 0;
}

static int
read_json(struct reader *r, struct error *err)
{
	struct buf text;
	json_t *root = NULL;
	json_t *policies;
	json_t *policy;
	const char *domain;
	int rc = -1;

	buf_init(&text, IMPORT_JSON_MAX);
	if (read_all(r, &text, err) < 0)
		goto out;
	if (json_parse(buf_str(&text), text.len, &root, err) < 0) {
		error_prefix(err, "%s", r->name);
		goto out;
	}
	policies = json_object_get(root, "policies");
	if (!json_is_object(policies)) {
		error_set(err, ERROR_INPUT,
			"%s: has no \"policies\": not a policy.json of STARTTLS "
			"Everywhere",
			r->name);
		goto out;
	}
	json_object_foreach(policies, domain, policy)
	{
		char *where = xasprintf("%s: policies", r->name);
		int taken = take_domain(r, where, domain, err);

		free(where);
		if (taken < 0)
			goto out;
	}
	rc = 0;
out:
	json_decref(root);
	buf_clear(&text);
	return rc;
}

/* --- which it is ----------------------------------------------------------------------------- */

/* Passes a byte order mark, white space and whole-line comments, which every form may begin with;
 * then looks at the first line without taking it. */
static int
look_at_start(struct reader *r, char *first, struct error *err)
{
	int c = getc_unlocked(r->in);

	if (c == 0xef) {
		if (getc_unlocked(r->in) != 0xbb || getc_unlocked(r->in) != 0xbf)
			return error_set(err, ERROR_INPUT, "%s:1: is not UTF-8 text", r->name);
		c = getc_unlocked(r->in);
	}
	for (;;) {
		if (c == '#') {
			do {
				c = getc_unlocked(r->in);
			} while (c != '\n' && c != EOF && c != '\0');
		} else if (c == '\n') {
			r->next_line++;
			c = getc_unlocked(r->in);
		} else if (c == ' ' || c == '\t' || c == '\r') {
			c = getc_unlocked(r->in);
		} else {
			break;
		}
	}
	if (c == EOF && ferror(r->in))
		return error_set_errno(err, ERROR_INPUT, "%s", r->name);
	*first = c == EOF ? '\0' : (char)c;
	if (c != EOF)
		(void)ungetc(c, r->in);
	return 0;
}

/* Reads the first line into ahead. */
static int
read_ahead(struct reader *r, struct error *err)
{
	int c;

	while ((c = getc_unlocked(r->in)) != EOF && c != '\n' && c != '\r') {
		if (buf_add_char(&r->ahead, (char)c) < 0)
			return error_set(err, ERROR_INPUT, "%s:%lld: line longer than %zu octets",
				r->name, (long long)r->next_line, IMPORT_RECORD_MAX);
	}
	if (c != EOF)
		(void)ungetc(c, r->in);
	return 0;
}

int
import_read(FILE *in, const char *name, bool allow_special_use, const struct import_sink *sink,
	struct error *err)
{
	struct reader r = {.in = in,
		.name = name,
		.allow_special_use = allow_special_use,
		.sink = sink,
		.next_line = 1,
		.pushed = PUSHED_NONE};
	char first = 0;
	int rc = -1;

	buf_init(&r.record, IMPORT_RECORD_MAX);
	buf_init(&r.ahead, IMPORT_RECORD_MAX);
	if (look_at_start(&r, &first, err) < 0)
		goto out;
	if (first == '{' || first == '[') {
		rc = read_json(&r, err);
		goto out;
	}
	if (read_ahead(&r, err) < 0)
		goto out;
	r.delimiter = find_delimiter(buf_str(&r.ahead));
	rc = r.delimiter != '\0' ? read_csv(&r, err) : read_text(&r, err);
out:
	buf_clear(&r.record);
	buf_clear(&r.ahead);
	return rc;
}

#include "common/config.h"

#include <assert.h>
#include <ini.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"

#define CONFIG_MAX ((size_t)1024 * 1024)
/* inih cuts longer lines silently when built with its default INI_MAX_LINE of 200. */
#define CONFIG_LINE_MAX   198
#define CONFIG_VALUES_MAX 256

struct value {
	char **texts; /* owned */
	size_t count;
	char *where; /* "FILE:LINE" of the last, owned; NULL when not set */
};

/* The values of a section with a name; those of all others are kept as one part. */
struct part {
	char *section;        /* "section NAME", owned; NULL: all sections without a name */
	struct value *values; /* parallel to keys, owned */
	int line;             /* where a section with a name begins */
};

struct config {
	const struct config_key *keys; /* borrowed */
	size_t count;
	struct part parts[1 + CONFIG_NAMED_MAX]; /* in the order of the file; the first is without a name */
	size_t part_count;
	char *path; /* "built-in defaults" without a file */
};

/* What the inih handler needs; one parse at a time. */
struct parse {
	struct config *config;
	struct error *err;
	int failed_line;  /* the first line that add_value() refused, or 0 */
	int line;         /* of the text that inih is at */
	int section_line; /* where its section begins */
	const char *next; /* what inih has not read yet */
};

static bool
bool_from_text(const char *text, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"yes", true}, {"no", false}, {"true", true}, {"false", false}, {"on", true},
		{"off", false}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static int
int_from_text(const struct config_key *key, const char *text, int64_t *out, struct error *err)
{
	uint64_t value;

	if (str_parse_u64(text, strlen(text), INT64_MAX, &value) < 0 || (int64_t)value < key->min ||
		(int64_t)value > key->max)
		return error_set(err, ERROR_CONFIG,
			"%s = %s: not a whole number from %" PRId64 " to %" PRId64, key->name, text,
			key->min, key->max);
	*out = (int64_t)value;
	return 0;
}

static int
check_value(const struct config_key *key, const char *text, struct error *err)
{
	int64_t number;
	bool flag;

	switch (key->type) {
	case CONFIG_STRING:
		if (text[0] == '\0')
			return error_set(err, ERROR_CONFIG, "%s has no value", key->name);
		return 0;
	case CONFIG_INT:
		return int_from_text(key, text, &number, err);
	case CONFIG_BOOL:
		if (!bool_from_text(text, &flag))
			return error_set(
				err, ERROR_CONFIG, "%s = %s: not yes or no", key->name, text);
		return 0;
	}
	abort();
}

/* How much of "section NAME" is the section. */
static size_t
section_len(const char *section)
{
	return strcspn(section, " ");
}

/* The index of section/name, whichever name the section has, or -1. With name NULL: any key of the
 * section. */
static ptrdiff_t
find_key(const struct config *c, const char *section, const char *name)
{
	size_t len = section_len(section);

	for (size_t i = 0; i < c->count; i++) {
		if (strlen(c->keys[i].section) == len &&
			memcmp(c->keys[i].section, section, len) == 0 &&
			(section[len] == '\0' || c->keys[i].named) &&
			(name == NULL || strcmp(c->keys[i].name, name) == 0))
			return (ptrdiff_t)i;
	}
	return -1;
}

/* NULL: there is none of that name. */
static struct part *
find_part(struct config *c, const char *section)
{
	if (section[section_len(section)] == '\0')
		return &c->parts[0];
	for (size_t i = 1; i < c->part_count; i++)
		if (strcmp(c->parts[i].section, section) == 0)
			return &c->parts[i];
	return NULL;
}

static void
add_part(struct config *c, const char *section)
{
	c->parts[c->part_count++] = (struct part){.section = section != NULL ? xstrdup(section) : NULL,
		.values = xcalloc(c->count, sizeof(struct value))};
}

/* The part that a section's values go into, made where there is none yet. */
static struct part *
take_part(struct parse *p, const char *section)
{
	struct config *c = p->config;
	struct part *part = find_part(c, section);
	const char *name = section + section_len(section);
	size_t len = strlen(name);

	if (part != NULL && part->section != NULL && part->line != p->section_line) {
		error_set(p->err, ERROR_CONFIG, "section [%s] is given twice (first at %s:%d)", section, c->path,
			part->line);
		return NULL;
	}
	if (part != NULL)
		return part;
	if (len < 2 || len > 1 + CONFIG_NAME_MAX ||
		strspn(name + 1, "abcdefghijklmnopqrstuvwxyz0123456789-") != len - 1) {
		error_set(p->err, ERROR_CONFIG,
			"section [%s]: the name is not of 1 to %d lower-case letters, digits and hyphens",
			section, CONFIG_NAME_MAX);
		return NULL;
	}
	if (c->part_count == ARRAY_LEN(c->parts)) {
		error_set(p->err, ERROR_CONFIG, "section [%s]: more than %d sections with names", section,
			CONFIG_NAMED_MAX);
		return NULL;
	}
	add_part(c, section);
	part = &c->parts[c->part_count - 1];
	part->line = p->section_line;
	return part;
}

static int
add_value(struct parse *p, const char *section, const char *name, const char *text)
{
	struct config *c = p->config;
	ptrdiff_t i = find_key(c, section, name);
	struct part *part;
	struct value *v;

	if (i < 0) {
		if (section[0] == '\0')
			return error_set(
				p->err, ERROR_CONFIG, "%s stands before any [section]", name);
		if (find_key(c, section, NULL) < 0)
			return error_set(p->err, ERROR_CONFIG, "unknown section [%s]", section);
		return error_set(
			p->err, ERROR_CONFIG, "unknown key %s in section [%s]", name, section);
	}
	part = take_part(p, section);
	if (part == NULL)
		return -1;
	v = &part->values[i];
	if (v->count > 0 && !c->keys[i].repeat)
		return error_set(
			p->err, ERROR_CONFIG, "%s is given twice (first at %s)", name, v->where);
	if (v->count >= CONFIG_VALUES_MAX)
		return error_set(p->err, ERROR_CONFIG, "%s is given more than %d times", name,
			CONFIG_VALUES_MAX);
	if (check_value(&c->keys[i], text, p->err) < 0)
		return -1;
	v->texts = xreallocarray(v->texts, v->count + 1, sizeof(*v->texts));
	v->texts[v->count++] = xstrdup(text);
	free(v->where);
	v->where = xasprintf("%s:%d", c->path, p->line);
	return 0;
}

static int
on_pair(void *arg, const char *section, const char *name, const char *text)
{
	struct parse *p = arg;

	if (p->failed_line > 0)
		return 0;
	if (add_value(p, section, name, text != NULL ? text : "") < 0) {
		p->failed_line = p->line;
		return 0;
	}
	return 1;
}

/* Gives inih its next line (fgets semantics) and counts it. Without the blanks at its beginning, by
 * which inih would take an indented "key = value" for one more value of the key before. */
static char *
next_line(char *out, int size, void *arg)
{
	struct parse *p = arg;
	const char *end;
	size_t len, blanks;

	if (*p->next == '\0')
		return NULL;
	end = strchrnul(p->next, '\n');
	len = (size_t)(end - p->next) + (*end == '\n');
	p->line++;
	blanks = strspn(p->next, " \t\v\f\r");
	p->next += blanks;
	len -= blanks;
	assert(size > 0 && len < (size_t)size);
	memcpy(out, p->next, len);
	out[len] = '\0';
	p->next += len;
	if (out[0] == '[')
		p->section_line = p->line;
	return out;
}

/* What inih would accept in silence: NULs and lines that it would cut. */
static int
check_text(const char *path, const struct buf *text, struct error *err)
{
	int line = 1;
	size_t start = 0;

	for (size_t i = 0; i <= text->len; i++) {
		if (i < text->len && text->data[i] == '\0')
			return error_set(err, ERROR_CONFIG, "%s:%d: NUL byte", path, line);
		if (i == text->len || text->data[i] == '\n') {
			if (i - start > CONFIG_LINE_MAX)
				return error_set(err, ERROR_CONFIG,
					"%s:%d: line longer than %d characters", path, line,
					CONFIG_LINE_MAX);
			line++;
			start = i + 1;
		}
	}
	return 0;
}

static int
parse_file(struct config *c, const char *path, struct error *err)
{
	struct parse p = {.config = c, .err = err};
	struct buf text;
	int bad_line;
	int rc = -1;

	buf_init(&text, CONFIG_MAX);
	if (file_read(path, &text, err) < 0 || check_text(path, &text, err) < 0)
		goto out;
	p.next = buf_str(&text);
	bad_line = ini_parse_stream(next_line, &p, on_pair, &p);
	/* inih goes on behind an error; its return value is the first bad line, be it ours or its
	 * own. */
	if (p.failed_line > 0 && p.failed_line == bad_line) {
		error_prefix(err, "%s:%d", path, bad_line);
		goto out;
	}
	if (bad_line != 0) {
		error_set(err, ERROR_CONFIG, "%s:%d: neither [section] nor key = value", path,
			bad_line);
		goto out;
	}
	rc = 0;
out:
	buf_clear(&text);
	return rc;
}

int
config_load(const char *path, const struct config_key *keys, size_t count, struct config **out,
	struct error *err)
{
	struct config *c = xcalloc(1, sizeof(*c));

	*out = NULL;
	c->keys = keys;
	c->count = count;
	add_part(c, NULL);
	c->path = xstrdup(path != NULL ? path : "built-in defaults");
	if (path != NULL && parse_file(c, path, err) < 0) {
		config_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

static void
clear_value(struct value *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->texts[i]);
	free(v->texts);
	free(v->where);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->part_count; i++) {
		for (size_t k = 0; k < c->count; k++)
			clear_value(&c->parts[i].values[k]);
		free(c->parts[i].values);
		free(c->parts[i].section);
	}
	free(c->path);
	free(c);
}

static const struct config_key *
must_find(const struct config *c, const char *section, const char *name, const struct value **value)
{
	ptrdiff_t i = find_key(c, section, name);
	const struct part *part = find_part((struct config *)(uintptr_t)c, section);

	assert(i >= 0 && part != NULL);
	*value = &part->values[i];
	return &c->keys[i];
}

/* The last value's text, the default, or NULL. */
static const char *
text_of(const struct config_key *key, const struct value *v)
{
	return v->count > 0 ? v->texts[v->count - 1] : key->fallback;
}

const char *
config_string(const struct config *c, const char *section, const char *name)
{
	const struct value *v;
	const struct config_key *key = must_find(c, section, name, &v);

	assert(key->type == CONFIG_STRING);
	return text_of(key, v);
}

int64_t
config_int(const struct config *c, const char *section, const char *name)
{
	const struct value *v;
	const struct config_key *key = must_find(c, section, name, &v);
	const char *text = text_of(key, v);
	struct error err;
	int64_t value;

	assert(key->type == CONFIG_INT && text != NULL);
	if (int_from_text(key, text, &value, &err) < 0)
		abort(); /* checked on reading; a bad default is a bug in the table */
	return value;
}

bool
config_bool(const struct config *c, const char *section, const char *name)
{
	const struct value *v;
	const struct config_key *key = must_find(c, section, name, &v);
	const char *text = text_of(key, v);
	bool value;

	assert(key->type == CONFIG_BOOL && text != NULL);
	if (!bool_from_text(text, &value))
		abort();
	return value;
}

size_t
config_count(const struct config *c, const char *section, const char *name)
{
	const struct value *v;
	const struct config_key *key = must_find(c, section, name, &v);

	assert(key->repeat);
	return v->count;
}

const char *
config_nth(const struct config *c, const char *section, const char *name, size_t n)
{
	const struct value *v;

	(void)must_find(c, section, name, &v);
	assert(n < v->count);
	return v->texts[n];
}

bool
config_is_set(const struct config *c, const char *section, const char *name)
{
	const struct value *v;

	(void)must_find(c, section, name, &v);
	return v->count > 0;
}

const char *
config_where(const struct config *c, const char *section, const char *name)
{
	const struct value *v;

	(void)must_find(c, section, name, &v);
	return v->where != NULL ? v->where : c->path;
}

static bool
is_of(const struct part *part, const char *section)
{
	size_t len = section_len(part->section);

	return strlen(section) == len && memcmp(part->section, section, len) == 0;
}

size_t
config_named_count(const struct config *c, const char *section)
{
	size_t count = 0;

	for (size_t i = 1; i < c->part_count; i++)
		count += is_of(&c->parts[i], section);
	return count;
}

const char *
config_named_nth(const struct config *c, const char *section, size_t n)
{
	for (size_t i = 1; i < c->part_count; i++)
		if (is_of(&c->parts[i], section) && n-- == 0)
			return c->parts[i].section;
	abort();
}

int
config_sample(const struct config_key *keys, size_t count, struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < count; i++) {
		if (strcmp(section, keys[i].section) != 0) {
			section = keys[i].section;
			buf_addf(out, "%s[%s]\n", i > 0 ? "\n" : "", section);
			if (keys[i].named)
				buf_addf(out, "# further ones are [%s NAME], with keys of their own\n",
					section);
		}
		buf_addf(out, "# %s%s\n", keys[i].help, keys[i].repeat ? " (may repeat)" : "");
		buf_addf(out, "#%s = %s\n", keys[i].name,
			keys[i].fallback != NULL ? keys[i].fallback : "");
	}
	return buf_failed(out) ? -1 : 0;
}

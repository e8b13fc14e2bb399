#include "updater/postfix_record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/xalloc.h"

/* Octets: it may hold what main.cf had, a few times over. */
#define RECORD_MAX  ((size_t)16 * 1024 * 1024)
#define RECORD_MODE 0600

struct postfix_record {
	char *path;  /* owned */
	json_t *doc; /* owned; an object with the array "changes", and perhaps "tables" */
};

static json_t *
changes_of(const struct postfix_record *r)
{
	return json_object_get(r->doc, "changes");
}

/* "" is a text, too; NULL: it has none of that name. */
static const char *
text_of(const json_t *one, const char *name)
{
	return json_string_value(json_object_get(one, name));
}

int
postfix_record_load(
	const char *state_dir, bool must, struct postfix_record **out, struct error *err)
{
	struct postfix_record *r = xcalloc(1, sizeof(*r));
	struct buf text;
	int rc = 0;

	buf_init(&text, RECORD_MAX);
	r->path = xasprintf("%s/setup-postfix.json", state_dir);
	if (must || access(r->path, R_OK) == 0 || errno != EACCES)
		rc = file_read_if_exists(r->path, &text, err);
	if (rc == 0) {
		r->doc = json_object();
		json_object_set_new(r->doc, "changes", json_array());
	} else if (rc > 0 && json_parse(buf_str(&text), text.len, &r->doc, err) < 0) {
		error_prefix(err, "%s", r->path);
	} else if (rc > 0 && !json_is_array(changes_of(r))) {
		error_set(err, ERROR_INPUT, "%s: is no record of changes", r->path);
		json_decref(r->doc);
		r->doc = NULL;
	}
	buf_clear(&text);
	rc = r->doc != NULL ? 0 : -1;
	if (rc < 0) {
		postfix_record_free(r);
		r = NULL;
	}
	*out = r;
	return rc;
}

bool
postfix_record_has_table(const struct postfix_record *r, const char *table)
{
	size_t i;
	const json_t *one;

	json_array_foreach (json_object_get(r->doc, "tables"), i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), table) == 0)
			return true;
	return false;
}

void
postfix_record_add_table(struct postfix_record *r, const char *table)
{
	json_t *tables = json_object_get(r->doc, "tables");

	if (!json_is_array(tables)) {
		tables = json_array();
		json_object_set_new(r->doc, "tables", tables);
	}
	if (!postfix_record_has_table(r, table))
		json_array_append_new(tables, json_string(table));
}

/* Lent; NULL: nothing is known of it. */
static json_t *
find(const struct postfix_record *r, const char *name)
{
	size_t i;
	json_t *one;

	json_array_foreach (changes_of(r), i, one) {
		const char *its = text_of(one, "name");

		if (its != NULL && strcmp(its, name) == 0)
			return one;
	}
	return NULL;
}

bool
postfix_record_has(const struct postfix_record *r, const char *name)
{
	return find(r, name) != NULL;
}

void
postfix_record_change(
	struct postfix_record *r, const char *name, const char *before, const char *after)
{
	json_t *one = find(r, name);

	if (one == NULL) {
		one = json_object();
		json_object_set_new(one, "name", json_string(name));
		json_object_set_new(one, "before", before != NULL ? json_string(before) : json_null());
		json_array_append_new(changes_of(r), one);
	}
	json_object_set_new(one, "after", json_string(after));
}

int
postfix_record_next(const struct postfix_record *r, size_t *at, struct postfix_recorded *out)
{
	const json_t *one;

	while ((one = json_array_get(changes_of(r), *at)) != NULL) {
		++*at;
		*out = (struct postfix_recorded){
			text_of(one, "name"), text_of(one, "before"), text_of(one, "after")};
		if (out->name != NULL && out->after != NULL)
			return 1;
	}
	return 0;
}

int
postfix_record_save(const struct postfix_record *r, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = json_compact(r->doc, &text, err);
	if (rc == 0)
		rc = file_replace(r->path, text.data, text.len, RECORD_MODE, err);
	buf_clear(&text);
	return rc;
}

void
postfix_record_remove(const struct postfix_record *r)
{
	(void)unlink(r->path);
}

void
postfix_record_free(struct postfix_record *r)
{
	if (r == NULL)
		return;
	json_decref(r->doc);
	free(r->path);
	free(r);
}

#include "export/delta.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/compress.h"
#include "export/list.h"
#include "export/list_aliases.h"
#include "export/list_lines.h"
#include "export/list_reader.h"

/* Handed on in pieces of this size, two lines at least. */
#define OUT_SIZE ((size_t)256 * 1024)
/* Octets of header and closing line, generously. */
#define HEADER_MAX INT64_C(65536)
/* Up to so many octets a delta between neighbours, which most clients fetch, is packed thoroughly.
 */
#define THOROUGH_MAX ((size_t)4 * 1024 * 1024)
/* A name between quotes: a domain or an alias. */
#define NAME_MAX_OCTETS 253

static const char list_mark[] = "\",\"format\":\"" LIST_FORMAT "\",\"policies\":{";
static const char delta_mark[] = "\",\"format\":\"" DELTA_FORMAT "\",\"from\":";
static const char policies_mark[] = ",\"policies\":{";
static const char aliases_mark[] = "},\"policy-aliases\":{";
static const char closing_mark[] = "},\"timestamp\":\"";
static const char version_mark[] = ",\"version\":";

/* --- a document, line by line -------------------------------------------------------------------
 */

enum change { CHANGE_NONE, CHANGE_ADDED, CHANGE_CHANGED, CHANGE_REMOVED };

/* One of the documents that are merged, and the line that is next. */
struct side {
	struct list_lines *lines;
	bool delta;       /* else a list */
	bool aliases;     /* in the section of the aliases, else of the policies */
	bool at_end;      /* of the section: `line` is the one that ends it */
	bool any, more;   /* an item was there; it ended in a comma */
	const char *line; /* lent by lines */
	size_t len;       /* without the comma */
	const char *name; /* in line, between the quotes */
	size_t name_len;
	enum change change; /* of a delta */
	const char *value;  /* in line; of what is removed there is none */
	size_t value_len;
	char last[NAME_MAX_OCTETS]; /* the name before */
	size_t last_len;
	int64_t version; /* what the last line says */
};

static int
refuse(const struct side *s, struct error *err, const char *what)
{
	return list_lines_refuse(s->lines, 0, err, "%s", what);
}

static bool
starts(const char *text, size_t len, const char *prefix)
{
	size_t prefix_len = strlen(prefix);

	return len >= prefix_len && memcmp(text, prefix, prefix_len) == 0;
}

static bool
ends(const char *text, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && memcmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t len = a_len < b_len ? a_len : b_len;
	int order = len > 0 ? memcmp(a, b, len) : 0;

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
next_line(struct side *s, struct error *err)
{
	char *line;

	if (list_lines_next(s->lines, &line, &s->len, err) < 0)
		return -1;
	s->line = line;
	return 0;
}

/* Cuts the value of a delta's line down to that of the new list's. */
static bool
parse_change(struct side *s)
{
	static const struct {
		const char *prefix;
		enum change change;
	} rows[] = {{"{\"added\":", CHANGE_ADDED}, {"{\"changed\":", CHANGE_CHANGED}};

	if (s->value_len == strlen("\"removed\"") &&
		starts(s->value, s->value_len, "\"removed\"")) {
		s->change = CHANGE_REMOVED;
		s->value_len = 0;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].prefix);

		if (!starts(s->value, s->value_len, rows[i].prefix))
			continue;
		s->change = rows[i].change;
		s->value += len;
		s->value_len -= len;
		if (!ends(s->value, s->value_len, "}}"))
			return false;
		s->value_len--;
		return s->value[0] == '{';
	}
	return false;
}

static bool
name_valid(const struct side *s)
{
	if (!s->aliases)
		return list_domain_valid(s->name, s->name_len);
	return s->name_len < LIST_ALIAS_ID_SIZE && starts(s->name, s->name_len, "p-");
}

/* The next item of the section, or its end. */
static int
next_item(struct side *s, struct error *err)
{
	const char *quote;

	if (next_line(s, err) < 0)
		return -1;
	if (s->len > 0 && s->line[0] == '}') {
		if (s->any && s->more)
			return refuse(s, err, "a comma behind the last line");
		s->at_end = true;
		return 0;
	}
	if (s->any && !s->more)
		return refuse(s, err, "no comma at the end of the line before");
	s->more = ends(s->line, s->len, ",");
	if (s->more)
		s->len--;
	quote = s->len > 0 && s->line[0] == '"' ? memchr(s->line + 1, '"', s->len - 1) : NULL;
	if (quote == NULL || quote - s->line - 1 > NAME_MAX_OCTETS ||
		(size_t)(quote - s->line) + 1 == s->len || quote[1] != ':')
		return refuse(s, err, "not the layout of an entry");
	s->name = s->line + 1;
	s->name_len = (size_t)(quote - s->name);
	s->value = quote + 2;
	s->value_len = s->len - s->name_len - 3;
	if (s->any && compare_names(s->last, s->last_len, s->name, s->name_len) >= 0)
		return refuse(s, err, "names are not sorted and unique");
	memcpy(s->last, s->name, s->name_len);
	s->last_len = s->name_len;
	s->any = true;
	if (!s->delta)
		return 0;
	/* A list was verified; a delta is anybody's. */
	if (!name_valid(s))
		return refuse(s, err, "not a name for the list");
	if (!parse_change(s))
		return refuse(s, err, "neither added, changed nor removed");
	return 0;
}

static int
begin_section(struct side *s, bool aliases, struct error *err)
{
	s->aliases = aliases;
	s->at_end = false;
	s->any = false;
	s->more = false;
	return next_item(s, err);
}

/* "...,"version":42}": 42; 0 for anything else. */
static int64_t
closing_version(const char *line, size_t len)
{
	const char *at = memmem(line, len, version_mark, sizeof(version_mark) - 1);
	uint64_t version;

	if (at == NULL || line[len - 1] != '}')
		return 0;
	at += sizeof(version_mark) - 1;
	if (str_parse_u64(at, (size_t)(line + len - 1 - at), INT64_MAX, &version) < 0)
		return 0;
	return (int64_t)version;
}

/* Behind the last section. */
static int
parse_closing(struct side *s, struct error *err)
{
	s->version = closing_version(s->line, s->len);
	if (!starts(s->line, s->len, closing_mark) || s->version == 0)
		return refuse(s, err, "not the layout of the last line");
	return 0;
}

/* Reading on takes the last line away. */
static int
check_ended(struct side *s, struct error *err)
{
	int rc = list_lines_ended(s->lines, err);

	if (rc == 0)
		return refuse(s, err, "something follows the last line");
	return rc < 0 ? -1 : 0;
}

/* The first line of a list or a delta: what stands before the format, and the version that a delta
 * is for. */
static int
read_opening(struct side *s, size_t *head_len, int64_t *from, struct error *err)
{
	const char *mark;
	uint64_t version;

	if (next_line(s, err) < 0)
		return -1;
	if (!s->delta) {
		if (!ends(s->line, s->len, list_mark))
			return refuse(s, err, "not the first line of a list");
		*head_len = s->len - (sizeof(list_mark) - 1);
		return 0;
	}
	/* The author cannot hold it: there a quotation mark has a backslash before it. */
	mark = memmem(s->line, s->len, delta_mark, sizeof(delta_mark) - 1);
	if (mark == NULL || !ends(s->line, s->len, policies_mark) ||
		s->len < (size_t)(mark - s->line) + sizeof(delta_mark) + sizeof(policies_mark) - 2)
		return refuse(s, err, "not the first line of a delta");
	*head_len = (size_t)(mark - s->line);
	mark += sizeof(delta_mark) - 1;
	if (str_parse_u64(mark, (size_t)(s->line + s->len - (sizeof(policies_mark) - 1) - mark),
		    INT64_MAX, &version) < 0 ||
		*mark == '0')
		return refuse(s, err, "\"from\" is not a version");
	*from = (int64_t)version;
	return 0;
}

/* --- a document that is written ------------------------------------------------------------------
 */

struct out {
	delta_sink *sink;
	void *arg;
	char *data;
	size_t used;
	bool any; /* items of this section */
	bool failed;
	struct error *err; /* the first failure */
};

static void
out_init(struct out *o, delta_sink *sink, void *arg, struct error *err)
{
	*o = (struct out){.sink = sink, .arg = arg, .data = xcalloc(1, OUT_SIZE), .err = err};
}

static void
flush(struct out *o)
{
	if (!o->failed && o->used > 0 && o->sink(o->arg, o->data, o->used, o->err) < 0)
		o->failed = true;
	o->used = 0;
}

static void
put(struct out *o, const char *data, size_t len)
{
	if (len > OUT_SIZE - o->used)
		flush(o);
	memcpy(o->data + o->used, data, len);
	o->used += len;
}

static void
put_str(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

/* Begins an item: what comes before its first octet. */
static void
put_item(struct out *o)
{
	if (o->any)
		put(o, ",\n", 2);
	o->any = true;
}

static void
end_section(struct out *o)
{
	if (o->any)
		put(o, "\n", 1);
	o->any = false;
}

static void
put_line(struct out *o, const char *line, size_t len)
{
	put(o, line, len);
	put(o, "\n", 1);
}

/* An item of a list. */
static void
put_entry(struct out *o, const struct side *s)
{
	put_item(o);
	put(o, s->name - 1, s->name_len + 3); /* quotes and colon */
	put(o, s->value, s->value_len);
}

/* An item of a delta. */
static void
put_change(struct out *o, const struct side *s, enum change change)
{
	put_item(o);
	put(o, s->name - 1, s->name_len + 3);
	if (change == CHANGE_REMOVED) {
		put_str(o, "\"removed\"");
		return;
	}
	put_str(o, change == CHANGE_ADDED ? "{\"added\":" : "{\"changed\":");
	put(o, s->value, s->value_len);
	put(o, "}", 1);
}

static void
put_delta_opening(struct out *o, const struct side *to, size_t head_len, int64_t from)
{
	char version[24];

	put(o, to->line, head_len);
	put_str(o, delta_mark);
	put(o, version, (size_t)snprintf(version, sizeof(version), "%" PRId64, from));
	put_line(o, policies_mark, sizeof(policies_mark) - 1);
}

/* --- merging ------------------------------------------------------------------------------------
 */

/* What is written for one name: of a only, of b only, of both. -1 with err set ends it. */
struct merger {
	struct side a, b; /* the new list is that of b, which gives header and closing line */
	struct out out;
	int (*only_a)(struct merger *m, struct error *err);
	int (*only_b)(struct merger *m, struct error *err);
	int (*both)(struct merger *m, struct error *err);
};

static int
merge_section(struct merger *m, bool aliases, struct error *err)
{
	struct side *a = &m->a, *b = &m->b;
	int rc = 0;

	if (begin_section(a, aliases, err) < 0 || begin_section(b, aliases, err) < 0)
		return -1;
	while (rc == 0 && !m->out.failed && (!a->at_end || !b->at_end)) {
		int order = a->at_end ? 1
			: b->at_end   ? -1
				      : compare_names(a->name, a->name_len, b->name, b->name_len);

		rc = order < 0      ? m->only_a(m, err)
			: order > 0 ? m->only_b(m, err)
				    : m->both(m, err);
		if (rc == 0 && order <= 0)
			rc = next_item(a, err);
		if (rc == 0 && order >= 0)
			rc = next_item(b, err);
	}
	end_section(&m->out);
	return m->out.failed ? -1 : rc;
}

static int
check_aliases_mark(const struct side *s, struct error *err)
{
	if (s->len != sizeof(aliases_mark) - 1 || !starts(s->line, s->len, aliases_mark))
		return refuse(s, err, "not the line before the aliases");
	return 0;
}

/* Everything behind the first lines. */
static int
merge(struct merger *m, struct error *err)
{
	struct side *a = &m->a, *b = &m->b;

	if (merge_section(m, false, err) < 0 || check_aliases_mark(a, err) < 0 ||
		check_aliases_mark(b, err) < 0)
		return -1;
	put_line(&m->out, aliases_mark, sizeof(aliases_mark) - 1);
	if (merge_section(m, true, err) < 0 || parse_closing(a, err) < 0 ||
		parse_closing(b, err) < 0)
		return -1;
	put_line(&m->out, b->line, b->len);
	if (check_ended(a, err) < 0 || check_ended(b, err) < 0)
		return -1;
	flush(&m->out);
	return m->out.failed ? -1 : 0;
}

static void
merger_clear(struct merger *m)
{
	list_lines_close(m->a.lines);
	list_lines_close(m->b.lines);
	free(m->out.data);
}

/* A delta on its way into its file: held until it is known how large it is. */
struct packer {
	const char *path;
	struct buf held;
	struct compress *file; /* NULL while it is held */
};

static void
packer_init(struct packer *p, const char *path)
{
	p->path = path;
	buf_init(&p->held, THOROUGH_MAX);
	p->file = NULL;
}

static void
packer_clear(struct packer *p)
{
	buf_clear(&p->held);
	compress_free(p->file);
}

/* Sends on what is held. */
static int
packer_start(struct packer *p, int64_t length, enum compress_effort effort, struct error *err)
{
	if (compress_open(p->path, length, effort, &p->file, err) < 0)
		return -1;
	compress_add(p->file, buf_str(&p->held), p->held.len);
	buf_clear(&p->held);
	return 0;
}

static int
packer_add(void *arg, const void *data, size_t len, struct error *err)
{
	struct packer *p = arg;

	if (p->file == NULL) {
		if (buf_add(&p->held, data, len) == 0)
			return 0;
		if (packer_start(p, -1, COMPRESS_PLAIN, err) < 0)
			return -1;
	}
	compress_add(p->file, data, len);
	return 0;
}

static int
packer_commit(struct packer *p, struct error *err)
{
	if (p->file == NULL && packer_start(p, (int64_t)p->held.len, COMPRESS_THOROUGH, err) < 0)
		return -1;
	return compress_commit(p->file, err);
}

/* --- making -------------------------------------------------------------------------------------
 */

static int
make_removed(struct merger *m, struct error *err UNUSED)
{
	put_change(&m->out, &m->a, CHANGE_REMOVED);
	return 0;
}

static int
make_added(struct merger *m, struct error *err UNUSED)
{
	put_change(&m->out, &m->b, CHANGE_ADDED);
	return 0;
}

static int
make_both(struct merger *m, struct error *err UNUSED)
{
	if (m->a.value_len != m->b.value_len || memcmp(m->a.value, m->b.value, m->a.value_len) != 0)
		put_change(&m->out, &m->b, CHANGE_CHANGED);
	return 0;
}

/* What the list's last line says of it, from its end. */
static int
version_of_list(const char *path, int64_t *out, struct error *err)
{
	struct list_reader *r;

	if (list_reader_open(path, &r, err) < 0)
		return -1;
	*out = list_reader_header(r)->version;
	list_reader_close(r);
	return 0;
}

int
delta_make(const char *from, const char *to, const char *path, struct error *err)
{
	struct merger m = {.only_a = make_removed, .only_b = make_added, .both = make_both};
	struct packer packer;
	size_t ignored, head_len;
	int64_t version;
	int rc = -1;

	packer_init(&packer, path);
	out_init(&m.out, packer_add, &packer, err);
	if (version_of_list(from, &version, err) < 0 ||
		list_lines_open(from, &m.a.lines, err) < 0 ||
		list_lines_open(to, &m.b.lines, err) < 0 ||
		read_opening(&m.a, &ignored, NULL, err) < 0 ||
		read_opening(&m.b, &head_len, NULL, err) < 0)
		goto out;
	put_delta_opening(&m.out, &m.b, head_len, version);
	if (merge(&m, err) == 0)
		rc = packer_commit(&packer, err);
out:
	merger_clear(&m);
	packer_clear(&packer);
	return rc;
}

/* --- putting together ---------------------------------------------------------------------------
 */

static int
join_first(struct merger *m, struct error *err UNUSED)
{
	put_change(&m->out, &m->a, m->a.change);
	return 0;
}

static int
join_second(struct merger *m, struct error *err UNUSED)
{
	put_change(&m->out, &m->b, m->b.change);
	return 0;
}

static int
join_both(struct merger *m, struct error *err)
{
	/* CHANGE_NONE: cannot follow. */
	static const enum change sums[4][4] = {
		[CHANGE_ADDED] = {[CHANGE_CHANGED] = CHANGE_ADDED},
		[CHANGE_CHANGED] =
			{[CHANGE_CHANGED] = CHANGE_CHANGED, [CHANGE_REMOVED] = CHANGE_REMOVED},
		[CHANGE_REMOVED] = {[CHANGE_ADDED] = CHANGE_CHANGED},
	};
	enum change sum = sums[m->a.change][m->b.change];

	if (m->a.change == CHANGE_ADDED && m->b.change == CHANGE_REMOVED)
		return 0;
	if (sum == CHANGE_NONE)
		return refuse(&m->b, err, "does not follow from the delta before");
	put_change(&m->out, &m->b, sum);
	return 0;
}

int
delta_join(const char *first, const char *second, const char *path, struct error *err)
{
	struct merger m = {.a.delta = true,
		.b.delta = true,
		.only_a = join_first,
		.only_b = join_second,
		.both = join_both};
	struct packer packer;
	size_t ignored, head_len;
	int64_t from, between;
	int rc = -1;

	packer_init(&packer, path);
	out_init(&m.out, packer_add, &packer, err);
	/* There are many of them, and fewer clients for each. */
	if (packer_start(&packer, -1, COMPRESS_PLAIN, err) < 0 ||
		list_lines_open_zstd(first, first, INT64_MAX, &m.a.lines, err) < 0 ||
		list_lines_open_zstd(second, second, INT64_MAX, &m.b.lines, err) < 0 ||
		read_opening(&m.a, &ignored, &from, err) < 0 ||
		read_opening(&m.b, &head_len, &between, err) < 0)
		goto out;
	put_delta_opening(&m.out, &m.b, head_len, from);
	if (merge(&m, err) < 0)
		goto out;
	if (m.a.version != between) {
		error_set(err, ERROR_INPUT, "%s: does not follow %s", second, first);
		goto out;
	}
	rc = packer_commit(&packer, err);
out:
	merger_clear(&m);
	packer_clear(&packer);
	return rc;
}

/* --- applying -----------------------------------------------------------------------------------
 */

static int
apply_untouched(struct merger *m, struct error *err UNUSED)
{
	put_entry(&m->out, &m->a);
	return 0;
}

static int
apply_added(struct merger *m, struct error *err)
{
	if (m->b.change != CHANGE_ADDED)
		return refuse(&m->b, err,
			m->b.change == CHANGE_REMOVED ? "removes what is not there"
						      : "changes what is not there");
	put_entry(&m->out, &m->b);
	return 0;
}

static int
apply_both(struct merger *m, struct error *err)
{
	if (m->b.change == CHANGE_ADDED)
		return refuse(&m->b, err, "adds what is there");
	if (m->b.change == CHANGE_CHANGED)
		put_entry(&m->out, &m->b);
	return 0;
}

/* What two lists of these lengths may differ by at most: every line of both, with the words for it.
 */
static int64_t
delta_max(int64_t from_length, int64_t to_length)
{
	if (from_length > INT64_MAX / 4 || to_length > INT64_MAX / 4)
		return INT64_MAX;
	return from_length + to_length + to_length / 2 + HEADER_MAX;
}

int
delta_apply(const char *from, const char *path, const char *name, int64_t length, delta_sink *sink,
	void *arg, struct error *err)
{
	struct merger m = {.b.delta = true,
		.only_a = apply_untouched,
		.only_b = apply_added,
		.both = apply_both};
	size_t ignored, head_len;
	int64_t version, wanted;
	int rc = -1;

	out_init(&m.out, sink, arg, err);
	if (version_of_list(from, &version, err) < 0 ||
		list_lines_open(from, &m.a.lines, err) < 0 ||
		list_lines_open_zstd(path, name, delta_max(list_lines_size(m.a.lines), length),
			&m.b.lines, err) < 0 ||
		read_opening(&m.a, &ignored, NULL, err) < 0 ||
		read_opening(&m.b, &head_len, &wanted, err) < 0)
		goto out;
	if (wanted != version) {
		list_lines_refuse(m.b.lines, 0, err,
			"it is for list %" PRId64 ", and this is list %" PRId64, wanted, version);
		goto out;
	}
	put(&m.out, m.b.line, head_len);
	put_line(&m.out, list_mark, sizeof(list_mark) - 1);
	rc = merge(&m, err);
out:
	merger_clear(&m);
	return rc;
}

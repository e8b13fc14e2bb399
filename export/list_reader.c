#include "export/list_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_aliases.h"
#include "export/list_lines.h"

/* Octets from the line before the aliases to the end: the texts, and per line quotes, name, colon,
 * comma and newline; then the closing line. */
#define TAIL_MAX (LIST_ALIASES_TEXT_MAX + LIST_ALIASES_MAX * (LIST_ALIAS_ID_SIZE + 8) + 1024)

static const char separator[] = "},\"policy-aliases\":{";

struct list_reader {
	struct list_lines *lines;
	off_t aliases_at; /* where the separator line begins */
	bool more;        /* the last entry's line ended in a comma, or there was none yet */
	struct list_header header;
	char author[LIST_AUTHOR_MAX + 1];
	struct list_aliases *aliases;
	struct arena *patterns; /* the aliases' arrays */
	char last_domain[254];
	int64_t count;
	struct list_entry entry;
	const char *mxs[LIST_MXS_MAX];
};

static int refuse(const struct list_reader *r, struct error *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Names the line that was read last. */
static int
refuse(const struct list_reader *r, struct error *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return list_lines_refuse(r->lines, 0, err, "%s", what);
}

/* --- pieces of a line ---------------------------------------------------------------------------
 */

/* What is left of the line under the parser's hands. */
struct cursor {
	char *p, *end;
};

static bool
take(struct cursor *c, const char *literal, size_t len)
{
	if ((size_t)(c->end - c->p) < len || memcmp(c->p, literal, len) != 0)
		return false;
	c->p += len;
	return true;
}

#define TAKE(c, literal) take(c, literal, sizeof(literal) - 1)

/* A decimal number as it would be written: no sign, no needless zero, not 0. */
static bool
take_int(struct cursor *c, int64_t max, int64_t *out)
{
	int64_t value = 0;
	char *start = c->p;

	while (c->p < c->end && c->p - start < 17 && str_is_digit(*c->p))
		value = value * 10 + (*c->p++ - '0');
	*out = value;
	return c->p > start && *start != '0' && value <= max;
}

static bool
take_time(struct cursor *c, int64_t *out_s)
{
	if (c->end - c->p < CLOCK_TEXT_SIZE - 1 ||
		clock_parse(c->p, CLOCK_TEXT_SIZE - 1, out_s) < 0)
		return false;
	c->p += CLOCK_TEXT_SIZE - 1;
	return true;
}

/* Up to a quotation mark, which becomes the NUL behind the string. No string that is read this way
 * may hold an escape, and the checks of names see to it. */
static bool
take_string(struct cursor *c, const char **out, size_t *len)
{
	char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));

	if (quote == NULL)
		return false;
	*out = c->p;
	*len = (size_t)(quote - c->p);
	*quote = '\0';
	c->p = quote + 1;
	return true;
}

/* The patterns behind "mxs":[ up to the closing bracket. Returns what is wrong, or NULL. */
static const char *
take_mxs(struct cursor *c, const char **mxs, size_t *count)
{
	size_t n = 0, len;

	for (;;) {
		if (n == LIST_MXS_MAX)
			return "too many mx patterns";
		if (!TAKE(c, "\"") || !take_string(c, &mxs[n], &len))
			return "\"mxs\" is not a list of strings";
		if (!list_pattern_valid(mxs[n], len))
			return "an mx pattern is not valid";
		if (n > 0 && strcmp(mxs[n - 1], mxs[n]) >= 0)
			return "mx patterns are not sorted and unique";
		n++;
		if (TAKE(c, "]"))
			break;
		if (!TAKE(c, ","))
			return "\"mxs\" is not a list of strings";
	}
	*count = n;
	return NULL;
}

/* A policy in full. confirmed_s NULL: none may be there; else 0 when there is none. Returns what is
 * wrong, or NULL. The strings of the line are cut apart. */
static const char *
take_policy(struct cursor *c, struct list_policy *p, const char **mxs, int64_t *confirmed_s)
{
	const char *fault;

	p->auth_dane = false;
	if (!TAKE(c, "{\"auth\":["))
		return "not the layout of a policy";
	p->auth_dane = TAKE(c, "\"dane\"");
	if (p->auth_dane)
		p->auth_pkix = TAKE(c, ",\"pkix\"");
	else
		p->auth_pkix = TAKE(c, "\"pkix\"");
	if ((!p->auth_dane && !p->auth_pkix) || !TAKE(c, "]"))
		return "\"auth\" is not dane, pkix or both";
	if (confirmed_s != NULL) {
		*confirmed_s = 0;
		if (TAKE(c, ",\"confirmed\":\"") &&
			(!take_time(c, confirmed_s) || *confirmed_s == 0 || !TAKE(c, "\"")))
			return "\"confirmed\" is not a time";
	}
	if (!TAKE(c, ",\"max_age\":") || !take_int(c, LIST_MAX_AGE_MAX, &p->max_age_s))
		return "\"max_age\" is missing or out of range";
	if (TAKE(c, ",\"mode\":\"enforce\""))
		p->mode = LIST_MODE_ENFORCE;
	else if (TAKE(c, ",\"mode\":\"testing\""))
		p->mode = LIST_MODE_TESTING;
	else
		return "\"mode\" is neither enforce nor testing";
	if (!TAKE(c, ",\"mxs\":["))
		return "\"mxs\" is missing";
	fault = take_mxs(c, mxs, &p->mxs_count);
	if (fault != NULL)
		return fault;
	p->mxs = mxs;
	if (TAKE(c, ",\"source\":\"mta-sts\""))
		p->source = LIST_SOURCE_MTA_STS;
	else if (TAKE(c, ",\"source\":\"dane\""))
		p->source = LIST_SOURCE_DANE;
	else if (TAKE(c, ",\"source\":\"starttls\""))
		p->source = LIST_SOURCE_STARTTLS;
	else
		return "\"source\" is none that is known";
	if (TAKE(c, ",\"tls\":\"1.2\"}"))
		p->tls = "1.2";
	else if (TAKE(c, ",\"tls\":\"1.3\"}"))
		p->tls = "1.3";
	else
		return "\"tls\" is neither 1.2 nor 1.3, or something follows it";
	return NULL;
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* Finds where the line before the aliases begins, from the end of the file. */
static int
find_aliases(struct list_reader *r, struct error *err)
{
	/* With the newlines around it. No string of a list holds a newline, so the last such place
	 * is the only one that can be right. */
	char mark[sizeof(separator) + 2];
	int rc;

	(void)snprintf(mark, sizeof(mark), "\n%s\n", separator);
	rc = list_lines_find_last(r->lines, mark, (off_t)TAIL_MAX, &r->aliases_at, err);
	if (rc == 0)
		return error_set(err, ERROR_INPUT, "%s: not a list: it has no aliases section",
			list_lines_name(r->lines));
	r->aliases_at++;
	return rc;
}

static int
load_alias(struct list_reader *r, char *line, size_t len, bool *more, struct error *err)
{
	struct cursor c = {line, line + len};
	const char *id, *fault, *mxs[LIST_MXS_MAX];
	struct list_alias *a;
	size_t id_len, count = list_aliases_count(r->aliases);

	*more = len > 0 && c.end[-1] == ',';
	if (*more)
		c.end--;
	if (!TAKE(&c, "\"") || !take_string(&c, &id, &id_len) || !TAKE(&c, ":"))
		return refuse(r, err, "not the layout of an alias");
	if (id_len >= sizeof(a->id))
		return refuse(r, err, "an alias's name is too long");
	/* What stands behind a NUL would be read, and never looked at. */
	if (memchr(id, '\0', id_len) != NULL)
		return refuse(r, err, "a NUL in an alias's name");
	a = list_aliases_add(r->aliases, c.p, (size_t)(c.end - c.p));
	if (a == NULL)
		return refuse(r, err, "more aliases than %d, or %zu octets of them",
			LIST_ALIASES_MAX, LIST_ALIASES_TEXT_MAX);
	/* Cut the table's own copy: its strings stay. */
	c.p = a->text;
	c.end = a->text + a->len;
	fault = take_policy(&c, &a->policy, mxs, NULL);
	if (fault != NULL)
		return refuse(r, err, "%s", fault);
	if (c.p != c.end)
		return refuse(r, err, "something follows the policy");
	a->policy.mxs = arena_memdup(r->patterns, mxs, a->policy.mxs_count * sizeof(mxs[0]));
	/* The name as the document has it; sealing replaces it by the right one. */
	memcpy(a->id, id, id_len + 1);
	if (count > 0 && strcmp(list_aliases_nth(r->aliases, count - 1)->id, a->id) >= 0)
		return refuse(r, err, "aliases are not sorted and unique");
	return 0;
}

static int
parse_closing(struct list_reader *r, char *line, size_t len, struct error *err)
{
	struct cursor c = {line, line + len};
	struct list_header *h = &r->header;

	if (!TAKE(&c, "},\"timestamp\":\"") || !take_time(&c, &h->timestamp_s) ||
		!TAKE(&c, "\",\"vantages\":") || !take_int(&c, LIST_VANTAGES_MAX, &h->vantages) ||
		!TAKE(&c, ",\"version\":") ||
		!take_int(&c, INT64_C(9007199254740991), &h->version) || !TAKE(&c, "}") ||
		c.p != c.end)
		return refuse(r, err, "not the layout of a list's last line");
	if (list_lines_offset(r->lines) != list_lines_size(r->lines))
		return refuse(r, err, "something follows the list");
	return 0;
}

/* Compares the names that the document gives with those that follow from the contents. */
static int
check_alias_names(struct list_reader *r, struct error *err)
{
	size_t count = list_aliases_count(r->aliases);
	char(*given)[LIST_ALIAS_ID_SIZE] = xcalloc(count, sizeof(*given));
	int rc;

	for (size_t i = 0; i < count; i++)
		memcpy(given[i], list_aliases_nth(r->aliases, i)->id, sizeof(given[i]));
	rc = list_aliases_seal(r->aliases, err);
	if (rc < 0)
		error_prefix(err, "%s", list_lines_name(r->lines));
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (strcmp(given[i], list_aliases_nth(r->aliases, i)->id) != 0)
			rc = error_set(err, ERROR_INPUT,
				"%s: alias \"%s\" is not named by its content",
				list_lines_name(r->lines), given[i]);
	free(given);
	return rc;
}

static int
load_tail(struct list_reader *r, struct error *err)
{
	bool more = false;
	char *line;
	size_t len;

	if (list_lines_next(r->lines, &line, &len, err) < 0) /* the separator */
		return -1;
	for (;;) {
		if (list_lines_next(r->lines, &line, &len, err) < 0)
			return -1;
		if (len > 0 && line[0] == '}')
			break;
		if (list_aliases_count(r->aliases) > 0 && !more)
			return refuse(r, err, "no comma at the end of the line before");
		if (load_alias(r, line, len, &more, err) < 0)
			return -1;
	}
	if (more)
		return refuse(r, err, "a comma behind the last alias");
	if (parse_closing(r, line, len, err) < 0)
		return -1;
	return check_alias_names(r, err);
}

static int
parse_opening(struct list_reader *r, char *line, size_t len, struct error *err)
{
	struct cursor c = {line, line + len};
	struct list_header *h = &r->header;
	const char *fault;
	size_t n = 0;

	if (!TAKE(&c, "{\"author\":\""))
		return refuse(r, err, "not the first line of a list");
	while (c.p < c.end && *c.p != '"') {
		if (*c.p == '\\') {
			c.p++;
			if (c.p == c.end || (*c.p != '"' && *c.p != '\\'))
				return refuse(r, err, "a needless escape in \"author\"");
		}
		if (n == LIST_AUTHOR_MAX)
			return refuse(r, err, "author too long");
		if (*c.p == '\0')
			return refuse(r, err, "author holds a control character");
		r->author[n++] = *c.p++;
	}
	r->author[n] = '\0';
	h->author = r->author;
	if (!TAKE(&c, "\",\"confirmed_since\":\"") || !take_time(&c, &h->confirmed_since_s) ||
		!TAKE(&c, "\",\"expires\":\"") || !take_time(&c, &h->expires_s))
		return refuse(r, err, "not the layout of a list's first line");
	if (!TAKE(&c, "\",\"format\":\"" LIST_FORMAT "\",\"policies\":{") || c.p != c.end)
		return refuse(r, err, "the format is not " LIST_FORMAT);
	fault = list_header_fault(h);
	if (fault != NULL)
		return refuse(r, err, "%s", fault);
	return 0;
}

static int
open_document(struct list_reader *r, struct error *err)
{
	struct error counted;
	char *line;
	size_t len;

	if (find_aliases(r, err) < 0)
		return -1;
	list_lines_seek(r->lines, r->aliases_at, 1);
	if (load_tail(r, err) < 0) {
		/* Once more with the right numbers. */
		if (err->kind == ERROR_INPUT) {
			/* Done only for the message, since it reads everything before. */
			int64_t before = list_lines_before(r->lines, r->aliases_at);

			list_aliases_free(r->aliases);
			r->aliases = list_aliases_new();
			list_lines_seek(r->lines, r->aliases_at, before + 1);
			if (load_tail(r, &counted) < 0)
				*err = counted;
		}
		return -1;
	}
	list_lines_seek(r->lines, 0, 1);
	if (list_lines_next(r->lines, &line, &len, err) < 0)
		return -1;
	return parse_opening(r, line, len, err);
}

/* Takes the lines over, also when it fails. */
static int
open_reader(struct list_lines *lines, struct list_reader **out, struct error *err)
{
	struct list_reader *r = xcalloc(1, sizeof(*r));

	r->lines = lines;
	r->aliases = list_aliases_new();
	r->patterns = arena_new();
	r->more = true;
	if (open_document(r, err) < 0) {
		list_reader_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

int
list_reader_open_fd(int fd, const char *name, struct list_reader **out, struct error *err)
{
	struct list_lines *lines;

	*out = NULL;
	return list_lines_open_fd(fd, name, &lines, err) < 0 ? -1 : open_reader(lines, out, err);
}

int
list_reader_open(const char *path, struct list_reader **out, struct error *err)
{
	struct list_lines *lines;

	*out = NULL;
	return list_lines_open(path, &lines, err) < 0 ? -1 : open_reader(lines, out, err);
}

void
list_reader_close(struct list_reader *r)
{
	if (r == NULL)
		return;
	list_lines_close(r->lines);
	list_aliases_free(r->aliases);
	arena_free(r->patterns);
	free(r);
}

const struct list_header *
list_reader_header(const struct list_reader *r)
{
	return &r->header;
}

int64_t
list_reader_count(const struct list_reader *r)
{
	return r->count;
}

/* --- entries ------------------------------------------------------------------------------------
 */

static int
finish(struct list_reader *r, off_t line_at, struct error *err)
{
	if (line_at != r->aliases_at)
		return refuse(r, err, "a second aliases section");
	if (r->count > 0 && r->more)
		return refuse(r, err, "a comma behind the last entry");
	for (size_t i = 0; i < list_aliases_count(r->aliases); i++) {
		const struct list_alias *a = list_aliases_nth(r->aliases, i);

		if (a->uses < 2)
			return list_lines_refuse(r->lines, (int64_t)i + 1, err,
				"alias \"%s\" is used by fewer than two entries", a->id);
	}
	return 0;
}

static bool
same_policy(const struct list_alias *alias, const void *policy)
{
	return list_policy_equal(&alias->policy, policy);
}

static int
parse_entry(struct list_reader *r, char *line, size_t len, struct error *err)
{
	struct cursor c = {line, line + len};
	struct list_entry *e = &r->entry;
	const char *id, *fault;
	struct list_alias *alias;
	size_t domain_len, id_len, text_len;
	uint64_t hash = 0;

	r->more = len > 0 && c.end[-1] == ',';
	if (r->more)
		c.end--;
	if (!TAKE(&c, "\"") || !take_string(&c, &e->domain, &domain_len) || !TAKE(&c, ":"))
		return refuse(r, err, "not the layout of an entry");
	if (!list_domain_valid(e->domain, domain_len))
		return refuse(r, err, "not a domain name for the list");
	if (r->count > 0 && strcmp(r->last_domain, e->domain) >= 0)
		return refuse(r, err, "domains are not sorted and unique");
	memcpy(r->last_domain, e->domain, domain_len + 1);
	if (TAKE(&c, "{\"policy-alias\":\"")) {
		if (!take_string(&c, &id, &id_len) || !TAKE(&c, "}") || c.p != c.end)
			return refuse(r, err, "not the layout of an entry with an alias");
		alias = list_aliases_find_id(r->aliases, id, id_len);
		if (alias == NULL)
			return refuse(r, err, "the alias is not defined");
		alias->uses++;
		e->policy = alias->policy;
		e->confirmed_s = 0;
		return 0;
	}
	text_len = (size_t)(c.end - c.p);
	if (list_aliases_count(r->aliases) > 0)
		hash = list_text_hash(c.p, text_len);
	fault = take_policy(&c, &e->policy, r->mxs, &e->confirmed_s);
	if (fault != NULL)
		return refuse(r, err, "%s", fault);
	if (c.p != c.end)
		return refuse(r, err, "something follows the policy");
	if (e->confirmed_s != 0 && e->confirmed_s >= r->header.confirmed_since_s)
		return refuse(r, err, "\"confirmed\" is not before the list's confirmed_since");
	if (e->confirmed_s == 0 && list_aliases_count(r->aliases) > 0 &&
		list_aliases_find_hash(r->aliases, hash, text_len, same_policy, &e->policy) != NULL)
		return refuse(r, err, "a policy in full for which there is an alias");
	return 0;
}

int
list_reader_next(struct list_reader *r, const struct list_entry **out, struct error *err)
{
	off_t line_at = list_lines_offset(r->lines);
	char *line;
	size_t len;

	if (list_lines_next(r->lines, &line, &len, err) < 0)
		return -1;
	if (len == sizeof(separator) - 1 && memcmp(line, separator, len) == 0)
		return finish(r, line_at, err);
	if (!r->more)
		return refuse(r, err, "no comma at the end of the line before");
	if (parse_entry(r, line, len, err) < 0)
		return -1;
	r->count++;
	*out = &r->entry;
	return 1;
}

int
list_reader_find(
	struct list_reader *r, const char *domain, const struct list_entry **out, struct error *err)
{
	int rc;

	while ((rc = list_reader_next(r, out, err)) > 0)
		if (strcmp((*out)->domain, domain) == 0)
			return 1;
	return rc;
}

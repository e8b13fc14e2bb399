#include "export/list_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_aliases.h"

/* Read in pieces of this size; a line never exceeds a quarter of it. */
#define WINDOW ((size_t)256 * 1024)
/* Octets from the line before the aliases to the end: the texts, and per line quotes, name, colon,
 * comma and newline; then the closing line. */
#define TAIL_MAX (LIST_ALIASES_TEXT_MAX + LIST_ALIASES_MAX * (LIST_ALIAS_ID_SIZE + 8) + 1024)

static const char separator[] = "},\"policy-aliases\":{";

struct list_reader {
	char *name;
	int fd;
	bool fd_owned;
	off_t size;
	char *window;
	size_t pos, end;  /* of what is unread in the window */
	off_t offset;     /* in the file, of window[end] */
	int64_t line;     /* number of the line handed out last */
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

static int
refuse(const struct list_reader *r, struct error *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_INPUT, "%s: line %lld: %s", r->name, (long long)r->line, what);
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* Fills out[len] from the offset: all of it, since the file's size is known. */
static int
read_at(const struct list_reader *r, char *out, size_t len, off_t offset, struct error *err)
{
	while (len > 0) {
		ssize_t n = pread(r->fd, out, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_TEMP, "%s", r->name);
		if (n == 0)
			return error_set(
				err, ERROR_INPUT, "%s: changed while it was read", r->name);
		out += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* The next line is the one that begins at this offset and has this number. */
static void
seek_line(struct list_reader *r, off_t offset, int64_t number)
{
	r->pos = 0;
	r->end = 0;
	r->offset = offset;
	r->line = number - 1;
}

/* Where the next line begins. */
static off_t
line_offset(const struct list_reader *r)
{
	return r->offset - (off_t)(r->end - r->pos);
}

static int
fill(struct list_reader *r, struct error *err)
{
	size_t left = r->end - r->pos, want;

	memmove(r->window, r->window + r->pos, left);
	r->pos = 0;
	r->end = left;
	want = WINDOW - left;
	if ((off_t)want > r->size - r->offset)
		want = (size_t)(r->size - r->offset);
	if (read_at(r, r->window + left, want, r->offset, err) < 0)
		return -1;
	r->end += want;
	r->offset += (off_t)want;
	return 0;
}

/* The next line without its newline, lent until the next call, and writable. */
static int
next_line(struct list_reader *r, char **line, size_t *len, struct error *err)
{
	char *newline = NULL;

	r->line++;
	if (r->end > r->pos)
		newline = memchr(r->window + r->pos, '\n', r->end - r->pos);
	if (newline == NULL) {
		if (r->offset < r->size && fill(r, err) < 0)
			return -1;
		if (r->end == r->pos)
			return refuse(r, err, "the document ends early");
		newline = memchr(r->window + r->pos, '\n', r->end - r->pos);
	}
	*line = r->window + r->pos;
	*len = newline != NULL ? (size_t)(newline - *line) : r->end - r->pos;
	if (*len >= LIST_LINE_MAX)
		return refuse(r, err, "longer than %zu octets", LIST_LINE_MAX);
	if (newline == NULL)
		return refuse(r, err, "no newline at its end");
	r->pos += *len + 1;
	return 0;
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
	size_t mark_len = (size_t)snprintf(mark, sizeof(mark), "\n%s\n", separator);
	off_t low = r->size; /* everything from here on was searched */

	while (low > 0 && r->size - low < (off_t)TAIL_MAX) {
		size_t len = WINDOW - mark_len;
		char *found = NULL;
		off_t high;

		if ((off_t)len > low)
			len = (size_t)low;
		low -= (off_t)len;
		high = low + (off_t)(len + mark_len); /* a mark may begin here and end there */
		if (high > r->size)
			high = r->size;
		len = (size_t)(high - low);
		if (read_at(r, r->window, len, low, err) < 0)
			return -1;
		for (char *p = r->window;
			(p = memmem(p, len - (size_t)(p - r->window), mark, mark_len)) != NULL; p++)
			found = p;
		if (found != NULL) {
			r->aliases_at = low + (off_t)(found - r->window) + 1;
			return 0;
		}
	}
	return error_set(err, ERROR_INPUT, "%s: not a list: it has no aliases section", r->name);
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
	if (line_offset(r) != r->size)
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
		error_prefix(err, "%s", r->name);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (strcmp(given[i], list_aliases_nth(r->aliases, i)->id) != 0)
			rc = error_set(err, ERROR_INPUT,
				"%s: alias \"%s\" is not named by its content", r->name, given[i]);
	free(given);
	return rc;
}

static int
load_tail(struct list_reader *r, struct error *err)
{
	bool more = false;
	char *line;
	size_t len;

	if (next_line(r, &line, &len, err) < 0) /* the separator */
		return -1;
	for (;;) {
		if (next_line(r, &line, &len, err) < 0)
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

/* Turns "line N" of a fault in the tail, counted from the separator, into the document's count.
 * Done only for the message, since it reads everything before. */
static int64_t
lines_before(struct list_reader *r, off_t offset)
{
	int64_t lines = 0;
	struct error ignored;

	for (off_t at = 0; at < offset;) {
		size_t len = offset - at < (off_t)WINDOW ? (size_t)(offset - at) : WINDOW;

		if (read_at(r, r->window, len, at, &ignored) < 0)
			return 0;
		for (size_t i = 0; i < len; i++)
			lines += r->window[i] == '\n';
		at += (off_t)len;
	}
	return lines;
}

static int
open_document(struct list_reader *r, struct error *err)
{
	struct error counted;
	char *line;
	size_t len;

	if (find_aliases(r, err) < 0)
		return -1;
	seek_line(r, r->aliases_at, 1);
	if (load_tail(r, err) < 0) {
		/* Once more with the right numbers. */
		if (err->kind == ERROR_INPUT) {
			int64_t before = lines_before(r, r->aliases_at);

			list_aliases_free(r->aliases);
			r->aliases = list_aliases_new();
			seek_line(r, r->aliases_at, before + 1);
			if (load_tail(r, &counted) < 0)
				*err = counted;
		}
		return -1;
	}
	seek_line(r, 0, 1);
	if (next_line(r, &line, &len, err) < 0)
		return -1;
	return parse_opening(r, line, len, err);
}

static int
open_reader(int fd, bool fd_owned, const char *name, struct list_reader **out, struct error *err)
{
	struct list_reader *r = xcalloc(1, sizeof(*r));
	struct stat st;

	*out = NULL;
	r->name = xstrdup(name);
	r->fd = fd;
	r->fd_owned = fd_owned;
	r->aliases = list_aliases_new();
	r->patterns = arena_new();
	r->window = xcalloc(1, WINDOW);
	r->more = true;
	if (fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", name);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", name);
		goto fail;
	}
	r->size = st.st_size;
	if (open_document(r, err) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	list_reader_close(r);
	return -1;
}

int
list_reader_open_fd(int fd, const char *name, struct list_reader **out, struct error *err)
{
	return open_reader(fd, false, name, out, err);
}

int
list_reader_open(const char *path, struct list_reader **out, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*out = NULL;
	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	return open_reader(fd, true, path, out, err);
}

void
list_reader_close(struct list_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd_owned)
		(void)close(r->fd);
	list_aliases_free(r->aliases);
	arena_free(r->patterns);
	free(r->window);
	free(r->name);
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

		if (a->uses < 2) {
			r->line += (int64_t)i + 1;
			return refuse(
				r, err, "alias \"%s\" is used by fewer than two entries", a->id);
		}
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
	off_t line_at = line_offset(r);
	char *line;
	size_t len;

	if (next_line(r, &line, &len, err) < 0)
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

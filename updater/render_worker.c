#include "updater/render_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/mta.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/worker.h"
#include "updater/workdir.h"

/* A line on its way, before key and value. */
enum record_type { RECORD_LINE = 1, RECORD_PIN };
struct record {
	uint32_t type, key_len, value_len;
};

/* The report. */
struct made {
	struct made_list {
		int64_t version, timestamp_s, expires_s, confirmed_since_s, vantages;
		int32_t rc, kind;
		char text[sizeof(((struct error *)NULL)->text)];
	} lists[SOURCES_MAX];
	int32_t lines; /* were made */
	struct render_counts counts;
};

/* --- inside -------------------------------------------------------------------------------------
 */

static void
put(struct buf *piece, enum record_type type, const char *key, const char *value, size_t len)
{
	const struct record r = {type, (uint32_t)strlen(key), (uint32_t)len};

	worker_begin_record(piece);
	(void)buf_add(piece, &r, sizeof(r));
	(void)buf_add(piece, key, r.key_len);
	(void)buf_add(piece, value, len);
}

static void
put_line(void *arg, const char *key, const char *value, size_t len)
{
	put(arg, RECORD_LINE, key, value, len);
}

static void
put_pin(void *arg, const char *domain, const char *host)
{
	put(arg, RECORD_PIN, domain, host, strlen(host));
}

static void
note_header(const struct list_header *h, struct made_list *out)
{
	out->version = h->version;
	out->timestamp_s = h->timestamp_s;
	out->expires_s = h->expires_s;
	out->confirmed_since_s = h->confirmed_since_s;
	out->vantages = h->vantages;
}

static void
note_verdict(int rc, const struct error *why, struct made_list *out)
{
	out->rc = rc;
	out->kind = why->kind;
	memcpy(out->text, why->text, sizeof(out->text));
}

/* Whether the next list may follow: 0, or what stands in the way. */
static int
ask(const struct render_work *w, size_t i, struct made_list *out)
{
	char *path = source_list_path(".", w->lists[i].next);
	struct list_reader *list = NULL;
	struct error why = {0};
	int rc = list_reader_open(path, &list, &why);

	if (rc == 0)
		rc = w->check(w->check_arg, i, list, &why);
	if (rc == 0)
		note_header(list_reader_header(list), out);
	note_verdict(rc, &why, out);
	list_reader_close(list);
	free(path);
	return rc;
}

/* The same of all of them together; *follow is how many may. */
static int
ask_all(const struct render_work *w, struct made *made, size_t *follow, struct error *err)
{
	struct render_said said[SOURCES_MAX] = {{0}};

	for (size_t i = 0; i < w->list_count; i++) {
		said[i].rc = made->lists[i].rc;
		said[i].header.version = made->lists[i].version;
	}
	if (w->check_all(w->check_arg, said, err) < 0)
		return -1;
	for (size_t i = 0; i < w->list_count; i++) {
		if (said[i].rc == made->lists[i].rc)
			continue;
		memset(&made->lists[i], 0, sizeof(made->lists[i]));
		note_verdict(said[i].rc, &said[i].err, &made->lists[i]);
		(*follow)--;
	}
	return 0;
}

static int
open_list(const struct source_settings *s, const char *sha256, struct overlay_list *out, struct error *err)
{
	char *path = source_list_path(".", sha256);
	int rc = list_reader_open(path, &out->list, err);

	free(path);
	if (s == NULL)
		return rc;
	out->trust = s->trust;
	out->domains = s->domains;
	out->domain_count = s->domain_count;
	return rc;
}

/* The lines of all lists, the next ones where they may follow. */
static int
make_lines(const struct render_work *w, struct made *made, struct error *err)
{
	struct overlay_list lists[SOURCES_MAX] = {0};
	struct render_counts counts = {0};
	size_t source[SOURCES_MAX], count = 0;
	struct buf piece;
	const struct render_sink sink = {put_line, put_pin, &piece};
	int rc = 0;

	buf_init(&piece, WORKER_PIECE_MAX);
	for (size_t i = 0; rc == 0 && i < w->list_count; i++) {
		const struct render_list *l = &w->lists[i];
		const char *sha256 = l->next[0] != '\0' && made->lists[i].rc == 0 ? l->next : l->sha256;

		if (sha256[0] == '\0')
			continue;
		rc = open_list(l->source, sha256, &lists[count], err);
		if (rc == 0)
			note_header(list_reader_header(lists[count].list), &made->lists[i]);
		source[count++] = i;
	}
	if (rc == 0)
		rc = render_to(lists, count, w->options, &sink, &counts, err);
	if (rc == 0) {
		worker_flush(&piece);
		made->lines = 1;
		made->counts = counts;
		memset(made->counts.shares, 0, sizeof(made->counts.shares));
		for (size_t i = 0; i < count; i++)
			made->counts.shares[source[i]] = counts.shares[i];
	}
	for (size_t i = 0; i < count; i++)
		list_reader_close(lists[i].list);
	buf_clear(&piece);
	return rc;
}

static int
make(void *arg, struct buf *report, struct error *err)
{
	const struct render_work *w = arg;
	size_t asked = 0, follow = 0;
	struct made made;
	int rc = 0;

	memset(&made, 0, sizeof(made));
	for (size_t i = 0; i < w->list_count; i++) {
		if (w->lists[i].next[0] == '\0')
			continue;
		asked++;
		follow += ask(w, i, &made.lists[i]) == 0;
	}
	if (follow > 0 && w->check_all != NULL)
		rc = ask_all(w, &made, &follow, err);
	if (rc == 0 && w->begin != NULL && (asked == 0 || follow > 0))
		rc = make_lines(w, &made, err);
	if (rc == 0)
		(void)buf_add(report, &made, sizeof(made));
	return rc;
}

/* --- outside ------------------------------------------------------------------------------------
 */

struct arrival {
	const struct render_work *work;
	struct render_target *target;
	bool begun;
	char domain[254]; /* of the last line; they come in order */
	bool pinned;      /* it is */
	struct buf value; /* the present one, with a NUL behind it */
};

static int
begin(struct arrival *a, struct error *err)
{
	if (a->begun)
		return 0;
	a->begun = true;
	return a->work->begin(a->work->begin_arg, a->target, err);
}

/* A value cannot be more than one line of a map that is a text. */
static bool
is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] >= 0 && text[i] < ' ') || text[i] == 0x7f)
			return false;
	return str_is_utf8(text, len);
}

static bool
take_line(struct arrival *a, const char *domain, const char *value, size_t len)
{
	if (!is_plain(value, len) || strcmp(a->domain, domain) >= 0)
		return false;
	(void)snprintf(a->domain, sizeof(a->domain), "%s", domain);
	a->pinned = false;
	buf_reset(&a->value);
	(void)buf_add(&a->value, value, len);
	render_put_line(a->target, domain, buf_str(&a->value), len);
	return true;
}

static bool
take_pin(struct arrival *a, const char *domain, const char *host, size_t len)
{
	char text[sizeof(a->domain)];

	if (!list_domain_valid(host, len) || a->pinned || strcmp(a->domain, domain) != 0)
		return false;
	a->pinned = true;
	memcpy(text, host, len);
	text[len] = '\0';
	render_put_pin(a->target, domain, text);
	return true;
}

static bool
take_record(struct arrival *a, const struct record *r, const char *key, const char *value)
{
	char domain[sizeof(a->domain)];

	if (!list_domain_valid(key, r->key_len) || r->value_len > MTA_VALUE_MAX)
		return false;
	memcpy(domain, key, r->key_len);
	domain[r->key_len] = '\0';
	if (r->type == RECORD_LINE)
		return take_line(a, domain, value, r->value_len);
	return r->type == RECORD_PIN && take_pin(a, domain, value, r->value_len);
}

static int
on_piece(void *arg, const char *data, size_t len, struct error *err)
{
	if (begin(arg, err) < 0)
		return -1;
	while (len > 0) {
		struct record r;
		size_t whole = sizeof(r);

		if (len >= sizeof(r)) {
			memcpy(&r, data, sizeof(r));
			whole += (size_t)r.key_len + r.value_len;
		}
		if (len < whole || !take_record(arg, &r, data + sizeof(r), data + sizeof(r) + r.key_len))
			return error_set(err, ERROR_SECURITY,
				"reading the list: the sandboxed process has made a line that cannot be");
		data += whole;
		len -= whole;
	}
	return 0;
}

static bool
is_count(int64_t n)
{
	return n >= 0 && n <= TUF_INT_MAX;
}

static bool
can_be_list(const struct made_list *l)
{
	if (l->rc != 0)
		return (l->rc == 1 || l->rc == -1) && l->kind > ERROR_NONE && l->kind <= ERROR_EXPIRED &&
			memchr(l->text, '\0', sizeof(l->text)) != NULL;
	return is_count(l->version) && is_count(l->vantages) && clock_has_text(l->timestamp_s) &&
		clock_has_text(l->expires_s) && clock_has_text(l->confirmed_since_s);
}

static bool
can_be(const struct made *m, int64_t lines)
{
	const struct render_counts *c = &m->counts;

	for (size_t i = 0; i < CHOICES; i++)
		if (!is_count(c->choices[i]) || c->choices[i] > c->entries)
			return false;
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		const struct render_share *s = &c->shares[i];

		if (!can_be_list(&m->lists[i]) || !is_count(s->entries) || !is_count(s->lines) ||
			!is_count(s->behind) || !is_count(s->untrusted))
			return false;
	}
	return is_count(c->entries) && is_count(c->added) && is_count(c->added_listed) &&
		is_count(c->early) && is_count(c->left_added) && clock_has_text(c->next_end_s) &&
		(m->lines == 1 ? render_lines(c) == lines : m->lines == 0 && lines == 0);
}

/* Of every list that lines were made of, or that may follow. */
static bool
has_headers(const struct made *m, const struct render_work *w)
{
	for (size_t i = 0; i < w->list_count; i++) {
		const struct render_list *l = &w->lists[i];
		bool follows = l->next[0] != '\0' && m->lists[i].rc == 0;

		if ((follows || (m->lines == 1 && l->sha256[0] != '\0')) && m->lists[i].version <= 0)
			return false;
	}
	return true;
}

/* What was said of a list; a header that was noted is one of a list. */
static void
take_said(const struct worker *worker, const struct made_list *m, struct render_said *out)
{
	memset(out, 0, sizeof(*out));
	out->rc = m->rc;
	if (m->rc != 0) {
		char *text = worker_named(worker, m->text);

		/* Nothing of it may reach a terminal as it is. */
		out->err.kind = (enum error_kind)m->kind;
		str_escape_controls(text, strlen(text), out->err.text, sizeof(out->err.text));
		free(text);
	}
	out->header = (struct list_header){.confirmed_since_s = m->confirmed_since_s,
		.expires_s = m->expires_s,
		.timestamp_s = m->timestamp_s,
		.vantages = m->vantages,
		.version = m->version};
}

static int
take_report(const struct worker *worker, const struct buf *text, int64_t lines, const struct render_work *w,
	struct render_said *said, struct render_counts *counts, struct error *err)
{
	struct made m;

	if (text->len == sizeof(m))
		memcpy(&m, text->data, sizeof(m));
	if (text->len != sizeof(m) || !can_be(&m, lines) || !has_headers(&m, w))
		return error_set(err, ERROR_SECURITY,
			"reading the list: the sandboxed process has reported what cannot be");
	for (size_t i = 0; i < w->list_count; i++)
		take_said(worker, &m.lists[i], &said[i]);
	*counts = m.counts;
	return m.lines;
}

/* A list that is not there is missed inside. */
static int
link_list(
	struct workdir *dir, const struct render_work *w, const char *sha256, struct error *err)
{
	char *path = source_list_path(w->list_dir, sha256), *name = source_list_name(sha256);
	int rc = sha256[0] != '\0' ? workdir_link(dir, path, name, err) : 0;

	free(name);
	free(path);
	return rc < 0 ? -1 : 0;
}

static bool
was_linked(const struct render_work *w, size_t i, const char *sha256)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(w->lists[k].sha256, sha256) == 0 || strcmp(w->lists[k].next, sha256) == 0)
			return true;
	return false;
}

/* Two sources may have the same list. */
static int
link_lists(struct workdir *dir, const struct render_work *w, struct error *err)
{
	for (size_t i = 0; i < w->list_count; i++) {
		const struct render_list *l = &w->lists[i];

		if (!was_linked(w, i, l->sha256) && link_list(dir, w, l->sha256, err) < 0)
			return -1;
		if (strcmp(l->next, l->sha256) != 0 && !was_linked(w, i, l->next) &&
			link_list(dir, w, l->next, err) < 0)
			return -1;
	}
	return 0;
}

int
render_worker(const struct render_work *w, struct render_target *target, struct render_said *said,
	struct render_counts *counts, struct error *err)
{
	char *path = xasprintf("%s/work", w->list_dir), *lists = xasprintf("%s/", w->list_dir);
	const struct worker_name names[] = {{"./", lists}};
	struct arrival arrival = {.work = w, .target = target};
	struct render_work inside = *w;
	struct worker worker = {.what = "reading the list",
		.confine = {.user = *w->user},
		.time_ms = w->time_ms,
		.names = names,
		.name_count = ARRAY_LEN(names),
		.work = make,
		.arg = &inside,
		.on_piece = w->begin != NULL ? on_piece : NULL,
		.on_piece_arg = &arrival};
	struct workdir *dir = NULL;
	struct buf text;
	int rc = -1;

	buf_init(&text, sizeof(struct made));
	buf_init(&arrival.value, MTA_VALUE_MAX);
	if (workdir_open(path, &dir, err) == 0 && link_lists(dir, w, err) == 0 &&
		workdir_give(dir, w->user, err) == 0) {
		worker.confine.dir = workdir_fd(dir);
		rc = worker_run(&worker, &text, err);
	}
	if (rc >= 0)
		rc = take_report(&worker, &text, w->begin != NULL ? target->lines : 0, w, said, counts, err);
	/* Lists without lines have their map, too. */
	if (rc > 0 && begin(&arrival, err) < 0)
		rc = -1;
	workdir_close(dir);
	buf_clear(&arrival.value);
	buf_clear(&text);
	free(lists);
	free(path);
	return rc;
}

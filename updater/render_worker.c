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
#include "updater/render.h"
#include "updater/source.h"
#include "updater/worker.h"
#include "updater/workdir.h"

/* Lines go over in pieces of about so many octets. */
#define PIECE ((size_t)64 * 1024)

/* A line on its way, before key and value. */
enum record_type { RECORD_LINE = 1, RECORD_PIN };
struct record {
	uint32_t type, key_len, value_len;
};

/* The report. */
struct made {
	int64_t version, timestamp_s, expires_s, confirmed_since_s, vantages;
	struct render_counts counts;
};

/* --- inside -------------------------------------------------------------------------------------
 */

static void
flush(struct buf *piece)
{
	if (piece->len > 0)
		worker_send(piece->data, piece->len);
	buf_reset(piece);
}

static void
put(struct buf *piece, enum record_type type, const char *key, const char *value, size_t len)
{
	const struct record r = {type, (uint32_t)strlen(key), (uint32_t)len};

	if (piece->len > PIECE)
		flush(piece);
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
report_made(const struct list_header *h, const struct render_counts *counts, struct buf *report)
{
	const struct made made = {.version = h->version,
		.timestamp_s = h->timestamp_s,
		.expires_s = h->expires_s,
		.confirmed_since_s = h->confirmed_since_s,
		.vantages = h->vantages,
		.counts = *counts};

	(void)buf_add(report, &made, sizeof(made));
}

static int
make(void *arg, struct buf *report, struct error *err)
{
	const struct render_work *w = arg;
	char *path = source_list_path(".", w->sha256);
	struct list_reader *list = NULL;
	struct render_counts counts;
	struct buf piece;
	const struct render_sink sink = {put_line, put_pin, &piece};
	int rc = 0;

	buf_init(&piece, WORKER_PIECE_MAX);
	if (w->check != NULL) {
		rc = list_reader_open(path, &list, err);
		if (rc == 0)
			rc = w->check(w->check_arg, list, err);
		list_reader_close(list);
		list = NULL;
	}
	if (rc == 0)
		rc = list_reader_open(path, &list, err);
	memset(&counts, 0, sizeof(counts));
	if (rc == 0 && w->begin != NULL)
		rc = render_to(list, w->options, &sink, &counts, err);
	if (rc == 0) {
		flush(&piece);
		report_made(list_reader_header(list), &counts, report);
	}
	list_reader_close(list);
	buf_clear(&piece);
	free(path);
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
is_time(int64_t t)
{
	return t >= 0 && t <= CLOCK_MAX_S;
}

static bool
can_be(const struct made *m, int64_t lines)
{
	const struct render_counts *c = &m->counts;

	for (size_t i = 0; i < CHOICES; i++)
		if (!is_count(c->choices[i]) || c->choices[i] > c->entries)
			return false;
	return m->version > 0 && is_count(m->version) && is_count(m->vantages) &&
		is_count(c->entries) && is_count(c->added) && is_count(c->added_listed) &&
		is_count(c->early) && is_count(c->left_added) && is_time(m->timestamp_s) &&
		is_time(m->expires_s) && is_time(m->confirmed_since_s) && is_time(c->next_end_s) &&
		render_lines(c) == lines;
}

static int
take_report(const struct buf *text, int64_t lines, struct list_header *header,
	struct render_counts *counts, struct error *err)
{
	struct made m;

	if (text->len == sizeof(m))
		memcpy(&m, text->data, sizeof(m));
	if (text->len != sizeof(m) || !can_be(&m, lines))
		return error_set(err, ERROR_SECURITY,
			"reading the list: the sandboxed process has reported what cannot be");
	*header = (struct list_header){.confirmed_since_s = m.confirmed_since_s,
		.expires_s = m.expires_s,
		.timestamp_s = m.timestamp_s,
		.vantages = m.vantages,
		.version = m.version};
	*counts = m.counts;
	return 0;
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

int
render_worker(const struct render_work *w, struct render_target *target,
	struct list_header *header, struct render_counts *counts, struct error *err)
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
	if (workdir_open(path, &dir, err) == 0 && link_list(dir, w, w->sha256, err) == 0 &&
		(strcmp(w->other, w->sha256) == 0 || link_list(dir, w, w->other, err) == 0) &&
		workdir_give(dir, w->user, err) == 0) {
		worker.confine.dir = workdir_fd(dir);
		rc = worker_run(&worker, &text, err);
	}
	/* A list without lines has its map, too. */
	if (rc == 0 && w->begin != NULL)
		rc = begin(&arrival, err);
	if (rc == 0)
		rc = take_report(
			&text, w->begin != NULL ? target->lines : 0, header, counts, err);
	workdir_close(dir);
	buf_clear(&arrival.value);
	buf_clear(&text);
	free(lists);
	free(path);
	return rc;
}

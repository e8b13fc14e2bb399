#include "updater/render_worker.h"

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
	int64_t entries, choices[CHOICES], next_end_s, added, added_listed, early, left_added;
};

struct errand {
	const struct render_work *work;
	bool lines; /* wanted */
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
report_made(const struct list_header *h, const struct render_result *r, struct buf *report)
{
	struct made made = {.version = h->version,
		.timestamp_s = h->timestamp_s,
		.expires_s = h->expires_s,
		.confirmed_since_s = h->confirmed_since_s,
		.vantages = h->vantages,
		.entries = r->entries,
		.next_end_s = r->next_end_s,
		.added = r->added,
		.added_listed = r->added_listed,
		.early = r->early,
		.left_added = r->left_added};

	memcpy(made.choices, r->choices, sizeof(made.choices));
	(void)buf_add(report, &made, sizeof(made));
}

static int
make(void *arg, struct buf *report, struct error *err)
{
	const struct errand *e = arg;
	const struct render_work *w = e->work;
	char *path = source_list_path(".", w->sha256);
	struct list_reader *list = NULL;
	struct render_result result;
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
	memset(&result, 0, sizeof(result));
	if (rc == 0 && e->lines)
		rc = render_to(list, w->options, &sink, &result, err);
	if (rc == 0) {
		flush(&piece);
		report_made(list_reader_header(list), &result, report);
	}
	list_reader_close(list);
	buf_clear(&piece);
	free(path);
	return rc;
}

/* --- outside ------------------------------------------------------------------------------------
 */

struct arrival {
	struct render_target *target;
	char pinned[254]; /* the last one; they come in order */
	struct buf value; /* the present one, with a NUL behind it */
};

/* Neither a key nor a value can be more than one line of a map that is a text, nor a key more than
 * its first word. */
static bool
is_plain(const char *text, size_t len, char first)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] >= 0 && text[i] < first) || text[i] == 0x7f)
			return false;
	return str_is_utf8(text, len);
}

static bool
take_record(struct arrival *a, const struct record *r, const char *key, const char *value)
{
	char name[sizeof(a->pinned)], host[sizeof(a->pinned)];

	if (r->key_len == 0 || r->key_len >= sizeof(name) || r->value_len > MTA_VALUE_MAX)
		return false;
	memcpy(name, key, r->key_len);
	name[r->key_len] = '\0';
	if (r->type == RECORD_LINE) {
		if (!is_plain(key, r->key_len, '!') || !is_plain(value, r->value_len, ' '))
			return false;
		buf_reset(&a->value);
		(void)buf_add(&a->value, value, r->value_len);
		render_put_line(a->target, name, buf_str(&a->value), r->value_len);
		return true;
	}
	if (r->type != RECORD_PIN || !list_domain_valid(key, r->key_len) ||
		!list_domain_valid(value, r->value_len) || strcmp(a->pinned, name) >= 0)
		return false;
	memcpy(host, value, r->value_len);
	host[r->value_len] = '\0';
	render_put_pin(a->target, name, host);
	memcpy(a->pinned, name, sizeof(name));
	return true;
}

static int
on_piece(void *arg, const char *data, size_t len, struct error *err)
{
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
	struct render_result counts = {.entries = m->entries};

	for (size_t i = 0; i < CHOICES; i++)
		if (!is_count(m->choices[i]) || m->choices[i] > m->entries)
			return false;
	memcpy(counts.choices, m->choices, sizeof(m->choices));
	return m->version > 0 && is_count(m->version) && is_count(m->vantages) &&
		is_count(m->entries) && is_count(m->added) && is_count(m->added_listed) &&
		is_count(m->early) && is_count(m->left_added) && is_time(m->timestamp_s) &&
		is_time(m->expires_s) && is_time(m->confirmed_since_s) && is_time(m->next_end_s) &&
		render_lines(&counts) == lines;
}

static int
take_report(const struct buf *text, int64_t lines, struct list_header *header,
	struct render_result *result, struct error *err)
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
	result->entries = m.entries;
	memcpy(result->choices, m.choices, sizeof(m.choices));
	result->next_end_s = m.next_end_s;
	result->added = m.added;
	result->added_listed = m.added_listed;
	result->early = m.early;
	result->left_added = m.left_added;
	return 0;
}

/* A list that is not there is missed inside. */
static int
link_list(
	struct workdir *dir, const struct render_work *w, const char *sha256, struct error *err)
{
	char *path = source_list_path(w->list_dir, sha256), *name = source_list_path(".", sha256);
	int rc = sha256[0] != '\0' ? workdir_link(dir, path, WORKDIR_TOP, name + 2, err) : 0;

	free(name);
	free(path);
	return rc < 0 ? -1 : 0;
}

int
render_worker(const struct render_work *w, struct render_target *target,
	struct list_header *header, struct render_result *result, struct error *err)
{
	char *path = xasprintf("%s/work", w->list_dir), *lists = xasprintf("%s/", w->list_dir);
	const struct worker_name names[] = {{"./", lists}};
	struct arrival arrival = {.target = target};
	struct errand errand = {w, target != NULL};
	struct worker worker = {.what = "reading the list",
		.confine = {.user = *w->user},
		.time_ms = w->time_ms,
		.names = names,
		.name_count = ARRAY_LEN(names),
		.work = make,
		.arg = &errand,
		.on_piece = target != NULL ? on_piece : NULL,
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
	if (rc == 0)
		rc = take_report(&text, target != NULL ? target->lines : 0, header, result, err);
	workdir_close(dir);
	buf_clear(&arrival.value);
	buf_clear(&text);
	free(lists);
	free(path);
	return rc;
}

#include "updater/survey_worker.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/known_lists.h"
#include "updater/list_set.h"
#include "updater/log_feed.h"
#include "updater/log_source.h"
#include "updater/settings.h"
#include "updater/survey.h"
#include "updater/traffic.h"
#include "updater/worker.h"

/* No log has so many lines; and the sum over all domains is a number still. */
#define COUNT_MAX (INT64_C(1) << 40)
/* Octets of a path and of what is wrong with it; every one of them as \xNN. */
#define SAID_MAX (PATH_MAX + sizeof(((struct error *)NULL)->text))
/* Every file, what else is read, and why the log is silent. */
#define TEXTS_MAX (LOG_FILES_MAX + 2)

/* What goes over, before its text; of the numbers each type has its own. */
enum record_type {
	RECORD_FEED = 1, /* message: the part that is wanted */
	RECORD_READ,     /* text */
	RECORD_SKIPPED,  /* text */
	RECORD_DOMAIN,   /* text, n; message: 1 where only a list has it that is being tested */
	RECORD_WAITING,  /* text: the domain; message; n[0]: when it was held */
	RECORD_SILENCE   /* text */
};
struct record {
	uint32_t type, text_len;
	uint64_t message;
	int64_t n[TRAFFIC_COUNTS];
};

/* The report. */
struct counted {
	int64_t versions[SOURCES_MAX]; /* of the lists, by their sources; 0: none */
	int64_t attempts, domains, first_s, last_s;
	int32_t cut, speaks_tls, listed, waiting;
	struct log_place place;
};

/* --- inside -------------------------------------------------------------------------------------
 */

struct inside {
	const struct survey_work *work;
	const char *zone;
	int feed;         /* what is no file comes from there */
	struct buf piece; /* on its way out */
	int32_t waiting;
};

static void
put(struct inside *in, struct record *r, const char *text)
{
	r->text_len = (uint32_t)strlen(text);
	worker_begin_record(&in->piece);
	(void)buf_add(&in->piece, r, sizeof(*r));
	(void)buf_add(&in->piece, text, r->text_len);
}

static void
put_texts(struct inside *in, enum record_type type, char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct record r = {.type = type};

		put(in, &r, texts[i]);
	}
}

static void
put_waiting(void *arg, uint64_t message, const char *domain, int64_t held_s)
{
	struct inside *in = arg;
	struct record r = {.type = RECORD_WAITING, .message = message, .n = {held_s}};

	if (in->waiting == SURVEY_WAITING_MAX)
		return;
	in->waiting++;
	put(in, &r, domain);
}

/* A log_feeder. */
static int
ask_for(void *arg, enum log_feed what, tool_sink *sink, void *sink_arg, struct error *err)
{
	struct inside *in = arg;
	struct record r = {.type = RECORD_FEED, .message = what};

	put(in, &r, "");
	worker_flush(&in->piece);
	return log_feed_take(in->feed, sink, sink_arg, err);
}

static void
send_counts(struct inside *in, const struct log_said *said, const int64_t *versions, struct buf *report)
{
	const struct survey_work *w = in->work;
	const struct traffic_log read = traffic_log(w->traffic);
	size_t listed;
	struct traffic_domain **domains = traffic_listed(w->traffic, &listed);
	struct counted c;

	put_texts(in, RECORD_READ, said->read, said->read_count);
	put_texts(in, RECORD_SKIPPED, said->skipped, said->skipped_count);
	if (read.silence != NULL) {
		struct record r = {.type = RECORD_SILENCE};

		put(in, &r, read.silence);
	}
	for (size_t i = 0; i < listed; i++) {
		struct record r = {.type = RECORD_DOMAIN, .message = domains[i]->trial};

		memcpy(r.n, domains[i]->n, sizeof(r.n));
		put(in, &r, domains[i]->name);
	}
	if (w->place != NULL)
		traffic_each_waiting(w->traffic, put_waiting, in);
	worker_flush(&in->piece);
	memset(&c, 0, sizeof(c));
	memcpy(c.versions, versions, sizeof(c.versions));
	c.attempts = read.attempts;
	c.domains = (int64_t)read.domains;
	c.first_s = read.first_s;
	c.last_s = read.last_s;
	c.cut = read.cut;
	c.speaks_tls = traffic_speaks_tls(w->traffic);
	c.listed = (int32_t)listed;
	c.waiting = in->waiting;
	if (w->place != NULL)
		c.place = *w->place;
	(void)buf_add(report, &c, sizeof(c));
}

static int
count(void *arg, struct buf *report, struct error *err)
{
	struct inside *in = arg;
	const struct survey_work *w = in->work;
	struct overlay_list lists[SOURCES_MAX];
	size_t from[SOURCES_MAX], lists_count = 0;
	int64_t versions[SOURCES_MAX] = {0};
	struct log_said said = {0};
	int rc;

	log_time_keep_zone(in->zone);
	buf_init(&in->piece, WORKER_PIECE_MAX);
	rc = known_lists_read(w->known, lists, from, &lists_count, err);
	for (size_t i = 0; rc == 0 && i < lists_count; i++)
		versions[from[i]] = list_reader_header(lists[i].list)->version;
	if (rc == 0)
		rc = log_source_read(w->log, ask_for, in, traffic_line, w->traffic, &said, err);
	if (rc == 0)
		rc = traffic_judge(w->traffic, lists, lists_count, w->options, err);
	if (rc == 0)
		send_counts(in, &said, versions, report);
	log_said_clear(&said);
	list_set_close(lists);
	buf_clear(&in->piece);
	return rc;
}

/* --- outside ------------------------------------------------------------------------------------
 */

struct arrival {
	const struct survey_work *work;
	struct survey *survey;
	int feed;
	int64_t deadline_ms; /* of feeding */
	bool fed[LOG_FEEDS]; /* nothing is asked for twice */
	int texts;
	size_t room;      /* of survey->domains */
	char domain[254]; /* the last one; they come in order */
};

static int
cannot_be(struct error *err)
{
	return error_set(err, ERROR_SECURITY, "reading the log: the sandboxed process has told what cannot be");
}

static bool
is_count(int64_t n)
{
	return n >= 0 && n <= COUNT_MAX;
}

/* Texts are shown to people; none of them on a terminal's terms. */
static bool
take_text(struct arrival *a, const struct record *r, const char *text)
{
	struct log_said *said = &a->survey->said;
	size_t room = 4 * (size_t)r->text_len + 4;
	char *shown;

	if (r->text_len > SAID_MAX || ++a->texts > TEXTS_MAX ||
		(r->type == RECORD_SILENCE && a->survey->read.silence != NULL))
		return false;
	shown = xcalloc(1, room);
	str_escape_controls(text, r->text_len, shown, room);
	if (r->type == RECORD_SILENCE)
		a->survey->read.silence = arena_strdup(a->survey->names, shown);
	else
		(r->type == RECORD_READ ? log_said_read : log_said_skip)(said, shown);
	free(shown);
	return true;
}

static bool
take_domain(struct arrival *a, const struct record *r, const char *domain)
{
	struct survey *v = a->survey;
	struct traffic_domain *d;

	if (strcmp(a->domain, domain) >= 0 || r->message > 1 || v->listed_count == TRAFFIC_DOMAINS_MAX)
		return false;
	for (int c = 0; c < TRAFFIC_COUNTS; c++)
		if (!is_count(r->n[c]))
			return false;
	memcpy(a->domain, domain, strlen(domain) + 1);
	if (v->listed_count == a->room) {
		a->room = a->room == 0 ? 256 : 2 * a->room;
		v->domains = xreallocarray(v->domains, a->room, sizeof(*v->domains));
	}
	d = &v->domains[v->listed_count++];
	memcpy(d->n, r->n, sizeof(d->n));
	d->name = arena_strdup(v->names, domain);
	d->trial = r->message == 1;
	for (int c = 0; c < TRAFFIC_COUNTS; c++)
		v->sum[c] += d->n[c];
	return true;
}

static bool
take_waiting(struct arrival *a, const struct record *r, const char *domain)
{
	struct survey *v = a->survey;

	if (a->work->place == NULL || v->waiting_count == SURVEY_WAITING_MAX || !clock_has_text(r->n[0]))
		return false;
	if (v->waiting == NULL)
		v->waiting = xcalloc(SURVEY_WAITING_MAX, sizeof(*v->waiting));
	v->waiting[v->waiting_count++] = (struct survey_waiting){
		.message = r->message, .held_s = r->n[0], .domain = arena_strdup(v->names, domain)};
	return true;
}

static bool
take_record(struct arrival *a, const struct record *r, const char *text)
{
	char domain[sizeof(a->domain)];

	if (r->type == RECORD_READ || r->type == RECORD_SKIPPED || r->type == RECORD_SILENCE)
		return take_text(a, r, text);
	if (!list_domain_valid(text, r->text_len))
		return false;
	memcpy(domain, text, r->text_len);
	domain[r->text_len] = '\0';
	if (r->type == RECORD_WAITING)
		return take_waiting(a, r, domain);
	return r->type == RECORD_DOMAIN && take_domain(a, r, domain);
}

static int
serve(struct arrival *a, uint64_t what, struct error *err)
{
	if (what >= LOG_FEEDS || a->fed[what])
		return cannot_be(err);
	a->fed[what] = true;
	/* Where nobody takes it, the report or how the process has ended tells why. */
	if (log_feed_serve(a->feed, log_source_feed, a->work->log, (enum log_feed)what, a->deadline_ms, err) < 0)
		return error_prefix(err, "reading the log");
	return 0;
}

static int
on_piece(void *arg, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		struct record r;

		if (len < sizeof(r))
			return cannot_be(err);
		memcpy(&r, data, sizeof(r));
		data += sizeof(r);
		len -= sizeof(r);
		if (r.text_len > len)
			return cannot_be(err);
		if (r.type == RECORD_FEED) {
			if (serve(arg, r.message, err) < 0)
				return -1;
		} else if (!take_record(arg, &r, data)) {
			return cannot_be(err);
		}
		data += r.text_len;
		len -= r.text_len;
	}
	return 0;
}

/* It is kept, and the cursor is given to journalctl again. */
static bool
is_place(const struct log_place *p)
{
	uint8_t digest[32];
	size_t len;

	if (memchr(p->digest, '\0', sizeof(p->digest)) == NULL ||
		memchr(p->cursor, '\0', sizeof(p->cursor)) == NULL)
		return false;
	len = strlen(p->digest);
	if (len > 0 && str_unhex(p->digest, len, digest, sizeof(digest)) < 0)
		return false;
	for (const char *c = p->cursor; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return p->digest_len >= 0 && p->digest_len <= LOG_PLACE_DIGEST_MAX && p->offset >= 0;
}

static bool
can_be(const struct counted *c, const struct survey *v)
{
	bool some = false;

	for (size_t i = 0; i < SOURCES_MAX; i++) {
		if (c->versions[i] < 0 || c->versions[i] > TUF_INT_MAX)
			return false;
		some = some || c->versions[i] > 0;
	}
	return some && is_count(c->attempts) &&
		c->domains >= c->listed && c->domains <= TRAFFIC_DOMAINS_MAX && clock_has_text(c->first_s) &&
		clock_has_text(c->last_s) && c->listed >= 0 && (size_t)c->listed == v->listed_count &&
		c->waiting >= 0 && (size_t)c->waiting == v->waiting_count && is_place(&c->place);
}

static int
take_report(const struct survey_work *w, const struct buf *text, struct survey *out, struct error *err)
{
	struct counted c;

	if (text->len != sizeof(c))
		return cannot_be(err);
	memcpy(&c, text->data, sizeof(c));
	if (!can_be(&c, out))
		return cannot_be(err);
	list_set_begin(w->s, &out->lists);
	for (size_t i = 0; i < w->s->source_count; i++)
		if (c.versions[i] > 0)
			list_set_add(&out->lists, &w->s->sources[i], c.versions[i], NULL);
	if (out->lists.count == 0)
		return cannot_be(err);
	out->read = (struct traffic_log){.attempts = c.attempts,
		.domains = (size_t)c.domains,
		.first_s = c.first_s,
		.last_s = c.last_s,
		.silence = out->read.silence,
		.cut = c.cut != 0};
	out->speaks_tls = c.speaks_tls != 0;
	out->listed = xcalloc(out->listed_count + 1, sizeof(struct traffic_domain *));
	for (size_t i = 0; i < out->listed_count; i++)
		out->listed[i] = &out->domains[i];
	if (w->place != NULL) {
		/* When it was is for the caller to say. */
		c.place.last_s = w->place->last_s;
		*w->place = c.place;
	}
	return 0;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* Descriptors that the process keeps; the caller's. */
static int *
all_files(const struct survey_work *w, int feed, size_t *count)
{
	size_t lists, logs;
	const int *list = known_lists_fds(w->known, &lists), *log = log_source_fds(w->log, &logs);
	int *fds = xcalloc(lists + logs + 1, sizeof(*fds));

	memcpy(fds, list, lists * sizeof(*fds));
	memcpy(fds + lists, log, logs * sizeof(*fds));
	fds[lists + logs] = feed;
	*count = lists + logs + 1;
	return fds;
}

int
survey_worker(const struct survey_work *w, struct survey *out, struct error *err)
{
	int feed[2], *files, rc;
	char *zone = log_time_load_zone();
	struct inside inside = {.work = w, .zone = zone};
	struct arrival arrival = {.work = w, .survey = out};
	struct worker worker = {.what = "reading the log",
		.confine = {.user = *w->user, .dir = -1},
		.time_ms = w->time_ms,
		.work = count,
		.arg = &inside,
		.on_piece = on_piece,
		.on_piece_arg = &arrival,
		.handed = &feed[1]};
	struct buf text;

	if (log_feed_pair(feed, err) < 0) {
		free(zone);
		return -1;
	}
	arrival.feed = feed[0];
	/* Not behind the worker's own, which begins when it has started. */
	arrival.deadline_ms = clock_monotonic_ms() + w->time_ms;
	log_source_limit(w->log, arrival.deadline_ms);
	inside.feed = feed[1];
	files = all_files(w, inside.feed, &worker.confine.file_count);
	worker.confine.files = files;
	out->names = arena_new();
	buf_init(&text, sizeof(struct counted));
	rc = worker_run(&worker, &text, err);
	if (rc == 0)
		rc = take_report(w, &text, out, err);
	buf_clear(&text);
	free(files);
	(void)close(feed[0]);
	if (feed[1] >= 0)
		(void)close(feed[1]);
	free(zone);
	return rc;
}

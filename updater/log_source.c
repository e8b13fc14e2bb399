#include "updater/log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/log_journal.h"
#include "updater/mta.h"
#include "updater/postfix.h"
#include "updater/settings.h"

#define JOURNAL "journal"
/* What may lie between a line that tells of a connection and one that rests on it. */
#define AGAIN_OCTETS (INT64_C(1024) * 1024)
#define QUIET_DAYS   31

/* At most one of them. */
struct log_source {
	struct log_span span;
	struct log_files files; /* owned */
	int *fds;               /* theirs */
	int stream;             /* owned; -1: none */
	char *stream_name;      /* owned */
	char *journalctl;       /* owned; NULL: the journal is not read */
	int64_t deadline_ms;    /* of feeding */
};

/* --- where to look ------------------------------------------------------------------------------
 */

/* Postfix's own log file, when it writes one; NULL. */
static char *
postfix_log(const struct update_settings *s)
{
	const char *const names[] = {"maillog_file"};
	struct error ignored = {0};
	char *value = NULL, *path = NULL;

	if (postfix_ask(s, names, 1, true, &value, &ignored) == 0 && value != NULL && value[0] == '/')
		path = xstrdup(value);
	postfix_values_clear(&value, 1);
	return path;
}

/* 1 it is there, 0 nothing of it was written since then, -1. */
static int
try_log(struct log_source *source, const char *path, struct log_said *said, struct error *err)
{
	const struct log_place *place = source->span.place;
	int64_t since_s = source->span.since_s;
	int rc;

	/* A server may have been quiet for long; what was read last time is the log all the same. */
	if (place != NULL)
		since_s = place->last_s - (place->digest[0] != '\0' ? QUIET_DAYS : 1) * CLOCK_DAY_S;
	rc = log_files_find(path, since_s, &source->files, said, err);
	if (rc < 0 || source->files.count == 0)
		log_files_clear(&source->files);
	return rc < 0 ? -1 : source->files.count > 0;
}

/* 1 it will be asked, 0 there is no journalctl. */
static int
try_journal(const struct update_settings *s, struct log_source *source)
{
	source->journalctl = tool_find(s->journalctl, "journalctl");
	return source->journalctl != NULL;
}

static int
find_log(const struct update_settings *s, struct log_source *source, struct log_said *said,
	struct error *err)
{
	const char *const *places = s->mta->logs;
	char *own = s->mta->setup == mta_postfix.setup ? postfix_log(s) : NULL;
	int rc = 0;

	if (own != NULL)
		rc = try_log(source, own, said, err);
	for (size_t i = 0; rc == 0 && places[i] != NULL; i++)
		rc = try_log(source, places[i], said, err);
	free(own);
	if (rc == 0)
		rc = try_journal(s, source);
	if (rc == 0)
		rc = error_set(err, ERROR_CONFIG,
			"no mail log was found (%s and the like, or a journal): name it", places[0]);
	return rc < 0 ? -1 : 0;
}

/* Takes the descriptor over: a file, or what it has to be fed. */
static int
take_open(struct log_source *source, int fd, const char *name, struct error *err)
{
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", name);
	if (fstat(fd, &st) < 0) {
		rc = error_set_errno(err, ERROR_CONFIG, "%s", name);
	} else if (S_ISDIR(st.st_mode)) {
		rc = error_set(err, ERROR_CONFIG, "%s: a folder, not a log", name);
	} else if (S_ISREG(st.st_mode)) {
		log_files_take(fd, name, st.st_mtim.tv_sec, &source->files);
	} else {
		source->stream = fd;
		source->stream_name = xstrdup(name);
	}
	if (rc < 0)
		(void)close(fd);
	return rc;
}

static int
open_named(struct log_source *source, const char *path, struct error *err)
{
	return take_open(source, open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), path, err);
}

/* The one that is configured, old or not. */
static int
open_configured(const struct update_settings *s, struct log_source *source, struct log_said *said,
	struct error *err)
{
	const char *path = s->log_path;
	int rc;

	if (strcmp(path, JOURNAL) == 0)
		return try_journal(s, source) > 0
			? 0
			: error_set(err, ERROR_CONFIG, "there is no journalctl here");
	rc = try_log(source, path, said, err);
	if (rc == 0 && (source->span.place == NULL || !file_exists(path)))
		return open_named(source, path, err);
	return rc < 0 ? -1 : 0;
}

int
log_source_open(const struct update_settings *s, const struct log_span *span, struct log_said *said,
	struct log_source **out, struct error *err)
{
	struct log_source *source = xcalloc(1, sizeof(*source));
	int rc = 0;

	*out = NULL;
	source->span = *span;
	source->stream = -1;
	source->deadline_ms = INT64_MAX;
	if (span->path == NULL)
		rc = s->log_path != NULL ? open_configured(s, source, said, err)
					 : find_log(s, source, said, err);
	else if (strcmp(span->path, "-") == 0)
		rc = take_open(source, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "standard input",
			err);
	else
		rc = open_named(source, span->path, err);
	if (rc < 0) {
		log_source_close(source);
		return -1;
	}
	source->fds = xcalloc(source->files.count + 1, sizeof(*source->fds));
	for (size_t i = 0; i < source->files.count; i++)
		source->fds[i] = source->files.at[i].fd;
	*out = source;
	return 0;
}

void
log_source_close(struct log_source *source)
{
	if (source == NULL)
		return;
	log_files_clear(&source->files);
	if (source->stream >= 0)
		(void)close(source->stream);
	free(source->stream_name);
	free(source->journalctl);
	free(source->fds);
	free(source);
}

const int *
log_source_fds(const struct log_source *source, size_t *count)
{
	*count = source->files.count;
	return source->fds;
}

/* --- what is no file ----------------------------------------------------------------------------
 */

void
log_source_limit(struct log_source *source, int64_t deadline_ms)
{
	source->deadline_ms = deadline_ms;
}

/* Who writes there may have nothing to say for ever. */
static int
wait_for_stream(const struct log_source *source, struct error *err)
{
	struct pollfd p = {.fd = source->stream, .events = POLLIN};
	int rc;

	do
		rc = poll(&p, 1, clock_left_ms(source->deadline_ms));
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return error_set_errno(err, ERROR_TEMP, "%s", source->stream_name);
	if (rc == 0 && clock_left_ms(source->deadline_ms) == 0)
		return error_set(err, ERROR_TEMP, "%s: took too long", source->stream_name);
	return 0;
}

static int
feed_stream(const struct log_source *source, tool_sink *sink, void *sink_arg, struct error *err)
{
	char chunk[65536];

	for (;;) {
		ssize_t n;

		if (wait_for_stream(source, err) < 0)
			return -1;
		n = read(source->stream, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(
				err, ERROR_CONFIG, "%s: cannot be read", source->stream_name);
		if (sink(sink_arg, chunk, (size_t)n, err) < 0)
			return -1;
	}
}

int
log_source_feed(void *arg, enum log_feed what, tool_sink *sink, void *sink_arg, struct error *err)
{
	const struct log_source *source = arg;

	if (what == LOG_FEED_STREAM && source->stream >= 0)
		return feed_stream(source, sink, sink_arg, err);
	if (what != LOG_FEED_STREAM && what < LOG_FEEDS && source->journalctl != NULL &&
		(what == LOG_FEED_SINCE || source->span.place != NULL))
		return log_journal_feed(source->journalctl, &source->span, what, source->deadline_ms, sink, sink_arg, err);
	return error_set(err, ERROR_SECURITY, "the log has no such part");
}

struct reading {
	const struct log_span *span;
	struct log_said *said;
	struct log_lines *lines; /* owned */
	log_feeder *feed;
	void *feed_arg;
	log_line_sink *sink;
	void *arg;
};

/* --- going on where an earlier reading ended ---------------------------------------------------- */

/* SHA-256 of the first len octets of what the file holds; 0: it has fewer, or cannot be read. */
static int
digest_head(const struct log_file *f, int64_t len, char out[static 65])
{
	char head[LOG_PLACE_DIGEST_MAX];
	unsigned char sha256[32];
	struct error ignored = {0};

	if (len <= 0 || len > LOG_PLACE_DIGEST_MAX || f->foreign ||
		log_lines_head(f->fd, head, (size_t)len, f->path, &ignored) != len ||
		EVP_Digest(head, (size_t)len, sha256, NULL, EVP_sha256(), NULL) != 1)
		return 0;
	str_hex(sha256, sizeof(sha256), out);
	return 1;
}

/* Index of the file in which the earlier reading ended; -1: it is not here any more. */
static ssize_t
find_place(const struct log_files *files, const struct log_place *place)
{
	char digest[65];
	struct stat st;

	for (size_t i = files->count; i-- > 0;) {
		const struct log_file *f = &files->at[i];

		/* Emptied and begun anew: the rest is in a copy, if anywhere. */
		if (fstat(f->fd, &st) == 0 && st.st_size < place->offset && !str_ends(f->path, ".gz"))
			continue;
		if (digest_head(f, place->digest_len, digest) > 0 && strcmp(digest, place->digest) == 0)
			return (ssize_t)i;
	}
	return -1;
}

static void
note_place(const struct log_file *f, int64_t offset, struct log_place *place)
{
	place->cursor[0] = '\0';
	place->offset = offset;
	place->digest_len = offset < LOG_PLACE_DIGEST_MAX ? offset : LOG_PLACE_DIGEST_MAX;
	if (digest_head(f, place->digest_len, place->digest) == 0) {
		place->digest[0] = '\0';
		place->digest_len = 0;
	}
}

/* Lines up to place->last_s were counted by then, or are not to be. */
static void
sort_by_time(void *arg, struct log_time *when, const char *line, size_t len)
{
	struct reading *r = arg;
	int64_t time_s;

	if (log_time_parse(when, line, len, &time_s) > 0 && time_s <= r->span->place->last_s)
		r->span->again(r->arg, when, line, len);
	else
		r->sink(r->arg, when, line, len);
}

/* What stands closely before the offset, once more. */
static int
read_again(struct reading *r, const struct log_file *f, int64_t offset, struct error *err)
{
	/* The first may be half a line, which does no harm here. */
	int64_t from = offset > AGAIN_OCTETS ? offset - AGAIN_OCTETS : 0;

	log_lines_begin(r->lines, r->span->again, r->arg, f->written_s);
	return log_lines_read(r->lines, f->fd, from, offset, f->path, err);
}

/* One file from offset on; last: what stands behind its last newline is still being written. */
static int
read_found(struct reading *r, const struct log_file *f, int64_t from, bool by_time, bool last,
	struct error *err)
{
	int64_t latest_s = f->written_s < r->span->now_s ? f->written_s : r->span->now_s;

	log_lines_begin(r->lines, by_time ? sort_by_time : r->sink, by_time ? (void *)r : r->arg, latest_s);
	if (log_lines_read(r->lines, f->fd, from, INT64_MAX, f->path, err) < 0)
		return -1;
	if (!last)
		log_lines_end(r->lines);
	log_said_read(r->said, f->path);
	return 0;
}

/* All of one log, or what is new of it; the log itself must be readable, its past need not be. */
static int
read_files(struct reading *r, const struct log_files *files, struct error *err)
{
	struct log_place *place = r->span->place;
	ssize_t found = place != NULL ? find_place(files, place) : -1;
	bool by_time = place != NULL && found < 0;
	size_t last = files->count - 1;

	while (last > 0 && files->at[last].foreign)
		last--;
	for (size_t i = found > 0 ? (size_t)found : 0; i < files->count; i++) {
		const struct log_file *f = &files->at[i];
		int64_t from = (ssize_t)i == found ? place->offset : 0;
		bool goes_on = place != NULL && i == last;
		struct error why = {0};

		if (f->foreign) {
			error_set(&why, ERROR_INPUT, "%s: compressed by another program than gzip",
				f->path);
		} else if ((from == 0 || read_again(r, f, from, &why) == 0) &&
			read_found(r, f, from, by_time, goes_on, &why) == 0) {
			/* Of a file that was begun just now nothing is known to find it by. */
			if (place != NULL && from + r->lines->taken > 0)
				note_place(f, from + r->lines->taken, place);
			continue;
		} else if (i == last) {
			*err = why;
			return -1;
		}
		log_said_skip(r->said, why.text);
	}
	return 0;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static int
on_data(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	log_lines_feed(arg, data, len);
	return 0;
}

static int
read_stream(struct reading *r, const struct log_source *source, struct error *err)
{
	int rc;

	log_lines_begin(r->lines, r->sink, r->arg, r->span->now_s);
	rc = r->feed(r->feed_arg, LOG_FEED_STREAM, on_data, r->lines, err);
	log_lines_end(r->lines);
	if (rc == 0)
		log_said_read(r->said, source->stream_name);
	return rc;
}

static int
read_journal(struct reading *r, struct error *err)
{
	int rc = log_journal_read(r->span, r->feed, r->feed_arg, r->lines, r->sink, r->arg, err);

	if (rc == 0)
		log_said_read(r->said, "the journal");
	return rc;
}

int
log_source_read(struct log_source *source, log_feeder *feed, void *feed_arg, log_line_sink *sink, void *arg,
	struct log_said *said, struct error *err)
{
	struct reading r = {.span = &source->span,
		.said = said,
		.feed = feed,
		.feed_arg = feed_arg,
		.sink = sink,
		.arg = arg};
	int rc = 0;

	r.lines = xcalloc(1, sizeof(*r.lines));
	if (source->files.count > 0)
		rc = read_files(&r, &source->files, err);
	else if (source->stream >= 0)
		rc = read_stream(&r, source, err);
	else if (source->journalctl != NULL)
		rc = read_journal(&r, err);
	free(r.lines);
	return rc;
}

#include "updater/log_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
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

/* A year of daily ones; each is open while they are read. */
#define FILES_MAX 400
#define JOURNAL   "journal"
/* Octets that a file is known again by. */
#define DIGEST_MAX 4096
/* What may lie between a line that tells of a connection and one that rests on it. */
#define AGAIN_OCTETS (INT64_C(1024) * 1024)
#define QUIET_DAYS   31

/* A log, or what was rotated away of it. */
struct log_file {
	char *path; /* owned */
	int fd;     /* owned: what it is called may change while it is read */
	dev_t device;
	ino_t inode;
	int64_t written_s;
	uint64_t number; /* of "mail.log.2.gz": 2; the larger, the older; of "mail.log" 0 */
	bool live;       /* the log itself: nothing is appended to its name */
	bool foreign;    /* compressed, but not by gzip */
};

struct log_files {
	struct log_file *at; /* owned */
	size_t count;
	size_t cut; /* so many more there were, all older */
};

struct reading {
	const struct update_settings *s;
	const struct log_span *span;
	struct log_said *said;
	struct log_lines *lines; /* owned */
	log_line_sink *sink;
	void *arg;
};

static void
say(char ***list, size_t *count, char *text)
{
	*list = xreallocarray(*list, *count + 1, sizeof(char *));
	(*list)[(*count)++] = text;
}

static void
clear_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void
log_said_clear(struct log_said *said)
{
	clear_list(said->read, said->read_count);
	clear_list(said->skipped, said->skipped_count);
	memset(said, 0, sizeof(*said));
}

/* --- files --------------------------------------------------------------------------------------
 */

static void
files_clear(struct log_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		(void)close(files->at[i].fd);
		free(files->at[i].path);
	}
	free(files->at);
	memset(files, 0, sizeof(*files));
}

/* Whether rest, behind the log's own name, is what rotation appends: ".1", ".2.gz", "-20261126",
 * "-20261126-1764115200.gz". */
static bool
is_rotated(const char *rest, struct log_file *f)
{
	const char *p = rest + 1;
	uint64_t number = 0;

	f->number = 0;
	f->foreign = false;
	f->live = rest[0] == '\0';
	if (f->live)
		return true;
	if ((rest[0] != '.' && rest[0] != '-') || !str_is_digit(*p))
		return false;
	for (; str_is_digit(*p) || (rest[0] == '-' && *p == '-'); p++)
		if (rest[0] == '.' && number < UINT64_MAX / 16)
			number = number * 10 + (uint64_t)(*p - '0');
	f->number = number;
	f->foreign = *p != '\0' && strcmp(p, ".gz") != 0;
	return *p == '\0' || *p == '.';
}

/* Oldest first. */
static int
compare_files(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;

	if (x->written_s != y->written_s)
		return x->written_s < y->written_s ? -1 : 1;
	if (x->number != y->number)
		return x->number > y->number ? -1 : 1;
	return strcmp(y->path, x->path);
}

/* Renamed while the folder is read, a file may be met twice. */
static bool
is_known(const struct log_files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->at[i].inode == st->st_ino && files->at[i].device == st->st_dev)
			return true;
	return false;
}

/* Opens what the folder has under that name: 1; 0 it is no log, older, known or gone by now; -1, err says why it
 * cannot be read. */
static int
open_found(const struct log_files *files, DIR *dir, const char *name, const char *path, int64_t since_s,
	struct log_file *f, struct error *err)
{
	struct stat st;

	if (fstatat(dirfd(dir), name, &st, 0) < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_mtim.tv_sec < since_s)
		return 0;
	f->fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode) || is_known(files, &st)) {
		(void)close(f->fd);
		return 0;
	}
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->written_s = st.st_mtim.tv_sec;
	return 1;
}

/* Of too many the oldest goes, but never the log itself. */
static void
drop_oldest(struct log_files *files)
{
	struct log_file *oldest = NULL;

	for (struct log_file *f = files->at; f < files->at + files->count; f++)
		if (!f->live && (oldest == NULL || compare_files(f, oldest) < 0))
			oldest = f;
	if (oldest == NULL)
		return;
	(void)close(oldest->fd);
	free(oldest->path);
	*oldest = files->at[--files->count];
	files->cut++;
}

static int
find_in(struct reading *r, struct log_files *files, DIR *dir, const char *folder, const char *name,
	int64_t since_s, struct error *err)
{
	const struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		struct error why = {0};
		struct log_file f;
		int rc;

		if (!str_starts(e->d_name, name) || !is_rotated(e->d_name + strlen(name), &f))
			continue;
		f.path = xasprintf("%s/%s", folder, e->d_name);
		rc = open_found(files, dir, e->d_name, f.path, since_s, &f, &why);
		if (rc <= 0)
			free(f.path);
		if (rc < 0 && f.live) {
			*err = why;
			return -1;
		}
		if (rc < 0)
			say(&r->said->skipped, &r->said->skipped_count, xstrdup(why.text));
		if (rc <= 0)
			continue;
		files->at = xreallocarray(files->at, files->count + 1, sizeof(f));
		files->at[files->count++] = f;
		if (files->count > FILES_MAX)
			drop_oldest(files);
	}
	return 0;
}

/* The log and what was rotated away of it, as far as it was written since then. -1: the log is there, and cannot
 * be read. files must be cleared in any case. */
static int
find_files(struct reading *r, struct log_files *files, const char *path, int64_t since_s, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path));
	DIR *dir = opendir(folder[0] != '\0' ? folder : "/");
	int rc = 0;

	memset(files, 0, sizeof(*files));
	if (dir != NULL) {
		rc = find_in(r, files, dir, folder, slash == NULL ? path : slash + 1, since_s, err);
		(void)closedir(dir);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		rc = error_set_errno(err, ERROR_CONFIG, "%s", folder);
	}
	if (files->count > 0)
		qsort(files->at, files->count, sizeof(*files->at), compare_files);
	if (files->cut > 0)
		say(&r->said->skipped, &r->said->skipped_count,
			xasprintf("%s: more than %d files: not the %zu oldest", path, FILES_MAX, files->cut));
	free(folder);
	return rc;
}

static int
read_fd(struct reading *r, int fd, const char *name, int64_t latest_s, struct error *err)
{
	int rc;

	log_lines_begin(r->lines, r->sink, r->arg, latest_s);
	rc = log_lines_read(r->lines, fd, 0, INT64_MAX, name, err);
	log_lines_end(r->lines);
	if (rc == 0)
		say(&r->said->read, &r->said->read_count, xstrdup(name));
	return rc;
}

static int
read_file(struct reading *r, const char *path, struct error *err)
{
	int64_t latest_s = r->span->now_s;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int rc = -1;

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (fstat(fd, &st) < 0)
		error_set_errno(err, ERROR_CONFIG, "%s", path);
	else if (S_ISDIR(st.st_mode))
		error_set(err, ERROR_CONFIG, "%s: a folder, not a log", path);
	else {
		if (S_ISREG(st.st_mode) && st.st_mtim.tv_sec < latest_s)
			latest_s = st.st_mtim.tv_sec;
		rc = read_fd(r, fd, path, latest_s, err);
	}
	(void)close(fd);
	return rc;
}

/* --- going on where an earlier reading ended ---------------------------------------------------- */

/* SHA-256 of the first len octets of what the file holds; 0: it has fewer, or cannot be read. */
static int
digest_head(const struct log_file *f, int64_t len, char out[static 65])
{
	char head[DIGEST_MAX];
	unsigned char sha256[32];
	struct error ignored = {0};

	if (len <= 0 || len > DIGEST_MAX || f->foreign ||
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
	place->digest_len = offset < DIGEST_MAX ? offset : DIGEST_MAX;
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
	say(&r->said->read, &r->said->read_count, xstrdup(f->path));
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
		say(&r->said->skipped, &r->said->skipped_count, xstrdup(why.text));
	}
	return 0;
}

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

/* 0; 1 there is no journalctl; -1. */
static int
read_journal(struct reading *r, struct error *err)
{
	int rc = log_journal_read(r->s, r->span, r->lines, r->sink, r->arg, err);

	if (rc == 0)
		say(&r->said->read, &r->said->read_count, xstrdup("the journal"));
	return rc;
}

/* 1 it was read, 0 nothing of it was written since then, -1. */
static int
try_log(struct reading *r, const char *path, struct error *err)
{
	const struct log_place *place = r->span->place;
	int64_t since_s = r->span->since_s;
	struct log_files files;
	int rc = 0;

	/* A server may have been quiet for long; what was read last time is the log all the same. */
	if (place != NULL)
		since_s = place->last_s - (place->digest[0] != '\0' ? QUIET_DAYS : 1) * CLOCK_DAY_S;
	rc = find_files(r, &files, path, since_s, err);
	if (rc == 0 && files.count > 0)
		rc = read_files(r, &files, err) < 0 ? -1 : 1;
	files_clear(&files);
	return rc;
}

static int
find_and_read(struct reading *r, struct error *err)
{
	const char *const *places = r->s->mta->logs;
	char *own = r->s->mta->setup == mta_postfix.setup ? postfix_log(r->s) : NULL;
	int rc = 0;

	if (own != NULL)
		rc = try_log(r, own, err);
	for (size_t i = 0; rc == 0 && places[i] != NULL; i++)
		rc = try_log(r, places[i], err);
	free(own);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = read_journal(r, err);
	if (rc > 0)
		rc = error_set(err, ERROR_CONFIG,
			"no mail log was found (%s and the like, or a journal): name it", places[0]);
	return rc;
}

/* The one that is configured, old or not. */
static int
read_configured(struct reading *r, struct error *err)
{
	const char *path = r->s->log_path;
	int rc;

	if (strcmp(path, JOURNAL) == 0) {
		rc = read_journal(r, err);
		return rc > 0 ? error_set(err, ERROR_CONFIG, "there is no journalctl here") : rc;
	}
	rc = try_log(r, path, err);
	if (rc == 0 && (r->span->place == NULL || !file_exists(path)))
		return read_file(r, path, err);
	return rc < 0 ? -1 : 0;
}

int
log_source_read(const struct update_settings *s, const struct log_span *span, log_line_sink *sink,
	void *arg, struct log_said *said, struct error *err)
{
	struct reading r = {.s = s, .span = span, .said = said, .sink = sink, .arg = arg};
	int rc;

	r.lines = xcalloc(1, sizeof(*r.lines));
	if (span->path == NULL)
		rc = s->log_path != NULL ? read_configured(&r, err) : find_and_read(&r, err);
	else if (strcmp(span->path, "-") == 0)
		rc = read_fd(&r, STDIN_FILENO, "standard input", span->now_s, err);
	else
		rc = read_file(&r, span->path, err);
	free(r.lines);
	return rc;
}

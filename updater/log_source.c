#include "updater/log_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/mta.h"
#include "updater/postfix.h"
#include "updater/settings.h"
#include "updater/tool.h"

/* More than a year of daily ones. */
#define FILES_MAX 1000
/* A journal of many days on a slow disk. */
#define JOURNAL_TIMEOUT_MS (15 * 60 * 1000)
#define JOURNAL            "journal"

/* A log, or what was rotated away of it. */
struct log_file {
	char *path; /* owned */
	int64_t written_s;
	uint64_t number; /* of "mail.log.2.gz": 2; the larger, the older; of "mail.log" 0 */
	bool foreign;    /* compressed, but not by gzip */
};

struct log_files {
	struct log_file *at; /* owned */
	size_t count;
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
	for (size_t i = 0; i < files->count; i++)
		free(files->at[i].path);
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
	if (rest[0] == '\0')
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

static void
find_in(struct log_files *files, DIR *dir, const char *folder, const char *name, int64_t since_s)
{
	const struct dirent *e;

	while (files->count < FILES_MAX && (e = readdir(dir)) != NULL) {
		struct log_file f;
		struct stat st;

		if (!str_starts(e->d_name, name) || !is_rotated(e->d_name + strlen(name), &f) ||
			fstatat(dirfd(dir), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
			st.st_mtim.tv_sec < since_s)
			continue;
		f.written_s = st.st_mtim.tv_sec;
		f.path = xasprintf("%s/%s", folder, e->d_name);
		files->at = xreallocarray(files->at, files->count + 1, sizeof(f));
		files->at[files->count++] = f;
	}
}

/* The log and what was rotated away of it, as far as it was written since then. */
static void
find_files(struct log_files *files, const char *path, int64_t since_s)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path));
	DIR *dir = opendir(folder[0] != '\0' ? folder : "/");

	memset(files, 0, sizeof(*files));
	if (dir != NULL) {
		find_in(files, dir, folder, slash == NULL ? path : slash + 1, since_s);
		(void)closedir(dir);
	}
	if (files->count > 0)
		qsort(files->at, files->count, sizeof(*files->at), compare_files);
	free(folder);
}

static int
read_fd(struct reading *r, int fd, const char *name, int64_t latest_s, struct error *err)
{
	int rc;

	log_lines_begin(r->lines, r->sink, r->arg, latest_s);
	rc = log_lines_read(r->lines, fd, 0, name, err);
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

/* All of one log; the log itself must be readable, its past need not be. */
static int
read_files(struct reading *r, const struct log_files *files, struct error *err)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct log_file *f = &files->at[i];
		struct error why = {0};

		if (f->foreign)
			error_set(&why, ERROR_INPUT, "%s: compressed by another program than gzip",
				f->path);
		else if (read_file(r, f->path, &why) == 0)
			continue;
		if (i + 1 == files->count && !f->foreign) {
			*err = why;
			return -1;
		}
		say(&r->said->skipped, &r->said->skipped_count, xstrdup(why.text));
	}
	return 0;
}

/* --- the journal --------------------------------------------------------------------------------
 */

static int
feed(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	struct reading *r = arg;

	log_lines_feed(r->lines, data, len);
	return 0;
}

/* Whatever was logged as mail (RFC 5424 facility 2), by whichever service. 0; 1 there is no journalctl; -1. */
static int
read_journal(struct reading *r, struct error *err)
{
	char *program = tool_find(r->s->journalctl, "journalctl"), *why;
	char *since = xasprintf("--since=@%" PRId64, r->span->since_s);
	const char *const argv[] = {program, "--quiet", "--no-pager", "--utc", "--output=short-iso",
		since, "SYSLOG_FACILITY=2", NULL};
	struct tool_result result;
	int rc = 1;

	if (program == NULL)
		goto out;
	log_lines_begin(r->lines, r->sink, r->arg, r->span->now_s);
	rc = tool_stream(argv, JOURNAL_TIMEOUT_MS, feed, r, &result, err);
	log_lines_end(r->lines);
	if (rc == 0 && result.status != 0) {
		why = tool_complaint(&result);
		rc = error_set(err, ERROR_CONFIG, "%s: %s", program, why);
		free(why);
	}
	if (rc == 0)
		say(&r->said->read, &r->said->read_count, xstrdup("the journal"));
	tool_result_clear(&result);
out:
	free(since);
	free(program);
	return rc;
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

static const char *const exim_logs[] = {
	"/var/log/exim4/mainlog", "/var/log/exim/mainlog", "/var/log/exim/main.log", NULL};
static const char *const syslog_logs[] = {
	"/var/log/mail.log", "/var/log/maillog", "/var/log/mail", NULL};

/* 1 it was read, 0 nothing of it was written since then, -1. */
static int
try_log(struct reading *r, const char *path, struct error *err)
{
	struct log_files files;
	int rc = 0;

	find_files(&files, path, r->span->since_s);
	if (files.count > 0)
		rc = read_files(r, &files, err) < 0 ? -1 : 1;
	files_clear(&files);
	return rc;
}

static int
find_and_read(struct reading *r, struct error *err)
{
	bool exim = strcmp(r->s->mta->name, "exim") == 0;
	const char *const *places = exim ? exim_logs : syslog_logs;
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
	if (rc == 0)
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

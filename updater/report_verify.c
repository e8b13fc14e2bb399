/* report_verify: whether a file is the list of a source, by the trusted metadata that is here. Both are foreign bytes, and
 * are looked at inside (told.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/list_fetch.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/told.h"
#include "updater/tuf_known.h"
#include "updater/when.h"

struct question {
	const struct update_settings *s;
	const char *path;
	int64_t now_s;
	int fd;
	/* What is trusted of each source, and whether there is something. */
	struct tuf_known known[SOURCES_MAX];
	int have[SOURCES_MAX]; /* as tuf_known_read() */
	struct error not_read[SOURCES_MAX];
};

/* --- inside -------------------------------------------------------------------------------------
 */

/* The layout, read to the end: what may follow from the hash, but is worth saying. */
static int
check_layout(const struct question *q, struct list_header *header, int64_t *entries, struct error *err)
{
	struct list_reader *list = NULL;
	const struct list_entry *e;
	int rc;

	if (list_reader_open_fd(q->fd, q->path, &list, err) < 0)
		return -1;
	while ((rc = list_reader_next(list, &e, err)) > 0)
		continue;
	*header = *list_reader_header(list);
	header->author = NULL; /* the reader's */
	*entries = list_reader_count(list);
	list_reader_close(list);
	return rc;
}

/* 1 it is the list of the i-th source; 0 there is none yet that is known; -1, ERROR_SECURITY when it is another. */
static int
is_of_source(const struct question *q, size_t i, struct error *err)
{
	struct tuf_file said;
	int rc;

	if (q->have[i] < 0) {
		*err = q->not_read[i];
		return -1;
	}
	if (q->have[i] == 0)
		return error_set(err, ERROR_CONFIG, "%s/root.json: not there: nothing was fetched yet",
			q->known[i].dir);
	rc = tuf_known_target(&q->known[i], LIST_TARGET, &said, err);
	if (rc > 0 && tuf_check_fd(&said, q->fd, q->path, err) < 0)
		rc = -1;
	return rc;
}

/* Of no source: what is wrong with it may be worth saying. */
static int
tell_stranger(const struct question *q, struct error *err)
{
	struct list_header header;
	struct error layout = {0};
	int64_t entries;

	if (err->kind == ERROR_NONE)
		return error_set(err, ERROR_CONFIG, "no list is known yet: run preload25-update");
	if (err->kind != ERROR_SECURITY)
		return -1;
	if (check_layout(q, &header, &entries, &layout) < 0)
		error_set(err, ERROR_SECURITY, "%s", layout.text);
	return error_prefix(err, q->s->source_count > 1 ? "not a list that an authority of yours has signed"
							: "not the list that the authority has signed");
}

static int
tell(void *arg, FILE *out, struct error *err)
{
	const struct question *q = arg;
	const struct update_settings *s = q->s;
	struct list_header header;
	char text[WHEN_SIZE];
	int64_t entries;
	size_t i = 0;
	int rc = 0;

	for (; i < s->source_count; i++) {
		struct error why = {0};

		rc = is_of_source(q, i, &why);
		if (rc > 0)
			break;
		if (source_gravity(why.kind) > source_gravity(err->kind))
			*err = why;
	}
	if (rc <= 0)
		return tell_stranger(q, err);
	error_clear(err);
	if (check_layout(q, &header, &entries, err) < 0) {
		err->kind = ERROR_SECURITY;
		return -1;
	}
	fprintf(out, "%s: list %" PRId64 " of %s, %" PRId64 " entries, as signed by the authority", q->path,
		header.version, when(header.timestamp_s, q->now_s, text), entries);
	if (s->source_count > 1)
		fprintf(out, " of %s", s->sources[i].name);
	fputc('\n', out);
	return 0;
}

/* --- outside ------------------------------------------------------------------------------------
 */

static int
open_file(const char *path, int *fd, struct error *err)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
	return 0;
}

int
report_verify(const struct update_settings *s, const char *path, int64_t now_s, FILE *out,
	struct error *err)
{
	struct question q = {.s = s, .path = path, .now_s = now_s};
	const struct told told = {.what = "reading the list",
		.s = s,
		.files = &q.fd,
		.file_count = 1,
		.tell = tell,
		.arg = &q};
	int rc = open_file(path, &q.fd, err);

	for (size_t i = 0; rc == 0 && i < s->source_count; i++) {
		char *dir = job_metadata_dir(s, i);

		q.have[i] = tuf_known_read(dir, TUF_ROLE_TARGETS, &q.known[i], &q.not_read[i]);
		free(dir);
	}
	if (rc == 0)
		rc = told_run(&told, out, err);
	for (size_t i = 0; i < s->source_count; i++)
		tuf_known_clear(&q.known[i]);
	if (q.fd >= 0)
		(void)close(q.fd);
	return rc;
}

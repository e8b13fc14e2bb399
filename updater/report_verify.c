/* report_verify: whether a file is the list of a source, by the trusted metadata that is here. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/file.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/list_fetch.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/tuf_client.h"
#include "updater/when.h"

/* The layout, read to the end: what may follow from the hash, but is worth saying. */
static int
check_layout(const char *path, struct list_header *header, int64_t *entries, struct error *err)
{
	struct list_reader *list = NULL;
	const struct list_entry *e;
	int rc;

	if (list_reader_open(path, &list, err) < 0)
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
is_of_source(const struct update_settings *s, size_t i, const char *path, int64_t now_s, struct error *err)
{
	char *dir = job_metadata_dir(s, i);
	struct tuf_client *c = NULL;
	struct tuf_file said;
	int rc = tuf_client_open(dir, NULL, now_s, &c, err);

	if (rc == 0)
		rc = tuf_client_target(c, LIST_TARGET, &said);
	if (rc > 0 && tuf_check_path(&said, path, err) < 0)
		rc = -1;
	tuf_client_free(c);
	free(dir);
	return rc;
}

/* Of no source: what is wrong with it may be worth saying. */
static int
tell_stranger(const struct update_settings *s, const char *path, struct error *err)
{
	struct list_header header;
	struct error layout = {0};
	int64_t entries;

	if (err->kind == ERROR_NONE)
		return error_set(err, ERROR_CONFIG, "no list is known yet: run preload25-update");
	if (err->kind != ERROR_SECURITY)
		return -1;
	if (check_layout(path, &header, &entries, &layout) < 0)
		error_set(err, ERROR_SECURITY, "%s", layout.text);
	return error_prefix(err, s->source_count > 1 ? "not a list that an authority of yours has signed"
						     : "not the list that the authority has signed");
}

int
report_verify(const struct update_settings *s, const char *path, int64_t now_s, FILE *out,
	struct error *err)
{
	struct list_header header;
	char text[WHEN_SIZE];
	int64_t entries;
	size_t i = 0;
	int rc = 0;

	if (!file_exists(path))
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	for (; i < s->source_count; i++) {
		struct error why = {0};

		rc = is_of_source(s, i, path, now_s, &why);
		if (rc > 0)
			break;
		if (source_gravity(why.kind) > source_gravity(err->kind))
			*err = why;
	}
	if (rc <= 0)
		return tell_stranger(s, path, err);
	error_clear(err);
	if (check_layout(path, &header, &entries, err) < 0) {
		err->kind = ERROR_SECURITY;
		return -1;
	}
	fprintf(out, "%s: list %" PRId64 " of %s, %" PRId64 " entries, as signed by the authority", path,
		header.version, when(header.timestamp_s, now_s, text), entries);
	if (s->source_count > 1)
		fprintf(out, " of %s", s->sources[i].name);
	fputc('\n', out);
	return 0;
}

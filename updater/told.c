#include "updater/told.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/confine.h"
#include "updater/settings.h"
#include "updater/worker.h"

/* Every list's entry of the longest kind does not come near. */
#define WORDS_MAX ((size_t)1024 * 1024)

/* Inside. */
static int
speak(void *arg, struct buf *report, struct error *err)
{
	const struct told *t = arg;
	char *words = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&words, &size);
	int rc;

	if (out == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", t->what);
	rc = t->tell(t->arg, out, err);
	if (fclose(out) != 0 && rc >= 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s", t->what);
	if (buf_add(report, words, size) < 0 && rc >= 0)
		rc = error_set(err, ERROR_INPUT, "%s: there is too much to tell", t->what);
	free(words);
	return rc;
}

/* A line may have come from anywhere. */
static void
write_line(const char *line, size_t len, FILE *out)
{
	size_t room = 4 * len + 4;
	char *shown = xcalloc(1, room);

	str_escape_controls(line, len, shown, room);
	fprintf(out, "%s\n", shown);
	free(shown);
}

static void
write_words(const struct buf *words, FILE *out)
{
	const char *p = buf_str(words), *end = p + words->len;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline != NULL ? newline : end) - p);

		write_line(p, len, out);
		p += len + 1;
	}
}

int
told_run(const struct told *t, FILE *out, struct error *err)
{
	struct worker worker = {.what = t->what,
		.confine = {.dir = -1, .files = t->files, .file_count = t->file_count},
		.time_ms = t->s->sandbox_time_s * INT64_C(1000),
		.work = speak,
		.arg = (void *)(uintptr_t)t};
	struct buf words;
	int rc;

	if (confine_find_user(t->s->sandbox_user, &worker.confine.user, err) < 0)
		return -1;
	buf_init(&words, WORDS_MAX);
	rc = worker_run(&worker, &words, err);
	write_words(&words, out);
	buf_clear(&words);
	return rc;
}

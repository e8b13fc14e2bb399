#include "updater/setup_files.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/job.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/setup.h"

#define MARK_BEGIN "BEGIN preload25: preload25-update setup wrote this; --revert takes it away"
#define MARK_END   "END preload25"
#define FRESH_MODE 0644

char *
setup_file_read(const char *path, struct error *err)
{
	struct buf bytes;
	char *text = NULL;

	buf_init(&bytes, SETUP_FILE_MAX);
	if (file_read(path, &bytes, err) < 0) {
		error_prefix(err, "setup");
	} else if (memchr(buf_str(&bytes), '\0', bytes.len) != NULL) {
		error_set(err, ERROR_CONFIG, "%s: has a NUL octet in it", path);
	} else {
		text = buf_take(&bytes);
	}
	buf_clear(&bytes);
	return text;
}

char *
setup_file_read_if_exists(const char *path, struct error *err)
{
	return file_exists(path) ? setup_file_read(path, err) : xstrdup("");
}

char *
setup_block(const char *comment, const char *lines)
{
	return xasprintf("%s " MARK_BEGIN "\n%s%s " MARK_END "\n", comment, lines, comment);
}

char *
setup_text_without_blocks(const char *text, const char *comment)
{
	char *begin = xasprintf("%s " MARK_BEGIN "\n", comment);
	char *end = xasprintf("%s " MARK_END "\n", comment);
	struct buf out;
	char *result;

	buf_init(&out, SETUP_FILE_MAX);
	for (;;) {
		const char *from = strstr(text, begin);
		const char *to = from != NULL ? strstr(from, end) : NULL;

		if (to == NULL)
			break;
		buf_add(&out, text, (size_t)(from - text));
		text = to + strlen(end);
	}
	buf_add_str(&out, text);
	result = buf_take(&out);
	buf_clear(&out);
	free(begin);
	free(end);
	return result;
}

char *
setup_text_insert(const char *text, size_t at, const char *block)
{
	assert(at <= strlen(text));
	return xasprintf("%.*s%s%s", (int)at, text, block, text + at);
}

void
setup_files_add(struct setup_files *f, const char *path, char *before, char *after, char *added)
{
	struct setup_file *file = &f->files[f->count];

	assert(f->count < SETUP_FILES_MAX);
	*file = (struct setup_file){xstrdup(path), before, after, added};
	if ((before == NULL && after == NULL) ||
		(before != NULL && after != NULL && strcmp(before, after) == 0)) {
		free(file->path);
		free(before);
		free(after);
		free(added);
		return;
	}
	f->count++;
}

static void
tell(const struct setup_files *f, FILE *out)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct setup_file *file = &f->files[i];

		if (file->added == NULL)
			fprintf(out, "%s: %s\n", file->path,
				file->after == NULL ? "is taken away"
						    : "what setup has added is taken away");
		else
			fprintf(out, "%s: %s\n\n%s\n", file->path,
				file->before == NULL ? "a new file" : "gets", file->added);
	}
}

int
setup_file_write(const char *path, const char *text, struct error *err)
{
	char *real = realpath(path, NULL);
	const char *target = real != NULL ? real : path;
	struct stat st = {.st_mode = FRESH_MODE};
	bool there = stat(target, &st) == 0;
	int rc = file_replace(target, text, strlen(text), st.st_mode & 07777, err);

	/* Who may read a configuration is the administrator's decision. */
	if (rc == 0 && there && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
		chown(target, st.st_uid, st.st_gid) < 0)
		rc = error_set_errno(err, ERROR_CONFIG, "%s: cannot keep its owner", target);
	free(real);
	return rc;
}

static int
put(const char *path, const char *text, struct error *err)
{
	if (text != NULL)
		return setup_file_write(path, text, err);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot remove it", path);
	return 0;
}

static int
keep_backup(const struct setup_file *file, const struct setup_options *options, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];
	char *backup;
	struct stat st;
	int rc;

	if (stat(file->path, &st) < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", file->path);
	clock_format(options->now_s, text);
	backup = xasprintf("%s.preload25-%s", file->path, text);
	rc = file_replace(backup, file->before, strlen(file->before), st.st_mode & 07777, err);
	if (rc == 0)
		fprintf(options->out, "kept %s as %s\n", file->path, backup);
	free(backup);
	return rc;
}

/* The first count of them. */
static void
undo(const struct setup_files *f, size_t count)
{
	struct error why = {0};

	while (count-- > 0)
		if (put(f->files[count].path, f->files[count].before, &why) < 0)
			log_error("cannot undo: %s", why.text);
}

void
setup_files_undo(const struct setup_files *f)
{
	undo(f, f->count);
}

int
setup_files_put(
	const struct setup_files *f, const struct setup_options *options, struct error *err)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->files[i].before != NULL && f->files[i].after != NULL &&
			keep_backup(&f->files[i], options, err) < 0)
			return -1;
	for (size_t i = 0; i < f->count; i++)
		if (put(f->files[i].path, f->files[i].after, err) < 0) {
			undo(f, i + 1);
			return -1;
		}
	return 0;
}

int
setup_files_finish(const struct setup_files *f, const struct update_settings *s,
	const struct setup_options *options, int (*check)(void *arg, struct error *err), void *arg,
	const char *reload, struct error *err)
{
	FILE *out = options->out;
	int rc = 0;

	if (f->count == 0) {
		fprintf(out, options->revert ? "nothing of setup's is there to be taken away\n"
					     : "the configuration has all it needs\n");
	} else {
		fputc('\n', out);
		tell(f, out);
	}
	if (options->check)
		return f->count > 0 ? 1 : 0;
	/* A mail server that cannot find its map keeps mail back. */
	if (options->apply && (rc = job_make_empty_map(s, err)) < 0)
		return -1;
	if (rc > 0)
		fprintf(out, "made %s, without entries: run preload25-update to fill it\n",
			s->map_file);
	if (f->count == 0)
		return 0;
	if (!options->apply && !options->revert) {
		fprintf(out,
			"preload25-update setup %s --apply%s makes these changes, after a backup; then "
			"run: %s\n",
			s->mta->name, options->more != NULL ? options->more : "", reload);
		return 0;
	}
	rc = setup_files_put(f, options, err);
	if (rc == 0) {
		rc = check(arg, err);
		if (rc < 0)
			setup_files_undo(f);
	}
	if (rc < 0)
		return error_prefix(err, "nothing was changed");
	fprintf(out, "done; now run: %s\n", reload);
	return 0;
}

void
setup_files_clear(struct setup_files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->files[i].path);
		free(f->files[i].before);
		free(f->files[i].after);
		free(f->files[i].added);
	}
	f->count = 0;
}

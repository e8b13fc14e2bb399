#include "updater/map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

/* The list is public, and "postmap -q" should answer everybody. */
#define MAP_MODE 0644

struct map_writer {
	const struct map_kind *kind;
	char *file;
	char *temporary; /* NULL once renamed */
	int fd;          /* -1 when closed */
	void *state;     /* NULL when ended */
	struct error first;
};

char *
map_file(const struct map_kind *kind, const char *path)
{
	return str_ends(path, kind->suffix) ? xstrdup(path) : xasprintf("%s%s", path, kind->suffix);
}

char *
map_table(const struct map_kind *kind, const char *file)
{
	return xasprintf("%s:%.*s", kind->name, (int)(strlen(file) - strlen(kind->suffix)), file);
}

/* A hidden name beside the file. The caller frees it. */
static char *
hidden(const char *file, const char *end)
{
	char *dir = file_dir_of(file);
	char *path = xasprintf("%s/.%s%s", dir, file_name_of(file), end);

	free(dir);
	return path;
}

int
map_writer_open(
	const struct map_kind *kind, const char *file, struct map_writer **out, struct error *err)
{
	struct map_writer *w = xcalloc(1, sizeof(*w));
	char *end = xasprintf(".new%s", kind->suffix);

	*out = NULL;
	assert(str_ends(file, kind->suffix));
	w->kind = kind;
	w->file = xstrdup(file);
	/* The mail server's own tool looks into it before it is installed, so the name must end as
	 * the type wants it. O_EXCL: nobody's link is followed. */
	w->temporary = hidden(file, end);
	free(end);
	(void)unlink(w->temporary);
	w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MAP_MODE);
	if (w->fd < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s: cannot write", file);
		free(w->temporary);
		w->temporary = NULL;
		goto fail;
	}
	if (fchmod(w->fd, MAP_MODE) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s: cannot set its mode", file);
		goto fail;
	}
	w->state = kind->begin(w->fd, w->temporary);
	if (w->state == NULL) {
		error_set_errno(err, ERROR_TEMP, "%s: cannot write", file);
		goto fail;
	}
	*out = w;
	return 0;
fail:
	map_writer_free(w);
	return -1;
}

void
map_writer_add(struct map_writer *w, const char *key, const char *value, size_t len)
{
	if (w->first.kind == ERROR_NONE && w->kind->add(w->state, key, strlen(key), value, len) < 0)
		error_set_errno(&w->first, ERROR_TEMP, "%s: cannot write", w->file);
}

int
map_writer_finish(struct map_writer *w, struct error *err)
{
	if (w->first.kind == ERROR_NONE && w->kind->end(w->state) < 0)
		error_set_errno(&w->first, ERROR_TEMP, "%s: cannot write", w->file);
	w->kind->discard(w->state);
	w->state = NULL;
	if (w->first.kind == ERROR_NONE && fsync(w->fd) < 0)
		error_set_errno(&w->first, ERROR_TEMP, "%s: cannot sync", w->file);
	if (close(w->fd) < 0 && w->first.kind == ERROR_NONE)
		error_set_errno(&w->first, ERROR_TEMP, "%s: cannot write", w->file);
	w->fd = -1;
	if (w->first.kind == ERROR_NONE)
		return 0;
	*err = w->first;
	return -1;
}

const char *
map_writer_path(const struct map_writer *w)
{
	return w->temporary;
}

/* FILE.1 becomes another name of the present file, in one step: at no time is either missing. Where
 * that cannot be done (a file system without links, a map of another owner) a new map is still
 * worth more than the old one kept. */
static void
keep(const struct map_writer *w)
{
	char *old = xasprintf("%s.1", w->file);
	char *link_name = hidden(w->file, ".1.new");

	(void)unlink(link_name);
	if ((link(w->file, link_name) < 0 && errno != ENOENT) ||
		(rename(link_name, old) < 0 && errno != ENOENT))
		log_warning("%s: cannot keep it as %s: %s", w->file, old, strerror(errno));
	/* When both already were the same file, rename() has done nothing. */
	(void)unlink(link_name);
	free(link_name);
	free(old);
}

/* A process of Postfix that has the previous map open asks it until that file has no name left or
 * another time of change, in whole seconds: as FILE.1 it would be asked on and on. Only once the new
 * map is in place, since who opens the old one after its change would see none. Also when nothing
 * was kept now: a run that was killed may not have come so far. */
static void
expire_previous(const struct map_writer *w)
{
	char *old = xasprintf("%s.1", w->file);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;

	if (lstat(old, &st) == 0 && S_ISREG(st.st_mode)) {
		times[1] = st.st_mtim;
		times[1].tv_sec++;
		if (utimensat(AT_FDCWD, old, times, AT_SYMLINK_NOFOLLOW) < 0)
			log_warning("%s: cannot set its time: %s", old, strerror(errno));
	}
	free(old);
}

/* OpenSMTPD opens a file anew when its time of change differs, in whole seconds. */
static int
make_newer(const struct map_writer *w, struct error *err)
{
	struct stat before, now;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	if (stat(w->file, &before) < 0 || stat(w->temporary, &now) < 0 ||
		before.st_mtim.tv_sec != now.st_mtim.tv_sec)
		return 0;
	times[1] = before.st_mtim;
	times[1].tv_sec++;
	if (utimensat(AT_FDCWD, w->temporary, times, 0) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot set its time", w->file);
	return 0;
}

int
map_writer_install(struct map_writer *w, bool keep_previous, struct error *err)
{
	assert(w->state == NULL && w->fd < 0 && w->temporary != NULL);
	if (make_newer(w, err) < 0)
		return -1;
	if (keep_previous)
		keep(w);
	if (rename(w->temporary, w->file) < 0)
		return error_set_errno(
			err, ERROR_CONFIG, "%s: cannot rename into place", w->file);
	free(w->temporary);
	w->temporary = NULL;
	expire_previous(w);
	return file_sync_parent(w->file, err);
}

void
map_writer_free(struct map_writer *w)
{
	if (w == NULL)
		return;
	if (w->state != NULL)
		w->kind->discard(w->state);
	if (w->fd >= 0)
		(void)close(w->fd);
	if (w->temporary != NULL)
		(void)unlink(w->temporary);
	free(w->temporary);
	free(w->file);
	free(w);
}

static int
install_empty(const struct map_kind *kind, const char *file, bool keep_previous, struct error *err)
{
	struct map_writer *w = NULL;
	int rc = -1;

	if (map_writer_open(kind, file, &w, err) < 0)
		return -1;
	map_writer_add(w, MAP_SENTINEL, "0", 1);
	if (map_writer_finish(w, err) == 0)
		rc = map_writer_install(w, keep_previous, err);
	map_writer_free(w);
	return rc;
}

int
map_make_empty(const struct map_kind *kind, const char *file, struct error *err)
{
	if (file_exists(file))
		return 0;
	return install_empty(kind, file, false, err) < 0 ? -1 : 1;
}

int
map_empty(const struct map_kind *kind, const char *file, struct error *err)
{
	return install_empty(kind, file, true, err);
}

int
map_find(const struct map_kind *kind, const char *file, const char *key, struct buf *out,
	struct error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = -1;

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", file);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", file);
		goto out;
	}
	rc = kind->find(fd, file, key, strlen(key), out);
	if (rc < 0)
		error_set(err, ERROR_CONFIG, "%s: not a %s map", file, kind->name);
out:
	(void)close(fd);
	return rc;
}

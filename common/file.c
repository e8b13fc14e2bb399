#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"

#define WRITER_BUFFER ((size_t)128 * 1024)

struct file_writer {
	char *path;
	char *temporary; /* NULL once renamed or removed */
	int fd;          /* -1 when closed */
	char *buffer;
	size_t used;
	struct error first; /* the first failure */
};

struct file_lock {
	int fd;
};

int
file_read_if_exists(const char *path, struct buf *out, struct error *err)
{
	char chunk[16384];
	struct stat st;
	int rc = -1;
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	}
	if (fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
		goto out;
	}
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "%s", path);
			goto out;
		}
		if (n == 0)
			break;
		if (buf_add(out, chunk, (size_t)n) < 0) {
			error_set(err, ERROR_INPUT, "%s: larger than %zu bytes", path, out->max);
			goto out;
		}
	}
	rc = 1;
out:
	(void)close(fd);
	return rc;
}

int
file_read(const char *path, struct buf *out, struct error *err)
{
	int rc = file_read_if_exists(path, out, err);

	if (rc == 0) {
		errno = ENOENT;
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	}
	return rc < 0 ? -1 : 0;
}

char *
file_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

const char *
file_name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int
file_writer_open(const char *path, mode_t mode, struct file_writer **out, struct error *err)
{
	struct file_writer *w = xcalloc(1, sizeof(*w));
	char *dir = file_dir_of(path);

	*out = NULL;
	w->path = xstrdup(path);
	w->temporary = xasprintf("%s/.%s.tmp-XXXXXX", dir, file_name_of(path));
	free(dir);
	w->fd = mkostemp(w->temporary, O_CLOEXEC);
	if (w->fd < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s: cannot write", path);
		free(w->temporary);
		w->temporary = NULL;
		file_writer_free(w);
		return -1;
	}
	if (fchmod(w->fd, mode) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s: cannot set its mode", path);
		file_writer_free(w);
		return -1;
	}
	w->buffer = xcalloc(WRITER_BUFFER, 1);
	*out = w;
	return 0;
}

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void
write_out(struct file_writer *w, const char *data, size_t len)
{
	if (w->first.kind == ERROR_NONE && write_all(w->fd, data, len) < 0)
		error_set_errno(&w->first, ERROR_TEMP, "%s: cannot write", w->path);
}

static void
flush(struct file_writer *w)
{
	write_out(w, w->buffer, w->used);
	w->used = 0;
}

void
file_writer_add(struct file_writer *w, const void *data, size_t len)
{
	if (w->first.kind != ERROR_NONE)
		return;
	if (len > WRITER_BUFFER - w->used)
		flush(w);
	if (len > WRITER_BUFFER) {
		write_out(w, data, len);
		return;
	}
	memcpy(w->buffer + w->used, data, len);
	w->used += len;
}

int
file_writer_flush(struct file_writer *w, struct error *err)
{
	flush(w);
	if (w->first.kind == ERROR_NONE)
		return 0;
	*err = w->first;
	return -1;
}

const char *
file_writer_path(const struct file_writer *w)
{
	return w->temporary;
}

int
file_writer_fd(const struct file_writer *w)
{
	return w->fd;
}

int
file_writer_commit(struct file_writer *w, struct error *err)
{
	char *dir;
	int rc;

	if (file_writer_flush(w, err) < 0)
		return -1;
	if (fsync(w->fd) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot sync", w->path);
	rc = close(w->fd);
	w->fd = -1;
	if (rc < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot write", w->path);
	if (rename(w->temporary, w->path) < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot rename into place", w->path);
	free(w->temporary);
	w->temporary = NULL;
	dir = file_dir_of(w->path);
	rc = file_sync_dir(dir, err);
	free(dir);
	return rc;
}

void
file_writer_free(struct file_writer *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0)
		(void)close(w->fd);
	if (w->temporary != NULL)
		(void)unlink(w->temporary);
	free(w->temporary);
	free(w->path);
	free(w->buffer);
	free(w);
}

int
file_replace(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	struct file_writer *w = NULL;
	int rc;

	if (file_writer_open(path, mode, &w, err) < 0)
		return -1;
	file_writer_add(w, data, len);
	rc = file_writer_commit(w, err);
	file_writer_free(w);
	return rc;
}

int
file_create(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), rc = 0;

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot write", path);
	/* Whatever the umask. */
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot write", path);
	if (close(fd) < 0 && rc == 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot write", path);
	return rc;
}

static int
make_dir(const char *path, mode_t mode, struct error *err)
{
	/* Whatever the umask. */
	if (mkdir(path, mode) == 0 ? chmod(path, mode) == 0 : errno == EEXIST)
		return 0;
	return error_set_errno(err, ERROR_CONFIG, "%s: cannot make the directory", path);
}

int
file_mkdirs(const char *path, mode_t mode, struct error *err)
{
	char *copy = xstrdup(path);
	struct stat st;
	int rc = 0;

	for (char *p = copy + 1; rc == 0 && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		rc = make_dir(copy, mode, err);
		*p = '/';
	}
	if (rc == 0)
		rc = make_dir(copy, mode, err);
	if (rc == 0 && (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode)))
		rc = error_set(err, ERROR_CONFIG, "%s: not a directory", copy);
	free(copy);
	return rc;
}

int
file_sync(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot open", path);
	if (fsync(fd) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot sync", path);
	(void)close(fd);
	return rc;
}

int
file_sync_dir(const char *dir, struct error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot open the directory", dir);
	if (fsync(fd) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot sync the directory", dir);
	(void)close(fd);
	return rc;
}

int
file_sync_parent(const char *path, struct error *err)
{
	char *dir = file_dir_of(path);
	int rc = file_sync_dir(dir, err);

	free(dir);
	return rc;
}

static void
remove_stale(const char *dir, const char *name)
{
	char *pattern = xasprintf("%s/.%s.tmp-??????", dir, name);
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}

int
file_remove_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(fd, e->d_name, 0);
	if (dir != NULL)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
	return unlinkat(at, name, AT_REMOVEDIR);
}

void
file_remove_stale(const char *path)
{
	char *dir = file_dir_of(path);

	remove_stale(dir, file_name_of(path));
	free(dir);
}

void
file_remove_stale_in(const char *dir)
{
	remove_stale(dir, "*");
}

bool
file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

int
file_lock_take(const char *path, struct file_lock **out, struct error *err)
{
	struct file_lock *lock;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	*out = NULL;
	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot open the lock file", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			error_set(err, ERROR_TEMP, "%s: another run is under way", path);
		else
			error_set_errno(err, ERROR_TEMP, "%s: cannot lock", path);
		(void)close(fd);
		return -1;
	}
	lock = xcalloc(1, sizeof(*lock));
	lock->fd = fd;
	*out = lock;
	return 0;
}

void
file_lock_free(struct file_lock *lock)
{
	if (lock == NULL)
		return;
	(void)close(lock->fd);
	free(lock);
}

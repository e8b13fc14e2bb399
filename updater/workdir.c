#include "updater/workdir.h"

#include <dirent.h>
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
#include "common/xalloc.h"
#include "export/tuf_metadata.h"

/* Its own files lie there beside what belongs to others. */
#define DIR_MODE  0700
#define READ_MODE 0750
#define FILE_MODE 0644
/* So deep may folders lie that are removed at once; of deeper ones the next run finds fewer. */
#define PASSES_MAX 4096

#define PARTS (WORKDIR_FETCHED + 1)
static const char *const names[PARTS] = {
	[WORKDIR_KNOWN] = WORKDIR_KNOWN_NAME,
	[WORKDIR_METADATA] = WORKDIR_METADATA_NAME,
	[WORKDIR_FETCHED] = WORKDIR_FETCHED_NAME,
};

struct workdir {
	char *path;
	int fds[PARTS];
};

static int
open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static DIR *
list_dir(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own >= 0 ? fdopendir(own) : NULL;

	if (dir == NULL && own >= 0)
		(void)close(own);
	return dir;
}

/* A folder out of another one, under a name that nothing has there. */
static void
bring_up(int fd, const char *name, int to, size_t *next)
{
	char free_name[32];

	do
		(void)snprintf(free_name, sizeof(free_name), "%zu", (*next)++);
	while (renameat2(fd, name, to, free_name, RENAME_NOREPLACE) < 0 && errno == EEXIST);
}

/* Removes what is in a folder but its folders, each of which it hands over; how many there were. */
static size_t
remove_files(int fd, void (*hand)(int fd, const char *name, int to, size_t *next), int to, size_t *next)
{
	DIR *dir = list_dir(fd);
	const struct dirent *e;
	size_t count = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0 && errno == EISDIR) {
			hand(fd, e->d_name, to, next);
			count++;
		}
	}
	if (dir != NULL)
		(void)closedir(dir);
	return count;
}

static void
remove_folder(int fd, const char *name, int to, size_t *next)
{
	int sub = open_dir(fd, name);

	if (sub >= 0) {
		(void)remove_files(sub, bring_up, to, next);
		(void)close(sub);
	}
	(void)unlinkat(fd, name, AT_REMOVEDIR);
}

/* Removes all that is in it; what cannot be removed shows when the folder itself is. Folders are none of ours, and
 * lie as deep in each other as somebody likes: those in one come up before it goes, until none is left. */
static void
empty(int fd)
{
	size_t next = 0;

	for (size_t pass = 0; pass < PASSES_MAX && remove_files(fd, remove_folder, fd, &next) > 0; pass++)
		continue;
}

/* Behind a process that may have been anybody's; what cannot be removed shows when the folder itself is. */
static int
remove_all(const char *path)
{
	int fd = open_dir(AT_FDCWD, path);

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* Nobody else comes in any more. */
	if (geteuid() == 0 && fchown(fd, 0, 0) < 0) {
		(void)close(fd);
		return -1;
	}
	empty(fd);
	(void)close(fd);
	return rmdir(path);
}

char *
workdir_path(const struct workdir *wd, enum workdir_part part, const char *name)
{
	return part == WORKDIR_TOP ? xasprintf("%s/%s", wd->path, name)
				   : xasprintf("%s/%s/%s", wd->path, names[part], name);
}

static int
make_part(struct workdir *wd, enum workdir_part part, struct error *err)
{
	char *path = part == WORKDIR_TOP ? xstrdup(wd->path) : workdir_path(wd, WORKDIR_TOP, names[part]);
	int rc = 0;

	if (mkdir(path, DIR_MODE) < 0) {
		rc = error_set_errno(err, ERROR_CONFIG, "%s: cannot make the directory", path);
	} else {
		wd->fds[part] = open_dir(AT_FDCWD, path);
		if (wd->fds[part] < 0)
			rc = error_set_errno(err, ERROR_TEMP, "%s: cannot open the directory", path);
	}
	free(path);
	return rc;
}

int
workdir_open(const char *path, struct workdir **out, struct error *err)
{
	struct workdir *wd = xcalloc(1, sizeof(*wd));
	int rc = 0;

	*out = NULL;
	wd->path = xstrdup(path);
	for (int i = 0; i < PARTS; i++)
		wd->fds[i] = -1;
	if (remove_all(path) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot remove", path);
	for (int i = 0; rc == 0 && i < PARTS; i++)
		rc = make_part(wd, (enum workdir_part)i, err);
	if (rc == 0)
		*out = wd;
	else
		workdir_close(wd);
	return rc;
}

void
workdir_close(struct workdir *wd)
{
	if (wd == NULL)
		return;
	for (int i = 0; i < PARTS; i++)
		if (wd->fds[i] >= 0)
			(void)close(wd->fds[i]);
	/* The next run begins with it. */
	(void)remove_all(wd->path);
	free(wd->path);
	free(wd);
}

int
workdir_fd(const struct workdir *wd)
{
	return wd->fds[WORKDIR_TOP];
}

const int *
workdir_writable(const struct workdir *wd, size_t *count)
{
	*count = PARTS - WORKDIR_METADATA;
	return wd->fds + WORKDIR_METADATA;
}

int
workdir_link(struct workdir *wd, const char *path, const char *name, struct error *err)
{
	char *to = workdir_path(wd, WORKDIR_TOP, name);
	int rc = 1;

	if (link(path, to) < 0)
		rc = errno == ENOENT ? 0 : error_set_errno(err, ERROR_TEMP, "%s: cannot link", path);
	free(to);
	return rc;
}

int
workdir_put(struct workdir *wd, const char *path, enum workdir_part part, const char *name,
	size_t max, struct error *err)
{
	char *to = workdir_path(wd, part, name);
	struct buf text;
	int rc;

	buf_init(&text, max);
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0 && file_create(to, text.data, text.len, FILE_MODE, err) < 0)
		rc = -1;
	buf_clear(&text);
	free(to);
	return rc;
}

int
workdir_give(struct workdir *wd, const struct confine_user *user, struct error *err)
{
	if (!user->change)
		return 0;
	for (int i = PARTS - 1; i >= 0; i--) {
		bool writable = i >= WORKDIR_METADATA;

		if (fchown(wd->fds[i], writable ? user->uid : (uid_t)-1, user->gid) < 0 ||
			(!writable && fchmod(wd->fds[i], READ_MODE) < 0))
			return error_set_errno(err, ERROR_CONFIG, "%s: cannot give it to user %ld",
				wd->path, (long)user->uid);
	}
	return 0;
}

/* A file's descriptor for reading; its length and digest are not known until it was read. */
static int
open_file(const struct workdir *wd, enum workdir_part part, const char *name, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait. */
	int fd = openat(wd->fds[part], name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return error_set_errno(err, ERROR_SECURITY, "sandbox: %s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return error_set(err, ERROR_SECURITY, "sandbox: %s: not a regular file", name);
	}
	return fd;
}

int
workdir_take(const struct workdir *wd, enum workdir_part part, const char *name,
	const struct tuf_file *said, const char *path, mode_t mode, struct error *err)
{
	int fd = open_file(wd, part, name, err), rc = -1;
	struct file_writer *out = NULL;
	struct tuf_check *check;
	char chunk[65536];
	ssize_t n;

	if (fd < 0)
		return -1;
	check = tuf_check_new(said);
	if (file_writer_open(path, mode, &out, err) < 0)
		goto out;
	/* What is checked is what was read, once: the file may be changed, the copy is ours. */
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "sandbox: %s", name);
			goto out;
		}
		if (tuf_check_add(check, chunk, (size_t)n, err) < 0) {
			error_prefix(err, "sandbox: %s", name);
			goto out;
		}
		file_writer_add(out, chunk, (size_t)n);
	}
	if (tuf_check_end(check, err) < 0)
		error_prefix(err, "sandbox: %s", name);
	else
		rc = file_writer_commit(out, err);
out:
	file_writer_free(out);
	tuf_check_free(check);
	(void)close(fd);
	return rc;
}

#include "updater/fetch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

#define SCHEME "file:/"

bool
fetch_file_is_url(const char *url)
{
	return str_starts(url, SCHEME);
}

char *
fetch_file_path(const char *url)
{
	const char *from = url + strlen(SCHEME) - 1;

	if (str_starts(from, "//")) {
		from += 2;
		if (str_starts(from, "localhost/"))
			from += strlen("localhost");
		else if (*from != '/')
			return NULL;
	}
	/* No file has such a name. */
	if (strstr(from, "%00") != NULL)
		return NULL;
	return str_percent_decode(from, strlen(from));
}

/* Opening what turns out to be a FIFO must not wait. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

/* Part by part, so that none of them is a link; ".." leads nowhere. */
static int
open_without_links(int dir, const char *path)
{
	int at = dir, fd;

	for (;;) {
		size_t len = strcspn(path, "/");
		char *part = xasprintf("%.*s", (int)len, path);
		bool last = path[len] == '\0';

		errno = ELOOP;
		fd = strcmp(part, "..") == 0 ? -1
					     : openat(at, part,
						       O_NOFOLLOW | (last ? OPEN_FLAGS
									  : O_PATH | O_DIRECTORY |
								      O_CLOEXEC));
		free(part);
		if (at != dir)
			(void)close(at);
		/* So it is told of a link where a folder is wanted. */
		if (fd < 0 && errno == ENOTDIR)
			errno = ELOOP;
		if (last || fd < 0)
			return fd;
		at = fd;
		path += len + strspn(path + len, "/");
	}
}

/* Opens it from the tree that it lies in: the folders above that may be closed to this process. */
static int
open_path(const struct fetch_options *options, const char *path)
{
	for (size_t i = 0; i < options->tree_count; i++) {
		const struct fetch_tree *tree = &options->trees[i];
		size_t len = strlen(tree->path);

		while (len > 0 && tree->path[len - 1] == '/')
			len--;
		if (strncmp(path, tree->path, len) != 0 || path[len] != '/')
			continue;
		/* The folder itself was missing. */
		if (tree->fd < 0) {
			errno = ENOENT;
			return -1;
		}
		path += len;
		path += strspn(path, "/");
		return tree->foreign ? open_without_links(tree->fd, path)
				     : openat(tree->fd, path, OPEN_FLAGS);
	}
	return open(path, OPEN_FLAGS);
}

/* Only what has an end and is read without waiting: a file. 1 opened, 0 there is none, -1. */
static int
open_file(const struct fetch_options *options, const char *path, const char *url, int *out,
	struct error *err)
{
	int fd = open_path(options, path);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_SECURITY, "%s: behind a link", url);
	/* A socket, for one. */
	if (fd < 0 && errno == ENXIO)
		return error_set(err, ERROR_SECURITY, "%s: not a file", url);
	if (fd < 0)
		return error_set_errno(err, ERROR_TEMP, "%s", url);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return error_set(err, ERROR_SECURITY, "%s: not a file", url);
	}
	*out = fd;
	return 1;
}

int
fetch_file_get(const struct fetch_options *options, const char *url, int64_t max, fetch_sink *sink,
	void *arg, struct error *err)
{
	char *path = fetch_file_path(url), chunk[16384];
	ssize_t n;
	int fd, rc;

	if (path == NULL)
		return error_set(err, ERROR_CONFIG, "%s: no file of this machine", url);
	rc = open_file(options, path, url, &fd, err);
	free(path);
	if (rc <= 0)
		return rc;
	rc = -1;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "%s", url);
			goto out;
		}
		if (n > max) {
			error_set(err, ERROR_SECURITY, "%s: more bytes than it may have", url);
			goto out;
		}
		max -= n;
		if (sink(arg, chunk, (size_t)n, err) < 0) {
			error_prefix(err, "%s", url);
			goto out;
		}
	}
	rc = 1;
out:
	(void)close(fd);
	return rc;
}

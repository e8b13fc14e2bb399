#include "updater/fetch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"

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
		return openat(tree->fd, path, O_RDONLY | O_CLOEXEC);
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

int
fetch_file_get(const struct fetch_options *options, const char *url, int64_t max, fetch_sink *sink,
	void *arg, struct error *err)
{
	char *path = fetch_file_path(url), chunk[16384];
	ssize_t n;
	int fd, rc = -1;

	if (path == NULL)
		return error_set(err, ERROR_CONFIG, "%s: no file of this machine", url);
	fd = open_path(options, path);
	free(path);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return error_set_errno(err, ERROR_TEMP, "%s", url);
	}
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

/* Postfix's texthash: lines of key, blank, value. Read whole by each process that uses it, and only
 * after a reload, so for some thousand entries at most. */
#include "updater/map_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "updater/map.h"

static void *
begin(int fd, const char *path UNUSED)
{
	/* A stream of its own on the same open file; closing it leaves the caller's descriptor. */
	int copy = dup(fd);
	FILE *f;

	if (copy < 0)
		return NULL;
	f = fdopen(copy, "w");
	if (f == NULL)
		(void)close(copy);
	return f;
}

static int
add(void *state, const char *key, size_t key_len, const char *value, size_t len)
{
	FILE *f = state;

	if (fwrite(key, 1, key_len, f) != key_len || putc(' ', f) == EOF ||
		fwrite(value, 1, len, f) != len || putc('\n', f) == EOF)
		return -1;
	return 0;
}

static int
end(void *state)
{
	return fflush(state) == EOF ? -1 : 0;
}

static void
discard(void *state)
{
	(void)fclose(state);
}

static int
find(int fd, const char *path UNUSED, const char *key, size_t key_len, struct buf *out)
{
	int copy = dup(fd);
	FILE *f = copy >= 0 ? fdopen(copy, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int rc = 0;

	if (f == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	rewind(f);
	while (rc == 0 && (len = getline(&line, &size, f)) > 0) {
		if (line[len - 1] != '\n') {
			errno = EPROTO;
			rc = -1;
		} else if ((size_t)len > key_len + 1 && memcmp(line, key, key_len) == 0 &&
			line[key_len] == ' ') {
			rc = buf_add(out, line + key_len + 1, (size_t)len - key_len - 2) < 0 ? -1
											     : 1;
		}
	}
	if (rc == 0 && ferror(f))
		rc = -1;
	free(line);
	(void)fclose(f);
	return rc;
}

const struct map_kind map_texthash = {
	.name = "texthash",
	.suffix = "",
	.needs_reload = true,
	.begin = begin,
	.add = add,
	.end = end,
	.discard = discard,
	.find = find,
};

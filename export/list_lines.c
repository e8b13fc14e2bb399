#include "export/list_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/unzstd.h"

/* Read in pieces of this size; a line never exceeds a quarter of it. */
#define WINDOW ((size_t)256 * 1024)
/* The same of a compressed file. */
#define PACKED ((size_t)64 * 1024)

struct list_lines {
	char *name;
	int fd;
	bool fd_owned;
	off_t size; /* of the file */
	char *window;
	size_t pos, end; /* of what is unread in the window */
	off_t offset;    /* in the file, of window[end], or of what was read of the packed file */
	int64_t number;  /* of the line handed out last */
	struct unzstd *unzstd; /* NULL: a plain file */
	char *packed;
	const char *packed_at; /* what is left of it */
	size_t packed_len;
	bool unpacked; /* all of it is in the window, or was */
};

int
list_lines_refuse(
	const struct list_lines *l, int64_t behind, struct error *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return error_set(err, ERROR_INPUT, "%s: line %lld: %s", l->name,
		(long long)(l->number + behind), what);
}

/* --- opening ------------------------------------------------------------------------------------
 */

static int
open_lines(int fd, bool fd_owned, const char *name, struct list_lines **out, struct error *err)
{
	struct list_lines *l = xcalloc(1, sizeof(*l));
	struct stat st;

	l->name = xstrdup(name);
	l->fd = fd;
	l->fd_owned = fd_owned;
	l->window = xcalloc(1, WINDOW);
	*out = l;
	if (fstat(fd, &st) < 0)
		error_set_errno(err, ERROR_CONFIG, "%s", name);
	else if (!S_ISREG(st.st_mode))
		error_set(err, ERROR_CONFIG, "%s: not a regular file", name);
	else {
		l->size = st.st_size;
		return 0;
	}
	list_lines_close(l);
	*out = NULL;
	return -1;
}

int
list_lines_open_fd(int fd, const char *name, struct list_lines **out, struct error *err)
{
	return open_lines(fd, false, name, out, err);
}

static int
open_path(const char *path, const char *name, struct list_lines **out, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*out = NULL;
	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", name);
	return open_lines(fd, true, name, out, err);
}

int
list_lines_open(const char *path, struct list_lines **out, struct error *err)
{
	return open_path(path, path, out, err);
}

int
list_lines_open_zstd(
	const char *path, const char *name, int64_t max, struct list_lines **out, struct error *err)
{
	if (open_path(path, name, out, err) < 0)
		return -1;
	(*out)->unzstd = unzstd_new(max, NULL, NULL);
	(*out)->packed = xcalloc(1, PACKED);
	return 0;
}

void
list_lines_close(struct list_lines *l)
{
	if (l == NULL)
		return;
	if (l->fd_owned)
		(void)close(l->fd);
	unzstd_free(l->unzstd);
	free(l->packed);
	free(l->window);
	free(l->name);
	free(l);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* Fills out[len] from the offset: all of it, since the file's size is known. */
static int
read_at(const struct list_lines *l, char *out, size_t len, off_t offset, struct error *err)
{
	while (len > 0) {
		ssize_t n = pread(l->fd, out, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_TEMP, "%s", l->name);
		if (n == 0)
			return error_set(
				err, ERROR_INPUT, "%s: changed while it was read", l->name);
		out += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* Of len octets at most as many as are left of the file, from l->offset on. */
static int
read_on(struct list_lines *l, char *out, size_t len, size_t *got, struct error *err)
{
	if ((off_t)len > l->size - l->offset)
		len = (size_t)(l->size - l->offset);
	if (read_at(l, out, len, l->offset, err) < 0)
		return -1;
	l->offset += (off_t)len;
	*got = len;
	return 0;
}

/* Fills out[size] with what the packed file unpacks to; *got is less only at its end. */
static int
unpack(struct list_lines *l, char *out, size_t size, size_t *got, struct error *err)
{
	size_t n;

	for (*got = 0; *got < size && !l->unpacked; *got += n) {
		if (l->packed_len == 0 && l->offset < l->size) {
			l->packed_at = l->packed;
			if (read_on(l, l->packed, PACKED, &l->packed_len, err) < 0)
				return -1;
		}
		if (unzstd_step(l->unzstd, &l->packed_at, &l->packed_len, out + *got, size - *got,
			    &n, err) < 0)
			return error_prefix(err, "%s", l->name);
		if (n == 0 && l->packed_len == 0 && l->offset == l->size) {
			if (unzstd_end(l->unzstd, err) < 0)
				return error_prefix(err, "%s", l->name);
			l->unpacked = true;
		}
	}
	return 0;
}

/* Whether all there is has come into the window. */
static bool
is_drained(const struct list_lines *l)
{
	return l->unzstd != NULL ? l->unpacked : l->offset == l->size;
}

static int
fill(struct list_lines *l, struct error *err)
{
	size_t left = l->end - l->pos, got;
	int rc;

	memmove(l->window, l->window + l->pos, left);
	l->pos = 0;
	l->end = left;
	rc = l->unzstd != NULL ? unpack(l, l->window + left, WINDOW - left, &got, err)
			       : read_on(l, l->window + left, WINDOW - left, &got, err);
	if (rc == 0)
		l->end += got;
	return rc;
}

int
list_lines_next(struct list_lines *l, char **line, size_t *len, struct error *err)
{
	char *newline = NULL;

	l->number++;
	if (l->end > l->pos)
		newline = memchr(l->window + l->pos, '\n', l->end - l->pos);
	if (newline == NULL) {
		if (!is_drained(l) && fill(l, err) < 0)
			return -1;
		if (l->end == l->pos)
			return list_lines_refuse(l, 0, err, "the document ends early");
		newline = memchr(l->window + l->pos, '\n', l->end - l->pos);
	}
	*line = l->window + l->pos;
	*len = newline != NULL ? (size_t)(newline - *line) : l->end - l->pos;
	if (*len >= LIST_LINE_MAX)
		return list_lines_refuse(l, 0, err, "longer than %zu octets", LIST_LINE_MAX);
	if (newline == NULL)
		return list_lines_refuse(l, 0, err, "no newline at its end");
	l->pos += *len + 1;
	return 0;
}

int
list_lines_ended(struct list_lines *l, struct error *err)
{
	if (l->pos == l->end && !is_drained(l) && fill(l, err) < 0)
		return -1;
	return l->pos == l->end;
}

int64_t
list_lines_number(const struct list_lines *l)
{
	return l->number;
}

/* --- regular files ------------------------------------------------------------------------------
 */

const char *
list_lines_name(const struct list_lines *l)
{
	return l->name;
}

off_t
list_lines_size(const struct list_lines *l)
{
	return l->size;
}

off_t
list_lines_offset(const struct list_lines *l)
{
	return l->offset - (off_t)(l->end - l->pos);
}

void
list_lines_seek(struct list_lines *l, off_t offset, int64_t number)
{
	l->pos = 0;
	l->end = 0;
	l->offset = offset;
	l->number = number - 1;
}

int64_t
list_lines_before(struct list_lines *l, off_t offset)
{
	int64_t lines = 0;
	struct error ignored;

	for (off_t at = 0; at < offset;) {
		size_t len = offset - at < (off_t)WINDOW ? (size_t)(offset - at) : WINDOW;

		if (read_at(l, l->window, len, at, &ignored) < 0)
			return 0;
		for (size_t i = 0; i < len; i++)
			lines += l->window[i] == '\n';
		at += (off_t)len;
	}
	return lines;
}

int
list_lines_find_last(
	struct list_lines *l, const char *text, off_t within, off_t *out, struct error *err)
{
	size_t text_len = strlen(text);
	off_t low = l->size; /* everything from here on was searched */

	while (low > 0 && l->size - low < within) {
		size_t len = WINDOW - text_len;
		char *found = NULL;
		off_t high;

		if ((off_t)len > low)
			len = (size_t)low;
		low -= (off_t)len;
		high = low + (off_t)(len + text_len); /* it may begin here and end there */
		if (high > l->size)
			high = l->size;
		len = (size_t)(high - low);
		if (read_at(l, l->window, len, low, err) < 0)
			return -1;
		for (char *p = l->window;
			(p = memmem(p, len - (size_t)(p - l->window), text, text_len)) != NULL; p++)
			found = p;
		if (found != NULL) {
			*out = low + (off_t)(found - l->window);
			return 1;
		}
	}
	return 0;
}

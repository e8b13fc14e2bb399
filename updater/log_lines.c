#include "updater/log_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/error.h"
#include "common/xalloc.h"

#define BLOCK_SIZE ((size_t)256 * 1024)

void
log_lines_begin(struct log_lines *l, log_line_sink *sink, void *arg, int64_t latest_s)
{
	l->sink = sink;
	l->arg = arg;
	l->taken = l->count = 0;
	l->skipping = false;
	l->have = 0;
	log_time_begin(&l->when, latest_s);
}

static void
hand_out(struct log_lines *l, const char *line, size_t len)
{
	l->count++;
	l->sink(l->arg, &l->when, line, len);
}

/* Keeps what belongs to a line that goes on; false: it is too long. */
static bool
keep(struct log_lines *l, const char *data, size_t len)
{
	if (l->skipping || len > sizeof(l->part) - l->have) {
		l->skipping = true;
		l->taken += (int64_t)(l->have + len);
		l->have = 0;
		return false;
	}
	memcpy(l->part + l->have, data, len);
	l->have += len;
	return true;
}

void
log_lines_feed(struct log_lines *l, const char *data, size_t len)
{
	const char *end;

	while (len > 0 && (end = memchr(data, '\n', len)) != NULL) {
		size_t n = (size_t)(end - data);

		if (l->have == 0 && !l->skipping) {
			l->taken += (int64_t)n + 1;
			hand_out(l, data, n);
		} else {
			if (keep(l, data, n)) {
				l->taken += (int64_t)l->have;
				hand_out(l, l->part, l->have);
			}
			l->taken++;
			l->have = 0;
			l->skipping = false;
		}
		data = end + 1;
		len -= n + 1;
	}
	if (len > 0)
		(void)keep(l, data, len);
}

void
log_lines_end(struct log_lines *l)
{
	if (l->have > 0)
		hand_out(l, l->part, l->have);
	l->taken += (int64_t)l->have;
	l->have = 0;
	l->skipping = false;
}

/* --- files --------------------------------------------------------------------------------------
 */

/* A file that is read as it stands, or through gzip's format. */
struct source {
	int fd;
	gzFile gz; /* NULL: as it stands */
	const char *name;
};

static int
unreadable(const struct source *f, struct error *err)
{
	int code = Z_ERRNO;

	if (f->gz != NULL)
		(void)gzerror(f->gz, &code);
	if (code == Z_ERRNO)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot be read", f->name);
	return error_set(err, ERROR_INPUT, "%s: its compression is damaged: read as far as it goes",
		f->name);
}

/* Pipes are read as they stand: nothing can be put back into one. */
static int
source_open(struct source *f, int fd, const char *name, struct error *err)
{
	unsigned char magic[2];
	int copy;

	*f = (struct source){.fd = fd, .name = name};
	if (pread(fd, magic, sizeof(magic), 0) != 2 || magic[0] != 0x1f || magic[1] != 0x8b)
		return 0;
	copy = dup(fd);
	if (copy >= 0 && lseek(copy, 0, SEEK_SET) == 0)
		f->gz = gzdopen(copy, "rb");
	if (f->gz != NULL) {
		(void)gzbuffer(f->gz, BLOCK_SIZE);
		return 0;
	}
	error_set_errno(err, ERROR_CONFIG, "%s: cannot be read", name);
	if (copy >= 0)
		(void)close(copy);
	return -1;
}

static ssize_t
source_read(struct source *f, char *out, size_t size)
{
	ssize_t n;
	int code;

	if (f->gz != NULL) {
		n = gzread(f->gz, out, (unsigned)size);
		/* The end comes early: no error to gzread(). */
		if (n == 0 && gzerror(f->gz, &code) != NULL && code == Z_BUF_ERROR)
			return -1;
		return n;
	}
	do
		n = read(f->fd, out, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* A pipe stands at its beginning anyway. */
static int
source_skip(struct source *f, int64_t octets, char *block, struct error *err)
{
	if (f->gz == NULL)
		return lseek(f->fd, (off_t)octets, SEEK_SET) < 0 && octets > 0 ? unreadable(f, err) : 0;
	while (octets > 0) {
		ssize_t n = source_read(
			f, block, octets < (int64_t)BLOCK_SIZE ? (size_t)octets : BLOCK_SIZE);

		if (n < 0)
			return unreadable(f, err);
		if (n == 0)
			break;
		octets -= n;
	}
	return 0;
}

static void
source_close(struct source *f)
{
	if (f->gz != NULL)
		(void)gzclose(f->gz);
}

int
log_lines_read(struct log_lines *l, int fd, int64_t from, int64_t to, const char *name,
	struct error *err)
{
	struct source f;
	char *block;
	ssize_t n = 0;
	int rc;

	if (source_open(&f, fd, name, err) < 0)
		return -1;
	block = xcalloc(1, BLOCK_SIZE);
	rc = source_skip(&f, from, block, err);
	while (rc == 0 && from < to) {
		n = source_read(&f, block, to - from < (int64_t)BLOCK_SIZE ? (size_t)(to - from) : BLOCK_SIZE);
		if (n <= 0)
			break;
		from += n;
		log_lines_feed(l, block, (size_t)n);
	}
	if (n < 0)
		rc = unreadable(&f, err);
	source_close(&f);
	free(block);
	return rc;
}

int64_t
log_lines_head(int fd, char *out, size_t size, const char *name, struct error *err)
{
	struct source f;
	size_t have = 0;
	ssize_t n = 0;

	if (source_open(&f, fd, name, err) < 0)
		return -1;
	if (f.gz == NULL)
		(void)lseek(fd, 0, SEEK_SET);
	while (have < size && (n = source_read(&f, out + have, size - have)) > 0)
		have += (size_t)n;
	if (n < 0)
		(void)unreadable(&f, err);
	source_close(&f);
	return n < 0 ? -1 : (int64_t)have;
}

#include "export/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

struct setting {
	ZSTD_cParameter parameter;
	int value;
};
static const struct setting plain[] = {{ZSTD_c_compressionLevel, 6}};
/* Measured on deltas: about as small as level 19 makes them, or smaller, in half of its time and
 * memory. */
static const struct setting thorough[] = {{ZSTD_c_compressionLevel, 19}, {ZSTD_c_windowLog, 22},
	{ZSTD_c_chainLog, 21}, {ZSTD_c_hashLog, 20}, {ZSTD_c_strategy, ZSTD_btultra},
	{ZSTD_c_searchLog, 4}, {ZSTD_c_minMatch, 5}, {ZSTD_c_targetLength, 256}};

struct compress {
	char *path;
	struct file_writer *file;
	ZSTD_CCtx *context;
	char *out;
	size_t out_size;
	struct error first; /* the first failure */
};

static void
set_up(ZSTD_CCtx *context, enum compress_effort effort, int64_t length)
{
	const struct setting *settings = effort == COMPRESS_PLAIN ? plain : thorough;
	size_t count = effort == COMPRESS_PLAIN ? ARRAY_LEN(plain) : ARRAY_LEN(thorough);

	for (size_t i = 0; i < count; i++)
		if (ZSTD_isError(ZSTD_CCtx_setParameter(
			    context, settings[i].parameter, settings[i].value)))
			abort(); /* not the library we were built with */
	if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) ||
		ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context,
			length < 0 ? ZSTD_CONTENTSIZE_UNKNOWN : (unsigned long long)length)))
		abort();
}

int
compress_open(const char *path, int64_t length, enum compress_effort effort, struct compress **out,
	struct error *err)
{
	struct compress *c = xcalloc(1, sizeof(*c));

	*out = NULL;
	c->path = xstrdup(path);
	c->context = ZSTD_createCCtx();
	if (c->context == NULL)
		abort();
	set_up(c->context, effort, length);
	c->out_size = ZSTD_CStreamOutSize();
	c->out = xcalloc(1, c->out_size);
	if (file_writer_open(path, 0644, &c->file, err) < 0) {
		compress_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

static void
pump(struct compress *c, const void *data, size_t len, ZSTD_EndDirective what)
{
	ZSTD_inBuffer in = {data, len, 0};
	size_t left;

	if (c->first.kind != ERROR_NONE)
		return;
	do {
		ZSTD_outBuffer out = {c->out, c->out_size, 0};

		left = ZSTD_compressStream2(c->context, &out, &in, what);
		if (ZSTD_isError(left)) {
			error_set(&c->first, ERROR_TEMP, "%s: cannot compress: %s", c->path,
				ZSTD_getErrorName(left));
			return;
		}
		file_writer_add(c->file, c->out, out.pos);
	} while (what == ZSTD_e_end ? left > 0 : in.pos < in.size);
}

void
compress_add(struct compress *c, const void *data, size_t len)
{
	if (len > 0)
		pump(c, data, len, ZSTD_e_continue);
}

int
compress_commit(struct compress *c, struct error *err)
{
	pump(c, NULL, 0, ZSTD_e_end);
	if (c->first.kind != ERROR_NONE) {
		*err = c->first;
		return -1;
	}
	return file_writer_commit(c->file, err);
}

void
compress_free(struct compress *c)
{
	if (c == NULL)
		return;
	file_writer_free(c->file);
	ZSTD_freeCCtx(c->context);
	free(c->out);
	free(c->path);
	free(c);
}

int
compress_file(const char *path, const char *out, struct error *err)
{
	size_t piece_size = ZSTD_CStreamInSize();
	char *piece = xcalloc(1, piece_size);
	struct compress *c = NULL;
	struct stat st;
	ssize_t n;
	int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	if (compress_open(out, st.st_size, COMPRESS_PLAIN, &c, err) < 0)
		goto out;
	while ((n = read(fd, piece, piece_size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "%s", path);
			goto out;
		}
		compress_add(c, piece, (size_t)n);
	}
	rc = compress_commit(c, err);
out:
	compress_free(c);
	if (fd >= 0)
		(void)close(fd);
	free(piece);
	return rc;
}

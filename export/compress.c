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

/* Above this a list shrinks by a few per cent only, and takes several times as long and as much
 * memory on both sides. */
#define LEVEL 6

static int
pump(int fd, const char *path, ZSTD_CCtx *z, struct file_writer *w, struct error *err)
{
	size_t in_size = ZSTD_CStreamInSize(), out_size = ZSTD_CStreamOutSize();
	char *in_bytes = xcalloc(1, in_size), *out_bytes = xcalloc(1, out_size);
	int rc = -1;

	for (;;) {
		ssize_t n = read(fd, in_bytes, in_size);
		ZSTD_inBuffer in = {in_bytes, 0, 0};
		ZSTD_EndDirective what;
		size_t left;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(err, ERROR_TEMP, "%s", path);
			goto out;
		}
		in.size = (size_t)n;
		what = n == 0 ? ZSTD_e_end : ZSTD_e_continue;
		do {
			ZSTD_outBuffer out = {out_bytes, out_size, 0};

			left = ZSTD_compressStream2(z, &out, &in, what);
			if (ZSTD_isError(left)) {
				error_set(err, ERROR_TEMP, "%s: cannot compress: %s", path,
					ZSTD_getErrorName(left));
				goto out;
			}
			file_writer_add(w, out_bytes, out.pos);
		} while (what == ZSTD_e_end ? left > 0 : in.pos < in.size);
		if (n == 0)
			break;
	}
	rc = 0;
out:
	free(in_bytes);
	free(out_bytes);
	return rc;
}

int
compress_file(const char *path, const char *out, struct error *err)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	struct file_writer *w = NULL;
	struct stat st;
	int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (z == NULL)
		abort();
	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
		goto out;
	}
	if (ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)) ||
		ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(z, (unsigned long long)st.st_size)))
		abort();
	if (file_writer_open(out, 0644, &w, err) < 0 || pump(fd, path, z, w, err) < 0)
		goto out;
	rc = file_writer_commit(w, err);
out:
	file_writer_free(w);
	ZSTD_freeCCtx(z);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

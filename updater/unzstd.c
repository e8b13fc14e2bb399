#include "updater/unzstd.h"

#include <stdlib.h>
#include <zstd.h>

#include "common/error.h"
#include "common/xalloc.h"

struct unzstd {
	ZSTD_DCtx *context;
	fetch_sink *sink;
	void *arg;
	int64_t left;
	bool between_frames;
	char out[128 * 1024]; /* ZSTD_DStreamOutSize(): one block */
};

struct unzstd *
unzstd_new(int64_t max, fetch_sink *sink, void *arg)
{
	struct unzstd *u = xcalloc(1, sizeof(*u));

	u->context = ZSTD_createDCtx();
	if (u->context == NULL ||
		ZSTD_isError(
			ZSTD_DCtx_setParameter(u->context, ZSTD_d_windowLogMax, UNZSTD_WINDOW_LOG)))
		abort(); /* no memory, or not the library we were built with */
	u->left = max;
	u->sink = sink;
	u->arg = arg;
	return u;
}

void
unzstd_free(struct unzstd *u)
{
	if (u == NULL)
		return;
	ZSTD_freeDCtx(u->context);
	free(u);
}

int
unzstd_add(void *arg, const void *data, size_t len, struct error *err)
{
	struct unzstd *u = arg;
	ZSTD_inBuffer in = {.src = data, .size = len};
	ZSTD_outBuffer out;

	do {
		size_t rc;

		out = (ZSTD_outBuffer){.dst = u->out, .size = sizeof(u->out)};
		rc = ZSTD_decompressStream(u->context, &out, &in);
		if (ZSTD_isError(rc))
			return error_set(err, ERROR_SECURITY, "zstd: %s", ZSTD_getErrorName(rc));
		u->between_frames = rc == 0;
		if ((int64_t)out.pos > u->left)
			return error_set(
				err, ERROR_SECURITY, "zstd: unpacks to more than was announced");
		u->left -= (int64_t)out.pos;
		if (out.pos > 0 && u->sink(u->arg, u->out, out.pos, err) < 0)
			return -1;
		/* A full buffer may hide more, unless the frame has ended with it. */
	} while (in.pos < in.size || (out.pos == out.size && !u->between_frames));
	return 0;
}

int
unzstd_end(struct unzstd *u, struct error *err)
{
	return u->between_frames ? 0 : error_set(err, ERROR_SECURITY, "zstd: cut short");
}

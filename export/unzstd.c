#include "export/unzstd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/error.h"
#include "common/xalloc.h"

struct unzstd {
	ZSTD_DCtx *context;
	unzstd_sink *sink;
	void *arg;
	int64_t left;
	bool between_frames;
	char out[128 * 1024]; /* ZSTD_DStreamOutSize(): one block */
};

struct unzstd *
unzstd_new(int64_t max, unzstd_sink *sink, void *arg)
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
unzstd_step(struct unzstd *u, const char **in, size_t *in_len, void *out, size_t size, size_t *got,
	struct error *err)
{
	ZSTD_inBuffer from = {.src = *in, .size = *in_len};
	ZSTD_outBuffer to = {.dst = out, .size = size};

	*got = 0;
	/* Asked behind a frame without input, zstd would wait for the next one. */
	if (*in_len == 0 && u->between_frames)
		return 0;
	do {
		size_t before = to.pos, rc = ZSTD_decompressStream(u->context, &to, &from);

		if (ZSTD_isError(rc))
			return error_set(err, ERROR_SECURITY, "zstd: %s", ZSTD_getErrorName(rc));
		u->between_frames = rc == 0;
		if ((int64_t)(to.pos - before) > u->left)
			return error_set(
				err, ERROR_SECURITY, "zstd: unpacks to more than was announced");
		u->left -= (int64_t)(to.pos - before);
	} while (from.pos < from.size && to.pos < to.size);
	/* Without input there may be no pointer to move either. */
	if (from.pos > 0)
		*in += from.pos;
	*in_len -= from.pos;
	*got = to.pos;
	return 0;
}

int
unzstd_add(void *arg, const void *data, size_t len, struct error *err)
{
	struct unzstd *u = arg;
	const char *in = data;
	size_t got;

	do {
		if (unzstd_step(u, &in, &len, u->out, sizeof(u->out), &got, err) < 0 ||
			(got > 0 && u->sink(u->arg, u->out, got, err) < 0))
			return -1;
		/* A full buffer may hide more. */
	} while (len > 0 || got == sizeof(u->out));
	return 0;
}

int
unzstd_end(struct unzstd *u, struct error *err)
{
	return u->between_frames ? 0 : error_set(err, ERROR_SECURITY, "zstd: cut short");
}

/* Compressed files: the first octet says in which pieces the rest arrives. */
#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "export/unzstd.h"
#include "tests/fuzz/helper.h"

#define UNPACKED_MAX ((size_t)256 * 1024)

static int
take(void *arg, const void *data, size_t len, struct error *err)
{
	(void)err;
	/* Never more than was announced. */
	assert(buf_add(arg, data, len) == 0);
	return 0;
}

static int
unpack(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
	struct unzstd *u = unzstd_new((int64_t)UNPACKED_MAX, take, out);
	struct error err = {0};
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < size; at += step)
		rc = unzstd_add(u, data + at, size - at < step ? size - at : step, &err);
	if (rc == 0)
		rc = unzstd_end(u, &err);
	unzstd_free(u);
	if (rc < 0)
		helper_check_error(&err, 1U << ERROR_SECURITY);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	size_t step;

	if (size < 2)
		return 0;
	step = (size_t)data[0] + 1;
	buf_init(&whole, UNPACKED_MAX);
	buf_init(&pieces, UNPACKED_MAX);
	/* The way the octets arrive makes no difference to what comes out. (Whether a broken frame
	 * without contents is refused does depend on it, in libzstd.) */
	if (unpack(data + 1, size - 1, size - 1, &whole) == 0 &&
		unpack(data + 1, size - 1, step, &pieces) == 0) {
		assert(whole.len == pieces.len);
		assert(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
	}
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}

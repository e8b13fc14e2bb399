/* Deltas. The first octet says what the rest is: a delta that was unpacked, or ("z") a zstd file.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/list_reader.h"
#include "tests/fuzz/helper.h"

#define POLICY(host) \
	"{\"auth\":[\"pkix\"],\"max_age\":86400,\"mode\":\"testing\",\"mxs\":[\"" host \
	"\"],\"source\":\"mta-sts\",\"tls\":\"1.2\"}"
/* The SHA-256 of POLICY("mx.provider.example") begins with these digits. */
#define ALIAS "p-0d3e5802"

/* The list that deltas are applied to. */
static const char base[] =
	"{\"author\":\"fuzz\",\"confirmed_since\":\"2026-11-23T06:00:00Z\","
	"\"expires\":\"2026-12-07T12:00:00Z\",\"format\":\"preload25-list-1\",\"policies\":{\n"
	"\"a.example\":{\"policy-alias\":\"" ALIAS "\"},\n"
	"\"b.example\":" POLICY(
		"mx1.b.example") ",\n"
				 "\"c.example\":" POLICY(
					 "mx1.c.example") ",\n"
							  "\"d.example\":{\"policy-alias\":\"" ALIAS
							  "\"}\n"
							  "},\"policy-aliases\":{\n"
							  "\"" ALIAS "\":" POLICY(
								  "mx.provider.example") "\n"
											 "},"
											 "\"timesta"
											 "mp\":"
											 "\"2026-"
											 "11-23T12:"
											 "00:00Z\","
											 "\"vantage"
											 "s\":3,"
											 "\"version"
											 "\":42}\n";

#define RESULT_MAX ((size_t)256 * 1024)

static char folder[64];

static const char *
in_folder(const char *name)
{
	static char paths[4][96];
	static size_t next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
remove_folder(void)
{
	static const char *const names[] = {"base", "result", "again"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(in_folder(names[i]));
	(void)rmdir(folder);
}

static void
make_folder(void)
{
	struct error err = {0};

	if (folder[0] != '\0')
		return;
	/* In memory where there is such a place: the writers sync. */
	(void)snprintf(folder, sizeof(folder), "%s/preload25-fuzz-delta-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert(mkdtemp(folder) != NULL);
	assert(atexit(remove_folder) == 0);
	assert(file_replace(in_folder("base"), base, sizeof(base) - 1, 0600, &err) == 0);
}

static int
take(void *arg, const void *data, size_t len, struct error *err)
{
	return buf_add(arg, data, len) < 0 ? error_set(err, ERROR_SECURITY, "too long") : 0;
}

static bool
is_sound(const char *path)
{
	const struct list_entry *e;
	struct error ignored;
	struct list_reader *r;
	int rc;

	if (list_reader_open(path, &r, &ignored) < 0)
		return false;
	while ((rc = list_reader_next(r, &e, &ignored)) > 0)
		;
	list_reader_close(r);
	return rc == 0;
}

/* What a delta makes is a list that a delta of ours can make of the same one. */
static void
make_again(const struct buf *result)
{
	struct error err = {0};
	struct buf again;

	assert(file_replace(in_folder("result"), result->data, result->len, 0600, &err) == 0);
	if (!is_sound(in_folder("result")))
		return;
	assert(delta_make(in_folder("base"), in_folder("result"), in_folder("again"), &err) == 0);
	buf_init(&again, RESULT_MAX);
	assert(delta_apply(in_folder("base"), in_folder("again"), "again", (int64_t)result->len,
		       take, &again, &err) == 0);
	assert(again.len == result->len && memcmp(again.data, result->data, again.len) == 0);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct buf result;
	const char *path;

	if (size == 0)
		return 0;
	make_folder();
	if (data[0] == 'z') {
		path = helper_file(data + 1, size - 1);
	} else {
		size_t bound = ZSTD_compressBound(size);
		void *packed = xcalloc(1, bound);

		path = helper_file(packed, ZSTD_compress(packed, bound, data + 1, size - 1, 1));
		free(packed);
	}
	buf_init(&result, RESULT_MAX);
	if (delta_apply(in_folder("base"), path, "input", (int64_t)sizeof(base), take, &result,
		    &err) == 0)
		make_again(&result);
	else
		helper_check_error(&err, 1U << ERROR_INPUT | 1U << ERROR_SECURITY);
	buf_clear(&result);
	return 0;
}

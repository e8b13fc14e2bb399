/* record.json of a fetching run: what is read is written again, and read the same. */
#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/fuzz/helper.h"
#include "updater/fetch_record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fetch_record r, again;
	struct buf one;
	struct error err = {0};

	if (fetch_record_parse((const char *)data, size, &r, &err) < 0) {
		helper_check_error(&err, 1U << ERROR_INPUT);
		assert(r.began_s == 0 && r.ended_s == 0 && r.list_sha256[0] == '\0');
		return 0;
	}
	assert(r.ended_s == 0 || (r.ended_s >= r.began_s && r.ended_s <= CLOCK_MAX_S));
	assert(strlen(r.list_sha256) == 0 || strlen(r.list_sha256) == 64);
	assert((r.outcome.kind == ERROR_NONE) == (r.outcome.text[0] == '\0'));
	for (const char *c = r.outcome.text; *c != '\0'; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7f);
	buf_init(&one, FETCH_RECORD_MAX);
	assert(fetch_record_format(&r, &one, &err) == 0);
	assert(fetch_record_parse(one.data, one.len, &again, &err) == 0);
	assert(memcmp(&r.resolver, &again.resolver, sizeof(r.resolver)) == 0);
	assert(strcmp(r.outcome.text, again.outcome.text) == 0 && r.mirror_s == again.mirror_s);
	buf_clear(&one);
	return 0;
}

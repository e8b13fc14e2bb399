/* state.json: what is read is written again, and read the same. */
#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/fuzz/helper.h"
#include "updater/state.h"

#define TEXT_MAX ((size_t)16 << 20)

static void
check_list(const struct state_list *l)
{
	assert(strlen(l->sha256) == 0 || strlen(l->sha256) == 64);
	assert(l->timestamp_s >= 0 && l->timestamp_s <= CLOCK_MAX_S);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s, again;
	struct buf one, two;
	struct error err = {0};

	if (state_parse((const char *)data, size, &s, &err) < 0) {
		helper_check_error(&err, 1U << ERROR_INPUT);
		assert(s.map.path == NULL && s.last_error == NULL && s.sources[0].list.version == 0 && s.generations == NULL);
		return 0;
	}
	assert(s.source_count >= 1 && s.source_count <= SOURCES_MAX);
	assert(s.generation_count <= STATE_GENERATIONS_MAX);
	for (size_t i = 0; i < s.source_count; i++)
		check_list(&s.sources[i].list);
	for (size_t i = 0; i < s.generation_count; i++)
		for (size_t k = 0; k < s.generations[i].count; k++)
			check_list(&s.generations[i].members[k].list);
	assert(s.last_error_code >= 0 && s.last_error_code <= 255);
	buf_init(&one, TEXT_MAX);
	buf_init(&two, TEXT_MAX);
	assert(state_format(&s, &one, &err) == 0);
	assert(state_parse(one.data, one.len, &again, &err) == 0);
	assert(state_format(&again, &two, &err) == 0);
	assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	assert((s.map.path == NULL) == (again.map.path == NULL) && s.dane == again.dane);
	assert(s.map.path == NULL || strcmp(s.map.path, again.map.path) == 0);
	assert(s.map.inode == again.map.inode && s.last_run_s == again.last_run_s);
	state_clear(&s);
	state_clear(&again);
	buf_clear(&one);
	buf_clear(&two);
	return 0;
}

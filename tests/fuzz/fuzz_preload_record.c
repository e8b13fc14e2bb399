/* The opt-in record. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "verifier/mta_sts.h"
#include "verifier/preload_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const struct txt_text twice[] = {{.text = (const char *)data, .len = size},
		{.text = (const char *)data, .len = size}};
	struct finding_list findings;
	struct preload_record one;
	struct preload_record two;

	finding_list_init(&findings, arena);
	preload_record_parse((const char *)data, size, "x", &findings, &one);
	assert((one.outcome == TXT_VALID) == (one.code == NULL));
	if (one.outcome == TXT_VALID) {
		assert(one.mode != POLICY_MODE_ABSENT);
		assert(one.max_age_s >= PRELOAD_MAX_AGE_MIN &&
			one.max_age_s <= PRELOAD_MAX_AGE_MAX);
		for (size_t i = 0; i < one.mx_count; i++)
			assert(mta_sts_pattern_is_valid(one.mx[i], strlen(one.mx[i])));
	} else {
		assert(one.mode == POLICY_MODE_ABSENT || one.mode == POLICY_MODE_NONE);
	}
	/* The same record twice lists nobody, and still says no. */
	preload_rrset_parse(twice, 2, "x", &findings, &two);
	assert(two.outcome != TXT_VALID);
	assert((two.mode == POLICY_MODE_NONE) == (one.mode == POLICY_MODE_NONE));
	arena_free(arena);
	return 0;
}

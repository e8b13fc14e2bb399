/* MTA-STS policy text, and its Content-Type. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	struct mta_sts_policy policy;

	finding_list_init(&findings, arena);
	mta_sts_policy_parse((const char *)data, size, "policy", &findings, &policy);
	assert(policy.valid == (policy.code == NULL));
	if (policy.valid) {
		assert(policy.mode != POLICY_MODE_ABSENT);
		assert(policy.max_age_s >= 0 && policy.max_age_s <= MTA_STS_MAX_AGE_MAX);
		assert(policy.mx_count > 0 || policy.mode == POLICY_MODE_NONE);
		for (size_t i = 0; i < policy.mx_count; i++) {
			assert(mta_sts_pattern_is_valid(policy.mx[i], strlen(policy.mx[i])));
			/* A host of that name, or one label in front, is covered. */
			assert(policy.mx[i][0] == '*' ||
				mta_sts_pattern_matches(policy.mx[i], policy.mx[i]));
		}
	}
	(void)mta_sts_check_content_type(
		arena_strndup(arena, (const char *)data, size), "policy", &findings);
	for (size_t i = 0; i < findings.count; i++) {
		const char *message = findings.items[i].message;

		assert(str_is_utf8(message, strlen(message)) && strchr(message, '\x1b') == NULL);
	}
	arena_free(arena);
	return 0;
}

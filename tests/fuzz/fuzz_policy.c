/* MTA-STS policy text, and its Content-Type. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/mta_sts.h"

/* The policy written plainly says the same. */
static void
check_again(const struct mta_sts_policy *p, struct arena *arena)
{
	const char *text = arena_printf(arena, "version: STSv1\nmode: %s\nmax_age: %lld\n",
		policy_mode_name(p->mode), (long long)p->max_age_s);
	struct finding_list findings;
	struct mta_sts_policy again;

	finding_list_init(&findings, arena);
	for (size_t i = 0; i < p->mx_count; i++)
		text = arena_printf(arena, "%smx: %s\r\n", text, p->mx[i]);
	mta_sts_policy_parse(text, strlen(text), "policy", &findings, &again);
	/* A policy may have been as long as may be in lines shorter than ours. */
	if (strlen(text) > MTA_STS_POLICY_MAX)
		return;
	assert(again.valid && again.mode == p->mode && again.max_age_s == p->max_age_s);
	assert(again.mx_count == p->mx_count);
	for (size_t i = 0; i < p->mx_count; i++)
		assert(strcmp(again.mx[i], p->mx[i]) == 0);
}

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
		check_again(&policy, arena);
	}
	(void)mta_sts_check_content_type(
		arena_strndup(arena, (const char *)data, size), "policy", &findings);
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}

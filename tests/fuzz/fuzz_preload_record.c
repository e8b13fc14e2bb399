/* The opt-in record. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "tests/fuzz/helper.h"
#include "verifier/mta_sts.h"
#include "verifier/preload_record.h"

/* The record written plainly says the same. */
static void
check_again(const struct preload_record *r, struct arena *arena)
{
	const char *text = arena_printf(arena, "v=PRELOAD25v1; mode=%s; max_age=%lld",
		policy_mode_name(r->mode), (long long)r->max_age_s);
	struct finding_list findings;
	struct preload_record again;

	finding_list_init(&findings, arena);
	for (size_t i = 0; i < r->mx_count; i++)
		text = arena_printf(arena, "%s; mx=%s", text, r->mx[i]);
	if (r->contact != NULL)
		text = arena_printf(arena, "%s; contact=%s", text, r->contact);
	preload_record_parse(text, strlen(text), "x", &findings, &again);
	assert(again.outcome == TXT_VALID && again.mode == r->mode);
	assert(again.max_age_s == r->max_age_s && again.mx_count == r->mx_count);
	for (size_t i = 0; i < r->mx_count; i++)
		assert(strcmp(again.mx[i], r->mx[i]) == 0);
	assert((again.contact == NULL) == (r->contact == NULL));
	assert(r->contact == NULL || strcmp(again.contact, r->contact) == 0);
}

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
		check_again(&one, arena);
	} else {
		assert(one.mode == POLICY_MODE_ABSENT || one.mode == POLICY_MODE_NONE);
	}
	/* The same record twice lists nobody, and still says no. */
	preload_rrset_parse(twice, 2, "x", &findings, &two);
	assert(two.outcome != TXT_VALID);
	assert((two.mode == POLICY_MODE_NONE) == (one.mode == POLICY_MODE_NONE));
	helper_check_findings(&findings);
	arena_free(arena);
	return 0;
}

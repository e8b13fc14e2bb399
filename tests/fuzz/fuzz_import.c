/* Files of domains: text, CSV, policy.json of STARTTLS Everywhere. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "builder/import.h"
#include "common/arena.h"
#include "common/error.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

#define NAME "input"

static int
on_domain(const char *ascii, void *arg, struct error *err)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	char again[DOMAIN_NAME_SIZE];

	(void)err;
	++*(size_t *)arg;
	finding_list_init(&findings, arena);
	assert(domain_name_is_host(ascii) && !domain_name_is_special_use(ascii));
	assert(domain_name_parse(ascii, strlen(ascii), false, &findings, again) == 0);
	assert(strcmp(ascii, again) == 0);
	arena_free(arena);
	return 0;
}

static void
on_refused(const char *where, const char *typed, const char *why, void *arg)
{
	++*(size_t *)arg;
	assert(str_starts(where, NAME ":"));
	assert(helper_is_shown(typed) && helper_is_shown(why) && why[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t seen = 0;
	const struct import_sink sink = {.domain = on_domain, .refused = on_refused, .arg = &seen};
	struct error err = {0};
	/* Only ever read; an empty file has no address. */
	FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");

	assert(in != NULL);
	if (import_read(in, NAME, false, &sink, &err) < 0) {
		helper_check_error(&err, 1U << ERROR_INPUT);
		assert(str_starts(err.text, NAME));
	}
	/* Nothing comes of nothing. */
	assert(seen <= size + 1);
	(void)fclose(in);
	return 0;
}

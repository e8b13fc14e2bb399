/* What postconf says: lists of maps, and version numbers. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "tests/fuzz/helper.h"
#include "updater/postfix.h"
#include "updater/postfix_policy.h"

static const char separators[] = ", \t\r\n";

static bool
has_brace(const char *text)
{
	return strpbrk(text, "{}") != NULL;
}

/* Pieces without braces are divided by any separator, hold none, and divide the same again. */
static void
check_maps(const char *text)
{
	size_t count, again_count;
	char **maps = postfix_maps_split(text, &count);
	char **again;
	struct buf joined;

	buf_init(&joined, 2 * strlen(text) + 2);
	for (size_t i = 0; i < count; i++) {
		assert(maps[i][0] != '\0' && strchr(separators, maps[i][0]) == NULL);
		assert(has_brace(maps[i]) || strpbrk(maps[i], separators) == NULL);
		assert(strstr(text, maps[i]) != NULL);
		buf_add_str(&joined, maps[i]);
		buf_add_str(&joined, i + 1 < count ? ", " : "");
	}
	assert(!buf_failed(&joined));
	again = postfix_maps_split(buf_str(&joined), &again_count);
	assert(again_count == count);
	for (size_t i = 0; i < count; i++)
		assert(strcmp(maps[i], again[i]) == 0);
	postfix_values_clear(maps, count);
	postfix_values_clear(again, again_count);
	free(maps);
	free(again);
	buf_clear(&joined);
}

static void
check_version(const char *text)
{
	struct postfix_version v, again;
	char formatted[64];

	if (postfix_version_parse(text, &v) < 0)
		return;
	assert(postfix_version_at_least(&v, v.major, v.minor, v.patch));
	assert(!postfix_version_at_least(&v, v.major, v.minor, v.patch + 1));
	assert(postfix_format_for(&v) != POSTFIX_FORMAT_AUTO);
	(void)snprintf(formatted, sizeof(formatted), "%u.%u.%u", v.major, v.minor, v.patch);
	assert(postfix_version_parse(formatted, &again) == 0);
	assert(v.major == again.major && v.minor == again.minor && v.patch == again.patch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup(size > 0 ? (const char *)data : "", size);

	check_maps(text);
	check_version(text);
	free(text);
	return 0;
}

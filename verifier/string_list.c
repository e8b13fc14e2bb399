#include "verifier/string_list.h"

#include <string.h>

#include "common/arena.h"

void
string_list_add(struct arena *arena, const char ***items, size_t *count, const char *s, size_t len)
{
	/* Full at 0 and at each power of two: the size need not be kept. */
	if ((*count & (*count - 1)) == 0) {
		const char **grown =
			arena_calloc(arena, *count > 0 ? 2 * *count : 1, sizeof(*grown));

		if (*count > 0)
			memcpy(grown, *items, *count * sizeof(*grown));
		*items = grown;
	}
	(*items)[(*count)++] = arena_strndup(arena, s, len);
}

/* Documents as lint reads them: the first line is the kind, the rest the document. */
#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "tests/fuzz/helper.h"
#include "verifier/lint.h"

#define TEXT_MAX ((size_t)16 << 20)

static void
check_json(struct lint_result *result)
{
	json_t *object = lint_to_json(result);
	json_t *again;
	struct error err;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	/* Nothing in it that is not UTF-8, and no control character but escaped. */
	assert(json_compact(object, &text, &err) == 0 && helper_is_json_line(buf_str(&text)));
	assert(json_parse(text.data, text.len, &again, &err) == 0 && json_equal(object, again));
	json_decref(again);
	json_decref(object);
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *lf = size > 0 ? memchr(text, '\n', size) : NULL;
	const struct lint_kind *kind;
	struct lint_result result;
	struct arena *arena;
	size_t first;

	if (lf == NULL)
		return 0;
	arena = arena_new();
	first = (size_t)(lf - text);
	kind = lint_kind_find(arena_strndup(arena, text, first));
	if (kind != NULL && size - first - 1 <= lint_kind_max(kind)) {
		lint_run(kind, lf + 1, size - first - 1, arena, &result);
		assert(!result.valid || result.code == NULL);
		assert(result.code == NULL || finding_find(result.code) != NULL);
		assert(json_is_object(result.value));
		helper_check_findings(&result.findings);
		check_json(&result);
	}
	arena_free(arena);
	return 0;
}

/* JSON from outside: what is read, written and read again is the same. */
#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "tests/fuzz/helper.h"

#define TEXT_MAX ((size_t)16 << 20)

static void
check_compact(const json_t *value)
{
	struct buf text, again;
	json_t *same;
	struct error err = {0};

	buf_init(&text, TEXT_MAX);
	buf_init(&again, TEXT_MAX);
	assert(json_compact(value, &text, &err) == 0);
	assert(helper_is_json_line(buf_str(&text)) && strlen(buf_str(&text)) == text.len);
	if (json_is_object(value) || json_is_array(value)) {
		assert(json_parse(text.data, text.len, &same, &err) == 0);
		assert(json_equal(value, same));
		assert(json_compact(same, &again, &err) == 0);
		assert(again.len == text.len && memcmp(again.data, text.data, text.len) == 0);
		json_decref(same);
	}
	buf_clear(&text);
	buf_clear(&again);
}

static void
check_canonical(const json_t *value)
{
	struct buf text, again;
	json_t *same;
	struct error err = {0};

	buf_init(&text, TEXT_MAX);
	buf_init(&again, TEXT_MAX);
	if (json_canonical(value, &text, &err) < 0) {
		helper_check_error(&err, 1U << ERROR_INPUT);
	} else if (helper_is_json_line(buf_str(&text))) {
		/* Control characters stand raw in the canonical form, which is then no JSON. */
		assert(json_parse(text.data, text.len, &same, &err) == 0);
		assert(json_equal(value, same));
		assert(json_canonical(same, &again, &err) == 0);
		assert(again.len == text.len && memcmp(again.data, text.data, text.len) == 0);
		json_decref(same);
	}
	buf_clear(&text);
	buf_clear(&again);
}

static void
check_members(const json_t *object)
{
	struct error err = {0};
	const char *text;
	int64_t number;
	json_t *member;

	if (json_get_int(object, "n", -5, 5, &number, &err) == 0)
		assert(number >= -5 && number <= 5);
	else
		helper_check_error(&err, 1U << ERROR_INPUT);
	if (json_get_string(object, "s", &text, &err) == 0)
		assert(str_is_utf8(text, strlen(text)));
	if (json_get_object(object, "o", &member, &err) == 0)
		assert(json_is_object(member));
	if (json_get_array(object, "a", &member, &err) == 0)
		assert(json_is_array(member));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	json_t *value;

	if (json_parse((const char *)data, size, &value, &err) < 0) {
		assert(value == NULL);
		helper_check_error(&err, 1U << ERROR_INPUT);
		return 0;
	}
	check_compact(value);
	check_canonical(value);
	check_members(value);
	json_decref(value);
	return 0;
}

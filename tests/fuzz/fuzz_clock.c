/* Times: what is a time is exactly its own text. */
#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "tests/fuzz/helper.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t time_s, again_s;

	if (clock_parse((const char *)data, size, &time_s) == 0) {
		assert(time_s >= 0 && time_s <= CLOCK_MAX_S);
		clock_format(time_s, text);
		assert(size == CLOCK_TEXT_SIZE - 1 && memcmp(text, data, size) == 0);
	}
	if (size == sizeof(time_s)) {
		memcpy(&time_s, data, size);
		time_s = (int64_t)((uint64_t)time_s % ((uint64_t)CLOCK_MAX_S + 1));
		clock_format(time_s, text);
		assert(clock_parse(text, strlen(text), &again_s) == 0 && again_s == time_s);
	}
	return 0;
}

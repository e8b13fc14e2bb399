#include "tests/fuzz/helper.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"
#include "verifier/finding.h"

/* What a message quotes is cut to 200 characters; two quotations and the words around them. */
#define MESSAGE_MAX 2048

static int memory_fd = -1;

const char *
helper_file(const void *data, size_t size)
{
	static char path[32];

	if (memory_fd < 0) {
		memory_fd = memfd_create("input", MFD_CLOEXEC);
		assert(memory_fd >= 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_fd);
	}
	assert(ftruncate(memory_fd, 0) == 0);
	assert(pwrite(memory_fd, data, size, 0) == (ssize_t)size);
	return path;
}

int
helper_file_fd(void)
{
	return memory_fd;
}

bool
helper_is_json_line(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20)
			return false;
	}
	return str_is_utf8(text, len);
}

bool
helper_is_shown(const char *text)
{
	return strchr(text, 0x7f) == NULL && helper_is_json_line(text);
}

void
helper_check_findings(const struct finding_list *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->items[i];

		assert(finding_find(f->code) != NULL);
		assert(f->severity <= SEVERITY_TEMP);
		assert(f->subject != NULL && helper_is_shown(f->subject));
		assert(f->message != NULL && f->message[0] != '\0' && helper_is_shown(f->message));
		assert(strlen(f->message) <= MESSAGE_MAX);
		/* Lines behind the first are text to paste. */
		assert(f->fix == NULL || str_is_utf8(f->fix, strlen(f->fix)));
	}
}

void
helper_check_error(const struct error *err, unsigned kinds)
{
	assert((kinds & 1U << err->kind) != 0);
	assert(err->text[0] != '\0' && helper_is_shown(err->text));
}

/* Remotes that a configuration names: the input is one, and the password of another. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "export/push.h"
#include "tests/fuzz/helper.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	char *url = xasprintf("https://me:%s@example.org/x.git", text);
	char *shown = push_remote_shown(text);
	const char *path = push_remote_path(text);

	assert(push_remote_fault(text) != NULL || text[0] != '\0');
	/* A path is a part of what was written. */
	assert(path == NULL || (path >= text && path <= text + strlen(text)));
	free(shown);
	shown = push_remote_shown(url);
	if (strchr(text, '/') == NULL)
		assert(strcmp(shown, "https://me:***@example.org/x.git") == 0);
	free(shown);
	free(url);
	free(text);
	return 0;
}

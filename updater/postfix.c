#include "updater/postfix.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/settings.h"
#include "updater/tool.h"

#define ASK_MAX 16

void
postfix_values_clear(char **values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(values[i]);
		values[i] = NULL;
	}
}

/* Lines "name = value"; those of parameters that it does not know are missing. */
static void
read_values(const char *text, const char *const *names, size_t count, char **values)
{
	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		size_t name = strcspn(text, " =\n");
		const char *value = text + name;

		value += strspn(value, " ");
		if (*value == '=') {
			value++;
			value += strspn(value, " ");
			for (size_t i = 0; i < count; i++)
				if (values[i] == NULL && strlen(names[i]) == name &&
					memcmp(names[i], text, name) == 0)
					values[i] = xstrndup(value, (size_t)(text + line - value));
		}
		text += line;
		text += *text == '\n';
	}
}

int
postfix_ask(const struct update_settings *s, const char *const *names, size_t count, bool expand,
	char **values, struct error *err)
{
	const char *argv[ASK_MAX + 5];
	struct tool_result result = {0};
	char *file = tool_find(s->postconf, "postconf");
	size_t n = 0;
	int rc;

	memset(values, 0, count * sizeof(*values));
	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no postconf here: is Postfix installed?");
	argv[n++] = file;
	if (s->config_dir != NULL) {
		argv[n++] = "-c";
		argv[n++] = s->config_dir;
	}
	if (expand)
		argv[n++] = "-x";
	for (size_t i = 0; i < count && i < ASK_MAX; i++)
		argv[n++] = names[i];
	argv[n] = NULL;
	rc = tool_run_well(argv, &result, err);
	if (rc == 0)
		read_values(buf_str(&result.out), names, count, values);
	tool_result_clear(&result);
	free(file);
	return rc;
}

char **
postfix_maps_split(const char *text, size_t *count)
{
	/* No more pieces than half the octets. */
	char **maps = xcalloc(strlen(text) / 2 + 1, sizeof(*maps));
	size_t n = 0;

	while (*text != '\0') {
		size_t len = 0;
		int depth = 0;

		text += strspn(text, ", \t\r\n");
		while (text[len] != '\0' && (depth > 0 || strchr(", \t\r\n", text[len]) == NULL)) {
			if (text[len] == '{')
				depth++;
			else if (text[len] == '}' && depth > 0)
				depth--;
			len++;
		}
		if (len > 0)
			maps[n++] = xstrndup(text, len);
		text += len;
	}
	*count = n;
	return maps;
}

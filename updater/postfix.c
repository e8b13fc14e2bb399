#include "updater/postfix.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/settings.h"
#include "updater/tool.h"

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

/* Begins a command line of one of Postfix's programs. The array is the caller's, with room for count
 * arguments more; the program stays his. */
static const char **
begin_argv(const struct update_settings *s, const char *program, size_t count, size_t *n)
{
	const char **argv = xcalloc(count + 4, sizeof(*argv));

	*n = 0;
	argv[(*n)++] = program;
	if (s->config_dir != NULL) {
		argv[(*n)++] = "-c";
		argv[(*n)++] = s->config_dir;
	}
	return argv;
}

int
postfix_conf(const struct update_settings *s, const char *option, const char *const *args,
	size_t count, char **out, struct error *err)
{
	struct tool_result result = {0};
	char *file = tool_find(s->postconf, "postconf");
	const char **argv;
	size_t n;
	int rc;

	if (out != NULL)
		*out = NULL;
	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no postconf here: is Postfix installed?");
	argv = begin_argv(s, file, count + 1, &n);
	if (option != NULL)
		argv[n++] = option;
	for (size_t i = 0; i < count; i++)
		argv[n++] = args[i];
	rc = tool_run_well(argv, &result, err);
	if (rc == 0 && out != NULL)
		*out = xstrdup(buf_str(&result.out));
	tool_result_clear(&result);
	free(file);
	free((void *)argv);
	return rc;
}

int
postfix_ask(const struct update_settings *s, const char *const *names, size_t count, bool expand,
	char **values, struct error *err)
{
	char *text;
	int rc;

	memset(values, 0, count * sizeof(*values));
	rc = postfix_conf(s, expand ? "-x" : NULL, names, count, &text, err);
	if (rc == 0)
		read_values(text, names, count, values);
	free(text);
	return rc;
}

int
postfix_map_query(const struct update_settings *s, const char *table, const char *key,
	struct tool_result *result, struct error *err)
{
	char *file = tool_find(s->postmap, "postmap");
	const char **argv;
	size_t n;
	int rc;

	if (file == NULL)
		return 1;
	argv = begin_argv(s, file, 3, &n);
	argv[n++] = "-q";
	argv[n++] = key;
	argv[n++] = table;
	rc = tool_run(argv, TOOL_TIMEOUT_MS, result, err);
	free(file);
	free((void *)argv);
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

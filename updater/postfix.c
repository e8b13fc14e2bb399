#include "updater/postfix.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/map.h"
#include "updater/resolver.h"
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
	int rc = -1;

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
	if (tool_run(argv, TOOL_TIMEOUT_MS, &result, err) < 0)
		goto out;
	if (result.status != 0) {
		char *complaint = tool_complaint(&result);

		error_set(err, ERROR_CONFIG, "%s: %s", file, complaint);
		free(complaint);
		goto out;
	}
	read_values(buf_str(&result.out), names, count, values);
	rc = 0;
out:
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

/* Whether main.cf asks our table already. */
static bool
table_in_use(const struct update_settings *s, const char *maps)
{
	char *table = map_table(s->kind, s->map_file);
	size_t count;
	char **names = postfix_maps_split(maps, &count);
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		found = found || strcmp(names[i], table) == 0;
		free(names[i]);
	}
	free(names);
	free(table);
	return found;
}

static bool
decide_dane(const struct update_settings *s, bool before, bool have_postfix, char *const *values,
	char *why, size_t size)
{
	const char *maps = values[1] != NULL ? values[1] : "";
	const char *level = values[2] != NULL ? values[2] : "";

	if (s->dane != DANE_AUTO) {
		(void)snprintf(why, size, "dane = %s", s->dane == DANE_YES ? "yes" : "no");
		return s->dane == DANE_YES;
	}
	if (!have_postfix) {
		(void)snprintf(why, size, "postconf cannot be asked");
		return before;
	}
	/* Without it each of these lines defers its mail. Before main.cf names the map nothing can
	 * go wrong, and setup sets both. */
	if (strcmp(level, "dnssec") != 0 && table_in_use(s, maps)) {
		(void)snprintf(why, size, "smtp_dns_support_level is not dnssec");
		return false;
	}
	switch (resolver_check(why, size)) {
	case RESOLVER_VALIDATES:
		return true;
	case RESOLVER_DOES_NOT:
		return false;
	case RESOLVER_UNKNOWN:
		/* Protection is not dropped, nor mail held up, over a resolver that is away. */
		return before;
	}
	abort();
}

void
postfix_decide(const struct update_settings *s, const char *before, struct postfix_recipe *out)
{
	static const char *const names[] = {
		"mail_version", "smtp_tls_policy_maps", "smtp_dns_support_level"};
	char *values[ARRAY_LEN(names)] = {NULL};
	struct postfix_version version = {0};
	struct error why = {0};
	bool have = false, had_sts = before != NULL && strstr(before, " sts ") != NULL,
	     had_dane = before != NULL && str_ends(before, " dane=yes");

	memset(out, 0, sizeof(*out));
	if (s->format == POSTFIX_FORMAT_AUTO || s->dane == DANE_AUTO) {
		have = postfix_ask(s, names, ARRAY_LEN(names), true, values, &why) == 0;
		if (!have)
			log_info("%s", why.text);
	}
	out->format = s->format;
	if (out->format == POSTFIX_FORMAT_AUTO) {
		/* The plain form is understood everywhere; but protection is not dropped over a
		 * main.cf that cannot be read for a moment. */
		out->format = !have && had_sts ? POSTFIX_FORMAT_STS : POSTFIX_FORMAT_PLAIN;
		if (have && values[0] != NULL && postfix_version_parse(values[0], &version) == 0)
			out->format = postfix_format_for(&version);
	}
	out->dane = decide_dane(s, had_dane, have, values, out->why_dane, sizeof(out->why_dane));
	(void)snprintf(out->text, sizeof(out->text), "%s %s dane=%s", s->kind->mta,
		postfix_format_name(out->format), out->dane ? "yes" : "no");
	postfix_values_clear(values, ARRAY_LEN(names));
}

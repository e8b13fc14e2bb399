#include "builder/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "verifier/lint.h"

/* JSON of the largest document: every octet as an escape of six, and the findings around it. */
#define OUTPUT_MAX (16 * (size_t)1024 * 1024)

static int
read_stdin(struct buf *out, struct error *err)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		if (buf_add(out, chunk, n) < 0)
			return error_set(err, ERROR_INPUT, "standard input: larger than %zu bytes",
				out->max);
	}
	if (ferror(stdin))
		return error_set_errno(err, ERROR_TEMP, "standard input");
	return 0;
}

static int
print_json(struct lint_result *result, struct error *err)
{
	json_t *value = lint_to_json(result);
	struct buf text;
	int rc;

	buf_init(&text, OUTPUT_MAX);
	rc = json_compact(value, &text, err);
	if (rc == 0)
		puts(buf_str(&text));
	buf_clear(&text);
	json_decref(value);
	return rc;
}

static void
print_findings(const struct lint_result *result)
{
	puts(result->valid ? "valid" : "not valid");
	for (size_t i = 0; i < result->findings.count; i++) {
		const struct finding *f = &result->findings.items[i];

		printf("  %s %s: %s\n", severity_name(f->severity), f->code, f->message);
		if (f->fix != NULL)
			printf("    fix: %s\n", f->fix);
	}
}

static int
unknown_kind(const char *typed, struct error *err)
{
	const char *names[32];
	const char *near;
	size_t count = 0;

	while (count < ARRAY_LEN(names) && lint_kind_name(count) != NULL) {
		names[count] = lint_kind_name(count);
		count++;
	}
	near = cli_suggest(typed, names, count);
	if (near != NULL)
		return error_set(err, ERROR_CONFIG, "lint: unknown kind %s; did you mean %s?", typed,
			near);
	return error_set(err, ERROR_CONFIG, "lint: unknown kind %s (preload25 lint --help lists them)",
		typed);
}

int
cmd_lint(struct app *app UNUSED, const struct cli_call *call, struct error *err)
{
	const struct lint_kind *kind = lint_kind_find(call->args[0]);
	const char *file = call->arg_count > 1 ? call->args[1] : "-";
	struct lint_result result = {0};
	struct arena *arena;
	struct buf text;
	int rc;

	if (kind == NULL)
		return unknown_kind(call->args[0], err);
	arena = arena_new();
	buf_init(&text, lint_kind_max(kind));
	rc = strcmp(file, "-") == 0 ? read_stdin(&text, err) : file_read(file, &text, err);
	if (rc == 0) {
		lint_run(kind, buf_str(&text), text.len, arena, &result);
		rc = result.valid ? 0 : 1;
		if (!cli_flag(call, "json")) {
			print_findings(&result);
			json_decref(result.value);
		} else if (print_json(&result, err) < 0) {
			rc = -1;
		}
	}
	buf_clear(&text);
	arena_free(arena);
	return rc;
}

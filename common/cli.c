#include "common/cli.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"

/* Names longer than this are not typing errors of ours. */
#define SUGGEST_NAME_MAX 40
/* Column of the explanations. */
#define HELP_COLUMN 30

static const struct cli_option builtin[] = {
	{.name = "help", .help = "print this help"},
	{.name = "version", .help = "print the version"},
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. */
static size_t
distance(const char *a, const char *b)
{
	size_t d[SUGGEST_NAME_MAX + 1][SUGGEST_NAME_MAX + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > SUGGEST_NAME_MAX || b_len > SUGGEST_NAME_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= a_len; i++)
		d[i][0] = i;
	for (size_t k = 0; k <= b_len; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t k = 1; k <= b_len; k++) {
			size_t cost = a[i - 1] != b[k - 1];

			d[i][k] = least(
				least(d[i - 1][k] + 1, d[i][k - 1] + 1), d[i - 1][k - 1] + cost);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

const char *
cli_suggest(const char *typed, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;
	size_t len = strlen(typed);

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(typed, names[i]);

		/* The beginning of a name is an abbreviation, not three errors. */
		if (len >= 2 && strncmp(typed, names[i], len) == 0)
			d = 1;
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	/* One error in a short word, two in a longer one. */
	return best_distance <= (len <= 4 ? 1 : 2) ? best : NULL;
}

static const struct cli_option *
option_in(const struct cli_option *options, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
			return &options[i];
	}
	return NULL;
}

/* The first option of that name anywhere: whether it takes a value must not depend on the command,
 * because options may stand before it. */
static const struct cli_option *
option_anywhere(const struct cli_program *p, const char *name, size_t len)
{
	const struct cli_option *found = option_in(builtin, ARRAY_LEN(builtin), name, len);

	if (found == NULL)
		found = option_in(p->options, p->option_count, name, len);
	for (size_t i = 0; found == NULL && i < p->command_count; i++)
		found = option_in(p->commands[i].options, p->commands[i].option_count, name, len);
	return found;
}

static bool
option_belongs(const struct cli_program *p, const struct cli_command *c, const char *name)
{
	size_t len = strlen(name);

	return option_in(builtin, ARRAY_LEN(builtin), name, len) != NULL ||
		option_in(p->options, p->option_count, name, len) != NULL ||
		(c != NULL && option_in(c->options, c->option_count, name, len) != NULL);
}

/* With command NULL: of all commands. */
static const char *
suggest_option(const struct cli_program *p, const struct cli_command *command, const char *typed)
{
	const char *names[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		names[n++] = builtin[i].name;
	for (size_t i = 0; i < p->option_count; i++)
		names[n++] = p->options[i].name;
	for (size_t i = 0; i < p->command_count; i++) {
		if (command != NULL && command != &p->commands[i])
			continue;
		for (size_t k = 0; k < p->commands[i].option_count; k++) {
			assert(n < ARRAY_LEN(names));
			names[n++] = p->commands[i].options[k].name;
		}
	}
	return cli_suggest(typed, names, n);
}

static int
add_option(const struct cli_program *p, struct cli_call *out, const char *text, int *i, int argc,
	const char *const *argv, struct error *err)
{
	const char *name = text + 2;
	size_t len = strcspn(name, "=");
	const struct cli_option *option = option_anywhere(p, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (option == NULL) {
		char *typed = xstrndup(name, len);
		const char *meant = suggest_option(p, NULL, typed);

		if (meant != NULL)
			error_set(err, ERROR_CONFIG, "--%s: no such option; did you mean --%s?",
				typed, meant);
		else
			error_set(err, ERROR_CONFIG, "--%s: no such option; see %s --help", typed,
				p->name);
		free(typed);
		return -1;
	}
	if (option->argument == NULL && value != NULL)
		return error_set(err, ERROR_CONFIG, "--%s takes no value", option->name);
	if (option->argument != NULL && value == NULL) {
		if (*i + 1 >= argc)
			return error_set(err, ERROR_CONFIG, "--%s needs a value: --%s %s",
				option->name, option->name, option->argument);
		value = argv[++*i];
	}
	for (size_t k = 0; k < out->given_count; k++) {
		if (strcmp(out->given[k].option->name, option->name) == 0)
			return error_set(err, ERROR_CONFIG, "--%s is given twice", option->name);
	}
	if (out->given_count == CLI_OPTIONS_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d options", CLI_OPTIONS_MAX);
	if (option == &builtin[0])
		out->help = true;
	if (option == &builtin[1])
		out->version = true;
	out->given[out->given_count].option = option;
	out->given[out->given_count++].value = value;
	return 0;
}

static int
find_command(const struct cli_program *p, const char *name, const struct cli_command **out,
	struct error *err)
{
	const char *names[256];
	const char *meant;
	size_t n = 0;

	for (size_t i = 0; i < p->command_count; i++) {
		if (p->commands[i].name == NULL)
			continue;
		if (strcmp(p->commands[i].name, name) == 0) {
			*out = &p->commands[i];
			return 0;
		}
		assert(n < ARRAY_LEN(names));
		names[n++] = p->commands[i].name;
	}
	meant = cli_suggest(name, names, n);
	if (meant != NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: no such command; did you mean %s?", name, meant);
	return error_set(err, ERROR_CONFIG, "%s: no such command; see %s --help", name, p->name);
}

static const struct cli_command *
unnamed_command(const struct cli_program *p)
{
	for (size_t i = 0; i < p->command_count; i++) {
		if (p->commands[i].name == NULL)
			return &p->commands[i];
	}
	return NULL;
}

static int
check_call(const struct cli_program *p, const struct cli_call *call, struct error *err)
{
	const struct cli_command *c = call->command;
	const char *name = c != NULL && c->name != NULL ? c->name : p->name;

	for (size_t i = 0; i < call->given_count; i++) {
		const char *option = call->given[i].option->name;

		if (!option_belongs(p, c, option))
			return error_set(err, ERROR_CONFIG,
				"%s: --%s is not an option of it; see %s --help", name, option,
				p->name);
	}
	if (call->help || call->version || c == NULL)
		return 0;
	if (call->arg_count < c->args_min)
		return error_set(err, ERROR_CONFIG, "%s: needs %s; see %s %s --help", name,
			c->arguments, p->name, c->name != NULL ? c->name : "");
	if (c->args_max >= 0 && call->arg_count > c->args_max)
		return error_set(err, ERROR_CONFIG, "%s: %s: one argument too many", name,
			call->args[c->args_max]);
	return 0;
}

int
cli_parse(const struct cli_program *program, int argc, const char *const *argv,
	struct cli_call *out, struct error *err)
{
	const char **args = xcalloc((size_t)(argc > 0 ? argc : 1), sizeof(*args));
	bool ended = false;

	*out = (struct cli_call){.program = program, .args = args};
	for (int i = 1; i < argc; i++) {
		const char *text = argv[i];

		if (!ended && strcmp(text, "--") == 0) {
			ended = true;
		} else if (!ended && strncmp(text, "--", 2) == 0) {
			if (add_option(program, out, text, &i, argc, argv, err) < 0)
				goto fail;
		} else if (!ended && text[0] == '-' && text[1] != '\0') {
			error_set(err, ERROR_CONFIG, "%s: no such option; see %s --help", text,
				program->name);
			goto fail;
		} else if (out->command == NULL) {
			if (find_command(program, text, &out->command, err) < 0)
				goto fail;
		} else {
			args[out->arg_count++] = text;
		}
	}
	if (out->command == NULL)
		out->command = unnamed_command(program);
	if (check_call(program, out, err) < 0)
		goto fail;
	return 0;
fail:
	cli_call_clear(out);
	return -1;
}

void
cli_call_clear(struct cli_call *call)
{
	free((void *)(uintptr_t)call->args);
	call->args = NULL;
	call->arg_count = 0;
}

static bool
find_given(const struct cli_call *call, const char *name, size_t *out)
{
	assert(option_belongs(call->program, call->command, name));
	for (size_t i = 0; i < call->given_count; i++) {
		if (strcmp(call->given[i].option->name, name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

const char *
cli_value(const struct cli_call *call, const char *name)
{
	size_t i;

	return find_given(call, name, &i) ? call->given[i].value : NULL;
}

bool
cli_flag(const struct cli_call *call, const char *name)
{
	size_t i;

	return find_given(call, name, &i);
}

static void
help_row(FILE *out, const char *left, const char *right)
{
	int width = HELP_COLUMN - 4;

	if (strlen(left) <= (size_t)width)
		fprintf(out, "  %-*s  %s\n", width, left, right);
	else
		fprintf(out, "  %s\n%*s%s\n", left, HELP_COLUMN, "", right);
}

static void
help_options(FILE *out, const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *left = xasprintf("--%s%s%s", options[i].name,
			options[i].argument != NULL ? " " : "",
			options[i].argument != NULL ? options[i].argument : "");

		help_row(out, left, options[i].help);
		free(left);
	}
}

void
cli_help(const struct cli_program *p, const struct cli_command *command, FILE *out)
{
	if (command != NULL && command->name != NULL) {
		fprintf(out, "usage: %s %s%s%s%s\n\n%c%s.\n", p->name, command->name,
			command->option_count > 0 ? " [options]" : "",
			command->arguments != NULL ? " " : "",
			command->arguments != NULL ? command->arguments : "",
			toupper((unsigned char)command->summary[0]), command->summary + 1);
		if (command->help != NULL)
			fprintf(out, "\n%s", command->help);
		fprintf(out, "\noptions:\n");
		help_options(out, command->options, command->option_count);
	} else {
		bool unnamed = unnamed_command(p) != NULL;

		fprintf(out, "usage: %s [options] %s\n\n%s.\n\ncommands:\n", p->name,
			unnamed ? "[command [argument ...]]" : "command [argument ...]",
			p->summary);
		for (size_t i = 0; i < p->command_count; i++) {
			const struct cli_command *c = &p->commands[i];
			char *left = xasprintf("%s%s%s", c->name != NULL ? c->name : "(none)",
				c->arguments != NULL ? " " : "",
				c->arguments != NULL ? c->arguments : "");

			help_row(out, left, c->summary);
			free(left);
		}
		fprintf(out, "\noptions:\n");
		if (command != NULL)
			help_options(out, command->options, command->option_count);
	}
	help_options(out, p->options, p->option_count);
	help_options(out, builtin, ARRAY_LEN(builtin));
	if (command == NULL || command->name == NULL)
		fprintf(out, "\n%s COMMAND --help says more.\n", p->name);
}

/* Whether what went to standard output got there. */
static int
finish_output(struct error *err)
{
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_set_errno(err, ERROR_TEMP, "standard output");
	return 0;
}

int
cli_main(const struct cli_program *program, int argc, char **argv, struct app *app)
{
	struct cli_call call;
	struct error err = {0};
	int rc;

	if (cli_parse(program, argc, (const char *const *)argv, &call, &err) < 0)
		goto fail;
	if (call.help) {
		cli_help(program, call.command, stdout);
		rc = 0;
	} else if (call.version) {
		printf("%s %s\n", program->name, program->version);
		rc = 0;
	} else if (call.command == NULL) {
		cli_help(program, NULL, stderr);
		rc = 2;
	} else {
		rc = program->prepare != NULL ? program->prepare(app, &call, &err) : 0;
		if (rc == 0)
			rc = call.command->run(app, &call, &err);
	}
	cli_call_clear(&call);
	if (rc < 0)
		goto fail;
	if (finish_output(&err) < 0)
		goto fail;
	return rc;
fail:
	/* What was printed before the failure comes first. */
	(void)fflush(stdout);
	log_error("%s", err.text);
	return error_exit_code(&err);
}

/*
 * cli: the command line of a program that is a table of subcommands.
 *
 *	static const struct cli_program program = {.name = "preload25", ...};
 *	return cli_main(&program, argc, argv, &app);
 *
 * Options are long ("--name", "--name VALUE", "--name=VALUE"), stand before or behind the
 * subcommand, and are ended by "--"; "-" alone is an argument. --help and --version are built in:
 * help of the program, or of the subcommand that is also given. What is wrong is one line in the
 * log and exit code 2; a mistyped name gets a suggestion.
 */
#ifndef COMMON_CLI_H
#define COMMON_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"

struct app; /* the program's own; cli only hands it on */
struct cli_call;
struct error;

/* More options and arguments than anybody types; "*.example" in a large directory still fits. */
#define CLI_OPTIONS_MAX 32

struct cli_option {
	const char *name;     /* without "--" */
	const char *argument; /* "FILE"; NULL: a flag */
	const char *help;     /* one line */
};

struct cli_command {
	const char *name; /* NULL: what the program does without a subcommand (at most one row) */
	const char *arguments; /* "DOMAIN..." for the synopsis; NULL: none */
	const char *summary;   /* one line */
	const char *help;      /* further lines for --help, each ended by \n; NULL: none */
	int args_min;
	int args_max; /* -1: any number */
	const struct cli_option *options;
	size_t option_count;
	/* Returns the exit code, or -1 with err set: cli_main() logs it once and exits with
	 * error_exit_code(). */
	int (*run)(struct app *app, const struct cli_call *call, struct error *err);
};

struct cli_program {
	const char *name;
	const char *version;
	const char *summary;
	const struct cli_option *options; /* those of every subcommand, --config say */
	size_t option_count;
	const struct cli_command *commands;
	size_t command_count;
	/* Called with every command before its run(): reads the common options. NULL: nothing. */
	int (*prepare)(struct app *app, const struct cli_call *call, struct error *err);
};

/* What was typed; strings are argv's. */
struct cli_call {
	const struct cli_program *program;
	const struct cli_command *command; /* NULL: none named and no row without name */
	const char *const *args;           /* behind the subcommand; owned */
	int arg_count;
	struct {
		const struct cli_option *option;
		const char *value; /* NULL: a flag */
	} given[CLI_OPTIONS_MAX];
	size_t given_count;
	bool help, version;
};

/* Pure: nothing is printed or run. What is wrong is ERROR_CONFIG. */
int cli_parse(const struct cli_program *program, int argc, const char *const *argv,
	struct cli_call *out, struct error *err) MUST_CHECK;
void cli_call_clear(struct cli_call *call);

/* The value of an option, NULL when it was not given. The option must be in a table. */
const char *cli_value(const struct cli_call *call, const char *name);
bool cli_flag(const struct cli_call *call, const char *name);

/* The name in names[count] that typed probably meant, or NULL. */
const char *cli_suggest(const char *typed, const char *const *names, size_t count);

/* Help of the program (command NULL) or of one command. */
void cli_help(const struct cli_program *program, const struct cli_command *command, FILE *out);

/* Parses, prepares, runs, and logs what failed; the result is main()'s. Output that could not be
 * written to standard output is a failure (exit code 3). */
int cli_main(const struct cli_program *program, int argc, char **argv, struct app *app);

#endif

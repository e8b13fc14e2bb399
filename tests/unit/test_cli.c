/* Command lines: what is accepted where, and what each mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/error.h"

static int
run(struct app *app UNUSED, const struct cli_call *call UNUSED, struct error *err UNUSED)
{
	return 0;
}

static const struct cli_option common_options[] = {
	{.name = "config", .argument = "FILE", .help = "c"}};
static const struct cli_option check_options[] = {{.name = "json", .help = "j"}};
static const struct cli_option act_options[] = {
	{.name = "reason", .argument = "TEXT", .help = "r"}};
static const struct cli_command commands[] = {
	{.name = "check",
		.arguments = "DOMAIN...",
		.summary = "look",
		.args_min = 1,
		.args_max = -1,
		.options = check_options,
		.option_count = 1,
		.run = run},
	{.name = "crawl", .summary = "work", .run = run},
	{.name = "remove",
		.arguments = "DOMAIN",
		.summary = "act",
		.args_min = 1,
		.args_max = 1,
		.options = act_options,
		.option_count = 1,
		.help = "More of it.\n",
		.run = run},
};
static const struct cli_program program = {.name = "prog",
	.version = "1.2",
	.summary = "Does things",
	.options = common_options,
	.option_count = 1,
	.commands = commands,
	.command_count = 3};
static const struct cli_command job[] = {
	{.summary = "the cron job", .run = run}, {.name = "status", .summary = "say", .run = run}};
static const struct cli_program unnamed = {.name = "prog",
	.version = "1",
	.summary = "s",
	.options = common_options,
	.option_count = 1,
	.commands = job,
	.command_count = 2};

#define MAX_ARGS 8

static int
parse(const struct cli_program *p, const char *const *words, struct cli_call *call,
	struct error *err)
{
	const char *argv[MAX_ARGS + 1] = {"prog"};
	int argc = 1;

	while (words[argc - 1] != NULL) {
		argv[argc] = words[argc - 1];
		argc++;
	}
	error_clear(err);
	return cli_parse(p, argc, argv, call, err);
}

static void
test_accepted(void **state UNUSED)
{
	static const struct {
		const char *words[MAX_ARGS];
		const char *command; /* NULL: none */
		const char *args;    /* joined by a comma */
		const char *config, *reason;
		bool json;
	} cases[] = {
		{{"check", "a", "b"}, "check", "a,b", NULL, NULL, false},
		{{"--json", "check", "a"}, "check", "a", NULL, NULL, true},
		{{"check", "a", "--json", "b"}, "check", "a,b", NULL, NULL, true},
		{{"--config", "f", "check", "a"}, "check", "a", "f", NULL, false},
		{{"check", "--config=f", "a"}, "check", "a", "f", NULL, false},
		{{"check", "--config=", "a"}, "check", "a", "", NULL, false},
		{{"check", "--", "--json"}, "check", "--json", NULL, NULL, false},
		{{"check", "-"}, "check", "-", NULL, NULL, false},
		{{"--", "check", "a"}, "check", "a", NULL, NULL, false},
		{{"remove", "a", "--reason", "--json"}, "remove", "a", NULL, "--json", false},
		{{"remove", "--reason=why not", "a"}, "remove", "a", NULL, "why not", false},
		{{"crawl"}, "crawl", "", NULL, NULL, false},
		{{NULL}, NULL, "", NULL, NULL, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_call call;
		struct error err;
		char args[100] = "";

		if (parse(&program, cases[i].words, &call, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		for (int k = 0; k < call.arg_count; k++)
			(void)snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%s",
				k > 0 ? "," : "", call.args[k]);
		assert_string_equal(args, cases[i].args);
		if (cases[i].command == NULL)
			assert_null(call.command);
		else
			assert_string_equal(call.command->name, cases[i].command);
		if (cases[i].config == NULL)
			assert_null(cli_value(&call, "config"));
		else
			assert_string_equal(cli_value(&call, "config"), cases[i].config);
		if (cases[i].reason != NULL)
			assert_string_equal(cli_value(&call, "reason"), cases[i].reason);
		if (cases[i].json)
			assert_true(cli_flag(&call, "json"));
		cli_call_clear(&call);
	}
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *words[MAX_ARGS];
		const char *want;
	} cases[] = {
		{{"chekc", "a"}, "chekc: no such command; did you mean check?"},
		{{"chck", "a"}, "did you mean check?"},
		{{"crwal"}, "did you mean crawl?"},
		{{"remvoe", "a"}, "did you mean remove?"},
		{{"frobnicate"}, "frobnicate: no such command; see prog --help"},
		{{""}, "no such command"},
		{{"check", "--jsno", "a"}, "--jsno: no such option; did you mean --json?"},
		{{"check", "--conf", "a"}, "did you mean --config?"},
		{{"check", "--zzz", "a"}, "--zzz: no such option; see prog --help"},
		{{"check", "-j", "a"}, "-j: no such option"},
		{{"check", "--json=yes", "a"}, "--json takes no value"},
		{{"check", "--json", "--json", "a"}, "--json is given twice"},
		{{"check", "a", "--config"}, "--config needs a value: --config FILE"},
		{{"check"}, "check: needs DOMAIN..."},
		{{"remove", "a", "b"}, "remove: b: one argument too many"},
		{{"crawl", "--json"}, "crawl: --json is not an option of it"},
		{{"crawl", "--reason", "x"}, "crawl: --reason is not an option of it"},
		{{"\x1b[31m"}, "\\x1b[31m: no such command"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_call call;
		struct error err;

		if (parse(&program, cases[i].words, &call, &err) == 0)
			fail_msg("case %zu was accepted, want \"%s\"", i, cases[i].want);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (strstr(err.text, cases[i].want) == NULL)
			fail_msg("case %zu: got \"%s\", want \"%s\"", i, err.text, cases[i].want);
	}
}

/* A program that does something without a subcommand. */
static void
test_unnamed(void **state UNUSED)
{
	static const char *const nothing[] = {NULL};
	static const char *const option[] = {"--config", "f", NULL};
	static const char *const status[] = {"status", NULL};
	struct cli_call call;
	struct error err;

	assert_int_equal(parse(&unnamed, nothing, &call, &err), 0);
	assert_ptr_equal(call.command, &job[0]);
	cli_call_clear(&call);
	assert_int_equal(parse(&unnamed, option, &call, &err), 0);
	assert_ptr_equal(call.command, &job[0]);
	assert_string_equal(cli_value(&call, "config"), "f");
	cli_call_clear(&call);
	assert_int_equal(parse(&unnamed, status, &call, &err), 0);
	assert_ptr_equal(call.command, &job[1]);
	cli_call_clear(&call);
}

static void
test_help(void **state UNUSED)
{
	static const struct {
		const struct cli_program *program;
		const struct cli_command *command;
		const char *want[6];
	} cases[] = {
		{&program, NULL,
			{"usage: prog [options] command", "check DOMAIN...", "remove DOMAIN",
				"--config FILE", "--help", "--version"}},
		{&program, &commands[2],
			{"usage: prog remove [options] DOMAIN", "Act.\n", "More of it.",
				"--reason TEXT", "--config FILE", "--help"}},
		{&unnamed, &job[0], {"usage: prog [options] [command", "(none)", "status"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		cli_help(cases[i].program, cases[i].command, out);
		assert_int_equal(fclose(out), 0);
		for (size_t k = 0; k < 6 && cases[i].want[k] != NULL; k++) {
			if (strstr(text, cases[i].want[k]) == NULL)
				fail_msg("case %zu lacks \"%s\":\n%s", i, cases[i].want[k], text);
		}
		free(text);
	}
}

static void
test_help_needs_no_arguments(void **state UNUSED)
{
	static const char *const words[] = {"check", "--help", NULL};
	struct cli_call call;
	struct error err;

	assert_int_equal(parse(&program, words, &call, &err), 0);
	assert_true(call.help);
	assert_ptr_equal(call.command, &commands[0]);
	cli_call_clear(&call);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unnamed),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_help_needs_no_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

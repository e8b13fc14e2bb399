#include "builder/command.h"

#include <stdlib.h>

#include "builder/check.h"
#include "builder/settings.h"
#include "builder/terminal.h"
#include "common/cli.h"
#include "common/error.h"
#include "verifier/engine.h"
#include "verifier/report.h"

struct asked {
	bool json, colour;
	bool not_fit, could_not_tell; /* any of them */
};

static void
on_report(const struct report *r, size_t index, FILE *text, void *arg)
{
	struct asked *a = arg;

	if (r->verdict == VERDICT_UNKNOWN)
		a->could_not_tell = true;
	else if (r->verdict == VERDICT_FAIL || !r->eligible)
		a->not_fit = true;
	if (a->json) {
		json_t *json = report_to_json(r);

		(void)json_dumpf(json, text, JSON_COMPACT);
		(void)fputc('\n', text);
		json_decref(json);
	} else {
		if (index > 0)
			(void)fputc('\n', text);
		report_print(r, text, a->colour);
	}
}

int
cmd_check(struct app *app, const struct cli_call *call, struct error *err)
{
	struct asked a = {.json = cli_flag(call, "json")};
	const struct settings *settings;
	struct engine_options options;

	a.colour = !a.json && terminal_colour(stdout);
	if (app_settings(app, true, &settings, err) < 0)
		return -1;
	options = settings->engine;
	options.client_cert = cli_value(call, "client-cert");
	options.client_key = cli_value(call, "client-key");
	if ((options.client_cert == NULL) != (options.client_key == NULL)) {
		return error_set(err, ERROR_CONFIG,
			"--client-cert and --client-key go together: one without the other is of "
			"no use");
	}
	options.test_injection = cli_flag(call, "test-injection");
	if (check_run(&options, call->args, (size_t)call->arg_count, stdout, on_report, &a, err) <
		0)
		return -1;
	if (a.not_fit)
		return 1;
	return a.could_not_tell ? 3 : 0;
}

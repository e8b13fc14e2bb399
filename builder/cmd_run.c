#include "builder/command.h"

#include "builder/run.h"
#include "builder/settings.h"
#include "common/cli.h"
#include "common/error.h"

int
cmd_run(struct app *app, const struct cli_call *call UNUSED, struct error *err)
{
	const struct settings *settings;

	if (app_settings(app, false, &settings, err) < 0)
		return -1;
	return run_until_signal(settings,
		app->config_path != NULL ? app->config_path : APP_CONFIG_DEFAULT, &app->clock, err);
}

/*
 * command: what the subcommands of preload25 share, and the functions behind them.
 *
 * One struct app lives from main() to the end. Configuration and store are opened when a command
 * first asks for them, so that `check` works where there is neither.
 */
#ifndef BUILDER_COMMAND_H
#define BUILDER_COMMAND_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/clock.h"

struct cli_call;
struct error;
struct settings;
struct store;

#define APP_CONFIG_DEFAULT "/etc/preload25/preload25.conf"

struct app {
	struct clock clock;
	const char *config_path;   /* --config; NULL: the default */
	struct settings *settings; /* by app_settings() */
	struct store *store;       /* by app_store() */
};

/* The configuration; lent for the life of app. With `optional` a default file that does not exist
 * means built-in defaults; a file named by --config must always be there. */
int app_settings(
	struct app *app, bool optional, const struct settings **out, struct error *err) MUST_CHECK;
/* The store that the configuration names, which must exist; lent for the life of app. */
int app_store(struct app *app, struct store **out, struct error *err) MUST_CHECK;
/* The same for commands that only show: enough when the user may read it (STORE_READ). */
int app_store_to_read(struct app *app, struct store **out, struct error *err) MUST_CHECK;
void app_clear(struct app *app);

/* Return the exit code, or -1 with err set. */
int cmd_check(struct app *app, const struct cli_call *call, struct error *err);
int cmd_lint(struct app *app, const struct cli_call *call, struct error *err);
int cmd_init(struct app *app, const struct cli_call *call, struct error *err);
int cmd_import(struct app *app, const struct cli_call *call, struct error *err);
int cmd_submit(struct app *app, const struct cli_call *call, struct error *err);
int cmd_act(
	struct app *app, const struct cli_call *call, struct error *err); /* remove refuse hold */
int cmd_crawl(struct app *app, const struct cli_call *call, struct error *err);
int cmd_build(struct app *app, const struct cli_call *call, struct error *err);
int cmd_publish(struct app *app, const struct cli_call *call, struct error *err);
int cmd_run(struct app *app, const struct cli_call *call, struct error *err);
int cmd_key(struct app *app, const struct cli_call *call, struct error *err);
int cmd_sign(struct app *app, const struct cli_call *call, struct error *err);
int cmd_minisign_key(struct app *app, const struct cli_call *call, struct error *err);
int cmd_status(struct app *app, const struct cli_call *call, struct error *err);
int cmd_history(struct app *app, const struct cli_call *call, struct error *err);
int cmd_notice(struct app *app, const struct cli_call *call, struct error *err);
int cmd_stats(struct app *app, const struct cli_call *call, struct error *err);

#endif

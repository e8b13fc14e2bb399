/* preload25-update: the command line. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "updater/fetch_job.h"
#include "updater/health.h"
#include "updater/job.h"
#include "updater/mta.h"
#include "updater/preview.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/setup.h"
#include "updater/stats.h"
#include "updater/survey.h"

#define PROGRAM "preload25-update"
/* As far back as --days goes. */
#define DAYS_MAX 3650
/* Octets of what undo says. */
#define UNDO_MAX ((size_t)4096)

struct app {
	const char *config_path;
	struct update_settings settings;
	struct error unread; /* why there are no settings, for those who can tell it better */
	int64_t now_s;
};

/* The answer is no: one line, like an error, unless it was told already; and exit code 1. */
static int
answer(int rc, const struct error *err)
{
	if (rc == 1 && err->kind != ERROR_NONE) {
		(void)fflush(stdout);
		log_error("%s", err->text);
	}
	return rc;
}

/* Silence is for cron, which makes mail of every line; journals are for reading. */
static void
log_where(const struct cli_call *call, bool verbose)
{
	if (cli_flag(call, "syslog"))
		log_to_syslog(PROGRAM, LOG_LEVEL_INFO);
	else
		log_to_stderr(PROGRAM,
			verbose || log_stderr_is_journal() ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING);
}

static int run_status(struct app *app, const struct cli_call *call, struct error *err);
static int run_setup(struct app *app, const struct cli_call *call, struct error *err);

/* The first set-up writes the configuration; and of a mail server that nobody knows is told first. */
static bool
needs_no_config(const struct app *app, const struct cli_call *call)
{
	return call->command->run == run_setup && !file_exists(app->config_path) &&
		(cli_value(call, "source") != NULL || mta_find(call->args[0]) == NULL);
}

/* Who begins has none yet. */
static void
say_how_to_begin(const struct app *app, struct error *err)
{
	error_set(err, ERROR_CONFIG,
		"%s: %s: set this machine up by \"" PROGRAM " setup MTA --apply --source URL --root FILE\"",
		app->config_path, strerror(ENOENT));
}

/* The configuration names programs that root runs, and rules what is not protected. */
static void
warn_of_writers(const struct app *app)
{
	const char *const paths[] = {
		app->config_path, app->settings.rules.file, app->settings.rules.dir};
	struct stat st;

	for (size_t i = 0; geteuid() == 0 && i < ARRAY_LEN(paths); i++)
		if (paths[i] != NULL && stat(paths[i], &st) == 0 && (st.st_mode & S_IWOTH) != 0)
			log_warning("%s: everybody may change it", paths[i]);
}

/* A Nagios plugin says on standard output, with a code of its own, that it does not know. */
static bool
tells_unread(const struct cli_call *call)
{
	return call->command->run == run_status && cli_flag(call, "nagios");
}

static int
prepare(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *path = cli_value(call, "config");
	struct clock clock;
	char text[CLOCK_TEXT_SIZE];

	log_where(call, cli_flag(call, "verbose"));
	if (clock_from_env(&clock, err) < 0)
		return -1;
	app->now_s = clock_now(&clock);
	if (clock.fixed) {
		clock_format(app->now_s, text);
		/* Silence is for success under cron; nobody rehearses there. */
		log_warning("the clock stands at %s (PRELOAD25_NOW)", text);
	}
	app->config_path = path != NULL ? path : UPDATE_SETTINGS_DEFAULT_PATH;
	if (update_settings_load(
		    needs_no_config(app, call) ? NULL : app->config_path, &app->settings, err) == 0) {
		warn_of_writers(app);
		return 0;
	}
	if (path == NULL && access(app->config_path, F_OK) < 0 && errno == ENOENT)
		say_how_to_begin(app, err);
	if (!tells_unread(call))
		return -1;
	app->unread = *err;
	error_clear(err);
	return 0;
}

static int
run_job(struct app *app, const struct cli_call *call, struct error *err)
{
	struct job_options options = {
		.now_s = app->now_s,
		.dry_run = cli_flag(call, "dry-run"),
		.allow_churn = cli_flag(call, "allow-churn"),
		.offline = cli_flag(call, "offline"),
	};

	if (cli_flag(call, "fetch-only")) {
		if (options.dry_run || options.allow_churn || options.offline)
			return error_set(err, ERROR_CONFIG,
				"--fetch-only installs nothing: --dry-run, --allow-churn and --offline do not go with it");
		return answer(fetch_job_run(&app->settings, app->now_s, err), err);
	}

	/* What it would have done is what a dry run is for. */
	if (options.dry_run)
		log_where(call, true);
	return answer(job_run(&app->settings, &options, err), err);
}

static int
run_setup(struct app *app, const struct cli_call *call, struct error *err)
{
	const struct setup_options options = {.apply = cli_flag(call, "apply"),
		.revert = cli_flag(call, "revert"),
		.check = cli_flag(call, "check"),
		.now_s = app->now_s,
		.out = stdout};
	const struct setup_call typed = {.mta = call->args[0],
		.config_path = app->config_path,
		.config_dir = cli_value(call, "config-dir"),
		.postconf = cli_value(call, "postconf"),
		.url = cli_value(call, "source"),
		.root = cli_value(call, "root")};

	return answer(setup(&app->settings, &typed, &options, err), err);
}

/* Which log, and how far back. */
static int
read_survey_options(struct app *app, const struct cli_call *call, struct survey_options *out,
	struct error *err)
{
	const char *days = cli_value(call, "days");
	uint64_t number = 0;

	if (days != NULL && (str_parse_u64(days, strlen(days), DAYS_MAX, &number) < 0 || number == 0))
		return error_set(err, ERROR_CONFIG, "--days %s: not a number from 1 to %d", days, DAYS_MAX);
	*out = (struct survey_options){.path = call->arg_count > 0 ? call->args[0] : NULL,
		.days = (int64_t)number,
		.now_s = app->now_s};
	return 0;
}

static int
run_preview(struct app *app, const struct cli_call *call, struct error *err)
{
	struct preview_options options = {
		.json = cli_flag(call, "json"), .probe = cli_flag(call, "probe"), .out = stdout};

	if (read_survey_options(app, call, &options.survey, err) < 0)
		return -1;
	options.survey.trial = true;
	return answer(preview(&app->settings, &options, err), err);
}

static int
run_stats(struct app *app, const struct cli_call *call, struct error *err)
{
	struct stats_options options = {.json = cli_flag(call, "json"), .out = stdout};

	if (read_survey_options(app, call, &options.survey, err) < 0)
		return -1;
	return answer(stats(&app->settings, &options, err), err);
}

static int
run_undo(struct app *app, const struct cli_call *call UNUSED, struct error *err)
{
	struct buf said;
	int rc;

	buf_init(&said, UNDO_MAX);
	rc = job_undo(&app->settings, app->now_s, &said, err);
	if (rc == 0)
		puts(buf_str(&said));
	buf_clear(&said);
	return answer(rc, err);
}

static int
run_status(struct app *app, const struct cli_call *call, struct error *err)
{
	if (cli_flag(call, "nagios") && cli_flag(call, "json"))
		return error_set(err, ERROR_CONFIG, "status: only one of --nagios and --json");
	if (cli_flag(call, "nagios"))
		return (int)health_nagios(&app->settings,
			app->unread.kind != ERROR_NONE ? &app->unread : NULL, app->now_s, stdout);
	if (cli_flag(call, "json"))
		return answer(report_status_json(&app->settings, app->now_s, stdout, err), err);
	return answer(report_status(&app->settings, app->now_s, stdout, err), err);
}

static int
run_explain(struct app *app, const struct cli_call *call, struct error *err)
{
	return answer(report_explain(&app->settings, call->args[0], app->now_s, stdout, err), err);
}

static int
run_verify(struct app *app, const struct cli_call *call, struct error *err)
{
	return report_verify(&app->settings, call->args[0], app->now_s, stdout, err);
}

static const struct cli_option common_options[] = {
	{"config", "FILE", "configuration; default " UPDATE_SETTINGS_DEFAULT_PATH},
	{"verbose", NULL, "say what is being done"},
	{"syslog", NULL, "messages go to syslog, facility mail, instead of standard error"},
};

static const struct cli_option job_options[] = {
	{"dry-run", NULL, "everything but the installation"},
	{"allow-churn", NULL, "install even what the brake would stop"},
	{"fetch-only", NULL, "fetch and verify, install nothing: for a user without rights"},
	{"offline", NULL, "verify and install what --fetch-only has left, without network"},
};

static const struct cli_option setup_options[] = {
	{"apply", NULL, "make the changes, after a backup"},
	{"revert", NULL, "take away what --apply has brought"},
	{"check", NULL, "exit code 1 when something is to be done; for monitoring"},
	{"source", "URL", "with --apply: write the configuration and fetch the list first"},
	{"root", "FILE", "the authority's root file, for --source"},
	{"config-dir", "DIR", "folder of main.cf, or of Exim's configuration; default: theirs"},
	{"postconf", "FILE", "the program; default: by PATH"},
};

static const struct cli_option status_options[] = {
	{"json", NULL, "for programs: one object"},
	{"nagios", NULL, "for monitoring: one line, and a plugin's exit code"},
};

static const struct cli_option preview_options[] = {
	{"probe", NULL, "ask the mail servers of those domains now; sends no mail"},
	{"days", "N", "lines of the last N days; default: all of LOG, or else 7"},
	{"json", NULL, "for programs: one object, all domains"},
};

static const struct cli_option stats_options[] = {
	{"days", "N", "lines of the last N days; default: all of LOG, or else 7"},
	{"json", NULL, "for programs: one object, all domains"},
};

static const struct cli_command commands[] = {
	{.name = NULL,
		.summary = "the job for cron: fetch, verify and install the list",
		.options = job_options,
		.option_count = ARRAY_LEN(job_options),
		.run = run_job},
	{.name = "setup",
		.arguments = "postfix|exim|opensmtpd|sendmail",
		.summary = "show what the mail server needs for the list to take effect",
		.args_min = 1,
		.args_max = 1,
		.options = setup_options,
		.option_count = ARRAY_LEN(setup_options),
		.run = run_setup},
	{.name = "status",
		.summary = "what is installed, how old it is, what was left out",
		.options = status_options,
		.option_count = ARRAY_LEN(status_options),
		.run = run_status},
	{.name = "preview",
		.arguments = "[LOG]",
		.summary = "what the list would mean for the mail that this server sends (LOG: - for "
			   "standard input; default: found)",
		.args_max = 1,
		.options = preview_options,
		.option_count = ARRAY_LEN(preview_options),
		.run = run_preview},
	{.name = "stats",
		.arguments = "[LOG]",
		.summary = "what the list did for the mail that this server sends: protected, held up and why",
		.args_max = 1,
		.options = stats_options,
		.option_count = ARRAY_LEN(stats_options),
		.run = run_stats},
	{.name = "undo",
		.summary = "go back to the list before the one that is installed",
		.run = run_undo},
	{.name = "explain",
		.arguments = "DOMAIN",
		.summary = "which rule applies to a domain, since when, and why",
		.args_min = 1,
		.args_max = 1,
		.run = run_explain},
	{.name = "verify",
		.arguments = "FILE",
		.summary = "whether a file is the list that the authority has signed",
		.args_min = 1,
		.args_max = 1,
		.run = run_verify},
};

static const struct cli_program program = {
	.name = PROGRAM,
	.version = PRELOAD25_VERSION,
	.summary = "Installs the list of mail domains that must be reached over verified TLS",
	.options = common_options,
	.option_count = ARRAY_LEN(common_options),
	.commands = commands,
	.command_count = ARRAY_LEN(commands),
	.prepare = prepare,
};

int
main(int argc, char **argv)
{
	struct app app;
	int rc;

	/* libcurl would append the keys of every TLS session to the file that this names. */
	(void)unsetenv("SSLKEYLOGFILE");
	log_to_stderr(PROGRAM, LOG_LEVEL_WARNING);
	memset(&app, 0, sizeof(app));
	rc = cli_main(&program, argc, argv, &app);
	update_settings_clear(&app.settings);
	return rc;
}

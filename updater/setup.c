#include "updater/setup.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "updater/job.h"
#include "updater/mta.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/setup_first.h"

/* The row that setup is for; the configuration may name it, or leave it out. */
static int
choose_mta(struct update_settings *s, const char *name, struct error *err)
{
	const struct mta *mta = mta_find(name);

	if (mta == NULL)
		return error_set(err, ERROR_CONFIG, "setup %s: none of %s", name, mta_names());
	/* "texthash" is Postfix too. */
	if (mta->setup == s->mta->setup)
		return 0;
	if (s->mta_is_set)
		return error_set(err, ERROR_CONFIG,
			"%s: mta = %s: setup %s is for another mail server",
			config_where(s->config, "install", "mta"), s->mta->name, name);
	return update_settings_choose_mta(s, mta, err);
}

/* Settings as setup sees them: for the mail server and the folders that were named. */
static int
adapt(struct update_settings *s, const struct setup_call *call, struct error *err)
{
	if (choose_mta(s, call->mta, err) < 0)
		return -1;
	if (call->config_dir != NULL)
		s->config_dir = s->exim_dir = call->config_dir;
	if (call->postconf != NULL)
		s->postconf = call->postconf;
	return 0;
}

/* The job is to write for the mail server that was set up. */
static int
note_mta(const struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err)
{
	int rc = setup_first_add_mta(call->config_path, s->mta->name, err);

	if (rc == 0)
		fprintf(options->out, "%s: added [install] mta = %s\n", call->config_path,
			s->mta->name);
	return rc;
}

static int
setup_mta(const struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err)
{
	bool chosen = !s->mta_is_set && s->mta != &mta_postfix;
	int rc = s->mta->setup(s, options, err);

	if (rc == 0 && chosen && options->apply)
		return note_mta(s, call, options, err);
	if (rc == 0 && chosen && !options->revert) {
		fprintf(options->out, "%s needs [install] mta = %s%s\n", call->config_path,
			s->mta->name, options->check ? "" : " (--apply adds it)");
		return options->check ? 1 : 0;
	}
	return rc;
}

/* --- the first one ------------------------------------------------------------------------------
 */

/* Whether the list would protect anything here, without a word where it would: 0, or what the mail
 * server's setup says and returns. */
static int
rehearse(const struct update_settings *s, const struct setup_options *options, struct error *err)
{
	struct setup_options plan = {.now_s = options->now_s};
	char *text = NULL;
	size_t size;
	int rc;

	plan.out = open_memstream(&text, &size);
	if (plan.out == NULL)
		return error_set_errno(err, ERROR_TEMP, "setup");
	rc = s->mta->setup(s, &plan, err);
	(void)fclose(plan.out);
	if (rc > 0)
		fputs(text, options->out);
	free(text);
	return rc;
}

/* List and mail server, under the configuration that was written. */
static int
go_through(struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err)
{
	const struct job_options job = {.now_s = options->now_s};
	int rc;

	update_settings_clear(s);
	rc = update_settings_load(call->config_path, s, err);
	if (rc == 0)
		rc = adapt(s, call, err);
	if (rc == 0)
		rc = job_run(s, &job, err);
	if (rc == 0)
		rc = report_status(s, options->now_s, options->out, err);
	if (rc == 0)
		rc = setup_mta(s, call, options, err);
	return rc;
}

static int
tell_first(const struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err)
{
	char *more = xasprintf(" --source %s --root %s", call->url, call->root);
	struct setup_options with = *options;
	int rc;

	with.more = more;
	rc = s->mta->setup(s, &with, err);
	free(more);
	return rc;
}

/* The copy of the root file is gone when anybody reads what is wrong with it: it was said of what was typed. */
static void
name_root_typed(const struct setup_first *first, const char *root, struct error *err)
{
	const size_t len = first->root_path != NULL ? strlen(first->root_path) : 0;

	if (len > 0 && strncmp(err->text, first->root_path, len) == 0 && err->text[len] == ':') {
		char *rest = xstrdup(err->text + len);

		error_set(err, err->kind, "%s%s", root, rest);
		free(rest);
	}
}

/* Configuration, list and mail server in one go; the mail server last, when the list is there. */
static int
first_setup(struct update_settings *s, const struct setup_call *call,
	const struct setup_options *options, struct error *err)
{
	struct setup_first first;
	int rc;

	if (call->url == NULL || call->root == NULL)
		return error_set(err, ERROR_CONFIG, "setup: --source and --root go together");
	if (options->revert || options->check)
		return error_set(err, ERROR_CONFIG, "setup: --source is for --apply");
	if (!options->apply) {
		setup_first_tell(call->config_path, call->url, call->root, options->out);
		return tell_first(s, call, options, err);
	}
	rc = rehearse(s, options, err);
	if (rc != 0)
		return rc;
	if (setup_first_write(s, call->config_path, call->url, call->root, &first, err) < 0)
		return -1;
	rc = go_through(s, call, options, err);
	if (rc < 0)
		name_root_typed(&first, call->root, err);
	if (rc != 0)
		setup_first_undo(&first);
	else
		fprintf(options->out, "preload25-update setup %s --revert takes it away again\n",
			call->mta);
	setup_first_clear(&first);
	return rc;
}

int
setup(struct update_settings *s, const struct setup_call *call, const struct setup_options *options,
	struct error *err)
{
	if (options->apply + options->revert + options->check > 1)
		return error_set(
			err, ERROR_CONFIG, "setup: only one of --apply, --revert and --check");
	if (adapt(s, call, err) < 0)
		return -1;
	if (call->url != NULL || call->root != NULL)
		return first_setup(s, call, options, err);
	return setup_mta(s, call, options, err);
}

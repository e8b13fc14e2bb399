#include "builder/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "builder/import.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "builder/terminal.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/log.h"

/* Complaints about single lines; a file of another kind would give as many as it has lines. */
#define COMPLAINTS_MAX 20

struct taken {
	struct store *store;
	int64_t now_s;
	int64_t added, known, refused;
};

static int
on_domain(const char *ascii, void *arg, struct error *err)
{
	struct taken *t = arg;
	int rc = store_add(t->store, ascii, "import", t->now_s, err);

	if (rc < 0)
		return -1;
	if (rc == 1)
		t->added++;
	else
		t->known++;
	return 0;
}

static void
on_refused(const char *where, const char *typed, const char *why, void *arg)
{
	struct taken *t = arg;

	if (++t->refused <= COMPLAINTS_MAX)
		log_warning("%s: %s: %s", where, typed, why);
	else if (t->refused == COMPLAINTS_MAX + 1)
		log_warning("%s: further lines that hold no domain are only counted", where);
}

int
cmd_import(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *name = call->args[0];
	bool is_stdin = strcmp(name, "-") == 0;
	struct taken taken = {.now_s = clock_now(&app->clock)};
	const struct import_sink sink = {.domain = on_domain, .refused = on_refused, .arg = &taken};
	const struct settings *settings;
	FILE *in = NULL;
	int rc = -1;

	if (app_settings(app, false, &settings, err) < 0 || app_store(app, &taken.store, err) < 0)
		return -1;
	in = is_stdin ? stdin : fopen(name, "re");
	if (in == NULL)
		return error_set_errno(err, ERROR_CONFIG, "import: %s", name);
	if (store_begin(taken.store, err) < 0)
		goto out;
	if (import_read(in, is_stdin ? "standard input" : name, settings->engine.special_use_names,
		    &sink, err) < 0) {
		error_prefix(err, "import");
		store_abort(taken.store);
		goto out;
	}
	if (store_commit(taken.store, err) < 0)
		goto out;
	printf("%" PRId64 " new %s, %" PRId64 " known already, %" PRId64 " refused\n", taken.added,
		terminal_noun(taken.added, "candidate", "candidates"), taken.known, taken.refused);
	/* Nothing but refusals: this was the wrong file. */
	rc = taken.added + taken.known == 0 && taken.refused > 0 ? 1 : 0;
out:
	if (!is_stdin)
		(void)fclose(in);
	return rc;
}

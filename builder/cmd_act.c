#include "builder/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/settings.h"
#include "builder/store.h"
#include "builder/terminal.h"
#include "common/cli.h"
#include "common/error.h"

/* Octets of a reason. */
#define REASON_MAX 500

static const struct {
	const char *name;
	enum life_act act;
	const char *done;
} acts[] = {
	{"remove", LIFE_ACT_REMOVE, "is removed"},
	{"refuse", LIFE_ACT_REFUSE, "is refused"},
	{"hold", LIFE_ACT_HOLD, "is held as"},
};

static int
check_reason(const char *reason, const char *act, struct error *err)
{
	if (reason == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: needs --reason TEXT: it is kept for ever", act);
	if (reason[strspn(reason, " \t")] == '\0' || strlen(reason) > REASON_MAX)
		return error_set(
			err, ERROR_CONFIG, "%s: --reason: wants 1 to %d octets", act, REASON_MAX);
	for (const char *c = reason; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ')
			return error_set(
				err, ERROR_CONFIG, "%s: --reason: holds a control character", act);
	}
	return 0;
}

int
cmd_act(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *reason = cli_value(call, "reason");
	struct store_domain d = {0};
	struct life_result result;
	const struct settings *settings;
	struct store *store;
	char *ascii = NULL;
	size_t i = 0;
	int rc = -1;

	while (strcmp(acts[i].name, call->command->name) != 0)
		i++;
	if (check_reason(reason, acts[i].name, err) < 0 ||
		app_settings(app, false, &settings, err) < 0 || app_store(app, &store, err) < 0 ||
		terminal_domain(call->args[0], settings->engine.special_use_names, &ascii, err) < 0)
		goto out;
	if (store_begin(store, err) < 0)
		goto out;
	/* Who refuses a domain may do so before anybody has submitted it. */
	if (acts[i].act == LIFE_ACT_REFUSE &&
		store_add(store, ascii, "operator", clock_now(&app->clock), err) < 0)
		goto out;
	rc = store_find(store, ascii, &d, err);
	if (rc == 0)
		rc = error_set(err, ERROR_INPUT, "%s: %s: is not known here", acts[i].name, ascii);
	if (rc < 0)
		goto out;
	life_apply_act(&d.life, acts[i].act, reason, clock_now(&app->clock), &result);
	rc = store_put_life(store, &d, &result, clock_now(&app->clock), "operator", 0, err);
	if (rc == 0)
		rc = store_commit(store, err);
	if (rc == 0)
		printf("%s %s%s%s\n", ascii, acts[i].done, acts[i].act == LIFE_ACT_HOLD ? " " : "",
			acts[i].act == LIFE_ACT_HOLD ? life_state_name(result.life.state) : "");
out:
	if (rc < 0 && app->store != NULL)
		store_abort(app->store);
	store_domain_clear(&d);
	free(ascii);
	return rc;
}

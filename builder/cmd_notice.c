#include "builder/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/look.h"
#include "builder/notice.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "builder/terminal.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/json.h"

#define MESSAGE_MAX ((size_t)64 * 1024)

/* The last step of a domain. */
struct step {
	struct buf reason;
	enum life_state from;
};

static int
note_step(const struct store_transition *t, void *arg, struct error *err UNUSED)
{
	struct step *last = arg;

	buf_reset(&last->reason);
	(void)buf_add_str(&last->reason, t->reason);
	last->from = t->from;
	return 0;
}

/* The newest look, of whichever vantage point: its address for notices, and what stands in the way.
 * 1 found, 0 there is none. What n gets is lent by *out, which the caller frees. */
static int
read_newest(struct store *store, int64_t domain, struct arena *arena, struct notice *n,
	const char **contact, json_t **out, struct error *err)
{
	struct store_view views[STORE_VANTAGES_MAX];
	const struct store_view *newest = NULL;
	const json_t *findings;
	struct buf text;
	size_t count;
	int rc;

	if (store_views(store, domain, arena, views, STORE_VANTAGES_MAX, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (views[i].evidence != 0 &&
			(newest == NULL || views[i].view.time_s > newest->view.time_s))
			newest = &views[i];
	}
	if (newest == NULL)
		return 0;
	buf_init(&text, LOOK_EVIDENCE_MAX);
	rc = store_get_evidence(store, newest->evidence, &text, err);
	if (rc == 1 && json_parse(buf_str(&text), text.len, out, err) < 0)
		rc = -1;
	buf_clear(&text);
	if (rc != 1)
		return rc;
	*contact = json_string_value(json_object_get(*out, "contact"));
	findings = json_object_get(*out, "findings");
	for (size_t i = 0; i < json_array_size(findings) && newest->view.fail_code != NULL; i++) {
		const json_t *f = json_array_get(findings, i);
		const char *code = json_string_value(json_object_get(f, "code"));

		if (code == NULL || strcmp(code, newest->view.fail_code) != 0)
			continue;
		n->code = code;
		n->subject = json_string_value(json_object_get(f, "subject"));
		n->message = json_string_value(json_object_get(f, "message"));
		n->fix = json_string_value(json_object_get(f, "fix"));
		break;
	}
	return 1;
}

/* 0: not known any more. */
static int
read_max_age(const struct life *life, int64_t *out, struct error *err)
{
	json_t *policy = NULL;

	*out = 0;
	if (life->policy == NULL)
		return 0;
	if (json_parse(life->policy, strlen(life->policy), &policy, err) < 0)
		return error_prefix(err, "entry");
	*out = json_integer_value(json_object_get(policy, "max_age"));
	json_decref(policy);
	return 0;
}

static int
print_notice(struct store *store, const struct settings *settings, const struct store_domain *d,
	struct error *err)
{
	struct notice n = {.domain = d->name,
		.author = settings->authority.name,
		.life = &d->life,
		.rules = &settings->life};
	struct arena *arena = arena_new();
	const char *contact = NULL;
	json_t *evidence = NULL;
	char *from = NULL, *to = NULL;
	struct step last = {.from = LIFE_CANDIDATE};
	struct buf text;
	int rc = -1;

	buf_init(&last.reason, MESSAGE_MAX);
	buf_init(&text, MESSAGE_MAX);
	if (settings->authority.contact == NULL) {
		error_set(err, ERROR_CONFIG,
			"section [authority], contact: notices need a mailto: URI that they come "
			"from");
		goto out;
	}
	if (notice_address(settings->authority.contact, &from, err) < 0) {
		err->kind = ERROR_CONFIG;
		error_prefix(err, "section [authority], contact");
		goto out;
	}
	if (store_history(store, d->name, note_step, &last, err) < 0 ||
		read_newest(store, d->id, arena, &n, &contact, &evidence, err) < 0 ||
		read_max_age(&d->life, &n.max_age_s, err) < 0)
		goto out;
	rc = 1;
	if (contact == NULL) {
		printf("%s: publishes no address for notices\n", d->name);
		goto out;
	}
	if (notice_address(contact, &to, err) < 0) {
		rc = error_prefix(err, "%s", d->name);
		goto out;
	}
	n.from = from;
	n.to = to;
	n.reason = last.reason.len > 0 ? buf_str(&last.reason) : NULL;
	n.was_listed = life_is_on_list(last.from);
	if (notice_format(&n, &text) == 0)
		printf("%s: %s: there is nothing to tell\n", d->name,
			life_state_name(d->life.state));
	else if (buf_failed(&text))
		rc = error_set(err, ERROR_INPUT, "%s: the notice is too long", d->name);
	else
		rc = fwrite(text.data, 1, text.len, stdout) == text.len
			? 0
			: error_set_errno(err, ERROR_TEMP, "standard output");
out:
	json_decref(evidence);
	buf_clear(&text);
	buf_clear(&last.reason);
	free(from);
	free(to);
	arena_free(arena);
	return rc;
}

int
cmd_notice(struct app *app, const struct cli_call *call, struct error *err)
{
	struct store_domain d = {0};
	const struct settings *settings;
	struct store *store;
	char *ascii = NULL;
	int rc = -1;

	if (app_settings(app, false, &settings, err) < 0 ||
		app_store_to_read(app, &store, err) < 0 ||
		terminal_domain(call->args[0], settings->engine.special_use_names, &ascii, err) < 0)
		goto out;
	rc = store_find(store, ascii, &d, err);
	if (rc == 0) {
		printf("%s: not known here\n", ascii);
		rc = 1;
	} else if (rc == 1) {
		rc = print_notice(store, settings, &d, err);
	}
out:
	store_domain_clear(&d);
	free(ascii);
	return rc;
}

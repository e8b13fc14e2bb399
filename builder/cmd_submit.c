#include "builder/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/check.h"
#include "builder/crawl.h"
#include "builder/look.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "builder/terminal.h"
#include "common/arena.h"
#include "common/cli.h"
#include "common/error.h"
#include "verifier/report.h"

struct submitted {
	struct look_point point;
	int64_t now_s;
	bool colour;
	bool abstained;
	int rc; /* the exit code, or -1 */
	struct error *err;
};

static int
keep(struct submitted *s, const struct report *r)
{
	struct look_point *p = &s->point;
	struct store_domain d = {0};
	int rc = -1;

	if (store_vantage(p->store, p->vantage, s->now_s, &p->vantage_id, s->err) == 0 &&
		store_add(p->store, r->ascii, "submit", s->now_s, s->err) >= 0 &&
		store_find(p->store, r->ascii, &d, s->err) >= 0)
		rc = look_store(p, d.id, r, s->now_s, NULL, s->err);
	store_domain_clear(&d);
	return rc;
}

static void
on_report(const struct report *r, size_t index UNUSED, FILE *text, void *arg)
{
	struct submitted *s = arg;

	report_print(r, text, s->colour);
	s->abstained = r->abstained;
	if (!r->abstained && keep(s, r) < 0)
		s->rc = -1;
	else if (r->verdict == VERDICT_UNKNOWN)
		s->rc = 3;
	else
		s->rc = r->verdict == VERDICT_PASS && r->eligible ? 0 : 1;
}

/* R21.3: and when the vantage point looks again. */
static int
print_state(const struct submitted *s, const struct store_domain *d, struct error *err)
{
	struct store_view views[STORE_VANTAGES_MAX];
	struct arena *arena = arena_new();
	char text[TERMINAL_TIME_SIZE];
	size_t count = 0;
	int rc = store_views(
		s->point.store, d->id, arena, views, STORE_VANTAGES_MAX, &count, err);

	printf("\n%s is %s", d->name, life_state_name(d->life.state));
	if (d->life.state == LIFE_PENDING) {
		terminal_time(life_join_due(&s->point.settings->life, &d->life), text);
		printf("; if it goes on passing it is listed from %s", text);
	}
	printf("\n");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(views[i].view.vantage, s->point.vantage) != 0)
			continue;
		terminal_time(views[i].due_s, text);
		printf("the next look from vantage point %s is due %s\n", s->point.vantage, text);
	}
	arena_free(arena);
	return rc;
}

int
cmd_submit(struct app *app, const struct cli_call *call, struct error *err)
{
	struct submitted s = {.now_s = clock_now(&app->clock), .rc = -1, .err = err};
	struct store_domain d = {0};
	const struct settings *settings;
	char *ascii = NULL;
	const char *asked;
	int rc = -1;

	if (app_settings(app, false, &settings, err) < 0 ||
		app_store(app, &s.point.store, err) < 0 ||
		terminal_domain(call->args[0], settings->engine.special_use_names, &ascii, err) <
			0 ||
		crawl_vantage(settings, NULL, &s.point.vantage, err) < 0)
		goto out;
	s.point.settings = settings;
	s.colour = terminal_colour(stdout);
	asked = ascii;
	if (check_run(&settings->engine, &asked, 1, stdout, on_report, &s, err) < 0 || s.rc < 0)
		goto out;
	if (s.abstained) {
		printf("\nnothing is kept of it: vantage point %s abstains\n", s.point.vantage);
		rc = s.rc;
		goto out;
	}
	if (store_find(s.point.store, ascii, &d, err) < 0)
		goto out;
	rc = print_state(&s, &d, err) < 0 ? -1 : s.rc;
out:
	store_domain_clear(&d);
	free(ascii);
	return rc;
}

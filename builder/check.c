#include "builder/check.h"

#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/descriptors.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/engine.h"
#include "verifier/report.h"
#include "verifier/self_test.h"

/* How often an engine that had no room is asked again. */
#define TICK_MS 100
/* Domains begun whose reports wait for the turn of a slower one at most: memory does not grow with
 * the number of arguments. */
#define WINDOW 1000

struct check {
	const char *const *domains; /* borrowed */
	struct slot *slots;         /* WINDOW of them, in turn */
	size_t count;
	size_t submitted, printed;
	FILE *out;
	check_cb *cb;
	void *arg;
	struct event_base *base;
	const struct engine_options *options;
	struct self_test *test;
	struct engine *engine;
	struct event *fill; /* added once the self-test is passed */
	bool failed;
	struct error *err;
};

struct slot {
	struct check *check;
	size_t index;
	bool done;
	char *text; /* owned; what the callback wrote */
	size_t text_len;
};

static void
print_turns(struct check *c)
{
	for (; c->printed < c->submitted; c->printed++) {
		struct slot *s = &c->slots[c->printed % WINDOW];

		if (!s->done)
			break;
		(void)fwrite(s->text, 1, s->text_len, c->out);
		free(s->text);
		s->text = NULL;
	}
	(void)fflush(c->out); /* what could not be written shows when main() ends */
}

static void
on_report(const struct report *r, void *arg)
{
	struct slot *s = arg;
	struct check *c = s->check;
	FILE *text = open_memstream(&s->text, &s->text_len);

	if (text == NULL) {
		error_set_errno(c->err, ERROR_TEMP, "check");
		c->failed = true;
		(void)event_base_loopbreak(c->base);
		return;
	}
	c->cb(r, s->index, text, c->arg);
	if (fclose(text) != 0)
		abort(); /* memory is the only thing it needs */
	s->done = true;
	print_turns(c);
	if (c->printed == c->count)
		(void)event_base_loopbreak(c->base);
	else
		event_active(c->fill, EV_TIMEOUT, 1);
}

static struct slot *
next_slot(struct check *c)
{
	struct slot *s = &c->slots[c->submitted % WINDOW];

	*s = (struct slot){.check = c, .index = c->submitted++};
	return s;
}

static void
on_fill(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct check *c = arg;

	while (c->submitted < c->count && c->submitted - c->printed < WINDOW &&
		engine_has_room(c->engine)) {
		struct slot *s = next_slot(c);

		engine_submit(c->engine, c->domains[s->index], on_report, s);
	}
}

static void
on_tested(const struct finding_list *findings, void *arg)
{
	static const struct timeval interval = {.tv_usec = TICK_MS * 1000};
	struct check *c = arg;

	if (findings->count == 0) {
		(void)event_add(c->fill, &interval);
		event_active(c->fill, EV_TIMEOUT, 1);
		return;
	}
	while (c->submitted < c->count && !c->failed) {
		struct slot *s = next_slot(c);
		struct report *r = self_test_abstain(c->options, findings, c->domains[s->index]);

		on_report(r, s);
		report_free(r);
	}
}

int
check_run(const struct engine_options *options, const char *const *domains, size_t count, FILE *out,
	check_cb *cb, void *arg, struct error *err)
{
	struct engine_options own = *options;
	struct check c = {.domains = domains,
		.count = count,
		.out = out,
		.cb = cb,
		.arg = arg,
		.options = &own,
		.err = err};
	int rc = -1;

	c.slots = xcalloc(WINDOW, sizeof(*c.slots));
	c.base = event_base_new();
	if (c.base == NULL) {
		error_set(err, ERROR_TEMP, "no event loop");
		goto out;
	}
	own.thorough = true; /* somebody wants to know what to mend */
	/* A thread that gets no domain is one too many. */
	if (own.workers == 0)
		own.workers = engine_default_workers();
	if (own.workers > count)
		own.workers = (unsigned)count;
	descriptors_raise();
	c.fill = event_new(c.base, -1, EV_PERSIST, on_fill, &c);
	if (c.fill == NULL) {
		error_set(err, ERROR_TEMP, "no events");
		goto out;
	}
	if (engine_new(&own, c.base, &c.engine, err) < 0 ||
		self_test_start(&own, c.base, on_tested, &c, &c.test, err) < 0)
		goto out;
	if (event_base_dispatch(c.base) < 0)
		error_set(err, ERROR_TEMP, "the event loop failed");
	else
		rc = c.failed ? -1 : 0;
out:
	self_test_free(c.test);
	engine_free(c.engine);
	if (c.fill != NULL)
		event_free(c.fill);
	if (c.base != NULL)
		event_base_free(c.base);
	for (size_t i = 0; i < WINDOW; i++)
		free(c.slots[i].text);
	free(c.slots);
	return rc;
}

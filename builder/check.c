#include "builder/check.h"

#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/descriptors.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/engine.h"

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
	struct engine *engine;
	struct event *fill;
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

static void
on_fill(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct check *c = arg;

	while (c->submitted < c->count && c->submitted - c->printed < WINDOW &&
		engine_has_room(c->engine)) {
		struct slot *s = &c->slots[c->submitted % WINDOW];

		*s = (struct slot){.check = c, .index = c->submitted};
		engine_submit(c->engine, c->domains[c->submitted++], on_report, s);
	}
}

int
check_run(const struct engine_options *options, const char *const *domains, size_t count, FILE *out,
	check_cb *cb, void *arg, struct error *err)
{
	static const struct timeval interval = {.tv_usec = TICK_MS * 1000};
	struct check c = {
		.domains = domains, .count = count, .out = out, .cb = cb, .arg = arg, .err = err};
	struct engine_options own = *options;
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
	if (engine_new(&own, c.base, &c.engine, err) < 0)
		goto out;
	c.fill = event_new(c.base, -1, EV_PERSIST, on_fill, &c);
	if (c.fill == NULL || event_add(c.fill, &interval) < 0) {
		error_set(err, ERROR_TEMP, "no events");
		goto out;
	}
	event_active(c.fill, EV_TIMEOUT, 1);
	if (event_base_dispatch(c.base) < 0)
		error_set(err, ERROR_TEMP, "the event loop failed");
	else
		rc = c.failed ? -1 : 0;
out:
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

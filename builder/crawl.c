#include "builder/crawl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <event2/event.h>

#include "builder/look.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "builder/vantage_watch.h"
#include "common/descriptors.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/engine.h"
#include "verifier/report.h"

/* Looks in one transaction: one fsync each. */
#define BATCH 250
/* And the seconds a report waits for its transaction to be committed, give or take a tick. */
#define COMMIT_S 0.1
/* Due domains read at once. */
#define FETCH   1000
#define TICK_MS 100
/* Without --once: looks into the store at least this often, for domains others have added. */
#define IDLE_MAX_S 30

/* One domain in flight. */
struct job {
	LIST_ENTRY(job) entry;
	struct crawl *crawl;
	int64_t domain;
};

struct crawl {
	struct look_point point;
	const struct crawl_options *options;
	const struct settings *settings;
	struct crawl_progress progress;
	double started;

	struct event_base *base; /* owned, as all that follows */
	struct vantage_watch *watch;
	struct engine *engine;
	struct event *tick;
	struct event *fill; /* made active whenever there may be room */
	struct event *on_int, *on_term;

	LIST_HEAD(, job) jobs;   /* owned */
	struct store_due *queue; /* FETCH of them */
	size_t queue_len, queue_used;
	struct store_due last; /* where the next fetch goes on */
	bool has_last;
	bool exhausted;    /* the store had no more behind last */
	int64_t due_s;     /* with --once: what was due then */
	double look_again; /* when to ask an exhausted store again */

	int64_t batch; /* looks in the open transaction */
	double batch_since;
	bool once;        /* a clock that stands still makes nothing due later */
	bool failed, interrupted, done;
	struct error *err;
};

static double
monotonic(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		abort();
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
stop(struct crawl *c)
{
	(void)event_base_loopbreak(c->base);
}

static void
fail(struct crawl *c)
{
	c->failed = true;
	stop(c);
}

static int
commit(struct crawl *c)
{
	c->batch = 0;
	return store_in_transaction(c->point.store) ? store_commit(c->point.store, c->err) : 0;
}

static void
count(struct crawl_progress *p, const struct report *r, const struct life_result *result)
{
	p->done++;
	switch (r->verdict) {
	case VERDICT_PASS:
		/* Fit for the list is the question; sound but not asking is no. */
		if (r->eligible)
			p->pass++;
		else
			p->fail++;
		break;
	case VERDICT_FAIL:
		p->fail++;
		break;
	case VERDICT_UNKNOWN:
		p->unknown++;
		break;
	}
	p->transitions += (int64_t)result->event_count;
}

/* Nothing is kept of what came since the last time it was believed. */
static int
abstain(struct crawl *c)
{
	store_abort(c->point.store);
	return error_prefix(c->err, "crawl");
}

static int
take_report(struct crawl *c, int64_t domain, const struct report *r)
{
	struct life_result result;

	if (!store_in_transaction(c->point.store)) {
		if (store_begin(c->point.store, c->err) < 0)
			return -1;
		c->batch_since = monotonic();
	}
	if (look_store(&c->point, domain, r, clock_now(&c->settings->engine.clock), &result,
		    c->err) < 0)
		return -1;
	count(&c->progress, r, &result);
	c->batch++;
	if (vantage_watch_take(c->watch, r, c->err) < 0)
		return abstain(c);
	return c->batch >= BATCH && vantage_watch_may_keep(c->watch) ? commit(c) : 0;
}

static void
on_report(const struct report *r, void *arg)
{
	struct job *job = arg;
	struct crawl *c = job->crawl;

	if (!c->failed && !c->interrupted && take_report(c, job->domain, r) < 0)
		fail(c);
	LIST_REMOVE(job, entry);
	free(job);
	event_active(c->fill, EV_TIMEOUT, 1);
}

/* 1 there is something in the queue, 0 nothing is due. */
static int
fetch(struct crawl *c)
{
	int64_t now_s = c->once ? c->due_s : clock_now(&c->settings->engine.clock);

	if (c->queue_used < c->queue_len)
		return 1;
	if (c->exhausted && monotonic() < c->look_again)
		return 0;
	c->queue_used = 0;
	if (store_due(c->point.store, c->point.vantage_id, now_s, c->has_last ? &c->last : NULL,
		    c->queue, FETCH, &c->queue_len, c->err) < 0)
		return -1;
	if (c->queue_len > 0) {
		c->last = c->queue[c->queue_len - 1];
		c->has_last = true;
		c->exhausted = false;
		return 1;
	}
	c->exhausted = true;
	c->look_again = monotonic() + IDLE_MAX_S;
	return 0;
}

/* Everything due was given out and has come back. */
static int
finish_round(struct crawl *c)
{
	int64_t left;

	if (vantage_watch_end_round(c->watch, c->err) < 0)
		return abstain(c);
	if (commit(c) < 0)
		return -1;
	if (c->once) {
		/* What came in meanwhile with an earlier time stands before `last`. */
		if (store_count_due(c->point.store, c->point.vantage_id, c->due_s, &left, c->err) <
			0)
			return -1;
		if (left == 0) {
			c->done = true;
			stop(c);
			return 0;
		}
		c->look_again = 0;
	}
	c->has_last = false;
	return 0;
}

static void
on_fill(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct crawl *c = arg;

	if (c->failed || c->interrupted || c->done || vantage_watch_is_testing(c->watch))
		return;
	while (engine_has_room(c->engine)) {
		const struct store_due *due;
		struct job *job;
		int rc = fetch(c);

		if (rc < 0) {
			fail(c);
			return;
		}
		if (rc == 0)
			break;
		due = &c->queue[c->queue_used++];
		job = xcalloc(1, sizeof(*job));
		job->crawl = c;
		job->domain = due->id;
		LIST_INSERT_HEAD(&c->jobs, job, entry);
		engine_submit(c->engine, due->name, on_report, job);
	}
	if (engine_in_flight(c->engine) == 0 && c->queue_used == c->queue_len && c->exhausted &&
		(c->has_last || c->once) && finish_round(c) < 0)
		fail(c);
}

static void
on_tested(const struct error *why, void *arg)
{
	struct crawl *c = arg;

	if (why == NULL) {
		event_active(c->fill, EV_TIMEOUT, 1);
		return;
	}
	*c->err = *why;
	abstain(c);
	fail(c);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crawl *c = arg;
	double now = monotonic();

	if (c->batch > 0 && now - c->batch_since >= COMMIT_S && vantage_watch_may_keep(c->watch) &&
		commit(c) < 0) {
		fail(c);
		return;
	}
	c->progress.elapsed_s = now - c->started;
	c->progress.in_flight = engine_in_flight(c->engine);
	if (c->progress.done > c->progress.total)
		c->progress.total = c->progress.done;
	if (c->options->progress != NULL)
		c->options->progress(&c->progress, c->options->progress_arg);
	on_fill(fd, what, arg);
}

static void
on_signal(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct crawl *c = arg;

	c->interrupted = true;
	stop(c);
}

int
crawl_vantage(
	const struct settings *settings, const char *name, const char **out, struct error *err)
{
	for (size_t i = 0; i < settings->vantage_count; i++) {
		if (name == NULL || strcmp(name, settings->vantages[i]) == 0) {
			*out = settings->vantages[i];
			return 0;
		}
	}
	return error_set(err, ERROR_CONFIG,
		"vantage point %s is not configured (section [vantage], name)", name);
}

static int
set_up(struct crawl *c, struct error *err)
{
	static const struct timeval interval = {.tv_usec = TICK_MS * 1000};
	const struct engine_options *engine =
		c->options->engine != NULL ? c->options->engine : &c->settings->engine;
	const struct clock *clock = &c->settings->engine.clock;
	struct look_point *p = &c->point;
	char *lock;
	int rc;

	if (crawl_vantage(c->settings, c->options->vantage, &p->vantage, err) < 0)
		return -1;
	lock = xasprintf("crawl-%s", p->vantage);
	rc = store_lock(p->store, lock, err);
	free(lock);
	if (rc < 0 ||
		store_vantage(p->store, p->vantage, clock_now(clock), &p->vantage_id, err) < 0)
		return -1;
	c->once = c->options->once || clock->fixed;
	c->due_s = clock_now(clock);
	if (store_count_due(p->store, p->vantage_id, c->due_s, &c->progress.total, err) < 0)
		return -1;
	c->base = event_base_new();
	if (c->base == NULL)
		return error_set(err, ERROR_TEMP, "crawl: no event loop");
	descriptors_raise();
	if (engine_new(engine, c->base, &c->engine, err) < 0 ||
		vantage_watch_start(engine, p->vantage, c->base, on_tested, c, &c->watch, err) < 0)
		return -1;
	c->queue = xcalloc(FETCH, sizeof(*c->queue));
	c->fill = event_new(c->base, -1, 0, on_fill, c);
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
	c->on_int = evsignal_new(c->base, SIGINT, on_signal, c);
	c->on_term = evsignal_new(c->base, SIGTERM, on_signal, c);
	if (c->fill == NULL || c->tick == NULL || c->on_int == NULL || c->on_term == NULL ||
		event_add(c->tick, &interval) < 0 || event_add(c->on_int, NULL) < 0 ||
		event_add(c->on_term, NULL) < 0)
		return error_set(err, ERROR_TEMP, "crawl: no events");
	return 0;
}

static void
tear_down(struct crawl *c)
{
	struct event *events[] = {c->fill, c->tick, c->on_int, c->on_term};

	/* Callbacks of what was in flight do not come any more. */
	engine_free(c->engine);
	vantage_watch_free(c->watch);
	while (!LIST_EMPTY(&c->jobs)) {
		struct job *job = LIST_FIRST(&c->jobs);

		LIST_REMOVE(job, entry);
		free(job);
	}
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
	if (c->base != NULL)
		event_base_free(c->base);
	free(c->queue);
}

int
crawl_run(struct store *store, const struct settings *settings, const struct crawl_options *options,
	struct crawl_progress *out, enum crawl_end *end, struct error *err)
{
	struct crawl c = {.point = {.settings = settings, .store = store},
		.options = options,
		.settings = settings,
		.started = monotonic(),
		.err = err};
	int rc = -1;

	if (set_up(&c, err) < 0)
		goto out;
	if (event_base_dispatch(c.base) < 0) {
		error_set(err, ERROR_TEMP, "crawl: the event loop failed");
		goto out;
	}
	if (c.failed)
		goto out;
	/* Interrupted: what was verified is kept, unless nobody knows whether to believe it. */
	if (vantage_watch_may_keep(c.watch) && commit(&c) < 0)
		goto out;
	rc = 0;
out:
	store_abort(store);
	c.progress.elapsed_s = monotonic() - c.started;
	*out = c.progress;
	*end = c.interrupted ? CRAWL_INTERRUPTED : CRAWL_DONE;
	tear_down(&c);
	return rc;
}

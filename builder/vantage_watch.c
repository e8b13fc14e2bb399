#include "builder/vantage_watch.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/engine.h"
#include "verifier/report.h"
#include "verifier/self_test.h"

/* Reports without any answer from DNS after which the vantage point abstains; fewer domains than
 * SILENT_MIN prove nothing. */
#define SILENT_MAX 50
#define SILENT_MIN 10
/* Seconds between two self-tests; when the reports are odd, and when they are not. */
#define ODD_EVERY_S  60
#define TEST_EVERY_S 3600
/* So many reports are held against each other: odd are half of them or more. */
#define WINDOW 100

struct vantage_watch {
	const struct engine_options *options; /* borrowed, as the next */
	const char *vantage;
	struct event_base *base;
	vantage_watch_cb *cb;
	void *cb_arg;
	struct self_test *test; /* NULL: none under way */
	struct event *next_test;
	struct event *calm; /* pending: a test because of odd reports would come too soon */
	bool answered;      /* DNS has */
	int64_t silent;     /* reports before that */
	unsigned int seen, odd;
};

/* --- self-tests ---------------------------------------------------------------------- */

static void
on_tested(const struct finding_list *findings, void *arg)
{
	static const struct timeval every = {.tv_sec = TEST_EVERY_S};
	static const struct timeval calm = {.tv_sec = ODD_EVERY_S};
	struct vantage_watch *w = arg;
	struct error why = {0};

	if (findings->count > 0) {
		const struct finding *f = &findings->items[0];

		error_set(&why, ERROR_TEMP, "vantage point %s abstains: %s: %s: %s", w->vantage,
			f->code, f->subject, f->message);
		w->cb(&why, w->cb_arg);
		return;
	}
	/* A secure answer came. */
	w->answered = w->answered || w->options->self_test.secure != NULL;
	self_test_free(w->test);
	w->test = NULL;
	w->seen = w->odd = 0;
	if (self_test_is_on(&w->options->self_test)) {
		(void)event_add(w->next_test, &every);
		(void)event_add(w->calm, &calm);
	}
	w->cb(NULL, w->cb_arg);
}

static void
on_next_test(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct vantage_watch *w = arg;
	struct error why = {0};

	if (w->test == NULL &&
		self_test_start(w->options, w->base, on_tested, w, &w->test, &why) < 0)
		w->cb(&why, w->cb_arg);
}

static void
on_calm(evutil_socket_t fd UNUSED, short what UNUSED, void *arg UNUSED)
{
	/* Whether it is still to come is all that counts. */
}

/* --- reports ------------------------------------------------------------------------- */

/* Whether the report shows that the resolver works: anything but "no answer". */
static bool
shows_dns(const struct report *r)
{
	return r->verdict != VERDICT_UNKNOWN || r->mx_count > 0 ||
		!(finding_list_has(&r->findings, "dns-temporary") ||
			finding_list_has(&r->findings, "dnssec-bogus"));
}

/* Whether a fault between us and the domain would look like this: something about DNS, SMTP,
 * STARTTLS, TLS or a certificate did not come out well. */
static bool
is_odd(const struct report *r)
{
	for (size_t i = 0; i < r->findings.count; i++) {
		const struct finding *f = &r->findings.items[i];
		int section = finding_section(f->code);

		if ((f->severity == SEVERITY_FAIL || f->severity == SEVERITY_TEMP) &&
			(section == 2 || (section >= 4 && section <= 7)))
			return true;
	}
	return false;
}

static int
abstain_silent(const struct vantage_watch *w, struct error *err)
{
	return error_set(err, ERROR_TEMP,
		"vantage point %s abstains: verifier-resolver-broken: no answer from DNS for any "
		"of %lld domains",
		w->vantage, (long long)w->silent);
}

int
vantage_watch_take(struct vantage_watch *w, const struct report *report, struct error *err)
{
	if (!w->answered && shows_dns(report))
		w->answered = true;
	if (!w->answered && ++w->silent >= SILENT_MAX)
		return abstain_silent(w, err);
	w->odd += is_odd(report);
	if (++w->seen < WINDOW)
		return 0;
	if (2 * w->odd >= w->seen && self_test_is_on(&w->options->self_test) &&
		!event_pending(w->calm, EV_TIMEOUT, NULL))
		event_active(w->next_test, EV_TIMEOUT, 0);
	w->seen = w->odd = 0;
	return 0;
}

int
vantage_watch_end_round(struct vantage_watch *w, struct error *err)
{
	return !w->answered && w->silent >= SILENT_MIN ? abstain_silent(w, err) : 0;
}

bool
vantage_watch_is_testing(const struct vantage_watch *w)
{
	return w->test != NULL;
}

bool
vantage_watch_may_keep(const struct vantage_watch *w)
{
	return w->answered && w->test == NULL;
}

/* --- beginning and end --------------------------------------------------------------- */

int
vantage_watch_start(const struct engine_options *options, const char *vantage,
	struct event_base *base, vantage_watch_cb *cb, void *arg, struct vantage_watch **out,
	struct error *err)
{
	struct vantage_watch *w = xcalloc(1, sizeof(*w));

	*out = NULL;
	w->options = options;
	w->vantage = vantage;
	w->base = base;
	w->cb = cb;
	w->cb_arg = arg;
	w->next_test = event_new(base, -1, 0, on_next_test, w);
	w->calm = event_new(base, -1, 0, on_calm, w);
	assert(w->next_test != NULL && w->calm != NULL);
	if (self_test_start(options, base, on_tested, w, &w->test, err) < 0) {
		vantage_watch_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void
vantage_watch_free(struct vantage_watch *w)
{
	if (w == NULL)
		return;
	self_test_free(w->test);
	event_free(w->next_test);
	event_free(w->calm);
	free(w);
}

/*
 * vantage_watch: whether the vantage point can be believed, from the beginning of a crawl to its end.
 *
 *	vantage_watch_start(&engine_options, "here", base, on_tested, arg, &w, err);
 *	    on_tested(why, arg)              from the loop, after the self-test that comes first
 *	vantage_watch_take(w, report, err)   every report: what they have in common may say more about
 *	                                     us than about the domains
 *
 * The self-test (self_test.h) is repeated every hour, and when most of what is seen is what a broken
 * resolver or an intercepted port 25 would show. While it runs nothing new should be begun and
 * nothing kept; each time it ends on_tested is called. Without a self-test, too, a vantage point
 * abstains to which DNS has never answered anything.
 */
#ifndef BUILDER_VANTAGE_WATCH_H
#define BUILDER_VANTAGE_WATCH_H

#include <stdbool.h>

#include "common/attr.h"

struct engine_options;
struct error;
struct event_base;
struct report;
struct vantage_watch;

/* why: NULL, it is believed; else it abstains, an ERROR_TEMP that says so. Lent. */
typedef void vantage_watch_cb(const struct error *why, void *arg);

/* All of it is borrowed. */
int vantage_watch_start(const struct engine_options *options, const char *vantage,
	struct event_base *base, vantage_watch_cb *cb, void *arg, struct vantage_watch **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void vantage_watch_free(struct vantage_watch *w);

/* -1: it abstains. */
int vantage_watch_take(
	struct vantage_watch *w, const struct report *report, struct error *err) MUST_CHECK;
/* All that was due has been taken. -1: it abstains. */
int vantage_watch_end_round(struct vantage_watch *w, struct error *err) MUST_CHECK;

bool vantage_watch_is_testing(const struct vantage_watch *w);
/* Whether reports may be kept: no test is under way, and DNS has answered something. */
bool vantage_watch_may_keep(const struct vantage_watch *w);

#endif

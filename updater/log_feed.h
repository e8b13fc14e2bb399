/*
 * log_feed: what of a mail log is no file: who gets it and who looks at it may be two processes.
 *
 * The one that looks asks in its own way for a part, and takes it from a socket; the other one gets the part and
 * hands it on as it comes:
 *
 *	log_feed_pair(fds, err)
 *	outside: log_feed_serve(fds[0], feeder, arg, what, deadline_ms, err)
 *	inside: log_feed_take(fds[1], sink, sink_arg, err)
 *
 * Each has its own end alone, or would not see that the other one is gone. The one that looks may be in foreign hands:
 * it can neither hold the other one up for longer than was meant, nor end it.
 */
#ifndef UPDATER_LOG_FEED_H
#define UPDATER_LOG_FEED_H

#include <stdint.h>

#include "common/attr.h"
#include "updater/tool.h"

struct error;

enum log_feed {
	LOG_FEED_STREAM, /* standard input, or what else is named and no regular file */
	/* Of the journal: */
	LOG_FEED_AGAIN,  /* what lies closely before the place where an earlier reading ended */
	LOG_FEED_BEHIND, /* what lies behind that place */
	LOG_FEED_SINCE,  /* what is newer than the place, by the time alone, or all of the span */
	LOG_FEEDS
};

/* Hands all of it to the sink, as it comes. */
typedef int log_feeder(
	void *arg, enum log_feed what, tool_sink *sink, void *sink_arg, struct error *err);

int log_feed_pair(int fds[static 2], struct error *err) MUST_CHECK;
/* That the part cannot be had is told to the one that asks. deadline_ms, of clock_monotonic_ms(), is when all of it
 * has to be over, however it is taken; the feeder must see to its own end. 0; 1 the other end is closed: whoever has
 * asked does not want it any more, or is gone; -1 the time is over. */
int log_feed_serve(int fd, log_feeder *feed, void *arg, enum log_feed what, int64_t deadline_ms,
	struct error *err) MUST_CHECK;
/* What the feeder returned, or the sink. */
int log_feed_take(int fd, tool_sink *sink, void *sink_arg, struct error *err) MUST_CHECK;

#endif

/*
 * log_feed: what of a mail log is no file: who gets it and who looks at it may be two processes.
 *
 * The one that looks asks in its own way for a part, and takes it from a socket; the other one gets the part and
 * hands it on as it comes:
 *
 *	log_feed_pair(fds, err)
 *	outside: log_feed_serve(fds[0], feeder, arg, what, err)
 *	inside: log_feed_take(fds[1], sink, sink_arg, err)
 */
#ifndef UPDATER_LOG_FEED_H
#define UPDATER_LOG_FEED_H

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
/* That the part cannot be had is told to the one that asks. -1: nobody takes it. */
int log_feed_serve(int fd, log_feeder *feed, void *arg, enum log_feed what, struct error *err) MUST_CHECK;
/* What the feeder returned, or the sink. */
int log_feed_take(int fd, tool_sink *sink, void *sink_arg, struct error *err) MUST_CHECK;

#endif

/*
 * run: the authority as a service: crawl, build, publish and renew, each on its schedule.
 *
 * Each act is a process of its own, this program with the subcommand of that name: what one of them
 * does, or what it dies of, does not hold up the others, least of all the renewal of the timestamp.
 * The acts that write the repository run one at a time.
 */
#ifndef BUILDER_RUN_H
#define BUILDER_RUN_H

#include "common/attr.h"

struct clock;
struct error;
struct settings;

/* Until SIGTERM or SIGINT, which end the acts under way, too. config is the file that they are
 * given. 0 ended in order; -1. What fails is logged, told to the metrics file and tried again. */
int run_until_signal(const struct settings *settings, const char *config, const struct clock *clock,
	struct error *err) MUST_CHECK;

#endif

/*
 * render_worker: reads a list in a confined process, without network, and takes its lines over.
 *
 * The list is foreign bytes, signed or not; the map is not: it is written here, of lines that came
 * out of the process and are looked at one by one. The process has nothing to write, and only the lists
 * to read.
 */
#ifndef UPDATER_RENDER_WORKER_H
#define UPDATER_RENDER_WORKER_H

#include <stdint.h>

#include "common/attr.h"
#include "updater/confine.h"

struct error;
struct list_header;
struct list_reader;
struct render_counts;
struct render_options;
struct render_target;

struct render_work {
	const char *list_dir; /* the lists lie there, and "work" is made there */
	const char *sha256;   /* of the list */
	const char *other;    /* of another one that check reads; "": of none */
	const struct confine_user *user;
	int64_t time_ms;
	const struct render_options *options;
	/* Runs inside before any line is made: 0 go on; 1 or -1 (with err) is the answer. Reads the
	 * list given as far as it likes; both lists are in the folder ".". NULL: nothing is asked. */
	int (*check)(void *arg, struct list_reader *list, struct error *err);
	void *check_arg;
	/* Runs outside when the lines begin to come, and opens the maps that they go into: not
	 * before, since a process has all that was open or mapped when it was forked. NULL: no lines
	 * are made, only check is asked, and the header looked at. */
	int (*begin)(void *begin_arg, struct render_target *target, struct error *err);
	void *begin_arg;
};

/* 0: all lines are in the target, which still wants render_end(); else what check, begin or worker_run()
 * say; ERROR_INPUT: the list is not one. target: zeros (NULL without begin), to be cleared in every
 * case; what begin has opened is the caller's to close. Of header everything but the author is filled
 * in. */
int render_worker(const struct render_work *w, struct render_target *target,
	struct list_header *header, struct render_counts *counts, struct error *err) MUST_CHECK;

#endif

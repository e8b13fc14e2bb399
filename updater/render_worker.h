/*
 * render_worker: reads a list in a confined process, without network, and takes its lines over.
 *
 * The list is foreign bytes, signed or not; the map is not: it is written here, of lines that came
 * out of the process and are looked at one by one.
 */
#ifndef UPDATER_RENDER_WORKER_H
#define UPDATER_RENDER_WORKER_H

#include <stdint.h>

#include "common/attr.h"
#include "updater/confine.h"

struct error;
struct list_header;
struct list_reader;
struct render_options;
struct render_result;
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
};

/* target: NULL only asks check, and looks at the header. 0 all lines are in the target, which still
 * wants render_end(); else what check or worker_run() say; ERROR_INPUT: the list is not one. Of header
 * everything but the author is filled in, of result everything but the samples. */
int render_worker(const struct render_work *w, struct render_target *target,
	struct list_header *header, struct render_result *result, struct error *err) MUST_CHECK;

#endif

/*
 * render_worker: reads lists in a confined process, without network, and takes their lines over.
 *
 * The lists are foreign bytes, signed or not; the map is not: it is written here, of lines that came
 * out of the process and are looked at one by one. The process has nothing to write, and only the lists
 * to read.
 */
#ifndef UPDATER_RENDER_WORKER_H
#define UPDATER_RENDER_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "export/list.h"
#include "updater/confine.h"
#include "updater/source.h"

struct list_reader;
struct render_counts;
struct render_options;
struct render_target;
struct source_settings;

/* The lists of one source; all of it is lent. */
struct render_list {
	const struct source_settings *source; /* NULL, to be trusted for everything */
	const char *sha256; /* of the one that counts; "": of none */
	const char *next;   /* of one that is to follow it, if check says so; "": of none */
};

/* What has come of them. */
struct render_said {
	int rc;           /* 0; else what check has said of the next list, which is not taken: 1 or -1, with err */
	struct error err; /* ERROR_INPUT: the next list is not one */
	struct list_header header; /* of the list that counts from now on, but for the author; version 0: none does */
};

struct render_work {
	const char *list_dir; /* the lists lie there, and "work" is made there */
	const struct render_list *lists; /* SOURCES_MAX at most, in their order */
	size_t list_count;
	const struct confine_user *user;
	int64_t time_ms;
	const struct render_options *options;
	/* Runs inside before any line is made, for each list that is to follow another, opened: 0 go on; 1 or
	 * -1 (with err) leaves it out. May read it; all lists are in the folder ".". */
	int (*check)(void *arg, size_t i, struct list_reader *next, struct error *err);
	/* Runs inside behind that, where lists may follow, and leaves more of them out: of each list what was
	 * said, where a rc of 0 may become another. 0, or -1 (no list may). NULL: nothing does. */
	int (*check_all)(void *arg, struct render_said *said, struct error *err);
	void *check_arg; /* of both */
	/* Runs outside when the lines begin to come, and opens the maps that they go into: not
	 * before, since a process has all that was open or mapped when it was forked. NULL: no lines
	 * are made, only check is asked, and the headers looked at. */
	int (*begin)(void *begin_arg, struct render_target *target, struct error *err);
	void *begin_arg;
};

/* 1: all lines are in the target, which still wants render_end(). 0: no lines were made, since only check was
 * to be asked, or no list may follow of those that were to. -1: what begin or worker_run() say, or
 * ERROR_INPUT: a list is not one. target: zeros (NULL without begin), to be cleared in every case; what
 * begin has opened is the caller's to close. said: one for each list. */
int render_worker(const struct render_work *w, struct render_target *target, struct render_said *said,
	struct render_counts *counts, struct error *err) MUST_CHECK;

#endif

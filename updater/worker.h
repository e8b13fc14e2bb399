/*
 * worker: does one piece of work on foreign bytes in a confined process of its own.
 *
 * The process is forked, so it has all that this one had in memory; what comes back is a report of
 * bounded size and, in the working folder, files. Nothing of it is trusted: the caller checks what
 * the report says, and takes files by the digests that it gives (see workdir.h) once the process is
 * gone. Log lines of the work come out here, in their order. One at a time.
 */
#ifndef UPDATER_WORKER_H
#define UPDATER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/confine.h"

struct buf;
struct error;

/* What is called so inside is told under another name: "metadata/" as "/var/lib/...". */
struct worker_name {
	const char *inside, *outside;
};

struct worker {
	const char *what; /* for messages: "fetching" */
	struct confine confine; /* parent and report are filled in */
	int64_t time_ms;        /* for all of it */
	/* One of confine.files whose other end must show when the process is gone: once it has started, this is
	 * closed here, and -1. NULL: none. */
	int *handed;
	const struct worker_name *names;
	size_t name_count;
	/* Runs inside. As a function of this program does it returns 0, 1 or -1 with err; what it
	 * has to say appends it to report, which is read whatever it returns. */
	int (*work)(void *arg, struct buf *report, struct error *err);
	void *arg;
	/* Takes what work sends on its way: 0, or -1 with err to end it. NULL: nothing may be sent. It may not take
	 * longer than what is left of time_ms: until it is back nothing else is looked at. */
	int (*on_piece)(void *on_piece_arg, const char *data, size_t len, struct error *err);
	void *on_piece_arg;
};

/* For work, inside: at most WORKER_PIECE_MAX octets, which come out as they are. */
#define WORKER_PIECE_MAX ((size_t)1024 * 1024)
void worker_send(const void *data, size_t len);
/* The same of records, which piece collects (its maximum is WORKER_PIECE_MAX): all that it holds; and that before a
 * record is added to it, as soon as it is worth it. */
void worker_flush(struct buf *piece);
void worker_begin_record(struct buf *piece);

/* What was said inside, by the names that people know. The caller frees it. */
char *worker_named(const struct worker *w, const char *text) RETURNS_NONNULL;

/* What work returned, with its err (whose text may explain a 1) and its report, up to the maximum of
 * report. Where there was no answer, report is empty and the result -1: ERROR_CONFIG it could not be
 * confined; ERROR_TEMP it crashed or took too long; ERROR_SECURITY it did what only somebody does
 * who has taken it over: a system call that nothing here asks for, or an answer that is none. The
 * process is gone in every case. */
int worker_run(const struct worker *w, struct buf *report, struct error *err) MUST_CHECK;

#endif

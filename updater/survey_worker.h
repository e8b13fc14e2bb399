/*
 * survey_worker: reads the mail log and the list in a confined process, and takes the counts over.
 *
 * Senders choose parts of the log, authorities the list: both are parsed in a process without network, that
 * has nothing to write and may open nothing; it has the files that were opened before. What is no file (standard
 * input, the journal) it is fed. What comes out is numbers, domains and lines for people: each is looked at, and
 * nothing of it is more than a count.
 */
#ifndef UPDATER_SURVEY_WORKER_H
#define UPDATER_SURVEY_WORKER_H

#include <stdint.h>

#include "common/attr.h"

struct confine_user;
struct error;
struct known_lists;
struct log_source;
struct render_options;
struct survey;
struct traffic;
struct update_settings;

struct survey_work {
	const struct confine_user *user;
	int64_t time_ms;
	const struct update_settings *s;
	const struct known_lists *known;
	struct log_source *log;
	struct traffic *traffic; /* counted into, inside: what it is by now */
	const struct render_options *options;
	/* The place of the log's span; NULL: nothing is counted on. It is where reading ended, behind a success. */
	struct log_place *place;
};

/* Fills in what out has of the log and the list. 0; 1 there is no list (err says how to get one); -1 error. */
int survey_worker(const struct survey_work *w, struct survey *out, struct error *err) MUST_CHECK;

#endif

/*
 * refresh: the sources in one run of the job: what each of them has to offer, and how it went.
 *
 * Each stands alone: one that fails keeps none of the others from being updated.
 */
#ifndef UPDATER_REFRESH_H
#define UPDATER_REFRESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "updater/confine.h"
#include "updater/install.h"
#include "updater/offline.h"
#include "updater/source.h"

struct state;
struct state_list;
struct update_settings;

/* 0, 1 the brake, -1: with err. */
struct outcome {
	int rc;
	struct error err;
};

struct refresh {
	const struct update_settings *s; /* lent, as the state is */
	struct state *state;
	const struct confine_user *user;
	int64_t now_s;
	bool allow_churn; /* takes lists that were undone, too */
	bool offline;     /* what fetch_job_run() has left stands in for the network */
	struct refresh_source {
		char *metadata_dir; /* owned */
		char anchor[65];
		struct source_found found;
		struct offline offline; /* zeros, unless the job is */
		struct outcome outcome;
		bool frozen; /* every mirror's metadata has expired, or worse */
	} sources[SOURCES_MAX];
	struct install_next next[SOURCES_MAX]; /* what is to be taken of each */
	size_t next_count;                     /* of those that there are */
};

/* state need not be read yet. */
void refresh_begin(struct refresh *r, const struct update_settings *s, struct state *state, int64_t now_s,
	bool offline);
void refresh_end(struct refresh *r);

/* Removes what was trusted of sources that are no longer configured; dry: only says so. */
void refresh_forget(const struct update_settings *s, bool dry);

/* Whether a list that counts is damaged and was not had again: a map without it would lose its lines. Not for
 * longer than until it expires, since lines of the map that is there do not run out meanwhile. */
bool refresh_is_missing(const struct state_list *l, int64_t now_s);

/* Asks all sources. A list that counts and is damaged is got again, where another one is to be taken: the map
 * is made of all of them. The name of the first that is missing still, lent; NULL: none is. */
const char *refresh_all(struct refresh *r);
/* Behind install_next() or install_accept(): what came of the lists that were to be taken. */
void refresh_note_next(struct refresh *r);

/* The gravest of all, seen in the light of the age of each list. The others are warnings; where there is more
 * than one source, its name stands in front. What came of each is noted in the state. failed: there is a failure
 * besides, which tells of the age of lists itself. */
struct outcome refresh_judge(struct refresh *r, bool failed);
/* The same for that failure. */
void refresh_judge_local(const struct refresh *r, struct outcome *o);

/* Which of two says more: more than 0 if a, less if b. */
int outcome_compare(const struct outcome *a, const struct outcome *b);

#endif

/*
 * survey: the mail log set beside the list that is here: what preview, stats and report-only tell of. Both are read
 * in another process (survey_worker.h).
 *
 *	rc = survey_make(s, &options, &survey, err);
 *	if (rc == 0) tell(&survey);
 *	survey_clear(&survey);
 */
#ifndef UPDATER_SURVEY_H
#define UPDATER_SURVEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"
#include "updater/confine.h"
#include "updater/list_set.h"
#include "updater/log_source.h"
#include "updater/mta.h"
#include "updater/traffic.h"

struct arena;
struct error;
struct known_lists;
struct rules;
struct update_settings;

/* So many days are looked at when nobody says which log. */
#define SURVEY_DAYS 7
/* Messages that are followed from one survey to the next. */
#define SURVEY_WAITING_MAX 10000

struct survey_options {
	const char *path; /* as in struct log_span */
	int64_t days;     /* how far back lines count; 0: as far as a log goes that is named, else SURVEY_DAYS */
	int64_t now_s;
	bool trial;       /* as in struct render_options */
	/* For counting on from an earlier time; NULL: all of the log, by itself. */
	struct log_place *place; /* as in struct log_span */
	struct traffic *traffic; /* to count into; lent, and not changed by it */
	/* Reading ends then, where [sandbox] time_limit would allow more; 0: that alone. */
	int64_t time_max_s;
};

/* A message that the list holds up. */
struct survey_waiting {
	uint64_t message; /* see traffic_follow() */
	int64_t held_s;   /* 0: the log does not say */
	const char *domain; /* lent by the survey */
};

struct survey {
	struct list_set lists; /* without their digests */
	bool trial;
	struct traffic_log read;
	bool speaks_tls;      /* see traffic_speaks_tls() */
	struct log_said said; /* owned */
	struct traffic_domain *domains; /* owned: those that are listed, by name */
	struct traffic_domain **listed; /* owned: the same, and may be sorted anew */
	size_t listed_count;
	int64_t sum[TRAFFIC_COUNTS]; /* over those */
	struct survey_waiting *waiting; /* owned; with a place: see traffic_each_waiting() */
	size_t waiting_count;
	struct arena *names; /* owned */
	/* What it was judged by. */
	struct known_lists *known; /* owned */
	struct rules *rules;     /* owned */
	struct recipe recipe;
	struct confine_user user; /* who reads foreign bytes */
};

/* 0; 1 there is no list here yet (err says how to get one); -1 error. out must be cleared in any case. */
int survey_make(const struct update_settings *s, const struct survey_options *options, struct survey *out,
	struct error *err) MUST_CHECK;
void survey_clear(struct survey *survey);

/* "list 42": those that were looked at. */
void survey_tell_lists(const struct survey *survey, FILE *out);
/* "2026-11-20T06:25:01Z to 2026-11-26T12:00:00Z, from /var/log/mail.log and 2 more", a line; and what is missing in
 * the numbers and why, a line each. */
void survey_tell_source(const struct survey *survey, FILE *out);
/* The listed domains in their order, a line each, as far as a terminal takes them. */
typedef void survey_row(const struct traffic_domain *d, FILE *out);
void survey_tell_table(const struct survey *survey, const char *heading, survey_row *row, FILE *out);

/* All of it as an object, with the first so many of the counts; the caller's. */
json_t *survey_json(const struct survey *survey, enum traffic_count count);
/* The first so many of n; the caller's. */
json_t *survey_json_counts(const int64_t *n, enum traffic_count count);
/* Writes the object as one line, and frees it. */
void survey_print_json(json_t *doc, FILE *out);

#endif

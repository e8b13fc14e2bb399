/*
 * tally: what the mail log said of mail to listed domains since the counting began, kept from run to run in
 * DIR/tally.json.
 *
 * In report-only mode it answers what the list would have done, else what it did. Each line of the log counts
 * once, however often the job runs and the log is rotated: where reading ended is written in one step with
 * what was counted. How many domains are told apart is limited; the sum has all.
 */
#ifndef UPDATER_TALLY_H
#define UPDATER_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"
#include "updater/log_source.h"
#include "updater/traffic.h"

struct buf;
struct error;
struct update_settings;

/* Domains told apart. */
#define TALLY_DOMAINS_MAX 1000
/* Seconds that counting may take at most: whoever keeps the reader of the log busy keeps no update away. */
#define TALLY_TIME_MAX_S 1200

struct tally_domain {
	char *name; /* owned */
	int64_t n[TRAFFIC_COUNTS];
};

/* A message that the list holds up, to see what becomes of it. */
struct tally_waiting {
	uint64_t message; /* see traffic_follow() */
	int64_t held_s;
	char *domain;     /* owned */
};

struct tally {
	bool report_only;          /* while it was counted nothing was enforced */
	int64_t since_s, until_s; /* the time that is counted */
	int64_t spoken_s;         /* when the mail server was last seen to speak of TLS; 0: never */
	int64_t sum[TRAFFIC_COUNTS];
	struct tally_domain *domains; /* owned, by name */
	size_t domain_count;
	struct tally_waiting *waiting; /* owned */
	size_t waiting_count;
	struct log_place place;
};

/* 1 read; 0 there is none, or it is damaged (that is logged). t must be cleared in any case. */
int tally_load(const struct update_settings *s, struct tally *t, struct error *err) MUST_CHECK;
void tally_clear(struct tally *t);
/* For tally_load() and tests. What is no tally is ERROR_INPUT. */
int tally_parse(const char *text, size_t len, struct tally *t, struct error *err) MUST_CHECK;
int tally_format(const struct tally *t, struct buf *out, struct error *err) MUST_CHECK;

/* Whether the job is to count: in report-only mode, or where it was told to. */
bool tally_wanted(const struct update_settings *s);
/* Counts what is new in the log. In another mode than before it begins anew; in report-only mode with the mail of
 * the last days, else with now. 0, 1 there is no list yet, -1. */
int tally_update(const struct update_settings *s, int64_t now_s, struct error *err) MUST_CHECK;

/* What was counted so far in the mode that is configured, to tell of it: 1; 0 nothing is to be counted, or was yet,
 * or this user may not know it (that is logged). t must be cleared in any case. */
int tally_look(const struct update_settings *s, struct tally *t) MUST_CHECK;
/* Its sums as a family of metrics.h; nothing where there is none. */
void tally_metrics(const struct update_settings *s, struct buf *out);
/* One or two lines for people. */
void tally_tell(const struct tally *t, FILE *out);
/* For programs; the caller's. */
json_t *tally_json(const struct tally *t);

#endif

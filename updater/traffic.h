/*
 * traffic: counts what a mail log says of the mail to each domain, and sets it beside the lists.
 *
 *	t = traffic_new(since_s);
 *	log_source_read(source, feeder, feeder_arg, traffic_line, t, &said, err);
 *	traffic_judge(t, lists, count, &render_options, err);
 *	listed = traffic_listed(t, &count);
 *	traffic_free(t);
 *
 * The log is foreign text: its senders choose the domains. How many are kept is limited.
 */
#ifndef UPDATER_TRAFFIC_H
#define UPDATER_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct overlay_list;
struct log_time;
struct render_options;
struct traffic;

/* Domains that are counted apart; a log that names more is cut, and that is said. */
#define TRAFFIC_DOMAINS_MAX 1000000

enum traffic_count {
	/* Deliveries (one for each recipient), by how they went. */
	TRAFFIC_VERIFIED,   /* over TLS, with a server that was verified */
	TRAFFIC_ENCRYPTED,  /* over TLS, unverified */
	TRAFFIC_CLEAR,      /* in clear */
	TRAFFIC_OTHER_HOST, /* to a server that the entry does not name */
	TRAFFIC_UNTOLD,     /* the log does not say how */
	TRAFFIC_NOT_SENT,   /* attempts that failed, for whatever reason, for good or not */
	/* Messages that were put off for a reason that the list gives, once each, and what became of them.
	 * What is missing still waits. */
	TRAFFIC_HELD,
	TRAFFIC_LATER,       /* delivered later */
	TRAFFIC_HELD_BOUNCED, /* returned to the sender */
	/* The reasons of the first attempt: TRAFFIC_HELD is their sum. */
	TRAFFIC_NO_TLS,
	TRAFFIC_HANDSHAKE,
	TRAFFIC_CERTIFICATE,
	TRAFFIC_DANE,
	TRAFFIC_NO_LISTED_HOST,
	TRAFFIC_COUNTS
};

/* "verified", "held_no_tls": the counts' names for programs. */
const char *traffic_count_name(enum traffic_count c);

struct traffic_domain {
	int64_t n[TRAFFIC_COUNTS]; /* the first five: once it is judged */
	const char *name;          /* lent */
	bool trial;                /* only a list has it that is being tested */
};

/* Lines of before since_s are not counted (0: all are). */
struct traffic *traffic_new(int64_t since_s) RETURNS_NONNULL;
/* NULL is allowed. */
void traffic_free(struct traffic *t);

/* Takes one line; a log_line_sink, arg is the traffic. */
void traffic_line(void *t, struct log_time *when, const char *line, size_t len);

/* A message that an earlier traffic was still following (see traffic_each_waiting()) is followed on. */
void traffic_follow(struct traffic *t, uint64_t message, const char *domain, int64_t held_s);
/* After judging: calls each for every message to a listed domain that was held up and of which nothing has become
 * yet; domain is lent, held_s is when it was first put off (0: the log does not say). */
typedef void traffic_waiting_cb(void *arg, uint64_t message, const char *domain, int64_t held_s);
void traffic_each_waiting(const struct traffic *t, traffic_waiting_cb *each, void *arg);

/* The mail server was seen to speak of TLS lately, so that its silence means clear text. */
void traffic_assume_tls(struct traffic *t);
bool traffic_speaks_tls(const struct traffic *t);

/* The list is in force on a mail server that checks names for it without saying so in its log (MAIL_TLS_TRUSTED);
 * before judging. */
void traffic_names_checked(struct traffic *t);

/* A log_line_sink too: takes what was counted before, for what it says of connections. */
void traffic_line_again(void *t, struct log_time *when, const char *line, size_t len);

/* Tells which domains are on the list or added to it by the administrator, and how the mail to them went, seen
 * from their entries. Entries that make no line of this mail server's map do not count; the administrator's
 * rules are taken into account. Reads the lists to their ends, or not at all where nothing is to be judged. */
int traffic_judge(struct traffic *t, const struct overlay_list *lists, size_t count, const struct render_options *options,
	struct error *err) MUST_CHECK;
/* After judging: the domains that are listed, by name; lent, the array as well. */
struct traffic_domain **traffic_listed(struct traffic *t, size_t *count);

/* Whether an entry's patterns name a mail server. "*.example.net" stands for one label more, as in RFC 8461
 * section 4.1. */
bool traffic_names(const char *const *patterns, size_t count, const char *host);

/* What was read, listed or not. */
struct traffic_log {
	int64_t attempts;
	size_t domains;
	int64_t first_s, last_s; /* times of the first and the last line that counted; 0: none said one */
	/* The mail server was told not to speak of TLS: what went in clear cannot be told. One line that says so, and
	 * what makes it speak; NULL: it does. */
	const char *silence;
	/* There were more domains than are kept: the rest is in no number but attempts. */
	bool cut;
};
struct traffic_log traffic_log(const struct traffic *t);

/* Counts that are sums of others. */
int64_t traffic_sent(const int64_t *n);        /* deliveries */
int64_t traffic_would_wait(const int64_t *n);  /* of them, those that the list would have stopped */
int64_t traffic_still_waits(const int64_t *n); /* messages held that nothing has become of yet */

#endif

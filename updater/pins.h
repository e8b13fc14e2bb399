/*
 * pins: OpenSMTPD's domains that are bound to the one server that their entry names.
 *
 * OpenSMTPD knows no MX patterns: "relay tls" accepts any server that DNS names, if its certificate
 * is valid for itself. Where an entry names one server and no pattern, "relay domain <table> tls"
 * goes to that server without asking for MX records. Two maps beside the list's own, FILE.db:
 *
 *	FILE-hosts	"domain smtp+tls://host", asked at each attempt of delivery
 *	FILE-pinned.db	a set of domains, asked when a message is accepted: from then on it goes by
 *			FILE-hosts, whatever becomes of the set
 *
 * A pinned domain is in the list's own set, too, whose rule stands behind: it is never without a
 * rule, whichever of the files is in place and whether or not smtpd.conf knows them. What is in the
 * set must be in FILE-hosts, or its mail waits; so FILE-hosts comes first, and OpenSMTPD must have
 * taken it before the set may follow. A domain that is no longer pinned stays in FILE-hosts for as
 * long as mail may be queued for it; STATE/pins says which and until when.
 *
 *	pins_open(s, now_s, &p, err)
 *	pins_add(p, domain, host)                 sticky: the first error is remembered
 *	pins_finish(p, serial, err)               synced, complete, looked into; still beside
 *	pins_install(p, err)
 *	pins_free(p)                              removes what was not installed
 */
#ifndef UPDATER_PINS_H
#define UPDATER_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct list_policy;
struct pins;
struct update_settings;

/* The tables' names in smtpd.conf. */
#define PINS_TABLE_HOSTS "preload25-hosts"
#define PINS_TABLE_SET   "preload25-pinned"

/* The server that the domain may be pinned to; NULL: it names several, or a pattern, and then only
 * its MX records can tell. Lent by policy. */
const char *pins_host(const struct list_policy *policy);

/* The files beside the list's map; the caller frees them. */
char *pins_hosts_file(const struct update_settings *s) RETURNS_NONNULL;
char *pins_set_file(const struct update_settings *s) RETURNS_NONNULL;

/* Whether there is anything to write: they are asked for, or have been and smtpd.conf may still
 * name them. */
bool pins_wanted(const struct update_settings *s);
/* Whether both maps are of the serial that the main one has, or need not be. */
bool pins_are(const struct update_settings *s, const char *serial);
/* The server that mail to the domain is bound to now: 1 with it appended, 0 none, -1. */
int pins_find(const struct update_settings *s, const char *domain, struct buf *host,
	struct error *err) MUST_CHECK;

int pins_open(const struct update_settings *s, int64_t now_s, struct pins **out,
	struct error *err) MUST_CHECK;
/* Domains come in ascending order of octets. */
void pins_add(struct pins *p, const char *domain, const char *host);
int pins_finish(struct pins *p, const char *serial, struct error *err) MUST_CHECK;
/* -1 also when OpenSMTPD runs and does not take FILE-hosts: then the set of before stands. Where it is
 * not to pin any more and knows neither table, all files go. */
int pins_install(struct pins *p, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void pins_free(struct pins *p);

/* For setup: makes those of the maps that are not there, without domains. 1 made, 0 all are there. */
int pins_make_empty(const struct update_settings *s, struct error *err) MUST_CHECK;

#endif

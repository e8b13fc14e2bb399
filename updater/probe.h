/*
 * probe: what the list would do today for the domains of a mail log: asks their mail servers now.
 *
 *	p = probe_new(s, survey, now_s);
 *	rc = probe_domains(p, domains, count, err);
 *	probe_result(p, domain) ...
 *	probe_free(p);
 *
 * One SMTP session with each server, shared by all domains that name it: EHLO, STARTTLS, the handshake with
 * the certificate checked against the system's authorities and the server's name, QUIT. No mail is sent. How
 * many domains and servers are asked, how many at once, and how long it may take is limited.
 */
#ifndef UPDATER_PROBE_H
#define UPDATER_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct probe;
struct survey;
struct traffic_domain;
struct update_settings;

enum probe_verdict {
	PROBE_GOOD,        /* mail goes out, verified: by the first server that is fit */
	PROBE_NO_TLS,      /* it would wait: STARTTLS is not offered */
	PROBE_HANDSHAKE,   /* it would wait: TLS fails */
	PROBE_CERTIFICATE, /* it would wait: the certificate is not trusted, or not for that name */
	PROBE_OTHER_HOST,  /* it would wait: DNS names no server that the entry names */
	PROBE_NO_ANSWER,   /* DNS or no server that counts answers: cannot be told, and mail waits list or no
			    * list */
	PROBE_DANE,        /* verified by TLSA records, which are not looked at here */
	PROBE_NOT_ASKED,   /* one domain too many, or no time was left */
	PROBE_VERDICTS
};

struct probe_result {
	enum probe_verdict verdict;
	char host[254];   /* the server that decided; "": none */
	char detail[200]; /* what it or the library said, fit to show; "": nothing */
};

/* "certificate": for programs. */
const char *probe_name(enum probe_verdict v);
/* For people. */
const char *probe_words(enum probe_verdict v);

/* The survey's list and rules are what counts; it is lent until probe_free(). */
struct probe *probe_new(
	const struct update_settings *s, const struct survey *survey, int64_t now_s) RETURNS_NONNULL;
/* NULL is allowed. */
void probe_free(struct probe *p);

/* Asks about the domains, the first ones first. Those that answer nothing are no error. */
int probe_domains(struct probe *p, struct traffic_domain *const *domains, size_t count,
	struct error *err) MUST_CHECK;
/* Lent. NULL: not among them. */
const struct probe_result *probe_result(const struct probe *p, const char *domain);

#endif

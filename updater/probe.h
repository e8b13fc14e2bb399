/*
 * probe: what the list would do today for the domains of a mail log: asks their mail servers now.
 *
 * One SMTP session with each server, shared by all domains that name it: EHLO, STARTTLS, the handshake with
 * the certificate checked against the system's authorities and the server's name, or its TLSA records, QUIT.
 * No mail is sent. How many domains and servers are asked, how many at once, and how long it may take is
 * limited.
 *
 * It speaks with foreign hosts: for a process that nobody trusts (probe_worker.h).
 */
#ifndef UPDATER_PROBE_H
#define UPDATER_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;
struct error;
struct overlay_list;
struct render_options;
struct traffic_domain;

/* Enough to see how one stands, and too few to be a burden to anybody. */
#define PROBE_DOMAINS_MAX 100

enum probe_verdict {
	PROBE_GOOD,        /* mail goes out, verified: by the first server that is fit */
	PROBE_NO_TLS,      /* it would wait: STARTTLS is not offered */
	PROBE_HANDSHAKE,   /* it would wait: TLS fails */
	PROBE_CERTIFICATE, /* it would wait: the certificate is not trusted, or not for that name */
	PROBE_OTHER_HOST,  /* it would wait: DNS names no server that the entry names */
	PROBE_TLSA,        /* it would wait: the entry is enforced by DANE, and there are no secure TLSA
			    * records that can be used */
	PROBE_NO_ANSWER,   /* DNS or no server that counts answers: cannot be told, and mail waits list or no
			    * list */
	PROBE_DANE,        /* verified by TLSA records, which need a resolver that validates, and there is none */
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

struct probe_work {
	const struct overlay_list *lists; /* at their beginnings */
	size_t list_count;
	const struct render_options *options;
	const char *ca_file;  /* the authorities, in PEM */
	const struct buf *ca; /* what that file holds; NULL: it is to be read */
};

/* Asks about the domains, PROBE_DOMAINS_MAX of them at most: what of each would become, in their order. Those that
 * answer nothing are no error. */
int probe_domains(const struct probe_work *w, struct traffic_domain *const *domains, size_t count,
	struct probe_result *out, struct error *err) MUST_CHECK;

#endif

/*
 * probe_server: asks mail servers now whether a message would go to them verified: one SMTP session each, with EHLO,
 * STARTTLS, the handshake and QUIT. No mail is sent.
 *
 * A server is verified as a mail server does it that has the list: by the system's authorities and its name, or by its
 * TLSA records (RFC 7672).
 */
#ifndef UPDATER_PROBE_SERVER_H
#define UPDATER_PROBE_SERVER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "updater/dane_lookup.h"
#include "updater/probe.h"

struct error;

struct probe_server {
	char host[254];
	bool by_dane;
	struct dane_list *dane; /* owned; with by_dane, unless verdict was settled before anybody asked */
	/* PROBE_NOT_ASKED until it is known; one that is known already is not asked. */
	enum probe_verdict verdict;
	char detail[200]; /* what it or a library said; fit to show */
	CURL *curl;       /* while it is being asked; owned */
	char said[CURL_ERROR_SIZE];
	bool dane_set, dane_usable; /* the handshake knows the records; one of them at least can be used */
};

struct probe_server *probe_server_new(const char *host, bool by_dane) RETURNS_NONNULL;
/* NULL is allowed. */
void probe_server_free(struct probe_server *server);

/* Asks those of which no verdict is known, some at a time, until all are asked or the time is over. That one does not
 * answer is no error. Of work only the authorities are looked at. */
int probe_servers_ask(struct probe_server *const *servers, size_t count, const struct probe_work *work,
	struct error *err) MUST_CHECK;

#endif

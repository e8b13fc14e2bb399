/*
 * lab_server: what the SMTP and the HTTPS side of labd share: addresses, hosts, TLS, counters.
 *
 * An endpoint is an address with a listening socket; one or several hosts (names) live at it. Hosts
 * and endpoints are never removed while the server runs, so sessions may point to them.
 */
#ifndef LAB_SERVER_H
#define LAB_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "common/attr.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_hosts.h"
#include "tests/lab/lab_pki.h"

struct bufferevent;
struct error;
struct lab_endpoint;

struct lab_served {
	char *name;
	struct lab_behaviour behaviour;
	struct lab_endpoint *endpoint;
	/* what it shows, made at the first handshake */
	struct lab_identity identity;
	enum lab_cert identity_cert; /* 0: not made yet */
	/* counters */
	uint64_t handshakes, mails, requests;
};

struct lab_endpoint {
	struct lab_server *server;
	enum lab_service service;
	struct address address;    /* port 0 */
	struct lab_served **hosts; /* sorted by name */
	size_t host_count, host_size;
	struct lab_served *first; /* the one of hosts.tsv's first line: for those who send no SNI */
	struct evconnlistener *listener;
	uint64_t connections;
	unsigned int open, open_max;
	bool peak_due; /* open_max is to be looked at */
	int *fds;      /* of connections that were accepted; those that have ended go when it is */
	size_t fd_count, fd_size;
};

struct lab_server {
	const char *dir; /* borrowed */
	struct event_base *base;
	struct lab_pki *pki;
	SSL_CTX *tls;
	uint16_t ports[2];               /* by service */
	struct lab_endpoint **endpoints; /* sorted by service and address */
	size_t endpoint_count, endpoint_size;
	uint64_t mail_number;
};

/* Reads hosts.tsv and opens the listeners; ports of 0 are chosen. */
int lab_server_open(struct lab_server *s, const char *dir, struct event_base *base,
	const uint16_t ports[static 2], struct error *err) MUST_CHECK;
/* Reads hosts.tsv again: new behaviours, new hosts, new listeners. Open connections go on. */
int lab_server_reload(struct lab_server *s, struct error *err) MUST_CHECK;
void lab_server_close(struct lab_server *s);

/* The table of connections, for people and tests; see README.md. */
void lab_server_stats(const struct lab_server *s, FILE *out);
void lab_server_stats_reset(struct lab_server *s);

/* A server-side SSL for the connection fd to the endpoint. The host that the client asks for by SNI
 * is stored in *host as soon as its ClientHello is there; before that *host is the endpoint's
 * first.
 */
SSL *lab_server_tls(
	struct lab_endpoint *e, evutil_socket_t fd, struct lab_served **host) RETURNS_NONNULL;

/* Implemented by lab_smtpd.c and lab_httpsd.c: take over a connection. lab_session_ended() must be
 * called when it is over. */
void lab_smtpd_start(struct lab_endpoint *e, evutil_socket_t fd);
void lab_httpsd_start(struct lab_endpoint *e, evutil_socket_t fd);
void lab_session_ended(struct lab_endpoint *e);
/* Ends a session after a TLS error, instead of lab_session_ended(): frees bev, which must own its
 * descriptor, and reads on for a while, so that no RST for unread data overtakes our alert. */
void lab_session_linger(struct lab_endpoint *e, struct bufferevent *bev);

#endif

#include "tests/unit/helper_name_server.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <ldns/ldns.h>

#include "common/xalloc.h"

#define ANCHOR \
	"signed.example. IN DS 12345 13 2 " \
	"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"
#define QUESTION_MAX 2048

/* A test whose server does not work has no sense: it ends with a message. */
static void
must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

static ldns_pkt_rcode
find_records(const struct name_server *s, const ldns_rr *question, ldns_pkt *reply)
{
	ldns_pkt_rcode rcode = LDNS_RCODE_NXDOMAIN;

	for (size_t i = 0; s->records[i] != NULL; i++) {
		ldns_rr *rr = NULL;
		bool there;

		must(ldns_rr_new_frm_str(&rr, s->records[i], 0, NULL, NULL) == LDNS_STATUS_OK,
			s->records[i]);
		there = ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)) == 0;
		if (there)
			rcode = LDNS_RCODE_NOERROR;
		if (!there || ldns_rr_get_type(rr) != ldns_rr_get_type(question) ||
			!ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, rr))
			ldns_rr_free(rr);
	}
	return rcode;
}

static void
count(struct name_server *s, const ldns_rr *question)
{
	char *name = ldns_rdf2str(ldns_rr_owner(question));

	must(name != NULL, "name");
	s->questions += s->watched == NULL || strcasecmp(s->watched, name) == 0;
	free(name);
}

static ldns_pkt *
answer(struct name_server *s, const ldns_pkt *query)
{
	ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(query), 0), *soa = NULL;
	ldns_pkt *reply = ldns_pkt_new();
	ldns_pkt_rcode rcode = LDNS_RCODE_SERVFAIL;

	count(s, question);
	ldns_pkt_set_id(reply, ldns_pkt_id(query));
	ldns_pkt_set_qr(reply, true);
	ldns_pkt_set_rd(reply, true);
	ldns_pkt_set_ra(reply, true);
	must(ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, ldns_rr_clone(question)), "question");
	if (!s->servfail) {
		rcode = find_records(s, question, reply);
		must(ldns_rr_new_frm_str(&soa, ". 60 IN SOA ns. root. 1 60 60 60 60", 0, NULL,
			     NULL) == LDNS_STATUS_OK,
			"SOA");
		if (ldns_pkt_ancount(reply) > 0 ||
			!ldns_pkt_push_rr(reply, LDNS_SECTION_AUTHORITY, soa))
			ldns_rr_free(soa);
	}
	ldns_pkt_set_rcode(reply, (uint8_t)rcode);
	return reply;
}

static void
on_question(evutil_socket_t fd, short what UNUSED, void *arg)
{
	uint8_t data[QUESTION_MAX], *wire = NULL;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);
	ldns_pkt *query = NULL, *reply;
	size_t len = 0;

	if (n <= 0 || ldns_wire2pkt(&query, data, (size_t)n) != LDNS_STATUS_OK)
		return;
	reply = answer(arg, query);
	must(ldns_pkt2wire(&wire, reply, &len) == LDNS_STATUS_OK, "reply");
	(void)sendto(fd, wire, len, 0, (struct sockaddr *)&from, from_len);
	free(wire);
	ldns_pkt_free(reply);
	ldns_pkt_free(query);
}

struct name_server *
name_server_new(struct event_base *base, const char *const *records)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct name_server *s = xcalloc(1, sizeof(*s));
	socklen_t len = sizeof(sin);
	int fd;

	s->records = records;
	s->forward = s->forward_text;
	s->anchor = s->anchor_path;
	(void)snprintf(s->anchor_path, sizeof(s->anchor_path), "/tmp/preload25-anchor-XXXXXX");
	fd = mkstemp(s->anchor_path);
	must(fd >= 0 && write(fd, ANCHOR, strlen(ANCHOR)) == (ssize_t)strlen(ANCHOR) &&
			close(fd) == 0,
		s->anchor_path);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
			getsockname(s->fd, (struct sockaddr *)&sin, &len) == 0,
		"name server");
	(void)snprintf(
		s->forward_text, sizeof(s->forward_text), "127.0.0.1@%u", ntohs(sin.sin_port));
	s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, on_question, s);
	must(s->event != NULL && event_add(s->event, NULL) == 0, "event");
	return s;
}

void
name_server_free(struct name_server *s)
{
	event_free(s->event);
	(void)close(s->fd);
	(void)unlink(s->anchor_path);
	free(s);
}

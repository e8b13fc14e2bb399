/*
 * The resolver against a name server of our own on the same event loop: unsigned answers of every
 * shape, failures, cancelling. What needs signatures is tested in the lab.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <ldns/ldns.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/dns.h"

/* Signs a name that no test asks for: everything else is insecure. */
#define ANCHOR \
	"signed.example. IN DS 12345 13 2 " \
	"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"

#define PORT_TRIES 50

static const char *const records[] = {
	"example.org. 60 IN A 192.0.2.1",
	"example.org. 60 IN A 192.0.2.2",
	"example.org. 60 IN AAAA 2001:db8::1",
	"example.org. 60 IN MX 20 B.Example.ORG.",
	"example.org. 60 IN MX 10 a.example.org.",
	"null.example. 60 IN MX 0 .",
	"txt.example. 60 IN TXT \"v=STSv1; \" \"id=1;\"",
	"txt.example. 60 IN TXT \"\"",
	("_25._tcp.mx.example. 60 IN TLSA 3 1 1 "
	 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
	"alias.example. 60 IN CNAME other.example.",
	"other.example. 60 IN CNAME Third.Example.",
	"third.example. 60 IN A 192.0.2.3",
	"loop1.example. 60 IN CNAME loop2.example.",
	"loop2.example. 60 IN CNAME loop1.example.",
	"nowhere.example. 60 IN CNAME gone.example.",
	"referral.example. 60 IN TXT \"no address\"",
	"tcp-only.example. 60 IN A 192.0.2.4",
	"third-time.example. 60 IN A 192.0.2.5",
	/* Ten steps from s1, eleven from s0. */
	"s0.example. 60 IN CNAME s1.example.",
	"s1.example. 60 IN CNAME s2.example.",
	"s2.example. 60 IN CNAME s3.example.",
	"s3.example. 60 IN CNAME s4.example.",
	"s4.example. 60 IN CNAME s5.example.",
	"s5.example. 60 IN CNAME s6.example.",
	"s6.example. 60 IN CNAME s7.example.",
	"s7.example. 60 IN CNAME s8.example.",
	"s8.example. 60 IN CNAME s9.example.",
	"s9.example. 60 IN CNAME s10.example.",
	"s10.example. 60 IN CNAME s11.example.",
	"s11.example. 60 IN A 192.0.2.6",
};

static struct event_base *base;
static int server = -1;
static struct event *server_event;
static struct evconnlistener *tcp_server;
static unsigned int third_time_tcp; /* questions for third-time.example over TCP */
static unsigned int servfails;      /* for servfail.example, whatever type and way */
static char forward[64], anchor_path[] = "/tmp/preload25-test-anchor-XXXXXX";

/* --- the name server ----------------------------------------------------------------- */

/* Names that are not answered at the first attempt (R2.8). */
static bool
is_refused(const char *name, bool tcp)
{
	if (strcasecmp(name, "tcp-only.example.") == 0)
		return !tcp;
	if (strcasecmp(name, "third-time.example.") != 0)
		return false;
	third_time_tcp += tcp;
	return tcp || third_time_tcp == 0;
}

static ldns_pkt_rcode
answer_question(const ldns_rr *question, ldns_rr_list *answer)
{
	ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(question));
	char *name = ldns_rdf2str(owner);
	ldns_pkt_rcode rcode = LDNS_RCODE_NXDOMAIN;
	bool again = true;

	if (strcasecmp(name, "servfail.example.") == 0)
		rcode = LDNS_RCODE_SERVFAIL;
	else if (strcasecmp(name, "refused.example.") == 0)
		rcode = LDNS_RCODE_REFUSED;
	/* At most as many aliases as there are records: the loop is the resolver's to find. */
	for (size_t steps = 0; again && steps < ARRAY_LEN(records); steps++) {
		again = false;
		for (size_t i = 0; i < ARRAY_LEN(records); i++) {
			ldns_rr *rr = NULL;
			bool alias;

			assert_int_equal(ldns_rr_new_frm_str(&rr, records[i], 0, NULL, NULL),
				LDNS_STATUS_OK);
			alias = ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME;
			if (ldns_dname_compare(ldns_rr_owner(rr), owner) != 0) {
				ldns_rr_free(rr);
				continue;
			}
			rcode = LDNS_RCODE_NOERROR;
			if (alias && ldns_rr_get_type(question) == LDNS_RR_TYPE_CNAME) {
				ldns_rr_list_push_rr(answer, rr);
				break;
			}
			if (!alias && ldns_rr_get_type(rr) != ldns_rr_get_type(question)) {
				ldns_rr_free(rr);
				continue;
			}
			ldns_rr_list_push_rr(answer, rr);
			if (alias) {
				ldns_rdf_deep_free(owner);
				owner = ldns_rdf_clone(ldns_rr_rdf(rr, 0));
				again = true;
				rcode = LDNS_RCODE_NXDOMAIN;
				break;
			}
		}
	}
	ldns_rdf_deep_free(owner);
	free(name);
	return rcode;
}

/* The answer to a question; NULL: none is given. The caller frees it. */
static uint8_t *
answer_packet(const uint8_t *data, size_t size, bool tcp, size_t *len)
{
	ldns_pkt *query = NULL, *reply;
	ldns_rr *question, *soa = NULL;
	uint8_t *wire = NULL;
	char *name;

	if (ldns_wire2pkt(&query, data, size) != LDNS_STATUS_OK)
		return NULL;
	question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
	name = ldns_rdf2str(ldns_rr_owner(question));
	servfails += strcasecmp(name, "servfail.example.") == 0;
	if (strcasecmp(name, "silent.example.") == 0) {
		free(name);
		ldns_pkt_free(query);
		return NULL;
	}
	reply = ldns_pkt_new();
	ldns_pkt_set_id(reply, ldns_pkt_id(query));
	ldns_pkt_set_qr(reply, true);
	ldns_pkt_set_rd(reply, true);
	ldns_pkt_set_ra(reply, true);
	ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, ldns_rr_clone(question));
	if (is_refused(name, tcp))
		ldns_pkt_set_rcode(reply, LDNS_RCODE_REFUSED);
	else
		ldns_pkt_set_rcode(
			reply, (uint8_t)answer_question(question, ldns_pkt_answer(reply)));
	ldns_pkt_set_ancount(reply, (uint16_t)ldns_rr_list_rr_count(ldns_pkt_answer(reply)));
	if (ldns_rr_list_rr_count(ldns_pkt_answer(reply)) == 0) {
		(void)ldns_rr_new_frm_str(&soa,
			strcasecmp(name, "referral.example.") == 0
				? "example. 60 IN NS ns.example."
				: ". 60 IN SOA ns. root. 1 60 60 60 60",
			0, NULL, NULL);
		ldns_pkt_push_rr(reply, LDNS_SECTION_AUTHORITY, soa);
	}
	assert_int_equal(ldns_pkt2wire(&wire, reply, len), LDNS_STATUS_OK);
	if (strcasecmp(name, "garbage.example.") == 0)
		memset(wire + 12, 0xc0, *len - 12);
	free(name);
	ldns_pkt_free(reply);
	ldns_pkt_free(query);
	return wire;
}

static void
on_question(evutil_socket_t fd, short what UNUSED, void *arg UNUSED)
{
	uint8_t data[2048], *wire;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);
	size_t len = 0;

	if (n <= 0 || (wire = answer_packet(data, (size_t)n, false, &len)) == NULL)
		return;
	(void)sendto(fd, wire, len, 0, (struct sockaddr *)&from, from_len);
	free(wire);
}

static void
on_tcp_read(struct bufferevent *bev, void *arg UNUSED)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t head[2], data[2048], *wire;
	size_t size, len = 0;

	while (evbuffer_copyout(in, head, 2) == 2) {
		size = (size_t)(head[0] << 8 | head[1]);
		assert_true(size <= sizeof(data));
		if (evbuffer_get_length(in) < 2 + size)
			return;
		(void)evbuffer_drain(in, 2);
		(void)evbuffer_remove(in, data, size);
		wire = answer_packet(data, size, true, &len);
		if (wire == NULL)
			continue;
		head[0] = (uint8_t)(len >> 8);
		head[1] = (uint8_t)len;
		(void)bufferevent_write(bev, head, 2);
		(void)bufferevent_write(bev, wire, len);
		free(wire);
	}
}

static void
on_tcp_end(struct bufferevent *bev, short what UNUSED, void *arg UNUSED)
{
	bufferevent_free(bev);
}

static void
on_tcp(struct evconnlistener *l UNUSED, evutil_socket_t fd, struct sockaddr *peer UNUSED,
	int peer_len UNUSED, void *arg UNUSED)
{
	struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	bufferevent_setcb(bev, on_tcp_read, NULL, on_tcp_end, NULL);
	(void)bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static int
set_up(void **state UNUSED)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = mkstemp(anchor_path);

	if (fd < 0 || write(fd, ANCHOR, strlen(ANCHOR)) != (ssize_t)strlen(ANCHOR) ||
		close(fd) != 0)
		return -1;
	base = event_base_new();
	/* A port that is free for UDP may be taken for TCP. */
	for (int i = 0; i < PORT_TRIES && tcp_server == NULL; i++) {
		if (server >= 0)
			(void)close(server);
		server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		sin.sin_port = 0;
		if (bind(server, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
			getsockname(server, (struct sockaddr *)&sin, &len) < 0)
			return -1;
		tcp_server = evconnlistener_new_bind(base, on_tcp, NULL,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 16,
			(struct sockaddr *)&sin, sizeof(sin));
	}
	if (tcp_server == NULL)
		return -1;
	(void)snprintf(forward, sizeof(forward), "127.0.0.1@%u", ntohs(sin.sin_port));
	server_event = event_new(base, server, EV_READ | EV_PERSIST, on_question, NULL);
	return event_add(server_event, NULL);
}

static int
tear_down(void **state UNUSED)
{
	event_free(server_event);
	evconnlistener_free(tcp_server);
	event_base_free(base);
	(void)close(server);
	return unlink(anchor_path);
}

/* --- the client side ----------------------------------------------------------------- */

static struct dns_resolver *
resolver_new(int64_t query_s)
{
	const char *const forwards[] = {forward};
	struct dns_options o = {
		.forward = forwards,
		.forward_count = 1,
		.trust_anchor = anchor_path,
		.concurrency = 10,
		.query_s = query_s,
	};
	struct dns_resolver *r = NULL;
	struct error err;

	if (dns_resolver_new(&o, base, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

struct asked {
	const struct dns_answer *answer;
	bool in_start;
	size_t *left;
};

static void
on_answer(const struct dns_answer *answer, void *arg)
{
	struct asked *a = arg;

	assert_false(a->in_start);
	assert_null(a->answer);
	a->answer = answer;
	if (--*a->left == 0)
		event_base_loopbreak(base);
}

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	size_t count;
	unsigned int aliases;
	const char *canonical;
} lookups[] = {
	{"example.org", DNS_A, DNS_FOUND, 2, 0, "example.org"},
	{"EXAMPLE.org.", DNS_A, DNS_FOUND, 2, 0, "example.org"},
	{"example.org", DNS_AAAA, DNS_FOUND, 1, 0, "example.org"},
	{"example.org", DNS_MX, DNS_FOUND, 2, 0, "example.org"},
	{"example.org", DNS_TXT, DNS_NODATA, 0, 0, "example.org"},
	{"null.example", DNS_MX, DNS_FOUND, 1, 0, "null.example"},
	{"txt.example", DNS_TXT, DNS_FOUND, 2, 0, "txt.example"},
	{"_25._tcp.mx.example", DNS_TLSA, DNS_FOUND, 1, 0, "_25._tcp.mx.example"},
	{"alias.example", DNS_A, DNS_FOUND, 1, 2, "third.example"},
	{"alias.example", DNS_AAAA, DNS_NODATA, 0, 2, "third.example"},
	{"nowhere.example", DNS_A, DNS_NXDOMAIN, 0, 1, "gone.example"},
	{"gone.example", DNS_A, DNS_NXDOMAIN, 0, 0, "gone.example"},
	{"something.test", DNS_A, DNS_NXDOMAIN, 0, 0, "something.test"},
	{"tcp-only.example", DNS_A, DNS_FOUND, 1, 0, "tcp-only.example"},
	{"third-time.example", DNS_A, DNS_FOUND, 1, 0, "third-time.example"},
	{"s1.example", DNS_A, DNS_FOUND, 1, 10, "s11.example"},
	{"s1.example", DNS_CNAME, DNS_FOUND, 1, 0, "s1.example"},
	{"example.org", DNS_CNAME, DNS_NODATA, 0, 0, "example.org"},
	{"s0.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"loop1.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"servfail.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"refused.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"referral.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"garbage.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"silent.example", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"two..dots", DNS_A, DNS_FAILED, 0, 0, NULL},
	{"label-of-more-than-sixty-three-octets-which-no-name-server-on-earth-takes.example", DNS_A,
		DNS_FAILED, 0, 0, NULL},
};

static const struct dns_answer *
find(const struct asked *asked, const char *name, enum dns_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		if (strcmp(lookups[i].name, name) == 0 && lookups[i].type == type)
			return asked[i].answer;
	}
	abort();
}

static void
answers(void **state UNUSED)
{
	struct dns_resolver *r = resolver_new(3);
	struct arena *arena = arena_new();
	struct asked asked[ARRAY_LEN(lookups)];
	const struct dns_answer *a;
	size_t left = ARRAY_LEN(lookups);
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		asked[i] = (struct asked){.in_start = true, .left = &left};
		(void)dns_query_start(
			r, lookups[i].name, lookups[i].type, arena, on_answer, &asked[i]);
		asked[i].in_start = false;
	}
	assert_int_equal(event_base_dispatch(base), 0);
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		a = asked[i].answer;
		assert_non_null(a);
		if (a->status != lookups[i].status || a->count != lookups[i].count ||
			(a->status != DNS_FAILED &&
				(a->aliases != lookups[i].aliases || a->secure != DNS_INSECURE ||
					strcmp(a->canonical, lookups[i].canonical) != 0)) ||
			(a->status == DNS_FAILED && a->why == NULL)) {
			print_error("%s %s: status %u, %zu records, %u aliases, %s, %s\n",
				lookups[i].name, dns_type_name(lookups[i].type), a->status,
				a->count, a->aliases, a->canonical, a->why == NULL ? "" : a->why);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	/* R2.7, R2.4: each under its own name. */
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		bool loop = strcmp(lookups[i].name, "s0.example") == 0 ||
			strcmp(lookups[i].name, "loop1.example") == 0;

		if (asked[i].answer->status != DNS_FAILED)
			continue;
		if (strcmp(dns_failure_code(asked[i].answer),
			    loop ? "dns-alias-loop" : "dns-temporary") != 0)
			fail_msg("%s: %s", lookups[i].name, dns_failure_code(asked[i].answer));
	}
	/* A dead name: at most five questions the usual way, by TCP, with the whole name, and for an
	 * alias. Fewer than that in the later ones cost sound domains their answers where a name server
	 * is silent (iteration.sh). */
	assert_in_range(servfails, 4, 20);
	assert_string_equal(find(asked, "s1.example", DNS_CNAME)->records[0].host, "s2.example");
	a = find(asked, "example.org", DNS_MX);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(a->records[i].host,
			a->records[i].preference == 10 ? "a.example.org" : "b.example.org");
	}
	assert_int_not_equal(a->records[0].preference, a->records[1].preference);
	assert_string_equal(find(asked, "null.example", DNS_MX)->records[0].host, "");
	a = find(asked, "txt.example", DNS_TXT);
	for (size_t i = 0; i < 2; i++) {
		if (a->records[i].len == 1)
			assert_memory_equal(a->records[i].data, "\0", 1);
		else
			assert_memory_equal(a->records[i].data, "\x09v=STSv1; \x05id=1;", 16);
	}
	a = find(asked, "_25._tcp.mx.example", DNS_TLSA);
	assert_int_equal(a->records[0].len, 35);
	assert_memory_equal(a->records[0].data, "\x03\x01\x01\x00\x11\x22", 6);
	assert_int_equal(find(asked, "example.org", DNS_AAAA)->records[0].len, 16);
	assert_int_equal(dns_query_count(r), ARRAY_LEN(lookups));
	dns_resolver_free(r);
	arena_free(arena);
}

static void
not_to_be_called(const struct dns_answer *answer UNUSED, void *arg UNUSED)
{
	fail_msg("callback of a look-up that was cancelled");
}

/* Cancelled before and after the answer has come from outside, and by freeing the resolver. */
static void
cancelled(void **state UNUSED)
{
	struct dns_resolver *r = resolver_new(3);
	struct arena *arena = arena_new();
	struct asked asked;
	struct dns_query *q;
	size_t left = 1;

	q = dns_query_start(r, "example.org", DNS_A, arena, not_to_be_called, NULL);
	dns_query_cancel(q);
	/* Answered from the cache at once, but told from the loop. */
	asked = (struct asked){.left = &left};
	(void)dns_query_start(r, "example.org", DNS_A, arena, on_answer, &asked);
	assert_int_equal(event_base_dispatch(base), 0);
	assert_non_null(asked.answer);
	q = dns_query_start(r, "example.org", DNS_A, arena, not_to_be_called, NULL);
	dns_query_cancel(q);
	dns_query_cancel(NULL);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	(void)dns_query_start(r, "silent.example", DNS_A, arena, not_to_be_called, NULL);
	(void)dns_query_start(r, "example.org", DNS_A, arena, not_to_be_called, NULL);
	dns_resolver_free(r);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	arena_free(arena);
	dns_resolver_free(NULL);
}

static void
bad_options(void **state UNUSED)
{
	static const char *const not_an_address[] = {"dns.example.org"};
	static const char broken[] = "/proc/self/comm"; /* a file, but no anchor */
	struct {
		struct dns_options o;
		const char *part; /* of the message */
	} rows[] = {
		{{.trust_anchor = "/nonexistent/anchor"}, "/nonexistent/anchor"},
		{{.trust_anchor = broken}, broken},
		{{.trust_anchor = anchor_path, .root_hints = "/nonexistent/hints"},
			"/nonexistent/hints"},
		{{.trust_anchor = anchor_path, .forward = not_an_address, .forward_count = 1},
			"dns.example.org"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_resolver *r = NULL;
		struct error err;

		if (dns_resolver_new(&rows[i].o, base, &r, &err) == 0)
			fail_msg("row %zu was accepted", i);
		assert_null(r);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (strstr(err.text, rows[i].part) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests_name("dns", tests, set_up, tear_down);
}

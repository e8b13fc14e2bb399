/*
 * All state belongs to the thread that runs the loop; what others want is done there, too (call()).
 *
 * A question by UDP is handed on under a number of our own, so that NSD's answer finds its way back
 * to who asked. A connection by TCP gets one to NSD beside it as soon as something is to be handed
 * on.
 */
#include "tests/lab/lab_named.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/nameser.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <ldns/ldns.h>
#include <openssl/rand.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_dns_script.h"
#include "tests/lab/lab_hosts.h"
#include "verifier/address.h"

enum {
	PACKET_MAX = 65535,
	PORT_FIRST = 10000, /* below the kernel's ephemeral range */
	PORT_COUNT = 20000,
	PORT_TRIES = 200,
	BATCH = 64,              /* packets that are taken from one socket in one turn */
	SOCKET_BUFFER = 4 << 20, /* thousands of domains may ask in the same moment */
	SLOW_S = 100,
	GIVE_UP_S = 1, /* of the forwarder with a silent name server */
	TCP_IDLE_S = 30,
	TCP_BACKLOG = 256,
	TCP_LENGTH_LEN = 2, /* RFC 1035, 4.2.2 */
};

/* Where we are asked. */
struct door {
	struct lab_named *named;
	struct address address;
	bool forwards; /* the one that knows everything */
	int udp;
	struct event *event;
	struct evconnlistener *listener;
};

struct zone {
	char *name; /* no last dot; "" is the root */
	struct lab_dns_script script;
	char **told; /* names that have had their one right answer of LAB_DNS_REBIND */
	size_t told_count;
	uint64_t questions, sins;
};

/* A question that was handed on by UDP. */
struct asked {
	const struct door *door; /* NULL: nobody waits */
	struct address from;
	uint16_t id;
};

/* A question that is dealt with later. */
struct late {
	TAILQ_ENTRY(late) link;
	struct lab_named *named;
	enum lab_dns_sin sin;
	struct event *timer;
	const struct door *door;
	struct address from;
	size_t len;
	uint8_t packet[];
};

struct tcp {
	TAILQ_ENTRY(tcp) link;
	struct lab_named *named;
	bool forwards;                    /* as its door does */
	struct bufferevent *client, *nsd; /* nsd: NULL until something is handed on */
};

struct lab_named {
	const char *dir; /* borrowed */
	struct event_base *base;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of the calls from outside */
	pthread_cond_t done;
	uint16_t port;
	struct door **doors;
	size_t door_count;
	struct zone **zones; /* sorted by name */
	size_t zone_count;
	int nsd; /* UDP, connected */
	struct event *nsd_event;
	struct address nsd_address;
	uint16_t next;
	struct asked asked[UINT16_MAX + 1]; /* by the number that NSD sees */
	TAILQ_HEAD(, late) late;
	TAILQ_HEAD(, tcp) tcp;
};

/* --- zones ------------------------------------------------------------------------------------ */

static int
zone_cmp(const void *key, const void *element)
{
	return strcmp(key, (*(struct zone *const *)element)->name);
}

static struct zone *
zone_find(const struct lab_named *n, const char *name)
{
	struct zone **found;

	if (n->zone_count == 0)
		return NULL;
	found = bsearch(name, n->zones, n->zone_count, sizeof(struct zone *), zone_cmp);
	return found == NULL ? NULL : *found;
}

/* The zone with a script that a name lies in; NULL: none. */
static struct zone *
zone_of(const struct lab_named *n, const char *name)
{
	while (name != NULL) {
		struct zone *z = zone_find(n, name);

		if (z != NULL)
			return z;
		name = strchr(name, '.');
		if (name != NULL)
			name++;
	}
	return NULL;
}

static void
zone_forget(struct zone *z)
{
	for (size_t i = 0; i < z->told_count; i++)
		free(z->told[i]);
	free(z->told);
	z->told = NULL;
	z->told_count = 0;
}

/* Whether the name is asked for the first time; the next time it is not. */
static bool
is_first(struct zone *z, const char *name)
{
	for (size_t i = 0; i < z->told_count; i++) {
		if (strcmp(z->told[i], name) == 0)
			return false;
	}
	z->told = xreallocarray(z->told, z->told_count + 1, sizeof(char *));
	z->told[z->told_count++] = xstrdup(name);
	return true;
}

static void
zone_set(struct lab_named *n, const char *name, const char *words)
{
	struct zone *z = zone_find(n, name);
	struct error ignored;
	size_t at;

	if (z == NULL) {
		z = xcalloc(1, sizeof(*z));
		z->name = xstrdup(name);
		n->zones = xreallocarray(n->zones, n->zone_count + 1, sizeof(struct zone *));
		for (at = n->zone_count++; at > 0 && strcmp(name, n->zones[at - 1]->name) < 0; at--)
			n->zones[at] = n->zones[at - 1];
		n->zones[at] = z;
	}
	/* lab_hosts_load() has parsed it before */
	if (lab_dns_script_parse(words, &z->script, &ignored) < 0)
		abort();
	zone_forget(z);
}

/* --- one question ----------------------------------------------------------------------------- */

/* What becomes of a question. What cannot be read is NSD's to refuse. */
static enum lab_dns_sin
judge(struct lab_named *n, const uint8_t *packet, size_t len)
{
	char name[NS_MAXDNAME];
	enum lab_dns_sin sin;
	struct zone *zone;
	ns_msg msg;
	ns_rr rr;

	if (ns_initparse(packet, (int)len, &msg) < 0 || ns_msg_count(msg, ns_s_qd) != 1 ||
		ns_parserr(&msg, ns_s_qd, 0, &rr) < 0 || ns_rr_class(rr) != ns_c_in)
		return LAB_DNS_SERVE;
	snprintf(name, sizeof(name), "%s", ns_rr_name(rr));
	for (char *p = name; *p != '\0'; p++)
		*p = str_lower(*p);
	zone = zone_of(n, strcmp(name, ".") == 0 ? "" : name);
	if (zone == NULL)
		return LAB_DNS_SERVE;
	zone->questions++;
	sin = lab_dns_script_match(&zone->script, name, ns_rr_type(rr));
	if (sin == LAB_DNS_REBIND && (ns_rr_type(rr) != ns_t_a || is_first(zone, name)))
		return LAB_DNS_SERVE;
	if (sin != LAB_DNS_SERVE)
		zone->sins++;
	return sin;
}

static void
set_question(ldns_pkt *reply, const char *name)
{
	ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(reply), 0);

	ldns_rdf_deep_free(ldns_rr_owner(rr));
	ldns_rr_set_owner(rr, ldns_dname_new_frm_str(name));
}

static void
add_rebound(ldns_pkt *reply)
{
	ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(reply), 0), *a = NULL;
	char *owner = ldns_rdf2str(ldns_rr_owner(rr));
	char *line = xasprintf("%s 1 IN A " LAB_DNS_REBOUND, owner);
	if (ldns_rr_new_frm_str(&a, line, 0, NULL, NULL) != LDNS_STATUS_OK ||
		!ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, a))
		abort();
	free(line);
	LDNS_FREE(owner);
}

/* The answer that the sin makes of a question; ldns's to free. NULL: none, for sins without one and
 * for questions that ldns does not take. */
static uint8_t *
answer_of(enum lab_dns_sin sin, const uint8_t *packet, size_t len, size_t *out_len)
{
	static const ldns_pkt_rcode rcodes[] = {
		[LAB_DNS_REFUSED] = LDNS_RCODE_REFUSED,
		[LAB_DNS_NOTIMP] = LDNS_RCODE_NOTIMPL,
		[LAB_DNS_SERVFAIL] = LDNS_RCODE_SERVFAIL,
		[LAB_DNS_FORMERR] = LDNS_RCODE_FORMERR,
		[LAB_DNS_DENY] = LDNS_RCODE_NXDOMAIN,
		[LAB_DNS_REBIND] = LDNS_RCODE_NOERROR,
	};
	ldns_pkt *reply = NULL;
	uint8_t *wire = NULL;

	if (sin == LAB_DNS_DROP || ldns_wire2pkt(&reply, packet, len) != LDNS_STATUS_OK ||
		ldns_rr_list_rr_count(ldns_pkt_question(reply)) != 1)
		goto out;
	ldns_pkt_set_qr(reply, true);
	ldns_pkt_set_aa(reply, true);
	ldns_pkt_set_ad(reply, false);
	if ((size_t)sin < ARRAY_LEN(rcodes))
		ldns_pkt_set_rcode(reply, (uint8_t)rcodes[sin]);
	if (sin == LAB_DNS_TRUNCATE)
		ldns_pkt_set_tc(reply, true);
	if (sin == LAB_DNS_OTHER)
		set_question(reply, "another-question.test.");
	if (sin == LAB_DNS_REBIND)
		add_rebound(reply);
	if (ldns_pkt2wire(&wire, reply, out_len) != LDNS_STATUS_OK)
		wire = NULL;
out:
	ldns_pkt_free(reply);
	return wire;
}

/* --- UDP -------------------------------------------------------------------------------------- */

/* A packet that the kernel does not take is one that got lost: that is what UDP is like. */
static void
send_udp(const struct door *d, const struct address *to, const uint8_t *packet, size_t len)
{
	(void)!sendto(d->udp, packet, len, 0, &to->u.sa, address_len(to));
}

static void
hand_on(const struct door *d, const struct address *from, uint8_t *packet, size_t len)
{
	struct lab_named *n = d->named;
	struct asked *a = &n->asked[n->next];

	a->door = d;
	a->from = *from;
	a->id = (uint16_t)ns_get16(packet);
	ns_put16(n->next++, packet);
	(void)!send(n->nsd, packet, len, 0);
}

static void
late_free(struct late *l)
{
	TAILQ_REMOVE(&l->named->late, l, link);
	event_free(l->timer);
	free(l);
}

/* What is right comes from NSD, what is wrong from here. */
static void
settle(const struct door *d, enum lab_dns_sin sin, const struct address *from, uint8_t *packet,
	size_t len)
{
	uint8_t *answer;
	size_t answer_len = 0;

	if (sin == LAB_DNS_SERVE) {
		hand_on(d, from, packet, len);
		return;
	}
	answer = answer_of(sin, packet, len, &answer_len);
	if (answer != NULL)
		send_udp(d, from, answer, answer_len);
	LDNS_FREE(answer);
}

static void
on_late(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct late *l = arg;

	settle(l->door, l->sin, &l->from, l->packet, l->len);
	late_free(l);
}

static void
settle_later(const struct door *d, time_t after_s, enum lab_dns_sin sin, const struct address *from,
	const uint8_t *packet, size_t len)
{
	struct late *l = xcalloc(1, sizeof(*l) + len);

	l->named = d->named;
	l->sin = sin;
	l->door = d;
	l->from = *from;
	l->len = len;
	memcpy(l->packet, packet, len);
	l->timer = evtimer_new(d->named->base, on_late, l);
	if (l->timer == NULL || evtimer_add(l->timer, &(struct timeval){.tv_sec = after_s}) < 0)
		abort();
	TAILQ_INSERT_TAIL(&d->named->late, l, link);
}

static void
question_by_udp(const struct door *d, const struct address *from, uint8_t *packet, size_t len)
{
	enum lab_dns_sin sin = judge(d->named, packet, len);

	if (d->forwards && (sin == LAB_DNS_DROP || sin == LAB_DNS_SLOW))
		settle_later(d, GIVE_UP_S, LAB_DNS_SERVFAIL, from, packet, len);
	else if (sin == LAB_DNS_SLOW)
		settle_later(d, SLOW_S, LAB_DNS_SERVE, from, packet, len);
	else
		settle(d, sin, from, packet, len);
}

static void
on_udp(evutil_socket_t fd, short what UNUSED, void *arg)
{
	const struct door *d = arg;
	uint8_t packet[PACKET_MAX];

	for (int i = 0; i < BATCH; i++) {
		struct address from = {0};
		socklen_t from_len = sizeof(from.u);
		ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, &from.u.sa, &from_len);

		if (n < 0)
			return;
		if (n >= NS_HFIXEDSZ)
			question_by_udp(d, &from, packet, (size_t)n);
	}
}

static void
on_nsd(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct lab_named *n = arg;
	uint8_t packet[PACKET_MAX];

	for (int i = 0; i < BATCH; i++) {
		ssize_t len = recv(fd, packet, sizeof(packet), 0);
		struct asked *a;

		if (len < NS_HFIXEDSZ)
			return;
		a = &n->asked[ns_get16(packet)];
		if (a->door == NULL)
			continue;
		ns_put16(a->id, packet);
		send_udp(a->door, &a->from, packet, (size_t)len);
		a->door = NULL;
	}
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void
tcp_free(struct tcp *t)
{
	TAILQ_REMOVE(&t->named->tcp, t, link);
	bufferevent_free(t->client);
	if (t->nsd != NULL)
		bufferevent_free(t->nsd);
	free(t);
}

static void
on_tcp_event(struct bufferevent *bev UNUSED, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		tcp_free(arg);
}

static void
on_tcp_nsd(struct bufferevent *bev, void *arg)
{
	struct tcp *t = arg;

	bufferevent_write_buffer(t->client, bufferevent_get_input(bev));
}

static void
tcp_hand_on(struct tcp *t, const uint8_t *message, size_t len)
{
	const struct timeval idle = {.tv_sec = TCP_IDLE_S};

	if (t->nsd == NULL) {
		t->nsd = bufferevent_socket_new(t->named->base, -1, BEV_OPT_CLOSE_ON_FREE);
		if (t->nsd == NULL)
			abort();
		bufferevent_setcb(t->nsd, on_tcp_nsd, NULL, on_tcp_event, t);
		bufferevent_set_timeouts(t->nsd, &idle, NULL);
		bufferevent_enable(t->nsd, EV_READ | EV_WRITE);
		/* What goes wrong here comes as an event. */
		(void)bufferevent_socket_connect(t->nsd, &t->named->nsd_address.u.sa,
			(int)address_len(&t->named->nsd_address));
	}
	bufferevent_write(t->nsd, message, len);
}

/* 0, or -1: the connection is to be closed. */
static int
question_by_tcp(struct tcp *t, const uint8_t *message, size_t len)
{
	const uint8_t *packet = message + TCP_LENGTH_LEN;
	uint8_t *answer, length[TCP_LENGTH_LEN];
	enum lab_dns_sin sin = judge(t->named, packet, len - TCP_LENGTH_LEN);
	size_t answer_len = 0;

	if (sin == LAB_DNS_SERVE) {
		tcp_hand_on(t, message, len);
		return 0;
	}
	/* A client sends the questions about all zones through one connection to its forwarder: the
	 * sins of one must not cost the others theirs. */
	if (t->forwards && (sin == LAB_DNS_DROP || sin == LAB_DNS_SLOW || sin == LAB_DNS_TRUNCATE))
		sin = LAB_DNS_SERVFAIL;
	if (sin == LAB_DNS_TRUNCATE)
		return -1;
	if (sin == LAB_DNS_SLOW)
		return 0; /* the client, or our limit, ends the connection before */
	answer = answer_of(sin, packet, len - TCP_LENGTH_LEN, &answer_len);
	if (answer != NULL) {
		ns_put16((unsigned int)answer_len, length);
		bufferevent_write(t->client, length, sizeof(length));
		bufferevent_write(t->client, answer, answer_len);
	}
	LDNS_FREE(answer);
	return 0;
}

static void
on_tcp_client(struct bufferevent *bev, void *arg)
{
	struct tcp *t = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t length[TCP_LENGTH_LEN];

	while (evbuffer_copyout(in, length, sizeof(length)) == sizeof(length)) {
		size_t len = sizeof(length) + ns_get16(length);
		uint8_t *message;

		if (evbuffer_get_length(in) < len)
			return;
		message = evbuffer_pullup(in, (ev_ssize_t)len);
		if (question_by_tcp(t, message, len) < 0) {
			tcp_free(t);
			return;
		}
		evbuffer_drain(in, len);
	}
}

static void
on_tcp_accept(struct evconnlistener *l UNUSED, evutil_socket_t fd, struct sockaddr *peer UNUSED,
	int peer_len UNUSED, void *arg)
{
	const struct door *d = arg;
	const struct timeval idle = {.tv_sec = TCP_IDLE_S};
	struct tcp *t = xcalloc(1, sizeof(*t));

	t->named = d->named;
	t->forwards = d->forwards;
	t->client = bufferevent_socket_new(d->named->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (t->client == NULL)
		abort();
	TAILQ_INSERT_TAIL(&d->named->tcp, t, link);
	bufferevent_setcb(t->client, on_tcp_client, NULL, on_tcp_event, t);
	bufferevent_set_timeouts(t->client, &idle, NULL);
	bufferevent_enable(t->client, EV_READ | EV_WRITE);
}

/* --- sockets ---------------------------------------------------------------------------------- */

static int
udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int size = SOCKET_BUFFER;

	if (fd < 0)
		return -1;
	/* as much as the kernel gives: beyond its usual limit only to root */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static struct event *
read_event(struct lab_named *n, int fd, event_callback_fn cb, void *arg)
{
	struct event *e = event_new(n->base, fd, EV_READ | EV_PERSIST, cb, arg);

	if (e == NULL || event_add(e, NULL) < 0)
		abort();
	return e;
}

static void
door_close(struct door *d)
{
	if (d->event != NULL)
		event_free(d->event);
	if (d->listener != NULL)
		evconnlistener_free(d->listener);
	if (d->udp >= 0)
		close(d->udp);
	d->event = NULL;
	d->listener = NULL;
	d->udp = -1;
}

/* 1 open, 0 the port is taken there, -1 error. */
static int
door_open(struct door *d, struct error *err)
{
	struct lab_named *n = d->named;
	char text[ADDRESS_TEXT_SIZE];
	struct address at;

	address_format(&d->address, text);
	if (address_from_text(text, n->port, &at) < 0)
		abort();
	d->udp = udp_socket();
	if (d->udp >= 0 && bind(d->udp, &at.u.sa, address_len(&at)) == 0)
		d->listener = evconnlistener_new_bind(n->base, on_tcp_accept, d,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
			TCP_BACKLOG, &at.u.sa, (int)address_len(&at));
	if (d->listener != NULL) {
		d->event = read_event(n, d->udp, on_udp, d);
		return 1;
	}
	if (errno == EADDRINUSE) {
		door_close(d);
		return 0;
	}
	return error_set_errno(err, ERROR_CONFIG, "%s port %u", text, n->port);
}

static struct door *
door_add(struct lab_named *n, const struct address *address)
{
	struct door *d;

	for (size_t i = 0; i < n->door_count; i++) {
		if (address_cmp(&n->doors[i]->address, address) == 0)
			return n->doors[i];
	}
	d = xcalloc(1, sizeof(*d));
	d->named = n;
	d->address = *address;
	d->udp = -1;
	n->doors = xreallocarray(n->doors, n->door_count + 1, sizeof(struct door *));
	n->doors[n->door_count++] = d;
	return d;
}

/* 1 all are open, 0 the port is taken, -1 error. */
static int
doors_open(struct lab_named *n, struct error *err)
{
	int rc = 1;

	for (size_t i = 0; i < n->door_count && rc == 1; i++) {
		if (n->doors[i]->udp < 0)
			rc = door_open(n->doors[i], err);
	}
	return rc;
}

static int
find_port(struct lab_named *n, uint16_t wanted, struct error *err)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		uint16_t random;
		int rc;

		n->port = wanted;
		if (wanted == 0) {
			if (RAND_bytes((uint8_t *)&random, sizeof(random)) <= 0)
				abort();
			n->port = (uint16_t)(PORT_FIRST + random % PORT_COUNT);
		}
		rc = doors_open(n, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		for (size_t k = 0; k < n->door_count; k++)
			door_close(n->doors[k]);
		if (wanted != 0)
			return error_set(err, ERROR_CONFIG, "port %u is taken", wanted);
	}
	return error_set(err, ERROR_TEMP, "no free port found");
}

static int
connect_nsd(struct lab_named *n, struct error *err)
{
	if (address_from_text(LAB_NSD_ADDRESS, n->port, &n->nsd_address) < 0)
		abort();
	n->nsd = udp_socket();
	if (n->nsd < 0 || connect(n->nsd, &n->nsd_address.u.sa, address_len(&n->nsd_address)) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s port %u", LAB_NSD_ADDRESS, n->port);
	n->nsd_event = read_event(n, n->nsd, on_nsd, n);
	return 0;
}

/* --- hosts.tsv -------------------------------------------------------------------------------- */

static int
read_hosts(struct lab_named *n, struct error *err)
{
	struct lab_hosts hosts;

	if (lab_hosts_load(n->dir, &hosts, err) < 0)
		return -1;
	for (size_t i = 0; i < hosts.count; i++) {
		const struct lab_host *h = &hosts.list[i];

		if (h->service != LAB_DNS)
			continue;
		(void)door_add(n, &h->address);
		zone_set(n, h->name, h->behaviour);
	}
	lab_hosts_clear(&hosts);
	return 0;
}

/* --- from the other thread -------------------------------------------------------------------- */

/* Something to be done by the loop's thread. */
struct call {
	struct lab_named *named;
	void (*run)(struct lab_named *n, void *arg);
	void *arg;
	bool done;
};

static void
on_call(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct call *c = arg;
	struct lab_named *n = c->named;

	c->run(n, c->arg);
	pthread_mutex_lock(&n->lock);
	c->done = true;
	pthread_cond_signal(&n->done);
	pthread_mutex_unlock(&n->lock);
}

/* Returns when it is done. */
static void
call(struct lab_named *n, void (*run)(struct lab_named *, void *), void *arg)
{
	struct call c = {.named = n, .run = run, .arg = arg};

	if (event_base_once(n->base, -1, EV_TIMEOUT, on_call, &c, NULL) < 0)
		abort();
	pthread_mutex_lock(&n->lock);
	while (!c.done)
		pthread_cond_wait(&n->done, &n->lock);
	pthread_mutex_unlock(&n->lock);
}

struct reload {
	int rc;
	struct error *err;
};

static void
run_reload(struct lab_named *n, void *arg)
{
	struct reload *reload = arg;

	reload->rc = read_hosts(n, reload->err) < 0 ? -1 : doors_open(n, reload->err);
	if (reload->rc == 0)
		reload->rc = error_set(reload->err, ERROR_CONFIG, "port %u is taken", n->port);
}

int
lab_named_reload(struct lab_named *n, struct error *err)
{
	struct reload reload = {.err = err};

	call(n, run_reload, &reload);
	return reload.rc < 0 ? -1 : 0;
}

static void
run_stats(struct lab_named *n, void *arg)
{
	FILE *out = arg;

	fputs("# dns\tzone\tquestions\tsins\n", out);
	for (size_t i = 0; i < n->zone_count; i++) {
		const struct zone *z = n->zones[i];

		fprintf(out, "dns\t%s\t%llu\t%llu\n", z->name, (unsigned long long)z->questions,
			(unsigned long long)z->sins);
	}
}

void
lab_named_stats(struct lab_named *n, FILE *out)
{
	call(n, run_stats, out);
}

static void
run_stats_reset(struct lab_named *n, void *arg UNUSED)
{
	for (size_t i = 0; i < n->zone_count; i++)
		n->zones[i]->questions = n->zones[i]->sins = 0;
}

void
lab_named_stats_reset(struct lab_named *n)
{
	call(n, run_stats_reset, NULL);
}

static void
run_end(struct lab_named *n, void *arg UNUSED)
{
	event_base_loopbreak(n->base);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void *
thread_main(void *arg)
{
	struct lab_named *n = arg;

	event_base_dispatch(n->base);
	return NULL;
}

int
lab_named_open(const char *dir, uint16_t port, struct lab_named **out, struct error *err)
{
	struct lab_named *n = xcalloc(1, sizeof(*n));
	struct address front;

	*out = NULL;
	n->dir = dir;
	n->nsd = -1;
	TAILQ_INIT(&n->late);
	TAILQ_INIT(&n->tcp);
	if (evthread_use_pthreads() < 0 || (n->base = event_base_new()) == NULL ||
		pthread_mutex_init(&n->lock, NULL) != 0 || pthread_cond_init(&n->done, NULL) != 0 ||
		address_from_text(LAB_FRONT_ADDRESS, 0, &front) < 0)
		abort();
	door_add(n, &front)->forwards = true;
	if (read_hosts(n, err) < 0 || find_port(n, port, err) < 0 || connect_nsd(n, err) < 0) {
		lab_named_close(n);
		return -1;
	}
	if (pthread_create(&n->thread, NULL, thread_main, n) != 0)
		abort();
	n->running = true;
	*out = n;
	return 0;
}

void
lab_named_close(struct lab_named *n)
{
	struct late *l;
	struct tcp *t;

	if (n == NULL)
		return;
	if (n->running) {
		call(n, run_end, NULL);
		pthread_join(n->thread, NULL);
	}
	while ((l = TAILQ_FIRST(&n->late)) != NULL)
		late_free(l);
	while ((t = TAILQ_FIRST(&n->tcp)) != NULL)
		tcp_free(t);
	for (size_t i = 0; i < n->door_count; i++) {
		door_close(n->doors[i]);
		free(n->doors[i]);
	}
	for (size_t i = 0; i < n->zone_count; i++) {
		zone_forget(n->zones[i]);
		free(n->zones[i]->name);
		free(n->zones[i]);
	}
	if (n->nsd_event != NULL)
		event_free(n->nsd_event);
	if (n->nsd >= 0)
		close(n->nsd);
	event_base_free(n->base);
	pthread_cond_destroy(&n->done);
	pthread_mutex_destroy(&n->lock);
	free(n->doors);
	free(n->zones);
	free(n);
}

uint16_t
lab_named_port(const struct lab_named *n)
{
	return n->port;
}

#include "tests/lab/lab_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_records.h"

enum {
	BACKLOG = 1024,
	/* Ports below the kernel's ephemeral range, so that no outgoing connection sits on them. */
	PORT_FIRST = 10000,
	PORT_COUNT = 20000,
	PORT_TRIES = 200,
	SNI_MAX = 256,
	LINGER_S = 5, /* for a client to read what we said last */
};

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer,
	int peer_len, void *arg);

/* --- endpoints and hosts ---------------------------------------------------------------------- */

struct endpoint_key {
	enum lab_service service;
	const struct address *address;
};

static int
endpoint_cmp(const void *key, const void *element)
{
	const struct endpoint_key *k = key;
	const struct lab_endpoint *e = *(struct lab_endpoint *const *)element;

	if (k->service != e->service)
		return k->service < e->service ? -1 : 1;
	return address_cmp(k->address, &e->address);
}

static int
endpoint_order(const void *a, const void *b)
{
	const struct lab_endpoint *x = *(struct lab_endpoint *const *)a;
	struct endpoint_key key = {x->service, &x->address};

	return endpoint_cmp(&key, b);
}

static struct lab_endpoint *
endpoint_find(struct lab_server *s, enum lab_service service, const struct address *address)
{
	struct endpoint_key key = {service, address};
	struct lab_endpoint **found;

	if (s->endpoint_count == 0)
		return NULL;
	found = bsearch(
		&key, s->endpoints, s->endpoint_count, sizeof(struct lab_endpoint *), endpoint_cmp);
	return found == NULL ? NULL : *found;
}

static int
host_cmp(const void *key, const void *element)
{
	return strcmp(key, (*(struct lab_served *const *)element)->name);
}

static struct lab_served *
host_find(const struct lab_endpoint *e, const char *name)
{
	struct lab_served **found;
	char star[SNI_MAX + 2];
	const char *dot = strchr(name, '.');

	if (e->host_count == 0)
		return NULL;
	found = bsearch(name, e->hosts, e->host_count, sizeof(struct lab_served *), host_cmp);
	if (found == NULL && dot != NULL) {
		snprintf(star, sizeof(star), "*%s", dot);
		found = bsearch(
			star, e->hosts, e->host_count, sizeof(struct lab_served *), host_cmp);
	}
	return found == NULL ? NULL : *found;
}

/* Both lists stay sorted; the file is nearly in that order, so little moves. */
static void
endpoint_insert(struct lab_server *s, struct lab_endpoint *e)
{
	size_t at = s->endpoint_count++;

	if (at == s->endpoint_size) {
		s->endpoint_size = at == 0 ? 256 : 2 * at;
		s->endpoints = xreallocarray(
			s->endpoints, s->endpoint_size, sizeof(struct lab_endpoint *));
	}
	for (; at > 0 && endpoint_order(&e, &s->endpoints[at - 1]) < 0; at--)
		s->endpoints[at] = s->endpoints[at - 1];
	s->endpoints[at] = e;
}

static void
host_insert(struct lab_endpoint *e, struct lab_served *h)
{
	size_t at = e->host_count++;

	if (at == e->host_size) {
		e->host_size = at == 0 ? 1 : 2 * at;
		e->hosts = xreallocarray(e->hosts, e->host_size, sizeof(struct lab_served *));
	}
	if (at == 0)
		e->first = h;
	for (; at > 0 && strcmp(h->name, e->hosts[at - 1]->name) < 0; at--)
		e->hosts[at] = e->hosts[at - 1];
	e->hosts[at] = h;
}

/* Merges hosts.tsv into what is there. */
static void
merge(struct lab_server *s, const struct lab_hosts *list)
{
	struct lab_endpoint *last = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct lab_host *line = &list->list[i];
		struct lab_endpoint *e = NULL;
		struct lab_served *h;
		struct error ignored = {0};

		if (line->service == LAB_DNS)
			continue;
		if (last != NULL && last->service == line->service &&
			address_cmp(&last->address, &line->address) == 0)
			e = last;
		else
			e = endpoint_find(s, line->service, &line->address);
		if (e == NULL) {
			e = xcalloc(1, sizeof(*e));
			e->server = s;
			e->service = line->service;
			e->address = line->address;
			endpoint_insert(s, e);
		}
		last = e;
		h = host_find(e, line->name);
		if (h == NULL || strcmp(h->name, line->name) != 0) {
			h = xcalloc(1, sizeof(*h));
			h->name = xstrdup(line->name);
			h->endpoint = e;
			host_insert(e, h);
		}
		/* lab_hosts_load() has parsed it before */
		if (lab_behaviour_parse(line->behaviour, &h->behaviour, &ignored) < 0)
			abort();
	}
}

/* --- listeners -------------------------------------------------------------------------------- */

/* 1 listening, 0 the port is taken there, -1 error. */
static int
listen_at(struct lab_endpoint *e, uint16_t port, struct error *err)
{
	struct lab_server *s = e->server;
	struct address at;
	char text[ADDRESS_TEXT_SIZE];

	address_format(&e->address, text);
	if (address_from_text(text, port, &at) < 0)
		abort();

	e->listener = evconnlistener_new_bind(s->base, on_accept, e,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
		&at.u.sa, (int)address_len(&at));
	if (e->listener != NULL)
		return 1;
	if (errno == EADDRINUSE)
		return 0;
	return error_set_errno(err, ERROR_CONFIG, "%s port %u", text, port);
}

static void
stop_listening(struct lab_endpoint *e)
{
	if (e->listener != NULL)
		evconnlistener_free(e->listener);
	e->listener = NULL;
}

/* An address is closed when all who live there refuse. */
static bool
is_closed(const struct lab_endpoint *e)
{
	for (size_t i = 0; i < e->host_count; i++) {
		if (e->hosts[i]->behaviour.conn != LAB_CONN_REFUSE)
			return false;
	}
	return true;
}

/* Opens what should be open at the port and closes the rest. 1 done, 0 the port is taken, -1 error.
 */
static int
listen_all(struct lab_server *s, enum lab_service service, uint16_t port, struct error *err)
{
	for (size_t i = 0; i < s->endpoint_count; i++) {
		struct lab_endpoint *e = s->endpoints[i];
		int rc;

		if (e->service != service)
			continue;
		if (is_closed(e)) {
			stop_listening(e);
			continue;
		}
		if (e->listener != NULL)
			continue;
		if ((rc = listen_at(e, port, err)) <= 0)
			return rc;
	}
	return 1;
}

static int
open_service(struct lab_server *s, enum lab_service service, uint16_t wanted, struct error *err)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		uint16_t port = wanted, random;
		int rc;

		if (wanted == 0) {
			if (RAND_bytes((uint8_t *)&random, sizeof(random)) <= 0)
				abort();
			port = (uint16_t)(PORT_FIRST + random % PORT_COUNT);
		}
		rc = listen_all(s, service, port, err);
		if (rc < 0)
			return -1;
		if (rc == 1) {
			s->ports[service] = port;
			return 0;
		}
		for (size_t j = 0; j < s->endpoint_count; j++) {
			if (s->endpoints[j]->service == service)
				stop_listening(s->endpoints[j]);
		}
		if (wanted != 0)
			return error_set(err, ERROR_CONFIG, "port %u is taken", wanted);
	}
	return error_set(err, ERROR_TEMP, "no free port found");
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* The first host_name of the server_name extension, or "". RFC 6066, section 3. */
static void
sni_of(SSL *ssl, char out[static SNI_MAX])
{
	const unsigned char *p;
	size_t len = 0, name_len;

	out[0] = '\0';
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len) || len < 5)
		return;
	name_len = (size_t)p[3] << 8 | p[4];
	if (p[2] != TLSEXT_NAMETYPE_host_name || name_len > len - 5 || name_len >= SNI_MAX)
		return;
	for (size_t i = 0; i < name_len; i++)
		out[i] = str_lower((char)p[5 + i]);
	out[name_len] = '\0';
}

static int
any_certificate(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static void
show_identity(SSL *ssl, struct lab_served *h, const char *sni)
{
	const struct lab_behaviour *b = &h->behaviour;
	const char *name = h->name;

	if (h->identity_cert != b->cert) {
		lab_identity_clear(&h->identity);
		/* a host that stands for all names below */
		if (name[0] == '*' && b->cert != LAB_CERT_WILDCARD && *sni != '\0')
			name = sni;
		lab_pki_identity(h->endpoint->server->pki, name, b->cert, &h->identity);
		h->identity_cert = b->cert;
	}
	if (SSL_use_cert_and_key(ssl, h->identity.leaf, h->identity.key, h->identity.chain, 1) != 1)
		abort();
}

static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct lab_served **host = SSL_get_app_data(ssl), *asked;
	struct lab_endpoint *e = (*host)->endpoint;
	const struct lab_behaviour *b;
	char sni[SNI_MAX];

	(void)arg;
	sni_of(ssl, sni);
	asked = *sni == '\0' ? NULL : host_find(e, sni);
	if (asked != NULL)
		*host = asked;
	b = &(*host)->behaviour;
	/* a policy host breaks off for names it does not serve (RFC 8461, 7.1); a mail server does
	 * not */
	if ((asked == NULL && (e->service == LAB_HTTPS || b->tls == LAB_TLS_SNI_REQUIRED)) ||
		b->tls == LAB_TLS_SNI_REJECTED) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (b->tls == LAB_TLS_ALERT || b->tls == LAB_TLS_ALERT_INTERNAL) {
		*alert = b->tls == LAB_TLS_ALERT ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!SSL_set_min_proto_version(ssl, b->tls_min) ||
		!SSL_set_max_proto_version(ssl, b->tls_max))
		abort();
	if (b->ciphers != NULL) {
		if (SSL_set_cipher_list(ssl, b->ciphers) != 1 || SSL_set_dh_auto(ssl, 2) != 1)
			abort();
	}
	if (b->client_cert != LAB_CLIENT_CERT_NO)
		SSL_set_verify(ssl,
			SSL_VERIFY_PEER |
				(b->client_cert == LAB_CLIENT_CERT_DEMAND
						? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
						: 0),
			any_certificate);
	show_identity(ssl, *host, sni);
	(*host)->handshakes++;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The client wants an OCSP staple. */
static int
on_status(SSL *ssl, void *arg)
{
	struct lab_served *h = *(struct lab_served **)SSL_get_app_data(ssl);
	unsigned char *der;
	size_t len = 0;

	(void)arg;
	if (h->behaviour.staple == LAB_STAPLE_NO)
		return SSL_TLSEXT_ERR_NOACK;
	der = lab_pki_staple(h->endpoint->server->pki, h->identity.leaf,
		h->behaviour.staple == LAB_STAPLE_REVOKED, &len);
	if (SSL_set_tlsext_status_ocsp_resp(ssl, der, (long)len) != 1) /* takes der over */
		abort();
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
tls_new(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	/* level 0: some hosts have weak keys or old protocols on purpose */
	if (tls == NULL || SSL_CTX_set_cipher_list(tls, "DEFAULT:@SECLEVEL=0") != 1 ||
		!SSL_CTX_set_min_proto_version(tls, TLS1_VERSION))
		abort();
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 1); /* of the usual two nobody here uses even one */
	SSL_CTX_set_client_hello_cb(tls, on_client_hello, NULL);
	SSL_CTX_set_tlsext_status_cb(tls, on_status);
	if (SSL_CTX_set_session_id_context(tls, (const unsigned char *)"lab", 3) != 1)
		abort();
	return tls;
}

SSL *
lab_server_tls(struct lab_endpoint *e, evutil_socket_t fd, struct lab_served **host)
{
	SSL *ssl = SSL_new(e->server->tls);

	if (ssl == NULL)
		abort();
	*host = e->first;
	if (e->first->behaviour.tls_single)
		lab_records_single(ssl, fd);
	SSL_set_app_data(ssl, host);
	return ssl;
}

/* --- connections ------------------------------------------------------------------------------ */

/* Says nothing, reads nothing, until the client has had enough. */
struct mute {
	struct lab_endpoint *endpoint;
	struct bufferevent *bev;
};

static void
mute_event(struct bufferevent *bev, short what, void *arg)
{
	struct mute *m = arg;

	(void)bev;
	(void)what;
	bufferevent_free(m->bev);
	lab_session_ended(m->endpoint);
	free(m);
}

static void
mute_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

/* limit_s 0: no limit. */
static void
mute_start(struct lab_endpoint *e, evutil_socket_t fd, time_t limit_s)
{
	struct timeval limit = {.tv_sec = limit_s};
	struct mute *m = xcalloc(1, sizeof(*m));

	m->endpoint = e;
	m->bev = bufferevent_socket_new(e->server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (m->bev == NULL)
		abort();
	bufferevent_setcb(m->bev, mute_read, NULL, mute_event, m);
	if (limit_s > 0)
		bufferevent_set_timeouts(m->bev, &limit, NULL);
	bufferevent_enable(m->bev, EV_READ);
}

void
lab_session_linger(struct lab_endpoint *e, struct bufferevent *bev)
{
	int fd = fcntl(bufferevent_getfd(bev), F_DUPFD_CLOEXEC, 0);

	bufferevent_free(bev);
	if (fd < 0) {
		lab_session_ended(e);
		return;
	}
	shutdown(fd, SHUT_WR);
	mute_start(e, fd, LINGER_S);
}

/* Whether the descriptor is a connection to the endpoint that the client has not hung up yet. One that
 * we have closed may belong to somebody else by now. */
static bool
is_live(const struct lab_endpoint *e, int fd)
{
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own), info_len;
	struct tcp_info info;
	struct address address;
	in_port_t *port;

	memset(&info, 0, sizeof(info));
	info_len = sizeof(info);
	if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0 ||
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) < 0 ||
		address_from_sockaddr((struct sockaddr *)&own, &address) < 0)
		return false;
	port = address_is_ipv6(&address) ? &address.u.in6.sin6_port : &address.u.in.sin_port;
	if (ntohs(*port) != e->server->ports[e->service])
		return false;
	*port = 0;
	return address_cmp(&address, &e->address) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

static void
remember_fd(struct lab_endpoint *e, int fd)
{
	for (size_t i = 0; i < e->fd_count; i++)
		if (e->fds[i] == fd)
			return;
	if (e->fd_count == e->fd_size) {
		e->fd_size = e->fd_size == 0 ? 4 : 2 * e->fd_size;
		e->fds = xreallocarray(e->fds, e->fd_size, sizeof(*e->fds));
	}
	e->fds[e->fd_count++] = fd;
}

/* A client that hangs up before it connects again never has two connections; but both are told to
 * us in whatever order, and when we are busy the one long before the other. So the kernel is asked. */
static void
on_peak(evutil_socket_t fd, short what, void *arg)
{
	struct lab_endpoint *e = arg;

	(void)fd;
	(void)what;
	unsigned int live = 0;

	e->peak_due = false;
	for (size_t i = 0; i < e->fd_count;) {
		if (is_live(e, e->fds[i])) {
			live++;
			i++;
		} else {
			e->fds[i] = e->fds[--e->fd_count];
		}
	}
	if (live > e->open_max)
		e->open_max = live;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int peer_len,
	void *arg)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct lab_endpoint *e = arg;
	int on = 1;

	(void)l;
	(void)peer;
	(void)peer_len;
	/* many small replies: Nagle's algorithm would let each wait for the client's delayed ACK */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	e->connections++;
	e->open++;
	remember_fd(e, fd);
	if (e->open > e->open_max && !e->peak_due) {
		e->peak_due = true;
		if (event_base_once(e->server->base, -1, EV_TIMEOUT, on_peak, e, NULL) < 0)
			abort();
	}
	switch (e->first->behaviour.conn) {
	case LAB_CONN_REFUSE: /* the first refuses, others at this address do not */
	case LAB_CONN_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		lab_session_ended(e);
		return;
	case LAB_CONN_CLOSE:
		close(fd);
		lab_session_ended(e);
		return;
	case LAB_CONN_SILENT:
		mute_start(e, fd, 0);
		return;
	case LAB_CONN_SERVE:
		break;
	}
	if (e->service == LAB_SMTP)
		lab_smtpd_start(e, fd);
	else
		lab_httpsd_start(e, fd);
}

void
lab_session_ended(struct lab_endpoint *e)
{
	e->open--;
}

/* --- the whole -------------------------------------------------------------------------------- */

int
lab_server_reload(struct lab_server *s, struct error *err)
{
	struct lab_hosts list;
	int rc = -1;

	if (lab_hosts_load(s->dir, &list, err) < 0)
		return -1;
	merge(s, &list);
	if (open_service(s, LAB_SMTP, s->ports[LAB_SMTP], err) == 0 &&
		open_service(s, LAB_HTTPS, s->ports[LAB_HTTPS], err) == 0)
		rc = 0;
	lab_hosts_clear(&list);
	return rc;
}

int
lab_server_open(struct lab_server *s, const char *dir, struct event_base *base,
	const uint16_t ports[static 2], struct error *err)
{
	memset(s, 0, sizeof(*s));
	s->dir = dir;
	s->base = base;
	s->ports[LAB_SMTP] = ports[LAB_SMTP];
	s->ports[LAB_HTTPS] = ports[LAB_HTTPS];
	s->tls = tls_new();
	if (lab_pki_open(dir, &s->pki, err) < 0)
		return -1;
	return lab_server_reload(s, err);
}

void
lab_server_close(struct lab_server *s)
{
	for (size_t i = 0; i < s->endpoint_count; i++) {
		struct lab_endpoint *e = s->endpoints[i];

		for (size_t j = 0; j < e->host_count; j++) {
			lab_identity_clear(&e->hosts[j]->identity);
			free(e->hosts[j]->name);
			free(e->hosts[j]);
		}
		stop_listening(e);
		free(e->hosts);
		free(e->fds);
		free(e);
	}
	free(s->endpoints);
	lab_pki_free(s->pki);
	SSL_CTX_free(s->tls);
}

void
lab_server_stats(const struct lab_server *s, FILE *out)
{
	char address[ADDRESS_TEXT_SIZE];

	fputs("# address\tservice\taddress\tconnections\topen\topen_max\n"
	      "# host\tservice\tname\taddress\thandshakes\trequests\tmails\n",
		out);
	for (size_t i = 0; i < s->endpoint_count; i++) {
		const struct lab_endpoint *e = s->endpoints[i];

		address_format(&e->address, address);
		fprintf(out, "address\t%s\t%s\t%llu\t%u\t%u\n", lab_service_name(e->service),
			address, (unsigned long long)e->connections, e->open, e->open_max);
		for (size_t j = 0; j < e->host_count; j++) {
			const struct lab_served *h = e->hosts[j];

			fprintf(out, "host\t%s\t%s\t%s\t%llu\t%llu\t%llu\n",
				lab_service_name(e->service), h->name, address,
				(unsigned long long)h->handshakes, (unsigned long long)h->requests,
				(unsigned long long)h->mails);
		}
	}
}

void
lab_server_stats_reset(struct lab_server *s)
{
	for (size_t i = 0; i < s->endpoint_count; i++) {
		struct lab_endpoint *e = s->endpoints[i];

		e->connections = 0;
		e->open_max = e->open;
		for (size_t j = 0; j < e->host_count; j++)
			e->hosts[j]->handshakes = e->hosts[j]->requests = e->hosts[j]->mails = 0;
	}
}

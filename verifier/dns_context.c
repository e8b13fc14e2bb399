#include "verifier/dns_context.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <unbound.h>
/* Behind unbound.h, which it needs. */
#include <unbound-event.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/str.h"
#include "verifier/dns.h"

/* UDP sockets of a context: one for each packet that is not answered yet. What finds none waits
 * inside unbound. */
#define SOCKETS_MIN 100
#define SOCKETS_MAX 1000
/* A context that is only there for the retries of R2.8 has fewer, by this factor. */
#define SMALL_FACTOR 5
#define TCP_MIN      10
#define TCP_MAX      50
#define QUERIES_MIN  1000
#define QUERIES_MAX  20000

static const char *const usual_anchors[] = {
	"/usr/share/dns/root.key",
	"/var/lib/unbound/root.key",
	"/etc/unbound/root.key",
	"/usr/local/etc/unbound/root.key",
};

static int
set_option(struct ub_ctx *ctx, const char *name, const char *value, struct error *err)
{
	int rc = ub_ctx_set_option(ctx, name, value);

	if (rc != 0)
		return error_set(err, ERROR_CONFIG, "dns: %s %s: %s", name, value, ub_strerror(rc));
	return 0;
}

static unsigned int
between(unsigned int least, unsigned int n, unsigned int most)
{
	return n < least ? least : n > most ? most : n;
}

/* Sockets for UDP; *tcp: for TCP. */
static unsigned int
sockets_of(const struct dns_options *o, enum dns_way way, unsigned int *tcp)
{
	unsigned int sockets = between(SOCKETS_MIN, o->concurrency * 2, SOCKETS_MAX);

	if (way != DNS_WAY_USUAL)
		sockets /= SMALL_FACTOR;
	*tcp = between(TCP_MIN, sockets / 2, TCP_MAX);
	return sockets;
}

size_t
dns_context_descriptors(const struct dns_options *options)
{
	size_t count = 0;

	for (int i = 0; i < DNS_WAYS; i++) {
		unsigned int tcp;

		count += sockets_of(options, (enum dns_way)i, &tcp);
		count += tcp;
	}
	return count;
}

static int
set_number(struct ub_ctx *ctx, const char *name, unsigned int n, struct error *err)
{
	char number[32];

	(void)snprintf(number, sizeof(number), "%u", n);
	return set_option(ctx, name, number, err);
}

static int
set_options(struct ub_ctx *ctx, const struct dns_options *o, enum dns_way way, struct error *err)
{
	char number[32], date[32];
	unsigned int queries = between(QUERIES_MIN, o->concurrency * 10, QUERIES_MAX);
	unsigned int tcp, sockets = sockets_of(o, way, &tcp);
	static const char *const fixed[][2] = {
		{"do-not-query-localhost:", "no"}, /* a forwarder on loopback is the lab's */
		{"val-bogus-ttl:", "60"},          /* R2.10 */
		{"infra-host-ttl:", "60"},         /* likewise: a server that is down */
		{"cache-max-ttl:", "3600"},        /* entries are looked at anew every 6 hours */
		{"cache-max-negative-ttl:", "900"},
	};
	/* Of all resolvers of the program together. The small ones see only what the usual way has
	 * failed for. */
	static const struct {
		const char *name;
		unsigned int kib, small_kib;
	} caches[] = {
		{"msg-cache-size:", 8 * 1024, 1024},
		{"rrset-cache-size:", 16 * 1024, 2048},
		{"key-cache-size:", 4 * 1024, 1024},
		{"neg-cache-size:", 2 * 1024, 512},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (set_option(ctx, fixed[i][0], fixed[i][1], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
		unsigned int kib = way == DNS_WAY_USUAL ? caches[i].kib : caches[i].small_kib;

		(void)snprintf(number, sizeof(number), "%uk",
			kib / (o->resolvers == 0 ? 1 : o->resolvers));
		if (set_option(ctx, caches[i].name, number, err) < 0)
			return -1;
	}
	if (set_option(ctx, "qname-minimisation:", way == DNS_WAY_WHOLE_NAMES ? "no" : "yes", err) <
			0 ||
		set_option(ctx, "tcp-upstream:", way == DNS_WAY_TCP ? "yes" : "no", err) < 0)
		return -1;
	if (way != DNS_WAY_USUAL) {
		queries = QUERIES_MIN;
	}
	if (set_number(ctx, "outgoing-range:", sockets, err) < 0 ||
		set_number(ctx, "outgoing-num-tcp:", tcp, err) < 0 ||
		set_number(ctx, "num-queries-per-thread:", queries, err) < 0)
		return -1;
	if (o->clock.fixed) {
		char text[CLOCK_TEXT_SIZE];
		size_t n = 0;

		clock_format(clock_now(&o->clock), text);
		for (const char *p = text; *p != '\0'; p++) {
			if (str_is_digit(*p))
				date[n++] = *p;
		}
		date[n] = '\0';
		if (set_option(ctx, "val-override-date:", date, err) < 0)
			return -1;
	}
	return 0;
}

static int
set_files(struct ub_ctx *ctx, const struct dns_options *o, struct error *err)
{
	const char *anchor = o->trust_anchor;
	int rc;

	for (size_t i = 0; anchor == NULL && i < ARRAY_LEN(usual_anchors); i++) {
		if (access(usual_anchors[i], R_OK) == 0)
			anchor = usual_anchors[i];
	}
	if (anchor == NULL) {
		return error_set(err, ERROR_CONFIG,
			"no DNSSEC trust anchor found; install dns-root-data or set trust_anchor");
	}
	if (access(anchor, R_OK) < 0)
		return error_set_errno(err, ERROR_CONFIG, "trust anchor %s", anchor);
	if ((rc = ub_ctx_add_ta_file(ctx, anchor)) != 0)
		return error_set(err, ERROR_CONFIG, "trust anchor %s: %s", anchor, ub_strerror(rc));
	if (o->root_hints != NULL) {
		if (access(o->root_hints, R_OK) < 0)
			return error_set_errno(err, ERROR_CONFIG, "root hints %s", o->root_hints);
		if (set_option(ctx, "root-hints:", o->root_hints, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->forward_count; i++) {
		if ((rc = ub_ctx_set_fwd(ctx, o->forward[i])) != 0) {
			return error_set(err, ERROR_CONFIG, "forward \"%s\": %s; want ADDRESS@PORT",
				o->forward[i], ub_strerror(rc));
		}
	}
	/* The first thing asked of a context reads its files and reports what is wrong in them. By
	 * default unbound answers for test. and invalid. itself; here DNS is asked (the lab lives
	 * under test). */
	if ((rc = ub_ctx_zone_remove(ctx, "test.")) != 0 ||
		(rc = ub_ctx_zone_remove(ctx, "invalid.")) != 0) {
		return error_set(err, ERROR_CONFIG,
			"cannot start the resolver (trust anchor %s%s%s): %s", anchor,
			o->root_hints == NULL ? "" : ", root hints ",
			o->root_hints == NULL ? "" : o->root_hints, ub_strerror(rc));
	}
	return 0;
}

int
dns_context_new(const struct dns_options *options, enum dns_way way, struct event_base *base,
	struct ub_ctx **out, struct error *err)
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);

	*out = NULL;
	if (ctx == NULL)
		return error_set(err, ERROR_TEMP, "cannot make a DNS resolver context");
	if (set_options(ctx, options, way, err) < 0 || set_files(ctx, options, err) < 0) {
		ub_ctx_delete(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

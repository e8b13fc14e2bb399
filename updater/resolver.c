#include "updater/resolver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 4096
#define WAIT_S     3
#define TRIES      2

/* glibc keeps IPv6 servers apart, in the same places. */
static bool
server_is_local(const struct __res_state *r, int i, char *text, socklen_t size)
{
	const struct sockaddr_in *v4 = &r->nsaddr_list[i];
	const struct sockaddr_in6 *v6 = r->_u._ext.nsaddrs[i];

	if (v4->sin_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, text, size);
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	if (v6 == NULL) {
		(void)snprintf(text, size, "?");
		return false;
	}
	(void)inet_ntop(AF_INET6, &v6->sin6_addr, text, size);
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* The one that mail programs use, but with less patience. Whoever asks sets RES_TRUSTAD: without it glibc asks for no
 * AD bit, and hides the one it gets; what there is in resolv.conf is not ours to change here. */
static int
open_resolver(struct __res_state *r)
{
	memset(r, 0, sizeof(*r));
	if (res_ninit(r) < 0)
		return -1;
	r->retrans = WAIT_S;
	r->retry = TRIES;
	return 0;
}

/* Not res_nquery(): to it an answer without records is a failure as any other. */
static int
send_query(struct __res_state *r, const char *name, int type, unsigned char *answer, size_t size)
{
	unsigned char query[NS_PACKETSZ];
	int len = res_nmkquery(
		r, ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, (int)sizeof(query));

	if (len > 0)
		len = res_nsend(r, query, len, answer, (int)size);
	return len < (int)size ? len : (int)size;
}

int
resolver_query(const char *name, int type, unsigned char *answer, size_t size)
{
	struct __res_state r;
	int len;

	if (open_resolver(&r) < 0)
		return -1;
	r.options |= RES_TRUSTAD;
	len = send_query(&r, name, type, answer, size);
	res_nclose(&r);
	return len;
}

static enum resolver_answer
ask(struct __res_state *r)
{
	unsigned char answer[ANSWER_MAX];
	const HEADER *header = (const void *)answer;
	int len = send_query(r, ".", ns_t_soa, answer, sizeof(answer));

	if (len < (int)sizeof(*header) || header->rcode == ns_r_servfail)
		return RESOLVER_UNKNOWN;
	return header->rcode == ns_r_noerror && ntohs(header->ancount) > 0 && header->ad
		? RESOLVER_VALIDATES
		: RESOLVER_DOES_NOT;
}

static const char *
in_words(enum resolver_answer answer, bool asked)
{
	switch (answer) {
	case RESOLVER_VALIDATES:
		return "the resolver validates";
	case RESOLVER_DOES_NOT:
		return "the resolver does not validate (no AD bit for the root zone)";
	case RESOLVER_UNKNOWN:
		break;
	}
	return asked ? "the resolver does not answer" : "nobody knows of late whether the resolver validates";
}

enum resolver_answer
resolver_check(const struct resolver_said *said, char *why, size_t size)
{
	enum resolver_answer answer;
	struct __res_state r;
	char address[INET6_ADDRSTRLEN];

	if (open_resolver(&r) < 0) {
		(void)snprintf(why, size, "/etc/resolv.conf cannot be read");
		return RESOLVER_UNKNOWN;
	}
	r.options |= RES_TRUSTAD;
	answer = RESOLVER_VALIDATES;
	for (int i = 0; i < r.nscount && answer == RESOLVER_VALIDATES; i++) {
		if (!server_is_local(&r, i, address, sizeof(address))) {
			(void)snprintf(why, size,
				"the resolver %s is not on this machine (dane = yes, if the path "
				"to it "
				"is safe)",
				address);
			answer = RESOLVER_DOES_NOT;
		}
	}
	/* Which servers there are is seen from here, whoever asked them. */
	if (answer == RESOLVER_VALIDATES) {
		answer = said != NULL ? said->answer : ask(&r);
		(void)snprintf(why, size, "%s", in_words(answer, said == NULL));
	}
	res_nclose(&r);
	return answer;
}

bool
resolver_trust_ad(void)
{
	struct __res_state r;
	bool trusts;

	if (open_resolver(&r) < 0)
		return false;
	trusts = (r.options & RES_TRUSTAD) != 0;
	res_nclose(&r);
	return trusts;
}

void
resolver_tell(bool by_glibc, FILE *out)
{
	char why[200];

	if (resolver_check(NULL, why, sizeof(why)) != RESOLVER_VALIDATES)
		fprintf(out,
			"! %s: domains that have DANE only are left out until a validating resolver "
			"runs on this machine.\n",
			why);
	else if (by_glibc && !resolver_trust_ad())
		fprintf(out,
			"! /etc/resolv.conf lacks \"options trust-ad\": domains that have DANE only "
			"are left out until it is there.\n");
}

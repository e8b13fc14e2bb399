#include "updater/mx_lookup.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/resolver.h"

#define ANSWER_MAX 65536

struct mx {
	unsigned preference;
	char host[254];
};

static int
compare(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	return x->preference != y->preference ? (x->preference < y->preference ? -1 : 1)
					      : strcmp(x->host, y->host);
}

/* Takes one MX record; what is no host name does not count. */
static bool
take_mx(const ns_msg *msg, const ns_rr *rr, struct mx *out)
{
	char name[NS_MAXDNAME];
	size_t len;

	if (ns_rr_type(*rr) != ns_t_mx || ns_rr_rdlen(*rr) < 3 ||
		ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(*rr) + 2, name,
			sizeof(name)) < 0)
		return false;
	out->preference = ns_get16(ns_rr_rdata(*rr));
	str_lower_all(name);
	len = strlen(name);
	if (len >= sizeof(out->host) || !list_domain_valid(name, len))
		return false;
	memcpy(out->host, name, len + 1);
	return true;
}

int
mx_lookup_parse(const unsigned char *answer, size_t len, const char *domain, struct mx_list *out)
{
	struct mx found[64];
	size_t count = 0, records = 0;
	ns_msg msg;
	ns_rr rr;

	memset(out, 0, sizeof(*out));
	if (ns_initparse(answer, (int)len, &msg) < 0 || ns_msg_getflag(msg, ns_f_rcode) != ns_r_noerror)
		return -1;
	out->secure = ns_msg_getflag(msg, ns_f_ad) != 0;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			return -1;
		records += ns_rr_type(rr) == ns_t_mx;
		if (count < sizeof(found) / sizeof(found[0]) && take_mx(&msg, &rr, &found[count]))
			count++;
	}
	if (records == 0) {
		(void)snprintf(out->hosts[out->count++], sizeof(out->hosts[0]), "%s", domain);
		return 0;
	}
	if (count > 0)
		qsort(found, count, sizeof(found[0]), compare);
	for (size_t i = 0; i < count && i < MX_LOOKUP_MAX; i++)
		memcpy(out->hosts[out->count++], found[i].host, sizeof(found[i].host));
	return out->count > 0 ? 0 : -1;
}

int
mx_lookup(const char *domain, struct mx_list *out)
{
	unsigned char *answer = xcalloc(1, ANSWER_MAX);
	int len = resolver_query(domain, ns_t_mx, answer, ANSWER_MAX), rc = -1;

	memset(out, 0, sizeof(*out));
	if (len > 0)
		rc = mx_lookup_parse(answer, (size_t)len, domain, out);
	free(answer);
	return rc;
}

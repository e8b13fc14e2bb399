#include "updater/dane_lookup.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "updater/resolver.h"

#define ANSWER_MAX 65536
#define TYPE_TLSA  52 /* RFC 6698 */

/* Takes one TLSA record; what is none, or too long, does not count. */
static bool
take_record(const ns_rr *rr, struct dane_record *out)
{
	const unsigned char *rdata = ns_rr_rdata(*rr);
	size_t len = ns_rr_rdlen(*rr);

	if (ns_rr_type(*rr) != TYPE_TLSA || len < 4 || len - 3 > sizeof(out->data))
		return false;
	out->usage = rdata[0];
	out->selector = rdata[1];
	out->matching = rdata[2];
	out->len = len - 3;
	memcpy(out->data, rdata + 3, out->len);
	return true;
}

int
dane_lookup_parse(const unsigned char *answer, size_t len, struct dane_list *out)
{
	ns_msg msg;
	ns_rr rr;
	int rcode;

	out->count = 0;
	out->secure = false;
	if (ns_initparse(answer, (int)len, &msg) < 0)
		return -1;
	rcode = ns_msg_getflag(msg, ns_f_rcode);
	if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
		return -1;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			return -1;
		if (out->count < DANE_RECORDS_MAX && take_record(&rr, &out->records[out->count]))
			out->count++;
	}
	out->secure = ns_msg_getflag(msg, ns_f_ad) != 0;
	return 0;
}

int
dane_lookup(const char *host, struct dane_list *out)
{
	unsigned char *answer = xcalloc(1, ANSWER_MAX);
	char name[9 + 254];
	int len, rc = -1;

	(void)snprintf(name, sizeof(name), "_25._tcp.%s", host);
	len = resolver_query(name, TYPE_TLSA, answer, ANSWER_MAX);
	out->count = 0;
	out->secure = false;
	if (len > 0)
		rc = dane_lookup_parse(answer, (size_t)len, out);
	free(answer);
	return rc;
}

#include "tests/lab/lab_dns_script.h"

#include <stdbool.h>
#include <string.h>

#include <arpa/nameser.h>

#include "common/error.h"
#include "common/str.h"

/* The number of TLSA (RFC 6698, 7.1) is younger than glibc's list. */
#define TYPE_TLSA 52

static bool
is_tlsa(const char *name UNUSED, int type)
{
	return type == TYPE_TLSA;
}

static bool
is_below_tcp(const char *name, int type UNUSED)
{
	return str_starts(name, "_tcp.") || strstr(name, "._tcp.") != NULL;
}

static bool
is_mta_sts(const char *name, int type UNUSED)
{
	return str_starts(name, "_mta-sts.");
}

static bool
is_tlsrpt(const char *name, int type UNUSED)
{
	return str_starts(name, "_smtp._tls.");
}

static bool
is_optin(const char *name, int type UNUSED)
{
	return str_starts(name, "_preload25.");
}

static bool
is_mx(const char *name UNUSED, int type)
{
	return type == ns_t_mx;
}

/* Not those of the name server itself, or nobody would get to it. */
static bool
is_address(const char *name, int type)
{
	return (type == ns_t_a || type == ns_t_aaaa) && !str_starts(name, "ns.");
}

static bool
is_ipv6_address(const char *name, int type)
{
	return type == ns_t_aaaa && is_address(name, type);
}

static bool
is_policy_host(const char *name, int type)
{
	return str_starts(name, "mta-sts.") && is_address(name, type);
}

static bool
is_any(const char *name UNUSED, int type UNUSED)
{
	return true;
}

static const struct {
	const char *word;
	const char *help;
	bool (*hits)(const char *name, int type);
} targets[] = {
	{"tlsa", "TLSA records, at whatever name", is_tlsa},
	{"tcp", "names below _tcp, of whatever type", is_below_tcp},
	{"mta-sts", "names _mta-sts", is_mta_sts},
	{"tlsrpt", "names _smtp._tls", is_tlsrpt},
	{"optin", "names _preload25", is_optin},
	{"mx", "MX records", is_mx},
	{"address", "A and AAAA records", is_address},
	{"aaaa", "AAAA records", is_ipv6_address},
	{"policy-host", "addresses of mta-sts", is_policy_host},
	{"all", "everything", is_any},
};

static const struct {
	const char *word;
	const char *help;
	enum lab_dns_sin sin;
} sins[] = {
	{"drop", "no answer (slow for the client)", LAB_DNS_DROP},
	{"refused", "REFUSED", LAB_DNS_REFUSED},
	{"notimp", "NOTIMP", LAB_DNS_NOTIMP},
	{"servfail", "SERVFAIL", LAB_DNS_SERVFAIL},
	{"formerr", "FORMERR", LAB_DNS_FORMERR},
	{"truncate", "cut short by UDP, TCP closed without an answer", LAB_DNS_TRUNCATE},
	{"other", "an answer to another question", LAB_DNS_OTHER},
	{"slow", "the answer after 100 seconds (slow for the client)", LAB_DNS_SLOW},
	{"deny", "NXDOMAIN without SOA and proof", LAB_DNS_DENY},
	{"rebind", "A: the first answer as it is, then " LAB_DNS_REBOUND, LAB_DNS_REBIND},
};

static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int
parse_rule(const char *text, size_t len, struct lab_dns_script *out)
{
	const char *colon = memchr(text, ':', len);
	size_t n = colon == NULL ? len : (size_t)(colon - text);

	if (colon == NULL || out->count == LAB_DNS_RULES_MAX)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sins); k++) {
			if (is_word(text, n, targets[i].word) &&
				is_word(colon + 1, len - n - 1, sins[k].word)) {
				out->rules[out->count].target = i;
				out->rules[out->count++].sin = sins[k].sin;
				return 0;
			}
		}
	}
	return -1;
}

int
lab_dns_script_parse(const char *words, struct lab_dns_script *out, struct error *err)
{
	const char *p = words;

	memset(out, 0, sizeof(*out));
	if (strcmp(words, "ok") == 0)
		return 0;
	for (;;) {
		size_t len = strcspn(p, ",");

		if (parse_rule(p, len, out) < 0)
			return error_set(
				err, ERROR_INPUT, "no DNS behaviour \"%.*s\"", (int)len, p);
		if (p[len] == '\0')
			return 0;
		p += len + 1;
	}
}

enum lab_dns_sin
lab_dns_script_match(const struct lab_dns_script *s, const char *name, int type)
{
	for (size_t i = 0; i < s->count; i++) {
		if (targets[s->rules[i].target].hits(name, type))
			return s->rules[i].sin;
	}
	return LAB_DNS_SERVE;
}

void
lab_dns_script_list(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		fprintf(out, "%s:\t%s\n", targets[i].word, targets[i].help);
	for (size_t i = 0; i < ARRAY_LEN(sins); i++)
		fprintf(out, ":%s\t%s\n", sins[i].word, sins[i].help);
}

#include "verifier/dns_id.h"

#include <string.h>

#include <openssl/x509v3.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

/* Names that are shown of a certificate; some have a hundred. */
#define NAMES_SHOWN 6

bool
dns_id_matches(const char *id, size_t id_len, const char *host)
{
	size_t host_len = strlen(host);
	const char *dot;

	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (host_len == 0 || domain_name_reads_as_ip(host, host_len))
		return false;
	if (id_len <= 2 || id[0] != '*' || id[1] != '.')
		return domain_name_is_ldh(id, id_len) && str_ieq(id, id_len, host, host_len);
	if (!domain_name_is_ldh(id + 2, id_len - 2))
		return false;
	dot = memchr(host, '.', host_len);
	return dot != NULL && dot > host &&
		str_ieq(id + 1, id_len - 1, dot, host_len - (size_t)(dot - host));
}

/* The octets of the i-th name if it is a dNSName. */
static bool
dns_name(const GENERAL_NAMES *names, int i, const char **octets, size_t *len)
{
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

	if (name->type != GEN_DNS || ASN1_STRING_length(name->d.dNSName) < 0)
		return false;
	*octets = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
	*len = (size_t)ASN1_STRING_length(name->d.dNSName);
	return true;
}

bool
dns_id_certificate_matches(const X509 *certificate, const char *host)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const char *octets;
		size_t len;

		found = dns_name(names, i, &octets, &len) && dns_id_matches(octets, len, host);
	}
	GENERAL_NAMES_free(names);
	return found;
}

const char *
dns_id_certificate_names(const X509 *certificate, struct arena *arena)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const char *shown = "";
	size_t count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const char *octets;
		size_t len;

		if (!dns_name(names, i, &octets, &len))
			continue;
		if (count++ < NAMES_SHOWN)
			shown = arena_printf(arena, "%s%s%s", shown, count > 1 ? ", " : "",
				finding_quote(arena, octets, len));
	}
	GENERAL_NAMES_free(names);
	if (count == 0)
		return "no DNS name";
	if (count > NAMES_SHOWN)
		return arena_printf(arena, "%s and %zu more", shown, count - NAMES_SHOWN);
	return shown;
}

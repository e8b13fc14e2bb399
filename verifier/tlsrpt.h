/*
 * tlsrpt: the record that says where reports about TLS failures go (RFC 8460; rule book section
 * 16).
 *
 * Pure. No finding here ever fails a domain: all are warnings. Results live in the arena of the
 * finding list.
 */
#ifndef VERIFIER_TLSRPT_H
#define VERIFIER_TLSRPT_H

#include <stddef.h>

#include "verifier/finding.h"
#include "verifier/txt_record.h"

struct tlsrpt_record {
	enum txt_outcome outcome;
	const char *code; /* why it is not TXT_VALID; NULL when it is */
	const char **rua; /* all URIs */
	size_t rua_count;
	const char **usable; /* those a report can be sent to: mailto: and https: */
	size_t usable_count;
	const char *mailto; /* the first usable mailto: URI (R16.9), or NULL */
	struct txt_extension *extensions;
	size_t extension_count;
};

/* One TXT record of the name owner ("_smtp._tls.example.org"). */
void tlsrpt_record_parse(const char *text, size_t len, const char *owner,
	struct finding_list *findings, struct tlsrpt_record *out);
/* All TXT records of the name; count may be 0. */
void tlsrpt_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct tlsrpt_record *out);

/* RFC 3986: an absolute URI with nothing outside its grammar. "," "!" and ";" are refused too, as
 * RFC 8460 section 3 wants them percent-encoded here. */
bool tlsrpt_uri_is_valid(const char *uri, size_t len);
/* "mailto:" and exactly one address, without header fields. Valid URIs only. */
bool tlsrpt_uri_is_mailto(const char *uri, size_t len);

#endif

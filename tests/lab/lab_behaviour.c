#include "tests/lab/lab_behaviour.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/tls1.h>

#include "common/error.h"
#include "common/xalloc.h"

#define EHLO_PLAIN "250-%s\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 HELP\r\n"

/* Where a redirect to the same URL points to. */
#define LOOP "Location: /.well-known/mta-sts.txt\r\nContent-Type: text/plain\r\n"

static const struct lab_behaviour faultless = {
	.conn = LAB_CONN_SERVE,
	.greeting = "220 %s ESMTP\r\n",
	.ehlo = "250-%s\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-STARTTLS\r\n250-8BITMIME\r\n"
		"250 HELP\r\n",
	.starttls = "220 2.0.0 Ready to start TLS\r\n",
	.ehlo_tls = EHLO_PLAIN,
	.noop_reply = "250 2.0.0 Ok\r\n",
	.tls = LAB_TLS_SERVE,
	.tls_min = TLS1_2_VERSION,
	.tls_max = TLS1_3_VERSION,
	.cert = LAB_CERT_OK,
	.client_cert = LAB_CLIENT_CERT_NO,
	.status = 200,
	.headers = "Content-Type: text/plain; charset=utf-8\r\n",
	.body = LAB_BODY_POLICY,
};

/* Fields that are set replace those of the faultless server. */
static const struct row {
	const char *word;
	const char *help;
	struct lab_behaviour change;
} rows[] = {
	{"ok", "no fault", {.conn = LAB_CONN_SERVE}},

	/* the connection, SMTP and HTTPS alike */
	{"refused", "nothing listens: connection refused", {.conn = LAB_CONN_REFUSE}},
	{"reset", "RST after accept", {.conn = LAB_CONN_RESET}},
	{"drop-after-connect", "closed after accept, before a word", {.conn = LAB_CONN_CLOSE}},
	{"silent", "accepts and says nothing (slow for the client)", {.conn = LAB_CONN_SILENT}},

	/* greeting and EHLO */
	{"greeting-554", "554 instead of 220", {.greeting = "554 5.7.1 %s does not want you\r\n"}},
	{"greeting-421", "421 instead of 220", {.greeting = "421 4.3.2 %s too busy\r\n"}},
	{"greeting-multiline", "several lines of 220",
		{.greeting = "220-%s ESMTP\r\n220-No bulk mail\r\n220 please\r\n"}},
	{"greeting-250", "250 instead of 220", {.greeting = "250 %s hello\r\n"}},
	{"greeting-code-mismatch", "lines of one reply with different codes",
		{.greeting = "220-%s ESMTP\r\n250 ready\r\n"}},
	{"early-talker", "answers EHLO before it is asked",
		{.greeting = "220 %s ESMTP\r\n250-mx\r\n250 STARTTLS\r\n"}},
	{"greeting-endless", "lines of 220 without end", {.endless = LAB_ENDLESS_GREETING}},
	{"greeting-100k", "a greeting of 100,000 octets in one line", {.greeting_octets = 100000}},
	{"greeting-nul", "NUL and other controls in the greeting", {.greeting_nul = true}},
	{"greeting-half", "closed after half a greeting", {.greeting = "!220-%s ESM"}},
	{"greeting-bytes", "the greeting octet by octet, one each 20 ms", {.drip_ms = 20}},
	{"tarpit", "a greeting of one octet a second (slow for the client)",
		{.drip_ms = 1000,
			.greeting =
				"220 %s thinks that whoever has nothing to hide has all the time "
				"in the world to read this greeting, octet by octet, to its "
				"end, which is not the end of the session by far\r\n"}},
	{"greeting-slow", "one second of delay before the greeting", {.greeting_delay_ms = 1000}},
	{"bare-lf", "greeting ends in LF", {.bare_lf = true}},
	{"ehlo-endless", "lines of 250 without end", {.endless = LAB_ENDLESS_EHLO}},
	{"ehlo-bare-lf", "lines of the EHLO reply end in LF",
		{.ehlo = "250-%s\n250-PIPELINING\n250 STARTTLS\n"}},
	{"ehlo-close", "closed in answer to EHLO", {.ehlo = "!"}},
	{"ehlo-502", "EHLO rejected", {.ehlo = "502 5.5.1 %s: command not implemented\r\n"}},
	{"ehlo-421", "421 to EHLO", {.ehlo = "421 4.3.2 %s shutting down\r\n"}},

	{"smtputf8", "takes addresses beyond ASCII", {.smtputf8 = true}},

	/* STARTTLS */
	{"no-starttls", "keyword not offered, command rejected",
		{.ehlo = EHLO_PLAIN, .starttls = "502 5.5.1 Command not implemented\r\n"}},
	{"starttls-stripped", "XXXXXXXA in place of the keyword",
		{.ehlo = "250-%s\r\n250-PIPELINING\r\n250-XXXXXXXA\r\n250 8BITMIME\r\n",
			.starttls = "500 5.5.1 Command unrecognized\r\n"}},
	{"starttls-454", "454 to STARTTLS", {.starttls = "454 4.7.0 TLS not available\r\n"}},
	{"starttls-5xx", "554 to STARTTLS", {.starttls = "554 5.7.3 Unable to initialize TLS\r\n"}},
	{"starttls-250", "250 to STARTTLS", {.starttls = "250 2.0.0 go ahead\r\n"}},
	{"starttls-injected", "text behind the 220, before TLS",
		{.starttls = "220 2.0.0 Ready to start TLS\r\n250 injected\r\n"}},
	{"starttls-close", "closed in answer to STARTTLS", {.starttls = "!"}},
	{"ehlo-after-tls-close", "closed in answer to EHLO inside TLS", {.ehlo_tls = "!"}},
	{"starttls-parameters", "keyword with a parameter",
		{.ehlo = "250-%s\r\n250-PIPELINING\r\n250-STARTTLS REQUIRED\r\n250 8BITMIME\r\n"}},
	{"starttls-lower-case", "keyword in lower case",
		{.ehlo = "250-%s\r\n250-pipelining\r\n250 starttls\r\n"}},
	{"starttls-again", "offered again inside TLS",
		{.ehlo_tls = "250-%s\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"}},
	{"ehlo-after-tls-fails", "EHLO inside TLS rejected",
		{.ehlo_tls = "554 5.5.1 %s: protocol error\r\n"}},

	/* TLS */
	{"tls12-only", "TLS 1.2 at most", {.tls_max = TLS1_2_VERSION}},
	{"tls13-only", "TLS 1.3 at least", {.tls_min = TLS1_3_VERSION}},
	{"tls-old", "TLS 1.0 and 1.1 only", {.tls_min = TLS1_VERSION, .tls_max = TLS1_1_VERSION}},
	{"tls-old-too", "TLS 1.0 and newer", {.tls_min = TLS1_VERSION}},
	{"tls-single-octets", "handshake records of a single octet", {.tls_single = true}},
	{"tls-alert", "handshake_failure alert", {.tls = LAB_TLS_ALERT}},
	{"tls-alert-internal", "internal_error alert", {.tls = LAB_TLS_ALERT_INTERNAL}},
	{"cipher-null", "ciphers without encryption only",
		{.tls_max = TLS1_2_VERSION, .ciphers = "eNULL:@SECLEVEL=0"}},
	{"cipher-cbc", "ciphers without authenticated encryption only",
		{.tls_max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}},
	{"dh1024", "Diffie-Hellman with 1,024 bits",
		{.tls_max = TLS1_2_VERSION,
			.ciphers = "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
			.cert = LAB_CERT_RSA}},
	{"staple-good", "an OCSP staple", {.staple = LAB_STAPLE_GOOD}},
	{"staple-revoked", "an OCSP staple that says revoked", {.staple = LAB_STAPLE_REVOKED}},
	{"tls-close", "closed during the handshake", {.tls = LAB_TLS_CLOSE}},
	{"tls-silent", "no answer to the ClientHello (slow for the client)",
		{.tls = LAB_TLS_SILENT}},
	{"sni-required", "unrecognized_name without SNI or for other names",
		{.tls = LAB_TLS_SNI_REQUIRED}},
	{"sni-rejected", "unrecognized_name for its own name", {.tls = LAB_TLS_SNI_REJECTED}},
	{"request-client-cert", "asks for a client certificate, goes on without",
		{.client_cert = LAB_CLIENT_CERT_ASK}},
	{"demand-client-cert", "ends the handshake without a client certificate",
		{.client_cert = LAB_CLIENT_CERT_DEMAND}},

	/* certificates */
	{"wildcard", "certificate for *.parent", {.cert = LAB_CERT_WILDCARD}},
	{"deep-wildcard", "certificate for *.grandparent", {.cert = LAB_CERT_DEEP_WILDCARD}},
	{"expired", "expired certificate", {.cert = LAB_CERT_EXPIRED}},
	{"not-yet-valid", "certificate not yet valid", {.cert = LAB_CERT_NOT_YET}},
	{"expires-soon", "certificate with three days left", {.cert = LAB_CERT_EXPIRES_SOON}},
	{"wrong-name", "certificate for another name", {.cert = LAB_CERT_WRONG_NAME}},
	{"cn-only", "name only as common name", {.cert = LAB_CERT_CN_ONLY}},
	{"self-signed", "self-signed certificate", {.cert = LAB_CERT_SELF_SIGNED}},
	{"unknown-ca", "certificate of an unknown authority", {.cert = LAB_CERT_UNKNOWN_CA}},
	{"incomplete-chain", "leaf without the intermediate", {.cert = LAB_CERT_INCOMPLETE}},
	{"client-only", "certificate for TLS clients only", {.cert = LAB_CERT_CLIENT_ONLY}},
	{"dane-ta", "certificate of the private DANE root, sent along", {.cert = LAB_CERT_DANE_TA}},
	{"dane-ta-sha1", "the same, signed with SHA-1", {.cert = LAB_CERT_DANE_TA_SHA1}},
	{"dane-ta-absent", "the same, root not sent", {.cert = LAB_CERT_DANE_TA_ABSENT}},
	{"dane-ta-wrong-name", "the same for another name, root sent",
		{.cert = LAB_CERT_DANE_TA_NAME}},
	{"must-staple", "certificate that demands an OCSP staple", {.cert = LAB_CERT_MUST_STAPLE}},
	{"chain-long", "eleven certificates", {.cert = LAB_CERT_CHAIN_LONG}},
	{"chain-huge", "ten certificates of more than 128 KiB", {.cert = LAB_CERT_CHAIN_HUGE}},
	{"ca-leaf", "certificate of an authority", {.cert = LAB_CERT_CA_LEAF}},
	{"path-length", "an intermediate too many", {.cert = LAB_CERT_PATH_LENGTH}},
	{"name-constraints", "an intermediate for other names", {.cert = LAB_CERT_CONSTRAINED}},
	{"rsa1024", "RSA key of 1024 bits", {.cert = LAB_CERT_RSA1024}},
	{"rsa2048", "RSA key of 2048 bits: another key than the host's usual one",
		{.cert = LAB_CERT_RSA}},
	{"sha1", "certificate signed with SHA-1", {.cert = LAB_CERT_SHA1}},

	/* HTTPS */
	{"http-204", "status 204", {.status = 204}},
	{"http-403", "status 403", {.status = 403}},
	{"http-404", "status 404", {.status = 404}},
	{"http-429", "status 429", {.status = 429}},
	{"http-503", "status 503", {.status = 503}},
	{"redirect-301", "redirect to the www host",
		{.status = 301,
			.headers = "Location: https://www.redirect.test/.well-known/mta-sts.txt\r\n"
				   "Content-Type: text/plain\r\n"}},
	{"redirect-302", "redirect to the same host",
		{.status = 302,
			.headers = "Location: /mta-sts.txt\r\nContent-Type: text/plain\r\n"}},
	{"redirect-303", "redirect 303 to the same URL", {.status = 303, .headers = LOOP}},
	{"redirect-307", "redirect 307 to the same URL", {.status = 307, .headers = LOOP}},
	{"redirect-308", "redirect 308 to the same URL", {.status = 308, .headers = LOOP}},
	{"http-206", "status 206", {.status = 206}},
	{"http-408", "status 408", {.status = 408}},
	{"http-401", "status 401, asks for a password",
		{.status = 401,
			.headers = "WWW-Authenticate: Basic realm=\"lab\"\r\n"
				   "Content-Type: text/plain\r\n"}},
	{"cookies", "sets cookies",
		{.headers = "Set-Cookie: lab=1; Domain=test; Path=/\r\n"
			    "Content-Type: text/plain\r\n"}},
	{"charset-latin", "charset iso-8859-1",
		{.headers = "Content-Type: text/plain; charset=iso-8859-1\r\n"}},
	{"content-type-html", "text/html", {.headers = "Content-Type: text/html\r\n"}},
	{"content-type-none", "no Content-Type", {.headers = "X-Lab: 1\r\n"}},
	{"content-encoding", "claims gzip",
		{.headers = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n"}},
	{"huge-body", "one mebibyte", {.body = LAB_BODY_HUGE}},
	{"truncated", "shorter than announced", {.body = LAB_BODY_TRUNCATED}},
	{"slow-body", "one octet a second (slow for the client)", {.body = LAB_BODY_SLOW}},
	{"slow-headers", "headers, one octet a second (slow for the client)",
		{.body = LAB_BODY_SLOW_HEADERS}},
	{"limit-body", "65,536 octets", {.body = LAB_BODY_LIMIT}},
	{"over-body", "65,537 octets", {.body = LAB_BODY_OVER}},
	{"short-length", "longer than announced", {.body = LAB_BODY_SHORT}},
	{"cut-body", "no length, no close_notify at the end", {.body = LAB_BODY_CUT}},
	{"no-answer", "closed instead of an answer", {.body = LAB_BODY_NONE}},
	{"http-09", "the policy without status line and headers", {.body = LAB_BODY_BARE}},
	{"http-garbage", "a status line that is none", {.body = LAB_BODY_GARBAGE}},
	{"chunked", "in chunks", {.body = LAB_BODY_CHUNKED}},
	{"log-request", "keeps the request in run/requests", {.log_request = true}},
	{"chunks-endless", "chunks without end", {.body = LAB_BODY_CHUNKS}},
	{"gzip-bomb", "gzip without end", {.body = LAB_BODY_GZIP}},
	{"headers-endless", "header lines without end", {.body = LAB_BODY_HEADERS}},
	{"header-endless", "one header line without end", {.body = LAB_BODY_HEADER_LINE}},
	{"interim-endless", "100 Continue without end", {.body = LAB_BODY_INTERIM}},
};

#define OVERLAY(field) \
	do { \
		if (change->field) \
			out->field = change->field; \
	} while (0)

static void
overlay(struct lab_behaviour *out, const struct lab_behaviour *change)
{
	OVERLAY(conn);
	OVERLAY(greeting);
	OVERLAY(ehlo);
	OVERLAY(starttls);
	OVERLAY(ehlo_tls);
	OVERLAY(noop_reply);
	OVERLAY(smtputf8);
	OVERLAY(bare_lf);
	OVERLAY(greeting_delay_ms);
	OVERLAY(drip_ms);
	OVERLAY(greeting_octets);
	OVERLAY(greeting_nul);
	OVERLAY(endless);
	OVERLAY(ciphers);
	OVERLAY(tls_single);
	OVERLAY(staple);
	OVERLAY(tls);
	OVERLAY(tls_min);
	OVERLAY(tls_max);
	OVERLAY(cert);
	OVERLAY(client_cert);
	OVERLAY(status);
	OVERLAY(headers);
	OVERLAY(body);
	OVERLAY(log_request);
}

static const struct row *
find_row(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].word) == len && memcmp(rows[i].word, word, len) == 0)
			return &rows[i];
	}
	return NULL;
}

int
lab_behaviour_parse(const char *words, struct lab_behaviour *out, struct error *err)
{
	const char *p = words;

	*out = faultless;
	for (;;) {
		size_t len = strcspn(p, ",");
		const struct row *row = find_row(p, len);

		if (row == NULL)
			return error_set(err, ERROR_INPUT, "no behaviour \"%.*s\"", (int)len, p);
		overlay(out, &row->change);
		if (p[len] == '\0')
			return 0;
		p += len + 1;
	}
}

void
lab_behaviour_list(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fprintf(out, "%s\t%s\n", rows[i].word, rows[i].help);
}

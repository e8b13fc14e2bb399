/*
 * lab_behaviour: how a host of the lab behaves, as words.
 *
 * A behaviour is one word or several joined by commas ("tls12-only,self-signed"): each word is a
 * row of a table that changes some fields of the default, a server without fault. A new sin is a
 * new row.
 */
#ifndef LAB_BEHAVIOUR_H
#define LAB_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/attr.h"
#include "tests/lab/lab_pki.h"

struct error;

enum lab_conn {
	LAB_CONN_SERVE = 1,
	LAB_CONN_REFUSE, /* nothing listens at the address */
	LAB_CONN_RESET,  /* accepted, then RST */
	LAB_CONN_CLOSE,  /* accepted, then closed */
	LAB_CONN_SILENT, /* accepted, then nothing, until the client gives up */
};

enum lab_tls {
	LAB_TLS_SERVE = 1,
	LAB_TLS_ALERT,          /* handshake_failure in answer to the ClientHello */
	LAB_TLS_ALERT_INTERNAL, /* internal_error in answer to the ClientHello */
	LAB_TLS_CLOSE,          /* closed in answer to the ClientHello */
	LAB_TLS_SILENT,         /* no answer to the ClientHello */
	LAB_TLS_SNI_REQUIRED,   /* unrecognized_name without SNI or for another name */
	LAB_TLS_SNI_REJECTED,   /* unrecognized_name for its own name */
};

enum lab_body {
	LAB_BODY_POLICY = 1,
	LAB_BODY_HUGE,      /* the policy, then comment-free text up to 1 MiB */
	LAB_BODY_TRUNCATED, /* announces 100 octets more than it sends */
	LAB_BODY_SLOW,      /* one octet per second */
	LAB_BODY_LIMIT,     /* padded to 65,536 octets */
	LAB_BODY_OVER,      /* padded to 65,537 octets */
	LAB_BODY_SHORT,     /* announces 8 octets fewer than it sends */
	LAB_BODY_CUT,       /* announces nothing and ends without close_notify */
	LAB_BODY_NONE,      /* closes instead of an answer */
	LAB_BODY_BARE,      /* the policy without status line and headers: HTTP/0.9 */
	LAB_BODY_GARBAGE,   /* a status line that is none */
	LAB_BODY_CHUNKED,   /* the policy in chunks, in good order */
	/* without end, until the client goes away */
	LAB_BODY_CHUNKS,
	LAB_BODY_GZIP,         /* octets of a gzip stream, announced as such */
	LAB_BODY_HEADERS,      /* header lines */
	LAB_BODY_HEADER_LINE,  /* one header line */
	LAB_BODY_INTERIM,      /* 100 Continue */
	LAB_BODY_SLOW_HEADERS, /* header lines, one octet per second */
};

/* Text fields: %s stands for the host's name; lines end in CR LF where they should. "!" in front:
 * the connection is closed once the text is out. */
struct lab_behaviour {
	enum lab_conn conn;
	/* SMTP */
	const char *greeting;
	const char *ehlo;       /* whole reply to EHLO before TLS */
	const char *starttls;   /* whole reply to STARTTLS; TLS follows when it begins with 220 */
	const char *ehlo_tls;   /* whole reply to EHLO inside TLS */
	const char *noop_reply; /* to NOOP, RSET, MAIL, RCPT */
	bool smtputf8;          /* offers SMTPUTF8 in both replies to EHLO */
	bool bare_lf;           /* greeting ends in LF */
	unsigned int greeting_delay_ms;
	unsigned int drip_ms;   /* the greeting octet by octet, one each so many milliseconds */
	size_t greeting_octets; /* the greeting is one line of so many octets */
	bool greeting_nul;      /* with NUL and other controls in it */
	enum { LAB_ENDLESS_NO, LAB_ENDLESS_GREETING, LAB_ENDLESS_EHLO } endless;
	/* TLS, both services */
	enum lab_tls tls;
	int tls_min, tls_max; /* TLS1_2_VERSION and so on */
	const char *ciphers;  /* up to TLS 1.2; NULL: the usual */
	bool tls_single;      /* records of a single octet (lab_records.h), whoever is asked for */
	enum { LAB_STAPLE_NO, LAB_STAPLE_GOOD, LAB_STAPLE_REVOKED } staple;
	enum lab_cert cert;
	enum { LAB_CLIENT_CERT_NO = 1, LAB_CLIENT_CERT_ASK, LAB_CLIENT_CERT_DEMAND } client_cert;
	/* HTTPS */
	int status;
	const char *headers; /* Content-Type and others, each line with CR LF */
	enum lab_body body;
	bool log_request; /* appended to run/requests in the lab's folder, octet by octet */
};

/* Reads a comma-separated behaviour. Unknown words are ERROR_INPUT. */
int lab_behaviour_parse(const char *words, struct lab_behaviour *out, struct error *err) MUST_CHECK;

/* Prints the table for people: word, tab, what it does. */
void lab_behaviour_list(FILE *out);

#endif

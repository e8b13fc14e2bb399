/*
 * report: everything one look at a mail domain has shown.
 *
 * Plain data in one arena, made by the engine, read by check, crawl and store. Strings of foreign
 * origin are stored escaped where they are meant for people and verbatim where they are facts
 * (policy text, names), which have passed their grammar by then.
 */
#ifndef VERIFIER_REPORT_H
#define VERIFIER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "common/attr.h"
#include "verifier/finding.h"

struct arena;
struct error;

enum policy_mode { POLICY_MODE_ABSENT, POLICY_MODE_ENFORCE, POLICY_MODE_TESTING, POLICY_MODE_NONE };

/* How the domain qualifies for the list (design.md section 6). */
enum admission_source { SOURCE_NONE, SOURCE_MTA_STS, SOURCE_DANE, SOURCE_STARTTLS };

/* DNSSEC state of an answer; DNS_UNCHECKED is zero. */
enum dns_secure { DNS_UNCHECKED, DNS_SECURE, DNS_INSECURE, DNS_BOGUS };

/* One address of an MX host. */
struct report_address {
	const char *address;     /* presentation form */
	enum verdict starttls;   /* offered and handshake done */
	enum verdict pkix;       /* chain and name of the MX host */
	enum verdict dane;       /* matching TLSA; unknown when there is none */
	int tls_version;         /* 12, 13; 0 when there was no handshake */
	const char *cipher;      /* NULL without handshake */
	bool client_cert_requested;
	const char *spki_sha256;  /* leaf key, hex; NULL without handshake */
	const char *cert_sha256;  /* leaf certificate, hex */
	int64_t not_after_s;
};

struct report_mx {
	const char *host; /* lower-case A-label, no root dot */
	unsigned preference;
	enum dns_secure secure; /* of the address look-up */
	bool silent; /* it has addresses, and none of them answered */
	struct report_address *addresses;
	size_t address_count;
	enum verdict starttls; /* over all addresses that answered */
	enum verdict pkix;
	enum verdict dane;
	int tls_version; /* the lowest of the addresses; 0 without any */
	const char **tlsa; /* presentation form, usable or not */
	size_t tlsa_count;
};

struct report {
	struct arena *arena; /* owned by the report */
	const char *domain;  /* as given, escaped */
	const char *ascii;   /* A-labels; NULL when domain is no domain name */
	int64_t time_s;      /* when the look began */

	enum verdict verdict;
	bool abstained;               /* this vantage point has failed its self-test and looked at nothing */
	bool eligible;                /* fit for the list now (R18.1), the observation time apart */
	enum admission_source source; /* SOURCE_NONE unless eligible */
	bool auth_pkix, auth_dane;    /* verified for every MX host */
	enum policy_mode mode;        /* of the entry */
	int64_t max_age_s;            /* of the entry */
	const char **mxs;             /* patterns of the entry, sorted, unique, lower case */
	size_t mxs_count;
	int tls_version; /* the lowest of all hosts; 0 without any */

	struct report_mx *mx;
	size_t mx_count;
	enum dns_secure mx_secure; /* of the MX look-up */

	/* MTA-STS */
	enum verdict mta_sts;           /* pass: a valid policy that all MX satisfy */
	const char *mta_sts_record;     /* TXT as seen; NULL when none */
	const char *mta_sts_id;
	const char *mta_sts_policy;     /* policy text, valid or not, escaped for people; NULL when none */
	enum policy_mode mta_sts_mode;  /* POLICY_MODE_NONE over verified HTTPS is an authenticated no */
	int64_t mta_sts_max_age_s;
	const char **mta_sts_mx;
	size_t mta_sts_mx_count;

	enum verdict dane; /* pass: every MX secure, usable, matching; unknown: none or cannot tell */

	/* The opt-in record */
	enum policy_mode preload_mode; /* ABSENT: no (valid) record */
	enum dns_secure preload_secure; /* of that look-up, also of a denial */
	bool preload_denied;            /* the name or type is proven or answered to be absent */
	const char *preload_record;     /* as seen; NULL when none */

	const char *contact; /* mailto: URI for notices (R16.9), or NULL */
	const char *tlsrpt_record;

	bool domain_gone;          /* NXDOMAIN */
	enum dns_secure gone_secure;
	bool mx_null;

	/* R3.18: the same domain judged without its silent MX hosts, in the same arena. NULL unless it
	 * would be eligible so: whoever knows how long they have been silent decides. */
	struct report *without_silent;

	struct finding_list findings; /* ordered by what blocks first (R21.2) */
};

/* A report with an arena of its own; the caller frees it. */
struct report *report_new(const char *domain) RETURNS_NONNULL;
/* NULL is allowed. */
void report_free(struct report *r);

/* The object of `check --json` (design.md section 10). The caller owns it. */
json_t *report_to_json(const struct report *r);
/* Its member "findings", for other programs' output too. The caller owns it. */
json_t *finding_list_to_json(const struct finding_list *list);
/* For people: at most 80 columns but for text to paste. With colour: escape sequences and check marks
 * in UTF-8; else plain ASCII but for what the domain itself brought. */
void report_print(const struct report *r, FILE *out, bool colour);

const char *policy_mode_name(enum policy_mode mode);           /* "enforce", "testing", "none"; NULL when absent */
const char *admission_source_name(enum admission_source source); /* "mta-sts", "dane", "starttls"; NULL when none */
const char *dns_secure_name(enum dns_secure secure);           /* "secure", "insecure", "bogus", "unchecked" */

#endif

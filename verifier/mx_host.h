/*
 * mx_host: what is known about a mail host, learnt once for all domains that use it.
 *
 *	ref = mx_host_get(&desk, "mx.example.org", on_host, arg);
 *	    on_host(arg): once, from the loop, when everything is known
 *	mx_host_of(ref)->...            from then on
 *	mx_host_release(ref);           at any time, also before the callback (which then does not
 *come)
 *
 * One table serves all threads; each brings a desk: its own loop's tools. Who asks first for a host
 * does the work, the others are told.
 *
 * Addresses, TLSA, one SMTP session for each address and server name (two when the first must be
 * repeated), judged by pkix and dane_check. At most per_address sessions at once with an address,
 * per_operator with a registrable domain of host names, and so many in all (gate.h).
 */
#ifndef VERIFIER_MX_HOST_H
#define VERIFIER_MX_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/attr.h"
#include "common/clock.h"
#include "verifier/address.h"
#include "verifier/dane_check.h"
#include "verifier/dns.h"
#include "verifier/finding.h"
#include "verifier/pkix.h"
#include "verifier/smtp_further.h"
#include "verifier/smtp_probe.h"
#include "verifier/tlsa.h"

struct arena;
struct mailbox;
struct mx_host_ref;
struct mx_host_table;

/* R3.17 */
#define MX_ADDRESSES_MAX 16
/* Hosts that are remembered without anybody holding them, some 6 KiB each: those of providers are
 * asked for again and again, and that of a single domain never. */
#define MX_HOSTS_SHARED_MAX 5000

/* Pointers are borrowed until mx_host_table_free(). */
struct mx_host_options {
	struct clock clock;
	const struct address_filter *filter;
	X509_STORE *store;
	uint16_t port;
	unsigned int per_address;
	unsigned int per_operator;
	unsigned int sessions; /* in all */
	int64_t share_s;
	bool look_ups_only; /* nobody is connected to */
	struct smtp_further further;
};

/* The tools of one thread, all on its loop and borrowed. They outlive the table: what a thread has
 * begun is taken back when the table is freed. */
struct mx_host_desk {
	struct mx_host_table *table;
	struct mailbox *box;
	struct dns_resolver *resolver;
	struct smtp_prober *prober;
	struct dane_checker *dane;
};

/* One address. */
struct mx_address {
	struct address address;
	const char *text;
	const char *subject; /* "mx.example.org[192.0.2.1]" */
	const char *special; /* not permitted: the block it lies in; never connected to */
	bool answered;       /* R3.13 */
	int connect_errno;   /* when no connection was made; 0: time-out */
	enum verdict starttls;
	const char *code; /* of the finding that ended the session; NULL with pass */
	enum verdict pkix;
	struct pkix_result pkix_result;
	enum dane_session dane_session;
	struct dane_match dane;
	const char *weak; /* R14.10: code of what fails a match by issuer; NULL: nothing */
	int tls_version;
	const char *cipher;
	bool client_cert_requested;
	const char *spki_sha256, *cert_sha256;
	struct finding_list findings; /* of the sessions */
	STACK_OF(X509) * chain;       /* for DANE under further names; NULL otherwise */
};

/* Complete and immutable once the callback has come; owned by the table. */
struct mx_host {
	const char *name; /* lower-case A-labels, no root dot */
	const struct dns_answer *a, *aaaa;
	enum dane_lookup address_lookup; /* of both together */
	enum dns_secure secure;          /* likewise */
	const struct dns_answer *failed; /* the look-up that failed or is bogus, NULL: none */
	const char *dangling;            /* R3.12: the domain that is not there; NULL: none */
	bool secure_alias;               /* R12.5: a signed alias of a name that is not signed */
	bool too_many;                   /* R3.17: none is probed */
	bool look_ups_only;              /* as the table's option: none is probed */
	struct mx_address *addresses;
	size_t address_count;
	enum dane_lookup tlsa_lookup;
	const char *tlsa_base;  /* R12.5 */
	const char *tlsa_owner; /* "_25._tcp." and the base; NULL when not asked for */
	const char *tlsa_why;   /* when the look-up failed */
	struct tlsa_set tlsa;
	struct finding_list tlsa_findings; /* R13.11 */
};

typedef void mx_host_cb(void *arg);

void mx_host_table_new(const struct mx_host_options *options, struct mx_host_table **out);
/* All references must have been released and the threads of all desks have ended. NULL is allowed.
 */
void mx_host_table_free(struct mx_host_table *t);

struct mx_host_ref *mx_host_get(
	struct mx_host_desk *desk, const char *name, mx_host_cb *cb, void *arg) RETURNS_NONNULL;
/* By the thread that asked: the callback does not come any more, what is known stays lent. */
void mx_host_mute(struct mx_host_ref *ref);
/* By the thread that asked; once the callback has come or was muted, by any. NULL is allowed. */
void mx_host_release(struct mx_host_ref *ref);
/* NULL while something is still missing. Lent until the release. */
const struct mx_host *mx_host_of(const struct mx_host_ref *ref);

/* For what has not been called yet. Waiting: everything that is still missing stands in line at a
 * limit of ours. Held up: something is missing, and part of it stands or stood there, so that time
 * passed through no fault of the host's. */
bool mx_host_is_waiting(const struct mx_host_ref *ref);
bool mx_host_was_held_up(const struct mx_host_ref *ref);

/* The DANE judgement of an address under the names of one domain as well (R14.6). */
void mx_host_match_domain(struct mx_host_desk *desk, const struct mx_host *host,
	const struct mx_address *address, const char *const *domains, size_t count,
	struct arena *arena, struct dane_match *out);

/* For how long what is known of the host may serve others: a failed look-up for a minute (R2.10),
 * what could not be told for SHARE_UNKNOWN_S, all else SHARE_AS_USUAL. */
int64_t mx_host_keep_s(const struct mx_host *host);

struct mx_host_stats {
	uint64_t sessions; /* SMTP sessions begun */
	uint64_t shared;   /* hosts served from what was known or under way */
};
struct mx_host_stats mx_host_get_stats(struct mx_host_table *t);

#endif

/*
 * lab_kinds: what sorts of mail domains live in the lab, and what a verifier must say of each.
 *
 * Texts may hold: $D the domain, $L its first label, $A1 the first host's address, $TLSA1 its RDATA
 * of TLSA 3 1 1, $MX one "mx:" line for each MX host, $WILD one "mx: *.PARENT" line for each. "|"
 * divides several records.
 */
#ifndef LAB_KINDS_H
#define LAB_KINDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

enum lab_hosting {
	LAB_OWN = 0,     /* MX hosts of its own, mx1.$D and so on */
	LAB_HOSTED,      /* at one of the big providers */
	LAB_HOSTED_DANE, /* at a provider whose zone is signed and has TLSA records */
};

/* How the domain's zone is signed: LAB_SIGN_* of lab_zone.h, or one of these. */
enum {
	LAB_ZONE_ANY = 100, /* unsigned (mostly), NSEC or NSEC3 as the dice fall */
	LAB_ZONE_ABSENT,    /* not delegated at all */
	LAB_ZONE_PARENT,    /* no zone of its own: its records are in test. ; no SPF record */
};

struct lab_kind_host {
	const char *behaviour; /* NULL: no such host */
	const char *tlsa; /* NULL: none; "U S M", "U S M bad", "=RDATA"; several divided by ";" */
	const char *name; /* NULL: mx1.$D, mx2.$D */
	const char *also; /* behaviour at a second address */
	const char *ipv6; /* behaviour at an IPv6 address; NULL: it has none */
	const char *ipv6_at; /* that address; NULL: one of its own. Without it no such domain */
	bool no_address;     /* no A record: `records` gives something else */
};

struct lab_kind {
	const char *name;
	int weight; /* domains per 10,000 */
	int least;  /* but at least so many; 0 stands for 1 */
	int most;   /* and at most; 0: no limit */
	enum lab_hosting hosting;
	int zone;
	bool sinner; /* its server misbehaves: `lab make --sinners` makes more of it */
	int share;   /* OWN: so many domains in a row use the same hosts; 0 stands for 1 */
	struct lab_kind_host host[2];
	const char *mx;  /* instead of the hosts' names: "10 mx1.$D.|..."; "-": no MX at all */
	const char *dns; /* script of the zone's name server (lab_dns_script.h); NULL: faultless */
	const char *broken_zone; /* below the domain's zone, answered with SERVFAIL */
	const char *records;     /* further records: "OWNER TYPE RDATA|..." */

	const char *sts;         /* TXT at _mta-sts, divided by "|"; NULL: none */
	const char *policy;      /* NULL: no policy served */
	const char *policy_host; /* behaviour; NULL: ok; "-": mta-sts.$D does not exist;
				  * "cname": alias to the provider; "special": 10.0.0.1;
				  * "special-ipv6": fd00::1; "ipv6:BEHAVIOUR": AAAA only */
	const char *optin;       /* TXT at _preload25; NULL: none */
	const char *tlsrpt;      /* TXT at _smtp._tls; NULL: as the dice fall; "-": none */

	/* ground truth */
	const char
		*verdict; /* pass, fail, unknown; unasked: pass, yet nobody asked for the listing */
	const char *auth; /* "pkix", "dane", "dane pkix"; only for eligible ones */
	const char *mode; /* NULL: none to be expected */
	const char *codes; /* divided by blanks; NULL: none required */
};

extern const struct lab_kind lab_kinds[];
extern const size_t lab_kinds_count;

/* The story domains: fixed names, in every lab. */
struct lab_story {
	const char *domain;
	const char *kind;
	bool unsigned_zone; /* although its kind leaves that to the dice */
};
extern const struct lab_story lab_stories[];
extern const size_t lab_stories_count;

const struct lab_kind *lab_kind_find(const char *name);

#endif

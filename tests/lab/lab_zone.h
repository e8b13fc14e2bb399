/*
 * lab_zone: DNS zones of the lab, signed in process.
 *
 * A zone's source (unsigned records, one per line, absolute names) lies in zones/NAME, what NSD
 * serves in served/NAME; zones.tsv lists them all with the way each is signed.
 */
#ifndef LAB_ZONE_H
#define LAB_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct error;
struct lab_pki;

enum {
	LAB_TTL_S = 60,
	LAB_NEGATIVE_TTL_S = 5,  /* what a test adds is soon seen */
	LAB_ZONE_MAX = 64 << 20, /* the zone of "test." with 100,000 delegations */
};

enum lab_signing {
	LAB_SIGN_NONE,
	LAB_SIGN_NSEC,
	LAB_SIGN_NSEC3,
	LAB_SIGN_OPT_OUT,     /* NSEC3 with the opt-out flag */
	LAB_SIGN_ISLAND,      /* signed, but the parent has no DS: counts as unsigned */
	LAB_SIGN_BAD_DENIAL,  /* NSEC; the denial of names below _tcp is broken */
	LAB_SIGN_BAD_DS,      /* the parent's DS names another key */
	LAB_SIGN_EXPIRED,     /* all signatures ran out the day before the lab was made */
	LAB_SIGN_BAD_MX,      /* the signature of the MX records is broken */
	LAB_SIGN_BAD_TLSA,    /* those of the TLSA records are */
	LAB_SIGN_UNKNOWN_ALG, /* the parent's DS has an algorithm nobody knows: counts as unsigned
			       */
	LAB_SIGN_MISSING,     /* delegated to us, but NSD has no such file: SERVFAIL */
};

/* "nsec3" and so on, as in zones.tsv; lab_signing_parse() returns -1 for an unknown word. */
const char *lab_signing_name(enum lab_signing s) RETURNS_NONNULL;
int lab_signing_parse(const char *word, enum lab_signing *out) MUST_CHECK;

/* Appends SOA and NS of a zone ("bank.test.", "."): the beginning of every source. name_server
 * NULL: the one that all zones share. */
void lab_zone_begin(
	struct buf *src, const char *zone, const char *name_server, uint32_t serial);

/* Appends the delegation of child to the parent's source: NS, and DS as its signing asks for. */
void lab_zone_delegate(
	struct buf *parent, const struct lab_pki *pki, const char *child, const char *name_server,
	enum lab_signing signing);

/* The DS record of a zone as one line with owner: the trust anchor form. */
char *lab_zone_ds(const struct lab_pki *pki, const char *zone) RETURNS_NONNULL;

/* Writes zones/FILE and served/FILE below dir. FILE is the zone's name without the last dot, "root"
 * for the root. */
int lab_zone_write(const char *dir, const struct lab_pki *pki, const char *zone,
	enum lab_signing signing, const struct buf *src, struct error *err) MUST_CHECK;

/* Replaces all records of one name and type in the zone (found through zones.tsv), counts its
 * serial up and writes it. rdata[count] in presentation form; count 0 deletes. TXT without quotes
 * is quoted. *zone_out (the caller's) and *serial_out say what to wait for. */
int lab_zone_set(const char *dir, const struct lab_pki *pki, const char *name, const char *type,
	char *const *rdata, size_t count, char **zone_out, uint32_t *serial_out,
	struct error *err) MUST_CHECK;

/* Appends whole lines to a zone of the lab, counts its serial up and writes it. */
int lab_zone_add(const char *dir, const struct lab_pki *pki, const char *zone,
	const struct buf *lines, struct error *err) MUST_CHECK;

/* Appends the zone to the two lists of them: zones.tsv, and nsd-zones.conf for NSD. */
void lab_zone_list(
	struct buf *tsv, struct buf *nsd, const char *zone, enum lab_signing signing);

/* One TXT RDATA: quoted, escaped, cut into strings of 255. Appends. */
void lab_zone_txt(struct buf *out, const char *text);

#endif

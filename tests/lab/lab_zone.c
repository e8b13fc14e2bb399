#include "tests/lab/lab_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ldns/ldns.h>

#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_pki.h"

enum {
	DAY_S = 86400,
	SIGNED_BEFORE_S = 30 * DAY_S,
	SIGNED_AFTER_S = 730 * DAY_S,
	ZONES_TSV_MAX = 64 << 20,
	RECORD_MAX = 64 << 10,
	TXT_STRING_MAX = 255,
	/* Flag SEP, as a zone with a single key (CSK) has it. */
	DNSKEY_FLAGS = 257,
};

#define NAME_SERVER "ns.test."
/* Stands for a zone whose key is none of the lab's: has_rsa_key() says no. */
#define WRONG_KEY "another-key."

static const struct {
	const char *word;
	enum lab_signing signing;
} signings[] = {
	{"none", LAB_SIGN_NONE},
	{"nsec", LAB_SIGN_NSEC},
	{"nsec3", LAB_SIGN_NSEC3},
	{"nsec3-opt-out", LAB_SIGN_OPT_OUT},
	{"island", LAB_SIGN_ISLAND},
	{"bad-denial", LAB_SIGN_BAD_DENIAL},
	{"bad-ds", LAB_SIGN_BAD_DS},
	{"expired", LAB_SIGN_EXPIRED},
	{"bad-mx", LAB_SIGN_BAD_MX},
	{"bad-tlsa", LAB_SIGN_BAD_TLSA},
	{"unknown-alg", LAB_SIGN_UNKNOWN_ALG},
	{"missing", LAB_SIGN_MISSING},
};

const char *
lab_signing_name(enum lab_signing s)
{
	for (size_t i = 0; i < ARRAY_LEN(signings); i++) {
		if (signings[i].signing == s)
			return signings[i].word;
	}
	abort();
}

int
lab_signing_parse(const char *word, enum lab_signing *out)
{
	for (size_t i = 0; i < ARRAY_LEN(signings); i++) {
		if (strcmp(signings[i].word, word) == 0) {
			*out = signings[i].signing;
			return 0;
		}
	}
	return -1;
}

/* --- records as text -------------------------------------------------------------------------- */

void
lab_zone_begin(struct buf *src, const char *zone, const char *name_server, uint32_t serial)
{
	buf_addf(src, "%s %d IN SOA %s hostmaster.test. %u 3600 600 1209600 %d\n", zone, LAB_TTL_S,
		NAME_SERVER, serial, LAB_NEGATIVE_TTL_S);
	buf_addf(src, "%s %d IN NS %s\n", zone, LAB_TTL_S,
		name_server == NULL ? NAME_SERVER : name_server);
}

void
lab_zone_txt(struct buf *out, const char *text)
{
	size_t in_string = 0;

	buf_add_char(out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if (in_string == TXT_STRING_MAX) {
			buf_add_str(out, "\" \"");
			in_string = 0;
		}
		if (*p == '"' || *p == '\\')
			buf_addf(out, "\\%c", *p);
		else if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			buf_addf(out, "\\%03d", (unsigned char)*p);
		else
			buf_add_char(out, *p);
		in_string++;
	}
	buf_add_char(out, '"');
}

/* As in life: the root and most top level domains sign with RSASHA256, and below them about as many
 * with that as with ECDSAP256SHA256. Which zone has which follows from its name, so that it can be
 * signed anew. */
static bool
has_rsa_key(const char *zone)
{
	unsigned int sum = 0;

	if (strcmp(zone, ".") == 0 || strcmp(zone, "test.") == 0)
		return true;
	for (const char *p = zone; *p != '\0'; p++)
		sum = sum * 31 + (unsigned char)*p;
	return (sum >> 4) % 2 == 0;
}

static ldns_key *
zone_key(const struct lab_pki *pki, const char *zone, enum lab_signing signing)
{
	int64_t made_s = lab_pki_made_s(pki);
	ldns_key *key = ldns_key_new();
	char *label = xasprintf("zone:%s", zone);
	ldns_rr *rr;

	if (key == NULL)
		abort();
	if (has_rsa_key(zone)) {
		ldns_key_set_algorithm(key, LDNS_SIGN_RSASHA256);
		ldns_key_set_evp_key(key, lab_pki_zone_rsa(pki));
	} else {
		ldns_key_set_algorithm(key, LDNS_SIGN_ECDSAP256SHA256);
		ldns_key_set_evp_key(key, lab_pki_key(pki, label));
	}
	ldns_key_set_flags(key, DNSKEY_FLAGS);
	ldns_key_set_pubkey_owner(key, ldns_dname_new_frm_str(zone));
	ldns_key_set_origttl(key, LAB_TTL_S);
	ldns_key_set_inception(key, (uint32_t)(made_s - SIGNED_BEFORE_S));
	ldns_key_set_expiration(key,
		(uint32_t)(signing == LAB_SIGN_EXPIRED ? made_s - DAY_S : made_s + SIGNED_AFTER_S));
	rr = ldns_key2rr(key);
	if (rr == NULL)
		abort();
	ldns_key_set_keytag(key, ldns_calc_keytag(rr));
	ldns_rr_free(rr);
	free(label);
	return key;
}

static char *
ds_line(const struct lab_pki *pki, const char *zone, const char *key_of)
{
	ldns_key *key = zone_key(pki, key_of, LAB_SIGN_NSEC);
	ldns_rr *dnskey = ldns_key2rr(key), *ds;
	char *text, *out;

	ldns_rdf_deep_free(ldns_rr_owner(dnskey));
	ldns_rr_set_owner(dnskey, ldns_dname_new_frm_str(zone));
	ldns_rr_set_ttl(dnskey, LAB_TTL_S);
	ds = ldns_key_rr2ds(dnskey, LDNS_SHA256);
	text = ds == NULL ? NULL : ldns_rr2str(ds);
	if (text == NULL)
		abort();
	text[strcspn(text, "\n;")] = '\0';
	out = xstrdup(text);
	LDNS_FREE(text);
	ldns_rr_free(ds);
	ldns_rr_free(dnskey);
	ldns_key_deep_free(key);
	return out;
}

char *
lab_zone_ds(const struct lab_pki *pki, const char *zone)
{
	return ds_line(pki, zone, zone);
}

void
lab_zone_delegate(
	struct buf *parent, const struct lab_pki *pki, const char *child, const char *name_server,
	enum lab_signing signing)
{
	char *ds = NULL;

	buf_addf(parent, "%s %d IN NS %s\n", child, LAB_TTL_S,
		name_server == NULL ? NAME_SERVER : name_server);
	switch (signing) {
	case LAB_SIGN_NONE:
	case LAB_SIGN_ISLAND:
	case LAB_SIGN_MISSING:
		return;
	case LAB_SIGN_UNKNOWN_ALG:
		/* 200 is unassigned: a validator must treat the child as unsigned (RFC 4035, 5.2)
		 */
		buf_addf(parent, "%s %d IN DS 4711 200 2 %064d\n", child, LAB_TTL_S, 7);
		return;
	case LAB_SIGN_BAD_DS:
		ds = ds_line(pki, child, WRONG_KEY);
		break;
	case LAB_SIGN_NSEC:
	case LAB_SIGN_NSEC3:
	case LAB_SIGN_OPT_OUT:
	case LAB_SIGN_BAD_DENIAL:
	case LAB_SIGN_EXPIRED:
	case LAB_SIGN_BAD_MX:
	case LAB_SIGN_BAD_TLSA:
		ds = ds_line(pki, child, child);
		break;
	}
	buf_addf(parent, "%s\n", ds);
	free(ds);
}

/* --- signing ---------------------------------------------------------------------------------- */

static int
ldns_error(struct error *err, const char *zone, const char *what, ldns_status st)
{
	return error_set(err, ERROR_INPUT, "%s: %s: %s", zone, what, ldns_get_errorstr_by_id(st));
}

/* Turns over one byte of the signatures that cover a type, at names with this label; NULL: at all.
 */
static void
spoil(ldns_dnssec_zone *zone, ldns_rr_type type, const char *label)
{
	for (ldns_rbnode_t *n = ldns_rbtree_first(zone->names); n != LDNS_RBTREE_NULL;
		n = ldns_rbtree_next(n)) {
		ldns_dnssec_name *name = (ldns_dnssec_name *)(uintptr_t)n->data;
		/* NSEC stands beside the record sets of a name. */
		ldns_dnssec_rrsets *set = ldns_dnssec_name_find_rrset(name, type);
		ldns_dnssec_rrs *s = type == LDNS_RR_TYPE_NSEC ? name->nsec_signatures
			: set == NULL                          ? NULL
							       : set->signatures;
		char *text = ldns_rdf2str(ldns_dnssec_name_name(name));
		bool wanted = label == NULL || (text != NULL && strstr(text, label) != NULL);

		LDNS_FREE(text);
		for (; wanted && s != NULL; s = s->next) {
			ldns_rdf *sig = ldns_rr_rrsig_sig(s->rr);

			ldns_rdf_data(sig)[ldns_rdf_size(sig) / 2] ^= 0x55;
		}
	}
}

static int
add_records(ldns_dnssec_zone *zone, const char *name, const struct buf *src, struct error *err)
{
	const char *p = buf_str(src);
	int line_number = 0;
	ldns_status st;

	while (*p != '\0') {
		size_t len = strcspn(p, "\n");
		char *line = xstrndup(p, len);
		ldns_rr *rr = NULL;

		line_number++;
		st = ldns_rr_new_frm_str(&rr, line, LAB_TTL_S, NULL, NULL);
		if (st == LDNS_STATUS_OK)
			st = ldns_dnssec_zone_add_rr(zone, rr);
		if (st != LDNS_STATUS_OK) {
			ldns_error(err, name, line, st);
			error_prefix(err, "line %d", line_number);
			free(line);
			return -1;
		}
		free(line);
		p += len;
		if (*p == '\n')
			p++;
	}
	return 0;
}

static int
sign_to(FILE *f, const struct lab_pki *pki, const char *name, enum lab_signing signing,
	const struct buf *src, struct error *err)
{
	ldns_dnssec_zone *zone = ldns_dnssec_zone_new();
	ldns_key_list *keys = ldns_key_list_new();
	ldns_rr_list *added = ldns_rr_list_new();
	ldns_key *key;
	ldns_rr *dnskey;
	ldns_status st;
	int rc = -1;

	if (zone == NULL || keys == NULL || added == NULL)
		abort();
	if (add_records(zone, name, src, err) < 0)
		goto out;
	key = zone_key(pki, name, signing);
	ldns_key_list_push_key(keys, key);
	dnskey = ldns_key2rr(key);
	ldns_rr_set_ttl(dnskey, LAB_TTL_S);
	st = ldns_dnssec_zone_add_rr(zone, dnskey);
	if (st == LDNS_STATUS_OK && (signing == LAB_SIGN_NSEC3 || signing == LAB_SIGN_OPT_OUT))
		st = ldns_dnssec_zone_sign_nsec3(zone, added, keys,
			ldns_dnssec_default_replace_signatures, NULL, LDNS_SHA1,
			signing == LAB_SIGN_OPT_OUT ? LDNS_NSEC3_VARS_OPTOUT_MASK : 0, 0, 0, NULL);
	else if (st == LDNS_STATUS_OK)
		st = ldns_dnssec_zone_sign(
			zone, added, keys, ldns_dnssec_default_replace_signatures, NULL);
	if (st != LDNS_STATUS_OK) {
		ldns_error(err, name, "cannot sign", st);
		goto out;
	}
	if (signing == LAB_SIGN_BAD_MX)
		spoil(zone, LDNS_RR_TYPE_MX, NULL);
	if (signing == LAB_SIGN_BAD_TLSA)
		spoil(zone, LDNS_RR_TYPE_TLSA, NULL);
	if (signing == LAB_SIGN_BAD_DENIAL)
		spoil(zone, LDNS_RR_TYPE_NSEC, "._tcp.");
	ldns_dnssec_zone_print(f, zone);
	rc = 0;
out:
	ldns_rr_list_free(added); /* the records themselves belong to the zone */
	ldns_key_list_free(keys);
	ldns_dnssec_zone_deep_free(zone);
	return rc;
}

static char *
zone_file(const char *dir, const char *folder, const char *zone)
{
	if (strcmp(zone, ".") == 0)
		return xasprintf("%s/%s/root", dir, folder);
	return xasprintf("%s/%s/%.*s", dir, folder, (int)strlen(zone) - 1, zone);
}

/* Replaces by rename what is there; but a file that is new is written in place, and nothing is
 * synced: `lab make` writes tens of thousands, and after a crash it starts anew. */
static int
replace(const char *path, const char *data, size_t len, struct error *err)
{
	char *tmp = xasprintf("%s.tmp", path);
	FILE *f = fopen(path, "wxe");
	bool is_new = f != NULL;
	int rc = 0;

	if (!is_new)
		f = fopen(tmp, "we");
	if (f == NULL || fwrite(data, 1, len, f) != len || fflush(f) != 0 ||
		(!is_new && rename(tmp, path) < 0))
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (f != NULL)
		fclose(f);
	if (rc < 0)
		remove(is_new ? path : tmp);
	free(tmp);
	return rc;
}

int
lab_zone_write(const char *dir, const struct lab_pki *pki, const char *zone,
	enum lab_signing signing, const struct buf *src, struct error *err)
{
	char *source = zone_file(dir, "zones", zone), *served = zone_file(dir, "served", zone);
	char *text = NULL;
	size_t text_len = 0;
	FILE *mem = NULL;
	int rc = -1;

	if (buf_failed(src)) {
		error_set(err, ERROR_INPUT, "%s: zone too large", zone);
		goto out;
	}
	if (replace(source, buf_str(src), src->len, err) < 0)
		goto out;
	switch (signing) {
	case LAB_SIGN_MISSING:
		remove(served);
		rc = 0;
		break;
	case LAB_SIGN_NONE:
	case LAB_SIGN_UNKNOWN_ALG:
		/* the same bytes: one file under two names until one of them is replaced */
		rc = link(source, served) == 0 ? 0 : replace(served, buf_str(src), src->len, err);
		break;
	case LAB_SIGN_NSEC:
	case LAB_SIGN_NSEC3:
	case LAB_SIGN_OPT_OUT:
	case LAB_SIGN_ISLAND:
	case LAB_SIGN_BAD_DENIAL:
	case LAB_SIGN_BAD_DS:
	case LAB_SIGN_EXPIRED:
	case LAB_SIGN_BAD_MX:
	case LAB_SIGN_BAD_TLSA:
		if ((mem = open_memstream(&text, &text_len)) == NULL)
			abort();
		rc = sign_to(mem, pki, zone, signing, src, err);
		fclose(mem);
		if (rc == 0)
			rc = replace(served, text, text_len, err);
		break;
	}
out:
	free(text);
	free(served);
	free(source);
	return rc;
}

/* --- changing one record ---------------------------------------------------------------------- */

/* Whether name is zone or below it; both end in a dot. */
static bool
is_below(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	if (strcmp(zone, ".") == 0)
		return true;
	return n >= z && strcasecmp(name + n - z, zone) == 0 && (n == z || name[n - z - 1] == '.');
}

static int
find_zone(const char *dir, const char *name, char **zone_out, enum lab_signing *signing_out,
	struct error *err)
{
	char *path = xasprintf("%s/zones.tsv", dir), *best = NULL, *line, *save = NULL;
	struct buf text;
	int rc = -1;

	buf_init(&text, ZONES_TSV_MAX);
	if (file_read(path, &text, err) < 0)
		goto out;
	if (text.data == NULL) {
		error_set(err, ERROR_CONFIG, "%s: empty", path);
		goto out;
	}
	for (line = strtok_r(text.data, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		char *word = strchr(line, '\t');

		if (word == NULL)
			continue;
		*word++ = '\0';
		if (is_below(name, line) && (best == NULL || strlen(line) > strlen(best))) {
			free(best);
			best = xstrdup(line);
			if (lab_signing_parse(word, signing_out) < 0) {
				error_set(err, ERROR_CONFIG, "%s: %s: unknown word %s", path, line,
					word);
				goto out;
			}
		}
	}
	if (best == NULL) {
		error_set(err, ERROR_INPUT, "%s: in no zone of this lab", name);
		goto out;
	}
	*zone_out = best;
	best = NULL;
	rc = 0;
out:
	free(best);
	buf_clear(&text);
	free(path);
	return rc;
}

/* A record line is "OWNER TTL IN TYPE RDATA". */
static bool
line_is(const char *line, const char *name, const char *type)
{
	char *copy = xstrdup(line), *save = NULL;
	const char *owner = strtok_r(copy, " ", &save);
	const char *ttl = strtok_r(NULL, " ", &save);
	const char *class = strtok_r(NULL, " ", &save);
	const char *its_type = strtok_r(NULL, " ", &save);
	bool is = owner != NULL && ttl != NULL && class != NULL && its_type != NULL &&
		strcasecmp(owner, name) == 0 && strcasecmp(its_type, type) == 0;

	free(copy);
	return is;
}

/* Counts the serial of an SOA line up: the third field of its RDATA. */
static void
add_soa(struct buf *out, const char *line, uint32_t *serial_out)
{
	char owner[256], mname[256], rname[256];
	unsigned int ttl, serial, refresh, retry, expire, minimum;

	if (sscanf(line, "%255s %u IN SOA %255s %255s %u %u %u %u %u", owner, &ttl, mname, rname,
		    &serial, &refresh, &retry, &expire, &minimum) != 9)
		abort(); /* we wrote it ourselves */
	*serial_out = serial + 1;
	buf_addf(out, "%s %u IN SOA %s %s %u %u %u %u %u\n", owner, ttl, mname, rname, serial + 1,
		refresh, retry, expire, minimum);
}

/* Appends one record, unless ldns cannot read it: a typing error must not reach NSD. */
static int
add_line(struct buf *out, const char *name, const char *type, const char *rdata, struct error *err)
{
	struct buf line;
	ldns_rr *rr = NULL;
	ldns_status st;

	buf_init(&line, RECORD_MAX);
	buf_addf(&line, "%s %d IN %s ", name, LAB_TTL_S, type);
	if (strcasecmp(type, "TXT") == 0 && rdata[0] != '"')
		lab_zone_txt(&line, rdata);
	else
		buf_add_str(&line, rdata);
	st = ldns_rr_new_frm_str(&rr, buf_str(&line), LAB_TTL_S, NULL, NULL);
	ldns_rr_free(rr);
	if (st == LDNS_STATUS_OK)
		buf_addf(out, "%s\n", buf_str(&line));
	buf_clear(&line);
	return st == LDNS_STATUS_OK ? 0 : ldns_error(err, name, rdata, st);
}

/* Writes the zone again: its serial counted up, without the records of that name and type (NULL: with
 * all), and lines behind. */
static int
rewrite(const char *dir, const struct lab_pki *pki, const char *zone, enum lab_signing signing,
	const char *name, const char *type, const struct buf *lines, uint32_t *serial_out,
	struct error *err)
{
	char *path = zone_file(dir, "zones", zone), *line, *save = NULL;
	struct buf old, new;
	int rc = -1;

	buf_init(&old, LAB_ZONE_MAX);
	buf_init(&new, LAB_ZONE_MAX);
	if (file_read(path, &old, err) < 0)
		goto out;
	if (old.data == NULL || buf_failed(lines)) {
		error_set(err, ERROR_INPUT, "%s: %s", path, old.data == NULL ? "empty" : "too large");
		goto out;
	}
	for (line = strtok_r(old.data, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		if (line_is(line, zone, "SOA"))
			add_soa(&new, line, serial_out);
		else if (name == NULL || !line_is(line, name, type))
			buf_addf(&new, "%s\n", line);
	}
	buf_add(&new, buf_str(lines), lines->len);
	rc = lab_zone_write(dir, pki, zone, signing, &new, err);
out:
	buf_clear(&old);
	buf_clear(&new);
	free(path);
	return rc;
}

int
lab_zone_set(const char *dir, const struct lab_pki *pki, const char *name, const char *type,
	char *const *rdata, size_t count, char **zone_out, uint32_t *serial_out, struct error *err)
{
	size_t n = strlen(name);
	char *fqdn = n > 0 && name[n - 1] == '.' ? xstrdup(name) : xasprintf("%s.", name);
	char *zone = NULL;
	enum lab_signing signing = LAB_SIGN_NONE;
	struct buf lines;
	int rc = find_zone(dir, fqdn, &zone, &signing, err);

	buf_init(&lines, LAB_ZONE_MAX);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_line(&lines, fqdn, type, rdata[i], err);
	if (rc == 0)
		rc = rewrite(dir, pki, zone, signing, fqdn, type, &lines, serial_out, err);
	if (rc == 0) {
		*zone_out = zone;
		zone = NULL;
	}
	buf_clear(&lines);
	free(zone);
	free(fqdn);
	return rc;
}

int
lab_zone_add(const char *dir, const struct lab_pki *pki, const char *zone, const struct buf *lines,
	struct error *err)
{
	enum lab_signing signing = LAB_SIGN_NONE;
	char *found = NULL;
	uint32_t serial;
	int rc = find_zone(dir, zone, &found, &signing, err);

	if (rc == 0)
		rc = rewrite(dir, pki, found, signing, NULL, NULL, lines, &serial, err);
	free(found);
	return rc;
}

void
lab_zone_list(struct buf *tsv, struct buf *nsd, const char *zone, enum lab_signing signing)
{
	bool is_root = strcmp(zone, ".") == 0;
	int without_dot = is_root ? 1 : (int)strlen(zone) - 1;

	buf_addf(tsv, "%s\t%s\n", zone, lab_signing_name(signing));
	buf_addf(nsd, "zone:\n\tname: \"%.*s\"\n\tzonefile: \"served/%.*s\"\n", without_dot, zone,
		is_root ? 4 : without_dot, is_root ? "root" : zone);
}

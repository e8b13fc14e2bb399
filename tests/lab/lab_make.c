#include "tests/lab/lab_make.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_hosts.h"
#include "tests/lab/lab_kinds.h"
#include "tests/lab/lab_pki.h"
#include "tests/lab/lab_zone.h"

enum {
	DOMAIN_TEXT_MAX =
		64 << 10, /* zone or policy of one domain: two hosts and a dozen records */
	HOSTS_MAX = 8,    /* of one domain or provider */
	NAME_MAX_LEN = 256,
	FIRST_SERIAL = 1,
	/* Addresses: each operator has a /24 below 127.1.0.0, MX hosts from .1, policy hosts .200
	 */
	OPERATORS_PER_16 = 250,
	POLICY_LAST_OCTET = 200,
	SECOND_ADDRESS_OFFSET = 100,
	IPV6_OFFSET = 50, /* of the IPv4 address that is mapped */
	POLICY_IPV6_LAST_OCTET = 201,
	NAME_SERVER_LAST_OCTET = 253,
	POD_HOSTS = 2,
	POD_DOMAINS = 150, /* about so many domains each */
	PODS_MAX = (POLICY_LAST_OCTET - 1) / POD_HOSTS,
};

/* Who hosts the mail of the world. Shares follow what crawls of real MX records find: a few names
 * carry most domains. */
static const struct provider_row {
	const char *name;
	int share;
	int hosts;       /* MX hosts it has; with per_domain it follows from the lab's size */
	int mx_each;     /* MX records each domain gets */
	bool per_domain; /* each domain has an MX name of its own, below the wildcard of a pod */
	bool dane;
	enum lab_signing signing;
} provider_rows[] = {
	{.name = "bigmail.test", .share = 36, .hosts = 5, .mx_each = 5, .signing = LAB_SIGN_NONE},
	{.name = "cloudpost.test",
		.share = 24,
		.mx_each = 1,
		.per_domain = true,
		.signing = LAB_SIGN_NONE},
	{.name = "hostico.test", .share = 8, .hosts = 4, .mx_each = 2, .signing = LAB_SIGN_NONE},
	{.name = "mailfarm.test", .share = 6, .hosts = 3, .mx_each = 2, .signing = LAB_SIGN_NSEC},
	{.name = "sharedbox.test", .share = 5, .hosts = 8, .mx_each = 1, .signing = LAB_SIGN_NONE},
	{.name = "postwerk.test", .share = 4, .hosts = 2, .mx_each = 2, .signing = LAB_SIGN_NSEC3},
	{.name = "webgarden.test", .share = 4, .hosts = 6, .mx_each = 2, .signing = LAB_SIGN_NONE},
	{.name = "courrier.test", .share = 3, .hosts = 2, .mx_each = 2, .signing = LAB_SIGN_NONE},
	{.name = "filtergate.test", .share = 3, .hosts = 4, .mx_each = 2, .signing = LAB_SIGN_NSEC},
	{.name = "uplink.test", .share = 2, .hosts = 2, .mx_each = 1, .signing = LAB_SIGN_NONE},
	{.name = "kabelnet.test", .share = 2, .hosts = 2, .mx_each = 1, .signing = LAB_SIGN_NONE},
	{.name = "campus-it.test", .share = 1, .hosts = 2, .mx_each = 2, .signing = LAB_SIGN_NSEC},
	{.name = "smallhost.test", .share = 1, .hosts = 1, .mx_each = 1, .signing = LAB_SIGN_NONE},
	{.name = "tinyhost.test", .share = 1, .hosts = 1, .mx_each = 1, .signing = LAB_SIGN_NONE},
	{.name = "daneland.test",
		.share = 60,
		.hosts = 4,
		.mx_each = 2,
		.dane = true,
		.signing = LAB_SIGN_NSEC},
	{.name = "tlsabase.test",
		.share = 30,
		.hosts = 3,
		.mx_each = 1,
		.dane = true,
		.signing = LAB_SIGN_NSEC3},
	{.name = "privacypost.test",
		.share = 10,
		.hosts = 2,
		.mx_each = 2,
		.dane = true,
		.signing = LAB_SIGN_NSEC},
};

struct provider {
	const struct provider_row *row;
	unsigned int operator_number;
	int pods; /* groups of POD_HOSTS addresses, as many as the lab's size asks for, of a
		   * provider whose row has no number of hosts */
	int hosts;
	bool per_domain; /* as in the row, unless the lab is made with so few MX hosts */
};

/* The MX hosts that own-hosted domains of one kind share for a while. */
struct own_group {
	int left;
	size_t count;
	char *names[HOSTS_MAX];
	unsigned int operator_number;
};

/* Zones that kinds write into beside their own, so that aliases can cross the border between signed
 * and unsigned. */
static const struct {
	const char *name;
	enum lab_signing signing;
} side_zones[] = {
	{"unsigned-side.test.", LAB_SIGN_NONE},
	{"signed-side.test.", LAB_SIGN_NSEC3},
	/* no validator believes it: what a verifier's self-test asks for */
	{LAB_BROKEN ".", LAB_SIGN_BAD_DS},
};

struct maker {
	const char *dir;
	const struct lab_make_options *options;
	struct lab_make_result *result;
	struct lab_pki *pki;
	uint64_t random;
	unsigned int operators;
	struct buf test_zone; /* the delegations */
	struct buf side[ARRAY_LEN(side_zones)];
	struct buf truth, domains, zones_tsv, nsd_zones;
	struct lab_hosts hosts;
	struct provider providers[ARRAY_LEN(provider_rows)];
	struct own_group *groups; /* one for each kind */
	size_t own_share;         /* with mx_hosts: domains in a row that use the same own hosts */
};

/* What is collected while one domain is made. */
struct draft {
	const struct lab_pki *pki;
	const char *domain; /* without the last dot */
	const struct lab_kind *kind;
	struct buf zone;
	struct buf *side; /* the maker's, one for each side zone */
	size_t mx_count;
	char *mx[HOSTS_MAX]; /* names without the last dot; owned */
	const struct provider *provider;
	unsigned int operator_number;
};

/* splitmix64: the same numbers from the same seed on every machine. */
static uint64_t
next_random(struct maker *m)
{
	uint64_t z = (m->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned int
dice(struct maker *m, unsigned int sides)
{
	return (unsigned int)(next_random(m) % sides);
}

static struct address
address_of(unsigned int operator_number, unsigned int last)
{
	const uint8_t bytes[] = {127, (uint8_t)(1 + operator_number / OPERATORS_PER_16),
		(uint8_t)(1 + operator_number % OPERATORS_PER_16), (uint8_t)last};
	struct address a;

	if (address_from_bytes(bytes, sizeof(bytes), 0, &a) < 0)
		abort();
	return a;
}

/* See lab_hosts.h. */
static struct address
ipv6_address_of(unsigned int operator_number, unsigned int last)
{
	struct address mapped = address_of(operator_number, last), a;
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

	memcpy(bytes + 12, &mapped.u.in.sin_addr, 4);
	if (address_from_bytes(bytes, sizeof(bytes), 0, &a) < 0)
		abort();
	return a;
}

/* --- texts ------------------------------------------------------------------------------------ */

/* "mx: NAME" lines; with a star in place of the first label, each pattern once. */
static void
add_mx_lines(struct buf *out, const struct draft *d, bool star)
{
	for (size_t i = 0; i < d->mx_count; i++) {
		const char *parent = strchr(d->mx[i], '.');

		if (!star || parent == NULL)
			buf_addf(out, "mx: %s\n", d->mx[i]);
		else if (i == 0 || strcmp(parent, strchr(d->mx[i - 1], '.')) != 0)
			buf_addf(out, "mx: *%s\n", parent);
	}
}

/* Fills in the $WORDS; the caller's to free. */
static char *
expand(const struct draft *d, const char *text)
{
	struct buf out;
	char address[ADDRESS_TEXT_SIZE];

	buf_init(&out, DOMAIN_TEXT_MAX);
	buf_add(&out, "", 0);
	for (const char *p = text; *p != '\0';) {
		size_t plain = strcspn(p, "$");

		buf_add(&out, p, plain);
		p += plain;
		if (strncmp(p, "$D", 2) == 0) {
			buf_add_str(&out, d->domain);
			p += 2;
		} else if (strncmp(p, "$L", 2) == 0) {
			buf_add(&out, d->domain, strcspn(d->domain, "."));
			p += 2;
		} else if (strncmp(p, "$A1", 3) == 0) {
			struct address a = address_of(d->operator_number, 1);

			address_format(&a, address);
			buf_add_str(&out, address);
			p += 3;
		} else if (strncmp(p, "$TLSA1", 6) == 0) {
			char *rdata = lab_pki_tlsa(d->pki, d->mx[0], LAB_CERT_OK, 3, 1, 1);

			buf_add_str(&out, rdata);
			free(rdata);
			p += 6;
		} else if (strncmp(p, "$MX", 3) == 0) {
			add_mx_lines(&out, d, false);
			p += 3;
		} else if (strncmp(p, "$WILD", 5) == 0) {
			add_mx_lines(&out, d, true);
			p += 5;
		} else if (*p != '\0') {
			abort(); /* a kind has a word we do not know */
		}
	}
	if (buf_failed(&out))
		abort();
	return buf_take(&out);
}

/* Calls back for each part between "|", expanded. */
static void
each_part(struct draft *d, const char *text, void (*add)(struct draft *, const char *))
{
	for (const char *p = text; p != NULL;) {
		size_t len = strcspn(p, "|");
		char *part = xstrndup(p, len), *full = expand(d, part);

		add(d, full);
		free(full);
		free(part);
		p = p[len] == '|' ? p + len + 1 : NULL;
	}
}

static void
add_rr(struct buf *zone, const char *owner, const char *type, const char *rdata)
{
	buf_addf(zone, "%s. %d IN %s %s\n", owner, LAB_TTL_S, type, rdata);
}

static void
add_address(struct buf *zone, const char *owner, const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(a, text);
	add_rr(zone, owner, address_is_ipv6(a) ? "AAAA" : "A", text);
}

static void
add_txt(struct buf *zone, const char *owner, const char *text)
{
	buf_addf(zone, "%s. %d IN TXT ", owner, LAB_TTL_S);
	lab_zone_txt(zone, text);
	buf_add_char(zone, '\n');
}

/* Where the records of a name go; without its last dot. */
static struct buf *
zone_of(struct draft *d, const char *owner)
{
	size_t len = strlen(owner);

	for (size_t i = 0; i < ARRAY_LEN(side_zones); i++) {
		size_t n = strlen(side_zones[i].name) - 1;

		if (len > n && owner[len - n - 1] == '.' &&
			strncmp(owner + len - n, side_zones[i].name, n) == 0)
			return &d->side[i];
	}
	return &d->zone;
}

static void
add_mx(struct draft *d, const char *rdata)
{
	add_rr(&d->zone, d->domain, "MX", rdata);
}

static void
add_record(struct draft *d, const char *record)
{
	char owner[NAME_MAX_LEN], type[16];
	int used = 0;

	if (sscanf(record, "%255s %15s %n", owner, type, &used) != 2)
		abort();
	owner[strlen(owner) - 1] = '\0';
	add_rr(zone_of(d, owner), owner, type, record + used);
}

static void
add_sts(struct draft *d, const char *text)
{
	char *owner = xasprintf("_mta-sts.%s", d->domain);

	add_txt(&d->zone, owner, text);
	free(owner);
}

static void
add_optin(struct draft *d, const char *text)
{
	char *owner = xasprintf("_preload25.%s", d->domain);

	add_txt(&d->zone, owner, text);
	free(owner);
}

/* --- hosts ------------------------------------------------------------------------------------ */

static enum lab_cert
cert_of(const char *behaviour)
{
	struct lab_behaviour b;
	struct error err = {0};

	if (lab_behaviour_parse(behaviour, &b, &err) < 0) {
		fprintf(stderr, "lab: %s\n", err.text);
		abort(); /* the tables of kinds and behaviours disagree */
	}
	return b.cert;
}

/* spec: see struct lab_kind_host. */
static void
add_tlsa(struct maker *m, struct buf *zone, const char *host, const char *behaviour,
	const char *spec)
{
	char *owner = xasprintf("_25._tcp.%s", host);

	for (const char *p = spec; p != NULL;) {
		size_t len = strcspn(p, ";");
		char *one = xstrndup(p, len), *rdata = NULL;
		int usage, selector, matching;

		if (one[0] == '=') {
			rdata = xstrdup(one + 1);
		} else {
			if (sscanf(one, "%d %d %d", &usage, &selector, &matching) != 3)
				abort();
			rdata = (strstr(one, " bad") != NULL ? lab_pki_former_tlsa : lab_pki_tlsa)(
				m->pki, host, cert_of(behaviour), usage, selector, matching);
		}
		add_rr(zone, owner, "TLSA", rdata);
		free(rdata);
		free(one);
		p = p[len] == ';' ? p + len + 1 : NULL;
	}
	free(owner);
}

static void
add_smtp_host(struct maker *m, struct buf *zone, const char *name, unsigned int operator_number,
	unsigned int last, const struct lab_kind_host *host)
{
	struct address a = address_of(operator_number, last);

	lab_hosts_add(&m->hosts, LAB_SMTP, &a, name, host->behaviour);
	if (!host->no_address)
		add_address(zone, name, &a);
	if (host->also != NULL) {
		a = address_of(operator_number, last + SECOND_ADDRESS_OFFSET);
		lab_hosts_add(&m->hosts, LAB_SMTP, &a, name, host->also);
		add_address(zone, name, &a);
	}
	if (host->ipv6 != NULL) {
		a = ipv6_address_of(operator_number, last + IPV6_OFFSET);
		if (host->ipv6_at != NULL && address_from_text(host->ipv6_at, 0, &a) < 0)
			abort();
		lab_hosts_add(&m->hosts, LAB_SMTP, &a, name, host->ipv6);
		add_address(zone, name, &a);
	}
	if (host->tlsa != NULL)
		add_tlsa(m, zone, name, host->behaviour, host->tlsa);
	m->result->mx_hosts++;
}

/* --- zones ------------------------------------------------------------------------------------ */

/* zone ends in a dot. */
static int
finish_zone(struct maker *m, const char *zone, enum lab_signing signing, const struct buf *src,
	struct error *err)
{
	if (lab_zone_write(m->dir, m->pki, zone, signing, src, err) < 0)
		return -1;
	lab_zone_list(&m->zones_tsv, &m->nsd_zones, zone, signing);
	m->result->zones++;
	if (signing != LAB_SIGN_NONE && signing != LAB_SIGN_MISSING &&
		signing != LAB_SIGN_UNKNOWN_ALG)
		m->result->signed_zones++;
	return 0;
}

static int
make_provider(struct maker *m, struct provider *p, struct error *err)
{
	static const struct lab_kind_host good = {.behaviour = "ok"};
	static const struct lab_kind_host good_tlsa = {.behaviour = "ok", .tlsa = "3 1 1"};
	static const struct lab_kind_host wild = {.behaviour = "wildcard"};
	const struct provider_row *row = p->row;
	char *zone_name = xasprintf("%s.", row->name), *name;
	struct address policy_address;
	struct buf zone;
	int rc;

	p->operator_number = m->operators++;
	buf_init(&zone, DOMAIN_TEXT_MAX);
	lab_zone_begin(&zone, zone_name, NULL, FIRST_SERIAL);
	p->pods = (int)(m->options->domains * (size_t)row->share / 100 / POD_DOMAINS) + 1;
	if (p->pods > PODS_MAX)
		p->pods = PODS_MAX;
	p->hosts = row->per_domain ? p->pods * POD_HOSTS : row->hosts;
	p->per_domain = row->per_domain && m->options->mx_hosts == 0;
	for (int i = 0; i < p->hosts; i++) {
		name = p->per_domain ? xasprintf("*.mx%d.%s", i / POD_HOSTS + 1, row->name)
				     : xasprintf("mx%d.%s", i + 1, row->name);
		add_smtp_host(m, &zone, name, p->operator_number, (unsigned int)i + 1,
			p->per_domain       ? &wild
				: row->dane ? &good_tlsa
					    : &good);
		free(name);
	}
	name = xasprintf("mta-sts-clients.%s", row->name);
	policy_address = address_of(p->operator_number, POLICY_LAST_OCTET);
	add_address(&zone, name, &policy_address);
	free(name);
	name = xasprintf("_mta-sts-clients.%s", row->name);
	add_txt(&zone, name, "v=STSv1; id=20260101T000000;");
	free(name);
	lab_zone_delegate(&m->test_zone, m->pki, zone_name, NULL, row->signing);
	rc = finish_zone(m, zone_name, row->signing, &zone, err);
	buf_clear(&zone);
	free(zone_name);
	return rc;
}

static struct provider *
pick_provider(struct maker *m, bool dane, bool first)
{
	int total = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(provider_rows); i++)
		total += provider_rows[i].dane == dane ? provider_rows[i].share : 0;
	at = first ? 0 : (int)dice(m, (unsigned int)total);
	for (size_t i = 0; i < ARRAY_LEN(provider_rows); i++) {
		if (provider_rows[i].dane != dane)
			continue;
		at -= provider_rows[i].share;
		if (at < 0)
			return &m->providers[i];
	}
	abort();
}

/* --- one domain ------------------------------------------------------------------------------- */

static void
hosts_from_provider(struct maker *m, struct draft *d, bool first)
{
	const struct provider *p = pick_provider(m, d->kind->hosting == LAB_HOSTED_DANE, first);
	int start = (int)dice(m, (unsigned int)(p->per_domain ? p->pods : p->hosts));

	d->provider = p;
	d->operator_number = p->operator_number;
	if (p->per_domain) {
		char *label = expand(d, "$L");

		d->mx[d->mx_count++] =
			xasprintf("%s-test.mx%d.%s", label, start % p->pods + 1, p->row->name);
		free(label);
		return;
	}
	for (int i = 0; i < p->row->mx_each; i++)
		d->mx[d->mx_count++] =
			xasprintf("mx%d.%s", (start + i) % p->hosts + 1, p->row->name);
}

static void
hosts_of_its_own(struct maker *m, struct draft *d, struct own_group *group)
{
	const struct lab_kind *kind = d->kind;

	if (group->left > 0) { /* at a neighbour of the same kind */
		group->left--;
		d->operator_number = group->operator_number;
		for (size_t i = 0; i < group->count; i++)
			d->mx[d->mx_count++] = xstrdup(group->names[i]);
		return;
	}
	d->operator_number = m->operators++;
	for (size_t i = 0; i < ARRAY_LEN(kind->host) && kind->host[i].behaviour != NULL; i++) {
		const struct lab_kind_host *host = &kind->host[i];
		char *template = xasprintf("mx%zu.$D", i + 1);
		char *name = expand(d, host->name != NULL ? host->name : template);

		add_smtp_host(
			m, zone_of(d, name), name, d->operator_number, (unsigned int)i + 1, host);
		d->mx[d->mx_count++] = name;
		free(template);
	}
	for (size_t i = 0; i < group->count; i++)
		free(group->names[i]);
	group->left = kind->share > 0 ? kind->share - 1 : 0;
	if (m->own_share > 0)
		group->left = (int)m->own_share - 1;
	if (kind->sinner && m->options->sinners > 0)
		group->left = 0; /* so many hosts, not so many domains */
	group->operator_number = d->operator_number;
	group->count = d->mx_count;
	for (size_t i = 0; i < d->mx_count; i++)
		group->names[i] = xstrdup(d->mx[i]);
}

static int
write_policy(struct maker *m, struct draft *d, struct error *err)
{
	char *text = expand(d, d->kind->policy),
	     *path = xasprintf("%s/policies/%s", m->dir, d->domain);
	/* RFC 8461 wants CR LF; every fourth file has LF alone, as in life */
	bool crlf = dice(m, 4) != 0;
	FILE *f = fopen(path, "we");
	int rc = 0;

	if (f != NULL) {
		for (const char *p = text; *p != '\0'; p++) {
			if (*p == '\n' && crlf)
				fputc('\r', f);
			fputc(*p, f);
		}
	}
	if (f == NULL || fclose(f) != 0)
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	free(path);
	free(text);
	return rc;
}

static int
add_policy_host(struct maker *m, struct draft *d, struct error *err)
{
	const char *behaviour = d->kind->policy_host;
	char *name = xasprintf("mta-sts.%s", d->domain), *target = NULL;
	struct address a = address_of(d->operator_number, POLICY_LAST_OCTET);
	int rc = 0;

	if (behaviour != NULL && strcmp(behaviour, "-") == 0)
		goto out;
	if (behaviour != NULL && strcmp(behaviour, "special") == 0) {
		add_rr(&d->zone, name, "A", "10.0.0.1");
		goto out;
	}
	if (behaviour != NULL && strcmp(behaviour, "special-ipv6") == 0) {
		add_rr(&d->zone, name, "AAAA", "fd00::1");
		goto out;
	}
	rc = write_policy(m, d, err);
	if (behaviour != NULL && strcmp(behaviour, "cname") == 0) {
		target = xasprintf("mta-sts-clients.%s.", d->provider->row->name);
		add_rr(&d->zone, name, "CNAME", target);
		behaviour = NULL;
	} else if (behaviour != NULL && str_starts(behaviour, "ipv6:")) {
		behaviour += strlen("ipv6:");
		a = ipv6_address_of(m->operators++, POLICY_IPV6_LAST_OCTET);
		add_address(&d->zone, name, &a);
	} else {
		if (behaviour != NULL) /* does not share the fate of the provider's others */
			a = address_of(m->operators++, POLICY_LAST_OCTET);
		add_address(&d->zone, name, &a);
	}
	lab_hosts_add(&m->hosts, LAB_HTTPS, &a, name, behaviour != NULL ? behaviour : "ok");
	m->result->policy_hosts++;
out:
	free(target);
	free(name);
	return rc;
}

static void
add_truth(struct maker *m, const struct draft *d)
{
	const struct lab_kind *k = d->kind;
	bool eligible = strcmp(k->verdict, "pass") == 0;
	bool unasked = strcmp(k->verdict, "unasked") == 0;
	const char *p;

	buf_addf(&m->truth, "{\"domain\":\"%s\",\"kind\":\"%s\",\"verdict\":\"%s\",\"eligible\":%s",
		d->domain, k->name, unasked ? "pass" : k->verdict, eligible ? "true" : "false");
	if (k->auth != NULL)
		buf_addf(&m->truth, ",\"auth\":[%s]",
			strcmp(k->auth, "dane pkix") == 0      ? "\"dane\",\"pkix\""
				: strcmp(k->auth, "dane") == 0 ? "\"dane\""
							       : "\"pkix\"");
	if (k->mode != NULL)
		buf_addf(&m->truth, ",\"mode\":\"%s\"", k->mode);
	buf_add_str(&m->truth, ",\"codes\":[");
	for (p = k->codes; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, " ");

		buf_addf(&m->truth, "%s\"%.*s\"", p == k->codes ? "" : ",", (int)len, p);
		p += len + (p[len] == ' ');
	}
	buf_add_str(&m->truth, "]}\n");
	buf_addf(&m->domains, "%s\n", d->domain);
	m->result->domains++;
}

static enum lab_signing
any_signing(struct maker *m)
{
	unsigned int n = dice(m, 100);

	/* Few domains are signed; those that must be for their kind come on top. */
	return n < 75 ? LAB_SIGN_NONE : n < 90 ? LAB_SIGN_NSEC : LAB_SIGN_NSEC3;
}

static int
fill_domain(struct maker *m, struct draft *d, bool first_provider, struct error *err)
{
	const struct lab_kind *kind = d->kind;
	const char *tlsrpt = kind->tlsrpt;
	char *name;

	if (kind->hosting == LAB_OWN)
		hosts_of_its_own(m, d, &m->groups[kind - lab_kinds]);
	else
		hosts_from_provider(m, d, first_provider);
	if (kind->mx == NULL) {
		for (size_t i = 0; i < d->mx_count; i++) {
			name = xasprintf("%zu %s.", 10 * (i + 1), d->mx[i]);
			add_mx(d, name);
			free(name);
		}
	} else if (strcmp(kind->mx, "-") != 0) {
		each_part(d, kind->mx, add_mx);
	}
	if (kind->zone != LAB_ZONE_PARENT)
		add_txt(&d->zone, d->domain, "v=spf1 mx -all");
	if (kind->records != NULL)
		each_part(d, kind->records, add_record);
	if (kind->policy_host != NULL && strcmp(kind->policy_host, "cname") == 0) {
		char *owner = xasprintf("_mta-sts.%s", d->domain);

		name = xasprintf("_mta-sts-clients.%s.", d->provider->row->name);
		add_rr(&d->zone, owner, "CNAME", name);
		free(name);
		free(owner);
	} else if (kind->sts != NULL) {
		each_part(d, kind->sts, add_sts);
	}
	if (kind->policy != NULL && add_policy_host(m, d, err) < 0)
		return -1;
	if (kind->optin != NULL)
		each_part(d, kind->optin, add_optin);
	if (dice(m, 2) == 0 && tlsrpt == NULL)
		tlsrpt = "v=TLSRPTv1; rua=mailto:tlsrpt@reports.test";
	if (tlsrpt != NULL && strcmp(tlsrpt, "-") != 0) {
		name = xasprintf("_smtp._tls.%s", d->domain);
		add_txt(&d->zone, name, tlsrpt);
		free(name);
	}
	return 0;
}

/* A zone below that NSD is told to serve but has no file of. */
static int
make_broken_zone(struct maker *m, struct draft *d, struct error *err)
{
	char *name = expand(d, d->kind->broken_zone), *zone = xasprintf("%s.", name);
	struct buf src;
	int rc;

	buf_init(&src, DOMAIN_TEXT_MAX);
	lab_zone_begin(&src, zone, NULL, FIRST_SERIAL);
	lab_zone_delegate(&d->zone, m->pki, zone, NULL, LAB_SIGN_MISSING);
	rc = finish_zone(m, zone, LAB_SIGN_MISSING, &src, err);
	buf_clear(&src);
	free(zone);
	free(name);
	return rc;
}

/* The domain's zone has a name server of its own, with a script. Returns its name; the caller's. */
static char *
add_scripted_name_server(struct maker *m, struct draft *d)
{
	struct address a = address_of(m->operators++, NAME_SERVER_LAST_OCTET);
	char *name = xasprintf("ns.%s", d->domain), *fqdn = xasprintf("%s.", name);

	lab_hosts_add(&m->hosts, LAB_DNS, &a, d->domain, d->kind->dns);
	add_address(&d->zone, name, &a);
	add_address(&m->test_zone, name, &a); /* glue */
	free(name);
	return fqdn;
}

static int
make_domain(struct maker *m, const char *domain, const struct lab_kind *kind,
	const struct lab_story *story, struct error *err)
{
	struct draft d = {.pki = m->pki, .domain = domain, .kind = kind, .side = m->side};
	char *zone_name = xasprintf("%s.", domain), *name_server = NULL;
	enum lab_signing signing;
	int rc = -1;

	buf_init(&d.zone, DOMAIN_TEXT_MAX);
	if (kind->zone == LAB_ZONE_ABSENT) {
		rc = 0;
		goto out;
	}
	if (kind->zone == LAB_ZONE_PARENT) {
		rc = fill_domain(m, &d, story != NULL, err);
		buf_add(&m->test_zone, buf_str(&d.zone), d.zone.len);
		goto out;
	}
	signing = story != NULL && story->unsigned_zone ? LAB_SIGN_NONE
		: kind->zone == LAB_ZONE_ANY            ? any_signing(m)
							: (enum lab_signing)kind->zone;
	if (kind->dns != NULL)
		name_server = add_scripted_name_server(m, &d);
	lab_zone_begin(&d.zone, zone_name, name_server, FIRST_SERIAL);
	if (story != NULL) /* does not move in with a neighbour */
		m->groups[kind - lab_kinds].left = 0;
	if (fill_domain(m, &d, story != NULL, err) < 0 ||
		(kind->broken_zone != NULL && make_broken_zone(m, &d, err) < 0))
		goto out;
	if (story != NULL)
		m->groups[kind - lab_kinds].left = 0;
	lab_zone_delegate(&m->test_zone, m->pki, zone_name, name_server, signing);
	rc = finish_zone(m, zone_name, signing, &d.zone, err);
out:
	if (rc == 0)
		add_truth(m, &d);
	else
		error_prefix(err, "%s", domain);
	for (size_t i = 0; i < d.mx_count; i++)
		free(d.mx[i]);
	buf_clear(&d.zone);
	free(name_server);
	free(zone_name);
	return rc;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* As many of each sinning kind. */
static void
add_sinners(size_t sinners, size_t *counts)
{
	size_t kinds = 0;

	for (size_t i = 0; i < lab_kinds_count; i++)
		kinds += lab_kinds[i].sinner;
	for (size_t i = 0, k = 0; i < lab_kinds_count; i++) {
		if (lab_kinds[i].sinner) {
			counts[i] += sinners / kinds + (k < sinners % kinds);
			k++;
		}
	}
}

/* Machines and containers without ::1 are many. */
static bool
has_address(const char *text)
{
	struct address a;
	bool has;
	int fd;

	if (address_from_text(text, 0, &a) < 0)
		abort();
	fd = socket(a.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	has = fd >= 0 && bind(fd, &a.u.sa, address_len(&a)) == 0;
	if (fd >= 0)
		close(fd);
	return has;
}

/* By weight, those named; the last one takes the rest. */
static int
count_named_kinds(const struct lab_make_options *o, size_t *counts, struct error *err)
{
	char *list = xstrdup(o->kinds), *save = NULL;
	const struct lab_kind *last = NULL;
	size_t weights = 0, sum = 0;
	int rc = -1;

	for (char *name = strtok_r(list, ",", &save); name != NULL;
		name = strtok_r(NULL, ",", &save)) {
		last = lab_kind_find(name);
		if (last == NULL) {
			error_set(err, ERROR_CONFIG, "no kind \"%s\"", name);
			goto out;
		}
		counts[last - lab_kinds] = (size_t)last->weight;
		weights += (size_t)last->weight;
	}
	if (last == NULL) {
		error_set(err, ERROR_CONFIG, "no kind is named");
		goto out;
	}
	for (size_t i = 0; i < lab_kinds_count; i++) {
		counts[i] = counts[i] * o->domains / weights;
		sum += counts[i];
	}
	counts[last - lab_kinds] += o->domains - sum;
	rc = 0;
out:
	free(list);
	return rc;
}

/* How many domains of each kind: by weight, within least and most; sts-enforce takes the rest. */
static int
count_kinds(const struct lab_make_options *o, size_t *counts, struct error *err)
{
	size_t sum = lab_stories_count, filler = (size_t)(lab_kind_find("sts-enforce") - lab_kinds);
	int weights = 0;

	if (o->kinds != NULL)
		return count_named_kinds(o, counts, err);
	for (size_t i = 0; i < lab_kinds_count; i++)
		weights += lab_kinds[i].weight;
	for (size_t i = 0; i < lab_kinds_count; i++) {
		const struct lab_kind *k = &lab_kinds[i];
		size_t least = k->least > 0 ? (size_t)k->least : 1;

		counts[i] = o->domains * (size_t)k->weight / (size_t)weights;
		if (k->most > 0 && counts[i] > (size_t)k->most)
			counts[i] = (size_t)k->most;
		if (counts[i] < least)
			counts[i] = least;
		if (k->host[0].ipv6_at != NULL && !has_address(k->host[0].ipv6_at)) {
			fprintf(stderr, "lab: no address %s here: no domain of kind %s\n",
				k->host[0].ipv6_at, k->name);
			counts[i] = 0;
		}
		sum += i == filler ? 0 : counts[i];
	}
	if (sum >= o->domains)
		return error_set(err, ERROR_CONFIG, "a lab has at least %zu domains", sum + 1);
	counts[filler] = o->domains - sum;
	add_sinners(o->sinners, counts);
	return 0;
}

/* How many domains in a row must use the same own hosts for the lab to have so few of them. */
static size_t
own_share(const struct maker *m, const size_t *counts)
{
	size_t wanted = m->options->mx_hosts, made = m->result->mx_hosts, own = 0;

	for (size_t i = 0; i < lab_kinds_count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(lab_kinds[i].host); k++) {
			if (lab_kinds[i].hosting == LAB_OWN &&
				lab_kinds[i].host[k].behaviour != NULL)
				own += counts[i];
		}
	}
	if (wanted == 0 || own == 0)
		return 0;
	return wanted > made ? (own - 1) / (wanted - made) + 1 : own;
}

static int
make_domains(struct maker *m, struct error *err)
{
	size_t *counts = xcalloc(lab_kinds_count, sizeof(*counts));
	size_t *order = NULL, total = 0, n = 0;
	size_t *made = xcalloc(lab_kinds_count, sizeof(*made));
	int rc = -1;

	if (count_kinds(m->options, counts, err) < 0)
		goto out;
	m->own_share = own_share(m, counts);
	for (size_t i = 0; m->options->kinds == NULL && i < lab_stories_count; i++) {
		const struct lab_story *s = &lab_stories[i];

		if (make_domain(m, s->domain, lab_kind_find(s->kind), s, err) < 0)
			goto out;
	}
	for (size_t i = 0; i < lab_kinds_count; i++)
		total += counts[i];
	order = xcalloc(total, sizeof(*order));
	for (size_t i = 0; i < lab_kinds_count; i++) {
		for (size_t j = 0; j < counts[i]; j++)
			order[n++] = i;
	}
	for (size_t i = total - 1; i > 0; i--) { /* mixed, as a list of domains is */
		size_t j = next_random(m) % (i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (size_t i = 0; i < total; i++) {
		char *domain = xasprintf("%s-%zu.test", lab_kinds[order[i]].name, ++made[order[i]]);

		rc = make_domain(m, domain, &lab_kinds[order[i]], NULL, err);
		free(domain);
		if (rc < 0)
			goto out;
	}
	rc = 0;
out:
	free(made);
	free(order);
	free(counts);
	return rc;
}

/* Its further addresses are for those who iterate: nothing need be there, or a lame server. Those
 * who forward to NSD never look. */
static void
add_name_server(struct buf *zone)
{
	for (int i = 1; i <= 3; i++)
		buf_addf(zone, "ns.test. %d IN A 127.0.0.%d\n", LAB_TTL_S, i);
}

/* What a vantage point tests itself with: a mail host that is no domain's. */
static void
add_reference(struct maker *m)
{
	struct address a;

	if (address_from_text(LAB_REFERENCE_ADDRESS, 0, &a) < 0)
		abort();
	lab_hosts_add(&m->hosts, LAB_SMTP, &a, LAB_REFERENCE, "ok");
	add_address(&m->test_zone, LAB_REFERENCE, &a);
}

static int
make_sides(struct maker *m, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(side_zones); i++) {
		const char *name = side_zones[i].name;

		lab_zone_delegate(&m->test_zone, m->pki, name, NULL, side_zones[i].signing);
		if (finish_zone(m, name, side_zones[i].signing, &m->side[i], err) < 0)
			return -1;
	}
	return 0;
}

static int
make_top(struct maker *m, struct error *err)
{
	struct buf root;
	int rc = -1;

	buf_init(&root, DOMAIN_TEXT_MAX);
	lab_zone_begin(&root, ".", NULL, FIRST_SERIAL);
	lab_zone_delegate(&root, m->pki, "test.", NULL, LAB_SIGN_NSEC);
	add_name_server(&root);
	if (finish_zone(m, ".", LAB_SIGN_NSEC, &root, err) < 0 ||
		finish_zone(m, "test.", LAB_SIGN_NSEC, &m->test_zone, err) < 0)
		goto out;
	rc = 0;
out:
	buf_clear(&root);
	return rc;
}

static int
write_file(struct maker *m, const char *name, const struct buf *text, struct error *err)
{
	char *path = xasprintf("%s/%s", m->dir, name);
	int rc;

	if (buf_failed(text))
		rc = error_set(err, ERROR_INPUT, "%s: too large", path);
	else
		rc = file_replace(path, buf_str(text), text->len, 0644, err);
	free(path);
	return rc;
}

static int
write_lists(struct maker *m, struct error *err)
{
	char *ds = lab_zone_ds(m->pki, ".");
	struct buf text;
	int rc = -1;

	buf_init(&text, DOMAIN_TEXT_MAX);
	buf_addf(&text, "%s\n", ds);
	if (write_file(m, "trust-anchor.key", &text, err) < 0)
		goto out;
	buf_reset(&text);
	buf_addf(&text, "%u %u %u\n", m->options->dns_port, m->options->smtp_port,
		m->options->https_port);
	if (write_file(m, "ports", &text, err) < 0 ||
		write_file(m, "truth.jsonl", &m->truth, err) < 0 ||
		write_file(m, "domains.txt", &m->domains, err) < 0 ||
		write_file(m, "zones.tsv", &m->zones_tsv, err) < 0 ||
		write_file(m, "nsd-zones.conf", &m->nsd_zones, err) < 0 ||
		lab_hosts_save(m->dir, &m->hosts, err) < 0)
		goto out;
	rc = 0;
out:
	buf_clear(&text);
	free(ds);
	return rc;
}

static int
prepare_folder(const char *dir, struct error *err)
{
	static const char *const folders[] = {"zones", "served", "policies", "mail", "run"};
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			closedir(d);
			return error_set(err, ERROR_CONFIG, "%s: not empty", dir);
		}
	}
	if (d != NULL)
		closedir(d);
	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0; i++) {
		char *path = xasprintf("%s/%s", dir, folders[i]);

		rc = file_mkdirs(path, 0755, err);
		free(path);
	}
	return rc;
}

int
lab_make(const char *dir, const struct lab_make_options *options, struct lab_make_result *result,
	struct error *err)
{
	struct maker m = {
		.dir = dir, .options = options, .result = result, .random = options->seed};
	int rc = -1;

	memset(result, 0, sizeof(*result));
	buf_init(&m.test_zone, LAB_ZONE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(side_zones); i++)
		buf_init(&m.side[i], LAB_ZONE_MAX);
	buf_init(&m.truth, LAB_ZONE_MAX);
	buf_init(&m.domains, LAB_ZONE_MAX);
	buf_init(&m.zones_tsv, LAB_ZONE_MAX);
	buf_init(&m.nsd_zones, LAB_ZONE_MAX);
	m.groups = xcalloc(lab_kinds_count, sizeof(*m.groups));
	if (prepare_folder(dir, err) < 0 || lab_pki_make(dir, options->made_s, &m.pki, err) < 0)
		goto out;
	lab_zone_begin(&m.test_zone, "test.", NULL, FIRST_SERIAL);
	add_name_server(&m.test_zone);
	/* the name our own programs give in EHLO */
	buf_addf(&m.test_zone, "probe.test. %d IN A 127.0.0.1\n", LAB_TTL_S);
	add_reference(&m);
	for (size_t i = 0; i < ARRAY_LEN(provider_rows); i++) {
		m.providers[i].row = &provider_rows[i];
		if (make_provider(&m, &m.providers[i], err) < 0)
			goto out;
	}
	for (size_t i = 0; i < ARRAY_LEN(side_zones); i++)
		lab_zone_begin(&m.side[i], side_zones[i].name, NULL, FIRST_SERIAL);
	if (make_domains(&m, err) < 0 || make_sides(&m, err) < 0 || make_top(&m, err) < 0 ||
		write_lists(&m, err) < 0)
		goto out;
	rc = 0;
out:
	for (size_t i = 0; i < lab_kinds_count; i++) {
		for (size_t j = 0; j < m.groups[i].count; j++)
			free(m.groups[i].names[j]);
	}
	free(m.groups);
	lab_hosts_clear(&m.hosts);
	buf_clear(&m.test_zone);
	for (size_t i = 0; i < ARRAY_LEN(side_zones); i++)
		buf_clear(&m.side[i]);
	buf_clear(&m.truth);
	buf_clear(&m.domains);
	buf_clear(&m.zones_tsv);
	buf_clear(&m.nsd_zones);
	lab_pki_free(m.pki);
	return rc;
}

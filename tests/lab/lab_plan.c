#include "tests/lab/lab_plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_hosts.h"
#include "tests/lab/lab_pki.h"
#include "tests/lab/lab_zone.h"

#define PARENT "test."

enum {
	PLAN_MAX = 1 << 20,
	PLAN_ZONE_MAX = 1 << 20,
	PLAN_ZONES_MAX = 1000,
	FIRST_SERIAL = 1,
	WORDS_MAX = 7,
};

struct plan_zone {
	char *name; /* owned; with the last dot */
	enum lab_signing signing;
	struct buf text;
};

struct plan {
	const char *dir;
	struct lab_pki *pki;
	struct lab_hosts hosts;
	struct plan_zone *zones;
	size_t zone_count;
	struct buf delegations; /* for the zone they all are below */
};

static struct plan_zone *
zone_of(const struct plan *p, const char *owner)
{
	size_t n = strlen(owner);

	for (size_t i = 0; i < p->zone_count; i++) {
		size_t z = strlen(p->zones[i].name) - 1;

		/* None is below another one: each is one label below the same parent. */
		if (n >= z && memcmp(owner + n - z, p->zones[i].name, z) == 0 &&
			(n == z || owner[n - z - 1] == '.'))
			return &p->zones[i];
	}
	return NULL;
}

static int
add_record(
	struct plan *p, const char *owner, const char *type, const char *rdata, struct error *err)
{
	struct plan_zone *zone = zone_of(p, owner);

	if (zone == NULL)
		return error_set(err, ERROR_INPUT, "%s: in no zone of the plan", owner);
	buf_addf(&zone->text, "%s. %d IN %s %s\n", owner, LAB_TTL_S, type, rdata);
	return 0;
}

static int
on_zone(struct plan *p, char **w, size_t count, struct error *err)
{
	enum lab_signing signing;
	struct plan_zone *zone;
	bool known;
	char *path;

	if (count != 3 || lab_signing_parse(w[2], &signing) < 0)
		return error_set(err, ERROR_INPUT, "not: zone NAME SIGNING");
	if (strchr(w[1], '.') == NULL || strcmp(strchr(w[1], '.') + 1, "test") != 0)
		return error_set(err, ERROR_INPUT, "%s: not one label below test", w[1]);
	if (zone_of(p, w[1]) != NULL)
		return error_set(err, ERROR_INPUT, "%s: named twice", w[1]);
	path = xasprintf("%s/zones/%s", p->dir, w[1]);
	known = file_exists(path);
	free(path);
	if (known)
		return error_set(err, ERROR_INPUT, "%s: the lab has this zone", w[1]);
	if (p->zone_count == PLAN_ZONES_MAX)
		return error_set(err, ERROR_INPUT, "too many zones");
	zone = &p->zones[p->zone_count++];
	zone->name = xasprintf("%s.", w[1]);
	zone->signing = signing;
	buf_init(&zone->text, PLAN_ZONE_MAX);
	lab_zone_begin(&zone->text, zone->name, NULL, FIRST_SERIAL);
	lab_zone_delegate(&p->delegations, p->pki, zone->name, NULL, signing);
	return 0;
}

static int
on_host(struct plan *p, char **w, size_t count, struct error *err)
{
	struct lab_behaviour parsed;
	struct address address;

	if (count != 4 || address_from_text(w[2], 0, &address) < 0)
		return error_set(err, ERROR_INPUT, "not: host NAME ADDRESS BEHAVIOUR");
	if (lab_behaviour_parse(w[3], &parsed, err) < 0)
		return -1;
	lab_hosts_add(&p->hosts, LAB_SMTP, &address, w[1], w[3]);
	return add_record(p, w[1], address_is_ipv6(&address) ? "AAAA" : "A", w[2], err);
}

static int
on_tlsa(struct plan *p, char **w, size_t count, struct error *err)
{
	struct lab_behaviour parsed;
	char *owner, *rdata, form[3];
	bool bad = count == 7;
	int rc;

	if (count < 6 || (bad && strcmp(w[6], "bad") != 0))
		return error_set(err, ERROR_INPUT, "not: tlsa NAME BEHAVIOUR U S M [bad]");
	for (size_t i = 0; i < ARRAY_LEN(form); i++) {
		form[i] = w[3 + i][0];
		if (form[i] < '0' || form[i] > '3' || w[3 + i][1] != '\0')
			return error_set(
				err, ERROR_INPUT, "\"%s\" is no number of a TLSA record", w[3 + i]);
	}
	if (bad && form[0] != '3' && form[0] != '1')
		return error_set(err, ERROR_INPUT, "bad is a host's key: usage 3 or 1");
	if (lab_behaviour_parse(w[2], &parsed, err) < 0)
		return -1;
	rdata = (bad ? lab_pki_former_tlsa : lab_pki_tlsa)(
		p->pki, w[1], parsed.cert, form[0] - '0', form[1] - '0', form[2] - '0');
	owner = xasprintf("_25._tcp.%s", w[1]);
	rc = add_record(p, owner, "TLSA", rdata, err);
	free(owner);
	free(rdata);
	return rc;
}

/* Divides the line into words, the last of which goes to the end of the line. */
static size_t
split(char *line, char **words, size_t max)
{
	size_t count = 0;
	char *p = line;

	for (;;) {
		p += strspn(p, " \t");
		if (*p == '\0')
			return count;
		words[count++] = p;
		if (count == max)
			return count;
		p += strcspn(p, " \t");
		if (*p != '\0')
			*p++ = '\0';
	}
}

static int
on_line(struct plan *p, char *line, struct error *err)
{
	char *w[WORDS_MAX] = {NULL};
	bool record = str_starts(line, "record ");
	size_t count = split(line, w, record ? 4 : WORDS_MAX);

	if (count == 0 || w[0][0] == '#')
		return 0;
	if (record)
		return count == 4 ? add_record(p, w[1], w[2], w[3], err)
				  : error_set(err, ERROR_INPUT, "not: record OWNER TYPE RDATA");
	if (strcmp(w[0], "zone") == 0)
		return on_zone(p, w, count, err);
	if (strcmp(w[0], "host") == 0)
		return on_host(p, w, count, err);
	if (strcmp(w[0], "tlsa") == 0)
		return on_tlsa(p, w, count, err);
	return error_set(err, ERROR_INPUT, "no statement \"%s\"", w[0]);
}

static int
read_plan(struct plan *p, const char *path, struct error *err)
{
	struct buf text;
	char *line;
	int rc = -1, number = 0;

	buf_init(&text, PLAN_MAX);
	if (file_read(path, &text, err) < 0)
		goto out;
	for (char *rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
		number++;
		if (on_line(p, line, err) < 0) {
			error_prefix(err, "%s:%d", path, number);
			goto out;
		}
	}
	rc = 0;
out:
	buf_clear(&text);
	return rc;
}

static int
append(const char *dir, const char *name, const struct buf *text, struct error *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct buf all;
	int rc = -1;

	buf_init(&all, LAB_ZONE_MAX);
	if (file_read(path, &all, err) == 0) {
		buf_add(&all, text->data, text->len);
		if (buf_failed(&all))
			error_set(err, ERROR_INPUT, "%s: too large", path);
		else
			rc = file_replace(path, all.data, all.len, 0644, err);
	}
	buf_clear(&all);
	free(path);
	return rc;
}

static int
write_plan(struct plan *p, struct error *err)
{
	struct buf tsv, nsd;
	int rc = -1;

	buf_init(&tsv, LAB_ZONE_MAX);
	buf_init(&nsd, LAB_ZONE_MAX);
	for (size_t i = 0; i < p->zone_count; i++) {
		struct plan_zone *zone = &p->zones[i];

		if (lab_zone_write(p->dir, p->pki, zone->name, zone->signing, &zone->text, err) < 0)
			goto out;
		lab_zone_list(&tsv, &nsd, zone->name, zone->signing);
	}
	if (lab_zone_add(p->dir, p->pki, PARENT, &p->delegations, err) < 0 ||
		append(p->dir, "zones.tsv", &tsv, err) < 0 ||
		append(p->dir, "nsd-zones.conf", &nsd, err) < 0 ||
		lab_hosts_save(p->dir, &p->hosts, err) < 0)
		goto out;
	rc = 0;
out:
	buf_clear(&tsv);
	buf_clear(&nsd);
	return rc;
}

int
lab_plan_add(const char *dir, const char *plan_file, struct error *err)
{
	struct plan p = {.dir = dir};
	int rc = -1;

	buf_init(&p.delegations, LAB_ZONE_MAX);
	p.zones = xcalloc(PLAN_ZONES_MAX, sizeof(*p.zones));
	if (lab_pki_open(dir, &p.pki, err) == 0 && lab_hosts_load(dir, &p.hosts, err) == 0 &&
		read_plan(&p, plan_file, err) == 0)
		rc = write_plan(&p, err);
	for (size_t i = 0; i < p.zone_count; i++) {
		free(p.zones[i].name);
		buf_clear(&p.zones[i].text);
	}
	free(p.zones);
	lab_hosts_clear(&p.hosts);
	buf_clear(&p.delegations);
	lab_pki_free(p.pki);
	return rc;
}

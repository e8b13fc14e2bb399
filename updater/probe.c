#include "updater/probe.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list_reader.h"
#include "updater/mx_lookup.h"
#include "updater/overlay.h"
#include "updater/probe_server.h"
#include "updater/render.h"
#include "updater/resolver.h"
#include "updater/traffic.h"

/* All of DNS. */
#define LOOKUPS_MS (60 * INT64_C(1000))

struct subject {
	const char *name; /* lent by the traffic */
	char **patterns;  /* owned: the servers that the entry names */
	size_t pattern_count;
	struct mx_list mxs;
	bool named[MX_LOOKUP_MAX]; /* by the entry */
	bool known, answered;
	bool dane; /* the entry is enforced by TLSA records */
	struct probe_result result;
};

struct probe {
	const struct probe_work *work;
	struct subject *subjects; /* owned; as they were given: the first ones first */
	struct subject **by_name; /* owned */
	size_t subject_count;
	/* Each asked once for all domains that name it; twice, where one goes by DANE and another does not. Owned. */
	struct probe_server **servers;
	size_t server_count;
	bool validates; /* the resolver, so that DANE can be looked at */
};

static const struct {
	const char *name, *words;
} verdicts[PROBE_VERDICTS] = {[PROBE_GOOD] = {"good", "would go out, verified"},
	[PROBE_NO_TLS] = {"no_tls", "would wait: STARTTLS is not offered"},
	[PROBE_HANDSHAKE] = {"handshake", "would wait: TLS fails"},
	[PROBE_CERTIFICATE] = {"certificate",
		"would wait: the certificate is not trusted, or not for that name"},
	[PROBE_OTHER_HOST] = {"other_host", "would wait: DNS names no server that the entry names"},
	[PROBE_TLSA] = {"tlsa", "would wait: DNS has no secure TLSA records for it that can be used"},
	[PROBE_NO_ANSWER] = {"no_answer", "no answer: cannot be told"},
	[PROBE_DANE] = {"dane", "verified by DANE, not looked at: no validating resolver"},
	[PROBE_NOT_ASKED] = {"not_asked", "not asked: too many, or no time left"}};

const char *
probe_name(enum probe_verdict v)
{
	return verdicts[v].name;
}

const char *
probe_words(enum probe_verdict v)
{
	return verdicts[v].words;
}

static void
clear(struct probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		probe_server_free(p->servers[i]);
	for (size_t i = 0; i < p->subject_count; i++) {
		for (size_t k = 0; k < p->subjects[i].pattern_count; k++)
			free(p->subjects[i].patterns[k]);
		free(p->subjects[i].patterns);
	}
	free(p->servers);
	free(p->by_name);
	free(p->subjects);
}

static int
compare(const void *a, const void *b)
{
	return strcmp((*(struct subject *const *)a)->name, (*(struct subject *const *)b)->name);
}

/* --- whom to ask -------------------------------------------------------------------------------
 */

static struct probe_server *
server_of(struct probe *p, const char *host, bool by_dane)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i]->by_dane == by_dane && strcmp(p->servers[i]->host, host) == 0)
			return p->servers[i];
	p->servers = xreallocarray(p->servers, p->server_count + 1, sizeof(struct probe_server *));
	p->servers[p->server_count] = probe_server_new(host, by_dane);
	return p->servers[p->server_count++];
}

/* What the entry asks for. */
static void
note_entry(struct subject *d, const struct list_entry *e, enum choice choice)
{
	d->dane = choice == CHOICE_DANE;
	d->pattern_count = e->policy.mxs_count;
	d->patterns = xcalloc(d->pattern_count + 1, sizeof(char *));
	for (size_t i = 0; i < d->pattern_count; i++)
		d->patterns[i] = xstrdup(e->policy.mxs[i]);
}

static int
note_entries(struct probe *p, struct error *err)
{
	const struct render_options *options = p->work->options;
	struct overlay *overlay = overlay_new(p->work->lists, p->work->list_count, options->rules, options->now_s);
	const struct overlay_entry *o;
	size_t i = 0;
	int rc;

	while ((rc = overlay_next(overlay, &o, err)) > 0) {
		while (i < p->subject_count && strcmp(p->by_name[i]->name, o->entry.domain) < 0)
			i++;
		if (i < p->subject_count && strcmp(p->by_name[i]->name, o->entry.domain) == 0)
			note_entry(p->by_name[i], &o->entry,
				render_choose(options, o));
	}
	overlay_free(overlay);
	return rc;
}

/* The TLSA records of a server, once; without any that are secure nobody need ask it. */
static void
look_up_dane(struct probe_server *server)
{
	if (server->dane != NULL)
		return;
	server->dane = xcalloc(1, sizeof(*server->dane));
	if (dane_lookup(server->host, server->dane) < 0)
		server->verdict = PROBE_NO_ANSWER;
	else if (!server->dane->secure || server->dane->count == 0)
		server->verdict = PROBE_TLSA;
}

/* Those that DNS and the entry name. By DANE a server counts only if DNS names it securely. */
static void
look_up(struct probe *p, struct subject *d)
{
	d->known = true;
	d->answered = mx_lookup(d->name, &d->mxs) == 0;
	for (size_t i = 0; i < d->mxs.count; i++) {
		d->named[i] = traffic_names(
			(const char *const *)d->patterns, d->pattern_count, d->mxs.hosts[i]);
		if (!d->named[i] || (d->dane && !d->mxs.secure))
			continue;
		if (d->dane)
			look_up_dane(server_of(p, d->mxs.hosts[i], true));
		else
			(void)server_of(p, d->mxs.hosts[i], false);
	}
}

/* Whether there is anything that only a resolver that validates can tell, and it is one. */
static bool
can_look_at_dane(const struct probe *p)
{
	char why[200];

	for (size_t i = 0; i < p->subject_count; i++)
		if (p->subjects[i].dane)
			return resolver_check(NULL, why, sizeof(why)) == RESOLVER_VALIDATES;
	return false;
}

/* Time may be over before all are looked up. */
static void
look_all_up(struct probe *p)
{
	int64_t deadline_ms = clock_monotonic_ms() + LOOKUPS_MS;

	p->validates = can_look_at_dane(p);
	for (size_t i = 0; i < p->subject_count && clock_monotonic_ms() <= deadline_ms; i++)
		if (p->validates || !p->subjects[i].dane)
			look_up(p, &p->subjects[i]);
}

/* --- verdicts -----------------------------------------------------------------------------------
 */

static void
settle(struct subject *d, enum probe_verdict v, const struct probe_server *server)
{
	d->result.verdict = v;
	(void)snprintf(d->result.host, sizeof(d->result.host), "%s", server != NULL ? server->host : "");
	(void)snprintf(
		d->result.detail, sizeof(d->result.detail), "%s", server != NULL ? server->detail : "");
}

/* One fit server is enough. Of those that are not the most preferred one that told says why; where one could
 * not be told, that is all that can be said. */
static void
judge(struct probe *p, struct subject *d)
{
	const struct probe_server *worst = NULL, *untold = NULL;
	size_t named = 0;

	if (d->dane && !p->validates) {
		settle(d, PROBE_DANE, NULL);
		return;
	}
	if (!d->known || !d->answered) {
		settle(d, d->known ? PROBE_NO_ANSWER : PROBE_NOT_ASKED, NULL);
		return;
	}
	if (d->dane && !d->mxs.secure) {
		settle(d, PROBE_TLSA, NULL);
		return;
	}
	for (size_t i = 0; i < d->mxs.count; i++) {
		const struct probe_server *server =
			d->named[i] ? server_of(p, d->mxs.hosts[i], d->dane) : NULL;

		if (server == NULL)
			continue;
		named++;
		if (server->verdict == PROBE_GOOD) {
			settle(d, PROBE_GOOD, server);
			return;
		}
		if (server->verdict == PROBE_NO_ANSWER || server->verdict == PROBE_NOT_ASKED) {
			if (untold == NULL)
				untold = server;
		} else if (worst == NULL) {
			worst = server;
		}
	}
	if (named == 0)
		settle(d, PROBE_OTHER_HOST, NULL);
	else if (untold != NULL)
		settle(d, untold->verdict, untold);
	else
		settle(d, worst->verdict, worst);
}

int
probe_domains(const struct probe_work *w, struct traffic_domain *const *domains, size_t count,
	struct probe_result *out, struct error *err)
{
	struct probe p = {.work = w, .subject_count = count};
	int rc;

	p.subjects = xcalloc(count + 1, sizeof(*p.subjects));
	p.by_name = xcalloc(count + 1, sizeof(struct subject *));
	for (size_t i = 0; i < count; i++) {
		p.subjects[i].name = domains[i]->name;
		p.by_name[i] = &p.subjects[i];
	}
	if (count > 0)
		qsort(p.by_name, count, sizeof(struct subject *), compare);
	rc = note_entries(&p, err);
	if (rc == 0) {
		look_all_up(&p);
		rc = probe_servers_ask(p.servers, p.server_count, w, err);
	}
	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			judge(&p, &p.subjects[i]);
		out[i] = p.subjects[i].result;
	}
	clear(&p);
	return rc;
}

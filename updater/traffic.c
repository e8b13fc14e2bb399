#include "updater/traffic.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/choice.h"
#include "updater/log_time.h"
#include "updater/mail_log.h"
#include "updater/mail_text.h"
#include "updater/overlay.h"
#include "updater/render.h"

/* Servers of one domain that are told apart; nobody has so many. */
#define HOSTS_MAX 256
/* Messages that are followed until something has become of them; of more only the holding is counted. */
#define WAITING_MAX     100000
#define WAITING_BUCKETS 16384

/* One server that messages to a domain were given to. */
struct served {
	struct served *next;
	int64_t sent[MAIL_TLS_COUNT];
	char host[];
};

struct domain {
	struct traffic_domain seen; /* its name is the one below */
	struct served *hosts;       /* owned */
	int host_count;
	bool listed;
	char name[];
};

/* A message to a domain that the list holds up. */
struct waiting {
	struct waiting *next; /* in the bucket */
	uint64_t message;     /* hash of its queue id */
	int64_t held_s;
	struct domain *domain;
};

struct traffic {
	struct mail_log *log;
	struct traffic_log read; /* but for what the end tells */
	int64_t since_s;
	bool names_checked;
	void *tree;              /* of names of struct domain, by tsearch() */
	struct domain **domains; /* owned, sorted once all are there */
	struct traffic_domain **listed; /* owned; into domains */
	size_t count, room, listed_count;
	struct waiting *waiting[WAITING_BUCKETS];
	size_t waiting_count;
};

static const char *const names[TRAFFIC_COUNTS] = {[TRAFFIC_VERIFIED] = "verified",
	[TRAFFIC_ENCRYPTED] = "encrypted",
	[TRAFFIC_CLEAR] = "clear",
	[TRAFFIC_OTHER_HOST] = "other_host",
	[TRAFFIC_UNTOLD] = "untold",
	[TRAFFIC_NOT_SENT] = "not_sent",
	[TRAFFIC_HELD] = "held",
	[TRAFFIC_LATER] = "held_delivered",
	[TRAFFIC_HELD_BOUNCED] = "held_bounced",
	[TRAFFIC_NO_TLS] = "held_no_tls",
	[TRAFFIC_HANDSHAKE] = "held_handshake",
	[TRAFFIC_CERTIFICATE] = "held_certificate",
	[TRAFFIC_DANE] = "held_dane",
	[TRAFFIC_NO_LISTED_HOST] = "held_no_listed_host"};

static const enum traffic_count held_for[MAIL_REASONS] = {[MAIL_REASON_NO_TLS] = TRAFFIC_NO_TLS,
	[MAIL_REASON_HANDSHAKE] = TRAFFIC_HANDSHAKE,
	[MAIL_REASON_CERTIFICATE] = TRAFFIC_CERTIFICATE,
	[MAIL_REASON_DANE] = TRAFFIC_DANE,
	[MAIL_REASON_OTHER_HOST] = TRAFFIC_NO_LISTED_HOST};

const char *
traffic_count_name(enum traffic_count c)
{
	return names[c];
}

struct traffic *
traffic_new(int64_t since_s)
{
	struct traffic *t = xcalloc(1, sizeof(*t));

	t->log = mail_log_new();
	t->since_s = since_s;
	return t;
}

/* The domains belong to the array. */
static void
no_free(void *d UNUSED)
{
}

static void
domain_free(struct domain *d)
{
	struct served *next;

	for (struct served *h = d->hosts; h != NULL; h = next) {
		next = h->next;
		free(h);
	}
	free(d);
}

void
traffic_free(struct traffic *t)
{
	struct waiting *next;

	if (t == NULL)
		return;
	tdestroy(t->tree, no_free);
	for (size_t i = 0; i < t->count; i++)
		domain_free(t->domains[i]);
	for (size_t i = 0; i < WAITING_BUCKETS; i++) {
		for (struct waiting *w = t->waiting[i]; w != NULL; w = next) {
			next = w->next;
			free(w);
		}
	}
	free(t->domains);
	free(t->listed);
	mail_log_free(t->log);
	free(t);
}

/* --- counting -----------------------------------------------------------------------------------
 */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct domain *
domain_of(struct traffic *t, const char *name)
{
	char **found = tfind(name, &t->tree, compare_names);
	size_t len = strlen(name);
	struct domain *d;

	if (found != NULL)
		return (struct domain *)(void *)(*found - offsetof(struct domain, name));
	if (t->count == TRAFFIC_DOMAINS_MAX) {
		t->read.cut = true;
		return NULL;
	}
	d = xcalloc(1, sizeof(*d) + len + 1);
	memcpy(d->name, name, len + 1);
	d->seen.name = d->name;
	if (tsearch(d->name, &t->tree, compare_names) == NULL)
		abort(); /* no memory */
	if (t->count == t->room) {
		t->room = t->room == 0 ? 256 : 2 * t->room;
		t->domains = xreallocarray(t->domains, t->room, sizeof(struct domain *));
	}
	t->domains[t->count++] = d;
	return d;
}

static void
count_sent(struct domain *d, const struct mail_delivery *m)
{
	struct served *h;
	size_t len = strlen(m->host);

	for (h = d->hosts; h != NULL && strcmp(h->host, m->host) != 0; h = h->next)
		continue;
	if (h == NULL && d->host_count == HOSTS_MAX)
		h = d->hosts;
	if (h == NULL) {
		h = xcalloc(1, sizeof(*h) + len + 1);
		d->host_count++;
		memcpy(h->host, m->host, len + 1);
		h->next = d->hosts;
		d->hosts = h;
	}
	h->sent[m->tls]++;
}

/* The mail server chooses the ids. */
static uint64_t
hash_of(const char *id)
{
	return span_hash((struct span){id, strlen(id)});
}

/* Where the message stands in its bucket, or where the bucket ends. */
static struct waiting **
waiting_of(struct traffic *t, uint64_t message, const struct domain *d)
{
	struct waiting **w = &t->waiting[message % WAITING_BUCKETS];

	while (*w != NULL && ((*w)->message != message || (*w)->domain != d))
		w = &(*w)->next;
	return w;
}

/* false: it is followed already. */
static bool
follow(struct traffic *t, uint64_t message, struct domain *d, int64_t held_s)
{
	struct waiting **w = waiting_of(t, message, d);

	if (*w != NULL)
		return false;
	if (t->waiting_count < WAITING_MAX) {
		*w = xcalloc(1, sizeof(**w));
		(*w)->message = message;
		(*w)->held_s = held_s;
		(*w)->domain = d;
		t->waiting_count++;
	}
	return true;
}

static void
count_held(struct traffic *t, struct domain *d, const struct mail_delivery *m, int64_t time_s)
{
	if (!follow(t, hash_of(m->id), d, time_s))
		return; /* tried again */
	d->seen.n[TRAFFIC_HELD]++;
	d->seen.n[held_for[m->reason]]++;
}

/* Something has become of a message that was held up. */
static void
end(struct traffic *t, struct waiting **w, enum traffic_count what)
{
	struct waiting *gone = *w;

	gone->domain->seen.n[what]++;
	*w = gone->next;
	free(gone);
	t->waiting_count--;
}

/* If the message was held up, it is no longer. */
static void
count_end(struct traffic *t, struct domain *d, const struct mail_delivery *m)
{
	struct waiting **w;

	if (t->waiting_count == 0)
		return;
	w = waiting_of(t, hash_of(m->id), d);
	if (*w != NULL)
		end(t, w, m->outcome == MAIL_SENT ? TRAFFIC_LATER : TRAFFIC_HELD_BOUNCED);
}

/* Wherever it was held up. */
static void
count_given_up(struct traffic *t, const char *id)
{
	uint64_t message = hash_of(id);
	struct waiting **w = &t->waiting[message % WAITING_BUCKETS];

	while (*w != NULL) {
		if ((*w)->message == message)
			end(t, w, TRAFFIC_HELD_BOUNCED);
		else
			w = &(*w)->next;
	}
}

static void
count_delivery(struct traffic *t, const struct mail_delivery *m, int64_t time_s)
{
	struct domain *d = domain_of(t, m->domain);

	t->read.attempts++;
	if (d == NULL)
		return;
	if (m->outcome == MAIL_SENT)
		count_sent(d, m);
	else
		d->seen.n[TRAFFIC_NOT_SENT]++;
	if (m->outcome != MAIL_DEFERRED)
		count_end(t, d, m);
	else if (m->reason != MAIL_REASON_OTHER)
		count_held(t, d, m, time_s);
}

void
traffic_line(void *arg, struct log_time *when, const char *line, size_t len)
{
	struct traffic *t = arg;
	struct mail_delivery m;
	int64_t time_s = 0;

	if (mail_log_line(t->log, line, len, &m) == 0)
		return;
	if (m.outcome == MAIL_GIVEN_UP) {
		count_given_up(t, m.id);
		return;
	}
	if (log_time_parse(when, line, len, &time_s) > 0) {
		if (time_s < t->since_s)
			return;
		if (t->read.first_s == 0 || time_s < t->read.first_s)
			t->read.first_s = time_s;
		if (time_s > t->read.last_s)
			t->read.last_s = time_s;
	} else {
		time_s = 0;
	}
	do
		count_delivery(t, &m, time_s);
	while (mail_log_more(t->log, &m) > 0);
}

void
traffic_line_again(void *arg, struct log_time *when UNUSED, const char *line, size_t len)
{
	struct traffic *t = arg;
	struct mail_delivery m;

	(void)mail_log_line(t->log, line, len, &m);
}

void
traffic_follow(struct traffic *t, uint64_t message, const char *domain, int64_t held_s)
{
	struct domain *d = domain_of(t, domain);

	if (d != NULL)
		(void)follow(t, message, d, held_s);
}

void
traffic_each_waiting(const struct traffic *t, traffic_waiting_cb *each, void *arg)
{
	for (size_t i = 0; i < WAITING_BUCKETS; i++)
		for (const struct waiting *w = t->waiting[i]; w != NULL; w = w->next)
			if (w->domain->listed)
				each(arg, w->message, w->domain->name, w->held_s);
}

/* --- judging ------------------------------------------------------------------------------------
 */

bool
traffic_names(const char *const *patterns, size_t count, const char *host)
{
	const char *dot = strchr(host, '.');

	for (size_t i = 0; i < count; i++) {
		const char *pattern = patterns[i];

		if (pattern[0] == '*' ? dot != NULL && strcmp(dot, pattern + 1) == 0
				      : strcmp(host, pattern) == 0)
			return true;
	}
	return false;
}

/* How mail is counted of which the log says this much. */
static enum traffic_count
way_of(const struct traffic *t, enum mail_tls tls)
{
	switch (tls) {
	case MAIL_TLS_VERIFIED:
		return TRAFFIC_VERIFIED;
	case MAIL_TLS_TRUSTED:
		return t->names_checked ? TRAFFIC_VERIFIED : TRAFFIC_ENCRYPTED;
	case MAIL_TLS_ENCRYPTED:
		return TRAFFIC_ENCRYPTED;
	case MAIL_TLS_NONE:
		return mail_log_silence(t->log) == NULL ? TRAFFIC_CLEAR : TRAFFIC_UNTOLD;
	case MAIL_TLS_UNKNOWN:
	case MAIL_TLS_COUNT:
		break;
	}
	return TRAFFIC_UNTOLD;
}

static void
judge(const struct traffic *t, struct domain *d, const struct overlay_entry *o)
{
	const struct list_entry *e = &o->entry;

	d->listed = true;
	d->seen.trial = o->kind == OVERLAY_TRIAL;
	for (const struct served *h = d->hosts; h != NULL; h = h->next) {
		bool named = h->host[0] == '\0' ||
			traffic_names(e->policy.mxs, e->policy.mxs_count, h->host);

		for (enum mail_tls tls = 0; tls < MAIL_TLS_COUNT; tls++)
			d->seen.n[named ? way_of(t, tls) : TRAFFIC_OTHER_HOST] += h->sent[tls];
	}
}

static int
compare_domains(const void *a, const void *b)
{
	return strcmp((*(struct domain *const *)a)->name, (*(struct domain *const *)b)->name);
}

/* Merges the sorted domains with the sorted entries. */
int
traffic_judge(struct traffic *t, const struct overlay_list *lists, size_t count,
	const struct render_options *options, struct error *err)
{
	const struct overlay_entry *e;
	struct overlay *overlay;
	size_t i = 0;
	int rc;

	t->listed = xcalloc(t->count + 1, sizeof(struct traffic_domain *));
	if (t->count == 0)
		return 0;
	overlay = overlay_new(lists, count, options->rules, options->now_s);
	qsort(t->domains, t->count, sizeof(struct domain *), compare_domains);
	while ((rc = overlay_next(overlay, &e, err)) > 0) {
		const char *domain = e->entry.domain;

		while (i < t->count && strcmp(t->domains[i]->name, domain) < 0)
			i++;
		if (i < t->count && strcmp(t->domains[i]->name, domain) == 0 &&
			choice_is_line(render_choose(options, e)))
			judge(t, t->domains[i], e);
	}
	overlay_free(overlay);
	if (rc < 0)
		return -1;
	for (i = 0; i < t->count; i++)
		if (t->domains[i]->listed)
			t->listed[t->listed_count++] = &t->domains[i]->seen;
	return 0;
}

struct traffic_domain **
traffic_listed(struct traffic *t, size_t *count)
{
	*count = t->listed_count;
	return t->listed;
}

/* --- numbers ------------------------------------------------------------------------------------
 */

struct traffic_log
traffic_log(const struct traffic *t)
{
	struct traffic_log read = t->read;

	read.domains = t->count;
	read.silence = mail_log_silence(t->log);
	return read;
}

void
traffic_names_checked(struct traffic *t)
{
	t->names_checked = true;
}

void
traffic_assume_tls(struct traffic *t)
{
	mail_log_assume_speaks(t->log);
}

bool
traffic_speaks_tls(const struct traffic *t)
{
	return mail_log_speaks(t->log);
}

int64_t
traffic_sent(const int64_t *n)
{
	return n[TRAFFIC_VERIFIED] + n[TRAFFIC_ENCRYPTED] + n[TRAFFIC_CLEAR] +
		n[TRAFFIC_OTHER_HOST] + n[TRAFFIC_UNTOLD];
}

int64_t
traffic_would_wait(const int64_t *n)
{
	return n[TRAFFIC_CLEAR] + n[TRAFFIC_OTHER_HOST];
}

int64_t
traffic_still_waits(const int64_t *n)
{
	return n[TRAFFIC_HELD] - n[TRAFFIC_LATER] - n[TRAFFIC_HELD_BOUNCED];
}

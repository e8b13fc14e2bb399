#include "updater/probe.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list_reader.h"
#include "updater/mx_lookup.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/traffic.h"

#define SESSIONS_MAX 8
/* A server that takes longer is slow for mail, too. */
#define CONNECT_S 15L
#define SESSION_S 30L
#define REPLY_S   15L
/* All of it. */
#define LOOKUPS_MS  (60 * INT64_C(1000))
#define SESSIONS_MS (180 * INT64_C(1000))
#define WAIT_MS     500

/* A server, asked once for all domains that name it. */
struct server {
	char host[254];
	enum probe_verdict verdict; /* PROBE_NOT_ASKED until it is known */
	char detail[200];
	CURL *curl; /* while it is being asked; owned */
	char said[CURL_ERROR_SIZE];
};

struct subject {
	const char *name; /* lent by the traffic */
	char **patterns;  /* owned: the servers that the entry names */
	size_t pattern_count;
	struct mx_list mxs;
	bool named[MX_LOOKUP_MAX]; /* by the entry */
	bool known, answered, dane;
	struct probe_result result;
};

struct probe {
	const struct probe_work *work;
	struct subject *subjects; /* owned; as they were given: the first ones first */
	struct subject **by_name; /* owned */
	size_t subject_count;
	struct server **servers; /* owned */
	size_t server_count;
};

static const struct {
	const char *name, *words;
} verdicts[PROBE_VERDICTS] = {[PROBE_GOOD] = {"good", "would go out, verified"},
	[PROBE_NO_TLS] = {"no_tls", "would wait: STARTTLS is not offered"},
	[PROBE_HANDSHAKE] = {"handshake", "would wait: TLS fails"},
	[PROBE_CERTIFICATE] = {"certificate",
		"would wait: the certificate is not trusted, or not for that name"},
	[PROBE_OTHER_HOST] = {"other_host", "would wait: DNS names no server that the entry names"},
	[PROBE_NO_ANSWER] = {"no_answer", "no answer: cannot be told"},
	[PROBE_DANE] = {"dane", "verified by DANE, which is not looked at here"},
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
	for (size_t i = 0; i < p->server_count; i++) {
		if (p->servers[i]->curl != NULL)
			curl_easy_cleanup(p->servers[i]->curl);
		free(p->servers[i]);
	}
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

static struct server *
server_of(struct probe *p, const char *host)
{
	struct server *server;

	for (size_t i = 0; i < p->server_count; i++)
		if (strcmp(p->servers[i]->host, host) == 0)
			return p->servers[i];
	server = xcalloc(1, sizeof(*server));
	(void)snprintf(server->host, sizeof(server->host), "%s", host);
	server->verdict = PROBE_NOT_ASKED;
	p->servers = xreallocarray(p->servers, p->server_count + 1, sizeof(struct server *));
	p->servers[p->server_count++] = server;
	return server;
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
	struct list_reader *list = p->work->list;
	struct overlay *overlay = overlay_new(list, options->rules, options->now_s);
	const struct overlay_entry *o;
	size_t i = 0;
	int rc;

	while ((rc = overlay_next(overlay, &o, err)) > 0) {
		while (i < p->subject_count && strcmp(p->by_name[i]->name, o->entry.domain) < 0)
			i++;
		if (i < p->subject_count && strcmp(p->by_name[i]->name, o->entry.domain) == 0)
			note_entry(p->by_name[i], &o->entry,
				render_choose(options, list_reader_header(list), o));
	}
	overlay_free(overlay);
	return rc;
}

/* The servers that DNS names; time may be over before all are asked for. */
static void
look_all_up(struct probe *p)
{
	int64_t deadline_ms = clock_monotonic_ms() + LOOKUPS_MS;

	for (size_t i = 0; i < p->subject_count && clock_monotonic_ms() <= deadline_ms; i++) {
		struct subject *d = &p->subjects[i];

		if (d->dane)
			continue;
		d->known = true;
		d->answered = mx_lookup(d->name, &d->mxs) == 0;
		for (size_t k = 0; k < d->mxs.count; k++) {
			d->named[k] = traffic_names(
				(const char *const *)d->patterns, d->pattern_count, d->mxs.hosts[k]);
			if (d->named[k])
				(void)server_of(p, d->mxs.hosts[k]);
		}
	}
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static CURLcode
set_options(const struct probe *p, struct server *server)
{
	char url[300];
	CURL *c = server->curl;
	const struct buf *pem = p->work->ca;
	CURLcode rc = CURLE_OK;

#define SET(option, value) \
	if (rc == CURLE_OK) \
	rc = curl_easy_setopt(c, option, value)

	(void)snprintf(url, sizeof(url), "smtp://%s:25", server->host);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "smtp");
	/* To the end of the second EHLO; closing says QUIT. */
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (pem != NULL) {
		struct curl_blob blob = {pem->data, pem->len, CURL_BLOB_NOCOPY};

		SET(CURLOPT_CAINFO_BLOB, &blob);
	} else {
		SET(CURLOPT_CAINFO, p->work->ca_file);
	}
	SET(CURLOPT_PROXY, ""); /* nor the environment's */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	SET(CURLOPT_TIMEOUT, SESSION_S);
	SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, REPLY_S);
	SET(CURLOPT_ERRORBUFFER, server->said);
	SET(CURLOPT_PRIVATE, (char *)server);
#undef SET
	return rc;
}

static enum probe_verdict
verdict_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_OK:
		return PROBE_GOOD;
	case CURLE_USE_SSL_FAILED:
		return PROBE_NO_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
		return PROBE_CERTIFICATE;
	case CURLE_SSL_CONNECT_ERROR:
		return PROBE_HANDSHAKE;
	default:
		return PROBE_NO_ANSWER;
	}
}

static void
finish(struct server *server, CURLcode code)
{
	const char *said = server->said[0] != '\0' ? server->said : curl_easy_strerror(code);

	server->verdict = verdict_of(code);
	if (code != CURLE_OK)
		str_escape_controls(said, strlen(said), server->detail, sizeof(server->detail));
	curl_easy_cleanup(server->curl);
	server->curl = NULL;
}

static int
start(const struct probe *p, CURLM *multi, struct server *server, struct error *err)
{
	CURLcode code;

	server->curl = curl_easy_init();
	if (server->curl == NULL)
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	code = set_options(p, server);
	if (code != CURLE_OK)
		return error_set(err, ERROR_CONFIG, "probe: %s", curl_easy_strerror(code));
	if (curl_multi_add_handle(multi, server->curl) != CURLM_OK)
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	return 0;
}

/* Takes what has ended: how many. */
static size_t
reap(CURLM *multi)
{
	size_t count = 0;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
		struct server *server = NULL;
		CURLcode code = msg->data.result;
		CURL *curl = msg->easy_handle;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&server);
		(void)curl_multi_remove_handle(multi, curl);
		finish(server, code);
		count++;
	}
	return count;
}

/* Until all are asked or the time is over. */
static int
run_sessions(struct probe *p, CURLM *multi, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + SESSIONS_MS;
	size_t next = 0, running = 0;
	int still;

	while (next < p->server_count || running > 0) {
		bool late = clock_monotonic_ms() > deadline_ms;

		for (; next < p->server_count && running < SESSIONS_MAX && !late; next++, running++)
			if (start(p, multi, p->servers[next], err) < 0)
				return -1;
		/* Those under way have a time of their own. */
		if (late)
			next = p->server_count;
		if (curl_multi_perform(multi, &still) != CURLM_OK ||
			curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)
			return error_set(err, ERROR_TEMP, "libcurl fails");
		running -= reap(multi);
	}
	return 0;
}

static int
ask_all(struct probe *p, struct error *err)
{
	CURLM *multi = NULL;
	int rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		multi = curl_multi_init();
	if (multi == NULL)
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	rc = run_sessions(p, multi, err);
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i]->curl != NULL)
			(void)curl_multi_remove_handle(multi, p->servers[i]->curl);
	(void)curl_multi_cleanup(multi);
	return rc;
}

/* --- verdicts -----------------------------------------------------------------------------------
 */

static void
settle(struct subject *d, enum probe_verdict v, const struct server *server)
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
	const struct server *worst = NULL, *untold = NULL;
	size_t named = 0;

	if (d->dane) {
		settle(d, PROBE_DANE, NULL);
		return;
	}
	if (!d->known || !d->answered) {
		settle(d, d->known ? PROBE_NO_ANSWER : PROBE_NOT_ASKED, NULL);
		return;
	}
	for (size_t i = 0; i < d->mxs.count; i++) {
		const struct server *server = d->named[i] ? server_of(p, d->mxs.hosts[i]) : NULL;

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
		rc = ask_all(&p, err);
	}
	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			judge(&p, &p.subjects[i]);
		out[i] = p.subjects[i].result;
	}
	clear(&p);
	return rc;
}

#include "updater/probe_server.h"

#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

/* At once. */
#define SESSIONS_MAX 8
/* A server that takes longer is slow for mail, too. */
#define CONNECT_S 15L
#define SESSION_S 30L
#define REPLY_S   15L
/* All of it. */
#define SESSIONS_MS (180 * INT64_C(1000))
#define WAIT_MS     500
/* RFC 7672 section 3.1: of the certificate usages of RFC 6698 only these two count for SMTP. */
#define USAGE_TA 2
#define USAGE_EE 3

struct probe_server *
probe_server_new(const char *host, bool by_dane)
{
	struct probe_server *server = xcalloc(1, sizeof(*server));

	(void)snprintf(server->host, sizeof(server->host), "%s", host);
	server->by_dane = by_dane;
	server->verdict = PROBE_NOT_ASKED;
	return server;
}

void
probe_server_free(struct probe_server *server)
{
	if (server == NULL)
		return;
	if (server->curl != NULL)
		curl_easy_cleanup(server->curl);
	free(server->dane);
	free(server);
}

/* --- DANE ---------------------------------------------------------------------------------------
 */

/* The certificate and what is to match it, as records say. */
static void
add_records(SSL *ssl, struct probe_server *server)
{
	for (size_t i = 0; i < server->dane->count; i++) {
		const struct dane_record *r = &server->dane->records[i];

		if ((r->usage == USAGE_TA || r->usage == USAGE_EE) &&
			SSL_dane_tlsa_add(
				ssl, r->usage, r->selector, r->matching, r->data, r->len) > 0)
			server->dane_usable = true;
	}
}

/* libcurl hands out no handshake, but its context: this is called as one begins. */
static void
on_handshake(const SSL *begun, int where, int ret UNUSED)
{
	struct probe_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(begun));
	SSL *ssl = (SSL *)(uintptr_t)
		begun; /* it is ours to change: libcurl sets it up in this thread */

	if ((where & SSL_CB_HANDSHAKE_START) == 0 || server->dane_set)
		return;
	server->dane_set = true;
	if (SSL_dane_enable(ssl, server->host) <= 0)
		return;
	/* RFC 7672 section 3.1.1. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	add_records(ssl, server);
}

static CURLcode
on_context(CURL *curl UNUSED, void *ctx, void *arg)
{
	if (SSL_CTX_dane_enable(ctx) <= 0 || SSL_CTX_set_app_data(ctx, arg) <= 0)
		return CURLE_SSL_CONNECT_ERROR;
	SSL_CTX_set_info_callback(ctx, on_handshake);
	return CURLE_OK;
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static CURLcode
set_options(struct probe_server *server, const struct probe_work *work)
{
	char url[300];
	CURL *c = server->curl;
	const struct buf *pem = work->ca;
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
	/* OpenSSL looks at the name itself where the records ask for it. */
	SET(CURLOPT_SSL_VERIFYHOST, server->by_dane ? 0L : 2L);
	if (pem != NULL) {
		struct curl_blob blob = {pem->data, pem->len, CURL_BLOB_NOCOPY};

		SET(CURLOPT_CAINFO_BLOB, &blob);
	} else {
		SET(CURLOPT_CAINFO, work->ca_file);
	}
	if (server->by_dane) {
		SET(CURLOPT_SSL_CTX_FUNCTION, on_context);
		SET(CURLOPT_SSL_CTX_DATA, server);
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
verdict_of(CURLcode code, const struct probe_server *server)
{
	switch ((int)code) {
	case CURLE_OK:
	case CURLE_PEER_FAILED_VERIFICATION:
		/* Without one that can be used the handshake goes by the authorities, or by nobody.
		 */
		if (server->by_dane && !server->dane_usable)
			return PROBE_TLSA;
		return code == CURLE_OK ? PROBE_GOOD : PROBE_CERTIFICATE;
	case CURLE_USE_SSL_FAILED:
		return PROBE_NO_TLS;
	case CURLE_SSL_CONNECT_ERROR:
		return PROBE_HANDSHAKE;
	default:
		return PROBE_NO_ANSWER;
	}
}

static void
finish(struct probe_server *server, CURLcode code)
{
	const char *said = server->said[0] != '\0' ? server->said : curl_easy_strerror(code);

	server->verdict = verdict_of(code, server);
	if (code != CURLE_OK)
		str_escape_controls(said, strlen(said), server->detail, sizeof(server->detail));
	curl_easy_cleanup(server->curl);
	server->curl = NULL;
}

static int
start(CURLM *multi, struct probe_server *server, const struct probe_work *work, struct error *err)
{
	CURLcode code;

	server->curl = curl_easy_init();
	if (server->curl == NULL)
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	code = set_options(server, work);
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
		struct probe_server *server = NULL;
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
run(CURLM *multi, struct probe_server *const *servers, size_t server_count,
	const struct probe_work *work, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + SESSIONS_MS;
	size_t next = 0, running = 0;
	int still;

	while (next < server_count || running > 0) {
		bool late = clock_monotonic_ms() > deadline_ms;

		for (; next < server_count && running < SESSIONS_MAX && !late; next++) {
			if (servers[next]->verdict != PROBE_NOT_ASKED)
				continue;
			if (start(multi, servers[next], work, err) < 0)
				return -1;
			running++;
		}
		/* Those under way have a time of their own. */
		if (late)
			next = server_count;
		if (curl_multi_perform(multi, &still) != CURLM_OK ||
			curl_multi_poll(multi, NULL, 0, running > 0 ? WAIT_MS : 0, NULL) !=
				CURLM_OK)
			return error_set(err, ERROR_TEMP, "libcurl fails");
		running -= reap(multi);
	}
	return 0;
}

int
probe_servers_ask(struct probe_server *const *servers, size_t count, const struct probe_work *work,
	struct error *err)
{
	CURLM *multi = NULL;
	int rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		multi = curl_multi_init();
	if (multi == NULL)
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	rc = run(multi, servers, count, work, err);
	for (size_t i = 0; i < count; i++)
		if (servers[i]->curl != NULL)
			(void)curl_multi_remove_handle(multi, servers[i]->curl);
	(void)curl_multi_cleanup(multi);
	return rc;
}

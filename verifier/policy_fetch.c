/*
 * A fetch:  RESOLVE (A and AAAA) -> TRANSFER (libcurl) -> DONE (remembered for share_s)
 *
 * One transfer for each address, until one has an answer (R9.3): libcurl by itself goes on to the
 * next only where no connection came about.
 */
#include "verifier/policy_fetch.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/address.h"
#include "verifier/dns.h"
#include "verifier/mta_sts.h"
#include "verifier/pkix.h"
#include "verifier/share.h"

/* Addresses of one policy host that are tried. */
#define POLICY_ADDRESSES_MAX 8
/* For one connection while there are other addresses; the last has all the time that is left. */
#define CONNECT_MS 10000
/* Octets of all header lines of an answer, interim answers (100, 103) and trailers included. No
 * server of a policy has a tenth of it; without a limit headers could go on until the time is up.
 */
#define HEADERS_MAX 65536

struct policy_waiter {
	struct share_ref *ref;
	policy_fetch_cb *cb;
	void *cb_arg;
};

struct fetch {
	struct share_entry share;       /* first */
	struct policy_fetcher *fetcher; /* borrowed: of the thread that does the work */
	struct arena *arena;            /* owned */
	const char *host;
	const char *url;
	struct dns_query *query[2]; /* A, AAAA; NULL when answered */
	const struct dns_answer *answer[2];
	const char *addresses[POLICY_ADDRESSES_MAX]; /* as a URL has them */
	size_t address_count, address_at;
	struct timeval deadline; /* of them all, on the event loop's clock */
	/* Of the transfer under way. */
	CURL *easy;
	struct curl_slist *resolve;
	char error_text[CURL_ERROR_SIZE];
	struct buf body;
	struct {
		bool too_large, encoded, special;
		size_t header_octets; /* over HEADERS_MAX: the fetch is broken off */
		bool chunked, ended;  /* the body says where it ends; it ended by close_notify */
		bool garbled;         /* what came in the handshake is not TLS */
		bool alerted;
		int alert;                   /* TLS alert received or sent */
		struct pkix_result *problem; /* why the certificate was refused */
	} seen;
	struct finding unanswered; /* of addresses that gave no answer; code NULL: none yet */
	struct policy_fetch_result result;
};

struct policy_table {
	struct share_table *share;
	atomic_uint_fast64_t count;
};

struct policy_fetcher {
	struct policy_fetcher_options options;
	struct event_base *base; /* borrowed */
	CURLM *multi;
	struct event *timer;
};

static void
transfer_clear(struct fetch *t)
{
	if (t->easy != NULL) {
		(void)curl_multi_remove_handle(t->fetcher->multi, t->easy);
		curl_easy_cleanup(t->easy);
		t->easy = NULL;
	}
	curl_slist_free_all(t->resolve);
	t->resolve = NULL;
}

static void
fetch_free(struct share_entry *share)
{
	struct fetch *t = (struct fetch *)share;

	transfer_clear(t);
	dns_query_cancel(t->query[0]);
	dns_query_cancel(t->query[1]);
	buf_clear(&t->body);
	arena_free(t->arena);
	free(t);
}

/* --- the end of a fetch -------------------------------------------------------------- */

static void
fetch_done(struct fetch *t)
{
	transfer_clear(t);
	if (t->result.fetched == VERDICT_PASS) {
		t->result.text = arena_memdup(t->arena, buf_str(&t->body), t->body.len + 1);
		t->result.len = t->body.len;
	}
	buf_clear(&t->body);
	share_done(
		&t->share, t->result.fetched == VERDICT_UNKNOWN ? SHARE_UNKNOWN_S : SHARE_AS_USUAL);
}

static void fail(struct fetch *t, enum severity severity, const char *code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void
fail(struct fetch *t, enum severity severity, const char *code, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	finding_add(&t->result.findings, code, severity, t->url, NULL, "%s", text);
	t->result.fetched = severity == SEVERITY_FAIL ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

/* --- TLS of a transfer --------------------------------------------------------------- */

static int
on_verify(X509_STORE_CTX *ctx, void *arg)
{
	struct fetch *t = arg;
	struct pkix_result result;

	pkix_judge(t->fetcher->options.store, X509_STORE_CTX_get0_untrusted(ctx), t->host,
		clock_now(&t->fetcher->options.clock), t->arena, &result);
	if (result.verdict == VERDICT_PASS) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	t->seen.problem = arena_memdup(t->arena, &result, sizeof(result));
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static void
on_tls_info(const SSL *ssl, int where, int value)
{
	struct fetch *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if ((where & SSL_CB_ALERT) != 0 && (value & 0xff) == SSL_AD_CLOSE_NOTIFY) {
		t->seen.ended |= (where & SSL_CB_READ) != 0;
	} else if ((where & SSL_CB_ALERT) != 0 && !t->seen.alerted) {
		t->seen.alerted = true;
		t->seen.alert = value & 0xff;
	}
	/* The way out of the handshake, also while it only waits: no error is in the queue then. */
	if (where == SSL_CB_CONNECT_EXIT && value <= 0) {
		unsigned long e = ERR_peek_last_error();

		t->seen.garbled = ERR_GET_LIB(e) == ERR_LIB_SSL &&
			ERR_GET_REASON(e) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
	}
}

static CURLcode
on_ssl_ctx(CURL *easy UNUSED, void *ctx, void *arg)
{
	/* Our own judgement instead of OpenSSL's and curl's: at our clock, with one store for all
	 * transfers, and by the rules that the MX hosts are held against. */
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, arg);
	SSL_CTX_set_app_data(ctx, arg);
	SSL_CTX_set_info_callback(ctx, on_tls_info);
	/* libcurl would write the session keys to the file that SSLKEYLOGFILE names. */
	SSL_CTX_set_keylog_callback(ctx, NULL);
	return CURLE_OK;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct fetch *t = arg;
	struct address a;

	if (address_from_sockaddr(&to->addr, &a) < 0 ||
		!address_filter_permits(t->fetcher->options.filter, &a)) {
		t->seen.special = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* --- HTTP of a transfer -------------------------------------------------------------- */

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *t = arg;
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || t->seen.encoded)
		return 0; /* whatever it says does not count: stop here */
	if (buf_add(&t->body, data, size * count) < 0) {
		t->seen.too_large = true;
		return 0;
	}
	return size * count;
}

/* Whether the line is the header `name` with a value other than `plain`. */
static bool
has_coding(const char *line, size_t len, const char *name, const char *plain)
{
	size_t n = strlen(name);
	const char *value = line + n, *end = line + len;

	if (len <= n || !str_ieq(line, n, name, n))
		return false;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
		end--;
	return value < end && !str_ieq(value, (size_t)(end - value), plain, strlen(plain));
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *t = arg;
	size_t len = size * count;

	t->seen.header_octets += len;
	if (t->seen.header_octets > HEADERS_MAX)
		return 0;
	/* Both are ways to send compressed text, and neither was asked for. */
	t->seen.chunked |= has_coding(data, len, "transfer-encoding:", "");
	t->seen.encoded |= has_coding(data, len, "content-encoding:", "identity") ||
		has_coding(data, len, "transfer-encoding:", "chunked");
	return len;
}

static void
judge_response(struct fetch *t, long status)
{
	struct finding_list *findings = &t->result.findings;
	char *type = NULL;
	enum verdict v;

	if (t->seen.header_octets > HEADERS_MAX) {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-too-large",
			"the headers of the answer are larger than %d octets", HEADERS_MAX);
		return;
	}
	t->result.fetched = mta_sts_check_status(status, t->url, findings);
	if (t->result.fetched != VERDICT_PASS)
		return;
	if (t->seen.encoded) {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-encoding",
			"the policy comes compressed although that was not asked for");
		return;
	}
	if (t->seen.too_large) {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-too-large",
			"the policy is larger than %d octets", MTA_STS_POLICY_MAX);
		return;
	}
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	v = mta_sts_check_content_type(type, t->url, findings);
	if (v != VERDICT_PASS)
		t->result.fetched = v;
}

/* R9.4: all that is wrong with the certificate, and what mends the worst of it. */
static void
judge_certificate(struct fetch *t)
{
	static const struct {
		const char *code;
		const char *advice; /* in front of the policy host's name */
	} fixes[] = {
		{"pkix-name-mismatch", "Add this name to the web server's certificate"},
		{"pkix-expired", "Renew the certificate, and let renewal run by itself, for"},
		{"pkix-not-yet-valid", "Check the clock where the certificate was made for"},
		{"pkix-incomplete-chain", "Let the web server send the full chain for"},
		{"pkix-self-signed", "Install a certificate of a public authority for"},
		{"pkix-untrusted", "Install a certificate of a public authority for"},
	};
	const struct pkix_result *p = t->seen.problem;
	const char *fix = NULL, *seen = "";

	for (size_t i = 0; i < p->count; i++) {
		seen = arena_printf(t->arena, "%s%s%s (%s)", seen, i == 0 ? "" : "; ",
			p->problems[i].message, p->problems[i].code);
	}
	for (size_t i = 0; i < ARRAY_LEN(fixes); i++) {
		if (strcmp(p->problems[0].code, fixes[i].code) == 0)
			fix = arena_printf(t->arena, "%s: %s", fixes[i].advice, t->host);
	}
	finding_add_usual(
		&t->result.findings, "mta-sts-policy-certificate", t->url, fix, "%s", seen);
	t->result.fetched = VERDICT_FAIL;
}

static void
judge_tls_failure(struct fetch *t, const char *why)
{
	if (t->seen.problem != NULL) {
		judge_certificate(t);
	} else if (t->seen.alerted && t->seen.alert == SSL_AD_UNRECOGNIZED_NAME) {
		/* R9.5 */
		fail(t, SEVERITY_FAIL, "mta-sts-policy-certificate",
			"the server has no certificate for %s", t->host);
	} else if (t->seen.alerted) {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-tls",
			"the TLS handshake ends with the alert \"%s\"",
			SSL_alert_desc_string_long(t->seen.alert));
	} else if (t->seen.garbled) {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-tls", "%s", why);
	} else {
		fail(t, SEVERITY_TEMP, "mta-sts-policy-connect", "%s", why);
	}
}

/* A body that ends with the connection is whole only if the server says so in TLS: else anybody on
 * the path could cut off mx lines. libcurl takes it either way. */
static bool
is_cut(struct fetch *t)
{
	curl_off_t announced = -1;

	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	return announced < 0 && !t->seen.chunked && !t->seen.ended;
}

static void
judge_transfer(struct fetch *t, CURLcode rc)
{
	const char *why = t->error_text[0] != '\0' ? t->error_text : curl_easy_strerror(rc);
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	switch (rc) {
	case CURLE_OK:
		if (status == 200 && is_cut(t)) {
			fail(t, SEVERITY_TEMP, "mta-sts-policy-truncated",
				"the connection ended without a word from the server that this is "
				"all");
			break;
		}
		judge_response(t, status);
		break;
	case CURLE_WRITE_ERROR: /* on_body() or on_header() stopped it */
		judge_response(t, status);
		break;
	case CURLE_OUT_OF_MEMORY: /* what libcurl calls a header line above its own 100 KiB */
		t->seen.header_octets = HEADERS_MAX + 1;
		judge_response(t, status);
		break;
	case CURLE_COULDNT_CONNECT:
		if (t->seen.special) {
			fail(t, SEVERITY_FAIL, "mta-sts-policy-special-address",
				"%s has a special-use address", t->host);
		} else {
			fail(t, SEVERITY_TEMP, "mta-sts-policy-connect", "%s", why);
		}
		break;
	case CURLE_OPERATION_TIMEDOUT:
		fail(t, SEVERITY_TEMP, "mta-sts-policy-timeout", "no complete answer within %lld s",
			(long long)t->fetcher->options.fetch_s);
		break;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		judge_tls_failure(t, why);
		break;
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2_STREAM:
	case CURLE_RECV_ERROR:
		if (status == 200) {
			fail(t, SEVERITY_TEMP, "mta-sts-policy-truncated", "%s", why);
			break;
		}
		fail(t, SEVERITY_TEMP, "mta-sts-policy-connect", "%s", why);
		break;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		fail(t, SEVERITY_FAIL, "mta-sts-policy-http-status", "no HTTP answer: %s", why);
		break;
	default:
		fail(t, SEVERITY_TEMP, "mta-sts-policy-connect", "%s", why);
		break;
	}
}

/* The time for the address at hand: an equal share of what is left. */
static long
share_ms(const struct fetch *t)
{
	struct timeval now, left;
	long ms;

	event_base_gettimeofday_cached(t->fetcher->base, &now);
	evutil_timersub(&t->deadline, &now, &left);
	ms = (long)left.tv_sec * 1000 + (long)left.tv_usec / 1000;
	ms /= (long)(t->address_count - t->address_at);
	return ms < 1 ? 1 : ms; /* 0 would be no limit */
}

/* From the address at hand. */
static void
transfer_start(struct fetch *t)
{
	struct policy_fetcher *f = t->fetcher;
	const struct policy_fetcher_options *o = &f->options;
	long time_ms = share_ms(t);
	bool last = t->address_at + 1 == t->address_count;
	char text[ADDRESS_TEXT_SIZE + 320];
	CURLcode rc = CURLE_OK;
	CURL *easy = curl_easy_init();

	assert(easy != NULL);
	t->easy = easy;
	memset(&t->seen, 0, sizeof(t->seen));
	t->error_text[0] = '\0';
	buf_reset(&t->body);
	/* The "+" lets the entry run out, so that curl's own cache does not grow. */
	(void)snprintf(
		text, sizeof(text), "+%s:%u:%s", t->host, o->port, t->addresses[t->address_at]);
	t->resolve = curl_slist_append(NULL, text);
	if (o->port == 443)
		(void)snprintf(text, sizeof(text), "%s", t->url);
	else
		(void)snprintf(text, sizeof(text), "https://%s:%u/.well-known/mta-sts.txt", t->host,
			o->port);
#define SET(option, value) rc = rc != CURLE_OK ? rc : curl_easy_setopt(easy, option, value)
	SET(CURLOPT_URL, text);
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_RESOLVE, t->resolve);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(CURLOPT_TIMEOUT_MS, time_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, last || time_ms < CONNECT_MS ? time_ms : CONNECT_MS);
	SET(CURLOPT_ERRORBUFFER, t->error_text);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L); /* on top of on_verify() */
	SET(CURLOPT_CAINFO, NULL);       /* nothing to load: on_verify() has the store */
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(CURLOPT_SSL_CTX_DATA, t);
	(void)snprintf(text, sizeof(text), "preload25/" PRELOAD25_VERSION " (%s)", o->client_name);
	SET(CURLOPT_USERAGENT, text);
#undef SET
	if (rc != CURLE_OK || curl_multi_add_handle(f->multi, easy) != CURLM_OK) {
		fail(t, SEVERITY_TEMP, "mta-sts-policy-connect", "cannot start the transfer: %s",
			curl_easy_strerror(rc));
		fetch_done(t);
	}
}

/* --- libcurl on the event loop ------------------------------------------------------- */

/* R9.3: whether what ended the transfer may be a matter of the address: no connection, no TLS, no
 * answer in time. A certificate and an answer are the host's, whatever they are. */
static bool
is_unanswered(const struct fetch *t)
{
	static const char *const codes[] = {
		"mta-sts-policy-connect", "mta-sts-policy-timeout", "mta-sts-policy-tls"};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (finding_list_has(&t->result.findings, codes[i]))
			return true;
	}
	return false;
}

/* Each address may fail in its own way. Of what none of them answers one finding is left: the first
 * that may pass with time, since then it is not certain that nobody gets the policy. */
static void
keep_unanswered(struct fetch *t)
{
	struct finding_list *findings = &t->result.findings;

	assert(findings->count == 1);
	if (t->unanswered.code == NULL ||
		(t->unanswered.severity != SEVERITY_TEMP &&
			findings->items[0].severity == SEVERITY_TEMP))
		t->unanswered = findings->items[0];
	findings->items[0] = t->unanswered;
	t->result.fetched =
		t->unanswered.severity == SEVERITY_TEMP ? VERDICT_UNKNOWN : VERDICT_FAIL;
}

static void
transfer_ended(struct fetch *t, CURLcode rc)
{
	judge_transfer(t, rc);
	if (is_unanswered(t)) {
		keep_unanswered(t);
		if (++t->address_at < t->address_count) {
			t->result.findings.count = 0;
			transfer_clear(t);
			transfer_start(t);
			return;
		}
	}
	fetch_done(t);
}

static void
take_messages(struct policy_fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch *t = NULL;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		transfer_ended(t, rc);
	}
}

static void
on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct policy_fetcher *f = arg;
	int running,
		action = (what & EV_READ ? CURL_CSELECT_IN : 0) |
		(what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	(void)curl_multi_socket_action(f->multi, fd, action, &running);
	take_messages(f);
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct policy_fetcher *f = arg;
	int running;

	(void)curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_messages(f);
}

static int
on_curl_timer(CURLM *multi UNUSED, long ms, void *arg)
{
	struct policy_fetcher *f = arg;
	struct timeval wait = {ms / 1000, (ms % 1000) * 1000};

	if (ms < 0)
		(void)event_del(f->timer);
	else
		(void)event_add(f->timer, &wait);
	return 0;
}

static int
on_curl_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct policy_fetcher *f = arg;
	struct event *ev = socket_arg;
	short bits = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
		(what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		ev = event_new(f->base, fd, bits, on_socket_event, f);
		assert(ev != NULL);
		(void)event_add(ev, NULL);
	}
	(void)curl_multi_assign(f->multi, fd, ev);
	return 0;
}

/* --- resolving ----------------------------------------------------------------------- */

static void
on_resolved(struct fetch *t)
{
	const struct timeval limit = {.tv_sec = t->fetcher->options.fetch_s};
	const struct dns_answer *failed = NULL;
	struct timeval now;

	for (size_t k = 0; k < 2; k++) {
		const struct dns_answer *a = t->answer[k];

		if (a->status == DNS_FAILED && (failed == NULL || a->secure == DNS_BOGUS))
			failed = a;
		for (size_t i = 0; i < a->count && t->address_count < POLICY_ADDRESSES_MAX; i++) {
			struct address address;
			char text[ADDRESS_TEXT_SIZE];
			const char *special;

			if (address_from_bytes(a->records[i].data, a->records[i].len,
				    t->fetcher->options.port, &address) < 0)
				continue;
			address_format(&address, text);
			special = address_special(&address);
			if (!address_filter_permits(t->fetcher->options.filter, &address)) {
				fail(t, SEVERITY_FAIL, "mta-sts-policy-special-address",
					"%s has the address %s (%s)", t->host, text,
					special == NULL ? "special use" : special);
				fetch_done(t);
				return;
			}
			t->addresses[t->address_count++] = arena_printf(
				t->arena, address_is_ipv6(&address) ? "[%s]" : "%s", text);
		}
	}
	if (failed != NULL && failed->secure == DNS_BOGUS) {
		finding_add(&t->result.findings, "dnssec-bogus", SEVERITY_TEMP, t->host, NULL, "%s",
			failed->why);
		fetch_done(t);
	} else if (t->address_count > 0 && t->fetcher->options.look_ups_only) {
		fail(t, SEVERITY_TEMP, "mta-sts-policy-connect",
			"not fetched: only look-ups were asked for");
		fetch_done(t);
	} else if (t->address_count > 0) {
		event_base_gettimeofday_cached(t->fetcher->base, &now);
		evutil_timeradd(&now, &limit, &t->deadline);
		(void)atomic_fetch_add(&t->fetcher->options.table->count, 1);
		transfer_start(t);
	} else if (failed != NULL) {
		finding_add(&t->result.findings, "dns-temporary", SEVERITY_TEMP, t->host, NULL,
			"%s", failed->why);
		fetch_done(t);
	} else {
		fail(t, SEVERITY_FAIL, "mta-sts-policy-host-missing", "%s has no address", t->host);
		fetch_done(t);
	}
}

static void
on_answer(const struct dns_answer *answer, void *arg)
{
	struct fetch *t = arg;
	size_t k = answer->type == DNS_AAAA;

	t->query[k] = NULL;
	t->answer[k] = answer;
	if (answer->status == DNS_FOUND && answer->aliases > 0)
		t->result.alias_of = answer->canonical;
	if (t->answer[0] != NULL && t->answer[1] != NULL)
		on_resolved(t);
}

/* --- interface ----------------------------------------------------------------------- */

int
policy_table_new(int64_t share_s, struct policy_table **out, struct error *err)
{
	struct policy_table *t;
	struct share_options share = {
		.share_s = share_s,
		.max = POLICY_SHARED_MAX,
		.free_entry = fetch_free,
	};

	*out = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERROR_TEMP, "cannot set up libcurl");
	t = xcalloc(1, sizeof(*t));
	share_table_new(&share, &t->share);
	*out = t;
	return 0;
}

void
policy_table_free(struct policy_table *t)
{
	if (t == NULL)
		return;
	share_table_free(t->share);
	free(t);
}

int
policy_fetcher_new(const struct policy_fetcher_options *options, struct event_base *base,
	struct policy_fetcher **out, struct error *err)
{
	struct policy_fetcher *f = xcalloc(1, sizeof(*f));

	*out = NULL;
	f->options = *options;
	f->base = base;
	f->timer = event_new(base, -1, 0, on_timer, f);
	assert(f->timer != NULL);
	if ((f->multi = curl_multi_init()) == NULL) {
		policy_fetcher_free(f);
		return error_set(err, ERROR_TEMP, "cannot set up libcurl");
	}
	(void)curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	(void)curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	(void)curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	*out = f;
	return 0;
}

void
policy_fetcher_free(struct policy_fetcher *f)
{
	if (f == NULL)
		return;
	if (f->multi != NULL)
		(void)curl_multi_cleanup(f->multi);
	event_free(f->timer);
	free(f);
}

static struct share_entry *
fetch_make(const char *domain, void *arg)
{
	struct fetch *t = xcalloc(1, sizeof(*t));

	t->fetcher = arg;
	t->arena = arena_new();
	t->share.name = arena_strdup(t->arena, domain);
	t->host = arena_printf(t->arena, "mta-sts.%s", domain);
	t->url = arena_printf(t->arena, POLICY_URL_FORMAT, domain);
	buf_init(&t->body, MTA_STS_POLICY_MAX);
	finding_list_init(&t->result.findings, t->arena);
	return &t->share;
}

static void
on_fetched(void *arg)
{
	struct policy_waiter *w = arg;

	w->cb(&((struct fetch *)share_entry_of(w->ref))->result, w->cb_arg);
	share_release(w->ref);
	free(w);
}

struct policy_waiter *
policy_fetch_start(struct policy_fetcher *f, const char *domain, policy_fetch_cb *cb, void *arg)
{
	struct policy_waiter *w = xcalloc(1, sizeof(*w));
	bool is_new;

	w->cb = cb;
	w->cb_arg = arg;
	w->ref = share_get(f->options.table->share, domain, f->options.box, fetch_make, f,
		on_fetched, w, &is_new);
	if (is_new) {
		struct fetch *t = (struct fetch *)share_entry_of(w->ref);
		struct dns_resolver *r = f->options.resolver;

		t->query[0] = dns_query_start(r, t->host, DNS_A, t->arena, on_answer, t);
		t->query[1] = dns_query_start(r, t->host, DNS_AAAA, t->arena, on_answer, t);
	}
	return w;
}

void
policy_fetch_cancel(struct policy_waiter *w)
{
	if (w == NULL)
		return;
	share_release(w->ref);
	free(w);
}

uint64_t
policy_fetch_count(const struct policy_table *t)
{
	return atomic_load(&t->count);
}

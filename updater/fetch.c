#include "updater/fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/fetch_file.h"

/* Octets of an error page that are waited for; its status is known long before. */
#define ERROR_PAGE_MAX ((int64_t)64 * 1024)

struct fetch {
	CURL *curl;
	struct fetch_options options;
	char *ca_file, *proxy;
	char detail[CURL_ERROR_SIZE];
};

/* One transfer. */
struct transfer {
	CURL *curl;
	fetch_sink *sink;
	void *arg;
	int64_t left;
	int64_t error_page; /* octets of it so far */
	struct error *err;
	bool failed; /* err is set by the sink or by the limit */
};

static const struct {
	const char *prefix, *protocol;
} schemes[] = {{"https://", "https"}, {"http://", "http"}};

static const char *
protocol_of(const char *url)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_starts(url, schemes[i].prefix))
			return schemes[i].protocol;
	return NULL;
}

bool
fetch_url_valid(const char *url)
{
	return fetch_file_is_url(url) || protocol_of(url) != NULL;
}

int
fetch_new(const struct fetch_options *options, struct fetch **out, struct error *err)
{
	struct fetch *f = xcalloc(1, sizeof(*f));

	*out = NULL;
	f->options = *options;
	f->ca_file = options->ca_file != NULL ? xstrdup(options->ca_file) : NULL;
	f->proxy = xstrdup(options->proxy != NULL ? options->proxy : "");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		f->curl = curl_easy_init();
	if (f->curl == NULL) {
		fetch_free(f);
		return error_set(err, ERROR_TEMP, "libcurl does not start");
	}
	*out = f;
	return 0;
}

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	if (f->curl != NULL)
		curl_easy_cleanup(f->curl);
	free(f->ca_file);
	free(f->proxy);
	free(f);
}

static size_t
on_data(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * count;
	long status = 0;

	/* What an error page says is nobody's business. */
	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 0 && status != 200) {
		t->error_page += (int64_t)len;
		return t->error_page <= ERROR_PAGE_MAX ? len : CURL_WRITEFUNC_ERROR;
	}
	/* Counted here: what Content-Length says is only a promise. */
	if ((uint64_t)len > (uint64_t)t->left) {
		error_set(t->err, ERROR_SECURITY, "more bytes than it may have");
		t->failed = true;
		return CURL_WRITEFUNC_ERROR;
	}
	t->left -= (int64_t)len;
	if (t->sink(t->arg, data, len, t->err) < 0) {
		t->failed = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return len;
}

static CURLcode
set_options(struct fetch *f, const char *url, struct transfer *t)
{
	const struct fetch_options *o = &f->options;
	CURL *c = f->curl;
	const char *protocol = protocol_of(url);
	CURLcode rc = CURLE_OK;

#define SET(option, value) \
	if (rc == CURLE_OK) \
	rc = curl_easy_setopt(c, option, value)

	curl_easy_reset(c); /* connections are kept */
	f->detail[0] = '\0';
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, protocol);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_USERAGENT, "preload25-update/" PRELOAD25_VERSION);
	SET(CURLOPT_PROXY, f->proxy); /* "" also switches the environment's off */
	SET(CURLOPT_NOPROXY, "");     /* so does this with its no_proxy */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_CONNECTTIMEOUT, o->connect_timeout_s);
	SET(CURLOPT_TIMEOUT, o->timeout_s);
	SET(CURLOPT_LOW_SPEED_LIMIT, o->low_speed_bytes_s);
	SET(CURLOPT_LOW_SPEED_TIME, o->low_speed_time_s);
	SET(CURLOPT_ERRORBUFFER, f->detail);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, t);
	if (o->ca != NULL) {
		struct curl_blob blob = {o->ca->data, o->ca->len, CURL_BLOB_NOCOPY};

		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAINFO_BLOB, &blob);
	} else if (f->ca_file != NULL) {
		SET(CURLOPT_CAINFO, f->ca_file);
	}
#undef SET
	return rc;
}

/* What trying again will not mend. */
static enum error_kind
kind_of(CURLcode code)
{
	return code == CURLE_URL_MALFORMAT || code == CURLE_SSL_CACERT_BADFILE ? ERROR_CONFIG
									       : ERROR_TEMP;
}

int
fetch_get(struct fetch *f, const char *url, int64_t max, fetch_sink *sink, void *arg,
	struct error *err)
{
	struct transfer t = {.curl = f->curl, .sink = sink, .arg = arg, .left = max, .err = err};
	long status = 0;
	CURLcode code;

	if (fetch_file_is_url(url))
		return fetch_file_get(&f->options, url, max, sink, arg, err);
	if (protocol_of(url) == NULL)
		return error_set(err, ERROR_CONFIG, "%s: neither http:, https: nor file:", url);
	code = set_options(f, url, &t);
	if (code == CURLE_OK)
		code = curl_easy_perform(f->curl);
	if (t.failed)
		return error_prefix(err, "%s", url);
	if (code != CURLE_OK && t.error_page <= ERROR_PAGE_MAX)
		return error_set(err, kind_of(code), "%s: %s", url,
			f->detail[0] != '\0' ? f->detail : curl_easy_strerror(code));
	(void)curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404 || status == 403)
		return 0;
	if (status >= 300 && status < 400)
		return error_set(err, ERROR_TEMP,
			"%s: redirected elsewhere, which is not followed (HTTP status %ld)", url,
			status);
	if (status != 0 && status != 200)
		return error_set(err, ERROR_TEMP, "%s: HTTP status %ld", url, status);
	return 1;
}

static int
into_buf(void *arg, const void *data, size_t len, struct error *err)
{
	struct buf *out = arg;

	if (buf_add(out, data, len) < 0)
		return error_set(err, ERROR_SECURITY, "larger than %zu bytes", out->max);
	return 0;
}

int
fetch_get_buf(struct fetch *f, const char *url, struct buf *out, struct error *err)
{
	return fetch_get(f, url, INT64_MAX, into_buf, out, err);
}

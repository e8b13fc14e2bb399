#include "verifier/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"

#define TYPED_SIZE 300

struct report *
report_new(const char *domain)
{
	struct arena *arena = arena_new();
	struct report *r = arena_calloc(arena, 1, sizeof(*r));
	char shown[TYPED_SIZE];

	str_escape(domain, strlen(domain), shown, sizeof(shown));
	r->arena = arena;
	r->domain = arena_strdup(arena, shown);
	finding_list_init(&r->findings, arena);
	return r;
}

void
report_free(struct report *r)
{
	if (r != NULL)
		arena_free(r->arena);
}

const char *
policy_mode_name(enum policy_mode mode)
{
	switch (mode) {
	case POLICY_MODE_ABSENT:
		return NULL;
	case POLICY_MODE_ENFORCE:
		return "enforce";
	case POLICY_MODE_TESTING:
		return "testing";
	case POLICY_MODE_NONE:
		return "none";
	}
	abort();
}

const char *
admission_source_name(enum admission_source source)
{
	switch (source) {
	case SOURCE_NONE:
		return NULL;
	case SOURCE_MTA_STS:
		return "mta-sts";
	case SOURCE_DANE:
		return "dane";
	case SOURCE_STARTTLS:
		return "starttls";
	}
	abort();
}

const char *
dns_secure_name(enum dns_secure secure)
{
	switch (secure) {
	case DNS_UNCHECKED:
		return "unchecked";
	case DNS_SECURE:
		return "secure";
	case DNS_INSECURE:
		return "insecure";
	case DNS_BOGUS:
		return "bogus";
	}
	abort();
}

/* "1.3" of 13; NULL of 0. */
static const char *
tls_version_name(int version)
{
	switch (version) {
	case 10:
		return "1.0";
	case 11:
		return "1.1";
	case 12:
		return "1.2";
	case 13:
		return "1.3";
	default:
		return NULL;
	}
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

/* Out of memory ends the process, and all names and strings are UTF-8: sets cannot fail otherwise.
 */
static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		abort();
}

/* What is not there is null, so that every object has all its members. */
static json_t *
text(const char *s)
{
	char shown[4096];

	if (s == NULL)
		return json_null();
	if (str_is_utf8(s, strlen(s)))
		return json_string(s);
	str_escape(s, strlen(s), shown, sizeof(shown));
	return json_string(shown);
}

static json_t *
texts(const char *const *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, text(items[i]));
	return array;
}

static json_t *
moment(int64_t time_s)
{
	char out[CLOCK_TEXT_SIZE];

	if (time_s <= 0 || time_s > 253402300799)
		return json_null();
	clock_format(time_s, out);
	return json_string(out);
}

static json_t *
address_to_json(const struct report_address *a)
{
	json_t *object = json_object();

	set(object, "address", text(a->address));
	set(object, "starttls", text(verdict_name(a->starttls)));
	set(object, "pkix", text(verdict_name(a->pkix)));
	set(object, "dane", text(verdict_name(a->dane)));
	set(object, "tls", text(tls_version_name(a->tls_version)));
	set(object, "cipher", text(a->cipher));
	set(object, "client_certificate_requested", json_boolean(a->client_cert_requested));
	set(object, "spki_sha256", text(a->spki_sha256));
	set(object, "cert_sha256", text(a->cert_sha256));
	set(object, "not_after", moment(a->not_after_s));
	return object;
}

static json_t *
mx_to_json(const struct report_mx *mx)
{
	json_t *object = json_object();
	json_t *addresses = json_array();
	json_t *sessions = json_array();

	for (size_t i = 0; i < mx->address_count; i++) {
		json_array_append_new(addresses, text(mx->addresses[i].address));
		json_array_append_new(sessions, address_to_json(&mx->addresses[i]));
	}
	set(object, "host", text(mx->host));
	set(object, "preference", json_integer(mx->preference));
	set(object, "addresses", addresses);
	set(object, "secure", json_boolean(mx->secure == DNS_SECURE));
	set(object, "dnssec", text(dns_secure_name(mx->secure)));
	set(object, "starttls", text(verdict_name(mx->starttls)));
	set(object, "tls", text(tls_version_name(mx->tls_version)));
	set(object, "pkix", text(verdict_name(mx->pkix)));
	set(object, "dane", text(verdict_name(mx->dane)));
	set(object, "tlsa", texts(mx->tlsa, mx->tlsa_count));
	set(object, "sessions", sessions);
	return object;
}

static json_t *
mta_sts_to_json(const struct report *r)
{
	json_t *object = json_object();

	set(object, "verdict", text(verdict_name(r->mta_sts)));
	set(object, "record", text(r->mta_sts_record));
	set(object, "id", text(r->mta_sts_id));
	set(object, "policy", text(r->mta_sts_policy));
	set(object, "mode", text(policy_mode_name(r->mta_sts_mode)));
	set(object, "max_age",
		r->mta_sts_mode != POLICY_MODE_ABSENT ? json_integer(r->mta_sts_max_age_s)
						      : json_null());
	set(object, "mx", texts(r->mta_sts_mx, r->mta_sts_mx_count));
	return object;
}

json_t *
finding_list_to_json(const struct finding_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct finding *f = &list->items[i];
		json_t *object = json_object();

		set(object, "code", text(f->code));
		set(object, "severity", text(severity_name(f->severity)));
		set(object, "subject", text(f->subject));
		set(object, "message", text(f->message));
		set(object, "fix", text(f->fix));
		set(object, "cause", text(f->cause));
		set(object, "operator", text(f->run_by));
		json_array_append_new(array, object);
	}
	return array;
}

json_t *
report_to_json(const struct report *r)
{
	json_t *object = json_object();
	json_t *auth = json_array();
	json_t *mx = json_array();
	json_t *part;

	if (r->auth_dane)
		json_array_append_new(auth, json_string("dane"));
	if (r->auth_pkix)
		json_array_append_new(auth, json_string("pkix"));
	for (size_t i = 0; i < r->mx_count; i++)
		json_array_append_new(mx, mx_to_json(&r->mx[i]));

	set(object, "domain", text(r->domain));
	set(object, "ascii", text(r->ascii));
	set(object, "time", moment(r->time_s));
	set(object, "verdict", text(verdict_name(r->verdict)));
	set(object, "eligible", json_boolean(r->eligible));
	set(object, "source", text(admission_source_name(r->source)));
	set(object, "auth", auth);
	set(object, "mode", text(policy_mode_name(r->mode)));
	set(object, "max_age", r->max_age_s > 0 ? json_integer(r->max_age_s) : json_null());
	set(object, "mxs", texts(r->mxs, r->mxs_count));
	set(object, "tls", text(tls_version_name(r->tls_version)));
	set(object, "mx", mx);
	set(object, "mx_secure", json_boolean(r->mx_secure == DNS_SECURE));
	set(object, "mta_sts", mta_sts_to_json(r));

	part = json_object();
	set(part, "verdict", text(verdict_name(r->dane)));
	set(part, "mx_dnssec", text(dns_secure_name(r->mx_secure)));
	set(object, "dane", part);

	part = json_object();
	set(part, "record", text(r->tlsrpt_record));
	set(object, "tlsrpt", part);

	part = json_object();
	set(part, "record", text(r->preload_record));
	set(part, "mode", text(policy_mode_name(r->preload_mode)));
	set(part, "dnssec", text(dns_secure_name(r->preload_secure)));
	set(object, "preload", part);

	set(object, "contact", text(r->contact));
	set(object, "findings", finding_list_to_json(&r->findings));
	return object;
}

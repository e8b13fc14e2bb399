#include "verifier/finding_cause.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/finding.h"

#define UNTESTED "could not be tested"

/* How the subject of a cause and that of its consequence belong together. */
enum relation {
	ANYWHERE,  /* in the same list */
	SAME,      /* the same subject */
	SAME_HOST, /* "host", "host[address]" and "_25._tcp.host" of one host */
	BELOW,     /* a name below the cause's name */
};

/* One row: findings whose code begins with `effect` follow from one with the code `cause`. The
 * first row that fits counts. Rows never lead in a circle: a cause stands above its effects in
 * finding_table, or has no row of its own as effect. */
static const struct {
	const char *effect;
	const char *cause;
	enum relation relation;
	const char *only_with; /* a code that must be in the list, too; or NULL */
} rows[] = {
	/* A domain that takes no mail, or that cannot be found. */
	{"mx-implicit", "mx-missing", SAME, NULL},
	{"mx-null-preference", "mx-null", SAME, NULL},
	{"tlsrpt-record-missing", "mx-missing", ANYWHERE, NULL},
	{"dnssec-bogus", "dnssec-bogus", BELOW, NULL},
	{"dns-temporary", "dns-temporary", BELOW, NULL},
	/* Hosts that do not answer: what each one did stands under the summary. */
	{"smtp-", "mx-unreachable", SAME_HOST, NULL},
	{"mx-unreachable", "mx-all-unreachable", ANYWHERE, NULL},
	{"smtp-connect-", "mx-all-unreachable", ANYWHERE, NULL},
	{"smtp-connection-lost", "mx-all-unreachable", ANYWHERE, NULL},
	{"smtp-greeting-t", "mx-all-unreachable", ANYWHERE, NULL},
	{"smtp-timeout", "mx-all-unreachable", ANYWHERE, NULL},
	{"mx-ipv6-only", "mx-special-address", ANYWHERE, NULL},
	{"mx-ipv4-only", "mx-special-address", ANYWHERE, NULL},
	/* Without TLS there is no certificate to judge. */
	{"dane-starttls-missing", "starttls-not-offered", SAME_HOST, NULL},
	{"dane-starttls-missing", "starttls-stripped", SAME_HOST, NULL},
	{"dane-starttls-missing", "starttls-rejected", SAME_HOST, NULL},
	{"dane-starttls-missing", "ehlo-rejected", SAME_HOST, NULL},
	{"dane-starttls-missing", "tls-version-too-old", SAME_HOST, NULL},
	{"dane-starttls-missing", "tls-handshake-failed", SAME_HOST, NULL},
	{"pkix-", "starttls-not-offered", SAME, NULL},
	{"pkix-", "starttls-stripped", SAME, NULL},
	{"pkix-", "starttls-rejected", SAME, NULL},
	{"pkix-", "tls-version-too-old", SAME, NULL},
	{"pkix-", "tls-handshake-failed", SAME, NULL},
	{"tlsa-", "starttls-not-offered", SAME_HOST, NULL},
	{"tls-client-certificate-requested", "tls-client-certificate-required", SAME, NULL},
	{"tls-handshake-", "tls-client-certificate-required", SAME, NULL},
	{"tls13-missing", "tls-version-too-old", SAME_HOST, NULL},
	/* Who relies on DANE needs no public certificate: mending DANE settles these. */
	{"pkix-", "tlsa-mismatch", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-agility-mismatch", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-ta-not-in-chain", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-name-mismatch", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-chain-expired", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-chain-invalid", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "tlsa-all-unusable", SAME_HOST, "mta-sts-record-missing"},
	{"pkix-", "dane-tlsa-lookup-failed", SAME_HOST, "mta-sts-record-missing"},
	/* A new certificate brings the right name with it. */
	{"pkix-name-mismatch", "pkix-self-signed", SAME, NULL},
	/* Fields that are missing because they are malformed. */
	{"mta-sts-id-missing", "mta-sts-record-syntax", SAME, NULL},
	{"mta-sts-policy-version-missing", "mta-sts-policy-syntax", SAME, NULL},
	{"mta-sts-policy-mode-missing", "mta-sts-policy-syntax", SAME, NULL},
	{"mta-sts-policy-max-age-missing", "mta-sts-policy-syntax", SAME, NULL},
	{"mta-sts-policy-mx-missing", "mta-sts-policy-mx-syntax", SAME, NULL},
	{"mta-sts-policy-mx-missing", "mta-sts-policy-syntax", SAME, NULL},
	{"preload-mode-missing", "preload-record-syntax", SAME, NULL},
	{"tlsrpt-rua-missing", "tlsrpt-record-syntax", SAME, NULL},
	{"tlsrpt-no-usable-uri", "tlsrpt-rua-syntax", SAME, NULL},
	/* Policy against reality. */
	{"mta-sts-mx-unused", "mta-sts-mx-mismatch", ANYWHERE, NULL},
	{"mta-sts-mx-unused", "mta-sts-policy-mx-too-wide", ANYWHERE, NULL},
	{"mta-sts-max-age-short", "eligibility-max-age", SAME, NULL},
	/* DANE. */
	{"eligibility-dane-broken", "starttls-not-offered", ANYWHERE, "dane-starttls-missing"},
	{"eligibility-dane-broken", "dane-starttls-missing", ANYWHERE, NULL},
	{"eligibility-dane-broken", "tlsa-mismatch", ANYWHERE, NULL},
	{"eligibility-dane-broken", "tlsa-agility-mismatch", ANYWHERE, NULL},
	{"eligibility-dane-broken", "tlsa-ta-not-in-chain", ANYWHERE, NULL},
	{"eligibility-dane-broken", "tlsa-chain-", ANYWHERE, NULL},
	{"eligibility-dane-broken", "tlsa-name-mismatch", ANYWHERE, NULL},
	{"tlsa-usage-unusable", "tlsa-all-unusable", SAME, NULL},
	{"tlsa-selector-unknown", "tlsa-all-unusable", SAME, NULL},
	{"tlsa-matching-unknown", "tlsa-all-unusable", SAME, NULL},
	{"tlsa-digest-length", "tlsa-all-unusable", SAME, NULL},
	{"tlsa-full-data-invalid", "tlsa-all-unusable", SAME, NULL},
	{"tlsa-malformed", "tlsa-all-unusable", SAME, NULL},
};

/* --- subjects -----------------------------------------------------------------------------------
 */

/* The host in "host", "host[address]" and "_25._tcp.host"; its length in *len. */
static const char *
host_of(const char *subject, size_t *len)
{
	if (str_starts(subject, "_25._tcp."))
		subject += strlen("_25._tcp.");
	*len = strcspn(subject, "[");
	return subject;
}

static bool
is_related(const struct finding *effect, const struct finding *cause, enum relation relation)
{
	size_t effect_len = strlen(effect->subject);
	size_t cause_len = strlen(cause->subject);
	const char *a;
	const char *b;

	switch (relation) {
	case ANYWHERE:
		return true;
	case SAME:
		return strcmp(effect->subject, cause->subject) == 0;
	case SAME_HOST:
		a = host_of(effect->subject, &effect_len);
		b = host_of(cause->subject, &cause_len);
		return effect_len == cause_len && memcmp(a, b, effect_len) == 0;
	case BELOW:
		return effect_len > cause_len + 1 &&
			effect->subject[effect_len - cause_len - 1] == '.' &&
			strcmp(effect->subject + effect_len - cause_len, cause->subject) == 0;
	}
	abort();
}

/* --- causes -------------------------------------------------------------------------------------
 */

/* Nothing is hidden under what weighs less. */
static bool
weighs_enough(const struct finding *cause, const struct finding *effect)
{
	switch (cause->severity) {
	case SEVERITY_FAIL:
		return true;
	case SEVERITY_TEMP:
		return effect->severity != SEVERITY_FAIL;
	case SEVERITY_WARN:
		return effect->severity == SEVERITY_WARN || effect->severity == SEVERITY_INFO;
	case SEVERITY_INFO:
		return effect->severity == SEVERITY_INFO;
	}
	abort();
}

/* The first finding from which f follows by the table, among those that weigh enough or (with
 * temporary) among temporary ones; or NULL. */
static const struct finding *
look_for_cause(const struct finding_list *list, const struct finding *f, bool temporary)
{
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		if (!str_starts(f->code, rows[r].effect) ||
			(rows[r].only_with != NULL && !finding_list_has(list, rows[r].only_with)))
			continue;
		for (size_t i = 0; i < list->count; i++) {
			const struct finding *cause = &list->items[i];

			if (cause != f && str_starts(cause->code, rows[r].cause) &&
				is_related(f, cause, rows[r].relation) &&
				(temporary ? cause->severity == SEVERITY_TEMP
					   : weighs_enough(cause, f)))
				return cause;
		}
	}
	return NULL;
}

static void
set_cause(struct finding *f, const struct finding *cause)
{
	f->cause = cause == NULL ? NULL : cause->code;
	f->cause_subject = cause == NULL ? NULL : cause->subject;
}

void
finding_make_temporary(struct finding_list *list, struct finding *f, const struct finding *cause)
{
	set_cause(f, cause);
	f->severity = SEVERITY_TEMP;
	f->message = arena_printf(
		list->arena, "%s; whether that counts " UNTESTED, f->message);
}

/* Returns whether f has another severity now. */
static bool
find_cause(struct finding_list *list, struct finding *f)
{
	const struct finding *cause = look_for_cause(list, f, false);

	if (cause == NULL && f->severity == SEVERITY_FAIL) {
		cause = look_for_cause(list, f, true);
		if (cause != NULL) {
			finding_make_temporary(list, f, cause);
			return true;
		}
	}
	/* What was made temporary keeps the cause that made it so. */
	if (cause != NULL || f->severity != SEVERITY_TEMP)
		set_cause(f, cause);
	return false;
}

/* Until none changes any more: each turn makes one finding temporary at least. */
static void
find_causes(struct finding_list *list)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < list->count; i++)
			changed |= find_cause(list, &list->items[i]);
	}
}

const struct finding *
finding_cause_of(const struct finding_list *list, const struct finding *f)
{
	if (f->cause == NULL)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct finding *cause = &list->items[i];

		if (strcmp(cause->code, f->cause) == 0 &&
			strcmp(cause->subject, f->cause_subject) == 0)
			return cause;
	}
	return NULL;
}

/* --- who can mend it ----------------------------------------------------------------------------
 */

/* What whoever runs the host is answerable for: the SMTP session, TLS, certificates, TLSA, and that
 * the host can be reached. The MX record that names the host is the owner's own. */
static bool
is_of_the_host(const struct finding *f)
{
	static const char *const others[] = {"mx-special-address", "mx-unreachable",
		"mx-ipv6-unreachable", "dnssec-bogus", "dns-temporary", "dane-starttls-missing",
		"dane-tlsa-lookup-failed", "dane-tlsa-insecure"};
	int section = finding_section(f->code);

	if (str_starts(f->code, "verifier-"))
		return false; /* about ourselves, whoever the host is that we tried it with */
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (strcmp(f->code, others[i]) == 0)
			return true;
	}
	return (section >= 4 && section <= 7) || section == 13 || section == 14;
}

static void
find_operator(struct finding_list *list, struct finding *f, const char *domain,
	const struct finding_place *places, size_t place_count)
{
	const char *host = NULL;
	const char *run_by;
	size_t len;

	for (size_t i = 0; i < place_count && host == NULL; i++) {
		if (strcmp(places[i].subject, f->subject) == 0)
			host = places[i].host;
	}
	if (host == NULL && is_of_the_host(f)) {
		host = host_of(f->subject, &len);
		host = arena_strndup(list->arena, host, len);
	}
	if (host == NULL)
		return;
	run_by = domain_name_registrable(host);
	if (domain_name_is_host(run_by) && strcmp(run_by, domain_name_registrable(domain)) != 0)
		f->run_by = run_by;
}

void
finding_cause_settle(struct finding_list *list, const char *domain,
	const struct finding_place *places, size_t place_count)
{
	find_causes(list);
	for (size_t i = 0; i < list->count; i++) {
		struct finding *f = &list->items[i];

		if (domain != NULL)
			find_operator(list, f, domain, places, place_count);
		if (f->severity == SEVERITY_TEMP && strstr(f->message, UNTESTED) == NULL)
			f->message = arena_printf(list->arena, UNTESTED ": %s", f->message);
	}
}

#include "verifier/domain_judgement.h"

#include <errno.h>
#include <string.h>

#include "common/arena.h"
#include "verifier/tlsa.h"

enum verdict
verdict_worse(enum verdict a, enum verdict b)
{
	if (a == VERDICT_FAIL || b == VERDICT_FAIL)
		return VERDICT_FAIL;
	return a == VERDICT_UNKNOWN || b == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_PASS;
}

static void
copy_findings(struct finding_list *to, const struct finding_list *from, bool soften_temp)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct finding *x = &from->items[i];

		finding_add(to, x->code,
			soften_temp && x->severity == SEVERITY_TEMP ? SEVERITY_WARN : x->severity,
			x->subject, x->fix, "%s", x->message);
	}
}

static bool
is_skippable(const struct mx_host *h)
{
	return h != NULL && h->address_count == 0 && h->dangling == NULL &&
		(h->address_lookup == DANE_LOOKUP_SECURE ||
			h->address_lookup == DANE_LOOKUP_INSECURE);
}

static void
judge_host_dns(struct judgement *j, size_t i)
{
	struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	struct finding_list *findings = &j->r->findings;

	s->dns = VERDICT_PASS;
	if (h->dangling != NULL) {
		finding_add(findings, "mx-dangling", SEVERITY_FAIL, h->name, NULL,
			"the domain %s does not exist: whoever registers it receives the mail",
			h->dangling);
		s->dns = VERDICT_FAIL;
		return;
	}
	if (h->failed != NULL) {
		finding_add(findings, dns_failure_code(h->failed), SEVERITY_TEMP, h->failed->name,
			NULL, "%s look-up: %s", dns_type_name(h->failed->type), h->failed->why);
		s->dns = VERDICT_UNKNOWN;
	}
	if (h->too_many) {
		finding_add(findings, "mx-too-many", SEVERITY_FAIL, h->name, NULL,
			"more than %d addresses", MX_ADDRESSES_MAX);
		s->dns = VERDICT_FAIL;
	}
	for (size_t k = 0; k < h->address_count; k++) {
		const struct mx_address *a = &h->addresses[k];

		if (a->special == NULL)
			continue;
		finding_add(findings, "mx-special-address", SEVERITY_FAIL, a->subject, NULL,
			"the address is not reachable from the internet (%s)", a->special);
		s->dns = VERDICT_FAIL;
	}
	/* Behind an alias the name in the MX record stays the reference (R3.6). The implicit host
	 * is the domain itself: domain-cname says it. */
	if (h->address_count > 0 && !j->f->implicit &&
		(h->a->count > 0 ? h->a : h->aaaa)->aliases > 0) {
		finding_add(findings, "mx-cname", SEVERITY_WARN, h->name, NULL,
			"the MX host is an alias of %s",
			(h->a->count > 0 ? h->a : h->aaaa)->canonical);
	}
}

/* R3.15: no fault of the host's. */
static bool
has_no_way_by_ipv6(const struct mx_address *a)
{
	return !a->answered && address_is_ipv6(&a->address) &&
		(a->connect_errno == ENETUNREACH || a->connect_errno == EAFNOSUPPORT ||
			a->connect_errno == EADDRNOTAVAIL);
}

/* All its addresses are like that: verifier-no-ipv6 says it. */
static bool
is_out_of_reach(const struct mx_host *h)
{
	for (size_t k = 0; k < h->address_count; k++) {
		if (!has_no_way_by_ipv6(&h->addresses[k]))
			return false;
	}
	return h->address_count > 0;
}

static void
judge_host_addresses(struct judgement *j, size_t i)
{
	struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	struct finding_list *findings = &j->r->findings;

	s->starttls = s->pkix = VERDICT_PASS;
	for (size_t k = 0; k < h->address_count; k++)
		s->reached |= h->addresses[k].answered;
	for (size_t k = 0; k < h->address_count; k++) {
		const struct mx_address *a = &h->addresses[k];

		if (a->special != NULL)
			continue;
		if (has_no_way_by_ipv6(a)) {
			/* Beside an address that answers it is missing, without it all is. */
			finding_add(findings, "verifier-no-ipv6",
				s->reached ? SEVERITY_INFO : SEVERITY_TEMP, a->subject, NULL,
				"not tested: no IPv6 here");
			continue;
		}
		if (s->reached && !a->answered) {
			/* R3.13: an address nobody can reach does not count beside one that works.
			 */
			if (address_is_ipv6(&a->address)) {
				finding_add(findings, "mx-ipv6-unreachable", SEVERITY_WARN,
					a->subject, NULL,
					"the IPv6 address does not answer, another address does");
			} else {
				copy_findings(findings, &a->findings, true);
			}
			continue;
		}
		copy_findings(findings, &a->findings, false);
		s->starttls = verdict_worse(s->starttls, a->starttls);
		s->pkix = verdict_worse(s->pkix, a->pkix);
	}
	if (!s->reached)
		s->starttls = s->pkix = VERDICT_UNKNOWN;
	s->starttls = verdict_worse(s->starttls, s->dns);
	s->pkix = verdict_worse(s->pkix, s->dns);
}

static enum dane_session
host_session(struct judgement *j, size_t i)
{
	struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	const char *const domains[2] = {j->f->domain, j->f->expanded};
	bool match = false, untold = false, mismatch = false, plain = false;

	s->matches = arena_calloc(j->r->arena, h->address_count + 1, sizeof(*s->matches));
	for (size_t k = 0; k < h->address_count; k++) {
		const struct mx_address *a = &h->addresses[k];

		if (a->special != NULL || (!a->answered && s->reached))
			continue;
		mx_host_match_domain(j->f->hosts, h, a, domains,
			strcmp(domains[0], domains[1]) == 0 ? 1 : 2, j->r->arena, &s->matches[k]);
		match |= s->matches[k].result == DANE_MATCH;
		mismatch |= a->dane_session == DANE_SESSION_MISMATCH &&
			s->matches[k].result != DANE_MATCH;
		plain |= a->dane_session == DANE_SESSION_NO_STARTTLS;
		untold |= a->dane_session == DANE_SESSION_NONE;
	}
	if (plain)
		return DANE_SESSION_NO_STARTTLS;
	if (mismatch)
		return DANE_SESSION_MISMATCH;
	return match && !untold ? DANE_SESSION_MATCH : DANE_SESSION_NONE;
}

static void
judge_host_dane(struct judgement *j, size_t i)
{
	struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	struct dane_inputs in = {
		.mx = j->f->mx_lookup,
		.address = h->secure_alias ? DANE_LOOKUP_SECURE : h->address_lookup,
		.tlsa = h->tlsa_lookup,
		.usable = h->tlsa.usable_count > 0,
	};

	if (h->tlsa_lookup == DANE_LOOKUP_SECURE)
		in.session = host_session(j, i);
	s->dane = dane_combine(&in, &s->dane_code);
}

/* Why DANE does not apply; of interest to those who sign their domain (R12.2, R12.4, R12.7). */
static void
report_host_without(struct judgement *j, size_t i)
{
	const struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	struct finding_list *findings = &j->r->findings;
	bool is_signed = j->f->mx_lookup == DANE_LOOKUP_SECURE;

	if (h->tlsa_lookup == DANE_LOOKUP_INSECURE) {
		finding_add(findings, "dane-tlsa-insecure", SEVERITY_INFO, h->tlsa_owner, NULL,
			"TLSA records without DNSSEC signatures protect nobody");
	} else if (is_signed && h->tlsa_lookup == DANE_LOOKUP_ABSENT) {
		finding_add(findings, "dane-no-tlsa", SEVERITY_INFO, h->name, NULL,
			"there is no TLSA record at _25._tcp.%s", h->tlsa_base);
	} else if (is_signed && h->address_count > 0 && !h->secure_alias &&
		h->address_lookup == DANE_LOOKUP_INSECURE) {
		finding_add(findings, "dane-address-insecure", SEVERITY_INFO, h->name, NULL,
			"the addresses of the host are not protected by DNSSEC");
	}
	/* Also when what is there does not match: senders may use it (R12.2). */
	if (j->f->mx_lookup == DANE_LOOKUP_INSECURE && h->tlsa_lookup == DANE_LOOKUP_SECURE &&
		s->dane != DANE_STATE_UNREACHABLE) {
		finding_add(findings, "dane-mx-insecure", SEVERITY_WARN, j->f->domain, NULL,
			"the MX hosts have TLSA records, but the MX records of %s are not signed",
			j->f->domain);
	}
}

/* The sentence and a 3 1 1 record for each key that the host's addresses have shown (R21.4); NULL
 * when none was seen. */
static const char *
tlsa_fix(struct judgement *j, const struct mx_host *h, const char *sentence)
{
	const char *fix = NULL;

	for (size_t k = 0; k < h->address_count; k++) {
		const char *key = h->addresses[k].spki_sha256;

		if (key != NULL && (fix == NULL || strstr(fix, key) == NULL))
			fix = arena_printf(j->r->arena, "%s\n%s. IN TLSA 3 1 1 %s",
				fix == NULL ? sentence : fix, h->tlsa_owner, key);
	}
	return fix;
}

/* What mends a record set that does not match, with the names and keys of this host. */
static const char *
mismatch_fix(struct judgement *j, const struct mx_host *h, const char *code)
{
	static const struct {
		const char *code;
		const char *before, *after; /* the host's name; before NULL: not named */
	} fixes[] = {
		{"tlsa-mismatch", NULL,
			"Publish the key now in use, and remove the old record when its TTL has "
			"passed twice:"},
		{"tlsa-agility-mismatch", NULL,
			"Remove the records with matching type 2 that fit no key, and publish the "
			"key now in use:"},
		{"tlsa-ta-not-in-chain", "Let ",
			" send the issuer too, root included; or publish its own key:"},
		{"tlsa-chain-expired", "Renew the certificate of ",
			"; or publish its own key, for which no date counts:"},
		{"tlsa-chain-invalid", "Install the chain of ",
			" exactly as the CA delivers it; or publish its own key, for which no "
			"chain counts:"},
		{"tlsa-name-mismatch", "Get a certificate that names ",
			"; or publish its own key, for which no name counts:"},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixes); i++) {
		const char *sentence = fixes[i].after;

		if (strcmp(code, fixes[i].code) != 0)
			continue;
		if (fixes[i].before != NULL)
			sentence = arena_printf(
				j->r->arena, "%s%s%s", fixes[i].before, h->tlsa_base, sentence);
		return tlsa_fix(j, h, sentence);
	}
	return NULL;
}

static void
report_host_dane(struct judgement *j, size_t i)
{
	const struct host_state *s = &j->hosts[i];
	const struct mx_host *h = j->f->mx[i].info;
	struct finding_list *findings = &j->r->findings;

	/* Until it is known whether something else qualifies the domain (R13.6). */
	if (h->tlsa_lookup == DANE_LOOKUP_SECURE) {
		if (h->tlsa.count > 0 && h->tlsa.usable_count == 0)
			finding_add(findings, "tlsa-all-unusable", SEVERITY_WARN, h->tlsa_owner,
				tlsa_fix(j, h, "Publish the key now in use:"),
				"none of %zu TLSA records is usable: senders require TLS and "
				"authenticate nothing",
				h->tlsa.count);
		tlsa_set_findings(&h->tlsa, h->tlsa_owner, SEVERITY_WARN, findings);
		copy_findings(findings, &h->tlsa_findings, false);
	}
	if (s->dane == DANE_STATE_DEFER && h->tlsa_owner != NULL &&
		strcmp(s->dane_code, "dane-tlsa-lookup-failed") == 0) {
		finding_add(findings, s->dane_code, SEVERITY_TEMP, h->tlsa_owner, NULL, "%s",
			h->tlsa_why == NULL ? "the look-up failed" : h->tlsa_why);
	}
	report_host_without(j, i);
	if (s->dane != DANE_STATE_FAIL)
		return;
	if (strcmp(s->dane_code, "dane-starttls-missing") == 0) {
		finding_add(findings, s->dane_code, SEVERITY_FAIL, h->name, NULL,
			"%s has TLSA records, but the host offers no TLS", h->tlsa_owner);
		return;
	}
	for (size_t k = 0; k < h->address_count; k++) {
		const struct mx_address *a = &h->addresses[k];
		const struct dane_match *m = &s->matches[k];

		if (a->dane_session != DANE_SESSION_MISMATCH || m->code == NULL)
			continue;
		finding_add(findings, m->code, SEVERITY_FAIL, a->subject,
			mismatch_fix(j, h, m->code), "%s",
			m->message == NULL ? "the TLSA records do not match" : m->message);
	}
}

/* R3.11, R3.18, R3.19, R3.16 */
static void
judge_hosts_together(struct judgement *j)
{
	const struct domain_facts *f = j->f;
	struct finding_list *findings = &j->r->findings;
	size_t skipped = 0, reached = 0, unreached = 0, addresses = 0, v4 = 0, v6 = 0;
	bool all_known = true;

	for (size_t i = 0; i < f->mx_count; i++) {
		const struct mx_host *h = f->mx[i].info;

		all_known &= h != NULL && h->failed == NULL;
		skipped += j->hosts[i].skipped;
		reached += j->hosts[i].reached;
		for (size_t k = 0; h != NULL && k < h->address_count; k++) {
			addresses++;
			if (address_is_ipv6(&h->addresses[k].address))
				v6++;
			else
				v4++;
		}
	}
	for (size_t i = 0; i < f->mx_count; i++) {
		const struct mx_host *h = f->mx[i].info;
		const struct host_state *s = &j->hosts[i];

		if (f->mx[i].refused)
			continue;
		if (s->skipped && f->implicit) {
			finding_add(findings, "mx-missing", SEVERITY_FAIL, f->domain, NULL,
				"neither MX nor address records");
		} else if (s->skipped) {
			finding_add(findings, "mx-no-address",
				skipped == f->mx_count ? SEVERITY_FAIL : SEVERITY_WARN,
				f->mx[i].host, NULL, "the MX host has no address");
		} else if (h == NULL) {
			finding_add(findings, "mx-unreachable", SEVERITY_TEMP, f->mx[i].host, NULL,
				"could not be tested within %lld s", (long long)f->deadline_s);
			unreached++;
		} else if (h->look_ups_only && h->address_count > 0) {
			finding_add(findings, "mx-unreachable", SEVERITY_TEMP, h->name, NULL,
				"not connected to: only look-ups were asked for");
		} else if (!s->reached && s->dns != VERDICT_FAIL && !is_out_of_reach(h)) {
			unreached++;
			if (reached > 0) {
				finding_add(findings, "mx-unreachable",
					s->ignored ? SEVERITY_WARN : SEVERITY_TEMP, h->name, NULL,
					"no address of this host answers");
			}
		}
	}
	if (skipped > 0 && skipped == f->mx_count)
		j->gate = VERDICT_FAIL;
	if (unreached > 0 && reached == 0 && unreached + skipped == f->mx_count) {
		finding_add(findings, "mx-all-unreachable", SEVERITY_TEMP, f->domain, NULL,
			"no MX host answers");
	}
	if (addresses > MX_ADDRESSES_ALL_MAX) {
		finding_add(findings, "mx-too-many", SEVERITY_FAIL, f->domain, NULL,
			"%zu addresses in all, at most %d are tested", addresses,
			MX_ADDRESSES_ALL_MAX);
		j->gate = VERDICT_FAIL;
	}
	if (all_known && v4 > 0 && v6 == 0) {
		finding_add(findings, "mx-ipv4-only", SEVERITY_INFO, f->domain, NULL,
			"no MX host has an IPv6 address");
	} else if (all_known && v6 > 0 && v4 == 0) {
		finding_add(findings, "mx-ipv6-only", SEVERITY_WARN, f->domain, NULL,
			"no MX host has an IPv4 address");
	}
}

/* R12.10: the hosts that lack it, by name. */
static void
report_partial(struct judgement *j, size_t authenticated, size_t counted)
{
	const char *without = NULL;

	for (size_t i = 0; i < j->f->mx_count; i++) {
		const struct host_state *s = &j->hosts[i];

		if (s->skipped || s->dane == DANE_STATE_AUTHENTICATED)
			continue;
		without = without == NULL
			? j->f->mx[i].host
			: arena_printf(j->r->arena, "%s, %s", without, j->f->mx[i].host);
	}
	finding_add(&j->r->findings, "dane-partial", SEVERITY_WARN, j->f->domain,
		arena_printf(j->r->arena, "Publish TLSA records for %s, too.", without),
		"%zu of %zu MX hosts have matching TLSA records; without: %s", authenticated,
		counted, without);
}

void
judgement_of_hosts(struct judgement *j)
{
	const struct domain_facts *f = j->f;
	size_t counted = 0, authenticated = 0, with_dane = 0;

	j->starttls = j->pkix = j->dane = VERDICT_PASS;
	for (size_t i = 0; i < f->mx_count; i++) {
		struct host_state *s = &j->hosts[i];
		const struct domain_mx *mx = &f->mx[i];

		s->dane = DANE_STATE_UNREACHABLE;
		if (mx->info != NULL && is_skippable(mx->info)) {
			s->skipped = true;
			continue;
		}
		if (mx->refused) {
			s->dns = s->starttls = s->pkix = VERDICT_FAIL;
			s->dane = DANE_STATE_NONE;
		} else if (mx->info != NULL) {
			judge_host_dns(j, i);
			judge_host_addresses(j, i);
			judge_host_dane(j, i);
			report_host_dane(j, i);
			if (!s->reached && s->dns == VERDICT_PASS) {
				j->any_silent = true;
				s->ignored = j->without_silent;
			}
			if (s->ignored)
				continue;
		}
		counted++;
		j->starttls = verdict_worse(j->starttls, s->starttls);
		j->pkix = verdict_worse(j->pkix, s->pkix);
		j->gate = verdict_worse(
			j->gate, mx->info != NULL || mx->refused ? s->dns : VERDICT_UNKNOWN);
		authenticated += s->dane == DANE_STATE_AUTHENTICATED;
		with_dane += s->dane == DANE_STATE_AUTHENTICATED || s->dane == DANE_STATE_FAIL;
		j->dane_broken |= s->dane == DANE_STATE_FAIL;
		j->dane_temp |= s->dane == DANE_STATE_DEFER ||
			(s->dane == DANE_STATE_UNREACHABLE && mx->info != NULL);
		switch (s->dane) {
		case DANE_STATE_AUTHENTICATED:
			break;
		case DANE_STATE_UNREACHABLE:
		case DANE_STATE_DEFER:
			j->dane = verdict_worse(j->dane, VERDICT_UNKNOWN);
			break;
		case DANE_STATE_NONE:
		case DANE_STATE_HOST_ONLY:
		case DANE_STATE_ENCRYPT_ONLY:
		case DANE_STATE_FAIL:
			j->dane = VERDICT_FAIL;
			break;
		}
	}
	j->dane_some = with_dane > 0;
	if (authenticated > 0 && authenticated < counted && j->dane == VERDICT_FAIL &&
		!j->dane_broken)
		report_partial(j, authenticated, counted);
	judge_hosts_together(j);
	if (counted == 0)
		j->starttls = j->pkix = j->dane =
			j->gate == VERDICT_FAIL ? VERDICT_FAIL : VERDICT_UNKNOWN;
}

void
judgement_report_pkix(struct judgement *j)
{
	for (size_t i = 0; i < j->f->mx_count; i++) {
		const struct mx_host *h = j->f->mx[i].info;

		for (size_t k = 0; h != NULL && k < h->address_count; k++) {
			const struct mx_address *a = &h->addresses[k];

			if (a->special != NULL || a->cert_sha256 == NULL)
				continue;
			pkix_report(&a->pkix_result, j->pkix_needed ? SEVERITY_FAIL : SEVERITY_INFO,
				a->subject, &j->r->findings);
		}
	}
}

/* --- the report's table of hosts ----------------------------------------------------- */

static enum verdict
dane_verdict(enum dane_state state)
{
	return state == DANE_STATE_AUTHENTICATED || state == DANE_STATE_HOST_ONLY ? VERDICT_PASS
		: state == DANE_STATE_FAIL                                        ? VERDICT_FAIL
										  : VERDICT_UNKNOWN;
}

static void
fill_address(const struct mx_address *a, const struct dane_match *m, struct arena *arena,
	struct report_address *out)
{
	out->address = arena_strdup(arena, a->text);
	out->starttls = a->special != NULL ? VERDICT_FAIL : a->starttls;
	out->pkix = a->special != NULL ? VERDICT_FAIL : a->pkix;
	if (m != NULL && a->dane_session != DANE_SESSION_NONE)
		out->dane = m->result == DANE_MATCH ? VERDICT_PASS : VERDICT_FAIL;
	out->tls_version = a->tls_version;
	out->cipher = a->cipher == NULL ? NULL : arena_strdup(arena, a->cipher);
	out->client_cert_requested = a->client_cert_requested;
	out->spki_sha256 = a->spki_sha256 == NULL ? NULL : arena_strdup(arena, a->spki_sha256);
	out->cert_sha256 = a->cert_sha256 == NULL ? NULL : arena_strdup(arena, a->cert_sha256);
	out->not_after_s = a->pkix_result.not_after_s;
}

static void
fill_mx(struct judgement *j, size_t i, struct report_mx *out)
{
	const struct domain_mx *mx = &j->f->mx[i];
	const struct host_state *s = &j->hosts[i];
	const struct mx_host *h = mx->info;
	struct arena *arena = j->r->arena;

	out->host = mx->host;
	out->preference = mx->preference;
	if (h == NULL || s->skipped)
		return;
	out->secure = h->secure;
	out->silent = !s->reached && s->dns == VERDICT_PASS;
	out->starttls = s->starttls;
	out->pkix = s->pkix;
	out->dane = dane_verdict(s->dane);
	out->addresses = arena_calloc(arena, h->address_count + 1, sizeof(*out->addresses));
	out->address_count = h->address_count;
	for (size_t k = 0; k < h->address_count; k++) {
		int version = h->addresses[k].tls_version;

		fill_address(&h->addresses[k], s->matches == NULL ? NULL : &s->matches[k], arena,
			&out->addresses[k]);
		if (version != 0 && (out->tls_version == 0 || version < out->tls_version))
			out->tls_version = version;
	}
	if (out->tls_version != 0 &&
		(j->r->tls_version == 0 || out->tls_version < j->r->tls_version))
		j->r->tls_version = out->tls_version;
	if (h->tlsa_lookup == DANE_LOOKUP_SECURE) {
		out->tlsa = arena_calloc(arena, h->tlsa.count + 1, sizeof(*out->tlsa));
		out->tlsa_count = h->tlsa.count;
		for (size_t k = 0; k < h->tlsa.count; k++)
			out->tlsa[k] = arena_strdup(arena, h->tlsa.records[k].text);
	}
}

void
judgement_fill_report(struct judgement *j)
{
	struct report *r = j->r;

	r->mx = arena_calloc(r->arena, j->f->mx_count + 1, sizeof(*r->mx));
	r->mx_count = j->f->mx_count;
	for (size_t i = 0; i < j->f->mx_count; i++)
		fill_mx(j, i, &r->mx[i]);
	r->auth_pkix = j->f->mx_count > 0 && j->pkix == VERDICT_PASS;
	r->auth_dane = j->f->mx_count > 0 && j->dane == VERDICT_PASS;
	r->dane = j->dane_broken ? VERDICT_FAIL : r->auth_dane ? VERDICT_PASS : VERDICT_UNKNOWN;
}

/* The report for people: what to publish (R21.4). */
#include <string.h>

#include "common/arena.h"
#include "verifier/domain_name.h"
#include "verifier/mta_sts.h"
#include "verifier/report_printer.h"

/* Whether the fix of a finding holds this line already. */
static bool
is_in_a_fix(const struct printer *p, const char *line)
{
	const struct finding_list *list = &p->r->findings;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].fix != NULL && strstr(list->items[i].fix, line) != NULL)
			return true;
	}
	return false;
}

/* One 3 1 1 record for each key that the addresses of a host have shown, unless it was said. */
static void
put_tlsa_lines(const struct printer *p, const struct report_mx *mx, bool *first)
{
	for (size_t i = 0; i < mx->address_count; i++) {
		const char *key = mx->addresses[i].spki_sha256;
		const char *line;

		for (size_t k = 0; k < i && key != NULL; k++) {
			if (mx->addresses[k].spki_sha256 != NULL &&
				strcmp(mx->addresses[k].spki_sha256, key) == 0)
				key = NULL;
		}
		if (key == NULL)
			continue;
		line = arena_printf(
			p->arena, "_25._tcp.%s. IN TLSA 3 1 1 %s", printer_shown(p, mx->host), key);
		if (is_in_a_fix(p, line))
			continue;
		if (*first)
			fprintf(p->out, "\n%sTLSA records of the keys seen%s\n", p->style->bold,
				p->style->end);
		*first = false;
		fprintf(p->out, "    %s\n", line);
	}
}

/* For hosts whose DANE does not work while it is in use there or on another host. */
static void
put_tlsa_samples(const struct printer *p)
{
	const struct report *r = p->r;
	bool in_use = false;
	bool first = true;

	for (size_t i = 0; i < r->mx_count; i++)
		in_use = in_use || r->mx[i].tlsa_count > 0;
	for (size_t i = 0; i < r->mx_count && in_use && r->mx_secure == DNS_SECURE; i++) {
		if (r->mx[i].secure == DNS_SECURE && r->mx[i].dane != VERDICT_PASS)
			put_tlsa_lines(p, &r->mx[i], &first);
	}
}

static void
put_optin_sample(const struct printer *p, const char *title)
{
	fprintf(p->out, "\n%s%s%s\n", p->style->bold, title, p->style->end);
	fprintf(p->out, "    _preload25.%s. IN TXT \"v=PRELOAD25v1; mode=enforce\"\n", p->r->ascii);
}

static void
put_mta_sts_sample(const struct printer *p, const char *title)
{
	const struct report *r = p->r;

	fprintf(p->out, "\n%s%s%s\n", p->style->bold, title, p->style->end);
	fprintf(p->out, "    %s\n",
		mta_sts_sample_record(
			arena_printf(p->arena, "_mta-sts.%s", r->ascii), r->time_s, p->arena));
	fprintf(p->out, "    https://mta-sts.%s/.well-known/mta-sts.txt as text/plain:\n",
		r->ascii);
	fprintf(p->out, "        version: STSv1\n        mode: %s\n",
		r->mta_sts_mode == POLICY_MODE_TESTING ? "testing" : "enforce");
	for (size_t i = 0; i < r->mx_count; i++) {
		if (domain_name_is_host(r->mx[i].host))
			fprintf(p->out, "        mx: %s\n", r->mx[i].host);
	}
	fputs("        max_age: 2592000\n", p->out);
	if (r->mta_sts_record == NULL)
		fputs("    With \"mode: testing\" senders report failures and deliver all the "
		      "same.\n",
			p->out);
}

void
printer_samples(const struct printer *p)
{
	const struct report *r = p->r;
	size_t passing;
	bool tls_is_fine = r->mx_count > 0 &&
		report_over_hosts(r, report_mx_pkix, &passing) == VERDICT_PASS &&
		report_over_hosts(r, report_mx_starttls, &passing) == VERDICT_PASS;
	bool has_policy_record =
		r->mta_sts_record != NULL || report_has_finding(r, SEVERITY_FAIL, "mta-sts-");
	bool dns_is_fine = !report_has_finding(r, SEVERITY_FAIL, "mx-");
	bool opt_in_would_do = r->preload_mode == POLICY_MODE_ABSENT && !has_policy_record &&
		(tls_is_fine || r->dane == VERDICT_PASS) && r->dane != VERDICT_FAIL;

	if (r->ascii == NULL || r->eligible || r->preload_mode == POLICY_MODE_NONE ||
		r->mta_sts_mode == POLICY_MODE_NONE)
		return;
	if (dns_is_fine && opt_in_would_do && r->preload_record == NULL)
		put_optin_sample(p, "To be listed, one DNS record is enough");
	if (dns_is_fine && tls_is_fine && report_has_finding(r, SEVERITY_FAIL, "mta-sts-") &&
		!is_in_a_fix(p, "version: STSv1"))
		put_mta_sts_sample(p, "A record and a policy that would do");
	else if (dns_is_fine && tls_is_fine && !has_policy_record && opt_in_would_do)
		put_mta_sts_sample(p, "Or publish MTA-STS, which protects with other senders too");
	put_tlsa_samples(p);
}

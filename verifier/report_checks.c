/* The report for people: what was looked at, at one glance. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "verifier/report_printer.h"

/* A longer host name has a line of its own above its row, so that the row keeps to
 * PRINTER_COLUMNS. */
#define HOST_COLUMN_MAX 34
#define LABEL_COLUMN    12

static void put_check(const struct printer *p, enum mark mark, const char *label, const char *fmt,
	...) PRINTF_LIKE(4, 5);

static void
put_check(const struct printer *p, enum mark mark, const char *label, const char *fmt, ...)
{
	int column = 2 + printer_width(p->style->marks[mark], strlen(p->style->marks[mark])) + 1 +
		LABEL_COLUMN;
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fputs("  ", p->out);
	printer_mark(p, mark);
	fprintf(p->out, " %-*s", LABEL_COLUMN, label);
	printer_wrap(p, column, column, line);
}

static enum mark
mark_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS:
		return MARK_GOOD;
	case VERDICT_FAIL:
		return MARK_BAD;
	case VERDICT_UNKNOWN:
		return MARK_UNSURE;
	}
	abort();
}

static enum verdict
dane_of(const struct report_mx *mx)
{
	return mx->dane;
}

/* Hosts are named while there are few of them: "good on 1 of 2 hosts, not on mx2.example.org" */
static void
put_over_hosts(const struct printer *p, const char *label,
	enum verdict (*of)(const struct report_mx *), const char *good)
{
	const struct report *r = p->r;
	const char *not_on = NULL;
	size_t passing;
	enum verdict v = report_over_hosts(r, of, &passing);

	for (size_t i = 0; i < r->mx_count && not_on == NULL; i++) {
		if (of(&r->mx[i]) == v)
			not_on = printer_shown(p, r->mx[i].host);
	}
	if (v == VERDICT_PASS)
		put_check(p, MARK_GOOD, label, "%s on %s", good,
			r->mx_count == 1 ? "the host" : "every host");
	else if (r->mx_count == 1)
		put_check(p, mark_of(v), label, "%s",
			v == VERDICT_FAIL ? "not in order" : "could not be tested");
	else
		put_check(p, mark_of(v), label, "on %zu of %zu hosts, %s on %s%s", passing,
			r->mx_count, v == VERDICT_FAIL ? "not" : "could not be tested", not_on,
			passing + 1 < r->mx_count ? " and others" : "");
}

static void
put_host_checks(const struct printer *p)
{
	const struct report *r = p->r;
	size_t passing;

	put_check(p, report_has_finding(r, SEVERITY_FAIL, "mx-") ? MARK_BAD : MARK_GOOD, "MX",
		"%zu host%s%s%s", r->mx_count, printer_plural(r->mx_count),
		r->mx_secure == DNS_SECURE             ? ", signed with DNSSEC"
			: r->mx_secure == DNS_INSECURE ? ", not signed with DNSSEC"
						       : "",
		report_has_finding(r, SEVERITY_INFO, "mx-ipv4-only") ? ", IPv4 only" : "");
	put_over_hosts(p, "STARTTLS", report_mx_starttls,
		r->tls_version == 13           ? "TLS 1.3"
			: r->tls_version == 12 ? "TLS 1.2 or higher"
					       : "offered");
	(void)report_over_hosts(r, report_mx_starttls, &passing);
	if (passing == 0)
		put_check(p, MARK_NONE, "certificate", "not seen, for want of TLS");
	else if (r->dane == VERDICT_PASS && r->mta_sts_record == NULL &&
		report_over_hosts(r, report_mx_pkix, &passing) == VERDICT_FAIL)
		put_check(p, MARK_NONE, "certificate",
			"not of a public authority; with DANE it need not be");
	else
		put_over_hosts(p, "certificate", report_mx_pkix, "public, with the host's name,");
}

static void
put_mta_sts_check(const struct printer *p)
{
	const struct report *r = p->r;
	const char *mode = policy_mode_name(r->mta_sts_mode);

	if (r->mta_sts_mode == POLICY_MODE_NONE)
		put_check(p, MARK_NONE, "MTA-STS", "mode none: nothing is enforced");
	else if (r->mta_sts == VERDICT_PASS)
		put_check(p, MARK_GOOD, "MTA-STS", "mode %s, max_age %s, covers every MX host",
			mode != NULL ? mode : "unknown",
			printer_duration(p->arena, r->mta_sts_max_age_s));
	else if (report_has_finding(r, SEVERITY_FAIL, "mta-sts-"))
		put_check(p, MARK_BAD, "MTA-STS", "%s",
			mode == NULL ? "record or policy is not in order"
				     : "the policy does not fit the MX hosts");
	else if (report_has_finding(r, SEVERITY_TEMP, "mta-sts-"))
		put_check(p, MARK_UNSURE, "MTA-STS", "the policy could not be tested");
	else if (mode != NULL)
		put_check(p, r->mta_sts == VERDICT_FAIL ? MARK_WARN : MARK_UNSURE, "MTA-STS",
			"mode %s, max_age %s; hosts %s", mode,
			printer_duration(p->arena, r->mta_sts_max_age_s),
			r->mta_sts == VERDICT_FAIL ? "are not in order" : "could not be tested");
	else
		put_check(p, MARK_NONE, "MTA-STS", "no record seen");
}

static void
put_other_checks(const struct printer *p)
{
	const struct report *r = p->r;
	size_t with_tlsa = 0;
	size_t passing;

	for (size_t i = 0; i < r->mx_count; i++)
		with_tlsa += r->mx[i].tlsa_count > 0;
	(void)report_over_hosts(r, dane_of, &passing);
	if (r->dane == VERDICT_PASS)
		put_check(p, MARK_GOOD, "DANE", "a TLSA record matches on every host");
	else if (report_has_finding(r, SEVERITY_TEMP, "dane-"))
		put_check(p, MARK_UNSURE, "DANE", "could not be tested");
	else if (with_tlsa == 0 && r->dane == VERDICT_UNKNOWN)
		put_check(p, MARK_NONE, "DANE", "no TLSA records");
	else
		put_check(p, r->dane == VERDICT_FAIL ? MARK_BAD : MARK_WARN, "DANE",
			"TLSA on %zu of %zu host%s, matching on %zu", with_tlsa, r->mx_count,
			printer_plural(r->mx_count), passing);
	if (r->tlsrpt_record == NULL)
		put_check(p, MARK_NONE, "TLSRPT", "no record");
	else
		put_check(p,
			report_has_finding(r, SEVERITY_WARN, "tlsrpt-") ? MARK_WARN : MARK_GOOD,
			"TLSRPT", "%s", printer_shown(p, r->tlsrpt_record));
	if (r->preload_mode != POLICY_MODE_ABSENT)
		put_check(p, r->preload_mode == POLICY_MODE_NONE ? MARK_BAD : MARK_GOOD, "opt-in",
			"mode %s", policy_mode_name(r->preload_mode));
	else if (r->preload_record != NULL)
		put_check(p, MARK_BAD, "opt-in", "a record that does not count");
	else
		put_check(p, MARK_NONE, "opt-in", "no record%s",
			r->mta_sts == VERDICT_PASS ? "; with MTA-STS none is needed" : "");
}

static const char *
cell(const struct printer *p, enum verdict verdict, bool there)
{
	if (!there && verdict == VERDICT_UNKNOWN)
		return p->style->marks[MARK_NONE];
	return p->style->marks[mark_of(verdict)];
}

static void
put_host_table(const struct printer *p)
{
	const struct report *r = p->r;
	int host_width = 4;

	for (size_t i = 0; i < r->mx_count; i++) {
		const char *host = printer_shown(p, r->mx[i].host);
		int w = printer_width(host, strlen(host));

		if (w > host_width && w <= HOST_COLUMN_MAX)
			host_width = w;
	}
	fprintf(p->out, "\n  %s%5s %-*s  TLS  STARTTLS  cert.  DANE  DNSSEC%s\n", p->style->dim,
		"pref", host_width, "host", p->style->end);
	for (size_t i = 0; i < r->mx_count; i++) {
		const struct report_mx *mx = &r->mx[i];
		const char *cells[3] = {cell(p, mx->starttls, true),
			mx->starttls != VERDICT_PASS ||
					(r->dane == VERDICT_PASS && r->mta_sts_record == NULL &&
						mx->pkix == VERDICT_FAIL)
				? p->style->marks[MARK_NONE]
				: cell(p, mx->pkix, true),
			cell(p, mx->dane, mx->tlsa_count > 0)};
		static const int widths[3] = {8, 5, 4};

		const char *host = printer_shown(p, mx->host);
		bool fits = printer_width(host, strlen(host)) <= host_width;

		fprintf(p->out, "  %5u %-*s", mx->preference, fits ? host_width : 0, host);
		if (!fits)
			fprintf(p->out, "\n%*s", 8 + host_width, "");
		fprintf(p->out, "  %-3s",
			mx->tls_version == 13           ? "1.3"
				: mx->tls_version == 12 ? "1.2"
							: "");
		for (size_t k = 0; k < ARRAY_LEN(cells); k++)
			fprintf(p->out, "  %s%*s", cells[k],
				widths[k] - printer_width(cells[k], strlen(cells[k])), "");
		fprintf(p->out, "  %s\n", dns_secure_name(mx->secure));
	}
}

void
printer_checks(const struct printer *p, const char *title)
{
	if (p->r->mx_count == 0)
		return;
	fputc('\n', p->out);
	if (title != NULL)
		fprintf(p->out, "%s%s%s\n", p->style->bold, title, p->style->end);
	put_host_checks(p);
	put_mta_sts_check(p);
	put_other_checks(p);
	put_host_table(p);
}

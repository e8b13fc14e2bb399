/* The report for people; its JSON form is in report.c. */
#include "verifier/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/finding_cause.h"

#define COLUMNS 80
/* Causes of causes of causes: finding_cause.c has no longer chains. */
#define CONSEQUENCE_DEPTH_MAX 3
/* A longer host name has a line of its own above its row, so that the row keeps to COLUMNS. */
#define HOST_COLUMN_MAX 34

enum mark { MARK_GOOD, MARK_BAD, MARK_UNSURE, MARK_WARN, MARK_NONE };

/* What differs between a terminal and a file. */
static const struct style {
	const char *marks[MARK_NONE + 1];
	const char *colours[MARK_NONE + 1];
	const char *bold;
	const char *dim;
	const char *end;
} styles[2] = {
	{.marks = {"ok  ", "FAIL", "?   ", "!   ", "-   "},
		.colours = {"", "", "", "", ""},
		.bold = "",
		.dim = "",
		.end = ""},
	{.marks = {"\xe2\x9c\x93", "\xe2\x9c\x97", "?", "!", "\xe2\x80\x93"},
		.colours = {"\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[33m", "\x1b[2m"},
		.bold = "\x1b[1m",
		.dim = "\x1b[2m",
		.end = "\x1b[0m"},
};

struct printer {
	const struct report *r;
	const struct style *style;
	struct arena *arena; /* for this one printing */
	FILE *out;
};

static void
put_mark(const struct printer *p, enum mark mark)
{
	fprintf(p->out, "%s%s%s", p->style->colours[mark], p->style->marks[mark], p->style->end);
}

/* Characters, not octets: continuation bytes of UTF-8 take no column. */
static int
width(const char *s, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

/* The octets of the first characters of s that take that many columns. */
static size_t
octets_of(const char *s, size_t len, int columns)
{
	size_t n = 0;

	while (n < len && (columns > 0 || ((unsigned char)s[n] & 0xc0) == 0x80)) {
		columns -= ((unsigned char)s[n] & 0xc0) != 0x80;
		n++;
	}
	return n;
}

/* Prints text from column `column` on, further lines indented by `indent`, and a line end. A word
 * that no line can hold (what a hostile server said, say) is cut where a line ends. */
static void
put_wrapped(const struct printer *p, int column, int indent, const char *text)
{
	bool first = true;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		int w = width(text, len);

		if (!first && column + 1 + w > COLUMNS) {
			fprintf(p->out, "\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', p->out);
			column++;
		}
		while (w > COLUMNS - indent) {
			size_t part = octets_of(text, len, COLUMNS - column);

			fprintf(p->out, "%.*s\n%*s", (int)part, text, indent, "");
			text += part;
			len -= part;
			w = width(text, len);
			column = indent;
		}
		fwrite(text, 1, len, p->out);
		column += w;
		first = false;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', p->out);
}

/* "30 days", "1 day", "36 hours", "90 seconds" */
static const char *
duration(struct arena *arena, int64_t seconds)
{
	static const struct {
		int64_t size_s;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {1, "second"}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = seconds / units[i].size_s;

		if (seconds % units[i].size_s == 0 && (n > 0 || units[i].size_s == 1))
			return arena_printf(
				arena, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
	}
	abort();
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Names and records as they were seen may hold anything. */
static const char *
shown(const struct printer *p, const char *s)
{
	return finding_quote(p->arena, s, strlen(s));
}

/* --- headline -----------------------------------------------------------------------------------
 */

static const char *
source_words(const struct report *r)
{
	switch (r->source) {
	case SOURCE_NONE:
		break;
	case SOURCE_MTA_STS:
		return "by its MTA-STS policy";
	case SOURCE_DANE:
		return "by DANE and the opt-in record";
	case SOURCE_STARTTLS:
		return "by STARTTLS with public certificates and the opt-in record";
	}
	return "";
}

static bool is_first_of_its_kind(const struct finding_list *list, size_t at);

/* Consequences, and the same again of another host, are no problems of their own. */
static size_t
problems(const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->findings.count; i++) {
		const struct finding *f = &r->findings.items[i];

		n += f->severity == SEVERITY_FAIL && f->cause == NULL &&
			is_first_of_its_kind(&r->findings, i);
	}
	return n;
}

static const char *
fail_words(const struct printer *p)
{
	size_t n = problems(p->r);

	if (n == 0)
		return "what stands in the way is listed below";
	return arena_printf(
		p->arena, "%zu problem%s stand%s in the way", n, plural(n), n == 1 ? "s" : "");
}

static void
put_headline(const struct printer *p)
{
	const struct report *r = p->r;
	const char *name = r->ascii != NULL ? r->ascii : r->domain;
	const char *detail = "";
	const char *words;
	enum mark mark;

	if (r->eligible) {
		mark = MARK_GOOD;
		words = "is fit for the list";
		detail = arena_printf(p->arena, "%s, mode %s, valid for %s at a time",
			source_words(r),
			policy_mode_name(r->mode) != NULL ? policy_mode_name(r->mode) : "unknown",
			duration(p->arena, r->max_age_s));
	} else if (r->ascii == NULL) {
		mark = MARK_BAD;
		words = "is not a mail domain";
	} else if (r->verdict == VERDICT_FAIL) {
		mark = MARK_BAD;
		words = "is not fit for the list";
		detail = fail_words(p);
	} else if (r->verdict == VERDICT_UNKNOWN) {
		mark = MARK_UNSURE;
		words = "could not be judged";
		detail = "something could not be tested now; that is neither yes nor no";
	} else if (r->mta_sts_mode == POLICY_MODE_NONE || r->preload_mode == POLICY_MODE_NONE) {
		mark = MARK_WARN;
		words = "does not want to be listed";
		detail = r->preload_mode == POLICY_MODE_NONE ? "its opt-in record says mode=none"
							     : "its MTA-STS policy says mode: none";
	} else {
		mark = MARK_WARN;
		words = "is in order but has not asked to be listed";
		detail = "what to publish stands below";
	}
	fprintf(p->out, "%s%s%s%s %s%s\n", p->style->bold, p->style->colours[mark], name,
		p->style->end, words, detail[0] != '\0' ? ":" : "");
	if (detail[0] != '\0') {
		fputs("  ", p->out);
		put_wrapped(p, 2, 2, detail);
	}
}

/* --- what is good, at one glance -----------------------------------------------------------------
 */

#define LABEL_COLUMN 12

static void put_check(const struct printer *p, enum mark mark, const char *label, const char *fmt,
	...) PRINTF_LIKE(4, 5);

static void
put_check(const struct printer *p, enum mark mark, const char *label, const char *fmt, ...)
{
	int column =
		2 + width(p->style->marks[mark], strlen(p->style->marks[mark])) + 1 + LABEL_COLUMN;
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fputs("  ", p->out);
	put_mark(p, mark);
	fprintf(p->out, " %-*s", LABEL_COLUMN, label);
	put_wrapped(p, column, column, line);
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
starttls_of(const struct report_mx *mx)
{
	return mx->starttls;
}

static enum verdict
pkix_of(const struct report_mx *mx)
{
	return mx->pkix;
}

static enum verdict
dane_of(const struct report_mx *mx)
{
	return mx->dane;
}

/* The worst of all hosts, and how many pass. */
static enum verdict
over_hosts(const struct report *r, enum verdict (*of)(const struct report_mx *), size_t *passing)
{
	enum verdict all = VERDICT_PASS;

	*passing = 0;
	for (size_t i = 0; i < r->mx_count; i++) {
		enum verdict v = of(&r->mx[i]);

		*passing += v == VERDICT_PASS;
		if (v == VERDICT_FAIL || (v == VERDICT_UNKNOWN && all == VERDICT_PASS))
			all = v;
	}
	return all;
}

/* Whether there is a finding of this severity whose code begins so. */
static bool
has_finding(const struct report *r, enum severity severity, const char *prefix)
{
	for (size_t i = 0; i < r->findings.count; i++) {
		if (r->findings.items[i].severity == severity &&
			str_starts(r->findings.items[i].code, prefix))
			return true;
	}
	return false;
}

/* Hosts are named while there are few of them: "good on 1 of 2 hosts, not on mx2.example.org" */
static void
put_over_hosts(const struct printer *p, const char *label,
	enum verdict (*of)(const struct report_mx *), const char *good)
{
	const struct report *r = p->r;
	const char *not_on = NULL;
	size_t passing;
	enum verdict v = over_hosts(r, of, &passing);

	for (size_t i = 0; i < r->mx_count && not_on == NULL; i++) {
		if (of(&r->mx[i]) == v)
			not_on = shown(p, r->mx[i].host);
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

	put_check(p, has_finding(r, SEVERITY_FAIL, "mx-") ? MARK_BAD : MARK_GOOD, "MX",
		"%zu host%s%s%s", r->mx_count, plural(r->mx_count),
		r->mx_secure == DNS_SECURE             ? ", signed with DNSSEC"
			: r->mx_secure == DNS_INSECURE ? ", not signed with DNSSEC"
						       : "",
		has_finding(r, SEVERITY_INFO, "mx-ipv4-only") ? ", IPv4 only" : "");
	put_over_hosts(p, "STARTTLS", starttls_of,
		r->tls_version == 13           ? "TLS 1.3"
			: r->tls_version == 12 ? "TLS 1.2 or higher"
					       : "offered");
	(void)over_hosts(r, starttls_of, &passing);
	if (passing == 0)
		put_check(p, MARK_NONE, "certificate", "not seen, for want of TLS");
	else if (r->dane == VERDICT_PASS && r->mta_sts_record == NULL &&
		over_hosts(r, pkix_of, &passing) == VERDICT_FAIL)
		put_check(p, MARK_NONE, "certificate",
			"not of a public authority; with DANE it need not be");
	else
		put_over_hosts(p, "certificate", pkix_of, "public, with the host's name,");
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
			mode != NULL ? mode : "unknown", duration(p->arena, r->mta_sts_max_age_s));
	else if (has_finding(r, SEVERITY_FAIL, "mta-sts-"))
		put_check(p, MARK_BAD, "MTA-STS", "%s",
			mode == NULL ? "record or policy is not in order"
				     : "the policy does not fit the MX hosts");
	else if (has_finding(r, SEVERITY_TEMP, "mta-sts-"))
		put_check(p, MARK_UNSURE, "MTA-STS", "the policy could not be tested");
	else if (mode != NULL)
		put_check(p, r->mta_sts == VERDICT_FAIL ? MARK_WARN : MARK_UNSURE, "MTA-STS",
			"mode %s, max_age %s; hosts %s", mode,
			duration(p->arena, r->mta_sts_max_age_s),
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
	(void)over_hosts(r, dane_of, &passing);
	if (r->dane == VERDICT_PASS)
		put_check(p, MARK_GOOD, "DANE", "a TLSA record matches on every host");
	else if (has_finding(r, SEVERITY_TEMP, "dane-"))
		put_check(p, MARK_UNSURE, "DANE", "could not be tested");
	else if (with_tlsa == 0 && r->dane == VERDICT_UNKNOWN)
		put_check(p, MARK_NONE, "DANE", "no TLSA records");
	else
		put_check(p, r->dane == VERDICT_FAIL ? MARK_BAD : MARK_WARN, "DANE",
			"TLSA on %zu of %zu host%s, matching on %zu", with_tlsa, r->mx_count,
			plural(r->mx_count), passing);
	if (r->tlsrpt_record == NULL)
		put_check(p, MARK_NONE, "TLSRPT", "no record");
	else
		put_check(p, has_finding(r, SEVERITY_WARN, "tlsrpt-") ? MARK_WARN : MARK_GOOD,
			"TLSRPT", "%s", shown(p, r->tlsrpt_record));
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
		const char *host = shown(p, r->mx[i].host);
		int w = width(host, strlen(host));

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

		const char *host = shown(p, mx->host);
		bool fits = width(host, strlen(host)) <= host_width;

		fprintf(p->out, "  %5u %-*s", mx->preference, fits ? host_width : 0, host);
		if (!fits)
			fprintf(p->out, "\n%*s", 8 + host_width, "");
		fprintf(p->out, "  %-3s",
			mx->tls_version == 13           ? "1.3"
				: mx->tls_version == 12 ? "1.2"
							: "");
		for (size_t k = 0; k < ARRAY_LEN(cells); k++)
			fprintf(p->out, "  %s%*s", cells[k],
				widths[k] - width(cells[k], strlen(cells[k])), "");
		fprintf(p->out, "  %s\n", dns_secure_name(mx->secure));
	}
}

/* --- findings -----------------------------------------------------------------------------------
 */

/* The first line is a sentence; lines behind it are to be pasted as they are. */
static void
put_fix(const struct printer *p, const struct finding *f, int indent)
{
	size_t len = strcspn(f->fix, "\n");
	const char *line = f->fix + len;

	fprintf(p->out, "%*s%sFix:%s ", indent, "", p->style->bold, p->style->end);
	put_wrapped(p, indent + 5, indent + 5, arena_strndup(p->arena, f->fix, len));
	while (*line == '\n') {
		line++;
		len = strcspn(line, "\n");
		fprintf(p->out, "%*s%.*s\n", indent + 4, "", (int)len, line);
		line += len;
	}
}

/* Findings that say the same of several subjects are one block. */
static bool
says_the_same(const struct finding *a, const struct finding *b)
{
	return a->severity == b->severity && strcmp(a->code, b->code) == 0 &&
		strcmp(a->message, b->message) == 0 &&
		(a->fix == NULL ? b->fix == NULL : b->fix != NULL && strcmp(a->fix, b->fix) == 0) &&
		(a->cause == NULL) == (b->cause == NULL) &&
		(a->cause == NULL || strcmp(a->cause, b->cause) == 0);
}

static bool
is_first_of_its_kind(const struct finding_list *list, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (says_the_same(&list->items[i], &list->items[at]))
			return false;
	}
	return true;
}

/* What follows from it: one line each, since it goes when the cause goes. Returns how many lines.
 */
static void
put_consequences(const struct printer *p, const struct finding *cause, int indent, int depth)
{
	const struct finding_list *list = &p->r->findings;

	for (size_t i = 0; i < list->count; i++) {
		const struct finding *f = &list->items[i];

		if (finding_cause_of(list, f) != cause)
			continue;
		fprintf(p->out, "%*s", indent, "");
		put_wrapped(p, indent, indent + 3,
			arena_printf(p->arena, "-> %s: %s (%s)", f->subject, f->message, f->code));
		if (depth < CONSEQUENCE_DEPTH_MAX)
			put_consequences(p, f, indent + 3, depth + 1);
	}
}

static void
put_finding(const struct printer *p, size_t at, enum mark mark)
{
	const struct finding_list *list = &p->r->findings;
	const struct finding *f = &list->items[at];
	const char *sign = p->style->marks[mark];
	const int indent = 2 + width(sign, strlen(sign)) + 1;

	for (size_t i = at; i < list->count; i++) {
		if (i != at && !says_the_same(&list->items[i], f))
			continue;
		fputs("  ", p->out);
		if (i == at)
			put_mark(p, mark);
		else
			fprintf(p->out, "%*s", indent - 3, "");
		fprintf(p->out, " %s%s%s  %s%s%s\n", p->style->bold, list->items[i].subject,
			p->style->end, p->style->dim, f->code, p->style->end);
	}
	fprintf(p->out, "%*s", indent, "");
	put_wrapped(p, indent, indent, f->message);
	if (f->fix != NULL)
		put_fix(p, f, indent);
	if (f->run_by != NULL) {
		fprintf(p->out, "%*s", indent, "");
		put_wrapped(p, indent, indent,
			arena_printf(p->arena,
				"The host is run by %s, not by you: forward this to them.",
				f->run_by));
	}
	put_consequences(p, f, indent, 0);
}

static void
put_findings(const struct printer *p, enum severity severity, enum mark mark, const char *title)
{
	const struct finding_list *list = &p->r->findings;
	bool first = true;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].severity != severity || list->items[i].cause != NULL ||
			!is_first_of_its_kind(list, i))
			continue;
		if (first)
			fprintf(p->out, "\n%s%s%s\n", p->style->bold, title, p->style->end);
		first = false;
		put_finding(p, i, mark);
	}
}

/* Notes that a line of the checks already says. */
static bool
is_said_above(const struct report *r, const char *code)
{
	static const char *const codes[] = {"mta-sts-record-missing", "preload-record-missing",
		"mta-sts-mode-testing", "mta-sts-mode-none", "tls13-missing", "tls13",
		"mx-ipv4-only", "dnssec-insecure", "dane-no-tlsa", "dane-address-insecure"};

	if (r->dane == VERDICT_PASS && r->mta_sts_record == NULL && str_starts(code, "pkix-"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (r->mx_count > 0 && strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

static void
put_notes(const struct printer *p)
{
	const struct finding_list *list = &p->r->findings;
	bool first = true;

	for (size_t i = 0; i < list->count; i++) {
		const struct finding *f = &list->items[i];

		if (f->severity != SEVERITY_INFO || f->cause != NULL ||
			is_said_above(p->r, f->code))
			continue;
		if (first)
			fprintf(p->out, "\n%sNotes%s\n", p->style->bold, p->style->end);
		first = false;
		fputs("  ", p->out);
		put_wrapped(p, 2, 4,
			arena_printf(p->arena, "%s: %s (%s)", f->subject, f->message, f->code));
	}
}

/* --- what to publish (R21.4) ---------------------------------------------------------------------
 */

/* The digits of the time: an id that differs from every earlier one. */
static const char *
id_now(const struct printer *p)
{
	char now[CLOCK_TEXT_SIZE];
	char *id = arena_calloc(p->arena, CLOCK_TEXT_SIZE, 1);
	size_t used = 0;

	clock_format(p->r->time_s, now);
	for (const char *c = now; *c != '\0'; c++) {
		if (str_is_digit((unsigned char)*c))
			id[used++] = *c;
	}
	return id;
}

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
			p->arena, "_25._tcp.%s. IN TLSA 3 1 1 %s", shown(p, mx->host), key);
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
	fprintf(p->out, "    _mta-sts.%s. IN TXT \"v=STSv1; id=%s;\"\n", r->ascii, id_now(p));
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

static void
put_samples(const struct printer *p)
{
	const struct report *r = p->r;
	size_t passing;
	bool tls_is_fine = r->mx_count > 0 && over_hosts(r, pkix_of, &passing) == VERDICT_PASS &&
		over_hosts(r, starttls_of, &passing) == VERDICT_PASS;
	bool has_policy_record =
		r->mta_sts_record != NULL || has_finding(r, SEVERITY_FAIL, "mta-sts-");
	bool dns_is_fine = !has_finding(r, SEVERITY_FAIL, "mx-");
	bool opt_in_would_do = r->preload_mode == POLICY_MODE_ABSENT && !has_policy_record &&
		(tls_is_fine || r->dane == VERDICT_PASS) && r->dane != VERDICT_FAIL;

	if (r->ascii == NULL || r->eligible || r->preload_mode == POLICY_MODE_NONE ||
		r->mta_sts_mode == POLICY_MODE_NONE)
		return;
	if (dns_is_fine && opt_in_would_do && r->preload_record == NULL)
		put_optin_sample(p, "To be listed, one DNS record is enough");
	if (dns_is_fine && tls_is_fine && has_finding(r, SEVERITY_FAIL, "mta-sts-") &&
		!is_in_a_fix(p, "version: STSv1"))
		put_mta_sts_sample(p, "A record and a policy that would do");
	else if (dns_is_fine && tls_is_fine && !has_policy_record && opt_in_would_do)
		put_mta_sts_sample(p, "Or publish MTA-STS, which protects with other senders too");
	put_tlsa_samples(p);
}

/* R21.3: who saw it, and when. */
static void
put_footer(const struct printer *p)
{
	char now[CLOCK_TEXT_SIZE];

	if (p->r->ascii == NULL || p->r->time_s <= 0)
		return;
	clock_format(p->r->time_s, now);
	fprintf(p->out, "\n%sSeen from this machine alone, %s%s\n", p->style->dim, now,
		p->style->end);
	if (p->r->verdict == VERDICT_UNKNOWN)
		fprintf(p->out,
			"%sWhat could not be tested is worth another look in some minutes.%s\n",
			p->style->dim, p->style->end);
}

static void
put_checks(const struct printer *p, const char *title)
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

/* R21.2, R21.5: who must act reads first what to do; who need not, what was found in order. */
void
report_print(const struct report *r, FILE *out, bool colour)
{
	struct printer p = {.r = r, .style = &styles[colour], .arena = arena_new(), .out = out};

	put_headline(&p);
	if (r->verdict == VERDICT_PASS)
		put_checks(&p, NULL);
	put_findings(&p, SEVERITY_FAIL, MARK_BAD, "What stands in the way");
	put_findings(&p, SEVERITY_TEMP, MARK_UNSURE, "What could not be tested");
	put_samples(&p);
	put_findings(&p, SEVERITY_WARN, MARK_WARN, "What to mend as well");
	if (r->verdict != VERDICT_PASS)
		put_checks(&p, "All that was looked at");
	put_notes(&p);
	put_footer(&p);
	arena_free(p.arena);
}

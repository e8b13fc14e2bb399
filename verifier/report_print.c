/* The report for people; its JSON form is in report.c. */
#include "verifier/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/domain_name.h"

#define COLUMNS 90
/* Longer host names push their row's other columns to the right instead of all rows'. */
#define HOST_COLUMN_MAX 46

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

/* Prints text from column `column` on, further lines indented by `indent`, and a line end. */
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

static size_t
count_of(const struct report *r, enum severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < r->findings.count; i++)
		n += r->findings.items[i].severity == severity;
	return n;
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

static void
put_headline(const struct printer *p)
{
	const struct report *r = p->r;
	const char *name = r->ascii != NULL ? r->ascii : r->domain;
	const char *detail = "";
	const char *words;
	enum mark mark;
	size_t fails = count_of(r, SEVERITY_FAIL);

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
		detail = arena_printf(p->arena, "%zu problem%s stand%s in the way", fails,
			plural(fails), fails == 1 ? "s" : "");
	} else if (r->verdict == VERDICT_UNKNOWN) {
		mark = MARK_UNSURE;
		words = "could not be judged";
		detail = "something could not be tested now; that is neither yes nor no";
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

static void
put_host_checks(const struct printer *p)
{
	const struct report *r = p->r;
	const char *tls = r->tls_version == 13 ? ", TLS 1.3"
		: r->tls_version == 12         ? ", TLS 1.2"
					       : "";
	size_t passing;
	enum verdict v;

	put_check(p, MARK_GOOD, "MX", "%zu host%s%s", r->mx_count, plural(r->mx_count),
		r->mx_secure == DNS_SECURE ? ", signed with DNSSEC" : "");
	v = over_hosts(r, starttls_of, &passing);
	if (v == VERDICT_PASS)
		put_check(p, MARK_GOOD, "STARTTLS", "on every host%s", tls);
	else
		put_check(p, mark_of(v), "STARTTLS", "on %zu of %zu host%s", passing, r->mx_count,
			plural(r->mx_count));
	v = over_hosts(r, pkix_of, &passing);
	if (v == VERDICT_PASS)
		put_check(p, MARK_GOOD, "certificate",
			"public and with the host's name on every host");
	else
		put_check(p, mark_of(v), "certificate",
			"public and with the host's name on %zu of %zu host%s", passing,
			r->mx_count, plural(r->mx_count));
}

static void
put_mta_sts_check(const struct printer *p)
{
	const struct report *r = p->r;
	const char *mode = policy_mode_name(r->mta_sts_mode);

	if (r->mta_sts == VERDICT_UNKNOWN && r->mta_sts_record == NULL)
		put_check(p, MARK_NONE, "MTA-STS", "no record seen");
	else if (r->mta_sts == VERDICT_PASS)
		put_check(p, MARK_GOOD, "MTA-STS",
			"mode %s, max_age %s, id %s; it covers every MX host",
			mode != NULL ? mode : "unknown", duration(p->arena, r->mta_sts_max_age_s),
			r->mta_sts_id != NULL ? r->mta_sts_id : "unknown");
	else if (mode != NULL)
		put_check(p, mark_of(r->mta_sts), "MTA-STS", "mode %s, max_age %s", mode,
			duration(p->arena, r->mta_sts_max_age_s));
	else
		put_check(p, mark_of(r->mta_sts), "MTA-STS", "no policy that counts");
}

/* Whether there is a warning whose code begins so. */
static bool
has_warning(const struct report *r, const char *prefix)
{
	for (size_t i = 0; i < r->findings.count; i++) {
		if (r->findings.items[i].severity == SEVERITY_WARN &&
			str_starts(r->findings.items[i].code, prefix))
			return true;
	}
	return false;
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
	else if (with_tlsa == 0 && r->dane == VERDICT_UNKNOWN)
		put_check(p, MARK_NONE, "DANE", "no TLSA records");
	else
		put_check(p, mark_of(r->dane), "DANE", "TLSA on %zu of %zu host%s, matching on %zu",
			with_tlsa, r->mx_count, plural(r->mx_count), passing);
	if (r->tlsrpt_record == NULL)
		put_check(p, MARK_NONE, "TLSRPT", "no record");
	else
		put_check(p, has_warning(r, "tlsrpt-") ? MARK_WARN : MARK_GOOD, "TLSRPT", "%s",
			shown(p, r->tlsrpt_record));
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
		const char *cells[3] = {cell(p, mx->starttls, true), cell(p, mx->pkix, true),
			cell(p, mx->dane, mx->tlsa_count > 0)};
		static const int widths[3] = {8, 5, 4};

		fprintf(p->out, "  %5u %-*s  %-3s", mx->preference, host_width, shown(p, mx->host),
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
put_fix(const struct printer *p, const char *fix)
{
	size_t len = strcspn(fix, "\n");
	const char *line = fix + len;

	fprintf(p->out, "      %sFix:%s ", p->style->bold, p->style->end);
	put_wrapped(p, 11, 11, arena_strndup(p->arena, fix, len));
	while (*line == '\n') {
		line++;
		len = strcspn(line, "\n");
		fprintf(p->out, "          %.*s\n", (int)len, line);
		line += len;
	}
}

static void
put_findings(const struct printer *p, enum severity severity, enum mark mark, const char *title)
{
	const struct finding_list *list = &p->r->findings;

	if (count_of(p->r, severity) == 0)
		return;
	fprintf(p->out, "\n%s%s%s\n", p->style->bold, title, p->style->end);
	for (size_t i = 0; i < list->count; i++) {
		const struct finding *f = &list->items[i];

		if (f->severity != severity)
			continue;
		fputs("  ", p->out);
		put_mark(p, mark);
		fprintf(p->out, " %s  %s%s%s\n      ", f->subject, p->style->dim, f->code,
			p->style->end);
		put_wrapped(p, 6, 6, f->message);
		if (f->fix != NULL)
			put_fix(p, f->fix);
	}
}

static void
put_notes(const struct printer *p)
{
	const struct finding_list *list = &p->r->findings;

	if (count_of(p->r, SEVERITY_INFO) == 0)
		return;
	fprintf(p->out, "\n%sNotes%s\n", p->style->bold, p->style->end);
	for (size_t i = 0; i < list->count; i++) {
		const struct finding *f = &list->items[i];

		if (f->severity != SEVERITY_INFO)
			continue;
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

/* One 3 1 1 record for each key that the addresses of a host have shown. */
static void
put_tlsa_lines(const struct printer *p, const struct report_mx *mx)
{
	for (size_t i = 0; i < mx->address_count; i++) {
		const char *key = mx->addresses[i].spki_sha256;
		bool repeated = false;

		for (size_t k = 0; k < i && key != NULL; k++)
			repeated = repeated ||
				(mx->addresses[k].spki_sha256 != NULL &&
					strcmp(mx->addresses[k].spki_sha256, key) == 0);
		if (key != NULL && !repeated)
			fprintf(p->out, "    _25._tcp.%s. IN TLSA 3 1 1 %s\n", shown(p, mx->host),
				key);
	}
}

static void
put_samples(const struct printer *p)
{
	const struct report *r = p->r;
	size_t passing;
	bool tls_is_fine = r->mx_count > 0 && over_hosts(r, pkix_of, &passing) == VERDICT_PASS &&
		over_hosts(r, starttls_of, &passing) == VERDICT_PASS;
	bool opt_in_would_do = r->preload_mode == POLICY_MODE_ABSENT &&
		(tls_is_fine || r->dane == VERDICT_PASS) && r->mta_sts != VERDICT_FAIL &&
		r->dane != VERDICT_FAIL;

	if (r->ascii == NULL || r->eligible || r->preload_mode == POLICY_MODE_NONE ||
		r->mta_sts_mode == POLICY_MODE_NONE)
		return;
	if (opt_in_would_do && r->preload_record == NULL && r->mta_sts != VERDICT_PASS) {
		fprintf(p->out, "\n%sTo be listed, one DNS record is enough%s\n", p->style->bold,
			p->style->end);
		fprintf(p->out, "    _preload25.%s. IN TXT \"v=PRELOAD25v1; mode=enforce\"\n",
			r->ascii);
	}
	if (tls_is_fine && r->mta_sts != VERDICT_PASS) {
		fprintf(p->out, "\n%s%s%s\n", p->style->bold,
			opt_in_would_do
				? "Or publish MTA-STS, which protects with other senders too"
				: "An MTA-STS record and policy that would do",
			p->style->end);
		fprintf(p->out, "    _mta-sts.%s. IN TXT \"v=STSv1; id=%s;\"\n", r->ascii,
			id_now(p));
		fprintf(p->out, "    https://mta-sts.%s/.well-known/mta-sts.txt as text/plain:\n",
			r->ascii);
		fputs("        version: STSv1\n        mode: enforce\n", p->out);
		for (size_t i = 0; i < r->mx_count; i++) {
			if (domain_name_is_host(r->mx[i].host))
				fprintf(p->out, "        mx: %s\n", r->mx[i].host);
		}
		fputs("        max_age: 2592000\n", p->out);
		fputs("    With \"mode: testing\" senders report failures and deliver all the "
		      "same.\n",
			p->out);
	}
	if (r->dane == VERDICT_FAIL) {
		fprintf(p->out, "\n%sTLSA records of the keys seen%s\n", p->style->bold,
			p->style->end);
		for (size_t i = 0; i < r->mx_count; i++)
			put_tlsa_lines(p, &r->mx[i]);
	}
}

void
report_print(const struct report *r, FILE *out, bool colour)
{
	struct printer p = {.r = r, .style = &styles[colour], .arena = arena_new(), .out = out};

	put_headline(&p);
	if (r->mx_count > 0) {
		fputc('\n', out);
		put_host_checks(&p);
		put_mta_sts_check(&p);
		put_other_checks(&p);
		put_host_table(&p);
	}
	put_findings(&p, SEVERITY_FAIL, MARK_BAD, "What stands in the way");
	put_findings(&p, SEVERITY_TEMP, MARK_UNSURE, "What could not be tested");
	put_findings(&p, SEVERITY_WARN, MARK_WARN, "What to mend");
	put_notes(&p);
	put_samples(&p);
	arena_free(p.arena);
}

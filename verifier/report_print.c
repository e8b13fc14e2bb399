/* The report for people; its JSON form is in report.c. */
#include "verifier/report.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/finding_cause.h"
#include "verifier/report_printer.h"

/* Causes of causes of causes: finding_cause.c has no longer chains. */
#define CONSEQUENCE_DEPTH_MAX 3

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
	return arena_printf(p->arena, "%zu problem%s stand%s in the way", n, printer_plural(n),
		n == 1 ? "s" : "");
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
			printer_duration(p->arena, r->max_age_s));
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
		detail = r->abstained
			? "the verifier failed its self-test; that says nothing about the domain"
			: "something could not be tested now; that is neither yes nor no";
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
		printer_wrap(p, 2, 2, detail);
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
	printer_wrap(p, indent + 5, indent + 5, arena_strndup(p->arena, f->fix, len));
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
		printer_wrap(p, indent, indent + 3,
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
	const int indent = 2 + printer_width(sign, strlen(sign)) + 1;

	for (size_t i = at; i < list->count; i++) {
		if (i != at && !says_the_same(&list->items[i], f))
			continue;
		fputs("  ", p->out);
		if (i == at)
			printer_mark(p, mark);
		else
			fprintf(p->out, "%*s", indent - 3, "");
		fprintf(p->out, " %s%s%s  %s%s%s\n", p->style->bold, list->items[i].subject,
			p->style->end, p->style->dim, f->code, p->style->end);
	}
	fprintf(p->out, "%*s", indent, "");
	printer_wrap(p, indent, indent, f->message);
	if (f->fix != NULL)
		put_fix(p, f, indent);
	if (f->run_by != NULL) {
		fprintf(p->out, "%*s", indent, "");
		printer_wrap(p, indent, indent,
			arena_printf(p->arena,
				"This is run by %s, not by you: forward it to them.",
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
		printer_wrap(p, 2, 4,
			arena_printf(p->arena, "%s: %s (%s)", f->subject, f->message, f->code));
	}
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

/* R21.2, R21.5: who must act reads first what to do; who need not, what was found in order. */
void
report_print(const struct report *r, FILE *out, bool colour)
{
	struct printer p = {
		.r = r, .style = &printer_styles[colour], .arena = arena_new(), .out = out};

	put_headline(&p);
	if (r->verdict == VERDICT_PASS)
		printer_checks(&p, NULL);
	put_findings(&p, SEVERITY_FAIL, MARK_BAD, "What stands in the way");
	put_findings(&p, SEVERITY_TEMP, MARK_UNSURE, "What could not be tested");
	printer_samples(&p);
	put_findings(&p, SEVERITY_WARN, MARK_WARN, "What to mend as well");
	if (r->verdict != VERDICT_PASS)
		printer_checks(&p, "All that was looked at");
	put_notes(&p);
	put_footer(&p);
	arena_free(p.arena);
}

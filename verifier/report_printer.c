#include "verifier/report_printer.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"

const struct printer_style printer_styles[2] = {
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

void
printer_mark(const struct printer *p, enum mark mark)
{
	fprintf(p->out, "%s%s%s", p->style->colours[mark], p->style->marks[mark], p->style->end);
}

int
printer_width(const char *s, size_t len)
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

void
printer_wrap(const struct printer *p, int column, int indent, const char *text)
{
	bool first = true;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		int w = printer_width(text, len);

		if (!first && column + 1 + w > PRINTER_COLUMNS) {
			fprintf(p->out, "\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', p->out);
			column++;
		}
		while (w > PRINTER_COLUMNS - indent) {
			size_t part = octets_of(text, len, PRINTER_COLUMNS - column);

			fprintf(p->out, "%.*s\n%*s", (int)part, text, indent, "");
			text += part;
			len -= part;
			w = printer_width(text, len);
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

const char *
printer_duration(struct arena *arena, int64_t seconds)
{
	static const struct {
		int64_t size_s;
		const char *name;
	} units[] = {{CLOCK_DAY_S, "day"}, {3600, "hour"}, {1, "second"}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = seconds / units[i].size_s;

		if (seconds % units[i].size_s == 0 && (n > 0 || units[i].size_s == 1))
			return arena_printf(
				arena, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
	}
	abort();
}

const char *
printer_plural(size_t n)
{
	return n == 1 ? "" : "s";
}

const char *
printer_shown(const struct printer *p, const char *s)
{
	return finding_quote(p->arena, s, strlen(s));
}

enum verdict
report_mx_starttls(const struct report_mx *mx)
{
	return mx->starttls;
}

enum verdict
report_mx_pkix(const struct report_mx *mx)
{
	return mx->pkix;
}

enum verdict
report_over_hosts(
	const struct report *r, enum verdict (*of)(const struct report_mx *), size_t *passing)
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

bool
report_has_finding(const struct report *r, enum severity severity, const char *prefix)
{
	for (size_t i = 0; i < r->findings.count; i++) {
		if (r->findings.items[i].severity == severity &&
			str_starts(r->findings.items[i].code, prefix))
			return true;
	}
	return false;
}

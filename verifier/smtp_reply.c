#include "verifier/smtp_reply.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/string_list.h"

/* Octets of code and separator in front of a line's text. */
#define CODE_LEN   3
#define PREFIX_LEN 4

void
smtp_reply_init(struct smtp_reply *reply)
{
	*reply = (struct smtp_reply){.state = SMTP_INCOMPLETE};
}

static enum smtp_parse
malformed(struct smtp_reply *r, const char *problem)
{
	r->state = SMTP_MALFORMED;
	r->problem = problem;
	return r->state;
}

/* The octet at position pos (0 to 2) of a line's code (R4.6). */
static bool
code_octet_ok(size_t pos, char c)
{
	static const char highest[CODE_LEN] = {'5', '5', '9'};
	static const char lowest[CODE_LEN] = {'2', '0', '0'};

	return c >= lowest[pos] && c <= highest[pos];
}

/* One octet of the code; the last one makes the line's code known. */
static enum smtp_parse
take_code(struct smtp_reply *r, size_t pos, char c)
{
	if (!code_octet_ok(pos, c))
		return malformed(r, "smtp-reply-code");
	r->line_code = pos == 0 ? 0 : r->line_code;
	r->line_code = 10 * r->line_code + (unsigned)(c - '0');
	if (pos == CODE_LEN - 1) {
		if (r->line_count > 0 && r->line_code != r->code)
			return malformed(r, "smtp-reply-code-mismatch");
		r->code = r->line_code;
	}
	return SMTP_INCOMPLETE;
}

static enum smtp_parse
take_separator(struct smtp_reply *r, char c)
{
	if (c == '\n')
		return malformed(r, "smtp-bare-lf");
	if (c != ' ' && c != '-' && c != '\r')
		return malformed(r, "smtp-reply-separator");
	r->line_last = c != '-';
	return SMTP_INCOMPLETE;
}

/* The line that ends with the LF at index lf. */
static enum smtp_parse
end_line(struct smtp_reply *r, size_t lf)
{
	struct smtp_reply_line *line = &r->lines[r->line_count++];
	size_t text = r->line_start + PREFIX_LEN;

	line->offset = text < lf ? text : lf - 1; /* "250" CR LF has no separator */
	line->len = lf - 1 - line->offset;
	r->line_start = lf + 1;
	if (r->line_last) {
		r->consumed = lf + 1;
		r->state = SMTP_COMPLETE;
	}
	return r->state;
}

static enum smtp_parse
take_text(struct smtp_reply *r, char before, char c, size_t at)
{
	if (c == '\n')
		return before == '\r' ? end_line(r, at) : malformed(r, "smtp-bare-lf");
	if (before == '\r')
		return malformed(r, "smtp-reply-control-char");
	if ((unsigned char)c >= 0x80)
		r->non_ascii = true;
	else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
		return malformed(r, "smtp-reply-control-char");
	return SMTP_INCOMPLETE;
}

enum smtp_parse
smtp_reply_feed(struct smtp_reply *r, const char *data, size_t len)
{
	for (; r->state == SMTP_INCOMPLETE && r->at < len; r->at++) {
		size_t pos = r->at - r->line_start;
		char c = data[r->at];

		if (pos == 0 && r->line_count == SMTP_LINES_MAX)
			return malformed(r, "smtp-reply-too-many-lines");
		if (pos >= SMTP_LINE_MAX)
			return malformed(r, "smtp-reply-line-too-long");
		if (pos >= SMTP_LINE_WARN)
			r->line_long = true;
		if (pos < CODE_LEN)
			take_code(r, pos, c);
		else if (pos == CODE_LEN)
			take_separator(r, c);
		else
			take_text(r, data[r->at - 1], c, r->at);
	}
	return r->state;
}

/* --- what replies mean --------------------------------------------------------------------------
 */

/* R5.3: what stands in place of a keyword that a firewall has masked: XXXXXXXA, xxxxxxxx. */
static bool
is_masked_keyword(const char *keyword, size_t len)
{
	if (len != strlen("STARTTLS"))
		return false;
	for (size_t i = 0; i + 1 < len; i++) {
		if (str_lower(keyword[i]) != 'x')
			return false;
	}
	return str_is_alpha((unsigned char)keyword[len - 1]);
}

void
smtp_ehlo_parse(const struct smtp_reply *reply, const char *data, struct arena *arena,
	struct smtp_ehlo *out)
{
	*out = (struct smtp_ehlo){.starttls = false};
	/* The first line is the host's name, whatever it says. */
	for (size_t i = 1; i < reply->line_count; i++) {
		const char *text = data + reply->lines[i].offset;
		const char *end = memchr(text, ' ', reply->lines[i].len);
		size_t n = end != NULL ? (size_t)(end - text) : reply->lines[i].len;

		if (n == 0)
			continue;
		if (str_ieq(text, n, "STARTTLS", 8)) {
			out->starttls = true;
			for (size_t k = n; k < reply->lines[i].len; k++)
				out->starttls_parameters =
					out->starttls_parameters || text[k] != ' ';
		}
		out->masked_keyword = out->masked_keyword || is_masked_keyword(text, n);
		if (arena != NULL) {
			char *keyword = arena_strndup(arena, text, n);

			for (char *c = keyword; *c != '\0'; c++) {
				if (*c >= 'a' && *c <= 'z')
					*c = (char)(*c - 'a' + 'A');
			}
			string_list_add(arena, &out->keywords, &out->keyword_count, keyword, n);
		}
	}
}

bool
smtp_greeting_is_masked(const struct smtp_reply *reply, const char *data)
{
	size_t stars = 0;

	if (reply->line_count == 0)
		return false;
	/* Such firewalls leave some digits: "220 ****************0****200". */
	for (size_t i = 0; i < reply->lines[0].len; i++) {
		char c = data[reply->lines[0].offset + i];

		if (c == '*')
			stars++;
		else if (!str_is_digit((unsigned char)c) && c != ' ')
			return false;
	}
	return stars >= 8 && 2 * stars > reply->lines[0].len;
}

static struct smtp_judgement
judged(enum smtp_verdict verdict, const char *code)
{
	return (struct smtp_judgement){.verdict = verdict, .code = code};
}

/* What is common to all three steps: the reply is not there yet or broken, or has a code other than
 * the one that means yes. */
static struct smtp_judgement
judge_code(const struct smtp_reply *reply, unsigned yes, const char *temporary,
	const char *rejected, const char *unexpected)
{
	switch (reply->state) {
	case SMTP_INCOMPLETE:
		return judged(SMTP_WAIT, NULL);
	case SMTP_MALFORMED:
		return judged(SMTP_FAIL, reply->problem);
	case SMTP_COMPLETE:
		break;
	}
	if (reply->code == yes)
		return judged(SMTP_OK, NULL);
	if (reply->code / 100 == 4)
		return judged(SMTP_TEMP, temporary);
	return judged(SMTP_FAIL, reply->code / 100 == 5 ? rejected : unexpected);
}

/* What stands behind a reply that means yes: nothing, a 421 and nothing else, or what nobody asked
 * for. */
static struct smtp_judgement
judge_behind(const struct smtp_reply *reply, const char *data, size_t len, const char *temporary)
{
	struct smtp_reply behind;
	size_t rest = len - reply->consumed;

	if (rest == 0)
		return judged(SMTP_OK, NULL);
	smtp_reply_init(&behind);
	if (smtp_reply_feed(&behind, data + reply->consumed, rest) == SMTP_COMPLETE &&
		behind.code == 421 && behind.consumed == rest)
		return judged(SMTP_TEMP, temporary);
	return judged(SMTP_FAIL, "smtp-data-before-command");
}

struct smtp_judgement
smtp_judge_greeting(const struct smtp_reply *reply, const char *data, size_t len)
{
	struct smtp_judgement j = judge_code(reply, 220, "smtp-greeting-temporary",
		"smtp-greeting-rejected", "smtp-greeting-unexpected");

	return j.verdict == SMTP_OK ? judge_behind(reply, data, len, "smtp-greeting-temporary") : j;
}

struct smtp_judgement
smtp_judge_ehlo(const struct smtp_reply *reply, const char *data, size_t len,
	const struct smtp_ehlo *ehlo, bool masked_greeting)
{
	struct smtp_judgement j =
		judge_code(reply, 250, "ehlo-temporary", "ehlo-rejected", "ehlo-rejected");

	if (j.verdict == SMTP_OK)
		j = judge_behind(reply, data, len, "ehlo-temporary");
	if (j.verdict != SMTP_OK || ehlo->starttls)
		return j;
	return judged(SMTP_FAIL,
		ehlo->masked_keyword || masked_greeting ? "starttls-stripped"
							: "starttls-not-offered");
}

struct smtp_judgement
smtp_judge_starttls(const struct smtp_reply *reply, size_t len)
{
	struct smtp_judgement j = judge_code(
		reply, 220, "starttls-temporary", "starttls-rejected", "starttls-unexpected-code");

	if (j.verdict == SMTP_OK && len > reply->consumed)
		return judged(SMTP_FAIL, "starttls-plaintext-after-reply");
	return j;
}

/* The reply as far as it was understood, its line ends shown as " / ". */
static const char *
reply_quote(const struct smtp_reply *reply, const char *data, size_t len, struct arena *arena)
{
	const char *shown = "";

	if (reply->state != SMTP_COMPLETE || len > reply->consumed) {
		const char *from = reply->state == SMTP_MALFORMED ? data + reply->line_start : data;

		return finding_quote(arena, from, len - (size_t)(from - data));
	}
	/* A few lines say enough; the message is cut anyway. */
	for (size_t i = 0; i < reply->line_count && strlen(shown) < 200; i++)
		shown = arena_printf(arena, "%s%s%s", shown, i > 0 ? " / " : "",
			finding_quote(arena, data + reply->lines[i].offset, reply->lines[i].len));
	return arena_printf(arena, "%u %.200s", reply->code, shown);
}

void
smtp_judgement_report(const struct smtp_judgement *judgement, const struct smtp_reply *reply,
	const char *data, size_t len, const struct smtp_ehlo *ehlo, const char *subject,
	struct finding_list *findings)
{
	if (judgement->code != NULL)
		finding_add_usual(findings, judgement->code, subject, NULL,
			"%s The server said: %s", finding_find(judgement->code)->meaning,
			reply_quote(reply, data, len, findings->arena));
	if (reply->line_long)
		finding_add_usual(findings, "smtp-reply-line-long", subject, NULL,
			"a reply line has more than %d octets", SMTP_LINE_WARN);
	if (reply->non_ascii)
		finding_add_usual(findings, "smtp-reply-non-ascii", subject, NULL,
			"a reply holds octets above 127");
	if (ehlo != NULL && ehlo->starttls_parameters)
		finding_add_usual(findings, "starttls-keyword-parameters", subject, NULL,
			"something stands behind the keyword STARTTLS");
}

#include "builder/notice.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "verifier/domain_name.h"

#define COLUMNS 72
/* Of a mail address (RFC 5321 section 4.5.3.1.3, without the brackets). */
#define ADDRESS_MAX 254
/* Of a paragraph: our own words, and a finding's subject and message, which have limits. */
#define TEXT_MAX 2048

int
notice_address(const char *uri, char **out, struct error *err)
{
	/* atext of RFC 5322 and the dot, but for "%", which in a URI begins an escape, and "?". */
	static const char local[] = "!#$&'*+-/=^_`{|}~.";
	const char *address = uri + strlen("mailto:");
	const char *at;

	*out = NULL;
	if (!str_starts(uri, "mailto:") || (at = strchr(address, '@')) == NULL || at == address ||
		strlen(address) > ADDRESS_MAX || !domain_name_is_host(at + 1))
		return error_set(err, ERROR_INPUT, "%s: not the mailto URI of one address", uri);
	for (const char *p = address; p < at; p++) {
		if (!str_is_alnum((unsigned char)*p) && strchr(local, *p) == NULL)
			return error_set(
				err, ERROR_INPUT, "%s: not a plain address before the @", uri);
	}
	*out = xstrdup(address);
	return 0;
}

/* --- text ---------------------------------------------------------------------------- */

/* A paragraph: broken into lines, and an empty line behind it. */
static void
put_paragraph(struct buf *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " \n");

		if (column > 0 && column + 1 + len > COLUMNS) {
			(void)buf_add_char(out, '\n');
			column = 0;
		} else if (column > 0) {
			(void)buf_add_char(out, ' ');
			column++;
		}
		(void)buf_add(out, text, len);
		column += len;
		text += len;
		text += strspn(text, " \n");
	}
	(void)buf_add_str(out, "\n\n");
}

static void put_text(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
put_text(struct buf *out, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(len >= 0 && (size_t)len < sizeof(text));
	put_paragraph(out, text);
}

/* The first line of a fix is a sentence; what follows is to be pasted as it stands. */
static void
put_fix(struct buf *out, const char *fix)
{
	size_t len = strcspn(fix, "\n");
	char *sentence = xstrndup(fix, len);

	put_paragraph(out, sentence);
	free(sentence);
	if (fix[len] == '\0')
		return;
	for (const char *line = fix + len; *line == '\n'; line += len) {
		line++;
		len = strcspn(line, "\n");
		buf_addf(out, "    %.*s\n", (int)len, line);
	}
	(void)buf_add_char(out, '\n');
}

/* --- times --------------------------------------------------------------------------- */

static const char *
moment(int64_t time_s, char out[static CLOCK_TEXT_SIZE])
{
	clock_format(time_s, out);
	return out;
}

/* When a break that goes on will have been seen for so long. */
static int64_t
break_due(const struct life *l, int64_t length_s)
{
	return l->fail_last_s + length_s - l->fail_credit_s;
}

/* R18.9: an entry is in force until then, whatever becomes of it in newer lists. */
static int64_t
last_moment(const struct notice *n)
{
	return n->life->confirmed_s + n->max_age_s;
}

static void
put_last_moment(const struct notice *n, struct buf *out)
{
	char confirmed[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];

	put_text(out,
		"Senders act on a new list within hours. One that cannot fetch it keeps the entry "
		"that it has until %s at the latest: it was last confirmed at %s, and its max_age "
		"is %lld seconds.",
		moment(last_moment(n), last), moment(n->life->confirmed_s, confirmed),
		(long long)n->max_age_s);
}

/* --- the messages -------------------------------------------------------------------- */

static void
put_head(const struct notice *n, struct buf *out, const char *subject)
{
	buf_addf(out,
		"From: %s\nTo: %s\nSubject: %s %s\n"
		/* RFC 3834: no vacation message is to come back */
		"Auto-Submitted: auto-generated\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
		"Content-Transfer-Encoding: 8bit\n\n",
		n->from, n->to, n->domain, subject);
}

static void
put_foot(const struct notice *n, struct buf *out)
{
	put_text(out,
		"You get this because %s publishes this address, in its opt-in or TLSRPT record. "
		"Look for yourself: preload25 check %s",
		n->domain, n->domain);
	buf_addf(out, "-- \n%s\n", n->author);
}

static void
put_listed(const struct notice *n, struct buf *out)
{
	char since[CLOCK_TEXT_SIZE];

	put_head(n, out, "is on the preload list");
	put_text(out,
		"%s is on the preload list for port 25 since %s. Senders that use the list deliver "
		"to it over TLS alone, to the hosts that you publish yourself. There is nothing "
		"that you need do: the list follows your records.",
		n->domain, moment(n->life->since_s, since));
	put_text(out,
		"To leave it, set your MTA-STS policy to mode none, or publish the record below. "
		"No person is asked.");
	buf_addf(out, "    _preload25.%s. IN TXT \"v=PRELOAD25v1; mode=none\"\n\n", n->domain);
	put_last_moment(n, out);
	put_foot(n, out);
}

/* What becomes of the entry if nothing is mended, and when: by the rule for breaks, or sooner since
 * nobody can confirm it. */
static void
put_prospect(const struct notice *n, struct buf *out)
{
	int64_t demoted_s = break_due(n->life, n->rules->demote_s);
	int64_t removed_s = break_due(n->life, n->rules->remove_s);
	bool runs_out = last_moment(n) < removed_s;
	char demoted[CLOCK_TEXT_SIZE], removed[CLOCK_TEXT_SIZE];

	if (runs_out)
		removed_s = last_moment(n);
	(void)moment(removed_s, removed);
	if (n->life->demoted)
		put_text(out,
			"The entry has become one for testing: senders report what is wrong and "
			"deliver all the same. If it goes on so, the entry is taken off the list "
			"at %s.",
			removed);
	else if (demoted_s < removed_s)
		put_text(out,
			"If it goes on so, the entry becomes one for testing at %s (senders "
			"report what is wrong and deliver all the same), and is taken off the list "
			"at %s. Once it is mended everything stays as it was.",
			moment(demoted_s, demoted), removed);
	else
		put_text(out,
			"If it goes on so, the entry is taken off the list at %s. Once it is "
			"mended everything stays as it was.",
			removed);
	if (runs_out)
		put_text(out, "It runs out then, because nobody has been able to confirm it.");
}

static void
put_failing(const struct notice *n, struct buf *out)
{
	const struct life *l = n->life;
	char since[CLOCK_TEXT_SIZE];

	put_head(n, out, "would not receive mail from careful senders");
	put_text(out,
		"Senders that hold %s to what it publishes could not deliver to it now. Every "
		"place that we look from has seen this, first at %s.",
		n->domain, moment(l->since_s, since));
	if (n->code != NULL)
		put_text(out, "%s: %s (%s)", n->subject, n->message, n->code);
	if (n->fix != NULL)
		put_fix(out, n->fix);
	put_prospect(n, out);
	put_last_moment(n, out);
	put_foot(n, out);
}

static void
put_removed(const struct notice *n, struct buf *out)
{
	char since[CLOCK_TEXT_SIZE];

	put_head(n, out, "is off the preload list");
	put_text(out, "%s is not on the preload list for port 25 any more since %s%s (%s).",
		n->domain, moment(n->life->since_s, since),
		n->life->by_operator ? ", by an act of the operator" : "", n->reason);
	put_text(out,
		"Senders act on a new list within hours. One that cannot fetch it keeps the entry "
		"that it has until its max_age has passed since we last confirmed it.");
	put_foot(n, out);
}

int
notice_format(const struct notice *n, struct buf *out)
{
	switch (n->life->state) {
	case LIFE_LISTED:
		put_listed(n, out);
		return 1;
	case LIFE_FAILING:
		put_failing(n, out);
		return 1;
	case LIFE_REMOVED:
		/* What never was on the list cannot be off it. */
		if (!n->was_listed)
			return 0;
		put_removed(n, out);
		return 1;
	case LIFE_CANDIDATE:
	case LIFE_PENDING:
	case LIFE_REFUSED:
		return 0;
	}
	abort();
}

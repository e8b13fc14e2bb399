#include "updater/mail_log.h"

#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"

/* Delivery agents of Postfix whose connections are remembered; they come and go, and one that was
 * pushed out only loses the word of its TLS. */
#define AGENTS 512
#define ID_MAX MAIL_ID_MAX
/* Words up to the tag of a line: "Nov 26 12:00:00 host TAG", and a zone or a priority more. */
#define TAG_WORDS_MAX 8

/* One smtp(8) process. It says of a connection with TLS how it is protected before it delivers; of
 * one without, nothing. */
struct agent {
	char pid[ID_MAX];
	char host[254];    /* of the last connection with TLS */
	char message[ID_MAX]; /* the queue id of its last delivery */
	enum mail_tls tls;
	bool fresh; /* nothing was delivered over that connection yet */
	uint64_t used;
};

struct mail_log {
	struct agent agents[AGENTS];
	uint64_t clock;
	bool postfix_delivers, postfix_speaks;
	bool postfix_spoke; /* to an earlier reader */
};

/* Part of a line. */
struct span {
	const char *at;
	size_t len;
};

struct mail_log *
mail_log_new(void)
{
	return xcalloc(1, sizeof(struct mail_log));
}

void
mail_log_free(struct mail_log *log)
{
	free(log);
}

bool
mail_log_is_silent(const struct mail_log *log)
{
	return log->postfix_delivers && !log->postfix_speaks && !log->postfix_spoke;
}

bool
mail_log_speaks(const struct mail_log *log)
{
	return log->postfix_speaks;
}

void
mail_log_assume_speaks(struct mail_log *log)
{
	log->postfix_spoke = true;
}

static const char *
find(struct span s, const char *text)
{
	return s.len == 0 ? NULL : memmem(s.at, s.len, text, strlen(text));
}

static struct span
from(struct span s, const char *p)
{
	return (struct span){p, (size_t)(s.at + s.len - p)};
}

/* What stands behind text; an empty span when text is not there. */
static struct span
behind(struct span s, const char *text)
{
	const char *p = find(s, text);

	return p != NULL ? from(s, p + strlen(text)) : (struct span){s.at, 0};
}

/* The octets up to one of stops. */
static struct span
up_to(struct span s, const char *stops)
{
	size_t n = 0;

	while (n < s.len && strchr(stops, s.at[n]) == NULL)
		n++;
	return (struct span){s.at, n};
}

static bool
begins(struct span s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.at, text, strlen(text)) == 0;
}

/* Steps over text, if s begins with it. */
static bool
skip(struct span *s, const char *text)
{
	if (!begins(*s, text))
		return false;
	*s = from(*s, s->at + strlen(text));
	return true;
}

/* Steps over one word and the blanks behind it, and hands it out; an empty span at the end. */
static struct span
take_word(struct span *s)
{
	const char *blank = s->len > 0 ? memchr(s->at, ' ', s->len) : NULL;
	struct span word = {s->at, blank != NULL ? (size_t)(blank - s->at) : s->len};

	*s = from(*s, word.at + word.len);
	while (skip(s, " "))
		continue;
	return word;
}

/* Steps over an address and hands it out: up to one of stops, but a local part in quotes may hold anything. */
static struct span
take_address(struct span *s, const char *stops)
{
	size_t n = 0;

	if (begins(*s, "\"")) {
		for (n = 1; n < s->len && s->at[n] != '"'; n++)
			n += s->at[n] == '\\';
		n = n < s->len ? n + 1 : s->len;
	}
	n += up_to(from(*s, s->at + n), stops).len;
	*s = from(*s, s->at + n);
	return (struct span){s->at - n, n};
}

/* Copies a name, in lower case; what does not fit or is no domain name is "". */
static void
copy_name(struct span s, char out[static 254])
{
	while (s.len > 0 && s.at[s.len - 1] == '.')
		s.len--;
	out[0] = '\0';
	if (s.len == 0 || s.len > 253)
		return;
	memcpy(out, s.at, s.len);
	out[s.len] = '\0';
	str_lower_all(out);
	if (strlen(out) != s.len || !list_domain_valid(out, s.len))
		out[0] = '\0';
}

/* The domain of an address; local parts may hold an "@" in quotes, so the last one counts. */
static bool
copy_domain(struct span address, char out[static 254])
{
	const char *at = address.len > 0 ? memrchr(address.at, '@', address.len) : NULL;

	if (at == NULL)
		return false;
	copy_name(from(address, at + 1), out);
	return out[0] != '\0';
}

static void
copy_id(struct span s, char out[static ID_MAX])
{
	size_t len = s.len < ID_MAX ? s.len : ID_MAX - 1;

	memcpy(out, s.at, len);
	out[len] = '\0';
}

/* --- Postfix ------------------------------------------------------------------------------------
 */

static struct agent *
agent_of(struct mail_log *log, struct span pid)
{
	struct agent *oldest = &log->agents[0];
	char id[ID_MAX];

	copy_id(pid, id);
	for (size_t i = 0; i < AGENTS; i++) {
		struct agent *a = &log->agents[i];

		if (a->used > 0 && strcmp(a->pid, id) == 0) {
			a->used = ++log->clock;
			return a;
		}
		if (a->used < oldest->used)
			oldest = a;
	}
	memset(oldest, 0, sizeof(*oldest));
	memcpy(oldest->pid, id, sizeof(id));
	oldest->used = ++log->clock;
	return oldest;
}

/* "Verified TLS connection established to mx1.example.net[192.0.2.1]:25: TLSv1.3 ...", or "reused to" (with
 * smtp_tls_connection_reuse). Further behind a peer may have written such words. */
static bool
on_tls(struct mail_log *log, struct span pid, struct span text)
{
	static const struct {
		const char *word;
		enum mail_tls tls;
	} levels[] = {{"Verified", MAIL_TLS_VERIFIED}, {"Trusted", MAIL_TLS_ENCRYPTED},
		{"Untrusted", MAIL_TLS_ENCRYPTED}, {"Anonymous", MAIL_TLS_ENCRYPTED}};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct span host = text;
		struct agent *a;

		if (!skip(&host, levels[i].word) || !skip(&host, " TLS connection ") ||
			(!skip(&host, "established to ") && !skip(&host, "reused to ")))
			continue;
		log->postfix_speaks = true;
		a = agent_of(log, pid);
		copy_name(up_to(host, "["), a->host);
		a->tls = levels[i].tls;
		a->fresh = true;
		a->message[0] = '\0';
		return true;
	}
	return false;
}

/* Whether the delivery goes over the connection that the agent last spoke of: it is the first over
 * it, or one more recipient of the same message, or Postfix says that the connection was used
 * before. */
static enum mail_tls
tls_of(struct agent *a, const char *message, const char *host, bool reused)
{
	bool same = a->tls != MAIL_TLS_UNKNOWN && strcmp(a->host, host) == 0 &&
		(a->fresh || reused || strcmp(a->message, message) == 0);

	a->fresh = false;
	(void)memcpy(a->message, message, ID_MAX);
	return same ? a->tls : MAIL_TLS_NONE;
}

/* The words that stand in brackets behind "status=deferred". A reply of the peer's begins with "host ... said". */
static enum mail_reason
postfix_reason(struct span status)
{
	static const struct {
		const char *words;
		enum mail_reason reason;
	} reasons[] = {{"TLS is required, but ", MAIL_REASON_NO_TLS},
		{"Cannot start TLS: ", MAIL_REASON_HANDSHAKE},
		{"Server certificate not ", MAIL_REASON_CERTIFICATE},
		{"TLSA ", MAIL_REASON_DANE}, /* "lookup error for ...", "records unusable" */
		{"no TLSA records ", MAIL_REASON_DANE},
		{"non DNSSEC destination", MAIL_REASON_DANE}};
	struct span text = behind(up_to(status, ")"), " (");

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (begins(text, reasons[i].words))
			return reasons[i].reason;
	return MAIL_REASON_OTHER;
}

/* "QUEUEID: to=<a@example.net>, relay=mx1.example.net[192.0.2.1]:25, ..., status=sent (250 ok)". */
static int
on_delivery(struct mail_log *log, struct span pid, struct span text, struct mail_delivery *out)
{
	struct span message = up_to(text, ":"), relay = from(text, text.at + message.len), to, status;

	if (!skip(&relay, ": to=<"))
		return 0;
	to = take_address(&relay, ">");
	/* What an alias was called: not where the message went. */
	if (skip(&relay, ">, orig_to=<"))
		(void)take_address(&relay, ">");
	if (!skip(&relay, ">, relay=") || !copy_domain(to, out->domain))
		return 0;
	/* The first "status=" behind the numbers: what stands in brackets behind it is the peer's. */
	status = behind(behind(relay, ", delay="), ", status=");
	copy_name(up_to(relay, "[, "), out->host);
	if (begins(relay, "none,"))
		out->host[0] = '\0';
	/* A filter on this machine: the message has not left it yet. */
	if (begins(relay, "127.0.0.1[") || begins(relay, "localhost[") || begins(relay, "[::1]"))
		return 0;
	if (begins(status, "sent"))
		out->outcome = MAIL_SENT;
	else if (begins(status, "deferred"))
		out->outcome = MAIL_DEFERRED;
	else if (begins(status, "bounced"))
		out->outcome = MAIL_BOUNCED;
	else
		return 0;
	log->postfix_delivers = true;
	out->reason = out->outcome == MAIL_SENT ? MAIL_REASON_OTHER : postfix_reason(status);
	copy_id(message, out->id);
	out->tls = out->host[0] == '\0'
		? MAIL_TLS_UNKNOWN
		: tls_of(agent_of(log, pid), out->id, out->host,
			  find(up_to(relay, "("), ", conn_use=") != NULL);
	return 1;
}

/* --- Exim ---------------------------------------------------------------------------------------
 */

/* "== a@example.net R=preload25 T=preload25_pkix defer (-38) H=mx [192.0.2.1]: words". The numbers are Exim's own:
 * -37 TLS could not be set up, -38 it was required and not offered. */
static enum mail_reason
exim_reason(struct span rest)
{
	/* The first: behind it may stand what the peer has said. */
	struct span number = behind(rest, " defer ("), words;

	if (begins(behind(rest, " R="), "preload25_no_listed_mx "))
		return MAIL_REASON_OTHER_HOST;
	if (begins(number, "-38)"))
		return MAIL_REASON_NO_TLS;
	if (begins(number, "-37)"))
		return find(number, "ertificate") != NULL ? MAIL_REASON_CERTIFICATE
							  : MAIL_REASON_HANDSHAKE;
	words = behind(behind(number, " H="), "]: ");
	return begins(words, "preload25: no secure TLSA record") ? MAIL_REASON_DANE
								   : MAIL_REASON_OTHER;
}

/* "1vOabc-00000001abc-0001", or "1vOabc-0001ab-01" before Exim 4.97. */
static bool
is_exim_id(struct span s)
{
	size_t dash = s.len == 23 ? 18 : 13;

	if (s.len != 23 && s.len != 16)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (i == 6 || i == dash ? s.at[i] != '-' : !str_is_alnum((unsigned char)s.at[i]))
			return false;
	return true;
}

/* Whether rest is a line of Exim's main log: "2026-11-26 12:00:00". */
static bool
is_exim(struct span line)
{
	return line.len > 19 && line.at[4] == '-' && line.at[7] == '-' && line.at[10] == ' ' &&
		line.at[13] == ':';
}

/* Steps over date and time (syslog has its own, and Exim may leave them to it), perhaps the zone and "[pid]", the id of the message, and the flag: only there is it
 * Exim's own. false: a line about something else. */
static bool
take_flag(struct span *rest, struct mail_delivery *out)
{
	static const struct {
		const char *flag;
		enum mail_outcome outcome;
	} flags[] = {{"=> ", MAIL_SENT}, {"-> ", MAIL_SENT}, {"== ", MAIL_DEFERRED},
		{"** ", MAIL_BOUNCED}};
	bool dated = is_exim(*rest);
	struct span word;

	word = take_word(rest);
	if (dated) {
		(void)take_word(rest);
		word = take_word(rest);
	}
	if (begins(word, "+") || begins(word, "-"))
		word = take_word(rest);
	if (begins(word, "["))
		word = take_word(rest);
	if (!is_exim_id(word))
		return false;
	copy_id(word, out->id);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!skip(rest, flags[i].flag))
			continue;
		out->outcome = flags[i].outcome;
		return true;
	}
	return false;
}

/* The part of s before text, or all of it. */
static struct span
before(struct span s, const char *text)
{
	const char *p = find(s, text);

	return p != NULL ? (struct span){s.at, (size_t)(p - s.at)} : s;
}

/* "2026-11-26 12:00:00 1vOabc-00000001abc-0001 => a@example.net R=... T=... H=mx [192.0.2.1] X=TLS1.3:...
 * CV=yes ...". Behind DN= and C= stands what the peer said. */
static int
exim_line(struct span line, struct mail_delivery *out)
{
	struct span rest = line, address, host;

	if (!take_flag(&rest, out))
		return 0;
	address = take_address(&rest, " ");
	/* "alias <a@example.net>": the address in brackets is the one that was delivered to; behind a whole one
	 * stands where it came from. */
	if (skip(&rest, " <")) {
		struct span other = take_address(&rest, ">");

		if (memrchr(address.at, '@', address.len) == NULL)
			address = other;
	}
	rest = before(before(rest, " C=\""), " DN=\"");
	/* Deliveries by other transports (files, pipes) name no host. */
	host = behind(rest, " H=");
	if (!copy_domain(address, out->domain) || (host.len == 0 && out->outcome == MAIL_SENT))
		return 0;
	copy_name(up_to(host, " ["), out->host);
	if (out->outcome != MAIL_SENT)
		out->reason = exim_reason(rest);
	if (host.len == 0)
		out->tls = MAIL_TLS_UNKNOWN;
	else if (find(rest, " X=") == NULL)
		out->tls = MAIL_TLS_NONE;
	else if (find(rest, " CV=yes") != NULL || find(rest, " CV=dane") != NULL)
		out->tls = MAIL_TLS_VERIFIED;
	else
		out->tls = MAIL_TLS_ENCRYPTED;
	return 1;
}

/* --- both ---------------------------------------------------------------------------------------
 */

/* Steps over what syslog writes before the text of a line, "Nov 26 12:00:00 host postfix/smtp[PID]: ": the name
 * and the number of the process. Before that tag are only some words without a colon behind them; whatever comes
 * later senders choose. */
static bool
take_tag(struct span *rest, struct span *name, struct span *pid)
{
	for (int words = 0; words < TAG_WORDS_MAX; words++) {
		struct span word = take_word(rest);

		if (word.len == 0 || word.at[word.len - 1] != ':')
			continue;
		/* The tag. */
		*name = up_to(word, "[");
		*pid = up_to(behind(word, "["), "]");
		for (size_t i = 0; i < pid->len; i++)
			if (!str_is_digit(pid->at[i]))
				return false;
		return pid->len > 0 && pid->at + pid->len + strlen("]:") == word.at + word.len;
	}
	return false;
}

static bool
ends(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.at + s.len - len, text, len) == 0;
}

int
mail_log_line(struct mail_log *log, const char *line, size_t len, struct mail_delivery *out)
{
	struct span s = {line, len}, name, pid;

	memset(out, 0, sizeof(*out));
	if (len > MAIL_LOG_LINE_MAX)
		return 0;
	if (is_exim(s))
		return exim_line(s, out);
	if (!take_tag(&s, &name, &pid))
		return 0;
	/* "postfix-out/smtp": instances have names of their own. */
	if (ends(name, "/smtp"))
		return on_tls(log, pid, s) ? 0 : on_delivery(log, pid, s, out);
	return begins(name, "exim") ? exim_line(s, out) : 0;
}

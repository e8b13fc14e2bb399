/* Postfix: smtp(8) says of a connection with TLS how it is protected before it delivers; of one
 * without, nothing. qmgr(8) says when a message was in the queue for too long. */
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/xalloc.h"
#include "updater/mail_parsers.h"
#include "updater/mail_recent.h"

/* One smtp(8) process. */
struct agent {
	char host[254];            /* of the last connection with TLS */
	char message[MAIL_ID_MAX]; /* the queue id of its last delivery */
	enum mail_tls tls;
	bool fresh; /* nothing was delivered over that connection yet */
};

struct mail_postfix {
	struct mail_recent *agents; /* owned; by the number of the process */
	struct mail_speech speech;
};

struct mail_postfix *
mail_postfix_new(void)
{
	struct mail_postfix *p = xcalloc(1, sizeof(*p));

	p->agents = mail_recent_new(sizeof(struct agent));
	return p;
}

void
mail_postfix_free(struct mail_postfix *p)
{
	if (p == NULL)
		return;
	mail_recent_free(p->agents);
	free(p);
}

/* "Verified TLS connection established to mx1.example.net[192.0.2.1]:25: TLSv1.3 ...", or "reused
 * to" (with smtp_tls_connection_reuse). Further behind a peer may have written such words. */
static bool
on_tls(struct mail_postfix *p, const struct mail_line *line)
{
	static const struct {
		const char *word;
		enum mail_tls tls;
	} levels[] = {{"Verified", MAIL_TLS_VERIFIED}, {"Trusted", MAIL_TLS_ENCRYPTED},
		{"Untrusted", MAIL_TLS_ENCRYPTED}, {"Anonymous", MAIL_TLS_ENCRYPTED}};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct span host = line->text;
		struct agent *a;

		if (!span_skip(&host, levels[i].word) || !span_skip(&host, " TLS connection ") ||
			(!span_skip(&host, "established to ") && !span_skip(&host, "reused to ")))
			continue;
		p->speech.speaks = true;
		a = mail_recent_get(p->agents, line->pid);
		span_copy_name(span_up_to(host, "["), a->host);
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
	(void)memcpy(a->message, message, MAIL_ID_MAX);
	return same ? a->tls : MAIL_TLS_NONE;
}

/* The words that stand in brackets behind "status=deferred". A reply of the peer's begins with
 * "host ... said". */
static enum mail_reason
reason_of(struct span status)
{
	static const struct {
		const char *words;
		enum mail_reason reason;
	} reasons[] = {{"TLS is required, but ", MAIL_REASON_NO_TLS},
		{"Cannot start TLS: ", MAIL_REASON_HANDSHAKE},
		{"Server certificate not ", MAIL_REASON_CERTIFICATE},
		{"TLSA ", MAIL_REASON_DANE}, /* "lookup error for ...", "records unusable" */
		{"no TLSA records ", MAIL_REASON_DANE},
		{"non DNSSEC destination", MAIL_REASON_DANE},
		/* Of those that DNS names the policy lets none be asked (mx_host_pattern). */
		{"server unavailable or unable to receive mail", MAIL_REASON_OTHER_HOST}};
	struct span text = span_behind(span_up_to(status, ")"), " (");

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (span_begins(text, reasons[i].words))
			return reasons[i].reason;
	return MAIL_REASON_OTHER;
}

/* What a status begins with, and what it means. false: it is no end of an attempt. */
static bool
outcome_of(struct span status, enum mail_outcome *out)
{
	static const struct {
		const char *word;
		enum mail_outcome outcome;
	} words[] = {{"sent", MAIL_SENT}, {"deferred", MAIL_DEFERRED}, {"bounced", MAIL_BOUNCED}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		*out = words[i].outcome;
		if (span_begins(status, words[i].word))
			return true;
	}
	return false;
}

/* "QUEUEID: to=<a@example.net>, relay=mx1.example.net[192.0.2.1]:25, ..., status=sent (250 ok)". */
static int
on_delivery(struct mail_postfix *p, const struct mail_line *line, struct mail_delivery *out)
{
	struct span message = span_up_to(line->text, ":"), to, status;
	struct span relay = span_from(line->text, message.at + message.len);

	if (!span_skip(&relay, ": to=<"))
		return 0;
	to = span_take_address(&relay, ">");
	/* What an alias was called: not where the message went. */
	if (span_skip(&relay, ">, orig_to=<"))
		(void)span_take_address(&relay, ">");
	if (!span_skip(&relay, ">, relay=") || !span_copy_domain(to, out->domain))
		return 0;
	/* The first "status=" behind the numbers: what stands in brackets behind it is the peer's.
	 */
	status = span_behind(span_behind(relay, ", delay="), ", status=");
	span_copy_name(span_up_to(relay, "[, "), out->host);
	if (span_begins(relay, "none,"))
		out->host[0] = '\0';
	/* A filter on this machine: the message has not left it yet. */
	if (span_begins(relay, "127.0.0.1[") || span_begins(relay, "localhost[") ||
		span_begins(relay, "[::1]") || !outcome_of(status, &out->outcome))
		return 0;
	p->speech.delivers = true;
	out->reason = out->outcome == MAIL_SENT ? MAIL_REASON_OTHER : reason_of(status);
	span_copy_id(message, out->id);
	out->tls = out->host[0] == '\0'
		? MAIL_TLS_UNKNOWN
		: tls_of(mail_recent_get(p->agents, line->pid), out->id, out->host,
			  span_find(span_up_to(relay, "("), ", conn_use=") != NULL);
	return 1;
}

int
mail_postfix_smtp(struct mail_postfix *p, const struct mail_line *line, struct mail_delivery *out)
{
	return on_tls(p, line) ? 0 : on_delivery(p, line, out);
}

/* "QUEUEID: from=<a@example.net>, status=expired, returned to sender", or "force-expired"
 * (postsuper -e). Which recipients still waited it does not say. */
int
mail_postfix_qmgr(const struct mail_line *line, struct mail_delivery *out)
{
	struct span message = span_up_to(line->text, ":");
	struct span rest = span_from(line->text, message.at + message.len);

	if (!span_skip(&rest, ": from=<"))
		return 0;
	(void)span_take_address(&rest, ">");
	if (!span_is(rest, ">, status=expired, returned to sender") &&
		!span_is(rest, ">, status=force-expired, returned to sender"))
		return 0;
	out->outcome = MAIL_GIVEN_UP;
	span_copy_id(message, out->id);
	return 1;
}

struct mail_speech
mail_postfix_speech(const struct mail_postfix *p)
{
	return p->speech;
}

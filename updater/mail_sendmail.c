/*
 * Sendmail: a process says of a connection with TLS how it is protected, then perhaps that the list
 * does not let it deliver there, and why; then what became of the recipients, several in a line
 * where they share their fate. Each line behind "sm-mta[7]: ", long ones broken here:
 *
 *	STARTTLS=client, relay=mx1.good.test., version=TLSv1.3, verify=OK, cipher=..., bits=256/256
 *	ruleset=tls_server, arg1=FAIL, relay=mx1.ca.test, reject=403 4.7.0 authentication failed
 *	QUEUEID: ruleset=tls_rcpt, arg1=bob@name.test, relay=mx1.name.test., reject=450 4.7.0
 *	    <bob@name.test>... mx1.name.test is not in the server certificate
 *	QUEUEID: to=<a@good.test>,<b@good.test>, ctladdr=<u@home.test> (0/0), delay=00:00:00,
 *	    xdelay=00:00:00, mailer=esmtp, pri=30366, relay=mx1.good.test. [192.0.2.1], dsn=2.0.0,
 *	    stat=Sent (ok)
 *	QUEUEID: OTHERID: DSN: Cannot send message for 5 days
 *
 * What stands behind "reply=" and "stat=" may be the peer's words. So an outcome is read from
 * "dsn=", and a reason from the lines of the rule sets, never from these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/mail_parsers.h"
#include "updater/mail_recent.h"

/* One process and one server: it may have connections to several open. */
struct peer {
	char host[254];
	enum mail_tls tls;
	/* The rule set of the connection said no: nothing is sent to that server. OTHER: it did
	 * not. */
	enum mail_reason refused;
	/* The rule set of recipients did, to one of this message. */
	enum mail_reason held;
	char message[MAIL_ID_MAX];
};

struct mail_sendmail {
	struct mail_recent *peers; /* owned; by the number of the process and the server's name */
	struct mail_speech speech;
	/* The recipients of the last delivery that were not told of yet, lent; and what they share.
	 */
	struct span recipients;
	struct mail_delivery shared;
};

struct mail_sendmail *
mail_sendmail_new(void)
{
	struct mail_sendmail *s = xcalloc(1, sizeof(*s));

	s->peers = mail_recent_new(sizeof(struct peer));
	return s;
}

void
mail_sendmail_free(struct mail_sendmail *s)
{
	if (s == NULL)
		return;
	mail_recent_free(s->peers);
	free(s);
}

struct mail_speech
mail_sendmail_speech(const struct mail_sendmail *s)
{
	return s->speech;
}

/* --- connections --------------------------------------------------------------------------------
 */

/* NULL: nothing was said of it, or make is not set; "host" is a name already. */
static struct peer *
peer_of(struct mail_sendmail *s, struct span pid, const char *host, bool make)
{
	char text[MAIL_ID_MAX + 1 + 254], id[MAIL_ID_MAX];
	struct span key = {text, 0};
	struct peer *p;

	span_copy_id(pid, id);
	key.len = (size_t)snprintf(text, sizeof(text), "%s %s", id, host);
	p = make ? mail_recent_get(s->peers, key) : mail_recent_find(s->peers, key);
	if (p != NULL && make)
		memcpy(p->host, host, strlen(host) + 1);
	return p != NULL && strcmp(p->host, host) == 0 ? p : NULL;
}

/* "mx1.good.test., version=TLSv1.3, verify=OK, ...": the certificate is valid; whether for that
 * name it does not say. */
static void
on_tls(struct mail_sendmail *s, struct span pid, struct span rest)
{
	struct span verify = span_up_to(span_behind(rest, ", verify="), ",");
	char host[254];
	struct peer *p;

	if (verify.len == 0)
		return; /* a warning */
	s->speech.speaks = true;
	span_copy_name(span_up_to(rest, ","), host);
	p = peer_of(s, pid, host, true);
	p->tls = span_is(verify, "TRUSTED") ? MAIL_TLS_VERIFIED
		: span_is(verify, "OK")     ? MAIL_TLS_TRUSTED
					    : MAIL_TLS_ENCRYPTED;
	p->refused = MAIL_REASON_OTHER;
	p->message[0] = '\0';
}

/* "450 4.7.0 <bob@name.test>... words": up to the words. */
static struct span
words_of(struct span reject)
{
	(void)span_take_word(&reject);
	(void)span_take_word(&reject);
	if (span_skip(&reject, "<")) {
		(void)span_take_address(&reject, ">");
		(void)span_skip(&reject, ">... ");
	}
	return reject;
}

/* "arg1=FAIL, relay=mx1.ca.test, reject=...": what the server showed; or, with "arg1=SOFTWARE, relay=mx1.ca.test,
 * reject=450 4.7.0 <bob@ca.test>... STS lookup temp fail", that the list could not be read, when nothing was
 * asked of the server. */
static void
on_tls_server(struct mail_sendmail *s, struct span pid, struct span rest)
{
	static const struct {
		const char *verify;
		enum mail_reason reason;
	} reasons[] = {{"NONE", MAIL_REASON_NO_TLS}, {"TEMP", MAIL_REASON_NO_TLS},
		{"SOFTWARE", MAIL_REASON_HANDSHAKE}, {"PROTOCOL", MAIL_REASON_HANDSHAKE},
		{"FAILURE", MAIL_REASON_HANDSHAKE}};
	struct span verify = span_up_to(span_behind(rest, "arg1="), ",");
	enum mail_reason reason = MAIL_REASON_CERTIFICATE;
	char host[254];

	span_copy_name(span_up_to(span_behind(rest, ", relay="), ","), host);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (span_is(verify, reasons[i].verify))
			reason = reasons[i].reason;
	if (span_begins(words_of(span_behind(rest, ", reject=")), "STS lookup temp fail"))
		reason = MAIL_REASON_OTHER;
	peer_of(s, pid, host, true)->refused = reason;
}

/* "450 4.7.0 <bob@name.test>... mx1.name.test is not in the server certificate": of the rules that
 * setup writes, or of Sendmail's own. */
static enum mail_reason
reason_of(struct span reject)
{
	static const struct {
		const char *words;
		enum mail_reason reason;
	} reasons[] = {{"DANE: missing STARTTLS", MAIL_REASON_NO_TLS},
		{"other side does not support STARTTLS", MAIL_REASON_NO_TLS},
		{"TLS handshake failed", MAIL_REASON_HANDSHAKE},
		{"authentication fail", MAIL_REASON_CERTIFICATE},
		{"DANE check failed", MAIL_REASON_CERTIFICATE},
		{"no DANE authentication of ", MAIL_REASON_DANE}};

	reject = words_of(reject);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (span_begins(reject, reasons[i].words))
			return reasons[i].reason;
	/* The server's name stands first. */
	(void)span_take_word(&reject);
	if (span_begins(reject, "is not in the server certificate"))
		return MAIL_REASON_CERTIFICATE;
	return span_begins(reject, "not found in ") ? MAIL_REASON_OTHER_HOST : MAIL_REASON_OTHER;
}

/* "arg1=bob@name.test, relay=mx1.name.test., reject=...": what the list asks for a recipient. */
static void
on_tls_rcpt(struct mail_sendmail *s, struct span pid, struct span message, struct span rest)
{
	char host[254];
	struct peer *p;

	if (!span_skip(&rest, "arg1="))
		return;
	(void)span_take_address(&rest, ",");
	if (!span_skip(&rest, ", relay="))
		return;
	span_copy_name(span_up_to(rest, ","), host);
	p = peer_of(s, pid, host, true);
	p->held = reason_of(span_behind(rest, ", reject="));
	span_copy_id(message, p->message);
}

/* --- deliveries ---------------------------------------------------------------------------------
 */

/* Steps over one of "<a@good.test>,b@good.test, ..." and hands out the address; false: it was the
 * last. */
static bool
take_recipient(struct span *rest, struct span *address)
{
	if (span_skip(rest, "<")) {
		*address = span_take_address(rest, ">");
		(void)span_skip(rest, ">");
	} else {
		*address = span_take_address(rest, ", ");
	}
	/* Behind the last one a blank follows. */
	return rest->len > 1 && rest->at[1] != ' ' && span_skip(rest, ",");
}

/* The next recipient with a domain. */
static int
next(struct mail_sendmail *s, struct mail_delivery *out)
{
	bool more = s->recipients.len > 0;

	while (more) {
		struct span address;

		more = take_recipient(&s->recipients, &address);
		if (!more)
			s->recipients.len = 0;
		*out = s->shared;
		if (span_copy_domain(address, out->domain))
			return 1;
	}
	return 0;
}

int
mail_sendmail_more(struct mail_sendmail *s, struct mail_delivery *out)
{
	return next(s, out);
}

/* "[127.0.0.1] [127.0.0.1]": what takes mail from local programs hands it to what delivers. */
static bool
is_this_machine(struct span relay)
{
	struct span address = span_behind(relay, " [");

	return span_begins(address, "127.") || span_begins(address, "IPv6:::1]") ||
		span_begins(address, "IPv6:0:0:0:0:0:0:0:1]");
}

/* What the process has said of that server. */
static void
judge(struct mail_sendmail *s, struct span pid, struct mail_delivery *out)
{
	const struct peer *p = peer_of(s, pid, out->host, false);

	out->tls = p != NULL && p->tls != MAIL_TLS_UNKNOWN ? p->tls : MAIL_TLS_NONE;
	if (p == NULL || out->outcome == MAIL_SENT)
		return;
	if (p->refused != MAIL_REASON_OTHER)
		out->reason = p->refused;
	else if (strcmp(p->message, out->id) == 0)
		out->reason = p->held;
}

/* "<a@good.test>, delay=..., relay=mx1.good.test. [192.0.2.1], dsn=2.0.0, stat=Sent (ok)". */
static int
on_delivery(struct mail_sendmail *s, struct span pid, struct span message, struct span rest,
	struct mail_delivery *out)
{
	struct span recipients = rest, address, relay, dsn;

	while (take_recipient(&rest, &address))
		continue;
	(void)span_skip(&rest, " [more]");
	if (span_skip(&rest, ", ctladdr="))
		(void)take_recipient(&rest, &address);
	rest = span_behind(rest, ", delay=");
	dsn = span_behind(rest, ", dsn=");
	relay = span_behind(span_before(rest, ", dsn="), ", relay=");
	if (dsn.len == 0 || relay.len == 0 || is_this_machine(relay))
		return 0;
	if (span_begins(dsn, "2."))
		out->outcome = MAIL_SENT;
	else if (span_begins(dsn, "4."))
		out->outcome = MAIL_DEFERRED;
	else if (span_begins(dsn, "5."))
		out->outcome = MAIL_BOUNCED;
	else
		return 0;
	span_copy_id(message, out->id);
	/* Without an address no server was asked. */
	if (span_find(relay, " [") != NULL)
		span_copy_name(span_up_to(relay, " "), out->host);
	else if (out->outcome == MAIL_SENT)
		return 0;
	else if (span_begins(span_behind(dsn, ", "), "stat=Deferred: Name server: ") &&
		span_ends(dsn, " for TLSA RR"))
		out->reason = MAIL_REASON_DANE; /* bogus; nobody was asked who could say so */
	if (out->host[0] != '\0')
		judge(s, pid, out);
	s->speech.delivers = true;
	s->shared = *out;
	s->recipients = recipients;
	return next(s, out);
}

/* "OTHERID: DSN: Cannot send message for 5 days": the queue id is that of the notice. */
static int
on_notice(struct span message, struct span rest, struct mail_delivery *out)
{
	static const char *const words[] = {
		"DSN", "return to sender", "sender notify", "postmaster notify"};

	(void)span_take_word(&rest);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct span why = rest;

		if (!span_skip(&why, words[i]) || !span_begins(why, ": Cannot send message for "))
			continue;
		out->outcome = MAIL_GIVEN_UP;
		span_copy_id(message, out->id);
		return 1;
	}
	return 0;
}

/* "6AR1WI0V000971: ". */
static bool
take_id(struct span *rest, struct span *id)
{
	*id = span_up_to(*rest, ": ");
	for (size_t i = 0; i < id->len; i++)
		if (!str_is_alnum((unsigned char)id->at[i]))
			return false;
	if (id->len == 0 || !span_begins(span_from(*rest, id->at + id->len), ": "))
		return false;
	*rest = span_from(*rest, id->at + id->len + strlen(": "));
	return true;
}

int
mail_sendmail_line(struct mail_sendmail *s, const struct mail_line *line, struct mail_delivery *out)
{
	struct span rest = line->text, id;

	s->recipients.len = 0;
	if (span_skip(&rest, "STARTTLS=client, relay=")) {
		on_tls(s, line->pid, rest);
		return 0;
	}
	if (!take_id(&rest, &id))
		id.len = 0;
	if (span_skip(&rest, "ruleset=tls_server, ")) {
		on_tls_server(s, line->pid, rest);
		return 0;
	}
	if (id.len == 0)
		return 0;
	if (span_skip(&rest, "ruleset=tls_rcpt, ")) {
		on_tls_rcpt(s, line->pid, id, rest);
		return 0;
	}
	if (span_skip(&rest, "to="))
		return on_delivery(s, line->pid, id, rest, out);
	return on_notice(id, rest, out);
}

/*
 * OpenSMTPD: a session says whom it asks, how it is protected and why it failed; then what became of
 * envelopes. The server's name is not in the log, only its address and what that is called by
 * whoever owns it. Each line behind "smtpd[7]: ", long ones broken here:
 *
 *	0123456789abcdef mta connecting address=smtp+tls://192.0.2.1:25 host=192.0.2.1
 *	0123456789abcdef mta tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256
 *	0123456789abcdef mta server-cert-check result="success"              (6.8)
 *	0123456789abcdef mta cert-check result="valid" fingerprint="..."     (7.4)
 *	0123456789abcdef mta error reason=TLS required but not supported by remote host
 *	smtp-out: Disabling route [] <-> 192.0.2.1 (192.0.2.1) for 15s
 *	smtp-out: No valid route for [connector:[]->[relay:good.test,smtp+tls],0x0]
 *	smtp-out: Enabling route [] <-> 192.0.2.1 (192.0.2.1)
 *	0123456789abcdef mta delivery evpid=0123456701234567 from=<u@home.test> to=<u@good.test>
 *	    rcpt=<-> source="192.0.2.9" relay="192.0.2.1 (192.0.2.1)" delay=0s result="Ok"
 *	    stat="250 ok"
 *	relay: Expire for 0123456701234567: from=<u@home.test>, to=<u@good.test>, rcpt=<->, delay=4d,
 *	    stat=Envelope expired
 *
 * Where no server could be used, an envelope is put off by no session (0000000000000000) over a
 * relay that is the domain, or the server that it is pinned to; which servers were asked for it is
 * not said. See why_no_route().
 */
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/mail_parsers.h"
#include "updater/mail_recent.h"

#define ID_LEN 16
/* Hex digits of an envelope's id that are the message's. */
#define MESSAGE_LEN 8
#define ADDRESS_MAX 46
/* Servers that failed lately and are not tried again yet: of more the oldest is forgotten. */
#define FAILURES_MAX 128
#define DAY_S        (24 * 3600)
/* When no server is left for a relay: so many seconds after the last one was asked, which a relay
 * waits between two. */
#define RETRY_MIN_S 2
#define RETRY_MAX_S 3

struct session {
	char address[ADDRESS_MAX];
	bool must_tls; /* "relay tls": nothing goes without, nor to whom is not verified */
	enum mail_tls tls;
	int since_s; /* in the day; -1: the log does not say */
};

struct failure {
	char address[ADDRESS_MAX];
	enum mail_reason reason;
	int since_s, failed_s; /* in the day, as above */
	bool disabled;         /* so it was no idle session that ended */
	bool told;             /* why some relay has no server left */
};

struct relay {
	char name[254];
	enum mail_reason reason; /* why it has no server left */
};

struct mail_opensmtpd {
	struct mail_recent *sessions;          /* owned */
	struct mail_recent *relays;            /* owned */
	struct failure failures[FAILURES_MAX]; /* oldest first */
	size_t failure_count;
};

struct mail_opensmtpd *
mail_opensmtpd_new(void)
{
	struct mail_opensmtpd *o = xcalloc(1, sizeof(*o));

	o->sessions = mail_recent_new(sizeof(struct session));
	o->relays = mail_recent_new(sizeof(struct relay));
	return o;
}

void
mail_opensmtpd_free(struct mail_opensmtpd *o)
{
	if (o == NULL)
		return;
	mail_recent_free(o->sessions);
	mail_recent_free(o->relays);
	free(o);
}

/* --- time ---------------------------------------------------------------------------------------
 */

/* The seconds of the day in "Nov 26 12:00:00 host" or "2026-11-26T12:00:00+00:00 host"; -1 there
 * are none. */
static int
second_of_day(struct span stamp)
{
	for (size_t i = 0; i + 8 <= stamp.len; i++) {
		const char *p = stamp.at + i;

		if (p[2] == ':' && p[5] == ':' && str_is_digit(p[0]) && str_is_digit(p[1]) &&
			str_is_digit(p[3]) && str_is_digit(p[4]) && str_is_digit(p[6]) &&
			str_is_digit(p[7]))
			return ((p[0] - '0') * 10 + p[1] - '0') * 3600 +
				((p[3] - '0') * 10 + p[4] - '0') * 60 + (p[6] - '0') * 10 + p[7] -
				'0';
	}
	return -1;
}

/* How many seconds lie between, over midnight if need be. */
static int
age(int from_s, int to_s)
{
	return from_s < 0 || to_s < 0 ? RETRY_MIN_S : (to_s - from_s + 2 * DAY_S) % DAY_S;
}

/* --- servers that failed ------------------------------------------------------------------------
 */

static void
forget_failure(struct mail_opensmtpd *o, size_t i)
{
	o->failure_count--;
	memmove(&o->failures[i], &o->failures[i + 1],
		(o->failure_count - i) * sizeof(o->failures[0]));
}

static void
forget_address(struct mail_opensmtpd *o, struct span address)
{
	for (size_t i = o->failure_count; i-- > 0;)
		if (span_is(address, o->failures[i].address))
			forget_failure(o, i);
}

/* What a session says of itself. What the peer has said stands behind it. */
static enum mail_reason
reason_of(struct span why)
{
	static const struct {
		const char *words;
		enum mail_reason reason;
	} reasons[] = {{"TLS required but not supported by remote host", MAIL_REASON_NO_TLS},
		{"STARTTLS rejected: ", MAIL_REASON_NO_TLS},
		{"SSL certificate check failed", MAIL_REASON_CERTIFICATE},
		{"IO Error: certificate verification failed: ", MAIL_REASON_CERTIFICATE},
		{"IO Error: name `",
			MAIL_REASON_CERTIFICATE}, /* "... not present in server certificate" */
		{"IO Error: handshake failed: ", MAIL_REASON_HANDSHAKE},
		{"IO Error: error:", MAIL_REASON_HANDSHAKE}};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (span_begins(why, reasons[i].words))
			return reasons[i].reason;
	return MAIL_REASON_OTHER;
}

/* Other sessions go on in clear, or with anybody, where TLS fails: theirs is another matter. */
static void
on_error(struct mail_opensmtpd *o, const struct session *s, int now_s, struct span why)
{
	struct failure *f;

	if (!s->must_tls)
		return;
	forget_address(o, (struct span){s->address, strlen(s->address)});
	if (o->failure_count == FAILURES_MAX)
		forget_failure(o, 0);
	f = &o->failures[o->failure_count++];
	*f = (struct failure){.reason = reason_of(why), .since_s = s->since_s, .failed_s = now_s};
	memcpy(f->address, s->address, sizeof(f->address));
}

/*
 * Which failure made that a relay has no server left? Between two servers, or before it finds that
 * there is none, a relay waits two seconds from when it asked the first; if that took longer it
 * does not wait. So it is the oldest one of that time which is not yet the reason of another. Where
 * there is none, the relay has found its servers disabled by others: then only what all of them
 * have in common can be said.
 */
static enum mail_reason
why_no_route(struct mail_opensmtpd *o, int now_s)
{
	enum mail_reason reason = MAIL_REASON_OTHER;

	for (size_t i = 0; i < o->failure_count; i++) {
		struct failure *f = &o->failures[i];
		int since_s = age(f->since_s, now_s);

		if (f->disabled && !f->told && since_s >= RETRY_MIN_S &&
			(since_s <= RETRY_MAX_S || age(f->failed_s, now_s) <= 1)) {
			f->told = true;
			return f->reason;
		}
	}
	for (size_t i = 0; i < o->failure_count; i++) {
		if (!o->failures[i].disabled)
			continue;
		reason = o->failures[i].reason;
		if (reason == MAIL_REASON_OTHER)
			break;
	}
	return reason;
}

/* Nothing goes there for a while. */
static void
on_disabled(struct mail_opensmtpd *o, struct span address)
{
	for (size_t i = 0; i < o->failure_count; i++)
		if (span_is(address, o->failures[i].address))
			o->failures[i].disabled = true;
}

/* "[connector:[]->[relay:mx1.good.test,port=25,smtp+tls,mx],0x0]". */
static void
on_no_route(struct mail_opensmtpd *o, int now_s, struct span rest)
{
	struct span relay = span_up_to(span_behind(rest, "->[relay:"), "]"),
		    name = span_up_to(relay, ",");
	char text[254];
	struct relay *r;

	span_copy_name(name, text);
	if (text[0] == '\0')
		return;
	r = mail_recent_get(o->relays, (struct span){text, strlen(text)});
	memcpy(r->name, text, sizeof(r->name));
	r->reason =
		span_find(relay, ",smtp+tls") != NULL ? why_no_route(o, now_s) : MAIL_REASON_OTHER;
}

static void
on_route(struct mail_opensmtpd *o, int now_s, struct span rest)
{
	if (span_skip(&rest, "No valid route for [connector:"))
		on_no_route(o, now_s, rest);
	else if (span_skip(&rest, "Disabling route "))
		on_disabled(o, span_up_to(span_behind(rest, " <-> "), " "));
	else if (span_skip(&rest, "Enabling route "))
		forget_address(o, span_up_to(span_behind(rest, " <-> "), " "));
}

/* --- sessions -----------------------------------------------------------------------------------
 */

/* "smtp+tls://192.0.2.1:25 host=mx1.good.test". */
static void
on_connecting(struct session *s, int now_s, struct span rest)
{
	struct span address = span_up_to(span_behind(rest, "://"), " ");

	/* The port. */
	while (address.len > 0 && address.at[address.len - 1] != ':')
		address.len--;
	memset(s, 0, sizeof(*s));
	s->must_tls = span_begins(rest, "smtp+tls://");
	s->since_s = now_s;
	if (address.len == 0 || address.len > sizeof(s->address))
		return;
	memcpy(s->address, address.at, address.len - 1);
}

/* In 6.8 "success"; in newer releases "verified" or "valid". */
static bool
is_verified(struct span result)
{
	return span_begins(result, "success\"") || span_begins(result, "valid\"") ||
		span_begins(result, "verified\"");
}

static void
on_session(struct mail_opensmtpd *o, struct span id, int now_s, struct span rest)
{
	struct session *s;

	if (span_skip(&rest, "connecting address=")) {
		on_connecting(mail_recent_get(o->sessions, id), now_s, rest);
		return;
	}
	s = mail_recent_find(o->sessions, id);
	if (s == NULL)
		return;
	if (span_begins(rest, "tls ciphers="))
		s->tls = MAIL_TLS_ENCRYPTED;
	else if (span_skip(&rest, "server-cert-check result=\"") ||
		span_skip(&rest, "cert-check result=\""))
		s->tls = is_verified(rest) ? MAIL_TLS_VERIFIED : MAIL_TLS_ENCRYPTED;
	else if (span_skip(&rest, "error reason="))
		on_error(o, s, now_s, rest);
}

/* --- deliveries ---------------------------------------------------------------------------------
 */

static bool
outcome_of(struct span result, enum mail_outcome *out)
{
	static const struct {
		const char *word;
		enum mail_outcome outcome;
	} words[] = {{"Ok\"", MAIL_SENT}, {"TempFail\"", MAIL_DEFERRED},
		{"PermFail\"", MAIL_BOUNCED}, {"Loop\"", MAIL_BOUNCED}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		*out = words[i].outcome;
		if (span_begins(result, words[i].word))
			return true;
	}
	return false;
}

/* A filter on this machine: the message has not left it yet. */
static bool
is_this_machine(struct span relay)
{
	struct span address = span_behind(relay, " (");

	return span_begins(address, "127.") || span_begins(address, "::1)") ||
		span_begins(address, "[::1])") || span_begins(address, "IPv6:::1)");
}

/* Why there was no server for it. */
static enum mail_reason
no_server(struct mail_opensmtpd *o, struct span relay, struct span stat)
{
	char name[254];
	const struct relay *r;

	span_copy_name(relay, name);
	r = mail_recent_find(o->relays, (struct span){name, strlen(name)});
	return r != NULL && strcmp(r->name, name) == 0 &&
			span_begins(stat, "Network error on destination MXs\"")
		? r->reason
		: MAIL_REASON_OTHER;
}

/* "0123456701234567 from=<u@home.test> to=<u@good.test> rcpt=<->": the message and the domain. What
 * senders and recipients choose is in brackets. */
static bool
take_envelope(struct span *rest, const char *between, struct mail_delivery *out)
{
	struct span to;

	if (rest->len < ID_LEN)
		return false;
	span_copy_id((struct span){rest->at, MESSAGE_LEN}, out->id);
	*rest = span_from(*rest, rest->at + ID_LEN);
	(void)span_skip(rest, ":");
	if (!span_skip(rest, " from=<"))
		return false;
	(void)span_take_address(rest, ">");
	if (!span_skip(rest, ">") || !span_skip(rest, between) || !span_skip(rest, "to=<"))
		return false;
	to = span_take_address(rest, ">");
	if (!span_skip(rest, ">") || !span_skip(rest, between) || !span_skip(rest, "rcpt=<"))
		return false;
	(void)span_take_address(rest, ">");
	return span_copy_domain(to, out->domain);
}

static int
on_delivery(struct mail_opensmtpd *o, struct span id, struct span rest, struct mail_delivery *out)
{
	struct span relay, result, stat;
	const struct session *s;

	if (!take_envelope(&rest, " ", out))
		return 0;
	relay = span_up_to(span_behind(rest, "\" relay=\""), "\"");
	result = span_behind(rest, " result=\"");
	stat = span_behind(result, " stat=\"");
	if (relay.len == 0 || is_this_machine(relay) || !outcome_of(result, &out->outcome))
		return 0;
	s = mail_recent_find(o->sessions, id);
	if (span_is(id, "0000000000000000"))
		out->reason = out->outcome == MAIL_DEFERRED ? no_server(o, relay, stat)
							    : MAIL_REASON_OTHER;
	else if (s != NULL)
		out->tls = s->tls != MAIL_TLS_UNKNOWN ? s->tls : MAIL_TLS_NONE;
	return 1;
}

static int
on_expiry(struct span rest, struct mail_delivery *out)
{
	if (!take_envelope(&rest, ", ", out))
		return 0;
	out->outcome = MAIL_BOUNCED;
	return 1;
}

static bool
is_id(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!str_is_digit(s.at[i]) && (s.at[i] < 'a' || s.at[i] > 'f'))
			return false;
	return s.len == ID_LEN;
}

int
mail_opensmtpd_line(
	struct mail_opensmtpd *o, const struct mail_line *line, struct mail_delivery *out)
{
	struct span rest = line->text, id = {rest.at, ID_LEN};

	if (span_skip(&rest, "smtp-out: ")) {
		on_route(o, second_of_day(line->stamp), rest);
		return 0;
	}
	if (span_skip(&rest, "relay: Expire for "))
		return on_expiry(rest, out);
	if (rest.len < ID_LEN || !is_id(id))
		return 0;
	rest = span_from(rest, rest.at + ID_LEN);
	if (!span_skip(&rest, " mta "))
		return 0;
	if (span_skip(&rest, "delivery evpid="))
		return on_delivery(o, id, rest, out);
	on_session(o, id, second_of_day(line->stamp), rest);
	return 0;
}

/* Exim: everything about a delivery stands in one line of its main log; but that it is too early to ask servers again
 * which have failed does not say how they have. */
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/mail_parsers.h"
#include "updater/mail_recent.h"

/* A domain of the list. */
struct listed {
	char domain[254];
	enum mail_reason reason; /* why its servers failed when they were last asked; OTHER: they did not */
};

struct mail_exim {
	struct mail_recent *listed; /* owned; by domain */
};

struct mail_exim *
mail_exim_new(void)
{
	struct mail_exim *e = xcalloc(1, sizeof(*e));

	e->listed = mail_recent_new(sizeof(struct listed));
	return e;
}

void
mail_exim_free(struct mail_exim *e)
{
	if (e == NULL)
		return;
	mail_recent_free(e->listed);
	free(e);
}

/* "== a@example.net R=preload25 T=preload25_pkix defer (-38) H=mx [192.0.2.1]: words". The numbers are
 * Exim's own: -37 TLS could not be set up, -38 it was required and not offered, -36
 * DNS failed for it, -58 an event_action said no, which in the transport that setup writes looks for
 * TLSA records. */
static enum mail_reason
reason_of(struct span rest)
{
	/* The first: behind it may stand what the peer has said. */
	struct span number = span_behind(rest, " defer (");

	if (span_begins(span_behind(rest, " R="), "preload25_no_listed_mx "))
		return MAIL_REASON_OTHER_HOST;
	if (span_begins(number, "-38)"))
		return MAIL_REASON_NO_TLS;
	if (span_begins(number, "-37)"))
		return span_find(number, "ertificate") != NULL ? MAIL_REASON_CERTIFICATE
							       : MAIL_REASON_HANDSHAKE;
	if (span_begins(number, "-36): DANE error: "))
		return MAIL_REASON_DANE;
	if (span_begins(number, "-58)") && span_begins(span_behind(rest, " T="), "preload25_dane "))
		return MAIL_REASON_DANE;
	return MAIL_REASON_OTHER;
}

/* The reason of an attempt, which is that of those that follow without one: "... T=preload25_pkix defer (-54): retry time
 * not reached for any host for 'example.net'". */
static enum mail_reason
remember(struct mail_exim *e, const struct mail_delivery *d, struct span rest)
{
	enum mail_reason reason = d->outcome == MAIL_SENT ? MAIL_REASON_OTHER : reason_of(rest);
	struct listed *l;

	if (!span_begins(span_behind(rest, " T="), "preload25_"))
		return reason;
	l = mail_recent_get(e->listed, (struct span){d->domain, strlen(d->domain)});
	if (span_begins(span_behind(rest, " defer ("), "-54)"))
		return strcmp(l->domain, d->domain) == 0 ? l->reason : reason;
	memcpy(l->domain, d->domain, sizeof(l->domain));
	l->reason = reason;
	return reason;
}

/* "1vOabc-00000001abc-0001", or "1vOabc-0001ab-01" before Exim 4.97. */
static bool
is_id(struct span s)
{
	size_t dash = s.len == 23 ? 18 : 13;

	if (s.len != 23 && s.len != 16)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (i == 6 || i == dash ? s.at[i] != '-' : !str_is_alnum((unsigned char)s.at[i]))
			return false;
	return true;
}

/* "2026-11-26 12:00:00". */
bool
mail_exim_is_own(struct span line)
{
	return line.len > 19 && line.at[4] == '-' && line.at[7] == '-' && line.at[10] == ' ' &&
		line.at[13] == ':';
}

/* Steps over date and time (syslog has its own, and Exim may leave them to it), perhaps the zone
 * and "[pid]", the id of the message, and the flag: only there is it Exim's own. false: a line
 * about something else. */
static bool
take_flag(struct span *rest, struct mail_delivery *out)
{
	static const struct {
		const char *flag;
		enum mail_outcome outcome;
	} flags[] = {{"=> ", MAIL_SENT}, {"-> ", MAIL_SENT}, {"== ", MAIL_DEFERRED},
		{"** ", MAIL_BOUNCED}};
	bool dated = mail_exim_is_own(*rest);
	struct span word;

	word = span_take_word(rest);
	if (dated) {
		(void)span_take_word(rest);
		word = span_take_word(rest);
	}
	if (span_begins(word, "+") || span_begins(word, "-"))
		word = span_take_word(rest);
	if (span_begins(word, "["))
		word = span_take_word(rest);
	if (!is_id(word))
		return false;
	span_copy_id(word, out->id);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (!span_skip(rest, flags[i].flag))
			continue;
		out->outcome = flags[i].outcome;
		return true;
	}
	return false;
}

/* "2026-11-26 12:00:00 1vOabc-00000001abc-0001 => a@example.net R=... T=... H=mx [192.0.2.1]
 * X=TLS1.3:... CV=yes ...". Behind DN= and C= stands what the peer said. */
int
mail_exim_line(struct mail_exim *e, struct span line, struct mail_delivery *out)
{
	struct span rest = line, address, host;

	if (!take_flag(&rest, out))
		return 0;
	address = span_take_address(&rest, " ");
	/* "alias <a@example.net>": the address in brackets is the one that was delivered to; behind
	 * a whole one stands where it came from. */
	if (span_skip(&rest, " <")) {
		struct span other = span_take_address(&rest, ">");

		if (memrchr(address.at, '@', address.len) == NULL)
			address = other;
	}
	rest = span_before(span_before(rest, " C=\""), " DN=\"");
	/* Deliveries by other transports (files, pipes) name no host. */
	host = span_behind(rest, " H=");
	if (!span_copy_domain(address, out->domain) || (host.len == 0 && out->outcome == MAIL_SENT))
		return 0;
	span_copy_name(span_up_to(host, " ["), out->host);
	out->reason = remember(e, out, rest);
	if (host.len == 0)
		out->tls = MAIL_TLS_UNKNOWN;
	else if (span_find(rest, " X=") == NULL)
		out->tls = MAIL_TLS_NONE;
	else if (span_find(rest, " CV=yes") != NULL || span_find(rest, " CV=dane") != NULL)
		out->tls = MAIL_TLS_VERIFIED;
	else
		out->tls = MAIL_TLS_ENCRYPTED;
	return 1;
}

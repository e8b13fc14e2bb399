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

/* "Verified TLS connection established to mx1.example.net[192.0.2.1]:25: TLSv1.3 ...". */
static void
on_tls(struct mail_log *log, struct span pid, struct span text)
{
	static const struct {
		const char *word;
		enum mail_tls tls;
	} levels[] = {{"Verified TLS", MAIL_TLS_VERIFIED}, {"Trusted TLS", MAIL_TLS_ENCRYPTED},
		{"Untrusted TLS", MAIL_TLS_ENCRYPTED}, {"Anonymous TLS", MAIL_TLS_ENCRYPTED}};
	struct agent *a;

	log->postfix_speaks = true;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!begins(text, levels[i].word))
			continue;
		a = agent_of(log, pid);
		copy_name(up_to(behind(text, " established to "), "["), a->host);
		a->tls = levels[i].tls;
		a->fresh = true;
		a->message[0] = '\0';
	}
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
	struct span message = up_to(text, ":");
	struct span to = behind(text, ": to=<"), relay = behind(to, ">, relay=");
	/* The first "status=" behind the numbers: what stands in brackets behind it is the peer's. */
	struct span status = behind(behind(relay, ", delay="), ", status=");

	if (relay.len == 0 || status.len == 0)
		return 0;
	to.len = (size_t)(relay.at - strlen(">, relay=") - to.at);
	/* Where an alias led: not where the message went. */
	if (find(to, ">, orig_to=<") != NULL)
		to.len = (size_t)(find(to, ">, orig_to=<") - to.at);
	if (!copy_domain(to, out->domain))
		return 0;
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

/* Text behind "postfix/smtp[PID]: " (or "postfix-out/smtp[": instances have names of their own). */
static int
postfix_line(struct mail_log *log, struct span line, struct mail_delivery *out)
{
	struct span pid = behind(line, "/smtp["), text;

	if (pid.len == 0)
		return 0;
	text = behind(pid, "]: ");
	pid = up_to(pid, "]");
	if (text.len == 0 || text.at != pid.at + pid.len + 3)
		return 0;
	if (find(text, " TLS connection established to ") != NULL) {
		on_tls(log, pid, text);
		return 0;
	}
	return on_delivery(log, pid, text, out);
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

	if (find(rest, " R=preload25_no_listed_mx ") != NULL)
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

/* "2026-11-26 12:00:00 1vOabc-00000001abc-0001 => a@example.net R=... T=... H=mx [192.0.2.1] X=TLS1.3:...
 * CV=yes ...". Behind C= stands what the peer said. */
static int
exim_line(struct span line, struct mail_delivery *out)
{
	static const struct {
		const char *flag;
		enum mail_outcome outcome;
	} flags[] = {{" => ", MAIL_SENT}, {" -> ", MAIL_SENT}, {" == ", MAIL_DEFERRED},
		{" ** ", MAIL_BOUNCED}};
	struct span rest = {line.at, 0}, address, host;
	const char *peer;

	/* Date, time, perhaps the zone and "[pid]", and the id of the message: the flag is near. */
	for (size_t i = 0; rest.len == 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct span head = {line.at, line.len < 80 ? line.len : 80};
		const char *p = find(head, flags[i].flag);

		if (p != NULL) {
			const char *id = memrchr(line.at, ' ', (size_t)(p - line.at));

			rest = from(line, p + 4);
			out->outcome = flags[i].outcome;
			if (id != NULL)
				copy_id((struct span){id + 1, (size_t)(p - id - 1)}, out->id);
		}
	}
	if (rest.len == 0 || line.len < 20 || line.at[4] != '-' || line.at[7] != '-')
		return 0;
	peer = find(rest, " C=\"");
	if (peer != NULL)
		rest.len = (size_t)(peer - rest.at);
	address = up_to(rest, " ");
	/* "alias <a@example.net>": the address in brackets is the one that was delivered to. */
	if (find(address, "@") == NULL)
		address = up_to(behind(rest, "<"), ">");
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

int
mail_log_line(struct mail_log *log, const char *line, size_t len, struct mail_delivery *out)
{
	struct span s = {line, len};

	memset(out, 0, sizeof(*out));
	if (len > MAIL_LOG_LINE_MAX)
		return 0;
	return find(s, "/smtp[") != NULL ? postfix_line(log, s, out) : exim_line(s, out);
}

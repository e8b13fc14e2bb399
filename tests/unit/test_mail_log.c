/* mail_log: what is read out of the logs of Postfix, Exim, Sendmail and OpenSMTPD. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/xalloc.h"
#include "updater/mail_log.h"

#define SMTP(pid) "Nov 26 12:00:00 host postfix/smtp[" pid "]: "
#define TAIL      ":25, delay=0.1, delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 ok)"

/* The rest of a row for a line that is no delivery. */
#define NO 0, NULL, NULL, MAIL_SENT, MAIL_TLS_UNKNOWN

struct line {
	const char *text;
	int rc;
	const char *domain, *host;
	enum mail_outcome outcome;
	enum mail_tls tls;
};

static void
check_lines(const struct line *lines, size_t count)
{
	struct mail_log *log = mail_log_new();

	for (size_t i = 0; i < count; i++) {
		struct mail_delivery d;

		print_message("# %s\n", lines[i].text);
		assert_int_equal(
			mail_log_line(log, lines[i].text, strlen(lines[i].text), &d), lines[i].rc);
		if (lines[i].rc == 0)
			continue;
		assert_string_equal(d.domain, lines[i].domain);
		assert_string_equal(d.host, lines[i].host);
		assert_int_equal(d.outcome, lines[i].outcome);
		assert_int_equal(d.tls, lines[i].tls);
	}
	mail_log_free(log);
}

static void
test_postfix(void **state UNUSED)
{
	static const struct line lines[] = {
		{SMTP("7") "Verified TLS connection established to mx1.good.test[192.0.2.1]:25: "
			   "TLSv1.3 with "
			   "cipher X",
			NO},
		{SMTP("7") "4A: to=<u@Good.Test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* One more recipient of the message; the next message over the same connection. */
		{SMTP("7") "4A: to=<v@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{SMTP("7") "4B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, conn_use=2, "
			   "delay=1, "
			   "delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* A new connection of which nothing was said. */
		{SMTP("7") "4C: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		/* Another process, another host than the one that was spoken of. */
		{SMTP("8") "Untrusted TLS connection established to mx1.good.test[192.0.2.1]:25: "
			   "TLSv1.2",
			NO},
		{SMTP("9") "4D: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("8") "4E: to=<u@good.test>, relay=mx2.good.test[192.0.2.2]" TAIL, 1,
			"good.test", "mx2.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("5") "Trusted TLS connection established to mx1.good.test[192.0.2.1]:25: "
			   "TLSv1.2",
			NO},
		{SMTP("5") "4F: to=<a@good.test>, orig_to=<alias@home.test>, "
			   "relay=mx1.good.test[192.0.2.1]" TAIL,
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		{SMTP("5") "50: to=<u@good.test>, relay=none, delay=1, delays=0/0/0/0, dsn=4.7.5, "
			   "status=deferred (Server certificate not verified)",
			1, "good.test", "", MAIL_DEFERRED, MAIL_TLS_UNKNOWN},
		{SMTP("5") "51: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
			   "delays=0/0/0/0, "
			   "dsn=5.1.1, status=bounced (host said: 550 status=sent (250 ok))",
			1, "good.test", "mx1.good.test", MAIL_BOUNCED, MAIL_TLS_NONE},
		/* With smtp_tls_connection_reuse. */
		{SMTP("4") "Verified TLS connection reused to mx1.good.test[192.0.2.1]:25: TLSv1.3 "
			   "with cipher X",
			NO},
		{SMTP("4") "57: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, conn_use=2, "
			   "delay=1, "
			   "delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* Not out of this machine; not the agent for SMTP; nothing at all. */
		{SMTP("5") "52: to=<u@good.test>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, "
			   "dsn=2.0.0, "
			   "status=sent (250 ok)",
			NO},
		{"Nov 26 12:00:00 host postfix/local[5]: 53: to=<u@good.test>, relay=local, "
		 "delay=1, "
		 "status=sent (delivered to mailbox)",
			NO},
		{SMTP("5") "54: to=<u>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{SMTP("5") "55: to=<u@ba d.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{SMTP("5"), NO},
		{"", NO},
		/* An instance of another name. */
		{"2026-11-26T12:00:00.0+00:00 host postfix-out/smtp[6]: 56: to=<u@good.test>, "
		 "relay=mx1.good.test[192.0.2.1]" TAIL,
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

/* Why a message waits is what the mail server says, not what the peer does. */
static void
test_reasons(void **state UNUSED)
{
#define PUT_OFF(why) \
	SMTP("7") \
	"4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=0.1, delays=0/0/0.1/0, " \
	"dsn=4.7.5, status=deferred (" why ")"
#define EXIM_OFF(rest) "2026-11-26 12:00:00 1vOabc-00000001abc-0001 == u@good.test " rest
	static const struct {
		const char *line;
		enum mail_reason reason;
		const char *id;
	} rows[] = {
		{PUT_OFF("TLS is required, but was not offered by host mx1.good.test[192.0.2.1]"),
			MAIL_REASON_NO_TLS, "4A"},
		{PUT_OFF("TLS is required, but host mx1.good.test[192.0.2.1] refused to start TLS: "
			 "454 no"),
			MAIL_REASON_NO_TLS, "4A"},
		{PUT_OFF("Cannot start TLS: handshake failure"), MAIL_REASON_HANDSHAKE, "4A"},
		{PUT_OFF("Server certificate not verified"), MAIL_REASON_CERTIFICATE, "4A"},
		{PUT_OFF("Server certificate not trusted"), MAIL_REASON_CERTIFICATE, "4A"},
		{PUT_OFF("TLSA lookup error for mx1.good.test:25"), MAIL_REASON_DANE, "4A"},
		{PUT_OFF("no TLSA records found"), MAIL_REASON_DANE, "4A"},
		{PUT_OFF("non DNSSEC destination"), MAIL_REASON_DANE, "4A"},
		{SMTP("7") "4A: to=<bob@e.test>, relay=none, delay=0, delays=0/0/0/0, dsn=4.3.0, status=deferred "
			   "(server unavailable or unable to receive mail)",
			MAIL_REASON_OTHER_HOST, "4A"},
		{PUT_OFF("connect to mx1.good.test[192.0.2.1]:25: Connection refused"),
			MAIL_REASON_OTHER, "4A"},
		{PUT_OFF("host mx1.good.test[192.0.2.1] said: 450 (TLS is required, but I joke) "
			 "status=deferred "
			 "(Server certificate not verified"),
			MAIL_REASON_OTHER, "4A"},
		{SMTP("7") "4B: to=<u@good.test>, relay=none, delay=1, delays=0/0/0/0, dsn=4.7.5, "
			   "status=deferred",
			MAIL_REASON_OTHER, "4B"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-38) H=mx1.good.test [192.0.2.1]: a "
			  "TLS session is "
			  "required, but the server did not offer TLS support"),
			MAIL_REASON_NO_TLS, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-37) H=mx1.good.test [192.0.2.1]: "
			  "TLS session: "
			  "(certificate verification failed)"),
			MAIL_REASON_CERTIFICATE, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-37) H=mx1.good.test [192.0.2.1]: "
			  "failure while "
			  "setting up TLS session"),
			MAIL_REASON_HANDSHAKE, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_dane defer (-58)"), MAIL_REASON_DANE,
			"1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_dane defer (-36): DANE error: tlsa lookup DEFER"), MAIL_REASON_DANE,
			"1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=dnslookup T=remote_smtp defer (-58)"), MAIL_REASON_OTHER,
			"1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25_no_listed_mx defer (-32): preload25: no MX of e.test is in its list "
			  "entry"),
			MAIL_REASON_OTHER_HOST, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25_no_listed_mx defer (-1): preload25: no MX of good.test is "
			  "in its list entry"),
			MAIL_REASON_OTHER_HOST, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-44) H=mx1.good.test [192.0.2.1]: "
			  "SMTP error from "
			  "remote mail server after RCPT TO:<u@good.test>: 450 defer (-38)"),
			MAIL_REASON_OTHER, "1vOabc-00000001abc-0001"},
	};
	struct mail_log *log = mail_log_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mail_delivery d;

		print_message("# %s\n", rows[i].line);
		assert_int_equal(mail_log_line(log, rows[i].line, strlen(rows[i].line), &d), 1);
		assert_int_equal(d.outcome, MAIL_DEFERRED);
		assert_int_equal(d.reason, rows[i].reason);
		assert_string_equal(d.id, rows[i].id);
	}
	mail_log_free(log);
}

static void
test_exim(void **state UNUSED)
{
#define EXIM "2026-11-26 12:00:00 1vOabc-00000001abc-0001 "
	static const struct line lines[] = {
		{EXIM "=> u@good.test R=dnslookup T=remote_smtp H=mx1.good.test [192.0.2.1] "
		      "X=TLS1.3:ECDHE_X25519__ECDSA:256 CV=yes C=\"250 ok\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=dane "
		      "DN=\"CN=mx\" "
		      "C=\"250 ok\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{EXIM "-> v@good.test R=r T=t H=MX1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=no "
		      "C=\"250 ok\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* What the peer says is not what Exim says. */
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] C=\"250 ok X=TLS1.3 "
		      "CV=yes\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> alias <u@good.test> R=r T=t H=mx1.good.test [192.0.2.1] C=\"250 ok\"", 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "== u@good.test R=r T=t defer (-38) H=mx1.good.test [192.0.2.1]: a TLS "
		      "session is required",
			1, "good.test", "mx1.good.test", MAIL_DEFERRED, MAIL_TLS_NONE},
		{EXIM "== u@good.test R=preload25_no_listed_mx defer (-1): no MX is in its list "
		      "entry",
			1, "good.test", "", MAIL_DEFERRED, MAIL_TLS_UNKNOWN},
		{EXIM "=> root <root@home.test> R=local_user T=mail_spool", NO},
		{EXIM "<= u@home.test U=root P=local S=300", NO},
		{EXIM "Completed", NO},
		{"xxxx => u@good.test H=mx1.good.test [192.0.2.1]", NO},
		/* By syslog or the journal, with its own time once more or not. */
		{"2026-11-26T12:00:00+0000 host exim[77]: 1vOabc-00000001abc-0001 => u@good.test "
		 "R=r T=t "
		 "H=mx1.good.test [192.0.2.1]",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{"Nov 26 12:00:00 host exim4[77]: " EXIM
		 "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1]",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

/* What senders and peers write is not what the mail server says, wherever they put it. */
static void
test_forged(void **state UNUSED)
{
#define LINE(tag) "Nov 26 12:00:00 host " tag
#define FAKE      "x/smtp[1]: A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL
	static const struct line lines[] = {
		{LINE("postfix/qmgr[7]: 4A: from=<\"") FAKE
			"\"@evil.test>, size=1, nrcpt=1 (queue active)",
			NO},
		{LINE("postfix/smtpd[7]: NOQUEUE: reject: RCPT from evil.test[192.0.2.9]: 554 "
		      "5.7.1 <") FAKE ">: Relay access denied",
			NO},
		{LINE("postfix/smtpd: ") FAKE, NO},
		{LINE("postfix/smtp[7x]: ") "A: to=<u@good.test>, "
					    "relay=mx1.good.test[192.0.2.1]" TAIL,
			NO},
		{LINE("postfix/smtp[]: ") "A: to=<u@good.test>, "
					  "relay=mx1.good.test[192.0.2.1]" TAIL,
			NO},
		{LINE("postfix/xsmtp[7]: ") "A: to=<u@good.test>, "
					    "relay=mx1.good.test[192.0.2.1]" TAIL,
			NO},
		{LINE("kernel: ") FAKE, NO},
		{"Completely another text without any tag that goes on " FAKE, NO},
		/* A server that was tried first, quoted by smtp(8) itself; a peer's reply. */
		{SMTP("7") "4A: host mx.evil.test[192.0.2.9] said: 450 A: to=<u@good.test>, "
			   "relay=mx1.good.test[192.0.2.1]" TAIL,
			NO},
		{SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
			   "delays=0/0/0/1, "
			   "dsn=2.0.0, status=sent (250 Verified TLS connection established to "
			   "mx1.good.test[x]:25)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		/* Recipients of bounces are chosen by who sent the mail. */
		{SMTP("7") "4C: to=<\"u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
			   "status=sent (\\\"\"@evil"
			   ".test>, relay=mx.evil.test[192.0.2.9]" TAIL,
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4D: to=<u@evil.test>, orig_to=<\"x>, "
			   "relay=mx1.good.test[192.0.2.1]:25\"@home.test>, "
			   "relay=mx.evil.test[192.0.2.9]" TAIL,
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4F: to=<\"u\\\">, relay=mx1.good.test[192.0.2.1]:25, delay=1, status=sent (\"@evil.test>, "
			   "relay=mx.evil.test[192.0.2.9]" TAIL,
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4E: to=<\"u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		/* Exim: senders, greetings, recipients, certificates. */
		{EXIM "<= \"a => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test "
		      "[192.0.2.9] P=esmtp",
			NO},
		{EXIM "<= \" => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test "
		      "[192.0.2.9] P=esmtp",
			NO},
		{LINE("exim[77]: ") EXIM
			"<= \" => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test",
			NO},
		{LINE("spamd[77]: ") EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1]", NO},
		{"2026-11-26 12:00:00 H=(=> u@good.test H=mx) [192.0.2.9] rejected EHLO", NO},
		{"2026-11-26 12:00:00 SMTP => u@good.test H=mx1.good.test [192.0.2.1]", NO},
		{"2026-11-26 12:00:00 SMTP syntax error in \"" FAKE "\" H=evil.test [192.0.2.9]",
			NO},
		{EXIM "=> \"x <u@good.test> H=mx1.good.test [192.0.2.1] X=T CV=yes\"@evil.test R=r "
		      "T=t H=mx.evil.test "
		      "[192.0.2.9] C=\"250 ok\"",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> u@evil.test <\"x H=mx1.good.test\"@home.test> R=r T=t H=mx.evil.test "
		      "[192.0.2.9]",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=no "
		      "DN=\"CN=a CV=yes\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* All that may stand before the flag. */
		{"2026-11-26 12:00:00.250 +0100 [77] 1vOabc-0001ab-01 => u@good.test R=r T=t "
		 "H=mx1.good.test "
		 "[192.0.2.1]",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

/* A peer's words do not make Postfix speak of TLS. */
static void
test_speaks(void **state UNUSED)
{
	static const char *const lines[] = {
		SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, "
			  "delays=0/0/0/1, dsn=2.0.0, "
			  "status=sent (250 Verified TLS connection established to "
			  "mx1.good.test[192.0.2.1]:25)",
		SMTP("7") "Verified TLS connection reused to mx1.good.test[192.0.2.1]:25: TLSv1.3"};
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;

	assert_int_equal(mail_log_line(log, lines[0], strlen(lines[0]), &d), 1);
	assert_string_equal(mail_log_silence(log),
		"Postfix does not speak of TLS here: smtp_tls_loglevel = 1 makes it");
	assert_int_equal(mail_log_line(log, lines[1], strlen(lines[1]), &d), 0);
	assert_true(mail_log_speaks(log));
	mail_log_free(log);
}

/* --- Sendmail: lines of 8.17 and 8.18 as they logged them ----------------------------------------
 */

#define MTA(pid) "Nov 27 01:29:59 mail sm-mta[" pid "]: "
#define SERVED   "delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=30366, "
#define CLIENT(pid, host, verify) \
	MTA(pid) \
	"STARTTLS=client, relay=" host "., version=TLSv1.3, verify=" verify \
	", cipher=TLS_AES_256_GCM_SHA384, bits=256/256"

static void
test_sendmail(void **state UNUSED)
{
	static const struct line lines[] = {
		{CLIENT("965", "mx1.good.test", "OK"), NO},
		{MTA("965") "6AR1TxDu000963: to=<bob@Good.Test>, " SERVED
			    "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_TRUSTED},
		/* By DANE; without anybody known; in clear. */
		{CLIENT("1707", "mx1.g-311.test", "TRUSTED"), NO},
		{MTA("1707") "6AR1PsuS001705: to=<bob@g-311.test>, " SERVED
			     "relay=mx1.g-311.test. [198.18.1.11], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			     "stored)",
			1, "g-311.test", "mx1.g-311.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{CLIENT("935", "mx1.a.test", "FAIL"), NO},
		{MTA("935") "6AR1OQut000933: to=<bob@a.test>, " SERVED
			    "relay=mx1.a.test. [198.18.1.2], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "a.test", "mx1.a.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		{MTA("944") "6AR1OQlr000942: to=<bob@b-none.test>, " SERVED
			    "relay=mx1.b-none.test. [198.18.1.3], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "b-none.test", "mx1.b-none.test", MAIL_SENT, MAIL_TLS_NONE},
		/* A run of the queue keeps a connection, while it has others. */
		{CLIENT("965", "mx2.other.test", "FAIL"), NO},
		{MTA("965") "6AR1TxDv000964: to=<bob@good.test>, " SERVED
			    "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_TRUSTED},
		/* Another process said something of that server. */
		{MTA("966") "6AR1TxDw000964: to=<bob@good.test>, " SERVED
			    "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{MTA("1045") "6AR1U0JX001043: to=<bob@refused.test>, " SERVED
			     "relay=mx1.refused.test. [198.18.1.13], dsn=4.4.1, stat=Deferred: "
			     "Connection refused "
			     "by mx1.refused.test.",
			1, "refused.test", "mx1.refused.test", MAIL_DEFERRED, MAIL_TLS_NONE},
		{MTA("1061") "6AR1U0Xi001059: to=<bob@g554.test>, " SERVED
			     "relay=mx1.g554.test. [198.18.1.15], dsn=5.5.0, reply=554 5.7.1 "
			     "mx1.g554.test does not "
			     "want you, stat=Service unavailable",
			1, "g554.test", "mx1.g554.test", MAIL_BOUNCED, MAIL_TLS_NONE},
		/* No server was found. */
		{MTA("1747") "6AR1OXWL001745: to=<bob@gone.test>, " SERVED
			     "relay=gone.test, dsn=5.1.2, stat=Host "
			     "unknown (Name server: gone.test: host not found)",
			1, "gone.test", "", MAIL_BOUNCED, MAIL_TLS_UNKNOWN},
		/* Not out of this machine; no mail to others at all. */
		{"Nov 27 01:24:26 mail sendmail[932]: 6AR1OQJt000932: to=bob@a.test, "
		 "delay=00:00:00, "
		 "xdelay=00:00:00, mailer=relay, pri=30182, relay=[127.0.0.1] [127.0.0.1], "
		 "dsn=2.0.0, stat=Sent "
		 "(6AR1OQut000933 Message accepted for delivery)",
			NO},
		{MTA("1061") "6AR1U0Xi001059: to=<alice@mail.sender.test>, delay=00:00:00, "
			     "mailer=local, pri=30366, "
			     "dsn=5.1.1, reply=550 5.1.1 User unknown, stat=User unknown",
			NO},
		{MTA("1061") "6AR1U0Xi001059: to=postmaster, delay=00:00:00, mailer=local, "
			     "pri=30366, dsn=5.1.1, "
			     "reply=550 5.1.1 User unknown, stat=User unknown",
			NO},
		{MTA("933") "6AR1OQut000933: from=<alice@mail.sender.test>, size=363, class=0, "
			    "nrcpts=1, "
			    "msgid=<without-a@lab.invalid>, proto=ESMTP, daemon=MTA-v4, "
			    "relay=localhost [127.0.0.1]",
			NO},
		{MTA("921") "starting daemon (8.17.1.9): SMTP+queueing@00:10:00", NO},
		{MTA("1725") "STARTTLS=client, relay=mx1.g-stripped.test, warning=DANE configured "
			     "in DNS but STARTTLS "
			     "not offered",
			NO},
		/* Whom it was sent for; more recipients than a line takes. */
		{MTA("989") "6AR1WIm2000987: to=<bob@good.test>, ctladdr=<root@mail.sender.test> "
			    "(0/0), " SERVED "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, "
					     "stat=Sent (2.0.0 Ok: stored)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{MTA("989") "6AR1WIm2000987: to=<bob@good.test> [more], " SERVED
			    "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent (2.0.0 Ok: "
			    "stored)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

/* The lines in their order; the last one tells of a delivery that was put off. */
static void
check_reason(const char *const *lines, enum mail_reason want)
{
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;
	int rc = 0;

	for (; *lines != NULL; lines++) {
		print_message("# %s\n", *lines);
		rc = mail_log_line(log, *lines, strlen(*lines), &d);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(d.outcome, MAIL_DEFERRED);
	assert_int_equal(d.reason, want);
	mail_log_free(log);
}

/* While it is too early to try again, a message waits for what the last attempt has met. */
static void
test_exim_retry(void **state UNUSED)
{
#define EXIM_ON(to, rest) "2026-11-27 02:16:14 1xWlVW-0000Kr-14 == " to " R=preload25 T=preload25_pkix defer " rest
#define TOO_EARLY         EXIM_ON("u@good.test", "(-54): retry time not reached for any host for 'good.test'")
#define NOT_OFFERED \
	EXIM_ON("u@good.test", "(-38) H=mx1.good.test [192.0.2.1]: a TLS session is required, but the server did " \
			       "not offer TLS support")
	static const struct {
		const char *lines[4];
		enum mail_reason reason;
	} rows[] = {
		{{NOT_OFFERED, TOO_EARLY}, MAIL_REASON_NO_TLS},
		{{NOT_OFFERED, TOO_EARLY, TOO_EARLY}, MAIL_REASON_NO_TLS},
		{{TOO_EARLY}, MAIL_REASON_OTHER},
		{{NOT_OFFERED, EXIM_ON("u@other.test", "(-54): retry time not reached for any host for 'other.test'")},
			MAIL_REASON_OTHER},
		/* Something else since then; it went; not by the list. */
		{{NOT_OFFERED, EXIM_ON("u@good.test", "(111): Connection refused"), TOO_EARLY}, MAIL_REASON_OTHER},
		{{NOT_OFFERED,
			 "2026-11-27 02:16:14 1xWlVW-0000Kr-14 => u@good.test R=preload25 T=preload25_pkix H=mx1.good.test "
			 "[192.0.2.1] X=TLS1.3:X:256 CV=yes C=\"250 ok\"",
			 TOO_EARLY},
			MAIL_REASON_OTHER},
		{{NOT_OFFERED,
			 "2026-11-27 02:16:14 1xWlVW-0000Kr-14 == u@good.test R=dnslookup T=remote_smtp defer (-54): retry "
			 "time not reached for any host for 'good.test'"},
			MAIL_REASON_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_reason(rows[i].lines, rows[i].reason);
}

static void
test_sendmail_reasons(void **state UNUSED)
{
#define REFUSED(verify, text) \
	MTA("7") "ruleset=tls_server, arg1=" verify ", relay=mx1.d.test, reject=" text
#define RCPT(text) \
	MTA("7") "6AR1: ruleset=tls_rcpt, arg1=bob@d.test, relay=mx1.d.test., reject=" text
#define PUT_BY(id, host, stat) \
	MTA("7") \
	id ": to=<bob@d.test>, " SERVED "relay=" host ". [198.18.1.7], dsn=4.7.0, stat=" stat
#define PUT(stat) PUT_BY("6AR1", "mx1.d.test", stat)
	static const struct {
		const char *lines[4];
		enum mail_reason reason;
	} rows[] = {
		{{REFUSED("NONE", "403 4.7.0 other side does not support STARTTLS"),
			 PUT("Deferred: 403 4.7.0 other side does not support STARTTLS")},
			MAIL_REASON_NO_TLS},
		{{REFUSED("TEMP", "403 4.7.0 authentication failure "),
			 MTA("7") "6AR1: to=<bob@d.test>, " SERVED
				  "relay=mx1.d.test. [198.18.1.4], dsn=4.7.0, reply=454 "
				  "4.7.0 TLS not available, stat=Deferred: 403 4.7.0 "
				  "authentication failure "},
			MAIL_REASON_NO_TLS},
		{{REFUSED("FAILURE", "403 4.7.0 authentication failure "),
			 PUT("Deferred: 403 4.7.0 authentication failure ")},
			MAIL_REASON_HANDSHAKE},
		{{MTA("7") "STARTTLS=client, error: connect failed=-1, reason=sslv3 alert "
			   "handshake failure, SSL_error=1, "
			   "errno=0, retry=-1",
			 REFUSED("SOFTWARE", "403 4.7.0 TLS handshake failed."),
			 PUT("Deferred: 403 4.7.0 TLS handshake failed.")},
			MAIL_REASON_HANDSHAKE},
		/* The list was replaced in the moment in which it was opened. */
		{{MTA("7") "6AR1: SYSERR(root): db_map_open(/etc/mail/preload25.db): file changed "
			   "after open",
			 MTA("7") "STARTTLS=client, get_tls_se_features=failed, ret=70",
			 REFUSED("SOFTWARE", "450 4.7.0 <bob@d.test>... STS lookup temp fail"),
			 PUT("Deferred: 450 4.7.0 <bob@d.test>... STS lookup temp fail")},
			MAIL_REASON_OTHER},
		{{CLIENT("7", "mx1.d.test", "FAIL"),
			 REFUSED("FAIL", "403 4.7.0 authentication failed"),
			 PUT("Deferred: 403 4.7.0 authentication failed")},
			MAIL_REASON_CERTIFICATE},
		{{CLIENT("7", "mx1.d.test", "OK"),
			 RCPT("450 4.7.0 <bob@d.test>... mx1.d.test is not in the server "
			      "certificate"),
			 PUT("Deferred")},
			MAIL_REASON_CERTIFICATE},
		{{CLIENT("7", "mx1.d.test", "OK"),
			 RCPT("450 4.7.0 <bob@d.test>... mx1.d.test not found in mx1.e.test"),
			 PUT("Deferred")},
			MAIL_REASON_OTHER_HOST},
		{{CLIENT("7", "mx1.d.test", "FAIL"), RCPT("403 4.7.0 authentication failed"),
			 PUT("Deferred")},
			MAIL_REASON_CERTIFICATE},
		{{CLIENT("7", "mx1.d.test", "DANE_FAIL"), RCPT("454 4.7.0 DANE check failed."),
			 PUT("Deferred")},
			MAIL_REASON_CERTIFICATE},
		{{RCPT("454 4.7.0 DANE: missing STARTTLS."), PUT("Deferred")}, MAIL_REASON_NO_TLS},
		{{CLIENT("7", "mx1.d.test", "OK"),
			 RCPT("450 4.7.0 <bob@d.test>... no DANE authentication of mx1.d.test"),
			 PUT("Deferred")},
			MAIL_REASON_DANE},
		{{RCPT("450 4.7.0 <bob@d.test>... preload list lookup failed"), PUT("Deferred")},
			MAIL_REASON_OTHER},
		{{MTA("7") "6AR1: to=<bob@d.test>, " SERVED "relay=mx1.d.test., dsn=4.0.0, stat=Deferred: Name server: "
			   "mx1.d.test.: host name lookup failure for TLSA RR"},
			MAIL_REASON_DANE},
		{{MTA("7") "6AR1: to=<bob@d.test>, " SERVED "relay=mx1.d.test., dsn=4.0.0, stat=Deferred: Name server: "
			   "mx1.d.test.: host name lookup failure"},
			MAIL_REASON_OTHER},
		{{MTA("7") "6AR1: to=<bob@d.test>, " SERVED "relay=mx1.d.test. [198.18.1.7], dsn=4.0.0, stat=Deferred: "
			   "Name server: x for TLSA RR"},
			MAIL_REASON_OTHER},
		/* What the peer says is not what the list does. */
		{{CLIENT("7", "mx1.d.test", "OK"),
			 PUT("Deferred: 403 4.7.0 authentication failed")},
			MAIL_REASON_OTHER},
		{{MTA("7") "6AR1: to=<bob@d.test>, " SERVED
			   "relay=mx1.d.test. [198.18.1.7], dsn=4.5.0, reply=421 "
			   "ruleset=tls_server, arg1=NONE, relay=mx1.d.test, stat=Deferred: 403 "
			   "4.7.0 other side"},
			MAIL_REASON_OTHER},
		/* Another message, another server, another process. */
		{{CLIENT("7", "mx1.d.test", "OK"),
			 RCPT("450 4.7.0 <bob@d.test>... mx1.d.test is not in the server "
			      "certificate"),
			 PUT_BY("6AR2", "mx1.d.test", "Deferred: 450 4.2.0 later")},
			MAIL_REASON_OTHER},
		{{REFUSED("NONE", "403 4.7.0 other side does not support STARTTLS"),
			 PUT_BY("6AR1", "mx2.d.test",
				 "Deferred: Connection refused by mx2.d.test.")},
			MAIL_REASON_OTHER},
		{{MTA("8") "ruleset=tls_server, arg1=NONE, relay=mx1.d.test, reject=403 4.7.0 "
			   "other side does not support "
			   "STARTTLS",
			 PUT("Deferred")},
			MAIL_REASON_OTHER},
		/* It has TLS now. */
		{{REFUSED("NONE", "403 4.7.0 other side does not support STARTTLS"),
			 CLIENT("7", "mx1.d.test", "OK"), PUT("Deferred: 450 4.2.0 later")},
			MAIL_REASON_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_reason(rows[i].lines, rows[i].reason);
}

/* A line for several recipients is as many deliveries. */
static void
test_sendmail_several(void **state UNUSED)
{
	static const char line[] = MTA(
		"1093") "6AR1U0dn001091: to=<bob@good.test>,<\"a, "
			"b\"@good.test>,carl@other.test,root,"
			"<u@ba d>,<eve@last.test>, ctladdr=<root@mail.sender.test> (0/0), " SERVED
			"relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent "
			"(<x@evil.test>,<y@evil.test>)";
	static const char other[] =
		SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL;
	static const char *const domains[] = {"good.test", "good.test", "other.test", "last.test"};
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;
	size_t count = 0;

	for (int rc = mail_log_line(log, line, strlen(line), &d); rc > 0;
		rc = mail_log_more(log, &d)) {
		assert_true(count < ARRAY_LEN(domains));
		assert_string_equal(d.domain, domains[count++]);
		assert_string_equal(d.host, "mx1.good.test");
		assert_string_equal(d.id, "6AR1U0dn001091");
	}
	assert_int_equal(count, ARRAY_LEN(domains));
	/* What was not asked for is gone with its line. */
	assert_int_equal(mail_log_line(log, line, strlen(line), &d), 1);
	assert_int_equal(mail_log_line(log, other, strlen(other), &d), 1);
	assert_int_equal(mail_log_more(log, &d), 0);
	mail_log_free(log);
}

/* --- OpenSMTPD: lines of 6.8 and 7.4 as they logged them
 * ------------------------------------------ */

#define OSMTPD       "Nov 27 01:23:32 mail smtpd[611]: "
#define SESSION(id)  OSMTPD id " mta "
#define ASKS(id, to) SESSION(id) "connecting address=smtp+tls://" to ":25 host=" to
#define ENVELOPE     "delivery evpid=0834588d49e836be from=<alice@mail.sender.test> "
#define WENT(result) \
	"rcpt=<-> source=\"198.18.0.1\" relay=\"198.18.1.2 (198.18.1.2)\" delay=0s " \
	"result=\"" result "\" stat="

static void
test_opensmtpd(void **state UNUSED)
{
	static const struct line lines[] = {
		/* 6.8 */
		{SESSION("c3ddba6c01c5849d") "connecting address=smtp://198.18.1.2:25 "
					     "host=198.18.1.2",
			NO},
		{SESSION("c3ddba6c01c5849d") "connected", NO},
		{SESSION("c3ddba6c01c5849d") "tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256", NO},
		{SESSION("c3ddba6c01c5849d") "server-cert-check result=\"success\"", NO},
		{SESSION("c3ddba6c01c5849d") ENVELOPE
			"to=<bob@A.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "a.test", "", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* One more over the same session. */
		{SESSION("c3ddba6c01c5849d") ENVELOPE
			"to=<eve@a.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "a.test", "", MAIL_SENT, MAIL_TLS_VERIFIED},
		{SESSION("c3ddba8087a35a70") "connecting address=smtp://198.18.1.7:25 "
					     "host=198.18.1.7",
			NO},
		{SESSION("c3ddba8087a35a70") "tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256", NO},
		{SESSION("c3ddba8087a35a70") "ssl_check_name: no match for 'mx1.d.test' in cert",
			NO},
		{SESSION("c3ddba8087a35a70") "server-cert-check result=\"failure\"", NO},
		{SESSION("c3ddba8087a35a70") ENVELOPE
			"to=<bob@d.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "d.test", "", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* 7.4 */
		{SESSION("5f1c7a861a834a4f") "connecting address=smtp://198.18.1.2:25 "
					     "host=198.18.1.2",
			NO},
		{SESSION("5f1c7a861a834a4f") "tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256", NO},
		{SESSION("5f1c7a861a834a4f") "cert-check result=\"unverified\" "
					     "fingerprint=\"SHA256:ddb1\"",
			NO},
		{SESSION("5f1c7a861a834a4f") ENVELOPE
			"to=<bob@a.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "a.test", "", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		{ASKS("f08145e8ddc7a0bc", "198.18.1.18"), NO},
		{SESSION("f08145e8ddc7a0bc") "tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256", NO},
		{SESSION("f08145e8ddc7a0bc") "cert-check result=\"valid\" "
					     "fingerprint=\"SHA256:5e30\"",
			NO},
		{SESSION("f08145e8ddc7a0bc") ENVELOPE
			"to=<bob@both.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "both.test", "", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* In clear; of a session that began before the log; refused. */
		{SESSION("c3ddba70bb1a7f2c") "connecting address=smtp://198.18.1.3:25 "
					     "host=198.18.1.3",
			NO},
		{SESSION("c3ddba70bb1a7f2c") ENVELOPE
			"to=<bob@b-none.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "b-none.test", "", MAIL_SENT, MAIL_TLS_NONE},
		{SESSION("c3ddba70bb1a7f2c") ENVELOPE
			"to=<bob@b-none.test> " WENT("PermFail") "\"550 no\"",
			1, "b-none.test", "", MAIL_BOUNCED, MAIL_TLS_NONE},
		{SESSION("c3ddba70bb1a7f2c") ENVELOPE
			"to=<bob@b-none.test> " WENT("TempFail") "\"450 later\"",
			1, "b-none.test", "", MAIL_DEFERRED, MAIL_TLS_NONE},
		{SESSION("1111111111111111") ENVELOPE
			"to=<bob@a.test> " WENT("Ok") "\"250 2.0.0 Ok: stored\"",
			1, "a.test", "", MAIL_SENT, MAIL_TLS_UNKNOWN},
		/* Not out of this machine; received, or delivered here; no such lines. */
		{SESSION("c3ddba70bb1a7f2c") ENVELOPE
			"to=<bob@a.test> rcpt=<-> source=\"127.0.0.1\" relay=\"localhost "
			"(127.0.0.1)\" delay=0s result=\"Ok\" stat=\"250 ok\"",
			NO},
		{OSMTPD "c3ddba69ae5297c0 smtp envelope evpid=0834588d49e836be "
			"from=<alice@mail.sender.test> "
			"to=<bob@a.test>",
			NO},
		{OSMTPD "c3ddba69ae5297c0 mda delivery evpid=0834588d49e836be from=<a@a.test> "
			"to=<bob@a.test> "
			"rcpt=<bob@a.test> user=bob delay=0s result=Ok stat=Delivered",
			NO},
		{OSMTPD "C3DDBA6C01C5849D mta " ENVELOPE "to=<bob@a.test> " WENT("Ok") "\"250 ok\"",
			NO},
		{OSMTPD "c3ddba6c01c5849 mta " ENVELOPE "to=<bob@a.test> " WENT("Ok") "\"250 ok\"",
			NO},
		{OSMTPD "info: OpenSMTPD 6.8.0p2 starting", NO},
		{SESSION("c3ddba6c01c5849d") "delivery evpid=08", NO},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

#define NO_ROUTE(at, relay) \
	"Nov 27 01:23:" at \
	" mail smtpd[611]: smtp-out: No valid route for [connector:[]->[relay:" relay "],0x0]"
#define NO_SERVER(name) \
	SESSION("0000000000000000") \
	ENVELOPE "to=<bob@d.test> rcpt=<-> source=\"-\" relay=\"" name "\" delay=11s " \
		 "result=\"TempFail\" stat=\"Network error on destination MXs\""

static void
test_opensmtpd_reasons(void **state UNUSED)
{
#define DISABLED(to) "smtp-out: Disabling route [] <-> " to " (" to ") for 15s"
#define FAILS(why) \
	ASKS("9df0ae05f7038821", "198.18.1.3"), SESSION("9df0ae05f7038821") "error reason=" why, \
		OSMTPD DISABLED("198.18.1.3")
#define AND_WAITS NO_ROUTE("34", "d.test,smtp+tls"), NO_SERVER("d.test")
	static const struct {
		const char *lines[10];
		enum mail_reason reason;
	} rows[] = {
		{{FAILS("TLS required but not supported by remote host"), AND_WAITS},
			MAIL_REASON_NO_TLS},
		{{FAILS("STARTTLS rejected: 454 4.7.0 TLS not available"), AND_WAITS},
			MAIL_REASON_NO_TLS},
		/* 6.8 */
		{{FAILS("SSL certificate check failed"), AND_WAITS}, MAIL_REASON_CERTIFICATE},
		{{FAILS("IO Error: error:0A000410:SSL routines::sslv3 alert handshake failure"),
			 AND_WAITS},
			MAIL_REASON_HANDSHAKE},
		/* 7.4 */
		{{FAILS("IO Error: certificate verification failed: unable to get local issuer "
			"certificate"),
			 AND_WAITS},
			MAIL_REASON_CERTIFICATE},
		{{FAILS("IO Error: name `mx1.d.test' not present in server certificate"),
			 AND_WAITS},
			MAIL_REASON_CERTIFICATE},
		{{FAILS("IO Error: handshake failed: error:0A000126:SSL routines::unexpected eof "
			"while reading"),
			 AND_WAITS},
			MAIL_REASON_HANDSHAKE},
		/* Pinned to a server. */
		{{FAILS("TLS required but not supported by remote host"),
			 NO_ROUTE("34", "mx1.d.test,port=25,smtp+tls,mx"), NO_SERVER("mx1.d.test")},
			MAIL_REASON_NO_TLS},
		/* Nothing to do with TLS; words of the peer's. */
		{{FAILS("IO Error: Connection refused"), AND_WAITS}, MAIL_REASON_OTHER},
		{{FAILS("Connection closed unexpectedly"), AND_WAITS}, MAIL_REASON_OTHER},
		{{FAILS("BANNER rejected: 554 STARTTLS rejected: 454"), AND_WAITS},
			MAIL_REASON_OTHER},
		/* The list does not have the domain; another relay; it is tried again. */
		{{FAILS("TLS required but not supported by remote host"),
			 NO_ROUTE("34", "d.test,smtp"), NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
		{{FAILS("TLS required but not supported by remote host"),
			 NO_ROUTE("34", "c.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
		{{FAILS("TLS required but not supported by remote host"),
			 OSMTPD "smtp-out: Enabling route [] <-> 198.18.1.3 (198.18.1.3)",
			 AND_WAITS},
			MAIL_REASON_OTHER},
		/* A session of another kind goes on in clear. */
		{{SESSION("9df0ae05f7038821") "connecting address=smtp://198.18.1.3:25 "
					      "host=198.18.1.3",
			 SESSION("9df0ae05f7038821") "error reason=SSL certificate check failed",
			 AND_WAITS},
			MAIL_REASON_OTHER},
		/* Put off by the server itself. */
		{{FAILS("TLS required but not supported by remote host"),
			 NO_ROUTE("34", "d.test,smtp+tls"), ASKS("9df0ae0127374466", "198.18.1.3"),
			 SESSION("9df0ae0127374466") ENVELOPE
			 "to=<bob@d.test> " WENT("TempFail") "\"Network error on "
							     "destination MXs\""},
			MAIL_REASON_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_reason(rows[i].lines, rows[i].reason);
}

/* Which failure is whose is seen from the order and the time; and where it is not seen, from what
 * all have in common. */
static void
test_opensmtpd_shared(void **state UNUSED)
{
#define FAILS_AT(id, at, to, why) \
	"Nov 27 01:23:" at " mail smtpd[611]: " id " mta connecting address=smtp+tls://" to ":25 host=x", \
		"Nov 27 01:23:" at " mail smtpd[611]: " id " mta error reason=" why, OSMTPD DISABLED(to)
#define STRIPPED "TLS required but not supported by remote host"
	static const struct {
		const char *lines[14];
		enum mail_reason reason;
	} rows[] = {
		/* In their order. */
		{{FAILS_AT("0000000000000001", "32", "198.18.1.3", STRIPPED),
			 FAILS_AT("0000000000000002", "32", "198.18.1.4",
				 "SSL certificate check failed"),
			 NO_ROUTE("34", "c.test,smtp+tls"), NO_ROUTE("34", "d.test,smtp+tls"),
			 NO_SERVER("d.test")},
			MAIL_REASON_CERTIFICATE},
		/* Of the time. */
		{{FAILS_AT("0000000000000001", "10", "198.18.1.3", "IO Error: Connection refused"),
			 FAILS_AT("0000000000000002", "32", "198.18.1.4",
				 "SSL certificate check failed"),
			 NO_ROUTE("34", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_CERTIFICATE},
		/* It took longer, and so does not wait. */
		{{FAILS_AT("0000000000000001", "10", "198.18.1.3", "IO Error: Connection refused"),
			 "Nov 27 01:23:11 mail smtpd[611]: 0000000000000002 mta connecting "
			 "address=smtp+tls://198.18.1.4:25 host=x",
			 "Nov 27 01:23:34 mail smtpd[611]: 0000000000000002 mta error "
			 "reason=" STRIPPED,
			 OSMTPD DISABLED("198.18.1.4"),
			 NO_ROUTE("34", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_NO_TLS},
		/* A server that another domain's mail has found so. */
		{{FAILS_AT("0000000000000001", "32", "198.18.1.3", STRIPPED),
			 NO_ROUTE("34", "c.test,smtp+tls"), NO_ROUTE("40", "d.test,smtp+tls"),
			 NO_SERVER("d.test")},
			MAIL_REASON_NO_TLS},
		{{FAILS_AT("0000000000000001", "32", "198.18.1.3", STRIPPED),
			 FAILS_AT("0000000000000002", "32", "198.18.1.4",
				 "IO Error: Connection refused"),
			 NO_ROUTE("40", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
		{{FAILS_AT("0000000000000001", "32", "198.18.1.3", "IO Error: Connection refused"),
			 FAILS_AT("0000000000000002", "32", "198.18.1.4", STRIPPED),
			 NO_ROUTE("40", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
		/* A session that ended when nothing was to be sent. */
		{{ASKS("0000000000000001", "198.18.1.3"),
			 SESSION("0000000000000001") "error reason=Connection closed unexpectedly",
			 FAILS_AT("0000000000000002", "32", "198.18.1.4", STRIPPED),
			 NO_ROUTE("40", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_NO_TLS},
		{{ASKS("0000000000000001", "198.18.1.3"),
			 SESSION("0000000000000001") "error reason=" STRIPPED, NO_ROUTE("34", "d.test,smtp+tls"),
			 NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
		/* What has failed just now is another's. */
		{{FAILS_AT("0000000000000001", "20", "198.18.1.3", "IO Error: Connection refused"),
			 NO_ROUTE("22", "c.test,smtp+tls"),
			 FAILS_AT("0000000000000002", "34", "198.18.1.4", STRIPPED),
			 NO_ROUTE("34", "d.test,smtp+tls"), NO_SERVER("d.test")},
			MAIL_REASON_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_reason(rows[i].lines, rows[i].reason);
}

/* How the log says that a message of session i went. */
static enum mail_tls
went(struct mail_log *log, unsigned i)
{
	char *line = xasprintf(OSMTPD "%016x mta " ENVELOPE "to=<bob@a.test> " WENT("Ok") "\"250 ok\"", i);
	struct mail_delivery d;

	assert_int_equal(mail_log_line(log, line, strlen(line), &d), 1);
	free(line);
	return d.tls;
}

/* More sessions than are remembered: the latest are, and of one that is forgotten nothing is said. */
static void
test_many(void **state UNUSED)
{
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;

	for (unsigned i = 1; i <= 20000; i++) {
		static const char *const parts[] = {
			"connecting address=smtp://198.18.1.2:25 host=x", "cert-check result=\"valid\""};

		for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
			char *line = xasprintf(OSMTPD "%016x mta %s", i, parts[k]);

			assert_int_equal(mail_log_line(log, line, strlen(line), &d), 0);
			free(line);
		}
		if (i > 100)
			assert_int_equal(went(log, i - 100), MAIL_TLS_VERIFIED);
	}
	assert_int_equal(went(log, 1), MAIL_TLS_UNKNOWN);
	mail_log_free(log);
}

/* --- all -----------------------------------------------------------------------------------------
 */

/* Messages that were in the queue for too long. */
static void
test_given_up(void **state UNUSED)
{
	static const struct {
		const char *line;
		int rc;
		enum mail_outcome outcome;
		const char *id, *domain;
	} rows[] = {
		{"Nov 26 12:00:00 host postfix/qmgr[7]: 4ABC: from=<a@home.test>, status=expired, "
		 "returned to sender",
			1, MAIL_GIVEN_UP, "4ABC", ""},
		{"Nov 26 12:00:00 host postfix/qmgr[7]: 4ABC: from=<>, status=force-expired, "
		 "returned to sender",
			1, MAIL_GIVEN_UP, "4ABC", ""},
		{MTA("1000") "6AR1WI0V000971: 6AR1WhOn001000: DSN: Cannot send message for 20 "
			     "seconds",
			1, MAIL_GIVEN_UP, "6AR1WI0V000971", ""},
		{MTA("1000") "6AR1WI0V000971: 6AR1WhOn001000: return to sender: Cannot send "
			     "message for 5 days",
			1, MAIL_GIVEN_UP, "6AR1WI0V000971", ""},
		{OSMTPD "relay: Expire for 0a8c17255ef879bf: from=<alice@mail.sender.test>, "
			"to=<bob@refused.test>, rcpt=<->, "
			"delay=20s, stat=Envelope expired",
			1, MAIL_BOUNCED, "0a8c1725", "refused.test"},
		/* A warning; another notice; what senders choose. */
		{MTA("7") "6AR1: 6AR2: sender notify: Warning: could not send message for past 4 "
			  "hours",
			0, 0, "", ""},
		{MTA("7") "6AR1: 6AR2: DSN: User unknown", 0, 0, "", ""},
		{"Nov 26 12:00:00 host postfix/qmgr[7]: 4A: from=<a@home.test>, size=3, nrcpt=1 "
		 "(queue active)",
			0, 0, "", ""},
		{"Nov 26 12:00:00 host postfix/qmgr[7]: 4A: from=<\"x>, status=expired, returned "
		 "to sender\"@evil.test>, "
		 "size=3, nrcpt=1 (queue active)",
			0, 0, "", ""},
	};
	struct mail_log *log = mail_log_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mail_delivery d;

		print_message("# %s\n", rows[i].line);
		assert_int_equal(
			mail_log_line(log, rows[i].line, strlen(rows[i].line), &d), rows[i].rc);
		if (rows[i].rc == 0)
			continue;
		assert_int_equal(d.outcome, rows[i].outcome);
		assert_string_equal(d.id, rows[i].id);
		assert_string_equal(d.domain, rows[i].domain);
	}
	mail_log_free(log);
}

/* The same for Sendmail and OpenSMTPD. */
static void
test_forged_newer(void **state UNUSED)
{
#define GOOD "<u@good.test>, " SERVED "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent (ok)"
	static const struct line lines[] = {
		/* Senders, greetings, replies. */
		{MTA("7") "6AR1: from=<\"x 6AR1: to=" GOOD "\"@evil.test>, size=1, class=0", NO},
		{MTA("7") "NOQUEUE: evil.test [192.0.2.9] did not issue MAIL: to=" GOOD, NO},
		{MTA("7") "6AR1: evil.test [192.0.2.9] to=" GOOD, NO},
		{MTA("7") "ruleset=check_relay, arg1=to=" GOOD, NO},
		{MTA("7") "6AR1: to=<u@evil.test>, " SERVED
			  "relay=mx.evil.test. [192.0.2.9], dsn=4.2.0, reply=450 , "
			  "dsn=2.0.0, stat=Sent (ok), stat=Deferred: 450 , dsn=2.0.0, stat=Sent",
			1, "evil.test", "mx.evil.test", MAIL_DEFERRED, MAIL_TLS_NONE},
		{MTA("7") "6AR1: to=<u@evil.test>, " SERVED
			  "relay=mx.evil.test. [192.0.2.9], dsn=2.0.0, stat=Sent "
			  "(, relay=mx1.good.test. [198.18.1.2], dsn=2.0.0)",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{MTA("7") "6AR1: to=<u@home.test>, delay=00:00:00, mailer=local, pri=1, dsn=2.0.0, "
			  "reply=250 , "
			  "relay=mx1.good.test. [198.18.1.2], dsn=2.0.0, stat=Sent",
			NO},
		/* Recipients of bounces are chosen by who sent the mail. */
		{MTA("7") "6AR1: to=<\"u@good.test>, delay=00:00:00, relay=mx1.good.test. "
			  "[198.18.1.2], dsn=2.0.0, "
			  "stat=Sent (\"@evil.test>, " SERVED
			  "relay=mx.evil.test. [192.0.2.9], dsn=2.0.0, stat=Sent (ok)",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{MTA("7") "6AR1: to=<u@evil.test>, ctladdr=<\"x>, delay=0, relay=mx1.good.test. "
			  "[198.18.1.2], "
			  "dsn=2.0.0, \"@home.test> (0/0), " SERVED
			  "relay=mx.evil.test. [192.0.2.9], dsn=2.0.0, stat=Sent (ok)",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{MTA("7") "6AR1: ruleset=tls_rcpt, arg1=\"x, relay=mx1.good.test., "
			  "reject=450\"@evil.test, "
			  "relay=mx.evil.test., reject=450 4.7.0 x",
			NO},
		/* Certificates and servers' names do not speak for others. */
		{MTA("7") "STARTTLS=client, relay=mx.evil.test., version=TLSv1.3, verify=FAIL, "
			  "cipher=X, verify=OK",
			NO},
		{MTA("7") "6AR1: to=<u@evil.test>, " SERVED
			  "relay=mx.evil.test. [192.0.2.9], dsn=2.0.0, stat=Sent (ok)",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* Other programs. */
		{"Nov 27 01:29:59 mail spamd[7]: 6AR1: to=" GOOD, NO},
		{"Nov 27 01:29:59 mail postfix/smtpd[7]: 0123456789abcdef mta " ENVELOPE
		 "to=<u@good.test> " WENT("Ok") "\"x\"",
			NO},
		{"Nov 27 01:29:59 mail xsmtpd[7]: 0123456789abcdef mta " ENVELOPE
		 "to=<u@good.test> " WENT("Ok") "\"x\"",
			NO},
		/* OpenSMTPD: sender, recipient, reply, the name of an address. */
		{SESSION("0000000000000001") "connecting address=smtp://192.0.2.9:25 "
					     "host=mx.evil.test",
			NO},
		{SESSION("0000000000000001") "delivery evpid=0834588d49e836be from=<\"> "
					     "to=<u@good.test> rcpt=<-> \"@evil.test> "
					     "to=<u@evil.test> " WENT("Ok") "\"250 ok\"",
			1, "evil.test", "", MAIL_SENT, MAIL_TLS_NONE},
		{SESSION("0000000000000001") ENVELOPE
			"to=<u@evil.test> " WENT("TempFail") "\"450 result=\"Ok\" stat=\"x\"",
			1, "evil.test", "", MAIL_DEFERRED, MAIL_TLS_NONE},
		{SESSION("0000000000000001") "error reason=BANNER rejected: 554 mta tls ciphers=x",
			NO},
		{SESSION("0000000000000001") ENVELOPE "to=<u@evil.test> " WENT("Ok") "\"250 ok\"",
			1, "evil.test", "", MAIL_SENT, MAIL_TLS_NONE},
		{OSMTPD "0000000000000001 smtp failed-command command=\"RCPT TO:<x>\" result=\"550 "
			"0123456789abcdef mta "
			"delivery evpid=0834588d49e836be from=<a@b.test> to=<u@good.test>\"",
			NO},
	};

	check_lines(lines, ARRAY_LEN(lines));
}

/* Lines without end, octets of every kind: nothing is read past its end, and the next line counts.
 */
static void
test_hostile(void **state UNUSED)
{
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;
	char *noise = xcalloc(1, MAIL_LOG_LINE_MAX + 1);
	static const char line[] =
		SMTP("1") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL;

	for (size_t i = 0; i <= MAIL_LOG_LINE_MAX; i++)
		noise[i] = (char)(i * 7);
	assert_int_equal(mail_log_line(log, noise, MAIL_LOG_LINE_MAX + 1, &d), 0);
	(void)mail_log_line(log, noise, MAIL_LOG_LINE_MAX, &d);
	for (size_t len = 0; len < sizeof(line); len++) {
		/* Exactly so long, so that a sanitizer sees a step too far. */
		char *part = xcalloc(1, len > 0 ? len : 1);

		memcpy(part, line, len);
		(void)mail_log_line(log, part, len, &d);
		free(part);
	}
	free(noise);
	mail_log_free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postfix),
		cmocka_unit_test(test_exim),
		cmocka_unit_test(test_exim_retry),
		cmocka_unit_test(test_sendmail),
		cmocka_unit_test(test_sendmail_reasons),
		cmocka_unit_test(test_sendmail_several),
		cmocka_unit_test(test_opensmtpd),
		cmocka_unit_test(test_opensmtpd_reasons),
		cmocka_unit_test(test_opensmtpd_shared),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_forged_newer),
		cmocka_unit_test(test_speaks),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

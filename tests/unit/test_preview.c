/* preview: what is read out of the logs of Postfix and Exim, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/mail_log.h"
#include "updater/preview.h"
#include "updater/settings.h"

#include "updater_repo.h"

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
		assert_int_equal(mail_log_line(log, lines[i].text, strlen(lines[i].text), &d), lines[i].rc);
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
		{SMTP("7") "Verified TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.3 with "
			   "cipher X", NO},
		{SMTP("7") "4A: to=<u@Good.Test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* One more recipient of the message; the next message over the same connection. */
		{SMTP("7") "4A: to=<v@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{SMTP("7") "4B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, conn_use=2, delay=1, "
			   "delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* A new connection of which nothing was said. */
		{SMTP("7") "4C: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		/* Another process, another host than the one that was spoken of. */
		{SMTP("8") "Untrusted TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.2", NO},
		{SMTP("9") "4D: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("8") "4E: to=<u@good.test>, relay=mx2.good.test[192.0.2.2]" TAIL, 1, "good.test",
			"mx2.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("5") "Trusted TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.2", NO},
		{SMTP("5") "4F: to=<a@good.test>, orig_to=<alias@home.test>, relay=mx1.good.test[192.0.2.1]" TAIL,
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		{SMTP("5") "50: to=<u@good.test>, relay=none, delay=1, delays=0/0/0/0, dsn=4.7.5, "
			   "status=deferred (Server certificate not verified)",
			1, "good.test", "", MAIL_DEFERRED, MAIL_TLS_UNKNOWN},
		{SMTP("5") "51: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, delays=0/0/0/0, "
			   "dsn=5.1.1, status=bounced (host said: 550 status=sent (250 ok))",
			1, "good.test", "mx1.good.test", MAIL_BOUNCED, MAIL_TLS_NONE},
		/* With smtp_tls_connection_reuse. */
		{SMTP("4") "Verified TLS connection reused to mx1.good.test[192.0.2.1]:25: TLSv1.3 with cipher X", NO},
		{SMTP("4") "57: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, conn_use=2, delay=1, "
			   "delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		/* Not out of this machine; not the agent for SMTP; nothing at all. */
		{SMTP("5") "52: to=<u@good.test>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, dsn=2.0.0, "
			   "status=sent (250 ok)", NO},
		{"Nov 26 12:00:00 host postfix/local[5]: 53: to=<u@good.test>, relay=local, delay=1, "
		 "status=sent (delivered to mailbox)", NO},
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
	SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=0.1, delays=0/0/0.1/0, " \
		  "dsn=4.7.5, status=deferred (" why ")"
#define EXIM_OFF(rest) "2026-11-26 12:00:00 1vOabc-00000001abc-0001 == u@good.test " rest
	static const struct {
		const char *line;
		enum mail_reason reason;
		const char *id;
	} rows[] = {
		{PUT_OFF("TLS is required, but was not offered by host mx1.good.test[192.0.2.1]"),
			MAIL_REASON_NO_TLS, "4A"},
		{PUT_OFF("TLS is required, but host mx1.good.test[192.0.2.1] refused to start TLS: 454 no"),
			MAIL_REASON_NO_TLS, "4A"},
		{PUT_OFF("Cannot start TLS: handshake failure"), MAIL_REASON_HANDSHAKE, "4A"},
		{PUT_OFF("Server certificate not verified"), MAIL_REASON_CERTIFICATE, "4A"},
		{PUT_OFF("Server certificate not trusted"), MAIL_REASON_CERTIFICATE, "4A"},
		{PUT_OFF("TLSA lookup error for mx1.good.test:25"), MAIL_REASON_DANE, "4A"},
		{PUT_OFF("no TLSA records found"), MAIL_REASON_DANE, "4A"},
		{PUT_OFF("non DNSSEC destination"), MAIL_REASON_DANE, "4A"},
		{PUT_OFF("connect to mx1.good.test[192.0.2.1]:25: Connection refused"), MAIL_REASON_OTHER, "4A"},
		{PUT_OFF("host mx1.good.test[192.0.2.1] said: 450 (TLS is required, but I joke) status=deferred "
			 "(Server certificate not verified"),
			MAIL_REASON_OTHER, "4A"},
		{SMTP("7") "4B: to=<u@good.test>, relay=none, delay=1, delays=0/0/0/0, dsn=4.7.5, status=deferred",
			MAIL_REASON_OTHER, "4B"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-38) H=mx1.good.test [192.0.2.1]: a TLS session is "
			  "required, but the server did not offer TLS support"),
			MAIL_REASON_NO_TLS, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-37) H=mx1.good.test [192.0.2.1]: TLS session: "
			  "(certificate verification failed)"),
			MAIL_REASON_CERTIFICATE, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-37) H=mx1.good.test [192.0.2.1]: failure while "
			  "setting up TLS session"),
			MAIL_REASON_HANDSHAKE, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_dane defer (0) H=mx1.good.test [192.0.2.1]: preload25: no secure "
			  "TLSA record for mx1.good.test"),
			MAIL_REASON_DANE, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25_no_listed_mx defer (-1): preload25: no MX of good.test is in its list entry"),
			MAIL_REASON_OTHER_HOST, "1vOabc-00000001abc-0001"},
		{EXIM_OFF("R=preload25 T=preload25_pkix defer (-44) H=mx1.good.test [192.0.2.1]: SMTP error from "
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
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=dane DN=\"CN=mx\" "
		      "C=\"250 ok\"",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_VERIFIED},
		{EXIM "-> v@good.test R=r T=t H=MX1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=no C=\"250 ok\"", 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* What the peer says is not what Exim says. */
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] C=\"250 ok X=TLS1.3 CV=yes\"", 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> alias <u@good.test> R=r T=t H=mx1.good.test [192.0.2.1] C=\"250 ok\"", 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "== u@good.test R=r T=t defer (-38) H=mx1.good.test [192.0.2.1]: a TLS session is required",
			1, "good.test", "mx1.good.test", MAIL_DEFERRED, MAIL_TLS_NONE},
		{EXIM "== u@good.test R=preload25_no_listed_mx defer (-1): no MX is in its list entry", 1,
			"good.test", "", MAIL_DEFERRED, MAIL_TLS_UNKNOWN},
		{EXIM "=> root <root@home.test> R=local_user T=mail_spool", NO},
		{EXIM "<= u@home.test U=root P=local S=300", NO},
		{EXIM "Completed", NO},
		{"xxxx => u@good.test H=mx1.good.test [192.0.2.1]", NO},
		/* By syslog or the journal, with its own time once more or not. */
		{"2026-11-26T12:00:00+0000 host exim[77]: 1vOabc-00000001abc-0001 => u@good.test R=r T=t "
		 "H=mx1.good.test [192.0.2.1]",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{"Nov 26 12:00:00 host exim4[77]: " EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1]", 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
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
		{LINE("postfix/qmgr[7]: 4A: from=<\"") FAKE "\"@evil.test>, size=1, nrcpt=1 (queue active)", NO},
		{LINE("postfix/smtpd[7]: NOQUEUE: reject: RCPT from evil.test[192.0.2.9]: 554 5.7.1 <") FAKE
			">: Relay access denied", NO},
		{LINE("postfix/smtpd: ") FAKE, NO},
		{LINE("postfix/smtp[7x]: ") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{LINE("postfix/smtp[]: ") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{LINE("postfix/xsmtp[7]: ") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{LINE("kernel: ") FAKE, NO},
		{"Completely another text without any tag that goes on " FAKE, NO},
		/* A server that was tried first, quoted by smtp(8) itself; a peer's reply. */
		{SMTP("7") "4A: host mx.evil.test[192.0.2.9] said: 450 A: to=<u@good.test>, "
			   "relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		{SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, delays=0/0/0/1, "
			   "dsn=2.0.0, status=sent (250 Verified TLS connection established to mx1.good.test[x]:25)",
			1, "good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, 1, "good.test",
			"mx1.good.test", MAIL_SENT, MAIL_TLS_NONE},
		/* Recipients of bounces are chosen by who sent the mail. */
		{SMTP("7") "4C: to=<\"u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, status=sent (\\\"\"@evil"
			   ".test>, relay=mx.evil.test[192.0.2.9]" TAIL,
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4D: to=<u@evil.test>, orig_to=<\"x>, relay=mx1.good.test[192.0.2.1]:25\"@home.test>, "
			   "relay=mx.evil.test[192.0.2.9]" TAIL,
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{SMTP("7") "4E: to=<\"u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL, NO},
		/* Exim: senders, greetings, recipients, certificates. */
		{EXIM "<= \"a => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test [192.0.2.9] P=esmtp", NO},
		{EXIM "<= \" => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test [192.0.2.9] P=esmtp", NO},
		{LINE("exim[77]: ") EXIM "<= \" => u@good.test H=mx1.good.test [192.0.2.1]\"@evil.test H=evil.test", NO},
		{LINE("spamd[77]: ") EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1]", NO},
		{"2026-11-26 12:00:00 H=(=> u@good.test H=mx) [192.0.2.9] rejected EHLO", NO},
		{"2026-11-26 12:00:00 SMTP => u@good.test H=mx1.good.test [192.0.2.1]", NO},
		{"2026-11-26 12:00:00 SMTP syntax error in \"" FAKE "\" H=evil.test [192.0.2.9]", NO},
		{EXIM "=> \"x <u@good.test> H=mx1.good.test [192.0.2.1] X=T CV=yes\"@evil.test R=r T=t H=mx.evil.test "
		      "[192.0.2.9] C=\"250 ok\"",
			1, "evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> u@evil.test <\"x H=mx1.good.test\"@home.test> R=r T=t H=mx.evil.test [192.0.2.9]", 1,
			"evil.test", "mx.evil.test", MAIL_SENT, MAIL_TLS_NONE},
		{EXIM "=> u@good.test R=r T=t H=mx1.good.test [192.0.2.1] X=TLS1.3:x:256 CV=no DN=\"CN=a CV=yes\"", 1,
			"good.test", "mx1.good.test", MAIL_SENT, MAIL_TLS_ENCRYPTED},
		/* All that may stand before the flag. */
		{"2026-11-26 12:00:00.250 +0100 [77] 1vOabc-0001ab-01 => u@good.test R=r T=t H=mx1.good.test "
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
		SMTP("7") "4A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
			  "status=sent (250 Verified TLS connection established to mx1.good.test[192.0.2.1]:25)",
		SMTP("7") "Verified TLS connection reused to mx1.good.test[192.0.2.1]:25: TLSv1.3"};
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;

	assert_int_equal(mail_log_line(log, lines[0], strlen(lines[0]), &d), 1);
	assert_true(mail_log_is_silent(log));
	assert_int_equal(mail_log_line(log, lines[1], strlen(lines[1]), &d), 0);
	assert_true(mail_log_speaks(log));
	mail_log_free(log);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static char *
previewed(const struct update_settings *s, const char *log, bool json)
{
	char *path = in_temp("log"), *text = NULL;
	size_t size;
	struct preview_options options = {.survey = {.path = path, .now_s = NOW}, .json = json};
	struct error err = {0};

	write_text(path, log, strlen(log));
	options.out = open_memstream(&text, &size);
	if (preview(s, &options, &err) != 0)
		fail_msg("%s", err.text);
	(void)fclose(options.out);
	free(path);
	return text;
}

static void
must_hold(char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("%s\nlacks: %s", text, part);
	free(text);
}

static void
vary(int i, struct list_entry *e)
{
	static const char *const mxs[] = {"*.wide.test", "mx1.good.test"};

	e->domain = i == 1 ? "good.test" : "trial.test";
	e->policy.mode = i == 1 ? LIST_MODE_ENFORCE : LIST_MODE_TESTING;
	e->policy.mxs = mxs;
	e->policy.mxs_count = ARRAY_LEN(mxs);
}

static void
test_report(void **state UNUSED)
{
	static const char sent[] =
		SMTP("1") "Verified TLS connection established to mx1.good.test[192.0.2.1]:25: TLSv1.3\n"
		SMTP("1") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "C: to=<u@good.test>, relay=mx9.wide.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "D: to=<u@good.test>, relay=a.mx9.wide.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "E: to=<u@good.test>, relay=none, delay=1, dsn=4.0.0, status=deferred (x)\n"
		SMTP("1") "F: to=<u@trial.test>, relay=mx1.good.test[192.0.2.1]" TAIL "\n"
		SMTP("1") "G: to=<u@other.test>, relay=mx.other.test[192.0.2.1]" TAIL "\n";
	static const char silent[] = SMTP("1") "B: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL;
	struct update_settings s;
	struct preview_options options = {.survey = {.path = "/nonexistent/log", .now_s = NOW}};
	struct job_options job = {.now_s = NOW, .dry_run = true};
	struct error err = {0};
	struct repo repo;
	char *list = in_temp("list.json"), *conf = in_temp("conf"), *text, *anchor = in_temp("root");

	repo_init(&repo, "repo");
	write_list(list, &(const struct list_spec){.version = 7, .first = 1, .last = 2, .vary = vary});
	repo_publish(&repo, list);
	repo_copy_root(&repo, anchor);
	text = xasprintf("[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s/state\n"
			 "[install]\nmta = texthash\npath = %s/map\ndane = no\n[postfix]\nformat = plain\n"
			 "postmap = /nonexistent\n",
		repo.dir, anchor, temp_dir, temp_dir);
	write_text(conf, text, strlen(text));
	free(text);
	OK(update_settings_load(conf, &s, &ok_err));
	options.out = stdout;
	assert_int_equal(preview(&s, &options, &err), 1);
	assert_non_null(strstr(err.text, "--dry-run"));
	/* A dry run fetches the list, and installs nothing. */
	s.postmap = NULL;
	OK(job_run(&s, &job, &ok_err));
	assert_int_equal(preview(&s, &options, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	must_hold(previewed(&s, sent, false),
		"the log has 7 deliveries to 3 domains; list 7 has 1 of them, with 5 deliveries:\n"
		"        1 over TLS, with a server that was verified\n"
		"        2 in clear: these would have waited\n"
		"        1 to a server that the entry does not name: these would have waited\n"
		"        1 not sent");
	must_hold(previewed(&s, sent, true),
		"\"by_domain\":{\"good.test\":{\"clear\":2,\"encrypted\":0,\"not_sent\":1,\"other_host\":1,"
		"\"untold\":0,\"verified\":1}},\"cut\":false,\"deliveries\":7,\"domains\":3,");
	must_hold(previewed(&s, silent, false), "! Postfix does not speak of TLS here");
	must_hold(previewed(&s, silent, false), "1 in a way that the log does not tell");
	must_hold(previewed(&s, "", false), "the log has 0 deliveries to 0 domains; list 7 has 0 of them");
	update_settings_clear(&s);
	repo_clear(&repo);
	free(anchor);
	free(conf);
	free(list);
}

/* Lines without end, octets of every kind: nothing is read past its end, and the next line counts. */
static void
test_hostile(void **state UNUSED)
{
	struct mail_log *log = mail_log_new();
	struct mail_delivery d;
	char *noise = xcalloc(1, MAIL_LOG_LINE_MAX + 1);
	static const char line[] = SMTP("1") "A: to=<u@good.test>, relay=mx1.good.test[192.0.2.1]" TAIL;

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
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_speaks),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

#include "updater/mail_log.h"

#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "common/xalloc.h"
#include "updater/mail_parsers.h"

/* Words up to the tag of a line: "Nov 26 12:00:00 host TAG", and a zone or a priority more. */
#define TAG_WORDS_MAX 8

struct mail_log {
	struct mail_postfix *postfix; /* owned, as are those below */
	struct mail_exim *exim;
	struct mail_sendmail *sendmail;
	struct mail_opensmtpd *opensmtpd;
	bool spoke;   /* one of them, to an earlier reader */
	bool several; /* the last line was one of Sendmail's, and told of deliveries */
};

struct mail_log *
mail_log_new(void)
{
	struct mail_log *log = xcalloc(1, sizeof(*log));

	log->postfix = mail_postfix_new();
	log->exim = mail_exim_new();
	log->sendmail = mail_sendmail_new();
	log->opensmtpd = mail_opensmtpd_new();
	return log;
}

void
mail_log_free(struct mail_log *log)
{
	if (log == NULL)
		return;
	mail_postfix_free(log->postfix);
	mail_exim_free(log->exim);
	mail_sendmail_free(log->sendmail);
	mail_opensmtpd_free(log->opensmtpd);
	free(log);
}

const char *
mail_log_silence(const struct mail_log *log)
{
	struct mail_speech postfix = mail_postfix_speech(log->postfix);
	struct mail_speech sendmail = mail_sendmail_speech(log->sendmail);

	if (log->spoke)
		return NULL;
	if (postfix.delivers && !postfix.speaks)
		return "Postfix does not speak of TLS here: smtp_tls_loglevel = 1 makes it";
	if (sendmail.delivers && !sendmail.speaks)
		return "Sendmail does not speak of TLS here: LogLevel=9 makes it";
	return NULL;
}

bool
mail_log_speaks(const struct mail_log *log)
{
	return mail_postfix_speech(log->postfix).speaks ||
		mail_sendmail_speech(log->sendmail).speaks;
}

void
mail_log_assume_speaks(struct mail_log *log)
{
	log->spoke = true;
}

/* Splits what syslog writes before the text of a line, "Nov 26 12:00:00 host postfix/smtp[PID]: ",
 * from it. Before that tag are only some words without a colon behind them; whatever comes later
 * senders choose. */
static bool
take_tag(struct span whole, struct mail_line *out)
{
	out->text = whole;
	for (int words = 0; words < TAG_WORDS_MAX; words++) {
		struct span word = span_take_word(&out->text);

		if (word.len == 0 || word.at[word.len - 1] != ':')
			continue;
		/* The tag. */
		out->stamp = (struct span){whole.at, (size_t)(word.at - whole.at)};
		out->name = span_up_to(word, "[");
		out->pid = span_up_to(span_behind(word, "["), "]");
		for (size_t i = 0; i < out->pid.len; i++)
			if (!str_is_digit(out->pid.at[i]))
				return false;
		return out->pid.len > 0 &&
			out->pid.at + out->pid.len + strlen("]:") == word.at + word.len;
	}
	return false;
}

int
mail_log_line(struct mail_log *log, const char *text, size_t len, struct mail_delivery *out)
{
	struct span whole = {text, len};
	struct mail_line line;

	memset(out, 0, sizeof(*out));
	log->several = false;
	if (len > MAIL_LOG_LINE_MAX)
		return 0;
	if (mail_exim_is_own(whole))
		return mail_exim_line(log->exim, whole, out);
	if (!take_tag(whole, &line))
		return 0;
	/* "postfix-out/smtp": instances have names of their own. */
	if (span_ends(line.name, "/smtp"))
		return mail_postfix_smtp(log->postfix, &line, out);
	if (span_ends(line.name, "/qmgr"))
		return mail_postfix_qmgr(&line, out);
	if (span_begins(line.name, "exim"))
		return mail_exim_line(log->exim, line.text, out);
	/* "sm-mta", "sm-msp-queue": whatever sendmail's option -L says. */
	if (span_begins(line.name, "sm-") || span_begins(line.name, "sendmail")) {
		log->several = mail_sendmail_line(log->sendmail, &line, out) > 0;
		return log->several;
	}
	if (span_is(line.name, "smtpd") || span_is(line.name, "opensmtpd"))
		return mail_opensmtpd_line(log->opensmtpd, &line, out);
	return 0;
}

int
mail_log_more(struct mail_log *log, struct mail_delivery *out)
{
	return log->several ? mail_sendmail_more(log->sendmail, out) : 0;
}

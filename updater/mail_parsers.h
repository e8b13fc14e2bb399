/*
 * mail_parsers: what each mail server writes in its log, one file for each; for mail_log.
 *
 * They take lines one after another, as they stand in the log: of a connection is spoken before
 * what was delivered over it. Each returns 1 and fills out for a delivery, and 0 for every other
 * line.
 */
#ifndef UPDATER_MAIL_PARSERS_H
#define UPDATER_MAIL_PARSERS_H

#include <stdbool.h>

#include "common/attr.h"
#include "updater/mail_text.h"

/* A line as syslog and the journal have it: "Nov 26 12:00:00 host NAME[PID]: TEXT". */
struct mail_line {
	struct span stamp; /* what stands before the tag */
	struct span name, pid, text;
};

/* Whether a mail server was seen to deliver, and to speak of TLS; it may be told not to. */
struct mail_speech {
	bool delivers, speaks;
};

struct mail_postfix;
struct mail_postfix *mail_postfix_new(void) RETURNS_NONNULL;
void mail_postfix_free(struct mail_postfix *p);
/* A line of smtp(8). */
int mail_postfix_smtp(
	struct mail_postfix *p, const struct mail_line *line, struct mail_delivery *out);
/* A line of qmgr(8). */
int mail_postfix_qmgr(const struct mail_line *line, struct mail_delivery *out);
struct mail_speech mail_postfix_speech(const struct mail_postfix *p);

struct mail_exim;
struct mail_exim *mail_exim_new(void) RETURNS_NONNULL;
void mail_exim_free(struct mail_exim *e);
/* Whether it is a line of Exim's own main log, without a tag before it. */
bool mail_exim_is_own(struct span line);
/* Such a line, or the text behind a tag. */
int mail_exim_line(struct mail_exim *e, struct span line, struct mail_delivery *out);

struct mail_sendmail;
struct mail_sendmail *mail_sendmail_new(void) RETURNS_NONNULL;
void mail_sendmail_free(struct mail_sendmail *s);
int mail_sendmail_line(
	struct mail_sendmail *s, const struct mail_line *line, struct mail_delivery *out);
/* What happened to the next recipient of the last line that was a delivery, if there is one. */
int mail_sendmail_more(struct mail_sendmail *s, struct mail_delivery *out);
struct mail_speech mail_sendmail_speech(const struct mail_sendmail *s);

struct mail_opensmtpd;
struct mail_opensmtpd *mail_opensmtpd_new(void) RETURNS_NONNULL;
void mail_opensmtpd_free(struct mail_opensmtpd *o);
int mail_opensmtpd_line(
	struct mail_opensmtpd *o, const struct mail_line *line, struct mail_delivery *out);

#endif

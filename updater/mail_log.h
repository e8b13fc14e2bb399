/*
 * mail_log: what a mail server's log says of mail to other hosts: which domain, by which host, how.
 *
 *	log = mail_log_new();
 *	for each line:
 *		for (rc = mail_log_line(log, line, len, &d); rc > 0; rc = mail_log_more(log, &d))
 *			use(&d);
 *	mail_log_free(log);
 *
 * Reads lines of Postfix, Exim, Sendmail and OpenSMTPD (syslog, the journal, Exim's main log), mixed
 * if need be. The bytes are foreign: senders choose parts of them. Every other line is passed over.
 */
#ifndef UPDATER_MAIL_LOG_H
#define UPDATER_MAIL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail_log;

/* Octets of a line that are looked at; what is longer is passed over. */
#define MAIL_LOG_LINE_MAX ((size_t)64 * 1024)

enum mail_outcome {
	MAIL_SENT,
	MAIL_DEFERRED,
	MAIL_BOUNCED,
	/* The message was in the queue for too long, and goes back to its sender. Nothing was
	 * tried: of the rest only the id is said, and it means every recipient that still waited.
	 */
	MAIL_GIVEN_UP,
};

/* Why a message waits: what the mail server itself says, never its peer. */
enum mail_reason {
	MAIL_REASON_OTHER,       /* nothing to do with TLS */
	MAIL_REASON_NO_TLS,      /* STARTTLS not offered, or refused */
	MAIL_REASON_HANDSHAKE,   /* TLS began and failed */
	MAIL_REASON_CERTIFICATE, /* not trusted, or for another name */
	MAIL_REASON_DANE,        /* no secure or usable TLSA records */
	MAIL_REASON_OTHER_HOST,  /* DNS names no server that the entry names */
	MAIL_REASONS
};

/* Octets of a message's queue id that count; longer ones are cut. */
#define MAIL_ID_MAX 32

/* How the connection was protected, as far as the log says. */
enum mail_tls {
	MAIL_TLS_UNKNOWN,   /* the log does not speak of TLS at all, or the message went nowhere */
	MAIL_TLS_NONE,      /* in clear */
	MAIL_TLS_ENCRYPTED, /* TLS, but nobody checked with whom */
	/* The certificate is valid; whether for that server's name was checked, but is not said
	 * (Sendmail, if the list is in force), or was not. */
	MAIL_TLS_TRUSTED,
	MAIL_TLS_VERIFIED, /* the certificate was checked, or TLSA records */
	MAIL_TLS_COUNT
};

struct mail_delivery {
	char domain[254]; /* of the recipient, lower case; a valid domain name */
	/* The server that took or refused it, lower case; "" none, or the log does not say by which
	 * name (OpenSMTPD never does). */
	char host[254];
	char id[MAIL_ID_MAX]; /* of the message in the mail server's queue; foreign bytes */
	enum mail_outcome outcome;
	enum mail_reason reason; /* unless sent */
	enum mail_tls tls;
};

struct mail_log *mail_log_new(void);
/* 1 a delivery, 0 another line. */
int mail_log_line(struct mail_log *log, const char *line, size_t len, struct mail_delivery *out);
/* The next delivery that the line tells of, while it is still there: Sendmail has one line for
 * several recipients. 1, or 0 there is no further one. */
int mail_log_more(struct mail_log *log, struct mail_delivery *out);
/* Postfix or Sendmail was seen to deliver, and never to speak of TLS: then it was told not to, and
 * MAIL_TLS_NONE means nothing. Which, and how to change it; NULL: it speaks. */
const char *mail_log_silence(const struct mail_log *log);
/* Whether it was seen to speak of TLS; and for a reader that goes on where another has ended: that
 * one has seen it. */
bool mail_log_speaks(const struct mail_log *log);
void mail_log_assume_speaks(struct mail_log *log);
/* NULL is allowed. */
void mail_log_free(struct mail_log *log);

#endif

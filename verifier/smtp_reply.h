/*
 * smtp_reply: SMTP replies taken apart, and what a greeting, an EHLO reply and a STARTTLS reply
 *mean (rule book R4.4 to R4.13, R5.1 to R5.6).
 *
 *	struct smtp_reply reply;
 *	smtp_reply_init(&reply);
 *	each time octets have arrived (data: everything since the last reply, len octets):
 *		switch (smtp_reply_feed(&reply, data, len)) ...
 *
 * Pure. The caller keeps the octets; lines are offsets into them, so the buffer may move between
 *the calls. Octets seen once are not looked at again.
 */
#ifndef VERIFIER_SMTP_REPLY_H
#define VERIFIER_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "verifier/finding.h"

struct arena;

/* R4.9, CR LF counted. */
#define SMTP_LINE_WARN 512
#define SMTP_LINE_MAX  2048
#define SMTP_LINES_MAX 100

enum smtp_parse { SMTP_INCOMPLETE, SMTP_COMPLETE, SMTP_MALFORMED };

struct smtp_reply_line {
	size_t offset; /* of the text behind code and separator */
	size_t len;
};

struct smtp_reply {
	enum smtp_parse state;
	unsigned code;       /* of the first line; 0 before it is known */
	const char *problem; /* finding code when SMTP_MALFORMED, else NULL */
	size_t consumed;     /* octets of the reply when SMTP_COMPLETE */
	bool line_long;      /* warn smtp-reply-line-long */
	bool non_ascii;      /* warn smtp-reply-non-ascii */
	size_t line_count;
	struct smtp_reply_line lines[SMTP_LINES_MAX];

	/* private */
	size_t at; /* octets looked at */
	size_t line_start;
	unsigned line_code;
	bool line_last;
};

void smtp_reply_init(struct smtp_reply *reply);
/* data holds len octets from the beginning of the reply on; len never shrinks. Once complete or
 * malformed the state stays. */
enum smtp_parse smtp_reply_feed(struct smtp_reply *reply, const char *data, size_t len);

/* What an EHLO reply of code 250 offers (R4.12). */
struct smtp_ehlo {
	bool starttls;            /* R5.1 */
	bool starttls_parameters; /* something stands behind the keyword */
	bool masked_keyword;      /* R5.3: eight X-like characters */
	const char **keywords;    /* upper case, in order, in the arena; NULL when arena is */
	size_t keyword_count;
};

/* arena may be NULL: no list of keywords. */
void smtp_ehlo_parse(const struct smtp_reply *reply, const char *data, struct arena *arena,
	struct smtp_ehlo *out);
/* R5.3: the greeting is asterisks. */
bool smtp_greeting_is_masked(const struct smtp_reply *reply, const char *data);

enum smtp_verdict { SMTP_WAIT, SMTP_OK, SMTP_TEMP, SMTP_FAIL };

struct smtp_judgement {
	enum smtp_verdict verdict;
	const char *code; /* of the finding; NULL with SMTP_OK and SMTP_WAIT */
};

/* len: all octets received, so that whatever stands behind the reply is noticed (R4.10, R5.6). A
 * 421 there is the server's farewell, and temporary (R4.13). */
struct smtp_judgement smtp_judge_greeting(
	const struct smtp_reply *reply, const char *data, size_t len);
/* ehlo is NULL unless the reply is complete and 250; masked_greeting from the greeting. */
struct smtp_judgement smtp_judge_ehlo(const struct smtp_reply *reply, const char *data, size_t len,
	const struct smtp_ehlo *ehlo, bool masked_greeting);
/* Here nothing may stand behind: it could be anybody's. */
struct smtp_judgement smtp_judge_starttls(const struct smtp_reply *reply, size_t len);

/* Adds the finding of a judgement that is temp or fail, with the reply as seen, and the warnings of
 * the reply and of ehlo (may be NULL) whatever the judgement. subject: "mx.example.org[192.0.2.1]".
 */
void smtp_judgement_report(const struct smtp_judgement *judgement, const struct smtp_reply *reply,
	const char *data, size_t len, const struct smtp_ehlo *ehlo, const char *subject,
	struct finding_list *findings);

#endif

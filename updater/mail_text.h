/*
 * mail_text: parts of the lines of a mail log, for the modules that know what the mail servers
 * write.
 *
 * A span is lent: it lies in the line. Nothing here reads past its end.
 */
#ifndef UPDATER_MAIL_TEXT_H
#define UPDATER_MAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "updater/mail_log.h"

struct span {
	const char *at;
	size_t len;
};

/* Where text stands first; NULL: nowhere. */
const char *span_find(struct span s, const char *text);
/* What of s stands at p and behind it. */
struct span span_from(struct span s, const char *p);
/* What stands behind text; an empty span when text is not there. */
struct span span_behind(struct span s, const char *text);
/* The part before text, or all of it. */
struct span span_before(struct span s, const char *text);
/* The octets up to one of stops, of which there is one at least; or all. */
struct span span_up_to(struct span s, const char *stops);
bool span_begins(struct span s, const char *text);
bool span_ends(struct span s, const char *text);
bool span_is(struct span s, const char *text);

/* FNV-1a; never 0. */
uint64_t span_hash(struct span s);

/* Steps over text, if s begins with it. */
bool span_skip(struct span *s, const char *text);
/* Steps over one word and the blanks behind it, and hands it out; an empty span at the end. */
struct span span_take_word(struct span *s);
/* Steps over an address and hands it out: up to one of stops, but a local part in quotes may hold
 * anything. */
struct span span_take_address(struct span *s, const char *stops);

/* Copies a name, in lower case; what does not fit or is no domain name is "". */
void span_copy_name(struct span s, char out[static 254]);
/* The domain of an address; local parts may hold an "@" in quotes, so the last one counts. */
bool span_copy_domain(struct span address, char out[static 254]);
/* What is too long is cut. */
void span_copy_id(struct span s, char out[static MAIL_ID_MAX]);

#endif

/*
 * passphrase: where the pass phrase of a private key, or the PIN of its token, comes from.
 *
 * It is read when a key first asks for it and kept until passphrase_free() wipes it. It is never an
 * argument of the program, never logged, and nothing is ever read from standard input.
 */
#ifndef EXPORT_PASSPHRASE_H
#define EXPORT_PASSPHRASE_H

#include <stdbool.h>

#include <openssl/ui.h>

#include "common/attr.h"
#include "common/error.h"

struct passphrase;

/* Octets of a pass phrase. */
#define PASSPHRASE_MAX 1024

/* source: "file:PATH" (the first line of a file of mode 0600 and ours), "fd:N" (an open descriptor,
 * read to its end), "ask" or NULL: the terminal is asked. Anything else is ERROR_CONFIG. */
int passphrase_new(const char *source, struct passphrase **out, struct error *err) MUST_CHECK;
/* Wipes it. NULL is allowed. */
void passphrase_free(struct passphrase *p);

/* subject says what it is for when the terminal is asked. *out is lent until passphrase_free().
 * No terminal, or nothing there: ERROR_CONFIG. */
int passphrase_get(
	struct passphrase *p, const char *subject, const char **out, struct error *err) MUST_CHECK;
/* Whether it has been needed and had. */
bool passphrase_known(const struct passphrase *p);
/* For a new key: a terminal is asked twice. */
int passphrase_get_new(
	struct passphrase *p, const char *subject, const char **out, struct error *err) MUST_CHECK;

/* Who is asked when OpenSSL prompts, and why it got no answer: the user data of a UI whose method has
 * passphrase_on_prompt() as its reader. */
struct passphrase_asked {
	struct passphrase *from; /* NULL: nobody is to be asked */
	const char *subject;
	const char *what; /* "a PIN", for the message */
	struct error err;
};
int passphrase_on_prompt(UI *ui, UI_STRING *string);

#endif

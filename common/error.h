/*
 * error: why something failed, in the caller's own memory.
 *
 * What can fail for a reason outside the program returns -1 and fills the struct error given as its
 * last parameter. The bottom says what happened; each layer that knows the subject prefixes it once;
 * main() prints it once and maps the kind to the exit code.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include "common/attr.h"

enum error_kind {
	ERROR_NONE,
	ERROR_TEMP,     /* network, full disk, lock held: the same call may work later */
	ERROR_INPUT,    /* a document or argument from outside is not what it must be */
	ERROR_CONFIG,   /* usage or configuration */
	ERROR_SECURITY, /* bad signature, rollback, tampering */
	ERROR_EXPIRED,  /* what is installed has expired */
};

struct error {
	enum error_kind kind;
	char text[400]; /* one line without newline; longer texts are cut */
};

/* Sets kind and text (replacing what was there); foreign control bytes in the text become \xNN.
 * Returns -1, so that failing is one line: return error_set(err, ...). */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set(), with ": strerror(errno)" behind the text. ENOSPC, EDQUOT, EIO, EAGAIN, EMFILE,
 * ENFILE and ENOMEM are ERROR_TEMP whatever kind says. */
int error_set_errno(struct error *err, enum error_kind kind, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the text. Returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets ERROR_NONE and the empty text. */
void error_clear(struct error *err);

/* The exit code of design.md section 10: 0 none, 2 input/config, 3 temporary, 4 security, 5 expired. */
int error_exit_code(const struct error *err);

#endif

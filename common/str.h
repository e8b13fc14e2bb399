/*
 * str: ASCII text without the locale, and foreign bytes made fit to show.
 */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Classes of ASCII only; bytes above 127 belong to none. */
bool str_is_alpha(int c);
bool str_is_digit(int c);
bool str_is_alnum(int c);
bool str_is_upper(int c);
char str_lower(char c);
void str_lower_all(char *s);

/* ASCII case-insensitive comparison of two byte strings (NUL is an ordinary byte). */
bool str_ieq(const char *a, size_t a_len, const char *b, size_t b_len);
/* Whether text begins (ends) with the NUL-terminated prefix (suffix), case-sensitive. */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* Decimal digits only, no sign, no blank, whole text, at most max: returns 0, else -1. */
int str_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *out) MUST_CHECK;

/* Copies bytes into out[size] for people: control bytes, DEL and bytes above 127 that are not valid
 * UTF-8 become \xNN, the backslash becomes \\ ; a text that does not fit ends in "...". size >= 4. */
void str_escape(const char *bytes, size_t len, char *out, size_t size);
/* The same but leaves the backslash alone: for text that was escaped before. */
void str_escape_controls(const char *bytes, size_t len, char *out, size_t size);

/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool str_is_utf8(const char *bytes, size_t len);

/* Lower-case hexadecimal of len bytes into out[2 * len + 1]. */
void str_hex(const uint8_t *bytes, size_t len, char *out);
/* Reads exactly 2 * len hex digits; -1 when text is anything else. */
int str_unhex(const char *text, size_t text_len, uint8_t *out, size_t len) MUST_CHECK;

/* RFC 3986 section 2.1: every octet but letters, digits, "-._~" and those in keep becomes %XX with
 * upper-case digits. The caller frees it. */
char *str_percent_encode(const char *text, const char *keep) RETURNS_NONNULL;
/* The other way, of len bytes without NUL: %XX with digits of either case becomes its octet. What is not
 * of that form, and %00, stays as it is. The caller frees it. */
char *str_percent_decode(const char *text, size_t len) RETURNS_NONNULL;

/* qsort() and bsearch() comparison of char * elements by strcmp (octet order). */
int str_cmp_ptr(const void *a, const void *b);

#endif

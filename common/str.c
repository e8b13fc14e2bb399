#include "common/str.h"

#include <stdio.h>
#include <string.h>

#include "common/xalloc.h"

bool
str_is_alpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
str_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

bool
str_is_alnum(int c)
{
	return str_is_alpha(c) || str_is_digit(c);
}

bool
str_is_upper(int c)
{
	return c >= 'A' && c <= 'Z';
}

char
str_lower(char c)
{
	return str_is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

void
str_lower_all(char *s)
{
	for (; *s != '\0'; s++)
		*s = str_lower(*s);
}

bool
str_ieq(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++) {
		if (str_lower(a[i]) != str_lower(b[i]))
			return false;
	}
	return true;
}

bool
str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *text, const char *suffix)
{
	size_t text_len = strlen(text);
	size_t suffix_len = strlen(suffix);

	return text_len >= suffix_len && strcmp(text + text_len - suffix_len, suffix) == 0;
}

int
str_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit;

		if (!str_is_digit((unsigned char)text[i]))
			return -1;
		digit = (uint64_t)(text[i] - '0');
		if (value > (max - digit) / 10 && value * 10 + digit > max)
			return -1;
		if (value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	if (value > max)
		return -1;
	*out = value;
	return 0;
}

/* Length of the UTF-8 sequence that starts at s (RFC 3629 section 4), or 0 if there is none. */
static size_t
utf8_sequence(const unsigned char *s, size_t len)
{
	size_t n;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		n = 3;
		if (s[0] == 0xe0)
			low = 0xa0;
		if (s[0] == 0xed)
			high = 0x9f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		if (s[0] == 0xf0)
			low = 0x90;
		if (s[0] == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

bool
str_is_utf8(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;

	while (len > 0) {
		size_t n = utf8_sequence(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static void
escape(const char *bytes, size_t len, char *out, size_t size, bool backslash)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t used = 0;
	size_t cut = 0; /* the longest prefix of whole pieces that leaves room for "..." */

	for (size_t i = 0; i < len;) {
		char piece[5];
		size_t take = utf8_sequence(s + i, len - i);
		size_t n;

		/* C1 controls (U+0080 to U+009F) are terminal commands to some terminals. */
		if (take == 0 || s[i] < 0x20 || s[i] == 0x7f ||
			(take == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0)) {
			take = 1;
			n = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", s[i]);
		} else if (backslash && s[i] == '\\') {
			n = 2;
			memcpy(piece, "\\\\", 2);
		} else {
			n = take;
			memcpy(piece, s + i, take);
		}
		if (used + n + 1 > size) {
			memcpy(out + cut, "...", 3);
			used = cut + 3;
			break;
		}
		memcpy(out + used, piece, n);
		used += n;
		if (used + 4 <= size)
			cut = used;
		i += take;
	}
	out[used] = '\0';
}

void
str_escape(const char *bytes, size_t len, char *out, size_t size)
{
	escape(bytes, len, out, size, true);
}

void
str_escape_controls(const char *bytes, size_t len, char *out, size_t size)
{
	escape(bytes, len, out, size, false);
}

void
str_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower(c);
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
str_unhex(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	if (text_len != 2 * len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int
str_cmp_ptr(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
str_percent_encode(const char *text, const char *keep)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = xcalloc(3 * strlen(text) + 1, 1), *p = out;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (str_is_alnum(c) || strchr("-._~", c) != NULL || strchr(keep, c) != NULL) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = digits[c >> 4];
			*p++ = digits[c & 15];
		}
	}
	return out;
}

char *
str_percent_decode(const char *text, size_t len)
{
	char *out = xcalloc(len + 1, 1), *p = out;

	for (size_t i = 0; i < len; i++) {
		uint8_t octet;

		if (text[i] == '%' && len - i > 2 && str_unhex(text + i + 1, 2, &octet, 1) == 0 &&
			octet != 0) {
			*p++ = (char)octet;
			i += 2;
		} else {
			*p++ = text[i];
		}
	}
	return out;
}

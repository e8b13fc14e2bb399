#include "updater/mail_text.h"

#include <string.h>

#include "common/str.h"
#include "export/list.h"

const char *
span_find(struct span s, const char *text)
{
	return s.len == 0 ? NULL : memmem(s.at, s.len, text, strlen(text));
}

struct span
span_from(struct span s, const char *p)
{
	return (struct span){p, (size_t)(s.at + s.len - p)};
}

struct span
span_behind(struct span s, const char *text)
{
	const char *p = span_find(s, text);

	return p != NULL ? span_from(s, p + strlen(text)) : (struct span){s.at, 0};
}

struct span
span_before(struct span s, const char *text)
{
	const char *p = span_find(s, text);

	return p != NULL ? (struct span){s.at, (size_t)(p - s.at)} : s;
}

struct span
span_up_to(struct span s, const char *stops)
{
	const char *p = s.len > 0 && stops[1] == '\0' ? memchr(s.at, stops[0], s.len) : NULL;
	size_t n = 0;

	if (p != NULL)
		return (struct span){s.at, (size_t)(p - s.at)};
	if (stops[1] == '\0')
		return s;
	while (n < s.len && strchr(stops, s.at[n]) == NULL)
		n++;
	return (struct span){s.at, n};
}

bool
span_begins(struct span s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.at, text, strlen(text)) == 0;
}

bool
span_ends(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.at + s.len - len, text, len) == 0;
}

bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && span_begins(s, text);
}

uint64_t
span_hash(struct span s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.at[i]) * UINT64_C(1099511628211);
	return h != 0 ? h : 1;
}

bool
span_skip(struct span *s, const char *text)
{
	if (!span_begins(*s, text))
		return false;
	*s = span_from(*s, s->at + strlen(text));
	return true;
}

struct span
span_take_word(struct span *s)
{
	const char *blank = s->len > 0 ? memchr(s->at, ' ', s->len) : NULL;
	struct span word = {s->at, blank != NULL ? (size_t)(blank - s->at) : s->len};

	*s = span_from(*s, word.at + word.len);
	while (span_skip(s, " "))
		continue;
	return word;
}

struct span
span_take_address(struct span *s, const char *stops)
{
	size_t n = 0;

	if (span_begins(*s, "\"")) {
		for (n = 1; n < s->len && s->at[n] != '"'; n++)
			n += s->at[n] == '\\';
		n = n < s->len ? n + 1 : s->len;
	}
	n += span_up_to(span_from(*s, s->at + n), stops).len;
	*s = span_from(*s, s->at + n);
	return (struct span){s->at - n, n};
}

void
span_copy_name(struct span s, char out[static 254])
{
	while (s.len > 0 && s.at[s.len - 1] == '.')
		s.len--;
	out[0] = '\0';
	if (s.len == 0 || s.len > 253)
		return;
	memcpy(out, s.at, s.len);
	out[s.len] = '\0';
	str_lower_all(out);
	if (strlen(out) != s.len || !list_domain_valid(out, s.len))
		out[0] = '\0';
}

bool
span_copy_domain(struct span address, char out[static 254])
{
	const char *at = address.len > 0 ? memrchr(address.at, '@', address.len) : NULL;

	if (at == NULL)
		return false;
	span_copy_name(span_from(address, at + 1), out);
	return out[0] != '\0';
}

void
span_copy_id(struct span s, char out[static MAIL_ID_MAX])
{
	size_t len = s.len < MAIL_ID_MAX ? s.len : MAIL_ID_MAX - 1;

	memcpy(out, s.at, len);
	out[len] = '\0';
}

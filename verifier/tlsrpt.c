#include "verifier/tlsrpt.h"

#include <string.h>

#include "common/arena.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/string_list.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- URIs ---------------------------------------------------------------------------------------
 */

/* Length of the scheme in front of ":", or 0 (RFC 3986 section 3.1). */
static size_t
scheme_len(const char *uri, size_t len)
{
	size_t n = 0;

	if (len == 0 || !str_is_alpha((unsigned char)uri[0]))
		return 0;
	while (n < len &&
		(str_is_alnum((unsigned char)uri[n]) || uri[n] == '+' || uri[n] == '-' ||
			uri[n] == '.'))
		n++;
	return n < len && uri[n] == ':' ? n : 0;
}

static bool
is_hex(char c)
{
	c = str_lower(c);
	return str_is_digit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

bool
tlsrpt_uri_is_valid(const char *uri, size_t len)
{
	/* unreserved, gen-delims and sub-delims that are no letters or digits, without ",!;" which
	 * RFC 8460 section 3 reserves, and without "[]", which stand around an IPv6 host only. */
	static const char others[] = "-._~:/?#@$&'()*+=";
	size_t scheme = scheme_len(uri, len);
	bool fragment = false;

	if (scheme == 0 || scheme + 1 == len)
		return false;
	for (size_t i = scheme + 1; i < len; i++) {
		char c = uri[i];

		if (c == '%') {
			if (len - i < 3 || !is_hex(uri[i + 1]) || !is_hex(uri[i + 2]))
				return false;
			i += 2;
		} else if (c == '[' || c == ']') {
			/* https://[2001:db8::1]/ */
			if (i < scheme + 3 || memcmp(uri + scheme + 1, "//", 2) != 0 ||
				memchr(uri + scheme + 3, '/', i - scheme - 3) != NULL)
				return false;
		} else if (c == '#') {
			if (fragment)
				return false;
			fragment = true;
		} else if (c == '\0' ||
			(!str_is_alnum((unsigned char)c) && strchr(others, c) == NULL)) {
			return false;
		}
	}
	return true;
}

/* The address behind "mailto:" ends at *end: one "@", a local part of visible ASCII also when
 * percent-decoded, so that it can stand in an SMTP command, and a domain. */
static bool
has_one_address(const char *uri, size_t len, size_t *end)
{
	static const char mailto[] = "mailto:";
	const size_t start = sizeof(mailto) - 1;
	const char *at;
	const char *query;

	if (len <= start || !str_ieq(uri, start, mailto, start))
		return false;
	query = memchr(uri, '?', len);
	*end = query != NULL ? (size_t)(query - uri) : len;
	at = memchr(uri, '@', *end);
	if (at == NULL || at == uri + start)
		return false;
	for (const char *s = uri + start; s < at; s++) {
		uint8_t octet;

		if (*s == '/' || *s == ':' || *s == '#')
			return false;
		if (*s != '%')
			continue;
		if (str_unhex(s + 1, 2, &octet, 1) < 0 || octet <= ' ' || octet >= 0x7f ||
			octet == '@' || octet == '<' || octet == '>' || octet == ',')
			return false;
	}
	return domain_name_is_ldh(at + 1, (size_t)(uri + *end - at - 1));
}

bool
tlsrpt_uri_is_mailto(const char *uri, size_t len)
{
	size_t end;

	return has_one_address(uri, len, &end) && end == len;
}

/* R16.6 */
static bool
is_usable(const char *uri, size_t len)
{
	static const char https[] = "https://";
	const size_t start = sizeof(https) - 1;
	size_t end;

	if (has_one_address(uri, len, &end))
		return true;
	if (len <= start || !str_ieq(uri, start, https, start))
		return false;
	for (end = start; end < len && strchr("/?#", uri[end]) == NULL; end++) {
		if (uri[end] == '@') /* nobody gives a password in public DNS */
			return false;
	}
	return end > start && uri[start] != ':';
}

/* --- the record ---------------------------------------------------------------------------------
 */

struct record_parse {
	struct tlsrpt_record *out;
	struct finding_list *findings;
	const char *owner;
	size_t rua_fields;
};

/* A record that would do, for the domain of the owner name, where that is known: with the address
 * that is there, else with one that every mail domain has (RFC 5321 section 4.5.1). */
static const char *
advice(const struct record_parse *p, const char *code)
{
	static const char prefix[] = "_smtp._tls.";
	struct arena *arena = p->findings->arena;
	const char *uri = p->out->usable_count > 0 ? p->out->usable[0] : NULL;

	if (!str_starts(p->owner, prefix))
		return NULL;
	if (uri == NULL)
		uri = arena_printf(arena, "mailto:postmaster@%s", p->owner + strlen(prefix));
	return arena_printf(arena, "%s A record that would do:\n%s", finding_find(code)->fix,
		txt_publish_line(arena, p->owner, arena_printf(arena, "v=TLSRPTv1; rua=%s", uri)));
}

#define RECORD_BROKEN(p, broken, fix, ...) \
	do { \
		const char *code_ = (broken), *fix_ = (fix); \
		finding_add_usual((p)->findings, code_, (p)->owner, \
			fix_ != NULL ? fix_ : advice((p), code_), __VA_ARGS__); \
		if ((p)->out->code == NULL) \
			(p)->out->code = code_; \
	} while (0)

static void
take_uri(struct record_parse *p, const char *uri, size_t len)
{
	struct arena *arena = p->findings->arena;
	struct tlsrpt_record *out = p->out;

	if (!tlsrpt_uri_is_valid(uri, len)) {
		const char *fix = NULL;
		const char *at = memchr(uri, '@', len);

		/* The common slip: a bare address. */
		if (at != NULL && at > uri && memchr(uri, ':', len) == NULL &&
			txt_value_ok(uri, len) &&
			domain_name_is_ldh(at + 1, (size_t)(uri + len - at - 1)))
			fix = arena_printf(arena, "Write mailto: in front of the address:\n%s",
				txt_publish_line(arena, p->owner,
					arena_printf(arena, "v=TLSRPTv1; rua=mailto:%s",
						finding_quote(arena, uri, len))));
		RECORD_BROKEN(p, "tlsrpt-rua-syntax", fix, "\"%s\" is no URI",
			finding_quote(arena, uri, len));
		return;
	}
	string_list_add(arena, &out->rua, &out->rua_count, uri, len);
	if (!is_usable(uri, len))
		return;
	string_list_add(arena, &out->usable, &out->usable_count, uri, len);
	if (out->mailto == NULL && tlsrpt_uri_is_mailto(uri, len))
		out->mailto = out->usable[out->usable_count - 1];
}

/* URIs divided by "," with blanks around it. */
static void
take_rua(struct record_parse *p, const char *value, size_t len)
{
	const char *end = value + len;

	p->rua_fields++;
	for (;;) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		const char *stop = comma != NULL ? comma : end;

		while (comma != NULL && stop > value && is_blank(stop[-1]))
			stop--;
		take_uri(p, value, (size_t)(stop - value));
		if (comma == NULL)
			return;
		for (value = comma + 1; value < end && is_blank(*value); value++)
			;
	}
}

static void
take_fields(struct record_parse *p, struct txt_cursor *cursor)
{
	struct arena *arena = p->findings->arena;
	struct txt_field field;
	int rc;

	while ((rc = txt_next(cursor, &field)) != 0) {
		if (rc < 0) {
			RECORD_BROKEN(p, "tlsrpt-record-syntax", NULL,
				"the field \"%s\" is malformed",
				finding_quote(arena, field.value, field.value_len));
		} else if (txt_field_is(&field, "rua")) {
			take_rua(p, field.value, field.value_len);
		} else if (!txt_value_ok(field.value, field.value_len)) {
			RECORD_BROKEN(p, "tlsrpt-record-syntax", NULL,
				"the value of the field %s is empty or holds a character that it "
				"may not",
				finding_quote(arena, field.name, field.name_len));
		} else {
			txt_extension_add(arena, &p->out->extensions, &p->out->extension_count,
				field.name, field.name_len, field.value, field.value_len);
		}
	}
	if (p->rua_fields == 0)
		RECORD_BROKEN(p, "tlsrpt-rua-missing", NULL, "the record has no rua");
}

void
tlsrpt_record_parse(const char *text, size_t len, const char *owner, struct finding_list *findings,
	struct tlsrpt_record *out)
{
	struct record_parse p = {.out = out, .findings = findings, .owner = owner};
	struct txt_cursor cursor;

	*out = (struct tlsrpt_record){.outcome = TXT_OTHER};
	switch (txt_version(&txt_kind_tlsrpt, text, len)) {
	case TXT_VERSION_OTHER:
		RECORD_BROKEN(&p, "tlsrpt-record-missing", NULL, "\"%s\" is no TLSRPT record",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_NEAR:
		RECORD_BROKEN(&p, "tlsrpt-record-version", NULL,
			"\"%s\" does not begin with v=TLSRPTv1;",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_EXACT:
		break;
	}
	txt_begin(&cursor, &txt_kind_tlsrpt, text, len);
	if (cursor.space_before_semicolon)
		finding_add_usual(findings, "tlsrpt-record-space-before-semicolon", owner,
			advice(&p, "tlsrpt-record-space-before-semicolon"),
			"a blank stands between v=TLSRPTv1 and the semicolon");
	take_fields(&p, &cursor);
	if (p.rua_fields > 1)
		finding_add_usual(findings, "tlsrpt-rua-repeated", owner,
			advice(&p, "tlsrpt-rua-repeated"), "there are %zu rua fields",
			p.rua_fields);
	if (out->code != NULL) {
		*out = (struct tlsrpt_record){.outcome = TXT_INVALID, .code = out->code};
		return;
	}
	out->outcome = TXT_VALID;
	if (out->usable_count == 0)
		finding_add_usual(findings, "tlsrpt-no-usable-uri", owner,
			advice(&p, "tlsrpt-no-usable-uri"),
			"no URI is a mailto: with one address or an https: with a host");
}

void
tlsrpt_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct tlsrpt_record *out)
{
	struct record_parse p = {.out = out, .findings = findings, .owner = owner};
	struct txt_selection selection;

	txt_select(&txt_kind_tlsrpt, texts, count, &selection);
	if (selection.count == 1 || (selection.count == 0 && selection.near_miss)) {
		const struct txt_text *chosen =
			&texts[selection.count == 1 ? selection.index : selection.near_index];

		tlsrpt_record_parse(chosen->text, chosen->len, owner, findings, out);
		if (selection.count == 0)
			out->outcome = TXT_NONE;
		return;
	}
	*out = (struct tlsrpt_record){.outcome = TXT_NONE};
	if (selection.count > 1) {
		out->outcome = TXT_MULTIPLE;
		RECORD_BROKEN(&p, "tlsrpt-record-multiple", NULL,
			"there are %zu TLSRPT records, so senders report to nobody",
			selection.count);
	} else if (count == 0) {
		RECORD_BROKEN(&p, "tlsrpt-record-missing", NULL,
			"there is no TXT record: nobody reports failures to you");
	} else {
		RECORD_BROKEN(&p, "tlsrpt-record-missing", NULL,
			"of the TXT records none is for TLSRPT; the first is \"%s\"",
			finding_quote(findings->arena, texts[0].text, texts[0].len));
	}
}

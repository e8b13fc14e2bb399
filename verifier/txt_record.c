#include "verifier/txt_record.h"

#include <assert.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"

const struct txt_kind txt_kind_mta_sts = {.version = "v=STSv1", .near = "v=sts"};
const struct txt_kind txt_kind_tlsrpt = {.version = "v=TLSRPTv1", .near = "v=tls"};
const struct txt_kind txt_kind_preload = {.version = "v=PRELOAD25v1", .near = "v=preload"};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
has_version(const struct txt_kind *kind, const char *text, size_t len)
{
	size_t n = strlen(kind->version);

	return len >= n && memcmp(text, kind->version, n) == 0;
}

/* The version with ";" directly behind it, as the prose about several records wants (R8.5). */
static bool
has_version_and_semicolon(const struct txt_kind *kind, const char *text, size_t len)
{
	size_t n = strlen(kind->version);

	return has_version(kind, text, len) && len > n && text[n] == ';';
}

enum txt_version
txt_version(const struct txt_kind *kind, const char *text, size_t len)
{
	size_t near_len = strlen(kind->near);
	size_t i;

	if (has_version(kind, text, len)) {
		for (i = strlen(kind->version); i < len && is_blank(text[i]); i++)
			;
		if (i == len || text[i] == ';')
			return TXT_VERSION_EXACT;
	}
	for (i = 0; i < len && (is_blank(text[i]) || text[i] == '"' || text[i] == '\''); i++)
		;
	if (len - i >= near_len && str_ieq(text + i, near_len, kind->near, near_len))
		return TXT_VERSION_NEAR;
	return TXT_VERSION_OTHER;
}

void
txt_begin(struct txt_cursor *c, const struct txt_kind *kind, const char *text, size_t len)
{
	const char *at = text + strlen(kind->version);
	const char *end = text + len;

	assert(has_version(kind, text, len));
	*c = (struct txt_cursor){.at = at, .end = end};
	for (; at < end && is_blank(*at); at++)
		;
	c->space_before_semicolon = at > c->at && at < end;
	c->at = at;
}

bool
txt_name_ok(const char *name, size_t len)
{
	if (len < 1 || len > TXT_NAME_MAX || !str_is_alnum((unsigned char)name[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!str_is_alnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-' &&
			name[i] != '.')
			return false;
	}
	return true;
}

int
txt_next(struct txt_cursor *c, struct txt_field *field)
{
	const char *begin;
	const char *stop;
	const char *equals;

	*field = (struct txt_field){0};
	if (c->at == c->end)
		return 0;
	assert(*c->at == ';');
	for (begin = c->at + 1; begin < c->end && is_blank(*begin); begin++)
		;
	if (begin == c->end) { /* the final semicolon, with blanks behind it */
		c->at = c->end;
		return 0;
	}
	stop = memchr(begin, ';', (size_t)(c->end - begin));
	c->at = stop != NULL ? stop : c->end;
	if (stop == NULL) {
		stop = c->end;
	} else {
		/* Blanks are legal before a semicolon, not at the end of the record. */
		for (; stop > begin && is_blank(stop[-1]); stop--)
			;
	}
	field->value = begin;
	field->value_len = (size_t)(stop - begin);
	if (++c->count > TXT_FIELDS_MAX) {
		c->at = c->end;
		return -1;
	}
	equals = memchr(begin, '=', (size_t)(stop - begin));
	if (equals == NULL || !txt_name_ok(begin, (size_t)(equals - begin)) ||
		(equals + 1 < stop && is_blank(equals[1])))
		return -1;
	field->name = begin;
	field->name_len = (size_t)(equals - begin);
	field->value = equals + 1;
	field->value_len = (size_t)(stop - field->value);
	return 1;
}

bool
txt_same_name(const struct txt_field *a, const struct txt_field *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

bool
txt_field_is(const struct txt_field *field, const char *name)
{
	return field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0;
}

bool
txt_value_ok(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (value[i] <= ' ' || value[i] >= 0x7f || value[i] == '=' || value[i] == ';')
			return false;
	}
	return len > 0;
}

void
txt_select(const struct txt_kind *kind, const struct txt_text *texts, size_t count,
	struct txt_selection *out)
{
	*out = (struct txt_selection){0};
	for (size_t i = 0; i < count; i++) {
		enum txt_version version = txt_version(kind, texts[i].text, texts[i].len);

		if (version == TXT_VERSION_EXACT &&
			(count == 1 ||
				has_version_and_semicolon(kind, texts[i].text, texts[i].len))) {
			if (out->count++ == 0)
				out->index = i;
		} else if (version == TXT_VERSION_EXACT) {
			out->ambiguous = true;
		} else if (version == TXT_VERSION_NEAR && !out->near_miss) {
			out->near_miss = true;
			out->near_index = i;
		}
	}
}

void
txt_extension_add(struct arena *arena, struct txt_extension **items, size_t *count,
	const char *name, size_t name_len, const char *value, size_t value_len)
{
	/* Full at 0 and at each power of two: the size need not be kept. */
	if ((*count & (*count - 1)) == 0) {
		struct txt_extension *grown =
			arena_calloc(arena, *count > 0 ? 2 * *count : 1, sizeof(*grown));

		if (*count > 0)
			memcpy(grown, *items, *count * sizeof(*grown));
		*items = grown;
	}
	(*items)[*count].name = arena_strndup(arena, name, name_len);
	(*items)[*count].value = arena_strndup(arena, value, value_len);
	(*count)++;
}

const char *
txt_publish_line(struct arena *arena, const char *owner, const char *text)
{
	if (strchr(owner, '.') == NULL)
		return arena_printf(arena, "\"%s\"", text);
	return arena_printf(arena, "%s. IN TXT \"%s\"", owner, text);
}

int
txt_from_wire(const uint8_t *rdata, size_t len, struct arena *arena, struct txt_text *out)
{
	char *joined = arena_calloc(arena, len + 1, 1);
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t n = rdata[i];

		if (n > len - i - 1)
			return -1;
		memcpy(joined + used, rdata + i + 1, n);
		used += n;
		i += n + 1;
	}
	*out = (struct txt_text){.text = joined, .len = used};
	return 0;
}

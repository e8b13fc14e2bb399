#include "verifier/preload_record.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/mta_sts.h"
#include "verifier/string_list.h"
#include "verifier/tlsrpt.h"


struct record_parse {
	struct preload_record *out;
	struct finding_list *findings;
	const char *owner;
	bool have_mode;
	bool says_none;
};

#define RECORD_BROKEN(p, broken, fix, ...) \
	do { \
		const char *code_ = (broken); \
		finding_add_usual((p)->findings, code_, (p)->owner, fix, __VA_ARGS__); \
		if ((p)->out->code == NULL) \
			(p)->out->code = code_; \
	} while (0)

static const char *
value_quote(const struct record_parse *p, const struct txt_field *field)
{
	return finding_quote(p->findings->arena, field->value, field->value_len);
}

static bool
value_is(const struct txt_field *field, const char *word)
{
	return field->value_len == strlen(word) &&
		memcmp(field->value, word, field->value_len) == 0;
}

static void
take_mode(struct record_parse *p, const struct txt_field *field)
{
	if (value_is(field, "enforce"))
		p->out->mode = POLICY_MODE_ENFORCE;
	else if (value_is(field, "testing"))
		p->out->mode = POLICY_MODE_TESTING;
	else if (value_is(field, "none"))
		p->out->mode = POLICY_MODE_NONE;
	else
		RECORD_BROKEN(p, "preload-mode", NULL, "the mode is \"%s\"", value_quote(p, field));
}

static void
take_max_age(struct record_parse *p, const struct txt_field *field)
{
	uint64_t seconds;

	if (field->value_len > 10 ||
		str_parse_u64(field->value, field->value_len, PRELOAD_MAX_AGE_MAX, &seconds) < 0 ||
		seconds < PRELOAD_MAX_AGE_MIN)
		RECORD_BROKEN(
			p, "preload-max-age", NULL, "the max_age is \"%s\"", value_quote(p, field));
	else
		p->out->max_age_s = (int64_t)seconds;
}

static void
take_mx(struct record_parse *p, const struct txt_field *field)
{
	struct arena *arena = p->findings->arena;
	char *pattern = arena_strndup(arena, field->value, field->value_len);

	str_lower_all(pattern);
	if (!mta_sts_pattern_is_valid(field->value, field->value_len) ||
		domain_name_reads_as_ip(pattern, field->value_len) ||
		mta_sts_pattern_is_too_wide(pattern))
		RECORD_BROKEN(p, "preload-mx-syntax", NULL, "mx is \"%s\"", value_quote(p, field));
	else
		string_list_add(arena, &p->out->mx, &p->out->mx_count, pattern, field->value_len);
}

static void
take_contact(struct record_parse *p, const struct txt_field *field)
{
	if (tlsrpt_uri_is_valid(field->value, field->value_len) &&
		tlsrpt_uri_is_mailto(field->value, field->value_len))
		p->out->contact = arena_strndup(p->findings->arena, field->value, field->value_len);
	else
		finding_add_usual(p->findings, "preload-contact", p->owner, NULL,
			"the contact is \"%s\"", value_quote(p, field));
}

static void
take_until(struct record_parse *p, const struct txt_field *field)
{
	const char *v = field->value;
	const char *text;
	int64_t day_s;

	if (field->value_len == 8) {
		text = arena_printf(
			p->findings->arena, "%.4s-%.2s-%.2sT00:00:00Z", v, v + 4, v + 6);
		if (clock_parse(text, strlen(text), &day_s) == 0) {
			p->out->until_s = day_s + CLOCK_DAY_S;
			return;
		}
	}
	RECORD_BROKEN(p, "preload-until", NULL, "until is \"%s\"", value_quote(p, field));
}

static const struct preload_field {
	const char *name;
	void (*take)(struct record_parse *p, const struct txt_field *field);
	bool repeats;
} preload_fields[] = {
	{"mode", take_mode, false},
	{"max_age", take_max_age, false},
	{"mx", take_mx, true},
	{"contact", take_contact, false},
	{"until", take_until, false},
};

static void
take_field(struct record_parse *p, const struct txt_field *field, bool repeated)
{
	struct arena *arena = p->findings->arena;
	const struct preload_field *known = NULL;

	for (size_t i = 0; i < ARRAY_LEN(preload_fields); i++) {
		if (txt_field_is(field, preload_fields[i].name))
			known = &preload_fields[i];
	}
	if (txt_field_is(field, "mode")) {
		p->have_mode = true;
		p->says_none = p->says_none || value_is(field, "none");
	}
	if (!txt_value_ok(field->value, field->value_len)) {
		RECORD_BROKEN(p, "preload-record-syntax", NULL,
			"the value of the field %s is empty or holds a character that it may not",
			finding_quote(arena, field->name, field->name_len));
	} else if (repeated && (known == NULL || !known->repeats)) {
		RECORD_BROKEN(p, "preload-record-duplicate-field", NULL,
			"the field %s stands twice",
			finding_quote(arena, field->name, field->name_len));
	} else if (known != NULL) {
		known->take(p, field);
	} else {
		txt_extension_add(arena, &p->out->extensions, &p->out->extension_count, field->name,
			field->name_len, field->value, field->value_len);
	}
}

static void
take_fields(struct record_parse *p, const char *text, size_t len)
{
	struct txt_field seen[TXT_FIELDS_MAX + 1];
	struct txt_cursor cursor;
	struct txt_field field;
	size_t seen_count = 1;
	int rc;

	/* The version is a field that has been seen. */
	seen[0] = (struct txt_field){.name = "v", .name_len = 1};
	txt_begin(&cursor, &txt_kind_preload, text, len);
	while ((rc = txt_next(&cursor, &field)) != 0) {
		bool repeated = false;

		if (rc < 0) {
			RECORD_BROKEN(p, "preload-record-syntax", NULL,
				"the field \"%s\" is malformed", value_quote(p, &field));
			continue;
		}
		for (size_t i = 0; i < seen_count && !repeated; i++)
			repeated = txt_same_name(&field, &seen[i]);
		seen[seen_count++] = field;
		take_field(p, &field, repeated);
	}
	if (!p->have_mode)
		RECORD_BROKEN(p, "preload-mode-missing", NULL, "the record has no mode");
}

void
preload_record_parse(const char *text, size_t len, const char *owner, struct finding_list *findings,
	struct preload_record *out)
{
	struct record_parse p = {.out = out, .findings = findings, .owner = owner};

	*out = (struct preload_record){.outcome = TXT_OTHER};
	switch (txt_version(&txt_kind_preload, text, len)) {
	case TXT_VERSION_OTHER:
		RECORD_BROKEN(&p, "preload-record-missing", NULL, "\"%s\" is no opt-in record",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_NEAR:
		RECORD_BROKEN(&p, "preload-record-version", NULL,
			"\"%s\" does not begin with v=PRELOAD25v1;",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_EXACT:
		break;
	}
	out->max_age_s = PRELOAD_MAX_AGE_DEFAULT;
	take_fields(&p, text, len);
	if (out->code == NULL)
		out->outcome = TXT_VALID;
	else
		*out = (struct preload_record){.outcome = TXT_INVALID, .code = out->code};
	if (p.says_none)
		out->mode = POLICY_MODE_NONE;
}

/* Whether one of several records says mode=none; what else is wrong with it has been said by the
 * finding that there are several. */
static bool
says_none(const struct txt_text *t, struct arena *arena)
{
	struct preload_record record;
	struct finding_list unheard;

	if (txt_version(&txt_kind_preload, t->text, t->len) != TXT_VERSION_EXACT)
		return false;
	finding_list_init(&unheard, arena);
	preload_record_parse(t->text, t->len, "", &unheard, &record);
	return record.mode == POLICY_MODE_NONE;
}

void
preload_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct preload_record *out)
{
	struct record_parse p = {.out = out, .findings = findings, .owner = owner};
	struct txt_selection selection;

	txt_select(&txt_kind_preload, texts, count, &selection);
	if (selection.count == 1 || (selection.count == 0 && selection.near_miss)) {
		const struct txt_text *chosen =
			&texts[selection.count == 1 ? selection.index : selection.near_index];

		preload_record_parse(chosen->text, chosen->len, owner, findings, out);
		if (selection.count == 0)
			out->outcome = TXT_NONE;
	} else {
		*out = (struct preload_record){.outcome = TXT_NONE};
		if (selection.count > 1) {
			out->outcome = TXT_MULTIPLE;
			RECORD_BROKEN(&p, "preload-record-multiple", NULL,
				"there are %zu opt-in records, so none counts", selection.count);
		} else {
			RECORD_BROKEN(
				&p, "preload-record-missing", NULL, "there is no opt-in record");
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (says_none(&texts[i], findings->arena))
			out->mode = POLICY_MODE_NONE;
	}
}

bool
preload_record_has_expired(const struct preload_record *record, int64_t now_s)
{
	return record->until_s > 0 && now_s >= record->until_s;
}

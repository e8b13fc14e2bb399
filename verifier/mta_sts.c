#include "verifier/mta_sts.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/str.h"
#include "verifier/domain_name.h"
#include "verifier/string_list.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
all_alnum(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!str_is_alnum((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* --- the record --------------------------------------------------------------------------------
 */

/* A record that would pass, with an id made from the letters and digits behind "id=" in the text.
 */
static const char *
sample_record(const char *text, size_t len, const char *owner, struct arena *arena)
{
	char id[MTA_STS_ID_MAX + 1];
	size_t used = 0;
	const char *at = memmem(text, len, "id=", 3);

	for (at = at != NULL ? at + 3 : text + len;
		at < text + len && *at != ';' && used < MTA_STS_ID_MAX; at++) {
		if (str_is_alnum((unsigned char)*at))
			id[used++] = *at;
	}
	id[used] = '\0';
	return txt_publish_line(
		arena, owner, arena_printf(arena, "v=STSv1; id=%s;", used > 0 ? id : "1"));
}

/* One record on its way through the rules. */
struct record_parse {
	struct mta_sts_record *out;
	struct finding_list *findings;
	const char *owner;
	const char *sample;
};

/* Adds a finding that makes the record worth nothing. */
#define RECORD_BROKEN(p, broken, ...) \
	do { \
		const char *code_ = (broken); \
		finding_add_usual((p)->findings, code_, (p)->owner, \
			arena_printf((p)->findings->arena, "%s A record that would do:\n%s", \
				finding_find(code_)->fix, (p)->sample), \
			__VA_ARGS__); \
		if ((p)->out->code == NULL) \
			(p)->out->code = code_; \
	} while (0)

static bool
id_ok(const char *value, size_t len)
{
	return len >= 1 && len <= MTA_STS_ID_MAX && all_alnum(value, len);
}

static void
record_id(struct record_parse *p, const struct txt_field *field)
{
	struct arena *arena = p->findings->arena;

	if (id_ok(field->value, field->value_len))
		p->out->id = arena_strndup(arena, field->value, field->value_len);
	else if (field->value_len > 0 && is_blank(field->value[field->value_len - 1]))
		RECORD_BROKEN(
			p, "mta-sts-record-syntax", "there are blanks at the end of the record");
	else
		RECORD_BROKEN(p, "mta-sts-id-invalid",
			"the id \"%s\" is not 1 to 32 letters and digits",
			finding_quote(arena, field->value, field->value_len));
}

static void
record_fields(struct record_parse *p, struct txt_cursor *cursor)
{
	struct txt_field seen[TXT_FIELDS_MAX];
	struct txt_field field;
	struct arena *arena = p->findings->arena;
	bool have_id = false;
	size_t seen_count = 0;
	int rc;

	while ((rc = txt_next(cursor, &field)) != 0) {
		bool repeated = false;

		if (rc < 0) {
			RECORD_BROKEN(p, "mta-sts-record-syntax", "the field \"%s\" is malformed",
				finding_quote(arena, field.value, field.value_len));
			continue;
		}
		for (size_t i = 0; i < seen_count && !repeated; i++)
			repeated = txt_same_name(&field, &seen[i]);
		seen[seen_count++] = field;
		if (txt_field_is(&field, "id") && !repeated) {
			have_id = true;
			record_id(p, &field);
			continue;
		}
		if (!txt_value_ok(field.value, field.value_len)) {
			RECORD_BROKEN(p, "mta-sts-record-syntax",
				"the value of the field %s is empty or holds a character that it "
				"may not",
				finding_quote(arena, field.name, field.name_len));
			continue;
		}
		/* The version is a field that has been seen. */
		if (repeated || txt_field_is(&field, "v"))
			finding_add_usual(p->findings, "mta-sts-record-duplicate-field", p->owner,
				NULL, "the field %s stands twice; the first one counts",
				finding_quote(arena, field.name, field.name_len));
		if (!repeated)
			txt_extension_add(arena, &p->out->extensions, &p->out->extension_count,
				field.name, field.name_len, field.value, field.value_len);
	}
	if (!have_id)
		RECORD_BROKEN(p, "mta-sts-id-missing", "the record has no id");
}

void
mta_sts_record_parse(const char *text, size_t len, const char *owner, struct finding_list *findings,
	struct mta_sts_record *out)
{
	struct record_parse p = {.out = out, .findings = findings, .owner = owner};
	struct txt_cursor cursor;

	*out = (struct mta_sts_record){.outcome = TXT_INVALID};
	p.sample = sample_record(text, len, owner, findings->arena);
	switch (txt_version(&txt_kind_mta_sts, text, len)) {
	case TXT_VERSION_OTHER:
		out->outcome = TXT_OTHER;
		out->code = "mta-sts-record-missing";
		finding_add_usual(findings, out->code, owner, NULL, "\"%s\" is no MTA-STS record",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_NEAR:
		out->outcome = TXT_OTHER;
		RECORD_BROKEN(&p, "mta-sts-record-version", "\"%s\" does not begin with v=STSv1;",
			finding_quote(findings->arena, text, len));
		return;
	case TXT_VERSION_EXACT:
		break;
	}
	txt_begin(&cursor, &txt_kind_mta_sts, text, len);
	if (cursor.space_before_semicolon)
		finding_add_usual(findings, "mta-sts-record-space-before-semicolon", owner, NULL,
			"a blank stands between v=STSv1 and the semicolon");
	record_fields(&p, &cursor);
	if (out->code == NULL)
		out->outcome = TXT_VALID;
	else
		out->id = NULL;
}

const char *
mta_sts_sample_record(const char *owner, int64_t time_s, struct arena *arena)
{
	char time[CLOCK_TEXT_SIZE], id[CLOCK_TEXT_SIZE];
	size_t n = 0;

	/* Of which an id takes letters and digits. */
	clock_format(time_s, time);
	for (size_t i = 0; time[i] != '\0'; i++) {
		if (str_is_digit((unsigned char)time[i]))
			id[n++] = time[i];
	}
	id[n] = '\0';
	return txt_publish_line(arena, owner, arena_printf(arena, "v=STSv1; id=%s;", id));
}

void
mta_sts_rrset_parse(const struct txt_text *texts, size_t count, const char *owner,
	struct finding_list *findings, struct mta_sts_record *out)
{
	struct txt_selection selection;

	txt_select(&txt_kind_mta_sts, texts, count, &selection);
	if (selection.ambiguous)
		finding_add_usual(findings, "mta-sts-record-ambiguous", owner, NULL,
			"of several TXT records one begins with v=STSv1 without a semicolon behind "
			"it");
	if (selection.count == 1) {
		mta_sts_record_parse(texts[selection.index].text, texts[selection.index].len, owner,
			findings, out);
		return;
	}
	if (selection.count == 0 && selection.near_miss) {
		const struct txt_text *near = &texts[selection.near_index];

		mta_sts_record_parse(near->text, near->len, owner, findings, out);
		out->outcome = TXT_NONE;
		return;
	}
	*out = (struct mta_sts_record){.outcome = TXT_NONE, .code = "mta-sts-record-missing"};
	if (selection.count > 1) {
		out->outcome = TXT_MULTIPLE;
		out->code = "mta-sts-record-multiple";
		finding_add_usual(findings, out->code, owner, NULL,
			"there are %zu MTA-STS records, so senders use none", selection.count);
	} else if (count == 0) {
		finding_add_usual(findings, out->code, owner, NULL, "there is no TXT record");
	} else {
		finding_add_usual(findings, out->code, owner, NULL,
			"of the TXT records none is for MTA-STS; the first is \"%s\"",
			finding_quote(findings->arena, texts[0].text, texts[0].len));
	}
}

/* --- the policy --------------------------------------------------------------------------------
 */

/* A policy on its way through the rules. */
struct policy_parse {
	struct mta_sts_policy *out;
	struct finding_list *findings;
	const char *subject;
	size_t line_number;
	bool garbled; /* lines could not be read: missing keys are a consequence */
	bool have_version, have_mode, have_max_age, have_mx;
};

#define POLICY_BROKEN(p, broken, fix, ...) \
	do { \
		const char *code_ = (broken); \
		finding_add_usual((p)->findings, code_, (p)->subject, fix, __VA_ARGS__); \
		if ((p)->out->code == NULL) \
			(p)->out->code = code_; \
	} while (0)

struct span {
	const char *text;
	size_t len;
};

static bool
span_is(const struct span *s, const char *word)
{
	return s->len == strlen(word) && memcmp(s->text, word, s->len) == 0;
}

static const char *
span_quote(const struct policy_parse *p, const struct span *s)
{
	return finding_quote(p->findings->arena, s->text, s->len);
}

static void
policy_version(struct policy_parse *p, const struct span *value)
{
	p->have_version = true;
	if (!span_is(value, "STSv1"))
		POLICY_BROKEN(p, "mta-sts-policy-version", NULL, "line %zu: the version is \"%s\"",
			p->line_number, span_quote(p, value));
}

static void
policy_mode(struct policy_parse *p, const struct span *value)
{
	p->have_mode = true;
	if (span_is(value, "enforce"))
		p->out->mode = POLICY_MODE_ENFORCE;
	else if (span_is(value, "testing"))
		p->out->mode = POLICY_MODE_TESTING;
	else if (span_is(value, "none"))
		p->out->mode = POLICY_MODE_NONE;
	else
		POLICY_BROKEN(p, "mta-sts-policy-mode", NULL, "line %zu: the mode is \"%s\"",
			p->line_number, span_quote(p, value));
}

static void
policy_max_age(struct policy_parse *p, const struct span *value)
{
	uint64_t seconds;

	p->have_max_age = true;
	if (value->len > 10 || str_parse_u64(value->text, value->len, UINT64_MAX, &seconds) < 0)
		POLICY_BROKEN(p, "mta-sts-policy-max-age", NULL, "line %zu: the max_age is \"%s\"",
			p->line_number, span_quote(p, value));
	else if (seconds > MTA_STS_MAX_AGE_MAX)
		POLICY_BROKEN(p, "mta-sts-policy-max-age-range", NULL,
			"line %zu: the max_age is %s", p->line_number, span_quote(p, value));
	else
		p->out->max_age_s = (int64_t)seconds;
}

static void
policy_mx(struct policy_parse *p, const struct span *value)
{
	struct arena *arena = p->findings->arena;
	char *pattern;

	p->have_mx = true;
	if (!mta_sts_pattern_is_valid(value->text, value->len)) {
		POLICY_BROKEN(p, "mta-sts-policy-mx-syntax", NULL, "line %zu: mx is \"%s\"",
			p->line_number, span_quote(p, value));
		return;
	}
	pattern = arena_strndup(arena, value->text, value->len);
	str_lower_all(pattern);
	if (domain_name_reads_as_ip(pattern, strlen(pattern))) {
		p->out->blocks_listing = true;
		finding_add_usual(p->findings, "mta-sts-policy-mx-ip", p->subject, NULL,
			"line %zu: mx is %s, which reads as an IP address", p->line_number,
			pattern);
	} else if (mta_sts_pattern_is_too_wide(pattern)) {
		p->out->blocks_listing = true;
		finding_add_usual(p->findings, "mta-sts-policy-mx-too-wide", p->subject, NULL,
			"line %zu: mx is %s, under which anybody may have hosts", p->line_number,
			pattern);
	}
	string_list_add(arena, &p->out->mx, &p->out->mx_count, pattern, strlen(pattern));
}

/* The keys that are known; all but mx count once. */
static const struct policy_key {
	const char *name;
	void (*take)(struct policy_parse *p, const struct span *value);
	bool repeats;
} policy_keys[] = {
	{"version", policy_version, false},
	{"mode", policy_mode, false},
	{"max_age", policy_max_age, false},
	{"mx", policy_mx, true},
};

/* R10.3: printable ASCII and well-formed UTF-8; blanks inside are spaces only. */
static bool
value_is_legal(const struct span *value)
{
	for (size_t i = 0; i < value->len; i++) {
		unsigned char c = (unsigned char)value->text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return str_is_utf8(value->text, value->len);
}

static void
policy_line(struct policy_parse *p, const char *line, size_t len, bool seen[ARRAY_LEN(policy_keys)])
{
	const char *colon = memchr(line, ':', len);
	struct span key;
	struct span value;

	key = (struct span){line, colon != NULL ? (size_t)(colon - line) : 0};
	if (colon == NULL || !txt_name_ok(key.text, key.len)) {
		p->garbled = true;
		POLICY_BROKEN(p, "mta-sts-policy-syntax", NULL,
			"line %zu is not of the form key: value: \"%s\"", p->line_number,
			finding_quote(p->findings->arena, line, len));
		return;
	}
	value = (struct span){colon + 1, len - key.len - 1};
	while (value.len > 0 && is_blank(value.text[0])) {
		value.text++;
		value.len--;
	}
	while (value.len > 0 && is_blank(value.text[value.len - 1]))
		value.len--;
	if (!value_is_legal(&value)) {
		p->garbled = true;
		POLICY_BROKEN(p, "mta-sts-policy-syntax", NULL,
			"line %zu holds a character that it may not: \"%s\"", p->line_number,
			finding_quote(p->findings->arena, line, len));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(policy_keys); i++) {
		if (!span_is(&key, policy_keys[i].name))
			continue;
		if (seen[i] && !policy_keys[i].repeats) {
			p->out->blocks_listing = true;
			finding_add_usual(p->findings, "mta-sts-policy-duplicate-key", p->subject,
				NULL, "line %zu: %s stands twice; the first one counts here",
				p->line_number, policy_keys[i].name);
			return;
		}
		seen[i] = true;
		policy_keys[i].take(p, &value);
		return;
	}
	if (value.len == 0) {
		POLICY_BROKEN(p, "mta-sts-policy-syntax", NULL, "line %zu: %s has no value",
			p->line_number, span_quote(p, &key));
		return;
	}
	txt_extension_add(p->findings->arena, &p->out->extensions, &p->out->extension_count,
		key.text, key.len, value.text, value.len);
}

static bool
only_blanks(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_blank(line[i]))
			return false;
	}
	return true;
}

static void
policy_lines(struct policy_parse *p, const char *text, const char *end)
{
	bool seen[ARRAY_LEN(policy_keys)] = {false};

	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		const char *stop = lf != NULL ? lf : end;

		if (++p->line_number > MTA_STS_LINES_MAX) {
			POLICY_BROKEN(p, "mta-sts-policy-syntax", NULL,
				"there are more than %d lines", MTA_STS_LINES_MAX);
			return;
		}
		if (lf != NULL && stop > text && stop[-1] == '\r')
			stop--;
		if (only_blanks(text, (size_t)(stop - text)))
			POLICY_BROKEN(p, "mta-sts-policy-blank-line", NULL, "line %zu is empty",
				p->line_number);
		else
			policy_line(p, text, (size_t)(stop - text), seen);
		text = lf != NULL ? lf + 1 : end;
	}
}

static void
policy_missing_keys(struct policy_parse *p)
{
	if (p->garbled)
		return;
	if (!p->have_version)
		POLICY_BROKEN(
			p, "mta-sts-policy-version-missing", NULL, "there is no version line");
	if (!p->have_mode)
		POLICY_BROKEN(p, "mta-sts-policy-mode-missing", NULL, "there is no mode line");
	if (!p->have_max_age)
		POLICY_BROKEN(
			p, "mta-sts-policy-max-age-missing", NULL, "there is no max_age line");
	if (!p->have_mx &&
		(p->out->mode == POLICY_MODE_ENFORCE || p->out->mode == POLICY_MODE_TESTING))
		POLICY_BROKEN(p, "mta-sts-policy-mx-missing", NULL, "there is no mx line");
}

void
mta_sts_policy_parse(const char *text, size_t len, const char *subject,
	struct finding_list *findings, struct mta_sts_policy *out)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct policy_parse p = {.out = out, .findings = findings, .subject = subject};
	const char *end = text + len;

	*out = (struct mta_sts_policy){.valid = false};
	if (mta_sts_check_size(len, subject, findings) != VERDICT_PASS) {
		out->code = "mta-sts-policy-too-large";
		return;
	}
	if (len == 0) {
		POLICY_BROKEN(&p, "mta-sts-policy-empty", NULL, "the policy is empty");
		return;
	}
	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		POLICY_BROKEN(&p, "mta-sts-policy-bom", NULL, "the text begins with EF BB BF");
		text += 3;
	}
	policy_lines(&p, text, end);
	policy_missing_keys(&p);
	out->valid = out->code == NULL;
}

/* --- what came with the policy ------------------------------------------------------------------
 */

enum verdict
mta_sts_check_status(long status, const char *subject, struct finding_list *findings)
{
	const char *code = "mta-sts-policy-http-status";

	switch (status) {
	case 200:
		return VERDICT_PASS;
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		code = "mta-sts-policy-redirect";
		break;
	case 408:
	case 429:
		code = "mta-sts-policy-http-temporary";
		break;
	default:
		if (status >= 500 && status <= 599)
			code = "mta-sts-policy-http-temporary";
		break;
	}
	finding_add_usual(
		findings, code, subject, NULL, "the HTTP status is %ld, expected is 200", status);
	return finding_severity(code) == SEVERITY_TEMP ? VERDICT_UNKNOWN : VERDICT_FAIL;
}

/* The charset parameter of a Content-Type value, or an empty span. */
static struct span
find_charset(const char *value)
{
	static const char name[] = "charset=";
	const char *at = value;

	while ((at = strchr(at, ';')) != NULL) {
		struct span found;

		for (at++; is_blank(*at); at++)
			;
		if (strncasecmp(at, name, sizeof(name) - 1) != 0)
			continue;
		at += sizeof(name) - 1;
		if (*at == '"')
			at++;
		found = (struct span){at, strcspn(at, "\"; \t")};
		return found;
	}
	return (struct span){"", 0};
}

enum verdict
mta_sts_check_content_type(const char *value, const char *subject, struct finding_list *findings)
{
	static const char want[] = "text/plain";
	struct span charset;
	size_t n;

	if (value == NULL)
		value = "";
	value += strspn(value, " \t");
	n = strcspn(value, "; \t");
	if (!str_ieq(value, n, want, sizeof(want) - 1) ||
		(value[n + strspn(value + n, " \t")] != ';' &&
			value[n + strspn(value + n, " \t")] != '\0')) {
		if (*value == '\0')
			finding_add_usual(findings, "mta-sts-policy-content-type", subject, NULL,
				"there is no Content-Type header, expected is text/plain");
		else
			finding_add_usual(findings, "mta-sts-policy-content-type", subject, NULL,
				"the Content-Type is \"%s\", expected is text/plain",
				finding_quote(findings->arena, value, strlen(value)));
		return VERDICT_FAIL;
	}
	charset = find_charset(value);
	if (charset.len > 0 && !str_ieq(charset.text, charset.len, "utf-8", 5) &&
		!str_ieq(charset.text, charset.len, "us-ascii", 8))
		finding_add_usual(findings, "mta-sts-policy-charset", subject, NULL,
			"the charset is \"%s\"",
			finding_quote(findings->arena, charset.text, charset.len));
	return VERDICT_PASS;
}

enum verdict
mta_sts_check_size(uint64_t octets, const char *subject, struct finding_list *findings)
{
	if (octets <= MTA_STS_POLICY_MAX)
		return VERDICT_PASS;
	finding_add_usual(findings, "mta-sts-policy-too-large", subject, NULL,
		"the policy has more than %d octets", MTA_STS_POLICY_MAX);
	return VERDICT_FAIL;
}

/* --- patterns -----------------------------------------------------------------------------------
 */

static bool
is_wildcard(const char *pattern, size_t len)
{
	return len > 2 && pattern[0] == '*' && pattern[1] == '.';
}

bool
mta_sts_pattern_is_valid(const char *pattern, size_t len)
{
	if (is_wildcard(pattern, len))
		return domain_name_is_ldh(pattern + 2, len - 2);
	return domain_name_is_ldh(pattern, len);
}

bool
mta_sts_pattern_is_too_wide(const char *pattern)
{
	char parent[DOMAIN_NAME_SIZE];
	size_t len = strlen(pattern);

	if (!is_wildcard(pattern, len))
		return false;
	memcpy(parent, pattern + 2, len - 1);
	str_lower_all(parent);
	return domain_name_is_public_suffix(parent);
}

bool
mta_sts_pattern_matches(const char *pattern, const char *host)
{
	size_t pattern_len = strlen(pattern);
	size_t host_len = strlen(host);
	const char *dot;

	if (!mta_sts_pattern_is_valid(pattern, pattern_len))
		return false;
	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (!is_wildcard(pattern, pattern_len))
		return str_ieq(pattern, pattern_len, host, host_len);
	dot = memchr(host, '.', host_len);
	return dot != NULL && dot > host &&
		str_ieq(pattern + 1, pattern_len - 1, dot, host_len - (size_t)(dot - host));
}

bool
mta_sts_host_is_covered(const char *const *patterns, size_t count, const char *host)
{
	for (size_t i = 0; i < count; i++) {
		if (mta_sts_pattern_matches(patterns[i], host))
			return true;
	}
	return false;
}

#include "verifier/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/str.h"
#include "verifier/dane_check.h"
#include "verifier/dns_id.h"
#include "verifier/domain_name.h"
#include "verifier/mta_sts.h"
#include "verifier/preload_record.h"
#include "verifier/report.h"
#include "verifier/smtp_reply.h"
#include "verifier/tlsa.h"
#include "verifier/tlsrpt.h"

/* A whole TXT or TLSA RRset in text form: 64 KiB of DNS message, three characters per octet. */
#define LINT_RRSET_MAX ((size_t)3 * 65536)
/* More than the policy limit, so that the limit itself can be seen to act. */
#define LINT_POLICY_MAX ((size_t)4 * MTA_STS_POLICY_MAX)

/* Certificates and full TLSA data of one handshake, in base64 and hex. */
#define LINT_CHAIN_MAX ((size_t)1 << 20)

/* Divides the character-strings of one TXT record in the rrset kinds. */
#define STRING_SEPARATOR '\x1f'

struct lint_kind {
	const char *name;
	void (*run)(const char *text, size_t len, struct arena *arena, struct lint_result *out);
	size_t max;
	bool one_line; /* a line end behind the document is the editor's, not the document's */
};

static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		abort();
}

static json_t *
strings(const char *const *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}

static json_t *
extensions(const struct txt_extension *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("[ss]", items[i].name, items[i].value));
	return array;
}

static void
set_outcome(struct lint_result *out, enum txt_outcome outcome, const char *other, const char *code)
{
	const char *name = "valid";

	switch (outcome) {
	case TXT_NONE:
		name = "none";
		break;
	case TXT_OTHER:
		name = other;
		break;
	case TXT_MULTIPLE:
		name = "multiple";
		break;
	case TXT_INVALID:
		name = "invalid";
		break;
	case TXT_VALID:
		break;
	}
	out->valid = outcome == TXT_VALID;
	out->code = code;
	set(out->value, "outcome", json_string(name));
}

/* Lines of text, without the empty one behind a final LF; with joining, U+001F is taken out. */
static struct txt_text *
split_lines(const char *text, size_t len, struct arena *arena, size_t *count)
{
	struct txt_text *lines;
	size_t n = 1;

	*count = 0;
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	lines = arena_calloc(arena, n, sizeof(*lines));
	while (len > 0) {
		const char *lf = memchr(text, '\n', len);
		size_t line_len = lf != NULL ? (size_t)(lf - text) : len;
		char *line = arena_calloc(arena, line_len + 1, 1);
		size_t used = 0;

		for (size_t i = 0; i < line_len; i++) {
			if (text[i] != STRING_SEPARATOR)
				line[used++] = text[i];
		}
		lines[(*count)++] = (struct txt_text){.text = line, .len = used};
		text += line_len + (lf != NULL);
		len -= line_len + (lf != NULL);
	}
	return lines;
}

/* --- records ------------------------------------------------------------------------------------
 */

static void
show_mta_sts(const struct mta_sts_record *record, struct lint_result *out)
{
	set_outcome(out, record->outcome, "not-mta-sts", record->code);
	if (record->outcome != TXT_VALID)
		return;
	set(out->value, "id", json_string(record->id));
	set(out->value, "extensions", extensions(record->extensions, record->extension_count));
}

static void
lint_mta_sts_record(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct mta_sts_record record;

	mta_sts_record_parse(text, len, "record", &out->findings, &record);
	show_mta_sts(&record, out);
}

static void
lint_mta_sts_rrset(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct mta_sts_record record;
	size_t count;
	struct txt_text *texts = split_lines(text, len, arena, &count);

	mta_sts_rrset_parse(texts, count, "records", &out->findings, &record);
	show_mta_sts(&record, out);
}

static void
lint_mta_sts_policy(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct mta_sts_policy policy;

	mta_sts_policy_parse(text, len, "policy", &out->findings, &policy);
	out->valid = policy.valid;
	out->code = policy.code;
	set(out->value, "outcome", json_string(policy.valid ? "valid" : "invalid"));
	if (!policy.valid)
		return;
	set(out->value, "mode", json_string(policy_mode_name(policy.mode)));
	set(out->value, "max_age", json_integer(policy.max_age_s));
	set(out->value, "mx", strings(policy.mx, policy.mx_count));
	set(out->value, "extensions", extensions(policy.extensions, policy.extension_count));
}

static void
show_tlsrpt(const struct tlsrpt_record *record, struct lint_result *out)
{
	set_outcome(out, record->outcome, "not-tlsrpt", record->code);
	if (record->outcome != TXT_VALID)
		return;
	set(out->value, "rua", strings(record->rua, record->rua_count));
	set(out->value, "usable", strings(record->usable, record->usable_count));
	set(out->value, "extensions", extensions(record->extensions, record->extension_count));
}

static void
lint_tlsrpt_record(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct tlsrpt_record record;

	tlsrpt_record_parse(text, len, "record", &out->findings, &record);
	show_tlsrpt(&record, out);
}

static void
lint_tlsrpt_rrset(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct tlsrpt_record record;
	size_t count;
	struct txt_text *texts = split_lines(text, len, arena, &count);

	tlsrpt_rrset_parse(texts, count, "records", &out->findings, &record);
	show_tlsrpt(&record, out);
}

static void
lint_preload_record(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct preload_record record;

	preload_record_parse(text, len, "record", &out->findings, &record);
	set_outcome(out, record.outcome, "not-preload", record.code);
	if (record.mode != POLICY_MODE_ABSENT)
		set(out->value, "mode", json_string(policy_mode_name(record.mode)));
	if (record.outcome != TXT_VALID)
		return;
	set(out->value, "max_age", json_integer(record.max_age_s));
	set(out->value, "mx", strings(record.mx, record.mx_count));
	if (record.contact != NULL)
		set(out->value, "contact", json_string(record.contact));
	if (record.until_s > 0)
		set(out->value, "until_before", json_integer(record.until_s));
	set(out->value, "extensions", extensions(record.extensions, record.extension_count));
}

/* --- names --------------------------------------------------------------------------------------
 */

static void
lint_domain(const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	char ascii[DOMAIN_NAME_SIZE];
	const struct finding *why;

	out->valid = domain_name_parse(text, len, false, &out->findings, ascii) == 0;
	set(out->value, "outcome", json_string(out->valid ? "ok" : "reject"));
	if (out->valid) {
		set(out->value, "ascii", json_string(ascii));
	} else {
		why = finding_list_first_fail(&out->findings);
		out->code = why->code;
	}
}

/* "PATTERN HOST"; without a blank the host is empty and matches nothing. */
struct pair {
	char *first;
	size_t first_len; /* may hold NUL */
	char *host;
	bool whole; /* no NUL anywhere */
};

static struct pair
split_pair(const char *text, size_t len, struct arena *arena)
{
	const char *blank = memchr(text, ' ', len);
	size_t n = blank != NULL ? (size_t)(blank - text) : len;
	struct pair pair = {.first_len = n, .whole = memchr(text, '\0', len) == NULL};

	pair.first = arena_calloc(arena, n + 1, 1);
	memcpy(pair.first, text, n);
	pair.host = blank != NULL ? arena_strndup(arena, blank + 1, len - n - 1)
				  : arena_strdup(arena, "");
	return pair;
}

static void
lint_mx_match(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct pair pair = split_pair(text, len, arena);
	bool ok = mta_sts_pattern_is_valid(pair.first, pair.first_len);

	out->valid = ok && pair.whole && mta_sts_pattern_matches(pair.first, pair.host);
	if (!ok) {
		out->code = "mta-sts-policy-mx-syntax";
		finding_add_usual(&out->findings, out->code, "pattern", NULL,
			"\"%s\" is no host name and no wildcard of the form *.name",
			finding_quote(arena, pair.first, pair.first_len));
	}
	set(out->value, "pattern", json_string(ok ? "valid" : "invalid"));
	set(out->value, "match", json_boolean(out->valid));
}

static void
lint_dns_id_match(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct pair pair = split_pair(text, len, arena);

	out->valid = pair.whole && dns_id_matches(pair.first, pair.first_len, pair.host);
	set(out->value, "match", json_boolean(out->valid));
}

/* --- TLSA ---------------------------------------------------------------------------------------
 */

static void
lint_tlsa(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct tlsa_record record;
	struct tlsa_set one = {.records = &record, .count = 1};

	tlsa_record_from_text(text, len, arena, &record);
	tlsa_set_judge(&one);
	out->valid = record.code == NULL;
	out->code = record.code;
	if (!out->valid)
		finding_add(&out->findings, record.code, SEVERITY_FAIL, "record", NULL, "%s",
			finding_find(record.code)->meaning);
	set(out->value, "usable", json_boolean(out->valid));
	set(out->value, "text", json_string(record.text));
}

static void
lint_tlsa_rrset(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct tlsa_set rrset;
	struct txt_text *lines = split_lines(text, len, arena, &rrset.count);
	json_t *usable = json_array();
	json_t *considered = json_array();

	rrset.records = arena_calloc(arena, rrset.count + 1, sizeof(*rrset.records));
	for (size_t i = 0; i < rrset.count; i++)
		tlsa_record_from_text(lines[i].text, lines[i].len, arena, &rrset.records[i]);
	tlsa_set_judge(&rrset);
	for (size_t i = 0; i < rrset.count; i++) {
		if (rrset.records[i].code == NULL)
			json_array_append_new(usable, json_integer((json_int_t)i));
		if (rrset.records[i].considered)
			json_array_append_new(considered, json_integer((json_int_t)i));
	}
	/* R13.6: whether all unusable is a fail depends on the domain's other ways; here it is a
	 * warning and so no code. */
	out->valid = rrset.usable_count > 0;
	tlsa_set_findings(&rrset, "records", SEVERITY_WARN, &out->findings);
	set(out->value, "outcome", json_string(out->valid ? "usable" : "all-unusable"));
	set(out->value, "usable", usable);
	set(out->value, "considered", considered);
}

/* The lines of a tlsa-chain document. */
struct chain_input {
	struct arena *arena;
	int64_t now_s;
	bool have_time;
	const char **names;
	size_t name_count;
	struct tlsa_set tlsa;
	STACK_OF(X509) * chain;
};

static bool
chain_certificate(struct chain_input *in, const struct txt_text *value)
{
	unsigned char *der = arena_calloc(in->arena, value->len + 4, 1);
	const unsigned char *at = der;
	X509 *cert = NULL;
	int n = -1;

	if (value->len > 0)
		n = EVP_DecodeBlock(der, (const unsigned char *)value->text, (int)value->len);
	for (size_t i = value->len; n > 0 && i > 0 && value->text[i - 1] == '='; i--)
		n--;
	if (n > 0)
		cert = d2i_X509(NULL, &at, n);
	ERR_clear_error();
	if (cert == NULL || at != der + n || sk_X509_push(in->chain, cert) <= 0) {
		X509_free(cert);
		return false;
	}
	return true;
}

/* One line: "time", "name", "tlsa" or "cert", a blank, the value. */
static bool
chain_line(struct chain_input *in, const struct txt_text *line)
{
	const char *blank = memchr(line->text, ' ', line->len);
	size_t n = blank != NULL ? (size_t)(blank - line->text) : 0;
	struct txt_text value;

	if (blank == NULL)
		return false;
	value = (struct txt_text){.text = blank + 1, .len = line->len - n - 1};
	if (str_ieq(line->text, n, "time", 4)) {
		in->have_time = clock_parse(value.text, value.len, &in->now_s) == 0;
		return in->have_time;
	}
	if (str_ieq(line->text, n, "name", 4)) {
		if (!domain_name_is_ldh(value.text, value.len))
			return false;
		in->names[in->name_count++] = value.text;
		return true;
	}
	if (str_ieq(line->text, n, "tlsa", 4)) {
		tlsa_record_from_text(
			value.text, value.len, in->arena, &in->tlsa.records[in->tlsa.count++]);
		return true;
	}
	return str_ieq(line->text, n, "cert", 4) && chain_certificate(in, &value);
}

static void
show_match(const struct dane_match *match, struct lint_result *out)
{
	out->valid = match->result == DANE_MATCH;
	out->code = match->code;
	if (match->code != NULL)
		finding_add(&out->findings, match->code, SEVERITY_FAIL, "chain", NULL, "%s",
			match->message);
	set(out->value, "result", json_string(dane_result_name(match->result)));
	if (out->valid) {
		set(out->value, "record", json_integer((json_int_t)match->record));
		set(out->value, "depth", json_integer(match->depth));
	}
	/* R14.4: few clients manage this. */
	if (match->bare_key)
		finding_add(&out->findings, "tlsa-ta-not-in-chain", SEVERITY_WARN, "chain", NULL,
			"the record gives the bare key of an issuer that is not in the chain");
}

static void
lint_tlsa_chain(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct chain_input in = {.arena = arena, .chain = sk_X509_new_null()};
	struct dane_checker *checker = NULL;
	struct dane_match match = {.result = DANE_NOT_CHECKED};
	struct error err;
	const char *problem = NULL;
	size_t count;
	struct txt_text *lines = split_lines(text, len, arena, &count);

	in.names = arena_calloc(arena, count + 1, sizeof(*in.names));
	in.tlsa.records = arena_calloc(arena, count + 1, sizeof(*in.tlsa.records));
	for (size_t i = 0; i < count && problem == NULL; i++) {
		if (!chain_line(&in, &lines[i]))
			problem = arena_printf(arena, "line %zu cannot be read", i + 1);
	}
	if (problem == NULL && !in.have_time)
		problem = "there is no time line";
	if (problem == NULL && dane_checker_new(&checker, &err) < 0)
		problem = arena_strdup(arena, err.text);
	if (problem == NULL) {
		tlsa_set_judge(&in.tlsa);
		dane_match(checker, &in.tlsa, in.chain, in.names, in.name_count, in.now_s, arena,
			&match);
		show_match(&match, out);
	} else {
		set(out->value, "result", json_string(dane_result_name(DANE_NOT_CHECKED)));
		set(out->value, "problem", json_string(problem));
	}
	dane_checker_free(checker);
	sk_X509_pop_free(in.chain, X509_free);
}

/* --- SMTP ---------------------------------------------------------------------------------------
 */

/* A reply line with octets that are no UTF-8 as \xNN. */
static json_t *
reply_line(const char *text, size_t len, struct arena *arena)
{
	char *shown = arena_calloc(arena, 4 * len + 1, 1);
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t n = 1;

		while (n <= 4 && n <= len - i && !str_is_utf8(text + i, n))
			n++;
		if (n <= 4 && n <= len - i) {
			memcpy(shown + used, text + i, n);
			used += n;
			i += n;
		} else {
			used += (size_t)snprintf(
				shown + used, 5, "\\x%02x", (unsigned)(unsigned char)text[i]);
			i++;
		}
	}
	return json_string(shown);
}

static void
lint_smtp_reply(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct smtp_judgement judgement = {.verdict = SMTP_OK};
	struct smtp_reply reply;
	const char *outcome = "incomplete";
	json_t *lines;

	smtp_reply_init(&reply);
	switch (smtp_reply_feed(&reply, text, len)) {
	case SMTP_INCOMPLETE:
		break;
	case SMTP_COMPLETE:
		outcome = "complete";
		out->valid = true;
		lines = json_array();
		for (size_t i = 0; i < reply.line_count; i++)
			json_array_append_new(lines,
				reply_line(
					text + reply.lines[i].offset, reply.lines[i].len, arena));
		set(out->value, "reply", json_integer(reply.code));
		set(out->value, "lines", lines);
		set(out->value, "consumed", json_integer((json_int_t)reply.consumed));
		break;
	case SMTP_MALFORMED:
		outcome = "malformed";
		out->code = reply.problem;
		judgement = (struct smtp_judgement){.verdict = SMTP_FAIL, .code = reply.problem};
		break;
	}
	smtp_judgement_report(&judgement, &reply, text, len, NULL, "reply", &out->findings);
	set(out->value, "outcome", json_string(outcome));
}

static void
show_judgement(const struct smtp_judgement *judgement, struct lint_result *out)
{
	const char *name = "wait";

	switch (judgement->verdict) {
	case SMTP_WAIT:
		break;
	case SMTP_OK:
		name = "ok";
		break;
	case SMTP_TEMP:
		name = "temp";
		break;
	case SMTP_FAIL:
		name = "fail";
		break;
	}
	out->valid = judgement->verdict == SMTP_OK;
	out->code = judgement->code;
	set(out->value, "verdict", json_string(name));
}

static void
lint_smtp_greeting(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct smtp_judgement judgement;
	struct smtp_reply reply;

	smtp_reply_init(&reply);
	smtp_reply_feed(&reply, text, len);
	judgement = smtp_judge_greeting(&reply, text, len);
	smtp_judgement_report(&judgement, &reply, text, len, NULL, "greeting", &out->findings);
	show_judgement(&judgement, out);
}

static void
lint_smtp_ehlo(const char *text, size_t len, struct arena *arena, struct lint_result *out)
{
	struct smtp_judgement judgement;
	struct smtp_reply reply;
	struct smtp_ehlo ehlo = {.starttls = false};
	bool accepted;

	smtp_reply_init(&reply);
	accepted = smtp_reply_feed(&reply, text, len) == SMTP_COMPLETE && reply.code == 250;
	if (accepted) {
		smtp_ehlo_parse(&reply, text, arena, &ehlo);
		set(out->value, "starttls", json_boolean(ehlo.starttls));
		set(out->value, "keywords", strings(ehlo.keywords, ehlo.keyword_count));
	}
	judgement = smtp_judge_ehlo(&reply, text, len, accepted ? &ehlo : NULL, false);
	smtp_judgement_report(&judgement, &reply, text, len, &ehlo, "EHLO reply", &out->findings);
	show_judgement(&judgement, out);
}

static void
lint_smtp_starttls(
	const char *text, size_t len, struct arena *arena UNUSED, struct lint_result *out)
{
	struct smtp_judgement judgement;
	struct smtp_reply reply;

	smtp_reply_init(&reply);
	smtp_reply_feed(&reply, text, len);
	judgement = smtp_judge_starttls(&reply, len);
	smtp_judgement_report(
		&judgement, &reply, text, len, NULL, "STARTTLS reply", &out->findings);
	show_judgement(&judgement, out);
}

/* --- the table ----------------------------------------------------------------------------------
 */

static const struct lint_kind kinds[] = {
	{"mta-sts-record", lint_mta_sts_record, LINT_RRSET_MAX, true},
	{"mta-sts-rrset", lint_mta_sts_rrset, LINT_RRSET_MAX, false},
	{"mta-sts-policy", lint_mta_sts_policy, LINT_POLICY_MAX, false},
	{"mx-match", lint_mx_match, LINT_RRSET_MAX, true},
	{"dns-id-match", lint_dns_id_match, LINT_RRSET_MAX, true},
	{"tlsrpt-record", lint_tlsrpt_record, LINT_RRSET_MAX, true},
	{"tlsrpt-rrset", lint_tlsrpt_rrset, LINT_RRSET_MAX, false},
	{"tlsa", lint_tlsa, LINT_RRSET_MAX, true},
	{"tlsa-rrset", lint_tlsa_rrset, LINT_RRSET_MAX, false},
	{"tlsa-chain", lint_tlsa_chain, LINT_CHAIN_MAX, false},
	{"smtp-reply", lint_smtp_reply, LINT_POLICY_MAX, false},
	{"smtp-greeting", lint_smtp_greeting, LINT_POLICY_MAX, false},
	{"smtp-ehlo", lint_smtp_ehlo, LINT_POLICY_MAX, false},
	{"smtp-starttls", lint_smtp_starttls, LINT_POLICY_MAX, false},
	{"domain", lint_domain, LINT_RRSET_MAX, true},
	{"preload-record", lint_preload_record, LINT_RRSET_MAX, true},
};

const struct lint_kind *
lint_kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

const char *
lint_kind_name(size_t i)
{
	return i < ARRAY_LEN(kinds) ? kinds[i].name : NULL;
}

size_t
lint_kind_max(const struct lint_kind *kind)
{
	return kind->max;
}

void
lint_run(const struct lint_kind *kind, const char *text, size_t len, struct arena *arena,
	struct lint_result *out)
{
	*out = (struct lint_result){.value = json_object()};
	finding_list_init(&out->findings, arena);
	if (kind->one_line && len > 0 && text[len - 1] == '\n') {
		len--;
		if (len > 0 && text[len - 1] == '\r')
			len--;
	}
	kind->run(text, len, arena, out);
	finding_list_sort(&out->findings);
}

json_t *
lint_to_json(struct lint_result *result)
{
	json_t *object = json_object();
	json_t *warnings = json_array();

	for (size_t i = 0; i < result->findings.count; i++) {
		const struct finding *f = &result->findings.items[i];

		if (f->severity == SEVERITY_WARN &&
			(result->code == NULL || strcmp(f->code, result->code) != 0))
			json_array_append_new(warnings, json_string(f->code));
	}
	set(object, "valid", json_boolean(result->valid));
	if (result->code != NULL)
		set(object, "code", json_string(result->code));
	set(object, "warnings", warnings);
	set(object, "findings", finding_list_to_json(&result->findings));
	set(object, "value", result->value);
	result->value = NULL;
	return object;
}

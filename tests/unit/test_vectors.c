/* The vectors of tests/vectors, one comparison each, through the code that `preload25 lint` runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/xalloc.h"
#include "verifier/lint.h"
#include "verifier/mta_sts.h"

#define FILE_MAX_SIZE ((size_t)4 << 20)

/* One file and kind; kind NULL is the file's default kind. */
struct group {
	const char *file;
	const char *kind;
	const char *lint;
	size_t count; /* so that a vector that is never run is noticed */
};

static json_t *
load(const char *file)
{
	const char *dir = getenv("TESTDIR");
	char *path = xasprintf("%s/vectors/%s", dir != NULL ? dir : "tests", file);
	struct buf text;
	struct error err;
	json_t *array = NULL;

	buf_init(&text, FILE_MAX_SIZE);
	if (file_read(path, &text, &err) < 0 || json_parse(text.data, text.len, &array, &err) < 0)
		fail_msg("%s", err.text);
	buf_clear(&text);
	free(path);
	return array;
}

/* The octets of a vector's input, in the arena. */
static const char *
input_of(const json_t *vector, struct arena *arena, size_t *len)
{
	const json_t *plain = json_object_get(vector, "input");
	const char *b64;
	unsigned char *out;
	int n;

	if (plain != NULL) {
		*len = json_string_length(plain);
		return json_string_value(plain);
	}
	b64 = json_string_value(json_object_get(vector, "input_b64"));
	assert_non_null(b64);
	out = arena_calloc(arena, strlen(b64) + 4, 1);
	n = EVP_DecodeBlock(out, (const unsigned char *)b64, (int)strlen(b64));
	assert_true(n >= 0);
	*len = (size_t)n;
	for (size_t i = strlen(b64); i > 0 && b64[i - 1] == '='; i--)
		(*len)--;
	return (const char *)out;
}

static bool
in_array(const json_t *array, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		if (strcmp(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

/* "code" is one code or several of which each is right. */
static bool
code_is_right(const json_t *want, const char *got)
{
	if (want == NULL || got == NULL)
		return want == NULL && got == NULL;
	if (json_is_string(want))
		return strcmp(json_string_value(want), got) == 0;
	return in_array(want, got);
}

/* The same codes, in whatever order. */
static bool
warnings_are_right(const json_t *want, const json_t *got)
{
	size_t i;
	json_t *item;

	if (json_array_size(want) != json_array_size(got))
		return false;
	json_array_foreach(got, i, item)
	{
		if (!in_array(want, json_string_value(item)))
			return false;
	}
	return true;
}

/* The facts: every member of expect that is neither code nor warnings. */
static bool
facts_are_right(json_t *expect, json_t *value)
{
	const char *name;
	json_t *want;
	json_t *none = json_array();
	json_t *got = json_object_get(value, "extensions");
	bool ok = true;

	json_object_foreach(expect, name, want)
	{
		if (strcmp(name, "code") != 0 && strcmp(name, "warnings") != 0 &&
			!json_equal(json_object_get(value, name), want))
			ok = false;
	}
	if (got != NULL && json_object_get(expect, "extensions") == NULL)
		ok = ok && json_equal(got, none);
	json_decref(none);
	return ok;
}

static bool
run_one(const json_t *vector, const char *kind_name)
{
	const struct lint_kind *kind = lint_kind_find(kind_name);
	struct arena *arena = arena_new();
	struct lint_result result;
	json_t *expect = json_object_get(vector, "expect");
	json_t *got;
	size_t len;
	const char *input = input_of(vector, arena, &len);
	bool ok;

	assert_non_null(kind);
	lint_run(kind, input, len, arena, &result);
	got = lint_to_json(&result);
	/* The vectors of whole TLSA sets do not repeat the codes of single unusable records. */
	ok = code_is_right(json_object_get(expect, "code"),
		     json_string_value(json_object_get(got, "code"))) &&
		(strcmp(kind_name, "tlsa-rrset") == 0 ||
			warnings_are_right(json_object_get(expect, "warnings"),
				json_object_get(got, "warnings"))) &&
		facts_are_right(expect, json_object_get(got, "value"));
	if (!ok) {
		char *want_text = json_dumps(expect, JSON_COMPACT | JSON_SORT_KEYS);
		char *got_text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);

		print_error("%s: want %s\n\tgot %s\n",
			json_string_value(json_object_get(vector, "id")), want_text, got_text);
		free(want_text);
		free(got_text);
	}
	json_decref(got);
	arena_free(arena);
	return ok;
}

/* The three kinds of mta-sts-policy.json that are about what came with the policy. */
static bool
run_transport(const json_t *vector, const char *kind)
{
	struct arena *arena = arena_new();
	struct finding_list findings;
	const json_t *expect = json_object_get(vector, "expect");
	const char *input = json_string_value(json_object_get(vector, "input"));
	const struct finding *first;
	enum verdict verdict;
	bool ok;

	finding_list_init(&findings, arena);
	if (strcmp(kind, "content-type") == 0)
		verdict = mta_sts_check_content_type(input, "policy", &findings);
	else if (strcmp(kind, "status") == 0)
		verdict = mta_sts_check_status(strtol(input, NULL, 10), "policy", &findings);
	else
		verdict = mta_sts_check_size(strtoull(input, NULL, 10), "policy", &findings);
	first = findings.count > 0 ? &findings.items[0] : NULL;
	ok = (verdict == VERDICT_PASS) == json_is_true(json_object_get(expect, "accept")) &&
		code_is_right(json_object_get(expect, "code"), first != NULL ? first->code : NULL);
	if (!ok)
		print_error("%s: %s\n", json_string_value(json_object_get(vector, "id")), input);
	arena_free(arena);
	return ok;
}

static void
test_group(void **state)
{
	const struct group *group = *state;
	json_t *vectors = load(group->file);
	size_t run = 0;
	size_t wrong = 0;
	size_t i;
	json_t *vector;

	json_array_foreach(vectors, i, vector)
	{
		const char *kind = json_string_value(json_object_get(vector, "kind"));

		if (kind == NULL ? group->kind != NULL
				 : group->kind == NULL || strcmp(kind, group->kind) != 0)
			continue;
		run++;
		wrong += group->lint != NULL ? !run_one(vector, group->lint)
					     : !run_transport(vector, group->kind);
	}
	json_decref(vectors);
	print_message("%s %s: %zu of %zu\n", group->file, group->kind != NULL ? group->kind : "",
		run - wrong, run);
	assert_int_equal(wrong, 0);
	assert_int_equal(run, group->count);
}

static struct group groups[] = {
	{"domain-name.json", NULL, "domain", 44},
	{"mta-sts-record.json", NULL, "mta-sts-record", 48},
	{"mta-sts-record.json", "rrset", "mta-sts-rrset", 8},
	{"mta-sts-policy.json", NULL, "mta-sts-policy", 92},
	{"mta-sts-policy.json", "content-type", NULL, 9},
	{"mta-sts-policy.json", "status", NULL, 5},
	{"mta-sts-policy.json", "size", NULL, 2},
	{"mx-pattern.json", NULL, "mx-match", 37},
	{"mx-pattern.json", "dns-id", "dns-id-match", 12},
	{"tlsrpt-record.json", NULL, "tlsrpt-record", 30},
	{"tlsrpt-record.json", "rrset", "tlsrpt-rrset", 3},
	{"dane-tlsa.json", "rdata", "tlsa", 25},
	{"dane-tlsa.json", "rrset", "tlsa-rrset", 7},
	{"dane-tlsa.json", "chain", "tlsa-chain", 35},
	{"smtp-reply.json", NULL, "smtp-reply", 28},
	{"smtp-reply.json", "greeting", "smtp-greeting", 5},
	{"smtp-reply.json", "ehlo", "smtp-ehlo", 7},
	{"smtp-reply.json", "starttls", "smtp-starttls", 5},
};

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(groups)];
	char names[ARRAY_LEN(groups)][64];

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s %s", groups[i].file,
			groups[i].kind != NULL ? groups[i].kind : "default");
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_group,
			.initial_state = &groups[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

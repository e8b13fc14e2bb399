#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "verifier/dane_check.h"
#include "verifier/tlsa.h"

#define LINES_MAX 64

/* The input of one vector of kind `chain`. */
struct chain_input {
	struct arena *arena;
	int64_t now_s;
	const char *names[LINES_MAX];
	size_t name_count;
	struct tlsa_record records[LINES_MAX];
	struct tlsa_set set;
	STACK_OF(X509) * chain;
};

static X509 *
certificate(const char *base64)
{
	size_t len = strlen(base64);
	unsigned char *der = xcalloc(len + 1, 1);
	const unsigned char *p = der;
	int n = EVP_DecodeBlock(der, (const unsigned char *)base64, (int)len);
	X509 *x;

	assert_true(n > 0);
	x = d2i_X509(NULL, &p, n);
	assert_non_null(x);
	free(der);
	return x;
}

static void
chain_read(struct chain_input *in, const char *input)
{
	char *text, *line, *save = NULL;

	memset(in, 0, sizeof(*in));
	in->arena = arena_new();
	in->chain = sk_X509_new_null();
	in->set.records = in->records;
	text = arena_strdup(in->arena, input);
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');

		assert_non_null(value);
		*value++ = '\0';
		assert_in_range(in->set.count, 0, LINES_MAX - 1);
		if (strcmp(line, "time") == 0)
			assert_int_equal(clock_parse(value, strlen(value), &in->now_s), 0);
		else if (strcmp(line, "name") == 0)
			in->names[in->name_count++] = value;
		else if (strcmp(line, "tlsa") == 0)
			tlsa_record_from_text(
				value, strlen(value), in->arena, &in->records[in->set.count++]);
		else if (strcmp(line, "cert") == 0)
			assert_true(sk_X509_push(in->chain, certificate(value)) > 0);
		else
			fail_msg("unknown line %s", line);
	}
	tlsa_set_judge(&in->set);
}

static void
chain_clear(struct chain_input *in)
{
	sk_X509_pop_free(in->chain, X509_free);
	arena_free(in->arena);
}

static bool
code_is(const json_t *expect, const char *code)
{
	const json_t *want = json_object_get(expect, "code");
	const json_t *item;
	size_t i;

	if (want == NULL)
		return code == NULL;
	if (json_is_string(want))
		return code != NULL && strcmp(code, json_string_value(want)) == 0;
	json_array_foreach(want, i, item)
	{
		if (code != NULL && strcmp(code, json_string_value(item)) == 0)
			return true;
	}
	return false;
}

static int
check_chain(struct dane_checker *checker, const char *id, const char *input, const json_t *expect)
{
	struct chain_input in;
	struct dane_match match;
	const char *want = json_string_value(json_object_get(expect, "result"));
	int bad = 0;

	chain_read(&in, input);
	dane_match(checker, &in.set, in.chain, in.names, in.name_count, in.now_s, in.arena, &match);
	if (strcmp(dane_result_name(match.result), want) != 0 || !code_is(expect, match.code)) {
		print_error("%s: got %s (%s: %s), want %s\n", id, dane_result_name(match.result),
			match.code == NULL ? "" : match.code,
			match.message == NULL ? "" : match.message, want);
		bad = 1;
	}
	if (match.result == DANE_MATCH &&
		(match.depth != json_integer_value(json_object_get(expect, "depth")) ||
			(json_int_t)match.record !=
				json_integer_value(json_object_get(expect, "record")))) {
		print_error("%s: got record %zu at depth %d\n", id, match.record, match.depth);
		bad = 1;
	}
	chain_clear(&in);
	return bad;
}

static enum dane_lookup
lookup(const char *word)
{
	static const struct {
		const char *word;
		enum dane_lookup lookup;
	} words[] = {
		{"secure", DANE_LOOKUP_SECURE},
		{"insecure", DANE_LOOKUP_INSECURE},
		{"absent", DANE_LOOKUP_ABSENT},
		{"bogus", DANE_LOOKUP_BOGUS},
		{"servfail", DANE_LOOKUP_FAILED},
		{"timeout", DANE_LOOKUP_FAILED},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i].word) == 0)
			return words[i].lookup;
	}
	fail_msg("unknown look-up %s", word);
	return DANE_LOOKUP_NOT_ASKED;
}

static int
check_state(const char *id, const char *input, const json_t *expect)
{
	struct dane_inputs in = {0};
	const char *want = json_string_value(json_object_get(expect, "dane")), *code, *got;
	char *text = xstrdup(input), *line, *save = NULL;
	int bad = 0;

	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char what[16], first[16], second[16] = "";

		assert_true(sscanf(line, "%15s %15s %15s", what, first, second) >= 2);
		if (strcmp(what, "mx") == 0) {
			in.mx = lookup(first);
		} else if (strcmp(what, "address") == 0) {
			in.address = lookup(first);
		} else if (strcmp(what, "tlsa") == 0) {
			in.tlsa = lookup(first);
			in.usable = strcmp(second, "usable") == 0;
		} else if (strcmp(what, "chain") == 0) {
			in.session = strcmp(first, "match") == 0 ? DANE_SESSION_MATCH
				: strcmp(first, "mismatch") == 0 ? DANE_SESSION_MISMATCH
								 : DANE_SESSION_NONE;
		} else {
			fail_msg("unknown line %s", line);
		}
	}
	got = dane_state_name(dane_combine(&in, &code));
	if (strcmp(got, want) != 0 || !code_is(expect, code)) {
		print_error("%s: got %s (%s), want %s\n", id, got, code == NULL ? "" : code, want);
		bad = 1;
	}
	free(text);
	return bad;
}

static void
vectors(void **state UNUSED)
{
	const char *dir = getenv("TESTDIR");
	char *path = xasprintf("%s/vectors/dane-tlsa.json", dir == NULL ? "tests" : dir);
	struct dane_checker *checker = NULL;
	struct error err;
	json_t *all = json_load_file(path, 0, NULL), *v;
	size_t i;
	int bad = 0, chains = 0, states = 0;

	if (all == NULL)
		fail_msg("cannot read %s", path);
	assert_int_equal(dane_checker_new(&checker, &err), 0);
	json_array_foreach(all, i, v)
	{
		const char *kind = json_string_value(json_object_get(v, "kind"));
		const char *id = json_string_value(json_object_get(v, "id"));
		const char *input = json_string_value(json_object_get(v, "input"));
		const json_t *expect = json_object_get(v, "expect");

		if (strcmp(kind, "chain") == 0) {
			bad += check_chain(checker, id, input, expect);
			chains++;
		} else if (strcmp(kind, "state") == 0) {
			bad += check_state(id, input, expect);
			states++;
		}
	}
	assert_int_equal(bad, 0);
	assert_true(chains >= 35 && states >= 12);
	dane_checker_free(checker);
	json_decref(all);
	free(path);
}

/* Rules that the vectors leave out. */
static void
states(void **state UNUSED)
{
	static const struct {
		struct dane_inputs in;
		enum dane_state state;
		const char *code;
	} rows[] = {
		/* R12.2 */
		{{DANE_LOOKUP_INSECURE, DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, true,
			 DANE_SESSION_MATCH},
			DANE_STATE_HOST_ONLY, "dane-mx-insecure"},
		{{DANE_LOOKUP_INSECURE, DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, true,
			 DANE_SESSION_MISMATCH},
			DANE_STATE_FAIL, "tlsa-mismatch"},
		/* R12.3 */
		{{DANE_LOOKUP_SECURE, DANE_LOOKUP_BOGUS, DANE_LOOKUP_NOT_ASKED, false,
			 DANE_SESSION_NONE},
			DANE_STATE_DEFER, "dnssec-bogus"},
		{{DANE_LOOKUP_SECURE, DANE_LOOKUP_FAILED, DANE_LOOKUP_NOT_ASKED, false,
			 DANE_SESSION_NONE},
			DANE_STATE_DEFER, "dns-temporary"},
		/* R12.11, usable or not */
		{{DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, true,
			 DANE_SESSION_NO_STARTTLS},
			DANE_STATE_FAIL, "dane-starttls-missing"},
		{{DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, false,
			 DANE_SESSION_NO_STARTTLS},
			DANE_STATE_FAIL, "dane-starttls-missing"},
		/* Nobody answered: neither good nor bad. */
		{{DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, DANE_LOOKUP_SECURE, true,
			 DANE_SESSION_NONE},
			DANE_STATE_UNREACHABLE, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *code;
		enum dane_state got = dane_combine(&rows[i].in, &code);

		if (got != rows[i].state || (code == NULL) != (rows[i].code == NULL) ||
			(code != NULL && strcmp(code, rows[i].code) != 0))
			fail_msg("row %zu: got %s %s", i, dane_state_name(got),
				code == NULL ? "" : code);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(states),
	};

	return cmocka_run_group_tests_name("dane", tests, NULL, NULL);
}

/* What a targets role leaves to others: which roles are asked about a target, in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/json.h"
#include "export/tuf_delegation.h"

#define NOBODY "\"keyids\":[],\"threshold\":1"
#define ROLE(name, member, terminating) \
	"{\"name\":\"" name "\"," NOBODY "," member ",\"terminating\":" terminating "}"
#define PATHS(list)        "\"paths\":[" list "]"
#define PREFIXES(list)     "\"path_hash_prefixes\":[" list "]"
#define DELEGATIONS(roles) "{\"delegations\":{\"keys\":{},\"roles\":[" roles "]}}"
#define BINS(bits, prefix) \
	"{\"delegations\":{\"keys\":{},\"succinct_roles\":{" NOBODY ",\"bit_length\":" bits \
	",\"name_prefix\":\"" prefix "\"}}}"

static int
parse(const char *text, json_t **document, struct tuf_delegations **out, struct error *err)
{
	error_clear(err);
	assert_int_equal(json_parse(text, strlen(text), document, err), 0);
	return tuf_delegations_parse(*document, out, err);
}

/* The names of the roles that may know the target, in order. */
static void
ask(const char *text, const char *target, char *names, size_t size)
{
	struct tuf_delegations *d;
	struct tuf_delegation next;
	json_t *document;
	struct error err;
	size_t i = 0;

	assert_int_equal(parse(text, &document, &d, &err), 0);
	names[0] = '\0';
	while (tuf_delegations_next(d, target, &i, &next) > 0) {
		size_t len = strlen(names);

		(void)snprintf(names + len, size - len, "%s%s%s", len > 0 ? " " : "", next.name,
			next.terminating ? "!" : "");
	}
	tuf_delegations_free(d);
	json_decref(document);
}

static void
test_next(void **state UNUSED)
{
	/* SHA-256 of "a/b" begins with c14cddc0. */
	static const struct {
		const char *text, *target, *want;
	} cases[] = {
		{"{}", "x", ""},
		{DELEGATIONS(""), "x", ""},
		{DELEGATIONS(ROLE("a", PATHS("\"*\""), "false")), "x", "a"},
		{DELEGATIONS(ROLE("a", PATHS("\"*\""), "false")), "d/x", ""},
		{DELEGATIONS(ROLE("a", PATHS("\"d/*\""), "true")), "d/x", "a!"},
		{DELEGATIONS(ROLE("a", PATHS("\"d/?\",\"y\""), "false")), "d/xx", ""},
		{DELEGATIONS(ROLE("a", PATHS("\"D/*\""), "false")), "d/x", ""},
		{DELEGATIONS(ROLE("b", PATHS("\"*\""), "false") "," ROLE(
			 "a", PATHS("\"x\""), "true") "," ROLE("c", PATHS("\"*\""), "false")),
			"x", "b a! c"},
		{DELEGATIONS(ROLE("a", PREFIXES("\"c14c\""), "false")), "a/b", "a"},
		{DELEGATIONS(ROLE("a", PREFIXES("\"d7\",\"c15\""), "false")), "a/b", ""},
		{BINS("8", "bin"), "a/b", "bin-c1!"},
		{BINS("1", "bin"), "a/b", "bin-1!"},
		{BINS("10", "p"), "a/b", "p-305!"},
		{BINS("32", "p"), "a/b", "p-c14cddc0!"},
	};
	char names[2000];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(cases[i].text, cases[i].target, names, sizeof(names));
		if (strcmp(names, cases[i].want) != 0)
			fail_msg("%s of %s: \"%s\", want \"%s\"", cases[i].target, cases[i].text,
				names, cases[i].want);
	}
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"{\"delegations\":1}", "not an object"},
		{"{\"delegations\":{\"keys\":{}}}", "want either \"roles\" or \"succinct_roles\""},
		{"{\"delegations\":{\"roles\":[]}}", "keys"},
		{DELEGATIONS("1"), "not an object"},
		{DELEGATIONS(ROLE("", PATHS(""), "false")), "0 octets"},
		{DELEGATIONS(ROLE("root", PATHS(""), "false")), "called \"root\""},
		{DELEGATIONS(ROLE("targets", PATHS(""), "false")), "called \"targets\""},
		{DELEGATIONS(ROLE("a", PATHS(""), "false") "," ROLE("a", PATHS(""), "false")),
			"stands twice"},
		{DELEGATIONS(ROLE("a", PATHS("1"), "false")), "list of strings"},
		{DELEGATIONS(ROLE("a", PATHS("") "," PREFIXES(""), "false")), "want either"},
		{DELEGATIONS("{\"name\":\"a\"," NOBODY ",\"terminating\":false}"), "want either"},
		{DELEGATIONS("{\"name\":\"a\"," NOBODY "," PATHS("") "}"), "not a boolean"},
		{DELEGATIONS("{\"name\":\"a\",\"keyids\":[],\"threshold\":0," PATHS(
			 "") ",\"terminating\":false}"),
			"threshold"},
		{BINS("0", "b"), "bit_length"},
		{BINS("33", "b"), "bit_length"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_delegations *d;
		json_t *document;
		struct error err;

		if (parse(cases[i].text, &document, &d, &err) == 0)
			fail_msg("taken: %s", cases[i].text);
		assert_null(d);
		assert_int_equal(err.kind, ERROR_INPUT);
		if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("%s: \"%s\", want \"%s\"", cases[i].text, err.text, cases[i].why);
		json_decref(document);
	}
}

static void
test_target_names(void **state UNUSED)
{
	static const char *const good[] = {
		"a", "list.json", "a/b/c", "...", "a/.b", "a b", "\xc3\xa9"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..",
		"a/./b", "a\\b", "a\nb", "a\x7f"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!tuf_target_name_valid(good[i]))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (tuf_target_name_valid(bad[i]))
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_target_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

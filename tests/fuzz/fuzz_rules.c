/* The administrator's rules: what is taken is within its limits, and reads the same when it is written
 * again. */
#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "export/list.h"
#include "tests/fuzz/helper.h"
#include "updater/overlay.h"
#include "updater/rules.h"

/* 2026-11-23T12:00:00Z */
#define NOW      INT64_C(1795435200)
#define TEXT_MAX ((size_t)64 << 20)

static struct rules *
parse(const char *text, size_t len, struct error *err)
{
	struct rules *r = rules_new();

	if (rules_add_text(r, "rules", text, len, err) < 0) {
		rules_free(r);
		return NULL;
	}
	rules_settle(r);
	return r;
}

/* An addition is an entry as lists have them; an exception always goes before it. */
static void
check_decision(const struct rules *r, const struct rule *rule)
{
	struct overlay_entry e;

	if (!overlay_decide(rule->domain, NULL, NULL, 0, r, NOW, &e)) {
		assert(rules_find(r, RULE_ADD, rule->domain) == NULL);
		return;
	}
	assert(list_policy_fault(&e.entry.policy) == NULL);
	assert(strcmp(e.entry.domain, rule->domain) == 0);
	assert(!e.listed && e.rule != NULL && strcmp(e.rule->domain, rule->domain) == 0);
	assert(e.kind == OVERLAY_ADDED || e.kind == OVERLAY_EXCEPTED);
	if (rule->kind == RULE_EXCEPT && rule_is_in_force(rule, NOW))
		assert(e.kind == OVERLAY_EXCEPTED && e.rule == rule);
}

static void
check_rules(const struct rules *r, struct buf *out)
{
	for (size_t i = 0; i < rules_count(r); i++) {
		const struct rule *rule = rules_nth(r, i);

		assert(list_domain_valid(rule->domain, strlen(rule->domain)));
		assert(rule->line >= 1 && strcmp(rule->file, "rules") == 0);
		assert(rules_find(r, rule->kind, rule->domain) == rule);
		if (i > 0) {
			const struct rule *before = rules_nth(r, i - 1);
			int order = strcmp(before->domain, rule->domain);

			assert(order < 0 || (order == 0 && before->kind < rule->kind));
		}
		check_decision(r, rule);
		rule_format(rule, out);
		buf_add_char(out, '\n');
	}
	if (rules_early_all(r) != NULL) {
		rule_format(rules_early_all(r), out);
		buf_add_char(out, '\n');
	}
	assert(!buf_failed(out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct rules *r = parse((const char *)data, size, &err), *again;
	char digest[65], digest_again[65];
	struct buf one, two;

	if (r == NULL) {
		helper_check_error(&err, 1U << ERROR_CONFIG);
		assert(str_starts(err.text, "rules:"));
		return 0;
	}
	buf_init(&one, TEXT_MAX);
	buf_init(&two, TEXT_MAX);
	check_rules(r, &one);
	again = parse(buf_str(&one), one.len, &err);
	assert(again != NULL && rules_void_count(again) == 0);
	check_rules(again, &two);
	assert(one.len == two.len && (one.len == 0 || memcmp(one.data, two.data, one.len) == 0));
	rules_digest(r, NOW, digest);
	rules_digest(again, NOW, digest_again);
	assert(strcmp(digest, digest_again) == 0);
	rules_free(r);
	rules_free(again);
	buf_clear(&one);
	buf_clear(&two);
	return 0;
}

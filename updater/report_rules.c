#include "updater/report_rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/overlay.h"
#include "updater/rules.h"
#include "updater/settings.h"
#include "updater/state.h"
#include "updater/when.h"

/* Exceptions with an end that are named one by one. */
#define NAMED_MAX 10

#define INDENT "             "

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void
tell_rule_text(const struct rule *rule, FILE *out)
{
	struct buf text;

	buf_init(&text, 2 * RULES_LINE_MAX);
	rule_format(rule, &text);
	fputs(buf_str(&text), out);
	buf_clear(&text);
}

/* --- status -------------------------------------------------------------------------------------
 */

static int
compare_until(const void *x, const void *y)
{
	const struct rule *const *a = x, *const *b = y;

	if ((*a)->until_s != (*b)->until_s)
		return (*a)->until_s < (*b)->until_s ? -1 : 1;
	return strcmp((*a)->domain, (*b)->domain);
}

/* Those that end, soonest first; those that have, before them. */
static void
tell_ends(const struct rules *rules, int64_t now_s, FILE *out)
{
	const struct rule **ending = xcalloc(rules_count(rules) + 1, sizeof(*ending));
	char text[WHEN_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < rules_count(rules); i++)
		if (rules_nth(rules, i)->until_s != 0)
			ending[count++] = rules_nth(rules, i);
	qsort(ending, count, sizeof(*ending), compare_until);
	for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
		fputs(INDENT, out);
		tell_rule_text(ending[i], out);
		fprintf(out, ": %s %s\n",
			rule_is_in_force(ending[i], now_s) ? "runs out" : "ran out",
			when(ending[i]->until_s, now_s, text));
	}
	if (count > NAMED_MAX)
		fprintf(out, INDENT "and %zu more that end later\n", count - NAMED_MAX);
	free(ending);
}

static void
tell_effect(
	const struct rules *rules, const struct state_map *m, size_t exceptions, int64_t now_s, FILE *out)
{
	char digest[sizeof(m->rules)];

	rules_digest(rules, now_s, digest);
	if (strcmp(digest, m->rules) != 0) {
		fprintf(out, INDENT "changed since the map was made: the next run of "
				    "preload25-update takes them\n");
		return;
	}
	if (m->lines_added > 0)
		fprintf(out,
			INDENT "%" PRId64 " line%s of your own, %" PRId64
			       " in place of an entry of the list\n",
			m->lines_added, plural((size_t)m->lines_added), m->lines_added_listed);
	if (m->lines_early > 0)
		fprintf(out, INDENT "%" PRId64 " enforced though in testing mode\n", m->lines_early);
	if (m->left_added > 0)
		fprintf(out, INDENT "%" PRId64 " without a line: explain says why\n",
			m->left_added);
	if ((int64_t)exceptions > m->left_excepted)
		fprintf(out,
			INDENT "%" PRId64 " exception%s without effect: nothing is listed there\n",
			(int64_t)exceptions - m->left_excepted,
			plural(exceptions - (size_t)m->left_excepted));
}

int
report_rules_status(const struct update_settings *s, const struct state_map *m, int64_t now_s,
	FILE *out, struct error *err)
{
	size_t count[RULE_KINDS] = {0}, in_force = 0;
	struct rules *rules;

	if (rules_load(&s->rules, &rules, err) < 0) {
		fprintf(out, "your rules   cannot be read; the map has the last ones that could\n");
		return -1;
	}
	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_nth(rules, i);

		count[rule->kind]++;
		in_force += rule->kind == RULE_EXCEPT && rule_is_in_force(rule, now_s);
	}
	if (rules_count(rules) > 0 || rules_early_all(rules) != NULL) {
		fprintf(out, "your rules   %zu exception%s, %zu addition%s, ", count[RULE_EXCEPT],
			plural(count[RULE_EXCEPT]), count[RULE_ADD], plural(count[RULE_ADD]));
		if (rules_early_all(rules) != NULL)
			fprintf(out, "early adopter of all\n");
		else
			fprintf(out, "%zu early adopter%s\n", count[RULE_EARLY],
				plural(count[RULE_EARLY]));
		tell_ends(rules, now_s, out);
		if (rules_void_count(rules) > 0)
			fprintf(out, INDENT "%zu made void by later ones\n",
				rules_void_count(rules));
	}
	if (rules_count(rules) > 0 || rules_early_all(rules) != NULL || m->rules[0] != '\0')
		tell_effect(rules, m, in_force, now_s, out);
	rules_free(rules);
	return 0;
}

/* --- explain ------------------------------------------------------------------------------------
 */

static void
tell_rule(const char *label, const struct rule *rule, FILE *out)
{
	fprintf(out, "%-12s ", label);
	tell_rule_text(rule, out);
	fprintf(out, " (%s:%" PRId64 ")\n", rule->file, rule->line);
}

void
report_rules_winner(const struct overlay_entry *e, const struct list_entry *listed,
	const char *tag, const struct rules *rules, int64_t now_s, FILE *out)
{
	const char *domain = e->entry.domain;
	const struct rule *except = rules_find(rules, RULE_EXCEPT, domain),
			  *add = rules_find(rules, RULE_ADD, domain);
	char text[WHEN_SIZE];

	if (e->rule != NULL)
		tell_rule("rule", e->rule, out);
	if (e->kind == OVERLAY_EXCEPTED && e->rule->until_s != 0)
		fprintf(out, "runs out     %s\n", when(e->rule->until_s, now_s, text));
	if (e->kind == OVERLAY_EXCEPTED && add != NULL)
		tell_rule("instead of", add, out);
	if (e->rule != NULL && listed != NULL)
		fprintf(out, "instead of   list %" PRId64 "%s, mode %s\n", e->header->version, tag,
			list_mode_name(listed->policy.mode));
	switch (e->kind) {
	case OVERLAY_LISTED:
	case OVERLAY_TRIAL:
	case OVERLAY_UNTRUSTED:
		break;
	case OVERLAY_EARLY:
		fprintf(out, "why          %s: testing counts as enforce\n",
			e->rule != NULL ? "your rules go before the list"
					: "its list has trust = early-adopter");
		break;
	case OVERLAY_ADDED:
		fprintf(out, "why          your additions go before the list\n");
		break;
	case OVERLAY_EXCEPTED:
		fprintf(out, "why          your exceptions go before additions and the list\n");
		break;
	}
	if (except != NULL && !rule_is_in_force(except, now_s)) {
		tell_rule("run out", except, out);
		fprintf(out, INDENT "over since %s\n", when(except->until_s, now_s, text));
	}
}

const struct rule *
report_rules_idle(const struct rules *rules, const char *domain, int64_t now_s)
{
	const struct rule *except = rules_find(rules, RULE_EXCEPT, domain),
			  *early = rules_find(rules, RULE_EARLY, domain);

	if (except != NULL && rule_is_in_force(except, now_s))
		return except;
	return early != NULL && early->domain != NULL ? early : NULL;
}

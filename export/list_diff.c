#include "export/list_diff.h"

#include <stdbool.h>
#include <string.h>

#include "common/error.h"
#include "export/list.h"
#include "export/list_reader.h"

/* Whether the patterns allow every host that this pattern allows. */
static bool
covers(const struct list_policy *policy, const char *pattern)
{
	const char *parent = strchr(pattern, '.');

	for (size_t i = 0; i < policy->mxs_count; i++) {
		const char *p = policy->mxs[i];

		if (strcmp(p, pattern) == 0)
			return true;
		/* A wildcard stands for one whole label (RFC 8461 section 4.1). */
		if (p[0] == '*' && pattern[0] != '*' && strcmp(p + 1, parent) == 0)
			return true;
	}
	return false;
}

static bool
is_relaxed(const struct list_policy *before, const struct list_policy *after)
{
	if ((before->auth_dane && !after->auth_dane) || (before->auth_pkix && !after->auth_pkix))
		return true;
	if (after->max_age_s < before->max_age_s || strcmp(after->tls, before->tls) < 0)
		return true;
	for (size_t i = 0; i < after->mxs_count; i++)
		if (!covers(before, after->mxs[i]))
			return true;
	return false;
}

static void
compare(const struct list_policy *before, const struct list_policy *after, struct list_diff *out)
{
	if (list_policy_equal(before, after))
		return;
	out->changed++;
	if (before->mode == LIST_MODE_ENFORCE && after->mode == LIST_MODE_TESTING)
		out->demoted++;
	else if (is_relaxed(before, after))
		out->relaxed++;
}

int
list_diff(struct list_reader *before, struct list_reader *after, struct list_diff *out,
	struct error *err)
{
	const struct list_entry *b = NULL, *a = NULL;
	int have_b = 0, have_a;

	memset(out, 0, sizeof(*out));
	if (before != NULL && (have_b = list_reader_next(before, &b, err)) < 0)
		return -1;
	if ((have_a = list_reader_next(after, &a, err)) < 0)
		return -1;
	while (have_b > 0 || have_a > 0) {
		int order = have_b == 0 ? 1 : have_a == 0 ? -1 : strcmp(b->domain, a->domain);

		if (order < 0)
			out->removed++;
		else if (order > 0)
			out->added++;
		else
			compare(&b->policy, &a->policy, out);
		if (order <= 0) {
			out->before++;
			if ((have_b = list_reader_next(before, &b, err)) < 0)
				return -1;
		}
		if (order >= 0) {
			out->after++;
			if ((have_a = list_reader_next(after, &a, err)) < 0)
				return -1;
		}
	}
	return 0;
}

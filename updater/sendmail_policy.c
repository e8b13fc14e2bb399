#include "updater/sendmail_policy.h"

#include <assert.h>
#include <libpsl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/buf.h"
#include "export/list.h"

/* Patterns as Sendmail writes them: "mx1.example.net", ".example.net" for one label more. */
struct names {
	const char *name[LIST_MXS_MAX];
	size_t count;
	size_t len; /* joined by colons */
};

static void
add(struct names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->name[i], name) == 0)
			return;
	n->len += strlen(name) + (n->count > 0);
	n->name[n->count++] = name;
}

/* The wildcard that takes in this pattern: itself, or that of its parent where that is nobody's
 * public suffix; NULL: there is none. */
static const char *
wildcard_of(const char *pattern)
{
	const char *dot;

	if (pattern[0] == '*')
		return pattern + 1;
	dot = strchr(pattern, '.');
	if (dot == NULL || strchr(dot + 1, '.') == NULL ||
		psl_is_public_suffix(psl_builtin(), dot + 1))
		return NULL;
	return dot;
}

/* widen: every host by its parent's wildcard, where that stands for two at least. */
static void
collect(const struct list_policy *p, bool widen, struct names *out)
{
	out->count = out->len = 0;
	for (size_t i = 0; i < p->mxs_count; i++) {
		const char *wide = wildcard_of(p->mxs[i]);
		bool shared = false;

		for (size_t k = 0; widen && wide != NULL && !shared && k < p->mxs_count; k++) {
			const char *other = k == i ? NULL : wildcard_of(p->mxs[k]);

			shared = other != NULL && strcmp(other, wide) == 0;
		}
		add(out, shared || p->mxs[i][0] == '*' ? wide : p->mxs[i]);
	}
}

enum choice
sendmail_fit(const struct list_policy *policy)
{
	struct names n;

	collect(policy, false, &n);
	if (n.len <= SENDMAIL_MATCH_MAX)
		return CHOICE_PKIX;
	collect(policy, true, &n);
	return n.len <= SENDMAIL_MATCH_MAX ? CHOICE_WIDER : CHOICE_LEFT_LONG;
}

void
sendmail_add_secure(const struct list_policy *policy, enum choice choice, struct buf *out)
{
	struct names n;

	assert(choice == CHOICE_PKIX || choice == CHOICE_WIDER);
	collect(policy, choice == CHOICE_WIDER, &n);
	buf_add_str(out, "secure match=");
	for (size_t i = 0; i < n.count; i++) {
		if (i > 0)
			buf_add_char(out, ':');
		buf_add_str(out, n.name[i]);
	}
	buf_add_str(out, " servername=hostname");
}

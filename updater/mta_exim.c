/* Exim: cdb records that the routers and transports of "setup exim" read. The MX names are matched
 * by Exim itself, as a regular expression, before it connects. */
#include "updater/mta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/map_kinds.h"
#include "updater/resolver.h"
#include "updater/settings.h"
#include "updater/setup.h"
#include "updater/tool.h"

static void
decide(const struct update_settings *s, const char *before, const struct resolver_said *said,
	struct recipe *out)
{
	memset(out, 0, sizeof(*out));
	out->dane = mta_decide_dane(
		s, mta_had_dane(before), said, out->why_dane, sizeof(out->why_dane));
	/* Exim asks by glibc, which hides the AD bit unless it is told to trust the resolver. */
	if (out->dane && s->dane == DANE_AUTO && !resolver_trust_ad()) {
		out->dane = false;
		(void)snprintf(out->why_dane, sizeof(out->why_dane),
			"resolv.conf lacks \"options trust-ad\"");
	}
	(void)snprintf(out->text, sizeof(out->text), "exim cdb dane=%s", out->dane ? "yes" : "no");
}

static enum choice
choose(const struct recipe *r, const struct list_header *header, const struct list_entry *entry,
	int64_t now_s)
{
	return choice_of(header, entry, r->dane, true, now_s);
}

/* A pattern of RFC 8461 as a regular expression; names hold nothing else that is special there. */
static void
add_pattern(const char *name, struct buf *out)
{
	for (; *name != '\0'; name++) {
		if (*name == '*')
			buf_add_str(out, "[^.]+");
		else if (*name == '.')
			buf_add_str(out, "\\.");
		else
			buf_add_char(out, *name);
	}
}

static void
format(const struct recipe *r UNUSED, const struct list_entry *entry, enum choice choice,
	struct buf *out)
{
	const struct list_policy *p = &entry->policy;

	buf_addf(out, "auth=%s mx=^(",
		choice == CHOICE_DANE          ? "dane"
			: choice == CHOICE_ANY ? "any"
					       : "pkix");
	for (size_t i = 0; i < p->mxs_count; i++) {
		if (i > 0)
			buf_add_char(out, '|');
		add_pattern(p->mxs[i], out);
	}
	buf_add_str(out, ")$");
}

static int
ask(const struct update_settings *s, const char *file, const char *key, const char *want,
	struct error *err)
{
	char *program = tool_find(s->exim, "exim4");
	struct tool_result result = {0};
	char *expression = NULL, *complaint;
	int rc = -1;

	if (program == NULL)
		program = tool_find(NULL, "exim");
	/* Neither may end the expansion. */
	if (program == NULL || strpbrk(file, "{}$\\") != NULL) {
		log_info("%s: the new map was only looked into by this program",
			program == NULL ? "no exim here" : file);
		rc = 1;
		goto out;
	}
	expression = xasprintf("${lookup{%s}cdb{%s}}", key, file);
	{
		const char *const argv[] = {program, "-be", expression, NULL};

		if (tool_run(argv, TOOL_TIMEOUT_MS, &result, err) < 0)
			goto out;
	}
	if (result.status != 0) {
		complaint = tool_complaint(&result);
		error_set(err, ERROR_CONFIG, "%s -be: %s", program, complaint);
		free(complaint);
		goto out;
	}
	rc = mta_compare("exim -be", key, buf_str(&result.out),
		result.out.len > 0 ? result.out.len - 1 : 0, want, err);
out:
	tool_result_clear(&result);
	free(expression);
	free(program);
	return rc;
}

static const struct map_kind *const kinds[] = {&map_cdb};

static const char *const logs[] = {
	"/var/log/exim4/mainlog", "/var/log/exim/mainlog", "/var/log/exim/main.log", NULL};

const struct mta mta_exim = {
	.name = "exim",
	.title = "Exim",
	.kinds = kinds,
	.kind_count = ARRAY_LEN(kinds),
	.path = "/etc/preload25/exim.cdb",
	.decide = decide,
	.choose = choose,
	.format = format,
	.ask = ask,
	.logs = logs,
	.setup = setup_exim,
};

/* Sendmail: a hash map for FEATURE(sts) and the rules of "setup sendmail". */
#include "updater/mta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "updater/map_kinds.h"
#include "updater/sendmail_policy.h"
#include "updater/settings.h"
#include "updater/setup.h"
#include "updater/tool.h"

#define CF_MAX ((size_t)4 * 1024 * 1024)

static bool
cf_has(const char *path, const char *words, struct error *err)
{
	struct buf text;
	bool has;

	buf_init(&text, CF_MAX);
	has = file_read(path, &text, err) == 0 && strcasestr(buf_str(&text), words) != NULL;
	buf_clear(&text);
	return has;
}

/* Whether sendmail.cf has DANE switched on: releases without it refuse the option. */
static bool
cf_has_dane(const char *path, struct error *err)
{
	return cf_has(path, "\nO DANE=true", err);
}

/* The rules that look for the server's name in its certificate are there since "setup sendmail", as is the map. */
static bool
checks_names(const struct update_settings *s)
{
	struct error why = {0};

	return file_exists(s->map_file) && cf_has(s->sendmail_cf, s->map_file, &why) &&
		cf_has(s->sendmail_cf, "is not in the server certificate", &why);
}

static void
decide(const struct update_settings *s, const char *before, const struct resolver_said *said,
	struct recipe *out)
{
	struct error why = {0};

	memset(out, 0, sizeof(*out));
	out->dane = mta_decide_dane(
		s, mta_had_dane(before), said, out->why_dane, sizeof(out->why_dane));
	/* Without it each of these lines defers its mail for ever. */
	if (out->dane && s->dane == DANE_AUTO && !cf_has_dane(s->sendmail_cf, &why)) {
		out->dane = false;
		(void)snprintf(out->why_dane, sizeof(out->why_dane),
			"%.150s does not switch on DANE (Sendmail 8.18 can)", s->sendmail_cf);
	}
	(void)snprintf(
		out->text, sizeof(out->text), "sendmail hash dane=%s", out->dane ? "yes" : "no");
}

static enum choice
choose(const struct recipe *r, const struct list_header *header, const struct list_entry *entry,
	int64_t now_s)
{
	enum choice choice = choice_of(header, entry, r->dane, false, now_s);

	return choice == CHOICE_PKIX ? sendmail_fit(&entry->policy) : choice;
}

static void
format(const struct recipe *r UNUSED, const struct list_entry *entry, enum choice choice,
	struct buf *out)
{
	if (choice == CHOICE_DANE)
		buf_add_str(out, "dane-only");
	else
		sendmail_add_secure(&entry->policy, choice, out);
}

/* praliases looks keys up in any hash map, and prints "key:value". */
static int
ask(const struct update_settings *s, const char *file, const char *key, const char *want,
	struct error *err)
{
	char *program = tool_find(s->praliases, "praliases"), *line;
	struct tool_result result = {0};
	int rc = -1;

	if (program == NULL) {
		log_info("no praliases here: the new map was only looked into by this program");
		return 1;
	}
	line = xasprintf("%s:%s\n", key, want);
	{
		const char *const argv[] = {program, "-f", file, key, NULL};

		rc = tool_run(argv, TOOL_TIMEOUT_MS, &result, err);
	}
	if (rc == 0)
		rc = mta_compare("praliases", key, buf_str(&result.out), result.out.len, line, err);
	tool_result_clear(&result);
	free(line);
	free(program);
	return rc;
}

static const struct map_kind *const kinds[] = {&map_db_hash};

const struct mta mta_sendmail = {
	.name = "sendmail",
	.title = "Sendmail",
	.kinds = kinds,
	.kind_count = ARRAY_LEN(kinds),
	.path = "/etc/mail/preload25.db",
	.decide = decide,
	.choose = choose,
	.format = format,
	.ask = ask,
	.wider =
		"by more servers of the same operator than the entry names, which has too many for "
		"Sendmail",
	.logs = mta_syslog_files,
	.checks_names = checks_names,
	.setup = setup_sendmail,
};

/* Postfix: lines for smtp_tls_policy_maps, in cdb or lmdb, or as text that it reads whole. */
#include "updater/mta.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/postfix.h"
#include "updater/settings.h"
#include "updater/setup.h"
#include "updater/tool.h"

/* Whether main.cf asks our table already. */
static bool
table_in_use(const struct update_settings *s, const char *maps)
{
	char *table = map_table(s->kind, s->map_file);
	size_t count;
	char **names = postfix_maps_split(maps, &count);
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		found = found || strcmp(names[i], table) == 0;
		free(names[i]);
	}
	free(names);
	free(table);
	return found;
}

static bool
decide_dane(const struct update_settings *s, bool before, const struct resolver_said *said,
	bool have_postfix, char *const *values, char *why, size_t size)
{
	const char *maps = values[1] != NULL ? values[1] : "";
	const char *level = values[2] != NULL ? values[2] : "";

	if (s->dane == DANE_AUTO && !have_postfix) {
		(void)snprintf(why, size, "postconf cannot be asked");
		return before;
	}
	/* Without it each of these lines defers its mail. Before main.cf names the map nothing can
	 * go wrong, and setup sets both. */
	if (s->dane == DANE_AUTO && strcmp(level, "dnssec") != 0 && table_in_use(s, maps)) {
		(void)snprintf(why, size, "smtp_dns_support_level is not dnssec");
		return false;
	}
	return mta_decide_dane(s, before, said, why, size);
}

static void
decide(const struct update_settings *s, const char *before, const struct resolver_said *said,
	struct recipe *out)
{
	static const char *const names[] = {
		"mail_version", "smtp_tls_policy_maps", "smtp_dns_support_level"};
	char *values[ARRAY_LEN(names)] = {NULL};
	struct postfix_version version = {0};
	struct error why = {0};
	bool have = false, had_sts = before != NULL && strstr(before, " sts ") != NULL;

	memset(out, 0, sizeof(*out));
	if (s->format == POSTFIX_FORMAT_AUTO || s->dane == DANE_AUTO) {
		have = postfix_ask(s, names, ARRAY_LEN(names), true, values, &why) == 0;
		if (!have)
			log_info("%s", why.text);
	}
	out->format = s->format;
	if (out->format == POSTFIX_FORMAT_AUTO) {
		/* The plain form is understood everywhere; but protection is not dropped over a
		 * main.cf that cannot be read for a moment. */
		out->format = !have && had_sts ? POSTFIX_FORMAT_STS : POSTFIX_FORMAT_PLAIN;
		if (have && values[0] != NULL && postfix_version_parse(values[0], &version) == 0)
			out->format = postfix_format_for(&version);
	}
	out->dane = decide_dane(s, mta_had_dane(before), said, have, values, out->why_dane,
		sizeof(out->why_dane));
	(void)snprintf(out->text, sizeof(out->text), "%s %s %s dane=%s", s->mta->name,
		s->kind->name, postfix_format_name(out->format), out->dane ? "yes" : "no");
	postfix_values_clear(values, ARRAY_LEN(names));
}

static enum choice
choose(const struct recipe *r, const struct list_header *header, const struct list_entry *entry,
	int64_t now_s)
{
	return choice_of(header, entry, r->dane, false, now_s);
}

static void
format(const struct recipe *r, const struct list_entry *entry, enum choice choice, struct buf *out)
{
	postfix_policy_format(entry, choice, r->format, out);
}

static int
ask(const struct update_settings *s, const char *file, const char *key, const char *want,
	struct error *err)
{
	struct tool_result result = {0};
	char *table = map_table(s->kind, file), *complaint;
	size_t len = strlen(want);
	int rc = postfix_map_query(s, table, key, &result, err);

	if (rc > 0)
		log_info("no postmap here: the new map was only looked into by this program");
	if (rc == 0 &&
		(result.status != 0 || result.out.len != len + 1 ||
			memcmp(result.out.data, want, len) != 0)) {
		complaint = result.status == 0 ? xstrdup("another value") : tool_complaint(&result);
		rc = error_set(
			err, ERROR_CONFIG, "postmap -q %s %s: %s", key, table, complaint);
		free(complaint);
	}
	tool_result_clear(&result);
	free(table);
	return rc;
}

static int
reload(const struct update_settings *s, struct error *err)
{
	struct tool_result result = {0};
	char *file = tool_find(s->postfix, "postfix"), *complaint;
	const char *argv[5] = {file, "reload", NULL};
	int rc;

	if (file == NULL)
		return error_set(
			err, ERROR_CONFIG, "there is no postfix command to reload it with");
	if (s->config_dir != NULL) {
		argv[1] = "-c";
		argv[2] = s->config_dir;
		argv[3] = "reload";
	}
	rc = tool_run(argv, TOOL_TIMEOUT_MS, &result, err);
	if (rc == 0 && result.status != 0) {
		complaint = tool_complaint(&result);
		rc = error_set(err, ERROR_TEMP, "\"%s reload\" failed: %s", file, complaint);
		free(complaint);
	}
	tool_result_clear(&result);
	free(file);
	return rc;
}

static const struct map_kind *const kinds[] = {&map_cdb, &map_lmdb};
static const struct map_kind *const text_kinds[] = {&map_texthash};

/* syslog's. */
const struct mta mta_postfix = {
	.name = "postfix",
	.title = "Postfix",
	.kinds = kinds,
	.kind_count = ARRAY_LEN(kinds),
	.path = "/etc/postfix/preload",
	.decide = decide,
	.choose = choose,
	.format = format,
	.ask = ask,
	.reload = reload,
	.logs = mta_syslog_files,
	.setup = setup_postfix,
};

const struct mta mta_texthash = {
	.name = "texthash",
	.title = "Postfix",
	.kinds = text_kinds,
	.kind_count = ARRAY_LEN(text_kinds),
	.path = "/etc/postfix/preload",
	.decide = decide,
	.choose = choose,
	.format = format,
	.ask = ask,
	.reload = reload,
	.logs = mta_syslog_files,
	.setup = setup_postfix,
};

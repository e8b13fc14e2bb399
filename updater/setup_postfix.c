#include "updater/setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/job.h"
#include "updater/map.h"
#include "updater/postfix.h"
#include "updater/postfix_holes.h"
#include "updater/postfix_record.h"
#include "updater/settings.h"

#define MAIN_CF_MAX ((size_t)4 * 1024 * 1024)
#define CHANGES_MAX 8

/* Catches what the map cannot: Postfix asks it for a domain as it was typed, and DNS for its ASCII
 * form. Domains that are not ASCII then need a certificate that names their MX. */
static const char non_ascii[] = "regexp:{{/[^ -~]/ secure match=hostname servername=hostname}}";

enum param {
	P_VERSION,
	P_MAPS,
	P_LEVEL,
	P_ENFORCE,
	P_DNS,
	P_CAFILE,
	P_TLS_REQUIRED,
	P_STS_PATTERNS,
	P_COUNT
};

static const char *const names[P_COUNT] = {
	[P_VERSION] = "mail_version",
	[P_MAPS] = "smtp_tls_policy_maps",
	[P_LEVEL] = "smtp_tls_security_level",
	[P_ENFORCE] = "smtp_enforce_tls",
	[P_DNS] = "smtp_dns_support_level",
	[P_CAFILE] = "smtp_tls_CAfile",
	[P_TLS_REQUIRED] = "tls_required_enable",
	[P_STS_PATTERNS] = "smtp_tls_enforce_sts_mx_patterns",
};

struct change {
	enum param param;
	char *value; /* owned */
	const char *why;
};

struct setup {
	const struct update_settings *s;
	const struct setup_options *options;
	char *raw[P_COUNT];      /* as main.cf has it; NULL: unknown to this version */
	char *expanded[P_COUNT]; /* with $names replaced */
	struct postfix_version version;
	struct postfix_record *record; /* owned; of earlier runs */
	struct change changes[CHANGES_MAX];
	size_t change_count;
};

static const char *
value(const struct setup *u, enum param p)
{
	return u->expanded[p] != NULL ? u->expanded[p] : "";
}

static void
change(struct setup *u, enum param p, char *text, const char *why)
{
	struct change *c = &u->changes[u->change_count++];

	c->param = p;
	c->value = text;
	c->why = why;
}

/* --- what there is to change --------------------------------------------------------------------
 */

/* Behind a brace that is never closed our table would be part of another one's text. */
static bool
braces_closed(const char *text)
{
	int depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '{')
			depth++;
		else if (*text == '}' && depth > 0)
			depth--;
	}
	return depth == 0;
}

/* Whether a map is one that setup has put there, when [install] path or type were others: nobody renews it any
 * more, and in front of the present one its lines would hold for ever. */
static bool
is_former(const struct setup *u, const char *map, const char *table)
{
	return strcmp(map, table) != 0 && postfix_record_has_table(u->record, map);
}

/* The administrator's own maps first: the first that answers wins. */
static void
plan_maps(struct setup *u)
{
	char *table = map_table(u->s->kind, u->s->map_file);
	const char *text = u->raw[P_MAPS] != NULL ? u->raw[P_MAPS] : "";
	size_t count;
	char **maps = postfix_maps_split(text, &count);
	bool have_table = false, have_regexp = false, have_former = false;
	struct buf list;

	buf_init(&list, MAIN_CF_MAX);
	for (size_t i = 0; i < count; i++) {
		have_table = have_table || strcmp(maps[i], table) == 0;
		have_regexp = have_regexp || strcmp(maps[i], non_ascii) == 0;
		have_former = have_former || is_former(u, maps[i], table);
	}
	for (size_t i = 0; i < count; i++) {
		/* Where the table is missing, the regexp goes behind it. */
		if ((have_table || strcmp(maps[i], non_ascii) != 0) && !is_former(u, maps[i], table))
			buf_addf(&list, "%s%s", list.len > 0 ? ", " : "", maps[i]);
		free(maps[i]);
	}
	free(maps);
	if (!have_table)
		buf_addf(&list, "%s%s, %s", list.len > 0 ? ", " : "", table, non_ascii);
	else if (!have_regexp)
		buf_addf(&list, ", %s", non_ascii);
	if (!have_table || !have_regexp || have_former)
		change(u, P_MAPS, buf_take(&list),
			have_former  ? "asks the list where it is now, and not the one of before, which nobody renews"
			: have_table ? "domains that are not written in ASCII go around the list"
				     : "asks the list, after your own maps");
	buf_clear(&list);
	free(table);
}

static void
plan(struct setup *u)
{
	static const char *const weak[] = {"", "none", "may"};
	/* The older way to require TLS of all servers, which counts while there is no level. */
	const bool enforced = value(u, P_LEVEL)[0] == '\0' && strcmp(value(u, P_ENFORCE), "yes") == 0;

	plan_maps(u);
	/* CAfile even where there is a CApath: Debian's chroot has a copy of that which ages. */
	if (value(u, P_CAFILE)[0] == '\0')
		change(u, P_CAFILE, xstrdup(u->s->ca_file),
			"without certificates to trust, no certificate is verified and mail waits");
	if (strcmp(value(u, P_DNS), "dnssec") != 0)
		change(u, P_DNS, xstrdup("dnssec"), "domains with DANE are deferred without it");
	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		if (!enforced && strcmp(value(u, P_LEVEL), weak[i]) == 0)
			change(u, P_LEVEL, xstrdup("dane"),
				"for domains that are not listed: DANE where it is published, TLS "
				"where "
				"it is offered");
	if (u->expanded[P_TLS_REQUIRED] != NULL && strcmp(value(u, P_TLS_REQUIRED), "no") != 0)
		change(u, P_TLS_REQUIRED, xstrdup("no"),
			"else a message with the header \"TLS-Required: no\" goes around the list");
	if (postfix_format_for(&u->version) == POSTFIX_FORMAT_STS &&
		u->expanded[P_STS_PATTERNS] != NULL && strcmp(value(u, P_STS_PATTERNS), "no") == 0)
		change(u, P_STS_PATTERNS, xstrdup("yes"),
			"lets Postfix also check the names of the mail servers");
}

static void
tell_changes(const struct setup *u)
{
	FILE *out = u->options->out;

	for (size_t i = 0; i < u->change_count; i++)
		fprintf(out, "# %s\n%s = %s\n", u->changes[i].why, names[u->changes[i].param],
			u->changes[i].value);
}

/* --- doing it -----------------------------------------------------------------------------------
 */

/* Whether Postfix can read maps of our type (cdb is a package of its own in Debian). */
static int
check_type(const struct setup *u, struct error *err)
{
	char *types = NULL, *line, *rest;
	bool found = false;

	if (postfix_conf(u->s, "-m", NULL, 0, &types, err) < 0)
		return -1;
	for (line = strtok_r(types, " \n", &rest); line != NULL;
		line = strtok_r(NULL, " \n", &rest))
		found = found || strcmp(line, u->s->kind->name) == 0;
	free(types);
	if (found)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"this Postfix cannot read %s maps, and would keep all mail: install postfix-%s",
		u->s->kind->name, u->s->kind->name);
}

static int
backup(const struct setup *u, char **path, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];
	char *dir = NULL, *main_cf = NULL;
	struct stat st;
	struct buf bytes;
	int rc = -1;

	*path = NULL;
	buf_init(&bytes, MAIN_CF_MAX);
	clock_format(u->options->now_s, text);
	if (u->s->config_dir != NULL) {
		dir = xstrdup(u->s->config_dir);
	} else {
		static const char *const name[] = {"config_directory"};

		if (postfix_conf(u->s, "-h", name, 1, &dir, err) < 0)
			goto out;
		dir[strcspn(dir, "\n")] = '\0';
	}
	main_cf = xasprintf("%s/main.cf", dir);
	*path = xasprintf("%s.preload25-%s", main_cf, text);
	if (file_read(main_cf, &bytes, err) < 0)
		goto out;
	if (stat(main_cf, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", main_cf);
		goto out;
	}
	rc = file_replace(*path, bytes.data, bytes.len, st.st_mode & 07777, err);
out:
	buf_clear(&bytes);
	free(main_cf);
	free(dir);
	return rc;
}

/* What each parameter was before the first --apply, for --revert. */
static int
record_changes(const struct setup *u, struct error *err)
{
	char *table = map_table(u->s->kind, u->s->map_file);

	postfix_record_add_table(u->record, table);
	free(table);
	for (size_t i = 0; i < u->change_count; i++) {
		const enum param p = u->changes[i].param;
		const char *name = names[p], *before = NULL;
		char *set = NULL;

		/* -n says what main.cf itself sets, defaults apart. */
		if (!postfix_record_has(u->record, name) &&
			postfix_conf(u->s, "-n", &name, 1, &set, err) < 0)
			return -1;
		if (set != NULL && set[0] != '\0')
			before = u->raw[p];
		free(set);
		postfix_record_change(u->record, name, before, u->changes[i].value);
	}
	return postfix_record_save(u->record, err);
}

static int
apply(const struct setup *u, struct error *err)
{
	FILE *out = u->options->out;
	char *args[CHANGES_MAX];
	char *path = NULL;
	int rc;

	rc = job_make_empty_map(u->s, err);
	if (rc < 0)
		return -1;
	if (rc > 0)
		fprintf(out, "made %s, without entries: run preload25-update to fill it\n",
			u->s->map_file);
	if (u->change_count == 0)
		return 0;
	if (backup(u, &path, err) < 0 || record_changes(u, err) < 0) {
		free(path);
		return -1;
	}
	for (size_t i = 0; i < u->change_count; i++)
		args[i] = xasprintf("%s = %s", names[u->changes[i].param], u->changes[i].value);
	/* One call: postconf writes a new main.cf with all of it and renames it into place. */
	rc = postfix_conf(u->s, "-e", (const char *const *)args, u->change_count, NULL, err);
	for (size_t i = 0; i < u->change_count; i++)
		free(args[i]);
	if (rc == 0)
		fprintf(out,
			"main.cf is changed; the old one is %s\n"
			"now run: postfix reload\n",
			path);
	free(path);
	return rc;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static int
look(struct setup *u, struct error *err)
{
	if (postfix_ask(u->s, names, P_COUNT, false, u->raw, err) < 0 ||
		postfix_ask(u->s, names, P_COUNT, true, u->expanded, err) < 0)
		return -1;
	if (u->expanded[P_VERSION] == NULL ||
		postfix_version_parse(u->expanded[P_VERSION], &u->version) < 0)
		return error_set(err, ERROR_CONFIG, "postconf does not tell Postfix's version");
	if (!postfix_version_at_least(&u->version, 3, 4, 0))
		return error_set(err, ERROR_CONFIG,
			"Postfix %s is too old: it cannot name the server it wants (3.4 can)",
			u->expanded[P_VERSION]);
	if (u->raw[P_MAPS] != NULL && !braces_closed(u->raw[P_MAPS]))
		return error_set(err, ERROR_CONFIG,
			"smtp_tls_policy_maps in main.cf has a { that is never closed: mend that "
			"first");
	return check_type(u, err);
}

/* --- undoing it ---------------------------------------------------------------------------------
 */

/* smtp_tls_policy_maps without what setup has put there. The caller frees it. */
static char *
maps_without_ours(const struct setup *u)
{
	char *table = map_table(u->s->kind, u->s->map_file);
	size_t count;
	char **maps = postfix_maps_split(u->raw[P_MAPS] != NULL ? u->raw[P_MAPS] : "", &count);
	struct buf list;
	char *result;

	buf_init(&list, MAIN_CF_MAX);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(maps[i], table) != 0 && strcmp(maps[i], non_ascii) != 0 &&
			!is_former(u, maps[i], table))
			buf_addf(&list, "%s%s", list.len > 0 ? ", " : "", maps[i]);
		free(maps[i]);
	}
	free(maps);
	free(table);
	result = buf_take(&list);
	buf_clear(&list);
	return result;
}

/* Whether a parameter still has the value that setup gave it; the caller knows which one it is. */
static bool
still_has(const struct setup *u, const char *name, const char *value_then)
{
	for (size_t i = 0; i < P_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return u->raw[i] != NULL && strcmp(u->raw[i], value_then) == 0;
	return false;
}

/* Gives a parameter a value, or (NULL) takes its line out of main.cf; and says so. */
static int
set_or_unset(const struct setup *u, const char *name, const char *text, struct error *err)
{
	char *arg = text != NULL ? xasprintf("%s = %s", name, text) : xstrdup(name);
	int rc = postfix_conf(
		u->s, text != NULL ? "-e" : "-X", (const char *const[]){arg}, 1, NULL, err);

	if (rc == 0)
		fprintf(u->options->out, "%s%s\n", arg, text != NULL ? "" : " is no longer set");
	free(arg);
	return rc;
}

/* Whether a parameter is to be given back its value: not where somebody has changed it since. */
static bool
is_to_revert(const struct setup *u, const struct postfix_recorded *change)
{
	return strcmp(change->name, names[P_MAPS]) != 0 && still_has(u, change->name, change->after);
}

static int
revert(struct setup *u, struct error *err)
{
	FILE *out = u->options->out;
	char *maps = maps_without_ours(u), *path = NULL;
	const bool asked = u->raw[P_MAPS] != NULL && strcmp(maps, u->raw[P_MAPS]) != 0;
	struct postfix_recorded change;
	bool more = false;
	size_t at = 0;
	int rc = 0;

	while (postfix_record_next(u->record, &at, &change))
		more = more || is_to_revert(u, &change);
	if (!asked && !more) {
		fprintf(out, "main.cf does not ask the list: there is nothing to take away\n");
		goto out;
	}
	rc = backup(u, &path, err);
	if (rc < 0)
		goto out;
	fprintf(out, "kept main.cf as %s\n", path);
	/* First of all the list: whatever fails behind this, main.cf is sound. */
	if (asked)
		rc = set_or_unset(u, names[P_MAPS], maps[0] != '\0' ? maps : NULL, err);
	at = 0;
	while (rc == 0 && postfix_record_next(u->record, &at, &change))
		if (is_to_revert(u, &change))
			rc = set_or_unset(u, change.name, change.before, err);
	if (rc == 0) {
		postfix_record_remove(u->record);
		fprintf(out, "main.cf no longer asks the list; now run: postfix reload\n");
	}
out:
	free(path);
	free(maps);
	return rc < 0 ? -1 : 0;
}

static int
run(struct setup *u, struct error *err)
{
	FILE *out = u->options->out;
	int rc;

	/* Whoever only looks need not be able to read the record. */
	if (look(u, err) < 0 ||
		postfix_record_load(u->s->state_dir, u->options->apply || u->options->revert,
			&u->record, err) < 0)
		return -1;
	fprintf(out, "Postfix %s; the list is %s\n", value(u, P_VERSION), u->s->map_file);
	if (u->options->revert)
		return revert(u, err);
	rc = postfix_tell_holes(u->s,
		value(u, P_CAFILE)[0] != '\0' ? value(u, P_CAFILE) : u->s->ca_file, out, err);
	if (rc != 0)
		return rc;
	plan(u);
	if (u->change_count == 0) {
		fprintf(out, "main.cf has all it needs\n");
	} else {
		fprintf(out, "main.cf needs:\n\n");
		tell_changes(u);
		fputc('\n', out);
	}
	if (u->options->apply) {
		rc = apply(u, err);
	} else if (u->options->check) {
		rc = u->change_count > 0 || !file_exists(u->s->map_file);
	} else {
		rc = 0;
		if (u->change_count > 0)
			fprintf(out,
				"preload25-update setup postfix --apply%s makes these changes, "
				"after a backup; then run: postfix reload\n",
				u->options->more != NULL ? u->options->more : "");
	}
	return rc;
}

int
setup_postfix(
	const struct update_settings *s, const struct setup_options *options, struct error *err)
{
	struct setup u = {.s = s, .options = options};
	int rc = run(&u, err);

	postfix_values_clear(u.raw, P_COUNT);
	postfix_values_clear(u.expanded, P_COUNT);
	postfix_record_free(u.record);
	for (size_t i = 0; i < u.change_count; i++)
		free(u.changes[i].value);
	return rc;
}

/* setup opensmtpd: the actions and the rules for listed domains, in smtpd.conf, each before the
 * general rule that it is an exception of. */
#include "updater/setup.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/pins.h"
#include "updater/settings.h"
#include "updater/setup_files.h"
#include "updater/tool.h"

#define TABLE  "preload25"
#define ACTION "preload25"
/* Octets of an envelope in the queue. */
#define ENVELOPE_MAX ((size_t)64 * 1024)

struct setup_opensmtpd {
	const struct update_settings *s;
	const struct setup_options *options;
	struct setup_files files;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A line without its comment and the blanks around it. The caller frees it. */
static char *
statement(const char *line, size_t len)
{
	bool quoted = false;
	size_t end = 0;

	while (end < len && (quoted || line[end] != '#')) {
		if (line[end] == '"')
			quoted = !quoted;
		end++;
	}
	while (end > 0 && is_blank(line[end - 1]))
		end--;
	while (end > 0 && is_blank(line[0])) {
		line++;
		end--;
	}
	return xstrndup(line, end);
}

/* What stands behind the prefix word: "action NAME" -> " relay ...". NULL: another statement. */
static const char *
behind(const char *text, const char *word)
{
	size_t len = strlen(word);

	return strncmp(text, word, len) == 0 && (text[len] == ' ' || text[len] == '\t')
		? text + len + strspn(text + len, " \t")
		: NULL;
}

/* The options of "action NAME relay ...": NULL: no such action, or it does not relay. */
static char *
relay_options(const char *text, const char *quoted_name)
{
	char *found = NULL;

	while (*text != '\0' && found == NULL) {
		size_t len = strcspn(text, "\n");
		char *line = statement(text, len);
		const char *p = behind(line, "action");

		if (p != NULL && str_starts(p, quoted_name)) {
			p += strlen(quoted_name);
			p += strspn(p, " \t");
			if (strcmp(p, "relay") == 0 || behind(p, "relay") != NULL)
				found = xstrdup(p + strlen("relay"));
		}
		free(line);
		text += len;
		text += *text == '\n';
	}
	return found;
}

static bool
has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *p = text;

	while ((p = strstr(p, word)) != NULL) {
		if ((p == text || is_blank(p[-1])) && (p[len] == '\0' || is_blank(p[len])))
			return true;
		p += len;
	}
	return false;
}

/* The caller frees it. */
static char *
without_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	struct buf out;
	char *result;

	buf_init(&out, SETUP_FILE_MAX);
	while (*text != '\0') {
		size_t blanks = strspn(text, " \t\r"), n = strcspn(text + blanks, " \t\r");

		if (n != len || strncmp(text + blanks, word, len) != 0)
			buf_add(&out, text, blanks + n);
		text += blanks + n;
	}
	result = buf_take(&out);
	buf_clear(&out);
	return result;
}

/* "match from local for any action "relay"": the text before and behind "for any", and the action
 * with its quotes. False: another statement. */
static bool
general_rule(const char *line, char **before, char **behind_it, char **action)
{
	const char *any = strstr(line, "for any"), *act;

	if (behind(line, "match") == NULL || any == NULL)
		return false;
	act = strstr(any, " action ");
	if (act == NULL || act[8] != '"' || strchr(act + 9, '"') == NULL)
		return false;
	*before = xstrndup(line, (size_t)(any - line));
	*behind_it = xstrndup(any + strlen("for any"), (size_t)(act - any) - strlen("for any"));
	*action = xstrndup(act + 8, (size_t)(strchr(act + 9, '"') + 1 - (act + 8)));
	return true;
}

/* The lines before one general rule, the number-th: its action's options with "tls", and the rule
 * for listed domains. The caller frees them. */
static char *
rule_lines(const struct setup_opensmtpd *u, int number, const char *its_options, const char *head,
	const char *tail)
{
	/* A certificate that nobody verifies is what the list is against. */
	char *options = without_word(its_options, "no-verify");
	const char *tls = has_word(options, "tls") ? "" : " tls";
	struct buf out;
	char *lines;

	buf_init(&out, SETUP_FILE_MAX);
	if (number == 1)
		buf_addf(&out, "table " TABLE " db:%s\n", u->s->map_file);
	/* Also when there is to be no more pinning: what is queued needs its action. */
	if (pins_wanted(u->s)) {
		if (number == 1) {
			char *hosts = pins_hosts_file(u->s), *set = pins_set_file(u->s);

			buf_addf(&out,
				"table " PINS_TABLE_SET " db:%s\ntable " PINS_TABLE_HOSTS
				" file:%s\n",
				set, hosts);
			free(set);
			free(hosts);
		}
		buf_addf(&out,
			"action \"" ACTION "-pinned-%d\" relay%s%s domain <" PINS_TABLE_HOSTS ">\n",
			number, options, tls);
	}
	buf_addf(&out, "action \"" ACTION "-%d\" relay%s%s\n", number, options, tls);
	if (u->s->pin)
		buf_addf(&out,
			"%sfor domain <" PINS_TABLE_SET ">%s action \"" ACTION "-pinned-%d\"\n",
			head, tail, number);
	buf_addf(&out, "%sfor domain <" TABLE ">%s action \"" ACTION "-%d\"\n", head, tail, number);
	lines = buf_take(&out);
	buf_clear(&out);
	free(options);
	return lines;
}

/* The blocks that are due, each put before its rule. 0; 1 a relay host takes all (told); -1. */
static int
plan(struct setup_opensmtpd *u, const char *clean, struct buf *after, struct buf *added,
	struct error *err)
{
	const char *path = u->s->smtpd_conf, *p = clean;
	int rules = 0, rc = 0;

	while (*p != '\0' && rc == 0) {
		size_t len = strcspn(p, "\n");
		char *line = statement(p, len), *head = NULL, *tail = NULL, *action = NULL;

		if (general_rule(line, &head, &tail, &action)) {
			char *options = relay_options(clean, action);

			if (options != NULL &&
				(has_word(options, "host") || has_word(options, "domain"))) {
				fprintf(u->options->out,
					"action %s relays to another host that you name, so the list "
					"protects nothing here.\nInstall it there. Nothing was "
					"changed.\n",
					action);
				rc = 1;
			} else if (options != NULL) {
				char *lines = rule_lines(u, rules + 1, options, head, tail);
				char *block = setup_block("#", lines);

				buf_add_str(after, block);
				buf_add_str(added, block);
				free(block);
				free(lines);
				rules++;
			}
			free(options);
		}
		free(head);
		free(tail);
		free(action);
		free(line);
		len += p[len] == '\n';
		buf_add(after, p, len);
		p += len;
	}
	if (rc == 0 && rules == 0)
		rc = error_set(err, ERROR_CONFIG,
			"%s: has no rule \"match ... for any action NAME\" whose action relays", path);
	return rc;
}

static int
check(void *arg, struct error *err)
{
	const struct setup_opensmtpd *u = arg;
	char *file = tool_find(u->s->smtpd, "smtpd");
	const char *const argv[] = {file, "-n", "-f", u->s->smtpd_conf, NULL};
	struct tool_result result = {0};
	int rc;

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no smtpd here: is OpenSMTPD installed?");
	rc = tool_run_well(argv, &result, err);
	tool_result_clear(&result);
	free(file);
	return rc;
}

/* Whether mail is queued that was accepted under one of our actions. Without that action OpenSMTPD
 * would neither deliver nor show nor return it: "invalid envelope: unknown dispatcher". */
static int
queue_needs_us(const struct setup_opensmtpd *u, struct error *err)
{
	char *pattern = xasprintf("%s/queue/*/*/[0-9a-f]*", u->s->smtpd_spool);
	glob_t found = {.gl_pathc = 0};
	int rc = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);

	if (rc != 0 && rc != GLOB_NOMATCH && file_exists(u->s->smtpd_spool))
		rc = error_set(err, ERROR_CONFIG, "%s: cannot look into the queue",
			u->s->smtpd_spool);
	else
		rc = 0;
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		struct error gone = {0};
		struct buf envelope;

		buf_init(&envelope, ENVELOPE_MAX);
		/* Those that are delivered meanwhile need nothing. */
		if (file_read_if_exists(found.gl_pathv[i], &envelope, &gone) > 0 &&
			strstr(buf_str(&envelope), "\ndispatcher: " ACTION "-") != NULL)
			rc = 1;
		buf_clear(&envelope);
	}
	globfree(&found);
	free(pattern);
	return rc;
}

/* The text with nothing of ours but the actions. What was pinned goes by MX records, still over
 * verified TLS: none of our files is needed any more. The caller frees it. */
static char *
with_actions_only(const char *text, const char *clean)
{
	struct buf lines;
	char *block, *result;

	buf_init(&lines, SETUP_FILE_MAX);
	for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t len = strcspn(text, "\n");
		static const char hosts[] = " domain <" PINS_TABLE_HOSTS ">";
		char *line = xstrndup(text, len), *at = strstr(line, hosts);

		if (at != NULL)
			memmove(at, at + strlen(hosts), strlen(at + strlen(hosts)) + 1);
		if (str_starts(line, "action \"" ACTION "-"))
			buf_addf(&lines, "%s\n", line);
		free(line);
	}
	block = setup_block("#", buf_str(&lines));
	result = xasprintf("%s%s%s", clean, str_ends(clean, "\n") ? "" : "\n", block);
	if (lines.len == 0) {
		free(result);
		result = xstrdup(clean);
	}
	free(block);
	buf_clear(&lines);
	return result;
}

static int
plan_revert(struct setup_opensmtpd *u, const char *before, const char *clean, struct error *err)
{
	int rc = queue_needs_us(u, err);
	char *after;

	if (rc < 0)
		return -1;
	after = rc > 0 ? with_actions_only(before, clean) : xstrdup(clean);
	if (rc > 0)
		fprintf(u->options->out,
			"! Mail is queued that would be stuck without its action: the actions stay. "
			"Run --revert again\n  when it has gone (smtpctl show queue).\n");
	setup_files_add(&u->files, u->s->smtpd_conf, xstrdup(before), after, NULL);
	return 0;
}

static int
run(struct setup_opensmtpd *u, struct error *err)
{
	const char *path = u->s->smtpd_conf;
	char *before = setup_file_read(path, err), *clean;
	struct buf after, added;
	int rc = 0;

	if (before == NULL)
		return -1;
	fprintf(u->options->out, "OpenSMTPD, %s; the list is %s\n", path, u->s->map_file);
	clean = setup_text_without_blocks(before, "#");
	buf_init(&after, SETUP_FILE_MAX);
	buf_init(&added, SETUP_FILE_MAX);
	if (u->options->revert) {
		rc = plan_revert(u, before, clean, err);
	} else {
		rc = plan(u, clean, &after, &added, err);
		if (rc == 0)
			setup_files_add(&u->files, path, xstrdup(before), buf_take(&after),
				buf_take(&added));
		if (rc == 0)
			fprintf(u->options->out,
				"! OpenSMTPD accepts any server that DNS names, if its certificate "
				"is valid for itself, and\n  cannot check DANE: domains with DANE "
				"only are left out.\n%s! Mail that is queued already keeps the rule "
				"it was accepted under.\n",
				u->s->pin ? "! Domains that name one server are pinned to it "
					    "([opensmtpd] pin = yes).\n"
					  : "  [opensmtpd] pin = yes binds domains that name one "
					    "server to it.\n");
	}
	buf_clear(&after);
	buf_clear(&added);
	free(clean);
	free(before);
	if (rc != 0)
		return rc;
	return setup_files_finish(&u->files, u->s, u->options, check, u,
		"systemctl restart opensmtpd", err);
}

int
setup_opensmtpd(
	const struct update_settings *s, const struct setup_options *options, struct error *err)
{
	struct setup_opensmtpd u = {.s = s, .options = options};
	int rc = run(&u, err);

	setup_files_clear(&u.files);
	return rc;
}

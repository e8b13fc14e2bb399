/* setup sendmail: FEATURE(sts) over the map, and the rules that mend what it leaves open, in
 * sendmail.mc; sendmail.cf is made anew from it. */
#include "updater/setup.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/resolver.h"
#include "updater/settings.h"
#include "updater/setup_files.h"
#include "updater/tool.h"

/* m4's comment. */
#define COMMENT "dnl #"

/* FEATURE(sts) looks once per connection and for one recipient: a message to a domain that is not
 * listed and to one that is, on one server, went to the latter over a certificate that nobody had
 * verified. And its rule for wildcard names never matches. So each recipient is looked at again. */
static const char rules[] =
	"LOCAL_CONFIG\n"
	"O SetCertAltnames=true\n"
	"LOCAL_TLS_RCPT\n"
	"R$*\t\t\t$: $>\"STS_secure\" $&{verify}\n"
	"R$# $*\t\t$# $1\n"
	"R$*\t\t\t$: $&{rcpt_addr}\n"
	"R$* @ $+\t\t$: $2\n"
	"R$+ .\t\t$: $1\n"
	"R$+\t\t\t$: $(sts $1 $: none $)\n"
	"R$* <TMPF>\t\t$#error $@ 4.7.0 $: \"450 preload list lookup failed\"\n"
	"Rdane-only $*\t$: <DANE> $&{verify}\n"
	"R<DANE> TRUSTED\t$@ ok\n"
	"R<DANE> $*\t\t$#error $@ 4.7.0 $: \"450 no DANE authentication of \" $&{server_name}\n"
	"Rsecure $*\t\t$: <SAN> $&{server_name}\n"
	"R<SAN> $={cert_altnames}\t$@ ok\n"
	"R<SAN> $- . $+\t\t$: <SAN> *.$2\n"
	"R<SAN> $={cert_altnames}\t$@ ok\n"
	"R<SAN> $*\t\t$#error $@ 4.7.0 $: \"450 \" $&{server_name} \" is not in the server "
	"certificate\"\n";

struct setup_sendmail {
	const struct update_settings *s;
	const struct setup_options *options;
	bool dane; /* this Sendmail has it compiled in */
	struct setup_files files;
};

/* Sendmail tells what it was compiled with when it is asked for a test of addresses with none. */
static int
look_at_program(struct setup_sendmail *u, struct error *err)
{
	char *file = tool_find(u->s->sendmail, "sendmail");
	const char *const argv[] = {file, "-d0.4", "-C", "/dev/null", "-bt", NULL};
	struct tool_result result = {0};
	const char *text, *version;
	int rc = -1;

	if (file == NULL)
		return error_set(err, ERROR_CONFIG, "no sendmail here: is Sendmail installed?");
	if (tool_run(argv, TOOL_TIMEOUT_MS, &result, err) < 0)
		goto out;
	text = buf_str(&result.out);
	version = str_starts(text, "Version ") ? text : strstr(text, "\nVersion ");
	if (version == NULL || strstr(version, "STARTTLS") == NULL) {
		error_set(err, ERROR_CONFIG, "%s: %s", file,
			version == NULL ? "is not Sendmail" : "was built without STARTTLS");
		goto out;
	}
	version += *version == '\n';
	version += strlen("Version ");
	u->dane = strstr(version, " DANE") != NULL;
	fprintf(u->options->out, "Sendmail %.*s; the list is %s\n", (int)strcspn(version, "\n"),
		version, u->s->map_file);
	if (!u->dane)
		fprintf(u->options->out,
			"! This Sendmail has no DANE (8.18 can): domains with DANE only are left "
			"out.\n");
	else if (u->s->dane != DANE_NO && !u->options->revert)
		resolver_tell(false, u->options->out);
	rc = 0;
out:
	tool_result_clear(&result);
	free(file);
	return rc;
}

/* Whether a line that counts (no comment) begins so. */
static const char *
find_line(const char *text, const char *begin)
{
	for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n')
		if (str_starts(text, begin))
			return text;
	return NULL;
}

static char *
make_defines(const struct setup_sendmail *u, const char *clean)
{
	struct buf out;
	char *result;

	buf_init(&out, SETUP_FILE_MAX);
	/* Theirs stand. */
	if (find_line(clean, "define(`confCACERT'") == NULL)
		buf_addf(&out, "define(`confCACERT', `%s')dnl\n", u->s->ca_file);
	if (find_line(clean, "define(`confCACERT_PATH'") == NULL)
		buf_add_str(&out, "define(`confCACERT_PATH', `/etc/ssl/certs')dnl\n");
	if (u->dane && u->s->dane != DANE_NO && find_line(clean, "define(`confDANE'") == NULL)
		buf_add_str(&out, "define(`confDANE', `true')dnl\n");
	buf_addf(&out, "FEATURE(`sts', `hash -T<TMPF> %s', `NO_SAN_TST')dnl\n", u->s->map_file);
	result = buf_take(&out);
	buf_clear(&out);
	return result;
}

/* sendmail.cf as m4 makes it of a text. NULL: m4 fails. */
static char *
make_cf(const struct setup_sendmail *u, const char *path, struct error *err)
{
	char *file = tool_find(u->s->m4, "m4"), *cf = NULL;
	const char *const argv[] = {file, path, NULL};
	struct tool_result result = {0};

	if (file == NULL) {
		error_set(err, ERROR_CONFIG, "no m4 here, which makes sendmail.cf: install m4");
		return NULL;
	}
	if (tool_run_well(argv, &result, err) == 0) {
		if (result.out.len > 0)
			cf = xstrdup(buf_str(&result.out));
		else
			error_set(err, ERROR_CONFIG, "%s %s: makes nothing of it", file, path);
	}
	tool_result_clear(&result);
	free(file);
	return cf;
}

/* Makes sendmail.cf of the sendmail.mc that has just been changed, if Sendmail takes it. */
static int
make_configuration(void *arg, struct error *err)
{
	const struct setup_sendmail *u = arg;
	char *program = tool_find(u->s->sendmail, "sendmail"), *before = NULL, *cf = NULL;
	struct setup_files one = {.count = 0};
	struct tool_result result = {0};
	const char *const argv[] = {program, "-C", u->s->sendmail_cf, "-bt", NULL};
	int rc = -1;

	before = setup_file_read(u->s->sendmail_cf, err);
	cf = before != NULL ? make_cf(u, u->s->sendmail_mc, err) : NULL;
	if (cf == NULL)
		goto out;
	setup_files_add(&one, u->s->sendmail_cf, xstrdup(before), cf, xstrdup(""));
	rc = setup_files_put(&one, u->options, err);
	if (rc == 0)
		rc = tool_run_well(argv, &result, err);
	if (rc < 0)
		setup_files_undo(&one);
out:
	tool_result_clear(&result);
	setup_files_clear(&one);
	free(before);
	free(program);
	return rc;
}

/* 0; 1 a smart host takes all (told); -1. */
static int
plan(struct setup_sendmail *u, const char *clean, char **after, char **added, struct error *err)
{
	const char *host = find_line(clean, "define(`SMART_HOST'"), *at;
	char *defines, *defines_block, *rules_block, *text;

	if (host != NULL) {
		fprintf(u->options->out,
			"%.*s: all mail goes to one other host, so the list protects nothing here.\n"
			"Install it there. Nothing was changed.\n",
			(int)strcspn(host, "\n"), host);
		return 1;
	}
	if (find_line(clean, "FEATURE(`sts'") != NULL)
		return error_set(err, ERROR_CONFIG,
			"%s: has a FEATURE(`sts') of its own: take it out first", u->s->sendmail_mc);
	at = find_line(clean, "MAILER_DEFINITIONS");
	if (at == NULL)
		at = find_line(clean, "MAILER(");
	if (at == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: has no MAILER line", u->s->sendmail_mc);
	defines = make_defines(u, clean);
	defines_block = setup_block(COMMENT, defines);
	rules_block = setup_block(COMMENT, rules);
	text = setup_text_insert(clean, (size_t)(at - clean), defines_block);
	*after = xasprintf("%s%s%s", text, str_ends(text, "\n") ? "" : "\n", rules_block);
	*added = xasprintf("%s\n%s", defines_block, rules_block);
	free(text);
	free(rules_block);
	free(defines_block);
	free(defines);
	return 0;
}

static int
run(struct setup_sendmail *u, struct error *err)
{
	const char *path = u->s->sendmail_mc;
	char *before, *clean, *after = NULL, *added = NULL;
	int rc = 0;

	if (look_at_program(u, err) < 0)
		return -1;
	before = setup_file_read(path, err);
	if (before == NULL)
		return -1;
	clean = setup_text_without_blocks(before, COMMENT);
	if (u->options->revert)
		after = xstrdup(clean);
	else
		rc = plan(u, clean, &after, &added, err);
	if (rc == 0) {
		setup_files_add(&u->files, path, before, after, added);
		before = NULL;
	}
	free(before);
	free(clean);
	if (rc != 0)
		return rc;
	return setup_files_finish(&u->files, u->s, u->options, make_configuration, u,
		"systemctl reload sendmail", err);
}

int
setup_sendmail(
	const struct update_settings *s, const struct setup_options *options, struct error *err)
{
	struct setup_sendmail u = {.s = s, .options = options};
	int rc = run(&u, err);

	setup_files_clear(&u.files);
	return rc;
}

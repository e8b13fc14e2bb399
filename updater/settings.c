#include "updater/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/state.h"

#define SECTION_MAIN "source"

static int
wrong(const struct update_settings *s, const char *section, const char *name, const char *why,
	struct error *err)
{
	return error_set(err, ERROR_CONFIG, "%s: %s = %s: %s",
		config_where(s->config, section, name), name,
		config_string(s->config, section, name), why);
}

/* One of the words, as its index; -1 with err set. */
static int
word_of(const struct update_settings *s, const char *section, const char *name,
	const char *const *words, size_t count, const char *why, struct error *err)
{
	const char *text = config_string(s->config, section, name);

	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	return wrong(s, section, name, why, err);
}

/* The section that a source's key is read from: what it does not have is as in [source]. */
static const char *
section_of(const struct config *c, const struct source_settings *source, const char *name)
{
	return config_is_set(c, source->section, name) ? source->section : SECTION_MAIN;
}

static const char **
strings_of(const struct config *c, const char *section, const char *name, size_t *count)
{
	const char **texts;

	*count = config_count(c, section, name);
	texts = xcalloc(*count + 1, sizeof(*texts));
	for (size_t i = 0; i < *count; i++)
		texts[i] = config_nth(c, section, name, i);
	return texts;
}

/* What says where a list is had. */
static int
read_urls(const struct update_settings *s, struct source_settings *out, struct error *err)
{
	const struct config *c = s->config;

	out->urls = strings_of(c, out->section, "url", &out->url_count);
	for (size_t i = 0; i < out->url_count; i++)
		if (!fetch_url_valid(out->urls[i]))
			return error_set(err, ERROR_CONFIG,
				"%s: url = %s: not http://, https:// or file:/",
				config_where(c, out->section, "url"), out->urls[i]);
	out->root = config_string(c, out->section, "root");
	return 0;
}

static void
read_fetch(const struct config *c, struct source_settings *out)
{
	struct fetch_options *f = &out->fetch;

#define SECTION_OF(name) section_of(c, out, name), name
	f->ca_file = config_string(c, SECTION_OF("ca_file"));
	f->proxy = config_string(c, SECTION_OF("proxy"));
	f->connect_timeout_s = (long)config_int(c, SECTION_OF("connect_timeout"));
	f->timeout_s = (long)config_int(c, SECTION_OF("timeout"));
	f->low_speed_bytes_s = (long)config_int(c, SECTION_OF("low_speed"));
	f->low_speed_time_s = (long)config_int(c, SECTION_OF("low_speed_time"));
	out->list_max = config_int(c, SECTION_OF("list_max"));
#undef SECTION_OF
}

/* Each list is trusted by what stands in its own section only. */
static int
read_trust(const struct update_settings *s, struct source_settings *out, struct error *err)
{
	if (!trust_from_name(config_string(s->config, out->section, "trust"), &out->trust))
		return wrong(s, out->section, "trust", "neither enforce, early-adopter nor testing", err);
	out->domains = strings_of(s->config, out->section, "domains", &out->domain_count);
	for (size_t i = 0; i < out->domain_count; i++)
		if (!trust_domain_valid(out->domains[i]))
			return error_set(err, ERROR_CONFIG,
				"%s: domains = %s: not a domain in lower case, without a dot at its ends",
				config_where(s->config, out->section, "domains"), out->domains[i]);
	return 0;
}

static int
read_source(
	const struct update_settings *s, const char *section, struct source_settings *out, struct error *err)
{
	const char *blank = strchr(section, ' ');

	out->section = section;
	out->name = blank != NULL ? blank + 1 : SOURCE_MAIN;
	read_fetch(s->config, out);
	return read_urls(s, out, err) < 0 || read_trust(s, out, err) < 0 ? -1 : 0;
}

/* One with a name is there to be fetched. */
static int
check_named(const struct update_settings *s, const struct source_settings *source, struct error *err)
{
	const char *what = source->url_count == 0 ? "url" : source->root == NULL ? "root" : NULL;
	const char *file = config_where(s->config, SECTION_MAIN, "trust");

	if (strcmp(source->name, SOURCE_MAIN) == 0)
		return error_set(err, ERROR_CONFIG, "%s: [%s]: " SOURCE_MAIN " is what [source] is called",
			file, source->section);
	if (what == NULL)
		return 0;
	return error_set(err, ERROR_CONFIG, "%s: [%s] has no %s", file, source->section, what);
}

/* Others stand beside it: it is the first of them. */
static int
check_first(const struct update_settings *s, struct error *err)
{
	const struct source_settings *first = &s->sources[0];
	const char *what = first->url_count == 0 ? "url" : first->root == NULL ? "root" : NULL;
	const char *section = config_named_nth(s->config, SECTION_MAIN, 0);

	if (what == NULL)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"%s: [%s] is for one more list, and [" SECTION_MAIN "], the first, has no %s",
		config_where(s->config, section, "url"), section, what);
}

static int
read_sources(struct update_settings *s, struct error *err)
{
	size_t named = config_named_count(s->config, SECTION_MAIN);

	if (named >= SOURCES_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d sections [source NAME]", SOURCES_MAX - 1);
	s->source_count = 1;
	if (read_source(s, SECTION_MAIN, &s->sources[0], err) < 0)
		return -1;
	if (named > 0 && check_first(s, err) < 0)
		return -1;
	for (size_t i = 0; i < named; i++) {
		struct source_settings *source = &s->sources[s->source_count++];

		if (read_source(s, config_named_nth(s->config, SECTION_MAIN, i), source, err) < 0 ||
			check_named(s, source, err) < 0)
			return -1;
	}
	return 0;
}

int
update_settings_choose_mta(
	struct update_settings *s, const struct mta *mta, struct error *err)
{
	const char *path = config_string(s->config, "install", "path");
	const char *type = config_string(s->config, "install", "type");
	char why[100];

	s->mta = mta;
	s->kind = type == NULL ? s->mta->kinds[0] : NULL;
	for (size_t k = 0; s->kind == NULL && k < s->mta->kind_count; k++)
		if (strcmp(s->mta->kinds[k]->name, type) == 0)
			s->kind = s->mta->kinds[k];
	if (s->kind == NULL) {
		(void)snprintf(why, sizeof(why), "no type of map that is written for %s",
			s->mta->title);
		return wrong(s, "install", "type", why, err);
	}
	free(s->map_file);
	s->map_file = map_file(s->kind, path != NULL ? path : s->mta->path);
	if (s->map_file[0] != '/')
		return wrong(s, "install", "path", "not an absolute path", err);
	return 0;
}

static int
read_install(struct update_settings *s, struct error *err)
{
	static const char *const mode[] = {"enforce", "report-only"};
	static const char *const dane[] = {"auto", "yes", "no"};
	static const char *const format[] = {"auto", "plain", "sts"};
	const struct mta *mta = mta_find(config_string(s->config, "install", "mta"));
	char why[100];
	int i;

	s->mta_is_set = config_is_set(s->config, "install", "mta");
	if (mta == NULL) {
		(void)snprintf(why, sizeof(why), "none of %s", mta_names());
		return wrong(s, "install", "mta", why, err);
	}
	if (update_settings_choose_mta(s, mta, err) < 0)
		return -1;
	s->keep = config_int(s->config, "install", "keep");
	s->reload = config_bool(s->config, "install", "reload");
	i = word_of(s, "install", "mode", mode, ARRAY_LEN(mode), "neither enforce nor report-only", err);
	if (i < 0)
		return -1;
	s->report_only = i == 1;
	i = word_of(s, "install", "dane", dane, ARRAY_LEN(dane), "neither yes, no nor auto", err);
	if (i < 0)
		return -1;
	s->dane = (enum dane_setting)i;
	i = word_of(s, "postfix", "format", format, ARRAY_LEN(format),
		"neither plain, sts nor auto", err);
	if (i < 0)
		return -1;
	s->format = (enum postfix_format)i;
	return 0;
}

static int
read_metrics(struct update_settings *s, struct error *err)
{
	s->metrics_textfile = config_string(s->config, "metrics", "textfile");
	if (s->metrics_textfile != NULL && s->metrics_textfile[0] != '/')
		return wrong(s, "metrics", "textfile", "not an absolute path", err);
	return 0;
}

int
update_settings_load(const char *path, struct update_settings *out, struct error *err)
{
	struct config *c;

	memset(out, 0, sizeof(*out));
	if (config_load(path, update_settings_keys, update_settings_key_count, &out->config, err) <
		0)
		return -1;
	c = out->config;
	out->state_dir = config_string(c, "state", "dir");
	out->rules = (struct rules_from){.file = config_string(c, "rules", "file"),
		.dir = config_string(c, "rules", "dir")};
	/* Whoever names another place has something there. */
	out->rules.file_must_exist = strcmp(out->rules.file, RULES_FILE) != 0;
	out->rules.dir_must_exist = strcmp(out->rules.dir, RULES_DIR) != 0;
	out->sandbox_user = config_string(c, "sandbox", "user");
	out->sandbox_time_s = config_int(c, "sandbox", "time_limit");
	out->config_dir = config_string(c, "postfix", "config_dir");
	out->postconf = config_string(c, "postfix", "postconf");
	out->postmap = config_string(c, "postfix", "postmap");
	out->postfix = config_string(c, "postfix", "postfix");
	out->ca_file = config_string(c, "postfix", "ca_file");
	out->exim = config_string(c, "exim", "exim");
	out->exim_dir = config_string(c, "exim", "config_dir");
	out->update_exim = config_string(c, "exim", "update");
	out->smtpd = config_string(c, "opensmtpd", "smtpd");
	out->smtpctl = config_string(c, "opensmtpd", "smtpctl");
	out->smtpd_conf = config_string(c, "opensmtpd", "config");
	out->smtpd_spool = config_string(c, "opensmtpd", "spool");
	out->pin = config_bool(c, "opensmtpd", "pin");
	out->sendmail = config_string(c, "sendmail", "sendmail");
	out->praliases = config_string(c, "sendmail", "praliases");
	out->sendmail_cf = config_string(c, "sendmail", "cf");
	out->sendmail_mc = config_string(c, "sendmail", "mc");
	out->m4 = config_string(c, "sendmail", "m4");
	out->log_path = config_string(c, "log", "path");
	out->log_count = config_bool(c, "log", "count");
	out->journalctl = config_string(c, "log", "journalctl");
	out->gone_percent = config_int(c, "brake", "gone_percent");
	out->gone_min = config_int(c, "brake", "gone_min");
	out->new_percent = config_int(c, "brake", "new_percent");
	out->new_min = config_int(c, "brake", "new_min");
	out->monitor_expires_s = config_int(c, "monitor", "expires");
	out->monitor_success_s = config_int(c, "monitor", "success");
	if (read_sources(out, err) < 0 || read_install(out, err) < 0 ||
		read_metrics(out, err) < 0) {
		update_settings_clear(out);
		return -1;
	}
	return 0;
}

void
update_settings_clear(struct update_settings *s)
{
	for (size_t i = 0; i < s->source_count; i++) {
		free(s->sources[i].urls);
		free(s->sources[i].domains);
	}
	free(s->map_file);
	config_free(s->config);
	memset(s, 0, sizeof(*s));
}

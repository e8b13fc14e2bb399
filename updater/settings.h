/*
 * settings: preload25-update.conf as plain data.
 */
#ifndef UPDATER_SETTINGS_H
#define UPDATER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/config.h"
#include "updater/fetch.h"
#include "updater/postfix_policy.h"
#include "updater/rules.h"
#include "updater/source.h"
#include "updater/trust.h"

struct error;
struct map_kind;
struct mta;

#define UPDATE_SETTINGS_DEFAULT_PATH "/etc/preload25/preload25-update.conf"

enum dane_setting { DANE_AUTO, DANE_YES, DANE_NO };

/* One list: where it is had, and how far it is trusted. Strings are lent by the configuration. */
struct source_settings {
	const char *section; /* "source", "source NAME" */
	const char *name;    /* SOURCE_MAIN, "NAME" */
	const char **urls;   /* of the mirrors; owned, as an array */
	size_t url_count;
	const char *root; /* NULL: not configured, of [source] only */
	struct fetch_options fetch;
	int64_t list_max; /* octets of a list document */
	enum trust trust;
	const char **domains; /* entries for these and below are taken; none: all. Owned, as an array */
	size_t domain_count;
};

struct update_settings {
	struct config *config; /* owned; the strings below are lent by it unless said otherwise */
	struct source_settings sources[SOURCES_MAX]; /* in their order; [source] is the first */
	size_t source_count;                         /* at least 1 */
	const char *state_dir;
	struct rules_from rules;
	const char *sandbox_user; /* NULL: the default */
	int64_t sandbox_time_s;
	const struct mta *mta;
	bool mta_is_set; /* in the file; else it is the default */
	const struct map_kind *kind;
	char *map_file; /* owned */
	bool reload;
	enum postfix_format format;
	enum dane_setting dane;
	const char *config_dir;                          /* of Postfix; NULL: its default */
	const char *postconf, *postmap, *postfix;        /* programs; NULL: by PATH */
	const char *ca_file;                             /* for setup */
	/* Of the other mail servers: programs (NULL: by PATH), and for setup. */
	const char *exim, *update_exim, *exim_dir;
	const char *smtpd, *smtpctl, *smtpd_conf, *smtpd_spool;
	bool pin; /* OpenSMTPD: see pins.h */
	const char *sendmail, *praliases, *m4, *sendmail_cf, *sendmail_mc;
	const char *metrics_textfile; /* NULL: none is wanted */
	int64_t monitor_expires_s, monitor_success_s;
	bool report_only; /* nothing is installed */
	int64_t keep;     /* earlier sets of lists, for undo */
	bool log_count;
	const char *log_path, *journalctl; /* NULL: to be found */
	int64_t gone_percent, gone_min, new_percent, new_min;
};

/* The keys, for the sample file and the manual. */
extern const struct config_key update_settings_keys[];
extern const size_t update_settings_key_count;

/* Reads and checks; what is wrong is ERROR_CONFIG with file and line. */
int update_settings_load(
	const char *path, struct update_settings *out, struct error *err) MUST_CHECK;
/* Another mail server than the file names or leaves out, for setup: kind and map file follow. */
int update_settings_choose_mta(
	struct update_settings *s, const struct mta *mta, struct error *err) MUST_CHECK;
void update_settings_clear(struct update_settings *s);

#endif

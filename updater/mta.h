/*
 * mta: one row per mail server: the maps it reads, what it is told about an entry, how it is asked.
 *
 * Adding a mail server is one file (mta_NAME.c) and one row.
 */
#ifndef UPDATER_MTA_H
#define UPDATER_MTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/choice.h"
#include "updater/postfix_policy.h"

struct buf;
struct error;
struct list_entry;
struct list_header;
struct map_kind;
struct resolver_said;
struct setup_options;
struct update_settings;

/* Octets of the longest value of any: every pattern twice, each with its attribute's name. */
#define MTA_VALUE_MAX POSTFIX_VALUE_MAX

/* What kind of lines to write; decided once per run. */
struct recipe {
	enum postfix_format format; /* Postfix only */
	bool dane;
	bool pin; /* OpenSMTPD only */
	char why_dane[200]; /* one line for people */
	char text[64];      /* all of it in short: another text needs another map */
};

/* The functions are for the rows' users: job, render, report, setup. */
struct mta {
	const char *name;  /* as in [install] mta, and after setup */
	const char *title; /* "Postfix": in messages */
	const struct map_kind *const *kinds;
	size_t kind_count; /* the first is the default */
	const char *path;  /* default of [install] path */

	/* Settings first, then what is found here. before: the text of the recipe that the
	 * installed map was made by (NULL: there is none), which stands where the mail server or
	 * the resolver cannot be asked. said: see resolver_check(). */
	void (*decide)(const struct update_settings *s, const char *before,
		const struct resolver_said *said, struct recipe *out);
	enum choice (*choose)(const struct recipe *r, const struct list_header *header,
		const struct list_entry *entry, int64_t now_s);
	/* Appends the value for the entry's key; choice must be what choose() said, and a line. out
	 * needs room for MTA_VALUE_MAX. */
	void (*format)(const struct recipe *r, const struct list_entry *entry, enum choice choice,
		struct buf *out);
	/* Has the mail server's own tool look the key up in a map file, and compares: 0; 1 there is
	 * no such tool here (said in the log); -1 it answers something else, or nothing. */
	int (*ask)(const struct update_settings *s, const char *file, const char *key,
		const char *want, struct error *err);
	/* What CHOICE_WIDER means here, as the end of "N of them ...". */
	const char *wider;
	/* Makes it take a map of a kind that needs_reload; NULL: it never has to. */
	int (*reload)(const struct update_settings *s, struct error *err);
	/* Where its log usually is, NULL behind the last: the first that is there. */
	const char *const *logs;
	/* Whether it checks the names of certificates for the list's sake, which its log does not say (see
	 * MAIL_TLS_TRUSTED); NULL: its log says all that it checks. */
	bool (*checks_names)(const struct update_settings *s);
	/* See setup.h. */
	int (*setup)(const struct update_settings *s, const struct setup_options *options,
		struct error *err);
};

extern const struct mta mta_postfix, mta_texthash, mta_exim, mta_opensmtpd, mta_sendmail;

/* NULL: there is no such row. */
const struct mta *mta_find(const char *name);
/* All names, for messages: "postfix, exim, opensmtpd, sendmail or texthash". */
const char *mta_names(void);

/* For the rows. Where syslog has the mail servers' lines. */
extern const char *const mta_syslog_files[];
/* DANE as configured, or by whether the resolver validates; before: what it was. */
bool mta_decide_dane(const struct update_settings *s, bool before, const struct resolver_said *said,
	char *why, size_t why_size);
/* Whether the recipe before had DANE lines. */
bool mta_had_dane(const char *before);
/* Compares what a tool has printed with what was to be found; -1: the complaint. what: "exim4 -be".
 */
int mta_compare(const char *what, const char *key, const char *got, size_t len, const char *want,
	struct error *err);

#endif

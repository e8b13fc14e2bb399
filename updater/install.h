/*
 * install: makes the map of a list, and puts it in the place of the old one.
 *
 * It may be killed at any moment: the map is the old one or the new one, and the state says which
 * list to make it of again.
 */
#ifndef UPDATER_INSTALL_H
#define UPDATER_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "updater/mta.h"
#include "updater/state.h"

struct error;
struct list_reader;
struct rules;
struct update_settings;

struct install {
	const struct update_settings *s; /* lent, as the strings are */
	const char *state_path;
	struct state state; /* owned by the job */
	struct recipe recipe;
	const struct rules *rules; /* lent; NULL: none */
	char anchor[65]; /* SHA-256 of the root file that lists are taken under; "": not looked at */
	int64_t now_s;
	bool dry_run;     /* writes neither map nor state */
	bool allow_churn; /* without the brake */
};

/* Writes the state, unless this is a dry run. */
int install_remember(const struct install *in, struct error *err) MUST_CHECK;

/* Whether the installed map is what the list that counts, the recipe and the administrator's rules
 * make of it now. NULL: it is; else why not. */
const char *install_stale(const struct install *in);

/* Whether to go on with a list in place of the one that counts, by how many lines would go or come:
 * 0 go on; 1 the brake holds (err says why); -1. before: the path of the list that counts; after is
 * read to its end. */
int install_brake(const struct install *in, const char *before, struct list_reader *after,
	struct error *err) MUST_CHECK;

/* Makes a map of a list file that was verified, has it answer to this program and to the mail
 * server's own tool, and puts it in place. The list counts from there on. */
int install_list(struct install *in, const char *list_path, const char *sha256,
	struct error *err) MUST_CHECK;

/* For report-only mode: the list counts, and no map is made of it. */
int install_accept(struct install *in, const char *list_path, const char *sha256,
	struct error *err) MUST_CHECK;

/* For report-only mode: where a map is in force it is replaced by one without entries, said aloud, since it
 * would hold mail back by entries that nobody renews or drops. 0, also where there is none. */
int install_withdraw(struct install *in, struct error *err) MUST_CHECK;

/* Makes the mail server take a map that was installed, where that is still to be done. */
int install_reload(struct install *in, struct error *err) MUST_CHECK;

#endif

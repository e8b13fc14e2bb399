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
#include "updater/confine.h"
#include "updater/mta.h"
#include "updater/state.h"

struct error;
struct rules;
struct source_here;
struct update_settings;

struct install {
	const struct update_settings *s; /* lent, as the strings are */
	const char *state_path;
	struct state state; /* owned by the job */
	struct recipe recipe;
	const struct rules *rules; /* lent; NULL: none */
	char anchor[65]; /* SHA-256 of the root file that lists are taken under; "": not looked at */
	struct confine_user user; /* whom the process becomes that reads lists */
	int64_t now_s;
	bool dry_run;     /* writes neither map nor state */
	bool allow_churn; /* without the brake */
};

/* Writes the state, unless this is a dry run. */
int install_remember(const struct install *in, struct error *err) MUST_CHECK;

/* Whether the installed map is what the list that counts, the recipe and the administrator's rules
 * make of it now. NULL: it is; else why not. */
const char *install_stale(const struct install *in);

/* Makes a map of a list that was verified and lies in the state directory, has it answer to this
 * program and to the mail server's own tool, and puts it in place. The list counts from there on.
 * here: it is to follow the one that counts, so that first is asked whether it may (see
 * source_check_list()), and how many lines would go or come: 1 when the brake holds, and err says why.
 * NULL: it has been in force before. The list is read in a confined process. */
int install_list(struct install *in, const struct source_here *here, const char *sha256,
	struct error *err) MUST_CHECK;

/* For report-only mode: as install_list(), but no map is made of the list. */
int install_accept(struct install *in, const struct source_here *here, const char *sha256,
	struct error *err) MUST_CHECK;

/* For report-only mode: where a map is in force it is replaced by one without entries, said aloud, since it
 * would hold mail back by entries that nobody renews or drops. 0, also where there is none. */
int install_withdraw(struct install *in, struct error *err) MUST_CHECK;

/* Makes the mail server take a map that was installed, where that is still to be done. */
int install_reload(struct install *in, struct error *err) MUST_CHECK;

#endif

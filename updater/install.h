/*
 * install: makes the map of the lists, and puts it in the place of the old one.
 *
 * It may be killed at any moment: the map is the old one or the new one, and the state says which
 * lists to make it of again.
 */
#ifndef UPDATER_INSTALL_H
#define UPDATER_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "updater/confine.h"
#include "updater/mta.h"
#include "updater/source.h"
#include "updater/state.h"

struct rules;
struct update_settings;

struct install {
	const struct update_settings *s; /* lent, as the strings are */
	const char *state_path;
	struct state state; /* owned by the job */
	struct recipe recipe;
	const struct rules *rules; /* lent; NULL: none */
	struct confine_user user; /* whom the process becomes that reads lists */
	int64_t now_s;
	bool dry_run;     /* writes neither map nor state */
	bool allow_churn; /* without the brake */
};

/* A list of one source that is to follow the one that counts. */
struct install_next {
	const char *sha256; /* of a list that was verified, and lies in the state directory; "": there is none */
	const char *anchor; /* of the root file that it is taken under */
	struct source_here here;
	/* What came of it: 1 the brake holds; -1 it may not follow (see source_check_list()), or is no list. */
	int rc;
	struct error err;
};

/* Writes the state, unless this is a dry run. */
int install_remember(const struct install *in, struct error *err) MUST_CHECK;

/* Whether the installed map is what the lists that count, their order and how they are trusted, the recipe and
 * the administrator's rules make of it now. NULL: it is; else why not. */
const char *install_stale(const struct install *in);

/* Makes a map of the lists that count, or of those that are to follow them, has it answer to this program and
 * to the mail server's own tool, and puts it in place. The lists count from there on. next: one for each source;
 * each is asked by itself whether it may follow, and how many of its lines would go or come; where it may not,
 * the list that counts stays. Where none may, nothing is made. The lists are read in a confined process. */
int install_next(struct install *in, struct install_next *next, struct error *err) MUST_CHECK;
/* The same with the lists that count now. */
int install_again(struct install *in, struct error *err) MUST_CHECK;
/* The same with lists that have been in force before; those of sources that the generation does not have count no
 * more. Where this fails or is killed before the map is in place and noted, the state is as before. */
int install_generation(
	struct install *in, const struct state_generation *g, struct error *err) MUST_CHECK;

/* For report-only mode: as install_next(), but no map is made. */
int install_accept(struct install *in, struct install_next *next, struct error *err) MUST_CHECK;

/* For report-only mode: where a map is in force it is replaced by one without entries, said aloud, since it
 * would hold mail back by entries that nobody renews or drops. 0, also where there is none. */
int install_withdraw(struct install *in, struct error *err) MUST_CHECK;

/* Makes the mail server take a map that was installed, where that is still to be done. */
int install_reload(struct install *in, struct error *err) MUST_CHECK;

#endif

/*
 * source_errand: the folder that a confined process refreshes a source in, with all else that it is given to do so.
 *
 *	source_errand_open(&e, &source, &here, keep_roots, &user, err)
 *	... in the process, which is in that folder: source_refresh(&e.inside, &e.here, ...) ...
 *	... behind its end: source_take.h, source_hand_on.h ...
 *	source_errand_close(&e)
 *
 * The folder is "work" in that of the lists. In it lie the lists, a copy of what is trusted and the trust anchor, for
 * reading (see workdir.h); what the process may not open was opened or read before it begins.
 */
#ifndef UPDATER_SOURCE_ERRAND_H
#define UPDATER_SOURCE_ERRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/source.h"
#include "updater/source_report.h"
#include "updater/workdir.h"

struct confine_user;
struct error;

/* Parts of it point to others: it stays where it was opened. */
struct source_errand {
	const struct source *outside; /* lent */
	/* The same as the process sees it. */
	struct source inside;
	struct source_here here;
	struct workdir *dir;    /* owned, as all that follows is */
	struct tuf_file anchor; /* as it lies there */
	struct fetch_options fetch;
	struct fetch_tree *trees;
	int *tree_fds; /* of the trees */
	size_t tree_count;
	struct buf ca;
};

/* keep_roots: of a source that does not ask for it, too. To be closed whatever it returns. */
int source_errand_open(struct source_errand *e, const struct source *s, const struct source_here *here,
	bool keep_roots, const struct confine_user *user, struct error *err) MUST_CHECK;
void source_errand_close(struct source_errand *e);

/* --- behind the process -------------------------------------------------------------------------
 */

/* Where one of the metadata lies that are trusted; the caller frees it. */
char *source_errand_trusted(const struct source_errand *e, enum source_meta i) RETURNS_NONNULL;
/* Whether what was said of it is of a file that is there, and is another one than the trusted one. */
bool source_errand_is_new(const struct source_errand *e, enum source_meta i, const struct tuf_file *said);
/* Where it lies in the folder; *name: as what, lent. */
enum workdir_part source_errand_part(const struct source_errand *e, enum source_meta i,
	const struct tuf_file *said, const char **name);

#endif

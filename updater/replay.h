/*
 * replay: what one process has fetched, put as a mirror before another one that verifies it anew.
 *
 *	replay_open(path, &r, err)
 *	replay_add(&r, wd, WORKDIR_METADATA, "root.json", &said, "metadata/2.root.json", err)
 *	replay_also(&r, "metadata/5.snapshot.json", "metadata/snapshot.json", err)
 *	... r.url is that of the mirror, r.tree its folder ...
 *	replay_close(&r)
 *
 * The files are copies, which the process that fetched has no hand in.
 */
#ifndef UPDATER_REPLAY_H
#define UPDATER_REPLAY_H

#include "common/attr.h"
#include "updater/fetch.h"
#include "updater/workdir.h"

struct error;
struct tuf_file;

struct replay {
	char *path;             /* owned */
	const char *url;        /* of the mirror: a name for this folder alone */
	struct fetch_tree tree; /* its fd is owned */
};

/* Makes the folder, empty, whatever a killed run has left there; the folder above must be nobody else's to
 * write. r must be closed in any case. */
int replay_open(const char *path, struct replay *r, struct error *err) MUST_CHECK;
/* As workdir_take(). */
int replay_add(const struct replay *r, const struct workdir *wd, enum workdir_part part, const char *name,
	const struct tuf_file *said, const char *to, struct error *err) MUST_CHECK;
/* Another name for one of them. */
int replay_also(const struct replay *r, const char *name, const char *other, struct error *err) MUST_CHECK;
/* Removes the folder. */
void replay_close(struct replay *r);

#endif

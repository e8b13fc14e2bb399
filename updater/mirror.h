/*
 * mirror: makes a copy of what a fetching run has verified, for somebody who trusts nothing of that.
 *
 *	DIR/metadata/N.root.json  each, from the one behind the trust anchor on
 *	            /timestamp.json, V.snapshot.json, V.targets.json, and the two without V
 *	   /targets/SHA256.list.json, list.json
 *
 * It is a TUF repository with the list alone, as it was signed. All are further names of files that are
 * replaced and never changed. The folder is made anew beside the old one, and takes its place in one step:
 * who has opened it sees one publication or the other, to the end of it, since what was there before is
 * removed only at the next publication; and so does who comes behind a run that was killed.
 */
#ifndef UPDATER_MIRROR_H
#define UPDATER_MIRROR_H

#include "common/attr.h"

struct error;
struct source_found;

struct mirror {
	const char *dir;          /* there it is to be; DIR.new is another one's no more */
	const char *metadata_dir; /* of the source, with keep_roots */
	const char *list_path;
	const struct source_found *found;
};

/* All of it on one file system. A mirror that is as it should be is not written to. */
int mirror_publish(const struct mirror *m, struct error *err) MUST_CHECK;

#endif

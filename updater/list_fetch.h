/*
 * list_fetch: gets the list that a repository announces, in the form that costs the fewest bytes.
 *
 * By a delta from a list that is here already, compressed, or as it stands; the lengths stand in
 * the trusted metadata. A delta that cannot be had, or does not lead to the list that is announced,
 * costs its bytes and one line in the log; then the whole list is fetched.
 */
#ifndef UPDATER_LIST_FETCH_H
#define UPDATER_LIST_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct error;
struct fetch;
struct tuf_client;
struct tuf_file;

#define LIST_TARGET "list.json"

/* A list that is here. */
struct list_here {
	int64_t version;
	const char *path;
	const char *sha256; /* that it had when it was verified */
};

/* Puts the list that is `said` to be list.json (with a SHA-256) into the file path, whole and
 * checked or not at all. here: NULL without any. whole: there is nothing but the list as it stands. base
 * is that of the targets and ends in a slash. Errors as of tuf_client_download(). */
int list_fetch(struct tuf_client *c, struct fetch *fetch, const char *base,
	const struct tuf_file *said, const struct list_here *here, bool whole, const char *path,
	struct error *err) MUST_CHECK;

#endif

/*
 * delta: what turns one list document into a later one, octet for octet.
 *
 * Format preload25-delta-1, a file in zstd form. Unpacked it is JSON in the canonical layout of a
 * list (see list.h), with the new list's header, the version that it is for, and one change per
 * line, in the order of the list:
 *
 *	{"author":"...","confirmed_since":"...","expires":"...","format":"preload25-delta-1","from":41,"policies":{
 *	"example.com":{"added":{"auth":["pkix"],...,"tls":"1.3"}},
 *	"example.net":{"changed":{"policy-alias":"p-3f9a0c1e"}},
 *	"example.org":"removed"
 *	},"policy-aliases":{
 *	"p-3f9a0c1e":{"added":{"auth":["pkix"],...,"tls":"1.3"}}
 *	},"timestamp":"...","vantages":3,"version":42}
 *
 * What is added or changed is the new list's line, so entries that get an alias, or lose theirs,
 * count as changed. Deltas are made, put together and applied by merging sorted streams: time grows
 * with what is read, memory does not.
 */
#ifndef EXPORT_DELTA_H
#define EXPORT_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct error;

#define DELTA_FORMAT "preload25-delta-1"

/* Writes the delta between two sound list documents to path (mode 0644, replaced whole or not at
 * all). The same lists give the same bytes. */
int delta_make(const char *from, const char *to, const char *path, struct error *err) MUST_CHECK;

/* Writes to path what the two deltas, 40-41 and 41-42, come to: 40-42. A change that the second one
 * takes back stays in it as a change to what was there before. Deltas that do not follow each other
 * are ERROR_INPUT. They are our own: no limits against a hostile one. */
int delta_join(
	const char *first, const char *second, const char *path, struct error *err) MUST_CHECK;

/* Takes a piece of the new list. -1 with err set ends it. */
typedef int delta_sink(void *arg, const void *data, size_t len, struct error *err);

/* Gives the sink what the delta in the file path makes of the list `from`, which must be a sound
 * document. The delta may be anybody's: whatever is not exactly its layout, is for another list, or
 * does not fit it is ERROR_INPUT, and what does not unpack, or to more than two lists of these
 * lengths could differ by, ERROR_SECURITY; messages call it by this name. length is that of the new
 * list, as announced. Whether what came out is that list only its hash can say. */
int delta_apply(const char *from, const char *path, const char *name, int64_t length,
	delta_sink *sink, void *arg, struct error *err) MUST_CHECK;

#endif

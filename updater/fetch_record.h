/*
 * fetch_record: what a fetching run tells those who come after it, record.json beside its mirror.
 *
 * An unprivileged process has written it. Who reads it with more rights believes of it what does no more
 * harm than that process could do by fetching nothing: see fetch_record_outcome().
 */
#ifndef UPDATER_FETCH_RECORD_H
#define UPDATER_FETCH_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "updater/resolver.h"

struct buf;

/* Octets of the file. */
#define FETCH_RECORD_MAX ((size_t)8192)

struct fetch_record {
	int64_t began_s;
	int64_t ended_s;           /* 0: it has not ended, or was killed */
	int64_t mirror_s;          /* when the mirror was last found to be, or made, the newest; 0: never */
	char anchor[65];           /* SHA-256 of the root file that the mirror was verified by; "": of none */
	struct error outcome;      /* ERROR_NONE: well */
	struct resolver_said resolver;
	/* For the fetching run itself: the list that it has. */
	int64_t list_version;
	char list_sha256[65]; /* "": none */
};

/* The text of the file; what is no record is ERROR_INPUT, and r zeros. In its words control characters are
 * escaped, and there is no quotation mark. */
int fetch_record_parse(const char *text, size_t len, struct fetch_record *r, struct error *err) MUST_CHECK;
/* Appends the text, one line. */
int fetch_record_format(const struct fetch_record *r, struct buf *out, struct error *err) MUST_CHECK;

/* Whether, seen at now_s, fetching goes well: 0; -1 with why not, "could not fetch" before it, and in
 * quotation marks what is the fetching run's own word. known: as incoming_record(). limit_s: for how long a run that ended well counts. */
int fetch_record_outcome(const struct fetch_record *r, int known, int64_t now_s, int64_t limit_s,
	struct error *err) MUST_CHECK;
/* What is left of its word on the resolver: RESOLVER_UNKNOWN when it is older than limit_s. */
struct resolver_said fetch_record_resolver(
	const struct fetch_record *r, int64_t now_s, int64_t limit_s);

#endif

/*
 * offline: one source as a fetching run has left it, for a job without network.
 *
 * It stands in for the mirrors, and is verified as they are. Beside it the fetching run's own word is read:
 * that it could not fetch is told as if it had been tried here, and that it could is worth no more than
 * what it has left. What it says, or that it says nothing, makes an outcome graver and never better.
 */
#ifndef UPDATER_OFFLINE_H
#define UPDATER_OFFLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"
#include "updater/fetch_record.h"
#include "updater/incoming.h"

struct source;
struct update_settings;

struct offline {
	struct incoming incoming; /* owned */
	const char *urls[1];
	struct fetch_record record; /* its times are not of the future */
	struct error not_fetched;   /* ERROR_NONE: fetching goes well */
};

/* To be closed in every case. */
void offline_open(
	struct offline *o, const struct update_settings *s, const char *name, int64_t now_s);
/* One that was not opened is zeros. */
void offline_close(struct offline *o);

/* Has the source be read from there. */
void offline_source(const struct offline *o, struct source *source);
/* Where no other fetching run has begun for too long since one was first seen, fetching does not go well.
 * *began_s, *seen_s: which that was, and when; kept for the next run here. */
void offline_note_run(struct offline *o, int64_t now_s, int64_t *began_s, int64_t *seen_s);
/* Whether there is something to be read. anchor: SHA-256 of the root file here: what was fetched by another one
 * would look like an attack. asked_s: when what is trusted here was had; what was fetched before that holds
 * nothing new, and would look like one, too. */
bool offline_has_news(struct offline *o, const char *anchor, int64_t asked_s, int64_t now_s);
/* Whether that it could not be fetched is told in the place of the failure that was seen here. */
bool offline_prevails(const struct offline *o, const struct error *seen);

#endif

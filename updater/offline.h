/*
 * offline: one source as a fetching run has left it, for a job without network.
 *
 * It stands in for the mirrors, and is verified as they are. Beside it the fetching run's own word is read:
 * that it could not fetch is told as if it had been tried here, and that it could is worth no more than
 * what it has left.
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
/* Whether there is something to be read. asked_s: when what is trusted here was had; what was fetched
 * before that holds nothing new, and would look like an attack. */
bool offline_has_news(const struct offline *o, int64_t asked_s, int64_t now_s);
/* What has come of it, rc with err as of a job that asks mirrors, in the light of the fetching run's word.
 * *told: whether that is what is answered now. */
int offline_judge(const struct offline *o, int rc, bool *told, struct error *err) MUST_CHECK;

#endif

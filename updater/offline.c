#include "updater/offline.h"

#include <string.h>

#include "common/log.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/when.h"

/* For so long a fetching run is good for the runs here behind the first that has seen it: who installs once more
 * by hand has no new one. */
#define FETCH_COUNTS_S INT64_C(3600)

void
offline_open(struct offline *o, const struct update_settings *s, const char *name, int64_t now_s)
{
	struct fetch_record *r = &o->record;
	struct error why = {0};
	int known = incoming_open(s->state_dir, name, &o->incoming, &why);

	*r = (struct fetch_record){.began_s = 0};
	if (known == 0)
		known = incoming_record(&o->incoming, r, &why);
	error_clear(&o->not_fetched);
	if (fetch_record_outcome(r, known, now_s, s->monitor_success_s, &why) < 0)
		o->not_fetched = why;
	/* Clocks are set back at times. */
	if (r->mirror_s > now_s)
		r->mirror_s = now_s;
	o->urls[0] = o->incoming.url;
}

void
offline_close(struct offline *o)
{
	if (o->incoming.url != NULL)
		incoming_close(&o->incoming);
}

void
offline_source(const struct offline *o, struct source *source)
{
	source->urls = o->urls;
	source->url_count = 1;
	source->mirror = &o->incoming.mirror;
}

void
offline_note_run(struct offline *o, int64_t now_s, int64_t *began_s, int64_t *seen_s)
{
	const struct fetch_record *r = &o->record;
	char text[WHEN_SIZE];

	if (r->began_s != *began_s || *seen_s > now_s) {
		*began_s = r->began_s;
		*seen_s = now_s;
	}
	if (o->not_fetched.kind == ERROR_NONE && now_s - *seen_s > FETCH_COUNTS_S)
		error_set(&o->not_fetched, ERROR_TEMP,
			"could not fetch: no fetching run has begun since that of %s (preload25-fetch.service?)",
			when(r->began_s, now_s, text));
}

bool
offline_has_news(struct offline *o, const char *anchor, int64_t asked_s, int64_t now_s)
{
	struct error *not = &o->not_fetched;

	if (o->incoming.mirror.fd < 0 && not->kind != ERROR_NONE)
		return false;
	if (o->record.anchor[0] != '\0' && strcmp(o->record.anchor, anchor) != 0) {
		if (not->kind == ERROR_NONE)
			error_set(not, ERROR_TEMP,
				"could not fetch: what is there was fetched by another root file than is "
				"configured");
		return false;
	}
	if (asked_s > now_s || o->record.mirror_s >= asked_s)
		return true;
	log_info("%s is older than what is known here", o->incoming.mirror.path);
	return false;
}

bool
offline_prevails(const struct offline *o, const struct error *seen)
{
	const enum error_kind word = o->not_fetched.kind;

	/* What has expired there is what could not be fetched anew. Of what is proved here there is no talking
	 * anybody out. */
	return word != ERROR_NONE && seen->kind != ERROR_SECURITY &&
		(seen->kind == ERROR_EXPIRED || source_gravity(seen->kind) <= source_gravity(word));
}

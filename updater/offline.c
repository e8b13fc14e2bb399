#include "updater/offline.h"

#include "common/log.h"
#include "updater/settings.h"
#include "updater/source.h"

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

bool
offline_has_news(const struct offline *o, int64_t asked_s, int64_t now_s)
{
	if (o->incoming.mirror.fd < 0 && o->not_fetched.kind != ERROR_NONE)
		return false;
	if (asked_s > now_s || o->record.mirror_s >= asked_s)
		return true;
	log_info("%s is older than what is known here", o->incoming.mirror.path);
	return false;
}

int
offline_judge(const struct offline *o, int rc, bool *told, struct error *err)
{
	const struct error *not = &o->not_fetched;

	/* What has expired there is what could not be fetched anew. */
	*told = not->kind != ERROR_NONE &&
		(rc == 0 || (rc < 0 && (err->kind == ERROR_EXPIRED ||
					       source_gravity(err->kind) <= source_gravity(not->kind))));
	if (!*told) {
		if (not->kind != ERROR_NONE)
			log_warning("%s", not->text);
		return rc;
	}
	if (rc < 0)
		log_info("%s", err->text);
	*err = *not;
	return -1;
}

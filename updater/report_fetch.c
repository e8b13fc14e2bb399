#include "updater/report_fetch.h"

#include "common/error.h"
#include "common/json.h"
#include "updater/fetch_record.h"
#include "updater/incoming.h"
#include "updater/settings.h"
#include "updater/when.h"

/* As incoming_record(). */
static int
look(const struct update_settings *s, size_t i, struct fetch_record *r, struct error *err)
{
	struct incoming in;
	int rc = incoming_open(s->state_dir, s->sources[i].name, &in, err);

	if (rc == 0)
		rc = incoming_record(&in, r, err);
	incoming_close(&in);
	return rc;
}

void
report_fetch(const struct update_settings *s, size_t i, int64_t now_s, FILE *out)
{
	struct fetch_record r;
	struct error err = {0};
	char text[WHEN_SIZE];
	int rc = look(s, i, &r, &err);

	if (rc < 0)
		fprintf(out, "last fetch   unknown: %s\n", err.text);
	else if (rc > 0 && r.ended_s == 0)
		fprintf(out, "last fetch   began %s, and has not ended\n", when(r.began_s, now_s, text));
	else if (rc > 0 && r.outcome.kind != ERROR_NONE)
		fprintf(out, "last fetch   %s: failed: \"%s\"\n", when(r.ended_s, now_s, text),
			r.outcome.text);
	else if (rc > 0)
		fprintf(out, "last fetch   %s\n", when(r.ended_s, now_s, text));
}

json_t *
report_fetch_json(const struct update_settings *s, size_t i)
{
	struct fetch_record r;
	struct error err = {0};
	int rc = look(s, i, &r, &err);
	json_t *doc;

	if (rc == 0)
		return json_null();
	doc = json_object();
	json_object_set_new(doc, "began", json_time(r.began_s));
	json_object_set_new(doc, "time", json_time(r.ended_s));
	json_object_set_new(doc, "error",
		rc < 0                                 ? json_text(err.text, NULL)
			: r.outcome.kind != ERROR_NONE ? json_text(r.outcome.text, NULL)
						       : json_null());
	return doc;
}

#include "export/everywhere.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "export/list.h"
#include "export/list_reader.h"

static void
put(struct file_writer *w, const char *text)
{
	file_writer_add(w, text, strlen(text));
}

/* The author may hold any character; all other strings need no escapes. */
static void
put_opening(struct file_writer *w, const struct list_header *h)
{
	char time[CLOCK_TEXT_SIZE];
	json_t *author = json_string(h->author);
	char *text = author != NULL ? json_dumps(author, JSON_ENCODE_ANY) : NULL;

	if (text == NULL)
		abort();
	put(w, "{\"version\":\"0.1\",\"author\":");
	put(w, text);
	clock_format(h->timestamp_s, time);
	put(w, ",\"timestamp\":\"");
	put(w, time);
	clock_format(h->expires_s, time);
	put(w, "\",\"expires\":\"");
	put(w, time);
	put(w, "\",\"policy-aliases\":{},\"policies\":{\n");
	free(text);
	json_decref(author);
}

/* Whether the format's schema takes the name: it wants a last label of two octets or more without
 * hyphens, so none of "xn--" in ASCII. */
static bool
name_fits(const char *name)
{
	const char *last = strrchr(name, '.') + 1;

	return strlen(last) >= 2 && strchr(last, '-') == NULL;
}

/* An entry of which a pattern must be left out would forbid what the domain allows. */
static bool
fits(const struct list_entry *e)
{
	if (!e->policy.auth_pkix || !name_fits(e->domain))
		return false;
	for (size_t i = 0; i < e->policy.mxs_count; i++)
		if (!name_fits(e->policy.mxs[i]))
			return false;
	return true;
}

static void
put_entry(struct file_writer *w, const struct list_entry *e, bool first)
{
	put(w, first ? "\"" : ",\n\"");
	put(w, e->domain);
	put(w, "\":{\"mode\":\"");
	put(w, list_mode_name(e->policy.mode));
	put(w, "\",\"mxs\":[");
	for (size_t i = 0; i < e->policy.mxs_count; i++) {
		const char *mx = e->policy.mxs[i];

		put(w, i > 0 ? ",\"" : "\"");
		put(w, mx[0] == '*' ? mx + 1 : mx);
		put(w, "\"");
	}
	put(w, "]}");
}

int
everywhere_write(struct list_reader *list, const char *path, struct error *err)
{
	const struct list_entry *e;
	struct file_writer *w;
	bool first = true;
	int rc;

	if (file_writer_open(path, 0644, &w, err) < 0)
		return -1;
	put_opening(w, list_reader_header(list));
	while ((rc = list_reader_next(list, &e, err)) > 0) {
		if (!fits(e))
			continue;
		put_entry(w, e, first);
		first = false;
	}
	put(w, first ? "}}\n" : "\n}}\n");
	if (rc == 0)
		rc = file_writer_commit(w, err);
	file_writer_free(w);
	return rc;
}

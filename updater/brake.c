#include "updater/brake.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "export/list.h"
#include "export/list_reader.h"
#include "updater/overlay.h"
#include "updater/render.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"

static struct overlay_list
as_overlay(const struct brake *b, struct list_reader *list)
{
	return (struct overlay_list){.list = list,
		.trust = b->source->trust,
		.domains = b->source->domains,
		.domain_count = b->source->domain_count};
}

static int
judge(const struct brake *b, const struct render_change *c, int64_t version, struct error *err)
{
	const struct update_settings *s = b->s;

	log_info("%s%sof %" PRId64 " domains %" PRId64 " would go, %" PRId64 " would be new",
		s->source_count > 1 ? b->source->name : "", s->source_count > 1 ? ": " : "", c->before,
		c->gone, c->fresh);
	if (b->allow_churn || c->before == 0)
		return 0;
	if (c->gone > s->gone_min && c->gone * 100 > c->before * s->gone_percent)
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would drop %" PRId64 " of %" PRId64
			" domains; the old map stands (--allow-churn installs it)",
			version, c->gone, c->before);
	else if (c->fresh > s->new_min && c->fresh * 100 > c->before * s->new_percent)
		error_set(err, ERROR_TEMP,
			"brake: list %" PRId64 " would add %" PRId64 " domains to %" PRId64
			"; the old map stands (--allow-churn installs it)",
			version, c->fresh, c->before);
	else
		return 0;
	return 1;
}

/* Beside others an unsound list must be found out before lines are made of all of them. */
static int
read_through(const struct brake *b, struct list_reader *list, struct error *err)
{
	const struct list_entry *e;
	int rc = b->s->source_count > 1 ? 1 : 0;

	while (rc > 0)
		rc = list_reader_next(list, &e, err);
	return rc;
}

int
brake_ask(const struct brake *b, struct list_reader *after, struct error *err)
{
	const struct overlay_list new = as_overlay(b, after);
	const char *sha256 = b->here->list->sha256;
	struct overlay_list old = as_overlay(b, NULL);
	struct render_change change;
	struct error why = {0};
	char *path = source_list_path(b->dir, sha256);
	int rc = source_check_list(b->here, list_reader_header(after), b->sha256, b->now_s, err);

	if (rc < 0)
		goto out;
	if (!b->installed || sha256[0] == '\0') {
		rc = read_through(b, after, err);
		goto out;
	}
	if (source_list_intact(path, sha256, &why) < 0 || list_reader_open(path, &old.list, &why) < 0) {
		log_warning("cannot compare with the installed list: %s", why.text);
		rc = read_through(b, after, err);
		goto out;
	}
	rc = render_compare(&old, &new, b->options, &change, err);
	if (rc == 0)
		rc = judge(b, &change, list_reader_header(after)->version, err);
out:
	list_reader_close(old.list);
	free(path);
	return rc;
}

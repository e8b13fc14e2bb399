#include "updater/source_worker.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "updater/freshness.h"
#include "updater/replay.h"
#include "updater/source.h"
#include "updater/source_errand.h"
#include "updater/source_hand_on.h"
#include "updater/source_report.h"
#include "updater/source_take.h"
#include "updater/worker.h"

/* --- inside -------------------------------------------------------------------------------------
 */

struct question {
	const struct source_errand *errand;
	int64_t now_s;
};

static int
refresh(void *arg, struct buf *report, struct error *err)
{
	const struct question *q = arg;
	const struct source_errand *e = q->errand;
	struct source_found found;
	int rc = source_refresh(&e->inside, &e->here, q->now_s, &found, err);

	/* Else nothing is trusted, so nothing has changed. */
	if (found.opened)
		source_report_write(&found, e->inside.metadata_dir, report);
	return rc;
}

/* --- outside ------------------------------------------------------------------------------------
 */

/* What a process has found is not taken, and why; it has failed itself (rc, err) or not. One that lies has no say in
 * what the matter is. -1. */
static int
not_taken(int rc, const struct error *why, struct error *err)
{
	if (rc < 0 && why->kind != ERROR_SECURITY) {
		log_info("%s", why->text);
		return -1;
	}
	if (rc < 0)
		log_info("%s", err->text);
	*err = *why;
	return -1;
}

/* What was proved is kept whatever came of the rest: rc, with err. */
static int
take(const struct source_errand *e, const struct buf *text, int rc, struct replay *replay,
	struct source_found *found, struct error *err)
{
	struct source_report report;
	struct error why = {0};

	/* It has not come so far, or it is gone and so is what it has said. */
	if (rc < 0 && text->len == 0)
		return rc;
	if (source_report_read(text, &e->anchor, e->inside.keep_roots, rc < 0 ? -1 : e->outside->list_max,
		    &report, &why) < 0 ||
		(replay != NULL ? source_hand_on(e, &report, rc, replay, &why)
				: source_take(e, &report, rc > 0, &why)) < 0)
		return not_taken(rc, &why, err);
	if (rc >= 0)
		*found = report.found;
	return rc;
}

static int
run(const struct source_errand *e, const struct confine_user *user, int64_t time_ms, int64_t now_s,
	struct buf *report, struct error *err)
{
	const struct source *s = e->outside;
	char *meta = xasprintf("%s/", s->metadata_dir), *lists = xasprintf("%s/", s->list_dir);
	const struct worker_name names[] = {{WORKDIR_METADATA_NAME "/", meta},
		{WORKDIR_KNOWN_NAME "/", meta},
		{WORKDIR_FETCHED_NAME "/", lists}, {"./", lists}, {e->inside.root, s->root}};
	struct question question = {e, now_s};
	struct worker w = {.what = s->mirror == NULL ? "fetching" : "verifying",
		.confine = {.user = *user,
			.dir = workdir_fd(e->dir),
			.network = s->mirror == NULL,
			.trees = e->tree_fds,
			.tree_count = e->tree_count},
		.time_ms = time_ms,
		.names = names,
		.name_count = ARRAY_LEN(names),
		.work = refresh,
		.arg = &question};
	int rc;

	w.confine.writable = workdir_writable(e->dir, &w.confine.writable_count);
	rc = worker_run(&w, report, err);
	free(lists);
	free(meta);
	return rc;
}

/* One process. replay: where it leaves what it has found for another one; NULL: it is taken over. */
static int
send_out(const struct source *s, const struct source_here *here, const struct confine_user *user,
	int64_t time_ms, int64_t now_s, struct replay *replay, struct source_found *found, struct error *err)
{
	struct source_errand e;
	struct buf report;
	int rc = -1;

	memset(found, 0, sizeof(*found));
	source_report_init(&report);
	if (source_errand_open(&e, s, here, replay != NULL, user, err) == 0) {
		rc = run(&e, user, time_ms, now_s, &report, err);
		rc = take(&e, &report, rc, replay, found, err);
	}
	source_errand_close(&e);
	buf_clear(&report);
	return rc;
}

/* What the first one says counts where it has failed, as long as it has not lied; where not, what the second one
 * does. */
static int
verify(const struct source *s, const struct source_here *here, const struct confine_user *user,
	int64_t time_ms, int64_t now_s, const struct replay *replay, int rc, struct source_found *found,
	struct error *err)
{
	const char *const urls[] = {replay->url};
	struct source again = *s;
	struct error why = {0};
	int verified;

	again.urls = urls;
	again.url_count = ARRAY_LEN(urls);
	again.mirror = &replay->tree;
	verified = send_out(&again, here, user, time_ms, now_s, NULL, found, &why);
	if (verified >= 0)
		return rc < 0 ? -1 : verified;
	error_prefix(&why, "what was fetched, verified anew");
	return not_taken(rc, &why, err);
}

/* Nothing new: which is what one would say, too, who holds it back. */
static int
check_fresh(const struct source *s, const struct confine_user *user, int64_t time_ms, int64_t now_s,
	struct error *err)
{
	int rc = freshness_check(s->metadata_dir, user, time_ms, now_s, err);

	if (rc == 0)
		rc = error_set(err, ERROR_SECURITY,
			"the sandboxed process has found nothing new where nothing is known");
	return rc < 0 ? -1 : 0;
}

int
source_worker_refresh(const struct source *s, const struct source_here *here,
	const struct confine_user *user, int64_t time_ms, int64_t now_s, struct source_found *found,
	struct error *err)
{
	struct replay replay = {.tree = {.fd = -1}};
	int rc;

	/* What comes from no network is verified once. */
	if (s->mirror != NULL)
		return send_out(s, here, user, time_ms, now_s, NULL, found, err);
	rc = send_out(s, here, user, time_ms, now_s, &replay, found, err);
	if (replay.tree.fd >= 0)
		rc = verify(s, here, user, time_ms, now_s, &replay, rc, found, err);
	else if (rc >= 0)
		rc = check_fresh(s, user, time_ms, now_s, err);
	replay_close(&replay);
	return rc;
}

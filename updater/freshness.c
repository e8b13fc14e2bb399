#include "updater/freshness.h"

#include <stddef.h>

#include "common/buf.h"
#include "common/error.h"
#include "updater/tuf_known.h"
#include "updater/worker.h"

struct question {
	struct tuf_known known; /* owned */
	int64_t now_s;
};

static int
answer(void *arg, struct buf *report UNUSED, struct error *err)
{
	const struct question *q = arg;

	return tuf_known_in_force(&q->known, q->now_s, err);
}

int
freshness_check(const char *metadata_dir, const struct confine_user *user, int64_t time_ms, int64_t now_s,
	struct error *err)
{
	struct question q = {.now_s = now_s};
	const struct worker w = {.what = "looking at what is trusted",
		.confine = {.user = *user, .dir = -1},
		.time_ms = time_ms,
		.work = answer,
		.arg = &q};
	struct buf nothing;
	int rc = tuf_known_read(metadata_dir, TUF_ROLE_TIMESTAMP, &q.known, err);

	buf_init(&nothing, 0);
	if (rc > 0)
		rc = worker_run(&w, &nothing, err);
	buf_clear(&nothing);
	tuf_known_clear(&q.known);
	return rc;
}

#include "updater/source_hand_on.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "updater/list_fetch.h"
#include "updater/replay.h"
#include "updater/source_errand.h"

/* A file of the metadata, by its version too, as it is asked for where snapshots are consistent. */
static int
hand_on_role(const struct source_errand *e, enum source_meta i, const struct tuf_file *said, int64_t version,
	const struct replay *replay, struct error *err)
{
	char *to = xasprintf("metadata/%s", source_meta_files[i].name);
	char *other = xasprintf("metadata/%" PRId64 ".%s", version, source_meta_files[i].name);
	const char *name;
	enum workdir_part part = source_errand_part(e, i, said, &name);
	int rc = replay_add(replay, e->dir, part, name, said, to, err);

	if (rc == 0 && version > 0)
		rc = replay_also(replay, to, other, err);
	free(other);
	free(to);
	return rc;
}

static int
hand_on_roots(const struct source_errand *e, const struct source_report *r, const struct replay *replay,
	struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->root_count; i++) {
		char *name = source_root_name(r->found.first_root + (int64_t)i);
		char *to = xasprintf("metadata/%s", name);

		rc = replay_add(replay, e->dir, WORKDIR_METADATA, name, &r->roots[i], to, err);
		free(to);
		free(name);
	}
	return rc;
}

/* The list, unless it was here. */
static int
hand_on_list(const struct source_errand *e, const struct tuf_file *said, const struct replay *replay,
	struct error *err)
{
	char *here = source_list_path(e->outside->list_dir, said->sha256);
	char *name = source_list_name(said->sha256);
	char *other = xasprintf("targets/%s." LIST_TARGET, said->sha256);
	struct error ignored = {0};
	int rc = 0;

	if (tuf_check_path(said, here, &ignored) < 0) {
		rc = replay_add(replay, e->dir, WORKDIR_FETCHED, name, said, "targets/" LIST_TARGET, err);
		if (rc == 0)
			rc = replay_also(replay, "targets/" LIST_TARGET, other, err);
	}
	free(other);
	free(name);
	free(here);
	return rc;
}

static int
open_replay(const struct source_errand *e, struct replay *replay, struct error *err)
{
	char *path = xasprintf("%s/replay", e->outside->list_dir);
	int rc = replay_open(path, replay, err);

	free(path);
	return rc;
}

/* Whatever is not there was not new, or not fetched. */
int
source_hand_on(const struct source_errand *e, const struct source_report *r, int rc, struct replay *replay,
	struct error *err)
{
	const int64_t versions[SOURCE_METAS] = {
		[SOURCE_META_SNAPSHOT] = r->found.snapshot, [SOURCE_META_TARGETS] = r->found.targets};
	bool is_new[SOURCE_METAS], start_over, news = rc > 0;

	for (int i = 0; i < SOURCE_METAS; i++) {
		is_new[i] = source_errand_is_new(e, (enum source_meta)i, &r->metadata[i]);
		news = news || is_new[i];
	}
	if (!news)
		return 0;
	if (open_replay(e, replay, err) < 0 || hand_on_roots(e, r, replay, err) < 0)
		return -1;
	start_over = is_new[SOURCE_META_ANCHOR] || is_new[SOURCE_META_ROOT];
	for (int i = SOURCE_META_TIMESTAMP; i < SOURCE_METAS; i++) {
		/* Where it has failed, an old one may be there that another is announced for. */
		bool wanted = i == SOURCE_META_TIMESTAMP || is_new[i] || (start_over && rc >= 0);

		if (wanted && r->metadata[i].length >= 0 &&
			hand_on_role(e, (enum source_meta)i, &r->metadata[i], versions[i], replay, err) < 0)
			return -1;
	}
	return rc > 0 ? hand_on_list(e, &r->found.list, replay, err) : 0;
}

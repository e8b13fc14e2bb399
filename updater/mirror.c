#include "updater/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "updater/list_fetch.h"
#include "updater/source.h"

#define DIR_MODE 0755

static const char *const parts[] = {"metadata", "targets"};

/* A file, and what it is called in the mirror. */
struct entry {
	char *from, *to; /* owned; to: below the folder */
};

struct plan {
	struct entry *entries; /* owned */
	size_t count;
};

/* --- what it is to hold -------------------------------------------------------------------------
 */

/* Takes both. */
static void
add(struct plan *p, char *from, char *to)
{
	p->entries = xreallocarray(p->entries, p->count + 1, sizeof(*p->entries));
	p->entries[p->count++] = (struct entry){from, to};
}

/* One of the metadata, under the names that go with and without consistent snapshots. */
static void
add_role(struct plan *p, const struct mirror *m, const char *name, int64_t version)
{
	add(p, xasprintf("%s/%s.json", m->metadata_dir, name), xasprintf("metadata/%s.json", name));
	if (version > 0)
		add(p, xasprintf("%s/%s.json", m->metadata_dir, name),
			xasprintf("metadata/%" PRId64 ".%s.json", version, name));
}

static void
plan_init(struct plan *p, const struct mirror *m)
{
	const struct source_found *found = m->found;

	*p = (struct plan){NULL, 0};
	/* From the trusted one back to the first; the trust anchor itself need not be there. */
	for (int64_t n = found->root; n > 0; n--) {
		char *path = xasprintf("%s/%" PRId64 ".root.json", m->metadata_dir, n);

		if (!file_exists(path)) {
			free(path);
			break;
		}
		add(p, path, xasprintf("metadata/%" PRId64 ".root.json", n));
	}
	add_role(p, m, "timestamp", 0);
	add_role(p, m, "snapshot", found->snapshot);
	add_role(p, m, "targets", found->targets);
	add(p, xstrdup(m->list_path), xstrdup("targets/" LIST_TARGET));
	add(p, xstrdup(m->list_path), xasprintf("targets/%s." LIST_TARGET, found->list.sha256));
}

static void
plan_clear(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->entries[i].from);
		free(p->entries[i].to);
	}
	free(p->entries);
}

/* Whether each file is there: as itself, so nothing is read. */
static bool
is_done(const struct plan *p, const char *dir)
{
	bool done = true;

	for (size_t i = 0; done && i < p->count; i++) {
		char *path = xasprintf("%s/%s", dir, p->entries[i].to);
		struct stat from, to;

		done = lstat(path, &to) == 0 && lstat(p->entries[i].from, &from) == 0 &&
			to.st_ino == from.st_ino && to.st_dev == from.st_dev;
		free(path);
	}
	return done;
}

/* --- how it gets there --------------------------------------------------------------------------
 */

/* What a folder of ours holds, and it; what cannot be removed shows when it is made again. */
static int
remove_part(const char *path, struct error *err UNUSED)
{
	(void)file_remove_dir(AT_FDCWD, path);
	return 0;
}

static int
for_each_part(const char *dir, int (*act)(const char *path, struct error *err), struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++) {
		char *path = xasprintf("%s/%s", dir, parts[i]);

		rc = act(path, err);
		free(path);
	}
	return rc;
}

static int
make_anew(const char *path, struct error *err)
{
	(void)remove_part(path, err);
	if (mkdir(path, DIR_MODE) < 0 || chmod(path, DIR_MODE) < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot make the directory", path);
	return 0;
}

static int
fill(const struct plan *p, const char *dir, struct error *err)
{
	int rc = file_mkdirs(dir, DIR_MODE, err);

	if (rc == 0)
		rc = for_each_part(dir, make_anew, err);
	for (size_t i = 0; rc == 0 && i < p->count; i++) {
		char *path = xasprintf("%s/%s", dir, p->entries[i].to);

		if (link(p->entries[i].from, path) < 0)
			rc = error_set_errno(err, ERROR_TEMP, "%s: cannot link %s", path,
				p->entries[i].from);
		free(path);
	}
	if (rc == 0)
		rc = for_each_part(dir, file_sync_dir, err);
	return rc == 0 ? file_sync_dir(dir, err) : -1;
}

/* In one step, where the file system can; else there is none for a moment. */
static int
exchange(const char *new, const char *dir, struct error *err)
{
	if (renameat2(AT_FDCWD, new, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != ENOENT)
		(void)for_each_part(dir, remove_part, err);
	if (rename(new, dir) < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot rename", new);
	return 0;
}

int
mirror_publish(const struct mirror *m, struct error *err)
{
	char *new = xasprintf("%s.new", m->dir);
	struct plan plan;
	int rc = 0;

	plan_init(&plan, m);
	if (!is_done(&plan, m->dir)) {
		rc = fill(&plan, new, err);
		if (rc == 0)
			rc = exchange(new, m->dir, err);
		if (rc == 0)
			rc = file_sync_parent(m->dir, err);
	}
	plan_clear(&plan);
	free(new);
	return rc;
}

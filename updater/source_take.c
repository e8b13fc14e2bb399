#include "updater/source_take.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/source_errand.h"

#define FILE_MODE 0644

static int
remove_metadata(const struct source_errand *e, enum source_meta i, struct error *err)
{
	char *path = source_errand_trusted(e, i);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot remove", path);
	free(path);
	return rc;
}

/* Those that lead from another trust anchor lead nowhere. */
static int
remove_roots(const char *metadata_dir, struct error *err)
{
	DIR *dir = opendir(metadata_dir);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", metadata_dir);
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (str_ends(entry->d_name, SOURCE_ROOT_END) && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			rc = error_set_errno(err, ERROR_TEMP, "%s/%s: cannot remove", metadata_dir,
				entry->d_name);
	(void)closedir(dir);
	return rc;
}

/* Before the root that they lead to. */
static int
take_roots(const struct source_errand *e, const struct source_report *r, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->root_count; i++) {
		char *name = source_root_name(r->found.first_root + (int64_t)i);
		char *path = xasprintf("%s/%s", e->outside->metadata_dir, name);

		rc = workdir_take(e->dir, WORKDIR_METADATA, name, &r->roots[i], path, FILE_MODE, err);
		free(path);
		free(name);
	}
	return rc;
}

static int
take_role(const struct source_errand *e, enum source_meta i, const struct tuf_file *said, struct error *err)
{
	enum workdir_part part;
	const char *name;
	char *path;
	int rc;

	if (!source_errand_is_new(e, i, said))
		return 0;
	part = source_errand_part(e, i, said, &name);
	path = source_errand_trusted(e, i);
	rc = workdir_take(e->dir, part, name, said, path, FILE_MODE, err);
	free(path);
	return rc;
}

static int
take_metadata(const struct source_errand *e, const struct source_report *r, struct error *err)
{
	/* Under another root all begins anew, here too: it may have taken new keys to get rid of what
	 * the old ones had signed. */
	bool other_anchor = source_errand_is_new(e, SOURCE_META_ANCHOR, &r->metadata[SOURCE_META_ANCHOR]);
	bool start_over =
		other_anchor || source_errand_is_new(e, SOURCE_META_ROOT, &r->metadata[SOURCE_META_ROOT]);
	int rc = 0;

	if (other_anchor && e->outside->keep_roots)
		rc = remove_roots(e->outside->metadata_dir, err);
	if (rc == 0)
		rc = take_roots(e, r, err);
	for (int i = SOURCE_META_TIMESTAMP; rc == 0 && i < SOURCE_METAS; i++)
		if (start_over || r->metadata[i].length < 0)
			rc = remove_metadata(e, (enum source_meta)i, err);
	for (int i = 0; rc == 0 && i < SOURCE_METAS; i++)
		rc = take_role(e, (enum source_meta)i, &r->metadata[i], err);
	return rc;
}

static int
take_list(const struct source_errand *e, const struct tuf_file *said, struct error *err)
{
	char *path = source_list_path(e->outside->list_dir, said->sha256);
	char *name = source_list_name(said->sha256);
	struct error ignored = {0};
	int rc = 0;

	/* It may have been here: fetched once, and not installed. */
	if (tuf_check_path(said, path, &ignored) < 0)
		rc = workdir_take(e->dir, WORKDIR_FETCHED, name, said, path, FILE_MODE, err);
	free(name);
	free(path);
	return rc;
}

int
source_take(const struct source_errand *e, const struct source_report *r, bool list, struct error *err)
{
	if (take_metadata(e, r, err) < 0)
		return -1;
	return list ? take_list(e, &r->found.list, err) : 0;
}

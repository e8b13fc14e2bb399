#include "updater/list_fetch.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/tuf_metadata.h"
#include "export/unzstd.h"
#include "updater/fetch.h"
#include "updater/tuf_client.h"

#define ZSTD_TARGET "list.json.zst"
#define LIST_MODE   0644
#define PACKED_MODE 0600

/* Where the list's octets go: past the check and into the file. */
struct arriving {
	struct tuf_check *check; /* NULL: they are checked elsewhere */
	struct file_writer *file;
};

static int
on_list(void *arg, const void *data, size_t len, struct error *err)
{
	struct arriving *a = arg;

	if (a->check != NULL && tuf_check_add(a->check, data, len, err) < 0)
		return -1;
	file_writer_add(a->file, data, len);
	return 0;
}

static int
on_packed(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	file_writer_add(arg, data, len);
	return 0;
}

/* --- by a delta ---------------------------------------------------------------------------------
 */

/* The smallest one that leads from this version, if it is smaller than cost. *name is lent. */
static bool
find_delta(const struct tuf_client *c, int64_t from, int64_t cost, const char **name,
	struct tuf_file *out)
{
	char *prefix = xasprintf("delta/%" PRId64 "-", from);
	struct tuf_file file;
	const char *n;
	bool found = false;

	for (size_t i = 0; tuf_client_nth_target(c, i, &n, &file); i++) {
		if (!str_starts(n, prefix) || !str_ends(n, ".json.zst") || file.length >= cost)
			continue;
		*name = n;
		*out = file;
		cost = file.length;
		found = true;
	}
	free(prefix);
	return found;
}

/* What a delta that is what it was announced to be makes of the list that is here. */
static int
apply(const struct list_here *here, const char *packed, const char *name,
	const struct tuf_file *said, const char *path, struct error *err)
{
	struct arriving a = {tuf_check_new(said), NULL};
	struct tuf_file seen;
	struct error why = {0};
	int rc = file_writer_open(path, LIST_MODE, &a.file, err);

	if (rc < 0)
		goto out;
	rc = delta_apply(here->path, packed, name, said->length, on_list, &a, err);
	if (rc == 0)
		rc = tuf_check_end(a.check, err);
	if (rc == 0) {
		rc = file_writer_commit(a.file, err);
		goto out;
	}
	if (tuf_file_of_path(here->path, &seen, &why) < 0)
		*err = why;
	else if (strcmp(seen.sha256, here->sha256) != 0)
		error_set(err, ERROR_TEMP, "%s: altered since it was verified", here->path);
	else if (err->kind != ERROR_TEMP) {
		/* Signed with the list, and yet it says something else. */
		err->kind = ERROR_SECURITY;
		error_prefix(err,
			"%s is signed, but does not lead to the " LIST_TARGET
			" that is signed with it",
			name);
	}
out:
	tuf_check_free(a.check);
	file_writer_free(a.file);
	return rc;
}

/* The delta is a file, and verified, before anything of it is looked at. */
static int
fetch_by_delta(struct tuf_client *c, struct fetch *fetch, const char *base,
	const struct tuf_file *said, const struct list_here *here, const char *name,
	const struct tuf_file *delta, const char *path, struct error *err)
{
	struct file_writer *packed = NULL;
	int rc = -1;

	if (file_writer_open(path, PACKED_MODE, &packed, err) < 0)
		return -1;
	if (tuf_client_download(c, fetch, base, name, delta, on_packed, packed, err) == 0 &&
		file_writer_flush(packed, err) == 0)
		rc = apply(here, file_writer_path(packed), name, said, path, err);
	file_writer_free(packed); /* and the file is gone */
	return rc;
}

/* --- whole --------------------------------------------------------------------------------------
 */

static int
fetch_whole(struct tuf_client *c, struct fetch *fetch, const char *base,
	const struct tuf_file *said, const struct tuf_file *packed, const char *path,
	struct error *err)
{
	struct arriving a = {NULL, NULL};
	struct unzstd *z = NULL;
	int rc = -1;

	if (file_writer_open(path, LIST_MODE, &a.file, err) < 0)
		return -1;
	if (packed != NULL) {
		a.check = tuf_check_new(said);
		z = unzstd_new(said->length, on_list, &a);
		rc = tuf_client_download(c, fetch, base, ZSTD_TARGET, packed, unzstd_add, z, err);
		if (rc == 0 && (unzstd_end(z, err) < 0 || tuf_check_end(a.check, err) < 0))
			rc = error_prefix(err, ZSTD_TARGET);
	} else {
		rc = tuf_client_download(c, fetch, base, LIST_TARGET, said, on_list, &a, err);
	}
	if (rc == 0)
		rc = file_writer_commit(a.file, err);
	unzstd_free(z);
	tuf_check_free(a.check);
	file_writer_free(a.file);
	return rc;
}

int
list_fetch(struct tuf_client *c, struct fetch *fetch, const char *base, const struct tuf_file *said,
	const struct list_here *here, bool whole, const char *path, struct error *err)
{
	struct tuf_file packed, delta;
	bool small = !whole && tuf_client_target(c, ZSTD_TARGET, &packed) > 0 &&
		packed.length < said->length;
	int64_t cost = small ? packed.length : said->length;
	struct error why = {0};
	const char *name;

	if (here != NULL && !whole && find_delta(c, here->version, cost, &name, &delta)) {
		if (fetch_by_delta(c, fetch, base, said, here, name, &delta, path, &why) == 0) {
			log_info("%s: %" PRId64 " bytes instead of %" PRId64, name, delta.length,
				cost);
			return 0;
		}
		log_warning("%s; the whole list is fetched instead", why.text);
	}
	if (fetch_whole(c, fetch, base, said, small ? &packed : NULL, path, err) == 0)
		return 0;
	/* Not to be had is the smaller fault of a mirror that was just seen to cheat. */
	if (err->kind == ERROR_TEMP && why.kind == ERROR_SECURITY) {
		log_info("%s", err->text);
		*err = why;
	}
	return -1;
}

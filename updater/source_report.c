#include "updater/source_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"

const struct source_meta_file source_meta_files[SOURCE_METAS] = {
	[SOURCE_META_ROOT] = {"root.json", TUF_ROLE_ROOT},
	[SOURCE_META_ANCHOR] = {"anchor", TUF_ROLE_ROOT},
	[SOURCE_META_TIMESTAMP] = {"timestamp.json", TUF_ROLE_TIMESTAMP},
	[SOURCE_META_SNAPSHOT] = {"snapshot.json", TUF_ROLE_SNAPSHOT},
	[SOURCE_META_TARGETS] = {"targets.json", TUF_ROLE_TARGETS},
};

/* On its way: a length below 0 is of a file that is not there. */
struct message {
	struct reported {
		int64_t length;
		char sha256[65];
	} metadata[SOURCE_METAS], list;
	int64_t root, snapshot, targets, first_root; /* as in struct source_found */
	struct reported roots[TUF_ROOTS_MAX];        /* that were kept, from first_root on */
};

char *
source_root_name(int64_t version)
{
	return xasprintf("%" PRId64 SOURCE_ROOT_END, version);
}

/* How many roots were kept. */
static size_t
root_count(int64_t first, int64_t last)
{
	return first > 0 && last >= first && last - first < TUF_ROOTS_MAX
		? (size_t)(last - first) + 1
		: 0;
}

/* --- inside -------------------------------------------------------------------------------------
 */

static void
report_file(const struct tuf_file *file, struct reported *out)
{
	out->length = file->length;
	memcpy(out->sha256, file->sha256, sizeof(out->sha256));
}

static void
report_root(const char *dir, int64_t version, struct reported *out)
{
	char *name = source_root_name(version), *path = xasprintf("%s/%s", dir, name);
	struct tuf_file file;
	struct error why = {0};

	out->length = -1;
	if (file_exists(path) && tuf_file_of_path(path, &file, &why) == 0)
		report_file(&file, out);
	else if (why.kind != ERROR_NONE)
		log_warning("%s", why.text);
	free(path);
	free(name);
}

void
source_report_write(const struct source_found *found, const char *metadata_dir, struct buf *out)
{
	struct message *m = xcalloc(1, sizeof(*m));

	report_file(&found->list, &m->list);
	/* As it was verified, not as the files are now: others of this user could have changed them. */
	for (size_t i = 0; i < SOURCE_METAS; i++)
		report_file(i == SOURCE_META_ANCHOR ? &found->anchor
						    : &found->metadata[source_meta_files[i].role],
			&m->metadata[i]);
	m->root = found->root;
	m->snapshot = found->snapshot;
	m->targets = found->targets;
	m->first_root = found->first_root;
	for (size_t i = 0; i < root_count(found->first_root, found->root); i++)
		report_root(metadata_dir, found->first_root + (int64_t)i, &m->roots[i]);
	(void)buf_add(out, m, sizeof(*m));
	free(m);
}

/* --- outside ------------------------------------------------------------------------------------
 */

static int
check_file(const struct reported *r, int64_t max, struct tuf_file *out, struct error *err)
{
	uint8_t digest[32];

	memset(out, 0, sizeof(*out));
	if (memchr(r->sha256, '\0', sizeof(r->sha256)) == NULL || strlen(r->sha256) != 64 ||
		str_unhex(r->sha256, 64, digest, sizeof(digest)) < 0 || r->length < 0 ||
		r->length > max)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported a file that cannot be");
	out->hashes = true;
	out->length = r->length;
	/* Anew, in lower case. */
	str_hex(digest, sizeof(digest), out->sha256);
	return 0;
}

static int
check_metadata(const struct message *m, const struct tuf_file *anchor, struct source_report *out, struct error *err)
{
	const struct tuf_file *said = &out->metadata[SOURCE_META_ANCHOR];

	for (size_t i = 0; i < SOURCE_METAS; i++) {
		out->metadata[i].length = -1;
		if (m->metadata[i].length >= 0 &&
			check_file(&m->metadata[i], (int64_t)tuf_role_max(source_meta_files[i].role),
				&out->metadata[i], err) < 0)
			return -1;
	}
	if (said->length != anchor->length || strcmp(said->sha256, anchor->sha256) != 0)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported another trust anchor than it was given");
	return 0;
}

static int
check_versions(const struct message *m, struct source_found *out, struct error *err)
{
	if (m->root < 0 || m->snapshot < 0 || m->targets < 0 || m->first_root < 0 ||
		m->root > TUF_INT_MAX || m->snapshot > TUF_INT_MAX || m->targets > TUF_INT_MAX ||
		m->first_root > m->root)
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported a version that cannot be");
	out->root = m->root;
	out->snapshot = m->snapshot;
	out->targets = m->targets;
	out->first_root = m->first_root;
	return 0;
}

void
source_report_init(struct buf *text)
{
	buf_init(text, sizeof(struct message));
}

int
source_report_read(const struct buf *text, const struct tuf_file *anchor, bool keep_roots, int64_t list_max,
	struct source_report *out, struct error *err)
{
	struct message m;

	memset(out, 0, sizeof(*out));
	if (text->len != sizeof(m))
		return error_set(err, ERROR_SECURITY,
			"the sandboxed process has reported what is no report");
	memcpy(&m, text->data, sizeof(m));
	if (check_metadata(&m, anchor, out, err) < 0 || check_versions(&m, &out->found, err) < 0)
		return -1;
	out->root_count = keep_roots ? root_count(m.first_root, m.root) : 0;
	for (size_t i = 0; i < out->root_count; i++)
		if (check_file(&m.roots[i], (int64_t)TUF_ROOT_MAX, &out->roots[i], err) < 0)
			return -1;
	return list_max < 0 ? 0 : check_file(&m.list, list_max, &out->found.list, err);
}

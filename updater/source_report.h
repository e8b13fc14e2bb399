/*
 * source_report: what a confined process says of what source_refresh() has found there.
 *
 *	source_report_write(&found, "metadata", &text)                       inside
 *	source_report_read(&text, &anchor, keep_roots, list_max, &r, err)    outside
 *
 * The process may have been taken over: what is read was looked at, so that it can be a report, and is proved of
 * nothing. Files are taken by the lengths and digests that stand there.
 */
#ifndef UPDATER_SOURCE_REPORT_H
#define UPDATER_SOURCE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/tuf_metadata.h"
#include "updater/source.h"

struct buf;
struct error;

/* The files of trusted metadata, in the order in which they may be replaced: at no time does an old
 * one stand beside a root that did not see it. */
enum source_meta {
	SOURCE_META_ROOT,
	SOURCE_META_ANCHOR,
	SOURCE_META_TIMESTAMP,
	SOURCE_META_SNAPSHOT,
	SOURCE_META_TARGETS
};
#define SOURCE_METAS (SOURCE_META_TARGETS + 1)

struct source_meta_file {
	const char *name;
	enum tuf_role role; /* the anchor is a root, too */
};
extern const struct source_meta_file source_meta_files[SOURCE_METAS];

/* What a root that was kept is called; the caller frees it. And how all such names end. */
char *source_root_name(int64_t version) RETURNS_NONNULL;
#define SOURCE_ROOT_END ".root.json"

struct source_report {
	struct tuf_file metadata[SOURCE_METAS]; /* a length below 0 is of a file that is not there */
	struct tuf_file roots[TUF_ROOTS_MAX];   /* that were kept, from found.first_root on */
	size_t root_count;
	struct source_found found; /* its list and versions */
};

/* Inside, when what is trusted could be opened. metadata_dir: where roots were kept. */
void source_report_write(const struct source_found *found, const char *metadata_dir, struct buf *out);

/* Room for one report. */
void source_report_init(struct buf *text);
/* anchor: that the process was given. keep_roots: whether it was to keep roots; else none are looked for. list_max:
 * octets of a list; -1 where the process has failed, and speaks of none. ERROR_SECURITY. */
int source_report_read(const struct buf *text, const struct tuf_file *anchor, bool keep_roots, int64_t list_max,
	struct source_report *out, struct error *err) MUST_CHECK;

#endif

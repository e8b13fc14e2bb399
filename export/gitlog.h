/*
 * gitlog: the commits of a repository, oldest first, and the files in them.
 *
 *	gitlog_open(path, GITLOG_PUBLISHED, &l, err)
 *	while ((rc = gitlog_next(l, err)) > 0)
 *		gitlog_files(l, "metadata", each, arg, err);
 *	gitlog_close(l);
 *
 * Reads what git holds and nothing of the work tree; writes nothing.
 */
#ifndef EXPORT_GITLOG_H
#define EXPORT_GITLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/git.h" /* GIT_COMMIT_SIZE */

struct error;
struct gitlog;

enum gitlog_range {
	GITLOG_PUBLISHED, /* HEAD and the first parents behind it */
	GITLOG_ALL,       /* whatever HEAD, a branch or a tag leads to */
};

/* A bare repository will do. ERROR_CONFIG when it is none, or has no commit. */
int gitlog_open(const char *path, enum gitlog_range range, struct gitlog **out,
	struct error *err) MUST_CHECK;
/* NULL is allowed. */
void gitlog_close(struct gitlog *l);

/* Goes to the next commit: 1, 0 there is none, -1. */
int gitlog_next(struct gitlog *l, struct error *err) MUST_CHECK;
/* Its id and time, until the next. */
const char *gitlog_commit(const struct gitlog *l);
int64_t gitlog_time(const struct gitlog *l);

/* One file: path from the top and the id of its contents, lent for the call. -1 ends the walk. */
typedef int gitlog_file(void *arg, const char *path, const char *id, struct error *err);

/* Every file below a top-level directory, in the order of their names. None if it is not there.
 * What is neither a file nor a directory is ERROR_INPUT. */
int gitlog_files(struct gitlog *l, const char *dir, gitlog_file *each, void *arg,
	struct error *err) MUST_CHECK;
/* Every file that differs from the first parent's, or is not in it. */
int gitlog_changes(struct gitlog *l, gitlog_file *each, void *arg, struct error *err) MUST_CHECK;
/* The id of one file's contents: 1, 0 there is no such file. */
int gitlog_find(const struct gitlog *l, const char *path, char id[static GIT_COMMIT_SIZE]);

/* Takes contents in pieces. -1 with err set ends it. */
typedef int gitlog_sink(void *arg, const void *data, size_t len, struct error *err);

/* Reads contents by their id: in constant memory as publish has left them, whole once git has
 * packed them. */
int gitlog_read(struct gitlog *l, const char *id, gitlog_sink *sink, void *arg,
	struct error *err) MUST_CHECK;

#endif

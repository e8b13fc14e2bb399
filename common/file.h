/*
 * file: files read whole within a limit, and replaced whole or not at all.
 *
 *	struct file_writer *w = NULL;
 *	if (file_writer_open(path, 0644, &w, err) < 0) ...
 *	file_writer_add(w, data, len);          sticky: the first error is remembered
 *	rc = file_writer_commit(w, err);        fsync, rename, fsync of the directory
 *	file_writer_free(w);                    removes the temporary file unless committed
 *
 * Until commit returns 0 the old file stands, crash or not. The temporary file stands beside the
 * target as ".NAME.tmp-XXXXXX"; file_remove_stale() removes those of runs that were killed.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/attr.h"

struct buf;
struct error;
struct file_writer;
struct file_lock;

/* The directory that path stands in, "." when it names none; the caller frees it. And its last part, lent. */
char *file_dir_of(const char *path) RETURNS_NONNULL;
const char *file_name_of(const char *path) RETURNS_NONNULL;

/* Appends the file's contents to out, whose maximum is the limit: a larger file is ERROR_INPUT.
 * Refuses what is no regular file. A file that is not there is ERROR_CONFIG with errno kept. */
int file_read(const char *path, struct buf *out, struct error *err) MUST_CHECK;
/* As file_read(), but returns 1 read, 0 there is no such file, -1 error. */
int file_read_if_exists(const char *path, struct buf *out, struct error *err) MUST_CHECK;

int file_writer_open(const char *path, mode_t mode, struct file_writer **out, struct error *err)
	MUST_CHECK;
/* Buffered. After a failure further adds do nothing and commit reports the first error. */
void file_writer_add(struct file_writer *w, const void *data, size_t len);
/* Sends what is buffered to the temporary file, for those that write or read it by name or fd. */
int file_writer_flush(struct file_writer *w, struct error *err) MUST_CHECK;
/* The temporary file's name and descriptor (read and write), lent. */
const char *file_writer_path(const struct file_writer *w);
int file_writer_fd(const struct file_writer *w);
int file_writer_commit(struct file_writer *w, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void file_writer_free(struct file_writer *w);

/* The whole sequence for bytes that are in memory. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
	MUST_CHECK;

/* A new file of bytes that are in memory, not synced: for what is gone with the run. One that is there
 * already, a link too, is ERROR_CONFIG. */
int file_create(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
	MUST_CHECK;

/* Makes the directory and those above it (mode applies to the new ones, whatever the umask). Existing is
 * fine. */
int file_mkdirs(const char *path, mode_t mode, struct error *err) MUST_CHECK;
/* Puts on the disk what another library has written. */
int file_sync(const char *path, struct error *err) MUST_CHECK;
int file_sync_dir(const char *dir, struct error *err) MUST_CHECK;
/* The directory that path stands in: after a rename or a link. */
int file_sync_parent(const char *path, struct error *err) MUST_CHECK;
/* Removes a directory with the files in it; no link is followed. What cannot be removed stays: -1 and errno where
 * that is the directory itself. at: as of openat(). */
int file_remove_dir(int at, const char *name);
/* Removes what killed writers of path have left beside it. */
void file_remove_stale(const char *path);
/* The same for all files of a directory: for who alone writes there. */
void file_remove_stale_in(const char *dir);
bool file_exists(const char *path);

/* Takes the lock file path (created, never removed) for this process: ERROR_TEMP when another
 * process holds it. The kernel gives it back when the process ends in whatever way. */
int file_lock_take(const char *path, struct file_lock **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void file_lock_free(struct file_lock *lock);

#endif

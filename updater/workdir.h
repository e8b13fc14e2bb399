/*
 * workdir: the folder that a confined process works in, and the customs at its border.
 *
 * It is filled while it is ours alone, given to the process, and thought of as hostile from there
 * on: when the process is gone, files are taken out of it by copying what has the length and the
 * digest that were announced; no link is followed. The folder itself and KNOWN, for what the process decides by, are for reading: they are
 * never given to its user, whose other processes could put something else there. In METADATA and FETCHED
 * the process may write, and those others with it.
 *
 *	workdir_open(path, &wd, err)
 *	workdir_link(wd, "/var/lib/x", "x", err)
 *	workdir_put(wd, "/var/lib/y", WORKDIR_KNOWN, "y", max, err)
 *	workdir_give(wd, &user, err)
 *	... worker_run() ...
 *	workdir_take(wd, WORKDIR_METADATA, "y", &said, "/var/lib/y", 0644, err)
 *	workdir_close(wd)
 */
#ifndef UPDATER_WORKDIR_H
#define UPDATER_WORKDIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "updater/confine.h"

struct error;
struct tuf_file;
struct workdir;

/* The folder itself, and those in it. */
enum workdir_part { WORKDIR_TOP, WORKDIR_KNOWN, WORKDIR_METADATA, WORKDIR_FETCHED };
#define WORKDIR_KNOWN_NAME    "known"
#define WORKDIR_METADATA_NAME "metadata"
#define WORKDIR_FETCHED_NAME  "fetched"

/* Makes it, empty, whatever a killed run has left there; the folder above must be nobody else's to
 * write. */
int workdir_open(const char *path, struct workdir **out, struct error *err) MUST_CHECK;
/* Removes it. NULL is allowed. */
void workdir_close(struct workdir *wd);
/* Lent, for confine: the folder to be in, and those in it, which may be written. */
int workdir_fd(const struct workdir *wd);
const int *workdir_writable(const struct workdir *wd, size_t *count);
/* Of a file in it, from outside: for what the process cannot have changed. The caller frees it. */
char *workdir_path(const struct workdir *wd, enum workdir_part part, const char *name) RETURNS_NONNULL;

/* Another name for a file of the same file system: 1 done, 0 there is no such file, -1. */
int workdir_link(struct workdir *wd, const char *path, const char *name, struct error *err) MUST_CHECK;
/* A copy of a file of at most max octets (else ERROR_INPUT): 1 done, 0 there is no such file, -1. */
int workdir_put(struct workdir *wd, const char *path, enum workdir_part part, const char *name,
	size_t max, struct error *err) MUST_CHECK;
/* Lets the user read all of it, and write where that may be; not called again. */
int workdir_give(
	struct workdir *wd, const struct confine_user *user, struct error *err) MUST_CHECK;

/* Copies a file to path, whole or not at all, if it is what was said of it. ERROR_SECURITY if not. */
int workdir_take(const struct workdir *wd, enum workdir_part part, const char *name,
	const struct tuf_file *said, const char *path, mode_t mode, struct error *err) MUST_CHECK;

#endif

/*
 * workdir: the folder that a confined process works in, and the customs at its border.
 *
 * It is filled while it is ours alone, given to the process, and thought of as hostile from there
 * on: when the process is gone, files are taken out of it by copying what has the length and the
 * digest that were announced; no link is followed.
 *
 *	workdir_open(path, &wd, err)
 *	workdir_link(wd, "/var/lib/x", WORKDIR_TOP, "x", err)
 *	workdir_give(wd, &user, err)
 *	... worker_run() ...
 *	workdir_take(wd, WORKDIR_TOP, "y", &said, "/var/lib/y", 0644, err)
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

/* It has one folder in it. */
enum workdir_part { WORKDIR_TOP, WORKDIR_METADATA };
#define WORKDIR_METADATA_NAME "metadata"

/* Makes it, empty, whatever a killed run has left there; the folder above must be nobody else's to
 * write. */
int workdir_open(const char *path, struct workdir **out, struct error *err) MUST_CHECK;
/* Removes it. NULL is allowed. */
void workdir_close(struct workdir *wd);
/* Lent, for confine. */
int workdir_fd(const struct workdir *wd);

/* Another name for a file of the same file system, which is not changed by what writes files anew:
 * 1 done, 0 there is no such file, -1. */
int workdir_link(struct workdir *wd, const char *path, enum workdir_part part, const char *name,
	struct error *err) MUST_CHECK;
/* A copy of a file of at most max octets. */
int workdir_put(struct workdir *wd, const char *path, const char *name, size_t max,
	struct error *err) MUST_CHECK;
int workdir_give(
	struct workdir *wd, const struct confine_user *user, struct error *err) MUST_CHECK;

/* Whether the name is still the file that was linked (1), is another one or nothing that can be
 * opened (0), or is no more (-1). */
int workdir_look(const struct workdir *wd, enum workdir_part part, const char *name,
	const char *path);
/* A file's descriptor for reading, which the caller closes; its length and digest are not known
 * until it was read. What is no file of its own is ERROR_SECURITY. */
int workdir_open_file(const struct workdir *wd, enum workdir_part part, const char *name,
	struct error *err) MUST_CHECK;
/* Copies it to path, whole or not at all, if it is what was said of it. ERROR_SECURITY if not. */
int workdir_take(const struct workdir *wd, enum workdir_part part, const char *name,
	const struct tuf_file *said, const char *path, mode_t mode, struct error *err) MUST_CHECK;

#endif

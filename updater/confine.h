/*
 * confine: a process gives up, for good, what it does not need.
 *
 * In this order: its environment, core dumps, descriptors, root; then files (Landlock: only what is
 * named may be read or written) and system calls (seccomp). Where the kernel has no Landlock or no
 * seccomp the rest still holds. For a process of one thread.
 *
 * What a program could still do behind it: compute, write into the folders that it has for that and to
 * the descriptors that were kept, and, with network set, talk to any address. Without a change of user
 * it is Landlock alone that keeps it from the files of the user it has.
 */
#ifndef UPDATER_CONFINE_H
#define UPDATER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/attr.h"

struct error;

/* Whom root becomes. */
struct confine_user {
	bool change; /* false: it stays who it is */
	uid_t uid;
	gid_t gid;
};

struct confine {
	struct confine_user user;
	pid_t parent; /* it ends with this process */
	int dir; /* the working folder, which may be read; becomes the current one. -1: none */
	const int *writable; /* folders that may be written, all below them too */
	size_t writable_count;
	int report; /* a descriptor that is kept */
	bool network;
	const int *trees; /* folders that may be read, all below them too; kept, for openat(2) */
	size_t tree_count;
	const int *files; /* kept as they are: for reading, opened so */
	size_t file_count;
};

/* Who it is to be: name, or without one (NULL) _preload25 or else nobody. Not root: no change. No
 * such user is ERROR_CONFIG. */
int confine_find_user(const char *name, struct confine_user *out, struct error *err) MUST_CHECK;

/* Root becomes that user, for good; nothing where there is no change. */
int confine_become(const struct confine_user *u, struct error *err) MUST_CHECK;

/* Behind a failure the process must end: part of it may be done. ERROR_CONFIG. */
int confine_enter(const struct confine *c, struct error *err) MUST_CHECK;

/* What of it this kernel lacks: NULL nothing, else for people ("no Landlock"). */
const char *confine_lacks(void);

#endif

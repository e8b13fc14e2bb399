/*
 * push: brings a branch to other repositories, none of which can hold up the others.
 *
 * Each remote has a process of its own, forked, which the time limit ends whatever it hangs in: the
 * libraries below know no time limit for a peer that accepts and never answers. So no other thread
 * of this process may be in libgit2 or OpenSSL meanwhile. A process that dies takes its pushes
 * along.
 */
#ifndef EXPORT_PUSH_H
#define EXPORT_PUSH_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/error.h"

struct push_options {
	int64_t timeout_s;   /* of one remote, all tries together */
	int64_t tries;       /* at least 1; behind a failed one comes a pause that doubles */
	const char *ca_file; /* for https:; NULL: the system's */
	const char *ssh_key; /* private key for ssh:; NULL: whatever the agent has */
};

/* Whether it has the form of something that can be pushed to: a path, a URL of scheme file, https,
 * http, ssh or git, or HOST:PATH. NULL: it does; else what is wrong. */
const char *push_remote_fault(const char *remote);
/* Its path on this machine, lent by remote; NULL: it is elsewhere. */
const char *push_remote_path(const char *remote);

/* The remote as it may be shown: without the password that a URL may hold. The caller frees it. */
char *push_remote_shown(const char *remote) RETURNS_NONNULL;

/* Brings the branch that HEAD of the repository at path names to each remote, fast-forward only,
 * all at once. results[i] says what became of remotes[i]: ERROR_NONE it is there; ERROR_TEMP;
 * ERROR_CONFIG when trying again will not help: no repository there, or one with commits that we
 * lack. */
void push_all(const char *path, const char *const *remotes, size_t count,
	const struct push_options *options, struct error *results);

#endif

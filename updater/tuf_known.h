/*
 * tuf_known: what the trusted metadata says that is here, for who only looks (tuf_client.h keeps it).
 *
 *	tuf_known_read(dir, &known, err)       opens and reads; nothing is parsed
 *	tuf_known_target(&known, "list.json", &file, err)
 *	tuf_known_clear(&known)
 *
 * In two steps, so that the second can be done by a process that may open no files.
 */
#ifndef UPDATER_TUF_KNOWN_H
#define UPDATER_TUF_KNOWN_H

#include "common/attr.h"
#include "common/buf.h"

struct error;
struct tuf_file;

struct tuf_known {
	struct buf root, targets;
	char *dir; /* owned; for messages */
};

/* 1; 0 nothing was fetched yet; -1. known must be cleared in any case. */
int tuf_known_read(const char *dir, struct tuf_known *out, struct error *err) MUST_CHECK;
void tuf_known_clear(struct tuf_known *known);

/* What the targets say of a target, which may be old and have expired: 1 found; 0 not, or there are none that the
 * root vouches for (that is logged); -1, ERROR_SECURITY: a root that does not stand up to its own signatures. */
int tuf_known_target(const struct tuf_known *known, const char *name, struct tuf_file *out,
	struct error *err) MUST_CHECK;

#endif

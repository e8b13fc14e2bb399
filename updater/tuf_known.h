/*
 * tuf_known: what the trusted metadata says that is here, for who only looks (tuf_client.h keeps it).
 *
 *	tuf_known_read(dir, TUF_ROLE_TARGETS, &known, err)       opens and reads; nothing is parsed
 *	tuf_known_target(&known, "list.json", &file, err)
 *	tuf_known_clear(&known)
 *
 * In two steps, so that the second can be done by a process that may open no files.
 */
#ifndef UPDATER_TUF_KNOWN_H
#define UPDATER_TUF_KNOWN_H

#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "export/tuf_metadata.h"

struct error;

struct tuf_known {
	struct buf root, text; /* the text is of role */
	enum tuf_role role;
	char *dir; /* owned; for messages */
};

/* 1; 0 nothing was fetched yet; -1. known must be cleared in any case. */
int tuf_known_read(const char *dir, enum tuf_role role, struct tuf_known *out, struct error *err) MUST_CHECK;
void tuf_known_clear(struct tuf_known *known);

/* What the targets say of a target, which may be old and have expired: 1 found; 0 not, or there are none that the
 * root vouches for (that is logged); -1, ERROR_SECURITY: a root that does not stand up to its own signatures. */
int tuf_known_target(const struct tuf_known *known, const char *name, struct tuf_file *out,
	struct error *err) MUST_CHECK;

/* Whether the metadata of the role, and the root, have not expired: 1; 0 there are none that the root vouches
 * for; -1: ERROR_EXPIRED, or as tuf_known_target(). */
int tuf_known_in_force(const struct tuf_known *known, int64_t now_s, struct error *err) MUST_CHECK;

#endif

/*
 * tuf_client_inside: what the parts of tuf_client share: the trusted copy (tuf_client_local.c), its refresh
 * from a mirror (tuf_client.c), and the search through delegations (tuf_client_find.c). For nobody else.
 */
#ifndef UPDATER_TUF_CLIENT_INSIDE_H
#define UPDATER_TUF_CLIENT_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "export/tuf_metadata.h"

struct error;

/* The metadata is public; "status" may be asked by anybody. */
#define META_MODE 0644

struct tuf_client {
	char *dir;
	int64_t now_s;
	struct tuf_meta
		*meta[TUF_ROLE_COUNT];   /* trusted; NULL: none. All but the root may be old */
	/* What their files hold, trusted or not. A file is read once: whoever could change it behind that changes
	 * nothing here. */
	struct buf text[TUF_ROLE_COUNT];
	struct tuf_file anchor; /* of the trust anchor; its length is -1 where there is none */
	bool keep_roots;
	int steps; /* along the chain of roots, at all mirrors */
	int64_t first_root;
};

/* Writes the bytes to the file of the role, and trusts the metadata made of them from there on: what was not
 * written is not trusted. Takes the ownership of the metadata in every case. */
int tuf_client_take(struct tuf_client *c, struct tuf_meta *m, const struct buf *text,
	struct error *err) MUST_CHECK;
void tuf_client_forget(struct tuf_client *c, enum tuf_role role);
/* Removes the file, which need not be there. */
int tuf_client_remove(struct tuf_client *c, enum tuf_role role, struct error *err) MUST_CHECK;
/* Timestamp, snapshot and targets, as far as the trusted root vouches for what their files hold. */
void tuf_client_load_locals(struct tuf_client *c);

/* ERROR_EXPIRED when it has. */
int tuf_client_check_expiry(
	const struct tuf_client *c, const struct tuf_meta *m, struct error *err) MUST_CHECK;
/* Checks the bytes of a file against what its parent says of them. ERROR_SECURITY. */
int tuf_client_check_announced(
	const struct tuf_file *said, const struct buf *text, struct error *err) MUST_CHECK;

#endif

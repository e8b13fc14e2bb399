/*
 * signing: a request for signatures: TUF metadata that waits for keys that are elsewhere.
 *
 * The file is the metadata as it will be published, with one more member beside "signatures" and
 * "signed": "root", a whole root file, by whose keys it is judged. For a root that is the one
 * before it; the new one must be signed by its own keys, too. So whoever signs needs nothing but
 * the file.
 */
#ifndef EXPORT_SIGNING_H
#define EXPORT_SIGNING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/attr.h"
#include "export/tuf_metadata.h"

struct buf;
struct error;
struct signing;
struct tuf_signer;

/* Without signatures yet. */
int signing_new(const json_t *signed_part, const struct tuf_meta *root, struct signing **out,
	struct error *err) MUST_CHECK;
/* 1, 0 there is no such file, -1. What is no request is ERROR_INPUT; one whose root does not vouch
 * for itself is ERROR_SECURITY. */
int signing_read(const char *path, struct signing **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void signing_free(struct signing *s);
int signing_write(const struct signing *s, const char *path, struct error *err) MUST_CHECK;

/* Lent until the next change. */
const struct tuf_meta *signing_meta(const struct signing *s);
const struct tuf_meta *signing_root(const struct signing *s);

/* Whether a signature by the key would count. */
bool signing_wants(const struct signing *s, const char *keyid);
/* 1 signed, 0 the key has signed it already, -1. A key that nobody asks for is ERROR_CONFIG. */
int signing_add(struct signing *s, const struct tuf_signer *signer, struct error *err) MUST_CHECK;
/* Whether both are the same but for signatures; if so, takes those over that are good. */
bool signing_merge(struct signing *s, const struct signing *other);

bool signing_complete(const struct signing *s);
/* "1 of 2 signatures", or for a root whose keys change "1 of 2 signatures by the old keys, 0 of 1
 * by the new ones". Appends. */
void signing_state(const struct signing *s, struct buf *out);
/* Appends the file to be published, with the good signatures only. */
int signing_format(const struct signing *s, struct buf *out, struct error *err) MUST_CHECK;

#endif

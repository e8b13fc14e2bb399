/*
 * tuf_client: keeps a trusted copy of a TUF repository's metadata (specification 1.0, section 5).
 *
 *	tuf_client_open(dir, root, now_s, &c, err)           what is trusted already
 *	tuf_client_refresh(c, fetch, "https://mirror/metadata/", err)
 *	tuf_client_target(c, "list.json", &file)
 *	tuf_client_download(c, fetch, "https://mirror/targets/", "list.json", &file, sink, arg, err)
 *
 * Each file goes into DIR (root.json, timestamp.json, snapshot.json, targets.json) as soon as it
 * was verified, by rename, so that a run that ends early keeps what it had proved. What is read
 *back is verified anew. A delegated role lies beside them under its percent-encoded name.
 *
 * ERROR_TEMP: the mirror failed. ERROR_SECURITY: it served what nobody may have signed, or what was
 * valid once (rollback, mix-and-match). ERROR_EXPIRED: what it serves has expired (freeze).
 */
#ifndef UPDATER_TUF_CLIENT_H
#define UPDATER_TUF_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"

struct error;
struct tuf_client;

/* Delegated roles that one search asks: what the reference client allows. */
#define TUF_ROLES_ASKED_MAX 32

/* dir must exist. root_path: the trust anchor, a root file that the administrator has installed. It
 * counts when there is no trusted root yet, and when it is another file than the one that dir was
 * begun with: then all that was trusted is forgotten. A bad anchor is ERROR_CONFIG; a root.json in dir
 * that does not stand up to its own signatures ERROR_SECURITY. Who only looks has tuf_known.h. */
int tuf_client_open(const char *dir, const char *root_path, int64_t now_s, struct tuf_client **out,
	struct error *err) MUST_CHECK;
/* The same, with what is trusted already read from known_dir, which is not written to: dir, which is empty then,
 * gets what comes anew. */
int tuf_client_open_beside(const char *known_dir, const char *dir, const char *root_path, int64_t now_s,
	struct tuf_client **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void tuf_client_free(struct tuf_client *c);

/* From here on each root that a refresh steps to stays as N.root.json in the folder, too: whoever has the
 * same trust anchor can take the same steps by them. */
void tuf_client_keep_roots(struct tuf_client *c);
/* The version of what is trusted of a role; 0: nothing is. */
int64_t tuf_client_version(const struct tuf_client *c, enum tuf_role role);
/* What the file of a role holds that was read, or was written since, and the trust anchor: as it counts here,
 * whatever has become of the files meanwhile. The length is -1 where there is none. */
void tuf_client_file(const struct tuf_client *c, enum tuf_role role, struct tuf_file *out);
void tuf_client_anchor(const struct tuf_client *c, struct tuf_file *out);
/* The first root that was kept so since tuf_client_open(); those up to the trusted one follow.
 * 0: none was. */
int64_t tuf_client_first_root(const struct tuf_client *c);

/* The whole workflow against one mirror; base ends in a slash. After an error the next mirror may
 * be tried with the same client. */
int tuf_client_refresh(
	struct tuf_client *c, struct fetch *fetch, const char *base, struct error *err) MUST_CHECK;

/* What the trusted targets.json says of a target: 1 found, 0 not, or there is no trusted
 * targets.json. Without a refresh before, this may be old, and have expired. */
int tuf_client_target(const struct tuf_client *c, const char *name, struct tuf_file *out);
/* All of them, for i from 0: 1, or 0 behind the last. *name is lent until the next refresh. */
int tuf_client_nth_target(
	const struct tuf_client *c, size_t i, const char **name, struct tuf_file *out);
/* Whether there is a trusted targets.json. */
bool tuf_client_ready(const struct tuf_client *c);

/* The same through delegations (section 5.6.7), behind a refresh: roles are asked in pre-order,
 * each once, TUF_ROLES_ASKED_MAX at most, and fetched where the local copy is not the one that the
 * snapshot names. base is that of the metadata. 1 found, 0 nobody knows it, -1 error: a role that
 * cannot be had or trusted ends the search. */
int tuf_client_find(struct tuf_client *c, struct fetch *fetch, const char *base, const char *name,
	struct tuf_file *out, struct error *err) MUST_CHECK;

/* Gets a target that is `said`; base is that of the targets and ends in a slash. The sink's pieces
 * are worth nothing until this has returned 0: only then length and hashes were right. A mirror
 * that lacks it is ERROR_TEMP; a name that is unfit for a URL ERROR_SECURITY. */
int tuf_client_download(struct tuf_client *c, struct fetch *fetch, const char *base,
	const char *name, const struct tuf_file *said, fetch_sink *sink, void *arg,
	struct error *err) MUST_CHECK;

#endif

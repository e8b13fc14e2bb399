#include "export/repository_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/passphrase.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

#define NEXT ".next"

static void
hold(struct repository *r, enum tuf_role role, struct held h)
{
	r->held[role].list[r->held[role].count++] = h;
}

/* 1, 0 it is to be taken for a key that is elsewhere, -1. */
static int
load(const struct repository_keys *keys, const char *uri, struct passphrase *pass,
	struct tuf_signer **out, struct error *err)
{
	const char *path = tuf_signer_path(uri);
	bool ask = !keys->quiet || keys->passphrase_from != NULL;

	if (path != NULL ? keys->optional && !file_exists(path) : !ask)
		return 0;
	if (tuf_signer_load(uri, ask ? pass : NULL, out, err) == 0)
		return 1;
	return keys->quiet && err->kind == ERROR_CONFIG ? 0 : -1;
}

/* The key at the URI, and the one that is to follow it. */
static int
load_one(struct repository *r, enum tuf_role role, const char *uri, struct passphrase *pass,
	struct error *err)
{
	const struct repository_keys *keys = &r->options.keys[role];
	struct held h = {.uri = uri, .path = tuf_signer_path(uri)};
	char *next;
	int rc = load(keys, uri, pass, &h.signer, err);

	h.encrypted = passphrase_known(pass);
	if (rc > 0)
		hold(r, role, h);
	if (rc < 0 || h.path == NULL)
		return rc;
	next = xasprintf("%s" NEXT, h.path);
	/* Another name of it, where a run was killed that was making it. */
	file_remove_stale(next);
	if (file_exists(next)) {
		h.next = true;
		rc = load(keys, next, pass, &h.signer, err);
		if (rc > 0)
			hold(r, role, h);
	}
	free(next);
	return rc;
}

int
repository_load_keys(struct repository *r, struct error *err)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		const struct repository_keys *keys = &r->options.keys[i];
		struct passphrase *pass;
		int rc = 0;

		if (2 * keys->count > REPOSITORY_HELD_MAX)
			return error_set(err, ERROR_CONFIG, "more than %d keys for %s",
				REPOSITORY_HELD_MAX / 2, tuf_role_name((enum tuf_role)i));
		/* A key and its follower each. */
		r->held[i].list = xcalloc(2 * keys->count + 1, sizeof(struct held));
		if (passphrase_new(keys->passphrase_from, &pass, err) < 0)
			return error_prefix(err, "%s keys", tuf_role_name((enum tuf_role)i));
		for (size_t k = 0; rc >= 0 && k < keys->count; k++)
			rc = load_one(r, (enum tuf_role)i, keys->uris[k], pass, err);
		passphrase_free(pass);
		if (rc < 0)
			return -1;
	}
	return 0;
}

void
repository_free_keys(struct repository *r)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		for (size_t k = 0; k < r->held[i].count; k++)
			tuf_signer_free(r->held[i].list[k].signer);
		free(r->held[i].list);
	}
}

int
repository_check_keys(const struct repository *r, struct error *err)
{
	const struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		const enum tuf_role role = (enum tuf_role)i;
		int64_t named = 0;

		for (size_t k = 0; k < r->held[i].count; k++)
			named += tuf_root_has_key(
				root, role, tuf_key_id(tuf_signer_key(r->held[i].list[k].signer)));
		/* Roots and targets may wait for the signatures of others. */
		if (role == TUF_ROLE_ROOT || r->options.new_keys || r->options.keys[i].count == 0)
			continue;
		if (named == 0)
			return error_set(err, ERROR_CONFIG,
				"%s: not a repository of ours: its root names another key for %s "
				"than %s",
				r->path, tuf_role_name(role), r->options.keys[i].uris[0]);
		if (role != TUF_ROLE_TARGETS && named < tuf_root_threshold(root, role))
			return error_set(err, ERROR_CONFIG,
				"%s: its root asks for %" PRId64 " signatures for %s, and %" PRId64
				" of the configured keys may sign for it",
				r->path, tuf_root_threshold(root, role), tuf_role_name(role),
				named);
	}
	return 0;
}

static bool
has_next(const struct repository *r, enum tuf_role role, const char *path)
{
	for (size_t k = 0; k < r->held[role].count; k++) {
		const struct held *h = &r->held[role].list[k];

		if (h->next && strcmp(h->path, path) == 0)
			return true;
	}
	return false;
}

int
repository_make_next(struct repository *r, enum tuf_role role, struct error *err)
{
	const struct repository_keys *keys = &r->options.keys[role];
	size_t count = r->held[role].count, made = 0;
	struct passphrase *pass;
	int rc = 0;

	if (passphrase_new(keys->passphrase_from, &pass, err) < 0)
		return error_prefix(err, "%s keys", tuf_role_name(role));
	for (size_t k = 0; rc == 0 && k < count; k++) {
		struct held h = r->held[role].list[k];
		const struct tuf_key *old = tuf_signer_key(h.signer);
		char *next;

		if (h.path == NULL || h.next ||
			!tuf_root_has_key(r->meta[TUF_ROLE_ROOT], role, tuf_key_id(old)))
			continue;
		made++;
		if (has_next(r, role, h.path))
			continue;
		next = xasprintf("%s" NEXT, h.path);
		h.next = true;
		rc = tuf_signer_generate(
			next, tuf_key_type(old), h.encrypted ? pass : NULL, &h.signer, err);
		if (rc == 0)
			hold(r, role, h);
		free(next);
	}
	passphrase_free(pass);
	if (rc == 0 && made == 0)
		rc = error_set(err, ERROR_CONFIG,
			"no key for %s is a file here; name the public key that is to take the "
			"place of another (--replace)",
			tuf_role_name(role));
	return rc;
}

int
repository_swap_keys(struct repository *r, struct error *err)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		for (size_t k = 0; k < r->held[i].count; k++) {
			struct held *h = &r->held[i].list[k];
			char *next;
			int rc;

			if (!h->next ||
				!tuf_root_has_key(r->meta[TUF_ROLE_ROOT], (enum tuf_role)i,
					tuf_key_id(tuf_signer_key(h->signer))))
				continue;
			next = xasprintf("%s" NEXT, h->path);
			rc = rename(next, h->path);
			if (rc < 0)
				error_set_errno(
					err, ERROR_TEMP, "%s: cannot rename to %s", next, h->path);
			free(next);
			if (rc < 0 || file_sync_parent(h->path, err) < 0)
				return -1;
			log_info("%s: the new key for %s, %.12s, is in place", h->path,
				tuf_role_name((enum tuf_role)i),
				tuf_key_id(tuf_signer_key(h->signer)));
			h->next = false;
		}
	}
	return 0;
}

const char *
repository_key_uri(const struct repository *r, enum tuf_role role, const char *keyid)
{
	for (size_t k = 0; k < r->held[role].count; k++) {
		const struct held *h = &r->held[role].list[k];

		if (!h->next && strcmp(tuf_key_id(tuf_signer_key(h->signer)), keyid) == 0)
			return h->uri;
	}
	return NULL;
}

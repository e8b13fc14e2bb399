#include "export/repository_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/signing.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

/* A root that waits for signatures from far away needs time. */
#define RENEW_BEFORE_S   (60 * CLOCK_DAY_S)
#define KEYID_DIGITS_MIN 8

/* --- what the next root will say ----------------------------------------------------------------
 */

struct plan {
	const struct tuf_key *keys[TUF_ROLE_COUNT][TUF_KEYS_MAX]; /* lent */
	size_t count[TUF_ROLE_COUNT];
	int64_t threshold[TUF_ROLE_COUNT];
};

static void
plan_from(struct plan *p, const struct tuf_meta *root)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		const struct tuf_key *key;

		while ((key = tuf_root_key(root, (enum tuf_role)i, p->count[i])) != NULL)
			p->keys[i][p->count[i]++] = key;
		p->threshold[i] = tuf_root_threshold(root, (enum tuf_role)i);
	}
}

static int
plan_add(struct plan *p, enum tuf_role role, const struct tuf_key *key, struct error *err)
{
	size_t all = 0;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		all += p->count[i];
	if (all >= TUF_KEYS_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d keys", TUF_KEYS_MAX);
	if (!tuf_key_usable(key))
		return error_set(err, ERROR_CONFIG, "key %.12s is of no kind that verifies here",
			tuf_key_id(key));
	for (size_t i = 0; i < p->count[role]; i++) {
		if (tuf_key_same(p->keys[role][i], key))
			return error_set(err, ERROR_CONFIG, "key %.12s signs for %s already",
				tuf_key_id(key), tuf_role_name(role));
	}
	p->keys[role][p->count[role]++] = key;
	return 0;
}

/* By its id or the beginning of it. */
static int
plan_remove(struct plan *p, enum tuf_role role, const char *id, struct error *err)
{
	size_t len = strlen(id), found = 0, at = 0;

	for (size_t i = 0; i < p->count[role]; i++) {
		if (strncmp(tuf_key_id(p->keys[role][i]), id, len) == 0) {
			found++;
			at = i;
		}
	}
	if (len < KEYID_DIGITS_MIN || found == 0)
		return error_set(err, ERROR_CONFIG, "%.64s: no key of this id signs for %s%s", id,
			tuf_role_name(role),
			len < KEYID_DIGITS_MIN ? " (give 8 digits or more)" : "");
	if (found > 1)
		return error_set(err, ERROR_CONFIG, "%.64s: %zu keys for %s begin like this", id,
			found, tuf_role_name(role));
	p->count[role]--;
	memmove(&p->keys[role][at], &p->keys[role][at + 1],
		(p->count[role] - at) * sizeof(p->keys[role][0]));
	return 0;
}

static int
plan_check(const struct plan *p, const struct repository *r, enum tuf_role role, struct error *err)
{
	int64_t here = 0;

	if (p->count[role] == 0)
		return error_set(err, ERROR_CONFIG, "no key would be left for %s: use key rotate",
			tuf_role_name(role));
	if (p->threshold[role] > (int64_t)p->count[role])
		return error_set(err, ERROR_CONFIG,
			"%s would ask for %" PRId64 " signatures and have %zu %s; see --threshold",
			tuf_role_name(role), p->threshold[role], p->count[role],
			p->count[role] == 1 ? "key" : "keys");
	if (role != TUF_ROLE_SNAPSHOT && role != TUF_ROLE_TIMESTAMP)
		return 0;
	/* What is signed every day must be signed here. */
	for (size_t i = 0; i < p->count[role]; i++) {
		for (size_t k = 0; k < r->held[role].count; k++) {
			if (tuf_key_same(tuf_signer_key(r->held[role].list[k].signer),
				    p->keys[role][i])) {
				here++;
				break;
			}
		}
	}
	if (here < p->threshold[role])
		return error_set(err, ERROR_CONFIG,
			"%s would ask for %" PRId64 " signatures, and %" PRId64
			" of its keys are configured here; add the private key first "
			"(%s_key may stand several times)",
			tuf_role_name(role), p->threshold[role], here, tuf_role_name(role));
	return 0;
}

/* Each key that has a follower gives way to it. */
static int
plan_rotate(struct plan *p, struct repository *r, enum tuf_role role, struct error *err)
{
	if (repository_make_next(r, role, err) < 0)
		return -1;
	for (size_t k = 0; k < r->held[role].count; k++) {
		const struct held *next = &r->held[role].list[k];

		for (size_t i = 0; next->next && i < r->held[role].count; i++) {
			const struct held *old = &r->held[role].list[i];
			struct error not_there;

			if (old->next || old->path == NULL || strcmp(old->path, next->path) != 0)
				continue;
			/* A rotation that waits already has done it. */
			if (plan_remove(p, role, tuf_key_id(tuf_signer_key(old->signer)),
				    &not_there) == 0 &&
				plan_add(p, role, tuf_signer_key(next->signer), err) < 0)
				return -1;
		}
	}
	return 0;
}

static int
plan_apply(
	struct plan *p, struct repository *r, const struct repository_change *c, struct error *err)
{
	if (c->rotate && plan_rotate(p, r, c->role, err) < 0)
		return -1;
	for (size_t i = 0; i < c->add_count; i++)
		if (plan_add(p, c->role, c->add[i], err) < 0)
			return -1;
	for (size_t i = 0; i < c->remove_count; i++)
		if (plan_remove(p, c->role, c->remove[i], err) < 0)
			return -1;
	if (c->threshold > 0)
		p->threshold[c->role] = c->threshold;
	return plan_check(p, r, c->role, err);
}

static json_t *
plan_root(const struct plan *p, int64_t version, int64_t expires_s)
{
	struct tuf_role_keys roles[TUF_ROLE_COUNT];

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		roles[i] = (struct tuf_role_keys){p->keys[i], p->count[i], p->threshold[i]};
	return tuf_build_root(version, expires_s, roles);
}

/* --- publishing it ------------------------------------------------------------------------------
 */

/* "root 3: targets +1 -1 keys, timestamp +1 -1 keys" */
static char *
message_of(const struct tuf_meta *old, const struct tuf_meta *new)
{
	struct buf text;
	bool any = false;

	buf_init(&text, 1000);
	(void)buf_addf(&text, "root %" PRId64 ":", tuf_meta_version(new));
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		const enum tuf_role role = (enum tuf_role)i;
		const struct tuf_key *key;
		size_t come = 0, go = 0;

		if (tuf_root_same_role(old, new, role))
			continue;
		for (size_t k = 0; (key = tuf_root_key(new, role, k)) != NULL; k++)
			come += !tuf_root_has_key(old, role, tuf_key_id(key));
		for (size_t k = 0; (key = tuf_root_key(old, role, k)) != NULL; k++)
			go += !tuf_root_has_key(new, role, tuf_key_id(key));
		(void)buf_addf(&text, "%s %s", any ? "," : "", tuf_role_name(role));
		if (come + go > 0)
			(void)buf_addf(&text, " keys +%zu -%zu", come, go);
		if (tuf_root_threshold(old, role) != tuf_root_threshold(new, role))
			(void)buf_addf(&text, " threshold %" PRId64, tuf_root_threshold(new, role));
		any = true;
	}
	(void)buf_addf(&text, "%s\n", any ? "" : " the same keys");
	return buf_take(&text);
}

/* Publishes a root that has its signatures. */
static int
put_root(struct repository *r, const struct signing *s, int64_t now_s, enum repository_root *out,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	char *message = message_of(r->meta[TUF_ROLE_ROOT], signing_meta(s));
	struct draft d;
	int rc;

	repository_draft_init(&d, r);
	d.root = signing_meta(s);
	d.version[TUF_ROLE_ROOT] = tuf_meta_version(signing_meta(s));
	rc = signing_format(s, &d.text[TUF_ROLE_ROOT], err);
	if (rc == 0)
		rc = repository_draft_rest(&d, r, now_s, err);
	if (rc == 1) {
		*out = REPOSITORY_ROOT_BLOCKED;
		rc = 0;
	} else if (rc == 0) {
		rc = repository_put(r, &d, NULL, NULL, 0, message, now_s, commit, err);
		if (rc == 0)
			rc = repository_swap_keys(r, err);
		if (rc == 0) {
			*out = REPOSITORY_ROOT_NEW;
			repository_tidy_requests(r);
		}
	}
	repository_draft_clear(&d);
	free(message);
	return rc;
}

/* The root that waits to follow the present one: 1, 0, -1. */
static int
waiting_root(const struct repository *r, struct signing **out, struct error *err)
{
	const struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];
	const struct buf *a = tuf_meta_octets(root), *b;
	int rc = repository_find_request(r, TUF_ROLE_ROOT, tuf_meta_version(root) + 1, out, err);

	if (rc <= 0)
		return rc;
	b = tuf_meta_octets(signing_root(*out));
	if (tuf_meta_role(signing_meta(*out)) == TUF_ROLE_ROOT && a->len == b->len &&
		memcmp(a->data, b->data, a->len) == 0)
		return 1;
	signing_free(*out);
	*out = NULL;
	return error_set(err, ERROR_SECURITY,
		"%s: root version %" PRId64
		" that waits there does not follow the published one; remove it and begin again",
		r->path, tuf_meta_version(root) + 1);
}

int
repository_change_keys(struct repository *r, const struct repository_change *c, int64_t now_s,
	enum repository_root *out, char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	const struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];
	int64_t life_s =
		c->root_expires_s > 0 ? c->root_expires_s : r->options.expires_s[TUF_ROLE_ROOT];
	struct signing *waiting = NULL, *next = NULL;
	json_t *signed_part = NULL;
	struct plan *plan = xcalloc(1, sizeof(*plan));
	int rc = waiting_root(r, &waiting, err);

	*out = REPOSITORY_ROOT_SAME;
	if (rc < 0)
		goto out;
	plan_from(plan, waiting != NULL ? signing_meta(waiting) : root);
	rc = plan_apply(plan, r, c, err);
	if (rc < 0)
		goto out;
	signed_part = plan_root(plan, tuf_meta_version(root) + 1, now_s + life_s);
	rc = signing_new(signed_part, root, &next, err);
	if (rc == 0)
		rc = repository_sign_request(r, next, err);
	if (rc < 0)
		goto out;
	/* Written also when it is complete: targets may have to wait for what it says. */
	if (signing_complete(next)) {
		rc = put_root(r, next, now_s, out, commit, err);
		if (rc < 0 || *out != REPOSITORY_ROOT_BLOCKED)
			goto out;
	}
	rc = repository_put_request(r, next, err);
out:
	json_decref(signed_part);
	signing_free(waiting);
	signing_free(next);
	free(plan);
	return rc;
}

static bool
is_near_end(const struct repository *r, int64_t now_s)
{
	int64_t half_s = r->options.expires_s[TUF_ROLE_ROOT] / 2;
	int64_t before_s = half_s < RENEW_BEFORE_S ? half_s : RENEW_BEFORE_S;

	return tuf_meta_expires(r->meta[TUF_ROLE_ROOT]) - now_s < before_s;
}

int
repository_tend_root(struct repository *r, int64_t now_s, enum repository_root *out,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	const struct repository_change nothing = {.role = TUF_ROLE_ROOT};
	struct signing *waiting = NULL;
	int rc = waiting_root(r, &waiting, err);

	*out = REPOSITORY_ROOT_SAME;
	if (rc < 0)
		return -1;
	if (rc == 0)
		return is_near_end(r, now_s)
			? repository_change_keys(r, &nothing, now_s, out, commit, err)
			: 0;
	rc = repository_sign_request(r, waiting, err);
	if (rc == 0)
		rc = signing_complete(waiting) ? put_root(r, waiting, now_s, out, commit, err)
					       : repository_put_request(r, waiting, err);
	signing_free(waiting);
	return rc;
}

#include "export/repository_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "export/signing.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

void
repository_draft_init(struct draft *d, const struct repository *r)
{
	memset(d, 0, sizeof(*d));
	d->root = r->meta[TUF_ROLE_ROOT];
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		buf_init(&d->text[i], tuf_role_max((enum tuf_role)i));
		d->version[i] = r->meta[i] != NULL ? tuf_meta_version(r->meta[i]) : 0;
	}
}

void
repository_draft_clear(struct draft *d)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		buf_clear(&d->text[i]);
}

/* Whether the file is signed as that root asks. */
static bool
is_good(const struct buf *text, enum tuf_role role, const struct tuf_meta *root)
{
	struct tuf_meta *meta;
	struct error ignored;
	bool good;

	if (tuf_meta_parse(buf_str(text), text->len, role, &meta, &ignored) < 0)
		return false;
	good = tuf_meta_verify(meta, root, &ignored) == 0;
	tuf_meta_free(meta);
	return good;
}

/* Signs with every key that is here and that the draft's root names, and with those of the present
 * one, so that a change of keys may be good under both. 1, 0 they are not enough, -1. */
static int
sign(struct draft *d, const struct repository *r, enum tuf_role role, const json_t *signed_part,
	struct error *err)
{
	const struct tuf_signer *signers[REPOSITORY_HELD_MAX];
	struct buf *text = &d->text[role];
	size_t n = 0;

	for (size_t k = 0; k < r->held[role].count; k++) {
		const char *id = tuf_key_id(tuf_signer_key(r->held[role].list[k].signer));
		bool wanted = tuf_root_has_key(d->root, role, id) ||
			tuf_root_has_key(r->meta[TUF_ROLE_ROOT], role, id);

		for (size_t i = 0; i < n; i++)
			wanted = wanted && strcmp(tuf_key_id(tuf_signer_key(signers[i])), id) != 0;
		if (wanted)
			signers[n++] = r->held[role].list[k].signer;
	}
	buf_reset(text);
	if (tuf_sign(signed_part, signers, n, text, err) < 0)
		return error_prefix(err, "%s", tuf_role_name(role));
	return is_good(text, role, d->root);
}

static void
describe(const struct draft *d, enum tuf_role role, struct tuf_file *out)
{
	tuf_file_of(d->text[role].data, d->text[role].len, out);
	out->version = d->version[role];
}

/* Signs the next version of a role whose keys must be here. Takes signed_part over. */
static int
draft_online(struct draft *d, const struct repository *r, enum tuf_role role, json_t *signed_part,
	struct tuf_file *out, struct error *err)
{
	int rc = sign(d, r, role, signed_part, err);

	json_decref(signed_part);
	if (rc == 0)
		return error_set(err, ERROR_CONFIG,
			"%s: root version %" PRId64 " asks for %" PRId64
			" signatures for %s, and fewer of its keys are configured here",
			r->path, tuf_meta_version(d->root), tuf_root_threshold(d->root, role),
			tuf_role_name(role));
	if (rc < 0)
		return -1;
	describe(d, role, out);
	return 0;
}

int
repository_draft_timestamp(struct draft *d, const struct repository *r,
	const struct tuf_file *snapshot, int64_t now_s, struct error *err)
{
	int64_t expires_s = now_s + r->options.expires_s[TUF_ROLE_TIMESTAMP];
	struct tuf_file ignored;

	d->version[TUF_ROLE_TIMESTAMP]++;
	return draft_online(d, r, TUF_ROLE_TIMESTAMP,
		tuf_build_timestamp(d->version[TUF_ROLE_TIMESTAMP], expires_s, snapshot), &ignored,
		err);
}

int
repository_draft_upwards(struct draft *d, const struct repository *r,
	const struct tuf_file *targets, int64_t now_s, struct error *err)
{
	int64_t expires_s = now_s + r->options.expires_s[TUF_ROLE_SNAPSHOT];
	struct tuf_file snapshot;

	d->version[TUF_ROLE_SNAPSHOT]++;
	if (draft_online(d, r, TUF_ROLE_SNAPSHOT,
		    tuf_build_snapshot(d->version[TUF_ROLE_SNAPSHOT], expires_s, targets),
		    &snapshot, err) < 0)
		return -1;
	return repository_draft_timestamp(d, r, &snapshot, now_s, err);
}

/* Whether the request is for these targets by this root, and still of use when it is signed. */
static bool
is_same_request(const struct signing *s, const struct draft *d, const json_t *signed_part,
	int64_t now_s, int64_t life_s)
{
	const struct buf *a = tuf_meta_octets(signing_root(s)), *b = tuf_meta_octets(d->root);
	const json_t *asked = json_object_get(tuf_meta_document(signing_meta(s)), "signed");

	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0 &&
		json_equal(json_object_get(asked, "targets"),
			json_object_get(signed_part, "targets")) == 1 &&
		tuf_meta_expires(signing_meta(s)) - now_s >= life_s / 2;
}

/* The request that there is for these targets, or a new one, with our signatures. */
static int
request_targets(const struct draft *d, const struct repository *r, const json_t *signed_part,
	int64_t now_s, struct signing **out, struct error *err)
{
	int64_t version = d->version[TUF_ROLE_TARGETS];
	struct error why;
	int rc = repository_find_request(r, TUF_ROLE_TARGETS, version, out, &why);

	if (rc < 0)
		log_warning("%s: drawn up anew", why.text);
	if (rc > 0 &&
		!is_same_request(
			*out, d, signed_part, now_s, r->options.expires_s[TUF_ROLE_TARGETS])) {
		log_info("targets version %" PRId64
			 ": there is something newer to sign; signatures so far are void",
			version);
		signing_free(*out);
		*out = NULL;
	}
	if (*out == NULL && signing_new(signed_part, d->root, out, err) < 0)
		return -1;
	return repository_sign_request(r, *out, err);
}

int
repository_draft_targets(struct draft *d, const struct repository *r, json_t *signed_part,
	int64_t now_s, struct tuf_file *out, struct error *err)
{
	struct signing *request = NULL;
	int rc = sign(d, r, TUF_ROLE_TARGETS, signed_part, err);

	if (rc < 0)
		goto out;
	if (rc == 0) {
		rc = request_targets(d, r, signed_part, now_s, &request, err);
		if (rc < 0)
			goto out;
		buf_reset(&d->text[TUF_ROLE_TARGETS]);
		if (!signing_complete(request)) {
			rc = repository_put_request(r, request, err) < 0 ? -1 : 1;
			goto out;
		}
		rc = signing_format(request, &d->text[TUF_ROLE_TARGETS], err);
		if (rc < 0)
			goto out;
	}
	describe(d, TUF_ROLE_TARGETS, out);
	rc = 0;
out:
	signing_free(request);
	json_decref(signed_part);
	return rc;
}

json_t *
repository_same_targets(const struct repository *r, int64_t version, int64_t expires_s)
{
	struct tuf_target targets[REPOSITORY_FILES_MAX];
	size_t n = 0;

	while (n < REPOSITORY_FILES_MAX &&
		tuf_targets_nth(r->meta[TUF_ROLE_TARGETS], n, &targets[n].name, &targets[n].file))
		n++;
	return tuf_build_targets(version, expires_s, targets, n);
}

int
repository_draft_rest(struct draft *d, const struct repository *r, int64_t now_s, struct error *err)
{
	struct tuf_file targets, snapshot;
	struct error ignored;
	bool stale[TUF_ROLE_COUNT];
	int rc = 0;

	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return 0;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		stale[i] = i != TUF_ROLE_ROOT && tuf_meta_verify(r->meta[i], d->root, &ignored) < 0;
	(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &targets);
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &snapshot);
	if (stale[TUF_ROLE_TARGETS]) {
		d->version[TUF_ROLE_TARGETS]++;
		rc = repository_draft_targets(d, r,
			repository_same_targets(r, d->version[TUF_ROLE_TARGETS],
				now_s + r->options.expires_s[TUF_ROLE_TARGETS]),
			now_s, &targets, err);
	}
	if (rc == 0 && (stale[TUF_ROLE_TARGETS] || stale[TUF_ROLE_SNAPSHOT]))
		rc = repository_draft_upwards(d, r, &targets, now_s, err);
	else if (rc == 0 && stale[TUF_ROLE_TIMESTAMP])
		rc = repository_draft_timestamp(d, r, &snapshot, now_s, err);
	for (size_t i = 0; rc == 0 && i < TUF_ROLE_COUNT; i++) {
		if (i != TUF_ROLE_ROOT && d->text[i].len > 0 &&
			!is_good(&d->text[i], (enum tuf_role)i, r->meta[TUF_ROLE_ROOT]))
			d->root_first = true;
	}
	return rc;
}

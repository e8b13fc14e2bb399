#include "export/signing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/xalloc.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

/* The largest metadata and a root, indented. */
#define SIGNING_MAX (TUF_TARGETS_MAX + 2 * TUF_ROOT_MAX)
#define FILE_MODE   0644

struct signing {
	json_t *document;
	struct tuf_meta *meta, *root; /* what is in it */
};

/* A whole file of metadata from JSON that is held already. */
static int
parse_meta(const json_t *document, enum tuf_role role, struct tuf_meta **out, struct error *err)
{
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, tuf_role_max(role));
	rc = tuf_format(document, &text, err);
	if (rc == 0)
		rc = tuf_meta_parse(buf_str(&text), text.len, role, out, err);
	buf_clear(&text);
	return rc;
}

/* Reads s->meta anew from the document. */
static int
refresh(struct signing *s, enum tuf_role role, struct error *err)
{
	json_t *bare =
		json_pack("{s:O, s:O}", "signatures", json_object_get(s->document, "signatures"),
			"signed", json_object_get(s->document, "signed"));
	struct tuf_meta *meta;
	int rc;

	if (bare == NULL)
		abort();
	rc = parse_meta(bare, role, &meta, err);
	json_decref(bare);
	if (rc < 0)
		return -1;
	tuf_meta_free(s->meta);
	s->meta = meta;
	return 0;
}

/* Takes the document over, in any case. */
static int
from_document(json_t *document, struct signing **out, struct error *err)
{
	struct signing *s = xcalloc(1, sizeof(*s));
	json_t *signed_part, *signatures, *root;
	enum tuf_role role;
	const char *type;

	*out = NULL;
	s->document = document;
	if (json_get_object(document, "signed", &signed_part, err) < 0 ||
		json_get_array(document, "signatures", &signatures, err) < 0 ||
		json_get_object(document, "root", &root, err) < 0 ||
		json_get_string(signed_part, "_type", &type, err) < 0)
		goto fail;
	if (tuf_role_parse(type, &role) < 0) {
		error_set(err, ERROR_INPUT, "\"_type\" is \"%.40s\", which is no role", type);
		goto fail;
	}
	if (refresh(s, role, err) < 0 || parse_meta(root, TUF_ROLE_ROOT, &s->root, err) < 0)
		goto fail;
	if (tuf_meta_verify(s->root, s->root, err) < 0) {
		error_prefix(err, "the root in it");
		goto fail;
	}
	if (role == TUF_ROLE_ROOT && tuf_meta_version(s->meta) != tuf_meta_version(s->root) + 1) {
		error_set(err, ERROR_SECURITY,
			"root version %" PRId64 " does not follow version %" PRId64,
			tuf_meta_version(s->meta), tuf_meta_version(s->root));
		goto fail;
	}
	*out = s;
	return 0;
fail:
	signing_free(s);
	return error_prefix(err, "not a request for signatures");
}

int
signing_new(const json_t *signed_part, const struct tuf_meta *root, struct signing **out,
	struct error *err)
{
	json_t *document = json_pack("{s:[], s:o, s:o}", "signatures", "signed",
		json_deep_copy(signed_part), "root", json_deep_copy(tuf_meta_document(root)));

	if (document == NULL)
		abort();
	return from_document(document, out, err);
}

int
signing_read(const char *path, struct signing **out, struct error *err)
{
	json_t *document;
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, SIGNING_MAX);
	rc = file_read_if_exists(path, &text, err);
	if (rc > 0 &&
		(json_parse(buf_str(&text), text.len, &document, err) < 0 ||
			from_document(document, out, err) < 0))
		rc = error_prefix(err, "%s", path);
	buf_clear(&text);
	return rc;
}

void
signing_free(struct signing *s)
{
	if (s == NULL)
		return;
	tuf_meta_free(s->meta);
	tuf_meta_free(s->root);
	json_decref(s->document);
	free(s);
}

int
signing_write(const struct signing *s, const char *path, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, SIGNING_MAX);
	rc = tuf_format(s->document, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, FILE_MODE, err);
	buf_clear(&text);
	return rc;
}

const struct tuf_meta *
signing_meta(const struct signing *s)
{
	return s->meta;
}

const struct tuf_meta *
signing_root(const struct signing *s)
{
	return s->root;
}

bool
signing_wants(const struct signing *s, const char *keyid)
{
	enum tuf_role role = tuf_meta_role(s->meta);

	return tuf_root_has_key(s->root, role, keyid) ||
		(role == TUF_ROLE_ROOT && tuf_root_has_key(s->meta, role, keyid));
}

/* Puts the signature in place of what stood there by that key. */
static int
put_signature(struct signing *s, const char *keyid, const char *sig, struct error *err)
{
	json_t *list = json_object_get(s->document, "signatures");
	json_t *item = json_pack("{s:s, s:s}", "keyid", keyid, "sig", sig);

	if (item == NULL)
		abort();
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *id =
			json_string_value(json_object_get(json_array_get(list, i), "keyid"));

		if (strcmp(id, keyid) == 0) {
			(void)json_array_remove(list, i);
			break;
		}
	}
	if (json_array_append_new(list, item) < 0)
		abort();
	return refresh(s, tuf_meta_role(s->meta), err);
}

int
signing_add(struct signing *s, const struct tuf_signer *signer, struct error *err)
{
	const struct tuf_key *key = tuf_signer_key(signer);
	const struct buf *octets = tuf_meta_octets(s->meta);
	char *sig;
	int rc;

	if (!signing_wants(s, tuf_key_id(key)))
		return error_set(err, ERROR_CONFIG,
			"key %.12s is none of those that may sign for %s here", tuf_key_id(key),
			tuf_role_name(tuf_meta_role(s->meta)));
	if (tuf_meta_signed_by(s->meta, key))
		return 0;
	if (tuf_signer_sign(signer, octets->data, octets->len, &sig, err) < 0)
		return -1;
	rc = put_signature(s, tuf_key_id(key), sig, err);
	free(sig);
	return rc < 0 ? -1 : 1;
}

/* The i-th of the keys whose signatures count; those of both roots come twice. */
static const struct tuf_key *
nth_key(const struct signing *s, size_t i)
{
	enum tuf_role role = tuf_meta_role(s->meta);
	const struct tuf_key *key;
	size_t n = 0;

	for (; (key = tuf_root_key(s->root, role, n)) != NULL; n++)
		if (n == i)
			return key;
	return role == TUF_ROLE_ROOT ? tuf_root_key(s->meta, role, i - n) : NULL;
}

bool
signing_merge(struct signing *s, const struct signing *other)
{
	const struct buf *a = tuf_meta_octets(s->meta), *b = tuf_meta_octets(other->meta);
	struct error ignored;

	if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
		return false;
	for (size_t i = 0; nth_key(s, i) != NULL; i++) {
		const struct tuf_key *key = nth_key(s, i);
		char id[TUF_KEYID_SIZE];

		if (tuf_meta_signed_by(s->meta, key) || !tuf_meta_signed_by(other->meta, key))
			continue;
		memcpy(id, tuf_key_id(key), sizeof(id));
		if (put_signature(s, id, tuf_trust_signature(tuf_meta_document(other->meta), id),
			    &ignored) < 0)
			return false;
	}
	return true;
}

bool
signing_complete(const struct signing *s)
{
	struct error ignored;

	return tuf_meta_verify(s->meta, s->root, &ignored) == 0 &&
		(tuf_meta_role(s->meta) != TUF_ROLE_ROOT ||
			tuf_meta_verify(s->meta, s->meta, &ignored) == 0);
}

void
signing_state(const struct signing *s, struct buf *out)
{
	enum tuf_role role = tuf_meta_role(s->meta);

	(void)buf_addf(out, "%zu of %" PRId64 " signatures", tuf_root_signed(s->root, s->meta),
		tuf_root_threshold(s->root, role));
	if (role == TUF_ROLE_ROOT && !tuf_root_same_role(s->root, s->meta, role))
		(void)buf_addf(out, " by the old keys, %zu of %" PRId64 " by the new ones",
			tuf_root_signed(s->meta, s->meta), tuf_root_threshold(s->meta, role));
}

int
signing_format(const struct signing *s, struct buf *out, struct error *err)
{
	json_t *signatures = json_array(), *document;
	const struct tuf_key *key;
	int rc;

	if (signatures == NULL)
		abort();
	for (size_t i = 0; (key = nth_key(s, i)) != NULL; i++) {
		bool twice = false;

		for (size_t k = 0; k < i && !twice; k++)
			twice = strcmp(tuf_key_id(nth_key(s, k)), tuf_key_id(key)) == 0;
		if (!twice && tuf_meta_signed_by(s->meta, key) &&
			json_array_append_new(signatures,
				json_pack("{s:s, s:s}", "keyid", tuf_key_id(key), "sig",
					tuf_trust_signature(
						tuf_meta_document(s->meta), tuf_key_id(key)))) < 0)
			abort();
	}
	document = json_pack("{s:o, s:O}", "signatures", signatures, "signed",
		json_object_get(s->document, "signed"));
	if (document == NULL)
		abort();
	rc = tuf_format(document, out, err);
	json_decref(document);
	return rc;
}

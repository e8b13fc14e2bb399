#include "export/tuf_metadata.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_delegation.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"
#include "export/tuf_trust.h"

struct named_file {
	const char *name; /* lent by the document */
	struct tuf_file file;
};

struct tuf_meta {
	enum tuf_role role;
	int64_t version;
	int64_t expires_s;
	json_t *document;       /* owned; strings below point into it */
	struct buf signed_part; /* canonical: what signatures are made over */
	bool consistent_snapshot;
	struct tuf_keys keys; /* root */
	struct tuf_signatories roles[TUF_ROLE_COUNT];
	struct tuf_delegations *delegations; /* targets; NULL: none */
	struct named_file *files;            /* meta, or targets */
	size_t file_count;
};

static const struct {
	const char *name;
	size_t max;
} role_table[TUF_ROLE_COUNT] = {
	[TUF_ROLE_ROOT] = {"root", TUF_ROOT_MAX},
	[TUF_ROLE_TIMESTAMP] = {"timestamp", TUF_TIMESTAMP_MAX},
	[TUF_ROLE_SNAPSHOT] = {"snapshot", TUF_SNAPSHOT_MAX},
	[TUF_ROLE_TARGETS] = {"targets", TUF_TARGETS_MAX},
};

const char *
tuf_role_name(enum tuf_role role)
{
	return role_table[role].name;
}

int
tuf_role_parse(const char *name, enum tuf_role *out)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (strcmp(role_table[i].name, name) == 0) {
			*out = (enum tuf_role)i;
			return 0;
		}
	}
	return -1;
}

size_t
tuf_role_max(enum tuf_role role)
{
	return role_table[role].max;
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* "1.N" or "1.N.N". */
static bool
spec_version_known(const char *text)
{
	size_t parts = 1, digits = 0;

	if (!str_starts(text, "1."))
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '.') {
			if (digits == 0)
				return false;
			parts++;
			digits = 0;
		} else if (str_is_digit(*p)) {
			digits++;
		} else {
			return false;
		}
	}
	return digits > 0 && parts <= 3;
}

static int
parse_common(struct tuf_meta *m, const json_t *signed_part, struct error *err)
{
	const char *text;

	if (json_get_string(signed_part, "_type", &text, err) < 0)
		return -1;
	if (strcmp(text, tuf_role_name(m->role)) != 0)
		return error_set(err, ERROR_INPUT, "\"_type\" is \"%.40s\", not \"%s\"", text,
			tuf_role_name(m->role));
	if (json_get_string(signed_part, "spec_version", &text, err) < 0)
		return -1;
	if (!spec_version_known(text))
		return error_set(err, ERROR_INPUT,
			"\"spec_version\" is \"%.40s\": not a version 1 of TUF", text);
	if (json_get_int(signed_part, "version", 1, TUF_INT_MAX, &m->version, err) < 0 ||
		json_get_string(signed_part, "expires", &text, err) < 0)
		return -1;
	if (clock_parse(text, strlen(text), &m->expires_s) < 0)
		return error_set(err, ERROR_INPUT, "\"expires\" is not YYYY-MM-DDTHH:MM:SSZ");
	return 0;
}

static int
parse_root(struct tuf_meta *m, const json_t *signed_part, struct error *err)
{
	const json_t *consistent = json_object_get(signed_part, "consistent_snapshot");
	json_t *roles, *object;

	if (consistent != NULL && !json_is_boolean(consistent))
		return error_set(err, ERROR_INPUT, "\"consistent_snapshot\" is not a boolean");
	m->consistent_snapshot = json_is_true(consistent);
	if (tuf_keys_parse(&m->keys, signed_part, err) < 0 ||
		json_get_object(signed_part, "roles", &roles, err) < 0)
		return -1;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (json_get_object(roles, role_table[i].name, &object, err) < 0 ||
			tuf_signatories_parse(&m->roles[i], object, err) < 0)
			return error_prefix(err, "role %s", role_table[i].name);
	}
	return 0;
}

static bool
is_lower_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!str_is_digit(text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	return strlen(text) == len;
}

static int
parse_hashes(struct tuf_file *f, const json_t *object, bool needed, struct error *err)
{
	const char *text;
	json_t *hashes;

	if (!needed && json_object_get(object, "hashes") == NULL)
		return 0;
	if (json_get_object(object, "hashes", &hashes, err) < 0)
		return -1;
	if (json_object_size(hashes) == 0)
		return error_set(err, ERROR_INPUT, "\"hashes\" is empty");
	f->hashes = true;
	if (json_object_get(hashes, "sha256") != NULL) {
		if (json_get_string(hashes, "sha256", &text, err) < 0)
			return -1;
		if (!is_lower_hex(text, 64))
			return error_set(err, ERROR_INPUT, "\"sha256\" is not 64 hex digits");
		memcpy(f->sha256, text, 65);
	}
	if (json_object_get(hashes, "sha512") != NULL) {
		if (json_get_string(hashes, "sha512", &text, err) < 0)
			return -1;
		if (!is_lower_hex(text, 128))
			return error_set(err, ERROR_INPUT, "\"sha512\" is not 128 hex digits");
		memcpy(f->sha512, text, 129);
	}
	return 0;
}

/* "meta" of timestamp and snapshot, "targets" of targets. */
static int
parse_files(struct tuf_meta *m, const json_t *signed_part, struct error *err)
{
	bool targets = m->role == TUF_ROLE_TARGETS;
	const char *name;
	json_t *files, *value;

	if (json_get_object(signed_part, targets ? "targets" : "meta", &files, err) < 0)
		return -1;
	m->files = xcalloc(json_object_size(files), sizeof(*m->files));
	json_object_foreach(files, name, value)
	{
		struct named_file *f = &m->files[m->file_count++];

		f->name = name;
		f->file.length = -1;
		if (!json_is_object(value))
			return error_set(err, ERROR_INPUT, "%.100s: not an object", name);
		if ((!targets &&
			    json_get_int(value, "version", 1, TUF_INT_MAX, &f->file.version, err) <
				    0) ||
			((targets || json_object_get(value, "length") != NULL) &&
				json_get_int(value, "length", 0, TUF_INT_MAX, &f->file.length,
					err) < 0) ||
			parse_hashes(&f->file, value, targets, err) < 0)
			return error_prefix(err, "%.100s", name);
	}
	return 0;
}

static int
parse_signed(struct tuf_meta *m, const json_t *signed_part, struct error *err)
{
	struct tuf_file ignored;

	if (parse_common(m, signed_part, err) < 0)
		return -1;
	switch (m->role) {
	case TUF_ROLE_ROOT:
		return parse_root(m, signed_part, err);
	case TUF_ROLE_TIMESTAMP:
		if (parse_files(m, signed_part, err) < 0)
			return -1;
		if (!tuf_meta_find(m, "snapshot.json", &ignored))
			return error_set(err, ERROR_INPUT, "it says nothing of snapshot.json");
		return 0;
	case TUF_ROLE_SNAPSHOT:
		if (parse_files(m, signed_part, err) < 0)
			return -1;
		if (!tuf_meta_find(m, "targets.json", &ignored))
			return error_set(err, ERROR_INPUT, "it says nothing of targets.json");
		return 0;
	case TUF_ROLE_TARGETS:
		if (parse_files(m, signed_part, err) < 0)
			return -1;
		return tuf_delegations_parse(signed_part, &m->delegations, err);
	}
	abort();
}

int
tuf_meta_parse(
	const char *text, size_t len, enum tuf_role role, struct tuf_meta **out, struct error *err)
{
	struct tuf_meta *m = xcalloc(1, sizeof(*m));
	json_t *signed_part;

	*out = NULL;
	m->role = role;
	/* The canonical form is never longer than the text it came from. */
	buf_init(&m->signed_part, len);
	if (len > tuf_role_max(role)) {
		error_set(err, ERROR_INPUT, "larger than %zu bytes", tuf_role_max(role));
		goto fail;
	}
	if (json_parse(text, len, &m->document, err) < 0)
		goto fail;
	if (!json_is_object(m->document)) {
		error_set(err, ERROR_INPUT, "not an object");
		goto fail;
	}
	if (tuf_signatures_check(m->document, err) < 0 ||
		json_get_object(m->document, "signed", &signed_part, err) < 0 ||
		json_canonical(signed_part, &m->signed_part, err) < 0 ||
		parse_signed(m, signed_part, err) < 0)
		goto fail;
	*out = m;
	return 0;
fail:
	tuf_meta_free(m);
	return error_prefix(err, "%s metadata", tuf_role_name(role));
}

void
tuf_meta_free(struct tuf_meta *m)
{
	if (m == NULL)
		return;
	tuf_keys_clear(&m->keys);
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		tuf_signatories_clear(&m->roles[i]);
	tuf_delegations_free(m->delegations);
	free(m->files);
	buf_clear(&m->signed_part);
	json_decref(m->document);
	free(m);
}

enum tuf_role
tuf_meta_role(const struct tuf_meta *m)
{
	return m->role;
}

int64_t
tuf_meta_version(const struct tuf_meta *m)
{
	return m->version;
}

int64_t
tuf_meta_expires(const struct tuf_meta *m)
{
	return m->expires_s;
}

const json_t *
tuf_meta_document(const struct tuf_meta *m)
{
	return m->document;
}

const struct buf *
tuf_meta_octets(const struct tuf_meta *m)
{
	return &m->signed_part;
}

/* --- signatures ---------------------------------------------------------------------------------
 */

bool
tuf_meta_signed_by(const struct tuf_meta *m, const struct tuf_key *k)
{
	const char *sig = tuf_trust_signature(m->document, tuf_key_id(k));

	return sig != NULL && tuf_key_verify(k, m->signed_part.data, m->signed_part.len, sig);
}

int
tuf_meta_verify(const struct tuf_meta *m, const struct tuf_meta *root, struct error *err)
{
	const struct tuf_signatories *role = &root->roles[m->role];
	size_t good;

	assert(root->role == TUF_ROLE_ROOT);
	good = tuf_trust_count(
		&root->keys, role, m->document, m->signed_part.data, m->signed_part.len);
	if ((int64_t)good >= role->threshold)
		return 0;
	return error_set(err, ERROR_SECURITY,
		"%s metadata version %lld: %zu good signatures of the %lld that root version %lld "
		"asks for",
		tuf_role_name(m->role), (long long)m->version, good, (long long)role->threshold,
		(long long)root->version);
}

int
tuf_meta_verify_delegated(
	const struct tuf_meta *m, const struct tuf_delegation *delegation, struct error *err)
{
	int64_t threshold = delegation->signatories->threshold;
	size_t good = tuf_trust_count(delegation->keys, delegation->signatories, m->document,
		m->signed_part.data, m->signed_part.len);

	if ((int64_t)good >= threshold)
		return 0;
	return error_set(err, ERROR_SECURITY,
		"delegated metadata version %lld: %zu good signatures of the %lld that the "
		"delegation asks for",
		(long long)m->version, good, (long long)threshold);
}

struct tuf_delegations *
tuf_targets_delegations(const struct tuf_meta *targets)
{
	assert(targets->role == TUF_ROLE_TARGETS);
	return targets->delegations;
}

bool
tuf_root_consistent_snapshot(const struct tuf_meta *root)
{
	return root->consistent_snapshot;
}

int64_t
tuf_root_threshold(const struct tuf_meta *root, enum tuf_role role)
{
	return root->roles[role].threshold;
}

bool
tuf_root_has_key(const struct tuf_meta *root, enum tuf_role role, const char *keyid)
{
	return tuf_signatories_have(&root->roles[role], keyid);
}

const struct tuf_key *
tuf_root_key(const struct tuf_meta *root, enum tuf_role role, size_t i)
{
	const struct tuf_signatories *s = &root->roles[role];

	/* A key id without key is nobody. */
	for (size_t k = 0; k < s->count; k++) {
		const struct tuf_key *key = tuf_trust_key(&root->keys, s->ids[k]);

		if (key != NULL && i-- == 0)
			return key;
	}
	return NULL;
}

size_t
tuf_root_signed(const struct tuf_meta *root, const struct tuf_meta *m)
{
	const struct tuf_key *key;
	size_t good = 0;

	for (size_t i = 0; (key = tuf_root_key(root, m->role, i)) != NULL; i++)
		good += tuf_meta_signed_by(m, key);
	return good;
}

bool
tuf_root_same_role(const struct tuf_meta *a, const struct tuf_meta *b, enum tuf_role role)
{
	return tuf_signatories_same(&a->roles[role], &b->roles[role]);
}

/* --- files named by files -----------------------------------------------------------------------
 */

static int
find_file(const struct tuf_meta *m, const char *name, struct tuf_file *out)
{
	for (size_t i = 0; i < m->file_count; i++) {
		if (strcmp(m->files[i].name, name) == 0) {
			*out = m->files[i].file;
			return 1;
		}
	}
	return 0;
}

static int
nth_file(const struct tuf_meta *m, size_t i, const char **name, struct tuf_file *out)
{
	if (i >= m->file_count)
		return 0;
	*name = m->files[i].name;
	*out = m->files[i].file;
	return 1;
}

int
tuf_meta_find(const struct tuf_meta *m, const char *name, struct tuf_file *out)
{
	assert(m->role == TUF_ROLE_TIMESTAMP || m->role == TUF_ROLE_SNAPSHOT);
	return find_file(m, name, out);
}

int
tuf_meta_nth(const struct tuf_meta *m, size_t i, const char **name, struct tuf_file *out)
{
	assert(m->role == TUF_ROLE_TIMESTAMP || m->role == TUF_ROLE_SNAPSHOT);
	return nth_file(m, i, name, out);
}

int
tuf_targets_find(const struct tuf_meta *targets, const char *name, struct tuf_file *out)
{
	assert(targets->role == TUF_ROLE_TARGETS);
	return find_file(targets, name, out);
}

int
tuf_targets_nth(const struct tuf_meta *targets, size_t i, const char **name, struct tuf_file *out)
{
	assert(targets->role == TUF_ROLE_TARGETS);
	return nth_file(targets, i, name, out);
}

/* --- lengths and hashes -------------------------------------------------------------------------
 */

struct tuf_check {
	struct tuf_file said;
	int64_t length;
	EVP_MD_CTX *sha256, *sha512; /* NULL: not said */
};

static EVP_MD_CTX *
digest_new(const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1)
		abort();
	return ctx;
}

static void
digest_add(EVP_MD_CTX *ctx, const void *data, size_t len)
{
	if (ctx != NULL && EVP_DigestUpdate(ctx, data, len) != 1)
		abort();
}

/* Room for the hex digits of SHA-512. */
static void
digest_hex(EVP_MD_CTX *ctx, char hex[static 129])
{
	uint8_t bytes[64];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(ctx, bytes, &len) != 1)
		abort();
	str_hex(bytes, len, hex);
}

struct tuf_check *
tuf_check_new(const struct tuf_file *said)
{
	struct tuf_check *c = xcalloc(1, sizeof(*c));

	c->said = *said;
	if (said->sha256[0] != '\0')
		c->sha256 = digest_new(EVP_sha256());
	if (said->sha512[0] != '\0')
		c->sha512 = digest_new(EVP_sha512());
	return c;
}

void
tuf_check_free(struct tuf_check *c)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->sha256);
	EVP_MD_CTX_free(c->sha512);
	free(c);
}

int
tuf_check_add(struct tuf_check *c, const void *data, size_t len, struct error *err)
{
	if (c->said.length >= 0 && (int64_t)len > c->said.length - c->length)
		return error_set(err, ERROR_SECURITY, "longer than the %lld bytes announced",
			(long long)c->said.length);
	c->length += (int64_t)len;
	digest_add(c->sha256, data, len);
	digest_add(c->sha512, data, len);
	return 0;
}

int
tuf_check_end(struct tuf_check *c, struct error *err)
{
	char hex[129];

	if (c->said.length >= 0 && c->length != c->said.length)
		return error_set(err, ERROR_SECURITY, "%lld bytes, announced are %lld",
			(long long)c->length, (long long)c->said.length);
	if (c->said.hashes && c->sha256 == NULL && c->sha512 == NULL)
		return error_set(err, ERROR_SECURITY, "no hash of a kind that is known here");
	if (c->sha256 != NULL) {
		digest_hex(c->sha256, hex);
		if (strcmp(hex, c->said.sha256) != 0)
			return error_set(err, ERROR_SECURITY, "SHA-256 is not the one announced");
	}
	if (c->sha512 != NULL) {
		digest_hex(c->sha512, hex);
		if (strcmp(hex, c->said.sha512) != 0)
			return error_set(err, ERROR_SECURITY, "SHA-512 is not the one announced");
	}
	return 0;
}

int
tuf_check_data(const struct tuf_file *said, const void *data, size_t len, struct error *err)
{
	struct tuf_check *c = tuf_check_new(said);
	int rc = tuf_check_add(c, data, len, err);

	if (rc == 0)
		rc = tuf_check_end(c, err);
	tuf_check_free(c);
	return rc;
}

/* Hands the file's contents to add() in pieces. */
static int
read_fd(int fd, const char *name, int (*add)(void *arg, const void *data, size_t len, struct error *err),
	void *arg, struct error *err)
{
	enum { PIECE = 256 * 1024 };
	char *piece = xcalloc(1, PIECE);
	off_t at = 0;
	int rc = -1;

	for (;;) {
		ssize_t n = pread(fd, piece, PIECE, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set_errno(
				err, errno == EISDIR ? ERROR_CONFIG : ERROR_TEMP, "%s", name);
			break;
		}
		if (n == 0) {
			rc = 0;
			break;
		}
		if (add(arg, piece, (size_t)n, err) < 0) {
			error_prefix(err, "%s", name);
			break;
		}
		at += n;
	}
	free(piece);
	return rc;
}

static int
read_path(const char *path, int (*add)(void *arg, const void *data, size_t len, struct error *err),
	void *arg, struct error *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	rc = read_fd(fd, path, add, arg, err);
	(void)close(fd);
	return rc;
}

static int
add_to_check(void *arg, const void *data, size_t len, struct error *err)
{
	return tuf_check_add(arg, data, len, err);
}

int
tuf_check_fd(const struct tuf_file *said, int fd, const char *name, struct error *err)
{
	struct tuf_check *c = tuf_check_new(said);
	int rc = read_fd(fd, name, add_to_check, c, err);

	if (rc == 0 && (rc = tuf_check_end(c, err)) < 0)
		error_prefix(err, "%s", name);
	tuf_check_free(c);
	return rc;
}

int
tuf_check_path(const struct tuf_file *said, const char *path, struct error *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s", path);
	rc = tuf_check_fd(said, fd, path, err);
	(void)close(fd);
	return rc;
}

struct measure {
	EVP_MD_CTX *sha256;
	int64_t length;
};

static int
add_to_measure(void *arg, const void *data, size_t len, struct error *err UNUSED)
{
	struct measure *m = arg;

	digest_add(m->sha256, data, len);
	m->length += (int64_t)len;
	return 0;
}

static void
measure_end(struct measure *m, struct tuf_file *out)
{
	char hex[129];

	memset(out, 0, sizeof(*out));
	digest_hex(m->sha256, hex);
	memcpy(out->sha256, hex, sizeof(out->sha256));
	out->hashes = true;
	out->length = m->length;
	EVP_MD_CTX_free(m->sha256);
}

void
tuf_file_of(const void *data, size_t len, struct tuf_file *out)
{
	struct measure m = {.sha256 = digest_new(EVP_sha256())};

	(void)add_to_measure(&m, data, len, NULL);
	measure_end(&m, out);
}

int
tuf_file_of_path(const char *path, struct tuf_file *out, struct error *err)
{
	struct measure m = {.sha256 = digest_new(EVP_sha256())};
	int rc = read_path(path, add_to_measure, &m, err);

	measure_end(&m, out);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* json_pack() and the like fail only for want of memory or on a wrong call. */
static json_t *
must(json_t *value)
{
	if (value == NULL)
		abort();
	return value;
}

static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, must(value)) < 0)
		abort();
}

static json_t *
build_common(enum tuf_role role, int64_t version, int64_t expires_s)
{
	char expires[CLOCK_TEXT_SIZE];

	clock_format(expires_s, expires);
	return must(json_pack("{s:s, s:s, s:I, s:s}", "_type", tuf_role_name(role), "spec_version",
		TUF_SPEC_VERSION, "version", (json_int_t)version, "expires", expires));
}

static json_t *
build_file(const struct tuf_file *f)
{
	json_t *object = must(json_object());

	if (f->version > 0)
		set(object, "version", json_integer(f->version));
	if (f->length >= 0)
		set(object, "length", json_integer(f->length));
	if (f->hashes) {
		json_t *hashes = must(json_object());

		if (f->sha256[0] != '\0')
			set(hashes, "sha256", json_string(f->sha256));
		if (f->sha512[0] != '\0')
			set(hashes, "sha512", json_string(f->sha512));
		set(object, "hashes", hashes);
	}
	return object;
}

json_t *
tuf_build_root(
	int64_t version, int64_t expires_s, const struct tuf_role_keys roles[static TUF_ROLE_COUNT])
{
	json_t *root = build_common(TUF_ROLE_ROOT, version, expires_s);
	json_t *keys = must(json_object()), *role_objects = must(json_object());

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		json_t *ids = must(json_array());

		for (size_t k = 0; k < roles[i].count; k++) {
			const struct tuf_key *key = roles[i].keys[k];

			if (json_array_append_new(ids, must(json_string(tuf_key_id(key)))) < 0)
				abort();
			set(keys, tuf_key_id(key), json_deep_copy(tuf_key_json(key)));
		}
		set(role_objects, role_table[i].name,
			json_pack("{s:o, s:I}", "keyids", ids, "threshold",
				(json_int_t)roles[i].threshold));
	}
	set(root, "keys", keys);
	set(root, "roles", role_objects);
	set(root, "consistent_snapshot", json_true());
	return root;
}

json_t *
tuf_build_timestamp(int64_t version, int64_t expires_s, const struct tuf_file *snapshot)
{
	json_t *object = build_common(TUF_ROLE_TIMESTAMP, version, expires_s);

	set(object, "meta", json_pack("{s:o}", "snapshot.json", build_file(snapshot)));
	return object;
}

json_t *
tuf_build_snapshot(int64_t version, int64_t expires_s, const struct tuf_file *targets)
{
	json_t *object = build_common(TUF_ROLE_SNAPSHOT, version, expires_s);

	set(object, "meta", json_pack("{s:o}", "targets.json", build_file(targets)));
	return object;
}

json_t *
tuf_build_targets(
	int64_t version, int64_t expires_s, const struct tuf_target *targets, size_t count)
{
	json_t *object = build_common(TUF_ROLE_TARGETS, version, expires_s);
	json_t *files = must(json_object());

	for (size_t i = 0; i < count; i++)
		set(files, targets[i].name, build_file(&targets[i].file));
	set(object, "targets", files);
	return object;
}

static int
add_piece(const char *piece, size_t len, void *out)
{
	return buf_add(out, piece, len);
}

int
tuf_format(const json_t *document, struct buf *out, struct error *err)
{
	/* Indented, so that a commit shows what changed; what is signed is the canonical form. */
	if (json_dump_callback(document, add_piece, out, JSON_INDENT(1) | JSON_SORT_KEYS) < 0 ||
		buf_add_char(out, '\n') < 0)
		return error_set(err, ERROR_INPUT, "metadata larger than %zu bytes", out->max);
	return 0;
}

int
tuf_sign(const json_t *signed_part, const struct tuf_signer *const *signers, size_t count,
	struct buf *out, struct error *err)
{
	json_t *document = NULL, *signatures = must(json_array());
	struct buf bytes;
	int rc = -1;

	buf_init(&bytes, out->max);
	if (json_canonical(signed_part, &bytes, err) < 0)
		goto out;
	for (size_t i = 0; i < count; i++) {
		char *sig;

		if (tuf_signer_sign(signers[i], bytes.data, bytes.len, &sig, err) < 0)
			goto out;
		if (json_array_append_new(signatures,
			    must(json_pack("{s:s, s:s}", "keyid",
				    tuf_key_id(tuf_signer_key(signers[i])), "sig", sig))) < 0)
			abort();
		free(sig);
	}
	document = must(json_pack("{s:O, s:o}", "signatures", signatures, "signed",
		must(json_deep_copy(signed_part))));
	rc = tuf_format(document, out, err);
out:
	json_decref(document);
	json_decref(signatures);
	buf_clear(&bytes);
	return rc;
}

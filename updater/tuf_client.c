#include "updater/tuf_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_delegation.h"
#include "export/tuf_metadata.h"
#include "updater/tuf_client_inside.h"

/* --- pieces of the workflow ---------------------------------------------------------------------
 */

int
tuf_client_check_expiry(const struct tuf_client *c, const struct tuf_meta *m, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (tuf_meta_expires(m) > c->now_s)
		return 0;
	clock_format(tuf_meta_expires(m), text);
	return error_set(err, ERROR_EXPIRED, "%s.json: version %" PRId64 " has expired (%s)",
		tuf_role_name(tuf_meta_role(m)), tuf_meta_version(m), text);
}

/* Parses what a mirror has served and checks that it is signed. Bytes that nobody can have signed
 * are as bad as a wrong signature. */
static int
parse_served(const struct tuf_client *c, const struct buf *text, enum tuf_role role,
	struct tuf_meta **out, struct error *err)
{
	/* Portals and parked names answer 200 to everything. */
	if (buf_str(text)[strspn(buf_str(text), " \t\r\n")] == '<')
		return error_set(err, ERROR_SECURITY, "a web page in place of %s metadata",
			tuf_role_name(role));
	if (tuf_meta_parse(buf_str(text), text->len, role, out, err) < 0) {
		err->kind = ERROR_SECURITY;
		return -1;
	}
	if (tuf_meta_verify(*out, c->meta[TUF_ROLE_ROOT], err) < 0) {
		tuf_meta_free(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

/* The file's URL: metadata is "[VERSION.]ROLE.json". */
static char *
meta_url(const char *base, enum tuf_role role, int64_t version)
{
	if (version == 0)
		return xasprintf("%s%s.json", base, tuf_role_name(role));
	return xasprintf("%s%" PRId64 ".%s.json", base, version, tuf_role_name(role));
}

/* Before it counts, so that none is ever missing below the one that does. */
static int
keep_root(struct tuf_client *c, int64_t version, const struct buf *text, struct error *err)
{
	char *path;
	int rc;

	if (!c->keep_roots)
		return 0;
	path = xasprintf("%s/%" PRId64 ".root.json", c->dir, version);
	rc = file_replace(path, text->data, text->len, META_MODE, err);
	if (rc == 0 && c->first_root == 0)
		c->first_root = version;
	free(path);
	return rc;
}

/* One step along the chain of roots: 1 there was a newer one, 0 there is none. */
static int
step_root(struct tuf_client *c, struct fetch *fetch, const char *base, struct error *err)
{
	const struct tuf_meta *old = c->meta[TUF_ROLE_ROOT];
	int64_t want = tuf_meta_version(old) + 1;
	char *url = meta_url(base, TUF_ROLE_ROOT, want);
	struct tuf_meta *m = NULL;
	struct buf text;
	bool rotated;
	int rc;

	buf_init(&text, TUF_ROOT_MAX);
	rc = fetch_get_buf(fetch, url, &text, err);
	if (rc <= 0)
		goto out;
	rc = -1;
	/* Signed by the keys of the root before it, and by its own. */
	if (parse_served(c, &text, TUF_ROLE_ROOT, &m, err) < 0 || tuf_meta_verify(m, m, err) < 0) {
		error_prefix(err, "%s", url);
		goto out;
	}
	if (tuf_meta_version(m) != want) {
		error_set(err, ERROR_SECURITY, "%s: holds version %" PRId64, url,
			tuf_meta_version(m));
		goto out;
	}
	/* Section 5.3.11: after a fast-forward attack new keys are the way back. */
	rotated = !tuf_root_same_role(old, m, TUF_ROLE_TIMESTAMP) ||
		!tuf_root_same_role(old, m, TUF_ROLE_SNAPSHOT);
	if (keep_root(c, want, &text, err) < 0)
		goto out;
	rc = tuf_client_take(c, m, &text, err);
	m = NULL;
	if (rc < 0)
		goto out;
	rc = -1;
	if (rotated) {
		tuf_client_forget(c, TUF_ROLE_TIMESTAMP);
		tuf_client_forget(c, TUF_ROLE_SNAPSHOT);
		if (tuf_client_remove(c, TUF_ROLE_TIMESTAMP, err) < 0 ||
			tuf_client_remove(c, TUF_ROLE_SNAPSHOT, err) < 0)
			goto out;
	}
	rc = 1;
out:
	tuf_meta_free(m);
	buf_clear(&text);
	free(url);
	return rc;
}

static int
refresh_root(struct tuf_client *c, struct fetch *fetch, const char *base, struct error *err)
{
	int64_t before = tuf_meta_version(c->meta[TUF_ROLE_ROOT]);
	struct error why = {0};
	int rc = 1;

	for (; rc > 0 && c->steps < TUF_ROOTS_MAX; c->steps += rc > 0)
		rc = step_root(c, fetch, base, &why);
	/* What was read under an older root must stand up to this one; also behind a failure, since
	 * the next mirror may have no newer root. */
	if (tuf_meta_version(c->meta[TUF_ROLE_ROOT]) != before)
		tuf_client_load_locals(c);
	if (rc < 0) {
		*err = why;
		return -1;
	}
	return tuf_client_check_expiry(c, c->meta[TUF_ROLE_ROOT], err);
}

static int64_t
announced_version(const struct tuf_meta *parent, const char *name)
{
	struct tuf_file file;

	return tuf_meta_find(parent, name, &file) > 0 ? file.version : 0;
}

/* Checks the bytes of a snapshot or targets file against what its parent says of them. */
int
tuf_client_check_announced(const struct tuf_file *said, const struct buf *text, struct error *err)
{
	static const char what[] = "mix of versions, or altered";
	struct tuf_file plain = *said;

	if (plain.length >= 0 && plain.length != (int64_t)text->len)
		return error_set(err, ERROR_SECURITY, "%s: %zu bytes, announced are %" PRId64, what,
			text->len, plain.length);
	if (!plain.hashes)
		return 0;
	plain.length = (int64_t)text->len;
	if (tuf_check_data(&plain, buf_str(text), text->len, err) < 0)
		return error_prefix(err, "%s", what);
	return 0;
}

/* Gets a file that must be there, be what its parent said of it (NULL: nothing), and be signed. */
static int
get_signed(const struct tuf_client *c, struct fetch *fetch, const char *url, enum tuf_role role,
	const struct tuf_file *said, struct buf *text, struct tuf_meta **out, struct error *err)
{
	int rc = fetch_get_buf(fetch, url, text, err);

	if (rc <= 0)
		return rc < 0 ? -1 : error_set(err, ERROR_TEMP, "%s: not there", url);
	if ((said != NULL && tuf_client_check_announced(said, text, err) < 0) ||
		parse_served(c, text, role, out, err) < 0)
		return error_prefix(err, "%s", url);
	return 0;
}

static int
refresh_timestamp(struct tuf_client *c, struct fetch *fetch, const char *base, struct error *err)
{
	const struct tuf_meta *old = c->meta[TUF_ROLE_TIMESTAMP];
	char *url = meta_url(base, TUF_ROLE_TIMESTAMP, 0);
	struct tuf_meta *m = NULL;
	struct buf text;
	int rc;

	buf_init(&text, TUF_TIMESTAMP_MAX);
	rc = get_signed(c, fetch, url, TUF_ROLE_TIMESTAMP, NULL, &text, &m, err);
	if (rc < 0)
		goto out;
	rc = -1;
	if (old != NULL && tuf_meta_version(m) < tuf_meta_version(old)) {
		error_set(err, ERROR_SECURITY,
			"%s: rollback: version %" PRId64 " is older than %" PRId64, url,
			tuf_meta_version(m), tuf_meta_version(old));
		goto out;
	}
	if (old != NULL && tuf_meta_version(m) == tuf_meta_version(old)) {
		/* Nothing new; whatever else this one says is not looked at. */
		rc = tuf_client_check_expiry(c, old, err);
		goto out;
	}
	if (old != NULL &&
		announced_version(m, "snapshot.json") < announced_version(old, "snapshot.json")) {
		error_set(err, ERROR_SECURITY, "%s: rollback: announces an older snapshot", url);
		goto out;
	}
	if (tuf_client_check_expiry(c, m, err) < 0)
		goto out;
	rc = tuf_client_take(c, m, &text, err);
	m = NULL;
out:
	tuf_meta_free(m);
	buf_clear(&text);
	free(url);
	return rc;
}

/* Whether the trusted copy of a role is the one that its parent announces. */
static bool
is_current(const struct tuf_client *c, enum tuf_role role, const struct tuf_file *said)
{
	const struct buf *text = &c->text[role];
	struct tuf_file plain = *said;
	struct error ignored;

	if (c->meta[role] == NULL || tuf_meta_version(c->meta[role]) != said->version)
		return false;
	if (!plain.hashes)
		return plain.length < 0 || plain.length == (int64_t)text->len;
	if (plain.length < 0)
		plain.length = (int64_t)text->len;
	return tuf_check_data(&plain, text->data, text->len, &ignored) == 0;
}

/* Section 5.5.5: no file that the trusted snapshot lists is missing from the new one, or older. */
static int
check_snapshot_rollback(const struct tuf_meta *old, const struct tuf_meta *m, struct error *err)
{
	struct tuf_file before, after;
	const char *name;

	for (size_t i = 0; tuf_meta_nth(old, i, &name, &before) > 0; i++) {
		if (tuf_meta_find(m, name, &after) == 0)
			return error_set(err, ERROR_SECURITY,
				"rollback: no longer says anything of %.100s", name);
		if (after.version < before.version)
			return error_set(err, ERROR_SECURITY,
				"rollback: %.100s is version %" PRId64 ", was %" PRId64, name,
				after.version, before.version);
	}
	return 0;
}

/* Sections 5.5 and 5.6: the snapshot as the timestamp announces it, the targets as the snapshot
 * does. */
static int
refresh_announced(struct tuf_client *c, struct fetch *fetch, const char *base, enum tuf_role role,
	const struct tuf_meta *parent, const char *name, struct error *err)
{
	bool consistent = tuf_root_consistent_snapshot(c->meta[TUF_ROLE_ROOT]);
	struct tuf_meta *m = NULL;
	struct tuf_file said;
	struct buf text;
	char *url;
	int rc;

	if (tuf_meta_find(parent, name, &said) == 0)
		return error_set(err, ERROR_SECURITY, "%s.json: says nothing of %s",
			tuf_role_name(tuf_meta_role(parent)), name);
	if (is_current(c, role, &said))
		return tuf_client_check_expiry(c, c->meta[role], err);
	url = meta_url(base, role, consistent ? said.version : 0);
	buf_init(&text,
		said.length >= 0 && said.length < (int64_t)tuf_role_max(role) ? (size_t)said.length
									      : tuf_role_max(role));
	rc = get_signed(c, fetch, url, role, &said, &text, &m, err);
	if (rc < 0)
		goto out;
	rc = -1;
	if (tuf_meta_version(m) != said.version) {
		error_set(err, ERROR_SECURITY, "%s: version %" PRId64 ", announced is %" PRId64,
			url, tuf_meta_version(m), said.version);
		goto out;
	}
	if (role == TUF_ROLE_SNAPSHOT && c->meta[role] != NULL &&
		check_snapshot_rollback(c->meta[role], m, err) < 0) {
		error_prefix(err, "%s", url);
		goto out;
	}
	if (tuf_client_check_expiry(c, m, err) < 0)
		goto out;
	rc = tuf_client_take(c, m, &text, err);
	m = NULL;
out:
	tuf_meta_free(m);
	buf_clear(&text);
	free(url);
	return rc;
}

int
tuf_client_refresh(struct tuf_client *c, struct fetch *fetch, const char *base, struct error *err)
{
	if (refresh_root(c, fetch, base, err) < 0 || refresh_timestamp(c, fetch, base, err) < 0)
		return -1;
	if (refresh_announced(c, fetch, base, TUF_ROLE_SNAPSHOT, c->meta[TUF_ROLE_TIMESTAMP],
		    "snapshot.json", err) < 0)
		return -1;
	return refresh_announced(
		c, fetch, base, TUF_ROLE_TARGETS, c->meta[TUF_ROLE_SNAPSHOT], "targets.json", err);
}

/* --- targets ------------------------------------------------------------------------------------
 */

bool
tuf_client_ready(const struct tuf_client *c)
{
	return c->meta[TUF_ROLE_TARGETS] != NULL;
}

int
tuf_client_target(const struct tuf_client *c, const char *name, struct tuf_file *out)
{
	if (!tuf_client_ready(c))
		return 0;
	return tuf_targets_find(c->meta[TUF_ROLE_TARGETS], name, out);
}

int
tuf_client_nth_target(const struct tuf_client *c, size_t i, const char **name, struct tuf_file *out)
{
	if (!tuf_client_ready(c))
		return 0;
	return tuf_targets_nth(c->meta[TUF_ROLE_TARGETS], i, name, out);
}

/* --- downloads ----------------------------------------------------------------------------------
 */

/* What the sink gets, and the check that runs beside it. */
struct download {
	struct tuf_check *check;
	fetch_sink *sink;
	void *arg;
};

static int
on_target_data(void *arg, const void *data, size_t len, struct error *err)
{
	struct download *d = arg;

	if (tuf_check_add(d->check, data, len, err) < 0)
		return -1;
	return d->sink(d->arg, data, len, err);
}

/* With consistent snapshots the digest stands before the last part of the name. */
static char *
target_url(
	const struct tuf_client *c, const char *base, const char *name, const struct tuf_file *file)
{
	const char *digest = file->sha256[0] != '\0' ? file->sha256 : file->sha512;
	char *escaped = str_percent_encode(name, "/"), *url;
	const char *slash = strrchr(escaped, '/');
	size_t dir = slash != NULL ? (size_t)(slash - escaped) + 1 : 0;

	if (!tuf_root_consistent_snapshot(c->meta[TUF_ROLE_ROOT]))
		url = xasprintf("%s%s", base, escaped);
	else
		url = xasprintf("%s%.*s%s.%s", base, (int)dir, escaped, digest, escaped + dir);
	free(escaped);
	return url;
}

int
tuf_client_download(struct tuf_client *c, struct fetch *fetch, const char *base, const char *name,
	const struct tuf_file *said, fetch_sink *sink, void *arg, struct error *err)
{
	struct download d = {.sink = sink, .arg = arg};
	char *url;
	int rc;

	if (!tuf_target_name_valid(name))
		return error_set(
			err, ERROR_SECURITY, "%.100s: not fit to be a target's name", name);
	url = target_url(c, base, name, said);
	d.check = tuf_check_new(said);
	rc = fetch_get(fetch, url, said->length, on_target_data, &d, err);
	if (rc == 0)
		rc = error_set(err, ERROR_TEMP, "%s: not there", url);
	if (rc > 0 && (rc = tuf_check_end(d.check, err)) < 0)
		error_prefix(err, "%s", url);
	tuf_check_free(d.check);
	free(url);
	return rc < 0 ? -1 : 0;
}

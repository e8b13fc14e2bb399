#include "updater/tuf_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_delegation.h"
#include "export/tuf_metadata.h"

/* The metadata is public; "status" may be asked by anybody. */
#define META_MODE 0644

struct tuf_client {
	char *dir;
	int64_t now_s;
	struct tuf_meta
		*meta[TUF_ROLE_COUNT];   /* trusted; NULL: none. All but the root may be old */
	struct buf text[TUF_ROLE_COUNT]; /* their bytes */
	bool keep_roots;
	int steps; /* along the chain of roots, at all mirrors */
	int64_t first_root;
};

static char *
path_of(const struct tuf_client *c, enum tuf_role role)
{
	return xasprintf("%s/%s.json", c->dir, tuf_role_name(role));
}

static char *
anchor_path(const struct tuf_client *c)
{
	return xasprintf("%s/anchor", c->dir);
}

static void
forget(struct tuf_client *c, enum tuf_role role)
{
	tuf_meta_free(c->meta[role]);
	c->meta[role] = NULL;
	buf_reset(&c->text[role]);
}

/* Takes the ownership of the metadata and copies its bytes. */
static void
trust(struct tuf_client *c, struct tuf_meta *m, const struct buf *text)
{
	enum tuf_role role = tuf_meta_role(m);

	forget(c, role);
	c->meta[role] = m;
	buf_add(&c->text[role], text->data, text->len);
}

static int
store(const struct tuf_client *c, enum tuf_role role, struct error *err)
{
	char *path = path_of(c, role);
	int rc = file_replace(path, c->text[role].data, c->text[role].len, META_MODE, err);

	free(path);
	return rc;
}

/* --- the trust anchor and the local copies ------------------------------------------------------
 */

/* Parses a root that vouches for itself. */
static int
parse_root(const struct buf *text, struct tuf_meta **out, struct error *err)
{
	if (tuf_meta_parse(buf_str(text), text->len, TUF_ROLE_ROOT, out, err) < 0)
		return -1;
	if (tuf_meta_verify(*out, *out, err) < 0) {
		tuf_meta_free(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

static int
remove_file(char *path, struct error *err)
{
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot remove", path);
	free(path);
	return rc;
}

/* The order leaves no moment in which old files stand beside a new root without being refused: the
 * anchor, which tells that this was done, comes last. */
static int
start_over(struct tuf_client *c, const struct buf *anchor, struct tuf_meta *root, struct error *err)
{
	char *path = anchor_path(c);
	int rc = -1;

	if (remove_file(path_of(c, TUF_ROLE_TIMESTAMP), err) < 0 ||
		remove_file(path_of(c, TUF_ROLE_SNAPSHOT), err) < 0 ||
		remove_file(path_of(c, TUF_ROLE_TARGETS), err) < 0) {
		tuf_meta_free(root);
		goto out;
	}
	trust(c, root, anchor);
	if (store(c, TUF_ROLE_ROOT, err) < 0)
		goto out;
	rc = file_replace(path, anchor->data, anchor->len, META_MODE, err);
out:
	free(path);
	return rc;
}

static int
load_root(struct tuf_client *c, const char *root_path, struct error *err)
{
	struct buf anchor, known, local;
	struct tuf_meta *root = NULL;
	char *path = path_of(c, TUF_ROLE_ROOT), *known_path = anchor_path(c);
	int have_known = 0, have_local, rc = -1;

	buf_init(&anchor, TUF_ROOT_MAX);
	buf_init(&known, TUF_ROOT_MAX);
	buf_init(&local, TUF_ROOT_MAX);
	if (root_path != NULL) {
		if (file_read(root_path, &anchor, err) < 0)
			goto out;
		have_known = file_read_if_exists(known_path, &known, err);
		if (have_known < 0)
			goto out;
	}
	have_local = file_read_if_exists(path, &local, err);
	if (have_local < 0)
		goto out;
	if (root_path == NULL && !have_local) {
		error_set(err, ERROR_CONFIG, "%s: not there: nothing was fetched yet", path);
		goto out;
	}
	if (root_path != NULL &&
		(!have_known || !have_local || known.len != anchor.len ||
			memcmp(known.data, anchor.data, anchor.len) != 0)) {
		if (parse_root(&anchor, &root, err) < 0) {
			err->kind = ERROR_CONFIG;
			error_prefix(err, "%s: not a TUF root file", root_path);
			goto out;
		}
		rc = start_over(c, &anchor, root, err);
		goto out;
	}
	if (parse_root(&local, &root, err) < 0) {
		err->kind = ERROR_SECURITY;
		error_prefix(err, "%s: altered", path);
		goto out;
	}
	trust(c, root, &local);
	rc = 0;
out:
	buf_clear(&anchor);
	buf_clear(&known);
	buf_clear(&local);
	free(known_path);
	free(path);
	return rc;
}

/* A local file that the present root's keys do not vouch for is as none: they were rotated, or it
 * was damaged. */
static int
load_local(struct tuf_client *c, enum tuf_role role, struct error *err)
{
	char *path = path_of(c, role);
	struct tuf_meta *m = NULL;
	struct error why = {0};
	struct buf text;
	int rc;

	buf_init(&text, tuf_role_max(role));
	rc = file_read_if_exists(path, &text, err);
	if (rc < 0 && err->kind == ERROR_INPUT) /* too large to be one of ours */
		rc = 0;
	if (rc > 0) {
		if (tuf_meta_parse(buf_str(&text), text.len, role, &m, &why) < 0 ||
			tuf_meta_verify(m, c->meta[TUF_ROLE_ROOT], &why) < 0) {
			log_info("%s: not used: %s", path, why.text);
			tuf_meta_free(m);
		} else {
			trust(c, m, &text);
		}
	}
	buf_clear(&text);
	free(path);
	return rc < 0 ? -1 : 0;
}

/* What lies there below the root, under the present root. */
static int
load_locals(struct tuf_client *c, struct error *err)
{
	forget(c, TUF_ROLE_TIMESTAMP);
	forget(c, TUF_ROLE_SNAPSHOT);
	forget(c, TUF_ROLE_TARGETS);
	if (load_local(c, TUF_ROLE_TIMESTAMP, err) < 0 ||
		load_local(c, TUF_ROLE_SNAPSHOT, err) < 0 ||
		load_local(c, TUF_ROLE_TARGETS, err) < 0)
		return -1;
	return 0;
}

int
tuf_client_open(const char *dir, const char *root_path, int64_t now_s, struct tuf_client **out,
	struct error *err)
{
	struct tuf_client *c = xcalloc(1, sizeof(*c));

	*out = NULL;
	c->dir = xstrdup(dir);
	c->now_s = now_s;
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		buf_init(&c->text[role], tuf_role_max((enum tuf_role)role));
	if (load_root(c, root_path, err) < 0 || load_locals(c, err) < 0) {
		tuf_client_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void
tuf_client_keep_roots(struct tuf_client *c)
{
	c->keep_roots = true;
}

int64_t
tuf_client_version(const struct tuf_client *c, enum tuf_role role)
{
	return c->meta[role] != NULL ? tuf_meta_version(c->meta[role]) : 0;
}

int64_t
tuf_client_first_root(const struct tuf_client *c)
{
	return c->first_root;
}

void
tuf_client_free(struct tuf_client *c)
{
	if (c == NULL)
		return;
	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		tuf_meta_free(c->meta[role]);
		buf_clear(&c->text[role]);
	}
	free(c->dir);
	free(c);
}

/* --- pieces of the workflow ---------------------------------------------------------------------
 */

static int
check_expiry(const struct tuf_client *c, const struct tuf_meta *m, struct error *err)
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
	trust(c, m, &text);
	m = NULL;
	if (store(c, TUF_ROLE_ROOT, err) < 0)
		goto out;
	if (rotated) {
		forget(c, TUF_ROLE_TIMESTAMP);
		forget(c, TUF_ROLE_SNAPSHOT);
		if (remove_file(path_of(c, TUF_ROLE_TIMESTAMP), err) < 0 ||
			remove_file(path_of(c, TUF_ROLE_SNAPSHOT), err) < 0)
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
	if (tuf_meta_version(c->meta[TUF_ROLE_ROOT]) != before && load_locals(c, err) < 0)
		return -1;
	if (rc < 0) {
		*err = why;
		return -1;
	}
	return check_expiry(c, c->meta[TUF_ROLE_ROOT], err);
}

static int64_t
announced_version(const struct tuf_meta *parent, const char *name)
{
	struct tuf_file file;

	return tuf_meta_find(parent, name, &file) > 0 ? file.version : 0;
}

/* Checks the bytes of a snapshot or targets file against what its parent says of them. */
static int
check_announced(const struct tuf_file *said, const struct buf *text, struct error *err)
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
	if ((said != NULL && check_announced(said, text, err) < 0) ||
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
		rc = check_expiry(c, old, err);
		goto out;
	}
	if (old != NULL &&
		announced_version(m, "snapshot.json") < announced_version(old, "snapshot.json")) {
		error_set(err, ERROR_SECURITY, "%s: rollback: announces an older snapshot", url);
		goto out;
	}
	if (check_expiry(c, m, err) < 0)
		goto out;
	trust(c, m, &text);
	m = NULL;
	rc = store(c, TUF_ROLE_TIMESTAMP, err);
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
		return check_expiry(c, c->meta[role], err);
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
	if (check_expiry(c, m, err) < 0)
		goto out;
	trust(c, m, &text);
	m = NULL;
	rc = store(c, role, err);
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

/* --- delegations --------------------------------------------------------------------------------
 */

/* A search: the roles still to be asked, the next one on top, and all that were ever on it. */
struct search {
	struct tuf_client *c;
	struct fetch *fetch;
	const char *base;
	const char *target;
	struct step *pending; /* a stack */
	size_t pending_count;
	struct tuf_meta *asked[TUF_ROLES_ASKED_MAX]; /* owned; delegations are lent by them */
	char *names[TUF_ROLES_ASKED_MAX];            /* owned */
	size_t asked_count;
};

struct step {
	char *name; /* owned */
	struct tuf_keys keys;
	struct tuf_signatories signatories; /* both lent by the delegator */
};

/* The local copy, if it is the one that was announced and the delegator vouches for it. */
static struct tuf_meta *
local_delegated(const char *path, const struct tuf_file *said, const struct tuf_delegation *by)
{
	struct tuf_meta *m = NULL;
	struct error ignored = {0};
	struct buf text;

	buf_init(&text, TUF_TARGETS_MAX);
	if (file_read_if_exists(path, &text, &ignored) <= 0 ||
		check_announced(said, &text, &ignored) < 0 ||
		tuf_meta_parse(buf_str(&text), text.len, TUF_ROLE_TARGETS, &m, &ignored) < 0)
		goto out;
	if (tuf_meta_version(m) != said->version ||
		tuf_meta_verify_delegated(m, by, &ignored) < 0) {
		tuf_meta_free(m);
		m = NULL;
	}
out:
	buf_clear(&text);
	return m;
}

/* What a mirror has served as the file that was announced. */
static int
parse_delegated(const struct buf *text, const struct tuf_file *said,
	const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	if (check_announced(said, text, err) < 0)
		return -1;
	if (tuf_meta_parse(buf_str(text), text->len, TUF_ROLE_TARGETS, out, err) < 0) {
		err->kind = ERROR_SECURITY;
		return -1;
	}
	if (tuf_meta_verify_delegated(*out, by, err) < 0)
		return -1;
	if (tuf_meta_version(*out) != said->version)
		return error_set(err, ERROR_SECURITY, "version %" PRId64 ", announced is %" PRId64,
			tuf_meta_version(*out), said->version);
	return 0;
}

static int
fetch_delegated(struct search *s, const char *url, const char *path, const struct tuf_file *said,
	const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	struct tuf_meta *m = NULL;
	struct buf text;
	int rc;

	buf_init(&text, TUF_TARGETS_MAX);
	rc = fetch_get_buf(s->fetch, url, &text, err);
	if (rc == 0)
		rc = error_set(err, ERROR_TEMP, "%s: not there", url);
	if (rc < 0)
		goto out;
	rc = parse_delegated(&text, said, by, &m, err);
	if (rc == 0)
		rc = check_expiry(s->c, m, err);
	if (rc < 0)
		error_prefix(err, "%s", url);
	else
		rc = file_replace(path, text.data, text.len, META_MODE, err);
out:
	if (rc < 0) {
		tuf_meta_free(m);
		m = NULL;
	}
	*out = m;
	buf_clear(&text);
	return rc;
}

/* The file of a delegated role: from the folder, or from the mirror. Trust is the delegator's of
 * this search, whoever vouched for the file before. */
static int
load_delegated(
	struct search *s, const struct tuf_delegation *by, struct tuf_meta **out, struct error *err)
{
	const struct tuf_client *c = s->c;
	char *escaped = str_percent_encode(by->name, "");
	char *path = xasprintf("%s/%s.json", c->dir, escaped);
	char *listed = xasprintf("%s.json", by->name), *url = NULL;
	struct tuf_file said;
	int rc = 0;

	*out = NULL;
	if (tuf_meta_find(c->meta[TUF_ROLE_SNAPSHOT], listed, &said) == 0) {
		rc = error_set(
			err, ERROR_SECURITY, "snapshot.json: says nothing of %.100s", listed);
		goto out;
	}
	*out = local_delegated(path, &said, by);
	if (*out != NULL) {
		rc = check_expiry(c, *out, err);
		goto out;
	}
	url = tuf_root_consistent_snapshot(c->meta[TUF_ROLE_ROOT])
		? xasprintf("%s%" PRId64 ".%s.json", s->base, said.version, escaped)
		: xasprintf("%s%s.json", s->base, escaped);
	rc = fetch_delegated(s, url, path, &said, by, out, err);
out:
	if (rc < 0) {
		tuf_meta_free(*out);
		*out = NULL;
		error_prefix(err, "role %.100s", by->name);
	}
	free(url);
	free(listed);
	free(path);
	free(escaped);
	return rc;
}

static bool
was_asked(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->asked_count; i++) {
		if (strcmp(s->names[i], name) == 0)
			return true;
	}
	return false;
}

static void
drop_pending(struct search *s)
{
	while (s->pending_count > 0)
		free(s->pending[--s->pending_count].name);
}

/* Puts the roles that may know the target on top, the first of them uppermost. Behind a terminating
 * one nobody else is asked. */
static void
push_delegations(struct search *s, const struct tuf_meta *from)
{
	struct tuf_delegation d;
	size_t i = 0, first;

	first = s->pending_count;
	while (tuf_delegations_next(tuf_targets_delegations(from), s->target, &i, &d) > 0) {
		struct step step = {
			.name = xstrdup(d.name), .keys = *d.keys, .signatories = *d.signatories};

		if (d.terminating && first > 0) {
			/* All that was pending before goes as well. */
			for (size_t k = 0; k < first; k++)
				free(s->pending[k].name);
			memmove(s->pending, s->pending + first,
				(s->pending_count - first) * sizeof(*s->pending));
			s->pending_count -= first;
			first = 0;
		}
		s->pending = xreallocarray(s->pending, s->pending_count + 1, sizeof(*s->pending));
		s->pending[s->pending_count++] = step;
		if (d.terminating)
			break;
	}
	for (size_t k = first, e = s->pending_count; k + 1 < e; k++, e--) {
		struct step swap = s->pending[k];

		s->pending[k] = s->pending[e - 1];
		s->pending[e - 1] = swap;
	}
}

/* 1 found, 0 the next one is to be asked. */
static int
ask_role(struct search *s, struct step *step, struct tuf_file *out, struct error *err)
{
	struct tuf_delegation by = {
		.name = step->name, .keys = &step->keys, .signatories = &step->signatories};
	struct tuf_meta *m;

	if (s->asked_count == TUF_ROLES_ASKED_MAX)
		return error_set(err, ERROR_SECURITY, "%.100s: more than %d delegated roles",
			s->target, TUF_ROLES_ASKED_MAX);
	if (load_delegated(s, &by, &m, err) < 0)
		return -1;
	s->names[s->asked_count] = step->name;
	step->name = NULL;
	s->asked[s->asked_count++] = m;
	if (tuf_targets_find(m, s->target, out) > 0)
		return 1;
	push_delegations(s, m);
	return 0;
}

int
tuf_client_find(struct tuf_client *c, struct fetch *fetch, const char *base, const char *name,
	struct tuf_file *out, struct error *err)
{
	struct search s = {.c = c, .fetch = fetch, .base = base, .target = name};
	int rc = tuf_client_target(c, name, out);

	if (rc > 0 || !tuf_client_ready(c))
		return rc;
	push_delegations(&s, c->meta[TUF_ROLE_TARGETS]);
	while (rc == 0 && s.pending_count > 0) {
		struct step step = s.pending[--s.pending_count];

		/* Cycles, and a role with two delegators: the first that matched counts. */
		if (!was_asked(&s, step.name))
			rc = ask_role(&s, &step, out, err);
		free(step.name);
	}
	drop_pending(&s);
	free(s.pending);
	for (size_t i = 0; i < s.asked_count; i++) {
		tuf_meta_free(s.asked[i]);
		free(s.names[i]);
	}
	return rc;
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

/* tuf_client: the trust anchor, and the copies of what was trusted before. */
#include "updater/tuf_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "updater/tuf_client_inside.h"

static char *
path_in(const char *dir, enum tuf_role role)
{
	return xasprintf("%s/%s.json", dir, tuf_role_name(role));
}

static char *
path_of(const struct tuf_client *c, enum tuf_role role)
{
	return path_in(c->dir, role);
}

static char *
anchor_path(const char *dir)
{
	return xasprintf("%s/anchor", dir);
}

void
tuf_client_forget(struct tuf_client *c, enum tuf_role role)
{
	tuf_meta_free(c->meta[role]);
	c->meta[role] = NULL;
}

static void
trust(struct tuf_client *c, struct tuf_meta *m, const struct buf *text)
{
	enum tuf_role role = tuf_meta_role(m);

	tuf_client_forget(c, role);
	c->meta[role] = m;
	buf_reset(&c->text[role]);
	buf_add(&c->text[role], text->data, text->len);
}

int
tuf_client_take(struct tuf_client *c, struct tuf_meta *m, const struct buf *text, struct error *err)
{
	char *path = path_of(c, tuf_meta_role(m));
	int rc = file_replace(path, text->data, text->len, META_MODE, err);

	if (rc == 0)
		trust(c, m, text);
	else
		tuf_meta_free(m);
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

int
tuf_client_remove(struct tuf_client *c, enum tuf_role role, struct error *err)
{
	char *path = path_of(c, role);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot remove", path);
	else
		buf_reset(&c->text[role]);
	free(path);
	return rc;
}

/* The order leaves no moment in which old files stand beside a new root without being refused: the
 * anchor, which tells that this was done, comes last. */
static int
start_over(struct tuf_client *c, const struct buf *anchor, struct tuf_meta *root, struct error *err)
{
	char *path = anchor_path(c->dir);
	int rc = -1;

	if (tuf_client_remove(c, TUF_ROLE_TIMESTAMP, err) < 0 ||
		tuf_client_remove(c, TUF_ROLE_SNAPSHOT, err) < 0 ||
		tuf_client_remove(c, TUF_ROLE_TARGETS, err) < 0) {
		tuf_meta_free(root);
		goto out;
	}
	if (tuf_client_take(c, root, anchor, err) < 0)
		goto out;
	rc = file_replace(path, anchor->data, anchor->len, META_MODE, err);
out:
	free(path);
	return rc;
}

/* 1 what lies there below the root counts; 0 all begins anew; -1. */
static int
load_root(struct tuf_client *c, const char *known_dir, const char *root_path, struct error *err)
{
	struct buf anchor, known, local;
	struct tuf_meta *root = NULL;
	char *path = path_in(known_dir, TUF_ROLE_ROOT), *known_path = anchor_path(known_dir);
	int have_known, have_local, rc = -1;

	buf_init(&anchor, TUF_ROOT_MAX);
	buf_init(&known, TUF_ROOT_MAX);
	buf_init(&local, TUF_ROOT_MAX);
	if (file_read(root_path, &anchor, err) < 0)
		goto out;
	tuf_file_of(anchor.data, anchor.len, &c->anchor);
	have_known = file_read_if_exists(known_path, &known, err);
	if (have_known < 0)
		goto out;
	have_local = file_read_if_exists(path, &local, err);
	if (have_local < 0)
		goto out;
	if (!have_known || !have_local || known.len != anchor.len ||
		memcmp(known.data, anchor.data, anchor.len) != 0) {
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
	rc = 1;
out:
	buf_clear(&anchor);
	buf_clear(&known);
	buf_clear(&local);
	free(known_path);
	free(path);
	return rc;
}

static int
read_local(struct tuf_client *c, const char *known_dir, enum tuf_role role, struct error *err)
{
	char *path = path_in(known_dir, role);
	int rc = file_read_if_exists(path, &c->text[role], err);

	if (rc < 0 && err->kind == ERROR_INPUT) /* too large to be one of ours */
		rc = 0;
	if (rc <= 0)
		buf_reset(&c->text[role]);
	free(path);
	return rc < 0 ? -1 : 0;
}

static int
read_locals(struct tuf_client *c, const char *known_dir, struct error *err)
{
	if (read_local(c, known_dir, TUF_ROLE_TIMESTAMP, err) < 0 ||
		read_local(c, known_dir, TUF_ROLE_SNAPSHOT, err) < 0 ||
		read_local(c, known_dir, TUF_ROLE_TARGETS, err) < 0)
		return -1;
	return 0;
}

/* A local file that the present root's keys do not vouch for is as none: they were rotated, or it
 * was damaged. */
static void
load_local(struct tuf_client *c, enum tuf_role role)
{
	const struct buf *text = &c->text[role];
	struct tuf_meta *m = NULL;
	struct error why = {0};

	tuf_client_forget(c, role);
	if (text->len == 0)
		return;
	if (tuf_meta_parse(buf_str(text), text->len, role, &m, &why) < 0 ||
		tuf_meta_verify(m, c->meta[TUF_ROLE_ROOT], &why) < 0) {
		log_info("%s/%s.json: not used: %s", c->dir, tuf_role_name(role), why.text);
		tuf_meta_free(m);
	} else {
		c->meta[role] = m;
	}
}

/* What lies there below the root, under the present root. */
void
tuf_client_load_locals(struct tuf_client *c)
{
	load_local(c, TUF_ROLE_TIMESTAMP);
	load_local(c, TUF_ROLE_SNAPSHOT);
	load_local(c, TUF_ROLE_TARGETS);
}

int
tuf_client_open_beside(const char *known_dir, const char *dir, const char *root_path, int64_t now_s,
	struct tuf_client **out, struct error *err)
{
	struct tuf_client *c = xcalloc(1, sizeof(*c));
	int rc;

	*out = NULL;
	c->dir = xstrdup(dir);
	c->now_s = now_s;
	c->anchor.length = -1;
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		buf_init(&c->text[role], tuf_role_max((enum tuf_role)role));
	rc = load_root(c, known_dir, root_path, err);
	if (rc > 0)
		rc = read_locals(c, known_dir, err);
	if (rc < 0) {
		tuf_client_free(c);
		return -1;
	}
	tuf_client_load_locals(c);
	*out = c;
	return 0;
}

int
tuf_client_open(const char *dir, const char *root_path, int64_t now_s, struct tuf_client **out,
	struct error *err)
{
	return tuf_client_open_beside(dir, dir, root_path, now_s, out, err);
}

void
tuf_client_file(const struct tuf_client *c, enum tuf_role role, struct tuf_file *out)
{
	const struct buf *text = &c->text[role];

	if (text->len > 0)
		tuf_file_of(text->data, text->len, out);
	else
		*out = (struct tuf_file){.length = -1};
}

void
tuf_client_anchor(const struct tuf_client *c, struct tuf_file *out)
{
	*out = c->anchor;
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

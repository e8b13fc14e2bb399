#include "updater/tuf_known.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"

static int
read_role(const char *dir, enum tuf_role role, struct buf *out, struct error *err)
{
	char *path = xasprintf("%s/%s.json", dir, tuf_role_name(role));
	int rc;

	rc = file_read_if_exists(path, out, err);
	/* Too large to be one of ours: as none. */
	if (rc < 0 && role != TUF_ROLE_ROOT && err->kind == ERROR_INPUT) {
		log_info("%s: not used", err->text);
		error_clear(err);
		rc = 0;
	}
	free(path);
	return rc;
}

int
tuf_known_read(const char *dir, enum tuf_role role, struct tuf_known *out, struct error *err)
{
	int rc;

	out->dir = xstrdup(dir);
	out->role = role;
	buf_init(&out->root, TUF_ROOT_MAX);
	buf_init(&out->text, tuf_role_max(role));
	rc = read_role(dir, TUF_ROLE_ROOT, &out->root, err);
	if (rc > 0 && read_role(dir, role, &out->text, err) < 0)
		rc = -1;
	return rc;
}

void
tuf_known_clear(struct tuf_known *known)
{
	buf_clear(&known->root);
	buf_clear(&known->text);
	free(known->dir);
	known->dir = NULL;
}

/* Signed by the keys of by; NULL: by its own. */
static int
parse(const struct buf *text, enum tuf_role role, const struct tuf_meta *by, struct tuf_meta **out,
	struct error *err)
{
	if (tuf_meta_parse(buf_str(text), text->len, role, out, err) < 0)
		return -1;
	if (tuf_meta_verify(*out, by != NULL ? by : *out, err) == 0)
		return 0;
	tuf_meta_free(*out);
	*out = NULL;
	return -1;
}

/* 1 both; 0 the root alone; -1. What is had is the caller's. */
static int
parse_both(const struct tuf_known *known, struct tuf_meta **root, struct tuf_meta **meta, struct error *err)
{
	struct error why = {0};

	*root = *meta = NULL;
	if (parse(&known->root, TUF_ROLE_ROOT, NULL, root, err) < 0) {
		err->kind = ERROR_SECURITY;
		return error_prefix(err, "%s/root.json: altered", known->dir);
	}
	if (known->text.len == 0)
		return 0;
	if (parse(&known->text, known->role, *root, meta, &why) == 0)
		return 1;
	log_info("%s/%s.json: not used: %s", known->dir, tuf_role_name(known->role), why.text);
	return 0;
}

int
tuf_known_target(
	const struct tuf_known *known, const char *name, struct tuf_file *out, struct error *err)
{
	struct tuf_meta *root, *targets;
	int rc = parse_both(known, &root, &targets, err);

	if (rc > 0)
		rc = tuf_targets_find(targets, name, out);
	tuf_meta_free(targets);
	tuf_meta_free(root);
	return rc;
}

static int
check_expiry(const struct tuf_meta *m, int64_t now_s, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (tuf_meta_expires(m) > now_s)
		return 1;
	clock_format(tuf_meta_expires(m), text);
	return error_set(err, ERROR_EXPIRED,
		"%s.json: version %" PRId64 ", the newest here, has expired (%s)",
		tuf_role_name(tuf_meta_role(m)), tuf_meta_version(m), text);
}

int
tuf_known_in_force(const struct tuf_known *known, int64_t now_s, struct error *err)
{
	struct tuf_meta *root, *meta;
	int rc = parse_both(known, &root, &meta, err);

	if (rc > 0)
		rc = check_expiry(root, now_s, err);
	if (rc > 0)
		rc = check_expiry(meta, now_s, err);
	tuf_meta_free(meta);
	tuf_meta_free(root);
	return rc;
}

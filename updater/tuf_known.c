#include "updater/tuf_known.h"

#include <stdlib.h>
#include <string.h>

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
tuf_known_read(const char *dir, struct tuf_known *out, struct error *err)
{
	int rc;

	out->dir = xstrdup(dir);
	buf_init(&out->root, TUF_ROOT_MAX);
	buf_init(&out->targets, TUF_TARGETS_MAX);
	rc = read_role(dir, TUF_ROLE_ROOT, &out->root, err);
	if (rc > 0 && read_role(dir, TUF_ROLE_TARGETS, &out->targets, err) < 0)
		rc = -1;
	return rc;
}

void
tuf_known_clear(struct tuf_known *known)
{
	buf_clear(&known->root);
	buf_clear(&known->targets);
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

int
tuf_known_target(
	const struct tuf_known *known, const char *name, struct tuf_file *out, struct error *err)
{
	struct tuf_meta *root = NULL, *targets = NULL;
	struct error why = {0};
	int rc = 0;

	if (parse(&known->root, TUF_ROLE_ROOT, NULL, &root, err) < 0) {
		err->kind = ERROR_SECURITY;
		return error_prefix(err, "%s/root.json: altered", known->dir);
	}
	if (known->targets.len > 0) {
		if (parse(&known->targets, TUF_ROLE_TARGETS, root, &targets, &why) == 0)
			rc = tuf_targets_find(targets, name, out);
		else
			log_info("%s/targets.json: not used: %s", known->dir, why.text);
	}
	tuf_meta_free(targets);
	tuf_meta_free(root);
	return rc;
}

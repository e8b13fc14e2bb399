#include "export/repository_private.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/signing.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

/* Beside the repository, which is served. */
#define SUFFIX   "-signing"
#define DIR_MODE 0755
/* Copies that come back from other machines, and what else may lie there. */
#define FILES_MAX 256

char *
repository_request_path(const struct repository *r, enum tuf_role role, int64_t version)
{
	return xasprintf("%s" SUFFIX "/%" PRId64 ".%s.json", r->path, version, tuf_role_name(role));
}

/* What is none is left alone and named. */
void
repository_each_request(const struct repository *r,
	void (*f)(const char *path, struct signing *s, void *arg), void *arg)
{
	char *dir = xasprintf("%s" SUFFIX, r->path);
	DIR *d = opendir(dir);
	const struct dirent *entry;
	size_t n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL && n < FILES_MAX) {
		struct signing *s;
		struct error why;
		char *path;

		if (entry->d_name[0] == '.' || !str_ends(entry->d_name, ".json"))
			continue;
		n++;
		path = xasprintf("%s/%s", dir, entry->d_name);
		if (signing_read(path, &s, &why) > 0)
			f(path, s, arg);
		else
			log_warning("%s: left alone", why.text);
		signing_free(s);
		free(path);
	}
	if (d != NULL)
		(void)closedir(d);
	free(dir);
}

static void
merge_one(const char *path UNUSED, struct signing *s, void *arg)
{
	(void)signing_merge(arg, s);
}

int
repository_find_request(const struct repository *r, enum tuf_role role, int64_t version,
	struct signing **out, struct error *err)
{
	char *path = repository_request_path(r, role, version);
	int rc = signing_read(path, out, err);

	if (rc > 0)
		repository_each_request(r, merge_one, *out);
	free(path);
	return rc;
}

int
repository_sign_request(const struct repository *r, struct signing *s, struct error *err)
{
	enum tuf_role role = tuf_meta_role(signing_meta(s));

	for (size_t k = 0; k < r->held[role].count; k++) {
		const struct tuf_signer *signer = r->held[role].list[k].signer;

		if (signing_wants(s, tuf_key_id(tuf_signer_key(signer))) &&
			signing_add(s, signer, err) < 0)
			return -1;
	}
	return 0;
}

int
repository_put_request(const struct repository *r, const struct signing *s, struct error *err)
{
	const struct tuf_meta *meta = signing_meta(s);
	char *dir = xasprintf("%s" SUFFIX, r->path);
	char *path = repository_request_path(r, tuf_meta_role(meta), tuf_meta_version(meta));
	struct buf state;
	int rc;

	buf_init(&state, 200);
	signing_state(s, &state);
	rc = file_mkdirs(dir, DIR_MODE, err);
	file_remove_stale(path);
	if (rc == 0)
		rc = signing_write(s, path, err);
	if (rc == 0 && !signing_complete(s))
		log_info("%s version %" PRId64
			 " waits with %s: take %s to who holds the others, preload25 sign it, put "
			 "it back, publish",
			tuf_role_name(tuf_meta_role(meta)), tuf_meta_version(meta), buf_str(&state),
			path);
	buf_clear(&state);
	free(path);
	free(dir);
	return rc;
}

static void
drop_published(const char *path, struct signing *s, void *arg)
{
	const struct repository *r = arg;
	enum tuf_role role = tuf_meta_role(signing_meta(s));

	if (r->meta[role] != NULL &&
		tuf_meta_version(signing_meta(s)) <= tuf_meta_version(r->meta[role]))
		(void)unlink(path);
}

void
repository_tidy_requests(struct repository *r)
{
	repository_each_request(r, drop_published, r);
}

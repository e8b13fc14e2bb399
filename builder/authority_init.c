#include "builder/authority_init.h"

#include <stdlib.h>
#include <string.h>

#include "builder/settings.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/repository.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

void
authority_repository_options(
	const struct settings *s, enum authority_keys keys, struct repository_options *out)
{
	*out = (struct repository_options){
		.path = s->repository.path,
		.author_name = s->repository.committer_name,
		.author_mail = s->repository.committer_mail,
		.expires_s = {[TUF_ROLE_ROOT] = s->repository.root_expires_s,
			[TUF_ROLE_TARGETS] = s->repository.targets_expires_s,
			[TUF_ROLE_SNAPSHOT] = s->repository.snapshot_expires_s,
			[TUF_ROLE_TIMESTAMP] = s->repository.timestamp_expires_s},
		.sign_key = s->repository.sign_key,
		.remotes = s->repository.remotes,
		.remote_count = s->repository.remote_count,
		.push = {.timeout_s = s->repository.push_timeout_s,
			.tries = s->repository.push_tries,
			.ca_file = s->engine.ca_file,
			.ssh_key = s->repository.push_key},
	};
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (keys >= AUTHORITY_PUBLISHING_KEYS ||
			(keys == AUTHORITY_TIMESTAMP_KEYS && i == TUF_ROLE_TIMESTAMP))
			out->keys[i] = s->repository.keys[i];
	}
	out->keys[TUF_ROLE_ROOT].quiet = keys == AUTHORITY_PUBLISHING_KEYS;
}

/* A key in a file is made when it is not there; keys elsewhere must be. */
static int
make_key(const char *uri, struct error *err)
{
	const char *path;
	struct tuf_signer *signer = NULL;
	char *dir;
	int rc;

	if (!str_starts(uri, "file:"))
		return 0;
	path = uri + strlen("file:");
	if (file_exists(path))
		return 0;
	dir = file_dir_of(path);
	rc = file_mkdirs(dir, 0700, err);
	free(dir);
	if (rc == 0)
		rc = tuf_signer_generate(path, "ed25519", NULL, &signer, err);
	tuf_signer_free(signer);
	return rc;
}

int
authority_init(const struct settings *settings, int64_t now_s, struct error *err)
{
	struct repository_options options;

	authority_repository_options(settings, AUTHORITY_ALL_KEYS, &options);
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		for (size_t k = 0; k < options.keys[i].count; k++)
			if (make_key(options.keys[i].uris[k], err) < 0)
				return -1;
	if (settings->repository.minisign_key != NULL &&
		make_key(settings->repository.minisign_key, err) < 0)
		return -1;
	/* An init that was cut short behind this comes by again. */
	return repository_create(&options, now_s, err) < 0 ? -1 : 0;
}

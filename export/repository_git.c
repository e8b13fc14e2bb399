/* The repository's history: whose commit is the last one, and who else has it. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/repository_private.h"

#define LAST_COMMIT "last-commit"

static const char *const files[] = {REPOSITORY_ATTRIBUTES};
const struct git_paths repository_paths = {
	.dirs = repository_dirs,
	.dir_count = REPOSITORY_DIRS,
	.files = files,
	.file_count = ARRAY_LEN(files),
};

int
repository_remember_commit(const struct repository *r, const char *commit, struct error *err)
{
	char *path = repository_state_path(r, LAST_COMMIT);
	int rc = file_replace(path, commit, strlen(commit), 0600, err);

	free(path);
	return rc;
}

int
repository_check_head(const struct repository *r, struct error *err)
{
	char *path = repository_state_path(r, LAST_COMMIT), head[GIT_COMMIT_SIZE];
	struct buf last;
	int rc;

	buf_init(&last, GIT_COMMIT_SIZE);
	rc = file_read_if_exists(path, &last, err);
	if (rc <= 0 || gitrepo_head(r->git, head, err) < 0) {
		rc = rc == 0 ? 0 : -1;
		goto out;
	}
	rc = 0;
	if (strcmp(head, buf_str(&last)) == 0)
		goto out;
	rc = gitrepo_same_paths(r->git, buf_str(&last), &repository_paths, err);
	if (rc == 0) {
		rc = error_set(err, ERROR_CONFIG,
			"%s: HEAD is commit %.10s by another hand, with other files "
			"in " REPOSITORY_METADATA " or " REPOSITORY_TARGETS
			" than %.10s, the last publication: git reset --keep %.10s",
			r->path, head, buf_str(&last), buf_str(&last));
	} else if (rc > 0 && r->options.adopt) {
		log_info("%s: commit %.10s by another hand is taken", r->path, head);
		rc = repository_remember_commit(r, head, err);
	} else if (rc > 0) {
		rc = error_set(err, ERROR_CONFIG,
			"%s: HEAD is commit %.10s by another hand, not %.10s, the last "
			"publication: "
			"publish --adopt goes on from it, git reset --keep %.10s undoes it",
			r->path, head, buf_str(&last), buf_str(&last));
	}
out:
	buf_clear(&last);
	free(path);
	return rc;
}

int
repository_push(struct repository *r, struct error *err)
{
	size_t count = r->options.remote_count, worst = count;
	struct error *results = xcalloc(count, sizeof(*results));
	int rc = 0;

	push_all(r->path, r->options.remotes, count, &r->options.push, results);
	for (size_t i = 0; i < count; i++) {
		if (results[i].kind == ERROR_NONE)
			continue;
		error_prefix(&results[i],
			results[i].kind == ERROR_CONFIG ? "push: [repository] remote" : "push");
		if (worst == count ||
			(results[i].kind == ERROR_CONFIG && results[worst].kind != ERROR_CONFIG))
			worst = i;
	}
	for (size_t i = 0; i < count; i++) {
		if (results[i].kind != ERROR_NONE && i != worst)
			log_error("%s", results[i].text);
	}
	if (worst < count) {
		*err = results[worst];
		rc = -1;
	}
	free(results);
	return rc;
}

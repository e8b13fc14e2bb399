#include "export/repository.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/repository_private.h"
#include "export/ssh_sign.h"
#include "export/tuf_key.h"
#include "export/tuf_signer.h"

#define ROOT_WARN_S (60 * CLOCK_DAY_S)

/* Every byte counts: no clone may turn line ends around. */
static const char attributes[] = "* -text\n";

/* --- making one ---------------------------------------------------------------------------------
 */

/* Not refused: what is published may still be wanted, and the new root can follow. */
static void
warn_of_root(const struct repository *r, int64_t now_s)
{
	int64_t left_s = tuf_meta_expires(r->meta[TUF_ROLE_ROOT]) - now_s;

	if (left_s <= 0)
		log_error("%s: the root has expired: clients refuse everything until there is a "
			  "new one",
			r->path);
	else if (left_s < ROOT_WARN_S)
		log_warning("%s: the root expires in %" PRId64 " days", r->path, left_s / CLOCK_DAY_S);
}

static bool
target_name_valid(const char *name)
{
	if (str_starts(name, REPOSITORY_DELTAS "/"))
		name += strlen(REPOSITORY_DELTAS "/");
	if (name[0] == '\0' || name[0] == '.')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!str_is_alnum(*p) && *p != '.' && *p != '-')
			return false;
	return true;
}

int
repository_publish(struct repository *r, const struct repository_publication *p, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	struct tuf_target targets[REPOSITORY_FILES_MAX];
	struct tuf_file said;
	struct draft d;
	int rc = -1;

	assert(p->file_count <= REPOSITORY_FILES_MAX);
	assert(str_is_utf8(p->message, strlen(p->message)));
	warn_of_root(r, now_s);
	repository_draft_init(&d, r);
	for (size_t i = 0; i < p->file_count; i++) {
		assert(target_name_valid(p->files[i].name));
		targets[i].name = p->files[i].name;
		if (tuf_file_of_path(p->files[i].path, &targets[i].file, err) < 0)
			goto out;
	}
	d.version[TUF_ROLE_TARGETS]++;
	rc = repository_draft_targets(&d, r,
		tuf_build_targets(d.version[TUF_ROLE_TARGETS],
			now_s + r->options.expires_s[TUF_ROLE_TARGETS], targets, p->file_count),
		now_s, &said, err);
	if (rc == 0)
		rc = repository_draft_upwards(&d, r, &said, now_s, err);
	if (rc == 0)
		rc = repository_put(
			r, &d, p->files, targets, p->file_count, p->message, now_s, commit, err);
	if (rc == 0)
		repository_tidy_requests(r);
out:
	repository_draft_clear(&d);
	return rc;
}

/* Whether the role's file has used up half of its life. */
static bool
is_old(const struct repository *r, enum tuf_role role, int64_t now_s)
{
	return tuf_meta_expires(r->meta[role]) - now_s < r->options.expires_s[role] / 2;
}

/* Puts the draft, which holds no new targets of another content. */
static int
put_renewal(struct repository *r, const struct draft *d, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	char *message =
		xasprintf("timestamp %" PRId64 ": the same list\n", d->version[TUF_ROLE_TIMESTAMP]);
	int rc = repository_put(r, d, NULL, NULL, 0, message, now_s, commit, err);

	free(message);
	if (rc == 0)
		repository_tidy_requests(r);
	return rc;
}

static int
check_published(const struct repository *r, struct error *err)
{
	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: nothing is published yet: build a list", r->path);
	return 0;
}

int
repository_renew(struct repository *r, enum repository_renewal what, int64_t now_s,
	char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	struct tuf_file targets, snapshot;
	struct draft d;
	int rc = 1;

	if (check_published(r, err) < 0)
		return -1;
	warn_of_root(r, now_s);
	repository_draft_init(&d, r);
	(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &targets);
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &snapshot);
	if (what == REPOSITORY_ALL && is_old(r, TUF_ROLE_TARGETS, now_s)) {
		d.version[TUF_ROLE_TARGETS]++;
		rc = repository_draft_targets(&d, r,
			repository_same_targets(r, d.version[TUF_ROLE_TARGETS],
				now_s + r->options.expires_s[TUF_ROLE_TARGETS]),
			now_s, &targets, err);
		/* Targets that wait for others must not let the rest run out. */
		if (rc == 1)
			d.version[TUF_ROLE_TARGETS]--;
	}
	if (rc >= 0)
		rc = rc == 0 ||
				(what != REPOSITORY_TIMESTAMP &&
					is_old(r, TUF_ROLE_SNAPSHOT, now_s))
			? repository_draft_upwards(&d, r, &targets, now_s, err)
			: repository_draft_timestamp(&d, r, &snapshot, now_s, err);
	if (rc == 0)
		rc = put_renewal(r, &d, now_s, commit, err);
	repository_draft_clear(&d);
	return rc;
}

/* --- opening and making -------------------------------------------------------------------------
 */

static struct repository *
new_repository(const struct repository_options *options)
{
	struct repository *r = xcalloc(1, sizeof(*r));

	r->options = *options;
	r->path = xstrdup(options->path);
	return r;
}

void
repository_close(struct repository *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		tuf_meta_free(r->meta[i]);
	ssh_signer_free(r->commit_signer);
	tuf_meta_free(r->root_before);
	repository_free_keys(r);
	file_lock_free(r->lock);
	gitrepo_close(r->git);
	free(r->path);
	free(r);
}

static int
take_lock(struct repository *r, struct error *err)
{
	char *path;
	int rc;

	if (file_mkdirs(gitrepo_state_dir(r->git), 0700, err) < 0)
		return -1;
	path = repository_state_path(r, "lock");
	rc = file_lock_take(path, &r->lock, err);
	free(path);
	return rc;
}

static int
load_commit_signer(struct repository *r, struct error *err)
{
	if (r->options.sign_key == NULL)
		return 0;
	if (ssh_signer_load(r->options.sign_key, &r->commit_signer, err) < 0)
		return error_prefix(err, "[repository] sign_key");
	return 0;
}

/* Ends a change of keys that was killed behind its root. */
static int
sign_anew(struct repository *r, const struct journal *j, struct error *err)
{
	char commit[GIT_COMMIT_SIZE];
	struct draft d;
	int rc;

	gitrepo_unlock(r->git);
	repository_draft_init(&d, r);
	rc = repository_draft_rest(&d, r, j->time_s, err);
	if (rc == 1)
		rc = error_set(err, ERROR_CONFIG,
			"%s: root version %" PRId64
			" is there, and the targets wait for signatures by its keys",
			r->path, j->root);
	tuf_meta_free(r->root_before);
	r->root_before = NULL;
	if (rc == 0)
		rc = repository_put(r, &d, NULL, NULL, 0, j->message, j->time_s, commit, err);
	repository_draft_clear(&d);
	if (rc == 0)
		log_info("%s: completed the change of keys that was interrupted, commit %.10s",
			r->path, commit);
	return rc;
}

/* What is published, and what a killed run has left of it. */
static int
complete(struct repository *r, struct error *err)
{
	struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];
	struct journal j = {0};
	struct error why;
	int rc;

	if (repository_load_published(r, err) >= 0)
		return repository_recover(r, err);
	/* A new root came first and the rest is still signed by keys of the one before. */
	rc = repository_read_journal(r, &j, &why);
	if (rc > 0 && j.root == tuf_meta_version(root) &&
		repository_load_root_version(r, j.root - 1, &r->root_before, &why) > 0 &&
		tuf_meta_verify(root, r->root_before, &why) == 0 &&
		repository_load_published(r, err) > 0)
		rc = sign_anew(r, &j, err);
	else
		rc = -1;
	free(j.message);
	return rc;
}

int
repository_open(
	const struct repository_options *options, struct repository **out, struct error *err)
{
	struct repository *r = new_repository(options);

	*out = NULL;
	if (gitrepo_open(options->path, &r->git, err) < 0)
		goto fail;
	/* First whether it is ours at all: the lock is the first thing that is written. */
	if (repository_load_root(r, err) < 0 || repository_load_keys(r, err) < 0 ||
		repository_check_keys(r, err) < 0 || load_commit_signer(r, err) < 0 ||
		take_lock(r, err) < 0 || complete(r, err) < 0 ||
		gitrepo_check_unlocked(r->git, err) < 0 || repository_check_head(r, err) < 0 ||
		gitrepo_check_clean(r->git, repository_dirs, ARRAY_LEN(repository_dirs), err) < 0 ||
		repository_swap_keys(r, err) < 0)
		goto fail;
	repository_tidy_requests(r);
	*out = r;
	return 0;
fail:
	repository_close(r);
	return -1;
}

int
repository_look(
	const struct repository_options *options, struct repository **out, struct error *err)
{
	struct repository *r = new_repository(options);

	*out = NULL;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		r->options.keys[i].optional = r->options.keys[i].quiet = true;
	if (gitrepo_open(options->path, &r->git, err) < 0 || repository_load_root(r, err) < 0 ||
		repository_load_published(r, err) < 0 || repository_load_keys(r, err) < 0) {
		repository_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

/* Version 1 of the root: each role has the keys that are here, and one of them is enough. */
static int
write_root(struct repository *r, int64_t now_s, struct error *err)
{
	const struct tuf_key *keys[TUF_ROLE_COUNT][REPOSITORY_HELD_MAX];
	const struct tuf_signer *signers[REPOSITORY_HELD_MAX];
	struct tuf_role_keys roles[TUF_ROLE_COUNT];
	char *path = repository_metadata_path(r, 1, TUF_ROLE_ROOT);
	struct buf text;
	json_t *root;
	int rc;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		size_t count = r->held[i].count;

		if (count == 0) {
			free(path);
			return error_set(err, ERROR_CONFIG, "no key for %s is here",
				tuf_role_name((enum tuf_role)i));
		}
		for (size_t k = 0; k < count; k++)
			keys[i][k] = tuf_signer_key(r->held[i].list[k].signer);
		roles[i] = (struct tuf_role_keys){keys[i], count, 1};
	}
	for (size_t k = 0; k < r->held[TUF_ROLE_ROOT].count; k++)
		signers[k] = r->held[TUF_ROLE_ROOT].list[k].signer;
	root = tuf_build_root(1, now_s + r->options.expires_s[TUF_ROLE_ROOT], roles);
	buf_init(&text, TUF_ROOT_MAX);
	file_remove_stale(path);
	rc = tuf_sign(root, signers, r->held[TUF_ROLE_ROOT].count, &text, err);
	if (rc == 0)
		rc = file_replace(path, text.data, text.len, REPOSITORY_FILE_MODE, err);
	buf_clear(&text);
	json_decref(root);
	free(path);
	return rc;
}

static int
write_attributes(struct repository *r, struct error *err)
{
	char *path = xasprintf("%s/" REPOSITORY_ATTRIBUTES, r->path);
	int rc;

	file_remove_stale(path);
	rc = file_replace(path, attributes, sizeof(attributes) - 1, REPOSITORY_FILE_MODE, err);
	free(path);
	return rc;
}

int
repository_create(const struct repository_options *options, int64_t now_s, struct error *err)
{
	struct repository *r = new_repository(options);
	struct journal j = {.time_s = now_s};
	struct journal begun = {0};
	char commit[GIT_COMMIT_SIZE];
	int rc = -1;

	j.message = xstrdup("root 1: a new authority\n");
	if (repository_load_keys(r, err) < 0 || load_commit_signer(r, err) < 0)
		goto out;
	if (gitrepo_create(options->path, &r->git, err) < 0)
		goto out;
	if (gitrepo_has_commit(r->git)) {
		/* Complete, unless a run was killed right behind the commit. */
		rc = repository_read_journal(r, &begun, err);
		if (rc == 0) {
			error_set(err, ERROR_CONFIG, "%s: there is a repository already",
				options->path);
			rc = 1;
			goto out;
		}
		if (rc < 0)
			goto out;
		rc = -1;
	}
	if (take_lock(r, err) < 0)
		goto out;
	gitrepo_unlock(r->git);
	file_remove_stale_in(gitrepo_state_dir(r->git));
	if (!gitrepo_has_commit(r->git) &&
		(repository_write_journal(r, &j, err) < 0 || write_attributes(r, err) < 0 ||
			repository_make_dirs(r, err) < 0 || write_root(r, now_s, err) < 0))
		goto out;
	rc = repository_finish(r, &j, commit, err);
out:
	free(j.message);
	free(begun.message);
	repository_close(r);
	return rc;
}

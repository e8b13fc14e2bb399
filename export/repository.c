#include "export/repository.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/repository_private.h"
#include "export/ssh_sign.h"
#include "export/tuf_key.h"

#define ROOT_WARN_S ((int64_t)60 * 86400)

/* Every byte counts: no clone may turn line ends around. */
static const char attributes[] = "* -text\n";

/* --- making one ---------------------------------------------------------------------------------
 */

static void
draft_init(struct draft *d, const struct repository *r)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		buf_init(&d->text[i], tuf_role_max((enum tuf_role)i));
		d->version[i] = r->meta[i] != NULL ? tuf_meta_version(r->meta[i]) : 0;
	}
}

static void
draft_clear(struct draft *d)
{
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		buf_clear(&d->text[i]);
}

/* Signs one role's new version; *out says what is said of it by the role above. */
static int
draft_sign(struct draft *d, const struct repository *r, enum tuf_role role, json_t *signed_part,
	struct tuf_file *out, struct error *err)
{
	const struct tuf_signer *signer = r->signers[role];
	int rc = tuf_sign(signed_part, &signer, 1, &d->text[role], err);

	json_decref(signed_part);
	if (rc < 0)
		return error_prefix(err, "%s", tuf_role_name(role));
	tuf_file_of(d->text[role].data, d->text[role].len, out);
	out->version = d->version[role];
	return 0;
}

/* Signs snapshot and timestamp above the given targets. */
static int
draft_upwards(struct draft *d, const struct repository *r, const struct tuf_file *targets,
	int64_t now_s, struct error *err)
{
	const int64_t *expires_s = r->options.expires_s;
	struct tuf_file snapshot, ignored;

	d->version[TUF_ROLE_SNAPSHOT]++;
	if (draft_sign(d, r, TUF_ROLE_SNAPSHOT,
		    tuf_build_snapshot(d->version[TUF_ROLE_SNAPSHOT],
			    now_s + expires_s[TUF_ROLE_SNAPSHOT], targets),
		    &snapshot, err) < 0)
		return -1;
	d->version[TUF_ROLE_TIMESTAMP]++;
	return draft_sign(d, r, TUF_ROLE_TIMESTAMP,
		tuf_build_timestamp(d->version[TUF_ROLE_TIMESTAMP],
			now_s + expires_s[TUF_ROLE_TIMESTAMP], &snapshot),
		&ignored, err);
}

/* Not refused: what is published may still be wanted, and the new root can follow. */
static void
warn_of_root(const struct repository *r, int64_t now_s)
{
	int64_t left_s = tuf_meta_expires(r->meta[TUF_ROLE_ROOT]) - now_s;

	if (left_s <= 0)
		log_warning("%s: the root has expired: clients refuse everything until there is a "
			    "new one",
			r->path);
	else if (left_s < ROOT_WARN_S)
		log_warning("%s: the root expires in %" PRId64 " days", r->path, left_s / 86400);
}

static bool
target_name_valid(const char *name)
{
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
	draft_init(&d, r);
	for (size_t i = 0; i < p->file_count; i++) {
		assert(target_name_valid(p->files[i].name));
		targets[i].name = p->files[i].name;
		if (tuf_file_of_path(p->files[i].path, &targets[i].file, err) < 0)
			goto out;
	}
	d.version[TUF_ROLE_TARGETS]++;
	if (draft_sign(&d, r, TUF_ROLE_TARGETS,
		    tuf_build_targets(d.version[TUF_ROLE_TARGETS],
			    now_s + r->options.expires_s[TUF_ROLE_TARGETS], targets, p->file_count),
		    &said, err) < 0 ||
		draft_upwards(&d, r, &said, now_s, err) < 0)
		goto out;
	rc = repository_put(
		r, &d, p->files, targets, p->file_count, p->message, now_s, commit, err);
out:
	draft_clear(&d);
	return rc;
}

/* Whether the role's file has used up half of its life. */
static bool
is_old(const struct repository *r, enum tuf_role role, int64_t now_s)
{
	return tuf_meta_expires(r->meta[role]) - now_s < r->options.expires_s[role] / 2;
}

/* The published targets once more, as they were, with a new version and expiry. */
static json_t *
same_targets(const struct repository *r, int64_t version, int64_t expires_s)
{
	struct tuf_target targets[REPOSITORY_FILES_MAX];
	size_t n = 0;

	while (n < REPOSITORY_FILES_MAX &&
		tuf_targets_nth(r->meta[TUF_ROLE_TARGETS], n, &targets[n].name, &targets[n].file))
		n++;
	return tuf_build_targets(version, expires_s, targets, n);
}

int
repository_renew(
	struct repository *r, int64_t now_s, char commit[static GIT_COMMIT_SIZE], struct error *err)
{
	const int64_t *expires_s = r->options.expires_s;
	struct tuf_file targets, snapshot, ignored;
	struct draft d;
	char message[100];
	int rc = -1;

	if (r->meta[TUF_ROLE_TIMESTAMP] == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s: nothing is published yet: build a list", r->path);
	warn_of_root(r, now_s);
	draft_init(&d, r);
	(void)tuf_meta_find(r->meta[TUF_ROLE_SNAPSHOT], "targets.json", &targets);
	(void)tuf_meta_find(r->meta[TUF_ROLE_TIMESTAMP], "snapshot.json", &snapshot);
	if (is_old(r, TUF_ROLE_TARGETS, now_s)) {
		d.version[TUF_ROLE_TARGETS]++;
		if (draft_sign(&d, r, TUF_ROLE_TARGETS,
			    same_targets(r, d.version[TUF_ROLE_TARGETS],
				    now_s + expires_s[TUF_ROLE_TARGETS]),
			    &targets, err) < 0 ||
			draft_upwards(&d, r, &targets, now_s, err) < 0)
			goto out;
	} else if (is_old(r, TUF_ROLE_SNAPSHOT, now_s)) {
		if (draft_upwards(&d, r, &targets, now_s, err) < 0)
			goto out;
	} else {
		d.version[TUF_ROLE_TIMESTAMP]++;
		if (draft_sign(&d, r, TUF_ROLE_TIMESTAMP,
			    tuf_build_timestamp(d.version[TUF_ROLE_TIMESTAMP],
				    now_s + expires_s[TUF_ROLE_TIMESTAMP], &snapshot),
			    &ignored, err) < 0)
			goto out;
	}
	snprintf(message, sizeof(message), "timestamp %" PRId64 ": the same list\n",
		d.version[TUF_ROLE_TIMESTAMP]);
	rc = repository_put(r, &d, NULL, NULL, 0, message, now_s, commit, err);
out:
	draft_clear(&d);
	return rc;
}

/* --- opening and making -------------------------------------------------------------------------
 */

/* A wrong key would sign what no client takes. */
static int
check_keys(const struct repository *r, struct error *err)
{
	const struct tuf_meta *root = r->meta[TUF_ROLE_ROOT];

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (i == TUF_ROLE_ROOT)
			continue;
		if (!tuf_root_has_key(
			    root, (enum tuf_role)i, tuf_key_id(tuf_signer_key(r->signers[i]))))
			return error_set(err, ERROR_CONFIG,
				"%s: not a repository of ours: its root names another key for %s "
				"than %s",
				r->path, tuf_role_name((enum tuf_role)i), r->options.keys[i]);
		if (tuf_root_threshold(root, (enum tuf_role)i) != 1)
			return error_set(err, ERROR_CONFIG,
				"%s: its root asks for %" PRId64
				" signatures for %s, and one key is configured",
				r->path, tuf_root_threshold(root, (enum tuf_role)i),
				tuf_role_name((enum tuf_role)i));
	}
	return 0;
}

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
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		tuf_meta_free(r->meta[i]);
		tuf_signer_free(r->signers[i]);
	}
	ssh_signer_free(r->commit_signer);
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

int
repository_open(
	const struct repository_options *options, struct repository **out, struct error *err)
{
	struct repository *r = new_repository(options);

	*out = NULL;
	if (gitrepo_open(options->path, &r->git, err) < 0)
		goto fail;
	/* First whether it is ours at all: the lock is the first thing that is written. */
	if (repository_load_root(r, err) < 0)
		goto fail;
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		if (i != TUF_ROLE_ROOT &&
			tuf_signer_load(options->keys[i], &r->signers[i], err) < 0)
			goto fail;
	if (check_keys(r, err) < 0 || load_commit_signer(r, err) < 0 || take_lock(r, err) < 0 ||
		repository_load_published(r, err) < 0 || repository_recover(r, err) < 0 ||
		gitrepo_check_unlocked(r->git, err) < 0 || repository_check_head(r, err) < 0 ||
		gitrepo_check_clean(r->git, repository_dirs, ARRAY_LEN(repository_dirs), err) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	repository_close(r);
	return -1;
}

/* Version 1 of the root: each role has its one key. */
static int
write_root(struct repository *r, int64_t now_s, struct error *err)
{
	const struct tuf_key *keys[TUF_ROLE_COUNT];
	struct tuf_role_keys roles[TUF_ROLE_COUNT];
	const struct tuf_signer *signer = r->signers[TUF_ROLE_ROOT];
	char *path = repository_metadata_path(r, 1, TUF_ROLE_ROOT);
	struct buf text;
	json_t *root;
	int rc;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		keys[i] = tuf_signer_key(r->signers[i]);
		roles[i] = (struct tuf_role_keys){&keys[i], 1, 1};
	}
	root = tuf_build_root(1, now_s + r->options.expires_s[TUF_ROLE_ROOT], roles);
	buf_init(&text, TUF_ROOT_MAX);
	file_remove_stale(path);
	rc = tuf_sign(root, &signer, 1, &text, err);
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
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		if (tuf_signer_load(options->keys[i], &r->signers[i], err) < 0)
			goto out;
	if (load_commit_signer(r, err) < 0)
		goto out;
	if (gitrepo_create(options->path, &r->git, err) < 0)
		goto out;
	if (gitrepo_has_commit(r->git)) {
		/* Complete, unless a run was killed right behind the commit. */
		rc = repository_read_journal(r, &begun, err);
		if (rc == 0)
			rc = error_set(err, ERROR_CONFIG, "%s: there is a repository already",
				options->path);
		if (rc < 0)
			goto out;
		rc = -1;
	}
	if (take_lock(r, err) < 0)
		goto out;
	gitrepo_unlock(r->git);
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

#include "export/git.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <git2.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/ssh_sign.h"

/* Octets of a commit's signature. */
#define SIGNATURE_MAX 4096
/* How long another git process may hold the repository, and between two looks. */
#define LOCK_WAIT_MS  2000
#define LOCK_PAUSE_MS 20

/* Directories below one another that are committed: a target's name may hold slashes. */
#define DEPTH_MAX 4

struct gitrepo {
	git_repository *repo;
	char *path;
	char *state_dir;
};

static int
git_failed(struct error *err, enum error_kind kind, const char *subject)
{
	const git_error *e = git_error_last();

	return error_set(err, kind, "%s: %s", subject, e != NULL ? e->message : "git failed");
}

/* Disk full and the like are temporary, whatever libgit2 calls them. */
static int
write_failed(const struct gitrepo *g, struct error *err)
{
	return git_failed(err, ERROR_TEMP, g->path);
}

static struct gitrepo *
wrap(git_repository *repo, const char *path)
{
	struct gitrepo *g = xcalloc(1, sizeof(*g));

	g->repo = repo;
	g->path = xstrdup(path);
	g->state_dir = xasprintf("%spreload25", git_repository_path(repo));
	return g;
}

static void
start_library(void)
{
	(void)git_libgit2_init();
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* The configuration names the repository, so who owns it is no surprise: root works on one
	 * of the service's user. No hook or program named in there is run. */
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

bool
gitrepo_has_commit(struct gitrepo *g)
{
	git_oid oid;

	return git_reference_name_to_id(&oid, g->repo, "HEAD") == 0;
}

/* Removes what libgit2 leaves under its random names when it is killed. */
static void
remove_random(const char *dir, const char *prefix)
{
	char *pattern = xasprintf("%s/%s????????????????", dir, prefix);
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}

/* libgit2 syncs what it writes into a repository, but not the files that a new one begins with. */
static int
sync_new(const char *git_dir, struct error *err)
{
	static const char *const files[] = {
		"HEAD", "config", "description", "info/exclude", "hooks/README.sample"};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(files); i++) {
		char *file = xasprintf("%s%s", git_dir, files[i]);

		if (file_exists(file) &&
			(file_sync(file, err) < 0 || file_sync_parent(file, err) < 0))
			rc = -1;
		free(file);
	}
	return rc;
}

int
gitrepo_create(const char *path, struct gitrepo **out, struct error *err)
{
	git_repository_init_options options;
	git_repository *repo;
	int rc;

	*out = NULL;
	start_library();
	(void)git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	options.flags = GIT_REPOSITORY_INIT_MKPATH;
	options.initial_head = GIT_BRANCH;
	rc = git_repository_init_ext(&repo, path, &options);
	if (rc == GIT_ELOCKED) {
		/* A run that was killed while it made this very repository. */
		static const char *const locks[] = {"config.lock", "HEAD.lock"};

		for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
			char *lock = xasprintf("%s/.git/%s", path, locks[i]);

			(void)unlink(lock);
			free(lock);
		}
		rc = git_repository_init_ext(&repo, path, &options);
	}
	if (rc < 0) {
		/* A full disk, mostly: errno has not survived. */
		git_failed(err, rc == GIT_ERROR && git_error_last() != NULL &&
				git_error_last()->klass == GIT_ERROR_OS
			? ERROR_TEMP
			: ERROR_CONFIG, path);
		(void)git_libgit2_shutdown();
		return -1;
	}
	*out = wrap(repo, path);
	/* It tries in the work tree whether there are symbolic links. */
	if (!gitrepo_has_commit(*out)) {
		remove_random(path, "_git2_");
		if (sync_new(git_repository_path(repo), err) < 0) {
			gitrepo_close(*out);
			*out = NULL;
			return -1;
		}
	}
	return 0;
}

int
gitrepo_open(const char *path, struct gitrepo **out, struct error *err)
{
	git_repository *repo = NULL;

	*out = NULL;
	start_library();
	if (git_repository_open_ext(&repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0)
		git_failed(err, ERROR_CONFIG, path);
	else if (git_repository_is_bare(repo))
		error_set(err, ERROR_CONFIG,
			"%s: a git repository without a work tree; publish in a clone of it that "
			"has one, and "
			"name this one as a remote",
			path);
	else if (git_repository_head_detached(repo) == 1)
		error_set(err, ERROR_CONFIG,
			"%s: HEAD is detached; check the branch out that is published (git "
			"checkout " GIT_BRANCH ")",
			path);
	else
		*out = wrap(repo, path);
	if (*out != NULL)
		return 0;
	git_repository_free(repo);
	(void)git_libgit2_shutdown();
	return -1;
}

void
gitrepo_close(struct gitrepo *g)
{
	if (g == NULL)
		return;
	git_repository_free(g->repo);
	free(g->path);
	free(g->state_dir);
	free(g);
	(void)git_libgit2_shutdown();
}

int
gitrepo_head(struct gitrepo *g, char id[static GIT_COMMIT_SIZE], struct error *err)
{
	git_oid oid;

	if (git_reference_name_to_id(&oid, g->repo, "HEAD") < 0)
		return git_failed(err, ERROR_CONFIG, g->path);
	(void)git_oid_tostr(id, GIT_COMMIT_SIZE, &oid);
	return 0;
}

const char *
gitrepo_state_dir(const struct gitrepo *g)
{
	return g->state_dir;
}

int
gitrepo_check_clean(struct gitrepo *g, const char *const *dirs, size_t count, struct error *err)
{
	git_status_options options;
	const git_status_entry *entry;
	const git_diff_delta *delta;
	git_status_list *list = NULL;
	int rc = -1;

	(void)git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
	options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
	/* Ignored files too: an ignore rule must not hide what a web server would serve. */
	options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_INCLUDE_IGNORED |
		GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS | GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH;
	options.pathspec.strings = (char **)(uintptr_t)dirs;
	options.pathspec.count = count;
	if (git_status_list_new(&list, g->repo, &options) < 0) {
		write_failed(g, err);
		goto out;
	}
	if (git_status_list_entrycount(list) == 0) {
		rc = 0;
		goto out;
	}
	entry = git_status_byindex(list, 0);
	delta = entry->index_to_workdir != NULL ? entry->index_to_workdir : entry->head_to_index;
	error_set(err, ERROR_CONFIG,
		"%s/%s: changed by another hand since the last publication; see git status",
		g->path, delta->new_file.path != NULL ? delta->new_file.path : "");
out:
	git_status_list_free(list);
	return rc;
}

/* --- lock files ---------------------------------------------------------------------------------
 */

/* Those that stand in the way of a commit. The caller frees each. */
struct locks {
	char *paths[4];
	size_t count;
};

static void
find_locks(struct gitrepo *g, struct locks *l)
{
	static const char *const names[] = {"index", "HEAD", "config"};
	git_reference *head = NULL;

	l->count = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		l->paths[l->count++] =
			xasprintf("%s%s.lock", git_repository_path(g->repo), names[i]);
	if (git_reference_lookup(&head, g->repo, "HEAD") == 0 &&
		git_reference_symbolic_target(head) != NULL)
		l->paths[l->count++] = xasprintf("%s%s.lock", git_repository_path(g->repo),
			git_reference_symbolic_target(head));
	git_reference_free(head);
}

static void
free_locks(struct locks *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->paths[i]);
}

/* NULL: none is there. */
static const char *
first_lock(const struct locks *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (file_exists(l->paths[i]))
			return l->paths[i];
	return NULL;
}

int
gitrepo_check_unlocked(struct gitrepo *g, struct error *err)
{
	static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	struct locks locks;
	const char *found;
	int rc = 0;

	find_locks(g, &locks);
	/* "git status" takes the index for a moment. */
	for (int i = 0; first_lock(&locks) != NULL && i < LOCK_WAIT_MS / LOCK_PAUSE_MS; i++)
		(void)nanosleep(&pause, NULL);
	found = first_lock(&locks);
	if (found != NULL)
		rc = error_set(err, ERROR_CONFIG,
			"%s: another git process works on the repository, or one was killed; if "
			"none "
			"runs, remove this file",
			found);
	free_locks(&locks);
	return rc;
}

void
gitrepo_unlock(struct gitrepo *g)
{
	struct locks locks;

	find_locks(g, &locks);
	for (size_t i = 0; i < locks.count; i++)
		(void)unlink(locks.paths[i]);
	free_locks(&locks);
}

/* --- commit -------------------------------------------------------------------------------------
 */

/* Puts a file's bytes into the object database, past all filters. */
static int
add_blob(struct gitrepo *g, const char *path, git_oid *out, struct error *err)
{
	enum { PIECE = 256 * 1024 };
	git_odb_stream *stream = NULL;
	git_odb *odb = NULL;
	char *piece = xcalloc(1, PIECE);
	int64_t left;
	struct stat st;
	int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s", path);
		goto out;
	}
	if (git_repository_odb(&odb, g->repo) < 0 ||
		git_odb_open_wstream(&stream, odb, (git_object_size_t)st.st_size, GIT_OBJECT_BLOB) <
			0) {
		write_failed(g, err);
		goto out;
	}
	for (left = st.st_size; left > 0;) {
		ssize_t n = read(fd, piece, left < PIECE ? (size_t)left : PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				error_set(err, ERROR_TEMP, "%s: changed while it was read", path);
			else
				error_set_errno(err, ERROR_TEMP, "%s", path);
			goto out;
		}
		if (git_odb_stream_write(stream, piece, (size_t)n) < 0) {
			write_failed(g, err);
			goto out;
		}
		left -= n;
	}
	rc = git_odb_stream_finalize_write(out, stream);
	if (rc < 0)
		write_failed(g, err);
out:
	git_odb_stream_free(stream);
	git_odb_free(odb);
	if (fd >= 0)
		(void)close(fd);
	free(piece);
	return rc;
}

/* One commit on its way. */
struct commit {
	struct gitrepo *g;
	git_index *index;
	git_tree *head; /* NULL: no commit yet */
	/* What went in last, and from which inode: the copy of a file under another name need not
	 * be read again. */
	struct {
		dev_t dev;
		ino_t ino;
		git_oid oid;
	} seen[256];
	size_t seen_count;
};

static bool
find_seen(const struct commit *c, const struct stat *st, git_oid *out)
{
	for (size_t i = 0; i < c->seen_count; i++) {
		if (c->seen[i].dev == st->st_dev && c->seen[i].ino == st->st_ino) {
			*out = c->seen[i].oid;
			return true;
		}
	}
	return false;
}

/* Whether the index knows this very file: same size and times, so the same contents, as git itself
 * takes it. */
static bool
find_indexed(const struct commit *c, const char *path, const struct stat *st, git_oid *out)
{
	const git_index_entry *e = git_index_get_bypath(c->index, path, 0);

	/* A change within the second of the last look could go unseen. */
	if (e == NULL || e->mtime.seconds != (int32_t)st->st_mtim.tv_sec ||
		e->mtime.nanoseconds != (uint32_t)st->st_mtim.tv_nsec ||
		e->ctime.seconds != (int32_t)st->st_ctim.tv_sec ||
		e->ctime.nanoseconds != (uint32_t)st->st_ctim.tv_nsec ||
		e->file_size != (uint32_t)st->st_size || e->ino != (uint32_t)st->st_ino)
		return false;
	*out = e->id;
	return true;
}

/* Adds one file to the index, stat data included, and its bytes to the database. */
static int
stage_file(struct commit *c, const char *path, struct error *err)
{
	char *full = xasprintf("%s/%s", c->g->path, path);
	git_index_entry e = {0};
	struct stat st;
	int rc = -1;

	if (lstat(full, &st) < 0) {
		error_set_errno(err, ERROR_TEMP, "%s", full);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", full);
		goto out;
	}
	if (!find_seen(c, &st, &e.id) && !find_indexed(c, path, &st, &e.id) &&
		add_blob(c->g, full, &e.id, err) < 0)
		goto out;
	if (c->seen_count < ARRAY_LEN(c->seen)) {
		c->seen[c->seen_count].dev = st.st_dev;
		c->seen[c->seen_count].ino = st.st_ino;
		c->seen[c->seen_count++].oid = e.id;
	}
	e.path = path;
	e.mode = GIT_FILEMODE_BLOB;
	e.ctime.seconds = (int32_t)st.st_ctim.tv_sec;
	e.ctime.nanoseconds = (uint32_t)st.st_ctim.tv_nsec;
	e.mtime.seconds = (int32_t)st.st_mtim.tv_sec;
	e.mtime.nanoseconds = (uint32_t)st.st_mtim.tv_nsec;
	e.dev = (uint32_t)st.st_dev;
	e.ino = (uint32_t)st.st_ino;
	e.uid = st.st_uid;
	e.gid = st.st_gid;
	e.file_size = (uint32_t)st.st_size;
	if (git_index_add(c->index, &e) < 0) {
		write_failed(c->g, err);
		goto out;
	}
	rc = 0;
out:
	free(full);
	return rc;
}

/* What is gone from the directory goes from the index. */
static int
unstage_missing(struct commit *c, const char *dir, struct error *err)
{
	char *prefix = xasprintf("%s/", dir);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < git_index_entrycount(c->index);) {
		const git_index_entry *e = git_index_get_byindex(c->index, i);
		bool gone = false;

		if (str_starts(e->path, prefix)) {
			char *file = xasprintf("%s/%s", c->g->path, e->path);

			gone = access(file, F_OK) < 0;
			free(file);
		}
		if (!gone)
			i++;
		else if (git_index_remove(c->index, e->path, 0) < 0)
			rc = write_failed(c->g, err);
	}
	free(prefix);
	return rc;
}

/* Adds the directory's files to the index, and those of directories in it. */
static int
stage_files(struct commit *c, const char *dir, int depth, struct error *err)
{
	char *full = xasprintf("%s/%s", c->g->path, dir);
	struct dirent **names = NULL;
	/* Sorted, so that the object database is written in the same order every time. */
	int count = scandir(full, &names, NULL, alphasort), rc = 0;

	if (count < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s", full);
	for (int i = 0; i < count; i++) {
		if (rc == 0 && names[i]->d_name[0] != '.') {
			char *path = xasprintf("%s/%s", dir, names[i]->d_name);
			char *file = xasprintf("%s/%s", c->g->path, path);
			struct stat st;

			if (depth < DEPTH_MAX && lstat(file, &st) == 0 && S_ISDIR(st.st_mode))
				rc = stage_files(c, path, depth + 1, err);
			else
				rc = stage_file(c, path, err);
			free(file);
			free(path);
		}
		free(names[i]);
	}
	free(names);
	free(full);
	return rc;
}

/* Makes the index hold exactly the directory's files. */
static int
stage_dir(struct commit *c, const char *dir, struct error *err)
{
	if (unstage_missing(c, dir, err) < 0)
		return -1;
	return stage_files(c, dir, 1, err);
}

/* The tree of what the index has below prefix, which ends in a slash; *count says of how much. The
 * index is sorted, so what is below one directory stands together. *at: where to begin, and then
 * what comes next. */
static int
make_subtree(struct commit *c, const char *prefix, size_t *at, git_oid *out, size_t *count)
{
	git_treebuilder *builder = NULL;
	size_t prefix_len = strlen(prefix), below;
	git_oid oid;
	int rc = git_treebuilder_new(&builder, c->g->repo, NULL);

	*count = 0;
	while (rc >= 0 && *at < git_index_entrycount(c->index)) {
		const git_index_entry *e = git_index_get_byindex(c->index, *at);
		const char *name, *slash;
		char *dir;

		if (!str_starts(e->path, prefix))
			break;
		name = e->path + prefix_len;
		slash = strchr(name, '/');
		if (slash == NULL) {
			rc = git_treebuilder_insert(NULL, builder, name, &e->id, GIT_FILEMODE_BLOB);
			++*at;
			continue;
		}
		dir = xstrndup(e->path, (size_t)(slash - e->path) + 1);
		rc = make_subtree(c, dir, at, &oid, &below);
		dir[strlen(dir) - 1] = '\0';
		if (rc >= 0)
			rc = git_treebuilder_insert(
				NULL, builder, dir + prefix_len, &oid, GIT_FILEMODE_TREE);
		free(dir);
	}
	if (rc >= 0)
		*count = git_treebuilder_entrycount(builder);
	if (*count > 0)
		rc = git_treebuilder_write(out, builder);
	git_treebuilder_free(builder);
	return rc;
}

/* HEAD's tree with our paths as the index has them. Paths of others keep HEAD's state: what
 * somebody has staged stays staged. */
static int
make_tree(struct commit *c, const struct git_paths *paths, git_oid *out, struct error *err)
{
	git_treebuilder *top = NULL;
	git_oid oid;
	int rc = -1;

	if (git_treebuilder_new(&top, c->g->repo, c->head) < 0)
		goto failed;
	for (size_t d = 0; d < paths->dir_count; d++) {
		char *prefix = xasprintf("%s/", paths->dirs[d]);
		size_t at = 0, count = 0;
		bool made;

		(void)git_index_find_prefix(&at, c->index, prefix);
		made = make_subtree(c, prefix, &at, &oid, &count) >= 0;
		free(prefix);
		if (!made)
			goto failed;
		if (count > 0) {
			if (git_treebuilder_insert(
				    NULL, top, paths->dirs[d], &oid, GIT_FILEMODE_TREE) < 0)
				goto failed;
			/* Git knows no empty directories. */
		} else if (git_treebuilder_get(top, paths->dirs[d]) != NULL &&
			git_treebuilder_remove(top, paths->dirs[d]) < 0)
			goto failed;
	}
	for (size_t i = 0; i < paths->file_count; i++) {
		const git_index_entry *e = git_index_get_bypath(c->index, paths->files[i], 0);

		if (e == NULL ||
			git_treebuilder_insert(
				NULL, top, paths->files[i], &e->id, GIT_FILEMODE_BLOB) < 0)
			goto failed;
	}
	if (git_treebuilder_write(out, top) < 0)
		goto failed;
	rc = 0;
	goto out;
failed:
	write_failed(c->g, err);
out:
	git_treebuilder_free(top);
	return rc;
}

/* The commit that HEAD names: 1, 0 there is none yet, -1 error. */
static int
head_commit(struct gitrepo *g, git_commit **out, struct error *err)
{
	git_oid oid;
	int rc = git_reference_name_to_id(&oid, g->repo, "HEAD");

	*out = NULL;
	if (rc == GIT_ENOTFOUND)
		return 0;
	if (rc < 0 || git_commit_lookup(out, g->repo, &oid) < 0)
		return git_failed(err, ERROR_CONFIG, g->path);
	return 1;
}

/* Whether both trees have the same there, or neither has anything. */
static bool
same_entry(const git_tree *a, const git_tree *b, const char *name)
{
	const git_tree_entry *x = git_tree_entry_byname(a, name),
			     *y = git_tree_entry_byname(b, name);

	if (x == NULL || y == NULL)
		return x == y;
	return git_oid_equal(git_tree_entry_id(x), git_tree_entry_id(y));
}

int
gitrepo_same_paths(
	struct gitrepo *g, const char *commit, const struct git_paths *paths, struct error *err)
{
	git_commit *head = NULL, *other = NULL;
	git_tree *head_tree = NULL, *other_tree = NULL;
	git_oid oid;
	int rc = head_commit(g, &head, err);

	if (rc <= 0)
		goto out;
	rc = 0;
	if (git_oid_fromstr(&oid, commit) < 0 || git_commit_lookup(&other, g->repo, &oid) < 0)
		goto out;
	if (git_commit_tree(&head_tree, head) < 0 || git_commit_tree(&other_tree, other) < 0) {
		rc = git_failed(err, ERROR_CONFIG, g->path);
		goto out;
	}
	rc = 1;
	for (size_t i = 0; i < paths->dir_count; i++)
		rc = rc && same_entry(head_tree, other_tree, paths->dirs[i]);
	for (size_t i = 0; i < paths->file_count; i++)
		rc = rc && same_entry(head_tree, other_tree, paths->files[i]);
out:
	git_tree_free(other_tree);
	git_tree_free(head_tree);
	git_commit_free(other);
	git_commit_free(head);
	return rc;
}

/* Moves the branch that HEAD names to a commit made above its tip. */
static int
move_branch(struct commit *c, const git_commit *parent, const git_oid *to)
{
	git_reference *head = NULL, *branch = NULL;
	int rc = git_reference_lookup(&head, c->g->repo, "HEAD");
	const char *name;

	if (rc < 0)
		return rc;
	name = git_reference_symbolic_target(head);
	rc = git_reference_create_matching(&branch, c->g->repo, name, to, parent != NULL,
		parent != NULL ? git_commit_id(parent) : NULL, "commit: preload25");
	git_reference_free(branch);
	git_reference_free(head);
	return rc;
}

/* As git_commit_create(), with a signature that git verifies. */
static int
create_signed(struct commit *c, const git_signature *by, const struct ssh_signer *signer,
	const char *message, const git_tree *tree, const git_commit *parent, git_oid *out,
	struct error *err)
{
	const git_commit *parents[1] = {parent};
	git_buf content = {0};
	struct buf signature;
	int rc = -1;

	buf_init(&signature, SIGNATURE_MAX);
	if (git_commit_create_buffer(&content, c->g->repo, by, by, "UTF-8", message, tree,
		    parent != NULL, parents) < 0) {
		write_failed(c->g, err);
		goto out;
	}
	if (ssh_sign(signer, "git", content.ptr, content.size, &signature, err) < 0)
		goto out;
	if (git_commit_create_with_signature(
		    out, c->g->repo, content.ptr, buf_str(&signature), NULL) < 0 ||
		move_branch(c, parent, out) < 0) {
		write_failed(c->g, err);
		goto out;
	}
	rc = 0;
out:
	buf_clear(&signature);
	git_buf_dispose(&content);
	return rc;
}

static int
create_commit(struct commit *c, const struct git_author *author, const char *message,
	const git_tree *tree, const git_commit *parent, git_oid *out, struct error *err)
{
	const git_commit *parents[1] = {parent};
	git_signature *by = NULL;
	int rc;

	if (git_signature_new(&by, author->name, author->mail, author->time_s, 0) < 0)
		return git_failed(err, ERROR_CONFIG, "author of the commit");
	if (author->signer != NULL) {
		rc = create_signed(c, by, author->signer, message, tree, parent, out, err);
	} else {
		rc = git_commit_create(out, c->g->repo, "HEAD", by, by, "UTF-8", message, tree,
			parent != NULL, parents);
		if (rc < 0)
			write_failed(c->g, err);
	}
	git_signature_free(by);
	return rc < 0 ? -1 : 0;
}

/* Objects of which a killed run has written a part. Git's own clearing up does not know the name. */
static void
remove_unfinished(const struct gitrepo *g)
{
	char *dir = xasprintf("%sobjects", git_repository_path(g->repo));

	remove_random(dir, "tmp_object_git2_");
	free(dir);
}

/* libgit2 leaves this to the system; an index that a power cut has emptied would look as if
 * somebody else had changed every file. */
static int
sync_index(const struct commit *c, struct error *err)
{
	if (file_sync(git_index_path(c->index), err) < 0)
		return -1;
	return file_sync_dir(git_repository_path(c->g->repo), err);
}

int
gitrepo_commit(struct gitrepo *g, const struct git_paths *paths, const char *message,
	const struct git_author *author, char id[static GIT_COMMIT_SIZE], struct error *err)
{
	struct commit *c = xcalloc(1, sizeof(*c));
	git_commit *parent = NULL;
	git_tree *tree = NULL;
	git_oid tree_id, commit_id;
	int rc = -1, have_parent;

	c->g = g;
	remove_unfinished(g);
	have_parent = head_commit(g, &parent, err);
	if (have_parent < 0)
		goto out;
	if ((have_parent && git_commit_tree(&c->head, parent) < 0) ||
		git_repository_index(&c->index, g->repo) < 0 ||
		git_index_read(c->index, true) < 0) {
		write_failed(g, err);
		goto out;
	}
	for (size_t i = 0; i < paths->dir_count; i++)
		if (stage_dir(c, paths->dirs[i], err) < 0)
			goto out;
	for (size_t i = 0; i < paths->file_count; i++)
		if (stage_file(c, paths->files[i], err) < 0)
			goto out;
	if (make_tree(c, paths, &tree_id, err) < 0)
		goto out;
	if (c->head != NULL && git_oid_equal(&tree_id, git_tree_id(c->head))) {
		commit_id = *git_commit_id(parent);
	} else if (git_tree_lookup(&tree, g->repo, &tree_id) < 0) {
		write_failed(g, err);
		goto out;
	} else if (create_commit(c, author, message, tree, parent, &commit_id, err) < 0) {
		goto out;
	}
	if (git_index_write(c->index) < 0) {
		write_failed(g, err);
		goto out;
	}
	if (sync_index(c, err) < 0)
		goto out;
	(void)git_oid_tostr(id, GIT_COMMIT_SIZE, &commit_id);
	rc = 0;
out:
	git_tree_free(tree);
	git_tree_free(c->head);
	git_commit_free(parent);
	git_index_free(c->index);
	free(c);
	return rc;
}

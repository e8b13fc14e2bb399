#include "updater/source_errand.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "updater/fetch_file.h"

#define DIR_MODE 0755
/* The name of the trust anchor inside. */
#define ANCHOR "trust-anchor"
/* Octets of a file of CA certificates. */
#define CA_MAX ((size_t)16 * 1024 * 1024)

/* Folders on this machine that are mirrors. They may lie below others that are closed to whom the
 * process becomes. One that is missing stands as closed in the list. */
static void
open_trees(struct source_errand *e)
{
	const struct source *s = e->outside;

	e->trees = xcalloc(s->url_count + 1, sizeof(*e->trees));
	e->tree_fds = xcalloc(s->url_count + 1, sizeof(*e->tree_fds));
	if (s->mirror != NULL) {
		e->trees[0] = *s->mirror;
		e->trees[0].path = xstrdup(s->mirror->path);
		e->trees[0].fd = s->mirror->fd < 0 ? -1 : fcntl(s->mirror->fd, F_DUPFD_CLOEXEC, 0);
		e->tree_fds[e->tree_count++] = e->trees[0].fd;
		return;
	}
	for (size_t i = 0; i < s->url_count; i++) {
		char *path = fetch_file_is_url(s->urls[i]) ? fetch_file_path(s->urls[i]) : NULL;
		int fd;

		if (path == NULL)
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		e->trees[e->tree_count] = (struct fetch_tree){.path = path, .fd = fd};
		e->tree_fds[e->tree_count++] = fd;
	}
}

/* What cannot be read here is asked for, and complained of, inside. */
static void
read_ca(struct source_errand *e)
{
	struct error ignored = {0};
	const char *path = e->fetch.ca_file;

	buf_init(&e->ca, CA_MAX);
	if (path != NULL && file_read_if_exists(path, &e->ca, &ignored) > 0)
		e->fetch.ca = &e->ca;
}

static int
link_lists(const struct source_errand *e, struct error *err)
{
	DIR *dir = opendir(e->outside->list_dir);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return error_set_errno(err, ERROR_TEMP, "%s", e->outside->list_dir);
	while (rc >= 0 && (entry = readdir(dir)) != NULL) {
		char *path;

		if (!source_is_list_name(entry->d_name))
			continue;
		path = xasprintf("%s/%s", e->outside->list_dir, entry->d_name);
		rc = workdir_link(e->dir, path, entry->d_name, err);
		free(path);
	}
	(void)closedir(dir);
	return rc < 0 ? -1 : 0;
}

static int
copy_metadata(const struct source_errand *e, enum source_meta i, struct error *err)
{
	const struct source_meta_file *file = &source_meta_files[i];
	char *path = source_errand_trusted(e, i);
	struct error why = {0};
	int rc = workdir_put(e->dir, path, WORKDIR_KNOWN, file->name, tuf_role_max(file->role), &why);

	free(path);
	if (rc >= 0)
		return 0;
	/* Too large to be one of ours: as none. */
	if (i >= SOURCE_META_TIMESTAMP && why.kind == ERROR_INPUT) {
		log_info("%s: not used", why.text);
		return 0;
	}
	*err = why;
	return -1;
}

static int
fill(struct source_errand *e, const struct confine_user *user, struct error *err)
{
	const char *root = e->outside->root;
	char *path;
	int rc = 0;

	for (int i = 0; rc == 0 && i < SOURCE_METAS; i++)
		rc = copy_metadata(e, (enum source_meta)i, err);
	if (rc < 0 || link_lists(e, err) < 0)
		return -1;
	rc = workdir_put(e->dir, root, WORKDIR_TOP, ANCHOR, TUF_ROOT_MAX, err);
	if (rc == 0) {
		errno = ENOENT;
		rc = error_set_errno(err, ERROR_CONFIG, "%s", root);
	}
	if (rc < 0)
		return -1;
	path = workdir_path(e->dir, WORKDIR_TOP, ANCHOR);
	rc = tuf_file_of_path(path, &e->anchor, err);
	free(path);
	return rc < 0 ? -1 : workdir_give(e->dir, user, err);
}

int
source_errand_open(struct source_errand *e, const struct source *s, const struct source_here *here,
	bool keep_roots, const struct confine_user *user, struct error *err)
{
	char *path;
	int rc;

	*e = (struct source_errand){.outside = s, .inside = *s, .here = *here, .fetch = *s->fetch};
	open_trees(e);
	read_ca(e);
	e->fetch.trees = e->trees;
	e->fetch.tree_count = e->tree_count;
	e->inside.fetch = &e->fetch;
	e->inside.root = ANCHOR;
	e->inside.list_dir = WORKDIR_FETCHED_NAME;
	e->inside.metadata_dir = WORKDIR_METADATA_NAME;
	e->inside.known_dir = WORKDIR_KNOWN_NAME;
	e->inside.keep_roots = s->keep_roots || keep_roots;
	e->here.dir = ".";
	if (file_mkdirs(s->metadata_dir, DIR_MODE, err) < 0)
		return -1;
	file_remove_stale_in(s->metadata_dir);
	path = xasprintf("%s/work", s->list_dir);
	rc = workdir_open(path, &e->dir, err);
	free(path);
	return rc < 0 ? -1 : fill(e, user, err);
}

void
source_errand_close(struct source_errand *e)
{
	workdir_close(e->dir);
	for (size_t i = 0; i < e->tree_count; i++) {
		if (e->trees[i].fd >= 0)
			(void)close(e->trees[i].fd);
		free((char *)(uintptr_t)e->trees[i].path);
	}
	free(e->trees);
	free(e->tree_fds);
	buf_clear(&e->ca);
	memset(e, 0, sizeof(*e));
}

/* --- behind the process -------------------------------------------------------------------------
 */

char *
source_errand_trusted(const struct source_errand *e, enum source_meta i)
{
	return xasprintf("%s/%s", e->outside->metadata_dir, source_meta_files[i].name);
}

bool
source_errand_is_new(const struct source_errand *e, enum source_meta i, const struct tuf_file *said)
{
	char *path = source_errand_trusted(e, i);
	struct error ignored = {0};
	bool new = said->length >= 0 && tuf_check_path(said, path, &ignored) < 0;

	free(path);
	return new;
}

/* What was trusted before was not written anew. */
enum workdir_part
source_errand_part(const struct source_errand *e, enum source_meta i, const struct tuf_file *said,
	const char **name)
{
	char *path;
	struct error ignored = {0};
	bool known;

	*name = i == SOURCE_META_ANCHOR ? ANCHOR : source_meta_files[i].name;
	if (i == SOURCE_META_ANCHOR)
		return WORKDIR_TOP;
	path = workdir_path(e->dir, WORKDIR_KNOWN, *name);
	known = tuf_check_path(said, path, &ignored) == 0;
	free(path);
	return known ? WORKDIR_KNOWN : WORKDIR_METADATA;
}

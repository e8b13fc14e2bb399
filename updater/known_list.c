#include "updater/known_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/xalloc.h"
#include "export/list_reader.h"
#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/list_fetch.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/tuf_known.h"

/* The job keeps three. */
#define LISTS_MAX 16

struct known_list {
	char *dir;            /* owned */
	bool by_metadata;     /* else it is the only one */
	struct tuf_known tuf; /* owned */
	char *names[LISTS_MAX]; /* owned */
	int fds[LISTS_MAX];   /* owned */
	size_t count;
};

static int
none(struct error *err)
{
	error_set(err, ERROR_CONFIG,
		"there is no list here yet: \"preload25-update --dry-run\" fetches it without "
		"installing it");
	return 1;
}

/* 1; 0 it is not there; -1. */
static int
open_list(struct known_list *k, const char *name, struct error *err)
{
	char *path = xasprintf("%s/%s", k->dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 1;

	if (fd < 0) {
		rc = errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", path);
	} else {
		k->names[k->count] = xstrdup(name);
		k->fds[k->count++] = fd;
	}
	free(path);
	return rc;
}

/* All that are here, for the metadata to choose from. */
static int
open_all(struct known_list *k, struct error *err)
{
	DIR *dir = opendir(k->dir);
	const struct dirent *e;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", k->dir);
	while (rc >= 0 && k->count < LISTS_MAX && (e = readdir(dir)) != NULL)
		if (source_is_list_name(e->d_name))
			rc = open_list(k, e->d_name, err);
	(void)closedir(dir);
	return rc < 0 ? -1 : k->count > 0;
}

static int
open_counted(struct known_list *k, const char *sha256, struct error *err)
{
	char *name = source_list_name(sha256);
	int rc = open_list(k, name, err);

	free(name);
	return rc;
}

static int
open_fetched(struct known_list *k, const struct update_settings *s, struct error *err)
{
	char *metadata = job_metadata_dir(s, 0);
	int rc = tuf_known_read(metadata, &k->tuf, err);

	free(metadata);
	k->by_metadata = true;
	return rc > 0 ? open_all(k, err) : rc;
}

int
known_list_open(const struct update_settings *s, struct known_list **out, struct error *err)
{
	struct known_list *k;
	struct state state;
	int rc;

	*out = NULL;
	if (job_load_state(s, &state, err) < 0)
		return -1;
	k = xcalloc(1, sizeof(*k));
	k->dir = xstrdup(s->state_dir);
	rc = state.sources[0].list.sha256[0] != '\0' ? open_counted(k, state.sources[0].list.sha256, err)
					  : open_fetched(k, s, err);
	state_clear(&state);
	if (rc > 0) {
		*out = k;
		return 0;
	}
	known_list_close(k);
	return rc < 0 ? -1 : none(err);
}

void
known_list_close(struct known_list *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++) {
		(void)close(k->fds[i]);
		free(k->names[i]);
	}
	tuf_known_clear(&k->tuf);
	free(k->dir);
	free(k);
}

const int *
known_list_fds(const struct known_list *k, size_t *count)
{
	*count = k->count;
	return k->fds;
}

/* Index of the announced one; the count: it is not here. */
static size_t
choose(const struct known_list *k)
{
	struct error ignored = {0};
	struct tuf_file said;
	size_t i = 0;
	char *name;

	if (!k->by_metadata)
		return 0;
	if (tuf_known_target(&k->tuf, LIST_TARGET, &said, &ignored) <= 0)
		return k->count;
	name = source_list_name(said.sha256);
	while (i < k->count && strcmp(k->names[i], name) != 0)
		i++;
	free(name);
	return i;
}

int
known_list_reader(const struct known_list *k, struct list_reader **out, struct error *err)
{
	size_t i = choose(k);
	char *path;
	int rc;

	*out = NULL;
	if (i == k->count)
		return none(err);
	path = xasprintf("%s/%s", k->dir, k->names[i]);
	rc = list_reader_open_fd(k->fds[i], path, out, err);
	free(path);
	return rc;
}

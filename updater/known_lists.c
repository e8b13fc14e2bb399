#include "updater/known_lists.h"

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
#include "updater/overlay.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/tuf_known.h"

/* Of the lists that metadata choose from so many are looked at: the job keeps few. */
#define LISTS_MAX 64

struct known_lists {
	const struct update_settings *s; /* lent */
	char *dir;                       /* owned */
	struct known_source {
		char sha256[65];      /* of the list that counts; "": see below */
		struct tuf_known tuf; /* owned; announces one, perhaps */
	} sources[SOURCES_MAX];
	char *names[LISTS_MAX]; /* owned */
	int fds[LISTS_MAX];     /* owned */
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

/* The count: it is not open. */
static size_t
find(const struct known_lists *k, const char *name)
{
	size_t i = 0;

	while (i < k->count && strcmp(k->names[i], name) != 0)
		i++;
	return i;
}

/* What is not there is no error. */
static int
open_list(struct known_lists *k, const char *name, struct error *err)
{
	char *path;
	int fd, rc = 0;

	if (k->count == LISTS_MAX || find(k, name) < k->count)
		return 0;
	path = xasprintf("%s/%s", k->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0) {
		k->names[k->count] = xstrdup(name);
		k->fds[k->count++] = fd;
	} else if (errno != ENOENT) {
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	}
	free(path);
	return rc;
}

/* All that are here, for the metadata to choose from. */
static int
open_all(struct known_lists *k, struct error *err)
{
	DIR *dir = opendir(k->dir);
	const struct dirent *e;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", k->dir);
	while (rc == 0 && (e = readdir(dir)) != NULL)
		if (source_is_list_name(e->d_name))
			rc = open_list(k, e->d_name, err);
	(void)closedir(dir);
	return rc;
}

static int
open_counted(struct known_lists *k, size_t i, struct error *err)
{
	char *name = source_list_name(k->sources[i].sha256);
	int rc = open_list(k, name, err);

	free(name);
	return rc;
}

/* 1 the metadata choose; 0 there are none; -1. */
static int
read_metadata(struct known_lists *k, size_t i, struct error *err)
{
	char *metadata = job_metadata_dir(k->s, i);
	int rc = tuf_known_read(metadata, TUF_ROLE_TARGETS, &k->sources[i].tuf, err);

	free(metadata);
	return rc;
}

static int
open_lists(struct known_lists *k, struct error *err)
{
	bool choose = false;

	for (size_t i = 0; i < k->s->source_count; i++) {
		int rc = k->sources[i].sha256[0] != '\0' ? open_counted(k, i, err)
							 : read_metadata(k, i, err);

		if (rc < 0)
			return -1;
		choose = choose || rc > 0;
	}
	return choose ? open_all(k, err) : 0;
}

int
known_lists_open(const struct update_settings *s, struct known_lists **out, struct error *err)
{
	struct known_lists *k;
	struct state state;
	int rc;

	*out = NULL;
	if (job_load_state(s, &state, err) < 0)
		return -1;
	k = xcalloc(1, sizeof(*k));
	k->s = s;
	k->dir = xstrdup(s->state_dir);
	for (size_t i = 0; i < s->source_count; i++)
		memcpy(k->sources[i].sha256, state.sources[i].list.sha256, sizeof(k->sources[i].sha256));
	state_clear(&state);
	rc = open_lists(k, err);
	if (rc == 0 && k->count > 0) {
		*out = k;
		return 0;
	}
	known_lists_close(k);
	return rc < 0 ? -1 : none(err);
}

void
known_lists_close(struct known_lists *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++) {
		(void)close(k->fds[i]);
		free(k->names[i]);
	}
	for (size_t i = 0; i < SOURCES_MAX; i++)
		tuf_known_clear(&k->sources[i].tuf);
	free(k->dir);
	free(k);
}

const int *
known_lists_fds(const struct known_lists *k, size_t *count)
{
	*count = k->count;
	return k->fds;
}

/* Index of a source's list; the count: it has none here. */
static size_t
choose(const struct known_lists *k, size_t i)
{
	const struct known_source *source = &k->sources[i];
	struct error ignored = {0};
	struct tuf_file said;
	char *name;
	size_t found;

	if (source->sha256[0] == '\0' && (source->tuf.dir == NULL ||
		tuf_known_target(&source->tuf, LIST_TARGET, &said, &ignored) <= 0))
		return k->count;
	name = source_list_name(source->sha256[0] != '\0' ? source->sha256 : said.sha256);
	found = find(k, name);
	free(name);
	return found;
}

int
known_lists_read(const struct known_lists *k, struct overlay_list lists[static SOURCES_MAX],
	size_t from[static SOURCES_MAX], size_t *count, struct error *err)
{
	memset(lists, 0, SOURCES_MAX * sizeof(*lists));
	*count = 0;
	for (size_t i = 0; i < k->s->source_count; i++) {
		const struct source_settings *s = &k->s->sources[i];
		size_t file = choose(k, i);
		struct overlay_list *l = &lists[*count];
		char *path;
		int rc;

		if (file == k->count)
			continue;
		path = xasprintf("%s/%s", k->dir, k->names[file]);
		rc = list_reader_open_fd(k->fds[file], path, &l->list, err);
		free(path);
		if (rc < 0)
			return -1;
		l->trust = s->trust;
		l->domains = s->domains;
		l->domain_count = s->domain_count;
		from[(*count)++] = i;
	}
	return *count > 0 ? 0 : none(err);
}

#include "builder/deltas.h"

#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/repository.h"

#define SUFFIX     ".json.zst"
#define STATE_NAME "next-delta-"

/* "delta/41-42.json.zst": whether it leads to this version, and from which. */
static bool
leads_to(const char *name, int64_t to, int64_t *from)
{
	const char *start = name + strlen(REPOSITORY_DELTAS "/"), *dash;
	uint64_t a, b;

	if (!str_starts(name, REPOSITORY_DELTAS "/") || !str_ends(name, SUFFIX) ||
		(dash = strchr(start, '-')) == NULL ||
		str_parse_u64(start, (size_t)(dash - start), INT64_MAX, &a) < 0 ||
		str_parse_u64(dash + 1, strlen(dash + 1) - strlen(SUFFIX), INT64_MAX, &b) < 0)
		return false;
	*from = (int64_t)a;
	return (int64_t)b == to && *from < to;
}

static int
newest_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

/* The versions that published deltas lead from, to this one; the newest come first. */
static size_t
find_older(const struct repository *repository, int64_t to, int64_t out[static DELTAS_MAX])
{
	int64_t found[DELTAS_MAX * 2]; /* more were never published */
	const char *name;
	size_t n = 0;

	for (size_t i = 0; n < ARRAY_LEN(found) && repository_nth_target(repository, i, &name); i++)
		if (leads_to(name, to, &found[n]))
			n++;
	qsort(found, n, sizeof(found[0]), newest_first);
	if (n > DELTAS_MAX)
		n = DELTAS_MAX;
	memcpy(out, found, n * sizeof(found[0]));
	return n;
}

static char *
target_name(int64_t from, int64_t to)
{
	return xasprintf(REPOSITORY_DELTAS "/%" PRId64 "-%" PRId64 SUFFIX, from, to);
}

static char *
state_path(const struct repository *repository, int64_t from)
{
	char *name = xasprintf(STATE_NAME "%" PRId64 SUFFIX, from);
	char *path = repository_state_path(repository, name);

	free(name);
	return path;
}

/* What a killed run has left. */
static void
remove_stale(const struct repository *repository)
{
	static const char *const names[] = {STATE_NAME "*", "." STATE_NAME "*"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *pattern = repository_state_path(repository, names[i]);
		glob_t found;

		if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
			for (size_t k = 0; k < found.gl_pathc; k++)
				(void)unlink(found.gl_pathv[k]);
			globfree(&found);
		}
		free(pattern);
	}
}

/* Keeps a delta that was made, unless nobody would take it. Takes the path over. */
static void
keep(struct deltas *out, int64_t from, int64_t to, char *path, int64_t whole)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_size <= whole || st.st_size <= DELTAS_SMALL)) {
		out->items[out->count].name = target_name(from, to);
		out->items[out->count++].path = path;
		return;
	}
	log_info("no delta from list %" PRId64 ": it would be larger than the list", from);
	(void)unlink(path);
	free(path);
}

/* One from an earlier list: what was published to lead to `between`, and the step from there. */
static int
join(struct repository *repository, int64_t from, int64_t between, const char *step,
	const char *path, struct error *err)
{
	char *name = target_name(from, between), *published = NULL;
	int rc = repository_target_path(repository, name, &published) > 0
		? delta_join(published, step, path, err)
		: error_set(err, ERROR_CONFIG, "not there any more");

	if (rc < 0)
		error_prefix(err, "%s", name);
	free(name);
	free(published);
	return rc;
}

int
deltas_make(struct repository *repository, int64_t from, const char *next, int64_t to,
	int64_t whole, struct deltas *out, struct error *err)
{
	char *list = NULL, *step = state_path(repository, from);
	int64_t older[DELTAS_MAX];
	size_t count;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	remove_stale(repository);
	if (repository_target_path(repository, "list.json", &list) == 0) {
		rc = 0; /* the first publication */
		goto out;
	}
	if (delta_make(list, next, step, err) < 0)
		goto out;
	count = find_older(repository, from, older);
	for (size_t i = 0; i < count && i + 1 < DELTAS_MAX; i++) {
		char *path = state_path(repository, older[i]);

		if (join(repository, older[i], from, step, path, err) == 0) {
			keep(out, older[i], to, path, whole);
			continue;
		}
		free(path);
		/* Clients from there take the whole list; what is published now must not fail for
		 * what was published then. */
		if (err->kind == ERROR_TEMP)
			goto out;
		log_warning("left out: %s", err->text);
	}
	keep(out, from, to, step, whole);
	step = NULL;
	rc = 0;
out:
	if (step != NULL)
		(void)unlink(step);
	free(list);
	free(step);
	return rc;
}

void
deltas_clear(struct deltas *d)
{
	for (size_t i = 0; i < d->count; i++) {
		(void)unlink(d->items[i].path);
		free(d->items[i].name);
		free(d->items[i].path);
	}
	d->count = 0;
}

#include "updater/source.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/list_fetch.h"
#include "updater/state.h"
#include "updater/tuf_client.h"

/* A list from so far in the future is told: clocks differ by seconds. */
#define CLOCK_BEHIND_S INT64_C(3600)

/* --- the lists here -----------------------------------------------------------------------------
 */

#define LIST_PREFIX "list-"
#define LIST_SUFFIX ".json"

char *
source_list_name(const char *sha256)
{
	return xasprintf(LIST_PREFIX "%s" LIST_SUFFIX, sha256);
}

char *
source_list_path(const char *list_dir, const char *sha256)
{
	return xasprintf("%s/" LIST_PREFIX "%s" LIST_SUFFIX, list_dir, sha256);
}

bool
source_is_list_name(const char *name)
{
	const size_t start = strlen(LIST_PREFIX);
	uint8_t octets[32];

	return str_starts(name, LIST_PREFIX) && str_ends(name, LIST_SUFFIX) &&
		strlen(name) == start + 64 + strlen(LIST_SUFFIX) &&
		str_unhex(name + start, 64, octets, sizeof(octets)) == 0;
}

int
source_list_intact(const char *path, const char *sha256, struct error *err)
{
	struct tuf_file seen;

	if (tuf_file_of_path(path, &seen, err) < 0)
		return -1;
	if (strcmp(seen.sha256, sha256) == 0)
		return 0;
	return error_set(err, ERROR_SECURITY, "%s: altered since it was verified", path);
}

static bool
is_one_of(const char *name, const char *const *keep, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(name + strlen(LIST_PREFIX), keep[i], 64) == 0)
			return true;
	return false;
}

void
source_remove_lists(const char *list_dir, const char *const *keep, size_t keep_count)
{
	DIR *dir = opendir(list_dir);
	const struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (str_starts(e->d_name, "." LIST_PREFIX) ||
			(source_is_list_name(e->d_name) && !is_one_of(e->d_name, keep, keep_count)))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	(void)closedir(dir);
}

int
source_check_list(const struct source_here *here, const struct list_header *h, const char *sha256,
	int64_t now_s, struct error *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (h->version < here->floor)
		return error_set(err, ERROR_SECURITY,
			"rollback: list %" PRId64 " is older than list %" PRId64, h->version,
			here->floor);
	if (h->version == here->floor && here->list->sha256[0] != '\0' &&
		strcmp(sha256, here->list->sha256) != 0)
		return error_set(err, ERROR_SECURITY,
			"another list than before has the version %" PRId64, h->version);
	if (h->expires_s <= now_s) {
		clock_format(h->expires_s, text);
		return error_set(
			err, ERROR_EXPIRED, "list %" PRId64 " has expired (%s)", h->version, text);
	}
	/* The list is signed: it is our clock that is wrong, and then entries seem to last longer
	 * than they do. The newest list is still the best there is. */
	if (h->timestamp_s - now_s > CLOCK_BEHIND_S) {
		clock_format(h->timestamp_s, text);
		log_warning("the clock of this machine is behind list %" PRId64 " (%s): set it, or "
			    "entries stay in force for too long",
			h->version, text);
	}
	return 0;
}

/* --- one mirror ---------------------------------------------------------------------------------
 */

/* Makes sure that the list that the repository announces is here. 1: it is another one than the one
 * that counts; 0: the same. */
static int
obtain(const struct source *s, const struct source_here *known, struct tuf_client *c,
	struct fetch *fetch, const char *base, struct tuf_file *said, struct error *err)
{
	struct error ignored = {0};
	struct list_here here;
	char *path, *said_here, *known_here;
	int rc = 1;

	if (tuf_client_target(c, LIST_TARGET, said) == 0)
		return error_set(err, ERROR_SECURITY, "the repository has no " LIST_TARGET);
	if (said->sha256[0] == '\0')
		return error_set(err, ERROR_SECURITY, LIST_TARGET ": announced without SHA-256");
	if (said->length > s->list_max)
		return error_set(err, ERROR_SECURITY,
			LIST_TARGET ": announced with %" PRId64 " bytes, more than list_max allows",
			said->length);
	if (strcmp(said->sha256, known->undone) == 0) {
		log_info("the newest list was undone here: waiting for another one (--allow-churn "
			 "takes it nevertheless)");
		return 0;
	}
	path = source_list_path(s->list_dir, said->sha256);
	said_here = source_list_path(known->dir, said->sha256);
	known_here = source_list_path(known->dir, known->list->sha256);
	here = (struct list_here){known->list->version, known_here, known->list->sha256};
	if (strcmp(said->sha256, known->list->sha256) == 0 && file_exists(said_here))
		rc = 0;
	else if (tuf_check_path(said, said_here, &ignored) < 0 &&
		list_fetch(c, fetch, base, said,
			here.sha256[0] != '\0' && file_exists(known_here) ? &here : NULL,
			s->mirror != NULL, path, err) < 0)
		rc = -1;
	free(known_here);
	free(said_here);
	free(path);
	return rc;
}

static int
ask_mirror(const struct source *s, const struct source_here *here, struct tuf_client *c,
	struct fetch *fetch, const char *url, struct tuf_file *said, struct error *err)
{
	size_t len = strlen(url);
	char *meta, *targets;
	int rc;

	while (len > 0 && url[len - 1] == '/')
		len--;
	meta = xasprintf("%.*s/metadata/", (int)len, url);
	targets = xasprintf("%.*s/targets/", (int)len, url);
	rc = tuf_client_refresh(c, fetch, meta, err);
	if (rc == 0)
		rc = obtain(s, here, c, fetch, targets, said, err);
	free(meta);
	free(targets);
	return rc;
}

/* --- all mirrors --------------------------------------------------------------------------------
 */

/* Fisher-Yates. Chance decides which mirror is asked first, no more: a weak one would do. */
static void
shuffle(size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		uint32_t r = 0;
		size_t k, swap;

		(void)!getrandom(&r, sizeof(r), 0);
		k = r % i;
		swap = order[i - 1];
		order[i - 1] = order[k];
		order[k] = swap;
	}
}

int
source_say_freeze(struct error *err)
{
	/* Somebody holds newer metadata back, or the clock is wrong. */
	err->kind = ERROR_SECURITY;
	return error_prefix(err, "freeze, or this clock is wrong");
}

int
source_say_unsound(struct error *err)
{
	if (err->kind != ERROR_INPUT)
		return -1;
	/* Nothing the administrator could mend. */
	err->kind = ERROR_SECURITY;
	return error_prefix(err, LIST_TARGET " is signed, but not sound");
}

int
source_gravity(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CONFIG:
	case ERROR_INPUT:
		return 4;
	case ERROR_SECURITY:
		return 3;
	case ERROR_EXPIRED:
		return 2;
	case ERROR_TEMP:
		return 1;
	case ERROR_NONE:
		break;
	}
	return 0;
}

/* Each mirror until one has it all. 1 a list to take, 0 nothing new, -1. */
static int
ask_mirrors(const struct source *s, const struct source_here *here, struct tuf_client *c,
	struct fetch *fetch, struct tuf_file *said, struct error *err)
{
	size_t *order = xcalloc(s->url_count, sizeof(*order));
	struct error worst = {0};
	int rc = -1;

	shuffle(order, s->url_count);
	for (size_t i = 0; rc < 0 && i < s->url_count; i++) {
		struct error why = {0};
		const char *url = s->urls[order[i]];

		rc = ask_mirror(s, here, c, fetch, url, said, &why);
		if (rc >= 0)
			break;
		log_info("%s: %s", url, why.text);
		if (source_gravity(why.kind) > source_gravity(worst.kind))
			worst = why;
	}
	free(order);
	if (rc < 0)
		*err = worst;
	else if (worst.kind == ERROR_SECURITY)
		log_warning("another mirror had to be asked: %s", worst.text);
	return rc;
}

int
source_anchor(const struct source *s, char sha256[static 65], struct error *err)
{
	struct tuf_file anchor;

	if (s->url_count == 0)
		return error_set(err, ERROR_CONFIG, "no [source] url is configured");
	if (s->root == NULL)
		return error_set(err, ERROR_CONFIG, "no [source] root is configured");
	if (tuf_file_of_path(s->root, &anchor, err) < 0)
		return error_prefix(err, "root");
	memcpy(sha256, anchor.sha256, sizeof(anchor.sha256));
	return 0;
}

static void
tell_trusted(const struct tuf_client *c, struct source_found *found)
{
	found->opened = true;
	found->root = tuf_client_version(c, TUF_ROLE_ROOT);
	found->snapshot = tuf_client_version(c, TUF_ROLE_SNAPSHOT);
	found->targets = tuf_client_version(c, TUF_ROLE_TARGETS);
	found->first_root = tuf_client_first_root(c);
	tuf_client_anchor(c, &found->anchor);
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		tuf_client_file(c, (enum tuf_role)role, &found->metadata[role]);
}

int
source_refresh(const struct source *s, const struct source_here *here, int64_t now_s,
	struct source_found *found, struct error *err)
{
	struct tuf_client *c = NULL;
	struct fetch *fetch = NULL;
	int rc = -1;

	memset(found, 0, sizeof(*found));
	if (tuf_client_open_beside(s->known_dir != NULL ? s->known_dir : s->metadata_dir, s->metadata_dir,
		    s->root, now_s, &c, err) == 0 &&
		fetch_new(s->fetch, &fetch, err) == 0) {
		if (s->keep_roots)
			tuf_client_keep_roots(c);
		rc = ask_mirrors(s, here, c, fetch, &found->list, err);
	}
	if (c != NULL)
		tell_trusted(c, found);
	fetch_free(fetch);
	tuf_client_free(c);
	return rc;
}

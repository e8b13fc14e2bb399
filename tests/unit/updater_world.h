/*
 * What a test of the cron job has around it: a repository that is published in a folder, and the settings
 * of one who takes its list, all below the temporary folder. Include after cmocka.
 */
#ifndef TESTS_UNIT_UPDATER_WORLD_H
#define TESTS_UNIT_UPDATER_WORLD_H

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "updater/map.h"
#include "updater/settings.h"

#include "updater_repo.h"

struct world {
	struct repo repo;
	struct update_settings settings;
	const char *mta; /* lent */
	/* NAME.conf and so on; owned. The state is in NAME.state, the repository in NAME. */
	char *conf, *list, *map, *root;
};

/* Writes the configuration anew and reads it; more begins in [install]. */
static UNUSED void
world_configure(struct world *w, const char *more)
{
	char *text = xasprintf("[source]\nurl = file:%s\nroot = %s\n[state]\ndir = %s.state\n"
			       "[install]\nmta = %s\npath = %s\n%s",
		w->repo.dir, w->root, w->repo.dir, w->mta, w->map, more);

	update_settings_clear(&w->settings);
	write_text(w->conf, text, strlen(text));
	OK(update_settings_load(w->conf, &w->settings, &ok_err));
	free(text);
}

/* Not configured yet. */
static UNUSED void
world_begin(struct world *w, const char *name, const char *mta)
{
	const char *ending = strcmp(mta, "postfix") == 0      ? ".cdb"
			     : strcmp(mta, "opensmtpd") == 0 ? ".db"
							     : "";

	memset(w, 0, sizeof(*w));
	repo_init(&w->repo, name);
	w->mta = mta;
	w->conf = xasprintf("%s.conf", w->repo.dir);
	w->list = xasprintf("%s.list", w->repo.dir);
	w->map = xasprintf("%s.map%s", w->repo.dir, ending);
	w->root = xasprintf("%s.root", w->repo.dir);
}

/* Configured for all that a list can be tested with; more (NULL: nothing) begins in [postfix]. */
static UNUSED void
world_init(struct world *w, const char *name, const char *mta, const char *more)
{
	char *text = xasprintf("dane = no\n[postfix]\nformat = plain\npostmap = %s/postmap\n%s",
		temp_dir, more != NULL ? more : "");

	world_begin(w, name, mta);
	world_configure(w, text);
	free(text);
}

static UNUSED void
world_clear(struct world *w)
{
	repo_clear(&w->repo);
	update_settings_clear(&w->settings);
	free(w->conf);
	free(w->list);
	free(w->map);
	free(w->root);
}

/* The first root that is published is the one that is trusted. */
static UNUSED void
world_publish(struct world *w, const struct list_spec *spec)
{
	write_list(w->list, spec);
	repo_publish(&w->repo, w->list);
	if (!file_exists(w->root))
		repo_copy_root(&w->repo, w->root);
}

/* Whether the map has the key, with that value (NULL: any). */
static UNUSED bool
world_maps(const struct world *w, const char *key, const char *want)
{
	struct error err = {0};
	struct buf value;
	bool found;
	int rc;

	buf_init(&value, 1 << 20);
	rc = map_find(w->settings.kind, w->map, key, &value, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	found = rc > 0 && (want == NULL || strcmp(buf_str(&value), want) == 0);
	buf_clear(&value);
	return found;
}

/* Stands in for Postfix's own tool: looks keys up by this program's reader. What is tested is that
 * it is asked, and believed; real postmap is asked in test_map. */
static UNUSED void
make_postmap(const char *text)
{
	char *path = in_temp("postmap");

	write_script(path, text);
	free(path);
}

static UNUSED const char texthash_postmap[] = "#!/bin/sh\n"
					      "[ \"$1\" = -q ] || exit 1\n"
					      "f=${3#texthash:}\n"
					      "grep \"^$2 \" \"$f\" | cut -d' ' -f2- | grep .\n";

#endif

#include "builder/command.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/authority_init.h"
#include "builder/settings.h"
#include "builder/store.h"
#include "common/attr.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

#define CONFIG_NAME     "preload25.conf"
/* Its name until all the rest is there: so a directory tells whether an init was cut short in it. */
#define UNFINISHED_NAME CONFIG_NAME ".unfinished"
#define CONFIG_MAX      ((size_t)256 * 1024)

/* What a new authority is set to; the sample of all keys follows, commented out. */
static const char own_settings[] =
	"# The configuration of a preload25 authority.\n"
	"# Paths are relative to the directory of this file. Sections may repeat.\n"
	"\n"
	"[authority]\n"
	"name = preload25 authority\n"
	"\n"
	"[store]\n"
	"url = sqlite:preload25.db\n"
	"\n"
	"[repository]\n"
	"path = repository\n"
	"root_key = file:keys/root.pem\n"
	"targets_key = file:keys/targets.pem\n"
	"snapshot_key = file:keys/snapshot.pem\n"
	"timestamp_key = file:keys/timestamp.pem\n"
	"minisign_key = file:keys/minisign.pem\n"
	"\n"
	"# --- every key, with its default ---------------------------------------------\n"
	"\n";

/* An absent directory is as good as an empty one, and so is one that an init was cut short in:
 * every step below finds and keeps what was made. */
static int
check_empty(const char *dir, const char *unfinished, struct error *err)
{
	DIR *d;
	const struct dirent *e;
	int rc = 0;

	if (file_exists(unfinished))
		return 0;
	d = opendir(dir);
	if (d == NULL) {
		if (errno == ENOENT)
			return 0;
		return error_set_errno(err, ERROR_CONFIG, "init: %s", dir);
	}
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = error_set(err, ERROR_CONFIG,
				"init: %s: is not empty (it holds %s): a new authority wants a "
				"directory of its own",
				dir, e->d_name);
	}
	(void)closedir(d);
	return rc;
}

static int
write_config(const char *path, struct error *err)
{
	struct buf text;
	int rc = -1;

	buf_init(&text, CONFIG_MAX);
	(void)buf_add_str(&text, own_settings);
	if (config_sample(settings_keys, settings_key_count, &text) < 0)
		abort(); /* a table of ours larger than its limit */
	rc = file_replace(path, buf_str(&text), text.len, 0644, err);
	buf_clear(&text);
	return rc;
}

/* What a killed init has left under names that none looks at; in the repository it is repository_create()
 * that looks. */
static void
remove_stale(const char *dir)
{
	static const char *const places[] = {"", "/keys"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *place = xasprintf("%s%s", dir, places[i]);

		file_remove_stale_in(place);
		free(place);
	}
}

int
cmd_init(struct app *app, const struct cli_call *call, struct error *err)
{
	const char *dir = call->args[0];
	char *path = xasprintf("%s/" CONFIG_NAME, dir);
	char *unfinished = xasprintf("%s/" UNFINISHED_NAME, dir);
	struct settings *settings = NULL;
	struct store *store = NULL;
	int64_t vantage;
	int rc = -1;

	if (app->config_path != NULL) {
		error_set(err, ERROR_CONFIG,
			"init: --config does not go with it: init writes %s itself", path);
		goto out;
	}
	file_remove_stale(unfinished);
	if (check_empty(dir, unfinished, err) < 0)
		goto out;
	remove_stale(dir);
	if (file_mkdirs(dir, 0755, err) < 0 || write_config(unfinished, err) < 0 ||
		settings_load(unfinished, &app->clock, &settings, err) < 0 ||
		store_open(settings->store_url, STORE_CREATE, &store, err) < 0 ||
		store_vantage(store, settings->vantages[0], clock_now(&app->clock), &vantage, err) <
			0 ||
		authority_init(settings, clock_now(&app->clock), err) < 0)
		goto out;
	if (rename(unfinished, path) < 0) {
		error_set_errno(err, ERROR_TEMP, "init: %s", path);
		goto out;
	}
	if (file_sync_parent(path, err) < 0)
		goto out;
	printf("made a new authority in %s\n"
	       "  %s   the configuration\n"
	       "  %s/preload25.db     the database\n"
	       "  %s/keys/            private keys: keep root.pem somewhere else\n"
	       "  %s/repository/      the git repository that will be published\n"
	       "next: preload25 --config %s import FILE\n",
		dir, path, dir, dir, dir, path);
	rc = 0;
out:
	store_close(store);
	settings_free(settings);
	free(unfinished);
	free(path);
	return rc;
}

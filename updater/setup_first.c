#include "updater/setup_first.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/mta.h"
#include "updater/settings.h"
#include "updater/setup_files.h"

#define DIR_MODE  0755
#define ROOT_MODE 0644

/* The copy of the root file: beside the configuration. The caller frees it. */
static char *
root_copy(const char *config_path)
{
	char *dir = file_dir_of(config_path);
	char *copy = xasprintf("%s/root.json", dir);

	free(dir);
	return copy;
}

/* What would not stand in a line of the configuration as it is. */
static bool
fits_in_line(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == ';' || *c == '#' || *c == '\x7f')
			return false;
	return true;
}

/* Whether the configuration has this source already: 1; 0 it has none; -1 it has another one. */
static int
has_source(const struct update_settings *s, const char *config_path, const char *url,
	const char *copy, struct error *err)
{
	const struct source_settings *main = &s->sources[0];

	if (main->url_count == 0 && main->root == NULL)
		return 0;
	if (main->url_count == 1 && strcmp(main->urls[0], url) == 0 && main->root != NULL &&
		strcmp(main->root, copy) == 0)
		return 1;
	return error_set(err, ERROR_CONFIG,
		"%s: names another source: change it there, and leave --source out", config_path);
}

/* Copies the root file, unless the copy is there. It is verified by the job that reads it. */
static int
copy_root(const char *root, const char *copy, struct setup_first *out, struct error *err)
{
	struct buf theirs, ours;
	int rc;

	buf_init(&theirs, TUF_ROOT_MAX);
	buf_init(&ours, TUF_ROOT_MAX);
	rc = file_read(root, &theirs, err);
	if (rc == 0)
		rc = file_read_if_exists(copy, &ours, err);
	if (rc > 0) {
		rc = strcmp(buf_str(&theirs), buf_str(&ours)) == 0 && theirs.len == ours.len
			? 0
			: error_set(err, ERROR_CONFIG, "%s is there, and another root file than %s",
				  copy, root);
	} else if (rc == 0) {
		rc = file_replace(copy, buf_str(&theirs), theirs.len, ROOT_MODE, err);
		if (rc == 0)
			out->root_path = xstrdup(copy);
	}
	buf_clear(&ours);
	buf_clear(&theirs);
	return rc;
}

/* Adds lines to the configuration, which need not be there. *before: its text, which the caller
 * frees; NULL: there was none. */
static int
add_lines(const char *path, const char *lines, char **before, struct error *err)
{
	const char *text =
		"# By preload25-update setup. preload25-update.conf.example has every key.\n";
	char *after;
	int rc;

	*before = NULL;
	if (file_exists(path)) {
		text = *before = setup_file_read(path, err);
		if (text == NULL)
			return -1;
	}
	after = xasprintf(
		"%s%s%s", text, text[0] != '\0' && !str_ends(text, "\n") ? "\n" : "", lines);
	rc = setup_file_write(path, after, err);
	free(after);
	if (rc < 0) {
		free(*before);
		*before = NULL;
	}
	return rc;
}

/* What says which mail server the job writes for. The caller frees it. */
static char *
mta_lines(const char *mta)
{
	return xasprintf("[install]\nmta = %s\n", mta);
}

int
setup_first_add_mta(const char *config_path, const char *mta, struct error *err)
{
	char *own = mta_lines(mta), *lines = xasprintf("\n%s", own), *before;
	int rc = add_lines(config_path, lines, &before, err);

	free(before);
	free(lines);
	free(own);
	return rc;
}

static int
write_config(const struct update_settings *s, const char *path, const char *url, const char *copy,
	struct setup_first *out, struct error *err)
{
	char *own = s->mta_is_set ? xstrdup("") : mta_lines(s->mta->name);
	char *lines = xasprintf("[source]\nurl = %s\nroot = %s\n%s", url, copy, own);
	int rc = add_lines(path, lines, &out->config_before, err);

	if (rc == 0)
		out->config_path = xstrdup(path);
	free(lines);
	free(own);
	return rc;
}

int
setup_first_write(const struct update_settings *s, const char *config_path, const char *url,
	const char *root, struct setup_first *out, struct error *err)
{
	char *copy, *dir;
	int rc;

	memset(out, 0, sizeof(*out));
	if (config_path[0] != '/')
		return error_set(err, ERROR_CONFIG, "%s: not an absolute path", config_path);
	copy = root_copy(config_path);
	dir = file_dir_of(copy);
	if (!fetch_url_valid(url) || !fits_in_line(url))
		rc = error_set(err, ERROR_CONFIG, "%s: not http://, https:// or file:/", url);
	else if (!fits_in_line(copy))
		rc = error_set(err, ERROR_CONFIG, "%s: a path with blanks", copy);
	else
		rc = has_source(s, config_path, url, copy, err);
	if (rc == 0 && file_mkdirs(dir, DIR_MODE, err) < 0)
		rc = -1;
	if (rc >= 0 && copy_root(root, copy, out, err) < 0)
		rc = -1;
	if (rc == 0)
		rc = write_config(s, config_path, url, copy, out, err);
	if (rc < 0) {
		setup_first_undo(out);
		setup_first_clear(out);
	}
	free(dir);
	free(copy);
	return rc < 0 ? -1 : 0;
}

void
setup_first_tell(const char *config_path, const char *url, const char *root, FILE *out)
{
	char *copy = root_copy(config_path);

	fprintf(out, "%s gets url = %s and root = %s, a copy of %s\n", config_path, url, copy,
		root);
	free(copy);
}

static void
take_back(const char *path, const char *before)
{
	struct error why = {0};

	if (before != NULL) {
		if (setup_file_write(path, before, &why) < 0)
			log_error("cannot undo: %s", why.text);
	} else if (unlink(path) < 0) {
		log_error("cannot undo: %s: %s", path, strerror(errno));
	}
}

void
setup_first_undo(const struct setup_first *first)
{
	if (first->config_path != NULL)
		take_back(first->config_path, first->config_before);
	if (first->root_path != NULL)
		take_back(first->root_path, NULL);
}

void
setup_first_clear(struct setup_first *first)
{
	free(first->config_path);
	free(first->root_path);
	free(first->config_before);
	memset(first, 0, sizeof(*first));
}

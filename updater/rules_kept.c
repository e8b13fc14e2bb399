#include "updater/rules_kept.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "updater/rules.h"

#define FILE_MODE 0600 /* those of the administrator may be for nobody else */

static char *
kept_path(const char *state_dir)
{
	return xasprintf("%s/rules", state_dir);
}

static void
add_rule(struct buf *text, const struct rule *rule)
{
	rule_format(rule, text);
	buf_add_char(text, '\n');
}

static int
remove_kept(const char *path, struct error *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return error_set_errno(err, ERROR_CONFIG, "%s", path);
}

/* Whether the file has that text. */
static bool
has_text(const char *path, const struct buf *text)
{
	struct error unread = {0};
	struct buf old;
	bool same;

	buf_init(&old, RULES_FILE_MAX);
	same = file_read_if_exists(path, &old, &unread) > 0 && old.len == text->len &&
		memcmp(old.data, text->data, old.len) == 0;
	buf_clear(&old);
	return same;
}

int
rules_kept_put(const char *state_dir, const struct rules *r, struct error *err)
{
	const size_t count = rules_count(r);
	char *path = kept_path(state_dir);
	struct buf text;
	int rc = 0;

	buf_init(&text, RULES_FILE_MAX);
	for (size_t i = 0; i < count; i++)
		add_rule(&text, rules_nth(r, i));
	if (rules_early_all(r) != NULL)
		add_rule(&text, rules_early_all(r));
	if (buf_failed(&text))
		rc = error_set(err, ERROR_CONFIG, "%s: rules of more than %zu octets are not kept", path,
			RULES_FILE_MAX);
	/* What is there may be of rules that are no more. */
	if (rc < 0 || text.len == 0)
		rc = remove_kept(path, err) < 0 ? -1 : rc;
	else if (!has_text(path, &text))
		rc = file_replace(path, text.data, text.len, FILE_MODE, err);
	buf_clear(&text);
	free(path);
	return rc;
}

int
rules_kept_load(const char *state_dir, struct rules **out, struct error *err)
{
	char *path = kept_path(state_dir);
	const struct rules_from from = {.file = path, .file_must_exist = true};
	int rc = 0;

	*out = NULL;
	if (access(path, F_OK) == 0 || errno != ENOENT)
		rc = rules_load(&from, out, err) < 0 ? -1 : 1;
	free(path);
	return rc;
}

#include "updater/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"

/* Read by whom the other process becomes. */
#define DIR_MODE  0755
#define FILE_MODE 0644
/* Never looked for: whoever reads it has the folder opened. It stands in messages. */
#define NAME "/what-was-fetched"

static const char *const parts[] = {"metadata", "targets"};

/* What cannot be removed shows when it is made again. */
static void
remove_all(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *part = xasprintf("%s/%s", path, parts[i]);

		(void)file_remove_dir(AT_FDCWD, part);
		free(part);
	}
	(void)rmdir(path);
}

/* Whatever the umask. */
static int
make(const char *path, struct error *err)
{
	if (mkdir(path, DIR_MODE) < 0 || chmod(path, DIR_MODE) < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot make the directory", path);
	return 0;
}

int
replay_open(const char *path, struct replay *r, struct error *err)
{
	int rc;

	*r = (struct replay){
		.path = xstrdup(path), .url = "file:" NAME, .tree = {.path = NAME, .fd = -1}};
	remove_all(path);
	rc = make(path, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++) {
		char *part = xasprintf("%s/%s", path, parts[i]);

		rc = make(part, err);
		free(part);
	}
	if (rc < 0)
		return -1;
	r->tree.fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r->tree.fd < 0 ? error_set_errno(err, ERROR_TEMP, "%s", path) : 0;
}

int
replay_add(const struct replay *r, const struct workdir *wd, enum workdir_part part, const char *name,
	const struct tuf_file *said, const char *to, struct error *err)
{
	char *path = xasprintf("%s/%s", r->path, to);
	int rc = workdir_take(wd, part, name, said, path, FILE_MODE, err);

	free(path);
	return rc;
}

int
replay_also(const struct replay *r, const char *name, const char *other, struct error *err)
{
	char *from = xasprintf("%s/%s", r->path, name), *to = xasprintf("%s/%s", r->path, other);
	int rc = 0;

	if (link(from, to) < 0)
		rc = error_set_errno(err, ERROR_TEMP, "%s: cannot link", from);
	free(to);
	free(from);
	return rc;
}

void
replay_close(struct replay *r)
{
	if (r->path == NULL)
		return;
	if (r->tree.fd >= 0)
		(void)close(r->tree.fd);
	remove_all(r->path);
	free(r->path);
	*r = (struct replay){.tree = {.fd = -1}};
}

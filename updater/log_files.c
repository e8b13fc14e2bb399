#include "updater/log_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"

/* --- what is said of them -----------------------------------------------------------------------
 */

static void
say(char ***list, size_t *count, char *text)
{
	*list = xreallocarray(*list, *count + 1, sizeof(char *));
	(*list)[(*count)++] = text;
}

void
log_said_read(struct log_said *said, const char *name)
{
	say(&said->read, &said->read_count, xstrdup(name));
}

void
log_said_skip(struct log_said *said, const char *why)
{
	say(&said->skipped, &said->skipped_count, xstrdup(why));
}

static void
clear_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void
log_said_clear(struct log_said *said)
{
	clear_list(said->read, said->read_count);
	clear_list(said->skipped, said->skipped_count);
	memset(said, 0, sizeof(*said));
}

/* --- finding them -------------------------------------------------------------------------------
 */

void
log_files_clear(struct log_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		(void)close(files->at[i].fd);
		free(files->at[i].path);
	}
	free(files->at);
	memset(files, 0, sizeof(*files));
}

/* Whether rest, behind the log's own name, is what rotation appends: ".1", ".2.gz", "-20261126",
 * "-20261126-1764115200.gz". */
static bool
is_rotated(const char *rest, struct log_file *f)
{
	const char *p = rest + 1;
	uint64_t number = 0;

	f->number = 0;
	f->foreign = false;
	f->live = rest[0] == '\0';
	if (f->live)
		return true;
	if ((rest[0] != '.' && rest[0] != '-') || !str_is_digit(*p))
		return false;
	for (; str_is_digit(*p) || (rest[0] == '-' && *p == '-'); p++)
		if (rest[0] == '.' && number < UINT64_MAX / 16)
			number = number * 10 + (uint64_t)(*p - '0');
	f->number = number;
	f->foreign = *p != '\0' && strcmp(p, ".gz") != 0;
	return *p == '\0' || *p == '.';
}

/* Oldest first. */
static int
compare_files(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;

	if (x->written_s != y->written_s)
		return x->written_s < y->written_s ? -1 : 1;
	if (x->number != y->number)
		return x->number > y->number ? -1 : 1;
	return strcmp(y->path, x->path);
}

/* Renamed while the folder is read, a file may be met twice. */
static bool
is_known(const struct log_files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->at[i].inode == st->st_ino && files->at[i].device == st->st_dev)
			return true;
	return false;
}

/* Opens what the folder has under that name: 1; 0 it is no log, older, known or gone by now; -1, err says why it
 * cannot be read. */
static int
open_found(const struct log_files *files, DIR *dir, const char *name, const char *path, int64_t since_s,
	struct log_file *f, struct error *err)
{
	struct stat st;

	if (fstatat(dirfd(dir), name, &st, 0) < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_mtim.tv_sec < since_s)
		return 0;
	f->fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, ERROR_CONFIG, "%s", path);
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode) || is_known(files, &st)) {
		(void)close(f->fd);
		return 0;
	}
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->written_s = st.st_mtim.tv_sec;
	return 1;
}

/* Of too many the oldest goes, but never the log itself. */
static void
drop_oldest(struct log_files *files)
{
	struct log_file *oldest = NULL;

	for (struct log_file *f = files->at; f < files->at + files->count; f++)
		if (!f->live && (oldest == NULL || compare_files(f, oldest) < 0))
			oldest = f;
	if (oldest == NULL)
		return;
	(void)close(oldest->fd);
	free(oldest->path);
	*oldest = files->at[--files->count];
	files->cut++;
}

static int
find_in(struct log_said *said, struct log_files *files, DIR *dir, const char *folder, const char *name,
	int64_t since_s, struct error *err)
{
	const struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		struct error why = {0};
		struct log_file f;
		int rc;

		if (!str_starts(e->d_name, name) || !is_rotated(e->d_name + strlen(name), &f))
			continue;
		f.path = xasprintf("%s/%s", folder, e->d_name);
		rc = open_found(files, dir, e->d_name, f.path, since_s, &f, &why);
		if (rc <= 0)
			free(f.path);
		if (rc < 0 && f.live) {
			*err = why;
			return -1;
		}
		if (rc < 0)
			log_said_skip(said, why.text);
		if (rc <= 0)
			continue;
		files->at = xreallocarray(files->at, files->count + 1, sizeof(f));
		files->at[files->count++] = f;
		if (files->count > LOG_FILES_MAX)
			drop_oldest(files);
	}
	return 0;
}

int
log_files_find(const char *path, int64_t since_s, struct log_files *files, struct log_said *said,
	struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path));
	DIR *dir = opendir(folder[0] != '\0' ? folder : "/");
	int rc = 0;

	memset(files, 0, sizeof(*files));
	if (dir != NULL) {
		rc = find_in(said, files, dir, folder, slash == NULL ? path : slash + 1, since_s, err);
		(void)closedir(dir);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		rc = error_set_errno(err, ERROR_CONFIG, "%s", folder);
	}
	if (files->count > 0)
		qsort(files->at, files->count, sizeof(*files->at), compare_files);
	if (files->cut > 0)
		say(&said->skipped, &said->skipped_count,
			xasprintf("%s: more than %d files: not the %zu oldest", path, LOG_FILES_MAX, files->cut));
	free(folder);
	return rc;
}

void
log_files_take(int fd, const char *path, int64_t written_s, struct log_files *files)
{
	files->at = xcalloc(1, sizeof(*files->at));
	files->at[0] = (struct log_file){
		.path = xstrdup(path), .fd = fd, .written_s = written_s, .live = true};
	files->count = 1;
	files->cut = 0;
}

#include "updater/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "updater/confine.h"
#include "updater/fetch_record.h"

#define NAME "incoming"
/* Read by whoever asks for the status. */
#define DIR_MODE 0755

char *
incoming_path(const char *state_dir, const char *name)
{
	return name != NULL ? xasprintf("%s/" NAME "/%s", state_dir, name)
			    : xasprintf("%s/" NAME, state_dir);
}

static int
open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* --- who fetches --------------------------------------------------------------------------------
 */

/* The folder above is nobody else's to write. */
static int
make(int state_fd, const struct confine_user *user)
{
	int fd, rc = 0;

	if (mkdirat(state_fd, NAME, DIR_MODE) < 0)
		return errno == EEXIST ? 0 : -1;
	fd = open_dir(state_fd, NAME);
	if (fd < 0)
		return -1;
	/* Whatever the umask. */
	if (fchmod(fd, DIR_MODE) < 0 || (user->change && fchown(fd, user->uid, user->gid) < 0))
		rc = -1;
	(void)close(fd);
	return rc;
}

/* Nothing below is looked at with more rights than its owner has. */
static int
become_owner(int fd, struct error *err)
{
	struct confine_user owner = {.change = true};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set_errno(err, ERROR_TEMP, "cannot look at it");
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	owner.uid = st.st_uid;
	owner.gid = st.st_gid;
	return confine_become(&owner, err);
}

int
incoming_enter(const char *state_dir, const struct confine_user *user, struct error *err)
{
	char *path = incoming_path(state_dir, NULL);
	int state_fd = -1, fd = -1, rc = -1;

	/* Who is not root finds it as a rule. */
	if (!file_exists(path) && file_mkdirs(state_dir, DIR_MODE, err) < 0)
		goto out;
	state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state_fd < 0 || make(state_fd, user) < 0 || (fd = open_dir(state_fd, NAME)) < 0)
		error_set_errno(err, ERROR_CONFIG, "%s: cannot make the directory", path);
	else if (become_owner(fd, err) < 0)
		error_prefix(err, "%s", path);
	else
		rc = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	if (state_fd >= 0)
		(void)close(state_fd);
	free(path);
	return rc;
}

int
incoming_make(const char *state_dir, const struct confine_user *user, struct error *err)
{
	int state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = state_fd >= 0 ? make(state_fd, user) : -1;

	if (rc < 0)
		error_set_errno(err, ERROR_CONFIG, "%s/" NAME ": cannot make the directory", state_dir);
	if (state_fd >= 0)
		(void)close(state_fd);
	return rc;
}

/* --- who reads ----------------------------------------------------------------------------------
 */

/* A folder in another one, which it closes. -1: there is none, or err is set. */
static int
step(int at, const char *name, const char *path, struct error *err)
{
	int fd = at >= 0 ? open_dir(at, name) : -1;

	if (at >= 0 && fd < 0 && errno == ENOTDIR)
		error_set(err, ERROR_SECURITY, "%s: %s is a link, or no folder", path, name);
	else if (at >= 0 && fd < 0 && errno != ENOENT)
		error_set_errno(err, ERROR_SECURITY, "%s: %s", path, name);
	if (at >= 0)
		(void)close(at);
	return fd;
}

int
incoming_open(const char *state_dir, const char *name, struct incoming *out, struct error *err)
{
	char *path = incoming_path(state_dir, name), *escaped;
	struct error why = {0};
	int at = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	out->mirror = (struct fetch_tree){
		.path = xasprintf("%s/" INCOMING_REPOSITORY, path), .fd = -1, .foreign = true};
	escaped = str_percent_encode(out->mirror.path, "/");
	out->url = xasprintf("file:%s", escaped);
	free(escaped);
	out->fd = step(step(at, NAME, path, &why), name, path, &why);
	if (out->fd >= 0)
		out->mirror.fd = step(fcntl(out->fd, F_DUPFD_CLOEXEC, 0), INCOMING_REPOSITORY, path, &why);
	free(path);
	if (why.kind == ERROR_NONE)
		return 0;
	*err = why;
	return -1;
}

void
incoming_close(struct incoming *in)
{
	if (in->fd >= 0)
		(void)close(in->fd);
	if (in->mirror.fd >= 0)
		(void)close(in->mirror.fd);
	free((char *)(uintptr_t)in->mirror.path);
	free(in->url);
	*in = (struct incoming){.fd = -1, .mirror = {.fd = -1}};
}

/* What may be a FIFO, a link, another name of a file that is none of theirs, or without an end. */
static int
read_foreign(int fd, struct buf *out)
{
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -1;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || buf_add(out, chunk, (size_t)n) < 0)
			return -1;
	}
	return 0;
}

int
incoming_record(const struct incoming *in, struct fetch_record *out, struct error *err)
{
	struct buf text;
	int fd, rc = 1;

	memset(out, 0, sizeof(*out));
	if (in->fd < 0)
		return 0;
	fd = openat(in->fd, INCOMING_RECORD, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	buf_init(&text, FETCH_RECORD_MAX);
	if (fd < 0 || read_foreign(fd, &text) < 0)
		rc = error_set(err, ERROR_SECURITY, "not a file of its own, or too large");
	else if (fetch_record_parse(buf_str(&text), text.len, out, err) < 0)
		rc = -1;
	if (fd >= 0)
		(void)close(fd);
	buf_clear(&text);
	if (rc > 0)
		return rc;
	err->kind = ERROR_SECURITY;
	return error_prefix(err, "%.*s" INCOMING_RECORD,
		(int)(strlen(in->mirror.path) - strlen(INCOMING_REPOSITORY)), in->mirror.path);
}

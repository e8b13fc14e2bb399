#include "export/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

int
key_file_open(const char *path, const char *what, int *out, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot read the %s", path, what);
	if (fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		error_set(err, ERROR_SECURITY,
			"%s: mode %03o lets others than its owner at the %s; chmod 600 it", path,
			(unsigned)st.st_mode & 0777, what);
	} else if (st.st_uid != geteuid()) {
		error_set(err, ERROR_SECURITY,
			"%s: the %s belongs to user %lu, this program runs as %lu; chown it", path,
			what, (unsigned long)st.st_uid, (unsigned long)geteuid());
	} else {
		*out = fd;
		return 0;
	}
	(void)close(fd);
	return -1;
}

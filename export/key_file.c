#include "export/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

int
key_file_open(const char *path, int *out, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_set_errno(err, ERROR_CONFIG, "%s: cannot read the private key", path);
	if (fstat(fd, &st) < 0) {
		error_set_errno(err, ERROR_CONFIG, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		error_set(err, ERROR_SECURITY,
			"%s: mode %03o lets others than its owner at the private key; chmod 600 it",
			path, (unsigned)st.st_mode & 0777);
	} else {
		*out = fd;
		return 0;
	}
	(void)close(fd);
	return -1;
}

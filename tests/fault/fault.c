/*
 * fault: makes the n-th step of a program that changes the disk or reads the network fail, or be
 * its last. Preloaded (LD_PRELOAD) before the C library and libcurl by tests/integration/faults.sh.
 *
 * Why beside the programs and not inside: the steps that matter most are SQLite's and libgit2's
 * own, which no hook of ours would see; what is tested is the very file that is installed; and
 * there is nothing in it that an environment variable could set off.
 *
 *	FAULT_PROGRAM	only in the program of this name (programs that it runs are left alone)
 *	FAULT_MODE	count	nothing fails
 *			fail	step FAULT_AT fails: EIO, and for the network a lost connection
 *			full	from step FAULT_AT on the disk is full: what needs room fails with
 *				ENOSPC, the first write after it has written half
 *			kill	SIGKILL before step FAULT_AT
 *			torn	SIGKILL when step FAULT_AT, a write, is half done
 *			short	every write writes half, as write(2) may
 *	FAULT_AT	n, from 1
 *	FAULT_TRACE	a file; one line is appended for each step:
 *			NUMBER <tab> OPERATION <tab> FILE [<tab> SECOND FILE]
 *	FAULT_KEYS	a text; the Ed25519 keys that are made come of it and not of chance, so that what
 *			is made twice is the same. With or without a mode
 *
 * Steps are counted over the process and what it forks. Standard output and error do not count, nor
 * what is no regular file. Locks and reads of files are left alone.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What the step needs, which says whether a full disk stops it. */
enum need { NOTHING, ROOM };
enum answer { GO_ON, REFUSE, HALF };
enum mode { OFF, COUNT, FAIL, FULL, KILL, TORN, SHORT };

/* Descriptors whose closing may bring an error of writing to light. */
#define FDS_MAX 1024

static struct {
	enum mode mode;
	unsigned long at;
	int trace;            /* -1: none */
	const char *keys;     /* NULL: by chance; lent by the environment */
	atomic_ulong *number; /* shared with children */
	atomic_bool written[FDS_MAX];
} fault;

__attribute__((constructor)) static void
start(void)
{
	static const char *const modes[] = {"", "count", "fail", "full", "kill", "torn", "short"};
	const char *program = getenv("FAULT_PROGRAM"), *mode = getenv("FAULT_MODE");
	const char *at = getenv("FAULT_AT"), *trace = getenv("FAULT_TRACE");

	if (program == NULL || strcmp(program, program_invocation_short_name) != 0)
		return;
	fault.keys = getenv("FAULT_KEYS");
	if (mode == NULL)
		return;
	for (size_t i = 1; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i]) == 0)
			fault.mode = (enum mode)i;
	fault.at = at != NULL ? strtoul(at, NULL, 10) : 0;
	fault.trace = -1;
	if (trace != NULL) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, trace,
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		fault.trace = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 500);
		(void)syscall(SYS_close, fd);
	}
	fault.number = mmap(NULL, sizeof(*fault.number), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fault.mode == OFF || fault.number == MAP_FAILED || (trace != NULL && fault.trace < 0)) {
		static const char text[] = "fault: FAULT_MODE or FAULT_TRACE is of no use\n";

		(void)syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1);
		_exit(125);
	}
}

static void
die(void)
{
	(void)syscall(SYS_kill, getpid(), SIGKILL);
	_exit(125);
}

/* The file behind a descriptor, for the trace. */
static const char *
name_of(int fd, char name[static PATH_MAX])
{
	char link[40];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link, name, PATH_MAX - 1);
	name[n < 0 ? 0 : n] = '\0';
	return name;
}

static bool
is_file(int fd)
{
	struct stat st;

	return fault.mode != OFF && fd > STDERR_FILENO && fstat(fd, &st) == 0 &&
		S_ISREG(st.st_mode);
}

/* One step is about to be done; `second` may be NULL. REFUSE: errno is set. */
static enum answer
step(const char *operation, enum need need, const char *file, const char *second)
{
	unsigned long n = atomic_fetch_add(fault.number, 1) + 1;
	bool is_write = strstr(operation, "write") != NULL;

	if (fault.trace >= 0) {
		char line[2 * PATH_MAX + 64];
		int len = snprintf(line, sizeof(line), "%lu\t%s\t%s%s%s\n", n, operation, file,
			second != NULL ? "\t" : "", second != NULL ? second : "");

		if (syscall(SYS_write, fault.trace, line, (size_t)len) != len)
			_exit(125);
	}
	if (fault.mode == SHORT)
		return is_write ? HALF : GO_ON;
	if (n < fault.at || (n > fault.at && fault.mode != FULL))
		return GO_ON;
	switch (fault.mode) {
	case OFF:
	case COUNT:
	case SHORT:
		break;
	case FAIL:
		errno = EIO;
		return REFUSE;
	case FULL:
		errno = ENOSPC;
		if (need != ROOM)
			return GO_ON;
		return is_write && n == fault.at ? HALF : REFUSE;
	case KILL:
		die();
		break;
	case TORN:
		if (is_write)
			return HALF;
		break;
	}
	return GO_ON;
}

static enum answer
step_fd(const char *operation, enum need need, int fd)
{
	char name[PATH_MAX];
	enum answer a;
	int saved = errno;

	if (!is_file(fd)) {
		errno = saved;
		return GO_ON;
	}
	if (need == ROOM && fd < FDS_MAX)
		atomic_store(&fault.written[fd], true);
	a = step(operation, need, name_of(fd, name), NULL);
	if (a == GO_ON)
		errno = saved;
	return a;
}

static enum answer
step_path(const char *operation, enum need need, const char *path, const char *second)
{
	return fault.mode == OFF ? GO_ON : step(operation, need, path, second);
}

/* The next definition of the function, which is the real one. */
#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

/* --- writing -------------------------------------------------------------------------------- */

/* What is left to do of a write that is to be done by half: at least one octet less than all. */
static size_t
half(size_t len)
{
	return fault.mode == SHORT && len == 1 ? 1 : len / 2;
}

/* The end of a write that was done by half. */
static ssize_t
after_half(ssize_t done)
{
	if (fault.mode == TORN)
		die();
	if (fault.mode == FULL && done <= 0) {
		errno = ENOSPC;
		return -1;
	}
	return done;
}

#define WRITE(operation, fd, len, whole, part) \
	do { \
		switch (step_fd(operation, ROOM, fd)) { \
		case GO_ON: \
			return whole; \
		case REFUSE: \
			return -1; \
		case HALF: \
			return after_half(half(len) > 0 ? part : 0); \
		} \
		abort(); \
	} while (0)

ssize_t
write(int fd, const void *data, size_t len)
{
	REAL(write);
	WRITE("write", fd, len, real(fd, data, len), real(fd, data, half(len)));
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	REAL(pwrite);
	WRITE("pwrite", fd, len, real(fd, data, len, offset), real(fd, data, half(len), offset));
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	REAL(pwrite64);
	WRITE("pwrite", fd, len, real(fd, data, len, offset), real(fd, data, half(len), offset));
}

ssize_t
writev(int fd, const struct iovec *vector, int count)
{
	REAL(writev);
	WRITE("writev", fd, (size_t)count, real(fd, vector, count),
		real(fd, vector, (int)half((size_t)count)));
}

/* Streams write inside of the C library; what they still hold goes out here. */
int
fflush(FILE *stream)
{
	REAL(fflush);
	switch (stream == NULL ? GO_ON : step_fd("fflush", ROOM, fileno(stream))) {
	case GO_ON:
		break;
	case REFUSE:
	case HALF:
		return EOF;
	}
	return real(stream);
}

int
close(int fd)
{
	bool written = fd >= 0 && fd < FDS_MAX && atomic_exchange(&fault.written[fd], false);
	enum answer a = written ? step_fd("close", NOTHING, fd) : GO_ON;
	int saved = errno, rc;

	REAL(close);
	rc = real(fd);
	if (a == GO_ON)
		return rc;
	errno = saved;
	return -1;
}

/* --- everything else that changes files ----------------------------------------------------- */

#define UNLESS_REFUSED(answer, call) \
	do { \
		if ((answer) != GO_ON) \
			return -1; \
		return call; \
	} while (0)

int
fsync(int fd)
{
	struct stat st;
	char name[PATH_MAX];

	REAL(fsync);
	/* Of directories too. */
	if (fault.mode == OFF || fstat(fd, &st) < 0)
		return real(fd);
	UNLESS_REFUSED(step("fsync", NOTHING, name_of(fd, name), NULL), real(fd));
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	UNLESS_REFUSED(step_fd("fdatasync", NOTHING, fd), real(fd));
}

static enum need
need_of_length(int fd, off_t length)
{
	struct stat st;

	return fstat(fd, &st) == 0 && length > st.st_size ? ROOM : NOTHING;
}

int
ftruncate(int fd, off_t length)
{
	REAL(ftruncate);
	UNLESS_REFUSED(step_fd("ftruncate", need_of_length(fd, length), fd), real(fd, length));
}

int
ftruncate64(int fd, off64_t length)
{
	REAL(ftruncate64);
	UNLESS_REFUSED(step_fd("ftruncate", need_of_length(fd, length), fd), real(fd, length));
}

int
posix_fallocate(int fd, off_t offset, off_t length)
{
	REAL(posix_fallocate);
	return step_fd("fallocate", ROOM, fd) == GO_ON ? real(fd, offset, length) : errno;
}

int
fchmod(int fd, mode_t mode)
{
	REAL(fchmod);
	UNLESS_REFUSED(step_fd("fchmod", NOTHING, fd), real(fd, mode));
}

int
chmod(const char *path, mode_t mode)
{
	REAL(chmod);
	UNLESS_REFUSED(step_path("chmod", NOTHING, path, NULL), real(path, mode));
}

int
rename(const char *from, const char *to)
{
	REAL(rename);
	UNLESS_REFUSED(step_path("rename", NOTHING, from, to), real(from, to));
}

int
link(const char *from, const char *to)
{
	REAL(link);
	UNLESS_REFUSED(step_path("link", ROOM, from, to), real(from, to));
}

int
symlink(const char *target, const char *path)
{
	REAL(symlink);
	UNLESS_REFUSED(step_path("symlink", ROOM, target, path), real(target, path));
}

int
unlink(const char *path)
{
	REAL(unlink);
	UNLESS_REFUSED(step_path("unlink", NOTHING, path, NULL), real(path));
}

int
unlinkat(int dir, const char *path, int flags)
{
	REAL(unlinkat);
	UNLESS_REFUSED(step_path("unlink", NOTHING, path, NULL), real(dir, path, flags));
}

int
rmdir(const char *path)
{
	REAL(rmdir);
	UNLESS_REFUSED(step_path("rmdir", NOTHING, path, NULL), real(path));
}

int
mkdir(const char *path, mode_t mode)
{
	struct stat st;

	REAL(mkdir);
	/* Trying to make one that is there changes nothing. */
	if (fault.mode == OFF || stat(path, &st) == 0)
		return real(path, mode);
	UNLESS_REFUSED(step("mkdir", ROOM, path, NULL), real(path, mode));
}

/* Whether opening makes or empties a file; then it is a step. */
static enum answer
step_open(int dir, const char *path, int flags)
{
	struct stat st;

	if (fault.mode == OFF || (flags & (O_CREAT | O_TRUNC)) == 0)
		return GO_ON;
	if (fstatat(dir, path, &st, 0) == 0) {
		if ((flags & O_TRUNC) == 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
			return GO_ON;
		return step("truncate", NOTHING, path, NULL);
	}
	return (flags & O_CREAT) != 0 ? step("create", ROOM, path, NULL) : GO_ON;
}

#define MODE_OF(flags) \
	mode_t mode = 0; \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
		va_list ap; \
		va_start(ap, flags); \
		mode = va_arg(ap, mode_t); \
		va_end(ap); \
	}

int
open(const char *path, int flags, ...)
{
	MODE_OF(flags)
	REAL(open);
	UNLESS_REFUSED(step_open(AT_FDCWD, path, flags), real(path, flags, mode));
}

int
open64(const char *path, int flags, ...)
{
	MODE_OF(flags)
	REAL(open64);
	UNLESS_REFUSED(step_open(AT_FDCWD, path, flags), real(path, flags, mode));
}

int
openat(int dir, const char *path, int flags, ...)
{
	MODE_OF(flags)
	REAL(openat);
	UNLESS_REFUSED(step_open(dir, path, flags), real(dir, path, flags, mode));
}

int
mkstemp(char *template)
{
	REAL(mkstemp);
	UNLESS_REFUSED(step_path("create", ROOM, template, NULL), real(template));
}

int
mkostemp(char *template, int flags)
{
	REAL(mkostemp);
	UNLESS_REFUSED(step_path("create", ROOM, template, NULL), real(template, flags));
}

/* A process that closes all but what it needs still needs the trace. */
int
close_range(unsigned first, unsigned last, int flags)
{
	unsigned trace = fault.mode != OFF && fault.trace >= 0 ? (unsigned)fault.trace : 0;
	int rc;

	REAL(close_range);
	if (trace == 0 || trace < first || trace > last)
		return real(first, last, flags);
	rc = trace > first ? real(first, trace - 1, flags) : 0;
	return rc == 0 && trace < last ? real(trace + 1, last, flags) : rc;
}

/* --- the network ---------------------------------------------------------------------------- */

CURLcode
curl_easy_perform(CURL *curl)
{
	char *url = NULL;

	REAL(curl_easy_perform);
	if (fault.mode == OFF)
		return real(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
	return step("fetch", NOTHING, url != NULL ? url : "", NULL) == GO_ON ? real(curl)
									     : CURLE_RECV_ERROR;
}

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
	REAL(recv);
	if (step_path("recv", NOTHING, "", NULL) == GO_ON)
		return real(fd, data, len, flags);
	errno = ECONNRESET;
	return -1;
}

/* --- keys ----------------------------------------------------------------------------------- */

EVP_PKEY *
EVP_PKEY_Q_keygen(OSSL_LIB_CTX *library, const char *query, const char *type, ...)
{
	static atomic_uint number;
	unsigned char secret[32] = {0};
	__typeof__(EVP_PKEY_new_raw_private_key) *make;

	REAL(EVP_PKEY_Q_keygen);
	/* The arguments of other types are not handed on. */
	if (strcmp(type, "ED25519") != 0)
		_exit(125);
	if (fault.keys == NULL)
		return real(library, query, type);
	/* The program's own library: what else is preloaded into has none. */
	*(void **)&make = dlsym(RTLD_DEFAULT, "EVP_PKEY_new_raw_private_key");
	if (make == NULL)
		_exit(125);
	(void)snprintf((char *)secret, sizeof(secret), "%s %u", fault.keys,
		atomic_fetch_add(&number, 1));
	return make(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
}

#include "updater/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/log.h"
#include "common/sanitized.h"
#include "common/xalloc.h"

/* More than libcurl ever has open, its resolver's threads included. */
#define DESCRIPTORS_MAX 64

/* --- who it is ----------------------------------------------------------------------------------
 */

/* Whether this user namespace has the user, or the group: in one made for tests, or a container's,
 * root may be alone. */
static bool
is_mapped(const char *ids, id_t id)
{
	FILE *map = fopen(ids, "re");
	long inside, outside, count;
	bool found = map == NULL;

	while (!found && fscanf(map, "%ld %ld %ld", &inside, &outside, &count) == 3)
		found = (long)id >= inside && (long)id - inside < count;
	if (map != NULL)
		(void)fclose(map);
	return found;
}

int
confine_find_user(const char *name, struct confine_user *out, struct error *err)
{
	const struct passwd *pw;
	const char *wanted = name != NULL ? name : "_preload25 or nobody";

	*out = (struct confine_user){.change = false};
	if (geteuid() != 0)
		return 0;
	pw = getpwnam(name != NULL ? name : "_preload25");
	if (pw == NULL && name == NULL)
		pw = getpwnam("nobody");
	if (pw == NULL)
		return error_set(err, ERROR_CONFIG, "[sandbox] user: there is no user %s", wanted);
	if (!is_mapped("/proc/self/uid_map", pw->pw_uid) ||
		!is_mapped("/proc/self/gid_map", pw->pw_gid)) {
		/* Who was asked for is missed aloud. */
		log_at(name != NULL ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			"user %s does not exist in this user namespace: fetching and reading are "
			"done by its root",
			pw->pw_name);
		return 0;
	}
	*out = (struct confine_user){.change = pw->pw_uid != 0, pw->pw_uid, pw->pw_gid};
	return 0;
}

int
confine_become(const struct confine_user *u, struct error *err)
{
	if (!u->change)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
		setresuid(u->uid, u->uid, u->uid) < 0)
		return error_set_errno(
			err, ERROR_CONFIG, "cannot become user %ld", (long)u->uid);
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0)
		return error_set(err, ERROR_CONFIG, "user %ld can become root", (long)u->uid);
	return 0;
}

/* --- what it holds ------------------------------------------------------------------------------
 */

/* Never raises it. */
static int
limit(int resource, rlim_t value)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)resource, &l) < 0)
		return -1;
	if (l.rlim_max > value)
		l.rlim_max = value;
	l.rlim_cur = l.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &l);
}

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* All descriptors but the standard ones, which lead nowhere, and those that are kept. */
static int
shed_descriptors(const struct confine *c, int ruleset)
{
	size_t count = c->tree_count + c->file_count + 2;
	int *kept = xcalloc(count, sizeof(*kept));
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), rc = -1;
	unsigned first = STDERR_FILENO + 1;

	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 ||
		(!SANITIZED && dup2(nothing, STDERR_FILENO) < 0))
		goto out;
	for (size_t i = 0; i < c->tree_count; i++)
		kept[i] = c->trees[i];
	for (size_t i = 0; i < c->file_count; i++)
		kept[c->tree_count + i] = c->files[i];
	kept[count - 2] = c->report;
	kept[count - 1] = ruleset;
	qsort(kept, count, sizeof(*kept), by_number);
	for (size_t i = 0; i < count; i++) {
		unsigned fd = (unsigned)kept[i];

		if (kept[i] < 0 || fd < first)
			continue;
		if (fd > first && close_range(first, fd - 1, 0) < 0)
			goto out;
		first = fd + 1;
	}
	rc = close_range(first, ~0U, 0);
out:
	free(kept);
	return rc;
}

/* --- files --------------------------------------------------------------------------------------
 */

/* Of later kernels than these headers may be of. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_FS_IOCTL_DEV (1ULL << 15)
#define ACCESS_NET_BIND_TCP (1ULL << 0)
#define ACCESS_NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

#define MAY_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_WRITE \
	(MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE)

/* What names, TLS and the modules behind them are made of, on Debian and elsewhere: where certificates
 * are links, what they lead to. Of /etc/pki without the keys. What is missing is left out. */
static const char *const for_network[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
	"/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/ld.so.cache",
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/etc/ca-certificates", "/var/lib/ca-certificates",
	"/etc/pki/ca-trust", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem",
	"/etc/pki/tls/openssl.cnf", "/etc/crypto-policies", "/usr/share/crypto-policies",
	"/usr/share/pki", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"};

/* Below 1: there is no Landlock. */
static int
landlock_abi(void)
{
	return (int)syscall(
		SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* All that this version knows, so that what is not allowed below is forbidden. */
static struct ruleset
all_of(int abi, bool network)
{
	struct ruleset r = {.fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

	if (abi >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4)
		r.net = ACCESS_NET_BIND_TCP | (network ? 0 : ACCESS_NET_CONNECT_TCP);
	if (abi >= 5)
		r.fs |= ACCESS_FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return r;
}

static int
allow_below(int ruleset, int fd, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	return (int)syscall(
		SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int
allow_reading(int ruleset, const char *path)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC), rc;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	rc = fstat(fd, &st);
	if (rc == 0)
		rc = allow_below(ruleset, fd,
			S_ISDIR(st.st_mode) ? MAY_READ : LANDLOCK_ACCESS_FS_READ_FILE);
	(void)close(fd);
	return rc;
}

/* A ruleset to be entered; -1 there is no Landlock; -2 with errno set. */
static int
make_ruleset(const struct confine *c)
{
	int abi = landlock_abi(), fd;
	struct ruleset all;
	int rc;

	if (abi < 1)
		return -1;
	all = all_of(abi, c->network);
	fd = (int)syscall(SYS_landlock_create_ruleset, &all,
		abi >= 6 ? sizeof(all) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t), 0);
	if (fd < 0)
		return -2;
	rc = c->dir < 0 ? 0 : allow_below(fd, c->dir, MAY_READ);
	for (size_t i = 0; rc == 0 && i < c->writable_count; i++)
		rc = allow_below(fd, c->writable[i], MAY_WRITE & all.fs);
	for (size_t i = 0; rc == 0 && i < c->tree_count; i++)
		if (c->trees[i] >= 0)
			rc = allow_below(fd, c->trees[i], MAY_READ);
	for (size_t i = 0; rc == 0 && c->network && i < ARRAY_LEN(for_network); i++)
		rc = allow_reading(fd, for_network[i]);
	if (rc < 0) {
		(void)close(fd);
		return -2;
	}
	return fd;
}

/* --- system calls -------------------------------------------------------------------------------
 */

/* What computing, files, memory and threads need. Behind Landlock "open" opens little. */
static const char *const allowed[] = {"access", "brk", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "close_range", "dup", "exit", "exit_group", "faccessat",
	"faccessat2", "fallocate", "fchmod", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
	"fsync", "ftruncate", "futex", "getcwd", "getdents64", "getegid", "geteuid", "getgid",
	"getpid", "getppid", "getrandom", "getrusage", "gettid", "gettimeofday", "getuid", "lseek",
	"lstat", "madvise", "membarrier", "mmap", "mprotect", "mremap", "msync", "munmap",
	"nanosleep", "newfstatat", "open", "openat", "pread64", "preadv", "pwrite64", "pwritev",
	"read", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sched_getaffinity", "sched_yield", "select", "pselect6", "set_robust_list", "sigaltstack", "stat", "statx",
	"sync_file_range", "sysinfo", "time", "times", "umask", "uname", "unlink", "unlinkat", "write",
	"writev"};

/* What libcurl and the C library's resolver need beside it. */
static const char *const allowed_with_network[] = {"connect", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "epoll_wait", "eventfd2", "getpeername", "getsockname", "getsockopt", "pipe",
	"pipe2", "poll", "ppoll", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg",
	"sendmsg", "sendto", "setsockopt", "shutdown"};

/* Nothing here ever asks for these: who does was taken over, and ends. */
static const char *const hostile[] = {"acct", "add_key", "bpf", "capset", "chroot", "delete_module",
	"execve", "execveat", "finit_module", "fork", "init_module", "io_uring_setup", "kexec_load",
	"keyctl", "memfd_create", "mount", "move_mount", "name_to_handle_at", "open_by_handle_at",
	"open_tree", "perf_event_open", "pidfd_getfd", "pivot_root", "process_vm_readv",
	"process_vm_writev", "ptrace", "reboot", "request_key", "setns", "swapon", "umount2",
	"unshare", "userfaultfd", "vfork"};

static int
add_all(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]), rc;

		/* Another architecture, or an older library. */
		if (number == __NR_SCMP_ERROR || number < 0)
			continue;
		rc = seccomp_rule_add(f, action, number, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* One form of a call: where (argument & mask) is value. */
static int
allow_form(scmp_filter_ctx f, int number, unsigned argument, uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp form = {
		.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 1, &form);
}

static int
add_some(scmp_filter_ctx f, bool network)
{
	const struct {
		int number;
		unsigned argument;
		uint64_t mask, value;
		bool network;
	} forms[] = {
		/* Threads, but no processes. */
		{SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD, false},
		/* Its own limits, which it cannot raise. */
		{SCMP_SYS(prlimit64), 0, UINT64_MAX, 0, false},
		/* abort(3) */
		{SCMP_SYS(tgkill), 0, UINT64_MAX, (uint64_t)getpid(), false},
		{SCMP_SYS(ioctl), 1, UINT64_MAX, FIONBIO, false},
		{SCMP_SYS(ioctl), 1, UINT64_MAX, FIONREAD, false},
		/* Not AF_UNIX, by which descriptors travel; but a pair of them, with which threads
		 * wake each other. */
		{SCMP_SYS(socket), 0, UINT64_MAX, AF_INET, true},
		{SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6, true},
		{SCMP_SYS(socketpair), 0, UINT64_MAX, AF_UNIX, true},
	};
	/* clone3(2) hides its flags; whoever has no such call falls back on clone(2). */
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(forms); i++)
		if (network || !forms[i].network)
			rc = allow_form(f, forms[i].number, forms[i].argument, forms[i].mask,
				forms[i].value);
	return rc;
}

/* What is neither allowed nor hostile is refused as a kernel without it would: another version of a
 * library may ask for something new, and can do without. The sanitizers' own run time asks for system
 * calls of every kind, when and where it likes: their builds refuse only what is listed as hostile. */
static int
filter_calls(bool network)
{
	scmp_filter_ctx f = seccomp_init(SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int rc = f != NULL ? 0 : -ENOMEM;

	/* Sanitizers start a symbolizer before they report. */
	if (rc == 0)
		rc = add_all(f, SANITIZED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS, hostile,
			ARRAY_LEN(hostile));
	if (rc == 0 && !SANITIZED)
		rc = add_all(f, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
	if (rc == 0 && !SANITIZED && network)
		rc = add_all(f, SCMP_ACT_ALLOW, allowed_with_network,
			ARRAY_LEN(allowed_with_network));
	if (rc == 0 && !SANITIZED)
		rc = add_some(f, network);
	if (rc == 0)
		rc = seccomp_load(f);
	if (f != NULL)
		seccomp_release(f);
	errno = -rc;
	return rc < 0 ? -1 : 0;
}

static bool
have_seccomp(void)
{
	uint32_t action = SCMP_ACT_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

const char *
confine_lacks(void)
{
	bool landlock = landlock_abi() >= 1, seccomp = have_seccomp();

	if (landlock && seccomp)
		return NULL;
	return landlock ? "no seccomp" : seccomp ? "no Landlock" : "neither Landlock nor seccomp";
}

/* Behind this nothing is gained by programs that are run, nobody may look into this process, and it
 * ends with the one that started it. (The last two are undone by a change of user.) */
static int
tie_down(pid_t parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -1;
	/* It may have ended before. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	return 0;
}

int
confine_enter(const struct confine *c, struct error *err)
{
	int ruleset;

	/* What root's environment holds may steer libraries. */
	if (clearenv() != 0 || (c->dir < 0 ? chdir("/") : fchdir(c->dir)) < 0)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: cannot enter its folder");
	ruleset = make_ruleset(c);
	if (ruleset < -1)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: Landlock");
	/* In this order: the parent may have had more descriptors open than this process may. */
	if (shed_descriptors(c, ruleset) < 0 || limit(RLIMIT_CORE, 0) < 0 ||
		limit(RLIMIT_NOFILE, DESCRIPTORS_MAX + c->file_count) < 0 || limit(RLIMIT_MSGQUEUE, 0) < 0)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: limits");
	if (confine_become(&c->user, err) < 0)
		return error_prefix(err, "sandbox");
	if (tie_down(c->parent) < 0)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: prctl");
	if (ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: Landlock");
	if (ruleset >= 0)
		(void)close(ruleset);
	if (have_seccomp() && filter_calls(c->network) < 0)
		return error_set_errno(err, ERROR_CONFIG, "sandbox: seccomp");
	return 0;
}

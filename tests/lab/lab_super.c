#include "tests/lab/lab_super.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "tests/lab/lab_ask.h"
#include "tests/lab/lab_make.h"
#include "tests/lab/lab_named.h"
#include "tests/lab/lab_pki.h"
#include "verifier/address.h"

enum {
	ASK_MS = 100, /* one question to a server that may not be up yet */
	NSD_TRIES = 5,
	START_LIMIT_MS = 120000, /* 20,000 zones on a busy machine */
	STOP_LIMIT_MS = 10000,   /* then SIGKILL */
	RELOAD_LIMIT_MS = 60000,
	NSD_PROCESSES_MAX = 64,
	HUP_AGAIN_MS = 1000, /* NSD may lose a SIGHUP that comes during a reload */
	TEXT_MAX = 64 << 10,
	NONCE_LEN = 8,
	SERVER_DIED = 3, /* exit code: temporary */
};

struct super {
	const char *dir;
	const struct lab_super_options *options;
	char nonce[2 * NONCE_LEN + 1];
	int lock_fd, signal_fd, owner_fd;
	int ready_fd; /* to tell who started us */
	sigset_t signals;
	struct lab_running lab;
	pid_t command; /* 0: none, or it has ended */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* --- children --------------------------------------------------------------------------------- */

struct command {
	char *const *argv;
	char *library_path; /* NULL: as it is */
	const char *log;    /* file for stderr, and stdout unless stdout_fd is given */
	int stdout_fd;      /* -1: the log */
};

static NORETURN void
child_exec(const struct super *s, const struct command *c, pid_t parent)
{
	int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* whoever kills the supervisor kills its servers */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
	if (fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 ||
		dup2(c->stdout_fd >= 0 ? c->stdout_fd : fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(127);
	if (c->library_path != NULL && setenv("LD_LIBRARY_PATH", c->library_path, 1) < 0)
		_exit(127);
	execv(c->argv[0], c->argv);
	dprintf(2, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

static pid_t
spawn(const struct super *s, const struct command *c, struct error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		child_exec(s, c, parent);
	if (pid < 0)
		error_set_errno(err, ERROR_TEMP, "fork");
	return pid;
}

/* The last line of a log, for an error message; lent from a static buffer-free copy in out. */
static void
last_line(const char *path, char *out, size_t size)
{
	struct error ignored = {0};
	struct buf text;
	char *p, *line;

	out[0] = '\0';
	buf_init(&text, 16 << 20);
	if (file_read(path, &text, &ignored) == 0 && text.data != NULL) {
		while (text.len > 0 && text.data[text.len - 1] == '\n')
			text.data[--text.len] = '\0';
		p = memrchr(text.data, '\n', text.len);
		line = p == NULL ? text.data : p + 1;
		snprintf(out, size, "%s", line);
	}
	buf_clear(&text);
}

void
lab_super_kill_descendants(void)
{
	char path[64];
	int status;

	/* children of children come to us as their parents die: until nobody is left */
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 1000; round++) {
		FILE *f = fopen(path, "re");
		int pid, n = 0;

		while (f != NULL && fscanf(f, "%d", &pid) == 1) {
			kill(pid, SIGKILL);
			n++;
		}
		if (f != NULL)
			fclose(f);
		if (n == 0 && waitpid(-1, &status, WNOHANG) <= 0)
			return;
		waitpid(-1, &status, 0);
	}
}

/* --- labd ------------------------------------------------------------------------------------- */

/* Reads "SMTP HTTPS DNS" from labd's standard output: it says so when it listens. */
static int
read_ports(struct super *s, int fd, const char *log, struct error *err)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char line[64] = "", why[200];
	unsigned int smtp = 0, https = 0, dns = 0;
	ssize_t n = 0;

	if (poll(&pfd, 1, START_LIMIT_MS) == 1)
		n = read(fd, line, sizeof(line) - 1);
	if (n <= 0 || sscanf(line, "%u %u %u", &smtp, &https, &dns) != 3) {
		last_line(log, why, sizeof(why));
		return error_set(err, ERROR_TEMP, "labd did not start: %s", why);
	}
	s->lab.smtp_port = (uint16_t)smtp;
	s->lab.https_port = (uint16_t)https;
	s->lab.dns_port = (uint16_t)dns;
	return 0;
}

static int
start_labd(struct super *s, const uint16_t ports[static 3], struct error *err)
{
	char self[PATH_MAX], smtp[8], https[8], dns[8], *program,
		*log = xasprintf("%s/run/labd.log", s->dir);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct command c = {.log = log};
	int pipe_fd[2] = {-1, -1}, rc = -1;
	char *argv[6];

	self[n > 0 ? n : 0] = '\0';
	*strrchr(self, '/') = '\0';
	program = xasprintf("%s/labd", self);
	snprintf(smtp, sizeof(smtp), "%u", ports[1]);
	snprintf(https, sizeof(https), "%u", ports[2]);
	snprintf(dns, sizeof(dns), "%u", ports[0]);
	argv[0] = program;
	argv[1] = (char *)(uintptr_t)s->dir;
	argv[2] = smtp;
	argv[3] = https;
	argv[4] = dns;
	argv[5] = NULL;
	c.argv = argv;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0) {
		error_set_errno(err, ERROR_TEMP, "pipe");
		goto out;
	}
	c.stdout_fd = pipe_fd[1];
	s->lab.labd = spawn(s, &c, err);
	close(pipe_fd[1]);
	if (s->lab.labd > 0)
		rc = read_ports(s, pipe_fd[0], log, err);
	close(pipe_fd[0]);
out:
	free(program);
	free(log);
	return rc;
}

/* --- NSD -------------------------------------------------------------------------------------- */

/* Fills program and the library path (NULL: none needed); both the caller's. */
static int
find_nsd(const struct super *s, char **program, char **library_path, struct error *err)
{
	char self[PATH_MAX], *roots[4] = {NULL};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *env = getenv("LAB_ROOT");
	int rc = -1;

	/* BUILD/lab/lab: the packages are usually beside BUILD, in build/lab-root */
	self[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 3 && strrchr(self, '/') != NULL; i++)
		*strrchr(self, '/') = '\0';
	roots[0] = s->options->root != NULL ? xstrdup(s->options->root) : NULL;
	roots[1] = env != NULL ? xstrdup(env) : NULL;
	roots[2] = xstrdup("build/lab-root");
	roots[3] = xasprintf("%s/lab-root", self);
	for (size_t i = 0; i < ARRAY_LEN(roots) && rc < 0; i++) {
		char *path = roots[i] == NULL ? NULL : xasprintf("%s/usr/sbin/nsd", roots[i]);

		if (path != NULL && access(path, X_OK) == 0) {
			char *pattern = xasprintf("%s/usr/lib/*-linux-gnu*", roots[i]);
			glob_t found;

			if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
				*library_path = xstrdup(found.gl_pathv[0]);
			globfree(&found);
			free(pattern);
			*program = path;
			path = NULL;
			rc = 0;
		}
		free(path);
	}
	if (rc < 0 && access("/usr/sbin/nsd", X_OK) == 0) {
		*program = xstrdup("/usr/sbin/nsd");
		rc = 0;
	}
	if (rc < 0)
		error_set(err, ERROR_CONFIG,
			"no nsd found: run scripts/lab-packages build/lab-root nsd (or set "
			"LAB_ROOT)");
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		free(roots[i]);
	return rc;
}

static int
write_nsd_conf(const struct super *s, const char *path, uint16_t port, struct error *err)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_addf(&text,
		"server:\n"
		"\tserver-count: 1\n"
		"\tip-address: " LAB_NSD_ADDRESS "\n"
		"\tport: %u\n"
		"\tdo-ip6: no\n"
		"\tusername: \"\"\n" /* stay who we are */
		"\tchroot: \"\"\n"
		"\tzonesdir: \"%s\"\n"
		"\tdatabase: \"\"\n"
		"\tpidfile: \"\"\n"
		"\txfrdfile: \"\"\n"
		"\txfrdir: \"%s/run\"\n"
		"\tzonelistfile: \"%s/run/zone.list\"\n"
		"\tlogfile: \"%s/run/nsd.log\"\n"
		"\tidentity: \"%s\"\n"
		"\thide-version: yes\n"
		"\ttcp-count: 200\n"
		"\trrl-ratelimit: 0\n" /* one client asks for everything here */
		"\trrl-whitelist-ratelimit: 0\n"
		"\tzonefiles-check: yes\n"
		"\tzonefiles-write: 0\n"
		"remote-control:\n"
		"\tcontrol-enable: no\n"
		"include: \"%s/nsd-zones.conf\"\n",
		port, s->dir, s->dir, s->dir, s->dir, s->nonce, s->dir);
	rc = file_replace(path, text.data, text.len, 0644, err);
	buf_clear(&text);
	return rc;
}

/* 1 it answers by UDP and takes TCP, 0 it has ended, -1 error. */
static int
await_nsd(struct super *s, struct error *err)
{
	uint16_t port = s->lab.dns_port;
	struct address at;
	int64_t limit = now_ms() + START_LIMIT_MS;
	int pidfd = pidfd_of(s->lab.nsd), rc = -1;
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	if (address_from_text(LAB_NSD_ADDRESS, port, &at) < 0)
		abort();
	while (now_ms() < limit) {
		char identity[64] = "";
		int status, fd;

		/* who answers must be ours: another lab may have taken the port before NSD did */
		rc = lab_ask_identity(port, ASK_MS, identity, sizeof(identity), err);
		if (rc < 0)
			goto out;
		if (rc == 1 && strcmp(identity, s->nonce) == 0) {
			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			rc = fd >= 0 && connect(fd, &at.u.sa, address_len(&at)) == 0;
			if (fd >= 0)
				close(fd);
			if (rc == 1)
				goto out;
		}
		/* the pause between two questions is the wait for NSD's end */
		if (poll(&ended, 1, ASK_MS / 10) == 1) {
			waitpid(s->lab.nsd, &status, 0);
			s->lab.nsd = 0;
			rc = 0;
			goto out;
		}
	}
	rc = error_set(err, ERROR_TEMP, "nsd does not answer");
out:
	if (pidfd >= 0)
		close(pidfd);
	return rc;
}

/* 1 it answers, 0 somebody else has the port there, -1 error. */
static int
start_nsd(struct super *s, struct error *err)
{
	char *conf = xasprintf("%s/run/nsd.conf", s->dir),
	     *log = xasprintf("%s/run/nsd.log", s->dir);
	char *out_log = xasprintf("%s/run/nsd.out", s->dir), *program = NULL, why[200],
	     nodaemon[] = "-d";
	char flag_c[] = "-c";
	struct command c = {.log = out_log, .stdout_fd = -1};
	int rc = -1;

	if (find_nsd(s, &program, &c.library_path, err) < 0)
		goto out;
	c.argv = (char *const[]){program, nodaemon, flag_c, conf, NULL};
	if (write_nsd_conf(s, conf, s->lab.dns_port, err) < 0 ||
		(s->lab.nsd = spawn(s, &c, err)) < 0)
		goto out;
	rc = await_nsd(s, err);
	if (rc != 0)
		goto out;
	last_line(log, why, sizeof(why));
	if (strstr(why, "in use") == NULL) {
		if (why[0] == '\0')
			last_line(out_log, why, sizeof(why));
		rc = error_set(err, ERROR_CONFIG, "nsd did not start: %s", why);
	}
out:
	free(c.library_path);
	free(program);
	free(out_log);
	free(log);
	free(conf);
	return rc;
}

/* Ends labd again. */
static void
stop_labd(struct super *s)
{
	int status;

	kill(s->lab.labd, SIGKILL);
	waitpid(s->lab.labd, &status, 0);
	s->lab.labd = 0;
}

/* labd chooses a port that is free at the front's addresses; NSD needs the same at its own. */
static int
start_servers(struct super *s, const uint16_t ports[static 3], struct error *err)
{
	for (int i = 0; i < NSD_TRIES; i++) {
		int rc;

		if (start_labd(s, ports, err) < 0)
			return -1;
		rc = start_nsd(s, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		stop_labd(s);
		if (ports[0] != 0)
			break;
	}
	return error_set(
		err, ERROR_TEMP, "nsd: port %u is taken at %s", s->lab.dns_port, LAB_NSD_ADDRESS);
}

/* --- files that tell about it ----------------------------------------------------------------- */

static int
write_env(const struct super *s, struct error *err)
{
	const struct lab_running *l = &s->lab;
	char *path = xasprintf("%s/lab.env", s->dir);
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_addf(&text,
		"LAB_DIR='%s'\nLAB_DNS=127.0.0.1@%u\nLAB_DNS_PORT=%u\nLAB_SMTP_PORT=%u\nLAB_HTTPS_"
		"PORT=%u\n"
		"LAB_CA_FILE='%s/ca/root.pem'\nLAB_TRUST_ANCHOR='%s/trust-anchor.key'\n"
		"LAB_SUPERVISOR=%d\nLAB_NSD=%d\nLAB_LABD=%d\n",
		s->dir, l->dns_port, l->dns_port, l->smtp_port, l->https_port, s->dir, s->dir,
		(int)l->supervisor, (int)l->nsd, (int)l->labd);
	rc = file_replace(path, text.data, text.len, 0644, err);
	buf_clear(&text);
	free(path);
	return rc;
}

static int
write_conf(const struct super *s, struct error *err)
{
	const struct lab_running *l = &s->lab;
	char *path = xasprintf("%s/preload25.conf", s->dir), *tlsa;
	struct lab_pki *pki;
	struct buf text;
	int rc = -1;

	buf_init(&text, TEXT_MAX);
	if (lab_pki_open(s->dir, &pki, err) < 0)
		goto out;
	tlsa = lab_pki_tlsa(pki, LAB_REFERENCE, LAB_CERT_OK, 3, 1, 1);
	buf_addf(&text,
		"; The lab as the internet.\n"
		"[dns]\n"
		"forward = 127.0.0.1@%u\n"
		"trust_anchor = %s/trust-anchor.key\n"
		"self_test_secure = " LAB_REFERENCE "\n"
		"self_test_bogus = " LAB_BROKEN "\n"
		"[network]\n"
		"allow = 127.0.0.0/8\n"
		"allow = ::ffff:127.0.0.0/104\n" /* lab_hosts.h */
		"allow = ::1\n"
		"smtp_port = %u\n"
		"https_port = %u\n"
		"ca_file = %s/ca/root.pem\n"
		"ehlo_name = probe.test\n"
		"reference_host = " LAB_REFERENCE "\n"
		"reference_spki = %s\n"
		/* The slow hosts decide how long a crawl takes. Of the others not so many share a busy
		 * machine that their time is up before it is their turn. */
		"[crawl]\n"
		"concurrency = 50\n"
		"deadline = 20\n"
		"connect_timeout = 10\n"
		"greeting_timeout = 10\n"
		"reply_timeout = 10\n"
		"session_timeout = 15\n"
		"fetch_timeout = 10\n",
		l->dns_port, s->dir, l->smtp_port, l->https_port, s->dir, strrchr(tlsa, ' ') + 1);
	rc = file_replace(path, text.data, text.len, 0644, err);
	free(tlsa);
	lab_pki_free(pki);
out:
	buf_clear(&text);
	free(path);
	return rc;
}

static void
remove_files(const struct super *s)
{
	static const char *const names[] = {"lab.env", "preload25.conf", "run/labd.sock"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s", s->dir, names[i]);

		unlink(path);
		free(path);
	}
}

static int
read_wanted_ports(const char *dir, uint16_t out[static 3], struct error *err)
{
	char *path = xasprintf("%s/ports", dir);
	unsigned int p[3];
	struct buf text;
	int rc = -1;

	buf_init(&text, TEXT_MAX);
	if (file_read(path, &text, err) < 0)
		error_prefix(err, "not a lab");
	else if (sscanf(buf_str(&text), "%u %u %u", &p[0], &p[1], &p[2]) != 3)
		error_set(err, ERROR_CONFIG, "%s: not three ports", path);
	else
		rc = 0;
	for (int i = 0; i < 3 && rc == 0; i++)
		out[i] = (uint16_t)p[i];
	buf_clear(&text);
	free(path);
	return rc;
}

/* --- the supervisor --------------------------------------------------------------------------- */

/* -1 with ERROR_TEMP when somebody else holds it. The pid inside is for lab_super_stop(). */
static int
take_lock(struct super *s, struct error *err)
{
	char *path = xasprintf("%s/run/lock", s->dir);
	int rc = 0;

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (s->lock_fd < 0)
		rc = error_set_errno(err, ERROR_CONFIG, "not a lab: %s", path);
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		rc = error_set(err, ERROR_TEMP, "%s: runs already", s->dir);
	else if (ftruncate(s->lock_fd, 0) < 0 || dprintf(s->lock_fd, "%d\n", (int)getpid()) < 0)
		rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	free(path);
	return rc;
}

static int
bring_up(struct super *s, struct error *err)
{
	uint16_t ports[3];
	uint8_t random[NONCE_LEN];

	if (RAND_bytes(random, sizeof(random)) <= 0)
		abort();
	str_hex(random, sizeof(random), s->nonce);
	s->lab.supervisor = getpid();
	if (take_lock(s, err) < 0 || read_wanted_ports(s->dir, ports, err) < 0)
		return -1;
	if (s->options->owner != 0 && (s->owner_fd = pidfd_of(s->options->owner)) < 0)
		return error_set_errno(err, ERROR_CONFIG, "process %d", (int)s->options->owner);
	if (start_servers(s, ports, err) < 0 || write_conf(s, err) < 0 || write_env(s, err) < 0)
		return -1;
	return 0;
}

static void
bring_down(struct super *s)
{
	int64_t limit = now_ms() + STOP_LIMIT_MS;
	pid_t pids[] = {s->command, s->lab.labd, s->lab.nsd};

	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		struct pollfd pfd = {.events = POLLIN};

		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGTERM);
		pfd.fd = pidfd_of(pids[i]);
		if (pfd.fd >= 0) {
			poll(&pfd, 1, (int)(limit - now_ms() > 0 ? limit - now_ms() : 0));
			close(pfd.fd);
		}
	}
	lab_super_kill_descendants();
}

/* Exit code as a shell gives it. */
static int
exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until somebody wants us to end. Returns the exit code. */
static int
watch(struct super *s)
{
	struct pollfd fds[2] = {
		{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->owner_fd, .events = POLLIN}};

	for (;;) {
		struct signalfd_siginfo info;
		int status;
		pid_t pid;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return SERVER_DIED;
		if (fds[1].revents != 0)
			return 0;
		if (fds[0].revents == 0 || read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD)
			return s->command > 0 ? 128 + (int)info.ssi_signo : 0;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == s->command) {
				s->command = 0;
				return exit_code(status);
			}
			if (pid == s->lab.nsd || pid == s->lab.labd) {
				fprintf(stderr, "lab: %s has ended by itself (status %d)\n",
					pid == s->lab.nsd ? "nsd" : "labd", status);
				return SERVER_DIED;
			}
		}
	}
}

static void
start_command(struct super *s)
{
	const struct lab_running *l = &s->lab;
	const struct {
		const char *name;
		char *value;
	} vars[] = {
		{"LAB_DIR", xstrdup(s->dir)},
		{"LAB_DNS", xasprintf("127.0.0.1@%u", l->dns_port)},
		{"LAB_DNS_PORT", xasprintf("%u", l->dns_port)},
		{"LAB_SMTP_PORT", xasprintf("%u", l->smtp_port)},
		{"LAB_HTTPS_PORT", xasprintf("%u", l->https_port)},
		{"LAB_CA_FILE", xasprintf("%s/ca/root.pem", s->dir)},
		{"LAB_TRUST_ANCHOR", xasprintf("%s/trust-anchor.key", s->dir)},
	};
	pid_t parent = getpid();

	s->command = fork();
	if (s->command == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(127);
		for (size_t i = 0; i < ARRAY_LEN(vars); i++)
			setenv(vars[i].name, vars[i].value, 1);
		sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
		execvp(s->options->command[0], s->options->command);
		fprintf(stderr, "lab: %s: %s\n", s->options->command[0], strerror(errno));
		_exit(127);
	}
	for (size_t i = 0; i < ARRAY_LEN(vars); i++)
		free(vars[i].value);
}

static NORETURN void
supervise(const char *dir, const struct lab_super_options *options, int ready_fd, pid_t parent)
{
	struct super s = {.dir = dir,
		.options = options,
		.lock_fd = -1,
		.owner_fd = -1,
		.ready_fd = ready_fd};
	struct error err = {0};
	int rc;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (options->with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
	} else {
		setsid();
	}
	prctl(PR_SET_NAME, "lab-supervisor");
	sigemptyset(&s.signals);
	sigaddset(&s.signals, SIGTERM);
	sigaddset(&s.signals, SIGINT);
	sigaddset(&s.signals, SIGHUP);
	sigaddset(&s.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s.signals, NULL);
	s.signal_fd = signalfd(-1, &s.signals, SFD_CLOEXEC);
	if (s.signal_fd < 0 || bring_up(&s, &err) < 0) {
		dprintf(ready_fd, "error %d %s\n", (int)err.kind, err.text);
		bring_down(&s);
		_exit(1);
	}
	dprintf(ready_fd, "ok %d %d %u %u %u\n", (int)s.lab.nsd, (int)s.lab.labd, s.lab.dns_port,
		s.lab.smtp_port, s.lab.https_port);
	close(ready_fd);
	if (!options->with_parent) { /* a daemon holds nobody's pipe open */
		char *log = xasprintf("%s/run/supervisor.log", dir);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(fd, 1) < 0 ||
			dup2(fd, 2) < 0)
			_exit(1);
		free(log);
	}
	if (options->command != NULL)
		start_command(&s);
	rc = s.command < 0 ? SERVER_DIED : watch(&s);
	bring_down(&s);
	remove_files(&s);
	_exit(rc);
}

int
lab_super_start(const char *dir, const struct lab_super_options *options, struct lab_running *out,
	struct error *err)
{
	int pipe_fd[2], kind = 0, used = 0, status;
	unsigned int dns, smtp, https;
	pid_t parent = getpid(), pid;
	char line[600] = "";
	size_t len = 0;
	ssize_t n;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return error_set_errno(err, ERROR_TEMP, "pipe");
	pid = fork();
	if (pid == 0) {
		close(pipe_fd[0]);
		supervise(dir, options, pipe_fd[1], parent);
	}
	close(pipe_fd[1]);
	if (pid < 0) {
		close(pipe_fd[0]);
		return error_set_errno(err, ERROR_TEMP, "fork");
	}
	while (len < sizeof(line) - 1 && strchr(line, '\n') == NULL &&
		(n = read(pipe_fd[0], line + len, sizeof(line) - 1 - len)) > 0)
		len += (size_t)n;
	close(pipe_fd[0]);
	line[strcspn(line, "\n")] = '\0';
	out->supervisor = pid;
	if (sscanf(line, "ok %d %d %u %u %u", &out->nsd, &out->labd, &dns, &smtp, &https) == 5) {
		out->dns_port = (uint16_t)dns;
		out->smtp_port = (uint16_t)smtp;
		out->https_port = (uint16_t)https;
		return 0;
	}
	waitpid(pid, &status, 0);
	if (sscanf(line, "error %d %n", &kind, &used) == 1)
		return error_set(err, (enum error_kind)kind, "%s", line + used);
	return error_set(err, ERROR_TEMP, "the supervisor has died");
}

static volatile sig_atomic_t passed_to;

static void
pass_on(int sig)
{
	kill(passed_to, sig);
}

int
lab_super_wait(const struct lab_running *lab, int *status, struct error *err)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction sa = {.sa_handler = pass_on};
	int raw = 0;
	pid_t pid;

	passed_to = lab->supervisor;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, NULL);
	while ((pid = waitpid(lab->supervisor, &raw, 0)) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFEXITED(raw))
		return error_set(err, ERROR_TEMP, "the supervisor has died");
	*status = WEXITSTATUS(raw);
	return 0;
}

/* --- from outside ----------------------------------------------------------------------------- */

/* 1 held by *pid, 0 free, -1 error. */
static int
lock_holder(const char *dir, pid_t *pid, struct error *err)
{
	char *path = xasprintf("%s/run/lock", dir), text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0) {
		if (errno != ENOENT)
			rc = error_set_errno(err, ERROR_CONFIG, "%s", path);
	} else if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		if (read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%d", pid) == 1)
			rc = 1;
		else
			rc = error_set(err, ERROR_TEMP, "%s: is just starting", dir);
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

int
lab_super_stop(const char *dir, struct error *err)
{
	struct pollfd pfd = {.events = POLLIN};
	pid_t pid = 0;
	int rc = lock_holder(dir, &pid, err);

	if (rc <= 0)
		return rc;
	pfd.fd = pidfd_of(pid);
	if (pfd.fd < 0)
		return errno == ESRCH ? 1
				      : error_set_errno(err, ERROR_TEMP, "process %d", (int)pid);
	if (kill(pid, SIGTERM) < 0 && errno != ESRCH)
		rc = error_set_errno(err, ERROR_CONFIG, "process %d", (int)pid);
	if (rc == 1 && poll(&pfd, 1, 2 * STOP_LIMIT_MS) != 1) {
		kill(pid, SIGKILL);
		poll(&pfd, 1, STOP_LIMIT_MS);
	}
	close(pfd.fd);
	return rc;
}

int
lab_super_status(const char *dir, struct lab_running *out, struct error *err)
{
	const struct {
		const char *name;
		uint16_t *port; /* one of the two */
		pid_t *pid;
	} fields[] = {
		{"LAB_DNS_PORT=", &out->dns_port, NULL},
		{"LAB_SMTP_PORT=", &out->smtp_port, NULL},
		{"LAB_HTTPS_PORT=", &out->https_port, NULL},
		{"LAB_SUPERVISOR=", NULL, &out->supervisor},
		{"LAB_NSD=", NULL, &out->nsd},
		{"LAB_LABD=", NULL, &out->labd},
	};
	char *path = xasprintf("%s/lab.env", dir);
	struct buf text;
	pid_t pid;
	int rc = lock_holder(dir, &pid, err);

	buf_init(&text, TEXT_MAX);
	if (rc == 1 && file_read(path, &text, err) < 0)
		rc = -1;
	for (size_t i = 0; i < ARRAY_LEN(fields) && rc == 1; i++) {
		const char *p = strstr(buf_str(&text), fields[i].name);
		long value = p == NULL ? -1 : strtol(p + strlen(fields[i].name), NULL, 10);

		if (value < 0)
			rc = error_set(err, ERROR_CONFIG, "%s: no %s", path, fields[i].name);
		else if (fields[i].port != NULL)
			*fields[i].port = (uint16_t)value;
		else
			*fields[i].pid = (pid_t)value;
	}
	buf_clear(&text);
	free(path);
	return rc;
}

/* Adds the processes below pid that have no children to pids[*count] (at most max): in NSD the ones
 * that answer, below those that watch over them. */
static void
add_leaves(pid_t pid, pid_t *pids, size_t max, size_t *count)
{
	char path[64], text[4096];
	char *next = text, *end;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	if (n == 0 && *count < max)
		pids[(*count)++] = pid;
	for (;;) {
		long child = strtol(next, &end, 10);

		if (end == next)
			return;
		next = end;
		add_leaves((pid_t)child, pids, max, count);
	}
}

static bool
is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

int
lab_super_reload_zone(
	const struct lab_running *lab, const char *zone, uint32_t serial, struct error *err)
{
	int64_t limit = now_ms() + RELOAD_LIMIT_MS, hup_at = 0;
	uint32_t seen = 0;
	pid_t old[NSD_PROCESSES_MAX];
	size_t old_count = 0;

	/* While NSD reloads, its old servers go on answering beside the new ones. */
	add_leaves(lab->nsd, old, NSD_PROCESSES_MAX, &old_count);

	while (now_ms() < limit) {
		int rc;

		if (now_ms() >= hup_at) {
			if (kill(lab->nsd, SIGHUP) < 0)
				return error_set_errno(err, ERROR_TEMP, "nsd");
			hup_at = now_ms() + HUP_AGAIN_MS;
		}
		rc = lab_ask_serial(lab->dns_port, zone, ASK_MS, &seen, err);
		if (rc < 0)
			return -1;
		while (old_count > 0 && is_gone(old[old_count - 1]))
			old_count--;
		if (old_count == 0 && rc == 1 && (int32_t)(seen - serial) >= 0)
			return 0;
		poll(NULL, 0, 5); /* between two questions */
	}
	return error_set(
		err, ERROR_TEMP, "%s: nsd still serves serial %u, not %u", zone, seen, serial);
}

#include "export/push.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <git2.h>

#include "common/clock.h"
#include "common/str.h"
#include "common/xalloc.h"

/* Pause behind the first failed try. */
#define PAUSE_S 1
/* Of a text that the other side has sent. */
#define REFUSAL_MAX 200

/* --- what a remote looks like -------------------------------------------------------------------
 */

static const char *const schemes[] = {"https", "http", "ssh", "git", "file"};

/* Behind "SCHEME://", if that is how it begins; *len is that of the scheme. */
static const char *
behind_scheme(const char *remote, size_t *len)
{
	const char *colon = strstr(remote, "://");

	if (colon == NULL || memchr(remote, '/', (size_t)(colon - remote)) != NULL)
		return NULL;
	*len = (size_t)(colon - remote);
	return colon + strlen("://");
}

/* "[USER[:PASSWORD]@]HOST[:PORT]/PATH" */
static const char *
url_fault(const char *rest)
{
	size_t len = strcspn(rest, "/");
	const char *at = memrchr(rest, '@', len), *host = at != NULL ? at + 1 : rest;
	size_t host_len = (size_t)(rest + len - host);
	const char *colon = memrchr(host, ':', host_len);
	uint64_t port;

	if (host_len > 0 && host[0] == '[' && memchr(host, ']', host_len) == NULL)
		return "an address without its closing bracket";
	if (colon != NULL && memchr(colon, ']', (size_t)(rest + len - colon)) != NULL)
		colon = NULL; /* inside an IPv6 address */
	if (colon != NULL) {
		if (str_parse_u64(colon + 1, (size_t)(rest + len - colon - 1), 65535, &port) < 0 ||
			port == 0)
			return "no port number";
		host_len = (size_t)(colon - host);
	}
	if (host_len == 0)
		return "no host";
	if (rest[len] == '\0' || rest[len + 1] == '\0')
		return "no path";
	return NULL;
}

const char *
push_remote_fault(const char *remote)
{
	size_t len = 0, colon;
	const char *rest = behind_scheme(remote, &len);

	for (const char *p = remote; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "a blank or control character in it";
	}
	if (rest != NULL) {
		for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
			if (strlen(schemes[i]) != len || strncmp(remote, schemes[i], len) != 0)
				continue;
			if (strcmp(schemes[i], "file") == 0)
				return rest[0] == '/' ? NULL : "no absolute path behind file://";
			return url_fault(rest);
		}
		return "neither https, http, ssh, git nor file";
	}
	colon = strcspn(remote, ":/");
	if (remote[colon] != ':')
		return remote[0] == '\0' ? "empty" : NULL;
	return colon == 0 ? "no host" : remote[colon + 1] == '\0' ? "no path" : NULL;
}

char *
push_remote_shown(const char *remote)
{
	size_t scheme;
	const char *rest = behind_scheme(remote, &scheme), *at, *colon;

	if (rest == NULL)
		return xstrdup(remote);
	at = memrchr(rest, '@', strcspn(rest, "/"));
	colon = at != NULL ? memchr(rest, ':', (size_t)(at - rest)) : NULL;
	if (colon == NULL)
		return xstrdup(remote);
	return xasprintf("%.*s:***%s", (int)(colon - remote), remote, at);
}

const char *
push_remote_path(const char *remote)
{
	if (str_starts(remote, "file://"))
		return remote + strlen("file://");
	/* HOST:PATH, as ssh knows it, and SCHEME: have their colon before any slash. */
	return remote[strcspn(remote, ":/")] != ':' ? remote : NULL;
}

/* --- one push, in a process of its own ----------------------------------------------------------
 */

struct push {
	const struct push_options *options;
	bool asked;                /* for credentials */
	char refused[REFUSAL_MAX]; /* why the other side did not take it */
};

static int
on_update(const char *ref UNUSED, const char *status, void *arg)
{
	struct push *p = arg;

	/* NULL: taken. */
	if (status != NULL)
		str_escape(status, strlen(status), p->refused, sizeof(p->refused));
	return 0;
}

static int
on_credentials(
	git_credential **out, const char *url UNUSED, const char *user, unsigned allowed, void *arg)
{
	struct push *p = arg;

	if (user == NULL)
		user = "git";
	if ((allowed & GIT_CREDENTIAL_SSH_KEY) == 0 && (allowed & GIT_CREDENTIAL_USERNAME) != 0)
		return git_credential_username_new(out, user);
	/* Only what works without a person, and once: libgit2 asks again after a refusal. */
	if ((allowed & GIT_CREDENTIAL_SSH_KEY) == 0 || p->asked)
		return GIT_EAUTH;
	p->asked = true;
	if (p->options->ssh_key != NULL)
		return git_credential_ssh_key_new(out, user, NULL, p->options->ssh_key, NULL);
	return git_credential_ssh_key_from_agent(out, user);
}

/* Local repositories are looked at first: libgit2's words for what is not there are many. NULL: it
 * can be pushed to. */
static const char *
local_fault(const char *remote)
{
	const char *path = push_remote_path(remote), *fault = NULL;
	git_repository *repo = NULL;

	if (path == NULL)
		return NULL;
	if (git_repository_open_ext(&repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0)
		fault = "there is no git repository (git init --bare makes one)";
	else if (!git_repository_is_bare(repo))
		fault = "has a work tree, which a push would leave behind; name a bare repository";
	git_repository_free(repo);
	return fault;
}

static int
failed(const char *shown, int code, struct error *err)
{
	const git_error *e = git_error_last();
	const char *why = e != NULL ? e->message : "git failed";

	switch (code) {
	case GIT_ENONFASTFORWARD:
		return error_set(err, ERROR_CONFIG,
			"%s: has commits that are not ours; nothing there was changed (see "
			"\"Diverged "
			"remotes\" in preload25(1))",
			shown);
	case GIT_ECERTIFICATE:
		return error_set(err, ERROR_TEMP, "%s: %s (ssh: is its key in ~/.ssh/known_hosts?)",
			shown, why);
	case GIT_EAUTH:
		return error_set(err, ERROR_TEMP, "%s: not let in: %s", shown, why);
	default:
		return error_set(err, ERROR_TEMP, "%s: %s", shown, why);
	}
}

static int
push_once(const char *path, const char *remote, const char *shown,
	const struct push_options *options, struct error *err)
{
	struct push push = {.options = options};
	git_push_options git_options;
	git_repository *repo = NULL;
	git_reference *head = NULL;
	git_remote *to = NULL;
	const char *fault = local_fault(remote);
	char *refspec = NULL;
	int rc;

	if (fault != NULL)
		return error_set(err, ERROR_CONFIG, "%s: %s", shown, fault);
	(void)git_push_options_init(&git_options, GIT_PUSH_OPTIONS_VERSION);
	git_options.callbacks.push_update_reference = on_update;
	git_options.callbacks.credentials = on_credentials;
	git_options.callbacks.payload = &push;
	if ((rc = git_repository_open_ext(&repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL)) < 0 ||
		(rc = git_repository_head(&head, repo)) < 0 ||
		(rc = git_remote_create_anonymous(&to, repo, remote)) < 0) {
		rc = failed(shown, rc, err);
		goto out;
	}
	refspec = xasprintf("%s:%s", git_reference_name(head), git_reference_name(head));
	rc = git_remote_push(
		to, &(git_strarray){.strings = (char *[]){refspec}, .count = 1}, &git_options);
	if (rc < 0)
		rc = failed(shown, rc, err);
	else if (push.refused[0] != '\0')
		rc = error_set(err, ERROR_TEMP, "%s: refused: %s", shown, push.refused);
out:
	free(refspec);
	git_remote_free(to);
	git_reference_free(head);
	git_repository_free(repo);
	return rc;
}

/* Tells the parent what has become of a try. One write of less than PIPE_BUF octets is whole. */
static void
tell(int fd, const struct error *result)
{
	ssize_t n;

	do
		n = write(fd, result, sizeof(*result));
	while (n < 0 && errno == EINTR);
}

static void run_child(const char *path, const char *remote, const char *shown,
	const struct push_options *options, int fd) __attribute__((noreturn));

static void
run_child(const char *path, const char *remote, const char *shown,
	const struct push_options *options, int fd)
{
	struct timespec pause = {.tv_sec = PAUSE_S};
	struct error result;

	(void)git_libgit2_init();
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	if (options->ca_file != NULL &&
		git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, options->ca_file, NULL) < 0) {
		error_set(
			&result, ERROR_CONFIG, "%s: not a file of certificates", options->ca_file);
		tell(fd, &result);
		_exit(0);
	}
	for (int64_t i = 0; i < options->tries; i++) {
		if (i > 0) {
			(void)nanosleep(&pause, NULL);
			pause.tv_sec *= 2;
		}
		error_clear(&result);
		if (push_once(path, remote, shown, options, &result) == 0)
			error_clear(&result);
		tell(fd, &result);
		if (result.kind != ERROR_TEMP)
			break;
	}
	/* What the parent had open and buffered is not the child's to end. */
	_exit(0);
}

/* --- all of them --------------------------------------------------------------------------------
 */

struct child {
	pid_t pid; /* 0: none */
	int fd;    /* -1: it has said all */
	char *shown;
	bool told; /* the result is that of a try that has ended */
};

static void
start(struct child *c, const char *path, const char *remote, const struct push_options *options,
	struct error *result)
{
	pid_t parent = getpid();
	int fds[2];

	c->fd = -1;
	c->shown = push_remote_shown(remote);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		error_set_errno(result, ERROR_TEMP, "%s", c->shown);
		return;
	}
	c->pid = fork();
	if (c->pid == 0) {
		/* The lock on the repository lives as long as any process that inherited it. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		run_child(path, remote, c->shown, options, fds[1]);
	}
	(void)close(fds[1]);
	if (c->pid < 0) {
		c->pid = 0;
		error_set_errno(result, ERROR_TEMP, "%s", c->shown);
		(void)close(fds[0]);
		return;
	}
	c->fd = fds[0];
}

/* Takes what one child has to say. */
static void
hear(struct child *c, struct error *result)
{
	struct error said;
	ssize_t n = read(c->fd, &said, sizeof(said));

	if (n < 0 && errno == EINTR)
		return;
	if (n == (ssize_t)sizeof(said)) {
		*result = said;
		c->told = true;
		return;
	}
	(void)close(c->fd);
	c->fd = -1;
	if (!c->told)
		error_set(result, ERROR_TEMP, "%s: the push ended without a word", c->shown);
}

static void
give_up(struct child *c, int64_t timeout_s, struct error *result)
{
	(void)kill(c->pid, SIGKILL);
	(void)close(c->fd);
	c->fd = -1;
	if (c->told && result->kind != ERROR_NONE)
		error_prefix(result, "given up after %lld s", (long long)timeout_s);
	else if (!c->told)
		error_set(result, ERROR_TEMP, "%s: no answer within %lld s", c->shown,
			(long long)timeout_s);
}

void
push_all(const char *path, const char *const *remotes, size_t count,
	const struct push_options *options, struct error *results)
{
	struct child *children = xcalloc(count, sizeof(*children));
	struct pollfd *polls = xcalloc(count, sizeof(*polls));
	int64_t end_ms = clock_monotonic_ms() + options->timeout_s * 1000;
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		error_clear(&results[i]);
		start(&children[i], path, remotes[i], options, &results[i]);
		open += children[i].fd >= 0;
	}
	while (open > 0) {
		int64_t left_ms = end_ms - clock_monotonic_ms();
		int n;

		for (size_t i = 0; i < count; i++)
			polls[i] = (struct pollfd){.fd = children[i].fd, .events = POLLIN};
		n = left_ms > 0 ? poll(polls, (nfds_t)count, (int)left_ms) : 0;
		if (n < 0 && errno != EINTR)
			abort(); /* memory or a wrong descriptor */
		for (size_t i = 0; i < count; i++) {
			if (children[i].fd < 0)
				continue;
			if (n == 0)
				give_up(&children[i], options->timeout_s, &results[i]);
			else if (n > 0 && polls[i].revents != 0)
				hear(&children[i], &results[i]);
			open -= children[i].fd < 0;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (children[i].pid > 0)
			(void)waitpid(children[i].pid, NULL, 0);
		free(children[i].shown);
	}
	free(polls);
	free(children);
}

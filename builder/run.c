#include "builder/run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "builder/authority_init.h"
#include "builder/settings.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "export/repository.h"
#include "export/tuf_metadata.h"

/* Seconds between two looks at the timestamp, and until what failed is tried again. */
#define LOOK_S  60
#define RETRY_S 60
/* Seconds that the acts get to end in order. */
#define STOP_S      30
#define METRICS_MAX ((size_t)64 * 1024)
#define NEVER       INT64_MAX

enum { CRAWL, BUILD, PUBLISH, TIMESTAMP, JOB_COUNT };

struct job {
	const char *name; /* for messages and metrics */
	const char *args[2];
	pid_t pid;      /* 0: does not run */
	int64_t due_s;  /* by the monotonic clock */
	int64_t good_s; /* when it last ended well; 0: never */
	bool failed;    /* the last time */
};

struct run {
	const struct settings *settings;
	const char *config;
	const struct clock *clock;
	sigset_t before; /* the mask that the acts are given */
	struct job jobs[JOB_COUNT];
};

static int64_t
monotonic_s(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		abort();
	return ts.tv_sec;
}

/* --- what is published --------------------------------------------------------------------------
 */

static int
look(const struct run *run, struct repository **out, struct error *err)
{
	struct repository_options options;

	authority_repository_options(run->settings, AUTHORITY_NO_KEYS, &options);
	return repository_look(&options, out, err);
}

/* Whether half of the timestamp's life is over. One that cannot be read is left to publish. */
static bool
timestamp_is_old(const struct run *run)
{
	struct repository *r;
	struct error why;
	const struct tuf_meta *timestamp;
	int64_t left_s;
	bool old;

	if (look(run, &r, &why) < 0) {
		log_debug("%s", why.text);
		return false;
	}
	timestamp = repository_meta(r, TUF_ROLE_TIMESTAMP);
	left_s = timestamp != NULL ? tuf_meta_expires(timestamp) - clock_now(run->clock) : 0;
	old = timestamp != NULL && left_s < run->settings->repository.timestamp_expires_s / 2;
	repository_close(r);
	return old;
}

static void
add_roles(const struct run *run, struct buf *text)
{
	struct repository *r;
	struct error why;

	if (look(run, &r, &why) < 0) {
		log_debug("%s", why.text);
		return;
	}
	(void)buf_add_str(text, "# TYPE preload25_role_expires_timestamp_seconds gauge\n");
	for (int i = 0; i < TUF_ROLE_COUNT; i++) {
		const struct tuf_meta *meta = repository_meta(r, (enum tuf_role)i);

		if (meta != NULL)
			(void)buf_addf(text,
				"preload25_role_expires_timestamp_seconds{role=\"%s\"} %" PRId64
				"\n",
				tuf_role_name((enum tuf_role)i), tuf_meta_expires(meta));
	}
	repository_close(r);
}

/* For the textfile collector of Prometheus' node exporter. */
static void
write_metrics(const struct run *run)
{
	const char *path = run->settings->run.metrics_file;
	struct error why;
	struct buf text;

	if (path == NULL)
		return;
	buf_init(&text, METRICS_MAX);
	add_roles(run, &text);
	(void)buf_add_str(&text, "# TYPE preload25_act_failed gauge\n");
	for (size_t i = 0; i < JOB_COUNT; i++)
		(void)buf_addf(&text, "preload25_act_failed{act=\"%s\"} %d\n", run->jobs[i].name,
			run->jobs[i].failed);
	(void)buf_add_str(&text, "# TYPE preload25_act_success_timestamp_seconds gauge\n");
	for (size_t i = 0; i < JOB_COUNT; i++)
		(void)buf_addf(&text,
			"preload25_act_success_timestamp_seconds{act=\"%s\"} %" PRId64 "\n",
			run->jobs[i].name, run->jobs[i].good_s);
	if (file_replace(path, text.data, text.len, 0644, &why) < 0)
		log_error("%s", why.text);
	buf_clear(&text);
}

/* --- acts ---------------------------------------------------------------------------------------
 */

static bool
writes_repository(size_t job)
{
	return job != CRAWL;
}

static bool
may_start(const struct run *run, size_t job)
{
	if (!writes_repository(job))
		return true;
	for (size_t i = 0; i < JOB_COUNT; i++)
		if (writes_repository(i) && run->jobs[i].pid != 0)
			return false;
	return true;
}

static int
start(struct run *run, struct job *job, struct error *err)
{
	char *argv[] = {(char *)(uintptr_t) "preload25", (char *)(uintptr_t) "--config",
		(char *)(uintptr_t)run->config, (char *)(uintptr_t)job->args[0],
		(char *)(uintptr_t)job->args[1], NULL};
	const pid_t self = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return error_set_errno(err, ERROR_TEMP, "%s: cannot fork", job->name);
	if (pid == 0) {
		/* None of them outlives this process, however it ends. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != self)
			_exit(3);
		(void)sigprocmask(SIG_SETMASK, &run->before, NULL);
		(void)execv("/proc/self/exe", argv);
		_exit(3);
	}
	job->pid = pid;
	return 0;
}

static void
on_end(struct run *run, size_t which, int status)
{
	struct job *job = &run->jobs[which];
	const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	const int64_t now_s = monotonic_s();

	job->pid = 0;
	job->failed = code != 0;
	if (code == 0)
		job->good_s = clock_now(run->clock);
	else if (code < 0)
		log_error("run: %s was ended by signal %d; again in %d s", job->name,
			WTERMSIG(status), RETRY_S);
	else
		log_error("run: %s ended with status %d%s", job->name, code,
			which == BUILD && code == 1 ? "" : "; it is tried again");
	switch (which) {
	case CRAWL:
		job->due_s = now_s + RETRY_S;
		break;
	case BUILD:
		/* A build that the brake has stopped is no better a minute later. */
		job->due_s =
			now_s + (code == 0 || code == 1 ? run->settings->run.publish_s : RETRY_S);
		run->jobs[PUBLISH].due_s = now_s;
		break;
	case PUBLISH:
		job->due_s = code == 0 ? NEVER : now_s + RETRY_S;
		break;
	default:
		job->due_s = now_s + LOOK_S;
		break;
	}
	write_metrics(run);
}

/* Notices which of them have ended. */
static void
reap(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < JOB_COUNT; i++)
			if (run->jobs[i].pid == pid)
				on_end(run, i, status);
	}
}

static int
start_due(struct run *run, struct error *err)
{
	for (size_t i = 0; i < JOB_COUNT; i++) {
		struct job *job = &run->jobs[i];

		if (job->pid != 0 || job->due_s > monotonic_s() || !may_start(run, i))
			continue;
		if (i == TIMESTAMP && !timestamp_is_old(run)) {
			job->due_s = monotonic_s() + LOOK_S;
			write_metrics(run);
			continue;
		}
		if (start(run, job, err) < 0)
			return -1;
	}
	return 0;
}

/* Seconds until something is due, at most LOOK_S. */
static time_t
until_due(const struct run *run)
{
	int64_t now_s = monotonic_s(), wait_s = LOOK_S;

	for (size_t i = 0; i < JOB_COUNT; i++) {
		const struct job *job = &run->jobs[i];

		/* What waits for another act is looked at when that one ends. */
		if (job->pid == 0 && job->due_s != NEVER && may_start(run, i) &&
			job->due_s - now_s < wait_s)
			wait_s = job->due_s - now_s;
	}
	return (time_t)(wait_s > 0 ? wait_s : 0);
}

static bool
any_runs(const struct run *run)
{
	for (size_t i = 0; i < JOB_COUNT; i++)
		if (run->jobs[i].pid != 0)
			return true;
	return false;
}

/* Ends what runs; whatever it was at is completed by the next run. */
static void
stop(struct run *run, const sigset_t *signals)
{
	const int64_t end_s = monotonic_s() + STOP_S;
	bool killed = false;

	for (size_t i = 0; i < JOB_COUNT; i++)
		if (run->jobs[i].pid != 0)
			(void)kill(run->jobs[i].pid, SIGTERM);
	while (any_runs(run)) {
		const struct timespec second = {.tv_sec = 1};
		int status;
		pid_t pid;

		(void)sigtimedwait(signals, NULL, &second);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			for (size_t i = 0; i < JOB_COUNT; i++)
				if (run->jobs[i].pid == pid)
					run->jobs[i].pid = 0;
		for (size_t i = 0; !killed && monotonic_s() >= end_s && i < JOB_COUNT; i++)
			if (run->jobs[i].pid != 0)
				(void)kill(run->jobs[i].pid, SIGKILL);
		killed = monotonic_s() >= end_s;
	}
}

int
run_until_signal(const struct settings *settings, const char *config, const struct clock *clock,
	struct error *err)
{
	struct run run = {
		.settings = settings,
		.config = config,
		.clock = clock,
		.jobs = {[CRAWL] = {.name = "crawl", .args = {"crawl"}},
			[BUILD] = {.name = "build", .args = {"build"}},
			[PUBLISH] = {.name = "publish", .args = {"publish"}, .due_s = NEVER},
			[TIMESTAMP] = {.name = "timestamp", .args = {"publish", "--timestamp"}}},
	};
	sigset_t signals;
	int rc = 0, caught = 0;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, &run.before) < 0)
		return error_set_errno(err, ERROR_TEMP, "run: signals");
	log_info("run: begins");
	while (rc == 0 && caught != SIGTERM && caught != SIGINT) {
		struct timespec wait = {0};

		reap(&run);
		rc = start_due(&run, err);
		wait.tv_sec = until_due(&run);
		caught = sigtimedwait(&signals, NULL, &wait);
	}
	stop(&run, &signals);
	write_metrics(&run);
	(void)sigprocmask(SIG_SETMASK, &run.before, NULL);
	if (rc == 0)
		log_info("run: ended by a signal");
	return rc;
}

/*
 * bench_list: lists of N entries (default 1,000,000): written, read, compared, built from a store,
 * published. Each phase is a process of its own; printed are its time, its largest resident size,
 * and the ratio of its time to that of sha256sum and cat of the same bytes.
 *
 *	bench_list [N [DIR]]     with DIR the authority is left there
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "builder/build.h"
#include "builder/life.h"
#include "builder/publish.h"
#include "builder/store.h"
#include "common/attr.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_diff.h"
#include "export/list_reader.h"
#include "export/list_writer.h"
#include "export/repository.h"
#include "export/tuf_signer.h"

#define DAY       INT64_C(86400)
#define PROVIDERS 500

static int64_t now_s;
static long entries = 1000000;
static char *dir;

static NORETURN void
die(const struct error *err)
{
	fprintf(stderr, "bench_list: %s\n", err->text);
	_exit(2);
}

static char *
in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

/* --- what the lists hold ------------------------------------------------------------------------
 */

static void
domain_of(long i, char out[static 32])
{
	snprintf(out, 32, "d%08ld.example", i);
}

/* Six of ten domains are with one of 500 providers, as mail is in life; the others have MX hosts of
 * their own. One in a thousand lacks a confirmation. */
static size_t
policy_of(long i, bool changed, char *out, size_t size)
{
	const char *tls = changed && i % 100 == 7 ? "1.3" : "1.2";

	if (i % 10 < 6)
		return (size_t)snprintf(out, size,
			"{\"auth\":[\"pkix\"],\"max_age\":604800,\"mode\":\"enforce\","
			"\"mxs\":[\"*.mail.provider%03ld.example\",\"mx.provider%03ld.example\"],"
			"\"source\":\"mta-sts\",\"tls\":\"1.3\"}",
			i % PROVIDERS, i % PROVIDERS);
	return (size_t)snprintf(out, size,
		"{\"auth\":[\"dane\",\"pkix\"],\"max_age\":31557600,\"mode\":\"%s\","
		"\"mxs\":[\"mx1.d%08ld.example\",\"mx2.d%08ld.example\"],"
		"\"source\":\"mta-sts\",\"tls\":\"%s\"}",
		i % 3 ? "enforce" : "testing", i, i, tls);
}

static int64_t
confirmed_of(long i)
{
	return i % 1000 == 999 ? now_s - 3 * DAY : now_s - i % 20000;
}

/* --- phases -------------------------------------------------------------------------------------
 */

static void
write_list(const char *name, bool changed)
{
	struct list_header h = {"bench", now_s - DAY, now_s + 14 * DAY, now_s, 3, changed ? 2 : 1};
	struct list_writer *w;
	struct error err;
	char *path = in_dir(name), text[400], domain[32];

	if (list_writer_open(path, &h, &w, &err) < 0)
		die(&err);
	for (long i = 0; i < PROVIDERS && i < entries; i++) {
		size_t len = policy_of(i, false, text, sizeof(text));

		if (i % 10 < 6 && i + PROVIDERS < entries)
			(void)list_writer_share(w, text, len);
	}
	for (long i = 0; i < entries; i++) {
		size_t len = policy_of(i, changed, text, sizeof(text));

		domain_of(i, domain);
		list_writer_add(w, domain, i % 1000 == 999 ? confirmed_of(i) : 0, text, len);
	}
	if (list_writer_commit(w, NULL, &err) < 0)
		die(&err);
	list_writer_free(w);
	free(path);
}

static void
phase_write(void)
{
	write_list("a.json", false);
}

static void
phase_write_changed(void)
{
	write_list("b.json", true);
}

static void
phase_read(void)
{
	const struct list_entry *e;
	struct list_reader *r;
	struct error err;
	char *path = in_dir("a.json");
	int rc;

	if (list_reader_open(path, &r, &err) < 0)
		die(&err);
	while ((rc = list_reader_next(r, &e, &err)) > 0)
		;
	if (rc < 0)
		die(&err);
	list_reader_close(r);
	free(path);
}

static void
phase_diff(void)
{
	struct list_reader *a, *b;
	struct list_diff d;
	struct error err;
	char *a_path = in_dir("a.json"), *b_path = in_dir("b.json");

	if (list_reader_open(a_path, &a, &err) < 0 || list_reader_open(b_path, &b, &err) < 0 ||
		list_diff(a, b, &d, &err) < 0)
		die(&err);
	list_reader_close(a);
	list_reader_close(b);
	free(a_path);
	free(b_path);
}

static void
exec_on(const char *tool, const char *name)
{
	char *path = in_dir(name);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)dup2(null, 1);
	execlp(tool, tool, path, (char *)NULL);
	_exit(127);
}

static void
phase_sha256sum(void)
{
	exec_on("sha256sum", "a.json");
}

/* To a file: cat notices /dev/null no more than any other, but a copy is what a build leaves. */
static void
phase_cat(void)
{
	char *copy = in_dir("copy.json");
	char *path = in_dir("a.json");
	int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)dup2(fd, 1);
	execlp("cat", "cat", path, (char *)NULL);
	_exit(127);
}

/* --- an authority -------------------------------------------------------------------------------
 */

static char *uris[TUF_ROLE_COUNT];

static struct repository_options
options(void)
{
	struct repository_options o = {.path = in_dir("repository"),
		.author_name = "bench",
		.author_mail = "bench@localhost"};

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (uris[i] == NULL)
			uris[i] = xasprintf("file:%s/%s.pem", dir, tuf_role_name((enum tuf_role)i));
		o.keys[i] =
			(struct repository_keys){.uris = (const char *const *)&uris[i], .count = 1};
		o.expires_s[i] = 365 * DAY;
	}
	return o;
}

static struct store *
open_store(void)
{
	char *url = xasprintf("sqlite:%s/bench.db", dir);
	struct store *s;
	struct error err;

	if (store_open(url, STORE_CREATE, &s, &err) < 0)
		die(&err);
	free(url);
	return s;
}

/* Life as it is after a week of passes. */
static void
phase_fill(void)
{
	struct store_domain d;
	struct store *s = open_store();
	struct error err;
	char text[400], name[32];

	memset(&d, 0, sizeof(d));
	for (long i = 0; i < entries; i++) {
		struct life_result result;

		if (i % 10000 == 0 &&
			((i > 0 && store_commit(s, &err) < 0) || store_begin(s, &err) < 0))
			die(&err);
		domain_of(i, name);
		(void)policy_of(i, false, text, sizeof(text));
		if (store_add(s, name, "import", now_s - 8 * DAY, &err) < 0 ||
			store_find(s, name, &d, &err) <= 0)
			die(&err);
		memset(&result, 0, sizeof(result));
		result.life = d.life;
		result.life.state = LIFE_LISTED;
		result.life.policy = text;
		result.life.confirmed_s = confirmed_of(i);
		if (store_put_life(s, &d, &result, now_s - DAY, "bench", 0, &err) < 0)
			die(&err);
	}
	if (store_commit(s, &err) < 0)
		die(&err);
	store_domain_clear(&d);
	store_close(s);
}

static void
make_authority(void)
{
	struct repository_options o = options();
	struct tuf_signer *signer;
	struct error err;

	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		if (tuf_signer_generate(o.keys[i].uris[0] + strlen("file:"), "ed25519", NULL,
			    &signer, &err) < 0)
			die(&err);
		tuf_signer_free(signer);
	}
	if (repository_create(&o, now_s - DAY, &err) < 0)
		die(&err);
	free((char *)(uintptr_t)o.path);
}

static struct repository *
open_repository(void)
{
	struct repository_options o = options();
	struct repository *r;
	struct error err;

	if (repository_open(&o, &r, &err) < 0)
		die(&err);
	free((char *)(uintptr_t)o.path);
	return r;
}

static void
phase_build(void)
{
	static const struct build_rules rules = {.author = "bench",
		.vantages = 3,
		.expires_s = 14 * DAY,
		.fresh_s = DAY,
		.churn_percent = 2};
	struct repository *r = open_repository();
	struct store *s = open_store();
	struct error err;
	struct build b;
	int rc = build_list(s, r, &rules, now_s, &b, &err);

	if (rc < 0)
		die(&err);
	repository_close(r);
	store_close(s);
	_exit(rc > 0 && b.made.entries == entries ? 0 : 3);
}

static void
phase_publish(void)
{
	struct repository *r = open_repository();
	struct store *s = open_store();
	struct published p;
	struct error err;

	if (publish_next(s, r, now_s, &p, &err) < 0)
		die(&err);
	repository_close(r);
	store_close(s);
}

/* --- measuring ----------------------------------------------------------------------------------
 */

struct figures {
	double wall_s, cpu_s;
	long rss_kib;
};

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static struct figures
measure(void (*phase)(void))
{
	struct timespec start, end;
	struct figures f = {0};
	struct rusage usage;
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid == 0) {
		phase();
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) ||
		WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench_list: a phase failed (status %d)\n", status);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	f.wall_s =
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	f.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
	f.rss_kib = usage.ru_maxrss;
	return f;
}

static void
print(const char *name, struct figures f, struct figures base)
{
	printf("%-28s %8.2f s wall %8.2f s cpu %7.1f MiB", name, f.wall_s, f.cpu_s,
		(double)f.rss_kib / 1024);
	if (base.cpu_s > 0)
		printf("  %5.2f x wall, %5.2f x cpu of sha256sum + cat", f.wall_s / base.wall_s,
			f.cpu_s / base.cpu_s);
	printf("\n");
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

int
main(int argc, char **argv)
{
	const struct figures none = {0};
	struct figures write, sum, cat, base, build;
	char temporary[] = "/tmp/preload25-bench-XXXXXX", *path;
	struct clock clock;
	struct error err;
	struct stat st;

	if (clock_from_env(&clock, &err) < 0)
		die(&err);
	now_s = clock_now(&clock);
	if (argc > 1)
		entries = strtol(argv[1], NULL, 10);
	if (entries < 1 || entries > 99999999 || argc > 3) {
		fprintf(stderr, "usage: bench_list [N [DIR]]\n");
		return 2;
	}
	dir = argc > 2 ? argv[2] : mkdtemp(temporary);
	if (dir == NULL || (argc > 2 && mkdir(dir, 0700) < 0)) {
		perror("bench_list: directory");
		return 2;
	}
	write = measure(phase_write);
	path = in_dir("a.json");
	if (stat(path, &st) < 0) {
		perror(path);
		return 1;
	}
	free(path);
	(void)measure(phase_sha256sum); /* once for the page cache */
	sum = measure(phase_sha256sum);
	cat = measure(phase_cat);
	base = (struct figures){sum.wall_s + cat.wall_s, sum.cpu_s + cat.cpu_s, 0};
	printf("%ld entries, %.1f MB\n", entries, (double)st.st_size / 1e6);
	print("sha256sum", sum, none);
	print("cat to a file", cat, none);
	print("write", write, base);
	print("read and check", measure(phase_read), base);
	(void)measure(phase_write_changed);
	print("compare two lists", measure(phase_diff), base);
	print("fill the store", measure(phase_fill), none);
	make_authority();
	build = measure(phase_build);
	print("build, none before", build, base);
	print("publish", measure(phase_publish), base);
	build = measure(phase_build);
	print("build and compare", build, base);
	if (argc <= 2)
		(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

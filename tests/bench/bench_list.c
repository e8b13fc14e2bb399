/*
 * bench_list: lists of N entries (default 1,000,000): written, read, compared, built from a store,
 * published; and deltas between lists of which one entry in a hundred differs. Each phase is a
 *process of its own; printed are its time, its largest resident size, and the ratio of its time to
 *that of sha256sum and cat of the same bytes.
 *
 *	bench_list [N [DIR [PUBLICATIONS]]]	with DIR the authority is left there
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
#include "common/file.h"
#include "common/xalloc.h"
#include "export/delta.h"
#include "export/list.h"
#include "export/list_diff.h"
#include "export/list_reader.h"
#include "export/list_writer.h"
#include "export/repository.h"
#include "export/tuf_metadata.h"
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
		/* Two in a thousand come or go. */
		if (i % 1000 == (changed ? 608 : 609))
			continue;
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
read_list(const char *name)
{
	const struct list_entry *e;
	struct list_reader *r;
	struct error err;
	char *path = in_dir(name);
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
phase_read(void)
{
	read_list("a.json");
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

/* --- deltas -------------------------------------------------------------------------------------
 */

static void
phase_cat_both(void)
{
	char *a = in_dir("a.json"), *b = in_dir("b.json");
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)dup2(null, 1);
	execlp("cat", "cat", a, b, (char *)NULL);
	_exit(127);
}

static void
phase_read_both(void)
{
	read_list("a.json");
	read_list("b.json");
}

static void
phase_delta_make(void)
{
	char *a = in_dir("a.json"), *b = in_dir("b.json"), *d = in_dir("delta.zst");
	struct error err;

	if (delta_make(a, b, d, &err) < 0)
		die(&err);
}

/* As the updater does: into a file, and past a check of its hash. */
struct applied {
	struct tuf_check *check;
	struct file_writer *file;
};

static int
on_applied(void *arg, const void *data, size_t len, struct error *err)
{
	struct applied *a = arg;

	file_writer_add(a->file, data, len);
	return tuf_check_add(a->check, data, len, err);
}

static void
phase_delta_apply(void)
{
	char *a = in_dir("a.json"), *b = in_dir("b.json"), *d = in_dir("delta.zst"),
	     *made = in_dir("made.json");
	struct tuf_file said;
	struct applied out;
	struct error err;

	/* What the metadata would say. */
	if (tuf_file_of_path(b, &said, &err) < 0 ||
		file_writer_open(made, 0600, &out.file, &err) < 0)
		die(&err);
	out.check = tuf_check_new(&said);
	if (delta_apply(a, d, "delta", said.length, on_applied, &out, &err) < 0 ||
		tuf_check_end(out.check, &err) < 0 || file_writer_commit(out.file, &err) < 0)
		die(&err);
}

static void
phase_delta_join(void)
{
	char *b = in_dir("b.json"), *a = in_dir("a.json"), *d = in_dir("delta.zst"),
	     *back = in_dir("back.zst"), *joined = in_dir("joined.zst");
	struct error err;

	if (access(back, F_OK) < 0) {
		if (delta_make(b, a, back, &err) < 0)
			die(&err);
	} else if (delta_join(d, back, joined, &err) < 0) {
		die(&err);
	}
}

/* In the directory; the tools are those of scripts/setup lab. */
static NORETURN void
exec_shell(const char *script)
{
	if (chdir(dir) < 0)
		_exit(127);
	(void)setenv("LC_ALL", "C", 1);
	execl("/bin/sh", "sh", "-euc", script, (char *)NULL);
	_exit(127);
}

/* The new lines of the list that differs, and nothing else. */
static void
phase_changed_lines(void)
{
	exec_shell("comm -13 --nocheck-order a.json b.json | zstd -q -19 -f -o changed.zst");
}

/* What is published now, in a folder of its own that git does not know yet. */
static void
phase_baseline_prepare(void)
{
	exec_shell(
		"rm -rf base raw; mkdir -p base/targets/delta base/metadata raw; git init -q base\n"
		"for f in repository/targets/[a-z]*.[jp]*; do cp $f base/targets; done\n"
		"for f in repository/targets/delta/?*-*.zst; do case ${f##*/} in\n"
		"	????????????????????????????????*) ;;\n"
		"	*) cp $f base/targets/delta; zstd -q -d $f -o raw/${f##*/} ;;\n"
		"	esac; done\n"
		"cp repository/metadata/* base/metadata; cp repository/targets/list.json raw");
}

static void
phase_baseline(void)
{
	exec_shell("sha256sum base/targets/*.* base/targets/delta/* >sums || :\n"
		   "for f in raw/*; do zstd -q -6 -f $f -o packed; done\n"
		   "cd base; git add -A\n"
		   "git -c user.name=bench -c user.email=bench@localhost commit -q -m list");
}

static off_t
size_of(const char *name)
{
	char *path = in_dir(name);
	struct stat st;

	if (stat(path, &st) < 0) {
		perror(path);
		exit(1);
	}
	free(path);
	return st.st_size;
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

/* One in a hundred gets another policy, another hundredth each time. */
static int change_round;

static void
phase_change(void)
{
	struct store_domain d;
	struct store *s = open_store();
	struct error err;
	char text[400], name[32];

	memset(&d, 0, sizeof(d));
	if (store_begin(s, &err) < 0)
		die(&err);
	for (long i = change_round % 100; i < entries; i += 100) {
		struct life_result result;

		domain_of(i, name);
		(void)snprintf(text, sizeof(text),
			"{\"auth\":[\"pkix\"],\"max_age\":%d,\"mode\":\"enforce\","
			"\"mxs\":[\"mx.d%08ld.example\"],\"source\":\"mta-sts\",\"tls\":\"1.3\"}",
			31557600 - change_round, i);
		if (store_find(s, name, &d, &err) <= 0)
			die(&err);
		memset(&result, 0, sizeof(result));
		result.life = d.life;
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
		.churn_percent = 2,
		.allow_churn = true};
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

	if (publish_next(s, r, NULL, now_s, &p, &err) < 0)
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

static void
print_against(const char *name, struct figures f, struct figures base, const char *what)
{
	printf("%-28s %8.2f s wall %8.2f s cpu %7.1f MiB  %5.2f x wall, %5.2f x cpu of %s\n", name,
		f.wall_s, f.cpu_s, (double)f.rss_kib / 1024, f.wall_s / base.wall_s,
		f.cpu_s / base.cpu_s, what);
}

static void
bench_deltas(void)
{
	const struct figures none = {0};
	struct figures cat, reading;
	double changed, delta;

	(void)measure(phase_cat_both);
	cat = measure(phase_cat_both);
	reading = measure(phase_read_both);
	print("cat both lists", cat, none);
	print("read and check both lists", reading, none);
	print_against("make a delta", measure(phase_delta_make), reading, "reading both");
	print_against("apply it", measure(phase_delta_apply), reading, "reading both");
	(void)measure(phase_delta_join);
	print_against("join two", measure(phase_delta_join), reading, "reading both lists");
	(void)measure(phase_changed_lines);
	changed = (double)size_of("changed.zst");
	delta = (double)size_of("delta.zst");
	printf("%-28s %.0f octets, %.2f x the changed lines under zstd -19 (%.0f)\n", "its size",
		delta, delta / changed, changed);
}

/* With one delta, then two, ...; each against the tools on the files that came out. */
static void
bench_publications(int count)
{
	for (int i = 0; i < count; i++) {
		struct figures publish, base;

		change_round = i + 1;
		now_s++;
		(void)measure(phase_change);
		(void)measure(phase_build);
		publish = measure(phase_publish);
		(void)measure(phase_baseline_prepare);
		base = measure(phase_baseline);
		if (i == 0)
			print("sha256sum, zstd, git", base, (struct figures){0});
		print_against(i == 0 ? "publish with a delta" : "publish with one more", publish,
			base, "sha256sum, zstd, git");
	}
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
	if (entries < 1 || entries > 99999999 || argc > 4) {
		fprintf(stderr, "usage: bench_list [N [DIR [PUBLICATIONS]]]\n");
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
	bench_deltas();
	print("fill the store", measure(phase_fill), none);
	make_authority();
	build = measure(phase_build);
	print("build, none before", build, base);
	print("publish", measure(phase_publish), base);
	build = measure(phase_build);
	print("build and compare", build, base);
	bench_publications(argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1);
	if (argc <= 2)
		(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/*
 * bench_render: a list of N synthetic entries rendered into the map of each mail server as the updater
 * does it, the sandboxed reader included, beside Postfix's own postmap making a cdb of the equivalent
 * text, each in a process of its own.
 *
 * usage: bench_render [ENTRIES [POSTMAP]]     default 1000000, postmap by PATH; "-" for none
 *
 * Prints seconds (wall and CPU) and resident memory of both, and the ratio. Files go to TMPDIR.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/list.h"
#include "export/list_writer.h"
#include "updater/confine.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/mta.h"
#include "updater/render.h"
#include "updater/render_worker.h"
#include "updater/source.h"
#include "updater/tool.h"

#define NOW INT64_C(1795435200)
/* The name that the list goes by. */
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* Ten providers host most domains; the rest have hosts of their own. */
#define PROVIDERS 10

struct figures {
	double wall_s, cpu_s;
	long rss_kb;
};

static void die(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

static void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench_render: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void
make_list(const char *path, int64_t entries)
{
	struct list_header header = {.author = "bench",
		.confirmed_since_s = NOW - 3600,
		.expires_s = NOW + 86400,
		.timestamp_s = NOW,
		.vantages = 1,
		.version = 1};
	struct list_writer *w;
	struct error err;

	if (list_writer_open(path, &header, &w, &err) < 0)
		die("%s", err.text);
	for (int64_t i = 0; i < entries; i++) {
		char domain[32], first[64], second[64];
		const char *mxs[2] = {first, second};
		struct list_entry e = {.domain = domain,
			.policy = {.auth_pkix = true,
				.max_age_s = 604800,
				.mode = LIST_MODE_ENFORCE,
				.mxs = mxs,
				.mxs_count = 2,
				.source = LIST_SOURCE_MTA_STS,
				.tls = "1.3"}};

		(void)snprintf(domain, sizeof(domain), "d%08" PRId64 ".example", i);
		if (i % 4 != 0) {
			(void)snprintf(
				first, sizeof(first), "*.mail.p%d.example", (int)(i % PROVIDERS));
			(void)snprintf(
				second, sizeof(second), "mx1.p%d.example", (int)(i % PROVIDERS));
		} else {
			(void)snprintf(first, sizeof(first), "mx1.%s", domain);
			(void)snprintf(second, sizeof(second), "mx2.%s", domain);
		}
		list_writer_add_entry(w, &e);
	}
	if (list_writer_commit(w, NULL, &err) < 0)
		die("%s", err.text);
	list_writer_free(w);
}

struct map {
	const struct map_kind *kind;
	const char *file;
};

static int
open_map(void *arg, struct render_target *target, struct error *err)
{
	const struct map *map = arg;

	return map_writer_open(map->kind, map->file, &target->map, err);
}

/* The whole of what the updater does between a verified list and a finished map. */
static void
render_kind(const char *dir, const struct mta *mta, const struct map_kind *kind, const char *file)
{
	const struct recipe recipe = {.format = POSTFIX_FORMAT_PLAIN};
	const struct render_options options = {.mta = mta, .recipe = &recipe, .now_s = NOW};
	struct map map = {kind, file};
	const struct render_list list = {.sha256 = SHA256, .next = ""};
	struct confine_user user;
	const struct render_work work = {.list_dir = dir,
		.lists = &list,
		.list_count = 1,
		.user = &user,
		.time_ms = INT64_C(3600000),
		.options = &options,
		.begin = open_map,
		.begin_arg = &map};
	struct render_target target = {.map = NULL};
	struct render_counts counts;
	struct render_said said;
	struct error err;
	char serial[24];

	if (confine_find_user(NULL, &user, &err) < 0 ||
		render_worker(&work, &target, &said, &counts, &err) < 0)
		die("%s", err.text);
	(void)snprintf(serial, sizeof(serial), "%" PRId64, said.header.version);
	render_end(&target, serial);
	if (map_writer_finish(target.map, &err) < 0 ||
		map_writer_install(target.map, false, &err) < 0)
		die("%s", err.text);
	map_writer_free(target.map);
	render_target_clear(&target);
}

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Runs a child and measures it alone, with the process that it waits for. argv NULL: the renderer. */
static struct figures
measure(const char *const *argv, const char *dir, const struct mta *mta,
	const struct map_kind *kind, const char *file)
{
	struct rusage usage;
	struct figures f;
	double start = now_s();
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (argv != NULL)
			(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		else
			render_kind(dir, mta, kind, file);
		_exit(argv != NULL ? 127 : 0);
	}
	if (wait4(pid, &status, 0, &usage) != pid || status != 0)
		die("%s failed (status %d)", argv != NULL ? argv[0] : "rendering", status);
	f.wall_s = now_s() - start;
	f.cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	f.rss_kb = usage.ru_maxrss;
	return f;
}

static void
print_figures(const char *name, const struct figures *f, const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0)
		die("%s is not there", file);
	printf("%-20s %8.2f s wall %8.2f s CPU %8ld KiB resident %12lld bytes\n", name, f->wall_s,
		f->cpu_s, f->rss_kb, (long long)st.st_size);
}

/* The maps of the other mail servers. */
static void
measure_others(const char *dir)
{
	static const struct {
		const struct mta *mta;
		const struct map_kind *kind;
	} others[] = {{&mta_postfix, &map_lmdb}, {&mta_exim, &map_cdb},
		{&mta_opensmtpd, &map_db_set}, {&mta_sendmail, &map_db_hash}};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char *path = xasprintf("%s/%s", dir, others[i].mta->name);
		char *file = map_file(others[i].kind, path);
		char *name = xasprintf("ours, %s %s", others[i].mta->name, others[i].kind->name);
		struct figures f = measure(NULL, dir, others[i].mta, others[i].kind, file);

		print_figures(name, &f, file);
		(void)unlink(file);
		free(path);
		free(file);
		free(name);
	}
}

int
main(int argc, char **argv)
{
	uint64_t entries = 1000000;
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/preload25-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
	char *list, *map, *text, *text_map, *table, *postmap;
	struct figures ours, theirs;

	if (argc > 3 ||
		(argc > 1 && str_parse_u64(argv[1], strlen(argv[1]), 100000000, &entries) < 0))
		die("usage: bench_render [ENTRIES [POSTMAP]]");
	postmap = argc > 2 && strcmp(argv[2], "-") == 0
		? NULL
		: tool_find(argc > 2 ? argv[2] : NULL, "postmap");
	if (mkdtemp(dir) == NULL)
		die("%s: cannot make it", dir);
	list = source_list_path(dir, SHA256);
	map = xasprintf("%s/ours.cdb", dir);
	text = xasprintf("%s/theirs", dir);
	text_map = xasprintf("%s.cdb", text);
	table = xasprintf("cdb:%s", text);
	make_list(list, (int64_t)entries);
	printf("%" PRIu64 " entries\n", entries);
	ours = measure(NULL, dir, &mta_postfix, &map_cdb, map);
	print_figures("ours, postfix cdb", &ours, map);
	if (postmap != NULL) {
		const char *const command[] = {postmap, table, NULL};

		render_kind(dir, &mta_texthash, &map_texthash, text);
		theirs = measure(command, NULL, NULL, NULL, NULL);
		print_figures("postmap", &theirs, text_map);
		printf("ratio: %.2f of postmap's wall time, %.2f of its CPU time\n",
			ours.wall_s / theirs.wall_s, ours.cpu_s / theirs.cpu_s);
	} else {
		printf("SKIPPED the comparison: no postmap here\n");
	}
	measure_others(dir);
	(void)unlink(list);
	(void)unlink(map);
	(void)unlink(text);
	(void)unlink(text_map);
	(void)rmdir(dir);
	free(list);
	free(map);
	free(text);
	free(text_map);
	free(table);
	free(postmap);
	free(dir);
	return 0;
}

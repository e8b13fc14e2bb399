/* The cron job against repositories in local folders: what is installed when, what runs out, what
 * the brake holds, and what is left when the process dies at any step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "export/delta.h"
#include "export/list.h"
#include "export/tuf_metadata.h"
#include "updater/job.h"
#include "updater/map.h"
#include "updater/map_kinds.h"
#include "updater/mta.h"
#include "updater/pins.h"
#include "updater/report.h"
#include "updater/settings.h"
#include "updater/source.h"
#include "updater/state.h"
#include "updater/undo.h"
#include "common/log.h"

#include "updater_world.h"

/* --- the n-th operation on files ----------------------------------------------------------------
 */

/* Calls of these functions from the updater come here first. While armed, the n-th one kills the
 * process that it comes from, or fails for want of space. Processes count together, one at a time. */
static struct fault {
	bool armed, kill;
	int left;
	bool hit;
} unarmed, *fault = &unarmed;

static bool
fault_hits(void)
{
	if (!fault->armed || fault->left-- > 0)
		return false;
	fault->hit = true;
	if (fault->kill)
		(void)raise(SIGKILL);
	errno = ENOSPC;
	return true;
}

#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name);

ssize_t
write(int fd, const void *data, size_t len)
{
	REAL(write)
	return fd > 2 && fault_hits() ? -1 : real(fd, data, len);
}

int
fsync(int fd)
{
	REAL(fsync)
	return fault_hits() ? -1 : real(fd);
}

int
rename(const char *from, const char *to)
{
	REAL(rename)
	return fault_hits() ? -1 : real(from, to);
}

int
link(const char *from, const char *to)
{
	REAL(link)
	return fault_hits() ? -1 : real(from, to);
}

int
mkostemp(char *name, int flags)
{
	REAL(mkostemp)
	return fault_hits() ? -1 : real(name, flags);
}

/* --- scenery ------------------------------------------------------------------------------------
 */

static int
run_job(struct world *w, int64_t now_s, struct error *err)
{
	struct job_options options = {.now_s = now_s};

	error_clear(err);
	return job_run(&w->settings, &options, err);
}

static void
expect_job(struct world *w, int64_t now_s, int want, const char *text)
{
	const struct job_options options = {.now_s = now_s};

	expect_exit_code(&w->settings, &options, want, text);
}

static bool
has_example(struct world *w, int i)
{
	char key[64];

	(void)snprintf(key, sizeof(key), "example-%08d.test", i);
	return world_maps(w, key, NULL);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_install(void **state UNUSED)
{
	static const char *const mtas[] = {"texthash", "postfix"};

	for (size_t i = 0; i < ARRAY_LEN(mtas); i++) {
		for (int zstd = 0; zstd < 2; zstd++) {
			struct world w;
			struct stat before, after;
			char *name = xasprintf("install-%s-%d", mtas[i], zstd);

			world_init(&w, name, mtas[i], NULL);
			w.repo.zstd = zstd;
			world_publish(&w, &(struct list_spec){.version = 7, .first = 1, .last = 100});
			if (zstd) { /* then the plain one is not asked for */
				char *plain = xasprintf("%s/targets", w.repo.dir);
				glob_t found;
				char *pattern = xasprintf("%s/*.list.json", plain);

				assert_int_equal(glob(pattern, 0, NULL, &found), 0);
				assert_int_equal(unlink(found.gl_pathv[0]), 0);
				globfree(&found);
				free(pattern);
				free(plain);
			}
			make_postmap(i == 0 ? texthash_postmap : "#!/bin/sh\nexit 1\n");
			if (i == 1) {
				/* A tool that does not find the keys stops it. */
				expect_job(&w, NOW, 2, "postmap");
				assert_false(file_exists(w.map));
				w.settings.postmap = NULL; /* by PATH, if there is one */
			}
			expect_job(&w, NOW, 0, NULL);
			assert_true(world_maps(&w, MAP_SENTINEL, "7"));
			assert_true(world_maps(&w, "example-00000001.test",
				"secure match=mx.example-00000001.test servername=hostname"));
			assert_true(has_example(&w, 100));
			assert_false(has_example(&w, 101));
			/* Nothing new: the map is not touched. */
			assert_int_equal(stat(w.map, &before), 0);
			expect_job(&w, NOW + 60, 0, NULL);
			assert_int_equal(stat(w.map, &after), 0);
			assert_true(before.st_ino == after.st_ino);
			world_clear(&w);
			free(name);
		}
	}
}

/* Entries run out before any network, and one by one. */
static void
vary_life(int i, struct list_entry *e)
{
	if (i == 2)
		e->policy.max_age_s = DAY;
	if (i == 3)
		e->policy.mode = LIST_MODE_TESTING;
	if (i == 4) {
		e->policy.auth_pkix = false;
		e->policy.auth_dane = true;
	}
}

static void
test_runs_out(void **state UNUSED)
{
	struct world w;
	char *metadata;

	make_postmap(texthash_postmap);
	world_init(&w, "runs-out", "texthash", NULL);
	w.repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5, .vary = vary_life});
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 1) && has_example(&w, 2) && has_example(&w, 5));
	assert_false(has_example(&w, 3) || has_example(&w, 4));
	/* The mirror goes away. */
	metadata = xasprintf("%s/metadata/timestamp.json", w.repo.dir);
	assert_int_equal(unlink(metadata), 0);
	expect_job(&w, NOW + DAY - 3601, 3, "timestamp.json: not there");
	assert_true(has_example(&w, 2));
	expect_job(&w, NOW + DAY - 3600, 3, "timestamp.json: not there");
	assert_false(has_example(&w, 2));
	assert_true(has_example(&w, 1) && has_example(&w, 5));
	/* The list itself expires: that is said, and what it holds stays as long as it may. */
	expect_job(&w, NOW + 14 * DAY, 5, "expired");
	assert_true(has_example(&w, 1));
	expect_job(&w, NOW + 30 * DAY, 5, "expired");
	assert_false(has_example(&w, 1));
	assert_true(world_maps(&w, MAP_SENTINEL, "1"));
	/* And with a mirror that has nothing newer. */
	free(metadata);
	world_clear(&w);
}

/* What the job writes to standard error at the level of a cron run; the caller clears it. */
static void
job_says(struct world *w, int64_t now_s, struct buf *said)
{
	char *path = in_temp("said");
	int before = dup(STDERR_FILENO);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(before >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	log_to_stderr("test", LOG_LEVEL_WARNING);
	expect_job(w, now_s, 0, NULL);
	log_to_stderr("test", LOG_LEVEL_ERROR);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	(void)close(before);
	(void)close(fd);
	read_bytes(path, said);
	free(path);
}

/* Another path in the configuration: once it is said that the mail server must not go on with the old one. */
static void
test_map_moved(void **state UNUSED)
{
	struct world w;
	struct buf said;
	char *former;

	make_postmap(texthash_postmap);
	world_init(&w, "moved", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5});
	expect_job(&w, NOW, 0, NULL);
	former = xstrdup(w.map);
	free(w.map);
	free(w.settings.map_file);
	w.map = xasprintf("%s-elsewhere", former);
	w.settings.map_file = xstrdup(w.map);
	job_says(&w, NOW, &said);
	assert_non_null(strstr(buf_str(&said), former));
	assert_non_null(strstr(buf_str(&said), "which nobody renews any more"));
	assert_true(has_example(&w, 5));
	buf_clear(&said);
	job_says(&w, NOW, &said);
	assert_int_equal(said.len, 0);
	buf_clear(&said);
	free(former);
	world_clear(&w);
}

static void
test_clock_behind(void **state UNUSED)
{
	struct list_spec spec = {.version = 1, .first = 1, .last = 5, .timestamp_s = NOW + 3600};
	struct world w;
	struct buf said;

	make_postmap(texthash_postmap);
	world_init(&w, "clock-behind", "texthash", NULL);
	world_publish(&w, &spec);
	job_says(&w, NOW, &said);
	assert_int_equal(said.len, 0);
	buf_clear(&said);
	spec.version = 2;
	spec.timestamp_s++;
	world_publish(&w, &spec);
	job_says(&w, NOW, &said);
	assert_non_null(strstr(buf_str(&said), "the clock of this machine is behind list 2"));
	assert_true(has_example(&w, 5));
	buf_clear(&said);
	world_clear(&w);
}

static void
test_refusals(void **state UNUSED)
{
	struct world w;
	struct buf map, now;
	char *older;

	make_postmap(texthash_postmap);
	world_init(&w, "refusals", "texthash", NULL);
	w.repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	world_publish(&w, &(struct list_spec){.version = 5, .first = 1, .last = 50});
	expect_job(&w, NOW, 0, NULL);
	read_bytes(w.map, &map);
	/* Signed and fresh as metadata, but an older list; the same version with other contents;
	 * one that has expired. */
	world_publish(&w, &(struct list_spec){.version = 4, .first = 1, .last = 50});
	expect_job(&w, NOW, 4, "rollback: list 4 is older than list 5");
	world_publish(&w, &(struct list_spec){.version = 5, .first = 1, .last = 51});
	expect_job(&w, NOW, 4, "another list than before has the version 5");
	world_publish(&w,
		&(struct list_spec){.version = 6,
			.first = 1,
			.last = 50,
			.timestamp_s = NOW - 3 * DAY,
			.expires_s = NOW - DAY});
	expect_job(&w, NOW, 5, "list 6 has expired");
	/* Signed, but no list. */
	older = in_temp("garbage");
	write_text(older, "{}\n", 3);
	repo_publish(&w.repo, older);
	expect_job(&w, NOW, 4, "signed, but not sound");
	read_bytes(w.map, &now);
	assert_int_equal(map.len, now.len);
	assert_memory_equal(map.data, now.data, map.len);
	/* A good one afterwards is taken. */
	world_publish(&w, &(struct list_spec){.version = 7, .first = 1, .last = 50});
	expect_job(&w, NOW, 0, NULL);
	assert_true(world_maps(&w, MAP_SENTINEL, "7"));
	free(older);
	buf_clear(&map);
	buf_clear(&now);
	world_clear(&w);
}

static void
test_brake(void **state UNUSED)
{
	static const struct {
		const char *name;
		int first, last;
		int want;
		const char *text;
	} cases[] = {
		{"one in ten goes", 21, 200, 0, NULL},
		{"more than that", 22, 200, 1, "would drop 21 of 200"},
		{"half comes new", 1, 300, 0, NULL},
		{"more than that", 1, 301, 1, "would add 101 domains to 200"},
		{"all is exchanged", 1001, 1200, 1, "would drop 200 of 200"},
	};

	make_postmap(texthash_postmap);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct job_options churn = {.now_s = NOW, .allow_churn = true};
		struct world w;
		char *name = xasprintf("brake-%zu", i);

		print_message("# %s\n", cases[i].name);
		world_init(&w, name, "texthash", "[brake]\ngone_min = 5\nnew_min = 5\n");
		world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 200});
		expect_job(&w, NOW, 0, NULL);
		world_publish(&w,
			&(struct list_spec){
				.version = 2, .first = cases[i].first, .last = cases[i].last});
		expect_job(&w, NOW, cases[i].want, cases[i].text);
		assert_true(world_maps(&w, MAP_SENTINEL, cases[i].want == 0 ? "2" : "1"));
		assert_true(has_example(&w, 200) || cases[i].want == 0);
		OK(job_run(&w.settings, &churn, &ok_err));
		assert_true(world_maps(&w, MAP_SENTINEL, "2"));
		world_clear(&w);
		free(name);
	}
}

static void
test_dry_run(void **state UNUSED)
{
	struct job_options dry = {.now_s = NOW, .dry_run = true};
	struct world w;

	make_postmap(texthash_postmap);
	world_init(&w, "dry", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	OK(job_run(&w.settings, &dry, &ok_err));
	assert_false(file_exists(w.map));
	expect_job(&w, NOW, 0, NULL);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 4});
	OK(job_run(&w.settings, &dry, &ok_err));
	assert_true(world_maps(&w, MAP_SENTINEL, "1"));
	expect_job(&w, NOW, 0, NULL);
	assert_true(world_maps(&w, MAP_SENTINEL, "2"));
	world_clear(&w);
}

/* Every run leaves its figures, the failed ones too; one that only tries does not. */
static void
test_metrics(void **state UNUSED)
{
	struct job_options dry = {.now_s = NOW, .dry_run = true};
	char *path = in_temp("figures.prom"), *more = xasprintf("[metrics]\ntextfile = %s\n", path);
	static const struct {
		int code;
		const char *lines[2];
	} runs[] = {
		{2, {"\npreload25_update_last_exit_code 2\n", NULL}},
		{0, {"\npreload25_update_last_exit_code 0\n", "\npreload25_update_entries 3\n"}},
		{3, {"\npreload25_update_last_exit_code 3\n", "\npreload25_update_entries 3\n"}},
	};
	struct world w;

	make_postmap(texthash_postmap);
	world_init(&w, "figures", "texthash", more);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		struct buf text;

		if (i == 1) {
			world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
			OK(job_run(&w.settings, &dry, &ok_err));
			read_bytes(path, &text);
			assert_non_null(strstr(buf_str(&text), runs[0].lines[0]));
			buf_clear(&text);
		} else if (i == 2) {
			char *gone = repo_path(&w.repo, TUF_ROLE_TIMESTAMP);

			assert_int_equal(unlink(gone), 0);
			free(gone);
		}
		expect_job(&w, NOW + (int64_t)i, runs[i].code, NULL);
		read_bytes(path, &text);
		for (size_t k = 0; k < 2 && runs[i].lines[k] != NULL; k++)
			if (strstr(buf_str(&text), runs[i].lines[k]) == NULL)
				fail_msg("no%sin\n%s", runs[i].lines[k], buf_str(&text));
		buf_clear(&text);
	}
	world_clear(&w);
	free(more);
	free(path);
}

/* A map that was damaged, exchanged or removed is made again without any network; the one before is
 * kept as FILE.1. */
static void
test_repair(void **state UNUSED)
{
	struct world w;
	char *previous, *timestamp, zeros[4096] = {0};
	struct stat st;

	world_init(&w, "repair", "postfix", NULL);
	w.settings.postmap = NULL;
	w.repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	expect_job(&w, NOW, 0, NULL);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 4});
	expect_job(&w, NOW, 0, NULL);
	previous = xasprintf("%s.1", w.map);
	assert_int_equal(stat(previous, &st), 0);
	timestamp = xasprintf("%s/metadata/timestamp.json", w.repo.dir);
	assert_int_equal(unlink(timestamp), 0);
	write_text(w.map, zeros, sizeof(zeros));
	expect_job(&w, NOW, 3, NULL);
	assert_true(has_example(&w, 4));
	assert_int_equal(unlink(w.map), 0);
	expect_job(&w, NOW, 3, NULL);
	assert_true(has_example(&w, 4));
	free(timestamp);
	free(previous);
	world_clear(&w);
}

/* undo goes back one list and stays there until a newer one than the undone one comes. */
static void
test_undo(void **state UNUSED)
{
	struct job_options churn = {.now_s = NOW, .allow_churn = true};
	struct error err = {0};
	struct world w;

	make_postmap(texthash_postmap);
	world_init(&w, "undo", "texthash", NULL);
	assert_int_equal(run_undo(&w.settings, NULL, &err), 1);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	expect_job(&w, NOW, 0, NULL);
	assert_int_equal(run_undo(&w.settings, NULL, &err), 1);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 4});
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 4));
	OK(run_undo(&w.settings, "list 1 is in force again", &ok_err));
	assert_true(has_example(&w, 3) && !has_example(&w, 4));
	/* One step back only. */
	assert_int_equal(run_undo(&w.settings, NULL, &err), 1);
	for (int i = 0; i < 2; i++) {
		expect_job(&w, NOW, 0, NULL);
		assert_false(has_example(&w, 4));
	}
	/* By hand it may come back, and be undone again. */
	OK(job_run(&w.settings, &churn, &ok_err));
	assert_true(has_example(&w, 4));
	OK(run_undo(&w.settings, NULL, &ok_err));
	assert_false(has_example(&w, 4));
	world_publish(&w, &(struct list_spec){.version = 3, .first = 1, .last = 5});
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 4) && has_example(&w, 5));
	/* One that fails has not been: neither does the next run end it, nor does it take another step. */
	{
		char *aside = xasprintf("%s.aside", w.map);

		assert_int_equal(rename(w.map, aside), 0);
		assert_int_equal(mkdir(w.map, 0755), 0);
		assert_int_equal(run_undo(&w.settings, NULL, &err), -1);
		assert_int_equal(rmdir(w.map), 0);
		assert_int_equal(rename(aside, w.map), 0);
		expect_job(&w, NOW, 0, NULL);
		assert_true(has_example(&w, 5));
		OK(run_undo(&w.settings, "list 1 is in force again", &ok_err));
		assert_false(has_example(&w, 4));
		OK(job_run(&w.settings, &churn, &ok_err));
		assert_true(has_example(&w, 5));
		free(aside);
	}
	/* An altered file is not gone back to. */
	{
		char *path = NULL;
		struct state s;
		char *state_path = job_state_path(&w.settings);

		assert_int_equal(state_load(state_path, &s, &err), 1);
		path = source_list_path(w.settings.state_dir, s.generations[0].members[0].list.sha256);
		write_text(path, "{}", 2);
		assert_int_equal(run_undo(&w.settings, NULL, &err), -1);
		assert_int_equal(error_exit_code(&err), 4);
		assert_true(has_example(&w, 5));
		state_clear(&s);
		free(state_path);
		free(path);
	}
	world_clear(&w);
}

/* What is damaged of earlier lists is passed over; what another root has signed does not come back. */
static void
test_undo_of_some(void **state UNUSED)
{
	struct error err = {0};
	struct world w;
	struct state s;
	char *path, *state_path;
	size_t index;

	make_postmap(texthash_postmap);
	world_init(&w, "undo-some", "texthash", NULL);
	for (int i = 1; i <= 4; i++) {
		world_publish(&w, &(struct list_spec){.version = i, .first = 1, .last = 3 + i});
		expect_job(&w, NOW, 0, NULL);
	}
	state_path = job_state_path(&w.settings);
	assert_int_equal(state_load(state_path, &s, &err), 1);
	assert_int_equal(undo_steps(&w.settings, &s), 3);
	assert_string_equal(s.generations[0].members[0].anchor, s.sources[0].anchor);
	path = source_list_path(w.settings.state_dir, s.generations[0].members[0].list.sha256);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(undo_steps(&w.settings, &s), 2);
	assert_int_equal(undo_find(&w.settings, &s, 0, false, &index, &err), 0);
	assert_int_equal(index, 1);
	w.settings.report_only = true;
	assert_int_equal(undo_steps(&w.settings, &s), 0);
	w.settings.report_only = false;
	state_clear(&s);
	OK(run_undo(&w.settings, "list 2 is in force again", &ok_err));
	assert_true(has_example(&w, 5) && !has_example(&w, 6));
	assert_int_equal(state_load(state_path, &s, &err), 1);
	assert_int_equal(s.generation_count, 1);
	(void)snprintf(s.generations[0].members[0].anchor, sizeof(s.generations[0].members[0].anchor), "%064d", 0);
	OK(state_store(state_path, &s, &ok_err));
	assert_int_equal(undo_steps(&w.settings, &s), 0);
	state_clear(&s);
	assert_int_equal(run_undo(&w.settings, NULL, &err), 1);
	assert_non_null(strstr(err.text, "list 1 (main) was taken under another root file"));
	assert_true(has_example(&w, 5));
	free(state_path);
	free(path);
	world_clear(&w);
}

/* The stored list was altered: it is not used, and fetched again. */
static void
test_altered_state(void **state UNUSED)
{
	struct world w;
	char *pattern;
	glob_t found;

	make_postmap(texthash_postmap);
	world_init(&w, "altered", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	expect_job(&w, NOW, 0, NULL);
	pattern = xasprintf("%s/list-*.json", w.settings.state_dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	write_text(found.gl_pathv[0], "x", 1);
	assert_int_equal(unlink(w.map), 0);
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 3));
	globfree(&found);
	free(pattern);
	world_clear(&w);
}

/* A state that can be read and still cannot be: as good as none. */
static void
test_damaged_state(void **state UNUSED)
{
	static const struct {
		const char *name;
		int64_t number; /* or else */
		const char *text;
	} cases[] = {
		{"list_expires", -1, NULL},
		{"list_expires", INT64_MAX, NULL},
		{"list_timestamp", CLOCK_MAX_S + 1, NULL},
		{"map_next_end", INT64_MAX, NULL},
		{"last_success", INT64_MAX, NULL},
		{"last_error_time", INT64_MIN, NULL},
		{"last_error_code", 256, NULL},
		{"map_since", CLOCK_MAX_S + 1, NULL},
		{"list_sha256", 0,
			"../../../../../../../../../../../../../../../../../../../../../a"},
		{"list_sha256", 0, "0"},
		{"map_path", 7, NULL},
		{"reload_due", 0, "no"},
	};
	struct world w;
	char *path, *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	make_postmap(texthash_postmap);
	world_init(&w, "damaged", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	path = xasprintf("%s/state.json", w.settings.state_dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = {0};
		json_t *doc;

		expect_job(&w, NOW, 0, NULL);
		assert_int_equal(report_status(&w.settings, NOW, out, &err), 0);
		doc = json_load_file(path, 0, NULL);
		json_object_set_new(doc, cases[i].name,
			cases[i].text != NULL ? json_string(cases[i].text)
					      : json_integer(cases[i].number));
		assert_int_equal(json_dump_file(doc, path, 0), 0);
		json_decref(doc);
		print_message("# %s\n", cases[i].name);
		assert_int_equal(report_status(&w.settings, NOW, out, &err), 1);
		assert_int_equal(report_explain(&w.settings, "other.test", NOW, out, &err), 1);
	}
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 3));
	(void)fclose(out);
	free(text);
	free(path);
	world_clear(&w);
}

/* The delta from what "from" says to what "to" says. */
static void
make_delta(const struct list_spec *from, const struct list_spec *to, struct buf *out)
{
	char *a = in_temp("delta-from"), *b = in_temp("delta-to"), *d = in_temp("delta");

	write_list(a, from);
	write_list(b, to);
	OK(delta_make(a, b, d, &ok_err));
	read_bytes(d, out);
	free(a);
	free(b);
	free(d);
}

/* Publishes the list with the delta from the one before, if there was one. */
static void
publish_by_delta(struct world *w, const struct list_spec *before, const struct list_spec *now)
{
	char *name =
		xasprintf("delta/%" PRId64 "-%" PRId64 ".json.zst", before->version, now->version);
	struct buf delta;

	if (before->version == 0) {
		world_publish(w, now);
	} else {
		make_delta(before, now, &delta);
		w->repo.more_name = name;
		w->repo.more = delta.data;
		w->repo.more_len = delta.len;
		world_publish(w, now);
		w->repo.more_name = NULL;
		buf_clear(&delta);
	}
	free(name);
}

/* OpenSMTPD finds a server for every domain that is pinned, whichever of the two files is old. */
static void
check_pins(struct world *w)
{
	char *hosts = pins_hosts_file(&w->settings), *set = pins_set_file(&w->settings);

	for (int i = 1; i <= 41; i++) {
		struct buf value;
		char key[64];

		(void)snprintf(key, sizeof(key), "example-%08d.test", i);
		buf_init(&value, 1024);
		if (map_find(&map_db_set, set, key, &value, &(struct error){0}) > 0 &&
			map_find(&map_texthash, hosts, key, &value, &(struct error){0}) <= 0)
			fail_msg("%s is pinned to nothing", key);
		buf_clear(&value);
	}
	free(set);
	free(hosts);
}

/* Kills, or starves, the job at its n-th operation, for every n. Afterwards the map is the old one
 * or the new one, whole; and the next run does the rest. */
static void
fault_everywhere(const char *name, const char *mta, bool kill_it)
{
	struct list_spec now = {.first = 1}, before;
	struct world w;
	bool reached = true;
	int n;

	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fault != MAP_FAILED);
	world_init(&w, name, mta, NULL);
	w.settings.postmap = NULL;
	w.settings.smtpctl = "/bin/true";
	w.settings.pin = w.settings.mta == &mta_opensmtpd;
	w.repo.zstd = true;
	for (n = 0; reached; n++) {
		struct error err = {0};
		bool old, new;
		int version = 2 + n;
		char want[24];
		int status = 0;
		pid_t pid;

		assert_true(n < 1000);
		before = now;
		now.version = version;
		now.last = version % 2 ? 40 : 41;
		publish_by_delta(&w, &before, &now);
		if (n == 0) { /* the map to lose */
			expect_job(&w, NOW, 0, NULL);
			continue;
		}
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			int rc;

			fault->kill = kill_it;
			fault->left = n - 1;
			fault->hit = false;
			fault->armed = true;
			rc = run_job(&w, NOW, &err);
			fault->armed = false;
			_exit(!fault->hit                            ? 0
					: rc == 0                    ? 10 /* it was not needed */
					: error_exit_code(&err) == 3 ? 3
								     : 99);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fault->armed = false;
		reached = fault->hit;
		/* When it was the sandboxed process that was killed, the job goes on to say so. */
		if (kill_it && WIFSIGNALED(status))
			assert_int_equal(WTERMSIG(status), SIGKILL);
		else if (!WIFEXITED(status) || WEXITSTATUS(status) == 99)
			fail_msg("operation %d: not exit code 3", n);
		(void)snprintf(want, sizeof(want), "%d", version - 1);
		old = world_maps(&w, MAP_SENTINEL, want) && has_example(&w, 41) == !((version - 1) % 2);
		(void)snprintf(want, sizeof(want), "%d", version);
		new = world_maps(&w, MAP_SENTINEL, want) && has_example(&w, 41) == !(version % 2);
		if (!(old || new) || !has_example(&w, 1) || !has_example(&w, 40))
			fail_msg("operation %d: neither the old map nor the new one", n);
		if (w.settings.pin)
			check_pins(&w);
		expect_job(&w, NOW, 0, NULL);
		assert_true(world_maps(&w, MAP_SENTINEL, want));
		assert_true(pins_are(&w.settings, want));
	}
	print_message("# %d operations\n", n - 2);
	assert_true(n > 15); /* the hooks do see the job */
	world_clear(&w);
	(void)munmap(fault, sizeof(*fault));
	fault = &unarmed;
}

/* Two lists of two authorities; the second is of x, whose settings are not used. */
static void
two_worlds_init(struct world *w, struct world *x, const char *name)
{
	char *more, *second = xasprintf("%s-x", name);

	world_init(x, second, "texthash", NULL);
	more = xasprintf("[source x]\nurl = file:%s\nroot = %s\n", x->repo.dir, x->root);
	world_init(w, name, "texthash", more);
	w->settings.postmap = NULL;
	free(more);
	free(second);
}

/* Both have one entry more in even versions. */
static void
publish_two(struct world *w, struct world *x, int version)
{
	world_publish(w, &(struct list_spec){.version = version, .first = 1, .last = version % 2 ? 10 : 11});
	world_publish(x, &(struct list_spec){.version = version, .first = 20, .last = version % 2 ? 30 : 31});
}

/* Runs the job, or undo, in a process that is killed at its n-th operation; whether it was. */
static bool
kill_at(struct world *w, int n, bool undo)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct error err = {0};

		*fault = (struct fault){.kill = true, .left = n, .armed = true};
		(void)!(undo ? run_undo(&w->settings, NULL, &err) : run_job(w, NOW, &err));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fault->armed = false;
	return fault->hit;
}

/* What both lists have, and nothing of one without the other. */
static bool
has_two(struct world *w, bool even)
{
	if (!has_example(w, 1) || !has_example(w, 10) || !has_example(w, 20) || !has_example(w, 30))
		fail_msg("entries are lost");
	return has_example(w, 11) == even && has_example(w, 31) == even;
}

/* Killed at every operation of an update, and of undo: no list loses an entry, and the next run has both. */
static void
test_two_killed_everywhere(void **state UNUSED)
{
	struct world w, x;
	bool reached = true;
	int version = 1, n;

	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fault != MAP_FAILED);
	two_worlds_init(&w, &x, "two-killed");
	publish_two(&w, &x, version);
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_two(&w, false));
	for (n = 0; reached; n++) {
		assert_true(n < 1000);
		publish_two(&w, &x, ++version);
		reached = kill_at(&w, n, false);
		/* One alone may be new: where it was the process that fetches the other that was killed. */
		(void)has_two(&w, false);
		expect_job(&w, NOW, 0, NULL);
		assert_true(has_two(&w, version % 2 == 0));
	}
	print_message("# %d operations\n", n - 1);
	assert_true(n > 25); /* the hooks do see both */
	publish_two(&w, &x, ++version);
	expect_job(&w, NOW, 0, NULL);
	reached = true;
	for (n = 0; reached; n++) {
		const struct job_options churn = {.now_s = NOW, .allow_churn = true};
		bool even = version % 2 == 0, back;

		assert_true(n < 1000);
		reached = kill_at(&w, n, true);
		back = has_two(&w, !even);
		assert_true(back || has_two(&w, even));
		expect_job(&w, NOW, 0, NULL);
		/* A run does not end what undo did not. */
		assert_true(has_two(&w, even) || (back && has_two(&w, !even)));
		OK(job_run(&w.settings, &churn, &ok_err));
		assert_true(has_two(&w, even));
		publish_two(&w, &x, ++version);
		expect_job(&w, NOW, 0, NULL);
		assert_true(has_two(&w, !even));
	}
	print_message("# %d operations of undo\n", n - 1);
	assert_true(n > 8);
	world_clear(&w);
	world_clear(&x);
	(void)munmap(fault, sizeof(*fault));
	fault = &unarmed;
}

/* Runs the job in a process for which the disk is full from its n-th operation on; whether it got as far, and
 * what came of it. */
static bool
starve_at(struct world *w, int n, int *code)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct error err = {0};

		*fault = (struct fault){.left = n, .armed = true};
		_exit(run_job(w, NOW, &err) < 0 ? error_exit_code(&err) : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fault->armed = false;
	assert_true(WIFEXITED(status));
	*code = WEXITSTATUS(status);
	return fault->hit;
}

/* The folders of both repositories, as they are seen by the job. */
static void
show_mirrors(const struct world *w, const struct world *x, bool shown)
{
	const char *const dirs[] = {w->repo.dir, x->repo.dir};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *away = xasprintf("%s.away", dirs[i]);

		assert_int_equal(shown ? rename(away, dirs[i]) : rename(dirs[i], away), 0);
		free(away);
	}
}

/* The disk is full from some operation of an update of two lists on: no list loses an entry, what is there
 * of both is enough to go on with by itself, and the next run has both. */
static void
test_two_full(void **state UNUSED)
{
	struct world w, x;
	bool reached = true;
	int version = 1, failed = 0, n;

	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fault != MAP_FAILED);
	two_worlds_init(&w, &x, "two-full");
	publish_two(&w, &x, version);
	expect_job(&w, NOW, 0, NULL);
	/* All of the first operations, and then some of the many that are alike. */
	for (n = 0; reached; n += 1 + n / 32) {
		int code;

		assert_true(n < 1000);
		publish_two(&w, &x, ++version);
		reached = starve_at(&w, n, &code);
		if (code != 0 && (code != 3 || !reached))
			fail_msg("operation %d: exit code %d", n, code);
		failed += code != 0;
		/* One alone may be new: where there was no room for the other. */
		(void)has_two(&w, false);
		assert_true(world_maps(&w, MAP_SENTINEL, NULL));
		/* From what is on the disk alone. */
		if (code != 0 && n % 3 == 0) {
			show_mirrors(&w, &x, false);
			expect_job(&w, NOW, 3, "timestamp.json: not there");
			(void)has_two(&w, false);
			show_mirrors(&w, &x, true);
		}
		expect_job(&w, NOW, 0, NULL);
		assert_true(has_two(&w, version % 2 == 0));
	}
	print_message("# %d failures\n", failed);
	assert_true(failed > 50); /* the hooks do see both */
	world_clear(&w);
	world_clear(&x);
	(void)munmap(fault, sizeof(*fault));
	fault = &unarmed;
}

static void
test_kill(void **state UNUSED)
{
	fault_everywhere("kill", "postfix", true);
	fault_everywhere("kill-pins", "opensmtpd", true);
}

static void
test_full_disk(void **state UNUSED)
{
	fault_everywhere("full", "postfix", false);
	fault_everywhere("full-pins", "opensmtpd", false);
}

static void
test_mirrors(void **state UNUSED)
{
	struct world w;
	char *more = xasprintf(
		"[source]\nurl = file:%s/nowhere\nurl = file:%s/bad\n", temp_dir, temp_dir);
	char *bad = in_temp("bad"), *command;

	make_postmap(texthash_postmap);
	world_init(&w, "mirrors", "texthash", more);
	w.repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	/* A copy with an altered timestamp. */
	command = xasprintf("%s/metadata", bad);
	OK(file_mkdirs(command, 0755, &ok_err));
	free(command);
	command = xasprintf("%s/metadata/timestamp.json", bad);
	write_text(command, "{}", 2);
	/* Whatever the order, the good one is found. */
	for (int i = 0; i < 12; i++) {
		world_publish(&w, &(struct list_spec){.version = 2 + i, .first = 1, .last = 3});
		expect_job(&w, NOW, 0, NULL);
	}
	/* Without it the worst is told. */
	free(command);
	command = xasprintf("%s/metadata/timestamp.json", w.repo.dir);
	assert_int_equal(unlink(command), 0);
	expect_job(&w, NOW, 4, "/bad/metadata/timestamp.json");
	free(command);
	free(bad);
	free(more);
	world_clear(&w);
}

/* --- deltas -------------------------------------------------------------------------------------
 */

static void
vary_one(int i, struct list_entry *e)
{
	if (i == 5)
		e->policy.max_age_s = 20 * DAY;
}

static void
vary_other(int i, struct list_entry *e)
{
	if (i == 5)
		e->policy.max_age_s = 21 * DAY;
}

/* List 1 with 200 entries, installed, and another one in "next". */
static void
delta_world_init(struct world *w, const char *name)
{
	make_postmap(texthash_postmap);
	world_init(w, name, "texthash", NULL);
	w->repo.zstd = true;
	world_publish(w, &(struct list_spec){.version = 1, .first = 1, .last = 200});
	expect_job(w, NOW, 0, NULL);
}

/* Publishes list 2, with this delta to it. */
static void
publish_with(struct world *w, const char *name, const struct buf *delta)
{
	w->repo.more_name = name;
	w->repo.more = delta->data;
	w->repo.more_len = delta->len;
	world_publish(w, &(struct list_spec){.version = 2, .first = 2, .last = 201, .vary = vary_one});
}

/* Takes the published files away whose names end so. */
static void
hide_targets(const struct world *w, const char *ending)
{
	char *pattern = xasprintf("%s/targets/%s", w->repo.dir, ending);
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		assert_int_equal(unlink(found.gl_pathv[i]), 0);
	globfree(&found);
	free(pattern);
}

static const struct list_spec delta_one = {.version = 1, .first = 1, .last = 200},
			      delta_two = {.version = 2, .first = 2, .last = 201, .vary = vary_one},
			      delta_not_two = {.version = 2,
				      .first = 2,
				      .last = 201,
				      .vary = vary_other},
			      delta_three = {.version = 3, .first = 2, .last = 201};

static void
test_by_delta(void **state UNUSED)
{
	struct buf delta, said;
	struct world w;

	delta_world_init(&w, "by-delta");
	make_delta(&delta_one, &delta_two, &delta);
	publish_with(&w, "delta/1-2.json.zst", &delta);
	/* There is nothing else to be had. */
	hide_targets(&w, "*.list.json");
	hide_targets(&w, "*.list.json.zst");
	job_says(&w, NOW, &said);
	assert_int_equal(said.len, 0);
	assert_true(world_maps(&w, MAP_SENTINEL, "2"));
	assert_true(has_example(&w, 201) && !has_example(&w, 1));
	buf_clear(&said);
	buf_clear(&delta);
	world_clear(&w);
}

/* One that costs more than the list is not asked for, nor one from another version. */
static void
test_delta_too_dear(void **state UNUSED)
{
	static const char *const names[] = {"delta/1-2.json.zst", "delta/11-2.json.zst",
		"delta/2-2.json.zst", "delta/1-2.json", "deltas/1-2.json.zst"};
	struct buf delta, said;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct world w;
		char *name = xasprintf("too-dear-%zu", i);

		delta_world_init(&w, name);
		make_delta(&delta_one, &delta_two, &delta);
		if (i == 0) {
			char zeros[20000] = {0};

			assert_int_equal(buf_add(&delta, zeros, sizeof(zeros)), 0);
		}
		publish_with(&w, names[i], &delta);
		hide_targets(&w, i == 4 ? "deltas/*" : "delta/*");
		job_says(&w, NOW, &said);
		assert_int_equal(said.len, 0);
		assert_true(world_maps(&w, MAP_SENTINEL, "2"));
		buf_clear(&said);
		buf_clear(&delta);
		free(name);
		world_clear(&w);
	}
}

enum delta_fault {
	DELTA_OTHER_LIST, /* signed, and leads somewhere else */
	DELTA_OTHER_BASE,
	DELTA_NO_ZSTD,
	DELTA_BOMB,
	DELTA_MISSING,
	DELTA_ALTERED, /* by the mirror */
	DELTA_BASE_ALTERED,
	DELTA_FAULTS
};

/* The delta of a fault, as it is published. */
static void
make_faulty_delta(enum delta_fault fault_kind, struct buf *out)
{
	char packed[1024], *zeros;

	switch (fault_kind) {
	case DELTA_OTHER_LIST:
		make_delta(&delta_one, &delta_not_two, out);
		return;
	case DELTA_OTHER_BASE:
		make_delta(&delta_two, &delta_three, out);
		return;
	case DELTA_NO_ZSTD:
		buf_init(out, 100);
		assert_int_equal(buf_add_str(out, "{\"format\":\"preload25-delta-1\"}\n"), 0);
		return;
	case DELTA_BOMB:
		buf_init(out, sizeof(packed));
		zeros = xcalloc(1, 10000000);
		assert_int_equal(buf_add(out, packed,
					 ZSTD_compress(packed, sizeof(packed), zeros, 10000000, 1)),
			0);
		free(zeros);
		return;
	case DELTA_MISSING:
	case DELTA_ALTERED:
	case DELTA_BASE_ALTERED:
	case DELTA_FAULTS:
		break;
	}
	make_delta(&delta_one, &delta_two, out);
}

static const char *const delta_says[DELTA_FAULTS] = {
	[DELTA_OTHER_LIST] =
		"delta/1-2.json.zst is signed, but does not lead to the list.json that "
		"is signed with it: ",
	[DELTA_OTHER_BASE] =
		"delta/1-2.json.zst is signed, but does not lead to the list.json that "
		"is signed with it: delta/1-2.json.zst: line 1: it is for list 2, and "
		"this is list 1",
	[DELTA_NO_ZSTD] = "is signed with it: delta/1-2.json.zst: zstd: ",
	[DELTA_BOMB] = "is signed with it: delta/1-2.json.zst: zstd: unpacks to more than was "
		       "announced",
	[DELTA_MISSING] = "1-2.json.zst: not there",
	[DELTA_ALTERED] = "1-2.json.zst: ",
	[DELTA_BASE_ALTERED] = "altered since it was verified",
};

static void
publish_faulty(struct world *w, enum delta_fault fault_kind)
{
	struct buf delta;

	make_faulty_delta(fault_kind, &delta);
	publish_with(w, "delta/1-2.json.zst", &delta);
	buf_clear(&delta);
	if (fault_kind == DELTA_MISSING)
		hide_targets(w, "delta/*");
	if (fault_kind == DELTA_ALTERED || fault_kind == DELTA_BASE_ALTERED) {
		char *pattern = fault_kind == DELTA_ALTERED
			? xasprintf("%s/targets/delta/*", w->repo.dir)
			: xasprintf("%s/list-*.json", w->settings.state_dir);
		glob_t found;
		int fd;

		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		fd = open(found.gl_pathv[0], O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "X", 1, 20), 1);
		(void)close(fd);
		globfree(&found);
		free(pattern);
	}
}

/* Whatever is wrong with a delta, the whole list is taken, and one line says so. */
static void
test_delta_faults(void **state UNUSED)
{
	for (int i = 0; i < DELTA_FAULTS; i++) {
		struct world w;
		struct buf said;
		char *name = xasprintf("delta-fault-%d", i);
		const char *line;

		delta_world_init(&w, name);
		publish_faulty(&w, (enum delta_fault)i);
		job_says(&w, NOW, &said);
		line = strstr(buf_str(&said), "; the whole list is fetched instead\n");
		/* The brake, too, misses the list that is here. */
		if (line == NULL || strstr(buf_str(&said), delta_says[i]) == NULL ||
			(i != DELTA_BASE_ALTERED &&
				strchr(buf_str(&said), '\n') != strrchr(buf_str(&said), '\n')))
			fail_msg("fault %d: %s", i, buf_str(&said));
		assert_true(world_maps(&w, MAP_SENTINEL, "2"));
		assert_true(has_example(&w, 201) && !has_example(&w, 1));
		buf_clear(&said);
		free(name);
		world_clear(&w);
	}
}

/* And if that cannot be had, or is wrong too, it was an attack; the old list stands. */
static void
test_delta_and_list(void **state UNUSED)
{
	struct world w;

	delta_world_init(&w, "delta-and-list");
	publish_faulty(&w, DELTA_OTHER_LIST);
	hide_targets(&w, "*.list.json.zst");
	expect_job(&w, NOW, 4, "is signed, but does not lead to the list.json");
	assert_true(world_maps(&w, MAP_SENTINEL, "1"));
	publish_faulty(&w, DELTA_MISSING);
	hide_targets(&w, "*.list.json.zst");
	expect_job(&w, NOW, 3, "not there");
	assert_true(has_example(&w, 1));
	world_clear(&w);
}

/* What cannot be done with the list that is here does not keep a newer one away. */
static void
test_goes_on(void **state UNUSED)
{
	static const char picky[] = "#!/bin/sh\n"
				    "[ $(grep -c . \"${3#texthash:}\") -ne 4 ] || exit 1\n"
				    "grep \"^$2 \" \"${3#texthash:}\" | cut -d' ' -f2-\n";
	char *more = xasprintf("postfix = %s/postfix\n[install]\nreload = yes\n", temp_dir);
	char *path = in_temp("postfix");
	struct world w;

	make_postmap(texthash_postmap);
	world_init(&w, "goes-on", "texthash", more);
	/* Postfix is stopped. */
	write_script(path, "#!/bin/sh\nexit 1\n");
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	expect_job(&w, NOW, 3, "reload");
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 4});
	expect_job(&w, NOW, 3, "reload");
	assert_true(has_example(&w, 4));
	write_script(path, "#!/bin/sh\nexit 0\n");
	expect_job(&w, NOW, 0, NULL);
	/* The mail server's tool does not take what follows from this list, but from the next. */
	world_publish(&w, &(struct list_spec){.version = 3, .first = 1, .last = 3});
	expect_job(&w, NOW, 0, NULL);
	make_postmap(picky);
	assert_int_equal(unlink(w.map), 0);
	expect_job(&w, NOW, 2, "not installed");
	world_publish(&w, &(struct list_spec){.version = 4, .first = 1, .last = 5});
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 5));
	free(path);
	free(more);
	world_clear(&w);
}

/* A lock that is held is exit code 3 and changes nothing. */
static void
test_lock(void **state UNUSED)
{
	struct world w;
	struct file_lock *lock;
	char *path;

	make_postmap(texthash_postmap);
	world_init(&w, "lock", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 3});
	expect_job(&w, NOW, 0, NULL);
	path = xasprintf("%s/lock", w.settings.state_dir);
	OK(file_lock_take(path, &lock, &ok_err));
	expect_job(&w, NOW, 3, "another run");
	file_lock_free(lock);
	expect_job(&w, NOW, 0, NULL);
	free(path);
	world_clear(&w);
}

static void
test_reports(void **state UNUSED)
{
	struct error err = {0};
	struct world w;
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	struct buf list;

	make_postmap(texthash_postmap);
	world_init(&w, "reports", "texthash", NULL);
	world_publish(&w, &(struct list_spec){.version = 3, .first = 1, .last = 5, .vary = vary_life});
	out = open_memstream(&text, &size);
	assert_int_equal(report_status(&w.settings, NOW, out, &err), 1);
	assert_int_equal(report_explain(&w.settings, "example-00000001.test", NOW, out, &err), 1);
	assert_int_equal(report_verify(&w.settings, w.list, NOW, out, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	expect_job(&w, NOW, 0, NULL);
	assert_int_equal(report_status(&w.settings, NOW, out, &err), 0);
	assert_int_equal(fflush(out), 0);
	assert_non_null(strstr(text, "list         3 of"));
	assert_non_null(strstr(text, "3 enforced"));
	assert_non_null(strstr(text, "1 in testing mode"));
	assert_non_null(strstr(text, "1 with DANE only"));
	assert_int_equal(report_explain(&w.settings, "EXAMPLE-00000001.Test.", NOW, out, &err), 0);
	assert_int_equal(fflush(out), 0);
	assert_non_null(strstr(text,
		"example-00000001.test secure match=mx.example-00000001.test servername=hostname"));
	assert_int_equal(report_explain(&w.settings, "example-00000003.test", NOW, out, &err), 0);
	assert_int_equal(fflush(out), 0);
	assert_non_null(strstr(text, "testing only"));
	assert_int_equal(report_explain(&w.settings, "other.test", NOW, out, &err), 1);
	assert_non_null(strstr(err.text, "not listed"));
	assert_int_equal(report_explain(&w.settings, "a b.test", NOW, out, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	assert_int_equal(report_status(&w.settings, NOW + 14 * DAY, out, &err), -1);
	assert_int_equal(error_exit_code(&err), 5);
	/* verify: the file, and the same with any one byte changed. */
	OK(report_verify(&w.settings, w.list, NOW, out, &ok_err));
	read_bytes(w.list, &list);
	for (size_t i = 0; i < list.len; i += 7) {
		list.data[i] ^= 1;
		write_text(w.list, list.data, list.len);
		list.data[i] ^= 1;
		assert_int_equal(report_verify(&w.settings, w.list, NOW, out, &err), -1);
		assert_int_equal(error_exit_code(&err), 4);
	}
	assert_int_equal(report_verify(&w.settings, "/nonexistent", NOW, out, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	assert_int_equal(report_verify(&w.settings, temp_dir, NOW, out, &err), -1);
	assert_int_equal(error_exit_code(&err), 2);
	(void)fclose(out);
	free(text);
	buf_clear(&list);
	world_clear(&w);
}

static void
test_settings(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"[install]\nmta = qmail\n", ":2: mta = qmail: none of postfix, exim"},
		{"[install]\nmta = exim\ntype = lmdb\n", ":3: type = lmdb: no type of map"},
		{"[install]\ntype = hash\n", ":2: type = hash: no type of map"},
		{"[install]\npath = preload\n", ":2: path = preload: not an absolute path"},
		{"[install]\ndane = perhaps\n", ":2: dane = perhaps"},
		{"[source]\nurl = ftp://example.org/\n", ":2: url = ftp://example.org/"},
		{"[source]\nroot =\n", ":2: root has no value"},
		{"[source x]\nroot = /r\nurl = file:/u\n", ":3: [source x] is for one more list, and [source], "
							"the first, has no url"},
		{"[source]\nurl = file:/u\n[source x]\nroot = /r\nurl = file:/u\n", ":5: [source x] is for one more list, "
			"and [source], the first, has no root"},
		{"[postfix]\nformat = new\n", ":2: format = new"},
	};
	char *path = in_temp("settings.conf");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct update_settings s;
		struct error err = {0};

		write_text(path, cases[i].text, strlen(cases[i].text));
		assert_int_equal(update_settings_load(path, &s, &err), -1);
		assert_int_equal(error_exit_code(&err), 2);
		if (strstr(err.text, cases[i].want) == NULL)
			fail_msg("%s lacks %s", err.text, cases[i].want);
	}
	free(path);
}

/* --- the administrator's rules ------------------------------------------------------------------
 */

static void
write_rules(const char *name, const char *text)
{
	char *path = in_temp(name);

	write_text(path, text, strlen(text));
	free(path);
}

/* What explain says of a domain, and its exit code. The caller clears it. */
static int
explained(struct world *w, const char *domain, int64_t now_s, struct buf *said)
{
	struct error err = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int rc;

	assert_non_null(out);
	rc = report_explain(&w->settings, domain, now_s, out, &err);
	assert_int_equal(fclose(out), 0);
	buf_init(said, 1 << 20);
	buf_add(said, text, size);
	if (rc != 0)
		buf_add_str(said, err.text);
	free(text);
	return rc < 0 ? error_exit_code(&err) : rc;
}

static void
expect_explained(struct world *w, const char *domain, int64_t now_s, int code, const char *const *lines)
{
	struct buf said;
	int got = explained(w, domain, now_s, &said);

	for (; *lines != NULL; lines++)
		if (strstr(buf_str(&said), *lines) == NULL)
			fail_msg("%s: lacks \"%s\":\n%s", domain, *lines, buf_str(&said));
	if (got != code)
		fail_msg("%s: exit code %d, want %d:\n%s", domain, got, code, buf_str(&said));
	buf_clear(&said);
}
#define EXPLAINED(w, domain, now_s, code, ...) \
	expect_explained(w, domain, now_s, code, (const char *const[]){__VA_ARGS__, NULL})

static char *
status_text(struct world *w, int64_t now_s, int want)
{
	struct error err = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int rc = report_status(&w->settings, now_s, out, &err);

	assert_int_equal(fclose(out), 0);
	assert_int_equal(rc < 0 ? error_exit_code(&err) : rc, want);
	return text;
}

static void
expect_status(struct world *w, int64_t now_s, int want, const char *line)
{
	char *text = status_text(w, now_s, want);

	if (strstr(text, line) == NULL)
		fail_msg("status lacks \"%s\":\n%s", line, text);
	free(text);
}

/* A world whose rules are in the file NAME.rules. */
static void
world_with_rules(struct world *w, const char *name)
{
	char *more = xasprintf("[rules]\nfile = %s/%s.rules\n", temp_dir, name);

	make_postmap(texthash_postmap);
	world_init(w, name, "texthash", more);
	w->repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	free(more);
}

/* The mirror goes away: what happens now happens without it. */
static void
hide_mirror(struct world *w)
{
	char *path = xasprintf("%s/metadata/timestamp.json", w->repo.dir);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
test_rules(void **state UNUSED)
{
	struct world w;

	world_with_rules(&w, "rules");
	/* They were asked for. */
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5, .vary = vary_life});
	expect_job(&w, NOW, 2, "rules.rules");
	write_rules("rules.rules", "");
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 1) && has_example(&w, 5));
	assert_false(has_example(&w, 3));
	hide_mirror(&w);
	/* Each takes effect without news and without the network. */
	write_rules("rules.rules",
		"except example-00000001.test until 2026-11-25\n"
		"except nobody.test\n"
		"add mine.test mx *.mine.test mx.other.test\n"
		"add example-00000005.test mx mine.test\n"
		"add dane.test auth dane mx mx.dane.test\n"
		"early-adopter example-00000003.test\n");
	expect_status(&w, NOW, 0, "changed since the map was made");
	EXPLAINED(&w, "example-00000001.test", NOW, 0, "to go with the next run");
	expect_job(&w, NOW, 3, "timestamp.json: not there");
	assert_false(has_example(&w, 1));
	assert_true(has_example(&w, 3));
	assert_true(world_maps(&w, "mine.test",
		"secure match=.mine.test:mx.other.test servername=hostname"));
	assert_true(world_maps(
		&w, "example-00000005.test", "secure match=mine.test servername=hostname"));
	assert_false(world_maps(&w, "dane.test", NULL));
	assert_true(world_maps(&w, MAP_SENTINEL, "1"));
	EXPLAINED(&w, "example-00000001.test", NOW, 0, "example-00000001.test: listed, but not enforced",
		"rule         except example-00000001.test until 2026-11-25 (",
		"/rules.rules:1)", "runs out     2026-11-26T00:00:00Z (in 2 days)",
		"instead of   list 1, mode enforce",
		"why          your exceptions go before additions and the list",
		"servers      mx.example-00000001.test");
	EXPLAINED(&w, "nobody.test", NOW, 1, "not listed (list 1); ", "/rules.rules:2 has no effect");
	EXPLAINED(&w, "mine.test", NOW, 0, "mine.test: mail only over verified TLS",
		"rule         add mine.test auth pkix mx *.mine.test mx.other.test (",
		"servers      *.mine.test, mx.other.test", "verified     by a public certificate");
	EXPLAINED(&w, "example-00000005.test", NOW, 0, "/rules.rules:4)",
		"instead of   list 1, mode enforce", "why          your additions go before the list",
		"servers      mine.test");
	EXPLAINED(&w, "dane.test", NOW, 0, "dane.test: added by you, but not enforced here",
		"line         none: it has DANE only", "/rules.rules:5)");
	EXPLAINED(&w, "example-00000003.test", NOW, 0, "mail only over verified TLS",
		"rule         early-adopter example-00000003.test (",
		"instead of   list 1, mode testing");
	EXPLAINED(&w, "other.test", NOW, 1, "other.test: not listed (list 1)");
	expect_status(&w, NOW, 0, "your rules   2 exceptions, 3 additions, 1 early adopter\n");
	expect_status(&w, NOW, 0,
		"except example-00000001.test until 2026-11-25: runs out 2026-11-26T00:00:00Z (in 2 days)");
	expect_status(&w, NOW, 0, "2 lines of your own, 1 in place of an entry of the list");
	expect_status(&w, NOW, 0, "1 enforced though in testing mode");
	expect_status(&w, NOW, 0, "1 without a line");
	expect_status(&w, NOW, 0, "1 exception without effect");
	expect_status(&w, NOW, 0, "left out     1 by your exceptions");
	/* The last day is over. */
	expect_job(&w, NOW + 2 * DAY + DAY / 2 - 1, 3, "timestamp.json");
	assert_false(has_example(&w, 1));
	expect_job(&w, NOW + 2 * DAY + DAY / 2, 3, "timestamp.json");
	assert_true(has_example(&w, 1));
	EXPLAINED(&w, "example-00000001.test", NOW + 3 * DAY, 0, "mail only over verified TLS",
		"run out      except example-00000001.test until 2026-11-25 (",
		"over since 2026-11-26T00:00:00Z");
	expect_status(&w, NOW + 3 * DAY, 0, "ran out 2026-11-26T00:00:00Z");
	/* No entry outlives the list's word by a rule, and an addition needs none. */
	expect_job(&w, NOW + 40 * DAY, 5, "expired");
	assert_false(has_example(&w, 3));
	assert_true(has_example(&w, 5) && world_maps(&w, "mine.test", NULL));
	world_clear(&w);
}

/* With a rule that cannot be read no list is taken, and the map stands, but for what has run out. */
static void
test_broken_rules(void **state UNUSED)
{
	struct buf before, after;
	struct world w;

	world_with_rules(&w, "broken");
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5});
	write_rules("broken.rules", "except example-00000001.test\n");
	expect_job(&w, NOW, 0, NULL);
	read_bytes(w.map, &before);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 6});
	write_rules("broken.rules", "# ours\nexcept example-00000001.test untill 2026-11-25\n");
	expect_job(&w, NOW, 2, "/broken.rules:2: \"untill\"");
	read_bytes(w.map, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	expect_status(&w, NOW, 2, "your rules   cannot be read");
	expect_status(&w, NOW, 2, "/broken.rules:2: \"untill\"");
	EXPLAINED(&w, "example-00000001.test", NOW, 2, "/broken.rules:2");
	/* The exception holds on; the last entries go, as they would have without it. */
	expect_job(&w, NOW + 40 * DAY, 2, "/broken.rules:2: \"untill\"");
	for (int i = 1; i <= 6; i++)
		assert_false(has_example(&w, i));
	write_rules("broken.rules", "");
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 1) && has_example(&w, 6));
	buf_clear(&before);
	buf_clear(&after);
	world_clear(&w);
}

static void
vary_half_testing(int i, struct list_entry *e)
{
	if (i % 2 == 0)
		e->policy.mode = LIST_MODE_TESTING;
}

/* However much rules change, the brake is for what the list does. */
static void
test_rules_and_brake(void **state UNUSED)
{
	struct world w;
	struct buf rules;

	world_with_rules(&w, "rules-brake");
	world_publish(&w,
		&(struct list_spec){
			.version = 1, .first = 1, .last = 2400, .vary = vary_half_testing});
	write_rules("rules-brake.rules", "");
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 1) && !has_example(&w, 2));
	/* Twice as many lines, with a new list at once. */
	world_publish(&w,
		&(struct list_spec){
			.version = 2, .first = 1, .last = 2401, .vary = vary_half_testing});
	write_rules("rules-brake.rules", "early-adopter all\n");
	expect_job(&w, NOW, 0, NULL);
	assert_true(has_example(&w, 2) && has_example(&w, 2401));
	/* A quarter of them excepted, more than the list has of our own, and a new list. */
	buf_init(&rules, 1 << 20);
	for (int i = 1; i <= 600; i++)
		buf_addf(&rules, "except example-%08d.test\n", i);
	for (int i = 0; i < 3000; i++)
		buf_addf(&rules, "add mine-%d.test mx mx.mine.test\n", i);
	write_rules("rules-brake.rules", buf_str(&rules));
	world_publish(&w,
		&(struct list_spec){
			.version = 3, .first = 1, .last = 2402, .vary = vary_half_testing});
	expect_job(&w, NOW, 0, NULL);
	assert_false(has_example(&w, 1) || has_example(&w, 599));
	assert_true(has_example(&w, 601) && world_maps(&w, "mine-2999.test", NULL));
	/* What the list does counts as ever, and additions do not water it down: of the 901 lines that
	 * are left of it 200 would go. */
	world_publish(&w,
		&(struct list_spec){
			.version = 4, .first = 1001, .last = 2402, .vary = vary_half_testing});
	expect_job(&w, NOW, 1, "would drop 200 of 901");
	assert_true(has_example(&w, 601));
	/* What is excepted may go as it likes. */
	world_publish(&w,
		&(struct list_spec){
			.version = 5, .first = 601, .last = 2402, .vary = vary_half_testing});
	expect_job(&w, NOW, 0, NULL);
	assert_true(world_maps(&w, MAP_SENTINEL, "5"));
	buf_clear(&rules);
	world_clear(&w);
}

/* undo goes back to an earlier list, not to earlier rules. */
static void
test_rules_and_undo(void **state UNUSED)
{
	struct world w;

	world_with_rules(&w, "rules-undo");
	write_rules("rules-undo.rules", "");
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5});
	expect_job(&w, NOW, 0, NULL);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 6});
	expect_job(&w, NOW, 0, NULL);
	write_rules("rules-undo.rules", "except example-00000001.test\n");
	OK(run_undo(&w.settings, "list 1 is in force again", &ok_err));
	assert_false(has_example(&w, 1) || has_example(&w, 6));
	assert_true(has_example(&w, 2));
	world_clear(&w);
}

/* What the installed lines cannot say is warned of when the rules are new, and noted afterwards. */
static void
test_left_additions(void **state UNUSED)
{
	struct world w;
	struct buf said;

	world_with_rules(&w, "left");
	write_rules("left.rules", "add dane.test auth dane mx mx.dane.test\n");
	world_publish(&w, &(struct list_spec){.version = 1, .first = 1, .last = 5});
	job_says(&w, NOW, &said);
	assert_non_null(strstr(buf_str(&said), "/left.rules:1: add dane.test: line: none: it has DANE only"));
	buf_clear(&said);
	world_publish(&w, &(struct list_spec){.version = 2, .first = 1, .last = 5});
	job_says(&w, NOW, &said);
	assert_int_equal(said.len, 0);
	buf_clear(&said);
	world_clear(&w);
}

/* The sample file is made from the table of keys, so that neither can say what the other does not.
 */
static void
test_sample(void **state UNUSED)
{
	const char *tests = getenv("TESTDIR");
	char *path = xasprintf(
		"%s/../data/preload25-update.conf.example", tests != NULL ? tests : "tests");
	struct buf want, got;

	buf_init(&want, 1 << 20);
	assert_int_equal(config_sample(update_settings_keys, update_settings_key_count, &want), 0);
	read_bytes(path, &got);
	if (strcmp(buf_str(&got), buf_str(&want)) != 0)
		fail_msg("%s should be:\n%s", path, buf_str(&want));
	buf_clear(&want);
	buf_clear(&got);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_install),
		cmocka_unit_test(test_runs_out),
		cmocka_unit_test(test_map_moved),
		cmocka_unit_test(test_clock_behind),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_brake),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_undo_of_some),
		cmocka_unit_test(test_altered_state),
		cmocka_unit_test(test_damaged_state),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_two_killed_everywhere),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_two_full),
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_by_delta),
		cmocka_unit_test(test_delta_too_dear),
		cmocka_unit_test(test_delta_faults),
		cmocka_unit_test(test_delta_and_list),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_broken_rules),
		cmocka_unit_test(test_rules_and_brake),
		cmocka_unit_test(test_rules_and_undo),
		cmocka_unit_test(test_left_additions),
		cmocka_unit_test(test_sample),
	};

	log_to_stderr("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

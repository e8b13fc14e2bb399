/* The job in two halves: one that fetches, with no rights but on its own folder, and one that verifies anew
 * what it finds there, and installs: what passes between them, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "updater/fetch_job.h"
#include "updater/fetch_record.h"
#include "updater/health.h"
#include "updater/incoming.h"
#include "updater/map.h"
#include "updater/mta.h"
#include "updater/state.h"

#include "skewed_clock.h"
#include "updater_world.h"

/* --- the n-th operation on files ----------------------------------------------------------------
 */

/* Shared by the processes of a run; below 0: none is fatal. */
static int *steps_left;

static void
step(void)
{
	if (steps_left != NULL && *steps_left >= 0 && (*steps_left)-- == 0)
		(void)raise(SIGKILL);
}

#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name);

ssize_t
write(int fd, const void *data, size_t len)
{
	REAL(write)

	if (fd > 2)
		step();
	return real(fd, data, len);
}

/* Nobody pulls the plug here, and disks are slow. */
int
fsync(int fd UNUSED)
{
	step();
	return 0;
}

int
rename(const char *from, const char *to)
{
	REAL(rename)

	step();
	return real(from, to);
}

int
link(const char *from, const char *to)
{
	REAL(link)

	step();
	return real(from, to);
}

int
renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	REAL(renameat2)

	step();
	return real(from_fd, from, to_fd, to, flags);
}

int
unlinkat(int fd, const char *name, int flags)
{
	REAL(unlinkat)

	step();
	return real(fd, name, flags);
}

/* --- a mirror that takes a request and never answers ---------------------------------------------
 */

#define TURNS_MAX 8

/* Shared by the processes of a run. */
static struct silence {
	int listener;
	pid_t patient; /* who waits for the process that asks; 0: nobody */
	/* For how long it would have waited, in milliseconds. */
	int turns[TURNS_MAX];
	int count;
} *silence;

/* Who waits in vain has waited as soon as the mirror was asked. */
int
poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct pollfd either[2];
	int rc;

	REAL(poll)

	if (silence == NULL || getpid() != silence->patient || count != 1)
		return real(fds, count, timeout_ms);
	either[0] = fds[0];
	either[1] = (struct pollfd){.fd = silence->listener, .events = POLLIN};
	rc = real(either, 2, timeout_ms);
	fds[0].revents = either[0].revents;
	if (rc <= 0 || either[0].revents != 0)
		return rc <= 0 ? rc : 1;
	/* It stays open until this process ends. */
	if (accept(silence->listener, NULL, NULL) < 0 || silence->count == TURNS_MAX)
		abort();
	silence->turns[silence->count++] = timeout_ms;
	pass_time(timeout_ms / 1000 + 1);
	return 0;
}

/* --- scenery ------------------------------------------------------------------------------------
 */

#define HOUR INT64_C(3600)

/* Of the world that is looked at: where its fetcher puts things, and the version that is published. */
static char *incoming, *mirror, *record;
static int64_t published;

static void
begin(struct world *w, const char *name, const char *more)
{
	/* So that another user can get at what is in it. */
	assert_int_equal(chmod(temp_dir, 0755), 0);
	make_postmap(texthash_postmap);
	world_init(w, name, "texthash", more);
	incoming = xasprintf("%s.state/incoming/main", w->repo.dir);
	mirror = xasprintf("%s/repository", incoming);
	record = xasprintf("%s/record.json", incoming);
	published = 0;
}

static void
end(struct world *w)
{
	world_clear(w);
	free(incoming);
	free(mirror);
	free(record);
}

static void
publish_spec(struct world *w, struct list_spec spec)
{
	spec.version = ++published;
	spec.first = 1;
	if (spec.last == 0)
		spec.last = 3;
	world_publish(w, &spec);
}

static void
publish(struct world *w)
{
	publish_spec(w, (struct list_spec){.last = 3});
}

/* A process of its own: root is another user behind it. Its exit code; -1 killed. */
static int
fetch_at(struct world *w, int64_t now_s, int deadly_step)
{
	struct error err = {0};
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		*steps_left = deadly_step;
		if (silence != NULL)
			silence->patient = getpid();
		_exit(fetch_job_run(&w->settings, now_s, &err) < 0 ? error_exit_code(&err) : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*steps_left = -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return -1;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
fetch(struct world *w, int64_t now_s, int want)
{
	assert_int_equal(fetch_at(w, now_s, -1), want);
}

static void
install(struct world *w, int64_t now_s, int want, const char *text)
{
	const struct job_options options = {.now_s = now_s, .offline = true};

	expect_exit_code(&w->settings, &options, want, text);
}

static bool
has_version(struct world *w, int64_t version)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, version);
	return world_maps(w, MAP_SENTINEL, text);
}

static int64_t
last_success(struct world *w)
{
	struct state state;
	int64_t time_s;

	OK(job_load_state(&w->settings, &state, &ok_err));
	time_s = state.last_success_s;
	state_clear(&state);
	return time_s;
}

/* The mirror's file whose name ends so; the caller frees it. */
static char *
in_mirror(const char *pattern)
{
	char *full = xasprintf("%s/%s", mirror, pattern), *path;
	glob_t found;

	if (glob(full, 0, NULL, &found) != 0 || found.gl_pathc == 0)
		fail_msg("no %s", full);
	path = xstrdup(found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	free(full);
	return path;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_halves(void **state UNUSED)
{
	struct world w;
	struct stat st, now;
	char *path;

	begin(&w, "halves", NULL);
	w.repo.zstd = true;
	publish(&w);
	install(&w, NOW, 3, "could not fetch: no run with --fetch-only");
	/* It has made the folder for who fetches, who may have no right to. */
	path = incoming_path(w.settings.state_dir, NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	if (geteuid() == 0)
		assert_int_not_equal(st.st_uid, 0);
	free(path);
	fetch(&w, NOW, 0);
	assert_false(file_exists(w.map));
	install(&w, NOW, 0, NULL);
	assert_true(has_version(&w, 1) && world_maps(&w, "example-00000003.test", NULL));
	assert_int_equal(last_success(&w), NOW);
	/* Nothing new: nothing is written. */
	path = in_mirror("metadata/timestamp.json");
	assert_int_equal(stat(path, &st), 0);
	if (geteuid() == 0)
		assert_int_not_equal(st.st_uid, 0);
	fetch(&w, NOW + 60, 0);
	assert_int_equal(stat(path, &now), 0);
	assert_true(now.st_ino == st.st_ino);
	install(&w, NOW + 120, 0, NULL);
	/* The run that found something is the last one that succeeded. */
	assert_int_equal(last_success(&w), NOW + 60);
	publish(&w);
	fetch(&w, NOW + 180, 0);
	install(&w, NOW + 180, 0, NULL);
	assert_true(has_version(&w, 2));
	free(path);
	end(&w);
}

/* Keys change, and the chain of roots is handed on: also to who was not there all the time. */
static void
test_roots(void **state UNUSED)
{
	struct world w;
	struct job_options online = {.now_s = NOW};
	char *path;

	begin(&w, "roots", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	for (int i = 0; i < 5; i++) {
		struct tuf_signer *old = NULL;

		repo_rotate(&w.repo, i == 2 ? TUF_ROLE_TIMESTAMP : TUF_ROLE_TARGETS);
		repo_root(&w.repo, old);
		publish(&w);
		if (i % 2 == 0)
			fetch(&w, NOW + i, 0);
		if (i == 2)
			install(&w, NOW + i, 0, NULL);
	}
	install(&w, NOW + 10, 0, NULL);
	assert_true(has_version(&w, 6));
	/* Who has nothing but the anchor takes all the steps. */
	path = xasprintf("%s/roots.state/metadata/root.json", temp_dir);
	assert_int_equal(unlink(path), 0);
	install(&w, NOW + 11, 0, NULL);
	assert_true(file_exists(path));
	free(path);
	/* A run with a network of its own has seen more: what was fetched before it is no attack. */
	publish(&w);
	online.now_s = NOW + 20;
	expect_exit_code(&w.settings, &online, 0, NULL);
	install(&w, NOW + 30, 0, NULL);
	assert_true(has_version(&w, 7));
	assert_int_equal(last_success(&w), NOW + 20);
	fetch(&w, NOW + 40, 0);
	install(&w, NOW + 40, 0, NULL);
	assert_int_equal(last_success(&w), NOW + 40);
	end(&w);
}

/* Another trust anchor: all begins anew on both sides. */
static void
test_other_anchor(void **state UNUSED)
{
	struct world w;
	char *old;

	begin(&w, "anchor", NULL);
	publish(&w);
	repo_rotate(&w.repo, TUF_ROLE_TARGETS);
	repo_root(&w.repo, NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	old = in_mirror("metadata/2.root.json");
	repo_rotate(&w.repo, TUF_ROLE_ROOT);
	w.repo.versions[TUF_ROLE_ROOT] = 6;
	repo_root(&w.repo, NULL);
	repo_copy_root(&w.repo, w.root);
	publish(&w);
	fetch(&w, NOW + 60, 0);
	assert_false(file_exists(old));
	install(&w, NOW + 60, 0, NULL);
	assert_true(has_version(&w, 3));
	free(old);
	end(&w);
}

/* A repository whose files are replaced in place is mirrored under names that are not. */
static void
test_flat(void **state UNUSED)
{
	struct world w;

	begin(&w, "flat", NULL);
	w.repo.flat = true;
	for (int i = 0; i < 3; i++) {
		publish(&w);
		fetch(&w, NOW + i, 0);
		free(in_mirror("metadata/[0-9]*.snapshot.json"));
		install(&w, NOW + i, 0, NULL);
		assert_true(has_version(&w, i + 1));
	}
	end(&w);
}

static void
short_life(int i, struct list_entry *e)
{
	if (i == 2)
		e->policy.max_age_s = DAY;
}

/* The network is dead: entries run out all the same, and everybody is told why, by what was seen first. */
static void
test_dead_network(void **state UNUSED)
{
	struct world w;
	struct health health;
	struct state known;
	char *gone = in_temp("dead.gone"), *site;

	begin(&w, "dead", NULL);
	publish_spec(&w, (struct list_spec){.vary = short_life});
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	site = xasprintf("%s/metadata", w.repo.dir);
	assert_int_equal(rename(site, gone), 0);
	fetch(&w, NOW + DAY - 3601, 3);
	install(&w, NOW + DAY - 3601, 3, "could not fetch: \"file:");
	assert_true(world_maps(&w, "example-00000002.test", NULL));
	fetch(&w, NOW + DAY, 3);
	install(&w, NOW + DAY, 3, "timestamp.json: not there");
	assert_false(world_maps(&w, "example-00000002.test", NULL));
	assert_true(world_maps(&w, "example-00000003.test", NULL));
	assert_int_equal(last_success(&w), NOW);
	/* The mirror's own metadata have expired since: that is for want of newer ones. */
	fetch(&w, NOW + 3 * DAY, 3);
	install(&w, NOW + 3 * DAY, 3, "could not fetch: \"file:");
	OK(job_load_state(&w.settings, &known, &ok_err));
	health_judge(&w.settings, &known, NOW + 3 * DAY, &health);
	assert_int_equal(health.level, HEALTH_WARNING);
	assert_non_null(strstr(health.text, "no run has succeeded for 3 days; the last one: could not fetch"));
	state_clear(&known);
	fetch(&w, NOW + 14 * DAY, 3);
	install(&w, NOW + 14 * DAY, 5, "has expired");
	/* And nobody fetches any more. */
	assert_int_equal(rename(gone, site), 0);
	w.repo.expires[TUF_ROLE_TIMESTAMP] = NOW + 300 * DAY;
	publish_spec(&w, (struct list_spec){.timestamp_s = NOW + 15 * DAY});
	fetch(&w, NOW + 15 * DAY, 0);
	install(&w, NOW + 15 * DAY, 0, NULL);
	assert_int_equal(last_success(&w), NOW + 15 * DAY);
	install(&w, NOW + 16 * DAY + 1, 3, "could not fetch: the last fetching run was 2026-12-08T12:00:00Z");
	free(site);
	free(gone);
	end(&w);
}

/* Somebody holds newer metadata back from the one who fetches. */
static void
test_freeze(void **state UNUSED)
{
	struct world w;

	begin(&w, "freeze", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	fetch(&w, NOW + 2 * DAY, 4);
	install(&w, NOW + 2 * DAY, 4, "freeze, or this clock is wrong: could not fetch: ");
	assert_true(has_version(&w, 1));
	end(&w);
}

/* The fetching run has failed before it could say anything: who installs notices, but does not take a second run
 * by hand for one that nobody has fetched for. */
static void
test_not_begun(void **state UNUSED)
{
	static const char text[] = "could not fetch: no fetching run has begun since that of 2026-11-23T12:00:00Z";
	struct job_options dry = {.now_s = NOW + 4 * HOUR, .offline = true, .dry_run = true};
	struct world w;

	begin(&w, "silent", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	/* As late as it may be, but the first. */
	expect_exit_code(&w.settings, &dry, 0, NULL);
	install(&w, NOW + 5 * HOUR, 0, NULL);
	install(&w, NOW + 5 * HOUR + 60, 0, NULL);
	install(&w, NOW + 6 * HOUR, 0, NULL);
	install(&w, NOW + 6 * HOUR + 1, 3, text);
	install(&w, NOW + 6 * HOUR + 2, 3, text);
	assert_int_equal(last_success(&w), NOW);
	fetch(&w, NOW + 10 * HOUR, 0);
	install(&w, NOW + 10 * HOUR, 0, NULL);
	assert_int_equal(last_success(&w), NOW + 10 * HOUR);
	/* A clock that was wrong for a while. */
	install(&w, NOW + 9 * HOUR, 0, NULL);
	install(&w, NOW + 10 * HOUR, 0, NULL);
	install(&w, NOW + 10 * HOUR + 1, 3, "could not fetch: no fetching run has begun since");
	end(&w);
}

static void
be_altered(const char *path)
{
	struct buf text;

	read_bytes(path, &text);
	text.data[text.len / 2] ^= 1;
	write_text(path, text.data, text.len);
	buf_clear(&text);
}

/* A list waits at the brake, and then the mirror is forged: that is more to tell. */
static void
test_brake_and_forgery(void **state UNUSED)
{
	struct world w;
	char *site, *kept = in_temp("braked.kept");

	begin(&w, "braked", "[brake]\ngone_min = 1\n");
	publish_spec(&w, (struct list_spec){.last = 20});
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	publish(&w);
	fetch(&w, NOW + 60, 0);
	install(&w, NOW + 60, 1, "brake: list 2 would drop 17 of 20");
	site = xasprintf("%s/metadata/timestamp.json", w.repo.dir);
	copy_file(site, kept);
	be_altered(site);
	fetch(&w, NOW + 120, 4);
	install(&w, NOW + 120, 4, "could not fetch: \"");
	/* What cannot be had is less. */
	assert_int_equal(unlink(site), 0);
	fetch(&w, NOW + 180, 3);
	install(&w, NOW + 180, 1, "brake: list 2 would drop 17 of 20");
	copy_file(kept, site);
	fetch(&w, NOW + 240, 0);
	install(&w, NOW + 240, 1, "brake: list 2 would drop 17 of 20");
	free(site);
	free(kept);
	end(&w);
}

/* Each source is fetched and told of by itself. */
static void
test_two_sources(void **state UNUSED)
{
	char *more = xasprintf("[source other]\nurl = file:%s/second\nroot = %s/second.root\n", temp_dir, temp_dir);
	char *list = in_temp("second.list"), *root = in_temp("second.root"), *gone = in_temp("second.gone");
	char *site, *folder = in_temp("two.state/incoming/other");
	struct update_settings before;
	struct error err = {0};
	struct repo other;
	struct world w;

	begin(&w, "two", more);
	publish(&w);
	repo_init(&other, "second");
	write_list(list, &(struct list_spec){.version = 5, .first = 11, .last = 12});
	repo_publish(&other, list);
	repo_copy_root(&other, root);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	assert_true(world_maps(&w, "example-00000001.test", NULL) && world_maps(&w, "example-00000012.test", NULL));
	site = xasprintf("%s/metadata", other.dir);
	assert_int_equal(rename(site, gone), 0);
	publish_spec(&w, (struct list_spec){.last = 4});
	fetch(&w, NOW + 60, 3);
	install(&w, NOW + 60, 3, "other: could not fetch: \"file:");
	assert_true(world_maps(&w, "example-00000004.test", NULL) && world_maps(&w, "example-00000012.test", NULL));
	assert_int_equal(last_success(&w), NOW);
	/* One that is not configured any more leaves nothing behind. */
	assert_true(file_exists(folder));
	before = w.settings;
	{
		char *text = xasprintf("[source]\nurl = file:%s/two\nroot = %s\n[state]\ndir = %s/two.state\n"
				       "[install]\nmta = texthash\npath = %s\ndane = no\n",
			temp_dir, w.root, temp_dir, w.map);

		write_text(w.conf, text, strlen(text));
		free(text);
	}
	if (update_settings_load(w.conf, &w.settings, &err) < 0)
		fail_msg("%s", err.text);
	update_settings_clear(&before);
	fetch(&w, NOW + 120, 0);
	assert_false(file_exists(folder));
	free(folder);
	free(site);
	free(gone);
	free(root);
	free(list);
	free(more);
	repo_clear(&other);
	end(&w);
}

/* Two sources whose mirrors hang, in front of one that is well: none takes what the others need. */
static void
test_fair_share(void **state UNUSED)
{
	/* The TimeoutStartSec of preload25-fetch.service, of which some is kept back. */
	const int64_t unit_ms = INT64_C(10800000);
	struct sockaddr_in here = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t waited_ms = 0;
	struct world w, third;
	char *more;

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
	world_init(&third, "share-third", "texthash", NULL);
	more = xasprintf("[source]\nurl = http://127.0.0.1:%d\n"
			 "[source second]\nurl = http://127.0.0.1:%d\nroot = %s\n"
			 "[source third]\nurl = file:%s\nroot = %s\n",
		ntohs(here.sin_port), ntohs(here.sin_port), third.root, third.repo.dir, third.root);
	begin(&w, "share", more);
	publish(&w);
	world_publish(&third, &(struct list_spec){.version = 7, .first = 11, .last = 13});
	w.settings.sources[0].urls[0] = w.settings.sources[0].urls[1];
	w.settings.sources[0].url_count = 1;
	/* More than there is for all of them. */
	w.settings.sandbox_time_s = 100000;
	silence = mmap(NULL, sizeof(*silence), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(silence != MAP_FAILED);
	silence->listener = listener;
	fetch(&w, NOW, 3);
	assert_int_equal(silence->count, 2);
	for (int i = 0; i < silence->count; i++) {
		/* Fetching is one piece of three, each of which may take as long; nobody has more than his
		 * part of what was left. */
		assert_in_range(silence->turns[i], 60000, (unit_ms - waited_ms) / (3 - i) / 3);
		waited_ms += silence->turns[i];
	}
	/* What was not used is for those who come later. */
	assert_true(silence->turns[1] > silence->turns[0]);
	install(&w, NOW, 3, "could not fetch");
	assert_true(world_maps(&w, "example-00000013.test", NULL));
	(void)munmap(silence, sizeof(*silence));
	silence = NULL;
	(void)close(listener);
	free(more);
	world_clear(&third);
	end(&w);
}

/* --- a folder that somebody has taken over ------------------------------------------------------
 */

static void
be_link(const char *path)
{
	char *to = xasprintf("%s.moved", path);

	assert_int_equal(rename(path, to), 0);
	assert_int_equal(symlink(to, path), 0);
	free(to);
}

static void
be_fifo(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void
be_folder(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void
be_half(const char *path)
{
	struct buf text;

	read_bytes(path, &text);
	write_text(path, text.data, text.len / 2);
	buf_clear(&text);
}

static void
be_endless(const char *path)
{
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
}

static void
be_shared(const char *path)
{
	char *to = xasprintf("%s.other", path);

	assert_int_equal(link(path, to), 0);
	free(to);
}

static void
be_gone(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void
test_hostile(void **state UNUSED)
{
	static const struct {
		const char *file;
		void (*become)(const char *path);
		int want;
		const char *text;
	} cases[] = {
		{"metadata/timestamp.json", be_link, 4, "timestamp.json: behind a link"},
		{"metadata/timestamp.json", be_fifo, 4, "timestamp.json: not a file"},
		{"metadata/timestamp.json", be_folder, 4, "timestamp.json: not a file"},
		{"metadata/timestamp.json", be_half, 4, "timestamp.json: "},
		{"metadata/timestamp.json", be_endless, 4, "timestamp.json: "},
		{"metadata/timestamp.json", be_gone, 3, "timestamp.json: not there"},
		{"metadata/2.snapshot.json", be_altered, 4, "2.snapshot.json: "},
		{"metadata/2.snapshot.json", be_half, 4, "2.snapshot.json: mix of versions, or altered"},
		{"metadata/2.targets.json", be_link, 4, "2.targets.json: behind a link"},
		{"metadata", be_link, 4, "root.json: behind a link"},
		{"targets", be_link, 4, "list.json: behind a link"},
		{"targets/*.list.json", be_altered, 4, "list.json: "},
		{"targets/*.list.json", be_half, 4, "list.json: "},
		{"targets/*.list.json", be_endless, 4, "list.json: "},
		{"targets/*.list.json", be_fifo, 4, "list.json: not a file"},
		{".", NULL, 4, "repository is a link, or no folder"},
		{"../record.json", be_link, 4, "record.json: not a file of its own"},
		{"../record.json", be_fifo, 4, "record.json: not a file of its own"},
		{"../record.json", be_folder, 4, "record.json: not a file of its own"},
		{"../record.json", be_endless, 4, "record.json: not a file of its own, or too large"},
		{"../record.json", be_shared, 4, "record.json: not a file of its own"},
		{"../record.json", be_half, 4, "record.json: "},
		{"../record.json", be_gone, 3, "could not fetch: no run with --fetch-only"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *name = xasprintf("hostile-%zu", i), *path, *moved;
		struct job_options online = {.now_s = NOW};
		struct world w;

		begin(&w, name, NULL);
		publish(&w);
		/* By itself, so that all of the mirror is still to be read. */
		expect_exit_code(&w.settings, &online, 0, NULL);
		publish(&w);
		fetch(&w, NOW + 60, 0);
		if (cases[i].become != NULL) {
			path = in_mirror(cases[i].file);
			/* Of a list they leave another name in the folder above, and that stays. */
			if (strstr(path, "targets/") != NULL && cases[i].become != be_fifo) {
				moved = xasprintf("%s.copy", path);
				copy_file(path, moved);
				assert_int_equal(rename(moved, path), 0);
				free(moved);
			}
			cases[i].become(path);
			free(path);
		} else {
			be_link(mirror);
		}
		install(&w, NOW + 120, cases[i].want, cases[i].text);
		if (!has_version(&w, 1))
			fail_msg("case %zu: the list was installed", i);
		assert_int_equal(last_success(&w), NOW);
		free(name);
		end(&w);
	}
}

/* In the place of the record, whatever is in there. */
static void
lie(int64_t now_s, int64_t mirror_s, const char *outcome, const char *why)
{
	char *text = xasprintf("{\"anchor_sha256\":\"\",\"began\":%" PRId64 ",\"ended\":%" PRId64
			       ",\"list_sha256\":\"\",\"list_version\":0,\"mirror\":%" PRId64
			       ",\"outcome\":\"%s\",\"record_version\":1,\"resolver\":\"unknown\","
			       "\"resolver_time\":0,\"why\":\"%s\"}",
		now_s, now_s, mirror_s, outcome, why);

	write_text(record, text, strlen(text));
	free(text);
}

/* It says that all is well, and that there is nothing to look at: for no longer than what is known lasts. */
static void
test_lie_of_no_news(void **state UNUSED)
{
	struct world w;
	struct health health;
	struct state known;

	begin(&w, "lie", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	lie(NOW + DAY, 1, "none", "");
	install(&w, NOW + DAY, 0, NULL);
	lie(NOW + 2 * DAY, 1, "none", "");
	install(&w, NOW + 2 * DAY, 4, "freeze, or this clock is wrong: ");
	OK(job_load_state(&w.settings, &known, &ok_err));
	health_judge(&w.settings, &known, NOW + 2 * DAY, &health);
	assert_int_equal(health.level, HEALTH_CRITICAL);
	state_clear(&known);
	assert_true(has_version(&w, 1));
	assert_int_equal(last_success(&w), NOW);
	lie(NOW + 14 * DAY, 1, "none", "");
	install(&w, NOW + 14 * DAY, 5, "has expired");
	end(&w);
}

/* Its word is not as grave as what is seen here, and stands in quotation marks. */
static void
test_lie_of_configuration(void **state UNUSED)
{
	struct world w;
	char *path;

	begin(&w, "words", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	lie(NOW + 60, NOW + 60, "configuration", "x\\\": all is well");
	install(&w, NOW + 60, 2, "could not fetch: \"x': all is well\"");
	path = in_mirror("metadata/timestamp.json");
	be_altered(path);
	install(&w, NOW + 120, 4, "timestamp.json: ");
	free(path);
	end(&w);
}

/* Another root file, and nothing fetched by it yet: what was fetched by the old one is no attack. */
static void
test_anchor_not_fetched(void **state UNUSED)
{
	struct world w;
	char *site, *gone = in_temp("other.gone");

	begin(&w, "other", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	repo_rotate(&w.repo, TUF_ROLE_ROOT);
	repo_rotate(&w.repo, TUF_ROLE_TIMESTAMP);
	w.repo.versions[TUF_ROLE_ROOT] = 6;
	repo_root(&w.repo, NULL);
	repo_copy_root(&w.repo, w.root);
	install(&w, NOW + 60, 3, "could not fetch: what is there was fetched by another root file");
	site = xasprintf("%s/metadata", w.repo.dir);
	assert_int_equal(rename(site, gone), 0);
	fetch(&w, NOW + 120, 3);
	install(&w, NOW + 120, 3, "could not fetch: \"file:");
	assert_true(has_version(&w, 1));
	assert_int_equal(rename(gone, site), 0);
	publish(&w);
	fetch(&w, NOW + 180, 0);
	install(&w, NOW + 180, 0, NULL);
	assert_true(has_version(&w, 2));
	free(site);
	free(gone);
	end(&w);
}

/* A repository of yesterday, signed as ever. */
static void
test_rollback(void **state UNUSED)
{
	struct world w;
	char *path, *old;

	begin(&w, "rollback", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	path = in_mirror("metadata/timestamp.json");
	old = in_temp("rollback.old");
	copy_file(path, old);
	install(&w, NOW, 0, NULL);
	publish(&w);
	fetch(&w, NOW + 60, 0);
	install(&w, NOW + 60, 0, NULL);
	copy_file(old, path);
	install(&w, NOW + 120, 4, "rollback: version 1 is older than 2");
	assert_true(has_version(&w, 2));
	/* The next run mends it. */
	fetch(&w, NOW + 180, 0);
	install(&w, NOW + 180, 0, NULL);
	free(old);
	free(path);
	end(&w);
}

/* A list that was damaged on the disk before it was installed is fetched anew. */
static void
test_damaged(void **state UNUSED)
{
	struct world w;
	char *path;
	int fd;

	begin(&w, "damaged", NULL);
	publish(&w);
	fetch(&w, NOW, 0);
	path = in_mirror("targets/*.list.json");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 5), 1);
	(void)close(fd);
	install(&w, NOW, 4, "list.json: ");
	fetch(&w, NOW + 60, 0);
	install(&w, NOW + 60, 0, NULL);
	assert_true(has_version(&w, 1));
	free(path);
	end(&w);
}

/* Killed at each step: what is there is whole, the other half says what has happened, and the next run
 * completes the work. */
static void
test_killed(void **state UNUSED)
{
	struct world w;
	int n, rc;

	begin(&w, "killed", "[brake]\ngone_percent = 100\n");
	publish(&w);
	fetch(&w, NOW, 0);
	install(&w, NOW, 0, NULL);
	/* All of the first steps, and then some of the many that each make one more link. */
	for (n = 0, rc = -1; rc != 0; n += 1 + n / 16) {
		const struct job_options options = {.now_s = NOW + 60, .offline = true};
		struct error err = {0};
		int code;

		assert_true(n < 500);
		if (n % 7 == 3) {
			repo_rotate(&w.repo, TUF_ROLE_TIMESTAMP);
			repo_root(&w.repo, NULL);
		}
		publish(&w);
		rc = fetch_at(&w, NOW + 60, n);
		code = job_run(&w.settings, &options, &err) < 0 ? error_exit_code(&err) : 0;
		if (code != 0 && (code != 3 || (strstr(err.text, "has not ended") == NULL &&
						       strstr(err.text, "process crashed") == NULL)))
			fail_msg("step %d: exit code %d: %s", n, code, err.text);
		assert_true(has_version(&w, published) || has_version(&w, published - 1));
		fetch(&w, NOW + 60, 0);
		install(&w, NOW + 60, 0, NULL);
		assert_true(has_version(&w, published));
	}
	assert_true(n > 20);
	end(&w);
}

/* --- the record ---------------------------------------------------------------------------------
 */

static void
test_resolver_word(void **state UNUSED)
{
	const struct {
		int64_t time_s;
		enum resolver_answer want;
	} cases[] = {{NOW, RESOLVER_VALIDATES}, {NOW - DAY, RESOLVER_VALIDATES},
		{NOW - DAY - 1, RESOLVER_UNKNOWN}, {NOW + DAY + 1, RESOLVER_UNKNOWN},
		{0, RESOLVER_UNKNOWN}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fetch_record r = {.resolver = {RESOLVER_VALIDATES, cases[i].time_s}};

		assert_int_equal(fetch_record_resolver(&r, NOW, DAY).answer, cases[i].want);
	}
}

static void
test_record(void **state UNUSED)
{
	static const char good[] =
		"{\"anchor_sha256\":\"\",\"began\":5,\"ended\":7,\"list_sha256\":\"\",\"list_version\":0,\"mirror\":0,"
		"\"outcome\":\"temporary\",\"record_version\":1,\"resolver\":\"does-not\",\"resolver_time\":5,"
		"\"why\":\"x\\u0007y\\\"z\"}";
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"\"record_version\":1", "\"record_version\":2"},
		{"\"ended\":7", "\"ended\":4"},
		{"\"ended\":7", "\"ended\":-1"},
		{"\"ended\":7", "\"ended\":99999999999999"},
		{"\"began\":5", "\"began\":\"5\""},
		{"\"outcome\":\"temporary\"", "\"outcome\":\"none\""},
		{"\"outcome\":\"temporary\"", "\"outcome\":\"bad\""},
		{"\"why\":\"x\\u0007y\\\"z\"", "\"why\":\"\""},
		{"\"resolver\":\"does-not\"", "\"resolver\":1"},
		{"\"list_sha256\":\"\"", "\"list_sha256\":\"../../etc/passwd\""},
		{"\"anchor_sha256\":\"\"", "\"anchor_sha256\":\"0\""},
		{"\"anchor_sha256\":\"\",", ""},
		{"\"list_version\":0", "\"list_version\":1e3"},
		{"}", ""},
	};
	struct fetch_record r;
	struct error err = {0};

	OK(fetch_record_parse(good, strlen(good), &r, &ok_err));
	assert_int_equal(r.outcome.kind, ERROR_TEMP);
	assert_string_equal(r.outcome.text, "x\\x07y'z");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(good, cases[i].from);
		char *text = xasprintf("%.*s%s%s", (int)(at - good), good, cases[i].to,
			at + strlen(cases[i].from));

		if (fetch_record_parse(text, strlen(text), &r, &err) != -1 || err.kind != ERROR_INPUT)
			fail_msg("taken: %s", text);
		assert_int_equal(r.began_s, 0);
		free(text);
	}
}

static int
set_up(void **state)
{
	steps_left = mmap(NULL, sizeof(*steps_left), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps_left == MAP_FAILED)
		return -1;
	*steps_left = -1;
	log_to_stderr("test", LOG_LEVEL_ERROR);
	return make_temp_dir(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_other_anchor),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_dead_network),
		cmocka_unit_test(test_freeze),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_brake_and_forgery),
		cmocka_unit_test(test_two_sources),
		cmocka_unit_test(test_fair_share),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_lie_of_no_news),
		cmocka_unit_test(test_lie_of_configuration),
		cmocka_unit_test(test_anchor_not_fetched),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_resolver_word),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, set_up, remove_temp_dir);
}

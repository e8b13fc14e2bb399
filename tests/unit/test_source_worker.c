/* What is taken over of the process that fetches: what it has proved, in an order that may be cut short
 * anywhere, and nothing when its report cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "updater/confine.h"
#include "updater/fetch.h"
#include "updater/source.h"
#include "updater/source_worker.h"
#include "updater/state.h"

#include "updater_repo.h"

/* --- calls that come here first -----------------------------------------------------------------
 */

#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name);

/* The report, as it is sent: behind a head of type and length, a record each of the root, the anchor, the
 * timestamp, the snapshot, the targets and the list; behind them versions, and a record of each root that was
 * kept. */
struct record {
	int64_t length;
	char sha256[65];
};
enum { ROOT, ANCHOR, TIMESTAMP, SNAPSHOT, TARGETS, LIST, RECORDS };
struct whole {
	struct record records[RECORDS];
	int64_t versions[4]; /* of root, snapshot and targets; of the first root that was kept */
	struct record roots[TUF_ROOTS_MAX];
};
static const uint32_t report_head[2] = {2, sizeof(struct whole)};

/* What becomes of it on its way out of the process; NULL: nothing. It returns whether it is sent. */
static bool (*alter)(struct whole *report);
/* The answer behind it: what was returned, the kind of failure, and its text. */
struct answer {
	int32_t rc;
	uint32_t kind;
	char text[sizeof(((struct error *)NULL)->text)];
};
static const uint32_t answer_head[2] = {3, sizeof(struct answer)};
/* Whether the process that has reported answers that there is nothing new, whatever there is. */
static bool hold_back;

static ssize_t
send_altered(ssize_t (*real)(int, const void *, size_t), int fd, const void *data, size_t len)
{
	struct whole report;

	assert(len == sizeof(report));
	memcpy(&report, data, len);
	if (alter(&report) && (real(fd, report_head, sizeof(report_head)) < 0 ||
				      real(fd, &report, len) < 0))
		return -1;
	return (ssize_t)len;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	static const struct answer nothing_new = {0};
	static bool follows, has_reported, ends;
	REAL(write)

	if (alter == NULL)
		return real(fd, data, len);
	if (follows) {
		follows = false;
		has_reported = true;
		return send_altered(real, fd, data, len);
	}
	if (ends)
		return real(fd, &nothing_new, len);
	ends = hold_back && has_reported && len == sizeof(answer_head) &&
		memcmp(data, answer_head, len) == 0;
	follows = len == sizeof(report_head) && memcmp(data, report_head, len) == 0;
	return follows ? (ssize_t)len : real(fd, data, len);
}

/* Of the processes that report only the first one is his. */
static int *reports;
/* Comes in the place of the trusted timestamp. */
static const struct buf *poison;

/* The process of this number dies at the rename that the counter leads to. */
static pid_t mortal;
static int renames_left;

int
rename(const char *from, const char *to)
{
	REAL(rename)

	if (getpid() == mortal && renames_left-- == 0)
		(void)raise(SIGKILL);
	if (poison == NULL || *reports == 0 || strcmp(to, "metadata/timestamp.json") != 0)
		return real(from, to);
	/* What the second process has verified is another file by the time that it is there. */
	write_text(from, poison->data, poison->len);
	return real(from, to);
}

/* Called before each process is started, when its folder is filled and given. */
static void (*before_fork)(void);

pid_t
fork(void)
{
	void (*call)(void) = before_fork;
	REAL(fork)

	before_fork = NULL;
	if (call != NULL)
		call();
	before_fork = call;
	return real();
}

/* --- scenery ------------------------------------------------------------------------------------
 */

static const struct fetch_options fetch_options = {
	.connect_timeout_s = 5, .timeout_s = 5, .low_speed_bytes_s = 1, .low_speed_time_s = 5};

struct scene {
	struct repo repo;
	struct source source;
	struct source_here here;
	struct state_list have; /* the list that counts */
	struct confine_user user;
	const char *urls[1];
	char *url, *root, *list, *state, *metadata;
};

static void
publish(struct scene *s, int64_t version)
{
	write_list(s->list, &(struct list_spec){.version = version, .first = 1, .last = 5});
	repo_publish(&s->repo, s->list);
}

static void
scene_init(struct scene *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	repo_init(&s->repo, name);
	s->url = xasprintf("file:%s", s->repo.dir);
	s->root = xasprintf("%s.root", s->repo.dir);
	s->list = xasprintf("%s.list", s->repo.dir);
	s->state = xasprintf("%s.state", s->repo.dir);
	s->metadata = xasprintf("%s/metadata", s->state);
	s->urls[0] = s->url;
	s->source = (struct source){.urls = s->urls,
		.url_count = 1,
		.root = s->root,
		.fetch = &fetch_options,
		.list_max = 1000000,
		.list_dir = s->state,
		.metadata_dir = s->metadata};
	s->here = (struct source_here){.list = &s->have, .dir = s->state, .undone = ""};
	OK(file_mkdirs(s->state, 0755, &ok_err));
	OK(confine_find_user(NULL, &s->user, &ok_err));
	publish(s, 1);
	repo_copy_root(&s->repo, s->root);
}

static void
scene_clear(struct scene *s)
{
	repo_clear(&s->repo);
	free(s->url);
	free(s->root);
	free(s->list);
	free(s->state);
	free(s->metadata);
}

static int
refresh_at(const struct scene *s, int64_t now_s, struct source_found *found, struct error *err)
{
	error_clear(err);
	return source_worker_refresh(&s->source, &s->here, &s->user, 20000, now_s, found, err);
}

static int
refresh(const struct scene *s, struct source_found *found, struct error *err)
{
	return refresh_at(s, NOW, found, err);
}

static char *
trusted(const struct scene *s, enum tuf_role role)
{
	return xasprintf("%s/%s.json", s->metadata, tuf_role_name(role));
}

static bool
is_same(const char *a, const char *b)
{
	struct tuf_file of_a, of_b;
	struct error err = {0};

	return tuf_file_of_path(a, &of_a, &err) == 0 && tuf_file_of_path(b, &of_b, &err) == 0 &&
		strcmp(of_a.sha256, of_b.sha256) == 0;
}

static int
files_in(const struct scene *s)
{
	int count = 0;

	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		char *path = trusted(s, (enum tuf_role)role);

		count += file_exists(path);
		free(path);
	}
	return count;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_takes(void **state UNUSED)
{
	struct scene s;
	struct source_found found;
	struct error err;
	struct stat st;
	char *path, *work;

	scene_init(&s, "takes");
	work = xasprintf("%s/work", s.state);
	assert_int_equal(refresh(&s, &found, &err), 1);
	assert_false(file_exists(work));
	assert_int_equal(files_in(&s), TUF_ROLE_COUNT);
	path = source_list_path(s.state, found.list.sha256);
	OK(source_list_intact(path, found.list.sha256, &ok_err));
	/* Fetched once and not installed: it is told again, and not fetched. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(refresh(&s, &found, &err), 1);
	{
		struct stat now;

		assert_int_equal(stat(path, &now), 0);
		assert_true(now.st_ino == st.st_ino);
	}
	s.have.version = 1;
	memcpy(s.have.sha256, found.list.sha256, sizeof(s.have.sha256));
	free(path);
	/* What has not changed is not written anew. */
	path = trusted(&s, TUF_ROLE_TIMESTAMP);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(refresh(&s, &found, &err), 0);
	{
		struct stat now;

		assert_int_equal(stat(path, &now), 0);
		assert_true(now.st_ino == st.st_ino);
	}
	/* Too large to be one of ours. */
	{
		char *noise = xcalloc(1, TUF_TIMESTAMP_MAX + 1);

		write_text(path, noise, TUF_TIMESTAMP_MAX + 1);
		free(noise);
	}
	assert_int_equal(refresh(&s, &found, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true((size_t)st.st_size <= TUF_TIMESTAMP_MAX);
	free(path);
	free(work);
	scene_clear(&s);
}

static bool
says_nothing(struct whole *w UNUSED)
{
	return false;
}

static bool
bad_digest(struct whole *w)
{
	memcpy(w->records[TARGETS].sha256, "../../", 6);
	return true;
}

static bool
endless_digest(struct whole *w)
{
	memset(w->records[SNAPSHOT].sha256, 'a', sizeof(w->records[SNAPSHOT].sha256));
	return true;
}

static bool
too_long(struct whole *w)
{
	w->records[TIMESTAMP].length = INT64_MAX;
	return true;
}

static bool
no_list(struct whole *w)
{
	memset(&w->records[LIST], 0, sizeof(w->records[LIST]));
	return true;
}

static bool
list_below_zero(struct whole *w)
{
	w->records[LIST].length = -1;
	return true;
}

static bool
other_root(struct whole *w)
{
	w->records[ROOT].sha256[0] = w->records[ROOT].sha256[0] == '0' ? '1' : '0';
	return true;
}

static bool
no_version(struct whole *w)
{
	w->versions[1] = -1;
	return true;
}

static bool
roots_beyond(struct whole *w)
{
	w->versions[3] = w->versions[0] + 1;
	return true;
}

static void
test_lies(void **state UNUSED)
{
	static const struct {
		bool (*alter)(struct whole *report);
		const char *text;
		bool of_list;
	} cases[] = {
		{says_nothing, "has reported what is no report", false},
		{bad_digest, "has reported a file that cannot be", false},
		{endless_digest, "has reported a file that cannot be", false},
		{too_long, "has reported a file that cannot be", false},
		{no_list, "has reported a file that cannot be", true},
		{list_below_zero, "has reported a file that cannot be", true},
		{other_root, "sandbox: root.json: ", false},
		{no_version, "has reported a version that cannot be", false},
		{roots_beyond, "has reported a version that cannot be", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *name = xasprintf("lies-%zu", i), *gone = in_temp("gone"), *targets;
		struct source_found found;
		struct error err;
		struct scene s;

		scene_init(&s, name);
		alter = cases[i].alter;
		if (refresh(&s, &found, &err) != -1 || err.kind != ERROR_SECURITY ||
			strstr(err.text, cases[i].text) == NULL)
			fail_msg("case %zu: kind %d: %s", i, (int)err.kind, err.text);
		assert_int_equal(files_in(&s), 0);
		/* A failure that it tells of does not hide it. */
		targets = xasprintf("%s/targets", s.repo.dir);
		assert_int_equal(rename(targets, gone), 0);
		if (cases[i].alter != says_nothing && !cases[i].of_list &&
			(refresh(&s, &found, &err) != -1 || err.kind != ERROR_SECURITY ||
				strstr(err.text, cases[i].text) == NULL))
			fail_msg("case %zu: kind %d: %s", i, (int)err.kind, err.text);
		assert_int_equal(files_in(&s), 0);
		/* And what is true is taken, whatever else has failed. */
		alter = NULL;
		assert_int_equal(refresh(&s, &found, &err), -1);
		assert_int_equal(err.kind, ERROR_TEMP);
		assert_int_equal(files_in(&s), TUF_ROLE_COUNT);
		assert_int_equal(rename(gone, targets), 0);
		assert_int_equal(refresh(&s, &found, &err), 1);
		free(targets);
		free(gone);
		free(name);
		scene_clear(&s);
	}
}

/* A new root with another key for the timestamp: killed anywhere, the old timestamp never stands beside
 * it, where it would no longer be told that it was to be forgotten. */
static void
test_rotation_cut_short(void **state UNUSED)
{
	struct scene s;
	struct source_found found;
	struct error err;
	char *root, *timestamp, *before, *old;
	bool killed = true;
	int n;

	scene_init(&s, "rotation");
	root = trusted(&s, TUF_ROLE_ROOT);
	timestamp = trusted(&s, TUF_ROLE_TIMESTAMP);
	before = xasprintf("%s.before", s.root);
	old = xasprintf("%s.timestamp", s.root);
	assert_int_equal(refresh(&s, &found, &err), 1);
	for (n = 0; killed; n++) {
		int status;
		pid_t pid;

		assert_true(n < 100);
		copy_file(root, before);
		copy_file(timestamp, old);
		repo_rotate(&s.repo, TUF_ROLE_TIMESTAMP);
		repo_root(&s.repo, NULL);
		publish(&s, 2 + n);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			mortal = getpid();
			renames_left = n;
			_exit(refresh(&s, &found, &err) == 1 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
		if (!is_same(root, before) && is_same(timestamp, old))
			fail_msg("rename %d: the old timestamp stands beside the new root", n);
		assert_int_equal(refresh(&s, &found, &err), 1);
		assert_false(is_same(timestamp, old));
	}
	/* root, timestamp, snapshot, targets and the list: to be verified anew, and to be trusted. */
	assert_int_equal(n, 11);
	free(old);
	free(before);
	free(timestamp);
	free(root);
	scene_clear(&s);
}

/* --- a process that was taken over --------------------------------------------------------------
 */

/* What an attacker has made: files of a repository of his own, and a list. */
static struct buf of_his[TUF_ROLE_COUNT], his_list;

/* Writes it where the process may, and reports it. */
static void
forge(const char *path, const struct buf *text, struct record *record)
{
	struct tuf_file file;
	FILE *f;

	/* A copy that was put there is not his to write to, but to remove. */
	(void)unlink(path);
	f = fopen(path, "w");
	assert(f != NULL && fwrite(text->data, 1, text->len, f) == text->len && fclose(f) == 0);
	OK(tuf_file_of_path(path, &file, &ok_err));
	record->length = file.length;
	memcpy(record->sha256, file.sha256, sizeof(record->sha256));
}

static void
forge_below_root(struct whole *w)
{
	forge("metadata/timestamp.json", &of_his[TUF_ROLE_TIMESTAMP], &w->records[TIMESTAMP]);
	forge("metadata/snapshot.json", &of_his[TUF_ROLE_SNAPSHOT], &w->records[SNAPSHOT]);
	forge("metadata/targets.json", &of_his[TUF_ROLE_TARGETS], &w->records[TARGETS]);
}

static void
forge_list(struct whole *w)
{
	struct record *r = &w->records[LIST];
	char *path;

	forge("fetched/list", &his_list, r);
	path = source_list_path("fetched", r->sha256);
	assert(rename("fetched/list", path) == 0);
	free(path);
}

static bool
his_root(struct whole *w)
{
	if (++*reports > 1)
		return true;
	forge("metadata/2.root.json", &of_his[TUF_ROLE_ROOT], &w->roots[0]);
	forge("metadata/root.json", &of_his[TUF_ROLE_ROOT], &w->records[ROOT]);
	w->versions[0] = w->versions[3] = 2;
	forge_below_root(w);
	forge_list(w);
	return true;
}

/* As if he had the trust anchor, too. */
static bool
his_anchor(struct whole *w)
{
	if (*reports == 0)
		forge("metadata/anchor", &of_his[TUF_ROLE_ROOT], &w->records[ANCHOR]);
	return his_root(w);
}

static bool
his_metadata(struct whole *w)
{
	if (++*reports > 1)
		return true;
	forge_below_root(w);
	forge_list(w);
	return true;
}

static bool
his_list_alone(struct whole *w)
{
	if (++*reports > 1)
		return true;
	forge_list(w);
	return true;
}

static void
read_his(void)
{
	struct scene his;
	struct source_found found;
	struct error err;

	scene_init(&his, "his");
	publish(&his, 9);
	assert_int_equal(refresh(&his, &found, &err), 1);
	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		char *path = trusted(&his, (enum tuf_role)role);

		read_bytes(path, &of_his[role]);
		free(path);
	}
	read_bytes(his.list, &his_list);
	scene_clear(&his);
}

static void
clear_his(void)
{
	for (int role = 0; role < TUF_ROLE_COUNT; role++)
		buf_clear(&of_his[role]);
	buf_clear(&his_list);
}

/* Whatever it says, only what stands up to the trusted keys is taken. */
static void
test_taken_over(void **state UNUSED)
{
	static const struct {
		const char *name;
		bool (*alter)(struct whole *report);
		enum error_kind kind;
		const char *text;
		int reports;
	} cases[] = {{"his-root", his_root, ERROR_SECURITY, "verified anew: ", 2},
		{"his-anchor", his_anchor, ERROR_SECURITY, "another trust anchor than it was given", 1},
		{"his-metadata", his_metadata, ERROR_SECURITY, "verified anew: ", 2},
		/* What was announced is not there. */
		{"his-list", his_list_alone, ERROR_TEMP, "verified anew: ", 2}};

	read_his();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct source_found found;
		struct error err;
		struct scene s;
		struct tuf_file newest;
		char *before[TUF_ROLE_COUNT], *path;

		scene_init(&s, cases[i].name);
		assert_int_equal(refresh(&s, &found, &err), 1);
		for (int role = 0; role < TUF_ROLE_COUNT; role++) {
			path = trusted(&s, (enum tuf_role)role);
			before[role] = xasprintf("%s.before", path);
			copy_file(path, before[role]);
			free(path);
		}
		publish(&s, 2);
		*reports = 0;
		alter = cases[i].alter;
		if (refresh(&s, &found, &err) != -1 || err.kind != cases[i].kind ||
			strstr(err.text, cases[i].text) == NULL)
			fail_msg("%s: kind %d: %s", cases[i].name, (int)err.kind, err.text);
		alter = NULL;
		assert_int_equal(*reports, cases[i].reports);
		for (int role = 0; role < TUF_ROLE_COUNT; role++) {
			path = trusted(&s, (enum tuf_role)role);
			/* His list stands beside what the authority has signed meanwhile. */
			if (cases[i].kind == ERROR_SECURITY && !is_same(path, before[role]))
				fail_msg("%s: %s is another one", cases[i].name, path);
			free(path);
			free(before[role]);
		}
		OK(tuf_file_of_path(s.list, &newest, &ok_err));
		path = xasprintf("%s/replay", s.state);
		assert_false(file_exists(path));
		free(path);
		/* And the next run gets what there is. */
		assert_int_equal(refresh(&s, &found, &err), 1);
		assert_string_equal(found.list.sha256, newest.sha256);
		scene_clear(&s);
	}
	clear_his();
}

static bool
no_news(struct whole *w)
{
	w->records[LIST] = w->records[TARGETS];
	return true;
}

static bool
none_known(struct whole *w)
{
	for (int i = ROOT; i < LIST; i++)
		if (i != ANCHOR)
			w->records[i].length = -1;
	return no_news(w);
}

/* News can be held back, but not the alarm that it was. */
static void
test_held_back(void **state UNUSED)
{
	struct source_found found;
	struct error err;
	struct scene s;

	scene_init(&s, "held-back");
	assert_int_equal(refresh(&s, &found, &err), 1);
	s.have.version = 1;
	memcpy(s.have.sha256, found.list.sha256, sizeof(s.have.sha256));
	alter = no_news;
	hold_back = true;
	assert_int_equal(refresh_at(&s, NOW + 2 * DAY - 1, &found, &err), 0);
	assert_int_equal(refresh_at(&s, NOW + 2 * DAY, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_EXPIRED);
	assert_non_null(strstr(err.text, "timestamp.json: version 1, the newest here, has expired"));
	/* Nothing at all: where nothing is known, there is news. */
	scene_clear(&s);
	scene_init(&s, "none-known");
	alter = none_known;
	assert_int_equal(refresh(&s, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	alter = NULL;
	hold_back = false;
	scene_clear(&s);
}

/* --- other processes of its user ----------------------------------------------------------------
 */

static const struct scene *attacked;
static int attacks;

/* As that user: how many of the things that a process decides by can be replaced, or removed. */
static int
swap_all(int work)
{
	static const char *const names[] = {"trust-anchor", "known/root.json", "known/anchor",
		"known/timestamp.json", "known/snapshot.json", "known/targets.json"};
	int done = 0, his = openat(work, "metadata/his", O_WRONLY | O_CREAT | O_EXCL, 0644);

	/* There he may. */
	assert(his >= 0 && close(his) == 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		done += renameat(work, "metadata/his", work, names[i]) == 0;
		done += unlinkat(work, names[i], 0) == 0;
		done += openat(work, names[i], O_WRONLY) >= 0;
	}
	done += renameat(work, "metadata", work, "known") == 0;
	done += renameat(work, "known", work, "metadata/known") == 0;
	done += fchmod(work, 0777) == 0;
	assert(unlinkat(work, "metadata/his", 0) == 0);
	return done;
}

static void
attack(void)
{
	char *path = xasprintf("%s/work", attacked->state);
	int work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
	struct error err = {0};
	pid_t pid;

	free(path);
	/* What looks at the trusted metadata alone has no folder. */
	if (work < 0)
		return;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(confine_become(&attacked->user, &err) < 0 ? 99 : swap_all(work));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(close(work), 0);
	attacks++;
}

static void
test_nothing_to_swap(void **state UNUSED)
{
	struct source_found found;
	struct error err;
	struct scene s;

	scene_init(&s, "swap");
	if (s.user.change) {
		assert_int_equal(refresh(&s, &found, &err), 1);
		publish(&s, 2);
		attacked = &s;
		before_fork = attack;
		assert_int_equal(refresh(&s, &found, &err), 1);
		before_fork = NULL;
		assert_int_equal(attacks, 2);
	} else {
		print_message("SKIPPED: the process stays of this user\n");
	}
	scene_clear(&s);
}

static bool
counted(struct whole *w UNUSED)
{
	++*reports;
	return true;
}

/* What the second process has written is worth what it has verified. */
static void
test_swapped_behind(void **state UNUSED)
{
	struct source_found found;
	struct error err;
	struct scene s;
	char *timestamp, *before;

	read_his();
	scene_init(&s, "swapped-behind");
	assert_int_equal(refresh(&s, &found, &err), 1);
	timestamp = trusted(&s, TUF_ROLE_TIMESTAMP);
	before = xasprintf("%s.before", s.root);
	copy_file(timestamp, before);
	publish(&s, 2);
	*reports = 0;
	alter = counted;
	poison = &of_his[TUF_ROLE_TIMESTAMP];
	assert_int_equal(refresh(&s, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "verified anew: sandbox: timestamp.json: "));
	assert_true(is_same(timestamp, before));
	poison = NULL;
	alter = NULL;
	assert_int_equal(refresh(&s, &found, &err), 1);
	free(before);
	free(timestamp);
	scene_clear(&s);
	clear_his();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_rotation_cut_short),
		cmocka_unit_test(test_taken_over),
		cmocka_unit_test(test_held_back),
		cmocka_unit_test(test_nothing_to_swap),
		cmocka_unit_test(test_swapped_behind),
	};

	reports = mmap(NULL, sizeof(*reports), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

/* The TUF repository under git: publications, and what kills and strangers do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <git2.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/repository.h"
#include "export/tuf_key.h"
#include "export/tuf_metadata.h"
#include "export/tuf_signer.h"

#define NOW INT64_C(1795435200) /* 2026-11-23T12:00:00Z */
#define DAY INT64_C(86400)

/* --- kills --------------------------------------------------------------------------------------
 */

/*
 * The calls that change what is on disk, ours and libgit2's alike, pass through here: the n-th of
 * them ends the process before or after it was done.
 */
static int steps_left = -1; /* -1: never */
static bool after;

static void
step(bool done)
{
	if (steps_left < 0 || done != after)
		return;
	if (steps_left-- == 0)
		_exit(99);
}

#define FORWARD(type, name, parameters, arguments) \
	type name parameters; \
	type name parameters \
	{ \
		static type(*real) parameters; \
		type rc; \
\
		if (real == NULL) \
			*(void **)(&real) = dlsym(RTLD_NEXT, #name); \
		step(false); \
		rc = real arguments; \
		step(true); \
		return rc; \
	}

FORWARD(int, rename, (const char *from, const char *to), (from, to))
FORWARD(int, link, (const char *from, const char *to), (from, to))
FORWARD(int, unlink, (const char *path), (path))
FORWARD(int, fsync, (int fd), (fd))
FORWARD(int, mkdir, (const char *path, mode_t mode), (path, mode))

/* libgit2 1.5 forgets PCRE2's match data whenever one of its own patterns does not match. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libpcre2-8\n";
}

/* --- the ground ---------------------------------------------------------------------------------
 */

/* In memory where that is to be had: hundreds of killed runs, each with its dozens of fsync(). */
static char top[64];

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void
remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
setup(void **state UNUSED)
{
	(void)git_libgit2_init();
	snprintf(top, sizeof(top), "%s/preload25-repository-XXXXXX",
		access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
teardown(void **state UNUSED)
{
	remove_tree(top);
	return 0;
}

/* An authority in a directory of its own: keys, options. */
struct authority {
	char *dir, *path, *remote, *uris[TUF_ROLE_COUNT];
	const char *remotes[2];
	struct repository_options options;
};

static void
authority_clear(struct authority *a)
{
	remove_tree(a->dir);
	free(a->dir);
	free(a->path);
	free(a->remote);
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
		free(a->uris[i]);
}

static void
authority_make(struct authority *a, const char *name)
{
	struct error err = {0};

	memset(a, 0, sizeof(*a));
	a->dir = xasprintf("%s/%s", top, name);
	a->path = xasprintf("%s/repository", a->dir);
	a->remote = xasprintf("%s/remote.git", a->dir);
	assert_int_equal(mkdir(a->dir, 0700), 0);
	a->options = (struct repository_options){.path = a->path,
		.author_name = "Example",
		.author_mail = "list@example.org",
		.push = {.timeout_s = 60, .tries = 1}};
	for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
		struct tuf_signer *s;
		char *key = xasprintf("%s/%s.pem", a->dir, tuf_role_name((enum tuf_role)i));

		assert_int_equal(tuf_signer_generate(key, "ed25519", NULL, &s, &err), 0);
		tuf_signer_free(s);
		a->uris[i] = xasprintf("file:%s", key);
		a->options.keys[i] = (struct repository_keys){
			.uris = (const char *const *)&a->uris[i], .count = 1};
		a->options.expires_s[i] = i == TUF_ROLE_TIMESTAMP ? 2 * DAY
			: i == TUF_ROLE_ROOT                      ? 365 * DAY
								  : 14 * DAY;
		free(key);
	}
}

static void
create(struct authority *a)
{
	struct error err = {0};

	if (repository_create(&a->options, NOW, &err) < 0)
		fail_msg("%s", err.text);
}

static char *
read_text(const char *path)
{
	struct error err = {0};
	struct buf b;

	buf_init(&b, 10000000);
	if (file_read(path, &b, &err) < 0)
		fail_msg("%s", err.text);
	return buf_take(&b);
}

/* Publishes three targets with contents of that number. Returns as repository_publish(). */
static int
publish(struct authority *a, int number, struct error *err)
{
	char *list = NULL, *other = NULL, *delta = NULL, *text = xasprintf("list %d\n", number);
	char *delta_name = xasprintf(REPOSITORY_DELTAS "/%d-%d.json.zst", number - 1, number);
	char *message = xasprintf("list %d: some entries\n", number);
	char commit[GIT_COMMIT_SIZE];
	struct repository *r;
	int rc = -1;

	if (repository_open(&a->options, &r, err) < 0)
		goto out;
	list = repository_state_path(r, "next-list.json");
	other = repository_state_path(r, "other");
	delta = repository_state_path(r, "next-delta");
	if (file_replace(list, text, strlen(text), 0644, err) < 0 ||
		file_replace(other, "always the same\n", 16, 0644, err) < 0 ||
		file_replace(delta, text, strlen(text), 0644, err) < 0)
		goto out;
	rc = repository_publish(r,
		&(struct repository_publication){(struct repository_file[]){{"list.json", list},
							 {"list.schema.json", other},
							 {delta_name, delta}},
			3, message},
		NOW + number, commit, err);
out:
	repository_close(r);
	free(list);
	free(other);
	free(delta);
	free(delta_name);
	free(text);
	free(message);
	return rc;
}

static void
published(struct authority *a, int number)
{
	struct error err = {0};

	if (publish(a, number, &err) < 0)
		fail_msg("%s", err.text);
}

/* --- what a client and a reader of the history see ----------------------------------------------
 */

static struct tuf_meta *
client_meta(const char *dir, const char *file, enum tuf_role role, const struct tuf_meta *root)
{
	char *path = xasprintf("%s/metadata/%s", dir, file), *text = read_text(path);
	struct tuf_meta *m;
	struct error err = {0};

	if (tuf_meta_parse(text, strlen(text), role, &m, &err) < 0 ||
		tuf_meta_verify(m, root != NULL ? root : m, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	free(path);
	free(text);
	return m;
}

/* From root 1 to the newest, each signed by the keys of the one before and by its own. */
static struct tuf_meta *
client_root(const char *dir)
{
	struct tuf_meta *root = client_meta(dir, "1.root.json", TUF_ROLE_ROOT, NULL);

	for (int version = 2;; version++) {
		char name[40], *path;
		struct tuf_meta *next;
		struct error err = {0};
		bool there;

		snprintf(name, sizeof(name), "%d.root.json", version);
		path = xasprintf("%s/metadata/%s", dir, name);
		there = file_exists(path);
		free(path);
		if (!there)
			return root;
		next = client_meta(dir, name, TUF_ROLE_ROOT, root);
		assert_int_equal(tuf_meta_verify(next, next, &err), 0);
		tuf_meta_free(root);
		root = next;
	}
}

/* Follows the metadata from the root to list.json as a client does. Returns the number of the list;
 * 0: nothing is published. Everything that is published must be sound. */
static int
client_list(const char *dir, int64_t *timestamp)
{
	struct tuf_meta *root, *meta, *snapshot, *targets;
	char *path = xasprintf("%s/metadata/timestamp.json", dir), *text, name[64];
	struct error err = {0};
	struct tuf_file f;
	const char *target;
	int number = 0;

	if (timestamp != NULL)
		*timestamp = 0;
	if (!file_exists(path)) {
		free(path);
		return 0;
	}
	free(path);
	root = client_root(dir);
	meta = client_meta(dir, "timestamp.json", TUF_ROLE_TIMESTAMP, root);
	if (timestamp != NULL)
		*timestamp = tuf_meta_version(meta);
	assert_int_equal(tuf_meta_find(meta, "snapshot.json", &f), 1);
	snprintf(name, sizeof(name), "%d.snapshot.json", (int)f.version);
	snapshot = client_meta(dir, name, TUF_ROLE_SNAPSHOT, root);
	path = xasprintf("%s/metadata/%s", dir, name);
	assert_int_equal(tuf_check_path(&f, path, &err), 0);
	free(path);
	assert_int_equal(tuf_meta_find(snapshot, "targets.json", &f), 1);
	snprintf(name, sizeof(name), "%d.targets.json", (int)f.version);
	targets = client_meta(dir, name, TUF_ROLE_TARGETS, root);
	path = xasprintf("%s/metadata/%s", dir, name);
	assert_int_equal(tuf_check_path(&f, path, &err), 0);
	free(path);
	for (size_t i = 0; tuf_targets_nth(targets, i, &target, &f); i++) {
		const char *slash = strrchr(target, '/');
		int in = slash != NULL ? (int)(slash - target) + 1 : 0;

		path = xasprintf("%s/targets/%.*s%s.%s", dir, in, target, f.sha256, target + in);
		if (tuf_check_path(&f, path, &err) < 0)
			fail_msg("%s", err.text);
		if (strcmp(target, "list.json") == 0) {
			text = read_text(path);
			assert_int_equal(sscanf(text, "list %d\n", &number), 1);
			free(text);
		}
		free(path);
	}
	tuf_meta_free(root);
	tuf_meta_free(meta);
	tuf_meta_free(snapshot);
	tuf_meta_free(targets);
	return number;
}

/* Number of commits on HEAD; the newest message comes out. */
static int
history(const char *dir, char *message, size_t size)
{
	git_repository *repo;
	git_revwalk *walk;
	git_commit *commit;
	git_oid oid;
	int count = 0;

	assert_int_equal(git_repository_open(&repo, dir), 0);
	assert_int_equal(git_revwalk_new(&walk, repo), 0);
	if (git_revwalk_push_head(walk) == 0) {
		while (git_revwalk_next(&oid, walk) == 0) {
			if (count++ > 0)
				continue;
			assert_int_equal(git_commit_lookup(&commit, repo, &oid), 0);
			snprintf(message, size, "%s", git_commit_message(commit));
			git_commit_free(commit);
		}
	}
	git_revwalk_free(walk);
	git_repository_free(repo);
	return count;
}

static int
count_files(const char *dir, const char *sub)
{
	char *path = xasprintf("%s/%s", dir, sub);
	struct dirent *e;
	DIR *d = opendir(path);
	int count = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	free(path);
	return count;
}

/* The files of HEAD are those of the directory, and nothing is changed, staged or untracked. */
static void
assert_clean(const char *dir)
{
	git_status_options options;
	git_status_list *list;
	git_repository *repo;

	(void)git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
	options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS;
	assert_int_equal(git_repository_open(&repo, dir), 0);
	assert_int_equal(git_status_list_new(&list, repo, &options), 0);
	if (git_status_list_entrycount(list) != 0) {
		const git_status_entry *e = git_status_byindex(list, 0);

		fail_msg("%s: status %x of %s", dir, (unsigned)e->status,
			e->index_to_workdir != NULL ? e->index_to_workdir->new_file.path
						    : e->head_to_index->new_file.path);
	}
	git_status_list_free(list);
	git_repository_free(repo);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_publish(void **state UNUSED)
{
	struct authority a;
	char message[200], *path, *text;
	struct error err = {0};
	struct repository *r;
	int64_t timestamp;

	authority_make(&a, "publish");
	create(&a);
	assert_int_equal(history(a.path, message, sizeof(message)), 1);
	assert_clean(a.path);
	assert_int_equal(client_list(a.path, NULL), 0);

	/* A second time is refused and changes nothing. */
	assert_int_equal(repository_create(&a.options, NOW, &err), 1);
	assert_int_equal(err.kind, ERROR_CONFIG);

	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_target_path(r, "list.json", &path), 0);
	assert_null(path);
	assert_int_equal(repository_expires(r), 0);
	repository_close(r);

	for (int i = 1; i <= 4; i++) {
		published(&a, i);
		assert_int_equal(client_list(a.path, &timestamp), i);
		assert_int_equal(timestamp, i);
		assert_int_equal(history(a.path, message, sizeof(message)), 1 + i);
		text = xasprintf("list %d: some entries\n", i);
		assert_string_equal(message, text);
		free(text);
		assert_clean(a.path);
		path = xasprintf("%s/targets/list.json", a.path);
		text = read_text(path);
		assert_int_equal(text[5] - '0', i);
		free(text);
		free(path);
		/* This publication and the one before: root, timestamp, two each. */
		assert_int_equal(count_files(a.path, "metadata"), i == 1 ? 4 : 6);
		/* Two plain names, two schemas that are one file, one or two lists; the directory of
		 * deltas, with a plain name, and one or two. */
		assert_int_equal(count_files(a.path, "targets"), i == 1 ? 5 : 6);
		assert_int_equal(count_files(a.path, "targets/delta"), i == 1 ? 2 : 3);
		path = xasprintf("%s/targets/delta/%d-%d.json.zst", a.path, i - 1, i);
		assert_true(file_exists(path));
		free(path);
	}
	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_target_path(r, "list.json", &path), 1);
	text = read_text(path);
	assert_string_equal(text, "list 4\n");
	free(text);
	free(path);
	assert_int_equal(repository_expires(r), NOW + 4 + 2 * DAY);

	/* Taken: another process must wait. */
	struct repository *second;
	assert_int_equal(repository_open(&a.options, &second, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_null(second);
	repository_close(r);
	repository_close(NULL);
	authority_clear(&a);
}

static void
test_renew(void **state UNUSED)
{
	static const struct {
		int64_t days;
		int64_t timestamp, snapshot, targets; /* versions afterwards */
	} cases[] = {
		{0, 2, 1, 1},
		{6, 3, 1, 1},
		{8, 4, 2, 2}, /* both are past half of their 14 days */
		{9, 5, 2, 2},
	};
	struct authority a;
	struct error err = {0};
	struct repository *r;
	char commit[GIT_COMMIT_SIZE];

	authority_make(&a, "renew");
	create(&a);
	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_renew(r, REPOSITORY_ALL, NOW, commit, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	repository_close(r);
	published(&a, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_meta *root, *meta;
		struct tuf_file f;
		char name[40];

		assert_int_equal(repository_open(&a.options, &r, &err), 0);
		if (repository_renew(r, REPOSITORY_ALL, NOW + cases[i].days * DAY, commit, &err) <
			0)
			fail_msg("%s", err.text);
		repository_close(r);
		assert_int_equal(client_list(a.path, NULL), 1);
		assert_clean(a.path);
		root = client_meta(a.path, "1.root.json", TUF_ROLE_ROOT, NULL);
		meta = client_meta(a.path, "timestamp.json", TUF_ROLE_TIMESTAMP, root);
		assert_int_equal(tuf_meta_version(meta), cases[i].timestamp);
		assert_int_equal(tuf_meta_expires(meta), NOW + (cases[i].days + 2) * DAY);
		assert_int_equal(tuf_meta_find(meta, "snapshot.json", &f), 1);
		assert_int_equal(f.version, cases[i].snapshot);
		snprintf(name, sizeof(name), "%d.snapshot.json", (int)f.version);
		tuf_meta_free(meta);
		meta = client_meta(a.path, name, TUF_ROLE_SNAPSHOT, root);
		assert_int_equal(tuf_meta_find(meta, "targets.json", &f), 1);
		assert_int_equal(f.version, cases[i].targets);
		tuf_meta_free(meta);
		tuf_meta_free(root);
	}
	authority_clear(&a);
}

static void
test_push(void **state UNUSED)
{
	struct authority a;
	struct error err = {0};
	struct repository *r;
	git_repository *bare, *repo;
	git_reference *ref;
	git_oid oid;
	char id[GIT_COMMIT_SIZE], head[GIT_COMMIT_SIZE], message[200];

	authority_make(&a, "push");
	assert_int_equal(git_repository_init(&bare, a.remote, 1), 0);
	a.remotes[0] = "/nonexistent/remote.git";
	a.remotes[1] = a.remote;
	a.options.remotes = a.remotes;
	a.options.remote_count = 2;
	create(&a);
	for (int i = 1; i <= 2; i++) {
		published(&a, i);
		assert_int_equal(repository_open(&a.options, &r, &err), 0);
		assert_int_equal(repository_push(r, &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.text,
			"push: [repository] remote: /nonexistent/remote.git: there is no git"));
		assert_int_equal(repository_head(r, head, &err), 0);
		repository_close(r);
		/* The other one has it nevertheless. */
		assert_int_equal(git_reference_name_to_id(&oid, bare, "refs/heads/" GIT_BRANCH), 0);
		(void)git_oid_tostr(id, sizeof(id), &oid);
		assert_string_equal(id, head);
	}
	/* Nothing new: fine. A remote that has gone elsewhere is never overwritten. */
	a.options.remotes = a.remotes + 1;
	a.options.remote_count = 1;
	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_push(r, &err), 0);
	repository_close(r);
	git_repository_free(bare);
	struct authority b;
	authority_make(&b, "push2");
	b.remotes[0] = a.remote;
	b.options.remotes = b.remotes;
	b.options.remote_count = 1;
	create(&b);
	assert_int_equal(repository_open(&b.options, &r, &err), 0);
	assert_int_equal(repository_push(r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "has commits that are not ours"));
	repository_close(r);
	assert_int_equal(git_repository_open(&repo, a.remote), 0);
	assert_int_equal(git_reference_lookup(&ref, repo, "refs/heads/" GIT_BRANCH), 0);
	(void)git_oid_tostr(id, sizeof(id), git_reference_target(ref));
	assert_string_equal(id, head);
	git_reference_free(ref);
	git_repository_free(repo);
	assert_int_equal(history(a.path, message, sizeof(message)), 3);
	authority_clear(&a);
	authority_clear(&b);
}

/* A peer that accepts and never answers does not hold up the others, and is given up in time. */
static void
test_push_hangs(void **state UNUSED)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	struct authority a;
	struct error err = {0};
	struct repository *r;
	git_repository *bare;
	git_oid oid;
	char *url;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	authority_make(&a, "hangs");
	url = xasprintf("http://somebody:secret@127.0.0.1:%d/x.git", ntohs(address.sin_port));
	assert_int_equal(git_repository_init(&bare, a.remote, 1), 0);
	a.remotes[0] = url;
	a.remotes[1] = a.remote;
	a.options.remotes = a.remotes;
	a.options.remote_count = 2;
	a.options.push.timeout_s = 5; /* enough for the other remote, on a busy machine, too */
	create(&a);
	published(&a, 1);
	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_push(r, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_non_null(strstr(err.text, "/x.git: no answer within 5 s"));
	assert_null(strstr(err.text, "secret"));
	assert_int_equal(git_reference_name_to_id(&oid, bare, "refs/heads/" GIT_BRANCH), 0);

	/* Nobody there at all: tried again, then said. */
	(void)close(fd);
	a.options.push.timeout_s = 60;
	a.options.push.tries = 2;
	repository_close(r);
	assert_int_equal(repository_open(&a.options, &r, &err), 0);
	assert_int_equal(repository_push(r, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	assert_non_null(strstr(err.text, "push: http://somebody:***@127.0.0.1:"));
	repository_close(r);
	git_repository_free(bare);
	free(url);
	authority_clear(&a);
}

static void
test_remotes(void **state UNUSED)
{
	static const struct {
		const char *remote, *fault; /* NULL: none */
	} cases[] = {
		{"https://git.example.org/list.git", NULL},
		{"https://me:secret@git.example.org:8443/list.git", NULL},
		{"ssh://git@[2001:db8::1]:22/list.git", NULL},
		{"ssh://git@[2001:db8::1]/list.git", NULL},
		{"git@git.example.org:list.git", NULL},
		{"/srv/list.git", NULL},
		{"../list.git", NULL},
		{"list.git", NULL},
		{"file:///srv/list.git", NULL},
		{"", "empty"},
		{"ftp://example.org/list.git", "neither https"},
		{"https:///list.git", "no host"},
		{"https://me@/list.git", "no host"},
		{"https://:443/list.git", "no host"},
		{"https://git.example.org", "no path"},
		{"https://git.example.org/", "no path"},
		{"https://git.example.org:0/list.git", "port"},
		{"https://git.example.org:http/list.git", "port"},
		{"https://git.example.org:65536/list.git", "port"},
		{"ssh://[2001:db8::1/list.git", "bracket"},
		{"file://list.git", "no absolute path"},
		{"https://git.example.org/a b", "blank"},
		{"/srv/list\n.git", "blank"},
		{":list.git", "no host"},
		{"git.example.org:", "no path"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *fault = push_remote_fault(cases[i].remote);

		if ((fault == NULL) != (cases[i].fault == NULL) ||
			(fault != NULL && strstr(fault, cases[i].fault) == NULL))
			fail_msg("%s: %s", cases[i].remote, fault != NULL ? fault : "taken");
	}
	char *shown = push_remote_shown("https://me:secret@git.example.org/a@b");
	assert_string_equal(shown, "https://me:***@git.example.org/a@b");
	free(shown);
	shown = push_remote_shown("git@git.example.org:a/b");
	assert_string_equal(shown, "git@git.example.org:a/b");
	free(shown);
}

static void
write_in(struct authority *a, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", a->path, name);
	struct error err = {0};

	assert_int_equal(file_replace(path, text, strlen(text), 0644, &err), 0);
	free(path);
}

static void
remove_in(struct authority *a, const char *name)
{
	char *path = xasprintf("%s/%s", a->path, name);

	assert_int_equal(remove(path), 0);
	free(path);
}

static void
refused(struct authority *a, enum error_kind kind, const char *want)
{
	char before[200], now[200];
	struct error err = {0};
	int commits = history(a->path, before, sizeof(before));

	if (publish(a, 9, &err) == 0)
		fail_msg("taken: %s", want);
	if (err.kind != kind || strstr(err.text, want) == NULL)
		fail_msg("got %d %s; want %s", (int)err.kind, err.text, want);
	assert_int_equal(history(a->path, now, sizeof(now)), commits);
}

static void
test_strangers(void **state UNUSED)
{
	struct authority a, b;
	struct error err = {0};
	struct repository *r;
	git_repository *repo;
	git_oid oid;
	char *old, *path;

	authority_make(&a, "strangers");

	/* Nothing there; a file; an empty directory; a repository of somebody else. */
	assert_int_equal(repository_open(&a.options, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(file_replace(a.path, "x", 1, 0600, &err), 0);
	assert_int_equal(repository_open(&a.options, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_int_equal(unlink(a.path), 0);
	assert_int_equal(git_repository_init(&repo, a.path, 0), 0);
	git_repository_free(repo);
	assert_int_equal(repository_open(&a.options, &r, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "not a repository made by preload25 init"));
	path = xasprintf("%s/.git/preload25", a.path);
	assert_false(file_exists(path));
	free(path);
	remove_tree(a.path);
	assert_int_equal(git_repository_init(&repo, a.path, 1), 0);
	git_repository_free(repo);
	assert_int_equal(repository_open(&a.options, &r, &err), -1);
	assert_non_null(strstr(err.text, "without a work tree"));
	remove_tree(a.path);

	create(&a);
	published(&a, 1);
	/* Another hand: an untracked file, a changed one, a missing one, also below an ignore rule.
	 */
	write_in(&a, "targets/extra", "x");
	refused(&a, ERROR_CONFIG, "targets/extra: changed by another hand");
	write_in(&a, ".gitignore", "extra\n");
	refused(&a, ERROR_CONFIG, "targets/extra: changed by another hand");
	remove_in(&a, "targets/extra");
	write_in(&a, "targets/list.json", "list 7\n");
	refused(&a, ERROR_CONFIG, "targets/list.json: changed by another hand");
	write_in(&a, "targets/list.json", "list 1\n");
	remove_in(&a, "metadata/1.snapshot.json");
	refused(&a, ERROR_SECURITY, "metadata that is missing");
	/* Files of the operator's own elsewhere are no matter, and stay out of the commits. */
	assert_int_equal(git_repository_open(&repo, a.path), 0);
	git_object *head;
	git_checkout_options checkout;
	(void)git_checkout_options_init(&checkout, GIT_CHECKOUT_OPTIONS_VERSION);
	checkout.checkout_strategy = GIT_CHECKOUT_FORCE;
	assert_int_equal(git_checkout_head(repo, &checkout), 0);
	published(&a, 2);
	assert_int_equal(git_revparse_single(&head, repo, "HEAD:.gitignore"), GIT_ENOTFOUND);
	assert_int_equal(git_revparse_single(&head, repo, "HEAD:targets/list.json"), 0);
	git_object_free(head);

	/* Detached HEAD. */
	assert_int_equal(git_reference_name_to_id(&oid, repo, "HEAD"), 0);
	assert_int_equal(git_repository_set_head_detached(repo, &oid), 0);
	refused(&a, ERROR_CONFIG, "HEAD is detached");
	assert_int_equal(git_repository_set_head(repo, "refs/heads/" GIT_BRANCH), 0);
	git_repository_free(repo);

	/* Tampered metadata: one digit of a signed number. */
	path = xasprintf("%s/metadata/timestamp.json", a.path);
	old = read_text(path);
	char *changed = xstrdup(old), *digit = strstr(changed, "\"length\": ") + 10;
	*digit = *digit == '1' ? '2' : '1';
	write_in(&a, "metadata/timestamp.json", changed);
	refused(&a, ERROR_SECURITY, "good signatures");
	write_in(&a, "metadata/timestamp.json", old);
	free(changed);
	free(old);
	free(path);

	/* The keys of another authority. */
	authority_make(&b, "other");
	const struct repository_keys own = a.options.keys[TUF_ROLE_SNAPSHOT];
	a.options.keys[TUF_ROLE_SNAPSHOT] = b.options.keys[TUF_ROLE_SNAPSHOT];
	refused(&a, ERROR_CONFIG,
		"not a repository of ours: its root names another key for snapshot");
	a.options.keys[TUF_ROLE_SNAPSHOT] = own;
	published(&a, 3);
	assert_int_equal(client_list(a.path, NULL), 3);
	authority_clear(&a);
	authority_clear(&b);
}

/* A commit of another hand above ours, or in place of it. Its files are those of HEAD unless other
 * is one more. */
static void
commit_by_hand(struct authority *a, const char *other, bool amend)
{
	git_signature *by;
	git_repository *repo;
	git_commit *head;
	git_index *index;
	git_tree *tree;
	git_oid oid;

	assert_int_equal(git_repository_open(&repo, a->path), 0);
	assert_int_equal(git_repository_index(&index, repo), 0);
	if (other != NULL) {
		write_in(a, other, "by hand\n");
		assert_int_equal(git_index_add_bypath(index, other), 0);
		assert_int_equal(git_index_write(index), 0);
	}
	assert_int_equal(git_index_write_tree(&oid, index), 0);
	assert_int_equal(git_tree_lookup(&tree, repo, &oid), 0);
	assert_int_equal(git_reference_name_to_id(&oid, repo, "HEAD"), 0);
	assert_int_equal(git_commit_lookup(&head, repo, &oid), 0);
	assert_int_equal(git_signature_new(&by, "Hand", "hand@example.org", NOW, 0), 0);
	if (amend)
		assert_int_equal(
			git_commit_amend(&oid, head, "HEAD", by, by, NULL, "by hand\n", tree), 0);
	else
		assert_int_equal(git_commit_create(&oid, repo, "HEAD", by, by, NULL, "by hand\n",
					 tree, 1, (const git_commit *[]){head}),
			0);
	git_signature_free(by);
	git_commit_free(head);
	git_tree_free(tree);
	git_index_free(index);
	git_repository_free(repo);
}

static void
test_hands(void **state UNUSED)
{
	struct authority a;

	authority_make(&a, "hands");
	create(&a);
	published(&a, 1);

	/* Our files as we left them: the operator decides. */
	commit_by_hand(&a, NULL, true);
	refused(&a, ERROR_CONFIG, "by another hand, not");
	a.options.adopt = true;
	published(&a, 2);
	a.options.adopt = false;
	commit_by_hand(&a, "README", false);
	refused(&a, ERROR_CONFIG, "publish --adopt goes on from it");
	refused(&a, ERROR_CONFIG, "git reset --keep");
	a.options.adopt = true;
	published(&a, 3);
	a.options.adopt = false;
	published(&a, 4);
	assert_int_equal(client_list(a.path, NULL), 4);

	/* Other files than we left are not taken, asked for or not. */
	commit_by_hand(&a, "targets/list.json", false);
	refused(&a, ERROR_CONFIG, "with other files in metadata or targets");
	a.options.adopt = true;
	refused(&a, ERROR_CONFIG, "with other files in metadata or targets");
	authority_clear(&a);
}

/* A lock file that another git process holds, or has left. */
static void
test_locks(void **state UNUSED)
{
	static const char *const locks[] = {
		".git/index.lock", ".git/HEAD.lock", ".git/refs/heads/" GIT_BRANCH ".lock"};
	struct authority a;
	char *path;
	pid_t pid;

	authority_make(&a, "locks");
	create(&a);
	published(&a, 1);
	for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
		write_in(&a, locks[i], "");
		refused(&a, ERROR_CONFIG, "if none runs, remove this file");
		refused(&a, ERROR_CONFIG, locks[i]);
		path = xasprintf("%s/%s", a.path, locks[i]);
		assert_int_equal(access(path, F_OK), 0);
		free(path);
		remove_in(&a, locks[i]);
	}
	/* One that goes is waited for. */
	write_in(&a, locks[0], "");
	pid = fork();
	if (pid == 0) {
		(void)usleep(200000);
		remove_in(&a, locks[0]);
		_exit(0);
	}
	published(&a, 2);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	authority_clear(&a);
}

/* Root publishes from a repository that belongs to the service's user. */
static void
test_owner(void **state UNUSED)
{
	struct authority a;
	char *git;

	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	authority_make(&a, "owner");
	create(&a);
	git = xasprintf("%s/.git", a.path);
	assert_int_equal(chown(a.path, 65534, 65534), 0);
	assert_int_equal(chown(git, 65534, 65534), 0);
	published(&a, 1);
	free(git);
	authority_clear(&a);
}

/* What an operator has staged elsewhere stays staged, and is not committed by us. */
static void
test_staged(void **state UNUSED)
{
	struct authority a;
	git_repository *repo;
	git_object *object;
	git_index *index;
	unsigned status;

	authority_make(&a, "staged");
	create(&a);
	write_in(&a, "README", "hello\n");
	assert_int_equal(git_repository_open(&repo, a.path), 0);
	assert_int_equal(git_repository_index(&index, repo), 0);
	assert_int_equal(git_index_add_bypath(index, "README"), 0);
	assert_int_equal(git_index_write(index), 0);
	git_index_free(index);
	git_repository_free(repo);
	published(&a, 1);
	assert_int_equal(git_repository_open(&repo, a.path), 0);
	assert_int_equal(git_status_file(&status, repo, "README"), 0);
	assert_int_equal(status, GIT_STATUS_INDEX_NEW);
	assert_int_equal(git_revparse_single(&object, repo, "HEAD:README"), GIT_ENOTFOUND);
	git_repository_free(repo);
	authority_clear(&a);
}

/* Runs the function in a child that dies at the given step. Returns whether it died there. */
static bool
killed(struct authority *a, void (*run)(struct authority *a), int at, bool after_it)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		steps_left = at;
		after = after_it;
		run(a);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 99)
		fail_msg("killed at %d: exit %d", at, WEXITSTATUS(status));
	return WEXITSTATUS(status) == 99;
}

static void
run_second(struct authority *a)
{
	struct error err = {0};

	if (publish(a, 2, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(3);
	}
}

/* Killed at every step: the client sees list 1 or list 2, the next run goes through, and the
 * history has each publication once. */
static void
test_killed_publishing(void **state UNUSED)
{
	bool alive = false;
	int at;

	log_to_stderr("test", LOG_LEVEL_WARNING);
	for (at = 0; !alive; at++) {
		for (int after_it = 0; after_it < 2; after_it++) {
			struct authority a;
			char message[200], name[40];
			int64_t timestamp;
			int seen, commits;

			snprintf(name, sizeof(name), "killed-%d-%d", at, after_it);
			authority_make(&a, name);
			/* The key of a role will do to sign commits, too. */
			if (after_it)
				a.options.sign_key = a.uris[TUF_ROLE_TIMESTAMP] + strlen("file:");
			create(&a);
			published(&a, 1);
			alive = !killed(&a, run_second, at, after_it);
			seen = client_list(a.path, &timestamp);
			assert_true(seen == 1 || seen == 2);
			assert_int_equal(timestamp, seen);
			/* The next run, with other contents. */
			published(&a, 3);
			assert_int_equal(client_list(a.path, &timestamp), 3);
			assert_int_equal(timestamp, seen + 1);
			commits = history(a.path, message, sizeof(message));
			if (commits != 2 + seen)
				fail_msg("killed at %d: list %d seen, %d commits", at, seen,
					commits);
			assert_clean(a.path);
			assert_int_equal(count_files(a.path, "metadata"), 6);
			assert_int_equal(count_files(a.path, "targets"), 6);
			assert_int_equal(count_files(a.path, "targets/delta"), 3);
			authority_clear(&a);
		}
	}
	/* Far more steps than that, or the kills did not happen. */
	if (at < 20)
		fail_msg("only %d steps", at);
}

/* --- changes of keys ----------------------------------------------------------------------------
 */

static const struct repository_change rotation = {.role = TUF_ROLE_TIMESTAMP, .rotate = true};

/* Returns the version of the root. */
static int64_t
change(struct authority *a, const struct repository_change *c)
{
	char commit[GIT_COMMIT_SIZE];
	enum repository_root result;
	struct repository *r;
	struct error err = {0};
	int64_t version;

	a->options.new_keys = true;
	if (repository_open(&a->options, &r, &err) < 0 ||
		repository_change_keys(r, c, NOW + 5, &result, commit, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(3);
	}
	assert_int_equal(result, REPOSITORY_ROOT_NEW);
	version = tuf_meta_version(repository_meta(r, TUF_ROLE_ROOT));
	repository_close(r);
	a->options.new_keys = false;
	return version;
}

static void
run_rotation(struct authority *a)
{
	(void)change(a, &rotation);
}

/* The old key signs along, so there is no moment at which a client is turned away. */
static void
test_killed_rotating(void **state UNUSED)
{
	bool alive = false;
	int at;

	for (at = 0; !alive; at++) {
		struct authority a;
		char name[40], *next;

		snprintf(name, sizeof(name), "rotating-%d", at);
		authority_make(&a, name);
		create(&a);
		published(&a, 1);
		alive = !killed(&a, run_rotation, at, false);
		assert_int_equal(client_list(a.path, NULL), 1);
		/* The next run is content with the keys that are there. */
		published(&a, 2);
		assert_int_equal(client_list(a.path, NULL), 2);
		/* And a further change: nothing that was begun is in its way. */
		assert_in_range(change(&a, &rotation), 2, 3);
		assert_int_equal(client_list(a.path, NULL), 2);
		assert_clean(a.path);
		next = xasprintf("%s.next", a.uris[TUF_ROLE_TIMESTAMP] + strlen("file:"));
		assert_false(file_exists(next));
		free(next);
		authority_clear(&a);
	}
	if (at < 10)
		fail_msg("only %d steps", at);
}

/* The key of the timestamp is lost: the new root has to come first, and what a killed run leaves
 * is brought to its end by the next. */
static void
run_replacement(struct authority *a)
{
	char *path = xasprintf("%s/lost.pem", a->dir), *uri = xasprintf("file:%s", path);
	const char *const uris[] = {uri};
	const char *old[1];
	struct repository_change c = {
		.role = TUF_ROLE_TIMESTAMP, .add_count = 1, .remove = old, .remove_count = 1};
	struct error err = {0};
	const struct tuf_key *add[1];
	struct tuf_signer *signer;
	struct repository *r;
	char id[TUF_KEYID_SIZE];

	assert_int_equal(repository_look(&a->options, &r, &err), 0);
	memcpy(id,
		tuf_key_id(tuf_root_key(repository_meta(r, TUF_ROLE_ROOT), TUF_ROLE_TIMESTAMP, 0)),
		sizeof(id));
	repository_close(r);
	old[0] = id;
	assert_int_equal(tuf_signer_load(uri, NULL, &signer, &err), 0);
	add[0] = tuf_signer_key(signer);
	c.add = add;
	a->options.keys[TUF_ROLE_TIMESTAMP].uris = uris;
	if (strcmp(id, tuf_key_id(add[0])) != 0)
		(void)change(a, &c);
	tuf_signer_free(signer);
	free(path);
	free(uri);
}

static void
test_killed_replacing(void **state UNUSED)
{
	bool alive = false;
	int at;

	for (at = 0; !alive; at++) {
		struct authority a;
		struct tuf_signer *signer;
		struct error err = {0};
		const char *uris[1];
		char name[40], *path, *uri;

		snprintf(name, sizeof(name), "replacing-%d", at);
		authority_make(&a, name);
		create(&a);
		published(&a, 1);
		path = xasprintf("%s/lost.pem", a.dir);
		uri = xasprintf("file:%s", path);
		assert_int_equal(tuf_signer_generate(path, "ecdsa", NULL, &signer, &err), 0);
		tuf_signer_free(signer);
		alive = !killed(&a, run_replacement, at, false);
		uris[0] = uri;
		a.options.keys[TUF_ROLE_TIMESTAMP].uris = uris;
		if (publish(&a, 2, &err) < 0) {
			/* Killed before it had begun: the root still names the lost key. */
			assert_int_equal(err.kind, ERROR_CONFIG);
			run_replacement(&a);
			a.options.keys[TUF_ROLE_TIMESTAMP].uris = uris;
			published(&a, 2);
		}
		assert_int_equal(client_list(a.path, NULL), 2);
		assert_clean(a.path);
		free(path);
		free(uri);
		authority_clear(&a);
	}
	if (at < 10)
		fail_msg("only %d steps", at);
}

static void
run_create(struct authority *a)
{
	struct error err = {0};

	if (repository_create(&a->options, NOW, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(3);
	}
}

static void
test_killed_creating(void **state UNUSED)
{
	bool alive = false;
	int at;

	for (at = 0; !alive; at++) {
		struct authority a;
		struct error err = {0};
		struct repository *r;
		char name[40], message[200];

		snprintf(name, sizeof(name), "creating-%d", at);
		authority_make(&a, name);
		alive = !killed(&a, run_create, at, false);
		/* Either it is complete, or making it again completes it. */
		if (repository_open(&a.options, &r, &err) == 0)
			repository_close(r);
		else
			create(&a);
		published(&a, 1);
		assert_int_equal(client_list(a.path, NULL), 1);
		assert_int_equal(history(a.path, message, sizeof(message)), 2);
		assert_clean(a.path);
		authority_clear(&a);
	}
	if (at < 10)
		fail_msg("only %d steps", at);
}

/* A clone has no state of ours and no directory without files. */
static void
test_clone(void **state UNUSED)
{
	struct authority a;
	git_repository *repo;
	char *copy;

	authority_make(&a, "clone");
	create(&a);
	copy = xasprintf("%s/copy", a.dir);
	assert_int_equal(git_clone(&repo, a.path, copy, NULL), 0);
	git_repository_free(repo);
	a.options.path = copy;
	published(&a, 1);
	assert_int_equal(client_list(copy, NULL), 1);
	assert_clean(copy);
	free(copy);
	authority_clear(&a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_push_hangs),
		cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_hands),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_staged),
		cmocka_unit_test(test_killed_publishing),
		cmocka_unit_test(test_killed_creating),
		cmocka_unit_test(test_killed_rotating),
		cmocka_unit_test(test_killed_replacing),
		cmocka_unit_test(test_clone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

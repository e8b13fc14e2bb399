/* The TUF client against repositories in local folders, honest and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "export/tuf_metadata.h"
#include "updater/fetch.h"
#include "updater/tuf_client.h"

#include "updater_repo.h"

/* Thousands of small files are written here; what fsync is for is tested in test_updater_job. */
int
fsync(int fd UNUSED)
{
	return 0;
}

struct scene {
	struct repo repo;
	char *state, *root, *list, *base, *targets;
	struct fetch *fetch;
	int64_t now_s;
};

static void
publish(struct scene *s, int64_t version)
{
	write_list(s->list, &(struct list_spec){.version = version, .first = 1, .last = 5});
	repo_publish(&s->repo, s->list);
}

/* A repository with its first publication, and a client that trusts its first root. */
static void
scene_init(struct scene *s, const char *name, bool flat, bool no_hashes)
{
	static const struct fetch_options options = {.connect_timeout_s = 60,
		.timeout_s = 60,
		.low_speed_bytes_s = 1,
		.low_speed_time_s = 60};
	char *path;

	memset(s, 0, sizeof(*s));
	path = xasprintf("%s-repo", name);
	repo_init(&s->repo, path);
	free(path);
	s->repo.flat = flat;
	s->repo.no_hashes = no_hashes;
	s->now_s = NOW;
	path = xasprintf("%s.list", name);
	s->list = in_temp(path);
	free(path);
	path = xasprintf("%s-state", name);
	s->state = in_temp(path);
	free(path);
	path = xasprintf("%s.root", name);
	s->root = in_temp(path);
	free(path);
	s->base = xasprintf("file:%s/metadata/", s->repo.dir);
	s->targets = xasprintf("file:%s/targets/", s->repo.dir);
	OK(file_mkdirs(s->state, 0755, &ok_err));
	OK(fetch_new(&options, &s->fetch, &ok_err));
	publish(s, 1);
	repo_copy_root(&s->repo, s->root);
}

static void
scene_clear(struct scene *s)
{
	repo_clear(&s->repo);
	fetch_free(s->fetch);
	free(s->state);
	free(s->root);
	free(s->list);
	free(s->base);
	free(s->targets);
}

static int
refresh(struct scene *s, struct error *err)
{
	struct tuf_client *c = NULL;
	int rc;

	error_clear(err);
	if (tuf_client_open(s->state, s->root, s->now_s, &c, err) < 0)
		return -1;
	rc = tuf_client_refresh(c, s->fetch, s->base, err);
	tuf_client_free(c);
	return rc;
}

static void
expect(struct scene *s, enum error_kind want, const char *text)
{
	struct error err;

	(void)!refresh(s, &err);
	if (err.kind != want || (text != NULL && strstr(err.text, text) == NULL))
		fail_msg("kind %d (%s), want %d (%s)", (int)err.kind, err.text, (int)want,
			text != NULL ? text : "");
}

/* Version of a role in the trusted state; 0: none. */
static int64_t
trusted(struct scene *s, enum tuf_role role)
{
	char *path = xasprintf("%s/%s.json", s->state, tuf_role_name(role));
	struct tuf_meta *m = NULL;
	int64_t version = 0;
	struct buf text;

	if (file_exists(path)) {
		read_bytes(path, &text);
		OK(tuf_meta_parse(text.data, text.len, role, &m, &ok_err));
		version = tuf_meta_version(m);
		tuf_meta_free(m);
		buf_clear(&text);
	}
	free(path);
	return version;
}

static int
collect(void *arg, const void *data, size_t len, struct error *err)
{
	if (buf_add(arg, data, len) < 0)
		return error_set(err, ERROR_TEMP, "full");
	return 0;
}

static int
get_list(struct scene *s, struct buf *out, struct error *err)
{
	struct tuf_client *c = NULL;
	struct tuf_file said;
	int rc = -1;

	error_clear(err);
	buf_init(out, 1 << 20);
	if (tuf_client_open(s->state, s->root, s->now_s, &c, err) == 0 &&
		tuf_client_refresh(c, s->fetch, s->base, err) == 0 &&
		(rc = tuf_client_find(c, s->fetch, s->base, "list.json", &said, err)) >= 0)
		rc = rc == 0 ? error_set(err, ERROR_INPUT, "list.json: not known")
			     : tuf_client_download(c, s->fetch, s->targets, "list.json", &said,
				       collect, out, err);
	tuf_client_free(c);
	return rc;
}

static void
test_refresh(void **state UNUSED)
{
	for (int variant = 0; variant < 4; variant++) {
		struct scene s;
		struct error err;
		struct buf got, want;
		char *name = xasprintf("refresh-%d", variant);

		scene_init(&s, name, variant & 1, variant & 2);
		for (int i = 1; i <= 3; i++) {
			if (i > 1)
				publish(&s, i);
			if (get_list(&s, &got, &err) < 0)
				fail_msg("%s", err.text);
			read_bytes(s.list, &want);
			assert_int_equal(got.len, want.len);
			assert_memory_equal(got.data, want.data, got.len);
			for (int role = 1; role < TUF_ROLE_COUNT; role++) {
				char *served = repo_path(&s.repo, (enum tuf_role)role);
				char *kept = xasprintf(
					"%s/%s.json", s.state, tuf_role_name((enum tuf_role)role));
				struct buf a, b;

				/* Byte for byte. */
				assert_true(trusted(&s, (enum tuf_role)role) == i);
				read_bytes(served, &a);
				read_bytes(kept, &b);
				assert_int_equal(a.len, b.len);
				assert_memory_equal(a.data, b.data, a.len);
				buf_clear(&a);
				buf_clear(&b);
				free(served);
				free(kept);
			}
			buf_clear(&got);
			buf_clear(&want);
		}
		scene_clear(&s);
		free(name);
	}
}

/* Whatever single byte is changed in whatever file, nothing is believed that was not signed. */
static void
test_altered_bytes(void **state UNUSED)
{
	for (int variant = 0; variant < 2; variant++) {
		struct scene s;
		char *name = xasprintf("altered-%d", variant), *pattern;
		glob_t files;
		size_t refused = 0;

		scene_init(&s, name, variant == 1, variant == 1);
		pattern = xasprintf("%s/*/*", s.repo.dir);
		assert_int_equal(glob(pattern, 0, NULL, &files), 0);
		for (size_t f = 0; f < files.gl_pathc; f++) {
			const char *path = files.gl_pathv[f];
			struct buf bytes;

			read_bytes(path, &bytes);
			for (size_t i = 0; i < bytes.len; i += 5) {
				struct error err;
				struct buf got;
				char *command = xasprintf("%s-%zu-%zu", s.state, f, i);
				char *kept = s.state;
				int rc;

				bytes.data[i] ^= 4;
				write_text(path, bytes.data, bytes.len);
				bytes.data[i] ^= 4;
				s.state = command;
				OK(file_mkdirs(s.state, 0755, &ok_err));
				rc = get_list(&s, &got, &err);
				/* The first root is the client's own; a byte outside of what is
				 * signed (the signatures' array has room for that) may not matter
				 * where nothing announces a hash. */
				if (rc < 0) {
					refused++;
					if (err.kind != ERROR_SECURITY)
						fail_msg("%s byte %zu: %s", path, i, err.text);
				} else if (strstr(path, ".root.json") == NULL) {
					fail_msg("%s byte %zu was taken", path, i);
				}
				buf_clear(&got);
				s.state = kept;
				free(command);
			}
			write_text(path, bytes.data, bytes.len);
			buf_clear(&bytes);
		}
		assert_true(refused > 400);
		globfree(&files);
		free(pattern);
		scene_clear(&s);
		free(name);
	}
}

static void
test_missing(void **state UNUSED)
{
	static const struct {
		enum tuf_role role;
		int64_t timestamp, snapshot;
	} cases[] = {
		{TUF_ROLE_TIMESTAMP, 1, 1},
		{TUF_ROLE_SNAPSHOT, 2, 1},
		{TUF_ROLE_TARGETS, 2, 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;
		struct error err;
		char *name = xasprintf("missing-%zu", i), *path;

		scene_init(&s, name, false, false);
		expect(&s, ERROR_NONE, NULL);
		publish(&s, 2);
		path = repo_path(&s.repo, cases[i].role);
		assert_int_equal(unlink(path), 0);
		expect(&s, ERROR_TEMP, "not there");
		/* Only what comes before the gap advances. */
		assert_true(trusted(&s, TUF_ROLE_TIMESTAMP) == cases[i].timestamp);
		assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == cases[i].snapshot);
		assert_true(trusted(&s, TUF_ROLE_TARGETS) == 1);
		publish(&s, 3);
		if (refresh(&s, &err) < 0)
			fail_msg("%s", err.text);
		scene_clear(&s);
		free(path);
		free(name);
	}
}

static void
test_rollback(void **state UNUSED)
{
	struct scene s;
	char *timestamp;
	struct tuf_file said = {0};
	const struct tuf_signer *signer;

	scene_init(&s, "rollback", false, false);
	timestamp = repo_path(&s.repo, TUF_ROLE_TIMESTAMP);
	copy_file(timestamp, s.list);
	publish(&s, 2);
	expect(&s, ERROR_NONE, NULL);
	/* The whole repository of yesterday. */
	write_list(s.list, &(struct list_spec){.version = 1, .first = 1, .last = 1});
	s.repo.versions[TUF_ROLE_TIMESTAMP] = 0;
	s.repo.versions[TUF_ROLE_SNAPSHOT] = 0;
	s.repo.versions[TUF_ROLE_TARGETS] = 0;
	repo_publish(&s.repo, s.list);
	expect(&s, ERROR_SECURITY, "rollback: version 1 is older than 2");
	assert_true(trusted(&s, TUF_ROLE_TIMESTAMP) == 2);
	/* A newer timestamp that announces the older snapshot. */
	s.repo.versions[TUF_ROLE_TIMESTAMP] = 2;
	said.version = 1;
	said.length = -1;
	repo_timestamp(&s.repo, &said);
	expect(&s, ERROR_SECURITY, "older snapshot");
	assert_true(trusted(&s, TUF_ROLE_TIMESTAMP) == 2);
	/* A newer snapshot that lists the older targets. */
	s.repo.versions[TUF_ROLE_SNAPSHOT] = 3;
	signer = s.repo.signers[TUF_ROLE_SNAPSHOT];
	repo_write(&s.repo, TUF_ROLE_SNAPSHOT,
		tuf_build_snapshot(3, NOW + YEAR, &(struct tuf_file){.version = 1, .length = -1}),
		&signer, 1, &said);
	s.repo.versions[TUF_ROLE_TIMESTAMP] = 9;
	repo_timestamp(&s.repo, &said);
	expect(&s, ERROR_SECURITY, "rollback: targets.json is version 1, was 2");
	assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == 2);
	free(timestamp);
	scene_clear(&s);
}

/* The same timestamp version with other contents is nothing new, and not looked at. */
static void
test_same_version(void **state UNUSED)
{
	struct scene s;
	struct tuf_file said = {.version = 7, .length = -1};
	struct error err;
	struct buf list;

	scene_init(&s, "same", false, false);
	expect(&s, ERROR_NONE, NULL);
	s.repo.versions[TUF_ROLE_TIMESTAMP] = 0;
	repo_timestamp(&s.repo, &said);
	assert_int_equal(get_list(&s, &list, &err), 0);
	assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == 1);
	buf_clear(&list);
	scene_clear(&s);
}

static void
test_expired(void **state UNUSED)
{
	static const char *const texts[TUF_ROLE_COUNT] = {"root.json: version",
		"timestamp.json: version", "snapshot.json: version", "targets.json: version"};

	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		struct scene s;
		char *name = xasprintf("expired-%d", role);

		scene_init(&s, name, false, false);
		for (int other = 0; other < TUF_ROLE_COUNT; other++)
			s.repo.expires[other] = NOW + YEAR;
		publish(&s, 2);
		expect(&s, ERROR_NONE, NULL);
		s.repo.expires[role] = NOW + DAY;
		if (role == TUF_ROLE_ROOT)
			repo_root(&s.repo, NULL);
		publish(&s, 3);
		/* One second before the end, and at it. */
		s.now_s = NOW + DAY;
		expect(&s, ERROR_EXPIRED, texts[role]);
		assert_true(trusted(&s, TUF_ROLE_ROOT) == (role == TUF_ROLE_ROOT ? 2 : 1));
		assert_true(trusted(&s, TUF_ROLE_TIMESTAMP) == (role > TUF_ROLE_TIMESTAMP ? 3 : 2));
		assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == (role > TUF_ROLE_SNAPSHOT ? 3 : 2));
		assert_true(trusted(&s, TUF_ROLE_TARGETS) == 2);
		s.now_s = NOW + DAY - 1;
		expect(&s, ERROR_NONE, NULL);
		assert_true(trusted(&s, TUF_ROLE_TARGETS) == 3);
		/* Fetched while it was good, kept while it was good, and no longer. */
		s.now_s = NOW + DAY;
		expect(&s, ERROR_EXPIRED, texts[role]);
		/* A fresh one mends it. */
		s.repo.expires[role] = NOW + YEAR;
		if (role == TUF_ROLE_ROOT)
			repo_root(&s.repo, NULL);
		publish(&s, 4);
		expect(&s, ERROR_NONE, NULL);
		scene_clear(&s);
		free(name);
	}
}

/* A correctly signed file that is not the one its parent announces. */
static void
test_mix_and_match(void **state UNUSED)
{
	struct scene s;
	char *path;
	const struct tuf_signer *signer;

	scene_init(&s, "mix", false, false);
	expect(&s, ERROR_NONE, NULL);
	publish(&s, 2);
	signer = s.repo.signers[TUF_ROLE_SNAPSHOT];
	repo_write(&s.repo, TUF_ROLE_SNAPSHOT,
		tuf_build_snapshot(
			2, NOW + 2 * YEAR, &(struct tuf_file){.version = 2, .length = -1}),
		&signer, 1, NULL);
	expect(&s, ERROR_SECURITY, "2.snapshot.json");
	assert_true(trusted(&s, TUF_ROLE_TIMESTAMP) == 2);
	assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == 1);
	/* The version inside is not the one asked for; hashes are not used here. */
	s.repo.no_hashes = true;
	publish(&s, 3);
	path = repo_path(&s.repo, TUF_ROLE_SNAPSHOT);
	repo_write(&s.repo, TUF_ROLE_TIMESTAMP,
		tuf_build_timestamp(9, NOW + DAY, &(struct tuf_file){.version = 4, .length = -1}),
		(const struct tuf_signer *[]){s.repo.signers[TUF_ROLE_TIMESTAMP]}, 1, NULL);
	s.repo.versions[TUF_ROLE_SNAPSHOT] = 4;
	{
		char *to = repo_path(&s.repo, TUF_ROLE_SNAPSHOT);

		copy_file(path, to);
		free(to);
	}
	expect(&s, ERROR_SECURITY, "version 3, announced is 4");
	free(path);
	scene_clear(&s);
}

static void
test_oversized(void **state UNUSED)
{
	for (int role = 0; role < TUF_ROLE_COUNT; role++) {
		struct scene s;
		struct error err;
		char *name = xasprintf("oversized-%d", role), *path;
		size_t max = tuf_role_max((enum tuf_role)role);
		char *big = xcalloc(1, max + 1);

		scene_init(&s, name, false, true);
		if (role == TUF_ROLE_ROOT)
			s.repo.versions[TUF_ROLE_ROOT]++;
		path = repo_path(&s.repo, (enum tuf_role)role);
		memset(big, ' ', max + 1);
		write_text(path, big, max + 1);
		expect(&s, ERROR_SECURITY, "larger than");
		/* At the limit it is read, and refused for what it is. */
		write_text(path, big, max);
		assert_int_equal(refresh(&s, &err), -1);
		assert_null(strstr(err.text, "larger than"));
		scene_clear(&s);
		free(path);
		free(name);
		free(big);
	}
}

/* More than the announced length is refused as it arrives. */
static void
test_endless_target(void **state UNUSED)
{
	struct scene s;
	struct error err;
	struct buf list;
	glob_t found;
	char *pattern;
	char *big = xcalloc(1, 1 << 20);

	scene_init(&s, "endless", false, false);
	pattern = xasprintf("%s/targets/*", s.repo.dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	write_text(found.gl_pathv[0], big, 1 << 20);
	assert_int_equal(get_list(&s, &list, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_true(list.len < 100000);
	buf_clear(&list);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	assert_int_equal(get_list(&s, &list, &err), -1);
	assert_int_equal(err.kind, ERROR_TEMP);
	buf_clear(&list);
	globfree(&found);
	free(pattern);
	free(big);
	scene_clear(&s);
}

static struct tuf_signer *
take_signer(struct repo *r, enum tuf_role role)
{
	struct tuf_signer *s = r->signers[role];

	r->signers[role] = NULL;
	return s;
}

static void
test_root_chain(void **state UNUSED)
{
	struct scene s;
	struct tuf_signer *old, *stranger;

	scene_init(&s, "chain", false, false);
	/* Two rotations of every key in one refresh. */
	for (int i = 0; i < 2; i++) {
		old = take_signer(&s.repo, TUF_ROLE_ROOT);
		for (int role = 0; role < TUF_ROLE_COUNT; role++)
			repo_rotate(&s.repo, (enum tuf_role)role);
		repo_root(&s.repo, old);
		tuf_signer_free(old);
	}
	publish(&s, 2);
	expect(&s, ERROR_NONE, NULL);
	assert_true(trusted(&s, TUF_ROLE_ROOT) == 3);
	/* A root that its predecessor has not signed; one that has not signed itself; one whose
	 * number is not the next. */
	old = take_signer(&s.repo, TUF_ROLE_ROOT);
	repo_rotate(&s.repo, TUF_ROLE_ROOT);
	repo_root(&s.repo, NULL);
	expect(&s, ERROR_SECURITY, "4.root.json");
	s.repo.versions[TUF_ROLE_ROOT] = 3;
	stranger = take_signer(&s.repo, TUF_ROLE_ROOT);
	{
		const struct tuf_key *keys[TUF_ROLE_COUNT];
		struct tuf_role_keys roles[TUF_ROLE_COUNT];
		const struct tuf_signer *signer = old;

		keys[0] = tuf_signer_key(stranger);
		for (int role = 1; role < TUF_ROLE_COUNT; role++)
			keys[role] = tuf_signer_key(s.repo.signers[role]);
		for (int role = 0; role < TUF_ROLE_COUNT; role++)
			roles[role] = (struct tuf_role_keys){&keys[role], 1, 1};
		s.repo.versions[TUF_ROLE_ROOT] = 4;
		repo_write(&s.repo, TUF_ROLE_ROOT, tuf_build_root(4, NOW + YEAR, roles), &signer, 1,
			NULL);
		expect(&s, ERROR_SECURITY, "4.root.json");
		keys[0] = tuf_signer_key(old);
		repo_write(&s.repo, TUF_ROLE_ROOT, tuf_build_root(5, NOW + YEAR, roles), &signer, 1,
			NULL);
		expect(&s, ERROR_SECURITY, "holds version 5");
	}
	assert_true(trusted(&s, TUF_ROLE_ROOT) == 3);
	tuf_signer_free(old);
	tuf_signer_free(stranger);
	scene_clear(&s);
}

/* The first mirror has a root that revokes a key, and fails behind it; the second has no further
 * one. What was signed by that key is not trusted any more, though it was when the run began. */
/* An endless chain of good roots is not followed for ever; the next run goes on from where this one
 * stopped. */
static void
test_root_limit(void **state UNUSED)
{
	enum { BEYOND = 3 };
	struct scene s;

	scene_init(&s, "root-limit", false, false);
	expect(&s, ERROR_NONE, NULL);
	for (int i = 0; i < TUF_ROOTS_MAX + BEYOND; i++)
		repo_root(&s.repo, NULL);
	expect(&s, ERROR_NONE, NULL);
	assert_int_equal(trusted(&s, TUF_ROLE_ROOT), 1 + TUF_ROOTS_MAX);
	expect(&s, ERROR_NONE, NULL);
	assert_int_equal(trusted(&s, TUF_ROLE_ROOT), 1 + TUF_ROOTS_MAX + BEYOND);
	scene_clear(&s);
}

static void
test_root_then_failure(void **state UNUSED)
{
	struct scene s;
	struct error err;
	struct tuf_client *c;
	char *path;

	scene_init(&s, "then-failure", false, false);
	expect(&s, ERROR_NONE, NULL);
	repo_rotate(&s.repo, TUF_ROLE_TARGETS);
	repo_root(&s.repo, NULL);
	path = xasprintf("%s/metadata/3.root.json", s.repo.dir);
	write_text(path, "{}", 2);
	OK(tuf_client_open(s.state, s.root, s.now_s, &c, &ok_err));
	assert_true(tuf_client_ready(c));
	assert_int_equal(tuf_client_refresh(c, s.fetch, s.base, &err), -1);
	assert_non_null(strstr(err.text, "3.root.json"));
	assert_false(tuf_client_ready(c));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(tuf_client_refresh(c, s.fetch, s.base, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_non_null(strstr(err.text, "1.targets.json"));
	tuf_client_free(c);
	publish(&s, 2);
	expect(&s, ERROR_NONE, NULL);
	free(path);
	scene_clear(&s);
}

/* Somebody had the online keys and published versions that nobody can exceed: new keys in a new
 * root are the way back. */
static void
test_fast_forward(void **state UNUSED)
{
	static const enum tuf_role rotated[] = {TUF_ROLE_TIMESTAMP, TUF_ROLE_SNAPSHOT};

	for (size_t i = 0; i < ARRAY_LEN(rotated); i++) {
		struct scene s;
		char *name = xasprintf("forward-%zu", i);

		scene_init(&s, name, false, false);
		s.repo.versions[TUF_ROLE_SNAPSHOT] = 1000000;
		s.repo.versions[TUF_ROLE_TARGETS] = 1000000;
		if (rotated[i] == TUF_ROLE_TIMESTAMP)
			s.repo.versions[TUF_ROLE_TIMESTAMP] = 1000000;
		publish(&s, 2);
		expect(&s, ERROR_NONE, NULL);
		s.repo.versions[TUF_ROLE_SNAPSHOT] = 1;
		s.repo.versions[TUF_ROLE_TARGETS] = 1;
		if (rotated[i] == TUF_ROLE_TIMESTAMP)
			s.repo.versions[TUF_ROLE_TIMESTAMP] = 1;
		publish(&s, 3);
		expect(&s, ERROR_SECURITY, "rollback");
		repo_rotate(&s.repo, rotated[i]);
		repo_root(&s.repo, NULL);
		publish(&s, 4);
		expect(&s, ERROR_NONE, NULL);
		assert_true(trusted(&s, TUF_ROLE_SNAPSHOT) == 3);
		assert_true(trusted(&s, TUF_ROLE_TARGETS) == 3);
		scene_clear(&s);
		free(name);
	}
}

/* What lies in the state directory is verified on each run. */
static void
test_local_files(void **state UNUSED)
{
	static const char *const names[] = {"timestamp", "snapshot", "targets"};
	struct scene s;

	scene_init(&s, "local", false, false);
	expect(&s, ERROR_NONE, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s.json", s.state, names[i]);

		write_text(path, "{}", 2);
		expect(&s, ERROR_NONE, NULL);
		assert_true(trusted(&s, (enum tuf_role)(i + 1)) == 1);
		assert_int_equal(unlink(path), 0);
		expect(&s, ERROR_NONE, NULL);
		assert_true(trusted(&s, (enum tuf_role)(i + 1)) == 1);
		free(path);
	}
	{
		char *path = xasprintf("%s/root.json", s.state);
		struct buf root;

		read_bytes(path, &root);
		root.data[root.len / 2] ^= 1;
		write_text(path, root.data, root.len);
		expect(&s, ERROR_SECURITY, "root.json: altered");
		buf_clear(&root);
		free(path);
	}
	scene_clear(&s);
}

/* Another anchor starts anew; a bad one is a matter of configuration and changes nothing. */
static void
test_anchor(void **state UNUSED)
{
	struct scene a, b;
	struct error err;

	scene_init(&a, "anchor-a", false, false);
	publish(&a, 2);
	scene_init(&b, "anchor-b", false, false);
	expect(&a, ERROR_NONE, NULL);
	write_text(a.root, "{}", 2);
	assert_int_equal(refresh(&a, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_true(trusted(&a, TUF_ROLE_TIMESTAMP) == 2);
	assert_int_equal(unlink(a.root), 0);
	assert_int_equal(refresh(&a, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	copy_file(b.root, a.root);
	expect(&a, ERROR_SECURITY, NULL); /* a's repository is not b's */
	assert_true(trusted(&a, TUF_ROLE_TIMESTAMP) == 0);
	free(a.base);
	a.base = xstrdup(b.base);
	expect(&a, ERROR_NONE, NULL);
	assert_true(trusted(&a, TUF_ROLE_TIMESTAMP) == 1);
	scene_clear(&a);
	scene_clear(&b);
}

/* --- delegations --------------------------------------------------------------------------------
 */

/* A delegated role: who delegates to it, for which targets, and the one target that it has. */
struct delegated {
	const char *name;
	int parent; /* index; -1: targets.json */
	const char *pattern;
	bool terminating;
	const char *target; /* NULL: none */
	bool forged;        /* signed with a key that the delegation does not name */
	bool unlisted;      /* the snapshot does not say anything of it */
};

static json_t *
delegations_of(const struct scene *s, const struct delegated *roles, int count, int parent)
{
	const struct tuf_key *key = tuf_signer_key(s->repo.signers[TUF_ROLE_TARGETS]);
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		if (roles[i].parent == parent)
			json_array_append_new(list,
				json_pack("{s:s, s:[s], s:i, s:[s], s:b}", "name", roles[i].name,
					"keyids", tuf_key_id(key), "threshold", 1, "paths",
					roles[i].pattern, "terminating", roles[i].terminating));
	}
	return json_pack(
		"{s:{s:O}, s:o}", "keys", tuf_key_id(key), tuf_key_json(key), "roles", list);
}

/* Signs, writes VERSION.NAME.json and says what it is. */
static void
write_named(struct scene *s, const char *name, json_t *signed_part, enum tuf_role key,
	struct tuf_file *said)
{
	const struct tuf_signer *signer = s->repo.signers[key];
	char *path = xasprintf("%s/metadata/1.%s.json", s->repo.dir, name);
	struct buf text;

	buf_init(&text, TUF_TARGETS_MAX);
	OK(tuf_sign(signed_part, &signer, 1, &text, &ok_err));
	write_text(path, text.data, text.len);
	tuf_file_of(text.data, text.len, said);
	said->version = 1;
	buf_clear(&text);
	json_decref(signed_part);
	free(path);
}

static void
delegate(struct scene *s, const struct delegated *roles, int count)
{
	const struct tuf_signer *signer = s->repo.signers[TUF_ROLE_TARGETS];
	struct tuf_file said, snapshot_said;
	json_t *part, *snapshot, *meta;

	part = tuf_build_targets(++s->repo.versions[TUF_ROLE_TARGETS], NOW + YEAR, NULL, 0);
	json_object_set_new(part, "delegations", delegations_of(s, roles, count, -1));
	repo_write(&s->repo, TUF_ROLE_TARGETS, part, &signer, 1, &said);
	snapshot = tuf_build_snapshot(++s->repo.versions[TUF_ROLE_SNAPSHOT], NOW + YEAR, &said);
	meta = json_object_get(snapshot, "meta");
	for (int i = 0; i < count; i++) {
		struct tuf_target target = {.name = roles[i].target};
		char *listed = xasprintf("%s.json", roles[i].name);

		if (target.name != NULL)
			tuf_file_of(roles[i].name, strlen(roles[i].name), &target.file);
		part = tuf_build_targets(1, NOW + YEAR, &target, target.name != NULL);
		json_object_set_new(part, "delegations", delegations_of(s, roles, count, i));
		write_named(s, roles[i].name, part,
			roles[i].forged ? TUF_ROLE_SNAPSHOT : TUF_ROLE_TARGETS, &said);
		if (!roles[i].unlisted)
			json_object_set_new(meta, listed,
				json_pack("{s:i, s:I, s:{s:s}}", "version", 1, "length",
					(json_int_t)said.length, "hashes", "sha256", said.sha256));
		free(listed);
	}
	signer = s->repo.signers[TUF_ROLE_SNAPSHOT];
	repo_write(&s->repo, TUF_ROLE_SNAPSHOT, snapshot, &signer, 1, &snapshot_said);
	repo_timestamp(&s->repo, &snapshot_said);
}

/* The role whose target it is (each target is as long as its role's name), "" when nobody knows
 * it, or what the error says. */
static void
find(struct scene *s, const char *target, char *out, size_t size)
{
	struct tuf_client *c = NULL;
	struct error err = {0};
	struct tuf_file said;
	int rc = -1;

	if (tuf_client_open(s->state, s->root, s->now_s, &c, &err) == 0 &&
		tuf_client_refresh(c, s->fetch, s->base, &err) == 0)
		rc = tuf_client_find(c, s->fetch, s->base, target, &said, &err);
	if (rc > 0)
		(void)snprintf(out, size, "%d", (int)said.length);
	else
		(void)snprintf(out, size, "%s", rc == 0 ? "" : err.text);
	tuf_client_free(c);
}

static void
test_delegations(void **state UNUSED)
{
	/* The length of the role's name tells which one answered. */
	static const struct {
		const char *what;
		struct delegated roles[5];
		const char *target, *want;
	} cases[] = {
		{"one role", {{"a", -1, "*", false, "x", false, false}}, "x", "1"},
		{"another target", {{"a", -1, "*", false, "x", false, false}}, "y", ""},
		{"another folder", {{"a", -1, "*", false, "d/x", false, false}}, "d/x", ""},
		{"the first of two",
			{{"a", -1, "*", false, "x", false, false},
				{"bb", -1, "*", false, "x", false, false}},
			"x", "1"},
		{"depth first",
			{{"a", -1, "*", false, NULL, false, false},
				{"bb", -1, "*", false, "x", false, false},
				{"ccc", 0, "*", false, "x", false, false}},
			"x", "3"},
		{"nobody behind a terminating one",
			{{"a", -1, "*", true, NULL, false, false},
				{"bb", -1, "*", false, "x", false, false}},
			"x", ""},
		{"but those below it",
			{{"a", -1, "*", true, NULL, false, false},
				{"bb", 0, "*", false, "x", false, false}},
			"x", "2"},
		{"terminating below drops what was pending above",
			{{"a", -1, "*", false, NULL, false, false},
				{"bb", -1, "*", false, "x", false, false},
				{"ccc", 0, "*", true, NULL, false, false}},
			"x", ""},
		{"terminating for other targets only",
			{{"a", -1, "y", true, NULL, false, false},
				{"bb", -1, "*", false, "x", false, false}},
			"x", "2"},
		{"forged", {{"a", -1, "*", false, "x", true, false}}, "x", "0 good signatures"},
		{"not in the snapshot", {{"a", -1, "*", false, "x", false, true}}, "x",
			"says nothing of a.json"},
		{"a name that is no file's", {{"a b?", -1, "*", false, "x", false, false}}, "x",
			"4"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[32], got[400], *path;
		struct scene s;
		int count = 0;

		(void)snprintf(name, sizeof(name), "delegations-%zu", i);
		scene_init(&s, name, false, false);
		while (count < (int)ARRAY_LEN(cases[i].roles) && cases[i].roles[count].name != NULL)
			count++;
		delegate(&s, cases[i].roles, count);
		/* The second time from the folder. */
		for (int round = 0; round < 2; round++) {
			find(&s, cases[i].target, got, sizeof(got));
			if (cases[i].want[0] == '\0' ? got[0] != '\0'
						     : strstr(got, cases[i].want) == NULL)
				fail_msg("%s: \"%s\", want \"%s\"", cases[i].what, got,
					cases[i].want);
		}
		path = xasprintf("%s/a%%20b%%3F.json", s.state);
		assert_int_equal(file_exists(path), strcmp(cases[i].roles[0].name, "a b?") == 0);
		free(path);
		scene_clear(&s);
	}
}

/* A chain of delegations ends somewhere, as does a search in it. */
static void
test_delegation_limits(void **state UNUSED)
{
	struct delegated chain[TUF_ROLES_ASKED_MAX + 1];
	char names[ARRAY_LEN(chain)][8], got[400];

	for (int count = (int)ARRAY_LEN(chain) - 1; count <= (int)ARRAY_LEN(chain); count++) {
		struct scene s;
		char name[32];

		(void)snprintf(name, sizeof(name), "chain-%d", count);
		scene_init(&s, name, false, false);
		for (int i = 0; i < count; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "r%02d", i);
			chain[i] = (struct delegated){names[i], i - 1, "*", false,
				i == count - 1 ? "x" : NULL, false, false};
		}
		delegate(&s, chain, count);
		find(&s, "x", got, sizeof(got));
		assert_non_null(strstr(got, count <= TUF_ROLES_ASKED_MAX ? "3" : "more than 32"));
		scene_clear(&s);
	}
}

/* A target's name is the mirror's and the signers' to choose: it never leads out of the folder, and
 * goes out escaped. */
static void
test_names_of_targets(void **state UNUSED)
{
	static const char *const bad[] = {"../list.json", "a/../../list.json", "/etc/passwd",
		"a//list.json", "./list.json", "a\\b", "a\nb", ""};
	static const char *const good[] = {
		"\xc3\xa9t\xc3\xa9 #1?.json", "%2e%2e", "...", "a&b=c;d:e@f+g,h$i!j'k(l)*"};
	static const char text[] = "some text";
	struct tuf_client *c;
	struct tuf_target t;
	struct error err = {0};
	struct scene s;
	struct buf got;

	scene_init(&s, "names-of-targets", false, false);
	OK(tuf_client_open(s.state, s.root, s.now_s, &c, &ok_err));
	OK(tuf_client_refresh(c, s.fetch, s.base, &ok_err));
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		buf_init(&got, 100);
		repo_target(&s.repo, good[i], text, strlen(text), &t);
		if (tuf_client_download(
			    c, s.fetch, s.targets, good[i], &t.file, collect, &got, &err) < 0)
			fail_msg("%s: %s", good[i], err.text);
		assert_string_equal(buf_str(&got), text);
		buf_clear(&got);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_init(&got, 100);
		if (tuf_client_download(
			    c, s.fetch, s.targets, bad[i], &t.file, collect, &got, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.kind, ERROR_SECURITY);
		assert_non_null(strstr(err.text, "not fit to be a target's name"));
		assert_int_equal(got.len, 0);
		buf_clear(&got);
	}
	tuf_client_free(c);
	scene_clear(&s);
}

static void
test_urls(void **state UNUSED)
{
	static const struct {
		const char *url;
		bool valid;
	} cases[] = {{"https://example.org/", true}, {"http://127.0.0.1:8080/repo", true},
		{"file:/srv/repo", true}, {"file:///srv/repo", true}, {"file:repo", false},
		{"ftp://example.org/", false}, {"/srv/repo", false}, {"", false},
		{"HTTPS://example.org", false}, {"gopher://example.org", false}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(fetch_url_valid(cases[i].url), cases[i].valid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_altered_bytes),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_same_version),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_mix_and_match),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_endless_target),
		cmocka_unit_test(test_root_chain),
		cmocka_unit_test(test_root_limit),
		cmocka_unit_test(test_root_then_failure),
		cmocka_unit_test(test_fast_forward),
		cmocka_unit_test(test_local_files),
		cmocka_unit_test(test_anchor),
		cmocka_unit_test(test_delegations),
		cmocka_unit_test(test_delegation_limits),
		cmocka_unit_test(test_names_of_targets),
		cmocka_unit_test(test_urls),
	};

	log_to_stderr("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}

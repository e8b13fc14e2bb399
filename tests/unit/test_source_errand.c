/* What is put before a confined process that refreshes a source, and what is taken out of its folder behind it. No
 * process runs here: the test writes what one would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "updater/confine.h"
#include "updater/replay.h"
#include "updater/source_errand.h"
#include "updater/source_hand_on.h"
#include "updater/source_take.h"
#include "updater/state.h"

#include "updater_repo.h"

static const struct fetch_options fetch_options = {.timeout_s = 5};

struct scene {
	struct source source;
	struct source_here here;
	struct state_list have;
	struct confine_user user;
	const char *urls[2];
	char *url, *dir, *metadata, *root;
	struct source_errand errand;
	struct source_report report; /* what the process says; nothing has changed at first */
};

static void
write_at(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);

	write_text(path, text, strlen(text));
	free(path);
}

static bool
is_at(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool is = file_exists(path);

	free(path);
	return is;
}

static void
assert_holds(const char *dir, const char *name, const char *want)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct buf text;

	read_bytes(path, &text);
	assert_string_equal(buf_str(&text), want);
	buf_clear(&text);
	free(path);
}

static struct tuf_file
file_of(const char *bytes)
{
	struct tuf_file file;

	tuf_file_of(bytes, strlen(bytes), &file);
	return file;
}

static void
scene_init(struct scene *s, const char *name)
{
	char *list = source_list_name(file_of("list").sha256);

	memset(s, 0, sizeof(*s));
	s->dir = in_temp(name);
	s->metadata = xasprintf("%s/metadata", s->dir);
	s->root = xasprintf("%s.root", s->dir);
	s->url = xasprintf("file:%s", s->dir);
	s->urls[0] = "https://mirror.example/";
	s->urls[1] = s->url;
	s->source = (struct source){.urls = s->urls,
		.url_count = ARRAY_LEN(s->urls),
		.root = s->root,
		.fetch = &fetch_options,
		.list_max = 1000,
		.list_dir = s->dir,
		.metadata_dir = s->metadata};
	s->here = (struct source_here){.list = &s->have, .dir = s->dir, .undone = ""};
	OK(confine_find_user(NULL, &s->user, &ok_err));
	OK(file_mkdirs(s->metadata, 0755, &ok_err));
	write_text(s->root, "anchor", 6);
	write_at(s->dir, list, "list");
	write_at(s->dir, "state.json", "not for it");
	for (int i = 0; i < SOURCE_METAS; i++) {
		const char *file = source_meta_files[i].name;

		write_at(s->metadata, file, file);
		s->report.metadata[i] = file_of(file);
	}
	free(list);
}

static int
open_errand(struct scene *s, bool keep_roots, struct error *err)
{
	error_clear(err);
	return source_errand_open(&s->errand, &s->source, &s->here, keep_roots, &s->user, err);
}

static void
scene_clear(struct scene *s)
{
	source_errand_close(&s->errand);
	assert_false(is_at(s->dir, "work"));
	free(s->dir);
	free(s->metadata);
	free(s->root);
	free(s->url);
}

/* As the process would: which it writes, and reports. */
static void
find(struct scene *s, enum source_meta i, const char *text)
{
	char *path = workdir_path(s->errand.dir, WORKDIR_METADATA, source_meta_files[i].name);

	write_text(path, text, strlen(text));
	s->report.metadata[i] = file_of(text);
	free(path);
}

static void
find_list(struct scene *s, const char *text)
{
	char *name, *path;

	s->report.found.list = file_of(text);
	name = source_list_name(s->report.found.list.sha256);
	path = workdir_path(s->errand.dir, WORKDIR_FETCHED, name);
	write_text(path, text, strlen(text));
	free(path);
	free(name);
}

/* --- before -------------------------------------------------------------------------------------
 */

static void
test_given(void **state UNUSED)
{
	char *list = source_list_name(file_of("list").sha256), *noise = xcalloc(1, TUF_TIMESTAMP_MAX + 2), *work;
	struct source_errand *e;
	struct error err;
	struct scene s;

	scene_init(&s, "given");
	work = xasprintf("%s/work", s.dir);
	/* One octet too long to be one of ours. */
	memset(noise, ' ', TUF_TIMESTAMP_MAX + 1);
	write_at(s.metadata, "timestamp.json", noise);
	assert_int_equal(open_errand(&s, true, &err), 0);
	e = &s.errand;
	assert_true(is_at(work, list));
	assert_false(is_at(work, "state.json"));
	assert_holds(work, "trust-anchor", "anchor");
	assert_holds(work, "known/root.json", "root.json");
	assert_holds(work, "known/anchor", "anchor");
	assert_false(is_at(work, "known/timestamp.json"));
	assert_holds(work, "known/targets.json", "targets.json");
	assert_string_equal(e->inside.root, "trust-anchor");
	assert_string_equal(e->inside.known_dir, "known");
	assert_string_equal(e->inside.metadata_dir, "metadata");
	assert_string_equal(e->here.dir, ".");
	assert_true(e->inside.keep_roots);
	assert_string_equal(e->anchor.sha256, file_of("anchor").sha256);
	/* Of the mirrors one is a folder. */
	assert_int_equal(e->tree_count, 1);
	assert_string_equal(e->trees[0].path, s.dir);
	assert_true(e->trees[0].fd >= 0 && e->tree_fds[0] == e->trees[0].fd);
	assert_null(e->fetch.ca);
	free(work);
	free(noise);
	free(list);
	scene_clear(&s);
}

static void
test_ca(void **state UNUSED)
{
	struct fetch_options options = fetch_options;
	char *path = in_temp("ca.pem");
	struct error err;
	struct scene s;

	scene_init(&s, "ca");
	s.source.fetch = &options;
	options.ca_file = path;
	/* The process is to complain of it. */
	assert_int_equal(open_errand(&s, false, &err), 0);
	assert_false(s.errand.inside.keep_roots);
	assert_null(s.errand.fetch.ca);
	source_errand_close(&s.errand);
	write_text(path, "certificates", 12);
	assert_int_equal(open_errand(&s, false, &err), 0);
	assert_non_null(s.errand.fetch.ca);
	assert_int_equal(s.errand.fetch.ca->len, 12);
	scene_clear(&s);
	free(path);
}

static void
test_not_given(void **state UNUSED)
{
	char *noise = xcalloc(1, TUF_ROOT_MAX + 2);
	struct error err;
	struct scene s;

	scene_init(&s, "not-given");
	assert_int_equal(unlink(s.root), 0);
	assert_int_equal(open_errand(&s, false, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, ".root: "));
	source_errand_close(&s.errand);
	/* Of the metadata, one without which nothing else counts. */
	write_text(s.root, "anchor", 6);
	memset(noise, ' ', TUF_ROOT_MAX + 1);
	write_at(s.metadata, "root.json", noise);
	assert_int_equal(open_errand(&s, false, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	free(noise);
	scene_clear(&s);
}

/* --- behind -------------------------------------------------------------------------------------
 */

static void
assert_part(const struct scene *s, enum source_meta i, enum workdir_part want, const char *want_name)
{
	const char *name;

	assert_int_equal(source_errand_part(&s->errand, i, &s->report.metadata[i], &name), want);
	assert_string_equal(name, want_name);
}

static void
test_where(void **state UNUSED)
{
	struct error err;
	struct scene s;

	scene_init(&s, "where");
	assert_int_equal(open_errand(&s, false, &err), 0);
	for (int i = 0; i < SOURCE_METAS; i++)
		assert_false(source_errand_is_new(&s.errand, (enum source_meta)i, &s.report.metadata[i]));
	assert_part(&s, SOURCE_META_ANCHOR, WORKDIR_TOP, "trust-anchor");
	assert_part(&s, SOURCE_META_TARGETS, WORKDIR_KNOWN, "targets.json");
	find(&s, SOURCE_META_TARGETS, "new");
	assert_true(source_errand_is_new(&s.errand, SOURCE_META_TARGETS, &s.report.metadata[SOURCE_META_TARGETS]));
	assert_part(&s, SOURCE_META_TARGETS, WORKDIR_METADATA, "targets.json");
	/* There is none inside. */
	s.report.metadata[SOURCE_META_TARGETS].length = -1;
	assert_false(source_errand_is_new(&s.errand, SOURCE_META_TARGETS, &s.report.metadata[SOURCE_META_TARGETS]));
	scene_clear(&s);
}

static void
test_take(void **state UNUSED)
{
	char *list = source_list_name(file_of("new list").sha256);
	struct error err;
	struct scene s;

	scene_init(&s, "take");
	assert_int_equal(open_errand(&s, false, &err), 0);
	find(&s, SOURCE_META_TIMESTAMP, "new timestamp");
	s.report.metadata[SOURCE_META_SNAPSHOT].length = -1;
	find_list(&s, "new list");
	OK(source_take(&s.errand, &s.report, false, &ok_err));
	assert_holds(s.metadata, "root.json", "root.json");
	assert_holds(s.metadata, "timestamp.json", "new timestamp");
	assert_false(is_at(s.metadata, "snapshot.json"));
	assert_holds(s.metadata, "targets.json", "targets.json");
	assert_false(is_at(s.dir, list));
	OK(source_take(&s.errand, &s.report, true, &ok_err));
	assert_holds(s.dir, list, "new list");
	free(list);
	scene_clear(&s);
}

/* Another trust anchor: what led from the old one goes. */
static void
test_take_anew(void **state UNUSED)
{
	struct error err;
	struct scene s;

	scene_init(&s, "anew");
	s.source.keep_roots = true;
	write_at(s.metadata, "2.root.json", "old");
	write_at(s.metadata, "9.root.json", "old");
	write_text(s.root, "other", 5);
	assert_int_equal(open_errand(&s, false, &err), 0);
	s.report.metadata[SOURCE_META_ANCHOR] = s.errand.anchor;
	find(&s, SOURCE_META_ROOT, "new root");
	{
		char *path = workdir_path(s.errand.dir, WORKDIR_METADATA, "2.root.json");

		write_text(path, "second", 6);
		free(path);
	}
	s.report.found.root = s.report.found.first_root = 2;
	s.report.roots[0] = file_of("second");
	s.report.root_count = 1;
	for (int i = SOURCE_META_TIMESTAMP; i < SOURCE_METAS; i++)
		s.report.metadata[i].length = -1;
	OK(source_take(&s.errand, &s.report, false, &ok_err));
	assert_holds(s.metadata, "anchor", "other");
	assert_holds(s.metadata, "root.json", "new root");
	assert_holds(s.metadata, "2.root.json", "second");
	assert_false(is_at(s.metadata, "9.root.json"));
	assert_false(is_at(s.metadata, "timestamp.json"));
	assert_false(is_at(s.metadata, "targets.json"));
	scene_clear(&s);
}

static void
test_take_lie(void **state UNUSED)
{
	struct error err;
	struct scene s;

	scene_init(&s, "lie");
	assert_int_equal(open_errand(&s, false, &err), 0);
	find(&s, SOURCE_META_TARGETS, "new");
	s.report.metadata[SOURCE_META_TARGETS] = file_of("another of the same");
	assert_int_equal(source_take(&s.errand, &s.report, false, &err), -1);
	assert_int_equal(err.kind, ERROR_SECURITY);
	assert_holds(s.metadata, "targets.json", "targets.json");
	scene_clear(&s);
}

static void
test_hand_on(void **state UNUSED)
{
	char *other = xasprintf("targets/%s.list.json", file_of("new list").sha256);
	struct replay replay = {.tree = {.fd = -1}};
	struct error err;
	struct scene s;

	scene_init(&s, "hand-on");
	assert_int_equal(open_errand(&s, true, &err), 0);
	/* Nothing is new. */
	OK(source_hand_on(&s.errand, &s.report, 0, &replay, &ok_err));
	assert_int_equal(replay.tree.fd, -1);
	assert_false(is_at(s.dir, "replay"));
	find(&s, SOURCE_META_SNAPSHOT, "new snapshot");
	find_list(&s, "new list");
	s.report.found.snapshot = 5;
	/* It has failed behind the snapshot. */
	OK(source_hand_on(&s.errand, &s.report, -1, &replay, &ok_err));
	assert_true(replay.tree.fd >= 0);
	assert_holds(replay.path, "metadata/timestamp.json", "timestamp.json");
	assert_holds(replay.path, "metadata/snapshot.json", "new snapshot");
	assert_holds(replay.path, "metadata/5.snapshot.json", "new snapshot");
	assert_false(is_at(replay.path, "metadata/targets.json"));
	assert_false(is_at(replay.path, "targets/list.json"));
	replay_close(&replay);
	OK(source_hand_on(&s.errand, &s.report, 1, &replay, &ok_err));
	assert_holds(replay.path, "targets/list.json", "new list");
	assert_holds(replay.path, other, "new list");
	/* What is trusted is as it was. */
	assert_holds(s.metadata, "snapshot.json", "snapshot.json");
	replay_close(&replay);
	/* Under a new root all is verified anew, as far as it is there. */
	find(&s, SOURCE_META_ROOT, "new root");
	OK(source_hand_on(&s.errand, &s.report, -1, &replay, &ok_err));
	assert_false(is_at(replay.path, "metadata/targets.json"));
	replay_close(&replay);
	OK(source_hand_on(&s.errand, &s.report, 0, &replay, &ok_err));
	assert_holds(replay.path, "metadata/targets.json", "targets.json");
	assert_false(is_at(replay.path, "metadata/root.json"));
	replay_close(&replay);
	free(other);
	scene_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_ca),
		cmocka_unit_test(test_not_given),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_anew),
		cmocka_unit_test(test_take_lie),
		cmocka_unit_test(test_hand_on),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}
